"""What a fault reaches: one route of several, one cause in several places, images for others."""

from __future__ import annotations

from pathlib import Path

import pytest
import repo_kit as kit

from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Finding, Severity, Stage
from auditor.result import AuditResult


def _audit(root: Path, files: dict[str, str]) -> AuditResult:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return audit(root, Settings())


def _broken(found: list[Finding]) -> set[tuple[str, Stage]]:
    return {pair for item in found for pair in item.breaks}


# --- several ways to one service ----------------------------------------------------------------

PROXY = """\
  proxy:
    image: nginx:1.27
    ports: ["80:80"]
    volumes: ["./default.conf:/etc/nginx/conf.d/default.conf:ro"]
"""
NGINX = "server {\n  listen 80;\n  location /ml/ {\n    proxy_pass http://model:8000;\n  }\n}\n"
PORT = "server {\n  listen 80;\n  location / {\n    proxy_pass http://model:9000;\n  }\n}\n"
CALLER = """\
  backend:
    image: node:22
    environment: {variables}
"""


@pytest.mark.parametrize("nginx", [NGINX, PORT])
@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ("{MODEL_URL: 'http://model:8000/predict'}", True),
        ("{MODEL_HOST: model, MODEL_PORT: 8000}", True),
        ("{MODEL: 'model:8000'}", True),
        ("{MODEL_URL: 'http://model:9100'}", False),
        ("{MODEL: model}", False),
    ],
)
def test_a_proxy_beside_one_that_asks_directly(
    nginx: str, variables: str, asked: bool, tmp_path: Path
) -> None:
    compose = "services:\n  model:\n    build: .\n" + PROXY + CALLER.format(variables=variables)
    files = {"docker-compose.yml": compose, "default.conf": nginx}
    found = kit.of(kit.service(tmp_path, files), "NET009")
    assert len(found) == 1
    assert bool(_broken(found)) is not asked


MANIFESTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: model}}
spec:
  selector: {{matchLabels: {{app: model}}}}
  template:
    metadata: {{labels: {{app: model}}}}
    spec:
      containers:
        - {{name: model, image: "model:1", ports: [{{containerPort: 8000}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: model}}
spec:
  type: {type}
  selector: {{app: model}}
  ports: [{{port: 8000}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: way}}
spec:
  rules:
    - http:
        paths:
          - {{path: /, pathType: Prefix, backend: {{service: {{name: model, port: {{number: 9000}}}}}}}}
{more}"""
SECOND = "          - {path: /v1, pathType: Prefix, backend: {service: {name: model, port: {number: 8000}}}}\n"
ASKER = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: front}
spec:
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec:
      containers:
        - {name: front, image: "front:1", env: [{name: MODEL_URL, value: "http://model.default.svc:8000"}]}
"""


@pytest.mark.parametrize(
    ("kind", "more", "shut"),
    [
        ("ClusterIP", "", True),
        ("ClusterIP", SECOND, False),
        ("NodePort", "", False),
        ("ClusterIP", ASKER, False),
    ],
)
def test_one_route_of_an_ingress(kind: str, more: str, shut: bool, tmp_path: Path) -> None:
    found = kit.of(
        kit.service(tmp_path, {"k8s/model.yaml": MANIFESTS.format(type=kind, more=more)}), "NET012"
    )
    assert len(found) == 1
    assert any(stage is Stage.REACHABLE for _, stage in _broken(found)) is shut


# --- several places of one cause ----------------------------------------------------------------


def test_one_missing_directory(tmp_path: Path) -> None:
    files = {
        "app.py": "from core.model import load\nfrom core.features import build\n" + kit.APP,
        "core/__init__.py": "",
        "core/model.py": "def load(): ...\n",
        "core/features.py": "def build(): ...\n",
    }
    (found,) = kit.of(kit.service(tmp_path, files), "ENV007")
    assert found.at.line == 1
    assert [r.at.line for r in found.related if r.at.path == "app.py"] == [2]


def test_two_missing_distributions(tmp_path: Path) -> None:
    files = {"app.py": "import sklearn.tree\nimport sklearn.svm\nimport yaml\n" + kit.APP}
    found = kit.of(kit.service(tmp_path, files), "ENV007")
    assert sorted(f.at.line for f in found) == [1, 3]


# --- who meets it -------------------------------------------------------------------------------

DEBUG = "if __name__ == '__main__':\n    app.run(host='{host}', port=8000, debug=True)\n"


@pytest.mark.parametrize(("host", "high"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_the_debugger_behind_loopback(host: str, high: bool, tmp_path: Path) -> None:
    files = {
        "app.py": kit.APP + DEBUG.format(host=host),
        "Dockerfile": kit.dockerfile(command='["python", "app.py"]'),
    }
    (found,) = kit.of(kit.service(tmp_path, files), "IMG006")
    assert (found.severity is Severity.HIGH) is high


STAGES = """\
FROM python:3.11-slim AS {name}
WORKDIR /app
COPY requirements.txt app.py ./
RUN pip install -r requirements.txt
CMD ["python", "app.py"]

FROM {name} AS production
CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]
"""


@pytest.mark.parametrize(("name", "judged"), [("development", False), ("base", True)])
def test_a_stage_for_development(name: str, judged: bool, tmp_path: Path) -> None:
    files = {
        "app.py": kit.APP + DEBUG.format(host="0.0.0.0"),
        "Dockerfile": STAGES.format(name=name),
        "docker-compose.yml": f"services:\n  api:\n    build: {{context: ., target: {name}}}\n    ports: ['8000:8000']\n",
    }
    assert bool(kit.of(kit.service(tmp_path, files), "IMG006")) is judged


COMPONENT = (
    "from kfp import dsl\n\n\n@dsl.component(base_image='registry/train:1')\ndef train(): ...\n"
)


@pytest.mark.parametrize(("pipeline", "answer"), [(COMPONENT, "unknown"), ("", "no")])
def test_an_image_for_a_pipeline(pipeline: str, answer: str, tmp_path: Path) -> None:
    files = {
        "docker/Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nCOPY src ./src\n",
        "src/train.py": "def fit(): ...\n",
        **({"pipeline/components.py": pipeline} if pipeline else {}),
    }
    result = _audit(tmp_path, files)
    assert kit.answers(result)[1] == answer


# --- kustomizations -----------------------------------------------------------------------------

OVERLAY = """\
resources: [../../base]
components: [../../components/metrics]
transformers: [labels.yaml]
configMapGenerator:
  - {name: settings, files: [settings.toml]}
secretGenerator:
  - {name: keys, envs: [keys.env]}
"""


def test_what_a_kustomization_names(tmp_path: Path) -> None:
    files = {
        "base/deployment.yaml": MANIFESTS.format(type="ClusterIP", more="").partition("---")[0],
        "overlays/production/kustomization.yaml": OVERLAY,
    }
    found = {f.message.split("`")[1]: f.message for f in kit.of(_audit(tmp_path, files), "IMG030")}
    assert set(found) == {
        "base",
        "components/metrics",
        "overlays/production/labels.yaml",
        "overlays/production/settings.toml",
    }
    assert "has no `kustomization.yaml`" in found.pop("base")
    assert all("is not in the repository" in message for message in found.values())


def test_the_error_of_static_files(tmp_path: Path) -> None:
    app = (
        "from fastapi import FastAPI\nfrom fastapi.staticfiles import StaticFiles\n"
        "app = FastAPI()\napp.mount('/static', StaticFiles(directory='static'))\n"
    )
    files = {
        "app.py": app,
        "requirements.txt": "fastapi==0.115.0\nuvicorn==0.30.6\n",
        "Dockerfile": kit.dockerfile(command='["uvicorn", "app:app", "--host", "0.0.0.0"]'),
    }
    (found,) = kit.of(kit.service(tmp_path, files), "PTH002")
    assert "RuntimeError: Directory 'static' does not exist" in found.message


# --- what the build generates -------------------------------------------------------------------

STUBS = """\
FROM python:3.12-slim AS stubs
WORKDIR /work
COPY proto proto
RUN pip install grpcio-tools && mkdir -p gen
{generate}

FROM python:3.12-slim
WORKDIR /work
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY --from=stubs /work/gen gen
COPY app.py bootstrap.py ./
COPY rag rag
CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]
"""
BOOTSTRAP = """\
import sys
from pathlib import Path

gen = Path(__file__).resolve().parent / "gen"
if gen.is_dir():
    sys.path.insert(0, str(gen))
"""


@pytest.mark.parametrize("module", ["common", "evaluation"])
@pytest.mark.parametrize(
    ("generate", "missing"),
    [
        ("RUN python -m grpc_tools.protoc -I proto --python_out=gen proto/x.proto", False),
        ("", True),
    ],
)
def test_stubs_of_protobuf(module: str, generate: str, missing: bool, tmp_path: Path) -> None:
    files = {
        "Dockerfile": STUBS.format(generate=generate),
        "app.py": f"import bootstrap\nfrom {module}.v1 import {module}_pb2\n" + kit.APP,
        "bootstrap.py": BOOTSTRAP,
        "proto/x.proto": 'syntax = "proto3";\n',
        "rag/__init__.py": "",
        # Another package of that name, without what is asked of it.
        f"other/{module}/__init__.py": "",
    }
    result = kit.service(tmp_path, files)
    assert bool(kit.of(result, "ENV007")) is missing
    assert kit.answers(result)[1] == ("no" if missing else "unknown")


REPORTS = """\
from pathlib import Path
from fastapi import FastAPI, HTTPException
app = FastAPI()


@app.get("{route}")
def latest():
    found = sorted(Path("reports").glob("*.pdf"))
    if not found:
        raise HTTPException(status_code=404, detail="none yet")
    return str(found[0])
"""


@pytest.mark.parametrize(("route", "fault"), [("/report/latest", False), ("/predict", True)])
def test_an_answer_where_nothing_is_found(route: str, fault: bool, tmp_path: Path) -> None:
    files = {
        "app.py": REPORTS.format(route=route),
        "requirements.txt": "fastapi==0.115.0\nuvicorn==0.30.6\n",
        "Dockerfile": kit.dockerfile(
            "RUN mkdir reports", command='["uvicorn", "app:app", "--host", "0.0.0.0"]'
        ),
    }
    assert bool(kit.of(kit.service(tmp_path, files), "IMG025")) is fault


@pytest.mark.parametrize("loaded", [True, False])
def test_an_empty_model(loaded: bool, tmp_path: Path) -> None:
    load = 'import onnxruntime\nonnxruntime.InferenceSession("model/model.onnx")\n'
    files = {
        "app.py": (load if loaded else "") + kit.APP,
        "requirements.txt": kit.REQUIREMENTS + "onnxruntime==1.19.2\n",
        "Dockerfile": kit.dockerfile("COPY model model"),
        "model/model.onnx": "",
    }
    (found,) = kit.of(kit.service(tmp_path, files), "ART015")
    assert (found.severity >= Severity.HIGH) is loaded
