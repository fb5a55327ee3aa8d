"""The deployment as one immutable value: what checks see, and the only thing they see.

``assemble.assemble`` builds it once from facts. A *service* is something that is started;
a *built image* is one stage of a Dockerfile as one build would leave it; an *environment* is
the set of distributions that one interpreter of an image (or of a bare repository) gets.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from auditor.deployment.base import Base, system_programs
from auditor.deployment.cluster import Cluster
from auditor.deployment.filesystem import Absent, BaseSource, Present
from auditor.deployment.packaged import Packaged
from auditor.deployment.surroundings import Surroundings
from auditor.findings import Stage
from auditor.parsers.requirements import Requirement
from auditor.source import Location, Problem, Unknown
from auditor.values import field, value

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts
    from auditor.deployment.backing import Backing
    from auditor.deployment.imagefacts import CopyProblem, Image
    from auditor.deployment.neighbours import Neighbours
    from auditor.linking.compatibility import Compatibility
    from auditor.linking.distributions import Installed
    from auditor.linking.paths import ClosedModule, PathLink, WriteLink
    from auditor.linking.projects import ProjectModule
    from auditor.parsers.commands import MainProcess, PipInstall
    from auditor.parsers.commands.facts import Option
    from auditor.parsers.compose.facts import ComposeProject, ComposeService
    from auditor.parsers.conda import CondaEnvironment
    from auditor.parsers.dockerfile import Dockerfile
    from auditor.parsers.kubernetes import Container, Workload
    from auditor.parsers.locks import Lock
    from auditor.parsers.pyproject import PyprojectFacts
    from auditor.parsers.python import ModuleFacts, Trace
    from auditor.parsers.python.facts import FileAccess
    from auditor.parsers.pyversion import PythonVersion
    from auditor.parsers.requirements import RequirementsFile
    from auditor.rehearsal.observed import Rehearsal

Value = str | Unknown

# Directories that are on the PATH of every image.
_BIN = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@value
class PythonClaim:
    """A statement about the interpreter: ``version`` is ``3.11`` or ``3.11.7``; ``certain`` False
    when the source leaves it open (``python:3-slim``). ``kind`` says what stated it.
    """

    version: str
    at: Location
    kind: Literal["base-image", "requires-python", "version-file", "conda", "lock", "ci", "distro"]
    certain: bool = True
    # The text as written, where that is a range (">=3.9,<3.12").
    specifier: str = ""


@value
class EnvRequirement:
    """A requirement as one environment asks for it."""

    fact: Requirement
    # "file" (requirements), "command" (pip install X), "pyproject", "conda", "setup", "pipfile".
    origin: str
    # A lock, constraint or compiled file fixes its version in this environment.
    locked_version: str | None = None
    # Compiled from another file: the source is what a person edits.
    compiled: bool = False
    # The install command that brings it in.
    step_at: Location | None = None

    @property
    def key(self) -> str:
        return self.fact.key

    @property
    def version(self) -> str | None:
        """The one version that will be installed, when that is settled."""
        return self.locked_version or self.fact.pinned_version


@value
class InstallStep:
    """One command that installs distributions, with the files it reads resolved."""

    at: Location
    fact: PipInstall | None
    requirements: tuple[EnvRequirement, ...] = ()
    # What it may install at most, of those that it installs at all (``-c``).
    constraints: tuple[Requirement, ...] = ()
    # Repository paths of the requirement files, locks and projects it reads.
    files: tuple[str, ...] = ()
    lock: Lock | None = None
    # Why not everything it installs is known.
    unresolved: tuple[str, ...] = ()
    stage: int = 0
    # Where it runs, and how many layers the file system of its stage has by then.
    cwd: Value | None = None
    layers: int = 0
    # Runs in the stage that is shipped (or one it is built on), or is copied from there.
    shipped: bool = True


@value
class Compiled:
    """A requirements file that a tool compiled, and what the files it was compiled from ask for."""

    lock: Lock
    asked: tuple[Requirement, ...]


@value
class Environment:
    """Distributions installed together. ``complete`` is False when something stayed unknown."""

    name: str
    kind: Literal["image", "project", "conda"]
    at: Location
    python: PythonClaim | None
    steps: tuple[InstallStep, ...] = ()
    requirements: tuple[EnvRequirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    locks: tuple[Lock, ...] = ()
    files: tuple[RequirementsFile, ...] = ()
    compiled: tuple[Compiled, ...] = ()
    pyproject: PyprojectFacts | None = None
    conda: tuple[CondaEnvironment, ...] = ()
    base: Base | None = None
    complete: bool = True
    incomplete_because: tuple[str, ...] = ()
    locked: bool = False
    hashed: bool = False
    services: tuple[str, ...] = ()
    is_library: bool = False
    installed: Installed | None = None
    # Lines that pip refuses, files that are not there.
    problems: tuple[Problem, ...] = ()

    def breaks(self, stage: Stage) -> tuple[tuple[str, Stage], ...]:
        """The forecasts that a fault of this environment turns to no."""
        return tuple((name, stage) for name in self.services)

    def find(self, name: str) -> tuple[EnvRequirement, ...]:
        """The direct requirements on this distribution (normalised name)."""
        return tuple(r for r in self.requirements if r.key == name)


@value
class SystemPackage:
    """A distribution package that an image's own stages install.

    ``base`` is the base image of its stage. ``foreign``: the stage knows archives other than the
    distribution's own. ``removed``: a later command of the stage takes it away, with what it
    brought along.
    """

    name: str
    manager: str
    at: Location
    version: str | None = None
    stage: int = 0
    shipped: bool = True
    recommends: bool = True
    base: Base | None = None
    foreign: bool = False
    removed: bool = False
    # Installed only under a condition, or after a command that may have failed.
    conditional: bool = False


@value
class BuiltImage:
    """One stage of a Dockerfile as one build leaves it, with what surrounds it."""

    key: str
    dockerfile: Dockerfile
    image: Image
    context: str
    base: Base | None
    system_packages: tuple[SystemPackage, ...] = ()
    # Why more may be installed than ``system_packages`` says (a script that was not read).
    opaque_system: tuple[str, ...] = ()
    environment: Environment | None = None
    is_dev: bool = False
    # Names of the services that run it.
    services: tuple[str, ...] = ()
    # Programs that its own RUNs certainly bring (console scripts, apt packages).
    programs: frozenset[str] = frozenset()
    # The Python of the stage that installed the packages, where the image has another.
    foreign_python: tuple[str, Location] | None = None
    # Its FROM names an image that another Dockerfile of the repository builds.
    base_is_local: bool = False
    # Sources of COPY that are made or put there before the build, and what says so.
    made_by_hand: tuple[tuple[str, str], ...] = ()
    # Something that was copied in may bring programs that cannot be named.
    opaque_programs: bool = False
    # Programs of the distributions came along with them.
    scripts_shipped: bool = True
    build_args: tuple[tuple[str, Value], ...] = ()
    # Nothing in the repository says from which directory it is built.
    context_guessed: bool = False
    # Somebody else's image of a model server, run as it is.
    pulled: bool = False

    def breaks(self, stage: Stage) -> tuple[tuple[str, Stage], ...]:
        """The forecasts that a fault of this image turns to no."""
        return tuple((name, stage) for name in self.services)

    @property
    def copy_problems(self) -> tuple[CopyProblem, ...]:
        return self.image.copy_problems

    def lost_by_copy(self, path: str) -> bool:
        """A COPY that finds nothing was to bring this path: the build fails before it is missed."""
        parts = path.split("/")
        return any(
            problem.certain
            and problem.kind in ("missing", "ignored", "case")
            and posixpath.basename(problem.source.rstrip("/")) in parts
            for problem in self.image.copy_problems
        )

    def _packaged(self, name: str) -> bool:
        """Whether a package that is installed, or brought along by one, has this program."""
        mine = [p for p in self.system_packages if p.shipped and not p.removed]
        if not any(p.manager in ("apt", "dpkg") for p in mine):
            return False
        from auditor.linking import sonames

        suite = self.base.release if self.base is not None else None
        release = sonames.release(suite if suite in sonames.SUITES else sonames.NEWEST)
        package = release.program(name)
        if package is None:
            return False
        lean = [p.name for p in mine if not p.recommends]
        full = [p.name for p in mine if p.recommends]
        return package in {p.name for p in mine} | release.brings(
            lean, recommends=False
        ) | release.brings(full, recommends=True)

    def provides_program(self, name: str) -> bool | None:
        """Whether a program of that base name is on the PATH; None when unknown."""
        if name in self.programs:
            return True
        for directory in _BIN:
            found = self.image.fs.lookup(f"{directory}/{name}")
            if isinstance(found, Present) and not isinstance(found.source, BaseSource):
                return True
        known = self.base.has_program(name) if self.base else None
        if known is not False:
            return known
        if any(p.shipped and p.name.startswith(f"{name}-") for p in self.system_packages):
            return None  # ``nginx-light`` brings nginx
        if self._packaged(name):
            return True
        if self.opaque_programs:
            return None
        environment = self.environment
        brought = environment.installed if environment is not None else None
        if self.scripts_shipped and brought is not None and brought.has(name):
            return None  # a wheel may bring a program of its name that is no console script
        if self.scripts_shipped and brought is not None and brought.provides(name).answer == "yes":
            return None  # a release that is installed brings the distribution, or did once
        if name in system_programs() or environment is None:
            return False
        path = next((v.value for v in self.image.env if v.name == "PATH"), "")
        for directory in path.split(":") if isinstance(path, str) else ():
            if directory.startswith("/") and directory not in _BIN:
                found = self.image.fs.lookup(f"{directory}/{name}")
                if not isinstance(found, Absent):
                    return None  # something that was not understood may have put it there
        # A console script of a distribution that nobody knows may have any name.
        installed = environment.installed
        if installed is None or not installed.complete or installed.unknown:
            return None
        return (
            None
            if any(s.fact and (s.fact.local_paths or s.fact.editable) for s in environment.steps)
            else False
        )


@value
class Variable:
    """A variable of the container. ``source``: image, compose, env-file, docker-run, shell (of whoever
    starts it: Compose hands it on, if it is set there).
    """

    name: str
    value: Value
    at: Location | None
    source: str


@value
class Listen:
    """An address that the service's server binds. ``host`` and ``port`` Unknown when undecided.

    ``at`` is what decides the port; ``source``: command, config, environment, code, default.
    """

    host: Value
    port: int | Unknown
    at: Location
    source: str
    server: str
    host_at: Location | None = None

    @property
    def loopback(self) -> bool:
        """Only the container itself can connect."""
        return isinstance(self.host, str) and (
            self.host in ("localhost", "::1", "[::1]") or self.host.startswith("127.")
        )


@value
class Proxied:
    """Where a proxy sends requests: a name of the network, or the container itself.

    ``prefix``: they all begin with it, and are passed on as they are.
    """

    host: str
    port: int
    at: Location
    server: str
    prefix: str = ""


@value
class Published:
    """A port of the container made reachable. ``host_port`` None: the engine picks one.

    ``source``: compose, docker-run (README, script, CI), kubernetes, platform ($PORT), routed (a
    platform's own setting).
    """

    container_port: int | Unknown
    host_port: int | Unknown | None
    host_ip: str | None
    protocol: str
    at: Location
    source: str
    # Documentation shows how the author runs it; it does not bind anybody.
    documented_only: bool = False


@value
class Mount:
    """Something mounted over the image's files at ``target`` (absolute)."""

    target: Value
    kind: Literal["bind", "volume", "tmpfs", "other"]
    at: Location
    # For a bind inside the repository: the path there; None otherwise.
    source: str | None = None
    source_text: str = ""
    source_exists: bool | None = None
    # Git ignores the source: it is made or put there by hand.
    made_by_hand: bool = False
    read_only: bool = False
    named: bool = False
    # Another service mounts it too, and may put files there.
    shared_with: str = ""
    # Exactly these files lie there, by their path below the target ("": the target is one);
    # None when that is not known.
    files: tuple[str, ...] | None = None


@value
class Sealed:
    """Directories whose file systems the process cannot write: ``paths``, except ``writable``."""

    because: str
    at: Location
    paths: tuple[str, ...] = ("/",)
    writable: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether a path lies in it."""
        return _below(path, self.paths) and not _below(path, self.writable)


def _below(path: str, directories: tuple[str, ...]) -> bool:
    return any(path == d or path.startswith(f"{d.rstrip('/')}/") for d in directories)


@value
class HealthCheck:
    """A health check: what it runs or asks. ``program`` and ``url`` parts None when not seen."""

    at: Location
    source: Literal["dockerfile", "compose", "kubernetes", "platform"]
    disabled: bool = False
    programs: tuple[str, ...] = ()
    host: str | None = None
    port: int | None = None
    path: str | None = None
    scheme: str = "http"
    # It posts, as far as its text says; a script that it runs, as written.
    posts: bool = False
    script: str | None = None
    # Modules that an inline program of Python imports.
    modules: tuple[str, ...] = ()
    # A variable of the address that no shell is there to expand.
    literal: str = ""
    # Which probe of Kubernetes it is.
    role: Literal["health", "startup", "liveness", "readiness"] = "health"


@value
class Entry:
    """Code that the service runs: the trace of its entry module, and who serves it."""

    trace: Trace
    module: str
    attribute: str | None
    at: Location
    server: str
    # Root directories on ``sys.path`` in the image, first wins.
    roots: tuple[str, ...] = ()


@value
class StartFault:
    """Something that keeps the command from starting; found while following it.

    ``kind``: module, attribute, script, not-executable, crlf, interpreter, program,
    literal-variable, arguments, no-command, no-dockerfile, server-missing, env-file.
    """

    kind: str
    message: str
    at: Location
    related: tuple[tuple[Location, str], ...] = ()
    certain: bool = True
    # It depends on something that people do by hand.
    possible: bool = False
    # The repository shows how to mend it, and goes without all the same.
    documented: bool = False
    stage: Stage = Stage.STARTS
    evidence: tuple[tuple[str, str], ...] = ()
    # Compose refuses the whole project, not this service alone.
    everyone: bool = False


@value
class LogFile:
    """A file that something in the container logs to. ``rotates`` is None when undecided.

    ``by`` says what writes it. ``logrotate``: a configuration that names it, which nothing in
    the container runs.
    """

    path: Value
    at: Location
    by: str
    rotates: bool | None
    certain: bool = True
    logrotate: Location | None = None


@value
class Tensor:
    """An input or output that a model server's configuration declares."""

    name: str
    type: str
    dims: tuple[int, ...]
    at: Location


@value
class ServedModel:
    """A model that a model server is told to serve; ``file`` is the repository's, None if unseen.

    ``batches``: the largest batch that the server makes (0: the model's own first axis is asked
    with as it is); None when the configuration does not say.
    """

    server: str
    name: str
    at: Location
    backend: str = ""
    file: str | None = None
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    batches: int | None = None
    batches_at: Location | None = None
    # ``KIND_GPU`` and the like, with the place.
    gpu_at: Location | None = None


@value
class Service:
    """Something that is started, with everything known of how."""

    name: str
    at: Location
    origin: Literal["compose", "dockerfile", "procfile", "kubernetes", "platform", "systemd"]
    image: BuiltImage | None = None
    image_reference: str | None = None
    compose: ComposeService | None = None
    project: ComposeProject | None = None
    workload: Workload | None = None
    container: Container | None = None
    variables: tuple[Variable, ...] = ()
    # False: what the platform adds at run time is not visible here (a lone Dockerfile).
    variables_complete: bool = False
    # Names that documentation, settings or scripts mention: somebody may set those.
    spoken_of: frozenset[str] = field(default=frozenset(), repr=False)
    cwd: Value = "/"
    cwd_at: Location | None = None
    user: Value | None = None
    user_at: Location | None = None
    argv: tuple[str, ...] | None = None
    command_at: Location | None = None
    command_form: str | None = None
    processes: tuple[MainProcess, ...] = ()
    entries: tuple[Entry, ...] = ()
    # Programs of the start script that must succeed before the server is started.
    preludes: tuple[Entry, ...] = ()
    listens: tuple[Listen, ...] = ()
    listens_complete: bool = False
    published: tuple[Published, ...] = ()
    mounts: tuple[Mount, ...] = ()
    # File systems that it cannot write, where nothing is mounted over them.
    sealed: tuple[Sealed, ...] = ()
    health: tuple[HealthCheck, ...] = ()
    faults: tuple[StartFault, ...] = ()
    environment: Environment | None = None
    # Parsed files of the modules its entries import, by repository path.
    module_facts: Mapping[str, ModuleFacts] = field(default_factory=dict, compare=False)
    # Paths that its code opens, resolved against what the container sees.
    reads: tuple[PathLink, ...] = ()
    writes: tuple[WriteLink, ...] = ()
    # Modules of the repository that its user may not read.
    closed: tuple[ClosedModule, ...] = ()
    # Files in the container that its processes log to.
    log_files: tuple[LogFile, ...] = ()
    # Modules of the repository that artifacts name and its code can import, with the names that
    # they bind (None: not known); ``unsure_modules`` may or may not be there.
    importable: Mapping[str, ProjectModule] = field(default_factory=dict, compare=False)
    unsure_modules: frozenset[str] = frozenset()
    # Those of them that somebody makes by hand on the machines that build, and who or what says so.
    modules_by_hand: tuple[tuple[str, str], ...] = ()
    # Modules that artifacts name, the repository has, and the image does not.
    absent_modules: frozenset[str] = frozenset()
    # What is known of a database, broker or monitor that is pulled.
    backing: Backing | None = None
    # Links that stayed open, as (stage, reason).
    open_links: tuple[tuple[Stage, str], ...] = ()
    # Where the proxy that it runs sends requests.
    proxies: tuple[Proxied, ...] = ()
    # Other containers share its network: what it publishes may lead to them.
    lends_network: bool = False
    # A supervisor stays up whatever becomes of the programs that it starts.
    supervised: bool = False
    # Its server imports the application in processes of their own, which it starts again and
    # again; ``in_parent``: the script that starts it so, which it runs itself.
    relaunches: bool = False
    in_parent: str = ""
    is_web: bool | None = None
    # What its model servers are told to serve.
    models: tuple[ServedModel, ...] = ()
    # Options that its servers' configuration files give (``gunicorn.conf.py``, …).
    configured: tuple[Option, ...] = ()
    is_dev: bool = False
    profiles: tuple[str, ...] = ()

    def variable(self, name: str) -> Variable | None:
        """The variable as the container sees it."""
        return next((v for v in reversed(self.variables) if v.name == name), None)

    def may_be_set(self, name: str) -> bool:
        """Whether a variable that is not seen may be set where the container is started."""
        return not self.variables_complete and name in self.spoken_of

    @property
    def host_network(self) -> bool:
        """It shares the host's network: nothing is published, everything is reachable."""
        if self.origin == "systemd":
            return True
        if self.workload is not None:
            return self.workload.pod.host_network
        mode = self.compose.network_mode if self.compose else None
        return mode is not None and mode.value == "host"

    def breaks(self, stage: Stage) -> tuple[tuple[str, Stage], ...]:
        """The forecast that a fault of this service turns to no."""
        if self.supervised and stage is Stage.STARTS:
            stage = Stage.REACHABLE
        return ((self.name, stage),)

    def loading(self, at: Location) -> tuple[tuple[str, Stage], ...]:
        """The forecast that code at ``at`` turns to no by failing before anything is served."""
        lost = self.relaunches and at.path != self.in_parent
        return self.breaks(Stage.REACHABLE if lost else Stage.STARTS)

    @property
    def runs(self) -> tuple[Entry, ...]:
        """All code that runs until the service answers, the server's last."""
        return self.preludes + self.entries

    @property
    def has_init(self) -> bool:
        """The engine puts an init in front (``init: true``), which passes signals on."""
        return self.compose is not None and self.compose.init

    @property
    def ours(self) -> bool:
        """Built from this repository."""
        return self.image is not None and not self.image.pulled

    @property
    def deployed(self) -> bool:
        """A workload of the manifests whose image is built here, or in another repository."""
        return self.workload is not None and (self.image is None or not self.image.pulled)


@value
class Artifact:
    """A model file of the repository, as judged from its bytes (``facts`` of ``artifacts.scan``).

    ``dumped`` is where the project's own code writes it, for one that is made while building: its
    ``path`` is then the image's, and ``facts`` what that code tells.
    """

    path: str
    facts: ArtifactFacts
    is_dev: bool = False
    dumped: Location | None = None

    @property
    def at(self) -> Location:
        """Where it is, or is made."""
        return self.dumped or Location(self.path)


@value
class Load:
    """An artifact, the environment that loads it, and what happens then.

    ``service`` and ``access`` are None where no code was seen that loads it.
    """

    artifact: Artifact
    environment: Environment
    result: Compatibility
    loader: str
    service: Service | None = None
    access: FileAccess | None = None


@value
class IndexedRelease:
    """What the package index says of a pinned release.

    ``state``: ``there``, ``yanked`` (``reason`` as its author gave it), ``absent``, or ``unknown``
    (``reason`` says what could not be asked). ``newest`` is the newest release.
    """

    state: Literal["there", "yanked", "absent", "unknown"]
    reason: str = ""
    newest: str = ""


@value
class Conflict:
    """Requirements of one environment that no release of ``name`` satisfies together.

    ``parts`` are (who asks, what for), as pip says it.
    """

    name: str
    parts: tuple[tuple[str, str], ...]


@value
class Deployment:
    """Everything that one repository deploys."""

    root: str
    services: tuple[Service, ...] = ()
    images: tuple[BuiltImage, ...] = ()
    environments: tuple[Environment, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    loads: tuple[Load, ...] = ()
    # Loads of what the project's own code pickles while building or before the start.
    made_loads: tuple[Load, ...] = ()
    projects: tuple[ComposeProject, ...] = ()
    # Other ways to start them: with a file for development or a GPU, or without that for production.
    variants: tuple[ComposeProject, ...] = ()
    python_claims: tuple[PythonClaim, ...] = ()
    version_files: tuple[PythonVersion, ...] = ()
    modules: Mapping[str, ModuleFacts] = field(default_factory=dict, compare=False)
    # Modules that export PyTorch models, whether a service imports them or not.
    exporters: tuple[ModuleFacts, ...] = field(default=(), compare=False)
    # Every Python file of the repository, read or not.
    python_files: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    target_python: str | None = None
    # "docker run" lines of documentation and scripts that could be tied to no image.
    notes: tuple[str, ...] = ()
    # Every file of the repository.
    files: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    # Dockerfiles and Compose files that the repository's own way of deploying leaves out, and why.
    unused: Mapping[str, str] = field(default_factory=dict, compare=False)
    # Services whose address a documented switch in the code decides, and why.
    switched: Mapping[str, str] = field(default_factory=dict, compare=False)
    is_library: bool = False
    # With --online: pinned releases by (name, version), and conflicts by environment.
    indexed: Mapping[tuple[str, str], IndexedRelease] = field(default_factory=dict, compare=False)
    conflicts: Mapping[str, Conflict] = field(default_factory=dict, compare=False)
    # Manifests, gateways and programs that no service runs.
    surroundings: Surroundings = field(default_factory=Surroundings)
    cluster: Cluster = field(default_factory=Cluster)
    packaged: tuple[Packaged, ...] = ()
    # What building and running it showed; None when that was not tried.
    rehearsal: Rehearsal | None = None
    _neighbours: list[Neighbours] = field(default_factory=list, init=False, compare=False)

    @property
    def deployable(self) -> bool:
        """There is something here to deploy."""
        run = self.services or self.cluster.workloads
        return bool(run or self.artifacts or self.environments)

    def defines_module(self, module: str) -> bool:
        """Whether a dotted module name may be a file of this repository, whatever the path root."""
        stem = module.replace(".", "/")
        endings = (f"{stem}.py", f"{stem}/__init__.py")
        return any(
            path in endings or path.endswith(tuple(f"/{e}" for e in endings))
            for path in self.python_files
        )

    def module_for(self, path: str, module: str) -> ModuleFacts | None:
        """The parsed file that ``path`` imports as ``module`` (with its leading dots)."""
        from auditor.parsers.python.modes import module_paths

        return next(
            (self.modules[p] for p in module_paths(path, module) if p in self.modules), None
        )

    @property
    def neighbours(self) -> Neighbours:
        """The services by project, name and port; made when first asked for."""
        if not self._neighbours:
            from auditor.deployment.neighbours import Neighbours

            self._neighbours.append(Neighbours(self.services))
        return self._neighbours[0]

    def services_of(self, names: Iterable[str]) -> tuple[Service, ...]:
        """The services of these names."""
        return self.neighbours.named(names)
