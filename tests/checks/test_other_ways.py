"""What looks wrong in one file and is made right by another way to build or start it."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import APP, REQUIREMENTS, compose, dockerfile, of, service

from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Severity
from auditor.linking import symbols

BUILDER = """\
FROM python:3.11-slim AS builder
COPY requirements.txt ./
RUN pip install -r requirements.txt
FROM python:3.11-slim
COPY --from=builder {source} {source}
COPY --from=builder /usr/local/bin /usr/local/bin
WORKDIR /app
COPY app.py ./
CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]
"""


@pytest.mark.parametrize(
    ("source", "there"),
    [("/usr/local/lib", True), ("/usr/local/lib/python3.11", True), ("/usr/local/share", False)],
)
def test_a_directory_above_site_packages(source: str, there: bool, tmp_path: Path) -> None:
    result = service(tmp_path, {"Dockerfile": BUILDER.format(source=source)})
    assert bool(of(result, "ENV007")) is not there


@pytest.mark.parametrize(
    ("line", "stops"),
    [
        ("flask @ https://example.org/flask-3.0.3-py3-none-any.whl#sha256=" + "a" * 64, False),
        ("flask==3.0.3 --hash=sha256:" + "a" * 64, True),
    ],
)
def test_a_hash_behind_a_url_asks_nothing_of_other_lines(
    line: str, stops: bool, tmp_path: Path
) -> None:
    result = service(tmp_path, {"requirements.txt": f"{line}\ngunicorn==22.0.0\n"})
    assert bool(of(result, "ENV019")) is stops


JOB = """\
services:
  api:
    build: .
    ports: ["8000:8000"]
  fill:
    build: .
{extra}    command: sh -c "{command}"
"""


@pytest.mark.parametrize(
    ("extra", "command", "reported"),
    [
        ("", "echo ready", True),
        ("", "python app.py && echo ready", False),
        ("", "mkdir -p /data && touch /data/ready", True),
        ("    profiles: [fill]\n", "mkdir -p /data && touch /data/ready", False),
        ("    profiles: [fill]\n    restart: always\n", "mkdir -p /d && touch /d/ready", True),
        ("    profiles: [fill]\n    ports: ['9000:9000']\n", "echo ready", True),
    ],
)
def test_a_command_that_is_to_end(extra: str, command: str, reported: bool, tmp_path: Path) -> None:
    files = {"docker-compose.yml": JOB.format(extra=extra, command=command)}
    found = [f for f in of(service(tmp_path, files), "IMG018") if "foreground" in f.message]
    assert bool(found) is reported


FRONT = """\
services:
  web:
    build: {{context: ., dockerfile: Dockerfile}}
    ports: ["5173:5173"]
  front:
    image: nginx:alpine
    ports: ["80:80"]
    volumes: ["./nginx.conf:/etc/nginx/conf.d/default.conf"]
"""


@pytest.mark.parametrize(("port", "severity"), [(8000, Severity.MEDIUM), (5173, Severity.HIGH)])
def test_a_port_left_over_behind_a_proxy(port: int, severity: Severity, tmp_path: Path) -> None:
    files = {
        "docker-compose.yml": FRONT.format(),
        "nginx.conf": f"server {{ listen 80; location / {{ proxy_pass http://web:{port}; }} }}\n",
    }
    assert [f.severity for f in of(service(tmp_path, files), "NET003")] == [severity]


ASKS = f"""\
import os

import requests

URL = os.environ.get("MODEL_URL", "http://localhost:8001")
requests.get(f"{{URL}}/health")
{APP}"""
GPU = """\
services:
  model:
    image: vllm/vllm-openai:v0.8.0
    command: --model /m --port 8001
  api:
    environment:
      MODEL_URL: http://{host}:8001
