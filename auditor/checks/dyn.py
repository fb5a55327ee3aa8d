"""DYN: what a rehearsal saw. Without one these checks have nothing to judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import BuiltImage, Deployment, Service
from auditor.findings import Related, Severity, Stage
from auditor.rehearsal.observed import (
    ArtifactLoad,
    Cause,
    Drills,
    Inside,
    Limits,
    ServiceRun,
    Unfound,
)
from auditor.source import Location

# What a load does that a model has no reason for.
_ACTS = ("write", "read", "socket", "process", "exec", "other")


def _runs(deployment: Deployment) -> Iterator[tuple[Service, ServiceRun]]:
    """Every service that was rehearsed, with what happened."""
    if deployment.rehearsal is None:
        return
    for service in deployment.services:
        run = deployment.rehearsal.service(service.name)
        if run is not None:
            yield service, run


def _image_at(service: Service) -> Location:
    """The FROM of the stage that is shipped; the service where there is no Dockerfile."""
    return service.image.image.base.at if service.image is not None else service.at


def _command_at(service: Service) -> Location:
    return service.command_at or _image_at(service)


def _evidence(cause: Cause | None, **more: Any) -> dict[str, Any]:
    found = dict(more)
    if cause is not None:
        found |= {"cause": cause.kind, "error": cause.error, "log": cause.tail}
        if cause.subject:
            found["subject"] = cause.subject
    return found


@check("DYN001")
def image_does_not_build(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Image that does not build."""
    for service, run in _runs(deployment):
        build = run.build
        if build is None or build.ok is None:
            if build is not None and build.cause is not None:
                yield rule.undecided(build.cause.text, at=_image_at(service))
            continue
        if build.ok:
            yield rule.passed()
            continue
        cause = build.cause
        refused = cause is not None and cause.kind == "config"
        what = "cannot be started" if refused else "does not build"
        yield rule.finding(
            service.at if refused else _image_at(service),
            f"{run.image or run.name} {what}: {cause.text if cause else 'the build failed'}",
            evidence=_evidence(cause, builder=build.builder, seconds=build.seconds),
            breaks=service.breaks(Stage.BUILDS),
        )


