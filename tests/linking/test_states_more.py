"""States that restore into something else, and libraries of which nothing is known."""

from __future__ import annotations

import math
import pickle
import sys

import pytest
from test_compatibility import Stream, first, judged, runtime


def test_a_library_without_a_table_is_not_said_to_load() -> None:
    data = Stream().name("faiss.loader", "Index").bytes()
    result = judged(data, runtime({"faiss-cpu": "1.8.0"}))
    assert result.outcome == "unknown"
    assert "faiss-cpu 1.8.0" in result.reasons[0].message
    assert "--online" in result.reasons[0].help
    several = Stream().name("faiss.loader", "Index").name("faiss.loader", "Other").bytes()
    assert len(judged(several, runtime({"faiss-cpu": "1.8.0"})).reasons) == 1


@pytest.mark.parametrize(("version", "outcome"), [("1.19.5", "fails"), ("1.26.4", "loads")])
def test_a_bit_generator_that_came_later(version: str, outcome: str) -> None:
    data = (
        Stream().name("numpy.random._pickle", "__bit_generator_ctor").raw(b"X\x09\0\0\0PCG64DXSM\x85R")
    ).bytes()  # fmt: skip
    result = judged(data, runtime({"numpy": version}))
    assert result.outcome == outcome
    if outcome == "fails":
        assert "PCG64DXSM" in result.reasons[0].message


@pytest.mark.parametrize(
    ("protocol", "version", "outcome"),
    [
        (4, "1.2.3", "fails"),
        (3, "1.2.3", "unknown"),
        (3, "1.13.1", "unknown"),
        (4, "1.13.1", "loads"),
    ],
)
def test_monotone_interpolators_changed_their_basis(
    protocol: int, version: str, outcome: str
) -> None:
    stream = Stream(protocol).new("scipy.interpolate._cubic", "PchipInterpolator", {"axis": 0})
    assert judged(stream.bytes(), runtime({"scipy": version})).outcome == outcome


@pytest.mark.parametrize(("version", "outcome"), [("1.3.0", "fails"), ("1.4.2", "loads")])
def test_boosting_with_the_shared_losses(version: str, outcome: str) -> None:
    stream = Stream().name("sklearn.ensemble._gb", "GradientBoostingRegressor").raw(b")\x81}")
    stream.raw(b"X\x05\0\0\0_loss").name("sklearn._loss.loss", "HuberLoss").raw(b")\x81}b").raw(
        b"sb"
    )
    result = judged(stream.bytes(), runtime({"scikit-learn": version, "numpy": "1.26.4"}))
    assert result.outcome == outcome
    if outcome == "fails":
        assert result.reasons[0].effect == "predict"
        assert "get_init_raw_predictions" in result.reasons[0].error


def _booster(version: bytes, categories: bytes) -> bytes:
    text = b"tree\nversion=" + version + b"\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0"
    text += b"\nmax_feature_idx=0\nfeature_names=a\nfeature_infos=[0:1]\n\n" + b"x" * 3000
    text += b"\npandas_categorical:" + categories + b"\n"
    return Stream().new("lightgbm.basic", "Booster", {"handle": text.decode()}).bytes()


@pytest.mark.parametrize(
    ("written", "categories", "installed", "outcome"),
    [
        (b"v3", b'[["a", "b"]]', "2.2.3", "fails"),
        (b"v2", b'[["a", "b"]]', "2.2.3", "loads"),
        (b"v3", b"null", "2.2.3", "loads"),
        (b"v3", b'[["a", "b"]]', "3.3.5", "loads"),
    ],
)
def test_categories_of_lightgbm_under_2_2(
    written: bytes, categories: bytes, installed: str, outcome: str
) -> None:
    result = judged(_booster(written, categories), runtime({"lightgbm": installed}))
    assert result.outcome == outcome


