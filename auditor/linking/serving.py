"""What a service does with a model: its prediction routes, where models are loaded, what limits it.

A service *predicts* when its own code says so: a handler reaches a prediction call, or a route
that is named after predicting belongs to code that loads a model. Everything else (databases,
user interfaces that only ask another service, workers) is none of these rules' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers.commands.facts import ServerStart
from auditor.parsers.python.facts import Call, FileAccess, Phase, Route, WebApp
from auditor.source import Location, Unknown
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment, Entry, Service
    from auditor.parsers.commands.facts import Option
    from auditor.parsers.python.facts import Trace

# A path that names prediction and nothing else ("/score" and "/generate" may mean anything).
_PREDICTS = re.compile(
    r"predict(?!\w*[- ](?:server|service|api|app)\b)|infer(?:ence)?\b|invocations|classif|forecast",
    re.IGNORECASE,
)
# Other names of asking a model, believed only where a model is evidently at work.
_ASKS = re.compile(
    r"\b(?:score|recommend\w*|segment\w*|embed\w*|transcribe|translate|detect\w*|summari[sz]e|generate"
    r"|analy[sz]e|sentiment|rank|estimate|similarity|caption|ocr)\b",
    re.IGNORECASE,
)
# Routes that fit, test or manage models: what they do is slow by intent.
_TRAINS = re.compile(
    r"\b(re)?train|\bfit\b|(re)?train(ing)?\b|evaluat|benchmark|golden|\btest|tune|experiment|"
    r"\bjobs?\b|drift|monitor",
    re.IGNORECASE,
)
# Methods that compute on the calling thread; asynchronous clients have others, or are awaited.
BLOCKING = frozenset(
    {
        ".predict", ".predict_proba", ".predict_log_proba", ".decision_function", ".run",
        ".predict_on_batch", ".score_samples", ".kneighbors", ".transcribe", ".forward",
        ".inference", ".infer", ".generate", ".encode", ".detect", ".readtext", ".batch_predict",
    }
)  # fmt: skip
# Event loops of these carry every request of the process.
ASYNC_FRAMEWORKS = frozenset(
    {
        "fastapi", "starlette", "litestar", "sanic", "aiohttp", "quart", "tornado", "blacksheep",
        "robyn",
    }
)  # fmt: skip
# Libraries whose import says that a model is at work.
_LEARNING = frozenset(
    {
        "sklearn", "joblib", "torch", "tensorflow", "keras", "transformers", "onnxruntime",
        "xgboost", "lightgbm", "catboost", "spacy", "ultralytics", "sentence_transformers",
        "fasttext", "mlflow", "torchvision", "tflite_runtime", "vllm", "diffusers", "timm",
        "statsmodels", "prophet", "tritonclient", "easyocr", "whisper", "faster_whisper",
    }
)  # fmt: skip
# Loaders of arrays and the like that are as often data as models.
_DATA_LOADERS = ("numpy.", "pandas.", "h5py.", "scipy.", "cv2.imread")


@value
class Serving:
    """One entry of a service that answers with predictions.

    ``routes`` are its prediction routes; ``predicts`` the prediction calls in handlers; ``loads``
    every model that is loaded, whenever that is.
    """

    entry: Entry
    app: WebApp | None
    routes: tuple[Route, ...]
    predicts: tuple[Call, ...]
    loads: tuple[FileAccess, ...]
    # A script that runs from top to bottom for every interaction (Streamlit).
    script: bool = False

    @property
    def at(self) -> Location:
        """The first prediction handler; the call itself where there is no route."""
        if self.routes:
            return self.routes[0].handler_at
        if self.predicts:
            return self.predicts[0].at
        return self.entry.at

    @property
    def labels(self) -> frozenset[str]:
        """The routes as ``Reach.route`` names them."""
        return frozenset(
            {r.label for r in self.routes} | {c.reach.route for c in self.predicts}
        )  # fmt: skip

    def calls(self, *categories: str, predicting: bool = False) -> Iterator[Call]:
        """Calls that happen, of these categories; ``predicting``: on the way of a prediction."""
        for call in self.entry.trace.calls:
            if call.category not in categories or call.reach.phase is Phase.UNREACHED:
                continue
            if not predicting or self.on_path(call):
                yield call

    def on_path(self, fact: Call | FileAccess) -> bool:
        """It happens while a prediction is being made."""
        reach = fact.reach
        if self.script:
            return reach.phase in (Phase.IMPORT, Phase.MAIN, Phase.REQUEST)
        return reach.phase is Phase.REQUEST and (reach.route in self.labels or not reach.route)


def servings(service: Service) -> tuple[Serving, ...]:
    """The entries of a service that predict; empty when nothing says that any does."""
    if service.is_dev or not service.ours:
        return ()
    found: list[Serving] = []
    for entry in service.entries:
        trace = entry.trace
        if entry.server in ("celery", "celery-beat", "rq", "dramatiq"):
            continue
        loads = tuple(
            f
            for f in trace.files
            if f.kind == "artifact"
            and f.mode == "read"
            and f.reach.phase is not Phase.UNREACHED
            and not f.loader.startswith(_DATA_LOADERS)
        )
        script = entry.server == "streamlit"
        predicts = tuple(
            c
            for c in trace.calls
            if c.category == "predict" and (c.reach.phase is Phase.REQUEST or script)
            and c.reach.phase is not Phase.UNREACHED
        )  # fmt: skip
        trains = _training(trace)
        predicts = tuple(c for c in predicts if c.reach.route not in trains)
        app = _app(entry)
        learns = bool(loads) or any(i.fact.top in _LEARNING for i in trace.imports)
        routes = tuple(_unwrapped(r, service) for r in _routes(app, predicts, learns))
        if routes or predicts:
            found.append(
                Serving(
                    entry=entry,
                    app=app,
                    routes=routes,
                    predicts=predicts,
                    loads=loads,
                    script=script,
                )
            )
    return tuple(found)


def _training(trace: Trace) -> frozenset[str]:
    """Routes that fit a model rather than ask one, by what they call and by their names."""
    asking: dict[str, list[str]] = {}
    for call in trace.calls:
        if call.category == "predict" and call.reach.phase is Phase.REQUEST:
            asking.setdefault(call.reach.route, []).append(call.reach.function)
    # Every prediction there is made by a function that evaluates or compares.
    measures = {
        route
        for route, functions in asking.items()
        if all(_TRAINS.search(name.rpartition(".")[2].replace("_", " ")) for name in functions)
    }
    fits = measures | {
        c.reach.route
        for c in trace.calls
        if c.category == "preprocess" and c.name == ".fit" and c.reach.phase is Phase.REQUEST
    }
    return frozenset(
        r.label
        for a in trace.apps
        for r in a.routes
        if (r.label in fits or _TRAINS.search(f"{r.path if isinstance(r.path, str) else ''} "
                                              f"{r.handler.replace('_', ' ')}"))
        and not (isinstance(r.path, str) and _PREDICTS.search(r.path))
    )  # fmt: skip


def _app(entry: Entry) -> WebApp | None:
    """The application that is served: the one named, else the one with the most routes."""
    named = entry.trace.app(entry.attribute) if entry.attribute else None
    if named is not None and named.routes:
        return named
    return max(entry.trace.apps, key=lambda a: len(a.routes), default=None)


def _routes(app: WebApp | None, predicts: Iterable[Call], learns: bool) -> tuple[Route, ...]:
    """The prediction routes, those named after predicting first."""
    if app is None:
        return ()
    reached = {c.reach.route for c in predicts}
    routes = [
        r for r in app.routes if r.kind not in ("health", "ready", "metrics", "reload", "docs")
    ]
    named = [r for r in routes if _asked_by_post(r) and _named(r, _PREDICTS)]
    calling = [r for r in routes if r.label in reached and r not in named]
    if not named and not calling and learns:
        named = [r for r in routes if _asked_by_post(r) and _named(r, _ASKS)]
    return (*named, *calling)


def _unwrapped(route: Route, service: Service) -> Route:
    """A handler that is a decorator's inner function stands where it is registered."""
    facts = service.module_facts.get(route.handler_at.path)
    outer = route.handler.rpartition(".")[0]
    if outer and facts is not None and any(f.qualname == outer for f in facts.functions):
        return replace(route, handler_at=route.at)
    return route


