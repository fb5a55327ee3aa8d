"""What is written in each environment of the matrix: runs on every Python from 3.6 on.

A recipe makes one object; ``exercise`` uses it as a server would and gives plain values, which the
environment that loads it must give as well. No random generator is used for data: their streams
differ between releases.
"""

import collections
import datetime
import decimal
import enum
import functools
import math
import os
import signal
import warnings
from typing import Any, Callable, Dict, List, Tuple

# name -> (modules it needs, how it is written, the function)
RECIPES: Dict[str, Tuple[Tuple[str, ...], Tuple[str, ...], Callable[[], Any]]] = {}
# name -> what is asked of it, of recipes that bring that themselves.
USES: Dict[str, Callable[[Any], Any]] = {}
ALL = ("pickle", "joblib")


def recipe(*needs: str, by: Tuple[str, ...] = ALL) -> Callable[[Callable[[], Any]], Any]:
    def keep(function: Callable[[], Any]) -> Callable[[], Any]:
        RECIPES[function.__name__] = (needs, by, function)
        return function

    return keep


def table(rows: int = 60, columns: int = 4) -> List[List[float]]:
    return [[math.sin(i * 7.1 + j * 3.3) * (j + 1) for j in range(columns)] for i in range(rows)]


def xy(rows: int = 60, columns: int = 4) -> Tuple[Any, Any]:
    import numpy as np

    x = np.array(table(rows, columns))
    return x, (x[:, 0] + x[:, 1] * 0.5 > 0.1).astype(int)


def frame() -> Any:
    import pandas as pd

    return pd.DataFrame(
        {
            "age": [20.0 + i % 40 for i in range(60)],
            "city": ["abc"[i % 3] for i in range(60)],
            "plan": ["xy"[i % 2] for i in range(60)],
        }
    )


# ---- gradient boosting ----


@recipe("lightgbm", "sklearn", by=("pickle", "joblib", "pickle-p2"))
def LGBMClassifier() -> Any:
    import lightgbm

    x, y = xy()
    return lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=3, n_jobs=1).fit(x, y)


@recipe("lightgbm", "sklearn")
def LGBMRegressor() -> Any:
    import lightgbm

    x, _ = xy()
    return lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=3, n_jobs=1).fit(x, x[:, 0])


@recipe("lightgbm", by=(*ALL, "save-txt"))
def LGBMBooster() -> Any:
    import lightgbm

    x, y = xy()
    data = lightgbm.Dataset(x, label=y)
    return lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 4)


@recipe("xgboost", "sklearn", by=(*ALL, "joblib-zlib", "save-json", "save-ubj", "save-model"))
def XGBClassifier() -> Any:
    import xgboost

    x, y = xy()
    return xgboost.XGBClassifier(n_estimators=4, max_depth=2, n_jobs=1).fit(x, y)


@recipe("xgboost", "sklearn", by=(*ALL, "save-json", "save-ubj"))
def XGBRegressor() -> Any:
    import xgboost

    x, _ = xy()
    return xgboost.XGBRegressor(n_estimators=4, max_depth=2, n_jobs=1).fit(x, x[:, 0])


@recipe("xgboost", "sklearn")
def XGBRanker() -> Any:
    import xgboost

    x, y = xy()
    model = xgboost.XGBRanker(n_estimators=3, max_depth=2, n_jobs=1)
    return model.fit(x, y, group=[30, 30])


@recipe("xgboost", by=(*ALL, "save-json", "save-ubj", "save-model"))
def XGBBooster() -> Any:
    import xgboost

    x, y = xy()
    data = xgboost.DMatrix(x, label=y)
    return xgboost.train({"objective": "binary:logistic", "max_depth": 2}, data, 4)


@recipe("catboost", by=("pickle", "joblib", "save-cbm", "save-json"))
def CatBoostClassifier() -> Any:
    import catboost

    x, y = xy()
    model = catboost.CatBoostClassifier(
        iterations=4, depth=2, verbose=0, thread_count=1, allow_writing_files=False
    )
    return model.fit(x, y)


@recipe("catboost", by=(*ALL, "save-cbm"))
def CatBoostRegressor() -> Any:
    import catboost

    x, _ = xy()
    model = catboost.CatBoostRegressor(
        iterations=4, depth=2, verbose=0, thread_count=1, allow_writing_files=False
    )
    return model.fit(x, x[:, 0])


# ---- statistics ----


@recipe("statsmodels", by=("pickle", "joblib"))
def OLSResults() -> Any:
    import statsmodels.api as sm

    x, _ = xy()
    return sm.OLS(x[:, 0], sm.add_constant(x[:, 1:])).fit()


@recipe("statsmodels")
def LogitResults() -> Any:
    import statsmodels.api as sm

    x, _ = xy()
    y = (x[:, 0] + x[:, 2] * 0.3 + [math.cos(i * 11.0) for i in range(60)] > 0).astype(int)
    return sm.Logit(y, sm.add_constant(x[:, :2])).fit(disp=0)


