"""``setup.py`` and ``setup.cfg`` read without executing anything."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.parsers.pyproject import Declared, Group
from auditor.parsers.requirements import Requirement
from auditor.source import Location, Problem, SourceText, Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupFacts:
    """What ``setup()`` or ``setup.cfg`` declares.

    ``dependencies`` is Unknown when the list is computed; ``reads`` are the files it is computed
    from as far as that is visible (paths relative to the file's directory).
    """

    path: str
    name: Declared | None = None
    version: Declared | None = None
    requires_python: Declared | Unknown | None = None
    dependencies: tuple[Requirement, ...] | Unknown = ()
    groups: tuple[Group, ...] = ()
    setup_requires: tuple[Requirement, ...] = ()
    reads: tuple[Declared, ...] = ()
    calls_setup: bool = False
    at: Location | None = None
    problems: tuple[Problem, ...] = ()


def parse_setup_py(source: SourceText) -> SetupFacts:
    """Facts of the ``setup()`` call; never raises."""
    raise NotImplementedError


def parse_setup_cfg(source: SourceText) -> SetupFacts:
    """Facts of ``[metadata]``, ``[options]`` and ``[options.extras_require]``; never raises."""
    raise NotImplementedError
