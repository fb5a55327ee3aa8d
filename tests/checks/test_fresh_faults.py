"""Mechanisms that fresh scenarios showed and that need no engine to be told apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from repo_kit import APP, dockerfile, service

from auditor.parsers.python.syntax import Written, need

POETRY = """\
[tool.poetry]
name = "scores"
version = "0.1.0"
description = ""
authors = []
package-mode = false

[tool.poetry.dependencies]
python = "^3.11"
flask = "3.0.3"
gunicorn = "22.0.0"

[tool.poetry.group.ml.dependencies]
numpy = "1.26.4"
"""


def rules(result: object, *names: str) -> list[str]:
    return [f.rule for f in result.findings if f.rule in names]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("with (a as b, c):\n    pass\n", (3, 9)),
        ("with (a as b):\n    pass\n", (3, 9)),
        ("with (\n    a,\n    b,\n):\n    pass\n", (3, 9)),
        ("with (a), (b):\n    pass\n", None),
        ("with (a) as b:\n    pass\n", None),
        ("with open(a) as b, open(c) as d:\n    pass\n", None),
        ("with a as (b, c):\n    pass\n", None),
        ("x[*a, 0]\n", (3, 11)),
        ("x[(*a, 0)]\n", None),
        ("@a[0]\ndef f():\n    pass\n", (3, 9)),
        ("@a.b(c)\nclass D:\n    pass\n", None),
        ("print(f'{a=}')\n", (3, 8)),
        ("print(f'{a == b}{c!r}')\n", None),
        ("def f():\n    return 1, *a\n", (3, 8)),
        ("def f():\n    return (1, *a)\n", None),
        ("for x in 1, *a:\n    pass\n", (3, 9)),
    ],
)
def test_grammar_that_only_the_text_shows(text: str, python: tuple[int, int] | None) -> None:
    found = [n for node in ast.walk(ast.parse(text)) if (n := need(node, Written(text)))]
    assert [n[0] for n in found] == ([python] if python else [])


def poetry(command: str, install: str) -> str:
    return f"""\
FROM python:3.11-slim AS build
ENV POETRY_VIRTUALENVS_IN_PROJECT=1
WORKDIR /build
RUN pip install poetry==1.8.5
COPY pyproject.toml ./
RUN poetry install {install} --no-root

FROM python:3.11-slim
WORKDIR /app
COPY --from=build /build/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH
COPY app.py .
EXPOSE 8000
CMD {command}
"""


FLASK = """\
import numpy
from flask import Flask

app = Flask(__name__)


@app.post("/predict")
def predict():
    return {"score": 1}
"""


def test_an_environment_that_poetry_makes_is_moved(tmp_path: Path) -> None:
    files = {"pyproject.toml": POETRY, "app.py": FLASK}
    direct = '["gunicorn", "-b", "0.0.0.0:8000", "app:app"]'
    files["Dockerfile"] = poetry(direct, "")
    assert rules(service(tmp_path / "a", files), "IMG018") == ["IMG018"]
    files["Dockerfile"] = poetry(direct.replace('"gunicorn"', '"python", "-m", "gunicorn"'), "")
    assert rules(service(tmp_path / "b", files), "IMG018") == []


def test_groups_of_a_project_without_a_lock(tmp_path: Path) -> None:
    files = {"pyproject.toml": POETRY, "app.py": FLASK}
    command = '["python", "-m", "gunicorn", "-b", "0.0.0.0:8000", "app:app"]'
    files["Dockerfile"] = poetry(command, "--with ml")
    assert rules(service(tmp_path / "a", files), "ENV007") == []
    files["Dockerfile"] = poetry(command, "--only main")
    assert rules(service(tmp_path / "b", files), "ENV007") == ["ENV007"]


def debian(packages: str, install: str, command: str) -> str:
    return f"""\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends {packages}
WORKDIR /app
COPY app.py ./
RUN {install}
EXPOSE 8000
CMD {command}
"""


def test_the_distribution_keeps_its_python(tmp_path: Path) -> None:
    run = '["python3", "app.py"]'
    install = "pip install flask==3.0.3"
    served = f"{APP}\n\nif __name__ == '__main__':\n    app.run(host='0.0.0.0', port=8000)\n"
    files = {"app.py": served}
    files["Dockerfile"] = debian("python3 python3-pip", install, run)
    assert rules(service(tmp_path / "a", files), "IMG022") == ["IMG022"]
    files["Dockerfile"] = debian("python3 python3-pip", f"{install} --break-system-packages", run)
    assert rules(service(tmp_path / "b", files), "IMG022", "IMG018") == []
    files["Dockerfile"] = debian(
        "python3 python3-venv",
        f"python3 -m venv /v && /v/bin/{install}",
        '["/v/bin/python", "app.py"]',
    )
    assert rules(service(tmp_path / "c", files), "IMG022", "IMG018") == []
    files["Dockerfile"] = debian("python3", install, run)
    assert rules(service(tmp_path / "d", files), "IMG022") == ["IMG022"]
    files["Dockerfile"] = debian(
        "python3 python3-pip", f"{install} --break-system-packages", '["python", "app.py"]'
    )
    assert rules(service(tmp_path / "e", files), "IMG018") == ["IMG018"]


def test_a_tool_that_is_asked_for_help_is_no_service(tmp_path: Path) -> None:
    lines = "COPY report.py ./\nEXPOSE 8000"
    files = {"report.py": "import json\n\nprint(json.dumps({}))\n"}
    files["Dockerfile"] = dockerfile(lines, '["python", "report.py"]')
    assert rules(service(tmp_path / "a", files), "IMG018") == ["IMG018"]
    files["Dockerfile"] = dockerfile(lines, '["python", "report.py", "--help"]')
    assert rules(service(tmp_path / "b", files), "IMG018") == []
