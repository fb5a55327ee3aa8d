"""The columns an artifact was fitted on, and the class that meets them first when it predicts.

Read from the bytes: states of estimators, the buffers of boosters, the declared inputs of ONNX.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.artifacts.facts import Items, Mapping, Opaque, Ref
from auditor.values import value

if TYPE_CHECKING:
    from auditor.artifacts.blob import Blob
    from auditor.artifacts.facts import ArtifactFacts, ObjectFacts, PickleFacts, Symbol

MAX_NAMES = 4_000
_MAX_DEPTH = 8


@value
class Contract:
    """What an artifact must be asked with.

    ``estimator`` is the class that looks at the columns first; ``names`` and ``count`` those it
    was fitted on (None: not recorded); ``used`` the names without which a ColumnTransformer
    fails (None: it is none, or they are not known); ``by_name`` that it picks columns by name.
    ``pipeline``: the root carries its preprocessing; ``root`` is the class of the whole artifact.
    """

    estimator: str
    root: str
    names: tuple[str, ...] | None = None
    count: int | None = None
    used: tuple[str, ...] | None = None
    by_name: bool = False
    pipeline: bool = False
    # Of ONNX: the inputs' element types, in the order of ``names``.
    types: tuple[str | None, ...] = ()


def contract(facts: ArtifactFacts, member: tuple[str | int, ...] = ()) -> Contract | None:
    """The contract of an artifact, or of what it holds under these keys or at these indices."""
    if facts.onnx is not None and not member:
        return _onnx(facts)
    if facts.pickle is None:
        stated = dict(facts.details).get("feature_names")
        library = _LIBRARIES.get(facts.format)
        if stated is None or library is None or member:
            return None
        names = tuple(json.loads(stated))
        return Contract(estimator=library, root=library, names=names, count=len(names))
    pickle = facts.pickle
    symbol = pickle.root
    for key in member:
        found = _held(pickle, symbol, key)
        if found is None:
            return None
        symbol = found
    if isinstance(symbol, Mapping) and not member:
        return _within(pickle, symbol)
    return _walk(pickle, symbol, 0)


def _held(pickle: PickleFacts, symbol: Symbol, key: str | int) -> Symbol | None:
    """What a mapping, an object with such a state, or a sequence holds there."""
    if isinstance(key, int):
        if not isinstance(symbol, Items) or symbol.size != len(symbol.items):
            return None
        return symbol.items[key] if -symbol.size <= key < symbol.size else None
    inner = symbol if isinstance(symbol, Mapping) else _state_of(pickle, symbol)
    return inner.get(key) if inner is not None else None


def _within(pickle: PickleFacts, mapping: Mapping) -> Contract | None:
    """The only estimator that a mapping holds; its names, for the report."""
    found = [c for _, v in mapping.pairs[:32] if isinstance(v, Ref) and (c := _walk(pickle, v, 0))]
    with_names = [c for c in found if c.names is not None]
    return with_names[0] if len(with_names) == 1 else None


_LIBRARIES = {
    "xgboost-json": "xgboost.core.Booster",
    "xgboost-ubj": "xgboost.core.Booster",
    "lightgbm": "lightgbm.basic.Booster",
    "catboost": "catboost.core.CatBoost",
}


def _object(pickle: PickleFacts, symbol: Symbol) -> ObjectFacts | None:
    if isinstance(symbol, Ref) and 0 <= symbol.index < len(pickle.objects):
        return pickle.objects[symbol.index]
    return None


def _mapping(item: ObjectFacts) -> Mapping | None:
    state = item.state
    if isinstance(state, Items) and state.size == 2 and len(state.items) == 2:
        state = state.items[0]
    return state if isinstance(state, Mapping) else None


def _state_of(pickle: PickleFacts, symbol: Symbol) -> Mapping | None:
    item = _object(pickle, symbol)
    return _mapping(item) if item is not None else None


def _walk(pickle: PickleFacts, symbol: Symbol, depth: int) -> Contract | None:
    """The contract of one object: through pipelines and searches to who looks first."""
    item = _object(pickle, symbol)
    state = _mapping(item) if item is not None else None
    if item is None or state is None or depth > _MAX_DEPTH:
        return None
    top = item.of.partition(".")[0]
    name = item.of.rpartition(".")[2]
    inner: Contract | None = None
    if name == "Pipeline" and top in ("sklearn", "imblearn"):
        inner = _first_step(pickle, state, depth)
        return _as(inner, item.of, pipeline=True)
    if item.of.startswith("sklearn.model_selection._search") and "best_estimator_" in _keys(state):
        return _as(_walk(pickle, state.get("best_estimator_"), depth + 1), item.of)
    if name == "TransformedTargetRegressor":
        return _as(_walk(pickle, state.get("regressor_"), depth + 1), item.of)
    if name == "ColumnTransformer":
        return _column_transformer(pickle, item.of, state)
    names = strings(pickle, state.get("feature_names_in_"))
    count = state.get("n_features_in_")
    if top in ("xgboost", "lightgbm", "catboost"):
        names = _booster_names(pickle, symbol, 0)
    if names is None and not isinstance(count, int):
        return None
    return Contract(
        estimator=item.of,
        root=item.of,
        names=names,
        count=len(names) if names is not None else count if isinstance(count, int) else None,
    )


def _keys(state: Mapping) -> frozenset[str]:
    return frozenset(k for k, _ in state.pairs if isinstance(k, str))


def _as(inner: Contract | None, root: str, *, pipeline: bool | None = None) -> Contract | None:
    if inner is None:
        return None
    return Contract(
        estimator=inner.estimator,
        root=root,
        names=inner.names,
        count=inner.count,
        used=inner.used,
        by_name=inner.by_name,
        pipeline=inner.pipeline if pipeline is None else pipeline,
    )


def _first_step(pickle: PickleFacts, state: Mapping, depth: int) -> Contract | None:
    steps = state.get("steps")
    if not isinstance(steps, Items) or steps.size != len(steps.items):
        return None
    for step in steps.items:
        if not isinstance(step, Items) or len(step.items) != 2:
            return None
        what = step.items[1]
        if what is None or what == "passthrough":
            continue
        item = _object(pickle, what)
        if item is None:
            return None
        if item.of.startswith(("imblearn.over_sampling", "imblearn.under_sampling",
                               "imblearn.combine")):  # fmt: skip
            continue  # resamplers sit out when the pipeline predicts
        return _walk(pickle, what, depth + 1)
    return None


def _column_transformer(pickle: PickleFacts, dotted: str, state: Mapping) -> Contract | None:
    names = strings(pickle, state.get("feature_names_in_")) or strings(
        pickle, state.get("_feature_names_in")
    )
    count = state.get("n_features_in_")
    used: dict[str, None] | None = {}
    by_name = False
    parts = state.get("transformers_")
    if not isinstance(parts, Items) or parts.size != len(parts.items):
        used = None
    else:
        for part in parts.items:
            if not isinstance(part, Items) or len(part.items) != 3:
                used = None
                break
            _, what, columns = part.items
            if what == "drop":
                continue
            texts = strings(pickle, columns)
            by_name = by_name or texts is not None or isinstance(columns, str)
            if isinstance(columns, str):
                texts = (columns,)
            if texts is None and names is not None:
                texts = _positions(columns, names)
            if texts is None:
                used = None
                break
            if used is not None:
                used.update(dict.fromkeys(texts))
    return Contract(
        estimator=dotted,
        root=dotted,
        names=names,
        count=len(names) if names else count if isinstance(count, int) else None,
        used=tuple(used) if used is not None else None,
        by_name=by_name,
        pipeline=False,
    )


def _positions(columns: Symbol, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """The names at a list of positions."""
    if not isinstance(columns, Items) or columns.size != len(columns.items):
        return None
    found = []
    for index in columns.items:
        if not isinstance(index, int) or isinstance(index, bool) or not -len(names) <= index < len(
            names
        ):  # fmt: skip
            return None
        found.append(names[index])
    return tuple(found)


def strings(pickle: PickleFacts, symbol: Symbol) -> tuple[str, ...] | None:
    """The text items of a list, of an array of objects, or of joblib's wrapper around one."""
    item = _object(pickle, symbol)
    if item is not None and item.of.rpartition(".")[2] == "NumpyArrayWrapper" and item.items:
        symbol = item.items[0]
        item = _object(pickle, symbol)
    if item is not None:
        state = item.state
        if isinstance(state, Items) and len(state.items) == 5:
            symbol = state.items[4]
    if not isinstance(symbol, Items) or symbol.size != len(symbol.items):
        return None
    names = tuple(s for s in symbol.items if isinstance(s, str))
    return names if names and len(names) == len(symbol.items) else None


