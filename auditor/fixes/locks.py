"""Locks compiled by pip-tools, in a child process: what ``fix --lock --online`` adds."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.discovery import discover
from auditor.fixes.apply import Plan, _contents
from auditor.parsers import requirements
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.config import Settings

TIMEOUT = 300


def compile_locks(root: Path, settings: Settings, made: Plan) -> tuple[Plan, list[str]]:
    """The plan with every ``X.in`` compiled to the ``X.txt`` beside it; remarks on what was not.

    Only wheels are looked at, so nothing is built: a source that names a path, a URL or a
    repository is left alone, and so is a target Python other than the one that runs.
    """
    remarks: list[str] = []
    old, new = dict(made.old), dict(made.new)
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if settings.target_python is not None and settings.target_python != running:
        return made, [
            f"no lock is compiled: this runs on Python {running}, the target is "
            f"{settings.target_python}"
        ]
    repository = discover(str(root), exclude=settings.exclude)
    for entry in repository.entries:
        target = f"{entry.path.removesuffix('.in')}.txt"
        if not entry.path.endswith(".in") or entry.is_dev or not repository.is_file(target):
            continue
        source = repository.read_text(entry.path)
        parsed = requirements.parse(source)
        odd = [r for r in parsed.requirements if r.url or r.path or r.vcs or r.editable]
        if odd or parsed.problems or parsed.includes:
            remarks.append(f"{entry.path} is not compiled: it names more than distributions")
            continue
        try:
            before = _contents(root, target)
        except (OSError, ValueError) as error:
            remarks.append(f"{target}: {error}")
            continue
        hashed = b"--hash=" in before
        text, why = _compiled(source.text, before, Path(entry.path).name, hashed=hashed)
        if why:
            remarks.append(f"{entry.path} is not compiled: {why}")
        elif text != before:
            old[target], new[target] = before, text
    return replace(made, old=old, new=new), remarks


def _compiled(source: str, before: bytes, name: str, *, hashed: bool) -> tuple[bytes, str]:
    """(the lock, why there is none)."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, f"{Path(name).stem}.txt")
        Path(folder, name).write_text(source, "utf-8")
        # What is locked today stays where it can.
        output.write_bytes(before)
        command = [
            sys.executable, "-m", "piptools", "compile", "--quiet", "--strip-extras",
            "--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links",
            "--pip-args=--only-binary=:all:", "--output-file", output.name,
            *(["--generate-hashes"] if hashed else []), name,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT,
                env={**os.environ, "CUSTOM_COMPILE_COMMAND": f"pip-compile {name}"},
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return b"", str(error)
        if done.returncode:
            lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
            return b"", lines[-1][:300] if lines else "pip-compile failed"
        return output.read_bytes(), ""
