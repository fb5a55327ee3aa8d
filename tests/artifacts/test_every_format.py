"""Format by format: a file as its library writes it, its hostile twin, and both inside archives.

Where the library is installed here it writes the file; where it is not, the bytes follow its format.
"""

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zlib
from collections.abc import Callable

import cloudpickle
import joblib
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from auditor.artifacts.scan import scan_bytes
from tests.artifacts.streams import archive, call, evil, glob, stream, text
from tests.artifacts.test_formats import (
    TENSOR,
    gguf,
    keras,
    layer,
    npy,
    safetensors,
    savedmodel,
    torch_zip,
)
from tests.artifacts.test_polyglots import raw_zstd


class Payload:
    """What a malicious file runs: the name is enough, nothing here loads it."""

    def __reduce__(self) -> object:
        import os

        return os.system, ("id",)


GOOD = {"weights": np.arange(6.0).reshape(2, 3), "columns": ["a", "b"], "version": 3}
BAD = {**GOOD, "hook": Payload()}


def dumped(value: object, **options: object) -> bytes:
    out = io.BytesIO()
    joblib.dump(value, out, **options)
    return out.getvalue()


def saved(value: object, *, several: bool = False) -> bytes:
    out = io.BytesIO()
    if several:
        np.savez(out, a=np.arange(3), b=np.array([value], dtype=object))
    else:
        np.save(out, np.array([value], dtype=object))
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def seven_zip(members: dict[str, bytes]) -> bytes:
    """An archive of stored files, by the format's description."""

    def number(value: int) -> bytes:
        return b"\xff" + struct.pack("<Q", value)

    packed = b"".join(members.values())
    names = b"".join(name.encode("utf-16-le") + b"\0\0" for name in members)
    sizes = [len(data) for data in members.values()]
    header = b"\x01\x04"
    header += b"\x06" + number(0) + number(1) + b"\x09" + number(len(packed)) + b"\x00"
    header += (
        b"\x07\x0b"
        + number(1)
        + b"\x00"
        + b"\x01\x01\x00"
        + b"\x0c"
        + number(len(packed))
        + b"\x00"
    )
    header += (
        b"\x08\x0d"
        + number(len(members))
        + b"\x09"
        + b"".join(map(number, sizes[:-1]))
        + b"\x00\x00"
    )
    header += (
        b"\x05"
        + number(len(members))
        + b"\x11"
        + number(len(names) + 1)
        + b"\x00"
        + names
        + b"\x00\x00"
    )
    start = struct.pack("<QQL", len(packed), len(header), zlib.crc32(header))
    return (
        b"7z\xbc\xaf\x27\x1c\x00\x04"
        + struct.pack("<L", zlib.crc32(start))
        + start
        + packed
        + header
    )


def torch_legacy(body: bytes) -> bytes:
    magic = stream(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 2)
    rest = stream(b"M\xe9\x03", 2) + stream(b"}", 2) + stream(body, 2)
    return magic + rest + stream(b"](" + text("0") + b"e", 2) + struct.pack("<Q", 2) + bytes(8)


def torch_tar(body: bytes) -> bytes:
    return tarred(
        {
            "storages": stream(b"K\x00", 2),
            "tensors": stream(b"K\x00", 2),
            "pickle": stream(body, 2),
            "sys_info": stream(b"}", 2),
        }
    )


def torchscript(code: str) -> bytes:
    module = glob("__torch__.M", "Module") + b")\x81}b"
    more = {"m/code/__torch__.py": code.encode(), "m/constants.pkl": stream(b")", 2)}
    return torch_zip(module, more)


def exported(member: bytes) -> bytes:
    return archive(
        {
            "m/archive_format": b"pt2",
            "m/models/model.json": b'{"graph_module": {}}',
            "m/data/sample_inputs/model.pt": member,
            "m/version": b"5\n",
        }
    )


def hdf5(config: dict[str, object]) -> bytes:
    body = bytes(64) + b"model_config\x00\x00" + json.dumps(config).encode()
    return b"\x89HDF\r\n\x1a\n" + body + bytes(32)


def tflite(operator: bytes) -> bytes:
    return (
        struct.pack("<I", 16)
        + b"TFL3"
        + bytes(8)
        + struct.pack("<i", 4)
        + bytes(8)
        + operator
        + bytes(8)
    )


def graph(location: str) -> bytes:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    if location:
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    node = helper.make_node("Add", ["x", "w"], ["y"])
    made = helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:], [weights]))
    return bytes(onnx.ModelProto.SerializeToString(made))


