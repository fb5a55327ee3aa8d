"""Rehearse small deployments whose outcome is on record, and compare.

    python tools/measure_rehearsal.py FOLDER [--only ID ...] [--out FILE]      (needs an engine)

FOLDER has ``truth.jsonl`` (``id``, ``build_ok``, ``starts``, ``reachable``, ``predict_ok``; what
follows a failed stage is null) and ``scenarios/ID/repo``. A deployment starts, is reachable and
predicts when the service that is asked does, and starts when all of its services do.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from auditor.config import Settings
from auditor.engine import deployment_of
from auditor.rehearsal import engine
from auditor.rehearsal.journal import Run
from auditor.rehearsal.observed import Rehearsal
from auditor.rehearsal.rehearse import Options, rehearse

STAGES = ("build_ok", "starts", "reachable", "predict_ok")
NAMES = ("builds", "starts", "reachable", "predicts")


def outcome(seen: Rehearsal) -> tuple[dict[str, str], str]:
    """The four answers for the whole deployment, and the first cause."""
    answers = {}
    for name in NAMES:
        found = [s.answer(name) for s in seen.services] or ["unknown"]
        if name in ("builds", "starts"):
            worst = "no" if "no" in found else "unknown" if "unknown" in found else "yes"
            answers[name] = worst
        else:
            answers[name] = "yes" if "yes" in found else "no" if "no" in found else "unknown"
    causes = [c for s in seen.services for c in (s.cause, s.reach_cause, s.predict_cause) if c]
    return answers, causes[0].error or causes[0].text if causes else ""


def agrees(truth: dict[str, Any], answers: dict[str, str], stage: str, name: str) -> bool:
    """Whether the answer is what is on record; after a failed stage everything is a no."""
    recorded = truth[stage]
    return answers[name] == ("yes" if recorded else "no")


def main() -> int:
    """Rehearse them all and print where the two disagree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    client = engine.connect()
    builder = engine.builder(client)
    right: Counter[str] = Counter()
    total = 0
    begun = time.monotonic()
    for line in (arguments.folder / "truth.jsonl").read_text("utf-8").splitlines():
        truth = json.loads(line)
        if arguments.only and truth["id"] not in arguments.only:
            continue
        root = arguments.folder / "scenarios" / truth["id"] / "repo"
        deployment = deployment_of(root, Settings())
        # Layers stay from one deployment to the next: most share them.
        with Run(client, keep_layers=True) as run:
            seen = rehearse(
                run,
                builder,
                deployment,
                Options(drills=False, inside=False, artifacts=False),
                say=lambda text: None,
            )
        answers, cause = outcome(seen)
        total += 1
        wrong = []
        for stage, name in zip(STAGES, NAMES, strict=True):
            if agrees(truth, answers, stage, name):
                right[name] += 1
            else:
                wrong.append(f"{name}: {answers[name]}, on record {truth[stage]}")
        row = {"id": truth["id"], **answers, "cause": cause, "recorded": truth["error"][:200]}
        if arguments.out:
            with arguments.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**row, "wrong": wrong}) + "\n")
        print(
            f"{truth['id']:24} {'ok' if not wrong else '; '.join(wrong)}  {cause[:100]}", flush=True
        )
    said = ", ".join(f"{name} {right[name]}/{total}" for name in NAMES)
    print(f"{said}; {time.monotonic() - begun:.0f} s")
    return 0 if all(right[name] == total for name in NAMES) else 1


if __name__ == "__main__":
    sys.exit(main())
