"""SRV: how the serving code uses its model. Only services that evidently predict are judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.artifacts.facts import ObjectFacts, PickleFacts
from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Artifact, Deployment, Service
from auditor.findings import Confidence, Finding, Related, Severity
from auditor.linking import serving
from auditor.linking.serving import Serving, servings
from auditor.parsers.python.facts import LEFT_EARLY, Call, FileAccess, Phase, Route, WebApp
from auditor.source import Location

# Conditions that a person would not read as "sometimes": the load happens in every request.
_HARMLESS_GUARDS = LEFT_EARLY | {"try", "loop", "exists", "missing", "with"}
_RELATED = 6
# Servers and frameworks that answer health requests themselves.
_OWN_HEALTH = frozenset(
    {
        "bentoml", "litserve", "mlserver", "triton", "tensorflow-serving", "torchserve", "seldon",
        "mlflow-models", "ray-serve", "streamlit", "gradio", "vllm", "tgi", "sglang", "kserve",
        "cog", "chainlit", "panel", "bokeh", "voila",
    }
)  # fmt: skip
_ESTIMATOR_PACKAGES = ("sklearn.", "xgboost.", "lightgbm.", "catboost.", "imblearn.")
_CARRIERS = ("Pipeline", "ColumnTransformer", "FeatureUnion", "TransformedTargetRegressor",
             "GridSearchCV", "RandomizedSearchCV", "PyFuncModel")  # fmt: skip
_TRANSFORMER_WORDS = ("scaler", "encoder", "preprocess", "transformer", "vectoriz", "imputer",
                      "tfidf", "ohe", "label_enc", "pca", "selector")  # fmt: skip
# Fitting these learns nothing.
_STATELESS = frozenset(
    {"PolynomialFeatures", "FunctionTransformer", "Normalizer", "Binarizer", "HashingVectorizer",
     "FeatureHasher", "AdditiveChi2Sampler"}
)  # fmt: skip
_IMMEDIATE_FITS = (".fit_transform",)


def _names(labels: Iterable[str]) -> str:
    """Routes for a message: the first three."""
    every = sorted({label for label in labels if label})
    text = ", ".join(f"`{label}`" for label in every[:3])
    return text + (f" and {len(every) - 3} more" if len(every) > 3 else "")


def _group(facts: Iterable[tuple[Location, str]]) -> list[tuple[Location, str]]:
    """Places, each once, in order."""
    return list(dict.fromkeys(sorted(facts)))


def _related(places: list[tuple[Location, str]]) -> list[Related]:
    return [Related(at, message) for at, message in places[1 : _RELATED + 1]]


# ---- SRV001 ----


def _reloaded(found: Serving) -> list[FileAccess]:
    """Models loaded again and again while predictions are made."""
    trace = found.entry.trace
    result = []
    for load in found.loads:
        reach = load.reach
        if reach.cached or "thread" in reach.guards or not found.on_path(load):
            continue
        if found.script and reach.phase is not Phase.REQUEST:
            # Streamlit runs its script anew for every interaction, but imports modules once.
            outermost = reach.via[0].path if reach.via else load.at.path
            if outermost != trace.path:
                continue
        result.append(load)
    return result


@check("SRV001")
def model_loaded_per_request(service: Service, rule: Rule) -> Iterator[Outcome]:
    """The model is read from disk for every prediction."""
    for found in servings(service):
        again = _reloaded(found)
        if not again:
            if found.loads:
                yield rule.passed()
            continue
        sure = [f for f in again if set(f.reach.guards) <= _HARMLESS_GUARDS]
        first = min(sure or again, key=lambda f: f.at)
        places = _group((f.at, f"`{f.loader}` here too") for f in again)
        places.sort(key=lambda p: p[0] != first.at)
        routes = {f.reach.route for f in again if f.at == first.at}
        when = (
            "whenever somebody touches a widget: Streamlit runs the script again"
            if found.script and first.reach.phase is not Phase.REQUEST
            else f"in every request to {_names(routes) or 'the service'}"
        )
        yield rule.finding(
            first.at,
            f"`{first.loader}` loads {serving.shown(first.path.resolved)} {when}",
            help=(
                "Load it in a function decorated with `@st.cache_resource`." if found.script else ""
            ),
            related=_related(places),
            confidence=Confidence.CERTAIN if sure else Confidence.POSSIBLE,
            evidence={"loader": first.loader, "routes": sorted({f.reach.route for f in again})},
        )


# ---- SRV002 ----


def _blocks(call: Call) -> bool:
    """The call computes on the event loop's own thread."""
    if not call.reach.in_async or call.offloaded or call.awaited or "thread" in call.reach.guards:
        return False
    if call.name.endswith("()()"):
        return "okenizer" not in call.name and "rocessor" not in call.name
    return call.name in serving.BLOCKING


