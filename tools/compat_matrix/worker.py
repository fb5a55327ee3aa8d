"""Runs inside an environment of the matrix: writes its artifacts, or loads others'.

worker.py write FOLDER ENVIRONMENT [PREFIX,…]
worker.py load FOLDER ENVIRONMENT PRODUCER,… [SHARE]     only one in so many, chosen by its name
worker.py describe FOLDER ENVIRONMENT PROJECT
"""

import base64
import bz2
import contextlib
import gzip
import hashlib
import importlib
import io
import json
import math
import os
import pickle
import platform
import signal
import sys
import time
import traceback
import warnings
import zipfile
from typing import Any

SECONDS = 30
# Each load forks from a process that has these: what a child imports, it imports every time.
SERVED = (
    "numpy", "scipy.stats", "scipy.sparse", "scipy.spatial", "sklearn.ensemble", "sklearn.pipeline",
    "sklearn.compose", "sklearn.svm", "sklearn.neighbors", "sklearn.linear_model", "sklearn.cluster",
    "sklearn.decomposition", "sklearn.gaussian_process", "sklearn.feature_extraction.text", "pandas",
    "xgboost", "lightgbm", "catboost", "statsmodels.api", "statsmodels.tsa.api", "imblearn.ensemble",
    "imblearn.pipeline", "category_encoders", "gensim.models", "hmmlearn.hmm", "polars", "torch",
    "keras", "skops.io",
)  # fmt: skip
EXTENSIONS = {"joblib": "joblib", "torch": "pt", "skops": "skops", "dill": "dill",
              "keras": "keras", "npy": "npy"}  # fmt: skip
