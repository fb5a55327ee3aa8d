"""What every artifact obeys that a library wrote: one that does not was damaged on the way.

A changed byte in the middle of a file often leaves a stream that an unpickler reads to its end.
Where what it says of itself contradicts itself, loading or the first use fails all the same.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from auditor.artifacts.facts import Items, Mapping, Opaque
from auditor.linking.compatibility import Reason
from auditor.linking.states import mapping_of, of_ref

if TYPE_CHECKING:
    from auditor.artifacts.facts import ObjectFacts, PickleFacts, Symbol
    from auditor.linking.compatibility import Effect

_HELP: Final = "Fetch or write the file again, and compare its checksum."


def damage_reasons(pickle: PickleFacts) -> Iterator[Reason]:
    """The first contradiction in the stream."""
    trees = 0
    doubt = ""
    for item in pickle.objects:
        doubt = doubt or _odd_value(pickle, item)
        if item.of == _TREE and trees < _MOST_TREES:
            trees += 1
            if what := _grown(pickle, item):
                yield _reason("predict", what, "")
                return
        found = _array(pickle, item) or _dtype(item) or _manager(pickle, item)
        if found is not None:
            what, error = found
            yield _reason("load", what, error)
            return
        if item.of.startswith("sklearn."):
            what = _names(item) or _trees(pickle, item)
            if what:
                yield _reason("predict", what, "")
                return
    if doubt:
        yield _reason("unknown", doubt, "")


def _reason(effect: Effect, what: str, error: str) -> Reason:
    certainly = "may have been" if effect == "unknown" else "was"
    return Reason(
        rule="CMP011",
        effect=effect,
        message=f"{certainly} damaged: it holds {what}",
        error=error,
        help=_HELP,
    )


# ---- NumPy ----

# The only form of an array's state with a number in front.
_ARRAY_FORM: Final = 1
_ARRAY_SIZE: Final = 5
_DTYPE_FORMS: Final = range(5)
# Letters of types whose number counts bytes, and those whose number counts characters of four.
_BYTES: Final = "biufcmMSVT"
_CHARACTERS: Final = "U"


def _array(pickle: PickleFacts, item: ObjectFacts) -> tuple[str, str] | None:
    """An array whose shape and type do not add up to its bytes."""
    state = item.state
    if (
        not item.callable.endswith("multiarray._reconstruct")
        or not isinstance(state, Items)
        or state.size != _ARRAY_SIZE
        or len(state.items) != _ARRAY_SIZE
    ):
        return None
    form, shape, dtype, _, raw = state.items
    if isinstance(form, int) and form != _ARRAY_FORM:
        return (
            f"an array in the form {form}, which no NumPy knows",
            f"ValueError: can't handle version {form} of numpy.ndarray pickle",
        )
    count = _count(shape)
    width = _width(of_ref(pickle, dtype))
    if count is None or width is None:
        return None
    if isinstance(raw, Items):
        size, width = raw.size, 1
    elif isinstance(raw, bytes):
        size = len(raw)
    elif isinstance(raw, Opaque) and raw.kind == "bytes":
        size = raw.size
    else:
        return None
    if count * width == size:
        return None
    return (
        f"an array of {count} values in {size} bytes",
        "ValueError: buffer size does not match array size",
    )


def _count(shape: Symbol) -> int | None:
    if not isinstance(shape, Items) or len(shape.items) != shape.size:
        return None
    count = 1
    for side in shape.items:
        if not isinstance(side, int):
            return None
        count *= side
    return count


def _width(dtype: ObjectFacts | None) -> int | None:
    """Bytes of one value; 1 for objects, which are counted; None when not known."""
    code = dtype.args[0] if dtype is not None and dtype.args else None
    if dtype is None or not isinstance(code, str) or not code[1:].isdigit():
        return None
    if code[0] == "O":
        return 1
    if code[0] in _CHARACTERS:
        return 4 * int(code[1:])
    return int(code[1:]) if code[0] in _BYTES else None


def _dtype(item: ObjectFacts) -> tuple[str, str] | None:
    state = item.state
    if item.callable != "numpy.dtype" or not isinstance(state, Items) or not state.items:
        return None
    form = state.items[0]
    if isinstance(form, int) and form not in _DTYPE_FORMS:
        return (
            f"a data type in the form {form}, which no NumPy knows",
            f"ValueError: can't handle version {form} of numpy.dtype pickle",
        )
    return None


# How many values of an array are looked at.
_MANY: Final = 1_000
# Beside these alone no value is odd: they say yes and no.
_FLAGS: Final = frozenset({0.0, 1.0})
# Significant digits of numbers that people write, and of those that one changed byte makes of them.
_WRITTEN: Final = 5
_CHANGED: Final = 9
# A smaller difference is what arithmetic leaves (0.30000000000000004).
_ROUNDING: Final = 1e-6
# Below it numbers have few digits because they have few bits.
_SMALLEST: Final = 1e-300


def _odd_value(pickle: PickleFacts, item: ObjectFacts) -> str:
    """An array in which one value is what a changed byte makes of one like the others."""
    raw, code = _plain(pickle, item)
    if not raw:
        return ""
    if code == "b1":
        odd_truth = next((byte for byte in raw if byte > 1), None)
        return f"a truth value of {odd_truth}" if odd_truth is not None else ""
    count = len(raw) // 8
    if len(raw) % 8 or not 1 < count <= _MANY:
        return ""
    if code == "f8":
        return _odd_real(struct.unpack(f"<{count}d", raw))
    return _odd_whole(struct.unpack(f"<{count}q", raw)) if code == "i8" else ""


def _plain(pickle: PickleFacts, item: ObjectFacts) -> tuple[bytes, str]:
    """(bytes, type) of an array in this machine's order that was kept whole."""
    state = item.state
    if not item.callable.endswith("multiarray._reconstruct") or not isinstance(state, Items):
        return b"", ""
    if len(state.items) != _ARRAY_SIZE:
        return b"", ""
    dtype = of_ref(pickle, state.items[2])
    code = dtype.args[0] if dtype is not None and dtype.args else None
    order = dtype.state if dtype is not None else None
    turned = isinstance(order, Items) and len(order.items) > 1 and order.items[1] == ">"
    if turned and code != "b1":
        return b"", ""
    raw = state.items[4]
    if isinstance(raw, Opaque) and raw.kind == "bytes" and len(raw.tail) == raw.size:
        raw = raw.tail
    return (raw, code) if isinstance(raw, bytes) and isinstance(code, str) else (b"", "")


