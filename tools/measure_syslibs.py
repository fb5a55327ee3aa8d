"""Compare the system library tables with what really happened.

``libraries TSV``: packages installed and imported in a slim image (columns suite, package, version,
import_ok_on_slim, call_ok_on_slim, missing, fixing_apt): per package, is what was
missing named with a package that mends it, and are packages that import cleanly left alone.
``closure TSV``: what ``apt-get install`` lists brought (columns suite, apt_args, recommends,
result, closure_has): is each of the listed packages said to be there or not, as it was.

    python tools/measure_syslibs.py libraries FILE [--base IMAGE] [--online]
    python tools/measure_syslibs.py closure FILE
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor import online
from auditor.deployment.base import Base, describe
from auditor.linking import sonames, userland
from auditor.parsers.requirements import normalise


class Counts:
    """Sums over the rows of a table."""

    def __init__(self) -> None:
        self.right = self.missed = self.false = self.clean = self.built = self.unbuilt = 0
        self.undetermined = 0
        # Named, and not, of rows where nothing was seen to mend what is missing.
        self.open = [0, 0]
        # Packages that the answer calls not known, rather than clean.
        self.unread = 0

    def __str__(self) -> str:
        return (
            f"missing libraries named {self.right}, missed {self.missed}; clean packages {self.clean}, "
            f"false alarms {self.false}; builds named {self.built}, not {self.unbuilt}; "
            f"said to be not known {self.unread}; undetermined {self.undetermined}; "
            f"of rows that nothing mended: named {self.open[1]}, not {self.open[0]}"
        )


def libraries(path: Path, image: str, *, ask: bool) -> None:
    """Per package: named, missed, false alarm. ``ask``: the index, for each as in a run of its own."""
    counts = Counts()
    with path.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            base = describe(image.replace("SUITE", row.get("suite") or "bookworm"))
            with online.connected(cache=True) if ask else nullcontext():
                _judge(row, base, counts)
    print(counts)


def _judge(row: dict[str, str], base: Base, counts: Counts) -> None:
    release = sonames.release(base.release or sonames.NEWEST)
    have = release.base(base.flavour or "slim") or frozenset()
    match = re.match(r"([\w.-]+)(?:\[([^\]]*)\])?", row["package"])
    assert match is not None
    extras = tuple(e for e in (match[2] or "").split(",") if e)
    root = (normalise(match[1]), extras, row["version"] or None)
    lacks = userland.of_list([root], base, python=base.python)
    builds = userland.builds([root], base)
    # The packages of the suggested line.
    line = set(userland.install_line(lacks, builds).partition("-recommends ")[2].split())
    at_import = {x.need.name for x in lacks if x.need.when == "import"}
    installed = have | line | release.brings(line, recommends=False)
    called = f"{row.get('suite', '')} {row['package']} {row['version']}".strip()
    unread = userland.unread_of([root], python=base.python)
    counts.unread += bool(unread)
    note = f" (not known: {', '.join(unread)})" if unread else ""
    truth = row.get("fixing_apt") or row.get("fixing_apt_bookworm") or ""
    if row["missing"]:
        mended = row["verified"] != "n"
        fixes = {p.strip() for p in truth.split(";") if p.strip()} if mended else set()
        for name in (w.strip() for w in row["missing"].split(",")):
            owner = release.library(name) or release.program(name)
            found = (owner and owner in installed) or name in installed or bool(line & fixes)
            if not mended:
                counts.open[bool(found)] += 1
            elif found:
                counts.right += 1
            else:
                counts.missed += 1
            if not found:
                said = "missed      " if mended else "not mended  "
                print(f"{said} {called}: {name} ({sorted(line)}){note}")
    elif "fails" in row["import_ok_on_slim"]:
        wanted = set(truth.removeprefix("(build)").split()) if "build" in truth else set()
        if not wanted:
            counts.undetermined += 1
        elif wanted <= installed | release.brings(line, recommends=True):
            counts.built += 1
        else:
            counts.unbuilt += 1
            print(f"build        {called}: said {sorted(line)}, truth {sorted(wanted)}{note}")
    elif row["import_ok_on_slim"] == "y" and row["call_ok_on_slim"] != "n":
        counts.clean += 1
        if at_import or (row["call_ok_on_slim"] == "y" and line):
            counts.false += 1
            print(f"false alarm  {called}: {sorted(at_import)} {sorted(line)}")
    else:
        counts.undetermined += 1
        print(f"undetermined {called}: {row['error'][:120]}")


def closure(path: Path) -> None:
    """Per list and watched package: present or not, as said and as simulated."""
    with path.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    watched = {p for row in rows for p in row["closure_has"].split()}
    right = over = under = 0
    exists = [0, 0]
    for row in rows:
        release = sonames.release(row["suite"])
        names = row["apt_args"].split()
        ok = all(release.kind(n) in ("real", "virtual") for n in names)
        exists[ok == (row["result"] == "ok")] += 1
        if ok != (row["result"] == "ok"):
            print(f"exists       {row['suite']} {row['apt_args']}: said {ok}, {row['result']}")
        if row["result"] != "ok":
            continue
        base = release.base("debian") or frozenset()
        got = release.brings(names, recommends=row["recommends"] == "yes")
        truth = set(row["closure_has"].split())
        for package in watched:
            if package in base or release.kind(package) != "real":
                continue
            if (package in got) == (package in truth):
                right += 1
            elif package in got:
                over += 1
                print(
                    f"too much     {row['suite']} {row['apt_args']} {row['recommends']}: {package}"
                )
            else:
                under += 1
                print(
                    f"too little   {row['suite']} {row['apt_args']} {row['recommends']}: {package}"
                )
    print(
        f"closures: {right} right, {over} too much, {under} too little; installable: {exists[1]} right, {exists[0]} wrong"
    )


def main() -> int:
    """Print what differs and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("libraries", "closure"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--base", default="python:3.11-slim-SUITE")
    parser.add_argument(
        "--online", action="store_true", help="read the wheels of unlisted packages"
    )
    arguments = parser.parse_args()
    if arguments.what == "libraries":
        libraries(arguments.file, arguments.base, ask=arguments.online)
    else:
        closure(arguments.file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
