"""Services: what is started, from which image, with which command, variables, ports and mounts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.deployment import (
    atstart,
    backing,
    composing,
    fronts,
    healthcheck,
    hosted,
    manifests,
    serverimages,
    units,
)
from auditor.deployment.commands import script_of
from auditor.deployment.entries import follow
from auditor.deployment.model import (
    BuiltImage,
    HealthCheck,
    Mount,
    Published,
    Sealed,
    Service,
    StartFault,
    Value,
    Variable,
)
from auditor.deployment.view import View
from auditor.findings import Stage
from auditor.parsers import shell
from auditor.parsers.dockercli import DockerRun
from auditor.parsers.dotenv import HOLE
from auditor.parsers.shell.facts import Script
from auditor.source import Fragment, Location, SourceText, Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.backing import Backing
    from auditor.deployment.facts import Facts
    from auditor.deployment.imagefacts import Image, Process
    from auditor.parsers.compose.facts import (
        ComposeCommand,
        ComposeEnvFile,
        ComposeProject,
        ComposeService,
    )
    from auditor.parsers.kubernetes import Container, Workload
    from auditor.parsers.platforms import PlatformApp
    from auditor.parsers.systemd import Unit


def from_image(
    facts: Facts, *, name: str, image: BuiltImage, runs: Sequence[DockerRun], beside: bool = False
) -> Service:
    """A Dockerfile that no orchestrator uses, run as the repository's own words say.

    ``beside``: an orchestrator or pipeline runs images of the repository, so that one without a
    command may be a tool or a task which is given its own.
    """
    variables = [
        Variable(name=v.name, value=v.value, at=v.at, source="image") for v in image.image.env
    ]
    documented = _preferred(runs, image)
    mounts: list[Mount] = []
    published: list[Published] = []
    faults: list[StartFault] = []
    entrypoint: tuple[tuple[str, Location], ...] | None = None
    command: tuple[tuple[str, Location], ...] | None = None
    cwd_value: Value | None = None
    open_links: list[tuple[Stage, str]] = []
    if documented is not None:
        for variable, value, at in documented.env:
            text: Value = (
                Unknown(f"${variable} is taken from the shell") if value is None else value
            )
            variables.append(Variable(name=variable, value=text, at=at, source="docker-run"))
        for value, at in documented.env_files:
            variables.append(
                Variable(name="*", value=Unknown(f"env file {value}"), at=at, source="docker-run")
            )
        for value, at in documented.volumes:
            mount = _run_mount(value, at, facts)
            if mount is not None:
                mounts.append(mount)
        for value, at in documented.ports:
            published.append(_run_port(value, at, documented.place == "documentation"))
        if documented.entrypoint is not None:
            if isinstance(documented.entrypoint, str):
                entrypoint = ((documented.entrypoint, documented.at),)
            else:
                open_links.append((Stage.STARTS, documented.entrypoint.reason))
        if documented.command and not documented.interactive:
            words = [(arg.value, arg.at) for arg in documented.command]
            if all(isinstance(w, str) for w, _ in words):
                command = tuple((str(w), at) for w, at in words)
        if isinstance(documented.workdir, str):
            cwd_value = documented.workdir
    elif beside and image.image.cmd is None and image.image.entrypoint is None:
        open_links.append((Stage.STARTS, "nothing here runs this image, and it has no command"))
    return _finish(
        facts,
        name=name,
        at=image.image.base.at,
        origin="dockerfile",
        image=image,
        variables=variables,
        complete=documented is not None and documented.place != "documentation",
        documented=documented is not None,
        mounts=mounts,
        published=published,
        faults=faults,
        entrypoint=entrypoint,
        command=command,
        cwd=cwd_value,
        user=None,
        health=(),
        open_links=open_links,
    )


def from_compose(
    composition: composing.Composition,
    *,
    service: ComposeService,
    image: BuiltImage | None,
    name: str,
) -> Service:
    """A service of a Compose project; ``image`` is None when it is pulled, not built."""
    facts, project = composition.facts, composition.project
    variables = [
        Variable(name=v.name, value=v.value, at=v.at, source="image")
        for v in (image.image.env if image else ())
    ]
    for variable in service.environment:
        value: Value
        if variable.value is None:
            value = Unknown(f"${variable.name} is taken from the shell of whoever starts it")
        else:
            value = variable.value
        variables.append(
            Variable(
                name=variable.name,
                value=value,
                at=variable.at,
                source="env-file"
                if variable.env_file
                else "shell"
                if variable.value is None
                else "compose",
            )
        )
    faults = [
        StartFault(
            kind="env-file",
            message=(
                f"`env_file: {use.file.raw.raw}` is not in the repository"
                + (
                    f": somebody must put it there, or Compose refuses to start ({why or shown})"
                    if why or shown
                    else ": Compose refuses to start"
                )
            ),
            at=use.at,
            certain=not why and not shown,
            possible=bool(why),
            documented=bool(shown),
            stage=Stage.BUILDS,
            evidence=(("state", use.state),),
        )
        for use in service.env_files
        if use.required and use.state in ("missing", "ignored")
        for why, shown in (_by_hand(use, facts),)
    ]
    faults += _missing_dockerfile(facts, service, image)
    faults += composing.faults(composition, service, image)
    variables += [
        Variable(
            name="*",
            value=Unknown(f"{use.file.raw.raw} is not in the repository"),
            at=use.at,
            source="env-file",
        )
        for use in service.env_files
        if use.state != "present"
    ]
    mounts = [
        Mount(
            target=volume.target,
            kind=volume.type if volume.type in ("bind", "volume", "tmpfs") else "other",  # type: ignore[arg-type]
            at=volume.at,
            source=volume.path,
            source_text=volume.source.raw if volume.source else "",
            source_exists=(
                facts.repository.exists(volume.path) if volume.path is not None else None
            ),
            made_by_hand=volume.path is not None and _left_out(facts, volume.path),
            read_only=volume.read_only,
            named=volume.type == "volume" and volume.source is not None,
            shared_with=composing.shared_with(composition, service, volume),
        )
        for volume in service.volumes
    ]
    mounts += composing.mounts(service)
    # A named volume that is in truth a bind of a host directory.
    for index, volume in enumerate(service.volumes):
        if volume.type != "volume" or volume.source is None:
            continue
        named = volume.source.value
        resource = composition.volumes.get(named) if isinstance(named, str) else None
        if resource is not None and (resource.device is not None or resource.external):
            path = resource.device.path if resource.device else None
            mounts[index] = Mount(
                target=volume.target,
                kind="bind",
                at=volume.at,
                source=path,
                source_text=volume.source.raw,
                source_exists=None,
            )
    published = [
        Published(
            container_port=(
                port.target.first + offset if not isinstance(port.target, Unknown) else port.target
            ),
            host_port=_host_port(port.published, offset),
            host_ip=port.host_ip if isinstance(port.host_ip, str) else None,
            protocol=port.protocol if isinstance(port.protocol, str) else "tcp",
            at=port.at,
            source="compose",
        )
        for port in service.ports
        for offset in range(
            1
            if isinstance(port.target, Unknown)
            else min(port.target.last - port.target.first + 1, 32)
        )
    ]
    health: list[HealthCheck] = []
    env = {v.name: v.value for v in variables}
    check = service.healthcheck
    if check is not None:
        if check.disabled:
            health.append(healthcheck.disabled(check.at, "compose"))
        elif check.form == "shell" and check.shell is not None:
            fragment = _fragment(check.shell.value, check.shell.at)
            health.append(healthcheck.read(shell.parse(fragment), check.at, "compose", env))
        elif check.form == "exec":
            script = shell.exec_form(check.at.path, [_fragment(w.value, w.at) for w in check.words])
            health.append(healthcheck.read(script, check.at, "compose", env))
    entrypoint = _compose_words(service.entrypoint, composition.env_by_hand)
    command = _compose_words(service.command, composition.env_by_hand)
    open_links = [
        *composing.demands(composition),
        *(
            (Stage.STARTS, item.words.reason)
            for item in (service.entrypoint, service.command)
            if item is not None and isinstance(item.words, Unknown)
        ),
    ]
    finished = _finish(
        facts,
        name=name,
        at=service.at,
        origin="compose",
        image=image,
        image_reference=(
            service.image.value
            if service.image is not None and isinstance(service.image.value, str)
            else None
        ),
        compose=service,
        project=project,
        variables=variables,
        complete=True,
        documented=True,
        mounts=mounts,
        published=published,
        faults=faults,
        entrypoint=entrypoint,
        command=command,
        cwd=service.working_dir.value if service.working_dir else None,
        cwd_at=service.working_dir.at if service.working_dir else None,
        user=service.user.value if service.user else None,
        user_at=service.user.at if service.user else None,
        health=health,
        open_links=open_links,
        sealed=(Sealed(because="the container is read-only", at=service.at),)
        if service.read_only
        else (),
        profiles=tuple(p.value for p in service.profiles if isinstance(p.value, str)),
        is_dev=project.is_dev,
    )
    return replace(finished, lends_network=service.name in composition.lenders)


def from_platform(facts: Facts, *, app: PlatformApp, image: BuiltImage, name: str) -> Service:
    """What a hosting platform starts, from an image that it builds."""
    entrypoint: tuple[tuple[str, Location], ...] | None = None
    command = hosted.line(app.line) if app.line is not None else None
    open_links: list[tuple[Stage, str]] = []
    if app.command is not None:
        command = hosted.words(app.command)
        if command is None:
            open_links.append((Stage.STARTS, "the command of the platform could not be read"))
    if app.clears_entrypoint and command is not None:
        entrypoint, command = command, None
    service = _finish(
        facts,
        name=name,
        at=app.at,
        origin="platform",
        image=image,
        variables=hosted.variables(app, image),
        complete=False,
        documented=True,
        mounts=(),
        published=hosted.published(app),
        faults=[],
        entrypoint=entrypoint,
        command=command,
        cwd=None,
        user=None,
        health=hosted.health(app),
        open_links=open_links,
    )
    return hosted.found_port(service, app)


def platform_image(facts: Facts, app: PlatformApp) -> BuiltImage | None:
    """The image that a platform's buildpack makes of the sources; None when that is not known."""
    from auditor.deployment import images
    from auditor.parsers import dockerfile

    key = f"{app.at.path}:{app.at.line}"
    folder = app.sources or ""
    python = app.python or _declared_python(facts, folder)
    text = hosted.recipe(app, facts, app.at.path, python)
    if text is None:
        return None
    if key not in facts.standins:
        facts.standins[key] = dockerfile.parse(text)
    return images.build(facts, dockerfile=key, context=folder)


