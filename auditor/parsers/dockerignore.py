"""``.dockerignore`` with the semantics of Docker's builders (moby/patternmatcher).

Unlike git: a pattern without a slash matches at the root only, the last matching pattern
wins, and ``!`` brings back files below a directory that an earlier pattern excluded.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.source import Location, Problem, SourceText


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One line. ``text`` is as written; ``cleaned`` what is matched (``!`` taken off)."""

    text: str
    cleaned: str
    negated: bool
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreMatch:
    """The pattern that excludes a path, and the path or parent of it that the pattern matched."""

    pattern: Pattern
    matched: str

    @property
    def at(self) -> Location:
        return self.pattern.at


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerIgnore:
    path: str
    patterns: tuple[Pattern, ...]
    problems: tuple[Problem, ...]

    def match(self, path: str) -> IgnoreMatch | None:
        """Why the path (POSIX, relative to the context) is left out, or None when it is sent."""
        raise NotImplementedError

    def may_include_below(self, path: str) -> bool:
        """Whether an excluded directory may still hold files that a ``!`` pattern brings back."""
        raise NotImplementedError


def parse(source: SourceText) -> DockerIgnore:
    """Read a ``.dockerignore``. A malformed pattern is a problem (the build would stop)."""
    raise NotImplementedError
