"""Generate ``rules/knowledge/distributions.json.gz`` from real wheels.

For every name in ``tools/distributions.txt`` the newest wheel for CPython 3.11 on x86-64
Linux is opened through HTTP range requests: only its directory, METADATA and
entry_points.txt are read, never the whole file. The table holds, per distribution, the
version read, the modules it puts on ``sys.path``, the distributions it requires (by extra too)
and its console scripts. Resumable: names already in the cache directory are not fetched
again. The index is the one pip is configured for.

    python tools/make_distribution_table.py [--cache DIR] [--only NAME ... | --site DIR ...]

Of what has no wheel, the module is known that an executed case imported
(``syslibs_executed.tsv``, ``syslibs_observed.tsv``); what it requires is not (``open``).

With ``--only`` these names alone are read; with ``--site`` what a package installer put into
directories (``pip install --no-deps --target DIR NAME ...``). All other rows then stay.
"""

from __future__ import annotations

import argparse
import ast
import configparser
import csv
import datetime
import email
import email.message
import gzip
import io
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "rules" / "knowledge" / "distributions.json.gz"
PLATFORMS = [
    *(f"manylinux_2_{n}_x86_64" for n in range(36, 4, -1)),
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "manylinux1_x86_64",
    "linux_x86_64",
]
TAGS = [
    *cpython_tags((3, 11), platforms=PLATFORMS),
    *compatible_tags((3, 11), interpreter="cp311", platforms=PLATFORMS),
]


EXTRA = re.compile(r"""extra == ['"]([^'"]+)['"]""")
EXTRA_CLAUSE = re.compile(
    r"""( and )?\(?extra == ['"][^'"]+['"](?: or extra == ['"][^'"]+['"])*\)?( and )?"""
)
# Directories that wheels ship by mistake; they say nothing about the distribution.
COMMON_NOISE = frozenset(
    {
        "tests",
        "test",
        "testing",
        "docs",
        "doc",
        "examples",
        "example",
        "benchmarks",
        "scripts",
        "build",
        "plugins",
    }
)
DEV_EXTRAS = frozenset(
    {"dev", "test", "tests", "testing", "doc", "docs", "lint", "build", "examples", "benchmark"}
)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            values = dict(attrs)
            if href := values.get("href"):
                self.links.append((href, "data-yanked" in values))


class RangeFile(io.RawIOBase):
    """A seekable view of a remote file, read by HTTP ranges (in blocks of 64 KiB)."""

    BLOCK = 65536

    def __init__(self, url: str) -> None:
        self.url = url
        self.blocks: dict[int, bytes] = {}
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=120) as response:
            self.size = int(response.headers["Content-Length"])
        self.position = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = (0, self.position, self.size)[whence] + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = self.size - self.position
        end = min(self.position + size, self.size)
        parts = []
        while self.position < end:
            number, inside = divmod(self.position, self.BLOCK)
            if number not in self.blocks:
                start = number * self.BLOCK
                stop = min(start + self.BLOCK, self.size) - 1
                request = urllib.request.Request(
                    self.url, headers={"Range": f"bytes={start}-{stop}"}
                )
                with urllib.request.urlopen(request, timeout=120) as response:
                    self.blocks[number] = response.read()
            part = self.blocks[number][inside : inside + end - self.position]
            parts.append(part)
            self.position += len(part)
        return b"".join(parts)


def index_url() -> str:
    """The simple index that pip is configured for."""
    from pip._internal.cli.main_parser import create_main_parser  # noqa: F401 (loads options)
    from pip._internal.configuration import Configuration
    from pip._internal.models.index import PyPI

    configuration = Configuration(isolated=False)
    configuration.load()
    for key, value in configuration.items():
        if isinstance(value, str) and key.endswith("index-url") and "extra" not in key:
            return value
    return PyPI.simple_url


