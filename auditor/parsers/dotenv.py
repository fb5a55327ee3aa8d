"""``.env`` files as Compose reads them, and the ``${VAR}`` interpolation that Compose does.

Grammar: the Compose Specification, chapter "Interpolation", and Docker's "Use variables in an
``.env`` file".
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Literal

from auditor.source import Location, Problem, SourceText, Unknown
from auditor.values import value

# Stands in an interpolated text where a value is not known. YAML and .env files cannot hold
# it unescaped, and a text that does is not usable either.
HOLE = "\0"

Lookup = Callable[[str], "str | Unknown | None"]

_MAX_NESTING = 12
# Words that mark a settings file as one to be copied and filled in.
_MARKS = ("example", "sample", "template", "dist", "default", "tmpl")
# The kernel passes no longer variable to a process.
_MAX_VALUE = 131_072
_MAX_TEXT = 1_000_000
# Of all values of a file, which grow where each names the one before.
_MAX_VALUES = 8_000_000
_NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_NAME = _NAME_START | frozenset("0123456789")


def is_example(path: str) -> bool:
    """Whether a settings file only shows what somebody is to put into the real one."""
    words = posixpath.basename(path).lower().replace("-", ".").replace("_", ".").split(".")
    return not {*_MARKS, "defaults"}.isdisjoint(words)


def examples(path: str) -> tuple[str, ...]:
    """Where the example of a file would lie: beside it, under one of the usual names."""
    folder, name = posixpath.split(path)
    stem, suffix = posixpath.splitext(name)
    marks = [mark for mark in _MARKS if mark != "default"]
    names = [f"{name}{joint}{mark}" for joint in ".-_" for mark in marks]
    names += [f"{stem}{joint}{mark}{suffix}" for joint in ".-_" for mark in marks if suffix]
    if name == ".env" or suffix == ".env" or name.startswith(".env."):
        bare = name.removeprefix(".env").removesuffix(".env").strip(".")
        for mark in _MARKS:
            if bare:
                names += [f"{mark}.{bare}.env", f".env.{mark}.{bare}"]
            names += [f".env.{mark}", f".env-{mark}", f".env_{mark}", f"env.{mark}",
                      f"{mark}.env", f".{mark}.env"]  # fmt: skip
    return tuple(posixpath.join(folder, n) for n in dict.fromkeys(names))


@value
class Use:
    """One ``${NAME…}``: ``start`` is its offset in the text, -1 inside another's default."""

    name: str
    start: int
    source: Literal["env-file", "default", "unset", "required"]
    default: str | None = None
    error: str | None = None


@value
class Interpolated:
    """``text`` holds ``HOLE`` for every value that is not known."""

    text: str
    # The same with unset variables as empty text, which is what Compose does.
    blank: str
    uses: tuple[Use, ...] = ()
    # What is wrong with the syntax, if anything; the text is then left as it stands.
    error: str | None = None


def interpolate(text: str, lookup: Lookup) -> Interpolated:
    """Substitute ``$NAME``, ``${NAME}`` and its operators ``:-  -  :?  ?  :+  +``; ``$$`` is ``$``.

    ``lookup`` gives None for a variable that is not set and Unknown for one that somebody
    else sets.
    """
    if "$" not in text:
        return Interpolated(text=text, blank=text)
    uses: list[Use] = []
    try:
        known, blank = _expand(text, 0, lookup, uses)
    except _TemplateError as error:
        return Interpolated(text=text, blank=text, uses=tuple(uses), error=str(error))
    return Interpolated(text=known, blank=blank, uses=tuple(uses))


class _TemplateError(Exception):
    pass


def _expand(text: str, depth: int, lookup: Lookup, uses: list[Use]) -> tuple[str, str]:
    if depth > _MAX_NESTING:
        raise _TemplateError(f"variables are nested deeper than {_MAX_NESTING} levels")
    known: list[str] = []
    blank: list[str] = []
    i = size = 0
    while True:
        dollar = text.find("$", i)
        if dollar < 0:
            known.append(text[i:])
            blank.append(text[i:])
            break
        known.append(text[i:dollar])
        blank.append(text[i:dollar])
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            known.append("$")
            blank.append("$")
            i = dollar + 2
            continue
        if following == "{":
            end = _closing(text, dollar + 2)
            if end < 0:
                raise _TemplateError(f"'${{' at character {dollar + 1} is not closed")
            pair = _braced(text[dollar + 2 : end], dollar, depth, lookup, uses)
            i = end + 1
        elif following in _NAME_START and following:
            end = dollar + 2
            while end < len(text) and text[end] in _NAME:
                end += 1
            pair = _value(text[dollar + 1 : end], "", "", dollar, depth, lookup, uses)
            i = end
        else:
            raise _TemplateError(
                f"'$' at character {dollar + 1} starts no variable (a literal one is '$$')"
            )
        known.append(pair[0])
        blank.append(pair[1])
        # Each definition may double the one before: sixty of them fill any memory.
        size += len(pair[0])
        if size > _MAX_VALUE:
            raise _TemplateError(f"the value is longer than {_MAX_VALUE:,} characters")
    return "".join(known), "".join(blank)


