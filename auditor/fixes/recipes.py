"""Which edit mends which finding: one function per rule, text and model in, a ``Fix`` out.

An edit is written only where the text at the finding's place is exactly what the recipe knows how
to change; anything else has no fix. All of these are safe: they change nothing but the fault.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.findings import Confidence, Edit, Fix
from auditor.source import Location
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage, Deployment, EnvRequirement
    from auditor.discovery import Repository
    from auditor.findings import Finding
    from auditor.source import SourceText


class Context:
    """What a recipe may look at besides its finding."""

    def __init__(
        self, deployment: Deployment, repository: Repository, findings: tuple[Finding, ...]
    ) -> None:
        self.deployment = deployment
        self.repository = repository
        self.findings = findings

    @cached_property
    def requirements(self) -> dict[Location, tuple[str, EnvRequirement]]:
        """The first environment that asks for what stands at a place, and its requirement."""
        found: dict[Location, tuple[str, EnvRequirement]] = {}
        for environment in self.deployment.environments:
            for item in environment.requirements:
                if item.fact.name_at is not None:
                    found.setdefault(item.fact.at, (environment.name, item))
        return found

    @cached_property
    def wrote(self) -> dict[tuple[str, str], frozenset[str]]:
        """By environment and distribution, the versions that wrote what is loaded there."""
        from auditor.artifacts.provenance import stated_versions

        found: dict[tuple[str, str], frozenset[str]] = {}
        for load in self.deployment.loads:
            for name, version in stated_versions(load.artifact.facts).items():
                key = load.environment.name, name
                found[key] = found.get(key, frozenset()) | {version}
        return found

    def text(self, path: str) -> SourceText:
        return self.repository.read_text(path)

    def line(self, at: Location) -> str:
        return self.text(at.path).line_at(at.line)

    def span(self, at: Location) -> str:
        """The text of a one-line span; empty for a longer one."""
        return self.line(at)[at.column - 1 : at.end_column - 1] if at.line == at.end_line else ""


Recipe = Callable[["Finding", Context], Fix | None]
_RECIPES: dict[str, Recipe] = {}


def recipe(*rules: str) -> Callable[[Recipe], Recipe]:
    """Bind a recipe to rules."""

    def bind(function: Recipe) -> Recipe:
        for rule in rules:
            _RECIPES[rule] = function
        return function

    return bind


def attach(
    findings: Iterable[Finding], deployment: Deployment, repository: Repository
) -> tuple[Finding, ...]:
    """The findings, with a fix where a recipe has one."""
    every = tuple(findings)
    if not any(f.rule in _RECIPES for f in every):
        return every
    context = Context(deployment, repository, every)
    made: list[Finding] = []
    for finding in every:
        cook = _RECIPES.get(finding.rule)
        if finding.fix is None and cook is not None and repository.is_file(finding.at.path):
            fix = cook(finding, context)
            if fix is not None:
                finding = replace(finding, fix=fix)
        made.append(finding)
    return tuple(made)


def _fix(description: str, *edits: Edit) -> Fix:
    return Fix(description=description, edits=tuple(edits), safe=True)


def _on_line(at: Location, start: int, end: int) -> Location:
    """Characters ``start:end`` of the line at which a location begins."""
    return Location(at.path, at.line, start + 1, at.line, end + 1)


def _evidence(finding: Finding, name: str) -> object:
    return dict(finding.evidence).get(name)


# ---- requirements ----

_EXACT = re.compile(r"\d+(\.\d+)*((a|b|rc|\.post|\.dev)\d+)?")


@recipe("ENV001")
def pin(finding: Finding, context: Context) -> Fix | None:
    """Pin to the version that a lock settles, or else that wrote the artifacts loaded there."""
    environment, item = context.requirements.get(finding.at, ("", None))
    if item is None or item.fact.name_at is None:
        return None
    version = item.locked_version
    source = "the lock"
    if version is None and not item.fact.specifier:
        version = _written_by(item, environment, context)
        source = "the release that wrote the artifact"
    if version is None:
        return None
    at = item.fact.specifier_at
    if at is None:
        line = context.line(item.fact.name_at)
        end = item.fact.name_at.end_column - 1
        extras = re.match(r"\s*\[[^\]]*\]", line[end:])
        end += extras.end() if extras is not None else 0
        at = _on_line(item.fact.name_at, end, end)
    return _fix(f"pin {item.fact.name} to {version}, {source}", Edit(at, f"=={version}"))


def _written_by(item: EnvRequirement, environment: str, context: Context) -> str | None:
    versions = context.wrote.get((environment, item.key), frozenset())
    only = next(iter(versions)) if len(versions) == 1 else None
    return only if only is not None and _EXACT.fullmatch(only) else None


# ---- commands ----


@recipe("NET001")
def bind_all(finding: Finding, context: Context) -> Fix | None:
    """The loopback address, where it is written, becomes every interface."""
    line = context.line(finding.at)
    start = finding.at.column - 1
    end = finding.at.end_column - 1 if finding.at.line == finding.at.end_line else len(line)
    places = [
        m for m in re.finditer(r"127\.0\.0\.1|\blocalhost\b", line)
        if start <= m.start() and m.end() <= max(end, start + 1)
    ]  # fmt: skip
    if not places:
        # The place is the option: its value stands behind it.
        places = list(
            re.finditer(
                r"(?<=--host[ =])(?:127\.0\.0\.1|localhost)|(?<=--host\", \")(?:127\.0\.0\.1|localhost)",
                line,
            )
        )
    if len(places) == 1:
        at = _on_line(finding.at, *places[0].span())
        return _fix("bind every interface of the container", Edit(at, "0.0.0.0"))
    if places or not finding.message.startswith("uvicorn binds 127.0.0.1") or "host" in line:
        return None
    for image in context.deployment.images:
        for instruction, _ in image.image.trace:
            at = instruction.at
            if instruction.keyword != "CMD" or at.path != finding.at.path:
                continue
            if not at.line <= finding.at.line <= at.end_line or at.line != at.end_line:
                continue
            text = context.line(at).rstrip()
            if instruction.json and text.endswith("]") and '"uvicorn"' in text:
                where = _on_line(at, len(text) - 1, len(text) - 1)
                return _fix("bind every interface", Edit(where, ', "--host", "0.0.0.0"'))
            if not instruction.json and not set(text) & set("|&;<>#\\"):
                where = _on_line(at, len(text), len(text))
                return _fix("bind every interface", Edit(where, " --host 0.0.0.0"))
    return None


@recipe("NET002")
def expose(finding: Finding, context: Context) -> Fix | None:
    """EXPOSE names the port that is served."""
    port = _evidence(finding, "served")
    found = re.fullmatch(r"\d+(/tcp)?", context.span(finding.at))
    if not isinstance(port, int) or found is None:
        return None
    exposed = int(context.span(finding.at).removesuffix("/tcp"))
    if any(p.container_port == exposed for s in context.deployment.services for p in s.published):
        return None  # somebody publishes it: then the server may be the wrong end
    return _fix(f"expose port {port}", Edit(finding.at, f"{port}{found[1] or ''}"))


@recipe("IMG006")
def no_reload(finding: Finding, context: Context) -> Fix | None:
    """Take the reloader away."""
    line = context.line(finding.at)
    if finding.at.line != finding.at.end_line or "watches the source" not in finding.message:
        return None
    span = context.span(finding.at)
    before = line[: finding.at.column - 1]
    if span.strip("\"'") == "--reload":
        start, end = finding.at.column - 1, finding.at.end_column - 1
        if span == "--reload" and before[-1:] in "\"'" and line[end : end + 1] == before[-1:]:
            start, end = start - 1, end + 1
            span, before = line[start:end], line[:start]
        if span[:1] in "\"'":
            comma = re.search(r",\s*$", before)
            behind = re.match(r"\s*,\s*", line[end:])
            if comma is not None:
                start = comma.start()
            elif behind is not None:
                end += behind.end()
            else:
                return None
        elif before.strip() == "-":
            # An item of its own in a YAML list.
            at = Location(finding.at.path, finding.at.line, 1, finding.at.line + 1, 1)
            return _fix("leave the reloader out", Edit(at, ""))
        else:
            start -= len(before) - len(before.rstrip(" \t"))
        return _fix("leave the reloader out", Edit(_on_line(finding.at, start, end), ""))
    found = list(re.finditer(r"\breload\s*=\s*True\b", line))
    if len(found) == 1:
        word = found[0].start() + found[0].group().index("True")
        return _fix("switch the reloader off", Edit(_on_line(finding.at, word, word + 4), "False"))
    return None


_SHELL = re.compile(r"[|&;<>()`\\*?~#!{}\[\]\n]|\$\(")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*(?::?-[\w./:-]*)?\})")


@recipe("IMG007")
def exec_form(finding: Finding, context: Context) -> Fix | None:
    """A shell-form CMD of one command becomes the exec form; in a script, ``exec`` is put before."""
    for image in context.deployment.images:
        for instruction, _ in image.image.trace:
            at = instruction.at
            if at.path != finding.at.path or not at.line <= finding.at.line <= at.end_line:
                continue
            return _exec_of(instruction.keyword, image, at, context)
    if not finding.at.path.endswith(".sh") or finding.at.line != finding.at.end_line:
        return None
    line = context.line(finding.at)
    before, rest = line[: finding.at.column - 1], line[finding.at.column - 1 :]
    later = context.text(finding.at.path).lines[finding.at.line :]
    if before.strip() or set(rest) & set("|&;<>\\`") or any(
        text.strip() and not text.lstrip().startswith("#") for text in later
    ):  # fmt: skip
        return None
    at = _on_line(finding.at, finding.at.column - 1, finding.at.column - 1)
    return _fix("let the server take the shell's place", Edit(at, "exec "))


def _exec_of(keyword: str, image: BuiltImage, at: Location, context: Context) -> Fix | None:
    from auditor.parsers.dockerfile import Cmd

    if keyword != "CMD" or image.image.entrypoint is not None or at.line != at.end_line:
        return None
    if any(i.keyword == "SHELL" for i, _ in image.image.trace):
        return None
    instruction = next(i for i, _ in image.image.trace if i.at == at)
    if not isinstance(instruction, Cmd) or instruction.json:
        return None
    line = context.line(at)
    found = re.match(r"\s*CMD\s+", line, re.IGNORECASE)
    if found is None:
        return None
    text = line[found.end() :].rstrip()
    plain = _VARIABLE.sub("x", text)
    if _SHELL.search(plain):
        return None
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    if not words or re.match(r"\w+=", words[0]) or words[0] in ("exec", "cd", "source", "."):
        return None
    if plain != text:
        words = ["sh", "-c", f"exec {text}"]
    elif "$" in text:
        return None
    where = _on_line(at, found.end(), found.end() + len(text))
    return _fix("use the exec form", Edit(where, json.dumps(words, ensure_ascii=False)))


# ---- system packages ----


@recipe("IMG002")
def add_package(finding: Finding, context: Context) -> Fix | None:
    """The packages join the stage's own ``apt-get install``, or get one after FROM."""
    if finding.confidence < Confidence.LIKELY:
        return None
    stage = next((r.at for r in finding.related if "stage that is shipped" in r.message), None)
    image = next(
        (i for i in context.deployment.images if i.image.base.at == stage and not i.is_dev), None
    )
    if image is None or image.base is None or image.base.distro not in ("debian", "ubuntu"):
        return None
    wanted = _packages(finding)
    if not wanted or any(
        f.rule == "IMG013" and _evidence(f, "instead") in wanted for f in context.findings
    ):
        # A name that the release does not know is mended first, and may be what is missing.
        return None
    mine = [
        p for p in image.system_packages
        if p.manager == "apt" and p.shipped and not p.removed and context.span(p.at) == p.name
    ]  # fmt: skip
    description = f"install {', '.join(wanted)} in the stage that is shipped"
    if mine:
        last = max(mine, key=lambda p: p.at)
        end = last.at.end_column - 1
        at = Location(last.at.path, last.at.line, end + 1, last.at.line, end + 1)
        return _fix(description, Edit(at, "".join(f" {name}" for name in wanted)))
    # One line for all that this stage lacks: each finding's fix is the same.
    everything = sorted(
        {
            name
            for f in context.findings
            if f.rule == "IMG002" and any(r.at == stage for r in f.related)
            for name in _packages(f)
        }
    )
    path = image.image.base.at.path
    line = image.image.base.at.line
    if context.text(path).line_at(line).rstrip().endswith("\\"):
        return None
    text = (
        f"RUN apt-get update && apt-get install -y --no-install-recommends {' '.join(everything)} "
        "\\\n    && rm -rf /var/lib/apt/lists/*\n"
    )
    return _fix(description, Edit(Location(path, line + 1, 1, line + 1, 1), text))


