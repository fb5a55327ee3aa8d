"""Pure operations of Python on abstract values: what the language itself would compute.

Every operation is bounded (text, numbers, alternatives), so hostile constants cost nothing.
"""

from __future__ import annotations

import ast
import operator
import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from auditor import lazy_re as re
from auditor.parsers.python import values as val
from auditor.parsers.python.values import (
    Bound,
    Choice,
    Class,
    Const,
    DictV,
    Ext,
    Func,
    Inst,
    ListV,
    Mod,
    Obj,
    PathV,
    Unk,
    V,
    deps_of,
    join,
    options_of,
)

MAX_TEXT = 20_000
# Functions of NumPy that answer with one of its own numbers, whatever numbers they are given.
NUMPY_SCALARS = frozenset(
    f"numpy.{name}"
    for name in ("mean", "median", "std", "var", "sum", "prod", "max", "min", "argmax", "argmin", "dot",
                 "percentile", "quantile", "linalg.norm", "float32", "float64", "int64")
)  # fmt: skip
_WIDE = re.compile(r"\d{4,}")

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
    ast.RShift: operator.rshift,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def reason_of(value: V) -> str:
    """Why a value is not known, in words."""
    if isinstance(value, Unk):
        return value.reason
    if isinstance(value, Ext):
        if value.owner is not None and value.name.startswith("?"):
            return reason_of(value.owner)
        return f"{value.name} is not followed"
    if isinstance(value, Obj):
        return f"comes from {value.name}()"
    if isinstance(value, Choice):
        return next((reason_of(o) for o in value.options if not known(o)), "has several values")
    if isinstance(value, Inst):
        return f"is an instance of {value.cls.qualname}"
    return "is not a plain value"


def known(value: V) -> bool:
    """Whether it is a constant or a path."""
    return isinstance(value, Const | PathV)


def unknown_from(*values: V) -> Unk:
    """Unknown, for the reason and with the dependencies of the parts."""
    deps = frozenset().union(*map(deps_of, values))
    reason = next((reason_of(v) for v in values if not known(v)), "cannot be computed")
    return Unk(reason, deps)


def over(function: Callable[..., V], *values: V) -> V:
    """Apply to every combination of alternatives and join."""
    combinations: list[list[V]] = [[]]
    for value in values:
        options = options_of(value)
        if len(combinations) * len(options) > val.MAX_CHOICES * 2:
            return unknown_from(*values)
        combinations = [[*left, option] for left in combinations for option in options]
    return join(*(function(*combination) for combination in combinations))


def path_text(text: str) -> str:
    """What ``str(Path(text))`` gives."""
    return str(PurePosixPath(text)) if len(text) < MAX_TEXT else text


def _repeated(value: ListV, times: object) -> V:
    """``[0, 1] * 50``: the items again; too many of them are left out."""
    if not isinstance(times, int) or value.kind not in ("list", "tuple"):
        return Unk("a product")
    if value.items is None or times < 1 or len(value.items) * times > val.MAX_ITEMS:
        return ListV(None if times > 0 else [], value.kind)
    return ListV(value.items * times, value.kind)


def binary(op: ast.operator, left: V, right: V) -> V:
    """``left op right``."""
    if isinstance(left, Choice) or isinstance(right, Choice):
        return over(lambda a, b: binary(op, a, b), left, right)
    deps = deps_of(left) | deps_of(right)
    if isinstance(op, ast.Div):
        paths = isinstance(left, PathV), isinstance(right, PathV)
        if any(paths):
            if isinstance(left, Const | PathV) and isinstance(right, Const | PathV):
                texts = [v.text if isinstance(v, PathV) else v.value for v in (left, right)]
                if all(isinstance(t, str) and len(t) < MAX_TEXT for t in texts):
                    origin = right.origin or left.origin
                    return PathV(str(PurePosixPath(texts[0]) / texts[1]), deps, origin)
                return Unk("joins a path with what is no text", deps)
            return unknown_from(left, right)
    if isinstance(left, ListV) and isinstance(right, ListV) and isinstance(op, ast.Add):
        if left.items is None or right.items is None:
            return ListV(None, left.kind)
        if len(left.items) + len(right.items) > val.MAX_ITEMS:
            return ListV(None, left.kind)
        return ListV(left.items + right.items, left.kind)
    if isinstance(op, ast.Mult) and isinstance(left, ListV) and isinstance(right, Const):
        return _repeated(left, right.value)
    if isinstance(left, DictV) and isinstance(right, DictV) and isinstance(op, ast.BitOr):
        return DictV({**left.items, **right.items}, partial=left.partial or right.partial)
    if isinstance(op, ast.Mod) and isinstance(left, Const) and isinstance(left.value, str):
        return _percent(left, right)
    if isinstance(left, Const) and isinstance(right, Const):
        return _constants(op, left, right, deps)
    if isinstance(op, ast.MatMult):
        return Obj("numpy.matmul", [left, right])
    return unknown_from(left, right)


