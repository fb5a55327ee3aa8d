"""OPS: will it hold in operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment, Service
from auditor.findings import Confidence, Related
from auditor.parsers.compose.facts import ComposeService

_BOUNDED_DRIVERS = frozenset(
    {
        "local",
        "none",
        "syslog",
        "journald",
        "fluentd",
        "gelf",
        "awslogs",
        "splunk",
        "gcplogs",
        "loki",
        "etwlogs",
    }
)
_MORE = 3
_LOG_HELP = {
    "the code": "Log to standard output, or use `RotatingFileHandler` (loguru: `rotation=`).",
    "gunicorn": "`-` in place of the file logs to standard output, where the engine rotates.",
    "hypercorn": "`-` in place of the file logs to standard output, where the engine rotates.",
    "supervisord": "Set `stdout_logfile=/dev/stdout` with `stdout_logfile_maxbytes=0`, or a size "
    "for the file.",
    "nginx": "Log to `/dev/stdout` and `/dev/stderr`.",
    "a redirection of the start command": "Leave the redirection out: the engine keeps and "
    "rotates standard output.",
}


def _projects(deployment: Deployment) -> Iterator[list[Service]]:
    """The services of each directory's Compose files that are built here for production."""
    directories: dict[str, list[Service]] = {}
    for project in deployment.projects:
        directories.setdefault(project.directory, []).extend(
            s
            for s in deployment.services
            if s.project is project and s.compose is not None and not s.is_dev and s.ours
        )
    yield from (services for services in directories.values() if services)


def _without(
    services: list[Service], has: Callable[[ComposeService], bool]
) -> tuple[list[Service], bool]:
    """The services that no file gives a setting, each once, and whether any has it.

    What a file for production says holds for the plain one beside it.
    """
    composed = [(service, service.compose) for service in services if service.compose is not None]
    given = {compose.name for _, compose in composed if has(compose)}
    lacking: dict[str, Service] = {}
    for service, compose in composed:
        if compose.name not in given:
            lacking.setdefault(compose.name, service)
    return list(lacking.values()), bool(given)


def _names(services: list[Service]) -> str:
    names = [f"`{s.name}`" for s in services[:_MORE]]
    return ", ".join(names) + (
        f" and {len(services) - _MORE} more" if len(services) > _MORE else ""
    )


def _others(services: list[Service], message: str) -> list[Related]:
    return [Related(s.at, message) for s in services[1:]]


def _rotates(service: ComposeService) -> bool:
    """Whether the engine bounds the logs; what is not known or misplaced is not held against it."""
    logging = service.logging
    driver = logging.driver.value if logging and logging.driver else "json-file"
    if logging is not None and (logging.misplaced or logging.option("max-size") is not None):
        return True
    return not isinstance(driver, str) or driver in _BOUNDED_DRIVERS


@check("OPS001")
def unbounded_logs(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Container logs that nothing rotates."""
    for services in _projects(deployment):
        for service in services:
            logging = service.compose.logging if service.compose else None
            if logging is not None and logging.misplaced:
                yield rule.finding(
                    logging.misplaced[0].at,
                    f"`{logging.misplaced[0].raw}` stands beside `driver`: Compose takes log options only below `options:`",
                )
        unbounded, some = _without(services, _rotates)
        if some:
            yield rule.passed()
        if unbounded:
            first = unbounded[0]
            logging = first.compose.logging if first.compose else None
            yield rule.finding(
                logging.at if logging else first.at,
                f"the logs of {_names(unbounded)} grow until the disk is full: the json-file driver keeps everything "
                "unless `max-size` is set",
                help='`logging: {driver: json-file, options: {max-size: "10m", max-file: "3"}}`, or the `local` driver.',
                related=_others(unbounded, "the same here"),
            )


@check("OPS002")
def unrotated_log_file(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A log file inside the container that nothing rotates."""
    if service.is_dev:
        return
    for log in service.log_files:
        if log.rotates:
            yield rule.passed()
        if log.rotates is not False:
            continue
        shown = f"`{log.path}`" if isinstance(log.path, str) else "a file"
        mount = next(
            (
                m
                for m in service.mounts
                if isinstance(log.path, str)
                and isinstance(m.target, str)
                and f"{log.path}/".startswith(f"{m.target.rstrip('/')}/")
            ),
            None,
        )
        related = []
        if log.logrotate is not None:
            message = f"{shown} grows without bound: logrotate is configured, but nothing in the container runs it"
            related.append(Related(log.logrotate, "this configuration is never used"))
        elif mount is None:
            message = f"{shown} grows without bound inside the container: nothing rotates it"
        else:
            message = f"{shown} grows without bound on what is mounted there: nothing in the container rotates it"
            related.append(Related(mount.at, "mounted here"))
        # Something outside may rotate what is mounted.
        sure = log.certain and mount is None
        yield rule.finding(
            log.at,
            message,
            help=_LOG_HELP.get(log.by, ""),
            related=related,
            confidence=None if sure else Confidence.LIKELY,
            evidence={"file": log.path if isinstance(log.path, str) else None, "by": log.by},
        )


def _restarts(service: ComposeService) -> bool:
    restart = service.restart.value if service.restart else None
    policy = service.deploy.restart_policy if service.deploy else None
    return policy is not None or (restart is not None and restart != "no")


@check("OPS008")
def no_restart_policy(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A service that stays down after a crash or a reboot."""
    for services in _projects(deployment):
        lacking, some = _without(services, _restarts)
        if some:
            yield rule.passed()
        missing = [service for service in lacking if service.is_web or service.is_web is None]
        if missing:
            yield rule.finding(
                missing[0].at,
                f"{_names(missing)} stays down after a crash or a reboot: no restart policy",
                help="`restart: unless-stopped`.",
                related=_others(missing, "the same here"),
            )


def _limited(service: ComposeService) -> bool:
    limits = service.deploy.limits if service.deploy else None
    return service.mem_limit is not None or (limits is not None and limits.memory is not None)


def _bounded(service: Service) -> bool:
    """The container has a memory limit, or a template may give it one."""
    resources = service.container.resources if service.container is not None else None
    return resources is not None and (resources.open or resources.limit("memory") is not None)


@check("OPS009")
def no_resource_limits(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A service that may take all of the host's memory."""
    for services in _projects(deployment):
        missing, some = _without(services, _limited)
        if some:
            yield rule.passed()
        if missing:
            yield rule.finding(
                missing[0].at,
                f"{_names(missing)} may take all of the host's memory: no limit",
                help="`deploy: {resources: {limits: {memory: 1g}}}`, or `mem_limit`.",
                related=_others(missing, "the same here"),
            )
    pods = [s for s in deployment.services if s.deployed and not s.is_dev and _plain(s)]
    ranged = any(item.kind == "LimitRange" for item in deployment.cluster.objects)
    unbounded = [] if ranged else [s for s in pods if not _bounded(s)]
    if len(unbounded) < len(pods):
        yield rule.passed()
    if unbounded:
        yield rule.finding(
            unbounded[0].at,
            f"{_names(unbounded)} may take all of the node's memory: no limit",
            help="`resources: {requests: {memory: 512Mi}, limits: {memory: 1Gi}}` for the container.",
            related=_others(unbounded, "the same here"),
        )


def _plain(service: Service) -> bool:
    """A workload of Kubernetes itself: platforms on it and beside it have limits of their own."""
    return service.workload is not None and not service.workload.platform
