"""Ask the real libraries what their wheels do not tell: ``NAME-VERSION.probe.json`` in the cache.

Compiled modules and modules with ``__getattr__`` are imported and their names noted; scikit-learn's
estimators are fitted in many configurations, and of each attribute it is found out whether the first
prediction still works without it, also when the estimator is inside another one. The models of the
libraries beside it (``OTHERS``) are asked the same of what a pickle gives back. Each set of releases
(``tools/probe_releases.toml``) is installed once, asked, and removed; what was answered is not asked
again. ``make_symbol_tables.py build`` takes the answers into the tables.

    python tools/probe_releases.py [--cache DIR] [--python-root ~/.pyenv/versions]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_compat_matrix import interpreter, run
from make_symbol_tables import CACHE

HERE = Path(__file__).resolve().parent
WORKER = HERE / "probe_worker.py"
TOPS = {
    "scikit-learn": "sklearn",
    "imbalanced-learn": "imblearn",
    "category-encoders": "category_encoders",
}
# Whose models are asked which attributes they cannot do without, once loaded.
OTHERS = ("imbalanced-learn", "category-encoders", "statsmodels", "lightgbm", "xgboost")


def needs_of(python: Path, name: str, classes: list[str]) -> dict[str, Any] | None:
    if name in OTHERS:
        return ask(python, "others", TOPS.get(name, name))
    return ask(python, "needs", *classes) if name == "scikit-learn" else None


def ask(python: Path, *arguments: str, path: Path | None = None) -> dict[str, Any] | None:
    done = subprocess.run(
        [str(python), "-W", "ignore", str(WORKER), *arguments],
        capture_output=True,
        text=True,
        timeout=3000,
        env={"PYTHONPATH": str(path) if path else "", "OMP_NUM_THREADS": "1", "HOME": "/tmp",
             "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        print(f"{arguments}: no answer {done.stderr[-300:]}", file=sys.stderr, flush=True)
        return None
    return found


def complete(target: Path, name: str) -> bool:
    """Whether the answers are there, in today's form."""
    if not target.exists():
        return False
    found = json.loads(target.read_text())
    names = found.get("names") or {}
    rows = [row for rows in (found.get("needs") or {}).values() for row in rows]
    return any("dynamic" in n for n in names.values()) and (
        name != "scikit-learn" or any("roots" in row for row in rows)
    )


def probe_set(row: dict[str, Any], cache: Path, root: Path) -> None:
    pins = [p.split("==") for p in row["packages"]]
    targets = {name: cache / f"{name}-{version}.probe.json" for name, version in pins}
    if all(complete(target, name) for name, target in targets.items()):
        return
    home = cache / "probing"
    shutil.rmtree(home, ignore_errors=True)
    run([str(interpreter(root, row["python"])), "-m", "venv", str(home)])
    python = home / "bin" / "python"
    pip = [str(python), "-m", "pip", "--cache-dir", str(cache / "pip"), "install", "-q"]
    if row["python"] == "3.6":
        run([*pip, "pip==21.3.1"])
    if not run([*pip, "--prefer-binary", "--no-compile", *row["packages"]]):
        return
    for name, version in pins:
        if complete(targets[name], name):
            continue
        found: dict[str, Any] = {"python": row["python"]}
        found["names"] = ask(python, "names", TOPS.get(name, name))
        if (needs := needs_of(python, name, [])) is not None:
            found["needs"] = needs
        targets[name].write_text(json.dumps(found))
        print(f"{name} {version}", flush=True)
    shutil.rmtree(home, ignore_errors=True)


def probe_made(python: Path, cache: Path, wanted: set[str], classes: list[str]) -> None:
    """Ask an environment that is there already about the releases that it holds."""
    script = (
        "import json, pkg_resources as p; print(json.dumps({d.key: d.version for d in p.working_set}))"
        if "3.6" in str(python.resolve()) or "3.7" in str(python.resolve())
        else "import json, importlib.metadata as m; print(json.dumps("
        "{d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}))"
    )
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    have: dict[str, str] = json.loads(done.stdout)
    for name in sorted(wanted & have.keys()):
        target = cache / f"{name}-{have[name]}.probe.json"
        if complete(target, name):
            continue
        found: dict[str, Any] = {"names": ask(python, "names", TOPS.get(name, name))}
        if (needs := needs_of(python, name, classes)) is not None:
            found["needs"] = needs
        target.write_text(json.dumps(found))
        print(f"{name} {have[name]}", flush=True)


def probe_pure(name: str, version: str, cache: Path, root: Path, pythons: list[str]) -> None:
    target = cache / f"{name}-{version}.probe.json"
    if target.exists():
        return
    folder = cache / "pure"
    shutil.rmtree(folder, ignore_errors=True)
    base = interpreter(root, "3.9")
    if not run([str(base), "-m", "pip", "--cache-dir", str(cache / "pip"), "install", "-q",
                "--no-deps", "--no-compile", "--target", str(folder), f"{name}=={version}"]):  # fmt: skip
        return
    answers = {}
    for python in pythons:
        answers[python] = ask(interpreter(root, python), "names", name, path=folder)
    target.write_text(json.dumps({"pythons": answers}))
    print(f"{name} {version}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--sets", type=Path, default=HERE / "probe_releases.toml")
    parser.add_argument("--python-root", type=Path, default=Path.home() / ".pyenv" / "versions")
    parser.add_argument("--pure", nargs="*", default=[], help="ask only about these")
    parser.add_argument("--venv", type=Path, nargs="*", default=[], help="ask only these")
    parser.add_argument("--only", nargs="*", default=[], help="only these libraries (--venv)")
    parser.add_argument("--classes", nargs="*", default=[], help="only these estimators (--venv)")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    document = tomllib.loads(arguments.sets.read_text())
    if arguments.venv:
        wanted = {p.partition("==")[0] for row in document["set"] for p in row["packages"]}
        wanted |= set(arguments.only or OTHERS)
        wanted &= set(arguments.only or wanted)
        for venv in arguments.venv:
            probe_made(venv / "bin" / "python", arguments.cache, wanted, arguments.classes)
        return 0
    for row in document["set"] if not arguments.pure else ():
        probe_set(row, arguments.cache, arguments.python_root)
    pythons = [f"3.{n}" for n in range(6, 14)]
    for name, versions in document["pure"].items():
        if arguments.pure and name not in arguments.pure:
            continue
        for version in versions:
            probe_pure(name, version, arguments.cache, arguments.python_root, pythons)
    return 0


if __name__ == "__main__":
    sys.exit(main())
