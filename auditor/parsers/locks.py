"""Lock files of every tool, read into one type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from auditor import lazy_re as re
from auditor.parsers.pyproject import load_toml, poetry_specifier, strings, table
from auditor.parsers.requirements import (
    Requirement,
    RequirementsFile,
    evaluate_marker,
    normalise,
    parse_requirement,
)
from auditor.source import Location, Problem, SourceText
from auditor.values import replace, value

LockKind = Literal["uv", "poetry", "pdm", "pipenv", "pylock", "pip-compile", "conda-lock"]
SourceKind = Literal["registry", "git", "url", "path", "editable", "virtual", "conda"]


@value
class LockedSource:
    """Where a locked package comes from; ``rev`` is the commit of a ``git`` source."""

    kind: SourceKind
    value: str = ""
    rev: str | None = None


@value
class LockedEdge:
    """A dependency of a locked package; ``version`` where the lock names one of several."""

    name: str
    marker: str = ""
    extras: tuple[str, ...] = ()
    specifier: str = ""
    version: str | None = None
    # Only when the depending package was asked for with this extra, or (projects) this group.
    extra: str = ""
    group: str = ""


@value
class LockedPackage:
    """One version of one distribution. ``name`` is normalised.

    ``marker`` restricts the package itself (PEP 508). ``groups``/``extras`` are those that reach
    it, where the lock says so. ``files`` are archive names. ``version`` is None for local projects.
    """

    name: str
    version: str | None
    at: Location
    marker: str = ""
    requires_python: str = ""
    hashes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    source: LockedSource = LockedSource(kind="registry")
    dependencies: tuple[LockedEdge, ...] = ()
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    optional: bool = False
    platform: str = ""
    manager: Literal["pip", "conda"] = "pip"


@value
class LockRoot:
    """A direct requirement that the lock recorded; ``group``/``extra`` empty for the main set."""

    name: str
    specifier: str = ""
    marker: str = ""
    extras: tuple[str, ...] = ()
    group: str = ""
    extra: str = ""


@value
class Selection:
    """What the lock installs in one environment. ``undecided`` names could not be told."""

    packages: tuple[LockedPackage, ...]
    undecided: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, str | None]:
        """Version by normalised name."""
        return {p.name: p.version for p in self.packages}


@value
class Lock:
    """One lock file."""

    path: str
    kind: LockKind
    # The lock format's own version, and the tool that wrote it when it says so.
    version: str = ""
    generator: str = ""
    sources: tuple[str, ...] = ()
    requires_python: str = ""
    python: str | None = None
    packages: tuple[LockedPackage, ...] = ()
    roots: tuple[LockRoot, ...] = ()
    content_hash: str | None = None
    indexes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def hashed(self) -> bool:
        """Every package that comes from an index or a URL has a hash."""
        remote = [p for p in self.packages if p.source.kind not in _LOCAL]
        return bool(remote) and all(p.hashes for p in remote)

    def find(self, name: str) -> tuple[LockedPackage, ...]:
        """The locked versions of a name (normalised here)."""
        key = normalise(name)
        return tuple(p for p in self.packages if p.name == key)

    def select(
        self,
        python_version: str,
        platform: str = "linux",
        *,
        groups: Iterable[str] = (),
        extras: Iterable[str] = (),
        machine: str = "x86_64",
        roots: Iterable[Requirement] | None = None,
        default: bool = True,
    ) -> Selection:
        """What would be installed: ``python_version`` is ``3.11`` or ``3.11.4``.

        ``default=False`` leaves the main set out (``--only-group``). ``roots`` are the source's
        requirements: a lock of Poetry 1 does not hold them, and without them its selection
        is everything that is not optional, all of it undecided.
        """
        environment = {
            **marker_environment(python_version, platform, machine),
            "conda_subdir": _CONDA_SUBDIRS.get((platform, machine), ""),
        }
        wanted_groups = frozenset(normalise(g) for g in groups)
        wanted_extras = frozenset(normalise(e) for e in extras)
        return _select(self, environment, wanted_groups, wanted_extras, roots, default)


@value
class Disagreement:
    """A source requirement that the lock does not meet."""

    kind: Literal["missing", "unsatisfied"]
    requirement: Requirement
    locked: LockedPackage | None
    message: str


_CONDA_SUBDIRS = {
    ("linux", "x86_64"): "linux-64",
    ("linux", "aarch64"): "linux-aarch64",
    ("linux", "i686"): "linux-32",
    ("linux", "armv6l"): "linux-armv6l",
    ("linux", "armv7l"): "linux-armv7l",
    ("linux", "ppc64le"): "linux-ppc64le",
    ("linux", "riscv64"): "linux-riscv64",
    ("linux", "s390x"): "linux-s390x",
    ("darwin", "x86_64"): "osx-64",
    ("darwin", "arm64"): "osx-arm64",
    ("win32", "x86_64"): "win-64",
    ("win32", "ARM64"): "win-arm64",
}
_NAMES: dict[str, LockKind] = {
    "uv.lock": "uv",
    "poetry.lock": "poetry",
    "pdm.lock": "pdm",
    "Pipfile.lock": "pipenv",
    "pylock.toml": "pylock",
    "conda-lock.yml": "conda-lock",
    "conda-lock.yaml": "conda-lock",
}
_LOCAL: frozenset[str] = frozenset({"path", "editable", "virtual", "git"})


def detect(path: str) -> LockKind | None:
    """The kind of lock by file name; None when the name is not one of a lock.

    pip-compile's output has no name of its own: see ``RequirementsFile.compiled_by``.
    """
    name = path.rpartition("/")[2]
    if name.startswith("pylock.") and name.endswith(".toml") and name.count(".") == 2:
        return "pylock"
    if name.endswith((".conda-lock.yml", ".conda-lock.yaml")):
        return "conda-lock"
    return _NAMES.get(name)


def parse(source: SourceText, kind: LockKind | None = None) -> Lock:
    """Read a lock; never raises. ``kind`` defaults to what the file name says."""
    kind = kind or detect(source.path) or "pip-compile"
    if kind == "pip-compile":
        from auditor.parsers.requirements import parse as parse_requirements

        return from_requirements(parse_requirements(source))
    if kind == "conda-lock":
        from auditor.parsers import condalock

        return condalock.parse(source)
    if kind == "pipenv":
        return _pipfile_lock(source)
    document, problem = load_toml(source)
    if problem is not None:
        return Lock(path=source.path, kind=kind, problems=(*source.problems, problem))
    readers = {"uv": _uv, "poetry": _poetry, "pdm": _pdm, "pylock": _pylock}
    return readers[kind](source, document)


# --- the environment ---------------------------------------------------------------------

_SYSTEMS = {
    "linux": ("posix", "Linux"),
    "darwin": ("posix", "Darwin"),
    "win32": ("nt", "Windows"),
}


def marker_environment(
    python_version: str, platform: str = "linux", machine: str = "x86_64"
) -> Mapping[str, str]:
    """The PEP 508 environment of CPython on that platform (``linux``, ``darwin``, ``win32``).

    Without a patch number the full version is that of the minor release with ``.99``, so that
    ``python_full_version >= "3.11.4"`` holds for ``3.11``: images follow the latest patch.
    """
    parts = python_version.split(".")
    full = python_version if len(parts) > 2 else f"{python_version}.99"
    os_name, system = _SYSTEMS.get(platform, ("posix", platform.capitalize()))
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": os_name,
        "platform_machine": "AMD64" if platform == "win32" and machine == "x86_64" else machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": full,
        "python_version": ".".join(parts[:2]),
        "sys_platform": platform,
    }


def _admits(specifier: str, version: str) -> bool:
    """Whether a specifier admits a version; True when one of the two is not PEP 440."""
    if not specifier:
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


class _Walk:
    """From the roots along the edges, as an installer goes."""

    def __init__(self, lock: Lock, environment: Mapping[str, str], groups: frozenset[str]) -> None:
        self.lock = lock
        self.environment = environment
        self.groups = groups
        self.by_name: dict[str, list[LockedPackage]] = {}
        for package in lock.packages:
            self.by_name.setdefault(package.name, []).append(package)
        self.chosen: dict[tuple[str | None, ...], LockedPackage] = {}
        self.undecided: dict[str, None] = {}
        self.seen: set[tuple[str, str | None, frozenset[str]]] = set()
        self.queue: list[tuple[LockedPackage, frozenset[str]]] = []

    def want(self, name: str, extras: Iterable[str], specifier: str, version: str | None) -> None:
        candidates = self.by_name.get(name, [])
        if version is not None:
            candidates = [c for c in candidates if c.version == version]
        if len(candidates) > 1:
            full = self.environment["python_full_version"]
            candidates = [
                c
                for c in candidates
                if _admits(specifier, c.version or "")
                and _admits(c.requires_python, full)
                and evaluate_marker(c.marker, self.environment) is not False
            ]
        if not candidates:
            self.undecided[name] = None
            return
        if len({c.version for c in candidates}) > 1:
            self.undecided[name] = None
        package = candidates[0]
        wanted = frozenset(normalise(e) for e in extras)
        state = (package.name, package.version, wanted)
        if state not in self.seen:
            self.seen.add(state)
            self.queue.append((package, wanted))

    def run(self) -> None:
        while self.queue:
            package, extras = self.queue.pop()
            self.chosen[(package.name, package.version)] = package
            self.follow(package, extras)

    def follow(
        self, package: LockedPackage, extras: frozenset[str], groups: frozenset[str] = frozenset()
    ) -> None:
        for edge in package.dependencies:
            if edge.extra and normalise(edge.extra) not in extras:
                continue
            if edge.group and normalise(edge.group) not in groups:
                continue
            holds = evaluate_marker(edge.marker, self.environment, extras)
            if holds is None:
                self.undecided[edge.name] = None
            elif holds:
                self.want(edge.name, edge.extras, edge.specifier, edge.version)


def _select(
    lock: Lock,
    environment: Mapping[str, str],
    groups: frozenset[str],
    extras: frozenset[str],
    roots: Iterable[Requirement] | None,
    default: bool,
) -> Selection:
    walk = _Walk(lock, environment, groups)
    if lock.kind == "uv":
        active = extras | {f"extra-{len(p.name)}-{p.name}-{e}" for p in lock.packages for e in extras
                           if p.source.kind in ("virtual", "editable")}  # fmt: skip
        for package in _projects(lock):
            if not default:
                package = replace(
                    package, dependencies=tuple(e for e in package.dependencies if e.group)
                )
            walk.follow(package, active, groups)
            if default and package.source.kind == "editable":
                walk.chosen[(package.name, package.version)] = package
        walk.run()
    elif lock.kind == "poetry" and (
        _format(lock.version) < (2, 1) or not any(p.groups for p in lock.packages)
    ):
        _select_old_poetry(lock, walk, extras, roots)
    else:
        _select_marked(lock, walk, groups, extras, default)
    packages = tuple(sorted(walk.chosen.values(), key=lambda p: (p.name, p.version or "")))
    return Selection(packages=packages, undecided=tuple(walk.undecided))


def _format(version: str) -> tuple[int, ...]:
    """A lock format's version; before 2.1 Poetry's markers stand on the edges only."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _projects(lock: Lock) -> list[LockedPackage]:
    local = [p for p in lock.packages if p.source.kind in ("virtual", "editable")]
    return [p for p in local if p.source.value in (".", "")] or [
        p for p in local if any(r.name == p.name for r in lock.roots)
    ]


