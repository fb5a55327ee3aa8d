"""Calls of functions that remember their arguments, which must then be hashable."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from auditor.parsers.python.values import Class, DictV, FieldV, Func, Inst, ListV, Table, V

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter

_CACHES = frozenset(["functools.lru_cache", "functools.cache"])
_LISTED = ("list[", "List[", "dict[", "Dict[", "set[", "Set[", "conlist(")
_FRAMES = {
    "frame": "DataFrame",
    "row": "Series",
    "array": "numpy.ndarray",
    "vector": "numpy.ndarray",
}


def refuse(
    run: Interpreter, func: Func, args: list[V], kwargs: dict[str, V], node: ast.AST
) -> None:
    """A list, a dictionary, an array or a request's model as an argument of a cached function."""
    if not func.decorators or not _CACHES.issuperset(func.decorators):
        return
    if isinstance(func.node, ast.Lambda) or len(func.node.decorator_list) != len(func.decorators):
        return
    given = args[1:] if func.cls is not None else args
    for value in (*given, *kwargs.values()):
        kind = _unhashable(run, value)
        if kind:
            run.fails(
                node,
                f"TypeError: unhashable type: '{kind}'",
                f"`{func.qualname}` remembers its results by its arguments, and this one is no key",
            )
            return


def _unhashable(run: Interpreter, value: V) -> str:
    """The type of a value that certainly has no hash; empty for any other."""
    if isinstance(value, ListV):
        return value.kind if value.kind in ("list", "set") else ""
    if isinstance(value, DictV):
        return "" if value.attr else "dict"
    if isinstance(value, FieldV):
        kind = value.kind.replace("typing.", "")
        name = kind.partition("[")[0].partition("(")[0].lower().removeprefix("con")
        plain = kind.startswith(_LISTED) or kind in ("list", "dict", "set")
        return name if plain and not _open_end(kind) else ""
    if isinstance(value, Table):
        return "list" if value.listed else _FRAMES.get(value.kind, "")
    if isinstance(value, Inst) and run.models.is_request_model(value.cls):
        return "" if any(map(_own_hash, value.cls.mro())) else value.cls.qualname
    return ""


def _open_end(kind: str) -> bool:
    """``list[int] | None``, which may be no list."""
    depth = 0
    for letter in kind:
        depth += (letter in "[(") - (letter in "])")
        if letter == "|" and not depth:
            return True
    return False


def _own_hash(cls: Class) -> bool:
    if {"__hash__", "model_config", "Config"} & cls.names.keys() or cls.keywords:
        return True
    external = cls.external()
    return not external <= {"pydantic.BaseModel", "pydantic.main.BaseModel"}
