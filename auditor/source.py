"""Where a fact stands, and the text it was read from.

Lines and columns are 1-based; columns count code points; ``end_column`` is
exclusive (the SARIF convention). Paths are POSIX, relative to the audited root.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import cached_property

from auditor import lazy_re as re
from auditor.values import replace, value


@value(kw_only=False, order=True)
class Location:
    """A span in one file of the repository."""

    path: str
    line: int = 1
    column: int = 1
    end_line: int = 0
    end_column: int = 0

    def __post_init__(self) -> None:
        if self.end_line <= 0:
            object.__setattr__(self, "end_line", self.line)
        if self.end_column <= 0:
            object.__setattr__(self, "end_column", self.column)

    def within(self, *, start: int, length: int) -> Location:
        """The part of a one-line span that begins ``start`` columns into it."""
        column = self.column + start
        return replace(self, column=column, end_line=self.line, end_column=column + length)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@value(kw_only=False)
class Unknown:
    """A value that the evidence does not decide; never flagged as if it were known."""

    reason: str

    def __bool__(self) -> bool:
        return False


@value
class Problem:
    """Something that could not be read. ``fatal`` means nothing after it was read.

    ``beyond``: it is no fault of the file, which exceeds what is read; its own tool may take it.
    """

    at: Location
    message: str
    fatal: bool = False
    beyond: bool = False


class SourceText:
    """Decoded text of one file, read once. Immutable by convention."""

    def __init__(self, path: str, text: str, *, problems: tuple[Problem, ...] = ()) -> None:
        self.path = path
        self.text = text
        self.problems = problems

    @classmethod
    def decode(cls, path: str, data: bytes) -> SourceText:
        """Decode bytes: BOM-aware UTF-8/16/32; undecodable bytes are replaced and reported."""
        problems: tuple[Problem, ...] = ()
        codec = next((name for bom, name in _BOMS if data.startswith(bom)), None)
        codec = codec or _guess_bomless(data)
        try:
            text = data.decode(codec)
        except (UnicodeDecodeError, LookupError) as error:
            text = data.decode("utf-8", errors="replace")
            start = error.start if isinstance(error, UnicodeDecodeError) else 0
            line = data.count(b"\n", 0, start) + 1
            problems = (
                Problem(at=Location(path, line), message=f"is not valid {codec} (byte {start})"),
            )
        return cls(path, text.removeprefix("\ufeff"), problems=problems)

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends, be those LF or CRLF."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    def line_at(self, number: int) -> str:
        """The 1-based line, or an empty string past the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def at(
        self, line: int = 1, column: int = 1, end_line: int = 0, end_column: int = 0
    ) -> Location:
        """A location in this file; without an end it spans to the end of the line."""
        if not end_line and not end_column:
            end_column = len(self.line_at(line)) + 1
        return Location(self.path, line, column, end_line or line, max(end_column, column))


class Fragment:
    """Text assembled from pieces of one file, with the way back to where each piece stands.

    A shell command in a Dockerfile is split over continuation lines, a scalar in YAML is
    folded: parsers of the inner language work on ``text`` and ask for locations by offset.
    """

    def __init__(self, path: str, pieces: Iterable[tuple[str, int, int]]) -> None:
        """``pieces`` are (text, line, column), each standing at that 1-based place of the file."""
        self.path = path
        self._starts: list[int] = []
        self._places: list[tuple[int, int]] = []
        texts: list[str] = []
        offset = 0
        for text, line, column in pieces:
            self._starts.append(offset)
            self._places.append((line, column))
            texts.append(text)
            offset += len(text)
        self.text = "".join(texts)

    def place(self, offset: int) -> tuple[int, int]:
        """(line, column) of a character offset into ``text``."""
        if not self._starts:
            return (1, 1)
        index = max(bisect_right(self._starts, offset) - 1, 0)
        line, column = self._places[index]
        start = self._starts[index]
        first = bisect_left(self._newlines, start)
        last = bisect_left(self._newlines, offset)
        if last > first:
            return line + last - first, offset - self._newlines[last - 1]
        return line, column + offset - start

    @cached_property
    def _newlines(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    def pieces(self, start: int, end: int) -> list[tuple[str, int, int]]:
        """The part ``start:end`` of ``text`` as (text, line, column) pieces of a fragment."""
        found: list[tuple[str, int, int]] = []
        index = max(bisect_right(self._starts, start) - 1, 0)
        while start < end:
            index += 1
            stop = min(self._starts[index], end) if index < len(self._starts) else end
            found.append((self.text[start:stop], *self.place(start)))
            start = stop
        return found

    def location(self, start: int, end: int) -> Location:
        """Where the characters ``start:end`` of ``text`` stand."""
        line, column = self.place(start)
        end_line, end_column = self.place(max(end - 1, start))
        return Location(self.path, line, column, end_line, end_column + (end > start))


_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def _guess_bomless(data: bytes) -> str:
    # Windows PowerShell's `>` writes UTF-16; a half-NUL prefix tells it from UTF-8.
    head = data[:256]
    if len(head) >= 4 and head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    if len(head) >= 4 and head[0::2].count(0) > len(head) // 4:
        return "utf-16-be"
    return "utf-8"