def _select_marked(
    lock: Lock, walk: _Walk, groups: frozenset[str], extras: frozenset[str], default: bool
) -> None:
    """Locks whose packages carry their groups and markers themselves."""
    main = {"main", "default"} if default else set()
    # conda-lock has one kind of category for both, asked for with ``--extras``.
    wanted = main | groups | (extras if lock.kind in ("pdm", "conda-lock") else frozenset())
    full = walk.environment["python_full_version"]
    for package in lock.packages:
        if package.groups and not wanted & {normalise(g) for g in package.groups}:
            continue
        if package.platform and package.platform != walk.environment.get("conda_subdir"):
            continue
        holds = evaluate_marker(package.marker, walk.environment, extras, walk.groups)
        if holds is None:
            walk.undecided[package.name] = None
        # Poetry and pylock keep several versions of one name apart by their Python, too.
        elif holds and (
            len(walk.by_name[package.name]) == 1 or _admits(package.requires_python, full)
        ):
            # conda has ``typing-extensions`` beside ``typing_extensions``, or pip's beside its own.
            archive = package.source.value if package.manager == "conda" else ""
            walk.chosen[(package.name, package.version, archive)] = package


def _select_old_poetry(
    lock: Lock, walk: _Walk, extras: frozenset[str], roots: Iterable[Requirement] | None
) -> None:
    """Poetry 1: neither groups nor roots in the lock; the source's requirements are the roots."""
    if roots is None:
        full = walk.environment["python_full_version"]
        optional = {r.name for r in lock.roots if normalise(r.extra) in extras}
        for package in lock.packages:
            if package.optional and package.name not in optional:
                continue
            if package.groups and "main" not in package.groups:
                continue
            if _admits(package.requires_python, full):
                walk.chosen[(package.name, package.version)] = package
                if not package.optional:
                    # Which group brings it, and under which marker, the lock does not say.
                    walk.undecided[package.name] = None
        return
    for requirement in roots:
        if requirement.name and evaluate_marker(requirement.marker, walk.environment, extras):
            walk.want(requirement.key, requirement.extras, requirement.specifier, None)
    for root in lock.roots:
        if normalise(root.extra) in extras:
            walk.want(root.name, root.extras, root.specifier, None)
    walk.run()


