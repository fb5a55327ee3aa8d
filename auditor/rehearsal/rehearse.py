"""The rehearsal itself: build, start, ask, load, drill, and say what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from auditor.rehearsal import asking, causes, examples
from auditor.rehearsal.build import Built, Recipe, build, recipe_of
from auditor.rehearsal.examples import Request
from auditor.rehearsal.observed import (
    ArtifactLoad,
    Build,
    Cause,
    Exchange,
    Inside,
    Limits,
    Rehearsal,
    Reproduction,
    ServiceRun,
)
from auditor.rehearsal.plan import Group, Port, ServicePlan, groups
from auditor.rehearsal.start import Container, Stack, Watch, health_of, watch
from auditor.result import Answer, Forecast
from auditor.source import Unknown
from auditor.values import field, replace, value

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage, Deployment, Service
    from auditor.rehearsal.engine import Builder
    from auditor.rehearsal.journal import Run

Say = Callable[[str], None]
_REQUESTS: Final = 24
# What a request that was only guessed may well provoke in a service that works.
_OF_THE_REQUEST: Final = ("ValueError", "KeyError", "IndexError", "TypeError", "ValidationError")


@value
class Options:
    """What to rehearse."""

    services: tuple[str, ...] = ()
    body: bytes | None = None
    body_path: str | None = None
    # What the swap drill puts in the place of the model, and where.
    new_model: bytes | None = None
    new_model_name: str = ""
    model_path: str | None = None
    inside: bool = True
    artifacts: bool = True
    drills: bool = True
    reproducible: bool = False
    load_dangerous: bool = False
    start_timeout: float = 60.0
    build_timeout: float = 1800.0
    limits: Limits = field(default_factory=Limits)
    sandbox: Literal["container", "process"] = "container"


def rehearse(
    run: Run,
    builder: Builder,
    deployment: Deployment,
    options: Options,
    *,
    say: Say,
    engine: str = "",
) -> Rehearsal:
    """Build and run what the repository deploys. Everything made belongs to ``run``."""
    started = time.monotonic()
    root = Path(deployment.root).resolve()
    found = groups(deployment, options.services)
    built = _build_all(run, builder, root, found, options, say)
    tags = {key: made.tag for key, made in built.items() if made.tag is not None}
    images = _images(found, tags)
    inside: list[tuple[str, Inside]] = []
    artifacts: tuple[ArtifactLoad, ...] = ()
    reproductions: tuple[Reproduction, ...] = ()
    if options.inside:
        from auditor.rehearsal.inside import look

        for image, tag in images:
            say(f"looking into {image.key}")
            inside.append((image.key, look(run, image, tag, deployment)))
    if options.artifacts:
        from auditor.rehearsal.sandbox import load_all

        artifacts = load_all(
            run,
            deployment,
            [(i.environment, tag) for i, tag in images if i.environment is not None],
            load_dangerous=options.load_dangerous,
            say=say,
        )
    if options.reproducible:
        from auditor.rehearsal.reproduce import again

        reproductions = tuple(
            again(run, builder, root, image, tag, options.build_timeout, say)
            for image, tag in images
        )
    services: list[ServiceRun] = []
    notes: list[str] = []
    for group in found:
        services += _group(run, root, group, built, tags, deployment, options, say, notes)
    result = Rehearsal(
        run=run.id,
        engine=engine,
        builder=builder.label,
        services=tuple(services),
        builds=tuple(dict.fromkeys(made.build for made in built.values())),
        inside=tuple(inside),
        artifacts=artifacts,
        reproductions=reproductions,
        limits=options.limits,
        notes=tuple(dict.fromkeys(notes)),
    )
    return replace(result, seconds=round(time.monotonic() - started, 1))


def _images(found: Sequence[Group], tags: dict[int, str]) -> list[tuple[BuiltImage, str]]:
    """Every image that was built, with its tag, once."""
    images = {}
    for group in found:
        for plan in group.services:
            if plan.image is not None and id(plan.image) in tags:
                images[id(plan.image)] = (plan.image, tags[id(plan.image)])
    return list({tag: (image, tag) for image, tag in images.values()}.values())


def _build_all(
    run: Run,
    builder: Builder,
    root: Path,
    found: Sequence[Group],
    options: Options,
    say: Say,
) -> dict[int, Built]:
    """Every image once, by the identity of its model."""
    made: dict[Recipe, Built] = {}
    by_image: dict[int, Built] = {}
    for group in found:
        for plan in group.services:
            image = plan.image
            if image is None or id(image) in by_image:
                continue
            if plan.refusal is not None and plan.refusal[0] == "builds":
                continue
            recipe = recipe_of(image)
            if image.base_is_local:
                cause = Cause(
                    kind="build",
                    text="its base image is built by another Dockerfile of the repository, under a "
                    "name that a rehearsal does not take",
                )
                by_image[id(image)] = Built(build=Build(image=image.key, ok=None, cause=cause))
                continue
            if recipe not in made:
                say(f"building {recipe.dockerfile} with {builder.label}")
                made[recipe] = build(
                    run,
                    builder,
                    root,
                    recipe,
                    name=f"{len(made)}-{recipe.dockerfile}",
                    timeout=options.build_timeout,
                    progress=lambda line: say(f"  {line}") if line.strip() else None,
                )
                outcome = made[recipe].build
                if outcome.cause is not None:
                    say(f"  {outcome.cause.text}")
            by_image[id(image)] = made[recipe]
    return by_image


def _group(
    run: Run,
    root: Path,
    group: Group,
    built: dict[int, Built],
    tags: dict[int, str],
    deployment: Deployment,
    options: Options,
    say: Say,
    notes: list[str],
) -> list[ServiceRun]:
    stack = Stack(run, root, group, tags)
    stack.open()
    observed: dict[str, ServiceRun] = {}
    try:
        for plan in group.services:
            observed[plan.alias] = _service(
                stack, plan, built.get(id(plan.image)), observed, deployment, options, say
            )
        found = list(observed.values())
        if options.drills:
            from auditor.rehearsal.drills import drill

            found = [drill(stack, seen, deployment, options, say) for seen in found]
        notes += stack.notes
        return [seen for seen in found if _ours(group, seen.name)]
    finally:
        stack.close()


def _ours(group: Group, name: str) -> bool:
    return any(p.name == name and p.service.ours for p in group.services)


def _service(
    stack: Stack,
    plan: ServicePlan,
    built: Built | None,
    before: dict[str, ServiceRun],
    deployment: Deployment,
    options: Options,
    say: Say,
) -> ServiceRun:
    """One service, from its image to a prediction."""
    base = ServiceRun(
        name=plan.name,
        observed=Forecast(),
        image=plan.image.key if plan.image else plan.reference,
        build=built.build if built else None,
        notes=plan.notes,
        at=plan.service.at,
    )
    if plan.refusal is not None and plan.refusal[0] == "builds":
        cause = Cause(kind="config", text=plan.refusal[1], error=plan.refusal[1])
        made = Build(image=base.image or "", ok=False, cause=cause)
        return replace(base, build=made, cause=cause, observed=_no("builds", cause))
    if plan.image is not None:
        if built is None or built.tag is None:
            said = built.build.cause if built else None
            cause = said or Cause(kind="build", text="it was not built")
            failed = built is not None and built.build.ok is False
            return replace(
                base,
                cause=cause,
                observed=_no("builds", cause) if failed else _unknown("builds", cause.text),
            )
    elif not _pulled(stack, plan, say):
        why = f"{plan.reference or 'its image'} is not at the engine and cannot be pulled"
        return replace(base, observed=_unknown("builds", why))
    if plan.refusal is not None:
        cause = Cause(kind="port", text=plan.refusal[1], error=plan.refusal[1])
        return replace(base, started=False, cause=cause, observed=_no("starts", cause))
    blocked = _blocked(stack, plan, before)
    if blocked is not None:
        return replace(base, started=False, cause=blocked, observed=_no("starts", blocked))
    say(f"starting {plan.name}")
    container = stack.start(plan)
    if isinstance(container, Cause):
        return replace(base, started=False, cause=container, observed=_no("starts", container))
    seen = watch(
        container,
        timeout=options.start_timeout,
        paths=_paths(plan.service),
        web=plan.service.is_web if plan.image else False,
    )
    if seen.started and seen.answer is None and not plan.ports and seen.sockets:
        # Nothing says which port; now the socket does.
        extra = [Port(number=s.port, declared=False) for s in seen.sockets if not s.loopback]
        if extra:
            _remove(stack, container)
            again = stack.start(plan, extra=extra)
            if isinstance(again, Container):
                container = again
                seen = watch(container, timeout=options.start_timeout, paths=_paths(plan.service))
    return _judge(base, plan, container, seen, deployment, options, say)


def _remove(stack: Stack, container: Container) -> None:
    with suppress(Exception):
        stack.client.remove_container(container.id, force=True, v=True)


def _pulled(stack: Stack, plan: ServicePlan, say: Say) -> bool:
    """Whether the engine has the image, if need be after pulling it."""
    reference = plan.reference
    if not isinstance(reference, str) or not reference:
        return False
    try:
        stack.client.inspect_image(reference)
        return True
    except Exception:
        say(f"pulling {reference}")
    try:
        name, _, tag = reference.partition(":") if "@" not in reference else (reference, "", "")
        stack.client.pull(name, tag=tag or None if "@" in reference else tag or "latest")
        stack.client.inspect_image(reference)
    except Exception:
        return False
    return True


def _blocked(stack: Stack, plan: ServicePlan, before: dict[str, ServiceRun]) -> Cause | None:
    """A dependency whose condition is not met: Compose then does not start the service."""
    for alias, condition in plan.after:
        other = before.get(alias)
        if other is None:
            continue
        if other.started is False and condition != "service_completed_successfully":
            if condition == "service_healthy":
                return Cause(kind="config", text=f"its dependency `{alias}` did not become healthy")
            continue
        container = stack.containers.get(alias)
        if condition == "service_completed_successfully":
            state = container.state() if container else {}
            if state.get("ExitCode", 1) != 0:
                return Cause(
                    kind="config", text=f"its dependency `{alias}` did not end with exit code 0"
                )
        elif condition == "service_healthy" and container is not None:
            health, said = health_of(container)
            if health is None:
                return Cause(
                    kind="config",
                    text=f"it waits for `{alias}` to be healthy, which has no health check",
                )
            if health == "unhealthy" and not _becomes_healthy(container):
                return Cause(
                    kind="config",
                    text=f"its dependency `{alias}` did not become healthy: {said}",
                )
    return None


def _becomes_healthy(container: Container, patience: float = 20.0) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if health_of(container)[0] == "healthy":
            return True
        time.sleep(1.0)
    return False


def _paths(service: Service) -> tuple[str, ...]:
    """Where to knock: the service's own health route, else the root."""
    kinds = ("health", "ready")
    for entry in service.entries:
        for app in entry.trace.apps:
            for route in app.routes:
                if route.kind in kinds and isinstance(route.path, str) and "{" not in route.path:
                    return (route.path,)
    return ("/",)


