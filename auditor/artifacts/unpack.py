"""Decompression into bounded windows: memory for what is small, an unnamed file for the rest."""

from __future__ import annotations

import mmap
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Protocol

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import Limits

_IN = 1 << 18
_OUT = 1 << 20


class TooMuchError(Exception):
    """A limit was hit: a bomb, or more than may be unpacked at all."""


class CorruptError(Exception):
    """The compressed stream is damaged; ``got`` is what could be unpacked before."""

    def __init__(self, message: str, got: Blob | None = None) -> None:
        super().__init__(message)
        self.got = got


class Budget:
    """Bytes that may still be unpacked from one outer file."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.left = limits.unpacked

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise TooMuchError(f"unpacks to more than {self.limits.unpacked} bytes")


class Spool:
    """Collects unpacked bytes and hands them out as one blob."""

    def __init__(self, budget: Budget, packed: int) -> None:
        self._budget = budget
        self._packed = max(packed, 1)
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        try:
            self._write(data)
        except BaseException:
            if self._file is not None:
                self._file.close()
            raise

    def _write(self, data: bytes) -> None:
        self._budget.take(len(data))
        self.size += len(data)
        limits = self._budget.limits
        if self.size > limits.bomb and self.size > limits.ratio * self._packed:
            raise TooMuchError(
                f"is a compression bomb: {self._packed} bytes unpack to more than {self.size}"
            )
        if self._file is not None:
            self._file.write(data)
            return
        self._parts.append(data)
        if self.size > limits.spool:
            import tempfile

            self._file = tempfile.TemporaryFile()  # noqa: SIM115
            self._file.writelines(self._parts)
            self._parts = []

    def blob(self) -> Blob:
        if self._file is None:
            data = b"".join(self._parts)
            self._parts = []
            return Blob(data)
        self._file.flush()
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._file.close()
        return Blob(mapped)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def _steps(
    blob: Blob, make: Callable[[], _Decompressor], feed: Callable[[_Decompressor, bytes], bytes]
) -> Iterator[tuple[bytes, int]]:
    """(output, input consumed so far) until the stream ends."""
    engine = make()
    offset = 0
    while not engine.eof:
        chunk = blob.read(offset, _IN)
        if not chunk:
            raise EOFError("the compressed stream ends in the middle")
        offset += len(chunk)
        data = feed(engine, chunk)
        while True:
            yield data, offset - len(engine.unused_data)
            if engine.eof:
                break
            more = _pending(engine)
            if more is None:
                break
            data = more


def _pending(engine: _Decompressor) -> bytes | None:
    """Output that was held back by the size limit."""
    tail = getattr(engine, "unconsumed_tail", None)
    if tail is not None:  # zlib
        return engine.decompress(tail, _OUT) if tail else None
    if not getattr(engine, "needs_input", True):
        return engine.decompress(b"", _OUT)
    return None


def _feed(engine: _Decompressor, data: bytes) -> bytes:
    return engine.decompress(data, _OUT)


_ENGINES: dict[str, Callable[[], _Decompressor]] = {
    "zlib": lambda: zlib.decompressobj(),
    "deflate": lambda: zlib.decompressobj(-15),
    "gzip": lambda: zlib.decompressobj(31),
    "bz2": lambda: _bz2(),
    "xz": lambda: _lzma("FORMAT_XZ"),
    "lzma": lambda: _lzma("FORMAT_ALONE"),
}


def _bz2() -> _Decompressor:
    import bz2

    return bz2.BZ2Decompressor()


def _lzma(form: str) -> _Decompressor:
    import lzma

    return lzma.LZMADecompressor(getattr(lzma, form))


def _corruptions() -> tuple[type[Exception], ...]:
    """What decompressors raise on bad data; lzma's own only where that was imported."""
    lzma = sys.modules.get("lzma")
    common = (zlib.error, OSError, EOFError, ValueError, MemoryError)
    return common if lzma is None else (*common, lzma.LZMAError)


