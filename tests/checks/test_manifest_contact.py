"""Mechanisms of strangers' Kubernetes and Compose repositories: each with its faulty twin."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import APP, REQUIREMENTS, dockerfile, service

from auditor.findings import Severity
from auditor.result import AuditResult


def serious(result: AuditResult, *names: str) -> list[str]:
    return [f.rule for f in result.findings if f.rule in names and f.severity >= Severity.HIGH]


def compose(command: str) -> str:
    return f"services:\n  api:\n    build: .\n    ports: ['8000:8000']\n    command: {command}\n"


@pytest.mark.parametrize(
    "command",
    [
        "gunicorn -b 0.0.0.0:${API_PORT} app:app",
        '["gunicorn", "-b", "0.0.0.0:${API_PORT}", "app:app"]',
        'sh -c "gunicorn -b 0.0.0.0:${API_PORT} app:app"',
    ],
)
def test_a_port_that_the_documented_env_gives_is_not_empty(tmp_path: Path, command: str) -> None:
    files = {"compose.yaml": compose(command), ".env.example": "API_PORT=8000\n"}
    found = service(tmp_path / "a", files)
    assert serious(found, "IMG018") == []
    assert dict(found.services[0].forecast.answers())["reachable"] == "unknown"


def test_a_port_that_nothing_gives_is_empty_in_both_forms(tmp_path: Path) -> None:
    for number, command in enumerate(
        ["uvicorn --port ${API_PORT} app:app", '["uvicorn", "--port", "${API_PORT}", "app:app"]']
    ):
        files = {
            "compose.yaml": compose(command),
            "requirements.txt": f"{REQUIREMENTS}uvicorn==0.30.0\n",
        }
        found = service(tmp_path / str(number), files)
        assert "IMG018" in serious(found, "IMG018")
        assert not any("the exec form starts no shell" in f.message for f in found.findings)


def test_a_program_named_relative_to_the_working_directory(tmp_path: Path) -> None:
    build = "RUN python -m venv .venv && .venv/bin/pip install -r requirements.txt"
    text = dockerfile(build, '[".venv/bin/gunicorn", "-b", "0.0.0.0:8000", "app:app"]')
    text = text.replace("RUN pip install -r requirements.txt\n", "")
    assert serious(service(tmp_path / "a", {"Dockerfile": text}), "IMG018") == []
    text = text.replace('[".venv/bin/gunicorn"', '["gunicorn"')
    assert serious(service(tmp_path / "b", {"Dockerfile": text}), "IMG018") == ["IMG018"]


SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: api
spec:
  selector: {app: api}
  ports:
    - {port: PORT, targetPort: 8000}
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
spec:
  rules:
    - http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: api, port: {number: 8080}}}
"""


def test_the_service_beside_the_ingress_is_meant(tmp_path: Path) -> None:
    files = {
        "deploy/other/service.yaml": SERVICE.replace("PORT", "5000"),
        "deploy/plain/ingress.yaml": INGRESS,
        "deploy/plain/service.yaml": SERVICE.replace("PORT", "8080"),
    }
    assert serious(service(tmp_path / "a", files), "NET012") == []
    files["deploy/plain/service.yaml"] = SERVICE.replace("PORT", "5000")
    files["deploy/other/service.yaml"] = SERVICE.replace("PORT", "8080")
    assert serious(service(tmp_path / "b", files), "NET012") == ["NET012"]


KUSTOMIZATION = "resources:\n  - service.yaml\n  - settings.yaml\n"
SCRIPT = "#!/bin/sh\ncat > settings.yaml <<EOF\nkind: ConfigMap\nEOF\n"


