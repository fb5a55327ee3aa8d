"""Every format by content, and the ways in which each can carry code or lie."""

import io
import json
import struct
import tarfile
import zipfile

import pytest

from auditor.artifacts.scan import scan_bytes
from tests.artifacts.streams import archive, evil, glob, stream, text

GOOD = stream(b"]K\x01a", 4)


def first(data: bytes, name: str = "f.bin"):
    return scan_bytes(data, name)[0]


def rules(data: bytes, name: str = "f.bin") -> set[str]:
    return {i.rule for f in scan_bytes(data, name) for i in f.issues if i.verdict != "safe"}


# -- archives ------------------------------------------------------------------------------


def patched(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    at = data.index(signature) + offset
    return data[:at] + value + data[at + len(value) :]


def test_zip_is_judged_entry_by_entry() -> None:
    assert first(archive({"a.pkl": GOOD})).verdict == "safe"
    assert first(archive({"a.pkl": GOOD, "b.weird": evil()})).verdict == "dangerous"
    assert first(archive({"b": evil()}, compression=zipfile.ZIP_DEFLATED)).verdict == "dangerous"
    assert first(archive({"b": evil()}, compression=zipfile.ZIP_LZMA)).verdict == "dangerous"


@pytest.mark.parametrize(
    ("signature", "offset", "value"),
    [
        (b"PK\x03\x04", 30, b"z"),  # another name in the local header
        (b"PK\x03\x04", 6, b"\x01"),  # encrypted, says one header
        (b"PK\x01\x02", 8, b"\x01"),
        (b"PK\x01\x02", 8, b"\x20"),
        (b"PK\x01\x02", 8, b"\x40"),
        (b"PK\x01\x02", 16, b"\x00\x00\x00\x01"),  # checksum
        (b"PK\x03\x04", 14, b"\x00\x00\x00\x01"),
        (b"PK\x03\x04", 8, b"\x08"),  # method
        (b"PK\x05\x06", 10, b"\x09"),  # number of entries
        (b"PK\x05\x06", 16, b"\x01"),  # place of the directory
        (b"PK\x01\x02", 42, b"\x07"),  # place of the entry
        (b"PK\x01\x02", 10, b"\x63"),  # unknown method
    ],
)
def test_zip_headers_that_disagree(signature: bytes, offset: int, value: bytes) -> None:
    data = archive({"a.pkl": GOOD})
    assert first(patched(data, signature, offset, value)).verdict != "safe"
    bad = patched(archive({"a.pkl": evil()}), signature, offset, value)
    assert first(bad).verdict != "safe"


def test_zip_names() -> None:
    assert "ART010" in rules(archive({"../../etc/cron.d/x": b"x"}))
    assert "ART010" in rules(archive({"/etc/x": b"x"}))
    assert "ART010" in rules(archive({"C:\\x": b"x"}))
    assert "ART010" in rules(archive({"data.pkl": GOOD, "DATA.PKL": GOOD}))


def test_zip_hidden_prefixed_and_appended() -> None:
    data = archive({"a.txt": b"hello"})
    assert first(evil() + data).verdict == "dangerous"
    assert first(data + b"tail" * 10).verdict != "safe"
    local = archive({"hidden.pkl": evil()})
    local = local[: local.index(b"PK\x01\x02")]
    whole = bytearray(local + data)
    assert first(bytes(whole)).verdict != "safe"


def test_zip_bomb_is_bounded() -> None:
    data = archive({"zeros": bytes(80 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert "ART010" in rules(data)


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def test_tar() -> None:
    assert first(tar_of((member("a"), GOOD))).verdict == "safe"
    assert first(tar_of((member("a"), evil()))).verdict == "dangerous"
    assert "ART010" in rules(tar_of((member("l", tarfile.SYMTYPE, "/etc/passwd"), b"")))
    assert "ART010" in rules(tar_of((member("d", tarfile.CHRTYPE), b"")))
    assert "ART010" in rules(tar_of((member("../x"), b"x")))
    assert first(tar_of((member("a"), b"x" * 600))[:700]).verdict != "safe"


def test_seven_zip_damage_is_said() -> None:
    assert first(b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(40)).format == "7z"
    assert first(b"7z\xbc\xaf\x27\x1c\x00\x04" + b"\x11" * 60).verdict == "unreadable"


# -- torch ---------------------------------------------------------------------------------

STORAGE = (
    b"(" + text("storage") + glob("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x02tQ"
)
TENSOR = (
    glob("torch._utils", "_rebuild_tensor_v2") + b"(" + STORAGE + b"K\x00K\x02\x85K\x01\x85\x89"
    + glob("collections", "OrderedDict") + b")RtR"
)  # fmt: skip


def torch_zip(body: bytes, extra: dict[str, bytes] | None = None) -> bytes:
    return archive(
        {"m/data.pkl": stream(body, 2), "m/version": b"3\n", "m/data/0": bytes(8), **(extra or {})}
    )


def test_torch_zip_and_weights_only() -> None:
    facts = first(torch_zip(TENSOR), "m.pt")
    assert (facts.format, facts.verdict, facts.weights_only) == ("torch-zip", "safe", True)
    refused = first(torch_zip(glob("datetime", "date") + b"U\x04\x07\xe4\x01\x01\x85R"), "m.pt")
    assert refused.weights_only is False
    assert refused.weights_only_objections == ("datetime.date",)
    assert "ART009" in {i.rule for i in refused.issues}
    assert first(torch_zip(glob("os", "system") + text("id") + b"\x85R")).verdict == "dangerous"
    hidden = torch_zip(TENSOR, {"m/other.pkl": evil()})
    assert first(hidden).verdict == "dangerous"


def test_torch_persistent_ids_must_be_storages() -> None:
    wrong = (
        b"(" + text("storage") + glob("builtins", "print") + text("0") + text("cpu") + b"K\x02tQ"
    )
    assert first(torch_zip(wrong)).verdict != "safe"
    assert first(torch_zip(text("x") + b"Q")).verdict != "safe"


def test_torch_legacy() -> None:
    magic = stream(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 2)
    rest = stream(b"M\xe9\x03", 2) + stream(b"}", 2) + stream(TENSOR, 2) + stream(b"]", 2)
    facts = first(magic + rest + b"\x02" + bytes(15), "m.pt")
    assert (facts.format, facts.verdict) == ("torch-legacy", "safe")
    from_eval = stream(glob("builtins", "eval") + text("1") + b"\x85R", 2)
    assert first(from_eval + rest).verdict == "dangerous"


def test_torchscript() -> None:
    code = {
        "m/code/__torch__.py": b"def forward(self, x):\n  return torch.add(x, 1)\n",
        "m/constants.pkl": stream(b")", 2),
    }
    body = glob("__torch__.M", "Module") + b")\x81}b"
    assert first(torch_zip(body, code)).verdict == "safe"
    assert first(torch_zip(body, code)).format == "torchscript"
    code["m/code/__torch__.py"] = b"def forward(self, x):\n  ops.aten.save(x, 'f')\n"
    assert first(torch_zip(body, code)).verdict == "dangerous"


# -- arrays and tensors --------------------------------------------------------------------


def npy(descr: str, shape: str, data: bytes, version: int = 1) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + data


def test_npy() -> None:
    assert first(npy("'<f8'", "(2,)", bytes(16))).verdict == "safe"
    assert first(npy("'<f8'", "(2,)", bytes(15))).verdict == "unreadable"
    assert first(npy("'<f8'", "(2,)", bytes(16) + evil())).verdict != "safe"
    assert first(npy("[('a', '<f8'), ('b', '<i4', (2,))]", "(1,)", bytes(16))).verdict == "safe"
    for version in (1, 2):
        assert first(npy("'|O'", "(1,)", evil(), version)).verdict == "dangerous"
        assert first(npy("[('a', '|O')]", "(1,)", evil(), version)).verdict == "dangerous"
    assert first(npy("__import__('os')", "(1,)", b"")).verdict == "unreadable"
    assert first(archive({"x.npy": npy("'|O'", "(1,)", evil())}), "a.npz").verdict == "dangerous"


def safetensors(header: object, data: bytes) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def test_safetensors() -> None:
    good = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    assert first(safetensors(good, bytes(8))).verdict == "safe"
    assert first(safetensors(good, bytes(4))).verdict == "unreadable"
    assert first(safetensors(good, bytes(9))).verdict != "safe"
    assert (
        first(
            safetensors({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, bytes(8))
        ).verdict
        != "safe"
    )
    assert first(safetensors(b"{" + b" " * 30, b"")).verdict == "unreadable"
    assert (
        first(safetensors({"__metadata__": {"x": "import os; os.system('x')"}}, b"")).verdict
        == "suspicious"
    )


def gguf(pairs: dict[str, str], tensors: int = 0, count: int | None = None) -> bytes:
    def s(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    body = b"".join(s(k) + struct.pack("<I", 8) + s(v) for k, v in pairs.items())
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, len(pairs) if count is None else count) + body


def test_gguf() -> None:
    assert first(gguf({"general.architecture": "llama"})).verdict == "safe"
    assert (
        first(gguf({"tokenizer.chat_template": "{{ x.__class__.__mro__ }}"})).verdict == "dangerous"
    )
    assert first(gguf({}, count=1 << 60)).verdict == "unreadable"
    assert first(gguf({"a": "b"}, tensors=1)).verdict == "unreadable"


def pb(number: int, payload: bytes) -> bytes:
    out = (
        bytearray([number << 3 | 2])
        if number < 16
        else bytearray([(number & 15) << 3 | 0x82, number >> 4])
    )
    size = len(payload)
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes(out) + bytes([size]) + payload


def savedmodel(op: str) -> bytes:
    node = pb(1, pb(1, b"n") + pb(2, op.encode()))
    return b"\x08\x01" + pb(2, pb(2, node))


def test_savedmodel() -> None:
    assert first(savedmodel("MatMul"), "saved_model.pb").format == "savedmodel"
    assert first(savedmodel("MatMul"), "saved_model.pb").verdict == "safe"
    for op in ("PyFunc", "ReadFile", "WriteFile"):
        assert "ART008" in rules(savedmodel(op), "saved_model.pb")
    function = pb(2, pb(1, pb(3, pb(1, b"n") + pb(2, b"WriteFile"))))
    assert "ART008" in rules(b"\x08\x01" + pb(2, pb(2, function)), "saved_model.pb")


def onnx(location: str) -> bytes:
    tensor = pb(8, b"w") + pb(13, pb(1, b"location") + pb(2, location.encode()))
    return b"\x08\x08" + pb(2, b"test") + pb(7, pb(5, tensor))


def test_onnx_external_data() -> None:
    assert first(onnx("weights.bin"), "m.onnx").verdict == "safe"
    assert first(onnx("weights.bin"), "m.onnx").format == "onnx"
    for place in ("../x", "/etc/passwd", "a/../../x", "C:\\x"):
        assert "ONX005" in rules(onnx(place), "m.onnx")
    nested = pb(7, pb(1, pb(5, pb(6, pb(5, pb(13, pb(1, b"location") + pb(2, b"../x")))))))
    assert "ONX005" in rules(b"\x08\x08" + nested, "m.onnx")
    assert first(onnx("weights.bin")[:-3], "m.onnx").verdict == "unreadable"


# -- configurations ------------------------------------------------------------------------


def layer(name: str, config: object, **more: object) -> dict[str, object]:
    return {"class_name": name, "config": config, **more}


def keras(*layers: dict[str, object]) -> bytes:
    model = layer("Sequential", {"layers": list(layers)}, module="keras")
    return archive({"config.json": json.dumps(model).encode(), "metadata.json": b"{}"})


def test_keras() -> None:
    dense = layer("Dense", {"units": 2, "activation": "relu"}, module="keras.layers")
    assert first(keras(dense), "m.keras").verdict == "safe"
    assert first(keras(dense), "m.keras").format == "keras-v3"
    lam = layer("Lambda", {"function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}})
    assert first(keras(lam), "m.keras").verdict == "dangerous"
    gadget = layer("function", "get_file", module="keras.utils")
    assert first(keras(layer("Dense", {"activation": gadget})), "m.keras").verdict == "dangerous"
    assert first(keras(layer("Popen", {}, module="subprocess")), "m.keras").verdict == "dangerous"
    assert (
        first(keras(layer("MyLayer", {}, registered_name="Pkg>MyLayer")), "m.keras").verdict
        == "suspicious"
    )
    assert first(keras(layer("Dense", {"activation": "evil"})), "m.keras").verdict == "suspicious"


def test_keras_hdf5() -> None:
    def h5(config: object) -> bytes:
        return (
            b"\x89HDF\r\n\x1a\n"
            + bytes(64)
            + b"model_config\x00\x00"
            + json.dumps(config).encode()
            + bytes(32)
        )

    assert (
        first(h5(layer("Sequential", {"layers": [layer("Dense", {})]})), "m.h5").verdict == "safe"
    )
    lam = layer("Sequential", {"layers": [layer("Lambda", {"function": ["4wEA", None, None]})]})
    assert first(h5(lam), "m.h5").verdict == "dangerous"
    assert (
        first(h5(layer("Sequential", {})).replace(b"}", b"\x01", 1), "m.h5").verdict == "unreadable"
    )


def test_skops() -> None:
    def skops(node: object) -> bytes:
        return archive({"schema.json": json.dumps(node).encode()})

    tree = {
        "__class__": "LinearRegression",
        "__module__": "sklearn.linear_model._base",
        "__loader__": "ObjectNode",
    }
    assert first(skops(tree), "m.skops").verdict == "safe"
    evil_node = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}
    assert first(skops(evil_node), "m.skops").verdict == "dangerous"
    method = {**tree, "__loader__": "MethodNode", "content": {"func": "__init__.__globals__"}}
    assert first(skops(method), "m.skops").verdict == "dangerous"
    assert first(skops({**tree, "__loader__": "NewNode"}), "m.skops").verdict == "suspicious"


TEMPLATES = {
    "{% for m in messages %}{{ m['role'] }}: {{ m.content }}{% endfor %}": "safe",
    "{{ '__class__' if false }}": "dangerous",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": "dangerous",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}": "dangerous",
    "{{ ''['__cl' ~ 'ass__'] }}": "dangerous",
    "{{ x | attr('y') }}": "suspicious",
    "{{ x['\\x5f\\x5fclass'] }}": "suspicious",
    "{% import 'x' as y %}": "suspicious",
    "os.system and __class__ in plain words": "safe",
    "{% if 'system' == message.role %}eval: {{ message.content }}{% endif %}": "safe",
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_chat_templates(template: str) -> None:
    data = json.dumps({"tokenizer_class": "X", "chat_template": template}).encode()
    assert first(data, "tokenizer_config.json").verdict == TEMPLATES[template]
    named = json.dumps({"chat_template": [{"name": "a", "template": template}]}).encode()
    assert first(named, "tokenizer_config.json").verdict == TEMPLATES[template]


def test_remote_code_mlflow_xml() -> None:
    config = json.dumps({"auto_map": {"AutoModel": "modeling.Net"}}).encode()
    assert "ART007" in rules(config, "config.json")
    good = b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: model.pkl\n"
    assert first(good, "MLmodel").verdict == "safe"
    assert first(good.replace(b"mlflow.sklearn", b"evil.loader"), "MLmodel").verdict == "suspicious"
    assert first(b'<?xml version="1.0"?><PMML version="4.4"></PMML>').format == "pmml"
    assert (
        first(
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML/>'
        ).verdict
        != "safe"
    )


# -- what is no model ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "format", "verdict"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "m.pkl", "lfs-pointer", "safe"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "m.pkl", "html", "unreadable"),
        (b"<!DOCTYPE html><html></html>", "index.html", "html", "safe"),
        (b"just words\nand lines\n", "notes.txt", "text", "safe"),
        (b"", "m.pkl", "empty", "safe"),
        (b"\x7fELF" + bytes(60), "m.pt", "elf", "suspicious"),
        (b"\x00\x01\x02\x03" * 30, "m.pkl", "unknown", "unreadable"),
        (b"\x00\x01\x02\x03" * 30, "weights.raw", "unknown", "unreadable"),
        (b"\x28\xb5\x2f\xfd" + bytes(30), "m.joblib", "zstd", "unreadable"),
    ],
)  # fmt: skip
def test_other_content(data: bytes, name: str, format: str, verdict: str) -> None:
    facts = first(data, name)
    assert (facts.format, facts.verdict) == (format, verdict)
