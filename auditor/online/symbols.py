"""Does a pinned release have a module and a name: read out of its wheel, one module at a time.

The shipped tables know some libraries and a release per minor; this knows any release that has a
wheel, by the wheel's list of files and the source of the modules that are asked for.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Literal

from auditor.online.reader import Library, Module, module_of
from auditor.online.session import OnlineError
from auditor.source import Unknown

if TYPE_CHECKING:
    from auditor.online.index import File, Index
    from auditor.online.wheel import RemoteWheel

Answer = Literal["yes", "no-module", "no-name", "unknown"]
# Modules of one wheel that one question may lead through.
MOST_MODULES = 60
LARGEST_SOURCE = 4 << 20


def best_wheel(index: Index, distribution: str, version: str, python: str) -> File | None:
    """The wheel of a release that pip takes on x86-64 Linux; None when there is none."""
    from packaging.utils import parse_wheel_filename

    from auditor.linking.wheels import _serves
    from auditor.online.rows import glibc_of, python_of

    release = index.release(distribution, version)
    if release is None or isinstance(release, Unknown):
        return None
    best: tuple[int, File] | None = None
    for file in release.files:
        if not file.is_wheel:
            continue
        for tag in parse_wheel_filename(file.name)[3]:
            served = python_of(tag.interpreter, tag.abi)
            if served is None or not _serves(served, python):
                continue
            if tag.platform != "any" and glibc_of(tag.platform) is None:
                continue
            rank = (served == "*") + (tag.platform == "any")
            if best is None or rank < best[0]:
                best = (rank, file)
    return best[1] if best is not None else None


def find(
    index: Index, distribution: str, version: str, python: str, module: str, name: str
) -> Answer:
    """Whether ``module`` binds ``name`` in that release; unknown when it could not be read."""
    file = best_wheel(index, distribution, version, python)
    if file is None:
        return "unknown"
    chosen = file
    facts: dict[str, Any] | None = index.kept(
        "names", f"{chosen.url}#{module}", lambda: _describe(index, chosen, module)
    )
    if facts is None:
        return "unknown"
    if not facts["exists"]:
        return "no-module"
    if name in facts["names"]:
        return "yes"
    return "unknown" if facts["open"] else "no-name"


def tops(index: Index, distribution: str, version: str, python: str) -> frozenset[str]:
    """Top-level modules that a release installs; empty when it could not be read."""
    file = best_wheel(index, distribution, version, python)
    if file is None:
        return frozenset()
    chosen = file

    def read() -> list[str] | None:
        wheel = _opened(index, chosen)
        return sorted(wheel.tops) if wheel is not None else None

    return frozenset(index.kept("tops", chosen.url, read) or ())


def _opened(index: Index, file: File) -> RemoteWheel | None:
    wheel = index.wheel(file)
    return None if isinstance(wheel, Unknown) else wheel


def _describe(index: Index, file: File, module: str) -> dict[str, Any] | None:
    wheel = _opened(index, file)
    if wheel is None:
        return None
    members: dict[str, str] = {}
    packages: set[str] = set()
    for member in wheel.names:
        dotted = module_of(member)
        if dotted is not None and (dotted not in members or member.endswith(".py")):
            members[dotted] = member
        folder = member.rpartition("/")[0]
        while folder:
            packages.add(folder.replace("/", "."))
            folder = folder.rpartition("/")[0]
    if module not in members:
        # A directory without __init__ is a namespace: it exists, and holds only modules.
        children = [m.removeprefix(f"{module}.") for m in members if m.startswith(f"{module}.")]
        return {
            "exists": module in packages and bool(children),
            "names": [n for n in children if "." not in n],
            "open": True,
        }
    library = Library.__new__(Library)
    library.modules, library.compiled, library.wheel = {}, {}, file.name
    pending = [module]
    try:
        while pending:
            one = pending.pop()
            member = members.get(one, "")
            if one in library.modules or one in library.compiled or not member:
                continue
            if not member.endswith(".py"):
                library.compiled[one] = None
                continue
            if len(library.modules) >= MOST_MODULES:
                return None
            tree = ast.parse(wheel.read(member, LARGEST_SOURCE))
            source = Module(one, tree, member.endswith("__init__.py"))
            library.modules[one] = source
            for forward in source.forwards:
                target = source.imports.get(forward)
                if target is not None:
                    pending.append(f"{target[0]}.{target[1]}" if target[1] else target[0])
            pending += source.stars
    except OnlineError as error:
        index.unknown(f"the modules of {file.name}", str(error))
        return None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {"exists": True, "names": [], "open": True}
    names, open_ended = library.names(module)
    inner = {m.removeprefix(f"{module}.") for m in members if m.startswith(f"{module}.")}
    return {
        "exists": True,
        "names": sorted(names | {n for n in inner if "." not in n}),
        "open": open_ended,
    }
