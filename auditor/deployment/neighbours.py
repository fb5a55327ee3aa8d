"""Which services stand beside one another: indexed once, so that asking of each stays linear."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.deployment.model import Published, Service


class Neighbours:
    """The services of a deployment, by project, name and published port.

    Services that belong to no Compose project are siblings of one another.
    """

    def __init__(self, services: Iterable[Service]) -> None:
        self._siblings: dict[int, list[Service]] = {}
        self._named: dict[str, Service] = {}
        self._called: dict[tuple[int, str], Service] = {}
        self._known: dict[tuple[int, str], list[Service]] = {}
        self._publishers: dict[tuple[int, int], list[tuple[Service, Published]]] = {}
        self._waiting: dict[tuple[int, str], list[tuple[Service, bool]]] = {}
        self._order: dict[str, int] = {}
        for number, service in enumerate(services):
            project = id(service.project)
            self._order[service.name] = number
            self._named[service.name] = service
            self._siblings.setdefault(project, []).append(service)
            for name in known_names(service):
                self._known.setdefault((project, name), []).append(service)
            if not service.host_network:
                for item in service.published:
                    if isinstance(item.host_port, int):
                        taken = self._publishers.setdefault((project, item.host_port), [])
                        taken.append((service, item))
            if service.compose is None:
                continue
            self._called.setdefault((project, service.compose.name), service)
            for dependency in service.compose.depends_on:
                if dependency.required and dependency.condition != "service_started":
                    for_health = dependency.condition == "service_healthy"
                    key = (project, dependency.service)
                    self._waiting.setdefault(key, []).append((service, for_health))

    def named(self, names: Iterable[str]) -> tuple[Service, ...]:
        """The services of these names, in the deployment's order."""
        known = {name for name in names if name in self._named}
        return tuple(self._named[name] for name in sorted(known, key=self._order.__getitem__))

    def siblings(self, service: Service) -> list[Service]:
        """The services of its project, itself among them."""
        return self._siblings.get(id(service.project), [])

    def called(self, service: Service, name: str) -> Service | None:
        """The service of its project that Compose calls by this name."""
        return self._called.get((id(service.project), name))

    def known_as(self, service: Service, host: str) -> list[Service]:
        """The services of its project that its networks know by this name."""
        return self._known.get((id(service.project), host), [])

    def earlier_publishers(
        self, service: Service, port: int
    ) -> Iterable[tuple[Service, Published]]:
        """Who of its project, before it in the deployment's order, publishes a port of the host."""
        own = self._order[service.name]
        for other, item in self._publishers.get((id(service.project), port), ()):
            if self._order[other.name] >= own:
                return
            yield other, item

    def waiting(self, service: Service, *, for_health: bool = False) -> list[Service]:
        """The services that Compose starts only when this one has ended well, or is healthy.

        ``for_health`` leaves out those that wait for its end.
        """
        if service.compose is None:
            return []
        found = self._waiting.get((id(service.project), service.compose.name), ())
        return [other for other, healthy in found if healthy or not for_health]


def known_names(service: Service) -> set[str]:
    """The names under which a service is known on its networks."""
    compose = service.compose
    if compose is None:
        return set()
    names = {compose.name, *(alias for n in compose.networks for alias in n.aliases)}
    for text in (compose.container_name, compose.hostname):
        if text is not None and isinstance(text.value, str):
            names.add(text.value)
    return names