@check("DYN002")
def container_exits(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Container that exits instead of serving."""
    for service, run in _runs(deployment):
        if run.started is None:
            continue
        if run.started:
            yield rule.passed()
            continue
        yield rule.finding(
            _command_at(service),
            f"`{run.name}` does not stay up: {run.cause.text if run.cause else 'it ended'}",
            evidence=_evidence(run.cause, seconds=run.seconds),
            breaks=service.breaks(Stage.STARTS),
        )


@check("DYN003")
def import_fails_in_image(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Installed requirement that cannot be imported."""
    for image, inside in _inside(deployment):
        if image.environment is None:
            continue
        for item in inside.imports:
            if item.ok:
                yield rule.passed()
                continue
            named = image.environment.find(item.distribution)
            at = named[0].fact.at if named else image.image.base.at
            why = item.cause.text if item.cause else "it raises"
            yield rule.finding(
                at,
                f"`import {item.module}` fails in the image: {why}",
                evidence=_evidence(item.cause, distribution=item.distribution),
            )


def _inside(deployment: Deployment) -> Iterator[tuple[BuiltImage, Inside]]:
    """Every image that was looked into, with what it holds."""
    rehearsal = deployment.rehearsal
    for key, inside in rehearsal.inside if rehearsal else ():
        image = next((i for i in deployment.images if i.key == key), None)
        if image is not None and inside.python is not None:
            yield image, inside


@check("DYN004")
def artifact_does_not_load(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Artifact that the image cannot load."""
    for load in _loads(deployment):
        if load.outcome in ("loads", "warns"):
            yield rule.passed()
        elif load.outcome == "fails":
            yield rule.finding(
                Location(load.path),
                f"{load.path} does not load in {load.environment}: "
                f"{load.cause.text if load.cause else load.error}",
                evidence=_evidence(load.cause, loader=load.loader, sandbox=load.sandbox),
            )
        else:
            yield rule.undecided(f"{load.path}: {load.reason}", at=Location(load.path))


@check("DYN005")
def artifact_acts_while_loading(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Artifact that does more than load."""
    for load in _loads(deployment):
        if load.outcome in ("refused", "skipped"):
            continue
        acts = [e for e in load.events if e.kind in _ACTS]
        if not acts and load.outcome != "contained":
            yield rule.passed()
            continue
        said = "; ".join(f"{_VERBS.get(e.kind, e.kind)} {e.detail}" for e in acts[:3])
        if load.outcome == "contained":
            said = f"{load.reason}{f' ({said})' if said else ''}"
            message = f"{load.path} had to be stopped while it was loaded: {said}"
        else:
            message = f"{load.path} does more than load: it {said}"
        yield rule.finding(
            Location(load.path),
            message,
            evidence={
                "events": [f"{e.kind}: {e.detail}" for e in load.events[:20]],
                "sandbox": load.sandbox,
                "seconds": load.seconds,
            },
        )


_VERBS = {
    "write": "writes",
    "read": "reads",
    "socket": "asks the network:",
    "process": "starts a process:",
    "exec": "runs code:",
    "other": "does:",
}


def _loads(deployment: Deployment) -> Iterable[ArtifactLoad]:
    return deployment.rehearsal.artifacts if deployment.rehearsal else ()


@check("DYN006")
def port_unreachable(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Published port that answers no HTTP request."""
    for service, run in _runs(deployment):
        if not run.started or run.answer("starts") != "yes":
            continue
        if run.answer("reachable") == "yes":
            yield rule.passed()
        elif run.reach_cause is not None:
            published = service.published[0].at if service.published else _command_at(service)
            yield rule.finding(
                published,
                f"`{run.name}` answers no HTTP request: {run.reach_cause.text}",
                evidence=_evidence(
                    run.reach_cause,
                    listening=[f"{s.host}:{s.port}" for s in run.sockets],
                    published=[inner for inner, _ in run.published],
                ),
                breaks=service.breaks(Stage.REACHABLE),
            )


def _drills(deployment: Deployment) -> Iterator[tuple[Service, ServiceRun, Drills]]:
    for service, run in _runs(deployment):
        if run.drills is not None:
            yield service, run, run.drills


@check("DYN007")
def limits_missed(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Slower, less reliable or weaker than its limits."""
    limits = deployment.rehearsal.limits if deployment.rehearsal else Limits()
    for service, run, drills in _drills(deployment):
        load = drills.load
        if load is None:
            continue
        missed = []
        if load.p95 > limits.p95_ms:
            missed.append(f"p95 {load.p95:.0f} ms (limit {limits.p95_ms:.0f} ms)")
        if load.error_percent > limits.error_percent:
            missed.append(f"{load.error_percent:.2f} % errors (limit {limits.error_percent:g} %)")
        if load.throughput < limits.throughput * 0.98:
            missed.append(f"{load.throughput:.0f} of {limits.throughput:.0f} requests/s")
        if not missed:
            yield rule.passed()
            continue
        yield rule.finding(
            service.at,
            f"`{run.name}` misses its limits at {load.rate:.0f} requests/s: {', '.join(missed)}",
            evidence={
                "requests": load.requests,
                "p50_ms": round(load.p50, 1),
                "p95_ms": round(load.p95, 1),
                "p99_ms": round(load.p99, 1),
                "errors": load.errors,
                "throughput": round(load.throughput, 1),
                "statuses": [f"{k}: {v}" for k, v in load.statuses],
            },
        )


@check("DYN008")
def log_growth(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Logs that will fill the disk."""
    for service, run, drills in _drills(deployment):
        log = drills.log
        if log is None or service.workload is not None:
            continue
        if log.bounded or log.days is None or log.days > 365:
            yield rule.passed()
            continue
        limits = deployment.rehearsal.limits if deployment.rehearsal else Limits()
        yield rule.finding(
            service.at,
            f"`{run.name}` logs {log.bytes_per_request:.0f} bytes per request to {log.driver} "
            f"without a bound: at {limits.throughput:.0f} requests/s, {log.free_gb:.0f} GB of free "
            f"disk are full after {_days(log.days)}",
            evidence={
                "bytes_per_request": round(log.bytes_per_request),
                "days": round(log.days, 1),
            },
        )


def _days(days: float) -> str:
    return f"{days * 24:.0f} hours" if days < 2 else f"{days:.0f} days"


@check("DYN009")
def requests_fail_during_model_swap(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Requests fail while the model is swapped."""
    for service, run, drills in _drills(deployment):
        swap = drills.swap
        if swap is None or swap.way is None:
            continue
        if not swap.lost and swap.swapped is not False:
            yield rule.passed()
            continue
        failed = (
            f"{swap.lost} of {swap.sent} requests failed while {swap.way} replaced the model"
            if swap.lost
            else f"{swap.way} did not replace the model: {swap.note}"
        )
        yield rule.finding(
            service.at,
            f"`{run.name}`: {failed}",
            evidence={"sent": swap.sent, "lost": swap.lost, "seconds": round(swap.seconds, 1)},
        )


@check("DYN010")
def overload_not_shed(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Overload that is neither shed nor recovered from."""
    for service, run, drills in _drills(deployment):
        burst = drills.burst
        if burst is None:
            continue
        load = burst.load
        drowned = burst.timeouts > load.requests / 2 and not burst.shed
        if burst.alive and burst.recovery is not None and not drowned:
            yield rule.passed()
            continue
        if not burst.alive:
            what = "the process ended"
        elif burst.recovery is None:
            what = "it did not answer as before within the time watched"
        else:
            what = (
                f"{burst.timeouts} of {load.requests} requests timed out and none was refused; it "
                f"answered as before after {burst.recovery:.0f} s"
            )
        yield rule.finding(
            service.at,
            f"`{run.name}` does not withstand a burst of {burst.offered:.0f} requests/s: {what}",
            evidence={
                "sustained": round(burst.sustained, 1),
                "offered": round(burst.offered, 1),
                "shed": burst.shed,
                "timeouts": burst.timeouts,
                "recovery": burst.recovery,
            },
        )


@check("DYN011")
def builds_differ(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Two builds that differ."""
    rehearsal = deployment.rehearsal
    for item in rehearsal.reproductions if rehearsal else ():
        if item.same:
            yield rule.passed()
            continue
        image = next((i for i in deployment.images if i.key == item.image), None)
        if image is None:
            continue
        shown = "; ".join(
            f"{d.name} {d.first} and {d.second}" if d.kind == "package" else f"{d.name} ({d.why})"
            for d in item.differences[:4]
        )
        more = len(item.differences) - 4
        yield rule.finding(
            image.image.base.at,
            f"two builds of {item.image} differ: {shown}{f'; and {more} more' if more > 0 else ''}",
            evidence={
                "differences": [
                    f"{d.kind} {d.name}: {d.first} | {d.second} {d.why}".strip()
                    for d in item.differences[:50]
                ],
                "timestamps_only": item.timestamps,
            },
        )


@check("DYN012")
def prediction_fails(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Valid request that is answered with an error."""
    for service, run in _runs(deployment):
        if run.answer("reachable") != "yes":
            continue
        answer = run.answer("predicts")
        if answer == "yes":
            yield rule.passed()
        elif run.predict_cause is not None and answer == "unknown":
            yield rule.undecided(run.predict_cause.text, at=service.at)
        elif run.predict_cause is not None:
            at = service.entries[0].at if service.entries else service.at
            yield rule.finding(
                at,
                f"`{run.name}`: {run.predict_cause.text}",
                evidence=_evidence(
                    run.predict_cause,
                    request=next((e.body for e in run.exchanges[1:] if e.body), ""),
                ),
                breaks=service.breaks(Stage.PREDICTS),
            )


@check("DYN013")
def requests_lost_on_stop(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Stopping loses requests or takes until the kill."""
    for service, run, drills in _drills(deployment):
        stop = drills.stop
        if stop is None:
            continue
        if not stop.killed and not stop.lost:
            yield rule.passed()
            continue
        if stop.killed:
            what = f"ignores SIGTERM: killed after {stop.seconds:.1f} s, exit code {stop.exit_code}"
        else:
            what = f"loses {stop.lost} of {stop.sent} requests under way when it is stopped"
        yield rule.finding(
            _command_at(service),
            f"`{run.name}` {what}",
            severity=None if stop.lost else Severity.LOW,
            evidence={"seconds": round(stop.seconds, 1), "lost": stop.lost, "sent": stop.sent},
        )


@check("DYN014")
def health_check_fails(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Health check that fails on a healthy service."""
    for service, run in _runs(deployment):
        if run.health is None or run.answer("reachable") != "yes":
            continue
        if run.health == "healthy":
            yield rule.passed()
            continue
        at = next((h.at for h in service.health), service.at)
        yield rule.finding(
            at,
            f"`{run.name}` answers, and its health check says unhealthy: {run.health_log}",
            evidence={"log": run.health_log},
        )


@check("DYN015")
def installed_packages_conflict(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Installed packages that do not fit each other."""
    for image, inside in _inside(deployment):
        if not inside.pip_check:
            yield rule.passed()
            continue
        yield rule.finding(
            image.image.base.at,
            f"`pip check` in {image.key}: {'; '.join(inside.pip_check[:3])}",
            evidence={"pip_check": inside.pip_check[:30]},
        )


@check("DYN016")
def slow_dependency_hangs(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Service that hangs with what it asks."""
    for service, run, drills in _drills(deployment):
        for held in drills.slow:
            hangs = held.hung > max(1, held.sent // 20)
            if held.alive and held.recovery is not None and not hangs:
                yield rule.passed()
                continue
            other = (
                f", and {held.other_route}, which does not need it, did not answer either"
                if held.other_answered is False
                else ""
            )
            if not held.alive:
                what = "the process ended"
            elif hangs:
                what = (
                    f"{held.hung} of {held.sent} requests had no answer within "
                    f"{held.patience:.0f} s{other}"
                )
            else:
                what = "it did not answer as before when that answered again"
            if hangs and held.alive and held.recovery is None:
                what += "; it did not answer as before when that answered again"
            grave = not held.alive or held.recovery is None or held.other_answered is False
            yield rule.finding(
                service.at,
                f"`{run.name}` hangs while `{held.dependency}` says nothing: {what}"
                if hangs
                else f"`{run.name}` does not survive a silent `{held.dependency}`: {what}",
                severity=None if grave else Severity.LOW,
                evidence={
                    "dependency": held.dependency,
                    "sent": held.sent,
                    "hung": held.hung,
                    "failed": held.failed,
                    "recovery": held.recovery,
                    "statuses": [f"{k}: {v}" for k, v in held.statuses],
                },
            )


@check("DYN017")
def missing_shared_library(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Shared object whose libraries the dynamic loader does not find."""
    for image, inside in _inside(deployment):
        # An import that fails for it is reported as such.
        reported = {i.cause.subject for i in inside.imports if not i.ok and i.cause}
        grouped: dict[str, list[Unfound]] = {}
        for item in inside.missing_sonames:
            if item.soname not in reported and not _of_a_driver(item.soname):
                grouped.setdefault(item.distribution or item.path, []).append(item)
        if not grouped:
            yield rule.passed()
        for name, items in grouped.items():
            named = image.environment.find(name) if image.environment else ()
            base = image.image.base.at
            sonames = list(dict.fromkeys(i.soname for i in items))
            shown = ", ".join(f"`{soname}`" for soname in sonames[:4])
            more = f" and {len(sonames) - 4} more" if len(sonames) > 4 else ""
            yield rule.finding(
                named[0].fact.at if named else base,
                f"{items[0].path} needs {shown}{more}, which the loader of the image does not find: "
                "what loads it fails",
                related=[Related(base, "the image that is shipped, without it")] if named else (),
                evidence={
                    "distribution": items[0].distribution,
                    "needs": sonames,
                    "ldd": [f"{i.path}: {i.soname} => not found" for i in items[:20]],
                },
            )


# Libraries of a graphics card's driver are the host's to give.
_DRIVERS = ("libcuda", "libcudart", "libcu", "libnv", "libnccl", "libamdhip", "librocm", "libhsa")


def _of_a_driver(soname: str) -> bool:
    return soname.startswith(_DRIVERS) and not soname.startswith("libcurl")


@check("DYN018")
def image_differs_from_model(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Image that holds something else than the files say."""
    for image, inside in _inside(deployment):
        if not inside.differences:
            yield rule.passed()
        for item in inside.differences:
            base = image.image.base.at
            at = item.at or base
            why = f" ({item.why})" if item.why else ""
            yield rule.finding(
                at,
                f"{item.what}: the files say {item.said}, {image.key} has {item.found}{why}",
                related=[Related(base, f"the image built from here has {item.found}")]
                if at != base
                else (),
                evidence={"what": item.what, "said": item.said, "found": item.found},
            )


@check("DYN019")
def old_and_new_predictions_mixed(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Old and new predictions side by side after a model swap."""
    for service, run, drills in _drills(deployment):
        swap = drills.swap
        if swap is None or swap.first_new is None:
            continue
        if not swap.last_old:
            yield rule.passed()
            continue
        yield rule.finding(
            service.at,
            f"`{run.name}` answers with two models after {swap.way}: {swap.last_old} of the last "
            f"{swap.last} answers came from the old one, {swap.last - swap.last_old} from the new",
            evidence={
                "first_new_seconds": swap.first_new,
                "mixed": swap.mixed,
                "last": swap.last,
                "last_old": swap.last_old,
            },
        )