def _odd_real(values: tuple[float, ...]) -> str:
    odd: float | None = None
    for value in values:
        digits = _digits(value)
        if digits <= _WRITTEN:
            continue
        if odd is not None or digits < _CHANGED:
            return ""
        odd = value
    if odd is None or {*values} <= {*_FLAGS, odd} or _near(float(f"{odd:.{_WRITTEN}g}"), odd):
        return ""
    raw = struct.pack("<d", odd)
    changed = False
    for place in range(8):
        for byte in range(256):
            (other,) = struct.unpack("<d", raw[:place] + bytes([byte]) + raw[place + 1 :])
            if math.isfinite(other) and _digits(other) <= _WRITTEN and abs(other) > _SMALLEST:
                changed = True
    return (
        f"the number {odd!r} among {len(values) - 1} with few digits, and one changed byte "
        "makes it of such a number"
        if changed
        else ""
    )


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _ROUNDING * abs(other)


def _digits(value: float) -> int:
    """Significant digits of a number as it is written; none of what is no number."""
    if not math.isfinite(value):
        return 0
    return len(repr(value).partition("e")[0].lstrip("-").replace(".", "").strip("0"))


def _odd_whole(values: tuple[int, ...]) -> str:
    low, odd = sorted(values)[-2:]
    least = min(values)
    if len(values) < 3 or least < 0 or odd <= max(low, 1) << 8:
        return ""
    for place in range(2, 8):
        rest = odd & ~(0xFF << 8 * place)
        if rest != odd and 0 < rest <= low and rest >= least:
            return (
                f"the number {odd} among {len(values) - 1} up to {low}, from one of which it differs "
                "in a single byte"
            )
    return ""


