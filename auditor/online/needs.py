"""What a pinned release's wheel asks the loader for, read out of its shared objects only."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.linking import elf
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
MOST_FILES = 80
MOST_BYTES = 96 << 20


_PYTHONS = ("3.11", "3.12", "3.13", "3.10", "3.9")


def needs(index: Index, distribution: str, version: str) -> tuple[Need, ...]:
    """Shared objects that neither the wheel nor glibc brings, and that Debian has a package for.

    A library that only modules deep inside ask for counts as needed by some functions.
    """
    from auditor.linking import sonames

    files = (best_wheel(index, distribution, version, python) for python in _PYTHONS)
    file = next((f for f in files if f is not None), None)
    if file is None or file.name.endswith("-any.whl"):
        return ()
    chosen = file
    found: dict[str, bool] | None = index.kept("needs", chosen.url, lambda: _read(index, chosen))
    release = sonames.release(sonames.NEWEST)
    return tuple(
        sonames.Need(
            distribution=distribution, names=(name,), how="elf", always=always,
            when="import" if always else "call",
        )
        for name, always in sorted((found or {}).items())
        if release.library(name) is not None
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
