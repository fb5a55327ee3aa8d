"""Compose files as Compose itself reads them: interpolated, merged, extended, typed.

Follows the Compose Specification; what depends on the host (a variable that nothing sets, a
file that is not in the repository) is ``Unknown`` or a fact of its own, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, TypeVar

from auditor import lazy_re as re
from auditor.parsers import dotenv, yamldoc
from auditor.parsers.dotenv import HOLE, DotenvFacts, Lookup, interpolate
from auditor.source import Location, Problem, SourceText, Unknown
from auditor.values import replace, value


class ProjectFiles(Protocol):
    """What a project may ask about other files; ``discovery.Repository`` is one."""

    def is_file(self, path: str) -> bool: ...
    def is_dir(self, path: str) -> bool: ...
    def ignored_exists(self, path: str) -> bool: ...
    def read_text(self, path: str) -> SourceText: ...


@value
class Text:
    """A scalar after interpolation. ``raw`` is as written; ``blank`` reads unset variables as "".

    ``holed`` has ``HOLE`` for each of them.
    """

    value: str | Unknown
    at: Location
    raw: str
    blank: str
    holed: str = ""


@value
class VariableUse:
    """One ``${NAME…}``. ``source``: what gave its value."""

    name: str
    at: Location
    source: Literal["env-file", "default", "unset", "required"]
    default: str | None = None
    # The text of ``${NAME:?text}``.
    error: str | None = None


@value
class ComposePath:
    """A path of the host. ``path`` is relative to the audited root, POSIX.

    It is None when the path is absolute, in a home directory, a URL, outside the root, or unknown.
    """

    raw: Text
    path: str | None
    at: Location


@value
class ComposeBuild:
    """``context`` is None for a remote or unknown one (see ``context_text``)."""

    at: Location
    context: str | None
    context_text: Text | None
    dockerfile: Text | None = None
    # The Dockerfile relative to the audited root; None when unknown, inline or remote.
    dockerfile_path: str | None = None
    dockerfile_inline: Text | None = None
    target: Text | None = None
    # Values are None where the host's environment gives them.
    args: tuple[EnvironmentVariable, ...] = ()
    additional_contexts: tuple[tuple[str, ComposePath], ...] = ()
    platforms: tuple[Text, ...] = ()
    network: Text | None = None


@value
class EnvironmentVariable:
    """``value`` is None when Compose takes it from the host's environment."""

    name: str
    value: str | Unknown | None
    at: Location
    # The env_file it came from; None for ``environment:`` and ``args:`` themselves.
    env_file: str | None = None


@value
class ComposeCommand:
    """``command`` or ``entrypoint``. ``words`` is what is executed; empty clears the image's.

    A string is split as a POSIX shell would split words; Compose starts no shell.
    """

    at: Location
    words: tuple[Text, ...] | Unknown
    # Written as a string (``text``) rather than as a list.
    is_string: bool = False
    text: Text | None = None


@value
class PortRange:
    """Inclusive; ``first == last`` for a single port."""

    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@value
class ComposePort:
    """One published port (or range). ``published`` None: the engine picks one."""

    at: Location
    target: PortRange | Unknown
    published: PortRange | Unknown | None = None
    host_ip: str | Unknown | None = None
    protocol: str | Unknown = "tcp"
    mode: str = "ingress"
    raw: str = ""


@value
class ComposeVolume:
    """One mount. ``type`` is bind, volume, tmpfs, npipe, cluster or image."""

    at: Location
    type: str
    # As written (after interpolation); None for an anonymous volume or tmpfs.
    source: Text | None
    target: str | Unknown
    # For a bind inside the audited root: its path there.
    path: str | None = None
    read_only: bool = False
    # ``create_host_path: false`` makes a missing source an error instead of an empty directory.
    create_host_path: bool = True
    subpath: str | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.type == "volume" and self.source is None


@value
class ComposeEnvFile:
    at: Location
    file: ComposePath
    required: bool = True
    # ``missing`` is a file that nobody has; ``ignored`` exists here but git ignores it.
    state: Literal["present", "missing", "ignored", "unknown"] = "unknown"


@value
class ComposeHealthcheck:
    """``form``: how ``test`` runs. ``inherit`` keeps the image's own test."""

    at: Location
    form: Literal["none", "exec", "shell", "inherit", "unknown"]
    words: tuple[Text, ...] = ()
    # The command line of the shell form.
    shell: Text | None = None
    interval: Text | None = None
    timeout: Text | None = None
    retries: Text | None = None
    start_period: Text | None = None
    start_interval: Text | None = None

    @property
    def disabled(self) -> bool:
        return self.form == "none"


@value
class ComposeDependency:
    service: str
    at: Location
    condition: str = "service_started"
    required: bool = True
    restart: bool = False


@value
class ComposeResources:
    at: Location
    cpus: Text | None = None
    memory: Text | None = None
    pids: Text | None = None
    # Devices reserved, by capability ("gpu").
    devices: tuple[str, ...] = ()


@value
class ComposeUpdate:
    """``update_config`` or ``rollback_config``."""

    at: Location
    order: Text | None = None
    parallelism: Text | None = None
    delay: Text | None = None
    failure_action: Text | None = None


@value
class ComposeRestartPolicy:
    at: Location
    condition: Text | None = None
    delay: Text | None = None
    max_attempts: Text | None = None


@value
class ComposeDeploy:
    at: Location
    mode: Text | None = None
    # ``vip`` or ``dnsrr``, which a swarm gives no published port of its own.
    endpoint_mode: Text | None = None
    replicas: Text | None = None
    restart_policy: ComposeRestartPolicy | None = None
    limits: ComposeResources | None = None
    reservations: ComposeResources | None = None
    update_config: ComposeUpdate | None = None
    rollback_config: ComposeUpdate | None = None
    labels: tuple[EnvironmentVariable, ...] = ()


@value
class ComposeLogging:
    at: Location
    driver: Text | None = None
    options: tuple[tuple[str, Text], ...] = ()
    # Options written beside ``driver`` instead of under ``options``: Compose rejects them.
    misplaced: tuple[Text, ...] = ()

    def option(self, name: str) -> Text | None:
        return next((value for key, value in self.options if key == name), None)


@value
class ComposeNetworkUse:
    name: str
    at: Location
    aliases: tuple[str, ...] = ()


@value
class ComposeFileUse:
    """A service's use of a secret or config. ``target`` is where it is mounted."""

    source: str
    at: Location
    target: str | Unknown


@value
class ComposeWatch:
    at: Location
    action: str
    source: ComposePath
    target: Text | None = None


@value
class ComposeService:
    """One service after merging. ``at`` is its key in the first file that has it."""

    name: str
    at: Location
    build: ComposeBuild | None = None
    image: Text | None = None
    command: ComposeCommand | None = None
    entrypoint: ComposeCommand | None = None
    ports: tuple[ComposePort, ...] = ()
    expose: tuple[ComposePort, ...] = ()
    volumes: tuple[ComposeVolume, ...] = ()
    # ``environment:`` laid over the env files, as the container sees it.
    environment: tuple[EnvironmentVariable, ...] = ()
    env_files: tuple[ComposeEnvFile, ...] = ()
    working_dir: Text | None = None
    user: Text | None = None
    healthcheck: ComposeHealthcheck | None = None
    depends_on: tuple[ComposeDependency, ...] = ()
    restart: Text | None = None
    deploy: ComposeDeploy | None = None
    # ``gpus`` or ``runtime: nvidia``.
    gpu: bool = False
    mem_limit: Text | None = None
    cpus: Text | None = None
    pids_limit: Text | None = None
    logging: ComposeLogging | None = None
    networks: tuple[ComposeNetworkUse, ...] = ()
    network_mode: Text | None = None
    profiles: tuple[Text, ...] = ()
    read_only: bool = False
    tmpfs: tuple[Text, ...] = ()
    stop_grace_period: Text | None = None
    stop_signal: Text | None = None
    init: bool = False
    scale: Text | None = None
    watch: tuple[ComposeWatch, ...] = ()
    secrets: tuple[ComposeFileUse, ...] = ()
    configs: tuple[ComposeFileUse, ...] = ()
    platform: Text | None = None
    privileged: bool = False
    labels: tuple[EnvironmentVariable, ...] = ()
    cap_add: tuple[Text, ...] = ()
    security_opt: tuple[Text, ...] = ()
    container_name: Text | None = None
    hostname: Text | None = None
    links: tuple[Text, ...] = ()
    extra_hosts: tuple[Text, ...] = ()
    # Service keys that are none (nor ``x-``), with where they stand.
    unknown_keys: tuple[tuple[str, Location], ...] = ()

    @property
    def only_built(self) -> bool:
        """Nothing says how it runs: it stands here for its image to be built and named."""
        bare = ComposeService(
            name=self.name,
            at=self.at,
            build=self.build,
            image=self.image,
            platform=self.platform,
            labels=self.labels,
        )
        return self.build is not None and self == bare

    def variable(self, name: str) -> EnvironmentVariable | None:
        """The variable as the container sees it, or None."""
        return next((v for v in self.environment if v.name == name), None)


