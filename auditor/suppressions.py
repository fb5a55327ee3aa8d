"""Findings that somebody accepted, by a comment in the file or by ``per-file-ignores``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.catalog import Rule
    from auditor.config import Settings
    from auditor.findings import Finding
    from auditor.source import SourceText


def apply(
    findings: Iterable[Finding],
    texts: Mapping[str, SourceText],
    settings: Settings,
    rules: Mapping[str, Rule] | None = None,
) -> tuple[Finding, ...]:
    """The findings with ``suppressed`` set where accepted, plus CFG findings about suppressions.

    ``texts`` are the text files that were read, by path; ``rules`` defaults to the catalogue.
    """
    raise NotImplementedError
