#!/usr/bin/env python3
# ruff: noqa: ANN001, ANN201, B905, RUF059, SIM105
# mypy: ignore-errors
"""Really produce harmless artifacts, with many libraries and versions, to measure false alarms.

    python tools/make_benign_artifacts.py OUT [--group NAME]...    # builds, dumps, fills OUT
    python tools/make_benign_artifacts.py OUT --measure            # judges what lies in OUT

Every group below is one virtual environment under ``OUT/venvs`` (the Python of that version must be
on the machine, by pyenv or as ``pythonX.Y``). In it the recipes fit small models and write them
with pickle (several protocols), joblib (plain and compressed), cloudpickle and dill, and each
library in its own formats, to ``OUT/artifacts/GROUP``. ``OUT/raw/GROUP.json`` is the input of
``tools/make_pickle_allowlist.py merge``. A group that is done is not done again.

What runs inside the environments must run on Python 3.8.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

# group: (Python, requirements, recipes)
GROUPS = {
    "p38-sk023": ("3.8", "numpy==1.19.5 scipy==1.5.4 scikit-learn==0.23.2 pandas==1.1.5 joblib==0.17.0 xgboost==1.2.1 lightgbm==3.0.0 statsmodels==0.12.2 imbalanced-learn==0.7.0 category_encoders==2.2.2 mlxtend==0.18.0 cloudpickle==1.6.0 dill==0.3.3 packaging", "plain numpy scipy sklearn pandas xgboost lightgbm statsmodels imblearn category_encoders mlxtend"),
    "p38-sk10": ("3.8", "numpy==1.21.6 scipy==1.7.3 scikit-learn==1.0.2 pandas==1.4.4 joblib==1.1.1 catboost==1.0.6 lifelines==0.27.0 hmmlearn==0.2.7 gensim==4.1.2 cloudpickle==2.0.0 dill==0.3.4 lz4", "plain numpy scipy sklearn pandas catboost lifelines hmmlearn gensim"),
    "p39-sk11": ("3.9", "numpy==1.23.5 scipy==1.9.3 scikit-learn==1.1.3 pandas==1.5.3 joblib==1.2.0 xgboost==1.7.6 lightgbm==3.3.5 umap-learn==0.5.3 pyod==1.0.9 statsmodels==0.13.5 cloudpickle==2.2.1 dill==0.3.6 setuptools<70", "plain numpy scipy sklearn pandas xgboost lightgbm umap pyod statsmodels"),
    "p310-sk12": ("3.10", "numpy==1.24.4 scipy==1.10.1 scikit-learn==1.2.2 pandas==2.0.3 joblib==1.3.2 xgboost==2.0.3 lightgbm==4.0.0 pmdarima==2.0.4 sktime==0.24.1 prophet==1.1.5 cloudpickle==3.0.0 dill==0.3.7 setuptools<70", "numpy sklearn pandas xgboost lightgbm pmdarima sktime prophet"),
    "p310-tools": ("3.10", "numpy==1.26.4 scikit-learn==1.3.2 pandas==2.1.4 joblib==1.3.2 shap==0.44.1 optuna==3.5.0 feature-engine==1.6.2 mlxtend==0.23.1 skops==0.9.0 tpot==0.12.1 setuptools<70 cloudpickle dill", "sklearn pandas shap optuna feature_engine mlxtend skops tpot"),
    "p311-text": ("3.11", "numpy==1.26.4 scipy==1.11.4 scikit-learn==1.4.2 spacy==3.7.5 gensim==4.3.2 nltk==3.8.1 implicit==0.7.2 dill cloudpickle", "sklearn scipy spacy gensim nltk implicit"),
    "p311-torch": ("3.11", "torch==2.13.0 numpy skorch scikit-learn pandas safetensors", "torch skorch pandas sklearn"),
    "p312-sk15": ("3.12", "numpy==2.0.2 scipy==1.14.1 scikit-learn==1.5.2 pandas==2.2.3 joblib==1.4.2 xgboost==2.1.4 lightgbm==4.5.0 catboost==1.2.8 hmmlearn==0.3.3 lifelines==0.30.0 polars==1.9.0 statsmodels==0.14.4 dill==0.3.9 cloudpickle==3.1.0", "plain numpy scipy sklearn pandas xgboost lightgbm catboost hmmlearn lifelines polars statsmodels"),
    "p312-online": ("3.12", "numpy==1.26.4 scikit-learn==1.6.1 pandas==2.2.3 river==0.21.2 pyod==2.0.3 hdbscan==0.8.40 imbalanced-learn==0.13.0 category_encoders==2.8.0 feature-engine==1.8.3 dill cloudpickle", "sklearn pandas river pyod hdbscan imblearn category_encoders feature_engine"),
    "p313-sk17": ("3.13", "numpy==2.3.1 scipy==1.16.0 scikit-learn==1.7.2 pandas==2.3.1 joblib==1.5.1 xgboost==3.0.5 lightgbm==4.6.0 shap==0.49.1 optuna==4.4.0 umap-learn==0.5.9.post2 statsmodels==0.14.5 mlxtend==0.23.4 imbalanced-learn==0.14.0 dill==0.4.0 cloudpickle==3.1.1", "plain numpy scipy sklearn pandas xgboost lightgbm shap optuna umap statsmodels mlxtend imblearn"),
    "p313-pd3": ("3.13", "numpy scipy scikit-learn pandas>=3 pyarrow polars xgboost skops river dill cloudpickle", "plain numpy scipy sklearn pandas polars xgboost skops river"),
    "p312-series": ("3.12", "numpy<2.3 pandas<3 scikit-learn<1.7 sktime statsmodels prophet pmdarima dill cloudpickle", "sktime prophet pmdarima statsmodels"),
    "p311-keras": ("3.11", "keras h5py numpy tensorflow-cpu", "keras"),
    "p311-hub": ("3.11", "transformers tokenizers sentencepiece numpy", "hub"),
    "p39-surprise": ("3.9", "numpy==1.26.4 scikit-surprise==1.1.4 scikit-learn==1.3.2 pandas==2.0.3 cython<3", "surprise"),
    "p311-more": ("3.11", "numpy==1.26.4 scipy==1.13.1 scikit-learn==1.5.2 pandas==2.2.3 joblib==1.4.2 ngboost tslearn scikit-optimize scikit-survival kmodes boruta pygam scikit-lego sklearn-pandas mapie bayesian-optimization networkx faiss-cpu sklearn-crfsuite arch minisom rank-bm25 interpret-core cloudpickle dill", "ngboost tslearn skopt sksurv kmodes boruta pygam sklego sklearn_pandas mapie networkx faiss crfsuite arch interpret small"),
    "p311-tabnet": ("3.11", "torch==2.13.0 numpy==1.26.4 pandas==2.2.3 scikit-learn==1.5.2 pytorch-tabnet lightning-utilities", "tabnet"),
}  # fmt: skip


# Why an artifact of these libraries stays suspicious: part of what is said of it, and the reason.
EXPLAINED = {
    "numba.core.serialize": "numba writes the bytecode of compiled functions into the file (SHAP's and UMAP's); bytecode is not judged",
    "spacy.": "spaCy's vocabularies and documents hold another cloudpickle, functions and formats of extension modules; to_disk() writes none of it",
    "transformers.": "classes of transformers run much code of their own; save_pretrained() writes JSON",
    "holds functions or classes by value": "dill wrote bytecode of a function or class that it could not name",
}


# -- inside the environments --------------------------------------------------------------------


def data():
    import numpy as np

    rng = np.random.RandomState(0)
    x = rng.rand(60, 4)
    return x, (x[:, 0] + x[:, 1] > 1).astype(int), x @ np.arange(4.0)


def table():
    import numpy as np
    import pandas as pd

    x, y, z = data()
    frame = pd.DataFrame(x, columns=["a", "b", "c", "d"])
    frame["kind"] = pd.Series(["x", "y", "z"] * 20)
    frame["target"] = y
    frame["value"] = z
    return frame.assign(missing=np.where(y == 1, np.nan, 1.0))


def recipe_plain():
    import collections
    import datetime
    import decimal
    import fractions
    import functools
    import pathlib
    import re
    import uuid

    yield "things", {
        "ordered": collections.OrderedDict(a=1), "default": collections.defaultdict(list, a=[1]),
        "counter": collections.Counter("abba"), "deque": collections.deque([1, 2], maxlen=5),
        "time": datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC), "day": datetime.date(2024, 1, 1),
        "delta": datetime.timedelta(hours=3), "decimal": decimal.Decimal("1.25"), "fraction": fractions.Fraction(1, 3),
        "path": pathlib.PurePosixPath("a/b"), "regex": re.compile("a+b", re.I), "id": uuid.UUID(int=7), "partial": functools.partial(int, base=16),
        "set": {1, 2}, "frozen": frozenset("ab"), "complex": 1j, "slice": slice(1, 5, 2), "range": range(4),
        "nested": [{"a": (1, 2, (3, [4]))}], "bytes": b"xyz", "array": bytearray(b"abc"), "type": int,
        "error": ValueError("no", 3), "none": None, "inf": float("inf"), "long": 2**80,
    }  # fmt: skip


def recipe_numpy():
    import numpy as np

    x, y, z = data()
    yield "arrays", {
        "c": x, "f": np.asfortranarray(x), "int": y, "bool": y > 0, "text": np.array(["a", "bcd"]), "bytes": np.array([b"a", b"bc"]),
        "object": np.array([1, "a", None], dtype=object), "struct": np.zeros(3, dtype=[("a", "f8"), ("b", "U5"), ("c", "i4", (2,))]),
        "record": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "date": np.array(["2024-01-01"], dtype="M8[D]"),
        "delta": np.array([1, 2], dtype="m8[s]"), "empty": np.zeros((0, 3)), "zero": np.array(1.5), "half": x.astype("f2"), "complex": x.astype("c16"),
        "big": x.astype(">f8"), "masked": np.ma.array([1, 2, 3], mask=[0, 1, 0]), "matrix": np.matrix([[1, 2]]), "view": x[::2],
    }  # fmt: skip
    yield "scalars", [np.float64(1), np.int32(3), np.bool_(True), np.str_("a"), np.bytes_(b"a"), np.datetime64("2024-01-01"), np.timedelta64(3, "s"), np.zeros(1, [("a", "i4")])[0], np.float32, np.dtype("f4"), np.dtype("O"), np.dtype([("a", "f8")]), np.pi]  # fmt: skip
    yield "random", [np.random.RandomState(1), np.random.default_rng(2), np.random.Generator(np.random.MT19937(3)), np.random.Generator(np.random.Philox(3)), np.random.SeedSequence(4)]  # fmt: skip
    yield "functions", [np.mean, np.log1p, np.exp, np.sum, np.poly1d([1, 2, 3]), np.vectorize(abs)]


def recipe_scipy():
    import numpy as np
    from scipy import interpolate, sparse, spatial, stats

    x, _, z = data()
    one = np.arange(10.0)
    yield "sparse", [getattr(sparse, n)(np.eye(4)) for n in ("csr_matrix", "csc_matrix", "coo_matrix", "lil_matrix", "dok_matrix", "dia_matrix", "bsr_matrix")] + [getattr(sparse, n)(np.eye(3)) for n in ("csr_array", "coo_array") if hasattr(sparse, n)]  # fmt: skip
    yield "trees", [spatial.cKDTree(x), spatial.KDTree(x)]
    yield "frozen", [stats.norm(0, 1), stats.gamma(2.0), stats.uniform(0, 1), stats.randint(1, 5), stats.norm, stats.poisson, stats.loguniform(1e-3, 1), stats.multivariate_normal([0, 0], np.eye(2)), stats.gaussian_kde(one)]  # fmt: skip
    yield "interpolate", [interpolate.interp1d(one, one**2), interpolate.CubicSpline(one, one), interpolate.BSpline(one, one[:6], 3), interpolate.UnivariateSpline(one, one), interpolate.PchipInterpolator(one, one), interpolate.RegularGridInterpolator((one,), one), interpolate.LinearNDInterpolator(x[:, :2], z), interpolate.Rbf(one, one), interpolate.PPoly(np.ones((2, 3)), np.arange(4.0))]  # fmt: skip
    from scipy import optimize
    from scipy.spatial.transform import Rotation

    yield "results", [optimize.minimize(lambda v: float(v[0] ** 2), [1.0]), stats.ttest_ind(one, one + 1), stats.linregress(one, one), stats.describe(one), optimize.LinearConstraint(np.eye(2), 0, 1), Rotation.from_quat([0, 0, 0, 1]), optimize.Bounds([0], [1])]  # fmt: skip


def recipe_sklearn():
    import warnings

    import numpy as np
    from sklearn import (
        calibration,
        compose,
        decomposition,
        ensemble,
        feature_extraction,
        feature_selection,
        gaussian_process,
        impute,
        linear_model,
        metrics,
        model_selection,
        multiclass,
        multioutput,
        naive_bayes,
        neighbors,
        pipeline,
        preprocessing,
        svm,
        tree,
        utils,
    )  # fmt: skip

    warnings.simplefilter("ignore")
    x, y, z = data()
    every = []
    from sklearn.utils import all_estimators

    slow = {"GaussianProcessClassifier", "TSNE", "MDS", "DictionaryLearning", "MiniBatchDictionaryLearning", "SparsePCA", "MiniBatchSparsePCA"}  # fmt: skip
    for name, cls in all_estimators():
        if name in slow:
            continue
        try:
            model = cls()
        except Exception:
            continue
        try:
            target = z if getattr(model, "_estimator_type", "") == "regressor" or "Regress" in name else y  # fmt: skip
            model.fit(x, target)
        except Exception:
            pass
        every.append((name, model))
    for name, model in every:
        yield "all_" + name, model
    steps = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler(), decomposition.PCA(2), ensemble.RandomForestClassifier(5, random_state=0)).fit(x, y)  # fmt: skip
    yield "pipeline", steps
    grid = model_selection.GridSearchCV(linear_model.LogisticRegression(), {"C": [0.1, 1]}, cv=3, scoring="roc_auc").fit(x, y)  # fmt: skip
    yield "grid", grid
    import scipy.stats

    yield "search", model_selection.RandomizedSearchCV(ensemble.GradientBoostingClassifier(n_estimators=5), {"learning_rate": scipy.stats.uniform(0.01, 0.3)}, n_iter=2, cv=2).fit(x, y)  # fmt: skip
    yield "voting", ensemble.VotingClassifier([("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier(max_depth=3))]).fit(x, y)  # fmt: skip
    yield "stacking", ensemble.StackingRegressor([("r", linear_model.Ridge()), ("k", neighbors.KNeighborsRegressor())]).fit(x, z)  # fmt: skip
    yield "calibrated", calibration.CalibratedClassifierCV(svm.LinearSVC()).fit(x, y)
    texts = ["red green", "green blue", "blue red red"] * 5
    yield "text", pipeline.make_pipeline(feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2)), naive_bayes.MultinomialNB()).fit(texts, [0, 1, 0] * 5)  # fmt: skip
    yield "counts", feature_extraction.text.CountVectorizer(analyzer="char", tokenizer=str.split).fit(texts)  # fmt: skip
    yield "dicts", feature_extraction.DictVectorizer().fit([{"a": 1}, {"b": 2}])
    yield "select", feature_selection.SelectKBest(feature_selection.chi2, k=2).fit(x, y)
    yield "functions", [preprocessing.FunctionTransformer(np.log1p), preprocessing.FunctionTransformer(np.sqrt, inverse_func=np.square)]  # fmt: skip
    yield "knn", [neighbors.KNeighborsClassifier(algorithm=a, metric=m).fit(x, y) for a, m in (("kd_tree", "euclidean"), ("ball_tree", "manhattan"), ("brute", "cosine"), ("auto", "minkowski"))]  # fmt: skip
    kernels = gaussian_process.kernels
    yield "gaussian", gaussian_process.GaussianProcessRegressor(kernels.RBF() + kernels.WhiteKernel() * kernels.ConstantKernel()).fit(x, z)  # fmt: skip
    yield "scorer", [metrics.make_scorer(metrics.f1_score, average="macro"), metrics.mean_squared_error]  # fmt: skip
    yield "splits", [model_selection.KFold(3), model_selection.StratifiedKFold(5, shuffle=True, random_state=1), model_selection.ParameterGrid({"a": [1]}), utils.Bunch(a=1, b=x)]  # fmt: skip
    yield "multi", [multioutput.MultiOutputRegressor(linear_model.Ridge()).fit(x, np.c_[z, z]), multiclass.OneVsRestClassifier(linear_model.SGDClassifier()).fit(x, y + (x[:, 2] > 0.5))]  # fmt: skip
    try:
        import pandas  # noqa: F401

        frame = table()
        mixed = compose.ColumnTransformer([("n", preprocessing.StandardScaler(), ["a", "b"]), ("k", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["kind"])], remainder="drop")  # fmt: skip
        yield "columns", pipeline.make_pipeline(mixed, linear_model.LogisticRegression()).fit(frame, y)  # fmt: skip
        chosen = compose.ColumnTransformer([("n", preprocessing.MinMaxScaler(), compose.make_column_selector(dtype_include=float)), ("k", preprocessing.OrdinalEncoder(), compose.make_column_selector(dtype_include=object))])  # fmt: skip
        yield "selector", pipeline.make_pipeline(chosen, ensemble.HistGradientBoostingClassifier(max_iter=3)).fit(frame.drop(columns=["missing"]), y)  # fmt: skip
    except ImportError:
        pass


def recipe_pandas():
    import numpy as np
    import pandas as pd

    frame = table()
    yield "frame", frame
    yield "columns", [frame["a"], frame["kind"], frame["kind"].astype("category"), frame.columns, frame.index]  # fmt: skip
    when = pd.date_range("2024-01-01", periods=5, freq="D")
    yield "times", [when, when.tz_localize("UTC"), when.tz_localize("Europe/Berlin"), when.to_period("M"), pd.timedelta_range("1h", periods=3), pd.Timestamp("2024-01-01", tz="UTC"), pd.Timedelta("1h"), pd.Period("2024-01"), pd.NaT, pd.DataFrame({"t": when, "v": range(5)}, index=when), pd.offsets.MonthEnd(2), pd.offsets.BDay(), when.freq]  # fmt: skip
    yield "indexes", [pd.MultiIndex.from_product([[1, 2], ["a", "b"]]), pd.RangeIndex(5), pd.CategoricalIndex(["a", "b"]), pd.interval_range(0, 3), pd.Index([1.5, 2]), pd.Interval(0, 1)]  # fmt: skip
    yield "types", [pd.array([1, None], dtype="Int64"), pd.array([True, None], dtype="boolean"), pd.array(["a", None], dtype="string"), pd.Series([0, 0, 1], dtype="Sparse[int]"), pd.CategoricalDtype(["a"]), pd.Series(pd.Categorical(["a", "b"], ordered=True)), pd.Int64Dtype(), pd.array([1.5], dtype="Float64") if hasattr(pd, "Float64Dtype") else 0, pd.NA]  # fmt: skip
    yield "groups", frame.groupby("kind").agg({"a": ["mean", "std"], "b": "max"})
    yield "dictionary", {"mean": frame[["a", "b"]].mean(), "map": frame["kind"].value_counts().to_dict(), "features": list(frame.columns), "dtypes": frame.dtypes, "n": np.int64(3)}  # fmt: skip
    try:
        import pyarrow  # noqa: F401

        yield "arrow", [pd.Series(["a", "b"], dtype="string[pyarrow]"), pd.Series([1, 2], dtype="int64[pyarrow]"), pd.DataFrame({"s": ["x", "y"]})]  # fmt: skip
    except Exception:
        pass


def recipe_xgboost(out):
    import numpy as np
    import xgboost

    x, y, z = data()
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=2).fit(x, y)
    yield "classifier", model
    yield "regressor", xgboost.XGBRegressor(n_estimators=4, objective="reg:squarederror").fit(x, z)
    yield "ranker", xgboost.XGBRanker(n_estimators=2).fit(x, y, group=np.array([30, 30]))
    yield "forest", xgboost.XGBRFClassifier(n_estimators=3).fit(x, y)
    booster = model.get_booster()
    yield "booster", booster
    for ext in ("json", "ubj", "model", "bin"):
        try:
            booster.save_model(os.path.join(out, "native." + ext))
        except Exception as error:
            print("xgboost native", ext, str(error)[:80])
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    yield "pipeline", make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=2)).fit(x, y)  # fmt: skip


def recipe_lightgbm(out):
    import lightgbm

    x, y, z = data()
    model = lightgbm.LGBMClassifier(n_estimators=4, min_child_samples=2).fit(x, y)
    yield "classifier", model
    yield "regressor", lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=2).fit(x, z)
    yield "booster", model.booster_
    yield "frame", lightgbm.LGBMClassifier(n_estimators=2).fit(table()[["a", "b"]], y)
    model.booster_.save_model(os.path.join(out, "native.txt"))


def recipe_catboost(out):
    import catboost

    x, y, z = data()
    quiet = {"iterations": 3, "verbose": 0, "allow_writing_files": False}
    model = catboost.CatBoostClassifier(**quiet).fit(x, y)
    yield "classifier", model
    yield "regressor", catboost.CatBoostRegressor(**quiet).fit(x, z)
    yield "kinds", catboost.CatBoostClassifier(**quiet).fit(table()[["a", "kind"]], y, cat_features=["kind"])  # fmt: skip
    model.save_model(os.path.join(out, "native.cbm"))
    model.save_model(os.path.join(out, "native.json"), format="json")


def recipe_statsmodels():
    import numpy as np
    import statsmodels.api as sm
    import statsmodels.formula.api as smf
    from statsmodels.tsa.api import ARIMA, ExponentialSmoothing, SimpleExpSmoothing

    x, y, z = data()
    frame = table()
    yield "ols", sm.OLS(z, sm.add_constant(x)).fit()
    yield "frame", sm.OLS(frame["value"], frame[["a", "b"]]).fit()
    yield "formula", smf.ols("value ~ a + b + C(kind)", frame).fit()
    yield "logit", smf.logit("target ~ c + d", frame).fit(disp=0)
    yield "glm", sm.GLM(np.abs(z), x, family=sm.families.Gamma(sm.families.links.Log() if hasattr(sm.families.links, "Log") else sm.families.links.log())).fit()  # fmt: skip
    series = np.cumsum(np.random.RandomState(0).rand(60))
    yield "arima", ARIMA(series, order=(1, 0, 0)).fit()
    yield "smoothing", [ExponentialSmoothing(series, trend="add").fit(), SimpleExpSmoothing(series).fit()]  # fmt: skip
    yield "rlm", sm.RLM(z, x).fit()
    yield "quantile", smf.quantreg("value ~ a", frame).fit()
    yield "mixed", smf.mixedlm("value ~ a", frame, groups=frame["kind"]).fit()
    yield "poisson", sm.Poisson(y, x).fit(disp=0)
    yield "sarimax", sm.tsa.SARIMAX(series, order=(1, 1, 0)).fit(disp=0)


def recipe_imblearn():
    import imblearn.combine
    import imblearn.ensemble
    import imblearn.over_sampling
    import imblearn.pipeline
    import imblearn.under_sampling
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x, y, _ = data()
    yield "pipeline", imblearn.pipeline.make_pipeline(StandardScaler(), imblearn.over_sampling.SMOTE(), LogisticRegression()).fit(x, y)  # fmt: skip
    yield "ensembles", [imblearn.ensemble.BalancedRandomForestClassifier(3).fit(x, y), imblearn.ensemble.EasyEnsembleClassifier(2).fit(x, y), imblearn.ensemble.RUSBoostClassifier().fit(x, y)]  # fmt: skip
    yield "samplers", [imblearn.over_sampling.ADASYN(), imblearn.over_sampling.RandomOverSampler(), imblearn.under_sampling.RandomUnderSampler(), imblearn.combine.SMOTETomek(), imblearn.under_sampling.NearMiss(), imblearn.over_sampling.BorderlineSMOTE()]  # fmt: skip


def recipe_category_encoders():
    import category_encoders

    frame = table()
    for name in category_encoders.__all__:
        try:
            encoder = getattr(category_encoders, name)(cols=["kind"])
            yield name, encoder.fit(frame[["a", "kind"]], frame["target"])
        except Exception as error:
            print("category_encoders", name, str(error)[:80])


def recipe_mlxtend():
    from mlxtend import classifier, cluster, feature_selection, preprocessing, regressor
    from sklearn.linear_model import LinearRegression, LogisticRegression

    x, y, z = data()
    yield "stacking", classifier.StackingClassifier([LogisticRegression()], LogisticRegression()).fit(x, y)  # fmt: skip
    yield "stackingcv", regressor.StackingCVRegressor([LinearRegression()], LinearRegression()).fit(x, z)  # fmt: skip
    yield "vote", classifier.EnsembleVoteClassifier([LogisticRegression()]).fit(x, y)
    yield "select", feature_selection.SequentialFeatureSelector(LogisticRegression(), k_features=2, cv=2).fit(x, y)  # fmt: skip
    yield "others", [cluster.Kmeans(2).fit(x), preprocessing.TransactionEncoder().fit([["a", "b"]]), preprocessing.DenseTransformer(), classifier.Perceptron().fit(x, y), regressor.LinearRegression().fit(x, z), classifier.SoftmaxRegression(epochs=2).fit(x, y), feature_selection.ColumnSelector((0, 1))]  # fmt: skip


def recipe_lifelines():
    import lifelines

    frame = table()[["a", "b", "value", "target"]].assign(value=lambda f: f["value"] + 0.1)
    yield "cox", lifelines.CoxPHFitter(penalizer=0.1).fit(frame, "value", "target")
    yield "kaplan", lifelines.KaplanMeierFitter().fit(frame["value"], frame["target"])
    yield "aft", lifelines.WeibullAFTFitter(penalizer=0.1).fit(frame, "value", "target")
    yield "weibull", lifelines.WeibullFitter().fit(frame["value"], frame["target"])
    yield "nelson", lifelines.NelsonAalenFitter().fit(frame["value"], frame["target"])


def recipe_hmmlearn():
    from hmmlearn import hmm

    x, y, _ = data()
    yield "gaussian", hmm.GaussianHMM(2, n_iter=3).fit(x)
    yield "mixture", hmm.GMMHMM(2, n_iter=3).fit(x)
    yield "discrete", getattr(hmm, "CategoricalHMM", hmm.MultinomialHMM)(2, n_iter=3).fit(y.reshape(-1, 1))  # fmt: skip


def recipe_gensim():
    import gensim

    texts = [["red", "green"], ["green", "blue"], ["blue", "red", "red"]] * 6
    words = gensim.corpora.Dictionary(texts)
    corpus = [words.doc2bow(t) for t in texts]
    yield "dictionary", words
    yield "word2vec", gensim.models.Word2Vec(texts, vector_size=8, min_count=1)
    yield "vectors", gensim.models.Word2Vec(texts, vector_size=8, min_count=1).wv
    yield "doc2vec", gensim.models.Doc2Vec([gensim.models.doc2vec.TaggedDocument(t, [i]) for i, t in enumerate(texts)], vector_size=4, min_count=1)  # fmt: skip
    yield "fasttext", gensim.models.FastText(texts, vector_size=4, min_count=1, bucket=50)
    yield "lda", gensim.models.LdaModel(corpus, 2, id2word=words)
    yield "lsi", gensim.models.LsiModel(corpus, 2, id2word=words)
    yield "tfidf", gensim.models.TfidfModel(corpus)
    yield "phrases", [gensim.models.Phrases(texts), gensim.models.phrases.Phrases(texts).freeze()]
    yield "similarity", gensim.similarities.MatrixSimilarity(corpus, num_features=len(words))


def recipe_umap():
    import umap

    x, y, _ = data()
    yield "umap", umap.UMAP(n_neighbors=5, n_epochs=5).fit(x)


def recipe_hdbscan():
    import hdbscan

    x, _, _ = data()
    yield "hdbscan", hdbscan.HDBSCAN(min_cluster_size=3).fit(x)
    yield "predict", hdbscan.HDBSCAN(min_cluster_size=3, prediction_data=True).fit(x)
    yield "robust", hdbscan.RobustSingleLinkage().fit(x)


def recipe_pyod():
    import importlib

    x, _, _ = data()
    for module, name in (("iforest", "IForest"), ("knn", "KNN"), ("lof", "LOF"), ("pca", "PCA"), ("hbos", "HBOS"), ("ecod", "ECOD"), ("copod", "COPOD"), ("cblof", "CBLOF"), ("ocsvm", "OCSVM"), ("mcd", "MCD"), ("abod", "ABOD"), ("feature_bagging", "FeatureBagging"), ("loda", "LODA"), ("inne", "INNE")):  # fmt: skip
        try:
            model = getattr(importlib.import_module("pyod.models." + module), name)()
            yield name, model.fit(x)
        except Exception as error:
            print("pyod", name, str(error)[:80])


def recipe_prophet():
    import pandas as pd
    import prophet

    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=60), "y": data()[2]})
    yield "bare", prophet.Prophet(weekly_seasonality=True).add_seasonality("monthly", 30, 3)
    yield "fitted", prophet.Prophet().fit(frame)
    yield "text", prophet.serialize.model_to_json(prophet.Prophet().fit(frame))


def recipe_pmdarima():
    import numpy as np
    import pmdarima

    series = np.cumsum(np.random.RandomState(0).rand(80))
    yield "arima", pmdarima.ARIMA((1, 1, 0)).fit(series)
    yield "auto", pmdarima.auto_arima(series, max_p=1, max_q=1, max_d=1)
    from pmdarima.pipeline import Pipeline
    from pmdarima.preprocessing import BoxCoxEndogTransformer

    yield "pipeline", Pipeline([("box", BoxCoxEndogTransformer(lmbda2=1e-6)), ("arima", pmdarima.ARIMA((1, 0, 0)))]).fit(series)  # fmt: skip


def recipe_sktime():
    import numpy as np
    import pandas as pd

    series = pd.Series(np.cumsum(np.random.RandomState(0).rand(60)), index=pd.period_range("2019-01", periods=60, freq="M"))  # fmt: skip
    from sktime.forecasting.base import ForecastingHorizon
    from sktime.forecasting.compose import TransformedTargetForecaster, make_reduction
    from sktime.forecasting.naive import NaiveForecaster
    from sktime.forecasting.trend import PolynomialTrendForecaster
    from sktime.transformations.series.detrend import Detrender
    from sktime.transformations.series.exponent import ExponentTransformer
    from sktime.transformations.series.impute import Imputer

    yield "naive", NaiveForecaster(sp=12).fit(series)
    yield "trend", PolynomialTrendForecaster().fit(series)
    yield "horizon", ForecastingHorizon([1, 2, 3])
    yield "pipeline", TransformedTargetForecaster([("i", Imputer()), ("d", Detrender()), ("f", NaiveForecaster())]).fit(series)  # fmt: skip
    from sklearn.linear_model import LinearRegression

    yield "reduction", make_reduction(LinearRegression(), window_length=4).fit(series, fh=[1, 2])
    yield "exponent", ExponentTransformer().fit(series)


def recipe_shap():
    import shap
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    x, _, z = data()
    yield "tree", shap.TreeExplainer(RandomForestRegressor(3).fit(x, z))
    yield "linear", shap.LinearExplainer(LinearRegression().fit(x, z), x)
    yield "values", shap.TreeExplainer(RandomForestRegressor(3).fit(x, z))(x[:5])


def recipe_optuna():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    study.optimize(lambda t: t.suggest_float("x", 0, 1) + t.suggest_categorical("k", [1, 2]), n_trials=4)  # fmt: skip
    yield "study", study
    yield "trial", [study.best_trial, study.trials, optuna.samplers.RandomSampler(seed=1), optuna.pruners.MedianPruner()]  # fmt: skip


def recipe_feature_engine():
    from feature_engine import creation, discretisation, encoding, imputation, outliers, selection
    from sklearn.pipeline import Pipeline

    frame = table()
    yield "pipeline", Pipeline([("i", imputation.MeanMedianImputer(variables=["missing"])), ("k", encoding.RareLabelEncoder(variables=["kind"])), ("o", encoding.OneHotEncoder(variables=["kind"])), ("w", outliers.Winsorizer(variables=["a"]))]).fit(frame)  # fmt: skip
    yield "others", [discretisation.EqualFrequencyDiscretiser(q=3, variables=["a"]).fit(frame), encoding.CountFrequencyEncoder(variables=["kind"]).fit(frame), selection.DropConstantFeatures().fit(frame[["a", "b"]]), creation.CyclicalFeatures(variables=["a"]).fit(frame[["a"]])]  # fmt: skip


def recipe_skops(out):
    import skops.io
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    x, y, _ = data()
    skops.io.dump(LogisticRegression().fit(x, y), os.path.join(out, "logistic.skops"))
    skops.io.dump(RandomForestClassifier(3).fit(x, y), os.path.join(out, "forest.skops"))
    yield "none", None


def recipe_tpot():
    import tpot.builtins
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    x, y, _ = data()
    yield "pipeline", make_pipeline(tpot.builtins.StackingEstimator(DecisionTreeClassifier()), tpot.builtins.ZeroCount(), DecisionTreeClassifier()).fit(x, y)  # fmt: skip
    small = tpot.TPOTClassifier(generations=1, population_size=2, cv=2, config_dict="TPOT light", random_state=0, verbosity=0, max_time_mins=1)  # fmt: skip
    small.fit(x, y)
    yield "fitted", small.fitted_pipeline_


def recipe_spacy(out):
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(os.path.join(out, "blank_en"))
    doc = nlp("A small text. Another one.")
    yield "doc", doc
    yield "vocab", nlp.vocab
    yield "nlp", nlp
    text = nlp.add_pipe("textcat")
    text.add_label("A")
    text.add_label("B")
    nlp.initialize()
    nlp.to_disk(os.path.join(out, "textcat"))
    with open(os.path.join(out, "docs.spacy"), "wb") as file:
        file.write(spacy.tokens.DocBin(docs=[doc]).to_bytes())


def recipe_nltk():
    import nltk
    from nltk.stem import PorterStemmer, SnowballStemmer

    train = [({"a": 1}, "x"), ({"a": 2}, "y"), ({"b": 1}, "x")] * 3
    yield "bayes", nltk.NaiveBayesClassifier.train(train)
    yield "tree", nltk.DecisionTreeClassifier.train(train)
    sentences = [[("the", "DT"), ("dog", "NN")], [("a", "DT"), ("cat", "NN")]]
    yield "taggers", [nltk.UnigramTagger(sentences), nltk.BigramTagger(sentences, backoff=nltk.DefaultTagger("NN")), nltk.RegexpTagger([("^a", "X")])]  # fmt: skip
    yield "stemmers", [PorterStemmer(), SnowballStemmer("english"), nltk.RegexpTokenizer(r"\w+"), nltk.FreqDist("abba"), nltk.Tree.fromstring("(S (NP a))"), nltk.ConditionalFreqDist([("a", 1)])]  # fmt: skip
    yield "punkt", nltk.tokenize.punkt.PunktTrainer("Mr. A went. He ran.").get_params()
    yield "perceptron", nltk.tag.perceptron.AveragedPerceptron()


def recipe_implicit(out):
    import implicit
    import scipy.sparse

    x, _, _ = data()
    model = implicit.als.AlternatingLeastSquares(factors=4, iterations=2)
    model.fit(scipy.sparse.csr_matrix(x > 0.5), show_progress=False)
    yield "als", model
    bm = implicit.nearest_neighbours.BM25Recommender(K=3)
    bm.fit(scipy.sparse.csr_matrix((x > 0.5).astype(float)), show_progress=False)
    yield "bm25", bm
    model.save(os.path.join(out, "native.npz"))


def recipe_surprise(out):
    import pandas as pd
    import surprise

    frame = pd.DataFrame({"u": [1, 1, 2, 2, 3], "i": [1, 2, 1, 3, 2], "r": [3, 4, 5, 1, 2.0]})
    trainset = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 5))).build_full_trainset()  # fmt: skip
    for algo in (surprise.SVD(n_epochs=2), surprise.KNNBasic(verbose=False), surprise.BaselineOnly(verbose=False), surprise.NMF(n_epochs=2), surprise.SlopeOne(), surprise.CoClustering(n_epochs=2)):  # fmt: skip
        algo.fit(trainset)
        yield type(algo).__name__, algo
        surprise.dump.dump(os.path.join(out, type(algo).__name__ + ".dump"), algo=algo)


def recipe_river():
    from river import (  # fmt: skip
        anomaly,
        cluster,
        compose,
        ensemble,
        forest,
        linear_model,
        naive_bayes,
        neighbors,
        preprocessing,
        stats,
        tree,
    )

    x, y, _ = data()
    models = {
        "logistic": compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
        "tree": tree.HoeffdingTreeClassifier(grace_period=5), "forest": forest.ARFClassifier(n_models=2), "bayes": naive_bayes.GaussianNB(),
        "trees": anomaly.HalfSpaceTrees(n_trees=2), "kmeans": cluster.KMeans(2), "knn": neighbors.KNNClassifier(), "bag": ensemble.BaggingClassifier(linear_model.LogisticRegression(), 2),
    }  # fmt: skip
    for name, model in models.items():
        for row, label in zip(x[:30], y[:30]):
            point = {str(i): float(v) for i, v in enumerate(row)}
            try:
                model.learn_one(point, int(label))
            except TypeError:
                model.learn_one(point)
        yield name, model
    yield "stats", [stats.Mean(), stats.Var(), stats.Quantile(0.5)]


def recipe_polars(out):
    import polars as pl

    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    yield "frame", frame
    yield "series", [frame["a"], pl.Int64, pl.Utf8]
    frame.write_ipc(os.path.join(out, "frame.arrow"))
    frame.write_parquet(os.path.join(out, "frame.parquet"))
    frame.write_csv(os.path.join(out, "frame.csv"))


def recipe_torch(out):
    import torch
    from torch import nn

    net = nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2)
    )
    everything = nn.ModuleDict({"conv": nn.Conv2d(1, 2, 3), "lstm": nn.LSTM(3, 4), "emb": nn.Embedding(5, 3), "att": nn.MultiheadAttention(4, 2), "norm": nn.LayerNorm(4), "enc": nn.TransformerEncoderLayer(8, 2)})  # fmt: skip
    opt = torch.optim.Adam(net.parameters())
    net(torch.rand(3, 4)).sum().backward()
    opt.step()
    save = lambda value, name, **kw: torch.save(value, os.path.join(out, name), **kw)  # noqa: E731
    save(net.state_dict(), "state.pt")
    save(net.state_dict(), "state_legacy.pth", _use_new_zipfile_serialization=False)
    save(net, "module.pt")
    save(everything, "modules.pt")
    save(everything, "modules_legacy.pt", _use_new_zipfile_serialization=False)
    save({"epoch": 3, "model": net.state_dict(), "optimizer": opt.state_dict(), "loss": 0.5, "args": argparse.Namespace(lr=0.1)}, "checkpoint.ckpt")  # fmt: skip
    save({"half": torch.rand(2).half(), "bf": torch.rand(2).bfloat16(), "int": torch.arange(3), "bool": torch.tensor([True]), "sparse": torch.eye(3).to_sparse(), "q": torch.quantize_per_tensor(torch.rand(3), 0.1, 0, torch.qint8), "param": nn.Parameter(torch.rand(2)), "size": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float16, "gen": torch.Generator().get_state()}, "tensors.pt")  # fmt: skip
    save([torch.optim.lr_scheduler.StepLR(opt, 2).state_dict(), torch.optim.SGD(net.parameters(), 0.1)], "optimizers.pt")  # fmt: skip
    try:
        torch.jit.trace(net.eval(), torch.rand(2, 4)).save(os.path.join(out, "traced.pt"))
    except Exception as error:
        print("torch.jit", str(error)[:80])
    try:
        torch.export.save(torch.export.export(net.eval(), (torch.rand(2, 4),)), os.path.join(out, "exported.pt2"))  # fmt: skip
    except Exception as error:
        print("torch.export", str(error)[:80])
    try:
        from safetensors.torch import save_file

        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, os.path.join(out, "model.safetensors"))  # fmt: skip
    except Exception as error:
        print("safetensors", str(error)[:80])
    yield "tensors", {"a": torch.rand(3), "b": [torch.zeros(2, dtype=torch.int64)], "p": nn.Parameter(torch.rand(2))}  # fmt: skip
    yield "module", net


def recipe_skorch():
    import numpy as np
    import torch
    from skorch import NeuralNetClassifier

    x, y, _ = data()
    net = NeuralNetClassifier(torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Softmax(dim=-1)), max_epochs=1, verbose=0)  # fmt: skip
    yield "net", net.fit(x.astype(np.float32), y)


def recipe_keras(out):
    import keras

    layers = keras.layers
    net = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dropout(0.1), layers.Dense(1)])  # fmt: skip
    net.compile("adam", "mse")
    image = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.BatchNormalization(), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(3, activation="softmax")])  # fmt: skip
    one = keras.Input((5,))
    functional = keras.Model(one, layers.Concatenate()([layers.Dense(2)(one), layers.Dense(3)(one)]))  # fmt: skip
    text = keras.Sequential([keras.Input((7,)), layers.Embedding(20, 4), layers.LSTM(3), layers.Dense(1)])  # fmt: skip
    for name, model in (("dense", net), ("image", image), ("functional", functional), ("text", text)):  # fmt: skip
        model.save(os.path.join(out, name + ".keras"))
        try:
            model.save(os.path.join(out, name + ".h5"))
        except Exception as error:
            print("keras h5", str(error)[:80])
        model.save_weights(os.path.join(out, name + ".weights.h5"))
        with open(os.path.join(out, name + ".json"), "w") as file:
            file.write(model.to_json())
    try:
        net.export(os.path.join(out, "saved_model"))
    except Exception as error:
        print("keras export", str(error)[:80])
    yield "history", {"loss": [0.1, 0.2], "config": net.get_config()}


def recipe_hub(out):
    import transformers

    for name in ("BertConfig", "DistilBertConfig", "GPT2Config", "T5Config", "ViTConfig"):
        getattr(transformers, name)().save_pretrained(os.path.join(out, name))
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(["red green blue"] * 5, trainers.BpeTrainer(special_tokens=["[UNK]", "[CLS]"]))  # fmt: skip
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    fast.save_pretrained(os.path.join(out, "sentence"))
    # The files that sentence-transformers writes around a model.
    here = os.path.join(out, "sentence")
    with open(os.path.join(here, "modules.json"), "w") as file:
        json.dump([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}, {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}], file)  # fmt: skip
    with open(os.path.join(here, "config_sentence_transformers.json"), "w") as file:
        json.dump({"__version__": {"sentence_transformers": "3.0.0"}, "prompts": {}, "similarity_fn_name": "cosine"}, file)  # fmt: skip
    yield "tokenizer", fast


def recipe_ngboost():
    from ngboost import NGBClassifier, NGBRegressor
    from ngboost.distns import LogNormal, k_categorical

    x, y, z = data()
    yield "regressor", NGBRegressor(n_estimators=5, verbose=False).fit(x, z)
    yield "lognormal", NGBRegressor(Dist=LogNormal, n_estimators=3, verbose=False).fit(x, z + 1)
    yield "classifier", NGBClassifier(n_estimators=5, verbose=False).fit(x, y)
    yield "three", NGBClassifier(Dist=k_categorical(3), n_estimators=3, verbose=False).fit(x, y + (x[:, 2] > 0.5))  # fmt: skip


def recipe_tslearn(out):
    import numpy as np
    from tslearn import clustering, neighbors, preprocessing, svm

    series = np.random.RandomState(0).rand(12, 8, 1)
    y = np.array([0, 1] * 6)
    yield "kmeans", clustering.TimeSeriesKMeans(2, metric="dtw", max_iter=2).fit(series)
    yield "kernel", clustering.KernelKMeans(2, max_iter=3).fit(series)
    yield "knn", neighbors.KNeighborsTimeSeriesClassifier(2).fit(series, y)
    yield "svc", svm.TimeSeriesSVC(gamma=0.1).fit(series, y)
    yield "scale", preprocessing.TimeSeriesScalerMeanVariance()
    clustering.TimeSeriesKMeans(2, max_iter=2).fit(series).to_json(os.path.join(out, "kmeans.json"))


def recipe_skopt():
    from skopt import gp_minimize
    from skopt.space import Categorical, Integer, Real

    result = gp_minimize(lambda v: v[0] ** 2, [(-1.0, 1.0)], n_calls=6, n_initial_points=5, random_state=0)  # fmt: skip
    del result.specs["args"]["func"]
    yield "result", result
    yield "space", [Real(0.1, 1, "log-uniform"), Integer(1, 5), Categorical(["a", "b"])]


def recipe_sksurv():
    import numpy as np
    from sksurv import ensemble, linear_model, tree
    from sksurv.util import Surv

    x, y, z = data()
    target = Surv.from_arrays(y.astype(bool), z + 0.1)
    yield "cox", linear_model.CoxPHSurvivalAnalysis(alpha=0.1).fit(x, target)
    yield "net", linear_model.CoxnetSurvivalAnalysis().fit(x, target)
    yield "forest", ensemble.RandomSurvivalForest(5).fit(x, target)
    yield "boost", ensemble.GradientBoostingSurvivalAnalysis(n_estimators=5).fit(x, target)
    yield "tree", tree.SurvivalTree().fit(x, target)
    yield "target", np.asarray(target)


def recipe_kmodes():
    from kmodes.kmodes import KModes
    from kmodes.kprototypes import KPrototypes

    frame = table()[["a", "kind"]].to_numpy()
    yield "modes", KModes(2, n_init=1).fit(table()[["kind"]].to_numpy())
    yield "prototypes", KPrototypes(2, n_init=1).fit(frame, categorical=[1])


def recipe_boruta():
    from boruta import BorutaPy
    from sklearn.ensemble import RandomForestClassifier

    x, y, _ = data()
    yield "boruta", BorutaPy(RandomForestClassifier(5, max_depth=3), n_estimators=10, max_iter=3).fit(x, y)  # fmt: skip


def recipe_pygam():
    import pygam

    x, y, z = data()
    yield "linear", pygam.LinearGAM(pygam.s(0) + pygam.l(1)).fit(x, z)
    yield "logistic", pygam.LogisticGAM().fit(x, y)
    yield "poisson", pygam.PoissonGAM().fit(x, y)


def recipe_sklego():
    from sklearn.linear_model import Ridge
    from sklego import linear_model, meta, mixture, preprocessing

    x, y, z = data()
    yield "lowess", linear_model.LowessRegression().fit(x, z)
    yield "zero", meta.ZeroInflatedRegressor(meta.Thresholder(linear_model.ProbWeightRegression(), 0.5), Ridge())  # fmt: skip
    yield "gmm", mixture.GMMClassifier(n_components=1).fit(x, y)
    yield "columns", preprocessing.ColumnSelector(["a"])
    yield "rescale", preprocessing.RandomAdder()


def recipe_sklearn_pandas():
    from sklearn.preprocessing import LabelBinarizer, StandardScaler
    from sklearn_pandas import DataFrameMapper

    yield "mapper", DataFrameMapper([(["a"], StandardScaler()), ("kind", LabelBinarizer())], df_out=True).fit(table())  # fmt: skip


def recipe_mapie():
    from sklearn.linear_model import LinearRegression, LogisticRegression

    x, y, z = data()
    try:
        from mapie.regression import CrossConformalRegressor, SplitConformalRegressor

        yield "split", SplitConformalRegressor(LinearRegression(), prefit=False).fit(x, z).conformalize(x, z)  # fmt: skip
        yield "cross", CrossConformalRegressor(LinearRegression(), cv=3).fit_conformalize(x, z)
    except ImportError:
        from mapie.classification import MapieClassifier
        from mapie.regression import MapieRegressor

        yield "regressor", MapieRegressor(LinearRegression(), cv=3).fit(x, z)
        yield "classifier", MapieClassifier(LogisticRegression(), cv=3).fit(x, y)


def recipe_networkx():
    import networkx as nx

    yield "graphs", [nx.karate_club_graph(), nx.DiGraph([(1, 2)]), nx.MultiGraph([(1, 2), (1, 2)]), nx.grid_2d_graph(2, 2)]  # fmt: skip
    view = nx.path_graph(4)
    view.nodes, view.edges, view.adj, view.degree  # noqa: B018  (views are cached in the graph)
    yield "views", view


def recipe_faiss(out):
    import faiss

    x, _, _ = data()
    index = faiss.IndexFlatL2(4)
    index.add(x.astype("float32"))
    faiss.write_index(index, os.path.join(out, "flat.faiss"))
    hnsw = faiss.IndexHNSWFlat(4, 8)
    hnsw.add(x.astype("float32"))
    faiss.write_index(hnsw, os.path.join(out, "hnsw.index"))
    yield "flat", index
    yield "bytes", {"index": faiss.serialize_index(index), "ids": list(range(3))}


def recipe_crfsuite():
    import sklearn_crfsuite

    words = [[{"w": "a"}, {"w": "b"}]] * 5
    yield "crf", sklearn_crfsuite.CRF(max_iterations=3).fit(words, [["X", "Y"]] * 5)


def recipe_arch():
    import numpy as np
    from arch import arch_model

    returns = np.random.RandomState(0).normal(size=200)
    yield "garch", arch_model(returns).fit(disp="off")
    yield "model", arch_model(returns, vol="EGARCH", dist="t")


def recipe_interpret():
    from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor

    x, y, z = data()
    yield "classifier", ExplainableBoostingClassifier(max_rounds=3, interactions=0, outer_bags=2, n_jobs=1).fit(x, y)  # fmt: skip
    yield "regressor", ExplainableBoostingRegressor(max_rounds=3, interactions=0, outer_bags=2, n_jobs=1).fit(x, z)  # fmt: skip


def recipe_small():
    x, _, _ = data()
    from minisom import MiniSom

    yield "som", MiniSom(3, 3, 4)
    from rank_bm25 import BM25Okapi, BM25Plus

    texts = [["red", "green"], ["blue"], ["red", "blue"]]
    yield "bm25", [BM25Okapi(texts), BM25Plus(texts)]
    from bayes_opt import BayesianOptimization

    yield "bayes", BayesianOptimization(None, {"a": (0, 1)}, verbose=0).max


def recipe_tabnet(out):
    import numpy as np
    from pytorch_tabnet.tab_model import TabNetClassifier

    x, y, _ = data()
    net = TabNetClassifier(n_d=2, n_a=2, n_steps=1, verbose=0)
    net.fit(x.astype(np.float32), y, max_epochs=1, batch_size=32)
    yield "net", net
    net.save_model(os.path.join(out, "tabnet"))


def produce(recipes, out):
    """Runs inside a group's environment; artifacts of each recipe in a folder of its own."""
    import inspect
    import pickle
    import warnings

    warnings.simplefilter("ignore")
    savers = {"p2.pkl": lambda v, f: pickle.dump(v, f, 2), "p4.pkl": lambda v, f: pickle.dump(v, f, 4), "p5.pickle": lambda v, f: pickle.dump(v, f, 5), "p0.pkl": lambda v, f: pickle.dump(v, f, 0)}  # fmt: skip
    try:
        import joblib

        savers["joblib"] = joblib.dump
        savers["z.joblib"] = lambda v, f: joblib.dump(v, f, compress=3)
        savers["xz.joblib"] = lambda v, f: joblib.dump(v, f, compress=("xz", 3))
        savers["gz.joblib"] = lambda v, f: joblib.dump(v, f, compress=("gzip", 3), protocol=2)
    except ImportError:
        pass
    for name in ("cloudpickle", "dill"):
        try:
            savers[name[:5] + ".pkl"] = __import__(name).dump
        except ImportError:
            pass
    for recipe in recipes:
        folder = os.path.join(out, recipe)
        os.makedirs(folder, exist_ok=True)
        function = globals()["recipe_" + recipe]
        made = function(folder) if inspect.signature(function).parameters else function()
        count = 0
        try:
            for name, value in made:
                # Of the many estimators of one library each takes its turn at the writers.
                turn = list(savers.items())
                if name.startswith("all_"):
                    turn = [turn[(count + k) % len(turn)] for k in (0, 3)]
                for kind, save in turn:
                    path = os.path.join(folder, name + "." + kind)
                    try:
                        with open(path, "wb") as file:
                            save(value, file)
                    except Exception as error:
                        os.unlink(path)
                        print(recipe, name, kind, type(error).__name__, str(error)[:100])
                count += 1
        except Exception:
            print(recipe, "FAILED after", count)
            traceback.print_exc(limit=4)


