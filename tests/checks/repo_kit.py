"""Tiny repositories for the tests of checks: files in, findings out."""

from __future__ import annotations

from pathlib import Path

from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Finding
from auditor.result import AuditResult

APP = """\
from flask import Flask

app = Flask(__name__)


@app.get("/health")
def health():
    return {}


@app.post("/predict")
def predict():
    return {}
"""
REQUIREMENTS = "flask==3.0.3\ngunicorn==22.0.0\n"
DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY app.py ./
{extra}
CMD {command}
"""
GUNICORN = '["gunicorn", "-b", "0.0.0.0:8000", "app:app"]'


def dockerfile(extra: str = "", command: str = GUNICORN) -> str:
    """A healthy Dockerfile with lines before CMD, and another command."""
    return DOCKERFILE.format(extra=extra, command=command)


def service(
    root: Path, files: dict[str, str] | None = None, *, strict: bool = False
) -> AuditResult:
    """The audit of a healthy Flask service with some files laid over it."""
    everything = {
        "Dockerfile": dockerfile(),
        "app.py": APP,
        "requirements.txt": REQUIREMENTS,
        **(files or {}),
    }
    for name, text in everything.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return audit(root, Settings(profile="strict" if strict else "default"))


def of(result: AuditResult, rule: str) -> list[Finding]:
    """The findings of one rule."""
    return [f for f in result.findings if f.rule == rule]


def places(result: AuditResult, rule: str) -> list[tuple[str, int]]:
    """Where one rule reports."""
    return [(f.at.path, f.at.line) for f in of(result, rule)]


def answers(result: AuditResult) -> tuple[str, ...]:
    """builds, starts, reachable, predicts of the only service."""
    (only,) = result.services
    return tuple(answer for _, answer in only.forecast.answers())


def compose(body: str, port: str = "8000:8000") -> str:
    """A Compose file with one service; ``body`` is indented below it."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    ports = f'    ports: ["{port}"]\n' if port else ""
    return f"services:\n  api:\n    build: .\n{ports}{lines}"
