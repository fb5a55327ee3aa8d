"""Everything a rehearsal creates is labelled and written down first, so that it can be removed.

A *run* has an id, a journal on disk that stays locked while the run lives, one directory for
temporary files, and labels for all that it asks the engine for. What is removed is found twice:
by label at the engine, and by name in the journal (layers of a classic build carry no label). A
run that was killed leaves its journal unlocked: ``--clean`` and the next run take it from there.

A base image that a build pulled stays, as after any build; so does BuildKit's own cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO

from auditor import lazy_re as re
from auditor.values import value

LABEL: Final = "deploy-audit.rehearsal"
HOME_LABEL: Final = "deploy-audit.rehearsal.home"
PREFIX: Final = "deploy-audit"
_RUN_ID: Final = re.compile(r"[0-9a-f]{12}")
_IMAGE_ID: Final = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_ROUNDS: Final = 12


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to end; ``signal`` is its number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


@value
class Leftovers:
    """What was removed, by kind, and what could not be."""

    containers: int = 0
    networks: int = 0
    volumes: int = 0
    images: int = 0
    directories: int = 0
    failed: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.containers + self.networks + self.volumes + self.images + self.directories

    def text(self) -> str:
        """``2 containers, 1 network``; empty when there was nothing."""
        counts = (
            (self.containers, "container"),
            (self.networks, "network"),
            (self.volumes, "volume"),
            (self.images, "image"),
            (self.directories, "temporary directory"),
        )
        said = []
        for number, noun in counts:
            plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
            if number:
                said.append(f"{number} {noun if number == 1 else plural}")
        return ", ".join(said)


def state_directory() -> Path:
    """Where journals lie."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(base) / PREFIX / "rehearsals"


