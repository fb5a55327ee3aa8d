"""Recipes that nothing was mended with: other estimators, objects and ways to open a file.

What comes back is compared by value, with a tolerance: predictions, numbers, fields, texts that a
standard fixes. Never what an object prints of itself, and no address.
"""

import importlib
from typing import Any, Callable, Dict, Tuple

import recipes_wider as wider
from recipes import X5, Y5, frame, table, xy
from recipes_wider import (
    BOTH,
    LOGIT,
    NAIVE,
    NEAR,
    REGRESSION_TREE,
    RIDGE,
    SCALE,
    SVC_,
    TREE,
    S,
    add,
    answer,
    code,
    model,
    named,
    value,
)  # fmt: skip

wider.GROUPS.append(lambda name: "third-")
Use = Callable[[Any], Any]

# Opened by the first, written by the second.
CROSS = ("pickle", "dill@pickle", "pickle@dill", "cloudpickle", "topickle@pickle", "joblib@pickle",
         "pickle@joblib", "topickle@joblib", "dill@joblib-zlib", "pickle@joblib-gzip",
         "joblib@cloudpickle", "topickle@joblib-bz2", "joblib@topickle", "dill@cloudpickle")  # fmt: skip
HURT = ("pickle@cut", "joblib@cut", "topickle@cut", "pickle@headless", "joblib@headless",
        "pickle@gzipped", "joblib@gzipped", "topickle@gzipped", "pickle@bzipped", "joblib@bzipped",
        "pickle@ended", "joblib@ended", "pickle@twice", "joblib@twice", "pickle@text",
        "pickle@encoded", "joblib@encoded", "dill@gzipped", "dill@cut")  # fmt: skip
SKLEARN = ("pickle", "joblib")
SEED = {"random_state": 0}
FEW: Dict[str, Any] = {"n_estimators": 3, "random_state": 0}

# ---- scikit-learn: compositions ----

PIPE = S + "pipeline.Pipeline"
HIST = (S + "ensemble.HistGradientBoostingClassifier", {"max_iter": 3, "min_samples_leaf": 4})
FOREST = (S + "ensemble.RandomForestClassifier", FEW)
INNER = (PIPE, {"steps": [("s", SCALE), ("m", LOGIT)]})

model(S + "calibration.CalibratedClassifierCV", FOREST, cv=3, name="calibrated_forest", by=CROSS)
model(S + "multioutput.MultiOutputRegressor", (S + "ensemble.GradientBoostingRegressor", FEW),
      kind="two", name="many_outputs", by=BOTH)  # fmt: skip
model(S + "multiclass.OneVsRestClassifier", INNER, kind="three", name="rest_of_pipelines", by=BOTH)
model(
    S + "ensemble.BaggingRegressor", (S + "svm.SVR", {}), kind="number", name="bagging_svr", **FEW
)
model(S + "ensemble.BaggingClassifier", LOGIT, name="bagging_logit", max_features=0.5, **FEW)
model(S + "ensemble.AdaBoostRegressor", kind="number", by=BOTH, **FEW)
model(S + "ensemble.AdaBoostClassifier", kind="three", name="ada_stumps", **FEW)
model(S + "ensemble.StackingClassifier", [("a", INNER), ("b", NEAR), ("c", FOREST)], cv=2,
      final_estimator=LOGIT, name="stacking_three", by=BOTH)  # fmt: skip
model(S + "ensemble.VotingClassifier", [("a", SVC_), ("b", TREE)], name="voting_hard")
model(S + "ensemble.VotingRegressor", [("a", (S + "ensemble.RandomForestRegressor", FEW)),
      ("b", RIDGE)], kind="number", weights=[1, 2], name="voting_weighted")  # fmt: skip
model(PIPE, [("i", (S + "impute.KNNImputer", {"n_neighbors": 3})), ("s", SCALE),
      ("m", (S + "svm.SVC", {"gamma": "scale"}))], name="near_imputed_svc", by=BOTH,
      use=lambda v: v.predict(xy()[0][:5]))  # fmt: skip
model(PIPE, [("s", (S + "preprocessing.MaxAbsScaler", {})), ("p", (S + "decomposition.PCA",
      {"n_components": 2})), ("k", (S + "cluster.KMeans", {"n_clusters": 3, "n_init": 2,
      "random_state": 0}))], kind="only", name="pca_kmeans", by=CROSS)  # fmt: skip
model(PIPE, [("f", (S + "pipeline.FeatureUnion", {"transformer_list": [("a", SCALE),
      ("b", (PIPE, {"steps": [("p", (S + "decomposition.PCA", {"n_components": 2})),
      ("q", (S + "preprocessing.PolynomialFeatures", {}))]}))]})),
      ("m", (S + "linear_model.ElasticNet", {"alpha": 0.01}))], kind="number", by=BOTH,
      name="nested_union")  # fmt: skip
model(PIPE, [("s", (S + "feature_selection.SelectFromModel", {"estimator": FOREST})), ("m", HIST)],
      experimental="enable_hist_gradient_boosting", name="selected_hist", by=BOTH)  # fmt: skip
model(S + "model_selection.GridSearchCV", (S + "ensemble.RandomForestClassifier", FEW),
      {"max_depth": [1, 3]}, cv=3, name="grid_forest", refit=True, by=BOTH)  # fmt: skip
model(S + "model_selection.RandomizedSearchCV", INNER, {"m__C": [0.1, 1.0, 10.0]}, n_iter=2, cv=2,
      random_state=1, name="random_search_pipeline")  # fmt: skip
model(S + "compose.TransformedTargetRegressor", REGRESSION_TREE, kind="number",
      transformer=(S + "preprocessing.StandardScaler", {}), name="target_scaled")  # fmt: skip
model(S + "feature_selection.RFE", FOREST, n_features_to_select=2, name="rfe_forest")
model(PIPE, [("v", (S + "feature_selection.VarianceThreshold", {})), ("k", (S +
      "feature_selection.SelectKBest", {"k": 2})), ("m", NAIVE)], name="filters_naive")  # fmt: skip

# ---- scikit-learn: one estimator ----

for _name, _kind, _options in (
    ("naive_bayes.BernoulliNB", "class", {}),
    ("naive_bayes.MultinomialNB", "positive_class", {}),
    ("neighbors.NearestCentroid", "three", {}),
    ("neighbors.RadiusNeighborsRegressor", "number", {"radius": 9.0}),
    ("neighbors.KNeighborsRegressor", "two", {"weights": "distance"}),
    ("neighbors.KNeighborsTransformer", "only", {"n_neighbors": 3}),
    ("svm.NuSVR", "number", {}), ("svm.LinearSVR", "number", SEED),
    ("cluster.MiniBatchKMeans", "only", {"n_clusters": 2, "n_init": 2, "random_state": 0}),
    ("decomposition.MiniBatchDictionaryLearning", "only", {"n_components": 2, "random_state": 0}),
    ("decomposition.IncrementalPCA", "only", {"n_components": 2}),
    ("decomposition.FastICA", "only", {"n_components": 2, "random_state": 0}),
    ("decomposition.MiniBatchNMF", "onlypositive", {"n_components": 2, "random_state": 0}),
    ("decomposition.LatentDirichletAllocation", "onlypositive",
     {"n_components": 2, "max_iter": 3, "random_state": 0}),
    ("decomposition.MiniBatchSparsePCA", "only", {"n_components": 2, "random_state": 0}),
    ("discriminant_analysis.QuadraticDiscriminantAnalysis", "class", {}),
    ("discriminant_analysis.LinearDiscriminantAnalysis", "class", {"n_components": 1}),
    ("tree.ExtraTreeClassifier", "three", SEED), ("tree.ExtraTreeRegressor", "number", SEED),
    ("ensemble.ExtraTreesClassifier", "three", FEW),
    ("linear_model.Lasso", "number", {"alpha": 0.02, "positive": True}),
    ("linear_model.LassoLarsIC", "number", {}), ("linear_model.LassoLars", "number", {}),
    ("linear_model.LarsCV", "number", {"cv": 2}),
    ("linear_model.MultiTaskElasticNetCV", "two", {"cv": 2, "alphas": [0.1, 0.2]}),
    ("linear_model.MultiTaskElasticNet", "two", {}),
    ("linear_model.OrthogonalMatchingPursuit", "number", {"n_nonzero_coefs": 2}),
    ("linear_model.RidgeClassifier", "class", {}),
    ("linear_model.Perceptron", "class", {"random_state": 0, "max_iter": 10, "tol": None}),
    ("linear_model.PassiveAggressiveRegressor", "number",
     {"random_state": 0, "max_iter": 10, "tol": None}),
    ("semi_supervised.LabelPropagation", "three", {}),
    ("preprocessing.Binarizer", "only", {"threshold": 0.2}),
    ("preprocessing.Normalizer", "only", {"norm": "l1"}),
    ("preprocessing.MinMaxScaler", "only", {"feature_range": (1, 2)}),
    ("preprocessing.PowerTransformer", "only", {"standardize": False}),
    ("preprocessing.KernelCenterer", "square", {}),
    ("feature_selection.SelectFpr", "class", {}), ("feature_selection.SelectFdr", "class", {}),
    ("cross_decomposition.PLSRegression", "two", {}), ("kernel_ridge.KernelRidge", "number", {}),
    ("kernel_approximation.SkewedChi2Sampler", "onlypositive", SEED),
    ("impute.MissingIndicator", "only", {"features": "all"}),
    ("covariance.OAS", "only", {}), ("covariance.MinCovDet", "only", SEED),
    ("covariance.ShrunkCovariance", "only", {}), ("covariance.GraphicalLassoCV", "only", {"cv": 2}),
    ("cluster.SpectralBiclustering", "onlypositive", {"n_clusters": 2, "random_state": 0}),
    ("dummy.DummyClassifier", "three", {"strategy": "prior"}),
    ("gaussian_process.GaussianProcessClassifier", "three", {}),
    ("mixture.GaussianMixture", "only",
     {"n_components": 2, "covariance_type": "diag", "random_state": 0}),
    ("neighbors.KernelDensity", "only", {"kernel": "tophat", "algorithm": "ball_tree"}),
    ("ensemble.GradientBoostingClassifier", "class",
     {"n_estimators": 3, "n_iter_no_change": 2, "random_state": 0}),
    ("ensemble.HistGradientBoostingRegressor", "number",
     {"max_iter": 3, "min_samples_leaf": 4, "experimental": "enable_hist_gradient_boosting",
      "monotonic_cst": [1, 0, 0, -1]}),
    ("random_projection.GaussianRandomProjection", "only",
     {"n_components": 2, "random_state": 0, "compute_inverse_components": True}),
):  # fmt: skip
    _short = _name.rpartition(".")[2]
    _use: Any = answer
    if _short in ("OAS", "MinCovDet", "ShrunkCovariance", "GraphicalLassoCV"):
        _use = lambda v: v.mahalanobis(xy()[0][:3])  # noqa: E731
    elif _kind in ("positive", "onlypositive", "positive_class"):
        _use = lambda v: (v.predict if hasattr(v, "predict") else v.transform)(abs(xy()[0][:5]))  # noqa: E731
    elif _short in ("Perceptron", "RidgeClassifier"):
        _use = lambda v: v.predict(xy()[0][:5])  # noqa: E731
    if _short == "SpectralBiclustering":
        _use = lambda v: len(v.row_labels_)  # noqa: E731
    if _kind == "square":
        add("KernelCenterer", lambda: named(S + "preprocessing.KernelCenterer")().fit(
            xy()[0][:4].dot(xy()[0][:4].T)), lambda v: v.transform(xy()[0][:4].dot(xy()[0][:4].T)),
            ("sklearn",), ("pickle",))  # fmt: skip
        continue
    if _kind == "positive_class":
        add(_short, lambda: named(S + "naive_bayes.MultinomialNB")().fit(abs(xy()[0]), xy()[1]),
            lambda v: v.predict_proba(abs(xy()[0][:5])), ("sklearn",), SKLEARN)  # fmt: skip
        continue
    model(S + _name, kind=_kind, use=_use, name=_short, by=SKLEARN, **_options)