@check("SRV002")
def blocking_inference(service: Service, rule: Rule) -> Iterator[Outcome]:
    """Inference on the event loop: nothing else is answered meanwhile, health checks included."""
    for found in servings(service):
        framework = found.app.framework if found.app else ""
        if framework not in serving.ASYNC_FRAMEWORKS:
            continue
        on_path = [c for c in found.predicts if found.on_path(c)]
        blocking = [c for c in on_path if _blocks(c)]
        if not blocking:
            if on_path:
                yield rule.passed()
            continue
        places = _group((c.at, "and here") for c in blocking)
        routes = _names(c.reach.route for c in blocking)
        yield rule.finding(
            places[0][0],
            f"inference runs on the event loop ({routes}): while it computes, this process "
            "answers nobody else, its health check included",
            related=_related(places),
            evidence={"routes": sorted({c.reach.route for c in blocking})},
        )


# ---- SRV003 ----


def _asks_for_body(route: Route, service: Service, framework: str) -> bool:
    """The handler reads a body that nothing describes."""
    if any(f.source in ("json-key", "column") for f in route.fields):
        return True
    if any(f.source == "body" for f in route.fields):
        return True
    facts = service.module_facts.get(route.handler_at.path)
    if facts is None:
        return False
    handler = route.handler.rpartition(":")[2]
    if framework in ("flask", "quart"):
        return any(
            c.function == handler and c.name.startswith(f"{framework}.request.get_json")
            for c in facts.calls
        )
    for function in facts.functions:
        if function.qualname == handler:
            return any(
                p.annotation.rpartition(".")[2] == "Request"
                or (p.name == "request" and not p.annotation)
                for p in function.parameters
            )
    return False