# --- out of step -------------------------------------------------------------------------

_PYTHONS = tuple(f"3.{minor}" for minor in range(6, 16))


def disagreements(lock: Lock, requirements: Iterable[Requirement]) -> tuple[Disagreement, ...]:
    """Direct requirements absent from the lock, or locked at a version they exclude (ENV009).

    Requirements that no environment of the lock needs (a marker for another platform) are no
    disagreement, nor are specifiers that are not PEP 440.
    """
    found: list[Disagreement] = []
    for requirement in requirements:
        if not requirement.name:
            continue
        locked = lock.find(requirement.name)
        if not locked:
            if _needed(lock, requirement):
                message = f"{requirement.name} is required but not locked"
                found.append(
                    Disagreement(
                        kind="missing", requirement=requirement, locked=None, message=message
                    )
                )
            continue
        verdicts = [_satisfies(package, requirement) for package in locked]
        if verdicts and all(verdict is False for verdict in verdicts):
            package = locked[0]
            wants = (
                requirement.specifier or f"commit {requirement.vcs.rev if requirement.vcs else ''}"
            )
            has = package.version if requirement.vcs is None else f"commit {package.source.rev}"
            found.append(
                Disagreement(
                    kind="unsatisfied",
                    requirement=requirement,
                    locked=package,
                    message=f"{requirement.name} is locked at {has}, which {wants} excludes",
                )
            )
    return tuple(found)