def _judge(
    base: ServiceRun,
    plan: ServicePlan,
    container: Container,
    seen: Watch,
    deployment: Deployment,
    options: Options,
    say: Say,
) -> ServiceRun:
    base = replace(
        base,
        started=seen.started,
        seconds=seen.seconds,
        sockets=seen.sockets,
        published=seen.ports,
        log_tail=causes.tail_of(causes.lines_of(seen.log)),
    )
    if not seen.started:
        cause = seen.cause or Cause(kind="exit", text="it ended")
        if plan.service.is_web is False and _ended_well(container):
            # A task: it did what it had to do.
            return replace(
                base,
                started=True,
                observed=Forecast(
                    builds="yes", starts="yes", unresolved=(("reachable", "it is a task"),)
                ),
            )
        say(f"  it ended: {cause.text}")
        return replace(base, cause=cause, observed=_no("starts", cause))
    health, health_log = health_of(container)
    base = replace(base, health=health, health_log=health_log)
    if seen.answer is None:
        if plan.service.is_web is False and not seen.sockets:
            return replace(
                base,
                observed=Forecast(
                    builds="yes", starts="yes", unresolved=(("reachable", "it serves nothing"),)
                ),
            )
        if seen.ports and not seen.sockets:
            why = f"after {seen.seconds:.0f} s it runs and listens on nothing yet: --start-timeout"
            say(f"  {why}")
            return replace(
                base, observed=_unknown("starts", why), notes=(*base.notes, f"{plan.name}: {why}")
            )
        cause = _unreachable(plan, seen)
        say(f"  not reachable: {cause.text}")
        return replace(base, reach_cause=cause, observed=_no("reachable", cause))
    outer = dict(seen.ports)[seen.port] if seen.port is not None else 0
    say(f"  it answers on port {seen.port} after {seen.seconds} s")
    if plan.image is None:
        return replace(
            base,
            exchanges=(seen.answer,),
            observed=Forecast(builds="yes", starts="yes", reachable="yes"),
        )
    answer, exchanges, cause2 = predict(container, plan.service, deployment, outer, options)
    state = container.state()
    if not state.get("Running"):
        cause = causes.of_exit(
            container.log(), state.get("ExitCode"), oom=bool(state.get("OOMKilled"))
        )
        return replace(base, started=False, cause=cause, observed=_no("starts", cause))
    if cause2 is not None:
        say(f"  predicts: {answer}: {cause2.text}")
    return replace(
        base,
        exchanges=(seen.answer, *exchanges),
        predict_cause=cause2,
        observed=Forecast(
            builds="yes",
            starts="yes",
            reachable="yes",
            predicts=answer,
            unresolved=(("predicts", cause2.text),) if cause2 else (),
        ),
    )


