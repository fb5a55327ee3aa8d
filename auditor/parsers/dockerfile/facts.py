"""The typed instructions of a Dockerfile."""

from __future__ import annotations

from typing import Literal

from auditor.source import Fragment, Location, Problem
from auditor.values import value

Form = Literal["shell", "exec"]


@value
class Word:
    """A word as the parser leaves it: quotes and variables still in place (see ``expand``).

    In the exec (JSON) form ``text`` is the decoded string. ``at`` spans the word as written.
    """

    text: str
    at: Location


@value
class Flag:
    """``--name=value`` before the arguments; ``value`` is None when there is no ``=``."""

    name: str
    value: str | None
    at: Location


@value
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


@value
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


@value
class Pair:
    """``NAME=value`` of ENV, LABEL or ARG; ``value`` is None for an ARG without default."""

    name: str
    value: Word | None
    at: Location


@value
class Mount:
    """``RUN --mount``; ``options`` holds what was written, in order, keys in lower case."""

    type: str
    target: str | None
    source: str | None
    from_: str | None
    options: tuple[tuple[str, str | None], ...]
    at: Location


@value
class Instruction:
    """What every instruction has.

    ``keyword`` is upper case. ``at`` spans the instruction from its keyword to the end of its
    last line (here-documents included). ``line`` is the logical line, continuations joined.
    ``values`` are the words as BuildKit's parser splits them; ``json`` says exec form.
    ``json_tail``: a JSON array with something behind it, such as a comment. That is the shell
    form, but BuildKit before 0.15 and the classic builder took the array and dropped the rest.
    """

    keyword: str
    at: Location
    keyword_at: Location
    line: Fragment
    flags: tuple[Flag, ...]
    values: tuple[str, ...]
    json: bool
    json_tail: bool
    heredocs: tuple[Heredoc, ...]

    def flag(self, name: str) -> Flag | None:
        """The last flag of that name."""
        return next((flag for flag in reversed(self.flags) if flag.name == name), None)


@value
class From(Instruction):
    image: Word
    name: Word | None
    platform: str | None


@value
class Run(Instruction):
    """``command`` is empty text when the whole script is in the here-document."""

    command: Command
    mounts: tuple[Mount, ...]
    network: str | None
    security: str | None


@value
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


@value
class Env(Instruction):
    pairs: tuple[Pair, ...]
    legacy: bool


@value
class Label(Instruction):
    pairs: tuple[Pair, ...]
    legacy: bool


@value
class Arg(Instruction):
    pairs: tuple[Pair, ...]


@value
class Expose(Instruction):
    ports: tuple[Word, ...]


@value
class Volume(Instruction):
    paths: tuple[Word, ...]


@value
class User(Instruction):
    user: Word


@value
class Workdir(Instruction):
    path: Word


@value
class Cmd(Instruction):
    command: Command


@value
class Entrypoint(Instruction):
    command: Command


@value
class Shell(Instruction):
    words: tuple[Word, ...]


@value
class Healthcheck(Instruction):
    """``command`` is None for ``HEALTHCHECK NONE``. Options are durations as written."""

    command: Command | None
    interval: str | None
    timeout: str | None
    start_period: str | None
    start_interval: str | None
    retries: str | None


@value
class Stopsignal(Instruction):
    signal: Word


@value
class Maintainer(Instruction):
    name: Word


@value
class Onbuild(Instruction):
    trigger: Instruction


@value
class Unreadable(Instruction):
    """An instruction BuildKit refuses; ``reason`` is also a ``Problem`` of the file."""

    reason: str


@value
class Stage:
    """One FROM and what follows it. ``name`` is lower case (None when unnamed)."""

    index: int
    name: str | None
    base: Word
    start: From
    instructions: tuple[Instruction, ...]


@value
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
        wanted = reference.lower()
        for stage in reversed(self.stages):
            if stage.name == wanted:
                return stage
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 9:
            index = int(wanted)
            return self.stages[index] if index < len(self.stages) else None
        return None
