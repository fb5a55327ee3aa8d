"""What the restricted unpickler of torch accepts, and the first thing that it does not.

``tools/compare_weights_only.py`` asks the real one.
"""

import struct

import pytest

from auditor.artifacts.scan import scan_bytes
from tests.artifacts.streams import archive, call, glob, short, stream, text
from tests.artifacts.test_formats import STORAGE, TENSOR, tar_of, torch_zip
from tests.artifacts.test_formats import member as tar_member
from tests.artifacts.test_polyglots import STORED, torch_bytes

ORDERED = glob("collections", "OrderedDict") + b")R"
COUNTER = glob("collections", "Counter") + b")R"
PARAMETER = glob("torch._utils", "_rebuild_parameter") + b"(" + TENSOR + b"\x88" + ORDERED + b"tR"


def judged(body: bytes, proto: int = 2) -> tuple[bool | None, tuple[str, ...]]:
    data = archive({"m/data.pkl": stream(body, proto), "m/version": b"3\n", "m/data/0": bytes(8)})
    facts = scan_bytes(data, "m.pt")[0]
    return facts.weights_only, facts.weights_only_objections


@pytest.mark.parametrize(
    "body",
    [
        TENSOR,
        PARAMETER,
        b"}" + text("w") + TENSOR + b"s",
        ORDERED + b"(" + text("w") + TENSOR + b"u}" + text("_metadata") + b"}sb",
        COUNTER + b"(" + text("a") + b"K\x01u",
        b"](K\x01K\x02e]a",
        glob("builtins", "set") + b"](K\x01e\x85R",
        glob("__builtin__", "set") + b"](K\x01e\x85R",  # torch maps the names of Python 2
        b"(K\x01M\x01\x02J\x01\x02\x03\x04G" + bytes(8) + b"N\x88\x89\x8a\x01\x05U\x01xt",
        b"q\x00h\x00".join((b"]", b"\x86")),
        glob("torch", "float16"),
    ],
)
def test_what_it_accepts(body: bytes) -> None:
    assert judged(body) == (True, ())
    assert judged(body, 3) == (True, ())  # the protocol is a warning, its opcodes decide


@pytest.mark.parametrize(
    ("body", "objection"),
    [
        (glob("os", "system") + text("id") + b"\x85R", "os.system"),
        (short("x"), "the opcode SHORT_BINUNICODE, which is not understood"),
        (b"\x95" + bytes(8) + b"N", "the opcode FRAME, which is not understood"),
        (b"C\x01x", "the opcode SHORT_BINBYTES, which is not understood"),
        (b"(lN\x61", "the opcode LIST, which is not understood"),
        (b"N)R", "calls a number"),
        (text("x") + b")\x81", "makes an instance of a text"),
        (b"}}b", "sets the state of a dict"),
        (b")K\x01a", "appends to a tuple"),
        (TENSOR + b"K\x01K\x02s", "sets items of an object"),
        (b"K\x01]K\x02s", "sets items of a number"),
        (text("x") + b"Q", "a persistent id that is no tuple"),
        (b"(" + text("module") + b"NtQ", "a persistent id that stands for no storage"),
    ],
)
def test_where_it_stops(body: bytes, objection: str) -> None:
    accepted, why = judged(body)
    assert accepted is False
    assert objection in why


def test_every_refused_name_is_told() -> None:
    body = b"]" + glob("a.b", "C") + b")R" + b"a" + glob("d", "e") + b")\x81}ba"
    assert judged(body) == (False, ("a.b.C", "d.e"))


def test_the_old_formats() -> None:
    facts = scan_bytes(torch_bytes(STORED), "m.pt")[0]
    assert (facts.format, facts.weights_only) == ("torch-legacy", True)
    untyped = STORED.replace(glob("torch", "FloatStorage"), glob("torch.storage", "UntypedStorage"))
    facts = scan_bytes(torch_bytes(untyped), "m.pt")[0]
    assert facts.weights_only_objections == ("an untyped storage in the old format",)
    names = ("pickle", "storages", "tensors")
    tar = tar_of(*((tar_member(name), stream(b"]", 2)) for name in names))
    facts = scan_bytes(tar, "m.pt")[0]
    assert facts.weights_only_objections == ("it is in the old tar format",)


def test_damage_is_no_acceptance() -> None:
    for body in (b"0", b"X" + struct.pack("<I", 9), b"h\x05", b"t", b"cos", STORAGE[:-1] + b"R"):
        assert judged(body)[0] is False
    assert scan_bytes(torch_zip(call(glob("x", "y")))[:-40], "m.pt")[0].weights_only is not True