def _closing(text: str, i: int) -> int:
    """The brace that closes the one before ``i``; -1 when none does."""
    depth = 1
    while i < len(text):
        if text.startswith("${", i):
            depth += 1
            i += 2
            continue
        if text[i] == "}":
            depth -= 1
            if not depth:
                return i
        i += 1
    return -1


def _braced(body: str, start: int, depth: int, lookup: Lookup, uses: list[Use]) -> tuple[str, str]:
    end = 0
    while end < len(body) and body[end] in _NAME:
        end += 1
    name, rest = body[:end], body[end:]
    if not name or name[0] not in _NAME_START:
        raise _TemplateError(f"'${{{body[:40]}}}' names no variable")
    for operator in (":-", ":?", ":+", "-", "?", "+"):
        if rest.startswith(operator):
            operand = rest[len(operator) :]
            return _value(name, operator, operand, start, depth, lookup, uses)
    if rest:
        raise _TemplateError(f"'${{{body[:40]}}}' is no variable")
    return _value(name, "", "", start, depth, lookup, uses)


def _value(
    name: str,
    operator: str,
    operand: str,
    start: int,
    depth: int,
    lookup: Lookup,
    uses: list[Use],
) -> tuple[str, str]:
    at = start if depth == 0 else -1
    value = lookup(name)
    action = operator.lstrip(":")
    is_set = value is not None and not (operator.startswith(":") and value == "")
    if isinstance(value, Unknown):
        uses.append(Use(name=name, start=at, source="unset"))
        if action == "-":
            # Another value is likely, but the default is what a fresh clone gives.
            return HOLE, _expand(operand, depth + 1, lookup, uses)[1]
        return HOLE, ""
    if action == "+":
        uses.append(Use(name=name, start=at, source="env-file" if is_set else "default"))
        return _expand(operand, depth + 1, lookup, uses) if is_set else ("", "")
    if is_set:
        uses.append(Use(name=name, start=at, source="env-file"))
        return str(value), str(value)
    if action == "-":
        known, blank = _expand(operand, depth + 1, lookup, uses)
        uses.append(Use(name=name, start=at, source="default", default=blank))
        return known, blank
    if action == "?":
        message = _expand(operand, depth + 1, lookup, uses)[1]
        uses.append(Use(name=name, start=at, source="required", error=message))
        return HOLE, ""
    uses.append(Use(name=name, start=at, source="unset"))
    if value == "":
        return "", ""
    return HOLE, ""


@value
class Variable:
    """One assignment. ``value`` is None for a bare ``NAME`` (taken from the host)."""

    name: str
    value: str | Unknown | None
    at: Location
    # The part of the line that is the value, quotes included.
    value_at: Location


@value
class DotenvFacts:
    """The assignments of one file, in order; a later one of the same name wins."""

    path: str
    variables: tuple[Variable, ...] = ()
    problems: tuple[Problem, ...] = ()

    def values(self) -> dict[str, str | Unknown | None]:
        """Name to value, the last assignment winning."""
        return {variable.name: variable.value for variable in self.variables}


def parse(source: SourceText, *, lookup: Lookup | None = None) -> DotenvFacts:
    """Read a ``.env`` file; ``lookup`` gives variables known before it. Never raises."""
    return _Dotenv(source, lookup or (lambda _: None)).run()


