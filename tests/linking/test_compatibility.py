"""The linker on artifacts written here, against environments made of pins."""

from __future__ import annotations

import io
import pickle
import pickletools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.artifacts.facts import ArtifactFacts
from auditor.artifacts.scan import scan_bytes
from auditor.linking import symbols
from auditor.linking.compatibility import (
    Compatibility,
    Runtime,
    guess_loader,
    link,
    possible_versions,
)
from auditor.linking.distributions import close
from auditor.linking.projects import ProjectModule
from auditor.values import replace

MODERN = {"scikit-learn": "1.5.2", "numpy": "1.26.4", "scipy": "1.13.1", "joblib": "1.4.2"}


def runtime(
    versions: Mapping[str, str | None] = MODERN,
    *,
    python: str | None = "3.11",
    project: Mapping[str, ProjectModule] | None = None,
    main: frozenset[str] = frozenset(),
    specifiers: Mapping[str, str] | None = None,
) -> Runtime:
    roots: list[tuple[str, tuple[str, ...], str | None]] = [
        (name, (), version) for name, version in versions.items()
    ]
    return Runtime(
        python=python,
        installed=close(roots, python=python, closed=True),
        project={} if project is None else project,
        main=main,
        specifiers=specifiers or {},
    )


def facts(data: bytes, name: str = "model.pkl") -> ArtifactFacts:
    return scan_bytes(data, name)[0]


class Stream:
    """Writes a pickle opcode by opcode: names that need not exist on this machine."""

    def __init__(self, protocol: int = 4) -> None:
        self.out = io.BytesIO()
        self.out.write(b"\x80" + bytes([protocol]))

    def name(self, module: str, name: str) -> Stream:
        self.out.write(b"c" + module.encode() + b"\n" + name.encode() + b"\n")
        return self

    def raw(self, data: bytes) -> Stream:
        self.out.write(data)
        return self

    def value(self, item: Any) -> Stream:
        body = pickle.dumps(item, protocol=2)
        self.out.write(body[2:-1])
        return self

    def new(self, module: str, name: str, state: dict[str, Any]) -> Stream:
        return self.name(module, name).raw(b")\x81").value(state).raw(b"b")

    def bytes(self) -> bytes:
        return self.out.getvalue() + b"."


def judged(data: bytes, target: Runtime | None = None, loader: str = "pickle") -> Compatibility:
    return link(facts(data), target or runtime(), loader=loader)


def first(result: Compatibility) -> tuple[str, str]:
    assert result.first is not None
    return result.outcome, result.first.rule


def test_plain_data_loads() -> None:
    assert judged(pickle.dumps({"a": [1, 2.0, "x"]})).outcome == "loads"


@pytest.mark.parametrize(("python", "outcome"), [("3.7", "fails"), ("3.8", "loads")])
def test_protocol_5_needs_python_3_8(python: str, outcome: str) -> None:
    result = judged(pickle.dumps([1], protocol=5), runtime({}, python=python))
    assert result.outcome == outcome
    if outcome == "fails":
        assert first(result) == ("fails", "CMP001")
        assert "unsupported pickle protocol: 5" in result.reasons[0].error


def test_unknown_python_leaves_protocol_5_open_only_below_the_oldest_supported() -> None:
    assert judged(pickle.dumps([1], protocol=5), runtime({}, python=None)).outcome == "loads"


@pytest.mark.parametrize(
    ("version", "outcome"),
    [("1.24.4", "fails"), ("1.26.4", "loads"), ("2.0.2", "loads")],
)
def test_numpy_2_module_paths(version: str, outcome: str) -> None:
    data = Stream().name("numpy._core.multiarray", "scalar").bytes()
    result = judged(data, runtime({"numpy": version}))
    assert result.outcome == outcome
    if outcome == "fails":
        assert first(result) == ("fails", "CMP006")
        assert result.reasons[0].distribution == "numpy"


def test_numpy_1_module_paths_load_under_numpy_2() -> None:
    data = Stream().name("numpy.core.multiarray", "_reconstruct").bytes()
    assert judged(data, runtime({"numpy": "2.0.2"})).outcome == "loads"


def test_missing_distribution_is_named() -> None:
    data = Stream().name("imblearn.over_sampling._smote.base", "SMOTE").bytes()
    result = judged(data)
    assert first(result) == ("fails", "CMP003")
    assert result.reasons[0].distribution == "imbalanced-learn"
    assert "No module named 'imblearn'" in result.reasons[0].error


