"""What the bytes say of who wrote them."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from auditor.artifacts.provenance import Claim, combine, provenance
from auditor.artifacts.scan import scan_bytes


def made(data: bytes, name: str = "model.pkl") -> dict[str, str]:
    return dict(provenance(scan_bytes(data, name)[0]).produced_by)


def test_protocol_5_is_python_3_8_or_newer() -> None:
    assert made(pickle.dumps([1], protocol=5))["python"] == ">=3.8"
    assert "python" not in made(pickle.dumps([1], protocol=2))


def test_names_tell_the_numpy_major() -> None:
    assert made(b"\x80\x04cnumpy._core.multiarray\nscalar\n.")["numpy"] == ">=2.0"
    assert made(b"\x80\x04cnumpy.core.multiarray\nscalar\n.")["numpy"].endswith("<2.0")


def test_bytecode_tells_the_python() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    data = cloudpickle.dumps(eval("lambda x: [x * 2, str(x)]"))
    claim = made(data)["python"]
    from packaging.specifiers import SpecifierSet

    assert SpecifierSet(claim).contains(".".join(map(str, sys.version_info[:2])))
    assert not SpecifierSet(claim).contains("3.7")


def test_estimators_state_their_version_and_columns(tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn")
    import numpy
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LinearRegression())
    model.fit(numpy.array([[1.0, 2.0], [3.0, 5.0], [4.0, 4.0]]), [1, 2, 3])
    model.steps[0][1].feature_names_in_ = numpy.array(["age", "income"], dtype=object)
    facts = scan_bytes(pickle.dumps(model), "model.pkl")[0]
    found = provenance(facts)
    assert dict(found.produced_by)["scikit-learn"] == sklearn.__version__
    assert found.feature_names == ("age", "income")
    assert found.pipeline is True
    bare = provenance(scan_bytes(pickle.dumps(model.steps[1][1]), "model.pkl")[0])
    assert bare.pipeline is False
    assert bare.n_features == 2


def test_joblib_alignment(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    import numpy

    joblib.dump(numpy.arange(500.0), tmp_path / "a.joblib")
    assert made((tmp_path / "a.joblib").read_bytes(), "a.joblib")["joblib"] == ">=1.2"


def test_combination_is_the_narrowest_and_survives_contradiction() -> None:
    claims = (
        Claim(subject="numpy", evidence="a", low="1.20"),
        Claim(subject="numpy", evidence="b", low="1.24", high="2.0"),
        Claim(subject="python", evidence="c", low="3.8"),
        Claim(subject="python", evidence="d", exact="3.11"),
        Claim(subject="joblib", evidence="e", low="1.2"),
        Claim(subject="joblib", evidence="f", high="1.0"),
    )
    assert dict(combine(claims)) == {
        "numpy": ">=1.24,<2.0",
        "python": "3.11",
        "joblib": ">=1.2",
    }


def catboost(*lines: str) -> bytes:
    """A model's bytes as far as they matter: the build's text beside its name."""
    text = "Git info:\n    " + "\n    ".join(lines) + "\nOther info:\n"
    return b"CBM1\x40\x00\x00\x00" + bytes(40) + text.encode() + b"\0catboost_version_info\0" * 2


@pytest.mark.parametrize(
    ("lines", "version"),
    [
        (("Commit: " + "0" * 40, "Branch: tags/v1.2.9"), "1.2.9"),
        (("Branch: heads/master", "Summary: CatBoost Release 1.2.7. commit"), "1.2.7"),
        # A known commit, a revision between two known releases, and one from after all of them.
        (("Commit: e31af0f9afd45607d95d658e6977f9a4445d1c27",), "0.24.4"),
        (("Commit: " + "0" * 40, "Last Changed Rev: 7000000"), ">=0.23.2,<0.24.4"),
        (("Commit: " + "0" * 40, "Last Changed Rev: 9293085"), ">=1.0.6"),
        (("nothing known",), None),
    ],
)
def test_catboost_names_its_build(lines: tuple[str, ...], version: str | None) -> None:
    raw = catboost(*lines)
    assert made(raw, "model.cbm").get("catboost") == version
    # A pickle holds the same bytes.
    model = b"\x80\x04ccatboost.core\nCatBoostClassifier\n)\x81}" + pickle.dumps("__model", 2)[2:-1]
    model += pickle.dumps(raw, 4).removeprefix(b"\x80\x04").removesuffix(b".")[9:] + b"sb."
    assert made(model).get("catboost") == version


def test_safetensors_names_its_framework() -> None:
    import json
    import struct

    header = json.dumps({"__metadata__": {"format": "pt"}}).encode()
    facts = scan_bytes(struct.pack("<Q", len(header)) + header, "model.safetensors")[0]
    assert ("safetensors_format", "pt") in facts.details
    assert [c.subject for c in provenance(facts).claims] == ["torch"]