@value
class ComposeResource:
    """A top-level volume, network, secret or config."""

    name: str
    at: Location
    kind: Literal["volume", "network", "secret", "config"]
    external: bool = False
    driver: Text | None = None
    # Secrets and configs: the file they hold.
    file: ComposePath | None = None
    # A volume of the local driver that binds a host directory (``driver_opts: {o: bind}``).
    device: ComposePath | None = None
    internal: bool = False


@value
class ComposeProject:
    """What ``docker compose -f FILE…`` would run. ``files`` are in the order given."""

    name: str | Unknown | None
    # Relative to the audited root; "" is the root itself.
    directory: str
    files: tuple[str, ...]
    services: tuple[ComposeService, ...] = ()
    volumes: tuple[ComposeResource, ...] = ()
    networks: tuple[ComposeResource, ...] = ()
    secrets: tuple[ComposeResource, ...] = ()
    configs: tuple[ComposeResource, ...] = ()
    variables: tuple[VariableUse, ...] = ()
    # Values that are not known: a ``.env`` on this disk that git ignores, or an ``--env-file`` that
    # only the caller names.
    ignored_env: bool = False
    # Further files that took part: included, extended from, env files.
    others: tuple[str, ...] = ()
    # Those of them whose services all belong to this project (``include``).
    included: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    # What Compose refuses, and with it the whole project.
    refused: tuple[Problem, ...] = ()
    is_dev: bool = False

    def service(self, name: str) -> ComposeService | None:
        return next((s for s in self.services if s.name == name), None)


@value
class ComposeFileSet:
    """Files that are used together in one invocation."""

    files: tuple[str, ...]
    is_dev: bool = False
    # What ``docker compose up`` takes without ``-f``.
    is_default: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DEFAULT_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_DEV_WORDS = _words(
    "dev devel develop development test tests testing local debug ci docs example sample "
    "override devcontainer"
)


def file_sets(paths: Iterable[str]) -> tuple[ComposeFileSet, ...]:
    """Group compose file paths of a repository into the invocations they are meant for.

    Per directory: what ``docker compose up`` takes by itself, without the override file (which
    is for development) and with it; then each further file (``docker-compose.prod.yml``) laid
    over the default one when that exists. ``load`` tells whether a further file stands alone.
    """
    directories: dict[str, set[str]] = {}
    for path in paths:
        directory, _, name = path.rpartition("/")
        directories.setdefault(directory, set()).add(name)
    sets: list[ComposeFileSet] = []
    for directory, names in sorted(directories.items()):
        prefix = directory + "/" if directory else ""
        base = next((name for name in _DEFAULT_NAMES if name in names), None)
        override = next((name for name in _OVERRIDE_NAMES if name in names), None)
        if base is not None:
            sets.append(ComposeFileSet(files=(prefix + base,), is_default=override is None))
            if override is not None:
                files = (prefix + base, prefix + override)
                sets.append(ComposeFileSet(files=files, is_dev=True, is_default=True))
        for name in sorted(names):
            if name in (base, override) or name in _DEFAULT_NAMES or name in _OVERRIDE_NAMES:
                continue
            words = name.lower().replace("-", ".").replace("_", ".").split(".")
            is_dev = not _DEV_WORDS.isdisjoint(words)
            first = (prefix + base,) if base is not None else ()
            sets.append(ComposeFileSet(files=(*first, prefix + name), is_dev=is_dev))
    return tuple(sets)


def lies_over(text: str, base: str, own: str) -> bool:
    """Whether a text gives one Compose file after another one (``-f BASE -f OWN``)."""
    first, second = (re.escape(path.rpartition("/")[2]) for path in (base, own))
    option = r"(?:[\s\\]+(?:-f|--file)[ =]|[:;])"
    return re.search(rf"{first}['\"]?{option}['\"]?(?:[\w.-]+/)*{second}\b", text) is not None


def stands_alone(source: SourceText) -> bool:
    """Whether every service of the file says what it runs, so that it needs no file before it."""
    document = _document(yamldoc.parse(source))
    services = document.get("services") if isinstance(document, yamldoc.Mapping) else None
    if not isinstance(services, yamldoc.Mapping) or not services.entries:
        return False
    return all(
        isinstance(entry.value, yamldoc.Mapping) and _says_what_runs(entry.value)
        for entry in services.entries
    )


def _says_what_runs(service: yamldoc.Mapping) -> bool:
    """An image, another service, or where the image is built: not only how (``args:``)."""
    build = service.entry("build")
    if build is not None and isinstance(build.value, yamldoc.Mapping):
        keys = ("context", "dockerfile", "dockerfile_inline")
        if any(build.value.entry(key) for key in keys):
            return True
        build = None
    return build is not None or any(service.entry(key) for key in ("image", "extends"))


def load(
    files: Sequence[SourceText],
    project: ProjectFiles,
    *,
    directory: str | None = None,
    env_files: Sequence[str] = (),
    is_dev: bool = False,
) -> ComposeProject:
    """Read and merge ``files`` in order; never raises on bad content.

    ``directory`` is the project directory, by default that of the first file; ``env_files`` are
    given with ``--env-file``, relative to it.
    """
    if directory is None:
        directory = files[0].path.rpartition("/")[0] if files else ""
    loader = _Loader(project, directory, env_files)
    model = loader.load_all(files, directory, loader.env)
    return _Typer(loader, model, directory, files, is_dev).project()


# --- the tree between YAML and types -----------------------------------------
#
# Interpolated values with their place and the directory that relative paths in them start
# from. Merging works on this tree, because Compose merges before it types.


class _S:
    """A scalar; ``text`` may hold ``HOLE``; ``null`` for YAML's null."""

    __slots__ = ("at", "base", "blank", "null", "raw", "style", "tag", "text")

    def __init__(
        self,
        text: str,
        at: Location,
        base: str,
        *,
        raw: str | None = None,
        blank: str | None = None,
        null: bool = False,
        tag: str | None = None,
        style: str = "plain",
    ) -> None:
        self.text = text
        self.at = at
        self.base = base
        self.raw = text if raw is None else raw
        self.blank = text if blank is None else blank
        self.null = null
        self.tag = tag
        self.style = style


class _M:
    """A mapping: name to (place of the key, value)."""

    __slots__ = ("at", "base", "items", "tag")

    def __init__(
        self,
        at: Location,
        base: str,
        items: dict[str, tuple[Location, _N]] | None = None,
        tag: str | None = None,
    ) -> None:
        self.at = at
        self.base = base
        self.items: dict[str, tuple[Location, _N]] = {} if items is None else items
        self.tag = tag

    def get(self, name: str) -> _N | None:
        found = self.items.get(name)
        return None if found is None else found[1]


class _L:
    __slots__ = ("at", "base", "items", "tag")

    def __init__(self, at: Location, base: str, items: list[_N], tag: str | None = None) -> None:
        self.at = at
        self.base = base
        self.items = items
        self.tag = tag


