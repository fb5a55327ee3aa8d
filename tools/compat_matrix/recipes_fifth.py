"""Recipes after the fourth, made when the code had been mended with those: for first contact."""

import importlib
from typing import Any, Callable, Dict, Tuple

import recipes_wider as wider
from recipes import RECIPES, X5, Y5, frame, table, xy
from recipes_fourth import _data, ask, start
from recipes_wider import BOTH, S, add, code, model, named, value

start("fifth-")
Use = Callable[[Any], Any]
CROSS = ("pickle", "joblib", "pickle-p2", "cloudpickle", "dill", "joblib-bz2", "joblib@pickle",
         "pickle@joblib-xz", "joblib@dill", "topickle")  # fmt: skip
HURT = ("pickle@flipq", "pickle@flipm", "joblib@flipt-joblib", "pickle@last", "joblib@cut-joblib_xz",
        "pickle@mangled", "pickle@marked", "joblib@nuls", "joblib@nothing", "pickle@text", "pickle@page",
        "joblib@last-joblib_gzip", "joblib@twice-joblib", "cloudpickle")  # fmt: skip
SK = ("pickle", "joblib")
FEW: Dict[str, Any] = {"n_estimators": 3, "random_state": 1}
PIPE = S + "pipeline.Pipeline"
TREE = (S + "tree.DecisionTreeClassifier", {"max_depth": 3, "random_state": 1})
FOREST = (S + "ensemble.RandomForestClassifier", FEW)
LOGIT = (S + "linear_model.LogisticRegression", {"C": 2.0, "solver": "lbfgs"})
RIDGE = (S + "linear_model.Ridge", {"alpha": 0.3, "fit_intercept": False})
five = lambda v: v.predict(xy()[0][:5])  # noqa: E731
four = lambda v: v.transform(xy()[0][:4])  # noqa: E731

# ---- scikit-learn ----