def _booster_names(pickle: PickleFacts, symbol: Symbol, depth: int) -> tuple[str, ...] | None:
    """The names in the buffer that an object holds, directly or in its ``_Booster``."""
    if isinstance(symbol, Opaque):
        return symbol.names or None
    item = _object(pickle, symbol)
    if item is None or depth > 5:
        return None
    for argument in item.args[:2]:
        names = _booster_names(pickle, argument, depth + 1)
        if names:
            return names
    state = _mapping(item)
    for key in ("_Booster", "handle", "_handle", "__model", "_model"):
        names = _booster_names(pickle, state.get(key), depth + 1) if state is not None else None
        if names:
            return names
    return None


def _onnx(facts: ArtifactFacts) -> Contract | None:
    onnx = facts.onnx
    if onnx is None or onnx.damaged:
        return None
    ports = [p for p in onnx.inputs if not p.default]
    names = tuple(p.name for p in ports)
    count: int | None = None
    if len(ports) == 1 and ports[0].shape is not None and len(ports[0].shape) == 2:
        width = ports[0].shape[1]
        count = width if isinstance(width, int) and width > 0 else None
    # One column per input is how a data frame's columns are exported.
    types = tuple(p.type for p in ports)
    return Contract(estimator="onnx", root="onnx", names=names or None, count=count, types=types)


