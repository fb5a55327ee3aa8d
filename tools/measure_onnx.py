"""Compare static-ness and runtime outcomes with executed truth, as confusion tables.

    python tools/measure_onnx.py DIRECTORY

The directory holds ``models/*.onnx``, ``labels.tsv`` (columns model, label, acceptable) and
``runtime.tsv`` (columns model, ort_version, opens, category).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.artifacts.scan import scan_file


def rows(path: Path) -> list[dict[str, str]]:
    """A tab-separated table without quoting."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    root: Path = arguments.directory
    facts = {}
    for path in sorted((root / "models").glob("*.onnx")):
        facts[path.stem] = scan_file(path, display_path=path.name)[0].onnx

    table: Counter[tuple[str, str]] = Counter()
    wrong = []
    right = strict = labelled = 0
    for row in rows(root / "labels.tsv"):
        if row["label"] == "none":
            continue
        found = facts[row["model"]]
        said: str = found.staticness if found is not None else "unreadable"
        labelled += 1
        strict += said == row["label"]
        table[row["label"], said] += 1
        if said in row["acceptable"].split("|"):
            right += 1
        else:
            wrong.append((row["model"], row["label"], said, row.get("responsible", "")))
    print(f"static-ness: {right} of {labelled} acceptable, {strict} exactly the label")
    for (label, said), number in sorted(table.items()):
        print(f"  {label:15} said {said:15} {number}")
    for item in wrong:
        print("  wrong:", *item)

    from auditor.artifacts.onnx.runtime import opens

    tables: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    misses = []
    for row in rows(root / "runtime.tsv"):
        found = facts[row["model"]]
        outcome: str = "fails"
        reasons: tuple[str, ...] = ("it is no ONNX model",)
        if found is not None:
            outcome, reasons = opens(found, row["ort_version"])
        tables[row["ort_version"]][row["opens"], outcome] += 1
        if (outcome in ("loads", "warns")) != (row["opens"] == "yes"):
            misses.append((row["model"], row["ort_version"], row["opens"], outcome, row["category"],
                           "; ".join(reasons)[:100], row["error"][-150:]))  # fmt: skip
    total: Counter[tuple[str, str]] = Counter()
    print("release   opens: loads unknown fails | refuses: loads unknown fails")
    for release, counts in tables.items():
        total.update(counts)
        cells = [
            counts[truth, said] + (counts[truth, "warns"] if said == "loads" else 0)
            for truth in ("yes", "no")
            for said in ("loads", "unknown", "fails")
        ]
        print(f"{release:8}", *cells)
    all_rows = sum(total.values())
    good = total["yes", "loads"] + total["yes", "warns"] + total["no", "fails"]
    unknown = total["yes", "unknown"] + total["no", "unknown"]
    print(f"opening: {good} of {all_rows} right ({good / all_rows:.2%}), {unknown} unknown")
    for miss in misses:
        print("  wrong:", *miss)


if __name__ == "__main__":
    main()
