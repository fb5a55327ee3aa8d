"""What the build installs through a script or a Makefile of the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import REQUIREMENTS, answers, dockerfile, of, service

MAKE = "RUN apt-get update && apt-get install -y make"
INSTALL = "RUN pip install -r requirements.txt\n"
MAKEFILE = "PIP = pip\nall: prepare\n\t$(PIP) install -r requirements.txt\nprepare:\n\tmkdir -p x\n"


def built(line: str, *, before: str = "") -> str:
    text = dockerfile().replace(INSTALL, f"COPY . .\n{before}\n{line}\n")
    assert line in text
    return text


def faults(root: Path, files: dict[str, str]) -> set[str]:
    return {f.rule for f in service(root, files).findings if f.rule in ("ENV007", "IMG018")}


SCRIPTS = [
    ("RUN sh install.sh", {"install.sh": "#!/bin/sh\npip install -r requirements.txt\n"}),
    ("RUN chmod +x in.sh && ./in.sh", {"in.sh": "#!/bin/sh\nset -e\npip install -r requirements.txt\n"}),
    ("RUN bash a.sh", {"a.sh": "cd sub && bash ../b.sh\n", "b.sh": "pip install -r /app/requirements.txt\n",
                       "sub/x": "x"}),
    ("RUN make", {"Makefile": MAKEFILE}),
    ("RUN make all PIP='python -m pip'", {"Makefile": MAKEFILE}),
    ("RUN make -C ops all", {"ops/Makefile": MAKEFILE.replace("-r req", "-r ../req")}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "files"), SCRIPTS)
def test_a_script_installs_what_the_code_imports(
    tmp_path: Path, line: str, files: dict[str, str]
) -> None:
    files = {**files, "Dockerfile": built(line, before=MAKE)}
    found = service(tmp_path / "a", files)
    assert answers(found)[:2] == ("yes", "yes")
    # The twin: the same script, and a requirement less.
    less = {**files, "requirements.txt": "gunicorn==22.0.0\n"}
    assert [f.severity.name for f in of(service(tmp_path / "b", less), "ENV007")] == ["HIGH"]


def test_a_target_that_installs_nothing_brings_nothing(tmp_path: Path) -> None:
    files = {"Makefile": MAKEFILE, "Dockerfile": built("RUN make prepare", before=MAKE)}
    assert faults(tmp_path, files) == {"ENV007", "IMG018"}


def test_what_a_makefile_leaves_open_is_not_known(tmp_path: Path) -> None:
    text = "ifdef CI\nall:\n\tpip install -r requirements.txt\nelse\nall:\n\techo\nendif\n"
    found = service(tmp_path, {"Makefile": text, "Dockerfile": built("RUN make", before=MAKE)})
    assert of(found, "ENV007") == []


def test_an_environment_made_by_a_makefile_in_another_stage(tmp_path: Path) -> None:
    text = f"""\
FROM python:3.11-slim AS builder
WORKDIR /app
{MAKE}
COPY . .
RUN make venv
FROM python:3.11-slim
WORKDIR /app
COPY --from=builder /app/.venv .venv
COPY app.py .
CMD [".venv/bin/python", "-m", "gunicorn", "-b", "0.0.0.0:8000", "app:app"]
"""
    rule = "venv:\n\tpython -m venv .venv\n\t.venv/bin/pip install -r requirements.txt\n"
    assert faults(tmp_path / "a", {"Dockerfile": text, "Makefile": rule}) == set()
    less = {"Dockerfile": text, "Makefile": rule, "requirements.txt": "gunicorn==22.0.0\n"}
    assert "ENV007" in faults(tmp_path / "b", less)


SETTINGS = """\
from flask import Flask
from pydantic_settings import BaseSettings, SettingsConfigDict


class Config(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env")
    secret: str


config = Config()
app = Flask(__name__)
"""


def test_a_file_that_git_ignores_comes_through_another_stage(tmp_path: Path) -> None:
    text = dockerfile("COPY --from=files /src/.env .env")
    text = f"FROM python:3.11-slim AS files\nWORKDIR /src\nCOPY . .\n{text}"
    files = {
        "Dockerfile": text,
        "app.py": SETTINGS,
        "requirements.txt": f"{REQUIREMENTS}pydantic-settings==2.4.0\n",
    }
    kept = service(tmp_path / "a", {**files, ".gitignore": ".env\n"})
    assert [f for f in of(kept, "IMG012") if f.severity.name == "HIGH"] == []
    lost = service(tmp_path / "b", {**files, "Dockerfile": dockerfile(), ".gitignore": ".env\n"})
    assert of(lost, "IMG012") != []
