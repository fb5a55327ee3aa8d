"""The dynamic section, against files made here and the loader's own view."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.linking import elf


def shared_object(
    needed: list[str], *, soname: str = "", search: str = "", wide: bool = True, big: bool = False
) -> bytes:
    """The smallest ELF file with a dynamic section: header, two program headers, strings."""
    order = ">" if big else "<"
    strings = b"\0"
    entries: list[tuple[int, int]] = []

    def put(tag: int, text: str) -> None:
        nonlocal strings
        entries.append((tag, len(strings)))
        strings += text.encode() + b"\0"

    for name in needed:
        put(1, name)
    if soname:
        put(14, soname)
    if search:
        put(29, search)
    head = 64 if wide else 52
    size = 56 if wide else 32
    start = head + 2 * size
    width = 16 if wide else 8
    address = 0x1000
    count = len(entries) + 3
    table = start + count * width
    entries += [(5, address + table), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack(f"{order}{'QQ' if wide else 'II'}", *e) for e in entries)
    total = table + len(strings)

    def segment(kind: int, offset: int, length: int) -> bytes:
        if wide:
            return struct.pack(
                f"{order}IIQQQQQQ", kind, 4, offset, address + offset, 0, length, length, 1
            )
        return struct.pack(
            f"{order}IIIIIIII", kind, offset, address + offset, 0, length, length, 4, 1
        )

    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    layout = f"{order}HHIQQQIHHHHHH" if wide else f"{order}HHIIIIIHHHHHH"
    header = ident + struct.pack(layout, 3, 62, 1, 0, head, 0, 0, head, size, 2, 0, 0, 0)
    return header + segment(1, 0, total) + segment(2, start, len(dynamic)) + dynamic + strings


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("big", [True, False])
def test_reads_what_was_written(wide: bool, big: bool) -> None:
    data = shared_object(
        ["libGL.so.1", "libc.so.6"],
        soname="libcv.so.4",
        search="$ORIGIN/../x:/y",
        wide=wide,
        big=big,
    )
    facts = elf.parse(data)
    assert facts is not None
    assert facts.needed == ("libGL.so.1", "libc.so.6")
    assert facts.soname == "libcv.so.4"
    assert facts.search == ("$ORIGIN/../x", "/y")
    assert facts.bits == (64 if wide else 32)


@pytest.mark.skipif(sys.platform != "linux", reason="needs an ELF interpreter")
def test_agrees_with_the_loader() -> None:
    binary = Path(sys.executable).resolve()
    facts = elf.parse(binary.read_bytes())
    assert facts is not None and facts.needed
    listed = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)
    for name in facts.needed:
        assert name in listed.stdout
    assert facts.interpreter and facts.interpreter.startswith("/lib")


@given(st.binary(max_size=400))
@settings(max_examples=100)
def test_never_raises(noise: bytes) -> None:
    elf.parse(noise)
    elf.parse(b"\x7fELF\x02\x01" + noise)


@given(st.data())
@settings(max_examples=150)
def test_damage_is_no_crash(data: st.DataObject) -> None:
    whole = bytearray(shared_object(["liba.so.1", "libb.so.2"], soname="libc.so.3"))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    facts = elf.parse(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    assert facts is None or len(facts.needed) <= 4096
