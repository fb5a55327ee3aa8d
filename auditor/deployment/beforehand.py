"""Files that are no part of the repository and are there when its images are built.

A workflow or script that builds an image may first download a model, take it from an earlier job
or train it: what a clone lacks is then no fault of the deployment.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.discovery import FileKind
from auditor.source import SourceText
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.parsers.yamldoc import Node

_MAX_SIZE = 300_000
_MAX_STEPS = 400

# Commands that build images, and the first words of those that bring files.
_BUILDS = re.compile(
    r"\b(?:docker|podman|buildah|nerdctl)(?:[\w -]*?)\s(?:build|buildx|bake|bud)\b"
    r"|\b(?:docker[ -]compose|podman-compose)\b[^\n]*\b(?:build|up)\b"
    r"|\bbentoml\s+(?:build|containerize)\b|\bcog\s+(?:build|push)\b|\bgcloud\s+builds\s+submit\b"
)
_MAKES = re.compile(
    r"train|download|fetch|prepare|export|pipeline|convert|get_?model|save_?model|pull|generate",
    re.IGNORECASE,
)
# What training or a download leaves; code and settings are committed.
_LEFT = re.compile(
    r"model|artifact|data|weight|checkpoint|mlruns|output|vocab|embedding"
    r"|\.(?:pkl|pickle|joblib|onnx|pt|pth|h5|keras|bin|safetensors|gguf|npy|npz|csv|parquet|cbm|bst"
    r"|dill|tflite|pb|mar|engine|plan|faiss|db|sqlite3?|jsonl?)$",
    re.IGNORECASE,
)
_CODE = (".py", ".sh", ".toml", ".cfg", ".lock", ".yml", ".yaml", ".md", ".js", ".ts", ".conf")


@value
class Beforehand:
    """``paths``: brought by name; ``makers``: files whose steps make what is not named."""

    paths: tuple[tuple[str, str], ...] = ()
    makers: tuple[str, ...] = ()

    def brings(self, path: str) -> str:
        """The file that has this path brought before a build; empty where none has."""
        plain = path.rstrip("/")
        for brought, where in self.paths:
            if f"{plain}/".startswith(f"{brought}/") or brought.startswith(f"{plain}/"):
                return where
        if self.makers and _LEFT.search(plain) and not plain.endswith(_CODE):
            return self.makers[0]
        return ""


def read(facts: Facts) -> Beforehand:
    """What workflows and scripts of the repository do before they build an image."""
    paths: list[tuple[str, str]] = []
    makers: list[str] = []
    for entry in facts.repository.entries:
        if entry.kind not in (FileKind.CI, FileKind.SHELL) or entry.size > _MAX_SIZE:
            continue
        text = facts.read(entry.path)
        if text is None or not (_BUILDS.search(text.text) or "build-push-action" in text.text):
            continue
        runs = _jobs(text) if entry.kind is FileKind.CI else [[("", text.text)]]
        for steps in runs:
            for kind, said in _before_build(steps):
                if kind == "path":
                    paths.append((posixpath.normpath(said), entry.path))
                else:
                    brought = _brought(said)
                    paths += [(posixpath.normpath(p), entry.path) for p in brought]
                    if not brought and entry.path not in makers and _makes(said, facts):
                        makers.append(entry.path)
    inside = [(p, where) for p, where in paths if p != "." and not p.startswith(("..", "/", "~"))]
    return Beforehand(paths=tuple(dict.fromkeys(inside)), makers=tuple(makers))


def _jobs(source: SourceText) -> Iterator[list[tuple[str, str]]]:
    """The steps of each job, as ("path", what an artifact is unpacked to) or ("", commands)."""
    from auditor.parsers import yamldoc

    stream = yamldoc.parse(source)
    root = stream.documents[0] if stream.documents else None
    jobs = root.get("jobs") if isinstance(root, yamldoc.Mapping) else None
    for job in jobs.entries if isinstance(jobs, yamldoc.Mapping) else ():
        steps = job.value.get("steps") if isinstance(job.value, yamldoc.Mapping) else None
        if not isinstance(steps, yamldoc.Sequence):
            continue
        found: list[tuple[str, str]] = []
        for step in steps.items[:_MAX_STEPS]:
            uses = _text(step, "uses")
            if "download-artifact" in uses or "actions/cache" in uses:
                found += [("path", p) for p in _text(step, "with", "path").split()]
            elif "build-push-action" in uses:
                found.append(("build", ""))
            elif run := _text(step, "run"):
                found.append(("", run))
        yield found


def _text(node: Node, *path: str) -> str:
    from auditor.parsers.yamldoc import Mapping, Scalar

    found = node.get(*path) if isinstance(node, Mapping) else None
    return found.text if isinstance(found, Scalar) and not found.is_null else ""


def _before_build(steps: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Paths and single commands up to the last build; nothing where there is none."""
    found: list[tuple[str, str]] = []
    until = 0
    for kind, said in steps:
        if kind == "path":
            found.append((kind, said))
        elif kind == "build":
            until = len(found)
        else:
            for line in re.sub(r"\\\r?\n", " ", said).splitlines():
                if _BUILDS.search(line):
                    until = len(found)
                elif line.strip() and not line.lstrip().startswith("#"):
                    found.append(("", line.strip()))
    return found[:until]


