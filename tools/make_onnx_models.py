"""Export ONNX models from real libraries: both exporters of PyTorch, skl2onnx, onnxmltools, by hand.

    python tools/make_onnx_models.py DIRECTORY [--only skl,boost,torch,hand,quant,hub,keras]

Needs, for the kinds asked for, torch, onnxscript, transformers, TensorFlow, tf2onnx, skl2onnx,
onnxmltools, LightGBM, XGBoost, pandas and onnxruntime, and writes ``models/*.onnx``. ``tools/run_onnx_models.py`` finds out what is true of them.
"""

# mypy: disable-error-code="misc, import-not-found, import-untyped, no-untyped-call, unused-ignore"

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")
Made = Iterator[tuple[str, Any]]

# -- scikit-learn ----------------------------------------------------------------------------------


def skl() -> Made:
    """Estimators and pipelines through skl2onnx, in several opsets, with and without free rows."""
    import numpy as np
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import (
        DoubleTensorType,
        FloatTensorType,
        Int64TensorType,
        StringTensorType,
    )
    from sklearn import (
        calibration,
        cluster,
        compose,
        covariance,
        cross_decomposition,
        decomposition,
        discriminant_analysis,
        ensemble,
        feature_selection,
        gaussian_process,
        impute,
        kernel_approximation,
        linear_model,
        mixture,
        multioutput,
        naive_bayes,
        neighbors,
        neural_network,
        pipeline,
        preprocessing,
        random_projection,
        svm,
        tree,
    )
    from sklearn.feature_extraction import text

    rng = np.random.default_rng(7)
    x = rng.normal(size=(90, 5)).astype(np.float32)
    labels = (x[:, 0] + x[:, 1] > 0).astype(np.int64) + (x[:, 2] > 0.7)
    target = (x @ np.arange(1, 6)).astype(np.float32)
    both = np.stack([target, -target], axis=1)
    p = pipeline.make_pipeline
    scaler = preprocessing.StandardScaler
    models: dict[str, tuple[Any, Any]] = {
        "elastic": (linear_model.ElasticNet(), target),
        "bayes_ridge": (linear_model.BayesianRidge(), target),
        "huber": (linear_model.HuberRegressor(), target),
        "ransac": (linear_model.RANSACRegressor(), target),
        "theil": (linear_model.TheilSenRegressor(), target),
        "poisson": (linear_model.PoissonRegressor(), np.abs(target)),
        "omp": (linear_model.OrthogonalMatchingPursuit(), target),
        "lars": (linear_model.Lars(), target),
        "logreg_cv": (linear_model.LogisticRegressionCV(cv=2), labels),
        "perceptron": (linear_model.Perceptron(), labels),
        "ridge_clf": (linear_model.RidgeClassifier(), labels),
        "passive": (linear_model.SGDRegressor(), target),
        "extra": (ensemble.ExtraTreesClassifier(5), labels),
        "extra_reg": (ensemble.ExtraTreesRegressor(5), target),
        "forest_multi": (ensemble.RandomForestRegressor(4), both),
        "gbr": (ensemble.GradientBoostingRegressor(n_estimators=4), target),
        "hgbr": (ensemble.HistGradientBoostingRegressor(max_iter=4), target),
        "adar": (ensemble.AdaBoostRegressor(n_estimators=3), target),
        "bagr": (ensemble.BaggingRegressor(n_estimators=3), target),
        "stackr": (
            ensemble.StackingRegressor([("a", linear_model.Ridge()), ("b", svm.LinearSVR())]),
            target,
        ),
        "voter": (
            ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", svm.LinearSVR())]),
            target,
        ),
        "iforest": (ensemble.IsolationForest(n_estimators=4), None),
        "nusvc": (svm.NuSVC(probability=True, nu=0.2), labels),
        "nusvr": (svm.NuSVR(), target),
        "oneclass": (svm.OneClassSVM(), None),
        "sgd_oneclass": (linear_model.SGDOneClassSVM(), None),
        "knn5": (neighbors.KNeighborsClassifier(5, weights="distance"), labels),
        "knn_multi": (neighbors.KNeighborsRegressor(3), both),
        "radius_reg": (neighbors.RadiusNeighborsRegressor(20.0), target),
        "nca": (neighbors.NeighborhoodComponentsAnalysis(2, max_iter=5), labels),
        "centroid_nn": (neighbors.KNeighborsTransformer(n_neighbors=3), None),
        "mlpr": (neural_network.MLPRegressor((4,), max_iter=20), target),
        "cnb": (p(preprocessing.MinMaxScaler(), naive_bayes.ComplementNB()), labels),
        "catnb": (
            p(
                preprocessing.KBinsDiscretizer(3, encode="ordinal"),
                naive_bayes.CategoricalNB(min_categories=3),
            ),
            labels,
        ),
        "bgm": (mixture.BayesianGaussianMixture(n_components=2), None),
        "mbk": (cluster.MiniBatchKMeans(3), None),
        "ipca": (decomposition.IncrementalPCA(2), None),
        "tsvd": (decomposition.TruncatedSVD(2), None),
        "kpca": (decomposition.KernelPCA(2), None),
        "plsr": (cross_decomposition.PLSRegression(2), target),
        "lda_pipe": (p(scaler(), discriminant_analysis.LinearDiscriminantAnalysis()), labels),
        "gpc": (gaussian_process.GaussianProcessClassifier(), (labels > 0).astype(np.int64)),
        "grp": (random_projection.GaussianRandomProjection(2), None),
        "nystroem": (kernel_approximation.Nystroem(n_components=3), None),
        "rbfs": (kernel_approximation.RBFSampler(n_components=3), None),
        "robust": (
            p(preprocessing.RobustScaler(), tree.DecisionTreeClassifier(max_depth=3)),
            labels,
        ),
        "maxabs": (p(preprocessing.MaxAbsScaler(), linear_model.LogisticRegression()), labels),
        "binarizer": (p(preprocessing.Binarizer(), naive_bayes.BernoulliNB()), labels),
        "poly3": (p(preprocessing.PolynomialFeatures(3), scaler(), linear_model.Ridge()), target),
        "spline": (preprocessing.SplineTransformer(), None),
        "vthresh": (p(feature_selection.VarianceThreshold(), tree.ExtraTreeClassifier()), labels),
        "rfe": (p(feature_selection.RFE(linear_model.Ridge()), linear_model.Ridge()), target),
        "sfm": (
            p(
                feature_selection.SelectFromModel(ensemble.RandomForestClassifier(3)),
                linear_model.LogisticRegression(),
            ),
            labels,
        ),
        "percentile": (
            p(feature_selection.SelectPercentile(percentile=50), linear_model.LogisticRegression()),
            labels,
        ),
        "union": (
            p(
                pipeline.make_union(scaler(), decomposition.PCA(2)),
                linear_model.LogisticRegression(),
            ),
            labels,
        ),
        "imp_med": (
            p(impute.SimpleImputer(strategy="median", add_indicator=True), linear_model.Ridge()),
            target,
        ),
        "miss_ind": (impute.MissingIndicator(features="all"), None),
        "multi_out": (multioutput.MultiOutputClassifier(linear_model.LogisticRegression()), None),
        "reg_chain": (multioutput.RegressorChain(linear_model.Ridge()), both),
        "cal_iso": (
            calibration.CalibratedClassifierCV(svm.LinearSVC(), method="isotonic", cv=2),
            labels,
        ),
        "envelope": (covariance.EllipticEnvelope(), None),
        "ttr": (
            compose.TransformedTargetRegressor(linear_model.Ridge(), transformer=scaler()),
            target,
        ),
    }
    for name, (model, wanted) in models.items():
        try:
            if name == "multi_out":
                wanted = np.stack([labels > 0, labels > 1], axis=1).astype(np.int64)
            model.fit(x, wanted)
        except Exception as error:
            print(f"  {name}: not fitted: {str(error)[:80]}", file=sys.stderr)
            continue
        for opset, ml in ((12, 1), (14, 2), (16, 3), (18, 3), (20, 3), (22, 3)):
            fixed = opset == 16
            options = None
            if opset == 18 and hasattr(model, "predict_proba"):
                options = {"zipmap": False}
            kind = (
                DoubleTensorType if opset == 20 and name in ("elastic", "mlpr") else FloatTensorType
            )
            try:
                made = to_onnx(
                    model,
                    initial_types=[("X", kind([4 if fixed else None, 5]))],
                    target_opset={"": opset, "ai.onnx.ml": ml},
                    options={id(model): options} if options else None,
                )
            except Exception as error:
                print(f"  skl_{name}_{opset}: {str(error)[:80]!r}", file=sys.stderr)
                continue
            yield f"skl_{name}_{opset}", made
    words = np.array(["red fox", "blue dog", "red dog runs", "a fox"] * 5)
    for name, model in {
        "tfidf": p(text.TfidfVectorizer(), linear_model.LogisticRegression()),
        "count": p(text.CountVectorizer(ngram_range=(1, 2)), naive_bayes.MultinomialNB()),
    }.items():
        model.fit(words, np.arange(20) % 2)
        for opset in (13, 17):
            yield (
                f"skl_{name}_{opset}",
                to_onnx(
                    model,
                    initial_types=[("text", StringTensorType([None]))],
                    target_opset={"": opset, "ai.onnx.ml": 3},
                ),
            )
    import pandas

    frame = pandas.DataFrame(
        {
            "age": rng.normal(size=40),
            "sum": rng.normal(size=40),
            "city": rng.choice(["a", "b", "c"], 40),
            "n": rng.integers(0, 4, 40),
        }
    )
    column = compose.ColumnTransformer(
        [
            ("num", p(impute.SimpleImputer(), scaler()), ["age", "sum"]),
            ("cat", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("ord", preprocessing.OrdinalEncoder(), ["n"]),
        ],
        remainder="drop",
    )
    mixed = p(column, linear_model.LogisticRegression())
    mixed.fit(frame, rng.integers(0, 2, 40))
    for opset in (12, 15, 19):
        for rows in (None, 1):
            types = [
                ("age", FloatTensorType([rows, 1])),
                ("sum", FloatTensorType([rows, 1])),
                ("city", StringTensorType([rows, 1])),
                ("n", Int64TensorType([rows, 1])),
            ]
            yield (
                f"skl_columns_{opset}_{rows}",
                to_onnx(
                    mixed,
                    initial_types=types[:4],
                    target_opset={"": opset, "ai.onnx.ml": 2 if opset == 12 else 3},
                ),
            )


def boost() -> Made:
    """LightGBM and XGBoost through onnxmltools."""
    import lightgbm
    import numpy as np
    import onnxmltools
    import xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    rng = np.random.default_rng(3)
    x = rng.normal(size=(80, 4)).astype(np.float32)
    three = rng.integers(0, 3, 80)
    two, target = (three > 0).astype(int), x[:, 0] * 3
    light = {"n_estimators": 3, "verbose": -1}
    models: dict[str, tuple[Any, Any, Any]] = {
        "lgb_bin": (lightgbm.LGBMClassifier(**light), two, onnxmltools.convert_lightgbm),
        "lgb_multi": (lightgbm.LGBMClassifier(**light), three, onnxmltools.convert_lightgbm),
        "lgb_reg": (lightgbm.LGBMRegressor(**light), target, onnxmltools.convert_lightgbm),
        "lgb_dart": (
            lightgbm.LGBMRegressor(boosting_type="dart", **light),
            target,
            onnxmltools.convert_lightgbm,
        ),
        "lgb_rf": (
            lightgbm.LGBMClassifier(
                boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, **light
            ),
            two,
            onnxmltools.convert_lightgbm,
        ),
        "lgb_rank": (lightgbm.LGBMRanker(**light), three, onnxmltools.convert_lightgbm),
        "xgb_bin": (xgboost.XGBClassifier(n_estimators=3), two, onnxmltools.convert_xgboost),
        "xgb_multi": (xgboost.XGBClassifier(n_estimators=3), three, onnxmltools.convert_xgboost),
        "xgb_reg": (xgboost.XGBRegressor(n_estimators=3), target, onnxmltools.convert_xgboost),
        "xgb_rf": (xgboost.XGBRFRegressor(n_estimators=3), target, onnxmltools.convert_xgboost),
        "xgb_dart": (
            xgboost.XGBRegressor(n_estimators=3, booster="dart"),
            target,
            onnxmltools.convert_xgboost,
        ),
    }
    for name, (model, wanted, convert) in models.items():
        if name == "lgb_rank":
            model.fit(x, wanted, group=[40, 40])
        else:
            model.fit(x, wanted)
        for opset in (9, 12, 14, 15):
            for rows in (None, 2):
                if rows and opset != 14:
                    continue
                given: dict[str, Any] = {}
                if convert is onnxmltools.convert_lightgbm and opset == 15:
                    given["zipmap"] = False
                try:
                    made = convert(
                        model,
                        initial_types=[("X", FloatTensorType([rows, 4]))],
                        target_opset=opset,
                        **given,
                    )
                except Exception as error:
                    print(f"  {name}_{opset}: {str(error)[:80]!r}", file=sys.stderr)
                    continue
                yield f"boost_{name}_{opset}{'_f' if rows else ''}", made


# -- torch -----------------------------------------------------------------------------------------


def torch_modules() -> dict[str, tuple[Any, tuple[Any, ...], tuple[int, ...], tuple[int, ...]]]:
    """Name → (module, example inputs, other axes to free, opsets for the TorchScript exporter)."""
    import torch
    from torch import nn
    from torch.nn import functional as f

    def wrap(function: Callable[..., Any]) -> nn.Module:
        class Wrapped(nn.Module):
            def forward(self, *given: Any) -> Any:
                return function(*given)

        return Wrapped()

    x = torch.randn(3, 6)
    image = torch.randn(2, 3, 12, 12)
    tokens = torch.randint(0, 4, (2, 7))
    series = torch.randn(2, 7, 4)
    boxes = torch.rand(5, 4).cumsum(1)
    mask = torch.rand(3, 6) > 0.4

    class Rnn(nn.Module):
        def __init__(self, kind: Any, **given: Any) -> None:
            super().__init__()
            self.rnn = kind(4, 5, batch_first=True, **given)
            self.head = nn.Linear(5 * (2 if given.get("bidirectional") else 1), 2)

        def forward(self, given: Any) -> Any:
            return self.head(self.rnn(given)[0][:, -1])

    class Text(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(10, 8)
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

        def forward(self, ids: Any) -> Any:
            return self.encoder(self.table(ids)).mean(1)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, given: Any) -> Any:
            return self.attention(given, given, given)[0]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)
            )
            self.residual = nn.Conv2d(8, 8, 3, padding=1)
            self.head = nn.Linear(8, 3)

        def forward(self, given: Any) -> Any:
            y = self.body(given)
            y = y + self.residual(y)
            return self.head(f.adaptive_avg_pool2d(y, 1).flatten(1))

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(3, 4, 3, stride=2, padding=1)
            self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)

        def forward(self, given: Any) -> Any:
            return torch.cat([self.up(self.down(given)), given], 1)

    few = (11, 13, 17, 20)
    m: dict[str, tuple[Any, tuple[Any, ...], tuple[int, ...], tuple[int, ...]]] = {
        "mlp": (nn.Sequential(nn.Linear(6, 4), nn.GELU(), nn.Linear(4, 2)), (x,), (), few),
        "cnn": (Net(), (image,), (2, 3), few),
        "unet": (UNet(), (image,), (2, 3), (12, 16)),
        "lstm": (Rnn(nn.LSTM), (series,), (1,), few),
        "bigru": (Rnn(nn.GRU, bidirectional=True), (series,), (1,), (12, 17)),
        "rnn2": (Rnn(nn.RNN, num_layers=2), (series,), (1,), (13,)),
        "encoder": (Text(), (tokens,), (1,), (14, 17)),
        "mha": (Attention(), (series,), (1,), (14, 18)),
        "sdpa": (wrap(f.scaled_dot_product_attention), (series, series, series), (1,), (14, 17)),
        "layernorm": (nn.LayerNorm(4), (series,), (1,), (12, 17)),
        "groupnorm": (nn.GroupNorm(1, 3), (image,), (), (12, 18)),
        "instancenorm": (nn.InstanceNorm2d(3), (image,), (2, 3), (12,)),
        "embeddingbag": (nn.EmbeddingBag(10, 4, mode="mean"), (tokens,), (), (12,)),
        "nonzero": (wrap(lambda a: (a > 0).nonzero()), (x,), (), few),
        "masked_select": (wrap(lambda a, b: a.masked_select(b)), (x, mask), (), few),
        "bool_index": (wrap(lambda a: a[a > 0].sum()), (x,), (), (12, 17)),
        "unique": (wrap(lambda a: torch.unique(a)), (tokens,), (), (12, 17)),
        "repeat": (wrap(lambda a: a.repeat_interleave(2, dim=0)), (x,), (), (12, 17)),
        "repeat_by": (
            wrap(lambda a, n: a.repeat_interleave(n, dim=0)),
            (x, torch.tensor([1, 2, 1])),
            (),
            (13, 17),
        ),
        "einsum": (
            wrap(lambda a, b: torch.einsum("bij,bkj->bik", a, b)),
            (series, series),
            (1,),
            few,
        ),
        "grid": (
            wrap(lambda a, g: f.grid_sample(a, g, align_corners=False)),
            (image, torch.rand(2, 5, 5, 2)),
            (),
            (16, 20),
        ),
        "interpolate": (
            wrap(lambda a: f.interpolate(a, scale_factor=2.0, mode="bilinear")),
            (image,),
            (2, 3),
            few,
        ),
        "interpolate_to": (
            wrap(lambda a: f.interpolate(a, size=(9, 9), mode="nearest")),
            (image,),
            (2, 3),
            few,
        ),
        "interpolate_like": (
            wrap(lambda a, b: f.interpolate(a, size=b.shape[2:], mode="nearest")),
            (image, torch.randn(2, 3, 6, 6)),
            (2, 3),
            (13,),
        ),
        "topk": (wrap(lambda a: a.topk(2)[0]), (x,), (), few),
        "argsort": (wrap(lambda a: a.argsort(1)), (x,), (), (12, 17)),
        "where": (wrap(lambda a: torch.where(a > 0, a, -a)), (x,), (), (12,)),
        "scatter": (
            wrap(lambda a, i: torch.zeros_like(a).scatter_add(1, i, a)),
            (x, torch.randint(0, 6, (3, 6))),
            (),
            (16, 18),
        ),
        "gather": (wrap(lambda a, i: a.gather(1, i)), (x, torch.randint(0, 6, (3, 2))), (), (12,)),
        "index_put": (
            wrap(lambda a, b: a.clone().index_put_((b,), torch.zeros(()))),
            (x, mask),
            (),
            (13, 17),
        ),
        "pad": (wrap(lambda a: f.pad(a, (1, 2))), (x,), (1,), few),
        "reflect": (
            wrap(lambda a: f.pad(a, (1, 1, 1, 1), mode="reflect")),
            (image,),
            (2, 3),
            (13,),
        ),
        "roll": (wrap(lambda a: a.roll(1, 1)), (x,), (1,), (12,)),
        "flip": (wrap(lambda a: a.flip(1)), (x,), (1,), (12,)),
        "cumsum": (wrap(lambda a: a.cumsum(1)), (x,), (1,), (12,)),
        "arange": (wrap(lambda a: a + torch.arange(a.shape[1])), (x,), (1,), few),
        "positions": (
            wrap(lambda a: a + torch.arange(a.shape[1]).unsqueeze(0).expand(a.shape[0], -1)),
            (x,),
            (1,),
            (13,),
        ),
        "view": (wrap(lambda a: a.view(a.shape[0], -1)), (series,), (1,), few),
        "flatten": (nn.Flatten(), (image,), (), (12,)),
        "permute": (wrap(lambda a: a.permute(0, 2, 1).contiguous()), (series,), (1,), (12,)),
        "unfold": (nn.Unfold(3), (image,), (), (12, 17)),
        "fold": (nn.Fold((4, 4), 2, stride=2), (torch.randn(2, 12, 4),), (), (18,)),
        "pixelshuffle": (nn.PixelShuffle(2), (torch.randn(2, 4, 3, 3),), (2, 3), (12,)),
        "chunk": (wrap(lambda a: a.chunk(2, 1)[0]), (x,), (), (12, 18)),
        "split": (wrap(lambda a: torch.split(a, [2, 4], 1)[1]), (x,), (), (12, 18)),
        "stack": (wrap(lambda a, b: torch.stack([a, b], 1)), (x, x), (1,), (12,)),
        "tril": (wrap(lambda a: a.tril()), (x,), (), (12, 17)),
        "causal": (
            wrap(
                lambda a: (a @ a.transpose(1, 2)).masked_fill(
                    torch.ones(a.shape[1], a.shape[1]).tril() == 0, -1e9
                )
            ),
            (series,),
            (1,),
            (14, 17),
        ),
        "std": (wrap(lambda a: a.std(1, keepdim=True)), (x,), (1,), (12,)),
        "logsumexp": (wrap(lambda a: a.logsumexp(1)), (x,), (1,), (12,)),
        "cdist": (wrap(lambda a, b: torch.cdist(a, b)), (series, series), (1,), (13,)),
        "baddbmm": (
            wrap(lambda a, b: torch.baddbmm(torch.zeros(1), a, b.transpose(1, 2))),
            (series, series),
            (1,),
            (12,),
        ),
        "onehot": (wrap(lambda a: f.one_hot(a, 6).float()), (tokens,), (1,), (12,)),
        "bucket": (
            wrap(lambda a: torch.bucketize(a, torch.tensor([-1.0, 0.0, 1.0]))),
            (x,),
            (),
            (13,),
        ),
        "squeeze": (wrap(lambda a: a.unsqueeze(1).squeeze(1)), (x,), (1,), (11, 13)),
        "squeeze_all": (wrap(lambda a: a[:, :1].squeeze()), (x,), (), (11, 13)),
        "half": (wrap(lambda a: (a.half() * 2).float()), (x,), (), (12,)),
        "complexity": (wrap(lambda a: torch.sqrt(a * a + 1).log().clamp(0, 1)), (x,), (1,), (12,)),
        "dropout_train": (nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.3)), (x,), (), (12, 15)),
        "boxes_area": (
            wrap(lambda a: ((a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])).unsqueeze(1)),
            (boxes,),
            (),
            (12,),
        ),
        "select_by_score": (
            wrap(lambda a, s: a[s > s.mean()]),
            (boxes, torch.rand(5)),
            (),
            (13, 17),
        ),
        "padsequence": (
            wrap(lambda a, n: a * (torch.arange(a.shape[1])[None] < n[:, None]).unsqueeze(-1)),
            (series, torch.tensor([3, 7])),
            (1,),
            (13,),
        ),
        "upto": (wrap(lambda a, n: a[: n[0]]), (x, torch.tensor([2])), (), (13,)),
    }
    return m


