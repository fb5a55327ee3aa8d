"""What a model answers whose training is known: made in this run, or pickled by an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.parsers.python.facts import Fitted
from auditor.parsers.python.values import (
    Col,
    Const,
    DictV,
    FieldV,
    ListV,
    Loaded,
    Obj,
    Table,
    Unk,
    V,
)

if TYPE_CHECKING:
    import ast

    from auditor.parsers.python.models import Models
    from auditor.parsers.python.sites import Site

# Packages of scikit-learn whose estimators all want a table of rows, and transformers that do.
_TABLES = frozenset(
    ["linear_model", "svm", "ensemble", "tree", "neighbors", "naive_bayes", "neural_network",
     "cluster", "decomposition", "discriminant_analysis"]
)  # fmt: skip
_SCALERS = frozenset(
    f"sklearn.preprocessing.{name}"
    for name in (
        "StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler", "Normalizer",
        "PolynomialFeatures", "OneHotEncoder", "OrdinalEncoder", "PowerTransformer",
        "QuantileTransformer",
    )
)  # fmt: skip
_ASKED = frozenset(
    [
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
        "transform",
        "score_samples",
    ]
)
# Classifiers that never give probabilities, and those that do where they are told to.
_NO_PROBABILITIES = frozenset(
    ["sklearn.svm.LinearSVC", "sklearn.svm.SVR", "sklearn.svm.LinearSVR",
     "sklearn.linear_model.RidgeClassifier", "sklearn.linear_model.Perceptron",
     "sklearn.linear_model.PassiveAggressiveClassifier", "sklearn.linear_model.LinearRegression",
     "sklearn.linear_model.Ridge", "sklearn.linear_model.Lasso", "sklearn.linear_model.ElasticNet",
     "sklearn.ensemble.RandomForestRegressor", "sklearn.ensemble.GradientBoostingRegressor",
     "sklearn.tree.DecisionTreeRegressor", "sklearn.neighbors.KNeighborsRegressor"]
)  # fmt: skip
_WHERE_TOLD = frozenset(["sklearn.svm.SVC", "sklearn.svm.NuSVC"])
_CLASSIFIERS = frozenset(
    f"sklearn.{name}"
    for name in (
        "svm.SVC", "svm.NuSVC", "svm.LinearSVC", "linear_model.LogisticRegression",
        "linear_model.Perceptron", "naive_bayes.GaussianNB", "naive_bayes.MultinomialNB",
        "naive_bayes.BernoulliNB", "naive_bayes.ComplementNB", "linear_model.LogisticRegressionCV",
    )
)  # fmt: skip
# Data sets that scikit-learn carries: columns, and NumPy's type of the target.
_DATASETS = {
    "load_iris": (4, "int64"), "load_wine": (13, "int64"), "load_breast_cancer": (30, "int64"),
    "load_digits": (64, "int64"), "load_diabetes": (10, "float64"),
}  # fmt: skip
_MADE = {"make_classification": (20, "int64"), "make_regression": (100, "float64")}


def loaded(models: Models, site: Site, target: V | None, made: V) -> None:
    """Remember what an object was fitted on that is loaded from a file which the build wrote."""
    path = models.run.sink.path(target).resolved if target is not None else None
    dump = models.run.program.dump(path) if isinstance(path, str) else None
    if dump is None or not isinstance(made, Obj):
        return
    for keys, known in dump.fits:
        if keys:
            models.members[id(made), keys] = (made, known)
        else:
            models.fits[id(made)] = (made, known)


def _known(models: Models, owner: V) -> Fitted | None:
    if isinstance(owner, Loaded):
        held = models.members.get((id(owner.source), owner.keys))
        return held[1] if held is not None else None
    found = models.fits.get(id(owner))
    return found[1] if found is not None else None


def ask(models: Models, site: Site, owner: V, attr: str) -> V | None:
    """``model.predict(rows)``: note what certainly raises; the answer, as far as it is known."""
    known = _known(models, owner) if attr in _ASKED else None
    if known is None or site.loose:
        return None
    run = models.run
    if attr in ("predict_proba", "predict_log_proba"):
        error = _without_probabilities(known, attr)
        if error:
            run.fails(
                site.node, error, f"`{known.last.rpartition('.')[2]}` as it was fitted gives none"
            )
            return None
    given = site.get(0, "X")
    if given is not None and _wants_rows(known.estimator) and _is_flat(given):
        run.fails(
            site.node,
            "ValueError: Expected 2D array, got 1D array instead",
            f"`{known.estimator.rpartition('.')[2]}` takes a table of rows, and this is one row",
        )
        return None
    if known.last == "sklearn.preprocessing.LabelEncoder" and attr == "transform":
        _unseen(models, site, known, given)
    if attr == "predict" and known.target in ("int64", "bool") and is_classifier(known.last):
        made = Table("vector", None, run.at(site.node))
        made.dtype = known.target
        models.serving_call(site, owner, attr)
        return made
    return None


def is_classifier(name: str) -> bool:
    """Whether a class answers with the labels that it was fitted on, in their type."""
    sklearn = name.startswith("sklearn.")
    return name in _CLASSIFIERS or (sklearn and name.endswith("Classifier") and "Dummy" not in name)


def _without_probabilities(known: Fitted, attr: str) -> str:
    last = known.last.rpartition(".")[2]
    if known.last in _NO_PROBABILITIES:
        return f"AttributeError: '{last}' object has no attribute '{attr}'"
    told = dict(known.options).get("probability", False)
    if known.last in _WHERE_TOLD and known.bare and not told:
        return f"AttributeError: {attr} is not available when probability=False"
    return ""


def _wants_rows(estimator: str) -> bool:
    parts = estimator.split(".")
    return estimator in _SCALERS or (parts[:1] == ["sklearn"] and parts[1] in _TABLES)


def _is_flat(given: V) -> bool:
    """Whether a value certainly has one dimension."""
    if isinstance(given, Table):
        return given.kind == "vector" and given.flat
    if isinstance(given, FieldV):
        kind = given.kind.replace(" ", "").lower()
        return kind in ("list[float]", "list[int]", "list[str]", "list[bool]")
    if isinstance(given, ListV) and given.items and given.kind in ("list", "tuple"):
        return all(
            isinstance(item, Const)
            or (isinstance(item, FieldV) and item.kind in ("float", "int", "str", "bool"))
            for item in given.items
        )
    return False


def _unseen(models: Models, site: Site, known: Fitted, given: V | None) -> None:
    if not known.values or not isinstance(given, ListV) or not given.items:
        return
    asked = [i.value for i in given.items if isinstance(i, Const)]
    new = [v for v in asked if v not in known.values]
    if new:
        models.run.fails(
            site.node,
            f"ValueError: y contains previously unseen labels: {new[:3]}",
            "the encoder was fitted on other labels",
        )


# ---- data to train with ----


def dataset(models: Models, site: Site) -> V | None:
    """``load_iris(return_X_y=True)``, ``make_classification(…)``: columns and labels."""
    name = site.name.rpartition(".")[2]
    as_frame = site.kwargs.get("as_frame")
    if site.loose or (as_frame is not None and not isinstance(as_frame, Const)):
        return None
    width, target = _DATASETS.get(name) or _MADE[name]
    if name in _MADE:
        told = site.get(1, "n_features") or Const(width)
        if not isinstance(told, Const) or not isinstance(told.value, int):
            return None
        width = told.value
    if name == "make_regression" and site.kwargs.keys() & {"n_targets", "coef"}:
        return None
    frame = isinstance(as_frame, Const) and bool(as_frame.value)
    columns = None if frame else [Col(None) for _ in range(width)]
    data = models.frames.table("frame" if frame else "array", columns, site.node)
    labels = models.frames.table("vector", None, site.node)
    labels.dtype = target
    both = site.kwargs.get("return_X_y")
    if name in _MADE or (isinstance(both, Const) and both.value is True):
        return ListV([data, labels], "tuple")
    if both is not None:
        return None
    made = models.made(site)
    made.data = {"data": data, "target": labels}
    return made


def split(models: Models, site: Site) -> V | None:
    """``train_test_split(X, y)``: two parts of each, which look like the whole."""
    if site.loose or not site.args:
        return None
    parts: list[V] = []
    for value in site.args:
        part = _part(models, value, site.node)
        parts += [part, part]
    return ListV(parts, "tuple")


def _part(models: Models, value: V, node: ast.AST) -> V:
    from auditor.parsers.python.pickled import kind_of

    if isinstance(value, Table):
        return models.frames.like(value, value.cols)
    if isinstance(value, ListV) and value.items and isinstance(value.items[0], ListV):
        made = models.frames.table("array", models.frames.positions(value.items[0]), node)
    elif isinstance(value, ListV | DictV) and kind_of(value):
        made = models.frames.table("vector", None, node)
        made.dtype = kind_of(value)
    else:
        return Unk("a part of the data")
    made.listed = True
    return made
