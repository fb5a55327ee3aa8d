"""Artifacts against the images that load them, end to end over small repositories."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Severity
from auditor.result import AuditResult

APP = """\
import pickle
from fastapi import FastAPI

app = FastAPI()
with open("/app/model.pkl", "rb") as file:
    model = pickle.load(file)


@app.post("/predict")
def predict(values: list[float]) -> float:
    return model.predict([values])[0]
"""
DOCKERFILE = """\
FROM python:{python}-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]
"""
PINS = "fastapi==0.115.6\nuvicorn==0.34.0\nscikit-learn=={sklearn}\nnumpy==1.26.4\n"


def stream(*names: tuple[str, str], protocol: int = 4) -> bytes:
    body = b"".join(b"c" + m.encode() + b"\n" + n.encode() + b"\n0" for m, n in names)
    return b"\x80" + bytes([protocol]) + body + b"N."


def audited(
    root: Path,
    model: bytes,
    *,
    python: str = "3.11",
    sklearn: str = "1.5.2",
    app: str = APP,
    more: dict[str, str] | None = None,
) -> AuditResult:
    files = {
        "Dockerfile": DOCKERFILE.format(python=python),
        "requirements.txt": PINS.format(sklearn=sklearn),
        "app.py": app,
        **(more or {}),
    }
    for name, text in files.items():
        (root / name).write_text(text)
    (root / "model.pkl").write_bytes(model)
    return audit(root, Settings())


def rules(result: AuditResult) -> set[str]:
    return {f.rule for f in result.findings if f.rule.startswith("CMP")}


def starts(result: AuditResult) -> str:
    return result.services[0].forecast.starts


MOVED = stream(("sklearn.linear_model.logistic", "LogisticRegression"))


def test_moved_symbol_has_both_ends_and_breaks_the_start(tmp_path: Path) -> None:
    result = audited(tmp_path, MOVED)
    (finding,) = (f for f in result.findings if f.rule == "CMP004")
    assert finding.at.path == "model.pkl"
    ends = {(r.at.path, r.at.line) for r in finding.related}
    assert ("requirements.txt", 3) in ends
    assert ("app.py", 6) in ends
    assert starts(result) == "no"
    (artifact,) = result.artifacts
    assert [c.outcome for c in artifact.compatibility] == ["fails"]


def test_right_pin_gives_nothing(tmp_path: Path) -> None:
    result = audited(tmp_path, stream(("sklearn.linear_model._logistic", "LogisticRegression")))
    assert rules(result) == set()
    assert [c.outcome for c in result.artifacts[0].compatibility] == ["loads"]


def test_artifact_that_no_service_loads_is_left_alone(tmp_path: Path) -> None:
    app = APP.replace(
        'with open("/app/model.pkl", "rb") as file:\n    model = pickle.load(file)\n',
        "model = None\n",
    )
    result = audited(tmp_path, MOVED, app=app)
    assert rules(result) == set()
    assert result.artifacts[0].compatibility == ()


@pytest.mark.parametrize(
    ("model", "rule"),
    [
        (stream(("imblearn.pipeline", "Pipeline")), "CMP003"),
        (stream(("__main__", "Cleaner")), "CMP007"),
        (stream(("features", "Cleaner")), "CMP008"),
        (stream(("numpy._core.multiarray", "_reconstruct")), None),
    ],
)
def test_each_rule(tmp_path: Path, model: bytes, rule: str | None) -> None:
    result = audited(tmp_path, model)
    assert rules(result) == ({rule} if rule else set())
    assert starts(result) == ("no" if rule else "yes")


def test_module_in_the_image_is_importable(tmp_path: Path) -> None:
    model = stream(("features", "Cleaner"))
    found = audited(tmp_path, model, more={"features.py": "class Cleaner: ...\n"})
    assert rules(found) == set()
    gone = audited(tmp_path, model, more={"features.py": "class Other: ...\n"})
    assert rules(gone) == {"CMP008"}


def test_protocol_against_the_image(tmp_path: Path) -> None:
    result = audited(tmp_path, stream(protocol=5), python="3.7")
    assert "CMP001" in rules(result)


def test_load_in_a_request_breaks_the_prediction_only(tmp_path: Path) -> None:
    app = """\
