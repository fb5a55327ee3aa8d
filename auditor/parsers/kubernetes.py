"""Kubernetes manifests as typed facts; what they mean together is for others to say.

Names follow the Kubernetes API reference (apps/v1, batch/v1, core/v1, networking.k8s.io/v1,
autoscaling/v2, policy/v1), those of platforms their own (Gateway API, KServe, Knative, Seldon,
Argo Rollouts). A value that a template has still to give is ``Unknown``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from auditor.parsers import kubeapi, yamldoc
from auditor.parsers.kubeapi import Refusal
from auditor.parsers.yamldoc import Mapping, Node, Scalar, Sequence
from auditor.source import Location, Problem, SourceText, Unknown
from auditor.values import value

WORKLOADS = frozenset(
    ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet")
)
# The port to which KServe and Knative send when the container names none.
PLATFORM_PORT = 8080
_MAX_OBJECTS = 5_000
_MAX_ITEMS = 20_000


@value
class Value:
    """A scalar with its place."""

    value: str | Unknown
    at: Location

    @property
    def number(self) -> int | None:
        """The value as a whole number, if it is one."""
        if isinstance(self.value, str) and self.value.isascii() and self.value.isdigit():
            return int(self.value) if len(self.value) < 12 else None
        return None

    def __str__(self) -> str:
        return self.value if isinstance(self.value, str) else "?"


@value
class ContainerPort:
    at: Location
    container_port: Value
    name: Value | None = None
    protocol: str = "TCP"
    host_port: Value | None = None


@value
class EnvironmentSource:
    """Where a value comes from: ``kind`` is ConfigMap, Secret, field or resource."""

    kind: str
    name: str
    key: str | None
    optional: bool
    at: Location


@value
class EnvironmentVariable:
    """``value`` is None when ``source`` gives it."""

    name: str
    at: Location
    value: str | Unknown | None = None
    source: EnvironmentSource | None = None


@value
class EnvironmentFrom:
    """``envFrom``: every key of a ConfigMap or Secret, with a prefix."""

    source: EnvironmentSource
    prefix: str = ""


@value
class Probe:
    """``kind`` is http, tcp, grpc, exec or unknown; ``port`` may be a number or a port's name."""

    kind: str
    at: Location
    port: Value | None = None
    path: Value | None = None
    host: Value | None = None
    scheme: Value | None = None
    command: tuple[Value, ...] = ()
    initial_delay_seconds: Value | None = None
    period_seconds: Value | None = None
    timeout_seconds: Value | None = None
    failure_threshold: Value | None = None


@value
class VolumeMount:
    name: str
    at: Location
    mount_path: Value | None = None
    sub_path: Value | None = None
    read_only: bool = False


@value
class SecurityContext:
    """Of a pod or a container; None where nothing is said."""

    at: Location
    run_as_user: Value | None = None
    run_as_group: Value | None = None
    fs_group: Value | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    privileged: bool | None = None
    allow_privilege_escalation: bool | None = None


@value
class Resources:
    """Amounts by resource name ("cpu", "memory", "nvidia.com/gpu")."""

    at: Location
    requests: tuple[tuple[str, Value], ...] = ()
    limits: tuple[tuple[str, Value], ...] = ()
    # A template fills in limits.
    open: bool = False

    def limit(self, name: str) -> Value | None:
        return next((value for key, value in self.limits if key == name), None)


