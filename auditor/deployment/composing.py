"""What Compose itself refuses, or does otherwise than its file seems to say."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment.model import BuiltImage, Mount, StartFault
from auditor.findings import Stage
from auditor.parsers import dotenv
from auditor.parsers.compose.tree import SERVICE_KEYS
from auditor.source import Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.parsers.compose.facts import ComposeProject, ComposeService, ComposeVolume

# A variable that Compose itself replaces (not ``$$NAME``).
_REPLACED = re.compile(r"(?<!\$)\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
# An option of a command line whose value is a variable and nothing else.
_LOST_VALUE = re.compile(r"(?<![\w-])(--?[A-Za-z][\w-]*)[= ]\$\{?([A-Za-z_]\w*)\}?(?![\w/.:-])")
# Variables of whoever starts Compose, in every shell.
_OF_SHELL = frozenset({"PWD", "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG"})
_OPERATORS = frozenset({"&&", "||", ";", "|", ">", ">>", "2>&1", "&"})


# Services that put files where others find them, by name or command.
_FILLS = re.compile(
    r"train|init|download|fetch|seed|migrat|setup|prepare|build|export|pipeline|etl|dvc|pull|sync",
    re.IGNORECASE,
)


class Composition:
    """A project, and what is worked out once for all of its services."""

    def __init__(self, facts: Facts, project: ComposeProject) -> None:
        self.facts = facts
        self.project = project
        self.services = {service.name: service for service in project.services}
        self.networks = {network.name for network in project.networks} | {"default"}
        self.volumes = {volume.name: volume for volume in project.volumes}

    @cached_property
    def env_by_hand(self) -> bool:
        """Whether the ``.env`` beside the project is written where it is started.

        Git ignores it, an example of it is there, or a service does not start without it.
        """
        project, repository = self.project, self.facts.repository
        path = posixpath.join(project.directory, ".env")
        asked = (use.file.path for s in project.services for use in s.env_files if use.required)
        return (
            project.ignored_env
            or path in asked
            or repository.would_ignore(path)
            or any(repository.is_file(example) for example in dotenv.examples(path))
        )

    @cached_property
    def named(self) -> dict[str, ComposeService]:
        """The first service of each container name, of those that always take part."""
        found: dict[str, ComposeService] = {}
        for service in self.project.services:
            name = service.container_name
            if name is not None and isinstance(name.value, str) and not service.profiles:
                found.setdefault(name.value, service)
        return found

    @cached_property
    def profiles_chosen(self) -> bool:
        """Whether the project's own files say that profiles are switched on when it is started."""
        folder = self.project.directory
        names = {".env", "Makefile", "justfile", "Taskfile.yml"}
        for entry in self.facts.repository.entries:
            head, name = posixpath.split(entry.path)
            told = name in names or name.startswith(".env") or name.endswith((".sh", ".md"))
            if not told or head not in ("", folder, "scripts", "docs") or entry.size > 200_000:
                continue
            text = self.facts.read(entry.path)
            if text is not None and ("--profile" in text.text or "COMPOSE_PROFILES" in text.text):
                return True
        return self.project.ignored_env

    @cached_property
    def lenders(self) -> frozenset[str]:
        """Services whose network others share (``network_mode: service:front``)."""
        modes = (s.network_mode.value for s in self.project.services if s.network_mode is not None)
        told = (mode.partition(":") for mode in modes if isinstance(mode, str))
        return frozenset(name for kind, _, name in told if kind == "service")

    @cached_property
    def demanded(self) -> tuple[str, ...]:
        """Variables without which Compose refuses the project, and that nothing says are given."""
        required = [v.name for v in self.project.variables if v.source == "required"]
        named = tuple(name for name in required if name not in _OF_SHELL)
        return () if not named or self.env_by_hand else named

    @cached_property
    def unset(self) -> frozenset[str]:
        """Variables that Compose replaces and nothing of the repository sets."""
        unset = {v.name for v in self.project.variables if v.source == "unset"}
        return frozenset(unset) - _OF_SHELL

    @cached_property
    def replaced(self) -> frozenset[tuple[str, str, int]]:
        """Every variable that Compose replaces, with the file and line."""
        return frozenset((v.name, v.at.path, v.at.line) for v in self.project.variables)

    @cached_property
    def is_overlay(self) -> bool:
        """Whether this is one more file beside the one that Compose reads by itself."""
        folder, name = posixpath.split(self.project.files[0])
        return name not in _PLAIN and any(
            self.facts.repository.exists(posixpath.join(folder, plain)) for plain in _PLAIN
        )

    @cached_property
    def writers(self) -> dict[tuple[str, str], list[tuple[ComposeService, str]]]:
        """Who may write a volume or a directory of the host, and what each of them runs."""
        writers: dict[tuple[str, str], list[tuple[ComposeService, str]]] = {}
        for service in self.project.services:
            told = _told(service)
            for item in service.volumes:
                if item.source is not None and not item.read_only:
                    writers.setdefault(_place(item), []).append((service, told))
        return writers


