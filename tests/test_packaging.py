"""Every way to install the tool finds the rule cards; the hooks fire; the README tells the truth."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from auditor import __version__
from auditor.catalog import rules

ROOT = Path(__file__).parents[1]


def run(*command: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**clean, **(env or {})},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed and edited files, without what building or testing left behind."""
    copy = tmp_path_factory.mktemp("checkout") / "project"
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in names.split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="session")
def distributions(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel from the tree, an sdist, and a wheel from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    for target in ("wheel", "sdist"):
        run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", out, cwd=checkout)
    wheel, sdist = next(out.glob("*.whl")), next(out.glob("*.tar.gz"))
    unpacked = tmp_path_factory.mktemp("sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    source = next(unpacked.iterdir())
    again = tmp_path_factory.mktemp("again")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", again, cwd=source)
    return {"wheel": wheel, "sdist": sdist, "sdist-wheel": next(again.glob("*.whl"))}


def fresh_environment(path: Path) -> Path:
    """A virtual environment that sees the dependencies of this one, but not the tool itself."""
    run(sys.executable, "-m", "venv", path, cwd=path.parent)
    python = path / "bin" / "python"
    site = Path(
        run(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=path
        ).strip()
    )
    # After the new environment's own packages; a .pth of an editable install in there is not run.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def cards_found_by(python: Path, elsewhere: Path) -> list[str]:
    tool = python.parent / "deploy-audit"
    assert run(tool, "--version", cwd=elsewhere) == f"deploy-audit {__version__}\n"
    listed = json.loads(run(tool, "rules", "--format", "json", cwd=elsewhere))
    assert "## Why" in run(tool, "explain", "CFG001", cwd=elsewhere)
    return [rule["id"] for rule in listed]


@pytest.mark.packaging
@pytest.mark.parametrize("kind", ["wheel", "sdist", "sdist-wheel", "editable"])
def test_every_install_finds_the_cards(kind, request, tmp_path):
    python = fresh_environment(tmp_path / "venv")
    pip = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    if kind == "editable":
        target = ["-e", request.getfixturevalue("checkout")]
    else:
        target = [request.getfixturevalue("distributions")[kind]]
    run(*pip, *target, cwd=tmp_path)
    assert cards_found_by(python, tmp_path) == list(rules())
    where = run(python, "-c", "import auditor; print(auditor.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(
        request.getfixturevalue("checkout") if kind == "editable" else tmp_path
    )


@pytest.mark.packaging
def test_wheels_are_the_same_and_hold_what_they_should(distributions):
    def names(wheel: Path) -> set[str]:
        with zipfile.ZipFile(wheel) as archive:
            return set(archive.namelist())

    held = names(distributions["wheel"])
    assert held == names(distributions["sdist-wheel"])
    assert "auditor/py.typed" in held
    assert "auditor/rules/catalog.toml" in held
    top = {name.split("/")[0] for name in held}
    assert top == {"auditor", f"deploy_auditor-{__version__}.dist-info"}
    with tarfile.open(distributions["sdist"]) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "tests/test_packaging.py", "rules/catalog.toml"} <= files


def test_the_checkout_finds_the_cards(tmp_path):
    listed = run(
        sys.executable, "-m", "auditor", "rules", "-f", "json",
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert [rule["id"] for rule in json.loads(listed)] == list(rules())


# --- pre-commit -----------------------------------------------------------------------------------

HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


@pytest.mark.parametrize(
    ("name", "fires"),
    [
        ("model.pkl", True),
        ("models/a/b.PKL", True),
        ("m.joblib", True),
        ("m.joblib.gz", True),
        ("pytorch_model.bin", True),
        ("net.onnx", True),
        ("w.safetensors", True),
        ("last.ckpt", True),
        ("data.npy", True),
        ("app.py", False),
        ("pkl", False),
        ("notes.pkl.md", False),
        ("requirements.txt", False),
    ],
)
def test_the_scan_hook_fires_on_models_only(name, fires):
    # As pre-commit does: re.search over the path.
    assert (re.search(HOOKS["deploy-audit-scan"]["files"], name) is not None) is fires


def test_the_audit_hook_always_runs_on_the_whole_repository():
    hook = HOOKS["deploy-audit"]
    assert hook["always_run"] is True
    assert hook["pass_filenames"] is False


@pytest.mark.packaging
def test_hooks_by_pre_commit_itself(checkout, tmp_path):
    """The real ``pre-commit try-repo``: builds the tool in an environment of its own."""
    git = [
        "git",
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    run("git", "init", "-q", ".", cwd=checkout)
    run("git", "add", "-A", cwd=checkout)
    run(*git, "commit", "-q", "-m", "x", cwd=checkout)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    run("git", "init", "-q", ".", cwd=scratch)
    (scratch / "model.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    (scratch / "requirements.txt").write_text("numpy\n")
    (scratch / "Dockerfile").write_text(
        "FROM python:3.11-slim\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
    )
    run("git", "add", "-A", cwd=scratch)
    # One run for both hooks: try-repo builds their environment anew each time.
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PYTHONPATH"))}
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "try-repo", str(checkout), "-v", "--all-files"],
        cwd=scratch,
        env={**clean, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    audit, _, scan = output.partition("hook id: deploy-audit-scan")
    assert "hook id: deploy-audit\n" in audit, output
    assert "ENV001" in audit, output
    assert "exit code: 1" in scan, output
    assert "dangerous   model.pkl" in scan, output


# --- what the documents say -----------------------------------------------------------------------


def test_the_help_in_the_readme_is_up_to_date():
    readme = (ROOT / "README.md").read_text("utf-8")
    block = re.search(r"<!-- help -->\n```text\n(.*?)```\n", readme, re.DOTALL)
    assert block is not None
    env = {"COLUMNS": "80", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    assert block[1] == run(sys.executable, "-m", "auditor", "--help", cwd=ROOT, env=env)


def test_the_report_in_the_readme_is_what_the_command_prints():
    readme = (ROOT / "README.md").read_text("utf-8")
    block = re.search(r"<!-- report -->\n```text\n(.*?)```\n", readme, re.DOTALL)
    assert block is not None
    env = {"COLUMNS": "80", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = ["-m", "auditor", "--fail-on", "never", "fixtures/churn-fastapi"]
    printed = run(sys.executable, *command, cwd=ROOT, env=env)
    parts = [part.strip("\n") for part in block[1].split("\n\n")]
    assert len(parts) >= 4
    at = 0
    for part in parts:
        if part != "…":
            at = printed.index(part, at) + len(part)


def test_every_command_the_readme_shows_exists():
    from auditor.cli.app import COMMANDS

    readme = (ROOT / "README.md").read_text("utf-8")
    shown = re.findall(r"^deploy-audit ([a-z]+)(?![\w/.])", readme, re.MULTILINE)
    assert {"scan", "rules", "explain", "graph", "baseline"} <= set(shown) <= set(COMMANDS)


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == "deploy-auditor"
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"## {__version__}" in changelog or "## Unreleased" in changelog


def test_locks_hold_every_dependency_with_hashes():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for name in ("runtime.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert "http" not in re.sub(r"(?m)^\s*#.*$", "", text), "a lock names no index"
        logical = text.replace("\\\n", " ")
        locked = {}
        for line in logical.splitlines():
            line = line.split(" #")[0].strip()
            if line and not line.startswith("#"):
                requirement = Requirement(line.split("--hash")[0].strip())
                assert "--hash=sha256:" in line, line
                locked[canonicalize_name(requirement.name)] = requirement.specifier
        for dependency in map(Requirement, declared):
            pinned = next(iter(locked[canonicalize_name(dependency.name)])).version
            assert dependency.specifier.contains(pinned), dependency