class _T:
    """An item that was typed before merging; ``key`` decides which items are the same."""

    __slots__ = ("at", "base", "key", "tag", "value")

    def __init__(self, value: Any, key: str, at: Location, base: str) -> None:
        self.value = value
        self.key = key
        self.at = at
        self.base = base
        self.tag: str | None = None


_N = _S | _M | _L | _T

SERVICE_KEYS = _words(
    "annotations attach build blkio_config cap_add cap_drop cgroup cgroup_parent command "
    "configs container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period "
    "cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy develop "
    "device_cgroup_rules devices dns dns_opt dns_search domainname driver_opts entrypoint "
    "env_file environment expose extends external_links extra_hosts gpus group_add healthcheck "
    "hostname image init ipc isolation label_file labels links logging mac_address mem_limit "
    "mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable "
    "oom_score_adj pid pids_limit platform ports post_start pre_start pre_stop privileged profiles "
    "provider pull_policy pull_refresh_after read_only restart runtime scale secrets "
    "security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs "
    "tty ulimits use_api_socket user userns_mode uts volume_driver volumes volumes_from "
    "working_dir"
)
_KEY_VALUE = frozenset(("environment", "labels", "sysctls", "annotations", "extra_hosts"))
_STRING_LISTS = frozenset(("dns", "dns_search", "tmpfs", "label_file"))
# Lists whose items are kept once.
_UNIQUE = _words(
    "expose dns dns_search tmpfs env_file security_opt cap_add cap_drop external_links links "
    "profiles group_add label_file dns_opt devices volumes_from"
)
_REPLACED = frozenset(("command", "entrypoint", "test"))
_MAX_WORK = 300_000
_MAX_FILES = 100


def _document(stream: yamldoc.YamlStream) -> yamldoc.Node | None:
    return stream.documents[0] if stream.documents else None


def _resolve(base: str, path: str) -> str | None:
    """A relative path of the host, from ``base``, relative to the audited root; None if outside."""
    if not path or path.startswith(("/", "~", "\\")) or HOLE in path or path[1:2] == ":":
        return None
    parts = [part for part in base.split("/") if part]
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part and part != ".":
            parts.append(part)
    return "/".join(parts)


