"""Whole reports, reviewed like code. After a wanted change: ``pytest --snapshot-update``."""

from __future__ import annotations

import pytest
from report_samples import options, sample

from auditor.reports import render
from auditor.result import AuditResult, Score


@pytest.mark.parametrize(
    ("format", "given"),
    [
        ("console", {}),
        ("console", {"verbose": True, "width": 100}),
        ("console", {"quiet": True}),
        ("console", {"encoding": "ascii", "explain_score": True, "width": 60}),
        ("console", {"color": True}),
        ("markdown", {}),
        ("sarif", {}),
        ("json", {}),
        ("junit", {}),
        ("gitlab", {}),
        ("github", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "default",
)
def test_report(format, given, snapshot):
    assert render(format, sample(), options(**given)) == snapshot


@pytest.mark.parametrize("format", ["console", "markdown", "json"])
def test_report_of_nothing(format, snapshot):
    empty = AuditResult(root=".", score=Score())
    assert render(format, empty, options(gate=None)) == snapshot