@recipe("statsmodels")
def GLMResults() -> Any:
    import statsmodels.api as sm

    x, _ = xy()
    return sm.GLM(abs(x[:, 0]) + 1, sm.add_constant(x[:, 1:]), family=sm.families.Gamma(
        sm.families.links.log() if not hasattr(sm.families.links, "Log") else sm.families.links.Log()
    )).fit()  # fmt: skip


@recipe("statsmodels")
def ARIMAResults() -> Any:
    from statsmodels.tsa.arima.model import ARIMA

    return ARIMA([row[0] for row in table(60)], order=(1, 0, 0)).fit()


@recipe("statsmodels")
def HoltWinters() -> Any:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    return ExponentialSmoothing([abs(r[0]) + 1 for r in table(40)], trend="add").fit()


@recipe("hmmlearn", "sklearn")
def GaussianHMM() -> Any:
    from hmmlearn.hmm import GaussianHMM as Model

    x, _ = xy()
    return Model(n_components=2, n_iter=3, random_state=0).fit(x)


# ---- around scikit-learn ----


@recipe("imblearn", "sklearn")
def ImbPipeline() -> Any:
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import Pipeline
    from sklearn.linear_model import LogisticRegression

    x, y = xy()
    steps = [("smote", SMOTE(random_state=0)), ("model", LogisticRegression())]
    return Pipeline(steps).fit(x, y)


@recipe("imblearn", "sklearn")
def BalancedRandomForest() -> Any:
    from imblearn.ensemble import BalancedRandomForestClassifier

    x, y = xy()
    return BalancedRandomForestClassifier(n_estimators=3, random_state=0).fit(x, y)


@recipe("imblearn", "sklearn")
def RandomUnderSampler() -> Any:
    from imblearn.under_sampling import RandomUnderSampler as Sampler

    sampler = Sampler(random_state=0)
    sampler.fit_resample(*xy())
    return sampler


@recipe("category_encoders", "pandas")
def CETargetEncoder() -> Any:
    import category_encoders
    import pandas as pd

    _, y = xy()
    return category_encoders.TargetEncoder(cols=["city"]).fit(frame(), pd.Series(y))


@recipe("category_encoders", "pandas")
def CEOrdinalEncoder() -> Any:
    import category_encoders

    return category_encoders.OrdinalEncoder(cols=["city", "plan"]).fit(frame())


@recipe("category_encoders", "pandas")
def CEBinaryEncoder() -> Any:
    import category_encoders

    return category_encoders.BinaryEncoder(cols=["city"]).fit(frame())


@recipe("gensim", by=("pickle",))
def Word2Vec() -> Any:
    from gensim.models import Word2Vec as Model

    words = [["a", "b", "c"], ["b", "c", "d"], ["a", "d"]] * 4
    return Model(words, vector_size=4, min_count=1, workers=1, seed=1)


@recipe("gensim", by=("pickle",))
def Dictionary() -> Any:
    from gensim.corpora import Dictionary as Corpus

    return Corpus([["a", "b"], ["b", "c"]])


# ---- scikit-learn ----


def sk(path: str, *, kind: str = "class", **arguments: Any) -> Callable[[], Any]:
    def make() -> Any:
        import importlib

        module, _, name = path.rpartition(".")
        model = getattr(importlib.import_module(module), name)(**arguments)
        x, y = xy()
        if kind == "class":
            return model.fit(x, y)
        if kind == "number":
            return model.fit(x, x[:, 0] * 2 + 1)
        if kind == "positive":
            return model.fit(abs(x), y)
        if kind == "text":
            words = ["red green", "green blue", "blue red red", "white"] * 5
            return model.fit(words, [0, 1] * 10)
        if kind == "category":
            return model.fit([[w] for w in "abcabcab"])
        return model.fit(x)

    return make


