"""The command line against an engine and reports that answer what a test tells them to."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from clikit import result

import auditor.reports
from auditor.__main__ import main
from auditor.config import Settings
from auditor.result import AuditResult


class Engine:
    """What the fake engine answers, and what it was asked."""

    def __init__(self) -> None:
        self.answer: AuditResult | BaseException | Callable[[], AuditResult] = result()
        self.asked: list[tuple[Path, Settings]] = []

    def audit(self, root: Path, settings: Settings) -> AuditResult:
        self.asked.append((root, settings))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer if isinstance(self.answer, AuditResult) else self.answer()

    @property
    def settings(self) -> Settings:
        return self.asked[-1][1]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    fake = Engine()
    module = ModuleType("auditor.engine")
    module.audit = fake.audit  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "auditor.engine", module)

    def render(format: str, result: AuditResult, options: SimpleNamespace) -> str:
        rules = " ".join(f.rule for f in result.findings)
        return f"<{format} color={options.color} {rules} {options.gate.text}>\n"

    for name, value in {
        "render": render,
        "FORMATS": ("console", "json", "sarif", "html"),
        "Options": SimpleNamespace,
        "Gate": SimpleNamespace,
    }.items():
        monkeypatch.setattr(auditor.reports, name, value, raising=False)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return fake


@pytest.fixture
def run(engine: Engine, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        out, err = capfd.readouterr()
        return status, out, err

    return call
