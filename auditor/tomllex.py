"""The lexemes of TOML text with their places: what ``tomllib`` leaves out (lines, comments).

The lexer accepts more than TOML and never raises; whether the text is valid is tomllib's word.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from auditor import lazy_re as re
from auditor.values import value

# Possessive throughout: no input makes it backtrack. An unterminated multi-line string ends the
# lexing, for everything after it would be guesswork (and each further attempt a walk to the end).
_LEXEME = re.compile(
    r'(?P<string>"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']++|'{1,2}(?!'))*+'{3,5}"
    r'|(?!""")"(?:[^"\\\n]++|\\[^\n])*+"'
    r"|(?!''')'[^'\n]*+')"
    r"|(?P<unterminated>\"\"\"|''')"
    r"|(?P<comment>\#[^\n]*+)"
    r"|(?P<newline>\n)"
    r"|(?P<mark>[\[\]{}=.,])"
    r"|(?P<bare>[^\s\[\]{}=.,\#\"']++)"
    r"|(?P<stray>[\"'])",
    re.DOTALL,
)


@value(kw_only=False)
class Lexeme:
    """``kind`` is string, comment, newline, mark or bare; ``start``/``end`` are offsets."""

    kind: str
    text: str
    start: int
    end: int


@value(kw_only=False)
class Entry:
    """Where a key stands (1-based line, column) and which characters its value spans."""

    line: int
    column: int
    value_start: int
    value_end: int


def lexemes(text: str) -> Iterator[Lexeme]:
    """Every lexeme but white space, in order."""
    for match in _LEXEME.finditer(text):
        kind = match.lastgroup or ""
        if kind == "unterminated":
            return
        yield Lexeme(kind, match[0], match.start(), match.end())


class Places:
    """Line and column of every key of a TOML text, tables included."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._line_starts = [0, *(m.end() for m in re.finditer(r"\n", text))]
        self.entries: dict[tuple[str, ...], Entry] = {}
        self._read()

    def line_of(self, offset: int) -> int:
        """The 1-based line of a character offset."""
        return bisect_right(self._line_starts, offset)

    def find(self, path: tuple[str, ...]) -> Entry | None:
        """The entry of a key, or of its closest ancestor that is written out."""
        for length in range(len(path), 0, -1):
            if entry := self.entries.get(path[:length]):
                return entry
        return None

    def line_of_value(self, path: tuple[str, ...], value: str) -> int | None:
        """The line where a string stands inside the value of a key; else the key's line."""
        entry = self.find(path)
        if entry is None:
            return None
        for quote in "\"'":
            at = self.text.find(f"{quote}{value}{quote}", entry.value_start, entry.value_end)
            if at >= 0:
                return self.line_of(at)
        return entry.line

    def _read(self) -> None:
        table: tuple[str, ...] = ()
        statement: list[Lexeme] = []
        depth = 0
        for lexeme in lexemes(self.text):
            if lexeme.kind == "comment":
                continue
            if lexeme.kind == "newline" and depth <= 0:
                table = self._statement(statement, table)
                statement, depth = [], 0
                continue
            # Brackets of a header do not nest over lines; those of a value may.
            if lexeme.kind == "mark" and any(x.text == "=" for x in statement[:64]):
                depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(lexeme.text, 0)
            if lexeme.kind != "newline":
                statement.append(lexeme)
        self._statement(statement, table)

    def _statement(self, statement: list[Lexeme], table: tuple[str, ...]) -> tuple[str, ...]:
        if not statement:
            return table
        first = statement[0]
        if first.text == "[":
            table = tuple(_keys(x for x in statement if x.text not in "[]"))
            self._enter(table, first, statement[-1].end, statement[-1].end)
            return table
        for index, lexeme in enumerate(statement):
            if lexeme.text == "=" and lexeme.kind == "mark":
                path = table + tuple(_keys(statement[:index]))
                self._enter(path, first, lexeme.end, statement[-1].end)
                break
        return table

    def _enter(self, path: tuple[str, ...], at: Lexeme, start: int, end: int) -> None:
        line = self.line_of(at.start)
        column = at.start - self._line_starts[line - 1] + 1
        self.entries.setdefault(path, Entry(line, column, start, end))


def _keys(parts: Iterable[Lexeme]) -> Iterator[str]:
    for part in parts:
        if part.kind == "string":
            yield part.text[1:-1]
        elif part.kind == "bare":
            yield part.text
