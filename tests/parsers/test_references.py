"""Names of images, against the grammar and against an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit
from auditor.parsers.references import refused

LOWER = "invalid reference format: repository name must be lowercase"
FORMAT = "invalid reference format"
NAMES = [
    ("python:3.11-slim", ""),
    ("Python:3.11-slim", LOWER),
    ("acme/MyApp", LOWER),
    ("acme/my_app:V1.0", ""),
    ("acme/my__app", ""),
    ("acme/my-app-:1", FORMAT),
    ("acme/-app:1", FORMAT),
    ("acme//app:1", FORMAT),
    ("app:", FORMAT),
    ("app:v1.0+gpu", FORMAT),
    ("app:feature/x", FORMAT),
    ("localhost:5000/app:1", ""),
    ("gcr.io/acme/app:1", ""),
    ("gcr.io/acme/App:1", LOWER),
    ("registry.acme.io:443/team/app:1", ""),
    ("app@sha256:" + "0" * 64, ""),
    ("app:1@sha256:" + "0" * 64, ""),
    ("app@sha256:abc", FORMAT),
    ("app@sha256:to-be-pinned", FORMAT),
    ("my app", FORMAT),
    ("app:1 ", ""),
]


@pytest.mark.parametrize(("name", "why"), NAMES)
def test_names(name: str, why: str) -> None:
    assert refused(name) == why


@pytest.mark.parametrize(
    "name",
    [
        "gcr.io/PROJECT_ID/app:1",
        "YOUR_USER/App",
        "<registry>/app",
        "acme/app:${TAG}",
        "acme/app@sha256:replace-with-approved-digest",
        "",
    ],
)
def test_what_is_to_be_filled_in(name: str) -> None:
    assert refused(name) == ""


APP = """\
from fastapi import FastAPI

app = FastAPI()


@app.post("/predict")
def predict(x: float) -> float:
    return x
"""
DOCKERFILE = """\
FROM python:3.11-slim
RUN pip install fastapi==0.110.0 uvicorn==0.29.0
COPY main.py .
CMD ["uvicorn", "main:app", "--host", "0.0.0.0"]
"""
POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: api}}
spec:
  selector: {{matchLabels: {{app: api}}}}
  template:
    metadata: {{labels: {{app: api}}}}
    spec: {{containers: [{{name: api, image: "{image}"}}]}}
"""


@pytest.mark.parametrize(
    ("files", "rule", "stage"),
    [
        ({"Dockerfile": DOCKERFILE.replace("python:", "Python:")}, "IMG022", "builds"),
        (
            {"Dockerfile": DOCKERFILE.replace("COPY main", "COPY --from=Acme/tools:1 /x /x\nCOPY main")},
            "",
            "",
        ),
        (
            {"Dockerfile": DOCKERFILE.replace("COPY main", "COPY --from=acme/Tools:1 /x /x\nCOPY main")},
            "IMG022",
            "builds",
        ),
        (
            {"Dockerfile": DOCKERFILE.replace("FROM python:3.11-slim", "FROM python:3.11-slim AS Base\nFROM Base")},
            "",
            "",
        ),
        ({"compose.yaml": "services: {api: {build: ., image: 'acme/MyApi:1'}}"}, "IMG024", "builds"),
        ({"compose.yaml": "services: {api: {build: ., image: 'acme/my-api:1'}}"}, "", ""),
        ({"pod.yaml": POD.format(image="acme/Api:1")}, "IMG030", "starts"),
        ({"pod.yaml": POD.format(image="acme/api@sha256:to-be-pinned")}, "IMG030", "starts"),
        ({"pod.yaml": POD.format(image="acme/api:1")}, "", ""),
    ],
)  # fmt: skip
def test_findings(tmp_path: Path, files: dict[str, str], rule: str, stage: str) -> None:
    for name, text in {"Dockerfile": DOCKERFILE, "main.py": APP, **files}.items():
        (tmp_path / name).write_text(text)
    result = audit(tmp_path, Settings())
    found = [f for f in result.active if "invalid reference format" in f.message]
    assert [f.rule for f in found] == ([rule] if rule else [])
    for finding in found:
        assert {s.label for _, s in finding.breaks} == {stage}
