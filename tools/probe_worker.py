"""Asks the libraries of the environment that runs it; started by ``probe_releases.py``.

probe_worker.py names TOP …      what every module of these packages binds, once imported
probe_worker.py needs [CLASS …]  which attributes scikit-learn's estimators cannot do without
probe_worker.py others TOP       the same of the models of a library beside scikit-learn
"""

import copy
import importlib
import inspect
import json
import math
import os
import pickle
import pkgutil
import signal
import sys
import types
import warnings
from typing import Any, Dict, Iterator, List, Tuple

warnings.simplefilter("ignore")
ROOTS = (
    "predict_proba",
    "predict",
    "transform",
    "decision_function",
    "score_samples",
    "kneighbors",
)
SKIP = ("tests", "conftest", "setup", "testing", "_testing", "f2py", "distutils", "__main__")
Found = Dict[str, Any]


def names(tops: List[str]) -> Found:
    """module -> {names, open}; None where the module cannot be imported."""
    found: Found = {}
    for top in tops:
        try:
            package = importlib.import_module(top)
        except Exception as error:
            found[top] = {"error": "%s: %s" % (type(error).__name__, error)}
            continue
        found[top] = bound(package)
        for info in walk(package):
            try:
                module = importlib.import_module(info)
            except BaseException as error:
                found[info] = {"error": "%s: %s" % (type(error).__name__, error)}
                continue
            found[info] = bound(module)
    return found


def walk(package: Any) -> List[str]:
    result = []
    for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        last = info[1].rpartition(".")[2]
        if any(last.startswith(s) for s in SKIP):
            continue
        result.append(info[1])
        if info[2]:
            try:
                inner = importlib.import_module(info[1])
            except BaseException:
                continue
            result += walk(inner)
    return result


def bound(module: Any) -> Found:
    """Names of classes and functions; ``open`` where ``__getattr__`` invents some."""
    kept = []
    try:
        everything = dir(module)
    except Exception:
        everything = list(vars(module))
    for name in everything:
        if name.startswith("__") and name.endswith("__"):
            continue
        try:
            value = getattr(module, name)
        except BaseException:
            continue
        if not isinstance(value, types.ModuleType):
            kept.append(name)
    invented = False
    if "__getattr__" in vars(module):
        try:
            module.no_such_name_at_all  # noqa: B018
            invented = True
        except BaseException:
            pass
    path = getattr(module, "__file__", None) or ""
    # A module that forwards what it is asked for does not list it, unless it says so itself;
    # before Python 3.7 an object stands in for such a module.
    dynamic = "__getattr__" in vars(module) and "__dir__" not in vars(module)
    dynamic = dynamic or not isinstance(module, types.ModuleType)
    return {
        "names": kept,
        "open": invented,
        "compiled": path.endswith(".so"),
        "dynamic": dynamic,
    }


# ---- what estimators need ----


def samples() -> Dict[str, Tuple[Any, Any]]:
    import numpy as np

    x = np.array([[math.sin(i * 7.1 + j * 3.3) for j in range(4)] for i in range(40)])
    y = (x[:, 0] > 0).astype(int)
    words = ["red green", "green blue", "blue red red", "white"] * 5
    spread = np.linspace(0.5, 9.5, 40)
    return {
        "plain": (x, y),
        "numbers": (x, x[:, 0] * 2 + 1),
        "positive": (abs(x) + 0.1, y),
        "positive numbers": (abs(x) + 0.1, abs(x[:, 0]) + 0.5),
        "labels": (x, np.array([y, 1 - y]).T),
        "targets": (x, np.array([x[:, 0], x[:, 1]]).T),
        "one": (spread, spread * 2),
        "text": (words, [0, 1] * 10),
        "dictionaries": ([{"a": 1.0, "b": 2.0}, {"a": 3.0}] * 5, [0, 1] * 5),
        "texts": (np.array([["a"], ["b"], ["c"]] * 4), [0, 1, 0] * 4),
        "y": ([0, 1, 1, 0], None),
        "sets": ([[1, 2], [2], [3]], None),
        "square": (x[:4, :4].dot(x[:4, :4].T), y[:4]),
    }


def sparse() -> Dict[str, Tuple[Any, Any]]:
    from scipy.sparse import csr_matrix

    return {k: (csr_matrix(x), y) for k, (x, y) in samples().items() if k in ("plain", "numbers")}


