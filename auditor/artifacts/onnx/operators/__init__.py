"""What operators do to shapes and small contents (https://onnx.ai/onnx/operators/).

``transfer`` gives the outputs of the operators described here and None for others, which the
interpreter treats as functions of their inputs' shapes, and of the contents ``SHAPE_INPUTS`` names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.artifacts.onnx.operators import (
    elementwise,
    layers,
    learners,
    selection,
    sequences,
    shapes,
)
from auditor.artifacts.onnx.operators.op import RANDOM, Handler, Op
from auditor.artifacts.onnx.proto import Node
from auditor.artifacts.onnx.values import Value

if TYPE_CHECKING:
    from auditor.artifacts.onnx.infer import Interpreter
    from auditor.artifacts.onnx.operators.op import Inputs

__all__ = ["RANDOM", "SHAPE_INPUTS", "transfer"]

# Inputs whose contents decide the shape of an output.
SHAPE_INPUTS: dict[str, tuple[int, ...]] = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CastMap": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "Compress": (0, 1),
    "ConstantOfShape": (0,),
    "ConvTransposeWithDynamicPads": (2,),
    "CropAndResize": (3,),
    "DFT": (1, 2),
    "DynamicSlice": (1, 2, 3),
    "Expand": (1,),
    "ExpandDims": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "ImageDecoder": (0,),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1),
    "NonMaxSuppression": (0, 1, 2, 3, 4),
    "NonZero": (0,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (2, 3),
    "STFT": (1, 3),
    "SequenceAt": (),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "SplitToSequence": (1,),
    "Squeeze": (1,),
    "StringSplit": (0,),
    "Tile": (1,),
    "Tokenizer": (0,),
    "TopK": (1,),
    "Unique": (0,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
_HANDLERS: dict[str, Handler] = {
    **elementwise.HANDLERS,
    **shapes.HANDLERS,
    **selection.HANDLERS,
    **layers.HANDLERS,
    **learners.HANDLERS,
    **sequences.HANDLERS,
}


def transfer(
    it: Interpreter, node: Node, domain: str, version: int, inputs: Inputs, path: str
) -> list[Value] | None:
    """The outputs of an operator described here; None when it is not, or its inputs are too vague."""
    op = Op(it, node, domain, version, inputs, path)
    name = node.operator
    _check_axis(op, name)
    handler = _HANDLERS.get(name)
    return handler(op) if handler is not None else None


# Operators whose ``axis`` the runtime compares with the rank of the first input.
_AXIS = frozenset(
    {"ArgMax", "ArgMin", "Gather", "Hardmax", "LogSoftmax", "Softmax", "Split", "TopK"}
)


def _check_axis(op: Op, name: str) -> None:
    attribute = op.node.attributes.get("axis")
    shape = op.shape()
    if name not in _AXIS or attribute is None or attribute.number is None or shape is None:
        return
    if shape and not -len(shape) <= attribute.number < len(shape):
        op.it.defect(
            "shape-error",
            f"{op.node.label}: axis {attribute.number} of a tensor of rank {len(shape)}",
            op.path,
        )
