"""Model servers that are pulled, not built: what they start, and what their surroundings expect of it."""

from pathlib import Path
from typing import Any

import pytest

from auditor.config import Settings
from auditor.deployment import serverimages
from auditor.engine import audit

ROOT = Path(__file__).parents[2]


def found(root: Path, files: dict[str, str]) -> list[tuple[str, str, int]]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    result = audit(root, Settings())
    return [(f.rule, f.at.path, f.at.line) for f in result.findings if f.severity.label != "low"]


def compose(root: Path, service: str, **files: str) -> list[tuple[str, str, int]]:
    return found(root, {"compose.yaml": f"services:\n  llm:\n{service}", **files})


@pytest.mark.parametrize(
    ("image", "command", "port"),
    [
        ("vllm/vllm-openai:v0.6.3", "", 8000),
        ("docker.io/vllm/vllm-openai", "--model a/b --port 9000", 9000),
        ("ghcr.io/huggingface/text-generation-inference:2.0", "--model-id a/b", 80),
        ("ghcr.io/huggingface/text-generation-inference:2.0", "--model-id a/b -p 8080", 8080),
        ("ghcr.io/huggingface/text-embeddings-inference:cpu-1.5", "--model-id a/b", 80),
        ("ollama/ollama", "", 11434),
        ("ghcr.io/berriai/litellm:main-latest", "--config /app/config.yaml", 4000),
        ("ghcr.io/berriai/litellm:main-latest", "", 4000),
        ("ghcr.io/ggml-org/llama.cpp:server-cuda", "-m /models/a.gguf", 8080),
        ("nvcr.io/nvidia/tritonserver:24.05-py3", "tritonserver --model-repository=/m", 8000),
        ("lmsysorg/sglang", "python3 -m sglang.launch_server --host 0.0.0.0", 30000),
        ("ghcr.io/mlflow/mlflow:v2.14.1", "mlflow server --host 0.0.0.0 --port 5050", 5050),
        ("tensorflow/serving", "", 8501),
    ],
)
def test_a_published_port_that_it_does_not_serve(tmp_path, image, command, port):
    def service(published: int) -> str:
        given = f"    command: {command}\n" if command else ""
        return f'    image: {image}\n{given}    ports: ["7000:{published}"]\n'

    def unserved(service: str) -> list[tuple[str, str, int]]:
        return [item for item in compose(tmp_path, service) if item[0].startswith("NET")]

    assert unserved(service(port)) == []
    line = 5 if command else 4
    assert unserved(service(6543)) == [("NET003", "compose.yaml", line)]


def test_the_entrypoint_of_the_file_replaces_the_images(tmp_path):
    service = (
        "    image: vllm/vllm-openai\n    entrypoint: python3 -m http.server 8000\n"
        '    command: ["--directory", "/srv"]\n    ports: ["7000:8001"]\n'
    )
    assert compose(tmp_path, service) == [("NET003", "compose.yaml", 6)]


def test_a_loopback_address_is_seen(tmp_path):
    service = (
        "    image: ollama/ollama\n    environment: [OLLAMA_HOST=127.0.0.1]\n"
        '    ports: ["11434:11434"]\n'
    )
    # The address is taken from the variable; the place is the image that starts the server.
    assert compose(tmp_path, service) == [("NET001", "compose.yaml", 3)]


@pytest.mark.parametrize(
    "image", ["ghcr.io/ggml-org/llama.cpp:full", "vllm/other", "me/ollama", "${IMAGE}"]
)
def test_other_images_are_left_alone(tmp_path, image):
    assert compose(tmp_path, f'    image: "{image}"\n    ports: ["7000:1"]\n') == []


def test_what_somebody_else_built_is_not_judged_as_ours(tmp_path):
    (tmp_path / "compose.yaml").write_text(
        "services:\n  llm:\n    image: vllm/vllm-openai:v0.6.3\n    command: --model a/b\n"
    )
    result = audit(tmp_path, Settings())
    assert [f.rule for f in result.findings] == []
    assert result.services[0].forecast.starts == "unknown"


WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - name: llm
        image: vllm/vllm-openai:v0.6.3
        args: ["--model", "a/b", "--port", "PORT"]
        ports: [{containerPort: 8000, name: http}]
        readinessProbe: {httpGet: {path: /health, port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: llm}
spec: {selector: {app: llm}, ports: [{port: 80, targetPort: 8000}]}
"""


def test_a_workload_is_linked_to_its_service_and_probe(tmp_path):
    assert found(tmp_path, {"llm.yaml": WORKLOAD.replace("PORT", "8000")}) == []
    rules = {
        (rule, line)
        for rule, _, line in found(tmp_path, {"llm.yaml": WORKLOAD.replace("PORT", "8080")})
    }
    assert {("NET007", 19), ("NET006", 14)} <= rules


IMAGE = """\
FROM python:3.11-slim
WORKDIR /app
RUN pip install fastapi==0.110.0 uvicorn==0.29.0 requests==2.31.0 openai==1.30.0
COPY main.py ./
USER 1000
CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8080"]
"""
BESIDE = """\
services:
  llm:
    image: vllm/vllm-openai
    command: --model a/b --port PORT
  api:
    build: .
    ports: ["8080:8080"]
    environment: {LLM_URL: "http://llm:8000/v1"}
"""


@pytest.mark.parametrize(
    "asking",
    [
        "requests.post('http://llm:8000/v1/completions', json={'prompt': text}, timeout=30)",
        "requests.request('POST', os.environ['LLM_URL'], json={'prompt': text}, timeout=30)",
        "OpenAI(base_url=os.environ.get('LLM_URL', 'http://localhost:8000'), api_key='x')",
    ],
)
def test_code_that_asks_it_at_another_port(tmp_path, asking):
    code = (
        "import os\n\nimport requests\nfrom fastapi import FastAPI\nfrom openai import OpenAI\n\napp = FastAPI()\n\n\n"
        f"@app.post('/predict')\ndef predict(text: str):\n    return {asking}\n"
    )
    files = {"Dockerfile": IMAGE, "main.py": code}
    asked = ("NET009", "main.py", 12)
    assert asked in found(tmp_path, {**files, "compose.yaml": BESIDE.replace("PORT", "9000")})
    assert asked not in found(tmp_path, {"compose.yaml": BESIDE.replace("PORT", "8000")})


def test_the_address_that_a_client_takes_from_the_environment(tmp_path):
    code = (
        "from fastapi import FastAPI\nfrom openai import OpenAI\n\napp = FastAPI()\nclient = OpenAI(api_key='x')\n\n\n"
        "@app.post('/predict')\ndef predict(text: str):\n    return client.models.list()\n"
    )
    told = BESIDE.replace("LLM_URL", "OPENAI_BASE_URL")
    files = {"Dockerfile": IMAGE, "main.py": code}
    asked = ("NET009", "compose.yaml", 8)
    assert asked in found(
        tmp_path, {**files, "compose.yaml": told.replace("--port PORT", "--port 9000")}
    )
    assert asked not in found(
        tmp_path, {"compose.yaml": told.replace("--port PORT", "--port 8000")}
    )


def test_the_models_that_a_mounted_repository_holds_are_judged(tmp_path):
    service = (
        "    image: nvcr.io/nvidia/tritonserver:24.05-py3\n"
        "    command: tritonserver --model-repository=/models\n    volumes: ['./models:/models']\n"
    )
    config = 'name: "other"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 0\n'
    path = "models/iris/config.pbtxt"
    assert compose(tmp_path, service, **{path: config}) == [("SRV007", path, 1)]
    result = audit(tmp_path, Settings())
    assert result.quotes[path, 1] == 'name: "other"'


def _table() -> dict[str, Any]:
    import tomllib

    return tomllib.loads((ROOT / "rules/knowledge/images.toml").read_text("utf-8"))


def test_every_row_starts_a_server_that_is_known_or_passes_its_command_on():
    for image, row in _table().items():
        assert row["source"]
        reference = f"{image}:{row.get('tag', 'latest')}"
        assert serverimages.is_known(reference)
        made = serverimages.command(reference, {}, ["--x"])
        assert made == [*row.get("entrypoint", []), "--x"]


def test_the_picture_names_the_image(tmp_path):
    (tmp_path / "compose.yaml").write_text("services:\n  llm:\n    image: ollama/ollama:0.5\n")
    graph = audit(tmp_path, Settings()).graph
    assert "ollama/ollama:0.5" in graph
    assert "compose.yaml" not in graph
