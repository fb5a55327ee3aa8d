"""What to start, and how: the static model of a service as arguments for the engine.

A service runs as its own configuration says, with these exceptions, each of them noted: what is
bound from the repository is given as a copy; nothing outside the repository is mounted, neither
is the engine's socket; no privileges, no network of the host; host ports are the engine's choice,
on the loopback address.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.linking.serving import memory_limit, seconds
from auditor.source import Location, Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage, Deployment, Mount, Published, Service
    from auditor.parsers.compose.facts import ComposeHealthcheck, ComposeService


@value
class Volume:
    """Something mounted. ``source`` is a path of the repository to copy; ``shared`` names a volume
    that several services of a group see; neither: an empty one of its own.
    """

    target: str
    kind: Literal["copy", "shared", "own", "tmpfs"]
    source: str | None = None
    shared: str | None = None
    read_only: bool = False


@value
class Health:
    """A health check that replaces the image's; ``test`` as the engine takes it."""

    test: tuple[str, ...]
    interval: float | None = None
    timeout: float | None = None
    retries: int | None = None
    start_period: float | None = None


@value
class Port:
    """A container port to publish. ``declared``: the configuration itself publishes it."""

    number: int
    declared: bool
    host_port: int | None = None
    host_ip: str | None = None
    at: Location | None = None


@value(eq=False)
class ServicePlan:
    """One service as it will be started."""

    name: str
    service: Service
    # Its name on the group's network, and others by which its peers know it.
    alias: str
    aliases: tuple[str, ...] = ()
    image: BuiltImage | None = None
    reference: str | None = None
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    workdir: str | None = None
    volumes: tuple[Volume, ...] = ()
    ports: tuple[Port, ...] = ()
    health: Health | None = None
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    read_only: bool = False
    init: bool | None = None
    stop_signal: str | None = None
    grace: float = 10.0
    hostname: str | None = None
    log_driver: str | None = None
    log_options: tuple[tuple[str, str], ...] = ()
    restarts: bool = False
    # (alias of the other service, condition)
    after: tuple[tuple[str, str], ...] = ()
    # Why it cannot even be tried, with the stage that this fails ("builds", "starts").
    refusal: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()


@value(eq=False)
class Group:
    """Services that are started together on one network, in the order in which they start."""

    name: str
    services: tuple[ServicePlan, ...]


def groups(deployment: Deployment, only: Sequence[str] = ()) -> tuple[Group, ...]:
    """Everything that can be rehearsed; ``only`` names services, otherwise development is left out."""
    chosen: dict[str, list[Service]] = {}
    for service in deployment.services:
        if only:
            if service.name not in only:
                continue
        elif service.is_dev or service.profiles:
            continue
        chosen.setdefault(_group_of(service), []).append(service)
    made = []
    for name, members in chosen.items():
        if not any(s.ours for s in members):
            continue
        plans = [plan(s, deployment) for s in _with_dependencies(members, deployment)]
        made.append(Group(name=name, services=tuple(_ordered(_collisions(plans)))))
    return tuple(made)


def _group_of(service: Service) -> str:
    if service.project is not None:
        return "+".join(service.project.files)
    return "kubernetes" if service.workload is not None else service.name


def _with_dependencies(members: list[Service], deployment: Deployment) -> list[Service]:
    """The chosen services of a Compose project and what they depend on."""
    found = list(members)
    names = {s.compose.name for s in found if s.compose}
    for service in found:
        if service.compose is None:
            continue
        for dependency in service.compose.depends_on:
            if dependency.service in names:
                continue
            for other in deployment.services:
                if (
                    other.project is service.project
                    and other.compose is not None
                    and other.compose.name == dependency.service
                ):
                    names.add(dependency.service)
                    found.append(other)
    return found


def _ordered(plans: list[ServicePlan]) -> Iterable[ServicePlan]:
    """Dependencies first; a circle keeps its order."""
    waiting = list(plans)
    done: set[str] = set()
    present = {p.alias for p in plans}
    while waiting:
        ready = next(
            (p for p in waiting if all(a in done or a not in present for a, _ in p.after)),
            waiting[0],
        )
        waiting.remove(ready)
        done.add(ready.alias)
        yield ready


def _collisions(plans: list[ServicePlan]) -> list[ServicePlan]:
    """A host port that two services publish: the engine refuses the second."""
    from auditor.values import replace

    taken: dict[tuple[int, str], str] = {}
    made = []
    for item in plans:
        clash = None
        for port in item.ports:
            if port.host_port is None or item.service.origin != "compose":
                continue
            ip = "" if port.host_ip in (None, "0.0.0.0", "::") else str(port.host_ip)
            keys = [(port.host_port, ip)] if ip else []
            other = next((taken[k] for k in (*keys, (port.host_port, "")) if k in taken), None)
            if other is not None and other != item.name:
                clash = f"host port {port.host_port} is already published by `{other}`"
            taken.setdefault((port.host_port, ip), item.name)
            taken.setdefault((port.host_port, ""), item.name)
        made.append(
            replace(item, refusal=("starts", clash)) if clash and not item.refusal else item
        )
    return made