# ---- buffers of boosters ----


def stated_names(format: str, blob: Blob) -> list[tuple[str, str]]:
    """The detail under which a booster's own file carries its columns."""
    size = len(blob)
    raw = blob.read(0, size if format == "catboost" and size <= 64 * _WINDOW else _WINDOW)
    names = buffer_names(raw)
    return [("feature_names", json.dumps(names))] if names else []


_UBJ_WIDTH = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8}
_WINDOW = 1 << 20


def buffer_names(raw: bytes) -> tuple[str, ...]:
    """The feature names in a booster's buffer; empty when it records none."""
    if raw.startswith((b"{L", b"{l", b"{i")):
        return _ubj_names(raw[:_WINDOW])
    if raw.startswith((b"CONFIG-offset:", b'{"')):
        return _json_names(raw[:_WINDOW])
    if raw.startswith(b"tree\n"):
        found = re.search(rb"^feature_names=(.*)$", raw[:_WINDOW], re.MULTILINE)
        names = _decoded(found[1].split(b" ")) if found is not None else ()
        return () if all(re.fullmatch(r"Column_\d+", n) for n in names) else names
    if raw.startswith(b"CBM1"):
        names = _catboost_names(raw)
        return () if all(n == str(i) or not n for i, n in enumerate(names)) else names
    return ()


def _decoded(parts: list[bytes]) -> tuple[str, ...]:
    try:
        return tuple(p.decode("utf-8") for p in parts[:MAX_NAMES])
    except UnicodeDecodeError:
        return ()


