"""Record what releases of common distributions require, as the package index states it.

    python tools/make_requirement_table.py [--again]

Asks the index once for each release that the table has not got yet, or for all of them. Reads ``tools/requirement_releases.txt`` and writes ``rules/knowledge/requirements.json``: for each
release its requirements without extras. ``pip install --dry-run --no-deps --report`` reads the
metadata only; one call asks for one release of each distribution.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from auditor.linking import wheels
from auditor.parsers.requirements import normalise

HERE = Path(__file__).parent
TABLE = HERE.parent / "rules" / "knowledge" / "requirements.json"
# The interpreters that releases are asked for, in this order: old ones have wheels for old Pythons.
PYTHONS = ("3.11", "3.9", "3.8", "3.7")


def asked(wanted: list[str], python: str) -> dict[str, tuple[str, list[str]]] | None:
    """(version, requirements) by name; None when pip finds no wheel for one of them."""
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps",
            "--quiet", "--only-binary=:all:", "--target=unused", f"--python-version={python}",
            "--platform=manylinux2014_x86_64", "--report=-", *wanted,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return None
    found = {}
    for item in json.loads(done.stdout)["install"]:
        data = item["metadata"]
        found[normalise(data["name"])] = (data["version"], data.get("requires_dist", []))
    return found


def answers(wanted: list[str]) -> dict[str, tuple[str, list[str]]]:
    """All that have a wheel for one of the interpreters: most are known to have it for the first."""
    found: dict[str, tuple[str, list[str]]] = {}
    left = wanted
    for python in PYTHONS:
        ready = [one for one in left if serves(one, python)] if python != PYTHONS[-1] else left
        got = (asked(ready, python) or {}) if ready else {}
        for one in ready if not got and len(ready) > 1 else ():
            got |= asked([one], python) or {}
        found |= got
        left = [one for one in left if one.partition("==")[0] not in found]
    return found


def serves(requirement: str, python: str) -> bool:
    """Whether the table of wheels says so, or does not know."""
    name, _, version = requirement.partition("==")
    return wheels.installable(name, version, python=python).outcome in ("wheel", "unknown")


def write(table: dict[str, dict[str, list[str]]]) -> None:
    """Write the table as far as it is."""
    made = {
        "generator": "tools/make_requirement_table.py",
        "source": "the metadata of each release's wheel, by pip's dry run",
        "date": datetime.now(tz=UTC).date().isoformat(),
        "releases": table,
    }
    TABLE.write_text(json.dumps(made, indent=1) + "\n", "utf-8")


def main() -> None:
    """Ask for all releases, and write the table."""
    lines = [
        line.split()
        for line in (HERE / "requirement_releases.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    releases = {name: versions for name, *versions in lines}
    known = {} if "--again" in sys.argv else json.loads(TABLE.read_text("utf-8"))["releases"]
    table: dict[str, dict[str, list[str]]] = {
        name: {v: known[name][v] for v in versions if v in known.get(name, {})}
        for name, versions in releases.items()
    }
    open_ = {name: [v for v in releases[name] if v not in table[name]] for name in releases}
    every = [
        f"{name}=={v}"
        for row in zip_longest(*open_.values())
        for name, v in zip(open_, row, strict=True)
        if v
    ]
    # One release of each distribution in a call, and not too many: a failing one costs them all.
    while every:
        wanted = list({one.partition("==")[0]: one for one in reversed(every[:16])}.values())
        every = [one for one in every if one not in wanted]
        found = answers(wanted)
        for name, (version, requires) in found.items():
            kept = sorted({r for r in requires if "extra ==" not in r and "extra==" not in r})
            table[name][version] = kept
        missed = {w.partition("==")[0] for w in wanted} - found.keys()
        print(f"{len(found)} of {len(wanted)}", *sorted(missed), flush=True)
        write(
            {
                name: {v: table[name][v] for v in releases[name] if v in table[name]}
                for name in table
            }
        )


if __name__ == "__main__":
    main()