def from_unit(facts: Facts, *, unit: Unit, name: str) -> Service | None:
    """What a unit of systemd starts on a machine; None where nothing says what is installed there."""
    from auditor.deployment import images
    from auditor.parsers import dockerfile

    where = units.placed(facts, unit)
    python = _declared_python(facts, where.inside) or _declared_python(facts, "")
    text = units.recipe(facts, unit, where, python)
    if text is None:
        return None
    key = f"{unit.path}:{unit.at.line}"
    facts.standins[key] = dockerfile.parse(text)
    image = images.build(facts, dockerfile=key, context="")
    if image is None:
        return None
    variables = [
        Variable(name=v.name, value=v.value, at=v.at, source="image") for v in image.image.env
    ]
    variables += units.variables(facts, unit, where)
    user = unit.user.text if unit.user is not None else "root"
    service = _finish(
        facts,
        name=name,
        at=unit.at,
        origin="systemd",
        image=image,
        variables=variables,
        complete=False,
        documented=True,
        mounts=(),
        published=(),
        faults=units.faults(facts, unit, where),
        entrypoint=None,
        command=units.command(unit, variables),
        cwd=None,
        user="root"
        if user in ("root", "0") and not unit.dynamic_user
        else Unknown("what an account of the machine may write is not seen"),
        user_at=unit.user.at if unit.user is not None else None,
        sealed=units.sealed(unit),
        health=(),
        open_links=units.open_links(unit),
    )
    return units.judged(facts, service, unit)


