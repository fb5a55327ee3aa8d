"""Runs of repeating plain data inside a MARK, found by their period and swallowed by one pattern.

A list of a million records repeats the same few opcodes. The opcodes at the start of a batch are
split into tokens; when these repeat with a period, and one period only pushes plain data and takes
nothing from below, a compiled pattern (possessive, hence linear) skips all repetitions at the speed
of the regular expression engine. Nothing that imports, calls or sets state is ever part of a run.
"""

from __future__ import annotations

from functools import lru_cache
from mmap import mmap

from auditor import lazy_re as re

_SHORT = b"|".join(re.escape(bytes([n])) + b".{%d}" % n for n in range(64))
_LONG = b"|".join(re.escape(bytes([n])) + b"\0\0\0.{%d}" % n for n in range(64))
_STRING = rb"(?:\x8c(?:" + _SHORT + rb")|X(?:" + _LONG + rb"))"
_BYTES = rb"C(?:" + _SHORT + rb")"

# Classes of tokens: one letter each, with the pattern of what they stand for.
CLASSES: dict[str, bytes] = {
    "n": rb"(?:K.|M..|J....|G.{8}|[N\x88\x89])",
    # A string that is memoised, or the same string recalled: both leave one plain value.
    "s": rb"(?:" + _STRING + rb"\x94|h.|j....)",
    "S": _STRING,
    "b": _BYTES,
    ")": rb"\)",
    "]": rb"\]",
    "}": rb"\}",
    "m": rb"\x94",
    "(": rb"\(",
    "e": rb"e",
    "u": rb"u",
    "t": rb"t",
    "a": rb"a",
    "1": rb"\x85",
    "2": rb"\x86",
    "3": rb"\x87",
    "z": rb"s",
}


@lru_cache(maxsize=1)
def _token() -> re.Pattern[bytes]:
    # Compiled at first use: it costs more than the scan of a small file.
    return re.compile(b"|".join(rb"(" + part + rb")" for part in CLASSES.values()), re.DOTALL)


_LETTERS = "".join(CLASSES)
_TOKENS = 128
_LONGEST = 40


@lru_cache(maxsize=1)
def _memoised() -> re.Pattern[bytes]:
    """Tokens up to and including the next MEMOIZE, or up to the end of the run."""
    plain = rb"K.|M..|J....|G.{8}|[N\x88\x89)\]}(euta\x85-\x87s]|h.|j....|"
    return re.compile(b"(?:" + _STRING + b"|" + plain + _BYTES + rb")*+(\x94?)", re.DOTALL)


class Run:
    """Plain values that were skipped; they lie at ``start:end``."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end


class Shape:
    """One period of a run: its pattern and what it leaves on the stack and in the memo."""

    __slots__ = ("memoises", "net", "pattern", "single")

    def __init__(self, letters: str, net: int) -> None:
        self.pattern = _pattern(letters)
        self.single = _single(letters)
        self.net = net
        self.memoises = "s" in letters or "m" in letters


def find_shape(data: bytes | mmap, start: int, end: int) -> Shape | None:
    """The period that the tokens from ``start`` on repeat; None when there is none."""
    match = _token().match
    letters: list[str] = []
    at = start
    while len(letters) < _TOKENS:
        found = match(data, at, end)
        if found is None:
            break
        letters.append(_LETTERS[(found.lastindex or 1) - 1])
        at = found.end()
    return _shape(_period("".join(letters)))


@lru_cache(maxsize=4096)
def _shape(letters: str) -> Shape | None:
    net = _net(letters) if letters else 0
    return Shape(letters, net) if net else None


def count(pattern: re.Pattern[bytes], data: bytes | mmap, start: int, end: int) -> int:
    """How often the pattern matches one after the other from ``start`` on."""
    match = pattern.match
    number = 0
    while True:
        found = match(data, start, end)
        if found is None or found.end() == start:
            return number
        start = found.end()
        number += 1


def memoised(data: bytes | mmap, start: int, end: int) -> int:
    """How many values a run stores in the memo."""
    # Every match begins where a token does: the byte 0x94 also occurs inside numbers.
    return _memoised().findall(data, start, end).count(b"\x94")


@lru_cache(maxsize=256)
def _pattern(shape: str) -> re.Pattern[bytes]:
    return re.compile(b"(?:" + b"".join(CLASSES[c] for c in shape) + b")*+", re.DOTALL)


@lru_cache(maxsize=256)
def _single(shape: str) -> re.Pattern[bytes]:
    return re.compile(b"".join(CLASSES[c] for c in shape), re.DOTALL)


@lru_cache(maxsize=4096)
def _period(letters: str) -> str:
    """The shortest word that the letters repeat at least three times; empty for none."""
    size = len(letters)
    if size < 12:
        return ""
    border = [0] * size
    at = 0
    for index in range(1, size):
        while at and letters[index] != letters[at]:
            at = border[at - 1]
        if letters[index] == letters[at]:
            at += 1
        border[index] = at
    period = size - border[-1]
    return letters[:period] if period <= _LONGEST and period * 3 <= size else ""


@lru_cache(maxsize=4096)
def _net(shape: str) -> int:
    """How many values one period leaves; 0 when it is not self-contained plain data."""
    levels: list[list[str]] = [[]]
    for letter in shape:
        here = levels[-1]
        if letter in "nsSb)":
            here.append("v")
        elif letter in "]}":
            here.append(letter)
        elif letter == "m":
            if not here:
                return 0
        elif letter in "123":
            count = int(letter)
            if len(here) < count:
                return 0
            del here[-count:]
            here.append("v")
        elif letter == "(":
            levels.append([])
        elif letter in "eut":
            if len(levels) < 2:
                return 0
            items = levels.pop()
            here = levels[-1]
            if letter == "t":
                here.append("v")
            elif (
                not here
                or here[-1] != ("]" if letter == "e" else "}")
                or (letter == "u" and len(items) & 1)
            ):
                return 0
        else:
            count, kind = (1, "]") if letter == "a" else (2, "}")
            if len(here) <= count or here[-count - 1] != kind:
                return 0
            del here[-count:]
    return len(levels[0]) if len(levels) == 1 else 0
