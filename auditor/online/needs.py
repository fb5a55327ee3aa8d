"""What a release's wheel (or source archive) asks of the system, read out of its members: shared objects for what the
loader is asked for, modules for what is loaded or started by name.
"""

from __future__ import annotations

import ast
import posixpath
from typing import TYPE_CHECKING, Any, Protocol

from auditor import lazy_re as re
from auditor.linking import elf
from auditor.online import loads
from auditor.online.archive import SourceArchive
from auditor.online.reader import module_of
from auditor.online.session import OnlineError
from auditor.online.symbols import _opened, best_wheel
from auditor.online.texts import LARGEST_MODULE, Code
from auditor.source import Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from auditor.linking.sonames import Need
    from auditor.online.index import File, Index

_SHARED = re.compile(r"\.so(\.[\w.]+)?$")
_EXTENSION = re.compile(r"(?:\.cpython-3\w+-x86_64-linux-gnu|\.abi3)\.so$")
# Part of glibc, or of every image with an interpreter.
_OF_THE_SYSTEM = re.compile(
    r"^(ld-linux.*|libpython3.*|lib(c|m|mvec|dl|rt|pthread|util|resolv|nsl|crypt|anl|BrokenLocale"
    r"|gcc_s|stdc\+\+|z)\.so.*)$"
)
# Members that no import of the package reaches, and those that other tools leave in packages.
_ASIDE = re.compile(
    r"(^|/)(tests?|docs?|examples?|benchmarks?|plugins)/|/(win|windows|darwin|macos|osx)\w*"
    r"|(^|/)(_version|versioneer|setup|conftest)\.py$"
)
# Programs that come with the interpreter, that open something on a desk, or that are of no use
# without a daemon.
_OF_EVERY_IMAGE = re.compile(
    r"^(python[\d.]*|pip[\d.]*|conda|sudo|open|xdg-open|start|docker|podman)$"
)
MOST_FILES = 80
MOST_MODULES = 150
MOST_SOURCE = 2 << 20
MOST_LOADED = 3
MOST_BYTES = 96 << 20
MOST_UNPACKED = 256 << 20
# Programs that a wheel brings: not scripts, and not whole suites of tools.
LEAST_PROGRAM = 1 << 15
MOST_PROGRAMS = 8


_PYTHONS = ("3.11", "3.12", "3.13", "3.10", "3.9")


def wheel_of(index: Index, distribution: str, version: str | None) -> File | None:
    """The wheel of a release, or of the newest one that has a wheel; None without one."""
    versions = [version] if version is not None else _newest_first(index, distribution)
    for one in versions:
        files = (best_wheel(index, distribution, one, python) for python in _PYTHONS)
        if (file := next((f for f in files if f is not None), None)) is not None:
            return file
    return None


def _newest_first(index: Index, distribution: str) -> list[str]:
    """The newest final releases that nobody withdrew."""
    from packaging.version import Version

    found = index.releases(distribution)
    if isinstance(found, Unknown):
        return []
    numbers = sorted((Version(v), v) for v, r in found.items() if r.yanked is None)
    final = [text for number, text in numbers if not number.is_prerelease]
    return (final or [text for _, text in numbers])[:-4:-1]


def file_of(index: Index, distribution: str, version: str | None) -> File | None:
    """The wheel, or without any the source archive that pip builds."""
    wheel = wheel_of(index, distribution, version)
    if wheel is not None:
        return wheel
    versions = [version] if version is not None else _newest_first(index, distribution)[:1]
    for one in versions:
        release = index.release(distribution, one)
        if release is not None and not isinstance(release, Unknown):
            archives = [f for f in release.files if f.name.endswith((".tar.gz", ".zip"))]
            if archives:
                return archives[0]
    return None


def is_read(index: Index, distribution: str, version: str | None) -> bool:
    """Whether a wheel of the release, or its source archive, could be read whole, and names what
    it loads.
    """
    file = file_of(index, distribution, version)
    facts = _facts(index, file) if file is not None else None
    return facts is not None and not facts["blind"]


def requirements(index: Index, distribution: str, version: str | None) -> tuple[str, ...]:
    """What the release's wheel, or its source archive, says that it requires."""
    file = file_of(index, distribution, version)
    if file is not None and not file.is_wheel:
        facts = _facts(index, file)
        return tuple(facts["requires"]) if facts is not None else ()
    found = index.metadata(file) if file is not None else None
    return () if found is None or isinstance(found, Unknown) else found.requires


def undeclared(index: Index, distribution: str, version: str | None) -> dict[str, Any] | None:
    """``modules`` that the release's setup script imports and pip does not install for it, and
    whether it is ``isolated`` by every pip; None of what has a wheel, or could not be read.
    """
    file = file_of(index, distribution, version)
    facts = _facts(index, file) if file is not None and not file.is_wheel else None
    return facts["undeclared"] if facts is not None else None


