"""The project's own tool in a build: what it needs there, and what its second major line dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import APP, service

HATCH = """\
[project]
name = "price-api"
version = "0.1.0"
readme = "README.md"
dependencies = ["flask==3.0.3", "gunicorn==22.0.0"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
POETRY = """\
[tool.poetry]
name = "price-api"
version = "0.1.0"
description = ""
authors = []
readme = "README.md"

[tool.poetry.dependencies]
python = "^3.11"
flask = "3.0.3"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""
FLAT = POETRY.replace('readme = "README.md"\n', "")


def _stops(root: Path, steps: str, project: str, python: str = "3.11") -> list[str]:
    text = (
        f"FROM python:{python}-slim\nWORKDIR /app\nRUN pip install uv==0.5.11\n{steps}\n"
        'CMD ["python", "app.py"]\n'
    )
    files = {
        "Dockerfile": text,
        "pyproject.toml": project,
        "README.md": "Prices.\n",
        "price_api/__init__.py": "",
        "app.py": APP,
    }
    return [f.message for f in service(root, files).findings if f.rule == "IMG022"]


FIRST = "COPY pyproject.toml ./\n"
READY = "COPY README.md ./\nCOPY price_api ./price_api\n"


@pytest.mark.parametrize(
    ("steps", "project", "word"),
    [
        (f"{FIRST}RUN uv sync", HATCH, "README.md"),
        (f"{FIRST}COPY README.md ./\nRUN uv sync", HATCH, "`price_api`"),
        (f"{FIRST}{READY}RUN uv sync", HATCH, ""),
        (f"{FIRST}RUN uv sync --no-install-project\nCOPY . .\nRUN uv sync", HATCH, ""),
        ("RUN --mount=type=bind,target=/app uv sync", HATCH, ""),
        (f"{FIRST}RUN --mount=type=cache,target=/c uv sync", HATCH, "README.md"),
        (f"{FIRST}RUN uv sync", HATCH.partition("[build-system]")[0], ""),
        (f"{FIRST}RUN uv sync", HATCH + "[tool.uv]\npackage = false\n", ""),
        (f"{FIRST}RUN uv sync || true", HATCH, ""),
        (f"{FIRST}RUN pip install poetry && poetry install", POETRY, "README.md"),
        (f"{FIRST}RUN pip install poetry && poetry install", FLAT, "`price_api`"),
        (f"{FIRST}RUN pip install poetry && poetry install --only main", FLAT, "`price_api`"),
        (f"{FIRST}RUN pip install poetry && poetry install --only dev", FLAT, ""),
        (f"{FIRST}RUN pip install 'poetry>=1.7' && poetry install", FLAT, "`price_api`"),
        (f"{FIRST}RUN pip install 'poetry<2' && poetry install", FLAT, ""),
        (f"{FIRST}RUN pip install poetry==1.8.4 && poetry install", FLAT, ""),
        (f"{FIRST}RUN pip install poetry && poetry install --no-root", FLAT, ""),
        (f"{FIRST}{READY}RUN pip install poetry && poetry install", POETRY, ""),
        (
            f"{FIRST}RUN pip install poetry && poetry install",
            FLAT.replace("[tool.poetry]\n", "[tool.poetry]\npackage-mode = false\n"),
            "",
        ),
    ],
)
def test_a_project_that_is_not_there_yet(
    steps: str, project: str, word: str, tmp_path: Path
) -> None:
    found = _stops(tmp_path, steps, project)
    assert len(found) == bool(word)
    assert word in "".join(found)


CURL = "curl -sSL https://install.python-poetry.org | python3 -"


@pytest.mark.parametrize(
    ("steps", "python", "word"),
    [
        ("RUN pip install poetry && poetry install --no-dev --no-root", "3.11", "--no-dev"),
        ("RUN pip install poetry && poetry install --no-dev --no-root", "3.8", ""),
        ("RUN pip install poetry==1.8.3 && poetry install --no-dev --no-root", "3.11", ""),
        (f"RUN {CURL} && poetry install --no-dev --no-root", "3.11", "--no-dev"),
        (f"RUN {CURL} --version 1.7.1 && poetry install --no-dev --no-root", "3.11", ""),
        (
            f"ENV POETRY_VERSION=1.7.1\nRUN {CURL} && poetry install --no-dev --no-root",
            "3.11",
            "",
        ),
        ("RUN pip install poetry && poetry lock --no-update", "3.11", "--no-update"),
        ("RUN pip install poetry && poetry export -o r.txt", "3.11", "poetry-plugin-export"),
        ("RUN pip install poetry poetry-plugin-export && poetry export -o r.txt", "3.11", ""),
        ("RUN pip install poetry==1.8.3 && poetry export -o r.txt", "3.11", ""),
        ("RUN poetry install --no-dev --no-root", "3.11", ""),
    ],
)
def test_what_poetry_no_longer_knows(steps: str, python: str, word: str, tmp_path: Path) -> None:
    found = _stops(tmp_path, f"{FIRST}{READY}{steps}", POETRY, python)
    assert len(found) == bool(word)
    assert word in "".join(found)
