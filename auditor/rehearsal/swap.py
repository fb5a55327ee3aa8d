"""The model replaced under load, by the way the repository offers, and what the answers say of it.

The ways: a route that loads it again, SIGHUP to gunicorn, a watcher of the file. Where a new model
is at hand (given by the user, or a copy with other numbers made in a container of the image), it
is put in the place of the old one first, and the answers are compared: when the first new one came,
and whether old ones came after it. What the new model answers is asked after a restart, which
loads it for certain; then the old file is put back.
"""

from __future__ import annotations

import io
import json
import posixpath
import secrets
import tarfile
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from auditor.rehearsal import asking
from auditor.rehearsal.background import Background
from auditor.rehearsal.examples import Request
from auditor.rehearsal.load import Target
from auditor.rehearsal.observed import Swap
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment, Service
    from auditor.rehearsal.rehearse import Options, Say
    from auditor.rehearsal.start import Container, Stack

_RATE: Final = 20.0
_TIMEOUT: Final = 5.0
# How long answers are watched after the trigger, and how many of the last are judged.
_WATCHED: Final = 20.0
_STEADY: Final = 3.0
_LAST: Final = 20
_LARGEST: Final = 512 << 20


@value
class Way:
    """How the repository replaces its model. ``kind``: route, signal, watch."""

    kind: Literal["route", "signal", "watch"]
    text: str
    method: str = ""
    path: str = ""


def way_of(service: Service) -> Way | None:
    """The way that the service itself offers; None when there is none."""
    from auditor.linking import serving

    for entry in service.entries:
        for app in entry.trace.apps:
            for route in app.routes:
                if route.kind == "reload" and isinstance(route.path, str) and "{" not in route.path:
                    method = "POST" if "POST" in route.methods else (route.methods or ("GET",))[0]
                    return Way(
                        kind="route", text=f"{method} {route.path}", method=method, path=route.path
                    )
    for found in serving.servings(service):
        if any(found.calls("watcher")):
            return Way(kind="watch", text="replacing the watched file")
        if serving.reloads_by_signal(service, found):
            return Way(kind="signal", text="SIGHUP to gunicorn")
    return None


def drill(
    stack: Stack,
    container: Container,
    target: Target,
    wire: list[bytes],
    request: Request,
    deployment: Deployment,
    options: Options,
    say: Say,
) -> Swap:
    """Replace the model under load."""
    way = way_of(container.plan.service)
    if way is None:
        return Swap(way=None, note="the repository offers no way to replace the model")
    place, new, kind, note = _new_model(stack, container, deployment, options)
    old = _taken(container, place) if place and new else None
    if new is not None and old is None:
        new, kind, note = None, "same", f"{place} cannot be replaced in the container"
    if way.kind == "watch" and new is None:
        return Swap(way=way.text, note=note or "there is no other model to put in its place")
    before = [asking.ask(target.port, request, timeout=10.0)[1] for _ in range(8)]
    if new and place and way.kind != "watch" and not _put(container, place, new):
        new, kind, note = None, "same", f"{place} cannot be replaced in the container"
    background = Background(target, wire, rate=_RATE, seconds=_WATCHED + 40.0, timeout=_TIMEOUT)
    watcher = _Watcher(target.port, request)
    time.sleep(1.0)
    begun = time.monotonic()
    say(f"  swapping the model by {way.text}")
    failure, refused = _trigger(container, target, way, place, new)
    took = time.monotonic() - begun
    reader = Reader(before)
    _until_steady(watcher, reader, begun, wait=new is not None)
    outcome = background.join()
    answers = watcher.join()
    lost = background.lost
    base = Swap(
        way=way.text,
        path=way.path,
        sent=outcome.total,
        lost=lost,
        seconds=round(took, 2),
        # One that wants an argument or a password was not really tried.
        swapped=None if refused else not failure,
        note=failure or note,
        model=kind,
    )
    if new is None or place is None or failure:
        if place and old is not None:
            _put_raw(container, place, old)
        return base
    made = judged(base, reader, answers, begun)
    reference = _reference(stack, container, request)
    if old is not None:
        _put_raw(container, place, old)
    if reference is None:
        # A varied copy may well be one that the service cannot use.
        _reference(stack, container, request)
        why = "the service does not answer with the new model after a restart"
        given = kind == "given"
        return replace(made, swapped=False if given else None, note=why, lost=lost if given else 0)
    if reader.same(reference):
        why = "the new model answers this request as the old one does: nothing can be told apart"
        return replace(made, swapped=None, note=why)
    if made.first_new is None:
        why = f"{_WATCHED:.0f} s later every answer is still the old model's"
        return replace(made, swapped=False, note=why)
    return made


def judged(base: Swap, reader: Reader, answers: Sequence[Answer], begun: float) -> Swap:
    """What the answers since the trigger say of old and new."""
    after = [(a.at - begun, reader.same(a.body)) for a in answers if a.at >= begun and a.good]
    first = next((at for at, same in after if not same), None)
    if first is None:
        return base
    late = [at for at, same in after if same and at > first]
    last = [(at, same) for at, same in after if at >= first][-_LAST:]
    last_old = sum(same for _, same in last)
    settled = max(late, default=first)
    return replace(
        base,
        first_new=round(first, 2),
        all_new=None if last_old else round(settled, 2),
        mixed=len(late),
        last=len(last),
        last_old=last_old,
    )