def needs(index: Index, distribution: str, version: str | None) -> tuple[Need, ...]:
    """Shared objects and programs that neither the wheel nor glibc brings, and that Debian has a
    package for.

    A library that only modules deep inside ask for counts as needed by some functions; a program
    that the distribution does not say it is about, as a hint.
    """
    file = file_of(index, distribution, version)
    facts = _facts(index, file) if file is not None else None
    return tuple(as_needs(distribution, facts)) if facts is not None else ()


def as_needs(distribution: str, facts: dict[str, Any]) -> Iterator[Need]:
    """The needs that the facts make, as far as Debian has packages for them."""
    from auditor.linking import sonames

    release = sonames.release(sonames.NEWEST)
    stems = set()
    # Modules of the interpreter that need something, which no image of it brings.
    for need in sonames.needs("python"):
        if need.module in facts.get("surely", ()):
            yield replace(need, distribution=distribution, module="", how="code", exact=False)
    if facts.get("build"):
        yield sonames.Need(
            distribution=distribution, when="build", how="code", packages=tuple(facts["build"])
        )
    for name, place in sorted(facts["elf"].items()):
        if release.library(name) is None:
            continue
        stems.add(_stem(name))
        yield sonames.Need(
            distribution=distribution, names=(name,), how="elf", always=place != "deep",
            when="import" if place == "top" else "call", through=place == "opened",
        )  # fmt: skip
    # What is listed in parentheses is one of many: "(S3, HDFS, gzip)".
    said = f"{distribution} {re.sub(r'[(][^)]*[ ,/][^)]*[)]', '', facts['summary'])}".lower()
    # What loads many libraries (windowing toolkits) does without most of them, and so does what
    # has compiled modules of its own. Others load what they are about, or load when they are
    # imported; what only a function loads may be for that alone.
    few = len({*map(_family, facts["libraries"])} - {""}) <= MOST_LOADED and not facts["compiled"]
    for name in facts["libraries"]:
        libraries = tuple(
            dict.fromkeys(n for s in sonames.SUITES for n in sonames.release(s).versions_of(name))
        )
        if libraries and _stem(name) not in stems:
            early = few and name in facts["early"]
            # However many there are, importing the package loads them.
            early |= not facts["compiled"] and name in facts.get("first", ())
            always = early or (few and _is_about(said, name))
            yield sonames.Need(
                distribution=distribution, names=libraries, how="code", always=always,
                when="import" if early else "call", hint=not always,
            )  # fmt: skip
    # Programs of one package are one need.
    packages: dict[str, list[str]] = {}
    for name in facts["programs"]:
        package = release.program(name)
        if package is not None and not _OF_EVERY_IMAGE.match(name):
            packages.setdefault(package, []).append(name)
    for package, programs in packages.items():
        about = not facts["compiled"] and any(
            re.search(rf"(?<![a-z])(?:py)?{re.escape(n.lower())}(?![a-z])", said)
            for n in (*programs, package)
        )
        # Nothing of it works without, where there is one that it asks for as it starts.
        about |= len(packages) == 1 and not {*programs}.isdisjoint(facts.get("demanded", ()))
        # What has archives of Java classes runs them.
        always = about or (facts["jars"] and "java" in programs)
        yield sonames.Need(
            distribution=distribution, names=tuple(programs), kind="program", how="code",
            when="call", always=always, hint=not always,
        )  # fmt: skip


def _is_about(said: str, library: str) -> bool:
    """Whether a distribution's name or summary has the library's: ``pyzbar`` and ``zbar``."""
    word = re.split(r"[-.\d]", _stem(library))[0].lower()
    if len(word) > len("xyz"):
        return word in said
    return bool(word) and re.search(rf"(?<![a-z]){re.escape(word)}", said) is not None


def _stem(name: str) -> str:
    """``magic`` of ``libmagic.so.1`` and of ``magic``."""
    return name.partition(".so")[0].removeprefix("lib")


def _family(name: str) -> str:
    """``pango`` of ``pango``, ``pango-1.0`` and ``pango-1.0-0``: names that are tried in turn."""
    return re.sub(r"(?:[-.]?\d+)+$", "", _stem(name))


def _facts(index: Index, file: File) -> dict[str, Any] | None:
    """``elf``: {soname: what needs it}, see :func:`_missing`; ``libraries`` and ``programs`` that
    modules name, ``early`` those of the libraries that importing them loads, ``first`` those that importing the
    package does; ``demanded`` programs, see :class:`loads.Asked`; ``summary``; ``imports``, see
    :func:`imports`, and which of them ``surely``; whether anything in it is ``compiled``, whether it is
    ``blind`` (looks for a library and names none, or has too much to read), and whether there are
    ``jars``. None when the wheel could not be read whole.
    """
    found: dict[str, Any] | None = index.kept("facts-11", file.url, lambda: _read(index, file))
    return found


