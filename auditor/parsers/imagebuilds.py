"""Image builds that are configured, not typed: GitHub Actions, Bake files and Skaffold.

Each is given as the ``docker build`` it stands for. Parts of a name that only a run knows are
left as ``$X``; what is not said stays None.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from auditor import lazy_re as re
from auditor.parsers import yamldoc
from auditor.parsers.dockercli import DockerBuild
from auditor.parsers.yamldoc import Mapping, Node, Scalar, Sequence
from auditor.source import SourceText

_EXPRESSION = re.compile(r"\$\{\{\s*([^}]{0,200}?)\s*\}\}")
_MAX = 500


def _text(node: Node | None, *path: str) -> str:
    found = node.get(*path) if isinstance(node, Mapping) and path else node
    return found.text if isinstance(found, Scalar) and not found.is_null else ""


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items[:_MAX] if isinstance(node, Sequence) else ()


def workflow(source: SourceText) -> Iterator[DockerBuild]:
    """``docker/build-push-action`` steps of a workflow."""
    if "build-push-action" not in source.text:
        return
    stream = yamldoc.parse(source)
    root = stream.documents[0] if stream.documents else None
    jobs = root.get("jobs") if isinstance(root, Mapping) else None
    for job in jobs.entries[:_MAX] if isinstance(jobs, Mapping) else ():
        steps = job.value.get("steps") if isinstance(job.value, Mapping) else None
        env = {**_env(root), **_env(job.value)}
        named = {_text(s, "id"): s for s in _items(steps) if _text(s, "id")}
        for choice in _choices(job.value):
            for step in _items(steps):
                if "build-push-action" not in _text(step, "uses"):
                    continue
                known = {**env, **_env(step), **choice}
                made = _step(step, named, known)
                if made is not None:
                    yield made


def _env(node: Node | None) -> dict[str, str]:
    found = node.get("env") if isinstance(node, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    return {f"env.{e.name}": _text(e.value) for e in found.entries[:_MAX]}


def _choices(job: Node) -> list[dict[str, str]]:
    """The combinations of a job's matrix, one empty one without."""
    matrix = job.get("strategy", "matrix") if isinstance(job, Mapping) else None
    if not isinstance(matrix, Mapping):
        return [{}]
    found: list[dict[str, str]] = [
        {f"matrix.{e.name}": _text(e.value) for e in item.entries}
        for item in _items(matrix.get("include"))
        if isinstance(item, Mapping)
    ]
    lists = [e for e in matrix.entries if e.name not in ("include", "exclude")]
    if len(lists) == 1 and not found:
        for item in _items(lists[0].value):
            if isinstance(item, Mapping):
                found.append(
                    {f"matrix.{lists[0].name}.{e.name}": _text(e.value) for e in item.entries}
                )
            else:
                found.append({f"matrix.{lists[0].name}": _text(item)})
    return found[:50] or [{}]


def _filled(text: str, known: dict[str, str], depth: int = 0) -> str:
    def fill(match: re.Match[str]) -> str:
        value = known.get(match.group(1).strip())
        if value is None or depth > 3:
            return "$X"
        return _filled(value, known, depth + 1)

    return _EXPRESSION.sub(fill, text)


def _step(step: Node, named: dict[str, Node], known: dict[str, str]) -> DockerBuild | None:
    given = step.get("with") if isinstance(step, Mapping) else None
    if not isinstance(given, Mapping):
        return None
    tags: list[str] = []
    text = _text(given, "tags")
    meta = re.search(r"steps\.([\w-]+)\.outputs\.tags", text)
    if meta is not None and meta.group(1) in named:
        images = _text(named[meta.group(1)], "with", "images")
        tags = [_filled(line.strip(), known) for line in re.split(r"[\n,]", images)]
    else:
        tags = [_filled(line.strip(), known) for line in re.split(r"[\n,]", text)]
    context = _filled(_text(given, "context") or ".", known)
    file = _filled(_text(given, "file"), known)
    if "$X" in context or "$X" in file:
        return None
    return DockerBuild(
        at=given.at,
        place="ci",
        context=context,
        # The file is relative to the workspace, not to the context.
        dockerfile=file or None,
        tags=tuple(t for t in tags if t),
        target=_filled(_text(given, "target"), known) or None,
    )


def bake_json(source: SourceText) -> Iterator[DockerBuild]:
    """``docker-bake.json``: JSON is YAML to our reader."""
    stream = yamldoc.parse(source)
    root = stream.documents[0] if stream.documents else None
    targets = root.get("target") if isinstance(root, Mapping) else None
    for entry in targets.entries[:_MAX] if isinstance(targets, Mapping) else ():
        body = entry.value
        file = _text(body, "dockerfile") or "Dockerfile"
        context = _text(body, "context") or "."
        yield DockerBuild(
            at=entry.at,
            place="ci",
            context=context,
            dockerfile=posixpath.join(context, file),
            tags=tuple(
                _text(t) for t in _items(body.get("tags") if isinstance(body, Mapping) else None)
            ),
            target=_text(body, "target") or None,
        )


_TARGET = re.compile(r'^target\s+"([\w.-]+)"\s*\{', re.MULTILINE)
_VARIABLE = re.compile(r'variable\s+"(\w+)"\s*\{[^}]{0,300}?default\s*=\s*"([^"\n]*)"', re.DOTALL)


def bake_hcl(source: SourceText) -> Iterator[DockerBuild]:
    """``docker-bake.hcl``: targets with plain attributes."""
    text = source.text[:200_000]
    variables = dict(_VARIABLE.findall(text))
    starts = list(_TARGET.finditer(text))
    for match in starts[:_MAX]:
        body = text[match.end() : match.end() + 4_000]
        end = body.find("\n}")
        body = body[: end if end >= 0 else len(body)]

        def attribute(name: str, body: str = body) -> str:
            found = re.search(rf'^\s*{name}\s*=\s*"([^"\n]*)"', body, re.MULTILINE)
            return found.group(1) if found else ""

        listed = re.search(r"^\s*tags\s*=\s*\[([^\]]*)\]", body, re.MULTILINE)
        tags = re.findall(r'"([^"\n]*)"', listed.group(1)) if listed else []
        context = attribute("context") or "."
        line = text.count("\n", 0, match.start()) + 1
        yield DockerBuild(
            at=source.at(line),
            place="ci",
            context=context,
            dockerfile=posixpath.join(context, attribute("dockerfile") or "Dockerfile"),
            tags=tuple(
                re.sub(r"\$\{(\w+)[^}]*\}", lambda m: variables.get(m.group(1), "$X"), tag)
                for tag in tags
            ),
            target=attribute("target") or None,
        )


def skaffold(source: SourceText) -> Iterator[DockerBuild]:
    """``build.artifacts`` of ``skaffold.yaml``."""
    folder = posixpath.dirname(source.path)
    for document in yamldoc.parse(source).documents:
        build = document.get("build") if isinstance(document, Mapping) else None
        for item in _items(build.get("artifacts") if isinstance(build, Mapping) else None):
            context = posixpath.normpath(posixpath.join(folder, _text(item, "context") or "."))
            file = _text(item, "docker", "dockerfile") or "Dockerfile"
            name = _text(item, "image")
            if name:
                yield DockerBuild(
                    at=item.at,
                    place="script",
                    context=context,
                    dockerfile=posixpath.join(context, file),
                    tags=(name,),
                    target=_text(item, "docker", "target") or None,
                )
