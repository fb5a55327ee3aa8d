"""Calls that ask for something outside the process: another server, data of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from auditor.parsers.python.facts import Call, Import
from auditor.parsers.python.imports import note_import
from auditor.parsers.python.values import Const, Func, ListV, Obj, V

if TYPE_CHECKING:
    from auditor.parsers.python.models import Models
    from auditor.parsers.python.sites import Site

# Clients that connect when they are first asked: their own defaults.
_LAZY = {
    "redis.Redis": ("localhost", 6379),
    "redis.StrictRedis": ("localhost", 6379),
    "redis.client.Redis": ("localhost", 6379),
}
_BY_URL = frozenset(["redis.from_url", "redis.Redis.from_url", "redis.StrictRedis.from_url"])
_ASKING = frozenset(
    ["dbsize", "exists", "flushdb", "get", "hget", "hgetall", "hset", "incr", "info", "keys", "lpush",
     "ping", "rpush", "set", "setex"]
)  # fmt: skip
# Functions that connect at once. Without a host, psycopg takes a socket of this machine.
_AT_ONCE = {
    "psycopg2.connect": ("localhost", 5432),
    "psycopg.connect": ("localhost", 5432),
    "pymysql.connect": ("localhost", 3306),
    "MySQLdb.connect": ("localhost", 3306),
    "mysql.connector.connect": ("127.0.0.1", 3306),
}
# What reads a corpus or a model that NLTK does not bring, and its first name there.
_CORPORA = {
    "word_tokenize": "punkt",
    "sent_tokenize": "punkt",
    "pos_tag": "averaged_perceptron_tagger",
    "ne_chunk": "maxent_ne_chunker",
    "SentimentIntensityAnalyzer": "vader_lexicon",
}


def asked(models: Models, site: Site, owner: V, attr: str) -> None:
    """A method of a client: the first one connects."""
    if not isinstance(owner, Obj):
        return
    if attr == "lemmatize" and owner.name.endswith(".WordNetLemmatizer"):
        add(models, site, "corpus", (Const("wordnet"),), "nltk.WordNetLemmatizer.lemmatize")
    if attr not in _ASKING:
        return
    if owner.name in _BY_URL:
        given = owner.args[0] if owner.args else owner.kwargs.get("url")
        parts = _split(given)
        if parts is not None:
            _note(models, site, Const(parts[0]), Const(parts[1]))
    elif owner.name in _LAZY and "unix_socket_path" not in owner.kwargs:
        host, port = _LAZY[owner.name]
        given = owner.args[0] if owner.args else owner.kwargs.get("host")
        second = owner.args[1] if len(owner.args) > 1 else owner.kwargs.get("port")
        _note(models, site, given or Const(host), second or Const(port))


# What kombu asks for when a broker of that kind is first talked to, by the scheme of its URL.
_BROKERS = {
    "redis": "redis", "rediss": "redis", "sentinel": "redis", "sqs": "boto3", "mongodb": "pymongo",
}  # fmt: skip
_SENT = frozenset({"function.delay", "function.apply_async", "celery.Celery().send_task"})
_HASHES = frozenset(f"passlib.context.CryptContext().{name}" for name in ("hash", "verify"))


def _queued(models: Models, site: Site) -> None:
    """A task that is sent: celery then loads what its broker's transport needs."""
    if site.name == "celery.Celery":
        models.broker = site.kwargs.get("broker") or (site.args[1] if len(site.args) > 1 else None)
    elif site.name in _SENT and isinstance(models.broker, Const):
        run = models.run
        module = _BROKERS.get(str(models.broker.value).partition("://")[0].partition("+")[0])
        if module is not None and (not isinstance(site.owner, Func) or _task(site.owner)):
            fact = Import(at=run.at(site.node), module=module)
            note_import(run, fact, module, "external", "")


def _task(function: Func) -> bool:
    return any(name.rpartition(".")[2] in ("task", "shared_task") for name in function.decorators)


def called(models: Models, site: Site) -> None:
    """A function of a library: one that connects at once, or one that reads data."""
    _queued(models, site)
    if site.name in _HASHES and isinstance(site.owner, Obj):
        schemes = site.owner.kwargs.get("schemes")
        first = schemes.items[0] if isinstance(schemes, ListV) and schemes.items else None
        if isinstance(first, Const) and first.value == "bcrypt":
            add(models, site, "hashing", ())
    known = _AT_ONCE.get(site.name)
    if known is not None and not site.args and not site.loose:
        host, port = site.kwargs.get("host"), site.kwargs.get("port")
        if host is not None or (not site.kwargs.keys() & {"dsn", "unix_socket", "conninfo"}):
            _note(models, site, host or Const(known[0]), port or Const(known[1]))
    if site.name.startswith("nltk."):
        parts = site.name.split(".")
        data = _CORPORA.get(parts[-1])
        if len(parts) == 4 and parts[1] == "corpus" and parts[2] != "reader":
            data = parts[2]
        if data is not None:
            add(models, site, "corpus", (Const(data),))
    elif site.name == "spacy.load" and (site.args or "name" in site.kwargs):
        add(models, site, "corpus", (site.args[0] if site.args else site.kwargs["name"],))


def _split(given: V | None) -> tuple[str, int] | None:
    if not isinstance(given, Const) or not isinstance(given.value, str):
        return None
    try:
        parts = urlsplit(given.value)
        return (parts.hostname or "localhost", parts.port or 6379)
    except ValueError:
        return None


def _note(models: Models, site: Site, host: V, port: V) -> None:
    add(models, site, "connect", (host, port))


def add(models: Models, site: Site, category: str, values: tuple[V, ...], name: str = "") -> None:
    """Note the call with the values that matter; any handler around it makes it unsure."""
    run = models.run
    run.sink.add_call(
        Call(
            at=run.at(site.node),
            reach=run.reach(),
            category=category,
            name=name or site.name,
            arguments=tuple(run.sink.value(value) for value in values),
        )
    )
