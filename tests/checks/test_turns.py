"""Deployments that fail the way their issue threads tell, and look-alikes that work."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import answers, dockerfile, of, service

USER = "USER scorer\n"


@pytest.mark.parametrize(
    ("steps", "closed"),
    [
        ("RUN useradd scorer && chmod -R o-rwx /app\n" + USER, True),
        ("RUN useradd scorer && chmod 600 app.py\n" + USER, True),
        ("RUN useradd scorer && chmod -R 644 /app\n" + USER, True),
        ("RUN useradd scorer && chmod -R 644 /app && chown -R scorer /app\n" + USER, True),
        ("COPY --chmod=600 app.py ./\nRUN useradd scorer\n" + USER, True),
        ("RUN chmod 640 app.py\nUSER 1000:1000\n", True),
        ("RUN chmod 700 app.py\nUSER 1000\n", True),
        # A number without an account has root's group.
        ("RUN chmod 640 app.py\nUSER 1000\n", False),
        ("RUN useradd scorer && chmod -R o-rwx /app\n", False),
        ("RUN useradd scorer && chmod -R u=rwX,go=rX /app\n" + USER, False),
        ("RUN useradd scorer && chgrp -R scorer /app && chmod -R 750 /app\n" + USER, False),
        ("RUN useradd scorer && chmod 700 app.py && chown scorer app.py\n" + USER, False),
        ("COPY --chmod=644 app.py ./\nRUN useradd scorer\n" + USER, False),
        (
            "RUN useradd scorer && chmod -R 644 /app && find /app -type d -exec chmod 755 {} +\n"
            + USER,
            False,
        ),
        ("RUN useradd scorer && chmod 600 app.py\nCOPY app.py ./\n" + USER, False),
    ],
)
def test_modules_that_another_user_may_not_read(steps: str, closed: bool, tmp_path: Path) -> None:
    result = service(tmp_path, {"Dockerfile": dockerfile(steps)})
    assert bool(of(result, "IMG026")) is closed
    assert answers(result)[1] == ("no" if closed else "yes")


COMPOSE = "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n"


@pytest.mark.parametrize(
    ("lines", "command", "stage"),
    [
        ("    read_only: true\n", "gunicorn -b 0.0.0.0:8000 app:app", 1),
        ("    read_only: true\n    tmpfs: [/tmp]\n", "gunicorn -b 0.0.0.0:8000 app:app", None),
        (
            "    read_only: true\n",
            "gunicorn -b 0.0.0.0:8000 --worker-tmp-dir /dev/shm app:app",
            None,
        ),
        (
            "    read_only: true\n",
            "gunicorn -b 0.0.0.0:8000 --worker-tmp-dir /srv/tmp app:app",
            1,
        ),
        ("    mem_limit: 512\n", "gunicorn -b 0.0.0.0:8000 app:app", 1),
        ("    mem_limit: 512m\n", "gunicorn -b 0.0.0.0:8000 app:app", None),
        ("    mem_limit: 0\n", "gunicorn -b 0.0.0.0:8000 app:app", None),
        ("    links: [redis]\n", "gunicorn -b 0.0.0.0:8000 app:app", 0),
        (
            "    links: ['api2:other']\n  api2: {build: .}\n",
            "gunicorn -b 0.0.0.0:8000 app:app",
            None,
        ),
        ("", "runuser -u scorer -- gunicorn -b 0.0.0.0:8000 app:app", 1),
        ("", "runuser -u www-data -- gunicorn -b 0.0.0.0:8000 app:app", None),
        ("", "setpriv --reuid=1000 --clear-groups gunicorn -b 0.0.0.0:8000 app:app", None),
    ],
)
def test_what_compose_gives_the_container(
    lines: str, command: str, stage: int | None, tmp_path: Path
) -> None:
    words = ", ".join(f'"{word}"' for word in command.split())
    files = {
        "Dockerfile": dockerfile("", f"[{words}]"),
        "docker-compose.yml": COMPOSE + lines,
    }
    result = service(tmp_path, files)
    api = next(one for one in result.services if one.name == "api")
    found = [answer for _, answer in api.forecast.answers()]
    assert (found.index("no") if "no" in found else None) == stage


@pytest.mark.parametrize(("value", "starts"), [("8000", "no"), ("*:8000", "yes")])
def test_waitress_listens_at_a_host_and_port(value: str, starts: str, tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3.0.3\nwaitress==3.0.0\n",
        "Dockerfile": dockerfile("", f'["waitress-serve", "--listen", "{value}", "app:app"]'),
    }
    assert answers(service(tmp_path, files))[1] == starts


UV = """\
FROM python:3.11-slim
RUN pip install uv==0.5.11
WORKDIR /app
COPY . .
RUN uv sync
{extra}
CMD ["uv", "run", "gunicorn", "-b", "0.0.0.0:8000", "app:app"]
"""
PROJECT = """\
[project]
name = "scorer"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["flask==3.0.3", "gunicorn==22.0.0"]
"""


@pytest.mark.parametrize(
    ("extra", "stops"),
    [
        ("USER nobody", True),
        ("RUN useradd scorer\nUSER scorer", True),
        ("RUN useradd -m scorer\nUSER scorer", False),
        ("ENV UV_CACHE_DIR=/tmp/uv\nUSER nobody", False),
        ("ENV HOME=/tmp\nUSER nobody", False),
        ("", False),
    ],
)
def test_uv_run_of_a_user_without_a_home(extra: str, stops: bool, tmp_path: Path) -> None:
    files = {"Dockerfile": UV.format(extra=extra), "pyproject.toml": PROJECT}
    messages = [f.message for f in of(service(tmp_path, files), "IMG018")]
    assert any("uv run" in message for message in messages) is stops


def test_what_a_recorded_release_required(tmp_path: Path) -> None:
    """fastapi 0.111 brings uvicorn[standard], and so the reader of YAML; 0.110 does not."""
    for number, release in enumerate(("0.111.1", "0.110.0")):
        files = {
            "requirements.txt": f"fastapi=={release}\nuvicorn==0.30.1\n",
            "app.py": "from fastapi import FastAPI\n\napp = FastAPI()\n",
            "logging.yaml": "version: 1\n",
            "Dockerfile": dockerfile(
                "COPY logging.yaml ./",
                '["uvicorn", "app:app", "--host", "0.0.0.0", "--log-config", "logging.yaml"]',
            ),
        }
        found = of(service(tmp_path / str(number), files), "IMG018")
        assert any("yaml" in f.message for f in found) is bool(number)


POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: api}}
spec:
  selector: {{matchLabels: {{app: api}}}}
  template:
    metadata: {{labels: {{app: api}}}}
    spec:
      containers:
        - name: api
          image: example.com/api:1
          resources: {{limits: {{memory: {limit}}}}}
"""


@pytest.mark.parametrize(
    ("limit", "stops"), [("128m", True), ("512", True), ("128Mi", False), ("'0'", False)]
)
def test_memory_of_a_pod(limit: str, stops: bool, tmp_path: Path) -> None:
    result = service(tmp_path, {"k8s/api.yaml": POD.format(limit=limit)})
    found = [f for f in of(result, "IMG018") if "memory limit" in f.message]
    assert bool(found) is stops