def _place(volume: ComposeVolume) -> tuple[str, str]:
    """What tells a volume or a directory of the host from others."""
    if volume.type == "bind" and volume.path is not None:
        return volume.type, volume.path
    return volume.type, volume.source.raw if volume.source is not None else ""


def shared_with(composition: Composition, service: ComposeService, volume: ComposeVolume) -> str:
    """Another service that mounts the same volume, or directory, and may put files there.

    A volume is empty until somebody fills it; a directory of the repository is shared for many
    reasons, so there the other service's name or command must say that it makes something.
    """
    if volume.source is None or volume.type not in ("volume", "bind"):
        return ""
    own = None
    for other, told in composition.writers.get(_place(volume), ()):
        if other.name == service.name:
            continue
        own = _told(service) if own is None else own
        if told != own and (volume.type == "volume" or _FILLS.search(f"{other.name} {told}")):
            return other.name
    return ""


def _told(service: ComposeService) -> str:
    """What the service runs, as far as Compose says it."""
    words = []
    for command in (service.entrypoint, service.command):
        if command is not None and not isinstance(command.words, Unknown):
            words += [str(word.value) for word in command.words]
    build = service.build
    if build is not None:
        words += [str(build.context), str(build.dockerfile_path)]
        words.append(build.target.raw if build.target is not None else "")
    elif service.image is not None:
        words.append(service.image.raw)
    return " ".join(words)


def demands(composition: Composition) -> Iterator[tuple[Stage, str]]:
    """What Compose asks of whoever starts the project."""
    for name in composition.demanded:
        yield Stage.BUILDS, f"Compose wants `{name}` to be set by who starts it"


def faults(
    composition: Composition, service: ComposeService, image: BuiltImage | None
) -> Iterator[StartFault]:
    """Why Compose does not start this service, its image and command apart."""
    for fault in (*_refused(composition.project, service), *_references(composition, service)):
        # Given after the plain file (`-f`), which may declare what is missing here.
        yield replace(fault, possible=True) if composition.is_overlay else fault
    yield from _target(composition.facts, service, image)
    yield from _words(composition, service)
    yield from _swarm(service)


def _refused(project: ComposeProject, service: ComposeService) -> Iterator[StartFault]:
    """What does not fit Compose's schema: keys that there are not, values of another type."""
    for key, at in service.unknown_keys:
        from difflib import get_close_matches

        near = get_close_matches(key, SERVICE_KEYS, n=1, cutoff=0.8)
        yield StartFault(
            kind="compose",
            message=(
                f"a service has no key `{key}`"
                + (f" (`{near[0]}`?)" if near else "")
                + ": Compose refuses the file (`Unsupported config option`, `additional properties "
                f"'{key}' not allowed`)"
            ),
            at=at,
            # A key that is like none of ours may be newer than they are.
            possible=not near,
            certain=False,
            stage=Stage.BUILDS,
            everyone=True,
        )
    for problem in project.refused if service is project.services[0] else ():
        yield StartFault(
            kind="compose",
            message=f"{problem.message}: Compose refuses the file",
            at=problem.at,
            certain=False,
            stage=Stage.BUILDS,
            everyone=True,
        )


