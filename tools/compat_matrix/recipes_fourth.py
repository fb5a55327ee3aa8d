"""Recipes after the third: configurations drawn by chance, data of other kinds, more damage.

``drawn`` takes every estimator of scikit-learn and sets two or three of its options to values that
are not their defaults, chosen by a hash of its name; the data are words, three classes, sparse
matrices or frames by another. What does not fit in a release is not written there.
"""

import copy
import hashlib
import importlib
import inspect
import os
import sys
from typing import Any, Callable, Dict, List, Tuple

import recipes_wider as wider
from recipes import FAMILIES, FAMILY_USES, RECIPES, X5, Y5, frame, table, xy
from recipes_wider import BOTH, S, add, answer, code, model, named, value

Use = Callable[[Any], Any]

# Opened by the first, written by the second.
CROSS = ("pickle", "joblib", "pickle-p2", "dill", "cloudpickle", "joblib-xz", "topickle",
         "pickle@joblib", "joblib@pickle", "pickle@dill", "joblib@cloudpickle", "pickle@joblib-gzip")  # fmt: skip
# What was done to the file, and to which writer's: ``joblib@last-joblib_zlib``.
HURT = ("pickle@flipq", "pickle@flipm", "pickle@flipt", "joblib@flipm-joblib", "joblib@flipm-joblib_zlib",
        "joblib@last-joblib_xz", "joblib@cut-joblib_gzip", "joblib@last-joblib", "pickle@last",
        "pickle@marked", "pickle@mangled", "pickle@nuls", "pickle@nothing", "pickle@page",
        "joblib@pointer", "pickle@printed", "joblib@flipq-joblib_bz2", "joblib@page", "pickle@zipped",
        "dill@flipm", "topickle@flipm", "topickle@last", "joblib@gzipped-joblib")  # fmt: skip
SK = ("pickle", "joblib")
FEW: Dict[str, Any] = {"n_estimators": 3, "random_state": 0}


def start(prefix: str) -> None:
    """Under this prefix the recipes below are kept."""
    wider.GROUPS.append(lambda name: prefix)


start("fourth-")

# ---- drawn configurations ----

# Options that are numbers, beside those that the probes choose from.
NUMBERS: Dict[str, Tuple[Any, ...]] = {
    "C": (0.3,), "alpha": (0.2,), "max_depth": (2,), "n_neighbors": (3,), "leaf_size": (7,),
    "degree": (2,), "min_samples_leaf": (3,), "max_features": (2, 0.5), "n_bins": (3,),
    "ccp_alpha": (0.01,), "tol": (1e-2,), "subsample": (0.7,), "learning_rate": (0.3,),
    "validation_fraction": (0.2,), "n_iter_no_change": (2,), "hidden_layer_sizes": ((3,), (4, 2)),
    "class_weight": ("balanced",), "epsilon": (1.2,), "feature_range": ((-1, 2),), "n_jobs": (1,),
    "ngram_range": ((1, 2),), "max_bins": (16,), "max_leaf_nodes": (4,), "quantile_range": ((10, 90),),
    "add_indicator": (True,), "missing_values": (-9,), "activation": ("tanh", "logistic"),
    "l2_regularization": (0.1,), "p": (1,), "gamma": (0.2,), "bandwidth": (0.4,), "order": ("F",),
    "decision_function_shape": ("ovo",), "power_t": (0.3,), "eta0": (0.05,), "cv": (3,),
    "early_stopping": (True,), "multi_class": ("ovr",), "max_samples": (0.7,), "whiten": (True,),
}  # fmt: skip
SLOW = ("GaussianProcessClassifier", "TSNE", "SequentialFeatureSelector", "DictionaryLearning",
        "HalvingRandomSearchCV", "MDS", "SpectralClustering", "TheilSenRegressor")  # fmt: skip
KINDS = (
    "three",
    "words",
    "number",
    "sparse",
    "plain",
    "positive",
    "two",
    "frame",
    "texts",
    "labels",
)


def _probes() -> Any:
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return importlib.import_module("probe_worker")


def _data(kind: str) -> Tuple[Any, Any]:
    import numpy as np

    x, y = xy()
    if kind == "three":
        return x, np.arange(len(x)) % 3
    if kind == "words":
        return x, np.array(["low", "mid", "top"])[np.arange(len(x)) % 3]
    if kind == "number":
        return x, x[:, 0] * 2 + x[:, 1]
    if kind == "sparse":
        return importlib.import_module("scipy.sparse").csr_matrix(abs(x)), y
    if kind == "positive":
        return abs(x) + 0.2, abs(x[:, 0]) + 0.5
    if kind == "two":
        return x, x[:, :2]
    if kind == "frame":
        import pandas

        return pandas.DataFrame(x, columns=list("abcd")), pandas.Series(y)
    if kind == "texts":
        return ["red green", "green blue", "blue red red", "white"] * 5, [0, 1] * 10
    if kind == "labels":
        return x, np.array([y, 1 - y]).T
    return x, y


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:4], "big")


def _options(cls: Any, seed: str) -> Dict[str, Any]:
    probes = _probes()
    given = probes.defaults(cls)
    try:
        parameters = inspect.signature(cls.__init__).parameters
    except (TypeError, ValueError):
        return dict(given)
    choices: List[Tuple[str, Any]] = []
    for name, parameter in sorted(parameters.items()):
        if parameter.default is inspect.Parameter.empty or name in ("verbose", "warm_start"):
            continue
        if isinstance(parameter.default, bool):
            choices.append((name, not parameter.default))
            continue
        pool = [
            c
            for c in (*probes.CHOICES.get(name, ()), *NUMBERS.get(name, ()))
            if c != parameter.default
        ]
        if pool:
            choices.append((name, pool[_digest(seed + name) % len(pool)]))
    choices.sort(key=lambda c: _digest(seed + "of" + c[0]))
    return dict(given, **dict(choices[: 1 + _digest(seed + "many") % 3]))


def _fit(cls: Any, seed: str) -> Tuple[str, Any]:
    """(kind of data, the model), of the first configuration and data that go together."""
    import signal

    probes = _probes()
    signal.signal(signal.SIGALRM, probes.alarm)
    for turn in range(3):
        options = _options(cls, "%s %d" % (seed, turn))
        for kind in sorted(KINDS, key=lambda k: _digest(seed + k)):
            x, y = _data(kind)
            signal.setitimer(signal.ITIMER_REAL, 3)
            try:
                made = cls(**copy.deepcopy(options)).fit(x, y)
                ask(made, kind)
                return kind, made
            except BaseException:
                continue
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    raise RuntimeError("no configuration fits")


def ask(made: Any, kind: str) -> Any:
    x, _ = _data(kind)
    found: List[Any] = []
    for root in _probes().roots_of(made):
        try:
            got = getattr(made, root)(x[:4])
            found.append(got[1] if root == "kneighbors" else got)
        except Exception:
            if root != "predict_proba":
                raise
    if not found:
        raise RuntimeError("nothing to ask")
    return found


def drawn(only: str) -> Dict[str, Callable[[], Any]]:
    """Recipes for every estimator that this release has; ``drawn-x``: the turn is x."""
    turns = [part[len(DRAWN) :] for part in only.split(",") if part.startswith(DRAWN)]
    found: Dict[str, Callable[[], Any]] = {}
    for key, cls in sorted(_probes().estimators().items()):
        name = key.rpartition(":")[2]
        if name.startswith("_") or name in SLOW:
            continue
        for turn in turns:
            seed = "%s %s" % (name, turn)
            try:
                kind, _ = _fit(cls, seed)
            except BaseException:
                continue
            found["%s%s-%s-%s" % (DRAWN, turn, name, kind)] = lambda c=cls, s=seed: _fit(c, s)[1]  # type: ignore[misc]
    return found


DRAWN = "drawn-"
FAMILIES[DRAWN] = drawn
FAMILY_USES[DRAWN] = lambda name, made: ask(made, name.rpartition("-")[2])

# ---- compositions ----

PIPE = S + "pipeline.Pipeline"
SCALE = (S + "preprocessing.StandardScaler", {"with_mean": False})
LOGIT = (S + "linear_model.LogisticRegression", {"C": 0.5, "solver": "lbfgs"})
TREES = (S + "ensemble.ExtraTreesClassifier", FEW)
GB = (S + "ensemble.GradientBoostingClassifier", FEW)
KNN = (S + "neighbors.KNeighborsClassifier", {"n_neighbors": 4, "weights": "distance"})
five = lambda v: v.predict(xy()[0][:5])  # noqa: E731