def _declared_python(facts: Facts, folder: str) -> str:
    """The interpreter that a version file beside the sources names."""
    files = (posixpath.join(folder, name) for name in ("runtime.txt", ".python-version"))
    return next((found for path in files if (found := _runtime(facts, path))), "")


def from_procfile(facts: Facts, *, path: str, name: str) -> Service | None:
    """The ``web`` process of a Procfile, run as a buildpack for Python would.

    It installs ``requirements.txt``, puts the directory at ``/app``, and runs the line in a shell
    with ``PORT`` set. Other ways to declare the requirements are not followed.
    """
    from auditor.deployment import images
    from auditor.parsers import dockerfile, serverconf

    text = facts.read(path)
    directory = posixpath.dirname(path)
    if text is None or facts.read(posixpath.join(directory, "requirements.txt")) is None:
        return None
    web = next((e for e in serverconf.parse_procfile(text).entries if e.name == "web"), None)
    if web is None:
        return None
    line = text.lines[web.at.line - 1].partition(":")[2].strip()
    version = _declared_python(facts, directory)
    if path not in facts.standins:
        recipe = (
            (f"FROM python:{version}\n" if version else "FROM python\n")
            + "WORKDIR /app\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY . .\n"
        )
        facts.standins[path] = dockerfile.parse(SourceText(path, recipe))
    image = images.build(facts, dockerfile=path, context=directory)
    if image is None:
        return None
    at = web.at
    variables = [
        Variable(name=v.name, value=v.value, at=v.at, source="image") for v in image.image.env
    ]
    variables.append(
        Variable(name="PORT", value=str(hosted.PLATFORM_PORT), at=at, source="platform")
    )
    published = Published(
        container_port=hosted.PLATFORM_PORT,
        host_port=None,
        host_ip=None,
        protocol="tcp",
        at=at,
        source="platform",
    )
    start = replace(at, column=at.column + 5)
    return _finish(
        facts,
        name=name,
        at=at,
        origin="procfile",
        image=image,
        variables=variables,
        complete=False,
        documented=False,
        mounts=(),
        published=(published,),
        faults=[],
        entrypoint=None,
        command=(("bash", start), ("-c", start), (line, start)),
        cwd=None,
        user=None,
        health=(),
        open_links=[],
    )


