"""Whether the interpreter and the shell find what an image has installed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from auditor.deployment import managers
from auditor.deployment.commands import ran
from auditor.deployment.model import Service, StartFault
from auditor.findings import Stage
from auditor.parsers.commands import PipInstall
from auditor.parsers.requirements import normalise
from auditor.source import Location, Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.commands import Ran
    from auditor.deployment.imagefacts import CopyStep, Image
    from auditor.deployment.model import BuiltImage, InstallStep
    from auditor.deployment.view import View
    from auditor.parsers.commands import MainProcess


def out_of_reach(
    service: Service, process: MainProcess, name: str, view: View, *, through_python: bool
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
    if "/" in program and isinstance(process.interpretation.cwd, str):
        program = posixpath.normpath(posixpath.join(process.interpretation.cwd, program))
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
        if _moved(image.image, version):
            yield from _compiled(service, version, at)
            return
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
    if all(step.stage not in image.image.lineage for step in steps):
        yield from _relocated(service, process, name, steps, view, through_python=through_python)
        return
    if _activated_at_start(service, process, view):
        return
    commands = _installing(image.image)
    found = [_place(commands.get(step.fact.at)) for step in steps if step.fact is not None]
    hidden = _managed(image.image, commands, steps)
    if hidden is not None:
        if hidden.prefix:
            found = [_Place(prefix=hidden.prefix, at=environment.at, kind="venv")]
        elif hidden.tool != "uv" and not any(
            managers.names_environment(place) for place in (*places, program)
        ):
            yield StartFault(
                kind="server-missing",
                message=(
                    f"{hidden.tool} installs {name} into a virtual environment of its own, and the "
                    "command does not start there: "
                    + (
                        f"`No module named {name}`"
                        if through_python
                        else f'`exec: "{name}": executable file not found in $PATH`'
                    )
                ),
                at=process.interpretation.fact.at,
                related=((steps[0].at, "installed here"),),
                certain=False,
            )
            return
    if found and not any(found) and path is not None and path.at is not None:
        yield from _without_the_system(name, program, places, path.at)
    if not found or any(place is None for place in found):
        return
    where = [place for place in found if place is not None]
    first = where[0]
    covered = view.mount_of(f"{first.prefix}/bin")
    if (
        len(where) == 1
        and covered is not None
        and covered.kind == "bind"
        and view.look(first.prefix).answer == "no"
    ):
        yield StartFault(
            kind="server-missing",
            message=(
                f"{name} is installed below {first.prefix}, and {covered.source_text or 'a directory'} "
                f"is mounted over {covered.target}, which has no such directory: "
                f'`exec: "{name}": executable file not found in $PATH`'
            ),
            at=covered.at,
            related=((first.at, "installed here"),),
            certain=False,
            evidence=(("prefix", first.prefix),),
        )
        return
    if all(place.prefix.startswith("/root/") for place in where) and _kept_out(service, image):
        yield StartFault(
            kind="server-missing",
            message=(
                f"{name} is installed below {first.prefix}, which only root may enter, and the service "
                f"runs as {service.user}: "
                + (f"`No module named {name}`" if through_python else "`permission denied`")
            ),
            at=first.at,
            related=((service.user_at, "the user is set here"),) if service.user_at else (),
            certain=False,
            evidence=(("prefix", first.prefix),),
        )
        return
    if any(f"{p.prefix}/bin" in places or program.startswith(f"{p.prefix}/bin/") for p in where):
        return
    if through_python and (first.kind == "user" or _on_python_path(service, first.prefix)):
        return  # the interpreter looks below the user's home by itself
    yield StartFault(
        kind="server-missing",
        message=(
            f"{name} is installed below {first.prefix}, and "
            + (
                "that directory is not on PYTHONPATH"
                if through_python and first.kind == "target"
                else f"{first.prefix}/bin is not on the PATH"
            )
            + ": "
            + (
                f"`No module named {name}`"
                if through_python
                else f'`exec: "{name}": executable file not found in $PATH`'
            )
        ),
        at=process.interpretation.fact.at,
        related=((first.at, "installed here"),),
        certain=False,
        evidence=(("prefix", first.prefix),),
    )


# Their modules are compiled for one minor release of Python, and they do not work without them.
_COMPILED = ("numpy", "pydantic-core", "pandas", "scipy", "scikit-learn", "pillow", "orjson")


def _moved(image: Image, version: str) -> bool:
    """The other Python's packages are copied to where this one looks."""
    places = [str(c.destination) for c in image.copies if c.origin == "stage"]
    return any("site-packages" in p and f"python{version}" not in p for p in places)


