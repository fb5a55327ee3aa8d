"""A wheel read from afar: the zip's list first, then only the members that are asked for."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from auditor.online.session import OnlineError, Session

BLOCK = 1 << 16
TAIL = 1 << 17
# A server that knows no ranges sends the whole wheel: only up to this size.
WHOLE = 64 << 20
# Most bytes of one member, and of all members of one wheel.
MEMBER = 64 << 20
TOTAL = 192 << 20


class RangeFile(io.RawIOBase):
    """A file behind a URL, read in blocks by HTTP ranges."""

    def __init__(self, session: Session, url: str) -> None:
        self._session = session
        self._url = url
        self._position = 0
        self._blocks: dict[int, bytes] = {}
        self._taken = 0
        self._whole: bytes | None = None
        answer = session.get(url, span=(-TAIL, 0), limit=WHOLE)
        if answer.whole or len(answer.data) < TAIL:
            self._whole = answer.data
            self.size = len(answer.data)
            self._start = 0
        else:
            # The end is there; its place is told by the directory, once the size is known.
            self.size = self._length(answer.data)
            self._start = self.size - len(answer.data)
            self._tail = answer.data

    def _length(self, tail: bytes) -> int:
        """The size of the file, by the record at the end of the zip's directory."""
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or at + 22 > len(tail):
            raise OnlineError("is no zip file")
        size = int.from_bytes(tail[at + 12 : at + 16], "little")
        offset = int.from_bytes(tail[at + 16 : at + 20], "little")
        if 0xFFFFFFFF in (size, offset):
            raise OnlineError("is a zip64 file, which is not read from afar")
        return offset + size + (len(tail) - at)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._position, 2: self.size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._read(self._position, min(len(buffer), self.size - self._position))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _read(self, start: int, length: int) -> bytes:
        if length <= 0:
            return b""
        if self._whole is not None:
            return self._whole[start : start + length]
        if start >= self._start:
            return self._tail[start - self._start : start - self._start + length]
        length = min(length, self._start - start)
        first, last = start // BLOCK, (start + length - 1) // BLOCK
        missing = [n for n in range(first, last + 1) if n not in self._blocks]
        if missing:
            begin, end = missing[0] * BLOCK, min((missing[-1] + 1) * BLOCK, self.size)
            self._taken += end - begin
            if self._taken > TOTAL:
                raise OnlineError("too much of the wheel would have to be read")
            answer = self._session.get(self._url, span=(begin, end), limit=max(WHOLE, end - begin))
            if answer.whole:
                self._whole = answer.data
                return self._whole[start : start + length]
            for number in range(missing[0], missing[-1] + 1):
                at = number * BLOCK - begin
                self._blocks[number] = answer.data[at : at + BLOCK]
        joined = b"".join(self._blocks[n] for n in range(first, last + 1))
        at = start - first * BLOCK
        return joined[at : at + length]


class RemoteWheel:
    """The members of a wheel. Methods raise OnlineError when something cannot be read."""

    def __init__(self, session: Session, url: str) -> None:
        self._file = RangeFile(session, url)
        try:
            self._zip = zipfile.ZipFile(io.BufferedReader(self._file, BLOCK))
        except OnlineError:
            raise
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise OnlineError(f"the wheel is not readable ({error})") from error
        self.names: tuple[str, ...] = tuple(
            i.filename for i in self._zip.infolist()[:100_000] if not i.is_dir()
        )

    def size(self, name: str) -> int:
        return self._zip.getinfo(name).compress_size

    def read(self, name: str, limit: int = MEMBER) -> bytes:
        """A member's bytes, the first ``limit`` of them."""
        try:
            with self._zip.open(name) as member:
                return member.read(limit)
        except OnlineError:
            raise
        except (KeyError, RuntimeError, zipfile.BadZipFile, OSError, EOFError, ValueError,
                NotImplementedError) as error:  # fmt: skip
            raise OnlineError(f"{name} is not readable ({type(error).__name__})") from error
        except Exception as error:  # zlib.error and its kin
            raise OnlineError(f"{name} is damaged") from error

    def metadata(self) -> str:
        """The text of METADATA."""
        name = next((n for n in self.names if n.endswith(".dist-info/METADATA")), None)
        if name is None:
            raise OnlineError("the wheel has no metadata")
        return self.read(name, 4 << 20).decode("utf-8", "replace")

    @property
    def tops(self) -> frozenset[str]:
        """Names of the modules and packages at the top of what it installs."""
        found = set()
        for name in self.names:
            first, slash, _ = name.partition("/")
            if first.endswith((".dist-info", ".data", ".libs")):
                continue
            top = first if slash else first.partition(".")[0] if "." in first else ""
            if top.isidentifier():
                found.add(top)
        return frozenset(found)
