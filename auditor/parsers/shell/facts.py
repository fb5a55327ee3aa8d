"""What a shell text holds, typed: words, commands, how it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.parsers.branches import Guard
from auditor.parsers.shell.expansion import Computed, Env, Part, Text, Value, as_value, fields_of
from auditor.source import Location, Problem, Unknown
from auditor.values import value


@value
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
        return tuple(as_value(pieces) for pieces in fields_of(self.parts, env or {}, args))

    def expand(
        self, env: Env | None = None, args: Sequence[Value] | None = None
    ) -> Value | tuple[Value, ...]:
        """Like :meth:`fields`, but a plain value when it is exactly one word."""
        fields = self.fields(env, args)
        return fields[0] if len(fields) == 1 else fields

    @property
    def literal(self) -> str | None:
        """The text when it depends on nothing (quotes removed), else None."""
        texts = [part.text for part in self.parts if isinstance(part, Text)]
        return "".join(texts) if len(texts) == len(self.parts) else None


@value
class Arg:
    """One expanded word of a command line, as the program would receive it.

    ``pieces`` are its known and unknown parts in order, when ``value`` is Unknown as a whole.
    """

    value: Value
    at: Location
    globs: bool = False
    script: Script | None = None
    pieces: tuple[Value, ...] = ()

    @property
    def text(self) -> str:
        """The value, or an empty string when it is unknown."""
        return self.value if isinstance(self.value, str) else ""


@value
class Assignment:
    """``NAME=value``; ``value`` is None for a bare ``export NAME``. ``append`` is ``+=``."""

    name: str
    value: Word | None
    at: Location
    export: bool = False
    append: bool = False

    @property
    def array(self) -> Computed | None:
        """The elements of ``NAME=(…)``."""
        first = self.value.parts[0] if self.value is not None and self.value.parts else None
        return first if isinstance(first, Computed) and first.kind == "array" else None


@value
class Redirect:
    """``operator`` as written (``>``, ``>>``, ``<``, ``2>&1`` has operator ``>&`` and fd 2, …).

    For a here-document (``<<``, ``<<-``) ``target`` is the delimiter and ``body`` its text.
    """

    operator: str
    target: Word | None
    at: Location
    fd: int | None = None
    body: str | None = None


@value
class Command:
    """One simple command, and where it stands among the others.

    ``connector`` is what stands before it (``&&``, ``||``, ``|``, ``;`` or empty for the first).
    ``conditional`` counts what it depends on: if and case branches, loop bodies, ``||``, and
    ``&&`` after a test. ``subshell`` counts enclosing ``( )``. ``errexit``: ``set -e`` is on,
    ``nounset``: ``set -u``. ``tested``: it is the condition of a ``while`` or an ``until``, or (``if``)
    a part of any condition.
    ``words`` excludes prefix assignments and, for ``exec cmd``, includes ``exec``.
    ``scopes`` names the branches (positive) and subshells (negative) around it, outermost first.
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
    nounset: bool = False
    tested: str = ""
    scopes: tuple[int, ...] = ()

    @property
    def name(self) -> str | None:
        """The literal first word, if it has one."""
        return self.words[0].literal if self.words else None

    @property
    def is_exec(self) -> bool:
        """The command replaces the shell."""
        return len(self.words) > 1 and self.name == "exec"

    def argv(self, env: Env | None = None, args: Sequence[Value] | None = None) -> tuple[Arg, ...]:
        """The expanded words (``exec`` and its options removed)."""
        found: list[Arg] = []
        for word in self.words:
            for pieces in fields_of(word.parts, env or {}, args):
                value = as_value(pieces)
                found.append(
                    Arg(
                        value=value,
                        at=word.at,
                        globs=word.globs,
                        script=word.script,
                        pieces=tuple(pieces) if isinstance(value, Unknown) else (),
                    )
                )
        if not self.is_exec:
            return tuple(found)
        start = 1
        while start < len(found) and found[start].text in {"-c", "-l", "-a", "-cl", "-lc", "--"}:
            start += 2 if found[start].text == "-a" else 1
        return tuple(found[start:])


@value
class Final:
    """What the shell ends up running: one way the script can come to its end.

    ``replaces_shell``: by ``exec``. Otherwise the shell stays PID 1 and takes the signals.
    ``conditional``: there are other ways (branches). ``waits``: it is ``wait`` for the
    ``background`` commands; ``detached``: nothing but background commands is left, the shell
    ends. ``passes_arguments``: the command line ends in ``"$@"`` (or ``$*``).
    """

    command: Command
    replaces_shell: bool = False
    conditional: bool = False
    passes_arguments: bool = False
    waits: bool = False
    detached: bool = False
    background: tuple[Command, ...] = ()


@value
class Interpreter:
    """A ``#!`` line: ``path`` of the program really run (after ``/usr/bin/env``) and its words."""

    line: str
    path: str
    args: tuple[str, ...]
    via_env: bool
    at: Location


@value
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
    # One command in JSON form: no shell is there at all.
    exec_form: bool = False
    # Run by dash, Debian's ``sh`` (of a file that was not started yet: the image's ``sh`` is dash).
    dash: bool = False
    # Its path in the image, where it is run from a file: what `$0` leads to.
    called: str = ""
    # What leads into the branches, by their scope.
    guards: tuple[tuple[int, Guard], ...] = ()
    problems: tuple[Problem, ...] = ()


@value
class Step:
    """A command with what holds when it starts. ``cwd`` is absolute or Unknown.

    ``conditional`` counts what it depends on and what the state does not decide.
    """

    command: Command
    argv: tuple[Arg, ...]
    env: Mapping[str, str | Unknown | None]
    cwd: Value
    args: tuple[Value, ...] | None = None
    conditional: int = 0
