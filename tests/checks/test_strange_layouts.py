"""Layouts of working deployments that were once taken for faults, each with its faulty twin."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import APP, GUNICORN, REQUIREMENTS, dockerfile, service

from auditor.findings import Severity
from auditor.result import AuditResult

SUPERVISED = """\
[supervisord]
nodaemon=true

[program:nginx]
command=/usr/sbin/nginx -g "daemon off;"

[program:api]
command=gunicorn -b {host}:8000 app:app
directory=/app
"""
PROXY = (
    "events {}\nhttp { server { listen 80; location / { proxy_pass http://127.0.0.1:8000; } } }\n"
)


def rules(result: AuditResult, *names: str) -> list[str]:
    return [f.rule for f in result.findings if f.rule in names]


@pytest.mark.parametrize(("host", "found"), [("0.0.0.0", []), ("127.0.0.1", ["NET003"])])
def test_a_server_beside_nginx(host: str, found: list[str], tmp_path: Path) -> None:
    extra = (
        "RUN apt-get update && apt-get install -y nginx supervisor\n"
        "COPY nginx.conf /etc/nginx/nginx.conf\nCOPY supervisord.conf /etc/supervisord.conf"
    )
    files = {
        "Dockerfile": dockerfile(extra, '["supervisord", "-c", "/etc/supervisord.conf"]'),
        "nginx.conf": PROXY,
        "supervisord.conf": SUPERVISED.format(host=host),
        "compose.yaml": "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n",
    }
    assert rules(service(tmp_path, files), "NET003") == found


@pytest.mark.parametrize(
    ("root", "found"),
    [
        ("include:\n  - cache/compose.yaml\n  - api/compose.yaml\n", []),
        ("include:\n  - cache/compose.yaml\n", ["IMG024"]),
    ],
)
def test_an_included_compose_file_is_no_project(
    root: str, found: list[str], tmp_path: Path
) -> None:
    files = {
        "compose.yaml": root,
        "cache/compose.yaml": "services:\n  cache:\n    image: redis:7.2\n",
        "api/compose.yaml": (
            "services:\n  api:\n    build: ..\n    ports: ['8000:8000']\n    depends_on: [cache]\n"
        ),
    }
    result = service(tmp_path, files)
    assert rules(result, "IMG024") == found
    assert [s.name for s in result.services if "api" in s.name] == ["api"]


def test_compose_files_that_include_each_other_are_still_seen(tmp_path: Path) -> None:
    files = {
        "a/compose.yaml": "include: [../b/compose.yaml]\nservices:\n  one:\n    image: redis:7.2\n",
        "b/compose.yaml": "include: [../a/compose.yaml]\nservices:\n  two:\n    image: redis:7.2\n",
    }
    assert {"one", "two"} <= {s.name for s in service(tmp_path, files).services}


MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: price
spec:
  selector: {matchLabels: {app: price}}
  template:
    metadata: {labels: {app: price}}
    spec:
      containers:
        - name: price
          image: price-api:1
          args: ["-b", "0.0.0.0:8000", "app:app"]
"""


@pytest.mark.parametrize(("more", "found"), [("", []), ("    ports: ['8000:8000']\n", ["NET001"])])
def test_a_compose_file_that_only_builds(more: str, found: list[str], tmp_path: Path) -> None:
    text = dockerfile().replace(f"CMD {GUNICORN}", 'ENTRYPOINT ["gunicorn"]\nCMD ["app:app"]')
    files = {
        "Dockerfile": text,
        "compose.yaml": f"services:\n  api:\n    build: .\n    image: price-api:1\n{more}",
        "k8s/price.yaml": MANIFEST,
    }
    result = service(tmp_path, files)
    assert rules(result, "NET001") == found
    assert len(result.services) == 1 + len(found)


SETTINGS = """\
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env.dev")
    token: str


settings = Settings()
"""


@pytest.mark.parametrize(
    ("example", "severity"), [(".env.example", Severity.MEDIUM), ("notes.md", Severity.HIGH)]
)
def test_settings_that_are_copied_from_an_example(
    example: str, severity: Severity, tmp_path: Path
) -> None:
    files = {
        "Dockerfile": dockerfile("COPY . ./"),
        "app.py": SETTINGS + APP,
        "requirements.txt": f"{REQUIREMENTS}pydantic-settings==2.4.0\n",
        "compose.yaml": "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n",
        example: "TOKEN=x\n",
    }
    result = service(tmp_path, files)
    (found,) = [f for f in result.findings if f.rule == "IMG012"]
    assert found.severity is severity
    # As the repository stands, it does not start.
    assert result.services[0].forecast.starts == "no"
    ignored = service(tmp_path, {**files, ".gitignore": ".env.dev\n"})
    assert "IMG012" not in [f.rule for f in ignored.findings]


@pytest.mark.parametrize(
    ("example", "sure"), [("config.example.yaml", False), ("other.yaml", True)]
)
def test_a_file_that_is_copied_from_an_example(example: str, sure: bool, tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile("COPY . ./"),
        "app.py": f'open("config.yaml")\n{APP}',
        example: "a: 1\n",
    }
    result = service(tmp_path, files)
    (found,) = [f for f in result.findings if f.rule == "PTH002"]
    assert (found.severity is Severity.HIGH) is sure
    assert result.services[0].forecast.starts == "no"


