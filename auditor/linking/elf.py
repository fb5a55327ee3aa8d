"""What a shared object asks the loader for: the dynamic section of an ELF file.

Only the program headers and the dynamic section are read (System V ABI, chapter 5); the
loader works without section headers, and so does this. Never raises on bad content.
"""

from __future__ import annotations

import struct

from auditor.values import value

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_STRSZ, _DT_RUNPATH = 1, 5, 14, 15, 10, 29
_MOST_HEADERS = 512
_MOST_ENTRIES = 4096
_LONGEST_NAME = 4096


@value
class ElfFacts:
    """The dynamic section, as far as it concerns other files.

    ``needed`` are sonames in the order of the file; ``search`` the directories of RPATH and
    RUNPATH (``$ORIGIN`` not expanded). ``machine`` is ``e_machine`` (62 is x86-64).
    """

    machine: int
    bits: int
    soname: str | None = None
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    interpreter: str | None = None


def parse(data: bytes | memoryview) -> ElfFacts | None:
    """The facts of an ELF file's bytes; None when it is not one or is damaged."""
    try:
        return _parse(memoryview(data))
    except (struct.error, ValueError, IndexError, OverflowError):
        return None


def _parse(data: memoryview) -> ElfFacts | None:
    if len(data) < 52 or bytes(data[:4]) != b"\x7fELF" or data[4] not in (1, 2):
        return None
    if data[5] not in (1, 2):
        return None
    wide = data[4] == 2
    order = "<" if data[5] == 1 else ">"
    machine = struct.unpack_from(f"{order}H", data, 18)[0]
    if wide:
        start = struct.unpack_from(f"{order}Q", data, 32)[0]
        size, count = struct.unpack_from(f"{order}HH", data, 54)
    else:
        start = struct.unpack_from(f"{order}I", data, 28)[0]
        size, count = struct.unpack_from(f"{order}HH", data, 42)
    loads: list[tuple[int, int, int]] = []
    dynamic: tuple[int, int] | None = None
    interpreter: str | None = None
    for number in range(min(count, _MOST_HEADERS)):
        at = start + number * size
        if wide:
            kind, _, offset, address, _, length = struct.unpack_from(f"{order}IIQQQQ", data, at)
        else:
            kind, offset, address, _, length = struct.unpack_from(f"{order}IIIII", data, at)
        if kind == _PT_LOAD:
            loads.append((address, offset, length))
        elif kind == _PT_DYNAMIC:
            dynamic = (offset, length)
        elif kind == _PT_INTERP and offset < len(data):
            interpreter = _text(data, offset, min(length, _LONGEST_NAME))
    facts = ElfFacts(machine=machine, bits=64 if wide else 32, interpreter=interpreter)
    if dynamic is None:
        return facts
    entry = struct.Struct(f"{order}{'QQ' if wide else 'II'}")
    needed: list[int] = []
    search: list[int] = []
    soname: int | None = None
    strings: int | None = None
    strings_size = 0
    for number in range(min(dynamic[1] // entry.size, _MOST_ENTRIES)):
        tag, content = entry.unpack_from(data, dynamic[0] + number * entry.size)
        if tag == 0:
            break
        if tag == _DT_NEEDED:
            needed.append(content)
        elif tag == _DT_SONAME:
            soname = content
        elif tag in (_DT_RPATH, _DT_RUNPATH):
            search.append(content)
        elif tag == _DT_STRTAB:
            strings = content
        elif tag == _DT_STRSZ:
            strings_size = content
    if strings is None:
        return facts
    table = next((o + strings - a for a, o, n in loads if a <= strings < a + n), None)
    if table is None or table >= len(data):
        return None
    end = min(table + strings_size, len(data)) if strings_size else len(data)

    def name(offset: int) -> str:
        return _text(data, table + offset, max(0, min(_LONGEST_NAME, end - table - offset)))

    return ElfFacts(
        machine=machine,
        bits=64 if wide else 32,
        soname=name(soname) if soname is not None else None,
        needed=tuple(dict.fromkeys(n for n in map(name, needed) if n)),
        search=tuple(p for s in search for p in name(s).split(":") if p),
        interpreter=interpreter,
    )


def _text(data: memoryview, start: int, length: int) -> str:
    return bytes(data[start : start + length]).partition(b"\0")[0].decode("utf-8", "replace")
