"""Who else asks a service: a fault of one way in front of it is not the end of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from auditor import lazy_re as re

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment, Service

# (host, port; None where none is written)
_Address = tuple[str, "int | None"]

_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?([\w.-]+)(?::(\d{1,5}))?(?=[/?#]|$)", re.I)
_PLAIN = re.compile(r"([A-Za-z][\w.-]*)(?::(\d{1,5}))?")
# What variables are called that hold an address without a scheme.
_OF_ADDRESSES = re.compile(r"HOST|URL|URI|ADDR|ENDPOINT|SERVER|BACKEND|UPSTREAM")


def asked_by_others(
    asked: Service,
    deployment: Deployment,
    names: Iterable[str],
    ports: Iterable[int],
    *,
    beside: Service | None = None,
) -> bool:
    """Whether a service of its project is told to ask it by one of these names, at one of these ports.

    ``beside`` is the service whose way is the faulty one. An address without a port counts.
    """
    known, served = set(names), set(ports)
    for other in deployment.neighbours.siblings(asked):
        if other is asked or other is beside:
            continue
        for host, port in _addresses(other):
            # `name.namespace.svc.cluster.local` is the Service `name`.
            if known & {host, host.partition(".")[0]} and (port is None or port in served):
                return True
    return False


def _addresses(service: Service) -> Iterator[_Address]:
    """The addresses that a service is told to ask: by variables, code and the proxy that it runs."""
    for target in service.proxies:
        yield target.host, target.port
    for variable in service.variables:
        if not isinstance(variable.value, str):
            continue
        for match in _URL.finditer(variable.value):
            yield _address(match)
        plain = _PLAIN.fullmatch(variable.value)
        if plain is not None and (plain[2] or _OF_ADDRESSES.search(variable.name.upper())):
            yield _address(plain)
    for entry in service.entries:
        for call in entry.trace.calls:
            for value in (*call.arguments, *(value for _, value in call.keywords)):
                asked = _URL.match(value.text or "") if call.category == "http" else None
                if asked is not None:
                    yield _address(asked)


def _address(match: re.Match[str]) -> _Address:
    return match[1], int(match[2]) if match[2] else None
