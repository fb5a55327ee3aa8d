"""Sequences and optionals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditor.artifacts.onnx.operators.op import Handler, calculate
from auditor.artifacts.onnx.proto import SMALL
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
    from auditor.artifacts.onnx.operators.op import Op


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


HANDLERS: dict[str, Handler] = {
    "ConcatFromSequence": _concat_from_sequence,
    "Optional": _optional,
    "OptionalGetElement": _optional,
    "OptionalHasElement": _optional_has,
    "SequenceAt": _sequence_at,
    "SequenceConstruct": _sequence_construct,
    "SequenceEmpty": _sequence_empty,
    "SequenceErase": _sequence_erase,
    "SequenceInsert": _sequence_insert,
    "SequenceLength": _sequence_length,
    "SplitToSequence": _split_to_sequence,
}
