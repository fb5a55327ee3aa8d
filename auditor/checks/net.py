"""NET: will a request from outside reach the server."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from auditor import lazy_re as re
from auditor.catalog import Rule
from auditor.checks.health import waiting, weight
from auditor.checks.img import stopped
from auditor.checks.registry import Outcome, check
from auditor.deployment.healthcheck import fails, in_force, subject
from auditor.deployment.model import Deployment, Entry, HealthCheck, Listen, Proxied, Service
from auditor.deployment.neighbours import known_names
from auditor.findings import Confidence, Related, Severity, Stage
from auditor.linking import ports
from auditor.linking.askers import asked_by_others
from auditor.linking.serving import server_starts
from auditor.parsers.commands import ServerStart
from auditor.parsers.python.facts import Call, Reach
from auditor.source import Location, Unknown


@check("NET001")
def loopback_bind(service: Service, rule: Rule) -> Iterator[Outcome]:
    """The server listens on the container's own loopback."""
    if service.image is None or service.host_network:
        return
    found = service.listens
    for fault in service.faults:
        shared = bool(service.mounts) or bool(found) or len(service.processes) > 1
        if fault.kind == "socket" and not shared:
            yield rule.finding(
                fault.at,
                fault.message,
                help="Bind every interface of the container: host 0.0.0.0.",
                breaks=service.breaks(Stage.REACHABLE),
            )
    for listen in found:
        if isinstance(listen.host, Unknown):
            yield rule.undecided(
                f"the address that {listen.server} binds is not known ({listen.host.reason})",
                at=listen.at,
                blocks=service.breaks(Stage.REACHABLE),
            )
            continue
        if _only_ipv6(service, listen) and len(found) == 1:
            yield rule.finding(
                listen.host_at or listen.at,
                f"{listen.server} binds {listen.host}, which asyncio opens for IPv6 alone: the ports that "
                "Docker publishes lead to the container's IPv4 address, where nothing listens",
                help="Bind every interface of the container: host 0.0.0.0.",
                confidence=Confidence.LIKELY,
                breaks=service.breaks(Stage.REACHABLE),
            )
            continue
        if not listen.loopback:
            yield rule.passed()
            continue
        if any(not other.loopback for other in found):
            continue  # another address of the same service is open: this one is internal
        default = listen.source == "default"
        yield rule.finding(
            listen.host_at or listen.at,
            f"{listen.server} binds {listen.host}"
            + (" (its default)" if default else "")
            + ", which only the container itself can reach: connections through the published port are reset",
            help="Bind every interface of the container: host 0.0.0.0.",
            related=[Related(p.at, "published here") for p in service.published[:1]],
            evidence={
                "host": listen.host,
                "port": listen.port if isinstance(listen.port, int) else None,
            },
            breaks=service.breaks(Stage.REACHABLE),
        )


def _only_ipv6(service: Service, listen: Listen) -> bool:
    """Uvicorn in one process leaves the socket to asyncio, which sets ``IPV6_V6ONLY``.

    With workers or the reloader it binds the socket itself, for both. Platforms and clusters may
    connect by IPv6.
    """
    if listen.host not in ("::", "[::]") or listen.server != "uvicorn":
        return False
    if service.origin not in ("compose", "dockerfile"):
        return False
    starts = [p.interpretation.fact for p in service.processes]
    return all(
        fact.option("workers") is None and fact.option("reload") is None
        for fact in starts
        if isinstance(fact, ServerStart)
    ) and not any(s.option("workers") for e in service.entries for s in e.trace.servers)


@check("NET002")
def exposed_port(service: Service, rule: Rule) -> Iterator[Outcome]:
    """EXPOSE names another port than the one served."""
    image = service.image
    if image is None:
        return
    served = ports.served(service)
    exposed = [p for p in image.image.exposed if p.first is not None and p.protocol == "tcp"]
    if not served.complete or not exposed:
        return
    for port in exposed:
        first, last = port.first or 0, port.last or port.first or 0
        if any(first <= number <= last for number in served.ports):
            yield rule.passed()
            return
    listen = served.listens[0]
    yield rule.finding(
        exposed[0].at,
        f"EXPOSE {exposed[0].text if isinstance(exposed[0].text, str) else exposed[0].first}, but {listen.server} "
        f"serves {listen.port}: `docker run -P` and tools that read EXPOSE publish the wrong port",
        help=f"`EXPOSE {listen.port}`.",
        evidence={"served": listen.port if isinstance(listen.port, int) else None},
        related=[Related(listen.at, "served here")],
    )


