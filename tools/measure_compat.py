"""Compare what the linker says with what really happened when artifacts were loaded.

The folder holds ``producers.tsv`` (artifact, env, object, serializer, …), one or more tables of
loads (artifact, consumer_env, outcome, message, …, cause) and ``envs/<id>.json`` (python, the
installed distributions, which project modules are importable). Outcomes: ``ok`` is *loads*,
``ok_version_warning`` is *warns*, everything else is *fails*; where a prediction merely differs,
*warns* is right too.

    python tools/measure_compat.py FOLDER [--table dev.tsv] [--cause] [--wrong N] [--sample K]
"""

from __future__ import annotations

import argparse
import csv
import json
import pickle
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.artifacts.facts import ArtifactFacts
from auditor.artifacts.scan import scan_file
from auditor.linking.compatibility import Runtime, link
from auditor.linking.distributions import close
from auditor.linking.projects import ProjectModule, project_module

OUTCOMES = ("loads", "warns", "fails", "unknown")


def loader_of(serializer: str) -> str:
    """The loader that the consumers used for it."""
    kind = serializer.partition("@")[0]
    if kind.startswith("torch"):
        return "torch" if kind in ("torch-default", "torchscript") else "torch-full"
    if kind.startswith(("save", "keras", "skops", "npy")):
        return "auto"
    if kind.startswith("joblib"):
        return "joblib"
    return {"dill": "dill", "topickle": "pandas"}.get(kind, "pickle")


def truth_of(outcome: str) -> tuple[str, ...]:
    """The answers that count as right."""
    if outcome == "ok":
        return ("loads",)
    if outcome == "ok_version_warning":
        return ("warns",)
    if outcome.startswith("predict_differs"):
        return ("fails", "warns")
    return ("fails",)


def runtimes(folder: Path) -> dict[str, Runtime]:
    """What each environment of the study offers."""
    found: dict[str, Runtime] = {}
    for path in sorted((folder / "envs").glob("*.json")):
        data = json.loads(path.read_text())
        roots = [
            (name.lower().replace("_", "-"), (), version) for name, version in data["dists"].items()
        ]
        project: dict[str, ProjectModule] = {}
        if data["project"] != "none":
            for module in sorted((folder / f"proj_{data['project']}").glob("*.py")):
                project[module.stem] = project_module(module.read_text())
        found[data["id"]] = Runtime(
            python=data["python"],
            installed=close(roots, python=data["python"], closed=True),
            project=project,
        )
    return found


def scan(folder: Path, names: list[str], cache: Path | None) -> dict[str, ArtifactFacts]:
    """Facts about every artifact, kept between runs when a cache is named."""
    if cache is not None and cache.exists():
        kept: dict[str, ArtifactFacts] = pickle.loads(cache.read_bytes())
        return kept
    facts = {n: scan_file(folder / "artifacts" / n, display_path=n)[0] for n in names}
    if cache is not None:
        cache.write_bytes(pickle.dumps(facts))
    return facts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", default="dev.tsv")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--wrong", type=int, default=0, help="show so many groups of wrong answers")
    parser.add_argument("--unknown", type=int, default=0, help="show so many groups of unknowns")
    parser.add_argument("--cause", default="", help="only cells of this cause")
    parser.add_argument("--producer", default="", help="only artifacts whose name starts so")
    parser.add_argument("--sample", type=int, default=1, help="only every so many-th cell")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    with (folder / "producers.tsv").open() as file:
        made = {row["artifact"]: row for row in csv.DictReader(file, delimiter="\t")}
    with (folder / arguments.table).open() as file:
        cells = list(csv.DictReader(file, delimiter="\t"))
    cells = cells[:: arguments.sample]
    facts = scan(folder, sorted({c["artifact"] for c in cells}), arguments.cache)
    targets = runtimes(folder)
    confusion: Counter[tuple[str, str]] = Counter()
    causes: dict[str, Counter[str]] = defaultdict(Counter)
    wrong: Counter[tuple[str, ...]] = Counter()
    unknown: Counter[tuple[str, ...]] = Counter()
    example: dict[Any, str] = {}
    started = time.perf_counter()
    right = 0
    done = 0
    for cell in cells:
        if arguments.cause and arguments.cause not in cell["cause"]:
            continue
        if not cell["artifact"].startswith(arguments.producer):
            continue
        done += 1
        row = made[cell["artifact"]]
        said = link(
            facts[cell["artifact"]],
            targets[cell["consumer_env"]],
            loader=loader_of(row["serializer"]),
        )
        truth = truth_of(cell["outcome"])
        if (row["kind"] == "xgboost" or "xgb" in row["object"].lower()) and truth[0] in (
            "loads",
            "warns",
        ):
            # XGBoost prints its warning once per process: which load saw it is chance.
            truth = ("loads", "warns") if truth[0] == "loads" else ("warns", "loads")
        shown = truth[0] if said.outcome not in truth else said.outcome
        confusion[shown, said.outcome] += 1
        right += said.outcome in truth
        causes[cell["cause"]][
            "unknown"
            if said.outcome == "unknown"
            else ("right" if said.outcome in truth else f"said {said.outcome}")
        ] += 1
        reason = said.reasons[0].message if said.reasons else ""
        key = (
            row["object"],
            shown,
            said.outcome,
            cell["cause"],
            cell["message"][:90],
            reason[:140],
        )
        if said.outcome == "unknown":
            unknown[key] += 1
        elif said.outcome not in truth:
            wrong[key] += 1
        example[key] = f"{cell['artifact']} in {cell['consumer_env']}"
    seconds = time.perf_counter() - started
    print(f"{'truth / said':>12}" + "".join(f"{o:>9}" for o in OUTCOMES))
    for truth_name in OUTCOMES[:3]:
        counts = "".join(f"{confusion[truth_name, said]:>9}" for said in OUTCOMES)
        print(f"{truth_name:>12}{counts}")
    open_cells = sum(n for (_, said), n in confusion.items() if said == "unknown")
    decided = done - open_cells
    print(
        f"{done} cells in {seconds:.1f} s; right {right / max(decided, 1):.4f} of decided; "
        f"unknown {open_cells / max(done, 1):.4f}; "
        f"said loads but fails {confusion['fails', 'loads']}"
    )
    print("per cause:")
    for cause, counts_of in sorted(causes.items(), key=lambda kv: -sum(kv[1].values())):
        total = sum(counts_of.values())
        bad = {k: v for k, v in counts_of.items() if k != "right"}
        print(f"  {total:6} {counts_of['right'] / total:6.3f} {cause:40} {bad or ''}")
    for title, table, limit in (
        ("wrong", wrong, arguments.wrong),
        ("unknown", unknown, arguments.unknown),
    ):
        for labels, count in table.most_common(limit):
            print(
                f"{title} {count:4} {' | '.join(map(str, labels))}\n          e.g. {example[labels]}"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
