"""Forecasts against what really happened to small deployments (``tools/run_scenarios.py``)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Confidence
from auditor.result import AuditResult

TOOL = Path(__file__).parent.parent / "tools" / "run_scenarios.py"
STAGES = {"builds": "built", "starts": "started", "reachable": "reachable", "predicts": "predicts"}


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_scenarios", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOLS = _tool()
SCENARIOS: dict[str, dict[str, Any]] = {
    s["id"]: s for s in TOOLS.scenarios() if not s.get("pending")
}
TRUTH: dict[str, dict[str, Any]] = {
    row["id"]: row for row in map(json.loads, TOOLS.TRUTH.read_text("utf-8").splitlines())
}


AUDITED: dict[str, AuditResult] = {}


def _audit(name: str, tmp_path: Path) -> AuditResult:
    if name not in AUDITED:
        AUDITED[name] = audit(TOOLS.write(SCENARIOS[name], tmp_path / "repository"), Settings())
    return AUDITED[name]


def test_every_scenario_was_run() -> None:
    assert set(SCENARIOS) == set(TRUTH)


@pytest.mark.parametrize("name", SCENARIOS)
def test_kind_is_what_happened(name: str) -> None:
    truth = TRUTH[name]
    failed = any(truth[key] is False for key in (*STAGES.values(), "healthy"))
    assert failed is (SCENARIOS[name]["kind"] == "faulty")


@pytest.mark.parametrize("name", SCENARIOS)
def test_forecast_is_what_happened(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    if scenario.get("gap"):
        pytest.xfail(f"not seen yet: {scenario['gap']}")
    services = {s.name: s for s in _audit(name, tmp_path).services}
    service = services.get(scenario.get("service", "api")) or next(iter(services.values()))
    really = {
        stage: {True: "yes", False: "no", None: "no"}[TRUTH[name][key]]
        for stage, key in STAGES.items()
    }
    forecast = dict(service.forecast.answers())
    if scenario.get("page") and really["reachable"] == "yes":
        # It serves a page; there is nothing to post to.
        del really["predicts"], forecast["predicts"]
    really.update(dict.fromkeys(scenario.get("open", ()), "unknown"))
    assert forecast == really


@pytest.mark.parametrize("name", [n for n, t in TRUTH.items() if t["healthy"] is not None])
def test_health_is_what_happened(name: str, tmp_path: Path) -> None:
    if SCENARIOS[name].get("gap"):
        pytest.xfail(f"not seen yet: {SCENARIOS[name]['gap']}")
    rules = {f.rule for f in _audit(name, tmp_path).findings}
    assert bool(rules & {"IMG015", "NET006"}) is (TRUTH[name]["healthy"] is False)


@pytest.mark.parametrize("name", [n for n, s in SCENARIOS.items() if s["kind"] != "faulty"])
def test_nothing_is_said_to_break_what_works(name: str, tmp_path: Path) -> None:
    certain = [
        f
        for f in _audit(name, tmp_path).findings
        if f.breaks and f.confidence > Confidence.POSSIBLE
    ]
    assert not certain
