"""Probes of Kubernetes: what a kubelet does when they never succeed."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import dockerfile

from auditor.config import Settings
from auditor.engine import audit
from auditor.result import AuditResult

APP = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
def health():
    return {}


@app.post("/predict")
def predict(x: float):
    return {"y": x}
"""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
        - name: api
          image: acme/api:1
          ports: [{name: web, containerPort: 8000}]
          resources: {limits: {memory: 1Gi}}
PROBES
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  selector: {app: api}
  ports: [{port: 80, targetPort: web}]
"""
GOOD = "httpGet: {path: /health, port: 8000}"


def result(root: Path, probes: dict[str, str], *, beside: str = "") -> AuditResult:
    lines = "".join(f"          {name}Probe: {{{text}}}\n" for name, text in probes.items())
    text = MANIFEST.replace("PROBES\n", lines + beside)
    (root / "api.yaml").write_text(text)
    (root / "app.py").write_text(APP)
    (root / "requirements.txt").write_text("fastapi==0.115.0\nuvicorn==0.30.6\n")
    command = '["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]'
    (root / "Dockerfile").write_text(dockerfile("", command))
    return audit(root, Settings())


def judged(found: AuditResult) -> tuple[list[str], str]:
    (service,) = found.services
    broken = [f for f in found.findings if f.rule in ("NET006", "IMG015")]
    assert all(f.severity.name == "HIGH" for f in broken)
    answers = dict(service.forecast.answers())
    return sorted(f.rule for f in broken), "".join(a[0] for a in answers.values())


FAILING = [
    ("httpGet: {path: /health, port: 8080}", "NET006"),
    ("httpGet: {path: /healthz, port: 8000}", "NET006"),
    ("httpGet: {path: /predict, port: 8000}", "NET006"),
    ("httpGet: {path: /health, port: http}", "NET006"),
    ("httpGet: {path: /health, port: 8000, scheme: HTTPS}", "NET006"),
    ("tcpSocket: {port: 9000}", "NET006"),
    ('exec: {command: [curl, -f, "http://localhost:8000/health"]}', "IMG015"),
    ('exec: {command: [sh, -c, "curl -f http://localhost:8000/health"]}', "IMG015"),
]


@pytest.mark.parametrize(("probe", "rule"), FAILING)
@pytest.mark.parametrize(
    ("name", "answers"), [("readiness", "yynn"), ("liveness", "ynnn"), ("startup", "ynnn")]
)
def test_a_probe_that_never_succeeds(
    tmp_path: Path, probe: str, rule: str, name: str, answers: str
) -> None:
    assert judged(result(tmp_path, {name: probe})) == ([rule], answers)


@pytest.mark.parametrize(("probe", "rule"), FAILING)
def test_each_probe_counts_whatever_the_others_say(tmp_path: Path, probe: str, rule: str) -> None:
    found = result(tmp_path, {"liveness": probe, "readiness": GOOD})
    assert judged(found) == ([rule], "ynnn")
    (finding,) = (f for f in found.findings if f.rule == rule)
    assert "liveness probe" in finding.message


@pytest.mark.parametrize(
    "probe",
    [
        GOOD,
        "httpGet: {path: /health/, port: web}",
        "tcpSocket: {port: 8000}",
        "exec: {command: [python, -c, 'import urllib.request']}",
        "exec: {command: [cat, /tmp/ready]}",
        "httpGet: {path: /docs, port: 8000}",
    ],
)
def test_probes_that_may_succeed(tmp_path: Path, probe: str) -> None:
    assert judged(result(tmp_path, {"readiness": probe, "liveness": probe})) == ([], "yyyy")


LIBRARY = "import tooling\ntooling.attach(app)\n"
MIDDLEWARE = """
@app.middleware("http")
async def seen(request, call_next):
    if request.url.path == "/healthz":
        return JSONResponse({})
    return await call_next(request)
"""
PASSING = MIDDLEWARE.replace(
    '    if request.url.path == "/healthz":\n        return JSONResponse({})\n', ""
)


@pytest.mark.parametrize(
    ("more", "path", "broken"),
    [
        ("", "/healthz", True),
        ("", "/health?full=1", False),
        (LIBRARY, "/healthz", False),
        (MIDDLEWARE, "/healthz", False),
        (PASSING, "/healthz", True),
        ("from fastapi.middleware.cors import CORSMiddleware\napp.add_middleware(CORSMiddleware)\n",
         "/healthz", True),
        ("app = FastAPI(root_path='/api')\n", "/api/health", False),
        ("from prometheus_fastapi_instrumentator import Instrumentator\n"
         "Instrumentator().instrument(app).expose(app)\n", "/metrics", False),
    ],
)  # fmt: skip
def test_paths_that_something_else_may_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, path: str, broken: bool
) -> None:
    monkeypatch.setitem(globals(), "APP", APP + more)
    found = result(tmp_path, {"readiness": f"httpGet: {{path: {path!r}, port: 8000}}"})
    assert ("NET006" in {f.rule for f in found.findings}) is broken


def test_a_port_that_another_container_of_the_pod_serves(tmp_path: Path) -> None:
    sidecar = (
        "        - {name: agent, image: acme/agent:1, ports: [{containerPort: 9000}],\n"
        "           resources: {limits: {memory: 1Gi}}}\n"
    )
    found = result(tmp_path, {"readiness": "tcpSocket: {port: 9000}"}, beside=sidecar)
    assert [f.rule for f in found.findings if f.rule == "NET006"] == []
