"""Boosters between releases: objectives, settings and parts that only some of them know."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_compatibility import Stream, booster, judged, runtime

from auditor.artifacts.scan import scan_bytes
from auditor.config import Settings
from auditor.engine import deployment_of
from auditor.linking.boosters import reads_alike
from auditor.linking.compatibility import Runtime, link
from auditor.linking.distributions import close


def _pickled(objective: str, version: str, **wrapper: object) -> bytes:
    """A booster of XGBoost 1.6 and newer (UBJSON, spaces for what nobody reads here)."""
    numbers = bytes(n for part in version.split(".") for n in (0x69, int(part)))
    raw = (
        b"{L"
        + b" " * 200
        + b"objectiveSL"
        + bytes(7)
        + b"\x09"
        + objective.encode()
        + b"L"
        + b"version["
        + numbers
        + b"]}}"
    )
    if not wrapper:
        return booster(raw)
    stream = Stream().name("xgboost.sklearn", "XGBRegressor").raw(b")\x81}(")
    for key, item in wrapper.items():
        stream.value(key).value(item)
    stream.value("_Booster").raw(booster(raw)[2:-1])
    return stream.raw(b"ub").bytes()


@pytest.mark.parametrize(
    ("objective", "written", "installed", "outcome"),
    [
        ("reg:squarederror", "1.7.6", "1.6.2", "warns"),
        ("reg:absoluteerror", "1.7.6", "1.6.2", "fails"),
        ("reg:quantileerror", "2.1.4", "1.7.6", "fails"),
        ("rank:ndcg", "2.0.3", "1.7.6", "fails"),
        ("rank:ndcg", "1.7.6", "2.0.3", "warns"),
        ("reg:gamma", "1.6.2", "2.1.4", "fails"),
        ("reg:gamma", "2.1.1", "2.1.4", "warns"),
        ("reg:pseudohubererror", "1.7.6", "1.6.2", "fails"),
        ("reg:squaredlogerror", "3.0.5", "3.0.1", "fails"),
        ("reg:squaredlogerror", "3.0.1", "3.0.5", "warns"),
    ],
)
def test_objectives(objective: str, written: str, installed: str, outcome: str) -> None:
    target = runtime({"xgboost": installed, "numpy": "1.26.4", "setuptools": "65.5.0"})
    result = judged(_pickled(objective, written), target)
    assert result.outcome == outcome, result.reasons
    if outcome == "fails":
        assert result.reasons[0].effect == "load"
        assert objective in result.reasons[0].message


@pytest.mark.parametrize(
    ("installed", "setuptools", "outcome"),
    [
        ("1.6.2", None, "fails"),
        ("1.6.2", "65.5.0", "loads"),
        # That one has no pkg_resources any more.
        ("1.6.2", "82.0.0", "fails"),
        ("1.4.2", None, "fails"),
        ("1.3.3", None, "loads"),
        ("1.7.6", None, "loads"),
    ],
)
def test_what_a_release_imports_and_does_not_require(
    installed: str, setuptools: str | None, outcome: str
) -> None:
    pins = {"xgboost": installed, "numpy": "1.26.4", "scipy": "1.11.4"}
    target = runtime(pins if setuptools is None else {**pins, "setuptools": setuptools})
    result = judged(Stream().name("xgboost.sklearn", "XGBRegressor").bytes(), target)
    assert result.outcome == outcome, result.reasons
    if outcome == "fails":
        assert result.reasons[0].rule == "CMP003"
        assert "pkg_resources" in result.reasons[0].message


@pytest.mark.parametrize(
    ("method", "written", "installed", "breaks"),
    [
        ("approx", "1.7.6", "1.6.2", True),
        ("approx", "1.6.0", "1.6.2", False),
        ("approx", "1.7.6", "2.0.3", False),
        ("hist", "1.7.6", "1.6.2", False),
    ],
)
def test_approximation(method: str, written: str, installed: str, breaks: bool) -> None:
    target = runtime({"xgboost": installed, "numpy": "1.26.4"})
    reasons = judged(_pickled("reg:squarederror", written, tree_method=method), target).reasons
    assert any("map::at" in r.error for r in reasons) is breaks


@pytest.mark.parametrize(
    ("tail", "alike"),
    [
        (b'"base_score":"[5E-1]"', True),
        (b'"base_score":"[4.9999997E-1]"', True),
        (b'"base_score":"[4E-1]"', False),
        (b'"base_score":"[3E-1,3E-1]","name":"multi:softprob"', True),
        (b'"base_score":"[3E-1,2E-1]","name":"multi:softprob"', False),
        (b'"base_score":"[3E-1,3E-1]","name":"reg:squarederror"', False),
    ],
)
def test_listed_scores_that_older_releases_need_not_read(tail: bytes, alike: bool) -> None:
    assert reads_alike(tail) is alike


CATBOOST = {
    "catboost.json": b'{\n"features_info":{},"model_info":{},"scale_and_bias":[1,[0]]}',
    "catboost.cbm": b"CBM1" + bytes(64),
}


@pytest.mark.parametrize(
    ("name", "loader", "outcome"),
    [
        ("catboost.json", "catboost", "loads"),
        ("catboost.json", "catboost-cbm", "fails"),
        ("catboost.json", "catboost-json", "loads"),
        ("catboost.cbm", "catboost-cbm", "loads"),
        ("catboost.cbm", "catboost-json", "fails"),
    ],
)
def test_catboost_reads_what_it_is_told(name: str, loader: str, outcome: str) -> None:
    installed = close([("catboost", (), "1.2.8")], python="3.11", closed=True)
    facts = scan_bytes(CATBOOST[name], name)[0]
    result = link(facts, Runtime(python="3.11", installed=installed), loader=loader)
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(
    ("call", "outcome"),
    [
        ("load_model('model.json')", "fails"),
        ("load_model('model.json', format='json')", "loads"),
        ("load_model('model.json', 'json')", "loads"),
        ("load_model('model.json', format=KIND)", "loads"),
    ],
)
def test_the_call_says_the_format(tmp_path: Path, call: str, outcome: str) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
        'CMD ["python", "app.py"]\n'
    )
    (tmp_path / "requirements.txt").write_text("catboost==1.2.8\nnumpy==1.26.4\n")
    (tmp_path / "model.json").write_bytes(CATBOOST["catboost.json"])
    (tmp_path / "app.py").write_text(
        "import os\nfrom catboost import CatBoostRegressor\nKIND = os.environ['KIND']\n"
        f"model = CatBoostRegressor()\nmodel.{call}\n"
    )
    loads = deployment_of(tmp_path, Settings()).loads
    assert [load.result.outcome for load in loads] == [outcome], loads