# ---- pandas ----

# Under this key a block manager's state names its axes and blocks.
_MANAGER: Final = "0.14.1"


def _manager(pickle: PickleFacts, item: ObjectFacts) -> tuple[str, str] | None:
    """A frame whose blocks do not hold as many columns as it has."""
    if not item.of.endswith(".BlockManager"):
        return None
    axes, places = _blocks(pickle, item)
    wanted = _length(pickle, axes.items[0]) if axes is not None and axes.items else None
    held = 0
    for symbol in places or ():
        width = _wide(of_ref(pickle, symbol))
        if width is None:
            return None
        held += width
    if wanted is None or places is None or held == wanted:
        return None
    return (
        f"a frame of {wanted} columns whose blocks hold {held}",
        "AssertionError: Number of manager items must equal union of block items",
    )


def _blocks(pickle: PickleFacts, item: ObjectFacts) -> tuple[Items | None, list[Symbol] | None]:
    """(axes, where each block stands), as pandas before 1.3 and since keeps them."""
    axes: Symbol = None
    blocks: Symbol = None
    places: list[Symbol] = []
    if isinstance(item.state, Items) and item.state.items:
        named = item.state.items[-1]
        layout = named.get(_MANAGER) if isinstance(named, Mapping) else None
        if isinstance(layout, Mapping):
            axes, blocks = layout.get("axes"), layout.get("blocks")
        if isinstance(blocks, Items):
            places = [b.get("mgr_locs") for b in blocks.items if isinstance(b, Mapping)]
    elif item.how == "REDUCE" and len(item.args) == 2:
        blocks, axes = item.args
        made = [of_ref(pickle, b) for b in blocks.items] if isinstance(blocks, Items) else []
        places = [b.args[1] for b in made if b is not None and len(b.args) == 3]
    whole = isinstance(blocks, Items) and len(places) == blocks.size
    return (axes if isinstance(axes, Items) else None), (places if whole else None)


def _wide(place: ObjectFacts | None) -> int | None:
    """How many columns a slice takes."""
    if place is None or place.callable != "builtins.slice" or len(place.args) != 3:
        return None
    first, last, step = place.args
    if not isinstance(first, int) or not isinstance(last, int) or not isinstance(step, int):
        return None
    return len(range(first, last, step)) if step else None


def _length(pickle: PickleFacts, index: Symbol) -> int | None:
    """How many labels an index has."""
    found = of_ref(pickle, index)
    given = found.args[1] if found is not None and len(found.args) == 2 else None
    if found is None or not found.callable.endswith("._new_Index"):
        return None
    data = of_ref(pickle, given.get("data")) if isinstance(given, Mapping) else None
    state = data.state if data is not None else None
    if data is None or data.of != "numpy.ndarray" or not isinstance(state, Items):
        return None
    return _count(state.items[1]) if len(state.items) == _ARRAY_SIZE else None


# ---- scikit-learn ----

_FORESTS: Final = ("sklearn.ensemble._forest.", "sklearn.ensemble.forest.")
# What every tree of a forest has in common with it.
_SHARED: Final = ("n_features_in_", "n_features_", "n_outputs_")


def _names(item: ObjectFacts) -> str:
    """An estimator's attribute whose name is not text."""
    state = mapping_of(item)
    for key, _ in state.pairs if state is not None else ():
        if not isinstance(key, str | Opaque):
            return f"an attribute of {item.of.rpartition('.')[2]} whose name is not text"
    return ""


def _trees(pickle: PickleFacts, item: ObjectFacts) -> str:
    """A tree that was fitted on other data than its forest."""
    state = mapping_of(item) if item.of.startswith(_FORESTS) else None
    trees = state.get("estimators_") if state is not None else None
    for symbol in trees.items if isinstance(trees, Items) else ():
        tree = of_ref(pickle, symbol)
        inner = mapping_of(tree) if tree is not None else None
        for name in _SHARED:
            ours = state.get(name) if state is not None else None
            theirs = inner.get(name) if inner is not None else None
            if isinstance(ours, int) and isinstance(theirs, int) and ours != theirs:
                return f"a forest with {name} {ours} and a tree in it with {theirs}"
    return ""