model(S + "linear_model.LogisticRegression", kind="three", penalty="l1", solver="saga", max_iter=60,
      random_state=0, name="logit_l1")  # fmt: skip
model(S + "linear_model.LogisticRegression", penalty="elasticnet", l1_ratio=0.5, solver="saga",
      max_iter=60, random_state=0, name="logit_elastic", class_weight="balanced")  # fmt: skip
model(S + "linear_model.SGDClassifier", kind="three", loss="modified_huber", random_state=0,
      max_iter=20, tol=None, name="sgd_huber", by=BOTH)  # fmt: skip
model(S + "linear_model.SGDClassifier", loss="perceptron", penalty="l1", random_state=0, average=True,
      max_iter=20, tol=None, name="sgd_averaged", use=lambda v: v.predict(xy()[0][:5]))  # fmt: skip
model(S + "neural_network.MLPRegressor", kind="two", hidden_layer_sizes=(4, 3), solver="sgd",
      max_iter=8, random_state=0, name="mlp_two")  # fmt: skip
model(S + "svm.SVC", kind="three", kernel="linear", decision_function_shape="ovo", name="svc_ovo",
      break_ties=False, by=BOTH, use=lambda v: [v.predict(xy()[0][:4]).tolist(),
      v.decision_function(xy()[0][:4]).tolist()])  # fmt: skip


