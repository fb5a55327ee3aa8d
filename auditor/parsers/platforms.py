"""What hosting platforms are told to run: fly.toml, render.yaml, app.yaml, railway.*, and others.

Every format says the same few things: what is built (a Dockerfile, or the sources by a buildpack),
the command, variables, and the port that requests are sent to. Parsers never raise; a value that a
template or the dashboard gives stays out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from auditor.source import Location, SourceText
from auditor.values import value

_DEPTH = 12
_ITEMS = 200


@value
class Told:
    """A text of the file, and where it stands."""

    text: str
    at: Location


@value
class PlatformApp:
    """One process that a platform serves.

    ``dockerfile`` is what is built (with its ``context``); None: ``sources`` are built by the
    platform's Python buildpack, with ``install`` as its command when the file gives one.
    ``command`` replaces the image's own and is split into words without a shell; ``line`` is given
    to a shell. ``port``: requests are sent there. ``sets_port``: ``$PORT`` is set, and what is asked;
    ``finds_port``: any port that the process opens will do.
    """

    platform: str
    name: str
    at: Location
    dockerfile: str | None = None
    context: str = ""
    sources: str | None = None
    install: Told | None = None
    python: str = ""
    command: Told | None = None
    target: str | None = None
    clears_entrypoint: bool = False
    line: Told | None = None
    environment: tuple[tuple[str, Told], ...] = ()
    port: int | None = None
    port_at: Location | None = None
    sets_port: bool = False
    finds_port: bool = False
    # No requests are sent to it: a worker.
    private: bool = False
    # Variables whose values are kept elsewhere.
    secrets: tuple[tuple[str, Location], ...] = ()
    # Distributions that the platform installs by itself.
    brings: tuple[str, ...] = ()
    workdir: str = ""
    # The path that the platform asks for, or the place that says it watches the process.
    health: Told | None = None
    # A packager's image: what it starts from, its system packages, requirements and files.
    base: str = ""
    system: tuple[str, ...] = ()
    requirements: Told | None = None
    packages: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class _Document:
    """TOML, YAML or JSON as plain data with the place of everything."""

    def __init__(self, data: Any, place: Callable[[tuple[str | int, ...]], Location]) -> None:
        self.data = data
        self._place = place

    def at(self, *path: str | int) -> Location:
        """Where the value at this path stands."""
        return self._place(path)

    def get(self, *path: str | int) -> Any:
        """The value at this path; None for none."""
        found = self.data
        for part in path:
            if isinstance(found, dict):
                found = found.get(part)
            elif isinstance(found, list) and isinstance(part, int) and part < len(found):
                found = found[part]
            else:
                return None
        return found

    def told(self, *path: str | int) -> Told | None:
        """A scalar as text; None where a template has still to give it."""
        found = self.get(*path)
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            return None
        text = str(found).strip()
        return None if not text or "{{" in text else Told(text=text, at=self.at(*path))

    def text(self, *path: str | int) -> str:
        """The same without its place; empty for none."""
        told = self.told(*path)
        return told.text if told is not None else ""

    def number(self, *path: str | int) -> int | None:
        """A port."""
        text = self.text(*path)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None

    def pairs(self, *path: str | int) -> tuple[tuple[str, Told], ...]:
        """The scalars of a table."""
        found = self.get(*path)
        named = (
            (str(key), self.told(*path, key)) for key in (found if isinstance(found, dict) else ())
        )
        return tuple((name, told) for name, told in named if told is not None)

    def items(self, *path: str | int) -> range:
        """The indexes of a list."""
        found = self.get(*path)
        return range(min(len(found), _ITEMS) if isinstance(found, list) else 0)


def _toml(source: SourceText) -> _Document | None:
    import tomllib

    from auditor.parsers.toml_index import TomlIndex

    try:
        data = tomllib.loads(source.text)
    except (ValueError, RecursionError):
        return None
    index = TomlIndex(source)
    return _Document(data, lambda path: index.location(*path))


def _yaml(source: SourceText) -> _Document | None:
    """Also JSON, which is YAML."""
    from auditor.parsers import yamldoc

    stream = yamldoc.parse(source)
    root = stream.documents[0] if stream.documents else None
    if not isinstance(root, yamldoc.Mapping):
        return None
    places: dict[tuple[str | int, ...], Location] = {}

    def plain(node: Any, path: tuple[str | int, ...]) -> Any:
        places[path] = node.at
        if len(path) > _DEPTH:
            return None
        if isinstance(node, yamldoc.Mapping):
            return {e.name: plain(e.value, (*path, e.name)) for e in node.entries[:_ITEMS]}
        if isinstance(node, yamldoc.Sequence):
            return [plain(item, (*path, n)) for n, item in enumerate(node.items[:_ITEMS])]
        return None if node.is_null or node.is_template else node.text

    data = plain(root, ())

    def place(path: tuple[str | int, ...]) -> Location:
        while path and path not in places:
            path = path[:-1]
        return places[path]

    return _Document(data, place)


def parse(source: SourceText) -> tuple[PlatformApp, ...]:
    """The processes that a platform's file describes; none for any other file."""
    name = posixpath.basename(source.path)
    known = _FORMATS.get(name)
    if known is None:
        return ()
    read, tell = known
    document = read(source)
    if document is None or not isinstance(document.data, dict):
        return ()
    return tuple(tell(document, posixpath.dirname(source.path)))


