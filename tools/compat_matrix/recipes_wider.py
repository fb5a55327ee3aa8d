"""More recipes: compositions of estimators, standard objects, functions, other libraries.

Each brings its own use; a third of them (``SECOND``) is meant for figures on what nothing was
mended with: ``--recipes first-`` and ``--recipes second-`` name the two halves.
"""

import collections
import datetime
import decimal
import functools
import hashlib
import importlib
import math
import operator
from typing import Any, Callable, Dict, Optional, Tuple

from recipes import RECIPES, USES, X5, Y5, frame, table, xy

Use = Callable[[Any], Any]
FUNCTIONS = ("cloudpickle", "dill")


def half(name: str) -> str:
    """The half that a recipe belongs to, by its name alone."""
    return "second-" if hashlib.md5(name.encode()).digest()[0] % 3 == 0 else "first-"


# How the name of a recipe begins, from that name; another module of recipes sets its own.
GROUPS = [half]


def add(
    name: str, make: Callable[[], Any], use: Use, needs: Tuple[str, ...], by: Tuple[str, ...]
) -> None:
    full = GROUPS[-1](name) + name
    RECIPES[full] = (needs, by, make)
    USES[full] = use


def wider(
    *needs: str, by: Tuple[str, ...] = ("pickle",), use: Optional[Use] = None
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def keep(make: Callable[[], Any]) -> Callable[[], Any]:
        add(make.__name__.strip("_"), make, use or answer, needs, by)
        return make

    return keep


def named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def answer(value: Any) -> Any:
    """What a server would ask of a fitted model; of another object, what it is."""
    x = xy()[0][:5]
    for method in ("predict_proba", "predict", "transform", "score_samples"):
        if hasattr(value, method):
            return getattr(value, method)(x)
    if hasattr(value, "labels_"):
        return value.labels_
    return value


# ---- compositions of scikit-learn ----

WORDS = ["red green", "green blue", "blue red red", "white or grey"] * 5
LABELS = [0, 1, 2, 1] * 5


def model(
    path: str, *parts: Any, kind: str = "class", use: Optional[Use] = None,
    by: Tuple[str, ...] = ("pickle",), name: str = "", **options: Any
) -> None:  # fmt: skip
    """A fitted estimator; ``parts`` are given by place, ("path", options) standing for estimators."""

    def one(part: Any) -> Any:
        if isinstance(part, tuple) and len(part) == 2 and isinstance(part[1], dict):
            return named(part[0])(**{k: one(v) for k, v in part[1].items()})
        if isinstance(part, list):
            return [one(p) if not _pair(p) else (p[0], one(p[1])) for p in part]
        return part

    def make() -> Any:
        if "experimental" in options:
            importlib.import_module("sklearn.experimental." + options["experimental"])
        rest = {k: one(v) for k, v in options.items() if k != "experimental"}
        made = named(path)(*[one(p) for p in parts], **rest)
        x, y = xy()
        if kind == "unfitted":
            return made
        if kind == "number":
            return made.fit(x, x[:, 0] * 2 + 1)
        if kind == "positive":
            return made.fit(abs(x), abs(x[:, 0]) + 1)
        if kind == "two":
            return made.fit(x, x[:, :2])
        if kind == "three":
            return made.fit(x, [i % 3 for i in range(len(x))])
        if kind == "text":
            return made.fit(WORDS, LABELS)
        if kind == "only":
            return made.fit(x)
        if kind == "onlypositive":
            return made.fit(abs(x))
        if kind == "frame":
            return made.fit(frame(), y)
        return made.fit(x, y)

    uses: Dict[str, Use] = {
        "text": lambda value: [
            v.tolist() if hasattr(v, "tolist") else v for v in value.predict(WORDS[:4])
        ],
        "frame": lambda value: value.predict(frame().iloc[:5]),
        "onlypositive": lambda value: value.transform(abs(xy()[0][:5])),
    }
    add(
        name or path.rpartition(".")[2],
        make,
        use or uses.get(kind, answer),
        ("sklearn", "pandas") if kind == "frame" else ("sklearn",),
        by,
    )


def _pair(part: Any) -> bool:
    return isinstance(part, tuple) and len(part) == 2 and not isinstance(part[1], dict)


S = "sklearn."
LOGIT = (S + "linear_model.LogisticRegression", {"solver": "liblinear"})
SVC_ = (S + "svm.LinearSVC", {"random_state": 0})
TREE = (S + "tree.DecisionTreeClassifier", {"max_depth": 2, "random_state": 0})
REGRESSION_TREE = (S + "tree.DecisionTreeRegressor", {"max_depth": 2, "random_state": 0})
RIDGE = (S + "linear_model.Ridge", {"alpha": 0.5})
NAIVE = (S + "naive_bayes.GaussianNB", {})
SCALE = (S + "preprocessing.StandardScaler", {})
NEAR = (S + "neighbors.KNeighborsClassifier", {"n_neighbors": 3})
BOTH = ("pickle", "joblib", "joblib-zlib")
MANY = ("pickle", "joblib", "joblib-zlib", "cloudpickle", "dill", "joblib@pickle", "pickle@joblib")

model(S + "pipeline.Pipeline", [("v", (S + "feature_extraction.text.TfidfVectorizer",
      {"ngram_range": (1, 2), "sublinear_tf": True})), ("m", SVC_)], kind="text", by=MANY,
      name="text_tfidf_svc")  # fmt: skip
model(S + "pipeline.Pipeline", [("u", (S + "pipeline.FeatureUnion", {"transformer_list": [
      ("a", (S + "feature_extraction.text.CountVectorizer", {"analyzer": "char_wb"})),
      ("b", (S + "feature_extraction.text.TfidfVectorizer", {"stop_words": "english"}))]})),
      ("m", LOGIT)], kind="text", by=BOTH, name="text_union_logit")  # fmt: skip
model(S + "pipeline.Pipeline", [("v", (S + "feature_extraction.text.HashingVectorizer",
      {"n_features": 32})), ("t", (S + "feature_extraction.text.TfidfTransformer", {})),
      ("m", (S + "linear_model.SGDClassifier", {"random_state": 0, "max_iter": 20, "tol": None}))],
      kind="text", name="text_hash_sgd")  # fmt: skip
model(S + "pipeline.Pipeline", [("s", (S + "preprocessing.RobustScaler", {})),
      ("p", (S + "preprocessing.PolynomialFeatures", {"interaction_only": True})),
      ("m", (S + "linear_model.Lasso", {"alpha": 0.01}))], kind="number", by=MANY,
      name="robust_poly_lasso")  # fmt: skip
model(S + "pipeline.Pipeline", [("k", (S + "preprocessing.KBinsDiscretizer", {"n_bins": 3})),
      ("m", LOGIT)], name="kbins_logit", by=BOTH)  # fmt: skip
model(S + "preprocessing.KBinsDiscretizer", kind="only", n_bins=4, encode="ordinal",
      strategy="uniform", name="kbins_ordinal")  # fmt: skip
model(S + "impute.IterativeImputer", kind="only", experimental="enable_iterative_imputer",
      max_iter=3, random_state=0)  # fmt: skip
model(S + "impute.SimpleImputer", kind="only", strategy="median", add_indicator=True,
      name="median_indicator")  # fmt: skip
model(S + "ensemble.HistGradientBoostingClassifier", kind="three", max_iter=4, min_samples_leaf=4,
      experimental="enable_hist_gradient_boosting", by=BOTH, name="hist_three")  # fmt: skip
model(S + "ensemble.HistGradientBoostingRegressor", kind="positive", max_iter=4, loss="poisson",
      experimental="enable_hist_gradient_boosting", name="hist_poisson")  # fmt: skip
model(S + "ensemble.HistGradientBoostingClassifier", max_iter=5, early_stopping=True,
      random_state=0, name="hist_stopping")  # fmt: skip
model(S + "gaussian_process.GaussianProcessClassifier", name="gpc")
model(S + "gaussian_process.GaussianProcessRegressor", kind="number", name="gpr_matern",
      kernel=(S + "gaussian_process.kernels.Matern", {"nu": 1.5}))  # fmt: skip
model(S + "neural_network.MLPRegressor", kind="number", hidden_layer_sizes=(5,), solver="lbfgs",
      max_iter=15, random_state=0, by=BOTH)  # fmt: skip
model(S + "neural_network.MLPClassifier", hidden_layer_sizes=(5, 3), early_stopping=True,
      max_iter=10, random_state=0, name="mlp_stopping")  # fmt: skip
model(S + "neural_network.BernoulliRBM", kind="only", n_components=3, n_iter=2, random_state=0)
model(S + "svm.SVC", kind="three", kernel="poly", gamma="scale", probability=True,
      class_weight="balanced", random_state=0, by=BOTH, name="svc_poly")  # fmt: skip
model(S + "svm.OneClassSVM", kind="only", gamma="scale")
model(S + "svm.NuSVC", gamma="scale", nu=0.3)
model(S + "svm.SVR", kind="number", kernel="rbf", gamma=0.1)
model(S + "ensemble.IsolationForest", kind="only", n_estimators=4, random_state=0,
      contamination=0.1, by=BOTH)  # fmt: skip
model(S + "calibration.CalibratedClassifierCV", SVC_, cv=2, name="calibrated_svc", by=BOTH)
model(S + "calibration.CalibratedClassifierCV", NAIVE, method="isotonic", cv=3,
      name="calibrated_isotonic")  # fmt: skip
model(
    S + "ensemble.StackingClassifier", [("a", TREE), ("b", LOGIT)], cv=2, name="stacking", by=BOTH
)
model(S + "ensemble.StackingRegressor", [("a", REGRESSION_TREE), ("b", RIDGE)], kind="number", cv=2,
      passthrough=True, name="stacking_passthrough")  # fmt: skip
model(S + "ensemble.VotingClassifier", [("a", TREE), ("b", NAIVE)], voting="soft", by=BOTH)
model(S + "ensemble.VotingRegressor", [("a", REGRESSION_TREE), ("b", RIDGE)], kind="number")
model(S + "cross_decomposition.PLSCanonical", kind="two")
model(S + "cross_decomposition.CCA", kind="two", n_components=1)
model(S + "cross_decomposition.PLSSVD", kind="two", n_components=1)
model(S + "cluster.SpectralClustering", kind="only", n_clusters=2, random_state=0)
model(S + "cluster.SpectralCoclustering", kind="onlypositive", n_clusters=2, random_state=0,
      use=lambda value: value.row_labels_)  # fmt: skip
model(S + "manifold.SpectralEmbedding", kind="only", random_state=0,
      use=lambda value: value.embedding_.shape)  # fmt: skip
model(S + "multiclass.OneVsRestClassifier", LOGIT, kind="three", by=BOTH)
model(S + "multiclass.OneVsOneClassifier", SVC_, kind="three")
model(S + "multiclass.OutputCodeClassifier", TREE, kind="three", random_state=0)
model(S + "multioutput.MultiOutputRegressor", RIDGE, kind="two")
model(S + "multioutput.RegressorChain", RIDGE, kind="two", order=[1, 0])
model(S + "multioutput.ClassifierChain", LOGIT, kind="class", name="chain",
      use=lambda value: value.predict(xy()[0][:5]))  # fmt: skip
model(S + "compose.TransformedTargetRegressor", RIDGE, kind="number",
      transformer=(S + "preprocessing.QuantileTransformer", {"n_quantiles": 10}))  # fmt: skip
model(S + "preprocessing.QuantileTransformer", kind="only", n_quantiles=7, random_state=0)
model(S + "preprocessing.SplineTransformer", kind="only", n_knots=4)
model(S + "preprocessing.PowerTransformer", kind="only", standardize=False, name="yeo_johnson")
model(S + "feature_selection.RFECV", TREE, cv=2)
model(S + "feature_selection.RFE", (S + "linear_model.LinearRegression", {}), kind="number",
      n_features_to_select=2)  # fmt: skip
model(S + "feature_selection.SelectFromModel", (S + "linear_model.Lasso", {"alpha": 0.1}),
      kind="number")  # fmt: skip
model(S + "feature_selection.SelectPercentile", percentile=50)
model(S + "feature_selection.GenericUnivariateSelect", mode="k_best", param=2)
model(S + "feature_selection.SequentialFeatureSelector", RIDGE, kind="number",
      n_features_to_select=2, cv=2)  # fmt: skip
model(S + "ensemble.BaggingRegressor", (S + "neighbors.KNeighborsRegressor", {}), kind="number",
      n_estimators=3, random_state=0, name="bagging_near")  # fmt: skip
model(S + "ensemble.BaggingClassifier", TREE, n_estimators=3, oob_score=True, random_state=0,
      name="bagging_oob")  # fmt: skip
model(S + "ensemble.AdaBoostClassifier", TREE, n_estimators=3, random_state=0, by=BOTH,
      name="ada_tree")  # fmt: skip
model(S + "ensemble.GradientBoostingRegressor", kind="number", n_estimators=4, loss="quantile",
      alpha=0.3, random_state=0, name="gb_quantile")  # fmt: skip
model(S + "ensemble.GradientBoostingRegressor", kind="number", n_estimators=4, loss="huber",
      random_state=0, name="gb_huber")  # fmt: skip
model(S + "ensemble.GradientBoostingClassifier", kind="three", n_estimators=3, random_state=0,
      by=BOTH, name="gb_three")  # fmt: skip
model(S + "ensemble.GradientBoostingClassifier", n_estimators=3, loss="exponential", subsample=0.5,
      random_state=0, name="gb_exponential")  # fmt: skip
model(S + "ensemble.ExtraTreesRegressor", kind="number", n_estimators=3, bootstrap=True,
      oob_score=True, random_state=0, name="extra_oob")  # fmt: skip
model(S + "ensemble.RandomForestRegressor", kind="two", n_estimators=3, random_state=0, by=BOTH,
      name="forest_two")  # fmt: skip
model(S + "ensemble.RandomTreesEmbedding", kind="only", n_estimators=3, random_state=0)
model(S + "model_selection.GridSearchCV", (S + "pipeline.Pipeline", {"steps": [("s", SCALE),
      ("m", LOGIT)]}), {"m__C": [0.1, 1.0]}, cv=2, by=MANY, name="grid_pipeline")  # fmt: skip
model(S + "model_selection.GridSearchCV", TREE, {"max_depth": [1, 2]}, cv=2, scoring="f1",
      name="grid_scoring")  # fmt: skip
model(S + "model_selection.RandomizedSearchCV", RIDGE, {"alpha": [0.1, 0.5]}, kind="number",
      n_iter=2, cv=2, random_state=0)  # fmt: skip
model(S + "model_selection.HalvingGridSearchCV", TREE, {"max_depth": [1, 2]}, cv=2, random_state=0,
      experimental="enable_halving_search_cv")  # fmt: skip
model(S + "isotonic.IsotonicRegression", kind="unfitted", name="isotonic_unfitted",
      use=lambda value: value.fit([1, 2, 3], [1, 3, 2]).predict([1.5]))  # fmt: skip
model(S + "pipeline.Pipeline", [("n", (S + "kernel_approximation.Nystroem", {"n_components": 5,
      "random_state": 0})), ("m", (S + "linear_model.SGDRegressor", {"random_state": 0,
      "max_iter": 20, "tol": None}))], kind="number", name="nystroem_sgd")  # fmt: skip
model(S + "pipeline.Pipeline", [("n", (S + "kernel_approximation.RBFSampler", {"n_components": 5,
      "random_state": 0})), ("m", (S + "linear_model.Perceptron", {"random_state": 0,
      "max_iter": 20, "tol": None}))], name="rbf_perceptron",
      use=lambda value: value.predict(xy()[0][:5]))  # fmt: skip
model(S + "kernel_approximation.AdditiveChi2Sampler", kind="onlypositive")
model(S + "kernel_approximation.PolynomialCountSketch", kind="only", n_components=4, random_state=0)
model(
    S + "mixture.BayesianGaussianMixture", kind="only", n_components=2, max_iter=5, random_state=0
)
model(S + "mixture.GaussianMixture", kind="only", n_components=2, covariance_type="tied",
      random_state=0, name="gmm_tied")  # fmt: skip
model(S + "cluster.Birch", kind="only", n_clusters=2)
model(S + "cluster.DBSCAN", kind="only", eps=1.5)
model(S + "cluster.OPTICS", kind="only")
model(S + "cluster.AffinityPropagation", kind="only")
model(S + "cluster.AgglomerativeClustering", kind="only", n_clusters=3)
model(S + "cluster.FeatureAgglomeration", kind="only", n_clusters=2)
model(S + "cluster.MeanShift", kind="only", bandwidth=2.0)
model(S + "cluster.BisectingKMeans", kind="only", n_clusters=2, random_state=0)
model(S + "cluster.KMeans", kind="only", n_clusters=3, n_init=2, init="random", random_state=0,
      name="kmeans_random", by=BOTH)  # fmt: skip
model(S + "cluster.HDBSCAN", kind="only")
model(S + "neighbors.LocalOutlierFactor", kind="only", novelty=True, contamination=0.1)
model(S + "neighbors.NearestNeighbors", kind="only", algorithm="kd_tree", name="nearest_kd",
      use=lambda value: value.kneighbors(xy()[0][:3])[1], by=BOTH)  # fmt: skip
model(S + "neighbors.KNeighborsClassifier", kind="three", metric="manhattan", weights="distance",
      algorithm="brute", name="near_brute")  # fmt: skip
model(S + "neighbors.KernelDensity", kind="only", bandwidth=0.5)
model(S + "neighbors.NeighborhoodComponentsAnalysis", max_iter=3, random_state=0)
model(S + "neighbors.RadiusNeighborsClassifier", radius=9.0, outlier_label=0)
model(S + "covariance.EllipticEnvelope", kind="only", random_state=0)
model(S + "covariance.LedoitWolf", kind="only", use=lambda value: value.covariance_)
model(S + "covariance.GraphicalLasso", kind="only", use=lambda value: value.covariance_.shape)
for _name in ("LassoCV", "ElasticNetCV", "RidgeCV", "LassoLarsCV", "OrthogonalMatchingPursuitCV"):
    model(S + "linear_model." + _name, kind="number")
for _name in ("HuberRegressor", "BayesianRidge", "ARDRegression", "Lars", "PoissonRegressor",
              "TweedieRegressor", "GammaRegressor", "QuantileRegressor"):  # fmt: skip
    model(S + "linear_model." + _name, kind="positive")
model(S + "linear_model.TheilSenRegressor", kind="number", random_state=0)
model(S + "linear_model.RANSACRegressor", kind="number", random_state=0)
model(S + "linear_model.LogisticRegressionCV", Cs=2, cv=2, max_iter=50)
model(S + "linear_model.LogisticRegression", kind="three", max_iter=50, name="logit_three", by=MANY)
model(S + "linear_model.RidgeClassifierCV", name="ridge_classifier_cv")
model(S + "linear_model.PassiveAggressiveClassifier", random_state=0, max_iter=10, tol=None,
      use=lambda value: value.predict(xy()[0][:5]))  # fmt: skip
model(S + "linear_model.SGDOneClassSVM", kind="only", random_state=0)
model(S + "linear_model.MultiTaskLasso", kind="two", alpha=0.01)
model(S + "decomposition.NMF", kind="onlypositive", n_components=2, init="nndsvda", max_iter=20)
model(S + "decomposition.KernelPCA", kind="only", n_components=2, kernel="rbf", gamma=0.1)
model(S + "decomposition.FactorAnalysis", kind="only", n_components=2)
model(S + "decomposition.SparsePCA", kind="only", n_components=2, random_state=0, max_iter=5)
model(S + "decomposition.DictionaryLearning", kind="only", n_components=2, max_iter=2,
      random_state=0)  # fmt: skip
model(S + "decomposition.PCA", kind="only", n_components=0.9, whiten=True, name="pca_whiten",
      by=BOTH)  # fmt: skip
model(S + "manifold.Isomap", kind="only", n_neighbors=4)
model(S + "manifold.LocallyLinearEmbedding", kind="only", n_neighbors=8, random_state=0)
model(S + "manifold.TSNE", kind="only", n_components=2, random_state=0, perplexity=5,
      use=lambda value: value.embedding_.shape)  # fmt: skip
model(S + "random_projection.GaussianRandomProjection", kind="only", n_components=2, random_state=0)
model(S + "random_projection.SparseRandomProjection", kind="only", n_components=2, random_state=0)
model(S + "naive_bayes.CategoricalNB", kind="unfitted", name="categorical_nb_unfitted",
      use=lambda value: value.fit([[0], [1], [1]], [0, 1, 1]).predict([[1]]))  # fmt: skip
model(S + "naive_bayes.MultinomialNB", kind="unfitted", name="multinomial_nb_unfitted",
      use=lambda value: value.fit([[1, 0], [0, 1]], [0, 1]).predict([[1, 0]]))  # fmt: skip
model(S + "semi_supervised.LabelSpreading", kind="three", gamma=0.5)
model(S + "semi_supervised.SelfTrainingClassifier", NAIVE)
model(S + "dummy.DummyRegressor", kind="number", strategy="quantile", quantile=0.3)
model(S + "discriminant_analysis.LinearDiscriminantAnalysis", kind="three", solver="lsqr",
      shrinkage="auto", name="lda_lsqr")  # fmt: skip
model(S + "model_selection.TunedThresholdClassifierCV", LOGIT, cv=2)
model(S + "frozen.FrozenEstimator", LOGIT, kind="unfitted", use=lambda value: type(value).__name__)


@wider("sklearn", by=BOTH)
def gpr_composed() -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process import kernels as k

    kernel = k.ConstantKernel(1.0) * k.RBF(1.0) + k.WhiteKernel(0.1) + k.RationalQuadratic()
    x, _ = xy()
    return GaussianProcessRegressor(kernel=kernel, optimizer=None).fit(x, x[:, 0])


@wider("sklearn", by=MANY)
def function_log() -> Any:
    import numpy as np
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    x, _ = xy()
    return make_pipeline(FunctionTransformer(np.tanh, validate=False), Ridge()).fit(x, x[:, 0])


@wider("sklearn", by=BOTH)
def target_log() -> Any:
    import numpy as np
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import LinearRegression

    x, _ = xy()
    return TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1).fit(
        x, abs(x[:, 0])
    )


