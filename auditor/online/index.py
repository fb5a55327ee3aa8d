"""The package index: releases, files, metadata, and wheels opened from afar.

Pages are the Simple API, as JSON or HTML. What is known of a release is kept for the run; pages
and metadata also in the user's cache directory (metadata of a file never changes).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import urllib.parse
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.online.session import OnlineError, Session
from auditor.source import Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.online.wheel import RemoteWheel

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_PAGE_AGE = 600.0
_FOREVER = float("inf")


@value
class File:
    """One file of a release. ``yanked`` is the reason given, "" when there is none, None: not."""

    name: str
    url: str
    version: str
    # The normalised name of the distribution.
    project: str = ""
    requires_python: str = ""
    yanked: str | None = None
    # The index serves the wheel's metadata beside it.
    metadata: bool = False

    @property
    def is_wheel(self) -> bool:
        return self.name.endswith(".whl")


@value
class Release:
    """A version with its files; yanked when every file of it is."""

    version: str
    files: tuple[File, ...]

    @property
    def yanked(self) -> str | None:
        reasons = [f.yanked for f in self.files]
        if any(r is None for r in reasons):
            return None
        return next((r for r in reasons if r), "")


@value
class Metadata:
    """What a wheel says of itself."""

    requires_python: str
    requires: tuple[str, ...]


class Index:
    """Asks and remembers. Never raises: what could not be asked is Unknown, and in ``remarks``."""

    def __init__(self, session: Session, *, cache: bool = True) -> None:
        self.session = session
        self.remarks: dict[str, None] = {}
        self._cache = _cache_directory() if cache else None
        self._releases: dict[str, dict[str, Release] | Unknown] = {}
        self._rows: dict[str, dict[str, Any] | None] = {}
        self._kept: dict[tuple[str, str], Any] = {}
        self._failed: set[tuple[str, str]] = set()

    # -- releases --

    def releases(self, name: str) -> dict[str, Release] | Unknown:
        """Every release of a distribution (normalised name), over all indexes of the user."""
        if name not in self._releases:
            self._releases[name] = self._ask(name)
        return self._releases[name]

    def _ask(self, name: str) -> dict[str, Release] | Unknown:
        files: dict[str, File] = {}
        failures: list[str] = []
        answered = False
        for link in self.session.links:
            try:
                for file in self._linked(link):
                    if file.project == name:
                        files.setdefault(file.name, file)
            except (OnlineError, OSError) as error:
                failures.append(str(error))
        for index in self.session.indexes:
            url = f"{index.rstrip('/')}/{urllib.parse.quote(name)}/"
            try:
                made = self._page(url)
            except OnlineError as error:
                failures.append(str(error))
                continue
            answered = True
            for file in made:
                files.setdefault(file.name, file)
        absent = ("answered 404", "No such file or directory")
        gone = [f for f in failures if f.endswith(absent)]
        if len(gone) != len(failures) or not self.session.indexes:
            # One index that did not answer may have what the others lack.
            why = next((f for f in failures if f not in gone), "no index is configured")
            return self.unknown(f"the releases of {name}", why)
        if not answered:
            return {}
        grouped: dict[str, list[File]] = {}
        for file in files.values():
            grouped.setdefault(file.version, []).append(file)
        return {v: Release(version=v, files=tuple(fs)) for v, fs in grouped.items()}

    def _linked(self, link: str) -> list[File]:
        """The files of a ``find-links`` directory or page."""
        path = Path(link.removeprefix("file://"))
        if "://" in link and not link.startswith("file://"):
            return self._page(link)
        rows = (
            {"url": p.resolve().as_uri(), "requires-python": "", "yanked": None, "metadata": False}
            for p in sorted(path.iterdir())[:10_000]
        )
        return [f for row in rows if (f := _file(row)) is not None]

    def _page(self, url: str) -> list[File]:
        key = hashlib.sha256(url.encode()).hexdigest()
        held = self._held(f"page-{key}", _PAGE_AGE)
        if held is not None:
            document = json.loads(held)
        else:
            answer = self.session.get(url, accept=_ACCEPT)
            document = _links(answer.kind, answer.url, answer.data)
            self._hold(f"page-{key}", json.dumps(document))
        return [f for row in document if (f := _file(row)) is not None]

    def release(self, name: str, version: str) -> Release | Unknown | None:
        """One release; None when the index has no such version."""
        found = self.releases(name)
        if isinstance(found, Unknown):
            return found
        from packaging.version import InvalidVersion, Version

        try:
            wanted = Version(version)
        except InvalidVersion:
            return Unknown(f"{version} is no version")
        if wanted.local:
            return Unknown("a local version comes from another index")
        return next((r for v, r in found.items() if Version(v) == wanted), None)

    def row(self, name: str, *, native: bool | None) -> dict[str, Any] | None:
        """The releases as a row of the wheel table; None when the index could not be asked."""
        from auditor.online.rows import row_of

        if name in self._rows:
            return self._rows[name]
        found = self.releases(name)
        row: dict[str, Any] | None = None
        if not isinstance(found, Unknown) and found:
            rows = {version: row_of(release.files) for version, release in found.items()}
            if native is None:
                # Platform wheels of any release say that building takes a compiler.
                native = any(set(r.get("g", ())) - {"*"} for r in rows.values())
            row = {"native": native, "releases": rows}
        self._rows[name] = row
        return row

    # -- files --

    def metadata(self, file: File) -> Metadata | Unknown:
        """A wheel's metadata: beside it where the index has that, else read out of the wheel."""
        key = f"metadata-{hashlib.sha256(file.url.encode()).hexdigest()}"
        held = self._held(key, _FOREVER)
        if held is None:
            try:
                if file.metadata:
                    held = self.session.get(f"{file.url}.metadata").data.decode("utf-8", "replace")
                else:
                    wheel = self.wheel(file)
                    if isinstance(wheel, Unknown):
                        return wheel
                    held = wheel.metadata()
            except OnlineError as error:
                return self.unknown(f"the metadata of {file.name}", str(error))
            self._hold(key, held)
        from email.parser import HeaderParser

        headers = HeaderParser().parsestr(held.partition("\n\n")[0])
        return Metadata(
            requires_python=str(headers.get("Requires-Python", "")),
            requires=tuple(str(r) for r in headers.get_all("Requires-Dist", ())),
        )

    def wheel(self, file: File) -> RemoteWheel | Unknown:
        """A wheel opened from afar: its list is read, its files as they are asked for."""
        from auditor.online.wheel import RemoteWheel

        try:
            return RemoteWheel(self.session, file.url)
        except OnlineError as error:
            return self.unknown(f"the wheel {file.name}", str(error))

    def kept(self, what: str, key: str, make: Callable[[], Any]) -> Any:
        """Something costly that is made from immutable files, made once."""
        if (what, key) in self._kept:
            return self._kept[what, key]
        name = f"{what}-{hashlib.sha256(key.encode()).hexdigest()}"
        held = self._held(name, _FOREVER)
        if held is not None:
            made = json.loads(held)
        else:
            made = make()
            if made is not None:
                self._hold(name, json.dumps(made))
            elif (what, key) not in self._failed:
                # It may have been a moment's failure: it is tried once more, and not again.
                self._failed.add((what, key))
                return None
        self._kept[what, key] = made
        return made

    def unknown(self, what: str, why: str) -> Unknown:
        """Note what could not be asked."""
        text = f"the package index could not be asked for {what}: {why}"
        self.remarks[text] = None
        return Unknown(text)

    # -- cache --

    def _held(self, name: str, age: float) -> str | None:
        if self._cache is None:
            return None
        path = self._cache / f"{name}.json"
        try:
            if time.time() - path.stat().st_mtime > age:
                return None
            text = path.read_text("utf-8")
            # Metadata is text, everything else JSON: a damaged file is asked for again.
            if not name.startswith("metadata-"):
                json.loads(text)
            return text
        except (OSError, ValueError):
            return None

    def _hold(self, name: str, text: str) -> None:
        if self._cache is None:
            return
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            temporary = self._cache / f".{name}.{os.getpid()}"
            temporary.write_text(text, "utf-8")
            temporary.replace(self._cache / f"{name}.json")
        except OSError:
            return