def is_platform_file(path: str) -> bool:
    """Whether a file of this name is one that :func:`parse` reads."""
    name = posixpath.basename(path)
    return name in _FORMATS


def _joined(folder: str, path: str) -> str:
    """A path of the file as one of the repository."""
    joined = posixpath.normpath(posixpath.join(folder, path.strip().lstrip("/") or "."))
    return "" if joined == "." else joined


def _fly(document: _Document, folder: str) -> Iterator[PlatformApp]:
    """Fly.io sends to ``internal_port`` (8080), sets no ``$PORT``, and splits commands itself."""
    if document.get("build", "image") is not None or document.get("build", "builder") is not None:
        return
    if not any(key in document.data for key in ("http_service", "services", "app", "build")):
        return
    dockerfile = _joined(folder, document.text("build", "dockerfile") or "Dockerfile")
    commands: dict[str, Told | None] = {**dict(document.pairs("processes"))}
    if not commands:
        commands["app"] = None
    routes: list[tuple[tuple[str | int, ...], tuple[str, ...]]] = []
    places: list[tuple[str | int, ...]] = [("services", n) for n in document.items("services")]
    if document.get("http_service") is not None:
        places.append(("http_service",))
    for place in places:
        wanted = document.get(*place, "processes")
        named = tuple(str(w) for w in wanted) if isinstance(wanted, list) else tuple(commands)
        routes.append((place, named))
    checks = (("checks", 0, "path"), ("http_checks", 0, "path"), ("tcp_checks", 0, "interval"))
    for process, command in commands.items():
        mine = [place for place, named in routes if process in named]
        if not mine:
            continue
        port = document.number(*mine[0], "internal_port")
        yield PlatformApp(
            platform="Fly.io",
            name=document.text("app") or "fly",
            at=document.at(*mine[0]),
            dockerfile=dockerfile,
            context=folder,
            command=command,
            environment=document.pairs("env"),
            port=8080 if port is None else port,
            port_at=document.at(*mine[0], "internal_port"),
            health=next(
                (t for p in checks if (t := document.told(*mine[0], *p)) is not None), None
            ),
        )


def _render(document: _Document, folder: str) -> Iterator[PlatformApp]:
    """Render sets ``$PORT`` (10000) and finds any port that is open on all interfaces."""
    for n in document.items("services"):
        place = ("services", n)
        if document.text(*place, "type") not in ("web", "pserv"):
            continue
        runtime = document.text(*place, "runtime") or document.text(*place, "env")
        root = _joined(folder, document.text(*place, "rootDir") or ".")
        environment = tuple(
            (document.text(*place, "envVars", m, "key"), told)
            for m in document.items(*place, "envVars")
            if (told := document.told(*place, "envVars", m, "value")) is not None
        )
        common: dict[str, Any] = {
            "platform": "Render",
            "name": document.text(*place, "name") or "web",
            "at": document.at(*place),
            "environment": environment,
            "sets_port": True,
            "finds_port": True,
            "health": document.told(*place, "healthCheckPath"),
        }
        if runtime == "docker":
            given = document.text(*place, "dockerfilePath") or "Dockerfile"
            yield PlatformApp(
                **common,
                dockerfile=_joined(root, given),
                context=_joined(root, document.text(*place, "dockerContext") or "."),
                command=document.told(*place, "dockerCommand"),
            )
        elif runtime in ("python", "python3"):
            yield PlatformApp(
                **common,
                sources=root,
                install=document.told(*place, "buildCommand"),
                python=dict(environment).get("PYTHON_VERSION", Told(text="", at=common["at"])).text,
                line=document.told(*place, "startCommand"),
                workdir="/opt/render/project/src",
            )


