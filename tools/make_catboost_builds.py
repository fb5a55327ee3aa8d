"""Generate ``rules/knowledge/catboost_builds.json``: which build each CatBoost release is.

A model names the commit and the revision that its library was built from, seldom the version.
Given the ``site-packages`` folders of environments that have CatBoost, the same text is read out
of its compiled module; nothing is imported. What the table has stays in it.

    python tools/make_catboost_builds.py SITE_PACKAGES ...
"""

from __future__ import annotations

import argparse
import json
import mmap
import re
from pathlib import Path

KNOWLEDGE = Path(__file__).resolve().parent.parent / "rules" / "knowledge"
TARGET = KNOWLEDGE / "catboost_builds.json"


def build(module: Path) -> tuple[str, int] | None:
    """(commit, revision) of a compiled module, None where it does not say."""
    with (
        module.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        at = data.find(b"Git info:")
        text = data[at : at + 1000].decode("utf-8", "replace") if at >= 0 else ""
    commit = re.search(r"Commit: ([0-9a-f]{40})", text)
    revision = re.search(r"Last Changed Rev: (\d+)", text)
    return (commit[1], int(revision[1])) if commit and revision else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    found: dict[str, list[str | int]] = {}
    if TARGET.exists():
        found = json.loads(TARGET.read_text())["builds"]
    for folder in parser.parse_args().folders:
        for metadata in folder.glob("catboost-*.dist-info"):
            version = metadata.name.removesuffix(".dist-info").partition("-")[2]
            for module in (folder / "catboost").glob("_catboost*.so"):
                stated = build(module)
                if stated is not None:
                    found[version] = list(stated)
    ordered = sorted(found.items(), key=lambda row: tuple(map(int, row[0].split("."))))
    document = {
        "generator": "tools/make_catboost_builds.py",
        "source": "the compiled modules of the releases",
        "builds": dict(ordered),
    }
    TARGET.write_text(json.dumps(document, indent=1) + "\n")
    print(*found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
