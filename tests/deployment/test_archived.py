"""Releases of Debian and Ubuntu that have left the mirrors."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.deployment.base import describe
from auditor.engine import audit

INSTALL = "apt-get update && apt-get install -y --no-install-recommends libgomp1"


@pytest.mark.parametrize(
    ("image", "line", "builds"),
    [
        ("python:3.8-slim-buster", INSTALL, "no"),
        ("python:3.8.5-slim", INSTALL, "no"),  # buster was the default when it was last built
        ("python:3.9.6-slim", INSTALL, "yes"),
        ("python:3.7.3-slim", INSTALL, "no"),
        ("python:3.8-slim-bullseye", INSTALL, "yes"),
        ("python:3.8-slim-buster", "pip --version", "yes"),
        (
            "python:3.8-slim-buster",
            f"sed -i s/deb.debian.org/archive.debian.org/ /etc/apt/sources.list && {INSTALL}",
            "yes",
        ),
        ("python:3.8-slim-buster", "apt-get update || true", "yes"),
    ],
)
def test_apt_on_a_release_that_is_gone(tmp_path: Path, image: str, line: str, builds: str) -> None:
    (tmp_path / "main.py").write_text("print('served')\n", "utf-8")
    (tmp_path / "Dockerfile").write_text(
        f'FROM {image}\nRUN {line}\nWORKDIR /app\nCOPY main.py .\nCMD ["python", "main.py"]\n',
        "utf-8",
    )
    result = audit(tmp_path, Settings())
    assert dict(result.services[0].forecast.answers())["builds"] == builds
    said = [f for f in result.findings if "Release file" in f.message]
    assert bool(said) is (builds == "no")


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("python:3.8.10-slim", "buster"),
        ("python:3.8.11-slim", "bullseye"),
        ("python:3.9.5", "buster"),
        ("python:3.7.3", "stretch"),
        ("python:3.7.4", "buster"),
        ("python:3.11.3-slim", "bullseye"),
        ("python:3.11.4-slim", "bookworm"),
        ("python:3.12.0-slim", "bookworm"),
    ],
)
def test_full_versions_stay_where_they_were_built(image: str, release: str) -> None:
    assert describe(image).release == release


def test_ubuntu_releases_that_are_gone() -> None:
    assert describe("ubuntu:21.10").archived == "21.10"
    assert describe("ubuntu:22.04").archived is None
