"""Buffers of boosters inside pickles, checked as their libraries check them when they load.

XGBoost writes UBJSON or JSON (its ``doc/tutorials/saving_model.rst`` names the fields), LightGBM
text (``GBDT::SaveModelToString``). Values are bounds-checked; nothing is kept.
"""

from __future__ import annotations

import json
import math
import struct
from array import array
from typing import Any, Final

from auditor import lazy_re as re

# Larger buffers are not followed.
MOST: Final = 4 << 20
_DEEP: Final = 40
_UBJSON: Final = b"{L"
_JSON: Final = (b"CONFIG-offset:", b'{"')
_LIGHTGBM: Final = b"tree\n"


def booster_traits(data: bytes) -> tuple[str, ...]:
    """What not every release of the library computes with: ``linear`` for leaves that are models."""
    return ("linear",) if data.startswith(_LIGHTGBM) and b"\nis_linear=1\n" in data else ()


class _Broken(ValueError):  # noqa: N818
    """What the library refuses."""


def booster_fault(data: bytes) -> tuple[str, str]:
    """(why loading fails, what is odd but may load); empty where nothing is, or what it is not known."""
    if len(data) > MOST:
        return "", ""
    try:
        if data.startswith(_LIGHTGBM):
            return "", _lightgbm(data)
        if data.startswith(_UBJSON):
            document: Any = _Reader(data).document()
        elif data.startswith(_JSON):
            document = _json(data)
        else:
            return "", ""
        return "", _xgboost(document)
    except _Broken as error:
        return str(error), ""
    except (RecursionError, MemoryError):
        return "", ""


# ---- UBJSON ----

_SIZES: Final = {"i": 1, "U": 1, "I": 2, "l": 4, "L": 8, "d": 4, "D": 8}
_FORMS: Final = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q", "d": ">f", "D": ">d"}
_ARRAYS: Final = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f", "D": "d"}


class _Reader:
    """One document of UBJSON, as XGBoost writes and reads it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def document(self) -> Any:
        try:
            found = self._value(self._letter(), 0)
        except (struct.error, IndexError):
            raise _Broken("a buffer that ends in the middle") from None
        return found

    def _letter(self) -> str:
        found = chr(self._data[self._at])
        self._at += 1
        return found

    def _number(self, kind: str) -> Any:
        if kind not in _FORMS:
            raise _Broken(f"a number of the kind {kind!r}")
        (found,) = struct.unpack_from(_FORMS[kind], self._data, self._at)
        self._at += _SIZES[kind]
        return found

    def _take(self, size: Any) -> bytes:
        if not isinstance(size, int) or not 0 <= size <= len(self._data) - self._at:
            raise _Broken(f"a text of {size} bytes beyond the buffer's end")
        found = self._data[self._at : self._at + size]
        self._at += size
        return found

    def _value(self, kind: str, depth: int) -> Any:
        if depth > _DEEP:
            raise _Broken("values that are nested too deep")
        if kind == "{":
            return self._object(depth)
        if kind == "[":
            return self._array(depth)
        if kind == "S":
            return self._take(self._number(self._letter())).decode("utf-8", "replace")
        if kind in _FORMS:
            return self._number(kind)
        if kind in "TFZ":
            return {"T": True, "F": False, "Z": None}[kind]
        raise _Broken(f"a value of the kind {kind!r}")

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (kind := self._letter()) != "}":
            if kind != "L":
                raise _Broken(f"a name that begins with {kind!r}")
            name = self._take(self._number("L")).decode("utf-8", "replace")
            found[name] = self._value(self._letter(), depth + 1)
        return found

    def _array(self, depth: int) -> Any:
        kind = self._letter()
        if kind == "$":
            of = self._letter()
            if of not in _ARRAYS or self._letter() != "#":
                raise _Broken(f"an array of the kind {of!r}")
            count = self._number(self._letter())
            values = array(_ARRAYS[of])
            values.frombytes(self._take(count * _SIZES[of] if isinstance(count, int) else -1))
            values.byteswap()
            return values
        if kind == "#":
            count = self._number(self._letter())
            if not isinstance(count, int) or not 0 <= count <= len(self._data):
                raise _Broken(f"an array of {count} values")
            return [self._value(self._letter(), depth + 1) for _ in range(count)]
        found = []
        while kind != "]":
            found.append(self._value(kind, depth + 1))
            kind = self._letter()
        return found


def _json(data: bytes) -> Any:
    """The model, or the configuration and the model behind it."""
    if data.startswith(b"CONFIG-offset:"):
        head = len(b"CONFIG-offset:")
        (size,) = struct.unpack_from("<q", data, head) if len(data) >= head + 8 else (-1,)
        if not 0 <= size <= len(data):
            raise _Broken(f"a model at byte {size} of {len(data)}")
        return None
    try:
        # XGBoost minds neither the coding of texts nor what stands in them.
        return json.loads(data.decode("latin-1"), strict=False)
    except ValueError as error:
        raise _Broken(f"no JSON ({error})") from None


# ---- XGBoost ----

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_BOOSTERS: Final = ("gbtree", "dart", "gblinear")
_LEAF: Final = -1
_NO_PARENT: Final = 2147483647
# Arrays of a tree that have a value for each node.
_PER_NODE: Final = (
    "base_weights",
    "default_left",
    "left_children",
    "loss_changes",
    "parents",
    "right_children",
    "split_conditions",
    "split_indices",
    "sum_hessian",
)


def _xgboost(document: Any) -> str:
    """What is odd about a booster's document; raises _Broken where XGBoost does not load it."""
    if not isinstance(document, dict):
        return ""
    if "Config" not in document and "Model" not in document and "learner" not in document:
        raise _Broken("neither a model nor a configuration")
    model = document.get("Model", document)
    if "Model" not in document and "Config" in document:
        raise _Broken("a configuration without a model")
    learner = _in(model, "learner", "its model")
    booster = _in(learner, "gradient_booster", "its learner")
    shared = _in(learner, "learner_model_param", "its learner")
    _in(_in(learner, "objective", "its learner"), "name", "its objective", str)
    name = _in(booster, "name", "its booster", str)
    if name not in _BOOSTERS:
        raise _Broken(f"a booster of the kind {name!r}")
    inner = booster
    if name == "dart":
        inner = _in(booster, "gbtree", "its booster")
    if name != "gblinear":
        _forest(_in(inner, "model", "its booster"), shared)
    return _names(document) or _twins(document, learner)


