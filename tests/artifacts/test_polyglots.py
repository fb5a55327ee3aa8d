"""Files that are two things at once, and documents and stores that reach for more than they hold."""

import base64
import bz2
import contextlib
import gzip
import json
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import Limits
from auditor.artifacts.scan import scan_bytes
from auditor.artifacts.unpack import Budget, CorruptError, TooMuchError, unpack
from tests.artifacts.streams import archive, call, evil, glob, short, stream, text
from tests.artifacts.test_formats import (
    TENSOR,
    layer,
    member,
    npy,
    pb,
    safetensors,
    tar_of,
    torch_zip,
)

OLD = b"cos\nsystem\n(S'id'\ntR."
HDF5 = b"\x89HDF\r\n\x1a\n"
LAMBDA = {"function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}}


def verdict(data: bytes, name: str = "m.bin") -> str:
    return scan_bytes(data, name)[0].verdict


def told(data: bytes, name: str = "m.bin") -> set[str]:
    return {i.rule for i in scan_bytes(data, name)[0].issues if i.verdict != "safe"}


# -- two things at once --------------------------------------------------------------------


def test_a_tar_whose_first_name_is_a_pickle() -> None:
    assert verdict(tar_of((member(OLD.decode()), b"x"))) == "dangerous"
    assert verdict(tar_of((member("cat\n"), b"x"))) == "safe"


@pytest.mark.parametrize("block", [512, 1024, 4096])
def test_a_pickle_in_front_of_hdf5(block: int) -> None:
    assert verdict(OLD.ljust(block, b"\0") + HDF5 + bytes(100), "m.h5") == "dangerous"
    plain = b"my own notes".ljust(block, b"\0") + HDF5 + bytes(100)
    facts = scan_bytes(plain, "m.h5")[0]
    assert (facts.format, facts.verdict) == ("hdf5", "safe")


@pytest.mark.parametrize(
    "front",
    [
        b"\x01\x02\x00\x00" * 10,
        b"plain words\n" * 3,
        b"\x89PNG\r\n\x1a\n" + bytes(30),
        struct.pack("<I", 16) + b"TFL3" + bytes(40),
        b"%PDF-1.4\n" + bytes(40),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 0),
    ],
)
def test_a_zip_archive_behind_something_else(front: bytes) -> None:
    assert verdict(front + archive({"a.pkl": evil()})) == "dangerous"
    model = layer("Sequential", {"layers": [layer("Lambda", LAMBDA)]})
    keras = archive({"config.json": json.dumps(model).encode(), "metadata.json": b"{}"})
    assert verdict(front + keras, "m") == "dangerous"


def test_a_tflite_model_keeps_its_labels_in_a_zip_archive() -> None:
    labels = struct.pack("<I", 16) + b"TFL3" + bytes(40)
    # Written as the metadata writer does: offsets count from the start of the file.
    inner = bytearray(archive({"labels.txt": b"cat\ndog\n"}))
    at = inner.index(b"PK\x01\x02")
    inner[at + 42 : at + 46] = struct.pack("<I", len(labels))
    end = inner.index(b"PK\x05\x06")
    inner[end + 16 : end + 20] = struct.pack("<I", at + len(labels))
    facts = scan_bytes(labels + bytes(inner), "m.tflite")[0]
    assert (facts.format, facts.verdict) == ("tflite", "safe")


# -- compressed ----------------------------------------------------------------------------

