"""Compare our reading of ``conda-lock.yml`` files with that of conda-lock itself.

    python tools/compare_conda_locks.py FOLDER --conda-lock PYTHON

PYTHON is an interpreter with conda-lock installed. Two of its views are compared with ours, for
every lock below FOLDER: its own reader (each entry: name, version, manager, platform, categories,
``optional``, hashes, URL, dependencies), and its own ``render`` to explicit files (what would be
installed on each platform, with every category and with the main one alone). Names are compared as
an index knows them. Prints a line for each lock and each difference; 1 when there is one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from auditor.parsers import locks
from auditor.parsers.requirements import normalise
from auditor.source import SourceText

# Runs in conda-lock's interpreter: a path in each line of its input, a reading in each of its output.
READER = """
import json, logging, pathlib, sys
import yaml
from conda_lock.conda_lock import render_lockfile_for_platform
from conda_lock.lockfile import parse_conda_lock_file

logging.disable(logging.CRITICAL)
loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
yaml.safe_load = lambda stream: yaml.load(stream, loader)
for line in sys.stdin:
    path = pathlib.Path(line.strip())
    try:
        lock = parse_conda_lock_file(path)
        raw = yaml.safe_load(path.read_text())["package"]
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), flush=True)
        continue
    lock.filter_virtual_packages_inplace()
    names = sorted({c for p in lock.package for c in p.categories} - {"main", "dev"})
    optional = {}
    for p in raw:
        key = (p["manager"], p["name"], p["platform"])
        optional.setdefault(key, []).append(bool(p.get("optional")))
    out = {
        "packages": [
            [p.name, p.version, p.manager, p.platform, sorted(p.categories),
             sorted(optional[(p.manager, p.name, p.platform)]),
             {k: v for k, v in p.hash.model_dump().items() if v}, p.url,
             p.source.url if p.source else None, p.dependencies]
            for p in lock.package
        ],
        "channels": [c.url for c in lock.metadata.channels],
        "sources": list(lock.metadata.sources),
        "extras": names,
        "rendered": {
            platform: {
                which: [
                    r for r in render_lockfile_for_platform(
                        lockfile=lock, include_dev_dependencies=which == "all",
                        extras=set(names) if which == "all" else None,
                        kind="explicit", platform=platform,
                        suppress_warning_for_pip_and_explicit=True,
                    ) if r.startswith("# pip ") or not r.startswith(("#", "@"))
                ]
                for which in ("main", "all")
            }
            for platform in lock.metadata.platforms
        },
    }
    print(json.dumps(out), flush=True)
"""
_MACHINES = {subdir: machine for machine, subdir in locks._CONDA_SUBDIRS.items()}
Row = tuple[Any, ...]


def entries_by_tool(reading: dict[str, Any]) -> Counter[Row]:
    """What each entry says, in conda-lock's own reading; a category of an entry is one row."""
    rows: Counter[Row] = Counter()
    for entry in reading["packages"]:
        name, version, manager, platform, categories, optional, hashes, url, direct, needs = entry
        repository = (direct or url).startswith("git+")
        for category in categories:
            rows[
                (
                    normalise(name),
                    version,
                    manager,
                    platform,
                    category,
                    tuple(optional),
                    # The commit of a repository stands where a sha256 stands else.
                    (hashes.get("sha256"),)
                    if repository
                    else tuple(sorted(f"{k}:{v}" for k, v in hashes.items())),
                    (direct or url) if repository else url,
                    bool(direct),
                    tuple(sorted((normalise(k), v) for k, v in needs.items())),
                )
            ] += 1
    return rows


def entries_by_us(lock: locks.Lock) -> Counter[Row]:
    """The same from our reader."""
    optional: dict[tuple[str, int, str], list[bool]] = {}
    for package in lock.packages:
        key = (package.manager, _identity(package), package.platform)
        optional.setdefault(key, []).append(package.optional)
    rows: Counter[Row] = Counter()
    for package in lock.packages:
        source = package.source
        url = {
            "git": f"git+{source.value}" + (f"@{source.rev}" if source.rev else ""),
            "path": f"file://{source.value}",
        }.get(source.kind, source.value)
        for category in package.groups:
            rows[
                (
                    package.name,
                    package.version,
                    package.manager,
                    package.platform,
                    category,
                    tuple(
                        sorted(optional[(package.manager, _identity(package), package.platform)])
                    ),
                    (source.rev,) if source.kind == "git" else tuple(sorted(package.hashes)),
                    url,
                    source.kind in ("git", "url", "path"),
                    tuple(sorted((e.name, e.specifier) for e in package.dependencies)),
                )
            ] += 1
    return rows