def _swarm(service: ComposeService) -> Iterator[StartFault]:
    """A swarm refuses to publish a port through its mesh for a service that has no address."""
    mode = service.deploy.endpoint_mode if service.deploy is not None else None
    port = next((p for p in service.ports if p.mode != "host" and p.published is not None), None)
    if mode is None or mode.value != "dnsrr" or port is None:
        return
    yield StartFault(
        kind="compose",
        message=(
            "`endpoint_mode: dnsrr` gives the service no address of its own, and this port is published "
            "through the mesh: `docker stack deploy` refuses it (`port published with ingress mode can't "
            "be used with dnsrr mode`)"
        ),
        at=port.at,
        related=((mode.at, "said here"),),
        # `docker compose up` passes over it.
        certain=False,
        stage=Stage.STARTS,
    )


_PLAIN = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


def mounts(service: ComposeService) -> Iterator[Mount]:
    """``tmpfs:`` entries, empty directories laid over the image's, and secrets."""
    for item in service.tmpfs:
        if isinstance(item.value, str):
            target = item.value.partition(":")[0]
            yield Mount(target=target, kind="tmpfs", at=item.at, source_text="an empty tmpfs")

    held = [str(use.target).removeprefix(_SECRETS) for use in service.secrets]
    if held:
        yield Mount(
            target=_SECRETS.rstrip("/"),
            kind="other",
            at=service.secrets[0].at,
            source_text="what `secrets:` lists",
            files=tuple(name for name in held if not name.startswith("/")),
        )


# Where Compose mounts secrets that name no other place.
_SECRETS = "/run/secrets/"


def _references(composition: Composition, service: ComposeService) -> Iterator[StartFault]:
    for link in service.links:
        linked = link.value.partition(":")[0] if isinstance(link.value, str) else ""
        if linked and linked not in composition.services:
            yield StartFault(
                kind="compose",
                message=(
                    f"`links` names `{linked}`, which is no service of this project: Compose refuses the "
                    f'file (`service "{service.name}" depends on undefined service "{linked}"`)'
                ),
                at=link.at,
                stage=Stage.BUILDS,
                everyone=True,
            )
    for dependency in service.depends_on:
        if not dependency.required:
            continue
        other = composition.services.get(dependency.service)
        if other is None:
            yield StartFault(
                kind="compose",
                message=(
                    f"`depends_on` names `{dependency.service}`, which is no service of this project: "
                    f'Compose refuses the file (`service "{service.name}" depends on undefined service`)'
                ),
                at=dependency.at,
                stage=Stage.BUILDS,
                everyone=True,
            )
        elif _left_out(service, other) and not composition.profiles_chosen:
            yield StartFault(
                kind="compose",
                message=(
                    f"`{service.name}` depends on `{other.name}`, which only the profile "
                    f"`{other.profiles[0].value}` enables: without it Compose starts nothing (`service "
                    f'"{other.name}" is required by "{service.name}" but is disabled`)'
                ),
                at=dependency.at,
                related=((other.profiles[0].at, "enabled by this profile alone"),),
                certain=False,
            )
        elif (
            dependency.condition == "service_healthy"
            and other.build is not None
            and other.healthcheck is not None
            and other.healthcheck.disabled
        ):
            yield StartFault(
                kind="compose",
                message=(
                    f"`{service.name}` waits until `{other.name}` is healthy, and its health check is "
                    "switched off: Compose does not start it"
                ),
                at=dependency.at,
                related=((other.healthcheck.at, "switched off here"),),
                stage=Stage.STARTS,
            )
    for network in service.networks:
        if re.fullmatch(r"[\w][\w.-]*", network.name) and network.name not in composition.networks:
            yield StartFault(
                kind="compose",
                message=(
                    f"the network `{network.name}` is declared nowhere: Compose refuses the file "
                    f'(`service "{service.name}" refers to undefined network {network.name}`)'
                ),
                at=network.at,
                stage=Stage.BUILDS,
                everyone=True,
            )
    yield from _same_name(composition, service)
    mode = service.network_mode.value if service.network_mode is not None else None
    if isinstance(mode, str) and mode.startswith(("service:", "container:")) and service.ports:
        yield StartFault(
            kind="compose",
            message=(
                f"`network_mode: {mode}` takes the network of another container, and ports are published "
                "there only: `conflicting options: port publishing and the container type network mode`"
            ),
            at=service.ports[0].at,
        )
    for volume in service.volumes:
        if volume.type != "volume" or volume.source is None:
            continue
        name = volume.source.value
        if not isinstance(name, str) or name in composition.volumes:
            continue
        if re.fullmatch(r"[\w][\w.-]*", name):
            yield StartFault(
                kind="compose",
                message=(
                    f"the volume `{name}` is declared nowhere: Compose refuses the file "
                    f'(`service "{service.name}" refers to undefined volume {name}`)'
                ),
                at=volume.at,
                stage=Stage.BUILDS,
                everyone=True,
            )


