"""GitHub workflow commands: annotations on the lines of a pull request, one command per line."""

from __future__ import annotations

from auditor.findings import Severity
from auditor.reports import Options
from auditor.reports.digest import Group, groups, line_ranges, plural, verdicts
from auditor.reports.escape import workflow_data, workflow_property
from auditor.result import AuditResult

_COMMAND = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.INFO: "notice",
}


def render(result: AuditResult, options: Options) -> str:
    """One command per group that nobody accepted, worst first: GitHub shows ten of a kind."""
    lines = [_command(group) for group in groups(result.active)]
    found = verdicts(result)
    if found:
        told = ", ".join(f"{number} {verdict}" for verdict, number in found.items())
        lines.append(f"::notice title=deploy-audit::{workflow_data(f'artifacts: {told}')}")
    score = result.score
    if score.value is not None:
        level = "unknown" if score.level is None else f"{score.level} of 3"
        summary = f"score {score.value}/100, grade {score.grade}, level {level}"
        lines.append(f"::notice title=deploy-audit::{workflow_data(summary)}")
    return "".join(f"{line}\n" for line in lines)


def _command(group: Group) -> str:
    finding = group.first
    at = finding.at
    properties = {"file": at.path, "line": str(at.line), "endLine": str(at.end_line)}
    if at.end_line == at.line:  # columns are refused for spans over several lines
        properties |= {"col": str(at.column), "endColumn": str(max(at.end_column, at.column))}
    properties["title"] = f"{finding.rule} {finding.name}"
    message = finding.message + (f"\nhelp: {finding.help}" if finding.help else "")
    if len(group.findings) > 1:
        lines = line_ranges(other.at.line for other in group.findings)
        message += f"\n{plural(len(group.findings), 'place')} in this file: {lines}"
    for related in finding.related:
        message += f"\n{related.at.path}:{related.at.line}: {related.message}"
    given = ",".join(f"{name}={workflow_property(value)}" for name, value in properties.items())
    return f"::{_COMMAND[group.severity]} {given}::{workflow_data(message)}"