def _read(index: Index, file: File) -> dict[str, Any] | None:
    def unknown(what: str, why: str) -> object:
        return index.unknown(f"{what} of {file.name}", why)

    try:
        if not file.is_wheel:
            return _of_archive(SourceArchive(index.session, file.url), unknown)
        wheel = _opened(index, file)
        return facts_of(wheel, unknown) if wheel is not None else None
    except OnlineError as error:
        index.unknown(f"the system libraries of {file.name}", str(error))
        return None


def _of_archive(
    archive: SourceArchive, unknown: Callable[[str, str], object]
) -> dict[str, Any] | None:
    """The facts of what is built, with ``build``, the packages it takes, ``requires``, and what its
    setup script imports ``undeclared``.
    """
    facts = facts_of(archive, unknown)
    if facts is None:
        return None
    build = archive.build()
    head = archive.metadata().partition("\n\n")[0]
    requires = re.findall(r"^Requires-Dist: *(.+)$", head, re.MULTILINE)
    undeclared = {"modules": list(archive.undeclared()), "isolated": archive.is_isolated}
    return {
        **facts,
        "compiled": bool(build),
        "build": list(build),
        "requires": requires,
        "undeclared": undeclared,
    }


class Members(Protocol):
    """A wheel's files, wherever they are."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their paths."""

    def size(self, name: str) -> int:
        """How much has to be fetched for one."""

    def read(self, name: str, limit: int = ...) -> bytes:
        """The contents of one."""

    def metadata(self) -> str:
        """The text of METADATA."""


def facts_of(
    wheel: Members, unknown: Callable[[str, str], object], *, bounded: bool = True
) -> dict[str, Any] | None:
    """What :func:`_facts` tells; what was left unread goes to ``unknown``."""
    members = [n for n in wheel.names if _SHARED.search(n)]
    modules = [n for n in wheel.names if n.endswith(".py") and not _ASIDE.search(n)]
    if bounded and (len(members) > MOST_FILES or sum(map(wheel.size, members)) > MOST_BYTES):
        unknown("the system libraries", "too much would have to be read")
        return None
    many = bounded and (len(modules) > MOST_MODULES or sum(map(wheel.size, modules)) > MOST_SOURCE)
    if many:
        unknown("what is loaded by the modules", "too many would have to be read")
    facts: dict[str, elf.ElfFacts] = {}
    libraries: set[str] = set()
    early: dict[str, frozenset[str]] = {}
    programs: set[str] = set()
    demanded: set[str] = set()
    blind = many and not members
    for member in members:
        # The table of what it needs may stand at its end.
        data = wheel.read(member, MOST_UNPACKED)
        read = elf.parse(data)
        if read is not None and read.machine == 62:
            facts[member] = read
        elif len(data) >= MOST_UNPACKED:
            unknown("the system libraries", f"{member} is too large")
            blind = True
    code = Code({} if many else {n: _source(wheel, m) for m in modules if (n := module_of(m))})
    for module in () if many else modules:
        own = module_of(module) or ""
        text = code.source(own) if own else _source(wheel, module)()
        asked = loads.asked(text, code if own else None, own)
        libraries |= asked.libraries
        early[own] = asked.early
        programs |= asked.programs
        demanded |= asked.demanded
        blind |= asked.blind and not members
    bundled = {posixpath.basename(n).partition(".so")[0] for n in members}
    # The most exact name of each library: libmagic.so.1 rather than magic.
    exact = {n.partition(".so")[0] for n in libraries if ".so" in n}
    files = {posixpath.basename(n) for n in wheel.names if not n.endswith((".py", ".pyi", ".so"))}
    imports = None if many else _imports(wheel, modules)
    reached = frozenset() if imports is None else imports.own
    summary = re.search(r"^Summary: *(.*)$", wheel.metadata().partition("\n\n")[0], re.MULTILINE)
    missing = _missing(facts, _guarded(wheel) if facts else frozenset())
    if not members and bounded:
        missing = _missing_to_run(wheel)
    return {
        "elf": missing,
        "libraries": sorted(
            name for name in libraries
            if not any(b == f"lib{_stem(name)}" or b.startswith(f"lib{_stem(name)}-") for b in bundled)
            and (".so" in name or f"lib{name}" not in exact)
        ),
        "early": sorted({lib for libs in early.values() for lib in libs}),
        "first": sorted({lib for own, libs in early.items() if own in reached for lib in libs}),
        # A program that the wheel has: ffmpeg-linux-x86_64-v7.0.2.
        "programs": sorted(p for p in programs if not any(_is_build_of(f, p) for f in files)),
        "demanded": sorted(demanded),
        "summary": summary[1] if summary else "",
        "compiled": bool(members),
        "blind": blind and not libraries,
        "imports": None if imports is None else sorted(imports.others),
        "surely": [] if imports is None else sorted(imports.surely),
        "jars": any(n.endswith(".jar") for n in wheel.names),
    }  # fmt: skip


