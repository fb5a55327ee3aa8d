"""What the language and its standard library have in some Pythons only: methods, keywords, unions.

Knowledge: ``rules/knowledge/interpreters.json``, asked of the interpreters themselves.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from auditor.catalog import knowledge
from auditor.parsers.python.values import Class, Const, DictV, Ext, ListV, Obj, PathV, Unk, V

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter

# Methods that nothing but text has.
_OF_TEXT = frozenset(["removeprefix", "removesuffix"])
# Names that came with a Python that is still about; the table of symbols says with which.
_BUILTINS = frozenset(
    ["aiter", "anext", "EncodingWarning", "BaseExceptionGroup", "ExceptionGroup",
     "PythonFinalizationError", "breakpoint"]
)  # fmt: skip
_TYPES = frozenset(
    "bool bytearray bytes complex dict float frozenset int list object range set str tuple".split()  # noqa: SIM905
)


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    table: dict[str, Any] = knowledge("interpreters.json")
    return table


def _lacks(python: tuple[int, int] | None, module: str, name: str) -> bool:
    if python is None:
        return False
    pythons = _table()["lacking"].get(module, {}).get(name)
    return pythons is not None and f"{python[0]}.{python[1]}" in pythons.split()


def _told(module: str, name: str, python: tuple[int, int]) -> str:
    """In words: since when, or until when, there is such a thing."""
    pythons = _table()["pythons"]
    without = _table()["lacking"][module][name].split()
    own = f"{python[0]}.{python[1]}"
    later = [p for p in pythons[pythons.index(own) :] if p not in without]
    if later:
        return f"came with Python {later[0]}, and the image runs {own}"
    return f"is gone, and the image runs Python {own}"


def new_builtin(name: str) -> bool:
    """Whether the language gives the name in some Pythons only."""
    return name in _BUILTINS


def method(run: Interpreter, owner: V, attr: str, node: ast.AST) -> None:
    """Note an attribute that values of this class do not have in the image's Python."""
    python = run.program.python
    if python is None or attr.startswith("_"):
        return
    module, cls, printed = _class_of(owner, attr, node)
    name = f"{cls}.{attr}"
    if cls and _lacks(python, module, name):
        shown = f"{cls}.{attr}" if module != "builtins" else attr
        run.fails(
            node,
            f"AttributeError: '{printed}' object has no attribute '{attr}'",
            f"`{shown}` {_told(module, name, python)}",
        )


def _class_of(owner: V, attr: str, node: ast.AST) -> tuple[str, str, str]:
    """(module, class, the class as Python prints it); empty where that is not known."""
    if isinstance(owner, PathV):
        return "pathlib", "Path", "PosixPath"
    if isinstance(owner, Const) and owner.value is not None:
        cls = type(owner.value).__name__
        return "builtins", cls, cls
    if isinstance(owner, Obj):
        module, _, cls = owner.name.rpartition(".")
        if cls[:1].isupper() and module in _table()["lacking"]:
            return module, cls, cls
    of_series = isinstance(node, ast.Attribute) and (
        isinstance(node.value, ast.Attribute) and node.value.attr == "str"
    )
    unknown = isinstance(owner, Unk) or (
        isinstance(owner, Ext)
        and (owner.owner is not None or owner.name.startswith(("flask.request.", "quart.request.")))
    )
    if attr in _OF_TEXT and unknown and not of_series:
        return "builtins", "str", "str"
    return "", "", ""


def keywords(run: Interpreter, callee: Ext, given: Iterable[str], node: ast.AST) -> None:
    """Note a keyword that a function of the standard library does not take in the image's Python."""
    python = run.program.python
    module, _, name = callee.name.rpartition(".")
    if python is None or callee.owner is not None or module not in _table()["lacking"]:
        return
    for keyword in given:
        use = f"{name}({keyword}=)"
        if _lacks(python, module, use):
            run.fails(
                node,
                f"TypeError: {name}() got an unexpected keyword argument '{keyword}'",
                f"`{keyword}` of `{name}` {_told(module, use, python)}",
            )


def union(run: Interpreter, left: V, right: V, node: ast.AST) -> None:
    """Note ``a | b`` of dictionaries before Python 3.9, and of types before 3.10."""
    python = run.program.python
    if python is None or python >= (3, 10):
        return
    image = f"and the image runs {python[0]}.{python[1]}"
    if _is_type(left) and (_is_type(right) or _is_none(right)):
        run.fails(
            node,
            "TypeError: unsupported operand type(s) for |: 'type' and 'type'",
            f"types are joined by `|` from Python 3.10 on, {image}",
        )
    elif python < (3, 9) and (
        (_is_dict(left) and (_is_dict(right) or _asked(right)))
        or (_asked(left) and _is_dict(right))
    ):
        run.fails(
            node,
            "TypeError: unsupported operand type(s) for |: 'dict' and 'dict'",
            f"dictionaries are joined by `|` from Python 3.9 on, {image}",
        )


def _is_dict(value: V) -> bool:
    return isinstance(value, DictV) and not value.attr


def _asked(value: V) -> bool:
    """What a request brought: a dictionary where it is joined with one."""
    return isinstance(value, Obj) and value.name.startswith("request.")


def _is_none(value: V) -> bool:
    return isinstance(value, Const) and value.value is None


def _is_type(value: V) -> bool:
    if isinstance(value, Class):
        return True
    return (
        isinstance(value, Ext)
        and value.owner is None
        and value.name.startswith("builtins.")
        and value.name.partition(".")[2] in _TYPES
    )


def sample(run: Interpreter, population: V | None, node: ast.AST) -> None:
    """Note ``random.sample`` of a set, which Python 3.11 no longer takes."""
    python = run.program.python
    if python is None or python < (3, 11):
        return
    if isinstance(population, ListV) and population.kind in ("set", "frozenset"):
        run.fails(
            node,
            "TypeError: Population must be a sequence.  For dicts or sets, use sorted(d).",
            f"`random.sample` takes no sets since Python 3.11, and the image runs {python[0]}.{python[1]}",
        )


def iso_date(run: Interpreter, text: V | None, node: ast.AST) -> None:
    """Note a date with ``Z`` that ``datetime.fromisoformat`` takes from Python 3.11 on."""
    python = run.program.python
    if python is None or python >= (3, 11):
        return
    if isinstance(text, Const) and isinstance(text.value, str) and text.value[-1:] in ("Z", "z"):
        run.fails(
            node,
            f"ValueError: Invalid isoformat string: {text.value!r}",
            f"`fromisoformat` takes `Z` from Python 3.11 on, and the image runs {python[0]}.{python[1]}",
        )