@pytest.mark.parametrize(
    ("version", "outcome"),
    [("0.21.3", "loads"), ("0.23.2", "loads"), ("0.24.2", "fails"), ("1.5.2", "fails")],
)
def test_module_that_scikit_learn_renamed(version: str, outcome: str) -> None:
    data = Stream().name("sklearn.linear_model.logistic", "LogisticRegression").bytes()
    result = judged(data, runtime({"scikit-learn": version, "numpy": "1.19.5"}, python="3.8"))
    assert result.outcome == outcome
    if outcome == "fails":
        assert first(result) == ("fails", "CMP004")
        assert "0.23" in result.reasons[0].message


def test_other_version_warns_and_same_version_does_not() -> None:
    state = {"with_mean": True, "with_std": True, "copy": True, "_sklearn_version": "1.4.2"}
    data = Stream().new("sklearn.preprocessing._data", "StandardScaler", state).bytes()
    assert first(judged(data)) == ("warns", "CMP002")
    same = runtime({**MODERN, "scikit-learn": "1.4.2"})
    assert judged(data, same).outcome == "loads"


def test_attribute_that_a_later_version_reads() -> None:
    state = {
        "feature_range": (0, 1), "copy": True, "n_features_in_": 1, "scale_": 1.0, "min_": 0.0,
        "data_min_": 0.0, "data_max_": 1.0, "_sklearn_version": "0.23.2",
    }  # fmt: skip
    data = Stream().new("sklearn.preprocessing._data", "MinMaxScaler", state).bytes()
    result = judged(data)
    assert first(result) == ("fails", "CMP002")
    assert "no attribute 'clip'" in result.reasons[0].error
    complete = Stream().new("sklearn.preprocessing._data", "MinMaxScaler", {**state, "clip": False})
    assert judged(complete.bytes()).outcome == "warns"


def test_main_class_needs_the_loading_program_to_define_it() -> None:
    data = Stream().name("__main__", "Cleaner").bytes()
    assert first(judged(data)) == ("fails", "CMP007")
    assert judged(data, runtime(main=frozenset({"Cleaner"}))).outcome == "loads"


def test_project_module() -> None:
    data = Stream().name("features", "Cleaner").bytes()
    assert first(judged(data)) == ("fails", "CMP008")
    assert (
        judged(
            data, runtime(project={"features": ProjectModule(names=frozenset({"Cleaner"}))})
        ).outcome
        == "loads"
    )
    gone = judged(data, runtime(project={"features": ProjectModule(names=frozenset({"Other"}))}))
    assert first(gone) == ("fails", "CMP008")
    assert judged(data, runtime(project={"features": ProjectModule(names=None)})).outcome == "loads"


def test_standard_library_by_python() -> None:
    data = Stream().name("pathlib._local", "PosixPath").bytes()
    assert judged(data, runtime({}, python="3.13")).outcome == "loads"
    assert first(judged(data, runtime({}, python="3.12"))) == ("fails", "CMP004")


def test_random_generator_of_numpy_2() -> None:
    data = (
        Stream()
        .name("numpy.random._pickle", "__generator_ctor")
        .name("numpy.random._mt19937", "MT19937")
        .raw(b"\x85R")
        .bytes()
    )
    assert first(judged(data, runtime({"numpy": "1.26.4"}))) == ("fails", "CMP006")
    assert judged(data, runtime({"numpy": "2.1.0"})).outcome == "loads"


