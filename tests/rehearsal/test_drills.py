"""Slow dependencies and swapped models: what the drills see is what the services do."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import left_of

from auditor.config import Settings
from auditor.engine import audit, deployment_of
from auditor.rehearsal import engine, journal
from auditor.rehearsal.observed import Drills, Swap
from auditor.rehearsal.payload import varier
from auditor.rehearsal.rehearse import Options, rehearse
from auditor.rehearsal.slow import address_of
from auditor.rehearsal.start import watch
from auditor.rehearsal.swap import Answer, Reader, Way, judged, way_of
from auditor.result import AuditResult

# Asks a feature store for every prediction, and reloads its model on request.
API = """
import json
import os
import pickle
import signal
import socket
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

STORE = os.environ.get("STORE", "")
FEATURES = os.environ.get("FEATURES", "")
TIMEOUT = float(os.environ["STORE_TIMEOUT"]) if "STORE_TIMEOUT" in os.environ else None
KIND = HTTPServer if os.environ.get("SINGLE") else ThreadingHTTPServer


def load():
    with open("/app/model.pkl", "rb") as file:
        return pickle.load(file)


MODEL = load()


def resolves(host):
    # Told in 0.2 s: a resolver outside may take its time.
    found = []

    def ask():
        try:
            found.append(socket.getaddrinfo(host, None))
        except OSError:
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(0.2)
    return bool(found)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if os.environ.get("SINGLE"):
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/openapi.json":
            schema = {"type": "object", "required": ["row"], "properties": {"row": {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}}}
            body = {"content": {"application/json": {"schema": schema}}}
            self.answer(200, {"paths": {"/predict": {"post": {"requestBody": body}}}})
        else:
            self.answer(200, {"status": "ok"})

    def do_POST(self):
        global MODEL
        data = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path == "/reload":
            if os.environ.get("DEAF") is None:
                MODEL = load()
            self.answer(200, {"reloaded": True})
            return
        row = json.loads(data)["row"]
        if STORE:
            try:
                urllib.request.urlopen(STORE, timeout=TIMEOUT).read()
            except (urllib.error.URLError, TimeoutError, OSError):
                self.answer(503, {"error": "the feature store does not answer"})
                return
        if FEATURES and resolves("features.invalid"):
            urllib.request.urlopen(FEATURES).read()
        self.answer(200, {"prediction": sum(a * b for a, b in zip(row, MODEL)), "worker": os.getpid()})

    def log_message(self, *args):
        pass


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
KIND.allow_reuse_port = True
# Every worker listens before one of them answers: between bind and listen a server asks the
# resolver for its own name, which takes seconds where nobody answers.
servers = [KIND(("0.0.0.0", 8000), Handler) for _ in range(int(os.environ.get("WORKERS", "1")))]
while len(servers) > 1:
    mine = servers.pop()
    if not os.fork():
        servers = [mine]
servers[0].serve_forever()
"""
STORE = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("0.0.0.0", 9000), Handler).serve_forever()
"""
DOCKERFILE = """FROM python:3.11-slim
WORKDIR /app
COPY api.py store.py model.pkl ./
EXPOSE 8000
CMD ["python", "api.py"]
"""


def repository(root: Path, compose: str = "") -> Path:
    root.mkdir()
    (root / "api.py").write_text(API)
    (root / "store.py").write_text(STORE)
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / "model.pkl").write_bytes(pickle.dumps([1.0, 2.0, 3.0]))
    if compose:
        (root / "docker-compose.yml").write_text(compose)
    return root


