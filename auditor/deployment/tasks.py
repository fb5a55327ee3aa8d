"""Modules that a Celery worker imports before it takes its first task, as its application names them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from auditor.source import Location
from auditor.values import value


@value
class Named:
    """A module; ``loose``: only the package above it must be there (``autodiscover_tasks``)."""

    module: str
    at: Location
    loose: bool = False


def imported(path: str, tree: ast.Module) -> Iterator[Named]:
    """``include=``, ``imports`` and ``autodiscover_tasks`` of a module, where they are written out.

    What stands under a condition is left out, and so are lists with a computed part.
    """
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
            if isinstance(target, ast.Attribute) and _setting(target.attr):
                owner = target.value
                if isinstance(owner, ast.Attribute) and owner.attr == "conf":
                    yield from _listed(path, statement.value)
        made = statement.value if isinstance(statement, ast.Assign | ast.Expr) else None
        if isinstance(made, ast.Call):
            yield from _called(path, made)


def _setting(name: str | None) -> bool:
    return name in ("include", "imports")


def _called(path: str, call: ast.Call) -> Iterator[Named]:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    inside = function.value if isinstance(function, ast.Attribute) else None
    if name == "Celery" or (
        name == "update" and isinstance(inside, ast.Attribute) and inside.attr == "conf"
    ):
        for keyword in call.keywords:
            if keyword.arg == "include" or (keyword.arg == "imports" and name == "update"):
                yield from _listed(path, keyword.value)
    elif name == "autodiscover_tasks" and call.args:
        yield from _listed(path, call.args[0], loose=True)


def _listed(path: str, node: ast.expr, *, loose: bool = False) -> Iterator[Named]:
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    texts = [item.value if isinstance(item, ast.Constant) else None for item in items]
    if not all(isinstance(text, str) and text for text in texts):
        return
    for item, text in zip(items, texts, strict=True):
        at = Location(path, item.lineno, item.col_offset + 1, item.lineno, item.col_offset + 1)
        yield Named(module=str(text), at=at, loose=loose)
