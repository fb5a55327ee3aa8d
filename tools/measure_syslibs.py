"""Compare the system library tables with what really happened.

``libraries TSV``: packages installed and imported in a slim image (columns suite, package, version,
import_ok_on_slim, call_ok_on_slim, missing, fixing_apt; where there are any, python and requirement):
per package, is what was missing named with a package that mends it, and are packages that import
cleanly left alone. With ``--weights``, also by how many repositories hold each requirement.
``closure TSV``: what ``apt-get install`` lists brought (columns suite, apt_args, recommends,
result, closure_has): is each of the listed packages said to be there or not, as it was.

    python tools/measure_syslibs.py libraries FILE [--base IMAGE] [--online [--unlisted]] [--weights CASES ...]
    python tools/measure_syslibs.py closure FILE
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor import online
from auditor.catalog import knowledge
from auditor.deployment.base import Base, describe
from auditor.linking import distributions, sonames, userland, wheels
from auditor.parsers.requirements import normalise


class Counts:
    """Sums over the rows of a table, by case and by how many repositories hold each."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.held: Counter[str] = Counter()

    def add(self, kind: str, weight: int) -> None:
        """One more of a kind."""
        self.cases[kind] += 1
        self.held[kind] += weight

    def __str__(self) -> str:
        return (
            "missing libraries named {named}, missed {missed} (of these said to be not known "
            "{missed-unread}); clean packages {clean}, false alarms {false}; builds named {built}, "
            "not {unbuilt}; packages said to be not known {unread}; undetermined {undetermined}; of "
            "rows that nothing mended: named {open-named}, not {open}"
        )

    def lines(self, *, weighted: bool) -> str:
        """The sums as text."""
        text = re.sub(r"\{([\w-]+)\}", lambda m: str(self.cases[m[1]]), str(self))
        if weighted:
            text += "\nby repositories: "
            text += re.sub(r"\{([\w-]+)\}", lambda m: str(self.held[m[1]]), str(self))
        return text


def weights_of(cases: Iterable[Path]) -> dict[str, int]:
    """How many repositories hold each requirement, from the sixth column of lists of cases."""
    found: dict[str, int] = {}
    for path in cases:
        for line in path.read_text().splitlines():
            cells = line.split("\t")
            if len(cells) > 5 and not line.startswith("#"):
                found[cells[0].split()[0]] = int(cells[5])
    return found


@contextmanager
def hidden(distribution: str) -> Iterator[None]:
    """No table has the distribution."""
    tables: list[dict[str, Any]] = [
        sonames._needs_table()["distributions"],
        distributions._table(),
        wheels._lines(),
        knowledge("wheels.json.gz")["distributions"],
    ]
    rows = [table.pop(distribution, None) for table in tables]
    wheels._shipped_row.cache_clear()
    try:
        yield
    finally:
        for table, row in zip(tables, rows, strict=True):
            if row is not None:
                table[distribution] = row
        wheels._shipped_row.cache_clear()


def libraries(
    path: Path, image: str, weights: dict[str, int], *, ask: bool, unlisted: bool = False
) -> None:
    """Per package: named, missed, false alarm. ``ask``: the index, for each as in a run of its own."""
    counts = Counts()
    with path.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            called = image.replace("SUITE", row.get("suite") or "bookworm")
            base = describe(called.replace("PYTHON", row.get("python") or "3.11"))
            name = normalise(re.split(r"[\[=<>~ ]", row["package"])[0])
            with (
                online.connected(cache=True) if ask else nullcontext(),
                hidden(name) if unlisted else nullcontext(),
            ):
                asked = (row.get("requirement") or row["package"]).split()[0]
                _judge(row, base, counts, weights.get(asked, 1))
    print(counts.lines(weighted=bool(weights)))