import pickle
from fastapi import FastAPI

app = FastAPI()


@app.post("/predict")
def predict(values: list[float]) -> float:
    with open("/app/model.pkl", "rb") as file:
        model = pickle.load(file)
    return model.predict([values])[0]
"""
    result = audited(tmp_path, MOVED, app=app)
    assert rules(result) == {"CMP004"}
    assert starts(result) == "yes"
    assert result.services[0].forecast.predicts == "no"


@pytest.mark.parametrize(
    ("written", "severity"), [("1.5.1", "low"), ("1.4.2", "medium"), ("1.5.2", None)]
)
def test_a_patch_release_of_scikit_learn_hardly_matters(
    written: str, severity: str | None, tmp_path: Path
) -> None:
    state = b"}(X\x10\x00\x00\x00_sklearn_versionX\x05\x00\x00\x00" + written.encode() + b"u"
    model = b"\x80\x04csklearn.preprocessing._data\nNormalizer\n)\x81" + state + b"b."
    found = [f for f in audited(tmp_path, model).findings if f.rule == "CMP002"]
    assert [f.severity.label for f in found] == ([severity] if severity else [])


def test_an_open_version_is_what_a_build_of_today_installs(tmp_path: Path) -> None:
    state = b"}(X\x10\x00\x00\x00_sklearn_versionX\x05\x00\x00\x001.1.3u"
    model = b"\x80\x04csklearn.preprocessing._data\nNormalizer\n)\x81" + state + b"b."
    pins = "fastapi==0.115.6\nuvicorn==0.34.0\nscikit-learn\n"
    result = audited(tmp_path, model, more={"requirements.txt": pins})
    (found,) = [f for f in result.findings if f.rule == "CMP002"]
    assert found.confidence.label == "likely"
    assert "no pin, so what a build installs today" in found.message


def test_requirements_of_another_folder_are_not_those_of_a_model(tmp_path: Path) -> None:
    """Without a service every environment is asked; not for a model that others serve."""
    model = stream(("xgboost.core", "Booster"))
    for name, alone in (("model.pkl", True), ("models/1/model.pkl", False)):
        root = tmp_path / str(alone)
        for folder in ("other", "models/1"):
            (root / folder).mkdir(parents=True)
        (root / "requirements.txt").write_text("numpy==1.26.4\n")
        (root / name).write_bytes(model)
        found = audit(root, Settings()).findings
        assert any(f.rule == "CMP003" for f in found) is alone
        (root / "requirements.txt").rename(root / "other/requirements.txt")
        assert not [f for f in audit(root, Settings()).findings if f.rule == "CMP003"]


@pytest.mark.parametrize(("method", "breaks"), [("predict", False), ("predict_proba", True)])
def test_what_only_probabilities_need(tmp_path: Path, method: str, breaks: bool) -> None:
    """LogisticRegression of 1.9 under 1.4 gives labels and no probabilities, as running it showed."""
    state = {
        "penalty": "l2", "C": 1.0, "l1_ratio": 0.0, "dual": False, "tol": 1e-4,
        "fit_intercept": True, "intercept_scaling": 1, "class_weight": None, "random_state": None,
        "solver": "lbfgs", "max_iter": 100, "verbose": 0, "warm_start": False, "n_jobs": None,
        "n_features_in_": 1, "classes_": None, "n_iter_": None, "coef_": None,
        "intercept_": None, "_sklearn_version": "1.8.0",
    }  # fmt: skip
    body = pickle.dumps(state, protocol=2)[2:-1]
    model = b"\x80\x02csklearn.linear_model._logistic\nLogisticRegression\n)\x81" + body + b"b."
    app = APP.replace("model.predict([values])", f"model.{method}([values])")
    result = audited(tmp_path, model, sklearn="1.5.2", app=app)
    found = [f for f in result.findings if f.rule == "CMP002" and "multi_class" in f.message]
    assert [f.severity is Severity.HIGH for f in found] == [breaks], result.findings
    assert (result.services[0].forecast.predicts == "no") is breaks