# What zstandard 0.25 wrote of SQUARES at levels 1 and 19, with a checksum.
SQUARES = " ".join(str(i * i % 997) for i in range(300)).encode() + bytes(500) + b"abc" * 50
ZSTD = [
    (
        "KLUv/WQUBsUQAEpJKAgRkCVpDtvdcZuElqwsn+JezAZ8AHsAewDP3HE9TB03z8h3cdGMW9pL6gi0lVzhFmLrLWQH"
        "6RfqcLNUNuI08cjkTWGH6A11BbphDiFTcDIO+eQm2a0+Vkuoh3RnZuU7buRHMe/yqDuEO8Ye68derYl1lT7SY3PM"
        "HMIcJQ/lM17Eibwuvopn4mAcQhz21DeXTLzie45DS+OWXUW3eOtm66tsdl2/QA+5yV2qrXKEWGgHoq88xGE6dWZw"
        "m/uspsxtHLxD6+A8jYu3WM2ZJXCp29jp5ilOMgU7GF2SS+KJu1fT5itudI19Uo/MITzIRjukLpllOOlQtrQ2mynI"
        "w5hzU/VwdGOu4e0NN6dfaYv5iDNEtPrIqb0oV+2QmeyeoSnEVHUQPtel5JB7An1dqKbwELacTL1ZdFB80iny8A7S"
        "gbFFD8rCOwh9End6KJm9z2gLvGjfzNPt6lImus1oIS/ZdXMlbjs5X03Rq+SLo7VRHrtpagty6F2pK8jTu1OTct1N"
        "rYvkk4PdwtybrFsnAQCBIAiCIAis6ujSubXL+FzdEF/QIjdJDu1yMUXN2Wqus49yVLeLR2rqFHTpnjAHsiPIQb0C"
        "D1VfxC0dZga66iaZJdxV2cYmyhFsGmf1Dg/pgdxCj8Dl6nBxWV2LazUvrqspcIle5CadiEc7jzPsihxlh5Mt7qBZ"
        "7A6kj+7RYeICABAdNUSirgIqCF8Hng=="
    ),
    (
        "KLUv/WQUBq0QAPpIHAgQsBU0BzysRFZ298oCp2RgA3wAewB7ADN3XA9Tx80z8l1cNOOW9pI6Am0lV7iF2HoL2UH6"
        "hTrcLJWNOE08MnlT2CF6Q12BbphDyBScjEM+uUl2q4/VEuoh3ZlZ+Y4b+VHMuzzqDuGOscf6sVdrYl2lj/TYHDOH"
        "MEfJQ/mMF3Eir4uv4pk4GIcQhz31zSUTr/ie4xCNW3YV3eKtm62vstl1/QI95CZ3qbbKEWKhHYi+8hCH6dSZwW3u"
        "s5oyt3HwDq2D8zQu3mI1Z5bApW5jp5unOMkU7GB0SS6JJ+5eTZuvuNE19kk9MofwIBvtkLpkluGkQ9nS2mymIA9j"
        "zk3Vw9GNuYa3N9ycfqUt5iPOEAcfObUX5aodMpPdMzSFmKoOwue6lBxyT6CvC9UUHsKWk6k3iw6KTzpFHt5BOjC2"
        "6EFZeAehT+JODyWz9xltgRftm3m6XV3KRLcZLeQlu26uxG0n56spepV8cbQ2ymM3TW1BDr0rdQV5endqUq67qXWR"
        "fHKwW5h7k3XrLAGBgSAAsKqjS+fWLuNzdUN8QYvcJDm0y8UUNWeruc4+ylHdLh6pqVPQpXvCHMiOIAf1CjxUfRG3"
        "dJgZ6KqbZJZwV2UbmyhHsGmc1Ts8pAdyCz0Cl6vDxWV1La7VvLiupsAlepGbdCIe7TzOsCtylB1OtriDZrE7kD66"
        "R4eJaRUCAA8dRSwCrwIqCF8Hng=="
    ),
]


def test_old_joblib_compression() -> None:
    for blank in (b"", b" "):
        head = b"ZF" + hex(len(evil())).encode().ljust(19) + blank
        assert verdict(head + zlib.compress(evil()), "m.pkl") == "dangerous"
        good = stream(b"]", 2)
        facts = scan_bytes(head + zlib.compress(good), "m.pkl")[0]
        assert (facts.verdict, facts.container) == ("safe", "joblib-zfile")
    assert verdict(b"ZF" + b"?" * 19 + zlib.compress(evil()), "m.pkl") == "unreadable"


def raw_zstd(data: bytes, *, skip: bool = False) -> bytes:
    """A frame of one stored block, and one that repeats a byte."""
    frame = b"\x28\xb5\x2f\xfd\x00\x58"
    frame += struct.pack("<I", len(data) << 3 | 1)[:3] + data
    return (b"\x52\x2a\x4d\x18" + struct.pack("<I", 3) + b"abc" if skip else b"") + frame