for _name, _kind, _options in (
    ("linear_model.LinearRegression", "two", {"fit_intercept": False}),
    ("linear_model.Ridge", "number", {"solver": "cholesky"}),
    ("linear_model.Lasso", "number", {"alpha": 0.05, "selection": "random", "random_state": 1}),
    ("linear_model.ElasticNet", "two", {"alpha": 0.02}),
    ("linear_model.SGDRegressor", "number", {"penalty": "elasticnet", "random_state": 1, "max_iter": 30, "tol": None}),
    ("linear_model.HuberRegressor", "number", {"epsilon": 1.5}),
    ("linear_model.LogisticRegression", "three", {"penalty": "l2", "C": 3.0, "max_iter": 60}),
    ("linear_model.RidgeCV", "number", {"alphas": (0.1, 1.0)}),
    ("svm.LinearSVC", "three", {"C": 0.5, "random_state": 1}),
    ("svm.SVC", "three", {"kernel": "sigmoid", "gamma": "scale"}),
    ("svm.SVR", "number", {"kernel": "poly", "degree": 2, "gamma": "scale"}),
    ("svm.OneClassSVM", "only", {"nu": 0.3, "gamma": "auto"}),
    ("tree.DecisionTreeClassifier", "three", {"min_samples_leaf": 4, "random_state": 2}),
    ("tree.DecisionTreeRegressor", "two", {"max_leaf_nodes": 5, "random_state": 2}),
    ("ensemble.RandomForestClassifier", "three", {"n_estimators": 4, "class_weight": "balanced", "random_state": 2}),
    ("ensemble.RandomForestRegressor", "number", {"n_estimators": 3, "max_samples": 0.6, "random_state": 2}),
    ("ensemble.ExtraTreesRegressor", "number", {"n_estimators": 3, "random_state": 2}),
    ("ensemble.GradientBoostingRegressor", "number", {"n_estimators": 4, "max_features": 2, "random_state": 2}),
    ("ensemble.GradientBoostingClassifier", "three", {"n_estimators": 3, "subsample": 0.8, "random_state": 2}),
    ("ensemble.AdaBoostClassifier", "class", {"n_estimators": 4, "random_state": 2}),
    ("neighbors.KNeighborsClassifier", "three", {"algorithm": "ball_tree", "p": 1}),
    ("neighbors.KNeighborsRegressor", "number", {"weights": "distance", "algorithm": "brute"}),
    ("neighbors.KernelDensity", "only", {"bandwidth": 0.7, "kernel": "epanechnikov"}),
    ("naive_bayes.GaussianNB", "three", {"var_smoothing": 1e-8}),
    ("naive_bayes.BernoulliNB", "class", {"alpha": 0.5}),
    ("neural_network.MLPClassifier", "class", {"hidden_layer_sizes": (3, 2), "activation": "tanh", "max_iter": 9, "random_state": 2}),
    ("neural_network.MLPRegressor", "number", {"hidden_layer_sizes": (4,), "solver": "adam", "max_iter": 9, "random_state": 2}),
    ("cluster.KMeans", "only", {"n_clusters": 4, "n_init": 1, "random_state": 2}),
    ("cluster.Birch", "only", {"n_clusters": 3, "threshold": 0.4}),
    ("decomposition.PCA", "only", {"n_components": 3, "svd_solver": "full"}),
    ("decomposition.TruncatedSVD", "only", {"n_components": 2, "algorithm": "arpack", "random_state": 2}),
    ("decomposition.NMF", "onlypositive", {"n_components": 2, "init": "nndsvd", "max_iter": 30}),
    ("mixture.GaussianMixture", "only", {"n_components": 3, "covariance_type": "full", "random_state": 2}),
    ("discriminant_analysis.LinearDiscriminantAnalysis", "three", {"solver": "eigen", "shrinkage": 0.2}),
    ("gaussian_process.GaussianProcessRegressor", "number", {"alpha": 0.1, "optimizer": None}),
    ("isotonic.IsotonicRegression", "unfitted", {"out_of_bounds": "clip"}),
    ("dummy.DummyClassifier", "three", {"strategy": "most_frequent"}),
    ("dummy.DummyRegressor", "number", {"strategy": "median"}),
    ("preprocessing.StandardScaler", "only", {"with_std": False}),
    ("preprocessing.MinMaxScaler", "only", {"feature_range": (0, 3)}),
    ("preprocessing.RobustScaler", "only", {"quantile_range": (20.0, 80.0)}),
    ("preprocessing.MaxAbsScaler", "only", {}), ("preprocessing.PolynomialFeatures", "only", {"degree": 3, "include_bias": False}),
    ("preprocessing.PowerTransformer", "only", {"method": "yeo-johnson"}),
    ("preprocessing.QuantileTransformer", "only", {"n_quantiles": 9, "output_distribution": "normal"}),
    ("preprocessing.KBinsDiscretizer", "only", {"n_bins": 3, "encode": "onehot-dense", "strategy": "quantile"}),
    ("impute.SimpleImputer", "only", {"strategy": "constant", "fill_value": 0}),
    ("impute.KNNImputer", "only", {"n_neighbors": 2, "weights": "distance"}),
    ("feature_selection.SelectKBest", "class", {"k": 3}), ("feature_selection.VarianceThreshold", "only", {"threshold": 0.01}),
    ("kernel_approximation.Nystroem", "only", {"n_components": 4, "random_state": 2, "gamma": 0.2}),
    ("covariance.EmpiricalCovariance", "only", {}),
):  # fmt: skip
    _short = _name.rpartition(".")[2]
    _use: Any = None
    if _short == "IsotonicRegression":
        _use = lambda v: v.fit([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]).predict([9.0])  # noqa: E731
    elif _short == "EmpiricalCovariance":
        _use = lambda v: v.mahalanobis(xy()[0][:3])  # noqa: E731
    elif _short in ("LinearSVC", "SVC"):
        _use = lambda v: v.decision_function(xy()[0][:4])  # noqa: E731
    model(S + _name, kind=_kind, name="one_" + _short, by=SK, use=_use, **_options)
