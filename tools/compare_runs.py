#!/usr/bin/env python3
"""Whether skipping runs changes what the pickle analyser says: it must not.

    python tools/compare_runs.py [FOLDER] [--count 20000] [--seed 1]

Every file of the folder, and as many pickles from the fuzzer's generators, are analysed twice: with
runs of like values skipped, and opcode by opcode. Verdict, findings and imported names must be the
same. By default the limits are tightened so that runs begin after four values instead of hundreds
and small files have them, too; ``--as-shipped`` leaves them as they are.

Where a run is more than the slow path can hold, or hides damage that only stops the unpickler (text
that is not UTF-8, a number that was never stored), the verdicts may differ; such files are counted
by themselves, and shown. Where numbers of the memo are stored over, which no pickler does, runs
may call the stream ambiguous as well: that is counted, too. The exit status is 1 when there is any
other difference.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import Limits
from auditor.artifacts.pickle import judge, machine, runs, values
from auditor.artifacts.pickle.analyse import analyse
from auditor.artifacts.scan import scan_file

# Only stop the unpickler, and call nothing; or more than is held.
STOPS = (
    "a string that is not UTF-8",
    "a name that is not UTF-8",
    "recalls a value that was never stored",
)

# Said of a stream that stores twice under a number, by what skips runs alone.
AMBIGUOUS = ("ART003", "suspicious", "is ambiguous: two values are stored under one number")


class Seen(NamedTuple):
    """What an analysis says."""

    verdict: str
    issues: tuple[tuple[str, str, str], ...]
    names: frozenset[str]
    skipped: int


def tighten() -> None:
    """Runs begin early and may be short, so that small pickles have them."""
    values.KEEP = 4
    vars(machine)["KEEP"] = 4
    machine._WORTH = machine._LEARNS = 48
    machine._SHORTEST = 16
    machine._GLANCE = 256
    judge._TOLD = 2


def of_bytes(data: bytes) -> Seen:
    """The analysis of one pickle."""
    skipped = 0

    class Counting(machine.Machine):
        def _skip_run(
            self, context: runs.Context, recipe: runs.Recipe, pos: int, stop: int, batch: int
        ) -> None:
            nonlocal skipped
            skipped += stop - pos
            super()._skip_run(context, recipe, pos, stop, batch)

    names = analyse.__globals__
    plain, names["Machine"] = names["Machine"], Counting
    try:
        found = analyse(Blob(data), limits=Limits())
    finally:
        names["Machine"] = plain
    return Seen(
        found.verdict,
        tuple(sorted((i.rule, i.verdict, i.message) for i in found.issues)),
        frozenset(g.dotted for g in found.facts.globals) if found.facts else frozenset(),
        skipped,
    )


def of_file(path: Path) -> Seen:
    """The analysis of a file of any format, with what it contains."""
    facts = scan_file(str(path), display_path=path.name)
    names = frozenset(g.dotted for f in facts if f.pickle is not None for g in f.pickle.globals)
    return Seen(
        "/".join(f.verdict for f in facts),
        tuple(sorted((i.rule, i.verdict, i.message) for f in facts for i in f.issues)),
        names,
        0,
    )


def both(data: bytes | Path) -> tuple[Seen, Seen]:
    """With runs, and without."""
    ask = of_file if isinstance(data, Path) else of_bytes
    fast = ask(data)  # type: ignore[arg-type]
    machine.Machine.swallows = False
    try:
        return fast, ask(data)  # type: ignore[arg-type]
    finally:
        machine.Machine.swallows = True


def alike(fast: Seen, slow: Seen) -> bool:
    """Whether both say the same."""
    return fast[:3] == slow[:3]


def excused(fast: Seen, slow: Seen) -> bool:
    """Whether they differ only by damage that stops the unpickler."""
    return any(stop in message for _, _, message in slow.issues for stop in STOPS)


def stricter(fast: Seen, slow: Seen) -> bool:
    """Whether the one thing that runs add is that the stream is ambiguous."""
    issues = tuple(issue for issue in fast.issues if issue != AMBIGUOUS)
    return fast.verdict != "safe" and issues == slow.issues and fast.names == slow.names


def generated(seed: int, count: int) -> Iterator[bytes]:
    """Pickles of the fuzzer."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from fuzz_pickle import generate

    yield from generate(seed, count, only_runs=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--as-shipped", action="store_true")
    options = parser.parse_args()
    if not options.as_shipped:
        tighten()
    files = sorted(p for p in options.folder.rglob("*") if p.is_file()) if options.folder else []
    different = ambiguous = stopped = skipped = total = 0
    for number, data in enumerate([*files, *generated(options.seed, options.count)]):
        fast, slow = both(data)
        total += 1
        skipped += fast.skipped > 0
        if alike(fast, slow):
            continue
        if excused(fast, slow):
            stopped += 1
            continue
        if stricter(fast, slow):
            ambiguous += 1
            continue
        different += 1
        shown = data if isinstance(data, Path) else f"#{number - len(files)} {data.hex()}"
        print(f"{shown}\n  fast {fast[:3]}\n  slow {slow[:3]}", flush=True)
    print(
        f"{total} analysed twice, {skipped} generated ones with runs: {different} differ, "
        f"{stopped} by damage that stops the unpickler, {ambiguous} are called ambiguous as well"
    )
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