def estimators() -> Dict[str, Any]:
    import sklearn

    for module in ("sklearn.experimental.enable_hist_gradient_boosting",
                   "sklearn.experimental.enable_iterative_imputer",
                   "sklearn.experimental.enable_halving_search_cv"):  # fmt: skip
        try:
            importlib.import_module(module)
        except ImportError:
            pass
    return estimators_of(sklearn)


def estimators_of(package: Any) -> Dict[str, Any]:
    from sklearn.base import BaseEstimator

    found: Dict[str, Any] = {}
    for info in walk(package):
        try:
            module = importlib.import_module(info)
        except BaseException:
            continue
        for value in vars(module).values():
            if (
                inspect.isclass(value)
                and issubclass(value, BaseEstimator)
                and value.__module__.startswith(package.__name__ + ".")
                and not inspect.isabstract(value)
            ):
                found[value.__module__ + ":" + value.__name__] = value
    return found


CHOICES = {
    "algorithm": ("auto", "brute", "kd_tree", "ball_tree", "SAMME", "SAMME.R", "lloyd", "elkan",
                  "full", "randomized", "arpack"),
    "solver": ("lbfgs", "liblinear", "saga", "svd", "eigen", "lsqr", "auto", "cd", "mu"),
    "kernel": ("linear", "rbf", "poly"),
    "loss": ("hinge", "log", "log_loss", "modified_huber", "squared_error", "exponential", "huber",
             "deviance", "ls", "quantile", "absolute_error", "poisson"),
    "penalty": ("l1", "l2", "elasticnet", None),
    "strategy": ("mean", "median", "most_frequent", "constant", "uniform", "quantile", "kmeans",
                 "stratified", "prior"),
    "handle_unknown": ("ignore", "error", "use_encoded_value", "infrequent_if_exist"),
    "drop": ("first", "if_binary"),
    "method": ("isotonic", "sigmoid", "yeo-johnson", "box-cox", "exact", "barnes_hut"),
    "encode": ("onehot", "onehot-dense", "ordinal"),
    "norm": ("l1", "l2", None),
    "analyzer": ("word", "char"),
    "weights": ("uniform", "distance"),
    "criterion": ("gini", "entropy", "squared_error", "mse", "friedman_mse", "absolute_error"),
    "splitter": ("best", "random"),
    "covariance_type": ("full", "tied", "diag", "spherical"),
    "decision_function_shape": ("ovo", "ovr"),
    "output_distribution": ("uniform", "normal"),
    "voting": ("hard", "soft"),
    "stack_method": ("auto", "predict"),
    "metric": ("euclidean", "manhattan", "minkowski"),
    "svd_method": ("lapack", "randomized"),
    "svd_solver": ("full", "randomized"),
    "fun": ("logcosh", "cube"),
    "binarize": (None, 0.0),
    "init": ("random", "zero"),
    "categorical_features": (None, [0]),
    "n_components": (1, 2),
    "shrinkage": ("auto", 0.5),
    "l1_ratio": (0.3,),
    "unknown_value": (None,),
    "min_frequency": (2,),
    "remainder": ("drop", "passthrough"),
    "sparse_threshold": (0, 1),
    "contamination": (0.1, "auto"),
    "novelty": (True,),
    "gamma": ("scale", "auto", 0.1),
}  # fmt: skip


def defaults(cls: Any) -> Found:
    import sklearn.linear_model as linear

    given: Found = {}
    try:
        parameters = inspect.signature(cls.__init__).parameters
    except (TypeError, ValueError):
        return given
    regression = "Regress" in cls.__name__ or "Transformed" in cls.__name__
    base = linear.Ridge() if regression else linear.LogisticRegression()
    named = [("a", base), ("b", copy.deepcopy(base))]
    for name, parameter in parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            continue
        if name in ("estimator", "base_estimator"):
            given[name] = base
        elif name in ("estimators",):
            given[name] = named
        elif name in ("steps",):
            from sklearn.preprocessing import StandardScaler

            given[name] = [("scale", StandardScaler()), ("model", base)]
        elif name == "transformer_list":
            from sklearn.preprocessing import StandardScaler

            given[name] = [("scale", StandardScaler())]
        elif name == "transformers":
            from sklearn.preprocessing import StandardScaler

            given[name] = [("scale", StandardScaler(), [0, 1])]
        elif name in ("param_grid", "param_distributions"):
            given[name] = {"alpha": [0.1, 1.0]} if regression else {"C": [0.1, 1.0]}
    if "n_iter" in parameters and "RandomizedSearch" in cls.__name__:
        given["n_iter"] = 2
    for name, small in (("n_estimators", 3), ("max_iter", 20), ("n_init", 2), ("cv", 2)):
        if name in parameters:
            given[name] = small
    if "random_state" in parameters:
        given["random_state"] = 0
    return given