def unpack(blob: Blob, method: str, budget: Budget) -> tuple[Blob, int]:
    """(unpacked bytes, packed bytes consumed). Concatenated gzip, bz2 and xz members are joined.

    Raises TooMuchError, or CorruptError with what was unpacked so far.
    """
    if method == "lz4":
        return _lz4(blob, budget)
    if method == "zstd":
        from auditor.artifacts.zstd import unpack_zstd

        return unpack_zstd(blob, budget)
    if method == "joblib-zfile":
        return _zfile(blob, budget)
    spool = Spool(budget, len(blob))
    consumed = 0
    members = 0
    try:
        while True:
            rest = blob.window(consumed, len(blob))
            used = 0
            for data, read in _steps(rest, _ENGINES[method], _feed):
                spool.write(data)
                used = read
            consumed += used
            members += 1
            magic = _JOINED.get(method)
            if magic is None or members >= 10_000:
                break
            if blob.read(consumed, len(magic)) != magic:
                break
    except _corruptions() as error:
        raise CorruptError(str(error) or type(error).__name__, spool.blob()) from None
    return spool.blob(), consumed


def _zfile(blob: Blob, budget: Budget) -> tuple[Blob, int]:
    """Joblib before 0.10: ``ZF``, the length in hexadecimal (19 or 20 characters), one zlib stream."""
    start = 22 if blob.read(21, 1) == b" " else 21
    try:
        int(blob.read(2, start - 2), 16)
    except ValueError:
        raise CorruptError("its length is no number") from None
    data, used = unpack(blob.window(start, len(blob)), "zlib", budget)
    return data, start + used


_JOINED = {"gzip": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\x00"}


def _lz4(blob: Blob, budget: Budget) -> tuple[Blob, int]:
    """LZ4 frames, read by ourselves: the format is a page long (lz4_Frame_format.md)."""
    spool = Spool(budget, len(blob))
    at = 4
    try:
        flags = blob.read(at, 2)
        if len(flags) < 2 or flags[0] >> 6 != 1:
            raise ValueError("unknown LZ4 frame version")
        at += 2
        if flags[0] & 0x08:
            at += 8
        if flags[0] & 0x01:
            at += 4
        at += 1
        history = b""
        while True:
            raw = blob.read(at, 4)
            if len(raw) < 4:
                raise EOFError("the compressed stream ends in the middle")
            at += 4
            size = int.from_bytes(raw, "little")
            if size == 0:
                break
            stored = bool(size & 0x80000000)
            size &= 0x7FFFFFFF
            block = blob.read(at, size)
            if len(block) < size:
                raise EOFError("the compressed stream ends in the middle")
            at += size
            if flags[0] & 0x10:
                at += 4
            data = block if stored else lz4_block(block, history, 8 << 20)
            spool.write(data)
            history = (history + data)[-65536:] if not flags[0] & 0x20 else b""
        if flags[0] & 0x04:
            at += 4
    except (ValueError, IndexError, EOFError) as error:
        raise CorruptError(str(error) or "damaged LZ4 frame", spool.blob()) from None
    return spool.blob(), at


def lz4_block(block: bytes, history: bytes, limit: int) -> bytes:
    """One LZ4 block; matches may reach back into ``history``. ValueError when damaged."""
    out = bytearray(history)
    base = len(history)
    at = 0
    end = len(block)
    while at < end:
        token = block[at]
        at += 1
        length = token >> 4
        if length == 15:
            while True:
                byte = block[at]
                at += 1
                length += byte
                if byte != 255:
                    break
        if at + length > end:
            raise ValueError("damaged LZ4 block")
        out += block[at : at + length]
        at += length
        if at >= end:
            break
        back = block[at] | block[at + 1] << 8
        at += 2
        if back == 0 or back > len(out):
            raise ValueError("damaged LZ4 block")
        length = token & 15
        if length == 15:
            while True:
                byte = block[at]
                at += 1
                length += byte
                if byte != 255:
                    break
        length += 4
        if len(out) - base + length > limit:
            raise ValueError("an LZ4 block that is too large")
        start = len(out) - back
        if back >= length:
            out += out[start : start + length]
        else:
            piece = bytes(out[start:])
            out += (piece * (length // back + 1))[:length]
    return bytes(out[base:])