# ---- decision trees ----

_TREE: Final = "sklearn.tree._tree.Tree"
# Small trees are kept whole; this many of them are looked at.
_MOST_TREES: Final = 100
# left, right, feature, threshold, impurity, samples, their weight: 64-bit numbers in a row.
_NODE: Final = struct.Struct("<qqqddqd")
_LEAF: Final = -1
_CLOSE: Final = 1e-6


def _grown(pickle: PickleFacts, item: ObjectFacts) -> str:
    """A tree whose nodes lead nowhere, ask what was decided, or end in shares of no whole."""
    state = mapping_of(item)
    raw, width = _bytes_of(pickle, state.get("nodes") if state is not None else None)
    columns = item.args[0] if item.args else None
    if state is None or width not in (_NODE.size, _NODE.size + 8) or not isinstance(columns, int):
        return ""
    nodes = [_NODE.unpack_from(raw, at) for at in range(0, len(raw) - width + 1, width)]
    seen: set[int] = set()
    pending: list[tuple[int, dict[int, tuple[float, float]]]] = [(0, {})] if nodes else []
    while pending:
        place, bounds = pending.pop()
        left, right, feature, threshold = nodes[place][:4]
        if left == _LEAF:
            continue
        for child in (left, right):
            if not place < child < len(nodes) or child in seen:
                return f"a tree whose node {place} leads to {child}"
            seen.add(child)
        if not 0 <= feature < columns:
            return f"a tree that asks for column {feature} of {columns}"
        low, high = bounds.get(feature, (-math.inf, math.inf))
        if not low <= threshold <= high:
            return f"a tree that asks again what it has decided (column {feature}, {threshold:g})"
        pending.append((left, bounds | {feature: (low, threshold)}))
        pending.append((right, bounds | {feature: (threshold, high)}))
    return _shares(pickle, state, nodes)


def _shares(pickle: PickleFacts, state: Mapping, nodes: list[tuple[float, ...]]) -> str:
    """Classes of a node add up to one, or to the weight of its samples."""
    raw, width = _bytes_of(pickle, state.get("values"))
    count = len(raw) // 8 // len(nodes) if nodes else 0
    if (
        width != 8
        or count < 2
        or len(raw) != 8 * count * len(nodes)
        or _outputs(pickle, state) != 1
    ):
        return ""
    for place, node in enumerate(nodes):
        whole = sum(struct.unpack_from(f"<{count}d", raw, place * 8 * count))
        weight = node[6]
        if not (abs(whole - 1) <= _CLOSE or abs(whole - weight) <= _CLOSE * max(1.0, abs(weight))):
            return f"a tree whose node {place} shares {whole:g} among its classes"
    return ""


def _outputs(pickle: PickleFacts, state: Mapping) -> int | None:
    """How many targets a tree has: the middle side of its values."""
    values = of_ref(pickle, state.get("values"))
    form = values.state if values is not None else None
    shape = form.items[1] if isinstance(form, Items) and len(form.items) == _ARRAY_SIZE else None
    sides = shape.items if isinstance(shape, Items) else ()
    return sides[1] if len(sides) == 3 and isinstance(sides[1], int) else None


def _bytes_of(pickle: PickleFacts, array: Symbol) -> tuple[bytes, int]:
    """(bytes, width of a value) of an array that was kept whole; nothing of others."""
    item = of_ref(pickle, array)
    state = item.state if item is not None else None
    if not isinstance(state, Items) or len(state.items) != _ARRAY_SIZE:
        return b"", 0
    width = _width(of_ref(pickle, state.items[2]))
    raw = state.items[4]
    if isinstance(raw, Opaque) and raw.kind == "bytes" and len(raw.tail) == raw.size:
        raw = raw.tail
    return (raw, width) if isinstance(raw, bytes) and width else (b"", 0)


__all__ = ["damage_reasons"]