def plan(service: Service, deployment: Deployment) -> ServicePlan:
    """How one service is started."""
    notes: list[str] = []
    compose = service.compose
    entrypoint, command = _words(service, notes)
    refusal = None
    for fault in service.faults:
        if fault.kind == "env-file":
            refusal = ("builds", fault.message.replace("`", ""))
        elif fault.kind == "no-dockerfile":
            refusal = ("builds", fault.message)
    alias = compose.name if compose else _plain(service.name)
    aliases = _aliases(compose) if compose else ()
    if compose is not None and compose.privileged:
        notes.append("`privileged` is not granted")
    if compose is not None and compose.network_mode is not None:
        notes.append(f"`network_mode: {compose.network_mode.raw}` is replaced by a private network")
    return ServicePlan(
        name=service.name,
        service=service,
        alias=alias,
        aliases=aliases,
        image=service.image,
        reference=service.image_reference if service.image is None else None,
        entrypoint=entrypoint,
        command=command,
        environment=_environment(service, notes),
        user=_user(service),
        workdir=_workdir(service),
        volumes=tuple(_volumes(service, notes)),
        ports=_ports(service),
        health=_health(compose.healthcheck) if compose and compose.healthcheck else None,
        memory=limit[0] if (limit := memory_limit(service)) is not None else None,
        cpus=_cpus(service),
        pids=_integer(compose.pids_limit.value) if compose and compose.pids_limit else None,
        read_only=bool(compose and compose.read_only)
        or bool(
            service.container
            and service.container.security_context
            and service.container.security_context.read_only_root_filesystem
        ),
        init=True if compose and compose.init else None,
        stop_signal=_text(compose.stop_signal) if compose else None,
        grace=_grace(compose),
        hostname=_text(compose.hostname) if compose else None,
        log_driver=_text(compose.logging.driver) if compose and compose.logging else None,
        log_options=tuple(
            (name, text.value)
            for name, text in (compose.logging.options if compose and compose.logging else ())
            if isinstance(text.value, str)
        ),
        restarts=_restarts(service),
        after=tuple((d.service, d.condition) for d in (compose.depends_on if compose else ())),
        refusal=refusal,
        notes=tuple(dict.fromkeys(notes)),
    )


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "service"


def _text(text: object) -> str | None:
    found = getattr(text, "value", None)
    return found if isinstance(found, str) and found else None