def _satisfies(package: LockedPackage, requirement: Requirement) -> bool | None:
    if requirement.vcs is not None:
        if not (requirement.vcs.is_commit and package.source.kind == "git" and package.source.rev):
            return None
        return package.source.rev.lower() == (requirement.vcs.rev or "").lower()
    if requirement.url or requirement.path or package.version is None:
        return None
    if package.manager == "conda" or package.source.kind in _LOCAL:
        return None
    return requirement.allows(package.version)


def _needed(lock: Lock, requirement: Requirement) -> bool:
    """Whether some environment the lock is for needs the requirement."""
    if not requirement.marker:
        return True
    pythons = (
        [lock.python]
        if lock.python
        else [p for p in _PYTHONS if _admits(lock.requires_python, f"{p}.99")]
    )
    platforms = ("linux",) if lock.kind in ("pip-compile", "pipenv") else tuple(_SYSTEMS)
    return any(
        evaluate_marker(requirement.marker, marker_environment(python, platform))
        for python in pythons
        for platform in platforms
    )


# --- readers -----------------------------------------------------------------------------


def from_requirements(facts: RequirementsFile) -> Lock:
    """The output of pip-compile, ``uv pip compile``, ``poetry export`` … as a lock."""
    packages = []
    roots = []
    for requirement in facts.requirements:
        if not requirement.name and not requirement.path:
            continue
        source = LockedSource(kind="registry")
        if requirement.vcs is not None:
            rev = requirement.vcs.rev if requirement.vcs.is_commit else None
            source = LockedSource(kind="git", value=requirement.vcs.url, rev=rev)
        elif requirement.path is not None:
            kind: SourceKind = "editable" if requirement.editable else "path"
            source = LockedSource(kind=kind, value=requirement.path)
        elif requirement.url is not None:
            source = LockedSource(kind="url", value=requirement.url)
        packages.append(
            LockedPackage(
                name=requirement.key
                or normalise(requirement.likely_name or requirement.path or ""),
                version=requirement.pinned_version,
                at=requirement.at,
                marker=requirement.marker,
                hashes=requirement.hashes,
                source=source,
            )
        )
        if any(v.startswith("-r ") or v.endswith(")") for v in requirement.via):
            roots.append(
                LockRoot(name=requirement.key, marker=requirement.marker, extras=requirement.extras)
            )
    compiled = facts.compiled_by
    return Lock(
        path=facts.path,
        kind="pip-compile",
        generator=compiled.tool if compiled else "",
        sources=compiled.sources if compiled else (),
        python=compiled.python if compiled else None,
        packages=tuple(packages),
        roots=tuple(roots),
        indexes=tuple(o.value or "" for o in facts.options if o.name.endswith("index-url")),
        problems=facts.problems,
    )