def _ubj_names(raw: bytes) -> tuple[str, ...]:
    position = raw.find(b"feature_names[")
    if position < 0:
        return ()
    position += len(b"feature_names[")
    count = MAX_NAMES
    if raw[position : position + 1] == b"#":
        read = _ubj_number(raw, position + 1)
        if read is None:
            return ()
        count, position = read
    if not 0 < count <= MAX_NAMES:
        return ()
    parts: list[bytes] = []
    while len(parts) < count and raw[position : position + 1] == b"S":
        read = _ubj_number(raw, position + 1)
        if read is None:
            return ()
        size, position = read
        parts.append(raw[position : position + size])
        position += size
    return _decoded(parts) if len(parts) == count or count == MAX_NAMES else ()


def _ubj_number(raw: bytes, position: int) -> tuple[int, int] | None:
    width = _UBJ_WIDTH.get(raw[position : position + 1])
    end = position + 1 + (width or 0)
    if width is None or end > len(raw):
        return None
    return int.from_bytes(raw[position + 1 : end], "big"), end


def _json_names(raw: bytes) -> tuple[str, ...]:
    position = raw.find(b'"feature_names":[')
    if position < 0:
        return ()
    start = position + len(b'"feature_names":')
    try:
        text = raw[start:].decode("utf-8", "replace")
        made, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(made, list) or len(made) > MAX_NAMES:
        return ()
    return tuple(n for n in made if isinstance(n, str)) if all(
        isinstance(n, str) for n in made
    ) else ()  # fmt: skip


class _Flat:
    """A table of a FlatBuffer; reads outside the buffer give nothing."""

    def __init__(self, raw: bytes, position: int) -> None:
        self.raw = raw
        self.position = position

    def number(self, at: int, size: int, *, signed: bool = False) -> int:
        if not 0 <= at <= len(self.raw) - size:
            raise ValueError("outside the buffer")
        return int.from_bytes(self.raw[at : at + size], "little", signed=signed)

    def field(self, index: int) -> int | None:
        """Where a field's value lies."""
        table = self.position - self.number(self.position, 4, signed=True)
        if 4 + 2 * index >= self.number(table, 2):
            return None
        offset = self.number(table + 4 + 2 * index, 2)
        return self.position + offset if offset else None

    def follow(self, at: int) -> int:
        return at + self.number(at, 4)

    def tables(self, index: int) -> list[_Flat]:
        at = self.field(index)
        if at is None:
            return []
        vector = self.follow(at)
        count = self.number(vector, 4)
        if count > MAX_NAMES:
            raise ValueError("too many")
        return [
            _Flat(self.raw, self.follow(vector + 4 + 4 * i)) for i in range(count)
        ]  # fmt: skip

    def text(self, index: int) -> str:
        at = self.field(index)
        if at is None:
            return ""
        start = self.follow(at)
        size = self.number(start, 4)
        return self.raw[start + 4 : start + 4 + min(size, 4096)].decode("utf-8", "replace")

    def integer(self, index: int) -> int:
        at = self.field(index)
        return self.number(at, 4, signed=True) if at is not None else 0


def _catboost_names(raw: bytes) -> tuple[str, ...]:
    """Names of the float and categorical features by their position in the data."""
    try:
        start = 8
        root = _Flat(raw, start + int.from_bytes(raw[start : start + 4], "little"))
        at = root.field(1)
        if at is None:
            return ()
        trees = _Flat(raw, root.follow(at))
        found: dict[int, str] = {}
        for one in trees.tables(5):  # float features: has nans, index, flat index, borders, id
            found[one.integer(2)] = one.text(4)
        for one in trees.tables(4):  # categorical features: index, flat index, id
            found[one.integer(1)] = one.text(2)
    except ValueError:
        return ()
    if sorted(found) != list(range(len(found))):
        return ()
    return tuple(found[i] for i in range(len(found)))
