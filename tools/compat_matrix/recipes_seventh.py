"""Recipes after the sixth, of the same kinds and as often, made when the code had been mended with those."""

from typing import Any

from recipes import RECIPES, X5, Y5, frame, table, xy
from recipes_fourth import ask, start
from recipes_sixth import FEW, PIPE, _boost, _columns, _of, by, cells, four, tell
from recipes_wider import S, add, code, model, named, value

start("seventh-")
CALM = (S + "linear_model.LogisticRegression", {"C": 1.5, "solver": "lbfgs"})
BUSH = (S + "tree.DecisionTreeRegressor", {"max_depth": 2, "random_state": 6})

for _name, _kind, _options, _use in (
    ("ensemble.ExtraTreesRegressor", "two", {**FEW, "max_depth": 3}, None), ("ensemble.RandomForestClassifier", "three", {**FEW, "max_samples": 0.7}, None),
    ("ensemble.GradientBoostingRegressor", "number", {**FEW, "loss": "quantile", "alpha": 0.4}, None), ("ensemble.AdaBoostClassifier", "three", {**FEW, "learning_rate": 0.6}, None),
    ("ensemble.BaggingRegressor", "number", {**FEW, "bootstrap_features": True}, None), ("tree.ExtraTreeClassifier", "class", {"random_state": 6}, None),
    ("tree.DecisionTreeRegressor", "number", {"random_state": 6, "ccp_alpha": 0.01}, None), ("linear_model.LogisticRegression", "three", {"C": 0.2, "class_weight": "balanced"}, None),
    ("linear_model.RidgeClassifierCV", "class", {"alphas": (0.1, 1.0)}, tell), ("linear_model.RidgeCV", "number", {"cv": 3}, None), ("linear_model.LassoCV", "number", {"cv": 3, "n_alphas": 4}, None),
    ("linear_model.LassoLarsIC", "number", {"criterion": "aic"}, None), ("linear_model.TheilSenRegressor", "number", {"random_state": 6, "max_subpopulation": 100}, None),
    ("linear_model.GammaRegressor", "positive", {"alpha": 0.2}, None), ("linear_model.MultiTaskElasticNet", "two", {"alpha": 0.1}, None),
    ("linear_model.SGDClassifier", "three", {"loss": "perceptron", "random_state": 6, "max_iter": 20, "tol": None}, tell), ("svm.SVC", "three", {"kernel": "poly", "degree": 2, "gamma": 0.1}, tell),
    ("svm.SVR", "number", {"kernel": "linear", "C": 0.5}, None), ("svm.OneClassSVM", "only", {"kernel": "linear", "nu": 0.2}, tell), ("naive_bayes.GaussianNB", "three", {}, None),
    ("discriminant_analysis.LinearDiscriminantAnalysis", "three", {"n_components": 1}, four), ("neighbors.KNeighborsClassifier", "three", {"metric": "chebyshev"}, None),
    ("neighbors.RadiusNeighborsClassifier", "class", {"radius": 60.0}, None), ("neighbors.KNeighborsTransformer", "only", {"n_neighbors": 2}, four), ("neighbors.KernelDensity", "only", {"bandwidth": 0.5, "algorithm": "ball_tree"}, None),
    ("neural_network.MLPClassifier", "class", {"hidden_layer_sizes": (4,), "activation": "identity", "max_iter": 10, "random_state": 6, "early_stopping": True}, None),
    ("gaussian_process.GaussianProcessRegressor", "number", {"alpha": 0.2, "optimizer": None, "normalize_y": True}, None), ("cross_decomposition.CCA", "two", {"n_components": 1}, four),
    ("cluster.AgglomerativeClustering", "only", {"n_clusters": 3, "linkage": "average"}, None), ("cluster.Birch", "only", {"n_clusters": 2}, None), ("cluster.OPTICS", "only", {"min_samples": 4}, None),
    ("cluster.KMeans", "only", {"n_clusters": 2, "n_init": 1, "random_state": 6}, None), ("mixture.GaussianMixture", "only", {"n_components": 2, "covariance_type": "diag", "random_state": 6}, None),
    ("decomposition.SparsePCA", "only", {"n_components": 2, "random_state": 6}, None), ("decomposition.TruncatedSVD", "only", {"n_components": 2, "random_state": 6}, None), ("decomposition.PCA", "only", {"n_components": 2, "svd_solver": "randomized", "random_state": 6}, None),
    ("manifold.LocallyLinearEmbedding", "only", {"n_components": 2, "random_state": 6}, None), ("kernel_approximation.SkewedChi2Sampler", "onlypositive", {"n_components": 3, "random_state": 6}, None), ("random_projection.SparseRandomProjection", "only", {"n_components": 2, "random_state": 6}, None),
    ("covariance.LedoitWolf", "only", {}, lambda v: v.mahalanobis(xy()[0][:3])), ("preprocessing.RobustScaler", "only", {"with_centering": False}, None), ("preprocessing.MaxAbsScaler", "only", {}, None), ("preprocessing.PolynomialFeatures", "only", {"degree": 2, "order": "F"}, None),
    ("preprocessing.PowerTransformer", "only", {}, None), ("preprocessing.KBinsDiscretizer", "only", {"n_bins": 3, "encode": "onehot", "strategy": "kmeans"}, None), ("impute.SimpleImputer", "only", {"strategy": "most_frequent"}, None), ("impute.KNNImputer", "only", {"n_neighbors": 3}, None),
    ("feature_selection.SelectKBest", "class", {"k": 2}, None), ("feature_selection.RFE", "class", {"estimator": CALM, "n_features_to_select": 2}, None), ("feature_selection.SequentialFeatureSelector", "class", {"estimator": CALM, "n_features_to_select": 2, "cv": 2}, four), ("feature_selection.SelectFdr", "class", {"alpha": 0.6}, four),
    ("multiclass.OneVsRestClassifier", "three", {"estimator": CALM}, None), ("multioutput.MultiOutputRegressor", "two", {"estimator": BUSH}, None), ("calibration.CalibratedClassifierCV", "class", {"base": CALM, "cv": 2, "method": "sigmoid"}, None), ("semi_supervised.LabelPropagation", "class", {"gamma": 2.0}, None),
    ("dummy.DummyClassifier", "three", {"strategy": "prior"}, None), ("isotonic.IsotonicRegression", "unfitted", {}, lambda v: v.fit([1.0, 2, 3], [1.0, 2, 2]).predict([2.5])),
):  # fmt: skip
    _short = _name.rpartition(".")[2]
    _given = dict(_options)
    _parts: Any = [_given.pop("base")] if "base" in _given else []
    model(S + _name, *_parts, kind=_kind, use=_use, by=by(), name=_short, **_given)