def _left_out(service: ComposeService, other: ComposeService) -> bool:
    """Whether a service takes part where the other, which it depends on, does not."""
    own = {text.value for text in service.profiles}
    theirs = {text.value for text in other.profiles}
    return bool(theirs) and not own and all(isinstance(name, str) for name in theirs)


def _same_name(composition: Composition, service: ComposeService) -> Iterator[StartFault]:
    """Two containers cannot have one name."""
    own = service.container_name
    other = composition.named.get(str(own.value)) if own is not None else None
    theirs = other.container_name if other is not None else None
    if own is None or theirs is None or other is None or other is service or service.profiles:
        return
    yield StartFault(
        kind="compose",
        message=(
            f"`{other.name}` has the container name `{own.value}` as well: `Conflict. The container name "
            f'"/{own.value}" is already in use`, and one of them is not started'
        ),
        at=own.at,
        related=((theirs.at, "the other one"),),
        everyone=True,
    )


def _target(
    facts: Facts, service: ComposeService, image: BuiltImage | None
) -> Iterator[StartFault]:
    build = service.build
    if build is None or image is not None or build.target is None:
        return
    target, path = build.target.value, build.dockerfile_path
    parsed = facts.dockerfile(path) if path is not None else None
    if not isinstance(target, str) or parsed is None or not parsed.stages:
        return
    names = [stage.name for stage in parsed.stages if stage.name]
    yield StartFault(
        kind="compose",
        message=(
            f"`{path}` has no stage `{target}`"
            + (f" (it has {', '.join(names[:4])})" if names else "")
            + f": `failed to find target {target}`"
        ),
        at=build.target.at,
        stage=Stage.BUILDS,
    )


def _words(composition: Composition, service: ComposeService) -> Iterator[StartFault]:
    """Words that only a shell would understand, and variables that Compose takes for its own."""
    unset = composition.unset
    # Where `environment:` takes it from the shell as well, the author means the shell.
    own = unset & {
        v.name
        for v in service.environment
        if v.value is not None and (v.name, v.at.path, v.at.line) not in composition.replaced
    }
    for command in (service.entrypoint, service.command):
        if command is None or isinstance(command.words, Unknown):
            continue
        lost = _LOST_VALUE.search(command.text.raw) if command.text is not None else None
        if lost is not None and command.text is not None and lost.group(2) in unset - own:
            yield StartFault(
                kind="literal-variable",
                message=(
                    f"nothing sets `{lost.group(2)}` for Compose (its shell, or `.env`), so "
                    f"`{lost.group(1)}` has no value: the program stops with an error"
                ),
                at=command.text.at,
                certain=False,
                possible=composition.env_by_hand,
            )
        written = [command.text] if command.is_string and command.text else command.words
        for word in written:
            named = [m.group(1) or m.group(2) for m in _REPLACED.finditer(word.raw)]
            name = next((n for n in named if n in own), None)
            if name is not None:
                yield StartFault(
                    kind="literal-variable",
                    message=(
                        f"Compose replaces `${name}` itself, from the shell that starts it and `.env`, "
                        f"not from `environment:`: there it is not set, and the command gets an empty "
                        f"text. `$${name}` leaves it to the container's shell"
                    ),
                    at=word.at,
                    certain=False,
                    possible=composition.project.ignored_env,
                )
        texts = [w.value if isinstance(w.value, str) else "" for w in command.words]
        operator = next((w for w in command.words[1:] if w.value in _OPERATORS), None)
        if operator is not None and texts and texts[0].rpartition("/")[2] not in _SHELLS:
            yield StartFault(
                kind="literal-variable",
                message=(
                    f"Compose starts no shell, so `{operator.value}` and what follows are handed to "
                    f'`{texts[0]}` as arguments. Wrap the command in `sh -c "…"`'
                ),
                at=operator.at,
                certain=False,
            )


_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "env", "find", "xargs"})
