"""Coroutines where none is expected, and what is none where one is: faults that the first request meets."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.parsers.python.facts import Failure, Phase
from auditor.parsers.python.values import Const, Func, V

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter
    from auditor.parsers.python.scopes import State
    from auditor.parsers.python.sites import Site

_OWN_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
# Calls of the language whose results nobody can await.
_PLAIN_CALLS = {
    "sum": "", "len": "int", "float": "float", "int": "int", "str": "str", "bool": "bool", "round": "",
    "sorted": "list", "list": "list", "dict": "dict", "tuple": "tuple",
}  # fmt: skip
_DISPLAYS = {
    ast.Dict: "dict", ast.DictComp: "dict", ast.List: "list", ast.ListComp: "list", ast.Set: "set",
    ast.Tuple: "tuple", ast.JoinedStr: "str",
}  # fmt: skip
# Modules that make an event loop take a second run.
_NESTING = frozenset({"nest_asyncio", "nest_asyncio2"})


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """What a function runs itself, without the functions inside it."""
    left = list(ast.iter_child_nodes(node))
    while left:
        part = left.pop()
        yield part
        if not isinstance(part, _OWN_SCOPE):
            left.extend(ast.iter_child_nodes(part))


def returns(node: ast.AST) -> list[ast.Return]:
    """The ``return`` statements of a function itself."""
    return [part for part in _own(node) if isinstance(part, ast.Return)]


def awaited(run: Interpreter, node: ast.Await) -> None:
    """``await score(row)`` of a function that is no coroutine and returns a plain value."""
    call = node.value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return
    func = run.lookup(call.func.id)
    if not isinstance(func, Func) or isinstance(func.node, ast.Lambda):
        return
    if func.is_async or func.yields or func.node.decorator_list:
        return
    names = _bound_once(func.node)
    kinds = [_plain(r.value, names) for r in returns(func.node)]
    if kinds and None not in kinds:
        kind = next((k for k in kinds if k), "") or "float"
        run.fails(
            node,
            f"TypeError: object {kind} can't be used in 'await' expression",
            f"`{func.qualname}` is no coroutine: it returns its value at once",
        )


def _bound_once(node: ast.AST) -> dict[str, ast.expr]:
    """Names of a function that one plain assignment binds, and nothing else."""
    bound: dict[str, list[ast.expr | None]] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Assign) and len(part.targets) == 1:
            target = part.targets[0]
            if isinstance(target, ast.Name):
                bound.setdefault(target.id, []).append(part.value)
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            bound.setdefault(part.id, []).append(None)
    # Its target counts a second time, as a name that is stored to.
    return {n: v for n, (v, *rest) in bound.items() if v is not None and rest == [None]}


def _plain(value: ast.expr | None, names: dict[str, ast.expr], depth: int = 0) -> str | None:
    """The type of an expression that nobody can await ("" for some); None for one that may be awaited."""
    while isinstance(value, ast.BinOp):
        value = value.left
    if value is None:
        return "NoneType"
    if isinstance(value, ast.Constant):
        return type(value.value).__name__
    for kind, name in _DISPLAYS.items():
        if isinstance(value, kind):
            return name
    if isinstance(value, ast.Compare):
        return ""
    if isinstance(value, ast.Name) and value.id in names and depth < 4:
        return _plain(names[value.id], names, depth + 1)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return _PLAIN_CALLS.get(value.func.id)
    return None


def nested(run: Interpreter, site: Site) -> None:
    """``asyncio.run`` on a thread whose loop runs: a coroutine asks for it, or what it calls."""
    if not run.in_async or run.phase != Phase.REQUEST or {"thread", "daemon"} & set(run.guards):
        return
    for state in run.states.values():
        facts = state.facts if state is not None else None
        if facts is not None and any(i.top in _NESTING for i in facts.imports):
            return
    run.fails(
        site.node,
        "RuntimeError: asyncio.run() cannot be called from a running event loop",
        "a coroutine runs on the loop already, which takes no second one: `await` it instead",
    )


def answered(run: Interpreter, handler: Func, framework: str) -> None:
    """A handler that answers with a coroutine nobody awaits."""
    if framework not in ("flask", "fastapi") or isinstance(handler.node, ast.Lambda):
        return
    given = returns(handler.node)
    if len(given) != 1 or given[0].value is None or given[0] not in _always(handler.node.body):
        return
    names = _bound_once(handler.node)
    value = given[0].value
    parts = value.values if isinstance(value, ast.Dict) else [value]
    for part in parts:
        call = names.get(part.id) if isinstance(part, ast.Name) else part
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        func = handler.state.frame.vars.get(call.func.id)
        if not isinstance(func, Func) or not func.is_async or func.yields:
            continue
        if isinstance(func.node, ast.Lambda) or func.node.decorator_list:
            continue
        if isinstance(part, ast.Name) and _may_be_awaited(handler.node, part.id):
            continue
        error = (
            "TypeError: Object of type coroutine is not JSON serializable"
            if framework == "flask"
            else "ValueError: [TypeError(\"'coroutine' object is not iterable\"), …]"
        )
        run.sink.add_failure(
            Failure(
                at=handler.state.places.at(call),
                reach=run.reach(),
                error=error,
                because=f"`{func.qualname}` is a coroutine, and the answer holds it unawaited",
            )
        )
        return


def _always(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that no condition stands before."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.With | ast.AsyncWith | ast.Try):
            yield from _always(statement.body)


def _may_be_awaited(node: ast.AST, name: str) -> bool:
    """The name is used for more than its assignment and the answer."""
    used = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name]
    return len(used) != 2


def none_so_far(run: Interpreter, node: ast.expr, value: V, what: str) -> None:
    """``model.predict(…)``, ``model["coef"]`` of a module's name that nothing but ``None`` is bound to.

    A hook that assigns it without ``global`` binds a name of its own.
    """
    if run.phase != Phase.REQUEST or not isinstance(node, ast.Name) or run.frame is None:
        return
    if not isinstance(value, Const) or value.value is not None:
        return
    state = run.frame.state
    if state.frame.vars.get(node.id) is not value or run.lookup(node.id) is not value:
        return
    local = _bound_locally(state, node.id)
    if not local or _set_elsewhere(run, node.id):
        return
    run.fails(
        node,
        what,
        f"`{node.id}` is None still: `{local}` assigns a name of its own, as it does not declare "
        f"`global {node.id}`",
    )


def _bound_locally(state: State, name: str) -> str:
    """The function that binds the name for itself; "" when the module's may be bound as well."""
    tree = state.facts.tree if state.facts is not None else None
    if tree is None:
        return ""
    found = ""
    for part in ast.walk(tree):
        if isinstance(part, ast.Global) and name in part.names:
            return ""
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and name in _bound_once(part):
            found = part.name
        if _calls(part, "globals", "setattr", "exec", "vars"):
            return ""
    if not all(_none_or_local(s, name) for s in tree.body):
        return ""
    return found


def _none_or_local(statement: ast.stmt, name: str) -> bool:
    """A statement of the module that does not bind the name, unless to None."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        value = statement.value
        if isinstance(value, ast.Constant) and value.value is None:
            return True
    if isinstance(statement, _OWN_SCOPE):
        return statement.name != name
    return not any(
        (isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load))
        or (isinstance(n, ast.alias) and (n.asname or n.name) in (name, "*"))
        for n in ast.walk(statement)
    )


def _set_elsewhere(run: Interpreter, name: str) -> bool:
    """Some module sets an attribute of that name: of this module, perhaps."""
    for state in run.states.values():
        tree = state.facts.tree if state is not None and state.facts is not None else None
        for part in ast.walk(tree) if tree is not None else ():
            if isinstance(part, ast.Attribute) and part.attr == name:
                if not isinstance(part.ctx, ast.Load):
                    return True
            elif _calls(part, "setattr"):
                return True
    return False


def _calls(node: ast.AST, *names: str) -> bool:
    """A call of one of these builtins."""
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name) and called.id in names
