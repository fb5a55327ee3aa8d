"""Kubernetes workloads as services: their images tied to the Dockerfiles that build them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.deployment import healthcheck
from auditor.deployment.base import ImageReference
from auditor.deployment.model import HealthCheck, Mount, Published, Value, Variable
from auditor.parsers import kubernetes, shell
from auditor.source import Fragment, Location, Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.deployment.model import BuiltImage
    from auditor.parsers.kubernetes import Container, Probe, Workload


@value
class Running:
    """A container of a workload, with the objects that concern it."""

    workload: Workload
    container: Container
    cluster: Cluster


@value
class Cluster:
    """All objects of the repository's manifests."""

    workloads: tuple[kubernetes.Workload, ...] = ()
    services: tuple[kubernetes.Service, ...] = ()
    config_maps: tuple[kubernetes.ConfigMap, ...] = ()
    secrets: tuple[kubernetes.Secret, ...] = ()


def read(facts: Facts) -> Cluster:
    """The objects of every manifest that is meant for production and is no template."""
    from auditor.discovery import FileKind

    objects: list[kubernetes.Object] = []
    for entry in facts.repository.of_kind(FileKind.YAML):
        if entry.is_dev or entry.size > 1_000_000:
            continue
        text = facts.read(entry.path)
        if text is None or not kubernetes.is_manifest(text.text):
            continue
        parsed = kubernetes.parse(text)
        objects.extend(parsed.objects)
    return Cluster(
        workloads=tuple(o for o in objects if isinstance(o, kubernetes.Workload)),
        services=tuple(o for o in objects if isinstance(o, kubernetes.Service)),
        config_maps=tuple(o for o in objects if isinstance(o, kubernetes.ConfigMap)),
        secrets=tuple(o for o in objects if isinstance(o, kubernetes.Secret)),
    )


def running(cluster: Cluster, names: Iterable[str]) -> Iterator[Running]:
    """The containers whose image has one of these names (the last part, without tag)."""
    wanted = {n.rpartition("/")[2].partition(":")[0].lower() for n in names if n}
    for workload in cluster.workloads:
        if workload.kind in ("Job", "CronJob"):
            continue
        for container in workload.pod.containers:
            image = container.image.value if container.image else None
            if not isinstance(image, str):
                continue
            name = ImageReference.parse(image).repository.rpartition("/")[2].lower()
            if name in wanted:
                yield Running(workload=workload, container=container, cluster=cluster)


def variables(item: Running, image: BuiltImage) -> tuple[list[Variable], bool]:
    """(variables of the container, whether every one of them is known by name)."""
    found = [Variable(name=v.name, value=v.value, at=v.at, source="image") for v in image.image.env]
    complete = True
    maps = {m.name: m for m in item.cluster.config_maps if isinstance(m.name, str)}
    secrets = {s.name: s for s in item.cluster.secrets if isinstance(s.name, str)}
    for origin in item.container.env_from:
        source = origin.source
        if source.kind == "ConfigMap" and source.name in maps:
            found += [
                Variable(name=f"{origin.prefix}{key}", value=v.value, at=v.at, source="kubernetes")
                for key, v in maps[source.name].data
            ]
        elif source.kind == "Secret" and source.name in secrets:
            found += [
                Variable(
                    name=f"{origin.prefix}{key}",
                    value=Unknown("it is a secret"),
                    at=at,
                    source="kubernetes",
                )
                for key, at in secrets[source.name].keys
            ]
        else:
            complete = False
            found.append(
                Variable(
                    name="*",
                    value=Unknown(f"{source.kind} {source.name} is not in the repository"),
                    at=source.at,
                    source="kubernetes",
                )
            )
    for variable in item.container.env:
        text: Value
        if variable.value is not None:
            text = variable.value
        elif (
            variable.source is not None
            and variable.source.kind == "ConfigMap"
            and variable.source.name in maps
            and variable.source.key
            and (held := maps[variable.source.name].get(variable.source.key)) is not None
        ):
            text = held.value
        else:
            text = Unknown("it comes from a Secret, field or ConfigMap")
        found.append(Variable(name=variable.name, value=text, at=variable.at, source="kubernetes"))
    return found, complete


