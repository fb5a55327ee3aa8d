"""Dockerfiles, read as BuildKit reads them, with every word's place in the file.

``parse`` yields typed instructions; ``expand`` substitutes variables in a word. What BuildKit
refuses becomes a ``Problem`` at the instruction BuildKit would name; reading goes on behind it.

Terms follow the Dockerfile reference: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from auditor.source import Fragment, Location, Problem, SourceText, Unknown

Form = Literal["shell", "exec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word as the parser leaves it: quotes and variables still in place (see ``expand``).

    In the exec (JSON) form ``text`` is the decoded string. ``at`` spans the word as written.
    """

    text: str
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """``--name=value`` before the arguments; ``value`` is None when there is no ``=``."""

    name: str
    value: str | None
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """The body of a here-document.

    ``body`` keeps leading tabs; ``text`` is what the build sees (tabs chomped for ``<<-``).
    ``expand`` is False when the delimiter is quoted. ``at`` spans body and terminator.
    """

    name: str
    expand: bool
    chomp: bool
    descriptor: int
    body: Fragment
    at: Location

    @property
    def text(self) -> str:
        """The content after chomping."""
        if not self.chomp:
            return self.body.text
        return "".join(line.lstrip("\t") for line in self.body.text.splitlines(keepends=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What RUN, CMD, ENTRYPOINT or HEALTHCHECK CMD is told to run.

    Shell form: ``text`` maps offsets of the joined line to the file. Exec form: ``words``.
    ``at`` spans the command without the keyword and the flags.
    """

    form: Form
    text: Fragment
    words: tuple[Word, ...]
    at: Location

    @property
    def argv(self) -> tuple[str, ...]:
        """The words of the exec form, or the one line of the shell form."""
        if self.form == "exec":
            return tuple(word.text for word in self.words)
        return (self.text.text,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """``NAME=value`` of ENV, LABEL or ARG; ``value`` is None for an ARG without default."""

    name: str
    value: Word | None
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """``RUN --mount``; ``options`` holds what was written, in order, keys in lower case."""

    type: str
    target: str | None
    source: str | None
    from_: str | None
    options: tuple[tuple[str, str | None], ...]
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What every instruction has.

    ``keyword`` is upper case. ``at`` spans the instruction from its keyword to the end of its
    last line (here-documents included). ``line`` is the logical line, continuations joined.
    ``values`` are the words as BuildKit's parser splits them; ``json`` says exec form.
    """

    keyword: str
    at: Location
    keyword_at: Location
    line: Fragment
    flags: tuple[Flag, ...]
    values: tuple[str, ...]
    json: bool
    heredocs: tuple[Heredoc, ...]

    def flag(self, name: str) -> Flag | None:
        """The last flag of that name."""
        return next((flag for flag in reversed(self.flags) if flag.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Instruction):
    image: Word
    name: Word | None
    platform: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Instruction):
    """``command`` is empty text when the whole script is in the here-document."""

    command: Command
    mounts: tuple[Mount, ...]
    network: str | None
    security: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Instruction):
    """COPY or ADD. ``sources`` are paths, URLs or here-documents (``<<NAME`` words)."""

    sources: tuple[Word, ...]
    destination: Word
    from_: Flag | None
    chown: str | None
    chmod: str | None
    checksum: str | None
    excludes: tuple[str, ...]
    link: bool
    parents: bool
    keep_git_dir: bool
    unpack: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Instruction):
    pairs: tuple[Pair, ...]
    legacy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Instruction):
    pairs: tuple[Pair, ...]
    legacy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Instruction):
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Instruction):
    ports: tuple[Word, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Instruction):
    paths: tuple[Word, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Instruction):
    user: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Instruction):
    path: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Instruction):
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Instruction):
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Instruction):
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Instruction):
    """``command`` is None for ``HEALTHCHECK NONE``. Options are durations as written."""

    command: Command | None
    interval: str | None
    timeout: str | None
    start_period: str | None
    start_interval: str | None
    retries: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopsignal(Instruction):
    signal: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Instruction):
    name: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Onbuild(Instruction):
    trigger: Instruction


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable(Instruction):
    """An instruction BuildKit refuses; ``reason`` is also a ``Problem`` of the file."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One FROM and what follows it. ``name`` is lower case (None when unnamed)."""

    index: int
    name: str | None
    base: Word
    start: From
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A whole file. ``instructions`` holds everything in order, ``stages`` the same by FROM.

    ``global_args`` are the ARGs before the first FROM. ``syntax`` is the frontend asked for.
    """

    path: str
    escape: str
    syntax: str | None
    instructions: tuple[Instruction, ...]
    global_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    problems: tuple[Problem, ...]

    def stage(self, reference: str) -> Stage | None:
        """The stage of that name (case-insensitive) or index; the last one of a repeated name."""
        raise NotImplementedError


def parse(source: SourceText) -> Dockerfile:
    """Read a Dockerfile. Never raises."""
    raise NotImplementedError


def expand(
    word: str, variables: Mapping[str, str | Unknown | None], escape: str = "\\"
) -> str | Unknown:
    """The word with quotes removed and variables substituted.

    A name that is missing from ``variables`` is unset (empty, as in a build); one mapped to
    ``Unknown`` makes the result Unknown wherever it matters. A malformed word is Unknown too.
    """
    raise NotImplementedError