def _identity(package: locks.LockedPackage) -> int:
    # Two conda packages may differ in ``-`` and ``_`` only; their archives differ.
    return hash((package.name, package.source.value))


def installed_by_tool(lines: Iterable[str]) -> set[str]:
    """The archives (conda) and requirements (pip) of an explicit file of conda-lock's."""
    return {line.removeprefix("# pip ").partition(" @ ")[2] if line.startswith("# pip ") else line
            for line in lines}  # fmt: skip


def installed_by_us(lock: locks.Lock, platform: str, groups: Iterable[str]) -> set[str]:
    """The same from our selection of that platform and those categories."""
    system, machine = _MACHINES.get(platform, (platform, ""))
    found = set()
    for package in lock.select("3.11", system, machine=machine, groups=groups).packages:
        hashes = dict(h.split(":", 1) for h in package.hashes)
        source = package.source
        if source.kind == "git":
            found.add(f"git+{source.value}@{source.rev}")
        elif package.manager == "conda":
            found.add(f"{source.value}#{hashes.get('md5')}")
        else:
            found.add(source.value + (f"#sha256={hashes['sha256']}" if "sha256" in hashes else ""))
    return found


def compare(path: Path, reading: dict[str, Any]) -> tuple[int, list[str]]:
    """The number of conda-lock's entries, and how ours differ."""
    lock = locks.parse(SourceText.decode(str(path), path.read_bytes()), "conda-lock")
    if "error" in reading:
        told = [] if lock.problems else [f"conda-lock rejects it, we do not: {reading['error']}"]
        return 0, told
    told = [f"we report {p.message} (line {p.at.line})" for p in lock.problems]
    theirs, ours = entries_by_tool(reading), entries_by_us(lock)
    told += [f"only conda-lock: {row}" for row in (theirs - ours).elements()]
    told += [f"only we: {row}" for row in (ours - theirs).elements()]
    for what, mine in (("channels", lock.indexes), ("sources", lock.sources)):
        if list(mine) != reading[what]:
            told.append(f"{what}: conda-lock {reading[what]}, we {list(mine)}")
    for platform, rendered in reading["rendered"].items():
        for which, lines in rendered.items():
            groups = ("dev", *reading["extras"]) if which == "all" else ()
            tool, we = installed_by_tool(lines), installed_by_us(lock, platform, groups)
            told += [
                f"{platform}, {which}: only conda-lock installs {x}" for x in sorted(tool - we)
            ]
            told += [f"{platform}, {which}: only we install {x}" for x in sorted(we - tool)]
    return len(reading["packages"]), told


def main() -> int:
    """Compare every lock below the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--conda-lock", required=True, metavar="PYTHON")
    parser.add_argument("--show", type=int, default=10, help="differences shown of each lock")
    arguments = parser.parse_args()
    paths = sorted(p for p in arguments.folder.rglob("*conda-lock.y*ml") if p.is_file())
    ran = subprocess.run(
        [arguments.conda_lock, "-c", READER],
        input="".join(f"{p.resolve()}\n" for p in paths),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    packages = differences = 0
    print(f"{'packages':>8} {'platforms':>9} {'differences':>11}  lock")
    for path, line in zip(paths, ran.stdout.splitlines(), strict=True):
        reading = json.loads(line)
        count, told = compare(path, reading)
        packages += count
        differences += len(told)
        platforms = len(reading.get("rendered", ()))
        note = "  (conda-lock rejects it)" if "error" in reading else ""
        print(f"{count:8} {platforms:9} {len(told):11}  {path.relative_to(arguments.folder)}{note}")
        for difference in told[: arguments.show]:
            print(f"          {difference}")
    print(f"{packages:8} packages in {len(paths)} locks, {differences} differences")
    return 1 if differences or not packages else 0


if __name__ == "__main__":
    sys.exit(main())