def torch_scripted() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Scripted control flow, for the TorchScript exporter."""
    import torch

    class Branch(torch.nn.Module):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            if bool(given.sum() > 0):
                return given * 2
            return given - 1

    class Turns(torch.nn.Module):
        def forward(self, given: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
            for _ in range(int(n)):
                given = given * 1.5
            return given

    class FixedTurns(torch.nn.Module):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            for i in range(3):
                given = given + i
            return given

    class Rows(torch.nn.Module):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            total = torch.zeros_like(given[0])
            for i in range(given.size(0)):
                total = total + given[i]
            return total

    class While(torch.nn.Module):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            while bool(given.abs().max() > 1):
                given = given / 2
            return given

    class ByShape(torch.nn.Module):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            if given.size(0) > 2:
                return given + 1
            return given - 1

    class ByRank(torch.nn.Module):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            if given.dim() > 2:
                return given.sum(-1)
            return given

    x = torch.randn(3, 6)
    return {
        "branch": (Branch(), (x,)),
        "turns": (Turns(), (x, torch.tensor(3))),
        "fixed_turns": (FixedTurns(), (x,)),
        "rows": (Rows(), (x,)),
        "while": (While(), (x,)),
        "by_shape": (ByShape(), (x,)),
        "by_rank": (ByRank(), (x,)),
    }


def torch_() -> Made:
    """PyTorch modules through both exporters; fixed, with a free batch, and with more axes free."""
    import io
    import logging

    import onnx
    import torch

    logging.disable(logging.CRITICAL)

    def traced(
        module: Any, given: tuple[Any, ...], axes: dict[str, dict[int, str]] | None, opset: int
    ) -> Any:
        names = [f"i{n}" for n in range(len(given))]
        out = io.BytesIO()
        more = {}
        if isinstance(module, torch.nn.Sequential) and any(
            isinstance(m, torch.nn.Dropout) for m in module
        ):
            more = {"training": torch.onnx.TrainingMode.TRAINING, "do_constant_folding": False}
            module.train()
        torch.onnx.export(
            module, given, out, input_names=names, dynamic_axes=axes, opset_version=opset,
            dynamo=False, **more,
        )  # fmt: skip
        return onnx.load_from_string(out.getvalue())

    def exported(module: Any, given: tuple[Any, ...], shapes: Any, opset: int) -> Any:
        names = [f"i{n}" for n in range(len(given))]
        program = torch.onnx.export(
            module, given, input_names=names, dynamic_shapes=shapes, opset_version=opset,
            dynamo=True, verbose=False,
        )  # fmt: skip
        return program.model_proto

    def attempt(name: str, make: Callable[[], Any]) -> Made:
        try:
            yield name, make()
        except Exception as error:
            print(f"  {name}: {str(error).splitlines()[:1]}"[:140], file=sys.stderr)

    for name, (module, given, other, opsets) in torch_modules().items():
        module.eval()
        names = [f"i{n}" for n in range(len(given))]
        free = [a for a in range(len(given)) if given[a].dim() > 0]
        batch = {names[a]: {0: "batch"} for a in free}
        more = {
            names[a]: {0: "batch", **{k: f"axis{k}" for k in other if k < given[a].dim()}}
            for a in free
        }
        for opset in opsets:
            trace = partial(traced, module, given, opset=opset)
            yield from attempt(f"ts_{name}_{opset}_batch", partial(trace, batch))
            if opset == opsets[0]:
                yield from attempt(f"ts_{name}_{opset}_fixed", partial(trace, None))
                if other:
                    yield from attempt(f"ts_{name}_{opset}_more", partial(trace, more))
        dynamic = torch.export.Dim.DYNAMIC
        for kind, freed in (("fixed", ()), ("batch", (0,)), ("more", (0, *other))):
            if kind == "more" and not other:
                continue
            shapes: Any = (
                tuple({a: dynamic for a in freed if a < g.dim()} for g in given) if freed else None
            )

            if shapes and type(module).__name__ == "Wrapped":
                shapes = (shapes,)
            export = partial(exported, module, given, shapes, 20 if kind == "more" else 18)
            yield from attempt(f"dy_{name}_{kind}", export)
    for name, (module, given) in torch_scripted().items():
        for opset in (11, 14, 17):
            for kind, axes in (("fixed", None), ("batch", {"i0": {0: "batch"}})):
                script = partial(traced, torch.jit.script(module), given, axes, opset)
                yield from attempt(f"script_{name}_{opset}_{kind}", script)


# -- quantised, converted --------------------------------------------------------------------------


def quant(directory: Path) -> Made:
    """Models already made, quantised by onnxruntime or turned to float16."""
    import numpy as np
    import onnx
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):
        def __init__(self, model: Any) -> None:
            self.feeds = iter(
                [
                    {
                        i.name: np.random.default_rng(n).normal(
                            size=[d.dim_value or 2 for d in i.type.tensor_type.shape.dim]
                        ).astype(np.float32)
                        for i in model.graph.input
                    }
                    for n in range(3)
                ]
            )  # fmt: skip

        def get_next(self) -> Any:
            return next(self.feeds, None)

    names = (
        "ts_cnn_13_batch", "ts_cnn_17_batch", "ts_cnn_11_fixed", "ts_mlp_13_batch", "ts_mlp_20_batch",
        "ts_lstm_13_batch", "ts_unet_16_batch", "dy_cnn_batch", "dy_mlp_fixed", "ts_encoder_17_batch",
        "ts_mha_14_batch", "ts_layernorm_17_batch", "ts_interpolate_13_batch", "ts_pad_13_batch",
    )  # fmt: skip
    for name in names:
        path = directory / "models" / f"{name}.onnx"
        if not path.is_file():
            continue
        model = onnx.load(path)
        floats = all(i.type.tensor_type.elem_type == 1 for i in model.graph.input)
        with tempfile.TemporaryDirectory() as folder:
            out = str(Path(folder, "out.onnx"))
            for kind, weight in (("dynu8", q.QuantType.QUInt8), ("dyni8", q.QuantType.QInt8)):
                try:
                    q.quantize_dynamic(path, out, weight_type=weight)
                    yield f"q_{name}_{kind}", onnx.load(out)
                except Exception as error:
                    print(f"  {name} {kind}: {str(error)[:80]!r}", file=sys.stderr)
            for kind, form, channels, types in (
                ("qdq", q.QuantFormat.QDQ, False, q.QuantType.QInt8),
                ("qdqc", q.QuantFormat.QDQ, True, q.QuantType.QUInt8),
                ("qdq16", q.QuantFormat.QDQ, False, q.QuantType.QUInt16),
                ("qop", q.QuantFormat.QOperator, False, q.QuantType.QUInt8),
            ):
                if not floats:
                    continue
                try:
                    q.quantize_static(
                        path, out, Reader(model), quant_format=form, per_channel=channels,
                        activation_type=types if kind != "qdq16" else q.QuantType.QUInt16,
                        weight_type=q.QuantType.QInt8,
                    )  # fmt: skip
                    yield f"q_{name}_{kind}", onnx.load(out)
                except Exception as error:
                    print(f"  {name} {kind}: {str(error)[:80]!r}", file=sys.stderr)
        try:
            from onnxruntime.transformers.float16 import convert_float_to_float16

            yield f"h_{name}", convert_float_to_float16(onnx.load(path))
            yield (
                f"h_{name}_io",
                convert_float_to_float16(onnx.load(path), keep_io_types=True),
            )
        except Exception as error:
            print(f"  {name} float16: {str(error)[:80]!r}", file=sys.stderr)


# -- by hand ---------------------------------------------------------------------------------------


def hand() -> Made:
    """Functions, subgraphs, constants that settle control flow, odd types, in onnx's own notation."""
    from onnx import parser

    def text(body: str, opset: int = 17, ir: int = 8, more: str = "") -> Any:
        return parser.parse_model(f'<ir_version: {ir}, opset_import: ["" : {opset}{more}]>\n{body}')

    local = ', "local" : 1'
    graphs: dict[str, tuple[str, int, int, str]] = {
        "if_const": (
            """g (float[N, 2] x) => (float[N, 2] y) <bool c = {1}> {
              y = If (c) <then_branch = t () => (float[N, 2] a) { a = Relu(x) },
                          else_branch = e () => (float[N, 2] b) { b = Neg(x) }> }""",
            13, 7, "",
        ),
        "if_data": (
            """g (float[N, 2] x, bool c) => (float[N, 2] y) {
              y = If (c) <then_branch = t () => (float[N, 2] a) { a = Relu(x) },
                          else_branch = e () => (float[N, 2] b) { b = Neg(x) }> }""",
            16, 8, "",
        ),
        "if_rank": (
            """g (float[N, 1, 2] x) => (float[N, M] y) {
              s = Shape(x) one = Constant<value = int64[1] {1}>()
              d = Gather(s, one) c = Equal(d, one)
              y = If (c) <then_branch = t () => (float[N, M] a) { a = Squeeze(x, one) },
                          else_branch = e () => (float[N, M] b) { b = Flatten(x) }> }""",
            15, 8, "",
        ),
        "if_batch": (
            """g (float[N, 2] x) => (float[N, 2] y) {
              s = Shape<start = 0, end = 1>(x) four = Constant<value = int64[1] {4}>()
              c = Greater(s, four)
              y = If (c) <then_branch = t () => (float[N, 2] a) { a = Relu(x) },
                          else_branch = e () => (float[N, 2] b) { b = Neg(x) }> }""",
            15, 8, "",
        ),
        "function": (
            """g (float[N, 4] x) => (float[N, 4] y) { y = local.twice(x) }
            <domain: "local", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) }""",
            17, 8, local,
        ),
        "function_nonzero": (
            """g (float[N, 4] x) => (int64[2, K] y) { y = local.where(x) }
            <domain: "local", opset_import: ["" : 17]> where (a) => (b) { r = Relu(a) b = NonZero(r) }""",
            17, 8, local,
        ),
        "function_if": (
            """g (float[N, 4] x, bool c) => (float[N, 4] y) { y = local.f(x, c) }
            <domain: "local", opset_import: ["" : 17]> f (a, k) => (b) {
              b = If (k) <then_branch = t () => (float[N, 4] p) { p = Relu(a) },
                          else_branch = e () => (float[N, 4] q) { q = Neg(a) }> }""",
            17, 8, local,
        ),
        "loop_const": (
            """g (float[2] x) => (float[2] y) <int64 n = {3}, bool go = {1}> {
              y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool c2, float[2] w) {
                c2 = Identity(c) w = Add(v, v) }> }""",
            13, 7, "",
        ),
        "loop_data": (
            """g (float[2] x, int64 n) => (float[2] y) <bool go = {1}> {
              y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool c2, float[2] w) {
                c2 = Identity(c) w = Add(v, v) }> }""",
            13, 7, "",
        ),
        "loop_until": (
            """g (float[2] x) => (float[2] y) <int64 n = {9}, bool go = {1}, float lim = {5.0}> {
              y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool c2, float[2] w) {
                w = Add(v, v) s = ReduceSum<keepdims = 0>(w) c2 = Less(s, lim) }> }""",
            13, 7, "",
        ),
        "scan_fixed": (
            """g (float[2] s, float[5, 2] x) => (float[2] f, float[5, 2] y) {
              f, y = Scan <num_scan_inputs = 1, body = b (float[2] a, float[2] v) => (float[2] n, float[2] o)
                { n = Add(a, v) o = Identity(n) }> (s, x) }""",
            14, 7, "",
        ),
        "scan_time": (
            """g (float[2] s, float[T, 2] x) => (float[2] f, float[T, 2] y) {
              f, y = Scan <num_scan_inputs = 1, body = b (float[2] a, float[2] v) => (float[2] n, float[2] o)
                { n = Add(a, v) o = Identity(n) }> (s, x) }""",
            14, 7, "",
        ),
        "nonzero_const": (
            """g (float[N, 2] x) => (float[N, 2] y) <float[2] w = {1.0, 0.0}> {
              k = NonZero(w) s = Shape(k) c = Cast<to = 1>(s) m = ReduceSum<keepdims = 0>(c)
              y = Mul(x, m) }""",
            13, 7, "",
        ),
        "nonzero_shape": (
            """g (float[N, 2] x) => (float[N, 2] y) {
              s = Shape(x) k = ConstantOfShape<value = float[1] {1.0}>(s) z = NonZero(k)
              t = Transpose(z) y = GatherND(x, t) y0 = Identity(x) }""",
            13, 7, "",
        ),
        "reshape_data": (
            """g (float[N, 4] x, int64[2] s) => (float[A, B] y) { y = Reshape(x, s) }""",
            13, 7, "",
        ),
        "reshape_own": (
            """g (float[N, 4] x) => (float[N, 2, 2] y) <int64[2] t = {2, 2}> {
              s = Shape(x) z = Constant<value = int64[1] {0}>() b = Gather(s, z)
              r = Concat<axis = 0>(b, t) y = Reshape(x, r) }""",
            13, 7, "",
        ),
        "range_data": (
            """g (int64 n) => (int64[K] y) <int64 z = {0}, int64 o = {1}> { y = Range(z, n, o) }""",
            13, 7, "",
        ),
        "nms": (
            """g (float[1, 6, 4] b, float[1, 1, 6] s) => (int64[K, 3] y)
              <int64 m = {5}, float t = {0.5}> { y = NonMaxSuppression(b, s, m, t) }""",
            11, 6, "",
        ),
        "compress_const": (
            """g (float[N, 3] x) => (float[N, 2] y) <bool[3] k = {1, 0, 1}> {
              y = Compress<axis = 1>(x, k) }""",
            13, 7, "",
        ),
        "compress_data": (
            """g (float[N, 3] x, bool[3] k) => (float[N, M] y) { y = Compress<axis = 1>(x, k) }""",
            13, 7, "",
        ),
        "topk_data": (
            """g (float[N, 5] x, int64[1] k) => (float[N, M] y, int64[N, M] i) { y, i = TopK(x, k) }""",
            13, 7, "",
        ),
        "sequence": (
            """g (float[N, 4] x) => (float[N, 4] y) {
              p, q = Split<axis = 1>(x) s = SequenceConstruct(p, q) y = ConcatFromSequence<axis = 1>(s) }""",
            13, 7, "",
        ),
        "half": ("g (float16[N, 2] x) => (float16[N, 2] y) { y = Relu(x) }", 15, 8, ""),
        "bfloat": ("g (bfloat16[N, 2] x) => (bfloat16[N, 2] y) { y = Relu(x) }", 16, 8, ""),
        "double_conv": (
            """g (double[1, 1, 4, 4] x) => (double[1, 1, 2, 2] y)
              { w = ConstantOfShape<value = double[1] {1.0}>(s) y = Conv(x, w) }""".replace(
                "=> (double[1, 1, 2, 2] y)",
                "=> (double[1, 1, 2, 2] y) <int64[4] s = {1, 1, 3, 3}>",
            ),
            11, 6, "",
        ),
        "int_relu": ("g (int32[N, 2] x) => (int32[N, 2] y) { y = Relu(x) }", 14, 7, ""),
        "int8_relu": ("g (int8[N, 2] x) => (int8[N, 2] y) { y = Relu(x) }", 14, 7, ""),
        "gelu": ("g (float[N, 2] x) => (float[N, 2] y) { y = Gelu(x) }", 20, 9, ""),
        "attention": (
            """g (float[B, 2, T, 4] q, float[B, 2, T, 4] k, float[B, 2, T, 4] v) => (float[B, 2, T, 4] y)
              { y = Attention(q, k, v) }""",
            23, 11, "",
        ),
        "rms": (
            "g (float[N, 4] x) => (float[N, 4] y) <float[4] w = {1.0, 1.0, 1.0, 1.0}>"
            " { y = RMSNormalization(x, w) }",
            23, 11, "",
        ),
        "swish": ("g (float[N, 2] x) => (float[N, 2] y) { y = Swish(x) }", 24, 11, ""),
        "contrib": (
            "g (float[N, 4] x) => (float[N, 4] y) <float[4] b = {1.0, 1.0, 1.0, 1.0}>"
            " { y = com.microsoft.BiasGelu(x, b) }",
            13, 7, ', "com.microsoft" : 1',
        ),
        "newer_contrib": (
            "g (float[N, 4] x) => (float[N, 4] y) { y = com.microsoft.QuickGelu(x) }",
            13, 7, ', "com.microsoft" : 1',
        ),
        "custom": ("g (float[N, 4] x) => (float[N, 4] y) { y = shop.Price(x) }", 13, 7, ', "shop" : 1'),
        "upsample_old": (
            """g (float[1, 1, 2, 2] x) => (float[1, 1, 4, 4] y) <float[4] s = {1.0, 1.0, 2.0, 2.0}>
              { y = Upsample(x, s) }""",
            9, 4, "",
        ),
        "upsample_gone": (
            """g (float[1, 1, 2, 2] x) => (float[1, 1, 4, 4] y) <float[4] s = {1.0, 1.0, 2.0, 2.0}>
              { y = Upsample(x, s) }""",
            12, 7, "",
        ),
        "opset25": ("g (float[N, 2] x) => (float[N, 2] y) { y = Relu(x) }", 25, 11, ""),
        "ir13": ("g (float[N, 2] x) => (float[N, 2] y) { y = Relu(x) }", 21, 13, ""),
    }  # fmt: skip
    for name, (body, opset, ir, more) in graphs.items():
        try:
            yield f"hand_{name}", text(body, opset, ir, more)
        except Exception as error:
            print(f"  hand_{name}: {str(error)[:200]!r}", file=sys.stderr)


def make(directory: Path, kinds: list[str]) -> None:
    """Write the models."""
    from onnx_networks import hub, keras

    models = directory / "models"
    models.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[], Made]] = {
        "skl": skl, "boost": boost, "torch": torch_, "hand": hand,
        "quant": lambda: quant(directory), "hub": hub, "keras": keras,
    }  # fmt: skip
    for kind in kinds:
        number = 0
        for name, model in makers[kind]():
            (models / f"{name}.onnx").write_bytes(model.SerializeToString())
            number += 1
        print(f"{kind}: {number} models", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--only", default="skl,boost,torch,hand,quant")
    arguments = parser.parse_args()
    make(arguments.directory, arguments.only.split(","))


if __name__ == "__main__":
    main()