def _constants(op: ast.operator, left: Const, right: Const, deps: val.Deps) -> V:
    a, b = left.value, right.value
    function = _BINARY.get(type(op))
    if isinstance(op, ast.Pow | ast.LShift):
        small = all(isinstance(x, int | float) and abs(x) <= 64 for x in (a, b))
        if not small or isinstance(a, float) or isinstance(b, float) or b < 0:
            return Unk("a large power", deps)
        return Const(a**b if isinstance(op, ast.Pow) else a << b, deps)
    if function is None:
        return Unk("an unusual operation", deps)
    if isinstance(op, ast.Mult) and (isinstance(a, str | bytes) or isinstance(b, str | bytes)):
        text, times = (a, b) if isinstance(a, str | bytes) else (b, a)
        if not isinstance(times, int) or len(text) * max(times, 0) > MAX_TEXT:
            return Unk("a long repetition", deps)
    if isinstance(a, int) and isinstance(b, int) and max(abs(a), abs(b)) > 1 << 512:
        return Unk("a large number", deps)
    try:
        result = function(a, b)
    except Exception as error:
        return Unk(f"raises {type(error).__name__}", deps)
    if isinstance(result, str | bytes) and len(result) > MAX_TEXT:
        return Unk("a long text", deps)
    origin = left.origin if isinstance(result, str) else None
    return Const(result, deps, origin) if not isinstance(result, complex) else Unk("complex", deps)


def plain(value: V, budget: list[int] | None = None) -> Any:
    """The Python object that stands for a wholly known value; ValueError when there is none."""
    if isinstance(value, Const):
        return value.value
    # Lists that hold each other twice would grow exponentially.
    budget = [2_000] if budget is None else budget
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError("is too large")
    if isinstance(value, PathV):
        return PurePosixPath(value.text)
    if isinstance(value, ListV) and value.items is not None:
        made = [plain(item, budget) for item in value.items]
        return tuple(made) if value.kind == "tuple" else set(made) if value.kind == "set" else made
    if isinstance(value, DictV) and not value.partial:
        return {key: plain(item, budget) for key, item in value.items.items()}
    raise ValueError(reason_of(value))


def all_deps(value: V) -> val.Deps:
    """What a value and its parts came through."""
    if isinstance(value, DictV):
        return value.origin_deps.union(*map(deps_of, list(value.items.values())[:32]))
    return deps_of(value)


def _percent(left: Const, right: V) -> V:
    deps = left.deps | all_deps(right)
    try:
        argument = plain(right)
    except ValueError:
        return Unk(reason_of(right), deps)
    if _WIDE.search(left.value) or "*" in left.value:
        return Unk("a wide format", deps)
    try:
        return Const(left.value % argument, deps, left.origin)
    except Exception as error:
        return Unk(f"raises {type(error).__name__}", deps)


def format_value(value: V, conversion: int, spec: V | None) -> V:
    """One ``{…}`` of an f-string."""
    if isinstance(value, Choice) or isinstance(spec, Choice):
        return over(
            lambda v, s: format_value(v, conversion, s), value, Const("") if spec is None else spec
        )
    if not isinstance(value, Const | PathV) or (spec is not None and not isinstance(spec, Const)):
        return unknown_from(value, *([] if spec is None else [spec]))
    raw = value.value if isinstance(value, Const) else value.text
    text = "" if spec is None else spec.value
    if not isinstance(text, str) or _WIDE.search(text):
        return Unk("a wide format", value.deps)
    try:
        if conversion == 114 and isinstance(value, PathV):
            return Unk("repr of a path", value.deps)
        shown = repr(raw) if conversion == 114 else ascii(raw) if conversion == 97 else raw
        if conversion == 115:
            shown = str(raw)
        return Const(format(shown, text), value.deps | (deps_of(spec) if spec else val.NONE))
    except Exception as error:
        return Unk(f"raises {type(error).__name__}", value.deps)


def unary(op: ast.unaryop, value: V) -> V:
    """``op value``."""
    if isinstance(op, ast.Not):
        answer = val.truth(value)
        if answer is None:
            return Unk("a condition that is not known", deps_of(value))
        return Const(not answer, deps_of(value))
    if isinstance(value, Choice):
        return over(lambda v: unary(op, v), value)
    if isinstance(value, Const) and isinstance(value.value, int | float):
        if isinstance(op, ast.USub):
            return Const(-value.value, value.deps, value.origin)
        if isinstance(op, ast.UAdd):
            return Const(+value.value, value.deps)
        if isinstance(value.value, int):
            return Const(~value.value, value.deps)
    return unknown_from(value)


