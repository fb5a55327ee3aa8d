"""Processes that a hosting platform starts from this repository."""

from __future__ import annotations

import json
import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from auditor.deployment.model import BuiltImage, HealthCheck, Published, Service, Variable
from auditor.source import Location, SourceText, Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.deployment.facts import Facts
    from auditor.parsers.platforms import PlatformApp, Told

# The port that a platform chooses; no server takes it by itself.
PLATFORM_PORT = 47_329
_MAX_SIZE = 200_000
_MANY = 400  # files that a bento's image is told one by one


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
    found += [
        Variable(name=name, value=Unknown("it is a secret"), at=at, source="platform")
        for name, at in app.secrets
        if name
    ]
    if app.sets_port and not any(v.name == "PORT" and v.source == "platform" for v in found):
        port = str(app.port or PLATFORM_PORT)
        found.append(Variable(name="PORT", value=port, at=app.at, source="platform"))
    return found


def published(app: PlatformApp) -> tuple[Published, ...]:
    """Where the platform sends requests; none where it looks for a port."""
    if app.finds_port or app.private:
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


def health(app: PlatformApp) -> tuple[HealthCheck, ...]:
    """What the platform asks to see whether the process is well."""
    if app.health is None:
        return ()
    path = app.health.text if app.health.text.startswith("/") else None
    if app.platform == "BentoML":
        path = None  # the server answers that itself
    return (
        HealthCheck(
            at=app.health.at, source="platform", host="localhost", port=app.port, path=path
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
    asked = tuple(
        replace(check, port=port) if isinstance(port, int) and check.path is not None else check
        for check in service.health
    )
    return replace(service, published=(item,), health=asked)


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
    if app.platform == "BentoML":
        lines = _bento(app, facts, folder)
    elif app.install is not None:
        lines = ["COPY . .", f"RUN {app.install.text}"]
    elif facts.read(posixpath.join(folder, "requirements.txt")) is not None:
        lines = ["COPY requirements.txt ./", "RUN pip install -r requirements.txt"]
        lines += [f"RUN pip install {name}" for name in app.brings]
        lines.append("COPY . .")
    else:
        return None
    tag = f":{python}" if python else ""
    base = app.base or (
        f"python{tag}-slim" if tag and app.platform == "BentoML" else f"python{tag}"
    )
    lines = [f"FROM {base}", f"WORKDIR {app.workdir or '/app'}", *lines]
    at = app.install.at.line if app.install is not None else app.at.line
    return SourceText(path, "\n" * max(at - len(lines), 0) + "\n".join(lines) + "\n")


def _bento(app: PlatformApp, facts: Facts, folder: str) -> list[str]:
    """The image of a bento: its own account, its packages, and the files that it includes."""
    lines = [
        "RUN useradd --create-home --uid 1034 bentoml",
        "RUN mkdir -p . && chown -R bentoml:bentoml .",
    ]
    if app.system:
        lines.append(f"RUN apt-get update && apt-get install -y {' '.join(app.system)}")
    quoted = " ".join(f"'{name}'" for name in (*app.brings, *app.packages))
    lines.append(f"RUN pip install {quoted}")
    if app.requirements is not None:
        listed = posixpath.normpath(app.requirements.text)
        lines += [f"COPY {listed} ./{listed}", f"RUN pip install -r {listed}"]
    for directory, names in _included(app, facts, folder).items():
        place = f"./{directory}/" if directory else "./"
        lines.append(f"COPY --chown=bentoml:bentoml {json.dumps([*names, place])}")
    lines.append("USER bentoml")
    return lines


def _included(app: PlatformApp, facts: Facts, folder: str) -> dict[str, list[str]]:
    """The files of a bento by directory; everything as one where they are many."""
    start = f"{folder}/" if folder else ""
    inside = [
        entry.path[len(start) :]
        for entry in facts.repository.entries
        if entry.path.startswith(start) and not entry.path.startswith(".git/")
    ]
    if not app.include and not app.exclude:
        return {"": ["."]}
    if len(inside) > _MANY:
        return {"": ["."]}
    found: dict[str, list[str]] = {}
    for path in inside:
        wanted = not app.include or any(_picked(pattern, path) for pattern in app.include)
        if wanted and not any(_picked(pattern, path) for pattern in app.exclude):
            found.setdefault(posixpath.dirname(path), []).append(path)
    return found


def _picked(pattern: str, path: str) -> bool:
    """A pattern as in a ``.gitignore``: by name at any depth, or from the top with a slash."""
    text = pattern.strip().removeprefix("./")
    anchored = "/" in text.rstrip("/")
    text = text.strip("/")
    if not text or text in (".", "*", "**"):
        return True
    parts = path.split("/")
    heads = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    if anchored:
        plain = text.replace("**/", "").replace("/**", "/*")
        return any(fnmatchcase(head, text) or fnmatchcase(head, plain) for head in heads)
    return any(fnmatchcase(part, text) for part in parts)
