"""Recipes that look like a study of deployments: other estimators, the same kinds of files.

Kinds and writers come about as often as in repositories: most are scikit-learn's, written by plain
``pickle``; every third by another writer, every twentieth damaged on the way.
"""

import importlib
from typing import Any, Callable, Dict, List, Tuple

from recipes import RECIPES, X5, Y5, frame, table, xy
from recipes_fourth import _data, ask, start
from recipes_wider import S, add, code, model, named, value

start("sixth-")
Use = Callable[[Any], Any]
# Beside ``pickle`` each recipe has one or two of these, in turn.
TURNS: Tuple[Tuple[str, ...], ...] = (
    ("joblib",), ("pickle-p2",), ("joblib-zlib", "cloudpickle"), ("pickle-p3",), ("joblib", "pickle-p5"),
    ("dill",), ("joblib-lzma",), ("pickle-p4", "joblib"), ("topickle",), ("joblib-gzip", "pickle-p2"),
    ("joblib",), ("joblib-bz2", "cloudpickle-p4"), ("pickle-p5",), ("joblib-xz",), ("joblib", "cloudpickle"),
)  # fmt: skip
# What happened to every twelfth of them.
HURT: Tuple[Tuple[str, ...], ...] = (
    ("pickle@flipm", "pickle@last"), ("joblib@cut-joblib", "pickle@joblib"), ("pickle@mangled", "joblib@pickle"),
    ("pickle@marked", "joblib@gzipped"), ("joblib@last-joblib_xz", "pickle@cut"), ("pickle@nuls", "pickle@text"),
    ("pickle@joblib-zlib", "joblib@cloudpickle"), ("joblib@flipm-joblib", "pickle@gzipped"),
    ("pickle@dill", "joblib@pointer"), ("pickle@page", "pickle@twice"),
)  # fmt: skip
_count = [0]