_SK = {
    "LogisticRegression": sk("sklearn.linear_model.LogisticRegression"),
    "RidgeClassifier": sk("sklearn.linear_model.RidgeClassifier"),
    "Lasso": sk("sklearn.linear_model.Lasso", kind="number", alpha=0.1),
    "ElasticNetCV": sk("sklearn.linear_model.ElasticNetCV", kind="number", cv=3),
    "BayesianRidge": sk("sklearn.linear_model.BayesianRidge", kind="number"),
    "SGDClassifier": sk("sklearn.linear_model.SGDClassifier", random_state=0),
    "Perceptron": sk("sklearn.linear_model.Perceptron", random_state=0),
    "LinearRegression": sk("sklearn.linear_model.LinearRegression", kind="number"),
    "RandomForest": sk("sklearn.ensemble.RandomForestClassifier", n_estimators=3, random_state=0),
    "ExtraTrees": sk("sklearn.ensemble.ExtraTreesClassifier", n_estimators=3, random_state=0),
    "GradientBoosting": sk("sklearn.ensemble.GradientBoostingClassifier", n_estimators=3,
                           random_state=0),
    "IsolationForest": sk("sklearn.ensemble.IsolationForest", kind="x", n_estimators=3,
                          random_state=0),
    "AdaBoostRegressor": sk("sklearn.ensemble.AdaBoostRegressor", kind="number", n_estimators=3,
                            random_state=0),
    "DecisionTree": sk("sklearn.tree.DecisionTreeClassifier", max_depth=3, random_state=0),
    "ExtraTree": sk("sklearn.tree.ExtraTreeRegressor", kind="number", max_depth=3, random_state=0),
    "SVC": sk("sklearn.svm.SVC", probability=True, random_state=0),
    "NuSVR": sk("sklearn.svm.NuSVR", kind="number"),
    "LinearSVR": sk("sklearn.svm.LinearSVR", kind="number", random_state=0),
    "KNeighborsRegressor": sk("sklearn.neighbors.KNeighborsRegressor", kind="number"),
    "KNeighborsBallTree": sk("sklearn.neighbors.KNeighborsClassifier", algorithm="ball_tree"),
    "RadiusNeighbors": sk("sklearn.neighbors.RadiusNeighborsRegressor", kind="number", radius=9.0),
    "NearestCentroid": sk("sklearn.neighbors.NearestCentroid"),
    "BernoulliNB": sk("sklearn.naive_bayes.BernoulliNB"),
    "ComplementNB": sk("sklearn.naive_bayes.ComplementNB", kind="positive"),
    "GaussianNB": sk("sklearn.naive_bayes.GaussianNB"),
    "LDA": sk("sklearn.discriminant_analysis.LinearDiscriminantAnalysis"),
    "QDA": sk("sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis"),
    "MLPClassifier": sk("sklearn.neural_network.MLPClassifier", hidden_layer_sizes=(4,), max_iter=20,
                        random_state=0),
    "GaussianProcess": sk("sklearn.gaussian_process.GaussianProcessRegressor", kind="number"),
    "KMeans": sk("sklearn.cluster.KMeans", kind="x", n_clusters=2, n_init=2, random_state=0),
    "MiniBatchKMeans": sk("sklearn.cluster.MiniBatchKMeans", kind="x", n_clusters=2, n_init=2,
                          random_state=0),
    "PCA": sk("sklearn.decomposition.PCA", kind="x", n_components=2),
    "IncrementalPCA": sk("sklearn.decomposition.IncrementalPCA", kind="x", n_components=2),
    "TruncatedSVD": sk("sklearn.decomposition.TruncatedSVD", kind="x", n_components=2, random_state=0),
    "FastICA": sk("sklearn.decomposition.FastICA", kind="x", n_components=2, random_state=0),
    "LatentDirichlet": sk("sklearn.decomposition.LatentDirichletAllocation", kind="positive",
                          n_components=2, max_iter=2, random_state=0),
    "SelectKBest": sk("sklearn.feature_selection.SelectKBest", k=2),
    "VarianceThreshold": sk("sklearn.feature_selection.VarianceThreshold", kind="x"),
    "StandardScaler": sk("sklearn.preprocessing.StandardScaler", kind="x"),
    "MinMaxScaler": sk("sklearn.preprocessing.MinMaxScaler", kind="x"),
    "MaxAbsScaler": sk("sklearn.preprocessing.MaxAbsScaler", kind="x"),
    "Normalizer": sk("sklearn.preprocessing.Normalizer", kind="x"),
    "PolynomialFeatures": sk("sklearn.preprocessing.PolynomialFeatures", kind="x", degree=2),
    "PowerTransformer": sk("sklearn.preprocessing.PowerTransformer", kind="x"),
    "OneHotEncoder": sk("sklearn.preprocessing.OneHotEncoder", kind="category"),
    "OrdinalEncoder": sk("sklearn.preprocessing.OrdinalEncoder", kind="category"),
    "Binarizer": sk("sklearn.preprocessing.Binarizer", kind="x"),
    "SimpleImputer": sk("sklearn.impute.SimpleImputer", kind="x"),
    "KNNImputer": sk("sklearn.impute.KNNImputer", kind="x"),
    "TfidfVectorizer": sk("sklearn.feature_extraction.text.TfidfVectorizer", kind="text"),
    "CountVectorizer": sk("sklearn.feature_extraction.text.CountVectorizer", kind="text"),
    "HashingVectorizer": sk("sklearn.feature_extraction.text.HashingVectorizer", kind="text",
                            n_features=16),
    "PLSRegression": sk("sklearn.cross_decomposition.PLSRegression", kind="number"),
    "KernelRidge": sk("sklearn.kernel_ridge.KernelRidge", kind="number"),
}  # fmt: skip
for _name, _make in _SK.items():
    RECIPES[_name] = (("sklearn",), ("pickle",), _make)
