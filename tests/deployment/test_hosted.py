"""Platforms and units of systemd: what they run, where they send requests, and what follows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.config import Settings
from auditor.engine import audit
from auditor.parsers.platforms import PlatformApp, parse
from auditor.result import AuditResult
from auditor.source import SourceText

APP = """\
from flask import Flask

app = Flask(__name__)


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def predict():
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
SHELL = DOCKERFILE.replace(
    'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]',
    "CMD gunicorn -b 0.0.0.0:${PORT:-8000} app:app",
)
REQUIREMENTS = "flask==3.0.3\ngunicorn==22.0.0\n"


def run(tmp_path: Path, files: dict[str, str]) -> AuditResult:
    for name, text in {"app.py": APP, "requirements.txt": REQUIREMENTS, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return audit(tmp_path, Settings())


def answers(result: AuditResult) -> str:
    (service,) = result.services
    return "".join(answer[0] for _, answer in service.forecast.answers())


FLY = 'app = "scores"\n[http_service]\ninternal_port = {port}\n'
RENDER = """\
services:
  - type: web
    name: scores
    runtime: python
    buildCommand: pip install -r requirements.txt
    startCommand: {start}
"""


@pytest.mark.parametrize(
    ("files", "forecast"),
    [
        ({"fly.toml": FLY.format(port=8000), "Dockerfile": DOCKERFILE}, "yyyy"),
        ({"fly.toml": FLY.format(port=8080), "Dockerfile": DOCKERFILE}, "yynn"),
        # The default of `internal_port`.
        ({"fly.toml": 'app = "x"\n[http_service]\n', "Dockerfile": DOCKERFILE}, "yynn"),
        (
            {
                "fly.toml": FLY.format(port=9000) + '[env]\nPORT = "9000"\n',
                "Dockerfile": SHELL,
            },
            "yyyy",
        ),
        (
            {
                "fly.toml": FLY.format(port=8000)
                + '[processes]\napp = "gunicorn -b 127.0.0.1:8000 app:app"\n',
                "Dockerfile": DOCKERFILE,
            },
            "yynn",
        ),
        (
            {
                "fly.toml": 'app = "x"\n[[services]]\ninternal_port = 8000\nprocesses = ["web"]\n'
                '[processes]\nweb = "gunicorn -b 0.0.0.0:8000 app:app"\nworker = "python work.py"\n',
                "Dockerfile": DOCKERFILE,
            },
            "yyyy",
        ),
        ({"render.yaml": RENDER.format(start="gunicorn app:app")}, "yyyy"),
        ({"render.yaml": RENDER.format(start="gunicorn -b 0.0.0.0:$PORT app:app")}, "yyyy"),
        ({"render.yaml": RENDER.format(start="gunicorn -b 127.0.0.1:$PORT app:app")}, "yynn"),
        ({"render.yaml": RENDER.format(start="gunicorn server:app")}, "ynnn"),
        (
            {
                "render.yaml": "services:\n- {type: web, name: a, runtime: docker}\n",
                "Dockerfile": DOCKERFILE,
            },
            "yyyy",
        ),
        (
            {"app.yaml": "runtime: python311\nentrypoint: gunicorn -b :$PORT app:app\n"},
            "yyyy",
        ),
        ({"app.yaml": "runtime: python311\nentrypoint: gunicorn -b :5000 app:app\n"}, "yynn"),
        # Without an entry point it looks for main.py.
        ({"app.yaml": "runtime: python311\n", "requirements.txt": "flask==3.0.3\n"}, "ynnn"),
        (
            {
                "app.yaml": "runtime: python311\n",
                "main.py": APP,
                "requirements.txt": "flask==3.0.3\n",
            },
            "yyyy",
        ),
        ({"app.yaml": "runtime: custom\nenv: flex\n", "Dockerfile": DOCKERFILE}, "yynn"),
        ({"app.yaml": "runtime: custom\nenv: flex\n", "Dockerfile": SHELL}, "yyyy"),
        # No shell reads the command where a Dockerfile is built.
        (
            {
                "railway.toml": '[deploy]\nstartCommand = "gunicorn -b 0.0.0.0:$PORT app:app"\n',
                "Dockerfile": DOCKERFILE,
            },
            "ynnn",
        ),
        (
            {
                "railway.json": '{"build": {"builder": "DOCKERFILE"}, "deploy": {"startCommand": '
                '"sh -c \\"gunicorn -b 0.0.0.0:$PORT app:app\\""}}',
                "Dockerfile": DOCKERFILE,
            },
            "yyyy",
        ),
        (
            {
                "railway.json": '{"build": {"builder": "NIXPACKS"}, "deploy": {"startCommand": '
                '"gunicorn -b 0.0.0.0:$PORT app:app"}}'
            },
            "yyyy",
        ),
        (
            {"heroku.yml": "build:\n  docker:\n    web: Dockerfile\n", "Dockerfile": DOCKERFILE},
            "yynn",
        ),
        (
            {
                "heroku.yml": "build:\n  docker:\n    web: Dockerfile\n"
                "run:\n  web: gunicorn -b 0.0.0.0:$PORT app:app\n",
                "Dockerfile": DOCKERFILE,
            },
            "yyyy",
        ),
        (
            {
                "apprunner.yaml": "version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build:\n"
                "      - pip install -r requirements.txt\nrun:\n"
                "  command: gunicorn -b 0.0.0.0:8000 app:app\n  network:\n    port: 8080\n"
            },
            "yynn",
        ),
        (
            {
                "deploy/scores.service": "[Unit]\nDescription=scores\n\n[Service]\n"
                "WorkingDirectory=/srv/scores\nEnvironment=LOG=info\n"
                "ExecStart=/srv/scores/venv/bin/gunicorn -b 127.0.0.1:8000 app:app\n"
            },
            "yyyy",
        ),
        (
            {
                "scores.service": "[Service]\nWorkingDirectory=/srv/scores\n"
                "ExecStart=/srv/scores/venv/bin/gunicorn -b 127.0.0.1:8000 server:app\n"
            },
            "ynnn",
        ),
    ],
)
def test_forecasts(tmp_path: Path, files: dict[str, str], forecast: str) -> None:
    assert answers(run(tmp_path, files)) == forecast


def test_the_finding_stands_where_the_platform_says_it(tmp_path: Path) -> None:
    files = {"fly.toml": FLY.format(port=8080), "Dockerfile": DOCKERFILE}
    (found,) = (f for f in run(tmp_path, files).findings if f.rule == "NET003")
    assert (found.at.path, found.at.line) == ("fly.toml", 3)


def apps(name: str, text: str) -> tuple[PlatformApp, ...]:
    return parse(SourceText(name, text))


def test_files_of_others_are_left_alone() -> None:
    assert apps("app.yaml", "apiVersion: v1\nkind: Service\n") == ()
    assert apps("fly.toml", '[build]\nimage = "nginx"\n[http_service]\n') == ()
    assert apps("render.yaml", "services:\n- {type: worker, runtime: python}\n") == ()
    assert apps("railway.json", '{"name": "x"}') == ()
    assert apps("x.service", "[Service]\nExecStart=/usr/bin/env python x.py\n") == ()


_NAMES = ["fly.toml", "render.yaml", "app.yaml", "railway.json", "heroku.yml", "a.service"]


@given(st.sampled_from(_NAMES), st.text(max_size=200))
def test_any_text_is_read(name: str, text: str) -> None:
    apps(name, text)


_VALUE = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["services", "type", "env", "build", "deploy", "run", "docker", "web", "runtime",
             "network", "port", "startCommand", "envVars", "key", "value", "commands"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from(["render.yaml", "app.yaml", "railway.json", "heroku.yml"]), _VALUE)
def test_any_shape_is_read(name: str, value: object) -> None:
    import json

    apps(name, json.dumps(value))
