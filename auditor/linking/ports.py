"""Ports and addresses: what a service binds against what is published, exposed and asked."""

from __future__ import annotations

from auditor.deployment.model import Listen, Published, Service
from auditor.values import value

# Ports that model servers open beside the one that answers HTTP: gRPC, management, metrics.
_BESIDE = {
    "triton": (8001, 8002),
    "torchserve": (8081, 8082, 7070, 7071),
    "tensorflow-serving": (8500,),
    "mlserver": (8081, 8082),
    "seldon": (5000, 6000),
    "ray-serve": (8265,),
}


@value
class Served:
    """The ports a service's own process serves. ``complete``: no other port is possible."""

    listens: tuple[Listen, ...]
    complete: bool

    @property
    def ports(self) -> frozenset[int]:
        own = {item.port for item in self.listens if isinstance(item.port, int)}
        return frozenset(own.union(*(_BESIDE.get(item.server, ()) for item in self.listens)))

    def on(self, port: int) -> tuple[Listen, ...]:
        """The addresses bound at this port."""
        return tuple(item for item in self.listens if item.port == port)


def served(service: Service) -> Served:
    """What the service listens on."""
    complete = (
        service.listens_complete
        and bool(service.listens)
        and all(isinstance(item.port, int) for item in service.listens)
    )
    return Served(listens=service.listens, complete=complete)


def host_network(service: Service) -> bool:
    """The container shares the host's network: nothing is published, everything is reachable."""
    if service.workload is not None:
        return service.workload.pod.host_network
    mode = service.compose.network_mode if service.compose else None
    return mode is not None and mode.value == "host"


def collide(first: Published, second: Published) -> bool:
    """Whether two published ports cannot both be bound on one host."""
    if not isinstance(first.host_port, int) or first.host_port != second.host_port:
        return False
    if first.protocol != second.protocol:
        return False
    wild = {None, "", "0.0.0.0", "::"}
    return first.host_ip in wild or second.host_ip in wild or first.host_ip == second.host_ip