# What happens to files on the way, as writers: ``pickle@cut`` opens with pickle what was cut.
DAMAGE = {
    "cut": lambda data: data[: len(data) * 2 // 3],
    "headless": lambda data: data[2:],
    "gzipped": gzip.compress,
    "bzipped": bz2.compress,
    "ended": lambda data: data + b"\n\n",
    "twice": lambda data: data + data,
    "text": lambda data: data.replace(b"\n", b"\r\n"),
    "encoded": base64.b64encode,
    "last": lambda data: data[:-1],
    "tail": lambda data: data[:-9],
    "marked": lambda data: b"\xef\xbb\xbf" + data,
    "mangled": lambda data: data.decode("utf-8", "replace").encode(),
    "nuls": lambda data: data + bytes(64),
    "nothing": lambda data: b"",
    "page": lambda data: b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
    "pointer": lambda data: POINTER % (hashlib.sha256(data).hexdigest().encode(), len(data)),
    "printed": lambda data: json.dumps({"model": len(data)}).encode(),
    "zipped": lambda data: zipped(data),
    "flipq": lambda data: flipped(data, 0.25),
    "flipm": lambda data: flipped(data, 0.5),
    "flipt": lambda data: flipped(data, 0.75),
}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n"


def flipped(data: bytes, where: float) -> bytes:
    """One byte is another: all the bits of its upper half, or of every second place."""
    place = int(len(data) * where)
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


def zipped(data: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("model.pkl", data)
    return target.getvalue()


# The extension decides how these are written.
BY_EXTENSION = ("save", "keras")


def libraries() -> None:
    """What the study's server imports before it loads."""
    for name in SERVED:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def known() -> Any:
    """The recipes, of all modules."""
    import recipes
    import recipes_boosted  # noqa: F401
    import recipes_eighth  # noqa: F401
    import recipes_fair  # noqa: F401
    import recipes_fifth  # noqa: F401
    import recipes_fourth  # noqa: F401
    import recipes_seventh  # noqa: F401
    import recipes_sixth  # noqa: F401
    import recipes_third  # noqa: F401

    return recipes


def write(folder: str, environment: str, only: str = "") -> None:
    recipes = known()
    rows = []
    todo = dict(recipes.RECIPES)
    with contextlib.suppress(ImportError):
        for start, made in recipes.FAMILIES.items():
            if not only or any(part.startswith(start) for part in only.split(",")):
                found = made(only)
                todo.update(
                    (name, (("sklearn",), ("pickle",), make)) for name, make in found.items()
                )
    for name, (needs, writers, make) in sorted(todo.items()):
        if not name.startswith(tuple(only.split(","))):
            continue
        try:
            for need in needs:
                importlib.import_module(need)
            if "project" in name.lower():
                importlib.import_module("shop")
        except Exception:
            continue
        for writer in writers:
            base, _, option = writing(writer).partition("-")
            suffix = EXTENSIONS.get(base, "pkl")
            if base in BY_EXTENSION and option:
                suffix = option
            if base == "torchscript":
                suffix = "pt"
            artifact = "%s__%s__%s.%s" % (environment, name, writer, suffix)
            target = os.path.join(folder, "artifacts", artifact)
            try:
                warnings.simplefilter("ignore")
                value = make()
                expected = json.dumps(recipes.exercise(name, make()))
                protocol = dump(value, writing(writer), target)
            except Exception as error:
                print("not written", artifact, type(error).__name__, str(error)[:200], flush=True)
                if os.path.exists(target):
                    os.unlink(target)
                continue
            with open(target + ".expected", "w") as file:
                file.write(expected)
            kind = "project" if "project" in name.lower() else (needs[0] if needs else "stdlib")
            rows.append(
                (artifact, environment, name, writer, protocol, kind, os.path.getsize(target))
            )
    with open(os.path.join(folder, "made", environment + ".tsv"), "w") as file:
        for row in rows:
            file.write("\t".join(map(str, row)) + "\n")


def writing(serializer: str) -> str:
    """``pickle@joblib`` is opened by the first and written by the second."""
    return serializer.rpartition("@")[2]


def dump(value: Any, writer: str, target: str) -> Any:
    base, _, option = writer.partition("-")
    if base in DAMAGE:
        # ``cut-joblib_xz`` is done to what joblib wrote so.
        dump(value, option.replace("_", "-") or "pickle", target)
        with open(target, "rb") as file:
            data = file.read()
        with open(target, "wb") as file:
            file.write(DAMAGE[base](data))
        return pickle.DEFAULT_PROTOCOL
    if base == "joblib":
        import joblib

        joblib.dump(value, target, compress=(option, 3) if option else 0)
        return ""
    if base == "torch":
        import torch

        torch.save(value, target, _use_new_zipfile_serialization=option != "legacy")
        return 2
    if base == "skops":
        import skops.io

        skops.io.dump(value, target)
        return ""
    if base == "npy":
        import numpy

        numpy.save(target, value)
        return ""
    if base == "save":
        if option == "json" and type(value).__module__.startswith("catboost"):
            value.save_model(target, format="json")
        else:
            value.save_model(target)
        return ""
    if base in ("keras", "torchscript"):
        value.save(target)
        return ""
    if base == "topickle":
        import pandas

        pandas.to_pickle(value, target)
        return pickle.HIGHEST_PROTOCOL
    protocol = int(option[1:]) if option else pickle.DEFAULT_PROTOCOL
    if protocol > pickle.HIGHEST_PROTOCOL:
        raise ValueError("protocol")
    with open(target, "wb") as file:
        if base in ("cloudpickle", "dill"):
            importlib.import_module(base).dump(value, file)
            return pickle.HIGHEST_PROTOCOL
        pickle.dump(value, file, protocol=protocol)
    return protocol


def open_artifact(path: str, name: str, writer: str) -> Any:
    base, _, option = writer.partition("@")[0].partition("-")
    if base == "npy":
        import numpy

        return numpy.load(path, allow_pickle=True)
    if base == "save":
        if name.startswith("LGBM") or "-lgb_" in name:
            import lightgbm

            return lightgbm.Booster(model_file=path)
        if name.startswith("CatBoost"):
            import catboost

            return getattr(catboost, name)().load_model(path, format=option)
        import xgboost

        if "-xgb_frame" in name:
            name = "XGBRegressor"
        model = getattr(xgboost, name)() if hasattr(xgboost, name) else xgboost.Booster()
        model.load_model(path)
        return model
    if base == "keras":
        try:
            import keras
        except ImportError:
            from tensorflow import keras
        return keras.models.load_model(path)
    if base == "torchscript":
        import torch

        return torch.jit.load(path)
    if base == "joblib":
        import joblib

        return joblib.load(path)
    if base == "torch":
        import torch

        return torch.load(path) if option == "default" else torch.load(path, weights_only=False)
    if base == "skops":
        import skops.io

        return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    if base == "dill":
        import dill

        with open(path, "rb") as file:
            return dill.load(file)
    if base == "topickle":
        import pandas

        return pandas.read_pickle(path)
    with open(path, "rb") as file:
        return pickle.load(file)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return abs(one - other) <= 1e-6 + 1e-5 * abs(one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return bool(one == other)


def clean(text: str) -> str:
    return " ".join(text.split())[:200]


def attempt(path: str, name: str, writer: str) -> Any:
    """(outcome, message, detail)"""
    recipes = known()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            value = open_artifact(path, name, writer)
        except BaseException as error:
            return "load_fails:" + type(error).__name__, clean(str(error)), _frame()
        loud = [
            w
            for w in seen
            if "version" in str(w.message).lower()
            and "deprecat" not in str(w.message).lower()
            # That its old functions will not be read one day is not said of this load.
            and "version of cloudpic" not in str(w.message)
        ]
        try:
            got = json.loads(json.dumps(recipes.exercise(name, value)))
        except BaseException as error:
            return "predict_fails:" + type(error).__name__, clean(str(error)), _frame()
    with open(path + ".expected") as file:
        if not same(json.load(file), got):
            return "predict_differs", clean(json.dumps(got)), ""
    if loud:
        return "ok_version_warning", clean(str(loud[0].message)), ""
    return "ok", "", ""


def _frame() -> str:
    frames = traceback.extract_tb(sys.exc_info()[2])
    last = frames[-1]
    return "%s:%s:%s" % (os.path.basename(last[0]), last[1], last[2])


def load(folder: str, environment: str, producers: str, share: str = "1") -> None:
    libraries()
    # Children are copies of this process: what they all need, it has.
    known()
    for producer in producers.split(","):
        load_all(folder, environment, producer, int(share))


def load_all(folder: str, environment: str, producer: str, share: int) -> None:
    """Every artifact in a child of its own: a foreign one may crash the interpreter."""
    with open(os.path.join(folder, "made", producer + ".tsv")) as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    target = os.path.join(folder, "loads", producer + "__" + environment + ".tsv")
    with open(target + ".part", "w") as out:
        for artifact, _, name, writer, *_rest in rows:
            chosen = hashlib.md5((artifact + environment).encode()).digest()
            if int.from_bytes(chosen[:4], "big") % share:
                continue
            path = os.path.join(folder, "artifacts", artifact)
            outcome, message, detail = child(path, name, writer)
            cause = outcome if outcome.startswith("ok") else outcome + " " + _cause(message)
            row = (artifact, environment, outcome, message, detail, cause, "")
            out.write("\t".join(row) + "\n")
            out.flush()
    os.rename(target + ".part", target)


def _cause(message: str) -> str:
    return " ".join(message.split()[:4]).replace("'", "")


def child(path: str, name: str, writer: str) -> Any:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        signal.alarm(SECONDS)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            answer = json.dumps(attempt(path, name, writer))
        except BaseException as error:
            answer = json.dumps(("harness", type(error).__name__, str(error)[:200]))
        os.write(write, answer.encode())
        os._exit(0)
    os.close(write)
    data = b""
    while True:
        chunk = os.read(read, 65536)
        if not chunk:
            break
        data += chunk
    os.close(read)
    _, status = os.waitpid(pid, 0)
    if data:
        return json.loads(data.decode())
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGALRM:
            return "crash:timeout", "no answer within %d s" % SECONDS, ""
        return "crash:signal%d" % number, "process died by signal %d" % number, ""
    return "crash:exit%d" % os.WEXITSTATUS(status), "process exited", ""


def describe(folder: str, environment: str, project: str) -> None:
    try:
        from importlib.metadata import distributions
    except ImportError:
        import pkg_resources

        found = {d.project_name: d.version for d in pkg_resources.working_set}
    else:
        found = {d.metadata["Name"]: d.version for d in distributions()}
    data = {
        "id": environment,
        "python": platform.python_version(),
        "pickle_highest": pickle.HIGHEST_PROTOCOL,
        "pickle_default": pickle.DEFAULT_PROTOCOL,
        "dists": {k: v for k, v in found.items() if k not in ("pip", "wheel")},
        "project": project,
    }
    with open(os.path.join(folder, "envs", environment + ".json"), "w") as file:
        json.dump(data, file, indent=1, sort_keys=True)


if __name__ == "__main__":
    started = time.time()
    command, *arguments = sys.argv[1:]
    {"write": write, "load": load, "describe": describe}[command](*arguments)  # type: ignore[operator]
    print(command, *arguments[1:], "%.0f s" % (time.time() - started), flush=True)