def _app_engine(document: _Document, folder: str) -> Iterator[PlatformApp]:
    """App Engine sends to 8080, which it also sets as ``$PORT``."""
    runtime = document.text("runtime")
    flexible = document.text("env") in ("flex", "flexible") or document.text("vm") == "true"
    common: dict[str, Any] = {
        "platform": "App Engine",
        "name": document.text("service") or "default",
        "at": document.at("runtime"),
        "environment": document.pairs("env_variables"),
        "port": 8080,
        "port_at": document.at("runtime"),
        "sets_port": True,
        "health": document.told("readiness_check", "path")
        or document.told("liveness_check", "path"),
    }
    entry = document.told("entrypoint")
    if runtime == "custom":
        yield PlatformApp(**common, dockerfile=_joined(folder, "Dockerfile"), context=folder)
    elif runtime.startswith("python") and not document.data.get("apiVersion"):
        digits = runtime.removeprefix("python")
        python = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 and digits.isdigit() else ""
        python = python or document.text("runtime_config", "runtime_version").rstrip(".x")
        if python.startswith("2") or (flexible and entry is None):
            return
        default = Told(text="gunicorn -b :$PORT main:app", at=document.at("runtime"))
        yield PlatformApp(
            **common,
            sources=folder,
            python=python,
            line=entry or default,
            brings=() if entry is not None else ("gunicorn",),
            workdir="/workspace",
        )


def _railway(document: _Document, folder: str) -> Iterator[PlatformApp]:
    """Railway sets ``$PORT`` and finds another; with a Dockerfile no shell reads the command."""
    if document.get("build") is None and document.get("deploy") is None:
        return
    builder = document.text("build", "builder").upper()
    start = document.told("deploy", "startCommand")
    given = document.text("build", "dockerfilePath")
    common: dict[str, Any] = {
        "platform": "Railway",
        "name": "railway",
        "at": start.at if start is not None else document.at("build"),
        "sets_port": True,
        "finds_port": True,
        "health": document.told("deploy", "healthcheckPath"),
    }
    if builder in ("NIXPACKS", "RAILPACK") and start is not None:
        yield PlatformApp(
            **common,
            sources=folder,
            install=document.told("build", "buildCommand"),
            line=start,
            workdir="/app",
        )
    elif builder in ("", "DOCKERFILE") and not (builder == "" and start is None):
        yield PlatformApp(
            **common,
            dockerfile=_joined(folder, given or "Dockerfile"),
            context=folder,
            command=start,
            clears_entrypoint=start is not None,
        )


def _heroku(document: _Document, folder: str) -> Iterator[PlatformApp]:
    """Heroku sends to the port that it gives in ``$PORT``, and runs commands in a shell."""
    built = document.told("build", "docker", "web")
    if built is None:
        return
    yield PlatformApp(
        platform="Heroku",
        name="web",
        at=built.at,
        dockerfile=_joined(folder, built.text),
        context=_joined(folder, posixpath.dirname(built.text)),
        line=document.told("run", "web"),
        environment=document.pairs("setup", "config"),
        sets_port=True,
    )


def _in_turn(document: _Document, *paths: tuple[str, ...]) -> Told | None:
    """The commands of these lists, one after the other."""
    found = [
        told
        for path in paths
        for n in document.items(*path)
        if (told := document.told(*path, n)) is not None
    ]
    return Told(text=" && ".join(t.text for t in found), at=found[0].at) if found else None


def _app_runner(document: _Document, folder: str) -> Iterator[PlatformApp]:
    """App Runner sends to ``network.port`` (8080); ``network.env`` names the variable that has it."""
    runtime = document.text("runtime")
    command = document.told("run", "command")
    if not runtime.startswith("python") or command is None:
        return
    port = document.number("run", "network", "port") or 8080
    port_at = document.at("run", "network", "port")
    environment = [
        (document.text("run", "env", n, "name"), told)
        for n in document.items("run", "env")
        if (told := document.told("run", "env", n, "value")) is not None
    ]
    variable = document.text("run", "network", "env")
    if variable:
        environment.append((variable, Told(text=str(port), at=port_at)))
    digits = runtime.removeprefix("python")
    yield PlatformApp(
        platform="App Runner",
        name="web",
        at=command.at,
        sources=folder,
        install=_in_turn(
            document, ("build", "commands", "build"), ("build", "commands"), ("run", "pre-run")
        ),
        secrets=tuple(
            (document.text("run", "secrets", n, "name"), document.at("run", "secrets", n))
            for n in document.items("run", "secrets")
        ),
        python=document.text("run", "runtime-version")
        or (f"3.{digits[1:]}" if len(digits) > 1 else ""),
        line=command,
        environment=tuple(environment),
        port=port,
        port_at=port_at,
        workdir="/app",
    )