def test_joblib_file_needs_joblib_and_its_alignment(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    numpy = pytest.importorskip("numpy")
    path = tmp_path / "model.joblib"
    joblib.dump(numpy.arange(1000.0), path)
    artifact = facts(path.read_bytes(), "model.joblib")
    assert guess_loader(artifact) == "joblib"
    numpy2 = {"numpy": "2.1.0", "joblib": "1.4.2"}
    assert link(artifact, runtime(numpy2)).outcome == "loads"
    assert first(link(artifact, runtime(numpy2), loader="pickle")) == ("fails", "CMP011")
    old = link(artifact, runtime({**numpy2, "joblib": "1.1.1"}))
    assert first(old) == ("fails", "CMP011")
    assert old.reasons[0].distribution == "joblib"


def test_compressed_file_needs_a_loader_that_unpacks() -> None:
    import gzip

    artifact = facts(gzip.compress(pickle.dumps([1, 2, 3])), "model.pkl.gz")
    assert first(link(artifact, runtime(), loader="pickle")) == ("fails", "CMP010")
    assert link(artifact, runtime(), loader="joblib").outcome == "loads"


def test_truncated_file_fails() -> None:
    data = pickle.dumps(list(range(100)))
    assert judged(data[: len(data) // 2]).outcome == "fails"


def test_python_2_strings() -> None:
    data = b"\x80\x02U\x02\xff\xfe."
    assert first(judged(data)) == ("fails", "CMP011")
    # pandas.read_pickle tried again with another encoding, until 3.0.
    for version, outcome in (("2.3.3", "loads"), ("3.0.1", "fails")):
        pins = {"pandas": version, "numpy": "2.2.6"}
        assert judged(data, runtime(pins), loader="pandas").outcome == outcome


def test_open_version_is_decided_by_its_ends() -> None:
    data = Stream().name("numpy._core.multiarray", "scalar").bytes()
    both = judged(data, runtime({"numpy": None}, specifiers={"numpy": ">=1.26.1,<2.1"}))
    assert both.outcome == "loads"
    # The new name came with a patch release.
    first = judged(data, runtime({"numpy": None}, specifiers={"numpy": ">=1.26,<2.1"}))
    assert first.outcome == "unknown" and first.reasons[0].distribution == "numpy"
    split = judged(
        data, runtime({"numpy": None}, specifiers={"numpy": ">=1.22,<2.1"}, python="3.10")
    )
    assert split.outcome == "unknown"
    assert "numpy" in split.reasons[0].message
    assert split.reasons[0].distribution == "numpy"


def test_the_newest_release_lies_beside_the_newest_of_the_others() -> None:
    # An old SciPy asks for numpy<1.28; the one that is installed today does not.
    data = (
        Stream()
        .name("numpy._core.numeric", "_frombuffer")
        .name("_loss", "CyHalfBinomialLoss")
        .name("scipy.sparse._csr", "csr_matrix")
        .new("sklearn.preprocessing._data", "StandardScaler", {"_sklearn_version": "1.7.2"})
        .bytes()
    )
    open_ = {"numpy": None, "scikit-learn": None, "scipy": None}
    target = runtime(open_, python="3.12")
    found = judged(data, replace(target, fresh=True))
    assert found.outcome == "fails"
    assert [reason.rule for reason in found.reasons if "numpy" in reason.message] == []


def test_function_of_another_python() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    code = (lambda x: [x + n for n in range(3)]).__code__
    data = cloudpickle.dumps(eval("lambda x: [x + n for n in range(3)]"))
    assert code is not None
    artifact = facts(data)
    here = ".".join(map(str, sys.version_info[:2]))
    pins = {"cloudpickle": cloudpickle.__version__}
    assert link(artifact, runtime(pins, python=here)).outcome == "loads"
    other = "3.9" if sys.version_info[:2] != (3, 9) else "3.12"
    assert first(link(artifact, runtime(pins, python=other))) == ("fails", "CMP005")


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["pickle", "joblib", "dill", "pandas", "torch"]))
def test_never_raises(data: bytes, loader: str) -> None:
    for head in (b"", b"\x80\x04"):
        result = link(facts(head + data), runtime(), loader=loader)
        assert result.outcome in ("loads", "warns", "fails", "unknown")
        assert result.outcome == "loads" or result.reasons


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    ),
    st.integers(min_value=0, max_value=4),
)
def test_data_of_builtins_always_loads(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol=protocol)
    pickletools.genops(data)
    assert judged(data, runtime({}, python="3.9")).outcome == "loads"


SKLEARN = (
    Stream()
    .new("sklearn.preprocessing._data", "StandardScaler", {"_sklearn_version": "1.5.2"})
    .bytes()
)


def test_edges_are_bounded_by_the_other_pins_and_the_interpreter() -> None:
    versions = possible_versions("joblib", "", "3.12")
    oldest = possible_versions("joblib", ">=1.2.0", "3.12")[0]
    assert versions[-1] == possible_versions("joblib", ">=1.2.0", "3.12")[-1]
    assert oldest == "1.2.0"
    assert possible_versions("numpy", "", "3.12")[0] == "1.26.0"
    table = symbols.table("scikit-learn")
    assert table is not None
    assert table.requires("joblib", "1.5.2") == ">=1.2.0"


def test_a_missing_pin_is_named_with_both_ends() -> None:
    open_end = runtime({"scikit-learn": None, "numpy": "1.26.4", "scipy": "1.13.1"})
    said = judged(SKLEARN, open_end)
    assert said.outcome == "unknown" or len({r.effect for r in said.reasons}) == 1
    old = Stream().name("sklearn.linear_model.logistic", "LogisticRegression").raw(b"0N").bytes()
    said = judged(old, runtime({"scikit-learn": None, "numpy": None}, python="3.8"))
    assert said.outcome == "unknown"
    assert said.first is not None
    assert said.first.distribution == "scikit-learn"
    assert said.first.help == "Pin scikit-learn."
    assert {k for k, _ in said.first.evidence} == {"oldest", "newest"}


