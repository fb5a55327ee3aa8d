"""``conda-lock.yml``: conda and pip packages of several platforms, each with its archive."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.parsers import yamldoc
from auditor.parsers.locks import Lock, LockedEdge, LockedPackage, LockedSource
from auditor.parsers.requirements import normalise
from auditor.source import Location, Problem, SourceText

# conda-lock writes 1; it also reads 2, which has ``categories`` where 1 repeats the entry.
_VERSIONS = ("1", "2")
_REQUIRED = ("name", "version", "manager", "platform", "url", "hash")


def parse(source: SourceText) -> Lock:
    """Read a conda lock; never raises."""
    stream = yamldoc.parse(source)
    root = stream.documents[0] if stream.documents else None
    if not isinstance(root, yamldoc.Mapping):
        problem = Problem(at=source.at(1), message="not a conda lock: no mapping", fatal=True)
        return Lock(path=source.path, kind="conda-lock", problems=(*stream.problems, problem))
    problems = list(stream.problems)
    version = _text(root.get("version"))
    if version not in _VERSIONS:
        told = f"version {version}" if version else "no version"
        message = f"conda-lock reads locks of version {' and '.join(_VERSIONS)}; this has {told}"
        problems.append(Problem(at=root.at, message=message))
    listed = root.get("package")
    if not isinstance(listed, yamldoc.Sequence):
        at = root.at if listed is None else listed.at
        problems.append(Problem(at=at, message="a conda lock without a list `package`"))
    packages: list[LockedPackage] = []
    rejected: dict[str, list[Location]] = {}
    for item in _items(listed):
        lacking = "not a mapping"
        if isinstance(item, yamldoc.Mapping):
            lacking = _lacking(item, version)
            package = None if _virtual(item) else _package(item)
            if package is not None:
                packages.append(package)
        if lacking:
            rejected.setdefault(lacking, []).append(item.at)
    for lacking, places in rejected.items():
        message = f"conda-lock rejects {len(places)} entries of the lock: {lacking}"
        problems.append(Problem(at=places[0], message=message))
    return Lock(
        path=source.path,
        kind="conda-lock",
        version=version,
        generator="conda-lock",
        sources=tuple(_text(s) for s in _items(root.get("metadata", "sources"))),
        python=_python(packages),
        packages=tuple(packages),
        indexes=tuple(
            _text(c.get("url")) if isinstance(c, yamldoc.Mapping) else _text(c)
            for c in _items(root.get("metadata", "channels"))
        ),
        problems=tuple(problems),
    )


def _virtual(item: yamldoc.Mapping) -> bool:
    """Whether it stands for the machine (``__glibc``): nobody installs those."""
    return _text(item.get("manager")) == "conda" and _text(item.get("name")).startswith("__")


def _lacking(item: yamldoc.Mapping, version: str) -> str:
    """Why conda-lock would not read the entry; empty when it would."""
    absent = [name for name in _REQUIRED if item.get(name) is None]
    if version == "1" and item.get("optional") is None:
        absent.append("optional")
    if absent:
        return f"no {', '.join(absent)}"
    manager = _text(item.get("manager"))
    if manager not in ("conda", "pip"):
        return "a manager that is neither conda nor pip"
    if manager == "conda" and item.get("hash", "md5") is None:
        return "a conda package without md5"
    return ""


def _package(item: yamldoc.Mapping) -> LockedPackage | None:
    name, version = _text(item.get("name")), _text(item.get("version"))
    manager = _text(item.get("manager"))
    if not name or not version or manager not in ("conda", "pip"):
        return None
    origin = _origin(item, manager)
    hashes = () if origin.kind == "git" else tuple(_pairs(item.get("hash")))
    url = _text(item.get("url"))
    categories = _categories(item)
    optional = _text(item.get("optional"))
    return LockedPackage(
        name=normalise(name),
        version=version,
        at=item.at,
        hashes=tuple(f"{algorithm}:{digest}" for algorithm, digest in hashes if digest),
        files=(_filename(url),) if url and origin.kind != "git" else (),
        source=origin,
        dependencies=tuple(
            LockedEdge(name=normalise(needed), specifier=specifier)
            for needed, specifier in _pairs(item.get("dependencies"))
        ),
        groups=categories,
        optional=optional.lower() == "true" if optional else "main" not in categories,
        platform=_text(item.get("platform")),
        manager="conda" if manager == "conda" else "pip",
    )


def _origin(item: yamldoc.Mapping, manager: str) -> LockedSource:
    """Conda archive, file of an index, or (``source`` of type url) what a direct URL names.

    A repository is written ``git+URL@COMMIT``, its commit once more in place of the sha256.
    """
    url = _text(item.get("url"))
    if manager == "conda":
        return LockedSource(kind="conda", value=url)
    direct = _text(item.get("source", "url"))
    for given in (direct, url):
        if given.startswith("git+"):
            address, at, rev = given.removeprefix("git+").rpartition("@")
            # An ``@`` before the path is that of a user.
            if not at or "/" in rev:
                address, rev = given.removeprefix("git+"), ""
            return LockedSource(kind="git", value=address, rev=rev or None)
        if given.startswith("file://"):
            return LockedSource(kind="path", value=given.removeprefix("file://"))
    return LockedSource(kind="url" if direct else "registry", value=url)


def _categories(item: yamldoc.Mapping) -> tuple[str, ...]:
    several = tuple(text for text in map(_text, _items(item.get("categories"))) if text)
    if not several and isinstance(item.get("categories"), yamldoc.Mapping):
        # PyYAML writes a set as a mapping to null.
        several = tuple(name for name, _ in _pairs(item.get("categories")))
    return several or (_text(item.get("category")) or "main",)


def _python(packages: list[LockedPackage]) -> str | None:
    """The locked interpreter: that of 64-bit Linux, elsewhere the one all platforms share."""
    found = {p.platform: p.version for p in packages if p.name == "python" and p.manager == "conda"}
    versions = set(found.values())
    return found.get("linux-64") or (versions.pop() if len(versions) == 1 else None)


def _text(node: yamldoc.Node | None) -> str:
    return (node.str() or "") if isinstance(node, yamldoc.Scalar) else ""


def _items(node: yamldoc.Node | None) -> tuple[yamldoc.Node, ...]:
    return node.items if isinstance(node, yamldoc.Sequence) else ()


def _pairs(node: yamldoc.Node | None) -> Iterator[tuple[str, str]]:
    for entry in node.entries if isinstance(node, yamldoc.Mapping) else ():
        yield entry.name, _text(entry.value)


def _filename(url: str) -> str:
    return url.partition("#")[0].partition("?")[0].rpartition("/")[2]
