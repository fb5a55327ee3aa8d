"""``deploy-audit`` and ``python -m auditor``: arguments in, exit status out."""

from __future__ import annotations

import sys

from auditor import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Answered before anything else is imported: hooks and editors ask it often.
    if arguments[:1] in (["--version"], ["-V"]):
        print(f"deploy-audit {__version__}")
        return 0
    import gc

    # Start-up makes many objects that live to the end; looking at them again and again is waste.
    gc.set_threshold(200_000, 20, 20)
    from auditor.cli.app import run

    return run(arguments)


def entry() -> None:
    """Run the command line as a process of its own.

    Such a process ends at once: taking apart every object that it made costs as much as a small
    audit, and the kernel takes the memory back anyway.
    """
    status = main()
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        sys.exit(status)
    import atexit
    import os

    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(status)
    os._exit(status)


if __name__ == "__main__":
    entry()
