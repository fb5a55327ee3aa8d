"""Load on one HTTP service over raw asyncio transports: open loop at a rate, or closed loop.

In the open loop requests are due at fixed moments whether or not earlier ones were answered, and
a latency counts from the moment the request was due. In the closed loop each connection sends its
next request when the last one is answered, and the histogram is corrected for the requests that
were not sent meanwhile. Neither hides a stall. Bounded in requests, time and connections.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from auditor.errors import UsageError
from auditor.rehearsal.examples import Request
from auditor.rehearsal.histogram import Histogram
from auditor.values import value

MOST_REQUESTS: Final = 2_000_000
MOST_SECONDS: Final = 3_600.0
MOST_CONNECTIONS: Final = 2_000
_SAMPLES: Final = 500_000
_SWEEP: Final = 0.05
_HEAD: Final = 65_536


@value
class Target:
    """The one address that requests go to: what the user named."""

    host: str
    port: int
    tls: bool = False
    path: str = "/"

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def target_of(url: str) -> Target:
    """The address of a URL; UsageError when it is none."""
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url}: expected http://HOST[:PORT][/PATH] or https://…")
    if parts.username or parts.password:
        raise UsageError("credentials belong into --header 'Authorization: …', not into the URL")
    tls = parts.scheme == "https"
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    return Target(host=parts.hostname, port=port or (443 if tls else 80), tls=tls, path=path)


def encode(target: Target, request: Request, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """The request as it goes over the wire."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    default = 443 if target.tls else 80
    given = {
        "Host": host if target.port == default else f"{host}:{target.port}",
        "User-Agent": "deploy-audit",
        "Accept": "*/*",
    }
    if request.content_type:
        given["Content-Type"] = request.content_type
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        given["Content-Length"] = str(len(request.body))
    given |= dict(request.headers) | dict(headers)
    words = (request.method, request.path, *given, *given.values())
    if any(c in word for word in words for c in "\r\n\0"):
        raise UsageError("a header or path holds a line break")
    head = f"{request.method} {request.path} HTTP/1.1\r\n"
    head += "".join(f"{name}: {text}\r\n" for name, text in given.items()) + "\r\n"
    return head.encode("latin-1", "replace") + request.body


@value
class Shape:
    """How to load. ``rate`` None: closed loop. ``requests`` and ``seconds`` are both bounds."""

    rate: float | None
    seconds: float = 10.0
    warmup: float = 0.0
    connections: int = 10
    requests: int = MOST_REQUESTS
    timeout: float = 10.0