def _cache_directory() -> Path | None:
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        home = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return home / "deploy-audit" / "index"


class _Links(HTMLParser):
    """The anchors of a page of the Simple API."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        href = given.get("href")
        if tag != "a" or not href:
            return
        self.rows.append(
            {
                "url": href,
                "requires-python": given.get("data-requires-python") or "",
                "yanked": (given.get("data-yanked") or "") if "data-yanked" in given else None,
                "metadata": "data-core-metadata" in given or "data-dist-info-metadata" in given,
            }
        )


def _links(kind: str, url: str, data: bytes) -> list[dict[str, Any]]:
    """The links of a page as plain rows with absolute URLs."""
    rows: list[dict[str, Any]] = []
    if kind.endswith("json"):
        try:
            files = json.loads(data)["files"]
            for file in files:
                yanked = file.get("yanked", False)
                rows.append(
                    {
                        "url": file["url"],
                        "requires-python": file.get("requires-python") or "",
                        "yanked": None if not yanked else yanked if isinstance(yanked, str) else "",
                        "metadata": bool(file.get("core-metadata", file.get("dist-info-metadata"))),
                    }
                )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OnlineError("the index sent a page that is not readable") from error
    else:
        parser = _Links()
        parser.feed(data.decode("utf-8", "replace"))
        rows = parser.rows
    for row in rows:
        row["url"] = urllib.parse.urljoin(url, str(row["url"]))
    return rows


def _file(row: dict[str, Any]) -> File | None:
    """A file of a release; None for anything that is neither a wheel nor a source archive."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )
    from packaging.version import InvalidVersion

    url = str(row["url"]).partition("#")[0]
    name = urllib.parse.unquote(url.rpartition("/")[2])
    try:
        if name.endswith(".whl"):
            project, number = parse_wheel_filename(name)[:2]
        elif name.endswith((".tar.gz", ".zip")):
            project, number = parse_sdist_filename(name)
        else:
            return None
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion, ValueError):
        return None
    return File(
        name=name,
        url=url,
        version=str(number),
        project=project,
        requires_python=str(row["requires-python"]),
        yanked=row["yanked"],
        metadata=bool(row["metadata"]),
    )


def wheels_of(files: Iterable[File]) -> list[File]:
    """The wheels among files."""
    return [f for f in files if f.is_wheel]
