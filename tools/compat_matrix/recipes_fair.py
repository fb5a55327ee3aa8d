"""Recipes that look like the study's own: its objects in other words, and their siblings.

``usual-x`` is every estimator of scikit-learn as people make it: nothing given, or one ordinary
option; x chooses which. ``fair-`` are the other kinds of the study: arrays, frames, boosters,
functions, the main module's own names, the project's, the standard library's, and files that were
hurt on the way. ``peer-`` are siblings of these, loaded after the mending that ``fair-`` brought.
"""

import hashlib
import importlib
import inspect
import sys
from typing import Any, Callable, Dict, List, Tuple

from recipes import FAMILIES, FAMILY_USES, RECIPES, USES, X5, Y5, frame, table, xy
from recipes_fourth import KINDS, NUMBERS, SLOW, _data, _probes, ask, start
from recipes_sixth import PIPE, _boost, _columns, _of, cells
from recipes_wider import S, add, model, named, value

Use = Callable[[Any], Any]
# One option that is not the default, beside what the release asks for.
ORDINARY: Dict[str, Tuple[Any, ...]] = {
    **{k: NUMBERS[k] for k in ("C", "alpha", "max_depth", "n_neighbors", "degree", "subsample", "learning_rate",
                               "class_weight", "hidden_layer_sizes", "ngram_range", "gamma", "bandwidth")},
    "n_components": (2,), "n_clusters": (3,), "n_estimators": (5,), "strategy": ("most_frequent",),
    "handle_unknown": ("ignore",), "fit_intercept": (False,), "with_mean": (False,), "n_bins": (4,),
    "weights": ("distance",), "kernel": ("linear",), "criterion": ("entropy",), "norm": ("l1",), "k": (2,),
}  # fmt: skip
SMALL: Dict[str, Any] = {"n_estimators": 5, "max_iter": 200}


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:4], "big")


def _usual_options(cls: Any, seed: str) -> Dict[str, Any]:
    found = dict(_probes().defaults(cls))
    parameters = inspect.signature(cls.__init__).parameters
    found.update({k: v for k, v in SMALL.items() if k in parameters})
    if "random_state" in parameters:
        found["random_state"] = 0
    pool = sorted(k for k in ORDINARY if k in parameters)
    if pool and _digest(seed) % 2:
        name = pool[_digest(seed + "which") % len(pool)]
        found[name] = ORDINARY[name][0]
    return found


def _usual_fit(cls: Any, seed: str) -> Tuple[str, Any]:
    import signal

    probes = _probes()
    signal.signal(signal.SIGALRM, probes.alarm)
    for kind in sorted(KINDS, key=lambda k: _digest(seed + k)):
        x, y = _data(kind)
        signal.setitimer(signal.ITIMER_REAL, 3)
        try:
            made = cls(**_usual_options(cls, seed)).fit(x, y)
            ask(made, kind)
            return kind, made
        except BaseException:
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    raise RuntimeError("nothing fits")


def usual(only: str) -> Dict[str, Callable[[], Any]]:
    turns = [part[len(USUAL) :] for part in only.split(",") if part.startswith(USUAL)]
    found: Dict[str, Callable[[], Any]] = {}
    for key, cls in sorted(_probes().estimators().items()):
        name = key.rpartition(":")[2]
        if name.startswith("_") or name in SLOW:
            continue
        for turn in turns:
            seed = "usual %s %s" % (name, turn)
            try:
                kind, _ = _usual_fit(cls, seed)
            except BaseException:
                continue
            found["%s%s-%s-%s" % (USUAL, turn, name, kind)] = lambda c=cls, s=seed: _usual_fit(
                c, s
            )[1]  # type: ignore[misc]
    return found


USUAL = "usual-"
FAMILIES[USUAL] = usual
FAMILY_USES[USUAL] = lambda name, made: ask(made, name.rpartition("-")[2])

# About as often as the study has them, beside ``pickle``.
TURNS: Tuple[Tuple[str, ...], ...] = (
    ("joblib",), (), ("pickle-p2",), ("joblib",), ("cloudpickle",), (), ("pickle-p5",), ("joblib",), ("pickle-p3",), (),
    ("joblib-zlib",), ("dill",), ("joblib-gzip",), (), ("joblib-lzma", "pickle-p4"), ("joblib-bz2",), (), ("joblib-xz", "joblib-lz4"),
)  # fmt: skip
FUNCTIONS = ("cloudpickle", "cloudpickle-p4", "dill")
# What was done to the study's damaged files.
HURT = ("pickle@mangled", "pickle@last", "pickle@cut", "pickle@joblib", "joblib@cut-joblib", "joblib@tail-joblib",
        "pickle@ended", "joblib@pickle", "joblib@gzipped", "joblib@cloudpickle", "pickle@gzipped", "pickle@marked",
        "joblib@cut-joblib_xz", "pickle@text", "joblib@cut-joblib_lzma", "pickle@joblib-zlib", "pickle@joblib-xz",
        "pickle@joblib-lzma", "pickle@page", "joblib@cut-joblib_zlib", "joblib@pointer", "pickle@twice", "pickle@nuls",
        "pickle@pointer", "pickle@nothing", "pickle@printed", "joblib@nothing")  # fmt: skip
_turn = [0]


def by(*more: str) -> Tuple[str, ...]:
    _turn[0] += 1
    return tuple(dict.fromkeys(("pickle", *TURNS[_turn[0] % len(TURNS)], *more)))


def models(rows: Any) -> None:
    for number, (path, kind, options) in enumerate(rows):
        given = dict(options)
        use = given.pop("use", None)
        parts: Any = [given.pop("base")] if "base" in given else []
        short = "%s_%d" % (path.rpartition(".")[2], number)
        model(S + path, *parts, kind=kind, use=use, by=by(), name=short, **given)


def values(prefix: str, rows: Any, needs: str, *more: str) -> None:
    for name, text, use in rows:
        value(prefix + name, text, use, by(*more), needs)


