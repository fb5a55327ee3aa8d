"""Checks that only an orchestrator's manifests can fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.cluster import Pods, leads
from auditor.deployment.manifests import DECLARED
from auditor.deployment.model import Deployment, Service
from auditor.findings import Related, Severity, Stage
from auditor.linking import ports
from auditor.parsers import kubernetes
from auditor.parsers.kubernetes import Workload
from auditor.source import Unknown


@check("NET007")
def service_target_port(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A Kubernetes Service sends to a port that the container does not serve."""
    cluster = deployment.cluster
    lasting = Pods(w for w in cluster.workloads if w.kind not in ("Job", "CronJob"))
    for item in cluster.services:
        ports_ = [p for p in item.ports if _named_target(p)]
        for workload in lasting.taken(item.selector) if ports_ and item.selector else ():
            if workload.pod.containers and leads(cluster, item, workload):
                yield from _unnamed(workload, ports_, rule, deployment)
    for service in deployment.services:
        yield from _unserved(service, rule)


def _unserved(service: Service, rule: Rule) -> Iterator[Outcome]:
    if service.workload is None or service.image is None:
        return
    served = ports.served(service)
    targets = [p for p in service.published if p.source == "kubernetes"]
    for target in targets:
        if isinstance(target.container_port, Unknown):
            yield rule.undecided(
                target.container_port.reason, at=target.at, blocks=service.breaks(Stage.REACHABLE)
            )
            continue
        waiting = next((f for f in service.faults if f.kind == "idle"), None)
        if waiting is not None:
            yield rule.finding(
                target.at,
                f"the Service sends to port {target.container_port} of `{service.name}`, but "
                f"{waiting.message}: connections are refused",
                help="Start the server in the container.",
                related=[Related(waiting.at, "started here")],
                severity=Severity.MEDIUM,
                breaks=service.breaks(Stage.REACHABLE),
            )
            continue
        if not served.complete:
            yield rule.undecided(
                f"the port that {service.name} serves is not known",
                at=target.at,
                blocks=service.breaks(Stage.REACHABLE),
            )
            continue
        if target.container_port in served.ports:
            yield rule.passed()
            continue
        listen = served.listens[0]
        good = any(t.container_port in served.ports for t in targets)
        platform = _PLATFORMS.get(service.workload.platform)
        if service.workload.platform in DECLARED:
            yield rule.finding(
                target.at,
                f"{platform} sends to port {target.container_port} of `{service.name}`, but "
                f"{listen.server} serves {listen.port}: connections are refused",
                help=f"Declare port {listen.port}, or serve {target.container_port}.",
                related=[Related(listen.at, "served here")],
                severity=Severity.MEDIUM if good else None,
                breaks=() if good else service.breaks(Stage.REACHABLE),
            )
            continue
        if platform is not None and target.at == service.at:
            yield rule.finding(
                target.at,
                f"{platform} sends to port {target.container_port} of a container that names "
                f"none, but {listen.server} serves {listen.port}: it never becomes ready",
                help=f"`ports: [{{containerPort: {listen.port}}}]`, or serve `$PORT`.",
                related=[Related(listen.at, "served here")],
                breaks=service.breaks(Stage.REACHABLE),
            )
            continue
        yield rule.finding(
            target.at,
            f"the Service sends to port {target.container_port} of `{service.name}`, but "
            f"{listen.server} serves {listen.port}: connections are refused",
            help=f"`targetPort: {listen.port}`.",
            related=[Related(listen.at, "served here")],
            severity=Severity.MEDIUM if good else None,
            evidence={"target": target.container_port, "served": sorted(served.ports)},
            breaks=() if good else service.breaks(Stage.REACHABLE),
        )


_PLATFORMS = {
    "knative": "Knative",
    "kserve": "KServe",
    "ecs": "ECS",
    "container-apps": "Container Apps",
}


def _named_target(port: kubernetes.ServicePort) -> bool:
    target = port.target_port
    return target is not None and isinstance(target.value, str) and not target.value.isdigit()


def _unnamed(
    workload: Workload,
    sent: Sequence[kubernetes.ServicePort],
    rule: Rule,
    deployment: Deployment,
) -> Iterator[Outcome]:
    """``targetPort`` is a name that no container of the pod gives to a port."""
    pod = workload.pod
    known = [
        p.name
        for container in (*pod.containers, *pod.init_containers)
        for p in container.ports
        if p.name is not None
    ]
    if any(not isinstance(name.value, str) for name in known):
        return
    names = {name.value for name in known}
    for port in sent:
        target = port.target_port
        if target is None or target.value in names:
            continue
        listed = ", ".join(f"`{n}`" for n in sorted(map(str, names)))
        yield rule.finding(
            target.at,
            f"the Service sends to a port called `{target.value}`, and no container of "
            f"`{_name(workload)}` has one of that name"
            + (f" (there is {listed})" if listed else "")
            + ": it has no endpoints, and connections are refused",
            help=f"Add `name: {target.value}` to the container's port, or use its number.",
            related=[Related(workload.pod.containers[0].at, "the container")],
            breaks=tuple(
                broken
                for service in deployment.services
                if service.workload == workload
                and not any(p.source == "kubernetes" for p in service.published)
                for broken in service.breaks(Stage.REACHABLE)
            ),
        )


def _name(workload: Workload) -> str:
    return workload.name if isinstance(workload.name, str) else workload.pod.containers[0].name