for _name in ("LogisticRegression", "RandomForest", "StandardScaler"):
    RECIPES[_name] = (
        ("sklearn",),
        ("pickle", "joblib", "joblib-zlib", "joblib-xz", "joblib-lz4", "skops"),
        _SK[_name],
    )


@recipe("sklearn")
def HistGradientBoosting() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
        except ImportError:
            pass
        from sklearn.ensemble import HistGradientBoostingRegressor

    x, _ = xy()
    return HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=3).fit(x, x[:, 0])


@recipe("sklearn", "pandas", by=("pickle", "joblib", "skops"))
def ColumnPipeline() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = ColumnTransformer(
        [("num", StandardScaler(), ["age"]), ("cat", OneHotEncoder(), ["city", "plan"])]
    )
    _, y = xy()
    return Pipeline([("prepare", columns), ("model", LogisticRegression())]).fit(frame(), y)


@recipe("sklearn", "pandas")
def RemainderPipeline() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    columns = make_column_transformer((OrdinalEncoder(), ["city", "plan"]), remainder="passthrough")
    _, y = xy()
    forest = RandomForestClassifier(n_estimators=2, random_state=0)
    return make_pipeline(columns, forest).fit(frame(), y)


@recipe("sklearn")
def TextPipeline() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    words = ["red green", "green blue", "blue red red", "white"] * 5
    return make_pipeline(CountVectorizer(), MultinomialNB()).fit(words, [0, 1] * 10)


@recipe("sklearn")
def GridSearch() -> Any:
    from sklearn.model_selection import GridSearchCV
    from sklearn.tree import DecisionTreeClassifier

    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, cv=2)
    return search.fit(*xy())


@recipe("sklearn")
def StackingRegressor() -> Any:
    from sklearn.ensemble import StackingRegressor as Model
    from sklearn.linear_model import LinearRegression, Ridge

    x, _ = xy()
    return Model([("a", Ridge()), ("b", LinearRegression())], cv=2).fit(x, x[:, 0])


@recipe("sklearn", by=("pickle", "cloudpickle"))
def ProjectEstimator() -> Any:
    import shop

    return shop.ThresholdModel(0.2).fit(*xy())


# ---- NumPy, SciPy, pandas ----


@recipe("numpy", by=("pickle", "pickle-p5", "joblib", "joblib-lz4"))
def ndarray() -> Any:
    import numpy as np

    return np.array(table())


@recipe("numpy")
def array_of_objects() -> Any:
    import numpy as np

    return np.array(["a", None, 2.5], dtype=object)


@recipe("numpy")
def array_of_text() -> Any:
    import numpy as np

    return np.array(["abc", "d"])


@recipe("numpy")
def generator() -> Any:
    import numpy as np

    return np.random.default_rng(1)


@recipe("numpy")
def random_state() -> Any:
    import numpy as np

    return np.random.RandomState(1)


@recipe("numpy")
def masked_array() -> Any:
    import numpy as np

    return np.ma.masked_array([1.0, 2.0, 3.0], mask=[False, True, False])


@recipe("numpy")
def scalar() -> Any:
    import numpy as np

    return {"threshold": np.float64(0.25), "count": np.int64(3)}


@recipe("scipy")
def csr_matrix() -> Any:
    from scipy.sparse import csr_matrix as make

    return make([[0.0, 1.5], [2.0, 0.0]])


@recipe("scipy")
def coo_matrix() -> Any:
    from scipy.sparse import coo_matrix as make

    return make([[0.0, 1.5], [2.0, 0.0]])


@recipe("scipy")
def dok_matrix() -> Any:
    from scipy.sparse import dok_matrix as make

    return make([[0.0, 1.5], [2.0, 0.0]])


@recipe("scipy")
def lil_matrix() -> Any:
    from scipy.sparse import lil_matrix as make

    return make([[0.0, 1.5], [2.0, 0.0]])


@recipe("scipy")
def frozen_norm() -> Any:
    from scipy import stats

    return stats.norm(1.0, 2.0)


@recipe("scipy")
def frozen_beta() -> Any:
    from scipy import stats

    return stats.beta(2.0, 3.0)


@recipe("scipy")
def frozen_poisson() -> Any:
    from scipy import stats

    return stats.poisson(3.0)


@recipe("scipy")
def gaussian_kde() -> Any:
    from scipy import stats

    return stats.gaussian_kde([row[0] for row in table(20)])


@recipe("scipy")
def interp1d() -> Any:
    from scipy.interpolate import interp1d as make

    return make([0.0, 1.0, 2.0], [1.0, 3.0, 2.0])


