"""The log files that a service's processes write in the container, and whether anything rotates them.

Container engines and the kubelet rotate what a container writes to standard output, never files
inside it. Whatever writes one is looked at: handlers of the code, log options of servers (command
line, configuration files, logging configurations they are given), supervisord, nginx, and
redirections of the start command. logrotate counts where something in the container runs it.
"""

from __future__ import annotations

import ast
import fnmatch
import posixpath
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from auditor.deployment.model import LogFile
from auditor.parsers.commands import MainProcess, ServerStart
from auditor.parsers.commands.facts import Other
from auditor.parsers.python.facts import Phase
from auditor.source import Location, SourceText, Unknown

if TYPE_CHECKING:
    from auditor.deployment.model import Service
    from auditor.deployment.view import View
    from auditor.parsers.serverconf import Setting, SupervisorProgram

Env = Mapping[str, str | Unknown | None]

_OPTIONS = ("access_log", "error_log", "req_logger", "daemonize")
# Option values that name no file.
_NO_FILE = frozenset({"-", "", "off", "none", "auto", "syslog", "true", "false"})
_ROTATING = ("RotatingFileHandler", "TimedRotatingFileHandler", "WatchedFileHandler")
_CRON = frozenset({"cron", "crond", "crontab", "supercronic", "anacron", "logrotate", "busybox"})
_NGINX_LOGS = ("/var/log/nginx/access.log", "/var/log/nginx/error.log")
_MAX_CONFIG = 200_000


def log_files(
    service: Service, view: View, env: Env, supervisor: MainProcess | None = None
) -> tuple[LogFile, ...]:
    """Every file that something running in the container is known to log to."""
    found = list(_handlers(service))
    for process in service.processes:
        found += _of_process(service, process, view, env)
    if supervisor is not None:
        found += _supervisord(supervisor, view, env)
    kept = [f for f in found if not _device(f.path, view)]
    if any(f.rotates is False for f in kept):
        kept = _with_logrotate(kept, service, view)
    return tuple(dict.fromkeys(kept))


def _handlers(service: Service) -> Iterator[LogFile]:
    for entry in service.entries:
        for handler in entry.trace.log_handlers:
            if (
                handler.reach.phase is Phase.UNREACHED
                or handler.kind == "stream"
                or handler.path is None
            ):
                continue
            resolved = handler.path.resolved
            if not isinstance(resolved, str):
                resolved = handler.path.text
            yield LogFile(
                path=resolved,
                at=handler.at,
                by="the code",
                rotates=handler.rotates,
                certain=handler.reach.certain,
            )


def _of_process(service: Service, process: MainProcess, view: View, env: Env) -> Iterator[LogFile]:
    what = process.interpretation
    env = {**env, **what.env}
    fact = what.fact
    yield from _redirected(process, env)
    if isinstance(fact, ServerStart):
        yield from _server(service, fact, what.cwd, view, env)
        if fact.kind == "nginx":
            yield from _nginx(service, fact, view)


# ---- redirections of the start command ----


def _redirected(process: MainProcess, env: Env) -> Iterator[LogFile]:
    command = process.interpretation.command
    if command is None:
        return
    for redirect in command.redirects:
        if redirect.target is None or redirect.operator not in (">", ">>", ">|", "&>", "&>>"):
            continue
        value = redirect.target.expand(env)
        if isinstance(value, str) and not value.isdigit():
            yield LogFile(
                path=_absolute(value, process.interpretation.cwd),
                at=redirect.at,
                by="a redirection of the start command",
                rotates=False,
                certain=not process.conditional,
            )


def _absolute(path: str, cwd: object) -> str | Unknown:
    if path.startswith("/"):
        return posixpath.normpath(path)
    if isinstance(cwd, str):
        return posixpath.normpath(posixpath.join(cwd, path))
    return Unknown("the working directory is not known")


# ---- servers ----