@wider("sklearn", "pandas", by=BOTH, use=lambda value: value.predict(frame().iloc[:5]))
def columns_selected() -> Any:
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore"), ["city", "plan"]),
    )
    forest = RandomForestClassifier(n_estimators=2, max_depth=2, random_state=0)
    return make_pipeline(columns, forest).fit(frame(), xy()[1])


@wider("sklearn", "pandas", use=lambda value: value.predict(frame().iloc[:5]))
def columns_text() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    columns = ColumnTransformer(
        [("city", CountVectorizer(analyzer="char"), "city"), ("age", "passthrough", ["age"])],
        remainder="drop",
    )
    return make_pipeline(columns, LogisticRegression(solver="liblinear")).fit(frame(), xy()[1])


@wider("sklearn", use=lambda value: value.predict(xy()[0][:5]))
def columns_positions() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    x, _ = xy()
    columns = ColumnTransformer(
        [("a", MinMaxScaler(), [0, 1]), ("b", "drop", [2])], remainder=StandardScaler()
    )
    return Pipeline([("columns", columns), ("m", Ridge())]).fit(x, x[:, 0])


@wider("sklearn", use=lambda value: value.transform([["a", 1], ["b", 2]]))
def one_hot_drop() -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(drop="first").fit([["a", 1], ["b", 2], ["c", 2]])


