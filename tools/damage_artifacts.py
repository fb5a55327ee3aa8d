#!/usr/bin/env python3
"""Cut off and flip bits of artifacts: no traceback, no hang, no false "safe".

    python tools/damage_artifacts.py FOLDER [--cuts N] [--flips N] [--files N] [--seed N]

Every file (of ``labels.tsv`` in FOLDER the benign ones, else all) is cut at every byte up to 4 KB
and at 1,000 random places, and 1,000 times a bit of it is flipped; ``--cuts`` and ``--flips`` take
that many of each at random instead, ``--files`` that many files of each kind in each folder. Each damaged file
is judged in memory. What is then called safe is loaded by the real unpicklers in the locked-down
child of ``fuzz_pickle.py`` (pickle, pickle.py, joblib; archives are judged only): a miss is a file
called safe that imports a name outside the allow-list, or does anything the audit hook sees.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fuzz_pickle import CHILD_MARK, Child, child

EVERY = 4096
SLOW = 2.0


def chosen(folder: Path, of_each: int, rng: random.Random) -> list[Path]:
    """The benign files, at most so many of each kind of name in each folder."""
    labels = folder / "labels.tsv"
    if labels.exists():
        with labels.open(encoding="utf-8") as file:
            rows = csv.DictReader(file, delimiter="\t")
            paths = [folder / row["path"] for row in rows if row["label"] == "benign"]
    else:
        paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    rng.shuffle(paths)
    if not of_each:
        return paths
    kept: list[Path] = []
    seen: Counter[tuple[Path, str]] = Counter()
    for path in paths:
        if path.stat().st_size > 4 << 20:
            continue
        kind = (path.parent, "".join(path.suffixes))
        seen[kind] += 1
        if seen[kind] <= of_each:
            kept.append(path)
    return kept


def damaged(data: bytes, cuts: int, flips: int, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Variants of the content, each with what was done to it."""
    size = len(data)
    places = set(range(min(size, EVERY)))
    places |= {rng.randrange(size) for _ in range(1000)} if size else set()
    if cuts:
        places = set(rng.sample(sorted(places), min(cuts, len(places))))
    for place in sorted(places):
        yield f"cut at {place}", data[:place]
    for _ in range((flips or 1000) if size else 0):
        at, bit = rng.randrange(size), rng.randrange(8)
        out = bytearray(data)
        out[at] ^= 1 << bit
        yield f"bit {bit} of byte {at}", bytes(out)


def replay(content: bytes, recent: Iterable[bytes]) -> tuple[Child, str]:
    """A new child, and whether the crash comes again: alone, or behind what was loaded before."""
    worker = Child()
    if worker.ask(content) in ("crash", "hangs"):
        worker.close()
        return Child(), "again when it is loaded alone"
    for number, before in enumerate(recent):
        if worker.ask(before) in ("crash", "hangs"):
            worker.close()
            return Child(), f"not alone; variant {number} of the last ones does: {before.hex()}"
    return worker, "neither alone nor behind the last 200: the child was ended from outside"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cuts", type=int, default=0)
    parser.add_argument("--flips", type=int, default=0)
    parser.add_argument(
        "--files", type=int, default=0, help="of each kind in each folder; 0 for all"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0, help="stop after that long")
    options = parser.parse_args()
    from auditor.artifacts.scan import scan_bytes

    rng = random.Random(options.seed)
    paths = chosen(options.folder, options.files, rng)
    worker = Child()
    # One child loads many files: what ends it may have been there before.
    recent: deque[bytes] = deque(maxlen=200)
    verdicts: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    faults = slow = loaded = misses = crashes = done = 0
    started = time.time()
    for path in paths:
        if options.seconds and time.time() - started > options.seconds:
            break
        done += 1
        data = path.read_bytes()
        formats[scan_bytes(data, path.name)[0].format] += 1
        for what, content in damaged(data, options.cuts, options.flips, rng):
            began = time.process_time()
            try:
                facts = scan_bytes(content, path.name)[0]
            except Exception as error:
                faults += 1
                print(f"{path}: {what}: {type(error).__name__}: {error}", flush=True)
                continue
            # A fault that was caught is a fault, too.
            if any("could not be analysed (" in issue.message for issue in facts.issues):
                faults += 1
                print(f"{path}: {what}: {facts.issues[0].message}", flush=True)
            if time.process_time() - began > SLOW:
                slow += 1
                print(f"{path}: {what}: {time.process_time() - began:.1f} s", flush=True)
            verdicts[facts.verdict] += 1
            if facts.verdict != "safe" or facts.pickle is None or content[:2] == b"PK":
                continue
            loaded += 1
            answer = worker.ask(content)
            recent.append(content)
            if answer in ("crash", "hangs"):
                worker.close()
                worker, told = replay(content, recent)
                crashes += 1
                print(f"{path}: {what}: the unpickler {answer}; {told}", flush=True)
            elif answer:
                misses += 1
                print(f"{path}: {what}: MISS {answer[:300]}", flush=True)
    worker.close()
    print(
        f"{done} of {len(paths)} files, {sum(verdicts.values())} variants {dict(verdicts)}, "
        f"{loaded} of those called safe loaded: {faults} faults, {slow} slow, {misses} misses, "
        f"{crashes} crashes of the unpickler; {time.time() - started:.0f} s; {dict(formats)}"
    )
    return 1 if faults or misses or slow else 0


if __name__ == "__main__":
    if CHILD_MARK in sys.argv:
        child()
    sys.exit(main())
