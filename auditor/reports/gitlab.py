"""GitLab Code Quality: a JSON array of issues, for the merge request widget."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from auditor.findings import Finding, Severity
from auditor.reports import Options
from auditor.reports.escape import one_line, wellformed
from auditor.result import AuditResult

_SEVERITY = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}


def render(result: AuditResult, options: Options) -> str:
    """The findings that nobody accepted; the fingerprints are unique, as GitLab demands."""
    issues = []
    used: set[str] = set()
    for finding in result.active:
        issue = _issue(finding)
        number = 1
        while issue["fingerprint"] in used:
            number += 1
            text = f"{finding.fingerprint}:{number}"
            issue["fingerprint"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        used.add(issue["fingerprint"])
        issues.append(issue)
    return json.dumps(issues, indent=2, ensure_ascii=True) + "\n"


def _issue(finding: Finding) -> dict[str, Any]:
    return {
        "description": one_line(finding.message),
        "check_name": one_line(f"{finding.rule} {finding.name}"),
        "fingerprint": wellformed(finding.fingerprint),
        "severity": _SEVERITY[finding.severity],
        "location": {
            "path": wellformed(finding.at.path),
            "lines": {"begin": finding.at.line, "end": finding.at.end_line},
        },
    }