model(
    PIPE,
    [("s", (S + "preprocessing.StandardScaler", {})), ("m", LOGIT)],
    by=(*CROSS, *HURT),
    name="scaled_logit",
)
model(PIPE, [("i", (S + "impute.SimpleImputer", {})), ("p", (S + "preprocessing.PolynomialFeatures", {})),
      ("m", RIDGE)], kind="number", by=CROSS, name="imputed_poly_ridge")  # fmt: skip
model(PIPE, [("k", (S + "feature_selection.SelectPercentile", {"percentile": 60})), ("m", FOREST)], by=(*CROSS, *HURT),
      name="chosen_forest")  # fmt: skip
model(PIPE, [("u", (S + "pipeline.FeatureUnion", {"transformer_list": [("p", (S + "decomposition.PCA",
      {"n_components": 2})), ("q", (S + "preprocessing.MaxAbsScaler", {}))]})), ("m", (S + "svm.SVC",
      {"gamma": "scale"}))], by=BOTH, name="united_svc", use=five)  # fmt: skip
model(PIPE, [("v", (S + "feature_extraction.text.CountVectorizer", {"ngram_range": (1, 2), "max_df": 0.9})),
      ("t", (S + "feature_extraction.text.TfidfTransformer", {"use_idf": False})), ("m", (S +
      "naive_bayes.MultinomialNB", {"fit_prior": False}))], kind="text", by=CROSS, name="text_tf_naive")  # fmt: skip
model(PIPE, [("v", (S + "feature_extraction.text.TfidfVectorizer", {"max_features": 5, "smooth_idf": False})),
      ("m", LOGIT)], kind="text", by=CROSS, name="text_logit")  # fmt: skip
model(S + "model_selection.GridSearchCV", (PIPE, {"steps": [("m", FOREST)]}), {"m__max_depth": [2, None]}, cv=2,
      name="searched_forest", by=BOTH, return_train_score=True)  # fmt: skip
model(S + "model_selection.RandomizedSearchCV", TREE, {"min_samples_leaf": [1, 3]}, n_iter=2, cv=2, random_state=1,
      name="drawn_tree")  # fmt: skip
model(S + "ensemble.VotingRegressor", [("a", RIDGE), ("b", (S + "ensemble.ExtraTreesRegressor", FEW))], kind="number",
      name="voted_ridge", by=BOTH)  # fmt: skip
model(S + "ensemble.StackingRegressor", [("a", RIDGE), ("b", (S + "svm.SVR", {"gamma": "scale"}))], kind="number",
      cv=3, name="stacked_svr", by=BOTH)  # fmt: skip
model(
    S + "ensemble.BaggingRegressor",
    (S + "linear_model.Lasso", {"alpha": 0.01}),
    kind="number",
    name="bagged_lasso",
    **FEW,
)
model(
    S + "calibration.CalibratedClassifierCV",
    LOGIT,
    cv=4,
    method="isotonic",
    name="calibrated_logit",
    by=BOTH,
)
model(S + "multiclass.OneVsRestClassifier", TREE, kind="three", name="rest_trees", by=BOTH)
model(S + "multioutput.MultiOutputClassifier", LOGIT, kind="unfitted", name="outputs_unfitted",
      use=lambda v: v.fit(xy()[0], _data("labels")[1]).predict(xy()[0][:3]))  # fmt: skip
model(S + "compose.TransformedTargetRegressor", RIDGE, kind="number", name="target_minmax",
      transformer=(S + "preprocessing.MinMaxScaler", {}))  # fmt: skip


