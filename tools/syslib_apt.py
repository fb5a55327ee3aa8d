"""Debian's package lists and file lists, reduced to what matters for a Python image.

Used by ``make_syslib_tables.py``. Reads ``Packages`` and ``Contents`` of the suites' ``main``
from the mirror that this machine's apt is configured for, into a cache.
"""

from __future__ import annotations

import gzip
import json
import lzma
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SUITES = ("bullseye", "bookworm", "trixie")


def mirror(part: str) -> str:
    """The address of ``debian`` or ``debian-security`` in apt's own configuration."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return next(u.rstrip("/") for u in listed.split() if u.rstrip("/").endswith(f"/{part}"))


def fetch(cache: Path, suite: str) -> tuple[Path, tuple[Path, ...], Path | None]:
    """The suite's Packages and Contents (the machine's, and what fits any), and the security
    archive's Packages.
    """
    cache.mkdir(parents=True, exist_ok=True)
    wanted = {
        "Packages.xz": ("debian", f"dists/{suite}/main/binary-amd64/Packages.xz"),
        "Contents-amd64.gz": ("debian", f"dists/{suite}/main/Contents-amd64.gz"),
        "Contents-all.gz": ("debian", f"dists/{suite}/main/Contents-all.gz"),
        "security-Packages.xz": (
            "debian-security",
            f"dists/{suite}-security/main/binary-amd64/Packages.xz",
        ),
    }
    found: list[Path | None] = []
    for name, (part, path) in wanted.items():
        target = cache / f"{suite}-{name}"
        if not target.exists():
            try:
                with urllib.request.urlopen(f"{mirror(part)}/{path}", timeout=300) as response:
                    target.write_bytes(response.read())
            except (urllib.error.URLError, StopIteration) as error:
                print(f"{suite} {name}: {error}", file=sys.stderr)
        found.append(target if target.exists() else None)
    packages, contents, common, security = found
    if packages is None or contents is None or common is None:
        raise SystemExit(f"{suite}: the mirror has no package or file list")
    return packages, (contents, common), security


Group = tuple[str, ...]


@dataclass
class Package:
    """One binary package: each dependency a group of alternatives."""

    name: str
    depends: tuple[Group, ...] = ()
    recommends: tuple[Group, ...] = ()
    essential: bool = False
    required: bool = False


@dataclass
class Suite:
    """The packages of one release, and who provides each virtual name."""

    name: str
    packages: dict[str, Package] = field(default_factory=dict)
    providers: dict[str, list[str]] = field(default_factory=dict)

    def choose(self, group: Iterable[str], have: set[str]) -> str | None:
        """The package that apt takes for a group of alternatives; None when one is there."""
        names = list(group)
        for name in names:
            if name in have or any(p in have for p in self.providers.get(name, ())):
                return None
        for name in names:
            if name in self.packages:
                return name
            if providers := self.providers.get(name):
                return providers[0]
        return None

    def closure(self, names: Iterable[str], have: Iterable[str], recommends: bool) -> set[str]:
        """What an installation of ``names`` adds to ``have``."""
        there = set(have)
        added: set[str] = set()
        queue = [n for n in names if n not in there]
        while queue:
            name = queue.pop(0)
            if name not in self.packages:
                providers = self.providers.get(name, [])
                if len(providers) != 1:
                    continue
                name = providers[0]
            if name in there:
                continue
            there.add(name)
            added.add(name)
            package = self.packages[name]
            groups = package.depends + (package.recommends if recommends else ())
            later: list[Any] = []
            for group in groups:
                # What is queued already will be there before the alternative is judged.
                chosen = self.choose(group, there | set(queue) | set(later))
                if chosen is not None:
                    later.append(chosen)
            queue += later
        return added


def _groups(text: str) -> tuple[Group, ...]:
    groups = []
    for part in text.split(","):
        names = []
        for alternative in part.split("|"):
            match = re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", alternative)
            if match:
                names.append(match.group(1))
        if names:
            groups.append(tuple(names))
    return tuple(groups)


def read_packages(name: str, *lists: Path | None) -> Suite:
    """Parse Packages files; a later list replaces packages of an earlier one."""
    suite = Suite(name)
    provides: dict[str, list[str]] = {}
    for path in lists:
        if path is None:
            continue
        for paragraph in lzma.decompress(path.read_bytes()).decode().split("\n\n"):
            fields: dict[str, str] = {}
            for line in paragraph.splitlines():
                key, colon, content = line.partition(":")
                if colon and not line.startswith(" "):
                    fields[key] = content.strip()
            if "Package" not in fields:
                continue
            package = fields["Package"]
            depends = ", ".join(fields[k] for k in ("Pre-Depends", "Depends") if fields.get(k))
            suite.packages[package] = Package(
                name=package,
                depends=_groups(depends),
                recommends=_groups(fields.get("Recommends", "")),
                essential=fields.get("Essential") == "yes",
                required=fields.get("Priority") == "required",
            )
            provides[package] = [g[0] for g in _groups(fields.get("Provides", ""))]
    for package, names in provides.items():
        for virtual in names:
            if virtual not in suite.packages:
                known = suite.providers.setdefault(virtual, [])
                if package not in known:
                    known.append(package)
    for known in suite.providers.values():
        known.sort()
    return suite


@cache
def names(folder: Path, suite: str) -> frozenset[str]:
    """The packages of a suite."""
    packages, _, security = fetch(folder, suite)
    return frozenset(read_packages(suite, packages, security).packages)


LIBRARY = re.compile(
    rb"^(?:usr/)?lib/(?:x86_64-linux-gnu/)?(lib[^/\s]+\.so[^/\s]*)\s+(\S+)$", re.MULTILINE
)
PROGRAM = re.compile(rb"^(?:usr/)?s?bin/([^/\s]+)\s+(\S+)$", re.MULTILINE)


def read_contents(paths: Iterable[Path]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """(packages by soname, packages by program) of Contents files."""
    data = b"\n".join(gzip.decompress(path.read_bytes()) for path in paths)

    def table(pattern: re.Pattern[bytes]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for match in pattern.finditer(data):
            owners = [o.rpartition("/")[2] for o in match[2].decode().split(",")]
            known = found.setdefault(match[1].decode(), [])
            known += [o for o in owners if o not in known]
        return found

    return table(LIBRARY), table(PROGRAM)


_MASKS = 64
_PART = 24_000


def packed(table: dict[str, Any]) -> bytes:
    """The table as ``auditor.catalog.Sections`` reads it: small things first, then rows in parts."""
    head = {
        k: v for k, v in table.items() if k not in ("packages", "libraries", "programs", "masks")
    }
    parts: list[tuple[str, str, str]] = []
    for section in ("packages", "libraries", "programs"):
        lines = sorted(line.partition("=")[::2] for line in table[section].split(";") if line)
        rows: list[str] = []
        first = ""
        size = 0
        for key, row in lines:
            if size > _PART:
                parts.append((section, first, f";{';'.join(rows)};"))
                rows, size = [], 0
            first = first if rows else key
            rows.append(f"{key}={row}")
            size += len(rows[-1]) + 1
        parts.append((section, first, f";{';'.join(rows)};"))
    masks = table["masks"].split(";")
    parts += [
        ("masks", str(start), ";".join(masks[start : start + _MASKS]))
        for start in range(0, len(masks), _MASKS)
    ]
    sections: dict[str, list[tuple[str, int, int]]] = {}
    body = b""
    for section, first, text in parts:
        data = gzip.compress(text.encode(), mtime=0)
        sections.setdefault(section, []).append((first, len(body), len(data)))
        body += data
    first_part = json.dumps({**head, "masks": _MASKS, "sections": sections}, separators=(",", ":"))
    return gzip.compress(first_part.encode(), mtime=0) + body
