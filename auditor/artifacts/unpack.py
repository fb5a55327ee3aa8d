"""Decompression into bounded windows: memory for what is small, an unnamed file for the rest."""

from __future__ import annotations

import mmap
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, Protocol

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import Limits

_IN = 1 << 18
_OUT = 1 << 20


class TooMuchError(Exception):
    """A limit was hit: a bomb, or more than may be unpacked at all."""


class CorruptError(Exception):
    """The compressed stream is damaged; ``got`` is what could be unpacked before.

    ``unended``: nothing in it is wrong, it stops before its end.
    """

    def __init__(self, message: str, got: Blob | None = None, *, unended: bool = False) -> None:
        super().__init__(message)
        self.got = got
        self.unended = unended


class _UnendedError(EOFError):
    pass


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
            raise _UnendedError("the compressed stream ends in the middle")
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
    "lz4": lambda: _Lz4(),
    "zstd": lambda: _Zstd(),
}


class _Lz4:
    """One LZ4 frame; the library gives no trailing bytes before the frame's end."""

    def __init__(self) -> None:
        from lz4.frame import LZ4FrameDecompressor

        self._engine: Any = LZ4FrameDecompressor()

    @property
    def eof(self) -> bool:
        return bool(self._engine.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._engine.needs_input)

    @property
    def unused_data(self) -> bytes:
        return self._engine.unused_data or b""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        try:
            return bytes(self._engine.decompress(data, max_length))
        except RuntimeError as error:
            raise ValueError(f"damaged LZ4 frame: {error}") from None


class _Zstd:
    """One Zstandard frame, fed in sips: the library bounds the window, not the output."""

    _SIP = 512  # at most 128 blocks, hence 16 MB
    _WINDOW = 1 << 27  # what `zstd -d` accepts without being told to

    def __init__(self) -> None:
        import zstandard

        self._errors = zstandard.ZstdError
        self._engine = zstandard.ZstdDecompressor(max_window_size=self._WINDOW).decompressobj()
        self._rest = b""

    @property
    def eof(self) -> bool:
        return self._engine.eof

    @property
    def needs_input(self) -> bool:
        return not self._rest

    @property
    def unused_data(self) -> bytes:
        return self._engine.unused_data + self._rest

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        data = self._rest + data
        at = size = 0
        parts: list[bytes] = []
        try:
            while at < len(data) and not self._engine.eof and not 0 <= max_length <= size:
                parts.append(self._engine.decompress(data[at : at + self._SIP]))
                at += self._SIP
                size += len(parts[-1])
        except self._errors as error:
            raise ValueError(f"damaged zstd frame: {error}") from None
        self._rest = data[at:]
        return b"".join(parts)


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
    """(unpacked bytes, packed bytes consumed). Concatenated members are joined as loaders do.

    Raises TooMuchError, or CorruptError with what was unpacked so far.
    """
    if method == "joblib-zfile":
        return _zfile(blob, budget)
    spool = Spool(budget, len(blob))
    consumed = 0
    members = 0
    try:
        while True:
            consumed += _skippable(blob, consumed) if method in ("lz4", "zstd") else 0
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
        unended = isinstance(error, _UnendedError)
        message = str(error) or type(error).__name__
        raise CorruptError(message, spool.blob(), unended=unended) from None
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


_JOINED = {
    "gzip": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\x00", "lz4": b"\x04\x22\x4d\x18",
    "zstd": b"\x28\xb5\x2f\xfd",
}  # fmt: skip


def _skippable(blob: Blob, at: int) -> int:
    """Length of the frames here that LZ4 and Zstandard decoders step over."""
    begin = at
    while True:
        head = blob.read(at, 8)
        if len(head) < 8 or head[0] >> 4 != 5 or head[1:4] != b"\x2a\x4d\x18":
            return at - begin
        at += 8 + int.from_bytes(head[4:], "little")
        if at > len(blob):
            raise EOFError("a frame to step over ends in the middle")
