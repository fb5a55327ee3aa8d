"""Today's findings on record, so that only new ones fail (``--baseline``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.findings import Finding

VERSION = 1
DEFAULT_NAME = ".deploy-audit-baseline.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One accepted finding. Only the fingerprint is compared; the rest is for people."""

    fingerprint: str
    rule: str
    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    entries: tuple[Entry, ...] = ()


def record(findings: Iterable[Finding]) -> Baseline:
    """The active findings as a baseline, in a stable order."""
    raise NotImplementedError


def dump(baseline: Baseline) -> str:
    """The baseline as JSON text that diffs well."""
    raise NotImplementedError


def load(path: Path) -> Baseline:
    """Read a baseline of this or an older version; BaselineError otherwise."""
    raise NotImplementedError


def apply(findings: Iterable[Finding], baseline: Baseline) -> tuple[Finding, ...]:
    """The findings, with those on record suppressed ``by="baseline"``."""
    raise NotImplementedError
