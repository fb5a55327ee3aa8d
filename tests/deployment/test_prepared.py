"""What one command of a build collects and a later one installs."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit, deployment_of

LOCK = """\
[[package]]
name = "fastapi"
version = "0.115.6"
description = ""
optional = false
python-versions = ">=3.8"
files = []

[[package]]
name = "python-dotenv"
version = "1.0.1"
description = ""
optional = false
python-versions = ">=3.8"
files = []

[metadata]
lock-version = "2.0"
python-versions = "^3.11"
content-hash = "0"
"""
PROJECT = """\
[tool.poetry]
name = "shop"
version = "0.1.0"
package-mode = false

[tool.poetry.dependencies]
python = "^3.11"
fastapi = "0.115.6"

[tool.poetry.group.dev.dependencies]
python-dotenv = "1.0.1"
"""
FIRST = "FROM python:3.11-slim AS first\nWORKDIR /tmp\nCOPY . .\n"
LAST = "FROM python:3.11-slim\nWORKDIR /app\n"


def installed(root: Path, dockerfile: str, **files: str) -> tuple[dict[str, str | None], bool]:
    """(versions asked for by name, whether all that is installed is known)."""
    everything = {
        "pyproject.toml": PROJECT,
        "poetry.lock": LOCK,
        "requirements.txt": "flask==3.0.3\n",
        "requirements.in": "flask\n",
        "Dockerfile": dockerfile + 'CMD ["python", "-V"]\n',
        **{name.replace("__", "."): text for name, text in files.items()},
    }
    for name, text in everything.items():
        (root / name).write_text(text)
    [service] = deployment_of(root, Settings()).services
    assert service.environment is not None
    held = service.environment.installed
    named = {r.key: r.version for r in service.environment.requirements if r.origin != "command"}
    return named, held is not None and held.complete


EXPORT = "RUN poetry export -f requirements.txt {options}\n"
FASTAPI = {"fastapi": "0.115.6"}
BOTH = {**FASTAPI, "python-dotenv": "1.0.1"}


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        (f"{FIRST}{EXPORT}{LAST}COPY --from=first /tmp/locked.txt r.txt\nRUN pip install -r r.txt\n", FASTAPI),
        (f"{FIRST}{EXPORT}{LAST}COPY --from=first /tmp/locked.txt .\nRUN pip install -r locked.txt\n", FASTAPI),
        (f"{FIRST}{EXPORT}{LAST}COPY --from=first /tmp /x\nRUN pip install -r /x/locked.txt\n", FASTAPI),
        (f"{FIRST}{EXPORT}{LAST}COPY --from=first /tmp/*.txt /x/\nRUN pip install -r /x/locked.txt\n", FASTAPI),
        (f"{FIRST}{EXPORT}RUN pip install -r locked.txt\n", FASTAPI),
        (f"{FIRST}{EXPORT}FROM first\nRUN pip install -r /tmp/locked.txt\n", FASTAPI),
        (
            f"{FIRST}{EXPORT}FROM python:3.11-slim AS second\nCOPY --from=first /tmp/locked.txt /r.txt\n"
            f"{LAST}COPY --from=second /r.txt .\nRUN pip install -r r.txt\n",
            FASTAPI,
        ),
    ],
    ids=["renamed", "into", "directory", "pattern", "same-stage", "built-on", "handed-on"],
)  # fmt: skip
def test_an_export_is_installed_elsewhere(
    tmp_path: Path, dockerfile: str, expected: dict[str, str]
) -> None:
    text = dockerfile.replace("{options}", "-o locked.txt --without-hashes")
    assert installed(tmp_path, text) == (expected, True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("> locked.txt", FASTAPI),
        ("--output=/tmp/locked.txt --with dev", BOTH),
        ("--dev -o locked.txt", BOTH),
        ("-o other.txt", {}),
    ],
)
def test_what_an_export_holds(tmp_path: Path, options: str, expected: dict[str, str]) -> None:
    text = EXPORT.format(options=options)
    last = f"{LAST}COPY --from=first /tmp/locked.txt r.txt\nRUN pip install -r r.txt\n"
    named, complete = installed(tmp_path, f"{FIRST}{text}{last}")
    assert named == expected
    assert complete is bool(expected)


@pytest.mark.parametrize(
    ("collects", "installs"),
    [
        ("pip wheel -r requirements.txt --wheel-dir /wheels", "pip install /wheels/*"),
        ("pip wheel -r requirements.txt -w wheels", "pip install --no-cache-dir /wheels/*.whl"),
        ("pip wheel --no-deps -r requirements.txt -w /wheels", "cd /wheels && pip install *.whl"),
        ("pip download -r requirements.txt -d /wheels", "pip install --no-index /wheels/*.whl"),
    ],
)
def test_wheels_that_were_collected(tmp_path: Path, collects: str, installs: str) -> None:
    folder = "/tmp/wheels" if "-w wheels" in collects else "/wheels"
    last = f"{LAST}COPY --from=first {folder} /wheels\nRUN {installs}\n"
    named, complete = installed(tmp_path, f"{FIRST}RUN {collects}\n{last}")
    assert (named, complete) == ({"flask": "3.0.3"}, True)


def test_wheels_that_nothing_collected_stay_unknown(tmp_path: Path) -> None:
    last = f"{LAST}COPY vendor /wheels\nRUN pip install /wheels/*\n"
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "x.whl").write_bytes(b"")
    assert installed(tmp_path, last) == ({}, False)


def test_a_list_that_is_compiled_in_the_build(tmp_path: Path) -> None:
    compiles = "RUN pip-compile requirements.in -o /tmp/out.txt\n"
    last = f"{LAST}COPY --from=first /tmp/out.txt .\nRUN pip install -r out.txt\n"
    assert installed(tmp_path, f"{FIRST}{compiles}{last}") == ({"flask": None}, True)


def test_what_is_only_collected_is_not_installed(tmp_path: Path) -> None:
    text = "RUN pip wheel -r requirements.txt -w /wheels\n"
    assert installed(tmp_path, f"{FIRST}{text}")[0] == {}


def test_a_module_of_the_development_group_is_missed(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import dotenv\n")
    text = EXPORT.format(options="-o locked.txt")
    last = (
        f"{LAST}COPY --from=first /tmp/locked.txt r.txt\nRUN pip install -r r.txt\nCOPY main.py .\n"
    )
    (tmp_path / "Dockerfile").write_text(f'{FIRST}{text}{last}CMD ["python", "main.py"]\n')
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "poetry.lock").write_text(LOCK)
    [found] = [f for f in audit(tmp_path, Settings()).active if f.rule == "ENV007"]
    assert "dotenv" in found.message and found.related[0].at.path == "poetry.lock"


@pytest.mark.parametrize(
    ("python", "requirement", "said"),
    [
        ("3.12", "pydantic==2.10.4", "pydantic-core"),
        ("3.12", "numpy==1.26.4", "numpy"),
        ("3.12", "flask==3.0.3", "markupsafe"),
        ("3.12", "requests==2.31.0 --no-deps", ""),
        ("3.11", "numpy==1.26.4", ""),
        # One file for all Pythons from 3.7 on.
        ("3.12", "cryptography==42.0.5", "cffi"),
        ("3.12", "lightgbm==4.3.0 --no-deps", ""),
    ],
)
def test_wheels_of_another_python(tmp_path: Path, python: str, requirement: str, said: str) -> None:
    requirement, _, more = requirement.partition(" ")
    collects = f"RUN pip wheel {more} -r requirements.txt -w /wheels\n"
    last = f"{LAST}COPY --from=first /wheels /wheels\nRUN pip install /wheels/*\n"
    first = FIRST.replace("3.11", python)
    (tmp_path / "requirements.txt").write_text(f"{requirement}\n")
    (tmp_path / "Dockerfile").write_text(f'{first}{collects}{last}CMD ["python", "-V"]\n')
    found = [f for f in audit(tmp_path, Settings()).active if f.rule == "ENV019"]
    assert bool(found) is bool(said)
    if said:
        assert f"the wheel of `{said}`" in found[0].message
        assert found[0].at.path == "Dockerfile" and found[0].breaks[0][1].label == "builds"


UV = """\
[project]
name = "shop"
version = "0.1.0"
dependencies = ["fastapi==0.115.6"]

[dependency-groups]
dev = ["python-dotenv==1.0.1"]
lint = ["ruff==0.9.1"]
"""


@pytest.mark.parametrize(
    ("settings", "options", "expected"),
    [
        ("", "", BOTH),
        ("", "--no-dev", FASTAPI),
        ("[tool.uv]\n", "", BOTH),
        ("[tool.uv]\ndefault-groups = []\n", "", FASTAPI),
        ('[tool.uv]\ndefault-groups = ["lint"]\n', "", {**FASTAPI, "ruff": "0.9.1"}),
    ],
)
def test_uv_brings_the_development_group_unless_told(
    tmp_path: Path, settings: str, options: str, expected: dict[str, str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(UV + settings)
    (tmp_path / "Dockerfile").write_text(
        f'{LAST}COPY pyproject.toml ./\nRUN pip install uv && uv sync {options}\nCMD ["python", "-V"]\n'
    )
    [service] = deployment_of(tmp_path, Settings()).services
    assert service.environment is not None
    named = {r.key: r.version for r in service.environment.requirements if r.origin != "command"}
    assert named == expected
