"""What the first request meets: answers that are no JSON, and models that a step of the build fits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from repo_kit import service

FLASK = """import numpy as np
from flask import Flask, jsonify, request

app = Flask(__name__)
TABLE = np.array([[1, 2], [3, 4]], dtype=np.float64)
ROW = np.array([0.5, 1.5])


@app.get("/health")
def health():
    return jsonify(status="ok")


@app.post("/predict")
def predict():
    given = np.array(request.get_json()["row"])
    return jsonify(value={value})
"""
FLASK_IMAGE = (
    "FROM python:3.11-slim\nWORKDIR /app\n"
    "RUN pip install flask==3.0.3 gunicorn==22.0.0 numpy==1.26.4 scikit-learn==1.5.2 joblib==1.4.2 "
    "pandas==2.2.3 dill==0.3.9\n"
    'COPY . .\n{run}CMD ["gunicorn", "--bind", "0.0.0.0:8000", "app:app"]\n'
)
API = """from fastapi import FastAPI
from pydantic import BaseModel
{imports}
app = FastAPI()


class Query(BaseModel):
    row: list[float]


@app.get("/health")
def health():
    return {{"status": "ok"}}


{body}
"""
API_IMAGE = (
    "FROM python:3.11-slim\nWORKDIR /app\n"
    "RUN pip install fastapi==0.115.6 uvicorn==0.34.0 numpy==1.26.4 scikit-learn==1.5.2 joblib==1.4.2\n"
    'COPY . .\n{run}CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]\n'
)


def _fails(root: Path, files: dict[str, str]) -> str:
    """The first stage that is forecast to fail; empty when none is."""
    answers = dict(service(root, files).services[0].forecast.answers())
    return next((stage for stage, answer in answers.items() if answer == "no"), "")


@pytest.mark.parametrize(
    ("value", "works"),
    [
        ("TABLE.tolist()", True),
        ("TABLE[0, 1]", True),
        ("TABLE[0]", False),
        ("TABLE[0].tolist()", True),
        ("ROW.max()", True),
        ("ROW.item(0)", True),
        ("ROW[0]", True),
        ("ROW * given", False),
        ("(ROW * given).tolist()", True),
        ("float((ROW * given).sum())", True),
        ("(ROW * given).sum()", True),
        ("1 / (1 + np.exp(-ROW))", False),
        ("TABLE @ given", False),
        ("ROW @ given", True),
        ("ROW.argmax()", False),
        ("int(ROW.argmax())", True),
    ],
)
def test_arrays_in_answers(tmp_path: Path, value: str, works: bool) -> None:
    files = {"app.py": FLASK.format(value=value), "Dockerfile": FLASK_IMAGE.format(run="")}
    assert _fails(tmp_path, files) == ("" if works else "predicts")


@pytest.mark.parametrize(
    ("imports", "body", "works"),
    [
        (
            "",
            '@app.post("/predict")\ndef predict(q: Query):\n    return {"x": float("nan")}',
            False,
        ),
        (
            "from fastapi.responses import ORJSONResponse",
            '@app.post("/predict", response_class=ORJSONResponse)\n'
            'def predict(q: Query):\n    return {"x": float("nan")}',
            True,
        ),
        (
            "from functools import lru_cache",
            "@lru_cache\ndef score(row):\n    return sum(row)\n\n\n"
            '@app.post("/predict")\ndef predict(q: Query):\n    return {"x": score(q.row)}',
            False,
        ),
        (
            "from functools import lru_cache",
            "@lru_cache\ndef score(row):\n    return sum(row)\n\n\n"
            '@app.post("/predict")\ndef predict(q: Query):\n    return {"x": score(tuple(q.row))}',
            True,
        ),
        (
            "",
            "class Answer(BaseModel):\n    x: float\n    note: str | None\n\n\n"
            '@app.post("/predict", response_model=Answer)\ndef predict(q: Query):\n'
            '    return {"x": 1.0}',
            True,
        ),
        (
            "",
            "class Answer(BaseModel):\n    x: float\n    note: str\n\n\n"
            '@app.post("/predict", response_model=Answer)\ndef predict(q: Query):\n'
            '    answer = {"x": 1.0}\n    answer.update(extra(q))\n    return answer\n\n\n'
            'def extra(q):\n    return {"note": str(q)}',
            True,
        ),
    ],
)
def test_answers_of_fastapi(tmp_path: Path, imports: str, body: str, works: bool) -> None:
    files = {
        "app.py": API.format(imports=imports, body=body),
        "Dockerfile": API_IMAGE.format(run=""),
    }
    assert _fails(tmp_path, files) == ("" if works else "predicts")


TRAIN = """import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

X = np.array([[1, 2, 3], [2, 3, 4], [3, 4, 9], [4, 8, 6]])
model = LogisticRegression().fit(X, {labels})
joblib.dump(model, "model.joblib")
"""


@pytest.mark.parametrize(
    ("labels", "call", "works"),
    [
        ("[0, 1, 0, 1]", "model.predict([q.row])[0]", False),
        ("[0, 1, 0, 1]", "int(model.predict([q.row])[0])", True),
        ("[0, 1, 0, 1]", "model.predict([q.row]).tolist()", True),
        ("[0, 1, 0, 1]", "model.predict(np.array([q.row])).tolist()[0]", True),
        ("[0, 1, 0, 1]", "model.predict(np.array(q.row).reshape(1, -1)).tolist()", True),
        ("[0, 1, 0, 1]", "model.predict(q.row).tolist()", False),
        ('["a", "b", "a", "b"]', "model.predict([q.row])[0]", True),
        ("[0, 1, 0, 1]", "model.predict([[1.0, 2.0]]).tolist()", False),
        ("[0, 1, 0, 1]", "model.predict([[1.0, 2.0, 3.0]]).tolist()", True),
    ],
)
def test_models_that_the_build_fits(tmp_path: Path, labels: str, call: str, works: bool) -> None:
    body = f'@app.post("/predict")\ndef predict(q: Query):\n    return {{"x": {call}}}'
    imports = 'import joblib\nimport numpy as np\n\nmodel = joblib.load("model.joblib")'
    files = {
        "app.py": API.format(imports=imports, body=body),
        "train.py": TRAIN.format(labels=labels),
        "Dockerfile": API_IMAGE.format(run="RUN python train.py\n"),
    }
    assert _fails(tmp_path, files) == ("" if works else "predicts")


LOADS = """import {library} as pickle

from flask import Flask, jsonify, request

app = Flask(__name__)
with open("model.pkl", "rb") as f:
    model = pickle.load(f)


@app.get("/health")
def health():
    return jsonify(status="ok")


@app.post("/predict")
def predict():
    return jsonify(score=model.score(request.get_json()["row"]))
"""
DUMPS = """import {library} as pickle


class Sum:
    def score(self, row):
        return sum(row)
{more}

if __name__ == "__main__":
    with open("model.pkl", "wb") as f:
        pickle.dump(Sum(), f)
"""


@pytest.mark.parametrize(
    ("library", "more", "works"),
    [
        ("pickle", "", False),
        ("dill", "", True),
        ("pickle", '\n\nSum.__module__ = "train"\n', True),
        ("pickle", "\n    def __reduce__(self):\n        return (dict, ())\n", True),
    ],
)
def test_classes_of_the_script(tmp_path: Path, library: str, more: str, works: bool) -> None:
    files = {
        "app.py": LOADS.format(library=library),
        "train.py": DUMPS.format(library=library, more=more),
        "Dockerfile": FLASK_IMAGE.format(run="RUN python train.py\n"),
    }
    assert _fails(tmp_path, files) == ("" if works else "starts")