class _Loader:
    """Files to one merged tree: interpolation, canonical forms, extends, include, merge."""

    def __init__(
        self, project: ProjectFiles, directory: str, env_files: Sequence[str] = ()
    ) -> None:
        self.files = project
        self.problems: list[Problem] = []
        self.refused: list[Problem] = []
        self.uses: list[VariableUse] = []
        self.others: list[str] = []
        self.taken: list[str] = []
        self.work = 0
        self.parsed: dict[tuple[str, str], _M | None] = {}
        self.reading: set[tuple[str, str]] = set()
        self.dotenvs: dict[str, DotenvFacts] = {}
        self.ignored_env = False
        self.env = self.dotenv_values(directory, [".env", *env_files], {})

    def problem(self, at: Location, message: str, fatal: bool = False) -> None:
        if len(self.problems) < 200:
            self.problems.append(Problem(at=at, message=message, fatal=fatal))

    def refuse(self, at: Location, message: str) -> None:
        """A value of a type that Compose's schema does not admit."""
        if len(self.refused) < 50:
            self.refused.append(Problem(at=at, message=message))
        self.problem(at, message)

    def other(self, path: str) -> None:
        if path not in self.others:
            self.others.append(path)

    def dotenv_values(
        self, base: str, names: Sequence[str], outer: dict[str, str | Unknown | None]
    ) -> dict[str, str | Unknown | None]:
        values: dict[str, str | Unknown | None] = {}
        for name in names:
            path = _resolve(base, name)
            if path is None:
                continue
            if self.files.is_file(path):
                self.other(path)
                facts = self.dotenv(path, lambda n: outer.get(n))
                values.update(facts.values())
            elif self.files.ignored_exists(path):
                self.ignored_env = True
        values.update({k: v for k, v in outer.items() if v is not None})
        return values

    def dotenv(self, path: str, lookup: Lookup) -> DotenvFacts:
        known = self.dotenvs.get(path)
        if known is None:
            known = dotenv.parse(self.files.read_text(path), lookup=lookup)
            self.dotenvs[path] = known
            self.problems += known.problems
        return known

    # -- reading one file --

    def load_all(
        self, sources: Sequence[SourceText], base: str, env: dict[str, str | Unknown | None]
    ) -> _M:
        merged: _M | None = None
        for source in sources:
            model = self.load_file(source, base, env)
            if model is not None:
                merged = model if merged is None else self.merge_top(merged, model)
        return merged or _M(Location(sources[0].path if sources else "."), base)

    def load_file(
        self, source: SourceText, base: str, env: dict[str, str | Unknown | None]
    ) -> _M | None:
        """The file's model with ``extends`` and ``include`` carried out; None when it is none."""
        key = (source.path, base)
        if key in self.parsed:
            return self.parsed[key]
        if key in self.reading:
            self.problem(Location(source.path), "includes itself", True)
            return None
        if len(self.reading) + len(self.parsed) > _MAX_FILES:
            self.problem(Location(source.path), f"more than {_MAX_FILES} files take part", True)
            return None
        self.reading.add(key)
        raw = self.raw_model(source, base, env)
        model = None if raw is None else self.finish(raw, source, base, env)
        self.reading.discard(key)
        self.parsed[key] = model
        return model

    def raw_model(
        self, source: SourceText, base: str, env: dict[str, str | Unknown | None]
    ) -> _M | None:
        stream = yamldoc.parse(source)
        self.problems += stream.problems[:50]
        if stream.template and not isinstance(_document(stream), yamldoc.Mapping):
            return None
        if len(stream.documents) > 1:
            at = stream.documents[1].at
            self.problem(at, "a Compose file is one YAML document; the further ones are not read")
        document = _document(stream)
        where = Location(source.path)
        if document is None or (isinstance(document, yamldoc.Scalar) and document.is_null):
            if not any(p.fatal for p in stream.problems):
                self.problem(where, "is empty", True)
            return None
        if not isinstance(document, yamldoc.Mapping):
            self.problem(where, "is no Compose file: its top level is no mapping", True)
            return None
        known = ("services", "include", "volumes", "networks", "secrets", "configs", "name")
        if not any(document.entry(name) for name in known):
            legacy = any(
                isinstance(e.value, yamldoc.Mapping)
                and (e.value.entry("image") or e.value.entry("build"))
                for e in document.entries
            )
            message = (
                "has no 'services': the first file format, which Compose no longer reads"
                if legacy
                else "is no Compose file: it has no 'services'"
            )
            self.problem(where, message, True)
            return None
        converted = self.convert(document, base, env, {})
        return converted if isinstance(converted, _M) else None

    def convert(
        self,
        node: yamldoc.Node,
        base: str,
        env: dict[str, str | Unknown | None],
        memo: dict[int, _N],
    ) -> _N:
        """Interpolate every scalar; shared nodes stay shared. Depth is bounded by the parser."""
        known = memo.get(id(node))
        if known is not None:
            return known
        result: _N
        if isinstance(node, yamldoc.Scalar):
            result = self.scalar(node, base, env)
        elif isinstance(node, yamldoc.Mapping):
            result = _M(
                node.at,
                base,
                {
                    entry.name: (entry.at, self.convert(entry.value, base, env, memo))
                    for entry in node.entries
                },
                node.tag,
            )
        else:
            items = [self.convert(item, base, env, memo) for item in node.items]
            result = _L(node.at, base, items, node.tag)
        memo[id(node)] = result
        return result

    def scalar(self, node: yamldoc.Scalar, base: str, env: dict[str, str | Unknown | None]) -> _S:
        if node.is_null:
            return _S("", node.at, base, null=True, tag=node.tag)
        if node.style == "template":
            return _S(HOLE, node.at, base, raw=node.text, blank="", tag=node.tag)
        if "$" not in node.text:
            return _S(node.text, node.at, base, tag=node.tag, style=node.style)
        result = interpolate(node.text, lambda name: env.get(name))
        if result.error:
            self.problem(node.at, f"invalid interpolation: {result.error}")
        for use in result.uses:
            at = node.at
            if node.style == "plain" and use.start >= 0 and at.line == at.end_line:
                at = at.within(start=use.start, length=len(use.name) + 1)
            if len(self.uses) < 10_000:
                self.uses.append(
                    VariableUse(
                        name=use.name,
                        at=at,
                        source=use.source,
                        default=use.default,
                        error=use.error,
                    )
                )
        style = node.style if result.text == node.text else "changed"
        return _S(
            result.text, node.at, base, raw=node.text, blank=result.blank, tag=node.tag, style=style
        )

    # -- canonical forms, extends, include --

    def finish(
        self, model: _M, source: SourceText, base: str, env: dict[str, str | Unknown | None]
    ) -> _M:
        services = model.get("services")
        if isinstance(services, _M):
            done: dict[str, _M | None] = {}
            canonical = {
                name: (at, self.canonical_service(value, name))
                for name, (at, value) in services.items.items()
                if not name.startswith("x-")
            }
            for name in canonical:
                self.extended(name, canonical, done, source, base, env, 0)
            items: dict[str, tuple[Location, _N]] = {}
            for name, (at, value) in canonical.items():
                final = done.get(name)
                items[name] = (at, value if final is None else final)
            model.items["services"] = (
                model.items["services"][0],
                _M(services.at, base, items, services.tag),
            )
        elif services is not None and not (isinstance(services, _S) and services.null):
            self.problem(services.at, "'services' must be a mapping of names to services")
            del model.items["services"]
        include = model.get("include")
        if isinstance(include, _L):
            merged: _M | None = None
            for item in include.items:
                included = self.included(item, base, env)
                if included is not None:
                    merged = included if merged is None else self.merge_top(merged, included)
            del model.items["include"]
            if merged is not None:
                self.report_conflicts(merged, model)
                model = self.merge_top(merged, model)
        return model

    def report_conflicts(self, included: _M, own: _M) -> None:
        theirs, ours = included.get("services"), own.get("services")
        if isinstance(theirs, _M) and isinstance(ours, _M):
            for name, (at, _) in ours.items.items():
                if name in theirs.items:
                    message = f"service {name!r} is also defined by an included file"
                    self.problem(at, message)

    def included(self, item: _N, base: str, env: dict[str, str | Unknown | None]) -> _M | None:
        paths: list[_N] = [item]
        project_directory: str | None = None
        env_files: list[str] | None = None
        if isinstance(item, _M):
            value = item.get("path")
            paths = value.items if isinstance(value, _L) else [value] if value else []
            directory = item.get("project_directory")
            if isinstance(directory, _S) and not directory.null:
                project_directory = _resolve(base, directory.text)
                if project_directory is None:
                    self.problem(directory.at, "include leaves the repository or is unknown")
                    return None
            files = item.get("env_file")
            listed = files.items if isinstance(files, _L) else [files] if files else []
            if listed:
                env_files = [f.text for f in listed if isinstance(f, _S)]
        sources: list[SourceText] = []
        for path in paths:
            if not isinstance(path, _S) or path.null:
                self.problem(item.at, "include needs paths")
                return None
            source = self.other_source(path, base, "included file")
            if source is None:
                return None
            sources.append(source)
        if not sources:
            return None
        self.taken += [source.path for source in sources]
        if project_directory is None:
            project_directory = sources[0].path.rpartition("/")[0]
        if env_files is None:
            inner = self.dotenv_values(project_directory, [".env"], env)
        else:
            inner = self.dotenv_values(base, env_files, env)
        return self.load_all(sources, project_directory, inner)

    def other_source(self, path: _S, base: str, what: str) -> SourceText | None:
        resolved = _resolve(base, path.text)
        if resolved is None:
            self.problem(path.at, f"{what} {path.raw!r} lies outside the repository or is unknown")
            return None
        if not self.files.is_file(resolved):
            why = ", git ignores it" if self.files.ignored_exists(resolved) else ""
            self.problem(path.at, f"{what} {resolved!r} is not in the repository{why}", True)
            return None
        self.other(resolved)
        return self.files.read_text(resolved)

    def extended(
        self,
        name: str,
        services: dict[str, tuple[Location, _N]],
        done: dict[str, _M | None],
        source: SourceText,
        base: str,
        env: dict[str, str | Unknown | None],
        depth: int,
    ) -> _M | None:
        if name in done:
            return done[name]
        found = services.get(name)
        value = found[1] if found else None
        if not isinstance(value, _M):
            return None
        extends = value.get("extends")
        done[name] = None
        result = value
        if extends is not None:
            wanted = extends if isinstance(extends, _S) else None
            file: _N | None = None
            if isinstance(extends, _M):
                service = extends.get("service")
                wanted = service if isinstance(service, _S) else None
                file = extends.get("file")
            parent: _M | None = None
            if wanted is None or wanted.null or HOLE in wanted.text:
                self.problem(extends.at, "extends names no service")
            elif depth > 50:
                self.problem(extends.at, "extends is nested deeper than 50 levels", True)
            elif isinstance(file, _S) and not file.null:
                parent = self.extended_elsewhere(wanted, file, base, env)
            elif wanted.text in done and done[wanted.text] is None and wanted.text in services:
                self.problem(extends.at, f"extends goes round in a circle at {wanted.text!r}", True)
            else:
                parent = self.extended(wanted.text, services, done, source, base, env, depth + 1)
                if parent is None and wanted.text not in services:
                    self.problem(
                        wanted.at, f"extends {wanted.text!r}, which is no service here", True
                    )
            if parent is not None:
                merged = self.merge(parent, value, "", 0)
                result = merged if isinstance(merged, _M) else value
            items = {key: item for key, item in result.items.items() if key != "extends"}
            result = _M(value.at, base, items, value.tag)
        done[name] = result
        return result

    def extended_elsewhere(
        self, wanted: _S, file: _S, base: str, env: dict[str, str | Unknown | None]
    ) -> _M | None:
        source = self.other_source(file, base, "extended file")
        if source is None:
            return None
        model = self.load_file(source, source.path.rpartition("/")[0], env)
        services = model.get("services") if model is not None else None
        service = services.get(wanted.text) if isinstance(services, _M) else None
        if not isinstance(service, _M):
            self.problem(wanted.at, f"extends {wanted.text!r}, which {source.path!r} lacks", True)
            return None
        return service

    def canonical_service(self, value: _N, name: str) -> _N:
        if not isinstance(value, _M):
            if not (isinstance(value, _S) and value.null):
                self.refuse(value.at, f"service {name!r} is no mapping")
            return value
        items: dict[str, tuple[Location, _N]] = {}
        for key, (at, item) in value.items.items():
            items[key] = (at, self.canonical(key, item))
        return _M(value.at, value.base, items, value.tag)

    def canonical(self, key: str, value: _N) -> _N:
        """The long form of a service's key. Tags stay, since merging needs them."""
        if isinstance(value, _S) and value.null:
            return value
        if key in _KEY_VALUE:
            return self.key_values(value, ":" if key == "extra_hosts" else "=")
        if key == "build":
            if isinstance(value, _S):
                return _M(value.at, value.base, {"context": (value.at, value)}, value.tag)
            if isinstance(value, _M):
                return self.with_key_values(value, ("args", "labels", "additional_contexts"))
        if key == "deploy" and isinstance(value, _M):
            return self.with_key_values(value, ("labels",))
        if key in _STRING_LISTS and isinstance(value, _S):
            return _L(value.at, value.base, [value], value.tag)
        if key == "env_file":
            listed = value.items if isinstance(value, _L) else [value]
            items: list[_N] = [
                _M(i.at, i.base, {"path": (i.at, i)}) if isinstance(i, _S) else i for i in listed
            ]
            return _L(value.at, value.base, items, value.tag)
        if key in ("depends_on", "networks") and isinstance(value, _L):
            names: dict[str, tuple[Location, _N]] = {}
            for item in value.items:
                if isinstance(item, _S):
                    names[item.text] = (item.at, _S("", item.at, item.base, null=True))
            return _M(value.at, value.base, names, value.tag)
        if key in ("ports", "expose") and isinstance(value, _S):
            if value.text != HOLE:
                self.refuse(value.at, f"{key!r} must be a list")
            value = _L(value.at, value.base, [value], value.tag)
        if isinstance(value, _L):
            typed: Callable[[_N], Any] | None = {
                "ports": self.port,
                "volumes": self.volume,
                "secrets": self.file_use,
                "configs": self.file_use,
            }.get(key)
            if typed is not None:
                out: list[_N] = []
                for item in value.items:
                    made = typed(item)
                    if made is not None:
                        out.append(made)
                return _L(value.at, value.base, _unified(out, key), value.tag)
        elif key in ("ports", "volumes"):
            self.refuse(value.at, f"{key!r} must be a list")
            return _L(value.at, value.base, [], value.tag)
        return value

    def with_key_values(self, value: _M, keys: Iterable[str]) -> _M:
        items = dict(value.items)
        for key in keys:
            found = items.get(key)
            if found is not None and isinstance(found[1], _L):
                items[key] = (found[0], self.key_values(found[1], "="))
        return _M(value.at, value.base, items, value.tag)

    def key_values(self, value: _N, separator: str) -> _N:
        if not isinstance(value, _L):
            return value
        items: dict[str, tuple[Location, _N]] = {}
        for item in value.items:
            if isinstance(item, _M) and separator == "=":
                name = next(iter(item.items), "")
                self.refuse(item.at, f"`{name}: …` is a mapping where `{name}=…` is wanted")
            if not isinstance(item, _S) or item.null:
                continue
            name, found, text = item.text.partition(separator)
            if separator == ":" and "=" in item.text.partition(":")[0]:
                name, found, text = item.text.partition("=")
                separator = "="
            _, _, raw = item.raw.partition(separator)
            _, _, blank = item.blank.partition(separator)
            items[name] = (
                item.at,
                _S(text, item.at, item.base, raw=raw, blank=blank, null=not found, style="changed"),
            )
        return _M(value.at, value.base, items, value.tag)

    # -- items typed before merging --

    def port(self, item: _N) -> _T | None:
        port: ComposePort | None
        if isinstance(item, _S):
            port = parse_port(item.text, item.at, raw=item.raw)
            if port is None:
                self.problem(item.at, f"{item.raw!r} is no port mapping")
                return None
        elif isinstance(item, _M):
            target = _range(_plain(item.get("target")))
            if target is None:
                self.problem(item.at, "a port's target is no port number")
                return None
            published_text = _plain(item.get("published"))
            published = _range(published_text) if published_text else None
            if published_text and published is None:
                self.problem(item.at, f"{published_text!r} is no port number")
                return None
            port = ComposePort(
                at=item.at,
                target=target,
                published=published,
                host_ip=_maybe(item.get("host_ip")),
                protocol=_maybe(item.get("protocol")) or "tcp",
                mode=_plain(item.get("mode")) or "ingress",
            )
        else:
            return None
        key = f"{port.host_ip}:{port.published}:{port.target}/{port.protocol}"
        return _T(port, key, item.at, item.base)

    def volume(self, item: _N) -> _T | None:
        if isinstance(item, _S):
            made = _short_volume(item)
        elif isinstance(item, _M):
            made = _long_volume(item)
        else:
            return None
        if made is None:
            self.problem(item.at, "is no volume")
            return None
        return _T(made, str(made.target).rstrip("/") or "/", item.at, item.base)

    def file_use(self, item: _N) -> _T | None:
        if isinstance(item, _S):
            use = ComposeFileUse(source=item.text, at=item.at, target=f"/run/secrets/{item.text}")
        elif isinstance(item, _M):
            source = _plain(item.get("source"))
            target = _maybe(item.get("target")) or source
            if isinstance(target, str) and not target.startswith("/"):
                target = f"/run/secrets/{target}"
            use = ComposeFileUse(source=source, at=item.at, target=target)
        else:
            return None
        return _T(use, f"{use.source}:{use.target}", item.at, item.base)

    # -- merging --

    def merge_top(self, base: _M, over: _M) -> _M:
        items = dict(base.items)
        for section, (at, value) in over.items.items():
            before = items.get(section)
            if section.startswith("x-") or before is None or not isinstance(value, _M):
                if not (isinstance(value, _S) and value.null and before is not None):
                    items[section] = (at, value)
                continue
            old = before[1]
            if not isinstance(old, _M):
                items[section] = (at, value)
                continue
            merged = dict(old.items)
            for name, (key_at, item) in value.items.items():
                known = merged.get(name)
                if item.tag == "!reset":
                    merged.pop(name, None)
                elif known is None:
                    merged[name] = (key_at, item)
                else:
                    merged[name] = (known[0], self.merge(known[1], item, "", 0))
            items[section] = (before[0], _M(old.at, old.base, merged))
        return _M(base.at, base.base, items)

    def merge(self, base: _N, over: _N, key: str, depth: int) -> _N:
        """``over`` laid over ``base``; ``key`` is the name under which both stand."""
        self.work += 1
        if over.tag == "!override" or depth > 12 or self.work > _MAX_WORK:
            return over
        if isinstance(over, _S) and over.null and not isinstance(base, _S):
            # "key:" without a value changes nothing, except where null itself says something.
            return over if key in _REPLACED else base
        if key in _REPLACED:
            return over
        if isinstance(base, _M) and isinstance(over, _M):
            if key == "logging":
                old, new = _plain(base.get("driver")), _plain(over.get("driver"))
                if old and new and old != new:
                    return over
            items = dict(base.items)
            self.work += len(over.items)
            for name, (at, value) in over.items.items():
                before = items.get(name)
                if value.tag == "!reset":
                    items.pop(name, None)
                elif before is None or name.startswith("x-"):
                    items[name] = (at, value)
                else:
                    merged = self.merge(before[1], value, name, depth + 1)
                    items[name] = (at if merged is value else before[0], merged)
            return _M(over.at, over.base, items)
        if isinstance(base, _L) and isinstance(over, _L):
            self.work += len(base.items) + len(over.items)
            if self.work > _MAX_WORK:
                return over
            return _L(over.at, over.base, _unified([*base.items, *over.items], key))
        return over