model(PIPE, [("s", SCALE), ("m", (S + "neural_network.MLPClassifier", {"hidden_layer_sizes": (6,),
      "max_iter": 8, "random_state": 2}))], kind="three", by=CROSS, name="pipe_mlp")  # fmt: skip
model(PIPE, [("i", (S + "impute.SimpleImputer", {"strategy": "median"})), ("m", TREES)], by=(*CROSS, *HURT),
      name="pipe_trees")  # fmt: skip
model(PIPE, [("q", (S + "preprocessing.QuantileTransformer", {"n_quantiles": 8,
      "output_distribution": "normal"})), ("m", (S + "linear_model.BayesianRidge", {}))], kind="number",
      by=BOTH, name="pipe_quantile_bayes")  # fmt: skip
model(PIPE, [("p", (S + "decomposition.TruncatedSVD", {"n_components": 2, "random_state": 0})),
      ("m", KNN)], by=BOTH, name="pipe_svd_near")  # fmt: skip
model(PIPE, [("v", (S + "feature_extraction.text.TfidfVectorizer", {"analyzer": "char",
      "ngram_range": (2, 3), "lowercase": False})), ("m", (S + "naive_bayes.ComplementNB", {}))],
      kind="text", by=CROSS, name="text_char_complement")  # fmt: skip
model(PIPE, [("v", (S + "feature_extraction.text.CountVectorizer", {"binary": True, "min_df": 2})),
      ("k", (S + "feature_selection.SelectKBest", {"k": 2})), ("m", LOGIT)], kind="text", by=BOTH,
      name="text_counts_best")  # fmt: skip
model(S + "ensemble.StackingClassifier", [("a", GB), ("b", KNN)], cv=3, stack_method="predict_proba",
      final_estimator=TREES, name="stack_trees", by=BOTH)  # fmt: skip
model(S + "ensemble.VotingClassifier", [("a", GB), ("b", LOGIT), ("c", KNN)], voting="soft",
      weights=[2, 1, 1], name="vote_weighted", by=BOTH, flatten_transform=False)  # fmt: skip
model(
    S + "calibration.CalibratedClassifierCV", KNN, method="isotonic", cv=2, name="calibrated_near"
)
model(
    S + "calibration.CalibratedClassifierCV", GB, cv=2, kind="three", name="calibrated_gb", by=BOTH
)
model(S + "multiclass.OneVsOneClassifier", KNN, kind="three", name="one_one_near", use=five)
model(S + "multiclass.OneVsRestClassifier", GB, kind="three", name="one_rest_gb", by=BOTH)
model(S + "multioutput.MultiOutputRegressor", (S + "svm.SVR", {"gamma": "auto"}), kind="two",
      name="many_svr")  # fmt: skip
model(S + "multioutput.RegressorChain", (S + "tree.DecisionTreeRegressor", {"max_depth": 2}),
      kind="two", name="chain_trees", order="random", random_state=1)  # fmt: skip
model(S + "model_selection.GridSearchCV", (S + "ensemble.HistGradientBoostingClassifier",
      {"max_iter": 2, "min_samples_leaf": 5}), {"max_depth": [2, 3]}, cv=2, name="grid_hist",
      experimental="enable_hist_gradient_boosting")  # fmt: skip
model(S + "model_selection.RandomizedSearchCV", (S + "svm.SVC", {"gamma": "scale",
      "probability": True, "random_state": 0}), {"C": [0.5, 1.0]}, n_iter=1, cv=2, random_state=0,
      name="random_svc", by=BOTH)  # fmt: skip
model(S + "model_selection.GridSearchCV", KNN, {"n_neighbors": [2, 3]}, cv=3, refit=False,
      name="grid_no_refit", use=lambda v: v.best_params_)  # fmt: skip
model(S + "ensemble.AdaBoostRegressor", (S + "linear_model.Ridge", {}), kind="number",
      name="ada_ridge", **FEW)  # fmt: skip
model(S + "ensemble.BaggingClassifier", KNN, kind="three", name="bagging_near_three",
      bootstrap_features=True, **FEW)  # fmt: skip
model(S + "feature_selection.RFECV", LOGIT, cv=2, name="rfecv_logit", step=2)
model(S + "feature_selection.SelectFromModel", TREES, threshold="median", name="select_trees")
model(S + "compose.TransformedTargetRegressor", (S + "ensemble.RandomForestRegressor", FEW),
      kind="number", name="target_forest")  # fmt: skip
model(S + "gaussian_process.GaussianProcessRegressor", kind="number", normalize_y=True, name="gpr_normal",
      kernel=(S + "gaussian_process.kernels.RBF", {"length_scale": 2.0}), optimizer=None)  # fmt: skip
model(S + "ensemble.IsolationForest", kind="only", n_estimators=3, max_samples=16, random_state=1,
      name="isolation_small", by=SK, use=lambda v: v.score_samples(xy()[0][:4]))  # fmt: skip
model(S + "neighbors.LocalOutlierFactor", kind="only", n_neighbors=7, algorithm="ball_tree", novelty=True,
      name="outlier_ball", use=lambda v: v.score_samples(xy()[0][:4]), by=SK)  # fmt: skip
model(S + "mixture.BayesianGaussianMixture", kind="only", n_components=2, covariance_type="spherical",
      max_iter=6, random_state=1, name="mixture_sphere")  # fmt: skip
model(S + "isotonic.IsotonicRegression", kind="unfitted", name="isotonic_falling", use=lambda v: v.fit(
      [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]).predict([1.5]), increasing=False)  # fmt: skip
add("isotonic_edges", lambda: named(S + "isotonic.IsotonicRegression")(y_min=0, y_max=2).fit(
    [1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 5.0]), lambda v: v.predict([1.5, 3.5]), ("sklearn",), BOTH)  # fmt: skip
for _name, _path in (("label_binary", "LabelBinarizer"), ("label_words", "LabelEncoder")):
    add(_name, lambda p=_path: named(S + "preprocessing." + p)().fit(["b", "a", "c"]),
        lambda v: v.transform(["a", "c"]), ("sklearn",), CROSS)  # fmt: skip
add("many_labels", lambda: named(S + "preprocessing.MultiLabelBinarizer")().fit([["a", "b"], ["c"]]),
    lambda v: v.transform([["a"], ["c", "b"]]), ("sklearn",), SK)  # fmt: skip


def _columns(remainder: Any, last: Any) -> Callable[[], Any]:
    def make() -> Any:
        compose, pre, pipe, impute = (
            importlib.import_module(S + m)
            for m in ("compose", "preprocessing", "pipeline", "impute")
        )
        columns = compose.ColumnTransformer(
            [
                ("n", pipe.Pipeline([("i", impute.SimpleImputer(strategy="median")),
                                     ("s", pre.RobustScaler())]), ["age"]),
                ("c", pre.OneHotEncoder(handle_unknown="ignore"), ["city"]),
                ("o", pre.OrdinalEncoder(), ["plan"]),
            ], remainder=remainder,
        )  # fmt: skip
        return pipe.Pipeline([("c", columns), ("m", named(last[0])(**last[1]))]).fit(
            frame(), xy()[1]
        )

    return make


for _name, _rest, _last in (
    ("columns_forest", "drop", TREES),
    ("columns_pass", "passthrough", GB),
    ("columns_logit", "drop", LOGIT),
):
    add(_name, _columns(_rest, _last), lambda v: v.predict_proba(frame().dropna().iloc[:4]),
        ("sklearn", "pandas"), CROSS if _name == "columns_logit" else BOTH)  # fmt: skip


def _bundle() -> Any:
    x, y = xy()
    return {
        "model": named(S + "ensemble.RandomForestClassifier")(**FEW).fit(x, y),
        "scaler": named(S + "preprocessing.MinMaxScaler")().fit(x),
        "columns": ["a", "b", "c", "d"],
        "trained": named("datetime.date")(2021, 5, 6) if False else "2021-05-06",
        "scores": {"auc": 0.91, "folds": x[:3, 0]},
    }


