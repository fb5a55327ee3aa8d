"""What a pinned release's wheel asks the loader for, read out of its shared objects only."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.linking import elf
from auditor.online import loads
from auditor.online.session import OnlineError
from auditor.online.symbols import _opened, best_wheel

if TYPE_CHECKING:
    from auditor.linking.sonames import Need
    from auditor.online.index import File, Index

_SHARED = re.compile(r"\.so(\.[\w.]+)?$")
_EXTENSION = re.compile(r"(?:\.cpython-3\w+-x86_64-linux-gnu|\.abi3)?\.so$")
# Part of glibc, or of every image with an interpreter.
_OF_THE_SYSTEM = re.compile(
    r"^(ld-linux.*|libpython3.*|lib(c|m|mvec|dl|rt|pthread|util|resolv|nsl|crypt|anl|BrokenLocale"
    r"|gcc_s|stdc\+\+|z)\.so.*)$"
)
# Members that no import of the package reaches.
_ASIDE = re.compile(r"(^|/)(tests?|docs?|examples?|benchmarks?)/|/(win|windows|darwin|macos)\w*")
MOST_FILES = 80
MOST_MODULES = 150
MOST_SOURCE = 2 << 20
MOST_LOADED = 3
MOST_BYTES = 96 << 20


_PYTHONS = ("3.11", "3.12", "3.13", "3.10", "3.9")


def needs(index: Index, distribution: str, version: str) -> tuple[Need, ...]:
    """Shared objects that neither the wheel nor glibc brings, and that Debian has a package for.

    A library that only modules deep inside ask for counts as needed by some functions.
    """
    from auditor.linking import sonames

    files = (best_wheel(index, distribution, version, python) for python in _PYTHONS)
    file = next((f for f in files if f is not None), None)
    if file is None:
        return ()
    chosen = file
    release = sonames.release(sonames.NEWEST)
    found: dict[str, bool] | None = {}
    if not file.name.endswith("-any.whl"):
        found = index.kept("needs", chosen.url, lambda: _read(index, chosen))
    needed = [
        sonames.Need(
            distribution=distribution, names=(name,), how="elf", always=always,
            when="import" if always else "call",
        )
        for name, always in sorted((found or {}).items())
        if release.library(name) is not None
    ]  # fmt: skip
    loaded: list[str] | None = index.kept("loads", chosen.url, lambda: _loads(index, chosen))
    stems = {n.name.partition(".so")[0] for n in needed}
    # What loads many libraries (windowing toolkits) does without most of them.
    always = len(loaded or ()) <= MOST_LOADED
    for name in loaded or ():
        libraries = tuple(
            dict.fromkeys(n for s in sonames.SUITES for n in sonames.release(s).versions_of(name))
        )
        if libraries and name.partition(".so")[0].removeprefix("lib") not in {
            stem.removeprefix("lib") for stem in stems
        }:
            needed.append(
                sonames.Need(distribution=distribution, names=libraries, how="code", when="call",
                             always=always)
            )  # fmt: skip
    return tuple(needed)


def _loads(index: Index, file: File) -> list[str] | None:
    """What the wheel's modules load by name and no member of it is."""
    wheel = _opened(index, file)
    if wheel is None:
        return None
    modules = [n for n in wheel.names if n.endswith(".py") and not _ASIDE.search(n)]
    if len(modules) > MOST_MODULES or sum(map(wheel.size, modules)) > MOST_SOURCE:
        return []
    bundled = {posixpath.basename(n).partition(".so")[0] for n in wheel.names if ".so" in n}
    found: set[str] = set()
    try:
        for module in modules:
            found |= loads.names(wheel.read(module).decode("utf-8", "replace"))
    except OnlineError as error:
        index.unknown(f"the libraries that {file.name} loads", str(error))
        return None
    # The most exact name of each library: libmagic.so.1 rather than magic.
    exact = {n.partition(".so")[0] for n in found if ".so" in n}
    return sorted(
        n for n in found
        if f"lib{n.removeprefix('lib').partition('.so')[0]}" not in bundled
        and not any(b.startswith(f"lib{n.removeprefix('lib').partition('.so')[0]}-") for b in bundled)
        and (".so" in n or f"lib{n}" not in exact)
    )  # fmt: skip


def _read(index: Index, file: File) -> dict[str, Any] | None:
    """{soname: a module at the top needs it}; None when the wheel could not be read whole."""
    wheel = _opened(index, file)
    if wheel is None:
        return None
    members = [n for n in wheel.names if _SHARED.search(n)]
    if len(members) > MOST_FILES or sum(wheel.size(n) for n in members) > MOST_BYTES:
        index.unknown(f"the system libraries of {file.name}", "too much would have to be read")
        return None
    facts: dict[str, elf.ElfFacts] = {}
    try:
        for member in members:
            read = elf.parse(wheel.read(member))
            if read is not None and read.machine == 62:
                facts[member] = read
    except OnlineError as error:
        index.unknown(f"the system libraries of {file.name}", str(error))
        return None
    by_name: dict[str, str] = {}
    for member, one in facts.items():
        by_name[posixpath.basename(member)] = member
        if one.soname:
            by_name[one.soname] = member
    result: dict[str, bool] = {}
    for member in facts:
        folder = member.split("/")[0]
        if folder.endswith(".libs") or not _EXTENSION.search(member):
            continue
        top = member.count("/") <= 1
        pending, seen = [member], {member}
        while pending:
            for name in facts[pending.pop()].needed:
                inside = by_name.get(name)
                if inside is None:
                    if not _OF_THE_SYSTEM.match(name):
                        result[name] = result.get(name, False) or top
                elif inside not in seen:
                    seen.add(inside)
                    pending.append(inside)
    return result
