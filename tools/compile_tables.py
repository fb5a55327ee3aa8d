"""Write ``servers.toml.json`` beside ``servers.toml``: the same table, parsed twenty times as fast.

Every audit that meets a command line reads it, and TOML would take 40 ms of its start. Run it
after each change of the table; a test compares the two.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

KNOWLEDGE = Path(__file__).resolve().parents[1] / "rules" / "knowledge"
TABLES = ("servers.toml",)


def main() -> None:
    """Compile every table that is worth it."""
    for name in TABLES:
        table = tomllib.loads((KNOWLEDGE / name).read_text("utf-8"))
        text = json.dumps(table, separators=(",", ":")) + "\n"
        (KNOWLEDGE / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()