add("bundle", _bundle, lambda v: [v["model"].predict_proba(v["scaler"].transform(xy()[0][:3])).tolist(),
    v["scores"]["folds"].tolist()], ("sklearn",), (*CROSS, *HURT))  # fmt: skip
add("forest_hurt", lambda: named(S + "ensemble.RandomForestClassifier")(n_estimators=4, random_state=3,
    max_depth=4).fit(*xy()), lambda v: v.predict_proba(xy()[0][:20]), ("sklearn",), HURT)  # fmt: skip
add("logit_hurt", lambda: named(S + "linear_model.LogisticRegression")(solver="lbfgs").fit(*xy()),
    lambda v: v.predict_proba(xy()[0][:5]), ("sklearn",), HURT)  # fmt: skip
add("near_hurt", lambda: named(S + "neighbors.KNeighborsClassifier")(3).fit(*xy()),
    lambda v: v.predict_proba(xy()[0][:5]), ("sklearn",), HURT)  # fmt: skip

# ---- the project's own classes ----


def _of(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


P3 = ("pickle", "pickle-p2", "joblib-gzip", "cloudpickle", "dill")
for _name, _make, _use in (
    ("tiers", lambda: [_of("shop", "Tier").BASIC, _of("shop", "Tier")], lambda v: v[0].name),
    ("gold", lambda: {"t": _of("shop", "Tier")("gold")}, lambda v: v["t"].name),
    ("access", lambda: _of("shop", "Access")(3), lambda v: int(v)),
    ("basket_list", lambda: [_of("shop", "Basket")([1], 2.0)], lambda v: v[0].total),
    ("rule", lambda: [_of("shop", "Rule")(1.0, 3.0)], lambda v: v[0].run(2.0)),
    ("settings", lambda: {"s": _of("shop", "Settings")("x", 0.2)}, lambda v: str(v["s"])),
    ("settings_class", lambda: _of("shop", "Settings"), lambda v: v("a", 1).name),
    ("clean", lambda: named("functools.partial")(_of("shop", "clean")), lambda v: v(2)),
    ("bound", lambda: _of("shop", "Rule")(1.0, 3.0).run, lambda v: v(2.0)),
    (
        "leg_list",
        lambda: [_of("fleet", "Leg")("a"), _of("fleet", "Leg")("b", 2.0)],
        lambda v: [x.km for x in v],
    ),
    ("leg_shown", lambda: _of("fleet", "Leg")("a"), lambda v: repr(v).count("=")),
    ("fuel_class", lambda: _of("fleet", "Fuel"), lambda v: len(v)),
    ("point_kept", lambda: _of("fleet", "Point")(1.0, 2.0), lambda v: v.y),
    ("counter_kept", lambda: [_of("fleet", "Counter")()], lambda v: v[0].seen),
):  # type: ignore[assignment]
    _home = "fleet" if _name.startswith(("leg", "fuel", "point", "counter")) else "shop"
    add("project_" + _name, _make, _use, (_home,), P3)
add("project_model", lambda: named(PIPE)([("s", named(S + "preprocessing.StandardScaler")()),
    ("m", _of("shop", "ThresholdModel")(0.1))]).fit(*xy()), five, ("sklearn", "shop"), BOTH)  # fmt: skip
add("project_grid", lambda: named(S + "model_selection.GridSearchCV")(_of("shop", "ThresholdModel")(),
    {"threshold": [0.0, 0.5]}, cv=2).fit(*xy()), five, ("sklearn", "shop"), BOTH)  # fmt: skip

# ---- the standard library ----

P2 = ("pickle", "pickle-p2", "joblib")
for _name, _text, _use, _module in (
    (
        "times",
        "[datetime.time(3, 4, 5), datetime.date(2020, 2, 29), datetime.timedelta(days=2, seconds=5)]",
        lambda v: [v[0].isoformat(), v[1].isoformat(), v[2].total_seconds()],
        "datetime",
    ),
    (
        "zone_minus",
        "datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=-3)))",
        lambda v: v.isoformat(),
        "datetime",
    ),
    ("zoneinfo_paris", "[zoneinfo.ZoneInfo('Europe/Paris')]", lambda v: v[0].key, "zoneinfo"),
    (
        "decimals",
        "[decimal.Decimal('10.50'), decimal.Decimal('-Infinity')]",
        lambda v: str(v[0]),
        "decimal",
    ),
    ("context", "decimal.Context(prec=7)", lambda v: v.prec, "decimal"),
    ("fractions_", "{'f': fractions.Fraction(22, 7)}", lambda v: str(v["f"]), "fractions"),
    ("chain_map", "collections.ChainMap({'a': 1}, {'b': 2})", lambda v: dict(v), "collections"),
    ("user_dict", "collections.UserDict(a=1)", lambda v: dict(v), "collections"),
    (
        "ordered_moved",
        "collections.OrderedDict([('b', 1), ('a', 2)])",
        lambda v: list(v),
        "collections",
    ),
    (
        "default_list",
        "collections.defaultdict(set, {'a': {1}})",
        lambda v: len(v["b"]),
        "collections",
    ),
    (
        "nested_default",
        "collections.defaultdict(functools.partial(collections.defaultdict, int))",
        lambda v: v["a"]["b"],
        "collections functools",
    ),
    ("deque_", "collections.deque('abc', maxlen=5)", list, "collections"),
    (
        "arrays",
        "[array.array('d', [1.5, 2]), array.array('B', b'ab'), array.array('q', [5])]",
        lambda v: [x.tolist() for x in v],
        "array",
    ),
    (
        "getter",
        "[operator.itemgetter(0), operator.attrgetter('real'), operator.methodcaller('upper')]",
        lambda v: [v[0]([7]), v[1](3), v[2]("a")],
        "operator",
    ),
    ("bound_text", "'a-b'.split", lambda v: v("-"), "operator"),
    ("bound_list", "[3, 1].index", lambda v: v(1), "operator"),
    ("bound_pattern", "re.compile('b').sub", lambda v: v("x", "abc"), "re"),
    ("flags", "re.I | re.M", lambda v: int(v), "re"),
    ("random_", "random.Random('a')", lambda v: v.random(), "random"),
    ("random_state", "random.Random(3).getstate()", lambda v: len(v[1]), "random"),
    ("logger_named", "logging.getLogger('serve.model')", lambda v: v.name, "logging"),
    ("handler_null", "logging.NullHandler()", lambda v: v.level, "logging"),
    ("windows_path", "pathlib.PureWindowsPath('C:/a/b.txt')", lambda v: v.name, "pathlib"),
    ("home_path", "pathlib.PosixPath('/etc/hosts').parent", lambda v: v.name, "pathlib"),
    ("network_v4", "ipaddress.IPv4Network('10.1.0.0/16')", lambda v: v.num_addresses, "ipaddress"),
    (
        "uuid_all",
        "{'id': uuid.UUID(int=5), 'more': [uuid.UUID(int=6)]}",
        lambda v: v["id"].hex,
        "uuid",
    ),
    (
        "signature",
        "inspect.signature(lambda a, b=1, *c, d, **e: None)",
        lambda v: list(v.parameters),
        "inspect",
    ),
    (
        "parameter",
        "inspect.Parameter('a', inspect.Parameter.KEYWORD_ONLY, default=2)",
        lambda v: v.default,
        "inspect",
    ),
    ("full_spec", "inspect.getfullargspec(textwrap.dedent)", lambda v: v.args, "inspect textwrap"),
    ("generic_list", "typing.List[int]", lambda v: v.__args__[0].__name__, "typing"),
    ("generic_new", "list[int]", lambda v: v.__args__[0].__name__, "typing"),
    (
        "generic_dict",
        "typing.Dict[str, typing.Optional[float]]",
        lambda v: len(v.__args__),
        "typing",
    ),
    ("union_", "typing.Union[int, str]", lambda v: len(v.__args__), "typing"),
    ("union_new", "int | None", lambda v: len(v.__args__), "typing"),
    ("callable_", "typing.Callable[[int], str]", lambda v: len(v.__args__), "typing"),
    ("literal", "typing.Literal['a', 'b']", lambda v: len(v.__args__), "typing"),
    ("type_var", "typing.AnyStr", lambda v: v.__name__, "typing"),
    ("normal", "statistics.NormalDist(1, 2)", lambda v: v.cdf(1.0), "statistics"),
    (
        "errors",
        "[ValueError('a', 1), KeyError('k'), OSError(2, 'no', 'f')]",
        lambda v: v[2].errno,
        "operator",
    ),
    (
        "error_group",
        "ExceptionGroup('a', [ValueError(1)])",
        lambda v: len(v.exceptions),
        "operator",
    ),
    (
        "unicode_error",
        "UnicodeDecodeError('utf8', b'a', 0, 1, 'bad')",
        lambda v: v.reason,
        "operator",
    ),
    ("json_error", "json.JSONDecodeError('x', 'abc', 1)", lambda v: v.pos, "json"),
    (
        "lru",
        "functools.lru_cache(maxsize=None)(textwrap.dedent)",
        lambda v: v(" a"),
        "functools textwrap",
    ),
    (
        "wrapped_module",
        "[textwrap.indent, base64.b64encode, zlib.crc32]",
        lambda v: v[2](b"a"),
        "textwrap base64 zlib",
    ),
    ("hash_", "hashlib.sha256", lambda v: v(b"a").hexdigest(), "hashlib"),
    (
        "slices_",
        "[slice(1, 2), range(3), Ellipsis, NotImplemented, type(None)]",
        lambda v: len(v),
        "operator",
    ),
    ("bytes_", "[bytearray(b'ab'), b'\\x80', memoryview]", lambda v: list(v[0]), "operator"),
    (
        "complex_keys",
        "{(1, 'a'): {frozenset([1]): [None, 1e300, -0.0]}}",
        lambda v: len(v),
        "operator",
    ),
    ("huge", "[2 ** 400, -2 ** 63, 1 << 31]", lambda v: v[0] % 97, "operator"),
    ("stat_", "os.stat('/')", lambda v: len(v), "os"),
    ("struct_time", "time.gmtime(0)", lambda v: v.tm_year, "time"),
    ("struct_", "struct.Struct('<ii')", lambda v: v.size, "struct"),
    ("template_", "string.Template('$a b')", lambda v: v.substitute(a=1), "string"),
    ("namespace_", "argparse.Namespace(lr=0.1, layers=[1, 2])", lambda v: v.lr, "argparse"),
    (
        "config",
        "configparser.ConfigParser({'a': 'b'})",
        lambda v: v.defaults()["a"],
        "configparser",
    ),
    ("url_", "urllib.parse.urlsplit('http://a/b?c#d')", lambda v: v.netloc, "urllib.parse"),
    ("version_", "sys.version_info[:2]", lambda v: len(v), "sys"),
    ("enum_new", "enum.StrEnum", lambda v: v.__name__, "enum"),
    ("tree", "ast.parse('a + 1')", lambda v: type(v.body[0].value).__name__, "ast"),
    (
        "element",
        "xml.etree.ElementTree.fromstring('<a b=\"1\"/>')",
        lambda v: v.get("b"),
        "xml.etree.ElementTree",
    ),
    ("difference", "difflib.SequenceMatcher(None, 'ab', 'ac')", lambda v: v.ratio(), "difflib"),
    ("heap", "heapq.merge", lambda v: list(v([1], [0])), "heapq"),
    ("cached", "functools.cached_property", lambda v: v.__name__, "functools"),
    (
        "counts",
        "[itertools.count(3, 2), itertools.cycle('ab'), itertools.chain([1], [2])]",
        lambda v: next(v[0]),
        "itertools",
    ),
    ("groups", "itertools.groupby('aab')", lambda v: next(v)[0], "itertools"),
    ("iterators", "[iter([1, 2]), iter((3,)), iter({'a': 1})]", lambda v: next(v[0]), "operator"),
):  # type: ignore[assignment]
    value("std_" + _name, _text, _use, needs=_module, by=CROSS if _name in ("complex_keys", "times") else
          (*P2, *HURT) if _name == "huge" else P2)  # fmt: skip

# ---- NumPy ----

NP = ("pickle", "joblib", "pickle-p2")
for _name, _text, _use in (
    ("small", "numpy.array([[1.5, -2.0], [0.25, 4.0]])", lambda v: v.tolist()),
    ("fortran", "numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3))", lambda v: v.tolist()),
    ("half", "numpy.array([1, 2], dtype='float16')", lambda v: v.tolist()),
    ("empty_text", "numpy.array([], dtype='U5')", len),
    ("text", "numpy.array(['aé', 'b'])", lambda v: v.tolist()),
    ("dates", "numpy.array(['2020-01-01', 'NaT'], dtype='M8[D]')", lambda v: str(v[0])),
    ("stamp", "numpy.datetime64('2020-01-01T00:00:01')", lambda v: str(v)),
    ("delta", "numpy.timedelta64(3, 'm')", lambda v: int(v.astype(int))),
    ("mixed", "numpy.array([1, 'a', None, [2]], dtype=object)", lambda v: len(v)),
    (
        "rows",
        "numpy.array([(1, 2.5, 'x')], dtype=[('a', 'i4'), ('b', 'f8'), ('c', 'U3')])",
        lambda v: v["b"].tolist(),
    ),
    (
        "aligned",
        "numpy.zeros(2, dtype=numpy.dtype([('a', 'i1'), ('b', 'f8')], align=True))",
        lambda v: v["b"].tolist(),
    ),
    ("rec", "numpy.rec.fromarrays([[1, 2], [3.0, 4.0]], names='x,y')", lambda v: v.y.tolist()),
    ("matrix_", "numpy.matrix([[1, 2], [3, 4]])", lambda v: (v * v).tolist()),
    ("masked", "numpy.ma.masked_greater([1, 5, 3], 4)", lambda v: float(v.sum())),
    (
        "masked_hard",
        "numpy.ma.array([1.0, 2.0], mask=[0, 1], fill_value=-1, hard_mask=True)",
        lambda v: v.filled().tolist(),
    ),
    (
        "scalars",
        "[numpy.float32(1.5), numpy.int8(-1), numpy.str_('a'), numpy.bytes_(b'b'), numpy.complex64(1j)]",
        lambda v: float(v[0]),
    ),
    ("dtype_rows", "numpy.dtype([('a', '<i8'), ('b', 'S4', (2,))])", lambda v: v.itemsize),
    (
        "dtype_plain",
        "[numpy.dtype('bool'), numpy.dtype('>i4'), numpy.dtype('m8[s]')]",
        lambda v: v[1].itemsize,
    ),
    ("poly", "numpy.poly1d([1, 0, 2])", lambda v: v(2)),
    ("poly_new", "numpy.polynomial.Polynomial([1, 2, 3])", lambda v: v(2.0)),
    ("chebyshev", "numpy.polynomial.Chebyshev([1, 2])", lambda v: v(0.2)),
    ("ufuncs", "[numpy.exp, numpy.add, numpy.maximum]", lambda v: float(v[1](1, 2))),
    ("ufunc_made", "functools.partial(numpy.power, 2)", lambda v: float(v(3))),
    ("errstate", "numpy.geterr()", lambda v: len(v)),
    ("memory", "numpy.lib.stride_tricks.as_strided", lambda v: v.__name__),
    ("norm", "numpy.linalg.norm", lambda v: float(v([3, 4]))),
    ("solve_error", "numpy.linalg.LinAlgError('x')", lambda v: v.args[0]),
    ("fft", "numpy.fft.rfft", lambda v: len(v([1, 2, 3]))),
    ("random_legacy", "numpy.random.RandomState(11)", lambda v: v.normal()),
    (
        "random_pair",
        "(lambda r: (r.standard_normal(), r)[1])(numpy.random.RandomState(1))",
        lambda v: v.standard_normal(),
    ),
    ("generator", "numpy.random.default_rng(3)", lambda v: v.normal()),
    ("generator_mt", "numpy.random.Generator(numpy.random.MT19937(2))", lambda v: v.random()),
    ("generator_dxsm", "numpy.random.Generator(numpy.random.PCG64DXSM(2))", lambda v: v.random()),
    ("bits", "numpy.random.Philox(5)", lambda v: int(v.random_raw())),
    ("seeds", "numpy.random.SeedSequence([1, 2])", lambda v: v.entropy),
    (
        "strings",
        "numpy.array(['a', 'bc'], dtype=numpy.dtypes.StringDType())",
        lambda v: [str(x) for x in v],
    ),
    ("index", "numpy.ndindex(2, 2)", lambda v: len(list(v))),
    ("iinfo", "numpy.iinfo('i4')", lambda v: int(v.max)),
    ("float_info", "numpy.finfo(float).eps", float),
    ("nested", "{'w': [numpy.eye(2), {'b': numpy.zeros(2, 'f4')}]}", lambda v: v["w"][0].tolist()),
    ("booleans", "numpy.array([True, False])", lambda v: v.tolist()),
    ("newest", "numpy.array([1.0]).__array_function__", lambda v: callable(v)),
):  # type: ignore[assignment]
    value("np_" + _name, _text, _use, needs="numpy numpy.polynomial numpy.random functools",
          by=(*CROSS, *HURT) if _name in ("small", "nested") else NP)  # fmt: skip

# ---- pandas ----

PD = ("pickle", "topickle", "joblib")


def cells(made: Any) -> Any:
    from recipes_third import _cells

    return _cells(made)


for _name, _text in (
    ("plain", "pandas.DataFrame({'a': [1, 2, 3], 'b': [1.5, 2.5, 3.5], 'c': ['x', 'y', 'z']})"),
    ("floats", "pandas.DataFrame({'a': [0.1, 0.2], 'b': [1e-9, 1e9]})"),
    ("texts", "pandas.Series(['a', None, 'c'], name='t')"),
    ("category", "pandas.DataFrame({'c': pandas.Categorical(['x', 'y', 'x'], categories=['y', 'x'])})"),
    ("ordered", "pandas.Series(pandas.Categorical([2, 1], ordered=True))"),
    ("naive", "pandas.DataFrame({'t': pandas.to_datetime(['2020-01-01', '2021-06-01 10:00'])})"),
    ("aware", "pandas.Series(pandas.to_datetime(['2020-01-01'], utc=True))"),
    ("aware_index", "pandas.DataFrame({'v': [1, 2]}, index=pandas.date_range('2020', periods=2, tz='US/Eastern'))"),
    ("hours", "pandas.Series([1.0, 2.0], index=pandas.date_range('2020', periods=2, freq=pandas.Timedelta('1h')))"),
    ("periods", "pandas.Series(pandas.period_range('2020Q1', periods=2, freq='Q'))"),
    ("deltas", "pandas.Series(pandas.to_timedelta(['1 day', '2 days']))"),
    ("levels", "pandas.DataFrame({'v': [1, 2]}, index=pandas.MultiIndex.from_tuples([('a', 1), ('b', 2)], names=['k', 'n']))"),
    ("level_dates", "pandas.MultiIndex.from_product([['a'], pandas.date_range('2020', periods=2)])"),
    ("nullable", "pandas.DataFrame({'i': pandas.array([1, None], dtype='Int64'), 'b': pandas.array([True, None], dtype='boolean')})"),
    ("nullable_float", "pandas.Series([1.5, None], dtype='Float64')"),
    ("string", "pandas.Series(['a', None], dtype='string')"),
    ("sparse", "pandas.Series(pandas.arrays.SparseArray([0, 0, 1]))"),
    ("intervals", "pandas.Series(pandas.IntervalIndex.from_breaks([0, 1, 2]))"),
    ("objects", "pandas.Series([{'a': 1}, [2]])"),
    ("booleans", "pandas.Series([True, False])"),
    ("range_index", "pandas.RangeIndex(2, 10, 3)"),
    ("int_index", "pandas.Index([3, 1, 2])"),
    ("float_index", "pandas.Index([0.5, 1.5])"),
    ("text_index", "pandas.Index(['b', 'a'], name='n')"),
    ("category_index", "pandas.CategoricalIndex(['a', 'b', 'a'])"),
    ("date_index", "pandas.DatetimeIndex(['2020-01-01', '2020-01-03'])"),
    ("empty", "pandas.DataFrame(columns=['a', 'b'])"),
    ("named", "pandas.DataFrame([[1, 2.0]], columns=pandas.Index(['x', 'y'], name='cols'))"),
    ("summary", "pandas.DataFrame({'a': [1, 2, 2], 'b': [1.0, 2.0, 4.0]}).describe()"),
    ("counts", "pandas.Series(['a', 'b', 'a']).value_counts()"),
    ("pivot", "pandas.DataFrame({'k': ['a', 'b'], 'j': ['x', 'y'], 'v': [1, 2]}).pivot(index='k', columns='j', values='v')"),
    ("joined", "pandas.concat([pandas.DataFrame({'a': [1]}), pandas.DataFrame({'b': ['x']})], axis=1)"),
    ("filtered", "pandas.DataFrame({'a': [1, 2, 3], 'b': ['x', 'y', 'z']}).query('a > 1')"),
    ("assigned", "(lambda f: (f.insert(0, 'z', [9, 8]), f)[1])(pandas.DataFrame({'a': [1, 2]}))"),
    ("mixed_blocks", "pandas.DataFrame({'i8': pandas.Series([1, 2], dtype='int8'), 'f4': pandas.Series([1, 2], dtype='float32'), 'o': ['a', 1]})"),
    ("dummies", "pandas.get_dummies(pandas.Series(['a', 'b']))"),
):  # fmt: skip
    value("pd_" + _name, _text, cells, needs="pandas", by=(*CROSS, *HURT) if _name in ("plain", "floats") else
          CROSS if _name in ("category", "aware", "levels") else PD)  # fmt: skip
for _name, _text, _use in (
    ("stamp", "Timestamp('2020-01-01 10:00:00.5')", lambda v: v.isoformat()),
    ("stamp_zone", "Timestamp('2020-06-01', tz='Europe/Paris')", lambda v: v.isoformat()),
    ("delta", "Timedelta('1 days 2 hours')", lambda v: v.total_seconds()),
    ("period", "Period('2020-05', 'M')", lambda v: v.ordinal),
    ("interval", "Interval(0, 5, closed='left')", lambda v: [v.left, v.closed]),
    (
        "missing",
        "[pandas.NaT, pandas.NA]".replace("pandas.NaT", "NaT") if False else "NaT",
        lambda v: v is not None,
    ),
    ("na", "NA", lambda v: type(v).__name__),
    ("type_category", "CategoricalDtype(['a', 'b'], ordered=True)", lambda v: v.ordered),
    ("type_zone", "DatetimeTZDtype(tz='UTC')", lambda v: v.unit),
    ("offset_month", "offsets.MonthEnd(2)", lambda v: v.n),
    ("offset_day", "offsets.BDay(3)", lambda v: v.n),
    ("offset_custom", "offsets.CDay(holidays=['2020-01-01'])", lambda v: v.n),
    ("grouper", "Grouper(key='a', freq='D')", lambda v: v.key),
    ("array_string", "array(['a', None], dtype='string')", len),
    ("array_category", "Categorical(['a', 'b'])", lambda v: v.codes.tolist()),
    ("function_read", "read_csv", lambda v: v.__name__),
    ("series_class", "Series", lambda v: len(v([1]))),
    ("error_key", "errors.MergeError('x')", lambda v: v.args[0]),
):  # type: ignore[assignment]
    value(
        "pd_one_" + _name,
        "pandas." + _text,
        _use,
        needs="pandas",
        by=("pickle", "topickle", "joblib"),
    )

# ---- SciPy ----


def scipy(name: str, text: str, use: Use, modules: str, by: Tuple[str, ...] = SK) -> None:
    value(
        "sp_" + name,
        text,
        use,
        by,
        "scipy numpy " + " ".join("scipy." + m for m in modules.split()),
    )


for _name in ("norm(1, 2)", "expon()", "gamma(2.0)", "beta(2, 3)", "lognorm(0.7)", "poisson(3)", "binom(5, 0.3)",
              "t(4)", "uniform()", "weibull_min(2.0)", "logistic()", "cauchy()", "randint(0, 5)"):  # fmt: skip
    scipy("dist_" + _name.partition("(")[0], "scipy.stats." + _name, lambda v: [float(v.cdf(0.7)), float(v.mean())],
          "stats")  # fmt: skip
for _name in ("norm", "gamma", "expon", "t"):
    scipy("plain_" + _name, "scipy.stats." + _name, lambda v: v.name, "stats")
for _name, _text in (
    ("csr", "csr_matrix([[1.0, 0], [0, 2]])"), ("csc", "csc_matrix([[1, 0], [0, 2]])"), ("coo", "coo_matrix([[0, 3.0]])"),
    ("lil", "lil_matrix([[0, 3.0]])"), ("dok", "dok_matrix((2, 2))"), ("bsr", "bsr_matrix([[1.0, 0], [0, 2]])"),
    ("dia", "dia_matrix([[1.0, 0], [0, 2]])"), ("csr_array", "csr_array([[1.0, 0], [0, 2]])"),
    ("coo_array", "coo_array([[1.0, 0], [0, 2]])"), ("eye", "identity(3, format='csr')"),
    ("diags", "diags([1.0, 2.0])"),
):  # fmt: skip
    scipy("sparse_" + _name, "scipy.sparse." + _text, lambda v: v.toarray().tolist(), "sparse",
          (*CROSS, *HURT) if _name == "csr" else SK)  # fmt: skip
for _name, _text, _use, _modules in (
    (
        "kdtree",
        "scipy.spatial.KDTree(%r)" % (table(8, 2),),
        lambda v: int(v.query([0.1, 0.1])[1]),
        "spatial",
    ),
    (
        "ckdtree",
        "scipy.spatial.cKDTree(%r)" % (table(8, 2),),
        lambda v: int(v.query([0.1, 0.1])[1]),
        "spatial",
    ),
    ("hull", "scipy.spatial.ConvexHull(%r)" % (table(8, 2),), lambda v: float(v.volume), "spatial"),
    (
        "interp",
        "scipy.interpolate.interp1d(%r, %r)" % (X5, Y5),
        lambda v: float(v(1.2)),
        "interpolate",
    ),
    (
        "interp_near",
        "scipy.interpolate.interp1d(%r, %r, kind='nearest')" % (X5, Y5),
        lambda v: float(v(1.2)),
        "interpolate",
    ),
    (
        "spline",
        "scipy.interpolate.UnivariateSpline(%r, %r, s=0)" % (X5, Y5),
        lambda v: float(v(1.2)),
        "interpolate",
    ),
    (
        "spline_exact",
        "scipy.interpolate.InterpolatedUnivariateSpline(%r, %r)" % (X5, Y5),
        lambda v: float(v(1.2)),
        "interpolate",
    ),
    (
        "cubic",
        "scipy.interpolate.CubicSpline(%r, %r)" % (X5, Y5),
        lambda v: float(v(1.2)),
        "interpolate",
    ),
    (
        "akima",
        "scipy.interpolate.Akima1DInterpolator(%r, %r)" % (X5, Y5),
        lambda v: float(v(1.2)),
        "interpolate",
    ),
    (
        "pchip",
        "scipy.interpolate.PchipInterpolator(%r, %r)" % (X5, Y5),
        lambda v: float(v(1.2)),
        "interpolate",
    ),
    (
        "grid_linear",
        "scipy.interpolate.RegularGridInterpolator(([0.0, 1.0], [0.0, 1.0]), numpy.array([[1.0, 2], [3, 4]]))",
        lambda v: float(v([0.2, 0.3])[0]),
        "interpolate",
    ),
    (
        "grid_ints",
        "scipy.interpolate.RegularGridInterpolator(([0, 1], [0, 1]), numpy.array([[1, 2], [3, 4]]))",
        lambda v: float(v([0.2, 0.3])[0]),
        "interpolate",
    ),
    (
        "near_nd",
        "scipy.interpolate.NearestNDInterpolator(%r, %r)" % (table(5, 2), Y5),
        lambda v: float(v(0.1, 0.1)),
        "interpolate",
    ),
    ("rbf_old", "scipy.interpolate.Rbf(%r, %r)" % (X5, Y5), lambda v: float(v(1.2)), "interpolate"),
    ("tck", "scipy.interpolate.splrep(%r, %r)" % (X5, Y5), lambda v: len(v), "interpolate"),
    (
        "rotation",
        "scipy.spatial.transform.Rotation.from_euler('z', 90, degrees=True)",
        lambda v: v.apply([1.0, 0, 0]).tolist(),
        "spatial.transform",
    ),
    (
        "rotations",
        "scipy.spatial.transform.Rotation.from_quat([[0, 0, 0, 1], [0, 1, 0, 1.0]])",
        lambda v: v.as_matrix().tolist() if hasattr(v, "as_matrix") else v.as_dcm().tolist(),
        "spatial.transform",
    ),
    (
        "ttest",
        "scipy.stats.ttest_ind([1.0, 2, 3], [2.0, 3, 5])",
        lambda v: float(v.statistic),
        "stats",
    ),
    ("pearson", "scipy.stats.pearsonr([1.0, 2, 3], [1.0, 2, 5])", lambda v: float(v[0]), "stats"),
    ("ks", "scipy.stats.ks_2samp([1.0, 2, 3], [1.0, 2, 5])", lambda v: float(v[0]), "stats"),
    ("chi_result", "scipy.stats.chisquare([4, 6, 5])", lambda v: float(v[0]), "stats"),
    (
        "contingency",
        "scipy.stats.chi2_contingency([[4, 6], [5, 9]])",
        lambda v: float(v[0]),
        "stats",
    ),
    (
        "kde_two",
        "scipy.stats.gaussian_kde([[1.0, 2, 4, 3], [0.0, 1, 2, 0]])",
        lambda v: float(v([[1.0], [0.5]])[0]),
        "stats",
    ),
    ("mvn", "scipy.stats.multivariate_normal([0, 0])", lambda v: float(v.pdf([0.1, 0.2])), "stats"),
    (
        "histogram",
        "scipy.stats.rv_histogram(numpy.histogram([1, 2, 2, 3], bins=3))",
        lambda v: float(v.cdf(2.0)),
        "stats",
    ),
    (
        "optimum",
        "scipy.optimize.minimize_scalar(lambda x: (x - 1) ** 2)",
        lambda v: round(float(v.x), 3),
        "optimize",
    ),
    (
        "root",
        "scipy.optimize.root_scalar(lambda x: x - 1, bracket=[0, 3])",
        lambda v: v.root,
        "optimize",
    ),
    ("bounds", "scipy.optimize.Bounds([0], [1])", lambda v: list(v.ub), "optimize"),
    (
        "linear_program",
        "scipy.optimize.linprog([1, 2], bounds=[(0, 1), (0, 1)])",
        lambda v: float(v.fun),
        "optimize",
    ),
    (
        "state_space",
        "scipy.signal.StateSpace([[1.0]], [[1.0]], [[1.0]], [[0.0]])",
        lambda v: v.A.tolist(),
        "signal",
    ),
    (
        "zeros_poles",
        "scipy.signal.ZerosPolesGain([1.0], [2.0], 3.0)",
        lambda v: float(v.gain),
        "signal",
    ),
    (
        "dense",
        "scipy.integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0]).y",
        lambda v: list(v.shape),
        "integrate",
    ),
    (
        "special_functions",
        "[scipy.special.expit, scipy.special.softmax]",
        lambda v: float(v[0](0.3)),
        "special",
    ),
    ("legendre", "scipy.special.legendre(2)", lambda v: float(v(0.3)), "special"),
    (
        "linkage",
        "scipy.cluster.hierarchy.linkage(%r)" % (table(4, 2),),
        lambda v: v.shape[0],
        "cluster.hierarchy",
    ),
    (
        "tree",
        "scipy.cluster.hierarchy.to_tree(scipy.cluster.hierarchy.linkage(%r))" % (table(4, 2),),
        lambda v: v.get_count(),
        "cluster.hierarchy",
    ),
    (
        "operator",
        "scipy.sparse.linalg.aslinearoperator(numpy.eye(2))",
        lambda v: v.matvec(numpy_ones()).tolist(),
        "sparse.linalg",
    ),
    ("winsor", "scipy.stats.mstats.winsorize", lambda v: v.__name__, "stats"),
    (
        "qmc",
        "scipy.stats.qmc.Halton(2, scramble=False)",
        lambda v: v.random(2).tolist(),
        "stats.qmc",
    ),
):  # type: ignore[assignment]
    scipy(_name, _text, _use, _modules, ("pickle",))


def numpy_ones() -> Any:
    return importlib.import_module("numpy").ones(2)


# ---- boosters ----

XG, LG = ("xgboost", "sklearn"), ("lightgbm", "sklearn")


def boosted(
    module: str, kind: str, target: str, wrap: Any = None, **options: Any
) -> Callable[[], Any]:
    def make() -> Any:
        one = getattr(importlib.import_module(module), kind)(n_estimators=4, n_jobs=1, **options)
        x, y = _data(target)
        return (wrap(one) if wrap else one).fit(x, y)

    return make


for _name, _kind, _target, _options in (
    ("logistic", "XGBClassifier", "plain", {"max_depth": 3}),
    ("three", "XGBClassifier", "three", {"max_depth": 2, "subsample": 0.8, "random_state": 1}),
    ("frame", "XGBClassifier", "frame", {"max_depth": 2}),
    ("squares", "XGBRegressor", "number", {"learning_rate": 0.5}),
    ("gamma", "XGBRegressor", "positive", {"objective": "reg:gamma"}),
    ("tweedie", "XGBRegressor", "positive", {"objective": "reg:tweedie"}),
    ("hinge", "XGBClassifier", "plain", {"objective": "binary:hinge"}),
    ("approx", "XGBRegressor", "number", {"tree_method": "approx", "max_bin": 16}),
    ("monotone", "XGBRegressor", "number", {"monotone_constraints": "(1,0,0,0)"}),
    ("random_forest", "XGBRFClassifier", "plain", {"max_depth": 2}),
    ("weighted", "XGBClassifier", "plain", {"scale_pos_weight": 2.0, "base_score": 0.4}),
):  # type: ignore[assignment]
    _use = (
        (lambda v, t=_target: v.predict_proba(_data(t)[0][:5]))
        if "Classifier" in _kind and _name != "hinge"
        else (lambda v, t=_target: v.predict(_data(t)[0][:5]))
    )  # type: ignore[misc]
    add("xg_" + _name, boosted("xgboost", _kind, _target, **_options), _use,
        XG + (("pandas",) if _target == "frame" else ()), (*CROSS, *HURT) if _name == "logistic" else SK)  # fmt: skip
for _name, _kind, _target, _options in (
    ("binary", "LGBMClassifier", "plain", {"num_leaves": 5, "min_child_samples": 3}),
    ("three", "LGBMClassifier", "three", {"min_child_samples": 3}),
    ("frame", "LGBMClassifier", "frame", {"min_child_samples": 3}),
    ("words", "LGBMClassifier", "words", {"min_child_samples": 3}),
    ("number", "LGBMRegressor", "number", {"min_child_samples": 3, "reg_lambda": 0.1}),
    ("poisson", "LGBMRegressor", "positive", {"objective": "poisson", "min_child_samples": 3}),
    ("goss", "LGBMRegressor", "number", {"boosting_type": "goss", "min_child_samples": 3}),
    (
        "rf",
        "LGBMClassifier",
        "plain",
        {"boosting_type": "rf", "subsample": 0.7, "subsample_freq": 1, "min_child_samples": 3},
    ),
    ("huber", "LGBMRegressor", "number", {"objective": "huber", "min_child_samples": 3}),
):  # type: ignore[assignment]
    _use = lambda v, t=_target: v.predict(_data(t)[0][:5])  # type: ignore[misc]  # noqa: E731
    add("lg_" + _name, boosted("lightgbm", _kind, _target, **_options), _use,
        LG + (("pandas",) if _target == "frame" else ()), (*CROSS, *HURT) if _name == "binary" else SK)  # fmt: skip
add("xg_pipeline", boosted("xgboost", "XGBRegressor", "number", lambda m: named(PIPE)([("s", named(
    S + "preprocessing.MinMaxScaler")()), ("m", m)])), five, XG, CROSS)  # fmt: skip
add("xg_voting", boosted("xgboost", "XGBClassifier", "plain", lambda m: named(
    S + "ensemble.VotingClassifier")([("a", m), ("b", named(LOGIT[0])())], voting="soft")), five, XG, SK)  # fmt: skip
add("lg_pipeline", boosted("lightgbm", "LGBMClassifier", "plain", lambda m: named(PIPE)([("s", named(
    S + "preprocessing.StandardScaler")()), ("m", m)])), five, LG, CROSS)  # fmt: skip
add("lg_search", boosted("lightgbm", "LGBMRegressor", "number", lambda m: named(
    S + "model_selection.RandomizedSearchCV")(m, {"num_leaves": [3, 4]}, n_iter=1, cv=2)), five, LG, SK)  # fmt: skip


def _trained() -> Any:
    xgboost = importlib.import_module("xgboost")
    x, y = xy()
    return xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3, "eta": 0.4}, xgboost.DMatrix(x, label=y), 4
    )