def drilled(client: Any, root: Path, **options: Any) -> tuple[AuditResult, Drills]:
    builder = engine.builder(client)
    wanted = Options(inside=False, artifacts=False, start_timeout=60.0, **options)
    with journal.Run(client) as run:
        result = audit(
            root,
            Settings(),
            lambda d: rehearse(run, builder, d, wanted, say=lambda text: None),
        )
        identity = run.id
    assert left_of(client, identity) == []
    assert result.rehearsal is not None
    found = next(s.drills for s in result.rehearsal.services if s.drills and s.name == "api")
    return result, found


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases that are tried elsewhere are left out or short."""
    monkeypatch.setattr("auditor.rehearsal.drills._LOAD_SECONDS", 1.0)
    monkeypatch.setattr("auditor.rehearsal.drills._BURST_SECONDS", 0.5)

    # Whatever else this machine does meanwhile.
    monkeypatch.setattr("auditor.rehearsal.machine.busy", lambda: 0.1)

    def restart(stack: Any, container: Any) -> tuple[float | None, str]:
        stack.client.start(container.id)
        container.begun = time.monotonic()
        watch(container, timeout=30.0)
        return None, "not killed"

    monkeypatch.setattr("auditor.rehearsal.drills._restart", restart)
    monkeypatch.setattr("auditor.rehearsal.slow._HELD", 5.0)
    monkeypatch.setattr("auditor.rehearsal.slow._PATIENCE", 3.0)
    monkeypatch.setattr("auditor.rehearsal.swap._WATCHED", 6.0)
    monkeypatch.setattr("auditor.rehearsal.swap._STEADY", 1.5)


COMPOSE = """services:
  api:
    build: .
    ports: ["8000:8000"]
    depends_on: [store]
    environment: {{STORE: "http://store:9000/"{more}}}
  store:
    build: .
    command: ["python", "store.py"]
"""


@pytest.mark.rehearsal
def test_a_service_that_hangs_with_its_dependency(client: Any, tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", COMPOSE.format(more=', SINGLE: "1"'))
    result, found = drilled(client, root)
    (held,) = found.slow
    assert held.dependency == "store" and held.kind == "service"
    assert held.sent >= 15 and held.hung >= held.sent - 2
    assert held.alive and held.recovery is not None
    said = [f.message for f in result.active if f.rule == "DYN016"]
    assert len(said) == 1 and "`api` hangs while `store` says nothing" in said[0]


@pytest.mark.rehearsal
def test_a_silent_host(client: Any, tmp_path: Path) -> None:
    compose = """services:
  api:
    build: .
    ports: ["8000:8000"]
    environment: {FEATURES: "http://features.invalid:8080/x"}
"""
    root = repository(tmp_path / "shop", compose)
    _, found = drilled(client, root)
    # The name does not resolve, which is answered at once; once something silent bears it, it hangs.
    (held,) = found.slow
    assert (held.dependency, held.kind) == ("features.invalid", "host")
    assert held.hung >= held.sent - 2 and held.recovery is not None


ROUTE = Way(kind="route", text="POST /reload", method="POST", path="/reload")
LONE = "services: {{api: {{build: ., ports: ['8000:8000']{more}}}}}\n"


@pytest.mark.rehearsal
def test_a_service_that_fails_fast_and_swaps_its_model_by_its_route(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.rehearsal.swap.way_of", lambda service: ROUTE)
    root = repository(tmp_path / "shop", COMPOSE.format(more=', STORE_TIMEOUT: "0.5"'))
    result, found = drilled(client, root)
    (held,) = found.slow
    assert held.hung == 0 and held.failed >= 15 and dict(held.statuses).get("503", 0) >= 15
    assert held.recovery is not None and held.recovery < 5
    assert not [f for f in result.active if f.rule == "DYN016"]
    swap = found.swap
    assert swap is not None and swap.model == "varied" and swap.swapped is True
    assert swap.sent >= 20 and swap.lost < swap.sent / 2
    assert swap.first_new is not None and swap.last_old == 0
    assert "DYN019" not in {f.rule for f in result.active}
    # The old model is back, and the drills after it found the service at its new port.
    assert found.stop is not None and found.stop.sent >= 10


@pytest.mark.rehearsal
def test_a_model_that_is_given(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes share the port, and the route reaches one of them."""
    monkeypatch.setattr("auditor.rehearsal.swap.way_of", lambda service: ROUTE)
    root = repository(tmp_path / "shop", LONE.format(more=", environment: {WORKERS: '2'}"))
    new = pickle.dumps([4.0, 5.0, 6.0])
    result, found = drilled(client, root, new_model=new, new_model_name="model.pkl")
    swap = found.swap
    assert swap is not None and swap.model == "given"
    assert 0 < swap.last_old < swap.last and swap.all_new is None
    said = [f.message for f in result.active if f.rule == "DYN019"]
    assert len(said) == 1 and "answers with two models after POST /reload" in said[0]


