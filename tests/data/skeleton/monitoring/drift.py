"""Compares the inputs that were logged last week with the training data; run every night."""

import csv
import statistics
import sys


def drifted(reference: list[float], current: list[float]) -> bool:
    spread = statistics.stdev(reference)
    return abs(statistics.mean(current) - statistics.mean(reference)) > spread


def column(path: str, name: str) -> list[float]:
    with open(path, encoding="utf-8") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


if __name__ == "__main__":
    names = [
        n for n in ("area", "rooms") if drifted(column(sys.argv[1], n), column(sys.argv[2], n))
    ]
    sys.exit(f"drifted: {names}" if names else 0)