def _lgb_trained() -> Any:
    lightgbm = importlib.import_module("lightgbm")
    x, y = xy()
    return lightgbm.train({"objective": "binary", "verbose": -1, "min_data_in_leaf": 3},
                          lightgbm.Dataset(x, y), 4)  # fmt: skip


add("xg_booster", _trained, lambda v: v.predict(importlib.import_module("xgboost").DMatrix(xy()[0][:5])),
    ("xgboost",), (*SK, "cloudpickle", "dill", "joblib-lzma"))  # fmt: skip
add("lg_booster", _lgb_trained, five, ("lightgbm",), (*SK, "cloudpickle", "dill", "joblib-lzma"))

# ---- statsmodels, imbalanced-learn ----


def _stats(name: str, make: Callable[[], Any], use: Use) -> None:
    add("sm_" + name, make, use, ("statsmodels", "pandas"), ("pickle", "joblib"))


def _api() -> Any:
    return importlib.import_module("statsmodels.api")


_stats("ols_frame", lambda: _api().OLS(xy()[0][:, 0], importlib.import_module("pandas").DataFrame(
    xy()[0][:, 1:], columns=list("abc"))).fit(), lambda v: list(v.params))  # fmt: skip
_stats("ols_robust", lambda: _api().OLS(xy()[0][:, 0], xy()[0][:, 1:]).fit(cov_type="HC1"), lambda v: v.predict(
    xy()[0][:3, 1:]))  # fmt: skip