def _package_lines(source: SourceText, header: str, count: int) -> list[Location]:
    """Where the array's tables begin; all at line 1 when they cannot be told apart."""
    lines = [n for n, line in enumerate(source.lines, start=1) if line.rstrip() == header]
    if len(lines) != count:
        lines = [1] * count
    return [source.at(n) for n in lines]


def _tables(value: object) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _filename(url: str) -> str:
    return url.partition("#")[0].partition("?")[0].rpartition("/")[2]


def _uv(source: SourceText, document: dict[str, Any]) -> Lock:
    entries = _tables(document.get("package"))
    places = _package_lines(source, "[[package]]", len(entries))
    packages: list[LockedPackage] = []
    roots: list[LockRoot] = []
    indexes: dict[str, None] = {}
    members = {normalise(m) for m in strings(table(document.get("manifest")).get("members"))}
    for entry, at in zip(entries, places, strict=True):
        name = normalise(_text(entry.get("name")))
        origin = _uv_source(table(entry.get("source")))
        if origin.kind == "registry" and origin.value:
            indexes[origin.value] = None
        files = [*_tables(entry.get("wheels")), *_tables([entry.get("sdist")])]
        edges = [_uv_edge(e) for e in _tables(entry.get("dependencies"))]
        for extra, items in table(entry.get("optional-dependencies")).items():
            edges += [_uv_edge(e, extra=extra) for e in _tables(items)]
        for group, items in table(entry.get("dev-dependencies")).items():
            edges += [_uv_edge(e, group=group) for e in _tables(items)]
        packages.append(
            LockedPackage(
                name=name,
                version=_text(entry.get("version")) or None,
                at=at,
                marker=" or ".join(f"({m})" for m in strings(entry.get("resolution-markers"))),
                hashes=tuple(f["hash"] for f in files if isinstance(f.get("hash"), str)),
                files=tuple(
                    _filename(_text(f.get("url") or f.get("path")) or _text(f.get("filename")))
                    for f in files
                ),
                source=origin,
                dependencies=tuple(edges),
            )
        )
        is_project = origin.kind in ("virtual", "editable") and (
            origin.value == "." or name in members
        )
        if is_project:
            metadata = table(entry.get("metadata"))
            roots.extend(_uv_root(item, "") for item in _tables(metadata.get("requires-dist")))
            for group, items in table(metadata.get("requires-dev")).items():
                roots.extend(_uv_root(item, group) for item in _tables(items))
    revision = document.get("revision")
    return Lock(
        path=source.path,
        kind="uv",
        version=f"{document.get('version', '')}" + (f".{revision}" if revision else ""),
        generator="uv",
        sources=("pyproject.toml",),
        requires_python=_text(document.get("requires-python")).replace(" ", ""),
        packages=tuple(packages),
        roots=tuple(roots),
        indexes=tuple(indexes),
        problems=source.problems,
    )


def _uv_source(entry: dict[str, Any]) -> LockedSource:
    for kind in ("registry", "git", "url", "path", "editable", "virtual", "directory"):
        value = entry.get(kind)
        if isinstance(value, str):
            if kind == "git":
                url, _, rev = value.partition("#")
                return LockedSource(kind="git", value=url.partition("?")[0], rev=rev or None)
            return LockedSource(kind="path" if kind == "directory" else kind, value=value)  # type: ignore[arg-type]
    return LockedSource(kind="registry")


