"""Latencies as one SVG picture: over the time of the run, and by percentile."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

from auditor.rehearsal.load import Outcome

_WIDTH, _HEIGHT = 860, 640
_LEFT, _RIGHT = 70, 20
_COLUMNS = 120
_PERCENTS = (0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)


def svg(outcome: Outcome, *, title: str, limit_ms: float) -> str:
    """The picture. Self-contained, and nothing in it comes from the service."""
    top = max(outcome.millis_at(100.0), limit_ms) * 1.1 or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
        *_over_time(outcome, limit_ms, top, 45, 240),
        *_by_percentile(outcome, limit_ms, top, 350, 240),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _height(millis: float, top: float, at: int, high: int) -> float:
    """Logarithmic: the tail matters as much as the middle."""
    low = 0.05
    share = math.log(max(millis, low) / low) / math.log(max(top, 2 * low) / low)
    return at + high * (1 - min(max(share, 0.0), 1.0))


def _frame(at: int, high: int, top: float, limit_ms: float) -> list[str]:
    width = _WIDTH - _LEFT - _RIGHT
    made = [
        f'<rect x="{_LEFT}" y="{at}" width="{width}" height="{high}" fill="none" stroke="#999"/>'
    ]
    tick = 0.1
    while tick < top:
        y = _height(tick, top, at, high)
        made.append(f'<path d="M{_LEFT} {y:.1f}h{width}" stroke="#ddd"/>')
        made.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g} ms</text>')
        tick *= 10
    y = _height(limit_ms, top, at, high)
    made.append(f'<path d="M{_LEFT} {y:.1f}h{width}" stroke="#c00" stroke-dasharray="5 4"/>')
    made.append(
        f'<text x="{_WIDTH - _RIGHT - 4}" y="{y - 4:.1f}" fill="#c00" text-anchor="end">'
        f"limit {limit_ms:g} ms</text>"
    )
    return made


def _over_time(outcome: Outcome, limit_ms: float, top: float, at: int, high: int) -> list[str]:
    made = _frame(at, high, top, limit_ms)
    seconds = max(outcome.seconds, max(outcome.times, default=0.0), 1e-9)
    columns: list[list[float]] = [[] for _ in range(_COLUMNS)]
    for when, millis in zip(outcome.times, outcome.millis, strict=True):
        columns[min(int(when / seconds * _COLUMNS), _COLUMNS - 1)].append(millis)
    width = (_WIDTH - _LEFT - _RIGHT) / _COLUMNS
    for percent, colour in ((100.0, "#f2b8a0"), (95.0, "#e07b39"), (50.0, "#1f77b4")):
        points = []
        for number, column in enumerate(columns):
            if column:
                column.sort()
                value = column[min(int(percent / 100 * len(column)), len(column) - 1)]
                x = _LEFT + (number + 0.5) * width
                points.append(f"{x:.1f},{_height(value, top, at, high):.1f}")
        made.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
    made.append(
        f'<text x="{_LEFT}" y="{at + high + 18}">seconds 0 to {seconds:.0f}: median (blue), 95th '
        "percentile (orange), slowest (pale)</text>"
    )
    return made


def _by_percentile(outcome: Outcome, limit_ms: float, top: float, at: int, high: int) -> list[str]:
    made = _frame(at, high, top, limit_ms)
    width = _WIDTH - _LEFT - _RIGHT
    last = math.log10(1 / (1 - _PERCENTS[-1] / 100))
    points = []
    for percent in _PERCENTS:
        x = _LEFT + width * math.log10(1 / (1 - percent / 100)) / last
        y = _height(outcome.millis_at(percent), top, at, high)
        points.append(f"{x:.1f},{y:.1f}")
        made.append(f'<path d="M{x:.1f} {at}v{high}" stroke="#eee"/>')
        made.append(
            f'<text x="{x:.1f}" y="{at + high + 16}" text-anchor="middle">{percent:g} %</text>'
        )
    made.append(
        f'<polyline points="{" ".join(points)}" fill="none" stroke="#1f77b4" stroke-width="2"/>'
    )
    return made