def _compiled(service: Service, version: str, at: Location) -> Iterator[StartFault]:
    """Packages of another minor release of Python, in this one's directory: pure ones work."""
    installed = service.environment.installed if service.environment is not None else None
    name = next((n for n in _COMPILED if installed is not None and installed.has(n)), None)
    if name is None:
        return
    module = {"scikit-learn": "sklearn", "pillow": "PIL", "pydantic-core": "pydantic_core"}
    top = module.get(name, name)
    yield StartFault(
        kind="server-missing",
        message=(
            f"{name} was installed for Python {version} in another stage, and its compiled modules do "
            f"not load in this image's Python: importing `{top}` fails"
        ),
        at=at,
        certain=False,
    )


def _without_the_system(
    name: str, program: str, places: Sequence[str], at: Location
) -> Iterator[StartFault]:
    """ENV PATH without the directory that the official image's own pip installs programs into."""
    if "/" in program or program.startswith(("python", "sh", "bash")):
        return
    if not places or {"/usr/local/bin", ""} & {place.rstrip("/") for place in places}:
        return
    if any("$" in place for place in places):
        return
    yield StartFault(
        kind="server-missing",
        message=(
            f"PATH is replaced, and {name} is in /usr/local/bin, which it leaves out: "
            f'`exec: "{name}": executable file not found in $PATH` (keep `:$PATH`)'
        ),
        at=at,
        certain=False,
    )


def _managed(
    image: Image, commands: dict[Location, Ran], steps: Sequence[InstallStep]
) -> managers.Own | None:
    """The environment of its own that a manager installs into, where all steps go there."""
    every = list(ran(image))
    found: list[managers.Own | None] = []
    for step in steps:
        command = commands.get(step.fact.at) if step.fact is not None else None
        if command is None:
            return None
        same = next((c for c in every if c.what.fact.at == command.what.fact.at), None)
        found.append(managers.own_environment(same, every) if same is not None else None)
    return found[0] if found and found[0] is not None and len(set(found)) == 1 else None


def _activated_at_start(service: Service, process: MainProcess, view: View) -> bool:
    """The start command, or a script on its way, enters a virtual environment."""
    texts = list(service.argv or ())
    paths = [at.path for at in process.through]
    own = process.interpretation.fact.at.path
    if service.command_at is not None and own != service.command_at.path:
        paths.append(own)  # the script that is started is no station on its own way
    for path in paths:
        script = view.repository_text(path)
        texts.append(script.text if script is not None else "activate")
    return any("activate" in text for text in texts)