def newest_wheel(index: str, name: str) -> tuple[str, Version] | None:
    """(URL, version) of the newest final release with a wheel for the target."""
    page = f"{index.rstrip('/')}/{canonicalize_name(name)}/"
    with urllib.request.urlopen(page, timeout=120) as response:
        parser = _Links()
        parser.feed(response.read().decode())
    rank = {tag: position for position, tag in enumerate(TAGS)}
    best: tuple[Version, int, str] | None = None
    for href, yanked in parser.links:
        url = urllib.parse.urljoin(page, href).partition("#")[0]
        filename = urllib.parse.unquote(url.rpartition("/")[2])
        if yanked or not filename.endswith(".whl"):
            continue
        try:
            _, version, _, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            continue
        ranks = [rank[tag] for tag in tags if tag in rank]
        if version.is_prerelease or not ranks:
            continue
        candidate = (version, -min(ranks), url)
        if best is None or candidate[:2] > best[:2]:
            best = candidate
    return (best[2], best[0]) if best else None


def modules_of(names: list[str]) -> list[str]:
    """Importable top-level names among the files of a wheel; namespaces as dotted names."""
    found: set[str] = set()
    packages = {n.rpartition("/")[0] for n in names if n.endswith("/__init__.py")}
    for name in names:
        head, _, rest = name.partition("/")
        if head.endswith((".dist-info", ".data")):
            if head.endswith(".data") and rest.startswith(("purelib/", "platlib/")):
                found.update(modules_of([rest.partition("/")[2]]))
            continue
        if not rest:
            stem, _, suffix = head.partition(".")
            if suffix == "py" or suffix.endswith(("so", "pyd")):
                found.add(stem)
        elif head in packages:
            found.add(head)
        elif rest.endswith((".py", ".so")):
            # A namespace package: name it as deep as its first real package.
            path = ""
            for part in name.split("/")[:-1]:
                path = f"{path}/{part}" if path else part
                if path in packages:
                    break
            found.add(path.replace("/", "."))
    return sorted(n for n in found if all(p.isidentifier() for p in n.split(".")))


def urls_of(headers: email.message.Message) -> list[str]:
    """The addresses that a wheel's metadata name, its home page first."""
    return [*(headers.get_all("Home-page") or ()), *(headers.get_all("Project-URL") or ())]


def fetch(url: str, version: Version) -> dict[str, Any]:
    """What is kept of one wheel: metadata headers, modules, entry points, scripts."""
    with zipfile.ZipFile(RangeFile(url)) as wheel:
        files = wheel.namelist()
        info = next(n for n in files if n.endswith(".dist-info/METADATA"))
        headers = email.message_from_bytes(wheel.read(info))
        entry_points = info.replace("METADATA", "entry_points.txt")
        return {
            "name": headers["Name"],
            "urls": urls_of(headers),
            "version": str(version),
            "wheel": url.rpartition("/")[2],
            "requires": headers.get_all("Requires-Dist") or [],
            "python": headers.get("Requires-Python"),
            "modules": modules_of(files),
            "entry_points": wheel.read(entry_points).decode() if entry_points in files else "",
            "scripts": sorted(n.rpartition("/")[2] for n in files if ".data/scripts/" in n),
        }


REPOSITORY = re.compile(r"https?://github\.com/((?!sponsors/)[\w.-]+/[\w.-]+?)(?:\.git)?/?(?:$|\s)")


def repository(urls: Iterable[str], name: str) -> str:
    """The GitHub repository of a distribution that is called otherwise than it; else nothing."""
    for url in urls:
        match = REPOSITORY.search(url)
        if match and canonicalize_name(match[1].partition("/")[2]) != canonicalize_name(name):
            return match[1].lower()
    return ""


def installed(info: Path) -> tuple[str, dict[str, Any]]:
    """The same of an installed wheel, by its ``.dist-info``: its name, and what is kept of it."""
    headers = email.message_from_bytes((info / "METADATA").read_bytes())
    record = (info / "RECORD").read_text().splitlines()
    files = [line.rsplit(",", 2)[0].strip('"') for line in record]
    entry_points = info / "entry_points.txt"
    return canonicalize_name(headers["Name"]), {
        "name": headers["Name"],
        "urls": urls_of(headers),
        "version": headers["Version"],
        "requires": headers.get_all("Requires-Dist") or [],
        "python": headers.get("Requires-Python"),
        "modules": modules_of([name for name in files if not name.startswith("bin/")]),
        "entry_points": entry_points.read_text() if entry_points.exists() else "",
        "scripts": sorted(name[4:] for name in files if name.startswith("bin/")),
    }


