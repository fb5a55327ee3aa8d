"""Operators of ``ai.onnx.ml``: predictors, encoders and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.artifacts.onnx.values import NONE, Dim, Shape, Value

if TYPE_CHECKING:
    from auditor.artifacts.onnx.operators.op import Handler, Op


def _rows(op: Op) -> list[Value] | None:
    """Predictors of ai.onnx.ml: one row an example, columns fixed by the model."""
    x = op.value(0)
    if x is None or x.shape is None:
        return None
    rows: Dim = x.shape[0] if len(x.shape) > 1 else 1
    labels = op.node.operator.endswith("Classifier")
    columns = op.free(NONE, "columns")
    if labels:
        return [op.out((rows,)), op.out((rows, columns))]
    targets = op.number("n_targets", 0) or op.number("targets", 0) or None
    return [op.out((rows, targets if targets is not None else columns))]


def _feature_vector(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None or x.shape is None or len(x.shape) < 1:
        return None
    rows: Dim = x.shape[0] if len(x.shape) > 1 else 1
    return [op.out((rows, op.free(NONE, "columns")))]


def _one_hot_encoder(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None or x.shape is None:
        return None
    return [op.out((*x.shape, op.free(NONE, "categories")))]


def _array_feature_extractor(op: Op) -> list[Value] | None:
    x, y = op.value(0), op.value(1)
    if x is None or y is None or x.shape is None:
        return None
    size = y.size
    last: Dim = size if size is not None else op.free(y.shape_deps, "chosen")
    lead: Shape = x.shape[:-1] if len(x.shape) > 1 else (1,)
    return [op.out((*lead, last))]


def _zipmap(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None:
        return None
    length: Dim | None = None
    if x.shape is not None:
        length = x.shape[0] if len(x.shape) > 1 else 1
    else:
        length = op.free(x.rank, "rows")
    return [Value((), content=op.content, length=length)]


def _cast_map(op: Op) -> list[Value] | None:
    x = op.value(0)
    if x is None:
        return None
    if op.text("map_form", "DENSE") == "SPARSE":
        return [op.out((1, op.number("max_map", 1)))]
    return [op.out((1, op.free(op.decided(0), "entries")))]


def _dict_vectorizer(op: Op) -> list[Value] | None:
    return [op.out((1, op.free(NONE, "vocabulary")))]


HANDLERS: dict[str, Handler] = {
    "ArrayFeatureExtractor": _array_feature_extractor,
    "CastMap": _cast_map,
    "DictVectorizer": _dict_vectorizer,
    "FeatureVectorizer": _feature_vector,
    "LinearClassifier": _rows,
    "LinearRegressor": _rows,
    "OneHotEncoder": _one_hot_encoder,
    "SVMClassifier": _rows,
    "SVMRegressor": _rows,
    "TreeEnsembleClassifier": _rows,
    "TreeEnsembleRegressor": _rows,
    "ZipMap": _zipmap,
}