def _runtime(facts: Facts, path: str) -> str:
    """The minor version of Python that a version file names."""
    from auditor.parsers import pyversion

    form, text = pyversion.detect(path), facts.read(path)
    if form is None or text is None:
        return ""
    found = next(iter(pyversion.parse(text, form).versions), None)
    parts = found.version.split(".") if found is not None else []
    return ".".join(parts[:2]) if len(parts) > 1 else ""


def from_kubernetes(
    facts: Facts, *, running: manifests.Running, image: BuiltImage | None, name: str
) -> Service:
    """A container of a Kubernetes workload; ``image`` is None when it is built elsewhere."""
    container, workload = running.container, running.workload
    variables, complete = manifests.variables(running, image)
    env: dict[str, str | Unknown | None] = {v.name: v.value for v in variables}
    user = manifests.user(running)
    unknown = manifests.unknown_words(container)
    return _finish(
        facts,
        name=name,
        at=container.at,
        origin="kubernetes",
        image=image,
        image_reference=str(container.image) if container.image else None,
        variables=variables,
        complete=complete,
        documented=True,
        mounts=manifests.mounts(running),
        sealed=manifests.sealed(running),
        published=manifests.published(running),
        faults=[],
        entrypoint=manifests.words(container.command, variables),
        command=manifests.words(container.args, variables),
        cwd=container.working_dir.value if container.working_dir else None,
        cwd_at=container.working_dir.at if container.working_dir else None,
        user=user.value if user is not None else None,
        user_at=user.at if user is not None else None,
        health=manifests.health(running, env),
        open_links=[(Stage.STARTS, unknown)] if unknown is not None else [],
        workload=workload,
        container=container,
    )


def _by_hand(use: ComposeEnvFile, facts: Facts) -> tuple[str, str]:
    """(why the file is made by hand on every machine, the example it is copied from)."""
    path = use.file.path
    if use.state == "ignored":
        return "git ignores it", ""
    return ("", "") if path is None else (facts.put_there(path), facts.example_of(path))