@recipe("scipy")
def cubic_spline() -> Any:
    from scipy.interpolate import CubicSpline

    return CubicSpline([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 2.0, 5.0])


@recipe("scipy")
def ckdtree() -> Any:
    from scipy.spatial import cKDTree

    return cKDTree(table(20, 2))


@recipe("scipy")
def rotation() -> Any:
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("z", 90, degrees=True)


# What SciPy makes, and how it is asked.
_SCIPY: Dict[str, Tuple[Callable[[], Any], Callable[[Any], Any]]] = {}


def _scipy(name: str, ask: Callable[[Any], Any]) -> Callable[[Callable[[], Any]], Any]:
    def keep(make: Callable[[], Any]) -> Any:
        _SCIPY["scipy_" + name] = (make, ask)
        RECIPES["scipy_" + name] = (("scipy",), ("pickle",), make)
        return make

    return keep


X5, Y5 = [0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 5.0, 4.0]
_AT = [0.5, 1.5]
for _path in ("PchipInterpolator", "Akima1DInterpolator", "KroghInterpolator", "BarycentricInterpolator",
              "UnivariateSpline", "InterpolatedUnivariateSpline", "make_interp_spline"):  # fmt: skip

    @_scipy(_path, lambda value: value(_AT))
    def _interpolator(_path: str = _path) -> Any:
        import scipy.interpolate

        return getattr(scipy.interpolate, _path)(X5, Y5)


@_scipy("PPoly", lambda value: value(_AT))
def _ppoly() -> Any:
    from scipy.interpolate import PPoly

    return PPoly([[1.0, 2.0], [0.0, 1.0]], [0.0, 1.0, 2.0])


@_scipy("interp1d_cubic", lambda value: value(_AT))
def _cubic() -> Any:
    from scipy.interpolate import interp1d as make

    return make(X5, Y5, kind="cubic")


@_scipy("RegularGridInterpolator", lambda value: value([[0.5, 0.5]]))
def _grid() -> Any:
    import numpy as np
    from scipy.interpolate import RegularGridInterpolator

    return RegularGridInterpolator((X5, X5), np.outer(Y5, Y5))


@_scipy("RBFInterpolator", lambda value: value([[0.5, 0.5]]))
def _rbf() -> Any:
    from scipy.interpolate import RBFInterpolator

    return RBFInterpolator(table(12, 2), [row[0] for row in table(12, 1)])


@_scipy("LinearNDInterpolator", lambda value: value([[0.1, 0.1]]))
def _linear_nd() -> Any:
    from scipy.interpolate import LinearNDInterpolator

    return LinearNDInterpolator(table(12, 2), [row[0] for row in table(12, 1)])


@_scipy("NearestNDInterpolator", lambda value: value([[0.1, 0.1]]))
def _nearest_nd() -> Any:
    from scipy.interpolate import NearestNDInterpolator

    return NearestNDInterpolator(table(12, 2), [row[0] for row in table(12, 1)])


@_scipy("RectBivariateSpline", lambda value: value(0.5, 0.5))
def _rectangle() -> Any:
    import numpy as np
    from scipy.interpolate import RectBivariateSpline

    return RectBivariateSpline(X5, X5, np.outer(Y5, Y5))


@_scipy("KDTree", lambda value: value.query([0.1, 0.2])[1])
def _tree() -> Any:
    from scipy.spatial import KDTree

    return KDTree(table(20, 2))


@_scipy("Delaunay", lambda value: value.find_simplex([[0.1, 0.1]]))
def _delaunay() -> Any:
    from scipy.spatial import Delaunay

    return Delaunay(table(12, 2))


for _path in ("bsr", "dia", "csc"):

    @_scipy(_path + "_matrix", lambda value: value.toarray())
    def _sparse(_path: str = _path) -> Any:
        import numpy as np
        import scipy.sparse

        return getattr(scipy.sparse, _path + "_matrix")(np.eye(4))


@_scipy("csr_array", lambda value: value.toarray())
def _sparse_array() -> Any:
    import numpy as np
    from scipy.sparse import csr_array

    return csr_array(np.eye(4))


@_scipy("multivariate_normal", lambda value: value.pdf([0.1, 0.2]))
def _normal() -> Any:
    from scipy.stats import multivariate_normal

    return multivariate_normal([0.0, 0.0], [[1.0, 0.2], [0.2, 1.0]])


@_scipy("rv_histogram", lambda value: value.cdf(2.0))
def _histogram() -> Any:
    import numpy as np
    from scipy.stats import rv_histogram

    return rv_histogram(np.histogram(Y5, bins=3))


@_scipy("rv_discrete", lambda value: value.pmf(2))
def _discrete() -> Any:
    from scipy.stats import rv_discrete

    return rv_discrete(values=([1, 2, 3], [0.2, 0.5, 0.3]))


