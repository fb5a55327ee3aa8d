"""The Docker engine: finding it, and the few things asked of it.

Everything but building goes through the ``docker`` package; building goes through the CLI, for
the package's builder knows neither here-documents nor ``--mount``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from auditor import lazy_re as re
from auditor.errors import AuditorError
from auditor.values import value

_TIMEOUT: Final = 60
HOW_TO_GET_ONE: Final = (
    "rehearsing needs a Docker engine, and none answers{where}.\n"
    "Start Docker Desktop, `systemctl start docker`, colima or rootless Docker, or install one:\n"
    "https://docs.docker.com/engine/install/ . An engine elsewhere on this machine is named by\n"
    "DOCKER_HOST (unix:///path/to/docker.sock). Without one, `deploy-audit .` still audits, and\n"
    "`deploy-audit rehearse --sandbox process` loads artifacts in an isolated process."
)


class NoEngineError(AuditorError):
    """No Docker engine answers, or not one that can be used."""


@value
class Builder:
    """The command that builds images: the CLI's path, and whether it uses BuildKit."""

    program: str
    buildkit: bool

    @property
    def label(self) -> str:
        return "BuildKit" if self.buildkit else "classic builder"


def address() -> str | None:
    """Where the engine listens: DOCKER_HOST, or the CLI's current context; None: the default."""
    given = os.environ.get("DOCKER_HOST")
    if given:
        return given
    try:
        from docker import ContextAPI

        context = ContextAPI.get_current_context()
        host = context.Host if context is not None else None
    except Exception:
        return None
    return host if isinstance(host, str) and host else None


def connect() -> Any:
    """A client of an engine that answers; NoEngineError says how to get one."""
    import docker
    from docker.errors import DockerException

    where = address()
    shown = f" at {where}" if where else ""
    if where and not _is_here(where):
        raise NoEngineError(
            f"the engine at {where} is on another machine: the ports it publishes on its own "
            "loopback cannot be asked from here, and its files are not this machine's.\n"
            "Run deploy-audit on that machine, or name an engine on this one: `unset DOCKER_HOST`, "
            "`docker context use default`, or DOCKER_HOST=unix:///path/to/docker.sock"
        )
    try:
        _knock(where or "unix:///var/run/docker.sock")
        client = docker.APIClient(base_url=where, version="auto", timeout=_TIMEOUT)
        client.ping()
    except (DockerException, OSError, ValueError) as error:
        text = HOW_TO_GET_ONE.format(where=shown)
        if "ermission denied" in str(error):
            text = (
                f"the Docker engine{shown} refuses this user: add the user to the group that owns "
                "the socket (`sudo usermod -aG docker $USER`, then log in again)"
            )
        raise NoEngineError(text) from None
    return client


def _is_here(where: str) -> bool:
    """Whether an engine's address is a socket of this machine; over ssh it never is taken for one."""
    if where.startswith(("unix://", "npipe://", "http+unix://")):
        return True
    try:
        parts = urlsplit(where if "://" in where else f"tcp://{where}")
    except ValueError:
        return False
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return here and parts.scheme in ("tcp", "http", "https")


def _knock(where: str) -> None:
    """OSError at once where nothing listens on a local socket."""
    scheme, _, path = where.partition("://")
    if scheme.endswith("unix") and hasattr(socket, "AF_UNIX"):
        with socket.socket(socket.AF_UNIX) as trial:
            trial.settimeout(10)
            trial.connect("/" + path.lstrip("/"))


def hang_up(stream: Any) -> None:
    """Close what ``attach_socket`` and ``exec_start(socket=True)`` gave, with the answer behind."""
    answer = getattr(stream, "_response", None)
    for item in (getattr(stream, "_sock", None), stream, answer):
        with contextlib.suppress(Exception):
            item.close()  # type: ignore[union-attr]


def version_of(client: Any) -> str:
    """The engine's own version."""
    return str(client.version().get("Version", "unknown"))


def builder(client: Any) -> Builder:
    """The docker CLI that builds best: with BuildKit when one can, classic otherwise."""
    programs: list[str] = []
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which("docker", path=folder) if folder else None
        if found and not any(Path(found).samefile(p) for p in programs):
            programs.append(found)
    if not programs:
        raise NoEngineError(
            "the engine answers, but there is no `docker` command to build images with: install "
            "the Docker CLI (https://docs.docker.com/engine/install/)"
        )
    for program in programs:
        if _builds_with_buildkit(program):
            return Builder(program=program, buildkit=True)
    return Builder(program=programs[0], buildkit=False)


def _builds_with_buildkit(program: str) -> bool:
    """Buildx is there, or the CLI is of the generation (18.09 to 22) that needs none."""
    if _call(program, "buildx", "version")[0] == 0:
        return True
    said = _call(program, "--version")[1]
    match = re.search(r"version (\d+)\.", said)
    return match is not None and 18 < int(match[1]) < 23


def _call(*command: str) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=20, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return 127, ""
    return done.returncode, done.stdout + done.stderr


def build_environment(buildkit: bool) -> dict[str, str]:
    """The environment of a build: the user's own, with the builder and the engine named."""
    environ = dict(os.environ)
    environ["DOCKER_BUILDKIT"] = "1" if buildkit else "0"
    environ["BUILDKIT_PROGRESS"] = "plain"
    where = address()
    if where:
        environ["DOCKER_HOST"] = where
        environ.pop("DOCKER_CONTEXT", None)
    return environ
