"""A window onto bytes that may lie in a memory map: sliced, never copied whole."""

from __future__ import annotations

import hashlib
import mmap as maps
from mmap import PAGESIZE, mmap
from struct import Struct
from typing import TypeAlias

Buffer: TypeAlias = bytes | mmap

_CHUNK = 1 << 20
# How much of a mapped file is kept while it is read through.
_RELEASE = 32 << 20
# Not every system has it.
MADV_DONTNEED: int = getattr(maps, "MADV_DONTNEED", 4)


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
        found = self.data.find(what, self.start + offset, last)
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
        digest = hashlib.sha256()
        for offset in range(0, len(self), _CHUNK):
            digest.update(self.read(offset, _CHUNK))
            if offset and not offset % _RELEASE:
                self._release(self.start + offset - _RELEASE, _RELEASE)
        return digest.hexdigest()

    def _release(self, start: int, size: int) -> None:
        """Give back the mapped pages of a part that was read: they would count as our memory."""
        if isinstance(self.data, mmap) and hasattr(self.data, "madvise"):
            first = -(-start // PAGESIZE) * PAGESIZE
            size = (start + size - first) // PAGESIZE * PAGESIZE
            if size > 0:
                self.data.madvise(MADV_DONTNEED, first, size)

    def only(self, allowed: bytes, offset: int = 0) -> bool:
        """True when everything from ``offset`` on is made of these bytes."""
        for at in range(offset, len(self), _CHUNK):
            if self.read(at, _CHUNK).strip(allowed):
                return False
        return True
