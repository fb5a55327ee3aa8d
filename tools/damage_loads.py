#!/usr/bin/env python3
"""Damage artifacts of a matrix, load them for real, and compare with what the linker says.

    python tools/damage_loads.py FOLDER ENVIRONMENT --python VENV/bin/python [--every N] [--seed S]

The base artifacts of one environment (each its own way of writing, none above 200 KB) are flipped,
cut, zeroed, swapped, doubled; each variant is loaded and asked by that environment's interpreter
(``compat_matrix/damaged.py``), and judged here from its bytes alone. Shown are the counts, and the
variants that are said to load and fail, those whose answers only differ apart: a changed number in
an array that nothing else in the file tells of cannot be known. FOLDER is a matrix such as
``make_compat_matrix.py`` makes; the loads are kept in ``--table``, and not done again.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE / "compat_matrix"))

from damaged import damaged  # type: ignore[import-not-found]  # noqa: E402
from measure_compat import loader_of, runtimes  # noqa: E402

from auditor.artifacts.scan import scan_bytes  # noqa: E402
from auditor.linking.compatibility import link  # noqa: E402

LARGEST = 200_000


def chosen(folder: Path, environment: str, every: int) -> list[tuple[Path, str]]:
    """(artifact, writer) of the environment's own, whole ones."""
    with (folder / "producers.tsv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file, delimiter="\t")
            if row["env"] == environment
            and "@" not in row["serializer"]
            and int(row["size"]) <= LARGEST
        ]
    rows.sort(key=lambda row: row["artifact"])
    return [(folder / "artifacts" / r["artifact"], r["serializer"]) for r in rows[::every]]


def load(python: Path, listing: Path, table: Path, project: Path, seed: str, turns: int) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(project)}
    worker = str(HERE / "compat_matrix" / "damaged.py")
    draft = table.with_suffix(".part")
    subprocess.run(
        [str(python), worker, str(listing), str(draft), seed, str(turns)],
        env=environment,
        check=True,
    )
    draft.rename(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("environment")
    parser.add_argument("--python", type=Path, required=True, help="the environment's interpreter")
    parser.add_argument("--table", type=Path, default=Path("build/damaged.tsv"))
    parser.add_argument("--every", type=int, default=1, help="only every so many-th artifact")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--show", type=int, default=40)
    arguments = parser.parse_args()
    folder, table = arguments.folder.resolve(), arguments.table.resolve()
    table.parent.mkdir(parents=True, exist_ok=True)
    target = runtimes(folder)[arguments.environment]
    if not table.exists():
        listing = table.with_suffix(".list")
        some = chosen(folder, arguments.environment, arguments.every)
        listing.write_text("".join(f"{path}\t{writer}\n" for path, writer in some))
        project = folder / ("proj_v2" if _project(folder, arguments.environment) else "proj_v1")
        load(arguments.python, listing, table, project, arguments.seed, arguments.turns)
    counts: Counter[tuple[str, str]] = Counter()
    shown = []
    for line in table.read_text().splitlines():
        path, writer, spec, outcome, message = line.split("\t")
        data = damaged(Path(path).read_bytes(), spec)
        facts = scan_bytes(data, Path(path).name)[0]
        said = link(facts, target, loader=loader_of(writer))
        truth = {"ok": "loads", "predict_differs": "differs"}.get(outcome, "fails")
        counts[truth, said.outcome] += 1
        if said.outcome in ("loads", "warns") and truth != "loads":
            shown.append((truth != "fails", truth, Path(path).name, spec, outcome, message[:110]))
    for (truth, told), count in sorted(counts.items()):
        print(f"{count:6} {truth}, said {told}")
    for _, *row in sorted(shown)[: arguments.show]:
        print(" | ".join(row))
    return 0


def _project(folder: Path, environment: str) -> bool:
    """Whether the second form of the project's modules is importable there."""
    text = (folder / "envs" / f"{environment}.json").read_text()
    return '"project": "v2"' in text


if __name__ == "__main__":
    sys.exit(main())