def _in_its_own_namespace(source: str, *, first: bool) -> bytes:
    """``made`` as dill before 0.3.5 writes it; with ``first`` the namespace is filled beforehand."""
    scope: dict[str, object] = {}
    exec(source, scope)
    code = scope["made"].__code__  # type: ignore[attr-defined]
    parts = [getattr(code, "co_" + name) for name in (
        "argcount", "posonlyargcount", "kwonlyargcount", "nlocals", "stacksize", "flags", "code",
        "consts", "names", "varnames", "filename", "name", "qualname", "firstlineno", "linetable",
        "exceptiontable", "freevars", "cellvars",
    )]  # fmt: skip
    stream = Stream(3)

    def begin() -> None:
        stream.name("dill._dill", "_create_function").raw(b"(")
        stream.name("dill._dill", "_create_code")
        stream.raw(pickle.dumps(tuple(parts), 3)[2:-1]).raw(b"R")

    begin()
    stream.raw(b"}q\xf0").value("LIMIT").value(5).raw(b"s" if first else b"00")
    if not first:
        stream.raw(b"(").value("made")
        begin()
        stream.raw(b"h\xf0").value("made").raw(b"NNtRu")
    return stream.value("made").raw(b"NNtR").bytes()


READS = "def made(x):\n    return min(x, LIMIT)\n"


@pytest.mark.parametrize(
    ("source", "first", "dill", "outcome"),
    [
        (READS, False, "0.3.8", "fails"),
        (READS, True, "0.3.8", "loads"),
        # Builtins come back with every dill since 0.3.4, and with every Python since 3.10.
        ("def made(x):\n    return abs(x)\n", False, "0.3.8", "loads"),
        ("def made(x):\n    return abs(x)\n", False, "0.3.3", "loads"),
        ("def made(x):\n    return x\n", False, "0.3.8", "loads"),
    ],
)
def test_dill_functions_that_lost_their_namespace(
    source: str, first: bool, dill: str, outcome: str
) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    result = judged(
        _in_its_own_namespace(source, first=first), runtime({"dill": dill}, python=python), "dill"
    )
    assert result.outcome == outcome, result.reasons
    if outcome == "fails":
        assert "reads LIMIT" in result.reasons[0].message


def test_trees_that_dill_wrote_are_read_through_its_own_arrays() -> None:
    """dill 0.3.6 and newer hand an array's state over as an argument."""
    stream = Stream().name("sklearn.tree._tree", "Tree").raw(b")\x81")
    stream.value({"max_depth": 1, "node_count": 1, "values": None})
    stream.value("nodes").name("dill._dill", "_create_array")
    stream.raw(b"(").name("numpy.core.multiarray", "_reconstruct").raw(b")(K\x01K\x01\x85")
    stream.name("numpy", "dtype").value("V56").raw(b"\x89\x88\x87R(K\x03X\x01\0\0\0|N")
    stream.value(("left_child", "right_child", "feature", "threshold")).raw(b"}K8K\x01K\x10tb")
    stream.raw(b"\x89").raw(b"C\x00tNtRsb")
    result = judged(
        stream.bytes(), runtime({"scikit-learn": "1.5.2", "numpy": "1.26.4", "dill": "0.3.8"})
    )
    assert result.outcome == "fails"
    assert "decision trees in the layout of scikit-learn before 1.3" in result.reasons[0].message


@pytest.mark.parametrize(("fitted", "outcome"), [(b"N", "loads"), (b"K\x01", "fails")])
def test_a_template_of_lightgbm_is_not_an_unfitted_model(fitted: bytes, outcome: str) -> None:
    stream = Stream().name("lightgbm.sklearn", "LGBMClassifier").raw(b")\x81}")
    stream.value("_Booster").raw(fitted + b"sb")
    result = judged(stream.bytes(), runtime({"lightgbm": "3.3.5"}))
    assert result.outcome == outcome


@pytest.mark.parametrize(("version", "outcome"), [("1.26.0", "fails"), ("1.26.1", "loads")])
def test_the_new_names_of_numpy_came_with_a_patch_release(version: str, outcome: str) -> None:
    data = Stream().name("numpy._core.multiarray", "scalar").bytes()
    assert judged(data, runtime({"numpy": version})).outcome == outcome


