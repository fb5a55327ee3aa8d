"""What is not imported when it is not needed: start-up is what every hook run pays."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Import cost of each lies between 80 and 600 ms of CPU time.
HEAVY = {
    "docker",
    "fickling",
    "jinja2",
    "joblib",
    "numpy",
    "onnx",
    "piptools",
    "pydantic",
    "requests",
    "rich",
    "sklearn",
    "tree_sitter_languages",
}

PROBE = """
import json, sys
sys.argv = ["deploy-audit", *sys.argv[1:]]
from auditor.__main__ import main
try:
    status = main()
finally:
    print("\\n" + json.dumps(sorted({m.partition(".")[0] for m in sys.modules})), file=sys.stderr)
sys.exit(status)
"""


def modules_after(*arguments: str, cwd: Path) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        timeout=120,
    )
    return done.returncode, set(json.loads(done.stderr.splitlines()[-1]))


def test_version_imports_next_to_nothing(tmp_path):
    status, before = modules_after("--version", cwd=tmp_path)
    assert status == 0
    assert before.isdisjoint(HEAVY | {"typer", "click", "typing", "argparse", "tomllib", "pathlib"})


@pytest.mark.parametrize("arguments", [("rules",), ("explain", "CFG001"), ("--help",)])
def test_small_commands_import_no_parser(tmp_path, arguments):
    status, loaded = modules_after(*arguments, cwd=tmp_path)
    assert status == 0
    assert loaded.isdisjoint(HEAVY | {"yaml", "tree_sitter", "packaging"})


@pytest.mark.parametrize("arguments", [("--format", "json"), ("--format", "sarif")])
def test_a_plain_audit_imports_nothing_heavy(tmp_path, arguments):
    pytest.importorskip("auditor.engine")
    (tmp_path / "requirements.txt").write_text("numpy==1.26.4\n")
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.11-slim\nCOPY . /app\nRUN pip install -r /app/requirements.txt\n"
        'CMD ["python", "/app/main.py"]\n'
    )
    (tmp_path / "main.py").write_text("import numpy\n")
    status, loaded = modules_after(*arguments, cwd=tmp_path)
    assert status in (0, 1)
    assert "auditor" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_only_the_module_of_the_command_is_imported(tmp_path):
    code = PROBE.replace('m.partition(".")[0]', "m")
    done = subprocess.run(
        [sys.executable, "-c", code, "rules"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        timeout=120,
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "auditor.cli.rules" in loaded
    assert not loaded & {"auditor.cli.audit", "auditor.cli.scan", "auditor.engine"}
