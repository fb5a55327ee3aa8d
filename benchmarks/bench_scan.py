#!/usr/bin/env python3
"""How fast artifacts are scanned, beside ``pickle.loads`` and other scanners in the same run.

    python benchmarks/bench_scan.py [--protocol N]... [--peer NAME=PYTHON]... [--big MEGABYTES] [--check]

Prints, for pickles of many small objects, seconds of CPU and the ratio to ``pickle.loads``, the
verdict where it is not "safe"; with ``--check`` the exit status is 1 when a scan takes longer than
``pickle.loads``, or a large file more than 150 MB of memory. For one
small artifact the wall time of a whole process per scanner; for a large joblib-like file the peak
resident memory. Peers: picklescan, fickling, modelscan, modelaudit, each with the interpreter of an
environment that has it.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import gc
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
import types
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PEER = {
    "picklescan": "from picklescan.scanner import scan_file_path as f; f({0!r})",
    "fickling": "from fickling.fickle import Pickled; from fickling.analysis import check_safety\n"
    "check_safety(Pickled.load(open({0!r}, 'rb')))",
    "modelscan": "from modelscan.modelscan import ModelScan; ModelScan().scan({0!r})",
    "modelaudit": "from modelaudit.core import scan_model_directory_or_file as f; f({0!r})",
}
OURS = "from auditor.artifacts.scan import scan_file; scan_file({0!r}, display_path='x')"
MEASURE = (
    "import resource, sys, time; began = time.perf_counter()\n{code}\n"
    "u = resource.getrusage(resource.RUSAGE_SELF)\n"
    # The peak of this program alone: ru_maxrss counts what the parent had, too.
    "peak = [l for l in open('/proc/self/status') if l.startswith('VmHWM')] if sys.platform == 'linux' else []\n"
    "peak = int(peak[0].split()[1]) / 1024 if peak else u.ru_maxrss / 1024\n"
    "sys.stderr.write('\\n@' + repr((u.ru_utime + u.ru_stime, peak, time.perf_counter() - began)))"
)


class Record:
    """An object with attributes, of a class that no allow-list knows."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"record {number}"
        self.score = number * 0.5


class Trees:
    """A forest, when scikit-learn is there."""

    def __new__(cls, count: int) -> object:  # type: ignore[misc]
        try:
            from sklearn.ensemble import RandomForestRegressor
        except ImportError:
            return [1] * count
        rows = [[float(i % 17), float(i % 5)] for i in range(200)]
        return RandomForestRegressor(count).fit(rows, [float(i) for i in range(200)])


def table(count: int) -> object:
    """A frame of objects, when pandas is there."""
    try:
        import pandas as pd
    except ImportError:
        return [str(i) for i in range(count)]
    return pd.DataFrame({"a": [f"key {i}" for i in range(count)], "b": [i % 7 for i in range(count)]}, dtype=object)  # fmt: skip


def cases(scale: int) -> dict[str, object]:
    return {
        "integers": list(range(1_000_000 * scale)),
        "strings": [f"word-{i}" for i in range(300_000 * scale)],
        "tuples": [(i, i * 0.5, str(i)) for i in range(150_000 * scale)],
        "records": [
            {"id": i, "name": f"user{i}", "score": i * 0.1, "tags": ["a", "b"]}
            for i in range(75_000 * scale)
        ],
        "vocabulary": {f"tok{i}": i for i in range(250_000 * scale)},
        "dates": [datetime.date(2020, 1, 1 + i % 28) for i in range(50_000 * scale)],
        "counters": [collections.Counter(a=i) for i in range(30_000 * scale)],
        "decimals": [decimal.Decimal(i) / 7 for i in range(60_000 * scale)],
        "complex": [complex(i, 1) for i in range(100_000 * scale)],
        "ordered": [collections.OrderedDict(a=i, b=2) for i in range(40_000 * scale)],
        "floats": [i * 0.5 for i in range(400_000 * scale)],
        "numbers": {i: i * 2 for i in range(300_000 * scale)},
        "datetimes": [
            datetime.datetime(2020, 1, 1 + i % 28, i % 24) for i in range(100_000 * scale)
        ],
        "defaults": [collections.defaultdict(list, a=[i]) for i in range(50_000 * scale)],
        "sets": [{i, i + 1, i + 2} for i in range(60_000 * scale)],
        "spaces": [types.SimpleNamespace(a=i, b=f"x{i}") for i in range(40_000 * scale)],
        "objects": [Record(i) for i in range(50_000 * scale)],
        "frame": table(200_000 * scale),
        "forest": Trees(100 * scale),
        "nested": {
            f"k{i}": {f"j{j}": [j] * 3 for j in range(i % 6)} for i in range(40_000 * scale)
        },
    }


