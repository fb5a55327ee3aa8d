"""The load generator against servers on the loopback address whose behaviour is known."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.__main__ import main
from auditor.errors import UsageError
from auditor.rehearsal import load
from auditor.rehearsal.examples import Request
from auditor.rehearsal.histogram import Histogram
from auditor.rehearsal.load import Shape, target_of

Reply = Callable[[int, bytes], tuple[float, bytes]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request with what ``reply`` says after the delay it says."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.count = 0
        self.paths: list[bytes] = []
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._main, daemon=True)
        self.thread.start()
        self.ready.wait(5)

    def _main(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.stop = asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self.stop.wait()
        server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                await reader.readexactly(length)
                self.count += 1
                self.paths.append(head.split(b" ")[1])
                delay, answer = self.reply(self.count, head)
                if delay:
                    await asyncio.sleep(delay)
                if not answer:
                    break
                writer.write(answer)
                if b"connection: close" in answer.lower():
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], Server]]:
    servers: list[Server] = []

    def start(reply: Reply) -> Server:
        servers.append(Server(reply))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def loaded(server: Server, shape: Shape, **more: Any) -> load.Outcome:
    target = target_of(f"http://127.0.0.1:{server.port}/")
    wire = [load.encode(target, Request(method="GET", path="/"))]
    return load.load(target, wire, shape, **more)


def test_open_loop_sends_at_its_rate(serve: Any) -> None:
    server = serve(lambda n, h: (0.0, OK))
    outcome = loaded(server, Shape(rate=100, seconds=2.0, warmup=0.5))
    assert outcome.total == 200 and not outcome.errors
    assert outcome.statuses == {200: 200}
    assert 90 < outcome.throughput < 110
    assert server.count == pytest.approx(250, abs=3)


def test_a_stall_is_not_hidden(serve: Any) -> None:
    def reply(number: int, head: bytes) -> tuple[float, bytes]:
        if number == 50:
            time.sleep(1.0)  # the whole server stands still
        return 0.0, OK

    server = serve(reply)
    outcome = loaded(server, Shape(rate=100, seconds=2.0))
    # A second's stall hits every request that was due meanwhile, about half of them.
    assert outcome.millis_at(75) > 200
    assert outcome.millis_at(100) > 900


def test_closed_loop_corrects_for_what_it_did_not_send(serve: Any) -> None:
    def reply(number: int, head: bytes) -> tuple[float, bytes]:
        return (0.5 if number == 100 else 0.005), OK

    server = serve(reply)
    outcome = loaded(server, Shape(rate=None, seconds=2.0, connections=1))
    assert outcome.answered < outcome.histogram.total
    assert outcome.millis_at(95) > 50


def test_bounded_in_requests_and_time(serve: Any) -> None:
    server = serve(lambda n, h: (0.0, OK))
    assert loaded(server, Shape(rate=None, seconds=30, requests=50, connections=2)).total <= 52
    begun = time.monotonic()
    loaded(server, Shape(rate=None, seconds=0.5))
    assert time.monotonic() - begun < 3


def test_errors_are_told_apart(serve: Any) -> None:
    answers = [
        b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n",
        b"",
        b"garbage\r\n\r\n",
    ]
    server = serve(lambda n, h: (0.0, answers[n % 4]))
    outcome = loaded(server, Shape(rate=40, seconds=1.0), retry=False)
    assert outcome.statuses[500] and outcome.statuses[503] == outcome.shed
    assert outcome.failures["not HTTP"] and outcome.failures["connection reset"]
    assert outcome.errors == outcome.total == 40 and outcome.error_percent == 100.0


def test_timeouts(serve: Any) -> None:
    server = serve(lambda n, h: (5.0, OK))
    outcome = loaded(server, Shape(rate=10, seconds=0.5, timeout=0.3))
    assert outcome.failures == {"timeout": 5}


def test_nobody_there() -> None:
    target = target_of("http://127.0.0.1:1/")
    wire = [load.encode(target, Request(method="GET", path="/"))]
    outcome = load.load(target, wire, Shape(rate=20, seconds=0.5))
    assert outcome.failures == {"connection refused": 10} and not outcome.answered


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3;x=y\r\nyes\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end Connection: close",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    ],
)
def test_every_way_to_end_a_body(serve: Any, answer: bytes) -> None:
    server = serve(lambda n, h: (0.0, answer))
    outcome = loaded(server, Shape(rate=50, seconds=0.6))
    assert outcome.answered == 30 and not outcome.errors


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=300), st.floats(1, 100))
def test_histogram_keeps_three_digits(values: list[int], percent: float) -> None:
    made = Histogram()
    for item in values:
        made.record(item)
    ordered = sorted(values)
    index = max(-(-int(percent * len(values) * 1000) // 100_000), 1) - 1
    exact = ordered[min(index, len(values) - 1)]
    near = ordered[min(index + 1, len(values) - 1)]
    assert exact * 0.999 - 1 <= made.percentile(percent) <= near * 1.001 + 1
    assert made.percentile(100) == max(values)


def test_correction_fills_in_what_would_have_waited() -> None:
    made = Histogram()
    made.record(1000, 90)
    made.record(10_000)
    corrected = made.corrected(1000.0)
    # 9 ms, 8 ms, … down to the interval itself.
    assert corrected.total == 91 + 9
    assert corrected.percentile(50) == 1000


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://a:b@c/", "http://x:99999/"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UsageError):
        target_of(url)


def test_headers_cannot_be_split() -> None:
    with pytest.raises(UsageError):
        load.encode(target_of("http://x/"), Request(method="GET", path="/"), [("A", "b\r\nC: d")])


# The command


def reply_with_schema(number: int, head: bytes) -> tuple[float, bytes]:
    if head.startswith(b"GET /openapi.json"):
        schema = {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}}
        body = json.dumps(
            {
                "paths": {
                    "/predict": {
                        "post": {
                            "requestBody": {"content": {"application/json": {"schema": schema}}}
                        }
                    }
                }
            }
        ).encode()
        return 0.0, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
            len(body),
            body,
        )
    if head.startswith(b"POST /predict"):
        return 0.0, OK
    return 0.0, b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"


def test_probe_asks_what_the_schema_says(serve: Any, capsys: Any, tmp_path: Path) -> None:
    server = serve(reply_with_schema)
    picture = tmp_path / "latency.svg"
    status = main(
        ["probe", f"127.0.0.1:{server.port}", "--duration", "1", "--warmup", "0.2", "--format", "json",
         "--format", "svg", "--output", str(picture), "--p95", "5000", "--quiet"]
    )  # fmt: skip
    found = json.loads(capsys.readouterr().out)["probe"]
    assert status == 0 and found["passed"]
    assert found["request"] == {
        "method": "POST", "path": "/predict", "content_type": "application/json", "bytes": 8,
        "source": "schema",
    }  # fmt: skip
    assert found["requests"] == 100 and found["statuses"] == {"200": 100}
    assert set(found["latency_ms"]) >= {"p50", "p95", "p99", "max"}
    from xml.etree import ElementTree

    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (("--p95", "0.0001"), "p95"),
        (("--throughput", "100000", "--rate", "20"), "requests/s were answered"),
        (("--method", "GET"), "% of the requests failed"),
    ],
)
def test_probe_fails_by_its_limits(
    serve: Any, capsys: Any, extra: tuple[str, ...], said: str
) -> None:
    server = serve(reply_with_schema)
    arguments = ["probe", f"http://127.0.0.1:{server.port}/", "--duration", "0.5", "--warmup", "0"]
    assert main([*arguments, *extra]) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(("status", "advice"), [(401, "--header"), (422, "--body FILE")])
def test_probe_does_not_load_what_is_refused(
    serve: Any, capsys: Any, status: int, advice: str
) -> None:
    """The endpoint that the document describes is named, not loaded; nor is another instead."""
    refused = b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nno" % status

    def reply(count: int, head: bytes) -> tuple[float, bytes]:
        return (0.0, refused) if head.startswith(b"POST") else reply_with_schema(count, head)

    server = serve(reply)
    assert main(["probe", f"http://127.0.0.1:{server.port}/", "--duration", "0.5"]) == 3
    said = capsys.readouterr().err
    assert f"POST /predict is answered with {status} (no)" in said and advice in said
    assert server.count < 20


def test_probe_where_nobody_answers(capsys: Any) -> None:
    assert main(["probe", "http://127.0.0.1:1/"]) == 3
    assert "does not answer" in capsys.readouterr().err


def test_probe_stays_with_the_address_it_was_given(serve: Any) -> None:
    other = serve(lambda n, h: (0.0, OK))
    moved = (
        b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
        % other.port
    )
    server = serve(lambda n, h: (0.0, moved))
    main(["probe", f"http://127.0.0.1:{server.port}/", "--duration", "0.3", "--warmup", "0"])
    assert other.count == 0 and server.count >= 30


def test_random_delays_are_measured(serve: Any) -> None:
    chance = random.Random(1)
    server = serve(lambda n, h: (chance.choice([0.02, 0.1]), OK))
    outcome = loaded(server, Shape(rate=50, seconds=1.5))
    assert outcome.millis_at(25) >= 20 and outcome.millis_at(95) >= 100