def home_id(directory: Path) -> str:
    """Names the place of the journals: runs of other users and machines are not ours to remove."""
    try:
        machine = Path("/etc/machine-id").read_text("utf-8").strip()
    except OSError:
        machine = ""
    text = f"{machine}:{os.uname().nodename}:{directory}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Run:
    """One rehearsal's claim on what it creates; entering it opens its journal."""

    def __init__(self, client: Any, *, keep_layers: bool = False) -> None:
        self.client = client
        self.keep_layers = keep_layers
        self.id = secrets.token_hex(6)
        self.directory = state_directory()
        self.path = self.directory / f"{self.id}.jsonl"
        self.temporary = Path(tempfile.gettempdir()) / f"{PREFIX}-{self.id}-{secrets.token_hex(4)}"
        self._file: TextIO | None = None
        self._lock = threading.RLock()
        self._shields = 0
        self._pending: int | None = None
        self._handlers: dict[int, Any] = {}
        self._processes: list[Callable[[], None]] = []
        self._closed = False

    @property
    def labels(self) -> dict[str, str]:
        """The labels of everything that the run creates."""
        return {LABEL: self.id, HOME_LABEL: home_id(self.directory)}

    def name(self, what: str) -> str:
        """A name at the engine that says whose it is."""
        clean = re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-")[:40] or "x"
        return f"{PREFIX}-{self.id}-{clean}"

    def record(self, kind: str, name: str) -> None:
        """Write down what is about to be created, before it is."""
        if self._file is None:
            return
        self._file.write(json.dumps({"kind": kind, "name": name}) + "\n")
        self._file.flush()

    # Signals

    def __enter__(self) -> Run:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._handlers[number] = signal.signal(number, self._interrupt)
        import atexit

        atexit.register(self.close)
        with self.shielded():
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = self.path.open("x", encoding="utf-8")
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self.record("directory", str(self.temporary))
            self.temporary.mkdir(mode=0o700)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.close()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._handlers.clear()

    def _interrupt(self, number: int, _: FrameType | None) -> None:
        if self._shields or self._closed:
            self._pending = number
            return
        raise Interrupted(number)

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """A signal waits until the engine has answered: no container is made behind our back."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            if not self._shields and self._pending is not None and not self._closed:
                number, self._pending = self._pending, None
                raise Interrupted(number)

    def on_close(self, stop: Callable[[], None]) -> None:
        """Called first when the run ends: a child process to kill."""
        self._processes.append(stop)

    # Removal

    def close(self) -> Leftovers:
        """Remove everything that the run created. A signal meanwhile does not stop it."""
        if self._closed:
            return Leftovers()
        self._closed = True
        import atexit

        atexit.unregister(self.close)
        for stop in self._processes:
            with contextlib.suppress(Exception):
                stop()
        removed = remove(self.client, self.id, _entries(self.path), keep_layers=self.keep_layers)
        if self._file is not None:
            self._file.close()
            self._file = None
        if not removed.failed:
            self.path.unlink(missing_ok=True)
        return removed


def _entries(path: Path) -> list[tuple[str, str]]:
    """(kind, name) of every line of a journal; a torn last line is left out."""
    found = []
    try:
        text = path.read_text("utf-8")
    except OSError:
        return []
    for line in text.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            item = json.loads(line)
            found.append((str(item["kind"]), str(item["name"])))
    return found


def clean(client: Any) -> Leftovers:
    """Remove what dead runs of this user left behind; runs that live are left alone."""
    directory = state_directory()
    total = Leftovers()
    known: dict[str, Path] = {}
    if directory.is_dir():
        known = {p.stem: p for p in directory.glob("*.jsonl") if _RUN_ID.fullmatch(p.stem)}
    ids = dict.fromkeys((*known, *_labelled(client, home_id(directory))))
    for run in ids:
        path = known.get(run)
        if path is None:
            total = _add(total, remove(client, run, []))
            continue
        try:
            file = path.open("r+", encoding="utf-8")
        except OSError:
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            removed = remove(client, run, _entries(path))
            total = _add(total, removed)
            if not removed.failed:
                path.unlink(missing_ok=True)
    return total


def _add(one: Leftovers, other: Leftovers) -> Leftovers:
    return Leftovers(
        containers=one.containers + other.containers,
        networks=one.networks + other.networks,
        volumes=one.volumes + other.volumes,
        images=one.images + other.images,
        directories=one.directories + other.directories,
        failed=one.failed + other.failed,
    )


def _labelled(client: Any, home: str) -> Iterator[str]:
    """The runs whose labels are found at the engine."""
    filters = {"label": [f"{HOME_LABEL}={home}"]}
    found: list[Any] = list(client.containers(all=True, filters=filters))
    found += client.networks(filters=filters)
    found += client.volumes(filters=filters).get("Volumes") or []
    found += client.images(filters=filters)
    for item in found:
        run = (item.get("Labels") or {}).get(LABEL, "")
        if _RUN_ID.fullmatch(run):
            yield run


def remove(
    client: Any, run: str, entries: Iterable[tuple[str, str]], *, keep_layers: bool = False
) -> Leftovers:
    """Remove what carries the run's label and what its journal names, until nothing is left."""
    filters = {"label": [f"{LABEL}={run}"]}
    counts = {"containers": 0, "networks": 0, "volumes": 0, "images": 0}
    listed = list(entries)
    layers = [] if keep_layers else [n for k, n in listed if k == "layer"]
    tags = [n for k, n in listed if k == "image"]
    failed: dict[str, str] = {}
    quiet = 0
    for _ in range(_ROUNDS):
        busy = False
        failed.clear()
        for container in _ask(client.containers, failed, all=True, filters=filters):
            busy = True
            _count(
                counts,
                "containers",
                _try(client.remove_container, failed, container["Id"], force=True, v=True),
            )
        for network in _ask(client.networks, failed, filters=filters):
            busy = True
            _count(counts, "networks", _try(client.remove_network, failed, network["Id"]))
        volumes = _ask(
            lambda **k: client.volumes(**k).get("Volumes") or [], failed, filters=filters
        )
        for volume in volumes:
            busy = True
            _count(
                counts, "volumes", _try(client.remove_volume, failed, volume["Name"], force=True)
            )
        for image in _ask(client.images, failed, filters=filters):
            busy = True
            _count(
                counts,
                "images",
                _try(client.remove_image, failed, image["Id"], force=True, noprune=True),
            )
        # The engine may still be finishing what it was told before the run was interrupted.
        quiet = 0 if busy else quiet + 1
        if quiet == 2:
            break
        time.sleep(0.15)
    for tag in tags:
        if tag.startswith(f"{PREFIX}-{run}"):
            _try(client.remove_image, {}, tag, force=True, noprune=True)
    # A later layer stands on an earlier one; one that somebody else uses by now stays.
    for layer in reversed(layers):
        if _IMAGE_ID.fullmatch(layer):
            _try(client.remove_image, {}, layer, force=False, noprune=True)
    directories = 0
    for kind, name in listed:
        path = Path(name)
        if kind != "directory" or not path.name.startswith(f"{PREFIX}-{run}-"):
            continue
        if path.is_dir() and not path.is_symlink():
            directories += 1
            shutil.rmtree(path, ignore_errors=True)
            if path.exists():
                failed[name] = "cannot be removed"
    return Leftovers(
        directories=directories,
        failed=tuple(f"{name}: {why}" for name, why in failed.items()),
        **counts,
    )


def _count(counts: dict[str, int], kind: str, done: bool) -> None:
    counts[kind] += done


def _ask(call: Callable[..., Any], failed: dict[str, str], **arguments: Any) -> list[Any]:
    try:
        return list(call(**arguments))
    except Exception as error:
        failed["the engine"] = " ".join(str(error).split())[:200]
        return []


def _try(call: Callable[..., Any], failed: dict[str, str], name: str, **arguments: Any) -> bool:
    """Whether it was removed; one that is gone already is no failure."""
    try:
        call(name, **arguments)
    except Exception as error:
        if getattr(getattr(error, "response", None), "status_code", None) != 404:
            failed[name] = " ".join(str(error).split())[:200]
        return False
    return True