def configurations(cls: Any) -> List[Found]:
    first = defaults(cls)
    found = [first]
    try:
        parameters = inspect.signature(cls.__init__).parameters
    except (TypeError, ValueError):
        return found
    for name, parameter in parameters.items():
        if isinstance(parameter.default, bool) and name not in ("verbose", "warm_start"):
            found.append(dict(first, **{name: not parameter.default}))
        if parameter.default is not inspect.Parameter.empty:
            found.extend(
                dict(first, **{name: choice})
                for choice in CHOICES.get(name, ())
                if choice != parameter.default
            )
    return found[:24]


def roots_of(model: Any) -> List[str]:
    """What a server calls: the prediction with its probabilities, else the first of the others."""
    found = [root for root in ROOTS if hasattr(model, root)]
    return found[:2] if found[:2] == ["predict_proba", "predict"] else found[:1]


class SlowError(Exception):
    pass


def alarm(*_: Any) -> None:
    raise SlowError


def works(model: Any, roots: List[str], x: Any) -> bool:
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        for root in roots:
            getattr(model, root)(x)
    except BaseException:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return True


def stored(model: Any) -> Any:
    """Attributes that a pickle of it holds: loading makes the others anew."""
    try:
        state = model.__getstate__()
    except Exception:
        return set(vars(model))
    return set(state) if isinstance(state, dict) else set(vars(model))


def dropped() -> Found:
    """class -> attributes that its pickles leave out."""
    found: Found = {}
    signal.signal(signal.SIGALRM, alarm)
    for key, cls in sorted(estimators().items()):
        own = [c for c in cls.__mro__ if "__getstate__" in vars(c)]
        if not own or own[0].__name__ in ("BaseEstimator", "object"):
            continue
        row = one(cls, defaults(cls), samples())
        if row is not None and row["dropped"]:
            found[key] = row["dropped"]
    return found


def settle(value: Any) -> Any:
    """The value of a parameter as a guard can name it."""
    if value is None or isinstance(value, (bool, str)):
        return value
    return "…"


def nested(model: Any) -> Dict[str, List[Any]]:
    """Estimators inside, by class."""
    from sklearn.base import BaseEstimator

    found: Dict[str, List[Any]] = {}
    seen = {id(model)}

    def visit(value: Any, depth: int) -> None:
        if id(value) in seen or depth > 6:
            return
        seen.add(id(value))
        if isinstance(value, BaseEstimator):
            key = type(value).__module__ + ":" + type(value).__name__
            found.setdefault(key, []).append(value)
            for inner in list(vars(value).values()):
                visit(inner, depth + 1)
        elif isinstance(value, dict):
            for inner in list(value.values()):
                visit(inner, depth + 1)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                visit(inner, depth + 1)
        elif type(value).__name__ == "ndarray" and value.dtype == object:
            for inner in value.ravel():
                visit(inner, depth + 1)

    for value in list(vars(model).values()):
        visit(value, 0)
    return found


def needs(only: List[str]) -> Found:
    """class -> one row per configuration that works: root, parameters, attributes that break.

    Of all estimators, or of those classes.
    """
    signal.signal(signal.SIGALRM, alarm)
    data = samples()
    found: Found = {}
    for key, cls in sorted(estimators().items()):
        if only and cls.__name__ not in only:
            continue
        rows = []
        for given in configurations(cls):
            row = one(cls, given, data)
            if row is not None:
                rows.append(row)
        if rows and "_sparse" in rows[0]["has"]:
            # What was fitted with sparse rows predicts by other code.
            row = one(cls, configurations(cls)[0], sparse())
            rows += [row] if row is not None else []
        if rows:
            found[key] = rows
    return found