def _in(where: Any, name: str, what: str, kind: type = dict) -> Any:
    found = where.get(name) if isinstance(where, dict) else None
    if not isinstance(found, kind):
        raise _Broken(f"no {name} in {what}")
    return found


def _whole(where: dict[str, Any], name: str) -> int:
    """A count, which is stored as text."""
    try:
        return int(where[name])
    except (KeyError, TypeError, ValueError):
        raise _Broken(f"a {name} that is no number") from None


def _forest(model: dict[str, Any], shared: dict[str, Any]) -> None:
    trees = _in(model, "trees", "its trees", list)
    count = _whole(_in(model, "gbtree_model_param", "its trees"), "num_trees")
    if count != len(trees):
        raise _Broken(f"{len(trees)} trees, and {count} are stated")
    columns = _whole(shared, "num_feature")
    info = model.get("tree_info")
    if info is None or len(info) != count:
        raise _Broken("not one group for each tree")
    for place, tree in enumerate(trees):
        _tree(tree, place, columns)


def _tree(tree: Any, place: int, columns: int) -> None:
    count = _whole(_in(tree, "tree_param", f"tree {place}"), "num_nodes")
    nodes: dict[str, Any] = {}
    for name in _PER_NODE:
        values = tree.get(name)
        if values is None and name in ("loss_changes", "sum_hessian"):
            values = [0.0] * count
        if not isinstance(values, (list, array)):
            raise _Broken(f"no {name} in tree {place}")
        if len(values) != count and not (name == "base_weights" and len(values) % count == 0):
            raise _Broken(f"{len(values)} {name} for {count} nodes in tree {place}")
        nodes[name] = values
    for node in range(count):
        left, right = nodes["left_children"][node], nodes["right_children"][node]
        if (left == _LEAF) != (right == _LEAF):
            raise _Broken(f"tree {place} whose node {node} has one child")
        # The right child follows the left one for it: its own number is not read.
        for child in (left,):
            if child != _LEAF and not 0 < child < count:
                raise _Broken(f"tree {place} whose node {node} leads to {child}")
            if child != _LEAF and nodes["parents"][child] not in (node, node | 1 << 31):
                raise _Broken(f"tree {place} whose node {child} has another parent")
        if left != _LEAF and not 0 <= nodes["split_indices"][node] < max(columns, 1):
            raise _Broken(f"tree {place} that asks for column {nodes['split_indices'][node]}")
        if not math.isfinite(nodes["base_weights"][node]):
            raise _Broken(f"tree {place} with a weight that is no number")


