"""What code around ONNX says: exports of PyTorch models, and the sessions that run them."""

from __future__ import annotations

import pytest

from auditor.parsers import python
from auditor.parsers.python.exports import exports, sessions
from auditor.source import SourceText

CLASS = """
import torch
class Net(torch.nn.Module):
    def forward(self, x, training: bool = False):
{body}
net = Net().eval()
torch.jit.trace(net, x)
"""


def module(text: str) -> python.ModuleFacts:
    return python.parse(SourceText("export.py", text))


@pytest.mark.parametrize(
    ("code", "evaluates"),
    [
        ("net = Net()\ntorch.onnx.export(net, x, 'm')", False),
        ("net = Net()\nnet.eval()\ntorch.onnx.export(net, x, 'm')", True),
        ("net = Net()\nnet.train(False)\ntorch.onnx.export(net, x, 'm')", True),
        ("torch.onnx.export(Net().eval(), x, 'm')", True),
        ("torch.onnx.export(Net().to(device), x, 'm')", False),
        ("torch.onnx.export(Net().eval().cpu(), x, 'm')", True),
        ("def save(net):\n    torch.onnx.export(net, x, 'm')", None),
        ("net = load()\ntorch.onnx.export(net, x, 'm')", None),
        ("torch.onnx.export(self.model, x, 'm')", None),
    ],
)
def test_mode(code: str, evaluates: bool | None) -> None:
    (found,) = exports(module(f"import torch\nfrom nets import Net, load\n{code}\n"))
    assert found.evaluates is evaluates


@pytest.mark.parametrize(
    ("argument", "axes"),
    [
        ("dynamic_axes={'x': {0: 'n'}}", [("x", 0)]),
        ("dynamic_axes={'x': {0: 'n', 2: 'h'}, 'y': [0, 3]}", [("x", 0), ("x", 2), ("y", 0), ("y", 3)]),
        ("dynamic_shapes=({0: batch, 1: seq},)", [("input 0", 0), ("input 0", 1)]),
        ("dynamic_shapes={'x': {0: batch, 1: None}}", [("x", 0)]),
        ("dynamic_axes=AXES", [("x", 1)]),
        ("dynamic_axes=compute()", []),
    ],
)  # fmt: skip
def test_axes(argument: str, axes: list[tuple[str, int]]) -> None:
    code = f"import torch\nAXES = {{'x': {{1: 'w'}}}}\ntorch.onnx.export(net, x, 'm', {argument})\n"
    (found,) = exports(module(code))
    assert [(a.name, a.axis) for a in found.free] == axes
    lines = code.split("\n")
    for axis in found.free:
        at = axis.at
        assert lines[at.line - 1][at.column - 1 : at.end_column - 1]


@pytest.mark.parametrize(
    ("body", "constructs"),
    [
        ("        if x.sum() > 0:\n            return x\n        return -x", ["if"]),
        ("        m = x.mean()\n        while m > 1:\n            m = m / 2\n        return m", ["while"]),
        ("        for i in range(int(x[0])):\n            x = x * 2\n        return x", ["for"]),
        ("        if x.shape[0] > 1:\n            return x\n        return -x", []),
        ("        if x is None:\n            return x\n        return -x", []),
        ("        if self.training:\n            return x\n        return -x", []),
        ("        if training:\n            return x\n        return -x", []),
        ("        for layer in self.layers:\n            x = layer(x)\n        return x", []),
        ("        for i in range(x.size(1)):\n            x = x * 2\n        return x", []),
        ("        if x.dim() == 3 and not isinstance(x, list):\n            return x\n        return -x", []),
    ],
)  # fmt: skip
def test_traced_control_flow(body: str, constructs: list[str]) -> None:
    (found,) = exports(module(CLASS.format(body=body)))
    assert [b.construct for b in found.branches] == constructs
    assert found.evaluates is True


def test_aliases_and_opsets() -> None:
    found = exports(
        module(
            "from torch import onnx as o, jit\n"
            "o.export(a, x, 'm')\n"
            "o.export(a, x, 'm', opset_version=17)\n"
            "o.export(a, x, 'm', **options)\n"
            "jit.script(a)\n"
        )
    )
    assert [(e.tool, e.opset_pinned) for e in found] == [
        ("torch.onnx.export", False),
        ("torch.onnx.export", True),
        ("torch.onnx.export", True),
        ("torch.jit.script", None),
    ]


@pytest.mark.parametrize(
    ("arguments", "providers"),
    [
        ("'m', providers=['CUDAExecutionProvider', 'CPUExecutionProvider']", ("CUDAExecutionProvider", "CPUExecutionProvider")),
        ("'m', None, [('CUDAExecutionProvider', {'device_id': 0})]", ("CUDAExecutionProvider",)),
        ("'m', providers=WANTED", ("TensorrtExecutionProvider",)),
        ("'m', providers=pick()", None),
        ("'m'", None),
    ],
)  # fmt: skip
def test_sessions(arguments: str, providers: tuple[str, ...] | None) -> None:
    code = (
        "import onnxruntime as ort\nWANTED = ['TensorrtExecutionProvider']\n"
        f"session = ort.InferenceSession({arguments})\n"
    )
    (found,) = sessions(module(code))
    assert found.providers == providers
    asking = code + "print(ort.get_available_providers())\n"
    assert sessions(module(asking))[0].providers is None


@pytest.mark.parametrize(
    ("lines", "evaluates"),
    [
        ("model = Net()\nmodel = model.to('cpu')", False),
        ("model = Net()\nmodel = model.to('cpu')\nmodel.eval()", True),
        ("model = Net()\nmodel = model.to('cpu').eval()", True),
        ("model = load()\nmodel = model.to('cpu')", None),
        ("model = model.to('cpu')", None),
        ("model = other.to('cpu')\nother = model.to('cpu')", None),
    ],
)
def test_a_model_assigned_to_itself(lines: str, evaluates: bool | None) -> None:
    code = (
        f"import torch\nclass Net(torch.nn.Module):\n    pass\n{lines}\ntorch.jit.trace(model, x)\n"
    )
    (found,) = exports(module(code))
    assert found.evaluates is evaluates
