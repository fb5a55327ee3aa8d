"""Generate the lock files under ``tests/data/locks`` with the real tools.

Every lock in that folder was written by the tool it is named after, never by hand. Beside each lock
stand the tool's own exports: what it says it would install for a choice of extras and groups. Those
are the oracle of ``tests/parsers/test_locks.py``. Index hosts are replaced before anything is kept.

Needs the tools on ``--bin`` (uv, poetry with poetry-plugin-export, pdm, pip-compile, pipenv, git) and
a package index. ``--poetry1`` names a Poetry 1.x executable for the older lock format.

    python tools/make_lock_fixtures.py --bin /path/to/venv/bin [--only uv,poetry]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from make_distribution_table import index_url

TARGET = Path(__file__).resolve().parent.parent / "tests" / "data" / "locks"

PEP621 = """\
[project]
name = "churn-service"
version = "0.1.0"
requires-python = ">=3.9,<3.14"
dependencies = [
  "flask>=2.3,<4",
  "requests[socks]>=2.31",
  "tomli>=2; python_version < '3.11'",
  "colorama; sys_platform == 'win32'",
  "localkit",
  "widget",
]

[project.optional-dependencies]
data = ["tabulate>=0.9", "joblib<2"]
plots = ["pillow>=10"]

[dependency-groups]
test = ["iniconfig>=2", "pluggy"]
dev = [{include-group = "test"}, "colorlog"]
"""

UV = (
    PEP621.replace('  "localkit",\n', '  "localkit",\n  "urllib3",\n')
    + """
[tool.uv]
package = false

[tool.uv.sources]
localkit = { path = "libs/localkit", editable = true }
widget = { git = "@GIT@", rev = "@REV@" }
"""
)

PDM = (
    # PDM hands a git+file:// URL to ssh, so its lock has no VCS package.
    PEP621.replace('  "localkit",\n', "").replace(
        '  "widget",\n', '  "localkit @ file:///${PROJECT_ROOT}/libs/localkit",\n'
    )
    + """
[tool.pdm]
distribution = false
"""
)

POETRY = """\
[tool.poetry]
name = "churn-service"
version = "0.1.0"
description = "A service"
authors = ["Nobody <nobody@example.invalid>"]
package-mode = false

[tool.poetry.dependencies]
python = "^3.9"
flask = "^2.3"
requests = { version = ">=2.31", extras = ["socks"] }
tomli = { version = "~2.0", python = "<3.11" }
colorama = { version = "*", markers = "sys_platform == 'win32'" }
localkit = { path = "libs/localkit", develop = true }
widget = { git = "@GIT@", rev = "@REV@" }
tabulate = { version = ">=0.9", optional = true }
joblib = { version = "<2", optional = true }

[tool.poetry.extras]
data = ["tabulate", "joblib"]

[tool.poetry.group.test.dependencies]
iniconfig = "^2"
pluggy = "*"

[tool.poetry.group.dev]
optional = true

[tool.poetry.group.dev.dependencies]
colorlog = "*"

# The JSON interface of the default index is not everywhere; the simple one is.
[[tool.poetry.source]]
name = "simple"
url = "@INDEX@/"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""

PIPFILE = """\
[[source]]
url = "@INDEX@"
verify_ssl = true
name = "pypi"

[packages]
flask = ">=2.3,<4"
requests = { version = ">=2.31", extras = ["socks"] }
colorama = { version = "*", sys_platform = "== 'win32'" }
localkit = { path = "libs/localkit", editable = true }
widget = { git = "@GIT@", ref = "@REV@" }

[dev-packages]
iniconfig = ">=2"
colorlog = "*"

[requires]
python_version = "@PYTHON@"
"""

REQUIREMENTS_IN = """\
flask>=2.3,<4
requests[socks]>=2.31
tomli>=2; python_version < '3.11'
colorama; sys_platform == 'win32'
"""