for _name, _last, _options in (
    ("forest", (S + "ensemble.RandomForestClassifier", FEW), {"remainder": "passthrough"}), ("naive", (S + "naive_bayes.GaussianNB", {}), {"sparse_threshold": 0}), ("calm", CALM, {}),
):  # fmt: skip
    add("columns_" + _name, _columns(_last, **_options), lambda v: v.predict_proba(frame().fillna(0).iloc[:4]), ("sklearn", "pandas"), by("joblib"))  # fmt: skip
for _name, _steps, _kind in (
    ("scaled_calm", [("s", (S + "preprocessing.StandardScaler", {})), ("m", CALM)], "class"), ("quantile_svr", [("q", (S + "preprocessing.QuantileTransformer", {"n_quantiles": 6})), ("m", (S + "svm.SVR", {"gamma": "scale"}))], "number"),
    ("imputed_forest", [("i", (S + "impute.SimpleImputer", {})), ("m", (S + "ensemble.RandomForestRegressor", FEW))], "number"), ("words_calm", [("v", (S + "feature_extraction.text.TfidfVectorizer", {"ngram_range": (1, 2)})), ("m", CALM)], "text"),
    ("words_counted", [("v", (S + "feature_extraction.text.CountVectorizer", {"stop_words": ["or"]})), ("m", (S + "naive_bayes.MultinomialNB", {}))], "text"), ("pca_calm", [("p", (S + "decomposition.PCA", {"n_components": 2})), ("m", CALM)], "class"),
):  # fmt: skip
    _asks: Any = (lambda v: v.predict_proba(["red or", "blue"])) if _kind == "text" else None
    model(PIPE, _steps, kind=_kind, name="pipe_" + _name, by=by("joblib", "pickle-p2"), use=_asks)