def test_zstandard() -> None:
    assert verdict(raw_zstd(evil()), "m.pkl") == "dangerous"
    assert verdict(raw_zstd(evil(), skip=True), "m.pkl") == "dangerous"
    assert verdict(raw_zstd(stream(b"]")), "m.pkl.zst") == "safe"
    assert verdict(raw_zstd(evil())[:-3], "m.pkl") == "dangerous"
    assert verdict(raw_zstd(evil()) + b"tail", "m.pkl") == "dangerous"
    bomb = b"\x28\xb5\x2f\xfd\x00\x58" + (struct.pack("<I", 0x20000 << 3 | 2)[:3] + b"\0") * 800
    assert "ART010" in told(bomb) or "ART015" in told(bomb)


@pytest.mark.parametrize("written", ZSTD)
def test_zstandard_as_really_written(written: str) -> None:
    packed = base64.b64decode(written)
    blob, used = unpack(Blob(packed), "zstd", Budget(Limits()))
    assert (blob.read(0, len(blob)), used) == (SQUARES, len(packed))


@given(st.sampled_from(ZSTD), st.integers(0, 540), st.integers(0, 7), st.integers(0, 560))
def test_damaged_zstandard_raises_nothing_else(w: str, at: int, bit: int, cut: int) -> None:
    packed = bytearray(base64.b64decode(w))
    packed[at] ^= 1 << bit
    with contextlib.suppress(CorruptError, TooMuchError):
        unpack(Blob(bytes(packed[:cut])), "zstd", Budget(Limits()))


def test_several_layers() -> None:
    deep = gzip.compress(bz2.compress(raw_zstd(evil())))
    assert verdict(deep, "m.pkl") == "dangerous"


# -- HDF5 ----------------------------------------------------------------------------------


def external_link(file: str, target: str, flags: int = 0x08) -> bytes:
    info = b"\0" + file.encode() + b"\0" + target.encode() + b"\0"
    name = b"kernel"
    order = bytes(8) if flags & 4 else b""
    return bytes([1, flags, 64]) + order + bytes([len(name)]) + name + struct.pack("<H", len(info)) + info  # fmt: skip


def hdf5(*parts: bytes) -> bytes:
    return HDF5 + bytes(88) + b"".join(parts) + bytes(64)


@pytest.mark.parametrize("flags", [0x08, 0x0C])
def test_links_to_other_files(flags: int) -> None:
    assert "ART010" in told(hdf5(external_link("/etc/passwd", "/x", flags)), "m.h5")
    assert "ART010" in told(bytes(512) + hdf5(external_link("o.h5", "/x", flags)), "m.h5")
    # The same bytes, but their lengths do not add up.
    assert verdict(hdf5(external_link("/etc/passwd", "/x", flags)[:-2] + b"yz"), "m.h5") == "safe"


def test_arrays_in_other_files() -> None:
    message = b"\x07\x00\x28\x00" + bytes(4) + b"\x01\0\0\0\x01\0\x01\0"
    heap = b"HEAP" + bytes(20) + struct.pack("<Q", 400) + b"\0" * 8
    body = bytearray(hdf5(message + struct.pack("<QQ", 300, 8), bytes(400)))
    body[300 : 300 + len(heap)] = heap
    body[408:420] = b"/etc/passwd\0"
    facts = scan_bytes(bytes(body), "m.h5")[0]
    assert facts.verdict == "suspicious"
    assert "'/etc/passwd'" in facts.issues[0].message


def test_virtual_arrays() -> None:
    body = bytearray(hdf5(b"\x04\x03" + struct.pack("<QI", 300, 1), bytes(400)))
    assert verdict(bytes(body), "m.h5") == "safe"
    body[300:308] = b"GCOL\x01\0\0\0"
    assert verdict(bytes(body), "m.h5") == "suspicious"


def test_pickles_in_a_pandas_store() -> None:
    mark = b"PYTABLES_FORMAT_VERSION\0"
    assert verdict(hdf5(mark, b"\0" * 9, OLD), "m.h5") == "dangerous"
    assert verdict(hdf5(mark, evil()), "m.h5") == "dangerous"
    assert verdict(hdf5(mark, stream(b"]K\x01a")), "m.h5") == "safe"
    assert verdict(hdf5(evil()), "m.h5") == "safe"  # weights: nothing unpickles them