class _Dotenv:
    def __init__(self, source: SourceText, lookup: Lookup) -> None:
        self.source = source
        self.outer = lookup
        self.values: dict[str, str | Unknown | None] = {}
        self.variables: list[Variable] = []
        self.problems: list[Problem] = list(source.problems)
        self.left = _MAX_VALUES

    def run(self) -> DotenvFacts:
        lines = self.source.lines
        size = sum(map(len, lines))
        if size > _MAX_TEXT:
            at = Location(self.source.path)
            message = f"is larger than {_MAX_TEXT:,} characters"
            self.problems.append(Problem(at=at, message=message, fatal=True))
            lines = []
        number = 0
        while number < len(lines):
            number = self.line(lines, number)
        return DotenvFacts(
            path=self.source.path,
            variables=tuple(self.variables),
            problems=tuple(self.problems[:50]),
        )

    def lookup(self, name: str) -> str | Unknown | None:
        # What is set outside wins over the file, as the shell's environment does in Compose.
        outer = self.outer(name)
        return self.values.get(name) if outer is None else outer

    def line(self, lines: list[str], number: int) -> int:
        line = lines[number]
        stripped = line.lstrip()
        if not stripped or stripped.startswith("#"):
            return number + 1
        start = len(line) - len(stripped)
        if stripped.startswith(("export ", "export\t")):
            start += 7
            start += len(line[start:]) - len(line[start:].lstrip())
        end = start
        while end < len(line) and line[end] not in "=:" and not line[end].isspace():
            end += 1
        name = line[start:end]
        at = Location(self.source.path, number + 1, start + 1, number + 1, end + 1)
        rest = end + len(line[end:]) - len(line[end:].lstrip())
        if not name or any(char in "\"'#`$(){}" for char in name):
            message = f"line is no NAME=value: {line.strip()[:60]!r}"
            self.problems.append(Problem(at=self.source.at(number + 1), message=message))
            return number + 1
        if rest >= len(line) or line[rest] == "#":
            self.add(name, None, at, at)
            return number + 1
        if line[rest] not in "=:":
            message = f"{name!r} is followed by no '='"
            self.problems.append(Problem(at=at, message=message))
            return number + 1
        first = rest + 1
        first += len(line[first:]) - len(line[first:].lstrip())
        quote = line[first : first + 1]
        if quote in ("'", '"') and quote:
            return self.quoted(lines, number, first, name, at)
        value = line[first:]
        for position, char in enumerate(value):
            if char == "#" and (position == 0 or value[position - 1].isspace()):
                value = value[:position]
                break
        value = value.rstrip()
        place = Location(
            self.source.path, number + 1, first + 1, number + 1, first + 1 + len(value)
        )
        self.add(name, self.interpolated(value), at, place)
        return number + 1

    def quoted(self, lines: list[str], number: int, first: int, name: str, at: Location) -> int:
        quote = lines[number][first]
        pieces: list[str] = []
        row, column = number, first + 1
        while row < len(lines):
            line = lines[row]
            stop = column
            while stop < len(line) and line[stop] != quote:
                stop += 2 if line[stop] == "\\" and quote == '"' else 1
            pieces.append(line[column:stop])
            if stop < len(line):
                text = "\n".join(pieces)
                place = Location(self.source.path, number + 1, first + 1, row + 1, stop + 2)
                value: str | Unknown = text
                if quote == '"':
                    value = self.interpolated(_unescape(text))
                self.add(name, value, at, place)
                return row + 1
            row, column = row + 1, 0
        message = f"the value of {name!r} starts with a quote that nothing closes"
        self.problems.append(Problem(at=at, message=message))
        self.add(name, Unknown("unclosed quote"), at, at)
        return number + 1

    def interpolated(self, text: str) -> str | Unknown:
        if self.left <= 0:
            return Unknown(f"the values of {self.source.path} are too long to be filled in")
        result = interpolate(text, self.lookup)
        self.left -= len(result.text)
        if HOLE not in result.text:
            return result.text
        if all(self.lookup(use.name) is None for use in result.uses if use.source == "unset"):
            # Here an unset variable is simply empty; only what the host sets is unknown.
            return result.blank
        return Unknown(f"depends on {', '.join(u.name for u in result.uses)}")

    def add(self, name: str, value: str | Unknown | None, at: Location, place: Location) -> None:
        if value is None:
            value = self.outer(name)
        self.values[name] = value
        self.variables.append(Variable(name=name, value=value, at=at, value_at=place))


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    out: list[str] = []
    i = 0
    while i < len(text):
        char = text[i]
        if char == "\\" and i + 1 < len(text):
            following = text[i + 1]
            out.append(
                {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$$"}.get(
                    following, char + following
                )
            )
            i += 2
        else:
            out.append(char)
            i += 1
    return "".join(out)