@wider("sklearn", use=lambda value: value.transform([["a"], ["z"]]))
def ordinal_unknown() -> Any:
    from sklearn.preprocessing import OrdinalEncoder

    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit([["a"], ["b"]])


@wider("sklearn", use=lambda value: value.transform(["b", "a"]))
def label_encoder() -> Any:
    from sklearn.preprocessing import LabelEncoder

    return LabelEncoder().fit(["a", "b", "c"])


@wider("sklearn", use=lambda value: value.transform([{1}, {2, 3}]))
def multi_label() -> Any:
    from sklearn.preprocessing import MultiLabelBinarizer

    return MultiLabelBinarizer().fit([{1, 2}, {3}])


@wider("sklearn", use=lambda value: value.inverse_transform(value.transform(["a", "c"])))
def label_binarizer() -> Any:
    from sklearn.preprocessing import LabelBinarizer

    return LabelBinarizer().fit(["a", "b", "c"])


@wider("sklearn", use=lambda value: value.transform([{"a": 1, "b": "x"}]))
def dict_vectorizer() -> Any:
    from sklearn.feature_extraction import DictVectorizer

    return DictVectorizer().fit([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])


@wider("sklearn", use=lambda value: value.transform([{"a": 1}]).shape)
def feature_hasher() -> Any:
    from sklearn.feature_extraction import FeatureHasher

    return FeatureHasher(n_features=8)


