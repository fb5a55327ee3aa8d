"""Logical lines and their options, as pip joins and splits them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from auditor import lazy_re as re
from auditor.source import Fragment, Location, SourceText
from auditor.values import value

MAX_LINE = 1 << 16
MAX_REQUIREMENT = 1 << 13
MAX_DEPTH = 32
MAX_FILES = 256

Locate = Callable[[int, int], Location]


@value(kw_only=False)
class Line:
    """A logical line without its comment; ``locate`` takes offsets into ``text``."""

    text: str
    locate: Locate
    number: int
    comment: str


def _locator(path: str, line: int, column: int) -> Locate:
    def locate(start: int, end: int) -> Location:
        return Location(path, line, column + start, line, column + end)

    return locate


def shifted_by(locate: Locate, offset: int) -> Locate:
    """The places of a part that begins at an offset of its line."""

    def shifted(start: int, end: int) -> Location:
        return locate(start + offset, end + offset)

    return shifted


def comment_start(text: str) -> int:
    """Where the comment begins: a ``#`` at the start or after white space; -1 for none."""
    at = text.find("#")
    while at > 0 and not text[at - 1].isspace():
        at = text.find("#", at + 1)
    return at


def _physical(source: SourceText) -> Iterator[tuple[str, int, int]]:
    """(text, line, column) of the lines as ``str.splitlines`` cuts them, which is what pip does."""
    for number, line in enumerate(source.lines, start=1):
        parts = line.splitlines(keepends=True)
        if len(parts) <= 1:
            yield (
                (parts[0].rstrip("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029") if parts else ""),
                number,
                1,
            )
            continue
        column = 1
        for part in parts:
            yield part.splitlines()[0], number, column
            column += len(part)


def logical_lines(source: SourceText) -> Iterator[Line]:
    """Continuations joined, comments cut off, blank lines left out (pip's ``preprocess``)."""
    pieces: list[tuple[str, int, int]] = []
    for text, number, column in _physical(source):
        is_comment = text.lstrip().startswith("#")
        if text.endswith("\\") and not is_comment:
            stripped = text.lstrip("\\")
            column += len(text) - len(stripped)
            pieces.append((stripped.rstrip("\\"), number, column))
            continue
        if pieces:
            # The space makes a comment line end the joined line instead of extending it.
            pieces.append(
                (" " + text, number, column - 1) if is_comment else (text, number, column)
            )
            yield from _joined(source.path, pieces)
            pieces = []
        elif text and not text.isspace():
            yield from _single(source.path, text, number, column)
    if pieces:
        yield from _joined(source.path, pieces)


def _single(path: str, text: str, number: int, column: int) -> Iterator[Line]:
    cut = comment_start(text) if "#" in text else -1
    comment = text[cut + 1 :].strip() if cut >= 0 else ""
    body = text[:cut] if cut >= 0 else text
    stripped = body.strip()
    if stripped:
        column += len(body) - len(body.lstrip())
        yield Line(stripped, _locator(path, number, column), number, comment)


def _joined(path: str, pieces: list[tuple[str, int, int]]) -> Iterator[Line]:
    fragment = Fragment(path, pieces)
    text = fragment.text
    cut = comment_start(text)
    comment = text[cut + 1 :].strip() if cut >= 0 else ""
    body = text[:cut] if cut >= 0 else text
    stripped = body.strip()
    if stripped:
        lead = len(body) - len(body.lstrip())
        yield Line(stripped, shifted_by(fragment.location, lead), pieces[0][1], comment)


# Long spelling by every spelling; True when it takes a value.
_OPTIONS: dict[str, tuple[str, bool]] = {
    "-i": ("--index-url", True),
    "--index-url": ("--index-url", True),
    "--pypi-url": ("--index-url", True),
    "--extra-index-url": ("--extra-index-url", True),
    "--no-index": ("--no-index", False),
    "-c": ("--constraint", True),
    "--constraint": ("--constraint", True),
    "-r": ("--requirement", True),
    "--requirement": ("--requirement", True),
    "-e": ("--editable", True),
    "--editable": ("--editable", True),
    "-f": ("--find-links", True),
    "--find-links": ("--find-links", True),
    "--no-binary": ("--no-binary", True),
    "--only-binary": ("--only-binary", True),
    "--prefer-binary": ("--prefer-binary", False),
    "--require-hashes": ("--require-hashes", False),
    "--no-require-hashes": ("--no-require-hashes", False),
    "--pre": ("--pre", False),
    "--all-releases": ("--all-releases", True),
    "--only-final": ("--only-final", True),
    "--trusted-host": ("--trusted-host", True),
    "--use-feature": ("--use-feature", True),
    "--hash": ("--hash", True),
    "-C": ("--config-settings", True),
    "--config-setting": ("--config-settings", True),
    "--config-settings": ("--config-settings", True),
}
# Options of older pips: understood, since the pip of the image may be old, and said to be gone.
OLD_OPTIONS: dict[str, tuple[str, bool]] = {
    "--global-option": ("--global-option", True),
    "--install-option": ("--install-option", True),
    "--process-dependency-links": ("--process-dependency-links", False),
    "--allow-external": ("--allow-external", True),
    "--allow-unverified": ("--allow-unverified", True),
    "--allow-all-external": ("--allow-all-external", False),
    "--use-wheel": ("--use-wheel", False),
    "--no-use-wheel": ("--no-use-wheel", False),
    "--always-unzip": ("--always-unzip", False),
    "-Z": ("--always-unzip", False),
}
PER_REQUIREMENT = frozenset({"--hash", "--config-settings", "--global-option", "--install-option"})
_HASH = re.compile(r"(sha256|sha384|sha512):(.*)", re.DOTALL)


