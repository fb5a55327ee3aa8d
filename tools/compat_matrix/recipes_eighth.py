"""Recipes after the seventh: configurations and objects that none before has, of the same kinds.

``eighth-`` was loaded before anything was mended with it, ``ninth-`` on the code mended with that.
"""

from typing import Any

from recipes import X5, Y5, frame, table, xy
from recipes_fourth import ask, start
from recipes_sixth import FEW, PIPE, _boost, _columns, _of, by, cells, four, tell
from recipes_wider import S, add, code, model, named, value

SLOPE = (S + "linear_model.LogisticRegression", {"C": 3.0, "max_iter": 200})
LINE = (S + "linear_model.Ridge", {"alpha": 2.5})
STUMP = (S + "tree.DecisionTreeClassifier", {"max_depth": 1, "random_state": 8})
TWIG = (S + "tree.DecisionTreeRegressor", {"max_leaf_nodes": 5, "random_state": 8})


def models(rows: Any) -> None:
    """(class, target, options, use) of estimators that are fitted."""
    for number, (path, kind, options, use) in enumerate(rows):
        given = dict(options)
        parts: Any = [given.pop("base")] if "base" in given else []
        short = "%s_%d" % (path.rpartition(".")[2], number)
        model(S + path, *parts, kind=kind, use=use, by=by(), name=short, **given)


def pipes(rows: Any) -> None:
    for name, steps, kind in rows:
        asks: Any = (lambda v: v.predict(["red or", "blue red"])) if kind == "text" else None
        model(PIPE, steps, kind=kind, name="pipe_" + name, by=by("joblib"), use=asks)


def values(prefix: str, rows: Any, needs: str, *more: str) -> None:
    """(name, expression, use) of objects."""
    for name, text, use in rows:
        value(prefix + name, text, use, by(*more), needs)


def boosts(rows: Any) -> None:
    for module, kind, name, target, options in rows:
        use = lambda v, t=target: ask(v, t)  # noqa: E731
        add(name, _boost(module, kind, target, options), use, (module, "sklearn"), by("joblib"))


def shops(rows: Any) -> None:
    for home, name, make, use in rows:
        add("project_" + name, make, use, (home,), by("joblib", "cloudpickle"))


def codes(rows: Any) -> None:
    for name, text, use in rows:
        code("x_" + name, text, use or (lambda f: f(2.0)), "cloudpickle")


dense = lambda v: v.toarray().tolist()  # noqa: E731
listed = lambda v: v.tolist()  # noqa: E731
at = lambda v: float(v(1.5))  # noqa: E731
shares = lambda v: v.predict_proba(frame().fillna(0).iloc[:4])  # noqa: E731

start("eighth-")
models((
    ("ensemble.RandomForestClassifier", "class", {**FEW, "max_leaf_nodes": 5, "bootstrap": False}, None),
    ("ensemble.RandomForestRegressor", "number", {**FEW, "oob_score": True, "max_features": "sqrt"}, None),
    ("ensemble.ExtraTreesClassifier", "three", {**FEW, "class_weight": "balanced", "bootstrap": True}, None),
    ("ensemble.ExtraTreesRegressor", "number", {**FEW, "min_samples_leaf": 4}, None),
    ("ensemble.GradientBoostingClassifier", "three", {**FEW, "subsample": 0.8, "max_depth": 2}, None),
    ("ensemble.GradientBoostingClassifier", "class", {**FEW, "init": "zero"}, None),
    ("ensemble.GradientBoostingRegressor", "number", {**FEW, "init": LINE, "criterion": "friedman_mse"}, None),
    ("ensemble.AdaBoostClassifier", "class", {"base": STUMP, **FEW}, None), ("ensemble.AdaBoostRegressor", "number", {"base": TWIG, **FEW, "loss": "exponential"}, None),
    ("ensemble.BaggingClassifier", "class", {"base": STUMP, **FEW, "max_samples": 0.6}, None), ("ensemble.IsolationForest", "only", {**FEW, "max_features": 0.5, "bootstrap": True}, None),
    ("tree.DecisionTreeClassifier", "three", {"random_state": 8, "criterion": "entropy", "min_samples_split": 6}, None), ("tree.DecisionTreeRegressor", "two", {"random_state": 8, "max_depth": 3}, None),
    ("linear_model.LogisticRegression", "class", {"penalty": "elasticnet", "solver": "saga", "l1_ratio": 0.4, "max_iter": 60, "random_state": 8}, None), ("linear_model.LogisticRegression", "three", {"solver": "newton-cg", "fit_intercept": False}, None),
    ("linear_model.LogisticRegression", "class", {"solver": "liblinear", "dual": True, "class_weight": {0: 1.0, 1: 3.0}, "random_state": 8}, None), ("linear_model.LogisticRegressionCV", "three", {"Cs": [0.1, 1.0], "cv": 2, "max_iter": 200}, None),
    ("linear_model.LinearRegression", "two", {"fit_intercept": False}, None), ("linear_model.Ridge", "two", {"alpha": [0.5, 1.5]}, None), ("linear_model.RidgeClassifier", "class", {"class_weight": "balanced"}, tell),
    ("linear_model.Lasso", "number", {"alpha": 0.05, "selection": "random", "random_state": 8}, None), ("linear_model.ElasticNet", "number", {"alpha": 0.05, "l1_ratio": 0.2}, None), ("linear_model.LassoLars", "number", {"alpha": 0.01}, None),
    ("linear_model.LarsCV", "number", {"cv": 2}, None), ("linear_model.OrthogonalMatchingPursuitCV", "number", {"cv": 2}, None), ("linear_model.TweedieRegressor", "positive", {"power": 1.5, "alpha": 0.2}, None),
    ("linear_model.QuantileRegressor", "number", {"quantile": 0.4, "alpha": 0.01, "solver": "highs"}, None), ("linear_model.HuberRegressor", "number", {"epsilon": 1.5}, None), ("linear_model.SGDClassifier", "three", {"loss": "log", "penalty": "elasticnet", "random_state": 8, "max_iter": 20, "tol": None}, tell),
    ("linear_model.SGDRegressor", "number", {"loss": "huber", "early_stopping": True, "random_state": 8}, None), ("linear_model.MultiTaskLassoCV", "two", {"cv": 2, "n_alphas": 3}, None), ("linear_model.SGDOneClassSVM", "only", {"nu": 0.3, "random_state": 8}, tell),
    ("svm.SVC", "class", {"kernel": "sigmoid", "gamma": 0.1, "coef0": 0.2}, tell), ("svm.SVC", "three", {"kernel": "linear", "decision_function_shape": "ovo", "break_ties": False}, tell), ("svm.SVR", "number", {"kernel": "poly", "degree": 2, "gamma": 0.1}, None),
    ("svm.LinearSVC", "three", {"dual": False, "penalty": "l1", "random_state": 8}, tell), ("svm.NuSVC", "class", {"nu": 0.3, "probability": True, "random_state": 8, "gamma": "auto"}, None), ("svm.LinearSVR", "number", {"loss": "squared_epsilon_insensitive", "dual": True, "max_iter": 4000, "random_state": 8}, None),
    ("naive_bayes.GaussianNB", "three", {"var_smoothing": 1e-6}, None), ("discriminant_analysis.LinearDiscriminantAnalysis", "class", {"solver": "lsqr", "shrinkage": "auto"}, None), ("discriminant_analysis.QuadraticDiscriminantAnalysis", "three", {"store_covariance": True}, None),
    ("neighbors.KNeighborsClassifier", "three", {"metric": "minkowski", "p": 3, "algorithm": "ball_tree"}, None), ("neighbors.KNeighborsRegressor", "two", {"weights": "distance", "algorithm": "brute"}, None), ("neighbors.NearestNeighbors", "only", {"metric": "cosine"}, lambda v: v.kneighbors(xy()[0][:2], 3)),
    ("neighbors.NearestCentroid", "class", {"shrink_threshold": 0.1}, None), ("neighbors.LocalOutlierFactor", "only", {"n_neighbors": 4, "novelty": True, "algorithm": "kd_tree"}, None), ("neighbors.NeighborhoodComponentsAnalysis", "three", {"n_components": 2, "max_iter": 5, "random_state": 8}, four),
    ("neural_network.MLPClassifier", "three", {"hidden_layer_sizes": (4, 3), "activation": "logistic", "solver": "sgd", "max_iter": 8, "random_state": 8}, None), ("neural_network.MLPRegressor", "two", {"hidden_layer_sizes": (5,), "activation": "tanh", "max_iter": 8, "random_state": 8}, None),
    ("gaussian_process.GaussianProcessRegressor", "two", {"alpha": 0.3, "optimizer": None}, None), ("gaussian_process.GaussianProcessClassifier", "three", {"optimizer": None, "multi_class": "one_vs_one"}, lambda v: v.predict(xy()[0][:4])), ("kernel_ridge.KernelRidge", "two", {"kernel": "laplacian"}, None),
    ("cross_decomposition.PLSCanonical", "two", {"n_components": 1}, four), ("cross_decomposition.PLSSVD", "two", {"n_components": 1}, four), ("semi_supervised.SelfTrainingClassifier", "class", {"base": SLOPE}, None),
    ("cluster.KMeans", "only", {"n_clusters": 3, "n_init": 1, "algorithm": "elkan", "random_state": 8}, None), ("cluster.BisectingKMeans", "only", {"n_clusters": 3, "random_state": 8}, None), ("cluster.SpectralClustering", "only", {"n_clusters": 2, "random_state": 8}, None), ("cluster.HDBSCAN", "only", {"min_cluster_size": 4}, lambda v: v.labels_),
    ("cluster.Birch", "only", {"threshold": 0.4, "n_clusters": None}, None), ("mixture.GaussianMixture", "only", {"n_components": 3, "covariance_type": "spherical", "random_state": 8}, None), ("mixture.BayesianGaussianMixture", "only", {"n_components": 2, "covariance_type": "diag", "random_state": 8}, None),
    ("decomposition.NMF", "onlypositive", {"n_components": 2, "init": "random", "solver": "mu", "random_state": 8, "max_iter": 50}, None), ("decomposition.MiniBatchDictionaryLearning", "only", {"n_components": 2, "random_state": 8, "n_iter": 5}, four), ("decomposition.MiniBatchSparsePCA", "only", {"n_components": 2, "random_state": 8}, four), ("decomposition.KernelPCA", "only", {"n_components": 2, "kernel": "cosine"}, None),
    ("decomposition.TruncatedSVD", "only", {"algorithm": "arpack", "n_components": 2, "random_state": 8}, None), ("decomposition.FastICA", "only", {"n_components": 2, "fun": "cube", "random_state": 8, "algorithm": "deflation"}, None), ("kernel_approximation.Nystroem", "only", {"n_components": 3, "random_state": 8}, None), ("kernel_approximation.PolynomialCountSketch", "only", {"n_components": 4, "random_state": 8}, None), ("kernel_approximation.AdditiveChi2Sampler", "onlypositive", {"sample_steps": 2}, None),
    ("covariance.MinCovDet", "only", {"random_state": 8}, lambda v: v.mahalanobis(xy()[0][:3])), ("covariance.GraphicalLasso", "only", {"alpha": 0.2}, lambda v: v.mahalanobis(xy()[0][:3])), ("covariance.ShrunkCovariance", "only", {"shrinkage": 0.3}, lambda v: v.mahalanobis(xy()[0][:3])),
    ("preprocessing.StandardScaler", "only", {"with_std": False}, None), ("preprocessing.QuantileTransformer", "only", {"n_quantiles": 9, "output_distribution": "normal", "random_state": 8}, None), ("preprocessing.PolynomialFeatures", "only", {"degree": 3, "include_bias": False}, None), ("preprocessing.SplineTransformer", "only", {"n_knots": 3, "degree": 2, "extrapolation": "linear"}, None), ("preprocessing.KernelCenterer", "unfitted", {}, lambda v: v.fit(xy()[0] @ xy()[0].T).transform(xy()[0][:2] @ xy()[0].T)),
    ("impute.SimpleImputer", "only", {"strategy": "constant", "fill_value": 7}, None), ("impute.KNNImputer", "only", {"weights": "distance", "add_indicator": True}, None), ("feature_selection.VarianceThreshold", "only", {"threshold": 0.01}, None), ("feature_selection.SelectPercentile", "class", {"percentile": 50}, four), ("feature_selection.SelectFwe", "class", {"alpha": 0.5}, four), ("feature_selection.SelectFromModel", "class", {"estimator": SLOPE, "threshold": "median"}, four),
    ("multiclass.OneVsRestClassifier", "three", {"estimator": STUMP}, None), ("multioutput.ClassifierChain", "unfitted", {"base": SLOPE, "order": [1, 0]}, lambda v: v.fit(xy()[0], [[i % 2, i % 3 > 0] for i in range(60)]).predict(xy()[0][:4])), ("multioutput.MultiOutputRegressor", "two", {"estimator": LINE}, None), ("calibration.CalibratedClassifierCV", "three", {"base": (S + "svm.LinearSVC", {"random_state": 8}), "cv": 2}, None), ("dummy.DummyRegressor", "number", {"strategy": "quantile", "quantile": 0.3}, None), ("dummy.DummyClassifier", "class", {"strategy": "stratified", "random_state": 8}, None), ("isotonic.IsotonicRegression", "unfitted", {"out_of_bounds": "clip"}, lambda v: v.fit([1.0, 2, 3], [3.0, 2, 2]).predict([2.5, 9.0])), ("random_projection.GaussianRandomProjection", "only", {"n_components": 3, "random_state": 8}, None),
    ("ensemble.HistGradientBoostingClassifier", "class", {"max_iter": 3, "min_samples_leaf": 4, "experimental": "enable_hist_gradient_boosting"}, None), ("ensemble.HistGradientBoostingRegressor", "positive", {"max_iter": 3, "loss": "poisson", "experimental": "enable_hist_gradient_boosting"}, None), ("compose.TransformedTargetRegressor", "number", {"base": LINE, "transformer": (S + "preprocessing.QuantileTransformer", {"n_quantiles": 5})}, None), ("model_selection.GridSearchCV", "class", {"base": STUMP, "param_grid": {"max_depth": [1, 2]}, "cv": 2, "refit": True}, None),
))  # fmt: skip
for _name, _last, _options in (
    ("boosted", (S + "ensemble.GradientBoostingClassifier", FEW), {"remainder": "passthrough"}), ("svm", (S + "svm.SVC", {"probability": True, "random_state": 8}), {}), ("tree", STUMP, {"sparse_threshold": 0.9}),
):  # fmt: skip
    add("columns_" + _name, _columns(_last, **_options), shares, ("sklearn", "pandas"), by("joblib"))  # fmt: skip
