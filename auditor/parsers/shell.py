"""Shell text (RUN, CMD, ENTRYPOINT, wrapper scripts) as typed commands with exact locations.

``tree-sitter-bash`` finds the structure; words are taken apart here, because what matters is
how a word *expands*, and that is decided by its quotes (POSIX.1-2017, XCU chapter 2).

The three steps a caller usually takes::

    script = parse(fragment)                # or parse_file(source), or exec_form(fragments)
    for step in trace(script, env=…, cwd=…):  # every simple command with env and cwd before it
        step.argv                           # expanded words: Arg(value, at)
    script.finals                           # what holds PID 1 in the end

What a command *means* is the matter of :mod:`auditor.parsers.commands`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from auditor.source import Fragment, Location, Problem, SourceText, Unknown

Value: TypeAlias = str | Unknown
# A name that is missing, or None, is not set. Unknown means: set or not, nobody can tell.
Env: TypeAlias = Mapping[str, str | Unknown | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Literal characters of a word. ``quoted`` ones neither split nor glob."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """``$name`` or ``${name…}``.

    ``operator`` is one of ``- := :- = + :+ ? :?`` with ``operand`` its word, ``#`` for the length,
    or any other text (``%.x``, ``//a/b``, …) for what is not evaluated.
    """

    name: str
    operator: str = ""
    operand: tuple[Part, ...] = ()
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """Command substitution, arithmetic and the like: never evaluated."""

    raw: str
    kind: Literal["command", "arithmetic", "process", "array", "other"]
    quoted: bool = False


Part: TypeAlias = Text | Parameter | Computed


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word as written.

    ``globs`` says that it has unquoted ``* ? [`` (or braces); its expansion is then the pattern.
    ``script`` is the parsed text when the word is the program of ``sh -c`` (or alike).
    """

    raw: str
    at: Location
    parts: tuple[Part, ...] = ()
    globs: bool = False
    script: Script | None = None

    def fields(
        self, env: Env | None = None, args: Sequence[Value] | None = None
    ) -> tuple[Value, ...]:
        """The words it expands to: none for an empty unquoted ``$X``, several after splitting.

        ``args`` are the positional parameters ``$1…`` (None: not known). A variable that is not
        set and has no default expands to Unknown, since the platform may set it.
        """
        raise NotImplementedError

    def expand(
        self, env: Env | None = None, args: Sequence[Value] | None = None
    ) -> Value | tuple[Value, ...]:
        """Like :meth:`fields`, but a plain value when it is exactly one word."""
        fields = self.fields(env, args)
        return fields[0] if len(fields) == 1 else fields

    @property
    def literal(self) -> str | None:
        """The text when it depends on nothing (quotes removed), else None."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """One expanded word of a command line, as the program would receive it."""

    value: Value
    at: Location
    globs: bool = False
    script: Script | None = None

    @property
    def text(self) -> str:
        """The value, or an empty string when it is unknown."""
        return self.value if isinstance(self.value, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """``NAME=value``; ``value`` is None for a bare ``export NAME``. ``append`` is ``+=``."""

    name: str
    value: Word | None
    at: Location
    export: bool = False
    append: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """``operator`` as written (``>``, ``>>``, ``<``, ``2>&1`` has operator ``>&`` and fd 2, …).

    For a here-document (``<<``, ``<<-``) ``target`` is the delimiter and ``body`` its text.
    """

    operator: str
    target: Word | None
    at: Location
    fd: int | None = None
    body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One simple command, and where it stands among the others.

    ``connector`` is what stands before it (``&&``, ``||``, ``|``, ``;`` or empty for the first).
    ``conditional`` counts the enclosing if/case branches, loop bodies and, without ``errexit``
    meaning anything, nothing else; ``loop``, ``function`` and ``subshell`` say which.
    ``words`` excludes prefix assignments and, for ``exec cmd``, includes ``exec``.
    """

    words: tuple[Word, ...]
    at: Location
    assignments: tuple[Assignment, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    connector: str = ""
    background: bool = False
    pipeline: tuple[int, int] = (0, 1)
    conditional: int = 0
    loop: bool = False
    function: str | None = None
    subshell: int = 0
    substitution: bool = False
    negated: bool = False
    errexit: bool = False

    @property
    def name(self) -> str | None:
        """The literal first word, if it has one."""
        return self.words[0].literal if self.words else None

    @property
    def is_exec(self) -> bool:
        """The command replaces the shell."""
        return len(self.words) > 1 and self.name == "exec"

    def argv(self, env: Env | None = None, args: Sequence[Value] | None = None) -> tuple[Arg, ...]:
        """The expanded words (``exec`` removed)."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """What the shell ends up running: one way the script can come to its end.

    ``replaces_shell``: by ``exec``. Otherwise the shell stays PID 1 and takes the signals.
    ``conditional``: there are other ways (branches). ``waits``: it is ``wait`` for the
    ``background`` commands. ``passes_arguments``: the command line is ``"$@"`` (or ``$*``).
    """

    command: Command
    replaces_shell: bool = False
    conditional: bool = False
    passes_arguments: bool = False
    waits: bool = False
    background: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A ``#!`` line: ``path`` of the program really run (after ``/usr/bin/env``) and its words."""

    line: str
    path: str
    args: tuple[str, ...]
    via_env: bool
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A parsed shell text.

    ``commands`` holds every simple command in the order of the text, those in function bodies
    (``function`` set) and in command substitutions (``substitution`` set) included.
    """

    path: str
    commands: tuple[Command, ...] = ()
    finals: tuple[Final, ...] = ()
    interpreter: Interpreter | None = None
    has_crlf: bool = False
    errexit: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command with what holds when it starts. ``cwd`` is absolute or Unknown."""

    command: Command
    argv: tuple[Arg, ...]
    env: Mapping[str, str | Unknown | None]
    cwd: Value
    args: tuple[Value, ...] | None = None


def parse(fragment: Fragment) -> Script:
    """Parse the text of a shell-form instruction. Never raises; see ``Script.problems``."""
    raise NotImplementedError


def parse_file(source: SourceText) -> Script:
    """Parse a script file: its ``#!`` line, its line ends, its commands."""
    raise NotImplementedError


def exec_form(path: str, elements: Iterable[Fragment]) -> Script:
    """The one command of a JSON (exec) form, whose words are taken literally."""
    raise NotImplementedError


def trace(
    script: Script,
    *,
    env: Env | None = None,
    cwd: Value = "/",
    args: Sequence[Value] | None = None,
) -> Iterator[Step]:
    """Walk the commands, keeping variables, ``set --``, ``shift`` and ``cd`` up to date.

    Functions are entered where they are called. What a branch or loop changes is Unknown
    after it. Nested ``sh -c`` texts are not entered (see ``Arg.script``).
    """
    raise NotImplementedError