def _ended_well(container: Container) -> bool:
    return container.state().get("ExitCode") == 0


def _unreachable(plan: ServicePlan, seen: Watch) -> Cause:
    """Why no HTTP request gets through, from the sockets that are open."""
    failed = f" ({seen.failure.error})" if seen.failure and seen.failure.error else ""
    wanted = ", ".join(str(inner) for inner, _ in seen.ports)
    if not seen.ports:
        text = "no port is published or exposed, and nothing listens"
        return Cause(kind="port", text=text)
    if not seen.sockets:
        return Cause(kind="port", text=f"nothing listens in the container; published: {wanted}")
    open_ports = {s.port for s in seen.sockets}
    if not open_ports & {inner for inner, _ in seen.ports}:
        listening = ", ".join(f"{s.host}:{s.port}" for s in seen.sockets)
        return Cause(
            kind="port",
            text=f"port {wanted} is published, and the service listens on {listening}{failed}",
            subject=str(min(open_ports)),
            error=listening,
        )
    if all(s.loopback for s in seen.sockets if s.port in dict(seen.ports)):
        bound = next(s for s in seen.sockets if s.port in dict(seen.ports))
        return Cause(
            kind="port",
            text=f"the service listens on {bound.host}:{bound.port}, which only the container "
            f"itself can reach{failed}",
            subject=bound.host,
            error=f"{bound.host}:{bound.port}",
        )
    cause = causes.of_log(seen.log)
    text = f"port {wanted} accepts connections but answers no HTTP request{failed}"
    return Cause(
        kind="port",
        text=text + (f"; its log says: {cause.error}" if cause and cause.error else ""),
        error=cause.error if cause else "",
        subject=cause.subject if cause else None,
        tail=causes.tail_of(causes.lines_of(seen.log)),
    )