def _imports(wheel: Members, modules: list[str]) -> loads.Imported:
    """What is imported with the wheel's own modules."""
    return loads.imported(
        {name: _source(wheel, m) for m in modules if (name := module_of(m)) is not None}
    )


def _source(wheel: Members, member: str) -> Callable[[], str]:
    """What gives the text of a module; it is cut where one is too large to be read."""
    return lambda: wheel.read(member, LARGEST_MODULE + 1).decode("utf-8", "replace")


def imports(index: Index, distribution: str, version: str | None) -> frozenset[str] | None:
    """First names of what importing the release's modules imports; None when that is not known."""
    file = file_of(index, distribution, version)
    facts = _facts(index, file) if file is not None else None
    found = facts["imports"] if facts is not None else None
    return frozenset(found) if found is not None else None


def _is_build_of(file: str, program: str) -> bool:
    rest = file.removeprefix(program)
    return rest != file and (not rest or rest[0] in "-_" or rest == ".exe")


def _missing(facts: Mapping[str, elf.ElfFacts], guarded: frozenset[str]) -> dict[str, str]:
    """{soname that no member brings: what needs it}.

    ``top``: a module that is imported with the package; ``opened``: a library that modules open
    by name, in a wheel that is all about it; ``deep``: some other module, or one of several
    libraries of which nobody knows which are opened (plugins).
    """
    by_name: dict[str, str] = {}
    for member, one in facts.items():
        by_name[posixpath.basename(member)] = member
        if one.soname:
            by_name[one.soname] = member
    extensions = [m for m in facts if _EXTENSION.search(m)]
    linked = {by_name[n] for one in facts.values() for n in one.needed if n in by_name}
    result: dict[str, str] = {}
    asking: dict[str, set[str]] = {}
    roots: set[str] = set()
    for member in facts:
        if member.split("/")[0].endswith(".libs") or _ASIDE.search(member):
            continue
        if not extensions:
            place = "opened"
        else:
            place = "top" if member.count("/") <= 1 and member not in guarded else "deep"
        if member not in extensions and (member in linked or (extensions and "/lib" in member)):
            continue
        pending, seen = [member], {member}
        while pending:
            for name in facts[pending.pop()].needed:
                inside = by_name.get(name)
                if inside is None:
                    if not _OF_THE_SYSTEM.match(name):
                        # "top" comes last in the alphabet, and "deep" first.
                        result[name] = max(result.get(name, ""), place)
                        asking.setdefault(name, set()).add(member)
                elif inside not in seen:
                    seen.add(inside)
                    pending.append(inside)
        roots.add(member)
    if not extensions:
        return {name: "opened" if asking[name] == roots else "deep" for name in result}
    return result


def _missing_to_run(wheel: Members) -> dict[str, str]:
    """The same for the programs that a wheel without shared objects is there to bring.

    ``run``: every one of them asks for it; ``deep``: some do.
    """
    brought = [
        name
        for name in wheel.names
        if "." not in posixpath.basename(name) and wheel.size(name) > LEAST_PROGRAM
    ]
    if not brought or len(brought) > MOST_PROGRAMS or sum(map(wheel.size, brought)) > MOST_BYTES:
        return {}
    asked = []
    for name in brought:
        read = elf.parse(wheel.read(name, MOST_UNPACKED))
        if read is not None and read.machine == 62:
            asked.append({n for n in read.needed if not _OF_THE_SYSTEM.match(n)})
    every = set.intersection(*asked) if asked else set()
    return {name: "run" if name in every else "deep" for name in set().union(*asked)}


def _guarded(wheel: Members) -> frozenset[str]:
    """Extension modules that the package's own ``__init__`` imports only inside a ``try``."""
    found: set[str] = set()
    plain: set[str] = set()
    members = {module_of(n): n for n in wheel.names if _EXTENSION.search(n)}
    for name in wheel.names:
        if name.count("/") != 1 or not name.endswith("/__init__.py"):
            continue
        try:
            tree = ast.parse(wheel.read(name, LARGEST_MODULE))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        package = name.partition("/")[0]
        caught = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.Try) and node.handlers
            for statement in node.body
            for inner in ast.walk(statement)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                base = ".".join(filter(None, (package if node.level else "", node.module or "")))
                named = {base, *(f"{base}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                named = {alias.name for alias in node.names}
            else:
                continue
            chosen = {members[n] for n in named if n in members}
            (found if id(node) in caught else plain).update(chosen)
    return frozenset(found - plain)
