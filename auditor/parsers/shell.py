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

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from posixpath import normpath
from time import process_time
from typing import TYPE_CHECKING, Literal, TypeAlias

from auditor.parsers.branches import Condition, Guard, Moments, taken
from auditor.parsers.dotenv import HOLE
from auditor.source import Fragment, Location, Problem, SourceText, Unknown
from auditor.values import record, replace, value

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Tree

Value: TypeAlias = str | Unknown
# A name that is missing, or None, is not set. Unknown means: set or not, nobody can tell.
Env: TypeAlias = Mapping[str, str | Unknown | None]


@value
class Text:
    """Literal characters of a word. ``quoted`` ones neither split nor glob."""

    text: str
    quoted: bool = False


@value
class Parameter:
    """``$name`` or ``${name…}``.

    ``operator`` is one of ``- := :- = + :+ ? :?`` with ``operand`` its word, ``#`` for the length,
    or any other text (``%.x``, ``//a/b``, …) for what is not evaluated.
    """

    name: str
    operator: str = ""
    operand: tuple[Part, ...] = ()
    quoted: bool = False


@value
class Computed:
    """Command substitution, arithmetic and the like: never evaluated."""

    raw: str
    kind: Literal["command", "arithmetic", "process", "array", "other"]
    quoted: bool = False


Part: TypeAlias = Text | Parameter | Computed


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
        return tuple(_join(pieces) for pieces in _fields(self.parts, env or {}, args))

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
            for pieces in _fields(word.parts, env or {}, args):
                value = _join(pieces)
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


_LIMIT = 200_000  # characters of one shell text
_DEPTH = 60  # nesting of statements
_NESTING = 4  # sh -c inside sh -c
_COMMANDS = 5_000
_SECONDS = 1.0  # the grammar's error recovery is quadratic on hostile text
_KEPT = 10_000  # commands of parsed scripts
_FIELDS = 2_000  # words that one word may expand to
_LENGTH = 200_000  # characters that one word may expand to
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})


def parse(fragment: Fragment, *, errexit: bool = False) -> Script:
    """Parse the text of a shell-form instruction. Never raises; see ``Script.problems``.

    ``errexit``: the shell was started with ``-e`` (``SHELL ["/bin/bash", "-e", "-c"]``).
    """
    return _scripts.of(fragment, errexit)


