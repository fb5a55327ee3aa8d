"""What production does to a service, done to it on purpose: load, bursts, stops, swaps, kills.

All traffic goes to the port that the run published on the loopback address. Each drill is bounded
in requests and time, and says why it was left out where it does not apply.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from auditor.rehearsal import asking, load, slow, swap
from auditor.rehearsal.background import Background
from auditor.rehearsal.examples import Request
from auditor.rehearsal.load import Outcome, Shape, Target
from auditor.rehearsal.observed import (
    Burst,
    Drills,
    Exchange,
    Load,
    LogGrowth,
    Memory,
    ServiceRun,
    Stop,
)
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment
    from auditor.rehearsal.rehearse import Options, Say
    from auditor.rehearsal.start import Container, Stack

_LOAD_SECONDS: Final = 10.0
_BURST_SECONDS: Final = 4.0
_TIMEOUT: Final = 5.0
_RECOVERY: Final = 20.0
_HIGHEST: Final = 3_000.0
_STOP_RATE: Final = 20.0
_PLATFORM_ROTATES: Final = ("local", "journald", "none", "gelf", "fluentd", "awslogs", "gcplogs")


def drill(
    stack: Stack, seen: ServiceRun, deployment: Deployment, options: Options, say: Say
) -> ServiceRun:
    """Drill one service that answers; others are returned as they are."""
    container = next((c for c in stack.containers.values() if c.plan.name == seen.name), None)
    if container is None or seen.answer("reachable") != "yes" or not container.plan.service.ours:
        return seen
    outer = next(iter(container.ports().values()), None)
    if outer is None or not container.running():
        return seen
    ports = container.ports()
    answered = seen.exchanges[0] if seen.exchanges else None
    outer = next((o for o in ports.values() if answered and _answers(o, answered.path)), outer)
    inner = next(port for port, published in ports.items() if published == outer)
    request = _request(container, deployment, outer, options, seen)
    say(f"drilling {seen.name} with {request.label}")
    target = Target(host=asking.HOST, port=outer)
    wire = [load.encode(target, request)]
    skipped: list[tuple[str, str]] = []
    made = Drills()
    before_log, before_memory = _log_bytes(container), _memory(container)
    first = _load(target, wire, options.limits.throughput, _LOAD_SECONDS)
    requests = first.total
    made = replace(
        made,
        load=_values(first, options.limits.throughput),
        log=_growth(container, seen, before_log, requests, options),
        memory=_memory_growth(container, before_memory, requests),
    )
    if first.answered:
        made = replace(made, burst=_burst(container, target, wire, first, options))
        _settle(target, wire)
        held, left = slow.drill(stack, container, target, wire, first, request.path, say)
        made = replace(made, slow=held)
        skipped += left
        swapped = swap.drill(stack, container, target, wire, request, deployment, options, say)
        made = replace(made, swap=swapped)
        if swapped.way is None:
            skipped.append(("model swap", swapped.note))
        # A restart may have given it another port.
        target = replace(target, port=container.ports().get(inner, target.port))
    else:
        skipped.append(("burst", "it answers nothing under load"))
    if container.running():
        made = replace(made, stop=_stop(container, target, wire))
        seconds, note = _restart(stack, container)
        made = replace(made, restart=seconds, restart_note=note)
    else:
        skipped.append(("stop", "it had ended before"))
    return replace(seen, drills=replace(made, skipped=tuple(skipped)))


def _answers(port: int, path: str) -> bool:
    return asking.first_answer(port, (path,))[0] is not None


def _request(
    container: Container,
    deployment: Deployment,
    port: int,
    options: Options,
    seen: ServiceRun,
) -> Request:
    """The prediction that was answered; where none was, whatever answers."""
    from auditor.rehearsal.rehearse import valid_request

    if seen.answer("predicts") == "yes":
        found = valid_request(container.plan.service, deployment, port, options)
        if found is not None:
            return found
    first: Exchange | None = seen.exchanges[0] if seen.exchanges else None
    return Request(method="GET", path=first.path if first else "/")


def _load(target: Target, wire: list[bytes], rate: float, seconds: float) -> Outcome:
    shape = Shape(rate=max(rate, 1.0), seconds=seconds, warmup=1.0, timeout=_TIMEOUT)
    return load.load(target, wire, shape)


def _values(outcome: Outcome, rate: float) -> Load:
    return Load(
        rate=rate,
        seconds=round(outcome.seconds, 2),
        requests=outcome.total,
        errors=outcome.errors,
        throughput=outcome.throughput,
        p50=outcome.millis_at(50),
        p95=outcome.millis_at(95),
        p99=outcome.millis_at(99),
        worst=outcome.millis_at(100),
        statuses=(
            *((str(k), v) for k, v in sorted(outcome.statuses.items())),
            *sorted(outcome.failures.items()),
        ),
    )


# Logs and memory


def _log_bytes(container: Container) -> int:
    try:
        data: bytes = container.client.logs(container.id, stdout=True, stderr=True)
    except Exception:
        return 0
    return len(data)


def _growth(
    container: Container, seen: ServiceRun, before: int, requests: int, options: Options
) -> LogGrowth | None:
    if not requests:
        return None
    time.sleep(0.3)
    plan = container.plan
    # The driver wraps each line in JSON with the time: about 90 bytes more.
    try:
        text: bytes = container.client.logs(container.id, stdout=True, stderr=True)
    except Exception:
        return None
    options_of = dict(plan.log_options)
    driver = plan.log_driver or "json-file"
    added = max(len(text) - before, 0)
    lines = text[-added:].count(b"\n") if added else 0
    size = added + (90 * lines if driver == "json-file" else 0)
    each = size / requests
    # Warm-up requests were logged as well, and are not among those counted.
    each *= requests / (requests + options.limits.throughput)
    bounded = driver in _PLATFORM_ROTATES or "max-size" in options_of
    free = shutil.disk_usage("/").free
    per_day = each * options.limits.throughput * 86_400
    return LogGrowth(
        bytes_per_request=each,
        requests=requests,
        driver=driver,
        bounded=bounded,
        days=free / per_day if per_day > 0 else None,
        free_gb=free / 1e9,
    )


def _memory(container: Container) -> int:
    try:
        found: dict[str, Any] = container.client.stats(container.id, stream=False)
        used = found["memory_stats"]
        cache = used.get("stats", {})
        return int(used["usage"]) - int(cache.get("inactive_file", cache.get("cache", 0)))
    except Exception:
        return 0


def _memory_growth(container: Container, before: int, requests: int) -> Memory | None:
    after = _memory(container)
    if not before or not after:
        return None
    return Memory(before=before, after=after, requests=requests)


# Burst


def _burst(
    container: Container, target: Target, wire: list[bytes], first: Outcome, options: Options
) -> Burst:
    """Ten times what it sustains, for a few seconds; then wait until it answers as before."""
    sustained = min(first.throughput, options.limits.throughput) or 1.0
    offered = min(sustained * 10, _HIGHEST)
    shape = Shape(rate=offered, seconds=_BURST_SECONDS, timeout=_TIMEOUT)
    outcome = load.load(target, wire, shape)
    ended = time.monotonic()
    usual = max(first.millis_at(95) * 3, 100.0)
    recovery = None
    while time.monotonic() - ended < _RECOVERY and container.running():
        again = load.load(target, wire, Shape(rate=10.0, seconds=0.5, timeout=2.0))
        if again.answered and not again.errors and again.millis_at(95) <= usual:
            recovery = round(max(time.monotonic() - ended - 0.5, 0.0), 1)
            break
        time.sleep(0.3)
    return Burst(
        sustained=sustained,
        offered=offered,
        load=_values(outcome, offered),
        shed=outcome.shed,
        timeouts=outcome.failures.get("timeout", 0) + outcome.failures.get("no connection", 0),
        recovery=recovery,
        alive=container.running(),
    )


def _settle(target: Target, wire: list[bytes]) -> None:
    load.load(target, wire, Shape(rate=5.0, seconds=0.5, timeout=2.0))


# Stop and restart


def _stop(container: Container, target: Target, wire: list[bytes]) -> Stop:
    """SIGTERM (or the image's own stop signal) while requests are under way."""
    grace = container.plan.grace
    background = Background(target, wire, rate=_STOP_RATE, seconds=grace + 5.0, timeout=_TIMEOUT)
    time.sleep(1.0)
    begun = time.monotonic()
    with suppress(Exception):
        container.client.stop(container.id, timeout=int(grace))
    seconds = time.monotonic() - begun
    outcome = background.join()
    code = container.state().get("ExitCode")
    return Stop(
        seconds=round(seconds, 2),
        exit_code=code if isinstance(code, int) else None,
        sent=outcome.total,
        lost=background.lost,
        grace=grace,
    )


def _restart(stack: Stack, container: Container) -> tuple[float | None, str]:
    """Start it again, kill it, start it again: how long until it answers."""
    from auditor.rehearsal.start import watch

    client = stack.client
    try:
        client.start(container.id)
        time.sleep(0.5)
        client.kill(container.id)
        begun = time.monotonic()
        client.start(container.id)
    except Exception as error:
        return None, " ".join(str(error).split())[:200]
    container.begun = begun
    seen = watch(container, timeout=30.0)
    if seen.answer is None:
        return None, seen.cause.text if seen.cause else "it did not answer again"
    return round(time.monotonic() - begun, 1), ""
