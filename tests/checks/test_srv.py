"""SRV: each rule with the fault, without it, and with it solved in an unusual way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

from artifact_kit import Instance, pickled  # type: ignore[import-not-found]
from serving_kit import GOOD, HEAD, HEALTH, LOADED, PREDICT, found, line_of, lines, write

from auditor.findings import Confidence, Severity
from auditor.linking import serving

PER_REQUEST = (
    "model = joblib.load('model.joblib')\n    return model.predict([item.values]).tolist()"
)


def app(body: str) -> str:
    return HEAD + "app = FastAPI()\n" + HEALTH + body


# ---- SRV001 ----


@pytest.mark.parametrize(
    "body",
    [
        f"@app.post('/predict')\ndef predict(item: Item):\n    {PER_REQUEST}\n",
        "def get():\n    return joblib.load('model.joblib')\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    return get().predict([item.values])\n",
        "from fastapi import Depends\n"
        "def get():\n    return joblib.load('model.joblib')\n"
        "@app.post('/predict')\n"
        "def predict(item: Item, model=Depends(get)):\n    return model.predict([item.values])\n",
        "class Model:\n    def __init__(self):\n        self.m = joblib.load('model.joblib')\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    return Model().m.predict([item.values])\n",
        # A test of a local variable keeps nothing from one request to the next.
        "@app.post('/predict')\ndef predict(item: Item):\n    model = None\n    if model is None:\n"
        "        model = joblib.load('model.joblib')\n    return model.predict([item.values])\n",
    ],
    ids=["handler", "helper", "dependency", "class", "local"],
)
def test_model_loaded_per_request(tmp_path: Path, body: str) -> None:
    text = app(body)
    result = found(write(tmp_path, {"app.py": text}), "SRV001")
    assert lines(result) == [("SRV001", "app.py", line_of(text, "joblib.load"))]
    assert result[0].severity is Severity.MEDIUM
    assert "POST /predict" in result[0].message


@pytest.mark.parametrize(
    "body",
    [
        "model = joblib.load('model.joblib')\n" + PREDICT,
        "from functools import lru_cache\n@lru_cache\ndef get():\n    return joblib.load('model.joblib')\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    return get().predict([item.values])\n",
        "model = None\ndef get():\n    global model\n    if model is None:\n"
        "        model = joblib.load('model.joblib')\n    return model\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    return get().predict([item.values])\n",
        "models = {}\ndef get(name):\n    if name not in models:\n"
        "        models[name] = joblib.load(f'{name}.joblib')\n    return models[name]\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    return get('a').predict([item.values])\n",
        "class Holder:\n    model = None\n    @classmethod\n    def get(cls):\n"
        "        if cls.model is None:\n            cls.model = joblib.load('model.joblib')\n"
        "        return cls.model\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    return Holder.get().predict([item.values])\n",
        "@app.on_event('startup')\ndef load():\n    app.state.model = joblib.load('model.joblib')\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    return app.state.model.predict([item.values])\n",
        "@app.post('/predict')\ndef predict(item: Item):\n    from holder import model\n"
        "    return model.predict([item.values])\n",
        "model = joblib.load('model.joblib')\n" + PREDICT + "@app.post('/reload')\ndef reload():\n"
        "    global model\n    model = joblib.load('model.joblib')\n",
    ],
    ids=[
        "import",
        "lru_cache",
        "global",
        "dictionary",
        "class",
        "startup",
        "lazy import",
        "reload",
    ],
)
def test_model_loaded_once(tmp_path: Path, body: str) -> None:
    files: dict[str, str | bytes] = {
        "app.py": app(body),
        "holder.py": "import joblib\nmodel = joblib.load('model.joblib')\n",
    }
    assert found(write(tmp_path, files), "SRV001") == []


def test_lifespan_loads_once(tmp_path: Path) -> None:
    text = (
        HEAD
        + "from contextlib import asynccontextmanager\n@asynccontextmanager\n"
        + "async def life(app):\n    app.state.m = joblib.load('model.joblib')\n    yield\n"
        + "app = FastAPI(lifespan=life)\n"
        + HEALTH
        + "@app.post('/predict')\ndef predict(item: Item):\n    return app.state.m.predict([item.values])\n"
    )
    assert found(write(tmp_path, {"app.py": text}), "SRV001") == []


def test_undecided_condition_is_only_possible(tmp_path: Path) -> None:
    text = app(
        "import random\n@app.post('/predict')\ndef predict(item: Item):\n"
        "    if random.random() > 0.5:\n        return joblib.load('model.joblib').predict([1])\n"
    )
    result = found(write(tmp_path, {"app.py": text}), "SRV001")
    assert [f.confidence for f in result] == [Confidence.POSSIBLE]


STREAMLIT = {
    "Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nRUN pip install streamlit joblib\nCOPY . .\n"
    'CMD ["streamlit", "run", "page.py", "--server.address=0.0.0.0"]\n'
}


def test_streamlit_script_loads_again(tmp_path: Path) -> None:
    text = (
        "import joblib\nimport streamlit as st\nmodel = joblib.load('model.joblib')\n"
        "x = st.number_input('x')\nst.write(model.predict([[x]]))\n"
    )
    result = found(write(tmp_path, {**STREAMLIT, "page.py": text}), "SRV001")
    assert lines(result) == [("SRV001", "page.py", 3)]
    assert "cache_resource" in result[0].help


def test_streamlit_cache(tmp_path: Path) -> None:
    text = (
        "import joblib\nimport streamlit as st\n@st.cache_resource\ndef load():\n"
        "    return joblib.load('model.joblib')\nmodel = load()\n"
        "x = st.number_input('x')\nst.write(model.predict([[x]]))\n"
    )
    assert found(write(tmp_path, {**STREAMLIT, "page.py": text}), "SRV001") == []


# ---- SRV002 ----


def test_blocking_inference(tmp_path: Path) -> None:
    text = GOOD.replace("def predict", "async def predict")
    result = found(write(tmp_path, {"app.py": text}), "SRV002")
    assert lines(result) == [("SRV002", "app.py", line_of(text, "model.predict"))]


@pytest.mark.parametrize(
    "call",
    [
        "await asyncio.to_thread(model.predict, [item.values])",
        "await run_in_threadpool(model.predict, [item.values])",
        "await asyncio.get_running_loop().run_in_executor(None, model.predict, [item.values])",
        "await run_in_threadpool(lambda: model.predict([item.values]))",
        # A client of a remote model awaits its answer.
        "await client.predict([item.values])",
    ],
)
def test_inference_off_the_loop(tmp_path: Path, call: str) -> None:
    text = app(
        "import asyncio\nfrom fastapi.concurrency import run_in_threadpool\nfrom remote import client\n"
        "model = joblib.load('model.joblib')\n"
        f"@app.post('/predict')\nasync def predict(item: Item):\n    return {call}\n"
    )
    assert found(write(tmp_path, {"app.py": text}), "SRV002") == []


def test_flask_has_no_loop_to_block(tmp_path: Path) -> None:
    text = (
        "import joblib\nfrom flask import Flask, request\napp = Flask(__name__)\n"
        "model = joblib.load('m.joblib')\n@app.post('/predict')\nasync def predict():\n"
        "    return str(model.predict([request.json['x']]))\n"
    )
    docker = {"Dockerfile": "FROM python:3.11-slim\nWORKDIR /a\nCOPY . .\nCMD gunicorn app:app\n"}
    assert found(write(tmp_path, {**docker, "app.py": text}), "SRV002") == []


def test_sync_handler_runs_in_a_pool(tmp_path: Path) -> None:
    assert found(write(tmp_path, {"app.py": GOOD}), "SRV") == []


# ---- SRV003 ----


def test_undeclared_input(tmp_path: Path) -> None:
    text = GOOD.replace("item: Item", "item: dict").replace("item.values", "item['values']")
    result = found(write(tmp_path, {"app.py": text}), "SRV003")
    assert lines(result) == [("SRV003", "app.py", line_of(text, "def predict"))]
    assert result[0].severity is Severity.LOW


FLASK = (
    "import joblib\nfrom flask import Flask, request\n{imports}\napp = Flask(__name__)\n"
    "model = joblib.load('m.joblib')\n@app.get('/health')\ndef health():\n    return 'ok'\n"
    "@app.post('/predict')\ndef predict():\n    {body}\n"
)
FLASK_DOCKER = {"Dockerfile": "FROM python:3.11-slim\nWORKDIR /a\nCOPY . .\nCMD gunicorn app:app\n"}


def test_undeclared_json_of_flask(tmp_path: Path) -> None:
    text = FLASK.format(
        imports="", body="data = request.get_json()\n    return str(model.predict([data['area']]))"
    )
    result = found(write(tmp_path, {**FLASK_DOCKER, "app.py": text}), "SRV003")
    assert lines(result) == [("SRV003", "app.py", line_of(text, "def predict"))]
    assert "`area`" in result[0].message


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        # The handler validates by hand with a declared model.
        (
            "from pydantic import BaseModel\nclass Item(BaseModel):\n    area: float\n",
            "item = Item(**request.get_json())\n    return str(model.predict([[item.area]]))",
        ),
        # An image is uploaded.
        ("", "data = request.files['image'].read()\n    return str(model.predict([data]))"),
        # A form of a page.
        ("", "return str(model.predict([[float(request.form['area'])]]))"),
    ],
    ids=["pydantic", "upload", "form"],
)
def test_input_is_known_otherwise(tmp_path: Path, imports: str, body: str) -> None:
    text = FLASK.format(imports=imports, body=body)
    assert found(write(tmp_path, {**FLASK_DOCKER, "app.py": text}), "SRV003") == []


# ---- SRV004 ----

BARE = HEAD + LOADED + PREDICT


def test_no_health_endpoint(tmp_path: Path) -> None:
    result = found(write(tmp_path, {"app.py": BARE}), "SRV004")
    assert lines(result) == [("SRV004", "app.py", line_of(BARE, "app = FastAPI()"))]


@pytest.mark.parametrize(
    "extra",
    [
        {"app.py": BARE + "@app.get('/')\ndef root():\n    return {'message': 'running'}\n"},
        {
            "app.py": BARE,
            "docker-compose.yml": "services:\n  api:\n    build: .\n    healthcheck:\n"
            "      test: [CMD, python, -c, 'import socket']\n",
        },
        {
            "app.py": BARE,
            "k8s/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: other\n"
            "spec:\n  template:\n    spec:\n      containers:\n      - name: api\n"
            "        image: registry/elsewhere:1\n        readinessProbe:\n"
            "          tcpSocket: {port: 8000}\n",
        },
    ],
    ids=["root", "compose", "probe of a manifest"],
)
def test_health_is_asked_otherwise(tmp_path: Path, extra: dict[str, str | bytes]) -> None:
    assert found(write(tmp_path, extra), "SRV004") == []


# ---- SRV005 ----

FRAME = (
    "import pandas as pd\n@app.post('/predict')\ndef predict(item: Item):\n"
    "    row = pd.DataFrame([item.values])\n    row = {prepare}\n    return model.predict(row).tolist()\n"
)


def estimator() -> bytes:
    return bytes(
        pickled(Instance("sklearn.linear_model._logistic.LogisticRegression", state={"C": 1.0}))
    )


def scaler() -> bytes:
    return bytes(
        pickled(Instance("sklearn.preprocessing._data.StandardScaler", state={"with_mean": True}))
    )


def pipeline() -> bytes:
    return bytes(pickled(Instance("sklearn.pipeline.Pipeline", state={"steps": []})))


def test_get_dummies_of_one_request(tmp_path: Path) -> None:
    text = app(
        "model = joblib.load('model.joblib')\n" + FRAME.format(prepare="pd.get_dummies(row)")
    )
    result = found(write(tmp_path, {"app.py": text}), "SRV005")
    assert lines(result) == [("SRV005", "app.py", line_of(text, "get_dummies"))]
    assert result[0].severity is Severity.LOW


def test_get_dummies_that_leave_nothing(tmp_path: Path) -> None:
    prepare = "pd.get_dummies(row, drop_first=True).reindex(columns=['a', 'b'], fill_value=0)"
    text = app("model = joblib.load('model.joblib')\n" + FRAME.format(prepare=prepare))
    result = found(write(tmp_path, {"app.py": text}), "SRV005")
    assert [f.severity for f in result] == [Severity.MEDIUM]


def test_fitting_that_learns_nothing(tmp_path: Path) -> None:
    text = app(
        "from sklearn.preprocessing import PolynomialFeatures\nmodel = joblib.load('model.joblib')\n"
        + FRAME.format(prepare="PolynomialFeatures().fit_transform(row)")
    )
    assert found(write(tmp_path, {"app.py": text}), "SRV005") == []


def test_a_route_that_changes_the_model_is_no_prediction(tmp_path: Path) -> None:
    text = app(
        "model = None\n@app.post('/prediction-server/predictions')\ndef predictions(item: Item):\n"
        "    return model.predict([item.values])\n"
        "@app.put('/prediction-server/model/{name}')\ndef change(name: str):\n    global model\n"
        "    model = joblib.load(name)\n"
    )
    assert found(write(tmp_path, {"app.py": text}), "SRV001") == []


def test_a_loader_that_says_whether_it_is_loaded(tmp_path: Path) -> None:
    text = app(
        "class Loader:\n    model = None\n    def is_loaded(self):\n"
        "        return self.model is not None\n    def load(self):\n"
        "        self.model = joblib.load('model.joblib')\nloader = Loader()\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    if not loader.is_loaded():\n"
        "        loader.load()\n    return loader.model.predict([item.values])\n"
    )
    assert found(write(tmp_path, {"app.py": text}), "SRV001") == []


def test_decorated_handler_stands_where_it_is_registered(tmp_path: Path) -> None:
    text = app(
        "def guard(f):\n    def inner(item: dict):\n        return f(item)\n    return inner\n"
        "model = joblib.load('model.joblib')\n@app.post('/predict')\n@guard\n"
        "def predict(item: dict):\n    return model.predict([item['a']])\n"
    )
    result = found(write(tmp_path, {"app.py": text}), "SRV003")
    assert [f.at.line for f in result] == [line_of(text, "app.post")]


def test_columns_put_in_order_by_hand(tmp_path: Path) -> None:
    prepare = "pd.get_dummies(row).reindex(columns=['a', 'b'], fill_value=0)"
    text = app("model = joblib.load('model.joblib')\n" + FRAME.format(prepare=prepare))
    result = found(write(tmp_path, {"app.py": text}), "SRV005")
    assert [f.severity for f in result] == [Severity.LOW]


def test_scaler_fitted_on_the_request(tmp_path: Path) -> None:
    text = app(
        "from sklearn.preprocessing import StandardScaler\nmodel = joblib.load('model.joblib')\n"
        + FRAME.format(prepare="StandardScaler().fit_transform(row)")
    )
    result = found(write(tmp_path, {"app.py": text}), "SRV005")
    assert [(f.rule, f.severity) for f in result] == [("SRV005", Severity.MEDIUM)]


def test_scaler_in_a_second_file(tmp_path: Path) -> None:
    """Both files are told by their content, whatever they are called."""
    text = app(
        "model = joblib.load('first.joblib')\nprepare = joblib.load('second.joblib')\n"
        + FRAME.format(prepare="prepare.transform(row)")
    )
    files: dict[str, str | bytes] = {
        "app.py": text,
        "first.joblib": estimator(),
        "second.joblib": scaler(),
    }
    result = found(write(tmp_path, files), "SRV005")
    assert [(f.severity, f.confidence) for f in result] == [(Severity.LOW, Confidence.CERTAIN)]
    assert "second.joblib" in result[0].message and "LogisticRegression" in result[0].message


def test_pipeline_carries_its_preprocessing(tmp_path: Path) -> None:
    text = app("model = joblib.load('model.joblib')\n" + FRAME.format(prepare="row"))
    files: dict[str, str | bytes] = {"app.py": text, "model.joblib": pipeline()}
    assert found(write(tmp_path, files), "SRV005") == []


def test_one_file_with_both(tmp_path: Path) -> None:
    """Scaler and model in one file cannot part."""
    text = app(
        "bundle = joblib.load('bundle.joblib')\nmodel = bundle['model']\n"
        + FRAME.format(prepare="bundle['scaler'].transform(row)")
    )
    assert found(write(tmp_path, {"app.py": text}), "SRV005") == []


# ---- SRV006 ----

COMPOSE = (
    "services:\n  api:\n    build: .\n    command: {command}\n    deploy:\n      resources:\n"
    "        limits:\n          memory: {memory}\n"
)


def workers(command: str, memory: str = "5m") -> dict[str, str | bytes]:
    return {
        "app.py": GOOD,
        "model.joblib": pickled(b"x" * 2_000_000),
        "docker-compose.yml": COMPOSE.format(command=command, memory=memory),
    }


def test_workers_exceed_memory(tmp_path: Path) -> None:
    files = workers("uvicorn app:app --workers 4")
    result = found(write(tmp_path, files), "SRV006")
    assert [(f.rule, f.at.path, f.at.line) for f in result] == [("SRV006", "docker-compose.yml", 4)]
    assert dict(result[0].evidence)["workers"] == 4


@pytest.mark.parametrize(
    ("command", "memory"),
    [
        ("uvicorn app:app --workers 2", "5m"),
        ("uvicorn app:app --workers 4", "1g"),
        ("gunicorn -k uvicorn.workers.UvicornWorker --preload -w 4 app:app", "5m"),
    ],
    ids=["fewer", "more memory", "preload"],
)
def test_workers_fit(tmp_path: Path, command: str, memory: str) -> None:
    assert found(write(tmp_path, workers(command, memory)), "SRV006") == []


def test_preload_does_not_share_what_is_loaded_later(tmp_path: Path) -> None:
    files = workers("gunicorn -k uvicorn.workers.UvicornWorker --preload -w 4 app:app")
    files["app.py"] = app(
        "@app.on_event('startup')\ndef load():\n    app.state.model = joblib.load('model.joblib')\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    return app.state.model.predict([1])\n"
    )
    assert len(found(write(tmp_path, files), "SRV006")) == 1


def test_workers_of_a_configuration_file(tmp_path: Path) -> None:
    files = workers("gunicorn -k uvicorn.workers.UvicornWorker app:app")
    files["gunicorn.conf.py"] = "workers = 8\n"
    result = found(write(tmp_path, files), "SRV006")
    assert [f.at.path for f in result] == ["gunicorn.conf.py"]


# ---- who is judged at all ----


def test_a_service_that_does_not_predict_is_not_judged(tmp_path: Path) -> None:
    text = (
        "from fastapi import FastAPI\nimport json\napp = FastAPI()\n"
        "@app.post('/orders')\nasync def order(data: dict):\n    return data\n"
    )
    assert found(write(tmp_path, {"app.py": text}), "SRV", "OPS003", "OPS005", "OPS006") == []


def test_training_routes_are_not_predictions(tmp_path: Path) -> None:
    text = GOOD + (
        "@app.post('/train')\nasync def train(data: dict):\n    model.fit(data)\n"
        "    return model.predict(data)\n"
    )
    assert found(write(tmp_path, {"app.py": text}), "SRV") == []


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512m", 512 << 20), ("1.5g", 3 << 29), ("1gb", 1 << 30), ("512Mi", 512 << 20),
        ("1024", 1024), ("64k", 64 << 10), ("much", None), (None, None),
    ],
)  # fmt: skip
def test_sizes(text: object, size: int | None) -> None:
    assert serving.size_in_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "duration"),
    [("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("45", 45), ("soon", None), (None, None)],
)
def test_durations(text: object, duration: float | None) -> None:
    assert serving.seconds(text) == duration


@pytest.mark.parametrize(
    "getter",
    [
        "_kept = {}\ndef get(v):\n    global _kept\n    if _kept.get('version') == v:\n        return _kept\n"
        "    _kept = {'version': v, 'm': joblib.load('model.joblib')}\n    return _kept\n",
        "_kept = {}\ndef get(v):\n    try:\n        return _kept[v]\n    except KeyError:\n"
        "        _kept[v] = {'m': joblib.load('model.joblib')}\n        return _kept[v]\n",
    ],
    ids=["version", "key error"],
)
def test_early_return_of_what_was_kept(tmp_path: Path, getter: str) -> None:
    text = app(
        getter + "@app.post('/predict')\ndef predict(item: Item):\n"
        "    return get('1')['m'].predict([item.values])\n"
    )
    assert found(write(tmp_path, {"app.py": text}), "SRV001") == []


def test_early_return_of_something_local_keeps_nothing(tmp_path: Path) -> None:
    text = app(
        "def get(v):\n    kept = {}\n    if v in kept:\n        return kept[v]\n"
        "    kept[v] = joblib.load('model.joblib')\n    return kept[v]\n"
        "@app.post('/predict')\ndef predict(item: Item):\n    return get('1').predict([item.values])\n"
    )
    assert len(found(write(tmp_path, {"app.py": text}), "SRV001")) == 1


def test_callable_object_as_dependency(tmp_path: Path) -> None:
    text = app(
        "from fastapi import Depends\nclass Give:\n    def __call__(self):\n"
        "        return joblib.load('model.joblib')\ngive = Give()\n@app.post('/predict')\n"
        "def predict(item: Item, model=Depends(give)):\n    return model.predict([item.values])\n"
    )
    assert len(found(write(tmp_path, {"app.py": text}), "SRV001")) == 1


CACHE = """\
import joblib
from fastapi import FastAPI
from pydantic import BaseModel