def test_names_that_a_module_gives_without_listing_them() -> None:
    data = Stream().name("numpy", "chararray").bytes()
    assert judged(data, runtime({"numpy": "2.1.3"})).outcome == "loads"


def test_a_build_under_another_name_brings_nothing_unknown() -> None:
    data = Stream().name("fleet", "Van").bytes()
    result = judged(data, runtime({"xgboost-cpu": "3.0.0"}))
    assert result.outcome == "fails" and result.reasons[0].rule == "CMP008"


def _blocks(values: Stream) -> bytes:
    """A frame's manager as pandas 1.3 writes it, with one block of those values."""
    stream = Stream().name("pandas.core.internals.managers", "BlockManager")
    stream.name("functools", "partial").name("pandas.core.internals.blocks", "new_block")
    stream.raw(b"\x85R").raw(values.out.getvalue()[2:])
    stream.name("builtins", "slice").raw(b"K\x00K\x01K\x01\x87R\x86R\x85]\x86R")
    return stream.bytes()


PLAIN = Stream().name("numpy.core.multiarray", "_reconstruct").name("numpy", "ndarray")
PLAIN.raw(b"K\x00\x85C\x01b\x87R")
PERIODS = Stream().name("pandas.core.arrays.period", "PeriodArray").raw(b")\x81}b")


@pytest.mark.parametrize(
    ("values", "version", "outcome"),
    [
        (PLAIN, "2.0.1", "loads"),
        (PLAIN, "2.1.3", "fails"),
        (PERIODS, "2.0.1", "fails"),
        (PLAIN, "1.5.3", "loads"),
    ],
)
def test_blocks_of_pandas_1_3_hold_slices(values: Stream, version: str, outcome: str) -> None:
    result = judged(_blocks(values), runtime({"pandas": version, "numpy": "1.24.4"}))
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(
    ("version", "more", "outcome"),
    [
        # 0.5 and older read what newer releases no longer write.
        ("0.5.0", {}, "fails"),
        ("0.5.0", {"ratio": None, "return_indices": False, "random_state": None}, "loads"),
        ("0.14.0", {}, "loads"),
    ],
)
def test_samplers_are_asked_what_they_cannot_do_without(
    version: str, more: dict[str, object], outcome: str
) -> None:
    module = "imblearn.under_sampling._prototype_selection._tomek_links"
    state = {"sampling_strategy": "auto", "n_jobs": None, **more}
    stream = Stream().new(module, "TomekLinks", state)
    found = judged(stream.bytes(), runtime({"imbalanced-learn": version, "scikit-learn": "1.4.2"}))
    assert found.outcome == outcome, found.reasons
    if outcome == "fails":
        assert "without random_state" in found.reasons[0].message
    # Inside something else it is a template, or done with since the training.
    inside = Stream().raw(b"]").new(module, "TomekLinks", state).raw(b"a")
    assert judged(inside.bytes(), runtime({"imbalanced-learn": version})).outcome == "loads"


@pytest.mark.parametrize(
    ("module", "name", "pins", "what"),
    [
        ("pandas.core.groupby.generic", "DataFrameGroupBy", {"pandas": "2.2.3"}, "group or roll"),
        ("pandas.api.typing", "Rolling", {"pandas": "3.0.2"}, "group or roll"),
        ("scipy.stats._qmc", "Sobol", {"scipy": "1.13.1"}, "make it anew"),
    ],
)
def test_private_states_in_the_middle_of_a_computation(
    module: str, name: str, pins: dict[str, str], what: str
) -> None:
    stream = Stream().new(module, name, {"a": 1})
    result = judged(stream.bytes(), runtime({"numpy": "1.26.4", **pins}))
    assert result.outcome == "unknown" and what in result.reasons[0].help


def test_limits_of_a_type_cannot_be_restored() -> None:
    stream = Stream().new("numpy", "finfo", {"eps": 1.0})
    result = judged(stream.bytes(), runtime({"numpy": "1.26.4"}))
    assert first(result) == ("fails", "CMP006")


