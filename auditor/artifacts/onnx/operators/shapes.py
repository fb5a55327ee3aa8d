"""Operators that give, make and change shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditor.artifacts.onnx.operators.elementwise import axes_of, broadcast
from auditor.artifacts.onnx.operators.op import Handler, calculate
from auditor.artifacts.onnx.proto import SMALL
from auditor.artifacts.onnx.values import NONE, Deps, Dim, Elem, Shape, Sym, Value, deps_of, join

if TYPE_CHECKING:
    from auditor.artifacts.onnx.operators.op import Op


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
    known = axes_of(op, axes, rank)
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
    known = axes_of(op, axes, len(first.shape))
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
        axes = axes_of(op, axes_given.elems, rank) if axes_given.elems is not None else None
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


HANDLERS: dict[str, Handler] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _mod_shape,
    "Expand": _expand,
    "Flatten": _flatten,
    "Multinomial": _multinomial,
    "Pad": _pad,
    "RandomNormal": _random,
    "RandomUniform": _random,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "SpaceToDepth": _mod_shape,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
