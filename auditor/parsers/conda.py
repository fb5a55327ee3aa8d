"""Conda: ``environment.yml`` and explicit spec lists."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.parsers.pyproject import Declared
from auditor.parsers.requirements import Include, Option, Requirement
from auditor.source import Location, Problem, SourceText


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaSpec:
    """A conda match specification: ``channel::name=version=build`` and its other spellings.

    ``version`` is the constraint as written without the leading ``=`` of a fuzzy match;
    ``exact`` is ``==1.2.3`` or ``=1.2.3=build`` (or an explicit URL): one version can match.
    ``fuzzy`` is ``=1.2`` (matches 1.2.*).
    """

    name: str
    at: Location
    channel: str | None = None
    version: str = ""
    build: str = ""
    exact: bool = False
    fuzzy: bool = False
    url: str | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaEnvironment:
    """One ``environment.yml`` (or ``@EXPLICIT`` list, ``explicit=True``)."""

    path: str
    name: Declared | None = None
    channels: tuple[Declared, ...] = ()
    dependencies: tuple[CondaSpec, ...] = ()
    python: CondaSpec | None = None
    pip: tuple[Requirement, ...] = ()
    pip_includes: tuple[Include, ...] = ()
    pip_options: tuple[Option, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    prefix: Declared | None = None
    explicit: bool = False
    platform: str | None = None
    problems: tuple[Problem, ...] = ()


def parse_environment(source: SourceText) -> CondaEnvironment:
    """``environment.yml``; never raises."""
    raise NotImplementedError


def parse_explicit(source: SourceText) -> CondaEnvironment:
    """A spec list (``conda list --explicit`` or ``--export``); never raises."""
    raise NotImplementedError


def parse_spec(text: str, at: Location) -> CondaSpec | Problem:
    """One match specification."""
    raise NotImplementedError