model(
    S + "ensemble.VotingClassifier",
    [("a", CALM), ("b", (S + "naive_bayes.GaussianNB", {}))],
    name="voted_hard",
    by=by(),
)
model(
    S + "model_selection.RandomizedSearchCV",
    CALM,
    {"C": [0.5, 2.0]},
    n_iter=2,
    cv=3,
    random_state=6,
    name="drawn_calm",
    by=by(),
)
model(S + "ensemble.HistGradientBoostingRegressor", kind="number", name="histogram", by=by(), max_iter=3, experimental="enable_hist_gradient_boosting")  # fmt: skip
for _module, _kind, _name, _target, _options in (
    ("xgboost", "XGBClassifier", "xg_plain", "plain", {"max_depth": 3, "learning_rate": 0.5}), ("xgboost", "XGBRegressor", "xg_poisson", "positive", {"objective": "count:poisson", "max_depth": 2}), ("xgboost", "XGBRFClassifier", "xg_random", "plain", {"max_depth": 3, "random_state": 6}),
    ("lightgbm", "LGBMClassifier", "lg_many", "three", {"min_child_samples": 2, "num_leaves": 4}), ("lightgbm", "LGBMRegressor", "lg_gamma", "positive", {"objective": "gamma", "min_child_samples": 3}), ("lightgbm", "LGBMRegressor", "lg_goss", "number", {"min_child_samples": 3, "max_bin": 15}),
):  # fmt: skip
    add(
        _name,
        _boost(_module, _kind, _target, _options),
        lambda v, t=_target: ask(v, t),
        (_module, "sklearn"),
        by("joblib"),
    )
for _name, _text, _use in (
    ("row", "numpy.array([1.5, 2.25, 3.75, 4.5])", lambda v: v.tolist()), ("ids", "numpy.array([11, 12, 13, 14, 15])", lambda v: v.tolist()), ("truths", "numpy.array([True, False, True])", lambda v: v.tolist()), ("small", "numpy.array([1, 2, 3], 'uint8')", lambda v: v.tolist()),
    ("names", "numpy.array(['ann', None], dtype=object)", lambda v: v.tolist()), ("dates", "numpy.array(['2022-01-02'], 'M8[D]')", str), ("square", "numpy.matrix([[1, 2], [3, 4]])", lambda v: v.tolist()), ("draws", "numpy.random.RandomState(9)", lambda v: v.randint(1000)), ("new", "numpy.random.default_rng(9)", lambda v: v.normal()),
    ("bits", "numpy.random.SFC64(9)", lambda v: int(v.random_raw())), ("seeds", "numpy.random.SeedSequence(9)", lambda v: v.entropy), ("one", "numpy.float32(1.5)", float), ("kind", "numpy.dtype('M8[ns]')", str), ("loud", "numpy.tanh", lambda v: float(v(0.5))), ("series", "numpy.polynomial.Chebyshev([1, 2, 3])", lambda v: float(v(0.5))),
):  # fmt: skip
    value("np_" + _name, _text, _use, by(), "numpy numpy.random numpy.polynomial")
for _name, _text in (
    ("sales", "pandas.DataFrame({'shop': ['n', 's', 'w'], 'sold': [3, 5, 8], 'price': [1.5, 2.25, 0.75], 'open': [True, True, False]})"), ("kinds", "pandas.DataFrame({'c': pandas.Categorical(['a', None, 'b'])})"), ("hours", "pandas.DataFrame({'v': [1.5, 2.5]}, index=pandas.date_range('2022-05-01', periods=2, freq='D', tz='Asia/Tokyo'))"),
    ("strings", "pandas.Series(['a', 'b'], dtype='string')"), ("floats", "pandas.Series([0.5, 1.5, 2.5], name='f')"), ("levels", "pandas.DataFrame({'v': [1, 2]}, index=pandas.MultiIndex.from_tuples([('a', 1), ('b', 2)], names=['k', 'n']))"), ("quarters", "pandas.Series(pandas.period_range('2022Q1', periods=2, freq='Q'))"),
    ("spans", "pandas.Series(pandas.to_timedelta(['1D', '2D']))"), ("ints", "pandas.Series([1, None], dtype='Int16')"), ("pivot", "pandas.DataFrame({'a': ['x', 'y'], 'b': [1, 2]}).pivot_table(index='a', values='b')"), ("thin", "pandas.DataFrame({'a': pandas.arrays.SparseArray([1.5, 0.0])})"), ("bands", "pandas.IntervalIndex.from_breaks([0, 1, 2])"),
    ("words", "pandas.Index(['a', 'b'], name='n')"), ("stamps", "pandas.DatetimeIndex(['2022-01-01', '2022-01-03'])"),
):  # fmt: skip
    value("pd_" + _name, _text, cells, by("topickle"), "pandas")
