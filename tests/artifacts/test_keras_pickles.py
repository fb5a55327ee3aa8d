"""Keras models that are pickled whole: what the file inside says decides."""

import json
import struct
import tarfile
from typing import Any

import pytest

from auditor.artifacts.scan import scan_bytes
from tests.artifacts.streams import archive, call, evil, glob, stream, text
from tests.artifacts.test_formats import keras, layer, member, pb, tar_of


def verdict(data: bytes) -> str:
    return scan_bytes(data, "net.pkl")[0].verdict


BYTECODE = glob("keras.saving.pickle_utils", "deserialize_model_from_bytecode")
DENSE = layer("Dense", {"units": 2, "activation": "relu"}, module="keras.layers")
LAMBDA = layer("Lambda", {"function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}})


def raw(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


def byte_array(data: bytes, length: int | None = None) -> bytes:
    """An array of bytes as ``pickle`` writes it; of a wrong length where one is given."""
    made = call(glob("numpy.core.multiarray", "_reconstruct"), glob("numpy", "ndarray"), b"K\x00\x85", b"C\x01b")  # fmt: skip
    kind = call(glob("numpy", "dtype"), text("u1"), b"\x89", b"\x88")
    size = b"J" + struct.pack("<i", len(data) if length is None else length)
    return made + b"(K\x01" + size + b"\x85" + kind + b"\x89" + raw(data) + b"tb"


def memory_file(data: bytes) -> bytes:
    return glob("_io", "BytesIO") + b")\x81" + raw(data) + b"K\x07N\x87b"


def unpickled(data: bytes, cls: str = "sequential.Sequential") -> bytes:
    module, _, name = cls.partition(".")
    owner = glob(f"keras.src.models.{module}", name)
    method = call(glob("builtins", "getattr"), owner, text("_unpickle_model"))
    return stream(call(method, memory_file(data)))


def node(op: str) -> bytes:
    return pb(1, pb(1, b"n") + pb(2, op.encode()))


def saved_model(*members: tuple[tarfile.TarInfo, bytes], op: str = "MatMul") -> bytes:
    graph = pb(2, pb(2, node("Const") + node(op)))
    metadata = pb(1, pb(4, b"_tf_keras_sequential") + pb(5, json.dumps(DENSE).encode()))
    return tar_of(
        (member("keras_metadata.pb"), metadata), (member("saved_model.pb"), graph), *members
    )


def test_keras_models_in_pickles() -> None:
    for data in (keras(DENSE), saved_model()):
        assert verdict(stream(call(BYTECODE, raw(data)))) == "safe"
        assert verdict(stream(call(BYTECODE, byte_array(data)))) == "safe"
    for cls in ("sequential.Sequential", "functional.Functional"):
        assert verdict(unpickled(keras(DENSE), cls)) == "safe"


HOSTILE_KERAS = {
    "lambda": stream(call(BYTECODE, raw(keras(LAMBDA)))),
    "lambda-in-an-array": stream(call(BYTECODE, byte_array(keras(LAMBDA)))),
    "lambda-in-a-buffer": unpickled(keras(LAMBDA)),
    "command": unpickled(keras(layer("Popen", {}, module="subprocess"))),
    "operator": stream(call(BYTECODE, raw(saved_model(op="WriteFile")))),
    "outside": stream(call(BYTECODE, raw(saved_model((member("../x"), b"x"))))),
    "elsewhere": stream(call(BYTECODE, raw(saved_model((member("gs://x/y"), b"x"))))),
    "pickle-beside": stream(call(BYTECODE, raw(saved_model((member("a.pkl"), evil()))))),
    "no-model": stream(call(BYTECODE, raw(archive({"a.txt": b"x"})))),
    "a-pickle": stream(call(BYTECODE, raw(stream(b"}")))),
    "shorter": stream(call(BYTECODE, byte_array(keras(DENSE) + keras(LAMBDA), len(keras(DENSE))))),
    "twice": stream(call(BYTECODE, raw(keras(DENSE)), raw(keras(LAMBDA)))),
    "unknown": stream(call(BYTECODE, call(glob("builtins", "bytes"), raw(keras(LAMBDA))))),
    "other-class": unpickled(keras(DENSE), "model.Model"),
    "other-method": stream(
        call(
            call(
                glob("builtins", "getattr"),
                glob("keras.src.models.sequential", "Sequential"),
                text("load_weights"),
            ),
            memory_file(keras(DENSE)),
        )
    ),
    "made-without-a-file": stream(glob("keras.src.models.sequential", "Sequential") + b")\x81"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE_KERAS))
def test_hostile_keras_models_in_pickles(name: str) -> None:
    assert verdict(HOSTILE_KERAS[name]) in ("dangerous", "suspicious")
    if name not in ("made-without-a-file", "shorter"):
        assert verdict(HOSTILE_KERAS[name]) == "dangerous"


def metadata(document: dict[str, Any]) -> bytes:
    ids = b"\x08\x00\x10\x01"  # node_id and version
    return pb(1, ids + pb(4, b"_tf_keras_layer") + pb(5, json.dumps(document).encode()))


def test_a_saved_model_revives_what_has_no_class() -> None:
    own = {"class_name": "KerasLayer", "config": {"name": "hub"}}
    revived = {"name": "hub", "must_restore_from_config": False, **own}
    nested = {
        "must_restore_from_config": False,
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [own]},
    }
    for document, wanted in (
        (revived, []),
        (nested, []),
        ({**revived, "must_restore_from_config": True}, ["ART007"]),
        ({**nested, "config": {"name": "s", "layers": [LAMBDA]}}, ["ART007"]),
    ):
        found = scan_bytes(metadata(document), "model/keras_metadata.pb")[0]
        assert sorted({i.rule for i in found.issues if i.rule == "ART007"}) == wanted
