"""Compare the system library tables with what really happened.

``libraries TSV``: packages installed and imported in a slim image (columns package, version,
import_ok_on_slim, call_ok_on_slim, missing, fixing_apt_bookworm): per package, is what was
missing named with a package that mends it, and are packages that import cleanly left alone.
``closure TSV``: what ``apt-get install`` lists brought (columns suite, apt_args, recommends,
result, closure_has): is each of the listed packages said to be there or not, as it was.

    python tools/measure_syslibs.py libraries FILE [--base IMAGE]
    python tools/measure_syslibs.py closure FILE
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.deployment.base import describe
from auditor.linking import sonames, userland
from auditor.parsers.requirements import normalise


def libraries(path: Path, image: str) -> None:
    """Per package: named, missed, false alarm."""
    base = describe(image)
    release = sonames.release(base.release or sonames.NEWEST)
    have = release.base(base.flavour or "slim") or frozenset()
    right = missed = false = clean = 0
    with path.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            match = re.match(r"([\w.-]+)(?:\[([^\]]*)\])?", row["package"])
            assert match is not None
            extras = tuple(e for e in (match[2] or "").split(",") if e)
            root = (normalise(match[1]), extras, row["version"] or None)
            lacks = userland.of_list([root], base, python="3.11")
            builds = userland.builds([(root[0], root[2])], base)
            line = {x.package for x in lacks if x.package}
            line |= {p for _, packages in builds for p in packages}
            at_import = {x.need.name for x in lacks if x.need.when == "import"}
            installed = have | line | release.brings(line, recommends=False)
            if row["missing"]:
                wanted = [w.strip() for w in row["missing"].split(",")]
                owners = {w: release.library(w) or release.program(w) for w in wanted}
                for name in wanted:
                    owner = owners[name]
                    fixes = {p.strip() for p in row["fixing_apt_bookworm"].split(";") if p.strip()}
                    if (owner and owner in installed) or line & fixes:
                        right += 1
                    else:
                        missed += 1
                        print(
                            f"missed       {row['package']} {row['version']}: {name} ({sorted(line)})"
                        )
            elif "fails" in row["import_ok_on_slim"]:
                print(
                    f"build        {row['package']}: said {[p for _, p in builds]}, truth {row['fixing_apt_bookworm']}"
                )
            elif row["import_ok_on_slim"] == "y":
                clean += 1
                if at_import or (row["call_ok_on_slim"] == "y" and line):
                    false += 1
                    print(
                        f"false alarm  {row['package']} {row['version']}: {sorted(at_import)} {sorted(line)}"
                    )
    print(
        f"missing libraries named {right}, missed {missed}; clean packages {clean}, false alarms {false}"
    )


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
    parser.add_argument("--base", default="python:3.11-slim-bookworm")
    arguments = parser.parse_args()
    if arguments.what == "libraries":
        libraries(arguments.file, arguments.base)
    else:
        closure(arguments.file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
