"""CFG: what the audit itself was told, and what it could not read.

CFG001 to CFG003 come from ``suppressions``, which sees the comments.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.catalog import Rule
from auditor.checks.img import interpreter, refused_sources
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment
from auditor.findings import Severity


@check("CFG004")
def unreadable_file(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A file that could not be read as what it is."""
    reported = {p.at.path for image in deployment.images for p in image.dockerfile.problems}
    reported |= {p.at.path for e in deployment.environments for p in e.problems if not p.beyond}
    for service in deployment.services:
        if python := interpreter(service):
            reported |= {refused.at.path for refused, _ in refused_sources(service, python)}
    seen: set[str] = set()
    for problem in deployment.problems:
        path = problem.at.path
        if path in reported or path in seen:
            continue
        if path.endswith(".ipynb") and not problem.fatal:
            # A cell of shell commands or pseudo-code: notebooks are not what runs.
            continue
        seen.add(path)
        yield rule.finding(
            problem.at,
            f"{path} could not be read completely: {problem.message}",
            severity=_severity(path, fatal=problem.fatal),
        )
    if not seen:
        yield rule.passed()


def _severity(path: str, *, fatal: bool) -> Severity | None:
    """Source that cannot be parsed may never run; a deployment file that cannot is a blind spot."""
    if not fatal:
        return Severity.INFO
    return None if path.endswith((".py", ".ipynb", ".md", ".sh")) else Severity.MEDIUM
