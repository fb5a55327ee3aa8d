"""What a Compose project says, typed, each thing with its place."""

from __future__ import annotations

from typing import Literal, Protocol

from auditor.source import Location, Problem, SourceText, Unknown
from auditor.values import value


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
    # ``stdin_open`` or ``tty``: an interpreter that reads its input waits.
    interactive: bool = False
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
    # Services that another waits for until they have come to their end.
    awaited: frozenset[str] = frozenset()

    def service(self, name: str) -> ComposeService | None:
        return next((s for s in self.services if s.name == name), None)


@value
class ComposeFileSet:
    """Files that are used together in one invocation."""

    files: tuple[str, ...]
    is_dev: bool = False
    # What ``docker compose up`` takes without ``-f``.
    is_default: bool = False