class _Scripts:
    """The scripts of late: what a RUN does to files and what it installs are asked one by one."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Fragment, bool], Script] = {}
        self._commands = 0

    def of(self, fragment: Fragment, errexit: bool) -> Script:
        # A fragment is the one text at its place, and does not change: it is its own key.
        script = self._kept.get((fragment, errexit))
        if script is None:
            script = _Parser(fragment, errexit=errexit, nesting=0).script()
            if self._commands > _KEPT:
                self._kept, self._commands = {}, 0
            self._kept[fragment, errexit] = script
            self._commands += len(script.commands) + 1
        return script


_scripts = _Scripts()


def parse_file(source: SourceText) -> Script:
    """Parse a script file: its ``#!`` line, its line ends, its commands.

    CRLF line ends are a fact (``has_crlf``) and otherwise read as if they were LF.
    """
    lines = source.lines
    # Offsets must lead back to the file, so every line is a piece of its own when CRs went.
    has_crlf = "\r\n" in source.text
    if has_crlf:
        pieces = [(line + "\n", number, 1) for number, line in enumerate(lines, 1)]
    else:
        pieces = [(source.text, 1, 1)]
    interpreter = _shebang(source)
    flags = "".join(
        arg
        for arg in (interpreter.args if interpreter is not None else ())
        if arg.startswith("-") and not arg.startswith("--")
    )
    script = _Parser(
        Fragment(source.path, pieces), errexit="e" in flags, nounset="u" in flags, nesting=0
    ).script()
    return replace(
        script,
        interpreter=interpreter,
        has_crlf=has_crlf,
        problems=source.problems + script.problems,
    )


def exec_form(path: str, elements: Iterable[Fragment]) -> Script:
    """The one command of a JSON (exec) form, whose words are taken literally.

    ``HOLE`` in a word stands for a text that whoever starts the command gives.
    """
    fragments = list(elements)
    words = [
        Word(
            raw=fragment.text,
            at=fragment.location(0, len(fragment.text)),
            parts=tuple(_exec_parts(fragment.text)),
        )
        for fragment in fragments
    ]
    index = _program_of_shell([word.literal for word in words])
    if index is not None:
        nested = _Parser(_open(fragments[index]), errexit=False, nesting=1).script()
        words[index] = replace(words[index], script=nested)
    if not words:
        return Script(path=path)
    first, last = words[0].at, words[-1].at
    at = replace(first, end_line=last.end_line, end_column=last.end_column)
    command = Command(words=tuple(words), at=at)
    return Script(
        path=path,
        commands=(command,),
        finals=(Final(command=command, replaces_shell=True),),
        exec_form=True,
    )


def _exec_parts(text: str) -> Iterator[Part]:
    for number, piece in enumerate(text.split(HOLE)):
        if number:
            yield Computed(raw="", kind="other", quoted=True)
        if piece or text == "":
            yield Text(text=piece, quoted=True)


def _open(fragment: Fragment) -> Fragment:
    """The program of a shell, with what nobody can foretell for each hole."""
    if HOLE not in fragment.text:
        return fragment
    line, column = fragment.place(0)
    return Fragment(fragment.path, [(fragment.text.replace(HOLE, "$(:)"), line, column)])


def split(fragment: Fragment) -> Script:
    """A command line that no shell reads: words between blanks, quotes heeded, no operators.

    That is how supervisord and systemd take a command. Parameters still expand; escape a ``$``
    that is none. The result is like that of :func:`exec_form`.
    """
    parser = _Parser(fragment, errexit=False, nesting=0)
    text = parser.text
    words = parser.split(0, len(text))
    if not words:
        return Script(path=fragment.path)
    index = _program_of_shell([word.literal for word in words])
    if index is not None:
        literal = words[index].literal or ""
        # The text of `sh -c` may be quoted; only its start is known exactly then.
        at = words[index].at
        inner = Fragment(fragment.path, [(literal, at.line, at.column + 1)])
        nested = _Parser(inner, errexit=False, nesting=1).script()
        words[index] = replace(words[index], script=nested)
    command = Command(words=tuple(words), at=fragment.location(0, len(text)))
    return Script(
        path=fragment.path,
        commands=(command,),
        finals=(Final(command=command, replaces_shell=True),),
        exec_form=True,
    )


def trace(
    script: Script,
    *,
    env: Env | None = None,
    cwd: Value = "/",
    args: Sequence[Value] | None = None,
) -> Iterator[Step]:
    """Walk the commands, keeping variables, ``set --``, ``shift`` and ``cd`` up to date.

    Functions are entered where they are called. A branch whose condition is decided is walked, or
    left out, as the shell would; nothing follows a certain ``exec`` or ``exit``. What another
    branch or a loop changes is Unknown after it; what a subshell changes is forgotten. Nested
    ``sh -c`` texts are not entered (see ``Arg.script``).
    """
    functions: dict[str, list[Command]] = {}
    for command in script.commands:
        if command.function is not None:
            functions.setdefault(command.function, []).append(command)
    top = [command for command in script.commands if command.function is None]
    state = _State(dict(env or {}), cwd, None if args is None else tuple(args))
    yield from _Tracer(functions, dict(script.guards), state).walk(top, (), 0)


def join_path(cwd: Value, path: Value) -> Value:
    """``path`` as seen from ``cwd``, normalised; Unknown when either is and it matters."""
    if isinstance(path, Unknown):
        return path
    if path.startswith("/"):
        return normpath(path)
    if isinstance(cwd, Unknown):
        return cwd
    return normpath(f"{cwd}/{path}")


# --- expansion ---------------------------------------------------------------------------------


def _join(pieces: Sequence[Value]) -> Value:
    unknown = next((piece for piece in pieces if isinstance(piece, Unknown)), None)
    return unknown if unknown is not None else "".join(p for p in pieces if isinstance(p, str))


def _fields(
    parts: Sequence[Part], env: Env, args: Sequence[Value] | None, depth: int = 0
) -> list[list[Value]]:
    """Each resulting word as its known and unknown pieces (field splitting with default IFS)."""
    done: list[list[Value]] = []
    current: list[Value] | None = None
    size = 0
    for part in parts:
        if isinstance(part, Text):
            values: list[Value] = [part.text]
            separate, split = False, False
        elif isinstance(part, Computed):
            values = [Unknown(f"{_shorten(part.raw)} is computed when the shell runs")]
            separate, split = False, False
        else:
            values, separate = _parameter(part, env, args, depth)
            split = not part.quoted
        for index, value in enumerate(values):
            if separate and index:
                if current is not None:
                    done.append(current)
                current = None
            size += len(value) if isinstance(value, str) else 0
            if size > _LENGTH or len(done) > _FIELDS:
                return [[Unknown("expands to too much text")]]
            if not split or isinstance(value, Unknown):
                current = [*(current or ()), value]
                continue
            words = value.split()
            if value[:1].isspace() and current is not None:
                done.append(current)
                current = None
            for number, text in enumerate(words):
                if number and current is not None:
                    done.append(current)
                    current = None
                current = [*(current or ()), text]
            if words and value[-1:].isspace() and current is not None:
                done.append(current)
                current = None
    if current is not None:
        done.append(current)
    return done


def _parameter(
    part: Parameter, env: Env, args: Sequence[Value] | None, depth: int
) -> tuple[list[Value], bool]:
    """The values of a parameter, and whether each is a word of its own (``$@``)."""
    name, operator = part.name, part.operator
    if name in {"@", "*"}:
        if operator in {":-", "-"} and args is not None and not args:
            return _operand(part, env, args, depth), False
        if operator not in {"", ":-", "-"}:
            return [Unknown(f"${{{name}{operator}}} is not evaluated")], False
        if args is None:
            return [Unknown(f"${name}: the arguments are not known")], False
        if name == "*" and part.quoted:
            joined: list[Value] = []
            for index, arg in enumerate(args):
                joined += ([" "] if index else []) + [arg]
            return [_join(joined)], False
        return list(args), True
    value = _lookup(name, env, args)
    if operator == "":
        if value is None:
            return [Unknown(f"${name} is not set here")], False
        return [value], False
    if isinstance(value, Unknown):
        return [value], False
    if operator in {":-", ":="}:
        return ([value] if value else _operand(part, env, args, depth)), False
    if operator in {"-", "="}:
        return ([value] if value is not None else _operand(part, env, args, depth)), False
    if operator in {":+", "+"}:
        held = bool(value) if operator == ":+" else value is not None
        return (_operand(part, env, args, depth) if held else [""]), False
    if operator in {":?", "?"}:
        if value or (operator == "?" and value is not None):
            return [value], False
        return [Unknown(f"${name} is not set here and must be")], False
    if operator == "#" and value is not None:
        return [str(len(value))], False
    if value is not None and (cut := _cut(value, operator)) is not None:
        return [cut], False
    return [Unknown(f"${{{name}{_shorten(operator)}}} is not evaluated")], False


def _cut(text: str, operator: str) -> str | None:
    """``${X#begin}``, ``${X%end}`` and ``${X:0:1}`` with plain operands; None for anything else."""
    numbers = operator[1:].split(":") if operator.startswith(":") else []
    if numbers and len(numbers) <= 2 and all(n.isdecimal() and len(n) < 6 for n in numbers):
        start = int(numbers[0])
        return text[start : start + int(numbers[1])] if len(numbers) == 2 else text[start:]
    mark = operator[:1]
    operand = operator.lstrip(mark) if mark in {"#", "%"} else ""
    if not operand or any(c in "*?[$`'\"\\" for c in operand):
        return None
    return text.removeprefix(operand) if mark == "#" else text.removesuffix(operand)


def _operand(part: Parameter, env: Env, args: Sequence[Value] | None, depth: int) -> list[Value]:
    if depth > 8:
        return [Unknown("defaults nested too deeply")]
    joined: list[Value] = []
    for index, pieces in enumerate(_fields(part.operand, env, args, depth + 1)):
        joined += ([" "] if index else []) + [_join(pieces)]
    return [_join(joined)]


def _lookup(name: str, env: Env, args: Sequence[Value] | None) -> Value | None:
    if name.isascii() and name.isdigit():
        if name == "0":
            return Unknown("$0 depends on how the script is called")
        if args is None:
            return Unknown(f"${name}: the arguments are not known")
        number = int(name[:6])
        return args[number - 1] if number <= len(args) else ""
    if name == "#":
        return Unknown("$#: the arguments are not known") if args is None else str(len(args))
    if name in {"?", "$", "!", "-"}:
        return Unknown(f"${name} is set when the shell runs")
    return env.get(name)


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "..."


# --- tracing -----------------------------------------------------------------------------------


@record
class _State:
    env: dict[str, str | Unknown | None]
    cwd: Value
    args: tuple[Value, ...] | None


@value
class _Scope:
    """A scope that was entered, with what held before; ``taken`` where that is decided."""

    number: int
    env: dict[str, str | Unknown | None]
    cwd: Value
    args: tuple[Value, ...] | None
    taken: bool | None


class _Tracer:
    """Walks the commands of one script."""

    def __init__(
        self,
        functions: Mapping[str, list[Command]],
        guards: Mapping[int, Guard],
        state: _State,
    ) -> None:
        self.functions = functions
        self.guards = guards
        self.state = state
        self.ended = False
        self.moments: Moments = {}

    def walk(
        self, commands: Sequence[Command], calls: tuple[str, ...], conditional: int
    ) -> Iterator[Step]:
        state = self.state
        entered: list[_Scope] = []
        base = len(commands[0].scopes) if commands and calls else 0
        for command in commands:
            scopes = command.scopes[base:] if calls else command.scopes
            self._enter(entered, scopes)
            if any(scope.taken is False for scope in entered):
                continue
            self.moments[command.at] = (state.env, state.args)
            argv = command.argv(state.env, state.args)
            own = _assigned(command, state)
            name = argv[0].text if argv else ""
            open_ways = command.conditional - sum(scope.taken is True for scope in entered)
            if command.words or command.assignments:
                env = {**state.env, **own} if own else state.env
                yield Step(
                    command=command,
                    argv=argv,
                    env=env,
                    cwd=state.cwd,
                    args=state.args,
                    conditional=conditional + open_ways,
                )
            lasting = {
                n: v for n, v in _defaults(command, state).items() if state.env.get(n) is None
            }
            if not command.words or command.name in _DECLARES or command.name in self.functions:
                lasting.update(own)
            if lasting:
                state.env = {**state.env, **lasting}
            if name in self.functions and name not in calls and len(calls) < 5:
                outer, state.args = state.args, tuple(arg.value for arg in argv[1:])
                moments, self.moments = self.moments, {}
                yield from self.walk(self.functions[name], (*calls, name), conditional + open_ways)
                state.args, self.moments = outer, moments
            else:
                _builtin(name, argv, state)
            if self.ended or (not conditional + open_ways and _ends(command)):
                self.ended = True
                return
        while entered:
            _leave(entered.pop(), state)

    def _enter(self, entered: list[_Scope], scopes: Sequence[int]) -> None:
        """Leave the scopes that are over, and enter the new ones."""
        state = self.state
        common = 0
        while (
            common < len(entered)
            and common < len(scopes)
            and entered[common].number == scopes[common]
        ):
            common += 1
        while len(entered) > common:
            _leave(entered.pop(), state)
        for number in scopes[common:]:
            guard = self.guards.get(number)
            known = taken(guard, state.env, state.args, self.moments) if guard is not None else None
            entered.append(
                _Scope(number=number, env=state.env, cwd=state.cwd, args=state.args, taken=known)
            )


def _ends(command: Command) -> bool:
    """Nothing after it runs, whatever happens before."""
    if command.subshell or command.substitution or command.background or command.loop:
        return False
    if command.pipeline != (0, 1) or command.connector in {"&&", "||"}:
        return False
    return command.is_exec or command.name == "exit"


_DECLARES = frozenset({"export", "declare", "typeset", "local", "readonly"})


def _leave(entry: _Scope, state: _State) -> None:
    """Go back to what held before a scope, merging what a branch may have changed."""
    env, cwd, args = entry.env, entry.cwd, entry.args
    if entry.number < 0:
        state.env, state.cwd, state.args = env, cwd, args
        return
    if entry.taken:
        return
    if state.env is not env:
        merged = dict(env)
        for name, value in state.env.items():
            if env.get(name) != value:
                merged[name] = Unknown(f"${name} is set in a branch")
        for name in env.keys() - state.env.keys():
            merged[name] = Unknown(f"${name} is unset in a branch")
        state.env = merged
    if state.cwd != cwd:
        state.cwd = Unknown("the directory is changed in a branch")
    if state.args != args:
        state.args = None


def _assigned(command: Command, state: _State) -> dict[str, str | Unknown | None]:
    found: dict[str, str | Unknown | None] = {}
    for item in command.assignments:
        if item.value is None:
            continue
        value = _as_assigned(item.value, {**state.env, **found}, state.args)
        if item.append:
            before = found.get(item.name, state.env.get(item.name))
            value = _join(["" if before is None else before, value])
        found[item.name] = value
    return found


def _as_assigned(word: Word, env: Env, args: Sequence[Value] | None) -> Value:
    # The right side of an assignment is not split, and an unset variable there is empty only
    # if nobody sets it, so it stays Unknown.
    values = _fields([_quote(part) for part in word.parts], env, args)
    joined: list[Value] = []
    for index, pieces in enumerate(values):
        joined += ([" "] if index else []) + pieces
    return _join(joined)


def _quote(part: Part) -> Part:
    return replace(part, quoted=True) if isinstance(part, Parameter) else part


def _defaults(command: Command, state: _State) -> dict[str, str | Unknown | None]:
    """What ``${X:=value}`` in the words of a command assigns."""
    found: dict[str, str | Unknown | None] = {}
    for word in command.words:
        for part in word.parts:
            if isinstance(part, Parameter) and part.operator in {":=", "="}:
                values, _ = _parameter(part, state.env, state.args, 0)
                found[part.name] = _join(values)
    return found


def _builtin(name: str, argv: Sequence[Arg], state: _State) -> None:
    """The built-ins that change variables, arguments or the directory."""
    if name in {"cd", "pushd", "popd"}:
        targets = [arg for arg in argv[1:] if arg.text not in {"-P", "-L", "-e", "--"}]
        if name == "popd":
            state.cwd = Unknown("popd goes back to a directory that is not tracked")
        elif not targets:
            home = state.env.get("HOME")
            state.cwd = home if isinstance(home, str) and home else Unknown("cd to $HOME")
        elif targets[0].value == "-":
            state.cwd = Unknown("cd - goes back to a directory that is not tracked")
        else:
            state.cwd = join_path(state.cwd, targets[0].value)
    elif name == "set" and len(argv) > 1 and any(arg.value == "--" for arg in argv):
        start = next(i for i, arg in enumerate(argv) if arg.value == "--")
        state.args = tuple(arg.value for arg in argv[start + 1 :])
    elif name == "shift" and state.args is not None:
        amount = argv[1].text if len(argv) > 1 else "1"
        count = int(amount) if amount.isascii() and amount.isdigit() and len(amount) < 6 else 0
        state.args = state.args[count:] if count else None
    elif name == "unset":
        gone = {arg.text for arg in argv[1:]}
        state.env = {key: value for key, value in state.env.items() if key not in gone}
    elif name in {"read", "mapfile", "getopts"}:
        state.env = {
            **state.env,
            **{
                arg.text: Unknown(f"${arg.text} is read when the shell runs")
                for arg in argv[1:]
                if arg.text.isidentifier()
            },
        }


# --- words -------------------------------------------------------------------------------------

_NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_NAME = _NAME_START | frozenset("0123456789")
_SPECIAL = frozenset("@*#?$!-")
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b"}
_ANSI |= {"f": "\f", "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?"}


class _WordLexer:
    """Takes one word apart. ``chunks`` keep (text, start, end) to rebuild a nested script."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.parts: list[Part] = []
        self.chunks: list[tuple[str, int, int]] = []
        self.globs = False
        self._depth = depth

    def lex(self, start: int, end: int) -> None:
        """The characters ``start:end`` as one word."""
        text, i = self.text, start
        if text.startswith("~", i) and (i + 1 == end or text[i + 1] == "/"):
            self.parts.append(Parameter(name="HOME", quoted=True))
            self.chunks.append(("~", i, i + 1))
            i += 1
        while i < end:
            char = text[i]
            if char == "\\":
                if i + 1 < end and text[i + 1] != "\n":
                    self._literal(i + 1, i + 2, quoted=True)
                i += 2
            elif char == "'":
                close = text.find("'", i + 1, end)
                close = end if close < 0 else close
                self._literal(i + 1, close, quoted=True)
                i = close + 1
            elif char == '"':
                i = self._double(i + 1, end)
            elif char == "$" and text.startswith("$'", i):
                i = self._ansi(i + 2, end)
            elif char == "$" and text.startswith('$"', i):
                i = self._double(i + 2, end)
            elif char in "$`":
                i = self._dollar(i, end, quoted=False)
            elif char in "<>" and text.startswith("(", i + 1):
                close = _skip_parens(text, i + 2, end)
                self._computed(i, close, "process", quoted=False)
                i = close
            else:
                stop = i + 1
                while stop < end and text[stop] not in "\\'\"$`<>":
                    stop += 1
                if any(c in "*?[{" for c in text[i:stop]):
                    self.globs = True
                self._literal(i, stop, quoted=False)
                i = stop

    def _literal(self, start: int, end: int, *, quoted: bool) -> None:
        self._text(self.text[start:end], start, end, quoted=quoted)

    def _text(self, value: str, start: int, end: int, *, quoted: bool) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, Text) and last.quoted == quoted:
            self.parts[-1] = Text(text=last.text + value, quoted=quoted)
        else:
            self.parts.append(Text(text=value, quoted=quoted))
        self.chunks.append((value, start, end))

    def _computed(
        self,
        start: int,
        end: int,
        kind: Literal["command", "arithmetic", "process", "array", "other"],
        *,
        quoted: bool,
    ) -> None:
        raw = self.text[start:end]
        self.parts.append(Computed(raw=raw, kind=kind, quoted=quoted))
        self.chunks.append((raw, start, end))

    def _double(self, i: int, end: int) -> int:
        text = self.text
        self._text("", i, i, quoted=True)
        while i < end:
            char = text[i]
            if char == '"':
                return i + 1
            if char == "\\" and i + 1 < end:
                if text[i + 1] in '$`"\\':
                    self._literal(i + 1, i + 2, quoted=True)
                elif text[i + 1] != "\n":
                    self._literal(i, i + 2, quoted=True)
                i += 2
            elif char in "$`":
                i = self._dollar(i, end, quoted=True)
            else:
                stop = i + 1
                while stop < end and text[stop] not in '"\\$`':
                    stop += 1
                self._literal(i, stop, quoted=True)
                i = stop
        return end

    def _ansi(self, i: int, end: int) -> int:
        text = self.text
        self._text("", i, i, quoted=True)
        while i < end and text[i] != "'":
            if text[i] != "\\" or i + 1 >= end:
                stop = i + 1
                while stop < end and text[stop] not in "'\\":
                    stop += 1
                self._literal(i, stop, quoted=True)
                i = stop
                continue
            code = text[i + 1]
            if code in _ANSI:
                self._text(_ANSI[code], i, i + 2, quoted=True)
                i += 2
            else:
                stop = i + 2
                while stop < min(end, i + 6) and text[stop] in "0123456789abcdefABCDEF":
                    stop += 1
                self._computed(i, stop, "other", quoted=True)
                i = stop
        return i + 1

    def _dollar(self, i: int, end: int, *, quoted: bool) -> int:
        text = self.text
        if text[i] == "`":
            close = i + 1
            while close < end and text[close] != "`":
                close += 2 if text[close] == "\\" else 1
            close = min(close + 1, end)
            self._computed(i, close, "command", quoted=quoted)
            return close
        if text.startswith("$((", i):
            close = _skip_parens(text, i + 2, end)
            self._computed(i, close, "arithmetic", quoted=quoted)
            return close
        if text.startswith("$(", i):
            close = _skip_parens(text, i + 2, end)
            self._computed(i, close, "command", quoted=quoted)
            return close
        if text.startswith("${", i):
            return self._braces(i, end, quoted=quoted)
        nxt = text[i + 1] if i + 1 < end else ""
        if nxt in _NAME_START:
            stop = i + 2
            while stop < end and text[stop] in _NAME:
                stop += 1
        elif nxt and (nxt in _SPECIAL or nxt in "0123456789"):
            stop = i + 2
        else:
            self._literal(i, i + 1, quoted=quoted)
            return i + 1
        self.parts.append(Parameter(name=text[i + 1 : stop], quoted=quoted))
        self.chunks.append((text[i:stop], i, stop))
        return stop

    def _braces(self, i: int, end: int, *, quoted: bool) -> int:
        text = self.text
        close = _skip_braces(text, i + 2, end)
        inner = close - 1 if text[close - 1 : close] == "}" and close - 1 > i + 1 else close
        start = i + 2
        length = text[start : start + 1] == "#" and start + 1 < inner
        if length:
            start += 1
        stop = start
        if stop < inner and text[stop] in _NAME_START:
            while stop < inner and text[stop] in _NAME:
                stop += 1
        elif stop < inner and text[stop] in "0123456789":
            while stop < inner and text[stop] in "0123456789":
                stop += 1
        elif stop < inner and text[stop] in _SPECIAL:
            stop += 1
        name, rest = text[start:stop], text[stop:inner]
        operator: str
        operand: tuple[Part, ...] = ()
        if length and not rest:
            operator = "#"
        elif length or not name:
            self._computed(i, close, "other", quoted=quoted)
            return close
        elif not rest:
            operator = ""
        elif rest.startswith((":-", ":=", ":+", ":?")) or rest[0] in "-=+?":
            operator = rest[:2] if rest[0] == ":" else rest[0]
            if self._depth > 8:
                operand = (Computed(raw=rest, kind="other"),)
            else:
                lexer = _WordLexer(text, self._depth + 1)
                lexer._operand(stop + len(operator), inner, quoted=quoted)
                operand = tuple(lexer.parts)
        else:
            operator = rest
        self.parts.append(Parameter(name=name, operator=operator, operand=operand, quoted=quoted))
        self.chunks.append((text[i:close], i, close))
        return close

    def _operand(self, start: int, end: int, *, quoted: bool) -> None:
        # Inside double quotes a single quote is an ordinary character.
        if not quoted:
            self.lex(start, end)
            return
        i = start
        while i < end:
            i = self._double(i, end)


def _skip_parens(text: str, i: int, end: int) -> int:
    """Past the ``)`` that closes what was opened just before ``i``."""
    depth = 1
    while i < end:
        char = text[i]
        if char == "\\":
            i += 1
        elif char == "'":
            i = text.find("'", i + 1, end)
            if i < 0:
                return end
        elif char == '"':
            i = _skip_double(text, i + 1, end)
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return i + 1
        i += 1
    return end


def _skip_double(text: str, i: int, end: int) -> int:
    """Past the closing double quote; ``$( )`` inside may hold quotes of its own."""
    opened = 0
    while i < end:
        char = text[i]
        if char == "\\":
            i += 1
        elif text.startswith("$(", i):
            opened += 1
            i += 1
        elif char == ")" and opened:
            opened -= 1
        elif char == '"' and not opened:
            return i + 1
        i += 1
    return end


def _skip_braces(text: str, i: int, end: int) -> int:
    """Past the ``}`` that closes a ``${`` opened just before ``i``."""
    depth, double = 1, False
    while i < end:
        char = text[i]
        if char == "\\":
            i += 1
        elif char == "'" and not double:
            close = text.find("'", i + 1, end)
            if close > 0:
                i = close
        elif char == '"':
            double = not double
        elif text.startswith("${", i):
            depth += 1
            i += 1
        elif text.startswith("$(", i):
            i = _skip_parens(text, i + 2, end)
            continue
        elif char == "}":
            depth -= 1
            if not depth:
                return i + 1
        i += 1
    return end


def _program_of_shell(words: Sequence[str | None]) -> int | None:
    """The index of the word that ``sh -c`` (or ``su -c``, ``eval``) runs as a program."""
    for index, word in enumerate(words):
        if word is None:
            continue
        name = word.rsplit("/", 1)[-1]
        if index == 0 and name == "eval" and len(words) == 2:
            return 1
        if name in {"su", "runuser"} and index < 3:
            for at in range(index + 1, len(words) - 1):
                if words[at] in {"-c", "--command", "-lc"}:
                    return at + 1
        if name not in _SHELLS:
            continue
        at, found = index + 1, False
        while at < len(words):
            option = words[at]
            if option is None or len(option) < 2 or option[0] not in "-+":
                break
            if not option.startswith("--"):
                found = found or "c" in option[1:]
                if option[-1] in "oO":
                    at += 1
            elif option in {"--rcfile", "--init-file"}:
                at += 1
            at += 1
        if found and at < len(words):
            return at
    return None


def _shebang(source: SourceText) -> Interpreter | None:
    line = source.line_at(1)
    if not line.startswith("#!"):
        return None
    words = line[2:].split()
    if not words:
        return None
    via_env = words[0].rsplit("/", 1)[-1] == "env"
    if via_env:
        words = words[1:]
        while words and (words[0].startswith("-") or "=" in words[0]):
            words = words[1:]
        if not words:
            return None
    return Interpreter(
        line=line, path=words[0], args=tuple(words[1:]), via_env=via_env, at=source.at(1)
    )


# --- structure ---------------------------------------------------------------------------------


@value
class _Context:
    connector: str = ""
    background: bool = False
    pipeline: tuple[int, int] = (0, 1)
    conditional: int = 0
    loop: bool = False
    function: str | None = None
    subshell: int = 0
    substitution: bool = False
    negated: bool = False
    redirects: tuple[Redirect, ...] = ()
    # Those of the last command of the list or pipeline alone, and its words that follow them.
    trailing: tuple[Redirect, ...] = ()
    words: tuple[Node, ...] = ()
    tested: str = ""
    scopes: tuple[int, ...] = ()
    depth: int = 0


def _settled(context: _Context) -> _Context:
    """The context of a command that the trailing redirections are for."""
    if not context.trailing:
        return context
    whole = (*context.redirects, *context.trailing)
    return replace(context, redirects=whole, trailing=())


_TESTS = frozenset({"[", "[[", "test"})
_NO_WORDS = frozenset(
    {"variable_assignment", "file_redirect", "herestring_redirect", "heredoc_redirect", "comment"}
)


class _Parser:
    def __init__(
        self, fragment: Fragment, *, errexit: bool, nesting: int, nounset: bool = False
    ) -> None:
        self.fragment = fragment
        self.text = fragment.text[:_LIMIT]
        self.errexit = errexit
        self.nounset = nounset
        self.nesting = nesting
        self.commands: list[Command] = []
        self.problems: list[Problem] = []
        self.functions: dict[str, Node] = {}
        self.guards: list[tuple[int, Guard]] = []
        self._by_span: dict[tuple[int, int], Command] = {}
        self._deadline = 0.0
        self._ticks = 0
        self._scope = 0
        self._offsets: list[int] | None = None

    def _is_late(self) -> bool:
        """Whether the text has taken its time; the clock is a system call, so it is asked rarely."""
        self._ticks += 1
        if self._ticks % 32:
            return False
        now = process_time()
        if not self._deadline:
            self._deadline = now + 2 * _SECONDS
        return now > self._deadline

    def script(self) -> Script:
        text = self.text
        if len(self.fragment.text) > _LIMIT:
            self._problem(_LIMIT - 1, _LIMIT, f"is longer than {_LIMIT} characters", fatal=True)
        if text.isascii():
            data = text.encode("ascii")
        else:
            data = text.encode("utf-8", "replace")
            self._offsets = [0, *accumulate(len(c.encode("utf-8", "replace")) for c in text)]
        try:
            root = _tree(data).root_node
        except ValueError:
            self._problem(0, len(text), "takes too long to be read", fatal=True)
            return Script(path=self.fragment.path, problems=tuple(self.problems))
        started = self.errexit
        self._sequence(root.children, _Context())
        if root.has_error and not self.problems:
            self._problem(*self._first_error(root), "is not valid shell syntax")
        finals, _ = self._finals(root.children, 0, ())
        return Script(
            path=self.fragment.path,
            commands=tuple(self.commands),
            finals=tuple(finals),
            errexit=self.errexit or started,
            problems=tuple(self.problems),
            guards=tuple(self.guards),
        )

    # Offsets of tree-sitter are bytes; ours are characters.
    def _span(self, node: Node) -> tuple[int, int]:
        if self._offsets is None:
            return node.start_byte, node.end_byte
        return (
            bisect_left(self._offsets, node.start_byte),
            bisect_left(self._offsets, node.end_byte),
        )

    def _problem(self, start: int, end: int, message: str, *, fatal: bool = False) -> None:
        if len(self.problems) < 50:
            at = self.fragment.location(start, end)
            self.problems.append(Problem(at=at, message=message, fatal=fatal))

    def _new_scope(self, *, subshell: bool = False, guard: Guard | None = None) -> int:
        self._scope += 1
        if guard is not None:
            self.guards.append((self._scope, guard))
        return -self._scope if subshell else self._scope

    def _first_error(self, root: Node) -> tuple[int, int]:
        node = root
        while True:
            bad = next((c for c in node.children if c.has_error or c.is_missing), None)
            if bad is None or node.type == "ERROR":
                return self._span(node)
            node = bad

    # -- statements

    def _sequence(self, nodes: Sequence[Node], context: _Context) -> None:
        """Statements one after the other; ``&`` after one puts it in the background."""
        first = True
        for index, node in enumerate(nodes):
            if not node.is_named:
                if node.is_missing:
                    self._problem(*self._span(node), f"the shell expects {node.type!r} here")
                continue
            if node.type == "comment":
                continue
            following = nodes[index + 1] if index + 1 < len(nodes) else None
            inner = context if first else replace(context, connector=";")
            if following is not None and following.type == "&":
                inner = replace(
                    inner,
                    background=True,
                    scopes=(*inner.scopes, self._new_scope(subshell=True)),
                )
            self._statement(node, inner)
            first = False

    def _branch(self, nodes: Sequence[Node], context: _Context, guard: Guard | None = None) -> None:
        self._sequence(
            nodes,
            replace(
                context,
                conditional=context.conditional + 1,
                connector="",
                scopes=(*context.scopes, self._new_scope(guard=guard)),
            ),
        )

    def _statement(self, node: Node, context: _Context) -> None:
        kind = node.type
        if context.depth > _DEPTH:
            self._problem(*self._span(node), "is nested too deeply to be read", fatal=True)
            return
        if self._is_late():
            if not any(problem.fatal for problem in self.problems):
                self._problem(*self._span(node), "takes too long to be read", fatal=True)
            return
        if len(self.commands) >= _COMMANDS:
            if len(self.commands) == _COMMANDS and not any(p.fatal for p in self.problems):
                self._problem(*self._span(node), f"has more than {_COMMANDS} commands", fatal=True)
            return
        if node.is_missing:
            self._problem(*self._span(node), f"the shell expects {node.type!r} here")
            return
        context = replace(context, depth=context.depth + 1)
        if kind not in {"list", "pipeline", "redirected_statement"}:
            context = _settled(context)
            if context.words and kind != "command":
                context = replace(context, words=())  # `{ a; } > file word` is no shell
        if kind in {"command", "declaration_command", "unset_command", "test_command"} or kind in {
            "variable_assignment",
            "variable_assignments",
        }:
            self._command(node, context)
        elif kind == "list":
            self._list(node, context)
        elif kind == "pipeline":
            self._pipeline([c for c in node.named_children if c.type != "comment"], context)
        elif kind == "negated_command":
            for child in node.named_children:
                self._statement(child, replace(context, negated=not context.negated))
        elif kind == "redirected_statement":
            self._redirected(node, context)
        elif kind == "subshell":
            self._sequence(
                node.children,
                replace(
                    context,
                    subshell=context.subshell + 1,
                    scopes=(*context.scopes, self._new_scope(subshell=True)),
                ),
            )
        elif kind in {"compound_statement", "program"}:
            self._sequence(node.children, context)
        elif kind == "if_statement":
            self._if(node, context)
        elif kind in {"while_statement", "for_statement", "c_style_for_statement"}:
            self._loop(node, context)
        elif kind == "case_statement":
            self._case(node, context)
        elif kind == "function_definition":
            name = node.child_by_field_name("name")
            body = node.child_by_field_name("body")
            if name is not None and body is not None:
                label = self.text[slice(*self._span(name))]
                self.functions[label] = body
                self._statement(body, replace(context, function=label, connector="", redirects=()))
        elif kind == "ERROR":
            start, end = self._span(node)
            shown = _shorten(self.text[start:end])
            self._problem(start, end, f"is not valid shell syntax: {shown}")
            self._sequence(node.children, context)
        elif kind in {"word", "string", "raw_string", "concatenation", "number"} and (
            node.parent is not None and node.parent.type == "ERROR"
        ):
            pass

    def _case(self, node: Node, context: _Context) -> None:
        subject = node.child_by_field_name("value")
        word = self._word([subject]) if subject is not None else None
        before: list[Word] = []
        for item in node.named_children:
            if item.type != "case_item":
                self._substitutions(item, context)
                continue
            patterns = _item_patterns(item)
            words = [self._word([pattern]) for pattern in patterns]
            guard = None
            # `;&` and `;;&` go on with the next item.
            if word is not None and not _falls_through(node):
                guard = Guard(subject=word, patterns=tuple(words), before=tuple(before))
            self._branch(_item_body(item), context, guard)
            before += words

    def _list(self, node: Node, context: _Context) -> None:
        tested = False
        conditions: list[Condition] = []
        plain = 0
        parts = _flatten(node)
        for index, (operator, child) in enumerate(parts):
            inner = context if index == len(parts) - 1 else replace(context, trailing=(), words=())
            if index:
                inner = replace(inner, connector=operator)
                if operator == "||" or tested:
                    guard = None
                    if conditions and operator == "&&":
                        guard = Guard(conditions=tuple(conditions))
                    elif len(conditions) == 1 and operator == "||":
                        negated = replace(conditions[0], wanted=False)
                        guard = Guard(conditions=(negated,), otherwise=plain > 0)
                    inner = replace(
                        inner,
                        conditional=context.conditional + 1,
                        scopes=(*context.scopes, self._new_scope(guard=guard)),
                    )
            tested = tested or child.type == "test_command" or self._is_test(child)
            self._statement(child, inner)
            if operator == "||":
                conditions = []  # either way may lead on
            elif child.type == "test_command" or self._is_test(child):
                conditions.append(Condition(command=self._simple([child]), wanted=True))
            else:
                plain += 1

    def _simple(self, nodes: Sequence[Node]) -> Command | None:
        """The one simple command that a condition is; None when it is more."""
        named = [n for n in nodes if n.is_named and n.type != "comment"]
        if len(named) != 1:
            return None
        node = named[0]
        while node.type == "negated_command" and len(node.named_children) == 1:
            node = node.named_children[0]
        return self._by_span.get((node.start_byte, node.end_byte))

    def _is_test(self, node: Node) -> bool:
        while node.type in {"negated_command", "redirected_statement"} and node.named_children:
            node = node.named_children[0]
        if node.type == "test_command":
            return True
        if node.type != "command":
            return False
        name = node.child_by_field_name("name")
        return name is not None and self.text[slice(*self._span(name))] in {
            *_TESTS,
            "command",
            "which",
            "grep",
        }

    def _pipeline(self, nodes: Sequence[Node], context: _Context) -> None:
        total = len(nodes)
        for index, child in enumerate(nodes):
            inner = replace(
                context,
                pipeline=(index, total),
                connector="|" if index else context.connector,
                negated=context.negated and not index,
                trailing=context.trailing if index == total - 1 else (),
                words=context.words if index == total - 1 else (),
            )
            if total > 1:
                inner = replace(inner, scopes=(*inner.scopes, self._new_scope(subshell=True)))
            self._statement(child, inner)

    def _redirected(self, node: Node, context: _Context) -> None:
        redirects: list[Redirect] = []
        extra: list[Node] = []  # words after a redirection's target or a here-document's delimiter
        piped: list[Node] = []
        rest: list[tuple[str, Node]] = []
        body: Node | None = None
        for child in node.named_children:
            if child.type == "file_redirect" or child.type == "herestring_redirect":
                redirects += self._redirect(child)
                extra += self._trailing(child)
            elif child.type == "heredoc_redirect":
                redirects.append(self._heredoc(child, redirects, extra, piped, rest))
            elif body is None and child.type != "comment":
                body = child
        # The grammar hangs a redirection over all of `a && b > file`; the shell gives it to `b`.
        inner = replace(
            context,
            trailing=(*context.trailing, *redirects),
            words=(*context.words, *extra),
        )
        if body is None:
            self._emit(node, [], (), _settled(inner))
        elif piped:
            # `cat <<EOF | sh`: the grammar hangs the rest of the line under the here-document.
            total = len(piped) + 1
            self._statement(body, replace(inner, pipeline=(0, total)))
            for index, child in enumerate(piped, 1):
                self._statement(child, replace(context, pipeline=(index, total), connector="|"))
        else:
            self._statement(body, inner)
        for operator, child in rest:
            self._statement(child, replace(context, connector=operator))

    def _heredoc(
        self,
        node: Node,
        redirects: list[Redirect],
        extra: list[Node],
        piped: list[Node],
        rest: list[tuple[str, Node]],
    ) -> Redirect:
        operator, delimiter, body = "<<", None, ""
        connector = ";"
        for child in node.children:
            kind = child.type
            if kind in {"<<", "<<-"}:
                operator = kind
            elif kind == "heredoc_start":
                delimiter = self._word([child])
            elif kind == "heredoc_body":
                body = self.text[slice(*self._span(child))]
            elif kind == "file_redirect":
                redirects += self._redirect(child)
            elif kind == "pipeline":
                piped += [c for c in child.named_children if c.type != "comment"]
            elif kind in {"&&", "||"}:
                connector = kind
            elif kind in {"heredoc_end", "comment", "file_descriptor"} or not child.is_named:
                continue
            elif kind in {"word", "string", "raw_string", "concatenation", "number"} or (
                kind.endswith(("expansion", "substitution"))
            ):
                extra.append(child)
            else:
                rest.append((connector, child))
        return Redirect(
            operator=operator,
            target=delimiter,
            at=self.fragment.location(*self._span(node)),
            body=body,
        )

    def _redirect(self, node: Node) -> list[Redirect]:
        fd: int | None = None
        operator = ""
        targets: list[Node] = []
        for child in node.children:
            if child.type == "file_descriptor":
                digits = self.text[slice(*self._span(child))]
                fd = (
                    int(digits)
                    if digits.isascii() and digits.isdigit() and len(digits) < 6
                    else None
                )
            elif not child.is_named and not operator:
                operator = child.type
            else:
                targets.append(child)
        at = self.fragment.location(*self._span(node))
        target = self._word(targets[:1]) if targets else None
        return [Redirect(operator=operator, target=target, at=at, fd=fd)]

    def _if(self, node: Node, context: _Context) -> None:
        own = [c for c in node.children if c.type not in {"elif_clause", "else_clause", "if", "fi"}]
        first = next((i for i, c in enumerate(own) if c.type == "then"), len(own))
        clauses = [(own[:first], own[first + 1 :])]
        for child in node.children:
            if child.type in {"elif_clause", "else_clause"}:
                parts = child.children
                split = next((i for i, c in enumerate(parts) if c.type == "then"), None)
                clauses.append(
                    ([], parts) if split is None else (parts[:split], parts[split + 1 :])
                )
        failed: list[Condition] = []
        for index, (condition, body) in enumerate(clauses):
            asked = replace(context, tested="if")
            if index and condition:
                self._branch(condition, asked, Guard(conditions=tuple(failed)))
            else:
                self._sequence(condition, asked)
            holds = list(failed)
            if condition:
                command = self._simple(condition)
                holds.append(Condition(command=command, wanted=True))
                failed.append(Condition(command=command, wanted=False))
            self._branch(body, context, Guard(conditions=tuple(holds)))

    def _loop(self, node: Node, context: _Context) -> None:
        condition = [
            c for c in node.children if c.is_named and c.type not in {"do_group", "variable_name"}
        ]
        body = next(
            (c for c in node.children if c.type in {"do_group", "compound_statement"}), None
        )
        if node.type == "while_statement":
            asked = [c for c in condition if body is None or c.id != body.id]
            # Of several commands, each alone decides nothing.
            plain = len(asked) == 1 and asked[0].type in {"command", "negated_command"}
            word = self.text[slice(*self._span(node.children[0]))] if plain else "if"
            self._sequence(asked, replace(context, tested=word))
        else:
            for child in condition:
                if body is None or child.id != body.id:
                    self._substitutions(child, context)
        variable = node.child_by_field_name("variable")
        if body is None:
            return
        inner = replace(
            context,
            conditional=context.conditional + 1,
            loop=True,
            connector="",
            scopes=(*context.scopes, self._new_scope()),
        )
        if variable is not None and node.type == "for_statement":
            start, end = self._span(variable)
            raw = self.text[start:end]
            at = self.fragment.location(start, end)
            value = Word(raw=raw, at=at, parts=(Computed(raw=f"for {raw} in …", kind="other"),))
            item = Assignment(name=raw, value=value, at=at)
            self.commands.append(
                Command(
                    words=(),
                    at=at,
                    assignments=(item,),
                    conditional=inner.conditional,
                    loop=True,
                    function=inner.function,
                    scopes=inner.scopes,
                    errexit=self.errexit,
                )
            )
        self._sequence(body.children, inner)

    def _substitutions(self, node: Node, context: _Context) -> None:
        """The commands inside ``$( )`` of a word; they run before the command that has it."""
        stack = [node]
        while stack:
            item = stack.pop()
            if item.type in {"command_substitution", "process_substitution"}:
                self._sequence(
                    item.children,
                    replace(
                        context,
                        substitution=True,
                        connector="",
                        background=False,
                        pipeline=(0, 1),
                        negated=False,
                        redirects=(),
                        depth=context.depth + 1,
                        scopes=(*context.scopes, self._new_scope(subshell=True)),
                    ),
                )
            elif item.child_count:
                stack.extend(reversed(item.children))

    # -- simple commands

    def _command(self, node: Node, context: _Context) -> None:
        extra, context = context.words, replace(context, words=())
        if node.type == "variable_assignment":
            children = [node]
        else:
            children = list(node.children)
        assignments: list[Assignment] = []
        redirects: list[Redirect] = []
        groups: list[list[Node]] = []
        declares = node.type == "declaration_command"
        export = declares and bool(children) and children[0].type == "export"
        if node.type == "test_command":
            words = self.split(*self._span(node))
            self._substitutions(node, context)
            self._emit(node, words, (), context)
            return
        for child in [*children, *extra]:
            kind = child.type
            if child.is_missing:
                self._problem(*self._span(child), f"the shell expects {kind!r} here")
            elif kind == "variable_assignment":
                assignments.append(self._assignment(child, export=export))
                self._substitutions(child, context)
                if declares:
                    groups.append([child])
            elif kind in {"file_redirect", "herestring_redirect"}:
                redirects += self._redirect(child)
                self._substitutions(child, context)
                # `cmd > file word`: the grammar counts further words to the redirection.
                groups += [[w] for w in self._trailing(child)]
            elif kind in _NO_WORDS or kind in {"\n", ";", "&"}:
                continue
            elif kind == "ERROR":
                start, end = self._span(child)
                raw = self.text[start:end]
                if raw and not any(c.isspace() or c in ";&|()<>" for c in raw):
                    # The grammar has no place for some ordinary words (`==`).
                    if groups and groups[-1][-1].end_byte == child.start_byte:
                        groups[-1].append(child)
                    else:
                        groups.append([child])
                    continue
                self._problem(start, end, f"is not valid shell: {_shorten(self.text[start:end])}")
            else:
                self._substitutions(child, context)
                if groups and groups[-1][-1].end_byte == child.start_byte:
                    groups[-1].append(child)
                else:
                    groups.append([child])
                if declares and kind == "variable_name":
                    start, end = self._span(child)
                    assignments.append(
                        Assignment(
                            name=self.text[start:end],
                            value=None,
                            at=self.fragment.location(start, end),
                            export=export,
                        )
                    )
        inner = replace(context, redirects=(*context.redirects, *redirects))
        if len(groups) > _FIELDS:
            del groups[_FIELDS:]
            self._problem(*self._span(node), f"has more than {_FIELDS} words", fatal=True)
        spans = [(self._span(g[0])[0], self._span(g[-1])[1]) for g in groups]
        self._emit(node, [self._lex(*span) for span in spans], tuple(assignments), inner, spans)

    def _trailing(self, node: Node) -> list[Node]:
        words = [c for c in node.children if c.is_named and c.type != "file_descriptor"]
        return words[1:]

    def _emit(
        self,
        node: Node,
        words: list[Word],
        assignments: tuple[Assignment, ...],
        context: _Context,
        spans: Sequence[tuple[int, int]] = (),
    ) -> None:
        if self.nesting < _NESTING and spans:
            index = _program_of_shell([word.literal for word in words])
            if index is not None:
                start, end = spans[index]
                words[index] = replace(words[index], script=self._nested(start, end))
        start, end = self._span(node)
        command = Command(
            words=tuple(words),
            at=self.fragment.location(start, end),
            assignments=assignments,
            redirects=context.redirects,
            connector=context.connector,
            background=context.background,
            pipeline=context.pipeline,
            conditional=context.conditional,
            loop=context.loop,
            function=context.function,
            subshell=context.subshell,
            substitution=context.substitution,
            negated=context.negated,
            errexit=self.errexit,
            nounset=self.nounset,
            tested=context.tested,
            scopes=context.scopes,
        )
        self.commands.append(command)
        self._by_span[(node.start_byte, node.end_byte)] = command
        if command.name == "set" and not context.subshell and not context.substitution:
            self._set(command)

    def _set(self, command: Command) -> None:
        words = [word.literal or "" for word in command.words[1:]]
        for index, word in enumerate(words):
            if word in {"--", "-"}:
                break
            if word[:1] in {"-", "+"} and not word.startswith("--"):
                long = words[index + 1] if "o" in word and index + 1 < len(words) else ""
                if "e" in word[1:] or long == "errexit":
                    self.errexit = word[0] == "-"
                if "u" in word[1:] or long == "nounset":
                    self.nounset = word[0] == "-"

    def _assignment(self, node: Node, *, export: bool) -> Assignment:
        start, end = self._span(node)
        raw = self.text[start:end]
        left, _, right = raw.partition("=")
        append = left.endswith("+")
        name = left.removesuffix("+").partition("[")[0]
        value_start = start + len(left) + 1
        if right.startswith("("):
            value = Word(
                raw=right,
                at=self.fragment.location(value_start, end),
                parts=(Computed(raw=right, kind="array"),),
            )
        else:
            value = self._lex(value_start, end)
        at = self.fragment.location(start, end)
        return Assignment(name=name, value=value, at=at, export=export, append=append)

    def _word(self, nodes: Sequence[Node]) -> Word:
        return self._lex(self._span(nodes[0])[0], self._span(nodes[-1])[1])

    def _lex(self, start: int, end: int) -> Word:
        # Some tokens of the grammar take the line end, or its continuation, with them.
        while end - 1 > start and self.text[end - 1] == "\n":
            end -= 2 if self.text[end - 2] == "\\" else 1
        lexer = _WordLexer(self.text)
        lexer.lex(start, end)
        return Word(
            raw=self.text[start:end],
            at=self.fragment.location(start, end),
            parts=tuple(lexer.parts),
            globs=lexer.globs,
        )

    def _nested(self, start: int, end: int) -> Script:
        lexer = _WordLexer(self.text)
        lexer.lex(start, end)
        pieces: list[tuple[str, int, int]] = []
        for text, at, until in lexer.chunks:
            if text == self.text[at:until]:
                pieces += self.fragment.pieces(at, until)
            else:
                pieces.append((text, *self.fragment.place(at)))
        fragment = Fragment(self.fragment.path, pieces)
        script = _Parser(fragment, errexit=False, nesting=self.nesting + 1).script()
        self.problems += script.problems[: 50 - len(self.problems)]
        return script

    def split(self, start: int, end: int) -> list[Word]:
        """Blank-separated words of a test, for which the grammar has expressions."""
        found: list[Word] = []
        i = start
        while i < end:
            if self.text[i].isspace():
                i += 1
                continue
            begin = i
            while i < end and not self.text[i].isspace():
                char = self.text[i]
                if char == "\\":
                    i += 2
                elif char == "'":
                    close = self.text.find("'", i + 1, end)
                    i = end if close < 0 else close + 1
                elif char == '"':
                    i = _skip_double(self.text, i + 1, end)
                elif self.text.startswith("$(", i):
                    i = _skip_parens(self.text, i + 2, end)
                elif self.text.startswith("${", i):
                    i = _skip_braces(self.text, i + 2, end)
                else:
                    i += 1
            i = min(i, end)
            found.append(self._lex(begin, i))
        return found

    # -- how it ends

    def _finals(
        self, nodes: Sequence[Node], depth: int, calls: tuple[str, ...]
    ) -> tuple[list[Final], bool]:
        """The ways a sequence of statements ends, and whether nothing runs after it."""
        ends: list[Final] = []
        last: list[Final] = []
        background: list[Command] = []
        for index, node in enumerate(nodes):
            if not node.is_named or node.type in {"comment", "function_definition"}:
                continue
            following = nodes[index + 1] if index + 1 < len(nodes) else None
            found, stops = self._final(node, depth + 1, calls)
            if following is not None and following.type == "&":
                background += [final.command for final in found]
                continue
            ends += [final for final in last if final.replaces_shell]
            last = [
                replace(final, background=tuple(background)) if background else final
                for final in found
            ]
            if stops:
                return ends + last, True
        if background and not last:
            detached = Final(command=background[-1], detached=True, background=tuple(background))
            return [*ends, detached], False
        return ends + last, False

    def _final(self, node: Node, depth: int, calls: tuple[str, ...]) -> tuple[list[Final], bool]:
        kind = node.type
        if depth > _DEPTH or self._is_late():
            return [], False
        if kind in {"command", "declaration_command", "unset_command", "test_command"}:
            return self._final_command(node, depth, calls)
        if kind in {"redirected_statement", "negated_command"}:
            inner = next((c for c in node.named_children if c.type in _STATEMENTS), None)
            return self._final(inner, depth + 1, calls) if inner is not None else ([], False)
        if kind == "list":
            return self._final_list(node, depth, calls)
        if kind == "pipeline":
            children = [c for c in node.named_children if c.type != "comment"]
            if not children:
                return [], False
            found, _ = self._final(children[-1], depth + 1, calls)
            # The parts of a pipeline run in subshells: exec replaces those only.
            single = len(children) == 1
            return [f if single else replace(f, replaces_shell=False) for f in found], False
        if kind in {"compound_statement", "program", "do_group"}:
            return self._finals(node.children, depth + 1, calls)
        if kind == "subshell":
            found, _ = self._finals(node.children, depth + 1, calls)
            return [replace(final, replaces_shell=False) for final in found], False
        if kind == "if_statement":
            return self._final_if(node, depth, calls)
        if kind == "case_statement":
            return self._final_case(node, depth, calls)
        if kind in {"while_statement", "for_statement", "c_style_for_statement"}:
            body = next((c for c in node.children if c.type == "do_group"), None)
            if body is None:
                return [], False
            found, _ = self._finals(body.children, depth + 1, calls)
            return [replace(final, conditional=True) for final in found], False
        return [], False

    def _final_command(
        self, node: Node, depth: int, calls: tuple[str, ...]
    ) -> tuple[list[Final], bool]:
        command = self._by_span.get((node.start_byte, node.end_byte))
        if command is None:
            return [], False
        name = command.name
        if name == "exit":
            return [], True
        if name in self.functions and name not in calls and len(calls) < 5:
            return self._final(self.functions[name], depth + 1, (*calls, name))
        parts = command.words[-1].parts if command.words else ()
        passes = len(parts) == 1 and isinstance(parts[0], Parameter) and parts[0].name in {"@", "*"}
        parts = tuple(p for p in parts if not (isinstance(p, Text) and not p.text))
        passes = passes or (
            len(parts) == 1 and isinstance(parts[0], Parameter) and parts[0].name in {"@", "*"}
        )
        final = Final(
            command=command,
            replaces_shell=command.is_exec,
            passes_arguments=passes,
            waits=name == "wait",
        )
        return [final], command.is_exec

    def _final_list(
        self, node: Node, depth: int, calls: tuple[str, ...]
    ) -> tuple[list[Final], bool]:
        last: list[Final] = []
        kept: list[Final] = []
        stops = False
        tested = False
        for operator, child in _flatten(node):
            found, ends = self._final(child, depth + 1, calls)
            if operator == "||":
                found = [replace(final, conditional=True) for final in found]
                trivial = all(f.command.name in _TRIVIAL for f in found)
                last = last if trivial and last else last + found
                stops = stops and ends
            else:
                if tested:
                    found = [replace(final, conditional=True) for final in found]
                    ends = False
                kept += [final for final in last if final.replaces_shell]
                last, stops = found, ends
            tested = tested or self._is_test(child)
        return kept + last, stops

    def _final_if(self, node: Node, depth: int, calls: tuple[str, ...]) -> tuple[list[Final], bool]:
        then: list[Node] = []
        seen_then = False
        found: list[Final] = []
        all_stop, has_else = True, False
        for child in node.children:
            if child.type == "then":
                seen_then = True
            elif child.type in {"elif_clause", "else_clause"}:
                parts = child.children
                split = next((i for i, c in enumerate(parts) if c.type == "then"), -1)
                has_else = has_else or child.type == "else_clause"
                more, stops = self._finals(parts[split + 1 :], depth + 1, calls)
                found += more
                all_stop = all_stop and stops
            elif seen_then:
                then.append(child)
        first, stops = self._finals(then, depth + 1, calls)
        found = first + found
        return (
            [replace(final, conditional=True) for final in found],
            stops and all_stop and has_else,
        )

    def _final_case(
        self, node: Node, depth: int, calls: tuple[str, ...]
    ) -> tuple[list[Final], bool]:
        found: list[Final] = []
        all_stop, has_default = True, False
        for item in node.named_children:
            if item.type != "case_item":
                continue
            more, stops = self._finals(_item_body(item), depth + 1, calls)
            found += more
            all_stop = all_stop and stops
            start, _ = self._span(item)
            has_default = has_default or self.text[start : start + 3].lstrip("(").startswith("*)")
        return [replace(final, conditional=True) for final in found], all_stop and has_default


_TRIVIAL = frozenset({"true", ":", "false", "echo", "exit", "printf", "return", None})
_STATEMENTS = frozenset(
    {
        "command",
        "declaration_command",
        "unset_command",
        "test_command",
        "list",
        "pipeline",
        "subshell",
        "compound_statement",
        "if_statement",
        "case_statement",
        "while_statement",
        "for_statement",
        "c_style_for_statement",
        "redirected_statement",
        "negated_command",
    }
)


def _flatten(node: Node) -> list[tuple[str, Node]]:
    """The (operator before, statement) pairs of a list, whose grammar is a left-deep tree."""
    found: list[tuple[str, Node]] = []
    current: Node | None = node
    while current is not None and current.type == "list":
        named = [c for c in current.children if c.is_named and c.type != "comment"]
        operator = next((c.type for c in current.children if c.type in {"&&", "||"}), "")
        if len(named) < 2 or not operator:
            current = named[0] if named else None
            continue
        found.append((operator, named[-1]))
        current = named[0]
    if current is not None:
        found.append(("", current))
    found.reverse()
    return found


def _item_patterns(item: Node) -> list[Node]:
    """The patterns of a case item: what stands before its ``)``."""
    patterns: list[Node] = []
    for child in item.children:
        if child.type == ")":
            break
        if child.is_named and child.type != "comment":
            patterns.append(child)
    return patterns


def _falls_through(node: Node) -> bool:
    """An item of this ``case`` goes on with the next one."""
    return any(
        child.type in {";&", ";;&"} for item in node.named_children for child in item.children
    )


def _item_body(item: Node) -> list[Node]:
    """The statements of a case item: what follows its ``)``."""
    children = item.children
    start = next((i for i, c in enumerate(children) if c.type == ")"), -1)
    return list(children[start + 1 :])


def _tree(data: bytes) -> Tree:
    """The syntax tree; ValueError when it takes too long."""
    from tree_sitter import Parser

    parser = Parser(_language())
    if len(data) < 2_000:
        return parser.parse(data)
    end = process_time() + _SECONDS
    return parser.parse(
        lambda offset, point: data[offset : offset + 65_536],
        progress_callback=lambda offset, has_error: process_time() > end,
    )


@lru_cache(maxsize=1)
def _language() -> Language:
    from tree_sitter import Language

    return Language(_grammar())


def _grammar() -> object:
    """The pointer to the compiled grammar.

    The package's own module would import ``importlib.resources``, and with it ``tempfile`` and
    ``shutil``, for query files that nobody here asks for; only its binding is loaded.
    """
    from importlib import util
    from importlib.machinery import PathFinder

    package = util.find_spec("tree_sitter_bash")
    places = package.submodule_search_locations if package is not None else None
    found = PathFinder.find_spec("tree_sitter_bash._binding", places) if places else None
    if found is not None and found.loader is not None:
        binding = util.module_from_spec(found)
        found.loader.exec_module(binding)
        return binding.language()
    import tree_sitter_bash

    return tree_sitter_bash.language()