def by(*more: str) -> Tuple[str, ...]:
    """The writers of the next recipe."""
    _count[0] += 1
    number = _count[0]
    hurt = HURT[number // 12 % len(HURT)] if number % 12 == 0 else ()
    return tuple(dict.fromkeys(("pickle", *TURNS[number % len(TURNS)], *more, *hurt)))


FEW: Dict[str, Any] = {"n_estimators": 4, "random_state": 5}
LOGIT = (S + "linear_model.LogisticRegression", {"C": 0.7, "solver": "liblinear"})
TREE = (S + "tree.DecisionTreeClassifier", {"max_depth": 4, "random_state": 5})
GUESS = (S + "tree.DecisionTreeRegressor", {"max_depth": 4, "random_state": 5})
PIPE = S + "pipeline.Pipeline"
four = lambda v: v.transform(xy()[0][:4])  # noqa: E731
tell = lambda v: v.decision_function(xy()[0][:4])  # noqa: E731
names = lambda v: [str(n) for n in v.get_support(indices=True)]  # noqa: E731

for _name, _kind, _options, _use in (
    ("ensemble.ExtraTreesClassifier", "three", {**FEW, "bootstrap": True, "oob_score": False}, None),
    ("ensemble.RandomForestClassifier", "class", {**FEW, "criterion": "entropy", "max_features": None}, None),
    ("ensemble.RandomForestRegressor", "two", {**FEW, "min_impurity_decrease": 0.001}, None),
    ("ensemble.GradientBoostingClassifier", "class", {**FEW, "learning_rate": 0.4}, None),
    ("ensemble.GradientBoostingRegressor", "number", {**FEW, "loss": "huber", "alpha": 0.8}, None),
    ("ensemble.AdaBoostRegressor", "number", {**FEW, "loss": "square"}, None),
    ("ensemble.IsolationForest", "only", {**FEW, "contamination": 0.2}, tell),
    ("ensemble.RandomTreesEmbedding", "only", {**FEW, "sparse_output": False}, four),
    ("tree.ExtraTreeRegressor", "number", {"random_state": 5, "max_depth": 3}, None),
    ("tree.DecisionTreeClassifier", "three", {"random_state": 5, "class_weight": {0: 2}}, None),
    ("linear_model.LogisticRegression", "three", {"C": 5.0, "solver": "newton-cg"}, None),
    ("linear_model.LogisticRegression", "class", {"penalty": "l1", "solver": "saga", "max_iter": 40}, None),
    ("linear_model.LogisticRegressionCV", "class", {"Cs": 3, "cv": 3, "solver": "lbfgs"}, None),
    ("linear_model.RidgeClassifier", "three", {"alpha": 2.0}, tell),
    ("linear_model.Perceptron", "class", {"max_iter": 20, "tol": None, "random_state": 5}, tell),
    ("linear_model.PassiveAggressiveClassifier", "three", {"max_iter": 20, "tol": None, "random_state": 5}, tell),
    ("linear_model.SGDClassifier", "class", {"loss": "modified_huber", "average": True, "random_state": 5, "max_iter": 20, "tol": None}, None),
    ("linear_model.SGDRegressor", "number", {"loss": "epsilon_insensitive", "random_state": 5, "max_iter": 20, "tol": None}, None),
    ("linear_model.Lars", "number", {"n_nonzero_coefs": 3}, None), ("linear_model.LassoLarsCV", "number", {"cv": 3}, None),
    ("linear_model.BayesianRidge", "number", {}, None), ("linear_model.ARDRegression", "number", {}, None),
    ("linear_model.OrthogonalMatchingPursuit", "number", {"n_nonzero_coefs": 2}, None),
    ("linear_model.RANSACRegressor", "number", {"random_state": 5, "min_samples": 10}, None),
    ("linear_model.PoissonRegressor", "positive", {"alpha": 0.3}, None),
    ("linear_model.ElasticNetCV", "number", {"cv": 3, "n_alphas": 4}, None),
    ("linear_model.MultiTaskLasso", "two", {"alpha": 0.05}, None),
    ("svm.NuSVC", "three", {"nu": 0.4, "gamma": "scale"}, tell), ("svm.NuSVR", "number", {"gamma": "scale"}, None),
    ("svm.LinearSVR", "number", {"random_state": 5, "max_iter": 5000}, None),
    ("svm.SVC", "class", {"probability": True, "gamma": 0.3, "random_state": 5}, None),
    ("svm.LinearSVC", "class", {"loss": "hinge", "random_state": 5}, tell),
    ("naive_bayes.ComplementNB", "positive", {"alpha": 0.4}, "classes"), ("naive_bayes.MultinomialNB", "positive", {"alpha": 2.0}, "classes"),
    ("naive_bayes.GaussianNB", "class", {"priors": [0.4, 0.6]}, None),
    ("discriminant_analysis.QuadraticDiscriminantAnalysis", "class", {"reg_param": 0.1}, None),
    ("discriminant_analysis.LinearDiscriminantAnalysis", "three", {"solver": "svd"}, None),
    ("neighbors.NearestCentroid", "three", {}, None), ("neighbors.RadiusNeighborsRegressor", "number", {"radius": 50.0}, None),
    ("neighbors.KNeighborsClassifier", "class", {"n_neighbors": 4, "algorithm": "kd_tree", "weights": "distance"}, None),
    ("neighbors.LocalOutlierFactor", "only", {"novelty": True, "n_neighbors": 6}, tell),
    ("neighbors.NearestNeighbors", "only", {"algorithm": "brute", "metric": "manhattan"}, lambda v: v.kneighbors(xy()[0][:2], 2)),
    ("neural_network.MLPClassifier", "three", {"hidden_layer_sizes": (5,), "solver": "lbfgs", "max_iter": 15, "random_state": 5}, None),
    ("neural_network.MLPRegressor", "number", {"hidden_layer_sizes": (3,), "solver": "sgd", "max_iter": 15, "random_state": 5}, None),
    ("neural_network.BernoulliRBM", "onlypositive", {"n_components": 2, "n_iter": 2, "random_state": 5}, four),
    ("gaussian_process.GaussianProcessClassifier", "class", {"optimizer": None}, None),
    ("kernel_ridge.KernelRidge", "number", {"alpha": 0.5, "kernel": "rbf"}, None),
    ("cross_decomposition.PLSRegression", "two", {"n_components": 2}, None),
    ("semi_supervised.LabelSpreading", "class", {"kernel": "knn", "n_neighbors": 4}, None),
    ("cluster.MiniBatchKMeans", "only", {"n_clusters": 3, "n_init": 1, "random_state": 5}, None),
    ("cluster.KMeans", "only", {"n_clusters": 5, "n_init": 2, "init": "random", "random_state": 5}, four),
    ("cluster.DBSCAN", "only", {"eps": 0.9, "min_samples": 3}, None), ("cluster.MeanShift", "only", {"bandwidth": 2.0}, None),
    ("cluster.FeatureAgglomeration", "only", {"n_clusters": 2}, four), ("cluster.AffinityPropagation", "only", {"damping": 0.8}, None),
    ("mixture.BayesianGaussianMixture", "only", {"n_components": 2, "random_state": 5}, None),
    ("mixture.GaussianMixture", "only", {"n_components": 2, "covariance_type": "tied", "random_state": 5}, None),
    ("decomposition.IncrementalPCA", "only", {"n_components": 2}, None), ("decomposition.FastICA", "only", {"n_components": 2, "random_state": 5}, None),
    ("decomposition.KernelPCA", "only", {"n_components": 2, "kernel": "poly"}, None), ("decomposition.FactorAnalysis", "only", {"n_components": 2}, None),
    ("decomposition.LatentDirichletAllocation", "onlypositive", {"n_components": 2, "random_state": 5}, "positives"),
    ("decomposition.PCA", "only", {"n_components": 0.9, "whiten": True}, None),
    ("manifold.Isomap", "only", {"n_components": 2}, None), ("kernel_approximation.RBFSampler", "only", {"n_components": 4, "random_state": 5}, None),
    ("random_projection.GaussianRandomProjection", "only", {"n_components": 2, "random_state": 5}, None),
    ("covariance.EllipticEnvelope", "only", {"random_state": 5}, tell),
    ("preprocessing.Normalizer", "only", {"norm": "l1"}, None), ("preprocessing.Binarizer", "only", {"threshold": 0.2}, None),
    ("preprocessing.StandardScaler", "only", {"with_mean": False}, None), ("preprocessing.MinMaxScaler", "only", {"feature_range": (-1, 1)}, None),
    ("preprocessing.QuantileTransformer", "only", {"n_quantiles": 7, "random_state": 5}, None), ("preprocessing.SplineTransformer", "only", {"n_knots": 4}, None),
    ("preprocessing.KBinsDiscretizer", "only", {"n_bins": 4, "encode": "ordinal", "strategy": "uniform"}, None),
    ("preprocessing.PowerTransformer", "only", {"standardize": False}, None), ("preprocessing.FunctionTransformer", "only", {"validate": True}, None),
    ("impute.MissingIndicator", "only", {"features": "all"}, None), ("impute.SimpleImputer", "only", {"strategy": "median", "add_indicator": True}, None),
    ("impute.IterativeImputer", "only", {"experimental": "enable_iterative_imputer", "max_iter": 2, "random_state": 5}, None),
    ("feature_selection.SelectFromModel", "class", {"estimator": TREE}, four), ("feature_selection.RFECV", "class", {"estimator": LOGIT, "cv": 3}, four),
    ("feature_selection.SelectFpr", "class", {"alpha": 0.5}, names), ("feature_selection.GenericUnivariateSelect", "class", {"mode": "k_best", "param": 2}, four),
    ("multiclass.OneVsOneClassifier", "three", {"estimator": LOGIT}, None), ("multiclass.OutputCodeClassifier", "three", {"estimator": TREE, "random_state": 5}, None),
    ("multioutput.RegressorChain", "two", {"base_estimator": GUESS}, None), ("calibration.CalibratedClassifierCV", "class", {"base": TREE, "cv": 3}, None),
    ("ensemble.BaggingClassifier", "three", {"base": LOGIT, **FEW, "max_features": 0.8}, None),
):  # fmt: skip
    _short = _name.rpartition(".")[2]
    _given = dict(_options)
    _parts: List[Any] = [_given.pop("base")] if "base" in _given else []
    _asks: Any = _use
    if _use == "positives":
        _asks = lambda v: v.transform(abs(xy()[0][:4]))  # noqa: E731
    elif _use == "classes":
        _kind = "unfitted"
        _asks = lambda v: v.fit(abs(xy()[0]), xy()[1]).predict_proba(abs(xy()[0][:4]))  # noqa: E731
    model(
        S + _name,
        *_parts,
        kind=_kind,
        use=_asks,
        by=by(),
        name="%s_%d" % (_short, _count[0]),
        **_given,
    )

# ---- compositions ----


def _columns(last: Any, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        compose, pre = (importlib.import_module(S + m) for m in ("compose", "preprocessing"))
        first = compose.ColumnTransformer(
            [("n", pre.RobustScaler(), ["age"]), ("c", pre.OneHotEncoder(), ["city"]),
             ("o", pre.OrdinalEncoder(), ["plan"])], **options)  # fmt: skip
        filled = frame().fillna(0)
        return named(PIPE)([("columns", first), ("model", named(last[0])(**last[1]))]).fit(
            filled, xy()[1]
        )

    return make


for _name, _last, _options in (
    ("knn", (S + "neighbors.KNeighborsClassifier", {"n_neighbors": 3}), {"remainder": "drop"}),
    ("extra", (S + "ensemble.ExtraTreesClassifier", FEW), {"remainder": "passthrough"}),
    ("sgd", (S + "linear_model.SGDClassifier", {"loss": "modified_huber", "random_state": 5}), {"n_jobs": 1}),
    ("logit", LOGIT, {"transformer_weights": {"n": 2.0}}),
):  # fmt: skip
    add("columns_" + _name, _columns(_last, **_options), lambda v: v.predict_proba(frame().fillna(0).iloc[:4]),
        ("sklearn", "pandas"), by("joblib"))  # fmt: skip
for _name, _steps, _kind in (
    ("minmax_svc", [("s", (S + "preprocessing.MinMaxScaler", {})), ("m", (S + "svm.SVC", {"probability": True, "random_state": 5, "gamma": "scale"}))], "class"),
    ("pca_forest", [("p", (S + "decomposition.PCA", {"n_components": 3})), ("m", (S + "ensemble.RandomForestClassifier", FEW))], "three"),
    ("poly_lasso", [("p", (S + "preprocessing.PolynomialFeatures", {"interaction_only": True})), ("m", (S + "linear_model.Lasso", {"alpha": 0.1}))], "number"),
    ("chosen_gb", [("k", (S + "feature_selection.SelectKBest", {"k": 2})), ("m", (S + "ensemble.GradientBoostingClassifier", FEW))], "class"),
    ("skipped", [("s", "passthrough"), ("m", LOGIT)], "class"),
    ("scaled_knn", [("s", (S + "preprocessing.StandardScaler", {})), ("m", (S + "neighbors.KNeighborsRegressor", {"n_neighbors": 3}))], "number"),
    ("words_chars", [("v", (S + "feature_extraction.text.TfidfVectorizer", {"analyzer": "char_wb", "ngram_range": (2, 3)})), ("m", LOGIT)], "text"),
    ("words_hashed", [("v", (S + "feature_extraction.text.HashingVectorizer", {"n_features": 64})), ("m", (S + "linear_model.SGDClassifier", {"loss": "modified_huber", "random_state": 5}))], "text"),
    ("words_bayes", [("v", (S + "feature_extraction.text.CountVectorizer", {"binary": True})), ("m", (S + "naive_bayes.BernoulliNB", {}))], "text"),
):  # fmt: skip
    _asks = (lambda v: v.predict_proba(["red green", "grey"])) if _kind == "text" else None
    model(PIPE, _steps, kind=_kind, name="pipe_" + _name, by=by("joblib", "pickle-p2"), use=_asks)
model(
    S + "ensemble.VotingClassifier",
    [("a", LOGIT), ("b", TREE)],
    voting="soft",
    name="voted_soft",
    by=by(),
)
model(
    S + "ensemble.StackingClassifier",
    [("a", TREE)],
    final_estimator=LOGIT,
    cv=3,
    name="stacked_tree",
    by=by(),
)
model(
    S + "model_selection.GridSearchCV",
    LOGIT,
    {"C": [0.5, 2.0]},
    cv=3,
    name="searched_logit",
    by=by(),
)
model(S + "ensemble.HistGradientBoostingClassifier", kind="three", name="histogram", by=by(), max_iter=4,
      experimental="enable_hist_gradient_boosting", max_leaf_nodes=6)  # fmt: skip
model(S + "compose.TransformedTargetRegressor", (S + "linear_model.Ridge", {}), kind="number", name="target_quantile",
      transformer=(S + "preprocessing.StandardScaler", {}), by=by())  # fmt: skip
for _name, _text, _use in (
    ("labels_binary", "sklearn.preprocessing.LabelBinarizer().fit(['no', 'yes', 'maybe'])", lambda v: v.transform(["no"])),
    ("labels_multi", "sklearn.preprocessing.MultiLabelBinarizer().fit([['a', 'b'], ['c']])", lambda v: v.transform([["a"]])),
    ("labels_words", "sklearn.preprocessing.LabelEncoder().fit(['x', 'z', 'y'])", lambda v: v.transform(["z"])),
    ("one_hot", "sklearn.preprocessing.OneHotEncoder().fit([['a', 1], ['b', 2]])", lambda v: v.transform([["b", 1]]).toarray()),
    ("folds_times", "sklearn.model_selection.TimeSeriesSplit(n_splits=3)", lambda v: v.get_n_splits()),
    ("folds_shuffled", "sklearn.model_selection.ShuffleSplit(n_splits=2, test_size=0.2, random_state=5)", lambda v: v.get_n_splits()),
    ("hashed_rows", "sklearn.feature_extraction.FeatureHasher(n_features=8)", lambda v: v.transform([{"a": 1}]).toarray()),
    ("kernel", "sklearn.gaussian_process.kernels.RBF(2.0) + sklearn.gaussian_process.kernels.WhiteKernel(0.1)", lambda v: v([[0.0], [1.0]])),
):  # fmt: skip
    value(_name, _text, _use, by(), "sklearn sklearn.preprocessing sklearn.model_selection sklearn.feature_extraction sklearn.gaussian_process.kernels")  # fmt: skip

# ---- boosters ----


def _boost(module: str, kind: str, target: str, options: Dict[str, Any]) -> Callable[[], Any]:
    return lambda: getattr(importlib.import_module(module), kind)(
        **{"n_estimators": 6, "n_jobs": 1, **options}
    ).fit(*_data(target))


for _module, _kind, _name, _target, _options in (
    ("xgboost", "XGBClassifier", "xg_shallow", "plain", {"max_depth": 2, "gamma": 0.1}),
    ("xgboost", "XGBClassifier", "xg_three", "three", {"max_depth": 3, "subsample": 0.8, "random_state": 5}),
    ("xgboost", "XGBRegressor", "xg_least", "number", {"max_depth": 4, "reg_alpha": 0.5}),
    ("xgboost", "XGBRFRegressor", "xg_random", "number", {"max_depth": 3, "random_state": 5}),
    ("xgboost", "XGBRegressor", "xg_line", "number", {"booster": "gblinear"}),
    ("lightgbm", "LGBMClassifier", "lg_plain", "plain", {"min_child_samples": 3, "num_leaves": 6}),
    ("lightgbm", "LGBMRegressor", "lg_least", "number", {"min_child_samples": 3, "reg_lambda": 1.0}),
    ("lightgbm", "LGBMClassifier", "lg_dart", "three", {"boosting_type": "dart", "min_child_samples": 3, "random_state": 5}),
):  # fmt: skip
    add(
        _name,
        _boost(_module, _kind, _target, _options),
        lambda v, t=_target: ask(v, t),
        (_module, "sklearn"),
        by("joblib"),
    )
    if _name.endswith(("shallow", "plain")):
        add(_name + "_piped", lambda m=_module, k=_kind: named(PIPE)([("s", named(S + "preprocessing.StandardScaler")()), (
            "m", getattr(importlib.import_module(m), k)(n_estimators=3, n_jobs=1))]).fit(*_data("plain")),
            lambda v: ask(v, "plain"), (_module, "sklearn"), by())  # fmt: skip


def _raw(module: str) -> Any:
    library, (x, y) = importlib.import_module(module), _data("number")
    if module == "lightgbm":
        return library.train(
            {"objective": "regression", "verbose": -1, "num_threads": 1}, library.Dataset(x, y), 4
        )
    return library.train({"max_depth": 3, "nthread": 1}, library.DMatrix(x, y), 4)


add("lg_raw", lambda: _raw("lightgbm"), lambda v: v.predict(xy()[0][:4]), ("lightgbm",), by())
add("xg_raw", lambda: _raw("xgboost"), lambda v: v.predict(importlib.import_module("xgboost").DMatrix(xy()[0][:4])),
    ("xgboost",), by())  # fmt: skip

# ---- NumPy, pandas, SciPy ----

for _name, _text, _use in (
    ("plane", "numpy.arange(12.0).reshape(3, 4)", lambda v: v.tolist()), ("turned", "numpy.arange(6).reshape(2, 3).T", lambda v: v.tolist()),
    ("halves", "numpy.array([0.5, 1.5], 'float16')", lambda v: v.tolist()), ("waves", "numpy.array([1 + 2j, 3j])", lambda v: abs(v).tolist()),
    ("words", "numpy.array(['a', 'bcd'])", lambda v: v.tolist()), ("raw", "numpy.array([b'a', b'bc'])", lambda v: len(v)),
    ("spans", "numpy.array([1, 2], 'm8[s]')", lambda v: v.astype(int).tolist()), ("table", "numpy.array([(1, 2.5), (3, 4.5)], dtype=[('n', 'i4'), ('v', 'f8')])", lambda v: v["v"].tolist()),
    ("record", "numpy.rec.array([(1, 2.0)], dtype=[('a', 'i4'), ('b', 'f8')])", lambda v: float(v.b[0])), ("boxes", "numpy.array([{'a': 1}, [2]], dtype=object)", lambda v: len(v)),
    ("empty", "numpy.zeros((0, 3))", lambda v: v.shape), ("whole", "numpy.int64(7)", int), ("day", "numpy.datetime64('2022-05-01')", str),
    ("text", "numpy.str_('abc')", str), ("mask", "numpy.ma.array([1.0, 2.0], mask=[0, 1])", lambda v: float(v.sum())),
    ("legacy", "numpy.random.RandomState(3)", lambda v: v.normal()), ("philox", "numpy.random.Generator(numpy.random.Philox(3))", lambda v: v.random()),
    ("sfc", "numpy.random.Generator(numpy.random.SFC64(3))", lambda v: v.random()), ("fresh", "numpy.random.default_rng(3)", lambda v: v.normal()),
    ("mersenne", "numpy.random.MT19937(3)", lambda v: int(v.random_raw())), ("fields", "numpy.dtype([('a', 'i4'), ('b', 'U3')])", lambda v: v.itemsize),
    ("adder", "numpy.add", lambda v: int(v(1, 2))), ("mean", "numpy.mean", lambda v: float(v([1, 3]))), ("kind", "numpy.float32", lambda v: v.__name__),
    ("curve", "numpy.polynomial.Polynomial([1, 2])", lambda v: float(v(2))), ("odd", "numpy.array([1, 2], dtype='>f8')", lambda v: v.tolist()),
):  # fmt: skip
    value("np_" + _name, _text, _use, by(), "numpy numpy.random numpy.ma numpy.polynomial")


def cells(made: Any) -> Any:
    from recipes_third import _cells

    return _cells(made)


for _name, _text in (
    ("people", "pandas.DataFrame({'name': ['ann', 'bob', 'eve'], 'age': [31, 45, 27], 'pay': [1.25, 2.5, 3.75]})"),
    ("reals", "pandas.DataFrame({'a': [0.5, 1.5], 'b': [2.5, None]}, index=['r', 's'])"),
    ("kinds", "pandas.DataFrame({'c': pandas.Categorical(['lo', 'hi', 'lo'], ordered=True, categories=['lo', 'hi'])})"),
    ("whens", "pandas.DataFrame({'t': pandas.to_datetime(['2022-01-01', '2022-01-02']), 'v': [1, 2]})"),
    ("zones", "pandas.DataFrame({'v': [1, 2]}, index=pandas.date_range('2022-01-01', periods=2, tz='UTC'))"),
    ("words", "pandas.DataFrame({'s': pandas.array(['x', None], dtype='string')})"), ("whole", "pandas.DataFrame({'n': pandas.array([1, None], dtype='Int64')})"),
    ("truths", "pandas.DataFrame({'b': pandas.array([True, None], dtype='boolean')})"), ("levels", "pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_tuples([('a', 'x'), ('a', 'y')]))"),
    ("spans", "pandas.DataFrame({'d': pandas.to_timedelta([1, 2], unit='D')})"), ("months", "pandas.DataFrame({'v': [1]}, index=pandas.PeriodIndex(['2022-01'], freq='M'))"),
    ("bare", "pandas.DataFrame()"), ("thin", "pandas.Series(pandas.arrays.SparseArray([0, 0, 1]))"), ("names", "pandas.Series(['a', None, 'c'], name='k')"),
    ("bands", "pandas.Series(pandas.interval_range(0, 2))"), ("count", "pandas.Series([1, 2, 2]).value_counts()"), ("tags", "pandas.CategoricalIndex(['a', 'b'])"),
    ("index", "pandas.Index([1.5, 2.5])"), ("pairs", "pandas.MultiIndex.from_arrays([[1, 2], ['a', 'b']])"), ("stamps", "pandas.date_range('2022-01-01', periods=3, freq='D')"),
):  # fmt: skip
    value("pd_" + _name, _text, cells, by("topickle"), "pandas")
for _name, _text, _use in (
    ("stamp", "pandas.Timestamp('2022-03-04 05:06', tz='Europe/Rome')", str), ("month", "pandas.Period('2022-03', 'M')", str), ("span", "pandas.Interval(0, 1)", str),
    ("none", "pandas.NaT", str), ("shift", "pandas.offsets.MonthEnd(2)", lambda v: v.n), ("kind", "pandas.CategoricalDtype(['a', 'b'])", str),
    ("zone", "pandas.DatetimeTZDtype(tz='UTC')", str), ("week", "pandas.offsets.BusinessDay(3)", lambda v: v.n),
):  # fmt: skip
    value("pd_" + _name, _text, _use, by(), "pandas")
for _name, _text, _use, _home in (
    ("columns", "scipy.sparse.csc_matrix([[0, 1.5], [2.5, 0]])", lambda v: v.toarray().tolist(), "sparse"), ("places", "scipy.sparse.coo_matrix([[0, 1.5]])", lambda v: v.toarray().tolist(), "sparse"),
    ("lists", "scipy.sparse.lil_matrix([[0, 1.5]])", lambda v: v.toarray().tolist(), "sparse"), ("keys", "scipy.sparse.dok_matrix([[0, 1.5]])", lambda v: v.toarray().tolist(), "sparse"),
    ("diagonal", "scipy.sparse.eye(2)", lambda v: v.toarray().tolist(), "sparse"), ("blocks", "scipy.sparse.bsr_matrix([[1.0, 0], [0, 2]])", lambda v: v.toarray().tolist(), "sparse"),
    ("spline", "scipy.interpolate.UnivariateSpline(%r, %r, s=0)" % (X5, Y5), lambda v: float(v(1.5)), "interpolate"), ("akima", "scipy.interpolate.Akima1DInterpolator(%r, %r)" % (X5, Y5), lambda v: float(v(1.5)), "interpolate"),
    ("barycentric", "scipy.interpolate.BarycentricInterpolator(%r, %r)" % (X5, Y5), lambda v: float(v(1.5)), "interpolate"), ("bspline", "scipy.interpolate.make_interp_spline(%r, %r)" % (X5, Y5), lambda v: float(v(1.5)), "interpolate"),
    ("line", "scipy.interpolate.interp1d(%r, %r, kind='cubic')" % (X5, Y5), lambda v: float(v(1.5)), "interpolate"), ("near", "scipy.spatial.cKDTree(%r, leafsize=4)" % (table(9, 2),), lambda v: float(v.query([0.1, 0.1])[0]), "spatial"),
    ("hull", "scipy.spatial.KDTree(%r, leafsize=4)" % (table(9, 2),), lambda v: float(v.query([0.1, 0.1])[0]), "spatial"), ("gamma", "scipy.stats.gamma(2.0, scale=0.5)", lambda v: float(v.pdf(1.0)), "stats"),
    ("expon", "scipy.stats.expon(0, 2)", lambda v: float(v.mean()), "stats"), ("binomial", "scipy.stats.binom(5, 0.4)", lambda v: float(v.cdf(2)), "stats"), ("student", "scipy.stats.t", lambda v: float(v.cdf(0.5, 3)), "stats"),
    ("density", "scipy.stats.gaussian_kde([0.0, 0.5, 2.0])", lambda v: float(v(1.0)), "stats"), ("test", "scipy.stats.ttest_ind([1, 2, 3], [2, 3, 5])", lambda v: float(v.pvalue), "stats"),
    ("bayes", "scipy.stats.multivariate_normal([0, 0])", lambda v: float(v.pdf([0, 0.5])), "stats"), ("turn", "scipy.spatial.transform.Rotation.from_euler('x', 0.3)", lambda v: v.as_quat().tolist(), "spatial.transform"),
):  # fmt: skip
    value("sp_" + _name, _text, _use, by(), "scipy numpy scipy." + _home)

# ---- the standard library, the project, functions ----

for _name, _text, _use, _home in (
    ("complex", "complex(1, -2)", abs, "operator"), ("sets", "{'a': {1, 2}, 'b': frozenset('xy')}", len, "operator"), ("range", "range(2, 9, 3)", list, "operator"), ("slice", "slice(1, 5, 2)", lambda v: v.stop, "operator"),
    ("bytes", "bytearray(b'ab')", len, "operator"), ("time", "datetime.time(1, 2, 3, 4, fold=1)", lambda v: v.isoformat(), "datetime"), ("zone", "datetime.timezone(datetime.timedelta(hours=2), 'X')", str, "datetime"),
    ("chain", "collections.ChainMap({'a': 1}, {'b': 2})", lambda v: v["b"], "collections"), ("user", "collections.UserDict(a=1)", lambda v: v["a"], "collections"), ("words", "collections.UserList([1, 2])", list, "collections"),
    ("file", "pathlib.PosixPath('/a/b')", str, "pathlib"), ("net", "ipaddress.ip_network('10.0.0.0/8')", str, "ipaddress"), ("pattern", "re.compile(r'(a|b)+')", lambda v: v.pattern, "re"),
    ("caller", "operator.methodcaller('upper')", lambda v: v("a"), "operator"), ("getter", "operator.attrgetter('real')", lambda v: v(3), "operator"), ("half", "functools.partial(int, base=2)", lambda v: v("101"), "functools"),
    ("error", "KeyError('missing')", lambda v: v.args[0], "operator"), ("system", "OSError(2, 'gone', 'x.txt')", lambda v: v.filename, "operator"),
    ("decode", "UnicodeDecodeError('utf-8', b'a', 0, 1, 'bad')", lambda v: v.reason, "operator"), ("args", "argparse.Namespace(a=1)", lambda v: v.a, "argparse"),
    ("settings", "configparser.ConfigParser({'a': '1'})", lambda v: v.defaults()["a"], "configparser"), ("mail", "email.message.EmailMessage()", lambda v: v.keys(), "email.message"), ("cookie", "http.cookies.SimpleCookie('a=1')", lambda v: v["a"].value, "http.cookies"),
    ("encoder", "json.JSONEncoder(indent=1)", lambda v: v.encode([1]), "json"), ("layout", "logging.Formatter('%(message)s')", lambda v: v.usesTime(), "logging"),
    ("event", "logging.makeLogRecord({'msg': 'x'})", lambda v: v.getMessage(), "logging"), ("calendar", "calendar.TextCalendar(6)", lambda v: v.formatweekheader(2), "calendar"), ("matcher", "difflib.SequenceMatcher(None, 'ab', 'ac')", lambda v: v.ratio(), "difflib"),
    ("wrap", "textwrap.TextWrapper(width=9)", lambda v: v.fill("a b c d e f g"), "textwrap"), ("format", "string.Formatter()", lambda v: v.format("{0}", 1), "string"), ("url", "urllib.parse.urlparse('http://a/b?c')", lambda v: v.query, "urllib.parse"),
    ("tree", "xml.etree.ElementTree.fromstring('<a><b/></a>')", lambda v: v[0].tag, "xml.etree.ElementTree"), ("archive", "tarfile.TarInfo('a')", lambda v: v.name, "tarfile"), ("parts", "ast.parse('a + 1')", lambda v: len(v.body), "ast"),
    ("signature", "inspect.Parameter('a', inspect.Parameter.POSITIONAL_ONLY)", lambda v: str(v), "inspect"), ("code", "signal.Signals.SIGTERM", int, "signal"), ("family", "socket.AF_INET", int, "socket"),
    ("many", "typing.Dict[str, int]", lambda v: len(v.__args__), "typing"), ("variable", "typing.List[int]", str, "typing"), ("ordered", "graphlib.TopologicalSorter({1: [2]})", lambda v: list(v.static_order()), "graphlib"),
    ("bell", "statistics.NormalDist(1, 2)", lambda v: v.cdf(1), "statistics"), ("warned", "UserWarning('x')", str, "operator"), ("timer", "sched.Event(1, 2, 3, 4, (), {})", lambda v: v.priority, "sched"),
):  # fmt: skip
    value("std_" + _name, _text, _use, by(), _home)


def _of(home: str, name: str) -> Any:
    return getattr(importlib.import_module(home), name)


for _home, _name, _make, _use in (
    ("shop", "tiers", lambda: [_of("shop", "Tier").BASIC, 3], lambda v: v[0].value), ("shop", "rights", lambda: {"r": _of("shop", "Access").WRITE}, lambda v: int(v["r"])),
    ("shop", "basket", lambda: [_of("shop", "Basket")(*range(len(_of("shop", "Basket")._fields)))], lambda v: v[0].total), ("shop", "rule", lambda: _of("shop", "Rule")(1.5, 0.2), lambda v: v.run(2.0)),
    ("shop", "settings", lambda: [_of("shop", "Settings")("n", 0.1)], lambda v: v[0].threshold), ("shop", "cleaner", lambda: {"f": _of("shop", "clean")}, lambda v: v["f"](3)),
    ("fleet", "leg", lambda: [_of("fleet", "Leg")("y", 2.0)], lambda v: v[0].km), ("fleet", "fuel", lambda: {"f": _of("fleet", "Fuel")("d")}, lambda v: v["f"].name),
    ("fleet", "registry", lambda: [_of("fleet", "Registry")(k=2)], lambda v: dict(v[0])),
):  # fmt: skip
    add("project_" + _name, _make, _use, (_home,), by("joblib", "cloudpickle"))
for _name, _text, _use in (
    ("clip", "LOW, HIGH = 0, 10\ndef made(x):\n    return max(LOW, min(HIGH, x))\n", None), ("steps", "def made(x):\n    out = []\n    while x > 0:\n        out.append(x)\n        x -= 1\n    return out\n", None),
    ("parse", "import json\ndef made(x):\n    return json.loads('{\"a\": %d}' % x)['a']\n", None), ("formatted", "def made(x):\n    return f'{x:.2f} of {x!r}'\n", None),
    ("array", "import numpy as np\ndef made(x):\n    return float(np.dot([x, 1], [2, 3]))\n", None), ("lambda", "made = lambda x: (x - 1.0) / 2.0\n", None), ("default", "made = lambda x, scale={'a': 3}: x * scale['a']\n", None),
    ("comprehended", "def made(x):\n    return {k: v * x for k, v in [('a', 1), ('b', 2)]}\n", None), ("counter", "def outer():\n    n = 0\n    def inner(x):\n        nonlocal n\n        n += x\n        return n\n    return inner\nmade = outer()\n", None),
    ("handled", "def made(x):\n    try:\n        return [1, 2][int(x) + 5]\n    except IndexError as error:\n        return str(error)\n    finally:\n        x = 0\n", None),
    ("scaler", "class Scaler:\n    def __init__(self, mean):\n        self.mean = mean\n    def transform(self, x):\n        return x - self.mean\nmade = Scaler(1.5)\n", lambda v: v.transform(3.0)),
    ("estimator", "from sklearn.base import BaseEstimator, TransformerMixin\nclass Drop(BaseEstimator, TransformerMixin):\n    def __init__(self, keep=2):\n        self.keep = keep\n    def fit(self, x, y=None):\n        return self\n    def transform(self, x):\n        return x[:, :self.keep]\nmade = Drop()\n", lambda v: v.transform(xy()[0][:2])),
    ("pair", "import collections\nPair = collections.namedtuple('Pair', 'left right')\nmade = Pair(1, 2)\n", lambda v: v.left + v.right),
    ("kwargs", "def made(x, *rest, sign=-1, **more):\n    return sign * x + len(rest) + len(more)\n", None), ("with", "import contextlib\n@contextlib.contextmanager\ndef held(x):\n    yield x\ndef made(x):\n    with held(x) as y:\n        return y + 1\n", None),
):  # fmt: skip
    code(
        "x_" + _name,
        _text,
        _use or (lambda f: f(2.0)),
        "cloudpickle sklearn" if "sklearn" in _text else "cloudpickle",
    )

__all__ = ["RECIPES"]
