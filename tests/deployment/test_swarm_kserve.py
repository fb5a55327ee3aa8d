"""Swarm's own keys, and what KServe's storage brings."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_hosted import DOCKERFILE, run

COMPOSE = """\
services:
  api:
    build: .
    image: registry.example.com/scores:1
    ports:
      - {port}
    deploy:
      {deploy}
"""
INGRESS = '"8000:8000"'
HOST = "{target: 8000, published: 8000, mode: host}"


@pytest.mark.parametrize(
    ("port", "deploy", "rules"),
    [
        (INGRESS, "endpoint_mode: vip", set()),
        (INGRESS, "endpoint_mode: dnsrr", {"IMG024"}),
        (HOST, "endpoint_mode: dnsrr", set()),
        (INGRESS, "replicas: 2", {"NET004"}),
        (INGRESS, "{replicas: 2, endpoint_mode: vip}", set()),
        (HOST, "{replicas: 2, endpoint_mode: vip}", {"NET004"}),
    ],
)
def test_ports_of_a_swarm(tmp_path: Path, port: str, deploy: str, rules: set[str]) -> None:
    files = {
        "docker-compose.yml": COMPOSE.format(port=port, deploy=deploy),
        "Dockerfile": DOCKERFILE,
    }
    found = run(tmp_path, files).findings
    assert {f.rule for f in found} & {"IMG024", "NET004"} == rules
    if port == HOST:
        # One on each of several nodes is well.
        assert not any(f.breaks for f in found)


SERVICE = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: scores
spec:
  predictor:
    containers:
      - name: kserve-container
        image: registry.example.com/scores:1
        ports:
          - containerPort: 8000
{env}"""
STORED = """\
        env:
          - {name: STORAGE_URI, value: "s3://models/scores"}
"""
READS = """\
from flask import Flask

weights = open("/mnt/models/weights.txt").read()
app = Flask(__name__)


@app.post("/predict")
def predict():
    return {"score": 1}
"""


@pytest.mark.parametrize(("env", "missing"), [(STORED, False), ("", True)])
def test_what_the_storage_initializer_brings(tmp_path: Path, env: str, missing: bool) -> None:
    files = {"k8s/service.yaml": SERVICE.format(env=env), "Dockerfile": DOCKERFILE, "app.py": READS}
    result = run(tmp_path, files)
    assert ("PTH002" in {f.rule for f in result.findings if f.breaks}) is missing


@pytest.mark.parametrize(
    ("uri", "refused"),
    [
        ("s3://models/x", False),
        ("pvc://claim/x", False),
        ("/mnt/x", False),
        ("ftp://models/x", True),
    ],
)
def test_storage_that_kserve_knows(tmp_path: Path, uri: str, refused: bool) -> None:
    text = (
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: scores}\n"
        f"spec:\n  predictor:\n    model:\n      modelFormat: {{name: sklearn}}\n      storageUri: {uri}\n"
    )
    result = run(tmp_path, {"k8s/service.yaml": text, "Dockerfile": DOCKERFILE})
    assert ("IMG030" in {f.rule for f in result.findings}) is refused
