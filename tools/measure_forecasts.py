"""Compare forecasts with what really happened, over a folder of deployments that were run.

The folder holds ``truth.jsonl`` and ``scenarios/<id>/repo``. A line of truth has ``id``,
``kind`` (faulty, healthy, trap, practice) and what was observed: ``build_ok``, ``starts``,
``reachable``, ``predict_ok`` (null when a stage was never reached).

    python tools/measure_forecasts.py FOLDER [--verbose] [--only ID ...]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.config import Settings
from auditor.engine import audit
from auditor.result import AuditResult

STAGES = ("builds", "starts", "reachable", "predicts")
OBSERVED = ("build_ok", "starts", "reachable", "predict_ok")


def first_failure(truth: dict[str, Any]) -> str | None:
    """The stage at which the deployment really failed; None when it worked."""
    for stage, key in zip(STAGES, OBSERVED, strict=True):
        if truth[key] is False:
            return stage
    return None


def forecast_of(result: AuditResult) -> tuple[str | None, str | None]:
    """(first stage forecast to fail, first stage left unknown) over the services built here."""
    services = [
        s
        for s in result.services
        if s.stage is not None or s.base is not None or dict(s.forecast.answers())["builds"] == "no"
    ]
    for index, stage in enumerate(STAGES):
        answers = [dict(s.forecast.answers())[stage] for s in services]
        if "no" in answers:
            return stage, None
        if "unknown" in answers or not answers:
            later = any(
                answer == "no" for s in services for _, answer in s.forecast.answers()[index + 1 :]
            )
            if not later:
                return None, stage
    return None, None


def main() -> int:
    """Print the table; exit status 1 when a deployment that works is forecast to fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in (arguments.folder / "truth.jsonl").open()]
    table: Counter[tuple[str, str]] = Counter()
    false_alarms = 0
    started = time.perf_counter()
    for truth in rows:
        if arguments.only and truth["id"] not in arguments.only:
            continue
        result = audit(arguments.folder / "scenarios" / truth["id"] / "repo", Settings())
        fails, unknown = forecast_of(result)
        real = first_failure(truth)
        if real is None:
            # A faulty deployment may still come up (a health check that never passes).
            verdict = "false alarm" if fails else ("unknown" if unknown else "right")
        elif fails == real:
            verdict = "right"
        elif fails:
            verdict = "wrong stage"
        else:
            verdict = "unknown" if unknown else "missed"
        false_alarms += verdict == "false alarm"
        table[truth["kind"], verdict] += 1
        if arguments.verbose or verdict not in ("right", "unknown"):
            print(f"{truth['id']:26} {truth['kind']:9} truth={real} forecast={fails} {verdict}")
            for service in result.services:
                print(
                    f"    {service.name}: {' '.join(f'{k}={v}' for k, v in service.forecast.answers())}"
                )
                for stage, reason in service.forecast.unresolved:
                    print(f"      ? {stage}: {reason}")
            for finding in result.findings:
                if finding.breaks:
                    print(f"      {finding.rule} {finding.at} {finding.message[:150]}")
            if truth.get("error"):
                print(f"      really: {truth['error'][:150]}")
    verdicts = ("right", "wrong stage", "missed", "unknown", "false alarm")
    print(f"\n{'kind':10}" + "".join(f"{v:>13}" for v in verdicts))
    for kind in sorted({k for k, _ in table}):
        print(f"{kind:10}" + "".join(f"{table[kind, v]:13}" for v in verdicts))
    print(f"{sum(table.values())} deployments in {time.perf_counter() - started:.1f} s")
    return 1 if false_alarms else 0


if __name__ == "__main__":
    raise SystemExit(main())
