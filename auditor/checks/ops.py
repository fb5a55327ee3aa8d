"""OPS: will it hold in operation."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment, Service
from auditor.findings import Confidence, Related
from auditor.parsers.compose import ComposeProject

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


def _projects(deployment: Deployment) -> Iterator[tuple[ComposeProject, list[Service]]]:
    """Each Compose project with the services that are built here and meant for production."""
    for project in deployment.projects:
        services = [
            s
            for s in deployment.services
            if s.project is project and s.compose is not None and not s.is_dev and s.ours
        ]
        if services:
            yield project, services


def _names(services: list[Service]) -> str:
    names = [f"`{s.name}`" for s in services[:_MORE]]
    return ", ".join(names) + (
        f" and {len(services) - _MORE} more" if len(services) > _MORE else ""
    )


def _others(services: list[Service], message: str) -> list[Related]:
    return [Related(s.at, message) for s in services[1:]]


@check("OPS001")
def unbounded_logs(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Container logs that nothing rotates."""
    for _, services in _projects(deployment):
        unbounded = []
        for service in services:
            logging = service.compose.logging if service.compose else None
            driver = logging.driver.value if logging and logging.driver else "json-file"
            if logging is not None and logging.misplaced:
                yield rule.finding(
                    logging.misplaced[0].at,
                    f"`{logging.misplaced[0].raw}` stands beside `driver`: Compose takes log options only below `options:`",
                )
                continue
            if not isinstance(driver, str):
                continue
            if driver in _BOUNDED_DRIVERS or (
                logging is not None and logging.option("max-size") is not None
            ):
                yield rule.passed()
            else:
                unbounded.append(service)
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


@check("OPS008")
def no_restart_policy(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A service that stays down after a crash or a reboot."""
    for _, services in _projects(deployment):
        missing = []
        for service in services:
            compose = service.compose
            assert compose is not None
            restart = compose.restart.value if compose.restart else None
            policy = compose.deploy.restart_policy if compose.deploy else None
            if policy is not None or (restart is not None and restart != "no"):
                yield rule.passed()
            elif service.is_web or service.is_web is None:
                missing.append(service)
        if missing:
            yield rule.finding(
                missing[0].at,
                f"{_names(missing)} stays down after a crash or a reboot: no restart policy",
                help="`restart: unless-stopped`.",
                related=_others(missing, "the same here"),
            )


@check("OPS009")
def no_resource_limits(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A service that may take all of the host's memory."""
    for _, services in _projects(deployment):
        missing = []
        for service in services:
            compose = service.compose
            assert compose is not None
            limits = compose.deploy.limits if compose.deploy else None
            if compose.mem_limit is not None or (limits is not None and limits.memory is not None):
                yield rule.passed()
            else:
                missing.append(service)
        if missing:
            yield rule.finding(
                missing[0].at,
                f"{_names(missing)} may take all of the host's memory: no limit",
                help="`deploy: {resources: {limits: {memory: 1g}}}`, or `mem_limit`.",
                related=_others(missing, "the same here"),
            )