@pytest.mark.parametrize(
    ("revision", "cls", "settings", "version", "outcome"),
    [
        (9011453, "CatBoostRegressor", {}, "0.23", "unknown"),
        (9011453, "CatBoostRegressor", {}, "0.24.4", "loads"),
        (6861880, "CatBoostRegressor", {}, "0.22", "loads"),
        (9011453, "CatBoostClassifier", {}, "0.23", "loads"),
        (9011453, "CatBoostClassifier", {"cat_features": ["a"]}, "0.23", "unknown"),
    ],
)
def test_biases_that_old_releases_of_catboost_do_not_read(
    revision: int, cls: str, settings: dict[str, object], version: str, outcome: str
) -> None:
    blob = b"CBM1" + b"\0" * 4000 + b"    Last Changed Rev: %d\n" % revision + b"\0" * 900
    stream = Stream().name("catboost.core", cls).raw(b")\x81").value(settings)
    stream.value("__model").raw(b"B" + len(blob).to_bytes(4, "little") + blob).raw(b"sb")
    result = judged(stream.bytes(), runtime({"catboost": version}))
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(("version", "outcome"), [("0.90", "fails"), ("1.6.2", "loads")])
def test_unfitted_models_of_xgboost_before_1(version: str, outcome: str) -> None:
    stream = Stream().new("xgboost.sklearn", "XGBClassifier", {"max_depth": 3})
    assert (
        judged(stream.bytes(), runtime({"xgboost": version, "setuptools": "65.5.0"})).outcome
        == outcome
    )


@pytest.mark.parametrize(("version", "outcome"), [("2.2.3", "fails"), ("3.0.2", "loads")])
def test_an_offset_with_one_more_argument(version: str, outcome: str) -> None:
    stream = Stream().name("pandas._libs.tslibs.offsets", "Easter").raw(b"K\x01\x89K\x03\x87R")
    pins = {"pandas": version, "numpy": "2.1.3"}
    assert judged(stream.bytes(), runtime(pins)).outcome == outcome


def test_that_a_library_is_missing_is_said_once() -> None:
    stream = Stream().name("sklearn.base", "BaseEstimator").name("sklearn.svm._classes", "SVC")
    result = judged(stream.name("numpy", "ndarray").bytes(), runtime({}))
    assert [r.distribution for r in result.reasons] == ["scikit-learn", "numpy"]


@pytest.mark.parametrize(
    ("state", "version", "outcome"),
    [
        (b"]", "1.0.0", "loads"),
        (b"]", "1.20.0", "fails"),
        (b"C\x03abc", "1.20.0", "loads"),
        (b"C\x03abc", "2.1.0", "loads"),
        (b"C\x03abc", "1.9.0", "fails"),
    ],
)
def test_frames_of_polars(state: bytes, version: str, outcome: str) -> None:
    stream = Stream().name("polars.dataframe.frame", "DataFrame").raw(b")\x81" + state + b"b")
    assert judged(stream.bytes(), runtime({"polars": version})).outcome == outcome


def test_queries_of_polars_are_private() -> None:
    stream = Stream().name("polars.lazyframe.frame", "LazyFrame").raw(b")\x81C\x01ab")
    result = judged(stream.bytes(), runtime({"polars": "1.20.0"}))
    assert result.outcome == "unknown" and "LazyFrame" in result.reasons[0].message