# -- TensorFlow ----------------------------------------------------------------------------


def node(op: str) -> bytes:
    return pb(1, pb(1, b"n") + pb(2, op.encode()))


def test_frozen_graphs_and_checkpoints() -> None:
    frozen = node("Const") + node("MatMul")
    assert scan_bytes(frozen, "frozen.pb")[0].format == "tensorflow-graph"
    assert verdict(frozen, "frozen.pb") == "safe"
    assert verdict(frozen + node("WriteFile"), "frozen.pb") == "dangerous"
    meta = pb(1, b"") + pb(2, frozen)
    assert scan_bytes(meta, "model.meta")[0].format == "tensorflow-metagraph"
    assert verdict(pb(1, b"") + pb(2, frozen + node("PyFunc")), "model.meta") == "dangerous"


def test_graphs_as_text() -> None:
    form = 'saved_model_schema_version: 1\nmeta_graphs {{ graph_def {{ node {{ op: "{}" }} }} }}\n'
    assert verdict(form.format("MatMul").encode(), "saved_model.pbtxt") == "safe"
    assert verdict(form.format("ReadFile").encode(), "saved_model.pbtxt") == "dangerous"
    assert verdict(b'node { name: "x" op: "WriteFile" }', "graph.pbtxt") == "dangerous"


# -- documents -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        "<?xml version='1.0'?><!--{}--><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///x'>]><PMML/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><PMML/>",
        "<?xml version='1.0'?><!DOCTYPE PMML SYSTEM 'http://127.0.0.1/x.dtd'><PMML/>",
        "<PMML xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='/x'/></PMML>",
        "<?xml version='1.0' encoding='UTF-7'?><PMML/>",
        "<!DOCTYPE plist PUBLIC '-//Apple//DTD PLIST 1.0//EN' 'http://www.apple.example/x'><PMML/>",
        "<!DOCTYPE a PUBLIC '-//W3C//DTD A' 'http://www.w3.org/a' [<!ENTITY x 'y'>]><PMML/>",
    ],
)
def test_xml_that_reads_elsewhere(document: str) -> None:
    padded = document.format("x" * 70_000)
    assert verdict(padded.encode(), "m.pmml") == "suspicious"
    if "encoding" not in document:
        assert verdict(padded.encode("utf-16"), "m.pmml") == "suspicious"


def test_the_standards_own_document_types() -> None:
    named = (
        b'<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" '
        b'"http://www.apple.com/DTDs/PropertyList-1.0.dtd"><PMML/>'
    )
    assert verdict(named, "m.pmml") == "safe"


def test_plain_pmml() -> None:
    document = b"<?xml version='1.0' encoding='UTF-8'?><PMML xmlns='http://www.dmg.org/PMML-4_4'/>"
    facts = scan_bytes(document, "m.pmml")[0]
    assert (facts.format, facts.verdict) == ("pmml", "safe")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("a: !!python/object/apply:os.system ['id']", "dangerous"),
        ("a: !<tag:yaml.org,2002:python/object/new:subprocess.Popen> [id]", "dangerous"),
        ("a: !!python/name:builtins.eval", "dangerous"),
        ("a: !!python/object:my.Thing {}", "suspicious"),
        ("a: !!python/object/apply:collections.OrderedDict [[]]", "safe"),
        ("a: !!python/tuple [1, 2]", "safe"),
        ("model: !apply:os.system ['id']", "dangerous"),
        ("model: !new:speechbrain.nnet.CNN.Conv1d {}", "safe"),
        ("model:\n  _target_: os.system", "dangerous"),
        ("model:\n  _target_: torch.nn.Linear", "safe"),
        ("a: [1, 2]", "safe"),
    ],
)
def test_yaml(document: str, expected: str) -> None:
    assert verdict(document.encode(), "hparams.yaml") == expected
    # A program or a text that speaks of it is none.
    assert verdict(document.encode(), "loader.py") == "safe"


def test_hydra_targets_in_json() -> None:
    assert verdict(b'{"model": {"_target_": "os.system"}}', "config.json") == "dangerous"
    assert verdict(b'{"model": {"_target_": "torch.nn.Linear"}}', "config.json") == "safe"