_stats("wls", lambda: _api().WLS(xy()[0][:, 0], xy()[0][:, 1:], weights=[1.0, 2.0] * 30).fit(),
       lambda v: v.predict(xy()[0][:3, 1:]))  # fmt: skip
_stats("logit_regular", lambda: _api().Logit([i * 5 % 3 % 2 for i in range(60)], xy()[0]).fit(disp=0),
       lambda v: v.predict(xy()[0][:3]))  # fmt: skip
_stats("glm_poisson", lambda: _api().GLM([i % 5 for i in range(60)], abs(xy()[0]), family=_api().families.Poisson()
       ).fit(), lambda v: v.predict(abs(xy()[0][:3])))  # fmt: skip
_stats("formula_ols", lambda: named("statsmodels.formula.api.ols")("age ~ plan", frame()).fit(),
       lambda v: list(v.params))  # fmt: skip
_stats("smoothing", lambda: named("statsmodels.tsa.api.ExponentialSmoothing")([abs(r[0]) + 1 for r in table(40)],
       trend="add").fit(), lambda v: v.forecast(2))  # fmt: skip
_stats("sarimax", lambda: named("statsmodels.tsa.api.SARIMAX")([abs(r[0]) + 1 for r in table(40)], order=(1, 0, 1)
       ).fit(disp=0), lambda v: v.forecast(2))  # fmt: skip
