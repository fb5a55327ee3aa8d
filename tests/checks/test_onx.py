"""Execution providers against packages and base images; engines that convert models."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.findings import Confidence, Finding, Severity
from auditor.result import AuditResult
from tests.checks.repo_kit import service

APP = """\
import onnxruntime as ort
from flask import Flask

app = Flask(__name__)
session = ort.InferenceSession("/app/model.onnx"{arguments})


@app.post("/predict")
def predict():
    return {{}}
"""
DOCKERFILE = """\
FROM {base}
{more}WORKDIR /app
COPY . ./
RUN pip install -r requirements.txt
CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]
"""
SLIM = "python:3.10-slim-bookworm"
CUDA = "['CUDAExecutionProvider', 'CPUExecutionProvider']"


def audited(
    root: Path,
    runtime: str,
    providers: str | None,
    *,
    base: str = SLIM,
    more: str = "",
    app: str | None = None,
) -> AuditResult:
    import onnx.parser

    model = onnx.parser.parse_model(
        '<ir_version: 7, opset_import: ["" : 13]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    )
    (root / "model.onnx").write_bytes(model.SerializeToString())
    arguments = f", providers={providers}" if providers else ""
    return service(
        root,
        {
            "app.py": app or APP.format(arguments=arguments),
            "Dockerfile": DOCKERFILE.format(base=base, more=more),
            "requirements.txt": f"flask==3.0.3\ngunicorn==22.0.0\nnumpy==1.26.4\n{runtime}\n",
        },
    )


def found(result: AuditResult, rule: str = "ONX011") -> list[Finding]:
    return [f for f in result.findings if f.rule == rule]


@pytest.mark.parametrize(
    ("runtime", "providers", "said"),
    [
        ("onnxruntime==1.20.1", CUDA, "which the package onnxruntime does not have"),
        ("onnxruntime-openvino==1.20.0", CUDA, "which the package onnxruntime-openvino does not"),
        ("onnxruntime==1.20.1", "['OpenVINOExecutionProvider']", "OpenVINOExecutionProvider"),
        ("onnxruntime==1.20.1", "['CoreMLExecutionProvider']", "CoreMLExecutionProvider"),
        ("onnxruntime==1.20.1", "['CudaExecutionProvider']", "a name that onnxruntime does not"),
        ("onnxruntime-gpu==1.18.1", CUDA, "is linked to CUDA 11 and cuDNN 8"),
        ("onnxruntime-gpu==1.20.2", CUDA, "is linked to CUDA 12 and cuDNN 9"),
        ("onnxruntime-gpu==1.31.1", CUDA, "is linked to CUDA 13, which"),
    ],
)
def test_runs_on_the_cpu(tmp_path: Path, runtime: str, providers: str, said: str) -> None:
    result = audited(tmp_path, runtime, providers)
    (finding,) = found(result)
    assert said in finding.message
    assert "runs on the CPU" in finding.message
    assert finding.severity is Severity.MEDIUM
    assert finding.related
    assert not finding.breaks


@pytest.mark.parametrize(
    ("runtime", "providers"),
    [
        ("onnxruntime==1.20.1", "['CPUExecutionProvider']"),
        ("onnxruntime==1.20.1", None),
        ("onnxruntime-openvino==1.20.0", "['OpenVINOExecutionProvider', 'CPUExecutionProvider']"),
        # One of the two devices is there.
        (
            "onnxruntime-openvino==1.20.0",
            "['CUDAExecutionProvider', 'OpenVINOExecutionProvider']",
        ),
        # Both packages: the last one installed wins, and ENV017 speaks of it.
        ("onnxruntime-gpu==1.20.2\nonnxruntime==1.20.1", CUDA),
        # PyTorch brings the libraries with it.
        ("onnxruntime-gpu==1.20.2\ntorch==2.5.1", CUDA),
        ("onnxruntime-gpu==1.20.2\nnvidia-cudnn-cu12==9.1.0.70", CUDA),
        ("onnxruntime-gpu", CUDA),
    ],
)
def test_nothing_to_say(tmp_path: Path, runtime: str, providers: str | None) -> None:
    assert not found(audited(tmp_path, runtime, providers))


@pytest.mark.parametrize(
    ("tag", "runtime", "said"),
    [
        ("12.4.1-cudnn-runtime-ubuntu22.04", "1.20.2", None),
        ("12.2.2-cudnn8-runtime-ubuntu22.04", "1.20.2", "has cuDNN 8"),
        ("11.8.0-cudnn8-runtime-ubuntu22.04", "1.20.2", "has CUDA 11"),
        ("11.8.0-cudnn8-runtime-ubuntu22.04", "1.18.1", None),
        ("12.4.1-runtime-ubuntu22.04", "1.20.2", "has no cuDNN"),
        ("12.4.1-base-ubuntu22.04", "1.20.2", "has no cuBLAS"),
        ("13.0.1-cudnn-runtime-ubuntu24.04", "1.31.1", None),
        # Since 1.28 the provider is no longer linked to cuDNN.
        ("13.0.1-runtime-ubuntu24.04", "1.31.1", None),
        ("13.0.1-runtime-ubuntu24.04", "1.27.0", "has no cuDNN"),
        ("13.0.1-base-ubuntu24.04", "1.31.1", "has no cuBLAS"),
        # No wheel of that release was read.
        ("12.4.1-base-ubuntu22.04", "1.9.0", None),
        ("12.4.1-cudnn-runtime-ubuntu22.04", "1.31.1", "has CUDA 12"),
    ],
)
def test_cuda_of_the_base_image(tmp_path: Path, tag: str, runtime: str, said: str | None) -> None:
    result = audited(
        tmp_path,
        f"onnxruntime-gpu=={runtime}",
        CUDA,
        base=f"nvidia/cuda:{tag}",
        more="RUN apt-get update && apt-get install -y python3 python3-pip\n",
    )
    messages = [f.message for f in found(result)]
    assert len(messages) == (said is not None)
    assert said is None or said in messages[0]


def test_cudnn_from_apt_is_seen(tmp_path: Path) -> None:
    result = audited(
        tmp_path,
        "onnxruntime-gpu==1.20.2",
        CUDA,
        base="nvidia/cuda:12.4.1-runtime-ubuntu22.04",
        more="RUN apt-get update && apt-get install -y python3-pip libcudnn9-cuda-12\n",
    )
    assert not found(result)


@pytest.mark.parametrize(
    ("runtime", "providers", "error"),
    [
        ("onnxruntime-gpu==1.15.1", None, "ValueError: This ORT build has"),
        ("onnxruntime-openvino==1.14.0", None, "ValueError: This ORT build has"),
        ("onnxruntime==1.14.1", "['CudaExecutionProvider']", "RuntimeError: Unknown Provider"),
        ("onnxruntime==1.14.1", "['QNNExecutionProvider']", "RuntimeError: Unknown Provider"),
    ],
)
def test_a_session_that_raises_stops_the_start(
    tmp_path: Path, runtime: str, providers: str | None, error: str
) -> None:
    result = audited(tmp_path, runtime, providers)
    (finding,) = found(result)
    assert error in finding.message
    assert finding.severity is Severity.HIGH
    assert result.services[0].forecast.starts == "no"


def test_a_session_without_providers_on_the_gpu_package_is_a_hint(tmp_path: Path) -> None:
    (finding,) = found(audited(tmp_path, "onnxruntime-gpu==1.20.2", None))
    assert finding.severity is Severity.LOW
    assert "names no execution provider" in finding.message


OPENVINO = """\
import openvino as ov
from flask import Flask

