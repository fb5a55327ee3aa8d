"""Containers that a cloud runs: task definitions of Amazon ECS, and Azure Container Apps.

Both become the workloads of ``auditor.parsers.kubernetes``, with ``platform`` "ecs" or "container-apps".
What a task definition's ``healthCheck`` runs is an exec probe. Values that a deployment fills in
(``<IMAGE1_NAME>``, ``${IMAGE_URI}``) leave the container's own name as that of its image.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import lazy_re as re
from auditor.parsers import kubernetes, yamldoc
from auditor.parsers.kubernetes import (
    Container,
    ContainerPort,
    EnvironmentFrom,
    EnvironmentSource,
    EnvironmentVariable,
    PodTemplate,
    Probe,
    Resources,
    SecurityContext,
    Value,
    VolumeMount,
    Workload,
)
from auditor.parsers.yamldoc import Mapping, Node, Scalar, Sequence
from auditor.source import Location, SourceText
from auditor.values import replace

_FILLED_IN = re.compile(r"[<{$]|\bIMAGE\b|PLACEHOLDER|REPLACE|^$")
_MANY = 50


def is_task(text: str) -> bool:
    """Whether a text may be one of them."""
    return '"containerDefinitions"' in text or (
        "containers:" in text
        and ("managedEnvironmentId" in text or "Microsoft.App/" in text or "targetPort" in text)
    )


def parse(source: SourceText, *, filled: bool = False) -> tuple[Workload, ...]:
    """The tasks that a file defines; none for any other file.

    ``filled``: a workflow puts further variables into the containers.
    """
    found: list[Workload] = []
    for document in yamldoc.parse(source).documents:
        if not isinstance(document, Mapping):
            continue
        if document.entry("containerDefinitions") is not None:
            found.append(_ecs(document, filled=filled))
        else:
            template = document.get("properties", "template", "containers")
            if isinstance(template, Sequence) and document.entry("apiVersion") is None:
                found.append(_container_app(document))
    return tuple(found)


# --- what both share


def _value(node: Node | None) -> Value | None:
    if not isinstance(node, Scalar) or node.is_null:
        return None
    return Value(value=node.text, at=node.at)


def _get(node: Mapping, *path: str) -> Value | None:
    return _value(node.get(*path))


def _text(node: Mapping, *path: str) -> str:
    found = _get(node, *path)
    return str(found) if found is not None else ""


def _flag(node: Mapping, *path: str) -> bool:
    return _text(node, *path).lower() == "true"


def _items(node: Node | None) -> Iterator[Mapping]:
    for item in node.items[:_MANY] if isinstance(node, Sequence) else ():
        if isinstance(item, Mapping):
            yield item


def _words(node: Node | None) -> tuple[Value, ...] | None:
    if not isinstance(node, Sequence) or not node.items:
        return None
    made = (_value(item) for item in node.items[:_MANY])
    return tuple(item for item in made if item is not None)


def _image(node: Mapping, name: str) -> Value | None:
    """The image; the container's own name where something fills it in later."""
    found = _get(node, "image")
    if found is None:
        return None
    last = str(found).partition("@")[0].rpartition("/")[2].partition(":")[0]
    return Value(value=name, at=found.at) if name and _FILLED_IN.search(last) else found


def _workload(kind: str, platform: str, name: str, at: Location, pod: PodTemplate) -> Workload:
    return Workload(kind=kind, api_version="", name=name, namespace=None, at=at, pod=pod, platform=platform)  # fmt: skip


# --- Amazon ECS


def _ecs(document: Mapping, *, filled: bool) -> Workload:
    entry = document.entry("containerDefinitions")
    at = entry.at if entry is not None else document.at
    memory = _get(document, "memory")
    pod = PodTemplate(
        at=at,
        containers=tuple(
            _ecs_container(item, memory, filled=filled)
            for item in _items(document.get("containerDefinitions"))
        ),
        host_network=_text(document, "networkMode") == "host",
        service_links=False,
    )
    return _workload("Task", "ecs", _text(document, "family") or "task", at, pod)


