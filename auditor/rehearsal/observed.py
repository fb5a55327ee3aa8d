"""What a rehearsal saw, as plain values: the only thing that checks and reports know of it."""

from __future__ import annotations

from typing import Literal

from auditor.result import Answer, Forecast
from auditor.source import Location
from auditor.values import value


@value
class Cause:
    """Why something ended: in words, with the last lines that say so.

    ``kind``: exit, signal, oom, import, library, file, permission, exception, port, build,
    environment, config, timeout. ``subject`` is the module, library, file or variable that is
    missing; ``error`` the line that names it.
    """

    kind: str
    text: str
    error: str = ""
    subject: str | None = None
    tail: tuple[str, ...] = ()


@value
class Build:
    """One image build. ``ok`` None: it could not be tried, or the surroundings failed it."""

    image: str
    ok: bool | None
    seconds: float = 0.0
    builder: str = ""
    cause: Cause | None = None
    size: int | None = None
    # (size in bytes, instruction) of each layer of the image's own, largest first.
    layers: tuple[tuple[int, str], ...] = ()


@value
class Difference:
    """Something in which two builds of one image differ. ``kind``: package, file, setting."""

    kind: str
    name: str
    first: str
    second: str
    why: str = ""


@value
class Reproduction:
    """Two builds of one image compared; ``same`` ignores what only carries the time."""

    image: str
    same: bool
    differences: tuple[Difference, ...] = ()
    # Files whose content is the same but for the time of the build.
    timestamps: int = 0


