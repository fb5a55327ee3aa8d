"""CPU time of audits by size: start, ten files, 2,000 files, a walk of 100,000, and linearity.

    python benchmarks/bench_audit.py              prints the table
    python benchmarks/bench_audit.py --quick      only the small ones: commands and fixtures
    python benchmarks/bench_audit.py --check      also fails when a limit is exceeded

Limits hold on one core of a 2-core machine; ``--margin 2`` doubles them for crowded ones.

Each row is the least CPU time (user and system, of the child alone) of several runs. Linearity
compares what a further file costs between 8,000 and 20,000 files with what it costs between 2,000
and 8,000: near 1 is linear.
"""

from __future__ import annotations

import argparse
import pickle
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
    (directory / "small.pkl").write_bytes(pickle.dumps({"weights": [1.0, 2.0]}))
    model = ROOT / "fixtures" / "churn-fastapi"
    compat = "compat models/churn.pkl --python 3.11 -r requirements.txt --fail-on never"
    rows: list[tuple[str, float, float | None]] = [
        ("--version", cpu_seconds(["--version"], small, runs), 0.040),
        ("scan, small.pkl", cpu_seconds(["scan", "small.pkl"], directory, runs), 0.100),
        ("compat", cpu_seconds(compat.split(), model, runs), 0.250),
        ("ten files", cpu_seconds(AUDIT, small, runs), 0.400),
        ("with a model", cpu_seconds(AUDIT, model, runs), 0.400),
    ]
    if quick:
        return rows
    sizes = (2_000, 8_000, 20_000)
    for size in sizes:
        large_repository(directory / str(size), size)
    cost = {size: cpu_seconds(AUDIT, directory / str(size), max(runs // 2, 1)) for size in sizes}
    limits = {2_000: 1.5}
    rows += [(f"{size:,} files", cost[size], limits.get(size)) for size in sizes]
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
    parser.add_argument("--quick", action="store_true", help="only the small ones")
    parser.add_argument("--check", action="store_true", help="fail beyond the limits")
    parser.add_argument("--margin", type=float, default=1.0, help="factor on every limit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        rows = measure(Path(directory), runs=options.runs, quick=options.quick)
    print(f"{'what':16} {'CPU ms':>8} {'limit':>8}")
    slow = 0
    for name, seconds, limit in rows:
        over = limit is not None and seconds > limit * options.margin
        slow += over
        promised = f"{limit * options.margin * 1000:8.0f}" if limit else " " * 8
        print(f"{name:16} {seconds * 1000:8.0f} {promised}{'  OVER' if over else ''}")
    if not options.quick:
        print(
            f"a further file among 20,000 costs {further_file_ratio(rows):.2f} times as much as "
            "among 8,000"
        )
    return 1 if options.check and slow else 0


if __name__ == "__main__":
    sys.exit(main())