for _path, _options in (
    ("over_sampling.RandomOverSampler", {"random_state": 1}),
    ("over_sampling.SMOTE", {"random_state": 1}),
    ("under_sampling.RandomUnderSampler", {"random_state": 1}),
    ("under_sampling.NearMiss", {}),
    ("under_sampling.TomekLinks", {}),
    ("under_sampling.EditedNearestNeighbours", {}),
    ("combine.SMOTETomek", {"random_state": 1}),
    ("over_sampling.BorderlineSMOTE", {"random_state": 1}),
):  # type: ignore[assignment]

    def _sampler(p: str = _path, o: Any = _options) -> Any:
        made = named("imblearn." + p)(**o)
        made.fit_resample(*wider._uneven())
        return made

    add(
        "im_" + _path.rpartition(".")[2],
        _sampler,
        wider._sampled,
        ("imblearn", "sklearn"),
        ("pickle",),
    )
for _path in ("ensemble.BalancedRandomForestClassifier", "ensemble.BalancedBaggingClassifier",
              "ensemble.RUSBoostClassifier"):  # fmt: skip
    add("im_" + _path.rpartition(".")[2], lambda p=_path: named("imblearn." + p)(**FEW).fit(*wider._uneven()),
        five, ("imblearn", "sklearn"), SK)  # fmt: skip

