"""Addresses of databases, brokers and other services, against who answers there, and to whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from auditor import lazy_re as re
from auditor.checks.registry import Outcome, check
from auditor.findings import Confidence, Related, Severity
from auditor.linking import ports
from auditor.parsers.dotenv import HOLE
from auditor.values import value

if TYPE_CHECKING:
    from auditor.catalog import Rule
    from auditor.deployment.model import Deployment, Service
    from auditor.source import Location

_URL = re.compile(
    r"(?:jdbc:)?(?P<scheme>[a-z][a-z0-9+]*)://"
    r"(?:(?P<user>[^:/@?#\s,]*)(?::(?P<password>[^@/?#\s,]*))?@)?"
    r"(?P<host>[A-Za-z0-9][\w.-]*)(?::(?P<port>\d{1,5}))?"
    r"(?:/(?P<path>[^?#\s,]*))?(?:\?(?P<query>[^#\s]*))?"
)
# What a scheme asks for, and at which port unless told.
_SCHEMES = {
    "postgres": ("postgres", 5432), "postgresql": ("postgres", 5432),
    "mysql": ("mysql", 3306), "mariadb": ("mysql", 3306),
    "redis": ("redis", 6379), "rediss": ("redis", 6379),
    "mongodb": ("mongodb", 27017),
    "amqp": ("rabbitmq", 5672), "amqps": ("rabbitmq", 5671), "pyamqp": ("rabbitmq", 5672),
    "http": ("http", 80), "https": ("http", 443),
}  # fmt: skip
_LOCAL = frozenset({"localhost", "127.0.0.1"})
_HOST = re.compile(r"(?P<of>PG(?=HOST)|[A-Z][A-Z0-9_]*(?=_))_?(?:HOST|HOSTNAME|SERVER)")
# What names of variables say of the service that they mean.
_MEANT = (
    ("postgres", re.compile(r"POSTGRES|^PG|_PG")),
    ("mysql", re.compile(r"MYSQL|MARIADB")),
    ("redis", re.compile(r"REDIS")),
    ("mongodb", re.compile(r"MONGO")),
    ("rabbitmq", re.compile(r"RABBIT|AMQP")),
    ("qdrant", re.compile(r"QDRANT")),
)


@value
class _Asked:
    """An address that a service is told to ask. ``kind``: of the service that is meant."""

    kind: str | None
    host: str
    port: int | None
    at: Location
    name: str
    url: Mapping[str, str | None] | None = None


@check("NET014")
def unanswered_address(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A service is told to ask where nothing answers, or as somebody whom the database does not know."""
    if service.compose is None or service.host_network or service.compose.network_mode is not None:
        return
    seen: set[tuple[str, int | None, str]] = set()
    for asked in _asked(service):
        key = (asked.host, asked.port, asked.name)
        if key not in seen:
            seen.add(key)
            yield from _judged(service, rule, deployment, asked)


def _asked(service: Service) -> Iterator[_Asked]:
    variables = {
        v.name: v
        for v in service.variables
        if v.source in ("compose", "env-file") and v.at is not None
    }
    for name, variable in variables.items():
        if not isinstance(variable.value, str) or variable.at is None:
            continue
        found = _URL.fullmatch(variable.value.strip())
        if found is not None:
            yield from _of_url(found, variable.at, name)
            continue
        host = _HOST.fullmatch(name)
        if host is None or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", variable.value):
            continue
        beside = variables.get(name[: -len("HOST")] + "PORT") if name.endswith("HOST") else None
        beside = beside or variables.get(f"{host['of']}_PORT")
        port = beside.value if beside is not None else None
        number = int(port) if isinstance(port, str) and re.fullmatch(r"\d{1,5}", port) else None
        if beside is not None and number is None:
            continue
        kind = next((kind for kind, words in _MEANT if words.search(host["of"])), None)
        at = beside.at if beside is not None and beside.at is not None else variable.at
        yield _Asked(kind=kind, host=variable.value, port=number, at=at, name=name)
    for word in service.argv or ():
        found = _URL.fullmatch(word)
        if found is not None and service.command_at is not None:
            yield from _of_url(found, service.command_at, "command")


def _of_url(found: re.Match[str], at: Location, name: str) -> Iterator[_Asked]:
    schemes = [s for s in found["scheme"].split("+") if s in _SCHEMES]
    if schemes and not found["scheme"].endswith("+srv"):
        kind, port = _SCHEMES[schemes[0]]
        yield _Asked(
            kind=kind,
            host=found["host"],
            port=int(found["port"] or port),
            at=at,
            name=name,
            url=found.groupdict(),
        )


