"""How much this machine has to do, whoever makes it: what a measurement on it is worth."""

from __future__ import annotations

import time
from pathlib import Path


def busy(seconds: float = 1.0) -> float | None:
    """How much of the processors is at work, 0 to 1; None where that cannot be told."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None or after[1] <= before[1]:
        return None
    return round(1.0 - (after[0] - before[0]) / (after[1] - before[1]), 2)


def _ticks() -> tuple[int, int] | None:
    """(idle, all) of the machine's processors so far; None where the kernel does not say."""
    try:
        words = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]
        counts = [int(word) for word in words]
    except (OSError, ValueError):
        return None
    return (counts[3] + counts[4], sum(counts)) if len(counts) > 4 else None
