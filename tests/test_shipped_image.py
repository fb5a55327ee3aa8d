"""The image that ships the tool: it builds, audits what is mounted, and needs no privilege."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from auditor import __version__

ROOT = Path(__file__).parents[1]
TAG = "deploy-audit-test:own"

pytestmark = pytest.mark.rehearsal


def docker(*arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=timeout, env=environment
    )


@pytest.fixture(scope="module")
def image():
    if shutil.which("docker") is None or docker("version").returncode:
        pytest.skip("no Docker engine answers")
    built = docker("build", "-t", TAG, str(ROOT))
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    yield TAG
    docker("image", "rm", "-f", TAG)


def run(image: str, mounted: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    hardened = ["--network=none", "--read-only", "--cap-drop=ALL", "--pids-limit=64"]
    return docker("run", "--rm", *hardened, "-v", f"{mounted}:/repo:ro", image, *arguments)


def test_version(image, tmp_path):
    done = run(image, tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"deploy-audit {__version__}\n")


def test_audits_what_is_mounted(image, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "requirements.txt").write_text("numpy\n")
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.11-slim\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
    )
    done = run(image, tmp_path, "--format", "json", ".")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)["findings"]
    assert ("ENV001", "requirements.txt", 1) in {(f["rule"], f["path"], f["line"]) for f in found}


def test_the_rules_are_in_it(image, tmp_path):
    assert "## Why" in run(image, tmp_path, "explain", "CFG001").stdout


def test_runs_as_nobody(image):
    done = docker("image", "inspect", "-f", "{{.Config.User}}", image)
    assert done.stdout.strip() == "65534:65534"
