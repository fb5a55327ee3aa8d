"""Files that say which Python a project is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auditor.source import Location, Problem, SourceText

Form = Literal[".python-version", "runtime.txt", ".tool-versions", "Pipfile", "workflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonVersion:
    """A declared interpreter. ``version`` is numeric (``3.11`` or ``3.11.4``), with ``rc1`` and
    the like kept; ``implementation`` is ``cpython`` unless the file says otherwise.
    """

    version: str
    at: Location
    form: Form
    implementation: str = "cpython"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonVersionFile:
    """All versions of one file, in its order (the first is the default where that matters)."""

    path: str
    versions: tuple[PythonVersion, ...] = ()
    problems: tuple[Problem, ...] = ()


def detect(path: str) -> Form | None:
    """Which form a path is, by its name."""
    raise NotImplementedError


def parse(source: SourceText, form: Form | None = None) -> PythonVersionFile:
    """Read a declaration; never raises."""
    raise NotImplementedError
