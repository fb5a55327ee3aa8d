"""Lock files of every tool, read into one type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from auditor.parsers.requirements import Requirement
from auditor.source import Location, Problem, SourceText

LockKind = Literal["uv", "poetry", "pdm", "pipenv", "pylock", "pip-compile", "conda-lock"]
SourceKind = Literal["registry", "git", "url", "path", "editable", "virtual", "conda"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSource:
    """Where a locked package comes from; ``rev`` is the commit of a ``git`` source."""

    kind: SourceKind
    value: str = ""
    rev: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedEdge:
    """A dependency of a locked package; ``version`` where the lock names one of several."""

    name: str
    marker: str = ""
    extras: tuple[str, ...] = ()
    specifier: str = ""
    version: str | None = None
    # Only when the depending package was asked for with this extra.
    extra: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRoot:
    """A direct requirement that the lock recorded; ``group``/``extra`` empty for the main set."""

    name: str
    specifier: str = ""
    marker: str = ""
    extras: tuple[str, ...] = ()
    group: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the lock installs in one environment. ``undecided`` names could not be told."""

    packages: tuple[LockedPackage, ...]
    undecided: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, str | None]:
        """Version by normalised name."""
        return {p.name: p.version for p in self.packages}


@dataclass(frozen=True, slots=True, kw_only=True)
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
        raise NotImplementedError

    def find(self, name: str) -> tuple[LockedPackage, ...]:
        """The locked versions of a name (normalised here)."""
        raise NotImplementedError

    def select(
        self,
        python_version: str,
        platform: str = "linux",
        *,
        groups: Iterable[str] = (),
        extras: Iterable[str] = (),
        machine: str = "x86_64",
    ) -> Selection:
        """What would be installed: ``python_version`` is ``3.11`` or ``3.11.4``."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A source requirement that the lock does not meet."""

    kind: Literal["missing", "unsatisfied"]
    requirement: Requirement
    locked: LockedPackage | None
    message: str


def disagreements(lock: Lock, requirements: Iterable[Requirement]) -> tuple[Disagreement, ...]:
    """Direct requirements absent from the lock, or locked at a version they exclude (ENV009)."""
    raise NotImplementedError


def detect(path: str) -> LockKind | None:
    """The kind of lock by file name; None when the name is not one of a lock."""
    raise NotImplementedError


def parse(source: SourceText, kind: LockKind | None = None) -> Lock:
    """Read a lock; never raises. ``kind`` defaults to what the file name says."""
    raise NotImplementedError


def marker_environment(
    python_version: str, platform: str = "linux", machine: str = "x86_64"
) -> Mapping[str, str]:
    """The PEP 508 environment of CPython on that platform (``linux``, ``darwin``, ``win32``)."""
    raise NotImplementedError
