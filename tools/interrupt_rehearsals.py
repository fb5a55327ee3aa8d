"""Interrupt rehearsals at random moments and look for anything left behind.

    python tools/interrupt_rehearsals.py REPOSITORY [--times 20] [--seed N]     (needs an engine)

Each rehearsal gets SIGINT or SIGTERM after a random time; every fifth is killed outright, and
``--clean`` has to remove what it left. Fails when a container, network, volume, image or
temporary file of a rehearsal is found afterwards.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from auditor.rehearsal import engine
from auditor.rehearsal.journal import HOME_LABEL, home_id, state_directory


def left(client: Any) -> list[str]:
    """Everything of this state directory's runs that is there."""
    filters = {"label": [f"{HOME_LABEL}={home_id(state_directory())}"]}
    found = [f"container {c['Names']}" for c in client.containers(all=True, filters=filters)]
    found += [f"network {n['Name']}" for n in client.networks(filters=filters)]
    found += [f"volume {v['Name']}" for v in client.volumes(filters=filters)["Volumes"] or ()]
    found += [f"image {i['RepoTags']}" for i in client.images(all=True, filters=filters)]
    found += [f"journal {p.name}" for p in state_directory().glob("*.jsonl")]
    return found


def temporary() -> set[str]:
    """Temporary directories of rehearsals."""
    return {str(p) for p in Path(os.environ["TMPDIR"]).glob("deploy-audit-*")}


def interrupted(repository: Path, after: float, number: signal.Signals) -> int:
    """Start a rehearsal, interrupt it, and give its exit status."""
    command = [
        sys.executable, "-m", "auditor", "rehearse", str(repository), "--quiet", "--format", "json",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    return process.wait(180)


def main() -> int:
    """Interrupt, look, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--longest", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    if not arguments.repository.is_dir():
        parser.error(f"{arguments.repository} is no directory: nothing would be interrupted")
    chance = random.Random(arguments.seed)
    client = engine.connect()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="interruptions-") as state:
        os.environ["XDG_STATE_HOME"] = state
        os.environ["TMPDIR"] = str(Path(state, "tmp"))
        Path(state, "tmp").mkdir()
        before = temporary()
        for index in range(arguments.times):
            kill = index % 5 == 4
            number = signal.SIGKILL if kill else chance.choice([signal.SIGINT, signal.SIGTERM])
            after = chance.uniform(0.2, arguments.longest)
            begun = time.monotonic()
            status = interrupted(arguments.repository, after, number)
            took = time.monotonic() - begun - after
            if kill:
                subprocess.run(
                    [sys.executable, "-m", "auditor", "rehearse", "--clean", "--quiet"], check=True
                )
            found = left(client) + sorted(temporary() - before)
            failed += bool(found)
            said = "; ".join(found) or "nothing left"
            print(
                f"{number.name} after {after:4.1f} s, ended {max(took, 0):.1f} s later: {status}, {said}",
                flush=True,
            )
    print(f"{arguments.times - failed} of {arguments.times} interruptions left nothing")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