@wider("sklearn", use=lambda value: value._score_func([0, 1], [0, 1]))
def scorer() -> Any:
    from sklearn.metrics import f1_score, make_scorer

    return make_scorer(f1_score)


@wider("sklearn", use=lambda value: sorted(value))
def bunch() -> Any:
    from sklearn.utils import Bunch

    return Bunch(data=[1, 2], target=3)


@wider("sklearn", use=lambda value: [len(a) for a, _ in value.split([[0]] * 6, [0, 1] * 3)])
def splitter() -> Any:
    from sklearn.model_selection import StratifiedKFold

    return StratifiedKFold(n_splits=3)


@wider("sklearn", use=lambda value: value.query([[0.1, 0.2]], k=2)[1])
def tree_of_points() -> Any:
    from sklearn.neighbors import KDTree

    return KDTree(table(20, 2))


@wider("sklearn", use=lambda value: value.query([[0.1, 0.2]], k=2)[1])
def ball_of_points() -> Any:
    from sklearn.neighbors import BallTree

    return BallTree(table(20, 2), metric="manhattan")


@wider("sklearn", use=lambda value: value.theta)
def kernel_only() -> Any:
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel

    return ConstantKernel(2.0) * RBF(0.5)


@wider("sklearn", by=FUNCTIONS)
def own_estimator() -> Any:
    from sklearn.base import BaseEstimator, TransformerMixin

    scope: Dict[str, Any] = {
        "__name__": "__main__", "BaseEstimator": BaseEstimator, "TransformerMixin": TransformerMixin
    }  # fmt: skip
    exec(
        "class Clip(BaseEstimator, TransformerMixin):\n"
        "    def __init__(self, low=0.0):\n"
        "        self.low = low\n"
        "    def fit(self, x, y=None):\n"
        "        self.top_ = x.max(axis=0)\n"
        "        return self\n"
        "    def transform(self, x):\n"
        "        return x.clip(self.low, self.top_)\n",
        scope,
    )
    return scope["Clip"]().fit(xy()[0])


# ---- the standard library ----


def value(
    name: str, text: str, use: Use = str, by: Tuple[str, ...] = ("pickle",), needs: str = ""
) -> None:
    """An object that an expression makes, ``module:expression`` importing what it needs."""

    def make() -> Any:
        scope: Dict[str, Any] = {}
        for module in needs.split():
            scope[module.partition(".")[0]] = importlib.import_module(module.partition(".")[0])
            importlib.import_module(module)
        return eval(text, scope)

    libraries = [n.partition(".")[0] for n in needs.split()]
    add(name, make, use, tuple(libraries), by)


def _there(value: Any) -> bool:
    """Of what only prints itself, and not everywhere alike: that it came back."""
    return value is not None


P = ("pickle", "pickle-p2", "joblib")
value("zone", "datetime.datetime(2020, 1, 2, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))",
      needs="datetime zoneinfo", by=P)  # fmt: skip
value("fold", "datetime.datetime(2020, 1, 2, 3, fold=1)", needs="datetime", by=P)
value("delta", "[datetime.timedelta(1, 2), datetime.date(2020, 1, 1), datetime.time(1, 2)]",
      needs="datetime", by=P)  # fmt: skip
value("offset_zone", "datetime.timezone(datetime.timedelta(hours=2), 'X')", needs="datetime")
value("http_status", "http.HTTPStatus(404)", repr, needs="http", by=P)
value("http_status_new", "http.HTTPStatus(418)", repr, needs="http")
value("signal_member", "signal.SIGTERM", repr, needs="signal", by=P)
value("socket_member", "socket.AF_INET", int, needs="socket")
value("regex", "re.compile('a+b', re.I)", lambda v: v.match("AAB").group(), needs="re", by=P)
value("regex_flag", "re.I | re.M", int, needs="re", by=P)
value("decimal_number", "decimal.Decimal('1.10')", needs="decimal", by=P)
value("decimal_context", "decimal.Context(prec=5)", lambda v: v.prec, needs="decimal")
value("fraction", "fractions.Fraction(2, 3)", needs="fractions", by=P)
value("ordered", "collections.OrderedDict([('b', 1), ('a', 2)])", list, needs="collections", by=P)
value("deque", "collections.deque([1, 2], maxlen=3)", list, needs="collections", by=P)
value("defaults", "collections.defaultdict(list, a=[1])", dict, needs="collections", by=P)
value("chain_map", "collections.ChainMap({'a': 1}, {'b': 2})", dict, needs="collections")
value("user_dict", "collections.UserDict(a=1)", dict, needs="collections")
value("namespace", "types.SimpleNamespace(a=1)", lambda v: v.a, needs="types", by=P)
value("uuid", "uuid.UUID(int=7)", needs="uuid", by=P)
value("address", "ipaddress.ip_network('10.0.0.0/8')", needs="ipaddress")
value("raw_array", "array.array('d', [1.0, 2.0])", list, needs="array", by=P)
value("range_", "[range(3), complex(1, 2), frozenset([1]), bytearray(b'ab'), ...]", repr, by=P)
value("slice_", "slice(1, 2)", repr)
value("count", "itertools.count(3)", next, needs="itertools")
value("chain_iterator", "itertools.chain([1], [2])", list, needs="itertools")
value("cycle", "itertools.cycle([1, 2])", next, needs="itertools")
value("iterator", "iter([1, 2, 3])", list)
value("map_", "map(abs, [-1])", list)
value("getter", "operator.itemgetter(1)", lambda v: v([1, 2]), needs="operator", by=P)
value("attribute_getter", "operator.attrgetter('real')", lambda v: v(2), needs="operator")
value("method_caller", "operator.methodcaller('upper')", lambda v: v("a"), needs="operator")
value("partial_sorted", "functools.partial(sorted, reverse=True)", lambda v: v([1, 2]),
      needs="functools", by=P)  # fmt: skip
value("seeded", "random.Random(3)", lambda v: v.random(), needs="random", by=P)
value("hint_list", "typing.List[int]", _there, needs="typing", by=P)
value("hint_optional", "typing.Optional[int]", _there, needs="typing")
value("hint_dict", "typing.Dict[str, typing.Any]", _there, needs="typing")
value("hint_callable", "typing.Callable[[int], str]", _there, needs="typing")
value("hint_variable", "typing.AnyStr", _there, needs="typing")
value("alias", "list[int]")
value("union", "int | str")
value("struct_time", "time.gmtime(0)", lambda v: v.tm_year, needs="time")
value("posix_path", "pathlib.PosixPath('/srv/a')", needs="pathlib", by=P)
value("windows_path", "pathlib.PureWindowsPath('c:/a')", needs="pathlib")
value("path_class", "pathlib.Path", lambda v: str(v("a")), needs="pathlib")
value("url", "urllib.parse.urlparse('http://a/b?c')", lambda v: v.netloc, needs="urllib.parse")
value("template", "string.Template('$a')", lambda v: v.substitute(a=1), needs="string")
value("normal", "statistics.NormalDist(1, 2)", lambda v: v.cdf(1), needs="statistics")
value("calendar_", "calendar.TextCalendar(1)", lambda v: v.firstweekday, needs="calendar")
value("stat", "os.stat_result(range(10))", lambda v: v.st_size, needs="os")
value("error_value", "ValueError('a', 1)", repr, by=P)
value("error_json", "json.JSONDecodeError('m', 'doc', 1)", lambda v: v.pos, needs="json")
value("error_group", "ExceptionGroup('g', [ValueError(1)])", lambda v: len(v.exceptions))
value("error_import", "ModuleNotFoundError('x', name='x')", lambda v: v.name)
value("builtin", "[int, len, print]", lambda v: [x.__name__ for x in v], by=P)
value("config", "configparser.ConfigParser({'a': '1'})", lambda v: v.defaults()["a"],
      needs="configparser")  # fmt: skip