def _names(value: Any, depth: int = 0) -> str:
    """A name that no programmer wrote."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if depth and not _NAME.fullmatch(name):
                return f"the name {name!r}"
            if name in ("attributes", "feature_names", "feature_types"):
                continue
            if odd := _names(inner, depth + 1):
                return odd
    elif isinstance(value, list):
        for inner in value[:1_000]:
            if isinstance(inner, (dict, list)) and (odd := _names(inner, depth + 1)):
                return odd
    elif isinstance(value, str) and not value.isprintable():
        return f"the text {value[:40]!r}"
    return ""


def _twins(document: dict[str, Any], learner: dict[str, Any]) -> str:
    """What a configuration and its model both state, and not alike."""
    other = document.get("Config")
    other = other.get("learner") if isinstance(other, dict) else None
    if other is None:
        return "a configuration without a learner" if "Config" in document else ""
    for name in ("learner_model_param", "objective"):
        if other.get(name) != learner.get(name):
            return f"a configuration and a model with another {name}"
    return ""


# ---- LightGBM ----

_HEAD: Final = (
    b"num_class",
    b"num_tree_per_iteration",
    b"label_index",
    b"max_feature_idx",
    b"feature_names",
    b"feature_infos",
)
_NUMBER: Final = re.compile(rb"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|inf|nan)")
_FIELD: Final = re.compile(rb"[a-z_]+")
# Fields of a tree, with how many values each has less than there are leaves.
_TREE_FIELDS: Final = {
    b"split_feature": 1,
    b"threshold": 1,
    b"decision_type": 1,
    b"left_child": 1,
    b"right_child": 1,
    b"leaf_value": 0,
}


def _lightgbm(data: bytes) -> str:
    """What is odd about a model's text; raises _Broken where LightGBM does not load it."""
    if b"\0" in data:
        raise _Broken("a text that ends in the middle")
    head, found, _ = data.partition(b"\n\n")
    fields = dict(line.partition(b"=")[::2] for line in head.splitlines()[1:])
    for name in _HEAD:
        if name not in fields:
            raise _Broken(f"no {name.decode()} in its head")
    for name in _HEAD[:4]:
        if not _NUMBER.fullmatch(fields[name]):
            raise _Broken(f"a {name.decode()} that is no number")
    columns = int(float(fields[b"max_feature_idx"])) + 1
    for name in _HEAD[4:]:
        if len(fields[name].split()) != columns:
            raise _Broken(f"not one of the {name.decode()} for each of {columns} columns")
    sizes = fields.get(b"tree_sizes", b"").split()
    at = len(head) + len(found)
    for place, size in enumerate(sizes):
        if not size.isdigit():
            raise _Broken("a size of a tree that is no number")
        block = data[at : at + int(size)]
        if not block.startswith(b"Tree=%d\n" % place):
            raise _Broken(f"no tree {place} where it should be")
        _lightgbm_tree(block, place, columns)
        at += int(size)
    odd = next((n for n in fields if n and not _FIELD.fullmatch(n)), b"")
    if odd:
        return f"the name {odd[:40]!r}"
    if sizes and not data[at:].lstrip().startswith(b"end of trees") and b"version=v2" not in head:
        return "no end behind its trees"
    return ""


def _lightgbm_tree(block: bytes, place: int, columns: int) -> None:
    fields = dict(line.partition(b"=")[::2] for line in block.splitlines() if b"=" in line)
    leaves = fields.get(b"num_leaves", b"")
    if not leaves.isdigit():
        raise _Broken(f"no num_leaves in tree {place}")
    count = int(leaves)
    if count <= 1:
        return
    values: dict[bytes, list[bytes]] = {}
    for name, less in _TREE_FIELDS.items():
        if name not in fields:
            raise _Broken(f"no {name.decode()} in tree {place}")
        values[name] = fields[name].split()
        if len(values[name]) != count - less:
            raise _Broken(f"not one of the {name.decode()} for each node of tree {place}")
        if name != b"threshold" and not all(map(_NUMBER.fullmatch, values[name])):
            raise _Broken(f"a {name.decode()} in tree {place} that is no number")
    for name in (b"left_child", b"right_child"):
        for child in map(int, values[name]):
            if not -count <= child < count - 1:
                raise _Broken(f"tree {place} that leads to {child}")
    for column in map(int, values[b"split_feature"]):
        if not 0 <= column < columns:
            raise _Broken(f"tree {place} that asks for column {column}")


__all__ = ["MOST", "booster_fault", "booster_traits"]
