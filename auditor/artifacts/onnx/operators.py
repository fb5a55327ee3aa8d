"""What operators do to shapes and small contents (https://onnx.ai/onnx/operators/).

``transfer`` gives the outputs of the operators described here and None for others, which the
interpreter treats as functions of their inputs' shapes, and of the contents ``SHAPE_INPUTS`` names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from auditor.artifacts.onnx.proto import SMALL, Node
from auditor.artifacts.onnx.values import (
    NONE,
    Deps,
    Dim,
    Elem,
    Shape,
    Sym,
    Value,
    deps_of,
    join,
    union,
)

if TYPE_CHECKING:
    from auditor.artifacts.onnx.infer import Interpreter

Inputs = Sequence[Value | None]
Handler = Callable[["Op"], "list[Value] | None"]

# Inputs whose contents decide the shape of an output.
SHAPE_INPUTS: dict[str, tuple[int, ...]] = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CastMap": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "Compress": (0, 1),
    "ConstantOfShape": (0,),
    "ConvTransposeWithDynamicPads": (2,),
    "CropAndResize": (3,),
    "DFT": (1, 2),
    "DynamicSlice": (1, 2, 3),
    "Expand": (1,),
    "ExpandDims": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "ImageDecoder": (0,),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1),
    "NonMaxSuppression": (0, 1, 2, 3, 4),
    "NonZero": (0,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (2, 3),
    "STFT": (1, 3),
    "SequenceAt": (),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "SplitToSequence": (1,),
    "Squeeze": (1,),
    "StringSplit": (0,),
    "Tile": (1,),
    "Tokenizer": (0,),
    "TopK": (1,),
    "Unique": (0,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
# Contents that differ from run to run though the inputs are the same.
RANDOM = frozenset(
    {
        "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial",
        "Bernoulli",
    }
)  # fmt: skip

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


class Op:
    """One node being interpreted."""

    __slots__ = ("domain", "inputs", "it", "node", "path", "version")

    def __init__(
        self, it: Interpreter, node: Node, domain: str, version: int, inputs: Inputs, path: str
    ) -> None:
        self.it = it
        self.node = node
        self.domain = domain
        self.version = version
        self.inputs = inputs
        self.path = path

    def value(self, index: int) -> Value | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def shape(self, index: int = 0) -> Shape | None:
        value = self.value(index)
        return value.shape if value is not None else None

    def number(self, name: str, default: int) -> int:
        found = self.node.attributes.get(name)
        return found.number if found is not None and found.number is not None else default

    def ints(self, name: str) -> tuple[int, ...] | None:
        found = self.node.attributes.get(name)
        return found.ints if found is not None else None

    def text(self, name: str, default: str) -> str:
        found = self.node.attributes.get(name)
        return found.text if found is not None and found.text else default

    @property
    def content(self) -> Deps:
        """What the contents of an ordinary output depend on."""
        contents, shapes = union(self.inputs)
        return join(contents, shapes)

    def numbers(self, index: int, name: str) -> tuple[Elem, ...] | None:
        """Whole numbers given as an input or, in older versions, as an attribute."""
        value = self.value(index)
        if value is not None:
            return value.elems
        return self.ints(name)

    def decided(self, *indexes: int) -> Deps:
        """What a shape depends on that the contents of these inputs decide."""
        found: Deps = NONE
        for index in indexes:
            value = self.value(index)
            if value is not None:
                found = join(found, self.it.shaped(value.content, self.node, self.path))
        return found

    def dim(self, item: Elem) -> Dim:
        return self.it.dim(item, self.node, self.path)

    def signed(self, item: Elem) -> Elem:
        """An element that is added to a size; it may be negative."""
        if isinstance(item, Sym):
            return self.free(self.it.shaped(item.deps, self.node, self.path), "by", item.ident)
        return item

    def free(self, deps: Deps, *key: object) -> Sym:
        return self.it.symbols.named(*key, self.path, deps=deps)

    def opaque(self, rank: int, deps: Deps) -> Shape:
        """A shape of known rank and unknown sizes."""
        return tuple(self.free(deps, "size", axis) for axis in range(rank))

    def out(self, shape: Shape | None, *, rank: Deps = NONE, **given: object) -> Value:
        return Value(shape, content=self.content, rank=rank, **given)  # type: ignore[arg-type]

    def mul(self, items: Sequence[Dim]) -> Dim:
        total: Elem = 1
        for item in items:
            total = calculate(self.it, "mul", total, item)
        return total if isinstance(total, int | Sym) else 1


def transfer(
    it: Interpreter, node: Node, domain: str, version: int, inputs: Inputs, path: str
) -> list[Value] | None:
    """The outputs of an operator described here; None when it is not, or its inputs are too vague."""
    op = Op(it, node, domain, version, inputs, path)
    name = node.operator
    _check_axis(op, name)
    handler = _HANDLERS.get(name)
    if handler is not None:
        return handler(op)
    if name in _SAME:
        return _same(op)
    if name in _BROADCAST:
        return _broadcast(op)
    if name in _REDUCE:
        return _reduce(op)
    return None


# Operators whose ``axis`` the runtime compares with the rank of the first input.
_AXIS = frozenset(
    {"ArgMax", "ArgMin", "Gather", "Hardmax", "LogSoftmax", "Softmax", "Split", "TopK"}
)


def _check_axis(op: Op, name: str) -> None:
    attribute = op.node.attributes.get("axis")
    shape = op.shape()
    if name not in _AXIS or attribute is None or attribute.number is None or shape is None:
        return
    if shape and not -len(shape) <= attribute.number < len(shape):
        op.it.defect(
            "shape-error",
            f"{op.node.label}: axis {attribute.number} of a tensor of rank {len(shape)}",
            op.path,
        )


def calculate(it: Interpreter, op: str, a: Elem, b: Elem) -> Elem:
    """``a op b`` on numbers or symbols; a fresh constant where it cannot be computed."""
    if isinstance(a, Sym) or isinstance(b, Sym):
        return it.symbols.apply(op, a, b)
    try:
        return _PYTHON[op](a, b)
    except (ArithmeticError, TypeError, ValueError, KeyError):
        return it.symbols.fresh(NONE, positive=False)


def _divide(a: float, b: float) -> float:
    if isinstance(a, int) and isinstance(b, int):
        # Integer division of the runtime truncates.
        return math.trunc(a / b) if abs(a) < 1 << 50 else a // b
    return a / b


_PYTHON: dict[str, Callable[..., Elem]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divide,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b if abs(b) < 64 and abs(a) < 1 << 20 else a,
    "min": min,
    "max": max,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "gt": lambda a, b: a > b,
    "le": lambda a, b: a <= b,
    "ge": lambda a, b: a >= b,
    "and": lambda a, b: bool(a) and bool(b),
    "or": lambda a, b: bool(a) or bool(b),
    "xor": lambda a, b: bool(a) != bool(b),
}
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
        return op.free(join(deps_of(a), deps_of(b)), "meet", axis, _key(a), _key(b))
    if a == 1:
        return b
    if b == 1 or a == b:
        return a
    op.it.defect("shape-error", f"{op.node.label}: sizes {a} and {b} cannot be broadcast", op.path)
    return max(a, b)


def _key(item: Elem) -> object:
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
                    "where", condition.ident, _key(yes), _key(no), deps=deps, positive=False
                )
            )
    return tuple(made)


def _axes(op: Op, axes: Sequence[Elem], rank: int) -> list[int] | None:
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
        known = _axes(op, axes, rank)
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


def _shape(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    if first.shape is None:
        return [Value((op.free(first.rank, "rank"),), content=first.rank)]
    start, end = op.number("start", 0), op.number("end", len(first.shape))
    dims = first.shape[start:end]
    return [Value((len(dims),), elems=dims)]


def _size(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None or first.shape is None:
        return [Value((), content=first.rank if first else NONE)]
    return [Value((), elems=(op.mul(first.shape),))]


def _constant(op: Op) -> list[Value] | None:
    attributes = op.node.attributes
    for name in ("value", "sparse_value"):
        if name in attributes and attributes[name].tensor is not None:
            tensor = attributes[name].tensor
            assert tensor is not None
            return [Value(tuple(max(d, 0) for d in tensor.dims), elems=tensor.values)]
    for name, attribute in attributes.items():
        if name == "value_int" and attribute.number is not None:
            return [Value((), elems=(attribute.number,))]
        if name == "value_float" and attribute.real is not None:
            return [Value((), elems=(attribute.real,))]
        if name == "value_string":
            return [Value((), elems=(attribute.text or "",))]
        if name in ("value_ints", "value_floats"):
            items: tuple[Elem, ...] = attribute.ints if name == "value_ints" else attribute.reals
            full = len(items) == attribute.count
            return [Value((attribute.count,), elems=items if full else None)]
        if name == "value_strings":
            return [Value((attribute.count,))]
    op.it.defect("invalid-graph", f"{op.node.label}: it has no value", op.path)
    return [Value(None)]


def _constant_of_shape(op: Op) -> list[Value] | None:
    first = op.value(0)
    attribute = op.node.attributes.get("value")
    fill: Elem = 0.0
    if attribute is not None and attribute.tensor is not None:
        values = attribute.tensor.values
        fill = values[0] if values else op.it.symbols.fresh(NONE, positive=False)
    shape, rank = _from_elems(op, 0)
    if first is None:
        return None
    elems = None
    total = 1
    for dim in shape or ():
        total = total * dim if isinstance(dim, int) else SMALL + 1
    if shape is not None and total <= SMALL:
        elems = (fill,) * total
    return [Value(shape, elems=elems, fill=fill, rank=rank)]


def _from_elems(op: Op, index: int) -> tuple[Shape | None, Deps]:
    """A shape given as an input's contents: (shape, what its rank depends on)."""
    value = op.value(index)
    if value is None:
        return None, NONE
    if value.elems is not None:
        return tuple(op.dim(e) for e in value.elems), NONE
    deps = op.decided(index)
    if value.shape is not None and len(value.shape) == 1 and isinstance(value.shape[0], int):
        if value.shape[0] <= 64:
            return op.opaque(value.shape[0], deps), NONE
        return None, deps
    return None, join(deps, value.shape_deps)