def _judge(row: dict[str, str], base: Base, counts: Counts, weight: int) -> None:
    release = sonames.release(base.release or sonames.NEWEST)
    have = release.base(base.flavour or "slim") or frozenset()
    match = re.match(r"([\w.-]+)(?:\[([^\]]*)\])?", row["package"])
    assert match is not None
    extras = tuple(e for e in (match[2] or "").split(",") if e)
    # What nobody pinned is asked for as it stands there.
    pinned = "==" in (row.get("requirement") or "==").split()[0]
    root = (normalise(match[1]), extras, (row["version"] if pinned else "") or None)
    lacks = userland.of_list([root], base, python=base.python)
    # The installers of the samples took the newest release that has a wheel.
    taken = row["version"] if row.get("has_manylinux_wheel") == "y" else root[2]
    builds = userland.builds([(root[0], extras, taken or None)], base)
    # The packages of the suggested line.
    line = set(userland.install_line(lacks, builds).partition("-recommends ")[2].split())
    # What one module needs is no matter of a row that imports another.
    code = row.get("code", "")
    at_import = {
        x.need.name
        for x in lacks
        if x.need.when == "import"
        and not x.need.hint
        and (not x.need.module or not code or x.need.module in code)
    }
    installed = have | line | release.brings(line, recommends=False)
    called = f"{row.get('suite', '')} {row['package']} {row['version']}".strip()
    unread = userland.unread_of([root], python=base.python)
    if unread:
        counts.add("unread", weight)
    note = f" (not known: {', '.join(unread)})" if unread else ""
    truth = row.get("fixing_apt") or row.get("fixing_apt_bookworm") or ""
    if row["missing"]:
        mended = row["verified"] != "n"
        fixes = [p.strip() for p in truth.split(";") if p.strip()] if mended else []
        names = [w.strip() for w in row["missing"].split(",")]
        for name in names:
            owner = release.library(name) or release.program(name)
            # What mended it was written in the order in which it was missed.
            fix = fixes[names.index(name)] if len(fixes) == len(names) else owner
            found = bool({owner, name, fix} & installed) or any(
                # One of several that will do, or by the name that the loader was given.
                other == name or other.startswith(f"{name}.")
                for lack in lacks
                if lack.package in line
                for other in lack.need.names
            )
            if not mended:
                counts.add("open-named" if found else "open", weight)
            elif found:
                counts.add("named", weight)
            else:
                counts.add("missed", weight)
                if unread:
                    counts.add("missed-unread", weight)
            if not found:
                said = "missed      " if mended else "not mended  "
                print(f"{said} {called}: {name} ({sorted(line)}){note}")
    elif "fails" in row["import_ok_on_slim"]:
        wanted = set(truth.removeprefix("(build)").split()) if "build" in truth else set()
        if not wanted:
            counts.add("undetermined", weight)
            print(f"undetermined {called}: {row['error'][:120]}")
        elif wanted <= installed | release.brings(line, recommends=True):
            counts.add("built", weight)
        else:
            counts.add("unbuilt", weight)
            print(f"build        {called}: said {sorted(line)}, truth {sorted(wanted)}{note}")
    elif row["import_ok_on_slim"] == "y" and row["call_ok_on_slim"] != "n":
        counts.add("clean", weight)
        if at_import or (row["call_ok_on_slim"] == "y" and line):
            counts.add("false", weight)
            print(f"false alarm  {called}: {sorted(at_import)} {sorted(line)}")
    else:
        counts.add("undetermined", weight)
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
    parser.add_argument("--base", default="python:PYTHON-slim-SUITE")
    parser.add_argument(
        "--weights",
        type=Path,
        nargs="*",
        default=[],
        help="lists of cases that say how many hold each",
    )
    parser.add_argument(
        "--online", action="store_true", help="read the wheels of unlisted packages"
    )
    parser.add_argument("--unlisted", action="store_true", help="each as if no table had it")
    arguments = parser.parse_args()
    if arguments.what == "libraries":
        libraries(
            arguments.file,
            arguments.base,
            weights_of(arguments.weights),
            ask=arguments.online,
            unlisted=arguments.unlisted,
        )
    else:
        closure(arguments.file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
