"""Installations that a RUN makes through a shell script or a Makefile of the project."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from auditor.deployment.commands import Ran
from auditor.deployment.filesystem import ContextSource, Present
from auditor.parsers import makefile, shell
from auditor.parsers.commands import PipInstall, SystemInstall, Venv, interpret_script
from auditor.parsers.commands.facts import Other, ShellRun
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.deployment.imagefacts import Image
    from auditor.parsers.commands import Interpretation
    from auditor.parsers.shell.facts import Script

_MAX_DEPTH = 4
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")


class Followed:
    """The commands of an image with what its scripts install, and why others may not be known."""

    def __init__(self, image: Image, context: str, facts: Facts) -> None:
        self._image = image
        self._context = context
        self._facts = facts
        self.unread: list[str] = []

    def commands(self, ran: Iterator[Ran]) -> Iterator[Ran]:
        """Every command; behind one that runs a script, the installations that the script makes."""
        for one in ran:
            yield one
            yield from self._behind(one, 0)

    def _behind(self, one: Ran, depth: int) -> Iterator[Ran]:
        what = one.what
        path = _script(what)
        if path is not None:
            found = self._repository_path(one, path)
            if found is None:
                return  # what others wrote seldom installs what the project needs
            script = self._facts.script(found)
            if script is None or depth >= _MAX_DEPTH:
                self._note(what)
                return
            # A script has a shell, and ends, of its own.
            step = replace(one.step)
            yield from self._inside(script, Ran(step=step, what=what), depth)
        elif isinstance(what.fact, Other) and what.fact.program in ("make", "gmake"):
            yield from self._made(one, depth)

    def _inside(self, script: Script, one: Ran, depth: int) -> Iterator[Ran]:
        for inner in interpret_script(script, env=one.what.env, cwd=one.what.cwd):
            nested = Ran(step=one.step, what=inner)
            if isinstance(inner.fact, PipInstall | SystemInstall | Venv):
                yield nested
            else:
                yield from self._behind(nested, depth + 1)

    def _made(self, one: Ran, depth: int) -> Iterator[Ran]:
        asked = _asked([arg.text for arg in one.what.argv[1:]])
        found = None
        for name in (asked.file,) if asked.file else _MAKEFILES:
            inside = posixpath.join(asked.folder, name)
            found = found or self._repository_path(one, inside)
        if found is None:
            return
        text = self._facts.read(found)
        if text is None or depth >= _MAX_DEPTH:
            self._note(one.what)
            return
        read = makefile.parse(text)
        if read.open or any(read.rule(target) is None for target in asked.targets):
            self._note(one.what)
        cwd = one.what.cwd
        if isinstance(cwd, str):
            cwd = posixpath.normpath(posixpath.join(cwd, asked.folder))
        for line in read.commands(asked.targets, asked.given):
            if line is None:
                self._note(one.what)
                continue
            moved = Ran(step=replace(one.step), what=replace(one.what, cwd=cwd))
            yield from self._inside(shell.parse(line), moved, depth)

    def _note(self, what: Interpretation) -> None:
        words = " ".join(arg.text for arg in what.argv[:4])
        self.unread.append(f"what `{words}` installs is not known")

    def _repository_path(self, one: Ran, path: str) -> str | None:
        """The file of the repository that stands there when the command runs."""
        if not isinstance(one.what.cwd, str):
            return None
        whole = posixpath.normpath(posixpath.join(one.what.cwd, path))
        found = self._image.fs.lookup_before(whole, one.step.layers)
        if not isinstance(found, Present) or not isinstance(found.source, ContextSource):
            return None
        return posixpath.normpath(posixpath.join(self._context, found.source.path or "."))


class _Asked:
    """The words of a ``make`` command line."""

    def __init__(self) -> None:
        self.file = ""
        self.folder = "."
        self.targets: tuple[str, ...] = ()
        self.given: Mapping[str, str] = {}


def _asked(words: list[str]) -> _Asked:
    asked = _Asked()
    given: dict[str, str] = {}
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word in ("-f", "--file", "-C", "--directory", "-j") and at < len(words):
            if word == "-j" and not words[at].isdigit():
                continue
            if word in ("-f", "--file"):
                asked.file = words[at]
            elif word != "-j":
                asked.folder = words[at]
            at += 1
        elif "=" in word and not word.startswith("-"):
            name, _, text = word.partition("=")
            given[name] = text
        elif not word.startswith("-"):
            asked.targets += (word,)
    asked.given = given
    return asked


def _script(what: Interpretation) -> str | None:
    """The shell script that a command runs."""
    fact = what.fact
    if isinstance(fact, ShellRun) and fact.program is None and fact.script is not None:
        name = fact.script.value
        return name if isinstance(name, str) else None
    if isinstance(fact, Other) and fact.argv:
        name = fact.argv[0].value
        if isinstance(name, str) and name.endswith((".sh", ".bash")) and "/" in name:
            return name
    return None


__all__ = ["Followed"]
