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
    gc.set_threshold(50_000, 20, 20)
    from auditor.cli.app import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