# Predicting


def predict(
    container: Container,
    service: Service,
    deployment: Deployment,
    port: int,
    options: Options,
) -> tuple[Answer, tuple[Exchange, ...], Cause | None]:
    """(answer, what was asked, why not): valid requests until one is answered with 2xx."""
    routes = _prediction_routes(service)
    document = asking.openapi(port, _openapi_paths(service))
    features = list(_features(deployment))
    tried: list[Exchange] = []
    known = ""
    for _ in range(3):
        requests = requests_for(routes, document, features, options)
        if not requests:
            return "unknown", (), Cause(kind="config", text="no prediction endpoint was found")
        learned = None
        for request in requests[:_REQUESTS]:
            if any(e.body == _key(request) and e.path == request.path for e in tried):
                continue
            exchange, _body = asking.ask(port, request, timeout=30.0)
            tried.append(exchange)
            if exchange.status is not None and 200 <= exchange.status < 300:
                return "yes", (exchange,), None
            if exchange.status == 405 or len(tried) >= _REQUESTS:
                continue
            known = container.log(80)
            learned = examples.wanted_features(f"{exchange.answer}\n{known}")
            if learned is not None and learned not in features:
                break
            learned = None
        if learned is None:
            break
        features.insert(0, learned)
    return _unanswered(tried, requests[0], known or container.log(80), options)


def valid_request(
    service: Service, deployment: Deployment, port: int, options: Options
) -> Request | None:
    """A request that is answered with 2xx now; None when none is."""
    document = asking.openapi(port, _openapi_paths(service))
    features = list(_features(deployment))
    for _ in range(3):
        learned = None
        for request in requests_for(_prediction_routes(service), document, features, options):
            exchange, _body = asking.ask(port, request, timeout=30.0)
            if exchange.status is not None and 200 <= exchange.status < 300:
                return request
            learned = learned or examples.wanted_features(exchange.answer)
        if learned is None or learned in features:
            return None
        features.insert(0, learned)
    return None


def _key(request: Request) -> str:
    return request.body[:300].decode("utf-8", "replace")


