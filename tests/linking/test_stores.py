"""Databases that servers keep their records in, and the drivers that they ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit
from auditor.result import AuditResult

DOCKERFILE = 'FROM python:3.11-slim\nRUN pip install mlflow==2.9.2{database}{more}\nCMD ["mlflow", "server"{options}]\n'

PINNED = " sqlalchemy==2.0.36"


def compose(service: str) -> str:
    return f"services:\n  mlflow:\n{service}"


def audited(root: Path, **files: str) -> AuditResult:
    for name, text in files.items():
        (root / {"dockerfile": "Dockerfile", "compose": "compose.yaml"}[name]).write_text(text)
    return audit(root, Settings())


@pytest.mark.parametrize(
    ("more", "uri", "driver"),
    [
        ("", "postgresql://u:p@db/x", "psycopg2-binary"),
        ("", "postgresql+psycopg2://u:p@db/x", "psycopg2-binary"),
        ("", "mysql+pymysql://u:p@db/x", "pymysql"),
        (" psycopg2-binary==2.9.9", "postgresql://u:p@db/x", ""),
        (" pymysql==1.1.0", "postgresql://u:p@db/x", "psycopg2-binary"),
        ("", "sqlite:////data/mlflow.db", ""),
        ("", "/data/mlruns", ""),
    ],
)
def test_a_built_image(tmp_path: Path, more: str, uri: str, driver: str) -> None:
    options = f', "--host", "0.0.0.0", "--backend-store-uri", "{uri}"'
    result = audited(
        tmp_path, dockerfile=DOCKERFILE.format(database=PINNED, more=more, options=options)
    )
    found = [f for f in result.active if f.rule == "ENV021"]
    assert [dict(f.evidence)["distributions"] for f in found] == ([(driver,)] if driver else [])
    starts = {s.forecast.starts for s in result.services}
    assert ("no" in starts) is bool(driver)


OFFICIAL = "ghcr.io/mlflow/mlflow:v2.9.2"
SERVER = "mlflow server --host 0.0.0.0 --backend-store-uri postgresql://u:p@db/x"


@pytest.mark.parametrize(
    ("image", "command", "starts"),
    [
        (OFFICIAL, SERVER, "no"),
        (OFFICIAL, SERVER.replace("u:p", "${USER_OF_DB}:${PASSWORD}"), "no"),
        ("ghcr.io/mlflow/mlflow:v3.5.0-full", SERVER, "unknown"),
        ("ghcr.io/mlflow/mlflow:latest", SERVER, "unknown"),
        ("acme/mlflow:v2.9.2", SERVER, "unknown"),
        (OFFICIAL, f"bash -c 'pip install psycopg2-binary && {SERVER}'", "unknown"),
        (OFFICIAL, SERVER.replace("postgresql", "sqlite"), "unknown"),
    ],
)
def test_an_image_of_others(tmp_path: Path, image: str, command: str, starts: str) -> None:
    text = f'    image: {image}\n    command: "{command}"\n    ports: ["5000:5000"]\n'
    (tmp_path / "main.py").write_text("")
    result = audited(
        tmp_path, compose=compose(text), dockerfile='FROM python:3.11-slim\nCMD ["python", "-V"]\n'
    )
    [mlflow] = [s for s in result.services if s.name == "mlflow"]
    assert mlflow.forecast.starts == starts
    assert bool([f for f in result.active if f.rule == "ENV021"]) is (starts == "no")


def test_the_address_in_the_environment(tmp_path: Path) -> None:
    text = (
        f"    image: {OFFICIAL}\n    command: mlflow server --host 0.0.0.0\n"
        "    environment: {MLFLOW_BACKEND_STORE_URI: 'postgresql://u:p@db/x'}\n"
    )
    result = audited(
        tmp_path, compose=compose(text), dockerfile='FROM python:3.11-slim\nCMD ["python", "-V"]\n'
    )
    [found] = [f for f in result.active if f.rule == "ENV021"]
    assert (found.at.path, found.at.line) == ("compose.yaml", 5)
    assert "the image lacks it" in found.message


@pytest.mark.parametrize(
    ("release", "database", "uri", "fails"),
    [
        ("2.9.2", "", "sqlite:////data/mlflow.db", True),
        ("2.9.2", PINNED, "sqlite:////data/mlflow.db", False),
        ("2.9.2", " 'sqlalchemy<2.1'", "sqlite:////data/mlflow.db", False),
        ("2.9.2", "", "/data/mlruns", False),
        ("3.10.0", "", "sqlite:////data/mlflow.db", False),
    ],
)
def test_the_sqlalchemy_that_it_does_not_know(
    tmp_path: Path, release: str, database: str, uri: str, fails: bool
) -> None:
    text = DOCKERFILE.format(
        database=database, more="", options=f', "--host", "0.0.0.0", "--backend-store-uri", "{uri}"'
    )
    result = audited(tmp_path, dockerfile=text.replace("2.9.2", release))
    found = [f for f in result.active if f.rule == "ENV020" and "sqlalchemy" in f.message]
    assert [f.severity.label for f in found] == (["high"] if fails else [])
    [service] = result.services
    assert (service.forecast.starts == "no") is fails