def _server(
    service: Service, fact: ServerStart, cwd: object, view: View, env: Env
) -> Iterator[LogFile]:
    for name in _OPTIONS:
        if fact.kind in ("supervisord", "nginx", "granian", "uvicorn"):
            break  # switches there, or read below
        option = fact.effective(name, env=env, config=service.configured)
        if option is None or not isinstance(option.value, str):
            continue
        text = option.value.removeprefix("file:")
        if text.lower() in _NO_FILE or "://" in text or text.startswith("syslog"):
            continue
        limit = fact.effective("log_maxsize", env=env, config=service.configured)
        yield LogFile(
            path=_absolute(text, cwd),
            at=option.at,
            by=fact.kind,
            rotates=fact.kind == "uwsgi" and limit is not None,
        )
    for name in ("log_config", "logconfig_json"):
        option = fact.effective(name, env=env, config=service.configured)
        if option is None or not isinstance(option.value, str):
            continue
        path = _absolute(option.value, cwd)
        text_of = view.text(path) if isinstance(path, str) else None
        if text_of is not None and len(text_of.text) <= _MAX_CONFIG:
            for log in logging_config(text_of):
                where = log.path if isinstance(log.path, Unknown) else _absolute(log.path, cwd)
                yield LogFile(
                    path=where, at=log.at, by=f"{fact.kind}'s logging", rotates=log.rotates
                )


def logging_config(source: SourceText) -> tuple[LogFile, ...]:
    """The files that a logging configuration (JSON, YAML, INI) names; empty when it is not read."""
    if source.path.endswith((".yaml", ".yml", ".json")):
        return tuple(_mapped_handlers(source))
    return tuple(_ini_handlers(source))


def _handler_file(cls: str, filename: str, limit: str | None, at: Location) -> LogFile:
    rotates: bool | None = False
    if cls.endswith(_ROTATING):
        timed = "Timed" in cls
        rotates = None if "Watched" in cls else timed or (limit or "0") != "0"
    elif not cls.endswith("FileHandler"):
        rotates = None
    return LogFile(path=filename, at=at, by="logging", rotates=rotates)


def _mapped_handlers(source: SourceText) -> Iterator[LogFile]:
    from auditor.parsers import yamldoc

    for document in yamldoc.parse(source).documents:
        handlers = document.get("handlers") if isinstance(document, yamldoc.Mapping) else None
        if not isinstance(handlers, yamldoc.Mapping):
            continue
        for entry in handlers.entries:
            handler = entry.value
            if not isinstance(handler, yamldoc.Mapping):
                continue
            cls, limit = handler.get("class"), handler.get("maxBytes")
            filename = handler.get("filename")
            if isinstance(filename, yamldoc.Scalar) and filename.str():
                yield _handler_file(
                    cls.text if isinstance(cls, yamldoc.Scalar) else "",
                    filename.text,
                    limit.text if isinstance(limit, yamldoc.Scalar) else None,
                    filename.at,
                )


def _ini_handlers(source: SourceText) -> Iterator[LogFile]:
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(source.text)
    except configparser.Error:
        return
    for section in parser.sections():
        cls = parser.get(section, "class", fallback="")
        if not section.startswith("handler_") or not cls.endswith("FileHandler"):
            continue
        try:
            args = ast.literal_eval(parser.get(section, "args", fallback="()"))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(args, tuple) and args and isinstance(args[0], str):
            index = source.text.find(f"[{section}]")
            yield _handler_file(
                cls,
                args[0],
                str(args[2]) if len(args) > 2 else None,
                source.at(source.text.count("\n", 0, max(index, 0)) + 1),
            )


# ---- supervisord ----


def _supervisord(process: MainProcess, view: View, env: Env) -> Iterator[LogFile]:
    from auditor.deployment.fronts import supervisor_configs

    fact, cwd = process.interpretation.fact, process.interpretation.cwd
    if isinstance(fact, ServerStart):
        where = cwd if isinstance(cwd, str) else "/"
        for config in supervisor_configs(fact, view, where):
            for program in config.programs:
                yield from _program_logs(program, env)


