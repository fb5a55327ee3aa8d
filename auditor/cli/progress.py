"""A bar on the terminal while many files are judged; nothing where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Final, TextIO, TypeVar

T = TypeVar("T")

# Nobody wants to see a bar for less than this, nor more often.
_PATIENCE: Final = 0.5
_EVERY: Final = 0.1
_WIDTH: Final = 30


def shown(
    items: Iterable[T], total: int, what: str, *, stream: TextIO | None = None
) -> Iterator[T]:
    """The items as they come, with a bar on the terminal that goes when they end."""
    stream = sys.stderr if stream is None else stream
    began = last = monotonic()
    drawn = False
    try:
        for count, item in enumerate(items, 1):
            now = monotonic()
            if now - began > _PATIENCE and now - last > _EVERY and count < total:
                stream.write("\r" + bar(count, total, what))
                stream.flush()
                last, drawn = now, True
            yield item
    finally:
        if drawn:
            stream.write("\r\x1b[K")
            stream.flush()


def bar(count: int, total: int, what: str) -> str:
    """``[######------]  41 % · 410 of 1,000 files``."""
    share = count / total if total else 1.0
    full = int(_WIDTH * share)
    return f"[{'#' * full}{'-' * (_WIDTH - full)}] {share:4.0%} · {count:,} of {total:,} {what}"
