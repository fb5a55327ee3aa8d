"""The repositories under ``fixtures/``: what is found in each, reviewed line by line, and what
must hold for any of them.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import auditor.discovery.walk
from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Severity
from auditor.result import AuditResult

ROOT = Path(__file__).parents[1] / "fixtures"
NAMES = sorted(p.name for p in ROOT.iterdir() if p.is_dir() and p.name != "guide")
HEALTHY = sorted(name for name in NAMES if name.startswith("healthy-"))


def copy(name: str, target: Path) -> Path:
    """Outside of this checkout, so that its ignore rules and configuration play no part."""
    shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target / name


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AuditResult]:
    root = tmp_path_factory.mktemp("fixtures")
    return {name: audit(copy(name, root), Settings()) for name in NAMES}


def summary(result: AuditResult) -> str:
    lines = [f"{f.rule} {f.severity.label} {f.confidence.label} {f.at}" for f in result.active]
    lines.append("")
    for service in result.services:
        answers = " ".join(f"{stage}={answer}" for stage, answer in service.forecast.answers())
        lines.append(f"{service.name}: {answers}")
        rules = {f.fingerprint: f"{f.rule} {f.at.path}" for f in result.findings}
        lines += [f"  because {rules[mark]}" for mark in service.forecast.because]
        lines += [f"  open: {stage}: {why}" for stage, why in service.forecast.unresolved]
    score = result.score
    lines += ["", f"score {score.value} grade {score.grade} level {score.level}"]
    return "\n".join(lines)


def test_there_are_enough() -> None:
    assert len(NAMES) >= 8
    assert {"churn-fastapi", "healthy-fastapi", "mlops-monorepo", "vision-uv"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_found(name: str, audits: dict[str, AuditResult], snapshot: Any) -> None:
    assert summary(audits[name]) == snapshot


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_ones_are_called_healthy(name: str, audits: dict[str, AuditResult]) -> None:
    result = audits[name]
    assert [f for f in result.active if f.severity >= Severity.MEDIUM] == []
    assert result.score.grade == "A"
    for service in result.services:
        assert {answer for _, answer in service.forecast.answers()} == {"yes"}


def test_the_demonstration_shows_several_families(audits: dict[str, AuditResult]) -> None:
    result = audits["churn-fastapi"]
    assert 8 <= len(result.active) <= 18
    assert {f.rule[:3] for f in result.active} >= {"ART", "ENV", "IMG", "NET", "OPS", "PTH"}
    (service,) = result.services
    assert service.forecast.builds == "yes"
    assert service.forecast.starts == "no"
    assert service.forecast.because


@pytest.mark.parametrize("name", NAMES)
def test_places_exist(name: str, audits: dict[str, AuditResult]) -> None:
    for finding in audits[name].findings:
        for at in (finding.at, *(related.at for related in finding.related)):
            file = ROOT / name / at.path
            assert file.exists(), at
            if not file.is_file() or b"\0" in file.read_bytes():
                continue
            lines = file.read_text().split("\n")
            assert 1 <= at.line <= at.end_line <= len(lines), at
            assert 1 <= at.column <= len(lines[at.line - 1]) + 1, at
            assert 1 <= at.end_column <= len(lines[at.end_line - 1]) + 1, at


@pytest.mark.parametrize("name", NAMES)
def test_fingerprints_are_unique_and_reasons_are_findings(
    name: str, audits: dict[str, AuditResult]
) -> None:
    marks = [f.fingerprint for f in audits[name].findings]
    assert all(marks)
    assert len(set(marks)) == len(marks)
    for service in audits[name].services:
        assert set(service.forecast.because) <= set(marks)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_crashed_and_nothing_was_skipped(name: str, audits: dict[str, AuditResult]) -> None:
    assert audits[name].skipped == ()
    assert not [f for f in audits[name].findings if f.rule == "CFG004"]


class _Shuffled:
    """``os.scandir`` in another order."""

    def __init__(self, path: Any, seed: int) -> None:
        with _scandir(path) as entries:
            self.entries = list(entries)
        random.Random(seed).shuffle(self.entries)

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return iter(self.entries)

    def __enter__(self) -> _Shuffled:
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...


_scandir = os.scandir


@pytest.mark.parametrize("name", NAMES)
def test_neither_order_nor_repetition_matters(
    name: str, audits: dict[str, AuditResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copy(name, tmp_path)
    seed = iter(range(1_000_000))
    monkeypatch.setattr(
        auditor.discovery.walk.os, "scandir", lambda path=".": _Shuffled(path, next(seed))
    )
    again = audit(root, Settings())
    first = audits[name]
    assert again.findings == first.findings
    assert again.services == first.services
    assert again.environments == first.environments
    assert again.artifacts == first.artifacts
    assert again.score == first.score
    assert again.graph == first.graph


# What a person does with the demonstration's findings, one after the other.
REPAIRS = [
    ("PTH001", "Dockerfile", "COPY models ./app/models", "COPY models ./models"),
    ("NET001", "Dockerfile", '"--port"', '"--host", "0.0.0.0", "--port"'),
    ("NET002", "Dockerfile", "EXPOSE 80", "EXPOSE 8000"),
    ("IMG004", "Dockerfile", "EXPOSE", "USER 1000\nEXPOSE"),
    ("ENV001", "requirements.txt", "uvicorn[standard]", "uvicorn[standard]==0.29.0"),
    ("ENV001", "requirements.txt", "scikit-learn>=1.2", "scikit-learn==1.3.2"),
    ("ENV001", "requirements.txt", "pandas", "pandas==2.1.4"),
    (
        "OPS001",
        "docker-compose.yml",
        "    restart:",
        "    logging: {driver: local}\n    restart:",
    ),
    ("OPS009", "docker-compose.yml", "    restart:", "    mem_limit: 1g\n    restart:"),
    (
        "SRV004",
        "docker-compose.yml",
        "    restart:",
        '    healthcheck: {test: [CMD, python, -c, "import app"]}\n    restart:',
    ),
]


def test_mending_never_costs(audits: dict[str, AuditResult], tmp_path: Path) -> None:
    root = copy("churn-fastapi", tmp_path)
    before = audits["churn-fastapi"]
    for rule, path, old, new in REPAIRS:
        file = root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        after = audit(root, Settings())
        assert _count(after, rule) == _count(before, rule) - 1, rule
        assert after.score.value is not None
        assert before.score.value is not None
        # Pinning what was open uncovers that nothing locks the rest: a finding of less weight.
        fresh = {f.rule for f in after.active} - {f.rule for f in before.active}
        assert fresh <= {"ENV002"}
        assert after.score.value >= before.score.value, rule
        before = after
    (service,) = before.services
    # What is left is the pickle itself: it names a function of the training script.
    assert service.forecast.starts == "no"
    assert {f.rule for f in before.active if f.breaks} == {"CMP007"}


def _count(result: AuditResult, rule: str) -> int:
    return sum(f.rule == rule for f in result.active)


@pytest.mark.parametrize("name", NAMES)
def test_model_files_are_real_and_small(name: str, audits: dict[str, AuditResult]) -> None:
    for artifact in audits[name].artifacts:
        assert artifact.size <= 100_000
        assert artifact.verdict in ("safe", "suspicious")


def test_locks_name_no_index() -> None:
    for path in ROOT.rglob("*"):
        if path.name.endswith((".lock", ".txt")):
            for line in path.read_text().splitlines():
                if "://" in line and "git+" not in line:
                    assert "://index.invalid/" in line
