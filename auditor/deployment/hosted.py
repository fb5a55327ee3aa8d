"""Processes that a hosting platform, or systemd on a machine, starts from this repository."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from auditor.deployment.model import BuiltImage, Published, Service, Variable
from auditor.source import Location, SourceText
from auditor.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.deployment.facts import Facts
    from auditor.parsers.platforms import PlatformApp, Told

# The port that a platform chooses; no server takes it by itself.
PLATFORM_PORT = 47_329
_MAX_SIZE = 200_000


def apps(facts: Facts) -> Iterator[PlatformApp]:
    """What the platform files of the repository start."""
    from auditor.parsers import platforms

    for entry in facts.repository.entries:
        if entry.is_dev or entry.size > _MAX_SIZE or not platforms.is_platform_file(entry.path):
            continue
        text = facts.read(entry.path)
        if text is not None:
            yield from platforms.parse(text)


def variables(app: PlatformApp, image: BuiltImage) -> list[Variable]:
    """The image's variables, with what the platform sets."""
    found = [Variable(name=v.name, value=v.value, at=v.at, source="image") for v in image.image.env]
    found += [
        Variable(name=name, value=told.text, at=told.at, source="platform")
        for name, told in app.environment
        if name
    ]
    if app.sets_port and not any(v.name == "PORT" and v.source == "platform" for v in found):
        port = str(app.port or PLATFORM_PORT)
        found.append(Variable(name="PORT", value=port, at=app.at, source="platform"))
    return found


def published(app: PlatformApp) -> tuple[Published, ...]:
    """Where the platform sends requests; none where it looks for a port."""
    if app.finds_port or app.host:
        return ()
    at = app.port_at or app.at
    chosen = app.port is None
    return (
        Published(
            container_port=PLATFORM_PORT if app.port is None else app.port,
            host_port=None,
            host_ip=None,
            protocol="tcp",
            at=at,
            source="platform" if chosen else "routed",
        ),
    )


def found_port(service: Service, app: PlatformApp) -> Service:
    """A platform that looks for the port sends to the one that is served."""
    numbers = {item.port for item in service.listens}
    if not app.finds_port or len(numbers) != 1:
        return service
    port = next(iter(numbers))
    item = Published(
        container_port=port,
        host_port=None,
        host_ip=None,
        protocol="tcp",
        at=app.at,
        source="routed",
    )
    return replace(service, published=(item,))


def words(told: Told) -> tuple[tuple[str, Location], ...] | None:
    """A command line as words, without a shell; None when quotes are not closed."""
    import shlex

    try:
        found = shlex.split(told.text)
    except ValueError:
        return None
    return tuple((word, told.at) for word in found) or None


def line(told: Told) -> tuple[tuple[str, Location], ...]:
    """A command line that a shell reads."""
    return (("sh", told.at), ("-c", told.at), (told.text, told.at))


def recipe(app: PlatformApp, facts: Facts, path: str, python: str) -> SourceText | None:
    """A Dockerfile that does what the platform's buildpack does; None when that is not known.

    Its last instructions stand on the line of the file that tells them.
    """
    folder = app.sources or ""
    requirements = posixpath.join(folder, "requirements.txt")
    listed = facts.read(requirements) is not None
    if app.install is None and not listed:
        return None
    lines = [
        f"FROM python:{python}" if python else "FROM python",
        f"WORKDIR {app.workdir or '/app'}",
    ]
    if app.install is None:
        lines += ["COPY requirements.txt ./", "RUN pip install -r requirements.txt"]
        lines += [f"RUN pip install {name}" for name in app.brings]
        lines.append("COPY . .")
    else:
        lines += ["COPY . .", f"RUN {app.install.text}"]
    at = app.install.at.line if app.install is not None else app.at.line
    return SourceText(path, "\n" * max(at - len(lines), 0) + "\n".join(lines) + "\n")
