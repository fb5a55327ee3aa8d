"""A dependency that answers nothing for a while: the service fails fast, or hangs with it.

A service of the same project is paused: its sockets accept, and nobody answers. A host of the
network is stood in for by a container of that name on the private network, which accepts and says
nothing; the real one is not asked.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from auditor import lazy_re as re
from auditor.rehearsal import asking, load
from auditor.rehearsal.background import Background
from auditor.rehearsal.examples import Request
from auditor.rehearsal.load import Outcome, Shape, Target
from auditor.rehearsal.observed import Slow

if TYPE_CHECKING:
    from auditor.deployment.model import Service
    from auditor.rehearsal.rehearse import Say
    from auditor.rehearsal.start import Container, Stack

_RATE: Final = 10.0
_HELD: Final = 8.0
_PATIENCE: Final = 5.0
_RECOVERY: Final = 20.0
_MOST: Final = 3
# Accepts whatever comes, in the kernel, and says nothing.
_SILENT: Final = """import socket, sys, time
held = []
for word in sys.argv[1:]:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", int(word)))
    server.listen(1024)
    held.append(server)
print("ready", flush=True)
time.sleep(120)
"""


def drill(
    stack: Stack,
    container: Container,
    target: Target,
    wire: list[bytes],
    first: Outcome,
    path: str,
    say: Say,
) -> tuple[tuple[Slow, ...], tuple[tuple[str, str], ...]]:
    """(what was seen, what was left out and why) for each dependency of the service."""
    found: list[Slow] = []
    skipped: list[tuple[str, str]] = []
    usual = max(first.millis_at(95) * 3, 100.0)
    for alias in list(services(stack, container))[:_MOST]:
        other = stack.containers[alias]
        say(f"  holding {other.plan.name} still for {_HELD:.0f} s")
        with _Paused(other) as paused:
            if not paused.held:
                skipped.append((f"slow {alias}", "the engine does not pause it"))
                continue
            seen = _watched(container, target, wire, path, other.plan.name, "service")
        found.append(_recovered(seen, container, target, wire, usual))
    for host, ports in list(hosts(container, stack))[:_MOST]:
        say(f"  answering nothing in the place of {host} for {_HELD:.0f} s")
        silent = _Silent(stack, container, host, ports)
        try:
            why = silent.start()
            if why:
                skipped.append((f"slow {host}", why))
                continue
            seen = _watched(container, target, wire, path, host, "host")
        finally:
            silent.close()
        found.append(_recovered(seen, container, target, wire, usual))
    return tuple(found), tuple(skipped)


# What a service asks


def services(stack: Stack, container: Container) -> Iterator[str]:
    """The running containers of the group that this one evidently asks, by alias."""
    plan = container.plan
    named = {alias for alias, _ in plan.after}
    texts = [text for _, text in plan.environment] + list(_strings(plan.service))
    for alias, other in stack.containers.items():
        if other is container or not other.running():
            continue
        # Whoever waits for this service asks it, not the other way round.
        if plan.alias in {name for name, _ in other.plan.after} and alias not in named:
            continue
        names = (alias, *other.plan.aliases)
        if alias in named or any(_names(text, name) for text in texts for name in names):
            yield alias


def _names(text: str, host: str) -> bool:
    """Whether a setting or an address names this host."""
    return (
        text == host
        or bool(re.search(rf"(?:@|//){re.escape(host)}(?=[:/]|$)", text))
        or (re.fullmatch(rf"{re.escape(host)}:\d+", text) is not None)
    )


def _strings(service: Service) -> Iterator[str]:
    """Texts that the code passes to calls which leave the process."""
    for entry in service.entries:
        for call in entry.trace.calls:
            if call.category in ("http", "database", "store", "queue"):
                for item in (*call.arguments, *(text for _, text in call.keywords)):
                    if isinstance(item, str):
                        yield item


def hosts(container: Container, stack: Stack) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(host, ports) of addresses outside the project that requests of this service lead to."""
    known = {n for c in stack.containers.values() for n in (c.plan.alias, *c.plan.aliases)}
    found: dict[str, dict[int, None]] = {}
    for entry in container.plan.service.entries:
        for call in entry.trace.calls:
            if call.category != "http":
                continue
            for item in call.arguments[:2]:
                place = address_of(item) if isinstance(item, str) else None
                if place is not None and place[0] not in known:
                    found.setdefault(place[0], {})[place[1]] = None
    for name, text in container.plan.environment:
        place = address_of(text)
        # Whom the browser may come from is not whom the service asks.
        if place is not None and place[0] not in known and "ORIGIN" not in name.upper():
            found.setdefault(place[0], {})[place[1]] = None
    for host, ports in found.items():
        yield host, tuple(ports)


