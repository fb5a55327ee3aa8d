"""Checks of what is put into a cluster: objects against each other and against what they run."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterator, Set

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.cluster import Cluster, Pods, same_namespace, selects, services_of
from auditor.deployment.model import Deployment, Service
from auditor.findings import Confidence, Related, Severity, Stage
from auditor.linking import ports
from auditor.linking.askers import asked_by_others
from auditor.parsers import kubernetes, references
from auditor.parsers.kubernetes import Workload
from auditor.source import Unknown

# Objects for which an operator makes Services.
_MAKERS = frozenset(
    ("InferenceService", "InferenceGraph", "SeldonDeployment", "RayService", "Rollout", "Canary")
)
_OFFICIAL = frozenset(("python", "debian", "ubuntu", "alpine", "node", "buildpack-deps"))


def _running(deployment: Deployment, workload: Workload) -> tuple[Service, ...]:
    return tuple(s for s in deployment.services if s.workload == workload)


def _breaks(services: tuple[Service, ...], stage: Stage) -> tuple[tuple[str, Stage], ...]:
    return tuple((s.name, stage) for s in services)


def _named(item: kubernetes.Object) -> str:
    return item.name if isinstance(item.name, str) and item.name else "?"


@check("IMG030")
def refused_manifest(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """The API server does not take an object, or kustomize does not come to give it any."""
    cluster = deployment.cluster
    for path, at in cluster.missing:
        if path in deployment.files:
            continue  # too large to be read here
        empty = any(other.startswith(f"{path}/") for other in deployment.files)
        yield rule.finding(
            at,
            f"`{path}` has no `kustomization.yaml`: kustomize stops, and nothing is applied "
            "(`unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization'`)"
            if empty
            else f"`{path}` is not in the repository: kustomize stops, and nothing is applied "
            "(`no such file or directory`)",
            help="Add one that lists the directory's manifests, or name the files."
            if empty
            else "Correct the name, or commit the file.",
            confidence=Confidence.LIKELY,
            evidence={"path": path},
        )
    whole = {(w.kind, w.name) for w in cluster.workloads}
    for item in cluster.objects:
        if _patch(item, whole):
            continue
        if not item.refused:
            if isinstance(item, Workload):
                yield rule.passed()
            continue
        broken: tuple[tuple[str, Stage], ...] = ()
        if isinstance(item, Workload):
            broken = _breaks(_running(deployment, item), Stage.STARTS)
        elif isinstance(item, kubernetes.Service):
            broken = _breaks(
                tuple(
                    s
                    for s in deployment.services
                    if s.workload is not None and _only_way(cluster, item, s.workload)
                ),
                Stage.REACHABLE,
            )
        for refusal in item.refused[:5]:
            yield rule.finding(
                refusal.at,
                f"Kubernetes refuses the {item.kind} `{_named(item)}`: {refusal.message}",
                help=refusal.help,
                confidence=None if refusal.certain else Confidence.LIKELY,
                evidence={"kind": item.kind, "name": _named(item)},
                breaks=broken,
            )
    for workload in cluster.workloads:
        yield from _misnamed(workload, rule, deployment)


def _misnamed(workload: Workload, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Containers whose image has a name that no kubelet takes."""
    for container in (*workload.pod.containers, *workload.pod.init_containers):
        told = container.image.value if container.image is not None else None
        why = references.refused(told) if isinstance(told, str) else ""
        if container.image is not None and why:
            broken = _breaks(_running(deployment, workload), Stage.STARTS)
            if workload.name in deployment.cluster.given_images:
                yield rule.undecided(
                    f"`kubectl set image` gives `{_named(workload)}` another image",
                    at=container.image.at,
                    blocks=broken,
                )
                continue
            yield rule.finding(
                container.image.at,
                f"`{str(told)[:120]}` is no name of an image: the pod of `{_named(workload)}` stays "
                f"at `InvalidImageName` ({why})",
                help=references.HELP,
                confidence=Confidence.LIKELY,
                breaks=broken,
            )


def _patch(item: kubernetes.Object, whole: Set[tuple[str, str | Unknown]]) -> bool:
    """Part of an object: what `kubectl patch` is given, or a kustomization may take.

    It lies in a directory of patches, or is a workload without containers beside the whole one.
    """
    if {"patch", "patches"}.intersection(item.at.path.lower().split("/")[:-1]):
        return True
    return not isinstance(item, Workload) and (item.kind, item.name) in whole


