#!/usr/bin/env python3
"""Accuracy on a folder of labelled artifacts, beside other scanners.

    python tools/measure_artifacts.py FOLDER [--peer NAME=PYTHON]...

``FOLDER/labels.tsv`` has the columns ``path`` and ``label`` (benign, malicious, anything else is
only counted). A peer is picklescan, fickling, modelscan or modelaudit with the interpreter of an
environment that has it installed; each runs in one process of its own, through its Python
interface, and is started anew behind a file on which it hangs. A file counts as flagged when a
scanner reports anything but "clean" about it; an error, a skipped file and a timeout are columns of
their own, and count as clean for a peer.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PEER = r"""
import json, sys, time, logging, warnings, os
logging.disable(logging.CRITICAL); warnings.simplefilter("ignore")
name = sys.argv[1]
out = os.fdopen(os.dup(1), "w"); os.dup2(os.open(os.devnull, os.O_WRONLY), 1); os.dup2(1, 2)
if name == "picklescan":
    from picklescan.scanner import scan_file_path
    def judge(path):
        found = scan_file_path(path)
        return "flagged" if found.infected_files or found.issues_count else "error" if found.scan_err else "clean"
elif name == "fickling":
    from fickling.analysis import Severity, check_safety
    from fickling.fickle import StackedPickle
    def judge(path):
        with open(path, "rb") as file:
            return "flagged" if any(check_safety(p).severity > Severity.LIKELY_SAFE for p in StackedPickle.load(file)) else "clean"
elif name == "modelscan":
    from modelscan.modelscan import ModelScan
    def judge(path):
        found = ModelScan().scan(path)
        return "flagged" if found["issues"] else "error" if found["errors"] or not found["summary"]["scanned"]["total_scanned"] else "clean"
else:
    from modelaudit.core import scan_model_directory_or_file
    def judge(path):
        found = scan_model_directory_or_file(path)
        levels = {str(getattr(i.severity, "value", i.severity)).lower() for i in found.issues}
        return "flagged" if levels & {"critical", "warning", "error"} else "clean"
for line in sys.stdin:
    path = line.rstrip("\n"); began = time.perf_counter()
    print(json.dumps([path, "timeout", 0.0, ""]), file=out, flush=True)
    why = ""
    try: answer = judge(path)
    except BaseException as error: answer, why = "error", f"{type(error).__name__}: {error}"[:160]
    print(json.dumps([path, answer, time.perf_counter() - began, why]), file=out, flush=True)
"""


# What is said of a file, in how many seconds, and why there is no answer.
Answer: TypeAlias = tuple[str, float, str]


def ours(paths: list[str]) -> dict[str, Answer]:
    from auditor.artifacts.scan import scan_file

    found: dict[str, Answer] = {}
    for path in paths:
        began = time.perf_counter()
        verdict = scan_file(path, display_path=path)[0].verdict
        found[path] = (verdict, time.perf_counter() - began, "")
    return found


def peer(name: str, python: str, paths: list[str], limit: float) -> dict[str, Answer]:
    """(answer, seconds) of every file; a file that takes longer than the limit is a timeout."""
    found: dict[str, Answer] = {}
    left = list(paths)
    while left:
        with tempfile.TemporaryFile("w+") as names:
            names.write("".join(f"{path}\n" for path in left))
            names.seek(0)
            with subprocess.Popen(
                [python, "-c", PEER, name],
                stdin=names,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Some report home otherwise, and wait or fail where there is no network.
                env={**os.environ, "NO_ANALYTICS": "1"},
            ) as process:
                _follow(process, found, limit)
        rest = [path for path in left if path not in found]
        if len(rest) == len(left):
            # It does not even start.
            found.update(dict.fromkeys(rest, ("error", 0.0, "it does not start")))
        left = [path for path in left if path not in found]
    return found


def _follow(process: subprocess.Popen[bytes], found: dict[str, Answer], limit: float) -> None:
    """Read answers until the process ends, or kill it at a file that takes too long."""
    assert process.stdout is not None
    waiting = b""
    began: float | None = None
    while True:
        # Imports take longer than a file may.
        left = 120.0 if began is None else began + limit - time.monotonic()
        ready, _, _ = select.select([process.stdout], [], [], max(left, 0.0))
        if not ready:
            process.kill()
            return
        data = os.read(process.stdout.fileno(), 1 << 16)
        if not data:
            return
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            path, answer, seconds, why = json.loads(line)
            began = time.monotonic()
            found[path] = (answer, limit if answer == "timeout" else seconds, why)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for a peer per file")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth file only")
    parser.add_argument("--list", action="store_true", help="name our misses and false alarms")
    options = parser.parse_args()
    with (options.folder / "labels.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    labels = {str(options.folder / row["path"]): row["label"] for row in rows}
    paths = list(labels)[:: options.every]
    labels = {path: labels[path] for path in paths}
    results = {"deploy-audit": ours(paths)}
    for text in options.peer:
        name, _, python = text.partition("=")
        results[name] = peer(name, python, paths, options.limit)
    total = {kind: list(labels.values()).count(kind) for kind in ("malicious", "benign")}
    print(f"{total['malicious']} malicious, {total['benign']} benign files")
    print(
        f"{'scanner':14} {'caught':>14} {'false alarms':>16} {'errors':>7} {'timeouts':>9} {'seconds':>8}"
    )
    for name, found in results.items():
        quiet = ("safe", "clean", "error", "timeout")
        caught = sum(
            1 for p, (a, *_) in found.items() if labels[p] == "malicious" and a not in quiet
        )
        alarms = sum(1 for p, (a, *_) in found.items() if labels[p] == "benign" and a not in quiet)
        errors = sum(1 for a, *_ in found.values() if a in ("error", "unreadable"))
        late = sum(1 for a, *_ in found.values() if a == "timeout")
        seconds = sum(s for _, s, _ in found.values())
        print(
            f"{name:14} {caught:6} {caught / max(total['malicious'], 1):7.1%} "
            f"{alarms:8} {alarms / max(total['benign'], 1):7.2%} {errors:7} {late:9} {seconds:8.1f}"
        )
        for why, times in Counter(why for *_, why in found.values() if why).most_common(3):
            print(f"{'':14} {times:6} x {why}")
    if options.list:
        for path, (verdict, *_) in results["deploy-audit"].items():
            if (labels[path] == "malicious") == (verdict == "safe") and labels[path] in total:
                print(labels[path], verdict, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
