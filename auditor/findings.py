"""What an audit says: findings, their severity, their places, their fixes."""

from __future__ import annotations

import enum
from typing import Any

from auditor.source import Location
from auditor.values import field, value


class Severity(enum.IntEnum):
    """How much it hurts; the weights follow OpenSSF Scorecard."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def weight(self) -> float:
        """Points in the score's sums."""
        return (0.0, 2.5, 5.0, 7.5, 10.0)[self]

    @property
    def label(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Severity:
        """The severity of that name; ValueError when there is none."""
        try:
            return cls[text.upper()]
        except KeyError:
            names = ", ".join(s.label for s in reversed(cls))
            raise ValueError(f"unknown severity {text!r}; one of {names}") from None


class Confidence(enum.IntEnum):
    """How sure the evidence makes us."""

    POSSIBLE = 0
    LIKELY = 1
    CERTAIN = 2

    @property
    def label(self) -> str:
        return self.name.lower()


class Stage(enum.IntEnum):
    """The four forecasts, in the order in which a deployment meets them."""

    BUILDS = 0
    STARTS = 1
    REACHABLE = 2
    PREDICTS = 3

    @property
    def label(self) -> str:
        return self.name.lower()


@value(kw_only=False)
class Related:
    """The other end of a disagreement."""

    at: Location
    message: str


@value(kw_only=False)
class Edit:
    """Replace the span by text; an empty span inserts."""

    at: Location
    text: str


@value
class Fix:
    """Edits that make the finding go away; ``safe`` ones are applied by ``fix --write``."""

    description: str
    edits: tuple[Edit, ...] = ()
    safe: bool = False


@value
class Suppression:
    """Why a finding is accepted: ``by`` is ``comment``, ``config`` or ``baseline``."""

    by: str
    reason: str | None = None


@value
class Finding:
    """One thing that will go wrong, at one place."""

    rule: str
    name: str
    category: str
    severity: Severity
    confidence: Confidence
    message: str
    at: Location
    related: tuple[Related, ...] = ()
    evidence: tuple[tuple[str, Any], ...] = ()
    help: str = ""
    fix: Fix | None = None
    # The forecasts it turns to "no", as (service name, stage); empty when it breaks none.
    breaks: tuple[tuple[str, Stage], ...] = ()
    fingerprint: str = ""
    suppressed: Suppression | None = None

    @property
    def sort_key(self) -> tuple[Any, ...]:
        return (self.at, -self.severity, self.rule, self.message)


@value
class Undecided:
    """A link that a check could not resolve; ``blocks`` are the forecasts it leaves unknown."""

    rule: str
    reason: str
    at: Location | None = None
    blocks: tuple[tuple[str, Stage], ...] = ()


@value(kw_only=False)
class Passed:
    """The rule had something to judge and found nothing wrong."""

    rule: str


@value
class RuleOutcome:
    """What one rule came to over the whole audit (see ``scoring``)."""

    rule: str
    findings: int = 0
    passed: int = 0
    undecided: int = 0
    reasons: tuple[str, ...] = field(default=())