OVERLAY = """\
# Usage: docker compose -f compose.server.yml -f {name} up -d
services:
  metrics:
    image: prom/prometheus:v2.53.0
    depends_on: [api]
"""


@pytest.mark.parametrize("place", ["file", "readme", "nowhere"])
def test_a_compose_file_that_is_given_after_another(place: str, tmp_path: Path) -> None:
    text = OVERLAY.format(name="compose.metrics.yml")
    own = text if place == "file" else text.partition("\n")[2]
    readme = "docker compose -f deploy/compose.server.yml \\\n  -f deploy/compose.metrics.yml up\n"
    files = {
        "deploy/compose.server.yml": "services:\n  api:\n    build: ..\n    ports: ['8000:8000']\n",
        "deploy/compose.metrics.yml": own,
        "README.md": readme if place == "readme" else "",
    }
    assert rules(service(tmp_path, files), "IMG024") == (["IMG024"] if place == "nowhere" else [])


@pytest.mark.parametrize(("source", "found"), [("/out/", []), ("/gone/", ["IMG019"])])
def test_a_directory_that_an_unknown_program_makes(
    source: str, found: list[str], tmp_path: Path
) -> None:
    text = (
        "FROM golang:1.22 AS tool\nWORKDIR /src\nCOPY app.py ./\n"
        "RUN CGO_ENABLED=0 go build -o /out/tool .\n"
        + dockerfile(f"COPY --from=tool {source} /opt/")
    )
    assert rules(service(tmp_path, {"Dockerfile": text}), "IMG019") == found


def test_what_follows_from_a_copy_that_finds_nothing(tmp_path: Path) -> None:
    text = "FROM python:3.11-slim AS first\nWORKDIR /app\nCOPY gone ./gone\n" + dockerfile(
        "COPY --from=first /app/gone ./gone"
    )
    assert rules(service(tmp_path, {"Dockerfile": text}), "IMG019") == ["IMG019"]


def test_the_builder_stops_at_the_first_mistake(tmp_path: Path) -> None:
    text = dockerfile("HEALTHCHECK CMD python - <<'PY'\nimport sys\nsys.exit(0)\nPY")
    (found,) = [f for f in service(tmp_path, {"Dockerfile": text}).findings if f.rule == "IMG022"]
    assert "unknown instruction: import" in found.message


TEMPLATES = """\
from fastapi import FastAPI
from fastapi.templating import Jinja2Templates

templates = Jinja2Templates(directory="templates")
app = FastAPI()


@app.get("/")
def root():
    return {}
"""


def test_templates_are_opened_when_a_page_is_asked_for(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile("", '["uvicorn", "app:app", "--host", "0.0.0.0"]'),
        "app.py": TEMPLATES,
        "requirements.txt": "fastapi==0.115.0\nuvicorn==0.30.6\njinja2==3.1.4\n",
    }
    result = service(tmp_path, files)
    (found,) = [f for f in result.findings if f.rule == "PTH002"]
    assert found.severity is Severity.MEDIUM
    assert "TemplateNotFound" in found.message
    assert not found.breaks


@pytest.mark.parametrize(("body", "found"), [("    env_file: .env\n", []), ("", ["NET003"])])
def test_a_port_that_a_file_made_by_hand_may_set(
    body: str, found: list[str], tmp_path: Path
) -> None:
    files = {
        "Dockerfile": dockerfile("COPY gunicorn.conf.py ./", '["gunicorn", "app:app"]'),
        "gunicorn.conf.py": 'import os\nbind = "0.0.0.0:" + os.getenv("API_PORT", "80")\n',
        "compose.yaml": f"services:\n  api:\n    build: .\n    ports: ['8000:8000']\n{body}",
        ".gitignore": ".env\n",
    }
    assert rules(service(tmp_path, files), "NET003") == found


@pytest.mark.parametrize(
    ("image", "severity"),
    [("ghcr.io/acme/price:1", Severity.LOW), ("price:1", Severity.HIGH)],
)
def test_an_image_that_is_pulled_before_it_is_built(
    image: str, severity: Severity, tmp_path: Path
) -> None:
    body = f"    image: {image}\n    build: ./gone\n"
    files = {"compose.yaml": f"services:\n  api:\n{body}", "Dockerfile": dockerfile()}
    (found,) = [f for f in service(tmp_path, files).findings if f.rule == "IMG022"]
    assert found.severity is severity


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/bin/sh\nset -e\ncp deploy/Dockerfile /tmp/build/Dockerfile\n", True),
        ("#!/bin/sh\nset -e\nrsync -a deploy/ /tmp/build/\n", True),
        ("#!/bin/sh\nset -e\ncp other/file /tmp/build/\ncat deploy/Dockerfile\n", False),
    ],
    ids=["file", "directory", "another"],
)
def test_a_dockerfile_that_is_copied_to_where_it_is_built(
    tmp_path: Path, script: str, said: bool
) -> None:
    result = service(
        tmp_path,
        {
            "deploy/Dockerfile": "FROM python:3.11-slim\nCOPY settings.ini /app/\nCMD python -V\n",
            "deploy/build.sh": script,
            "compose.yaml": "services: {api: {build: ./deploy}}\n",
        },
    )
    [finding] = [f for f in result.findings if "settings.ini" in f.message]
    assert ("copies it to where it is built" in finding.message) is said
