"""``fixtures/guide``: for each row of the deployment guide that operations answer to, one repository with the
fault, one without it, and one where something other than the code solves it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Severity
from auditor.result import AuditResult

ROOT = Path(__file__).parents[1] / "fixtures" / "guide"
# The rules that answer to a row.
ROWS = {
    "2.1": {"SRV005"},
    "3.1": {"SRV001", "SRV002", "SRV003", "SRV004"},
    "4.2": {"OPS005", "OPS006"},
    "4.3": {"OPS007"},
    "5.3": {"OPS001", "OPS002", "OPS003", "OPS004"},
}
VARIANTS = ("fault", "sound", "unusual")


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], AuditResult]:
    root = tmp_path_factory.mktemp("guide")
    shutil.copytree(ROOT, root / "guide", ignore=shutil.ignore_patterns("__pycache__"))
    return {
        (row, variant): audit(root / "guide" / row / variant, Settings())
        for row in ROWS
        for variant in VARIANTS
    }


@pytest.mark.parametrize("row", ROWS)
def test_the_fault_is_reported(row: str, audits: dict[tuple[str, str], AuditResult]) -> None:
    assert {f.rule for f in audits[row, "fault"].findings} & ROWS[row] == ROWS[row]


@pytest.mark.parametrize("variant", ["sound", "unusual"])
@pytest.mark.parametrize("row", ROWS)
def test_without_the_fault_nothing_is_said(
    row: str, variant: str, audits: dict[tuple[str, str], AuditResult]
) -> None:
    result = audits[row, variant]
    assert [f"{f.rule} {f.message}" for f in result.findings if f.rule in ROWS[row]] == []
    # Judged, and found right: not merely passed over.
    judged = {o.rule for o in result.outcomes if o.passed}
    assert judged & ROWS[row] or result.services[0].forecast.starts != "no"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("row", ROWS)
def test_what_else_is_found(
    row: str, variant: str, audits: dict[tuple[str, str], AuditResult], snapshot: Any
) -> None:
    result = audits[row, variant]
    lines = [
        f"{f.rule} {f.severity.label} {f.at}"
        for f in result.active
        if f.severity >= Severity.MEDIUM or f.rule.startswith(("SRV", "OPS"))
    ]
    for service in result.services:
        answers = " ".join(f"{stage}={answer}" for stage, answer in service.forecast.answers())
        lines.append(f"{service.name}: {answers}")
    assert "\n".join([*lines, f"level {result.score.level}"]) == snapshot
