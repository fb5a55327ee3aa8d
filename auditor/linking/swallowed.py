"""Loads that fail unnoticed: the error is caught, and the requests find nothing where the model is to be.

The idiom is ``try: model = load(…)`` with a handler that only says so and leaves ``None`` behind (or
no name at all), in a module, in a start-up hook or in a function whose result a module keeps. A
handler of requests that then uses the name without a test, or answers with an error where the test
finds nothing, fails in every request. One that answers otherwise is not judged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.parsers.python.facts import ModuleFacts, Route

_CATCHES = frozenset(
    {"Exception", "BaseException", "OSError", "IOError", "FileNotFoundError", "EnvironmentError"}
)
_SAYS = re.compile(
    r"(?:print|pprint|log|warn|warning|error|exception|info|debug|critical|fatal|write|echo|secho"
    r"|print_exc|capture_exception)$"
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def trips(facts: ModuleFacts, line: int, route: Route) -> Location | None:
    """Where the route's handler trips over what a load at ``line`` of its module left empty."""
    tree = facts.tree
    if tree is None or route.handler_at.path != facts.path:
        return None
    caught = _caught(tree, line)
    handler = _function(tree, route.handler_at.line)
    if caught is None or handler is None:
        return None
    for name in _left_empty(tree, caught, line):
        used = _used(handler, name)
        if used is not None:
            return Location(path=facts.path, line=used.lineno, column=used.col_offset + 1)
    return None


def dies(facts: ModuleFacts, line: int, route: Route) -> Location | None:
    """Where the route's handler trips over what a thread that ends at ``line`` leaves unset."""
    tree = facts.tree
    if tree is None or route.handler_at.path != facts.path:
        return None
    around = _function(tree, line)
    handler = _function(tree, route.handler_at.line)
    if around is None or handler is None or around is handler:
        return None
    shared = {n for s in ast.walk(around) if isinstance(s, ast.Global) for n in s.names}
    after = [
        n for n in ast.walk(around) if isinstance(n, ast.Assign) and (n.end_lineno or 0) >= line
    ]
    used: ast.expr | None = None
    for node in after:
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id in shared:
                rest = [v for other, v in _given(tree, target.id) if other not in after]
                used = used or (_used(handler, target.id) if all(map(_is_none, rest)) else None)
            elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                used = used or _missed(tree, target, after, handler)
    if used is None:
        return None
    return Location(path=facts.path, line=used.lineno, column=used.col_offset + 1)


def _missed(
    tree: ast.Module, target: ast.Subscript, after: list[ast.Assign], handler: _Function
) -> ast.expr | None:
    """Where a handler asks an empty mapping of the module for the key that the thread was to set."""
    key, name = target.slice, target.value
    if not isinstance(key, ast.Constant) or not isinstance(name, ast.Name):
        return None
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name.id]
    made = [v for _, v in _given(tree, name.id)]
    filled = {id(n) for one in after for n in ast.walk(one)}
    if len(made) != 1 or not _is_empty(made[0]):
        return None
    inside = {id(n) for n in ast.walk(handler)}
    if any(id(n) not in filled | inside and isinstance(n.ctx, ast.Load) for n in uses):
        return None  # something else may fill it
    for statement in handler.body:
        if isinstance(statement, ast.If):
            test = statement.test
            asked = (
                isinstance(test, ast.Compare)
                and len(test.ops) == 1
                and isinstance(test.ops[0], ast.NotIn)
                and ast.dump(test.left) == ast.dump(key)
                and _is_name(test.comparators[0], name.id)
            )
            if asked and _refuses(statement.body):
                return test
        if _mentions(statement, name.id):
            return _subscripted(statement, name.id, key)
    return None


def _subscripted(statement: ast.stmt, name: str, key: ast.Constant) -> ast.expr | None:
    """``STORE["model"]`` in a statement that is no condition, loop or ``try``."""
    if isinstance(statement, ast.If | ast.For | ast.While | ast.Try | ast.With | ast.Match):
        return None
    nodes = list(ast.walk(statement))
    if any(isinstance(n, ast.IfExp | ast.BoolOp | ast.Lambda) for n in nodes):
        return None
    return next(
        (
            n
            for n in nodes
            if isinstance(n, ast.Subscript)
            and isinstance(n.ctx, ast.Load)
            and _is_name(n.value, name)
            and ast.dump(n.slice) == ast.dump(key)
        ),
        None,
    )


def _is_empty(node: ast.expr) -> bool:
    plain = isinstance(node, ast.Dict) and not node.keys
    return plain or (isinstance(node, ast.Call) and ast.unparse(node) == "dict()")


def _caught(tree: ast.Module, line: int) -> ast.Try | None:
    """The innermost ``try`` whose body holds the line, where it only passes over a missing file."""
    found = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and _spans(node.body, line):
            found = node
    if found is None or found.orelse or found.finalbody or not found.handlers:
        return None
    taken = next((h for h in found.handlers if _takes(h)), None)
    return found if taken is not None and all(map(_quiet, taken.body)) else None


def _spans(body: list[ast.stmt], line: int) -> bool:
    return body[0].lineno <= line <= (body[-1].end_lineno or body[-1].lineno)


def _takes(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in _CATCHES) for kind in kinds
    )


def _quiet(statement: ast.stmt) -> bool:
    """It reports the error, or sets a name to None."""
    if isinstance(statement, ast.Pass | ast.Global):
        return True
    if isinstance(statement, ast.Return):
        return statement.value is None or _is_none(statement.value)
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return statement.value is not None and _is_none(statement.value)
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return _SAYS.match(ast.unparse(statement.value.func).rpartition(".")[2]) is not None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _function(tree: ast.AST, line: int) -> _Function | None:
    """The innermost function that holds the line, decorators included."""
    found: _Function | None = None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first <= line <= (node.end_lineno or node.lineno):
                found = node
    return found


