#!/usr/bin/env python3
"""Accuracy on a folder of labelled artifacts, beside other scanners.

    python tools/measure_artifacts.py FOLDER [--peer NAME=PYTHON]...

``FOLDER/labels.tsv`` has the columns ``path`` and ``label`` (benign, malicious, anything else is
only counted). A peer is picklescan, fickling, modelscan or modelaudit with the interpreter of an
environment that has it installed; each runs in one process of its own, through its Python
interface, with ten seconds per file. A file counts as flagged when a scanner reports anything but
"clean" about it; an error or a skipped file counts as clean for a peer (its exit status says so).
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PEER = r"""
import json, signal, sys, time, logging, warnings, os
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
def late(*a): raise TimeoutError
signal.signal(signal.SIGALRM, late)
for line in sys.stdin:
    path = line.rstrip("\n"); began = time.perf_counter()
    signal.alarm(10)
    try: answer = judge(path)
    except BaseException as error: answer = "error"
    signal.alarm(0)
    print(json.dumps([path, answer, time.perf_counter() - began]), file=out, flush=True)
"""


def ours(paths: list[str]) -> dict[str, tuple[str, float]]:
    from auditor.artifacts.scan import scan_file

    found: dict[str, tuple[str, float]] = {}
    for path in paths:
        began = time.perf_counter()
        verdict = scan_file(path, display_path=path)[0].verdict
        found[path] = (verdict, time.perf_counter() - began)
    return found


def peer(name: str, python: str, paths: list[str]) -> dict[str, tuple[str, float]]:
    done = subprocess.run(
        [python, "-c", PEER, name],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, tuple[str, float]] = {}
    for line in done.stdout.splitlines():
        path, answer, seconds = json.loads(line)
        found[path] = (answer, seconds)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--list", action="store_true", help="name our misses and false alarms")
    options = parser.parse_args()
    with (options.folder / "labels.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    labels = {str(options.folder / row["path"]): row["label"] for row in rows}
    paths = list(labels)
    results = {"deploy-audit": ours(paths)}
    for text in options.peer:
        name, _, python = text.partition("=")
        results[name] = peer(name, python, paths)
    total = {kind: list(labels.values()).count(kind) for kind in ("malicious", "benign")}
    print(f"{total['malicious']} malicious, {total['benign']} benign files")
    print(f"{'scanner':14} {'caught':>14} {'false alarms':>16} {'errors':>7} {'seconds':>8}")
    for name, found in results.items():
        quiet = ("safe", "clean", "error")
        caught = sum(
            1 for p, (a, _) in found.items() if labels[p] == "malicious" and a not in quiet
        )
        alarms = sum(1 for p, (a, _) in found.items() if labels[p] == "benign" and a not in quiet)
        errors = sum(1 for a, _ in found.values() if a == "error")
        seconds = sum(s for _, s in found.values())
        print(
            f"{name:14} {caught:6} {caught / max(total['malicious'], 1):7.1%} "
            f"{alarms:8} {alarms / max(total['benign'], 1):7.2%} {errors:7} {seconds:8.1f}"
        )
    if options.list:
        for path, (verdict, _) in results["deploy-audit"].items():
            if (labels[path] == "malicious") == (verdict == "safe") and labels[path] in total:
                print(labels[path], verdict, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