@pytest.mark.rehearsal
def test_a_route_that_replaces_nothing(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.rehearsal.swap.way_of", lambda service: ROUTE)
    root = repository(tmp_path / "shop", LONE.format(more=", environment: {DEAF: '1'}"))
    result, found = drilled(client, root)
    assert found.swap is not None and found.swap.swapped is False
    said = [f.message for f in result.active if f.rule == "DYN009"]
    assert len(said) == 1 and "every answer is still the old model's" in said[0]


# Without an engine


def answers(*bodies: bytes) -> list[Answer]:
    return [Answer(at=float(i), good=True, body=body) for i, body in enumerate(bodies)]


def test_what_changes_with_every_answer_does_not_count() -> None:
    reader = Reader([b'{"p": 1, "ms": 3}', b'{"p": 1, "ms": 4}', b'{"p": 1, "ms": 3}'])
    assert reader.same(b'{"p": 1, "ms": 9}') and not reader.same(b'{"p": 2, "ms": 3}')
    assert not Reader([b"one", b"one"]).same(b"two")


@pytest.mark.parametrize(
    ("bodies", "first", "all_new", "mixed", "last_old"),
    [
        ([b"a", b"a", b"b", b"b"], 2.0, 2.0, 0, 0),
        ([b"a", b"b", b"a", b"b", *[b"b"] * 20], 1.0, 2.0, 1, 0),
        ([b"a", b"b"] * 15, 1.0, None, 14, 10),
        ([b"a"] * 30, None, None, 0, 0),
    ],
    ids=["at once", "rolling", "for ever", "never"],
)
def test_old_and_new_answers(
    bodies: list[bytes], first: float | None, all_new: float | None, mixed: int, last_old: int
) -> None:
    found = judged(Swap(way="x"), Reader([b"a", b"a"]), answers(*bodies), 0.0)
    assert (found.first_new, found.all_new) == (first, all_new)
    assert (found.mixed, found.last_old) == (mixed, last_old)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://api.example.com/v1", ("api.example.com", 443)),
        ("http://features:9000", ("features", 9000)),
        ("http://localhost:9000", None),
        ("http://127.0.0.1/x", None),
        ("http://[::1]/x", None),
        ("redis://cache:6379", None),
        ("http://a b/", None),
        ("http://x:99999999/", None),
    ],
)
def test_whom_an_address_names(url: str, place: tuple[str, int] | None) -> None:
    assert address_of(url) == place


def test_a_varied_model_answers_otherwise() -> None:
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    rows = [[float(i), float(i % 3)] for i in range(30)]
    classes = [i // 15 for i in range(30)]
    for model, targets in (
        (LinearRegression(), [r[0] for r in rows]),
        (make_pipeline(StandardScaler(), LogisticRegression()), classes),
        (DecisionTreeClassifier(), classes),
        (DecisionTreeRegressor(), [r[0] for r in rows]),
    ):
        model.fit(rows, targets)
        before = list(model.predict(rows[:1]))
        assert varier.change(model) >= 1
        assert list(model.predict(rows[:1])) != before
    assert varier.change({"name": "x", "labels": ["a"]}) == 0


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"app.py": """from fastapi import FastAPI
import joblib
app = FastAPI()
model = joblib.load("/models/m.pkl")
@app.post("/predict")
def predict(row: list[float]): return model.predict([row])
@app.post("/reload")
def reload():
    global model
    model = joblib.load("/models/m.pkl")
"""}, "route"),
        ({"app.py": """from flask import Flask, request
import joblib
app = Flask(__name__)
model = joblib.load("/models/m.pkl")
@app.post("/predict")
def predict(): return str(model.predict(request.json))
"""}, "signal"),
    ],
    ids=["route", "signal"],
)  # fmt: skip
def test_the_way_that_the_repository_offers(
    tmp_path: Path, files: dict[str, str], kind: str
) -> None:
    command = {
        "route": '["uvicorn", "app:app", "--host", "0.0.0.0"]',
        "signal": '["gunicorn", "-b", "0.0.0.0:8000", "app:app"]',
    }
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.11-slim\nWORKDIR /app\nRUN pip install fastapi flask gunicorn uvicorn joblib\n"
        f"COPY app.py .\nCMD {command[kind]}\n"
    )
    (tmp_path / "docker-compose.yml").write_text(
        "services: {api: {build: ., ports: ['8000:8000'], volumes: ['./models:/models']}}\n"
    )
    (tmp_path / "models").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    deployment = deployment_of(tmp_path, Settings())
    found = way_of(deployment.services[0])
    assert found is not None and found.kind == kind
