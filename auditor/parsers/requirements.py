"""Requirements files as pip reads them: logical lines, options, requirements, with their places.

The rules are those of pip's "Requirements File Format" and of PEP 508 (dependency specifiers);
where the two differ pip's behaviour is followed, since pip is what builds the image. Nothing here
looks at the file system: other files come through a callable. ``packaging`` is imported only for
lines that need it (markers, several clauses, URLs): most lines are ``name==1.2.3``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from auditor.source import Location, Problem, SourceText

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

Reader = Callable[[str], SourceText | None]
"""Given a path relative to the root, the file's text, or None when there is no such file."""

Producer = Literal[
    "pip-compile",
    "uv pip compile",
    "pip freeze",
    "poetry export",
    "pdm export",
    "uv export",
    "pipenv requirements",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vcs:
    """A version-control reference; ``is_commit`` when ``rev`` is a full commit hash."""

    scheme: str
    url: str
    rev: str | None = None
    is_commit: bool = False
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One dependency, however it was declared.

    ``name`` is as written, empty when nothing names the distribution (a bare path or URL);
    ``key`` is the normalised name (PEP 503). ``specifier`` and ``marker`` are as written, empty
    when absent. ``hashes`` are ``algorithm:hex``. ``at`` spans the requirement without its
    options; ``name_at``/``specifier_at`` the parts, None when they do not stand in the text.
    """

    name: str
    at: Location
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    url: str | None = None
    vcs: Vcs | None = None
    path: str | None = None
    hashes: tuple[str, ...] = ()
    editable: bool = False
    constraint: bool = False
    options: tuple[tuple[str, str], ...] = ()
    comment: str = ""
    name_at: Location | None = None
    specifier_at: Location | None = None

    @property
    def key(self) -> str:
        """The normalised name."""
        return normalise(self.name)

    @property
    def is_pinned(self) -> bool:
        """Exactly one version can satisfy it: ``==X.Y`` without ``*``, or ``===``."""
        return self.pinned_version is not None

    @property
    def pinned_version(self) -> str | None:
        """The version of ``==``/``===``; None when the specifier leaves a choice."""
        raise NotImplementedError

    @property
    def specifier_set(self) -> SpecifierSet | None:
        """The specifier as ``packaging`` sees it; None for legacy ones it rejects."""
        raise NotImplementedError

    def allows(self, version: str) -> bool | None:
        """Whether the specifier admits this version; None when one of the two is not PEP 440."""
        raise NotImplementedError

    def applies(self, environment: Mapping[str, str]) -> bool | None:
        """Whether the marker holds; None when it needs a variable ``environment`` lacks."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """``-r`` or ``-c``: ``target`` as written, ``path`` relative to the root (None for a URL)."""

    target: str
    path: str | None
    constraint: bool
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A global option in its long spelling (``--index-url``); ``value`` is None for a flag."""

    name: str
    value: str | None
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledBy:
    """The tool that wrote the file, as its own comments say."""

    tool: Producer
    at: Location
    sources: tuple[str, ...] = ()
    python: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsFile:
    """One requirements file on its own: what it names and which files it leads to."""

    path: str
    requirements: tuple[Requirement, ...] = ()
    includes: tuple[Include, ...] = ()
    options: tuple[Option, ...] = ()
    compiled_by: CompiledBy | None = None
    # Variables (``${TOKEN}``) that pip would take from its environment, with their places.
    variables: tuple[tuple[str, Location], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def requires_hashes(self) -> bool:
        """Pip's hash-checking mode is on: ``--require-hashes``, or any line has a hash."""
        return any(o.name == "--require-hashes" for o in self.options) or any(
            r.hashes for r in self.requirements
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRequirements:
    """Several files read as one ``pip install -r`` reads them, includes followed."""

    files: tuple[RequirementsFile, ...]
    requirements: tuple[Requirement, ...]
    constraints: tuple[Requirement, ...]
    options: tuple[Option, ...]
    problems: tuple[Problem, ...]


def normalise(name: str) -> str:
    """The name under which an index knows the distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse(source: SourceText) -> RequirementsFile:
    """One file; never raises. Lines that pip rejects become problems with pip's reason."""
    raise NotImplementedError


def resolve(path: str, read: Reader) -> ResolvedRequirements:
    """Follow ``-r`` and ``-c`` from ``path``; cycles and missing files are problems."""
    raise NotImplementedError


def parse_requirement(
    text: str,
    locate: Callable[[int, int], Location],
    *,
    editable: bool = False,
    pip_forms: bool = True,
) -> Requirement | Problem:
    """One requirement, such as an argument of ``pip install`` or an entry of an array.

    ``locate(start, end)`` says where characters of ``text`` stand. With ``pip_forms`` bare URLs,
    paths and VCS references are accepted; without, only PEP 508.
    """
    raise NotImplementedError