def _uv_edge(entry: dict[str, Any], *, extra: str = "", group: str = "") -> LockedEdge:
    return LockedEdge(
        name=normalise(_text(entry.get("name"))),
        marker=_text(entry.get("marker")),
        extras=tuple(strings(entry.get("extra"))),
        version=_text(entry.get("version")) or None,
        extra=extra,
        group=group,
    )


_EXTRA_CLAUSE = re.compile(r"""(?:\s+and\s+)?\bextra\s*==\s*(?:'([^']*)'|"([^"]*)")\s*$""")


def _uv_root(entry: dict[str, Any], group: str) -> LockRoot:
    marker = _text(entry.get("marker"))
    match = _EXTRA_CLAUSE.search(marker)
    if match:
        marker = marker[: match.start()].strip()
        marker = marker[1:-1] if marker.startswith("(") and marker.endswith(")") else marker
    return LockRoot(
        name=normalise(_text(entry.get("name"))),
        specifier=_text(entry.get("specifier")),
        marker=marker,
        extras=tuple(strings(entry.get("extras"))),
        group=group,
        extra=(match[1] or match[2] or "") if match else "",
    )


def _poetry(source: SourceText, document: dict[str, Any]) -> Lock:
    entries = _tables(document.get("package"))
    places = _package_lines(source, "[[package]]", len(entries))
    metadata = table(document.get("metadata"))
    # Before lock version 2 the files stood in a table of their own.
    old_files = table(metadata.get("files"))
    packages = []
    indexes: dict[str, None] = {}
    for entry, at in zip(entries, places, strict=True):
        name = _text(entry.get("name"))
        files = _tables(entry.get("files")) or _tables(old_files.get(name))
        origin = _poetry_source(table(entry.get("source")))
        if origin.kind == "registry" and origin.value:
            indexes[origin.value] = None
        groups = strings(entry.get("groups"))
        markers = entry.get("markers")
        if isinstance(markers, dict):
            # One marker per group when they differ.
            values = [m for m in markers.values() if isinstance(m, str)]
            marker = " or ".join(f"({m})" for m in dict.fromkeys(values))
            if len(markers) < len(groups):
                marker = ""
        else:
            marker = _text(markers)
        category = _text(entry.get("category"))
        if category:
            groups = [category]
        packages.append(
            LockedPackage(
                name=normalise(name),
                version=_text(entry.get("version")) or None,
                at=at,
                marker=marker,
                requires_python=_python_range(_text(entry.get("python-versions"))),
                hashes=tuple(f["hash"] for f in files if isinstance(f.get("hash"), str)),
                files=tuple(_text(f.get("file")) for f in files),
                source=origin,
                dependencies=tuple(_poetry_edges(entry)),
                groups=tuple(groups),
                optional=entry.get("optional") is True,
            )
        )
    roots = [
        LockRoot(name=normalise(re.split(r"[\s(\[]", item.strip(), maxsplit=1)[0]), extra=extra)
        for extra, items in table(document.get("extras")).items()
        for item in strings(items)
    ]
    head = source.line_at(1)
    generator = re.search(r"by (Poetry(?: [\d.]+)?)", head)
    return Lock(
        path=source.path,
        kind="poetry",
        version=_text(metadata.get("lock-version")),
        generator=generator[1] if generator else "",
        sources=("pyproject.toml",),
        requires_python=_python_range(_text(metadata.get("python-versions"))),
        packages=tuple(packages),
        roots=tuple(roots),
        content_hash=_text(metadata.get("content-hash")) or None,
        indexes=tuple(indexes),
        problems=source.problems,
    )


def _python_range(constraint: str) -> str:
    converted = poetry_specifier(constraint)
    return converted if isinstance(converted, str) else ""


def _poetry_source(entry: dict[str, Any]) -> LockedSource:
    kind, value = _text(entry.get("type")), _text(entry.get("url"))
    if kind == "git":
        rev = _text(entry.get("resolved_reference")) or None
        return LockedSource(kind="git", value=value, rev=rev)
    if kind in ("directory", "file"):
        return LockedSource(kind="path", value=value)
    if kind == "url":
        return LockedSource(kind="url", value=value)
    return LockedSource(kind="registry", value=value)