LOCALKIT = """\
[project]
name = "localkit"
version = "0.3.0"
requires-python = ">=3.9"
dependencies = ["packaging"]

[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"
"""

Run = Callable[..., str]


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def fill(template: str, git: tuple[str, str]) -> str:
    """Put the repository's URL and commit, and the index that pip is set up for, into a template."""
    index = index_url().rstrip("/")
    return template.replace("@GIT@", git[0]).replace("@REV@", git[1]).replace("@INDEX@", index)


def local_project(root: Path) -> None:
    write(root, "libs/localkit/pyproject.toml", LOCALKIT)
    write(root, "libs/localkit/localkit/__init__.py", "")


def git_repository(root: Path) -> tuple[str, str]:
    """A small package in a git repository of its own: (URL, commit)."""
    repository = root / "widget.git"
    write(
        repository,
        "pyproject.toml",
        LOCALKIT.replace("localkit", "widget").replace('["packaging"]', '["six"]'),
    )
    write(repository, "widget/__init__.py", "")
    git = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=n@example.invalid"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "Start"]):
        subprocess.run([*git, *command], check=True)
    rev = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return f"file://{repository}", rev.stdout.strip()


def scrub(text: str, work: Path) -> str:
    """Index hosts and the scratch folder, replaced by names that cannot exist."""
    text = text.replace(f"file://{work}/widget.git", "https://git.invalid/widget.git")
    text = re.sub(r"file://[^\s\"']*?/(libs/localkit)", r"file:///project/\1", text)
    text = text.replace(str(work), "/project")
    return re.sub(r"https?://(?!git\.invalid)[^/\s\"'#]+", "https://index.invalid", text)


def make_uv(root: Path, run: Run, git: tuple[str, str]) -> None:
    write(root, "pyproject.toml", fill(UV, git))
    local_project(root)
    run("uv", "lock", "--python", sys.executable)
    plain = ("uv", "export", "--frozen", "--no-hashes", "--no-header", "--no-default-groups", "-q")
    run(*plain, out="export.txt")
    run(*plain, "--extra", "data", out="export-extra-data.txt")
    run(*plain, "--group", "dev", out="export-group-dev.txt")
    run(
        *plain,
        "--extra",
        "data",
        "--extra",
        "plots",
        "--group",
        "test",
        out="export-extras-data-plots-group-test.txt",
    )
    run(
        "uv",
        "export",
        "--frozen",
        "--no-default-groups",
        "-q",
        "--format",
        "pylock.toml",
        out="pylock.toml",
    )
    run("uv", "export", "--frozen", "-q", out="requirements.txt")


def make_uv_pip(root: Path, run: Run, git: tuple[str, str]) -> None:
    write(root, "requirements.in", REQUIREMENTS_IN)
    run("uv", "pip", "compile", "requirements.in", "-o", "requirements.txt", "-q",
        "--generate-hashes", "--python-version", "3.10")  # fmt: skip
    run("uv", "pip", "compile", "requirements.in", "-o", "universal.txt", "-q", "--universal")


def make_poetry(root: Path, run: Run, git: tuple[str, str], command: str = "poetry") -> None:
    write(root, "pyproject.toml", fill(POETRY, git))
    local_project(root)
    run(command, "lock", "-n")
    plain = (command, "export", "-n", "-f", "requirements.txt", "--without-hashes")
    run(*plain, out="export.txt")
    run(*plain, "--extras", "data", out="export-extra-data.txt")
    run(*plain, "--with", "dev", out="export-group-dev.txt")
    run(*plain, "--with", "test", out="export-group-test.txt")
    run(command, "export", "-n", "-f", "requirements.txt", out="requirements.txt")