def requests_for(
    routes: Sequence[tuple[str, str, tuple[examples.Field, ...]]],
    document: Any,
    features: Sequence[int],
    options: Options,
) -> tuple[Request, ...]:
    """The given body, else what the schema says, else what the code reads."""
    paths = [path for _, path, _ in routes]
    if options.body is not None:
        path = options.body_path
        made = examples.from_openapi(document, wanted=paths) if path is None else ()
        if path is None:
            path = made[0].path if made else paths[0] if paths else "/predict"
        kind = "application/json" if options.body[:1] in b'[{"' else "application/octet-stream"
        return (
            Request(
                method="POST",
                path=path,
                body=options.body,
                content_type=kind,
                source="body",
                declared=True,
            ),
        )
    made = examples.from_openapi(document, wanted=paths, features=features)
    if made:
        return made
    found: list[Request] = []
    for method, path, fields in routes:
        found += examples.from_code(method, path, fields, features)
    return tuple(found)


def _prediction_routes(
    service: Service,
) -> tuple[tuple[str, str, tuple[examples.Field, ...]], ...]:
    from auditor.linking.serving import servings

    found = {}
    for serving in servings(service):
        for route in serving.routes:
            if isinstance(route.path, Unknown):
                continue
            method = "POST" if "POST" in route.methods else (route.methods or ("GET",))[0]
            fields = tuple(
                examples.Field(name=f.name, type=f.type, source=f.source) for f in route.fields
            )
            found[method, route.path] = fields
    ranked = sorted(found.items(), key=lambda item: item[0][0] != "POST")
    return tuple((method, path, fields) for (method, path), fields in ranked[:4])


def _openapi_paths(service: Service) -> tuple[str, ...]:
    return ("/openapi.json", "/api/openapi.json", "/docs/openapi.json", "/swagger.json")


def _features(deployment: Deployment) -> tuple[int, ...]:
    """The numbers of columns that the repository's models were fitted on."""
    found = []
    for artifact in deployment.artifacts:
        pickle = artifact.facts.pickle
        for item in pickle.objects if pickle else ():
            get = getattr(item.state, "get", None)
            count = get("n_features_in_") if get else None
            if isinstance(count, int) and 0 < count <= 10_000:
                found.append(count)
    return tuple(dict.fromkeys(found))[:3]


def _unanswered(
    tried: Sequence[Exchange], first: Request, log: str, options: Options
) -> tuple[Answer, tuple[Exchange, ...], Cause]:
    """What it means that no request was answered with 2xx."""
    shown = tuple(tried[-3:])
    last = next((e for e in reversed(tried) if e.status is not None), tried[-1])
    cause = causes.of_log(log) if last.status is None or last.status >= 500 else None
    name = cause.error.partition(":")[0].rpartition(".")[2] if cause else ""
    status = "nothing" if last.status is None else str(last.status)
    text = f"{last.method} {last.path} is answered with {status}"
    if cause is not None and cause.error:
        text += f": {cause.error}"
    elif last.answer:
        text += f": {last.answer[:160]}"
    made = Cause(
        kind=cause.kind if cause else "exception",
        text=text,
        error=cause.error if cause else last.answer,
        subject=cause.subject if cause else None,
        tail=cause.tail if cause else (),
    )
    ours = last.status is not None and last.status < 500
    if options.body is None and (ours or name in _OF_THE_REQUEST or not first.declared):
        if not ours and cause is not None and cause.kind in ("import", "file", "permission"):
            return "no", shown, made
        if not ours and name == "AttributeError":
            return "no", shown, made
        hint = f"{text}; the request was made up: give a valid one with --body FILE"
        return "unknown", shown, replace(made, text=hint)
    return "no", shown, made


# Answers


def _no(stage: str, cause: Cause) -> Forecast:
    """Yes up to the stage, no from there on."""
    order = [name for name, _ in Forecast().answers()]
    index = order.index(stage)
    answers: dict[str, Answer] = {
        name: "yes" if position < index else "no" for position, name in enumerate(order)
    }
    return Forecast(
        builds=answers["builds"],
        starts=answers["starts"],
        reachable=answers["reachable"],
        predicts=answers["predicts"],
        unresolved=((stage, cause.text),),
    )


def _unknown(stage: str, why: str) -> Forecast:
    order = [name for name, _ in Forecast().answers()]
    index = order.index(stage)
    answers: dict[str, Answer] = {
        name: "yes" if position < index else "unknown" for position, name in enumerate(order)
    }
    return Forecast(
        builds=answers["builds"],
        starts=answers["starts"],
        reachable=answers["reachable"],
        predicts=answers["predicts"],
        unresolved=((stage, why),),
    )