def _poetry_edges(entry: dict[str, Any]) -> list[LockedEdge]:
    # Optional dependencies of lock versions 1 name their extra only in [package.extras].
    by_extra: dict[str, str] = {}
    for extra, items in table(entry.get("extras")).items():
        for item in strings(items):
            by_extra.setdefault(normalise(re.split(r"[\s(\[;]", item, maxsplit=1)[0]), extra)
    edges = []
    for name, value in table(entry.get("dependencies")).items():
        for item in value if isinstance(value, list) else [value]:
            details = item if isinstance(item, dict) else {"version": item}
            marker = _text(details.get("markers"))
            extra = ""
            if details.get("optional") is True and "extra" not in marker:
                extra = by_extra.get(normalise(name), "-")
            converted = poetry_specifier(_text(details.get("version")))
            edges.append(
                LockedEdge(
                    name=normalise(name),
                    marker=marker,
                    extras=tuple(strings(details.get("extras"))),
                    specifier=converted if isinstance(converted, str) else "",
                    extra=extra,
                )
            )
    return edges


def _pdm(source: SourceText, document: dict[str, Any]) -> Lock:
    entries = _tables(document.get("package"))
    places = _package_lines(source, "[[package]]", len(entries))
    metadata = table(document.get("metadata"))
    old_files = table(metadata.get("files"))
    packages = []
    for entry, at in zip(entries, places, strict=True):
        name, version = _text(entry.get("name")), _text(entry.get("version"))
        files = _tables(entry.get("files")) or _tables(old_files.get(f"{name} {version}"))
        origin = LockedSource(kind="registry")
        if isinstance(entry.get("git"), str):
            origin = LockedSource(
                kind="git", value=entry["git"], rev=_text(entry.get("revision")) or None
            )
        elif isinstance(entry.get("path"), str):
            kind: SourceKind = "editable" if entry.get("editable") else "path"
            origin = LockedSource(kind=kind, value=entry["path"])
        elif isinstance(entry.get("url"), str):
            origin = LockedSource(kind="url", value=entry["url"])
        packages.append(
            LockedPackage(
                name=normalise(name),
                version=version or None,
                at=at,
                marker=_text(entry.get("marker")),
                requires_python=_text(entry.get("requires_python")),
                hashes=tuple(f["hash"] for f in files if isinstance(f.get("hash"), str)),
                files=tuple(_text(f.get("file")) or _filename(_text(f.get("url"))) for f in files),
                source=origin,
                dependencies=tuple(_pep508_edges(entry.get("dependencies"), at)),
                groups=tuple(strings(entry.get("groups"))),
                extras=tuple(strings(entry.get("extras"))),
            )
        )
    targets = _tables(metadata.get("targets"))
    return Lock(
        path=source.path,
        kind="pdm",
        version=_text(metadata.get("lock_version")),
        generator="pdm",
        sources=("pyproject.toml",),
        requires_python=_text(targets[0].get("requires_python")) if targets else "",
        packages=tuple(packages),
        content_hash=_text(metadata.get("content_hash")) or None,
        problems=source.problems,
    )


def _pep508_edges(items: object, at: Location) -> list[LockedEdge]:
    edges = []
    for item in strings(items):
        read = parse_requirement(item, lambda start, end: at, pip_forms=False)
        if isinstance(read, Requirement):
            edges.append(
                LockedEdge(
                    name=read.key,
                    marker=read.marker,
                    extras=read.extras,
                    specifier=read.specifier,
                )
            )
    return edges