def _missing_dockerfile(
    facts: Facts, service: ComposeService, image: BuiltImage | None
) -> list[StartFault]:
    """``build:`` leads to a Dockerfile that is not there."""
    build = service.build
    if build is None or image is not None or build.dockerfile_inline is not None:
        return []
    path = build.dockerfile_path
    if path is None or build.context is None or facts.repository.exists(posixpath.normpath(path)):
        return []
    path = posixpath.normpath(path)
    if path.startswith("..") or facts.repository.ignored_exists(path):
        return []
    # Compose pulls an image that a registry has before it builds one.
    named = service.image.value if service.image is not None else ""
    host, slash, _ = str(named).partition("/")
    pulled = bool(slash) and ("." in host or ":" in host)
    return [
        StartFault(
            kind="no-dockerfile",
            message=(
                f"there is no `{path}` to build from"
                + (f" where `{named}` cannot be pulled" if pulled else "")
                + ": `failed to read dockerfile: open "
                f"{posixpath.basename(path)}: no such file or directory`"
            ),
            at=build.dockerfile.at if build.dockerfile else build.at,
            possible=pulled or facts.repository.would_ignore(path),
            stage=Stage.BUILDS,
            evidence=(("dockerfile", path),),
        )
    ]


def _host_port(published: object, offset: int) -> int | Unknown | None:
    from auditor.parsers.compose.facts import PortRange

    if isinstance(published, PortRange):
        if published.first == published.last:
            return published.first
        return published.first + offset
    return published if isinstance(published, Unknown) else None


def _compose_words(
    command: ComposeCommand | None, given: bool
) -> tuple[tuple[str, Location], ...] | None:
    """The words of a command. What nothing sets is empty, unless it is ``given`` at the start."""
    if command is None or isinstance(command.words, Unknown):
        return None
    return tuple((word.holed if given else word.blank, word.at) for word in command.words)


def installing(service: ComposeService) -> atstart.Words:
    """The command in place of the image's own, where it may install something."""
    words = _compose_words(service.entrypoint, given=False) or ()
    return atstart.words_that_install(words + (_compose_words(service.command, given=False) or ()))


def _fragment(value: Value, at: Location) -> Fragment:
    return Fragment(at.path, [(value if isinstance(value, str) else "", at.line, at.column)])


def _preferred(runs: Sequence[DockerRun], image: BuiltImage) -> DockerRun | None:
    """The run that says most: what scripts do before what documentation shows, ports first.

    One that gives neither ports nor mounts nor variables says nothing (a smoke test).

    A run that replaces the image's own command by another and publishes nothing is a task
    (tests, a linter, a training run), not the service.
    """
    has_command = image.image.cmd is not None or image.image.entrypoint is not None
    own = image.image.cmd.command.argv if image.image.cmd is not None else ()
    ranked = sorted(
        (
            r
            for r in runs
            if not (r.interactive and r.command)
            and not (
                has_command
                and not r.ports
                and (r.command or r.entrypoint is not None)
                and tuple(word.text for word in r.command) != own
            )
        ),
        key=lambda r: (
            not (r.ports or r.volumes or r.env or r.env_files),
            r.place == "documentation",
            not r.ports,
            -len(r.env),
            r.at,
        ),
    )
    return ranked[0] if ranked else None


def _left_out(facts: Facts, path: str) -> bool:
    """Whether what is mounted may be there although the repository lacks it."""
    if facts.by_hand(path):
        return True
    return not facts.repository.exists(path) and bool(facts.by_hand(f"{path}/"))


def _run_mount(value: Value, at: Location, facts: Facts) -> Mount | None:
    if isinstance(value, Unknown):
        return Mount(target=value, kind="other", at=at)
    if "target=" in value or "dst=" in value or "destination=" in value:
        options = {part.partition("=")[0]: part.partition("=")[2] for part in value.split(",")}
        source = options.get("source") or options.get("src") or ""
        target = options.get("target") or options.get("dst") or options.get("destination") or ""
    else:
        source, _, rest = value.rpartition(":") if value.count(":") == 1 else value.partition(":")
        target = rest.partition(":")[0]
        if not source:
            return Mount(target=target, kind="volume", at=at)
    for prefix in ("$(pwd)", "${PWD}", "$PWD", "`pwd`", "%cd%", "."):
        if source == prefix or source.startswith(f"{prefix}/"):
            path = posixpath.normpath(source[len(prefix) :].strip("/") or ".")
            if not posixpath.splitext(path)[1] and not facts.repository.exists(path):
                break  # A directory that only the host has, or the command would be of no use.
            return Mount(
                target=target,
                kind="bind",
                at=at,
                source=path,
                source_text=source,
                source_exists=facts.repository.exists(path),
                made_by_hand=_left_out(facts, path),
            )
    kind = "bind" if "/" in source or "$" in source else "volume"
    return Mount(
        target=target,
        kind=kind,  # type: ignore[arg-type]
        at=at,
        source_text=source,
        named=kind == "volume",
    )


