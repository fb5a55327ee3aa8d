"""Mechanisms that working deployments of strangers showed: each with its faulty twin."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import APP, REQUIREMENTS, dockerfile, service

from auditor.findings import Severity

METRICS = """\
from prometheus_client import start_http_server


def set_up(name):
    start_http_server(port=8010, addr="0.0.0.0")
    return name


meter = set_up("a")
"""


def rules(result: object, *names: str) -> list[str]:
    return [f.rule for f in result.findings if f.rule in names]  # type: ignore[attr-defined]


def test_a_metrics_listener_beside_the_server_is_served(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile("COPY metrics.py ./"),
        "metrics.py": METRICS,
        "app.py": f"import metrics\n{APP}",
        "requirements.txt": f"{REQUIREMENTS}prometheus_client==0.20.0\n",
        "compose.yaml": "services:\n  api:\n    build: .\n    ports: ['8000:8000', '8010:8010']\n",
    }
    assert rules(service(tmp_path / "a", files), "NET003") == []
    files["metrics.py"] = METRICS.replace('\n\nmeter = set_up("a")\n', "")
    assert rules(service(tmp_path / "b", files), "NET003") == ["NET003"]


def test_the_first_missing_part_of_a_module_is_named(tmp_path: Path) -> None:
    command = '["gunicorn", "-b", "0.0.0.0:8000", "api.wsgi:app"]'
    files = {"Dockerfile": dockerfile("COPY api ./api", command), "api/__init__.py": ""}
    (found,) = [f for f in service(tmp_path / "a", files).findings if f.rule == "IMG017"]
    assert "No module named 'api.wsgi'" in found.message
    files = {"Dockerfile": dockerfile("", command)}
    (found,) = [f for f in service(tmp_path / "b", files).findings if f.rule == "IMG017"]
    assert "No module named 'api'" in found.message


def test_a_directory_of_dockerfiles_is_not_its_own_context(tmp_path: Path) -> None:
    text = "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
    worker = f'{text}CMD ["python", "-m", "work.main"]\n'
    files = {"docker/worker.Dockerfile": worker, "work/__init__.py": "", "work/main.py": "x = 1\n"}
    assert rules(service(tmp_path / "a", files), "IMG017", "IMG018") == []
    files["work/main.py"], files["work/other.py"] = files.pop("work/main.py"), ""
    del files["work/main.py"]
    assert rules(service(tmp_path / "b", files), "IMG017", "IMG018") == ["IMG017"]


def test_a_file_that_says_it_is_laid_over_another(tmp_path: Path) -> None:
    over = "services:\n  api:\n    build: .\n    environment:\n      CPU: '1'\n"
    files = {
        "docker-compose.yml": "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n",
        "docker-compose.cpu.yml": f"# docker compose -f docker-compose.yml -f docker-compose.cpu.yml up\n{over}",
    }
    assert rules(service(tmp_path / "a", files), "NET005") == []
    files["docker-compose.cpu.yml"] = over
    assert rules(service(tmp_path / "b", files), "NET005") == ["NET005"]


TRITON = 'FROM nvcr.io/nvidia/tritonserver:24.08-py3\n{}CMD ["tritonserver", "--model-repository=/models"]\n'
CONFIG = 'name: "m"\nbackend: "onnxruntime"\nmax_batch_size: 8\n'


def test_models_of_an_image_that_nobody_is_seen_to_start(tmp_path: Path) -> None:
    files = {"Dockerfile": TRITON.format("")}
    assert rules(service(tmp_path / "a", files), "SRV007") == []
    files["compose.yaml"] = "services:\n  triton:\n    build: .\n    ports: ['8000:8000']\n"
    assert rules(service(tmp_path / "b", files), "SRV007") == ["SRV007"]


def test_a_version_that_git_ignores(tmp_path: Path) -> None:
    files = {
        "Dockerfile": TRITON.format("COPY models /models\n"),
        "models/m/config.pbtxt": CONFIG,
    }
    (found,) = [f for f in service(tmp_path / "a", files).findings if f.rule == "SRV007"]
    assert found.severity is Severity.HIGH
    files[".gitignore"] = "models/*/1/*.onnx\n"
    (found,) = [f for f in service(tmp_path / "b", files).findings if f.rule == "SRV007"]
    assert found.severity is Severity.MEDIUM


def test_a_dockerfile_among_documents_is_a_sample(tmp_path: Path) -> None:
    text = dockerfile("COPY missing/ ./missing/")
    found = service(tmp_path, {"docs/templates/Dockerfile": text, "Dockerfile": text}).findings
    told = {f.at.path: f.severity for f in found if f.rule == "IMG019" and "missing" in f.message}
    assert told == {"Dockerfile": Severity.HIGH, "docs/templates/Dockerfile": Severity.MEDIUM}


def test_a_name_that_the_module_binds_after_it_stopped(tmp_path: Path) -> None:
    stops = 'import os\n\nif not os.getenv("URL"):\n    raise RuntimeError("URL is not set")\n'
    files = {"app.py": f"{stops}{APP}", "Dockerfile": dockerfile('ENV URL=""')}
    assert rules(service(tmp_path / "a", files), "IMG017") == []
    files["app.py"] = f"{stops}{APP.replace('app', 'api')}"
    assert rules(service(tmp_path / "b", files), "IMG017") == ["IMG017"]


def test_bash_looks_for_its_script_on_the_path(tmp_path: Path) -> None:
    lines = "COPY run.sh /usr/local/bin/run.sh"
    files = {"run.sh": "#!/bin/bash\nexec gunicorn -b 0.0.0.0:8000 app:app\n"}
    files["Dockerfile"] = dockerfile(lines, '["/bin/bash", "run.sh"]')
    assert rules(service(tmp_path / "a", files), "IMG018") == []
    files["Dockerfile"] = dockerfile(lines, '["/bin/sh", "run.sh"]')
    assert rules(service(tmp_path / "b", files), "IMG018") == ["IMG018"]


def test_a_package_manager_that_is_asked_for_first(tmp_path: Path) -> None:
    asked = "RUN if command -v dnf; then dnf install -y wget; else apt-get install -y wget; fi"
    assert rules(service(tmp_path / "a", {"Dockerfile": dockerfile(asked)}), "IMG014") == []
    plain = {"Dockerfile": dockerfile("RUN dnf install -y wget")}
    assert rules(service(tmp_path / "b", plain), "IMG014") == ["IMG014"]


ARGUED = "import argparse\n\np = argparse.ArgumentParser()\np.add_argument('--port', required=True)\np.parse_args()\n"


def test_arguments_that_docker_run_gives(tmp_path: Path) -> None:
    text = (
        dockerfile()
        .replace("CMD", "ENTRYPOINT")
        .replace('["gunicorn", "-b", "0.0.0.0:8000", "app:app"]', '["python", "app.py"]')
    )
    files = {"Dockerfile": text, "app.py": ARGUED}
    assert rules(service(tmp_path / "a", files), "IMG018") == []
    files["compose.yaml"] = "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n"
    assert rules(service(tmp_path / "b", files), "IMG018") == ["IMG018"]


def test_an_install_before_pyproject_is_there(tmp_path: Path) -> None:
    project = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.12"\n'
    text = "FROM python:3.11-slim\nWORKDIR /app\nCOPY {} ./\nRUN pip install -e .\nCOPY . .\n"
    start = 'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
    setup = (
        "from setuptools import setup\nsetup(name='x', install_requires=['flask', 'gunicorn'])\n"
    )
    files = {"pyproject.toml": project, "setup.py": setup}
    files["Dockerfile"] = text.format("setup.py") + start
    severe = [f for f in service(tmp_path / "a", files).findings if f.severity is Severity.HIGH]
    assert "ENV006" not in [f.rule for f in severe]
    files["Dockerfile"] = text.format("setup.py pyproject.toml") + start
    severe = [f for f in service(tmp_path / "b", files).findings if f.severity is Severity.HIGH]
    assert "ENV006" in [f.rule for f in severe]


def test_paths_outside_of_a_bento_are_of_where_it_is_served(tmp_path: Path) -> None:
    code = (
        "import json\nimport bentoml\n\nwith open('{}') as f:\n    names = json.load(f)\n\n\n"
        "@bentoml.service\nclass S:\n    @bentoml.api\n    def predict(self, x: int) -> int:\n"
        "        return x\n"
    )
    files = {"bentofile.yaml": 'service: "service:S"\ninclude: ["*.py"]\n'}
    files["service.py"] = code.format("/opt/data/names.json")
    assert rules(service(tmp_path / "a", files), "PTH002") == []
    files["service.py"] = code.format("names.json")
    assert rules(service(tmp_path / "b", files), "PTH002") == ["PTH002"]


UV = """\
FROM python:3.10-slim
WORKDIR /app
RUN pip install uv
COPY pyproject.toml uv.lock ./
{}
COPY app.py ./
CMD ["/app/.venv/bin/gunicorn", "-b", "0.0.0.0:8000", "app:app"]
"""
UV_PROJECT = (
    '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.12"\n'
    'dependencies = ["flask", "gunicorn", "numpy"]\n'
)
UV_LOCK = (
    'version = 1\nrequires-python = ">=3.12"\n\n[[package]]\nname = "x"\nversion = "1"\n'
    'source = { virtual = "." }\ndependencies = [{ name = "numpy" }]\n\n'
    '[[package]]\nname = "numpy"\nversion = "2.4.2"\nsource = { registry = "https://index.example/simple" }\n'
)


@pytest.mark.parametrize(
    ("lines", "project", "reported"),
    [
        ("RUN uv sync --frozen", "", False),
        ("RUN uv add prometheus-client", "", False),
        ("ENV UV_PYTHON_DOWNLOADS=never\nRUN uv sync --frozen", "", True),
        ("RUN uv sync --frozen --no-python-downloads", "", True),
        ("ENV UV_PROJECT_ENVIRONMENT=/usr/local\nRUN uv sync --frozen", "", True),
        ("RUN uv sync --frozen", '[tool.uv]\npython-downloads = "never"\n', True),
        ("RUN pip install .", "", True),
    ],
)
def test_uv_fetches_the_interpreter_that_a_project_asks_for(
    lines: str, project: str, reported: bool, tmp_path: Path
) -> None:
    files = {"pyproject.toml": UV_PROJECT + project, "uv.lock": UV_LOCK}
    files["Dockerfile"] = UV.format(lines)
    severe = [f for f in service(tmp_path, files).findings if f.severity is Severity.HIGH]
    assert bool([f for f in severe if f.rule in ("ENV006", "ENV008")]) is reported


def test_an_interpreter_that_uv_fetched_stays_in_its_stage(tmp_path: Path) -> None:
    first, start = UV.format("{}RUN uv sync --frozen").split("COPY app.py")
    second = "FROM python:3.10-slim\nWORKDIR /app\nCOPY --from=b /app/.venv /app/.venv\nCOPY app.py"
    text = f"{first.replace('slim', 'slim AS b', 1)}{second}{start}"
    files = {"pyproject.toml": UV_PROJECT, "uv.lock": UV_LOCK, "Dockerfile": text.format("")}
    assert "ENV006" in rules(service(tmp_path / "a", files), "ENV006")
    files["Dockerfile"] = text.format("ENV UV_PYTHON_INSTALL_DIR=/python\n")
    assert rules(service(tmp_path / "b", files), "ENV006") == []


@pytest.mark.parametrize(
    ("before", "reported"),
    [
        ("curl -fsSL https://example.org/setup | bash -", False),
        ("curl -fsSL https://example.org/setup -o setup && bash setup", False),
        ("curl -fsSL https://example.org/setup -o setup", True),
    ],
)
def test_a_script_that_is_fetched_may_bring_the_lists(
    before: str, reported: bool, tmp_path: Path
) -> None:
    lines = (
        "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n"
        f"RUN {before} && apt-get install -y nodejs"
    )
    result = service(tmp_path, {"Dockerfile": dockerfile(lines)})
    found = [f for f in result.findings if "comes without lists" in f.message]
    assert bool(found) is reported


@pytest.mark.parametrize(
    ("line", "reported"), [("source $(pipenv --venv)/bin/activate\n", False), ("", True)]
)
def test_a_start_script_that_enters_the_environment(
    line: str, reported: bool, tmp_path: Path
) -> None:
    text = (
        "FROM python:3.9-slim\nWORKDIR /app\nRUN pip install pipenv\nCOPY Pipfile ./\n"
        "RUN pipenv install\nCOPY app.py run.sh ./\n"
        'ENTRYPOINT ["/app/run.sh"]\n'
    )
    files = {
        "Dockerfile": text,
        "Pipfile": '[packages]\nflask = "*"\n',
        "run.sh": f"#!/bin/bash\n{line}flask run -h 0.0.0.0\n",
    }
    found = service(tmp_path, files).findings
    assert any("environment of its own" in f.message for f in found) is reported


def test_paths_of_the_machine_that_froze_a_list_are_one_finding(tmp_path: Path) -> None:
    built = "file:///home/conda/feedstock_root/build_artifacts"
    lines = (
        f"six @ {built}/six_1/work\nflask==3.0.3\ncomm @ {built}/comm_2/work\ngunicorn==22.0.0\n"
    )
    (found,) = [
        f
        for f in service(tmp_path, {"requirements.txt": lines}).findings
        if f.rule == "ENV019" and f.severity is Severity.HIGH
    ]
    assert (found.at.line, [r.at.line for r in found.related]) == (1, [3])
    assert "1 more of this file" in found.message
