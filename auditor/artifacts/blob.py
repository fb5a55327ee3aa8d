"""A window onto bytes that may lie in a memory map: sliced, never copied whole."""

from __future__ import annotations

import contextlib
import mmap as _mmap
from mmap import PAGESIZE, mmap
from struct import Struct
from typing import TypeAlias

from auditor.digests import sha256

Buffer: TypeAlias = bytes | mmap

_CHUNK = 1 << 20
# Maps above this size are given back piece by piece.
_RELEASE = 32 << 20
MADV_DONTNEED: int = getattr(_mmap, "MADV_DONTNEED", 4)


class Blob:
    """The bytes ``start:end`` of a buffer; offsets below count from ``start``."""

    __slots__ = ("data", "end", "start")

    def __init__(self, data: Buffer, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.start = start
        self.end = len(data) if end is None else end

    def __len__(self) -> int:
        return self.end - self.start

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer at the end, none beyond it or before the start."""
        if offset < 0:
            return b""
        first = self.start + offset
        return self.data[first : min(first + size, self.end)] if first < self.end else b""

    def window(self, offset: int, size: int) -> Blob:
        first = min(self.start + max(offset, 0), self.end)
        return Blob(self.data, first, min(first + max(size, 0), self.end))

    def find(self, what: bytes, offset: int = 0, stop: int | None = None) -> int:
        last = self.end if stop is None else min(self.start + stop, self.end)
        first = self.start + offset
        while last - first > _RELEASE:
            found = self.data.find(what, first, first + _RELEASE)
            if found >= 0:
                return found - self.start
            self.release(first - self.start, _RELEASE)
            first += _RELEASE - len(what) + 1
        found = self.data.find(what, first, last)
        return found - self.start if found >= 0 else -1

    def rfind(self, what: bytes, offset: int = 0) -> int:
        found = self.data.rfind(what, self.start + offset, self.end)
        return found - self.start if found >= 0 else -1

    def unpack(self, form: Struct, offset: int) -> tuple[int, ...] | None:
        """The fields at ``offset``, None when they do not fit."""
        if offset < 0 or self.start + offset + form.size > self.end:
            return None
        return form.unpack_from(self.data, self.start + offset)

    def sha256(self) -> str:
        digest = sha256(len(self))
        for offset in range(0, len(self), _CHUNK):
            digest.update(self.read(offset, _CHUNK))
            self.release(offset, _CHUNK)
        return digest.hexdigest()

    def release(self, offset: int, size: int) -> None:
        """Give pages of a large map back: what was read once is not needed in memory again."""
        data = self.data
        if isinstance(data, mmap) and hasattr(data, "madvise") and len(data) > _RELEASE:
            first = (self.start + offset) // PAGESIZE * PAGESIZE
            last = min(self.start + offset + size, len(data))
            if last > first:
                with contextlib.suppress(OSError, ValueError):
                    data.madvise(MADV_DONTNEED, first, last - first)

    def only(self, allowed: bytes, offset: int = 0) -> bool:
        """True when everything from ``offset`` on is made of these bytes."""
        for at in range(offset, len(self), _CHUNK):
            if self.read(at, _CHUNK).strip(allowed):
                return False
            self.release(at, _CHUNK)
        return True