def _run_port(value: Value, at: Location, documentation: bool) -> Published:
    unknown = Unknown("the port mapping is computed")
    container: int | Unknown = unknown
    host: int | Unknown | None = unknown
    host_ip: str | None = None
    protocol = "tcp"
    if isinstance(value, str):
        text, _, proto = value.partition("/")
        protocol = proto or "tcp"
        parts = text.rsplit(":", 2)
        if parts[-1].isdigit():
            container = int(parts[-1])
        host = None
        if len(parts) > 1:
            host = int(parts[-2]) if parts[-2].isdigit() else (unknown if parts[-2] else None)
        if len(parts) > 2:
            host_ip = parts[0].strip("[]") or None
    return Published(
        container_port=container,
        host_port=host,
        host_ip=host_ip,
        protocol=protocol,
        at=at,
        source="docker-run",
        documented_only=documentation,
    )


def _finish(
    facts: Facts,
    *,
    name: str,
    at: Location,
    origin: str,
    image: BuiltImage | None,
    variables: list[Variable],
    complete: bool,
    documented: bool,
    mounts: Sequence[Mount],
    published: Sequence[Published],
    faults: list[StartFault],
    entrypoint: tuple[tuple[str, Location], ...] | None,
    command: tuple[tuple[str, Location], ...] | None,
    cwd: Value | None,
    user: Value | None,
    health: Iterable[HealthCheck],
    open_links: list[tuple[Stage, str]],
    cwd_at: Location | None = None,
    user_at: Location | None = None,
    sealed: tuple[Sealed, ...] = (),
    image_reference: str | None = None,
    compose: ComposeService | None = None,
    project: ComposeProject | None = None,
    profiles: tuple[str, ...] = (),
    is_dev: bool = False,
    workload: Workload | None = None,
    container: Container | None = None,
) -> Service:
    checks = list(health)
    if image is not None and isinstance(image.image.base.reference, str):
        # The base image's own, which everything else overrides.
        own_variables = serverimages.variables(image.image.base.reference)
        variables = [
            *(
                Variable(name=name, value=text, at=image.image.base.at, source="image")
                for name, text in own_variables.items()
            ),
            *variables,
        ]
    env: dict[str, str | Unknown | None] = {v.name: v.value for v in variables}
    argv: tuple[str, ...] | None = None
    command_at: Location | None = None
    form: str | None = None
    script: Script | None = None
    aside: Backing | None = None
    if image is not None:
        own = image.image
        if not checks and own.healthcheck is not None:
            if own.healthcheck.process is None:
                checks.append(healthcheck.disabled(own.healthcheck.at, "dockerfile"))
            else:
                process = own.healthcheck.process
                checks.append(
                    healthcheck.read(
                        script_of(process.command, own.dockerfile),
                        own.healthcheck.at,
                        "dockerfile",
                        env,
                    )
                )
        if cwd is None:
            cwd, cwd_at = own.workdir.value, own.workdir.at
        if user is None and own.user is not None and own.user.value != "root":
            # What the base image runs as by default is root unless its maker says otherwise.
            user, user_at = own.user.value, own.user.at
        elif user is None and own.user is not None and own.user.at is not None:
            user, user_at = own.user.value, own.user.at
        # Overriding the entrypoint clears the image's CMD, as the engine does.
        image_entry = None if entrypoint is not None else own.entrypoint
        image_cmd = None if entrypoint is not None or command is not None else own.cmd
        words, form, command_at = _combine(image_entry, image_cmd, entrypoint, command)
        if image_entry is None and entrypoint is None and words is not None:
            words, form, command_at = _of_base(own, env, words, form, command_at)
        if words is None:
            source = image_entry or image_cmd
            if source is not None:
                script = script_of(source.command, own.dockerfile)
                argv = source.argv
        elif words:
            path = command_at.path if command_at else own.dockerfile
            script = shell.exec_form(
                path, [Fragment(path, [(w, a.line, a.column)]) for w, a in words]
            )
            argv = tuple(w.replace(HOLE, "{{ ? }}") for w, _ in words)
    else:
        aside = backing.read(
            image_reference,
            at,
            entrypoint=entrypoint,
            command=command,
            variables=variables,
            complete=complete,
            mounts=mounts,
        )
        if aside is None:
            open_links.append((Stage.STARTS, f"{image_reference or name} is not built here"))
        else:
            open_links.extend(aside.open_links)
            open_links.append((Stage.PREDICTS, f"{aside.kind} serves no model"))
            faults.extend(aside.faults)
    service = Service(
        name=name,
        at=at,
        origin=origin,  # type: ignore[arg-type]
        image=image,
        image_reference=image_reference,
        compose=compose,
        project=project,
        workload=workload,
        container=container,
        variables=tuple(variables),
        variables_complete=complete,
        spoken_of=frozenset() if complete or image is None else facts.spoken_of,
        cwd=cwd if cwd is not None else "/",
        cwd_at=cwd_at,
        user=user,
        user_at=user_at,
        argv=argv,
        command_at=command_at,
        command_form=form,
        published=tuple(published),
        mounts=tuple(mounts),
        sealed=sealed,
        health=tuple(checks),
        faults=tuple(faults),
        environment=image.environment if image else None,
        backing=aside,
        listens=aside.listens if aside is not None else (),
        listens_complete=aside is not None and aside.complete,
        open_links=tuple(open_links),
        is_dev=is_dev or (image.is_dev if image else False),
        profiles=profiles,
    )
    if image is None:
        return replace(service, proxies=tuple(fronts.mounted(mounts, facts)))
    view = View(facts, image, mounts)
    return follow(service, script, view, env, documented=documented)