# Answers


@value
class Answer:
    """One answer and the moment at which it came."""

    at: float
    good: bool
    body: bytes


class _Watcher:
    """Asks the same thing over and over on fresh connections, so that every worker is met."""

    def __init__(self, port: int, request: Request) -> None:
        self.answers: list[Answer] = []
        self._ended = threading.Event()

        def go() -> None:
            while not self._ended.is_set() and len(self.answers) < 5_000:
                exchange, body = asking.ask(port, request, timeout=_TIMEOUT)
                good = exchange.status is not None and 200 <= exchange.status < 300
                self.answers.append(Answer(at=time.monotonic(), good=good, body=body))
                self._ended.wait(0.05)

        self._thread = threading.Thread(target=go, daemon=True)
        self._thread.start()

    def join(self) -> list[Answer]:
        self._ended.set()
        self._thread.join(_TIMEOUT + 1.0)
        return self.answers


class Reader:
    """Tells whether an answer is the old model's: what changes with every answer does not count."""

    def __init__(self, before: Iterable[bytes]) -> None:
        parsed = [_flat(body) for body in before]
        first = parsed[0] if parsed else {}
        self.stable = {
            key: text for key, text in first.items() if all(p.get(key) == text for p in parsed)
        }

    def same(self, body: bytes) -> bool:
        found = _flat(body)
        return all(found.get(key) == text for key, text in self.stable.items())


def _flat(body: bytes) -> dict[str, str]:
    """Every leaf of a JSON answer by its path; the whole text where it is no JSON."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {"": body.decode("utf-8", "replace")}
    found: dict[str, str] = {}
    pending: list[tuple[str, Any]] = [("", document)]
    while pending and len(found) < 2_000:
        path, item = pending.pop()
        if isinstance(item, dict):
            pending += [(f"{path}.{key}", inner) for key, inner in item.items()]
        elif isinstance(item, list):
            pending += [(f"{path}[{number}]", inner) for number, inner in enumerate(item)]
        else:
            found[path] = repr(item)
    return found


def _until_steady(watcher: _Watcher, reader: Reader, begun: float, *, wait: bool) -> None:
    """Until every answer of some seconds is new, or the time is over."""
    if not wait:
        time.sleep(1.0)
        return
    deadline = time.monotonic() + _WATCHED
    while time.monotonic() < deadline:
        time.sleep(0.3)
        since = time.monotonic() - _STEADY
        recent = [a for a in watcher.answers if a.at >= max(since, begun) and a.good]
        if since > begun and len(recent) >= _LAST and not any(reader.same(a.body) for a in recent):
            return


# The trigger


def _trigger(
    container: Container, target: Target, way: Way, place: str | None, new: bytes | None
) -> tuple[str, bool]:
    """(why it failed, whether the service refused to be asked like this)."""
    if way.kind == "route":
        asked = Request(method=way.method, path=way.path)
        exchange, _ = asking.ask(target.port, asked, timeout=30.0)
        if exchange.status is not None and 200 <= exchange.status < 300:
            return "", False
        said = f"it is answered with {exchange.status or exchange.error}"
        return said, exchange.status is not None and exchange.status < 500
    if way.kind == "signal":
        try:
            container.client.kill(container.id, signal="HUP")
        except Exception as error:
            return " ".join(str(error).split())[:200], False
        return "", False
    if place is None or new is None or not _put(container, place, new):
        return "the file cannot be replaced in the container", False
    return "", False


# The new model


def _new_model(
    stack: Stack, container: Container, deployment: Deployment, options: Options
) -> tuple[str | None, bytes | None, Literal["given", "varied", "same"], str]:
    """(path in the container, content, where it comes from, why there is none)."""
    read = _model_paths(container.plan.service, deployment)
    if options.new_model is not None:
        place = options.model_path
        if place is None:
            name = options.new_model_name
            named = [path for path in read if posixpath.basename(path) == name] or read
            place = named[0] if len(named) == 1 else None
        if place is None:
            seen = ", ".join(read) or "none"
            why = f"the code reads {seen}: say with --model-path which one the new model replaces"
            return None, None, "same", why
        return place, options.new_model, "given", ""
    if len(read) != 1:
        return None, None, "same", "no other model is at hand: give one with --new-model FILE"
    made, why = vary(stack, container, read[0], deployment)
    if made is None:
        return read[0], None, "same", f"{why}: give another model with --new-model FILE"
    return read[0], made, "varied", ""


def _model_paths(service: Service, deployment: Deployment) -> list[str]:
    """The model files that the service reads, as the container names them."""
    from auditor.parsers.python.facts import Phase

    models = {posixpath.basename(artifact.path) for artifact in deployment.artifacts}
    found = [
        link.path
        for link in service.reads
        if (link.access.kind == "artifact" or posixpath.basename(link.path) in models)
        and link.access.mode == "read"
        and link.access.reach.phase is not Phase.UNREACHED
    ]
    return list(dict.fromkeys(found))


def vary(
    stack: Stack, container: Container, place: str, deployment: Deployment
) -> tuple[bytes | None, str]:
    """A copy of the model in the container with other numbers, made in a container of its image.

    Only what was judged safe is loaded; without a network, privileges, or a way to the service.
    """
    name = posixpath.basename(place)
    same = [a for a in deployment.artifacts if posixpath.basename(a.path) == name]
    if not same or any(a.facts.verdict != "safe" for a in same):
        return None, "no copy of the model is made of what is not known to be safe"
    old = _taken(container, place)
    if old is None:
        return None, f"{place} cannot be read in the container"
    content = _content(old)
    if content is None:
        return None, f"{place} is no file"
    run, client = stack.run, stack.client
    source = (Path(__file__).parent / "payload" / "varier.py").read_text("utf-8")
    made = None
    try:
        with run.shielded():
            label = run.name(f"vary-{secrets.token_hex(3)}")
            run.record("container", label)
            made = client.create_container(
                image=stack.image_of(container.plan),
                entrypoint=["python", "-B", "-c", source],
                command=["/deploy-audit-model/old", "/tmp/new"],
                user="65534:65534",
                environment={"OMP_NUM_THREADS": "1", "HOME": "/tmp"},
                working_dir=_directory(container),
                labels=run.labels,
                name=label,
                healthcheck={"test": ["NONE"]},
                host_config=client.create_host_config(
                    network_mode="none",
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    pids_limit=128,
                    mem_limit=(1 << 30) + 8 * len(content),
                ),
            )["Id"]
            client.put_archive(made, "/", _archive("deploy-audit-model/old", content))
            client.start(made)
        code = client.wait(made, timeout=120).get("StatusCode")
        if code != 0:
            lines = (
                client.logs(made, stdout=True, stderr=True).decode("utf-8", "replace").split("\n")
            )
            said = next((line.strip() for line in reversed(lines) if line.strip()), "")
            return None, f"no copy with other numbers could be made ({said[:120]})"
        stream, _ = client.get_archive(made, "/tmp/new")
        new = _content(_joined(stream))
    except Exception as error:
        return (
            None,
            f"no copy with other numbers could be made ({' '.join(str(error).split())[:120]})",
        )
    finally:
        if made is not None:
            with suppress(Exception):
                client.remove_container(made, force=True, v=True)
    if new is None or new == content:
        return None, "no number of the model could be changed"
    return new, ""


def _directory(container: Container) -> str | None:
    """Where the service's own modules are importable from."""
    with suppress(Exception):
        found = container.client.inspect_container(container.id)["Config"]["WorkingDir"]
        return found if isinstance(found, str) and found else None
    return None


