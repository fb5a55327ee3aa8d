"""``.env`` files as Compose reads them, and ``${VAR}`` interpolation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from auditor.source import Location, Problem, SourceText, Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One assignment. ``value`` is None for a bare ``NAME`` (taken from the host)."""

    name: str
    value: str | Unknown | None
    at: Location
    # The part of the line that is the value, quotes included.
    value_at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class DotenvFacts:
    path: str
    variables: tuple[Variable, ...] = ()
    problems: tuple[Problem, ...] = ()


def parse(source: SourceText, *, lookup: Callable[[str], str | None] | None = None) -> DotenvFacts:
    """Read a ``.env`` file; ``lookup`` gives variables known before it."""
    raise NotImplementedError