def test_predictions_without_an_attribute_that_the_release_needs() -> None:
    """What scikit-learn 1.5 itself was asked: a tree without ``monotonic_cst`` does not predict."""
    state = {
        "_sklearn_version": "1.3.2", "criterion": "gini", "splitter": "best", "n_features_in_": 2,
        "n_outputs_": 1, "n_classes_": 2, "classes_": [0, 1], "tree_": None,
    }  # fmt: skip
    data = Stream().new("sklearn.tree._classes", "DecisionTreeClassifier", state).bytes()
    said = judged(data)
    assert said.outcome == "fails"
    assert any("monotonic_cst" in r.error for r in said.reasons)
    whole = Stream().new(
        "sklearn.tree._classes", "DecisionTreeClassifier", state | {"monotonic_cst": None}
    )
    assert judged(whole.bytes()).outcome == "warns"


def test_a_universal_function_names_its_module() -> None:
    data = (
        Stream()
        .name("numpy.core", "_ufunc_reconstruct")
        .value(("scipy.special._ufuncs", "expit"))
        .raw(b"R")
        .bytes()
    )
    assert judged(data).outcome == "loads"
    bare = judged(data, runtime({"numpy": "1.26.4"}))
    assert bare.outcome == "fails"
    assert bare.first is not None and bare.first.rule == "CMP003"


def neighbours(values: int) -> bytes:
    """A k-d tree whose state has so many values."""
    stream = Stream().name("sklearn.neighbors.kd_tree", "newObj")
    stream.name("sklearn.neighbors.kd_tree", "KDTree").raw(b"\x85R(")
    for _ in range(values):
        stream.raw(b"K\x01")
    return stream.raw(b"tb").bytes()


@pytest.mark.parametrize(
    ("values", "version", "outcome"),
    [(12, "0.20.3", "fails"), (12, "0.19.2", "loads"), (13, "0.20.3", "loads")],
)
def test_trees_of_neighbours_from_before_they_had_weights(
    values: int, version: str, outcome: str
) -> None:
    target = runtime({"scikit-learn": version, "numpy": "1.14.6"}, python="3.6")
    assert judged(neighbours(values), target).outcome == outcome


@pytest.mark.parametrize(
    ("jobs", "version", "outcome"),
    [(None, "0.19.2", "fails"), (1, "0.19.2", "loads"), (None, "0.20.3", "loads")],
)
def test_no_number_of_jobs(jobs: int | None, version: str, outcome: str) -> None:
    state = {"n_jobs": jobs, "estimators_": [], "n_outputs_": 1}
    data = Stream().new("sklearn.ensemble.forest", "RandomForestClassifier", state).bytes()
    target = runtime({"scikit-learn": version, "numpy": "1.14.6"}, python="3.6")
    assert judged(data, target).outcome == outcome


@pytest.mark.parametrize(("version", "outcome"), [("0.23.4", "fails"), ("0.24.1", "loads")])
def test_multi_index_that_has_codes(version: str, outcome: str) -> None:
    data = (
        Stream()
        .name("pandas.core.indexes.base", "_new_Index")
        .name("pandas.core.indexes.multi", "MultiIndex")
        .value({"levels": [], "codes": []})
        .raw(b"\x86R")
        .bytes()
    )
    target = runtime({"pandas": version, "numpy": "1.14.6"}, python="3.6")
    assert judged(data, target).outcome == outcome


@pytest.mark.parametrize(("version", "outcome"), [("0.2.9", "fails"), ("0.3.1.1", "loads")])
def test_function_with_more_than_an_old_dill_takes(version: str, outcome: str) -> None:
    arguments = b"NNNNNNN"
    data = Stream().name("dill._dill", "_create_function").raw(b"(" + arguments + b"tR").bytes()
    target = runtime({"dill": version}, python="3.6")
    assert judged(data, target, "dill").outcome == outcome


@pytest.mark.parametrize(
    ("python", "version", "outcome"),
    [("3.6", "0.3.2", "fails"), ("3.6", "0.3.4", "fails"), ("3.7", "0.3.4", "loads")],
)
@pytest.mark.parametrize("asked", [True, False])
def test_closures_whose_cells_are_filled_later(
    python: str, version: str, outcome: str, asked: bool
) -> None:
    stream = Stream().name("dill._dill", "_create_cell").raw(b"N\x85Rq\x090")
    stream = stream.name("dill._dill", "_create_function").raw(b"(NNNNh\x09\x85tR0")
    if asked:
        # What dill writes: its own ``_setattr`` where it has one.
        stream = stream.name("builtins", "getattr").name("dill", "_dill").value("_setattr")
        stream = stream.name("builtins", "setattr").raw(b"\x87R")
    else:
        stream = stream.name("builtins", "setattr")
    data = stream.raw(b"h\x09").value("cell_contents").value(3).raw(b"\x87R").bytes()
    result = judged(data, runtime({"dill": version}, python=python), "dill")
    assert result.outcome == outcome
    assert ("cell_contents" in result.reasons[0].error) if outcome == "fails" else True


