"""What every artifact obeys that a library wrote: one that does not was damaged on the way.

A changed byte in the middle of a file often leaves a stream that an unpickler reads to its end.
Where what it says of itself contradicts itself, loading or the first use fails all the same.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from auditor import lazy_re as re
from auditor.artifacts.facts import Items, Mapping, Name, Opaque, Ref
from auditor.linking import symbols
from auditor.linking.compatibility import Reason
from auditor.linking.states import mapping_of, of_ref, one_changed, shape_of

if TYPE_CHECKING:
    from auditor.artifacts.facts import ObjectFacts, PickleFacts, Symbol
    from auditor.linking.compatibility import Effect

_HELP: Final = "Fetch or write the file again, and compare its checksum."


# What was found of the streams that were looked at last: each is asked of many environments.
_KEPT: Final = 64
_found: dict[int, tuple[PickleFacts, tuple[Reason, ...]]] = {}


def damage_reasons(pickle: PickleFacts) -> tuple[Reason, ...]:
    """The first contradiction in the stream, whatever the environment."""
    kept = _found.get(id(pickle))
    if kept is None or kept[0] is not pickle:
        if len(_found) >= _KEPT:
            _found.clear()
        kept = _found[id(pickle)] = (pickle, tuple(_damage(pickle)))
    return kept[1]


def _damage(pickle: PickleFacts) -> Iterator[Reason]:
    trees = 0
    doubt = ""
    for item in pickle.objects:
        doubt = doubt or _odd_value(pickle, item)
        if item.of == _TREE and trees < _MOST_TREES:
            trees += 1
            if what := _sized(pickle, item):
                yield _reason("load", what, "ValueError: Wrong shape for value array")
                return
            if what := _grown(pickle, item):
                yield _reason("predict", what, "")
                return
        doubt = doubt or _odd_buffer(item)
        found = (
            _array(pickle, item)
            or _dtype(item)
            or _manager(pickle, item)
            or _unread(pickle, item)
            or _buffer(item)
        )
        if found is not None:
            what, error = found
            yield _reason("load", what, error)
            return
        if item.of.startswith(_NAMED):
            doubt = doubt or _odd_name(item)
        if item.of.startswith("sklearn."):
            what = _names(item) or _trees(pickle, item) or _columns(pickle, item)
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


# ---- buffers of boosters ----


def _buffers(item: ObjectFacts) -> Iterator[Opaque]:
    state = mapping_of(item)
    values = [v for _, v in state.pairs] if state is not None else []
    yield from (v for v in (*item.args, *values) if isinstance(v, Opaque))


def _buffer(item: ObjectFacts) -> tuple[str, str] | None:
    """A booster that its library does not load."""
    fault = next((b.fault for b in _buffers(item) if b.fault), "")
    return (f"a booster with {fault}", "XGBoostError or LightGBMError") if fault else None


def _odd_buffer(item: ObjectFacts) -> str:
    doubt = next((b.doubt for b in _buffers(item) if b.doubt), "")
    return f"a booster with {doubt}" if doubt else ""


# ---- what compiled or fixed code reads by name ----

# Names that restoring looks up, by the end of the class; others beside them are no fault.
_READ: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("sklearn.tree._tree.Tree", frozenset({"max_depth", "node_count", "nodes", "values"})),
    (
        "numpy_pickle.NumpyArrayWrapper",
        frozenset({"subclass", "shape", "order", "dtype"}),
    ),
    ("inspect.Parameter", frozenset({"_default", "_annotation"})),
    ("pandas.core.frame.DataFrame", frozenset({"_typ"})),
    ("pandas.core.series.Series", frozenset({"_typ"})),
)
_GENERATOR: Final = frozenset({"bit_generator", "state", "has_uint32", "uinteger"})
# What cloudpickle takes out of a function's state.
_FUNCTION: Final = frozenset({"__globals__", "__closure__", "_cloudpickle_submodules"})
# Indexes that are made of one collection.
_OF_DATA: Final = ("pandas.core.indexes.base.Index", "pandas.core.indexes.numeric.")
# Arguments by name, all that the class takes.
_RANGE: Final = frozenset({"name", "start", "stop", "step"})
_PANDAS_FLAGS: Final = frozenset({"allows_duplicate_labels"})


def _unread(pickle: PickleFacts, item: ObjectFacts) -> tuple[str, str] | None:
    """A state without a name that restoring looks up, or with one that nobody takes."""
    state = mapping_of(item)
    short = item.of.rpartition(".")[2]
    if state is not None and len(state.pairs) == state.size:
        names = {k for k, _ in state.pairs}
        for ending, wanted in _READ:
            if item.of.endswith(ending) and not wanted <= names:
                lost = min(wanted - {n for n in names if isinstance(n, str)})
                return f"a {short} without {lost}", f"KeyError: '{lost}'"
        flags = state.get("_flags") if item.of.startswith("pandas.") else None
        if isinstance(flags, Mapping) and not {k for k, _ in flags.pairs} <= _PANDAS_FLAGS:
            return f"flags of a {short} that pandas does not know", "TypeError: Flags.__init__()"
    if (odd := _generator(pickle, item)) is not None:
        return odd
    if item.callable.endswith("._function_setstate") and len(item.args) == 2:
        given = item.args[1]
        slots = given.items[1] if isinstance(given, Items) and len(given.items) == 2 else None
        if isinstance(slots, Mapping) and len(slots.pairs) == slots.size:
            lost_slots = _FUNCTION - {k for k, _ in slots.pairs if isinstance(k, str)}
            if lost_slots:
                return f"a function without {min(lost_slots)}", f"KeyError: '{min(lost_slots)}'"
    if item.callable.endswith("._create_namedtuple") and len(item.args) > 1:
        named, fields = item.args[:2]
        parts = (named, *(fields.items if isinstance(fields, Items) else ()))
        if any(isinstance(part, str) and not part.isidentifier() for part in parts):
            return (
                "a tuple with names that can be none",
                "ValueError: Type names and field names must be valid identifiers",
            )
    if item.callable.endswith("._new_Index") and len(item.args) == 2:
        cls, given = item.args
        if (
            isinstance(cls, Name)
            and cls.text.startswith(_OF_DATA)
            and isinstance(given, Mapping)
            and len(given.pairs) == given.size
            and not any(k == "data" for k, _ in given.pairs)
        ):
            return (
                "an index without its data",
                "TypeError: Index(...) must be called with a collection",
            )
        if isinstance(given, Mapping) and any(
            isinstance(k, str) and not k.isidentifier() for k, _ in given.pairs
        ):
            return "an index with an argument that none takes", "TypeError"
        if (
            isinstance(cls, Name)
            and cls.text.endswith(".RangeIndex")
            and isinstance(given, Mapping)
            and not {k for k, _ in given.pairs} <= _RANGE
        ):
            return "a RangeIndex with an argument that it does not take", "TypeError"
    return None


def _generator(pickle: PickleFacts, item: ObjectFacts) -> tuple[str, str] | None:
    """The state of a random generator, which names its kind and its parts."""
    if not item.callable.startswith("numpy.random._pickle.") or not item.args:
        return None
    state = item.state
    if isinstance(state, Items) and state.items:
        state = state.items[0]
    kind = item.args[0]
    if isinstance(kind, Name):
        kind = kind.text.rpartition(".")[2]
    if not isinstance(state, Mapping) or not isinstance(kind, str) or len(state.pairs) < 2:
        return None
    names = {k for k, _ in state.pairs}
    inner = state.get("state")
    if not {"bit_generator", "state"} <= names or state.get("bit_generator") != kind:
        return (
            f"a state of another generator than {kind}",
            f"ValueError: state must be for a {kind} RNG",
        )
    if kind.startswith("PCG64") and not (
        isinstance(inner, Mapping)
        and {k for k, _ in inner.pairs} == {"state", "inc"}
        and names == _GENERATOR
    ):
        return f"a state that lacks parts of {kind}", "KeyError"
    return None


# ---- NumPy ----

# The only form of an array's state with a number in front.
_ARRAY_FORM: Final = 1
_ARRAY_SIZE: Final = 5
# Until long ago without the form; a masked array's mask and filling value stand behind it.
_ARRAY_SIZES: Final = (4, 5)
_MASKED_SIZE: Final = 7
_DTYPE_FORMS: Final = range(5)
# Letters of types whose number counts bytes, and those whose number counts characters of four.
_BYTES: Final = "biufcmMSVT"
_CHARACTERS: Final = "U"


def _array(pickle: PickleFacts, item: ObjectFacts) -> tuple[str, str] | None:
    """An array whose shape and type do not add up to its bytes."""
    state = item.state
    masked = item.callable == "numpy.ma.core._mareconstruct"
    if not item.callable.endswith("multiarray._reconstruct") and not masked:
        return None
    if not masked and (odd := _maker(pickle, item)) is not None:
        return odd
    if not isinstance(state, Items):
        return None
    if state.size not in (_MASKED_SIZE,) if masked else state.size not in _ARRAY_SIZES:
        return (
            f"an array whose state has {state.size} values",
            "TypeError: __setstate__() argument 1 must be sequence of length 4",
        )
    if len(state.items) < _ARRAY_SIZE or state.size == 4:
        return None
    form, shape, dtype, _, raw = state.items[:_ARRAY_SIZE]
    if _is_plain(form) or not _is_tuple(shape) or isinstance(dtype, _PLAIN):
        return (
            "an array whose state is of other kinds",
            "TypeError: __setstate__() argument 1 must be sequence of length 4, not 5",
        )
    if isinstance(form, int) and form != _ARRAY_FORM:
        return (
            f"an array in the form {form}, which no NumPy knows",
            f"ValueError: can't handle version {form} of numpy.ndarray pickle",
        )
    count = _count(shape)
    width = _width(of_ref(pickle, dtype))
    if count is None or width is None:
        return None
    if isinstance(raw, Ref):
        size = _encoded(pickle, raw)
        if size is None:
            return None
    elif isinstance(raw, Items):
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


# The class, the shape and the kind of an array that is filled afterwards.
_MAKER: Final = 3


def _maker(pickle: PickleFacts, item: ObjectFacts) -> tuple[str, str] | None:
    """The arguments by which an empty array is made, of other kinds than NumPy takes."""
    if len(item.args) != _MAKER:
        return None
    cls, shape, kind = item.args
    made = of_ref(pickle, cls)
    if (
        cls is None
        or isinstance(cls, _PLAIN)
        or (made is not None and made.of.startswith("numpy."))
    ):
        return (
            "an array of what is no class",
            "TypeError: _reconstruct() argument 1 must be type",
        )
    if shape is None or not _is_shape(shape) or kind is None or isinstance(kind, _NUMBERS):
        return "an array that is made of other kinds", "TypeError: _reconstruct() argument 2"
    return None


def _is_shape(shape: Symbol) -> bool:
    return not isinstance(shape, _PLAIN) or isinstance(shape, int | Items)


_NUMBERS: Final = (bool, int, float, Items, Mapping)
_PLAIN: Final = (bool, int, float, str, bytes, Items, Mapping)


def _is_plain(form: Symbol) -> bool:
    """Whether a number that says the form is something else."""
    return isinstance(form, float | str | bytes | Items | Mapping)


def _is_tuple(shape: Symbol) -> bool:
    return not isinstance(shape, _PLAIN) or (isinstance(shape, Items) and shape.kind == "tuple")


def _encoded(pickle: PickleFacts, symbol: Symbol) -> int | None:
    """How many bytes a text stands for that protocols before 3 encode as Latin-1."""
    found = of_ref(pickle, symbol)
    if found is None or found.callable != "_codecs.encode" or len(found.args) != 2:
        return None
    text, coding = found.args
    return len(text) if isinstance(text, str) and coding == "latin1" else None


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
    if item.callable != "numpy.dtype":
        return None
    code = item.args[0] if item.args else None
    if isinstance(code, str) and len(code) <= _SHORT and not _CODE.fullmatch(code):
        return f"the data type {code!r}", f"TypeError: data type {code!r} not understood"
    if not isinstance(state, Items) or not state.items:
        return None
    form = state.items[0]
    if isinstance(form, int) and form not in _DTYPE_FORMS:
        return (
            f"a data type in the form {form}, which no NumPy knows",
            f"ValueError: can't handle version {form} of numpy.dtype pickle",
        )
    return None


# A kind and a width, as NumPy writes them; longer texts are names.
_SHORT: Final = 3
_CODE: Final = re.compile(
    r"\d*(?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[mM]8|O[48]?|[SVUTa]\d*|[?bhilqpBHILQPefdgFDG])|int|str"
)

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
    last = item.state.items[-1] if isinstance(item.state, Items) and item.state.items else None
    kept = last.get(_MANAGER) if isinstance(last, Mapping) else None
    if isinstance(kept, Mapping) and len(kept.pairs) == kept.size:
        lost = {"axes", "blocks"} - {k for k, _ in kept.pairs if isinstance(k, str)}
        if lost:
            return f"a frame without its {min(lost)}", f"KeyError: '{min(lost)}'"
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


# Their objects keep attributes, whose names programmers wrote.
_NAMED: Final = ("sklearn.", "lightgbm.", "xgboost.", "imblearn.", "category_encoders.")


def _odd_name(item: ObjectFacts) -> str:
    """An attribute whose name is no identifier: whether it is read is not known."""
    state = mapping_of(item)
    names = {k for k, _ in state.pairs if isinstance(k, str)} if state is not None else set()
    short = item.of.rpartition(".")[2]
    owner = symbols.owner(item.of)
    table = symbols.table(owner) if owner else None
    known = table.attributes(item.of.rpartition(".")[0], short) if table is not None else ()
    lost = [n for n in known if n not in names and len(n) >= _LONG]
    for key in names:
        if not key.isidentifier():
            return f"an attribute of {short} with the name {key!r}"
        if key not in known and (meant := _meant(lost, key)):
            return f"an attribute of {short} with the name {key!r} and none with {meant!r}"
    return ""


# Shorter names are like each other by chance.
_LONG: Final = 6


def _meant(lost: list[str], key: str) -> str:
    """The attribute that a name was before a byte of it changed."""
    return next((n for n in lost if len(n) == len(key) and one_changed(n, key)), "")


def _columns(pickle: PickleFacts, item: ObjectFacts) -> str:
    """Coefficients for another number of columns than the model was fitted with."""
    state = mapping_of(item) if item.of.startswith("sklearn.linear_model.") else None
    fitted = state.get("n_features_in_") if state is not None else None
    if state is None or not isinstance(fitted, int):
        return ""
    sides = shape_of(pickle, state.get("coef_"))
    if not sides or sides[-1] == fitted:
        return ""
    name = item.of.rpartition(".")[2]
    return f"a {name} of {fitted} columns with coefficients for {sides[-1]}"


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


def _sized(pickle: PickleFacts, item: ObjectFacts) -> str:
    """A tree whose arrays do not have as many rows as it has nodes, or places as classes."""
    state = mapping_of(item)
    count = state.get("node_count") if state is not None else None
    if state is None or not isinstance(count, int):
        return ""
    nodes, values = shape_of(pickle, state.get("nodes")), shape_of(pickle, state.get("values"))
    if nodes is None or values is None or len(item.args) < 3:
        return ""
    if nodes != (count,):
        return f"a tree of {count} nodes in an array of {nodes}"
    raw, width = _bytes_of(pickle, item.args[1])
    most = max(struct.unpack(f"<{len(raw) // 8}q", raw)) if raw and width == 8 else None
    wanted = (count, item.args[2], most)
    if len(values) != 3 or any(
        b is not None and a != b for a, b in zip(values, wanted, strict=True)
    ):
        return f"a tree whose values have the sides {values}"
    return ""


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
        if node[0] != _LEAF:
            # Predictions read leaves alone.
            continue
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