def _pylock(source: SourceText, document: dict[str, Any]) -> Lock:
    entries = _tables(document.get("packages"))
    places = _package_lines(source, "[[packages]]", len(entries))
    packages = []
    indexes: dict[str, None] = {}
    for entry, at in zip(entries, places, strict=True):
        files = [
            *_tables(entry.get("wheels")),
            *_tables([entry.get("sdist")]),
            *_tables([entry.get("archive")]),
        ]
        vcs, directory = table(entry.get("vcs")), table(entry.get("directory"))
        archive = table(entry.get("archive"))
        index = _text(entry.get("index"))
        if index:
            indexes[index] = None
        origin = LockedSource(kind="registry", value=index)
        if vcs:
            value = _text(vcs.get("url")) or _text(vcs.get("path"))
            origin = LockedSource(kind="git", value=value, rev=_text(vcs.get("commit-id")) or None)
        elif directory:
            kind: SourceKind = "editable" if directory.get("editable") else "path"
            origin = LockedSource(kind=kind, value=_text(directory.get("path")))
        elif archive:
            value = _text(archive.get("url")) or _text(archive.get("path"))
            origin = LockedSource(kind="url", value=value)
        packages.append(
            LockedPackage(
                name=normalise(_text(entry.get("name"))),
                version=_text(entry.get("version")) or None,
                at=at,
                marker=_text(entry.get("marker")),
                requires_python=_text(entry.get("requires-python")),
                hashes=tuple(
                    f"{algorithm}:{digest}"
                    for f in files
                    for algorithm, digest in table(f.get("hashes")).items()
                ),
                files=tuple(
                    _text(f.get("name")) or _filename(_text(f.get("url")) or _text(f.get("path")))
                    for f in files
                ),
                source=origin,
                dependencies=tuple(
                    LockedEdge(
                        name=normalise(_text(e.get("name"))),
                        version=_text(e.get("version")) or None,
                    )
                    for e in _tables(entry.get("dependencies"))
                ),
            )
        )
    return Lock(
        path=source.path,
        kind="pylock",
        version=_text(document.get("lock-version")),
        generator=_text(document.get("created-by")),
        requires_python=_text(document.get("requires-python")).replace(" ", ""),
        packages=tuple(packages),
        indexes=tuple(indexes),
        problems=source.problems,
    )


def _exact(specifier: str) -> str | None:
    # What could not be resolved here stays ``*``: a package for another platform.
    return specifier.lstrip("=") if specifier.startswith("==") else None


def _pipfile_lock(source: SourceText) -> Lock:
    try:
        document = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        at = source.at(min(line, len(source.lines)))
        problem = Problem(at=at, message=f"not JSON: {getattr(error, 'msg', error)}", fatal=True)
        return Lock(path=source.path, kind="pipenv", problems=(*source.problems, problem))
    document = table(document)
    meta = table(document.get("_meta"))
    packages = []
    lines = source.lines
    cursor = 0
    for section, content in document.items():
        if section == "_meta":
            continue
        start = next((i for i, t in enumerate(lines) if t.startswith(f'    "{section}"')), None)
        cursor = start if start is not None else cursor
        for name, raw in table(content).items():
            entry = table(raw)
            # The tool writes one key a line, in the order of the document.
            wanted = f"        {json.dumps(name)}: "
            found = next(
                (i for i in range(cursor, len(lines)) if lines[i].startswith(wanted)), None
            )
            cursor = found + 1 if found is not None else cursor
            origin = LockedSource(kind="registry")
            if isinstance(entry.get("git"), str):
                rev = _text(entry.get("ref")) or None
                origin = LockedSource(kind="git", value=entry["git"], rev=rev)
            elif isinstance(entry.get("path"), str) or isinstance(entry.get("file"), str):
                kind: SourceKind = "editable" if entry.get("editable") else "path"
                value = _text(entry.get("path")) or _text(entry.get("file"))
                remote = "://" in value and not value.startswith("file:")
                origin = LockedSource(kind="url" if remote else kind, value=value)
            packages.append(
                LockedPackage(
                    name=normalise(name),
                    version=_exact(_text(entry.get("version"))),
                    at=source.at(found + 1) if found is not None else source.at(1),
                    marker=_text(entry.get("markers")),
                    hashes=tuple(strings(entry.get("hashes"))),
                    source=origin,
                    groups=(section,),
                    extras=tuple(strings(entry.get("extras"))),
                )
            )
    requires = table(meta.get("requires"))
    return Lock(
        path=source.path,
        kind="pipenv",
        version=str(meta.get("pipfile-spec", "")),
        generator="pipenv",
        sources=("Pipfile",),
        python=_text(requires.get("python_full_version"))
        or _text(requires.get("python_version"))
        or None,
        packages=tuple(packages),
        content_hash=_text(table(meta.get("hash")).get("sha256")) or None,
        indexes=tuple(_text(s.get("url")) for s in _tables(meta.get("sources"))),
        problems=source.problems,
    )