_COPILOT = ("Load Balanced Web Service", "Request-Driven Web Service", "Backend Service")


def _copilot(document: _Document, folder: str) -> Iterator[PlatformApp]:
    """AWS Copilot: ``copilot/NAME/manifest.yml``; paths start where ``copilot`` lies.

    Its load balancer asks for ``/`` where no other path is given, and wants 200.
    """
    parent, name = posixpath.split(folder)
    top, copilot = posixpath.split(parent)
    kind = document.text("type")
    built = document.get("image", "build")
    if copilot != "copilot" or kind not in (*_COPILOT, "Worker Service") or built is None:
        return
    if isinstance(built, dict):
        given = document.text("image", "build", "dockerfile") or "Dockerfile"
        context = document.text("image", "build", "context") or posixpath.dirname(given)
    else:
        given = document.text("image", "build")
        context = posixpath.dirname(given)
    port = document.number("image", "port")
    health = document.told("http", "healthcheck") or document.told("http", "healthcheck", "path")
    if kind == _COPILOT[0] and health is None and document.get("http", "healthcheck") is None:
        health = Told(text="/", at=document.at("http"))
    secrets = document.get("secrets")
    yield PlatformApp(
        platform="Copilot",
        name=document.text("name") or name,
        at=document.at("image"),
        dockerfile=_joined(top, given),
        context=_joined(top, context or "."),
        target=document.text("image", "build", "target") or None,
        command=document.told("command") or _listed(document, "command"),
        environment=document.pairs("variables"),
        secrets=tuple(
            (str(key), document.at("secrets", key))
            for key in (secrets if isinstance(secrets, dict) else ())
        ),
        port=port,
        port_at=document.at("image", "port"),
        private=port is None,
        health=health,
    )


def _listed(document: _Document, *path: str | int) -> Told | None:
    """A list of words as a command line."""
    import shlex

    words = [document.text(*path, n) for n in document.items(*path)]
    return Told(text=shlex.join(words), at=document.at(*path)) if words else None


def _bento(document: _Document, folder: str) -> Iterator[PlatformApp]:
    """``bentoml build`` and ``containerize``: the service is asked on port 3000, as a user of its own."""
    service = document.told("service")
    docker = document.get("docker")
    custom = isinstance(docker, dict) and bool(
        {"dockerfile_template", "setup_script"} & set(docker)
    )
    if service is None or custom or document.get("conda") is not None:
        return

    def listed(*path: str | int) -> tuple[str, ...]:
        found = (document.text(*path, n) for n in document.items(*path))
        return tuple(text for text in found if text)

    yield PlatformApp(
        platform="BentoML",
        name=document.text("name") or service.text.rpartition(":")[2].lower(),
        at=service.at,
        sources=folder,
        python=document.text("docker", "python_version"),
        base=document.text("docker", "base_image"),
        system=listed("docker", "system_packages"),
        requirements=document.told("python", "requirements_txt"),
        packages=listed("python", "packages"),
        include=listed("include"),
        exclude=listed("exclude"),
        brings=("bentoml",),
        command=Told(text=f"bentoml serve {service.text}", at=service.at),
        port=3000,
        port_at=service.at,
        workdir="/home/bentoml/bento/src",
        health=Told(text="/readyz", at=service.at),
    )


_Reader = Callable[[SourceText], _Document | None]
_Teller = Callable[[_Document, str], Iterator[PlatformApp]]
_FORMATS: dict[str, tuple[_Reader, _Teller]] = {
    "fly.toml": (_toml, _fly),
    "render.yaml": (_yaml, _render),
    "render.yml": (_yaml, _render),
    "app.yaml": (_yaml, _app_engine),
    "app.yml": (_yaml, _app_engine),
    "railway.toml": (_toml, _railway),
    "railway.json": (_yaml, _railway),
    "heroku.yml": (_yaml, _heroku),
    "apprunner.yaml": (_yaml, _app_runner),
    "apprunner.yml": (_yaml, _app_runner),
    "manifest.yml": (_yaml, _copilot),
    "manifest.yaml": (_yaml, _copilot),
    "bentofile.yaml": (_yaml, _bento),
    "bentofile.yml": (_yaml, _bento),
}