def _table_pipe(model_: Any, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        compose, pre, pipe, impute = (
            importlib.import_module(S + m)
            for m in ("compose", "preprocessing", "pipeline", "impute")
        )
        columns = compose.ColumnTransformer(
            [("n", pre.StandardScaler(), ["age"]),
             ("c", pipe.Pipeline([("i", impute.SimpleImputer(strategy="constant", fill_value="none")),
                                  ("o", pre.OneHotEncoder(handle_unknown="ignore"))]), ["city", "plan"])], **options)  # fmt: skip
        return pipe.Pipeline([("prepare", columns), ("model", named(model_[0])(**model_[1]))]).fit(
            frame().fillna(0), xy()[1]
        )

    return make


for _name, _last, _options in (
    ("table_logit", LOGIT, {}), ("table_forest", FOREST, {"sparse_threshold": 0}), ("table_tree", TREE, {"n_jobs": 1}),
    ("table_gb", (S + "ensemble.GradientBoostingClassifier", FEW), {"remainder": "drop"}),
):  # fmt: skip
    add(_name, _table_pipe(_last, **_options), lambda v: v.predict_proba(frame().fillna(0).iloc[:4]),
        ("sklearn", "pandas"), CROSS if _name == "table_logit" else BOTH)  # fmt: skip
add("encoder_first", lambda: named(S + "preprocessing.OneHotEncoder")(drop="first").fit([["a"], ["b"], ["c"]]),
    lambda v: v.transform([["b"]]), ("sklearn",), SK)  # fmt: skip
add("encoder_ordinal", lambda: named(S + "preprocessing.OrdinalEncoder")().fit([["a", 1], ["b", 2]]),
    lambda v: v.transform([["b", 1]]), ("sklearn",), CROSS)  # fmt: skip
add("encoder_label", lambda: named(S + "preprocessing.LabelEncoder")().fit([3, 1, 2]), lambda v: v.transform([2, 3]),
    ("sklearn",), (*CROSS, *HURT))  # fmt: skip
add("words_fitted", lambda: named(S + "feature_extraction.text.TfidfVectorizer")(sublinear_tf=True).fit(wider.WORDS),
    lambda v: v.transform(["red or blue"]), ("sklearn",), CROSS)  # fmt: skip
add("dictionary_rows", lambda: named(S + "feature_extraction.DictVectorizer")(sparse=False).fit([{"a": 1, "b": "x"}]),
    lambda v: v.transform([{"a": 2, "b": "x"}]), ("sklearn",), SK)  # fmt: skip
add("folds_stratified", lambda: named(S + "model_selection.StratifiedKFold")(n_splits=3, shuffle=True, random_state=4),
    lambda v: v.get_n_splits(), ("sklearn",), SK)  # fmt: skip
add("served", lambda: {"pre": named(S + "preprocessing.StandardScaler")().fit(xy()[0]), "clf": named(FOREST[0])(**FEW).fit(
    *xy()), "meta": {"classes": ["no", "yes"], "threshold": 0.4}}, lambda v: v["clf"].predict_proba(v["pre"].transform(
    xy()[0][:3])), ("sklearn",), (*CROSS, *HURT))  # fmt: skip

# ---- boosters ----


def _boost(module: str, kind: str, target: str, **options: Any) -> Callable[[], Any]:
    return lambda: getattr(importlib.import_module(module), kind)(
        n_estimators=5, n_jobs=1, **options
    ).fit(*_data(target))


for _module, _kind, _name, _target, _options in (
    ("xgboost", "XGBClassifier", "xg_deep", "plain", {"max_depth": 5, "learning_rate": 0.2}),
    ("xgboost", "XGBClassifier", "xg_words", "three", {"max_depth": 3, "reg_lambda": 2.0}),
    (
        "xgboost",
        "XGBRegressor",
        "xg_number",
        "number",
        {"max_depth": 3, "colsample_bytree": 0.7, "random_state": 3},
    ),
    ("xgboost", "XGBRegressor", "xg_positive", "positive", {"objective": "reg:squaredlogerror"}),
    (
        "xgboost",
        "XGBRegressor",
        "xg_forest",
        "number",
        {"num_parallel_tree": 2, "subsample": 0.7, "random_state": 3},
    ),
    ("lightgbm", "LGBMClassifier", "lg_deep", "plain", {"max_depth": 4, "min_child_samples": 2}),
    (
        "lightgbm",
        "LGBMClassifier",
        "lg_three",
        "three",
        {"min_child_samples": 2, "learning_rate": 0.3},
    ),
    (
        "lightgbm",
        "LGBMRegressor",
        "lg_number",
        "number",
        {"min_child_samples": 2, "subsample": 0.8, "subsample_freq": 1},
    ),
    (
        "lightgbm",
        "LGBMRegressor",
        "lg_mape",
        "positive",
        {"objective": "mape", "min_child_samples": 2},
    ),
):  # type: ignore[assignment]
    add(_name, _boost(_module, _kind, _target, **_options), lambda v, t=_target: ask(v, t), (_module, "sklearn"),
        CROSS if _name.endswith("deep") else SK)  # fmt: skip

# ---- NumPy, pandas, SciPy ----

for _name, _text, _use in (
    ("grid", "numpy.linspace(0, 1, 5)", lambda v: v.tolist()),
    ("cube", "numpy.arange(8.0).reshape(2, 2, 2)", lambda v: v.sum()),
    ("columns_first", "numpy.ones((2, 3), order='F')", lambda v: v.tolist()),
    ("small_ints", "numpy.array([1, -2], 'int8')", lambda v: v.tolist()),
    ("texts", "numpy.array(['x', 'yy'], dtype='<U4')", lambda v: v.tolist()),
    ("times", "numpy.array(['2020-01-01T00'], 'M8[h]')", lambda v: str(v[0])),
    (
        "rows",
        "numpy.array([(1.5, b'a')], dtype=[('x', 'f4'), ('y', 'S2')])",
        lambda v: v["x"].tolist(),
    ),
    ("things", "numpy.array([None, 'a', 2.5], dtype=object)", lambda v: len(v)),
    ("mask", "numpy.ma.masked_invalid([1.0, float('nan')])", lambda v: float(v.sum())),
    ("square", "numpy.matrix([[2.0, 0], [0, 2]])", lambda v: v.I.tolist()),
    ("one", "numpy.float64(2.5)", float),
    ("kind", "numpy.dtype('float32')", lambda v: v.itemsize),
    ("curve", "numpy.poly1d([2, 1])", lambda v: v(3)),
    ("root", "numpy.sqrt", lambda v: float(v(4))),
    ("draws", "numpy.random.RandomState(21)", lambda v: v.rand()),
    ("draws_new", "numpy.random.default_rng(21)", lambda v: v.integers(100)),
    ("seeds", "numpy.random.SeedSequence(21)", lambda v: v.entropy),
    ("bits", "numpy.random.PCG64(21)", lambda v: int(v.random_raw())),
    ("ends", "numpy.array([1, 2], dtype='>i4')", lambda v: v.tolist()),
):  # type: ignore[assignment]
    value("np_" + _name, _text, _use, needs="numpy numpy.random", by=(*CROSS, *HURT) if _name in ("grid", "cube") else
          ("pickle", "joblib", "pickle-p2", "joblib-zlib"))  # fmt: skip


def cells(made: Any) -> Any:
    from recipes_third import _cells

    return _cells(made)


for _name, _text in (
    ("mixed", "pandas.DataFrame({'k': ['a', 'b'], 'n': [1, 2], 'f': [0.5, 1.5], 'b': [True, False]})"),
    ("dated", "pandas.DataFrame({'v': [1.0, 2.0]}, index=pandas.date_range('2021-03-01', periods=2))"),
    ("zoned", "pandas.DataFrame({'t': pandas.date_range('2021-03-01', periods=2, tz='Europe/Madrid'), 'v': [1, 2]})"),
    ("grouped", "pandas.DataFrame({'k': ['a', 'b', 'a'], 'v': [1, 2, 3]}).groupby('k').sum()"),
    ("kinds", "pandas.DataFrame({'c': pandas.Categorical(['p', 'q', 'p']), 'v': [1, 2, 3]})"),
    ("levels", "pandas.DataFrame({'v': [1, 2]}, index=pandas.MultiIndex.from_product([['a'], [1, 2]]))"),
    ("letters", "pandas.Series(list('xyz'), index=[2, 4, 6], name='s')"), ("reals", "pandas.Series([1.5, None, 2.5])"),
    ("months", "pandas.Series([1, 2], index=pandas.period_range('2021-01', periods=2, freq='M'))"),
    ("whole", "pandas.Series([1, None], dtype='Int32')"), ("nothing", "pandas.DataFrame({'a': []})"),
    ("spans", "pandas.Series(pandas.to_timedelta([1, 2], unit='h'))"), ("truths", "pandas.DataFrame({'b': [True, False]})"),
    ("thin", "pandas.DataFrame({'a': pandas.arrays.SparseArray([0.0, 1.0])})"), ("bands", "pandas.cut(pandas.Series([1, 5]), [0, 3, 9])"),
    ("places", "pandas.Index(['u', 'v'], name='w')"), ("steps", "pandas.RangeIndex(3)"), ("stamps", "pandas.DatetimeIndex(['2021-01-01'], tz='UTC')"),
):  # fmt: skip
    value("pd_" + _name, _text, cells, needs="pandas", by=(*CROSS, *HURT) if _name == "mixed" else
          (*CROSS, "topickle") if _name in ("zoned", "kinds") else ("pickle", "topickle", "joblib"))  # fmt: skip
for _name, _text, _use, _modules in (
    (
        "rows",
        "scipy.sparse.csr_matrix([[0, 1.0], [2.0, 0]])",
        lambda v: v.toarray().tolist(),
        "sparse",
    ),
    ("columns", "scipy.sparse.csc_matrix([[0, 1.0], [2.0, 0]])", lambda v: v.sum(), "sparse"),
    (
        "places",
        "scipy.sparse.coo_matrix(([1.0], ([0], [1])), shape=(2, 2))",
        lambda v: v.toarray().tolist(),
        "sparse",
    ),
    (
        "near",
        "scipy.spatial.cKDTree(%r)" % (table(7, 2),),
        lambda v: float(v.query([0.0, 0.0])[0]),
        "spatial",
    ),
    (
        "near_old",
        "scipy.spatial.KDTree(%r)" % (table(7, 2),),
        lambda v: float(v.query([0.0, 0.0])[0]),
        "spatial",
    ),
    (
        "line",
        "scipy.interpolate.interp1d(%r, %r, fill_value='extrapolate')" % (X5, Y5),
        lambda v: float(v(5.5)),
        "interpolate",
    ),
    (
        "smooth",
        "scipy.interpolate.CubicSpline(%r, %r, bc_type='natural')" % (X5, Y5),
        lambda v: float(v(1.7)),
        "interpolate",
    ),
    ("bell", "scipy.stats.norm(0, 3)", lambda v: float(v.cdf(1.0)), "stats"),
    ("counted", "scipy.stats.poisson(2.5)", lambda v: float(v.pmf(2)), "stats"),
    ("density", "scipy.stats.gaussian_kde([0.0, 1.0, 3.0])", lambda v: float(v(1.0)), "stats"),
    ("logistic", "scipy.special.expit", lambda v: float(v(0.5)), "special"),
    (
        "partial",
        "__import__('functools').partial(scipy.special.expit)",
        lambda v: float(v(0.5)),
        "special",
    ),
):  # type: ignore[assignment]
    value(
        "sp_" + _name,
        _text,
        _use,
        ("pickle", "joblib"),
        "scipy numpy " + " ".join("scipy." + m for m in _modules.split()),
    )

# ---- the standard library, the project, functions ----

for _name, _text, _use, _module in (
    (
        "record",
        "{'id': 7, 'tags': ('a', 'b'), 'when': datetime.date(2021, 2, 3)}",
        lambda v: v["when"].isoformat(),
        "datetime",
    ),
    (
        "zone",
        "datetime.datetime(2021, 5, 6, tzinfo=datetime.timezone.utc)",
        lambda v: v.isoformat(),
        "datetime",
    ),
    ("span", "datetime.timedelta(hours=5)", lambda v: v.total_seconds(), "datetime"),
    ("money", "decimal.Decimal('12.30')", str, "decimal"),
    ("ratio", "fractions.Fraction(3, 9)", str, "fractions"),
    ("id", "uuid.UUID(int=99)", lambda v: v.hex, "uuid"),
    ("tally", "collections.Counter('hello')", lambda v: v["l"], "collections"),
    ("queue", "collections.deque([1, 2], 3)", list, "collections"),
    ("lists", "collections.defaultdict(list, a=[1])", lambda v: v["a"], "collections"),
    ("order", "collections.OrderedDict(a=1)", list, "collections"),
    ("bytes", "b'\\x00\\xff' * 3", len, "operator"),
    ("pick", "operator.itemgetter('a', 'b')", lambda v: v({"a": 1, "b": 2}), "operator"),
    ("pattern", "re.compile('[a-z]+', re.I)", lambda v: v.findall("Ab"), "re"),
    ("file", "pathlib.PurePosixPath('/a/b')", lambda v: v.name, "pathlib"),
    ("address", "ipaddress.IPv4Address('10.0.0.1')", str, "ipaddress"),
    ("chance", "random.Random(9)", lambda v: v.random(), "random"),
    ("log", "logging.getLogger('a.b')", lambda v: v.name, "logging"),
    ("bag", "types.SimpleNamespace(a=1)", lambda v: v.a, "types"),
    ("maybe", "typing.Optional[str]", lambda v: len(v.__args__), "typing"),
    ("either", "int | str", lambda v: len(v.__args__), "typing"),
    ("many", "list[str]", lambda v: v.__args__[0].__name__, "typing"),
    ("numbers", "array.array('i', [1, 2])", lambda v: v.tolist(), "array"),
    ("code", "http.HTTPStatus.NOT_FOUND", int, "http"),
    ("kept", "functools.lru_cache(maxsize=8)(len)", lambda v: v("ab"), "functools"),
    ("clock", "zoneinfo.ZoneInfo('Asia/Tokyo')", lambda v: v.key, "zoneinfo"),
    ("bell", "statistics.NormalDist(0, 2)", lambda v: v.pdf(0), "statistics"),
    ("args", "inspect.signature(len)", lambda v: len(v.parameters), "inspect"),
    ("fault", "RuntimeError('x', 3)", lambda v: v.args[1], "operator"),
):  # type: ignore[assignment]
    value("std_" + _name, _text, _use, needs=_module, by=(*CROSS, *HURT) if _name == "record" else
          ("pickle", "pickle-p2", "joblib", "dill"))  # fmt: skip


def _of(home: str, name: str) -> Any:
    return getattr(importlib.import_module(home), name)


for _home, _name, _make, _use in (
    ("shop", "member", lambda: {"a": [_of("shop", "Tier").BASIC]}, lambda v: v["a"][0].name),
    ("shop", "right", lambda: _of("shop", "Access").WRITE, int),
    (
        "shop",
        "goods",
        lambda: _of("shop", "Basket")(*range(len(_of("shop", "Basket")._fields))),
        lambda v: v.total,
    ),
    ("shop", "law", lambda: {"r": _of("shop", "Rule")(2.0, 0.5)}, lambda v: v["r"].run(4.0)),
    ("shop", "knobs", lambda: _of("shop", "Settings")("m", 0.7), lambda v: v.threshold),
    ("shop", "washed", lambda: _of("shop", "clean"), lambda v: v(3)),
    (
        "fleet",
        "halt",
        lambda: _of("fleet", "Stop")(*range(len(_of("fleet", "Stop")._fields))),
        lambda v: v.km,
    ),
    ("fleet", "way", lambda: _of("fleet", "Leg")("x", 3.0), lambda v: v.km),
    ("fleet", "drive", lambda: _of("fleet", "Fuel")("d"), lambda v: v.name),
    ("fleet", "wall", lambda: _of("fleet", "Depot")(), lambda v: len(v.gates)),
    ("fleet", "book", lambda: _of("fleet", "Registry")(z=1), dict),
):  # type: ignore[assignment]
    add(
        "project_" + _name,
        _make,
        _use,
        (_home,),
        ("pickle", "pickle-p2", "joblib", "dill", "cloudpickle"),
    )
add("project_cut", lambda: named(PIPE)([("s", named(S + "preprocessing.StandardScaler")()), ("m", _of("shop", "ThresholdModel")(
    0.2))]).fit(*xy()), five, ("sklearn", "shop"), BOTH)  # fmt: skip

for _name, _text, _use in (
    ("tax", "RATE = 0.19\ndef made(x):\n    return round(x * (1 + RATE), 2)\n", None),
    ("label", "def made(x):\n    return {0: 'no', 1: 'yes'}.get(int(x), 'other')\n", None),
    (
        "mean",
        "def made(x, values=(1, 2, 3)):\n    total = 0\n    for v in values:\n        total += v * x\n    return total / len(values)\n",
        None,
    ),
    (
        "safe",
        "def made(x):\n    try:\n        return 1 / (x - 2)\n    except ZeroDivisionError:\n        return 0.0\n",
        None,
    ),
    (
        "stack",
        "def made(x):\n    import numpy as np\n    return np.vstack([[x, 1], [2, x]]).sum()\n",
        None,
    ),
    ("power", "made = lambda x, n=3: x ** n\n", None),
    ("pairs", "made = lambda x: [(i, j) for i in range(2) for j in range(2) if i != j]\n", None),
    ("adder", "def outer(a):\n    return lambda b: a + b\nmade = outer(2)\n", None),
    (
        "score",
        "class Score:\n    weights = {'a': 2}\n    def __init__(self, base):\n        self.base = base\n    def __call__(self, x):\n        return self.base + self.weights['a'] * x\nmade = Score(1)\n",
        None,
    ),
    (
        "holder",
        "class Holder:\n    def __init__(self):\n        self.rows = [1, 2]\n    def __len__(self):\n        return len(self.rows)\nmade = Holder()\n",
        len,
    ),
    (
        "colour",
        "import enum\nclass Colour(enum.Enum):\n    RED = 'r'\nmade = Colour.RED\n",
        lambda v: v.value,
    ),
    (
        "point",
        "import collections\nmade = collections.namedtuple('P', 'x y')(3, 4)\n",
        lambda v: v.x + v.y,
    ),
    (
        "shift",
        "from sklearn.preprocessing import FunctionTransformer\nmade = FunctionTransformer(lambda a: a + 1, validate=False)\n",
        lambda v: v.transform(xy()[0][:1]),
    ),
    (
        "piped",
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.linear_model import LogisticRegression\nfrom sklearn.preprocessing import FunctionTransformer\nmade = make_pipeline(FunctionTransformer(lambda a: a * 2, validate=False), LogisticRegression(solver='liblinear'))\n",
        None,
    ),
    (
        "text",
        "def made(x):\n    return ' '.join(w.title() for w in 'a b'.split()) + '%d' % x\n",
        None,
    ),
    ("flags", "def made(x):\n    return all([x > 0, x < 9]) and any([x == 2, False])\n", None),
):  # type: ignore[assignment]
    _asks: Any = _use or (lambda f: f(2.0))
    if _name == "piped":
        _asks = lambda v: v.fit(*xy()).predict(xy()[0][:3])  # noqa: E731
    code("x_" + _name, _text, _asks, "cloudpickle sklearn" if "sklearn" in _text else "cloudpickle")

# Dill falls into itself on it until the process dies.
_needs, _, _made = RECIPES["fifth-fn_x_colour"]
RECIPES["fifth-fn_x_colour"] = (_needs, ("cloudpickle",), _made)

__all__ = ["Tuple"]