def functions(rows: Any) -> None:
    for name, text, use in rows:

        def make(text: str = text) -> Any:
            scope: Dict[str, Any] = {"__name__": "__main__"}
            exec(text, scope)
            return scope["made"]

        # Old releases of dill overflow the stack where an enumeration is defined by the script.
        writers = FUNCTIONS[:2] if name == "enum" else FUNCTIONS
        add("fn_" + name, make, use, ("cloudpickle",), writers)


def of_main(text: str) -> Any:
    """What the text binds to ``made`` in the main module, the same each time."""
    if text not in _mains:
        exec(text, vars(sys.modules["__main__"]))
        _mains[text] = vars(sys.modules["__main__"])["made"]
    return _mains[text]


_mains: Dict[str, Any] = {}


def mains(rows: Any) -> None:
    """What the main module of the script that trains defines, kept by its name alone."""
    for name, text, use in rows:

        def make(text: str = text) -> Any:
            return of_main(text)

        add("main_" + name, make, use, (), ("pickle", "joblib", "pickle-p2"))


def boosts(rows: Any) -> None:
    for module, kind, name, target, options in rows:
        use = lambda v, t=target: ask(v, t)  # noqa: E731
        add(name, _boost(module, kind, target, options), use, (module, "sklearn"), by("joblib"))


def boosters(rows: Any) -> None:
    """Boosters without a wrapper, as the libraries' own ``train`` gives them."""
    for module, name, options in rows:

        def make(module: str = module, options: Any = options) -> Any:
            x, y = xy()
            library = importlib.import_module(module)
            data = (library.DMatrix if module == "xgboost" else library.Dataset)(x, label=y)
            return library.train(options, data, 5)

        def use(made: Any, module: str = module) -> Any:
            x = xy()[0][:4]
            return made.predict(
                importlib.import_module(module).DMatrix(x) if module == "xgboost" else x
            )

        add(name, make, use, (module,), by("joblib"))


def shops(rows: Any) -> None:
    for home, name, make, use in rows:
        add("project_" + name, make, use, (home,), by("joblib", "cloudpickle", "dill", "pickle-p2"))


def hurt(name: str, make: Callable[[], Any], use: Use, needs: str, first: int, *flips: str) -> None:
    """Eight of the damages, from the so-manieth on."""
    some = tuple(HURT[(first + step * 3) % len(HURT)] for step in range(8))
    add("hurt_" + name, make, use, tuple(needs.split()), tuple(dict.fromkeys(some + flips)))


def nearest(made: Any) -> Any:
    return [part.tolist() for part in made.kneighbors(xy()[0][:3], 2)]


def text(made: Any) -> Any:
    found = made.transform(["blue red", "green"])
    return found.toarray() if hasattr(found, "toarray") else found


dense = lambda v: v.toarray().tolist()  # noqa: E731
listed = lambda v: v.tolist()  # noqa: E731
strings = lambda v: [str(x) for x in v]  # noqa: E731
WORDS = ["red green", "green blue", "blue red red", "white or grey"] * 5
LOGIT = (S + "linear_model.LogisticRegression", {"max_iter": 300})
TREE = (S + "tree.DecisionTreeClassifier", {"max_depth": 3, "random_state": 0})
RIDGE = (S + "linear_model.Ridge", {})
SCALE = (S + "preprocessing.StandardScaler", {})
BAYES = (S + "naive_bayes.GaussianNB", {})
SOME: Dict[str, Any] = {"n_estimators": 6, "random_state": 0}