def _only_way(cluster: Cluster, service: kubernetes.Service, workload: Workload) -> bool:
    """Whether the Service is the one that leads to the workload."""
    leading = [
        s
        for s in cluster.services
        if same_namespace(s, workload) and selects(s.selector, workload) is not False
    ]
    return leading == [service]


@check("IMG031")
def root_refused(service: Service, rule: Rule) -> Iterator[Outcome]:
    """``runAsNonRoot`` with an image that runs as root, or as a user known by name only."""
    workload, container, image = service.workload, service.container, service.image
    if workload is None or container is None or image is None or image.pulled:
        return
    contexts = [c for c in (container.security_context, workload.pod.security_context) if c]
    asked = next((c for c in contexts if c.run_as_non_root is not None), None)
    if asked is None or not asked.run_as_non_root:
        return
    chosen = next((c.run_as_user for c in contexts if c.run_as_user is not None), None)
    if chosen is not None:
        if chosen.number == 0:
            yield rule.finding(
                chosen.at,
                "`runAsUser: 0` and `runAsNonRoot: true` contradict each other: the kubelet does "
                "not start the container (`CreateContainerConfigError`)",
                related=[Related(asked.at, "root is refused here")],
                breaks=service.breaks(Stage.STARTS),
            )
        else:
            yield rule.passed()
        return
    user = service.user
    if isinstance(user, Unknown):
        yield rule.undecided(user.reason, at=asked.at, blocks=service.breaks(Stage.STARTS))
        return
    if user is None:
        name = image.base.reference.repository.rpartition("/")[2] if image.base else ""
        if name not in _OFFICIAL:
            yield rule.undecided(
                "which user the base image sets is not known",
                at=asked.at,
                blocks=service.breaks(Stage.STARTS),
            )
            return
        why, at = "the image runs as root", image.image.base.at
        error = "container has runAsNonRoot and image will run as root"
    else:
        name = user.partition(":")[0]
        at = service.user_at or image.image.base.at
        if name.isdigit() and name != "0":
            yield rule.passed()
            return
        if name in ("root", "0"):
            why = "the image runs as root"
            error = "container has runAsNonRoot and image will run as root"
        else:
            why = f"the image says `USER {user}`, a name that the kubelet cannot look up"
            error = (
                f"container has runAsNonRoot and image has non-numeric user ({name}), cannot "
                "verify user is non-root"
            )
    yield rule.finding(
        asked.at,
        f"`runAsNonRoot: true`, but {why}: the container is not started "
        f"(`CreateContainerConfigError: {error}`)",
        related=[Related(at, "the user is set here")],
        breaks=service.breaks(Stage.STARTS),
    )