# Files of the container


def _joined(stream: Iterable[bytes]) -> bytes:
    """A stream of the engine as bytes, up to a bound."""
    found = bytearray()
    for chunk in stream:
        found += chunk
        if len(found) > _LARGEST:
            raise ValueError("it is too large")
    return bytes(found)


def _taken(container: Container, place: str | None) -> bytes | None:
    """The file at a path of the container, as the archive that puts it back."""
    if place is None:
        return None
    try:
        stream, _ = container.client.get_archive(container.id, place)
        return _joined(stream)
    except Exception:
        return None


def _content(archive: bytes) -> bytes | None:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            for info in opened:
                file = opened.extractfile(info) if info.isfile() else None
                if file is not None:
                    return file.read()
    except (tarfile.TarError, OSError):
        return None
    return None


def _archive(name: str, data: bytes, like: tarfile.TarInfo | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        info.mtime = int(time.time())
        if like is not None:
            info.mode, info.uid, info.gid = like.mode, like.uid, like.gid
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _put(container: Container, place: str, data: bytes) -> bool:
    """Replace the content of a file, with its owner and mode."""
    old = _taken(container, place)
    like = None
    if old is not None:
        with suppress(tarfile.TarError, OSError), tarfile.open(fileobj=io.BytesIO(old)) as opened:
            like = opened.next()
    return _put_raw(container, place, _archive(posixpath.basename(place), data, like))


def _put_raw(container: Container, place: str, archive: bytes) -> bool:
    try:
        done = container.client.put_archive(container.id, posixpath.dirname(place), archive)
    except Exception:
        return False
    return bool(done)


def _reference(stack: Stack, container: Container, request: Request) -> bytes | None:
    """What the service answers after a restart: with the model that lies there now."""
    from auditor.rehearsal.start import watch

    try:
        stack.client.restart(container.id, timeout=0)
    except Exception:
        return None
    container.begun = time.monotonic()
    seen = watch(container, timeout=30.0)
    if seen.answer is None or seen.port is None:
        return None
    outer = dict(seen.ports)[seen.port]
    exchange, body = asking.ask(outer, request, timeout=30.0)
    good = exchange.status is not None and 200 <= exchange.status < 300
    return body if good else None