_COPIES = re.compile(r"\b(?:cp|mv|rsync|copytree|copy2?|move|robocopy|xcopy)\b")


def copying(facts: Facts) -> tuple[tuple[str, str], ...]:
    """(file, line) of every line of a script, workflow or program that copies something."""
    found: list[tuple[str, str]] = []
    for entry in facts.repository.entries:
        if entry.kind not in (FileKind.CI, FileKind.SHELL, FileKind.MAKEFILE, FileKind.PYTHON):
            continue
        if entry.size > _MAX_SIZE:
            continue
        text = facts.repository.read_text(entry.path).text
        end = -1
        for match in _COPIES.finditer(text):
            if match.start() < end:
                continue  # of the line before
            begin = text.rfind("\n", 0, match.start()) + 1
            end = text.find("\n", match.end())
            end = len(text) if end < 0 else end
            line = text[begin:end]
            if "COPY" not in line:
                found.append((entry.path, line))
    return tuple(found)


def taken_elsewhere(lines: Iterable[tuple[str, str]], dockerfile: str, context: str) -> str:
    """The file that copies the Dockerfile, or the directory it is built from, somewhere else.

    ``lines``: what ``copying`` gives.

    What stands beside it there is not what stands here: a COPY that finds nothing in the
    repository may find it. Empty where nothing does so; the root is never moved as a whole.
    """
    names = {dockerfile, f"{context}/" if context else "", context}
    if "/" in dockerfile and posixpath.basename(dockerfile).lower() != "dockerfile":
        names.add(posixpath.basename(dockerfile))
    wanted = re.compile(
        "|".join(rf"(?<![\w.-]){re.escape(n.rstrip('/'))}/?(?![\w./-])" for n in names if n)
    )
    for path, line in lines:
        if wanted.search(line):
            return f"{path} copies it to where it is built"
    return ""


_TARGETS = re.compile(
    r"(?:\s-o|\s-O|\s-P|\s--output|\s--output-dir|\s--local-dir|\s--dest|\s--directory-prefix|\s-d)"
    r"[ =]+['\"]?([\w./-]+)"
)


def _brought(line: str) -> list[str]:
    """The local paths that a downloading command names."""
    words = line.replace("'", "").replace('"', "").split()
    program = posixpath.basename(words[0]) if words else ""
    if program in ("curl", "wget", "unzip", "tar", "gdown", "huggingface-cli", "hf", "kaggle"):
        return [p for p in _TARGETS.findall(line) if not p.startswith("/")]
    if program in ("aws", "gsutil", "gcloud", "az", "mc", "rclone") and len(words) > 2:
        named = [w for w in words[1:] if "/" in w and not w.startswith("-")]
        down = len(named) > 1 and "://" in named[0] and "://" not in named[-1]
        return named[-1:] if down else []
    return []


def _makes(line: str, facts: Facts) -> bool:
    """The command runs code of the project that trains or downloads, or brings tracked data."""
    words = line.split()
    while words and ("=" in words[0] or words[0] in ("poetry", "uv", "pipenv", "run", "sudo")):
        words = words[1:]
    if not words:
        return False
    program = posixpath.basename(words[0])
    if program == "dvc":
        return len(words) > 1 and words[1] in ("pull", "repro", "fetch", "checkout")
    if program in ("make", "just", "task", "invoke"):
        return any(_MAKES.search(word) for word in words[1:] if not word.startswith("-"))
    if not program.startswith("python") and program not in ("bash", "sh"):
        return False
    named = next((w for w in words[1:] if not w.startswith("-")), "")
    script = named.replace(".", "/") + ".py" if "-m" in words[1:3] else named
    known = facts.repository.is_file(posixpath.normpath(script or "."))
    return known and _MAKES.search(posixpath.basename(script)) is not None
