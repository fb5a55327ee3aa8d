"""Settings from file, environment and command line, as one typed value.

Precedence, strongest first: command line, ``DEPLOY_AUDIT_*`` variables, the closest configuration
file, defaults. ``exclude`` and ``ignore`` add up over these layers; everything else is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.catalog import Rule
    from auditor.source import Location

Profile = Literal["default", "strict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerFileIgnore:
    """Findings of these rules (ids, families or names) in files matching ``pattern`` are accepted."""

    pattern: str
    rules: tuple[str, ...]
    reason: str | None = None
    # Where it is written, when that is inside the audited root.
    at: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that steers an audit. Plain, hashable, picklable."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file_ignores: tuple[PerFileIgnore, ...] = ()
    # Severity overrides by rule id.
    severity: tuple[tuple[str, Severity], ...] = ()
    profile: Profile = "default"
    # The gate: None never fails on findings.
    fail_on: Severity | None = Severity.MEDIUM
    min_score: int | None = None
    target_python: str | None = None
    # An absolute path.
    baseline: str | None = None
    online: bool = False
    cache: bool = True
    allow_empty: bool = False
    # False: comments of the audited repository suppress nothing (``--isolated``).
    honour_comments: bool = True
    # The root as seen from the configuration file's directory ("" when they are the same).
    prefix: str = ""

    def enables(self, rule: Rule) -> bool:
        """Whether the rule is judged under this selection and profile."""
        raise NotImplementedError

    def excludes(self, path: str) -> bool:
        """Whether a file or directory (POSIX, relative to the root) is excluded."""
        raise NotImplementedError

    def severity_of(self, rule: Rule) -> Severity:
        """The rule's severity after overrides."""
        return dict(self.severity).get(rule.id, rule.severity)


def load(
    root: Path,
    *,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    isolated: bool = False,
) -> Settings:
    """The settings for an audit of ``root``; ConfigError on any mistake."""
    raise NotImplementedError