def _words(path: str, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        x, _ = xy()
        return named(S + path)(**options).fit(x, [["low", "mid", "top"][i % 3] for i in range(60)])

    return make


for _name, _path, _options in (
    ("forest_words", "ensemble.RandomForestClassifier", FEW),
    ("tree_words", "tree.DecisionTreeClassifier", {"max_depth": 3, "random_state": 0}),
    ("near_words", "neighbors.KNeighborsClassifier", {}),
    ("gb_words", "ensemble.GradientBoostingClassifier", FEW),
    ("mlp_words", "neural_network.MLPClassifier", {"max_iter": 5, "random_state": 0}),
):
    add(_name, _words(_path, **_options), lambda v: [v.predict(xy()[0][:6]).tolist(),
        v.predict_proba(xy()[0][:4]).tolist()], ("sklearn",), CROSS if "forest" in _name else BOTH)  # fmt: skip


def _encoded(name: str, path: str, use: Use, **options: Any) -> None:
    data = [["a", "x"], ["b", "y"], ["c", "x"], ["a", "y"]] * 6
    add(name, lambda: named(S + path)(**options).fit(data, [0.0, 1.0, 2.0, 1.0] * 6), use,
        ("sklearn",), SKLEARN)  # fmt: skip


_encoded("one_hot_rare", "preprocessing.OneHotEncoder", lambda v: v.transform([["a", "y"]]),
         min_frequency=8, handle_unknown="infrequent_if_exist")  # fmt: skip
_encoded("one_hot_plain", "preprocessing.OneHotEncoder", lambda v: v.transform([["z", "y"]]),
         handle_unknown="ignore")  # fmt: skip
_encoded("ordinal_plain", "preprocessing.OrdinalEncoder", lambda v: v.inverse_transform([[1, 0]]))
_encoded("target_encoder", "preprocessing.TargetEncoder", lambda v: v.transform([["a", "y"]]),
         target_type="continuous")  # fmt: skip
add("isotonic_fitted", lambda: named(S + "isotonic.IsotonicRegression")(out_of_bounds="clip").fit(
    [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]), lambda v: v.predict([0.5, 1.5, 2.5]), ("sklearn",), SKLEARN)  # fmt: skip
add("tfidf_transformer", lambda: named(S + "feature_extraction.text.TfidfTransformer")().fit(
    abs(xy()[0])), lambda v: v.transform(abs(xy()[0][:2])), ("sklearn",), SKLEARN)  # fmt: skip
add("count_fixed", lambda: named(S + "feature_extraction.text.CountVectorizer")(
    vocabulary=["red", "blue"], binary=True), lambda v: v.transform(["red blue blue"]),
    ("sklearn",), SKLEARN)  # fmt: skip
add("tfidf_fitted", lambda: named(S + "feature_extraction.text.TfidfVectorizer")(
    max_features=4, norm="l1").fit(wider.WORDS), lambda v: v.transform(["red blue or"]),
    ("sklearn",), CROSS)  # fmt: skip
add("hashing_naive", lambda: named(PIPE)([("h", named(S + "feature_extraction.text.HashingVectorizer")(
    n_features=16, alternate_sign=False)), ("n", named(S + "naive_bayes.MultinomialNB")())]).fit(
    wider.WORDS, wider.LABELS), lambda v: v.predict_proba(["red blue"]), ("sklearn",), BOTH)  # fmt: skip
add("set_output", lambda: named(S + "preprocessing.StandardScaler")().set_output(
    transform="pandas").fit(xy()[0]), lambda v: v.transform(xy()[0][:2]).values.tolist(),
    ("sklearn", "pandas"), SKLEARN)  # fmt: skip
add("table_of_models", lambda: {"versions": [1, 2], "models": {"a": named(S + "linear_model.Ridge")(
    ).fit(xy()[0], xy()[0][:, 0]), "b": named(S + "tree.DecisionTreeRegressor")(max_depth=2).fit(
    xy()[0], xy()[0][:, 1])}}, lambda v: [m.predict(xy()[0][:2]).tolist() for m in
    v["models"].values()], ("sklearn",), CROSS)  # fmt: skip
add("list_of_scalers", lambda: [named(S + "preprocessing.RobustScaler")().fit(xy()[0]),
    {"columns": ["a", "b"], "mean": xy()[0].mean(axis=0)}], lambda v: v[0].transform(xy()[0][:2]),
    ("sklearn",), HURT)  # fmt: skip
for _name, _text in (
    ("k_folds", "model_selection.RepeatedKFold(n_splits=2, n_repeats=2, random_state=1)"),
    ("time_split", "model_selection.TimeSeriesSplit(n_splits=3)"),
    ("shuffle_split", "model_selection.ShuffleSplit(n_splits=2, random_state=1)"),
):
    value(_name, "sklearn." + _text, lambda v: [len(a) for a, _ in v.split([[0]] * 12)],
          needs="sklearn sklearn.model_selection")  # fmt: skip
value("parameter_grid", "sklearn.model_selection.ParameterGrid({'a': [1, 2], 'b': [3]})", len,
      needs="sklearn sklearn.model_selection")  # fmt: skip
value("scorer_auc", "sklearn.metrics.get_scorer('roc_auc')", lambda v: v(named(
      S + "linear_model.LogisticRegression")(solver="liblinear").fit(*xy()), *xy()),
      needs="sklearn sklearn.metrics sklearn.linear_model")  # fmt: skip


def _columns() -> Any:
    pipe, compose, pre = (importlib.import_module(S + m) for m in ("pipeline", "compose",
                                                                  "preprocessing"))  # fmt: skip
    impute = importlib.import_module(S + "impute")
    linear = importlib.import_module(S + "linear_model")
    columns = compose.ColumnTransformer(
        [
            ("n", pipe.make_pipeline(impute.SimpleImputer(), pre.StandardScaler()), ["age"]),
            ("c", pipe.make_pipeline(impute.SimpleImputer(strategy="most_frequent"),
                                     pre.OneHotEncoder(handle_unknown="ignore")), ["city", "plan"]),
        ]
    )  # fmt: skip
    inner = pipe.FeatureUnion([("all", columns), ("age", compose.ColumnTransformer(
        [("b", pre.KBinsDiscretizer(3, encode="ordinal"), ["age"])]))])  # fmt: skip
    return pipe.Pipeline([("f", inner), ("m", linear.LogisticRegression(solver="lbfgs"))]).fit(
        frame(), xy()[1]
    )


add("columns_nested", _columns, lambda v: v.predict_proba(frame().iloc[:4]), ("sklearn", "pandas"),
    CROSS)  # fmt: skip

# ---- the project's own classes ----


def _fleet(name: str) -> Any:
    return getattr(importlib.import_module("fleet"), name)


def _registry() -> Any:
    made = _fleet("Registry")(a=1)
    made.owner = "b"
    return made


P2 = ("pickle", "pickle-p2", "joblib")
for _name, _make, _use in (
    ("stop", lambda: _fleet("Stop")("a", 2), lambda v: [v.name, v.km]),
    ("point", lambda: _fleet("Point")(1.0), lambda v: v.x),
    ("leg", lambda: _fleet("Leg")("a"), lambda v: [v.start, v.km]),
    ("leg_asked", lambda: _fleet("Leg")("a"), lambda v: [v.start, v == v, type(v).__name__]),
    ("fuel", lambda: _fleet("Fuel").POWER, lambda v: v.name),
    ("fuel_other", lambda: {"a": _fleet("Fuel").DIESEL}, lambda v: v["a"].value),
    ("money", lambda: _fleet("Money")(2.5), lambda v: v.amount),
    ("registry", _registry, lambda v: [dict(v), v.owner]),
    ("depot", lambda: _fleet("Depot")(), lambda v: len(v.gates)),
    ("counter", lambda: _fleet("Counter")(), lambda v: [v.seen, callable(v.log)]),
    ("double", lambda: _fleet("double"), lambda v: v(3)),
    ("partial", lambda: named("functools.partial")(_fleet("double"), 2), lambda v: v()),
):  # type: ignore[assignment]
    add("project_" + _name, _make, _use, ("fleet",), P2 + (("dill", "cloudpickle") if _name in (
        "double", "leg", "depot") else ()))  # fmt: skip
add("project_clip", lambda: named(PIPE)([("c", _fleet("Clip")(-0.5)), ("m", named(
    S + "linear_model.Ridge")())]).fit(xy()[0], xy()[0][:, 0]), lambda v: v.predict(xy()[0][:4]),
    ("sklearn", "fleet"), BOTH)  # fmt: skip
add("project_function", lambda: named(PIPE)([("c", named(S + "preprocessing.FunctionTransformer")(
    _fleet("double"), validate=False)), ("m", named(S + "naive_bayes.GaussianNB")())]).fit(*xy()),
    lambda v: v.predict(xy()[0][:4]), ("sklearn", "fleet"), BOTH)  # fmt: skip

# ---- the standard library ----

value("dt_utc", "[datetime.datetime(2021, 3, 4, 5, 6, 7, 8, tzinfo=datetime.timezone.utc)]",
      lambda v: v[0].isoformat(), needs="datetime", by=CROSS)  # fmt: skip
value("dt_zone_time", "datetime.time(1, 2, tzinfo=zoneinfo.ZoneInfo('UTC'), fold=1)",
      lambda v: v.isoformat(), needs="datetime zoneinfo", by=P2)  # fmt: skip
value("dec_nan", "[decimal.Decimal('NaN'), decimal.Decimal('1e-30'), decimal.ROUND_UP]",
      lambda v: [str(x) for x in v], needs="decimal", by=P2)  # fmt: skip
value("dec_tuple", "decimal.Decimal('1.5').as_tuple()", lambda v: v.digits, needs="decimal")
value("dec_error", "decimal.InvalidOperation('x')", lambda v: v.args, needs="decimal")
for _name, _text, _module in (
    ("http_method", "http.HTTPMethod.GET", "http"), ("http_ok", "http.HTTPStatus.OK", "http"),
    ("http_hints", "http.HTTPStatus(103)", "http"), ("sock_type", "socket.SOCK_STREAM", "socket"),
    ("tls", "ssl.TLSVersion.TLSv1_2", "ssl"), ("safe_uuid", "uuid.SafeUUID.safe", "uuid"),
    ("plist", "plistlib.FMT_XML", "plistlib"), ("mask", "signal.SIG_BLOCK", "signal"),
    ("invalidation", "py_compile.PycInvalidationMode.CHECKED_HASH", "py_compile"),
    ("check_mode", "ssl.VerifyMode.CERT_REQUIRED", "ssl"), ("re_ascii", "re.ASCII", "re"),
    ("day", "calendar.FRIDAY", "calendar"), ("month", "calendar.JANUARY", "calendar"),
):  # fmt: skip
    value("enum_" + _name, _text, lambda v: str(getattr(v, "name", v)) if not isinstance(v, int)
          else int(v), needs=_module, by=P2)  # fmt: skip
value("ip_all", "[ipaddress.ip_address('::1'), ipaddress.ip_interface('10.0.0.1/24'),"
      " ipaddress.ip_network('2001:db8::/32')]", lambda v: [str(x) for x in v],
      needs="ipaddress", by=P2)  # fmt: skip
value("paths", "{'a': pathlib.PurePosixPath('/srv/x.pkl'), 'b': [pathlib.Path('m/n')]}",
      lambda v: [v["a"].suffix, v["b"][0].name], needs="pathlib", by=CROSS)  # fmt: skip
value("counter", "collections.Counter('banana')", dict, needs="collections", by=P2)
value("user_list", "[collections.UserList([1, 2]), collections.UserString('ab')]",
      lambda v: [list(v[0]), str(v[1])], needs="collections", by=P2)  # fmt: skip
value("abstract_class", "[collections.abc.Mapping, numbers.Number, abc.ABC]",
      lambda v: [x.__name__ for x in v], needs="collections.abc numbers abc")  # fmt: skip
value("partials", "functools.partial(functools.partial(int, base=2), '101')", lambda v: v(),
      needs="functools", by=P2)  # fmt: skip
value("partial_method", "functools.partialmethod(int, base=2)", lambda v: v.keywords,
      needs="functools")  # fmt: skip
value("to_key", "functools.cmp_to_key(max)", lambda v: callable(v), needs="functools")
value("reduced", "[functools.reduce, functools.wraps, operator.concat, math.sqrt]",
      lambda v: [x.__name__ for x in v], needs="functools operator math")  # fmt: skip
value("system_random", "random.SystemRandom()", lambda v: 0 <= v.random() < 1, needs="random")
value("random_bound", "random.Random(5).random", lambda v: v(), needs="random", by=P2)
value("log_level", "[logging.getLogger(), logging.Filter('a')]", lambda v: [v[0].name, v[1].name],
      needs="logging")  # fmt: skip
value("log_adapter", "logging.LoggerAdapter(logging.getLogger('x'), {'a': 1})",
      lambda v: v.extra, needs="logging")  # fmt: skip
value("log_style", "logging.Formatter('{message}', style='{')", lambda v: v.format(
      importlib.import_module("logging").LogRecord("a", 1, "p", 1, "hi", (), None)),
      needs="logging")  # fmt: skip
value("regex_bytes", "re.compile(rb'(?P<a>x+)', re.S)", lambda v: v.match(b"xx").end(), needs="re",
      by=P2)  # fmt: skip
value("regex_verbose", "re.compile('''a # first\\n b''', re.X | re.U)", lambda v: bool(v.match("ab")),
      needs="re", by=CROSS)  # fmt: skip
value("uuid_random", "uuid.uuid5(uuid.NAMESPACE_DNS, 'a')", lambda v: v.hex, needs="uuid", by=P2)
value("arguments_nested", "argparse.Namespace(a=argparse.Namespace(b=1))", lambda v: v.a.b,
      needs="argparse", by=P2)  # fmt: skip
value("argument_parser", "argparse.ArgumentParser('x')", lambda v: vars(v.parse_args([])),
      needs="argparse")  # fmt: skip
value("simple_nested", "types.SimpleNamespace(a=types.SimpleNamespace(b=[1]))", lambda v: v.a.b,
      needs="types", by=P2)  # fmt: skip
for _name, _text in (
    ("product", "itertools.product([1, 2], 'a')"), ("islice", "itertools.islice([1, 2, 3], 2)"),
    ("permutations", "itertools.permutations([1, 2])"), ("repeat", "itertools.repeat(1, 2)"),
    ("combinations", "itertools.combinations([1, 2, 3], 2)"), ("zipped", "zip([1], [2])"),
    ("accumulated", "itertools.accumulate([1, 2])"), ("starmap", "itertools.starmap(max, [(1, 2)])"),
    ("takewhile", "itertools.takewhile(bool, [1, 0])"), ("reversed_", "reversed([1, 2])"),
    ("enumerated", "enumerate(['a'])"), ("compressed", "itertools.compress('ab', [1, 0])"),
):  # fmt: skip
    value("it_" + _name, _text, lambda v: [str(x) for x in v], needs="itertools")
value(
    "text_wrapper", "textwrap.TextWrapper(width=5)", lambda v: v.wrap("a b c d"), needs="textwrap"
)
value("mail_message", "email.message_from_string('Subject: a\\n\\nb')", lambda v: v["subject"],
      needs="email")  # fmt: skip
value("mail_address", "email.headerregistry.Address('A', 'a', 'b.c')", lambda v: v.addr_spec,
      needs="email email.headerregistry")  # fmt: skip
value("csv_dialect", "[csv.excel, csv.unix_dialect, csv.QUOTE_ALL]", lambda v: v[0].delimiter,
      needs="csv")  # fmt: skip
value("matcher", "difflib.SequenceMatcher(None, 'ab', 'abc')", lambda v: v.ratio(), needs="difflib")
value("sorter", "graphlib.TopologicalSorter({'a': {'b'}})", lambda v: list(v.static_order()),
      needs="graphlib")  # fmt: skip
value("hint_union", "typing.Union[int, str]", lambda v: len(v.__args__), needs="typing", by=P2)
value("hint_tuple", "typing.Tuple[int, ...]", lambda v: len(v.__args__), needs="typing")
value("hint_literal", "typing.Literal['a', 1]", lambda v: v.__args__, needs="typing")
value("hint_final", "typing.ClassVar[int]", lambda v: v is not None, needs="typing")
value("generic_alias", "[dict[str, int], tuple[int, ...]]", lambda v: [len(x.__args__) for x in v])
value("union_new", "int | None", lambda v: len(v.__args__))
value("calendar_html", "calendar.HTMLCalendar(6)", lambda v: v.getfirstweekday(), needs="calendar")
value("formatter_text", "string.Formatter()", lambda v: v.format("{}", 1), needs="string")
value("json_encoder", "json.JSONEncoder(indent=1)", lambda v: v.encode([1]), needs="json")
value("json_decoder", "json.JSONDecoder()", lambda v: v.decode("[1]"), needs="json")
value("request", "urllib.request.Request('http://a/b', headers={'X': 'y'})", lambda v: v.host,
      needs="urllib.request")  # fmt: skip
value("error_url", "urllib.error.URLError('a')", lambda v: v.reason, needs="urllib.error")
value("error_os", "FileNotFoundError(2, 'no', 'f')", lambda v: [v.errno, v.filename], by=P2)
value("error_key", "[KeyError('a'), StopIteration(3), UnicodeDecodeError('utf-8', b'a', 0, 1, 'r')]",
      lambda v: [type(x).__name__ for x in v], by=P2)  # fmt: skip
value("error_timeout", "[TimeoutError('t'), concurrent.futures.TimeoutError('t')]",
      lambda v: [x.args for x in v], needs="concurrent.futures")  # fmt: skip
value("error_async", "[asyncio.TimeoutError('t'), asyncio.CancelledError()]", len, needs="asyncio")
value("error_socket", "[socket.timeout('t'), socket.gaierror(1, 'x')]", len, needs="socket")
value("process_done", "subprocess.CompletedProcess(['a'], 0, 'out')", lambda v: v.stdout,
      needs="subprocess")  # fmt: skip
value("process_error", "subprocess.CalledProcessError(2, ['a'])", lambda v: v.returncode,
      needs="subprocess")  # fmt: skip
value("settings", "(lambda c: (c.read_string('[a]\\nb = %(d)s\\nd = 2'), c)[1])"
      "(configparser.ConfigParser())", lambda v: v["a"]["b"], needs="configparser", by=P2)  # fmt: skip
value("settings_raw", "configparser.RawConfigParser(allow_no_value=True)", lambda v: v.sections(),
      needs="configparser")  # fmt: skip
value("types_of_files", "mimetypes.MimeTypes()", lambda v: v.guess_type("a.txt")[0],
      needs="mimetypes")  # fmt: skip
value("options", "optparse.Values({'a': 1})", lambda v: v.a, needs="optparse")
value("frames", "[traceback.FrameSummary('f', 1, 'n', lookup_line=False), traceback.StackSummary()]",
      lambda v: v[0].lineno, needs="traceback")  # fmt: skip
value("traced", "traceback.TracebackException(ValueError, ValueError('a'), None)",
      lambda v: next(iter(v.format_exception_only())), needs="traceback")  # fmt: skip
value("document", "xml.dom.minidom.parseString('<a b=\"c\"/>')",
      lambda v: v.documentElement.getAttribute("b"), needs="xml.dom.minidom")  # fmt: skip
value("tree_of_elements", "xml.etree.ElementTree.ElementTree(xml.etree.ElementTree.XML('<a><b/></a>'))",
      lambda v: len(v.getroot()), needs="xml.etree.ElementTree")  # fmt: skip
value("rpc_time", "xmlrpc.client.DateTime('20200101T00:00:00')", lambda v: v.value,
      needs="xmlrpc.client")  # fmt: skip
value("terminal", "os.terminal_size((80, 24))", lambda v: v.columns, needs="os")
value("machine", "platform.uname()", lambda v: v.system, needs="platform")
value("usage", "resource.getrusage(resource.RUSAGE_SELF)", lambda v: v.ru_maxrss > 0,
      needs="resource")  # fmt: skip
value("contexts", "[contextlib.suppress(KeyError), contextlib.nullcontext(3)]", len,
      needs="contextlib")  # fmt: skip
value("streams", "[io.BytesIO(b'ab'), io.StringIO('cd')]", lambda v: [v[0].read().decode(),
      v[1].read()], needs="io", by=P2)  # fmt: skip
value("functions_c", "[bisect.bisect, heapq.heappush, zlib.crc32, struct.pack]",
      lambda v: [x.__name__ for x in v], needs="bisect heapq zlib struct")  # fmt: skip
value("syntax_more", "ast.parse('x = f(1)[2:3]')",
      lambda v: type(v.body[0].value).__name__, needs="ast")  # fmt: skip
value("tokens", "tokenize.TokenInfo(1, 'a', (1, 0), (1, 1), 'a')", lambda v: v.string,
      needs="tokenize")  # fmt: skip
value("signature_full", "inspect.signature(int.from_bytes)", lambda v: len(v.parameters),
      needs="inspect")  # fmt: skip
value("module_spec", "importlib.machinery.ModuleSpec('a', None)", lambda v: v.name,
      needs="importlib importlib.machinery")  # fmt: skip
value("doc_example", "doctest.Example('1', '1')", lambda v: v.source, needs="doctest")
value("match_case", "unittest.TestResult()", lambda v: v.testsRun, needs="unittest")
value("zip_infos", "[zipfile.ZipInfo('b/c', (2020, 1, 1, 0, 0, 0)), tarfile.TarInfo('d')]",
      lambda v: [v[0].date_time[0], v[1].name], needs="zipfile tarfile")  # fmt: skip
value("tar_info", "tarfile.TarInfo('d')", lambda v: v.size, needs="tarfile")
value("struct_format", "struct.Struct('<i')", lambda v: v.size, needs="struct")
value("fields_of", "dataclasses.field(default=1)", lambda v: v.default, needs="dataclasses")
value("queue_simple", "[collections.deque([1]), collections.deque([2], 4)]",
      lambda v: [x.maxlen for x in v], needs="collections", by=P2)  # fmt: skip
value("deep", "{('a', 1): [{'b': (1.5, None, True)}, b'x', 1 << 70, -5, frozenset('a')]}",
      lambda v: v[("a", 1)], by=CROSS + HURT)  # fmt: skip
value("long_text", "'äöü ' * 400", len, by=("pickle", "pickle-p2", "pickle-p3", "pickle-p5", *HURT))

# ---- NumPy ----

N = ("pickle", "joblib", "joblib-lzma")
for _name, _text, _use in (
    ("complex_", "numpy.array([1 + 2j, 3])", lambda v: v.imag.tolist()),
    ("unsigned", "numpy.arange(3, dtype='uint64')", lambda v: v.tolist()),
    ("zero_d", "numpy.array(2.5)", lambda v: float(v)),
    ("none", "numpy.zeros((0, 3))", lambda v: list(v.shape)),
    ("deltas", "numpy.array([1, 2], dtype='m8[h]')", lambda v: v.astype("i8").tolist()),
    (
        "deep_records",
        "numpy.zeros(2, dtype=[('a', [('b', '>i2'), ('c', 'U3')]), ('d', 'f4', (2,))])",
        lambda v: v["a"]["b"].tolist(),
    ),
    ("chars", "numpy.char.array(['a', 'bc'])", lambda v: v.upper().tolist()),
    ("void_", "numpy.zeros(1, dtype='V4')[0]", lambda v: v.tobytes()),
    ("record_", "numpy.rec.array([(1, 2.0)], names='a,b')[0]", lambda v: float(v.b)),
    ("long_", "numpy.array([1.5], dtype='longdouble')", lambda v: float(v[0])),
    ("masked_all", "numpy.ma.masked_all((2,), dtype=float)", lambda v: v.mask.tolist()),
    ("masked_one", "[numpy.ma.masked, numpy.ma.nomask]", lambda v: len(v)),
    (
        "records_masked",
        "numpy.ma.array([(1, 2.0)], mask=[(0, 1)], dtype=[('a', int), ('b', float)])",
        lambda v: v["a"].tolist(),
    ),
    (
        "read_only",
        "(lambda a: (a.setflags(write=False), a)[1])(numpy.ones(3))",
        lambda v: v.tolist(),
    ),
    (
        "many",
        "{'x': numpy.ones((2, 2), dtype='f4'), 'y': [numpy.float64(2), numpy.int64(3)]}",
        lambda v: [v["x"].tolist(), float(v["y"][0])],
    ),
    ("slices", "numpy.s_[1:3, ::2]", lambda v: [v[0].start, v[1].step]),
    (
        "dtypes",
        "[numpy.dtype('M8[ns]'), numpy.dtype('>u2'), numpy.dtype(('f4', (2, 2))), numpy.dtype('O')]",
        lambda v: [x.itemsize for x in v],
    ),
    (
        "types_",
        "[numpy.float32, numpy.ndarray, numpy.integer, numpy.generic]",
        lambda v: [x.__name__ for x in v],
    ),
    (
        "functions_",
        "[numpy.mean, numpy.nan_to_num, numpy.clip, numpy.where]",
        lambda v: [x.__name__ for x in v],
    ),
    ("reduced_", "functools.partial(numpy.sum, axis=0)", lambda v: v(table(2, 2)).tolist()),
    ("finfo", "numpy.finfo('f4')", lambda v: float(v.eps)),
    ("hermite", "numpy.polynomial.Hermite([1, 2])", lambda v: v(0.5)),
    ("legendre_", "numpy.polynomial.Legendre([1, 2, 3], domain=[0, 2])", lambda v: v(0.5)),
    (
        "philox_dictionary",
        "{'rng': numpy.random.default_rng(9), 'n': 1}",
        lambda v: v["rng"].random(),
    ),
    (
        "generator_twice",
        "(lambda g: [g, g])(numpy.random.Generator(numpy.random.SFC64(1)))",
        lambda v: [v[0].random(), v[1].random()],
    ),
    ("jumped", "numpy.random.PCG64(3).jumped()", lambda v: int(v.random_raw())),
    ("spawned", "numpy.random.SeedSequence(3).spawn(2)[1]", lambda v: v.generate_state(1).tolist()),
    (
        "legacy_used",
        "(lambda r: (r.randn(3), r)[1])(numpy.random.RandomState(3))",
        lambda v: v.uniform(),
    ),
    ("legacy_module", "numpy.random.mtrand._rand.__class__", lambda v: v.__name__),
    ("legacy_bound", "numpy.random.RandomState(5).rand", lambda v: float(v())),
    (
        "object_frame",
        "numpy.array([[1, None], ['a', numpy.nan]], dtype=object)",
        lambda v: list(v.shape),
    ),
    ("broadcast_", "numpy.broadcast_to(numpy.arange(2), (3, 2))", lambda v: v.sum()),
    ("transposed", "numpy.arange(6).reshape(2, 3).T", lambda v: v.tolist()),
    ("strided", "numpy.arange(8)[::2]", lambda v: v.tolist()),
    ("text_bytes", "numpy.array([b'a', b'bc'])", lambda v: v.tolist()),
    ("vector_named", "numpy.vectorize(len, otypes=[int])", lambda v: v(["ab"]).tolist()),
    ("bool_scalar", "numpy.bool_(True)", lambda v: bool(v)),
    ("big_endian", "numpy.arange(3, dtype='>f8')", lambda v: v.tolist()),
):  # type: ignore[assignment]
    value("np_" + _name, _text, _use, needs="numpy numpy.polynomial numpy.random functools",
          by=CROSS if _name in ("many", "transposed", "philox_dictionary") else
          HURT if _name == "complex_" else N)  # fmt: skip

# ---- pandas ----

PD = ("pickle", "topickle", "joblib")


def _cells(value: Any) -> Any:
    """Values as numbers and texts that a standard fixes; missing ones are all alike."""
    import pandas

    def one(cell: Any) -> Any:
        if isinstance(cell, (list, tuple)):
            return [one(c) for c in cell]
        if cell is None or (pandas.api.types.is_scalar(cell) and pandas.isna(cell)):
            return "missing"
        if hasattr(cell, "left") and hasattr(cell, "right"):
            return [one(cell.left), one(cell.right)]
        if hasattr(cell, "ordinal"):
            return int(cell.ordinal)
        if hasattr(cell, "isoformat"):
            return cell.isoformat()
        return cell.item() if hasattr(cell, "item") else cell

    if hasattr(value, "columns"):
        return [[str(c) for c in value.columns], [one(list(value.iloc[:, i])) for i in
                range(value.shape[1])], [one(i) for i in value.index]]  # fmt: skip
    return [one(v) for v in value]


for _name, _text in (
    ("small_ints", "pandas.Series([1, None], dtype='Int8')"),
    ("unsigned", "pandas.Series([1, 2], dtype='UInt32')"),
    ("decimals", "pandas.Series([decimal.Decimal('1.5'), None])"),
    ("column_levels", "pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_product([['a'], ['b', 'c']]))"),
    ("blocks", "pandas.DataFrame({'a': [1, 2], 'b': [1.5, 2], 'c': ['x', 'y'], 'd': [True, False],"
     " 'e': pandas.to_datetime(['2020-01-01', None]), 'f': pandas.to_timedelta([1, 2], unit='D')})"),
    ("zones", "pandas.DataFrame({'t': pandas.date_range('2020-01-01', periods=2, tz='UTC')})"),
    ("zone_index", "pandas.Series([1, 2], index=pandas.date_range('2020-01-01', periods=2, tz='Asia/Tokyo'))"),
    ("zone_offset", "pandas.Series(pandas.to_datetime(['2020-01-01T00:00:00+02:00']))"),
    ("month_index", "pandas.Series([1, 2], index=pandas.period_range('2020-01', periods=2, freq='M'))"),
    ("period_frame", "pandas.DataFrame({'p': pandas.period_range('2020-01', periods=2, freq='D'), 'v': [1, 2]})"),
    ("week_dates", "pandas.date_range('2020-01-01', periods=2, freq='W')"),
    ("business", "pandas.date_range('2020-01-01', periods=3, freq='B')"),
    ("delta_index", "pandas.timedelta_range('1 day', periods=2)"),
    ("category_numbers", "pandas.Series([3, 1, 3], dtype='category')"),
    ("category_missing", "pandas.Series(pandas.Categorical(['a', None, 'b'], ordered=True))"),
    ("cut_frame", "pandas.DataFrame({'c': pandas.cut([1, 5, 9], [0, 4, 10]), 'n': [1, 2, 3]})"),
    ("interval_dates", "pandas.interval_range(pandas.Timestamp('2020-01-01'), periods=2)"),
    ("strings_frame", "pandas.DataFrame({'s': pandas.array(['a', None], dtype='string'), 'n': [1, 2]})"),
    ("sparse_frame", "pandas.DataFrame({'a': pandas.arrays.SparseArray([0.0, 0.0, 1.0])})"),
    ("arrays_inside", "pandas.Series([(1, 2), (3,)])"),
    ("int_columns", "pandas.DataFrame({0: [1.0, 2.0], 1: [3.0, 4.0]}, index=[5, 7])"),
    ("unsigned_index", "pandas.Series([1, 2], index=pandas.Index([1, 2], dtype='uint64'))"),
    ("bool_index", "pandas.Index([True, False])"),
    ("object_index", "pandas.Index(['a', 1, None])"),
    ("named_levels", "pandas.MultiIndex.from_arrays([[1, 1], ['a', 'b']], names=['x', None])"),
    ("empty_series", "pandas.Series([], dtype='float64')"),
    ("attrs", "(lambda f: (f.attrs.update(a=1), f)[1])(pandas.DataFrame({'a': [1]}))"),
    ("transposed", "pandas.DataFrame({'a': [1, 2], 'b': [3, 4]}).T"),
    ("sliced", "pandas.DataFrame({'a': range(6), 'b': list('abcdef')}).iloc[1:5:2]"),
    ("grouped", "pandas.DataFrame({'a': [1, 1, 2], 'b': [1.0, 2.0, 3.0]}).groupby('a').agg(['mean', 'max'])"),
    ("seconds", "pandas.Series([1], index=['a']).rename_axis('k').astype('float32')"),
):  # fmt: skip
    value("pd_" + _name, _text, _cells, needs="pandas decimal", by=CROSS if _name in ("blocks",
          "column_levels") else (*PD, "dill") if _name in ("zones", "category_missing") else
          HURT if _name == "decimals" else PD)  # fmt: skip
for _name, _text in (
    ("week", "offsets.Week(weekday=2)"), ("quarter", "offsets.QuarterEnd(startingMonth=3)"),
    ("hour", "offsets.Hour(3)"), ("date_offset", "DateOffset(months=2)"), ("year", "offsets.YearBegin()"),
    ("business_month", "offsets.BMonthEnd(2)"), ("business_hour", "offsets.BusinessHour(start='09:00')"),
    ("minute", "offsets.Minute(5)"), ("nano", "offsets.Nano(5)"), ("easter", "offsets.Easter()"),
    ("semi", "offsets.SemiMonthEnd()"),
):  # fmt: skip
    value("pd_offset_" + _name, "pandas." + _text, lambda v: [v.n, (named("pandas.Timestamp")(
          "2020-01-15") + v).isoformat()], needs="pandas", by=("pickle", "topickle"))  # fmt: skip
for _name, _text in (
    ("string", "StringDtype()"), ("int", "Int64Dtype()"), ("period", "PeriodDtype('D')"),
    ("sparse", "SparseDtype('float64', 0.0)"), ("boolean", "BooleanDtype()"),
    ("float", "Float32Dtype()"), ("categories", "CategoricalDtype([1, 2])"),
    ("interval", "IntervalDtype('float64')"),
):  # fmt: skip
    value("pd_type_" + _name, "pandas." + _text, lambda v: v.name.split("[")[0], needs="pandas")
for _name, _text, _use in (
    (
        "interval_stamp",
        "Interval(pandas.Timestamp('2020-01-01'), pandas.Timestamp('2020-01-02'))",
        lambda v: v.left.isoformat(),
    ),
    ("stamp_nano", "Timestamp(1234567890123456789)", lambda v: v.value),
    ("stamp_fold", "Timestamp('2020-10-25 02:30', tz='Europe/Berlin')", lambda v: v.isoformat()),
    ("delta_nano", "Timedelta(5, unit='ns')", lambda v: v.value),
    ("quarter", "Period('2020Q1')", lambda v: v.ordinal),
    (
        "interval_array",
        "arrays.IntervalArray.from_breaks([0, 1, 2])",
        lambda v: [i.left for i in v],
    ),
    ("int_array", "array([1, None], dtype='Int64')", len),
    ("dates_array", "date_range('2020', periods=2)._data", len),
    ("group_by", "DataFrame({'a': [1, 2]}).groupby('a')", lambda v: len(v)),
    ("rolling", "Series([1.0, 2.0]).rolling(2)", lambda v: v.sum().tolist()[1]),
    ("functions", "to_datetime", lambda v: v("2020-01-01").isoformat()),
    ("classes", "DataFrame", lambda v: v.__name__),
    ("index_slice", "IndexSlice", lambda v: v[1:2].start),
    ("frozen", "MultiIndex.from_tuples([('a', 1)]).names", list),
):  # type: ignore[assignment]
    value("pd_one_" + _name, "pandas." + _text, _use, needs="pandas", by=("pickle", "topickle"))

# ---- SciPy ----


def scipy(name: str, text: str, use: Use, modules: str, by: Tuple[str, ...] = ("pickle",)) -> None:
    value("sp_" + name, text, use, by, "scipy " + " ".join("scipy." + m for m in modules.split()))


for _name, _text in (
    ("lognormal", "lognorm(0.5)"), ("weibull", "weibull_min(1.5)"), ("student", "t(3)"),
    ("uniform_", "uniform(1, 2)"), ("geometric", "hypergeom(20, 7, 12)"), ("negative", "nbinom(3, 0.4)"),
    ("chi", "chi2(3, loc=1)"), ("pareto_", "pareto(2.5)"), ("laplace_", "laplace()"),
    ("levy", "levy_stable(1.5, 0.1)"), ("powerlaw_", "powerlaw"), ("geom_", "geom"),
):  # fmt: skip
    scipy(_name, "scipy.stats." + _text, (lambda v: v.cdf(1.5, 1.2)) if "(" not in _text and
          "power" in _text else (lambda v: v.cdf(2, 0.3)) if _text == "geom" else
          (lambda v: v.cdf(1.5)), "stats", ("pickle", "joblib"))  # fmt: skip
scipy("normal_many", "scipy.stats.multivariate_normal([0, 1], [[1, 0.2], [0.2, 2]])",
      lambda v: v.pdf([0.1, 0.2]), "stats")  # fmt: skip
scipy("wishart_", "scipy.stats.wishart(3, [[1.0, 0.1], [0.1, 1.0]])", lambda v: v.mean().tolist(),
      "stats")  # fmt: skip
scipy("multinomial_", "scipy.stats.multinomial(3, [0.2, 0.8])", lambda v: v.pmf([1, 2]), "stats")
scipy("matrix_normal_", "scipy.stats.matrix_normal([[0.0, 0.0]])", lambda v: v.pdf([[0.1, 0.2]]),
      "stats")  # fmt: skip
scipy(
    "discrete", "scipy.stats.rv_discrete(values=([1, 2], [0.4, 0.6]))", lambda v: v.pmf(1), "stats"
)
scipy(
    "kde",
    "scipy.stats.gaussian_kde([1.0, 2.0, 4.0], bw_method=0.4)",
    lambda v: v(1.5),
    "stats",
    BOTH,
)
scipy("kde_weighted", "scipy.stats.gaussian_kde([1.0, 2.0, 4.0], weights=[1, 2, 1])",
      lambda v: v.integrate_box_1d(0, 2), "stats")  # fmt: skip
scipy(
    "regression", "scipy.stats.linregress([1, 2, 3], [2.0, 4.1, 6.0])", lambda v: v.slope, "stats"
)
scipy("ranks", "scipy.stats.mannwhitneyu([1, 2, 3, 4], [3, 4, 5, 6])", lambda v: float(v.statistic),
      "stats")  # fmt: skip
scipy(
    "spearman", "scipy.stats.spearmanr([1, 2, 3, 4], [1, 3, 2, 4])", lambda v: float(v[0]), "stats"
)
scipy("described", "scipy.stats.describe([1.0, 2.0, 3.0])", lambda v: v.mean, "stats")
scipy("shapiro_", "scipy.stats.shapiro([1.0, 2.0, 3.0, 4.5])", lambda v: float(v[0]), "stats")
scipy(
    "sobol",
    "scipy.stats.qmc.Sobol(2, scramble=False)",
    lambda v: v.random(2).tolist(),
    "stats stats.qmc",
)
scipy("cube", "scipy.stats.qmc.LatinHypercube(2, seed=1)", lambda v: list(v.random(2).shape),
      "stats stats.qmc")  # fmt: skip
scipy("bspline", "scipy.interpolate.BSpline([0, 1, 2, 3, 4, 5], [1.0, 2.0, 3.0], 2)", lambda v: v(2.5),
      "interpolate", BOTH)  # fmt: skip
scipy("barycentric", "scipy.interpolate.BarycentricInterpolator(%r, %r)" % (X5, Y5), lambda v: v(1.5),
      "interpolate")  # fmt: skip
scipy("hermite", "scipy.interpolate.CubicHermiteSpline([0, 1], [1, 2], [0, 0])", lambda v: v(0.5),
      "interpolate")  # fmt: skip
scipy(
    "bpoly", "scipy.interpolate.BPoly([[1.0], [2.0]], [0.0, 1.0])", lambda v: v(0.5), "interpolate"
)
scipy("lsq", "scipy.interpolate.LSQUnivariateSpline(%r, %r, [1.5], k=1)" % (X5, Y5), lambda v: v(1.2),
      "interpolate")  # fmt: skip
scipy("bivariate", "scipy.interpolate.SmoothBivariateSpline([0, 0, 1, 1, 2, 2, .5, 1.5, .5], "
      "[0, 1, 0, 1, 0, 1, .5, .5, .2], [1, 2, 3, 4, 5, 6, 2, 4, 3], kx=1, ky=1)",
      lambda v: v(0.5, 0.5).tolist(), "interpolate")  # fmt: skip
scipy("clough", "scipy.interpolate.CloughTocher2DInterpolator([[0, 0], [0, 1], [1, 0], [1, 1]], [1, 2, 3, 4])",
      lambda v: float(v(0.4, 0.3)), "interpolate")  # fmt: skip
scipy("interp_next", "scipy.interpolate.interp1d(%r, %r, kind='next', fill_value='extrapolate')" % (X5, Y5),
      lambda v: v(1.5), "interpolate", BOTH)  # fmt: skip
scipy("interp_cubic", "scipy.interpolate.interp1d(%r, %r, kind='cubic', bounds_error=False)" % (X5, Y5),
      lambda v: v(1.5), "interpolate")  # fmt: skip
scipy("rbf", "scipy.interpolate.RBFInterpolator([[0.0], [1.0], [2.0]], [1.0, 2.0, 0.5])",
      lambda v: v([[0.5]]), "interpolate")  # fmt: skip
scipy("grid", "scipy.interpolate.RegularGridInterpolator(([0, 1], [0, 1]), [[1, 2], [3, 4]], method='nearest')",
      lambda v: v([0.2, 0.3]), "interpolate")  # fmt: skip
for _name in ("bsr_matrix", "dia_matrix", "csc_array", "lil_array", "coo_matrix", "dok_array"):
    scipy(_name, "scipy.sparse.%s([[1.0, 0.0], [0.0, 2.0]])" % _name, lambda v: v.toarray().tolist(),
          "sparse", CROSS if _name == "coo_matrix" else ("pickle", "joblib"))  # fmt: skip
scipy("sparse_list", "[scipy.sparse.eye(2, format='csr'), scipy.sparse.random(3, 3, 0.5, random_state=1)]",
      lambda v: [x.shape[0] for x in v], "sparse")  # fmt: skip
scipy("rotation_one", "scipy.spatial.transform.Rotation.from_quat([0, 0, 1, 1])",
      lambda v: v.apply([1.0, 2.0, 3.0]).tolist(), "spatial.transform")  # fmt: skip
scipy("tree_box", "scipy.spatial.cKDTree(%r, boxsize=9.0, leafsize=2)" % (
      [[abs(c) for c in r] for r in table(9, 2)],), lambda v: int(v.query([0.1, 0.2])[1]), "spatial")  # fmt: skip
scipy("voronoi", "scipy.spatial.Voronoi(%r)" % (table(6, 2),), lambda v: len(v.regions), "spatial")
scipy("optimum", "scipy.optimize.minimize(lambda x: (x[0] - 1) ** 2, [0.0])", lambda v: float(v.fun) < 1,
      "optimize", BOTH)  # fmt: skip
scipy(
    "result_plain", "scipy.optimize.OptimizeResult(x=1.0, success=True)", lambda v: v.x, "optimize"
)
scipy("constraint", "scipy.optimize.NonlinearConstraint(abs, 0, 1)", lambda v: v.ub, "optimize")
scipy("digital", "scipy.signal.dlti([1.0], [1.0, 0.5], dt=0.1)", lambda v: v.dt, "signal")
scipy("transfer", "scipy.signal.lti([1.0], [1.0, 2.0])", lambda v: v.den.tolist(), "signal")
scipy("window", "scipy.signal.get_window", lambda v: v("hann", 3).tolist(), "signal")  # fmt: skip
scipy("solution", "scipy.integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0], dense_output=True).sol",
      lambda v: float(v(0.5)[0]), "integrate")  # fmt: skip
scipy("operator", "scipy.sparse.linalg.splu(scipy.sparse.eye(2, format='csc'))", lambda v: v.nnz,
      "sparse.linalg")  # fmt: skip
scipy("functions", "[scipy.special.expit, scipy.special.gammaln, scipy.stats.zscore, scipy.linalg.norm]",
      lambda v: float(v[0](0.0)), "special stats linalg")  # fmt: skip
scipy("polynomials", "scipy.special.hermite(3)", lambda v: v(0.5), "special")
scipy(
    "distances",
    "scipy.spatial.distance.cosine",
    lambda v: float(v([1, 0], [1, 1])),
    "spatial.distance",
)
scipy("slerp", "scipy.spatial.transform.Slerp([0, 1], scipy.spatial.transform.Rotation.from_rotvec("
      "[[0, 0, 0], [0, 0, 1]]))", lambda v: v(0.5).as_rotvec().tolist(), "spatial.transform")  # fmt: skip

# ---- boosters ----


def booster(name: str, needs: Tuple[str, ...], make: Callable[[], Any], use: Use,
            by: Tuple[str, ...] = SKLEARN) -> None:  # fmt: skip
    add(name, make, use, needs, by)


def _five(v: Any) -> Any:
    return v.predict(xy()[0][:5])


def _xgb(kind: str, y: Any, wrap: Any = None, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        one = getattr(importlib.import_module("xgboost"), kind)(
            n_estimators=3, max_depth=2, n_jobs=1, **options
        )
        x, labels = xy()
        target = {"class": labels, "number": x[:, 0] + 9, "three": [i % 3 for i in range(60)]}[y]
        return (wrap(one) if wrap else one).fit(x, target)

    return make


XG = ("xgboost", "sklearn")
booster("xg_regression", XG, _xgb("XGBRegressor", "number", reg_alpha=0.1), _five, CROSS)
booster("xg_poisson", XG, _xgb("XGBRegressor", "number", objective="count:poisson"), _five)
booster("xg_half", XG, _xgb("XGBRegressor", "number", base_score=0.5), _five)
booster("xg_linear", XG, _xgb("XGBRegressor", "number", booster="gblinear"), _five)
booster("xg_dart", XG, _xgb("XGBClassifier", "class", booster="dart"), _five)
booster(
    "xg_hist",
    XG,
    _xgb("XGBClassifier", "class", tree_method="hist"),
    lambda v: v.predict_proba(xy()[0][:5]),
)
booster("xg_random", XG, _xgb("XGBRFRegressor", "number"), _five)
booster("xg_missing", XG, _xgb("XGBClassifier", "three", missing=-1.0, random_state=3), _five)
booster(
    "xg_unfitted",
    XG,
    lambda: named("xgboost.XGBClassifier")(max_depth=3),
    lambda v: v.get_params()["max_depth"],
)
booster("xg_grid", XG, _xgb("XGBClassifier", "class", lambda m: named(
        S + "model_selection.GridSearchCV")(m, {"max_depth": [1, 2]}, cv=2)), _five)  # fmt: skip
booster("xg_calibrated", XG, _xgb("XGBClassifier", "class", lambda m: named(
        S + "calibration.CalibratedClassifierCV")(m, cv=2)), _five)  # fmt: skip
booster("xg_selected", XG, _xgb("XGBRegressor", "number", lambda m: named(PIPE)([("s", named(
        S + "feature_selection.SelectKBest")(k=3)), ("m", m)])), _five)  # fmt: skip
booster("xg_many", XG, lambda: named(S + "multioutput.MultiOutputRegressor")(named(
        "xgboost.XGBRegressor")(n_estimators=2, n_jobs=1)).fit(xy()[0], xy()[0][:, :2]), _five)  # fmt: skip


def _train(objective: str, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        import xgboost

        x, y = xy()
        data = xgboost.DMatrix(x, label=y, feature_names=list("abcd"))
        return xgboost.train({"objective": objective, "max_depth": 2, **options}, data, 3)

    return make


def _named_columns(v: Any) -> Any:
    import xgboost

    return v.predict(xgboost.DMatrix(xy()[0][:5], feature_names=list("abcd")))


booster(
    "xg_named", ("xgboost",), _train("binary:logistic"), _named_columns, ("pickle", "save-json")
)
booster("xg_softprob", ("xgboost",), _train("multi:softprob", num_class=2), _named_columns)
booster("xg_in_dict", ("xgboost",), lambda: {"m": _train("reg:squarederror")(), "cut": 0.4},
        lambda v: _named_columns(v["m"]), ("pickle", "joblib", "dill", "cloudpickle"))  # fmt: skip


def _lgb(kind: str, y: Any, wrap: Any = None, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        one = getattr(importlib.import_module("lightgbm"), kind)(
            n_estimators=3, min_child_samples=3, n_jobs=1, **options
        )
        x, labels = xy()
        target = {"class": labels, "number": x[:, 0] + 9, "three": [i % 3 for i in range(60)]}[y]
        return (wrap(one) if wrap else one).fit(x, target)

    return make


LG = ("lightgbm", "sklearn")
booster(
    "lg_quantile",
    LG,
    _lgb("LGBMRegressor", "number", objective="quantile", alpha=0.3),
    _five,
    CROSS,
)
booster(
    "lg_dart",
    LG,
    _lgb("LGBMClassifier", "class", boosting_type="dart"),
    lambda v: v.predict_proba(xy()[0][:5]),
)
booster("lg_balanced", LG, _lgb("LGBMClassifier", "three", class_weight="balanced"), _five)
booster("lg_tweedie", LG, _lgb("LGBMRegressor", "number", objective="tweedie"), _five)
booster(
    "lg_unfitted",
    LG,
    lambda: named("lightgbm.LGBMClassifier")(num_leaves=9),
    lambda v: v.get_params()["num_leaves"],
)
booster("lg_grid", LG, _lgb("LGBMClassifier", "class", lambda m: named(
        S + "model_selection.GridSearchCV")(m, {"num_leaves": [3, 5]}, cv=2)), _five)  # fmt: skip
booster("lg_calibrated", LG, _lgb("LGBMClassifier", "class", lambda m: named(
        S + "calibration.CalibratedClassifierCV")(m, cv=2)), _five)  # fmt: skip
booster("lg_stacked", LG, _lgb("LGBMRegressor", "number", lambda m: named(
        S + "ensemble.StackingRegressor")([("a", m), ("b", named(S + "linear_model.Ridge")())],
        cv=2)), _five)  # fmt: skip


def _cat(kind: str, target: Any, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        return getattr(importlib.import_module("catboost"), kind)(
            iterations=3, depth=2, verbose=0, thread_count=1, allow_writing_files=False, **options
        ).fit(xy()[0], target())

    return make


booster("ct_quantile", ("catboost",), _cat("CatBoostRegressor", lambda: xy()[0][:, 0],
        loss_function="Quantile:alpha=0.3"), _five, CROSS)  # fmt: skip
booster("ct_weights", ("catboost",), _cat("CatBoostClassifier", lambda: xy()[1], class_weights=[1, 2]),
        lambda v: v.predict_proba(xy()[0][:5]))  # fmt: skip
booster("ct_plain", ("catboost",), _cat("CatBoost", lambda: xy()[0][:, 0]), _five)
booster("ct_unfitted", ("catboost",), lambda: named("catboost.CatBoostRegressor")(depth=3),
        lambda v: v.get_params()["depth"])  # fmt: skip
booster("ct_in_pipeline", ("catboost", "sklearn"), lambda: named(PIPE)([("s", named(
        S + "preprocessing.StandardScaler")()), ("m", named("catboost.CatBoostClassifier")(
        iterations=2, depth=2, verbose=0, thread_count=1, allow_writing_files=False))]).fit(*xy()),
        _five, BOTH)  # fmt: skip

# ---- statsmodels, imbalanced-learn, category_encoders ----


def _sm(name: str, make: Callable[[], Any], use: Use, by: Tuple[str, ...] = ("pickle",)) -> None:
    add("sm_" + name, make, use, ("statsmodels", "pandas"), by)


def _api() -> Any:
    return importlib.import_module("statsmodels.api")


def _tsa(path: str) -> Any:
    return named("statsmodels.tsa." + path)


_SERIES = [abs(r[0]) + 1 + i * 0.02 for i, r in enumerate(table(60))]
_sm(
    "gls",
    lambda: _api().GLS(xy()[0][:, 0], xy()[0][:, 1:]).fit(),
    lambda v: v.predict(xy()[0][:3, 1:]),
    BOTH,
)
_sm("many_logit", lambda: _api().MNLogit([i % 3 for i in range(60)], xy()[0]).fit(disp=0),
    lambda v: v.predict(xy()[0][:3]))  # fmt: skip
_sm(
    "quantile",
    lambda: _api().QuantReg(xy()[0][:, 0], xy()[0][:, 1:]).fit(),
    lambda v: v.predict(xy()[0][:3, 1:]),
)
_sm("probit", lambda: _api().Probit([i * 7 % 2 for i in range(60)], xy()[0]).fit(disp=0),
    lambda v: v.predict(xy()[0][:3]))  # fmt: skip
_sm("count", lambda: _api().Poisson([i % 4 for i in range(60)], abs(xy()[0])).fit(disp=0),
    lambda v: v.predict(abs(xy()[0][:3])))  # fmt: skip
_sm("gamma", lambda: _api().GLM(_SERIES, abs(xy()[0]), family=_api().families.Gamma(
    link=named("statsmodels.genmod.families.links.log")() if not hasattr(importlib.import_module(
    "statsmodels.genmod.families.links"), "Log") else named("statsmodels.genmod.families.links.Log")())).fit(),
    lambda v: v.predict(abs(xy()[0][:3])))  # fmt: skip
_sm(
    "var",
    lambda: _tsa("api.VAR")(xy()[0][:, :2]).fit(1),
    lambda v: v.forecast(xy()[0][:2, :2], 2).tolist(),
)
_sm("unobserved", lambda: _tsa("statespace.structural.UnobservedComponents")(_SERIES, "llevel").fit(disp=0),
    lambda v: v.forecast(2))  # fmt: skip
_sm("ets", lambda: _tsa("exponential_smoothing.ets.ETSModel")(named("pandas.Series")(_SERIES)).fit(disp=0),
    lambda v: list(v.forecast(2)))  # fmt: skip
_sm("decomposed", lambda: _tsa("seasonal.seasonal_decompose")(_SERIES, period=4) if "period" in named(
    "inspect.signature")(_tsa("seasonal.seasonal_decompose")).parameters else _tsa(
    "seasonal.seasonal_decompose")(_SERIES, freq=4), lambda v: float(v.seasonal[3]))  # fmt: skip
_sm("stl", lambda: _tsa("seasonal.STL")(named("pandas.Series")(_SERIES), period=4).fit(),
    lambda v: len(v.trend))  # fmt: skip
_sm("arima_seasonal", lambda: _tsa("arima.model.ARIMA")(_SERIES, order=(1, 1, 0), seasonal_order=(
    1, 0, 0, 4)).fit(), lambda v: v.forecast(2), BOTH)  # fmt: skip
_sm("holt", lambda: _tsa("holtwinters.Holt")(_SERIES).fit(), lambda v: v.forecast(2))
_sm(
    "pca",
    lambda: named("statsmodels.multivariate.pca.PCA")(xy()[0], ncomp=2),
    lambda v: v.factors.shape,
)
_sm("rolling", lambda: named("statsmodels.regression.rolling.RollingOLS")(xy()[0][:, 0], xy()[0][:, 1:],
    window=9).fit(), lambda v: list(v.params.shape))  # fmt: skip
_sm("family", lambda: _api().families.Binomial(), lambda v: float(v.variance(0.3)))
_sm("model_only", lambda: _api().OLS(xy()[0][:, 0], xy()[0][:, 1:]), lambda v: v.fit().params)
_sm("formula_glm", lambda: named("statsmodels.formula.api.glm")("age ~ C(plan)", frame()).fit(),
    lambda v: list(v.predict(frame().iloc[:2])))  # fmt: skip


def _sampler(path: str, **options: Any) -> None:
    def make() -> Any:
        sampler = named("imblearn." + path)(**options)
        sampler.fit_resample(*wider._uneven())
        return sampler

    add("im_" + path.rpartition(".")[2], make, wider._sampled, ("imblearn", "sklearn"), SKLEARN)


_sampler("over_sampling.SVMSMOTE", random_state=0)
_sampler("over_sampling.KMeansSMOTE", random_state=0, cluster_balance_threshold=0.1)
_sampler("combine.SMOTEENN", random_state=0)
_sampler("under_sampling.ClusterCentroids", random_state=0)
_sampler("under_sampling.OneSidedSelection", random_state=0)
_sampler("under_sampling.CondensedNearestNeighbour", random_state=0)
_sampler("under_sampling.AllKNN")
_sampler("under_sampling.NeighbourhoodCleaningRule")
_sampler("under_sampling.RepeatedEditedNearestNeighbours")
_sampler("under_sampling.InstanceHardnessThreshold", random_state=0)
_sampler("over_sampling.SMOTE", random_state=0, k_neighbors=3)
_sampler("FunctionSampler")
add("im_pipeline", lambda: named("imblearn.pipeline.Pipeline")([("s", named(
    "imblearn.over_sampling.SMOTE")(random_state=0)), ("m", named(
    S + "ensemble.RandomForestClassifier")(**FEW))]).fit(*wider._uneven()), _five,
    ("imblearn", "sklearn"), CROSS)  # fmt: skip


def _encoder(name: str, unique: str = "", **options: Any) -> None:
    def make() -> Any:
        return named("category_encoders." + name)(cols=["city", "plan"], **options).fit(
            frame(), xy()[1]
        )

    add("en_" + name + unique, make, lambda v: v.transform(frame().iloc[:4]).values.tolist(),
        ("category_encoders", "pandas"), SKLEARN)  # fmt: skip


_encoder("TargetEncoder", smoothing=2.0)
_encoder("OrdinalEncoder", handle_missing="return_nan")
_encoder("BinaryEncoder")
_encoder("CountEncoder", "_normal", normalize=True)
_encoder("OneHotEncoder", "_names", use_cat_names=True)
_encoder("GrayEncoder")
_encoder("RankHotEncoder")
_encoder("BaseNEncoder", base=3)
_encoder("LeaveOneOutEncoder", sigma=0.0)
_encoder("MEstimateEncoder", m=2.0)
_encoder("CatBoostEncoder", a=2)
_encoder("WOEEncoder", regularization=0.5)
_encoder("HashingEncoder", n_components=3, max_process=1)
add("en_pipeline", lambda: named(PIPE)([("e", named("category_encoders.TargetEncoder")(cols=["city",
    "plan"])), ("m", named(S + "linear_model.LogisticRegression")(solver="liblinear"))]).fit(
    frame(), xy()[1]), lambda v: v.predict_proba(frame().iloc[:4]),
    ("category_encoders", "sklearn", "pandas"), CROSS)  # fmt: skip

# ---- functions and classes that carry their code ----

for _name, _text, _use in (
    (
        "closure_try",
        "def outer(k):\n    def inner(x):\n        try:\n            return x / k\n        except"
        " ZeroDivisionError:\n            return None\n    return inner\nmade = outer(4)\n",
        None,
    ),
    ("positional", "def made(x, *, scale=2):\n    return [x * scale for _ in range(2)]\n", None),
    (
        "while_loop",
        "def made(x):\n    total = 0\n    while x > 0:\n        total += x\n        x -= 1\n"
        "        if total > 50:\n            break\n    else:\n        total = -total\n    return total\n",
        None,
    ),
    ("unpack", "def made(x):\n    a, *b = [x, 1, 2]\n    return {**{'a': a}, 'b': b}\n", None),
    ("ternary", "made = lambda x: 'hi' if x > 1 else 'lo'\n", None),
    ("chained", "def made(x):\n    return 0 < x < 5 and not x == 3 or None\n", None),
    ("text_methods", "def made(x):\n    return '-'.join(str(x).split('.')).upper()\n", None),
    (
        "class_attr",
        "class A:\n    count = 0\n    def __init__(self, n):\n        self.n = n\n    def __call__(self,"
        " x):\n        return x + self.n\nmade = A(3)\n",
        None,
    ),
    (
        "class_eq",
        "class A:\n    def __eq__(self, other):\n        return True\n    def __hash__(self):\n        return"
        " 1\n    def go(self):\n        return {self: 1}[self]\nmade = A()\n",
        lambda v: v.go(),
    ),
    (
        "meta",
        "class M(type):\n    def label(cls):\n        return cls.__name__\nclass A(metaclass=M):\n    pass\n"
        "made = A\n",
        lambda v: v.label(),
    ),
    (
        "typed_tuple",
        "from typing import NamedTuple\nclass Pair(NamedTuple):\n    a: int\n    b: str = 'x'\n"
        "made = Pair(1)\n",
        lambda v: [v.a, v.b],
    ),
    (
        "plain_enum",
        "import enum\nclass Kind(enum.Enum):\n    A = 'a'\n    B = 'b'\nmade = [Kind.A, Kind]\n",
        lambda v: v[0].value,
    ),
    (
        "flag",
        "import enum\nclass F(enum.Flag):\n    A = 1\n    B = 2\nmade = F.A | F.B\n",
        lambda v: v.value,
    ),
    (
        "frozen",
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass R:\n    a: int\n    b: list ="
        " dataclasses.field(default_factory=list)\nmade = R(1)\n",
        lambda v: [v.a, v.b],
    ),
    (
        "inherit_list",
        "class L(list):\n    def last(self):\n        return self[-1]\nmade = L([1, 2])\n",
        lambda v: v.last(),
    ),
    (
        "setter",
        "class A:\n    _v = 1\n    @property\n    def v(self):\n        return self._v\n    @v.setter\n"
        "    def v(self, x):\n        self._v = x\nmade = A()\nmade.v = 5\n",
        lambda v: v.v,
    ),
    (
        "manager",
        "import contextlib\n@contextlib.contextmanager\ndef held(x):\n    yield x\ndef made(x):\n"
        "    with held(x) as y:\n        return y\n",
        None,
    ),
    (
        "dispatch",
        "import functools\n@functools.singledispatch\ndef made(x):\n    return 'any'\n",
        None,
    ),
    (
        "two_functions",
        "def a(x):\n    return b(x) + 1\ndef b(x):\n    return x * 2\nmade = a\n",
        None,
    ),
    ("deep_lambda", "made = lambda a: (lambda b: (lambda c: a + b + c)(3))(2)\n", None),
    (
        "map_filter",
        "def made(x):\n    return list(map(lambda v: v + x, filter(None, [0, 1, 2])))\n",
        None,
    ),
    (
        "async_",
        "async def go(x):\n    return x\ndef made(x):\n    c = go(x)\n    try:\n        c.send(None)\n"
        "    except StopIteration as e:\n        return e.value\n",
        None,
    ),
    (
        "import_inside",
        "def made(x):\n    from math import floor\n    import os.path as p\n    return floor(x) +"
        " len(p.join('a', 'b'))\n",
        None,
    ),
    (
        "matrix_mult",
        "import numpy as np\ndef made(x):\n    return float(np.eye(2)[0] @ np.array([x, 1]))\n",
        None,
    ),
    ("walrus", "def made(x):\n    return [y := x, y + 1]\n", None),
    ("only_positional", "def made(x, /, y=1):\n    return x + y\n", None),
    (
        "match_",
        "def made(x):\n    match x:\n        case 2.0:\n            return 'two'\n        case _:\n"
        "            return 'other'\n",
        None,
    ),
    (
        "scaler_lambda",
        "from sklearn.preprocessing import FunctionTransformer\nmade = FunctionTransformer(lambda v:"
        " v * 2, validate=False)\n",
        lambda v: v.transform(xy()[0][:1]),
    ),
    (
        "frame_lambda",
        "import pandas as pd\nmade = {'f': lambda d: d['age'].mean(), 'd': pd.DataFrame({'age': [1.0]})}\n",
        lambda v: v["f"](v["d"]),
    ),
    ("loop_closure", "made = [lambda x, k=k: x + k for k in range(3)]\n", lambda v: v[2](1)),
    (
        "doc_default",
        "def made(x, o={'a': [1]}):\n    '''Adds.'''\n    return x + o['a'][0]\n",
        None,
    ),
):  # type: ignore[assignment]
    code("x_" + _name, _text, _use or (lambda f: f(2.0)), "cloudpickle sklearn pandas" if
         _name in ("scaler_lambda", "frame_lambda") else "cloudpickle")  # fmt: skip

__all__ = ["Use", "scipy"]
