"""Where text goes: standard output, files; and whether it may be coloured."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from auditor.cli.app import complain, silence_stdout
from auditor.errors import AuditorError, UsageError

WHEN = ("auto", "always", "never")


def wants_color(when: str, stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether escapes may be written to the stream: option, then NO_COLOR, then FORCE_COLOR."""
    environ = os.environ if environ is None else environ
    if when not in WHEN:
        raise UsageError(f"--color: expected one of {', '.join(WHEN)}, not {when!r}")
    if when != "auto":
        return when == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return environ["FORCE_COLOR"] != "0"
    return environ.get("TERM") != "dumb" and stream.isatty()


def width_of(stream: TextIO) -> int:
    """Columns to lay out for: the terminal's, ``COLUMNS``, or 80."""
    if "COLUMNS" in os.environ or stream.isatty():
        import shutil

        return max(shutil.get_terminal_size((80, 24)).columns, 40)
    return 80


def write_stdout(text: str) -> None:
    """Write a report; a reader that went away is no error, for the exit status is decided."""
    try:
        buffer = getattr(sys.stdout, "buffer", None)
        if buffer is None:  # replaced by a test or an embedding program
            sys.stdout.write(text)
        else:
            sys.stdout.flush()
            buffer.write(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
    except OSError as error:
        raise AuditorError(f"standard output cannot be written: {error.strerror}") from error


def check_writable(output: str) -> None:
    """UsageError when a report could not be written there, before any work is done."""
    path = Path(output)
    if path.is_dir():
        raise UsageError(f"--output {output}: is a directory")
    if not path.parent.is_dir():
        raise UsageError(f"--output {output}: there is no directory {path.parent}")


def write_file(path: Path, text: str) -> None:
    """Write a file whole or not at all. A link is replaced, never followed."""
    import tempfile

    data = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            with path.open("wb") as device:  # /dev/stdout, a named pipe
                device.write(data)
            return
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(file.name).chmod(0o666 & ~umask)
        Path(file.name).replace(path)
    except OSError as error:
        raise AuditorError(f"{path} cannot be written: {error.strerror}") from error


def remark(text: str, *, quiet: bool) -> None:
    """Something said by the way, on standard error."""
    if not quiet:
        complain(text)
