"""How fast the probe is, and whether its percentiles agree with ``wrk``'s.

    python benchmarks/bench_probe.py [--check] [--seconds N] [--rounds N]

A trivial server in a process of its own answers on the loopback address. The probe and ``wrk``
(Debian package ``wrk``) load it in turn, several times, with the same number of connections; both
correct for coordinated omission by the mean interval of a connection. Each answer waits a random
time, so that percentiles differ. ``--check`` fails below 2,000 requests per second of one core,
or when a percentile differs by more than 10 %.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from typing import Any

from auditor.rehearsal.examples import Request
from auditor.rehearsal.load import Shape, encode, load, target_of

PERCENTS = (50.0, 75.0, 90.0, 99.0)
CONNECTIONS = 10
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Trivial(asyncio.Protocol):
    """Answers everything with 200, after a random time when ``slow``."""

    slow = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if not self.slow:
            self.transport.write(ANSWER)
            return
        delay = random.choices((0.02, 0.03, 0.05, 0.1), (60, 25, 10, 5))[0]
        asyncio.get_running_loop().call_later(delay, self._late)

    def _late(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(ANSWER)


def serve(slow: bool, port: Any) -> None:
    """The server's process."""
    Trivial.slow = slow

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Trivial, "127.0.0.1", 0)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(main())


def probed(port: int, seconds: float) -> tuple[dict[float, float], float, float]:
    """(percentiles in ms, requests per second, requests per second of CPU time)."""
    target = target_of(f"http://127.0.0.1:{port}/")
    wire = [encode(target, Request(method="GET", path="/"))]
    before = resource.getrusage(resource.RUSAGE_SELF)
    outcome = load(target, wire, Shape(rate=None, seconds=seconds, connections=CONNECTIONS))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures = {p: outcome.millis_at(p) for p in PERCENTS}
    return figures, outcome.throughput, outcome.answered / cpu


def wrked(port: int, seconds: float) -> tuple[dict[float, float], float]:
    """The same by wrk."""
    command = [
        "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(int(seconds), 1)}", "--latency",
        f"http://127.0.0.1:{port}/",
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figures = {
        float(p): float(number) * UNITS[unit]
        for p, number, unit in re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s)$", said, re.MULTILINE)
    }
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    return figures, float(rate[1]) if rate else 0.0


def started(slow: bool) -> tuple[Any, int]:
    """A server and its port."""
    port = multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=serve, args=(slow, port), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.01)
    return process, int(port.value)


def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    failed = False

    process, port = started(slow=False)
    rates = [probed(port, arguments.seconds)[1:] for _ in range(arguments.rounds)]
    process.kill()
    best = max(cpu for _, cpu in rates)
    wall = max(rate for rate, _ in rates)
    print(f"trivial server: {wall:,.0f} requests/s, {best:,.0f} per second of CPU time")
    failed |= best < 2_000 or wall < 2_000

    if shutil.which("wrk") is None:
        print("wrk is not installed: percentiles are not compared")
        return int(arguments.check)
    process, port = started(slow=True)
    ours: dict[float, list[float]] = {p: [] for p in PERCENTS}
    theirs: dict[float, list[float]] = {p: [] for p in PERCENTS}
    for _ in range(arguments.rounds):
        for figures, kept in (
            (probed(port, arguments.seconds)[0], ours),
            (wrked(port, arguments.seconds)[0], theirs),
        ):
            for percent in PERCENTS:
                kept[percent].append(figures[percent])
    process.kill()
    for percent in PERCENTS:
        one, other = statistics.median(ours[percent]), statistics.median(theirs[percent])
        off = 100 * (one - other) / other
        failed |= abs(off) > 10
        print(f"p{percent:<4g} probe {one:8.2f} ms   wrk {other:8.2f} ms   {off:+.1f} %")
    return int(failed and arguments.check)


if __name__ == "__main__":
    sys.exit(main())
