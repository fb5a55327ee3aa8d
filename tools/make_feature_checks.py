"""Generate ``rules/knowledge/feature_checks.json``: who notices other columns than it was fitted on.

``observe_feature_checks.py`` runs in each environment given (virtual environments that hold the
releases), fits every estimator on three named columns and predicts with others; the letters say
what happened: e raises, w warns of the names, d answers otherwise, s answers the same.

    python tools/make_feature_checks.py ENVIRONMENT…
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "rules" / "knowledge" / "feature_checks.json"
OWNERS = {"sklearn": "scikit-learn", "xgboost": "xgboost", "lightgbm": "lightgbm",
          "catboost": "catboost"}  # fmt: skip


def observed(environment: Path) -> dict[str, Any]:
    """What the script said inside one environment."""
    script = Path(__file__).with_name("observe_feature_checks.py")
    done = subprocess.run(
        [environment / "bin" / "python", "-W", "ignore", script],
        capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def main() -> None:
    releases: dict[str, dict[str, dict[str, str]]] = {}
    cases: list[str] = []
    for argument in sys.argv[1:]:
        found = observed(Path(argument))
        cases = found["cases"]
        for module, version in found["versions"].items():
            rows = {
                name: letters
                for name, letters in sorted(found["rows"].items())
                if name.partition(".")[0] == module
            }
            releases.setdefault(OWNERS[module], {})[version] = rows
    table: dict[str, Any] = {}
    for owner, versions in sorted(releases.items()):
        table[owner] = {}
        for version, rows in sorted(versions.items(), key=lambda v: _numbers(v[0])):
            if not rows:
                continue
            # What most do is said once; a class that was not tried is not listed at all.
            usual = Counter(rows.values()).most_common(1)[0][0]
            table[owner][version] = {
                "usual": usual,
                "classes": " ".join(n for n, letters in rows.items() if letters == usual),
                "others": {n: letters for n, letters in rows.items() if letters != usual},
            }
    text = {
        "source": "observed by tools/observe_feature_checks.py in the releases named",
        "cases": cases,
        "letters": "e raises, w warns, d answers otherwise, s answers the same",
        "releases": table,
    }
    TABLE.write_text(json.dumps(text, indent=1) + "\n", "utf-8")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(p) for p in version.split(".") if p.isdigit())


if __name__ == "__main__":
    main()
