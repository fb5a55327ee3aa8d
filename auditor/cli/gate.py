"""Passed or failed: the exit status of an audit as a pure function of its result."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from auditor.errors import ExitStatus
from auditor.values import value

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.result import AuditResult


@value(kw_only=False)
class Decision:
    """The exit status and the reason for it, in words."""

    status: ExitStatus
    text: str

    @property
    def passed(self) -> bool:
        return self.status is ExitStatus.PASSED

    @property
    def sentence(self) -> str:
        """The decision on its own line."""
        if self.status is ExitStatus.INCOMPLETE:
            return self.text
        return f"{'passed' if self.passed else 'failed'}: {self.text}"


def is_empty(result: AuditResult) -> bool:
    """Whether nothing was found that deploys, installs or loads anything."""
    judged = result.services or result.environments or result.artifacts or result.findings
    return result.score.value is None and not judged


def decide(result: AuditResult, settings: Settings) -> Decision:
    """Judge a result by ``fail_on``, ``min_score`` and ``allow_empty``."""
    if is_empty(result):
        text = "nothing to audit: no Dockerfile, manifest, requirements or model files were found"
        if settings.allow_empty:
            return Decision(ExitStatus.PASSED, text)
        return Decision(ExitStatus.INCOMPLETE, text)
    if result.crashed:
        rules = ", ".join(sorted({rule for rule, _ in result.crashed}))
        return Decision(
            ExitStatus.INCOMPLETE, f"the audit is not complete: the check of {rules} crashed"
        )
    reasons = []
    if settings.fail_on is not None:
        failing = Counter(f.severity for f in result.active if f.severity >= settings.fail_on)
        if failing:
            counts = ", ".join(f"{failing[s]} {s.label}" for s in sorted(failing, reverse=True))
            reasons.append(f"{counts} (the gate is {settings.fail_on.label})")
    value = result.score.value
    if settings.min_score is not None and value is not None and value < settings.min_score:
        reasons.append(f"score {value} is below {settings.min_score}")
    if reasons:
        return Decision(ExitStatus.FINDINGS, "; ".join(reasons))
    gate = "never fails" if settings.fail_on is None else f"no finding of {settings.fail_on.label}"
    above = " or above" if settings.fail_on is not None and settings.fail_on < 4 else ""
    return Decision(ExitStatus.PASSED, f"{gate}{above}")
