"""What a command line means, as typed facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Literal, TypeAlias

from auditor.parsers.shell.expansion import Env, Value
from auditor.parsers.shell.facts import Arg, Command, Script
from auditor.source import Location, Unknown
from auditor.values import field, value


@value
class Wrapper:
    """A program that runs another one: ``tini``, ``gosu``, ``env``, ``poetry run``, and the like.

    ``init``: reaps children and forwards signals. ``replaces``: execs its child, leaving no
    process behind. ``user``, ``cwd`` and ``env`` are what it sets for the child.
    """

    name: str
    at: Location
    init: bool = False
    replaces: bool = True
    user: Value | None = None
    cwd: Value | None = None
    env: tuple[tuple[str, Value], ...] = ()
    # Environment manager that it enters: ("conda", "ml"), ("poetry", None), …
    environment: tuple[str, Value | None] | None = None


@value
class Option:
    """An option given: canonical ``name``, the flag as written, its value (True for a switch)."""

    name: str
    value: Value | bool
    at: Location
    flag: str = ""
    # "argv", or the name of the environment variable or file that it was read from.
    source: str = "argv"
    # Known and unknown parts of the word, when ``value`` is Unknown as a whole.
    pieces: tuple[Value, ...] = ()


ALL_INTERFACES = frozenset({"0.0.0.0", "::", "[::]", "*", "", "0"})


@value
class Bind:
    """One address a server listens on. ``None`` host or port: not said here (default applies).

    ``source`` is "argv", "default", or the environment variable or file that decided.
    """

    host: Value | None = None
    port: Value | None = None
    unix: Value | None = None
    fd: Value | None = None
    at: Location
    source: str = "argv"
    protocol: str = "http"

    @property
    def loopback(self) -> bool | None:
        """Whether only the container itself can connect; None when the host is not known."""
        if not isinstance(self.host, str):
            return None
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return None if self.host not in ALL_INTERFACES else False

    @property
    def all_interfaces(self) -> bool | None:
        """Whether it listens on every address; None when the host is not known."""
        return self.host in ALL_INTERFACES if isinstance(self.host, str) else None

    @property
    def number(self) -> int | None:
        """The port as a number, if it is one."""
        if isinstance(self.port, str) and self.port.isascii() and self.port.isdigit():
            return int(self.port)
        return None


@value
class AppSpec:
    """``module:attribute`` as the server takes it; ``path`` instead for a file path."""

    raw: Value
    at: Location
    module: str | None = None
    attribute: str | None = None
    path: str | None = None
    factory: bool = False


@value
class ServerStart:
    """Starts a server. ``kind`` is a key of ``servers.toml`` (``uvicorn``, ``gunicorn``, …).

    ``binds`` are those on the command line; empty when the defaults (or environment, or a
    configuration file) decide: then see :meth:`listens`. ``args`` are the words after the app.
    ``opaque``: a word such as ``$OPTIONS`` may hold options that nobody can see.
    ``script`` is the file served, where the tool takes one (``streamlit run app.py``).
    """

    kind: str
    at: Location
    argv: tuple[Arg, ...]
    app: AppSpec | None = None
    app_dir: Value | None = None
    binds: tuple[Bind, ...] = ()
    options: tuple[Option, ...] = ()
    args: tuple[Arg, ...] = ()
    default_host: str | None = None
    default_port: int | None = None
    # Environment variables that change the defaults: (variable, canonical option).
    env_options: tuple[tuple[str, str], ...] = ()
    version: str = ""
    config_file: str | None = None
    script: Arg | None = None
    opaque: Unknown | None = None

    def option(self, name: str) -> Option | None:
        """The option by canonical name (the last one given wins)."""
        return next((o for o in reversed(self.options) if o.name == name), None)

    def value(self, name: str) -> Value | bool | None:
        """The value of :meth:`option`."""
        found = self.option(name)
        return None if found is None else found.value

    def effective(
        self, name: str, *, env: Env | None = None, config: Iterable[Option] = ()
    ) -> Option | None:
        """The option that decides: command line, environment and ``config`` (options read from a
        configuration file) in the order in which the tool heeds them. None: its own default.
        """
        from auditor.parsers.commands.servers import effective

        return effective(self, name, env or {}, tuple(config))

    def listens(self, *, env: Env | None = None, config: Iterable[Option] = ()) -> tuple[Bind, ...]:
        """The addresses it binds, defaults included; empty for one that serves no port."""
        from auditor.parsers.commands.servers import listens

        return listens(self, env or {}, tuple(config))


@value
class PythonRun:
    """Runs Python on a script, ``-m`` module, ``-c`` code or (all None) nothing named."""

    at: Location
    interpreter: Value
    argv: tuple[Arg, ...]
    script: Arg | None = None
    module: Arg | None = None
    code: Arg | None = None
    flags: tuple[str, ...] = ()
    args: tuple[Arg, ...] = ()


@value
class PipInstall:
    """Installs Python distributions. ``tool`` is ``pip``, ``uv``, ``poetry``, ``conda``, ….

    ``action``: ``install``, ``sync`` (from the project's lock), ``export``, ``wheel``,
    ``download``, ``uninstall``, ``env-create``, ``env-update``, ``lock``.
    """

    tool: str
    action: str
    at: Location
    argv: tuple[Arg, ...]
    requirements: tuple[Arg, ...] = ()  # inline: "numpy==1.26.4"
    requirement_files: tuple[Arg, ...] = ()  # -r
    constraint_files: tuple[Arg, ...] = ()  # -c
    editable: tuple[Arg, ...] = ()
    local_paths: tuple[Arg, ...] = ()  # ".", "./dist/x.whl", ".[api]"
    index_urls: tuple[Option, ...] = ()  # names: index-url, extra-index-url, find-links, …
    trusted_hosts: tuple[Arg, ...] = ()
    no_index: bool = False
    no_deps: bool = False
    require_hashes: bool = False
    upgrade: bool = False
    pre: bool = False
    user: bool = False
    target: Value | None = None
    prefix: Value | None = None
    # The interpreter or environment installed into, when the command line says it.
    python: Value | None = None
    system: bool = False
    groups: tuple[Value, ...] = ()
    only_groups: tuple[Value, ...] = ()
    without_groups: tuple[Value, ...] = ()
    extras: tuple[Value, ...] = ()
    all_extras: bool = False
    dev: bool | None = None
    no_root: bool = False
    frozen: bool = False
    locked: bool = False
    output: Value | None = None
    channels: tuple[Arg, ...] = ()
    no_cache: bool = False
    options: tuple[Option, ...] = ()


@value
class Package:
    """A system package as asked for: ``name`` with ``version`` (``=1.2``, ``>1``) if pinned."""

    name: Value
    at: Location
    version: str | None = None


@value
class SystemInstall:
    """``manager``: apt, apk, dnf, yum, microdnf, zypper, pacman, dpkg, rpm.

    ``action``: install, remove, purge, autoremove, update, upgrade, clean.
    """

    manager: str
    action: str
    at: Location
    argv: tuple[Arg, ...]
    packages: tuple[Package, ...] = ()
    files: tuple[Arg, ...] = ()  # local .deb/.rpm/.apk
    recommends: bool = True
    updates_lists: bool = False
    assume_yes: bool = False
    virtual: Value | None = None
    release: Value | None = None


@value
class Download:
    """Fetches something from the network. ``output`` None: named after the source, in the cwd."""

    tool: str
    at: Location
    argv: tuple[Arg, ...]
    source: Arg | None = None
    output: Value | None = None
    directory: Value | None = None
    to_stdout: bool = False
    revision: Value | None = None


@value
class FileOp:
    """mkdir, cp, mv, rm, ln, chmod, chown, touch, install, useradd, adduser, groupadd, tar, unzip.

    ``sources`` are the paths read (or changed), ``target`` the one made. ``mode``/``owner`` for
    chmod/chown; ``user`` for useradd and adduser with ``target`` its home, if said.
    """

    op: str
    at: Location
    argv: tuple[Arg, ...]
    sources: tuple[Arg, ...] = ()
    target: Arg | None = None
    recursive: bool = False
    mode: Value | None = None
    owner: Value | None = None
    user: Value | None = None


@value
class Venv:
    """Makes a virtual or conda environment: ``python -m venv``, ``virtualenv``, ``uv venv``."""

    tool: str
    at: Location
    path: Value | None = None
    python: Value | None = None
    system_site_packages: bool = False


@value
class ShellRun:
    """A shell started on a ``script`` file or on a text (``program``: ``sh -c``, ``eval``)."""

    shell: Value
    at: Location
    script: Arg | None = None
    program: Script | None = None
    args: tuple[Arg, ...] = ()
    login: bool = False


@value
class Other:
    """Any other program; ``program`` is its base name."""

    program: Value
    at: Location
    argv: tuple[Arg, ...] = ()


Fact: TypeAlias = (
    ServerStart
    | PythonRun
    | PipInstall
    | SystemInstall
    | Download
    | FileOp
    | Venv
    | ShellRun
    | Other
)


@value
class Interpretation:
    """A command line taken apart. ``argv`` is what is left after the wrappers."""

    fact: Fact
    argv: tuple[Arg, ...]
    wrappers: tuple[Wrapper, ...] = ()
    # The command it came from, where it came from a script.
    command: Command | None = None
    env: Mapping[str, Value | None] = field(default_factory=dict, compare=False)
    cwd: Value = "/"


@value
class MainProcess:
    """A process that ends up running in the container.

    ``shell_is_pid1``: a shell stays in front of it and swallows SIGTERM. ``init``: there is a
    proper init. ``through`` are the script files passed on the way.
    """

    interpretation: Interpretation
    shell_is_pid1: bool = False
    init: bool = False
    conditional: bool = False
    background: bool = False
    through: tuple[Location, ...] = ()

    kind: Literal["main"] = "main"