value("arguments", "argparse.Namespace(a=1)", lambda v: v.a, needs="argparse", by=P)
value("element", "xml.etree.ElementTree.Element('a', b='c')", lambda v: v.get("b"),
      needs="xml.etree.ElementTree")  # fmt: skip
value("zip_info", "zipfile.ZipInfo('a')", lambda v: v.filename, needs="zipfile")
value("syntax_tree", "ast.parse('x + 1')", lambda v: type(v.body[0].value).__name__,
      needs="ast")  # fmt: skip
value("signature", "inspect.Signature([inspect.Parameter('a', inspect.Parameter.KEYWORD_ONLY)])",
      needs="inspect")  # fmt: skip
value("parameter_kind", "inspect.Parameter.KEYWORD_ONLY", int, needs="inspect")
value("mail", "email.message.EmailMessage()", lambda v: len(v), needs="email.message")
value("logger", "logging.getLogger('a.b')", lambda v: v.name, needs="logging")
value("log_record", "logging.LogRecord('a', 10, 'p', 1, 'm', (), None)", lambda v: v.getMessage(),
      needs="logging")  # fmt: skip
value("mock", "unittest.mock.sentinel.a", repr, needs="unittest.mock")
value("missing_field", "dataclasses.MISSING", lambda v: type(v).__name__, needs="dataclasses")
value("handlers", "logging.Formatter('%(message)s')", lambda v: v._fmt, needs="logging")
value("cookie", "http.cookies.SimpleCookie('a=b')", lambda v: v["a"].value, needs="http.cookies")
value("weekday", "calendar.MONDAY", int, needs="calendar")
value("task", "enum.auto", repr, needs="enum")
value("boundary", "enum.KEEP", repr, needs="enum")

# ---- NumPy ----

N = ("pickle", "joblib", "joblib-zlib")
for _name in ("PCG64", "MT19937", "Philox", "SFC64", "PCG64DXSM"):
    value("generator_" + _name, "numpy.random.Generator(numpy.random.%s(3))" % _name,
          lambda v: v.random(), needs="numpy", by=N)  # fmt: skip
    value(
        "bits_" + _name, "numpy.random.%s(3)" % _name, lambda v: int(v.random_raw()), needs="numpy"
    )
value("seed_sequence", "numpy.random.SeedSequence(3)", lambda v: v.entropy, needs="numpy")
value("legacy_random", "numpy.random.RandomState(4)", lambda v: v.rand(), needs="numpy", by=N)
value("structured", "numpy.array([(1, 2.0)], dtype=[('a', 'i4'), ('b', 'f8')])",
      lambda v: v["b"].tolist(), needs="numpy", by=(*N, "npy"))  # fmt: skip
value("records", "numpy.rec.array([(1, 2.0)], dtype=[('a', 'i4'), ('b', 'f8')])",
      lambda v: v.b.tolist(), needs="numpy", by=N)  # fmt: skip
value("dates", "numpy.array(['2020-01-01'], dtype='M8[s]')", lambda v: str(v[0]), needs="numpy",
      by=(*N, "npy"))  # fmt: skip
value("masked", "numpy.ma.masked_array([1.0, 2.0], mask=[0, 1])", lambda v: float(v.sum()),
      needs="numpy", by=N)  # fmt: skip
value("matrix", "numpy.matrix([[1, 2]])", lambda v: v.sum(), needs="numpy", by=N)
value("poly", "numpy.poly1d([1, 2])", lambda v: v(3), needs="numpy", by=N)
value("chebyshev", "numpy.polynomial.Chebyshev([1, 2])", lambda v: v(0.5),
      needs="numpy numpy.polynomial")  # fmt: skip
value("data_type", "numpy.dtype([('a', '<i4'), ('b', 'S3')])", needs="numpy", by=N)
value("scalars", "[numpy.float32(1.5), numpy.int8(3), numpy.bool_(True), numpy.str_('a')]",
      lambda v: [x.item() for x in v], needs="numpy", by=N)  # fmt: skip
value("date_scalar", "numpy.datetime64('2020-01-01')", needs="numpy")
value("ufunc", "numpy.log1p", lambda v: float(v(1.0)), needs="numpy", by=N)
value("function", "numpy.linalg.norm", lambda v: float(v([3.0, 4.0])), needs="numpy")
value("function_default_rng", "numpy.random.default_rng", lambda v: v(1).random(), needs="numpy")
value("fortran", "numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3))", lambda v: v.tolist(),
      needs="numpy", by=(*N, "npy"))  # fmt: skip
value("objects", "numpy.array([None, 'a', {1: 2}], dtype=object)", lambda v: v.tolist(),
      needs="numpy", by=(*N, "npy"))  # fmt: skip
value("objects_of_arrays", "numpy.array([numpy.ones(2), 'a', None], dtype=object)",
      lambda v: v[0].tolist(), needs="numpy", by=(*N, "npy"))  # fmt: skip
value("text_type", "numpy.array(['a', 'bc'], dtype=numpy.dtypes.StringDType())",
      lambda v: v.tolist(), needs="numpy numpy.dtypes")  # fmt: skip
value("half_floats", "numpy.array([1.5], dtype='f2')", lambda v: v.tolist(), needs="numpy")
value("iinfo", "numpy.iinfo('i4')", lambda v: int(v.max), needs="numpy")
value("vectorized", "numpy.vectorize(abs)", lambda v: v([-1]).tolist(), needs="numpy")

# ---- pandas ----

D = ("pickle", "topickle", "joblib")
A = ("pickle", "topickle")


def _values(value: Any) -> Any:
    """Whatever pandas shows of it: text, so that types count."""
    return [str(v) for v in value]


value("pd_int", "pandas.Series([1, None, 3], dtype='Int64')", _values, needs="pandas", by=A)
value("pd_bool", "pandas.Series([True, None], dtype='boolean')", _values, needs="pandas", by=A)
value("pd_string", "pandas.Series(['a', None], dtype='string')", _values, needs="pandas", by=A)
value("pd_float", "pandas.Series([1.5, None], dtype='Float64')", _values, needs="pandas", by=A)
value("pd_interval", "pandas.cut(pandas.Series([1, 5, 9]), 3)", _values, needs="pandas", by=A)
value("pd_period", "pandas.period_range('2020-01', periods=3, freq='M')", _values, needs="pandas",
      by=A)  # fmt: skip
value("pd_period_series", "pandas.Series(pandas.period_range('2020-01', periods=3, freq='D'))",
      _values, needs="pandas", by=A)  # fmt: skip
value("pd_ordered", "pandas.Categorical(['a', 'b'], categories=['b', 'a'], ordered=True)", _values,
      needs="pandas", by=A)  # fmt: skip
value("pd_category_frame", "pandas.DataFrame({'a': pandas.Categorical(['x', 'y']), 'b': [1, 2]})",
      lambda v: [_values(v[c]) for c in v], needs="pandas", by=D)  # fmt: skip
value("pd_zone", "pandas.Series(pandas.date_range('2020-01-01', periods=2, tz='Europe/Rome'))",
      _values, needs="pandas", by=A)  # fmt: skip
value("pd_dates", "pandas.date_range('2020-01-01', periods=3, freq='D')", _values, needs="pandas",
      by=A)  # fmt: skip
