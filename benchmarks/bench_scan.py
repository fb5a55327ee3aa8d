#!/usr/bin/env python3
"""How fast artifacts are scanned, beside ``pickle.loads`` and other scanners in the same run.

    python benchmarks/bench_scan.py [--peer NAME=PYTHON]... [--big MEGABYTES]

Prints, for pickles of many small objects, seconds of CPU and the ratio to ``pickle.loads``; for one
small artifact the wall time of a whole process per scanner; for a large joblib-like file the peak
resident memory. Peers: picklescan, fickling, modelscan, modelaudit, each with the interpreter of an
environment that has it.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

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
        "nested": {
            f"k{i}": {f"j{j}": [j] * 3 for j in range(i % 6)} for i in range(40_000 * scale)
        },
    }


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
    parser.add_argument("--protocol", type=int, default=4, help="of the pickles, 0 to 5")
    parser.add_argument("--big", type=int, default=512, help="megabytes of the large file")
    options = parser.parse_args()
    peers = dict(text.split("=", 1) for text in options.peer)
    from auditor.artifacts.blob import Blob
    from auditor.artifacts.facts import Limits
    from auditor.artifacts.pickle.analyse import analyse

    print(
        f"{'pickle':12} {'MB':>6} {'loads':>7} {'scan':>7} {'scan/loads':>10} {'MB/s':>6}", end=""
    )
    print("".join(f" {name:>11}" for name in peers))
    with tempfile.TemporaryDirectory() as folder:
        for name, value in cases(options.scale).items():
            data = pickle.dumps(value, options.protocol)
            began = time.process_time()
            pickle.loads(data)
            loads = time.process_time() - began
            began = time.process_time()
            verdict = analyse(Blob(data), limits=Limits()).verdict
            scan = time.process_time() - began
            assert verdict == "safe", name
            size = len(data) / 1e6
            print(
                f"{name:12} {size:6.1f} {loads:6.2f}s {scan:6.2f}s {scan / loads:10.2f} {size / scan:6.0f}",
                end="",
            )
            path = str(Path(folder) / f"{name}.pkl")
            Path(path).write_bytes(data)
            for peer, python in peers.items():
                found = child(python, PEER[peer].format(path), 120)
                print(
                    f" {'fails' if found is None else f'{found[0] / loads:.0f} x loads':>11}",
                    end="",
                )
            print(flush=True)
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
    _ = resource
    return 0


if __name__ == "__main__":
    sys.exit(main())
