"""Text from the audited repository made harmless for each medium that shows it.

File names, source lines and messages are chosen by whoever wrote the repository. Unescaped they
could move the cursor, hide text (bidirectional overrides), close a tag, mention people or issue
workflow commands.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Set
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from auditor import lazy_re as re
from auditor.source import Location, Unknown

# Everything that has no picture of its own: controls, format characters (bidi overrides, joiners,
# tags), surrogates, unassigned, private use, line and paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
_DEPTH = 24


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with every invisible character spelt out (``\x1b``, ``\u202e``).

    Characters in ``keep`` (a line feed, say) stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char in keep or not _is_invisible(char) else _spelt(char) for char in text
    )


def one_line(text: str) -> str:
    """Printable text on one line: runs of white space and line ends become one space."""
    return printable(" ".join(text.split()))


def encodable(text: str, encoding: str) -> str:
    r"""The text with what ``encoding`` cannot carry spelt out (``\u2514``)."""
    if text.isascii():
        return text
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except (LookupError, UnicodeError):
        return text.encode("ascii", "backslashreplace").decode("ascii")


def wellformed(text: str) -> str:
    r"""The text with lone surrogates spelt out, so that UTF-8 and strict JSON can carry it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def cell_width(text: str) -> int:
    """Terminal cells of printable text: wide characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(_cells(char) for char in text)


def cut(text: str, width: int, ellipsis: str = "...") -> str:
    """The text, shortened to so many cells."""
    if cell_width(text) <= width:
        return text
    room = max(width - cell_width(ellipsis), 0)
    return text[: fit(text, room)] + ellipsis[: max(width, 0)]


def fit(text: str, width: int) -> int:
    """How many leading characters take at most so many cells."""
    used = 0
    for index, char in enumerate(text):
        used += _cells(char)
        if used > width:
            return index
    return len(text)


def html(text: str) -> str:
    """For HTML text and quoted attributes; invisible characters are spelt out."""
    return _entities(printable(text, keep="\n\t"))


def _entities(text: str) -> str:
    # As html.escape; that module's table of two thousand entities is for reading.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&#x27;")


def xml(text: str) -> str:
    """Text that XML 1.0 can carry (what it forbids, even as a reference, is spelt out)."""
    return printable(text, keep="\n\t")


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()!|~<>$]|^[+-])")
# A comment after them is invisible and keeps platforms from notifying people, linking to issues
# and making links of bare addresses.
_LINKING = re.compile(r"(@|#|://|www\.)")


def markdown(text: str) -> str:
    """Inline Markdown that shows exactly this text and mentions nobody."""
    escaped = _MARKDOWN.sub(r"\\\1", one_line(text)).replace("&", "&amp;")
    return _LINKING.sub(lambda m: f"{m[0][0]}<!-- -->{m[0][1:]}", escaped)


def markdown_message(text: str) -> str:
    """A message of ours as inline Markdown: what stands between backquotes becomes code."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0 or not all(parts[1::2]):
        return markdown(text)
    return "".join(
        markdown_code(part) if number % 2 else _inner(part) for number, part in enumerate(parts)
    )


def _inner(text: str) -> str:
    # Unlike in markdown(), spaces at the ends separate the text from the code beside it.
    bare = text.strip(" ")
    if not bare:
        return text
    return (
        text[: len(text) - len(text.lstrip(" "))] + markdown(bare) + text[len(text.rstrip(" ")) :]
    )


def markdown_code(text: str) -> str:
    """A Markdown code span of this text, fit for table cells."""
    text = one_line(text)
    # A pipe ends a table cell even inside a code span; three backticks may open a block.
    if "|" in text or "```" in text:
        return f"<code>{_entities(text).replace('|', '&#124;')}</code>".replace("@", "&#64;")
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if not text or text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def markdown_block(lines: list[str], language: str = "") -> str:
    """A fenced code block of these lines."""
    shown = [printable(line, keep="\t") for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *shown, fence])


def workflow_data(text: str) -> str:
    """The message part of a GitHub workflow command."""
    shown = printable(text.replace("\r\n", "\n").replace("\r", "\n"), keep="\n")
    return shown.replace("%", "%25").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """The value of a property of a GitHub workflow command."""
    return workflow_data(text).replace(":", "%3A").replace(",", "%2C")


def uri(path: str) -> str:
    """A repository path as a relative URI reference (RFC 3986), bytes percent-encoded."""
    return quote(path.encode("utf-8", "surrogateescape" if _escaped(path) else "replace"), "/~")


def jsonable(value: Any, depth: int = _DEPTH) -> Any:
    """The value in JSON's types: what is unknown or not a number becomes null, sets are sorted."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return wellformed(value)
    if isinstance(value, enum.Enum):
        label = getattr(value, "label", None)
        return label if isinstance(label, str) else jsonable(value.value, depth)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Unknown):
        return None
    if isinstance(value, Location):
        return wellformed(str(value))
    if isinstance(value, PurePath):
        return wellformed(value.as_posix())
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if depth <= 0:
        return None
    if isinstance(value, Mapping):
        return {wellformed(str(k)): jsonable(v, depth - 1) for k, v in value.items()}
    if isinstance(value, Set):
        return sorted((jsonable(v, depth - 1) for v in value), key=repr)
    if isinstance(value, list | tuple):
        return [jsonable(v, depth - 1) for v in value]
    return wellformed(str(value))


def _escaped(path: str) -> bool:
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_invisible(char: str) -> bool:
    import unicodedata

    return unicodedata.category(char) in _INVISIBLE


def _spelt(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(char, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cells(char: str) -> int:
    if char.isascii():
        return 1
    import unicodedata

    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
