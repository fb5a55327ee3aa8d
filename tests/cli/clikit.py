"""Findings and results for the tests of the command line."""

from auditor.findings import Confidence, Finding, Severity
from auditor.result import AuditResult, EnvironmentReport, Score
from auditor.source import Location


def finding(
    severity: Severity = Severity.HIGH, *, rule: str = "ENV001", line: int = 1, **more: object
) -> Finding:
    return Finding(
        rule=rule,
        name="unpinned-requirement",
        category="reproducible environment",
        severity=severity,
        confidence=Confidence.CERTAIN,
        message="numpy is not pinned",
        at=Location("requirements.txt", line, 1, line, 6),
        fingerprint=f"{rule}-{line}",
        **more,  # type: ignore[arg-type]
    )


ENVIRONMENT = EnvironmentReport(
    name="requirements.txt", python=None, requirements=(), locked=False, hashed=False
)


def result(*findings: Finding, score: int | None = 90, empty: bool = False) -> AuditResult:
    return AuditResult(
        root=".",
        score=Score(value=None if empty else score),
        findings=findings,
        environments=() if empty else (ENVIRONMENT,),
        graph="flowchart LR",
    )
