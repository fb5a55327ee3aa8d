"""Causes that loads in fresh environments showed: each by what the release's code does."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from test_compatibility import Stream, facts, judged, runtime

from auditor.linking import symbols
from auditor.linking.compatibility import link

NUMPY = {"numpy": "1.26.4"}


@pytest.mark.parametrize(
    ("first", "outcome"), [("class", "loads"), ("mapping", "fails"), ("nothing", "fails")]
)
def test_an_array_is_made_of_a_class(first: str, outcome: str) -> None:
    stream = Stream().name("numpy.core.multiarray", "_reconstruct")
    if first == "class":
        stream.name("numpy", "ndarray")
    else:
        stream.value({"n": 1} if first == "mapping" else None)
    stream.raw(b"K\x00\x85C\x01b\x87R(K\x01K\x01\x85").name("numpy", "dtype")
    stream.raw(b"X\x02\x00\x00\x00f8\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xff")
    stream.raw(b"J\xff\xff\xff\xffK\x00tb\x89C\x08" + struct.pack("<d", 1.5) + b"tb")
    assert judged(stream.bytes(), runtime(NUMPY)).outcome == outcome


@pytest.mark.parametrize(("key", "outcome"), [("data", "loads"), ("dat4", "fails")])
def test_an_index_is_made_of_its_data(key: str, outcome: str) -> None:
    stream = Stream().name("pandas.core.indexes.base", "_new_Index")
    stream.name("pandas.core.indexes.base", "Index").value({key: [1, 2], "name": None})
    target = runtime({**NUMPY, "pandas": "2.1.4"})
    assert judged(stream.raw(b"\x86R").bytes(), target).outcome == outcome


@pytest.mark.parametrize(
    ("version", "checksum", "outcome"),
    [
        ("1.22.2", 0xF88304A, "loads"),
        ("1.22.2", 0x3EAA222, "unknown"),
        ("1.22.4", 0x3EAA222, "loads"),
        ("1.21.1", 0x3EAA222, "fails"),
        ("1.26.4", 0x3EAA222, "loads"),
    ],
)
def test_layouts_that_came_with_a_patch_release(version: str, checksum: int, outcome: str) -> None:
    module = "numpy.random.bit_generator"
    stream = Stream().name(module, "__pyx_unpickle_SeedSequence").name(module, "SeedSequence")
    data = stream.value(checksum).raw(b"N\x87R").bytes()
    assert judged(data, runtime({"numpy": version})).outcome == outcome


@pytest.mark.parametrize(("version", "outcome"), [("1.15.4", "fails"), ("1.18.5", "loads")])
@pytest.mark.parametrize(
    "importer", ["dill._dill:_import_module", "cloudpickle.cloudpickle:subimport"]
)
def test_modules_that_are_imported_by_name(importer: str, version: str, outcome: str) -> None:
    module, _, function = importer.partition(":")
    stream = Stream().name(module, function).value("numpy.core._multiarray_umath")
    pins = {"numpy": version, "dill": "0.3.3", "cloudpickle": "1.6.0"}
    assert judged(stream.raw(b"\x85R").bytes(), runtime(pins)).outcome == outcome


@pytest.mark.parametrize(
    ("more", "keywords", "outcome"),
    [((), 1, "fails"), ((), 0, "loads"), (({"scale": 3},), 1, "loads")],
)
def test_defaults_that_dill_did_not_carry(more: Any, keywords: int, outcome: str) -> None:
    stream = Stream().name("dill._dill", "_create_function").raw(b"(")
    stream.name("dill._dill", "_create_code")
    code = (1, keywords, 2, 2, 67, b"|\x00|\x01\x14\x00S\x00", (None,), (), ("x", "scale"), "<s>",
            "made", 1, b"\x00\x01", (), ())  # fmt: skip
    stream.value(code).raw(b"R").value({"__name__": "__main__"})
    for part in ("made", None, None, {}, *more):
        stream.value(part)
    data = stream.raw(b"tR").bytes()
    found = link(facts(data), runtime({"dill": "0.3.3"}, python="3.7"), loader="dill")
    assert found.outcome == outcome, found.reasons


def test_every_main_module_has_its_dictionary() -> None:
    data = Stream().name("__main__", "__dict__").bytes()
    assert judged(data, runtime({})).outcome == "loads"


@pytest.mark.parametrize(
    ("installed", "outcome"),
    [("3.2.1", "loads"), ("3.3.0", "fails"), ("3.3.5", "fails")],
)
def test_models_that_do_not_say_that_they_are_fitted(installed: str, outcome: str) -> None:
    stream = Stream().name("lightgbm.sklearn", "LGBMClassifier").raw(b")\x81")
    data = stream.value({"_Booster": 1, "n_jobs": 1, "_n_classes": 2}).raw(b"b").bytes()
    found = judged(data, runtime({"lightgbm": installed}))
    said = any("takes it for unfitted" in reason.message for reason in found.reasons)
    assert said == (outcome == "fails")


@pytest.mark.parametrize(("installed", "outcome"), [("0.20.4", "fails"), ("0.22.2.post1", "loads")])
def test_arrays_of_the_joblib_inside_scikit_learn(installed: str, outcome: str) -> None:
    home = "sklearn.externals.joblib.numpy_pickle"
    stream = Stream(2).name(home, "NumpyArrayWrapper").raw(b")\x81}(")
    stream.value("subclass").name("numpy", "ndarray").value("shape").value((2,))
    stream.value("order").value("C").value("allow_mmap").value(True).value("dtype")
    stream.name("numpy", "dtype").raw(b"X\x02\x00\x00\x00f8K\x00K\x01\x87R(K\x03X\x01\x00\x00\x00<")
    stream.raw(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbub")
    data = stream.raw(struct.pack("<2d", 1.5, 2.5)).bytes()
    pins = {"scikit-learn": installed, "numpy": "1.16.6", "scipy": "1.2.3", "joblib": "0.13.2"}
    found = link(facts(data, "model.joblib"), runtime(pins, python="3.6"), loader="joblib")
    assert found.outcome == outcome, found.reasons


@pytest.mark.parametrize(
    ("version", "name", "attribute"),
    [
        ("0.22.2.post1", "sklearn.preprocessing._data:PolynomialFeatures", "order"),
        ("1.2.2", "sklearn.kernel_approximation:AdditiveChi2Sampler", "sample_interval_"),
        ("1.3.0", "sklearn.decomposition._kernel_pca:KernelPCA", "gamma_"),
        ("1.6.1", "sklearn.preprocessing._data:Binarizer", "copy"),
    ],
)
def test_every_release_was_asked(version: str, name: str, attribute: str) -> None:
    table = symbols.table("scikit-learn")
    assert table is not None
    assert attribute in table.needs(*name.split(":"), version)


def test_arrays_of_texts_are_pickles_inside_a_joblib_file() -> None:
    stream = Stream().name("joblib.numpy_pickle", "NumpyArrayWrapper").raw(b")\x81}(")
    stream.value("subclass").name("numpy", "ndarray").value("shape").value((2,))
    stream.value("order").value("C").value("allow_mmap").value(False).value("dtype")
    stream.name("numpy._core._internal", "_convert_to_stringdtype_kwargs").raw(b")R")
    inner = Stream().value(["aa", "b"]).bytes()
    data = stream.raw(b"ub" + inner).bytes()
    pins = {"numpy": "2.1.3", "joblib": "1.4.2"}
    assert link(facts(data, "model.joblib"), runtime(pins), loader="joblib").outcome == "loads"


def test_an_array_is_made_of_no_other_array() -> None:
    stream = Stream().name("numpy", "dtype").raw(b"X\x02\x00\x00\x00f8\x89\x88\x87Rq\x050")
    stream.name("numpy.core.multiarray", "_reconstruct")
    data = stream.raw(b"h\x05K\x00\x85C\x01b\x87R").bytes()
    assert judged(data, runtime(NUMPY)).outcome == "fails"


@pytest.mark.parametrize(("key", "outcome"), [("axes", "loads"), ("axcs", "fails")])
def test_a_frame_has_axes(key: str, outcome: str) -> None:
    stream = Stream().name("pandas.core.internals.managers", "BlockManager").raw(b")\x81")
    state = ([], [], [], {"0.14.1": {key: [], "blocks": []}})
    data = stream.value(state).raw(b"b").bytes()
    assert judged(data, runtime({**NUMPY, "pandas": "1.5.3"})).outcome == outcome


@pytest.mark.parametrize(
    ("name", "outcome"), [("ZoneInfo._unpickle", "loads"), ("ZoneInfo._u;pickle", "fails")]
)
def test_names_inside_classes_are_names(name: str, outcome: str) -> None:
    data = Stream().value("zoneinfo").value(name).raw(b"\x93").bytes()
    assert judged(data, runtime({}, python="3.11")).outcome == outcome


@pytest.mark.parametrize(("name", "outcome"), [("Stop", "loads"), ("S!op", "fails")])
def test_tuples_have_names(name: str, outcome: str) -> None:
    stream = Stream().name("dill._dill", "_create_namedtuple")
    data = stream.value((name, ("a", "b"), "fleet")).raw(b"R").bytes()
    found = link(facts(data), runtime({"dill": "0.3.8"}), loader="dill")
    assert found.outcome == outcome, found.reasons


@pytest.mark.parametrize(("name", "outcome"), [("asarray", "loads"), ("4sarray", "fails")])
def test_functions_ask_for_names(name: str, outcome: str) -> None:
    stream = Stream().name("dill._dill", "_create_code")
    code = (1, 0, 1, 2, 67, b"|\x00S\x00", (None,), (name, "os.path"), ("x",), "<s>",
            "made", 1, b"\x00\x01", (), ())  # fmt: skip
    data = stream.value(code).raw(b"R").bytes()
    found = link(facts(data), runtime({"dill": "0.3.3"}, python="3.7"), loader="dill")
    assert found.outcome == outcome, found.reasons


@pytest.mark.parametrize(("sparse", "outcome"), [(True, "fails"), (False, "warns")])
def test_support_vectors_of_sparse_rows_are_asked_by_other_code(sparse: bool, outcome: str) -> None:
    table = symbols.table("scikit-learn")
    assert table is not None
    needs = table.needs("sklearn.svm._classes", "SVR", "1.9.0")
    assert "_effective_probability?_sparse" in needs
    kept = {need.partition("?")[0] for need in needs} - {"_effective_probability", "*_"}
    state = {**dict.fromkeys(kept, 1), "_sparse": sparse, "_sklearn_version": "1.2.1"}
    data = Stream().new("sklearn.svm._classes", "SVR", state).bytes()
    pins = {"scikit-learn": "1.9.0", "numpy": "2.4.1", "scipy": "1.17.0"}
    assert judged(data, runtime(pins, python="3.13")).outcome == outcome


@pytest.mark.parametrize(
    ("python", "outcome"), [("3.11", "unknown"), ("3.12", "unknown"), ("3.10", "fails")]
)
def test_loops_that_3_11_or_3_12_may_have_compiled(python: str, outcome: str) -> None:
    """RESUME, a load, a jump backward where it is true, a return: numbers that both have."""
    raw = bytes([151, 0, 124, 0, 176, 2, 124, 0, 83, 0])
    code = (
        1,
        0,
        0,
        1,
        2,
        3,
        raw,
        (None,),
        (),
        ("n",),
        "<s>",
        "made",
        "made",
        1,
        b"\x01",
        b"\x01",
        (),
        (),
    )
    stream = Stream().name("types", "CodeType").value(code).raw(b"R")
    found = judged(stream.bytes(), runtime({}, python=python))
    assert found.outcome == outcome, found.reasons