def mounts(item: Running) -> list[Mount]:
    """What is mounted over the image's files. Nothing of it comes from the image."""
    volumes = {v.name: v for v in item.workload.pod.volumes}
    found = []
    for mount in item.container.volume_mounts:
        if mount.mount_path is None:
            continue
        volume = volumes.get(mount.name)
        kind = volume.kind if volume is not None else "persistentVolumeClaim"
        found.append(
            Mount(
                target=mount.mount_path.value,
                kind="other",
                at=mount.at,
                source_text=f"the {kind} volume `{mount.name}`",
                read_only=mount.read_only,
            )
        )
    return found


def published(item: Running) -> list[Published]:
    """The container ports that Services send to."""
    labels = {k: v.value for k, v in item.workload.pod.labels}
    found = []
    for service in item.cluster.services:
        if service.namespace != item.workload.namespace:
            continue
        selector = [(k, v.value) for k, v in service.selector]
        if not selector or any(labels.get(k) != v for k, v in selector):
            continue
        if len(item.workload.pod.containers) > 1:
            # Which container of a pod a number means, only its process says.
            owned = {p.container_port.number for p in item.container.ports}
        else:
            owned = None
        for port in service.ports:
            if port.protocol != "TCP":
                continue
            target = port.target_port or port.port
            number = _number(target, item.container)
            if number is None and isinstance(target.value, str) and not target.value.isdigit():
                continue
            if owned is not None and number not in owned:
                continue
            found.append(
                Published(
                    container_port=number
                    if number is not None
                    else Unknown("the targetPort is templated"),
                    host_port=None,
                    host_ip=None,
                    protocol="tcp",
                    at=target.at,
                    source="kubernetes",
                )
            )
    return found


def _number(port: kubernetes.Value, container: Container) -> int | None:
    if port.number is not None:
        return port.number
    if isinstance(port.value, str):
        named = container.port_named(port.value)
        if named is not None:
            return named.container_port.number
    return None


def health(item: Running, env: shell.Env) -> list[HealthCheck]:
    """The probes; a readiness probe counts before a liveness probe."""
    container = item.container
    probes = (container.startup_probe, container.liveness_probe, container.readiness_probe)
    return [_probe(probe, container, env) for probe in probes if probe is not None]


def _probe(probe: Probe, container: Container, env: shell.Env) -> HealthCheck:
    if probe.kind == "exec" and probe.command:
        words = [_fragment(word.value, word.at) for word in probe.command]
        return healthcheck.read(shell.exec_form(probe.at.path, words), probe.at, "kubernetes", env)
    port = _number(probe.port, container) if probe.port is not None else None
    path = probe.path.value if probe.path is not None else "/"
    return HealthCheck(
        at=probe.port.at if probe.port is not None else probe.at,
        source="kubernetes",
        host="localhost" if probe.host is None else str(probe.host),
        port=port,
        path=path if isinstance(path, str) else None,
        scheme="http" if probe.kind == "http" else probe.kind,
    )


def _fragment(text: Value, at: Location) -> Fragment:
    return Fragment(at.path, [(text if isinstance(text, str) else "", at.line, at.column)])


def words(items: Sequence[kubernetes.Value] | None) -> tuple[tuple[str, Location], ...] | None:
    """``command`` or ``args`` as (word, place); ``$(NAME)`` is written as the shell would."""
    if items is None:
        return None
    return tuple((str(item), item.at) for item in items)


def image_names(dockerfile: str, context: str, tags: Sequence[str], root: str) -> tuple[str, ...]:
    """Names under which a manifest may mean the image of this Dockerfile."""
    if tags:
        return tuple(tags)
    base = posixpath.basename(posixpath.dirname(dockerfile)) or posixpath.basename(context)
    suffix = posixpath.basename(dockerfile).lower()
    suffix = suffix.removeprefix("dockerfile").strip(".-_").removesuffix("dockerfile").strip(".-_")
    names = [n for n in (base, suffix, f"{base}-{suffix}" if base and suffix else "") if n]
    if not base:
        names.append(posixpath.basename(root.rstrip("/")))
    return tuple(names)
