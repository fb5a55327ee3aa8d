"""A script walked command by command, with what holds before each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from posixpath import normpath

from auditor.parsers.branches import Guard, Moments, taken
from auditor.parsers.shell.expansion import (
    Computed,
    Env,
    Parameter,
    Part,
    Value,
    all_of,
    as_value,
    fields_of,
    shorten,
    values_of,
)
from auditor.parsers.shell.facts import Arg, Assignment, Command, Script, Step, Word
from auditor.source import Unknown
from auditor.values import record, replace, value


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
    variables = dict(() if env is None else env.items())
    variables["0"] = script.called or None
    state = _State(variables, cwd, None if args is None else tuple(args))
    yield from _Tracer(functions, dict(script.guards), state, dash=script.dash).walk(top, (), 0)


def join_path(cwd: Value, path: Value) -> Value:
    """``path`` as seen from ``cwd``, normalised; Unknown when either is and it matters."""
    if isinstance(path, Unknown):
        return path
    if path.startswith("/"):
        return normpath(path)
    if isinstance(cwd, Unknown):
        return cwd
    return normpath(f"{cwd}/{path}")


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
        *,
        dash: bool,
    ) -> None:
        self.functions = functions
        self.guards = guards
        self.dash = dash
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
            known = (
                taken(guard, state.env, state.args, self.moments, dash=self.dash)
                if guard is not None
                else None
            )
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
        if (array := item.array) is not None:
            found.update(_filled(item, array, {**state.env, **found}, state.args))
            continue
        value = _as_assigned(item.value, {**state.env, **found}, state.args)
        if item.append:
            before = found.get(item.name, state.env.get(item.name))
            value = as_value(["" if before is None else before, value])
        found[item.name] = value
        if all_of(item.name) in state.env:
            found[all_of(item.name)] = Unknown(f"an element of ${item.name} is set")
    return found


def _filled(
    item: Assignment, array: Computed, env: Env, args: Sequence[Value] | None
) -> dict[str, str | Unknown | None]:
    """``NAME=(a b)`` and ``NAME+=(c)``: the first element is what ``$NAME`` stands for."""
    whole = all_of(item.name)
    elements = [as_value(f) for parts in array.items for f in fields_of(parts, env, args)]
    before = env.get(whole, env.get(item.name)) if item.append else None
    unknown = next((e for e in (before, *elements) if isinstance(e, Unknown)), None)
    if unknown is not None or (array.raw.strip("() \t\n") and not array.items):
        text = unknown or Unknown(f"{shorten(array.raw)} is computed when the shell runs")
        return {whole: text, item.name: text}
    known = [*(before.split("\0") if isinstance(before, str) and before else ())]
    known += [e for e in elements if isinstance(e, str)]
    return {whole: "\0".join(known), item.name: known[0] if known else None}


def _as_assigned(word: Word, env: Env, args: Sequence[Value] | None) -> Value:
    # The right side of an assignment is not split, and an unset variable there is empty only
    # if nobody sets it, so it stays Unknown.
    values = fields_of([_quote(part) for part in word.parts], env, args)
    joined: list[Value] = []
    for index, pieces in enumerate(values):
        joined += ([" "] if index else []) + pieces
    return as_value(joined)


def _quote(part: Part) -> Part:
    return replace(part, quoted=True) if isinstance(part, Parameter) else part


def _defaults(command: Command, state: _State) -> dict[str, str | Unknown | None]:
    """What ``${X:=value}`` in the words of a command assigns."""
    found: dict[str, str | Unknown | None] = {}
    for word in command.words:
        for part in word.parts:
            if isinstance(part, Parameter) and part.operator in {":=", "="}:
                values, _ = values_of(part, state.env, state.args, 0)
                found[part.name] = as_value(values)
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