pipes((
    ("power_line", [("p", (S + "preprocessing.PowerTransformer", {})), ("m", LINE)], "number"), ("bins_slope", [("b", (S + "preprocessing.KBinsDiscretizer", {"n_bins": 3, "encode": "onehot-dense"})), ("m", SLOPE)], "class"), ("svd_words", [("v", (S + "feature_extraction.text.TfidfVectorizer", {"sublinear_tf": True})), ("d", (S + "decomposition.TruncatedSVD", {"n_components": 2, "random_state": 8})), ("m", SLOPE)], "text"),
    ("counted_words", [("v", (S + "feature_extraction.text.CountVectorizer", {"max_features": 4})), ("t", (S + "feature_extraction.text.TfidfTransformer", {})), ("m", (S + "svm.LinearSVC", {"random_state": 8}))], "text"), ("thin_forest", [("k", (S + "feature_selection.SelectKBest", {"k": 3})), ("m", (S + "ensemble.ExtraTreesClassifier", FEW))], "three"),
))  # fmt: skip
model(S + "ensemble.StackingRegressor", [("a", LINE), ("b", TWIG)], kind="number", final_estimator=LINE, cv=2, passthrough=True, name="stacked_line", by=by())  # fmt: skip
model(S + "ensemble.VotingRegressor", [("a", LINE), ("b", TWIG)], kind="number", weights=[1, 2], name="voted_line", by=by())  # fmt: skip
values("sk_", (
    ("halving", "sklearn.model_selection.StratifiedKFold(4, shuffle=True, random_state=8)", lambda v: v.get_n_splits()), ("grid", "sklearn.model_selection.ParameterGrid({'a': [1, 2]})", len), ("matern", "1.5 * sklearn.gaussian_process.kernels.Matern(0.7, nu=1.5)", lambda v: v([[0.0], [1.0]])),
    ("ordinal", "sklearn.preprocessing.OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1).fit([['a'], ['b']])", lambda v: v.transform([["b"], ["z"]])), ("hot", "sklearn.preprocessing.OneHotEncoder(handle_unknown='ignore').fit([['a', 'x'], ['b', 'y']])", lambda v: v.transform([["b", "q"]]).toarray()), ("dicts", "sklearn.feature_extraction.DictVectorizer(sparse=False).fit([{'a': 1, 'b': 'x'}])", lambda v: v.transform([{"a": 2}])),
    ("scored", "sklearn.metrics.make_scorer(sklearn.metrics.f1_score, average='macro')", lambda v: v is not None), ("bag", "sklearn.utils.Bunch(data=[1], names=['a'])", lambda v: v.names),
), "sklearn sklearn.preprocessing sklearn.model_selection sklearn.feature_extraction sklearn.gaussian_process.kernels sklearn.metrics sklearn.utils")  # fmt: skip
boosts((
    ("xgboost", "XGBClassifier", "xg_deep", "three", {"max_depth": 5, "min_child_weight": 0.5, "colsample_bytree": 0.7, "random_state": 8}), ("xgboost", "XGBRegressor", "xg_huber", "number", {"objective": "reg:pseudohubererror", "max_depth": 2}), ("xgboost", "XGBClassifier", "xg_dart", "plain", {"booster": "dart", "max_depth": 2, "rate_drop": 0.1}), ("xgboost", "XGBRegressor", "xg_tweedie", "positive", {"objective": "reg:tweedie", "max_depth": 2}), ("xgboost", "XGBRegressor", "xg_hist", "number", {"tree_method": "hist", "max_leaves": 5}), ("xgboost", "XGBClassifier", "xg_logit", "plain", {"objective": "binary:logitraw", "max_depth": 2}),
    ("lightgbm", "LGBMClassifier", "lg_bagged", "plain", {"min_child_samples": 3, "subsample": 0.7, "subsample_freq": 1, "random_state": 8}), ("lightgbm", "LGBMRegressor", "lg_poisson", "positive", {"objective": "poisson", "min_child_samples": 3}), ("lightgbm", "LGBMRegressor", "lg_mae", "number", {"objective": "mae", "min_child_samples": 3}), ("lightgbm", "LGBMClassifier", "lg_ova", "three", {"objective": "multiclassova", "min_child_samples": 3}), ("lightgbm", "LGBMRegressor", "lg_random", "number", {"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 1, "min_child_samples": 3, "random_state": 8}),
))  # fmt: skip
values("np_", (
    ("cube", "numpy.arange(24, dtype='int16').reshape(2, 3, 4)", listed), ("strided", "numpy.arange(20.0)[::3]", listed), ("point", "numpy.array(3.5)", float), ("long", "numpy.array([1.5, 2.5], 'longdouble')", lambda v: v.astype(float).tolist()), ("hours", "numpy.array(['2022-01-02T03', 'NaT'], 'M8[h]')", lambda v: [str(x) for x in v]), ("sub", "numpy.dtype(('f4', (2, 2)))", lambda v: v.shape), ("nested", "numpy.zeros(2, dtype=[('a', [('b', 'i4')]), ('c', 'f8', (2,))])", lambda v: v["c"].tolist()),
    ("masked", "numpy.ma.masked_array([[1, 2], [3, 4]], [[0, 1], [0, 0]], fill_value=9)", lambda v: v.filled().tolist()), ("mixed", "numpy.array([1, 'a', None, 2.5], dtype=object)", len), ("seed", "numpy.random.RandomState(numpy.random.MT19937(4))", lambda v: v.rand()), ("dxsm", "numpy.random.Generator(numpy.random.PCG64DXSM(4))", lambda v: v.random()), ("hermite", "numpy.polynomial.Hermite([1, 2, 3])", lambda v: float(v(0.5))), ("clip", "numpy.clip", lambda v: float(v(5, 0, 2))), ("hypot", "numpy.hypot", lambda v: float(v(3, 4))), ("flag", "numpy.bool_(True)", bool), ("wide", "numpy.uint64(2 ** 63)", int), ("slices", "numpy.s_[1:3, ::2]", len), ("chars", "numpy.char.array(['ab', 'c'])", lambda v: [str(x) for x in v]),
), "numpy numpy.random numpy.ma numpy.polynomial numpy.char")  # fmt: skip
values("pd_", (
    ("orders", "pandas.DataFrame({'id': [7, 8, 9], 'sum': [10.5, 20.25, 30.75], 'paid': [True, False, True], 'by': ['a', 'b', 'c']}).set_index('id')", cells), ("grouped", "pandas.DataFrame({'k': ['a', 'a', 'b'], 'v': [1.5, 2.5, 3.5]}).groupby('k').mean()", cells), ("joined", "pandas.merge(pandas.DataFrame({'a': [1, 2]}), pandas.DataFrame({'a': [1, 2], 'b': [3.5, 4.5]}))", cells), ("small", "pandas.DataFrame({'x': [1.5]}, dtype='float32')", cells), ("floats", "pandas.DataFrame({'x': pandas.array([1.5, None], dtype='Float64')})", cells), ("melted", "pandas.DataFrame({'a': [1], 'b': [2]}).melt()", cells), ("stacked", "pandas.DataFrame({'a': [1, 2], 'b': [3, 4]}).stack()", cells), ("dummies", "pandas.get_dummies(pandas.Series(['a', 'b', 'a']))", cells), ("cut", "pandas.cut(pandas.Series([1, 5, 9]), 2)", lambda v: [str(x) for x in v]), ("dated", "pandas.Series([1.5, 2.5], index=pandas.date_range('2022-01-31', periods=2, freq='W'))", cells), ("rolled", "pandas.Series([1.0, 2.0, 4.0]).rolling(2).mean()", cells), ("mixed", "pandas.Series([1, 'a', None])", cells), ("ranged", "pandas.RangeIndex(2, 9, 3)", lambda v: list(v)), ("coded", "pandas.CategoricalIndex(['x', None], ordered=True, categories=['x', 'y'])", lambda v: [str(x) for x in v]), ("lags", "pandas.TimedeltaIndex(['1h', '2h'])", lambda v: [str(x) for x in v]), ("years", "pandas.PeriodIndex(['2020', '2021'], freq='Y')", lambda v: [str(x) for x in v]), ("tz", "pandas.Series(pandas.to_datetime(['2022-01-01 05:00']).tz_localize('US/Eastern'))", lambda v: [str(x) for x in v]),
), "pandas", "topickle")  # fmt: skip
values("pd_", (
    ("quarter", "pandas.Period('2022Q3')", str), ("hour", "pandas.Timestamp('2022-07-08 09', tz='UTC')", str), ("easter", "pandas.offsets.Easter()", lambda v: v.n), ("minutes", "pandas.offsets.Minute(5)", lambda v: v.n), ("holiday", "pandas.offsets.CustomBusinessDay(holidays=['2022-01-03'])", lambda v: str(pandas_day(v))), ("span", "pandas.Interval(0.5, 1.5, closed='both')", str), ("words", "pandas.StringDtype()", str), ("thin", "pandas.SparseDtype('float64', 0.0)", str), ("ints", "pandas.Int8Dtype()", str),
), "pandas")  # fmt: skip


def pandas_day(shift: Any) -> Any:
    import pandas

    return pandas.Timestamp("2022-01-02") + shift


for _name, _text, _use, _home in (
    ("cols", "scipy.sparse.csc_matrix([[0, 2.5], [0, 0]])", dense, "sparse"), ("arr", "scipy.sparse.coo_array([[0, 1.5]])", dense, "sparse"), ("ident", "scipy.sparse.identity(3, format='csr')", dense, "sparse"), ("pchip", "scipy.interpolate.PchipInterpolator(%r, %r)" % (X5, Y5), at, "interpolate"), ("smooth", "scipy.interpolate.splrep(%r, %r)" % (X5, Y5), len, "interpolate"), ("cubic", "scipy.interpolate.CubicSpline(%r, %r, bc_type='natural')" % (X5, Y5), at, "interpolate"), ("line", "scipy.interpolate.interp1d(%r, %r, kind='nearest', fill_value='extrapolate')" % (X5, Y5), at, "interpolate"), ("grid", "scipy.interpolate.RegularGridInterpolator(([0.0, 1.0, 2.0],), [1.0, 3.0, 2.0])", lambda v: float(v([1.5])[0]), "interpolate"),
    ("hull", "scipy.spatial.ConvexHull(%r)" % (table(9, 2),), lambda v: float(v.volume), "spatial"), ("lognorm", "scipy.stats.lognorm(0.5)", lambda v: float(v.cdf(1.2)), "stats"), ("geom", "scipy.stats.geom(0.3)", lambda v: float(v.pmf(2)), "stats"), ("weibull", "scipy.stats.weibull_min", lambda v: float(v.cdf(0.5, 2)), "stats"), ("kde", "scipy.stats.gaussian_kde([[0.0, 0.5, 2.0], [1.0, 0.2, 0.3]])", lambda v: float(v([1.0, 0.4])[0]), "stats"), ("turn", "scipy.spatial.transform.Rotation.from_quat([0, 0, 1, 1])", lambda v: v.as_matrix().tolist(), "spatial.transform"), ("filter", "scipy.signal.butter(2, 0.3)", len, "signal"), ("space", "scipy.signal.lti([1.0], [1.0, 2.0])", lambda v: float(v.poles[0].real), "signal"), ("opt", "scipy.optimize.minimize(lambda x: (x[0] - 1) ** 2, [0.0])", lambda v: round(float(v.x[0]), 3), "optimize"), ("gamma", "scipy.special.gammaln", lambda v: float(v(3.0)), "special"), ("poly", "scipy.special.legendre(2)", lambda v: float(v(0.5)), "special"),
):  # fmt: skip
    value("sp_" + _name, _text, _use, by(), "scipy numpy scipy." + _home)
for _name, _text, _use, _home in (
    ("deep", "{'k': [{'x': (1, 2, [3])}], 'n': None}", len, "operator"), ("big", "[2 ** 70, -(2 ** 33), 1e300, float('inf')]", len, "operator"), ("marks", "['\\u00e9\\u4e2d', '\\U0001f600', 'a\\nb']", lambda v: [len(x) for x in v], "operator"), ("none", "[None, Ellipsis, NotImplemented]", len, "operator"), ("twice", "(lambda a: [a, a])([1])", lambda v: v[0] is v[1], "operator"), ("frozen", "frozenset([1, 'a', (2, 3)])", len, "operator"), ("span", "datetime.timedelta(days=1, microseconds=5)", str, "datetime"), ("clock", "datetime.time(23, 59, tzinfo=datetime.timezone.utc)", str, "datetime"),
    ("context", "decimal.Context(prec=7, rounding=decimal.ROUND_UP)", lambda v: v.prec, "decimal"), ("posix", "pathlib.Path('a/b.txt')", str, "pathlib"), ("net", "ipaddress.ip_interface('10.0.0.1/24')", str, "ipaddress"), ("ids", "uuid.UUID(int=5)", str, "uuid"), ("pattern", "re.compile(b'a.c', re.S)", lambda v: v.flags, "re"), ("system", "random.Random()", lambda v: v.random() < 1, "random"), ("partial", "functools.partial(sorted, key=len, reverse=True)", lambda v: v(["a", "bb"]), "functools"), ("compare", "operator.attrgetter('a.b', 'c')", lambda v: v is not None, "operator"), ("warn", "DeprecationWarning('old')", str, "operator"), ("exit", "SystemExit(3)", lambda v: v.code, "operator"), ("stop", "StopIteration(4)", lambda v: v.value, "operator"), ("import", "ModuleNotFoundError('x', name='x')", lambda v: v.name, "operator"), ("group", "ExceptionGroup('g', [ValueError(1)])", lambda v: len(v.exceptions), "operator"),
    ("generic", "typing.Union[int, str]", str, "typing"), ("literal", "typing.Literal['a']", str, "typing"), ("call", "typing.Callable[[int], str]", str, "typing"), ("dicts", "dict[str, list[int]]", str, "operator"), ("params", "inspect.Signature([inspect.Parameter('q', inspect.Parameter.KEYWORD_ONLY, default=3)])", str, "inspect"), ("fields", "dataclasses.make_dataclass('D', ['a'])", lambda v: True, "dataclasses"), ("method", "http.HTTPMethod.GET", str, "http"), ("ssl", "ssl.TLSVersion.TLSv1_2", int, "ssl"), ("day", "calendar.HTMLCalendar(3)", lambda v: v.firstweekday, "calendar"), ("locale", "calendar.LocaleTextCalendar()", lambda v: True, "calendar"), ("counter", "itertools.count(3)", lambda v: next(v), "itertools"), ("cycle", "itertools.product('ab', repeat=2)", lambda v: len(list(v)), "itertools"), ("chain", "itertools.chain([1], [2])", list, "itertools"), ("zipped", "zip([1, 2], 'ab')", list, "operator"), ("mapped", "map(abs, [-1, 2])", list, "operator"), ("iterated", "iter([1, 2, 3])", list, "operator"), ("keys", "iter({'a': 1})", list, "operator"), ("reversed", "reversed([1, 2])", list, "operator"), ("enumerated", "enumerate('ab')", list, "operator"), ("deq", "collections.deque([1, 2], maxlen=2)", lambda v: v.maxlen, "collections"), ("named", "time.struct_time(range(9))", lambda v: v.tm_year, "time"), ("stat", "os.stat_result(range(10))", lambda v: v.st_mode, "os"), ("email", "email.message_from_string('A: b\\n\\nc')", lambda v: v["a"], "email"), ("parts", "urllib.parse.urlsplit('http://a:80/b')", lambda v: v.port, "urllib.parse"), ("error", "json.JSONDecodeError('bad', 'x', 0)", lambda v: v.pos, "json"), ("dec", "json.JSONDecoder()", lambda v: v.decode("[1]"), "json"), ("level", "logging.LogRecord('n', 20, 'p', 1, 'm %s', ('a',), None)", lambda v: v.getMessage(), "logging"), ("filter", "logging.Filter('a')", lambda v: v.name, "logging"), ("ver", "sys.version_info[:1]", len, "sys"), ("lock", "threading.local", str, "threading"), ("xml", "xml.etree.ElementTree.Element('a', {'k': 'v'})", lambda v: v.get("k"), "xml.etree.ElementTree"), ("shelf", "string.Template('${a}')", lambda v: v.substitute(a=2), "string"),
):  # fmt: skip
    value("std_" + _name, _text, _use, by(), _home)
shops((
    ("shop", "gold", lambda: {_of("shop", "Tier").GOLD: 1}, lambda v: [k.name for k in v]), ("shop", "both", lambda: _of("shop", "Access").READ | _of("shop", "Access").WRITE, int), ("shop", "ruled", lambda: {"r": _of("shop", "Rule")(0.5, 2.0)}, lambda v: v["r"].run(1.0)), ("fleet", "stop", lambda: _of("fleet", "Stop")("a", 3), lambda v: v.km), ("fleet", "money", lambda: [_of("fleet", "Money")(4)], lambda v: v[0].amount), ("fleet", "counter", lambda: _of("fleet", "Counter")(), lambda v: v.seen), ("fleet", "depot", lambda: _of("fleet", "Depot")(), lambda v: v.gates[0].number), ("fleet", "point", lambda: _of("fleet", "Point")(1.5), lambda v: v.x),
))  # fmt: skip
add("project_clipped", lambda: named(PIPE)([("c", _of("fleet", "Clip")()), ("m", named(SLOPE[0])(**SLOPE[1]))]).fit(*xy()), lambda v: v.predict(xy()[0][:5]), ("sklearn", "fleet"), by("joblib"))  # fmt: skip
codes((
    ("match", "def made(x):\n    a, *b = [x, 1, 2]\n    return a + sum(b)\n", None), ("walrus", "made = lambda x: [y for y in (x, x + 1) if y > 2]\n", None), ("nested", "def made(x):\n    def half(v):\n        return v / 2\n    return half(half(x))\n", None), ("raises", "def made(x):\n    if x < 0:\n        raise ValueError(x)\n    return -x\n", None), ("static", "class Tool:\n    rate = 3\n    @staticmethod\n    def twice(x):\n        return x * 2\n    @property\n    def fast(self):\n        return self.rate\n    def run(self, x):\n        return self.twice(x) + self.fast\nmade = Tool()\n", lambda v: v.run(1.0)), ("sub", "class A:\n    def f(self, x):\n        return x\nclass B(A):\n    def f(self, x):\n        return super().f(x) + 1\nmade = B()\n", lambda v: v.f(1.0)), ("gen", "def made(x):\n    return sum(v for v in range(int(x) * 3) if v % 2)\n", None), ("global", "N = 5\ndef made(x):\n    global N\n    N += 1\n    return N * x\n", None), ("regex", "import re\ndef made(x):\n    return re.sub('[0-9]', 'n', str(x))\n", None), ("dated", "import datetime as dt\ndef made(x):\n    return dt.date(2020, 1, int(x)).isoformat()\n", None), ("assert", "def made(x):\n    assert x, 'none'\n    return not x\n", None), ("call", "class C:\n    def __init__(self, k):\n        self.k = k\n    def __call__(self, x):\n        return self.k ** x\nmade = C(3)\n", None), ("annotated", "def made(x: float, n: int = 2) -> float:\n    return x ** n\n", None), ("doc", "def made(x):\n    'Says what it does.'\n    return x if x else None\n", None), ("unpack", "def made(x):\n    d = {**{'a': x}, 'b': 1}\n    return [*d.values()]\n", None), ("async", "async def later(x):\n    return x\ndef made(x):\n    c = later(x)\n    try:\n        c.send(None)\n    except StopIteration as e:\n        return e.value\n", None),
))  # fmt: skip

start("ninth-")
FLAT = (S + "linear_model.LogisticRegression", {"C": 0.4})
NEAR = (S + "neighbors.KNeighborsClassifier", {"n_neighbors": 4})
POLE = (S + "svm.SVC", {"gamma": 0.2, "probability": True, "random_state": 9})
SOME: Any = {"n_estimators": 5, "random_state": 9}
models((
    ("ensemble.RandomForestClassifier", "three", {**SOME, "min_samples_leaf": 3, "class_weight": "balanced_subsample"}, None), ("ensemble.RandomForestRegressor", "number", {**SOME, "criterion": "absolute_error"}, None), ("ensemble.RandomForestRegressor", "positive", {**SOME, "max_depth": 4, "max_samples": 0.5}, None), ("ensemble.ExtraTreesClassifier", "class", {**SOME, "max_features": 2}, None), ("ensemble.ExtraTreesRegressor", "two", {**SOME, "bootstrap": True}, None),
    ("ensemble.GradientBoostingClassifier", "class", {**SOME, "max_leaf_nodes": 4, "n_iter_no_change": 2}, None), ("ensemble.GradientBoostingRegressor", "number", {**SOME, "max_features": 2, "subsample": 0.6}, None), ("ensemble.AdaBoostClassifier", "three", {**SOME, "base": FLAT}, None), ("ensemble.BaggingRegressor", "number", {**SOME, "base": LINE}, None), ("ensemble.BaggingClassifier", "three", {**SOME, "base": NEAR, "bootstrap": False, "max_features": 0.7}, None),
    ("ensemble.IsolationForest", "only", {**SOME, "max_samples": 20}, None), ("ensemble.RandomTreesEmbedding", "only", {**SOME, "max_depth": 2}, lambda v: v.transform(xy()[0][:3]).toarray()), ("tree.DecisionTreeClassifier", "class", {"splitter": "random", "random_state": 9}, None), ("tree.ExtraTreeRegressor", "two", {"random_state": 9, "max_depth": 4}, None), ("tree.DecisionTreeRegressor", "number", {"criterion": "friedman_mse", "random_state": 9, "max_depth": 5}, None),
    ("linear_model.LogisticRegression", "three", {"solver": "sag", "random_state": 9, "max_iter": 60}, None), ("linear_model.LogisticRegression", "class", {"solver": "newton-cg", "C": 0.05}, None), ("linear_model.LogisticRegressionCV", "class", {"Cs": 2, "cv": 2, "penalty": "l2", "scoring": "accuracy"}, None), ("linear_model.RidgeClassifier", "three", {"solver": "svd"}, tell), ("linear_model.RidgeClassifierCV", "three", {"alphas": [0.1, 1.0, 10.0]}, tell), ("linear_model.RidgeCV", "two", {"alphas": [0.1, 5.0]}, None), ("linear_model.Ridge", "number", {"positive": True, "solver": "lbfgs"}, None), ("linear_model.LinearRegression", "number", {"positive": True}, None),
    ("linear_model.Lasso", "two", {"alpha": 0.02}, None), ("linear_model.ElasticNetCV", "number", {"cv": 2, "l1_ratio": [0.3, 0.8], "n_alphas": 3}, None), ("linear_model.Lars", "two", {}, None), ("linear_model.LassoLarsIC", "number", {"criterion": "bic"}, None), ("linear_model.BayesianRidge", "number", {"compute_score": True}, None), ("linear_model.GammaRegressor", "positive", {"solver": "newton-cholesky"}, None), ("linear_model.PoissonRegressor", "positive", {"alpha": 0.0}, None), ("linear_model.SGDClassifier", "class", {"loss": "hinge", "average": 5, "random_state": 9, "max_iter": 15, "tol": None}, tell), ("linear_model.PassiveAggressiveRegressor", "number", {"random_state": 9, "max_iter": 15, "tol": None}, None), ("linear_model.Perceptron", "three", {"penalty": "l2", "random_state": 9}, tell), ("linear_model.TheilSenRegressor", "number", {"random_state": 9, "n_subsamples": 10, "max_subpopulation": 50}, None),
    ("svm.SVC", "three", {"gamma": "scale", "class_weight": "balanced", "random_state": 9, "probability": True}, None), ("svm.NuSVR", "number", {"nu": 0.4, "kernel": "linear"}, None), ("svm.OneClassSVM", "only", {"gamma": "scale", "nu": 0.3}, tell), ("svm.LinearSVC", "class", {"C": 0.3, "fit_intercept": False, "random_state": 9}, tell), ("naive_bayes.BernoulliNB", "class", {"alpha": 0.5, "binarize": 0.1}, None), ("naive_bayes.MultinomialNB", "onlypositive_y", {}, None), ("naive_bayes.CategoricalNB", "labels_y", {}, None),
    ("discriminant_analysis.LinearDiscriminantAnalysis", "three", {"solver": "eigen", "priors": [0.2, 0.3, 0.5]}, None), ("discriminant_analysis.QuadraticDiscriminantAnalysis", "class", {}, None), ("neighbors.KNeighborsClassifier", "class", {"metric": "manhattan", "leaf_size": 10, "algorithm": "kd_tree"}, None), ("neighbors.KNeighborsRegressor", "number", {"algorithm": "ball_tree", "p": 1}, None), ("neighbors.RadiusNeighborsRegressor", "number", {"radius": 30.0, "weights": "distance"}, None), ("neighbors.KernelDensity", "only", {"kernel": "tophat", "bandwidth": 1.5}, lambda v: v.score_samples(xy()[0][:3])), ("neighbors.LocalOutlierFactor", "only", {"novelty": True, "metric": "manhattan", "n_neighbors": 5}, tell), ("neighbors.NearestNeighbors", "only", {"radius": 2.0, "algorithm": "ball_tree"}, lambda v: v.kneighbors(xy()[0][:2], 2)),
    ("neural_network.MLPClassifier", "class", {"hidden_layer_sizes": (6, 4), "alpha": 0.01, "max_iter": 6, "random_state": 9, "learning_rate": "adaptive", "solver": "sgd"}, None), ("neural_network.MLPRegressor", "number", {"hidden_layer_sizes": (4,), "solver": "lbfgs", "max_iter": 20, "random_state": 9}, None), ("gaussian_process.GaussianProcessRegressor", "number", {"random_state": 9, "alpha": 1e-2, "n_restarts_optimizer": 0}, None), ("gaussian_process.GaussianProcessClassifier", "class", {"random_state": 9, "optimizer": None, "warm_start": True}, None), ("kernel_ridge.KernelRidge", "number", {"kernel": "polynomial", "degree": 2}, None), ("cross_decomposition.PLSRegression", "number", {"n_components": 2, "scale": False}, None), ("cross_decomposition.CCA", "two", {"n_components": 2}, four), ("semi_supervised.LabelPropagation", "class", {"kernel": "knn", "n_neighbors": 3}, None),
    ("cluster.KMeans", "only", {"n_clusters": 4, "n_init": 1, "max_iter": 5, "random_state": 9}, None), ("cluster.MiniBatchKMeans", "only", {"n_clusters": 2, "n_init": 1, "batch_size": 20, "random_state": 9}, four), ("cluster.Birch", "only", {"branching_factor": 5, "n_clusters": 3}, None), ("cluster.MeanShift", "only", {"bin_seeding": True, "bandwidth": 1.5}, None), ("cluster.DBSCAN", "only", {"metric": "manhattan", "eps": 1.2}, None), ("cluster.FeatureAgglomeration", "only", {"n_clusters": 3, "linkage": "complete"}, four), ("mixture.GaussianMixture", "only", {"n_components": 2, "covariance_type": "full", "random_state": 9, "init_params": "random"}, None), ("mixture.BayesianGaussianMixture", "only", {"n_components": 3, "weight_concentration_prior_type": "dirichlet_distribution", "random_state": 9}, None),
    ("decomposition.PCA", "only", {"n_components": 3, "svd_solver": "full", "whiten": True}, None), ("decomposition.IncrementalPCA", "only", {"n_components": 2, "batch_size": 15}, None), ("decomposition.NMF", "onlypositive", {"n_components": 2, "init": "nndsvda", "random_state": 9, "max_iter": 60}, None), ("decomposition.FastICA", "only", {"n_components": 3, "random_state": 9, "whiten": "unit-variance"}, None), ("decomposition.FactorAnalysis", "only", {"n_components": 2, "svd_method": "lapack"}, None), ("decomposition.KernelPCA", "only", {"n_components": 2, "kernel": "rbf", "fit_inverse_transform": True}, None), ("decomposition.DictionaryLearning", "only", {"n_components": 2, "random_state": 9, "max_iter": 5, "transform_algorithm": "threshold"}, four), ("decomposition.LatentDirichletAllocation", "onlypositive", {"n_components": 2, "learning_method": "online", "random_state": 9, "max_iter": 3}, None), ("kernel_approximation.RBFSampler", "only", {"gamma": 0.3, "n_components": 5, "random_state": 9}, None), ("kernel_approximation.Nystroem", "only", {"kernel": "polynomial", "degree": 2, "n_components": 3, "random_state": 9}, None), ("random_projection.SparseRandomProjection", "only", {"n_components": 2, "density": 0.5, "random_state": 9}, four), ("manifold.Isomap", "only", {"n_components": 2, "n_neighbors": 6}, four),
    ("covariance.EmpiricalCovariance", "only", {"assume_centered": True}, lambda v: v.mahalanobis(xy()[0][:3])), ("covariance.OAS", "only", {}, lambda v: v.mahalanobis(xy()[0][:3])), ("covariance.EllipticEnvelope", "only", {"contamination": 0.2, "random_state": 9}, None), ("preprocessing.MinMaxScaler", "only", {"clip": True}, None), ("preprocessing.RobustScaler", "only", {"quantile_range": (5, 95)}, None), ("preprocessing.PowerTransformer", "onlypositive1", {"method": "box-cox"}, None), ("preprocessing.KBinsDiscretizer", "only", {"n_bins": 3, "encode": "ordinal", "strategy": "quantile"}, None), ("preprocessing.PolynomialFeatures", "only", {"degree": 2, "interaction_only": True}, None), ("preprocessing.MaxAbsScaler", "only", {"copy": False}, None), ("preprocessing.Normalizer", "only", {"norm": "max"}, None), ("preprocessing.QuantileTransformer", "only", {"n_quantiles": 4, "subsample": 50, "random_state": 9}, None), ("impute.SimpleImputer", "only", {"strategy": "mean", "add_indicator": True}, None), ("impute.KNNImputer", "only", {"n_neighbors": 2}, None),
    ("feature_selection.SelectKBest", "class", {"k": 1}, four), ("feature_selection.RFE", "number", {"estimator": LINE, "n_features_to_select": 2}, four), ("feature_selection.SelectFromModel", "class", {"estimator": (S + "ensemble.RandomForestClassifier", SOME), "max_features": 2}, four), ("feature_selection.VarianceThreshold", "only", {}, four), ("feature_selection.RFECV", "class", {"estimator": STUMP, "cv": 2}, four), ("multiclass.OneVsOneClassifier", "three", {"estimator": (S + "svm.LinearSVC", {"random_state": 9})}, None), ("multiclass.OutputCodeClassifier", "three", {"estimator": FLAT, "random_state": 9}, None), ("multioutput.RegressorChain", "two", {"base": LINE, "order": [1, 0]}, None), ("calibration.CalibratedClassifierCV", "class", {"base": POLE, "cv": 2, "method": "isotonic"}, None), ("calibration.CalibratedClassifierCV", "class", {"base": (S + "naive_bayes.GaussianNB", {}), "cv": 3, "ensemble": False}, None), ("dummy.DummyClassifier", "class", {"strategy": "constant", "constant": 1}, None), ("dummy.DummyRegressor", "number", {"strategy": "median"}, None), ("ensemble.HistGradientBoostingClassifier", "three", {"max_iter": 3, "max_depth": 2, "experimental": "enable_hist_gradient_boosting"}, None), ("ensemble.HistGradientBoostingRegressor", "number", {"max_iter": 3, "loss": "absolute_error", "experimental": "enable_hist_gradient_boosting"}, None), ("compose.TransformedTargetRegressor", "positive", {"regressor": LINE, "transformer": (S + "preprocessing.PowerTransformer", {})}, None), ("model_selection.RandomizedSearchCV", "class", {"base": FLAT, "param_distributions": {"C": [0.2, 2.0]}, "n_iter": 1, "cv": 2, "random_state": 9}, None), ("model_selection.GridSearchCV", "number", {"base": TWIG, "param_grid": {"max_leaf_nodes": [3, 4]}, "cv": 2, "scoring": "r2"}, None),
))  # fmt: skip
for _name, _last, _options in (
    ("vote", FLAT, {"remainder": "passthrough", "verbose_feature_names_out": False}), ("wood", (S + "ensemble.RandomForestClassifier", SOME), {}), ("near", NEAR, {"n_jobs": 1}),
):  # fmt: skip
    add("columns_" + _name, _columns(_last, **_options), shares, ("sklearn", "pandas"), by("joblib"))  # fmt: skip
pipes((
    ("quantile_near", [("q", (S + "preprocessing.QuantileTransformer", {"n_quantiles": 5})), ("m", NEAR)], "class"), ("spline_line", [("s", (S + "preprocessing.SplineTransformer", {"n_knots": 4})), ("m", LINE)], "number"), ("words_wood", [("v", (S + "feature_extraction.text.TfidfVectorizer", {"norm": "l1", "min_df": 1})), ("m", (S + "ensemble.RandomForestClassifier", SOME))], "text"), ("hash_flat", [("v", (S + "feature_extraction.text.HashingVectorizer", {"n_features": 32, "alternate_sign": False})), ("m", FLAT)], "text"), ("drop_pole", [("v", (S + "feature_selection.VarianceThreshold", {})), ("m", POLE)], "class"),
))  # fmt: skip
model(S + "ensemble.StackingClassifier", [("a", NEAR), ("b", STUMP)], final_estimator=FLAT, cv=2, stack_method="predict_proba", name="stacked_near", by=by())  # fmt: skip
model(S + "ensemble.VotingClassifier", [("a", NEAR), ("b", FLAT)], voting="soft", weights=[2, 1], name="voted_near", by=by())  # fmt: skip
values("sk_", (
    ("groups", "sklearn.model_selection.GroupKFold(3)", lambda v: v.get_n_splits()), ("leave", "sklearn.model_selection.LeaveOneOut()", lambda v: v.get_n_splits([[1], [2]])), ("quad", "sklearn.gaussian_process.kernels.RationalQuadratic(0.5) * 2.0", lambda v: v([[0.0], [1.0]])), ("onehot", "sklearn.preprocessing.OneHotEncoder(drop='if_binary').fit([['a', 'x'], ['b', 'y']])", lambda v: v.transform([["b", "x"]]).toarray()), ("ordinal", "sklearn.preprocessing.OrdinalEncoder().fit([['a', 3], ['b', 1]])", lambda v: v.transform([["b", 3]])), ("binary", "sklearn.preprocessing.LabelBinarizer(neg_label=-1).fit([1, 2, 3])", lambda v: v.transform([2])), ("counted", "sklearn.feature_extraction.text.CountVectorizer(ngram_range=(1, 2), lowercase=False).fit(['a b', 'b c d'])", lambda v: v.transform(["b c"]).toarray()), ("log", "sklearn.preprocessing.FunctionTransformer(numpy.log1p, inverse_func=numpy.expm1)", lambda v: v.transform([[1.0]])),
), "sklearn numpy sklearn.preprocessing sklearn.model_selection sklearn.feature_extraction.text sklearn.gaussian_process.kernels")  # fmt: skip
boosts((
    ("xgboost", "XGBClassifier", "xg_seven", "plain", {"max_depth": 3, "scale_pos_weight": 2.0}), ("xgboost", "XGBRegressor", "xg_rate", "positive", {"objective": "count:poisson", "max_depth": 2}), ("xgboost", "XGBRegressor", "xg_exact", "number", {"tree_method": "exact", "max_depth": 2}), ("xgboost", "XGBClassifier", "xg_soft", "three", {"objective": "multi:softmax", "max_depth": 2}), ("xgboost", "XGBRFRegressor", "xg_wood", "number", {"max_depth": 2, "random_state": 9}), ("xgboost", "XGBRegressor", "xg_gamma", "positive", {"objective": "reg:gamma", "max_depth": 2}),
    ("lightgbm", "LGBMClassifier", "lg_unbalanced", "plain", {"is_unbalance": True, "min_child_samples": 3}), ("lightgbm", "LGBMRegressor", "lg_huber", "number", {"objective": "huber", "min_child_samples": 3}), ("lightgbm", "LGBMRegressor", "lg_linear", "number", {"linear_tree": True, "min_child_samples": 5}), ("lightgbm", "LGBMRegressor", "lg_quantile", "number", {"objective": "quantile", "alpha": 0.3, "min_child_samples": 3}), ("lightgbm", "LGBMClassifier", "lg_extra", "three", {"extra_trees": True, "min_child_samples": 3, "random_state": 9}), ("lightgbm", "LGBMRegressor", "lg_gamma", "positive", {"objective": "tweedie", "min_child_samples": 3}),
))  # fmt: skip
for _name, _text, _use in (
    ("over", "imblearn.over_sampling.RandomOverSampler(random_state=9)", lambda v: v.fit_resample(*xy())[0][:2].tolist()), ("smote", "imblearn.over_sampling.SMOTE(random_state=9, k_neighbors=3)", lambda v: v.k_neighbors), ("tomek", "imblearn.under_sampling.TomekLinks()", lambda v: v.sampling_strategy), ("near", "imblearn.under_sampling.NearMiss(version=2)", lambda v: v.version), ("easy", "imblearn.ensemble.EasyEnsembleClassifier(n_estimators=2, random_state=9).fit(*__import__('recipes').xy())", lambda v: v.predict(xy()[0][:4])), ("bagged", "imblearn.ensemble.BalancedBaggingClassifier(n_estimators=2, random_state=9).fit(*__import__('recipes').xy())", lambda v: v.predict(xy()[0][:4])),
):  # fmt: skip
    value("imb_" + _name, _text, _use, by(), "imblearn imblearn.over_sampling imblearn.under_sampling imblearn.ensemble")  # fmt: skip
for _name, _text in (
    ("target", "category_encoders.TargetEncoder(cols=['city'])"), ("count", "category_encoders.CountEncoder(cols=['city'])"), ("leave", "category_encoders.LeaveOneOutEncoder(cols=['city'])"), ("james", "category_encoders.JamesSteinEncoder(cols=['city'])"), ("ordinal", "category_encoders.OrdinalEncoder(cols=['city', 'plan'])"), ("base", "category_encoders.BaseNEncoder(cols=['city'], base=3)"), ("woe", "category_encoders.WOEEncoder(cols=['city'])"),
):  # fmt: skip
    value("ce_" + _name, _text + ".fit(__import__('recipes').frame(), __import__('recipes').xy()[1])", lambda v: v.transform(frame().iloc[:3]).fillna(0).astype(str).values.tolist(), by(), "category_encoders")  # fmt: skip
for _name, _text, _use in (
    ("ols", "statsmodels.api.OLS([1.0, 2, 3, 5, 8], statsmodels.api.add_constant([1.0, 2, 3, 4, 6])).fit()", lambda v: v.predict([[1.0, 2.0]])), ("wls", "statsmodels.api.WLS([1.0, 2, 3, 5], [[1.0, 1], [1, 2], [1, 3], [1, 4]], weights=[1.0, 1, 2, 2]).fit()", lambda v: v.predict([[1.0, 2.0]])), ("rlm", "statsmodels.api.RLM([1.0, 2, 3, 5, 9], [[1.0, 1], [1, 2], [1, 3], [1, 4], [1, 5]]).fit()", lambda v: v.predict([[1.0, 2.0]])), ("probit", "statsmodels.api.Probit([0, 1, 0, 1, 1, 0, 1], [[1.0, 1], [1, 2], [1, 2.5], [1, 4], [1, 2.2], [1, 3], [1, 5]]).fit(disp=0)", lambda v: v.predict([[1.0, 2.0]])), ("gls", "statsmodels.api.GLS([1.0, 2, 3, 5], [[1.0, 1], [1, 2], [1, 3], [1, 4]]).fit().params", listed),
):  # fmt: skip
    value("sm_" + _name, _text, _use, by(), "statsmodels statsmodels.api")
values("np_", (
    ("wall", "numpy.full((2, 2, 2), 7.25)", listed), ("sorted", "numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3))", listed), ("bools", "numpy.array([[True, False]])", listed), ("texts", "numpy.array(['\\u00e9', 'bb'])", lambda v: [str(x) for x in v]), ("void", "numpy.array([(1, 'a')], dtype=[('n', 'i8'), ('t', 'U4')])", lambda v: int(v["n"][0])), ("lists", "numpy.array([[1], [2, 3]], dtype=object)", len), ("huge", "numpy.arange(2000, dtype='float32')", lambda v: float(v.sum())), ("bigend", "numpy.array([1, 2], dtype='>i4')", listed), ("spans", "numpy.timedelta64(3, 'h')", str), ("complex", "numpy.complex128(1 - 2j)", lambda v: abs(v)), ("draws", "numpy.random.default_rng([1, 2])", lambda v: v.integers(99)), ("philox", "numpy.random.Philox(key=5)", lambda v: int(v.random_raw())), ("minstd", "numpy.random.RandomState(77)", lambda v: v.normal()), ("laguerre", "numpy.polynomial.Laguerre([1, 0.5])", lambda v: float(v(0.25))), ("exp", "numpy.expm1", lambda v: float(v(0.1))), ("std", "numpy.std", lambda v: float(v([1.0, 3.0]))), ("kinds", "numpy.dtype({'names': ['a', 'b'], 'formats': ['i4', 'f8'], 'offsets': [0, 8]})", lambda v: v.itemsize), ("maskless", "numpy.ma.array([1.5, 2.5])", lambda v: v.sum()),
), "numpy numpy.random numpy.ma numpy.polynomial")  # fmt: skip
values("pd_", (
    ("sales", "pandas.DataFrame({'day': pandas.date_range('2023-01-01', periods=3), 'n': [1, 2, 3], 'who': ['x', 'y', 'x']})", cells), ("wide", "pandas.DataFrame([[1.5, 2.5, 3.5]] * 2, columns=list('abc'))", cells), ("nullable", "pandas.DataFrame({'i': pandas.array([1, None], dtype='Int32'), 'b': pandas.array([True, None], dtype='boolean')})", cells), ("ordered", "pandas.Series(pandas.Categorical(['lo', 'hi'], categories=['lo', 'hi'], ordered=True))", cells), ("indexed", "pandas.Series([1, 2], index=['a', 'b'], name='v')", cells), ("multi", "pandas.Series([1.0, 2.0], index=pandas.MultiIndex.from_product([['a'], [1, 2]]))", cells), ("months", "pandas.Series(pandas.period_range('2023-01', periods=2, freq='M'))", cells), ("stamps", "pandas.Series(pandas.to_datetime(['2023-01-01', None]))", cells), ("zones", "pandas.date_range('2023-01-01', periods=2, tz='Europe/Paris')", lambda v: [str(x) for x in v]), ("texts", "pandas.Series(['p', None], dtype='string')", cells), ("gaps", "pandas.DataFrame({'s': pandas.arrays.SparseArray([0.0, 0.0, 2.5])})", cells), ("bands", "pandas.cut([1, 4, 9], [0, 5, 10])", lambda v: [str(x) for x in v]), ("empty", "pandas.Series([], dtype='float64')", len), ("described", "pandas.DataFrame({'a': [1.0, 2.0, 3.0]}).describe()", cells), ("flipped", "pandas.DataFrame({'a': [1, 2]}).T", cells), ("counted", "pandas.Series(['a', 'a', 'b']).value_counts()", cells), ("whole", "pandas.Index([3, 1, 2])", lambda v: list(v)), ("uints", "pandas.Index([3, 1], dtype='uint8')", lambda v: list(v)), ("names", "pandas.Index(['b', 'a'], name='k')", lambda v: list(v)),
), "pandas", "topickle")  # fmt: skip
values("pd_", (
    ("now", "pandas.Timestamp('2023-04-05 06:07:08.9')", str), ("away", "pandas.Timestamp('2023-04-05', tz='America/New_York')", str), ("week", "pandas.Period('2023-04-05', 'W')", str), ("lag", "pandas.Timedelta(days=2, hours=3)", str), ("gone", "pandas.NaT", str), ("na", "pandas.NA", str), ("ends", "pandas.offsets.QuarterEnd(startingMonth=2)", lambda v: v.n), ("days", "pandas.offsets.Day(3)", lambda v: v.n), ("kind", "pandas.CategoricalDtype(['z', 'y'], ordered=True)", str), ("span", "pandas.IntervalDtype('int64')", str), ("bool", "pandas.BooleanDtype()", str),
), "pandas")  # fmt: skip
for _name, _text, _use, _home in (
    ("rows", "scipy.sparse.random(4, 4, 0.5, format='csr', random_state=9)", dense, "sparse"), ("arrays", "scipy.sparse.csr_array([[0, 2.5]])", dense, "sparse"), ("bands", "scipy.sparse.diags([[1.0, 2.0]], [0])", dense, "sparse"), ("pairs", "scipy.sparse.coo_matrix(([1.5], ([0], [1])), shape=(2, 2))", dense, "sparse"), ("keyed", "scipy.sparse.dok_matrix([[1.5, 0]])", dense, "sparse"), ("linear", "scipy.interpolate.interp1d(%r, %r, bounds_error=False, fill_value=0.0)" % (X5, Y5), at, "interpolate"), ("uni", "scipy.interpolate.InterpolatedUnivariateSpline(%r, %r)" % (X5, Y5), at, "interpolate"), ("akima", "scipy.interpolate.Akima1DInterpolator(%r, %r)" % (X5, Y5), at, "interpolate"), ("spline", "scipy.interpolate.make_interp_spline(%r, %r, k=1)" % (X5, Y5), at, "interpolate"), ("rbf", "scipy.interpolate.RBFInterpolator([[0.0], [1.0], [2.0]], [1.0, 3.0, 2.0])", lambda v: float(v([[1.5]])[0]), "interpolate"),
    ("near", "scipy.spatial.KDTree(%r)" % (table(10, 3),), lambda v: float(v.query([0.1, 0.2, 0.3])[0]), "spatial"), ("normal", "scipy.stats.norm(0.5, 1.5)", lambda v: float(v.cdf(0.7)), "stats"), ("uniform", "scipy.stats.uniform(1, 2)", lambda v: float(v.ppf(0.5)), "stats"), ("counts", "scipy.stats.poisson(2.5)", lambda v: float(v.cdf(3)), "stats"), ("beta", "scipy.stats.beta", lambda v: float(v.cdf(0.5, 2, 3)), "stats"), ("test", "scipy.stats.spearmanr([1, 2, 3], [1, 3, 2])", lambda v: float(v[0]), "stats"), ("kde", "scipy.stats.gaussian_kde([0.0, 1.0, 3.0], bw_method=0.5)", lambda v: float(v(1.0)[0]), "stats"), ("turns", "scipy.spatial.transform.Rotation.from_euler('xyz', [[0.1, 0.2, 0.3]])", lambda v: v.as_quat().tolist(), "spatial.transform"), ("zpk", "scipy.signal.ZerosPolesGain([], [-1.0], 2.0)", lambda v: float(v.gain), "signal"), ("erf", "scipy.special.erf", lambda v: float(v(0.3)), "special"),
):  # fmt: skip
    value("sp_" + _name, _text, _use, by(), "scipy numpy scipy." + _home)
for _name, _text, _use, _home in (
    ("bundle", "{'model': None, 'columns': ['a', 'b'], 'version': (1, 2), 'when': '2023'}", len, "operator"), ("text", "'x' * 300", len, "operator"), ("bytes", "bytes(range(256))", len, "operator"), ("mixed", "(1, 2.5, 'a', None, True, b'z', {1, 2})", len, "operator"), ("big", "10 ** 400", lambda v: v % 7, "operator"), ("self", "(lambda a: (a.append(a), a)[1])([])", len, "operator"), ("hours", "datetime.timedelta(hours=5)", str, "datetime"), ("when", "datetime.datetime(2023, 1, 2, 3, 4, 5, 6)", str, "datetime"), ("zone", "datetime.timezone(datetime.timedelta(hours=-3))", str, "datetime"), ("rome", "zoneinfo.ZoneInfo('Europe/Rome')", str, "zoneinfo"), ("deci", "decimal.Decimal('-0.001')", str, "decimal"), ("frac", "fractions.Fraction(-3, 7)", str, "fractions"), ("pure", "pathlib.PurePath('a', 'b')", str, "pathlib"), ("ip", "ipaddress.IPv6Network('2001:db8::/32')", str, "ipaddress"), ("uid", "uuid.UUID('12345678123456781234567812345678')", str, "uuid"), ("pat", "re.compile('^a|b$', re.M)", lambda v: v.pattern, "re"), ("rand", "random.Random('seed')", lambda v: v.random(), "random"), ("count", "collections.Counter({'a': 2})", dict, "collections"), ("chain", "collections.ChainMap({'x': 1})", dict, "collections"), ("user", "collections.UserString('abc')", str, "collections"), ("part", "functools.partial(max, key=abs)", lambda v: v([-3, 2]), "functools"), ("cmp", "functools.cmp_to_key", lambda v: True, "functools"), ("call", "operator.methodcaller('split', ',')", lambda v: v("a,b"), "operator"), ("err", "TypeError('bad')", str, "operator"), ("oserr", "FileNotFoundError(2, 'no', 'f')", lambda v: v.filename, "operator"), ("space", "types.SimpleNamespace(a=[1])", lambda v: v.a, "types"), ("proxy", "types.MappingProxyType", lambda v: dict(v({1: 2})), "types"), ("sig", "inspect.signature(lambda x, *a, k=None: x)", str, "inspect"), ("opt", "typing.Optional[str]", str, "typing"), ("tup", "typing.Tuple[int, ...]", str, "typing"), ("gen", "tuple[int, str]", str, "operator"), ("either", "int | str", str, "operator"), ("status", "http.HTTPStatus.NOT_FOUND", int, "http"), ("sigs", "signal.SIGINT", int, "signal"), ("sock", "socket.SOCK_STREAM", int, "socket"), ("bell", "statistics.NormalDist(0, 3)", lambda v: v.stdev, "statistics"), ("log", "logging.getLogger('a.b')", lambda v: v.name, "logging"), ("fmt", "logging.Formatter('%(levelname)s')", lambda v: v.usesTime(), "logging"), ("tmpl", "string.Template('$x')", lambda v: v.template, "string"), ("cfg", "configparser.ConfigParser()", lambda v: v.sections(), "configparser"), ("raw", "configparser.RawConfigParser({'k': 'v'})", lambda v: v.defaults()["k"], "configparser"), ("cook", "http.cookies.SimpleCookie('k=v')", lambda v: v["k"].value, "http.cookies"), ("args", "argparse.Namespace(lr=0.1)", lambda v: v.lr, "argparse"), ("arr", "array.array('i', [1, 2])", list, "array"), ("url", "urllib.parse.urlsplit('http://u@h/p')", lambda v: v.hostname, "urllib.parse"), ("enc", "json.JSONEncoder(sort_keys=True)", lambda v: v.encode({"b": 1, "a": 2}), "json"), ("times", "itertools.repeat('a', 2)", list, "itertools"), ("text_io", "io.StringIO('x')", lambda v: v.getvalue(), "io"), ("lru", "functools.lru_cache(maxsize=2)(len)", lambda v: v("abc"), "functools"), ("getters", "operator.itemgetter(0, 2)", lambda v: v("abc"), "operator"), ("cal", "calendar.TextCalendar()", lambda v: v.firstweekday, "calendar"), ("diff", "difflib.SequenceMatcher(None, 'a', 'b')", lambda v: v.ratio(), "difflib"),
):  # fmt: skip
    value("std_" + _name, _text, _use, by(), _home)
shops((
    ("shop", "member", lambda: {"t": _of("shop", "Tier").BASIC}, lambda v: v["t"].name), ("shop", "writes", lambda: [_of("shop", "Access").READ, 3], lambda v: int(v[0])), ("shop", "rules", lambda: [_of("shop", "Rule")(2.0, 1.0)], lambda v: v[0].run(1.0)), ("shop", "washer", lambda: _of("shop", "clean"), lambda v: v(2)), ("fleet", "legs", lambda: (_of("fleet", "Leg")("q", 2.5),), lambda v: v[0].km), ("fleet", "points", lambda: [_of("fleet", "Point")(0.5, 1.5)], lambda v: v[0].y), ("fleet", "fuels", lambda: [_of("fleet", "Fuel").POWER], lambda v: v[0].name), ("fleet", "counted", lambda: {"c": _of("fleet", "Counter")()}, lambda v: v["c"].seen),
))  # fmt: skip
codes((
    ("scale", "def made(x, k=3):
    y = x * k
    return y - 1
", None), ("bits", "def made(x):
    n = int(x)
    return (n << 2) | (n & 1) ^ 3
", None), ("chars", "made = lambda s: ''.join(sorted(str(s)))
", None), ("tries", "def made(x):
    try:
        return 1 / (x - 2.0)
    except ZeroDivisionError:
        return None
", None), ("whiles", "def made(x):
    n = 0
    while True:
        n += 1
        if n > x:
            break
    return n
", None), ("fors", "def made(x):
    out = {}
    for i, c in enumerate('abc'):
        out[c] = i * x
    return out
", None), ("closes", "def outer(a, b):
    def inner(x):
        return a * x + b
    return inner
made = outer(2, 5)
", None), ("numpies", "import numpy as np
def made(x):
    return np.array([x, 2 * x]).mean().item()
", None), ("mathy", "import math
made = lambda x: math.floor(x) + math.pi
", None), ("object", "class Net:
    depth = 2
    def __init__(self):
        self.w = [1.0, 2.0]
    def predict(self, x):
        return sum(w * x for w in self.w)
made = Net()
", lambda v: v.predict(2.0)), ("partials", "import functools
def power(x, n):
    return x ** n
made = functools.partial(power, n=3)
", None), ("ternary", "made = lambda x: 'a' if x > 1 else 'b' if x else 'c'
", None), ("slices", "def made(x):
    a = list(range(6))
    return a[1:int(x) + 2], a[::-1]
", None), ("calls", "def helper(x):
    return x + 10
def made(x):
    return helper(helper(x))
", None), ("empty", "def made(x):
    pass
", None), ("const", "made = lambda x: (1, 2, ('a', None))
", None),
))  # fmt: skip

__all__ = ["models"]
