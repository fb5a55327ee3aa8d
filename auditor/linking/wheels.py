"""Whether pip can install a release on an image: wheels, Python, glibc, compilers.

Knowledge: ``rules/knowledge/wheels.json.gz`` (the releases of distributions with native code).
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal

from auditor import versions
from auditor.catalog import knowledge_text
from auditor.values import value

# Their extensions are optional: without a compiler they install in pure Python.
OPTIONAL_EXTENSIONS = frozenset(
    {"charset-normalizer", "coverage", "markupsafe", "msgpack", "pymongo", "pyyaml", "simplejson",
     "sqlalchemy", "tornado", "websockets", "wrapt"}
)  # fmt: skip
# Releases whose source archives ask for the newest of a build tool that they do not work with,
# as seen when they were built: PyYAML's with Cython 3.
_UNBUILDABLE = {
    ("pyyaml", version): "AttributeError: cython_sources" for version in ("5.4", "5.4.1", "6.0")
}


def unbuildable(name: str, version: str | None) -> str | None:
    """The error with which building a release from source fails wherever it is tried."""
    return _UNBUILDABLE.get((name, version or ""))


@value
class Installable:
    """What pip will do with one release.

    ``wheel``: it takes one. ``build``: there is none for this interpreter or libc, and it builds
    the source archive (``native``: that needs a compiler). ``no-python``: Requires-Python excludes
    the interpreter. ``no-release``: the index has no such version. ``no-file``: neither wheel nor
    source archive. ``unknown``: the table does not know.
    """

    outcome: Literal["wheel", "build", "no-python", "no-release", "no-file", "unknown"]
    native: bool = False
    requires_python: str = ""
    # The glibc that the wheels for this interpreter need, when the image's is older.
    needs_glibc: str | None = None
    # Pythons that the release has wheels for, oldest first.
    pythons: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def _lines() -> dict[str, str]:
    """Every distribution's line of the table, unparsed: the whole takes longer to parse than to audit."""
    found: dict[str, str] = {}
    for line in knowledge_text("wheels.json.gz").splitlines():
        name, colon, row = line.partition('":{')
        if colon and name.startswith('"'):
            found[name[1:]] = "{" + row.rstrip(",")
    return found


def _row(name: str) -> dict[str, Any] | None:
    """One distribution's releases, asked of the index if that may be; None when nobody knows it."""
    from auditor import online

    index = online.active()
    held = _shipped_row(name)
    if index is None:
        return held
    return index.row(name, native=held["native"] if held is not None else None) or held


@lru_cache(maxsize=256)
def _shipped_row(name: str) -> dict[str, Any] | None:
    """One distribution's releases; None when the table does not know it."""
    line = _lines().get(name)
    return json.loads(line) if line is not None else None


def is_native(name: str) -> bool:
    """Whether the shipped table knows wheels of the distribution with compiled files."""
    row = _shipped_row(name)
    return row is not None and row["native"]


def installable(
    name: str,
    version: str | None,
    *,
    python: str,
    specifier: str = "",
    libc: str | None = "glibc",
    glibc: str | None = None,
) -> Installable:
    """What pip does with ``name==version`` on that interpreter.

    Without a version it takes the newest release that ``specifier`` and Requires-Python admit,
    with a wheel or without (as pip does).

    ``python`` is ``X.Y`` or longer; ``glibc`` the image's version, None when unknown.
    """
    row = _row(name)
    if row is None:
        return Installable(outcome="unknown")
    short = ".".join(python.split(".")[:2])
    releases = row["releases"]
    if version is None:
        version = _newest(releases, specifier, python)
        if version is None:
            return Installable(outcome="unknown")
    key = _find(releases, version)
    if key is None:
        return Installable(outcome=_absent(releases, version))
    release = releases[key]
    if not release.get("g"):
        # 2 and 2.0 are one version, uploaded twice: pip takes the wheel.
        twin = key.removesuffix(".0") if key.endswith(".0") else f"{key}.0"
        release = {**release, **releases.get(twin, {})}
    requires = release.get("r", "")
    if requires and not _admits(requires, python):
        return Installable(
            outcome="no-python", requires_python=requires, pythons=_pythons(release, "glibc")
        )
    if libc == "musl":
        if (
            any(_serves(p, short) for p in release.get("m", ()))
            or release.get("g", {}).get("*") == "0"
        ):
            return Installable(outcome="wheel")
    elif libc == "glibc":
        found = {p: g for p, g in release.get("g", {}).items() if _serves(p, short)}
        if found:
            least = min(found.values(), key=_number)
            if glibc is None or _number(least) <= _number(glibc):
                return Installable(outcome="wheel")
            return Installable(outcome="build", native=row["native"], needs_glibc=least)
    else:
        return Installable(outcome="unknown")
    pythons = _pythons(release, libc)
    if not release.get("s"):
        return Installable(outcome="no-file", pythons=pythons)
    return Installable(outcome="build", native=row["native"], pythons=pythons)


def serves_one_python(name: str, version: str | None, python: str, specifier: str = "") -> bool:
    """Whether the file that pip takes there (glibc) is certainly of use to that Python alone."""
    row = _row(name)
    if row is None:
        return False
    short = ".".join(python.split(".")[:2])
    settled = version or _newest(row["releases"], specifier, python)
    key = _find(row["releases"], settled) if settled is not None else None
    files = row["releases"][key].get("g", {}) if key is not None else {}
    return short in files and not any(_serves(tag, short) for tag in files if tag != short)


def newest(name: str, specifier: str, python: str) -> str | None:
    """The newest known release that a specifier admits on that Python; None when not known."""
    row = _row(name)
    return _newest(row["releases"], specifier, python) if row is not None else None


def _newest(releases: dict[str, Any], specifier: str, python: str) -> str | None:
    there = [
        key
        for key, release in releases.items()
        if "y" not in release
        and (not release.get("r") or _admits(release["r"], python))
        and (release.get("s") or release.get("g"))
    ]
    plain = versions.newest(specifier, there)
    if plain is not None:
        return plain or None
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import Version

    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    return max((key for key in there if allowed.contains(key)), key=Version, default=None)


def _find(releases: dict[str, Any], version: str) -> str | None:
    if version in releases:
        return version
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    # A local version (1.13.1+cpu) comes from another index than the table's.
    return next((key for key in releases if Version(key) == wanted), None)


def _absent(releases: dict[str, Any], version: str) -> Literal["no-release", "unknown"]:
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion:
        return "unknown"
    newest = max((Version(key) for key in releases), default=wanted)
    if wanted.is_prerelease or wanted.local or wanted >= newest:
        return "unknown"
    return "no-release"


def _pythons(release: dict[str, Any], libc: str | None) -> tuple[str, ...]:
    found = release.get("m", ()) if libc == "musl" else release.get("g", ())
    return tuple(sorted(found, key=_sort_key))


def _sort_key(python: str) -> tuple[int, ...]:
    return _number(python.rstrip("+")) if python != "*" else (0,)


def _serves(tag: str, python: str) -> bool:
    if tag == "*":
        return True
    if tag.endswith("+"):
        return _number(python) >= _number(tag[:-1])
    return tag == python


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(p) for p in text.split(".") if p.isdigit())


@lru_cache(maxsize=1024)
def _admits(requires: str, python: str) -> bool:
    text = python if python.count(".") > 1 else f"{python}.99"
    plain = versions.admits(requires, text)
    if plain is not None:
        return plain
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(requires)
    except InvalidSpecifier:
        return True
    return allowed.contains(text, prereleases=True)