class Cache:
    def __init__(self):
        self.held = {}
    def get(self, key):
        return self.held.get(key)
    def put(self, key, value):
        self.held[key] = value

cache = Cache()
app = FastAPI()

class Item(BaseModel):
    values: list[float]

def cached(path, loader):
    store = cache
    hit = store.get(path)
    if hit is not None:
        return hit
    model = loader(path)
    STORE
    return model

@app.get("/health")
def health():
    return {}

@app.post("/predict")
def predict(item: Item):
    return {"answer": cached("model.joblib", joblib.load).predict([item.values]).tolist()}
"""


@pytest.mark.parametrize(("store", "again"), [("store.put(path, model)", False), ("pass", True)])
def test_a_cache_that_is_asked_and_filled(store: str, again: bool, tmp_path: Path) -> None:
    write(tmp_path, {"app.py": CACHE.replace("STORE", store), "model.joblib": b"x"})
    assert bool(found(tmp_path, "SRV001")) is again


WATCH = """\
import joblib
from fastapi import FastAPI

app = FastAPI()

def NAME(rows):
    model = joblib.load("model.joblib")
    return model.predict(rows).tolist()

@app.get("/health")
def health():
    return {}

@app.post("/check")
def check(rows: list[list[float]]):
    return NAME(rows)
"""


@pytest.mark.parametrize(("name", "again"), [("evaluate_model", False), ("answer", True)])
def test_an_evaluation_loads_what_it_evaluates(name: str, again: bool, tmp_path: Path) -> None:
    write(tmp_path, {"app.py": WATCH.replace("NAME", name), "model.joblib": b"x"})
    assert bool(found(tmp_path, "SRV001")) is again