def _packages(finding: Finding) -> list[str]:
    names = _evidence(finding, "packages")
    found = [n for n in names if isinstance(n, str)] if isinstance(names, tuple) else []
    return found if all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", n) for n in found) else []


@recipe("IMG013")
def renamed_package(finding: Finding, context: Context) -> Fix | None:
    """The name that the release knows."""
    name, instead = _evidence(finding, "package"), _evidence(finding, "instead")
    if not isinstance(instead, str) or not re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", instead):
        return None
    if context.span(finding.at) != name:
        return None
    return _fix(f"install {instead} instead", Edit(finding.at, instead))


@recipe("IMG016")
def named_release(finding: Finding, context: Context) -> Fix | None:
    """The release that the tag stands on, written into it."""
    release, base = _evidence(finding, "release"), context.span(finding.at)
    if not isinstance(release, str) or not re.fullmatch(r"[\w./-]+:[\w.-]+", base):
        return None
    at = finding.at
    end = _on_line(at, at.end_column - 1, at.end_column - 1)
    return _fix(f"name the release, {release}", Edit(end, f"-{release}"))


# ---- Compose ----

_KEY = re.compile(r"(\s+)[\w.\"'-]+:\s*(?:&\w+\s*)?(?:#.*)?")


@recipe("OPS001")
def bounded_logs(finding: Finding, context: Context) -> Fix | None:
    """Log options for every service that has none."""
    places = [finding.at, *(r.at for r in finding.related if r.message == "the same here")]
    edits = []
    for at in places:
        text = context.text(at.path)
        key = _KEY.fullmatch(text.line_at(at.line))
        below = next(
            (t for t in text.lines[at.line :] if t.strip() and not t.lstrip().startswith("#")), ""
        )
        indent = below[: len(below) - len(below.lstrip())]
        if key is None or len(indent) <= len(key[1]) or "\t" in indent or below.lstrip()[:1] == "-":
            return None
        step = indent[len(key[1]) :]
        lines = (
            f"{indent}logging:\n{indent}{step}driver: json-file\n{indent}{step}options:\n"
            f'{indent}{step * 2}max-size: "10m"\n{indent}{step * 2}max-file: "3"\n'
        )
        edits.append(Edit(Location(at.path, at.line + 1, 1, at.line + 1, 1), lines))
    return _fix("bound the logs: three files of 10 MB", *edits)
