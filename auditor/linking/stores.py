"""Where servers keep their records, and the driver that a database asks for.

``mlflow server --backend-store-uri postgresql://…`` imports what SQLAlchemy maps the scheme to
(docs.sqlalchemy.org/en/20/core/engines.html), and MLflow requires none of it; its own image is
``pip install mlflow`` (docker/Dockerfile of mlflow/mlflow).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.linking.optional import DRIVERS
from auditor.parsers.commands import ServerStart
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.model import Service
    from auditor.source import Location

_KINDS = frozenset({"mlflow-server", "mlflow-ui"})
_SCHEMES = frozenset({"postgresql", "mysql", "sqlite", "mssql"})
_OPTIONS = (
    ("backend_store_uri", "MLFLOW_BACKEND_STORE_URI"),
    ("registry_store_uri", "MLFLOW_REGISTRY_STORE_URI"),
)
# Images that hold what the distribution itself requires, and nothing more.
_BARE = re.compile(r"(?:^|/)mlflow/mlflow:v?\d+\.\d+\.\d+$")


@value
class Store:
    """A database that a server is told to use. ``installed``: whether its driver is there."""

    at: Location
    server: str
    scheme: str
    module: str
    distribution: str
    installed: Literal["yes", "no", "unknown"]
    # Why that is not known.
    reason: str = ""


def databases(service: Service) -> Iterator[Store]:
    """Every database that the service's servers are told to use."""
    for process in service.processes:
        fact = process.interpretation.fact
        if not isinstance(fact, ServerStart) or fact.kind not in _KINDS:
            continue
        for option, name in _OPTIONS:
            told = _told(fact, service, option, name)
            driver = DRIVERS.get(told[0]) if told is not None else None
            if told is None or driver is None:
                continue
            module, distribution = driver
            answer, reason = _provided(service, module, distribution)
            yield Store(
                at=told[1],
                server=fact.kind.replace("-", " "),
                scheme=told[0],
                module=module,
                distribution=distribution,
                installed=answer,
                reason=reason,
            )


def complete(service: Service, fact: ServerStart) -> bool:
    """Whether all that the server needs besides its database's driver is known to be there.

    It serves an application of its own, out of what is installed with it.
    """
    for option, name in _OPTIONS:
        told = fact.option(option) or service.variable(name)
        text = told.value if told is not None and isinstance(told.value, str) else ""
        # The file of SQLite has no host: `Invalid SQLite URL`, or a path that was not meant.
        if text.startswith("sqlite") and "://" in text and ":///" not in text:
            return False
    if service.image is not None and not service.image.pulled:
        return True
    adds = any("install" in word for word in service.argv or ())
    return bool(_BARE.search(service.image_reference or "")) and not adds


def keeps_records(service: Service, kinds: Collection[str]) -> bool:
    """Whether one of the service's servers is told to keep its records in a database."""
    return any(
        told[0].partition("+")[0] in _SCHEMES
        for process in service.processes
        for fact in (process.interpretation.fact,)
        if isinstance(fact, ServerStart) and fact.kind in kinds
        for told in (_told(fact, service, *names) for names in _OPTIONS)
        if told is not None
    )


def _told(
    fact: ServerStart, service: Service, option: str, name: str
) -> tuple[str, Location] | None:
    """(scheme, place) of what the command line, else the environment, names."""
    given = fact.option(option)
    if given is not None:
        pieces = (given.value, *given.pieces[:1])
        text = next((p for p in pieces if isinstance(p, str) and "://" in p), "")
        return (text.partition("://")[0].lower(), given.at) if text else None
    variable = service.variable(name)
    text = variable.value if variable is not None and isinstance(variable.value, str) else ""
    if variable is None or "://" not in text or variable.at is None:
        return None
    return text.partition("://")[0].lower(), variable.at


def _provided(
    service: Service, module: str, distribution: str
) -> tuple[Literal["yes", "no", "unknown"], str]:
    installed = service.environment.installed if service.environment is not None else None
    if installed is not None:
        found = installed.provides(module)
        if found.answer == "yes" or installed.has(distribution):
            return "yes", ""
        if found.answer in ("no", "likely-no"):
            return "no", ""
        return "unknown", found.reason or "not all that is installed is known"
    reference = service.image_reference or ""
    adds = any("install" in word for word in service.argv or ())
    pulled = service.image is None or service.image.pulled
    if pulled and _BARE.search(reference) and not adds and not service.mounts:
        return "no", ""
    return "unknown", f"what {reference or 'the image'} brings"