@_scipy("TransferFunction", lambda value: value.poles)
def _transfer() -> Any:
    from scipy.signal import TransferFunction

    return TransferFunction([1.0], [1.0, 2.0])


@_scipy("OptimizeResult", lambda value: value.x)
def _result() -> Any:
    from scipy.optimize import minimize

    return minimize(lambda x: (x[0] - 1) ** 2, [0.0])


@_scipy("Slerp", lambda value: value([0.5]).as_quat())
def _slerp() -> Any:
    from scipy.spatial.transform import Rotation, Slerp

    return Slerp([0.0, 1.0], Rotation.from_euler("z", [0, 90], degrees=True))


@recipe("pandas", by=("pickle", "topickle", "joblib"))
def data_frame() -> Any:
    return frame()


@recipe("pandas", by=("pickle", "topickle"))
def data_frame_types() -> Any:
    import pandas as pd

    data = frame()
    data["when"] = pd.date_range("2020-01-01", periods=60)
    data["city"] = data["city"].astype("category")
    return data.set_index("when")


@recipe("pandas", by=("pickle", "topickle"))
def data_frame_nullable() -> Any:
    import pandas as pd

    return pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64")})


@recipe("pandas")
def series_text() -> Any:
    import pandas as pd

    return pd.Series(["a", "b", None], dtype="string" if pd.__version__ >= "1" else object)


@recipe("pandas")
def multi_index() -> Any:
    import pandas as pd

    return pd.MultiIndex.from_product([["a", "b"], [1, 2]])


@recipe("pandas")
def timestamp() -> Any:
    import pandas as pd

    return pd.Timestamp("2020-02-03 04:05:06", tz="UTC")


@recipe("pandas")
def interval_range() -> Any:
    import pandas as pd

    return pd.interval_range(0, 3)


# ---- torch, Keras ----


@recipe("torch", by=("torch", "torch-default", "torch-legacy"))
def torch_state() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Linear(4, 2).state_dict()


@recipe("torch", by=("torch", "torch-default", "pickle"))
def torch_module() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))


@recipe("torch", by=("torch", "torch-default"))
def torch_checkpoint() -> Any:
    import torch

    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    return {"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict()}


@recipe("torch", by=("torchscript",))
def torch_script() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.jit.script(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()))


@recipe("keras", by=("pickle", "keras", "keras-h5"))
def keras_model() -> Any:
    import keras

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, kernel_initializer="ones")])


@recipe("keras", by=("keras", "keras-h5"))
def keras_layers() -> Any:
    import keras

    first = keras.Input((4,))
    inner = keras.layers.BatchNormalization()(keras.layers.Dense(3, activation="relu")(first))
    last = keras.layers.Dropout(0.2)(keras.layers.Concatenate()([inner, first]))
    model = keras.Model(first, keras.layers.Dense(1, activation="sigmoid")(last))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


# ---- tables of polars ----


@recipe("polars")
def polars_frame() -> Any:
    import polars

    return polars.DataFrame({"age": [1.0, 2.0, None], "city": ["a", "b", "c"]})


# ---- functions and classes ----

FUNCTIONS = ("cloudpickle", "dill")
LIMIT = 3.0


@recipe("cloudpickle", by=FUNCTIONS)
def function_plain() -> Any:
    scope: Dict[str, Any] = {"__name__": "__main__"}
    exec("def double(x):\n    return x * 2 + 1\n", scope)
    return scope["double"]


@recipe("cloudpickle", by=FUNCTIONS)
def function_loop() -> Any:
    scope: Dict[str, Any] = {"__name__": "__main__"}
    exec(
        "def total(x, scale=2.0, *, shift=1.0):\n"
        "    result = 0.0\n"
        "    for i in range(4):\n"
        "        try:\n"
        "            result += scale * i / x\n"
        "        except ZeroDivisionError:\n"
        "            continue\n"
        "    return result + shift\n",
        scope,
    )
    return scope["total"]


@recipe("cloudpickle", by=FUNCTIONS)
def function_closure() -> Any:
    scope: Dict[str, Any] = {"__name__": "__main__", "LIMIT": 3.0}
    exec(
        "def outer(n):\n"
        "    def inner(x):\n"
        "        values = [v * n for v in (x, 1.0, 2.0)]\n"
        "        return sum(values) if x < LIMIT else max(values)\n"
        "    return inner\n"
        "made = outer(3)\n",
        scope,
    )
    return scope["made"]


@recipe("cloudpickle", by=FUNCTIONS)
def function_lambda() -> Any:
    scope: Dict[str, Any] = {"__name__": "__main__"}
    exec("f = lambda x: {'a': x}.get('a') or 0.0", scope)
    return scope["f"]


@recipe("cloudpickle", "numpy", by=FUNCTIONS)
def function_numpy() -> Any:
    import numpy

    scope: Dict[str, Any] = {"__name__": "__main__", "np": numpy}
    exec("def f(x):\n    return float(np.log1p(np.abs(x)))\n", scope)
    return scope["f"]


