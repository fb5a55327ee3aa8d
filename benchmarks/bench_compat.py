"""CPU time of the linker: one artifact against one environment, and 500 against 20.

    python benchmarks/bench_compat.py            prints the table
    python benchmarks/bench_compat.py --check    also fails when a limit is exceeded

The artifacts are the fixtures' real models; the single case is the whole command in a process of its
own, start-up included. The size of the shipped knowledge is printed as well.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

from bench_startup import cpu_seconds

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SCIKIT = ("0.22.2", "1.0.2", "1.2.2", "1.5.2", "1.7.2")
PYTHONS = ("3.8", "3.9", "3.11", "3.12")


def models() -> list[Path]:
    """The models in the fixtures."""
    return sorted(p for p in (ROOT / "fixtures").rglob("*") if p.suffix in (".pkl", ".joblib"))


def one(directory: Path, runs: int) -> float:
    """``compat`` of one artifact against pins."""
    pins = directory / "requirements.txt"
    pins.write_text("scikit-learn==1.5.2\nnumpy==1.26.4\nscipy==1.13.1\njoblib==1.4.2\n")
    model = models()[0]
    arguments = ["compat", str(model), "--python", "3.11", "-r", str(pins), "--fail-on", "never"]
    return cpu_seconds(arguments, directory, runs)


def many(artifacts: int) -> tuple[float, int]:
    """CPU seconds of scanning and judging so many artifacts in twenty environments."""
    from auditor.artifacts.scan import scan_file
    from auditor.linking.compatibility import Runtime, link
    from auditor.linking.distributions import close

    started = time.process_time()
    runtimes = [
        Runtime(
            python=python,
            installed=close(
                [("scikit-learn", (), version), ("numpy", (), "1.26.4"), ("joblib", (), "1.4.2")],
                python=python,
                closed=True,
            ),
            project={},
        )
        for python, version in itertools.product(PYTHONS, SCIKIT)
    ]
    done = 0
    for path in itertools.islice(itertools.cycle(models()), artifacts):
        facts, *_ = scan_file(path, display_path=path.name)
        for runtime in runtimes:
            link(facts, runtime)
            done += 1
    return time.process_time() - started, done


def main() -> int:
    """Measure, print, and with ``--check`` judge."""
    parser = argparse.ArgumentParser(description="Measure the compatibility engine.")
    parser.add_argument("--check", action="store_true", help="fail beyond the limits")
    parser.add_argument("--margin", type=float, default=1.0, help="factor on every limit")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        single = one(Path(directory), options.runs)
    seconds, cells = many(500)
    size = sum(p.stat().st_size for p in (ROOT / "rules" / "knowledge").iterdir())
    rows = [
        ("one artifact, one environment", single, 0.5, "s"),
        (f"500 artifacts, 20 environments ({cells} cells)", seconds, 20.0, "s"),
        ("shipped knowledge", size / 1e6, 5.0, "MB"),
    ]
    over = 0
    for name, value, limit, unit in rows:
        limit *= options.margin if unit == "s" else 1
        over += value > limit
        print(
            f"{name:48} {value:7.2f} {unit:2} limit {limit:.1f}{'  OVER' if value > limit else ''}"
        )
    return 1 if options.check and over else 0


if __name__ == "__main__":
    sys.exit(main())
