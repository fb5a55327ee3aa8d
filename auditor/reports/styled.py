"""Lines of styled text: plain when piped, through rich on a colour terminal.

Everything else of the console report is independent of how (and whether) colour is drawn, and
rich, which costs more to import than most audits take, is imported only for colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.reports.escape import cell_width, encodable, fit, printable

# A span is (text, style name); a line is a sequence of spans without a line end.
Span = tuple[str, str]
Line = tuple[Span, ...]

STYLES = {
    "": "",
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "info": "blue",
    "title": "bold",
    "gutter": "blue",
    "other": "cyan",
    "dim": "dim",
    "yes": "green",
    "no": "bold red",
    "unknown": "yellow",
    "add": "green",
    "remove": "red",
}

# Longer messages say nothing more on a terminal.
_LONGEST = 4000


class Page:
    """Collects lines for one width and encoding. All text passes through ``clean``."""

    def __init__(self, width: int, encoding: str) -> None:
        self.width = max(width, 40)
        self.encoding = encoding
        self.unicode = encoding.lower().replace("_", "-").startswith(("utf-8", "utf8", "utf-16"))
        self.ellipsis = "…" if self.unicode else "..."
        self.lines: list[Line] = []

    def clean(self, text: str) -> str:
        """One line of harmless text in the page's encoding."""
        if len(text) > _LONGEST:
            text = text[:_LONGEST] + self.ellipsis
        return encodable(printable(" ".join(text.split())), self.encoding)

    def add(self, *spans: Span) -> None:
        """Append a line of spans that are already clean."""
        self.lines.append(tuple(span for span in spans if span[0]))

    def blank(self) -> None:
        """Append an empty line, but never two in a row."""
        if self.lines and self.lines[-1]:
            self.lines.append(())

    def paragraph(self, head: Iterable[Span], text: str, hang: int, style: str = "") -> None:
        """Clean spans followed by wrapped text; the lines after the first are indented."""
        spans = list(head)
        used = sum(cell_width(part) for part, _ in spans)
        for number, piece in enumerate(self.wrap(text, self.width - used, self.width - hang)):
            if number:
                self.add((" " * hang, ""), (piece, style))
            else:
                self.add(*spans, (piece, style))

    def wrap(self, text: str, first: int, rest: int) -> Iterator[str]:
        """Clean text in pieces of at most so many cells (at least 8), broken at spaces."""
        room = max(first, 8)
        line, used = "", 0
        for word in self.clean(text).split(" "):
            size = cell_width(word)
            if line and used + 1 + size > room:
                yield line
                line, used, room = "", 0, max(rest, 8)
            while size > room and not line:
                head = max(fit(word, room), 1)
                yield word[:head]
                word, room = word[head:], max(rest, 8)
                size = cell_width(word)
            line, used = (f"{line} {word}", used + 1 + size) if line else (word, size)
        yield line


def plain(lines: Iterable[Line]) -> str:
    """The lines without styles."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def ansi(lines: Iterable[Line]) -> str:
    """The lines with terminal escapes, drawn by rich."""
    import io

    from rich.console import Console
    from rich.text import Text

    stream = io.StringIO()
    # An empty environment keeps the report a function of its arguments.
    console = Console(
        file=stream,
        force_terminal=True,
        color_system="standard",
        no_color=False,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        width=100_000,
        _environ={},
    )
    for line in lines:
        text = Text(no_wrap=True, overflow="ignore", end="")
        for part, style in line:
            text.append(part, style=STYLES[style])
        console.print(text, soft_wrap=True, end="\n")
    return stream.getvalue()