def address_of(url: str) -> tuple[str, int] | None:
    """(host, port) of an address by name on another machine; None for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host or host.endswith("localhost"):
        return None
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return None
    return (host, port) if re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host) else None


# Holding still


class _Paused:
    """A container whose processes are frozen for as long as the block lasts."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.held = False

    def __enter__(self) -> _Paused:
        with suppress(Exception):
            self.container.client.pause(self.container.id)
            self.held = True
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self.container.client.unpause(self.container.id)


class _Silent:
    """A container with the name of a host, that accepts connections and answers nothing."""

    def __init__(
        self, stack: Stack, container: Container, host: str, ports: tuple[int, ...]
    ) -> None:
        self.stack = stack
        self.container = container
        self.host = host
        self.ports = ports
        self.id = ""

    def start(self) -> str:
        """Why it does not stand; empty when it does."""
        run, client = self.stack.run, self.stack.client
        image = self.stack.image_of(self.container.plan)
        name = run.name(f"silent-{self.host}")
        host: Any = client.create_host_config(
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            sysctls={"net.ipv4.ip_unprivileged_port_start": "0"},
            mem_limit=256 << 20,
            pids_limit=32,
            read_only=True,
        )
        endpoint = client.create_endpoint_config(aliases=[self.host])
        try:
            with run.shielded():
                run.record("container", name)
                made = client.create_container(
                    image=image,
                    entrypoint=["python3", "-c", _SILENT],
                    command=[str(port) for port in self.ports],
                    user="65534:65534",
                    labels=run.labels,
                    name=name,
                    healthcheck={"test": ["NONE"]},
                    host_config=host,
                    networking_config=client.create_networking_config(
                        {self.stack.network: endpoint}
                    ),
                )
                self.id = made["Id"]
                client.start(self.id)
        except Exception as error:
            return " ".join(str(getattr(error, "explanation", None) or error).split())[:200]
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline:
            with suppress(Exception):
                if b"ready" in client.logs(self.id, stdout=True, stderr=False):
                    return ""
                if not client.inspect_container(self.id)["State"]["Running"]:
                    break
            time.sleep(0.2)
        return "nothing could be put in its place: the image has no Python to run"

    def close(self) -> None:
        if self.id:
            with suppress(Exception):
                self.stack.client.remove_container(self.id, force=True, v=True)


# Watching


def _watched(
    container: Container,
    target: Target,
    wire: list[bytes],
    path: str,
    dependency: str,
    kind: Any,
) -> Slow:
    """Requests at a low rate while the dependency is held, and one to another route."""
    begun = time.monotonic()
    # What came after the last moment at which patience still ends before the release says nothing.
    due = _HELD - _PATIENCE
    background = Background(target, wire, rate=_RATE, seconds=due, timeout=_PATIENCE)
    time.sleep(due)
    other = _other_route(container.plan.service, path)
    answered: bool | None = None
    if other:
        exchange, _ = asking.ask(target.port, Request(method="GET", path=other), timeout=2.0)
        answered = exchange.status is not None
    time.sleep(max(begun + _HELD - time.monotonic(), 0.0))
    outcome = background.join()
    hung = outcome.failures.get("timeout", 0) + outcome.failures.get("no connection", 0)
    return Slow(
        dependency=dependency,
        kind=kind,
        seconds=round(time.monotonic() - begun, 1),
        patience=_PATIENCE,
        sent=outcome.total,
        hung=hung,
        failed=outcome.errors - hung,
        worst=round(outcome.millis_at(100), 1),
        statuses=(
            *((str(k), v) for k, v in sorted(outcome.statuses.items())),
            *sorted(outcome.failures.items()),
        ),
        other_route=other,
        other_answered=answered,
        alive=container.running(),
    )


def _other_route(service: Service, path: str) -> str:
    """A plain route of the service other than the one that is loaded: its health, if it has one."""
    found: list[tuple[bool, str]] = []
    for entry in service.entries:
        for app in entry.trace.apps:
            for route in app.routes:
                plain = isinstance(route.path, str) and "{" not in route.path
                if plain and route.path != path.partition("?")[0] and "GET" in route.methods:
                    found.append((route.kind not in ("health", "ready"), str(route.path)))
    return min(found)[1] if found else ""


def _recovered(
    seen: Slow, container: Container, target: Target, wire: list[bytes], usual: float
) -> Slow:
    """The same, with the seconds until it answers as before."""
    from auditor.values import replace

    released = time.monotonic()
    while time.monotonic() - released < _RECOVERY and container.running():
        again = load.load(target, wire, Shape(rate=10.0, seconds=0.5, timeout=2.0))
        if again.answered and not again.errors and again.millis_at(95) <= usual:
            took = round(max(time.monotonic() - released - 0.5, 0.0), 1)
            return replace(seen, recovery=took)
        time.sleep(0.3)
    return replace(seen, alive=container.running())
