"""Formats told by structure, and files that nothing here reads."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.__main__ import main
from auditor.artifacts.blob import Blob
from auditor.artifacts.inert import packed
from auditor.artifacts.scan import scan_bytes, scan_file

NOISE = b"\xf5" + random.Random(5).randbytes(3000)
FLOATS = random.Random(6).randbytes(480)
FAISS = b"IxF2" + struct.pack("<iqqqBi", 4, 30, 1 << 20, 1 << 20, 1, 1) + FLOATS
# Two files of definitions: the name, the package, one message without fields.
DESCRIPTORS = b"".join(
    b"\x0a" + bytes([len(file)]) + file
    for file in (
        b"\x0a" + bytes([len(name)]) + name + b"\x12\x04shop" + b"\x22\x05\x0a\x03Row"
        for name in (b"shop/row.proto", b"shop/service.proto")
    )
)
# Every piece of a SentencePiece model: its text, its score, its kind.
PIECES = b"".join(
    b"\x0a" + bytes([len(piece)]) + piece
    for piece in (
        b"\x0a" + bytes([len(word)]) + word + b"\x15" + struct.pack("<f", -score) + b"\x18\x02"
        for score, word in enumerate((b"<unk>", b"<s>", "▁a".encode(), b"b" * 30))
    )
)
WORDS = b"3 10\n" + b"".join(word + b" " + FLOATS[:40] + b"\n" for word in (b"a", b"bc", b"d"))
TABLE = FLOATS + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (FAISS, "faiss"),
        (PIECES, "sentencepiece"),
        (DESCRIPTORS, "protobuf-descriptors"),
        (WORDS, "word2vec"),
        (TABLE, "leveldb-table"),
        (b"\xba\x16\x4f\x2f" + FLOATS, "fasttext"),
        (b"SQLite format 3\x00" + FLOATS, "sqlite"),
        (b"\x82\xa1a\x93\x01\xc0\xcb" + FLOATS[:8] + b"\xa1b\xc4\x03xyz", "messagepack"),
        (b"\x08\x04\x12\x02\x0a\x00\xe2\x12\x03\x0a\x01a", "coreml"),
    ],
)
def test_a_format_is_told_by_its_structure(data: bytes, form: str) -> None:
    found = scan_bytes(data, "weights.bin")[0]
    assert (found.format, found.verdict, found.issues) == (form, "safe", ())
    squeezed = scan_bytes(zlib.compress(data), "weights.bin")[0]
    assert (squeezed.format, squeezed.container, squeezed.verdict) == (form, "zlib", "safe")


@pytest.mark.parametrize("data", [FAISS, PIECES, DESCRIPTORS, WORDS, TABLE])
def test_what_only_begins_like_one_is_not_taken_for_it(data: bytes) -> None:
    assert scan_bytes(data[:20] + NOISE, "weights.bin")[0].verdict == "unreadable"


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress, zlib.compress])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (NOISE, "no format that is known"),
        (b"RDX3\nX\n\0\0\0\3\0" + NOISE, "workspace of R"),
        (b"X\n\0\0\0\3\0\4\1\2" + NOISE, "object of R"),
        (b"\xac\xed\x00\x05sr" + NOISE, "Java"),
        (struct.pack("<iii", 4, 1, 3) + b"V 1" + NOISE, "Torch 7"),
    ],
)
def test_what_nothing_here_reads_is_said_to_be_unread(
    data: bytes, words: str, squeeze: type
) -> None:
    found = scan_bytes(squeeze(data), "thing")[0]
    assert found.verdict == "unreadable"
    assert any(words in issue.message for issue in found.issues)


def test_a_named_file_of_no_known_format_does_not_pass(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thing").write_bytes(NOISE)
    assert main(["scan", str(tmp_path / "thing")]) == 1
    assert "1 unreadable of 1 artifact" in capfd.readouterr().err


@pytest.mark.parametrize(("name", "told"), [("noise.gif", False), ("model.ubj", True)])
def test_in_a_folder_the_name_says_whether_it_is_meant_as_a_model(
    tmp_path: Path, name: str, told: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(NOISE)
    main(["scan", str(tmp_path)])
    assert (name in capfd.readouterr().out) is told


def test_arrays_that_msgpack_numpy_unpickles_are_a_doubt() -> None:
    array = b"\x83\xc4\x02nd\xc3\xc4\x04kind\xc4\x01O\xc4\x04data\xc4\x03abc"
    found = scan_bytes(array, "model")[0]
    assert (found.format, found.verdict) == ("messagepack", "suspicious")


@pytest.mark.parametrize(
    ("name", "beside", "content", "form"),
    [
        ("variables.data-00000-of-00001", "variables.index", TABLE, "tensorflow-tensors"),
        ("net.bin", "net.xml", b'<?xml version="1.0"?><net name="a">', "openvino-weights"),
        ("m.onnx.data", "m.onnx", b"\x08\x07", "onnx-weights"),
    ],
)
def test_numbers_belong_to_the_model_beside_them(
    tmp_path: Path, name: str, beside: str, content: bytes, form: str
) -> None:
    (tmp_path / name).write_bytes(NOISE)
    assert scan_file(tmp_path / name, display_path=name)[0].verdict == "unreadable"
    (tmp_path / beside).write_bytes(content)
    found = scan_file(tmp_path / name, display_path=name)[0]
    assert (found.format, found.verdict) == (form, "safe")


def _write(value: object) -> bytes:
    """MessagePack of some values, in one of its encodings."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xd3" + value.to_bytes(8, "big", signed=True)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        raw = value.encode()
        return (bytes([0xA0 + len(raw)]) if len(raw) < 32 else b"\xda" + struct.pack(">H", len(raw))) + raw  # fmt: skip
    if isinstance(value, bytes):
        return b"\xc5" + struct.pack(">H", len(value)) + value
    if isinstance(value, list):
        head = bytes([0x90 + len(value)]) if len(value) < 16 else b"\xdc" + struct.pack(">H", len(value))  # fmt: skip
        return head + b"".join(map(_write, value))
    assert isinstance(value, dict)
    return b"\xde" + struct.pack(">H", len(value)) + b"".join(_write(k) + _write(v) for k, v in value.items())  # fmt: skip


_LEAVES = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats() | st.text()
    | st.binary(max_size=300)
)  # fmt: skip


@given(
    st.lists(
        st.recursive(
            _LEAVES,
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=30,
        )
    ),
    st.binary(min_size=1, max_size=4),
)
def test_messagepack_is_followed_to_its_end(value: list[object], more: bytes) -> None:
    data = _write(value)
    assert packed(Blob(data))
    assert not packed(Blob(data + more))
    assert not packed(Blob(data[:-1])) or not value