def _asked_by_post(route: Route) -> bool:
    return bool(set(route.methods) & {"POST", "PUT"})


def _named(route: Route, pattern: re.Pattern[str]) -> bool:
    """The path or the handler's name says so."""
    name = route.handler.rpartition(".")[2]
    path = route.path if isinstance(route.path, str) else ""
    return any(pattern.search(text.replace("_", " ")) for text in (path, name))


def predicting(deployment: Deployment) -> tuple[tuple[Service, tuple[Serving, ...]], ...]:
    """Every service that predicts, with how."""
    pairs = ((s, servings(s)) for s in deployment.services)
    return tuple((s, found) for s, found in pairs if found)


# ---- servers ----


def server_starts(service: Service) -> tuple[ServerStart, ...]:
    """The servers that the service's command starts."""
    return tuple(
        p.interpretation.fact
        for p in service.processes
        if isinstance(p.interpretation.fact, ServerStart)
    )


def server_option(service: Service, start: ServerStart, name: str) -> Option | None:
    """The option that decides: command line, environment, configuration file."""
    env = {v.name: v.value for v in service.variables}
    return start.effective(name, env=env, config=service.configured)


def reloads_by_signal(service: Service, found: Serving) -> bool:
    """Gunicorn replaces its workers one by one on HUP, with a model that lies outside the image."""
    mounted = [m.target for m in service.mounts if isinstance(m.target, str)]
    outside = any(
        isinstance(f.path.resolved, str) and f.path.resolved.startswith(f"{target.rstrip('/')}/")
        for f in found.loads
        for target in mounted
    )
    return outside and any(
        start.kind == "gunicorn" and not switched_on(server_option(service, start, "preload"))
        for start in server_starts(service)
    )


