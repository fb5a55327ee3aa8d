"""Ports and addresses: what a service binds against what is published, exposed and asked."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.deployment.model import Listen, Published, Service
from auditor.parsers.commands.facts import ServerStart
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
_BESIDE_OPTIONS = frozenset(
    {
        "management_address", "metrics_address", "grpc_inference_port", "grpc_management_port",
        "grpc_port", "metrics_port",
    }
)  # fmt: skip


@value
class Served:
    """The ports a service's own process serves. ``complete``: no other port is possible."""

    listens: tuple[Listen, ...]
    complete: bool
    # Ports for gRPC, management and metrics, where a configuration gives them.
    beside: frozenset[int] = frozenset()

    @property
    def ports(self) -> frozenset[int]:
        own = {item.port for item in self.listens if isinstance(item.port, int)} | self.beside
        return frozenset(own.union(*(_BESIDE.get(item.server, ()) for item in self.listens)))

    def excludes(self, port: object) -> bool:
        """Nothing listens on this port, as far as all of it is known."""
        return self.complete and port not in self.ports

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
    beside = frozenset(_beside(service)) if service.models or service.configured else frozenset()
    return Served(listens=service.listens, complete=complete, beside=beside)


def _beside(service: Service) -> Iterator[int]:
    """Further ports of model servers, by their configuration files and command lines."""
    options = list(service.configured)
    for process in service.processes:
        fact = process.interpretation.fact
        if isinstance(fact, ServerStart) and fact.kind in _BESIDE:
            options += fact.options
    for option in options:
        if option.name in _BESIDE_OPTIONS and isinstance(option.value, str):
            port = option.value.rpartition(":")[2].rstrip("/")
            if port.isdigit():
                yield int(port)


def collide(first: Published, second: Published) -> bool:
    """Whether two published ports cannot both be bound on one host."""
    if not isinstance(first.host_port, int) or first.host_port != second.host_port:
        return False
    if first.protocol != second.protocol:
        return False
    wild = {None, "", "0.0.0.0", "::"}
    return first.host_ip in wild or second.host_ip in wild or first.host_ip == second.host_ip