@pytest.mark.parametrize(
    ("names", "version", "outcome"),
    [
        (["intercept", "a_0"], "2.7.0", "fails"),
        (["a_0"], "2.7.0", "loads"),
        (["intercept", "a_0"], "2.6.3", "loads"),
    ],
)
def test_contrast_encoders_lost_their_intercept(
    names: list[str], version: str, outcome: str
) -> None:
    state = {"cols": ["a"], "handle_missing": "value", "_dim": 1, "return_df": True,
             "drop_invariant": False, "handle_unknown": "value", "mapping": [],
             "ordinal_encoder": None, "feature_names_out_": names}  # fmt: skip
    stream = Stream().new("category_encoders.sum_coding", "SumEncoder", state)
    result = judged(stream.bytes(), runtime({"category-encoders": version}))
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(("python", "outcome"), [("3.11", "fails"), ("3.13", "loads")])
def test_bytecode_that_never_leaves_was_compiled_by_another_python(
    python: str, outcome: str
) -> None:
    """RESUME, RETURN_CONST of 3.13 are COPY_FREE_VARS, BUILD_LIST to 3.11."""
    stream = Stream().name("types", "CodeType").raw(b"(").raw(b"K\0K\0K\0K\0K\x01K\x03")
    stream.raw(b"C\x04\x95\x00g\x00").value((None,)).value(()).value(()).value("<string>")
    stream.value("f").value("f").value(1).raw(b"C\0C\0").value(()).value(()).raw(b"tR")
    result = judged(stream.bytes(), runtime({}, python=python))
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(("version", "outcome"), [("1.3.0", "fails"), ("1.3.1", "loads")])
def test_histogram_trees_count_wider_since_a_patch_release(version: str, outcome: str) -> None:
    fields = ("value", "feature_idx", "num_threshold", "missing_go_to_left", "is_categorical")
    home = "sklearn.ensemble._hist_gradient_boosting.predictor"
    stream = Stream().name(home, "TreePredictor").raw(b")\x81}").value("nodes")
    stream.name("numpy.core.multiarray", "_reconstruct").name("numpy", "ndarray")
    stream.raw(b"K\0\x85C\x01b\x87R(K\x01K\x01\x85")
    stream.name("numpy", "dtype").value("V56").raw(b"\x89\x88\x87R(K\x03X\x01\0\0\0|N")
    stream.value(fields).raw(b"}").value("feature_idx")
    stream.name("numpy", "dtype").value("i8").raw(b"\x89\x88\x87RK\x08\x86sK8K\x01K\x10tb")
    stream.raw(b"\x89C\x38" + bytes(56) + b"tbsb")
    result = judged(stream.bytes(), runtime({"scikit-learn": version, "numpy": "1.26.4"}))
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(
    ("written", "version", "outcome"),
    [("1.3.1", "1.0.2", "fails"), ("1.0.1", "1.0.2", "warns"), ("1.3.1", "1.3.2", "warns")],
)
def test_coefficients_that_turned_over(written: str, version: str, outcome: str) -> None:
    state = {"_sklearn_version": written, "coef_": 1, "_x_mean": 1, "_x_std": 1, "_y_mean": 1,
             "_predict_1d": True, "intercept_": 1, "x_rotations_": 1}  # fmt: skip
    stream = Stream().new("sklearn.cross_decomposition._pls", "PLSCanonical", state)
    result = judged(stream.bytes(), runtime({"scikit-learn": version, "numpy": "1.24.4"}))
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(
    ("features", "version", "pandas", "outcome"),
    [
        (["a"], "1.1", "2.0.1", "fails"),
        (["a"], "1.2.2", "2.0.1", "loads"),
        (["a"], "1.1", "1.5.3", "loads"),
        (None, "1.1", "2.0.1", "loads"),
    ],
)
def test_categories_of_catboost_and_pandas_2(
    features: list[str] | None, version: str, pandas: str, outcome: str
) -> None:
    state = {"cat_features": features} if features else {"depth": 2}
    stream = Stream().new("catboost.core", "CatBoostRegressor", state)
    result = judged(stream.bytes(), runtime({"catboost": version, "pandas": pandas}))
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(
    ("kept", "version", "outcome"),
    [
        (None, "1.18.5", "loads"),
        (None, "1.19.5", "fails"),
        ({}, "1.18.5", "fails"),
        ({}, "2.0.2", "loads"),
    ],
)
def test_vectorized_functions_of_either_kind(kept: object, version: str, outcome: str) -> None:
    state = {"cache": False, "signature": None, "_ufunc": kept, "otypes": "l"}
    data = Stream().new("numpy", "vectorize", state).bytes()
    assert judged(data, runtime({"numpy": version})).outcome == outcome
    lazy = Stream().new("numpy", "vectorize", {**state, "otypes": None}).bytes()
    assert judged(lazy, runtime({"numpy": version})).outcome == "loads"