@value
class Container:
    """``command`` replaces the image's ENTRYPOINT, ``args`` its CMD; None leaves the image's."""

    name: str
    at: Location
    image: Value | None = None
    image_pull_policy: Value | None = None
    command: tuple[Value, ...] | None = None
    args: tuple[Value, ...] | None = None
    working_dir: Value | None = None
    ports: tuple[ContainerPort, ...] = ()
    env: tuple[EnvironmentVariable, ...] = ()
    env_from: tuple[EnvironmentFrom, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    pre_stop: Probe | None = None
    post_start: Probe | None = None
    resources: Resources | None = None
    volume_mounts: tuple[VolumeMount, ...] = ()
    security_context: SecurityContext | None = None

    def port_named(self, name: str) -> ContainerPort | None:
        return next((p for p in self.ports if p.name is not None and p.name.value == name), None)


@value
class Volume:
    """``kind`` is the source's key: emptyDir, configMap, secret, persistentVolumeClaim, and so on."""

    name: str
    at: Location
    kind: str
    # The ConfigMap, Secret or claim it names; the path of a hostPath.
    source: Value | None = None
    medium: Value | None = None
    # Keys that are projected, as (key, path); empty means all.
    items: tuple[tuple[str, str], ...] = ()
    optional: bool = False


@value
class PodTemplate:
    at: Location
    labels: tuple[tuple[str, Value], ...] = ()
    annotations: tuple[tuple[str, Value], ...] = ()
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    security_context: SecurityContext | None = None
    termination_grace_period_seconds: Value | None = None
    restart_policy: Value | None = None
    host_network: bool = False
    service_account: Value | None = None
    # False: no variables that name the Services of the namespace.
    service_links: bool = True


@value
class Strategy:
    """``strategy`` of a Deployment or ``updateStrategy`` of the others."""

    at: Location
    type: Value | None = None
    max_surge: Value | None = None
    max_unavailable: Value | None = None


@value
class Object:
    """What every object has. ``at`` is the ``kind`` line; ``namespace`` None is the default."""

    kind: str
    api_version: str
    name: str | Unknown
    namespace: str | Unknown | None
    at: Location
    labels: tuple[tuple[str, Value], ...] = ()
    annotations: tuple[tuple[str, Value], ...] = ()
    # Why the API server does not take it.
    refused: tuple[Refusal, ...] = ()


@value
class Workload(Object):
    """Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob or Pod.

    Argo Rollouts, and what KServe, Knative and Seldon start from containers of their own kinds:
    ``platform`` names them.
    """

    pod: PodTemplate
    replicas: Value | None = None
    strategy: Strategy | None = None
    selector: tuple[tuple[str, Value], ...] = ()
    schedule: Value | None = None
    # ``volumeClaimTemplates`` of a StatefulSet, by name.
    claim_templates: tuple[str, ...] = ()
    # ``serviceName`` of a StatefulSet.
    service_name: Value | None = None
    platform: str = ""
    # The platform hands requests and answers to a sink (``logger`` of KServe and Seldon).
    records: bool = False


@value
class ServicePort:
    at: Location
    port: Value
    # A number or a container port's name; None is the same as ``port``.
    target_port: Value | None = None
    node_port: Value | None = None
    name: Value | None = None
    protocol: str = "TCP"


@value
class Service(Object):
    type: str = "ClusterIP"
    selector: tuple[tuple[str, Value], ...] = ()
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: Value | None = None
    external_name: Value | None = None


@value
class Backend:
    """One route of an Ingress. ``port`` is a number or the Service port's name."""

    at: Location
    service: Value
    port: Value | None = None
    host: Value | None = None
    path: Value | None = None
    # Another namespace than the route's.
    namespace: str | None = None


@value
class Ingress(Object):
    """Ingress, or a route of the Gateway API."""

    backends: tuple[Backend, ...] = ()
    ingress_class: Value | None = None


@value
class ConfigMap(Object):
    data: tuple[tuple[str, Value], ...] = ()
    binary_keys: tuple[str, ...] = ()

    def get(self, key: str) -> Value | None:
        return next((value for name, value in self.data if name == key), None)


@value
class Secret(Object):
    """Keys and their places only: the values are nobody's business."""

    keys: tuple[tuple[str, Location], ...] = ()


@value
class Scaler(Object):
    """HorizontalPodAutoscaler."""

    target_kind: str | None = None
    target_name: Value | None = None
    min_replicas: Value | None = None
    max_replicas: Value | None = None
    # Resources whose utilisation it looks at: shares of what the containers request.
    utilization: tuple[Value, ...] = ()


@value
class DisruptionBudget(Object):
    selector: tuple[tuple[str, Value], ...] = ()
    min_available: Value | None = None
    max_unavailable: Value | None = None


@value
class VolumeClaim(Object):
    access_modes: tuple[Value, ...] = ()
    storage: Value | None = None
    storage_class: Value | None = None


@value
class KubernetesFacts:
    """Objects in document order; kinds that are not known here are plain ``Object``."""

    path: str
    objects: tuple[Object, ...] = ()
    problems: tuple[Problem, ...] = ()
    template: bool = False

    def of(self, kind: type[_Kind]) -> tuple[_Kind, ...]:
        """The objects of one class: ``facts.of(Service)``."""
        return tuple(item for item in self.objects if isinstance(item, kind))


_Kind = TypeVar("_Kind", bound=Object)


def is_manifest(text: str) -> bool:
    """Whether YAML text looks like manifests: both ``apiVersion:`` and ``kind:`` as top keys."""
    lines = text.splitlines()
    return any(line.startswith("apiVersion:") for line in lines) and any(
        line.startswith("kind:") for line in lines
    )


def parse(source: SourceText) -> KubernetesFacts:
    """Every object of the file, ``List`` items included; never raises."""
    return read(yamldoc.parse(source))


def read(stream: yamldoc.YamlStream) -> KubernetesFacts:
    """Every object of YAML that is parsed already."""
    problems = list(stream.problems)
    objects: list[Object] = []
    for document in stream.documents:
        for node in _objects(document):
            if len(objects) >= _MAX_OBJECTS:
                message = f"has more than {_MAX_OBJECTS:,} objects; the rest was not read"
                problems.append(Problem(at=node.at, message=message, fatal=True))
                break
            objects.append(_Reader(problems).read(node))
    return KubernetesFacts(
        path=stream.path,
        objects=tuple(objects),
        problems=tuple(problems[:200]),
        template=stream.template,
    )


def of_nodes(path: str, nodes: Iterable[Mapping]) -> tuple[Object, ...]:
    """Objects from nodes that were made elsewhere."""
    stream = yamldoc.YamlStream(path=path, documents=tuple(nodes))
    return read(stream).objects


def container(node: Mapping) -> Container:
    """A container of another format that is written alike."""
    return _Reader([]).container(node)


def probe(node: Node) -> Probe | None:
    """A probe of another format that is written alike."""
    return _Reader([]).probe(node)


def _objects(document: Node) -> Iterator[Mapping]:
    if not isinstance(document, Mapping) or document.entry("kind") is None:
        return
    if document.entry("apiVersion") is None:
        return
    kind = document.get("kind")
    items = document.get("items")
    if isinstance(kind, Scalar) and kind.text.endswith("List") and isinstance(items, Sequence):
        for item in items.items:
            # One level is enough: a List of Lists is no manifest.
            if isinstance(item, Mapping) and item.entry("kind") is not None:
                yield item
        return
    yield document


def _map(node: Node | None, *path: str) -> Mapping | None:
    if isinstance(node, Mapping):
        found: Node | None = node.get(*path) if path else node
        if isinstance(found, Mapping):
            return found
    return None


def _value(node: Node | None) -> Value | None:
    if not isinstance(node, Scalar) or node.is_null:
        return None
    if node.is_template:
        return Value(value=Unknown(f"{node.text[:60]!r} is a template"), at=node.at)
    return Value(value=node.text, at=node.at)


def _get(node: Mapping | None, *path: str) -> Value | None:
    return None if node is None else _value(node.get(*path))


def _string(node: Mapping | None, *path: str) -> str:
    """The text, or an empty one; for names that only serve as keys."""
    found = _get(node, *path)
    return found.value if found is not None and isinstance(found.value, str) else ""


def _flag(node: Mapping | None, *path: str) -> bool | None:
    found = None if node is None else node.get(*path)
    return found.bool() if isinstance(found, Scalar) else None


def _pairs(node: Node | None) -> tuple[tuple[str, Value], ...]:
    if not isinstance(node, Mapping):
        return ()
    out: list[tuple[str, Value]] = []
    for entry in node.entries:
        value = _value(entry.value)
        if value is not None:
            out.append((entry.name, value))
    return tuple(out)


def _resources(node: Node | None) -> Resources | None:
    if isinstance(node, Scalar) and node.is_template:
        return Resources(at=node.at, open=True)
    if not isinstance(node, Mapping):
        return None
    limits = node.get("limits")
    return Resources(
        at=node.at,
        requests=_pairs(node.get("requests")),
        limits=_pairs(limits),
        open=isinstance(limits, Scalar) and limits.is_template,
    )


_Made = TypeVar("_Made")


class _Reader:
    """One object; counts list items, because aliases can repeat a list without bound."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.count = 0

    def items(self, node: Node | None) -> Iterator[Mapping]:
        for item in node.items if isinstance(node, Sequence) else ():
            self.count += 1
            if self.count > _MAX_ITEMS:
                return
            if isinstance(item, Mapping):
                yield item

    def many(self, node: Node | None, make: Callable[[Mapping], _Made | None]) -> tuple[_Made, ...]:
        made = (make(item) for item in self.items(node))
        return tuple(item for item in made if item is not None)

    def values(self, node: Node | None) -> tuple[Value, ...]:
        out: list[Value] = []
        for item in node.items if isinstance(node, Sequence) else ():
            self.count += 1
            value = _value(item)
            if value is not None and self.count <= _MAX_ITEMS:
                out.append(value)
        return tuple(out)

    def words(self, node: Node | None) -> tuple[Value, ...] | None:
        if isinstance(node, Sequence):
            return self.values(node)
        if isinstance(node, Scalar) and not node.is_null:
            self.problems.append(Problem(at=node.at, message="must be a list of strings"))
        return None

    def read(self, node: Mapping) -> Object:
        kind_node = node.get("kind")
        kind = _string(node, "kind")
        metadata = _map(node, "metadata")
        name = _get(metadata, "name") or _get(metadata, "generateName")
        namespace = _get(metadata, "namespace")
        common: dict[str, Any] = {
            "kind": kind,
            "api_version": _string(node, "apiVersion"),
            "name": name.value if name is not None else "",
            "namespace": namespace.value if namespace is not None else None,
            "at": kind_node.at if kind_node is not None else node.at,
            "labels": _pairs(metadata.get("labels") if metadata else None),
            "annotations": _pairs(metadata.get("annotations") if metadata else None),
            "refused": tuple(kubeapi.refusals(node)),
        }
        made = self.specific(kind, node, common)
        return Object(**common) if made is None else made

    def specific(self, kind: str, node: Mapping, common: dict[str, Any]) -> Object | None:
        spec = _map(node, "spec")
        api = _string(node, "apiVersion")
        if kind in WORKLOADS or (kind == "Rollout" and api.startswith("argoproj.io/")):
            return self.workload(kind, node, spec, common)
        if spec is not None and (platform := _PLATFORMS.get((api.partition("/")[0], kind))):
            return self.on_platform(platform, spec, common)
        if kind == "ConfigMap":
            binary = _map(node, "binaryData")
            return ConfigMap(
                data=_pairs(node.get("data")),
                binary_keys=tuple(e.name for e in binary.entries) if binary else (),
                **common,
            )
        if kind == "Secret":
            keys = [
                (entry.name, entry.at)
                for part in ("data", "stringData")
                for entry in (_map(node, part) or Mapping(at=node.at)).entries
            ]
            return Secret(keys=tuple(keys), **common)
        if spec is None:
            return None
        if kind == "Service" and not _string(node, "apiVersion").startswith("serving."):
            return Service(
                type=_string(spec, "type") or "ClusterIP",
                selector=_pairs(spec.get("selector")),
                ports=self.many(spec.get("ports"), _service_port),
                cluster_ip=_get(spec, "clusterIP"),
                external_name=_get(spec, "externalName"),
                **common,
            )
        if kind == "Ingress":
            return Ingress(
                backends=tuple(self.backends(spec)),
                ingress_class=_get(spec, "ingressClassName"),
                **common,
            )
        if kind in ("HTTPRoute", "GRPCRoute") and api.startswith("gateway.networking.k8s.io/"):
            return Ingress(backends=tuple(self.route_backends(spec)), **common)
        if kind == "HorizontalPodAutoscaler":
            return Scaler(
                utilization=tuple(self.utilization(spec)),
                target_kind=_string(spec, "scaleTargetRef", "kind") or None,
                target_name=_get(spec, "scaleTargetRef", "name"),
                min_replicas=_get(spec, "minReplicas"),
                max_replicas=_get(spec, "maxReplicas"),
                **common,
            )
        if kind == "PodDisruptionBudget":
            return DisruptionBudget(
                selector=_pairs(spec.get("selector", "matchLabels")),
                min_available=_get(spec, "minAvailable"),
                max_unavailable=_get(spec, "maxUnavailable"),
                **common,
            )
        if kind == "PersistentVolumeClaim":
            return VolumeClaim(
                access_modes=self.values(spec.get("accessModes")),
                storage=_get(spec, "resources", "requests", "storage"),
                storage_class=_get(spec, "storageClassName"),
                **common,
            )
        return None

    def workload(
        self, kind: str, node: Mapping, spec: Mapping | None, common: dict[str, Any]
    ) -> Workload | None:
        if spec is None:
            return None
        schedule = _get(spec, "schedule")
        inner: Mapping | None = spec
        if kind == "CronJob":
            inner = _map(spec, "jobTemplate", "spec")
        template = node if kind == "Pod" else _map(inner, "template")
        pod_spec = _map(template, "spec")
        if inner is None or template is None or pod_spec is None:
            message = f"{kind} has no pod specification"
            self.problems.append(Problem(at=common["at"], message=message))
            return None
        strategy = _map(inner, "strategy") or _map(inner, "updateStrategy")
        made = None
        if strategy is not None:
            made = Strategy(
                at=strategy.at,
                type=_get(strategy, "type"),
                max_surge=_get(strategy, "rollingUpdate", "maxSurge"),
                max_unavailable=_get(strategy, "rollingUpdate", "maxUnavailable"),
            )
        claims = [
            _string(item, "metadata", "name")
            for item in self.items(inner.get("volumeClaimTemplates"))
        ]
        return Workload(
            pod=self.pod(template, pod_spec),
            replicas=_get(inner, "replicas"),
            strategy=made,
            selector=_pairs(inner.get("selector", "matchLabels")),
            schedule=schedule,
            claim_templates=tuple(claims),
            service_name=_get(inner, "serviceName"),
            **common,
        )

    def on_platform(self, platform: str, spec: Mapping, common: dict[str, Any]) -> Workload | None:
        """A workload of KServe, Knative or Seldon that brings containers of its own."""
        template: Mapping | None = spec
        if platform == "knative":
            template = _map(spec, "template")
            inner = _map(template, "spec")
        elif platform == "kserve":
            inner = _map(spec, "predictor")
        else:
            predictor = next(self.items(spec.get("predictors")), None)
            part = next(self.items(predictor.get("componentSpecs") if predictor else None), None)
            inner = _map(part, "spec")
        if template is None or inner is None or inner.get("containers") is None:
            return None
        return Workload(
            pod=self.pod(template, inner),
            platform=platform,
            records=_records(spec, platform),
            **common,
        )

    def utilization(self, spec: Mapping) -> Iterator[Value]:
        if _get(spec, "targetCPUUtilizationPercentage") is not None:
            found = spec.entry("targetCPUUtilizationPercentage")
            yield Value(value="cpu", at=found.at if found else spec.at)
        for item in self.items(spec.get("metrics")):
            for key in ("resource", "containerResource"):
                name = _get(item, key, "name")
                if name is not None and (
                    _get(item, key, "target", "averageUtilization") is not None
                    or _get(item, key, "targetAverageUtilization") is not None
                ):
                    yield name

    def route_backends(self, spec: Mapping) -> Iterator[Backend]:
        for rule in self.items(spec.get("rules")):
            for item in self.items(rule.get("backendRefs")):
                name = _get(item, "name")
                if name is not None and _string(item, "kind") in ("", "Service"):
                    yield Backend(
                        at=item.at,
                        service=name,
                        port=_get(item, "port"),
                        namespace=_string(item, "namespace") or None,
                    )

    def pod(self, template: Mapping, spec: Mapping) -> PodTemplate:
        return PodTemplate(
            at=spec.at,
            labels=_pairs(template.get("metadata", "labels")),
            annotations=_pairs(template.get("metadata", "annotations")),
            containers=self.many(spec.get("containers"), self.container),
            init_containers=self.many(spec.get("initContainers"), self.container),
            volumes=self.many(spec.get("volumes"), self.volume),
            security_context=_security(_map(spec, "securityContext")),
            termination_grace_period_seconds=_get(spec, "terminationGracePeriodSeconds"),
            restart_policy=_get(spec, "restartPolicy"),
            host_network=bool(_flag(spec, "hostNetwork")),
            service_account=_get(spec, "serviceAccountName"),
            service_links=_flag(spec, "enableServiceLinks") is not False,
        )

    def container(self, node: Mapping) -> Container:
        return Container(
            name=_string(node, "name"),
            at=node.at,
            image=_get(node, "image"),
            image_pull_policy=_get(node, "imagePullPolicy"),
            command=self.words(node.get("command")),
            args=self.words(node.get("args")),
            working_dir=_get(node, "workingDir"),
            ports=self.many(node.get("ports"), _container_port),
            env=self.many(node.get("env"), _environment_variable),
            env_from=self.many(node.get("envFrom"), _environment_from),
            liveness_probe=self.probe(node.get("livenessProbe")),
            readiness_probe=self.probe(node.get("readinessProbe")),
            startup_probe=self.probe(node.get("startupProbe")),
            pre_stop=self.probe(node.get("lifecycle", "preStop")),
            post_start=self.probe(node.get("lifecycle", "postStart")),
            resources=_resources(node.get("resources")),
            volume_mounts=self.many(node.get("volumeMounts"), _volume_mount),
            security_context=_security(_map(node, "securityContext")),
        )

    def probe(self, node: Node | None) -> Probe | None:
        if not isinstance(node, Mapping):
            return None
        kind, action = "unknown", None
        for key, name in (
            ("httpGet", "http"),
            ("tcpSocket", "tcp"),
            ("grpc", "grpc"),
            ("exec", "exec"),
            ("sleep", "sleep"),
        ):
            action = _map(node, key)
            if action is not None:
                kind = name
                break
        return Probe(
            kind=kind,
            at=node.at,
            port=_get(action, "port"),
            path=_get(action, "path"),
            host=_get(action, "host"),
            scheme=_get(action, "scheme"),
            command=self.words(action.get("command")) or () if action is not None else (),
            initial_delay_seconds=_get(node, "initialDelaySeconds"),
            period_seconds=_get(node, "periodSeconds"),
            timeout_seconds=_get(node, "timeoutSeconds"),
            failure_threshold=_get(node, "failureThreshold"),
        )

    def volume(self, node: Mapping) -> Volume:
        entry = next((e for e in node.entries if e.name != "name"), None)
        kind = "emptyDir" if entry is None else entry.name
        body = _map(entry.value) if entry is not None else None
        source = None
        for key in ("name", "secretName", "claimName", "path"):
            source = source or _get(body, key)
        items = [
            (_string(item, "key"), _string(item, "path"))
            for item in self.items(body.get("items") if body is not None else None)
        ]
        return Volume(
            name=_string(node, "name"),
            at=node.at,
            kind=kind,
            source=source,
            medium=_get(body, "medium"),
            items=tuple(items),
            optional=body is not None and bool(_flag(body, "optional")),
        )

    def backends(self, spec: Mapping) -> Iterator[Backend]:
        default = _map(spec, "defaultBackend") or _map(spec, "backend")
        if default is not None:
            made = _backend(default, None, None)
            if made is not None:
                yield made
        for rule in self.items(spec.get("rules")):
            host = _get(rule, "host")
            for path in self.items(rule.get("http", "paths")):
                backend = _map(path, "backend")
                if backend is not None:
                    made = _backend(backend, host, _get(path, "path"))
                    if made is not None:
                        yield made


def _records(spec: Mapping, platform: str) -> bool:
    if platform == "kserve":
        return any(_map(spec, part, "logger") is not None for part in ("predictor", "transformer"))
    graphs = [
        part.get("graph", "logger")
        for part in getattr(spec.get("predictors"), "items", ())
        if isinstance(part, Mapping)
    ]
    return any(isinstance(graph, Mapping) for graph in graphs)


_PLATFORMS = {
    ("serving.kserve.io", "InferenceService"): "kserve",
    ("serving.knative.dev", "Service"): "knative",
    ("machinelearning.seldon.io", "SeldonDeployment"): "seldon",
}


def _backend(node: Mapping, host: Value | None, path: Value | None) -> Backend | None:
    # networking.k8s.io/v1 nests what the beta versions said flat.
    service = _get(node, "service", "name") or _get(node, "serviceName")
    if service is None:
        return None
    port = (
        _get(node, "service", "port", "number")
        or _get(node, "service", "port", "name")
        or _get(node, "servicePort")
    )
    return Backend(at=node.at, service=service, port=port, host=host, path=path)


def _service_port(node: Mapping) -> ServicePort | None:
    port = _get(node, "port")
    if port is None:
        return None
    return ServicePort(
        at=node.at,
        port=port,
        target_port=_get(node, "targetPort"),
        node_port=_get(node, "nodePort"),
        name=_get(node, "name"),
        protocol=_string(node, "protocol") or "TCP",
    )


def _container_port(node: Mapping) -> ContainerPort | None:
    port = _get(node, "containerPort")
    if port is None:
        return None
    return ContainerPort(
        at=node.at,
        container_port=port,
        name=_get(node, "name"),
        protocol=_string(node, "protocol") or "TCP",
        host_port=_get(node, "hostPort"),
    )


_REFERENCES = (
    ("configMapKeyRef", "ConfigMap", "name", "key"),
    ("secretKeyRef", "Secret", "name", "key"),
    ("fieldRef", "field", "fieldPath", ""),
    ("resourceFieldRef", "resource", "resource", ""),
)


def _environment_variable(node: Mapping) -> EnvironmentVariable | None:
    name = _get(node, "name")
    if name is None or not isinstance(name.value, str):
        return None
    for key, kind, name_key, key_key in _REFERENCES:
        reference = _map(node, "valueFrom", key)
        if reference is not None:
            source = EnvironmentSource(
                kind=kind,
                name=_string(reference, name_key),
                key=_string(reference, key_key) or None if key_key else None,
                optional=bool(_flag(reference, "optional")),
                at=reference.at,
            )
            return EnvironmentVariable(name=name.value, at=name.at, source=source)
    value = _get(node, "value")
    return EnvironmentVariable(
        name=name.value, at=name.at, value="" if value is None else value.value
    )


def _environment_from(node: Mapping) -> EnvironmentFrom | None:
    for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        reference = _map(node, key)
        if reference is not None:
            source = EnvironmentSource(
                kind=kind,
                name=_string(reference, "name"),
                key=None,
                optional=bool(_flag(reference, "optional")),
                at=reference.at,
            )
            return EnvironmentFrom(source=source, prefix=_string(node, "prefix"))
    return None


def _volume_mount(node: Mapping) -> VolumeMount:
    return VolumeMount(
        name=_string(node, "name"),
        at=node.at,
        mount_path=_get(node, "mountPath"),
        sub_path=_get(node, "subPath"),
        read_only=bool(_flag(node, "readOnly")),
    )


def _security(node: Mapping | None) -> SecurityContext | None:
    if node is None:
        return None
    return SecurityContext(
        at=node.at,
        run_as_user=_get(node, "runAsUser"),
        run_as_group=_get(node, "runAsGroup"),
        fs_group=_get(node, "fsGroup"),
        run_as_non_root=_flag(node, "runAsNonRoot"),
        read_only_root_filesystem=_flag(node, "readOnlyRootFilesystem"),
        privileged=_flag(node, "privileged"),
        allow_privilege_escalation=_flag(node, "allowPrivilegeEscalation"),
    )