def one(cls: Any, given: Found, data: Found) -> Any:
    for kind, (x, y) in data.items():
        signal.setitimer(signal.ITIMER_REAL, 4)
        try:
            model = cls(**copy.deepcopy(given))
            model = model.fit(x, y) if y is not None else model.fit(x)
        except BaseException:
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        roots = roots_of(model)
        sample = x[:3]
        if roots and not works(model, roots, sample):
            # A wrapper whose inner model knows no probabilities.
            roots = [r for r in roots if r != "predict_proba"]
        if not roots or not works(model, roots, sample):
            continue
        state = dict(vars(model))
        dropped = sorted(set(state) - stored(model))
        broken = []
        for attribute in sorted(state):
            value = model.__dict__.pop(attribute)
            if not works(model, roots, sample):
                broken.append(attribute)
            model.__dict__[attribute] = value
        inside: Dict[str, List[str]] = {}
        for name, objects in nested(model).items():
            attributes = {a for o in objects for a in vars(o)}
            for attribute in sorted(attributes):
                kept = [(o, o.__dict__.pop(attribute)) for o in objects if attribute in o.__dict__]
                if not works(model, roots, sample):
                    inside.setdefault(name, []).append(attribute)
                for holder, value in kept:
                    holder.__dict__[attribute] = value
            inside.setdefault(name, [])
        parameters = {k: settle(v) for k, v in state.items() if not k.endswith("_")}
        return {
            "kind": kind,
            "roots": roots,
            "parameters": parameters,
            "has": sorted(state),
            "needs": [a for a in broken if a not in dropped],
            "dropped": dropped,
            "inside": inside,
        }
    return None


# ---- libraries beside scikit-learn ----

Made = Tuple[Any, Any]


def fitted(top: str) -> Iterator[Made]:
    """(model, what a server does with it)"""
    import numpy as np

    x, y = samples()["plain"]
    uneven = (np.arange(40) % 4 == 0).astype(int)
    frame: Any = None
    if top == "category_encoders":
        import pandas

        frame = pandas.DataFrame({"a": ["x", "y", "z", "x"] * 10, "b": ["p", "q"] * 20})
    for cls in estimators_of(importlib.import_module(top)).values():
        given = defaults(cls)
        if frame is not None:
            model = trying(lambda c=cls, g=given: c(cols=["a", "b"], **g).fit(frame, y))  # type: ignore[misc]
            if model is not None:
                yield model, lambda m: m.transform(frame[:4])
        elif hasattr(cls, "fit_resample"):
            model = trying(lambda c=cls, g=given: resampled(c(**g), x, uneven))  # type: ignore[misc]
            if model is not None:
                yield model, lambda m: m.fit_resample(x, uneven)
        else:
            if top in ("lightgbm", "xgboost"):
                given = dict(given, n_estimators=3, n_jobs=1)
            for target in (y, x[:, 0]):
                model = trying(lambda c=cls, g=given, t=target: c(**g).fit(x, t))  # type: ignore[misc]
                if model is not None:
                    yield model, lambda m: asked(m, x[:3])
                    break


def resampled(sampler: Any, x: Any, y: Any) -> Any:
    sampler.fit_resample(x, y)
    return sampler


def asked(model: Any, x: Any) -> None:
    for root in roots_of(model):
        getattr(model, root)(x)


def trying(make: Any) -> Any:
    signal.setitimer(signal.ITIMER_REAL, 6)
    try:
        return make()
    except BaseException:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def results() -> Iterator[Made]:
    """Fitted models of statsmodels."""
    import numpy as np
    import statsmodels.api as sm

    x, _ = samples()["plain"]
    series = abs(x[:, 0]) + 1 + np.arange(40) * 0.05
    counts = np.arange(40) % 4
    regress: Any = lambda m: (m.predict(x[:3]), m.params)  # noqa: E731
    forecast: Any = lambda m: m.forecast(2)  # noqa: E731
    tsa = sm.tsa

    def of(path: str) -> Any:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module("statsmodels." + module), name)

    for make, use in (
        (lambda: sm.OLS(series, x).fit(), regress),
        (lambda: sm.WLS(series, x, weights=np.ones(40)).fit(), regress),
        (lambda: sm.GLS(series, x).fit(), regress),
        (lambda: sm.RLM(series, x).fit(), regress),
        (lambda: sm.QuantReg(series, x).fit(), regress),
        (lambda: sm.Logit(counts % 2, x).fit(disp=0), regress),
        (lambda: sm.Probit(counts % 2, x).fit(disp=0), regress),
        (lambda: sm.MNLogit(counts % 3, x).fit(disp=0), regress),
        (lambda: sm.Poisson(counts, x).fit(disp=0), regress),
        (lambda: sm.NegativeBinomial(counts, x).fit(disp=0), regress),
        (lambda: sm.GLM(series, x).fit(), regress),
        (lambda: sm.GLM(counts, x, family=sm.families.Poisson()).fit(), regress),
        (lambda: sm.GLM(counts % 2, x, family=sm.families.Binomial()).fit(), regress),
        (lambda: sm.GLM(series, x, family=sm.families.Gamma()).fit(), regress),
        (lambda: sm.GEE(series, x, groups=counts).fit(), regress),
        (lambda: sm.MixedLM(series, x, groups=counts).fit(), lambda m: m.fe_params),
        (lambda: tsa.SARIMAX(series, order=(1, 0, 0)).fit(disp=0), forecast),
        (lambda: tsa.SARIMAX(series, order=(1, 1, 1), seasonal_order=(1, 0, 0, 4)).fit(disp=0),
         forecast),
        (lambda: of("tsa.arima.model.ARIMA")(series, order=(1, 1, 0)).fit(), forecast),
        (lambda: tsa.UnobservedComponents(series, "llevel").fit(disp=0), forecast),
        (lambda: of("tsa.ar_model.AutoReg")(series, 2).fit(), forecast),
        (lambda: tsa.ExponentialSmoothing(series).fit(), forecast),
        (lambda: tsa.ExponentialSmoothing(series, trend="add", seasonal="add",
                                          seasonal_periods=4).fit(), forecast),
        (lambda: of("tsa.holtwinters.SimpleExpSmoothing")(series).fit(), forecast),
        (lambda: of("tsa.holtwinters.Holt")(series).fit(), forecast),
        (lambda: of("tsa.exponential_smoothing.ets.ETSModel")(series).fit(disp=0), forecast),
        (lambda: tsa.VAR(x[:, :2]).fit(1), lambda m: m.forecast(x[:2, :2], 2)),
        (lambda: (lambda k: (k.fit(), k)[1])(sm.nonparametric.KDEUnivariate(series)),
         lambda m: m.evaluate(1.5)),
        (lambda: of("distributions.empirical_distribution.ECDF")(series), lambda m: m(1.5)),
    ):  # fmt: skip
        model = trying(make)
        if model is not None:
            yield model, use


