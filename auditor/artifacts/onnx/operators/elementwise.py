"""Operators that compute element by element, with broadcasting, and reductions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from auditor.artifacts.onnx.operators.op import RANDOM, Handler, calculate
from auditor.artifacts.onnx.proto import SMALL
from auditor.artifacts.onnx.values import NONE, Dim, Elem, Shape, Sym, Value, deps_of, join, union

if TYPE_CHECKING:
    from auditor.artifacts.onnx.operators.op import Op

_SAME = frozenset(
    {
        "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Bernoulli", "BitwiseNot", "Cast",
        "Ceil", "Celu", "Clip", "Cos", "Cosh", "CumSum", "CumProd", "DequantizeLinear", "Elu",
        "Erf", "Exp", "EyeLike", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Hardmax", "Identity",
        "InstanceNormalization", "IsInf", "IsNaN", "LRN", "LeakyRelu", "Log", "LogSoftmax",
        "MeanVarianceNormalization", "Mish", "Neg", "Not", "QuantizeLinear", "RandomNormalLike",
        "RandomUniformLike", "Reciprocal", "Relu", "ReverseSequence", "Round", "Scatter",
        "ScatterElements", "ScatterND", "TensorScatter", "Selu", "Shrink", "Sigmoid", "Sign", "Sin",
        "Sinh", "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh",
        "ThresholdedRelu", "Trilu", "LpNormalization", "CastLike", "BitCast", "GroupNormalization",
        "RMSNormalization", "RotaryEmbedding", "Binarizer", "Imputer", "Normalizer", "Scaler",
        "LabelEncoder", "BiasGelu", "FastGelu", "QuickGelu", "FusedGelu", "Swiglu",
    }
)  # fmt: skip
_BROADCAST = frozenset(
    {
        "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal",
        "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul",
        "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor",
    }
)  # fmt: skip
_REDUCE = frozenset(
    {
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
    }
)  # fmt: skip
_ARITHMETIC = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Mod": "mod", "Pow": "pow",
    "Min": "min", "Max": "max", "Equal": "eq", "Less": "lt", "Greater": "gt",
    "LessOrEqual": "le", "GreaterOrEqual": "ge", "And": "and", "Or": "or", "Xor": "xor",
    "Sum": "add",
}  # fmt: skip
_UNARY: dict[str, Callable[..., Elem]] = {
    "Neg": lambda a: -a,
    "Abs": abs,
    "Floor": math.floor,
    "Ceil": math.ceil,
    "Not": lambda a: not a,
    "Round": round,
    "Sign": lambda a: (a > 0) - (a < 0),
    "Relu": lambda a: max(a, 0),
    "Identity": lambda a: a,
    "Sqrt": math.sqrt,
    "Reciprocal": lambda a: 1 / a,
}


def _unary(op: Op, item: Elem) -> Elem | None:
    """One element through an elementwise operator; None when not computed."""
    name = op.node.operator
    if name in ("Cast", "CastLike"):
        to = op.number("to", 7) if name == "Cast" else 7
        if isinstance(item, Sym):
            return item
        try:
            if to in (1, 10, 11, 16):
                return float(item)
            if to == 9:
                return bool(item)
            return int(item) if to != 8 and name == "Cast" else item
        except (ValueError, OverflowError):
            return None
    if isinstance(item, Sym):
        if name in ("Identity", "Floor", "Ceil", "Round"):
            return item
        if name in ("Relu", "Abs") and item.positive:
            return item
        if name in _UNARY:
            return op.it.symbols.named(name, item.ident, deps=item.deps, positive=False)
        return None
    function = _UNARY.get(name)
    if function is None or isinstance(item, str):
        return None
    try:
        return function(item)
    except (ArithmeticError, ValueError):
        return None


def _same(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    elems: tuple[Elem, ...] | None = None
    if first.elems is not None:
        made = [_unary(op, e) for e in first.elems]
        if all(m is not None for m in made):
            elems = tuple(m for m in made if m is not None)
    fill = _unary(op, first.fill) if first.fill is not None else None
    content = first.content
    if op.node.operator not in ("Identity", "Cast"):
        content = op.content
    if op.node.operator in RANDOM:
        content, elems, fill = join(content, frozenset({("data", op.path)})), None, None
    found = Value(
        first.shape,
        content=content,
        elems=elems,
        fill=fill,
        rank=first.rank,
        items=first.items if op.node.operator == "Identity" else None,
        length=first.length if op.node.operator == "Identity" else None,
    )
    if op.node.operator == "Identity":
        found.type = first.type
    return [found] + [
        Value(None, content=content, rank=first.shape_deps) for _ in op.node.outputs[1:]
    ]


def broadcast(op: Op, shapes: Sequence[Shape | None], contents: Sequence[Value | None]) -> Value:
    """The shape of an elementwise operator over several inputs."""
    known = [s for s in shapes if s is not None]
    if len(known) < len(shapes) or not known:
        return op.out(None, rank=union(contents)[1])
    rank = max(len(s) for s in known)
    dims: list[Dim] = []
    for axis in range(rank):
        size: Dim = 1
        for shape in known:
            at = axis - (rank - len(shape))
            if at >= 0:
                size = _meet(op, size, shape[at], axis)
        dims.append(size)
    return op.out(tuple(dims))


def _meet(op: Op, a: Dim, b: Dim, axis: int) -> Dim:
    if a is b:
        return a
    if isinstance(a, Sym) or isinstance(b, Sym):
        for number, other in ((a, b), (b, a)):
            if isinstance(number, int):
                # A size above one that meets a free one: that is 1 or the same.
                return other if number == 1 else number
        return op.free(join(deps_of(a), deps_of(b)), "meet", axis, key_of(a), key_of(b))
    if a == 1:
        return b
    if b == 1 or a == b:
        return a
    op.it.defect("shape-error", f"{op.node.label}: sizes {a} and {b} cannot be broadcast", op.path)
    return max(a, b)


def key_of(item: Elem) -> object:
    """What makes two elements the same: the symbol, or the number."""
    return item.ident if isinstance(item, Sym) else ("k", item)


def _broadcast(op: Op) -> list[Value] | None:
    values = list(op.inputs)
    if not values:
        return None
    if op.version < 7 and op.node.operator != "Where" and "axis" in op.node.attributes:
        # The old one-sided broadcasting along an axis.
        return [op.out(op.shape(), rank=values[0].rank if values[0] else NONE)]
    found = broadcast(op, [v.shape if v is not None else () for v in values], values)
    size = found.size
    if op.node.operator == "Where":
        found.elems = _where(op, values, size)
    else:
        name = _ARITHMETIC.get(op.node.operator)
        if name is not None and size is not None and size <= SMALL:
            found.elems = _elementwise(op, name, values, size)
        ones = [v.one() if v is not None else None for v in values]
        if name is not None and found.elems is None and all(o is not None for o in ones):
            total: Elem = ones[0]  # type: ignore[assignment]
            for item in ones[1:]:
                assert item is not None
                total = calculate(op.it, name, total, item)
            found.fill = total
    if found.elems is not None:
        found.content = join(*(deps_of(e) for e in found.elems))
    elif found.fill is not None:
        found.content = deps_of(found.fill)
    return [found]


def _elementwise(
    op: Op, name: str, values: Sequence[Value | None], size: int
) -> tuple[Elem, ...] | None:
    lists: list[tuple[Elem, ...]] = []
    for value in values:
        if value is None:
            return None
        elems = value.elems
        if elems is None and value.fill is not None:
            elems = (value.fill,)
        if elems is None or len(elems) not in (1, size):
            # Something times zero is zero even where the something is not known.
            return None
        lists.append(elems if len(elems) == size else elems * size)
    result: list[Elem] = list(lists[0])
    for elems in lists[1:]:
        result = [calculate(op.it, name, a, b) for a, b in zip(result, elems, strict=True)]
    return tuple(result)


def _where(op: Op, values: Sequence[Value | None], size: int | None) -> tuple[Elem, ...] | None:
    if size is None or size > SMALL or len(values) < 3:
        return None
    lists: list[tuple[Elem, ...]] = []
    if values[0] is not None and values[0].elems is None and values[0].fill is None:
        # Which of the two is not known; it need not matter.
        unknown = op.it.symbols.named("condition", op.path, deps=values[0].content)
        values = [Value((), elems=(unknown,)), *values[1:]]
    for value in values:
        elems = value.elems if value is not None else None
        if elems is None and value is not None and value.fill is not None:
            elems = (value.fill,)
        if elems is None or len(elems) not in (1, size):
            return None
        lists.append(elems if len(elems) == size else elems * size)
    made: list[Elem] = []
    for condition, yes, no in zip(*lists, strict=True):
        if not isinstance(condition, Sym):
            made.append(yes if condition else no)
        elif yes is no or (not isinstance(yes, Sym) and not isinstance(no, Sym) and yes == no):
            made.append(yes)
        else:
            deps = join(condition.deps, deps_of(yes), deps_of(no))
            made.append(
                op.it.symbols.named(
                    "where", condition.ident, key_of(yes), key_of(no), deps=deps, positive=False
                )
            )
    return tuple(made)


def axes_of(op: Op, axes: Sequence[Elem], rank: int) -> list[int] | None:
    """The axes as numbers from 0; None where one of them is not known, or out of the rank."""
    found = []
    for axis in axes:
        if isinstance(axis, Sym | str):
            return None
        number = int(axis)
        if not -rank <= number < rank:
            op.it.defect(
                "shape-error", f"{op.node.label}: axis {number} of a tensor of rank {rank}", op.path
            )
            return None
        found.append(number % rank)
    return found


def _reduce(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    keep = bool(op.number("keepdims", 1))
    given = op.value(1) is not None
    axes = op.numbers(1, "axes")
    if first.shape is None:
        return [op.out(None, rank=join(first.rank, op.decided(1)))]
    rank = len(first.shape)
    if axes is None and given:
        deps = join(op.decided(1), first.shape_deps)
        return [op.out(op.opaque(rank, deps) if keep else None, rank=deps)]
    if not axes:
        reduced = (
            [] if op.number("noop_with_empty_axes", 0) and op.version >= 13 else list(range(rank))
        )
    else:
        known = axes_of(op, axes, rank)
        if known is None:
            deps = join(op.decided(1), first.shape_deps)
            return [op.out(op.opaque(rank, deps) if keep else None, rank=deps)]
        reduced = known
    shape = tuple(
        1 if axis in reduced else dim
        for axis, dim in enumerate(first.shape)
        if keep or axis not in reduced
    )
    found = op.out(shape)
    name = {"ReduceSum": "add", "ReduceProd": "mul", "ReduceMin": "min", "ReduceMax": "max"}.get(
        op.node.operator
    )
    if name is not None and first.elems and len(reduced) == rank:
        total = first.elems[0]
        for item in first.elems[1:]:
            total = calculate(op.it, name, total, item)
        found = Value(shape, elems=(total,))
    return [found]


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_BROADCAST, _broadcast),
    **dict.fromkeys(_REDUCE, _reduce),
}
