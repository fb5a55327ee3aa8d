"""Archives as their loaders read them: a payload that ``zipfile`` or ``tarfile`` get out is seen."""

import contextlib
import io
import struct
import tarfile
import time
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.artifacts.scan import scan_bytes
from tests.artifacts.streams import archive, evil, stream

GOOD = stream(b"]K\x01a")
EVIL = evil()


def read_by_zipfile(data: bytes) -> Iterator[bytes]:
    """What ``zipfile`` hands out, by entry and by name; nothing where it refuses."""
    with contextlib.suppress(Exception), zipfile.ZipFile(io.BytesIO(data)) as file:
        for info in file.infolist():
            for wanted in (info, info.filename):
                with contextlib.suppress(Exception):
                    yield file.read(wanted)


def read_by_tarfile(data: bytes) -> Iterator[bytes]:
    """What ``tarfile`` hands out, links followed inside the archive."""
    with contextlib.suppress(Exception), tarfile.open(fileobj=io.BytesIO(data)) as file:
        for info in file:
            with contextlib.suppress(Exception):
                got = file.extractfile(info)
                if got is not None:
                    yield got.read()


def verdict(data: bytes) -> str:
    return scan_bytes(data, "model.bin")[0].verdict


def rules(data: bytes) -> set[str]:
    return {i.rule for f in scan_bytes(data, "m.bin") for i in f.issues if i.verdict != "safe"}


def forced_zip64(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in members.items():
            with file.open(name, "w", force_zip64=True) as entry:
                entry.write(data)
    return out.getvalue()


def with_end64(data: bytes) -> bytes:
    """The same archive, its end said by a ZIP64 record."""
    at = data.rindex(b"PK\x05\x06")
    count, size, start = struct.unpack("<10xHLL", data[at : at + 20])
    record = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, count, count, size, start)
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, at, 1)
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:at] + record + locator + end