def group(prefix: str, turn: int) -> None:
    """All kinds once, with other numbers each turn."""
    start(prefix)
    step = turn * 2
    models((
        ("ensemble.RandomForestClassifier", "class", {**SOME, "max_depth": 3 + step}), ("ensemble.RandomForestClassifier", "three", SOME),
        ("ensemble.RandomForestRegressor", "number", SOME), ("ensemble.GradientBoostingRegressor", "number", SOME),
        ("ensemble.HistGradientBoostingClassifier", "class", {"experimental": "enable_hist_gradient_boosting", "max_iter": 5 + step}),
        ("ensemble.HistGradientBoostingRegressor", "number", {"experimental": "enable_hist_gradient_boosting", "max_iter": 5 + step}),
        ("ensemble.IsolationForest", "only", SOME), ("ensemble.AdaBoostClassifier", "class", SOME),
        ("ensemble.BaggingClassifier", "class", {"base": TREE, **SOME}), ("tree.DecisionTreeClassifier", "three", {"max_depth": 4 + step, "random_state": 0}),
        ("tree.DecisionTreeRegressor", "number", {"max_depth": 4 + step, "random_state": 0}), ("linear_model.LogisticRegression", "class", {"C": 1.0 + turn}),
        ("linear_model.LogisticRegression", "three", {"max_iter": 300}), ("linear_model.LogisticRegression", "class", {"solver": "liblinear"}),
        ("linear_model.LogisticRegressionCV", "class", {"Cs": 3, "cv": 3}), ("linear_model.LinearRegression", "number", {}),
        ("linear_model.Ridge", "number", {"alpha": 0.5 + turn}), ("linear_model.HuberRegressor", "number", {}),
        ("linear_model.SGDClassifier", "class", {"random_state": 0, "max_iter": 30, "tol": None, "use": lambda v: v.predict(xy()[0][:5])}),
        ("linear_model.SGDRegressor", "number", {"random_state": 0, "max_iter": 30, "tol": None}),
        ("svm.SVC", "class", {"gamma": "scale", "probability": True, "random_state": 0}), ("svm.SVC", "three", {"gamma": "scale", "use": lambda v: v.decision_function(xy()[0][:4])}),
        ("svm.SVR", "number", {"gamma": "scale"}), ("svm.LinearSVC", "class", {"random_state": 0}), ("svm.OneClassSVM", "only", {"gamma": "scale"}),
        ("neighbors.KNeighborsClassifier", "class", {"algorithm": "kd_tree"}), ("neighbors.KNeighborsClassifier", "three", {"algorithm": "ball_tree"}),
        ("neighbors.KNeighborsClassifier", "class", {"algorithm": "brute", "n_neighbors": 3 + turn}), ("neighbors.NearestNeighbors", "only", {"use": nearest}),
        ("neighbors.LocalOutlierFactor", "only", {"novelty": True}), ("neighbors.KernelDensity", "only", {"bandwidth": 0.5 + turn}),
        ("naive_bayes.GaussianNB", "class", {}), ("discriminant_analysis.LinearDiscriminantAnalysis", "three", {}),
        ("neural_network.MLPClassifier", "class", {"hidden_layer_sizes": (6 + step,), "max_iter": 30, "random_state": 0}),
        ("neural_network.MLPRegressor", "number", {"hidden_layer_sizes": (6 + step,), "max_iter": 30, "random_state": 0}),
        ("gaussian_process.GaussianProcessRegressor", "number", {"random_state": 0}), ("isotonic.IsotonicRegression", "unfitted", {"use": lambda v: v.fit([1, 2, 3], [1, 3, 2]).predict([1.5])}),
        ("calibration.CalibratedClassifierCV", "class", {"base": BAYES, "cv": 3}), ("calibration.CalibratedClassifierCV", "class", {"base": TREE, "method": "isotonic", "cv": 3}),
        ("multiclass.OneVsRestClassifier", "three", {"base": LOGIT}), ("multioutput.MultiOutputRegressor", "two", {"base": RIDGE}),
        ("feature_selection.RFE", "class", {"base": LOGIT}), ("feature_selection.SelectKBest", "class", {"k": 2}), ("dummy.DummyClassifier", "class", {"strategy": "prior"}),
        ("cluster.KMeans", "only", {"n_clusters": 3 + turn, "n_init": 3, "random_state": 0}), ("cluster.Birch", "only", {"n_clusters": 3}), ("cluster.AgglomerativeClustering", "only", {"n_clusters": 3}),
        ("mixture.GaussianMixture", "only", {"n_components": 2, "random_state": 0}), ("decomposition.PCA", "only", {"n_components": 2 + turn}),
        ("decomposition.TruncatedSVD", "only", {"random_state": 0}), ("decomposition.NMF", "onlypositive", {"n_components": 2, "init": "nndsvd", "random_state": 0}),
        ("preprocessing.StandardScaler", "only", {}), ("preprocessing.MinMaxScaler", "only", {}), ("preprocessing.RobustScaler", "only", {}), ("preprocessing.PolynomialFeatures", "only", {"degree": 2 + turn}),
        ("preprocessing.PowerTransformer", "only", {}), ("preprocessing.QuantileTransformer", "only", {"n_quantiles": 10 + step}), ("preprocessing.KBinsDiscretizer", "only", {"n_bins": 3 + turn}),
        ("impute.SimpleImputer", "only", {}), ("impute.KNNImputer", "only", {}),
    ))  # fmt: skip
    for name, steps, kind in (
        ("scaled_logit", [("s", SCALE), ("m", LOGIT)], "class"), ("pca_tree", [("p", (S + "decomposition.PCA", {"n_components": 2})), ("m", TREE)], "class"),
        ("words", [("v", (S + "feature_extraction.text.TfidfVectorizer", {})), ("m", LOGIT)], "text"),
        ("counts", [("v", (S + "feature_extraction.text.CountVectorizer", {})), ("m", (S + "naive_bayes.MultinomialNB", {}))], "text"),
        ("scaled_ridge", [("s", SCALE), ("m", RIDGE)], "number"),
    ):  # fmt: skip
        asks: Any = (
            (lambda v: v.predict(["red or", "blue red"]).tolist()) if kind == "text" else None
        )
        model(PIPE, steps, kind=kind, name="pipe_" + name, by=by("joblib"), use=asks)
    shares = lambda v: v.predict_proba(frame().fillna(0).iloc[:4])  # noqa: E731
    for name, last, options in (
        ("logit", LOGIT, {}),
        ("pass", TREE, {"remainder": "passthrough"}),
    ):
        add(
            "columns_" + name,
            _columns(last, **options),
            shares,
            ("sklearn", "pandas"),
            by("joblib"),
        )  # type: ignore[arg-type]
    model(S + "ensemble.StackingClassifier", [("a", TREE), ("b", BAYES)], final_estimator=LOGIT, cv=3, name="stacked", by=by())  # fmt: skip
    model(S + "ensemble.VotingClassifier", [("a", TREE), ("b", LOGIT)], voting="soft", name="voted", by=by())  # fmt: skip
    model(S + "pipeline.FeatureUnion", [("s", SCALE), ("p", (S + "decomposition.PCA", {"n_components": 2}))], kind="only", name="union", by=by())  # fmt: skip
    model(S + "model_selection.RandomizedSearchCV", RIDGE, {"alpha": [0.1, 1.0, 3.0]}, kind="number", n_iter=2, cv=3, random_state=0, name="searched", by=by())  # fmt: skip
    model(S + "model_selection.GridSearchCV", TREE, {"max_depth": [1, 2 + turn]}, cv=3, name="gridded", by=by())  # fmt: skip
    values("sk_", (
        ("labels", "sklearn.preprocessing.LabelEncoder().fit(['low', 'mid', 'top'])", lambda v: v.transform(["mid"]).tolist()),
        ("onehot", "sklearn.preprocessing.OneHotEncoder(handle_unknown='ignore').fit([['a', 'x'], ['b', 'y']])", lambda v: v.transform([["b", "q"]]).toarray()),
        ("ordinal", "sklearn.preprocessing.OrdinalEncoder().fit([['a', 'x'], ['b', 'y']])", lambda v: v.transform([["b", "x"]])),
        ("target", "sklearn.preprocessing.TargetEncoder(cv=2, random_state=0).fit([['a'], ['b']] * 5, [0, 1] * 5)", lambda v: v.transform([["b"]])),
        ("tfidf", "sklearn.feature_extraction.text.TfidfVectorizer(max_features=%d).fit(%r)" % (5 + turn, WORDS), text),
        ("count", "sklearn.feature_extraction.text.CountVectorizer(lowercase=False).fit(%r)" % WORDS, text),
        ("hash", "sklearn.feature_extraction.text.HashingVectorizer(n_features=16)", text),
        ("dicts", "sklearn.feature_extraction.DictVectorizer(sparse=False).fit([{'a': 1, 'b': 'x'}])", lambda v: v.transform([{"a": 2}])),
        ("folds", "sklearn.model_selection.KFold(%d, shuffle=True, random_state=0)" % (3 + turn), lambda v: v.get_n_splits()),
        ("abs", "sklearn.preprocessing.FunctionTransformer(numpy.abs)", lambda v: v.transform(xy()[0][:3])),
    ), "sklearn numpy sklearn.preprocessing sklearn.model_selection sklearn.feature_extraction sklearn.feature_extraction.text")  # fmt: skip
    boosts((
        ("xgboost", "XGBClassifier", "xg_class", "plain", {"max_depth": 3 + turn}), ("xgboost", "XGBRegressor", "xg_number", "number", {"max_depth": 3, "learning_rate": 0.2 + turn / 10}),
        ("xgboost", "XGBClassifier", "xg_three", "three", {"max_depth": 2}), ("xgboost", "XGBRFClassifier" if turn else "XGBRFRegressor", "xg_forest", "plain", {"max_depth": 3}),
        ("lightgbm", "LGBMClassifier", "lg_class", "plain", {"min_child_samples": 3 + turn}), ("lightgbm", "LGBMRegressor", "lg_number", "number", {"min_child_samples": 3, "num_leaves": 7 + step}),
        ("lightgbm", "LGBMClassifier", "lg_three", "three", {"min_child_samples": 3}),
    ))  # fmt: skip
    boosters((("xgboost", "xg_raw", {"max_depth": 3, "objective": "binary:logistic"}), ("xgboost", "xg_rawline", {"objective": "reg:linear" if turn else "binary:logitraw", "max_depth": 2}),
              ("lightgbm", "lg_raw", {"objective": "binary", "verbose": -1, "min_data_in_leaf": 3, "num_threads": 1}), ("lightgbm", "lg_rawline", {"objective": "regression", "verbose": -1, "min_data_in_leaf": 3, "num_threads": 1})))  # fmt: skip
    add("xg_pipe", lambda: named(PIPE)([("s", named(SCALE[0])()), ("m", named("xgboost.XGBClassifier")(n_estimators=4, max_depth=2))]).fit(*xy()), lambda v: v.predict_proba(xy()[0][:4]), ("xgboost", "sklearn"), by("joblib"))  # fmt: skip
    values("np_", (
        ("c", "numpy.arange(%d.0).reshape(2, -1)" % (6 + step), listed), ("f", "numpy.asfortranarray(numpy.arange(%d.0).reshape(3, -1))" % (9 + 3 * turn), listed), ("big", "numpy.arange(5, dtype='>i4')", listed),
        ("object", "numpy.array(['a', %d, None], dtype=object)" % turn, len), ("dates", "numpy.array(['2024-01-0%d', 'NaT'], 'M8[D]')" % (2 + turn), strings), ("matrix", "numpy.matrix([[1.5, 2.5], [3.5, %d.5]])" % turn, lambda v: (v * v).tolist()),
        ("struct", "numpy.array([(1, 2.5)], dtype=[('a', 'i4'), ('b', 'f8')])", lambda v: float(v["b"][0])), ("texts", "numpy.array(['\\u00e9a', 'b'])", strings), ("bools", "numpy.array([True, False, True])", listed),
        ("masked", "numpy.ma.masked_array([1.5, 2.5, 3.5], mask=[0, 1, 0])", lambda v: v.filled(0).tolist()), ("scalar", "numpy.float64(%d.25)" % turn, float), ("small", "numpy.float32(0.5)", float), ("poly", "numpy.poly1d([1, 2, %d])" % turn, lambda v: float(v(2.0))),
        ("dtype", "numpy.dtype('f4')", str), ("ufunc", "numpy.log1p" if turn else "numpy.sqrt", lambda v: float(v(4.0))), ("state", "numpy.random.RandomState(%d)" % turn, lambda v: v.rand(2).tolist()), ("pcg", "numpy.random.default_rng(%d)" % turn, lambda v: v.random(2).tolist()),
        ("twister", "numpy.random.Generator(numpy.random.MT19937(%d))" % turn, lambda v: v.random(2).tolist()), ("bits", "numpy.random.Philox(3)" if turn else "numpy.random.PCG64(3)", lambda v: int(v.random_raw()) % 97), ("seeds", "numpy.random.SeedSequence(%d)" % (7 + turn), lambda v: int(v.generate_state(1)[0]) % 97),
        ("strings", "numpy.array(['aa', 'b'], dtype=numpy.dtypes.StringDType())", strings),
    ), "numpy numpy.random numpy.ma")  # fmt: skip
    values("pd_", (
        ("basic", "pandas.DataFrame({'a': [1, 2, %d], 'b': [1.5, 2.5, None], 'c': ['x', 'y', 'z']})" % (3 + turn), cells), ("ints", "pandas.DataFrame({'a': [1.5, 2.5]}, index=[%d, 9])" % (7 + turn), cells), ("naive", "pandas.DataFrame({'t': pandas.date_range('2024-01-01', periods=%d)})" % (2 + turn), cells),
        ("string", "pandas.DataFrame({'s': pandas.array(['a', None], dtype='string')})", cells), ("zoned", "pandas.DataFrame({'a': [1, 2]}, index=pandas.date_range('2024-01-01', periods=2, tz='Europe/Berlin'))", cells), ("utc", "pandas.DataFrame({'t': pandas.date_range('2024-01-01', periods=2, tz='UTC')})", cells),
        ("multi", "pandas.DataFrame({'v': [1.5, 2.5]}, index=pandas.MultiIndex.from_tuples([('a', 1), ('b', 2)]))", cells), ("cat", "pandas.DataFrame({'c': pandas.Categorical(['x', 'y', 'x'])})", cells), ("empty", "pandas.DataFrame()", lambda v: list(v.shape)), ("floats", "pandas.DataFrame({'a': [1, 2]}, index=[0.5, 1.5])", cells),
        ("series", "pandas.Series([1.5, 2.5, %d.5], name='n')" % turn, cells), ("period", "pandas.Series(pandas.period_range('2024-01', periods=2, freq='M'))", strings), ("thin", "pandas.Series(pandas.arrays.SparseArray([0.0, 0.0, 1.5]))", cells), ("nullable", "pandas.Series([1, None], dtype='Int64')", cells),
        ("interval", "pandas.IntervalIndex.from_breaks([0, 1, %d])" % (2 + turn), strings), ("words", "pandas.Index(['a', 'b'])", strings), ("lags", "pandas.to_timedelta(['1h', '%dh'])" % (2 + turn), strings), ("ordered", "pandas.Series(pandas.Categorical(['lo'], categories=['lo', 'hi'], ordered=True))", strings),
        ("ranged", "pandas.DataFrame({'a': [True, False]}).T", cells), ("wide", "pandas.DataFrame([[%d, 'a', 2.5]] * 3)" % turn, cells), ("grouped", "pandas.DataFrame({'k': ['a', 'b', 'a'], 'v': [1, 2, 3]}).groupby('k').sum()", cells),
    ), "pandas", "topickle")  # fmt: skip
    values("pd_", (
        ("na", "pandas.NA", str), ("nat", "pandas.NaT", str), ("stamp", "pandas.Timestamp('2024-05-0%d 07:08')" % (1 + turn), str), ("stamped", "pandas.Timestamp('2024-05-06', tz='Europe/Berlin')", str), ("lag", "pandas.Timedelta(hours=%d)" % (3 + turn), str), ("span", "pandas.Period('2024-0%d')" % (3 + turn), str),
        ("catd", "pandas.CategoricalDtype(['a', 'b'])", str), ("offset", "pandas.offsets.MonthEnd(2)" if turn else "pandas.offsets.BDay(2)", lambda v: v.n), ("between", "pandas.Interval(0, %d)" % (1 + turn), str),
    ), "pandas")  # fmt: skip
    for name, text_, use, home in (
        ("csr", "scipy.sparse.csr_matrix([[0, %d.5], [1, 0]])" % (1 + turn), dense, "sparse"), ("csc", "scipy.sparse.csc_matrix([[0, 1.5]])", dense, "sparse"), ("coo", "scipy.sparse.coo_matrix([[0, 2.5]])", dense, "sparse"), ("array", "scipy.sparse.csr_array([[0, 1.5]])", dense, "sparse"),
        ("line", "scipy.interpolate.interp1d(%r, %r)" % (X5, Y5), lambda v: float(v(1.5)), "interpolate"), ("spline", "scipy.interpolate.UnivariateSpline(%r, %r)" % (X5, Y5) if turn else "scipy.interpolate.CubicSpline(%r, %r)" % (X5, Y5), lambda v: float(v(1.5)), "interpolate"),
        ("ckd", "scipy.spatial.cKDTree(%r)" % (table(12, 3),), lambda v: float(v.query([0.1, 0.2, 0.3])[0]), "spatial"), ("kd", "scipy.spatial.KDTree(%r)" % (table(12, 3),), lambda v: float(v.query([0.1, 0.2, 0.3])[0]), "spatial"), ("norm", "scipy.stats.norm(%d, 2)" % turn, lambda v: float(v.cdf(1.2)), "stats"),
        ("gamma", "scipy.stats.expon(0, 2)" if turn else "scipy.stats.gamma(2.0)", lambda v: float(v.cdf(1.2)), "stats"), ("kde", "scipy.stats.gaussian_kde([0.0, 0.5, 2.0, %d])" % turn, lambda v: float(v([1.0])[0]), "stats"), ("expit", "scipy.special.expit", lambda v: float(v(0.3)), "special"),
    ):  # fmt: skip
        value("sp_" + name, text_, use, by(), "scipy numpy scipy." + home)
    for name, text_, use, home in (
        ("ordered", "collections.OrderedDict([('a', %d), ('b', [1.5])])" % turn, dict, "collections"), ("bytes", "b'\\x00\\xff\\xfe abc' * %d" % (1 + turn), len, "operator"), ("when", "datetime.datetime(2024, 2, 3, 4, 5, %d)" % turn, str, "datetime"), ("signature", "inspect.signature(lambda a, b=%d: a)" % turn, str, "inspect"),
        ("deque", "collections.deque([1, 2, 3], maxlen=%d)" % (3 + turn), list, "collections"), ("getter", "operator.itemgetter(1, %d)" % turn, lambda v: v("abc")[0], "operator"), ("default", "collections.defaultdict(list, a=[%d])" % turn, dict, "collections"), ("counter", "collections.Counter('abca')", dict, "collections"),
        ("template", "string.Template('$a b')", lambda v: v.substitute(a=1), "string"), ("windows", "pathlib.PureWindowsPath('c:/a/b%d')" % turn, str, "pathlib"), ("pure", "pathlib.PurePosixPath('/a/b%d')" % turn, str, "pathlib"), ("here", "pathlib.Path('/a/b')", str, "pathlib"), ("flag", "re.IGNORECASE" if turn else "re.MULTILINE", int, "re"),
        ("array", "array.array('d', [1.5, %d])" % turn, list, "array"), ("optional", "typing.Optional[int]", lambda v: v is not None, "typing"), ("callable", "typing.Callable[[int], int]", lambda v: v is not None, "typing"), ("space", "types.SimpleNamespace(a=1, b=%d)" % turn, lambda v: v.b, "types"), ("logger", "logging.getLogger('audit')", lambda v: v.name, "logging"),
        ("fraction", "fractions.Fraction(3, %d)" % (5 + turn), str, "fractions"), ("decimal", "decimal.Decimal('1.%d')" % turn, str, "decimal"), ("random", "random.Random(%d)" % turn, lambda v: v.random(), "random"), ("normal", "statistics.NormalDist(%d, 2)" % turn, lambda v: v.cdf(1), "statistics"), ("address", "ipaddress.ip_address('10.0.0.%d')" % turn, str, "ipaddress"),
        ("error", "ValueError('bad', %d)" % turn, lambda v: list(v.args), "operator"), ("uuid", "uuid.UUID(int=%d)" % (12 + turn), str, "uuid"), ("builtin", "len" if turn else "sorted", lambda v: v([1]) in (1, [1]), "operator"), ("zone", "zoneinfo.ZoneInfo('Europe/Paris')", str, "zoneinfo"), ("generic", "list[int]", str, "operator"), ("union", "int | str", str, "operator"),
        ("pattern", "re.compile('a+b', re.I)", lambda v: bool(v.match("AAB")), "re"), ("delta", "datetime.timedelta(%d, 5)" % turn, str, "datetime"), ("aware", "datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)", str, "datetime"), ("partial", "functools.partial(int, base=%d)" % (2 + turn), lambda v: v("101"), "functools"),
        ("plain", "{'a': [1, 2.5, None, True], 'b': ('x', b'y'), 'c': {1, %d}}" % (2 + turn), len, "operator"), ("bound", "'-'.join", lambda v: v(["a", "b"]), "operator"), ("slice", "slice(1, %d)" % (5 + turn), str, "operator"), ("ranged", "range(%d)" % (3 + turn), list, "operator"), ("complex", "complex(1, %d)" % turn, str, "operator"),
    ):  # fmt: skip
        value("std_" + name, text_, use, by(), home)
    shops((
        ("shop", "tier", lambda: _of("shop", "Tier").GOLD, lambda v: v.name), ("shop", "access", lambda: _of("shop", "Access").READ | _of("shop", "Access").WRITE, int), ("shop", "basket", lambda: _of("shop", "Basket")([1], 2.5 + turn), lambda v: v[1]), ("shop", "clean", lambda: _of("shop", "clean"), lambda v: v(2)),
        ("shop", "rule", lambda: _of("shop", "Rule")(1.0, 2.0 + turn), lambda v: v.run(2.0)), ("shop", "settings", lambda: _of("shop", "Settings")("a", 0.5), str), ("fleet", "leg", lambda: _of("fleet", "Leg")("q", 2.5 + turn), lambda v: v.km), ("fleet", "stop", lambda: _of("fleet", "Stop")("a", 3), lambda v: v.km),
    ))  # fmt: skip
    add("project_model", lambda: _of("shop", "ThresholdModel")(0.1 * turn).fit(*xy()), lambda v: v.predict(xy()[0][:5]), ("sklearn", "shop"), by("joblib", "cloudpickle"))  # fmt: skip
    add("project_cleaned", lambda: named(S + "preprocessing.FunctionTransformer")(_of("shop", "clean")), lambda v: v.transform(xy()[0][:3]), ("sklearn", "shop"), by("joblib", "cloudpickle"))  # fmt: skip
    number = 3 + turn
    functions((
        ("lambda", "made = lambda x: x * %d + 1\n" % number, lambda f: f(2.0)), ("numpy", "import numpy as np\nmade = lambda x: float(np.sqrt(np.asarray(x) + %d).sum())\n" % number, lambda f: f([1.0, 2.0])),
        ("plain", "LIMIT = %d\ndef made(x, low=0):\n    return max(low, min(x, LIMIT)) / 2\n" % number, lambda f: f(9.0)), ("control", "def made(xs):\n    out = []\n    for i, x in enumerate(xs):\n        if x > %d:\n            continue\n        try:\n            out.append(1 / x)\n        except ZeroDivisionError:\n            out.append(None)\n    return out\n" % number, lambda f: f([1, 0, 9])),
        ("closure", "def outer(k):\n    def made(x):\n        return x + k\n    return made\nmade = outer(%d)\n" % number, lambda f: f(2.0)), ("class", "class Thing:\n    def __init__(self, a):\n        self.a = a\n    def run(self, x):\n        return self.a * x\nmade = Thing\n", lambda f: f(2).run(3)),
        ("instance", "class Thing:\n    def __init__(self, a):\n        self.a = a\n    def run(self, x):\n        return self.a * x\nmade = Thing(%d)\n" % number, lambda f: f.run(3)), ("enum", "import enum\nclass Kind(enum.Enum):\n    A = 1\n    B = %d\nmade = Kind.B\n" % number, lambda f: f.name),
        ("kwonly", "def made(x, *, scale=%d):\n    return x * scale\n" % number, lambda f: f(2.0)), ("words", "import re\nmade = lambda s: re.sub('a+', 'b', s)\n", lambda f: f("caat")), ("comp", "made = lambda n: {i: [j for j in range(i)] for i in range(n)}\n", lambda f: len(f(3))),
        ("gen", "def made(n):\n    def inner():\n        for i in range(n):\n            yield i * %d\n    return sum(inner())\n" % number, lambda f: f(4)), ("fstring", "made = lambda x: f'{x:.2f}-{x!r}'\n", lambda f: f(2.0)),
    ))  # fmt: skip
    mains((
        ("function", "def double(x):\n    return x * %d\nmade = double\n" % number, lambda f: f(2)), ("class", "class Made:\n    pass\nmade = Made\n", str), ("instance", "class Rate:\n    def __init__(self):\n        self.a = %d\nmade = Rate()\n" % number, lambda v: v.a), ("enum", "import enum\nclass Sort(enum.Enum):\n    A = 1\nmade = Sort.A\n", str),
    ))  # fmt: skip

    def pipe_of(text_: str) -> Callable[[], Any]:
        return lambda: named(PIPE)(
            [("f", of_main(text_)), ("m", named(LOGIT[0])(max_iter=300))]
        ).fit(*xy())

    halve = "from sklearn.base import BaseEstimator, TransformerMixin\nclass Halve(BaseEstimator, TransformerMixin):\n    def fit(self, x, y=None):\n        return self\n    def transform(self, x):\n        return x / 2\nmade = Halve()\n"
    add("main_pipe", pipe_of(halve), lambda v: v.predict_proba(xy()[0][:4]), ("sklearn",), ("pickle", "joblib", "cloudpickle", "dill"))  # fmt: skip
    lifted = "from sklearn.preprocessing import FunctionTransformer\nmade = FunctionTransformer(lambda x: x + %d)\n" % number  # fmt: skip
    add("main_lambda", pipe_of(lifted), lambda v: v.predict_proba(xy()[0][:4]), ("sklearn",), ("cloudpickle", "dill"))  # fmt: skip
    flips = ("pickle@flipm",) if turn else ("pickle@flipt",)
    hurt("labels", lambda: named(S + "preprocessing.LabelEncoder")().fit(["low", "mid", "top"]), lambda v: v.transform(["mid"]).tolist(), "sklearn", turn)  # fmt: skip
    hurt("logit", lambda: named(LOGIT[0])(max_iter=300).fit(*xy()), lambda v: v.predict_proba(xy()[0][:4]), "sklearn", 3 + turn, *flips)  # fmt: skip
    hurt("forest", lambda: named(S + "ensemble.RandomForestClassifier")(**SOME).fit(*xy()), lambda v: v.predict_proba(xy()[0][:4]), "sklearn", 7 + turn, *flips)  # fmt: skip
    hurt("frame", lambda: named("pandas.DataFrame")({"a": [1, 2], "b": [1.5, number], "c": ["x", "y"]}), cells, "pandas", 11 + turn, *flips)  # fmt: skip
    hurt("array", lambda: named("numpy.arange")(40.0).reshape(8, 5), listed, "numpy", 14 + turn)
    hurt("objects", lambda: named("numpy.array")(["a", number, None], dtype=object), len, "numpy", 19 + turn)  # fmt: skip
    for made in ("lambda", "instance"):
        recipe = RECIPES[prefix + "fn_" + made][2]
        RECIPES[prefix + "fn_hurt_" + made] = (("cloudpickle",), ("pickle@dill", "joblib@cloudpickle", "pickle@cut-cloudpickle", "pickle@last-dill"), recipe)  # fmt: skip
        USES[prefix + "fn_hurt_" + made] = USES[prefix + "fn_" + made]