def _reshape(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    wanted: tuple[Elem, ...] | None
    if op.version < 5 or (op.value(1) is None and "shape" in op.node.attributes):
        wanted = op.ints("shape") or ()
    else:
        value = op.value(1)
        wanted = value.elems if value is not None else None
        if wanted is None:
            deps = join(op.decided(1), first.shape_deps)
            rank = None
            if value is not None and value.shape is not None and len(value.shape) == 1:
                rank = value.shape[0] if isinstance(value.shape[0], int) else None
            shape = op.opaque(rank, deps) if rank is not None and rank <= 64 else None
            return [_kept(op, first, shape, deps)]
    dims: list[Dim] = []
    hole: int | None = None
    for axis, item in enumerate(wanted):
        if not isinstance(item, Sym | str):
            if item == -1:
                hole = axis
                dims.append(1)
                continue
            if item == 0 and not op.number("allowzero", 0):
                if first.shape is not None and axis < len(first.shape):
                    dims.append(first.shape[axis])
                else:
                    dims.append(op.free(first.shape_deps, "copied", axis))
                continue
        dims.append(op.dim(item))
    if first.shape is None:
        if hole is not None:
            dims[hole] = op.free(first.rank, "hole")
        return [_kept(op, first, tuple(dims), NONE)]
    if sum(not isinstance(w, Sym | str) and w == -1 for w in wanted) > 1:
        op.it.defect("shape-error", f"{op.node.label}: its target has two sizes of -1", op.path)
    if hole is not None:
        others = [d for axis, d in enumerate(dims) if axis != hole]
        dims[hole] = _quotient(op, first.shape, others)
    else:
        _pin(op, first.shape, dims)
    return [_kept(op, first, tuple(dims), NONE)]


def _kept(op: Op, first: Value, shape: Shape | None, rank: Deps) -> Value:
    """The same elements under another shape."""
    return Value(
        shape,
        content=join(first.content, op.content),
        elems=first.elems,
        fill=first.fill,
        rank=rank,
    )


def _quotient(op: Op, whole: Sequence[Dim], others: Sequence[Dim]) -> Dim:
    """All elements divided by the other sizes; equal symbols cancel."""
    above = [d for d in whole if isinstance(d, Sym)]
    below = []
    for dim in others:
        if isinstance(dim, Sym):
            if dim in above:
                above.remove(dim)
            else:
                below.append(dim)
    top = math.prod(d for d in whole if isinstance(d, int))
    bottom = math.prod(d for d in others if isinstance(d, int))
    if not above and not below:
        if bottom == 0:
            return 0
        if top % bottom:
            op.it.defect(
                "shape-error",
                f"{op.node.label}: {top} elements do not divide into sizes of {bottom}",
                op.path,
            )
        return top // bottom
    if len(above) == 1 and not below and top == bottom:
        return above[0]
    deps = join(*(s.deps for s in (*above, *below)))
    return op.free(deps, "quotient", top, bottom)


def _pin(op: Op, before: Sequence[Dim], after: Sequence[Dim]) -> None:
    """Constant sizes on one side tie a single free axis on the other, or contradict."""
    above = [d for d in before if isinstance(d, Sym)]
    for dim in [d for d in after if isinstance(d, Sym)]:
        if dim in above:
            above.remove(dim)
        else:
            return
    top = math.prod(d for d in before if isinstance(d, int))
    bottom = math.prod(d for d in after if isinstance(d, int))
    if not above:
        if top != bottom and not any(isinstance(d, Sym) for d in before):
            op.it.defect(
                "reshape",
                f"{op.node.label}: {top} elements cannot take a shape of {bottom}",
                op.path,
            )
        return
    if len(above) == 1 and len(above[0].deps) == 1 and top and bottom % top == 0:
        ((what, name),) = above[0].deps
        if what == "axis":
            op.it.pinned.setdefault(name, bottom // top)


def _gather(op: Op) -> list[Value] | None:
    first, index = op.value(0), op.value(1)
    if first is None or index is None:
        return None
    axis = op.number("axis", 0)
    if first.shape is None or index.shape is None:
        return [op.out(None, rank=join(first.shape_deps, index.shape_deps))]
    if not -len(first.shape) <= axis < max(len(first.shape), 1):
        return None
    axis %= max(len(first.shape), 1)
    shape = first.shape[:axis] + index.shape + first.shape[axis + 1 :]
    if len(first.shape) == 1 and first.elems is not None and index.elems is not None:
        made: list[Elem] = []
        for item in index.elems:
            if isinstance(item, Sym | str) or not -len(first.elems) <= item < len(first.elems):
                break
            made.append(first.elems[int(item)])
        else:
            return [Value(shape, elems=tuple(made))]
    found = op.out(shape)
    found.content = join(first.content, index.content, index.shape_deps)
    if first.elems is None:
        found.content = join(found.content, first.shape_deps)
    return [found]


def _gather_elements(op: Op) -> list[Value] | None:
    index = op.value(1)
    return [op.out(index.shape, rank=index.rank)] if index is not None else None


def _gather_nd(op: Op) -> list[Value] | None:
    first, index = op.shape(0), op.shape(1)
    batch = op.number("batch_dims", 0)
    if first is None or not index or not isinstance(index[-1], int):
        return None
    return [op.out(index[:-1] + first[batch + index[-1] :])]


def _slice(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    if op.version < 10:
        starts: tuple[Elem, ...] | None = op.ints("starts") or ()
        ends: tuple[Elem, ...] | None = op.ints("ends") or ()
        axes: tuple[Elem, ...] | None = op.ints("axes")
        steps: tuple[Elem, ...] | None = None
        by_input = False
    else:
        starts, ends = (v.elems if (v := op.value(i)) is not None else None for i in (1, 2))
        third, fourth = op.value(3), op.value(4)
        axes = third.elems if third is not None else None
        steps = fourth.elems if fourth is not None else None
        by_input = True
    if first.shape is None:
        return [op.out(None, rank=join(first.rank, op.decided(1, 2, 3, 4) if by_input else NONE))]
    rank = len(first.shape)
    if by_input and op.value(3) is not None and axes is None:
        return [op.out(op.opaque(rank, join(first.shape_deps, op.decided(1, 2, 3, 4))))]
    if axes is None:
        sizes = [
            s for v in (op.value(1), op.value(2)) if v is not None and (s := v.size) is not None
        ]
        count = len(starts or ends or ()) or (sizes[0] if sizes else rank)
        axes = tuple(range(min(count, rank)))
    known = _axes(op, axes, rank)
    if known is None:
        return [op.out(op.opaque(rank, join(first.shape_deps, op.decided(1, 2, 3, 4))))]
    dims = list(first.shape)
    exact = True
    for index, axis in enumerate(known):
        start, end, step = (
            (items[index] if items is not None and index < len(items) else None)
            for items in (starts, ends, steps)
        )
        if steps is None and (not by_input or op.value(4) is None):
            step = 1
        made = _window(op, dims[axis], start, end, step)
        if made is None:
            exact = False
            deps = join(deps_of(dims[axis]), op.decided(1, 2, 4) if by_input else NONE)
            dims[axis] = op.free(deps, "window", axis)
        else:
            dims[axis] = made
    shape = tuple(dims)
    if rank == 1 and first.elems is not None and exact and known == [0] and starts and ends:
        numbers = (starts[0], ends[0], steps[0] if steps else 1)
        if not any(isinstance(n, Sym | str) for n in numbers) and numbers[2]:
            a, b, c = (int(n) for n in numbers if not isinstance(n, Sym | str))
            if c > 0:
                return [Value(shape, elems=first.elems[max(a, -SMALL) : b : c])]
            stop = None if b < -len(first.elems) else b
            return [Value(shape, elems=first.elems[a:stop:c])]
    return [Value(shape, content=op.content, fill=first.fill)]


def _window(
    op: Op, size: Dim, start: Elem | None, end: Elem | None, step: Elem | None
) -> Dim | None:
    """The length of ``start:end:step`` of an axis; None when it is not decided here."""
    if start is None or end is None or step is None:
        return None
    if isinstance(start, str) or isinstance(end, str) or isinstance(step, str):
        return None
    if not isinstance(start, Sym) and not isinstance(end, Sym) and not isinstance(step, Sym):
        if isinstance(size, int):
            return len(range(size)[_clamp(start) : _clamp_end(end, step) : int(step) or 1])
        if start == 0 and end >= 1 << 30 and step == 1:
            return size
        deps = size.deps
        return op.free(deps, "window", _key(size), int(start), int(end), int(step))
    # From the beginning to its own size.
    if not isinstance(start, Sym) and start == 0 and end is size and step == 1:
        return size
    deps = join(deps_of(size), deps_of(start), deps_of(end), deps_of(step))
    made = op.it.shaped(deps, op.node, op.path)
    return op.free(made, "window", _key(size), _key(start), _key(end), _key(step))


def _clamp(number: float) -> int:
    return max(-(1 << 31), min(int(number), 1 << 31))


def _clamp_end(end: float, step: float) -> int | None:
    # Going backwards, a large negative end means "through the first element".
    return None if step < 0 and end < -(1 << 30) else _clamp(end)


def _concat(op: Op) -> list[Value] | None:
    values = [v for v in op.inputs if v is not None]
    if not values:
        return None
    shapes = [v.shape for v in values]
    if any(s is None for s in shapes):
        known = [s for s in shapes if s is not None]
        deps = union(values)[1]
        if known and known[0]:
            return [op.out(op.opaque(len(known[0]), deps))]
        return [op.out(None, rank=deps)]
    first = shapes[0] or ()
    rank = len(first)
    axis = op.number("axis", 1 if op.version < 4 else 0)
    if not rank or not -rank <= axis < rank or any(len(s or ()) != rank for s in shapes):
        op.it.defect("shape-error", f"{op.node.label}: ranks differ or lack the axis", op.path)
        return None
    axis %= rank
    dims: list[Dim] = list(first)
    for at in range(rank):
        for shape in shapes[1:]:
            other = (shape or ())[at]
            if at == axis:
                total = calculate(op.it, "add", dims[at], other)
                dims[at] = total if isinstance(total, int | Sym) else 0
            elif isinstance(dims[at], Sym) and isinstance(other, int):
                dims[at] = other
            elif isinstance(other, int) and isinstance(dims[at], int) and dims[at] != other:
                op.it.defect(
                    "shape-error", f"{op.node.label}: sizes {dims[at]} and {other} differ", op.path
                )
    elems: tuple[Elem, ...] | None = None
    if rank == 1 and all(v.elems is not None for v in values):
        elems = tuple(e for v in values for e in v.elems or ())
        elems = elems if len(elems) <= 4 * SMALL else None
    if elems is not None:
        return [Value(tuple(dims), elems=elems)]
    if rank == 1 and any(v.elems is not None for v in values):
        # Keep what is known beside what is not: a shape put together from several sources.
        mixed: list[Elem] = []
        for number, value in enumerate(values):
            size = value.size
            if value.elems is not None:
                mixed += value.elems
            elif size is not None and size <= SMALL:
                mixed += [
                    op.it.symbols.named(
                        "part", op.path, number, i, deps=value.content, positive=False
                    )
                    for i in range(size)
                ]
            else:
                break
        else:
            return [Value(tuple(dims), elems=tuple(mixed))]
    found = op.out(tuple(dims))
    fills = [v.one() for v in values]
    if fills[0] is not None and all(f == fills[0] for f in fills):
        found.fill = fills[0]
    return [found]


def _unsqueeze(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    axes = op.numbers(1, "axes")
    if axes is None:
        deps = join(op.decided(1), first.shape_deps)
        size = v.size if (v := op.value(1)) is not None else None
        if size is not None and first.shape is not None and size < 64:
            return [op.out(op.opaque(len(first.shape) + size, deps))]
        return [op.out(None, rank=deps)]
    if first.shape is None:
        return [op.out(None, rank=first.rank)]
    rank = len(first.shape) + len(axes)
    known = _axes(op, axes, rank)
    if known is None:
        return [op.out(op.opaque(rank, join(op.decided(1), first.shape_deps)))]
    rest = iter(first.shape)
    shape = tuple(1 if axis in known else next(rest, 1) for axis in range(rank))
    return [_kept(op, first, shape, NONE)]


def _squeeze(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    axes = op.numbers(1, "axes")
    if first.shape is None:
        return [op.out(None, rank=join(first.rank, op.decided(1)))]
    if axes is None and op.value(1) is not None:
        return [op.out(None, rank=join(op.decided(1), first.shape_deps))]
    if axes is None:
        if any(isinstance(d, Sym) for d in first.shape):
            # How many axes go depends on which sizes happen to be one.
            deps = first.shape_deps
            return [_kept(op, first, None, deps)]
        shape = tuple(d for d in first.shape if d != 1)
        return [_kept(op, first, shape, NONE)]
    known = _axes(op, axes, len(first.shape))
    if known is None:
        return [op.out(None, rank=join(op.decided(1), first.shape_deps))]
    for axis in known:
        size = first.shape[axis]
        if isinstance(size, int) and size != 1:
            op.it.defect(
                "shape-error", f"{op.node.label}: removes axis {axis} of size {size}", op.path
            )
    shape = tuple(d for axis, d in enumerate(first.shape) if axis not in known)
    return [_kept(op, first, shape, NONE)]


def _flatten(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    if first.shape is None:
        return [_kept(op, first, op.opaque(2, first.rank), NONE)]
    axis = op.number("axis", 1)
    axis += len(first.shape) if axis < 0 else 0
    return [_kept(op, first, (op.mul(first.shape[:axis]), op.mul(first.shape[axis:])), NONE)]


def _transpose(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    if first.shape is None:
        return [op.out(None, rank=first.rank)]
    order = op.ints("perm") or tuple(range(len(first.shape)))[::-1]
    if sorted(order) != list(range(len(first.shape))):
        op.it.defect(
            "shape-error",
            f"{op.node.label}: {order} permutes no tensor of rank {len(first.shape)}",
            op.path,
        )
        return None
    shape = tuple(first.shape[axis] for axis in order)
    found = op.out(shape, fill=first.fill)
    if len(shape) < 2 and first.elems is not None:
        found = Value(shape, elems=first.elems)
    return [found]


def _expand(op: Op) -> list[Value] | None:
    first = op.value(0)
    wanted, rank = _from_elems(op, 1)
    if first is None:
        return None
    if wanted is None or first.shape is None:
        return [op.out(None, rank=join(rank, first.shape_deps, op.decided(1)), fill=first.one())]
    found = broadcast(op, [first.shape, wanted], [first])
    found.fill = first.one()
    size = found.size
    if found.fill is not None and size is not None and size <= SMALL:
        found.elems = (found.fill,) * size
    found.content = join(first.content, op.content)
    if found.fill is not None:
        found.content = deps_of(found.fill)
    return [found]


def _tile(op: Op) -> list[Value] | None:
    first, repeats = op.value(0), op.value(1)
    if first is None:
        return None
    if first.shape is None:
        return [op.out(None, rank=join(first.rank, op.decided(1)))]
    times = repeats.elems if repeats is not None else None
    if times is None or len(times) != len(first.shape):
        return [op.out(op.opaque(len(first.shape), join(first.shape_deps, op.decided(1))))]
    dims = []
    for size, count in zip(first.shape, times, strict=True):
        total = calculate(op.it, "mul", size, op.dim(count))
        dims.append(total if isinstance(total, int | Sym) else 0)
    return [op.out(tuple(dims), fill=first.one())]


def _pad(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    pads = op.numbers(1, "pads" if "pads" in op.node.attributes else "paddings")
    axes_given = op.value(3)
    if first.shape is None:
        return [op.out(None, rank=join(first.rank, op.decided(1, 3)))]
    rank = len(first.shape)
    axes: list[int] | None = list(range(rank))
    if axes_given is not None:
        axes = _axes(op, axes_given.elems, rank) if axes_given.elems is not None else None
    if pads is None or axes is None or len(pads) != 2 * len(axes):
        return [op.out(op.opaque(rank, join(first.shape_deps, op.decided(1, 3))))]
    dims = list(first.shape)
    for index, axis in enumerate(axes):
        before, after = op.signed(pads[index]), op.signed(pads[index + len(axes)])
        total = calculate(op.it, "add", calculate(op.it, "add", dims[axis], before), after)
        dims[axis] = total if isinstance(total, int | Sym) else 0
    return [op.out(tuple(dims))]


def _range(op: Op) -> list[Value] | None:
    parts = [v.one() if v is not None else None for v in (op.value(0), op.value(1), op.value(2))]
    if all(p is not None and not isinstance(p, Sym | str) for p in parts):
        start, limit, step = (p for p in parts if not isinstance(p, Sym | str) and p is not None)
        if step:
            count = max(0, math.ceil((limit - start) / step))
            elems = tuple(start + i * step for i in range(count)) if count <= SMALL else None
            return [Value((count,), elems=elems)]
    start_, limit_, step_ = parts
    if (
        isinstance(limit_, Sym)
        and start_ is not None
        and step_ is not None
        and not isinstance(start_, Sym | str)
        and not isinstance(step_, Sym | str)
        and start_ == 0
        and step_ == 1
    ):
        size = op.dim(limit_)
        return [Value((size,), content=deps_of(size))]
    deps = op.decided(0, 1, 2)
    return [Value((op.free(deps, "count"),), content=op.content)]


def _nonzero(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    rank: Dim = len(first.shape) if first.shape is not None else op.free(first.rank, "rank")
    one = first.one()
    count: Dim
    if first.elems is not None and not any(isinstance(e, Sym) for e in first.elems):
        hits = [i for i, e in enumerate(first.elems) if e]
        if first.shape is not None and len(first.shape) == 1:
            return [Value((1, len(hits)), elems=tuple(hits))]
        count = len(hits)
    elif one is not None and not isinstance(one, Sym) and first.shape is not None:
        count = op.mul(first.shape) if one else 0
    else:
        contents = join(first.content, first.shape_deps)
        count = op.free(op.it.shaped(contents, op.node, op.path), "count")
    return [Value((rank, count), content=op.content)]


def _split(op: Op) -> list[Value] | None:
    first = op.value(0)
    number = len(op.node.outputs)
    if first is None:
        return None
    sizes = op.numbers(1, "split")
    if first.shape is None:
        deps = join(first.rank, op.decided(1))
        return [op.out(None, rank=deps) for _ in range(number)]
    axis = op.number("axis", 0)
    if not -len(first.shape) <= axis < len(first.shape):
        return None
    axis %= len(first.shape)
    whole = first.shape[axis]
    if isinstance(whole, int):
        given = [n for n in sizes or () if not isinstance(n, Sym | str)]
        if sizes and len(given) == len(sizes) and sum(given) != whole:
            op.it.defect(
                "shape-error",
                f"{op.node.label}: parts of {sum(given)} of a size of {whole}",
                op.path,
            )
        if not sizes and op.value(1) is None and number > 0 and op.version < 18 and whole % number:
            op.it.defect(
                "shape-error", f"{op.node.label}: {whole} does not split into {number}", op.path
            )
    found: list[Value] = []
    for index in range(number):
        size: Dim
        if sizes is not None and index < len(sizes):
            size = op.dim(sizes[index])
        elif op.value(1) is not None:
            size = op.free(join(op.decided(1), deps_of(whole)), "part", index)
        elif isinstance(whole, int):
            chunk = -(-whole // number)
            size = max(0, min(chunk, whole - index * chunk))
        else:
            size = op.free(whole.deps, "part", index)
        shape = (*first.shape[:axis], size, *first.shape[axis + 1 :])
        value = op.out(shape)
        if first.elems is not None and len(first.shape) == 1 and isinstance(size, int):
            start = sum(d if isinstance(d, int) else 0 for v in found for d in (v.shape or ())[:1])
            if all(isinstance((v.shape or (0,))[0], int) for v in found):
                value = Value(shape, elems=first.elems[start : start + size])
        found.append(value)
    return found


def _topk(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    if first.shape is None:
        return [op.out(None, rank=join(first.rank, op.decided(1))) for _ in range(2)]
    axis = op.number("axis", -1)
    if not -len(first.shape) <= axis < len(first.shape):
        return None
    axis %= len(first.shape)
    given = op.value(1)
    size: Dim
    if given is not None:
        one = given.one()
        size = op.dim(one) if one is not None else op.free(op.decided(1), "k")
    else:
        size = op.number("k", 1)
    shape = (*first.shape[:axis], size, *first.shape[axis + 1 :])
    return [op.out(shape), op.out(shape)]


def _onehot(op: Op) -> list[Value] | None:
    first, depth = op.value(0), op.value(1)
    if first is None or depth is None:
        return None
    one = depth.one()
    size = op.dim(one) if one is not None else op.free(op.decided(1), "depth")
    if first.shape is None:
        return [op.out(None, rank=join(first.rank, deps_of(size)))]
    rank = len(first.shape) + 1
    axis = op.number("axis", -1)
    if not -rank <= axis < rank:
        return None
    axis %= rank
    return [op.out((*first.shape[:axis], size, *first.shape[axis:]))]


def _arg(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None or first.shape is None:
        return None
    axis = op.number("axis", 0)
    if not -len(first.shape) <= axis < max(len(first.shape), 1):
        return None
    axis %= max(len(first.shape), 1)
    kept: Shape = (1,) if op.number("keepdims", 1) else ()
    return [op.out(first.shape[:axis] + kept + first.shape[axis + 1 :])]


def _matmul(op: Op) -> list[Value] | None:
    second = 3 if op.node.operator == "QLinearMatMul" else 1
    a, b = op.shape(0), op.shape(second)
    if not a or not b:
        return None
    left: Shape = a if len(a) > 1 else (1, *a)
    right: Shape = b if len(b) > 1 else (*b, 1)
    inner, other = left[-1], right[-2]
    if isinstance(inner, int) and isinstance(other, int) and inner != other:
        op.it.defect(
            "shape-error", f"{op.node.label}: inner sizes {inner} and {other} differ", op.path
        )
    lead = broadcast(op, [left[:-2], right[:-2]], op.inputs).shape or ()
    tail: Shape = ((left[-2],) if len(a) > 1 else ()) + ((right[-1],) if len(b) > 1 else ())
    return [op.out((*lead, *tail))]


def _gemm(op: Op) -> list[Value] | None:
    a, b = op.shape(0), op.shape(1)
    if a is None or b is None or len(a) != 2 or len(b) != 2:
        return None
    rows = a[1] if op.number("transA", 0) else a[0]
    columns = b[0] if op.number("transB", 0) else b[1]
    inner = a[0] if op.number("transA", 0) else a[1]
    other = b[1] if op.number("transB", 0) else b[0]
    if isinstance(inner, int) and isinstance(other, int) and inner != other:
        op.it.defect("gemm", f"{op.node.label}: inner sizes {inner} and {other} differ", op.path)
    return [op.out((rows, columns))]


def _convolve(op: Op) -> list[Value] | None:
    name = op.node.operator
    weights = op.shape(3 if name == "QLinearConv" else 1)
    x = op.shape(0)
    if x is None or len(x) < 3:
        return None
    spatial = len(x) - 2
    if "Pool" in name:
        kernel: Sequence[Dim] | None = op.ints("kernel_shape")
        channels: Dim = x[1]
    else:
        if weights is None or len(weights) != len(x):
            return None
        kernel = op.ints("kernel_shape") or weights[2:]
        channels = weights[0]
        group = op.number("group", 1)
        per = weights[1]
        if isinstance(x[1], int) and isinstance(per, int) and x[1] != per * group:
            op.it.defect(
                "predict",
                f"{op.node.label}: {x[1]} channels where {per * group} are due",
                op.path,
            )
    strides = op.ints("strides") or (1,) * spatial
    dilations = op.ints("dilations") or (1,) * spatial
    pads = op.ints("pads") or (0,) * (2 * spatial)
    auto = op.text("auto_pad", "NOTSET")
    up = bool(op.number("ceil_mode", 0))
    if (
        kernel is None
        or not len(kernel) == len(strides) == len(dilations) == len(pads) // 2 == spatial
    ):
        return None
    dims: list[Dim] = [x[0], channels]
    for axis in range(spatial):
        size, width, stride = x[2 + axis], kernel[axis], strides[axis]
        if not isinstance(size, int) or not isinstance(width, int) or stride < 1:
            deps = join(deps_of(size), deps_of(width))
            dims.append(op.free(deps, "spatial", axis))
            continue
        if auto.startswith("SAME"):
            dims.append(-(-size // stride))
            continue
        extent = (width - 1) * dilations[axis] + 1
        padding = 0 if auto == "VALID" else pads[axis] + pads[axis + spatial]
        room = size + padding - extent
        dims.append(max(0, (-(-room // stride) if up else room // stride) + 1))
    return [op.out(tuple(dims)) for _ in range(max(1, len(op.node.outputs)))]


def _global_pool(op: Op) -> list[Value] | None:
    x = op.shape(0)
    if x is None or len(x) < 2:
        return None
    return [op.out((*x[:2], *(1 for _ in x[2:])))]


def _normalise(op: Op) -> list[Value] | None:
    """First output like the first input, the rest like the scale."""
    x, scale = op.value(0), op.value(1)
    if x is None:
        return None
    return [op.out(x.shape, rank=x.rank)] + [
        op.out(scale.shape, rank=scale.rank) if scale is not None else op.out(None)
        for _ in op.node.outputs[1:]
    ]


def _dropout(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None:
        return None
    return [
        Value(x.shape, content=x.content, rank=x.rank, elems=x.elems, fill=x.fill),
        op.out(x.shape, rank=x.rank),
    ]


def _recurrent(op: Op) -> list[Value] | None:
    x, r = op.shape(0), op.shape(2)
    hidden: Dim | None = op.number("hidden_size", 0) or (r[-1] if r else None)
    if x is None or len(x) != 3 or hidden is None:
        return None
    ways = 2 if op.text("direction", "forward") == "bidirectional" else 1
    if op.number("layout", 0):
        batch, steps = x[0], x[1]
        found = [(batch, steps, ways, hidden), (batch, ways, hidden), (batch, ways, hidden)]
    else:
        steps, batch = x[0], x[1]
        found = [(steps, ways, batch, hidden), (ways, batch, hidden), (ways, batch, hidden)]
    return [op.out(shape) for shape in found]


def _resize(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    upsample = op.node.operator == "Upsample"
    scales_at, sizes_at = (1, 9) if upsample or op.version < 11 else (2, 3)
    scales, sizes = op.value(scales_at), op.value(sizes_at)
    attribute = op.node.attributes.get("scales")
    if first.shape is None:
        return [op.out(None, rank=join(first.rank, op.decided(scales_at, sizes_at)))]
    rank = len(first.shape)
    axes: Sequence[int] = range(rank)
    if op.ints("axes"):
        axes = [a % rank for a in op.ints("axes") or () if rank]
    dims = list(first.shape)
    if sizes is not None and sizes.size != 0:
        if sizes.elems is None or len(sizes.elems) != len(axes):
            return [op.out(op.opaque(rank, join(first.shape_deps, op.decided(sizes_at))))]
        for axis, item in zip(axes, sizes.elems, strict=True):
            dims[axis] = op.dim(item)
        if op.text("keep_aspect_ratio_policy", "stretch") != "stretch":
            dims = list(op.opaque(rank, join(first.shape_deps, op.decided(sizes_at))))
        return [op.out(tuple(dims))]
    factors: Sequence[Elem] | None = None
    if scales is not None:
        factors = scales.elems
    elif attribute is not None:
        factors = attribute.reals
    if factors is None or len(factors) != len(axes):
        return [op.out(op.opaque(rank, join(first.shape_deps, op.decided(scales_at))))]
    for axis, factor in zip(axes, factors, strict=True):
        size = dims[axis]
        if isinstance(factor, Sym) or isinstance(size, Sym) or isinstance(factor, str):
            if not isinstance(factor, Sym | str) and factor == 1:
                continue
            deps = op.it.shaped(join(deps_of(size), deps_of(factor)), op.node, op.path)
            dims[axis] = op.free(deps, "scaled", axis)
        else:
            dims[axis] = math.floor(size * factor)
    return [op.out(tuple(dims))]


def _einsum(op: Op) -> list[Value] | None:
    equation = op.text("equation", "").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if "." in equation or len(terms) != len(op.inputs):
        return None
    sizes: dict[str, Dim] = {}
    for term, value in zip(terms, op.inputs, strict=True):
        if value is None or value.shape is None or len(value.shape) != len(term):
            return None
        for letter, dim in zip(term, value.shape, strict=True):
            if not isinstance(sizes.get(letter), int) or sizes.get(letter) == 1:
                sizes[letter] = dim
    if not arrow:
        right = "".join(sorted(c for c in set(left) if left.count(c) == 1 and c != ","))
    if any(letter not in sizes for letter in right):
        return None
    return [op.out(tuple(sizes[letter] for letter in right))]


def _rows(op: Op) -> list[Value] | None:
    """Predictors of ai.onnx.ml: one row an example, columns fixed by the model."""
    x = op.value(0)
    if x is None or x.shape is None:
        return None
    rows: Dim = x.shape[0] if len(x.shape) > 1 else 1
    labels = op.node.operator.endswith("Classifier")
    columns = op.free(NONE, "columns")
    if labels:
        return [op.out((rows,)), op.out((rows, columns))]
    targets = op.number("n_targets", 0) or op.number("targets", 0) or None
    return [op.out((rows, targets if targets is not None else columns))]


def _feature_vector(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None or x.shape is None or len(x.shape) < 1:
        return None
    rows: Dim = x.shape[0] if len(x.shape) > 1 else 1
    return [op.out((rows, op.free(NONE, "columns")))]


def _one_hot_encoder(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None or x.shape is None:
        return None
    return [op.out((*x.shape, op.free(NONE, "categories")))]


def _array_feature_extractor(op: Op) -> list[Value] | None:
    x, y = op.value(0), op.value(1)
    if x is None or y is None or x.shape is None:
        return None
    size = y.size
    last: Dim = size if size is not None else op.free(y.shape_deps, "chosen")
    lead: Shape = x.shape[:-1] if len(x.shape) > 1 else (1,)
    return [op.out((*lead, last))]


def _zipmap(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None:
        return None
    length: Dim | None = None
    if x.shape is not None:
        length = x.shape[0] if len(x.shape) > 1 else 1
    else:
        length = op.free(x.rank, "rows")
    return [Value((), content=op.content, length=length)]


def _cast_map(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None:
        return None
    if op.text("map_form", "DENSE") == "SPARSE":
        return [op.out((1, op.number("max_map", 1)))]
    return [op.out((1, op.free(op.decided(0), "entries")))]


def _dict_vectorizer(op: Op) -> list[Value] | None:
    return [op.out((1, op.free(NONE, "vocabulary")))]


def _compress(op: Op) -> list[Value] | None:
    first, mask = op.value(0), op.value(1)
    if first is None or mask is None:
        return None
    count: Dim
    if mask.elems is not None and not any(isinstance(e, Sym) for e in mask.elems):
        count = sum(bool(e) for e in mask.elems)
    else:
        count = op.free(join(op.decided(1), mask.shape_deps), "count")
    axis = op.node.attributes.get("axis")
    if axis is None or axis.number is None:
        return [op.out((count,))]
    if first.shape is None or not -len(first.shape) <= axis.number < len(first.shape):
        return None
    at = axis.number % len(first.shape)
    return [op.out((*first.shape[:at], count, *first.shape[at + 1 :]))]


def _nms(op: Op) -> list[Value] | None:
    most = op.value(2)
    if most is None or most.one() == 0:
        return [op.out((0, 3))]
    contents, shapes = union(op.inputs)
    deps = op.it.shaped(join(contents, shapes), op.node, op.path)
    return [op.out((op.free(deps, "count"), 3))]


def _unique(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return None
    deps = op.it.shaped(join(first.content, first.shape_deps), op.node, op.path)
    count: Dim = op.free(deps, "count")
    known = first.elems is not None and not any(isinstance(e, Sym) for e in first.elems)
    if known and ("axis" not in op.node.attributes or len(first.shape or ()) == 1):
        count = len(set(first.elems or ()))
    shape: Shape | None = (count,)
    axis = op.node.attributes.get("axis")
    whole = op.mul(first.shape) if first.shape is not None else op.free(first.rank, "all")
    if axis is not None and axis.number is not None and first.shape is not None:
        at = axis.number % max(len(first.shape), 1)
        whole = first.shape[at] if at < len(first.shape) else whole
        shape = (*first.shape[:at], count, *first.shape[at + 1 :])
    return [op.out(shape), op.out((count,)), op.out((whole,)), op.out((count,))]


def _sequence_construct(op: Op) -> list[Value] | None:
    items = tuple(v if v is not None else Value(None) for v in op.inputs)
    return [_sequence(op, items)]


def _sequence(op: Op, items: tuple[Value, ...]) -> Value:
    shape, rank = _common(op, items)
    return Value(shape, content=op.content, rank=rank, items=items, length=len(items))


def _common(op: Op, items: Sequence[Value]) -> tuple[Shape | None, Deps]:
    """A shape that stands for all of them; sizes that differ are constants not known."""
    deps = union(items)[1]
    shapes = [v.shape for v in items]
    first = shapes[0] if shapes else None
    if first is None or any(s is None or len(s) != len(first) for s in shapes):
        return None, deps
    dims: list[Dim] = []
    for axis, dim in enumerate(first):
        same = all(
            d is dim or (isinstance(d, int) and isinstance(dim, int) and d == dim)
            for d in (s[axis] for s in shapes if s is not None)
        )
        dims.append(dim if same else op.free(deps, "any", axis))
    return tuple(dims), NONE


def _sequence_empty(op: Op) -> list[Value] | None:
    return [Value(None, items=(), length=0)]


def _sequence_insert(op: Op) -> list[Value] | None:
    sequence, item = op.value(0), op.value(1)
    if sequence is None or item is None:
        return None
    at = op.value(2)
    if sequence.items is not None and at is None and len(sequence.items) < 256:
        return [_sequence(op, (*sequence.items, item))]
    length = calculate(op.it, "add", sequence.length if sequence.length is not None else 0, 1)
    if sequence.items is not None and not sequence.items:
        return [_sequence(op, (item,))]
    shape, rank = _common(op, [*(sequence.items or (sequence,)), item])
    return [
        Value(
            shape,
            content=op.content,
            rank=rank,
            length=length if isinstance(length, int | Sym) else None,
            type=sequence.type,
        )
    ]


def _sequence_erase(op: Op) -> list[Value] | None:
    sequence = op.value(0)
    if sequence is None:
        return None
    length = calculate(op.it, "sub", sequence.length if sequence.length is not None else 1, 1)
    if sequence.items is not None and op.value(1) is None:
        return [_sequence(op, sequence.items[:-1])]
    shape, rank = sequence.shape, sequence.rank
    if sequence.items:
        shape, rank = _picked(op, sequence.items, 1)
    return [
        Value(
            shape,
            content=op.content,
            rank=rank,
            length=length if isinstance(length, int | Sym) else None,
        )
    ]


def _picked(op: Op, items: Sequence[Value], index: int) -> tuple[Shape | None, Deps]:
    """The shape of an item that the contents of an input choose."""
    shape, rank = _common(op, items)
    if shape is not None and all(
        v.shape is not None
        and all(
            a is b or (isinstance(a, int) and isinstance(b, int) and a == b)
            for a, b in zip(v.shape, shape, strict=True)
        )
        for v in items
    ):
        return shape, rank
    deps = join(op.decided(index), union(items)[1])
    return (op.opaque(len(shape), deps) if shape is not None else None), deps


def _sequence_at(op: Op) -> list[Value] | None:
    sequence, at = op.value(0), op.value(1)
    if sequence is None:
        return None
    one = at.one() if at is not None else None
    items = sequence.items or ()
    if one is not None and not isinstance(one, Sym | str) and -len(items) <= one < len(items):
        return [items[int(one)]]
    if sequence.items:
        shape, rank = _picked(op, sequence.items, 1)
        return [op.out(shape, rank=rank)]
    return [op.out(sequence.shape, rank=sequence.rank)]


def _sequence_length(op: Op) -> list[Value] | None:
    sequence = op.value(0)
    if sequence is None or sequence.length is None:
        return [Value((), content=sequence.content if sequence else NONE)]
    return [Value((), elems=(sequence.length,))]


def _concat_from_sequence(op: Op) -> list[Value] | None:
    sequence = op.value(0)
    if sequence is None:
        return None
    new = op.number("new_axis", 0)
    axis = op.number("axis", 0)
    if sequence.shape is None:
        return [op.out(None, rank=sequence.shape_deps)]
    if new:
        length = sequence.length if sequence.length is not None else op.free(NONE, "length")
        at = axis % (len(sequence.shape) + 1)
        return [op.out((*sequence.shape[:at], length, *sequence.shape[at:]))]
    if not sequence.shape:
        return None
    at = axis % len(sequence.shape)
    total: Dim
    if sequence.items is not None and all(v.shape is not None for v in sequence.items):
        sizes = [v.shape[at] for v in sequence.items if v.shape is not None and at < len(v.shape)]
        count: Elem = 0
        for size in sizes:
            count = calculate(op.it, "add", count, size)
        total = count if isinstance(count, int | Sym) else 0
    else:
        total = op.free(sequence.shape_deps, "total")
    return [op.out((*sequence.shape[:at], total, *sequence.shape[at + 1 :]))]


def _split_to_sequence(op: Op) -> list[Value] | None:
    first, split = op.value(0), op.value(1)
    if first is None:
        return None
    if first.shape is None:
        return [
            op.out(None, rank=join(first.rank, op.decided(1)), length=op.free(first.rank, "length"))
        ]
    axis = op.number("axis", 0)
    if not -len(first.shape) <= axis < len(first.shape):
        return None
    axis %= len(first.shape)
    whole = first.shape[axis]
    if split is None:
        keep: Shape = (1,) if op.number("keepdims", 1) else ()
        shape = first.shape[:axis] + keep + first.shape[axis + 1 :]
        return [op.out(shape, length=whole)]
    deps = join(op.decided(1), deps_of(whole))
    if split.elems is not None and split.shape and len(split.elems) <= SMALL:
        items = tuple(
            op.out((*first.shape[:axis], op.dim(e), *first.shape[axis + 1 :])) for e in split.elems
        )
        return [_sequence(op, items)]
    size = op.free(deps, "part")
    length: Dim = op.free(deps, "length")
    if split.shape is not None and len(split.shape) == 1:
        length = split.shape[0]
    return [op.out((*first.shape[:axis], size, *first.shape[axis + 1 :]), length=length)]


def _optional_has(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return [Value((), elems=(False,))]
    if first.type is not None and not first.type.startswith("optional("):
        return [Value((), elems=(True,))]
    return [Value((), content=first.content)]


def _optional(op: Op) -> list[Value] | None:
    first = op.value(0)
    if first is None:
        return [Value(None)]
    return [
        Value(first.shape, content=first.content, rank=first.rank, items=first.items, length=first.length,
              elems=first.elems, fill=first.fill)
    ]  # fmt: skip


def _mod_shape(op: Op) -> list[Value] | None:
    """DepthToSpace and SpaceToDepth."""
    x = op.shape(0)
    block = op.number("blocksize", 1)
    if x is None or len(x) != 4 or block < 1:
        return None
    dims: list[Dim] = [x[0]]
    down = op.node.operator == "DepthToSpace"
    for axis, dim in enumerate(x[1:]):
        shrink = down == (axis == 0)
        factor = block * block if axis == 0 else block
        if isinstance(dim, int):
            dims.append(dim // factor if shrink else dim * factor)
        else:
            dims.append(op.free(dim.deps, "block", axis))
    return [op.out(tuple(dims))]


def _random(op: Op) -> list[Value] | None:
    shape = op.ints("shape")
    return [Value(tuple(shape or ()), content=frozenset({("data", op.path)}))]


def _multinomial(op: Op) -> list[Value] | None:
    x = op.shape(0)
    if not x:
        return None
    found = op.out((x[0], op.number("sample_size", 1)))
    found.content = join(found.content, frozenset({("data", op.path)}))
    return [found]


def _det(op: Op) -> list[Value] | None:
    x = op.shape(0)
    return [op.out(x[:-2])] if x is not None and len(x) >= 2 else None


def _dynamic_quantize(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None:
        return None
    return [op.out(x.shape, rank=x.rank), op.out(()), op.out(())]


def _layer_norm(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None:
        return None
    axis = op.number("axis", -1)
    found = [op.out(x.shape, rank=x.rank)]
    for _ in op.node.outputs[1:]:
        if x.shape is not None and -len(x.shape) <= axis < len(x.shape):
            at = axis % len(x.shape)
            found.append(op.out((*x.shape[:at], *(1 for _ in x.shape[at:]))))
        else:
            found.append(op.out(None, rank=x.shape_deps))
    return found


_HANDLERS: dict[str, Handler] = {
    "ArgMax": _arg,
    "ArgMin": _arg,
    "ArrayFeatureExtractor": _array_feature_extractor,
    "AveragePool": _convolve,
    "BatchNormalization": _normalise,
    "CastMap": _cast_map,
    "Compress": _compress,
    "Concat": _concat,
    "ConcatFromSequence": _concat_from_sequence,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _convolve,
    "ConvInteger": _convolve,
    "DepthToSpace": _mod_shape,
    "Det": _det,
    "DictVectorizer": _dict_vectorizer,
    "Dropout": _dropout,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "Einsum": _einsum,
    "Expand": _expand,
    "FeatureVectorizer": _feature_vector,
    "Flatten": _flatten,
    "GRU": _recurrent,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "GlobalLpPool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "LSTM": _recurrent,
    "LayerNormalization": _layer_norm,
    "LinearClassifier": _rows,
    "LinearRegressor": _rows,
    "LpPool": _convolve,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "MaxPool": _convolve,
    "Multinomial": _multinomial,
    "NonMaxSuppression": _nms,
    "NonZero": _nonzero,
    "OneHot": _onehot,
    "OneHotEncoder": _one_hot_encoder,
    "Optional": _optional,
    "OptionalGetElement": _optional,
    "OptionalHasElement": _optional_has,
    "Pad": _pad,
    "QLinearConv": _convolve,
    "QLinearMatMul": _matmul,
    "RNN": _recurrent,
    "RandomNormal": _random,
    "RandomUniform": _random,
    "Range": _range,
    "Reshape": _reshape,
    "Resize": _resize,
    "SVMClassifier": _rows,
    "SVMRegressor": _rows,
    "SequenceAt": _sequence_at,
    "SequenceConstruct": _sequence_construct,
    "SequenceEmpty": _sequence_empty,
    "SequenceErase": _sequence_erase,
    "SequenceInsert": _sequence_insert,
    "SequenceLength": _sequence_length,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "SpaceToDepth": _mod_shape,
    "Split": _split,
    "SplitToSequence": _split_to_sequence,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "TopK": _topk,
    "Transpose": _transpose,
    "TreeEnsembleClassifier": _rows,
    "TreeEnsembleRegressor": _rows,
    "Unique": _unique,
    "Unsqueeze": _unsqueeze,
    "Upsample": _resize,
    "ZipMap": _zipmap,
}