def _cut_off(service: Service) -> tuple[Location, str] | None:
    """Networks of Compose that publish nothing: ``internal`` ones, and none at all."""
    compose, project = service.compose, service.project
    if compose is None or project is None:
        return None
    mode = compose.network_mode
    if mode is not None and mode.value == "none":
        return compose.at, "`network_mode: none` gives the container no network"
    inner = {n.name: n for n in project.networks if n.internal and not n.external}
    if compose.networks and all(use.name in inner for use in compose.networks):
        named = compose.networks[0].name
        return inner[named].at, f"its only network, `{named}`, is internal"
    return None


def _behind_proxy(service: Service, served: ports.Served, deployment: Deployment) -> bool:
    """A proxy of the project sends requests to a port that the service serves."""
    return any(
        target.port in served.ports
        and service in deployment.neighbours.known_as(other, target.host)
        for other in deployment.neighbours.siblings(service)
        for target in other.proxies
    )


@check("NET003")
def published_nowhere(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A published container port that no process serves."""
    if (
        (service.image is None and service.backing is None)
        or service.host_network
        or service.lends_network
    ):
        return
    served = ports.served(service)
    tcp = [
        p
        for p in service.published
        if p.protocol == "tcp" and p.source != "kubernetes" and isinstance(p.container_port, int)
    ]
    for item in service.published:
        if isinstance(item.container_port, Unknown) and item.source != "kubernetes":
            yield rule.undecided(
                f"a published port is not known ({item.container_port.reason})",
                at=item.at,
                blocks=service.breaks(Stage.REACHABLE),
            )
    if not tcp and served.complete:
        for item in service.published:
            if item.protocol == "udp" and item.container_port in served.ports:
                listen = served.listens[0]
                yield rule.finding(
                    item.at,
                    f"port {item.container_port} is published for UDP only, and {listen.server} "
                    "speaks HTTP over TCP: connections are refused",
                    help="Leave `/udp` out.",
                    related=[Related(listen.at, "served here")],
                    breaks=service.breaks(Stage.REACHABLE),
                )
                return
    if not tcp:
        return
    cut = _cut_off(service)
    if cut is not None:
        yield rule.finding(
            tcp[0].at,
            f"port {tcp[0].container_port} is published, but {cut[1]}: nobody outside reaches it",
            help="Put the service on a network that is not internal as well, or publish nothing.",
            related=[Related(cut[0], "said here")],
            severity=Severity.MEDIUM,
            breaks=service.breaks(Stage.REACHABLE),
        )
        return
    waiting = next((f for f in service.faults if f.kind == "idle"), None)
    if waiting is not None:
        yield rule.finding(
            tcp[0].at,
            f"port {tcp[0].container_port} is published, but {waiting.message}: connections are refused",
            help="Start the server, or publish nothing.",
            related=[Related(waiting.at, "started here")],
            severity=Severity.MEDIUM,
            breaks=service.breaks(Stage.REACHABLE),
        )
        return
    if not served.complete:
        if service.listens or service.is_web is not False:
            yield rule.undecided(
                f"the port that {service.name} serves is not known",
                at=tcp[0].at,
                blocks=service.breaks(Stage.REACHABLE),
            )
        return
    good = [p for p in tcp if p.container_port in served.ports]
    for item in tcp:
        if item.container_port in served.ports:
            yield rule.passed()
            continue
        listen = served.listens[0]
        fatal = not good and not _behind_proxy(service, served, deployment)
        if item.source == "platform":
            yield rule.finding(
                listen.at,
                f"the platform sends requests to the port that it gives in `$PORT`, but {listen.server} "
                f"serves {listen.port} whatever that says: the process is stopped after a minute",
                help='Bind `$PORT` (`--port $PORT`, `int(os.environ["PORT"])`).',
                related=[Related(item.at, "started here")],
                breaks=service.breaks(Stage.REACHABLE),
            )
            continue
        yield rule.finding(
            item.at,
            f"port {item.container_port} of the container is published, but {listen.server} serves {listen.port}: "
            "connections are refused",
            help=f"Publish {listen.port}"
            + (f" (`{item.host_port}:{listen.port}`)" if isinstance(item.host_port, int) else "")
            + f", or serve on {item.container_port}.",
            related=[Related(listen.at, "served here")],
            severity=None if fatal else Severity.MEDIUM,
            confidence=Confidence.LIKELY if item.documented_only else None,
            evidence={"published": item.container_port, "served": sorted(served.ports)},
            breaks=service.breaks(Stage.REACHABLE) if fatal else (),
        )


@check("NET004")
def host_port_collision(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Two services of one project want the same port of the host."""
    if service.project is None or service.compose is None or service.host_network:
        return
    for item in service.published:
        if not isinstance(item.host_port, int):
            continue
        clash = None
        for other, taken in deployment.neighbours.earlier_publishers(service, item.host_port):
            if (
                service.profiles
                and other.profiles
                and not set(service.profiles) & set(other.profiles)
            ):
                continue
            if ports.collide(item, taken):
                clash = taken
                optional = bool(service.profiles or other.profiles)
                yield rule.finding(
                    item.at,
                    f"`{service.name}` and `{other.name}` both publish port {item.host_port} of the host: the second "
                    "one does not start (`port is already allocated`)",
                    help="Publish another host port for one of them.",
                    related=[Related(clash.at, f"`{other.name}` takes it here")],
                    # Services of profiles are often each other's alternatives.
                    severity=Severity.MEDIUM if optional else None,
                    confidence=Confidence.POSSIBLE if optional else None,
                    breaks=(other if _waits_for(other, service) else service).breaks(Stage.STARTS),
                )
                break
        if clash is None:
            yield rule.passed()
    replicas = _replicas(service)
    ranged = service.compose.ports
    fixed = next((p for p in service.published if isinstance(p.host_port, int)), None)
    if any(_range(p.published) >= replicas for p in ranged):
        fixed = None
    on_node = any(p.mode == "host" and p.published is not None for p in ranged)
    if replicas > 1 and fixed is not None and not _swarm_mode(service):
        yield rule.finding(
            fixed.at,
            f"{replicas} replicas cannot all bind port {fixed.host_port} of the host"
            + (": a swarm starts one on each node" if on_node else ""),
            help="Leave the host port to the engine, or put a proxy in front.",
            severity=Severity.LOW if on_node else None,
            confidence=Confidence.POSSIBLE if on_node else Confidence.LIKELY,
            breaks=() if on_node else service.breaks(Stage.STARTS),
        )


def _range(published: object) -> int:
    """How many ports of the host a mapping offers."""
    first, last = getattr(published, "first", None), getattr(published, "last", None)
    return last - first + 1 if isinstance(first, int) and isinstance(last, int) else 0


def _waits_for(service: Service, other: Service) -> bool:
    """Whether Compose starts ``service`` after ``other``."""
    return (
        service.compose is not None
        and other.compose is not None
        and any(d.service == other.compose.name for d in service.compose.depends_on)
    )


def _replicas(service: Service) -> int:
    compose = service.compose
    text = None
    if compose is not None and compose.scale is not None:
        text = compose.scale.value
    elif compose is not None and compose.deploy is not None and compose.deploy.replicas is not None:
        text = compose.deploy.replicas.value
    return int(text) if isinstance(text, str) and text.isdigit() else 1


def _swarm_mode(service: Service) -> bool:
    """Keys that only a swarm reads: there the routing mesh shares the port."""
    deploy = service.compose.deploy if service.compose else None
    told = deploy is not None and (
        deploy.update_config is not None
        or deploy.mode is not None
        or deploy.endpoint_mode is not None
    )
    mapped = service.compose.ports if service.compose else ()
    # Published on the node itself, a port is shared with nobody.
    return told and not any(port.mode == "host" and port.published is not None for port in mapped)


@check("NET005")
def never_published(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A web service of a Compose project that nothing outside can reach."""
    if service.project is None or not service.ours or not service.is_web or service.is_dev:
        return
    if service.host_network or service.published:
        yield rule.passed()
        return
    own = service.compose.name if service.compose else ""
    if any(s.ports for s in service.project.services if s.name != own) or service.profiles:
        return  # behind a proxy or a front end
    labels = service.compose.labels if service.compose else ()
    if any(label.name.startswith(("traefik.", "caddy")) for label in labels):
        return
    external = [
        n
        for n in (service.compose.networks if service.compose else ())
        for r in service.project.networks
        if r.name == n.name and r.external
    ]
    if external:
        return
    listen = service.listens[0] if service.listens else None
    yield rule.finding(
        service.at,
        f"`{service.name}` serves {listen.port if listen and isinstance(listen.port, int) else 'a port'}, but the "
        "project publishes none: nothing outside the network can reach it",
        help='Publish it: `ports: ["8000:8000"]`.',
        related=[Related(listen.at, "served here")] if listen else (),
        breaks=service.breaks(Stage.REACHABLE),
    )


_PLAIN_UNLESS_TOLD = frozenset({"uvicorn", "gunicorn", "hypercorn", "granian", "waitress"})


def _without_tls(service: Service) -> bool:
    """Every process is a server that speaks TLS only when told of a certificate, and is not."""
    facts = [process.interpretation.fact for process in service.processes]
    servers = [f for f in facts if isinstance(f, ServerStart) and f.kind in _PLAIN_UNLESS_TOLD]
    if not servers or len(servers) != len(facts):
        return False
    options = [*service.configured, *(o for fact in servers for o in fact.options)]
    if any(fact.opaque is not None for fact in servers) or service.variable("GUNICORN_CMD_ARGS"):
        return False
    return not any("cert" in o.name or "key" in o.name or "ssl" in o.name for o in options)


@check("NET006")
def health_check_address(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """The health check asks a port or path that the service does not serve."""
    yield from _named_probes(service, rule)
    for current in in_force(service.health):
        yield from _address(service, rule, deployment, current)


def _named_probes(service: Service, rule: Rule) -> Iterator[Outcome]:
    """Probes that name a port which the container does not declare."""
    container = service.container
    if container is None or any(
        p.name is not None and not isinstance(p.name.value, str) for p in container.ports
    ):
        return
    for what, probe, stage in (
        ("startup", container.startup_probe, Stage.STARTS),
        ("liveness", container.liveness_probe, Stage.STARTS),
        ("readiness", container.readiness_probe, Stage.REACHABLE),
    ):
        port = probe.port if probe is not None else None
        name = port.value if port is not None else ""
        if port is None or not isinstance(name, str) or not name or name.isdigit():
            continue
        if container.port_named(name) is not None:
            continue
        yield rule.finding(
            port.at,
            f"the {what} probe asks a port called `{name}`, and the container has none of that "
            "name: it always fails",
            help=f"Add `name: {name}` to the container's port, or ask its number.",
            related=[Related(container.at, "the container")],
            severity=Severity.HIGH,
            breaks=service.breaks(stage),
        )


def _address(
    service: Service, rule: Rule, deployment: Deployment, current: HealthCheck
) -> Iterator[Outcome]:
    if service.image is None:
        return
    if current.literal and current.source in ("dockerfile", "compose"):
        yield rule.finding(
            current.at,
            f"the health check is in the exec form: no shell expands `{current.literal}`, and the address "
            "it asks is none: the container is always unhealthy",
            help="Write it in the shell form (`HEALTHCHECK CMD …`, `CMD-SHELL` in Compose), or write the number.",
            severity=weight(service, current, deployment),
            breaks=waiting(service, current, deployment),
        )
        return
    if current.port is None:
        return
    local = current.host in ("localhost", "127.0.0.1", "0.0.0.0", "[::1]", service.name)
    served = ports.served(service)
    if not local or not served.complete or _of_sidecar(service, current.port):
        return
    listen = served.on(current.port)[0] if served.on(current.port) else served.listens[0]
    asked = subject(current)
    if current.port not in served.ports:
        yield rule.finding(
            current.at,
            f"{asked} asks port {current.port}, but {listen.server} serves {listen.port}: "
            f"{fails(current)}",
            help=f"Ask port {listen.port}.",
            related=[Related(listen.at, "served here")],
            severity=weight(service, current, deployment),
            breaks=waiting(service, current, deployment),
        )
        return
    if current.scheme == "https" and _without_tls(service):
        yield rule.finding(
            current.at,
            f"{asked} speaks TLS (`https://`), and {listen.server} is given no certificate, so it "
            f"answers plain HTTP: {fails(current)}",
            help="Ask `http://`.",
            related=[Related(listen.at, "served here")],
            severity=weight(service, current, deployment),
            breaks=waiting(service, current, deployment),
        )
        return
    yield from _path(service, rule, deployment, current)


def _of_sidecar(service: Service, port: int) -> bool:
    """Whether another container of the pod may serve the port: they share one address."""
    if service.workload is None or service.container is None:
        return False
    pod = service.workload.pod
    others = [c for c in (*pod.containers, *pod.init_containers) if c is not service.container]
    return any(p.container_port.number == port for c in others for p in c.ports)


def _path(
    service: Service, rule: Rule, deployment: Deployment, current: HealthCheck
) -> Iterator[Outcome]:
    apps = [app for entry in service.entries for app in entry.trace.apps]
    complete = all(app.complete for app in apps) and current.scheme.startswith("http")
    path = (current.path or "/").partition("?")[0].rstrip("/") or "/"
    known = _routes(service)
    if known is not None and current.scheme.startswith("http") and path not in known:
        near = sorted(
            p for p in known if "health" in p or "ready" in p or "live" in p or "ping" in p
        )
        yield rule.finding(
            current.at,
            f"{subject(current)} asks `{path}`, which the application does not serve (404)"
            + (f"; it serves `{near[0]}`" if near else ""),
            confidence=Confidence.LIKELY,
            severity=weight(service, current, deployment),
            breaks=waiting(service, current, deployment),
        )
        return
    asked = [r for a in apps for r in a.routes if r.path in (path, f"{path}/")]
    methods = {method for route in asked for method in route.methods}
    if complete and asked and not current.posts and not methods & {"GET", "HEAD", "ANY", "*"}:
        yield rule.finding(
            current.at,
            f"{subject(current)} asks `{path}` with GET, and the application takes only "
            f"{', '.join(sorted(methods))} there (405): {fails(current)}",
            help="Ask a route that answers GET.",
            related=[Related(asked[0].at, "registered here")],
            confidence=Confidence.LIKELY,
            severity=weight(service, current, deployment),
            breaks=waiting(service, current, deployment),
        )
        return
    yield rule.passed()


def _routes(service: Service) -> set[str] | None:
    """Every path that its applications serve, without a closing slash; None when more may be."""
    apps = [app for entry in service.entries for app in entry.trace.apps]
    paths = [route.path for app in apps for route in app.routes]
    if not paths or any(app.open or not app.complete for app in apps):
        return None
    if any(start.value("root_path") for start in server_starts(service)):
        return None
    if any(app.framework in ("gradio", "streamlit", "dash", "django") for app in apps):
        return None  # what is mounted there is not listed
    found: set[str] = set()
    for path in paths:
        if not isinstance(path, str) or "{" in path or "<" in path:
            return None
        found.add(path.rstrip("/") or "/")
    if any(app.framework == "fastapi" for app in apps):
        found |= {"/docs", "/redoc", "/openapi.json"}
    return found


@check("NET008")
def privileged_port(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A port below 1024 served by a user who is not root."""
    user = service.user
    if not isinstance(user, str) or user.partition(":")[0] in ("root", "0", ""):
        return
    for listen in service.listens:
        if not isinstance(listen.port, int):
            continue
        if listen.port >= 1024:
            yield rule.passed()
            continue
        yield rule.finding(
            listen.at,
            f"{listen.server} serves port {listen.port} as {user}: Docker 20.10 and later allow it, older engines and "
            "some Kubernetes settings do not",
            help="Serve a port above 1023 and map it outside.",
        )


@check("NET009")
def proxy_target(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A proxy in front sends requests to a name or port that nothing serves."""
    for fault in service.faults:
        if fault.kind == "upstream":
            yield rule.finding(
                fault.at,
                fault.message,
                related=[Related(at, text) for at, text in fault.related],
                breaks=service.breaks(Stage.REACHABLE),
            )
    yield from _labelled(service, rule)
    yield from _asked_by_code(service, rule, deployment)
    project = service.project
    if project is None or service.compose is None or not service.proxies:
        return
    siblings = deployment.neighbours.siblings(service)
    extra = {str(h.value).partition(":")[0].partition("=")[0] for h in service.compose.extra_hosts}
    for target in service.proxies:
        if target.host in ("localhost", "127.0.0.1"):
            yield from _itself(service, target, siblings, rule, deployment)
            continue
        named = deployment.neighbours.known_as(service, target.host)
        if not named:
            plain = re.fullmatch(r"[a-z][a-z0-9_-]*", target.host) is not None
            external = any(n.external for n in project.networks)
            if plain and not external and target.host not in extra and not service.profiles:
                yield rule.finding(
                    target.at,
                    f"{target.server} sends requests to `{target.host}`, which is no service of this "
                    f'project: `host not found in upstream "{target.host}"`, and it stops',
                    help="Name a service: "
                    + ", ".join(
                        f"`{s.compose.name}`"
                        for s in siblings[:4]
                        if s.compose and s is not service
                    )
                    + ".",
                    related=[Related(service.at, "the proxy is started here")],
                    confidence=Confidence.LIKELY,
                    breaks=service.breaks(Stage.STARTS),
                )
            continue
        if all(_apart(service, other) for other in named):
            yield rule.finding(
                target.at,
                f"{target.server} sends requests to `{target.host}`, which is in no network that this "
                f'service is in: `host not found in upstream "{target.host}"`, and it stops',
                help="Put both services into one network.",
                related=[Related(named[0].at, "the service that is not found")],
                breaks=service.breaks(Stage.STARTS),
            )
            continue
        for other in named:
            served = ports.served(other)
            if other.image is None or not served.complete:
                continue
            if target.port in served.ports:
                yield from _kept_prefix(service, other, target, rule, deployment)
                continue
            listen = served.listens[0]
            yield rule.finding(
                target.at,
                f"{target.server} sends requests to port {target.port} of `{other.name}`, but "
                f"{listen.server} serves {listen.port} there: `502 Bad Gateway`",
                help=f"Send to `{target.host}:{listen.port}`.",
                related=[Related(listen.at, "served here")],
                breaks=_shut(other, service, deployment, Stage.REACHABLE),
            )


def _shut(
    other: Service, proxy: Service, deployment: Deployment, stage: Stage
) -> tuple[tuple[str, Stage], ...]:
    """What a fault of the proxy in front of a service breaks: nothing, where others ask it directly."""
    names, at = known_names(other), ports.served(other).ports
    if other.published or asked_by_others(other, deployment, names, at, beside=proxy):
        return ()
    return other.breaks(stage)


def _kept_prefix(
    service: Service, other: Service, target: Proxied, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """A prefix that the proxy leaves in place, and that no route of the application has."""
    known = _routes(other)
    prefix = target.prefix
    if (
        not prefix
        or known is None
        or any(v.name in ("ROOT_PATH", "SCRIPT_NAME") for v in other.variables)
        or any(path == prefix or path.startswith(f"{prefix}/") for path in known)
    ):
        yield rule.passed()
        return
    alone = all(t.at == target.at for t in service.proxies if t.host == target.host)
    yield rule.finding(
        target.at,
        f"{target.server} passes requests below `{prefix}/` on as they are, and `{other.name}` has no "
        f"route that begins with `{prefix}`: every one is answered with 404",
        help=f"Write `proxy_pass http://{target.host}:{target.port}/;`: the slash at the end cuts the prefix.",
        confidence=Confidence.LIKELY,
        breaks=_shut(other, service, deployment, Stage.PREDICTS) if alone else (),
    )


def _apart(service: Service, other: Service) -> bool:
    """Whether Compose puts the two into networks of which none is common."""
    one, two = service.compose, other.compose
    project = service.project
    if one is None or two is None or project is None or one is two:
        return False
    if one.network_mode is not None or two.network_mode is not None:
        return False
    names = [{use.name for use in compose.networks} or {"default"} for compose in (one, two)]
    external = {network.name for network in project.networks if network.external}
    return not (names[0] & names[1] or (names[0] | names[1]) & external)


def _itself(
    service: Service,
    target: Proxied,
    siblings: list[Service],
    rule: Rule,
    deployment: Deployment,
) -> Iterator[Outcome]:
    """``localhost`` in the configuration of a proxy is the proxy's own container."""
    own = ports.served(service)
    if target.port in own.ports or (service.image is not None and len(service.processes) > 1):
        return
    for other in siblings:
        if other is service or other.image is None or service.host_network:
            continue
        if target.port in ports.served(other).ports:
            yield rule.finding(
                target.at,
                f"{target.server} sends requests to {target.host}, which is its own container; "
                f"`{other.name}` serves port {target.port} in another one: `502 Bad Gateway`",
                help=f"Send to `{other.compose.name if other.compose else other.name}:{target.port}`.",
                related=[Related(other.at, "this service is meant")],
                breaks=_shut(other, service, deployment, Stage.REACHABLE),
            )
            return


_URL = re.compile(r"https?://([\w.-]+)(?::(\d{1,5}))?(?=[/?#]|$)")


# Where HTTP clients, and those of OpenAI's protocol, take the address that they ask.
_ADDRESSES = ("url", "base_url", "api_base", "azure_endpoint")


# What these clients ask where the call names no address.
_CLIENTS = frozenset({"openai.OpenAI", "openai.AsyncOpenAI"})
_CLIENTS_ADDRESS = "OPENAI_BASE_URL"


def _address_of(call: Call, service: Service) -> tuple[re.Match[str], Location] | None:
    """The address that a client asks, and where it is written."""
    named = (call.keyword(name) for name in _ADDRESSES)
    # `requests.request("GET", url)` gives the method first.
    for value in (*named, *call.arguments[:2]):
        match = _URL.match(value.text or "") if value is not None else None
        if value is not None and match is not None:
            return match, value.origin or call.at
    if call.name in _CLIENTS and call.keyword("base_url") is None:
        variable = service.variable(_CLIENTS_ADDRESS)
        told = variable.value if variable is not None else None
        match = _URL.match(told) if isinstance(told, str) else None
        if variable is not None and match is not None:
            return match, variable.at or call.at
    return None


def _asked_by_code(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Code asks another service of the project at a port that it does not serve, or itself."""
    if service.compose is None or service.image is None or service.host_network:
        return
    neighbours = deployment.neighbours
    seen: set[tuple[str, int]] = set()
    for entry in service.entries:
        for call in entry.trace.calls:
            asked = _address_of(call, service) if call.category == "http" else None
            if asked is None:
                continue
            match, at = asked
            host = match[1]
            port = int(match[2] or (443 if match[0].startswith("https") else 80))
            local = host in ("localhost", "127.0.0.1")
            meant = [service] if local else neighbours.known_as(service, host)
            served = ports.served(meant[0]) if len(meant) == 1 and meant[0].image else None
            if served is None or not served.complete or (host, port) in seen:
                continue
            seen.add((host, port))
            if port in served.ports and local:
                yield from _asks_itself(service, rule, deployment, call, match)
                continue
            if port in served.ports:
                yield rule.passed()
                continue
            if local and _starts_others(entry):
                continue
            listen = served.listens[0]
            told = local and (_told_elsewhere(service, port, deployment) or _guarded(call.reach))
            yield rule.finding(
                at,
                f"the code asks `{host}:{port}`, "
                + (
                    "which is its own container, and nothing there serves that port"
                    if local
                    else f"but {listen.server} serves {listen.port} there"
                )
                + ": `Connection refused`",
                help="Name the service of the project that is meant, and the port that it serves."
                if local
                else f"Ask `{host}:{listen.port}`.",
                related=[Related(call.at, "asked here"), Related(listen.at, "served here")],
                severity=Severity.MEDIUM if told else None,
                confidence=Confidence.POSSIBLE if told else Confidence.LIKELY,
                breaks=() if told else stopped(service, call.at, call.reach),
            )


def _starts_others(entry: Entry) -> bool:
    """The code starts programs that may serve ports beside it: all but those that end by themselves."""
    return any(
        call.category == "subprocess" and posixpath.basename(call.program) not in _ENDING
        for call in entry.trace.calls
    )


# Programs that code calls for one answer.
_ENDING = frozenset(
    """
    convert cp curl df du ffmpeg ffprobe file find free git gs identify kill ls magick mv nvcc nvidia-smi
    pdftoppm pdftotext ping ps rm soffice libreoffice tesseract top uname unzip wget which zip
    """.split()  # noqa: SIM905
)


def _guarded(reach: Reach) -> bool:
    """A branch that a request takes by a decision of the code, and whose failure is caught.

    Such is one of several places to ask (a model on the developer's machine beside two hosted
    ones): nobody can tell that it is ever taken.
    """
    return bool(reach.route) and not reach.certain and {"if", "try"} <= set(reach.guards)


def _told_elsewhere(service: Service, port: int, deployment: Deployment) -> bool:
    """Another Compose file of the project tells the same service whom to ask at this port."""
    own, project = service.compose, service.project
    for other in deployment.variants:
        if own is None or project is None or other.files[0] != project.files[0]:
            continue
        same = next((s for s in other.services if s.name == own.name), None)
        for variable in same.environment if same is not None else ():
            asked = _URL.match(variable.value) if isinstance(variable.value, str) else None
            if (
                asked is not None
                and asked[2] == str(port)
                and asked[1] not in ("localhost", "127.0.0.1")
            ):
                return True
    return False


def _asks_itself(
    service: Service, rule: Rule, deployment: Deployment, call: Call, match: re.Match[str]
) -> Iterator[Outcome]:
    """``localhost`` and the service's own port, where another service is meant by the path."""
    path = re.split(r"[?#]", match.string[match.end() :])[0].rstrip("/") or "/"
    own = _routes(service)
    meant = [
        other
        for other in deployment.neighbours.siblings(service)
        if other is not service and path in (_routes(other) or ())
    ]
    if own is None or path in own or len(meant) != 1:
        yield rule.passed()
        return
    other = meant[0]
    yield rule.finding(
        call.at,
        f"the code asks `{match[0]}`, which is its own container, and its application does not serve "
        f"`{path}` (404); `{other.name}` does, in another container",
        help="Ask the service of the project by its name.",
        related=[Related(other.at, "this service is meant")],
        confidence=Confidence.LIKELY,
        breaks=stopped(service, call.at, call.reach),
    )


_TRAEFIK_PORT = re.compile(r"^traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port$", re.I)


def _labelled(service: Service, rule: Rule) -> Iterator[Outcome]:
    """The port that Traefik is told by a label."""
    served = ports.served(service)
    if service.compose is None or service.image is None or not served.complete:
        return
    for label in service.compose.labels:
        if not _TRAEFIK_PORT.match(label.name) or not isinstance(label.value, str):
            continue
        if not label.value.isdigit() or int(label.value) in served.ports:
            yield rule.passed()
            continue
        listen = served.listens[0]
        yield rule.finding(
            label.at,
            f"Traefik is told to send requests to port {label.value} of `{service.name}`, but "
            f"{listen.server} serves {listen.port}: `502 Bad Gateway`",
            help=f"Write {listen.port}.",
            related=[Related(listen.at, "served here")],
            breaks=() if service.published else service.breaks(Stage.REACHABLE),
        )
