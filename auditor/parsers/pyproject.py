"""``pyproject.toml``: dependencies of every dialect, with the places of the strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auditor.parsers.requirements import Requirement
from auditor.source import Location, Problem, SourceText, Unknown


_UNDECIDED = Unknown("nothing says whether the project is published")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A scalar and where it stands (``requires-python``, a project name, …)."""

    value: str
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """An extra or a dependency group; ``requirements`` has the included groups' too.

    ``kind``: ``extra`` is published with the project; ``group`` (PEP 735, Poetry, PDM, uv) is not.
    ``optional`` groups are only installed when asked for (Poetry ``optional = true``).
    """

    name: str
    kind: Literal["extra", "group"]
    requirements: tuple[Requirement, ...]
    at: Location
    includes: tuple[str, ...] = ()
    optional: bool = False
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSource:
    """Where a dependency is to come from (``tool.uv.sources``, Poetry ``source``/``git``/``path``)."""

    name: str
    kind: Literal["git", "path", "url", "workspace", "index"]
    value: str
    rev: str | None
    at: Location
    editable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A package index that the file adds."""

    name: str | None
    url: str
    default: bool
    at: Location
    explicit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One reason to think the project is a library to be published, or an application."""

    kind: Literal["library", "application"]
    reason: str
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class PyprojectFacts:
    """What one ``pyproject.toml`` declares.

    ``requires_python`` is a PEP 440 specifier (Poetry's ``^3.11`` is converted, see ``value``).
    ``dynamic`` are the fields computed at build time. ``manager`` is the tool that installs it
    (``poetry``, ``pdm``, ``uv``), None when nothing says.
    """

    path: str
    has_project: bool = False
    name: Declared | None = None
    version: Declared | None = None
    requires_python: Declared | None = None
    dynamic: tuple[str, ...] = ()
    dependencies: tuple[Requirement, ...] = ()
    groups: tuple[Group, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    overrides: tuple[Requirement, ...] = ()
    build_requires: tuple[Requirement, ...] = ()
    build_backend: Declared | None = None
    manager: str | None = None
    tools: tuple[str, ...] = ()
    sources: tuple[PackageSource, ...] = ()
    indexes: tuple[Index, ...] = ()
    signals: tuple[Signal, ...] = ()
    is_library: bool | Unknown = _UNDECIDED
    # Files that dynamic dependencies are read from (``tool.setuptools.dynamic``), in order.
    dynamic_files: tuple[Declared, ...] = ()
    problems: tuple[Problem, ...] = ()

    def group(self, name: str, kind: str | None = None) -> Group | None:
        """The extra or group of that (normalised) name."""
        raise NotImplementedError


def parse(source: SourceText) -> PyprojectFacts:
    """Read the file; never raises. Broken TOML is one fatal problem with its line."""
    raise NotImplementedError