@check("IMG032")
def missing_key(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A variable or file from a key that the ConfigMap or Secret does not have."""
    workload, container = service.workload, service.container
    if workload is None or container is None:
        return
    cluster = deployment.cluster
    for variable in container.env:
        source = variable.source
        if source is None or source.kind not in ("ConfigMap", "Secret") or not source.key:
            continue
        keys = _keys(cluster, source.kind, source.name, workload)
        if keys is None or source.optional:
            continue
        if source.key in keys[0]:
            yield rule.passed()
            continue
        yield rule.finding(
            source.at,
            f"`{variable.name}` is taken from the key `{source.key}` of the {source.kind} "
            f"`{source.name}`, which has {_listed(keys[0])}: the container is not started "
            f"(`CreateContainerConfigError: couldn't find key {source.key} in {source.kind}`)",
            related=[Related(keys[1].at, f"the {source.kind}")],
            breaks=service.breaks(Stage.STARTS),
        )
    for volume in workload.pod.volumes:
        kind = {"configMap": "ConfigMap", "secret": "Secret"}.get(volume.kind)
        if kind is None or not volume.items or volume.source is None:
            continue
        keys = _keys(cluster, kind, str(volume.source), workload)
        for key, _ in volume.items if keys is not None else ():
            if keys is None or key in keys[0]:
                yield rule.passed()
                continue
            yield rule.finding(
                volume.at,
                f"the volume `{volume.name}` wants the key `{key}` of the {kind} "
                f"`{volume.source}`, which has {_listed(keys[0])}: the pod stays in "
                f"ContainerCreating (`references non-existent config key: {key}`)",
                related=[Related(keys[1].at, f"the {kind}")],
                breaks=service.breaks(Stage.STARTS),
            )


def _listed(keys: frozenset[str]) -> str:
    shown = ", ".join(f"`{k}`" for k in sorted(keys)[:4])
    return (shown + (" and others" if len(keys) > 4 else "")) or "no keys"


def _keys(
    cluster: Cluster, kind: str, name: str, workload: Workload
) -> tuple[frozenset[str], kubernetes.Object] | None:
    """The keys of the one object of that name; None when it is not here, or not wholly."""
    held: list[tuple[frozenset[str], kubernetes.Object]]
    if kind == "ConfigMap":
        held = [
            (frozenset((*(k for k, _ in item.data), *item.binary_keys)), item)
            for item in cluster.config_maps
            if item.name == name and same_namespace(item, workload)
        ]
    else:
        held = [
            (frozenset(k for k, _ in secret.keys), secret)
            for secret in cluster.secrets
            if secret.name == name and same_namespace(secret, workload)
        ]
    # An empty one is filled by somebody: an operator, a script.
    return held[0] if len(held) == 1 and held[0][0] else None


@check("IMG035")
def unmade_object(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A ConfigMap or claim that pods need and that nothing in the repository makes."""
    cluster = deployment.cluster
    if any(
        w.pod.volumes or any(c.env or c.env_from for c in w.pod.containers)
        for w in cluster.workloads
    ):
        yield rule.passed()
    for item in cluster.unmade:
        claim = item.kind == "PersistentVolumeClaim"
        state = (
            f'stay Pending (`persistentvolumeclaim "{item.name}" not found`)'
            if claim
            else f'are not started (`configmap "{item.name}" not found`)'
        )
        yield rule.finding(
            item.at,
            f"the {item.workload.kind} `{_named(item.workload)}` needs the "
            f"{'claim' if claim else item.kind} `{item.name}`, which nothing in the repository makes "
            f"or speaks of: its pods {state}",
            evidence={"kind": item.kind, "name": item.name},
        )


@check("IMG033")
def unrendered_chart(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """``helm install`` of a chart fails with the values that the chart brings."""
    for chart in deployment.cluster.charts:
        failed = [p for p in chart.problems if "is not rendered: fails" in p.message]
        # What the chart was to start: the one image that nothing else starts.
        alone = tuple(
            s
            for s in deployment.services
            if s.origin == "dockerfile" and s.image is not None and not s.is_dev
        )
        if not failed:
            if chart.streams and not chart.unread:
                yield rule.passed()
            continue
        for problem in failed[:5]:
            why = problem.message.partition("fails: ")[2]
            if why.startswith(("fails on purpose", "is larger", "takes too", "writes too")):
                continue
            given = why.startswith(("nil pointer", "error calling", "can't evaluate"))
            yield rule.finding(
                problem.at,
                f"the chart `{chart.name}` does not render: {why}"
                + (f", unless {chart.more_values} gives it" if given and chart.more_values else ""),
                help="Render it with `helm template` and the values that production gives.",
                # Values given at installation may mend it.
                confidence=(Confidence.POSSIBLE if chart.more_values else Confidence.LIKELY)
                if given
                else None,
                severity=Severity.MEDIUM if given and chart.more_values else None,
                breaks=_breaks(alone, Stage.STARTS)
                if len(alone) == 1 and len(deployment.cluster.charts) == 1
                else (),
            )


@check("IMG034")
def packaged_entry(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """BentoML or Cog is told to package code that is not there."""
    for item in deployment.packaged:
        if item.entry and not item.missing:
            yield rule.passed()
        for at, why in item.missing:
            yield rule.finding(at, f"{item.tool} cannot package this: {why}")


@check("NET011")
def selects_nothing(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A Service whose selector takes no pod, beside the workload that it is meant for."""
    cluster = deployment.cluster
    lasting = Pods(w for w in cluster.workloads if w.kind not in ("Job", "CronJob"))
    for service in cluster.services:
        if not service.selector or service.type == "ExternalName":
            continue
        if any(same_namespace(service, w) for w in lasting.taken(service.selector)):
            yield rule.passed()
            continue
        same = [
            w
            for w in cluster.workloads
            if w.kind not in ("Job", "CronJob")
            and (w.name == service.name or w.at.path == service.at.path)
        ]
        named = [w for w in same if w.name == service.name] or same
        if len(named) != 1:
            named = _orphans(cluster, service)
        if not named:
            continue
        meant = named[0]
        key, wanted = service.selector[0]
        labels = {k: str(v) for k, v in meant.pod.labels}
        for name, item in service.selector:
            if labels.get(name) != str(item):
                key, wanted = name, item
                break
        away = selects(service.selector, meant) is not False
        because = (
            f"it is in the namespace {service.namespace}, the pods in {meant.namespace}"
            if away
            else f"it wants `{key}: {wanted}`, and the pods of `{_named(meant)}` "
            + (f"have `{key}: {labels[key]}`" if key in labels else f"have no label `{key}`")
        )
        yield rule.finding(
            wanted.at,
            f"the Service `{_named(service)}` selects no pod: {because}; connections are refused",
            help="Let the selector name the labels of the pod template.",
            related=[Related(meant.pod.at, "the pods")],
            confidence=Confidence.LIKELY,
            breaks=_breaks(
                tuple(
                    s
                    for s in _running(deployment, meant)
                    if not any(p.source == "kubernetes" for p in s.published)
                ),
                Stage.REACHABLE,
            ),
        )


def _orphans(cluster: Cluster, service: kubernetes.Service) -> list[Workload]:
    """Workloads beside a Service that no Service selects and whose name is the selector's."""
    folder = posixpath.dirname(service.at.path)
    wanted = [str(item) for _, item in service.selector if len(str(item)) > 3]
    return [
        w
        for w in cluster.workloads
        if w.kind not in ("Job", "CronJob")
        and posixpath.dirname(w.at.path) == folder
        and any(_named(w).startswith(value) or value.startswith(_named(w)) for value in wanted)
        and not any(selects(s.selector, w) is not False for s in cluster.services if s.selector)
    ]


@check("NET012")
def route_backend(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """An Ingress or route that leads to a port or Service that is not there."""
    cluster = deployment.cluster
    for route in cluster.ingresses:
        for backend in route.backends:
            name = backend.service.value
            if not isinstance(name, str) or name == "use-annotation":
                continue
            meant = services_of(cluster, name, route, backend.namespace)
            if not meant:
                yield from _no_service(cluster, route, backend, name, rule)
                continue
            port = backend.port
            if port is None or not isinstance(port.value, str):
                continue
            if any(s.type == "ExternalName" or not _known_ports(s) for s in meant):
                continue
            if port.value == "use-annotation" or any(port.value in _ports(s) for s in meant):
                yield rule.passed()
                continue
            service = meant[0]
            known = [(p.port.value, p.name.value if p.name else None) for p in service.ports]
            has = ", ".join(str(number) + (f" (`{n}`)" if n else "") for number, n in known)
            yield rule.finding(
                port.at,
                f"the {route.kind} `{_named(route)}` sends to port {port.value} of the Service "
                f"`{name}`, which has {has or 'none'}: every request gets 503",
                help=f"Name a port of the Service (its `port`, not its `targetPort`): {has}.",
                related=[Related(p.at, "the Service's port") for p in service.ports[:1]],
                breaks=_breaks(tuple(_behind(service, backend, deployment)), Stage.REACHABLE),
            )


def _behind(
    entrance: kubernetes.Service, faulty: kubernetes.Backend, deployment: Deployment
) -> Iterator[Service]:
    """The services that nobody reaches, since the one way that leads to them is this route's."""
    cluster = deployment.cluster
    open_ports = {
        int(p.port.value)
        for p in entrance.ports
        if isinstance(p.port.value, str) and p.port.value.isdigit()
    }
    routed = any(
        backend is not faulty
        and backend.service.value == entrance.name
        and (backend.port is None or backend.port.value in _ports(entrance))
        for route in cluster.ingresses
        for backend in route.backends
    )
    if routed or entrance.type in ("NodePort", "LoadBalancer"):
        return
    for service in deployment.services:
        if service.workload is None or not selects(entrance.selector, service.workload):
            continue
        name = entrance.name if isinstance(entrance.name, str) else ""
        if not asked_by_others(service, deployment, [name], open_ports):
            yield service


def _ports(service: kubernetes.Service) -> list[object]:
    """Numbers and names of a Service's ports."""
    numbers: list[object] = [p.port.value for p in service.ports]
    return numbers + [p.name.value for p in service.ports if p.name is not None]


def _known_ports(service: kubernetes.Service) -> bool:
    return all(isinstance(port, str) for port in _ports(service))


def _no_service(
    cluster: Cluster, route: kubernetes.Ingress, backend: kubernetes.Backend, name: str, rule: Rule
) -> Iterator[Outcome]:
    """The Service is not here. It may be another chart's, unless one is called nearly so."""
    if any(item.name == name or item.kind in _MAKERS for item in cluster.objects):
        return  # another object of that name may bring it
    names = [s.name for s in cluster.services if isinstance(s.name, str)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not near or name in names or cluster.open:
        return
    served = {
        str(b.service) for r in cluster.ingresses for b in r.backends if str(b.service) in names
    }
    if near[0] in served:
        return
    yield rule.finding(
        backend.service.at,
        f"the {route.kind} `{_named(route)}` sends to the Service `{name}`, which is nowhere in "
        f"the repository; there is `{near[0]}`: every request gets 503",
        confidence=Confidence.LIKELY,
    )


@check("NET013")
def port_taken_in_pod(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Two containers of one pod serve the same port of the address they share."""
    workload, container = service.workload, service.container
    if workload is None or container is None or len(workload.pod.containers) < 2:
        return
    if workload.platform == "seldon":
        return  # its operator tells each container a port of its own
    served = ports.served(service)
    if not served.complete:
        return
    order = {id(c): n for n, c in enumerate(workload.pod.containers)}
    for other in workload.pod.containers:
        if other is container or other == container:
            continue
        twin = next(
            (s for s in deployment.services if s.workload == workload and s.container == other),
            None,
        )
        taken = None
        if twin is not None and (theirs := ports.served(twin)).complete:
            taken = next((n for n in theirs.ports if n in served.ports), None)
        elif twin is None:
            taken = next(
                (
                    p.container_port.number
                    for p in other.ports
                    if p.protocol == "TCP" and p.container_port.number in served.ports
                ),
                None,
            )
        if taken is None:
            yield rule.passed()
            continue
        if twin is not None and order.get(id(container), 0) < order.get(id(other), 0):
            continue
        yield rule.finding(
            other.at,
            f"the containers `{container.name}` and `{other.name}` of one pod both serve port "
            f"{taken}, and a pod has one address: the second one stops with `Address already in "
            "use`",
            help="Serve another port in one of them.",
            related=[Related(service.listens[0].at, f"`{container.name}` serves it here")],
            confidence=Confidence.LIKELY,
            breaks=service.breaks(Stage.STARTS),
        )


@check("OPS011")
def autoscaler_without_requests(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """An autoscaler that looks at a share of requests that nobody makes."""
    cluster = deployment.cluster
    if any(item.kind == "LimitRange" for item in cluster.objects):
        return
    for scaler in cluster.scalers:
        target = next(
            (
                w
                for w in cluster.workloads
                if scaler.target_name is not None
                and w.name == scaler.target_name.value
                and w.kind == scaler.target_kind
                and same_namespace(scaler, w)
            ),
            None,
        )
        if target is None:
            continue
        for resource in scaler.utilization:
            name = str(resource)
            lacking = next(
                (
                    c
                    for c in target.pod.containers
                    if c.resources is None
                    or not any(
                        key == name for key, _ in (*c.resources.requests, *c.resources.limits)
                    )
                ),
                None,
            )
            if lacking is None:
                yield rule.passed()
                continue
            yield rule.finding(
                resource.at,
                f"the autoscaler looks at the share of requested {name}, and the container "
                f"`{lacking.name}` requests none: it never scales (`failed to get {name} "
                "utilization: missing request`)",
                help=f"Give the container `resources.requests.{name}`.",
                related=[Related(lacking.at, "the container")],
            )


@check("OPS012")
def budget_blocks_drains(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A disruption budget that lets no pod go."""
    cluster = deployment.cluster
    for budget in cluster.budgets:
        matching = [
            w
            for w in cluster.workloads
            if same_namespace(budget, w) and selects(budget.selector, w)
        ]
        if len(matching) != 1:
            continue
        target = matching[0]
        most = budget.max_unavailable
        if most is not None:
            blocked, at = str(most) in ("0", "0%"), most.at
        elif budget.min_available is not None:
            count = _replicas(cluster, target)
            least = budget.min_available
            at = least.at
            if str(least) == "100%":
                blocked = True
            elif count is None or least.number is None:
                continue
            else:
                blocked = least.number >= count
        else:
            continue
        if not blocked:
            yield rule.passed()
            continue
        yield rule.finding(
            at,
            f"the budget lets none of the pods of `{_named(target)}` go: a node that runs one "
            "cannot be drained, so upgrades of the cluster hang (`Cannot evict pod as it would "
            "violate the pod's disruption budget`)",
            help="Run one replica more than `minAvailable`, or use `maxUnavailable: 1`.",
        )


def _replicas(cluster: Cluster, workload: Workload) -> int | None:
    scaler = next(
        (
            s
            for s in cluster.scalers
            if s.target_name is not None and s.target_name.value == workload.name
        ),
        None,
    )
    if scaler is not None:
        # The autoscaler may run more than its minimum, but need not.
        return scaler.min_replicas.number if scaler.min_replicas is not None else 1
    if workload.replicas is None:
        return 1 if workload.kind in ("Deployment", "StatefulSet") else None
    return workload.replicas.number