def _judged(
    service: Service, rule: Rule, deployment: Deployment, asked: _Asked
) -> Iterator[Outcome]:
    neighbours = deployment.neighbours
    if asked.host in _LOCAL:
        yield from _in_itself(service, rule, deployment, asked)
        return
    meant = neighbours.known_as(service, asked.host)
    if not meant:
        yield from _unknown_name(service, rule, deployment, asked)
        return
    if len(meant) != 1 or meant[0] is service:
        return
    other = meant[0]
    served = ports.served(other)
    if not served.complete:
        return
    if asked.port is not None and asked.port not in served.ports:
        published = next(
            (
                p
                for p in other.published
                if p.host_port == asked.port and p.container_port in served.ports
            ),
            None,
        )
        listen = served.listens[0]
        own = published.container_port if published is not None else listen.port
        yield rule.finding(
            asked.at,
            f"`{asked.name}` names `{asked.host}:{asked.port}`, and {listen.server} serves {own} there: "
            "`Connection refused`"
            + (
                f"; {asked.port} is its port on the host, which containers do not use"
                if published is not None
                else ""
            ),
            help=f"Write `{asked.host}:{own}`.",
            related=[Related(published.at if published is not None else listen.at, "served here")],
            evidence={"asked": asked.port},
        )
        return
    refused = _refused(other, asked) if asked.url is not None else None
    if refused is None:
        yield rule.passed()
        return
    message, doubt = refused
    yield rule.finding(
        asked.at,
        f"`{asked.name}`: {message}",
        help="Give both the same user, password and database, from one place.",
        related=[Related(other.at, "the database is set up here")],
        severity=Severity.MEDIUM if doubt else None,
        confidence=Confidence.POSSIBLE if doubt else None,
    )


def _only(service: Service, deployment: Deployment, asked: _Asked) -> Service | None:
    """The one database of the project that is of the kind meant."""
    found = [
        other
        for other in deployment.neighbours.siblings(service)
        if other.backing is not None and other.backing.kind == asked.kind
    ]
    return found[0] if len(found) == 1 else None


def _in_itself(
    service: Service, rule: Rule, deployment: Deployment, asked: _Asked
) -> Iterator[Outcome]:
    """``localhost`` is the container itself, and the database is another one."""
    if asked.kind in (None, "http") or (service.image is not None and len(service.processes) > 1):
        return
    own = ports.served(service)
    if asked.port in own.ports or (
        service.backing is not None and service.backing.kind == asked.kind
    ):
        return
    other = _only(service, deployment, asked)
    if other is None or other.compose is None:
        return
    name = other.compose.name
    shown = f"{asked.host}:{asked.port}" if asked.port is not None else asked.host
    yield rule.finding(
        asked.at,
        f"`{asked.name}` names `{shown}`, which is this container itself; `{name}` runs in another one: "
        "`Connection refused`",
        help=f"Ask `{name}`.",
        related=[Related(other.at, "this service is meant")],
    )


def _unknown_name(
    service: Service, rule: Rule, deployment: Deployment, asked: _Asked
) -> Iterator[Outcome]:
    """A name that no network of the project knows, where the project has such a database."""
    compose, project = service.compose, service.project
    if compose is None or project is None or asked.kind in (None, "http") or "." in asked.host:
        return
    if compose.extra_hosts or compose.links:
        return
    used = {use.name for use in compose.networks}
    if any(n.external and (n.name in used or n.name == "default") for n in project.networks):
        return
    other = _only(service, deployment, asked)
    if other is None or other.compose is None:
        return
    name = other.compose.name
    yield rule.finding(
        asked.at,
        f"`{asked.name}` names the host `{asked.host}`, and no service of the project is called so; "
        f"{asked.kind} runs as `{name}`: the name is not resolved",
        help=f"Ask `{name}`.",
        related=[Related(other.at, "this service is meant")],
        confidence=Confidence.LIKELY,
    )


# ---- who may come in ----


def _refused(other: Service, asked: _Asked) -> tuple[str, bool] | None:
    """What the database answers to this user, and whether that is in doubt; None: it lets it in."""
    backing, url = other.backing, asked.url
    if backing is None or url is None or backing.kind != asked.kind:
        return None
    told = {v.name: v.value for v in other.variables}
    if "*" in told or not other.variables_complete or backing.open_links:
        return None
    user, password = _plain(url["user"]), _plain(url["password"])
    database = _plain(url["path"])
    if backing.kind == "postgres":
        return _postgres(told, user, password, database)
    if backing.kind == "mysql":
        return _mysql(told, user, password)
    if backing.kind == "mongodb":
        return _mongodb(told, user, password, database, url["query"] or "")
    if backing.kind == "redis":
        return _redis(backing.words, password)
    if backing.kind == "rabbitmq":
        return _rabbitmq(told, user, password)
    return None


def _plain(text: str | None) -> str | None:
    return unquote(text) if text is not None else None