def executed() -> dict[str, dict[str, Any]]:
    """Rows of distributions that were built and imported: the first module that the code names."""
    found: dict[str, dict[str, Any]] = {}
    for file, worked in (
        ("syslibs_executed.tsv", "import_ok_after"),
        ("syslibs_observed.tsv", "verified"),
        ("syslibs_sample5.tsv", "verified"),
        ("syslibs_sample8.tsv", "verified"),
    ):
        with (HERE / file).open() as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                name = canonicalize_name(row["package"].partition("[")[0])
                modules = [
                    alias.name.partition(".")[0]
                    for node in ast.walk(ast.parse(row["code"].partition(" ## ")[0]))
                    if isinstance(node, ast.Import)
                    for alias in node.names
                ]
                own = [m for m in modules if m not in sys.stdlib_module_names]
                if row[worked] == "y" and own:
                    found[name] = {
                        "version": row["version"] or "0",
                        "modules": own[:1],
                        "open": True,
                    }
    return found


def describe(raw: dict[str, Any]) -> dict[str, Any]:
    """One row of the table."""
    requires: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in raw["requires"]:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        marker = str(requirement.marker) if requirement.marker else ""
        named = EXTRA.findall(marker)
        bracket = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        text = f"{canonicalize_name(requirement.name)}{bracket}{requirement.specifier}"
        # What is left of the marker once the extra is chosen.
        rest = EXTRA_CLAUSE.sub("", marker).strip()
        text += f"; {rest}" if rest else ""
        if named:
            for extra in named:
                extras.setdefault(canonicalize_name(extra), []).append(text)
        else:
            requires.append(text)
    scripts = list(raw["scripts"])
    if raw["entry_points"]:
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
        parser.optionxform = str  # type: ignore[method-assign, assignment]
        parser.read_string(raw["entry_points"])
        if parser.has_section("console_scripts"):
            scripts += parser["console_scripts"]
    row = {
        "version": raw["version"],
        "modules": [m for m in raw["modules"] if m not in COMMON_NOISE],
        "requires": sorted(requires),
        "extras": {
            name: sorted(texts) for name, texts in sorted(extras.items()) if name not in DEV_EXTRAS
        },
        "scripts": sorted(set(scripts)),
        "python": raw["python"],
        "repository": repository(raw.get("urls", ()), raw.get("name", "")),
    }
    return {key: value for key, value in row.items() if value}


def names() -> list[str]:
    """The distributions listed in ``distributions.txt``."""
    lines = (HERE / "distributions.txt").read_text().splitlines()
    return [n for line in lines if not line.startswith("#") for n in line.split()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=HERE.parent / "build" / "distributions")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--site", type=Path, nargs="+", default=[])
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    index = index_url()
    table: dict[str, Any] = {}
    if arguments.only or arguments.site:
        table = json.loads(gzip.decompress(TARGET.read_bytes()))["distributions"]
    missing = []
    for site in arguments.site:
        for name, raw in map(installed, sorted(site.glob("*.dist-info"))):
            # What others hold back is no news of a release.
            if Version(raw["version"]) >= Version(table.get(name, {}).get("version", "0")):
                table[name] = describe(raw)
    for name in arguments.only or (() if arguments.site else names()):
        cached = arguments.cache / f"{canonicalize_name(name)}.json"
        if not cached.exists():
            try:
                wheel = newest_wheel(index, name)
                row = fetch(*wheel) if wheel else None
            except (urllib.error.URLError, zipfile.BadZipFile, StopIteration, OSError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            cached.write_text(json.dumps(row))
        row = json.loads(cached.read_text())
        if row is None:
            missing.append(name)
        else:
            table[canonicalize_name(name)] = describe(row)
    table = {**executed(), **table}
    print(f"{len(table)} distributions; no wheel for: {' '.join(missing) or '-'}")
    document = {
        "generator": "tools/make_distribution_table.py",
        "source": "newest wheel for CPython 3.11 on x86-64 Linux of each name on the package index",
        "date": datetime.date.today().isoformat(),
        "distributions": dict(sorted(table.items())),
    }
    data = json.dumps(document, separators=(",", ":")).encode()
    TARGET.write_bytes(gzip.compress(data, mtime=0))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
