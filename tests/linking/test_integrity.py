"""Streams that an unpickler reads to their end although a byte in them is another."""

from __future__ import annotations

import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compatibility import Stream, judged, runtime

PINS = {"numpy": "1.26.4", "scikit-learn": "1.5.2", "pandas": "2.2.3", "scipy": "1.13.1"}


def _array(
    stream: Stream, shape: tuple[int, ...], code: str, raw: bytes, *, form: int = 1, dtype: int = 3
) -> Stream:
    """One array, as NumPy's ``__reduce__`` has it written with protocol 3 and newer."""
    stream.name("numpy.core.multiarray", "_reconstruct").name("numpy", "ndarray")
    stream.value((0,)).raw(b"C\x01b\x87R(").value(form).value(shape)
    stream.name("numpy", "dtype").value((code, False, True)).raw(b"R")
    stream.value((dtype, "<", None, None, None, -1, -1, 0)).raw(b"b").value(False)
    return stream.raw(b"B" + len(raw).to_bytes(4, "little") + raw).raw(b"tb")


@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple),
    code=st.sampled_from([("f8", 8), ("i2", 2), ("b1", 1), ("c16", 16), ("U3", 12), ("S5", 5)]),
)
def test_what_adds_up_is_not_called_damaged(shape: tuple[int, ...], code: tuple[str, int]) -> None:
    count = 1
    for side in shape:
        count *= side
    data = _array(Stream(), shape, code[0], bytes(count * code[1])).bytes()
    assert judged(data, runtime(PINS)).outcome == "loads"


@pytest.mark.parametrize(
    ("shape", "code", "form", "dtype", "error"),
    [
        ((2, 87), "f8", 1, 3, "buffer size"),
        ((2, 2), "f4", 1, 3, "buffer size"),
        ((2, 2), "f8", 84, 3, "can't handle version 84 of numpy.ndarray"),
        ((2, 2), "f8", 1, 86, "can't handle version 86 of numpy.dtype"),
    ],
)
def test_arrays_that_contradict_themselves(
    shape: tuple[int, ...], code: str, form: int, dtype: int, error: str
) -> None:
    data = _array(Stream(), shape, code, bytes(32), form=form, dtype=dtype).bytes()
    result = judged(data, runtime(PINS))
    assert result.outcome == "fails"
    assert error in result.reasons[0].error
    assert "damaged" in result.reasons[0].message


def _forest(inner: int) -> bytes:
    stream = Stream().name("sklearn.ensemble._forest", "RandomForestClassifier").raw(b")\x81}(")
    stream.value("n_features_in_").value(4).value("_sklearn_version").value("1.5.2")
    stream.value("estimators_").raw(b"]")
    for _ in range(2):
        stream.name("sklearn.tree._classes", "DecisionTreeClassifier").raw(b")\x81")
        stream.value({"n_features_in_": inner, "_sklearn_version": "1.5.2"}).raw(b"ba")
    return stream.raw(b"ub").bytes()


@pytest.mark.parametrize(("inner", "damaged"), [(4, False), (81, True)])
def test_trees_of_one_forest_saw_the_same_columns(inner: int, damaged: bool) -> None:
    reasons = judged(_forest(inner), runtime(PINS)).reasons
    assert any("a tree in it with 81" in r.message for r in reasons) is damaged


def test_attributes_have_names() -> None:
    stream = Stream().name("sklearn.linear_model._logistic", "LogisticRegression").raw(b")\x81")
    stream.raw(pickle.dumps({"C": 1.0, (): 2}, 2)[2:-1]).raw(b"b")
    result = judged(stream.bytes(), runtime(PINS))
    assert result.outcome == "fails"
    assert "name is not text" in result.reasons[0].message


@pytest.mark.parametrize(
    ("attribute", "root", "outcome"),
    [("coef_", True, "warns"), ("c!ef_", True, "fails"), ("c!ef_", False, "fails")],
)
def test_a_fitted_model_has_what_its_release_reads(
    attribute: str, root: bool, outcome: str
) -> None:
    state = {
        "C": 1.0, "multi_class": "auto", "solver": "lbfgs", attribute: [[1.0]], "intercept_": [0.0],
        "classes_": [0, 1], "n_features_in_": 1, "n_iter_": [3], "_sklearn_version": "1.5.0",
    }  # fmt: skip
    stream = Stream().raw(b"" if root else b"]")
    stream.new("sklearn.linear_model._logistic", "LogisticRegression", state)
    result = judged(stream.raw(b"" if root else b"a").bytes(), runtime(PINS))
    assert result.outcome == outcome
    if outcome == "fails":
        assert "without coef_" in result.reasons[0].message


