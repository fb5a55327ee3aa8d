"""What every unpickler refuses, or one of the two, asked of the real ones as well."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import zlib
from typing import Any

import pytest
from test_compatibility import Stream, facts, judged, runtime

from auditor.artifacts.boosters import booster_fault
from auditor.linking.compatibility import link

PINS = {"numpy": "1.26.4", "scikit-learn": "1.5.2", "scipy": "1.13.1", "joblib": "1.4.2"}


def _real(data: bytes, *, plain: bool) -> bool:
    """Whether the C unpickler, or ``pickle.py``, reads the stream."""
    unpickler: Any = pickle._Unpickler if plain else pickle.Unpickler  # type: ignore[attr-defined]
    try:
        # As an open file, which can be peeked into.
        unpickler(io.BufferedReader(io.BytesIO(data))).load()  # type: ignore[arg-type]
    except Exception:
        return False
    return True


@pytest.mark.parametrize(
    "body",
    [
        b"X\x01\x00\x00\x00a)R", b"K\x01K\x02R", b"K\x01K\x02a", b"}K\x02a",
        b"}]K\x01s", b"(K\x01K\x02e", b"}(]K\x01u", b"K\x01}K\x01K\x02sb", b"](K\x01\x90",
        b"\x8f(K\x01e",
    ],
)  # fmt: skip
def test_plain_values_do_not_do_it(body: bytes) -> None:
    data = b"\x80\x04" + body + b"."
    assert not _real(data, plain=False)
    assert judged(data, runtime({})).outcome == "fails"


@pytest.mark.parametrize(
    "body",
    [
        b"]K\x01a", b"}K\x01K\x02s", b"](K\x01K\x02e", b"}(K\x01K\x02u", b"\x8f(K\x01\x90", b"](e",
        b"K\x01}b", b"cbuiltins\nlist\n)R", b"}(K\x01K\x02tK\x03s",
    ],
)  # fmt: skip
def test_what_unpicklers_take_loads(body: bytes) -> None:
    data = b"\x80\x04" + body + b"."
    assert _real(data, plain=True)
    assert judged(data, runtime({})).outcome == "loads"


def _framed(length: int, body: bytes) -> bytes:
    return b"\x80\x04\x95" + struct.pack("<Q", length) + body


@pytest.mark.parametrize(
    ("data", "c", "plain"),
    [
        (_framed(3, b"K\x01."), "loads", "loads"),
        (_framed(4, b"K\x01."), "fails", "loads"),
        (_framed(1 << 62, b"K\x01."), "fails", "fails"),
        (_framed(1, b"K\x01."), "loads", "loads"),
        (_framed(2, b"J\x01\x00\x00\x00."), "loads", "fails"),
        (_framed(12, _framed(3, b"K\x01.")[2:]), "loads", "fails"),
    ],
)
def test_frames(data: bytes, c: str, plain: str) -> None:
    if len(data) < 40 and struct.unpack_from("<Q", data, 3)[0] < 1 << 40:
        assert _real(data, plain=True) is (plain == "loads")
        # Of a file; in memory frames have other ends.
        assert c == "fails" or _real(data, plain=False)
    assert judged(data, runtime(PINS)).outcome == c
    assert judged(data, runtime(PINS), loader="joblib").outcome == plain


def test_arguments_are_tuples_to_the_c_unpickler_alone() -> None:
    data = b"\x80\x04cbuiltins\nlist\n](K\x01](K\x02eeR."
    data = b"\x80\x04cbuiltins\nlist\n]](K\x02eaR."
    assert _real(data, plain=True) and not _real(data, plain=False)
    assert judged(data, runtime(PINS)).outcome == "fails"
    assert judged(data, runtime(PINS), loader="joblib").outcome == "loads"


def test_extension_codes_mean_nothing_here() -> None:
    result = judged(b"\x80\x02\x82\x07.", runtime({}))
    assert result.outcome == "fails"
    assert "unregistered extension code 7" in result.reasons[0].error


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
@pytest.mark.parametrize(
    ("behind", "outcome"), [(b"", "loads"), (b"x", "fails"), (bytes(8), "fails")]
)
def test_joblib_stops_where_a_stream_of_zlib_stops(pack: Any, behind: bytes, outcome: str) -> None:
    found = facts(pack(pickle.dumps([1, 2])) + behind, "model.joblib")
    assert link(found, runtime(PINS), loader="joblib").outcome == outcome


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_joblib_does_not_ask_for_the_end_of_a_stream_that_it_has_read(pack: Any) -> None:
    data = pack(pickle.dumps([1, "two", 3.5]))
    end = 8 if pack is gzip.compress else 4
    target = runtime(PINS)
    for lost in range(1, end + 1):
        found = facts(data[:-lost], "model.joblib")
        assert link(found, target, loader="joblib").outcome == "loads", lost
    # Changed it is refused, and so is a stream without what the pickle needs.
    for hurt in (data[:-1] + bytes([data[-1] ^ 255]), data[: -end - 6]):
        assert link(facts(hurt, "model.joblib"), target, loader="joblib").outcome == "fails"


def test_pandas_does_not_either() -> None:
    data = gzip.compress(pickle.dumps([1, "two", 3.5]))
    target = runtime({**PINS, "pandas": "2.2.2"})
    for lost, outcome in ((0, "loads"), (1, "loads"), (8, "loads"), (16, "fails")):
        found = facts(data[: len(data) - lost], "model.pkl.gz")
        assert link(found, target, loader="pandas").outcome == outcome, lost


# ---- boosters ----


def _document() -> dict[str, Any]:
    tree = {
        "base_weights": [0.1, 0.2, -0.2], "default_left": [0, 0, 0], "left_children": [1, -1, -1],
        "loss_changes": [1.0, 0, 0], "parents": [2147483647, 0, 0], "right_children": [2, -1, -1],
        "split_conditions": [0.5, 0, 0], "split_indices": [1, 0, 0], "sum_hessian": [3.0, 1, 2],
        "tree_param": {"num_nodes": "3", "num_feature": "2"},
    }  # fmt: skip
    shared = {"num_feature": "2", "base_score": "0.5"}
    objective = {"name": "reg:squarederror"}
    model = {"trees": [tree], "tree_info": [0], "gbtree_model_param": {"num_trees": "1"}}
    return {
        "Model": {"learner": {"gradient_booster": {"name": "gbtree", "model": model},
                              "learner_model_param": shared, "objective": objective}},
        "Config": {"learner": {"learner_model_param": shared, "objective": objective}},
    }  # fmt: skip


def _ubjson(value: Any) -> bytes:
    if isinstance(value, dict):
        inner = b"".join(_named(k) + _ubjson(v) for k, v in value.items())
        return b"{" + inner + b"}"
    if isinstance(value, list):
        return b"[#L" + struct.pack(">q", len(value)) + b"".join(map(_ubjson, value))
    if isinstance(value, str):
        return b"SL" + struct.pack(">q", len(value)) + value.encode()
    return (
        b"l" + struct.pack(">i", value)
        if isinstance(value, int)
        else b"d" + struct.pack(">f", value)
    )


def _named(name: str) -> bytes:
    return b"L" + struct.pack(">q", len(name)) + name.encode()


@pytest.mark.parametrize(
    "write", [_ubjson, lambda d: json.dumps(d, separators=(",", ":")).encode()]
)
def test_a_whole_booster_has_no_fault(write: Any) -> None:
    assert booster_fault(write(_document())) == ("", "")


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (("trees", 0, "left_children", 0), 7, "leads to 7"),
        (("trees", 0, "split_indices", 0), 64, "column 64"),
        (("trees", 0, "tree_param", "num_nodes"), "9", "9 nodes"),
        (("trees", 0, "base_weights"), None, "base_weights"),
        (("gbtree_model_param", "num_trees"), "x", "num_trees"),
        (("tree_info",), [0, 0], "group"),
    ],
)
def test_boosters_that_xgboost_refuses(place: tuple[Any, ...], value: Any, fault: str) -> None:
    document = _document()
    where = document["Model"]["learner"]["gradient_booster"]["model"]
    for step in place[:-1]:
        where = where[step]
    where[place[-1]] = value
    if value is None:
        del where[place[-1]]
    assert fault in booster_fault(_ubjson(document))[0]


def test_odd_names_of_a_booster_are_a_doubt() -> None:
    document = _document()
    document["Config"]["learner"]["o;jective"] = document["Config"]["learner"].pop("objective")
    fault, doubt = booster_fault(_ubjson(document))
    assert not fault and "o;jective" in doubt
    assert booster_fault(_ubjson(_document())[:-5])[0]


TEXT = (
    b"tree\nversion=v3\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n"
    b"feature_names=a b\nfeature_infos=[0:1] [0:1]\ntree_sizes=%d\n\n"
)
TREE = (
    b"Tree=0\nnum_leaves=2\nsplit_feature=1\nthreshold=0.5\ndecision_type=2\nleft_child=-1\n"
    b"right_child=-2\nleaf_value=0.1 0.2\n\n\n"
)
MODEL = TEXT % len(TREE) + TREE + b"end of trees\n"


def test_a_whole_text_has_no_fault() -> None:
    assert booster_fault(MODEL) == ("", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"num_class", b"num_cla&s"), (b"leaf_value=0.1 ", b"leaf_value=0.1,"), (b"infos=[0:1] ", b"infos="),
        (b"left_child=-1", b"left_child=-9"), (b"feature=1\n", b"feature=9\n"), (b"Tree=0", b"Trae=0"),
        (b"num_leaves=2", b"num_leaves=\x00"),
    ],
)  # fmt: skip
def test_texts_that_lightgbm_refuses(old: bytes, new: bytes) -> None:
    assert booster_fault(MODEL.replace(old, new, 1))[0]


def test_a_booster_in_a_pickle_is_checked() -> None:
    broken = MODEL.replace(b"num_class", b"num_cla&s").decode() + " " * 900
    state = {"handle": broken, "pandas_categorical": None}
    data = Stream().new("lightgbm.basic", "Booster", state).bytes()
    result = judged(data, runtime({"lightgbm": "3.3.5"}))
    assert result.outcome == "fails"
    assert "no num_class" in result.reasons[0].message


# ---- releases ----


@pytest.mark.parametrize(("scipy", "outcome"), [("1.12.0", "loads"), ("1.13.1", "fails")])
def test_sparse_arrays_are_not_restored_as_matrices_are(scipy: str, outcome: str) -> None:
    state = {"_shape": (1, 2), "maxprint": 50, "row": None, "col": None, "data": None}
    data = Stream().new("scipy.sparse._coo", "coo_array", state).bytes()
    assert judged(data, runtime({"scipy": scipy, "numpy": "1.26.4"})).outcome == outcome


def _array(stream: Stream, sides: tuple[int, ...]) -> Stream:
    stream.name("numpy.core.multiarray", "_reconstruct").name("numpy", "ndarray")
    stream.value((0,)).raw(b"C\x01b\x87R(K\x01").value(sides)
    stream.name("numpy", "dtype").value(("f8", False, True)).raw(b"R")
    stream.value((3, "<", None, None, None, -1, -1, 0)).raw(b"b\x89")
    return stream.raw(b"B" + (16).to_bytes(4, "little") + bytes(16) + b"tb")


@pytest.mark.parametrize(
    ("sides", "version", "outcome"),
    [((2,), "1.5.2", "fails"), ((1, 2), "1.5.2", "warns"), ((2,), "1.6.1", "warns")],
)
def test_coefficients_without_rows(sides: tuple[int, ...], version: str, outcome: str) -> None:
    stream = Stream().name("sklearn.linear_model._ridge", "RidgeClassifier").raw(b")\x81}(")
    for name, value in {"alpha": 1.0, "solver": "auto", "n_features_in_": 2, "intercept_": 0.5,
                        "_label_binarizer": None, "_sklearn_version": "1.7.1"}.items():  # fmt: skip
        stream.value(name).value(value)
    _array(stream.value("coef_"), sides)
    result = judged(stream.raw(b"ub").bytes(), runtime({**PINS, "scikit-learn": version}))
    assert result.outcome == outcome


@pytest.mark.parametrize(("code", "outcome"), [("f8", "loads"), ("3U", "loads"), ("ia", "fails")])
def test_data_types_have_codes(code: str, outcome: str) -> None:
    data = Stream().name("numpy", "dtype").value((code, False, True)).raw(b"R").bytes()
    assert judged(data, runtime(PINS)).outcome == outcome


@pytest.mark.parametrize(
    ("name", "outcome"), [("bit_generator", "loads"), ("bit_ge;erator", "fails")]
)
def test_states_of_generators_name_their_parts(name: str, outcome: str) -> None:
    state = {name: "PCG64", "state": {"state": 1, "inc": 3}, "has_uint32": 0, "uinteger": 0}
    stream = Stream().name("numpy.random._pickle", "__bit_generator_ctor").value(("PCG64",))
    data = stream.raw(b"R").value(state).raw(b"b").bytes()
    assert judged(data, runtime(PINS)).outcome == outcome


@pytest.mark.parametrize(("python", "outcome"), [("3.7", "fails"), ("3.8", "loads")])
def test_cookies_take_the_attributes_of_their_python(python: str, outcome: str) -> None:
    stream = Stream().name("http.cookies", "Morsel").raw(b")\x81(")
    for name in ("path", "samesite"):
        stream.value(name).value("")
    result = judged(stream.raw(b"u").bytes(), runtime({}, python=python))
    assert result.outcome == outcome


@pytest.mark.parametrize(
    ("pandas", "loader", "outcome"),
    [
        ("2.0.3", "pickle", "loads"), ("2.1.3", "pickle", "fails"), ("2.1.3", "pandas", "fails"),
        ("2.1.4", "pandas", "loads"), ("2.1.4", "pickle", "fails"),
    ],
)  # fmt: skip
def test_blocks_of_pandas_1_3(pandas: str, loader: str, outcome: str) -> None:
    stream = Stream().name("pandas.core.internals.managers", "BlockManager").raw(b"((")
    stream.name("pandas.core.internals.blocks", "new_block").raw(b"(")
    _array(stream, (1, 2)).name("builtins", "slice").value((0, 1, 1)).raw(b"RK\x02tRt]tR")
    result = judged(stream.bytes(), runtime({**PINS, "pandas": pandas}), loader=loader)
    assert result.outcome == outcome


@pytest.mark.parametrize(("version", "outcome"), [("3.1.1", "fails"), ("3.3.5", "loads")])
def test_leaves_that_are_models_came_with_a_release(version: str, outcome: str) -> None:
    tree = TREE.replace(b"\n\n\n", b"\nis_linear=1\n\n")
    text = TEXT % len(tree) + tree + b"end of trees\n" + b" " * 1100
    data = Stream().new("lightgbm.basic", "Booster", {"handle": text.decode()}).bytes()
    assert judged(data, runtime({"lightgbm": version})).outcome == outcome


@pytest.mark.parametrize(("name", "damaged"), [("__globals__", False), ("__glob:ls__", True)])
def test_functions_of_cloudpickle_have_all_their_parts(name: str, damaged: bool) -> None:
    slots = {name: {}, "__closure__": None, "_cloudpickle_submodules": []}
    stream = Stream().name("cloudpickle.cloudpickle_fast", "_function_setstate")
    stream.name("shop", "made").value(({}, slots)).raw(b"\x86R")
    reasons = judged(stream.bytes(), runtime({"cloudpickle": "2.2.1"})).reasons
    assert any("a function without __globals__" in r.message for r in reasons) is damaged