def make_pdm(root: Path, run: Run, git: tuple[str, str]) -> None:
    write(root, "pyproject.toml", fill(PDM, git))
    local_project(root)
    run("pdm", "use", "-f", sys.executable)
    run("pdm", "lock", "-G:all")
    plain = ("pdm", "export", "-f", "requirements", "--without-hashes")
    run(*plain, "--prod", out="export.txt")
    run(*plain, "--prod", "-G", "data", out="export-extra-data.txt")
    run(*plain, "--no-default", "-G", "dev", out="export-only-group-dev.txt")


def make_pipenv(root: Path, run: Run, git: tuple[str, str]) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    write(root, "Pipfile", fill(PIPFILE, git).replace("@PYTHON@", python))
    local_project(root)
    run("pipenv", "lock", "--python", sys.executable)
    run("pipenv", "requirements", out="export.txt")
    run("pipenv", "requirements", "--dev", out="export-group-develop.txt")


def make_pip_compile(root: Path, run: Run, git: tuple[str, str]) -> None:
    write(root, "requirements.in", REQUIREMENTS_IN)
    write(root, "dev.in", "-c requirements.txt\niniconfig\nclick\n")
    run("pip-compile", "-q", "--generate-hashes", "requirements.in", "-o", "requirements.txt")
    run("pip-compile", "-q", "--annotation-style=line", "requirements.in", "-o", "line.txt")
    run("pip-compile", "-q", "dev.in", "-o", "dev.txt")
    run("pip", "lock", "-q", "-r", "requirements.in", "-o", "pylock.toml")


Maker = Callable[[Path, Run, tuple[str, str]], None]
KINDS: dict[str, Maker] = {
    "uv": make_uv,
    "uv-pip": make_uv_pip,
    "poetry": make_poetry,
    "pdm": make_pdm,
    "pipenv": make_pipenv,
    "pip-compile": make_pip_compile,
}


def make(kind: str, maker: Maker, bin_folder: Path) -> bool:
    """Run one maker in a scratch folder and keep the scrubbed files; False when it failed."""
    with tempfile.TemporaryDirectory(prefix="locks-") as folder:
        work = Path(folder).resolve()
        root = work / kind
        root.mkdir()
        (work / "home").mkdir()
        left_out = ("VIRTUAL_ENV", "PIP_FIND_LINKS", "PYTHONPATH")
        environment = {k: v for k, v in os.environ.items() if k not in left_out} | {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "PIP_CONFIG_FILE": os.devnull,
            "HOME": str(work / "home"),
            "PIPENV_VENV_IN_PROJECT": "1",
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            "COLUMNS": "200",
        }

        def run(*command: str, out: str | None = None) -> str:
            done = subprocess.run(
                command, cwd=root, env=environment, capture_output=True, text=True, timeout=600
            )
            if done.returncode:
                said = done.stdout[-2000:] + done.stderr[-3000:]
                raise RuntimeError(f"{' '.join(command)}\n{said}")
            if out:
                (root / out).write_text(done.stdout)
            return done.stdout

        worked = True
        try:
            maker(root, run, git_repository(work))
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            print(f"{kind}: {error}", file=sys.stderr)
            worked = False
        target = TARGET / kind
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for file in sorted(root.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                (target / file.name).write_text(scrub(file.read_text(), work))
        print(kind, sorted(p.name for p in target.iterdir()))
    return worked


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--bin", type=Path, required=True, help="folder with the tools")
    parser.add_argument("--poetry1", type=Path, help="a Poetry 1.x executable")
    parser.add_argument(
        "--only", default=",".join([*KINDS, "poetry1"]), help="comma-separated kinds"
    )
    arguments = parser.parse_args()
    makers: dict[str, Maker] = dict(KINDS)
    if arguments.poetry1:
        makers["poetry1"] = lambda root, run, git: make_poetry(
            root, run, git, str(arguments.poetry1)
        )
    failed = []
    for kind in arguments.only.split(","):
        if kind not in makers:
            continue
        if not make(kind, makers[kind], arguments.bin):
            failed.append(kind)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
