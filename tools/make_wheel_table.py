"""Generate ``rules/knowledge/wheels.json.gz``: which releases have a Linux wheel for which Python.

One index page is read for each distribution with native code in ``tools/distributions.txt``
(those whose newest wheel names a platform, and those without any wheel), and for those of pure
Python that ``tools/pure_releases.txt`` names; no file is downloaded,
except the newest source archive of a distribution without wheels, to see whether building it
needs a compiler. Resumable; run ``make_distribution_table.py`` first, with the same cache.

    python tools/make_wheel_table.py [--cache DIR] [--only NAME ...]

With ``--only`` the pages of these names alone are read, and all other rows stay.

Per release: ``g`` maps a Python (``3.11``; ``3.8+`` for the stable ABI; ``*`` for pure) to the
glibc the wheel needs (x86-64), ``m`` lists Pythons with a musl wheel, ``r`` is Requires-Python,
``s`` whether there is a source archive.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import io
import json
import re
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from make_distribution_table import index_url, names
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from auditor.online.index import File
from auditor.online.rows import row_of

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "rules" / "knowledge" / "wheels.json.gz"
PURE = HERE / "pure_releases.txt"
NATIVE_SOURCE = re.compile(r"\.(c|cc|cpp|cxx|pyx|f|f90|rs|cu)$")


class Page(HTMLParser):
    """The links of a simple index page: (href, Requires-Python, yanked)."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            values = dict(attrs)
            if href := values.get("href"):
                self.links.append(
                    (href, values.get("data-requires-python") or "", "data-yanked" in values)
                )


def releases(page: Page) -> tuple[dict[str, Any], list[tuple[Version, str]]]:
    """Rows by version, and (version, URL) of the source archives."""
    files: dict[str, list[File]] = {}
    spelled: dict[Version, str] = {}
    sdists: list[tuple[Version, str]] = []
    for href, requires, yanked in page.links:
        url = href.partition("#")[0]
        filename = urllib.parse.unquote(url.rpartition("/")[2])
        try:
            if filename.endswith(".whl"):
                version = parse_wheel_filename(filename)[1]
            elif filename.endswith((".tar.gz", ".zip")):
                version = parse_sdist_filename(filename)[1]
                sdists.append((version, url))
            else:
                continue
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            continue
        if version.is_prerelease or version.is_devrelease:
            continue
        # One release may be written in two ways (2 and 2.0).
        text = spelled.setdefault(version, str(version))
        files.setdefault(text, []).append(
            File(name=filename, url=url, version=text, requires_python=requires,
                 yanked="" if yanked else None)
        )  # fmt: skip
    return {version: row_of(found) for version, found in files.items()}, sdists


def is_native(url: str) -> bool:
    """Whether a source archive has sources that need a compiler."""

    def native(member: str) -> bool:
        return bool(NATIVE_SOURCE.search(member)) and "/test" not in member and "/doc" not in member

    with urllib.request.urlopen(url, timeout=180) as response:
        if url.endswith(".zip"):
            import zipfile

            return any(map(native, zipfile.ZipFile(io.BytesIO(response.read())).namelist()))
        # Read as a stream: the first native source settles it.
        with tarfile.open(fileobj=response, mode="r|gz") as archive:
            return any(native(member.name) for member in archive)


def pure() -> set[str]:
    """The names of ``tools/pure_releases.txt``."""
    lines = PURE.read_text("utf-8").splitlines()
    return {canonicalize_name(n) for x in lines if not x.startswith("#") for n in x.split()}


def read_page(
    index: str, key: str, *, wheel: bool | None, kept: bool = False
) -> dict[str, Any] | None:
    """The row of a distribution; ``wheel``: whether it has any, None when that is to be seen.

    None for one that has only wheels of pure Python, unless it is ``kept``.
    """
    url = f"{index.rstrip('/')}/{key}/"
    with urllib.request.urlopen(url, timeout=180) as response:
        page = Page()
        page.feed(response.read().decode())
    rows, sdists = releases(page)
    pythons = [p for row in rows.values() for p in (*row.get("g", ()), *row.get("m", ()))]
    only_pure = bool(pythons) and set(pythons) == {"*"}
    if wheel is None and only_pure and not kept:
        return None
    native = not kept or not only_pure
    if native and not (bool(pythons) if wheel is None else wheel) and sdists:
        native = is_native(urllib.parse.urljoin(url, max(sdists)[1]))
    return {"native": native, "releases": rows}


def main() -> int:
    """Read the pages that are not in the cache, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=HERE.parent / "build" / "distributions")
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    index = index_url()
    table: dict[str, Any] = {}
    if arguments.only:
        table = json.loads(gzip.decompress(TARGET.read_bytes()))["distributions"]
    kept = pure()
    for name in arguments.only or dict.fromkeys((*names(), *sorted(kept))):
        key = canonicalize_name(name)
        known = arguments.cache / f"{key}.json"
        if not known.exists() and not arguments.only and key not in kept:
            continue
        row = json.loads(known.read_text()) if known.exists() else None
        # Whose newest release is pure Python may have been native before: asked for by name.
        plain = row is not None and row["wheel"].endswith("-none-any.whl")
        if plain and key not in kept and not arguments.only:
            continue
        cached = arguments.cache / f"{key}.wheels.json"
        if not cached.exists():
            wheel = row is not None if known.exists() and not plain else None
            try:
                found = read_page(
                    index, key, wheel=None if key in kept else wheel, kept=key in kept
                )
            except (urllib.error.URLError, OSError, tarfile.TarError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            cached.write_text(json.dumps(found))
        if (found := json.loads(cached.read_text())) is not None:
            table[key] = found
    document = {
        "generator": "tools/make_wheel_table.py",
        "source": "the file names on the package index's page of each distribution",
        "date": datetime.date.today().isoformat(),
    }
    # One distribution a line: a reader that wants three of them parses three lines.
    lines = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}"
        for name, row in sorted(table.items())
    )
    head = json.dumps(document, separators=(",", ":"))[:-1]
    data = f'{head},"distributions":{{\n{lines}\n}}}}\n'.encode()
    TARGET.write_bytes(gzip.compress(data, mtime=0))
    print(f"{len(table)} distributions, {TARGET.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