def _grid(code: str) -> bytes:
    stream = Stream().name("scipy.interpolate._rgi", "RegularGridInterpolator").raw(b")\x81}(")
    stream.value("method").value("linear").value("grid")
    stream.name("numpy.core.multiarray", "_reconstruct").name("numpy", "ndarray")
    stream.value((0,)).raw(b"C\x01b\x87R(").value(1).value((2,))
    stream.name("numpy", "dtype").value((code, False, True)).raw(b"R")
    stream.value((3, "<", None, None, None, -1, -1, 0)).raw(b"b").value(False)
    return stream.raw(b"C\x10" + bytes(16) + b"tb\x85ub").bytes()


@pytest.mark.parametrize(
    ("code", "version", "outcome"),
    [("i8", "1.9.3", "loads"), ("i8", "1.10.1", "fails"), ("f8", "1.10.1", "loads")],
)
def test_grids_of_whole_numbers(code: str, version: str, outcome: str) -> None:
    result = judged(_grid(code), runtime({"scipy": version, "numpy": "1.24.4"}))
    assert result.outcome == outcome, result.reasons


def _nearest(side: bool) -> bytes:
    stream = Stream().name("scipy.interpolate.interpolate", "interp1d").raw(b")\x81}(")
    for key, item in (("_extrapolate", True), ("_y_axis", 0), ("_y_extra_shape", ())):
        stream.value(key).value(item)
    if side:
        stream.value("_side").value("left")
    stream.value("_call").name("builtins", "getattr")
    stream.name("scipy.interpolate.interpolate", "interp1d").value("_call_nearest")
    return stream.raw(b"\x86Rub").bytes()


@pytest.mark.parametrize(
    ("side", "version", "outcome"),
    [(False, "1.5.4", "loads"), (False, "1.7.3", "fails"), (True, "1.7.3", "loads")],
)
def test_the_nearest_point_needs_a_side(side: bool, version: str, outcome: str) -> None:
    result = judged(_nearest(side), runtime({"scipy": version, "numpy": "1.21.6"}))
    assert result.outcome == outcome, result.reasons
    if outcome == "fails":
        assert "_side" in result.reasons[0].error


@pytest.mark.parametrize(
    ("low", "version", "outcome"),
    [(0.0, "1.5.4", "loads"), (0.0, "1.6.3", "fails"), (-math.inf, "1.6.3", "unknown")],
)
def test_distributions_of_older_scipy_lose_their_bounds(
    low: float, version: str, outcome: str
) -> None:
    stream = Stream().name("scipy.stats._continuous_distns", "t_gen").raw(b")\x81")
    stream.value(({"a": low, "b": math.inf, "name": "t"}, None))
    assert judged(stream.raw(b"b").bytes(), runtime({"scipy": version})).outcome == outcome


@pytest.mark.parametrize(
    ("newer", "version", "outcome"),
    [(False, "1.2.5", "loads"), (False, "1.4.1", "fails"), (True, "1.4.1", "loads")],
)
def test_intervals_keep_their_type_since_pandas_1_3(
    newer: bool, version: str, outcome: str
) -> None:
    state = {"_left": 0, "_right": 1, **({"_dtype": 2} if newer else {"_closed": "right"})}
    for written in (state, (state,)):
        stream = Stream().name("pandas.core.arrays.interval", "IntervalArray").raw(b")\x81")
        data = stream.value(written).raw(b"b").bytes()
        result = judged(data, runtime({"pandas": version, "numpy": "1.21.6"}))
        assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize("version", ["1.11.4", "1.13.1"])
