"""Programs that stand before the server: supervisord that starts it, nginx and Caddy that pass requests on."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment import shellfaults
from auditor.deployment.model import Listen, Proxied, StartFault
from auditor.findings import Stage
from auditor.parsers import serverconf
from auditor.parsers.commands import MainProcess, ServerStart, main_processes
from auditor.parsers.shell.facts import Script
from auditor.source import Location, SourceText, Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.deployment.model import BuiltImage, Mount, Service, Value
    from auditor.deployment.rewritten import Texts
    from auditor.deployment.view import View
    from auditor.parsers.serverconf import NginxConfig, SupervisorConfig
    from auditor.parsers.serverconf.nginx import NginxLocation

Env = Mapping[str, str | Unknown | None]
ReadScript = Callable[[str, "Value"], Script | None]

_SUPERVISOR_PLACES = (
    "supervisord.conf",
    "etc/supervisord.conf",
    "/etc/supervisord.conf",
    "/etc/supervisor/supervisord.conf",
    "/etc/supervisor/conf.d/supervisord.conf",
)


# --- supervisord -----------------------------------------------------------------------------


def supervised(
    process: MainProcess, view: View, env: Env, read_script: ReadScript
) -> tuple[list[MainProcess], list[StartFault]] | None:
    """The programs that supervisord starts; None when its configuration is not seen."""
    fact = process.interpretation.fact
    assert isinstance(fact, ServerStart)
    cwd = process.interpretation.cwd
    where = cwd if isinstance(cwd, str) else "/"
    configs = supervisor_configs(fact, view, where)
    if not configs:
        return None
    faults: list[StartFault] = []
    option = fact.option("nodaemon")
    foreground = option is not None and option.value is not False
    if not foreground and not any(c.nodaemon for c in configs):
        faults.append(
            StartFault(
                kind="daemon",
                message=(
                    "supervisord goes to the background (neither `nodaemon=true` nor `-n`): the "
                    "container's first process ends, and the container with it"
                ),
                at=fact.at,
                related=((Location(configs[0].path), "its configuration"),),
            )
        )
    faults += _log_folders(configs, view, env, where)
    children: list[MainProcess] = []
    for config in configs:
        for program in config.programs:
            if program.command is None or not program.autostart:
                continue
            own: dict[str, str | Unknown | None] = dict(env)
            own.update(dict(config.environment))
            own.update(dict(program.environment))
            directory: Value = where
            if program.directory is not None:
                expanded = program.directory.value.expand(own)
                directory = expanded if isinstance(expanded, str) else Unknown("computed")
            started = main_processes(
                program.command, env=own, cwd=directory, read_script=read_script
            )
            children += [replace(child, init=True) for child in started]
            if started:
                faults += shellfaults.misplaced(view.image, started[0].interpretation.argv)
    return children, faults


def of_procfile(
    process: MainProcess, view: View, env: Env, read_script: ReadScript
) -> list[MainProcess] | None:
    """The programs that honcho starts; None where its Procfile is not seen or a ``.env`` says more.

    Each gets a port of its own: what honcho is told or 5000, and 100 more for every further one.
    """
    what = process.interpretation
    fact, where = what.fact, what.cwd
    assert isinstance(fact, ServerStart)
    if not isinstance(where, str) or fact.option("chdir") is not None:
        return None
    option = fact.option("config")
    name = option.value if option is not None else "Procfile"
    source = view.text(posixpath.join(where, name)) if isinstance(name, str) else None
    port = fact.effective("port", env=env, config=())
    told = port.value if port is not None else "5000"
    if source is None or fact.option("env_file") is not None or fact.option("workers") is not None:
        return None
    if (
        not isinstance(told, str)
        or not told.isdecimal()
        or view.exists(f"{where}/.env") is not False
    ):
        return None
    named = {arg.text for arg in fact.args}
    children: list[MainProcess] = []
    for number, entry in enumerate(serverconf.parse_procfile(source).entries):
        if named and entry.name not in named:
            continue
        own = {**env, "PORT": str(int(told) + 100 * number)}
        started = main_processes(entry.command, env=own, cwd=where, read_script=read_script)
        children += [replace(child, init=True) for child in started]
    return children or None


def _log_folders(
    configs: list[SupervisorConfig], view: View, env: Env, where: str
) -> Iterator[StartFault]:
    """A log file in a directory that is not there: supervisord refuses its configuration."""
    for config in configs:
        for program in config.programs:
            for setting in (program.stdout_logfile, program.stderr_logfile):
                path = setting.value.expand(env) if setting is not None else None
                if setting is None or not isinstance(path, str) or path.startswith("/dev/"):
                    continue
                folder = posixpath.dirname(posixpath.normpath(posixpath.join(where, path)))
                if "/" not in path or view.look(folder).answer != "no":
                    continue
                yield StartFault(
                    kind="daemon",
                    message=(
                        f"{folder} is not in the image: supervisord stops with `The directory named "
                        f"as part of the path {path} does not exist`"
                    ),
                    at=setting.at,
                    certain=False,
                    evidence=(("path", folder),),
                )
                return


def supervisor_configs(fact: ServerStart, view: View, where: str) -> list[SupervisorConfig]:
    """The configuration files that supervisord reads in the image, parsed."""
    option = fact.option("config")
    places: Iterable[str] = _SUPERVISOR_PLACES
    if option is not None:
        if not isinstance(option.value, str):
            return []
        places = (option.value,)
    found: list[SupervisorConfig] = []
    for place in places:
        text = view.text(posixpath.normpath(posixpath.join(where, place)))
        if text is not None:
            found.append(serverconf.parse_supervisord(text))
            break
    patterns = [p for c in found for p in c.includes]
    if not found:
        patterns = ["/etc/supervisor/conf.d/*.conf"]  # what Debian's own file includes
    base = posixpath.dirname(places[0]) if option is not None and isinstance(places, tuple) else "/"
    texts = _matching(patterns, view, base or where)
    return [*found, *map(serverconf.parse_supervisord, texts)]


def _matching(
    patterns: Iterable[str], view: View, base: str, filled: Texts | None = None
) -> Iterator[SourceText]:
    """The repository's files in the image that ``include`` patterns name."""
    filled = filled or {}
    for pattern in list(patterns)[:20]:
        whole = posixpath.normpath(posixpath.join(base, pattern))
        folder, name = posixpath.split(whole)
        names = view.names(folder) if any(c in name for c in "*?[") else (name,)
        made = [posixpath.basename(p) for p in filled if posixpath.dirname(p) == folder]
        for candidate in dict.fromkeys((*names[:200], *made)):
            if fnmatch.fnmatchcase(candidate, name):
                path = posixpath.join(folder, candidate)
                text = filled[path] if path in filled else view.text(path)
                if text is not None:
                    yield text


