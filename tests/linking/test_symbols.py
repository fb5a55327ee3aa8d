"""The symbol tables against libraries that are installed here, and their own rules."""

from __future__ import annotations

import importlib
import json
import zipfile
from pathlib import Path

import pytest

from auditor.catalog import knowledge_text
from auditor.linking import symbols
from auditor.linking.projects import project_module


def table(name: str) -> symbols.Table:
    found = symbols.table(name)
    assert found is not None
    return found


def test_every_library_has_a_table() -> None:
    for distribution in set(symbols.LIBRARIES.values()) - {"statsmodels"}:
        assert table(distribution).versions


def test_patch_releases_are_answered_by_their_minor() -> None:
    sklearn = table("scikit-learn")
    for version in ("1.5.0", "1.5.1", "1.5.2", "1.5.99"):
        assert sklearn.find("sklearn.tree._tree", "Tree", version) == "yes"


def test_removed_module_and_name() -> None:
    numpy = table("numpy")
    assert numpy.find("numpy._core.multiarray", "scalar", "1.24.4") == "no-module"
    assert numpy.find("numpy.core.multiarray", "_reconstruct", "2.1.0") == "yes"
    assert table("scikit-learn").find("sklearn.preprocessing", "Imputer", "1.0.2") == "no-name"
    assert table("scikit-learn").last_with("sklearn.preprocessing", "Imputer") == "0.21.3"


def test_versions_beyond_the_table_are_not_covered() -> None:
    assert not table("scikit-learn").covers("99.0")
    assert table("scikit-learn").covers("1.2.2")


def test_needs_follow_inheritance_and_grow_with_versions() -> None:
    sklearn = table("scikit-learn")
    old = sklearn.needs("sklearn.preprocessing._data", "MinMaxScaler", "0.23.2")
    new = sklearn.needs("sklearn.preprocessing._data", "MinMaxScaler", "1.5.2")
    assert "clip" in new - old
    assert {"scale_", "min_"} <= old & new


@pytest.mark.parametrize(
    ("distribution", "module"),
    [
        ("scikit-learn", "sklearn.linear_model._logistic"),
        ("scikit-learn", "sklearn.pipeline"),
        ("numpy", "numpy.random._pickle"),
        ("joblib", "joblib.numpy_pickle"),
    ],
)
def test_agrees_with_the_installed_library(distribution: str, module: str) -> None:
    metadata = importlib.import_module("importlib.metadata")
    installed = pytest.importorskip(module)
    version = metadata.version(distribution)
    known = table(distribution)
    if not known.covers(version):
        pytest.skip(f"{distribution} {version} is newer than the table")
    for name, item in vars(installed).items():
        if isinstance(item, type) and item.__module__ == module:
            assert known.find(module, name, version) in ("yes", "unknown"), name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("class A: ...\ndef f(): ...\nX = 1\n", {"A", "f", "X"}),
        ("try:\n    import a.b as c\nexcept ImportError:\n    c = None\n", {"c"}),
        ("if True:\n    from m import n as o, p\n", {"o", "p"}),
        ("a, (b, *d) = 1, (2, 3)\n", {"a", "b", "d"}),
    ],
)
def test_project_names(text: str, names: set[str]) -> None:
    assert project_module(text).names == names


@pytest.mark.parametrize("text", ["from m import *\n", "def f(:\n"])
def test_project_names_unknown(text: str) -> None:
    assert project_module(text).names is None


def test_names_read_row_by_row_are_the_tables() -> None:
    for distribution in ("joblib", "stdlib", "scikit-learn"):
        text = knowledge_text(f"symbols-{distribution}.json.gz")
        whole = json.loads(text)
        read = symbols._document(text)
        assert not isinstance(read["names"], dict)
        assert set(read["names"]) == set(whole["names"]) and len(read["names"])
        assert {k: v for k, v in read.items() if k != "names"} == {
            k: v for k, v in whole.items() if k != "names"
        }
        for module, names in whole["names"].items():
            assert read["names"][module] == names
        assert read["names"].get("no.such.module") is None
    # Written in another way, the table is read whole.
    assert symbols._document(json.dumps(whole, indent=1)) == whole


OLD_STATE = """
class Cut:
    def __setstate__(self, state):
        self._space = state.pop("_space")
        self.__dict__.update(state)

    def __call__(self, x):
        return self._space, x


class Pair:
    def __setstate__(self, state):
        self._inner, sentinel = state
        self._count = len(sentinel)


class Lenient:
    def __setstate__(self, state):
        if isinstance(state, tuple):
            state = state[1]
        self._space = state["_space"]


class Kernel:
    def evaluate(self, points):
        return self.factor * points

    __call__ = evaluate
"""


def test_what_setstate_takes_is_needed_and_calls_go_by_other_names(tmp_path: Path) -> None:
    from auditor.online.reader import describe

    with zipfile.ZipFile(tmp_path / "lib-1.0.zip", "w") as archive:
        archive.writestr("FILES", "lib-1.0-py3-none-any.whl\nlib/__init__.py\nlib/things.py")
        archive.writestr("lib/__init__.py", "")
        archive.writestr("lib/things.py", OLD_STATE)
    needs = describe(tmp_path / "lib-1.0.zip", True)["needs"]
    assert {name.partition(":")[2]: sorted(found) for name, found in needs.items()} == {
        "Cut": ["_space"],
        "Pair": ["()"],
        "Kernel": ["factor"],
    }


def test_a_class_behind_a_module_that_forwards_is_the_one_of_that_name() -> None:
    scipy = table("scipy")
    assert "_spline" in scipy.needs(
        "scipy.interpolate.interpolate", "RegularGridInterpolator", "1.17.1"
    )
    assert not scipy.needs("scipy.interpolate.interpolate", "NoSuchClass", "1.17.1")