def _relocated(
    service: Service,
    process: MainProcess,
    name: str,
    steps: Sequence[InstallStep],
    view: View,
    *,
    through_python: bool,
) -> Iterator[StartFault]:
    """What another stage installed is copied to a place where it does not work."""
    image = service.image
    assert image is not None
    for copy in image.image.copies:
        if copy.from_stage is None or not isinstance(copy.destination, str):
            continue
        other = view.stage(copy.from_stage)
        if other is None:
            continue
        commands = _installing(other.image.image)
        for step in steps:
            place = _place(commands.get(step.fact.at)) if step.fact is not None else None
            own = _managed(other.image.image, commands, [step]) if place is None else None
            if own is not None and own.prefix:
                place = _Place(prefix=own.prefix, at=step.at, kind="venv")
            if place is None:
                continue
            now = _copied(place.prefix, copy)
            if now is None:
                continue
            error = None
            if now != place.prefix:
                error = _displaced(service, place, now, name, view, through_python=through_python)
            if error is None and not through_python:
                error = _off_the_path(service, process, now, name)
            if error is None:
                continue
            yield StartFault(
                kind="server-missing",
                message=(
                    f"{name} is installed below {place.prefix} and copied "
                    f"{'from there' if now == place.prefix else f'to {now}'}: {error}"
                ),
                at=copy.at,
                related=(
                    (place.at, "installed here"),
                    (process.interpretation.fact.at, "started here"),
                ),
                certain=False,
                evidence=(("prefix", now),),
            )
            return


def _copied(prefix: str, copy: CopyStep) -> str | None:
    """Where a directory lands that this COPY brings along."""
    assert isinstance(copy.destination, str)
    for source in copy.sources:
        if not isinstance(source, str) or any(c in source for c in "*?["):
            continue
        origin = posixpath.normpath(posixpath.join("/", source))
        if prefix == origin or prefix.startswith(f"{origin.rstrip('/')}/"):
            inside = posixpath.relpath(prefix, origin)
            return posixpath.normpath(posixpath.join(copy.destination, inside))
    return None


def _displaced(
    service: Service, place: _Place, now: str, name: str, view: View, *, through_python: bool
) -> str | None:
    """Why what was installed in one place does not work in another; None where it does."""
    if place.kind == "venv":
        interpreter = f"{place.prefix}/bin/python"
        if through_python or view.look(interpreter).answer != "no":
            return None
        return (
            f"its programs begin with `#!{interpreter}`, which this image does not have: "
            f"`exec {now}/bin/{name}: no such file or directory`"
        )
    if place.kind == "prefix":
        if now == "/usr/local" or now.endswith("/.local") or _on_python_path(service, now):
            return None
        return (
            "this image's Python looks below /usr/local only, and PYTHONPATH does not name it: "
            f"`No module named '{name}'`"
        )
    return None


def _off_the_path(service: Service, process: MainProcess, now: str, name: str) -> str | None:
    """Why a program of this name is not found, where nothing else brings it into the image."""
    image, what = service.image, process.interpretation
    variable = service.variable("PATH")
    told = what.env.get("PATH", variable.value if variable is not None else "/usr/local/bin")
    program = what.argv[0].text if what.argv else ""
    if image is None or not isinstance(told, str) or "/" in program:
        return None
    if f"{now}/bin" in told.split(":") or now in ("/usr", "/usr/local", "/"):
        return None
    # A link to it, or the program itself, put where PATH leads.
    others = [c for c in image.image.copies if c.from_stage is not None]
    if len(others) != 1 or any("bin" in run.command.text.text for run in image.image.runs):
        return None
    return f'{now}/bin is not on the PATH: `exec: "{name}": executable file not found in $PATH`'


def _on_python_path(service: Service, directory: str) -> bool:
    """PYTHONPATH, or the working directory, makes modules there (or below) importable."""
    variable = service.variable("PYTHONPATH")
    if variable is not None and not isinstance(variable.value, str):
        return True
    named = str(variable.value).split(":") if variable is not None else []
    return service.cwd == directory or any(
        path == directory or path.startswith(f"{directory}/") for path in named
    )


