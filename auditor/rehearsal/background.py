"""A light load on a thread of its own, while something is done to the service."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from auditor.rehearsal import load
from auditor.rehearsal.load import Outcome, Shape, Target


class Background:
    """Requests at a rate, until it is told that it is enough."""

    def __init__(
        self, target: Target, wire: list[bytes], *, rate: float, seconds: float, timeout: float
    ) -> None:
        self.outcome = Outcome()
        self.ended = threading.Event()
        shape = Shape(rate=rate, seconds=seconds, timeout=timeout)

        def go() -> None:
            with suppress(Exception):
                self.outcome = asyncio.run(
                    load.load_async(target, wire, shape, enough=self.ended.is_set)
                )

        self.thread = threading.Thread(target=go, daemon=True)
        self.thread.start()

    def join(self) -> Outcome:
        self.ended.set()
        self.thread.join(60.0)
        return self.outcome

    @property
    def lost(self) -> int:
        """Requests that were accepted and not answered, or answered with an error."""
        refused = ("connection refused", "no connection")
        failures = sum(n for kind, n in self.outcome.failures.items() if kind not in refused)
        errors = sum(n for status, n in self.outcome.statuses.items() if status >= 500)
        return failures + errors
