"""Operators that pick, cut and join: gather, slice, concat, split and their kin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.artifacts.onnx.operators.elementwise import axes_of, key_of
from auditor.artifacts.onnx.operators.op import Handler, calculate
from auditor.artifacts.onnx.proto import SMALL
from auditor.artifacts.onnx.values import NONE, Dim, Elem, Shape, Sym, Value, deps_of, join, union

if TYPE_CHECKING:
    from auditor.artifacts.onnx.operators.op import Op


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
    known = axes_of(op, axes, rank)
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
        return op.free(deps, "window", key_of(size), int(start), int(end), int(step))
    # From the beginning to its own size.
    if not isinstance(start, Sym) and start == 0 and end is size and step == 1:
        return size
    deps = join(deps_of(size), deps_of(start), deps_of(end), deps_of(step))
    made = op.it.shaped(deps, op.node, op.path)
    return op.free(made, "window", key_of(size), key_of(start), key_of(end), key_of(step))


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


HANDLERS: dict[str, Handler] = {
    "ArgMax": _arg,
    "ArgMin": _arg,
    "Compress": _compress,
    "Concat": _concat,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "NonMaxSuppression": _nms,
    "NonZero": _nonzero,
    "OneHot": _onehot,
    "Slice": _slice,
    "Split": _split,
    "TopK": _topk,
    "Unique": _unique,
}