def _is_none(value: V) -> bool | None:
    if isinstance(value, Const):
        return value.value is None
    if isinstance(value, PathV | ListV | DictV | Func | Bound | Class | Inst | Mod):
        return False
    if isinstance(value, Obj):
        # A class makes an object; a loader returns what it loaded or raises.
        last = value.name.rpartition(".")[2]
        if last[:1].isupper() or last.startswith(("load", "read_", "from_", "open")):
            return False
        return None
    if isinstance(value, Ext) and value.owner is None:
        return False
    return None


def compare(op: ast.cmpop, left: V, right: V) -> V:
    """``left op right`` as a constant, or Unknown."""
    if isinstance(left, Choice) or isinstance(right, Choice):
        return over(lambda a, b: compare(op, a, b), left, right)
    deps = deps_of(left) | deps_of(right)
    if isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
        for one, other in ((left, right), (right, left)):
            if isinstance(other, Const) and other.value is None:
                answer = _is_none(one)
                if answer is None:
                    return Unk("a condition that is not known", deps)
                return Const(answer == isinstance(op, ast.Is | ast.Eq), deps)
        if isinstance(op, ast.Is | ast.IsNot):
            if (
                isinstance(left, Const)
                and isinstance(right, Const)
                and isinstance(left.value, bool)
                and isinstance(right.value, bool)
            ):
                return Const((left.value is right.value) == isinstance(op, ast.Is), deps)
            return Unk("a condition that is not known", deps)
    if isinstance(op, ast.In | ast.NotIn):
        return _contains(op, left, right, deps)
    function = _COMPARE.get(type(op))
    if any(isinstance(v, Obj) and v.name in NUMPY_SCALARS for v in (left, right)):
        return Unk(val.NUMPY_BOOL, deps)
    if function is None:
        return Unk("a condition that is not known", deps)
    try:
        a, b = plain(left), plain(right)
        return Const(bool(function(a, b)), deps)
    except Exception:
        return Unk("a condition that is not known", deps)


def _contains(op: ast.cmpop, left: V, right: V, deps: val.Deps) -> V:
    negate = isinstance(op, ast.NotIn)
    if isinstance(right, DictV) and isinstance(left, Const):
        if left.value in right.items:
            return Const(not negate, deps) if not right.partial else Unk("a partial mapping", deps)
        return Unk("a partial mapping", deps) if right.partial else Const(negate, deps)
    if isinstance(left, Const) and isinstance(right, ListV):
        there = [i for i in right.items or () if isinstance(i, Const) and i.value == left.value]
        if there:
            return Const(not negate, deps)
    try:
        a, b = plain(left), plain(right)
        return Const((a in b) != negate, deps)
    except Exception:
        return Unk("a condition that is not known", deps)


def get_item(owner: V, index: V) -> V:
    """``owner[index]``."""
    if isinstance(owner, Choice) or isinstance(index, Choice):
        return over(get_item, owner, index)
    deps = deps_of(index)
    if isinstance(index, Obj) and index.name == "slice":
        return _slice(owner, index)
    if isinstance(owner, ListV) and isinstance(index, Const) and isinstance(index.value, int):
        if owner.items is None or owner.kind == "set":
            return Unk("an item of a list that is not known")
        try:
            return owner.items[index.value]
        except IndexError:
            return Unk("raises IndexError")
    if isinstance(owner, DictV):
        if isinstance(index, Const) and index.value in owner.items:
            return val.with_deps(owner.items[index.value], owner.origin_deps)
        if isinstance(index, Const) and not owner.partial:
            return Unk(f"there is no key {index.value!r}", owner.origin_deps)
        return Unk("an item of a mapping that is not known", owner.origin_deps | deps)
    if isinstance(owner, Const) and isinstance(owner.value, str) and isinstance(index, Const):
        try:
            return Const(owner.value[index.value], owner.deps)
        except Exception:
            return Unk("raises IndexError", owner.deps)
    return unknown_from(owner) if not known(owner) else Unk("an item that is not known")


def _slice(owner: V, index: Obj) -> V:
    bounds = index.data
    if bounds is None:
        return unknown_from(owner)
    if isinstance(owner, Const) and isinstance(owner.value, str | bytes):
        return Const(owner.value[bounds], owner.deps)
    if isinstance(owner, ListV) and owner.items is not None and owner.kind != "set":
        return ListV(owner.items[bounds], owner.kind)
    return unknown_from(owner)


def normalise(path: str) -> str:
    """``posixpath.normpath``, a double leading slash (kept by POSIX) included."""
    return posixpath.normpath(path)