app = Flask(__name__)
core = ov.Core()
compiled = core.compile_model(core.read_model("/app/model.onnx"), "CPU")


@app.post("/predict")
def predict():
    return {}
"""


@pytest.mark.parametrize(
    ("operator", "release", "refused"),
    [("Relu", "2024.6.0", False), ("Gelu", "2023.3.0", True), ("Gelu", "2025.4.1", False)],
)
def test_openvino_in_an_audit(tmp_path: Path, operator: str, release: str, refused: bool) -> None:
    import onnx.parser

    audited(tmp_path, f"openvino=={release}", None, app=OPENVINO)
    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 20]> g (float[2] x) => (float[2] y)'
        f" {{ y = {operator}(x) }}"
    )
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    from auditor.config import Settings
    from auditor.engine import audit

    result = audit(tmp_path, Settings())
    messages = [f.message for f in found(result, "CMP009")]
    assert bool(messages) is refused, messages
    if refused:
        assert "OpenVINO 2023.3.0: does not convert Gelu" in messages[0]
        assert result.services[0].forecast.starts == "no"


@pytest.mark.parametrize(
    ("pin", "arguments", "said"),
    [
        ("torch==2.13.0", "", True),
        ("torch==2.8.0", "", False),
        ("torch==2.8.0", ", dynamo=True", True),
        ("torch==2.13.0", ", dynamo=False", False),
    ],
)
def test_training_mode_by_release_of_torch(
    tmp_path: Path, pin: str, arguments: str, said: bool
) -> None:
    export = (
        "import torch\n\n\nclass Net(torch.nn.Dropout):\n    pass\n\n\nnet = Net()\nnet = net.to('cpu')\n"
        f"torch.onnx.export(net, torch.zeros(1), 'm.onnx', opset_version=17{arguments})\n"
    )
    files = {"export.py": export, "requirements.txt": f"flask==3.0.3\ngunicorn==22.0.0\n{pin}\n"}
    result = service(tmp_path, files)
    assert any("training mode" in f.message for f in found(result, "ONX010")) is said


NETS = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 2), {layer})

    def forward(self, x):
        return self.layers(x)
"""
EXPORT = """\
import torch
from ml.nets import Net

model = Net()
{tool}
"""
TRACE = "torch.jit.trace(model, torch.zeros(1, 2)).save('model.pt')"