@recipe("cloudpickle", by=FUNCTIONS)
def class_instance() -> Any:
    scope: Dict[str, Any] = {"__name__": "__main__"}
    exec(
        "class Scaler:\n"
        "    kind = 'linear'\n"
        "    def __init__(self, by):\n"
        "        self.by = by\n"
        "    def transform(self, x):\n"
        "        return [v * self.by for v in x]\n",
        scope,
    )
    return scope["Scaler"](2.0)


@recipe("cloudpickle", "sklearn", by=("cloudpickle", "dill"))
def pipeline_lambda() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    scope: Dict[str, Any] = {"__name__": "__main__"}
    exec("f = lambda x: x * 2", scope)
    return make_pipeline(FunctionTransformer(scope["f"], validate=False), StandardScaler()).fit(
        xy()[0]
    )


@recipe("cloudpickle", by=FUNCTIONS)
def enum_local() -> Any:
    scope: Dict[str, Any] = {"__name__": "__main__", "enum": enum}
    exec("class Level(enum.Enum):\n    LOW = 1\n    HIGH = 2\n", scope)
    return scope["Level"].HIGH


@recipe(by=("pickle", "dill"))
def project_function() -> Any:
    import shop

    return shop.clean if hasattr(shop, "clean") else shop.clean_text


@recipe()
def project_enum() -> Any:
    import shop

    return list(shop.Tier)


@recipe()
def project_tuple() -> Any:
    import shop

    return shop.Basket(*range(len(shop.Basket._fields)))


@recipe()
def project_slots() -> Any:
    import shop

    return shop.Rule(1.0, 2.0)


@recipe()
def project_flags() -> Any:
    import shop

    return shop.Access.READ | shop.Access.WRITE


@recipe()
def project_data() -> Any:
    import shop

    return shop.Settings("a", 0.5)


@recipe()
def project_member() -> Any:
    import shop

    return shop.Tier(1)


# ---- the standard library ----


@recipe(by=("pickle", "pickle-p2", "pickle-p5"))
def plain_values() -> Any:
    return {
        "when": datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
        "price": decimal.Decimal("1.25"),
        "count": collections.Counter("abca"),
        "order": collections.OrderedDict([("b", 1), ("a", 2)]),
        "path": os.path.basename("/a/b"),
    }


@recipe()
def path() -> Any:
    import pathlib

    return pathlib.PurePosixPath("/srv/model.bin")


@recipe()
def partial() -> Any:
    return functools.partial(math.pow, 2.0)


# ---- use ----


def plain(value: Any, depth: int = 0) -> Any:
    """Numbers and texts in lists and dictionaries, comparable between environments."""
    if depth > 6:
        return "…"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {str(k): plain(v, depth + 1) for k, v in value.items()}
    for method in ("toarray", "tolist", "to_list"):
        if hasattr(value, method):
            return plain(getattr(value, method)(), depth + 1)
    if type(value).__module__.startswith("pandas"):
        if hasattr(value, "columns"):
            return {str(c): plain(list(value[c])[:10], depth + 1) for c in value.columns}
        if hasattr(value, "values"):
            return plain(list(value.values)[:10], depth + 1)
        return str(value)
    if isinstance(value, (list, tuple, set)):
        return [plain(v, depth + 1) for v in list(value)[:50]]
    if hasattr(value, "item"):
        return plain(value.item(), depth + 1)
    return str(value)


# ---- every estimator of scikit-learn, as the probes of releases make them ----

SWEPT = "every-"


def swept(_: str = "") -> Dict[str, Callable[[], Any]]:
    """One recipe for each estimator that fits one of the samples; the name tells the sample."""
    import sys

    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    import probe_worker

    signal.signal(signal.SIGALRM, probe_worker.alarm)
    data = probe_worker.samples()
    found: Dict[str, Callable[[], Any]] = {}
    for key, cls in sorted(probe_worker.estimators().items()):
        if cls.__name__.startswith("_"):
            continue
        for kind, (x, y) in data.items():
            model = _fitted(probe_worker, cls, x, y)
            if model is not None:
                name = SWEPT + key.rpartition(":")[2] + "-" + kind.replace(" ", "_")
                found[name] = functools.partial(_made, probe_worker, cls, x, y)
                break
    return found


def _fitted(probes: Any, cls: Any, x: Any, y: Any) -> Any:
    import copy

    signal.setitimer(signal.ITIMER_REAL, 4)
    try:
        model = cls(**copy.deepcopy(probes.defaults(cls)))
        model = model.fit(x, y) if y is not None else model.fit(x)
        return model if _asked(probes, model, x) else None
    except BaseException:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _made(probes: Any, cls: Any, x: Any, y: Any) -> Any:
    model = _fitted(probes, cls, x, y)
    if model is None:
        raise RuntimeError("too slow this time")
    return model


