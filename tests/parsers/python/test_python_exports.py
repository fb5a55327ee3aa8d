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


HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"
LINEAR = "self.a = nn.Linear(2, 2)"


def net(layers: str, forward: str = "return self.a(x)", parameters: str = "") -> str:
    return (
        f"{HEAD}class Net(nn.Module):\n"
        f"    def __init__(self{parameters}):\n"
        f"        super().__init__()\n        {layers}\n"
        f"    def forward(self, x):\n        {forward}\n"
    )


@pytest.mark.parametrize(
    ("code", "modal"),
    [
        (net(LINEAR), False),
        (net("self.a = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.LayerNorm(2))"), False),
        (net("self.a = nn.Sequential(nn.Linear(2, 2), nn.Dropout())"), True),
        (net("self.a = nn.Dropout(0)"), False),
        (net("self.a = torch.nn.BatchNorm2d(3)"), True),
        (net("self.a = nn.LSTM(2, 2, batch_first=True)"), False),
        (net("self.a = nn.LSTM(2, 2, 2, dropout=0.1)"), True),
        (net("self.a = nn.TransformerEncoderLayer(8, 2)"), True),
        (net("self.a = nn.TransformerEncoderLayer(8, 2, dropout=0.0)"), False),
        (net("self.a = nn.MultiheadAttention(8, 2)"), False),
        (net("self.a = nn.InstanceNorm2d(3)"), False),
        (net("self.a = nn.InstanceNorm2d(3, track_running_stats=True)"), True),
        # Dropout that asks for the mode, and dropout that ignores it.
        (net(LINEAR, "return F.dropout(x, 0.5, training=self.training)"), True),
        (net(LINEAR, "return F.dropout(x, 0.5)"), False),
        (net("self.a = nn.ModuleList([Block() for _ in range(2)])") + "class Block(nn.Module):\n    def __init__(self):\n        self.d = nn.Dropout()\n", True),
        (net("self.a = block()") + "def block():\n    return nn.Sequential(nn.Linear(2, 2), nn.Tanh())\n", False),
        (net("self.a = block(nn.BatchNorm1d)") + "def block(norm):\n    return nn.Sequential(norm(2))\n", True),
        # What is not seen is not known.
        (net("self.a = backbone", parameters=", backbone"), None),
        (net("self.a = timm.create_model('x')").replace("import torch\n", "import torch, timm\n", 1), None),
        (net("self.a = getattr(nn, 'Dropout')()"), None),
        (net("self.a = LAYERS['x']()"), None),
        (net(LINEAR).replace("nn.Module", "Base"), None),
        (net(LINEAR).replace("nn.Module", "vendor.Base").replace("import torch\n", "import torch, vendor\n", 1), None),
    ],
)  # fmt: skip
def test_training_mode(code: str, modal: bool | None) -> None:
    (found,) = exports(module(f"{code}torch.jit.trace(Net(), x)\n"))
    assert found.evaluates is False
    assert found.mode.known is modal


@pytest.mark.parametrize(
    ("lines", "modal"),
    [
        ("inner = nn.Dropout()\ninner.eval()\nmodel = Wrap(inner)", False),
        ("inner = nn.Linear(2, 2)\nmodel = Wrap(inner)", False),
        ("inner = nn.Dropout()\nmodel = Wrap(inner)", None),
        ("model = Wrap(load())", None),
    ],
)
def test_wrappers_of_modules(lines: str, modal: bool | None) -> None:
    wrap = net("self.a = inner", parameters=", inner").replace("Net", "Wrap")
    (found,) = exports(module(f"{wrap}{lines}\ntorch.jit.trace(model, x)\n"))
    assert found.mode.known is modal


def test_models_of_the_zoo() -> None:
    code = "import torch\nfrom torchvision import models\nnet = models.{}(pretrained=True)\n"
    (found,) = exports(module(code.format("resnet18") + "torch.jit.trace(net, x)\n"))
    assert (found.evaluates, found.mode.known) == (False, True)
    (found,) = exports(module(code.format("vit_b_16") + "torch.jit.trace(net, x)\n"))
    assert (found.evaluates, found.mode.known) == (False, None)


def test_layers_of_other_modules() -> None:
    text = {
        "app/export.py": f"{HEAD}from .nets import Net\ntorch.jit.trace(Net(), x)\n",
        "app/nets.py": f"from app.parts.blocks import Block\n{net('self.a = Block()')}",
        # Around in a circle.
        "app/parts/blocks.py": f"from app.nets import Net\n{net('self.a = {}').replace('Net', 'Block')}",
    }

    def mode(layer: str) -> bool | None:
        read = {p: python.parse(SourceText(p, t.format(layer))) for p, t in text.items()}

        def find(path: str, name: str) -> python.ModuleFacts | None:
            from auditor.parsers.python.modes import module_paths

            return next((read[p] for p in module_paths(path, name) if p in read), None)

        return exports(read["app/export.py"], find)[0].mode.known

    assert mode("nn.Dropout()") is True
    assert mode("nn.Linear(2, 2)") is False
    assert mode("Net()") is False
    assert mode("Missing()") is None


@pytest.mark.parametrize(
    ("call", "pinned"),
    [
        ("skl2onnx.convert_sklearn(model, initial_types=t)", False),
        ("skl2onnx.convert_sklearn(model, initial_types=t, target_opset=17)", True),
        ("skl2onnx.to_onnx(model, x)", False),
        ("skl2onnx.to_onnx(model, x, 'n', None, None, 17)", True),
        ("onnxmltools.convert_lightgbm(model, **options)", True),
        ("tf2onnx.convert.from_keras(model, opset=13)", True),
        ("tf2onnx.convert.from_keras(model)", False),
        ("main_export('bert', output='m')", False),
    ],
)
def test_converters(call: str, pinned: bool) -> None:
    head = "import skl2onnx, onnxmltools, tf2onnx\nfrom optimum.exporters.onnx import main_export\n"
    (found,) = exports(module(f"{head}{call}\n"))
    assert (found.opset_pinned, found.evaluates) == (pinned, None)


@pytest.mark.parametrize(
    ("lines", "evaluates"),
    [
        # The function leaves it in the mode of its last turn.
        ("net, best = train(net)\ntorch.jit.trace(net, x)", None),
        ("train(net)\ntorch.jit.trace(net, x)", None),
        ("show(net)\ntorch.jit.trace(net, x)", False),
    ],
)
def test_models_that_go_through_functions(lines: str, evaluates: bool | None) -> None:
    code = (
        f"{HEAD}def train(m):\n    m.train()\n    m.eval()\n    return m, 1\n"
        f"def show(m):\n    print(m)\nnet = nn.Dropout()\n{lines}\n"
    )
    (found,) = exports(module(code))
    assert found.evaluates is evaluates


def test_functions_of_a_forward_are_no_layers() -> None:
    code = net("pass", "return my_add(x, x) + vendor.twice(x)")
    code = code.replace("import torch\n", "import torch, vendor\n", 1)
    (found,) = exports(module(f"{code}my_add = vendor.Add.apply\ntorch.jit.trace(Net(), x)\n"))
    assert found.mode.known is False
