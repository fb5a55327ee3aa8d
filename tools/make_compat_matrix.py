"""Make a matrix of loads that really happened: artifacts of each environment, loaded in each other.

``tools/compat_matrix/environments.toml`` names the environments, ``recipes.py`` beside it what is
written in each; a row with ``interpreter`` names an environment that is there already. Virtual environments are made with pyenv's interpreters under the work folder; pip's
cache lies there too, so that every release is fetched once. What is done is not done again: stop
and start it as you like, remove a file to have it made anew.

    python tools/make_compat_matrix.py WORK [--only ID …] [--python-root ~/.pyenv/versions]
    python tools/measure_compat.py WORK --table loads.tsv --wrong 40

``--recipes drawn-x`` writes every estimator of scikit-learn in configurations drawn by chance (x
is the draw), ``boosted-`` every objective and booster of XGBoost and LightGBM: with all pairs of
releases these show what changed its meaning between them.

``usual-x`` is every estimator with nothing or one ordinary option given, ``fair-`` and ``peer-`` are
objects like the study's; ``compat_matrix/worker27.py`` writes what a Python 2.7 left behind.

The result: ``producers.tsv`` (artifact, env, object, serializer, protocol, kind, size),
``loads.tsv`` (artifact, consumer_env, outcome, message, detail, cause, predictability) and
``envs/ID.json``. Outcomes: ok, ok_version_warning, predict_differs, load_fails:ERROR,
predict_fails:ERROR, crash:signalN, crash:timeout. Every load runs in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent / "compat_matrix"
PRODUCERS = ("artifact", "env", "object", "serializer", "protocol", "kind", "size")
LOADS = ("artifact", "consumer_env", "outcome", "message", "detail", "cause", "predictability")


def run(command: list[str], *, timeout: int = 1800, project: Path | None = None) -> bool:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment |= {
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "KERAS_BACKEND": "torch",
    }
    if project is not None:
        environment["PYTHONPATH"] = str(project)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        print("too slow:", " ".join(command), flush=True)
        return False
    for line in done.stdout.splitlines():
        if line.startswith(("not written", "write", "load")):
            print(line, flush=True)
    if done.returncode:
        print("failed:", " ".join(command), done.stderr[-1500:], flush=True)
    return done.returncode == 0


def interpreter(root: Path, version: str) -> Path:
    found = sorted(root.glob(f"{version}.*/bin/python"))
    if not found:
        raise SystemExit(f"no Python {version} under {root}")
    return found[-1]


def environment(work: Path, row: dict[str, Any], root: Path) -> Path | None:
    """The environment's interpreter; None where it cannot be made."""
    if "interpreter" in row:
        return Path(row["interpreter"])
    home: Path = work / "venvs" / row["id"]
    python = home / "bin" / "python"
    done = home / "done"
    if done.exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    if not run([str(interpreter(root, row["python"])), "-m", "venv", str(home)]):
        return None
    pip = [str(python), "-m", "pip", "--cache-dir", str(work / "pip"), "install", "-q"]
    if row["python"] == "3.6":
        run([*pip, "pip==21.3.1", "setuptools<60"])
    options = ["--disable-pip-version-check", "--prefer-binary"]
    if not run([*pip, *options, *row["packages"]]):
        return None
    if row.get("bare") and not run([*pip, *options, "--no-deps", *row["bare"]]):
        return None
    done.touch()
    return python


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--python-root", type=Path, default=Path.home() / ".pyenv" / "versions")
    parser.add_argument("--recipes", default="", help="only those whose name starts so")
    parser.add_argument("--share", default="1", help="load only one artifact in so many")
    parser.add_argument("--environments", type=Path, default=HERE / "environments.toml")
    arguments = parser.parse_args()
    work: Path = arguments.work.resolve()
    for name in ("venvs", "artifacts", "made", "loads", "envs"):
        (work / name).mkdir(parents=True, exist_ok=True)
    rows = tomllib.loads(arguments.environments.read_text())["environment"]
    pythons: dict[str, Path] = {}
    projects: dict[str, Path | None] = {}
    for row in rows:
        if arguments.only and row["id"] not in arguments.only:
            continue
        python = environment(work, row, arguments.python_root)
        if python is None:
            continue
        pythons[row["id"]] = python
        found = HERE / f"proj_{row['project']}"
        projects[row["id"]] = found if found.exists() else None
    for source in HERE.glob("proj_*"):
        shutil.copytree(source, work / source.name, dirs_exist_ok=True)
    worker = str(HERE / "worker.py")
    kinds = {row["id"]: row["project"] for row in rows}
    for name, python in pythons.items():
        base = [str(python), worker]
        if not (work / "envs" / f"{name}.json").exists():
            run([*base, "describe", str(work), name, kinds[name]])
        if not (work / "made" / f"{name}.tsv").exists():
            run([*base, "write", str(work), name, arguments.recipes], project=projects[name])
    made = sorted(path.stem for path in (work / "made").glob("*.tsv"))
    for name, python in pythons.items():
        # One process for all of them: importing the libraries takes longer than most loads.
        todo = [p for p in made if not (work / "loads" / f"{p}__{name}.tsv").exists()]
        if todo:
            run(
                [str(python), worker, "load", str(work), name, ",".join(todo), arguments.share],
                project=projects[name],
                timeout=7200,
            )
    join(work / "made", work / "producers.tsv", PRODUCERS)
    join(work / "loads", work / "loads.tsv", LOADS)
    return 0


def join(parts: Path, target: Path, columns: tuple[str, ...]) -> None:
    lines = [line for part in sorted(parts.glob("*.tsv")) for line in part.read_text().splitlines()]
    target.write_text("\n".join(["\t".join(columns), *lines]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
