"""Every objective and booster of XGBoost and LightGBM that the release knows, as plain boosters."""

import functools
import importlib
from typing import Any, Callable, Dict

from recipes import FAMILIES, FAMILY_USES, xy

BOOSTED = "boosted-"
XGBOOST = {
    "binary:logistic": "class", "binary:logitraw": "class", "binary:hinge": "class",
    "reg:linear": "number", "reg:squarederror": "number", "reg:squaredlogerror": "positive",
    "reg:logistic": "class", "reg:pseudohubererror": "number", "reg:absoluteerror": "number",
    "reg:quantileerror": "number", "reg:gamma": "positive", "reg:tweedie": "positive",
    "count:poisson": "positive", "rank:pairwise": "rank", "rank:ndcg": "rank", "rank:map": "rank",
    "multi:softmax": "three", "multi:softprob": "three", "survival:cox": "positive",
    "survival:aft": "bounds",
}  # fmt: skip
EXTRA: Dict[str, Dict[str, Any]] = {
    "linear": {"booster": "gblinear"}, "dart": {"booster": "dart", "rate_drop": 0.3},
    "exact": {"tree_method": "exact"}, "hist": {"tree_method": "hist"},
    "approx": {"tree_method": "approx"}, "leaves": {"tree_method": "hist", "grow_policy": "lossguide"},
    "scored": {"base_score": 0.3}, "half": {"base_score": 0.5}, "constrained": {"monotone_constraints": "(1,0,0,0)"},
    "parallel": {"num_parallel_tree": 2}, "inside": {"interaction_constraints": "[[0, 1], [2, 3]]"},
}  # fmt: skip
LIGHTGBM = {
    "regression": "number", "regression_l1": "number", "huber": "number", "fair": "number",
    "poisson": "positive", "quantile": "number", "mape": "positive", "gamma": "positive",
    "tweedie": "positive", "binary": "class", "multiclass": "three", "multiclassova": "three",
    "cross_entropy": "class", "lambdarank": "rank", "rank_xendcg": "rank",
}  # fmt: skip
LIGHT_EXTRA: Dict[str, Dict[str, Any]] = {
    "dart": {"boosting": "dart"}, "goss": {"boosting": "goss"},
    "rf": {"boosting": "rf", "bagging_fraction": 0.7, "bagging_freq": 1, "feature_fraction": 0.7},
    "linear": {"linear_tree": True}, "categories": {"categorical_feature": [0]},
    "monotone": {"monotone_constraints": [1, 0, 0, 0]}, "extra": {"extra_trees": True},
}  # fmt: skip


def _target(kind: str) -> Any:
    x, y = xy()
    if kind == "class":
        return y
    if kind in ("positive", "bounds"):
        return abs(x[:, 0]) + 0.5
    if kind in ("three", "rank"):
        return [i % 3 for i in range(len(x))]
    return x[:, 0] * 2 + 1


def _xgboost(objective: str, kind: str, extra: Dict[str, Any]) -> Any:
    xgboost = importlib.import_module("xgboost")
    x, _ = xy()
    data = xgboost.DMatrix(x, label=_target(kind))
    if kind == "rank":
        data.set_group([20, 20, 20])
    if kind == "bounds":
        data.set_float_info("label_lower_bound", _target(kind))
        data.set_float_info("label_upper_bound", _target(kind) + 1)
    options = dict({"objective": objective, "max_depth": 2, "nthread": 1, "eta": 0.4}, **extra)
    if kind == "three":
        options["num_class"] = 3
    if objective == "reg:quantileerror":
        options["quantile_alpha"] = 0.4
    return xgboost.train(options, data, 4)


def _lightgbm(objective: str, kind: str, extra: Dict[str, Any]) -> Any:
    lightgbm = importlib.import_module("lightgbm")
    x, _ = xy()
    extra = dict(extra)
    given: Dict[str, Any] = {"free_raw_data": False}
    if "categorical_feature" in extra:
        given["categorical_feature"] = extra.pop("categorical_feature")
        x = x.copy()
        x[:, 0] = [i % 4 for i in range(len(x))]
    if kind == "rank":
        given["group"] = [20, 20, 20]
    data = lightgbm.Dataset(x, _target(kind), **given)
    options = dict(
        {"objective": objective, "verbose": -1, "min_data_in_leaf": 3, "num_threads": 1}, **extra
    )
    if kind == "three":
        options["num_class"] = 3
    return lightgbm.train(options, data, 4)


def boosted(_: str) -> Dict[str, Callable[[], Any]]:
    """Recipes; what the release does not know is not written."""
    found: Dict[str, Callable[[], Any]] = {}
    for objective, kind in XGBOOST.items():
        name = BOOSTED + "xgb-" + objective.replace(":", "_")
        found[name + "-plain"] = functools.partial(_xgboost, objective, kind, {})
        if objective in ("binary:logistic", "reg:squarederror", "multi:softprob"):
            for label, extra in EXTRA.items():
                found["%s-%s" % (name, label)] = functools.partial(_xgboost, objective, kind, extra)
    for objective, kind in LIGHTGBM.items():
        name = BOOSTED + "lgb-" + objective
        found[name + "-plain"] = functools.partial(_lightgbm, objective, kind, {})
        if objective in ("regression", "multiclass"):
            for label, extra in LIGHT_EXTRA.items():
                found["%s-%s" % (name, label)] = functools.partial(
                    _lightgbm, objective, kind, extra
                )
    return found


def use(name: str, model: Any) -> Any:
    x, _ = xy()
    if "-lgb-" in name:
        return model.predict(abs(x[:5]) if name.endswith("categories") else x[:5])
    return model.predict(importlib.import_module("xgboost").DMatrix(x[:5]))


FAMILIES[BOOSTED] = boosted
FAMILY_USES[BOOSTED] = use
