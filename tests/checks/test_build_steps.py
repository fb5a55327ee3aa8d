"""Steps of a build, frameworks and settings: each fault, and what looks like it and works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from repo_kit import APP, GUNICORN, dockerfile, service

from auditor.findings import Severity

APT = "RUN {} apt-get install -y --no-install-recommends {}"
CACHE = "--mount=type=cache,target=/var/lib/apt/lists"


def _rules(root: Path, files: dict[str, str]) -> set[str]:
    return {f.rule for f in service(root, files).findings if f.breaks}


@pytest.mark.parametrize(
    ("extra", "stops"),
    [
        (APT.format("", "git"), True),
        (APT.format("", "ca-certificates"), False),
        (APT.format(CACHE, "git"), False),
        (APT.format("apt-get update &&", "git"), False),
        ("RUN apt-get update\n" + APT.format("", "git"), False),
        ("RUN apt-get update && rm -rf /var/lib/apt/lists/*\n" + APT.format("", "git"), True),
        ("RUN ./setup.sh\n" + APT.format("", "git"), False),
        ("COPY --chown=svc app.py /srv/\nRUN useradd svc", True),
        ("RUN useradd svc\nCOPY --chown=svc app.py /srv/", False),
        ("COPY --chown=1000:1000 app.py /srv/", False),
        ("COPY --chown=www-data app.py /srv/", False),
        ("ENV PATH=/opt/bin\nRUN mkdir /data", True),
        ("ENV PATH=/opt/bin:$PATH\nRUN mkdir /data", False),
        ("ENV PATH=/opt/bin\nRUN pip --version", False),
        ("WORKDIR $NOWHERE", True),
        ("ARG NOWHERE=/app\nWORKDIR $NOWHERE", False),
        ("ARG NOWHERE\nWORKDIR $NOWHERE", False),
    ],
)
def test_instructions_that_stop_the_build(tmp_path: Path, extra: str, stops: bool) -> None:
    found = _rules(tmp_path, {"Dockerfile": dockerfile(extra)})
    assert ("IMG022" in found) is stops


@pytest.mark.parametrize(
    ("base", "shell", "stops"),
    [
        ("python:3.11-slim-bookworm", "", True),
        ("python:3.11-slim-bullseye", "", True),
        ("python:3.11-slim-trixie", "", False),
        ("python:3.11-slim-bookworm", 'SHELL ["/bin/bash", "-c"]', False),
    ],
)
def test_pipefail_of_run(tmp_path: Path, base: str, shell: str, stops: bool) -> None:
    text = dockerfile(f"{shell}\nRUN set -o pipefail && cat app.py | tail -1")
    found = _rules(tmp_path, {"Dockerfile": text.replace("python:3.11-slim", base)})
    assert ("IMG022" in found) is stops


PROJECT = """\
[build-system]
requires = ["{backend}"]
build-backend = "{module}"