# ---- functions and classes that carry their code ----

for _name, _text, _use in (
    ("scale", "def made(x, by=3):\n    '''Scales.'''\n    return x * by\n", None),
    (
        "condition",
        "def made(x):\n    if x is None:\n        return 0\n    elif x > 1:\n        return 'big'\n    return 'small'\n",
        None,
    ),
    (
        "for_else",
        "def made(x):\n    for i in range(3):\n        if i == x:\n            break\n    else:\n        return 'none'\n    return i\n",
        None,
    ),
    (
        "comprehensions",
        "def made(x):\n    return {i: [j for j in range(i)] for i in range(int(x))}, {1, 2}\n",
        lambda f: len(f(2.0)[0]),
    ),
    ("with_args", "def made(*args, **kwargs):\n    return sum(args) + len(kwargs)\n", None),
    (
        "raising",
        "def made(x):\n    try:\n        raise ValueError(x)\n    except ValueError as e:\n        return e.args[0]\n    finally:\n        pass\n",
        None,
    ),
    (
        "closure_list",
        "def outer(values):\n    def inner(x):\n        return [v * x for v in values]\n    return inner\nmade = outer([1, 2])\n",
        None,
    ),
    (
        "counter_closure",
        "def outer():\n    seen = []\n    def inner(x):\n        seen.append(x)\n        return len(seen)\n    return inner\nmade = outer()\n",
        None,
    ),
    ("global_dict", "RATES = {'a': 0.5}\ndef made(x):\n    return RATES['a'] * x\n", None),
    ("lambda_default", "made = lambda x, k={'a': 2}: x + k['a']\n", None),
    ("lambda_plain", "made = lambda x: x\n", None),
    ("lambda_sum", "made = lambda x: x + 1\n", None),
    ("text_format", "def made(x):\n    return '%.1f|{}|{:>4}'.format(x, 1) + f'{x:.1f}'\n", None),
    (
        "slicing",
        "def made(x):\n    a = list(range(10))\n    a[2:4] = [x]\n    del a[0]\n    return a[::3]\n",
        None,
    ),
    (
        "numpy_clip",
        "import numpy as np\ndef made(x):\n    return float(np.clip(np.array([x, 5.0]), 0, 3).sum())\n",
        None,
    ),
    (
        "sklearn_inside",
        "def made(x):\n    from sklearn.preprocessing import MinMaxScaler\n    return float(MinMaxScaler().fit([[0.0], [4.0]]).transform([[x]])[0, 0])\n",
        None,
    ),
    (
        "model_class",
        "class Model:\n    version = 2\n    def __init__(self, w):\n        self.w = w\n    def predict(self, rows):\n        return [sum(a * b for a, b in zip(r, self.w)) for r in rows]\nmade = Model([1.0, 2.0])\n",
        lambda v: v.predict([[1, 2]]),
    ),
    (
        "model_static",
        "class Model:\n    @staticmethod\n    def clean(x):\n        return x + 1\n    @classmethod\n    def build(cls):\n        return cls()\n    def run(self, x):\n        return self.clean(x)\nmade = Model.build()\n",
        lambda v: v.run(2),
    ),
    (
        "estimator",
        "from sklearn.base import BaseEstimator, TransformerMixin\nclass Clip(BaseEstimator, TransformerMixin):\n    def __init__(self, top=1.0):\n        self.top = top\n    def fit(self, x, y=None):\n        return self\n    def transform(self, x):\n        return x.clip(-self.top, self.top)\nmade = Clip(0.5)\n",
        lambda v: v.transform(xy()[0][:2]),
    ),
    (
        "estimator_pipe",
        "from sklearn.base import BaseEstimator, TransformerMixin\nfrom sklearn.pipeline import make_pipeline\nfrom sklearn.linear_model import Ridge\nclass Twice(BaseEstimator, TransformerMixin):\n    def fit(self, x, y=None):\n        return self\n    def transform(self, x):\n        return x * 2\nmade = make_pipeline(Twice(), Ridge())\n",
        lambda v: v.fit(xy()[0], xy()[0][:, 0]).predict(xy()[0][:2]),
    ),
    (
        "enum_int",
        "import enum\nclass Level(enum.IntEnum):\n    LOW = 1\n    TOP = 2\nmade = Level.TOP\n",
        lambda v: int(v),
    ),
    (
        "data_class",
        "import dataclasses\n@dataclasses.dataclass(order=True)\nclass Row:\n    a: float\n    b: str = 'x'\nmade = [Row(1.0), Row(2.0)]\n",
        lambda v: v[0] < v[1],
    ),
    (
        "named_pair",
        "import collections\nPair = collections.namedtuple('Pair', 'left right')\nmade = {'p': Pair(1, 2)}\n",
        lambda v: v["p"].left,
    ),
    (
        "inherit",
        "class Base:\n    def run(self, x):\n        return x\nclass Child(Base):\n    def run(self, x):\n        return super(Child, self).run(x) + 1\nmade = Child()\n",
        lambda v: v.run(1),
    ),
    (
        "super_plain",
        "class Base:\n    def __init__(self):\n        self.a = 1\nclass Child(Base):\n    def __init__(self):\n        super().__init__()\n        self.b = 2\nmade = Child()\n",
        lambda v: [v.a, v.b],
    ),
    (
        "callable_class",
        "class Add:\n    def __init__(self, n):\n        self.n = n\n    def __call__(self, x):\n        return x + self.n\nmade = [Add(1), Add(2)]\n",
        lambda v: v[1](1),
    ),
    ("exception_class", "class Bad(Exception):\n    pass\nmade = Bad('a')\n", lambda v: v.args[0]),
    ("generator_fn", "def made(x):\n    yield x\n    yield from [1, 2]\n", lambda f: list(f(0.0))),
    (
        "partial_fn",
        "import functools\ndef f(a, b):\n    return a - b\nmade = functools.partial(f, 5)\n",
        None,
    ),
    (
        "decorated",
        "def twice(f):\n    def inner(x):\n        return f(f(x))\n    return inner\n@twice\ndef made(x):\n    return x + 1\n",
        None,
    ),
    (
        "mutual",
        "def even(n):\n    return True if n <= 0 else odd(n - 1)\ndef odd(n):\n    return False if n <= 0 else even(n - 1)\nmade = even\n",
        None,
    ),
    (
        "instance_dict",
        "class A:\n    pass\na = A()\na.x = {'k': [1, 2]}\nmade = a\n",
        lambda v: v.x["k"],
    ),
    ("nan_check", "import math\ndef made(x):\n    return math.isnan(x) or math.log(x)\n", None),
    (
        "type_hints",
        "from typing import Dict, Optional\ndef made(x: float, y: Optional[Dict[str, int]] = None) -> float:\n    z: float = x\n    return z\n",
        None,
    ),
    ("assertion", "def made(x):\n    assert x > 0, 'bad'\n    return not x\n", None),
    ("starred", "def made(x):\n    first, *rest = (x, 1, 2)\n    return [*rest, first]\n", None),
    (
        "big_constants",
        "def made(x):\n    return [10 ** 20, 1.5e300, 'ü', b'x', (1, (2,)), ...][:5]\n",
        lambda f: len(f(1.0)),
    ),
    (
        "lookup",
        "def made(x):\n    table = {'a': 1, 'b': 2}\n    return [k for k, v in sorted(table.items()) if v < x]\n",
        None,
    ),
):  # type: ignore[assignment]
    code(
        "x_" + _name,
        _text,
        _use or (lambda f: f(2.0)),
        "cloudpickle sklearn" if "sklearn" in _text else "cloudpickle",
    )

# Dill falls into itself on it until the process dies.
_needs, _, _made = RECIPES[wider.GROUPS[-1]("") + "fn_x_enum_int"]
RECIPES[wider.GROUPS[-1]("") + "fn_x_enum_int"] = (_needs, ("cloudpickle",), _made)

__all__ = ["HURT", "answer", "drawn"]