ARCHIVES = {
    "stored": archive({"a.txt": b"hello", "m/data.pkl": EVIL}),
    "deflated": archive({"m/data.pkl": EVIL, "a.txt": b"hello"}, compression=zipfile.ZIP_DEFLATED),
    "zip64": forced_zip64({"m/data.pkl": EVIL}),
    "end64": with_end64(archive({"m/data.pkl": EVIL})),
    "nested": archive({"x/y.bin": archive({"deep": EVIL})}),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_any_byte_of_a_header_changed(name: str) -> None:
    """Only bytes outside the content: zipfile reads the payload still, or it does not."""
    whole = ARCHIVES[name]
    assert EVIL in list(read_by_zipfile(whole)) or name == "nested"
    content = whole.find(EVIL) if EVIL in whole else len(whole)
    read = 0
    for at in range(len(whole)):
        if content <= at < content + len(EVIL):
            continue
        for value in (0x00, 0x01, 0x7F, 0xFF, whole[at] ^ 0x20):
            data = whole[:at] + bytes([value]) + whole[at + 1 :]
            if any(EVIL in got for got in read_by_zipfile(data)):
                read += 1
                assert verdict(data) != "safe", (at, value)
    assert read > 100


@given(st.sampled_from(sorted(ARCHIVES)), st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4))  # fmt: skip
def test_several_places_changed(name: str, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(ARCHIVES[name])
    for at, value in changes:
        data[at : at + len(value)] = value
    if any(EVIL in got for got in read_by_zipfile(bytes(data))):
        assert verdict(bytes(data)) != "safe"


@pytest.mark.parametrize("good", [forced_zip64({"a.pkl": GOOD}), with_end64(archive({"a": GOOD}))])
def test_zip64_as_written_is_safe(good: bytes) -> None:
    assert list(read_by_zipfile(good))
    assert verdict(good) == "safe"


@pytest.mark.parametrize("order", [(GOOD, EVIL), (EVIL, GOOD)])
@pytest.mark.parametrize("names", [("m/data.pkl", "m/data.pkl"), ("m/data.pkl", "m/DATA.PKL"), ("m/data.pkl", "M/data.pkl"), ("m/data.pkl", "other/data.pkl"), ("data.pkl", "a/b/c/data.pkl")])  # fmt: skip
def test_two_entries_for_one_name(names: tuple[str, str], order: tuple[bytes, bytes]) -> None:
    """Which of the two is loaded depends on the loader, and on the file system."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file, pytest.warns(UserWarning) if names[0] == names[1] else contextlib.nullcontext():  # fmt: skip
        for name, data in zip(names, order, strict=True):
            file.writestr(name, data)
    assert verdict(out.getvalue()) == "dangerous"


@pytest.mark.parametrize("front", [b"\x7fELF" + bytes(60), GOOD, b"#!/bin/sh\nexit\n", bytes(513)])
def test_data_in_front(front: bytes) -> None:
    data = front + ARCHIVES["stored"]
    assert EVIL in list(read_by_zipfile(data))
    assert verdict(data) != "safe"


@pytest.mark.parametrize("tail", [b"\0" * 3, b"x" * 200, archive({"a": GOOD}), b"PK\x05\x06" + bytes(18)])  # fmt: skip
def test_data_behind(tail: bytes) -> None:
    data = ARCHIVES["stored"] + tail
    assert verdict(data) != "safe"


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "C:\\x", "..\\x", "\\\\host\\x", "a\0b.pkl"])  # fmt: skip
def test_names_that_leave_the_directory(name: str) -> None:
    data = archive({"placeholder-name": b"words"})
    raw = name.encode().ljust(len("placeholder-name"), b"x")
    assert "ART010" in rules(data.replace(b"placeholder-name", raw))


def test_links_in_zip() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        file.writestr(info, "/etc/passwd")
    assert "ART010" in rules(out.getvalue())


def test_bombs_are_bounded() -> None:
    zeros = archive({"z": bytes(32 << 20)}, compression=zipfile.ZIP_DEFLATED)
    many = archive({f"{n}.zip": zeros for n in range(8)}, compression=zipfile.ZIP_DEFLATED)
    deep = zeros
    for _ in range(12):
        deep = archive({"a.zip": deep}, compression=zipfile.ZIP_DEFLATED)
    # Entries that share their bytes: a small file that unpacks to much more.
    single = archive({"a": bytes(1 << 20)}, compression=zipfile.ZIP_DEFLATED)
    at = single.index(b"PK\x01\x02")
    end = single.index(b"PK\x05\x06")
    central = single[at:end] * 400
    shared = single[:at] + central + b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 400, 400, len(central), at, 0)  # fmt: skip
    started = time.process_time()
    assert verdict(zeros) == verdict(many) == "safe"
    assert "safe" not in (verdict(deep), verdict(shared))
    assert time.process_time() - started < 10


# -- tar -------------------------------------------------------------------------------------------


def tar_of(*members: tuple[str, bytes], form: int = tarfile.PAX_FORMAT, **more: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in more.items():
                setattr(info, key, value)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["m.pkl", "d/" * 40 + "m.pkl", "ü/m.pkl"])
def test_forms_of_tar(form: int, name: str) -> None:
    with contextlib.suppress(ValueError):
        assert verdict(tar_of((name, GOOD), form=form)) == "safe"
        assert verdict(tar_of(("a", b"x"), (name, EVIL), form=form)) == "dangerous"


def sealed(header: bytes) -> bytes:
    """A header of 512 bytes with its checksum computed anew."""
    plain = header[:148] + b" " * 8 + header[156:]
    return plain[:148] + b"%06o\0 " % sum(plain) + plain[156:]


def test_any_field_of_a_tar_header_changed() -> None:
    whole = tar_of(("m.pkl", EVIL), form=tarfile.USTAR_FORMAT)
    read = 0
    for at in [n for n in range(512) if not 148 <= n < 156]:
        for value in (0x00, 0x31, 0x35, 0x53, 0x80, 0xFF):
            data = sealed(whole[:at] + bytes([value]) + whole[at + 1 : 512]) + whole[512:]
            if any(EVIL in got for got in read_by_tarfile(data)):
                read += 1
                assert verdict(data) != "safe", (at, value)
    assert read > 500


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])  # fmt: skip
def test_links_and_devices(kind: bytes) -> None:
    data = tar_of(("x", b""), type=kind, linkname="/etc/passwd")
    assert "ART010" in rules(data)


def test_what_stands_behind_the_end_of_a_tar() -> None:
    assert verdict(tar_of(("a", b"x")) + tar_of(("m.pkl", EVIL))) != "safe"


def test_a_size_that_is_said_twice() -> None:
    """A PAX header overrules the size: the two readings differ by what lies between."""
    data = tar_of(("m.pkl", EVIL), pax_headers={"size": str(len(EVIL))})
    assert EVIL in list(read_by_tarfile(data))
    assert verdict(data) == "dangerous"
