"""Distributions that a library asks for only when one of its features is used.

Neither the code nor the library's own requirements name them: ``EmailStr`` needs
``email-validator``, ``create_engine("postgresql://…")`` needs ``psycopg2``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers.python.facts import Phase
from auditor.source import Location
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.deployment.model import Entry, Service
    from auditor.parsers.python.facts import Call, ModuleFacts, Reach


@value
class Wanted:
    """A feature that is used, and the module that it needs. ``any_of``: one of them will do."""

    at: Location
    feature: str
    any_of: tuple[str, ...]
    distribution: str
    error: str
    phase: Phase
    certain: bool
    route: str = ""
    # Nothing but an extra of that very library asks for the distribution.
    by_extra: bool = False
    # A handler around it goes on without the feature.
    survived: bool = False


_EMAIL = re.compile(r"\b(EmailStr|NameEmail)\b")
# Modules that import what their package does not require.
_IMPORTS = {
    "starlette.middleware.sessions": ("itsdangerous", "No module named 'itsdangerous'"),
    "fastapi.testclient": ("httpx", "The starlette.testclient module requires the httpx package"),
    "starlette.testclient": ("httpx", "The starlette.testclient module requires the httpx package"),
}
# Readers of pandas, and what one of must be there.
_READERS = {
    "pandas.read_excel": (("openpyxl", "calamine", "xlrd"), "openpyxl"),
    "pandas.read_parquet": (("pyarrow", "fastparquet"), "pyarrow"),
    "pandas.read_feather": (("pyarrow",), "pyarrow"),
    "pandas.read_hdf": (("tables",), "tables"),
    "pandas.read_html": (("lxml", "bs4"), "lxml"),
}
# Methods of data frames, likewise.
_WRITERS = {
    "DataFrame.to_markdown": (("tabulate",), "tabulate"),
    "DataFrame.to_parquet": (("pyarrow", "fastparquet"), "pyarrow"),
    "DataFrame.to_feather": (("pyarrow",), "pyarrow"),
    "DataFrame.to_excel": (("openpyxl", "xlsxwriter"), "openpyxl"),
    "DataFrame.to_hdf": (("tables",), "tables"),
}
# What SQLAlchemy imports for the scheme of a URL: (module, distribution).
DRIVERS = {
    "postgresql": ("psycopg2", "psycopg2-binary"),
    "postgresql+psycopg2": ("psycopg2", "psycopg2-binary"),
    "postgresql+psycopg": ("psycopg", "psycopg"),
    "postgresql+asyncpg": ("asyncpg", "asyncpg"),
    "postgresql+pg8000": ("pg8000", "pg8000"),
    "mysql": ("MySQLdb", "mysqlclient"),
    "mysql+mysqldb": ("MySQLdb", "mysqlclient"),
    "mysql+pymysql": ("pymysql", "pymysql"),
    "mysql+aiomysql": ("aiomysql", "aiomysql"),
    "sqlite+aiosqlite": ("aiosqlite", "aiosqlite"),
    "mssql+pyodbc": ("pyodbc", "pyodbc"),
}


def wanted(service: Service, entry: Entry) -> Iterator[Wanted]:
    """Features that the run uses and that ask for a distribution of their own."""
    for name, path in entry.trace.modules:
        facts = service.module_facts.get(path)
        if facts is not None:
            yield from _declared(name, facts, entry)
    for item in entry.trace.imports:
        known = _IMPORTS.get(item.module)
        if known is not None and item.found == "external":
            module, error = known
            yield _of(item.fact.at, f"`{item.module}`", (module,), module, error, item.reach)
    for access in entry.trace.files:
        reader = _READERS.get(access.loader)
        if reader is not None and access.option("engine") is None:
            modules, distribution = reader
            error = f"ImportError: Missing optional dependency '{distribution}'"
            yield _of(access.at, f"`{access.loader}`", modules, distribution, error, access.reach)
    for use in entry.trace.uses:
        # Every method of a data frame is noted, since some releases lack some.
        writer = _WRITERS.get(use.name) if use.module == "pandas" else None
        if writer is not None:
            modules, distribution = writer
            error = f"ImportError: Missing optional dependency '{distribution}'"
            yield _of(use.at, f"`{use.name}`", modules, distribution, error, use.reach)
    yield from _of_frameworks(entry)
    for call in entry.trace.calls:
        if call.name in ("httpx.Client", "httpx.AsyncClient"):
            http2 = call.keyword("http2")
            if http2 is not None and http2.value is True:
                error = "ImportError: Using http2=True, but the 'h2' package is not installed"
                feature = f"`{call.name}(http2=True)`"
                found = _of(call.at, feature, ("h2",), "h2", error, call.reach)
                yield replace(found, by_extra=True)
        if call.category == "feature":
            yield from _told(call)
        if call.name.rpartition(".")[2] not in ("create_engine", "create_async_engine"):
            continue
        first = call.arguments[0].text if call.arguments else None
        driver = DRIVERS.get(first.partition("://")[0]) if first and "://" in first else None
        if driver is not None:
            module, distribution = driver
            error = f"ModuleNotFoundError: No module named '{module}'"
            yield _of(call.at, f"`{call.name}`", (module,), distribution, error, call.reach)


# What Beautiful Soup finds builders for by the features that it is asked for (bs4/builder); the
# parser of the standard library needs nothing more.
_PARSERS = {"lxml": "lxml", "lxml-html": "lxml", "lxml-xml": "lxml", "xml": "lxml", "html5lib": "html5lib",
            "html5": "html5lib"}  # fmt: skip
# Algorithms of PyJWT for which it imports cryptography (jwt/algorithms.py).
_SIGNED = re.compile(r"(?:RS|ES|PS)(?:256|384|512)|ES256K|ES521|EdDSA")


def _told(call: Call) -> Iterator[Wanted]:
    """Features that a call asks for by a word."""
    if call.name == "bs4.BeautifulSoup":
        second = call.arguments[1] if len(call.arguments) > 1 else call.keyword("features")
        parser = second.text if second is not None else None
        needed = _PARSERS.get(parser or "")
        if needed is not None:
            error = (
                "bs4.FeatureNotFound: Couldn't find a tree builder with the features you "
                f"requested: {parser}. Do you need to install a parser library?"
            )
            feature = f'`BeautifulSoup(…, "{parser}")`'
            yield replace(
                _of(call.at, feature, (needed,), needed, error, call.reach), by_extra=True
            )
    elif call.name == "jwt.encode":
        third = call.arguments[2] if len(call.arguments) > 2 else call.keyword("algorithm")
        algorithm = third.text if third is not None else None
        if algorithm is not None and _SIGNED.fullmatch(algorithm):
            error = f"NotImplementedError: Algorithm '{algorithm}' could not be found. Do you have cryptography installed?"
            name = "cryptography"
            found = _of(call.at, f"`jwt.encode(…, {algorithm})`", (name,), name, error, call.reach)
            yield replace(found, by_extra=True)


_HANDLED = frozenset({"try", "import-error"})


def _of(
    at: Location,
    feature: str,
    modules: tuple[str, ...],
    distribution: str,
    error: str,
    reach: Reach,
) -> Wanted:
    return Wanted(
        at=at,
        feature=feature,
        any_of=modules,
        distribution=distribution,
        error=error,
        phase=reach.phase,
        certain=reach.certain,
        route=reach.route,
        survived=bool(_HANDLED & set(reach.guards)),
    )


def _of_frameworks(entry: Entry) -> Iterator[Wanted]:
    """Flask's coroutine views, WebSockets under uvicorn, FastAPI's faster encoders."""
    for app in entry.trace.apps:
        sockets = [r for r in app.routes if "WEBSOCKET" in r.methods and not r.conditional]
        if sockets and entry.server in ("uvicorn", "gunicorn") and app.framework in _BY_UVICORN:
            yield Wanted(
                at=sockets[0].at,
                feature="a WebSocket under uvicorn",
                any_of=("websockets", "wsproto"),
                distribution="websockets",
                error="Unsupported upgrade request. (404 Not Found)",
                phase=Phase.REQUEST,
                certain=app.reach.certain,
                route=sockets[0].label,
                by_extra=True,
            )
        views = [r for r in app.routes if r.is_async] if app.framework == "flask" else []
        for route in sorted(views, key=lambda r: "predict" not in r.label.lower())[:1]:
            yield Wanted(
                at=route.handler_at,
                feature="a coroutine as a view of Flask",
                any_of=("asgiref",),
                distribution="asgiref",
                error="RuntimeError: Install Flask with the 'async' extra in order to use async views.",
                phase=Phase.REQUEST,
                certain=not route.conditional,
                route=route.label,
                by_extra=True,
            )
        encoder = _ENCODERS.get(app.response_class.rpartition(".")[2])
        if encoder is None:
            continue
        yield Wanted(
            at=app.at,
            feature=f"`{app.response_class.rpartition('.')[2]}`",
            any_of=(encoder,),
            distribution=encoder,
            error=f"AssertionError: {encoder} must be installed",
            phase=Phase.REQUEST,
            certain=app.reach.certain,
            route="predict",
        )


_BY_UVICORN = frozenset({"fastapi", "starlette"})
_ENCODERS = {"ORJSONResponse": "orjson", "UJSONResponse": "ujson"}


def _declared(name: str, facts: ModuleFacts, entry: Entry) -> Iterator[Wanted]:
    """What the body of a module that is certainly imported asks for."""
    reached = next((i.reach for i in entry.trace.imports if i.module == name), None)
    certain = reached is None or reached.certain
    phase = reached.phase if reached is not None else Phase.IMPORT
    named = {n for i in facts.imports if i.module == "pydantic" for n in i.names}
    for cls in facts.classes:
        if "." in cls.qualname:
            continue
        for item in cls.fields:
            found = _EMAIL.search(item.annotation)
            if found is not None and found.group(1) in named:
                yield Wanted(
                    at=item.at,
                    feature=f"`{found.group(1)}`",
                    any_of=("email_validator",),
                    distribution="email-validator",
                    error="ImportError: email-validator is not installed",
                    phase=phase,
                    certain=certain,
                )
                break
    for call in facts.calls:
        if call.name.endswith(".templating.Jinja2Templates") and not call.function:
            yield Wanted(
                at=call.at,
                feature="`Jinja2Templates`",
                any_of=("jinja2",),
                distribution="jinja2",
                error="jinja2 must be installed to use Jinja2Templates",
                phase=phase,
                certain=certain,
            )