def _program_logs(program: SupervisorProgram, env: Env) -> Iterator[LogFile]:
    streams: list[tuple[Setting | None, str | None]] = [
        (program.stdout_logfile, program.stdout_logfile_maxbytes)
    ]
    if not program.redirect_stderr:
        streams.append((program.stderr_logfile, program.stderr_logfile_maxbytes))
    for setting, limit in streams:
        if setting is None:
            continue
        path = setting.value.expand(env)
        if not isinstance(path, str) or path.lower() in _NO_FILE:
            continue
        # 50 MB and ten old files unless the configuration says otherwise; 0 is without bound.
        yield LogFile(
            path=path,
            at=setting.at,
            by="supervisord",
            rotates=(limit or "50MB").strip() != "0",
        )


# ---- nginx beside the service in one container ----


def _nginx(service: Service, fact: ServerStart, view: View) -> Iterator[LogFile]:
    from auditor.deployment.fronts import nginx

    official = (
        service.image is not None
        and service.image.base is not None
        and (
            service.image.base.text.partition(":")[0].rpartition("/")[2]
            in ("nginx", "nginx-unprivileged", "openresty")
        )
    )
    configs = nginx(fact, view)
    told = False
    for config in configs:
        for directive in config.walk():
            if directive.name not in ("access_log", "error_log") or not directive.args:
                continue
            told = told or directive.name == "access_log"
            path = directive.args[0]
            if path.lower() in _NO_FILE or path in ("stderr", "memory") or "$" in path:
                continue
            if path.startswith(("syslog:", "memory:")) or (official and path in _NGINX_LOGS):
                continue
            yield LogFile(
                path=posixpath.normpath(posixpath.join("/etc/nginx", path)),
                at=directive.at,
                by="nginx",
                rotates=False,
            )
    if not told and not official and _packaged(service):
        # Neither the configuration nor, when there is none, the package's own says otherwise.
        yield LogFile(path=_NGINX_LOGS[0], at=fact.at, by="nginx", rotates=False)


def _packaged(service: Service) -> bool:
    """Nginx comes from the distribution, whose build logs to a file unless told otherwise."""
    return service.image is not None and any(
        package.name in ("nginx", "nginx-full", "nginx-light", "nginx-extras", "nginx-core")
        for package in service.image.system_packages
    )


# ---- what bounds a file from outside ----


def _device(path: str | Unknown, view: View) -> bool:
    """The file is standard output, or a link to it."""
    if not isinstance(path, str):
        return False
    target = view.link(path) or path
    return target.startswith(("/dev/", "/proc/"))


def _with_logrotate(found: list[LogFile], service: Service, view: View) -> list[LogFile]:
    """The files with what logrotate configurations of the image say of them."""
    from auditor.values import replace

    rules = _logrotate_rules(view)
    if not rules:
        return found
    runs = _runs_cron(service)
    result = []
    for log in found:
        named = isinstance(log.path, str) and next(
            (at for pattern, at in rules if fnmatch.fnmatchcase(str(log.path), pattern)), None
        )
        if log.rotates is not False or not named:
            result.append(log)
        elif runs is False:
            result.append(replace(log, logrotate=named))
        else:
            result.append(replace(log, rotates=True if runs else None))
    return result


def _logrotate_rules(view: View) -> list[tuple[str, Location]]:
    """(pattern, where) of every file that a logrotate configuration of the image names."""
    rules: list[tuple[str, Location]] = []
    for path in view.copied_to("/etc/logrotate."):
        text = view.repository_text(path)
        if text is None or len(text.text) > _MAX_CONFIG:
            continue
        depth = 0
        for number, line in enumerate(text.text.splitlines(), 1):
            words = line.partition("#")[0].split()
            if depth == 0:
                rules += [
                    (word.rstrip("{").strip("\"'"), text.at(number))
                    for word in words
                    if word.startswith(("/", '"/', "'/"))
                ]
            depth += line.count("{") - line.count("}")
    return rules


def _runs_cron(service: Service) -> bool | None:
    """Whether something in the container runs logrotate; None when that cannot be told."""
    unknown = False
    for process in service.processes:
        fact = process.interpretation.fact
        name = fact.program if isinstance(fact, Other) else ""
        if isinstance(name, Unknown):
            unknown = True
        elif posixpath.basename(name) in _CRON:
            return True
        if process.through:
            # A script on the way may start cron as a daemon, which returns at once.
            unknown = True
    return None if unknown or not service.processes else False