def _unified(items: list[_N], key: str) -> list[_N]:
    """Items once each: a later one takes the place of the same one before it."""
    out: dict[str, _N] = {}
    for position, item in enumerate(items):
        if isinstance(item, _T):
            out[item.key] = item
        elif key in _UNIQUE and isinstance(item, _S):
            out.setdefault(item.text, item)
        elif key == "env_file" and isinstance(item, _M):
            name = _plain(item.get("path"))
            out.pop(name, None)
            out[name] = item
        else:
            out[f"\n{position}"] = item
    return list(out.values())


# --- small readers -----------------------------------------------------------


def _plain(node: _N | None) -> str:
    return node.text if isinstance(node, _S) and not node.null else ""


def _maybe(node: _N | None) -> str | Unknown | None:
    if not isinstance(node, _S) or node.null:
        return None
    return Unknown(f"{node.raw!r} depends on the host") if HOLE in node.text else node.text


def _text(node: _N | None) -> Text | None:
    if not isinstance(node, _S) or node.null:
        return None
    return _made_text(node)


def _made_text(node: _S) -> Text:
    value: str | Unknown = node.text
    if HOLE in node.text:
        value = Unknown(f"{node.raw!r} depends on variables that nothing in the repository sets")
    return Text(value=value, at=node.at, raw=node.raw, blank=node.blank, holed=node.text)


def _flag(node: _N | None, default: bool = False) -> bool:
    text = _plain(node).lower()
    if text in ("true", "yes", "y", "on", "1"):
        return True
    return False if text in ("false", "no", "n", "off", "0") else default


