"""Runs inside an environment: loads damaged variants of artifacts and says what happened.

``damaged.py LIST TABLE SEED TURNS``: LIST has a path and its writer a line; what is done to a file
is drawn from its name and the seed. A row of TABLE: path, writer, what was done, outcome, message.
Each load runs in a child, which asks the object what it can answer and compares with the whole one.
"""

import importlib
import json
import os
import pickle
import random
import signal
import sys
import warnings
from typing import Any, Callable, List, Tuple

LIBRARIES = (
    "numpy", "scipy.stats", "scipy.sparse", "scipy.interpolate", "sklearn.ensemble", "sklearn.pipeline",
    "sklearn.compose", "sklearn.svm", "sklearn.neighbors", "sklearn.linear_model", "pandas", "xgboost",
    "lightgbm", "joblib", "cloudpickle", "dill",
)  # fmt: skip
MEMORY = 6 << 30
TEXTS = ["red fish", "blue fish red", "the good one", "bad spam mail", ""]
ASKED = ("predict", "predict_proba", "decision_function", "transform")
# How many columns, or what else, a model may take.
SIZES = (4, 3, 2, 5, 6, 8, 10, 1, "text", "one", "positive", 7, 9)


def damaged(data: bytes, spec: str) -> bytes:
    """``kind:place:…``: what was done."""
    kind, *rest = spec.split(":")
    at, *more = [int(number) for number in rest]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ more[0]]) + data[at + 1 :]
    if kind == "cut":
        return data[:at]
    if kind == "zero":
        return data[:at] + bytes(min(more[0], len(data) - at)) + data[at + more[0] :]
    if kind == "swap":
        return data[:at] + data[at + 1 : at + 2] + data[at : at + 1] + data[at + 2 :]
    if kind == "insert":
        return data[:at] + bytes([more[0]]) + data[at:]
    if kind == "drop":
        return data[:at] + data[at + 1 :]
    if kind == "repeat":
        return data[: at + more[0]] + data[at : at + more[0]] + data[at + more[0] :]
    raise ValueError(spec)


