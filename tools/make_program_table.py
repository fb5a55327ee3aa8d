"""Record the programs that every Debian image has, whatever was made of it.

    python tools/make_program_table.py [IMAGE ...]     (needs an engine)

Lists what stands in the directories of ``PATH`` of each image and writes those that all of them
have to ``rules/knowledge/minbase.json``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

TABLE = Path(__file__).parent.parent / "rules" / "knowledge" / "minbase.json"
IMAGES = (
    "debian:bookworm-slim",
    "debian:trixie-slim",
    "python:3.8-slim-bookworm",
    "python:3.10-slim-trixie",
    "python:3.12-slim-bookworm",
    "python:3.12-slim-trixie",
)


def programs(image: str) -> set[str]:
    """What a container of the image finds below ``/usr/bin``, ``/usr/sbin``, ``/bin``, ``/sbin``."""
    command = ("docker", "run", "--rm", "--entrypoint", "find", image)
    where = ("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/", "-maxdepth", "1", "-printf", "%f\\n")
    done = subprocess.run([*command, *where], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def main() -> None:
    """Write the table."""
    images = sys.argv[1:] or list(IMAGES)
    shared = set.intersection(*map(programs, images))
    table = {
        "generator": "tools/make_program_table.py",
        "source": f"the file systems of {', '.join(images)}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "programs": sorted(name for name in shared if name.isascii() and "." not in name),
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    print(len(table["programs"]), "programs")


if __name__ == "__main__":
    main()