def test_a_resource_that_a_script_writes_is_not_missing(tmp_path: Path) -> None:
    files = {
        "k8s/kustomization.yaml": KUSTOMIZATION,
        "k8s/service.yaml": SERVICE.replace("PORT", "80"),
        "k8s/settings.sh": SCRIPT,
    }
    assert serious(service(tmp_path / "a", files), "IMG030") == []
    files["k8s/settings.sh"] = SCRIPT.replace("cat > settings.yaml", "cat > other.yaml")
    assert serious(service(tmp_path / "b", files), "IMG030") == ["IMG030"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("# Build the image (place best.pt in serving/weights/ first)", True),
        ("Download the weights to `serving/weights/best.pt` before the build.", True),
        ("`serving/weights/` is where the server looks.", False),
        ("├── serving/weights/  # saved weights", False),
        ("COPY serving/weights/ ./weights/", False),
        ("Put your key into `serving/keys/`.", False),
    ],
)
def test_documentation_tells_to_put_it_there(tmp_path: Path, line: str, told: bool) -> None:
    files = {
        "serving/Dockerfile": dockerfile("COPY weights/ ./weights/"),
        "serving/app.py": APP,
        "serving/requirements.txt": REQUIREMENTS,
        "README.md": f"# Scorer\n\n{line}\n\n    docker build -t scorer ./serving\n",
    }
    assert serious(service(tmp_path, files), "IMG019") == ([] if told else ["IMG019"])


def test_a_walk_over_a_missing_directory_finds_nothing(tmp_path: Path) -> None:
    walk = f"import os\n{APP}\nfound = [name for name in os.walk('data/sets')]\n"
    assert serious(service(tmp_path / "a", {"app.py": walk}), "PTH002") == []
    listed = walk.replace("os.walk", "os.listdir")
    assert serious(service(tmp_path / "b", {"app.py": listed}), "PTH002") == ["PTH002"]


COPIES = '#!/bin/sh\ncp "${ROOT}/models/scorer.py" "${ROOT}/serving/"\ndocker build -t s serving\n'


def test_what_the_build_script_copies_is_not_missing(tmp_path: Path) -> None:
    files = {
        "serving/Dockerfile": dockerfile("COPY scorer.py ./"),
        "serving/app.py": f"import scorer\n{APP}",
        "serving/requirements.txt": REQUIREMENTS,
        "models/scorer.py": "x = 1\n",
        "scripts/build.sh": COPIES,
    }
    assert serious(service(tmp_path / "a", files), "IMG019", "ENV007") == []
    files["scripts/build.sh"] = COPIES.replace("/serving/", "/other/")
    # The build fails on the COPY; that the module is not there then is no second fault.
    assert serious(service(tmp_path / "b", files), "IMG019", "ENV007") == ["IMG019"]


def test_commands_of_a_document_start_above_it(tmp_path: Path) -> None:
    told = "Then run:\n\n    python training/run.py \\\n      --output weights/model.pt\n"
    files = {
        "serving/Dockerfile": dockerfile("COPY weights/ ./weights/"),
        "serving/app.py": APP,
        "serving/requirements.txt": REQUIREMENTS,
        "serving/docs/deploy.md": told,
    }
    assert serious(service(tmp_path / "a", files), "IMG019") == []
    files["serving/docs/deploy.md"] = told.replace("--output weights", "--output other")
    assert serious(service(tmp_path / "b", files), "IMG019") == ["IMG019"]


RAISES = """\
import os
from flask import Flask

app = Flask(__name__)
TARGET = os.environ.get("TARGET")
if not TARGET:
    raise RuntimeError("TARGET is not set")

if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8000)
"""


def test_a_server_below_a_raise_may_run(tmp_path: Path) -> None:
    files = {"Dockerfile": dockerfile(command='["python", "app.py"]'), "app.py": RAISES}
    assert not any(f.rule == "IMG018" for f in service(tmp_path / "a", files).findings)
    files["app.py"] = RAISES.partition("TARGET = ")[0]
    assert any(f.rule == "IMG018" for f in service(tmp_path / "b", files).findings)


def test_the_program_itself_can_be_imported(tmp_path: Path) -> None:
    files = {"app.py": f"import __main__\n{APP}"}
    assert serious(service(tmp_path, files), "ENV007") == []


@pytest.mark.parametrize("folder", ["templates/docker", "skeleton/{{cookiecutter.name}}/docker"])
def test_what_projects_are_made_from_is_not_deployed(tmp_path: Path, folder: str) -> None:
    files = {f"{folder}/Dockerfile.train": dockerfile(command='["python", "src/train.py"]')}
    assert serious(service(tmp_path / "a", files), "IMG018", "IMG019") == []
    (text,) = files.values()
    assert serious(service(tmp_path / "b", {"docker/Dockerfile.train": text}), "IMG018")