def test_a_search_that_kept_no_model_is_not_damaged() -> None:
    state = {"refit": False, "estimator": None, "cv": 2, "best_params_": {}, "cv_results_": {},
             "n_splits_": 2, "multimetric_": False, "_sklearn_version": "1.5.0"}  # fmt: skip
    data = Stream().new("sklearn.model_selection._search", "GridSearchCV", state).bytes()
    assert judged(data, runtime(PINS)).outcome == "warns"


def _frame(names: int, last: int, *, newer: bool) -> bytes:
    stream = Stream().name("pandas.core.internals.managers", "BlockManager")
    stream.raw(b")\x81(" if not newer else b"(")

    def index() -> None:
        stream.name("pandas.core.indexes.base", "_new_Index")
        stream.name("pandas.core.indexes.base", "Index").raw(b"}(").value("data")
        _array(stream, (names,), "f8", bytes(8 * names)).value("name").value(None).raw(b"u\x86R")

    def place() -> None:
        stream.name("builtins", "slice").value((0, last, 1)).raw(b"R")

    if newer:
        stream.name("pandas._libs.internals", "_unpickle_block").value(None)
        place()
        stream.value(2).raw(b"\x87R\x85](")
        index()
        return stream.raw(b"e\x86R" if False else b"etR").bytes()
    stream.value([]).value([]).value([]).raw(b"}").value("0.14.1").raw(b"}(").value("axes").raw(
        b"]("
    )
    index()
    stream.raw(b"e").value("blocks").raw(b"]}(").value("values").value(None).value("mgr_locs")
    place()
    return stream.raw(b"uaus").raw(b"tb").bytes()


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize(("last", "damaged"), [(2, False), (85, True), (0, True)])
def test_blocks_hold_the_columns_of_the_frame(last: int, damaged: bool, newer: bool) -> None:
    reasons = judged(_frame(2, last, newer=newer), runtime(PINS)).reasons
    assert any("whose blocks hold" in r.message for r in reasons) is damaged, reasons


def test_pandas_1_3_0_reads_no_older_frames() -> None:
    data = _frame(2, 2, newer=False)
    for version, outcome in (("1.3.0", "fails"), ("1.3.1", "loads"), ("1.2.5", "loads")):
        result = judged(data, runtime(PINS | {"pandas": version}))
        assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(
    ("values", "code", "doubted"),
    [
        ((0.25, 1.5, 2.541503906250000, 10.75), "d", True),
        ((0.25, 1.5, 1.9467177638862437e-207, 3.5), "d", True),
        # What arithmetic leaves, thirds, halves of halves, and columns of measurements are none.
        ((0.1, 0.2, 0.30000000000000004, 0.4), "d", False),
        ((2.0000000000000004, 1.0, 0.0, 0.0), "d", False),
        ((1.9999999999999998, 1.0, 0.5, 0.0), "d", False),
        ((1.9999999994285262, 1.0, 0.5, 0.0), "d", False),
        # A column of one value and another says nothing of how its values are written.
        ((0.0, 0.0, 2.541503906250000, 0.0), "d", False),
        ((0.5, 0.25, 1 / 3, 0.75), "d", False),
        (tuple(2.0**-n for n in range(16)), "d", False),
        ((0.5, 0.123456789012, 0.987654321098), "d", False),
        ((1.5, 2.541503906250000), "d", True),
        ((1.0, 2.541503906250000), "d", False),
        ((2, 3 + (0x55 << 32)), "q", False),
        ((1, 2, 3 + (0x55 << 32), 4), "q", True),
        ((1, 2, 3 + (0x55 << 8), 4), "q", False),
        ((1, 2, 1 << 20, 4), "q", False),
        ((1000, 2000, 123456789, 4000), "q", False),
        ((-1, 2, 3 + (0x55 << 32), 4), "q", False),
        ((1, 0, 0x55, 1), "B", True),
        ((1, 0, 1, 1), "B", False),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_one_value_beside_the_others(
    values: tuple[float, ...], code: str, doubted: bool, order: str
) -> None:
    raw = struct.pack(f"<{len(values)}{code}", *values)
    kind = {"d": "f8", "q": "i8", "B": "b1"}[code]
    stream = _array(Stream(), (len(values),), kind, raw).bytes()
    data = stream.replace(b"X\x01\x00\x00\x00<", b"X\x01\x00\x00\x00" + order.encode())
    result = judged(data, runtime(PINS))
    swapped = order == ">" and code != "B"
    assert result.outcome == ("unknown" if doubted and not swapped else "loads"), result.reasons
    if result.reasons:
        assert "may have been damaged" in result.reasons[0].message


@given(place=st.integers(0, 7), mask=st.integers(1, 255))
def test_doubts_about_single_values_never_fail(place: int, mask: int) -> None:
    raw = bytearray(struct.pack("<8d", *[0.5 * n for n in range(8)]))
    raw[24 + place] ^= mask
    outcome = judged(_array(Stream(), (8,), "f8", bytes(raw)).bytes(), runtime(PINS)).outcome
    assert outcome in ("loads", "unknown")