@check("SRV003")
def undeclared_input(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A prediction route takes whatever JSON arrives."""
    for found in servings(service):
        if found.app is None or found.app.framework in ("bentoml", "litserve", "socketio", "dash"):
            continue
        bare = []
        for route in found.routes:
            if not set(route.methods) & {"POST", "PUT", "PATCH"}:
                continue
            if route.declared:
                yield rule.passed()
            elif any(f.source in ("file", "form") for f in route.fields):
                continue  # an upload or an HTML form
            elif _asks_for_body(route, service, found.app.framework):
                bare.append(route)
        if not bare:
            continue
        bare.sort(key=lambda r: r.handler_at)
        first = bare[0]
        keys = [f.name for f in first.fields if f.source == "json-key"]
        reads = f" (it reads {', '.join(f'`{k}`' for k in keys[:4])})" if keys else ""
        yield rule.finding(
            first.handler_at,
            f"{_names(r.label for r in bare)} declares no input schema{reads}: whether "
            "every field is there, and of the right type, is checked by hand or not at all",
            related=_related([(r.handler_at, f"`{r.label}`") for r in bare]),
            evidence={"routes": [r.label for r in bare], "keys": keys},
        )


# ---- SRV004 ----


def _answers_at_root(route: Route) -> bool:
    return route.path == "/" and bool(set(route.methods) & {"GET", "HEAD"})


def unaskable(service: Service, deployment: Deployment) -> Iterator[WebApp | None]:
    """Applications that nothing can ask whether they are able to predict; None for a good one."""
    for found in servings(service):
        app = found.app
        if app is None or not app.routes or not app.complete:
            continue
        kinds = {r.kind for a in found.entry.trace.apps for r in a.routes}
        if (
            kinds & {"health", "ready"}
            or app.framework in _OWN_HEALTH
            or found.entry.server in _OWN_HEALTH
        ):
            yield None
            continue
        if any(not h.disabled for h in service.health):
            # Something asks: it was found good enough, and what it asks is NET006's business.
            yield None
            continue
        if any(_answers_at_root(r) for a in found.entry.trace.apps for r in a.routes):
            continue
        if not deployment.surroundings.probed:
            yield app


@check("SRV004")
def no_health_endpoint(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Nothing to ask whether the service is able to predict."""
    for app in unaskable(service, deployment):
        if app is None:
            yield rule.passed()
            continue
        yield rule.finding(
            app.at,
            "no health or readiness route, and nothing checks the service from outside: a "
            "process that is up but cannot predict goes on receiving requests",
            evidence={"routes": [r.label for r in app.routes[:10]]},
        )


# ---- SRV005 ----


def _loaded_artifacts(
    service: Service, found: Serving, deployment: Deployment
) -> list[tuple[FileAccess, Artifact | None]]:
    """The models that the entry loads, with the file of the repository where there is one."""
    by_path = {a.path: a for a in deployment.artifacts}
    # An `open` and the load from its file object are one link: ask for the path.
    seen = {link.path: link.seen.repo or link.source_has for link in service.reads}
    return [(load, by_path.get(seen.get(str(load.path.resolved)) or "")) for load in found.loads]


def _root_class(facts: PickleFacts) -> ObjectFacts | None:
    from auditor.artifacts.facts import Ref

    root = facts.root
    if isinstance(root, Ref) and 0 <= root.index < len(facts.objects):
        return facts.objects[root.index]
    return None


def _estimator(artifact: Artifact | None) -> str | None:
    """The class of a bare estimator; None when it carries preprocessing, or cannot be told."""
    if artifact is None or artifact.facts.pickle is None:
        return None
    root = _root_class(artifact.facts.pickle)
    if root is None or not root.of.startswith(_ESTIMATOR_PACKAGES):
        return None
    if root.of.rpartition(".")[2].startswith(_CARRIERS) or _is_transformer(root.of):
        return None
    if any(o.of.rpartition(".")[2].startswith(_CARRIERS) for o in artifact.facts.pickle.objects):
        return None
    return root.of


def _is_transformer(dotted: str) -> bool:
    return dotted.startswith(
        ("sklearn.preprocessing.", "sklearn.feature_extraction.", "sklearn.impute.",
         "sklearn.decomposition.", "sklearn.compose.", "sklearn.feature_selection.")
    )  # fmt: skip


def _transformers(loaded: list[tuple[FileAccess, Artifact | None]]) -> list[FileAccess]:
    """Loads of a scaler, an encoder and the like, told by content and else by name."""
    found = []
    for load, artifact in loaded:
        if artifact is not None and artifact.facts.pickle is not None:
            root = _root_class(artifact.facts.pickle)
            if root is not None and root.of:
                if _is_transformer(root.of):
                    found.append(load)
                continue
        resolved = load.path.resolved
        name = resolved.rpartition("/")[2].lower() if isinstance(resolved, str) else ""
        if any(word in name for word in _TRANSFORMER_WORDS):
            found.append(load)
    return found


@check("SRV005")
def preprocessing_outside(
    service: Service, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """Features are prepared by serving code instead of by the artifact."""
    for found in servings(service):
        steps = list(found.calls("preprocess", predicting=True))
        loaded = _loaded_artifacts(service, found, deployment)
        if not steps:
            if any(a is not None and a.facts.pickle is not None for _, a in loaded):
                yield rule.passed()
            continue
        yield from _preparation(rule, steps, loaded)


def _preparation(
    rule: Rule, steps: list[Call], loaded: list[tuple[FileAccess, Artifact | None]]
) -> Iterator[Finding]:
    dummies = [c for c in steps if c.name == "pandas.get_dummies"]
    made = {
        c.name.rpartition(".")[2]
        for c in steps
        if c.name.startswith("sklearn.") and "()" not in c.name
    }
    fits = [c for c in steps if c.name in _IMMEDIATE_FITS and not (made and made <= _STATELESS)]
    bare = [(load, name) for load, a in loaded if (name := _estimator(a)) is not None]
    aligned = [c for c in steps if c.name in (".reindex", ".align")]
    # Of a single row's column the first, and only, value is dropped: nothing is left.
    emptied = [c for c in dummies if (v := c.keyword("drop_first")) and v.value is True]
    if emptied or fits:
        first = min(emptied or fits, key=lambda c: c.at)
        why = (
            "`get_dummies(drop_first=True)` of a single row leaves no column at all, whatever the "
            "value"
            if emptied
            else f"`{first.name.lstrip('.')}` learns its parameters from the request itself, not "
            "from the training data"
        )
        yield rule.finding(
            first.at,
            f"preprocessing outside the artifact: {why}",
            severity=Severity.MEDIUM,
            confidence=Confidence.LIKELY,
            related=_related(_group((c.at, "and here") for c in [first, *dummies, *fits])),
        )
        return
    if dummies:
        yield rule.finding(
            min(c.at for c in dummies),
            "one-hot columns are made by serving code from the values of this one request: they "
            "must be put in step with the training data by hand, and nothing keeps them there",
            confidence=Confidence.LIKELY,
            related=[Related(c.at, "the columns are put in order here") for c in aligned[:1]],
        )
        return
    applied = [c for c in steps if c.name == ".transform"]
    beside = _transformers(loaded)
    models = [load for load, _ in loaded if load not in beside]
    if not applied or not beside or not models:
        return
    first = min(applied, key=lambda c: c.at)
    what = sorted({serving.shown(f.path.resolved, "a transformer") for f in beside})
    model = serving.shown(models[0].path.resolved)
    kind = f" (a bare `{bare[0][1].rpartition('.')[2]}`)" if bare else ""
    yield rule.finding(
        first.at,
        f"the serving code applies {', '.join(what[:3])} before {model}{kind}: two files that "
        "must always be replaced together, and nothing holds them together",
        related=[
            *(Related(f.at, "the transformer is loaded here") for f in beside[:3]),
            Related(models[0].at, "the model is loaded here"),
        ],
        confidence=Confidence.CERTAIN if bare else Confidence.LIKELY,
    )


# ---- SRV006 ----


@check("SRV006")
def workers_exceed_memory(
    service: Service, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """So many workers, each with its own copy of the model, that the limit is passed."""
    found_limit = serving.memory_limit(service)
    if found_limit is None:
        return
    limit, limited_at = found_limit
    for found in servings(service):
        sizes = {
            a.path: (a.facts.size, load)
            for load, a in _loaded_artifacts(service, found, deployment)
            if a is not None
        }
        if not sizes:
            continue
        for start in serving.server_starts(service):
            workers = serving.number(serving.server_option(service, start, "workers")) or 1
            preload = start.kind == "gunicorn" and serving.switched_on(
                serving.server_option(service, start, "preload")
            )
            need = sum(
                size * (1 if preload and load.reach.phase is Phase.IMPORT else workers)
                for size, load in sizes.values()
            )
            if need <= limit:
                yield rule.passed()
                continue
            total = sum(size for size, _ in sizes.values())
            option = serving.server_option(service, start, "workers")
            many = (
                f"{workers} workers x {_mib(total)} of models is {_mib(need)}"
                if workers > 1
                else f"the models are {_mib(total)}"
            )
            yield rule.finding(
                option.at if option is not None else start.at,
                f"{many}, and the container may use {_mib(limit)}: the kernel kills it",
                related=[Related(limited_at, "the limit")],
                evidence={"workers": workers, "model_bytes": total, "limit_bytes": limit},
            )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
