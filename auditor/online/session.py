"""Connections as pip makes them: its configuration, credentials, certificates and proxy.

pip's own session is used in this process, because only it reads all of these; what it is asked
for is bounded in number, size and time.
"""

from __future__ import annotations

import importlib
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from auditor.values import value

# Bounds of one run.
REQUESTS = 600
SECONDS = 240.0
TIMEOUT = 15.0
PAGE = 32 << 20


class OnlineError(Exception):
    """Something could not be asked; the message says what and why."""


@value
class Answer:
    """``whole``: the server sent everything although a range was asked for."""

    url: str
    kind: str
    data: bytes
    whole: bool = True


class Session(Protocol):
    """Who fetches. ``indexes`` are the URLs of simple indexes, in the order of the configuration."""

    indexes: tuple[str, ...]
    # ``find-links``: directories of this machine, and pages.
    links: tuple[str, ...]

    def get(
        self, url: str, *, accept: str = "", span: tuple[int, int] | None = None, limit: int = PAGE
    ) -> Answer:
        """The content, or the bytes of ``span`` (end exclusive; start negative: from the end)."""
        ...


class PipSession:
    """pip's session and index options. Use as a context manager."""

    def __init__(self, *, cache: bool = True) -> None:
        self.indexes: tuple[str, ...] = ()
        self.links: tuple[str, ...] = ()
        self._cache = cache
        self._stack = ExitStack()
        self._session: Any = None
        self._why = ""
        self._requests = 0
        self._started = time.monotonic()

    def __enter__(self) -> PipSession:
        try:
            create: Any = importlib.import_module("pip._internal.commands").create_command
            command = create("download")
            arguments = ["--no-input", "--disable-pip-version-check"]
            if not self._cache:
                arguments.append("--no-cache-dir")
            options, _ = command.parse_args([*arguments, "nothing"])
            self._stack.enter_context(command.main_context())
            self._session = command.get_default_session(options)
            self.links = tuple(options.find_links or ())
            if not options.no_index:
                self.indexes = (options.index_url, *options.extra_index_urls)
            else:
                self._why = "pip's configuration says no-index"
        except (Exception, SystemExit) as error:
            # Any release of pip may differ inside: then nothing is asked.
            self._why = f"pip is not usable here ({type(error).__name__}: {error})"
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def get(
        self, url: str, *, accept: str = "", span: tuple[int, int] | None = None, limit: int = PAGE
    ) -> Answer:
        if self._session is None or self._why:
            raise OnlineError(self._why or "there is no connection")
        self._requests += 1
        left = SECONDS - (time.monotonic() - self._started)
        if self._requests > REQUESTS or left <= 0:
            raise OnlineError("enough was asked in this run")
        if url.startswith("file:"):
            return _local(url, span, limit)
        headers = {"Cache-Control": "max-age=600"}
        if accept:
            headers["Accept"] = accept
        if span is not None:
            first, last = span
            headers["Range"] = f"bytes={first}" if first < 0 else f"bytes={first}-{last - 1}"
            headers["Accept-Encoding"] = "identity"
            headers["Cache-Control"] = "no-cache"
        try:
            response = self._session.get(
                url, headers=headers, timeout=min(TIMEOUT, left), stream=True
            )
            with response:
                if response.status_code not in (200, 206):
                    raise OnlineError(f"{_shown(url)} answered {response.status_code}")
                whole = response.status_code == 200
                bound = limit if whole or span is None else max(limit, 1)
                data = bytearray()
                for block in response.iter_content(1 << 16):
                    data += block
                    if len(data) > bound or time.monotonic() - self._started > SECONDS:
                        raise OnlineError(f"{_shown(url)} is too large, or too slow")
                kind = response.headers.get("content-type", "").partition(";")[0].strip()
                return Answer(url=str(response.url), kind=kind, data=bytes(data), whole=whole)
        except OnlineError:
            raise
        except Exception as error:
            raise OnlineError(f"{_shown(url)}: {type(error).__name__}") from error


def _shown(url: str) -> str:
    """The last part of a URL: the rest may hold a name or a password."""
    path = urllib.parse.urlsplit(url).path.rstrip("/")
    return path.rpartition("/")[2] or "the index"


def _local(url: str, span: tuple[int, int] | None, limit: int) -> Answer:
    """A directory of the user's machine as an index (``file:`` in pip's configuration)."""
    path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(url).path))
    try:
        if path.is_dir():
            path = path / "index.html"
            url = url.rstrip("/") + "/index.html"
        size = path.stat().st_size
        with path.open("rb") as file:
            if span is None:
                if size > limit:
                    raise OnlineError(f"{path.name} is too large")
                return Answer(url=url, kind="text/html", data=file.read())
            first = max(size + span[0], 0) if span[0] < 0 else span[0]
            last = size if span[0] < 0 else span[1]
            file.seek(first)
            return Answer(url=url, kind="", data=file.read(last - first), whole=False)
    except OSError as error:
        raise OnlineError(f"{path.name}: {error.strerror}") from error