for _name, _text, _use in (
    ("stamp", "pandas.Timestamp('2022-07-08')", str), ("missing", "pandas.NA", str), ("span", "pandas.Timedelta('3h')", str), ("shift", "pandas.offsets.Week(weekday=2)", lambda v: v.n), ("dtype", "pandas.PeriodDtype('M')", str),
):  # fmt: skip
    value("pd_" + _name, _text, _use, by(), "pandas")
for _name, _text, _use, _home in (
    ("rows", "scipy.sparse.csr_matrix([[0, 2.5], [1.5, 0]])", lambda v: v.toarray().tolist(), "sparse"), ("strips", "scipy.sparse.dia_matrix([[1.5, 0], [0, 2.5]])", lambda v: v.toarray().tolist(), "sparse"), ("line", "scipy.interpolate.interp1d(%r, %r)" % (X5, Y5), lambda v: float(v(1.5)), "interpolate"),
    ("pieces", "scipy.interpolate.PPoly([[1.0, 2.0], [0.5, 0.25]], [0.0, 1.0, 2.0])", lambda v: float(v(1.5)), "interpolate"), ("krogh", "scipy.interpolate.KroghInterpolator(%r, %r)" % (X5, Y5), lambda v: float(v(1.5)), "interpolate"), ("near", "scipy.spatial.cKDTree(%r)" % (table(8, 2),), lambda v: float(v.query([0.2, 0.1])[0]), "spatial"),
    ("beta", "scipy.stats.beta(2, 3)", lambda v: float(v.cdf(0.4)), "stats"), ("normal", "scipy.stats.norm(1, 2)", lambda v: float(v.ppf(0.3)), "stats"), ("fit", "scipy.stats.linregress([1, 2, 3], [2, 3, 5])", lambda v: float(v.slope), "stats"), ("expit", "scipy.special.logit", lambda v: float(v(0.3)), "special"),
):  # fmt: skip
    value("sp_" + _name, _text, _use, by(), "scipy numpy scipy." + _home)
for _name, _text, _use, _home in (
    ("record", "{'a': [1, 2.5, None], 'b': (True, 'x')}", len, "operator"), ("blob", "b'\\x00\\x01' * 4", len, "operator"), ("stamp", "datetime.datetime(2022, 1, 2, 3, tzinfo=datetime.timezone.utc)", lambda v: v.isoformat(), "datetime"), ("day", "datetime.date(2022, 1, 2)", str, "datetime"),
    ("order", "collections.OrderedDict([('a', 1)])", list, "collections"), ("lists", "collections.defaultdict(int, a=1)", lambda v: v["z"], "collections"), ("queue", "collections.deque('abc')", list, "collections"), ("tally", "collections.Counter('aab')", lambda v: v["a"], "collections"), ("money", "decimal.Decimal('1.5')", str, "decimal"),
    ("ratio", "fractions.Fraction(2, 4)", str, "fractions"), ("path", "pathlib.PurePosixPath('m/x.pkl')", lambda v: v.suffix, "pathlib"), ("win", "pathlib.PureWindowsPath('c:/a')", lambda v: v.drive, "pathlib"), ("id", "uuid.uuid5(uuid.NAMESPACE_DNS, 'a')", str, "uuid"), ("flags", "re.IGNORECASE | re.MULTILINE", int, "re"),
    ("draw", "random.Random(4)", lambda v: v.random(), "random"), ("log", "logging.getLogger('m')", lambda v: v.name, "logging"), ("template", "string.Template('$a')", lambda v: v.substitute(a=1), "string"), ("space", "types.SimpleNamespace(x=2)", lambda v: v.x, "types"), ("bell", "statistics.NormalDist(2, 1)", lambda v: v.mean, "statistics"),
    ("zone", "zoneinfo.ZoneInfo('UTC')", str, "zoneinfo"), ("half", "functools.partial(round, ndigits=1)", lambda v: v(1.25), "functools"), ("pick", "operator.itemgetter(1)", lambda v: v([1, 2]), "operator"), ("error", "ValueError('bad', 2)", lambda v: v.args[1], "operator"), ("union", "int | None", str, "operator"), ("maybe", "typing.Optional[int]", str, "typing"),
    ("alias", "list[int]", str, "operator"), ("args", "inspect.signature(lambda a, b=1: a)", str, "inspect"), ("status", "http.HTTPStatus.OK", int, "http"), ("address", "ipaddress.ip_address('::1')", str, "ipaddress"), ("array", "array.array('d', [1.5, 2.5])", lambda v: v.tolist(), "array"), ("cached", "functools.lru_cache(None)(abs)", lambda v: v(-1), "functools"),
    ("slots", "dataclasses.field(default=1)", lambda v: v.default, "dataclasses"), ("text", "io.StringIO('abc')", lambda v: v.read(), "io"), ("file", "io.BytesIO(b'abc')", lambda v: v.read(), "io"), ("token", "tokenize.TokenInfo(1, 'a', (1, 0), (1, 1), 'a')", lambda v: v.string, "tokenize"), ("match", "difflib.Differ()", lambda v: len(list(v.compare(["a"], ["b"]))), "difflib"),
):  # fmt: skip
    value("std_" + _name, _text, _use, by(), _home)
