"""Task definitions of ECS, Container Apps and Copilot: port, health, variables, file system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.config import Settings
from auditor.engine import audit
from auditor.parsers import cloudtasks, platforms
from auditor.result import AuditResult
from auditor.source import SourceText

APP = """\
import os

from flask import Flask

app = Flask(__name__)
KEY = os.environ["API_KEY"]


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def predict():
    with open("/app/last.json", "w") as stream:
        stream.write("{}")
    return {"score": 1}
"""
DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY . .
CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]
"""
FILES = {
    "app.py": APP,
    "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\n",
    "Dockerfile": DOCKERFILE,
}


def run(root: Path, files: dict[str, str]) -> AuditResult:
    for name, text in {**FILES, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return audit(root, Settings())


def outcome(result: AuditResult) -> tuple[str, set[str]]:
    (service,) = result.services
    answers = "".join(answer[0] for _, answer in service.forecast.answers())
    return answers, {f.rule for f in result.findings if f.breaks}


def task(**more: Any) -> str:
    container = {
        "name": "scores",
        "image": "123.dkr.ecr.eu-west-1.amazonaws.com/scores:latest",
        "portMappings": [{"containerPort": 8000, "protocol": "tcp"}],
        "environment": [{"name": "API_KEY", "value": "x"}],
        **more,
    }
    return json.dumps({"family": "scores-task", "containerDefinitions": [container]}, indent=2)


@pytest.mark.parametrize(
    ("more", "answers", "rules"),
    [
        ({}, "yyyy", set()),
        ({"image": "<IMAGE1_NAME>"}, "yyyy", set()),
        ({"image": "${IMAGE_URI}"}, "yyyy", set()),
        ({"portMappings": [{"containerPort": 80}]}, "yynn", {"NET007"}),
        ({"environment": []}, "ynnn", {"IMG012"}),
        ({"environment": [], "secrets": [{"name": "API_KEY", "valueFrom": "arn"}]}, "yyyy", set()),
        ({"environment": [], "environmentFiles": [{"value": "s3", "type": "s3"}]}, "yuuu", set()),
        # gunicorn finds no place for its temporary files, either.
        ({"readonlyRootFilesystem": True}, "ynnn", {"IMG011", "IMG018"}),
        (
            {
                "readonlyRootFilesystem": True,
                "mountPoints": [{"sourceVolume": "v", "containerPath": "/app"}],
            },
            None,
            set(),
        ),
        ({"command": ["gunicorn", "-b", "127.0.0.1:8000", "app:app"]}, "yynn", {"NET001"}),
        ({"entryPoint": ["sh", "-c"], "command": ["gunicorn -b :8000 server:app"]}, "ynnn", {"IMG017"}),
        (
            {"healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:8000/health"]}},
            None,
            {"IMG015"},
        ),
        (
            {
                "healthCheck": {
                    "command": ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8000/health')"]
                }
            },
            "yyyy",
            set(),
        ),
    ],
)  # fmt: skip
def test_task_definitions(
    tmp_path: Path, more: dict[str, Any], answers: str | None, rules: set[str]
) -> None:
    found, broken = outcome(run(tmp_path, {"ecs/task-definition.json": task(**more)}))
    assert rules <= broken if answers is None and rules else broken == rules
    assert answers is None or found == answers


def test_what_a_workflow_puts_in_is_not_said_to_be_missing(tmp_path: Path) -> None:
    step = "jobs:\n  d:\n    steps:\n    - with:\n        environment-variables: A=b\n"
    files = {"taskdef.json": task(environment=[]), ".github/workflows/deploy.yml": step}
    assert "IMG012" not in outcome(run(tmp_path, files))[1]


CONTAINER_APP = """\
properties:
  configuration:
    ingress:
      targetPort: {port}
  template:
    containers:
    - name: scores
      image: registry.azurecr.io/scores:v1
      env:
      - name: API_KEY
        secretRef: key
      probes:
      - type: Liveness
        httpGet:
          path: {path}
          port: 8000
"""


@pytest.mark.parametrize(
    ("port", "path", "answers", "rules"),
    [
        (8000, "/health", "yyyy", set()),
        (80, "/health", "yynn", {"NET007"}),
        (8000, "/ready", None, {"NET006"}),
    ],
)
def test_container_apps(
    tmp_path: Path, port: int, path: str, answers: str | None, rules: set[str]
) -> None:
    text = CONTAINER_APP.format(port=port, path=path)
    result = run(tmp_path, {"azure/containerapp.yaml": text})
    found, broken = outcome(result)
    assert rules <= {f.rule for f in result.findings} and (broken - {"NET006"}) <= rules
    assert answers is None or found == answers


COPILOT = """\
name: scores
type: {type}
image:
  build: {build}
{port}
http:
  path: '/'
{health}
variables:
  API_KEY: x
"""


@pytest.mark.parametrize(
    ("values", "answers", "rules"),
    [
        ({}, "yyyy", set()),
        ({"port": "  port: 80"}, "yynn", {"NET003"}),
        ({"build": "{dockerfile: Dockerfile, context: .}"}, "yyyy", set()),
        # The load balancer asks for `/`, which answers 404.
        ({"health": ""}, None, {"NET006"}),
        ({"health": "  healthcheck: {path: /nothing}"}, None, {"NET006"}),
        ({"type": "Backend Service", "port": "", "health": ""}, None, set()),
    ],
)
def test_copilot(
    tmp_path: Path, values: dict[str, str], answers: str | None, rules: set[str]
) -> None:
    given_ = {
        "type": "Load Balanced Web Service",
        "build": "Dockerfile",
        "port": "  port: 8000",
        "health": "  healthcheck: /health",
        **values,
    }
    result = run(tmp_path, {"copilot/scores/manifest.yml": COPILOT.format(**given_)})
    found, _ = outcome(result)
    assert rules <= {f.rule for f in result.findings}
    assert bool(rules) or not {f.rule for f in result.findings} & {"NET003", "NET006"}
    assert answers is None or found == answers


def test_files_of_others_are_left_alone() -> None:
    assert cloudtasks.parse(SourceText("a.json", '{"containers": []}')) == ()
    text = "type: Load Balanced Web Service\nimage: {build: Dockerfile}\n"
    assert platforms.parse(SourceText("manifest.yml", text)) == ()
    assert platforms.parse(SourceText("copilot/environments/test/manifest.yml", "type: Environment\n")) == ()  # fmt: skip


_VALUE = st.recursive(
    st.none() | st.integers() | st.text(max_size=6) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["containerDefinitions", "portMappings", "containerPort", "healthCheck", "command",
                 "properties", "template", "containers", "env", "probes", "type", "image", "name"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(_VALUE)
def test_any_shape_is_read(value: object) -> None:
    cloudtasks.parse(SourceText("taskdef.json", json.dumps(value)))
    cloudtasks.parse(SourceText("t.json", json.dumps({"containerDefinitions": [value]})))
    platforms.parse(SourceText("copilot/a/manifest.yml", json.dumps(value)))