def siblings() -> None:
    """Of the same modules as the others, and not among them."""
    for path, kind, options in (
        ("ensemble.ExtraTreesClassifier", "class", SOME), ("ensemble.ExtraTreesRegressor", "number", SOME), ("ensemble.GradientBoostingClassifier", "class", SOME), ("ensemble.AdaBoostRegressor", "number", SOME),
        ("ensemble.BaggingRegressor", "number", SOME), ("ensemble.RandomTreesEmbedding", "only", SOME), ("linear_model.Lasso", "number", {"alpha": 0.01}), ("linear_model.ElasticNet", "number", {"alpha": 0.01}),
        ("linear_model.RidgeCV", "number", {}), ("linear_model.LassoCV", "number", {"cv": 3}), ("linear_model.RidgeClassifier", "class", {"use": lambda v: v.predict(xy()[0][:5])}), ("linear_model.BayesianRidge", "number", {}),
        ("linear_model.PoissonRegressor", "positive", {}), ("linear_model.Perceptron", "class", {"random_state": 0, "use": lambda v: v.predict(xy()[0][:5])}), ("svm.NuSVC", "class", {"gamma": "scale", "nu": 0.3, "use": lambda v: v.predict(xy()[0][:5])}),
        ("svm.LinearSVR", "number", {"random_state": 0, "max_iter": 3000}), ("svm.NuSVR", "number", {"gamma": "scale"}), ("neighbors.KNeighborsRegressor", "number", {}), ("neighbors.RadiusNeighborsRegressor", "number", {"radius": 9.0}),
        ("neighbors.NearestCentroid", "class", {"use": lambda v: v.predict(xy()[0][:5])}), ("naive_bayes.BernoulliNB", "class", {}), ("naive_bayes.GaussianNB", "three", {}), ("discriminant_analysis.QuadraticDiscriminantAnalysis", "class", {}),
        ("gaussian_process.GaussianProcessClassifier", "class", {"random_state": 0}), ("multiclass.OneVsOneClassifier", "three", {"base": LOGIT}), ("multioutput.RegressorChain", "two", {"base": RIDGE}), ("feature_selection.SelectFromModel", "class", {"base": TREE}),
        ("feature_selection.SelectPercentile", "class", {}), ("feature_selection.VarianceThreshold", "only", {}), ("dummy.DummyRegressor", "number", {}), ("cluster.MiniBatchKMeans", "only", {"n_clusters": 3, "n_init": 3, "random_state": 0}),
        ("cluster.DBSCAN", "only", {"eps": 1.5}), ("mixture.BayesianGaussianMixture", "only", {"n_components": 2, "random_state": 0}), ("decomposition.IncrementalPCA", "only", {"n_components": 2}), ("decomposition.FastICA", "only", {"n_components": 2, "random_state": 0}),
        ("decomposition.KernelPCA", "only", {"n_components": 2}), ("decomposition.FactorAnalysis", "only", {"n_components": 2}), ("preprocessing.Normalizer", "only", {}), ("preprocessing.MaxAbsScaler", "only", {}), ("preprocessing.SplineTransformer", "only", {}),
        ("preprocessing.Binarizer", "only", {}), ("impute.MissingIndicator", "only", {"features": "all"}), ("kernel_approximation.Nystroem", "only", {"n_components": 5, "random_state": 0}), ("cross_decomposition.PLSRegression", "two", {}),
    ):  # fmt: skip
        models(((path, kind, options),))
    values("np_", (
        ("half", "numpy.arange(4, dtype='f2')", listed), ("lag", "numpy.array([1, 2], dtype='m8[s]')", strings), ("bytes", "numpy.array([b'ab', b'c'])", len), ("complex", "numpy.array([1 + 2j])", strings), ("record", "numpy.rec.array([(1, 2.0)], names='a,b')", lambda v: float(v.b[0])),
        ("int8", "numpy.int8(3)", int), ("stamp", "numpy.datetime64('2024-01-02')", str), ("text", "numpy.str_('a')", str), ("none", "numpy.empty((0, 3))", lambda v: list(v.shape)), ("sfc", "numpy.random.Generator(numpy.random.SFC64(5))", lambda v: v.random(2).tolist()),
    ), "numpy numpy.random")  # fmt: skip
    values("pd_", (
        ("bools", "pandas.DataFrame({'a': [True, False], 'b': [1, 2]})", cells), ("dates", "pandas.DataFrame({'t': pandas.to_datetime(['2024-01-01', None]), 'v': [1.5, 2.5]})", cells), ("hours", "pandas.Series([1, 2], index=pandas.date_range('2024-01-01', periods=2, freq=pandas.offsets.Hour(2)))", cells),
        ("levels", "pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_product([['a'], ['x', 'y']]))", lambda v: v.values.tolist()), ("mixed", "pandas.Series([1, 'a', None])", cells), ("flags", "pandas.Series([True, None], dtype='boolean')", cells), ("periods", "pandas.period_range('2024-01', periods=2, freq='D')", strings),
        ("catix", "pandas.CategoricalIndex(['a', 'b'])", strings), ("span", "pandas.RangeIndex(1, 7, 2)", list), ("multi", "pandas.MultiIndex.from_arrays([[1, 2], ['a', 'b']], names=['n', 't'])", strings), ("thin", "pandas.DataFrame({'a': pandas.arrays.SparseArray([0, 0, 1])})", cells),
    ), "pandas", "topickle")  # fmt: skip
    for name, text_, use, home in (
        ("chain", "collections.ChainMap({'a': 1}, {'b': 2})", dict, "collections"), ("user", "collections.UserDict({'a': 1})", dict, "collections"), ("caller", "operator.methodcaller('upper')", lambda v: v("a"), "operator"), ("attr", "operator.attrgetter('real')", lambda v: v(3), "operator"), ("day", "datetime.date(2024, 5, 6)", str, "datetime"),
        ("time", "datetime.time(4, 5)", str, "datetime"), ("network", "ipaddress.ip_network('10.0.0.0/24')", str, "ipaddress"), ("key", "KeyError('a')", str, "operator"), ("frozen", "frozenset([1, 2])", sorted, "operator"), ("array", "bytearray(b'ab')", len, "operator"), ("level", "enum.Enum('Level', 'A B', module='shop')", str, "enum"),
        ("proxy", "types.MappingProxyType", str, "types"), ("union", "typing.Union[int, str]", lambda v: v is not None, "typing"), ("list", "typing.List[int]", lambda v: v is not None, "typing"), ("signal", "signal.SIGINT", int, "signal"), ("http", "http.HTTPStatus.OK", int, "http"), ("fold", "datetime.datetime(2024, 1, 2, 3, fold=1)", str, "datetime"),
    ):  # fmt: skip
        value("std_sib_" + name, text_, use, by(), home)
    functions((
        ("star", "def made(*xs, **more):\n    return sum(xs) + len(more)\n", lambda f: f(1, 2, a=3)), ("nested", "def made(x):\n    def inner(y):\n        return y + x\n    return inner(2)\n", lambda f: f(3)), ("partial", "import functools\nmade = functools.partial(lambda a, b: a - b, b=2)\n", lambda f: f(5)),
        ("while", "def made(n):\n    t = 0\n    while n:\n        n -= 1\n        if n % 2:\n            continue\n        t += n\n    return t\n", lambda f: f(6)), ("with", "import io\ndef made(t):\n    with io.StringIO(t) as f:\n        return f.read().upper()\n", lambda f: f("a")), ("prop", "class Thing:\n    def __init__(self):\n        self.k = 2\n    @property\n    def twice(self):\n        return self.k * 2\nmade = Thing()\n", lambda v: v.twice),
        ("child", "class Base:\n    def run(self):\n        return 1\nclass Child(Base):\n    def run(self):\n        return super().run() + 1\nmade = Child()\n", lambda v: v.run()), ("dictc", "made = lambda xs: {x: x * x for x in xs if x}\n", lambda f: sorted(f([0, 1, 2]).values())), ("cond", "made = lambda x: 'a' if x > 1 else 'b'\n", lambda f: f(2)),
    ))  # fmt: skip