def _integer(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isdigit() else None


def _aliases(compose: ComposeService) -> tuple[str, ...]:
    found = [_text(compose.container_name), _text(compose.hostname)]
    found += [alias for network in compose.networks for alias in network.aliases]
    return tuple(dict.fromkeys(a for a in found if a))


def _words(
    service: Service, notes: list[str]
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """(entrypoint, command) that replace the image's own; None leaves them."""
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    compose, container = service.compose, service.container
    if compose is not None:
        for what, item in (("entrypoint", compose.entrypoint), ("command", compose.command)):
            if item is None:
                continue
            if isinstance(item.words, Unknown):
                notes.append(f"the {what} of {service.name} is not known: {item.words.reason}")
                continue
            words = tuple(w.value if isinstance(w.value, str) else w.raw for w in item.words)
            if what == "entrypoint":
                entrypoint = words
            else:
                command = words
    elif container is not None:
        for what, given in (("entrypoint", container.command), ("command", container.args)):
            if given is None:
                continue
            words = tuple(w if isinstance(w, str) else "" for w in given)
            words = tuple(_expanded(word, service) for word in words)
            if what == "entrypoint":
                entrypoint = words
                command = command if container.args is not None else ()
            else:
                command = words
    elif (
        service.argv
        and service.command_at is not None
        and service.image is not None
        and service.command_at.path != service.image.dockerfile.path
    ):
        # A documented `docker run IMAGE COMMAND`.
        entrypoint, command = service.argv[:1], service.argv[1:]
    return entrypoint, command


def _expanded(word: str, service: Service) -> str:
    """Kubernetes' own ``$(NAME)``."""

    def known(match: re.Match[str]) -> str:
        variable = service.variable(match[1])
        found = variable.value if variable is not None else None
        return found if isinstance(found, str) else match[0]

    return re.sub(r"\$\(([A-Za-z_]\w*)\)", known, word)


def _environment(service: Service, notes: list[str]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for variable in service.variables:
        if variable.source == "image" or variable.name == "*":
            continue
        if isinstance(variable.value, str):
            found[variable.name] = variable.value
        else:
            found.pop(variable.name, None)
            notes.append(f"the variable {variable.name} is not set: {variable.value.reason}")
    return tuple(found.items())


def _user(service: Service) -> str | None:
    if service.compose is not None:
        return _text(service.compose.user)
    if service.container is not None and isinstance(service.user, str):
        at = service.user_at
        if at is not None and service.image and at.path != service.image.dockerfile.path:
            return service.user
    return None


def _workdir(service: Service) -> str | None:
    if service.compose is not None:
        return _text(service.compose.working_dir)
    if service.container is not None and isinstance(service.container.working_dir, str):
        return service.container.working_dir
    return None


def _volumes(service: Service, notes: list[str]) -> Iterable[Volume]:
    seen: set[str] = set()
    group = _group_of(service)
    for mount in service.mounts:
        if not isinstance(mount.target, str):
            notes.append(f"a volume is not mounted: {mount.target.reason}")
            continue
        target = posixpath.normpath("/" + mount.target.lstrip("/"))
        if target in seen or target == "/":
            continue
        seen.add(target)
        yield _volume(mount, target, group, notes)
    for text in service.compose.tmpfs if service.compose else ():
        if isinstance(text.value, str):
            yield Volume(target=text.value.partition(":")[0], kind="tmpfs")


def _volume(mount: Mount, target: str, group: str, notes: list[str]) -> Volume:
    if mount.kind == "tmpfs":
        return Volume(target=target, kind="tmpfs")
    if mount.kind == "bind":
        if mount.source is None:
            notes.append(
                f"{mount.source_text or 'a directory'} is outside the repository: an empty one is "
                f"mounted at {target}"
            )
            return Volume(target=target, kind="copy", read_only=mount.read_only)
        return Volume(target=target, kind="copy", source=mount.source, read_only=mount.read_only)
    if mount.kind == "volume":
        shared = f"{group}/{mount.source_text}" if mount.named else None
        return Volume(
            target=target,
            kind="shared" if shared else "own",
            shared=shared,
            read_only=mount.read_only,
        )
    notes.append(f"what is mounted at {target} is not known here: an empty directory stands for it")
    return Volume(target=target, kind="copy", read_only=mount.read_only)


def _ports(service: Service) -> tuple[Port, ...]:
    """The ports to publish: those of the configuration, else what EXPOSE and the code name."""
    found: dict[int, Port] = {}

    def add(number: object, declared: bool, item: Published | None = None) -> None:
        if not isinstance(number, int) or not 0 < number < 65536:
            return
        port = Port(
            number=number,
            declared=declared,
            host_port=item.host_port if item and isinstance(item.host_port, int) else None,
            host_ip=item.host_ip if item else None,
            at=item.at if item else None,
        )
        if number not in found or (declared and not found[number].declared):
            found[number] = port

    for item in service.published:
        if item.protocol == "tcp" and item.source != "kubernetes":
            add(item.container_port, True, item)
        elif item.source == "kubernetes":
            add(item.container_port, True)
    for exposed in service.image.image.exposed if service.image else ():
        if exposed.protocol == "tcp":
            add(exposed.first, False)
    for listen in service.listens:
        add(listen.port, False)
    declared = [port for port in found.values() if port.declared]
    return tuple(declared or found.values())[:32]


def _health(check: ComposeHealthcheck) -> Health | None:
    if check.form == "none":
        return Health(test=("NONE",))
    test: tuple[str, ...]
    if check.form == "shell" and check.shell is not None and isinstance(check.shell.value, str):
        test = ("CMD-SHELL", check.shell.value)
    elif check.form == "exec":
        words = [w.value for w in check.words]
        if not all(isinstance(w, str) for w in words):
            return None
        test = ("CMD", *(str(w) for w in words))
    else:
        return None
    return Health(
        test=test,
        interval=seconds(_text(check.interval)),
        timeout=seconds(_text(check.timeout)),
        retries=_integer(check.retries.value) if check.retries else None,
        start_period=seconds(_text(check.start_period)),
    )


def _cpus(service: Service) -> float | None:
    compose = service.compose
    if compose is None:
        return None
    text = _text(compose.cpus)
    if text is None and compose.deploy and compose.deploy.limits:
        text = _text(compose.deploy.limits.cpus)
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _grace(compose: ComposeService | None) -> float:
    if compose is None:
        return 10.0
    return min(seconds(_text(compose.stop_grace_period)) or 10.0, 60.0)


def _restarts(service: Service) -> bool:
    compose = service.compose
    if compose is None:
        return service.workload is not None
    if compose.restart is not None:
        return _text(compose.restart) not in (None, "no")
    return bool(compose.deploy and compose.deploy.restart_policy)
