"""Layers of networks: products, convolutions, pooling, normalisation, recurrence, resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditor.artifacts.onnx.operators.elementwise import broadcast
from auditor.artifacts.onnx.values import Dim, Elem, Shape, Sym, Value, deps_of, join

if TYPE_CHECKING:
    from auditor.artifacts.onnx.operators.op import Handler, Op


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


HANDLERS: dict[str, Handler] = {
    "AveragePool": _convolve,
    "BatchNormalization": _normalise,
    "Conv": _convolve,
    "ConvInteger": _convolve,
    "Det": _det,
    "Dropout": _dropout,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "Einsum": _einsum,
    "GRU": _recurrent,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "GlobalLpPool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "LSTM": _recurrent,
    "LayerNormalization": _layer_norm,
    "LpPool": _convolve,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "MaxPool": _convolve,
    "QLinearConv": _convolve,
    "QLinearMatMul": _matmul,
    "RNN": _recurrent,
    "Resize": _resize,
    "Upsample": _resize,
}
