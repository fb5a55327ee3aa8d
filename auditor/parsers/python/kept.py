"""What requests find where the application was to keep something: functions that nothing ever runs."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from auditor.parsers.python.facts import Phase
from auditor.parsers.python.inputs import Web
from auditor.parsers.python.values import Ext, Obj, V

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter

# Attributes of an application that are made to keep things, and the class that they are.
_HOLDERS = {"state": "State", "ctx": "types.SimpleNamespace"}
# A function so decorated runs no sooner than one that is not.
_INERT = frozenset(["asynccontextmanager", "contextmanager"])


def never_set(run: Interpreter, node: ast.Attribute, owner: V) -> None:
    """``app.state.model`` in a handler, where only a function that is never called sets it."""
    if run.phase != Phase.REQUEST or run.guards or not isinstance(node.ctx, ast.Load):
        return
    if not isinstance(owner, Ext) or not isinstance(owner.owner, Obj):
        return
    web, holder = owner.owner.data, owner.name.rpartition(".")[2]
    if holder not in _HOLDERS or not isinstance(web, Web):
        return
    if f"{holder}.{node.attr}" in web.attributes:
        return
    dead = _only_dead(run, holder, node.attr)
    if dead:
        run.fails(
            node,
            f"AttributeError: '{_HOLDERS[holder]}' object has no attribute '{node.attr}'",
            f"only `{dead}` sets `{holder}.{node.attr}`, and nothing calls it: it is not given to the "
            "application",
        )


def _only_dead(run: Interpreter, holder: str, name: str) -> str:
    """The function that alone sets an attribute and never runs; empty where another may."""
    trees = [
        s.facts.tree for s in run.states.values() if s is not None and s.facts is not None
        and s.facts.tree is not None
    ]  # fmt: skip
    words: set[str] = set()
    setters: list[tuple[ast.AST | None, str]] = []
    for tree in dict.fromkeys(trees):
        for statement in tree.body:
            owned = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
            for part in ast.walk(statement):
                if _sets(part, holder, name):
                    setters.append((statement if owned else None, getattr(statement, "name", "")))
                words.update(_words(part))
    if not setters or words & {"setattr", "exec", "globals", "__dict__", "_state"}:
        return ""
    for function, called in setters:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            return ""
        decorators = {ast.unparse(d).rpartition(".")[2] for d in function.decorator_list}
        if called in words or id(function) in run.seen_functions or decorators - _INERT:
            return ""
    return setters[0][1]


def _sets(part: ast.AST, holder: str, name: str) -> bool:
    return (
        isinstance(part, ast.Attribute)
        and part.attr == name
        and not isinstance(part.ctx, ast.Load)
        and isinstance(part.value, ast.Attribute | ast.Name)
        and (part.value.attr if isinstance(part.value, ast.Attribute) else part.value.id) == holder
    )


def _words(part: ast.AST) -> tuple[str, ...]:
    """The names that a part of the code mentions, texts included."""
    if isinstance(part, ast.Name):
        return (part.id,)
    if isinstance(part, ast.Attribute):
        return (part.attr,)
    if isinstance(part, ast.alias):
        return tuple(part.name.split("."))
    if isinstance(part, ast.Constant) and isinstance(part.value, str):
        return (part.value, *part.value.replace(":", ".").split("."))
    return ()