def _range(text: str) -> PortRange | Unknown | None:
    """``80`` or ``80-90``; Unknown where a variable stands; None when it is no port."""
    if HOLE in text:
        return Unknown("the port depends on a variable that nothing in the repository sets")
    first, dash, last = text.strip().partition("-")
    if not (first.isascii() and first.isdigit() and len(first) <= 6):
        return None
    low = high = int(first)
    if dash:
        if not (last.isascii() and last.isdigit() and len(last) <= 6):
            return None
        high = int(last)
    if high < low or high > 65535:
        return None
    return PortRange(first=low, last=high)


def parse_port(text: str, at: Location, *, raw: str = "") -> ComposePort | None:
    """The short form ``[[ip:][published]:]target[/protocol]``; None when it is none."""
    body, slash, protocol = text.strip().rpartition("/")
    if not slash:
        body, protocol = text.strip(), "tcp"
    target_text = body
    published_text = host = ""
    if ":" in body:
        front, _, target_text = body.rpartition(":")
        host, _, published_text = front.rpartition(":")
        host = host.strip("[]")
    target = _range(target_text)
    if target is None:
        return None
    published: PortRange | Unknown | None = None
    if published_text:
        published = _range(published_text)
        if published is None:
            return None
    host_ip: str | Unknown | None = host or None
    if HOLE in host:
        host_ip = Unknown("the address depends on a variable that nothing in the repository sets")
    if HOLE in protocol:
        return ComposePort(
            at=at,
            target=target,
            published=published,
            host_ip=host_ip,
            protocol=Unknown("the protocol depends on a variable"),
            raw=raw,
        )
    if protocol.lower() not in ("tcp", "udp", "sctp"):
        return None
    if (
        isinstance(target, PortRange)
        and isinstance(published, PortRange)
        and target.first != target.last
        and published.last - published.first != target.last - target.first
    ):
        return None
    return ComposePort(
        at=at,
        target=target,
        published=published,
        host_ip=host_ip,
        protocol=protocol.lower(),
        raw=raw,
    )


def _is_host_path(text: str) -> bool:
    return text.startswith((".", "/", "~", "\\")) or (
        text[1:2] == ":" and text[:1].isalpha() and text[2:3] in ("/", "\\")
    )


def _short_volume(item: _S) -> ComposeVolume | None:
    text = item.text
    parts: list[str] = []
    start = 0
    for position, char in enumerate(text):
        if char != ":":
            continue
        following = text[position + 1 : position + 2]
        if position - start == 1 and text[start].isalpha() and following == "\\":
            continue
        # "c:/data:/data" has a drive, "c:/data" a volume named c.
        if position == 1 and text[0].isalpha() and following == "/" and ":" in text[2:]:
            continue
        parts.append(text[start:position])
        start = position + 1
    parts.append(text[start:])
    if len(parts) > 3 or not all(parts):
        return None
    modes = parts[2].split(",") if len(parts) == 3 else []
    if len(parts) == 1:
        target: str | Unknown = _known(text, item)
        return ComposeVolume(at=item.at, type="volume", source=None, target=target)
    source_text, target_text = parts[0], parts[1]
    is_bind = _is_host_path(source_text) or HOLE in source_text
    raw = _source_raw(item, source_text)
    blank = source_text.replace(HOLE, "")
    source = _S(source_text, item.at, item.base, raw=raw, blank=blank)
    return ComposeVolume(
        at=item.at,
        type="bind" if is_bind else "volume",
        source=_made_text(source),
        target=_known(target_text, item),
        path=_resolve(item.base, source_text) if is_bind else None,
        read_only="ro" in modes,
    )


def _source_raw(item: _S, source_text: str) -> str:
    # Colons inside "${A:-b}" make the raw text ambiguous; then the whole of it is shown.
    return item.raw.partition(":")[0] if item.raw == item.text else item.raw


def _known(text: str, item: _S) -> str | Unknown:
    return Unknown(f"{item.raw!r} depends on the host") if HOLE in text else text


def _long_volume(item: _M) -> ComposeVolume | None:
    target = _maybe(item.get("target"))
    if target is None:
        return None
    kind = _plain(item.get("type")) or "volume"
    source = item.get("source")
    bind, volume = item.get("bind"), item.get("volume")
    create = bind.get("create_host_path") if isinstance(bind, _M) else None
    subpath = volume.get("subpath") if isinstance(volume, _M) else None
    path = None
    if kind == "bind" and isinstance(source, _S):
        path = _resolve(item.base, source.text)
    return ComposeVolume(
        at=item.at,
        type=kind,
        source=_text(source),
        target=target,
        path=path,
        read_only=_flag(item.get("read_only")),
        create_host_path=_flag(create, True),
        subpath=_plain(subpath) or None,
    )


def split_words(text: str) -> list[tuple[str, int, int]] | None:
    """Words of a command line with their offsets, by POSIX quoting; None for an open quote.

    Nothing is expanded and operators are ordinary text, since no shell is started.
    """
    words: list[tuple[str, int, int]] = []
    i, size = 0, len(text)
    while i < size:
        if text[i].isspace():
            i += 1
            continue
        start = i
        out: list[str] = []
        while i < size and not text[i].isspace():
            char = text[i]
            if char == "'":
                end = text.find("'", i + 1)
                if end < 0:
                    return None
                out.append(text[i + 1 : end])
                i = end + 1
            elif char == '"':
                i += 1
                while i < size and text[i] != '"':
                    if text[i] == "\\" and text[i + 1 : i + 2] in ('"', "\\", "$", "`"):
                        i += 1
                    out.append(text[i : i + 1])
                    i += 1
                if i >= size:
                    return None
                i += 1
            elif char == "\\":
                if i + 1 >= size:
                    return None
                out.append(text[i + 1])
                i += 2
            else:
                out.append(char)
                i += 1
        words.append(("".join(out), start, i))
    return words


# --- from the merged tree to types -------------------------------------------