def test_bentoml() -> None:
    good = b"name: x\nversion: y\nmodule: bentoml.sklearn\ncontext:\n  bentoml_version: 1.2.0\n"
    facts = scan_bytes(good, "model.yaml")[0]
    assert (facts.format, facts.verdict) == ("bentoml", "safe")
    assert dict(facts.details)["loader_module"] == "bentoml.sklearn"
    assert verdict(good.replace(b"bentoml.sklearn", b"evil.loader"), "model.yaml") == "suspicious"
    packed = gzip.compress(tar_of((member("model.yaml"), good), (member("m.pkl"), evil())))
    assert verdict(packed, "m.bentomodel") == "dangerous"


# -- streams in streams --------------------------------------------------------------------


def torch_bytes(body: bytes) -> bytes:
    magic = stream(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 2)
    rest = stream(b"M\xe9\x03", 2) + stream(b"}", 2) + stream(body, 2) + stream(b"]", 2)
    return magic + rest + bytes(16)


def loaded(inner: bytes, how: int = 4) -> bytes:
    function = glob("torch.storage", "_load_from_bytes")
    if how == 4:
        given = b"B" + struct.pack("<I", len(inner)) + inner
    elif how == 2:
        encoded = text(inner.decode("latin-1")), text("latin1")
        given = call(glob("_codecs", "encode"), *encoded)
    else:
        line = inner.decode("latin-1").encode("raw-unicode-escape").replace(b"\n", b"\\u000a")
        given = call(glob("_codecs", "encode"), b"V" + line + b"\n", text("latin1"))
    return stream(call(function, given), 4)


STORED = (
    b"(" + text("storage") + glob("torch", "FloatStorage") + text("0") + text("cpu")
    + b"K\x02NtQ"
)  # fmt: skip


@pytest.mark.parametrize("how", [0, 2, 4])
def test_storages_that_are_torch_files(how: int) -> None:
    assert verdict(loaded(torch_bytes(STORED), how), "net.pkl") == "safe"
    hostile = torch_bytes(call(glob("os", "system"), text("id")))
    assert verdict(loaded(hostile, how), "net.pkl") == "dangerous"
    # More than a storage: nothing is known about what comes of it.
    more = torch_bytes(call(glob("collections", "Counter")))
    assert verdict(loaded(more, how), "net.pkl") == "dangerous"
    assert verdict(loaded(evil(), how), "net.pkl") == "dangerous"
    assert verdict(loaded(loaded(hostile, 4), how), "net.pkl") == "dangerous"


def test_storages_nested_without_end() -> None:
    data = torch_bytes(STORED)
    for _ in range(12):
        data = torch_bytes(loaded(data)[2:-1])
    assert verdict(loaded(data), "net.pkl") == "dangerous"


def test_skorch_unpickles_a_part_of_its_state() -> None:
    def net(inner: bytes) -> bytes:
        state = (
            b"}(" + short("device") + short("cpu") + short("__cuda_dependent_attributes__")
            + b"B" + struct.pack("<I", len(inner)) + inner + b"u"
        )  # fmt: skip
        return stream(glob("skorch.net", "NeuralNet") + b")\x81" + state + b"b")

    assert verdict(net(stream(b"}"))) == "safe"
    assert verdict(net(evil())) != "safe"
    assert verdict(net(b"no pickle")) != "safe"


def test_one_byte_of_messagepack() -> None:
    assert verdict(b"\x80", "lookups.bin") == "safe"
    assert verdict(b"\x80", "model.pkl") == "unreadable"


def test_embedded_archives_of_other_kinds_are_still_read() -> None:
    assert verdict(torch_zip(TENSOR), "m.pt") == "safe"
    assert verdict(archive({"a.npy": npy("'<f8'", "(1,)", bytes(8))}), "a.npz") == "safe"
    header = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    assert verdict(safetensors(header, bytes(8)) + archive({"a.pkl": evil()})) == "dangerous"
    packed = archive({"a.pkl": evil()}, compression=zipfile.ZIP_BZIP2)
    assert verdict(packed, "a.zip") == "dangerous"