def _asked(probes: Any, model: Any, x: Any) -> List[Any]:
    answers = []
    for root in probes.roots_of(model):
        try:
            answers.append(plain(getattr(model, root)(x[:3])))
        except Exception:
            if root != "predict_proba":
                raise
    return answers


def _exercise_swept(name: str, value: Any) -> Any:
    import sys

    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    import probe_worker

    kind = name.rpartition("-")[2].replace("_", " ")
    return _asked(probe_worker, value, probe_worker.samples()[kind][0])


# Recipes that are made in the environment itself, by how their names begin, and their use.
FAMILIES: Dict[str, Callable[[str], Dict[str, Callable[[], Any]]]] = {SWEPT: swept}
FAMILY_USES: Dict[str, Callable[[str, Any], Any]] = {SWEPT: _exercise_swept}


def exercise(name: str, value: Any) -> Any:
    """What a server would ask of it."""
    if name in USES:
        return plain(USES[name](value))
    for start, use in FAMILY_USES.items():
        if name.startswith(start):
            return plain(use(name, value))
    if name in _SCIPY:
        return plain(_SCIPY[name][1](value))
    kind = type(value).__name__
    module = type(value).__module__
    if module.startswith("torch") and callable(value):
        import torch

        with torch.no_grad():
            return plain(value(torch.ones(1, 4)))
    if name.startswith("torch_"):
        return sorted(map(str, value))
    if name.startswith("keras_"):
        # The weights are drawn anew for every model: what comes back is compared by its form.
        found = value.predict(_ones(), verbose=0)
        return plain(found) if name == "keras_model" else list(found.shape)
    if name == "Word2Vec":
        return sorted(value.wv.key_to_index), len(value.wv["a"])
    if name == "Dictionary":
        return value.doc2bow(["a", "b", "z"])
    if name in ("data_frame", "data_frame_types", "data_frame_nullable"):
        return (
            plain(value),
            [str(c) for c in value.columns],
            plain(value.iloc[:2].sum(axis=0, numeric_only=True)),
        )
    if name == "polars_frame":
        return plain(value.to_dict(as_series=False))
    if name == "generator":
        return [value.random() for _ in range(3)]
    if name == "random_state":
        return [value.rand() for _ in range(3)]
    if name == "masked_array":
        return plain(value.filled(0)), float(value.sum())
    if name.startswith("frozen_"):
        return [float(value.cdf(0.4)), float(value.ppf(0.3)), float(value.mean())]
    if name == "gaussian_kde":
        return plain(value([0.1, 0.2]))
    if name in ("interp1d", "cubic_spline"):
        return plain(value([0.5, 1.5]))
    if name == "ckdtree":
        return plain(value.query([0.1, 0.2])[1])
    if name == "rotation":
        return plain(value.apply([1.0, 0.0, 0.0]))
    if module.startswith("pandas"):
        return plain(value)
    if name == "project_slots":
        return value.run(2.0)
    if name == "RandomUnderSampler":
        return plain(value.fit_resample(*xy())[1])
    if name.startswith("CE"):
        return plain(value.transform(frame().iloc[:5]))
    if name == "XGBBooster":
        import xgboost

        return plain(value.predict(xgboost.DMatrix(xy()[0][:5])))
    if name in ("OLSResults", "LogitResults", "GLMResults"):
        import statsmodels.api as sm

        x = xy()[0]
        return plain(
            value.predict(sm.add_constant(x[:, :2] if name == "LogitResults" else x[:, 1:])[:5])
        ), plain(value.params)
    if name in ("ARIMAResults", "HoltWinters"):
        return plain(value.forecast(2))
    if kind.endswith("Vectorizer") or name == "TextPipeline":
        use = value.predict if hasattr(value, "predict") else value.transform
        return plain(use(["red blue", "green"]))
    if name in ("OneHotEncoder", "OrdinalEncoder"):
        return plain(value.transform([["a"], ["c"]]))
    if name in ("ColumnPipeline", "RemainderPipeline"):
        return plain(value.predict_proba(frame().iloc[:5]))
    if name == "class_instance":
        return value.transform([1.0, 2.0])
    if hasattr(value, "predict") or hasattr(value, "transform"):
        x = xy()[0][:5]
        x = abs(x) if name in ("ComplementNB", "LatentDirichlet") else x
        found = [plain(value.predict(x))] if hasattr(value, "predict") else []
        if hasattr(value, "predict_proba"):
            found.append(plain(value.predict_proba(x)))
        if hasattr(value, "transform") and not hasattr(value, "predict"):
            found.append(plain(value.transform(x)))
        return found
    if callable(value):
        return plain(value(2.0))
    return plain(value)


def _ones() -> Any:
    import numpy as np

    return np.ones((1, 4), dtype="float32")