@pytest.mark.parametrize(
    ("layer", "tool", "said"),
    [
        ("nn.Dropout(0.5)", TRACE, Confidence.LIKELY),
        ("nn.ReLU()", TRACE, None),
        # Made by a library of which nothing is seen.
        ("vendor.Block()", TRACE, Confidence.POSSIBLE),
        ("nn.Dropout(0.5)", "torch.jit.script(model).save('model.pt')", None),
        ("nn.Dropout(0.5)", "model.eval()\n" + TRACE, None),
    ],
)
def test_models_without_a_mode_need_no_eval(
    tmp_path: Path, layer: str, tool: str, said: Confidence | None
) -> None:
    text = NETS.format(layer=layer)
    result = service(
        tmp_path,
        {
            "app.py": APP.format(arguments=""),
            "Dockerfile": DOCKERFILE.format(base=SLIM, more=""),
            "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nonnxruntime==1.20.1\n",
            "ml/__init__.py": "",
            "ml/nets.py": "import vendor\n" + text if "vendor" in layer else text,
            "ml/export.py": EXPORT.format(tool=tool),
        },
    )
    findings = found(result, "ONX010")
    assert [f.confidence for f in findings] == ([said] if said is not None else [])
    if said is Confidence.LIKELY:
        assert "Dropout acts otherwise in training" in findings[0].message


def test_a_graph_that_was_not_followed_to_its_end_is_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.artifacts.onnx.infer.MAX_VISITS", 0)
    found = {o.rule: o for o in audited(tmp_path, "onnxruntime==1.16.3", None).outcomes}
    for rule in ("ONX002", "ONX003", "ONX004"):
        assert (found[rule].passed, found[rule].undecided) == (0, 1)
