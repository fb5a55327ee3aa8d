"""Command lines interpreted: ``interpret(argv)`` and, for whole scripts, ``interpret_script``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from auditor.parsers.commands.facts import (
    AppSpec,
    Bind,
    Download,
    Fact,
    FileOp,
    Interpretation,
    MainProcess,
    Option,
    Other,
    Package,
    PipInstall,
    PythonRun,
    ServerStart,
    SystemInstall,
    Venv,
    Wrapper,
)
from auditor.parsers.shell import Arg, Env, Script, Value

__all__ = [
    "AppSpec",
    "Bind",
    "Download",
    "Fact",
    "FileOp",
    "Interpretation",
    "MainProcess",
    "Option",
    "Other",
    "Package",
    "PipInstall",
    "PythonRun",
    "ServerStart",
    "SystemInstall",
    "Venv",
    "Wrapper",
    "interpret",
    "interpret_script",
    "main_processes",
]


def interpret(
    argv: Sequence[Arg], *, env: Env | None = None, cwd: Value = "/"
) -> Interpretation | None:
    """What one command line means; None for an empty one."""
    raise NotImplementedError


def interpret_script(
    script: Script,
    *,
    env: Env | None = None,
    cwd: Value = "/",
    args: Sequence[Value] | None = None,
) -> Iterator[Interpretation]:
    """What every command of a script means, nested ``sh -c`` texts entered."""
    raise NotImplementedError


def main_processes(
    script: Script,
    *,
    env: Env | None = None,
    cwd: Value = "/",
    args: Sequence[Arg] = (),
    read_script: Callable[[str, Value], Script | None] = lambda path, cwd: None,
) -> tuple[MainProcess, ...]:
    """What the container ends up running, when started with ``script`` and ``args`` (``"$@"``).

    ``read_script(path, cwd)`` gives the parsed shell script that the image has at a path, or
    None; wrapper scripts are followed through it, their arguments passed on.
    """
    raise NotImplementedError