def _left_empty(tree: ast.Module, caught: ast.Try, line: int) -> Iterator[str]:
    """Global names that have no value, or None, when the load has failed."""
    inside = {
        name.id
        for statement in caught.body
        if (statement.end_lineno or statement.lineno) >= line
        for node in ast.walk(statement)
        for name in _targets(node)
    }
    returned = any(
        isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value)
        for statement in caught.body
        for node in ast.walk(statement)
    )
    around = _function(tree, caught.lineno)
    if around is not None:
        shared = {n for s in ast.walk(around) if isinstance(s, ast.Global) for n in s.names}
        if not inside & shared:
            yield from _kept(tree, around, caught, inside, returned=returned)
            return
        inside &= shared
    for name in sorted(inside):
        if all(node in _within(caught) or _is_none(value) for node, value in _given(tree, name)):
            yield name


def _kept(
    tree: ast.Module, around: _Function, caught: ast.Try, inside: set[str], *, returned: bool
) -> Iterator[str]:
    """Names that a module gives the result of a function that returns nothing after the error."""
    last = around.body[-1]
    after = [
        node
        for statement in around.body
        if statement is not caught
        for node in ast.walk(statement)
        if isinstance(node, ast.Return)
    ]
    handled = any(isinstance(s, ast.Return) for h in caught.handlers for s in h.body)
    if not (returned and (handled or not after)):
        # `return model` behind it gives what the handler left.
        own = last.value if isinstance(last, ast.Return) else None
        named = own.id if isinstance(own, ast.Name) and own.id in inside else ""
        if not named or len(after) != 1:
            return
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
            continue
        if value.func.id != around.name:
            continue
        for name in _targets(node):
            if all(other is node or _is_none(v) for other, v in _given(tree, name.id)):
                yield name.id


def _targets(node: ast.AST) -> Iterator[ast.Name]:
    if isinstance(node, ast.Assign):
        yield from (t for t in node.targets if isinstance(t, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target


def _given(tree: ast.Module, name: str) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Every place that gives the name a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            if any(target.id == name for target in _targets(node)):
                yield node, node.value
        elif isinstance(node, ast.NamedExpr | ast.AugAssign) and _is_name(node.target, name):
            yield node, node.value


def _within(caught: ast.Try) -> set[ast.AST]:
    return {node for statement in caught.body for node in ast.walk(statement)}


def _used(handler: _Function, name: str) -> ast.expr | None:
    """The first use of the name that fails, or the test that ends the request with an error."""
    if any(isinstance(node, ast.Global) and name in node.names for node in ast.walk(handler)):
        return None
    for statement in handler.body:
        if isinstance(statement, ast.If) and _mentions(statement.test, name):
            empty = _where_empty(statement, name)
            return statement.test if empty is not None and _refuses(empty) else None
        if isinstance(statement, ast.If | ast.For | ast.While | ast.Match):
            if _mentions(statement, name):
                return None  # under a condition, or not at all
            continue
        body: list[ast.stmt] = [statement]
        if isinstance(statement, ast.Try):
            body = statement.body if _fails_on(statement) else []
            if not body and _mentions(statement, name):
                return None
        for inner in body:
            if isinstance(inner, ast.If | ast.For | ast.While) and _mentions(inner, name):
                if isinstance(inner, ast.If) and _mentions(inner.test, name):
                    empty = _where_empty(inner, name)
                    return inner.test if empty is not None and _refuses(empty) else None
                return None
            found = _dereferenced(inner, name)
            if found is not None:
                return found
            if _mentions(inner, name):
                return None
    return None


def _fails_on(statement: ast.Try) -> bool:
    """Whether every handler answers an error with an error."""
    return all(_refuses(handler.body) for handler in statement.handlers)


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


def _dereferenced(node: ast.AST, name: str) -> ast.expr | None:
    """``model.predict(…)``, ``model[…]`` or ``model(…)``, outside of a condition."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.IfExp | ast.BoolOp | ast.Lambda) and _mentions(inner, name):
            return None
    for inner in ast.walk(node):
        owner = (
            inner.value
            if isinstance(inner, ast.Attribute | ast.Subscript)
            else inner.func
            if isinstance(inner, ast.Call)
            else None
        )
        if isinstance(owner, ast.Name) and owner.id == name and isinstance(inner, ast.expr):
            return inner
    return None


def _where_empty(statement: ast.If, name: str) -> list[ast.stmt] | None:
    """The branch that is taken when the name holds None."""
    test = statement.test
    if _is_name(test, name):
        return statement.orelse
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return statement.body if _is_name(test.operand, name) else None
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and _is_none(test.comparators[0]):
        positive = isinstance(test.ops[0], ast.Is | ast.Eq)
        branch = statement.body if positive else statement.orelse
        return branch if _is_name(test.left, name) else None
    return None


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


_REFUSED = re.compile(r"\b[45]\d\d\b|status\.HTTP_[45]|HTTPStatus\.\w*(?:ERROR|UNAVAILABLE)")


def _refuses(body: list[ast.stmt]) -> bool:
    """It ends with an exception, or with an answer of status 4xx or 5xx."""
    last = body[-1] if body else None
    if isinstance(last, ast.Raise):
        return True
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return ast.unparse(last.value.func).rpartition(".")[2] == "abort"
    if isinstance(last, ast.Return) and last.value is not None:
        return _REFUSED.search(ast.unparse(last.value)) is not None
    return False