# --- nginx -----------------------------------------------------------------------------------


def nginx(fact: ServerStart, view: View, filled: Texts | None = None) -> list[NginxConfig]:
    """The configuration that nginx reads in the image, as far as it comes from the repository.

    ``filled``: files that commands of the build or the start script rewrite.
    """
    filled = filled or {}
    if any(text is None for path, text in filled.items() if path.startswith("/etc/nginx/")):
        return []
    option = fact.option("config")
    place = option.value if option is not None and isinstance(option.value, str) else ""
    main_path = place or "/etc/nginx/nginx.conf"
    text = filled[main_path] if main_path in filled else view.text(main_path)
    if text is not None:
        main = serverconf.parse_nginx(text)
        found = [main]
        patterns: tuple[str, ...] = main.includes
    else:
        found = []
        patterns = ("/etc/nginx/conf.d/*.conf", "/etc/nginx/sites-enabled/*")
    found += [serverconf.parse_nginx(t) for t in _matching(patterns, view, "/etc/nginx", filled)]
    return found


def lost(image: BuiltImage | None) -> bool:
    """A COPY that finds nothing was to bring what nginx reads."""
    return image is not None and any(
        step.problems
        and isinstance(step.destination, str)
        and step.destination.startswith("/etc/nginx")
        for step in image.image.copies
    )


# Directives of nginx that have no block, and begin a line of their own.
_SIMPLE = frozenset(
    """
    access_log add_header alias autoindex charset client_body_buffer_size client_max_body_size daemon
    default_type error_log error_page expires fastcgi_pass grpc_pass gzip gzip_types index
    keepalive_timeout listen master_process pid proxy_buffering proxy_cache_bypass
    proxy_connect_timeout proxy_http_version proxy_pass proxy_read_timeout proxy_redirect
    proxy_send_timeout proxy_set_header resolver return rewrite root sendfile server_name server_tokens
    ssl_certificate ssl_certificate_key ssl_protocols tcp_nodelay tcp_nopush try_files
    types_hash_max_size user uwsgi_pass worker_connections worker_processes
    """.split()  # noqa: SIM905
)


def nginx_faults(fact: ServerStart, configs: Sequence[NginxConfig]) -> Iterator[StartFault]:
    """Why nginx refuses its configuration."""
    told = fact.value("directives")
    for at, why in (item for config in configs for item in _refused(config, told)):
        yield StartFault(
            kind="daemon",
            message=f"nginx refuses its configuration and ends: {why}",
            at=at,
            related=((fact.at, "started here"),),
            certain=False,
        )
        return


def _refused(config: NginxConfig, told: object) -> Iterator[tuple[Location, str]]:
    for problem in config.problems:
        if problem.message in serverconf.REFUSED_BY_NGINX:
            yield problem.at, f"this {problem.message}"
    for directive in config.directives:
        if directive.name == "daemon" and isinstance(told, str) and "daemon" in told:
            yield directive.at, '`"daemon" directive is duplicate` (the command says it with `-g`)'
    for directive in config.walk():
        if directive.name not in _SIMPLE:
            continue
        further = directive.at.end_line > directive.at.line and any(
            arg in _SIMPLE for arg in directive.args
        )
        if directive.block is not None or further:
            yield (
                directive.at,
                f"`{directive.name}` is not ended by a semicolon, so that the next line belongs to it",
            )