@value
class Socket:
    """A socket that a process in the container really listens on."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        return self.host.startswith("127.") or self.host == "::1"


@value
class Exchange:
    """One HTTP request through the published port. ``status`` None: no HTTP answer."""

    method: str
    path: str
    status: int | None
    error: str = ""
    body: str = ""
    # Where the request came from: schema, static, body, guess.
    source: str = ""
    answer: str = ""


@value
class Stop:
    """What SIGTERM did to the service while it was asked."""

    seconds: float
    exit_code: int | None
    sent: int = 0
    lost: int = 0
    grace: float = 10.0

    @property
    def killed(self) -> bool:
        """It did not heed SIGTERM and was killed when the grace was over."""
        return self.exit_code == 137 and self.seconds >= self.grace - 0.5


@value
class Load:
    """One load phase. Latencies in milliseconds."""

    rate: float
    seconds: float
    requests: int
    errors: int
    throughput: float
    p50: float
    p95: float
    p99: float
    worst: float
    statuses: tuple[tuple[str, int], ...] = ()

    @property
    def error_percent(self) -> float:
        return 100.0 * self.errors / self.requests if self.requests else 0.0


@value
class Limits:
    """What a service must keep to under load."""

    p95_ms: float = 200.0
    error_percent: float = 0.1
    throughput: float = 100.0


@value
class Burst:
    """Ten times the sustained load. ``recovery`` None: it did not recover while watched."""

    sustained: float
    offered: float
    load: Load
    shed: int
    timeouts: int
    recovery: float | None
    alive: bool = True


@value
class Swap:
    """The model replaced under load, by the way the repository offers. ``way`` None: none.

    ``model``: given (by the user), varied (a copy with other numbers), same (nothing new to see).
    ``swapped`` None: it cannot be told. Seconds count from the moment of the trigger.
    """

    way: str | None
    path: str = ""
    sent: int = 0
    lost: int = 0
    seconds: float = 0.0
    swapped: bool | None = None
    note: str = ""
    model: Literal["given", "varied", "same"] = "same"
    # The first answer of the new model, and when the last one of the old had been given.
    first_new: float | None = None
    all_new: float | None = None
    # Answers of the old model after the first of the new; of the last answers watched, how many.
    mixed: int = 0
    last: int = 0
    last_old: int = 0


@value
class Slow:
    """Something that the service asks, held still for ``seconds`` while requests came in.

    ``kind``: service (of the same project, paused), host (of the network, silent). ``hung`` had
    no answer within ``patience``; ``recovery`` None: it did not recover while watched.
    """

    dependency: str
    kind: Literal["service", "host"]
    seconds: float
    patience: float
    sent: int = 0
    hung: int = 0
    failed: int = 0
    worst: float = 0.0
    statuses: tuple[tuple[str, int], ...] = ()
    # Whether another route answered meanwhile; None: there is none to ask.
    other_route: str = ""
    other_answered: bool | None = None
    recovery: float | None = None
    alive: bool = True


@value
class LogGrowth:
    """Bytes that the container logs for each request, and where that leads."""

    bytes_per_request: float
    requests: int
    driver: str
    bounded: bool
    # Days until so many gigabytes are full at the rate of the limits.
    days: float | None = None
    free_gb: float = 0.0


@value
class Memory:
    """Memory of the container before and after the load, in bytes."""

    before: int
    after: int
    requests: int


@value
class Drills:
    """What was tried on a service that answers."""

    load: Load | None = None
    burst: Burst | None = None
    stop: Stop | None = None
    swap: Swap | None = None
    slow: tuple[Slow, ...] = ()
    log: LogGrowth | None = None
    memory: Memory | None = None
    # Seconds until it answered again after SIGKILL; None: it was not tried.
    restart: float | None = None
    restart_note: str = ""
    skipped: tuple[tuple[str, str], ...] = ()


@value
class Imported:
    """A requirement imported inside the image."""

    distribution: str
    module: str
    ok: bool
    cause: Cause | None = None


@value
class Contrast:
    """Something that the static model was sure of and the image has otherwise.

    ``at`` is where the model read it; None where nothing in the repository says so.
    """

    what: str
    said: str
    found: str
    why: str = ""
    at: Location | None = None


@value
class Unfound:
    """A shared object that names another one which the dynamic loader does not find."""

    path: str
    soname: str
    # The distribution that brought the object; "" where none is on record.
    distribution: str = ""


@value
class Inside:
    """What the image really holds."""

    python: str | None = None
    distributions: tuple[tuple[str, str], ...] = ()
    pip_check: tuple[str, ...] = ()
    imports: tuple[Imported, ...] = ()
    missing_sonames: tuple[Unfound, ...] = ()
    user: str | None = None
    uid: int | None = None
    workdir: str | None = None
    writable: tuple[str, ...] = ()
    differences: tuple[Contrast, ...] = ()
    problem: str = ""


@value
class Event:
    """Something an artifact did while it was loaded. ``kind``: open, write, socket, process,
    import, exec, other; ``benign`` when loading such a file does this anyway.
    """

    kind: str
    detail: str


@value
class ArtifactLoad:
    """One artifact loaded in the sandbox.

    ``outcome``: loads, warns, fails, contained (a limit or the wall stopped it), refused (judged
    dangerous), skipped. ``forged``: the report did not come from the loader.
    """

    path: str
    environment: str
    outcome: Literal["loads", "warns", "fails", "contained", "refused", "skipped"]
    loader: str = ""
    sandbox: str = "container"
    error: str = ""
    cause: Cause | None = None
    warnings: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    seconds: float | None = None
    peak_bytes: int | None = None
    reason: str = ""


@value
class ServiceRun:
    """One service as it was built, started and asked."""

    name: str
    observed: Forecast
    image: str | None = None
    build: Build | None = None
    started: bool | None = None
    cause: Cause | None = None
    seconds: float | None = None
    sockets: tuple[Socket, ...] = ()
    # (container port, host port on 127.0.0.1) as published for the rehearsal.
    published: tuple[tuple[int, int], ...] = ()
    health: str | None = None
    health_log: str = ""
    exchanges: tuple[Exchange, ...] = ()
    reach_cause: Cause | None = None
    predict_cause: Cause | None = None
    drills: Drills | None = None
    notes: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()
    at: Location | None = None

    def answer(self, stage: str) -> Answer:
        return dict(self.observed.answers())[stage]


@value
class Rehearsal:
    """Everything one rehearsal saw."""

    run: str
    engine: str = ""
    builder: str = ""
    seconds: float = 0.0
    services: tuple[ServiceRun, ...] = ()
    builds: tuple[Build, ...] = ()
    inside: tuple[tuple[str, Inside], ...] = ()
    artifacts: tuple[ArtifactLoad, ...] = ()
    reproductions: tuple[Reproduction, ...] = ()
    limits: Limits = Limits()
    notes: tuple[str, ...] = ()

    def service(self, name: str) -> ServiceRun | None:
        """What happened to the service of that name; None when it was not rehearsed."""
        return next((s for s in self.services if s.name == name), None)