def _ecs_container(node: Mapping, task_memory: Value | None, *, filled: bool) -> Container:
    name = _text(node, "name")
    user = _get(node, "user")
    memory = _get(node, "memory") or task_memory
    limit = None
    if memory is not None and memory.number is not None:
        limit = Value(value=f"{memory.number}Mi", at=memory.at)
    return Container(
        name=name,
        at=node.at,
        image=_image(node, name),
        command=_words(node.get("entryPoint")),
        args=_words(node.get("command")),
        working_dir=_get(node, "workingDirectory"),
        ports=tuple(_ecs_ports(node)),
        env=tuple(_ecs_environment(node)),
        env_from=tuple(_ecs_files(node, filled=filled)),
        liveness_probe=_ecs_health(node.get("healthCheck")),
        resources=None if limit is None else Resources(at=limit.at, limits=(("memory", limit),)),
        volume_mounts=tuple(
            VolumeMount(
                name=_text(item, "sourceVolume"),
                at=item.at,
                mount_path=_get(item, "containerPath"),
                read_only=_flag(item, "readOnly"),
            )
            for item in _items(node.get("mountPoints"))
        ),
        security_context=SecurityContext(
            at=(user.at if user is not None else node.at),
            run_as_user=user if user is not None and str(user) else None,
            read_only_root_filesystem=_flag(node, "readonlyRootFilesystem"),
            privileged=_flag(node, "privileged"),
        ),
    )


def _ecs_ports(node: Mapping) -> Iterator[ContainerPort]:
    for item in _items(node.get("portMappings")):
        port = _get(item, "containerPort")
        if port is not None:
            yield ContainerPort(
                at=port.at,
                container_port=port,
                name=_get(item, "name"),
                protocol=(_text(item, "protocol") or "tcp").upper(),
                host_port=_get(item, "hostPort"),
            )


def _ecs_environment(node: Mapping) -> Iterator[EnvironmentVariable]:
    for item in _items(node.get("environment")):
        name, held = _text(item, "name"), _get(item, "value")
        if name:
            yield EnvironmentVariable(
                name=name, at=item.at, value=held.value if held is not None else ""
            )
    for item in _items(node.get("secrets")):
        name = _text(item, "name")
        if name:
            source = EnvironmentSource(
                kind="parameter",
                name=_text(item, "valueFrom"),
                key=None,
                optional=False,
                at=item.at,
            )
            yield EnvironmentVariable(name=name, at=item.at, source=source)


def _ecs_files(node: Mapping, *, filled: bool) -> Iterator[EnvironmentFrom]:
    """Variables that stand in none of the repository's files."""
    places = [(_text(item, "value"), item.at) for item in _items(node.get("environmentFiles"))]
    if filled:
        places.append(("a workflow's step", node.at))
    for name, at in places:
        source = EnvironmentSource(kind="file", name=name, key=None, optional=False, at=at)
        yield EnvironmentFrom(source=source)


def _ecs_health(node: Node | None) -> Probe | None:
    """``["CMD-SHELL", text]`` or ``["CMD", word, …]``."""
    words = _words(node.get("command")) if isinstance(node, Mapping) else None
    if words is None or node is None:
        return None
    first, rest = str(words[0]), words[1:]
    if first == "CMD-SHELL" and rest:
        shell = tuple(Value(value=text, at=rest[0].at) for text in ("/bin/sh", "-c"))
        return Probe(kind="exec", at=node.at, command=(*shell, rest[0]))
    return Probe(kind="exec", at=node.at, command=rest) if first == "CMD" and rest else None


# --- Azure Container Apps


def _container_app(document: Mapping) -> Workload:
    containers = document.get("properties", "template", "containers")
    target = _get(document, "properties", "configuration", "ingress", "targetPort")
    found = []
    for number, item in enumerate(_items(containers)):
        made = kubernetes.container(item)
        ports: tuple[ContainerPort, ...] = ()
        if target is not None and number == 0:
            ports = (ContainerPort(at=target.at, container_port=target),)
        found.append(
            replace(
                made,
                image=_image(item, made.name),
                env=tuple(_app_environment(item)),
                ports=ports,
                **_app_probes(item),
            )
        )
    at = containers.at if containers is not None else document.at
    pod = PodTemplate(at=at, containers=tuple(found), service_links=False)
    name = _text(document, "name") or next((item.name for item in found if item.name), "app")
    return _workload("ContainerApp", "container-apps", name, at, pod)


def _app_environment(node: Mapping) -> Iterator[EnvironmentVariable]:
    for item in _items(node.get("env")):
        name, held = _text(item, "name"), _get(item, "value")
        if not name:
            continue
        if item.entry("secretRef") is not None:
            source = EnvironmentSource(
                kind="parameter",
                name=_text(item, "secretRef"),
                key=None,
                optional=False,
                at=item.at,
            )
            yield EnvironmentVariable(name=name, at=item.at, source=source)
        else:
            yield EnvironmentVariable(
                name=name, at=item.at, value=held.value if held is not None else ""
            )


def _app_probes(node: Mapping) -> dict[str, Probe]:
    found: dict[str, Probe] = {}
    for item in _items(node.get("probes")):
        probe = kubernetes.probe(item)
        name = _text(item, "type").lower()
        if probe is not None and name in ("liveness", "readiness", "startup"):
            found[f"{name}_probe"] = probe
    return found