def nginx_listens(configs: list[NginxConfig]) -> list[Listen]:
    """The addresses that its servers listen on."""
    found: list[Listen] = []
    for config in configs:
        for server in config.servers:
            for bind in server.listens:
                if bind.unix is not None or bind.fd is not None or bind.host is None:
                    continue
                port: int | Unknown = Unknown("the port is filled in when nginx starts")
                if bind.number is not None:
                    port = bind.number
                elif isinstance(bind.port, Unknown):
                    port = bind.port
                host = "0.0.0.0" if bind.host in ("", "*", "::") else bind.host
                found.append(
                    Listen(host=host, port=port, at=bind.at, source="config", server="nginx")
                )
    return found


def targets(configs: list[NginxConfig]) -> list[Proxied]:
    """Where its locations send requests."""
    upstreams = {name: servers for config in configs for name, servers in config.upstreams}
    found: list[Proxied] = []
    for config in configs:
        for server in config.servers:
            for location in server.locations:
                url, at = location.upstream, location.upstream_at
                if url is None or at is None or "$" in url or "unix:" in url:
                    continue
                scheme, _, rest = url.partition("://") if "://" in url else ("http", "", url)
                address, replaced, _ = rest.partition("/")
                prefix = "" if replaced else _prefix(location)
                default = 443 if scheme == "https" else 80
                for text, place in upstreams.get(address, ((address, at),)):
                    target = _address(text, default)
                    if target is not None:
                        found.append(
                            Proxied(
                                host=target[0],
                                port=target[1],
                                at=place,
                                server="nginx",
                                prefix=prefix,
                            )
                        )
    return list(dict.fromkeys(found))


def _prefix(location: NginxLocation) -> str:
    """What every request of the location begins with; empty where it is rewritten or a pattern."""
    path = location.path.removeprefix("^~ ").rstrip("/")
    block = location.directive.block or ()
    if not path.startswith("/") or " " in path or any(d.name == "rewrite" for d in block):
        return ""
    return path


def _address(text: str, default: int) -> tuple[str, int] | None:
    if text.startswith(("unix:", "[", "/")) or "$" in text:
        return None
    host, colon, port = text.partition(":")
    if colon and not port.isdigit():
        return None
    return host, int(port) if colon else default


def passed_on(services: Sequence[Service]) -> Iterator[Service]:
    """The services; what a proxy passes on to another one is answered there."""
    for service in services:
        if not service.proxies:
            yield service
            continue
        answering = [
            other
            for other in services
            if other is not service
            and other.project is service.project
            and other.compose is not None
            and any(target.host == other.compose.name for target in service.proxies)
        ]
        own = [link for link in service.open_links if link[0] is Stage.PREDICTS]
        if not answering or service.compose is None or len(own) != 1:
            yield service
            continue
        theirs = [link for o in answering for link in o.open_links if link[0] is Stage.PREDICTS]
        links = [link for link in service.open_links if link not in own]
        yield replace(service, open_links=(*links, *dict.fromkeys(theirs)))


# --- proxies that only Compose shows ---------------------------------------------------------

_CADDY = re.compile(r"^\s*reverse_proxy\b(.*)$")


def mounted(mounts: Iterable[Mount], facts: Facts) -> list[Proxied]:
    """What a proxy of a public image is told by configuration files mounted into it."""
    configs: list[NginxConfig] = []
    found: list[Proxied] = []
    for mount in mounts:
        if mount.source is None or not isinstance(mount.target, str):
            continue
        target = mount.target
        if target.startswith("/etc/nginx/") and "template" not in target:
            configs += [serverconf.parse_nginx(text) for text in _files(mount.source, facts)]
        elif target.endswith("Caddyfile") or target.rstrip("/") == "/etc/caddy":
            for text in _files(mount.source, facts, name="Caddyfile"):
                found += _caddy(text)
    return targets(configs) + found


def _files(source: str, facts: Facts, name: str = "") -> Iterator[SourceText]:
    repository = facts.repository
    if repository.is_file(source):
        text = facts.read(source)
        if text is not None:
            yield text
        return
    prefix = f"{source}/" if source not in ("", ".") else ""
    for entry in repository.entries:
        if not entry.path.startswith(prefix) or "/" in entry.path[len(prefix) :]:
            continue
        if entry.path.endswith(name or ".conf") and entry.size < 200_000:
            text = facts.read(entry.path)
            if text is not None:
                yield text


def _caddy(source: SourceText) -> Iterator[Proxied]:
    for number, line in enumerate(source.lines[:2_000], 1):
        match = _CADDY.match(line)
        if match is None:
            continue
        for word in match.group(1).split():
            if word.startswith(("/", "@", "{", "*")) or word == "{":
                continue
            scheme, _, rest = word.partition("://") if "://" in word else ("http", "", word)
            target = _address(rest, 443 if scheme == "https" else 80)
            if target is not None and target[0]:
                yield Proxied(host=target[0], port=target[1], at=source.at(number), server="Caddy")