@dataclass(slots=True)
class Outcome:
    """What came back. Latencies in the histogram are corrected for coordinated omission."""

    histogram: Histogram = field(default_factory=Histogram)
    statuses: dict[int, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    answered: int = 0
    seconds: float = 0.0
    # (seconds since the start, milliseconds) of each answer, up to a bound, for the plot.
    times: array[float] = field(default_factory=lambda: array("d"))
    millis: array[float] = field(default_factory=lambda: array("d"))

    @property
    def errors(self) -> int:
        """Requests without an answer, and answers of 400 and above."""
        return sum(self.failures.values()) + sum(n for s, n in self.statuses.items() if s >= 400)

    @property
    def total(self) -> int:
        return self.answered + sum(self.failures.values())

    @property
    def throughput(self) -> float:
        """Good answers per second."""
        good = sum(n for s, n in self.statuses.items() if s < 400)
        return good / self.seconds if self.seconds else 0.0

    @property
    def error_percent(self) -> float:
        return 100.0 * self.errors / self.total if self.total else 0.0

    @property
    def shed(self) -> int:
        """Answers that say to come back later."""
        return self.statuses.get(429, 0) + self.statuses.get(503, 0)

    def millis_at(self, percent: float) -> float:
        return self.histogram.percentile(percent) / 1000.0


Tick = Callable[[float, Outcome], None]


class _Connection(asyncio.Protocol):
    """One keep-alive connection that carries one request at a time."""

    __slots__ = (
        "buffer",
        "chunked",
        "due",
        "fresh",
        "left",
        "load",
        "sent_at",
        "state",
        "status",
        "transport",
        "until_close",
        "used",
    )  # fmt: skip

    def __init__(self, load: _Load) -> None:
        self.load = load
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.state = "idle"
        self.status = 0
        self.left = 0
        self.chunked = False
        self.until_close = False
        self.due = 0.0
        self.sent_at = 0.0
        self.used = False
        self.fresh = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, data: bytes, due: float) -> None:
        """Send one request that was due at that moment."""
        self.due = due
        self.sent_at = time.perf_counter()
        self.state = "head"
        self.buffer = b""
        assert self.transport is not None
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.state == "idle":
            return
        if self.state == "head":
            self.buffer += data
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > _HEAD:
                    self._fail("not HTTP")
                return
            head, data = self.buffer[:end], self.buffer[end + 4 :]
            self.buffer = b""
            if not self._head(head):
                self._fail("not HTTP")
                return
            if 100 <= self.status < 200:
                self.state, self.buffer = "head", b""
                if data:
                    self.data_received(data)
                return
            self.state = "body"
        if self.chunked:
            self._chunks(data)
        elif self.until_close:
            pass
        else:
            self.left -= len(data)
            if self.left <= 0:
                self._done()

    def _head(self, head: bytes) -> bool:
        if not head.startswith(b"HTTP/1.") or not head[9:12].isdigit():
            return False
        self.status = int(head[9:12])
        self.chunked = self.until_close = False
        self.left = 0
        lowered = head.lower()
        at = lowered.find(b"\r\ncontent-length:")
        self.fresh = b"\r\nconnection: close" not in lowered and not head.startswith(b"HTTP/1.0")
        if at >= 0:
            word = lowered[at + 17 :].split(b"\r\n", 1)[0].strip()
            if not word.isdigit():
                return False
            self.left = int(word)
        elif b"\r\ntransfer-encoding:" in lowered and b"chunked" in lowered:
            self.chunked = True
        elif self.status not in (204, 304) and self.status >= 200:
            self.until_close = True
        if self.status in (204, 304):
            self.left = 0
        return True

    def _chunks(self, data: bytes) -> None:
        """Walk the chunks; ``left`` is what is missing of the current one, with its line end."""
        self.buffer += data
        while True:
            if self.left > 0:
                taken = min(self.left, len(self.buffer))
                self.buffer = self.buffer[taken:]
                self.left -= taken
                if self.left:
                    return
            end = self.buffer.find(b"\r\n")
            if end < 0:
                return
            try:
                size = int(self.buffer[:end].split(b";", 1)[0], 16)
            except ValueError:
                self._fail("not HTTP")
                return
            if size == 0:
                # Trailers are not expected; the blank line ends the body.
                if b"\r\n\r\n" in self.buffer[end:] or self.buffer[end:].startswith(b"\r\n\r\n"):
                    self._done()
                elif len(self.buffer) > _HEAD:
                    self._fail("not HTTP")
                return
            self.buffer = self.buffer[end + 2 :]
            self.left = size + 2

    def _done(self) -> None:
        self.state = "idle"
        self.used = True
        self.load.answered(self)

    def _fail(self, why: str) -> None:
        if self.state == "idle":
            return
        self.state = "idle"
        self.fresh = False
        if self.transport is not None:
            self.transport.abort()
        self.load.failed(self, why)

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.fresh = False
        if self.state == "body" and self.until_close and error is None:
            self._done()
        elif self.state != "idle":
            began = self.state == "body" or bool(self.buffer)
            self.state = "idle"
            self.load.broken(self, began=began)
        else:
            self.load.lost(self)


