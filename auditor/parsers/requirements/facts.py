"""What a requirements file holds: requirements, includes, options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.parsers.requirements.markers import evaluate_marker, normalise, specifier_set_of
from auditor.source import Location, Problem, SourceText
from auditor.values import value

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


@value
class Vcs:
    """A version-control reference; ``is_commit`` when ``rev`` is a full commit hash."""

    scheme: str
    url: str
    rev: str | None = None
    is_commit: bool = False
    subdirectory: str | None = None


@value
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
    # Some of them are options (``--hash``): one behind a URL's ``#`` asks nothing of other lines.
    hash_options: bool = False
    editable: bool = False
    constraint: bool = False
    options: tuple[tuple[str, str], ...] = ()
    comment: str = ""
    name_at: Location | None = None
    specifier_at: Location | None = None
    # Why a current pip refuses it, empty when it does not (older pips took legacy specifiers).
    rejected: str = ""
    # What a compiler wrote beside it: depending distributions, or ``-r FILE``.
    via: tuple[str, ...] = ()

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
        for clause in self.specifier.strip("() \t").split(","):
            match = _PIN.fullmatch(clause)
            if match and (match[1] == "===" or not match[2].endswith("*")) and "$" not in match[2]:
                return match[2]
        return None

    @property
    def likely_name(self) -> str:
        """The name, or what the last part of the URL or path suggests; empty when nothing does."""
        if self.name:
            return self.name
        text = (self.vcs.url if self.vcs else self.url) or self.path or ""
        last = text.partition("#")[0].partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
        if self.vcs:
            return last.removesuffix(".git")
        match = _SDIST.fullmatch(last)
        return match[1] if match else ""

    @property
    def specifier_set(self) -> SpecifierSet | None:
        """The specifier as ``packaging`` sees it; None for legacy ones it rejects."""
        return specifier_set_of(self.specifier)

    def allows(self, version: str) -> bool | None:
        """Whether the specifier admits this version; None when one of the two is not PEP 440.

        Pre-releases count as admitted: the question is asked of versions that somebody chose.
        """
        if not self.specifier:
            return True
        specifiers = self.specifier_set
        if specifiers is None:
            return None
        from packaging.version import InvalidVersion, Version

        try:
            return specifiers.contains(Version(version), prereleases=True)
        except InvalidVersion:
            return None

    def applies(self, environment: Mapping[str, str]) -> bool | None:
        """Whether the marker holds; None when it needs a variable ``environment`` lacks."""
        return evaluate_marker(self.marker, environment)


@value
class Include:
    """``-r`` or ``-c``: ``target`` as written, ``path`` relative to the root (None for a URL)."""

    target: str
    path: str | None
    constraint: bool
    at: Location


@value
class Option:
    """A global option in its long spelling (``--index-url``); ``value`` is None for a flag."""

    name: str
    value: str | None
    at: Location


@value
class CompiledBy:
    """The tool that wrote the file, as its own comments say."""

    tool: Producer
    at: Location
    sources: tuple[str, ...] = ()
    python: str | None = None
    # False when there is no header and only the shape of the file tells.
    certain: bool = True


@value
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
        """Pip's hash-checking mode is on: ``--require-hashes``, or any line has ``--hash``."""
        return any(o.name == "--require-hashes" for o in self.options) or any(
            r.hash_options for r in self.requirements
        )


@value
class ResolvedRequirements:
    """Several files read as one ``pip install -r`` reads them, includes followed."""

    files: tuple[RequirementsFile, ...]
    requirements: tuple[Requirement, ...]
    constraints: tuple[Requirement, ...]
    options: tuple[Option, ...]
    problems: tuple[Problem, ...]


_PIN = re.compile(r"\s*(===?)\s*([^\s,;]+)\s*")
_SDIST = re.compile(r"(.+?)-v?\d[^-]*\.(?:tar\.gz|tgz|zip|tar\.bz2|tar\.xz)")