CHART = "apiVersion: v2\nname: NAME\nversion: 1.0.0\n"
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-SUFFIX
data: {a: b}
"""


@pytest.mark.parametrize(
    ("chart", "suffix", "refused"),
    [
        ("GPU Operator + Extras", "settings", []),
        ("operator", "settings", []),
        ("operator", "Settings", ["IMG030"]),
    ],
)
def test_the_release_of_a_chart_has_a_name_that_helm_takes(
    tmp_path: Path, chart: str, suffix: str, refused: list[str]
) -> None:
    files = {
        "chart/Chart.yaml": CHART.replace("NAME", chart),
        "chart/values.yaml": "{}\n",
        "chart/templates/config.yaml": TEMPLATE.replace("SUFFIX", suffix),
    }
    assert serious(service(tmp_path, files), "IMG030") == refused


def test_a_loader_that_may_lead_to_a_library_is_no_high(tmp_path: Path) -> None:
    loader = "from langchain_community.document_loaders import UnstructuredMarkdownLoader\n"
    wanted = "langchain-community==0.3.1\nunstructured==0.15.0\npython-magic==0.4.27\n"
    files = {"app.py": f"{loader}{APP}", "requirements.txt": f"{REQUIREMENTS}{wanted}"}
    assert serious(service(tmp_path / "a", files), "IMG002") == []
    files["app.py"] = f"import magic\n{APP}"
    assert serious(service(tmp_path / "b", files), "IMG002") == ["IMG002"]


JAVA = "FROM python:3.11-slim-bookworm\nRUN apt-get update && apt-get install -y PACKAGE\n"


@pytest.mark.parametrize(
    ("package", "found"),
    [
        ("openjdk-17-jre-headless", []),
        ("default-jre", []),
        ("openjdk-99-jdk", []),  # that it does not exist is another rule's to say
        ("curl", ["IMG002"]),
    ],
)
def test_a_runtime_of_java_brings_java(tmp_path: Path, package: str, found: list[str]) -> None:
    text = dockerfile().replace("FROM python:3.11-slim\n", JAVA.replace("PACKAGE", package))
    files = {
        "Dockerfile": text,
        "app.py": f"from pyspark.sql import SparkSession\n{APP}",
        "requirements.txt": f"{REQUIREMENTS}pyspark==3.5.1\n",
    }
    assert serious(service(tmp_path, files), "IMG002") == found


@pytest.mark.parametrize(
    ("models", "found"),
    [
        ("models: [llm]", []),
        ("models: {llm: {model_var: LLM_MODEL, endpoint_var: LLM_ADDRESS}}", []),
        ("models: {llm: {model_var: OTHER}}", ["IMG012"]),
        ("models: [other]", ["IMG012"]),
        ("environment: [OTHER=1]", ["IMG012"]),
    ],
)
def test_compose_names_its_models_to_a_service(
    tmp_path: Path, models: str, found: list[str]
) -> None:
    files = {
        "app.py": f"import os\nNAME = os.environ['LLM_MODEL']\n{APP}",
        "compose.yaml": f"services:\n  api:\n    build: .\n    {models}\n"
        "models:\n  llm: {model: ai/smollm2}\n  other: {model: ai/smollm2}\n",
    }
    assert serious(service(tmp_path, files), "IMG012") == found


def test_services_of_profiles_may_be_alternatives(tmp_path: Path) -> None:
    text = (
        "services:\n  api: {build: ., ports: ['8000:8000']}\n"
        "  api-gpu: {build: ., ports: ['8000:8000'], profiles: [gpu]}\n"
    )
    assert serious(service(tmp_path / "a", {"compose.yaml": text}), "NET004") == []
    text = text.replace(", profiles: [gpu]", "")
    assert serious(service(tmp_path / "b", {"compose.yaml": text}), "NET004") == ["NET004"]
