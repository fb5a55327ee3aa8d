"""7z archives: enough of the format (7zFormat.txt of the LZMA SDK) to see what is inside.

Folders of one coder chain with stored, LZMA, LZMA2, Deflate, BZip2, Delta and BCJ; what is encrypted or uses other
methods is said to be unread.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from struct import Struct
from typing import Any

from auditor.artifacts.blob import Blob
from auditor.artifacts.unpack import Budget, CorruptError, Spool
from auditor.values import field, record

_START = Struct("<QQL")
_MAX_HEADER = 64 << 20
_MAX_FILES = 100_000


class NotReadError(Exception):
    """The archive is damaged, encrypted, or uses a method that is not read."""


@record
class _Folder:
    coders: list[tuple[bytes, bytes]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    pack_streams: int = 1
    main: int = 0
    files: list[int] = field(default_factory=list)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise NotReadError("its header ends in the middle")
        self.at += 1
        return self.data[self.at - 1]

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.data):
            raise NotReadError("its header ends in the middle")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self) -> int:
        first = self.byte()
        mask = 0x80
        value = 0
        for index in range(8):
            if not first & mask:
                return value + ((first & (mask - 1)) << (8 * index))
            value |= self.byte() << (8 * index)
            mask >>= 1
        return value

    def count(self) -> int:
        value = self.number()
        if value > _MAX_FILES:
            raise NotReadError("it claims too many entries")
        return value

    def bits(self, count: int) -> list[bool]:
        out: list[bool] = []
        for _ in range((count + 7) // 8):
            byte = self.byte()
            out += [bool(byte & (0x80 >> i)) for i in range(8)]
        return out[:count]

    def defined(self, count: int) -> list[bool]:
        return [True] * count if self.byte() else self.bits(count)


def members(blob: Blob, budget: Budget) -> list[tuple[str, Blob]]:
    """(name, content) of every file. Raises NotReadError and TooMuchError."""
    start = blob.unpack(_START, 12)
    if start is None:
        raise NotReadError("it is cut off")
    offset, size, crc = start
    if size > _MAX_HEADER or 32 + offset + size > len(blob):
        raise NotReadError("its header lies beyond the file")
    header = blob.read(32 + offset, size)
    if zlib.crc32(header) != crc:
        raise NotReadError("its header does not match its checksum")
    for _ in range(4):
        if not header:
            return []
        reader = _Reader(header)
        kind = reader.byte()
        if kind == 0x01:
            return _header(reader, blob, budget)
        if kind != 0x17:
            break
        folders, packs, where = _streams(reader)
        if not folders:
            raise NotReadError("its header is empty")
        parts = _unpack(blob, folders[:1], packs, where, budget)
        header = parts[0].read(0, _MAX_HEADER)
    raise NotReadError("its header is not understood")


def _header(reader: _Reader, blob: Blob, budget: Budget) -> list[tuple[str, Blob]]:
    folders: list[_Folder] = []
    packs: list[int] = []
    where = 0
    names: list[str] = []
    empty: list[bool] = []
    while True:
        kind = reader.byte()
        if kind == 0x00:
            break
        if kind == 0x04:
            folders, packs, where = _streams(reader)
        elif kind == 0x05:
            names, empty = _files(reader)
        elif kind == 0x02:
            while (inner := reader.number()) != 0:
                reader.take(reader.number())
                _ = inner
        else:
            raise NotReadError("its header is not understood")
    unpacked = _unpack(blob, folders, packs, where, budget)
    pieces: list[Blob] = []
    for folder, whole in zip(folders, unpacked, strict=True):
        at = 0
        for size in folder.files:
            pieces.append(whole.window(at, size))
            at += size
    out: list[tuple[str, Blob]] = []
    stream = iter(pieces)
    for index, name in enumerate(names):
        if index < len(empty) and empty[index]:
            continue
        piece = next(stream, None)
        if piece is None:
            raise NotReadError("it lists more files than it holds")
        out.append((name, piece))
    for number, piece in enumerate(stream):
        out.append((f"unnamed-{number}", piece))
    return out


def _streams(reader: _Reader) -> tuple[list[_Folder], list[int], int]:
    where = 0
    packs: list[int] = []
    folders: list[_Folder] = []
    while True:
        kind = reader.byte()
        if kind == 0x00:
            break
        if kind == 0x06:
            where = reader.number()
            count = reader.count()
            while (inner := reader.byte()) != 0x00:
                if inner == 0x09:
                    packs = [reader.number() for _ in range(count)]
                elif inner == 0x0A:
                    reader.take(4 * sum(reader.defined(count)))
                else:
                    raise NotReadError("its header is not understood")
        elif kind == 0x07:
            if reader.byte() != 0x0B:
                raise NotReadError("its header is not understood")
            count = reader.count()
            if reader.byte():
                raise NotReadError("its header lies elsewhere")
            folders = [_folder(reader) for _ in range(count)]
            while (inner := reader.byte()) != 0x00:
                if inner == 0x0C:
                    for folder in folders:
                        folder.sizes = [reader.number() for _ in folder.coders]
                elif inner == 0x0A:
                    reader.take(4 * sum(reader.defined(len(folders))))
                else:
                    raise NotReadError("its header is not understood")
            for folder in folders:
                if not folder.sizes:
                    raise NotReadError("its header is not understood")
                folder.files = [folder.sizes[folder.main]]
        elif kind == 0x08:
            _substreams(reader, folders)
        else:
            raise NotReadError("its header is not understood")
    return folders, packs, where


def _substreams(reader: _Reader, folders: list[_Folder]) -> None:
    counts = [1] * len(folders)
    kind = reader.byte()
    if kind == 0x0D:
        counts = [reader.count() for _ in folders]
        kind = reader.byte()
    sizes: list[list[int]] = []
    for folder, count in zip(folders, counts, strict=True):
        total = folder.sizes[folder.main]
        here: list[int] = []
        if kind == 0x09 and count > 1:
            here = [reader.number() for _ in range(count - 1)]
        if count:
            here.append(total - sum(here))
        sizes.append(here)
    if kind == 0x09:
        kind = reader.byte()
    for folder, here in zip(folders, sizes, strict=True):
        if any(size < 0 for size in here):
            raise NotReadError("its files are larger than its data")
        folder.files = here
    while kind != 0x00:
        if kind != 0x0A:
            raise NotReadError("its header is not understood")
        unknown = sum(c for c in counts if c != 1) + sum(1 for c in counts if c == 1)
        reader.take(4 * sum(reader.defined(unknown)))
        kind = reader.byte()


def _folder(reader: _Reader) -> _Folder:
    folder = _Folder()
    coders = reader.count()
    if not 1 <= coders <= 8:
        raise NotReadError("its header is not understood")
    for _ in range(coders):
        flags = reader.byte()
        method = reader.take(flags & 0x0F)
        if flags & 0x10:
            inputs, outputs = reader.number(), reader.number()
            if inputs != 1 or outputs != 1:
                raise NotReadError("it uses a coder of several streams, which is not read")
        properties = reader.take(reader.number()) if flags & 0x20 else b""
        folder.coders.append((method, properties))
    bonds = [(reader.number(), reader.number()) for _ in range(coders - 1)]
    bound_outputs = {out for _, out in bonds}
    main = [i for i in range(coders) if i not in bound_outputs]
    folder.main = main[0] if main else 0
    return folder


def _files(reader: _Reader) -> tuple[list[str], list[bool]]:
    count = reader.count()
    names: list[str] = []
    empty: list[bool] = []
    while (kind := reader.byte()) != 0x00:
        size = reader.number()
        raw = reader.take(size)
        if kind == 0x11:
            text = raw[1:].decode("utf-16-le", "replace")
            names = text.split("\x00")[:count]
        elif kind == 0x0E:
            empty = _Reader(raw).bits(count)
    if len(names) < count:
        names += [f"unnamed-{i}" for i in range(len(names), count)]
    return names, empty


def _unpack(
    blob: Blob, folders: list[_Folder], packs: list[int], where: int, budget: Budget
) -> list[Blob]:
    out: list[Blob] = []
    at = 32 + where
    for folder, size in zip(folders, packs, strict=False):
        packed = blob.window(at, size)
        at += size
        out.append(_decode(packed, folder, budget))
    if len(out) < len(folders):
        raise NotReadError("it holds less data than it lists")
    return out


_BCJ: dict[bytes, int] = {
    b"\x03\x03\x01\x03": lzma.FILTER_X86,
    b"\x04": lzma.FILTER_X86,
    b"\x03": lzma.FILTER_DELTA,
}


def _decode(packed: Blob, folder: _Folder, budget: Budget) -> Blob:
    chain: list[dict[str, Any]] = []
    for method, properties in folder.coders:
        if method == b"\x00":
            continue
        if method == b"\x21" and properties:
            chain.append({"id": lzma.FILTER_LZMA2, "dict_size": _dictionary(properties[0])})
        elif method == b"\x03\x01\x01" and len(properties) >= 5:
            lc, rest = properties[0] % 9, properties[0] // 9
            chain.append(
                {
                    "id": lzma.FILTER_LZMA1,
                    "lc": lc,
                    "lp": rest % 5,
                    "pb": rest // 5,
                    "dict_size": min(int.from_bytes(properties[1:5], "little"), 256 << 20),
                }
            )
        elif method in _BCJ:
            entry: dict[str, Any] = {"id": _BCJ[method]}
            if method == b"\x03":
                entry["dist"] = (properties[0] if properties else 0) + 1
            chain.insert(0, entry)
        elif method in (b"\x04\x01\x08", b"\x04\x02\x02") and len(folder.coders) == 1:
            return _run(
                zlib.decompressobj(-15) if method == b"\x04\x01\x08" else bz2.BZ2Decompressor(),
                packed,
                folder.sizes[folder.main],
                budget,
            )
        elif method == b"\x06\xf1\x07\x01":
            raise NotReadError("it is encrypted")
        else:
            raise NotReadError(f"it uses the method {method.hex()}, which is not read")
    if not chain:
        return packed
    try:
        engine = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain)
    except (lzma.LZMAError, ValueError) as error:
        raise NotReadError(f"its method is not read: {error}") from None
    return _run(engine, packed, folder.sizes[folder.main], budget)


def _dictionary(code: int) -> int:
    if code > 40:
        raise NotReadError("its dictionary size is not valid")
    size = 0xFFFFFFFF if code == 40 else (2 | code & 1) << (code // 2 + 11)
    return min(size, 256 << 20)


def _run(engine: Any, packed: Blob, size: int, budget: Budget) -> Blob:
    spool = Spool(budget, len(packed))
    at = 0
    pending = b""
    try:
        while spool.size < size:
            needs = getattr(engine, "needs_input", True)
            if needs and not pending:
                pending = packed.read(at, 1 << 18)
                at += len(pending)
                if not pending:
                    break
            data = engine.decompress(pending, 1 << 20)
            pending = getattr(engine, "unconsumed_tail", b"")
            spool.write(data[: size - spool.size])
            if engine.eof:
                break
    except (lzma.LZMAError, zlib.error, OSError, ValueError, EOFError) as error:
        raise NotReadError(f"its data does not unpack: {error}") from None
    if spool.size < size:
        raise NotReadError("its data is cut off")
    return spool.blob()


__all__ = ["CorruptError", "NotReadError", "members"]
