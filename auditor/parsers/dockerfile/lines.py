"""Logical lines, and instructions half-way: offsets into them."""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from auditor.parsers.dockerfile.facts import Command, Pair, Word
from auditor.source import Fragment, Location

if TYPE_CHECKING:
    from auditor.parsers.dockerfile.facts import Flag

SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

SPACES = frozenset(SPACE)


class RefusedError(Exception):
    """BuildKit would stop here, with this message."""


class Line:
    """A logical line: its text, and the pieces of the file it was joined from."""

    __slots__ = ("last", "path", "pieces", "starts", "text")

    def __init__(
        self, path: str, pieces: list[tuple[str, int, int]], last: tuple[int, int]
    ) -> None:
        self.path = path
        self.pieces = pieces
        self.last = last
        if len(pieces) == 1:
            self.text = pieces[0][0]
            self.starts = [0]
        else:
            self.text = "".join([piece[0] for piece in pieces])
            self.starts = [0, *accumulate([len(piece[0]) for piece in pieces[:-1]])]

    def place(self, offset: int) -> tuple[int, int]:
        index = 0 if len(self.starts) == 1 else bisect_right(self.starts, offset) - 1
        _, line, column = self.pieces[index]
        return line, column + offset - self.starts[index]

    def location(self, start: int, end: int) -> Location:
        line, column = self.place(start)
        if len(self.starts) == 1:
            return Location(self.path, line, column, line, column + end - start)
        end_line, end_column = self.place(max(end - 1, start))
        return Location(self.path, line, column, end_line, end_column + (end > start))

    def fragment(self, start: int = 0, end: int | None = None) -> Fragment:
        end = len(self.text) if end is None else end
        if len(self.starts) == 1:
            _, line, column = self.pieces[0]
            return Fragment(self.path, ((self.text[start:end], line, column + start),))
        pieces: list[tuple[str, int, int]] = []
        first = max(bisect_right(self.starts, start) - 1, 0)
        for (text, line, column), at in zip(self.pieces[first:], self.starts[first:], strict=True):
            if at >= end and pieces:
                break
            low = max(start - at, 0)
            pieces.append((text[low : end - at], line, column + low))
        return Fragment(self.path, pieces)


class Part:
    """One instruction (or ONBUILD trigger) half-way: offsets into its logical line."""

    __slots__ = (
        "args_end",
        "args_start",
        "command_start",
        "end",
        "flags",
        "inner",
        "json",
        "json_tail",
        "keyword",
        "keyword_end",
        "legacy",
        "line",
        "refusal",
        "spans",
        "start",
        "typed_flags",
    )

    def __init__(self, line: Line, start: int, keyword_end: int, end: int) -> None:
        self.line = line
        self.start = start
        self.keyword_end = keyword_end
        self.end = end
        self.keyword = ""
        self.flags: list[str] = []
        self.typed_flags: list[Flag] = []
        self.args_start = self.args_end = self.command_start = end
        self.spans: list[tuple[str, int, int]] = []
        self.json = False
        self.json_tail = False
        self.legacy = False
        self.inner: Part | None = None
        self.refusal: str | None = None

    def values(self) -> tuple[str, ...]:
        spans = self.inner.spans if self.inner else self.spans
        return tuple([span[0] for span in spans])

    def word(self, index: int) -> Word:
        text, start, end = self.spans[index]
        return Word(text=text, at=self.line.location(start, end))

    def words(self, start: int = 0, stop: int | None = None) -> tuple[Word, ...]:
        location = self.line.location
        return tuple([Word(text=t, at=location(a, b)) for t, a, b in self.spans[start:stop]])

    def only_word(self) -> Word:
        if len(self.spans) != 1:
            raise RefusedError(f"{self.keyword} requires exactly one argument")
        return self.word(0)

    def command(self, first: int = 0) -> Command:
        start, end = self.command_start, self.args_end
        return Command(
            form="exec" if self.json else "shell",
            text=self.line.fragment(start, end),
            words=self.words(first) if self.json else (),
            at=self.line.location(start, end),
        )

    def pairs(self) -> tuple[Pair, ...]:
        if not self.spans:
            raise RefusedError(f"{self.keyword} requires at least one argument")
        pairs = []
        for index in range(0, len(self.spans), 2):
            name, start, _ = self.spans[index]
            if not name:
                raise RefusedError(f"{self.keyword} names can not be blank")
            value = self.word(index + 1)
            at = self.line.location(start, self.spans[index + 1][2])
            pairs.append(Pair(name=name, value=value, at=at))
        return tuple(pairs)


def json_quoted(text: str) -> str:
    """A text as messages of the builder quote it."""
    return json.dumps(text, ensure_ascii=False)
