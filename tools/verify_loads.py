"""Compare what the audit says of repositories' models with what really happens when they load.

For every load that the code of a service does (without services: every environment's), the
environment's pins of the libraries that models are made of are installed into a virtual
environment of its Python, the artifact is opened there with the loader that the code uses, inside
a sandbox without network, and asked for one prediction. Artifacts whose verdict is not safe are
left alone. Environments are kept in the work folder; what was compared is not compared again.

    python tools/verify_loads.py WORK REPOSITORY ... [--python-root ~/.pyenv/versions]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from make_compat_matrix import run

from auditor.config import Settings
from auditor.engine import deployment_of
from auditor.linking import symbols

if TYPE_CHECKING:
    from auditor.deployment.model import Environment, Load

MODELS = {*symbols.LIBRARIES.values(), "lz4", "skops", "hmmlearn", "gensim", "feature-engine"}
NEWEST = "3.13"
# Runs in the environment: opens the artifact, asks it, and prints what happened.
LOADER = """
import json, sys, warnings
path, loader, width, names = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
def opened():
    if loader == "joblib":
        try:
            import joblib
        except ImportError:
            from sklearn.externals import joblib
        return joblib.load(path)
    if loader == "pandas":
        import pandas
        return pandas.read_pickle(path)
    if loader == "xgboost":
        import xgboost
        model = xgboost.Booster()
        model.load_model(path)
        return model
    if loader == "lightgbm":
        import lightgbm
        return lightgbm.Booster(model_file=path)
    if loader == "catboost":
        import catboost
        return catboost.CatBoost().load_model(path)
    module = __import__(loader)
    with open(path, "rb") as file:
        return module.load(file)
def fill(model, row):
    for _, step, columns in getattr(model, "transformers_", []):
        for inner in [step] + [s for _, s in getattr(step, "steps", [])]:
            for column, known in zip(columns, getattr(inner, "categories_", [])):
                row[column] = known[0]
    for _, step in getattr(model, "steps", []):
        fill(step, row)
def asked(model):
    if not hasattr(model, "predict") and not hasattr(model, "transform"):
        return "no estimator"
    import numpy
    use = model.predict if hasattr(model, "predict") else model.transform
    width_of = getattr(model, "n_features_in_", None) or width or 1
    rows = [numpy.zeros((2, width_of))]
    columns = list(getattr(model, "feature_names_in_", [])) or names
    if columns:
        import pandas
        row = dict.fromkeys(columns, 0)
        fill(model, row)
        rows.insert(0, pandas.DataFrame([row] * 2, columns=columns))
        rows.insert(1, pandas.DataFrame([["0"] * len(columns)] * 2, columns=columns))
    rows.append(["some words"])
    said = []
    for row in rows:
        try:
            use(row)
            return "predicts"
        except (AttributeError, NotImplementedError) as error:
            said.append("%s: %s" % (type(error).__name__, error))
        except Exception as error:
            if type(error).__name__ in ("NotFittedError", "LGBMNotFittedError") or "dtype mismatch" in str(error):
                said.append("%s: %s" % (type(error).__name__, error))
    return "fails: " + said[0] if said and (columns or len(said) == len(rows)) else "asked wrongly"
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    try:
        model = opened()
    except BaseException as error:
        found = {"outcome": "fails", "detail": "%s: %s" % (type(error).__name__, str(error)[:200])}
    else:
        answer = asked(model)
        told = [str(w.message) for w in seen if "version" in str(w.message).lower()
                and "deprecat" not in str(w.message).lower()]
        outcome = "fails" if answer.startswith("fails") else "warns" if told else "loads"
        found = {"outcome": outcome, "detail": answer + " " + (told[0][:120] if told else "")}