value("pd_delta", "pandas.to_timedelta([1, 2], unit='h')", _values, needs="pandas", by=A)
value("pd_sparse", "pandas.Series(pandas.arrays.SparseArray([0, 0, 1]))", _values, needs="pandas",
      by=A)  # fmt: skip
value("pd_levels", "pandas.DataFrame({'v': [1, 2]}, index=pandas.MultiIndex.from_tuples([('a', 1),"
      " ('b', 2)], names=['p', 'q']))", lambda v: [list(v.v), v.index[0][0]], needs="pandas",
      by=D)  # fmt: skip
value("pd_objects", "pandas.DataFrame({'a': ['x', None], 'b': [1.0, 2.0], 'c': [True, False]})",
      lambda v: [_values(v[c]) for c in v], needs="pandas", by=(*D, "joblib-zlib"))  # fmt: skip
value("pd_empty", "pandas.DataFrame()", lambda v: v.shape, needs="pandas", by=D)
value("pd_offset", "pandas.offsets.BusinessDay(2)", repr, needs="pandas")
value("pd_month_end", "pandas.offsets.MonthEnd(1)", lambda v: v.n, needs="pandas")
value("pd_offset_custom", "pandas.offsets.CustomBusinessDay(holidays=['2020-01-01'])",
      lambda v: v.n, needs="pandas")  # fmt: skip
value("pd_timedelta", "pandas.Timedelta('1 days')", needs="pandas", by=A)
value("pd_one_period", "pandas.Period('2020-01', freq='M')", needs="pandas", by=A)
value("pd_one_interval", "pandas.Interval(0, 1, closed='left')", needs="pandas")
value("pd_missing", "[pandas.NA, pandas.NaT]", needs="pandas")
value("pd_nat", "pandas.NaT", needs="pandas")
value("pd_category_type", "pandas.CategoricalDtype(['a', 'b'], ordered=True)", needs="pandas")
value("pd_interval_type", "pandas.IntervalDtype('int64')", needs="pandas")
value("pd_zone_type", "pandas.DatetimeTZDtype(tz='UTC')", needs="pandas")
value("pd_range", "pandas.RangeIndex(3)", list, needs="pandas", by=A)
value("pd_number_index", "pandas.Index([1, 2])", list, needs="pandas", by=A)
value("pd_float_index", "pandas.Index([1.5, 2])", list, needs="pandas", by=A)
value("pd_category_index", "pandas.CategoricalIndex(['a', 'b'])", list, needs="pandas", by=A)
value("pd_interval_index", "pandas.IntervalIndex.from_breaks([0, 1, 2])", _values, needs="pandas",
      by=A)  # fmt: skip
value("pd_grouper", "pandas.Grouper(key='a')", lambda v: v.key, needs="pandas")
value("pd_named", "pandas.Series([1.0, 2.0], name='n', index=['a', 'b'])", dict, needs="pandas",
      by=D)  # fmt: skip
value("pd_stamp", "pandas.Timestamp('2020-02-03 04:05')", needs="pandas", by=A)
value("pd_stamp_zone", "pandas.Timestamp('2020-02-03', tz='US/Eastern')", needs="pandas", by=A)

# ---- SciPy ----

value(
    "sp_gamma", "scipy.stats.gamma(2.0, scale=3.0)", lambda v: v.cdf(1.0), needs="scipy scipy.stats"
)
value(
    "sp_truncated", "scipy.stats.truncnorm(-1, 1)", lambda v: v.ppf(0.3), needs="scipy scipy.stats"
)
value("sp_binomial", "scipy.stats.binom(5, 0.3)", lambda v: v.pmf(2), needs="scipy scipy.stats")
value("sp_distribution", "scipy.stats.expon", lambda v: v.cdf(1.0), needs="scipy scipy.stats")
value("sp_dirichlet", "scipy.stats.dirichlet([1.0, 2.0])", lambda v: v.mean(),
      needs="scipy scipy.stats")  # fmt: skip
value("sp_spline", "scipy.interpolate.make_interp_spline(x, y)".replace("x, y", repr(X5) + ", "
      + repr(Y5)), lambda v: v(1.5), needs="scipy scipy.interpolate")  # fmt: skip
value("sp_pchip", "scipy.interpolate.PchipInterpolator(%r, %r)" % (X5, Y5), lambda v: v(1.5),
      needs="scipy scipy.interpolate")  # fmt: skip
value("sp_akima", "scipy.interpolate.Akima1DInterpolator(%r, %r)" % (X5, Y5), lambda v: v(1.5),
      needs="scipy scipy.interpolate")  # fmt: skip
value("sp_univariate", "scipy.interpolate.UnivariateSpline(%r, %r, k=2)" % (X5, Y5),
      lambda v: v(1.5), needs="scipy scipy.interpolate")  # fmt: skip
value("sp_krogh", "scipy.interpolate.KroghInterpolator(%r, %r)" % (X5, Y5), lambda v: v(1.5),
      needs="scipy scipy.interpolate")  # fmt: skip
value("sp_linear", "scipy.interpolate.interp1d(%r, %r, kind='quadratic')" % (X5, Y5),
      lambda v: v(1.5), needs="scipy scipy.interpolate")  # fmt: skip
value("sp_hull", "scipy.spatial.ConvexHull(%r)" % (table(8, 2),), lambda v: v.volume,
      needs="scipy scipy.spatial")  # fmt: skip
value("sp_sparse_csr", "scipy.sparse.csr_matrix([[1.0, 0.0], [0.0, 2.0]])",
      lambda v: (v @ [1.0, 1.0]).tolist(), needs="scipy scipy.sparse", by=N)  # fmt: skip
value("sp_sparse_array", "scipy.sparse.coo_array([[1.0, 0.0]])", lambda v: v.toarray().tolist(),
      needs="scipy scipy.sparse")  # fmt: skip
value("sp_sparse_dok", "scipy.sparse.dok_matrix((2, 2))", lambda v: v.toarray().tolist(),
      needs="scipy scipy.sparse")  # fmt: skip
value("sp_operator", "scipy.sparse.linalg.aslinearoperator(scipy.sparse.eye(2))",
      lambda v: v.matvec([1.0, 2.0]).tolist(), needs="scipy scipy.sparse.linalg")  # fmt: skip
value("sp_rotation", "scipy.spatial.transform.Rotation.from_euler('z', [10, 20], degrees=True)",
      lambda v: v.as_quat().tolist(), needs="scipy scipy.spatial.transform")  # fmt: skip
value("sp_bounds", "scipy.optimize.Bounds([0], [1])", lambda v: float(v.ub[0]),
      needs="scipy scipy.optimize")  # fmt: skip
value("sp_constraint", "scipy.optimize.LinearConstraint([[1.0]], 0.0, 1.0)",
      lambda v: float(v.ub if not hasattr(v.ub, 'item') else v.ub.item()),
      needs="scipy scipy.optimize")  # fmt: skip
value("sp_filter", "scipy.signal.StateSpace([[1.0]], [[1.0]], [[1.0]], [[0.0]])",
      lambda v: v.A.tolist(), needs="scipy scipy.signal")  # fmt: skip
value("sp_zeros", "scipy.signal.ZerosPolesGain([1.0], [2.0], 1.0)", lambda v: v.gain,
      needs="scipy scipy.signal")  # fmt: skip
value("sp_sobol", "scipy.stats.qmc.Halton(2, scramble=False)", lambda v: v.random(1).tolist(),
      needs="scipy scipy.stats.qmc")  # fmt: skip
value("sp_test", "scipy.stats.ttest_ind([1.0, 2.0, 3.0], [2.0, 3.0, 5.0])",
      lambda v: float(v.pvalue), needs="scipy scipy.stats")  # fmt: skip
value("sp_polynomial", "scipy.special.legendre(2)", lambda v: v(0.5), needs="scipy scipy.special")
value("sp_orthogonal", "scipy.spatial.KDTree(%r)" % (table(9, 3),),
      lambda v: int(v.query([0.1, 0.2, 0.3])[1]), needs="scipy scipy.spatial")  # fmt: skip