[project]
name = "scorer"
version = "1"
{more}
"""


@pytest.mark.parametrize(
    ("backend", "module", "more", "extra", "stops"),
    [
        ("setuptools", "setuptools.build_meta", "", "COPY . .\nRUN pip install .", True),
        (
            "setuptools",
            "setuptools.build_meta",
            '[tool.setuptools]\npy-modules = ["app"]',
            "COPY . .\nRUN pip install .",
            False,
        ),
        # Only the module is there when pip runs.
        (
            "setuptools",
            "setuptools.build_meta",
            "",
            "COPY pyproject.toml .\nRUN pip install .\nCOPY . .",
            False,
        ),
        (
            "hatchling",
            "hatchling.build",
            'readme = "README.md"',
            "COPY . .\nRUN pip install .",
            False,
        ),
        (
            "hatchling",
            "hatchling.build",
            'readme = "README.md"',
            "COPY pyproject.toml .\nRUN pip install .\nCOPY README.md .",
            True,
        ),
        # setuptools only warns of it.
        (
            "setuptools",
            "setuptools.build_meta",
            'readme = "README.md"',
            "COPY pyproject.toml .\nRUN pip install .",
            False,
        ),
    ],
)
def test_projects_that_are_installed(
    tmp_path: Path, backend: str, module: str, more: str, extra: str, stops: bool
) -> None:
    files = {
        "Dockerfile": dockerfile(extra),
        "pyproject.toml": PROJECT.format(backend=backend, module=module, more=more),
        "README.md": "# scorer\n",
        "core/__init__.py": "",
        "notebooks/a.py": "",
        "tests/test_a.py": "",
    }
    assert ("IMG022" in _rules(tmp_path, files)) is stops


READS = 'print(open("data/rows.csv").read())\n'


@pytest.mark.parametrize(
    ("ignored", "run", "stops"),
    [
        ("data\n", "RUN python prepare.py", True),
        ("", "RUN python prepare.py", False),
        ("data\n", "RUN python prepare.py || true", False),
        ("data\n", "RUN mkdir -p data && echo 1 > data/rows.csv && python prepare.py", False),
    ],
)
def test_scripts_that_a_run_executes(tmp_path: Path, ignored: str, run: str, stops: bool) -> None:
    files = {
        "Dockerfile": dockerfile(f"COPY . .\n{run}"),
        ".dockerignore": ignored,
        "prepare.py": READS,
        "data/rows.csv": "1\n",
    }
    assert ("IMG022" in _rules(tmp_path, files)) is stops


def test_hashes_for_some_requirements_only(tmp_path: Path) -> None:
    hashed = f"itsdangerous==2.2.0 --hash=sha256:{'a' * 64}\n"
    assert "ENV019" in _rules(tmp_path, {"requirements.txt": hashed + "flask==3.0.3\n"})
    every = hashed + f"gunicorn==22.0.0 --hash=sha256:{'b' * 64}\n"
    assert "ENV019" not in _rules(tmp_path, {"requirements.txt": every})


COMPOSE = "services:\n  app:\n    build: .\n    ports: ['8000:8000']\n    command: {}\n"


@pytest.mark.parametrize(
    ("command", "stops"),
    [
        ("gunicorn app:app -b 0.0.0.0:8000 -w ${WORKERS}", True),
        ("gunicorn app:app -b 0.0.0.0:8000 -w=$WORKERS", True),
        ("gunicorn app:app -b 0.0.0.0:8000 -w ${WORKERS:-2}", False),
        ("gunicorn app:app -b 0.0.0.0:8000 -w $$WORKERS", False),
        ("gunicorn app:app -b 0.0.0.0:8000 --chdir ${PWD}", False),
    ],
)
def test_options_that_lose_their_value(tmp_path: Path, command: str, stops: bool) -> None:
    found = service(tmp_path, {"docker-compose.yml": COMPOSE.format(command)}).findings
    assert any("has no value" in f.message for f in found) is stops


def test_what_an_ignored_env_file_may_give_is_no_alarm(tmp_path: Path) -> None:
    compose = COMPOSE.format("gunicorn app:app -b 0.0.0.0:8000 -w ${WORKERS}")
    files = {"docker-compose.yml": compose, ".gitignore": ".env\n", ".env.example": "WORKERS=2\n"}
    found = [f for f in service(tmp_path, files).findings if "has no value" in f.message]
    assert [f.severity for f in found] == [Severity.LOW]


@pytest.mark.parametrize(
    ("override", "applied"),
    [
        ("services:\n  app:\n    ports: ['8000:8000']\n", True),
        ("services:\n  app:\n    ports: ['8000:8000']\n    volumes:\n      - ./:/app\n", False),
        ("services:\n  app:\n    ports: ['8000:8000']\n    command: uvicorn --reload a:b\n", False),
    ],
)
def test_an_override_that_is_not_for_development(
    tmp_path: Path, override: str, applied: bool
) -> None:
    files = {
        "docker-compose.yml": "services:\n  app:\n    build: .\n",
        "docker-compose.override.yml": override,
    }
    assert ("NET005" not in _rules(tmp_path, files)) is applied


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ('@app.get("/again")', "def health():\n    return {}", True),
        ('@app.get("/again", endpoint="again")', "def health():\n    return {}", False),
        ('@app.get("/again")', "def other():\n    return {}", False),
    ],
)
def test_two_views_of_one_name(tmp_path: Path, before: str, after: str, refused: bool) -> None:
    found = _rules(tmp_path, {"app.py": f"{APP}\n\n{before}\n{after}\n"})
    assert ("IMG025" in found) is refused


@pytest.mark.parametrize(
    ("python", "line", "fails"),
    [
        ("3.8", 'x = "a:b".removeprefix("a:")', True),
        ("3.9", 'x = "a:b".removeprefix("a:")', False),
        ("3.11", "import inspect\nx = inspect.getargspec(len)", True),
        ("3.10", "import inspect\nx = inspect.getargspec", False),
        ("3.11", "import inspect\nx = getattr(inspect, 'getargspec', None)", False),
        ("3.11", "import json\nx = json.load(open('broken.json'))", True),
        ("3.11", "import json\nx = json.load(open('whole.json'))", False),
        ("3.11", "import tomllib\nx = tomllib.load(open('a.toml'))", True),
        ("3.11", "import tomllib\nx = tomllib.load(open('a.toml', 'rb'))", False),
    ],
)
def test_statements_of_the_start(tmp_path: Path, python: str, line: str, fails: bool) -> None:
    files = {
        "Dockerfile": dockerfile("COPY . .").replace("3.11", python),
        "requirements.txt": "flask==2.2.5\nwerkzeug==2.2.3\ngunicorn==22.0.0\n",
        "app.py": f"{line}\n{APP}",
        "broken.json": '{"a": 1,}',
        "whole.json": '{"a": 1}',
        "a.toml": "a = 1\n",
    }
    assert bool(_rules(tmp_path, files) & {"IMG023", "IMG025"}) is fails


@pytest.mark.parametrize(
    ("command", "folder", "stops"),
    [
        ("--access-logfile=/var/log/svc/a.log", "", True),
        ("--access-logfile=/var/log/svc/a.log", "RUN mkdir -p /var/log/svc", False),
        ("--access-logfile=-", "", False),
        ("--pid=/var/run/g.pid", "", False),
        ("--pid=/var/run/g.pid", "RUN useradd svc\nUSER svc", True),
        ("--pid=/var/run/g.pid", "RUN useradd svc && chmod 777 /var/run\nUSER svc", False),
    ],
)
def test_files_that_gunicorn_makes(tmp_path: Path, command: str, folder: str, stops: bool) -> None:
    words = GUNICORN.replace('"app:app"', f'"{command}", "app:app"')
    found = service(tmp_path, {"Dockerfile": dockerfile(folder, words)}).findings
    assert any("cannot write" in f.message for f in found) is stops