class OptionError(Exception):
    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


_PLAIN_WORD = re.compile(r"[^ \t\r\n]+")


def words_of(text: str) -> list[tuple[str, int, int]]:
    """(word, start, end) as a POSIX shell splits; ``OptionError`` for an open quote."""
    if not any(c in text for c in "'\"\\"):
        return [(m[0], m.start(), m.end()) for m in _PLAIN_WORD.finditer(text)]
    words: list[tuple[str, int, int]] = []
    index, size = 0, len(text)
    while index < size:
        if text[index] in " \t\r\n":
            index += 1
            continue
        start = index
        parts: list[str] = []
        while index < size and text[index] not in " \t\r\n":
            char = text[index]
            if char == "'":
                close = text.find("'", index + 1)
                if close < 0:
                    raise OptionError("a quotation is not closed", index, size)
                parts.append(text[index + 1 : close])
                index = close + 1
            elif char == '"':
                index += 1
                while index < size and text[index] != '"':
                    if text[index] == "\\" and text[index + 1 : index + 2] in ('"', "\\"):
                        index += 1
                    parts.append(text[index])
                    index += 1
                if index >= size:
                    raise OptionError("a quotation is not closed", start, size)
                index += 1
            elif char == "\\":
                if index + 1 >= size:
                    raise OptionError("nothing follows the backslash", index, size)
                parts.append(text[index + 1])
                index += 2
            else:
                parts.append(char)
                index += 1
        words.append(("".join(parts), start, index))
    return words


@value(kw_only=False)
class GivenOption:
    """An option of one line: offsets are those of the whole ``--name value``."""

    name: str
    value: str | None
    start: int
    end: int
    value_start: int
    value_end: int


def _look_up(word: str, start: int, end: int) -> tuple[str, bool]:
    found = _OPTIONS.get(word) or OLD_OPTIONS.get(word)
    if found:
        return found
    if word.startswith("--"):
        # optparse accepts any unambiguous prefix.
        targets = sorted({o for o in _OPTIONS if o.startswith(word)})
        if len(targets) == 1:
            return _OPTIONS[targets[0]]
        if targets:
            listed = ", ".join(targets)
            raise OptionError(f"ambiguous option: {word} ({listed}?)", start, end)
    raise OptionError(f"no such option: {word}", start, end)


def options_of(text: str) -> list[GivenOption]:
    """The options of a line, by the rules of ``optparse``; stray words are ignored as pip does."""
    words = words_of(text)
    given: list[GivenOption] = []
    index = 0
    while index < len(words):
        word, start, end = words[index]
        index += 1
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            continue
        value: str | None
        if word.startswith("--"):
            name, equals, attached = word.partition("=")
            long, takes = _look_up(name, start, end)
            value_start = start + len(name) + 1
            if equals and not takes:
                raise OptionError(f"{name} option does not take a value", start, end)
            value = attached if equals else None
        else:
            # A cluster of flags, or a flag with its value attached: no short flag but -Z exists.
            long, takes = _look_up(word[:2], start, end)
            value = word[2:] if takes and len(word) > 2 else None
            value_start = start + 2
            if not takes and len(word) > 2:
                raise OptionError(f"no such option: -{word[2]}", start, end)
        value_end = end
        if takes and value is None:
            if index >= len(words):
                raise OptionError(f"{word} option requires 1 argument", start, end)
            value, value_start, value_end = words[index]
            index += 1
        if long == "--hash" and value is not None:
            _check_hash(value, start, value_end)
        given.append(GivenOption(long, value, start, value_end, value_start, value_end))
    return given


def _check_hash(value: str, start: int, end: int) -> None:
    if ":" not in value:
        raise OptionError("a --hash must be ALGORITHM:DIGEST", start, end)
    if not _HASH.fullmatch(value):
        raise OptionError("a --hash must be one of sha256, sha384, sha512", start, end)
