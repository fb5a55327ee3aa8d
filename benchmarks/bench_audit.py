"""CPU time of audits by size: start, ten files, 2,000 files, a walk of 100,000, and linearity.

    python benchmarks/bench_audit.py              prints the table
    python benchmarks/bench_audit.py --quick      leaves the walk of 100,000 files out

Each row is the least CPU time (user and system, of the child alone) of several runs. Linearity
compares what a further file costs between 8,000 and 20,000 files with what it costs between 2,000
and 8,000: near 1 is linear.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench_startup import ROOT, cpu_seconds, large_repository, small_repository

AUDIT = ["--format", "json", "--fail-on", "never", "--no-cache", "."]


def walk_seconds(root: Path, files: int) -> float:
    """CPU time of discovering that many files in this process."""
    sys.path.insert(0, str(ROOT))
    from auditor.discovery import discover

    for number in range(files // 100):
        folder = root / f"d{number // 100}" / f"p{number}"
        folder.mkdir(parents=True)
        for index in range(100):
            (folder / f"f{index}.py").touch()
    started = time.process_time()
    found = discover(str(root))
    elapsed = time.process_time() - started
    if len(found.entries) < files:
        raise SystemExit(f"only {len(found.entries)} of {files} files were found")
    return elapsed


def measure(directory: Path, *, runs: int, quick: bool) -> list[tuple[str, float, float | None]]:
    """Rows of (what, CPU seconds, promised limit)."""
    small = directory / "small"
    small_repository(small)
    sizes = (2_000, 8_000, 20_000)
    for size in sizes:
        large_repository(directory / str(size), size)
    rows: list[tuple[str, float, float | None]] = [
        ("--version", cpu_seconds(["--version"], small, runs), 0.040),
        ("ten files", cpu_seconds(AUDIT, small, runs), 0.400),
    ]
    cost = {size: cpu_seconds(AUDIT, directory / str(size), max(runs // 2, 1)) for size in sizes}
    limits = {2_000: 1.5}
    rows += [(f"{size:,} files", cost[size], limits.get(size)) for size in sizes]
    if not quick:
        rows.append(("walk of 100,000", walk_seconds(directory / "walk", 100_000), 5.0))
    return rows


def further_file_ratio(rows: list[tuple[str, float, float | None]]) -> float:
    """Cost of a file between 8,000 and 20,000, by that between 2,000 and 8,000."""
    cost = {name: seconds for name, seconds, _ in rows}
    first = max(cost["8,000 files"] - cost["2,000 files"], 0.01) / 6_000
    return (cost["20,000 files"] - cost["8,000 files"]) / 12_000 / first


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure audits by size.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        rows = measure(Path(directory), runs=options.runs, quick=options.quick)
    print(f"{'what':16} {'CPU ms':>8} {'limit':>8}")
    for name, seconds, limit in rows:
        promised = f"{limit * 1000:8.0f}" if limit else " " * 8
        print(f"{name:16} {seconds * 1000:8.0f} {promised}")
    print(
        f"a further file among 20,000 costs {further_file_ratio(rows):.2f} times as much as among 8,000"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
