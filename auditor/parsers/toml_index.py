"""Where the keys and values of a TOML document stand.

``tomllib`` reads values but tells no places. This walks the same text once and notes the span of
every key and value; it relies on ``tomllib`` having accepted the document and does not validate.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from itertools import pairwise

from auditor import lazy_re as re
from auditor.source import Location, SourceText

Path = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_BLANKS = re.compile(r"[ \t]*+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]++")
_BASIC = re.compile(r'"(?:[^"\\\n]++|\\.)*+"')
_LITERAL = re.compile(r"'[^'\n]*+'")
_LONG_BASIC = re.compile(r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''(?:[^']++|'(?!''))*+'{3,5}")
_SCALAR = re.compile(r"[^,\]}\n#]++")


class TomlIndex:
    """Spans by path: table keys as strings, array positions as integers."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._text = source.text
        self._line_starts = [0]
        self._line_starts.extend(m.end() for m in re.finditer("\n", self._text))
        self._keys: dict[Path, tuple[int, int]] = {}
        self._values: dict[Path, tuple[int, int]] = {}
        self._lengths: dict[Path, int] = {}
        # If lost, places become coarser; the facts themselves come from tomllib.
        with suppress(_LostError, RecursionError):
            self._document()

    def location(self, *path: str | int) -> Location:
        """The value at a path, else the nearest thing above it that has a place."""
        span = self._values.get(path)
        if span is None:
            return self.key(*path)
        return self._span(*span)

    def key(self, *path: str | int) -> Location:
        """The key (or table header) at a path, else the nearest one above it."""
        while path:
            span = self._keys.get(path) or self._values.get(path)
            if span is not None:
                return self._span(*span)
            path = path[:-1]
        return self._source.at(1)

    def inside(self, path: Path, start: int, end: int) -> Location:
        """Characters ``start:end`` of the string value at a path."""
        span = self._values.get(path)
        if span is None:
            return self.location(*path)
        token = self._text[span[0] : span[1]]
        if token[:1] == "'" and token[:3] != "'''":
            return self._span(span[0] + 1 + start, span[0] + 1 + end)
        if token[:1] != '"' or token[:3] == '"""':
            return self._span(*span)
        if "\\" not in token:
            return self._span(span[0] + 1 + start, span[0] + 1 + end)
        offsets = _unescaped_offsets(token)
        last = len(offsets) - 1
        return self._span(span[0] + offsets[min(start, last)], span[0] + offsets[min(end, last)])

    def _span(self, start: int, end: int) -> Location:
        line = bisect_right(self._line_starts, start)
        end_line = bisect_right(self._line_starts, max(end - 1, start))
        return Location(
            self._source.path,
            line,
            start - self._line_starts[line - 1] + 1,
            end_line,
            end - self._line_starts[end_line - 1] + 1,
        )

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _blanks(self, at: int) -> int:
        match = _BLANKS.match(self._text, at)
        return match.end() if match else at

    def _document(self) -> None:
        text = self._text
        table: Path = ()
        at = self._skip(0)
        while at < len(text):
            if text[at] == "[":
                double = text.startswith("[[", at)
                names, at_end = self._dotted(at + 1 + double)
                path = self._resolve(names[:-1])
                last: Path = (*path, names[-1])
                if double:
                    index = self._lengths.get(last, 0)
                    self._lengths[last] = index + 1
                    table = (*last, index)
                else:
                    # A table below an array of tables belongs to its last element.
                    table = self._resolve(names)
                at_end = self._blanks(at_end) + 1 + double
                self._keys.setdefault(table, (at, at_end))
                self._keys.setdefault(last, (at, at_end))
                at = self._skip(at_end)
            else:
                at = self._skip(self._pair(table, at))

    def _resolve(self, names: Path) -> Path:
        path: Path = ()
        for name in names:
            path = (*path, name)
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        return path

    def _dotted(self, at: int) -> tuple[tuple[str, ...], int]:
        names: list[str] = []
        while True:
            at = self._blanks(at)
            match = (
                _BARE_KEY.match(self._text, at)
                or _BASIC.match(self._text, at)
                or _LITERAL.match(self._text, at)
            )
            if match is None:
                raise _LostError
            token = match[0]
            names.append(_unquoted(token) if token[0] in "\"'" else token)
            at = self._blanks(match.end())
            if self._text[at : at + 1] != ".":
                return tuple(names), match.end()
            at += 1

    def _pair(self, table: Path, at: int) -> int:
        names, end = self._dotted(at)
        path: Path = (*table, *names)
        for depth in range(1, len(names) + 1):
            self._keys.setdefault((*table, *names[:depth]), (at, end))
        at = self._blanks(end)
        if self._text[at : at + 1] != "=":
            raise _LostError
        return self._value(path, self._blanks(at + 1))

    def _value(self, path: Path, at: int) -> int:
        text = self._text
        char = text[at : at + 1]
        start = at
        if char == "[":
            at = self._skip(at + 1)
            index = 0
            while text[at : at + 1] != "]":
                at = self._skip(self._value((*path, index), at))
                index += 1
                if text[at : at + 1] == ",":
                    at = self._skip(at + 1)
                elif text[at : at + 1] != "]":
                    raise _LostError
            at += 1
        elif char == "{":
            at = self._skip(at + 1)
            while text[at : at + 1] != "}":
                at = self._skip(self._pair(path, at))
                if text[at : at + 1] == ",":
                    at = self._skip(at + 1)
                elif text[at : at + 1] != "}":
                    raise _LostError
            at += 1
        else:
            if char == '"':
                pattern = _LONG_BASIC if text.startswith('"""', at) else _BASIC
            elif char == "'":
                pattern = _LONG_LITERAL if text.startswith("'''", at) else _LITERAL
            else:
                pattern = _SCALAR
            match = pattern.match(text, at)
            if match is None:
                raise _LostError
            at = match.end() if char in "\"'" else at + len(match[0].rstrip())
        self._values[path] = (start, at)
        return at


class _LostError(Exception):
    """The walk met something it does not know."""


_ESCAPES = {
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    '"': '"',
    "\\": "\\",
    "e": "\x1b",
}
_ESCAPE_LENGTHS = {"u": 6, "U": 10, "x": 4}


def _unescaped_offsets(token: str) -> list[int]:
    """Offset into the token of every character of the string's value, and of its end."""
    offsets: list[int] = []
    at = 1
    while at < len(token) - 1:
        offsets.append(at)
        at += 1 if token[at] != "\\" else _ESCAPE_LENGTHS.get(token[at + 1], 2)
    offsets.append(len(token) - 1)
    return offsets


def _unquoted(token: str) -> str:
    if token[0] == "'" or "\\" not in token:
        return token[1:-1]
    parts: list[str] = []
    offsets = _unescaped_offsets(token)
    for start, end in pairwise(offsets):
        piece = token[start:end]
        if piece[0] != "\\":
            parts.append(piece)
        elif piece[1] in _ESCAPE_LENGTHS:
            parts.append(chr(int(piece[2:], 16)))
        else:
            parts.append(_ESCAPES.get(piece[1], piece[1]))
    return "".join(parts)