"""


@pytest.mark.parametrize(
    ("host", "severity"), [("model", Severity.MEDIUM), ("localhost", Severity.HIGH)]
)
def test_an_address_that_a_further_compose_file_gives(
    host: str, severity: Severity, tmp_path: Path
) -> None:
    files = {
        "app.py": ASKS,
        "requirements.txt": f"{REQUIREMENTS}requests==2.32.3\n",
        "docker-compose.yml": compose(""),
        "docker-compose.gpu.yml": GPU.format(host=host),
    }
    found = of(service(tmp_path, files), "NET009")
    assert [f.severity for f in found] == [severity]


NGINX = 'FROM nginx:alpine\nCOPY {file} /etc/nginx/conf.d/default.conf\nCMD ["nginx", "-g", "daemon off;"]\n'


@pytest.mark.parametrize("file", ["site.conf", "gone.conf"])
def test_a_lost_configuration_says_no_port(file: str, tmp_path: Path) -> None:
    files = {
        "web/Dockerfile": NGINX.format(file=file),
        "web/site.conf": "server { listen 80; root /usr/share/nginx/html; }\n",
        "docker-compose.yml": "services:\n  web:\n    build: web\n    ports: ['3000:3000']\n",
    }
    result = service(tmp_path, files)
    assert bool(of(result, "NET003")) is (file == "site.conf")
    assert bool(of(result, "IMG019")) is (file == "gone.conf")


@pytest.mark.parametrize(
    ("build", "reported"),
    [
        ("{args: {FLAVOUR: gpu}}", False),
        ("{context: ., args: {FLAVOUR: gpu}}", True),
        (".", True),
    ],
)
def test_a_file_that_adds_build_arguments_is_laid_over_another(
    build: str, reported: bool, tmp_path: Path
) -> None:
    base = "services:\n  api:\n    build: {context: ., dockerfile: docker/Dockerfile}\n    ports: ['8000:8000']\n"
    files = {
        "docker-compose.yml": base,
        "docker-compose.gpu.yml": f"services:\n  api:\n    build: {build}\n",
        "docker/Dockerfile": dockerfile(),
    }
    service(tmp_path, files)
    (tmp_path / "Dockerfile").unlink()
    found = [f for f in of(audit(tmp_path, Settings()), "IMG022") if "to build from" in f.message]
    assert bool(found) is reported


TWO = "# docker build -f Dockerfile.{name} -t shop:{name} .\n# docker run -p {port}:{port} shop:{name}\n"


@pytest.mark.parametrize(("port", "reported"), [(8000, False), (8001, True)])
def test_a_run_of_another_tag_is_about_another_image(
    port: int, reported: bool, tmp_path: Path
) -> None:
    worker = dockerfile(command='["gunicorn", "-b", "0.0.0.0:8002", "app:app"]')
    files = {
        "Dockerfile.api": TWO.format(name="api", port=port) + dockerfile(),
        "Dockerfile.work": TWO.format(name="work", port=8002) + worker,
    }
    service(tmp_path, files)
    (tmp_path / "Dockerfile").unlink()
    assert bool(of(audit(tmp_path, Settings()), "NET003")) is reported


def test_names_that_a_module_makes_when_asked() -> None:
    table = symbols.table("stdlib")
    assert table is not None
    for name in ("ContextManager", "AsyncContextManager", "Pattern"):
        assert table.find("typing", name, "3.13.0") == "yes"
    assert table.find("ast", "Num", "3.12.1") == "yes"
    assert table.find("typing", "io", "3.13.0") == "no-name"


@pytest.mark.parametrize(
    ("name", "reported"), [("llama-cpp-python==0.3.2", False), ("dlib==19.24.6", True)]
)
def test_a_build_that_brings_cmake_itself(name: str, reported: bool, tmp_path: Path) -> None:
    lines = (
        "FROM python:3.11-slim",
        "RUN apt-get update && apt-get install -y --no-install-recommends g++",
        f"RUN pip install {name}",
        'CMD ["python", "-V"]',
    )
    result = service(tmp_path, {"Dockerfile": "\n".join(lines)})
    assert bool(of(result, "ENV008")) is reported


RENAMED = """\
FROM python:3.11-slim
WORKDIR /app
COPY {line}
RUN pip install -r requirements.txt
COPY . .
CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]
"""


@pytest.mark.parametrize(
    ("line", "missing"), [("requirements-gpu.txt requirements.txt", False), ("app.py ./", True)]
)
def test_a_list_copied_under_another_name(line: str, missing: bool, tmp_path: Path) -> None:
    files = {"Dockerfile": RENAMED.format(line=line), "requirements-gpu.txt": REQUIREMENTS}
    result = service(tmp_path, files)
    assert bool(of(result, "ENV019")) is missing


@pytest.mark.parametrize(
    ("first", "reported"),
    [("dpkg -i packages-microsoft-prod.deb && ", False), ("apt-get update && ", True)],
)
def test_a_package_that_brings_an_archive(first: str, reported: bool, tmp_path: Path) -> None:
    line = f"RUN {first}apt-get install -y powershell"
    text = dockerfile(line).replace("python:3.11-slim", "python:3.11-slim-bookworm")
    result = service(tmp_path, {"Dockerfile": text})
    assert bool(of(result, "IMG013")) is reported


@pytest.mark.parametrize(("name", "refused"), [("__APP__-web", False), ("My_Web", True)])
def test_a_name_that_a_generator_writes_in(name: str, refused: bool, tmp_path: Path) -> None:
    port = "spec:\n  ports: [{port: 80}]\n  selector: {app: web}\n"
    text = f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n{port}"
    found = [
        f for f in of(service(tmp_path, {"k8s/web.yaml": text}), "IMG030") if "name" in f.message
    ]
    assert bool(found) is refused


@pytest.mark.parametrize(
    ("program", "reported"),
    [('["llama-server", "--port", "8081"]', False), ("command", False), ('["nvidia-smi"]', True)],
)
def test_a_program_that_the_code_starts_may_serve(
    program: str, reported: bool, tmp_path: Path
) -> None:
    lines = "import os\nimport subprocess\n\nimport requests\n\ncommand = os.environ['COMMAND'].split()\n"
    asks = f"subprocess.Popen({program})\nrequests.get('http://localhost:8081/health')\n{APP}"
    files = {
        "app.py": lines + asks,
        "requirements.txt": f"{REQUIREMENTS}requests==2.32.3\n",
        "docker-compose.yml": compose(""),
    }
    assert bool(of(service(tmp_path, files), "NET009")) is reported


SYNCED = """\
FROM python:3.12-slim AS builder
ENV UV_PROJECT_ENVIRONMENT=/opt/venv
RUN pip install uv
WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY src ./src
RUN uv sync --frozen{option}
FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY --from=builder /opt/venv /opt/venv
CMD ["python", "-m", "engine.server"]
"""


@pytest.mark.parametrize(("option", "missing"), [(" --no-editable", False), ("", True)])
def test_a_project_that_is_synchronised_into_another_stage(
    option: str, missing: bool, tmp_path: Path
) -> None:
    build = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    files = {
        "Dockerfile": SYNCED.format(option=option),
        "pyproject.toml": f'[project]\nname = "engine"\nversion = "1"\n{build}',
        "uv.lock": "version = 1\n",
        "src/engine/__init__.py": "",
        "src/engine/server.py": "import time\n\ntime.sleep(10)\n",
        "docker-compose.yml": "services:\n  engine:\n    build: .\n",
    }
    assert bool(of(service(tmp_path, files), "IMG017")) is missing


@pytest.mark.parametrize(("python", "release"), [("3.9", "2.0.2"), ("3.12", "2.")])
def test_an_open_end_is_what_the_interpreter_takes(
    python: str, release: str, tmp_path: Path
) -> None:
    lines = (
        f"FROM python:{python}-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
    )
    files = {
        "Dockerfile": lines + 'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n',
        "app.py": f"import pandas\n{APP}",
        "requirements.txt": f"{REQUIREMENTS}pandas==2.1.1\n",
    }
    (found,) = of(service(tmp_path, files), "ENV020")
    assert f"numpy {release}" in found.message
