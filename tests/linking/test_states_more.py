"""States that restore into something else, and libraries of which nothing is known."""

from __future__ import annotations

import pickle
import sys

import pytest
from test_compatibility import Stream, judged, runtime


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
    text = b"tree\nversion=" + version + b"\nnum_class=1\n" + b"x" * 3000
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
    stream = Stream().name("sklearn.tree._tree", "Tree").raw(b")\x81}")
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