def clock(work: Callable[[bytes], Any], data: bytes) -> tuple[float, Any]:
    """Seconds of CPU that the work takes, and what it gives."""
    gc.collect()
    began = time.process_time()
    result = work(data)
    return time.process_time() - began, result


def child(python: str, code: str, limit: float) -> tuple[float, float, float] | None:
    """(CPU seconds, peak MB, wall seconds) of a process that runs the code; None when it fails."""
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [python, "-c", MEASURE.format(code=code)],
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            cwd=ROOT,
            # Some report home otherwise, and wait where there is no network.
            env={**os.environ, "NO_ANALYTICS": "1"},
        )
    except subprocess.TimeoutExpired:
        return None
    if "@" not in done.stderr:
        return None
    cpu, memory, _ = json.loads(done.stderr.rpartition("@")[2].replace("(", "[").replace(")", "]"))
    return cpu, memory, time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--protocol", type=int, action="append", help="of the pickles, 0 to 5")
    parser.add_argument("--case", action="append", default=[], help="only these pickles")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--big", type=int, default=512, help="megabytes of the large file")
    options = parser.parse_args()
    peers = dict(text.split("=", 1) for text in options.peer)
    from auditor.artifacts.blob import Blob
    from auditor.artifacts.facts import Limits
    from auditor.artifacts.pickle.analyse import Analysis, analyse

    def ask(data: bytes) -> Analysis:
        return analyse(Blob(data), limits=Limits())

    missed: list[str] = []
    # Tables and modules are loaded once, by whatever is scanned first.
    ask(pickle.dumps([datetime.date(2020, 1, 1)]))
    print(
        f"{'pickle':14} {'MB':>6} {'loads':>7} {'scan':>7} {'scan/loads':>10} {'MB/s':>6}", end=""
    )
    print("".join(f" {name:>11}" for name in peers))
    with tempfile.TemporaryDirectory() as folder:
        made = cases(options.scale)
        for name, protocol in product(options.case or made, options.protocol or [4]):
            data = pickle.dumps(made[name], protocol)
            loads = min(clock(pickle.loads, data)[0] for _ in range(3))
            scan, found = min((clock(ask, data) for _ in range(3)), key=lambda pair: pair[0])
            size = len(data) / 1e6
            label = f"{name} {protocol}"
            print(
                f"{label:14} {size:6.1f} {loads:6.2f}s {scan:6.2f}s {scan / loads:10.2f} {size / scan:6.0f}",
                end="",
            )
            if scan > loads:
                missed.append(f"{label}: {scan / loads:.2f} of pickle.loads")
            path = str(Path(folder) / f"{name}.pkl")
            Path(path).write_bytes(data)
            for peer, python in peers.items():
                run = child(python, PEER[peer].format(path), 120)
                print(f" {'fails' if run is None else f'{run[0] / loads:.0f} x loads':>11}", end="")
            print("" if found.verdict == "safe" else f"  {found.verdict}", flush=True)
        small = str(Path(folder) / "small.pkl")
        Path(small).write_bytes(pickle.dumps({"a": [1, 2, 3]}, 4))
        print("\none small artifact, whole process, wall seconds (best of 5):")
        runs = {"deploy-audit": (sys.executable, OURS)}
        runs.update({p: (python, PEER[p]) for p, python in peers.items()})
        for name, (python, code) in runs.items():
            walls = [found[2] for _ in range(5) if (found := child(python, code.format(small), 60))]
            print(f"  {name:12} {min(walls):6.2f}" if walls else f"  {name:12}  fails")
        big = Path(folder) / "big.pt"
        with zipfile.ZipFile(big, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            body = b"\x80\x02}."
            archive.writestr("m/data.pkl", body)
            with archive.open("m/data/0", "w", force_zip64=True) as entry:
                for _ in range(options.big):
                    entry.write(bytes(1 << 20))
        found = child(sys.executable, OURS.format(str(big)), 600)
        if found is not None:
            print(f"\n{options.big} MB torch archive: {found[2]:.1f} s, {found[1]:.0f} MB resident")
            if found[1] > 150:
                missed.append(f"{found[1]:.0f} MB resident")
    _ = resource
    if missed:
        print("\nabove the limit: " + "; ".join(missed))
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