def booster(buffer: bytes) -> bytes:
    stream = Stream().name("xgboost.core", "Booster").raw(b")\x81}").value("handle")
    return stream.name("builtins", "bytearray").value(buffer).raw(b"\x85Rsb").bytes()


@pytest.mark.parametrize(("version", "outcome"), [("3.0.5", "warns"), ("3.1.2", "fails")])
def test_a_pickled_booster_has_to_be_ubjson_since_3_1(version: str, outcome: str) -> None:
    data = booster(b'{"Config":{"learner":{}}' + b" " * 100 + b',"version":[1,4,2]}}')
    target = runtime({"xgboost": version, "numpy": "2.2.6"}, python="3.12")
    assert judged(data, target).outcome == outcome


SCIPY = {"numpy": "2.2.6"}


@pytest.mark.parametrize(
    ("module", "name", "state", "good", "bad"),
    [
        # SciPy 1.18 takes it apart otherwise, 1.17 looks for other slots.
        ("scipy.interpolate._cubic", "CubicSpline", {"c": 1, "x": 1, "axis": 0}, "1.15.3", "1.18.1"),
        ("scipy.interpolate._cubic", "CubicSpline", {"c": 1, "x": 1, "axis": 0}, "1.16.1", "1.17.1"),
        ("scipy.interpolate._bsplines", "BSpline",
         {"t": 1, "c": 1, "k": 3, "axis": 0}, "1.16.1", "1.18.1"),
        ("scipy.stats._kde", "gaussian_kde",
         {"dataset": 1, "d": 1, "covariance": 1, "inv_cov": 1}, "1.9.3", "1.16.1"),
        ("scipy.sparse._dok", "dok_matrix", {"_shape": 1}, "1.11.4", "1.12.0"),
        ("scipy.spatial.transform.rotation", "Rotation", {"_quat": 1, "_single": 1}, "1.5.4", "1.7.1"),
        # Behind a module that only forwards.
        ("scipy.stats.kde", "gaussian_kde",
         {"dataset": 1, "d": 1, "covariance": 1, "inv_cov": 1}, "1.7.1", "1.16.1"),
    ],
)  # fmt: skip
def test_states_of_scipy(
    module: str, name: str, state: dict[str, int], good: str, bad: str
) -> None:
    data = Stream().new(module, name, state).bytes()
    assert judged(data, runtime({"scipy": good, **SCIPY}, python="3.12")).outcome == "loads"
    assert judged(data, runtime({"scipy": bad, **SCIPY}, python="3.12")).outcome == "fails"


def test_a_tuple_is_no_state_where_a_dictionary_is_restored() -> None:
    stream = Stream().name("scipy.interpolate._rbfinterp", "RBFInterpolator").raw(b")\x81")
    data = stream.value(((1, 2), 3)).raw(b"b").bytes()
    for version, outcome in (("1.16.1", "fails"), ("1.17.1", "loads")):
        target = runtime({"scipy": version, **SCIPY}, python="3.12")
        assert judged(data, target).outcome == outcome


@pytest.mark.parametrize(
    ("code", "writers"),
    [
        # A loop that jumps by an odd number counts instructions; one beyond the end counts bytes.
        (b"|\x00]\x07}\x01|\x01\x91\x02q\x02S\x00", ((3, 10),)),
        (b"|\x00]\x0a}\x01|\x01\x91\x02q\x02S\x00", ((3, 8), (3, 9))),
        (b"|\x00S\x00", ((3, 8), (3, 9), (3, 10))),
    ],
)
def test_who_wrote_a_function_of_an_older_dill(
    code: bytes, writers: tuple[tuple[int, int], ...]
) -> None:
    from auditor.linking.bytecode import codes

    stream = Stream().name("dill._dill", "_create_code").raw(b"(")
    for number in (1, 0, 0, 2, 4, 67):
        stream.value(number)
    stream.raw(b"C" + bytes([len(code)]) + code)
    for item in ((None,), (), ("x", "v"), "<string>", "f", 1):
        stream.value(item)
    stream.raw(b"C\x00").value(()).value(())
    (found,) = codes(facts(stream.raw(b"tR").bytes()).pickle)
    assert found.writers == writers