def specs(name: str, size: int, seed: str, turns: int) -> List[str]:
    """What is done to a file of that name and size."""
    if size < 8:
        return []
    draw = random.Random(name + seed)
    place = lambda: draw.randrange(size - 1)  # noqa: E731
    found = ["flip:%d:85" % (size // 2)]
    for _ in range(turns):
        found += ["flip:%d:85" % place() for _ in range(5)]
        found += ["flip:%d:%d" % (place(), 1 << draw.randrange(8)) for _ in range(2)]
        found += [
            "flip:%d:255" % place(),
            "cut:%d" % place(),
            "zero:%d:%d" % (place(), draw.choice((1, 4, 16, 64))),
            "swap:%d" % place(),
            "insert:%d:%d" % (place(), draw.randrange(256)),
            "drop:%d" % place(),
            "repeat:%d:%d" % (place(), draw.choice((1, 8, 32))),
        ]
    return found


def opened(path: str, writer: str) -> Any:
    kind = writer.partition("@")[0]
    if kind.startswith("joblib"):
        return importlib.import_module("joblib").load(path)
    if kind == "topickle":
        return importlib.import_module("pandas").read_pickle(path)
    with open(path, "rb") as file:
        return (importlib.import_module("dill") if kind == "dill" else pickle).load(file)


def plain(value: Any, depth: int = 0) -> Any:
    import numpy as np

    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, np.void):
        return repr(value)
    if isinstance(value, np.generic):
        return plain(value.item(), depth + 1)
    if isinstance(value, np.ndarray):
        return [str(value.dtype), plain(value.tolist(), depth + 1)]
    if depth > 8:
        return "…"
    if isinstance(value, dict):
        return {repr(key): plain(held, depth + 1) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(held, depth + 1) for held in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    if hasattr(value, "toarray"):
        return plain(value.toarray(), depth + 1)
    text = repr(value)
    return text if " at 0x" not in text else type(value).__name__


def rows(size: Any) -> Any:
    import numpy as np

    if size == "text":
        return TEXTS
    if size == "one":
        return np.array([0.5, 1.5, 2.5])
    if size == "positive":
        return abs(rows(4))
    return np.random.RandomState(3).uniform(-2, 2, size=(12, size or 4))


def answers(made: Any, size: Any) -> Any:
    """What the object says to what it can be asked; plain values otherwise."""
    import numpy as np

    if type(made).__module__.startswith("pandas"):
        if not hasattr(made, "to_dict"):
            return [repr(made)]
        parts = [made.to_dict(), repr(getattr(made, "dtypes", "")), repr(made.index), repr(made)]
        return plain([*parts, getattr(made, "values", None)])
    if isinstance(made, dict):
        return {repr(key): answers(value, size) for key, value in made.items()}
    if isinstance(made, type):
        own = {k: v for k, v in vars(made).items() if not k.startswith("__")}
        return [made.__name__, repr(plain(own))]
    if type(made).__name__ == "Booster" and type(made).__module__.startswith("xgboost"):
        data = importlib.import_module("xgboost").DMatrix(
            rows(size), feature_names=made.feature_names
        )
        return plain(made.predict(data))
    if hasattr(made, "predict") or (hasattr(made, "transform") and hasattr(made, "fit")):
        return [[m, plain(getattr(made, m)(rows(size)))] for m in ASKED if hasattr(made, m)]
    if hasattr(made, "kneighbors"):
        return plain(made.kneighbors(rows(size)))
    if hasattr(made, "random_sample"):
        return plain([made.random_sample(3), made.randint(0, 100, 3)])
    if hasattr(made, "standard_normal"):
        return plain([made.standard_normal(3), made.integers(0, 99, 3)])
    if hasattr(made, "query") and not isinstance(made, np.ndarray):
        return plain(made.query(rows(np.asarray(made.data).shape[1])))
    if callable(made):
        return plain(_called(made))
    return plain(made.run(2.0) if hasattr(made, "run") else made)


def _called(made: Any) -> Any:
    import numpy as np

    last: Exception = TypeError("not called")
    for argument in (2.0, rows(2), np.array([1.5])):
        try:
            return made(argument)
        except Exception as error:
            last = error
    raise last


def size_of(made: Any) -> Any:
    """What the object takes; 0 where it is not asked."""
    if isinstance(made, dict):
        return next((found for found in map(size_of, made.values()) if found), 0)
    if any(hasattr(made, method) for method in ("predict", "transform", "kneighbors")):
        for size in SIZES:
            try:
                answers(made, size)
            except Exception:
                continue
            return size
    return 0


def same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return bool(one == other)
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if one != one or other != other:
            return one != one and other != other
        return one == other or abs(one - other) <= 1e-6 + 1e-5 * abs(one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def child(work: Callable[[], Any], seconds: int = 10) -> Any:
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        signal.alarm(seconds)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        try:
            answer = json.dumps(work())
        except BaseException as error:
            answer = json.dumps(["harness", type(error).__name__ + " " + str(error)[:100]])
        with os.fdopen(write, "wb") as file:
            file.write(answer.encode("utf-8", "replace"))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        data = file.read()
    _, status = os.waitpid(pid, 0)
    if data:
        return json.loads(data.decode())
    return ["crash:%d" % status, ""]


def attempt(path: str, writer: str, size: Any, wanted: Any) -> Tuple[str, str]:
    try:
        made = opened(path, writer)
    except BaseException as error:
        return "load_fails:" + type(error).__name__, str(error)[:150]
    try:
        got = json.loads(json.dumps(answers(made, size)))
    except BaseException as error:
        return "predict_fails:" + type(error).__name__, str(error)[:150]
    return ("ok", "") if same(wanted, got) else ("predict_differs", json.dumps(got)[:100])


def whole(path: str, writer: str) -> Any:
    size = size_of(opened(path, writer))
    return ["ok", size, answers(opened(path, writer), size)]


def main(listing: str, table: str, seed: str, turns: str) -> None:
    warnings.simplefilter("ignore")
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except Exception:
            continue
    with open(listing) as file:
        todo = [line.rstrip("\n").split("\t") for line in file]
    with open(table, "w") as out:
        for path, writer in todo:
            before = child(lambda p=path, w=writer: whole(p, w), 30)  # type: ignore[misc]
            if before[0] != "ok":
                print("not asked:", os.path.basename(path), *before[:2], flush=True)
                continue
            with open(path, "rb") as file:
                data = file.read()  # type: ignore[assignment]
            target = table + ".tmp" + os.path.splitext(path)[1]
            for spec in specs(os.path.basename(path), len(data), seed, int(turns)):
                hurt = damaged(data, spec)  # type: ignore[arg-type]
                if hurt == data:
                    continue
                with open(target, "wb") as file:
                    file.write(hurt)  # type: ignore[arg-type]
                found = child(lambda: attempt(target, writer, before[1], before[2]))  # noqa: B023
                row = (path, writer, spec, found[0], " ".join(str(found[1]).split()))
                out.write("\t".join(row) + "\n")
                out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
