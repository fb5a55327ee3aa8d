#!/usr/bin/env python3
"""How fast artifacts are scanned, beside ``pickle.loads`` and other scanners in the same run.

    python benchmarks/bench_scan.py [PART]... [--protocol N]... [--case NAME]... [--scale N]
        [--peer NAME=PYTHON]... [--big MEGABYTES] [--many FILES] [--check]

Parts, all of them by default:

objects
    Pickles of millions of small objects (the frame and the forest are what libraries make of as
    many): seconds of CPU, the ratio to ``pickle.loads``, the verdict where it is not "safe".
small
    One small artifact: wall time of the command itself, the best of five in turns.
big
    A large file of each format: seconds and peak resident memory.
many
    Thousands of small artifacts: wall time with one process and with one for each processor.

Peers: picklescan, fickling, modelscan, modelaudit, each with the interpreter of an environment that
has it. With ``--check`` the exit status is 1 when a scan of millions of small objects takes longer
than ``pickle.loads``, a large file takes more than 150 MB of memory, or a peer is faster with the
small artifact.
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
import struct
import subprocess
import sys
import tempfile
import time
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# What judges a file within a program, and the command that does.
PEER = {
    "picklescan": "from picklescan.scanner import scan_file_path as f; f({0!r})",
    "fickling": "from fickling.fickle import Pickled; from fickling.analysis import check_safety\n"
    "check_safety(Pickled.load(open({0!r}, 'rb')))",
    "modelscan": "from modelscan.modelscan import ModelScan; ModelScan().scan({0!r})",
    "modelaudit": "from modelaudit.core import scan_model_directory_or_file as f; f({0!r})",
}
COMMAND = {
    "picklescan": ["picklescan", "-p"],
    "fickling": ["fickling", "--check-safety"],
    "modelscan": ["modelscan", "-p"],
    "modelaudit": ["modelaudit", "scan"],
}
OURS = "from auditor.artifacts.scan import scan_file; scan_file({0!r}, display_path='x')"
SAFE = "from auditor.artifacts.scan import scan_file\n" + (
    "found = scan_file({0!r}, display_path='x')\nassert found[0].verdict == 'safe', found"
)
# Some report home otherwise, and wait where there is no network. Compiled modules are used.
ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
    "NO_ANALYTICS": "1",
    "PYTHONPATH": str(ROOT),
}
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


# How many, and what: made when it is its turn, for what lies about slows ``pickle.loads`` down.
CASES: dict[str, tuple[int, Callable[[int], object]]] = {
    "integers": (1_000_000, lambda n: list(range(n))),
    "strings": (300_000, lambda n: [f"word-{i}" for i in range(n)]),
    "tuples": (150_000, lambda n: [(i, i * 0.5, str(i)) for i in range(n)]),
    "records": (
        75_000,
        lambda n: [
            {"id": i, "name": f"user{i}", "score": i * 0.1, "tags": ["a", "b"]} for i in range(n)
        ],
    ),
    "vocabulary": (250_000, lambda n: {f"tok{i}": i for i in range(n)}),
    "dates": (50_000, lambda n: [datetime.date(2020, 1, 1 + i % 28) for i in range(n)]),
    "counters": (30_000, lambda n: [collections.Counter(a=i) for i in range(n)]),
    "decimals": (60_000, lambda n: [decimal.Decimal(i) / 7 for i in range(n)]),
    "complex": (100_000, lambda n: [complex(i, 1) for i in range(n)]),
    "ordered": (40_000, lambda n: [collections.OrderedDict(a=i, b=2) for i in range(n)]),
    "floats": (400_000, lambda n: [i * 0.5 for i in range(n)]),
    "numbers": (300_000, lambda n: {i: i * 2 for i in range(n)}),
    "datetimes": (
        100_000,
        lambda n: [datetime.datetime(2020, 1, 1 + i % 28, i % 24) for i in range(n)],
    ),
    "defaults": (50_000, lambda n: [collections.defaultdict(list, a=[i]) for i in range(n)]),
    "sets": (60_000, lambda n: [{i, i + 1, i + 2} for i in range(n)]),
    "spaces": (40_000, lambda n: [types.SimpleNamespace(a=i, b=f"x{i}") for i in range(n)]),
    "objects": (50_000, lambda n: [Record(i) for i in range(n)]),
    "nested": (
        40_000,
        lambda n: {f"k{i}": {f"j{j}": [j] * 3 for j in range(i % 6)} for i in range(n)},
    ),
    "frame": (200_000, table),
    "forest": (100, Trees),
}
# Of these only few objects are small ones, and nothing is promised.
_LIBRARY = ("frame", "forest")


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
            env=ENVIRONMENT,
        )
    except subprocess.TimeoutExpired:
        return None
    if "@" not in done.stderr:
        return None
    cpu, memory, _ = json.loads(done.stderr.rpartition("@")[2].replace("(", "[").replace(")", "]"))
    return cpu, memory, time.perf_counter() - began


def wall(command: list[str], limit: float = 120) -> float | None:
    """Seconds that a command takes; None when it does not come to an end, or is not there."""
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=limit, check=False, cwd=ROOT, env=ENVIRONMENT
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    return time.perf_counter() - began if done.returncode in (0, 1) else None


def objects(options: argparse.Namespace, peers: dict[str, str], folder: Path) -> list[str]:
    """Pickles of many small objects, beside ``pickle.loads``."""
    from auditor.artifacts.blob import Blob
    from auditor.artifacts.facts import Limits
    from auditor.artifacts.pickle.analyse import Analysis, analyse

    def ask(data: bytes) -> Analysis:
        return analyse(Blob(data), limits=Limits())

    missed = []
    # Tables and modules are loaded once, by whatever is scanned first.
    ask(pickle.dumps([datetime.date(2020, 1, 1)]))
    print(
        f"{'pickle':14} {'MB':>6} {'loads':>7} {'scan':>7} {'scan/loads':>10} {'MB/s':>6}", end=""
    )
    print("".join(f" {name:>11}" for name in peers))
    for name in options.case or CASES:
        count, make = CASES[name]
        made = make(count * options.scale)
        for protocol in options.protocol or [4]:
            data = pickle.dumps(made, protocol)
            loads = min(clock(pickle.loads, data)[0] for _ in range(3))
            scan, found = min((clock(ask, data) for _ in range(3)), key=lambda pair: pair[0])
            label = f"{name} {protocol}"
            print(
                f"{label:14} {len(data) / 1e6:6.1f} {loads:6.2f}s {scan:6.2f}s "
                f"{scan / loads:10.2f} {len(data) / 1e6 / scan:6.0f}",
                end="",
            )
            if scan > loads and name not in _LIBRARY:
                missed.append(f"{label}: {scan / loads:.2f} of pickle.loads")
            path = folder / "objects.pkl"
            if peers:
                path.write_bytes(data)
            for peer, python in peers.items():
                run = child(python, PEER[peer].format(str(path)), 600)
                print(f" {'fails' if run is None else f'{run[0] / loads:.1f} x loads':>11}", end="")
            print("" if found.verdict == "safe" else f"  {found.verdict}", flush=True)
    return missed


def small(peers: dict[str, str], folder: Path) -> list[str]:
    """One small artifact, by the commands themselves."""
    path = folder / "small.pkl"
    path.write_bytes(pickle.dumps({"a": [1, 2, 3]}, 4))
    commands = {"deploy-audit": [sys.executable, "-m", "auditor", "scan", str(path)]}
    for peer, python in peers.items():
        program, *rest = COMMAND[peer]
        commands[peer] = [str(Path(python).parent / program), *rest, str(path)]
    print("\none small artifact, the command itself, wall seconds (best of 5):")
    walls: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(5):
        for name, command in commands.items():
            took = wall(command)
            if took is not None:
                walls[name].append(took)
    for name, found in walls.items():
        print(f"  {name:12} {min(found):6.2f}" if found else f"  {name:12}  fails")
    mine = min(walls["deploy-audit"], default=0.0)
    return [
        f"small artifact: {name} takes {min(found):.2f} s, this {mine:.2f} s"
        for name, found in walls.items()
        if found and min(found) < mine
    ]


def _torch(path: Path, megabytes: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}.")
        with archive.open("m/data/0", "w", force_zip64=True) as entry:
            for _ in range(megabytes):
                entry.write(bytes(1 << 20))


def _written(path: Path, head: bytes, megabytes: int, tail: bytes = b"") -> None:
    with path.open("wb") as file:
        file.write(head)
        for _ in range(megabytes):
            file.write(bytes(1 << 20))
        file.write(tail)


def _npy(path: Path, megabytes: int) -> None:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({megabytes << 20},), }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    _written(path, b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode(), megabytes)


def _safetensors(path: Path, megabytes: int) -> None:
    table = {"w": {"dtype": "U8", "shape": [megabytes << 20], "data_offsets": [0, megabytes << 20]}}
    text = json.dumps(table).encode()
    _written(path, struct.pack("<Q", len(text)) + text, megabytes)


def _buffers(path: Path, megabytes: int) -> None:
    _written(path, b"\x80\x04\x8e" + struct.pack("<Q", megabytes << 20), megabytes, b"\x94.")


def _joblib(path: Path, megabytes: int) -> None:
    """An array as joblib writes it: its wrapper, and the bytes in the middle of the pickle."""
    head = (
        b"\x80\x04\x8c\x13joblib.numpy_pickle\x94\x8c\x11NumpyArrayWrapper\x94\x93\x94)\x81\x94}\x94("
        b"\x8c\x08subclass\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94"
        b"\x8c\x05shape\x94\x8a"
        + bytes([5])
        + (megabytes << 20).to_bytes(5, "little")
        + b"\x85\x94"
        b"\x8c\x05order\x94\x8c\x01C\x94\x8c\x05dtype\x94h\x06\x8c\x05dtype\x94\x93\x94\x8c\x02u1\x94\x89\x88\x87\x94R\x94"
        b"(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b"
        b"\x8c\x0aallow_mmap\x94\x89ub"
    )
    _written(path, head, megabytes, b".")


BIG: dict[str, Callable[[Path, int], None]] = {
    "big.pt": _torch,
    "big.npy": _npy,
    "big.safetensors": _safetensors,
    "big.pkl": _buffers,
    "big.joblib": _joblib,
}


def big(megabytes: int, folder: Path) -> list[str]:
    """Files that are large by what is skipped."""
    missed = []
    print(f"\n{megabytes} MB of data:")
    for name, make in BIG.items():
        path = folder / name
        make(path, megabytes)
        # Judged wrongly, or not to the end, it would be fast.
        found = child(sys.executable, SAFE.format(str(path)), 600)
        path.unlink()
        if found is None:
            missed.append(f"{name} fails")
            continue
        print(f"  {name:16} {found[2]:6.1f} s {found[1]:6.0f} MB resident", flush=True)
        if found[1] > 150:
            missed.append(f"{name}: {found[1]:.0f} MB resident")
    return missed


def many(files: int, folder: Path) -> None:
    """Thousands of small artifacts, by one process and by all."""
    inside = folder / "many"
    inside.mkdir()
    for number in range(files):
        values = {"number": number, "rows": [[i, i * 0.5, str(i)] for i in range(200)]}
        (inside / f"{number}.pkl").write_bytes(pickle.dumps(values, number % 6))
    command = [sys.executable, "-m", "auditor", "scan", str(inside), "--quiet"]
    cores = os.cpu_count() or 1
    alone, all_of_them, chosen = (
        min((took for _ in range(2) if (took := wall([*command, *jobs], 600))), default=0.0)
        for jobs in (["--jobs", "1"], ["--jobs", str(cores)], [])
    )
    print(
        f"\n{files} small artifacts: {alone:.1f} s by one process, {all_of_them:.1f} s by {cores}, "
        f"{chosen:.1f} s by default"
    )


PARTS = ("objects", "small", "big", "many")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--scale", type=int, default=5, help="how many times the usual number")
    parser.add_argument("--protocol", type=int, action="append", help="of the pickles, 0 to 5")
    parser.add_argument("--case", action="append", default=[], help="only these pickles")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--big", type=int, default=512, help="megabytes of the large files")
    parser.add_argument("--many", type=int, default=5000, help="how many small artifacts")
    options = parser.parse_args()
    parts = options.parts or PARTS
    if not set(parts) <= set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}")
    peers = dict(text.split("=", 1) for text in options.peer)
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "objects" in parts:
            missed += objects(options, peers, folder)
        if "small" in parts:
            missed += small(peers, folder)
        if "big" in parts:
            missed += big(options.big, folder)
        if "many" in parts:
            many(options.many, folder)
    if missed:
        print("\nabove the limit: " + "; ".join(missed))
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
