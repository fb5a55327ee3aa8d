"""A histogram of latencies with three significant digits at any size, as HdrHistogram keeps it."""

from __future__ import annotations

from collections.abc import Iterator

_BITS = 11
_HALF = 1 << (_BITS - 1)
# Copies that one stalled request may stand for.
_MOST_COPIES = 100_000


class Histogram:
    """Counts of latencies in microseconds; every value is within 0.1 % of what was recorded."""

    __slots__ = ("_counts", "largest", "smallest", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.total = 0
        self.smallest = 0
        self.largest = 0

    def record(self, micros: int, count: int = 1) -> None:
        """Add a latency."""
        micros = max(micros, 0)
        shift = micros.bit_length() - _BITS
        index = micros if shift <= 0 else shift * _HALF + (micros >> shift)
        self._counts[index] = self._counts.get(index, 0) + count
        if not self.total or micros < self.smallest:
            self.smallest = micros
        self.largest = max(self.largest, micros)
        self.total += count

    def items(self) -> Iterator[tuple[int, int]]:
        """(latency, count), smallest first; the latency is the middle of its bucket."""
        for index in sorted(self._counts):
            yield _middle(index), self._counts[index]

    def percentile(self, percent: float) -> int:
        """The latency that so many percent do not exceed; 0 without records."""
        if percent >= 100:
            return self.largest
        wanted = percent / 100.0 * self.total
        seen = 0
        for micros, count in self.items():
            seen += count
            if seen >= wanted:
                return min(max(micros, self.smallest), self.largest)
        return self.largest

    def mean(self) -> float:
        return sum(m * c for m, c in self.items()) / self.total if self.total else 0.0

    def corrected(self, interval: float) -> Histogram:
        """With the requests that a stalled client did not send (coordinated omission).

        A client that waits for each answer sends nothing during a stall: for every latency longer
        than the interval at which it sends, those that would have waited less are filled in.
        """
        made = Histogram()
        for micros, count in self.items():
            made.record(micros, count)
            if interval < 1:
                continue
            missing = micros - interval
            for _ in range(_MOST_COPIES):
                if missing < interval:
                    break
                made.record(int(missing), count)
                missing -= interval
        return made

    def merge(self, other: Histogram) -> None:
        """Add all of another's records."""
        for micros, count in other.items():
            self.record(micros, count)


def _middle(index: int) -> int:
    if index < 2 * _HALF:
        return index
    shift = index // _HALF - 1
    low = (index - shift * _HALF) << shift
    return low + (1 << shift) // 2