def test_dictionaries_of_keys_are_read_by_older_scipy_too(version: str) -> None:
    state = {"_shape": (1, 2), "_dict": {(0, 1): 1.5}}
    data = Stream().new("scipy.sparse._dok", "dok_matrix", state).bytes()
    assert judged(data, runtime({"scipy": version})).outcome == "loads"


@pytest.mark.parametrize(("version", "outcome"), [("1.5.4", "fails"), ("1.7.3", "loads")])
def test_results_with_further_fields(version: str, outcome: str) -> None:
    stream = Stream().name("scipy.stats._stats_mstats_common", "LinregressResult")
    data = stream.value((1.0, 2.0)).value({"intercept_stderr": 0.1}).raw(b"\x92").bytes()
    result = judged(data, runtime({"scipy": version}))
    assert result.outcome == outcome, result.reasons


def test_pandas_lets_no_warning_through() -> None:
    state = {"with_mean": True, "with_std": True, "copy": True, "mean_": [0.0], "scale_": [1.0],
             "var_": [1.0], "n_samples_seen_": 3, "n_features_in_": 1, "_sklearn_version": "1.3.0"}  # fmt: skip
    data = Stream().new("sklearn.preprocessing._data", "StandardScaler", state).bytes()
    target = runtime({"scikit-learn": "1.4.2", "numpy": "1.26.4", "pandas": "2.2.3"})
    assert judged(data, target).outcome == "warns"
    assert judged(data, target, "pandas").outcome == "loads"


@pytest.mark.parametrize(
    ("written", "installed", "outcome"),
    [("1.3.2", "1.5.0", "fails"), ("1.4.2", "1.5.0", "warns"), ("1.2.2", "1.2.1", "warns")],
)
def test_leaves_that_count(written: str, installed: str, outcome: str) -> None:
    state = {
        "criterion": "gini", "splitter": "random", "n_outputs_": 1, "classes_": [0, 1],
        "n_classes_": 2, "n_features_in_": 2, "tree_": None, "monotonic_cst": None,
        "_sklearn_version": written,
    }  # fmt: skip
    data = Stream().new("sklearn.tree._classes", "ExtraTreeClassifier", state).bytes()
    target = runtime({"scikit-learn": installed, "numpy": "1.26.4"})
    result = judged(data, target)
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(
    ("written", "installed", "root", "outcome"),
    [
        ("1.4.2", "1.5.0", True, "fails"),
        ("1.4.2", "1.4.0", True, "warns"),
        ("1.4.2", "1.5.0", False, "warns"),
    ],
)
def test_weights_of_words_under_their_older_name(
    written: str, installed: str, root: bool, outcome: str
) -> None:
    state = {
        "norm": "l2", "use_idf": True, "smooth_idf": True, "sublinear_tf": False, "_idf_diag": 1,
        "n_features_in_": 3, "_sklearn_version": written,
    }  # fmt: skip
    stream = Stream().raw(b"" if root else b"]")
    stream.new("sklearn.feature_extraction.text", "TfidfTransformer", state)
    data = stream.raw(b"" if root else b"a").bytes()
    result = judged(data, runtime({"scikit-learn": installed, "numpy": "1.26.4"}))
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(
    ("home", "version", "outcome"),
    [
        ("_discrete_distns", "1.8.1", "loads"),
        ("_discrete_distns", "1.9.3", "unknown"),
        ("_continuous_distns", "1.8.1", "loads"),
        ("_continuous_distns", "1.9.3", "unknown"),
    ],
)
def test_distributions_with_their_parameters(home: str, version: str, outcome: str) -> None:
    name = "poisson_gen" if "discrete" in home else "norm_gen"
    stream = Stream().name("scipy.stats._distn_infrastructure", "rv_frozen").raw(b")\x81}")
    stream.value("dist").name(f"scipy.stats.{home}", name).raw(b")\x81").value({"a": 0})
    result = judged(stream.raw(b"bsb").bytes(), runtime({"scipy": version}))
    assert result.outcome == outcome, result.reasons
    if outcome == "unknown":
        assert ("pmf" if "discrete" in home else "pdf") in result.reasons[0].error


