"""Fit every estimator on named columns, predict with other ones, and say what really happened.

Runs inside an environment that has the libraries; prints JSON. ``make_feature_checks.py`` calls it
once per environment. Nothing of deploy-audit is imported here.
"""

from __future__ import annotations

import importlib
import json
import warnings
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ["aa", "bb", "cc"]
# Each case is one letter of a row of the table, in this order.
CASES = ("renamed", "missing", "extra", "reordered", "array", "array-short", "array-long")


def inputs(frame: Any) -> dict[str, Any]:
    """The same rows under other names, with fewer or more columns, in another order, unnamed."""
    values = frame.to_numpy()
    return {
        "renamed": frame.rename(columns={"cc": "dd"}),
        "missing": frame[["aa", "bb"]],
        "extra": frame.assign(dd=frame["aa"] + 1.0),
        "reordered": frame[["cc", "aa", "bb"]],
        "array": values,
        "array-short": values[:, :2],
        "array-long": np.hstack([values, values[:, :1]]),
    }


def observe(model: Any, method: str, frame: Any) -> str:
    """One letter per case: e raises, w warns of the names, d answers otherwise, s the same."""
    letters = []
    right = np.asarray(getattr(model, method)(frame), dtype=float)
    for case in CASES:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                answer = np.asarray(getattr(model, method)(inputs(frame)[case]), dtype=float)
            except Exception:
                letters.append("e")
                continue
        text = " ".join(str(w.message) for w in caught)
        if "feature names" in text.lower() or "feature_names" in text:
            letters.append("w")
        elif answer.shape == right.shape and np.allclose(answer, right, equal_nan=True):
            letters.append("s")
        else:
            letters.append("d")
    return "".join(letters)


def candidates() -> list[tuple[str, Any, bool]]:
    """(dotted class, unfitted instance, is a classifier) of everything that predicts."""
    found: list[tuple[str, Any, bool]] = []
    try:
        from sklearn.utils import all_estimators
    except ImportError:
        return found
    for kind in ("classifier", "regressor", "cluster", "outlier"):
        try:
            every = all_estimators(type_filter=kind) if kind != "outlier" else all_estimators()
        except ValueError:
            continue
        for _, cls in every:
            if not hasattr(cls, "predict"):
                continue
            try:
                made = cls()
            except TypeError:
                continue
            found.append((f"{cls.__module__}.{cls.__name__}", made, kind == "classifier"))
    for _, cls in all_estimators(type_filter="transformer"):
        try:
            found.append((f"{cls.__module__}.{cls.__name__}", cls(), False))
        except TypeError:
            continue
    for module, names in (
        ("xgboost", ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")),
        ("lightgbm", ("LGBMClassifier", "LGBMRegressor")),
        ("catboost", ("CatBoostClassifier", "CatBoostRegressor")),
    ):
        try:
            library = importlib.import_module(module)
        except Exception:
            continue
        for name in names:
            cls = getattr(library, name)
            options: dict[str, Any] = {"n_estimators": 20}
            if module == "lightgbm":
                options = {"n_estimators": 20, "min_child_samples": 2, "verbose": -1}
            if module == "catboost":
                options = {"iterations": 20, "verbose": False, "allow_writing_files": False}
            made = cls(**options)
            found.append((f"{cls.__module__}.{cls.__name__}", made, "Classifier" in name))
    return found


def boosters(frame: Any, target: Any) -> dict[str, str]:
    """The libraries' own boosters, as people save them."""
    rows: dict[str, str] = {}
    try:
        xgboost: Any = importlib.import_module("xgboost")

        booster = xgboost.train(
            {"objective": "reg:squarederror"}, xgboost.DMatrix(frame, target), num_boost_round=20
        )

        class Wrapped:
            def predict(self, data: Any) -> Any:
                return booster.predict(xgboost.DMatrix(data))

        rows["xgboost.core.Booster"] = observe(Wrapped(), "predict", frame)
    except ImportError:
        pass
    try:
        lightgbm: Any = importlib.import_module("lightgbm")

        tree = lightgbm.train(
            {"objective": "regression", "min_data_in_leaf": 2, "verbose": -1},
            lightgbm.Dataset(frame, target),
            num_boost_round=20,
        )
        rows["lightgbm.basic.Booster"] = observe(tree, "predict", frame)
    except (ImportError, OSError):
        pass
    return rows


def main() -> None:
    random = np.random.RandomState(7)
    frame = pd.DataFrame(
        {
            "aa": random.uniform(0, 1, 90),
            "bb": random.uniform(10, 30, 90),
            "cc": random.uniform(-500, 0, 90),
        }
    )
    number = frame["aa"] * 7 + frame["bb"] / 5 + frame["cc"] / 90 + 9
    label = (number > number.median()).astype(int)
    rows: dict[str, str] = {}
    versions: dict[str, str] = {}
    for name in ("sklearn", "xgboost", "lightgbm", "catboost"):
        try:
            versions[name] = importlib.import_module(name).__version__
        except Exception:
            continue
    for dotted, made, classifies in candidates():
        if dotted in rows:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                made.fit(frame, label if classifies else number)
                method = "predict" if hasattr(made, "predict") else "transform"
                rows[dotted] = observe(made, method, frame)
            except Exception:
                continue
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows.update(boosters(frame, number))
    print(json.dumps({"cases": CASES, "versions": versions, "rows": rows}))


if __name__ == "__main__":
    main()