def _postgres(
    told: Mapping[str, object], user: str | None, password: str | None, database: str | None
) -> tuple[str, bool] | None:
    owner = told.get("POSTGRES_USER", "postgres")
    kept = told.get("POSTGRES_PASSWORD")
    trust = told.get("POSTGRES_HOST_AUTH_METHOD") == "trust"
    made = told.get("POSTGRES_DB", owner)
    if "POSTGRES_USER_FILE" in told or not isinstance(owner, str) or not user:
        return None
    if user != owner:
        return (
            f"PostgreSQL is set up with the user `{owner}` alone, and `{user}` asks: "
            f'`password authentication failed for user "{user}"`',
            False,
        )
    if not trust and isinstance(kept, str) and password is not None and password != kept:
        return (
            "the password is not the one that PostgreSQL is set up with (POSTGRES_PASSWORD): "
            f'`password authentication failed for user "{user}"`',
            False,
        )
    if not database or not isinstance(made, str) or "POSTGRES_DB_FILE" in told:
        return None
    if database in (made, "postgres", "template1"):
        return None
    return (
        f"PostgreSQL is set up with the database `{made}`, and `{database}` is asked for: "
        f'`database "{database}" does not exist`, unless something creates it',
        True,
    )


def _mysql(
    told: Mapping[str, object], user: str | None, password: str | None
) -> tuple[str, bool] | None:
    def of(name: str) -> object:
        return told.get(f"MYSQL_{name}", told.get(f"MARIADB_{name}"))

    known = {
        "root": of("ROOT_PASSWORD"),
        **({u: of("PASSWORD")} if isinstance(u := of("USER"), str) else {}),
    }
    if not user or any(
        name.endswith("_FILE") or "RANDOM" in name or "HASH" in name for name in told
    ):
        return None
    if of("USER") is not None and not isinstance(of("USER"), str):
        return None
    denied = f"`Access denied for user '{user}'`"
    if user not in known:
        return f"MySQL is set up without a user `{user}`: {denied}", False
    kept = known[user]
    if isinstance(kept, str) and password is not None and password != kept:
        return f"the password is not the one that MySQL is set up with: {denied}", False
    return None


def _mongodb(
    told: Mapping[str, object],
    user: str | None,
    password: str | None,
    database: str | None,
    query: str,
) -> tuple[str, bool] | None:
    owner, kept = told.get("MONGO_INITDB_ROOT_USERNAME"), told.get("MONGO_INITDB_ROOT_PASSWORD")
    if owner is None and kept is None and not any(n.endswith("_FILE") for n in told):
        return (
            (f"MongoDB is set up without users, and `{user}` asks: `Authentication failed`", False)
            if user
            else None
        )
    if not isinstance(owner, str) or not isinstance(kept, str) or not owner or not kept:
        return None
    if not user:
        return (
            "MongoDB is set up with a user, and none is named: `command … requires authentication`",
            False,
        )
    if user != owner or password != kept:
        return (
            "the user or password is not the one that MongoDB is set up with: `Authentication failed`",
            False,
        )
    if database not in (None, "", "admin") and "authSource" not in query:
        return (
            f"the user is kept in the database `admin`, and is looked for in `{database}`: "
            "`Authentication failed` (add `?authSource=admin`)",
            False,
        )
    return None


def _redis(words: tuple[str, ...], password: str | None) -> tuple[str, bool] | None:
    kept: str | None = None
    for index, word in enumerate(words):
        if word.startswith("--") and word[2:] in ("aclfile", "user"):
            return None
        if word == "--requirepass":
            kept = words[index + 1] if index + 1 < len(words) else ""
    # Nothing is left of a variable that only whoever starts it sets: what it holds is not known.
    if kept == "" or any(w.endswith(".conf") or HOLE in w for w in words):
        return None
    if kept and not password:
        return (
            "Redis is started with a password, and none is given: `NOAUTH Authentication required`",
            False,
        )
    if not kept and password:
        return (
            "Redis is started without a password, and one is given: `AUTH <password> called without any password configured`",
            False,
        )
    if kept and password != kept and "$" not in kept:
        return (
            "the password is not the one that Redis is started with: `WRONGPASS invalid username-password pair`",
            False,
        )
    return None


def _rabbitmq(
    told: Mapping[str, object], user: str | None, password: str | None
) -> tuple[str, bool] | None:
    owner, kept = (
        told.get("RABBITMQ_DEFAULT_USER", "guest"),
        told.get("RABBITMQ_DEFAULT_PASS", "guest"),
    )
    if not isinstance(owner, str) or not isinstance(kept, str):
        return None
    if (user or "guest", password if user else "guest") != (owner, kept):
        return (
            "the user or password is not the one that RabbitMQ is set up with: `ACCESS_REFUSED`",
            False,
        )
    return None