# -- outside ------------------------------------------------------------------------------------


def interpreter(version):
    """The newest Python of that version on this machine."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(root.glob(version + ".*/bin/python"))
    return str(found[-1]) if found else shutil.which("python" + version)


def build(group, out):
    version, requirements, recipes = GROUPS[group]
    done = out / "artifacts" / group / ".done"
    if done.exists():
        return
    python = interpreter(version)
    if python is None:
        print(group, "skipped: no Python", version)
        return
    venv = out / "venvs" / group
    inside = venv / "bin" / "python"
    log = out / (group + ".log")
    out.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        if not (venv / ".installed").exists():
            subprocess.run([python, "-m", "venv", "--clear", str(venv)], check=True)
            command = [
                str(inside),
                "-m",
                "pip",
                "install",
                "-q",
                "--no-cache-dir",
                "--prefer-binary",
            ]
            fine = subprocess.run([*command, *requirements.split()], stdout=file, stderr=file)
            if fine.returncode:
                print(group, "did not install, see", log)
                return
            (venv / ".installed").touch()
        target = out / "artifacts" / group
        target.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, "PYTHONPATH": "", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}  # fmt: skip
        command = [str(inside), os.path.abspath(__file__), "--produce", *recipes.split(), "--into", str(target)]  # fmt: skip
        subprocess.run(command, stdout=file, stderr=file, env=env, cwd=str(out))
        raw = out / "raw"
        raw.mkdir(exist_ok=True)
        tool = Path(__file__).resolve().parent / "make_pickle_allowlist.py"
        with (raw / (group + ".json")).open("w") as names:
            subprocess.run([str(inside), str(tool), "dump"], stdout=names, stderr=file, env=env, cwd=str(out))  # fmt: skip
    done.touch()
    print(group, sum(1 for p in target.rglob("*") if p.is_file()), "files", flush=True)


def measure(out):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from auditor.artifacts.scan import scan_file

    counts, odd = {}, {}
    for path in sorted((out / "artifacts").rglob("*")):
        if not path.is_file() or path.name == ".done":
            continue
        facts = scan_file(path, display_path=path.name)[0]
        counts[facts.verdict] = counts.get(facts.verdict, 0) + 1
        if facts.verdict != "safe":
            why = [i.message for i in facts.issues if i.verdict == facts.verdict][:3]
            odd.setdefault((facts.verdict, "; ".join(why)[:300]), []).append(str(path.relative_to(out / "artifacts")))  # fmt: skip
    for (verdict, why), paths in sorted(odd.items(), key=lambda item: -len(item[1])):
        print(f"{verdict:10} {len(paths):4} {paths[0]}: {why}")
    total = sum(counts.values())
    print("\nfiles  why they are not called safe")
    reasons = {}
    for (verdict, why), paths in odd.items():
        known = (
            text for part, text in EXPLAINED.items() if part in why and verdict == "suspicious"
        )
        reason = next(known, "NOT EXPLAINED: " + why)
        reasons[reason] = reasons.get(reason, 0) + len(paths)
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        print(f"{count:5}  {reason}")
    libraries = {path.name for path in (out / "artifacts").glob("*/*") if path.is_dir()}
    print(
        f"{len(libraries)} recipes of {len(list((out / 'artifacts').iterdir()))} environments: {', '.join(sorted(libraries))}"
    )
    print(f"{total} files: {counts}; not safe {1 - counts.get('safe', 0) / max(total, 1):.2%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--group", action="append")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--produce", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--into", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.produce:
        produce(options.produce, options.into)
    elif options.out is None:
        parser.error("OUT is missing")
    elif options.measure:
        measure(options.out.resolve())
    else:
        for group in options.group or GROUPS:
            build(group, options.out.resolve())


if __name__ == "__main__":
    main()