# ---- boosters ----


@wider("xgboost", "sklearn", by=BOTH, use=lambda value: value.predict_proba(xy()[0][:5]))
def xgb_three() -> Any:
    import xgboost

    x, _ = xy()
    return xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(
        x, [i % 3 for i in range(len(x))]
    )


@wider("xgboost", "sklearn", "pandas", by=("pickle", "joblib", "cloudpickle", "save-json"),
       use=lambda value: value.predict(frame()[["age"]].iloc[:5]))  # fmt: skip
def xgb_frame() -> Any:
    import xgboost

    return xgboost.XGBRegressor(n_estimators=3, max_depth=2, n_jobs=1).fit(
        frame()[["age"]], [float(i % 7) for i in range(60)]
    )


@wider("xgboost", "sklearn", use=lambda value: value.predict(xy()[0][:5]))
def xgb_forest() -> Any:
    import xgboost

    x, y = xy()
    return xgboost.XGBRFClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(x, y)


def _booster(value: Any) -> Any:
    import xgboost

    return value.predict(xgboost.DMatrix(xy()[0][:5]))


@wider("xgboost", by=("pickle", "joblib", "save-json"), use=_booster)
def xgb_dart() -> Any:
    import xgboost

    x, y = xy()
    settings = {"booster": "dart", "objective": "binary:logistic", "max_depth": 2}
    return xgboost.train(settings, xgboost.DMatrix(x, label=y), 3)


@wider("xgboost", use=_booster)
def xgb_linear() -> Any:
    import xgboost

    x, _ = xy()
    settings = {"booster": "gblinear", "updater": "coord_descent"}
    return xgboost.train(settings, xgboost.DMatrix(x, label=x[:, 0]), 3)


@wider("xgboost", "sklearn", by=BOTH)
def xgb_in_pipeline() -> Any:
    import xgboost
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = xy()
    return make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=2, n_jobs=1)).fit(
        x, y
    )


@wider("lightgbm", "sklearn", "pandas", by=BOTH,
       use=lambda value: value.predict(frame()[["age", "city"]].astype({"city": "category"})[:5]))  # fmt: skip
def lgb_categories() -> Any:
    import lightgbm

    data = frame()[["age", "city"]].astype({"city": "category"})
    return lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=3, n_jobs=1).fit(
        data, [float(i % 7) for i in range(60)]
    )


@wider("lightgbm", "sklearn", use=lambda value: value.predict_proba(xy()[0][:5]))
def lgb_three() -> Any:
    import lightgbm

    x, _ = xy()
    return lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=3, n_jobs=1).fit(
        x, [i % 3 for i in range(len(x))]
    )


@wider("lightgbm", "sklearn", use=lambda value: value.predict(xy()[0][:5]))
def lgb_ranker() -> Any:
    import lightgbm

    x, y = xy()
    ranker = lightgbm.LGBMRanker(n_estimators=3, min_child_samples=3, n_jobs=1)
    return ranker.fit(x, y, group=[30, 30])


@wider("lightgbm", "sklearn", by=BOTH)
def lgb_in_pipeline() -> Any:
    import lightgbm
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = xy()
    return make_pipeline(
        StandardScaler(), lightgbm.LGBMClassifier(n_estimators=2, min_child_samples=3, n_jobs=1)
    ).fit(x, y)


@wider(
    "lightgbm", by=("pickle", "joblib", "save-txt"), use=lambda value: value.predict(xy()[0][:5])
)
def lgb_multiclass() -> Any:
    import lightgbm

    x, _ = xy()
    data = lightgbm.Dataset(x, label=[i % 3 for i in range(len(x))])
    settings = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}
    return lightgbm.train(settings, data, 3)


@wider("catboost", by=BOTH, use=lambda value: value.predict(xy()[0][:5]))
def cat_three() -> Any:
    import catboost

    x, _ = xy()
    return catboost.CatBoostClassifier(
        iterations=3, depth=2, verbose=0, thread_count=1, allow_writing_files=False
    ).fit(x, [i % 3 for i in range(len(x))])


@wider("catboost", "pandas", use=lambda value: value.predict(frame().iloc[:5]))
def cat_categories() -> Any:
    import catboost

    return catboost.CatBoostRegressor(
        iterations=3, depth=2, verbose=0, thread_count=1, allow_writing_files=False,
        cat_features=["city", "plan"],
    ).fit(frame(), [float(i % 7) for i in range(60)])  # fmt: skip


# ---- statistics ----


def _sm(name: str, make: Callable[[], Any], use: Use, by: Tuple[str, ...] = ("pickle",)) -> None:
    add("sm_" + name, make, use, ("statsmodels", "pandas"), by)


def _api() -> Any:
    return importlib.import_module("statsmodels.api")


def _series() -> Any:
    return [abs(r[0]) + 1 for r in table(60)]


def _formula() -> Any:
    import statsmodels.formula.api as smf

    data = frame()
    data["y"] = _series()
    return smf.ols("y ~ age + C(city)", data).fit()


_sm("wls", lambda: _api().WLS(xy()[0][:, 0], xy()[0][:, 1:], weights=[1.0] * 60).fit(),
    lambda v: v.predict(xy()[0][:3, 1:]), BOTH)  # fmt: skip
_sm("formula", _formula, lambda v: list(v.predict(frame().iloc[:3])), ("pickle", "cloudpickle"))
_sm("poisson", lambda: _api().GLM([i % 4 for i in range(60)], xy()[0],
    family=_api().families.Poisson()).fit(), lambda v: v.predict(xy()[0][:3]))  # fmt: skip
_sm("robust", lambda: _api().RLM(xy()[0][:, 0], xy()[0][:, 1:]).fit(), lambda v: v.params)
_sm("sarimax", lambda: _api().tsa.statespace.SARIMAX(_series(), order=(1, 0, 0)).fit(disp=0),
    lambda v: v.forecast(2), BOTH)  # fmt: skip
_sm("autoreg", lambda: importlib.import_module("statsmodels.tsa.ar_model").AutoReg(
    _series(), 2).fit(), lambda v: v.forecast(2))  # fmt: skip
_sm("smoothing", lambda: importlib.import_module("statsmodels.tsa.holtwinters").SimpleExpSmoothing(
    _series()).fit(), lambda v: v.forecast(2))  # fmt: skip
_sm("density", lambda: (lambda k: (k.fit(), k)[1])(_api().nonparametric.KDEUnivariate(
    _series())), lambda v: float(v.evaluate(1.5)[0]))  # fmt: skip
_sm("mixed", lambda: _api().MixedLM(_series(), xy()[0][:, 1:], groups=[i % 6 for i in range(60)]
    ).fit(), lambda v: list(v.fe_params))  # fmt: skip
_sm("logit", lambda: _api().Logit([i % 2 for i in range(60)], xy()[0]).fit(disp=0),
    lambda v: v.predict(xy()[0][:3]), BOTH)  # fmt: skip
_sm("ecdf", lambda: importlib.import_module("statsmodels.distributions.empirical_distribution").ECDF(
    _series()), lambda v: float(v(1.5)))  # fmt: skip

# ---- sampling, encoders, graphs and what has no table ----


def _sampled(value: Any) -> Any:
    return [len(part) for part in value.fit_resample(*_uneven())]


def _uneven() -> Any:
    x, _ = xy()
    return x, [0] * 45 + [1] * 15


for _path in ("combine.SMOTETomek", "over_sampling.ADASYN", "over_sampling.BorderlineSMOTE",
              "over_sampling.RandomOverSampler", "under_sampling.NearMiss",
              "under_sampling.TomekLinks", "under_sampling.EditedNearestNeighbours"):  # fmt: skip
    add("imb_" + _path.rpartition(".")[2], functools.partial(
        lambda path: (lambda s: (s.fit_resample(*_uneven()), s)[1])(
            named("imblearn." + path)(**({"random_state": 0} if "Near" not in path
                                         and path[15:20] != "Tomek" else {}))), _path),
        _sampled, ("imblearn", "sklearn"), ("pickle",))  # fmt: skip