def number(option: Option | None) -> int | None:
    """The option as a whole number, None when it is not given or not known."""
    text = option.value if option is not None else None
    return int(text) if isinstance(text, str) and text.strip().isdigit() else None


def text(option: Option | None) -> str | None:
    """The option as text, None when it is not given or not known."""
    value = option.value if option is not None else None
    return value if isinstance(value, str) else None


def switched_on(option: Option | None) -> bool:
    """The switch is given and not off."""
    return option is not None and (
        option.value is True or str(option.value).lower() in ("true", "1", "yes", "on")
    )


def size_in_bytes(text: object) -> int | None:
    """A memory size of Compose (``512m``, ``1.5g``, ``1gb``)."""
    if not isinstance(text, str):
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text, re.IGNORECASE)
    if match is None:
        return None
    power = " kmgt".index(match[2].lower() or " ")
    return int(float(match[1]) * 1024**power)


def memory_limit(service: Service) -> tuple[int, Location] | None:
    """(bytes, place) of the memory that the container may use, as Compose or the pod says it."""
    if service.container is not None:
        from auditor.parsers.kubeapi import quantity

        resources = service.container.resources
        given = resources.limit("memory") if resources is not None else None
        amount = quantity(given.value) if given and isinstance(given.value, str) else None
        return (int(amount), given.at) if given is not None and amount is not None else None
    if service.compose is None:
        return None
    limits = service.compose.deploy.limits if service.compose.deploy else None
    text = limits.memory if limits is not None and limits.memory else service.compose.mem_limit
    size = size_in_bytes(text.value) if text is not None else None
    return (size, text.at) if text is not None and size is not None else None


def seconds(text: object) -> float | None:
    """A duration of Compose (``10s``, ``1m30s``, ``500ms``), in seconds."""
    if not isinstance(text, str):
        return None
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)", text)
    if not parts or "".join(n + u for n, u in parts) != text.replace(" ", ""):
        return None
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(n) * unit[u] for n, u in parts)


def shown(path: str | Unknown | None, fallback: str = "the model") -> str:
    """A path for a message."""
    return f"`{path}`" if isinstance(path, str) else fallback


# ---- what stands around a service ----

_GATEWAYS = frozenset(
    {
        "nginx", "traefik", "envoy", "haproxy", "kong", "caddy", "apisix", "tyk", "openresty",
        "krakend", "nginx-proxy", "istio", "linkerd", "ambassador", "emissary", "varnish",
        "swag", "nginxproxymanager", "nginx-proxy-manager",
    }
)  # fmt: skip
_PROMETHEUS = frozenset({"prometheus", "victoria-metrics", "vmagent", "agent", "alloy"})
_COLLECTORS = frozenset(
    {
        "opentelemetry-collector", "opentelemetry-collector-contrib", "otel-collector", "telegraf",
        "statsd-exporter", "statsd", "graphite-statsd", "nginx-prometheus-exporter", "agent",
        "datadog-agent", "signoz", "apm-server", "jaeger", "all-in-one", "lgtm", "otel-lgtm",
        "netdata", "zabbix-agent", "fluent-bit-metrics",
    }
)  # fmt: skip


def image_name(reference: object) -> str:
    """``traefik`` of ``docker.io/library/traefik:v3@sha256:…``."""
    if not isinstance(reference, str):
        return ""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()


def siblings(service: Service) -> tuple[tuple[str, str], ...]:
    """(service name, image name) of the other services of the same Compose project."""
    if service.project is None:
        return ()
    return tuple(
        (s.name, image_name(s.image.value) if s.image is not None else "")
        for s in service.project.services
        if service.compose is None or s.name != service.compose.name
    )


def gateway(service: Service) -> str | None:
    """A reverse proxy or an API gateway of the same Compose project, by its service name."""
    for name, image in siblings(service):
        if image in _GATEWAYS or name in _GATEWAYS or "gateway" in name or "proxy" in name:
            return name
    return None


def scraper(service: Service) -> str | None:
    """A collector of metrics in the same Compose project."""
    for name, image in siblings(service):
        if (image in _PROMETHEUS and image != "agent") or name == "prometheus":
            return name
    return None


def collector(service: Service) -> str | None:
    """Something in the same Compose project that gathers metrics on the service's behalf."""
    for name, image in siblings(service):
        if image in _COLLECTORS or name in _COLLECTORS:
            return name
    return None
