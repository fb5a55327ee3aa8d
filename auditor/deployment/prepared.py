"""Requirement files and wheels that commands of a build write, and later commands install.

``poetry export -o requirements.txt`` in one stage and ``pip install -r requirements.txt`` in the
next; ``pip wheel -w /wheels`` and ``pip install /wheels/*``: what is installed is what the first
command read.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from auditor import lazy_re as re
from auditor.parsers.commands import PipInstall
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.commands import Ran
    from auditor.deployment.imagefacts import CopyStep, Image

_DEPTH = 4
_MINOR = re.compile(r"(3\.\d+)(?!\d)")
T = TypeVar("T")


def collected(fact: PipInstall) -> PipInstall | None:
    """The installation that a command prepares without making it; None for other commands."""
    if fact.action == "export":
        # Of these two, an export has the main group alone unless others are named.
        main = fact.tool in ("poetry", "pipenv") and fact.dev is None
        return replace(fact, action="sync", dev=False if main else fact.dev)
    if fact.action == "lock" and fact.requirement_files:
        return replace(fact, action="install", constraint_files=())
    return fact if fact.action in ("wheel", "download") else None


def target(fact: PipInstall, ran: Ran) -> str | None:
    """The absolute path of the file or directory that such a command writes; None if unknown."""
    told: object = fact.output
    command = ran.what.command
    if told is None and command is not None:
        for redirect in command.redirects:
            if redirect.operator in (">", ">|") and redirect.fd in (None, 1) and redirect.target:
                told = redirect.target.expand(ran.what.env)
    if told is None and fact.action in ("wheel", "download"):
        told = "."
    if told is None and fact.action == "lock" and fact.tool == "pip-tools":
        told = "requirements.txt"
    cwd = ran.what.cwd if isinstance(ran.what.cwd, str) else ran.step.state.workdir
    if not isinstance(told, str) or not isinstance(cwd, str):
        return None
    return posixpath.normpath(posixpath.join(cwd, told))


def python_of(image: Image) -> str | None:
    """The ``X.Y`` of a stage whose base is an official Python image; None for others."""
    from auditor.deployment.base import describe

    reference = image.base.reference
    base = describe(reference) if isinstance(reference, str) else None
    found = _MINOR.match(base.reference.tag or "") if base and base.official_python else None
    return found.group(1) if found else None


class Prepared(Generic[T]):
    """What was written so far, by the stage and the place there; found through COPY --from."""

    def __init__(self, stages: Mapping[int, Image]) -> None:
        self._stages = stages
        self._written: dict[tuple[int, str], T] = {}

    def write(self, stage: int, path: str, content: T) -> None:
        """A command of the stage wrote this file or directory."""
        self._written[stage, path] = content

    def find(self, image: Image, path: str) -> T | None:
        """What lies at an absolute path of an image, where a command wrote it."""
        return next(
            (
                self._written[place]
                for place in self._places(image, path, 0)
                if place in self._written
            ),
            None,
        )

    def _places(self, image: Image, path: str, depth: int) -> Iterator[tuple[int, str]]:
        """Where the content of a path may have been written: (stage, path), the nearest first."""
        for stage in reversed(image.lineage):
            yield stage, path
        for step in reversed(image.copies) if depth < _DEPTH and self._written else ():
            if step.origin != "stage" or step.from_stage is None:
                continue
            for there in _behind(step, path):
                yield step.from_stage, there
                other = self._stages.get(step.from_stage)
                if other is not None:
                    yield from self._places(other, there, depth + 1)


def _behind(step: CopyStep, path: str) -> Iterator[str]:
    """The paths of the other stage that a copy may have laid at this path."""
    if not isinstance(step.destination, str):
        return
    destination = posixpath.normpath(step.destination)
    inside = path == destination or path.startswith(f"{destination.rstrip('/')}/")
    if not inside:
        return
    rest = path[len(destination.rstrip("/")) :].strip("/")
    for told in step.sources:
        if not isinstance(told, str):
            continue
        source = posixpath.normpath(posixpath.join("/", told))
        folder, name = posixpath.split(source)
        if "*" in name or "?" in name:
            # Files by a pattern keep their names.
            yield posixpath.join(folder, rest) if rest else folder
            continue
        # A file keeps its name in a directory; a directory gives its contents.
        if rest == name:
            yield source
        yield posixpath.join(source, rest) if rest else source