class _Load:
    """One phase of load on one target."""

    def __init__(
        self,
        target: Target,
        wire: Sequence[bytes],
        shape: Shape,
        tick: Tick | None,
        retry: bool,
        enough: Callable[[], bool] | None = None,
    ) -> None:
        self.enough = enough
        self.target = target
        self.wire = wire
        self.shape = shape
        self.tick = tick
        self.retry = retry
        self.outcome = Outcome()
        self.idle: deque[_Connection] = deque()
        self.every: set[_Connection] = set()
        self.waiting: deque[float] = deque()
        self.opening = 0
        self.issued = 0
        self.recording = shape.warmup <= 0
        self.begun = 0.0
        self.ended = False
        self.finished: asyncio.Event = asyncio.Event()
        self.tls: ssl.SSLContext | None = ssl.create_default_context() if target.tls else None
        self.loop = asyncio.get_running_loop()
        self.tasks: set[asyncio.Task[Any]] = set()

    @property
    def closed(self) -> bool:
        return self.shape.rate is None

    async def run(self) -> Outcome:
        self.begun = time.perf_counter()
        if self.shape.warmup <= 0:
            self._start(self.begun)
        sweeper = self.loop.create_task(self._sweep())
        try:
            if self.closed:
                for _ in range(self.shape.connections):
                    self._open()
                await self.finished.wait()
            else:
                await self._schedule()
        finally:
            self.ended = True
            sweeper.cancel()
            for task in list(self.tasks):
                task.cancel()
            for connection in list(self.every):
                connection.state = "idle"
                if connection.transport is not None:
                    connection.transport.abort()
            await asyncio.gather(sweeper, *self.tasks, return_exceptions=True)
            await asyncio.sleep(0)
        outcome = self.outcome
        outcome.seconds = outcome.seconds or max(time.perf_counter() - self.started, 1e-9)
        if self.closed and outcome.answered:
            interval = outcome.seconds * 1e6 * self.shape.connections / outcome.answered
            outcome.histogram = outcome.histogram.corrected(interval)
        return outcome

    def _start(self, now: float | None = None) -> None:
        """The warm-up is over: what is sent from now on counts."""
        self.recording = True
        self.started = time.perf_counter() if now is None else now
        self.outcome = Outcome()
        self.issued = 0

    # Sending

    async def _schedule(self) -> None:
        """Open loop: every request is due at its moment."""
        rate = self.shape.rate or 1.0
        start = self.begun
        number = 0
        while True:
            now = time.perf_counter()
            if not self.recording and now - self.begun >= self.shape.warmup:
                start, number = now, 0
                self._start(now)
            limit = self.shape.seconds if self.recording else self.shape.warmup
            due = start + number / rate
            if number / rate >= limit - 1e-9 and self.recording:
                break
            if self.recording and self.issued >= self.shape.requests:
                break
            if self.enough is not None and self.enough():
                break
            if due > now:
                await asyncio.sleep(min(due - now, 0.05))
                continue
            self._due(due)
            number += 1
            if number % 64 == 0:
                await asyncio.sleep(0)
        # What is under way may still be answered, but no longer than one is waited for.
        deadline = time.perf_counter() + self.shape.timeout + 0.5
        sending = time.perf_counter() - self.started
        while self._busy() and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        for _ in self.waiting:
            self._count_failure("no connection")
        self.waiting.clear()
        self.outcome.seconds = sending

    def _busy(self) -> bool:
        return bool(self.waiting or self.opening) or any(c.state != "idle" for c in self.every)

    def _due(self, due: float) -> None:
        self.issued += 1
        while self.idle:
            connection = self.idle.popleft()
            if connection.transport is not None and connection.fresh:
                self._send(connection, due)
                return
        self.waiting.append(due)
        if self.opening < len(self.waiting):
            self._open()

    def _send(self, connection: _Connection, due: float) -> None:
        if self.recording:
            self.outcome.sent += 1
        connection.send(self.wire[self.issued % len(self.wire)], due)

    def _next(self, connection: _Connection) -> None:
        """A connection is free."""
        if self.ended:
            return
        if connection.transport is None or not connection.fresh:
            self._drop(connection)
            if self.closed or self.waiting:
                self._open()
            return
        if self.closed:
            if not self._over():
                self.issued += 1
                self._send(connection, time.perf_counter())
        elif self.waiting:
            self._send(connection, self.waiting.popleft())
        else:
            self.idle.append(connection)

    def _over(self) -> bool:
        now = time.perf_counter()
        if not self.recording:
            if now - self.begun < self.shape.warmup:
                return False
            self._start()
            return False
        if now - self.started >= self.shape.seconds or self.issued >= self.shape.requests:
            self.outcome.seconds = self.outcome.seconds or now - self.started
            self.finished.set()
            return True
        return False

    # Connections

    def _open(self) -> None:
        if self.ended or len(self.every) + self.opening >= MOST_CONNECTIONS:
            return
        if self.closed and len(self.every) + self.opening >= self.shape.connections:
            return
        self.opening += 1
        task = self.loop.create_task(self._connect())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _connect(self) -> None:
        connection = _Connection(self)
        begun = time.perf_counter()
        try:
            await asyncio.wait_for(
                self.loop.create_connection(
                    lambda: connection,
                    self.target.host,
                    self.target.port,
                    ssl=self.tls,
                    server_hostname=self.target.host if self.tls else None,
                ),
                self.shape.timeout,
            )
        except (TimeoutError, OSError, ssl.SSLError) as error:
            self.opening -= 1
            refused = isinstance(error, ConnectionRefusedError)
            kind = "connection refused" if refused else "no connection"
            if self.closed:
                self._count_failure(kind)
                await asyncio.sleep(0.05)
                if not self._over():
                    self._open()
            elif self.waiting:
                self.waiting.popleft()
                self._count_failure(kind)
            return
        except asyncio.CancelledError:
            self.opening -= 1
            raise
        self.opening -= 1
        self.every.add(connection)
        if self.ended:
            if connection.transport is not None:
                connection.transport.abort()
            return
        if self.closed and not self.recording:
            connection.due = begun
        self._next(connection)

    def _drop(self, connection: _Connection) -> None:
        self.every.discard(connection)
        if connection.transport is not None:
            connection.transport.close()

    async def _sweep(self) -> None:
        """End requests that wait too long, and the phase when its time is over."""
        shown = 0.0
        while True:
            await asyncio.sleep(_SWEEP)
            now = time.perf_counter()
            for connection in [c for c in self.every if c.state != "idle"]:
                if now - connection.sent_at > self.shape.timeout:
                    connection._fail("timeout")
            while self.waiting and now - self.waiting[0] > self.shape.timeout:
                self.waiting.popleft()
                self._count_failure("timeout")
            if self.closed and self.recording and now - self.started > self.shape.seconds:
                self._over()
            if self.tick is not None and self.recording and now - shown >= 0.25:
                shown = now
                self.tick(now - self.started, self.outcome)

    # Answers

    def answered(self, connection: _Connection) -> None:
        now = time.perf_counter()
        if self.recording and connection.due >= self.started:
            latency = now - connection.due
            outcome = self.outcome
            outcome.histogram.record(int(latency * 1e6))
            outcome.statuses[connection.status] = outcome.statuses.get(connection.status, 0) + 1
            outcome.answered += 1
            if len(outcome.times) < _SAMPLES:
                outcome.times.append(now - self.started)
                outcome.millis.append(latency * 1000.0)
        self._next(connection)

    def broken(self, connection: _Connection, *, began: bool) -> None:
        """The server closed a connection that carried a request."""
        self.every.discard(connection)
        if self.ended:
            return
        if self.retry and connection.used and not began:
            # It was closed while idle, and the request crossed that on its way: any client retries.
            if self.closed:
                self._open()
            else:
                self.waiting.appendleft(connection.due)
                self._open()
            return
        self._record_failure(connection, "connection reset")
        if self.closed:
            self._open()

    def failed(self, connection: _Connection, why: str) -> None:
        self.every.discard(connection)
        self._record_failure(connection, why)
        if self.closed and not self.ended and not self._over():
            self._open()

    def lost(self, connection: _Connection) -> None:
        self.every.discard(connection)
        if self.closed and not self.ended and not self._over():
            self._open()

    def _record_failure(self, connection: _Connection, why: str) -> None:
        if self.recording and connection.due >= self.started:
            self._count_failure(why)

    def _count_failure(self, why: str) -> None:
        if self.recording:
            self.outcome.failures[why] = self.outcome.failures.get(why, 0) + 1

    started: float = float("inf")


async def load_async(
    target: Target,
    wire: Sequence[bytes],
    shape: Shape,
    *,
    tick: Tick | None = None,
    retry: bool = True,
    enough: Callable[[], bool] | None = None,
) -> Outcome:
    """Load the target and say what came back. ``retry``: a kept connection that was closed.

    ``enough`` ends an open loop before its time.
    """
    return await _Load(target, wire, bounded(shape), tick, retry, enough).run()


def bounded(shape: Shape) -> Shape:
    """The shape within what may be asked of anybody."""
    from auditor.values import replace

    return replace(
        shape,
        seconds=min(shape.seconds, MOST_SECONDS),
        warmup=min(shape.warmup, 60.0),
        connections=max(1, min(shape.connections, MOST_CONNECTIONS)),
        requests=min(shape.requests, MOST_REQUESTS),
    )


def load(
    target: Target,
    wire: Sequence[bytes],
    shape: Shape,
    *,
    tick: Tick | None = None,
    retry: bool = True,
) -> Outcome:
    """``load_async`` for callers without a loop."""
    return asyncio.run(load_async(target, wire, shape, tick=tick, retry=retry))