def inside(model: Any, top: str) -> Dict[str, List[Any]]:
    """Objects of the library that the model holds, itself among them, by class."""
    found: Dict[str, List[Any]] = {}
    seen = set()

    def visit(value: Any, depth: int) -> None:
        if id(value) in seen or depth > 8:
            return
        seen.add(id(value))
        if isinstance(value, dict):
            for inner in list(value.values()):
                visit(inner, depth + 1)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                visit(inner, depth + 1)
        elif not isinstance(value, type) and type(value).__module__.startswith(top + "."):
            key = type(value).__module__ + ":" + type(value).__name__
            found.setdefault(key, []).append(value)
            visit(getattr(value, "__dict__", None), depth + 1)

    visit(model, 0)
    return found


def others(top: str) -> Found:
    """class -> one row for each model that holds one: the attributes that its use breaks without.

    Each attribute is taken from a copy that went through a pickle, as a server's did.
    """
    signal.signal(signal.SIGALRM, alarm)
    found: Found = {}
    for model, use in results() if top == "statsmodels" else fitted(top):
        blob = trying(lambda m=model: pickle.dumps(m))  # type: ignore[misc]
        if blob is None or not lives(blob, use):
            continue
        root = type(model).__module__ + ":" + type(model).__name__
        for key, objects in inside(pickle.loads(blob), top).items():
            if top != "statsmodels" and key != root:
                # What an ensemble holds was a template, or is not asked.
                continue
            attributes = sorted({a for o in objects for a in vars(o)})
            state = vars(objects[0])
            row = {
                "kind": root,
                "roots": [],
                "parameters": {k: settle(v) for k, v in state.items() if not k.endswith("_")},
                "has": attributes,
                "needs": [a for a in attributes if not lives(blob, use, top, key, a)],
                "dropped": [],
                "inside": {},
            }
            found.setdefault(key, []).append(row)
    return found


def lives(blob: bytes, use: Any, top: str = "", key: str = "", attribute: str = "") -> bool:
    """Whether the model is still of use, once loaded and robbed of an attribute."""
    signal.setitimer(signal.ITIMER_REAL, 5)
    try:
        copied = pickle.loads(blob)
        for holder in inside(copied, top)[key] if key else ():
            vars(holder).pop(attribute, None)
        use(copied)
    except BaseException:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return True


def main() -> None:
    action, *rest = sys.argv[1:]
    out = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    if action == "names":
        result = names(rest)
    elif action == "others":
        result = others(rest[0])
    else:
        result = dropped() if action == "dropped" else needs(rest)
    with os.fdopen(out, "w") as file:
        json.dump(result, file)
    os._exit(0)


if __name__ == "__main__":
    main()