def test_a_search_only_draws_from_its_distributions() -> None:
    stream = Stream().name("sklearn.model_selection._search", "RandomizedSearchCV").raw(b")\x81}")
    stream.value("d").name("scipy.stats._distn_infrastructure", "rv_frozen").raw(b")\x81}")
    stream.value("dist").name("scipy.stats._continuous_distns", "norm_gen").raw(b")\x81")
    data = stream.raw(b"sbsb").bytes()
    target = runtime({"scipy": "1.9.3", "scikit-learn": "1.1.3", "numpy": "1.23.5"})
    assert judged(data, target).outcome == "loads"


@pytest.mark.parametrize(("python", "outcome"), [("3.9", "fails"), ("3.10", "loads")])
@pytest.mark.parametrize("home", ["_functools", "functools"])
def test_unions_of_types_in_either_spelling(home: str, python: str, outcome: str) -> None:
    stream = Stream(2).name(home, "reduce").name("_operator", "or_").raw(b"(")
    data = stream.name("builtins", "int").name("builtins", "str").raw(b"t\x86R").bytes()
    assert judged(data, runtime({}, python=python)).outcome == outcome


@pytest.mark.parametrize(("version", "outcome"), [("1.3.0", "fails"), ("1.4.1", "loads")])
def test_one_cloudpickle_asks_types_for_classes(version: str, outcome: str) -> None:
    stream = Stream().name("cloudpickle.cloudpickle", "_builtin_type").value("ClassType")
    target = runtime({"cloudpickle": version, "joblib": "0.17.0"}, python="3.7")
    assert judged(stream.raw(b"\x85R").bytes(), target).outcome == outcome


@pytest.mark.parametrize(
    ("writer", "target", "runs"),
    [((3, 6), (3, 7), True), ((3, 7), (3, 8), False), ((3, 8), (3, 9), True)],
)
def test_keys_and_values_change_places_in_python_3_8(
    writer: tuple[int, int], target: tuple[int, int], runs: bool
) -> None:
    from auditor.linking.bytecode import Code, portable

    map_add = 147
    code = Code(name="f", writers=(writer,), arguments=15, by_dill=True, extended=False,
                opcodes=frozenset({map_add}), offset=0)  # fmt: skip
    assert portable(code, writer, target) is runs


@pytest.mark.parametrize(("python", "breaks"), [("3.11", True), ("3.12", False)])
def test_instructions_with_other_caches(python: str, breaks: bool) -> None:
    """``return LIMIT`` of 3.12: four empty places behind LOAD_GLOBAL, where 3.11 expects five."""
    code = b"\x97\x00t\x00" + bytes(8) + b"S\x00"
    stream = Stream().name("dill._dill", "_create_code").raw(b"(C\x00").value(0).value(0).value(0)
    stream.value(0).value(1).value(3).raw(b"C" + bytes([len(code)]) + code).value((None,))
    stream.value(("LIMIT",)).value(()).value("<string>").value("f").value("f").value(1)
    stream.raw(b"C\x00C\x00").value(()).value(()).raw(b"tR")
    target = runtime({"dill": "0.3.8"}, python=python)
    reasons = judged(stream.bytes(), target, "dill").reasons
    assert any(r.rule == "CMP005" for r in reasons) is breaks, reasons


@pytest.mark.parametrize(("python", "outcome"), [("3.9", "fails"), ("3.10", "loads")])
def test_dill_asks_types_for_none(python: str, outcome: str) -> None:
    data = Stream().name("dill._dill", "_load_type").value("NoneType").raw(b"\x85R").bytes()
    assert judged(data, runtime({"dill": "0.3.8"}, python=python), "dill").outcome == outcome


@pytest.mark.parametrize(("version", "outcome"), [("2.3.5", "fails"), ("2.4.6", "loads")])
def test_iterators_over_places(version: str, outcome: str) -> None:
    data = Stream().new("numpy", "ndindex", {"_iter": None}).bytes()
    assert judged(data, runtime({"numpy": version})).outcome == outcome