def _combine(
    image_entry: Process | None,
    image_cmd: Process | None,
    entrypoint: tuple[tuple[str, Location], ...] | None,
    command: tuple[tuple[str, Location], ...] | None,
) -> tuple[list[tuple[str, Location]] | None, str | None, Location | None]:
    """The words the engine runs, with their places; None when one instruction says it all.

    A shell-form ENTRYPOINT ignores the command; otherwise the command's words follow.
    """
    if image_entry is not None and image_entry.command.form == "shell":
        return None, "shell", image_entry.at
    words: list[tuple[str, Location]] = []
    at: Location | None = None
    form = "exec"
    if entrypoint is not None:
        words += entrypoint
        at = entrypoint[0][1] if entrypoint else None
    elif image_entry is not None:
        words += _exec_words(image_entry)
        at = image_entry.at
    if command is not None:
        words += command
        at = at or (command[0][1] if command else None)
    elif image_cmd is not None:
        if image_cmd.command.form == "shell":
            if not words:
                return None, "shell", image_cmd.at
            words += [(word, image_cmd.at) for word in image_cmd.argv]
        else:
            words += _exec_words(image_cmd)
        at = at or image_cmd.at
    return words, form, at


def _of_base(
    image: Image,
    env: Mapping[str, Value | None],
    words: list[tuple[str, Location]],
    form: str | None,
    at: Location | None,
) -> tuple[list[tuple[str, Location]], str | None, Location | None]:
    """The command with what the base image of a model server puts around it."""
    reference = image.base.reference
    plain = [word for word, _ in words]
    made = plain if not isinstance(reference, str) else serverimages.command(reference, env, plain)
    if made == plain:
        return words, form, at
    place = image.base.at
    kept = dict(words)
    return [(word, kept.get(word, place)) for word in made], "exec", at or place


def _exec_words(process: Process) -> list[tuple[str, Location]]:
    return [
        # Past the opening quote of the JSON string.
        (word.text, Location(word.at.path, word.at.line, word.at.column + 1))
        for word in process.command.words
    ]


def environment_of(service: Service) -> Mapping[str, Value | None]:
    """The container's variables by name."""
    return {v.name: v.value for v in service.variables}