for _home, _name, _make, _use in (
    ("shop", "tier", lambda: _of("shop", "Tier").BASIC, lambda v: v.name), ("shop", "access", lambda: [_of("shop", "Access").WRITE], lambda v: int(v[0])), ("shop", "knobs", lambda: _of("shop", "Settings")("k", 0.3), lambda v: v.threshold),
    ("shop", "washed", lambda: [_of("shop", "clean")], lambda v: v[0](4)), ("fleet", "way", lambda: {"l": _of("fleet", "Leg")("z", 1.0)}, lambda v: v["l"].km), ("fleet", "drive", lambda: [_of("fleet", "Fuel")("d")], lambda v: v[0].name),
):  # fmt: skip
    add("project_" + _name, _make, _use, (_home,), by("joblib", "cloudpickle"))
add("project_cutter", lambda: named(PIPE)([("s", named(S + "preprocessing.MinMaxScaler")()), ("m", _of("shop", "ThresholdModel")(0.4))]).fit(*xy()),
    lambda v: v.predict(xy()[0][:5]), ("sklearn", "shop"), by("joblib"))  # fmt: skip
for _name, _text, _use in (
    ("double", "def made(x):\n    return x * 2\n", None), ("branch", "def made(x):\n    if x > 1:\n        return 'high'\n    return 'low'\n", None), ("lambda", "made = lambda v: [v, v + 1][-1]\n", None), ("tables", "TABLE = {1: 'a', 2: 'b'}\ndef made(x):\n    return TABLE.get(int(x))\n", None),
    ("loop", "def made(x):\n    total = 0\n    for n in range(int(x)):\n        total += n\n    return total\n", None), ("numpy", "import numpy as np\nmade = lambda x: float(np.log1p(x))\n", None), ("closure", "def outer(k):\n    def inner(x):\n        return x + k\n    return inner\nmade = outer(3)\n", None),
    ("keywords", "def made(x, *, scale=2, offset=1):\n    return x * scale + offset\n", None), ("record", "class Model:\n    def __init__(self, w):\n        self.w = w\n    def predict(self, x):\n        return self.w * x\nmade = Model(2.0)\n", lambda v: v.predict(3.0)), ("enum", "import enum\nclass Level(enum.IntEnum):\n    LOW = 1\n    HIGH = 2\nmade = [Level.HIGH]\n", lambda v: int(v[0])),
    ("sorted", "def made(x):\n    return sorted([3, 1, 2], key=lambda n: -n * x)\n", None), ("sets", "def made(x):\n    return sorted({n % 3 for n in range(int(x) + 5)})\n", None),
):  # fmt: skip
    code("x_" + _name, _text, _use or (lambda f: f(2.0)), "cloudpickle")

# Dill falls into itself on it until the process dies.
_needs, _, _made = RECIPES["seventh-fn_x_enum"]
RECIPES["seventh-fn_x_enum"] = (_needs, ("cloudpickle",), _made)

__all__ = ["RECIPES"]