print(json.dumps(found))
"""


def pins(environment: Environment) -> list[str]:
    """What of the environment matters to models, as requirements."""
    asked = {r.key: r for r in environment.requirements}
    installed = environment.installed
    found = []
    for name in sorted(MODELS):
        version = installed.version(name) if installed is not None else None
        if version is not None:
            found.append(f"{name}=={version}")
        elif name in asked:
            found.append(f"{name}{asked[name].fact.specifier}")
    return found


def virtual_environment(work: Path, root: Path, python: str, wanted: list[str]) -> Path | None:
    key = hashlib.sha256(json.dumps([python, wanted]).encode()).hexdigest()[:12]
    home = work / key
    interpreter = home / "bin" / "python"
    if (home / "done").exists():
        return interpreter
    shutil.rmtree(home, ignore_errors=True)
    short = ".".join(python.split(".")[:2])
    bases = sorted(root.glob(f"{short}.*/bin/python"))
    if not bases or not run([str(bases[-1]), "-m", "venv", str(home)]):
        return None
    pip = [str(interpreter), "-m", "pip", "--no-cache-dir", "install", "-q"]
    if short == "3.6":
        run([*pip, "pip==21.3.1", "setuptools<60"])
    pip += ["--disable-pip-version-check", "--only-binary", ":all:"]
    # What XGBoost asks for besides is for graphics cards.
    bare = [name for name in wanted if name.startswith("xgboost")]
    rest = [name for name in wanted if name not in bare] + (["scipy"] if bare else [])
    if (rest and not run([*pip, *rest])) or (bare and not run([*pip, "--no-deps", *bare])):
        return None
    (home / "done").touch()
    return interpreter


def really(repository: Path, load: Load, interpreter: Path) -> dict[str, Any]:
    from auditor.artifacts.features import contract

    fitted = contract(load.artifact.facts)
    width = str((fitted.count if fitted else None) or 0)
    names = json.dumps(list(fitted.names) if fitted and fitted.names else [])
    home = repository.resolve()
    folders = {home, (home / load.artifact.path).parent}
    if load.access is not None:
        folders.add((home / load.access.at.path).parent)
    command = [
        "bwrap", "--ro-bind", "/", "/", "--tmpfs", "/run", "--dev", "/dev", "--unshare-all",
        "--die-with-parent", "--clearenv", "--setenv", "PYTHONPATH", ":".join(map(str, folders)),
        "--setenv", "OMP_NUM_THREADS", "1", "--setenv", "PYTHONDONTWRITEBYTECODE", "1",
        "--setenv", "TMPDIR", "/run", "--setenv", "HOME", "/run",
        "--chdir", str(home), str(interpreter), "-c", LOADER,
        str(home / load.artifact.path), load.loader, width, names,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"outcome": "fails", "detail": f"exit {done.returncode}: {done.stderr[-200:]}"}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("repositories", type=Path, nargs="+")
    parser.add_argument("--python-root", type=Path, default=Path.home() / ".pyenv" / "versions")
    parser.add_argument("--most", type=int, default=4, help="loads per environment")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    wrong = compared = 0
    for repository in arguments.repositories:
        count: dict[str, int] = {}
        for load in deployment_of(repository, Settings()).loads:
            claim = load.environment.python
            python = claim.version if claim is not None and claim.version else NEWEST
            count[load.environment.name] = count.get(load.environment.name, 0) + 1
            if (
                load.artifact.facts.verdict != "safe"
                or count[load.environment.name] > arguments.most
            ):
                continue
            wanted = pins(load.environment)
            interpreter = virtual_environment(arguments.work, arguments.python_root, python, wanted)
            if interpreter is None:
                print(
                    f"{repository.name}: Python {python} with {wanted} does not install", flush=True
                )
                continue
            truth = really(repository, load, interpreter)
            said = load.result
            compared += 1
            agree = said.outcome in (truth["outcome"], "unknown")
            wrong += not agree
            print(
                f"{'same ' if agree else 'OTHER'} {repository.name} {load.artifact.path} "
                f"[{load.loader}] in {load.environment.name} (Python {python}): "
                f"said {said.outcome}, {truth['outcome']}: {truth['detail']}"
                + (f"\n      because {said.reasons[0].message}" if said.reasons else ""),
                flush=True,
            )
    print(f"{compared} loads compared, {wrong} otherwise than said")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