group("fair-", 0)
group("peer-", 1)
siblings()
# What Python 2 writes (``worker27.py``), by the same names.
PYTHON2: Dict[str, Use] = {
    "GaussianNB": lambda v: v.predict_proba(xy()[0][:4]), "KMeans": lambda v: v.predict(xy()[0][:4]), "LabelEncoder": lambda v: v.transform(["mid"]).tolist(),
    "words": lambda v: v.predict(["red or", "blue red"]).tolist(), "forest": lambda v: v.predict_proba(xy()[0][:4]), "logit": lambda v: v.predict_proba(xy()[0][:4]), "tree": lambda v: v.predict(xy()[0][:4]),
    "imputer": lambda v: v.transform(xy()[0][:4]), "scaler": lambda v: v.transform(xy()[0][:4]), "tfidf": text, "frame": cells, "naive": cells, "series": cells, "texts": len, "array": listed,
    "state": lambda v: v.rand(2).tolist(), "float64": float, "when": str, "ordered": dict, "text": str, "unicode": str, "csr": dense, "plain": len, "instance": lambda v: v.a, "oldstyle": lambda v: v.a, "lambda": lambda v: v(2.0), "default": dict, "set": sorted, "long": int,
}  # fmt: skip
USES.update({"py2-" + name: use for name, use in PYTHON2.items()})

__all__: List[str] = ["group", "usual"]
