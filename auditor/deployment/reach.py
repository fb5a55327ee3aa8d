"""Whether the interpreter and the shell find what an image has installed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.deployment.commands import ran
from auditor.deployment.model import Service, StartFault
from auditor.parsers.commands import PipInstall
from auditor.parsers.requirements import normalise
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.deployment.commands import Ran
    from auditor.parsers.commands import MainProcess


def out_of_reach(
    service: Service, process: MainProcess, name: str, *, through_python: bool
) -> Iterator[StartFault]:
    """The server is installed where the command does not look for it."""
    image, environment = service.image, service.environment
    if image is None or environment is None or image.base is None:
        return
    if not image.base.official_python:
        return
    if any(w.environment is not None for w in process.interpretation.wrappers):
        return
    path = service.variable("PATH")
    if path is not None and not isinstance(path.value, str):
        return
    places = str(path.value).split(":") if path is not None else []
    program = process.interpretation.argv[0].text if process.interpretation.argv else ""
    steps = [
        step
        for step in environment.steps
        if step.shipped and any(normalise(r.fact.name or "") == name for r in step.requirements)
    ]
    if not steps or any(step.fact is None for step in steps):
        return
    if image.foreign_python is not None and all(
        step.stage not in image.image.lineage for step in steps
    ):
        version, at = image.foreign_python
        yield StartFault(
            kind="server-missing",
            message=(
                f"{name} was installed for Python {version} in another stage "
                f"(lib/python{version}), and this image runs another one: `No module named {name}`"
            ),
            at=at,
            related=((environment.at, "this image is built on another Python"),),
            certain=False,
        )
        return
    commands = {command.what.fact.at: command for command in ran(image.image) if _installs(command)}
    found = [_place(commands.get(step.fact.at)) for step in steps if step.fact is not None]
    if not found or any(place is None for place in found):
        return
    where = [place for place in found if place is not None]
    prefix, at, user = where[0]
    if any(f"{p}/bin" in places or program.startswith(f"{p}/bin/") for p, _, _ in where):
        return
    if user and through_python:
        return  # the interpreter looks below the user's home by itself
    yield StartFault(
        kind="server-missing",
        message=(
            f"{name} is installed below {prefix}, and {prefix}/bin is not on the PATH: "
            + (
                f"`No module named {name}`"
                if through_python
                else f'`exec: "{name}": executable file not found in $PATH`'
            )
        ),
        at=process.interpretation.fact.at,
        related=((at, "installed here"),),
        certain=False,
        evidence=(("prefix", prefix),),
    )


def locked_away(service: Service) -> Iterator[StartFault]:
    """What another stage installed was copied below /root, which no other account may enter."""
    image, user = service.image, service.user
    if image is None or not isinstance(user, str) or image.base is None:
        return
    if user.partition(":")[0] in ("", "root", "0") or not image.base.official_python:
        return
    if any("/root" in step.command.text.text for step in image.image.runs):
        return  # a chmod may have opened it
    environment = service.environment
    lineage = set(image.image.lineage)
    steps = [step for step in environment.steps if step.shipped] if environment else []
    if not steps or any(step.stage in lineage for step in steps):
        return
    brought = [step for step in image.image.copies if step.origin in ("stage", "unknown")]
    hidden = [
        step
        for step in brought
        if isinstance(step.destination, str) and step.destination.startswith("/root/.local")
    ]
    if not hidden or len(hidden) != len(brought):
        return
    yield StartFault(
        kind="server-missing",
        message=(
            f"the packages are copied below /root, which only root may enter, and the service runs as "
            f"{user}: `permission denied`, or `No module named …`"
        ),
        at=hidden[0].at,
        related=((service.user_at, "the user is set here"),) if service.user_at else (),
    )


def _installs(command: Ran) -> bool:
    return isinstance(command.what.fact, PipInstall)


def _place(command: Ran | None) -> tuple[str, Location, bool] | None:
    """(prefix, where it is said, whether it is a user's) of an install outside the system's."""
    if command is None:
        return None
    fact, what = command.what.fact, command.what
    assert isinstance(fact, PipInstall)
    if fact.target is not None or fact.prefix is not None or fact.system or fact.tool != "pip":
        return None
    cwd = what.cwd if isinstance(what.cwd, str) else "/"
    program = what.argv[0].text if what.argv else ""
    base = posixpath.basename(program)
    if "/" in program and (base.startswith(("pip", "python"))):
        prefix = posixpath.dirname(
            posixpath.dirname(posixpath.normpath(posixpath.join(cwd, program)))
        )
        return None if prefix in ("/usr", "/usr/local", "/") else (prefix, fact.at, False)
    env_path = what.env.get("PATH")
    if isinstance(env_path, str) and "/venv" in env_path:
        return None
    active = _activated(command)
    if active:
        return posixpath.normpath(posixpath.join(cwd, active)), fact.at, False
    user = command.step.state.user
    if isinstance(user, str) and user.partition(":")[0] not in ("", "root", "0"):
        name = user.partition(":")[0]
        if not name.isdigit() and "PIP_TARGET" not in what.env:
            return f"/home/{name}/.local", fact.at, True
    return None


def _activated(command: Ran) -> str:
    """The environment that the same RUN has activated before."""
    text = command.step.command.text.text
    for word in text.replace("&&", " ").replace(";", " ").split():
        if word.endswith("/bin/activate"):
            return word.removesuffix("/bin/activate").strip("\"'")
    return ""
