"""What is not imported when it is not needed: start-up is what every hook run pays."""

import json
import pickle
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

# What a few lines of our own replace wherever the plain case is all there is.
NEEDLESS = {
    "dataclasses", "hashlib", "html", "importlib.resources", "inspect", "logging", "packaging",
    "subprocess", "typer",
}  # fmt: skip

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
    assert loaded.isdisjoint(NEEDLESS)


def write_service(root: Path) -> None:
    (root / "requirements.txt").write_text("fastapi==0.115.0\nuvicorn==0.30.6\nnumpy\n")
    (root / "Dockerfile").write_text(
        "FROM python:3.11-slim-bookworm\nWORKDIR /app\nCOPY . .\n"
        "RUN pip install -r requirements.txt\n"
        'CMD ["uvicorn", "main:app", "--host", "0.0.0.0"]\n'
    )
    (root / "main.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")


def full_names_after(*arguments: str, cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.replace('m.partition(".")[0]', "m"), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        timeout=120,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def of(loaded: set[str], *packages: str) -> set[str]:
    return {m for m in loaded for p in packages if m == p or m.startswith(f"{p}.")}


def test_a_service_without_artifacts_loads_no_module_for_artifacts(tmp_path):
    write_service(tmp_path)
    loaded = full_names_after("--format", "json", cwd=tmp_path)
    assert "auditor.checks.env" in loaded
    absent = (
        "auditor.artifacts.formats", "auditor.artifacts.onnx", "auditor.artifacts.pickle",
        "auditor.artifacts.scan", "auditor.artifacts.tensors", "auditor.checks.art",
        "auditor.checks.cmp", "auditor.checks.onx", "auditor.linking.compatibility",
        "auditor.linking.loading", "auditor.linking.opsets", "auditor.linking.states",
        "auditor.parsers.python.exports", "auditor.reports.html",
        "auditor.reports.console", "auditor.cli.scan", "auditor.cli.typed",
    )  # fmt: skip
    assert not of(loaded, *absent)
    assert not of(loaded, *NEEDLESS)


def test_a_service_with_a_pickle_loads_no_module_for_onnx(tmp_path):
    write_service(tmp_path)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"weights": [1.0, 2.0]}))
    loaded = full_names_after("--format", "json", cwd=tmp_path)
    assert "auditor.artifacts.pickle.machine" in loaded
    assert not of(loaded, "auditor.artifacts.onnx", "auditor.artifacts.sevenzip", "onnx")
    assert not of(loaded, *NEEDLESS)


def test_a_scan_loads_nothing_of_deployments(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"weights": [1.0, 2.0]}))
    loaded = full_names_after("scan", "model.pkl", cwd=tmp_path)
    assert "auditor.artifacts.pickle.machine" in loaded
    assert not of(
        loaded, "auditor.artifacts.onnx", "auditor.checks", "auditor.deployment", "auditor.discovery",
        "auditor.engine", "auditor.linking", "auditor.parsers", "bz2", "lzma", "rich", "tempfile",
        "tomllib", "tree_sitter", "yaml",
    )  # fmt: skip
    assert not of(loaded, *NEEDLESS)


def test_compat_loads_no_command_line_parser_and_no_yaml(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"weights": [1.0, 2.0]}))
    (tmp_path / "requirements.txt").write_text("scikit-learn==1.5.2\n")
    loaded = full_names_after(
        "compat", "model.pkl", "--python", "3.11", "-r", "requirements.txt", "--format", "json",
        cwd=tmp_path,
    )  # fmt: skip
    assert "auditor.linking.compatibility" in loaded
    assert not of(loaded, "auditor.checks", "rich", "tree_sitter", "yaml", *NEEDLESS)


def test_the_process_ends_at_once_with_its_output_and_status(tmp_path):
    write_service(tmp_path)
    with (tmp_path / "out.json").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "auditor", "--format", "json", "--fail-on", "low"],
            stdout=out,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            timeout=120,
        )
    assert done.returncode == 1
    assert json.loads((tmp_path / "out.json").read_text())["findings"]


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
