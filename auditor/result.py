"""The result of an audit as plain, immutable, serialisable values: what every report reads.

The shapes mirror the JSON contract (``--format json``); ``reports.json`` only spells them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from auditor.findings import Finding, RuleOutcome, Undecided
from auditor.values import field, value

if TYPE_CHECKING:
    from auditor.rehearsal.observed import Rehearsal

Answer = Literal["yes", "no", "unknown"]


@value
class Forecast:
    """What will happen to one service; ``because`` holds fingerprints of the findings that say no."""

    builds: Answer = "unknown"
    starts: Answer = "unknown"
    reachable: Answer = "unknown"
    predicts: Answer = "unknown"
    because: tuple[str, ...] = ()
    # The links that stayed open, in words, for the "unknown" answers: (stage, reason).
    unresolved: tuple[tuple[str, str], ...] = ()

    def answers(self) -> tuple[tuple[str, Answer], ...]:
        """(stage, answer) in the order in which a deployment meets the stages."""
        return (
            ("builds", self.builds),
            ("starts", self.starts),
            ("reachable", self.reachable),
            ("predicts", self.predicts),
        )


@value
class Listen:
    """An address a server binds. ``host``/``port`` are None when unknown."""

    host: str | None
    port: int | None
    path: str | None
    line: int | None


@value
class MissingLibrary:
    """A shared object or program that the image lacks."""

    soname_or_binary: str
    package_needing_it: str
    apt: str | None = None
    apk: str | None = None


@value
class ServiceReport:
    """One service as the audit understood it."""

    name: str
    forecast: Forecast
    observed: Forecast | None = None
    image: str | None = None
    stage: str | None = None
    python: str | None = None
    base: str | None = None
    distro: str | None = None
    user: str | None = None
    workdir: str | None = None
    command: tuple[str, ...] | None = None
    listens: tuple[Listen, ...] = ()
    exposed: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    system_packages: tuple[str, ...] = ()
    missing_system_libraries: tuple[MissingLibrary, ...] = ()


@value
class RequirementReport:
    name: str
    specifier: str
    pinned: bool
    locked_version: str | None
    path: str
    line: int


@value
class EnvironmentReport:
    """A set of distributions installed together, and the interpreter that runs them."""

    name: str
    python: str | None
    requirements: tuple[RequirementReport, ...]
    locked: bool
    hashed: bool


@value
class CompatibilityReport:
    """What happens when an artifact is loaded in an environment."""

    environment: str
    outcome: Literal["loads", "warns", "fails", "unknown"]
    reasons: tuple[str, ...] = ()


@value
class ArtifactReport:
    """One artifact as judged from its bytes."""

    path: str
    format: str
    container: str | None
    size: int
    sha256: str | None
    verdict: Literal["safe", "suspicious", "dangerous", "unreadable"]
    globals: tuple[str, ...] = ()
    protocol: int | None = None
    produced_by: tuple[tuple[str, str], ...] = ()
    requires: tuple[tuple[str, str], ...] = ()
    feature_names: tuple[str, ...] | None = None
    compatibility: tuple[CompatibilityReport, ...] = ()
    onnx: Mapping[str, Any] | None = None


@value
class Deduction:
    """Points of the 0-100 scale that one rule costs."""

    rule: str
    points: float
    count: int


@value
class CategoryScore:
    name: str
    value: int | None
    grade: str | None
    deductions: tuple[Deduction, ...] = ()
    # The sums behind the value: weight of passed checks, and weight lost by failed ones.
    earned: float = 0.0
    lost: float = 0.0
    # Why the value is lower than the deductions alone would give.
    cap: str | None = None


@value
class Score:
    """Production readiness. ``value``/``grade`` are None when there is nothing to deploy."""

    value: int | None = None
    grade: str | None = None
    level: int | None = None
    categories: tuple[CategoryScore, ...] = ()
    earned: float = 0.0
    lost: float = 0.0
    # Why the grade is lower than the value alone would give ("critical finding ART001").
    cap: str | None = None
    checks_applied: int = 0
    checks_total: int = 0
    # What stands in the way of the next level: (rule id or reason, in words), most effective first.
    next_level: tuple[tuple[str, str], ...] = ()
    # While open links leave the level unknown: what the lowest rung that fails needs in any case.
    rung: int | None = None
    needs: tuple[tuple[str, str], ...] = ()


@value
class Skipped:
    """Something that was not read, and why."""

    path: str
    reason: str


@value
class Stats:
    files: int = 0
    bytes: int = 0
    seconds: float = 0.0


@value
class AuditResult:
    """Everything one audit found."""

    root: str
    score: Score
    findings: tuple[Finding, ...] = ()
    services: tuple[ServiceReport, ...] = ()
    environments: tuple[EnvironmentReport, ...] = ()
    artifacts: tuple[ArtifactReport, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    stats: Stats = Stats()
    outcomes: tuple[RuleOutcome, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    # Rules whose check crashed, with the error: the audit is then not complete.
    crashed: tuple[tuple[str, str], ...] = ()
    # Source lines that reports quote, by (path, line); filled for every finding and its other ends.
    quotes: Mapping[tuple[str, int], str] = field(default_factory=dict)
    # What building and running the deployment showed, where that was asked for.
    rehearsal: Rehearsal | None = None
    # The deployment as Mermaid text, for ``graph`` and the HTML report.
    graph: str = ""

    @property
    def active(self) -> tuple[Finding, ...]:
        """Findings that nobody accepted."""
        return tuple(f for f in self.findings if f.suppressed is None)
