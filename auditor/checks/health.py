"""IMG015: programs, scripts and modules that a health check needs; what waits for health checks."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.healthcheck import fails, in_force, subject
from auditor.deployment.manifests import DECLARED
from auditor.deployment.model import Deployment, HealthCheck, Service
from auditor.findings import Confidence, Related, Severity, Stage


@check("IMG015")
def health_check_program(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """The health check calls a program that the image does not have."""
    for current in in_force(service.health):
        yield from _program_of_check(service, rule, deployment, current)


def _program_of_check(
    service: Service, rule: Rule, deployment: Deployment, current: HealthCheck
) -> Iterator[Outcome]:
    image = service.image
    if image is None or image.pulled:
        yield from _foreign_program(service, rule, deployment, current)
        return
    if current.script is not None:
        yield from _script_of_check(service, rule, deployment, current, current.script)
    for program in current.programs:
        if "/" in program or not program or "$" in program:
            continue
        answer = image.provides_program(program)
        if answer is None:
            yield rule.undecided(f"whether the image has {program} is not known", at=current.at)
        elif answer and _lacks_extra(service, program):
            extra = _COMMAND_LINES[program][1]
            yield rule.finding(
                current.at,
                f"{subject(current)} calls `{program}`, whose command line comes with `{extra}` only: "
                f"{fails(current)}",
                help=f"Ask for `{extra}`, or ask with `urllib.request`.",
                confidence=Confidence.LIKELY,
                severity=weight(service, current, deployment),
                breaks=waiting(service, current, deployment),
            )
        elif answer:
            yield rule.passed()
        else:
            yield rule.finding(
                current.at,
                f"{subject(current)} calls `{program}`, which the image does not have: {fails(current)}",
                help=f"Install {program}, or ask with Python: "
                "`python -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')\"`.",
                related=[Related(image.image.base.at, "the base image lacks it")],
                severity=weight(service, current, deployment),
                breaks=waiting(service, current, deployment),
            )
    yield from _modules_of_check(service, rule, deployment, current)


# Console scripts that are always installed and end at once without a module of their extra.
_COMMAND_LINES = {"httpx": ("rich", "httpx[cli]"), "dotenv": ("click", "python-dotenv[cli]")}


def _lacks_extra(service: Service, program: str) -> bool:
    installed = service.environment.installed if service.environment is not None else None
    wanted = _COMMAND_LINES.get(program)
    if wanted is None or installed is None or not installed.complete or installed.unknown:
        return False
    return installed.provides(wanted[0]).answer in ("no", "likely-no")


def _modules_of_check(
    service: Service, rule: Rule, deployment: Deployment, current: HealthCheck
) -> Iterator[Outcome]:
    """What the check's own line of Python imports, and nothing installs."""
    from auditor.deployment.filesystem import Absent, absolute
    from auditor.linking import distributions

    installed = service.environment.installed if service.environment is not None else None
    for module in current.modules:
        top = module.partition(".")[0]
        if distributions.is_stdlib(top):
            yield rule.passed()
            continue
        answer = installed.provides(module).answer if installed is not None else "unknown"
        if answer == "yes":
            continue
        if installed is None or answer == "unknown" or installed.unknown:
            # A distribution that no table knows may bring it along.
            yield rule.undecided(f"whether `{top}` is installed is not known", at=current.at)
            continue
        image = service.image
        folders = [service.cwd] if isinstance(service.cwd, str) else []
        if (
            image is None
            or image.pulled
            or any(
                not isinstance(image.image.fs.lookup(absolute(folder, name)), Absent)
                for folder in folders
                for name in (f"{top}.py", top)
            )
        ):
            continue
        yield rule.finding(
            current.at,
            f"{subject(current)} imports `{module}`, which nothing installs in the image "
            f"(`ModuleNotFoundError: No module named '{top}'`): {fails(current)}",
            help=f"Install what brings `{top}`, or ask with `urllib.request`.",
            confidence=Confidence.POSSIBLE if answer == "possibly-no" else Confidence.LIKELY,
            severity=weight(service, current, deployment) if answer != "possibly-no" else None,
            breaks=waiting(service, current, deployment),
        )


def _script_of_check(
    service: Service, rule: Rule, deployment: Deployment, current: HealthCheck, script: str
) -> Iterator[Outcome]:
    """A script that the health check runs, and that nothing brings into the image."""
    from auditor.deployment.filesystem import Absent, absolute

    assert service.image is not None
    if service.mounts or not isinstance(service.cwd, str):
        return
    path = absolute(service.cwd, script)
    if isinstance(service.image.image.fs.lookup(path), Absent):
        yield rule.finding(
            current.at,
            f"{subject(current)} runs `{script}`, which is not in the image (it would be {path}): "
            f"{fails(current)}",
            help="Copy it into the image.",
            severity=weight(service, current, deployment),
            breaks=waiting(service, current, deployment),
        )


def _foreign_program(
    service: Service, rule: Rule, deployment: Deployment, current: HealthCheck
) -> Iterator[Outcome]:
    """The same of an image that others make, where it is known what it lacks."""
    from auditor.deployment.base import lacks

    reference = service.image_reference
    for program in current.programs if reference is not None else ():
        if reference is not None and lacks(reference, program):
            yield rule.finding(
                current.at,
                f"{subject(current)} calls `{program}`, which the image `{reference}` does not have: "
                f"{fails(current)}",
                help="Ask with a program that the image has, or build an image on top that has it.",
                severity=weight(service, current, deployment),
                breaks=waiting(service, current, deployment),
            )


def weight(service: Service, check: HealthCheck, deployment: Deployment) -> Severity | None:
    """The severity of a check that never succeeds, where it is not the rule's own.

    What a kubelet acts upon, or another service waits for, stops something; what only shows a
    state does not.
    """
    stops = check.role != "health" or bool(waiting(service, check, deployment))
    return Severity.HIGH if stops else None


def waiting(
    service: Service, check: HealthCheck, deployment: Deployment
) -> tuple[tuple[str, Stage], ...]:
    """What a check that never succeeds keeps from working.

    Compose starts some services only when this one is healthy; clouds replace it again and again;
    the kubelet restarts it, or leaves it out of its Services.
    """
    if service.workload is not None and service.workload.platform in DECLARED:
        return service.breaks(Stage.REACHABLE)
    if check.role == "readiness":
        return service.breaks(Stage.REACHABLE) if service.published else ()
    if check.role != "health":
        return service.breaks(Stage.STARTS)
    waiting = deployment.neighbours.waiting(service, for_health=True)
    return tuple((other.name, Stage.STARTS) for other in waiting)
