"""A word of the shell taken apart: its quotes, its parameters, what is computed."""

from __future__ import annotations

from typing import Literal

from auditor.parsers.shell.expansion import Computed, Parameter, Part, Text

_NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_NAME = _NAME_START | frozenset("0123456789")
_SPECIAL = frozenset("@*#?$!-")
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b"}
_ANSI |= {"f": "\f", "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?"}


class WordLexer:
    """Takes one word apart. ``chunks`` keep (text, start, end) to rebuild a nested script."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.parts: list[Part] = []
        self.chunks: list[tuple[str, int, int]] = []
        self.globs = False
        self._depth = depth

    def lex(self, start: int, end: int) -> None:
        """The characters ``start:end`` as one word."""
        text, i = self.text, start
        if text.startswith("~", i) and (i + 1 == end or text[i + 1] == "/"):
            self.parts.append(Parameter(name="HOME", quoted=True))
            self.chunks.append(("~", i, i + 1))
            i += 1
        while i < end:
            char = text[i]
            if char == "\\":
                if i + 1 < end and text[i + 1] != "\n":
                    self._literal(i + 1, i + 2, quoted=True)
                i += 2
            elif char == "'":
                close = text.find("'", i + 1, end)
                close = end if close < 0 else close
                self._literal(i + 1, close, quoted=True)
                i = close + 1
            elif char == '"':
                i = self._double(i + 1, end)
            elif char == "$" and text.startswith("$'", i):
                i = self._ansi(i + 2, end)
            elif char == "$" and text.startswith('$"', i):
                i = self._double(i + 2, end)
            elif char in "$`":
                i = self._dollar(i, end, quoted=False)
            elif char in "<>" and text.startswith("(", i + 1):
                close = skip_parens(text, i + 2, end)
                self._computed(i, close, "process", quoted=False)
                i = close
            else:
                stop = i + 1
                while stop < end and text[stop] not in "\\'\"$`<>":
                    stop += 1
                if any(c in "*?[{" for c in text[i:stop]):
                    self.globs = True
                self._literal(i, stop, quoted=False)
                i = stop

    def _literal(self, start: int, end: int, *, quoted: bool) -> None:
        self._text(self.text[start:end], start, end, quoted=quoted)

    def _text(self, value: str, start: int, end: int, *, quoted: bool) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, Text) and last.quoted == quoted:
            self.parts[-1] = Text(text=last.text + value, quoted=quoted)
        else:
            self.parts.append(Text(text=value, quoted=quoted))
        self.chunks.append((value, start, end))

    def _computed(
        self,
        start: int,
        end: int,
        kind: Literal["command", "arithmetic", "process", "array", "other"],
        *,
        quoted: bool,
    ) -> None:
        raw = self.text[start:end]
        self.parts.append(Computed(raw=raw, kind=kind, quoted=quoted))
        self.chunks.append((raw, start, end))

    def _double(self, i: int, end: int) -> int:
        text = self.text
        self._text("", i, i, quoted=True)
        while i < end:
            char = text[i]
            if char == '"':
                return i + 1
            if char == "\\" and i + 1 < end:
                if text[i + 1] in '$`"\\':
                    self._literal(i + 1, i + 2, quoted=True)
                elif text[i + 1] != "\n":
                    self._literal(i, i + 2, quoted=True)
                i += 2
            elif char in "$`":
                i = self._dollar(i, end, quoted=True)
            else:
                stop = i + 1
                while stop < end and text[stop] not in '"\\$`':
                    stop += 1
                self._literal(i, stop, quoted=True)
                i = stop
        return end

    def _ansi(self, i: int, end: int) -> int:
        text = self.text
        self._text("", i, i, quoted=True)
        while i < end and text[i] != "'":
            if text[i] != "\\" or i + 1 >= end:
                stop = i + 1
                while stop < end and text[stop] not in "'\\":
                    stop += 1
                self._literal(i, stop, quoted=True)
                i = stop
                continue
            code = text[i + 1]
            if code in _ANSI:
                self._text(_ANSI[code], i, i + 2, quoted=True)
                i += 2
            else:
                stop = i + 2
                while stop < min(end, i + 6) and text[stop] in "0123456789abcdefABCDEF":
                    stop += 1
                self._computed(i, stop, "other", quoted=True)
                i = stop
        return i + 1

    def _dollar(self, i: int, end: int, *, quoted: bool) -> int:
        text = self.text
        if text[i] == "`":
            close = i + 1
            while close < end and text[close] != "`":
                close += 2 if text[close] == "\\" else 1
            close = min(close + 1, end)
            self._computed(i, close, "command", quoted=quoted)
            return close
        if text.startswith("$((", i):
            close = skip_parens(text, i + 2, end)
            self._computed(i, close, "arithmetic", quoted=quoted)
            return close
        if text.startswith("$(", i):
            close = skip_parens(text, i + 2, end)
            self._computed(i, close, "command", quoted=quoted)
            return close
        if text.startswith("${", i):
            return self._braces(i, end, quoted=quoted)
        nxt = text[i + 1] if i + 1 < end else ""
        if nxt in _NAME_START:
            stop = i + 2
            while stop < end and text[stop] in _NAME:
                stop += 1
        elif nxt and (nxt in _SPECIAL or nxt in "0123456789"):
            stop = i + 2
        else:
            self._literal(i, i + 1, quoted=quoted)
            return i + 1
        self.parts.append(Parameter(name=text[i + 1 : stop], quoted=quoted))
        self.chunks.append((text[i:stop], i, stop))
        return stop

    def _braces(self, i: int, end: int, *, quoted: bool) -> int:
        text = self.text
        close = skip_braces(text, i + 2, end)
        inner = close - 1 if text[close - 1 : close] == "}" and close - 1 > i + 1 else close
        start = i + 2
        length = text[start : start + 1] == "#" and start + 1 < inner
        if length:
            start += 1
        stop = start
        if stop < inner and text[stop] in _NAME_START:
            while stop < inner and text[stop] in _NAME:
                stop += 1
        elif stop < inner and text[stop] in "0123456789":
            while stop < inner and text[stop] in "0123456789":
                stop += 1
        elif stop < inner and text[stop] in _SPECIAL:
            stop += 1
        name, rest = text[start:stop], text[stop:inner]
        operator: str
        operand: tuple[Part, ...] = ()
        if length and not rest:
            operator = "#"
        elif length or not name:
            self._computed(i, close, "other", quoted=quoted)
            return close
        elif not rest:
            operator = ""
        elif rest.startswith((":-", ":=", ":+", ":?")) or rest[0] in "-=+?":
            operator = rest[:2] if rest[0] == ":" else rest[0]
            if self._depth > 8:
                operand = (Computed(raw=rest, kind="other"),)
            else:
                lexer = WordLexer(text, self._depth + 1)
                lexer._operand(stop + len(operator), inner, quoted=quoted)
                operand = tuple(lexer.parts)
        else:
            operator = rest
        self.parts.append(Parameter(name=name, operator=operator, operand=operand, quoted=quoted))
        self.chunks.append((text[i:close], i, close))
        return close

    def _operand(self, start: int, end: int, *, quoted: bool) -> None:
        # Inside double quotes a single quote is an ordinary character.
        if not quoted:
            self.lex(start, end)
            return
        i = start
        while i < end:
            i = self._double(i, end)


def skip_parens(text: str, i: int, end: int) -> int:
    """Where ``$( … )`` ends."""
    """Past the ``)`` that closes what was opened just before ``i``."""
    depth = 1
    while i < end:
        char = text[i]
        if char == "\\":
            i += 1
        elif char == "'":
            i = text.find("'", i + 1, end)
            if i < 0:
                return end
        elif char == '"':
            i = skip_double(text, i + 1, end)
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return i + 1
        i += 1
    return end


def skip_double(text: str, i: int, end: int) -> int:
    """Where a double-quoted text ends."""
    """Past the closing double quote; ``$( )`` inside may hold quotes of its own."""
    opened = 0
    while i < end:
        char = text[i]
        if char == "\\":
            i += 1
        elif text.startswith("$(", i):
            opened += 1
            i += 1
        elif char == ")" and opened:
            opened -= 1
        elif char == '"' and not opened:
            return i + 1
        i += 1
    return end


def skip_braces(text: str, i: int, end: int) -> int:
    """Where ``${ … }`` ends."""
    """Past the ``}`` that closes a ``${`` opened just before ``i``."""
    depth, double = 1, False
    while i < end:
        char = text[i]
        if char == "\\":
            i += 1
        elif char == "'" and not double:
            close = text.find("'", i + 1, end)
            if close > 0:
                i = close
        elif char == '"':
            double = not double
        elif text.startswith("${", i):
            depth += 1
            i += 1
        elif text.startswith("$(", i):
            i = skip_parens(text, i + 2, end)
            continue
        elif char == "}":
            depth -= 1
            if not depth:
                return i + 1
        i += 1
    return end
