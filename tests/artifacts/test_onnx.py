"""ONNX models: skimming, static-ness, what opens them, and what hostile files may not do."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.artifacts.onnx import engines, runtime, summary
from auditor.artifacts.onnx.analyse import analyse
from auditor.artifacts.onnx.external import is_outside
from auditor.artifacts.onnx.facts import OnnxFacts
from auditor.artifacts.onnx.proto import skim
from auditor.artifacts.scan import scan_bytes, scan_file

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'


def model(body: str, head: str = HEAD) -> bytes:
    import onnx.parser

    return bytes(onnx.parser.parse_model(head + body).SerializeToString())


def facts(body: str, head: str = HEAD) -> OnnxFacts:
    return analyse(model(body, head))


def points(found: OnnxFacts) -> list[str]:
    return [f"{p.kind} {p.path}" for p in found.dynamic]


# -- static-ness -------------------------------------------------------------------------------

STATIC = {
    "fixed": "g (float[2, 3] x) => (float[2, 3] y) { y = Relu(x) }",
    "shape of a fixed axis": """g (float[4, 6] x) => (float[6, 4] y) {
        s = Shape(x)
        one = Constant <value_ints = [1]> ()
        a = Gather(s, one)
        zero = Constant <value_ints = [0]> ()
        b = Gather(s, zero)
        t = Concat <axis = 0> (a, b)
        y = Reshape(x, t) }""",
    "constant condition": """g (float[2] x) => (float[2] y)
        <bool c = {1}> {
        y = If (c) <then_branch = a () => (float[2] p) { p = Neg(x) },
                    else_branch = b () => (float[2] q) { q = Abs(x) }> }""",
    "condition on a fixed axis": """g (float[2, 1] x) => (y) <int64 one = {1}, int64[1] at = {1}> {
        s = Shape(x)
        n = Gather(s, at)
        o = Squeeze(n)
        c = Equal(o, one)
        y = If (c) <then_branch = a () => (p) { p = Squeeze(x, at) },
                    else_branch = b () => (q) { q = Identity(x) }> }""",
    "NonZero of a constant": """g (float[2] x) => (y) <int64[1] three = {3}> {
        ones = ConstantOfShape <value = int64[1] {1}> (three)
        y = NonZero(ones) }""",
    "data times zero": """g (float[2, 6] x, int64[2] s) => (y)
        <int64[2] zero = {0, 0}, int64[2] target = {3, 4}> {
        none = Mul(s, zero)
        t = Add(none, target)
        y = Reshape(x, t) }""",
    "a loop of constant turns": """g (float[2] x) => (y) <int64 n = {3}, bool go = {1}> {
        y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool d, float[2] w) {
            d = Identity(c)
            w = Add(v, v) }> }""",
    "a batch that one size fits": """g (float[N, 4] x) => (float[2, 4] y) <int64[2] s = {2, 4}> {
        y = Reshape(x, s) }""",
}
DATA = {
    "NonZero": "g (float[2] x) => (int64[1, M] y) { y = NonZero(x) }",
    "Reshape to an input": "g (float[6] x, int64[2] s) => (y) { y = Reshape(x, s) }",
    "Range of an input": """g (int64 n) => (y) <int64 z = {0}, int64 o = {1}> { y = Range(z, n, o) }""",
    "through arithmetic": """g (float[6] x, int64[2] s) => (y) <int64[2] one = {1, 1}> {
        t = Add(s, one)
        u = ConstantOfShape(t)
        y = Relu(u) }""",
}
CONTROL = {
    "If on data": """g (float[2] x, bool c) => (float[2] y) {
        y = If (c) <then_branch = a () => (float[2] p) { p = Neg(x) },
                    else_branch = b () => (float[2] q) { q = Abs(x) }> }""",
    "turns from data": """g (float[2] x, int64 n) => (y) <bool go = {1}> {
        y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool d, float[2] w) {
            d = Identity(c)
            w = Add(v, v) }> }""",
    "condition from the state": """g (float[2] x) => (y)
        <int64 n = {9}, bool go = {1}, float two = {2.0}> {
        y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] v) => (bool d, float[2] w) {
            w = Add(v, v)
            s = ReduceSum <keepdims = 0> (w)
            d = Less(s, two) }> }""",
}


@pytest.mark.parametrize("name", STATIC)
def test_static(name: str) -> None:
    found = facts(STATIC[name])
    assert (found.staticness, points(found)) == ("static", [])


@pytest.mark.parametrize("name", DATA)
def test_data_dependent(name: str) -> None:
    assert facts(DATA[name]).staticness == "data-dependent"


@pytest.mark.parametrize("name", CONTROL)
def test_control_flow(name: str) -> None:
    found = facts(CONTROL[name])
    assert found.staticness == "control-flow"
    assert found.dynamic[0].by == "data"


def test_axes_of_inputs_and_outputs() -> None:
    found = facts("g (float[N, 3, H] x) => (y) { y = Transpose <perm = [2, 1, 0]> (x) }")
    assert found.staticness == "shape-dynamic"
    assert found.inputs[0].free == (0, 2)
    assert found.outputs[0].free == (0, 2)
    assert (
        facts("g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }").staticness == "batch-dynamic"
    )


def test_unset_is_not_zero() -> None:
    empty = facts("g (float[2, 0] x) => (float[2, 0] y) { y = Relu(x) }")
    unset = facts("g (float[2, ?] x) => (y) { y = Relu(x) }")
    assert (empty.staticness, unset.staticness) == ("static", "shape-dynamic")


def test_path_leads_through_functions_and_branches() -> None:
    found = facts(
        """g (float[2] x, bool c) => (y) {
        y = If (c) <then_branch = a () => (p) { p = local.pick(x) },
                    else_branch = b () => (q) { q = Identity(x) }> }
        <domain: "local", opset_import: ["" : 17]>
        pick (v) => (w) { i = NonZero(v)
                          w = Gather(v, i) }""",
        '<ir_version: 8, opset_import: ["" : 17, "local" : 1]>\n',
    )
    assert "data-dependent If:y > then_branch > pick:p > NonZero:i" in points(found)


def test_function_parameter_may_be_constant() -> None:
    found = facts(
        """g (float[2] x) => (y) <bool c = {0}> { y = local.choose(c, x) }
        <domain: "local", opset_import: ["" : 17]>
        choose (c, v) => (w) {
          w = If (c) <then_branch = a () => (p) { p = NonZero(v) },
                      else_branch = b () => (q) { q = Identity(v) }> }""",
        '<ir_version: 8, opset_import: ["" : 17, "local" : 1]>\n',
    )
    assert found.staticness == "static"


# -- what opens it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "version", "outcome", "why"),
    [
        ('<ir_version: 8, opset_import: ["" : 17]>', "1.16.3", "loads", ""),
        ('<ir_version: 10, opset_import: ["" : 17]>', "1.16.3", "fails", "IR version 10"),
        ('<ir_version: 8, opset_import: ["" : 21]>', "1.16.3", "fails", "opset 21"),
        (
            '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 5]>',
            "1.16.3",
            "fails",
            "ai.onnx.ml",
        ),
        ('<ir_version: 10, opset_import: ["" : 21]>', "1.18.1", "loads", ""),
        ('<ir_version: 8, opset_import: ["" : 17]>', "1.16.0", "loads", ""),
        ('<ir_version: 90, opset_import: ["" : 17]>', "9.0.0", "unknown", "newer than the tables"),
        ('<ir_version: 8, opset_import: ["" : 17]>', "9.0.0", "loads", ""),
        ('<ir_version: 7, opset_import: ["" : 12]>', "1.2.0", "unknown", "older than the tables"),
        ('<ir_version: 8, opset_import: ["" : 17]>', "nonsense", "unknown", "no release number"),
    ],
)
def test_limits_of_releases(head: str, version: str, outcome: str, why: str) -> None:
    found = facts("g (float[N] x) => (float[N] y) { y = Relu(x) }", head + "\n")
    got, reasons = runtime.opens(found, version)
    assert got == outcome
    assert why in " ".join(reasons)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("g (float[2] x) => (y) { y = Relu(nowhere) }", "undefined-input"),
        ("g (float[2] x) => (y) { y = Relu <nosuch = 1.0> (x) }", "invalid-graph"),
        ("g (float[2] x, int64[2] z) => (y) { y = Add(x, z) }", "type-error"),
        ("g (float[2, 3] x) => (y) <float[2, 3] w = {1, 2, 3, 4, 5, 6}> { y = MatMul(x, w) }", "shape-error"),
        ("g (bool[2] x) => (y) { y = Relu(x) }", "type-error"),
        ("g (float[1] x, float[1] s) => (y) { y = Upsample(x, s) }", "op-deprecated"),
        ("g (float[2] x) => (y) { y = ai.onnx.ml.Scaler(x) }", "opset-import-missing"),
    ],
)  # fmt: skip
def test_what_every_release_refuses(body: str, kind: str) -> None:
    found = facts(body)
    assert [d.kind for d in found.defects] == [kind]
    assert {runtime.opens(found, r)[0] for r in runtime.releases()} == {"fails"}
    assert runtime.range_of(found) is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("g (float[2, 3] x) => (int64[2, 3] y) { y = Relu(x) }", "type-error"),
        ("g (float[2, 3] x) => (y) { a = Add(x, b) b = Relu(a) y = Neg(b) }", "cycle"),
        ("g (float[2, 3] x) => (q) { y = Relu(x) }", "invalid-graph"),
        ("g (float[2, 3] x) => (y) { y = Softmax <axis = 4> (x) }", "shape-error"),
        ("g (float[2, 3] x) => (y) <int64[2] s = {-1, -1}> { y = Reshape(x, s) }", "shape-error"),
        ("g (float[2, 3] x) => (y) <int64[1] a = {0}> { y = Squeeze(x, a) }", "shape-error"),
        ("g (float[2, 7] x) => (y, z) { y, z = Split <axis = 1> (x) }", "shape-error"),
        ("g (float[2] x, float[2] x) => (y) { y = Relu(x) }", "duplicate-input"),
        ("g (float[2] x) => (y) { k = Constant () y = Relu(x) }", "invalid-graph"),
        ("""g (float[2] x, bool c) => (y) {
            y = If (c) <then_branch = a () => (p) { p = Neg(x) },
                        else_branch = b () => (q) { q = Shape(x) }> }""", "type-error"),
    ],
)  # fmt: skip
def test_more_that_every_release_refuses(body: str, kind: str) -> None:
    found = facts(body)
    assert kind in {d.kind for d in found.defects}
    assert {runtime.opens(found, r)[0] for r in runtime.releases()} == {"fails"}


def test_nodes_in_any_order_open() -> None:
    found = facts("g (float[2, 3] x) => (float[2, 3] y) { y = Relu(t) t = Neg(x) }")
    assert found.defects == ()
    assert found.outputs[0].shape == (2, 3)


def test_sizes_that_fail_at_the_first_prediction_only() -> None:
    weights = ", ".join(["1"] * 20)
    gemm = facts(f"g (float[2, 3] x) => (y) <float[4, 5] w = {{{weights}}}> {{ y = Gemm(x, w) }}")
    assert runtime.opens(gemm, "1.27.0")[0] == "loads"
    assert runtime.opens(gemm, "1.28.0")[0] == "fails"
    six = facts("g (float[2, 3] x) => (y) <int64[2] s = {4, 2}> { y = Reshape(x, s) }")
    assert [d.kind for d in six.defects] == ["reshape"]
    assert runtime.opens(six, "1.20.1")[0] == "loads"


@pytest.mark.parametrize(("size", "outcome"), [(8, "loads"), (4, "fails"), (12, "fails")])
def test_weight_of_another_size(size: int, outcome: str) -> None:
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], raw_data=bytes(size))],
    )
    opsets = [helper.make_opsetid("", 17)]
    data = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    assert runtime.opens(analyse(data), "1.20.1")[0] == outcome


def test_operator_and_kernel_tables() -> None:
    unknown = facts("g (float[2] x) => (y) { y = NoSuchOperator(x) }")
    assert runtime.opens(unknown, "1.20.1")[0] == "fails"
    half = facts("g (bfloat16[2, 2] x) => (y) { y = MatMul(x, x) }")
    outcome, reasons = runtime.opens(half, "1.20.1")
    assert (outcome, "bfloat16" in reasons[0]) == ("fails", True)
    contrib = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>\n'
    blocks = facts("g (float[2, 8] x) => (y) { y = com.microsoft.MatMulNBits(x, x, x) }", contrib)
    assert runtime.opens(blocks, "1.14.1")[0] == "fails"
    assert runtime.opens(blocks, "1.20.1")[0] == "loads"
    own = facts(
        "g (float[2] x) => (y) { y = own.thing(x) }",
        '<ir_version: 8, opset_import: ["" : 17, "own" : 1]>\n',
    )
    assert own.custom_domains == ("own",)
    assert "custom operator" in runtime.opens(own, "1.20.1")[1][0]


# -- weights -----------------------------------------------------------------------------------


def weighty(location: str, length: str = "8") -> bytes:
    return model(
        f"""g (float[N, 2] x) => (float[N, 1] y)
        <float[2, 1] w = ["location": "{location}", "offset": "0", "length": "{length}"]>
        {{ y = MatMul(x, w) }}"""
    )


@pytest.mark.parametrize(
    ("location", "size", "state"),
    [
        ("w.bin", 8, "present"),
        ("w.bin", 7, "short"),
        ("w.bin", None, "missing"),
        ("sub/../w.bin", 8, "present"),
        ("../w.bin", None, "outside-missing"),
        ("", None, "empty"),
        ("*/_ORT_MEM_ADDR_/*", None, "reserved"),
    ],
)
def test_external_data(tmp_path: Path, location: str, size: int | None, state: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "model.onnx").write_bytes(weighty(location))
    if size is not None:
        (tmp_path / "w.bin").write_bytes(bytes(size))
    found = scan_file(tmp_path / "model.onnx", display_path="model.onnx")[0]
    assert found.onnx is not None
    assert [f.state for f in found.onnx.external] == [state]
    assert (found.verdict == "dangerous") == state.startswith("outside")
    outcome, _ = runtime.opens(found.onnx, "1.31.1")
    assert outcome == ("loads" if state == "present" else "fails")


def test_external_link(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(weighty("w.bin"))
    (tmp_path / "real.bin").write_bytes(bytes(8))
    (tmp_path / "w.bin").symlink_to("real.bin")
    found = scan_file(tmp_path / "model.onnx", display_path="model.onnx")[0]
    assert found.onnx is not None
    assert found.onnx.external[0].state == "link"


@pytest.mark.parametrize("location", ["/etc/passwd", "../x", "a/../../x", "C:\\x", "..\\x", "\\x"])
def test_outside(location: str) -> None:
    assert is_outside(location)


@pytest.mark.parametrize("location", ["x", "a/x", "a/../x", "./x", "..x"])
def test_inside(location: str) -> None:
    assert not is_outside(location)


def test_weights_are_counted_and_not_kept() -> None:
    from onnx import TensorProto, helper

    weight = helper.make_tensor("w", TensorProto.FLOAT, [100, 100], bytes(40_000), raw=True)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 100])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 100])],
        [weight],
    )
    found = analyse(helper.make_model(graph).SerializeToString())
    assert found.parameters == 10_000
    assert found.bytes_by_type == (("float", 40_000),)
    assert found.sparsity == 1.0
    assert summary.int8_size(found) == 10_000
    assert len(pickle.dumps(found)) < 4_000


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ("""g (float[4] x) => (y) <float s = {0.1}, uint8 z = {0}> {
            q = QuantizeLinear(x, s, z)
            y = DequantizeLinear(q, s, z) }""", ("QDQ",)),
        ("g (uint8[2, 2] x) => (y) { y = MatMulInteger(x, x) }", ("dynamic",)),
        ("g (float[2] x) => (y) { y = Relu(x) }", ()),
    ],
)  # fmt: skip
def test_quantisation(body: str, kinds: tuple[str, ...]) -> None:
    assert facts(body).quantised == kinds


# -- reports -----------------------------------------------------------------------------------


def test_summary_names_what_matters() -> None:
    found = scan_bytes(model(CONTROL["If on data"]), "m.onnx")[0]
    assert found.onnx is not None
    text = "\n".join(summary.lines(found.onnx))
    for part in ("x float[2]", "c bool[]", "control-flow", "If:y", "onnxruntime 1.12.1 and later"):
        assert part in text
    report = summary.report(found.onnx)
    assert report["static"] == "control-flow"
    assert report["opsets"] == {"ai.onnx": 17}
    assert report["dynamic"][0]["node"] == "If:y"


def test_facts_are_values() -> None:
    found = facts(CONTROL["If on data"])
    assert pickle.loads(pickle.dumps(found)) == found
    assert hash(found) == hash(facts(CONTROL["If on data"]))


# -- hostile files -----------------------------------------------------------------------------


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def wrapped(graph: bytes, functions: bytes = b"") -> bytes:
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11") + functions


def test_deep_nesting_ends() -> None:
    graph = b""
    for _ in range(5000):
        graph = field(1, field(4, b"If") + field(5, field(1, b"then_branch") + field(6, graph)))
    found = analyse(wrapped(graph))
    assert found.damaged
    assert "nested" in found.problems[0]
    assert runtime.opens(found, "1.20.1")[0] == "fails"


def test_functions_that_call_themselves() -> None:
    body = field(1, b"f") + field(10, b"d") + field(7, field(4, b"f") + field(7, b"d"))
    found = analyse(wrapped(field(1, field(4, b"f") + field(7, b"d")), field(25, body)))
    assert "recursive-function" in {d.kind for d in found.defects}


def test_functions_that_multiply() -> None:
    """Each calls the next one twice: two to the power of forty nodes."""
    functions = b""
    for level in range(40):
        call = field(7, field(4, b"f%d" % (level + 1)) + field(7, b"d"))
        functions += field(25, field(1, b"f%d" % level) + field(10, b"d") + call * 2)
    found = analyse(wrapped(field(1, field(4, b"f0") + field(7, b"d")), functions))
    assert any("expand" in p for p in found.problems)
    # What was not followed is not called sound.
    assert runtime.range_of(found) is None
    assert summary.report(found)["static"] is None
    assert any("not known: its functions" in line for line in summary.lines(found))


def test_a_graph_that_our_own_defect_stops_is_not_called_sound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*given: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("auditor.artifacts.onnx.infer.Interpreter.block", broken)
    found = analyse(wrapped(field(1, field(4, b"Relu") + field(1, b"x"))))
    assert "KeyError" in (found.unfollowed or "")
    assert runtime.opens(found, "1.20.1")[0] == "unknown"
    for judge in (engines.openvino_reads, engines.tensorrt_parses):
        last = engines.releases("openvino" if judge is engines.openvino_reads else "tensorrt")[-1]
        assert judge(found, last)[0] == "unknown"


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\x08\x3a" + b"\xff" * 9 + b"\x7f",  # a length of 2**63
        b"\x08" + b"\x80" * 50,  # a number that does not end
        b"\x08\x08\x3a\x05\x0a",  # cut off
        b"\x08\x08\x3b\x00\xff\x00",  # a group
        b"\x08\x08\x02\x00",  # field 0
    ],
)
def test_lies_on_the_wire(data: bytes) -> None:
    found = skim(data)
    assert found.damage
    assert scan_bytes(data, "m.onnx")[0].verdict != "safe"


def test_lying_dimensions() -> None:
    tensor = (
        b"\x08" + b"\xff" * 9 + b"\x01" + b"\x08" + varint(1 << 62) + b"\x10\x01" + field(8, b"w")
    )
    found = analyse(
        wrapped(field(1, field(1, b"w") + field(4, b"Relu") + field(2, b"y")) + field(5, tensor))
    )
    assert found.nodes == 1


SAMPLES = [model(body) for body in (*STATIC.values(), *DATA.values(), *CONTROL.values())]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_damage_never_raises(sample: bytes, data: Any) -> None:
    at = data.draw(st.integers(0, len(sample) - 1))
    stop = data.draw(st.integers(at, min(len(sample), at + 8)))
    found = analyse(sample[:at] + data.draw(st.binary(max_size=8)) + sample[stop:])
    assert not any("could not be followed" in p for p in found.problems), found.problems
    summary.lines(found)
    summary.report(found)
    runtime.opens(found, "1.20.1")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_noise_never_raises(data: bytes) -> None:
    analyse(data)


# -- oracle: the onnx package's own reading ---------------------------------------------------


@pytest.mark.parametrize("sample", SAMPLES)
def test_skim_agrees_with_onnx(sample: bytes) -> None:
    import onnx

    theirs = onnx.load_from_string(sample)
    ours = skim(sample)
    assert ours.graph is not None
    assert ours.ir_version == theirs.ir_version
    assert [n.operator for n in ours.graph.nodes] == [n.op_type for n in theirs.graph.node]
    assert [n.inputs for n in ours.graph.nodes] == [tuple(n.input) for n in theirs.graph.node]
    for mine, other in zip(ours.graph.initializers, theirs.graph.initializer, strict=True):
        values = onnx.numpy_helper.to_array(other).ravel().tolist()
        assert (mine.name, mine.dims, list(mine.values or ())) == (
            other.name,
            tuple(other.dims),
            values,
        )


@pytest.mark.parametrize("name", [n for n in STATIC if n != "a batch that one size fits"])
def test_output_shapes_agree_with_onnx(name: str) -> None:
    """Where the onnx package infers a number, it is ours."""
    import onnx

    sample = model(STATIC[name])
    inferred = onnx.shape_inference.infer_shapes(onnx.load_from_string(sample), data_prop=True)
    ours = analyse(sample)
    for mine, other in zip(ours.outputs, inferred.graph.output, strict=True):
        dims = other.type.tensor_type.shape.dim
        theirs = [d.dim_value for d in dims if d.HasField("dim_value")]
        if mine.shape is not None and len(theirs) == len(mine.shape):
            assert list(mine.shape) == theirs


# -- the onnx package's checker, in a child process -------------------------------------------


def test_weightless_keeps_the_graph() -> None:
    import onnx

    from auditor.artifacts.onnx.checker import weightless

    for sample in SAMPLES:
        assert onnx.load_from_string(weightless(sample)) == onnx.load_from_string(sample)


def test_weightless_makes_weights_inputs() -> None:
    import onnx

    from auditor.artifacts.onnx.checker import weightless

    body = "g (float[N, 900] x) => (float[N, 1] y) <float[900, 1] w = {%s}> { y = MatMul(x, w) }"
    large = model(body % ",".join(["1"] * 900))
    small = onnx.load_from_string(weightless(large))
    assert len(small.SerializeToString()) < 200
    assert [i.name for i in small.graph.input] == ["x", "w"]
    onnx.checker.check_model(small)
    outside = onnx.load_from_string(weightless(weighty("/etc/passwd")))
    assert not outside.graph.initializer


def test_checker_is_asked_in_a_child() -> None:
    from auditor.artifacts.onnx.checker import ask

    assert "nosuch" in (
        ask(model("g (float[2] x) => (float[2] y) { y = Relu <nosuch = 1.0> (x) }")).checker or ""
    )
    assert ask(b"\x08\x80").crashed
