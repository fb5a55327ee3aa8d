"""Checks that only an orchestrator's manifests can fail."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Service
from auditor.findings import Related, Stage
from auditor.linking import ports
from auditor.source import Unknown


@check("NET007")
def service_target_port(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A Kubernetes Service sends to a port that the container does not serve."""
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
        yield rule.finding(
            target.at,
            f"the Service sends to port {target.container_port} of `{service.name}`, but "
            f"{listen.server} serves {listen.port}: connections are refused",
            help=f"`targetPort: {listen.port}`.",
            related=[Related(listen.at, "served here")],
            evidence={"target": target.container_port, "served": sorted(served.ports)},
            breaks=() if good else service.breaks(Stage.REACHABLE),
        )
