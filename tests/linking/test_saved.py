"""Models in formats of their own against the library that opens them."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile

import pytest

from auditor.artifacts.provenance import provenance
from auditor.artifacts.scan import scan_bytes
from auditor.linking.compatibility import Compatibility, Runtime, guess_loader, link
from auditor.linking.distributions import close


def runtime(python: str = "3.11", **pins: str) -> Runtime:
    roots = [(name.replace("_", "-"), (), version or None) for name, version in pins.items()]
    return Runtime(python=python, installed=close(roots, python=python, closed=True))


def judged(data: bytes, name: str, loader: str = "auto", **pins: str) -> Compatibility:
    return link(scan_bytes(data, name)[0], runtime(**pins), loader=loader)


def xgboost_json(version: str, score: str = "") -> bytes:
    numbers = [int(n) for n in version.split(".")]
    given = {"base_score": score} if score else {}
    document = {"learner": {"attributes": {}, "learner_model_param": given}, "version": numbers}
    return json.dumps(document, separators=(",", ":")).encode()


def xgboost_binary(major: int, minor: int, attributes: bytes = b"") -> bytes:
    words = (0, 4, 0, 1, 0, major, minor)
    return b"binf" + b"".join(n.to_bytes(4, "little") for n in words) + bytes(200) + attributes


@pytest.mark.parametrize(
    ("written", "installed", "outcome"),
    [
        ("2.0.3", "2.0.3", "loads"),
        ("1.7.6", "2.1.4", "loads"),
        ("2.1.4", "1.6.2", "loads"),
        ("2.0.3", "1.2.1", "fails"),
        ("1.1.1", "1.2.1", "loads"),
        ("1.6.2", "1.5.1", "fails"),
        ("1.2.1", "2.1.4", "warns"),
        ("3.4.1", "3.0.5", "fails"),
        ("3.4.1", "2.0.3", "fails"),
        ("3.4.1", "3.1.3", "loads"),
        ("1.0.0", "0.90", "fails"),
    ],
)
def test_xgboost_json(written: str, installed: str, outcome: str) -> None:
    result = judged(xgboost_json(written), "model.json", xgboost=installed)
    assert result.outcome == outcome, result.reasons


def test_xgboost_from_before_its_base_score_became_a_list_predicts_otherwise() -> None:
    first = judged(xgboost_json("3.2.0"), "model.json", xgboost="2.1.4").first
    assert first is not None and first.effect == "predict" and "silently" in first.message


@pytest.mark.parametrize(
    ("score", "outcome"),
    [
        ("[5E-1]", "loads"),
        ("[5E-1,5E-1]", "loads"),
        ("[1.07E-1]", "fails"),
        ("[5E-1,2E0]", "fails"),
    ],
)
def test_a_listed_half_is_what_older_xgboost_assumes(score: str, outcome: str) -> None:
    """XGBoost 2.0.3 takes every list for its default, as loading them there showed."""
    result = judged(xgboost_json("3.2.0", score), "model.json", xgboost="2.0.3")
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(
    ("name", "installed", "outcome"),
    [
        ("model.model", "1.7.6", "loads"),
        ("model.model", "3.1.0", "fails"),
        ("model.ubj", "1.7.6", "fails"),
        ("model.ubj", "1.5.2", "loads"),
    ],
)
def test_xgboost_binary_layout(name: str, installed: str, outcome: str) -> None:
    assert judged(xgboost_binary(1, 5), name, xgboost=installed).outcome == outcome


@pytest.mark.parametrize(
    ("objective", "by_the_old"),
    [
        # An estimator that loads a model has its classes since 1.0, a Booster needs none.
        (b"binary:logistic", "unknown"),
        (b"multi:softprob", "unknown"),
        (b"reg:linear", "loads"),
    ],
)
def test_xgboost_from_before_its_files_had_a_magic(objective: bytes, by_the_old: str) -> None:
    texts = b"".join(len(t).to_bytes(8, "little") + t for t in (objective, b"gbtree"))
    raw = b"\0\0\0\x80\x04" + bytes(131) + texts + bytes(40)
    assert scan_bytes(raw, "model.bst")[0].format == "xgboost-binary"
    assert judged(raw, "model.bst", xgboost="0.90").outcome == by_the_old
    assert judged(raw, "model.bst", xgboost="1.7.6").outcome == "loads"
    assert judged(raw, "model.bst", xgboost="3.1.1").outcome == "fails"


def test_what_opens_an_unknown_format_is_not_known() -> None:
    raw = bytes(range(200, 256)) * 4
    assert judged(raw, "model.weights", xgboost="0.90").outcome == "unknown"
    assert judged(raw, "model.pkl", xgboost="0.90").outcome == "fails"


def test_a_classifier_in_the_binary_layout_is_no_booster() -> None:
    data = xgboost_binary(2, 0, b'scikit_learn!\0\0\0\0\0\0\0{"_estimator_type": "classifier"}')
    assert judged(data, "m.model", xgboost="1.2.1").outcome == "unknown"
    assert judged(data, "m.model", xgboost="1.7.6").outcome == "loads"


def test_a_build_under_another_name_is_the_library() -> None:
    assert judged(xgboost_json("3.4.1"), "model.json", xgboost_cpu="3.4.1").outcome == "loads"
    assert judged(xgboost_json("3.4.1"), "model.json", xgboost_cpu="2.1.4").outcome == "fails"


def test_the_library_is_not_there() -> None:
    result = judged(xgboost_json("2.0.3"), "model.json", lightgbm="4.5.0")
    assert result.outcome == "fails" and result.reasons[0].rule == "CMP003"


def test_without_a_pin_the_pin_is_named() -> None:
    result = judged(xgboost_json("3.4.1"), "model.json", xgboost="")
    assert result.outcome == "unknown" and result.reasons[0].distribution == "xgboost"


def lightgbm_text(*parameters: str) -> bytes:
    lines = ["tree", "version=v4", "num_class=1", "feature_names=a b", "", "Tree=0", ""]
    lines += ["end of trees", "", "parameters:", "[boosting: gbdt]"]
    return "\n".join([*lines, *(f"[{p}: 1]" for p in parameters), "end of parameters", ""]).encode()


def test_lightgbm_4_0_looks_every_parameter_up() -> None:
    newer = lightgbm_text("use_quantized_grad")
    assert judged(newer, "model.txt", lightgbm="4.0.0").outcome == "fails"
    assert judged(newer, "model.txt", lightgbm="4.5.0").outcome == "loads"
    assert judged(lightgbm_text("learning_rate"), "model.txt", lightgbm="4.0.0").outcome == "loads"


def keras_archive(version: str, optimizer: str = "") -> bytes:
    config: dict[str, object] = {"module": "keras", "class_name": "Sequential", "config": {}}
    if optimizer:
        config["compile_config"] = {
            "optimizer": {"module": optimizer, "class_name": "Adam", "config": {}}
        }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(64))
    return target.getvalue()


@pytest.mark.parametrize(
    ("pins", "outcome"),
    [
        ({"keras": "3.8.0", "tensorflow": "2.18.0"}, "loads"),
        ({"keras": "2.15.0", "tensorflow": "2.15.0"}, "fails"),
        ({"tensorflow": "2.15.0"}, "fails"),
        ({"tensorflow": "2.10.0"}, "fails"),
        ({"tensorflow-cpu": "2.18.0"}, "loads"),
        ({"keras": "3.6.0", "torch": "2.5.0"}, "unknown"),
        ({"torch": "2.5.0"}, "fails"),
    ],
)
def test_keras_archives(pins: dict[str, str], outcome: str) -> None:
    result = judged(keras_archive("3.8.0"), "model.keras", **pins)
    assert result.outcome == outcome, result.reasons


@pytest.mark.parametrize(("python", "told"), [("3.10", True), ("3.11", False)])
def test_a_keras_that_the_interpreter_cannot_take(python: str, told: bool) -> None:
    data = keras_archive("3.15.1")
    result = judged(data, "model.keras", python=python, keras="3.8.0", tensorflow="2.18.0")
    (help_,) = {reason.help for reason in result.reasons}
    assert "keras>=3.15.1" in help_
    assert ("Python >=3.11" in help_) is told


def test_a_model_compiled_under_torch_names_its_optimizer() -> None:
    data = keras_archive("3.8.0", "keras.src.backend.torch.optimizers.torch_adam")
    facts = scan_bytes(data, "model.keras")[0]
    assert facts.verdict == "safe"
    assert judged(data, "model.keras", keras="3.8.0", torch="2.6.0").outcome == "loads"
    result = judged(data, "model.keras", keras="3.8.0", tensorflow="2.18.0")
    assert result.outcome == "fails" and result.reasons[0].distribution == "torch"


def torch_archive(*names: str) -> bytes:
    # A list of them: torch's own reader knows no POP.
    held = b"".join(f"c{n.replace(':', chr(10))}\na".encode() for n in names)
    body = b"\x80\x02]" + held + b"."
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("m/data.pkl", body)
        archive.writestr("m/version", b"3\n")
    return target.getvalue()


@pytest.mark.parametrize(
    ("loader", "torch", "outcome"),
    [
        ("torch", "2.5.1", "loads"),
        ("torch", "2.6.0", "fails"),
        ("torch-full", "2.6.0", "loads"),
        ("torch-weights", "2.5.1", "fails"),
        ("torch", "", "unknown"),
        ("torch-full", "1.5.1", "fails"),
    ],
)
def test_torch_load_refuses_modules_by_default_since_2_6(
    loader: str, torch: str, outcome: str
) -> None:
    data = torch_archive("torch.nn.modules.linear:Linear")
    result = judged(data, "model.pt", loader, torch=torch)
    assert result.outcome == outcome, result.reasons


def test_weights_alone_load_by_default() -> None:
    data = torch_archive("torch._utils:_rebuild_tensor_v2")
    assert judged(data, "model.pt", torch="2.6.0").outcome == "loads"


def test_the_writer_is_stated() -> None:
    for data, name, who in (
        (xgboost_json("2.1.4"), "m.json", ("xgboost", "2.1.4")),
        (xgboost_binary(1, 5), "m.model", ("xgboost", "1.5")),
        (keras_archive("3.8.0"), "m.keras", ("keras", "3.8.0")),
        (torch_archive("torch._utils:_rebuild_tensor_v2"), "m.pt", ("torch", ">=1.6")),
        (lightgbm_text(), "m.txt", ("lightgbm", ">=4.0")),
    ):
        assert who in provenance(scan_bytes(data, name)[0]).produced_by


def test_the_exporter_of_an_onnx_model_is_stated() -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    kind = (TensorProto.FLOAT, [1])
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", *kind)],
        [helper.make_tensor_value_info("y", *kind)],
    )
    model = helper.make_model(graph, producer_name="pytorch", producer_version="2.3.1")
    assert onnx.__version__
    made = provenance(scan_bytes(model.SerializeToString(), "m.onnx")[0]).produced_by
    assert ("torch", "2.3.1") in made


def test_every_format_has_its_loader() -> None:
    assert guess_loader(scan_bytes(xgboost_json("2.0.0"), "m.json")[0]) == "xgboost"
    assert guess_loader(scan_bytes(keras_archive("3.8.0"), "m.keras")[0]) == "keras"
    assert guess_loader(scan_bytes(lightgbm_text(), "m.txt")[0]) == "lightgbm"


def test_a_root_keeps_its_pin_where_another_requires_it_too() -> None:
    roots: list[tuple[str, tuple[str, ...], str | None]] = [
        ("joblib", (), "1.4.2"),
        ("scikit-learn", (), "1.3.0"),
    ]
    installed = close(roots, python="3.11", constraints={"numpy": "1.26.4"})
    assert installed.version("joblib") == "1.4.2"
    # What comes in by itself is settled by a constraint.
    assert installed.version("numpy") == "1.26.4"


def test_names_are_judged_from_the_releases_around() -> None:
    from auditor.linking import symbols

    table = symbols.table("numpy")
    assert table is not None
    assert table.around("numpy", "float64", "1.16.6") == ("yes", "yes")
    assert table.around("numpy", "no_such_name", "1.16.6") == ("no-name", "no-name")


def test_boosters_saved_as_json_and_text_are_artifacts() -> None:
    from auditor.discovery import FileKind, kind_by_content, kind_by_name

    for name, head in (
        ("app/model.json", b'{"learner":{"attributes":{}'),
        ("model.txt", b"tree\nversion=v4\n"),
        ("catboost.json", b'{\n"features_info":{'),
    ):
        assert kind_by_name(name) is None
        assert kind_by_content(name, head)[0] is FileKind.ARTIFACT
    assert kind_by_content("model.json", b'{"name": "x"}')[0] is FileKind.JSON
    assert kind_by_content("model.txt", b"words")[0] is FileKind.TEXT
    assert kind_by_name("package.json") is FileKind.JSON


def archived(kind: str) -> bytes:
    out, inner = io.BytesIO(), pickle.dumps({"a": [1]})
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("model.pkl", inner)
    else:
        with tarfile.open(fileobj=out, mode="w") as archive:
            member = tarfile.TarInfo("model.pkl")
            member.size = len(inner)
            archive.addfile(member, io.BytesIO(inner))
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "name", "pandas", "outcome"),
    [
        ("zip", "frame.pkl.zip", "2.2.3", "unknown"),
        ("tar", "frame.pkl.tar", "2.2.3", "unknown"),
        ("tar", "frame.pkl.tar", "1.4.4", "fails"),
        ("zip", "frame.pkl", "2.2.3", "fails"),
        ("tar", "frame.pkl.zip", "2.2.3", "fails"),
    ],
)
def test_archives_that_pandas_unpacks(kind: str, name: str, pandas: str, outcome: str) -> None:
    """It goes by the extension; what is inside is left open, and nothing else opens them."""
    assert judged(archived(kind), name, "pandas", pandas=pandas, numpy="1.26.4").outcome == outcome
    assert judged(archived(kind), name, "pickle").outcome == "fails"


@pytest.mark.parametrize("loader", ["pickle", "joblib", "dill", "cloudpickle", "pandas"])
def test_an_array_of_objects_is_no_pickle(loader: str) -> None:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + pickle.dumps([{}])
    pins = {"numpy": "2.0.2", "joblib": "1.4.2", "dill": "0.3.9", "cloudpickle": "3.1.0",
            "pandas": "2.2.3"}  # fmt: skip
    result = judged(data, "array.npy", loader, **pins)
    assert result.outcome == "fails" and result.first is not None
    assert "is a npy file" in result.first.message
    assert judged(data, "array.npy", "auto", **pins).outcome == "loads"


@pytest.mark.parametrize("loader", ["xgboost", "lightgbm", "catboost"])
def test_boosters_open_only_their_own(loader: str) -> None:
    pins = {"xgboost": "2.1.4", "lightgbm": "4.5.0", "catboost": "1.2.8"}
    written = {"xgboost": "model.json", "pickle": "model.pkl"}
    documents = {"xgboost": xgboost_json("2.1.4"), "pickle": pickle.dumps({"a": 1})}
    for kind, name in written.items():
        expected = "loads" if kind == loader else "fails"
        assert judged(documents[kind], name, loader, **pins).outcome == expected
    # What was not recognised may be anything.
    assert judged(b"\x00\x01\x02" * 9, "model.bin", loader, **pins).outcome == "unknown"
