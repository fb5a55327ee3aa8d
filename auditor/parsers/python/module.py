"""One file of Python source as facts: imports, definitions, calls, the Python it needs."""

from __future__ import annotations

from auditor.parsers.python.facts import ModuleFacts
from auditor.source import SourceText


def parse(source: SourceText, *, notebook: bool | None = None) -> ModuleFacts:
    """Read one file. A path ending in ``.ipynb`` is read as a notebook unless told otherwise.

    Never raises: what cannot be parsed becomes a fatal ``Problem`` and empty facts.
    """
    raise NotImplementedError