for _path in ("EasyEnsembleClassifier", "RUSBoostClassifier", "BalancedBaggingClassifier"):
    add("imb_" + _path, functools.partial(
        lambda path: named("imblearn.ensemble." + path)(n_estimators=2, random_state=0).fit(
            *_uneven()), _path), lambda value: value.predict(xy()[0][:5]),
        ("imblearn", "sklearn"), ("pickle", "joblib"))  # fmt: skip
for _name in ("HashingEncoder", "WOEEncoder", "LeaveOneOutEncoder", "JamesSteinEncoder",
              "CatBoostEncoder", "BackwardDifferenceEncoder", "SumEncoder", "HelmertEncoder",
              "CountEncoder", "BaseNEncoder", "MEstimateEncoder", "OneHotEncoder",
              "PolynomialEncoder", "GLMMEncoder", "QuantileEncoder"):  # fmt: skip
    add("ce_" + _name, functools.partial(
        lambda name: named("category_encoders." + name)(cols=["city", "plan"]).fit(
            frame(), xy()[1]), _name),
        lambda value: value.transform(frame().iloc[:4]).values.tolist(),
        ("category_encoders", "pandas"), ("pickle",))  # fmt: skip
value("nx_graph", "networkx.path_graph(3)", lambda v: sorted(map(str, v.edges)), needs="networkx",
      by=BOTH)  # fmt: skip
value("nx_directed", "networkx.DiGraph([(1, 2), (2, 3)])", lambda v: list(v.successors(1)),
      needs="networkx", by=BOTH)  # fmt: skip
value("nx_multi", "networkx.MultiGraph([(1, 2), (1, 2)])", lambda v: v.number_of_edges(),
      needs="networkx")  # fmt: skip
value(
    "sorted_dict", "sortedcontainers.SortedDict(b=1, a=2)", list, needs="sortedcontainers", by=BOTH
)
value("sorted_list", "sortedcontainers.SortedList([2, 1])", list, needs="sortedcontainers")
value(
    "secret", "pydantic.SecretStr('a')", lambda v: v.get_secret_value(), needs="pydantic", by=BOTH
)
value("pydantic_field", "pydantic.fields.FieldInfo(default=1)", lambda v: v.default,
      needs="pydantic pydantic.fields")  # fmt: skip
for _path, _options in (
    ("imputation.MeanMedianImputer", {}), ("encoding.RareLabelEncoder", {"n_categories": 1}),
    ("encoding.OneHotEncoder", {}), ("discretisation.EqualWidthDiscretiser", {"bins": 3}),
    ("outliers.Winsorizer", {}), ("selection.DropConstantFeatures", {}),
):  # fmt: skip
    add("fe_" + _path.rpartition(".")[2], functools.partial(
        lambda path, options: named("feature_engine." + path)(**options).fit(frame()),
        _path, _options), lambda value: value.transform(frame().iloc[:4]).values.tolist(),
        ("feature_engine", "pandas"), ("pickle", "joblib"))  # fmt: skip

# ---- functions and classes that carry their code ----


def code(name: str, text: str, use: Use = lambda f: f(2.0), needs: str = "cloudpickle") -> None:
    """What ``text`` binds to ``made``, as a notebook's main module would."""

    def make() -> Any:
        scope: Dict[str, Any] = {"__name__": "__main__"}
        exec(text, scope)
        return scope["made"]

    add("fn_" + name, make, use, tuple(needs.split()), FUNCTIONS)


code("recursive", "def made(n):\n    return 1 if n <= 1 else n * made(n - 1)\n")
code(
    "with_block",
    "import io\ndef made(x):\n    with io.StringIO('a') as f:\n        return f.read() * int(x)\n",
)
code("generator", "def gen(n):\n    for i in range(n):\n        yield i * 2\n"
     "def made(x):\n    return sum(gen(int(x)))\n")  # fmt: skip
code(
    "comprehension", "def made(x):\n    return {k: [j for j in range(k)] for k in range(int(x))}\n"
)
code(
    "defaults",
    "def made(x, a=1, *rest, b=2, **more):\n    return x + a + b + len(rest) + len(more)\n",
)
code(
    "decorated",
    "import functools\n@functools.lru_cache(maxsize=None)\ndef made(x):\n    return x + 1\n",
)
code("wrapped", "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def inner(x):\n"
     "        return f(f(x))\n    return inner\n@twice\ndef made(x):\n    return x + 1\n")  # fmt: skip
code("annotated", "from typing import List\ndef made(x: float) -> List[float]:\n    return [x]\n")
code("f_string", "def made(x):\n    return f'{x:.2f} and {x!r}'\n")
code("global_read", "LIMIT = 5.0\ndef made(x):\n    return min(x, LIMIT)\n")
code(
    "module_global",
    "import math\nimport os.path\ndef made(x):\n    return math.sqrt(x) + len(os.path.sep)\n",
)
code("sorted_lambda", "made = lambda x: sorted([3, 1, x], key=lambda v: -v)\n")
code("exceptions", "def made(x):\n    try:\n        return {}[x]\n    except (KeyError, ValueError) as e:\n"
     "        return str(e)\n    finally:\n        x = 0\n")  # fmt: skip
code("constant", "def made(x):\n    return (1, 'a', None, 2.5, frozenset([1]))\n")
code("empty", "def made(x):\n    pass\n")
code("subclass", "class Base:\n    def run(self, x):\n        return x\nclass Child(Base):\n"
     "    def run(self, x):\n        return super().run(x) + 1\nmade = Child()\n",
     lambda v: v.run(1))  # fmt: skip
code("property_", "class Box:\n    def __init__(self):\n        self._a = 3\n    @property\n"
     "    def a(self):\n        return self._a\n    @staticmethod\n    def b():\n        return 1\n"
     "    @classmethod\n    def c(cls):\n        return cls.__name__\nmade = Box()\n",
     lambda v: [v.a, v.b(), v.c()])  # fmt: skip
code("slots", "class Point:\n    __slots__ = ('x',)\n    def __init__(self):\n        self.x = 1\n"
     "made = Point()\n", lambda v: v.x)  # fmt: skip
code("dataclass_", "import dataclasses\n@dataclasses.dataclass\nclass Row:\n    a: int = 1\n"
     "    b: str = 'x'\nmade = Row(2)\n", lambda v: [v.a, v.b])  # fmt: skip
code("tuple_", "import collections\nmade = collections.namedtuple('Pair', 'a b')(1, 2)\n", list)
code(
    "enumeration",
    "import enum\nclass Level(enum.IntEnum):\n    A = 1\n    B = 2\nmade = Level.B\n",
    int,
)
code("abstract", "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\n"
     "class B(A):\n    def f(self):\n        return 2\nmade = B()\n", lambda v: v.f())  # fmt: skip
code("class_only", "class Config:\n    rate = 0.5\n    names = ['a']\nmade = Config\n",
     lambda v: [v.rate, v.names])  # fmt: skip
code("with_numpy", "import numpy as np\nWEIGHTS = np.ones(3)\ndef made(x):\n"
     "    return float((WEIGHTS * x).sum())\n", needs="cloudpickle numpy")  # fmt: skip
code("with_pandas", "import pandas as pd\ndef made(x):\n    return pd.Series([x]).sum()\n",
     needs="cloudpickle pandas")  # fmt: skip
code("nested", "def outer():\n    n = 0\n    def inner(x):\n        nonlocal n\n        n += x\n"
     "        return n\n    return inner\nmade = outer()\n")  # fmt: skip
code(
    "partial_of",
    "import functools\ndef add(a, b):\n    return a + b\nmade = functools.partial(add, 1)\n",
)
code("in_a_dictionary", "def f(x):\n    return x + 1\nmade = {'f': f, 'n': 2}\n",
     lambda v: v["f"](v["n"]))  # fmt: skip
code(
    "bound_method",
    "class A:\n    k = 3\n    def f(self, x):\n        return x * self.k\nmade = A().f\n",
)

__all__ = ["collections", "datetime", "decimal", "math", "operator"]