def skops(module: str, name: str, loader: str) -> bytes:
    node = {"__class__": name, "__module__": module, "__loader__": loader, "content": {}}
    return archive({"schema.json": json.dumps({**node, "protocol": 2}).encode()})


def mlflow(loader: str) -> bytes:
    return f"flavors:\n  python_function:\n    loader_module: {loader}\n    model_path: m.pkl\n".encode()


def pmml(head: str) -> bytes:
    return f'<?xml version="1.0"?>{head}<PMML version="4.4"><Header/></PMML>'.encode()


Row = tuple[str, str, Callable[[], bytes], Callable[[], bytes]]
LAMBDA = layer("Lambda", {"function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}})
DENSE = layer("Dense", {"units": 2}, module="keras.layers")

# name, format that is told, the file, its hostile twin
FORMATS: list[Row] = [
    *((f"m{p}.pkl", "pickle", lambda p=p: pickle.dumps(GOOD, p), lambda p=p: pickle.dumps(BAD, p)) for p in range(6)),
    ("several.pkl", "pickle", lambda: pickle.dumps(GOOD) * 3, lambda: pickle.dumps(GOOD) + pickle.dumps(BAD)),
    ("bare.dat", "pickle", lambda: b"(lp0\nI1\na.", lambda: b"(lp0\ncos\nsystem\n(S'id'\ntRa."),
    ("m.joblib", "joblib", lambda: dumped(GOOD), lambda: dumped(BAD)),
    *((f"m.{c}.joblib", "joblib", lambda c=c: dumped(GOOD, compress=(c, 3)), lambda c=c: dumped(BAD, compress=(c, 3)))
      for c in ("zlib", "gzip", "bz2", "lzma", "xz", "lz4")),
    ("m.npy.joblib", "pickle", lambda: companion(""), lambda: companion("evil")),
    ("m.cloudpickle", "pickle", lambda: cloudpickle.dumps(GOOD), lambda: cloudpickle.dumps(lambda x: x + 1)),
    ("m.dill", "pickle",
     lambda: stream(call(glob("dill._dill", "_load_type"), text("int"))),
     lambda: stream(call(call(glob("dill._dill", "_get_attr"), call(glob("dill._dill", "_import_module"), text("os")), text("system")), text("id")))),
    ("m.npy", "npy", lambda: saved("x"), lambda: saved(Payload())),
    ("plain.npy", "npy", lambda: npy("'<f8'", "(2,)", bytes(16)), lambda: npy("'|O'", "(1,)", evil())),
    ("m.npz", "npz", lambda: saved("x", several=True), lambda: saved(Payload(), several=True)),
    ("m.pt", "torch-zip", lambda: torch_zip(TENSOR), lambda: torch_zip(TENSOR + b"0" + call(glob("os", "system"), text("id")))),
    ("legacy.pt", "torch-legacy", lambda: torch_legacy(TENSOR), lambda: torch_legacy(call(glob("os", "system"), text("id")))),
    ("tar.pt", "torch-legacy", lambda: torch_tar(b"}"), lambda: torch_tar(call(glob("os", "system"), text("id")))),
    ("script.pt", "torchscript", lambda: torchscript("def f(x):\n  return x\n"), lambda: torchscript("def f(x):\n  ops.aten.save(x, 'f')\n")),
    ("m.pt2", "torch-export", lambda: exported(torch_zip(TENSOR)), lambda: exported(torch_zip(call(glob("os", "system"), text("id"))))),
    ("m.safetensors", "safetensors",
     lambda: safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
     lambda: safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(8) + evil())),
    ("m.keras", "keras-v3", lambda: keras(DENSE), lambda: keras(LAMBDA)),
    ("m.h5", "keras-h5", lambda: hdf5(layer("Sequential", {"layers": [DENSE]})), lambda: hdf5(layer("Sequential", {"layers": [LAMBDA]}))),
    ("saved_model.pb", "savedmodel", lambda: savedmodel("MatMul"), lambda: savedmodel("WriteFile")),
    ("m.tflite", "tflite", lambda: tflite(b"ADD"), lambda: tflite(b"FlexWriteFile")),
    ("m.onnx", "onnx", lambda: graph(""), lambda: graph("../../etc/passwd")),
    ("m.gguf", "gguf", lambda: gguf({"general.architecture": "llama"}), lambda: gguf({"tokenizer.chat_template": "{{ x.__class__.__mro__ }}"})),
    ("m.ubj", "xgboost-ubj", lambda: b"{L\0\0\0\0\0\0\0\x07learner{}}", lambda: b"{L\0\0\0\0\0\0\0\x07learner{}}" + archive({"x": evil()})),
    ("model.json", "xgboost-json", lambda: b'{"learner": {"attributes": {}}, "version": [2, 1, 4]}', lambda: b'{"learner": {"attributes": {}}, "version": [2, 1, 4]}' + archive({"x": evil()})),
    ("model.txt", "lightgbm", lambda: b"tree\nversion=v4\nnum_class=1\n", lambda: b"tree\nversion=v4\nnum_class=1\n" + archive({"x": evil()})),
    ("m.cbm", "catboost", lambda: b"CBM1" + bytes(40), lambda: b"CBM1" + bytes(40) + archive({"x": evil()})),
    ("m.skops", "skops", lambda: skops("sklearn.linear_model._base", "LinearRegression", "ObjectNode"), lambda: skops("os", "system", "FunctionNode")),
    ("MLmodel", "mlflow", lambda: mlflow("mlflow.sklearn"), lambda: mlflow("evil.loader")),
    ("m.pmml", "pmml", lambda: pmml(""), lambda: pmml('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>')),
    ("m.zip", "zip", lambda: archive({"a/m.pkl": pickle.dumps(GOOD)}), lambda: archive({"a/m.pkl": pickle.dumps(BAD)})),
    ("m.tar", "tar", lambda: tarred({"a/m.pkl": pickle.dumps(GOOD)}), lambda: tarred({"a/m.pkl": pickle.dumps(BAD)})),
    ("m.7z", "7z", lambda: seven_zip({"a.txt": b"x", "m.pkl": pickle.dumps(GOOD)}), lambda: seven_zip({"a.txt": b"x", "m.pkl": pickle.dumps(BAD)})),
    ("m.zst", "pickle", lambda: raw_zstd(pickle.dumps(GOOD)), lambda: raw_zstd(pickle.dumps(BAD))),
]  # fmt: skip


def companion(filename: str) -> bytes:
    """Joblib before 0.10 wrote arrays to files beside the pickle."""
    wrapper = glob("joblib.numpy_pickle", "NDArrayWrapper") + b")\x81}("
    wrapper += text("filename") + text("m.pkl_01.npy") + text("subclass")
    wrapper += glob("os", "system") if filename else glob("numpy", "ndarray")
    return stream(wrapper + b"ub", 2)


CONTAINERS: dict[str, Callable[[str, bytes], tuple[str, bytes]]] = {
    "bare": lambda name, data: (name, data),
    "zip": lambda name, data: ("a.zip", archive({"x/" + name: data}, compression=8)),
    "tar": lambda name, data: ("a.tar", tarred({"x/" + name: data})),
    "tar.gz": lambda name, data: ("a.tar.gz", tarred({"x/" + name: data}, "w:gz")),
    "7z": lambda name, data: ("a.7z", seven_zip({"x/" + name: data})),
    "gzip": lambda name, data: (name + ".gz", gzip.compress(data)),
    "bz2": lambda name, data: (name + ".bz2", bz2.compress(data)),
    "xz": lambda name, data: (name + ".xz", lzma.compress(data)),
    "zip in tar": lambda name, data: ("a.tar", tarred({"b.zip": archive({name: data})})),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("row", FORMATS, ids=[row[0] for row in FORMATS])
def test_format(row: Row, container: str) -> None:
    name, expected, good, bad = row
    if name == "MLmodel" and container in ("gzip", "bz2", "xz"):
        pytest.skip("told by its name, and nothing reads it compressed")
    path, data = CONTAINERS[container](name, good())
    found = scan_bytes(data, path)
    assert found[0].verdict == "safe", [(f.path, i.message) for f in found for i in f.issues]
    if container == "bare":
        assert found[0].format == expected
    path, data = CONTAINERS[container](name, bad())
    assert scan_bytes(data, path)[0].verdict in ("dangerous", "suspicious")


NO_MODELS = [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "lfs-pointer"),
    (b"<!DOCTYPE html><html><body>Not Found</body></html>", "html"),
    (b'{"error": "Repository not found"}', "json"),
    (b"Entry not found", "text"),
]


@pytest.mark.parametrize(("data", "kind"), NO_MODELS)
@pytest.mark.parametrize("name", ["m.pkl", "m.pt", "m.joblib", "m.h5", "m.onnx"])
def test_pages_and_pointers_under_the_name_of_a_model(data: bytes, kind: str, name: str) -> None:
    facts = scan_bytes(data, name)[0]
    assert facts.format == kind
    assert any(i.rule in ("ART014", "ART015") for i in facts.issues), name
