"""OpenVINO and TensorRT: by releases of the tables, and between and beyond them."""

from __future__ import annotations

import pytest

from auditor.artifacts.onnx import engines
from auditor.artifacts.onnx.analyse import analyse
from auditor.artifacts.onnx.facts import OnnxFacts


def facts(node: str, opset: int = 20, more: str = "") -> OnnxFacts:
    import onnx.parser

    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : {opset}{more}]> g (float[2, 2] x) => (y)'
        f" {{ y = {node} }}"
    )
    return analyse(model.SerializeToString())


@pytest.mark.parametrize(
    ("node", "release", "outcome"),
    [
        ("Relu(x)", "2022.3.1", "loads"),
        ("Gelu(x)", "2023.3.0", "fails"),
        ("Gelu(x)", "2024.6.0", "loads"),
        # Between a release that has it not and one that has: either may be true.
        ("Gelu(x)", "2024.1.0", "unknown"),
        ("Relu(x)", "2024.1.0", "loads"),
        ("Det(x)", "2024.1.0", "fails"),
        ("Det(x)", "2027.0.0", "unknown"),
        ("Relu(x)", "2027.0.0", "loads"),
        ("Relu(x)", "2019.1.0", "unknown"),
        ("Det(x)", "2019.1.0", "fails"),
        ("Relu(x)", "newest", "unknown"),
    ],
)
def test_openvino(node: str, release: str, outcome: str) -> None:
    assert engines.openvino_reads(facts(node), release)[0] == outcome


def test_openvino_names_the_operator() -> None:
    _, reasons = engines.openvino_reads(facts("Gelu(x)"), "2023.3.0")
    assert reasons == ("does not convert Gelu of version 20",)
    _, reasons = engines.openvino_reads(facts("shop.Price(x)", more=', "shop" : 1'), "2026.4.1")
    assert reasons == ("does not convert the custom operator shop.Price",)


@pytest.mark.parametrize(
    ("node", "release", "outcome"),
    [
        ("Relu(x)", "10.0.1", "loads"),
        ("Det(x)", "10.0.1", "fails"),
        ("NonZero(x)", "8.2.1", "fails"),
        ("NonZero(x)", "8.6.1", "loads"),
        ("Relu(x)", "10.13.0.35", "loads"),
        ("Det(x)", "10.13.0.35", "unknown"),
    ],
)
def test_tensorrt(node: str, release: str, outcome: str) -> None:
    assert engines.tensorrt_parses(facts(node, 13), release)[0] == outcome


def test_tensorrt_has_no_trees() -> None:
    found = facts("ai.onnx.ml.Binarizer(x)", more=', "ai.onnx.ml" : 1')
    outcome, reasons = engines.tensorrt_parses(found, "8.6.1")
    assert (outcome, reasons) == (
        "fails",
        ("does not convert ai.onnx.ml.Binarizer",),
    )


def test_range_of_releases() -> None:
    newest = engines.releases("openvino")[-1]
    assert engines.range_of(facts("Gelu(x)"), "openvino") == ("2024.6.0", newest)
    assert engines.range_of(facts("Det(x)"), "openvino") is None
    first = engines.releases("tensorrt")[0]
    assert engines.range_of(facts("Relu(x)", 11), "tensorrt") == (first, "10.1")
    # An opset beyond what a release supports is not known to pass.
    assert engines.range_of(facts("Relu(x)", 17), "tensorrt") == ("8.4", "10.1")
    assert engines.tensorrt_parses(facts("Relu(x)", 17), "8.2.1")[0] == "unknown"
