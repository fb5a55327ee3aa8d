"""What opens a model, and what is settled about it: cases that real releases decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.artifacts.onnx import engines, runtime, summary
from auditor.artifacts.onnx.analyse import analyse
from auditor.artifacts.onnx.facts import OnnxFacts
from auditor.artifacts.scan import scan_bytes, scan_file


def model(body: str, opset: int = 17, more: str = "", ir: int = 8) -> bytes:
    import onnx.parser

    head = f'<ir_version: {ir}, opset_import: ["" : {opset}{more}]>\n'
    return bytes(onnx.parser.parse_model(head + body).SerializeToString())


def facts(body: str, opset: int = 17, more: str = "", ir: int = 8) -> OnnxFacts:
    return analyse(model(body, opset, more, ir))


X = "g (float[2, 4] x) => (y)"
RENAMED = """g (float[2, 4] x) => (y) { y = own.Soft <ax = 1> (x) }
<opset_import: ["" : 17], domain: "own"> Soft <ax> (i) => (o) { o = Softmax <axis: int = @ax> (i) }"""


@pytest.mark.parametrize(
    ("found", "release", "outcome"),
    [
        # A function that gives an attribute on under another name.
        (facts(RENAMED, more=', "own" : 1'), "1.12.1", "fails"),
        (facts(RENAMED, more=', "own" : 1'), "1.13.1", "loads"),
        # What a function uses is resolved by the model's opset, whatever its own.
        (
            facts(
                'g (float[2, 4] x) => (y) { y = own.Old(x) } <opset_import: ["" : 12], domain: "own">'
                " Old (i) => (o) { o = ReduceSum <axes = [1]> (i) }",
                more=', "own" : 1',
            ),
            "1.31.1",
            "fails",
        ),
        # Of the runtime's own, though in the domain of the standard.
        (facts(f"{X} <float[4] s = {{1, 1, 1, 1}}> {{ y = SimplifiedLayerNormalization(x, s) }}"), "1.20.1", "loads"),
        (facts(f"{X} {{ y = NoSuchOperator(x) }}"), "1.20.1", "fails"),
        # Called off by the standard, and still there.
        (
            facts(
                "g (float[1, 4, 3] x) => (y) <float[2] s = {1, 1}, float[2] b = {0, 0}>"
                " { y = GroupNormalization <num_groups = 2> (x, s, b) }",
                18,
            ),
            "1.20.1",
            "loads",
        ),
        (facts(f"{X} {{ p, q = Split <axis = 1> (x) y = Add(p, q) }}", 18), "1.20.1", "fails"),
        (facts(f"{X} {{ p, q = Split <axis = 1, num_outputs = 2> (x) y = Add(p, q) }}", 18), "1.20.1", "loads"),
        (facts("g (int32[2] x) => (y) <float d = {3.0}, float[2] v = {0, 1}> { y = OneHot(x, d, v) }"), "1.20.1", "loads"),
    ],
)  # fmt: skip
def test_releases(found: OnnxFacts, release: str, outcome: str) -> None:
    assert runtime.opens(found, release)[0] == outcome


def packed(values: int, elements: int) -> OnnxFacts:
    from onnx import TensorProto, helper

    tensor = TensorProto(name="w", data_type=TensorProto.UINT4, dims=[elements])
    tensor.int32_data.extend([0x11] * values)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["y"])],
        "g",
        [],
        [helper.make_tensor_value_info("y", TensorProto.UINT4, [elements])],
        [tensor],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return analyse(made.SerializeToString())


@pytest.mark.parametrize(
    ("values", "elements", "whole"), [(4, 8, True), (8, 8, False), (3, 5, True), (5, 5, False)]
)
def test_four_bits_are_two_to_a_byte(values: int, elements: int, whole: bool) -> None:
    kinds = [d.kind for d in packed(values, elements).defects]
    assert ("initializer-size" in kinds) is not whole


@pytest.mark.parametrize(
    ("location", "size", "release", "outcome"),
    [
        ("whole.bin", 32, "1.20.1", "loads"),
        # Joined to the model's directory until 1.19, followed until 1.24.
        ("{folder}/whole.bin", 32, "1.18.1", "fails"),
        ("{folder}/whole.bin", 32, "1.19.2", "loads"),
        ("{folder}/whole.bin", 32, "1.24.4", "fails"),
        ("whole.bin", 20, "1.11.1", "loads"),
        ("whole.bin", 20, "1.12.1", "fails"),
    ],
)
def test_external_weights(
    tmp_path: Path, location: str, size: int, release: str, outcome: str
) -> None:
    from onnx import TensorProto, helper

    (tmp_path / "whole.bin").write_bytes(bytes(size))
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in (("location", location.format(folder=tmp_path)), ("length", "32")):
        tensor.external_data.add(key=key, value=text)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [tensor],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    found = scan_file(path, display_path="m.onnx")[0].onnx
    assert found is not None
    assert runtime.opens(found, release)[0] == outcome


BODY = "body = b (int64 i, bool c, float[p, q] s) => (bool d, float[p, q] t) { d = Identity(c) t = Neg(s) }"
CHOICE = """g (float[2, 4] x) => (y) <int64[1] a = {{2}}, int64[1] b = {{{other}}}, int64[1] z = {{0}}, int64[1] at = {{1}}>
{{ s = ReduceSum <keepdims = 0> (x) h = Constant <value_float = 0.5> () g0 = Greater(s, h)
   e = Where(g0, a, b) y = Slice(x, z, e, at) }}"""


@pytest.mark.parametrize(
    ("body", "label"),
    [
        # It never runs, however often it should.
        (f"g (float[2, 4] x, int64 m) => (y) <bool no = {{0}}> {{ y = Loop(m, no, x) <{BODY}> }}", "static"),
        (f"g (float[2, 4] x, bool c) => (y) <int64 m = {{0}}> {{ y = Loop(m, c, x) <{BODY}> }}", "static"),
        (f"g (float[2, 4] x, int64 m) => (y) <bool yes = {{1}}> {{ y = Loop(m, yes, x) <{BODY}> }}", "control-flow"),
        # Both ways lead to the same size.
        (CHOICE.format(other=2), "static"),
        (CHOICE.format(other=3), "data-dependent"),
    ],
)  # fmt: skip
def test_staticness(body: str, label: str) -> None:
    assert facts(body).staticness == label


@pytest.mark.parametrize(
    ("body", "release", "outcome"),
    [
        (f"{X} {{ y = Relu(x) }}", "10.1", "loads"),
        # Constant axes are taken, others are not.
        (f"{X} <int64[1] a = {{0}}> {{ y = Unsqueeze(x, a) }}", "10.1", "loads"),
        ("g (float[2, 4] x, int64[1] a) => (y) { y = Unsqueeze(x, a) }", "10.1", "fails"),
        ("g (int16[2] x) => (y) { y = Identity(x) }", "10.1", "fails"),
        (f"{X} {{ y = shop.Price(x) }}", "10.1", "fails"),
    ],
)
def test_tensorrt_takes_constants_and_its_own_types(body: str, release: str, outcome: str) -> None:
    found = facts(body, 13, ', "shop" : 1' if "shop" in body else "")
    assert engines.tensorrt_parses(found, release)[0] == outcome


def test_openvino_by_settings() -> None:
    trained = (
        f"{X} <float r = {{0.5}}, bool t = {{{{flag}}}}> {{{{ y = Dropout(x, r, t) }}}}"
    ).replace("{{", "{").replace("}}", "}")  # fmt: skip
    outcomes = {
        flag: engines.openvino_reads(
            facts(trained.replace("{flag}", f"{{{flag}}}"), 13), "2024.6.0"
        )
        for flag in ("0", "1")
    }
    assert outcomes["0"][0] == "loads"
    assert outcomes["1"][0] == "fails"
    assert "Dropout with input 2 true" in outcomes["1"][1][0]


def test_openvino_and_functions() -> None:
    body = (
        'g (float[2, 4] x) => (y) { y = own.Twice(x) } <opset_import: ["" : 17], domain: "own">'
        " Twice (i) => (o) { o = Add(i, i) }"
    )
    found = facts(body, more=', "own" : 1')
    assert engines.openvino_reads(found, "2026.4.1") == ("fails", ("it defines functions",))


def test_summary_names_free_axes_beside_data() -> None:
    found = facts("g (float[N, T] x) => (y) { y = NonZero(x) }")
    (line,) = [text for text in summary.lines(found) if text.startswith("static-ness")]
    assert line.endswith("data-dependent: 1 node; free besides: x axis 0, 1")


@pytest.mark.parametrize("data", [b"", b"not a model\n" * 9, model(f"{X} {{ y = Relu(x) }}")[:30]])
def test_what_is_no_model_is_said_to_be_none(data: bytes) -> None:
    (found,) = scan_bytes(data, "m.onnx")
    assert {i.rule for i in found.issues} & {"ART003", "ART015"}