class _Typer:
    def __init__(
        self,
        loader: _Loader,
        model: _M,
        directory: str,
        sources: Sequence[SourceText],
        is_dev: bool,
    ) -> None:
        self.loader = loader
        self.model = model
        self.directory = directory
        self.sources = sources
        self.is_dev = is_dev

    def project(self) -> ComposeProject:
        services: list[ComposeService] = []
        found = self.model.get("services")
        if isinstance(found, _M):
            for name, (at, value) in found.items.items():
                if isinstance(value, _M):
                    services.append(self.service(name, at, value))
        return ComposeProject(
            name=self.name(),
            directory=self.directory,
            files=tuple(source.path for source in self.sources),
            services=tuple(services),
            volumes=self.resources("volumes", "volume"),
            networks=self.resources("networks", "network"),
            secrets=self.resources("secrets", "secret"),
            configs=self.resources("configs", "config"),
            variables=tuple(dict.fromkeys(self.loader.uses)),
            others=tuple(self.loader.others),
            included=tuple(dict.fromkeys(self.loader.taken)),
            problems=tuple(dict.fromkeys(self.loader.problems)),
            refused=tuple(dict.fromkeys(self.loader.refused)),
            is_dev=self.is_dev,
            ignored_env=self.loader.ignored_env,
        )

    def name(self) -> str | Unknown | None:
        given = _maybe(self.model.get("name"))
        if given is not None:
            return given
        from_env = self.loader.env.get("COMPOSE_PROJECT_NAME")
        if from_env:
            return from_env
        last = self.directory.rpartition("/")[2].lower()
        return "".join(c for c in last if c.isalnum() or c in "_-").lstrip("_-") or None

    def resources(
        self, section: str, kind: Literal["volume", "network", "secret", "config"]
    ) -> tuple[ComposeResource, ...]:
        found = self.model.get(section)
        if not isinstance(found, _M):
            return ()
        out: list[ComposeResource] = []
        for name, (at, value) in found.items.items():
            if not isinstance(value, _M):
                out.append(ComposeResource(name=name, at=at, kind=kind))
                continue
            external = value.get("external")
            options = value.get("driver_opts")
            device = None
            if isinstance(options, _M) and "bind" in _plain(options.get("o")).split(","):
                device = self.path(options.get("device"))
            out.append(
                ComposeResource(
                    name=name,
                    at=at,
                    kind=kind,
                    external=isinstance(external, _M) or _flag(external),
                    driver=_text(value.get("driver")),
                    file=self.path(value.get("file")),
                    device=device,
                    internal=_flag(value.get("internal")),
                )
            )
        return tuple(out)

    def path(self, node: _N | None) -> ComposePath | None:
        raw = _text(node)
        if raw is None or not isinstance(node, _S):
            return None
        return ComposePath(raw=raw, path=_resolve(node.base, node.text), at=node.at)

    def service(self, name: str, at: Location, value: _M) -> ComposeService:
        get = value.get
        env_files = self.env_files(get("env_file"))
        return ComposeService(
            name=name,
            at=at,
            build=self.build(get("build")),
            image=_text(get("image")),
            command=self.command(get("command")),
            entrypoint=self.command(get("entrypoint")),
            ports=self.typed(get("ports"), ComposePort),
            expose=self.expose(get("expose")),
            volumes=self.typed(get("volumes"), ComposeVolume),
            environment=(
                *self.of_models(get("models")),
                *self.environment(get("environment"), env_files),
            ),
            env_files=env_files,
            working_dir=_text(get("working_dir")),
            user=_text(get("user")),
            healthcheck=self.healthcheck(get("healthcheck")),
            depends_on=self.depends_on(get("depends_on")),
            restart=_text(get("restart")),
            deploy=self.deploy(get("deploy")),
            gpu=get("gpus") is not None or getattr(get("runtime"), "text", "") == "nvidia",
            mem_limit=_text(get("mem_limit")),
            cpus=_text(get("cpus")),
            pids_limit=_text(get("pids_limit")),
            logging=self.logging(get("logging")),
            networks=self.networks(get("networks")),
            network_mode=_text(get("network_mode")),
            profiles=self.texts(get("profiles")),
            read_only=_flag(get("read_only")),
            tmpfs=self.texts(get("tmpfs")),
            stop_grace_period=_text(get("stop_grace_period")),
            stop_signal=_text(get("stop_signal")),
            init=_flag(get("init")),
            scale=_text(get("scale")),
            watch=self.watch(get("develop")),
            secrets=self.typed(get("secrets"), ComposeFileUse),
            configs=tuple(
                replace(use, target="/" + str(use.target).removeprefix("/run/secrets/").lstrip("/"))
                if isinstance(use.target, str)
                else use
                for use in self.typed(get("configs"), ComposeFileUse)
            ),
            platform=_text(get("platform")),
            privileged=_flag(get("privileged")),
            labels=self.pairs(get("labels")),
            cap_add=self.texts(get("cap_add")),
            security_opt=self.texts(get("security_opt")),
            container_name=_text(get("container_name")),
            hostname=_text(get("hostname")),
            links=self.texts(get("links")),
            extra_hosts=self.texts_of_pairs(get("extra_hosts")),
            unknown_keys=tuple(
                (key, key_at)
                for key, (key_at, _) in value.items.items()
                if key not in SERVICE_KEYS and not key.startswith("x-")
            ),
        )

    def typed(self, node: _N | None, kind: type[_Item]) -> tuple[_Item, ...]:
        if not isinstance(node, _L):
            return ()
        return tuple(i.value for i in node.items if isinstance(i, _T) and isinstance(i.value, kind))

    def texts(self, node: _N | None) -> tuple[Text, ...]:
        if isinstance(node, _S) and not node.null:
            return (_made_text(node),)
        if not isinstance(node, _L):
            return ()
        return tuple(_made_text(i) for i in node.items if isinstance(i, _S) and not i.null)

    def texts_of_pairs(self, node: _N | None) -> tuple[Text, ...]:
        return tuple(
            Text(
                value=v.value if isinstance(v.value, Unknown) else f"{v.name}:{v.value or ''}",
                at=v.at,
                raw=f"{v.name}:{v.value or ''}",
                blank=f"{v.name}:{v.value or ''}",
            )
            for v in self.pairs(node)
        )

    def pairs(self, node: _N | None) -> tuple[EnvironmentVariable, ...]:
        if not isinstance(node, _M):
            return ()
        return tuple(
            EnvironmentVariable(name=name, value=_maybe(value), at=at)
            for name, (at, value) in node.items.items()
            if name
        )

    def build(self, node: _N | None) -> ComposeBuild | None:
        if not isinstance(node, _M):
            return None
        context_node = node.get("context")
        context_text = _text(context_node)
        context: str | None = None
        if isinstance(context_node, _S) and not context_node.null:
            if not _is_remote(context_node.text):
                context = _resolve(context_node.base, context_node.text)
        else:
            context = _resolve(node.base, ".")
        dockerfile = _text(node.get("dockerfile"))
        inline = _text(node.get("dockerfile_inline"))
        path: str | None = None
        if context is not None and inline is None:
            name = "Dockerfile" if dockerfile is None else dockerfile.value
            if isinstance(name, str) and name:
                path = _resolve(context, name)
        contexts: list[tuple[str, ComposePath]] = []
        additional = node.get("additional_contexts")
        if isinstance(additional, _M):
            for name, (_, value) in additional.items.items():
                made = self.path(value)
                if made is not None:
                    if isinstance(value, _S) and (_is_remote(value.text) or ":" in value.text):
                        made = replace(made, path=None)
                    contexts.append((name, made))
        return ComposeBuild(
            at=node.at,
            context=context,
            context_text=context_text,
            dockerfile=dockerfile,
            dockerfile_path=path,
            dockerfile_inline=inline,
            target=_text(node.get("target")),
            args=self.with_host(self.pairs(node.get("args"))),
            additional_contexts=tuple(contexts),
            platforms=self.texts(node.get("platforms")),
            network=_text(node.get("network")),
        )

    def with_host(
        self, variables: tuple[EnvironmentVariable, ...]
    ) -> tuple[EnvironmentVariable, ...]:
        """Bare names take their value from the project's environment, where it has one."""
        return tuple(
            replace(variable, value=self.loader.env.get(variable.name))
            if variable.value is None
            else variable
            for variable in variables
        )

    def environment(
        self, node: _N | None, env_files: tuple[ComposeEnvFile, ...]
    ) -> tuple[EnvironmentVariable, ...]:
        seen: dict[str, EnvironmentVariable] = {}
        for file in env_files:
            path = file.file.path
            if file.state != "present" or path is None:
                continue
            for variable in self.loader.dotenv(path, self.loader.env.get).variables:
                seen[variable.name] = EnvironmentVariable(
                    name=variable.name, value=variable.value, at=variable.at, env_file=path
                )
        for own in self.with_host(self.pairs(node)):
            seen[own.name] = own
        return tuple(seen.values())

    def of_models(self, node: _N | None) -> Iterator[EnvironmentVariable]:
        """What Compose tells a service of the models that it asks for: address and name."""
        wanted: list[tuple[str, Location, _M | None]] = []
        if isinstance(node, _L):
            wanted = [(i.text, i.at, None) for i in node.items if isinstance(i, _S) and i.text]
        elif isinstance(node, _M):
            wanted = [
                (name, at, value if isinstance(value, _M) else None)
                for name, (at, value) in node.items.items()
            ]
        for model, at, said in wanted:
            stem = model.upper().replace("-", "_")
            for key, ending in (("endpoint_var", "URL"), ("model_var", "MODEL")):
                chosen = _plain(said.get(key)) if said is not None else ""
                yield EnvironmentVariable(
                    name=chosen or f"{stem}_{ending}",
                    value=Unknown(f"Compose fills it in for the model {model}"),
                    at=at,
                )

    def env_files(self, node: _N | None) -> tuple[ComposeEnvFile, ...]:
        out: list[ComposeEnvFile] = []
        for item in node.items if isinstance(node, _L) else ():
            if not isinstance(item, _M):
                continue
            file = self.path(item.get("path"))
            if file is None:
                continue
            state: Literal["present", "missing", "ignored", "unknown"] = "unknown"
            if file.path is not None:
                if self.loader.files.is_file(file.path):
                    state = "present"
                    self.loader.other(file.path)
                elif self.loader.files.ignored_exists(file.path):
                    state = "ignored"
                else:
                    state = "missing"
            required = _flag(item.get("required"), True)
            out.append(ComposeEnvFile(at=file.at, file=file, required=required, state=state))
        return tuple(out)

    def command(self, node: _N | None) -> ComposeCommand | None:
        if node is None or (isinstance(node, _S) and node.null):
            return None
        if isinstance(node, _L):
            return ComposeCommand(at=node.at, words=self.texts(node))
        if not isinstance(node, _S):
            self.loader.problem(node.at, "a command is a string or a list")
            return None
        words = split_words(node.text)
        text = _made_text(node)
        if words is None:
            self.loader.problem(node.at, "the command has a quote that nothing closes")
            unclosed = Unknown("a quote is not closed")
            return ComposeCommand(at=node.at, words=unclosed, is_string=True, text=text)
        return ComposeCommand(
            at=node.at,
            words=tuple(self.word(node, *word) for word in words),
            is_string=True,
            text=text,
        )

    def word(self, node: _S, word: str, start: int, end: int) -> Text:
        at = node.at
        if at.line == at.end_line and node.style in ("plain", "single", "double"):
            shift = 0 if node.style == "plain" else 1
            # Escapes inside quotes would shift columns; then the whole scalar is the place.
            if at.end_column - at.column == len(node.text) + 2 * shift:
                at = at.within(start=start + shift, length=end - start)
        value: str | Unknown = word
        if HOLE in word:
            value = Unknown(
                f"{node.raw!r} depends on variables that nothing in the repository sets"
            )
        blank = word.replace(HOLE, "")
        return Text(value=value, at=at, raw=blank, blank=blank, holed=word)

    def expose(self, node: _N | None) -> tuple[ComposePort, ...]:
        out: list[ComposePort] = []
        for item in node.items if isinstance(node, _L) else ():
            if isinstance(item, _S) and not item.null:
                port = parse_port(item.text, item.at, raw=item.raw)
                if port is None or port.published is not None:
                    self.loader.problem(item.at, f"{item.raw!r} is no port to expose")
                else:
                    out.append(port)
        return tuple(out)

    def healthcheck(self, node: _N | None) -> ComposeHealthcheck | None:
        if not isinstance(node, _M):
            return None
        form: Literal["none", "exec", "shell", "inherit", "unknown"] = "inherit"
        words: tuple[Text, ...] = ()
        shell: Text | None = None
        test = node.get("test")
        if isinstance(test, _S) and not test.null:
            form, shell = "shell", _made_text(test)
        elif isinstance(test, _L) and test.items:
            head = _plain(test.items[0])
            rest = self.texts(_L(test.at, test.base, test.items[1:]))
            if head == "NONE":
                form = "none"
            elif head == "CMD":
                form, words = "exec", rest
            elif head == "CMD-SHELL" and rest:
                form, shell = "shell", rest[0]
            else:
                form = "unknown"
                message = "a health check's list starts with CMD, CMD-SHELL or NONE"
                self.loader.refuse(test.at, message)
        if _flag(node.get("disable")):
            form = "none"
        return ComposeHealthcheck(
            at=node.at,
            form=form,
            words=words,
            shell=shell,
            interval=_text(node.get("interval")),
            timeout=_text(node.get("timeout")),
            retries=_text(node.get("retries")),
            start_period=_text(node.get("start_period")),
            start_interval=_text(node.get("start_interval")),
        )

    def depends_on(self, node: _N | None) -> tuple[ComposeDependency, ...]:
        if not isinstance(node, _M):
            return ()
        out: list[ComposeDependency] = []
        for name, (at, value) in node.items.items():
            inner = value if isinstance(value, _M) else _M(at, node.base)
            out.append(
                ComposeDependency(
                    service=name,
                    at=at,
                    condition=_plain(inner.get("condition")) or "service_started",
                    required=_flag(inner.get("required"), True),
                    restart=_flag(inner.get("restart")),
                )
            )
        return tuple(out)

    def deploy(self, node: _N | None) -> ComposeDeploy | None:
        if not isinstance(node, _M):
            return None
        resources = node.get("resources")
        limits = resources.get("limits") if isinstance(resources, _M) else None
        reservations = resources.get("reservations") if isinstance(resources, _M) else None
        policy = node.get("restart_policy")
        restart = None
        if isinstance(policy, _M):
            restart = ComposeRestartPolicy(
                at=policy.at,
                condition=_text(policy.get("condition")),
                delay=_text(policy.get("delay")),
                max_attempts=_text(policy.get("max_attempts")),
            )
        return ComposeDeploy(
            at=node.at,
            mode=_text(node.get("mode")),
            endpoint_mode=_text(node.get("endpoint_mode")),
            replicas=_text(node.get("replicas")),
            restart_policy=restart,
            limits=self.resources_of(limits),
            reservations=self.resources_of(reservations),
            update_config=self.update(node.get("update_config")),
            rollback_config=self.update(node.get("rollback_config")),
            labels=self.pairs(node.get("labels")),
        )

    def resources_of(self, node: _N | None) -> ComposeResources | None:
        if not isinstance(node, _M):
            return None
        capabilities: list[str] = []
        devices = node.get("devices")
        for device in devices.items if isinstance(devices, _L) else ():
            listed = device.get("capabilities") if isinstance(device, _M) else None
            capabilities += [_plain(c) for c in (listed.items if isinstance(listed, _L) else ())]
        return ComposeResources(
            at=node.at,
            cpus=_text(node.get("cpus")),
            memory=_text(node.get("memory")),
            pids=_text(node.get("pids")),
            devices=tuple(filter(None, capabilities)),
        )

    def update(self, node: _N | None) -> ComposeUpdate | None:
        if not isinstance(node, _M):
            return None
        return ComposeUpdate(
            at=node.at,
            order=_text(node.get("order")),
            parallelism=_text(node.get("parallelism")),
            delay=_text(node.get("delay")),
            failure_action=_text(node.get("failure_action")),
        )

    def logging(self, node: _N | None) -> ComposeLogging | None:
        if not isinstance(node, _M):
            return None
        options = node.get("options")
        pairs: list[tuple[str, Text]] = []
        if isinstance(options, _M):
            for name, (_, value) in options.items.items():
                text = _text(value)
                if text is not None:
                    pairs.append((name, text))
        misplaced = tuple(
            Text(value=name, at=at, raw=name, blank=name)
            for name, (at, _) in node.items.items()
            if name not in ("driver", "options") and not name.startswith("x-")
        )
        return ComposeLogging(
            at=node.at, driver=_text(node.get("driver")), options=tuple(pairs), misplaced=misplaced
        )

    def networks(self, node: _N | None) -> tuple[ComposeNetworkUse, ...]:
        if not isinstance(node, _M):
            return ()
        out: list[ComposeNetworkUse] = []
        for name, (at, value) in node.items.items():
            aliases = value.get("aliases") if isinstance(value, _M) else None
            names = tuple(_plain(a) for a in (aliases.items if isinstance(aliases, _L) else ()))
            out.append(ComposeNetworkUse(name=name, at=at, aliases=tuple(filter(None, names))))
        return tuple(out)

    def watch(self, node: _N | None) -> tuple[ComposeWatch, ...]:
        listed = node.get("watch") if isinstance(node, _M) else None
        out: list[ComposeWatch] = []
        for item in listed.items if isinstance(listed, _L) else ():
            if not isinstance(item, _M):
                continue
            source = self.path(item.get("path"))
            if source is not None:
                out.append(
                    ComposeWatch(
                        at=item.at,
                        action=_plain(item.get("action")),
                        source=source,
                        target=_text(item.get("target")),
                    )
                )
        return tuple(out)


_Item = TypeVar("_Item")


def _is_remote(text: str) -> bool:
    return (
        "://" in text
        or text.startswith(("git@", "github.com/"))
        or (text.endswith(".git") and not text.startswith((".", "/")))
    )