def absent_sources(service: Service, view: View) -> Iterator[StartFault]:
    """COPY of a path that following the other stage's own programs shows not to be there."""
    image = service.image
    for copy in image.image.copies if image is not None else ():
        if copy.from_stage is None or copy.problems:
            continue
        other = view.stage(copy.from_stage)
        for source in copy.sources if other is not None else ():
            if other is None or not isinstance(source, str) or any(c in source for c in "*?["):
                continue
            path = posixpath.normpath(posixpath.join("/", source))
            seen = other.look(path)
            if seen.answer != "no" or other.image.lost_by_copy(path):
                continue
            stage = other.image.image.stage_name or str(copy.from_stage)
            yield StartFault(
                kind="copy",
                message=f"{source} is not in stage {stage}: the build fails",
                at=copy.at,
                related=((seen.at, seen.reason or "this decides what is there"),)
                if seen.at is not None
                else (),
                certain=False,
                stage=Stage.BUILDS,
                evidence=(("kind", "missing"), ("source", source)),
            )


def locked_away(service: Service) -> Iterator[StartFault]:
    """What another stage installed was copied below /root, which no other account may enter."""
    image, user = service.image, service.user
    if image is None or image.base is None or not _kept_out(service, image):
        return
    if not image.base.official_python:
        return
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


def _kept_out(service: Service, image: BuiltImage) -> bool:
    """The service runs as another user than root, and nothing opens root's home to it."""
    user = service.user
    if not isinstance(user, str) or user.partition(":")[0] in ("", "root", "0"):
        return False
    # A command that speaks of it may open it.
    return not any("/root" in step.command.text.text for step in image.image.runs)


@value
class _Place:
    """Where an install command puts what it installs, and where that is said."""

    prefix: str
    at: Location
    kind: Literal["venv", "user", "prefix", "target"]


def _installing(image: Image) -> dict[Location, Ran]:
    """The install commands of an image, by their place."""
    return {c.what.fact.at: c for c in ran(image) if isinstance(c.what.fact, PipInstall)}


def _place(command: Ran | None) -> _Place | None:
    """Where an install outside the system's own directories goes; None for any other."""
    if command is None:
        return None
    fact, what = command.what.fact, command.what
    assert isinstance(fact, PipInstall)
    if fact.system or fact.tool != "pip":
        return None
    cwd = what.cwd if isinstance(what.cwd, str) else "/"
    for chosen, kind in ((fact.target, "target"), (fact.prefix, "prefix")):
        if chosen is not None:
            if not isinstance(chosen, str):
                return None
            prefix = posixpath.normpath(posixpath.join(cwd, chosen))
            return _Place(prefix=prefix, at=fact.at, kind=kind)  # type: ignore[arg-type]
    program = what.argv[0].text if what.argv else ""
    base = posixpath.basename(program)
    if "/" in program and (base.startswith(("pip", "python"))):
        prefix = posixpath.dirname(
            posixpath.dirname(posixpath.normpath(posixpath.join(cwd, program)))
        )
        if prefix in ("/usr", "/usr/local", "/"):
            return None
        return _Place(prefix=prefix, at=fact.at, kind="venv")
    active = _activated(command)
    if active:
        prefix = posixpath.normpath(posixpath.join(cwd, active))
        return _Place(prefix=prefix, at=fact.at, kind="venv")
    env_path = what.env.get("PATH")
    if isinstance(env_path, str):
        first = env_path.partition(":")[0]
        if first.endswith("/bin") and "venv" in first:
            return _Place(prefix=first.removesuffix("/bin"), at=fact.at, kind="venv")
        if "/venv" in env_path:
            return None
    user = command.step.state.user
    if isinstance(user, Unknown) or {"PYTHONUSERBASE", "PIP_TARGET"} & what.env.keys():
        return None
    name = (user or "").partition(":")[0]
    if name in ("", "root", "0"):
        home = what.env.get("HOME", "/root") if fact.user else None
    else:
        home = None if name.isdigit() else f"/home/{name}"
    if not isinstance(home, str):
        return None
    return _Place(prefix=f"{home}/.local", at=fact.at, kind="user")


def _activated(command: Ran) -> str:
    """The environment that the same RUN has activated before."""
    text = command.step.command.text.text
    for word in text.replace("&&", " ").replace(";", " ").split():
        if word.endswith("/bin/activate"):
            return word.removesuffix("/bin/activate").strip("\"'")
    return ""
