"""Starting services at the engine as their configuration says, and watching what becomes of them."""

from __future__ import annotations

import io
import socket as sockets_module
import struct
import tarfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from auditor.rehearsal import asking, causes, machine
from auditor.rehearsal.engine import hang_up
from auditor.rehearsal.journal import Run
from auditor.rehearsal.observed import TOO_BUSY, Cause, Exchange, Socket
from auditor.rehearsal.plan import Group, Port, ServicePlan, Volume
from auditor.values import value

_PIDS: Final = 4_096
_LARGEST_COPY: Final = 4 * 2**30
_ENGINE_DNS: Final = "127.0.0.11"
_STEADY: Final = 4.0
# How many times longer a service that computes is waited for.
_BUSY: Final = 3.0
_LOG: Final = 400_000
# A command inside that says nothing for so long is not waited for.
_PATIENCE: Final = 30.0


class Container:
    """One container of the run, and what is asked of it."""

    def __init__(self, client: Any, identity: str, plan: ServicePlan) -> None:
        self.client = client
        self.id = identity
        self.plan = plan
        self.begun = 0.0

    def state(self) -> dict[str, Any]:
        """The engine's State; {} when the container is gone."""
        try:
            found: dict[str, Any] = self.client.inspect_container(self.id)["State"]
        except Exception:
            return {}
        return found

    def running(self) -> bool:
        return bool(self.state().get("Running"))

    def log(self, tail: int | str = 400) -> str:
        """The last lines of standard output and standard error."""
        try:
            data: bytes = self.client.logs(self.id, stdout=True, stderr=True, tail=tail)
        except Exception:
            return ""
        return data[-_LOG:].decode("utf-8", "replace")

    def run(
        self, command: list[str], *, user: str = "", limit: int = 2_000_000
    ) -> tuple[int | None, str]:
        """(exit status, output) of a command inside; None when it could not be run."""
        try:
            made = self.client.exec_create(self.id, command, user=user, stdin=False)
            output = self._output(made["Id"], limit)
            code = self.client.exec_inspect(made["Id"]).get("ExitCode")
        except Exception:
            return None, ""
        return code, output.decode("utf-8", "replace")

    def _output(self, command: str, limit: int) -> bytes:
        stream = self.client.exec_start(command, socket=True)
        connection = getattr(stream, "_sock", stream)
        connection.settimeout(_PATIENCE)
        pending = found = b""
        try:
            while len(found) < limit and (data := connection.recv(65_536)):
                pending += data
                while len(pending) >= 8:
                    size = struct.unpack(">I", pending[4:8])[0]
                    if len(pending) < 8 + size:
                        break
                    found += pending[8 : 8 + size]
                    pending = pending[8 + size :]
        finally:
            hang_up(stream)
        return found

    def ports(self) -> dict[int, int]:
        """Container port → port on the loopback address."""
        try:
            found = self.client.inspect_container(self.id)["NetworkSettings"]["Ports"] or {}
        except Exception:
            return {}
        made = {}
        for name, bindings in found.items():
            for binding in bindings or ():
                if binding.get("HostIp") in ("127.0.0.1", "0.0.0.0", "") and name.endswith("/tcp"):
                    made[int(name.partition("/")[0])] = int(binding["HostPort"])
        return made

    def listening(self) -> tuple[Socket, ...] | None:
        """The TCP sockets that are really listened on; None when they cannot be read."""
        code, text = self.run(["cat", "/proc/net/tcp", "/proc/net/tcp6"])
        if (code is None or code > 1) and not text.startswith("  sl"):
            text = self._from_host()
        if "local_address" not in text:
            return None
        return parse_sockets(text)

    def _from_host(self) -> str:
        """The same table through the main process as the host sees it: nothing is run inside."""
        pid = self.state().get("Pid") or 0
        text = ""
        for name in ("tcp", "tcp6"):
            try:
                text += Path(f"/proc/{int(pid)}/net/{name}").read_text("ascii")
            except (OSError, TypeError, ValueError):
                continue
        return text


def parse_sockets(text: str) -> tuple[Socket, ...]:
    """The listening sockets of ``/proc/net/tcp`` and ``tcp6``, the engine's own left out."""
    found: dict[tuple[str, int], Socket] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4 or words[3] != "0A" or ":" not in words[1]:
            continue
        raw, _, port = words[1].partition(":")
        try:
            host, number = _address(raw), int(port, 16)
        except (ValueError, OSError, struct.error):
            continue
        if host != _ENGINE_DNS:
            found[host, number] = Socket(host=host, port=number)
    return tuple(found[key] for key in sorted(found))


def _address(raw: str) -> str:
    data = bytes.fromhex(raw)
    # Words of 32 bits in the machine's own order.
    words = struct.unpack(f"={len(data) // 4}I", data)
    packed = struct.pack(f"!{len(words)}I", *words)
    if len(packed) == 4:
        return sockets_module.inet_ntop(sockets_module.AF_INET, packed)
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return sockets_module.inet_ntop(sockets_module.AF_INET, packed[12:])
    return sockets_module.inet_ntop(sockets_module.AF_INET6, packed)


class Stack:
    """The containers, volumes and the network of one group of services."""

    def __init__(self, run: Run, root: Path, group: Group, tags: Mapping[int, str]) -> None:
        self.run = run
        self.root = root
        self.group = group
        self.tags = tags
        self.client = run.client
        self.containers: dict[str, Container] = {}
        self.volumes: dict[str, str] = {}
        self.network = ""
        self.notes: list[str] = []
        self._number = 0

    def open(self) -> None:
        """Make the private network."""
        name = self.run.name(f"net-{self.group.name}")
        with self.run.shielded():
            self.run.record("network", name)
            made = self.client.create_network(
                name, driver="bridge", labels=self.run.labels, check_duplicate=True
            )
        self.network = made["Id"]

    def close(self) -> None:
        """Stop and remove the group's containers, volumes and network."""
        for container in self.containers.values():
            _quietly(self.client.remove_container, container.id, force=True, v=True)
        for name in self.volumes.values():
            _quietly(self.client.remove_volume, name, force=True)
        if self.network:
            _quietly(self.client.remove_network, self.network)
        self.containers.clear()
        self.volumes.clear()
        self.network = ""

    def image_of(self, plan: ServicePlan) -> str | None:
        """What the engine calls the image of a service; None when there is none."""
        if plan.image is not None:
            return self.tags.get(id(plan.image))
        return plan.reference

    def start(self, plan: ServicePlan, *, extra: Iterable[Port] = ()) -> Container | Cause:
        """Create and start one service; a Cause says why the engine refused."""
        image = self.image_of(plan)
        if image is None:
            return Cause(kind="build", text="it has no image")
        try:
            mounts = [
                self._mount(volume, image)
                for volume in plan.volumes
                if volume.kind != "tmpfs" and not self._is_file(volume)
            ]
        except Exception as error:
            return Cause(kind="exit", text=f"its volumes could not be made: {_words(error)}")
        ports = list({p.number: p for p in (*plan.ports, *extra)})
        self._number += 1
        name = self.run.name(f"{plan.alias}-{self._number}")
        host: dict[str, Any] = {
            "port_bindings": dict.fromkeys(ports, ("127.0.0.1",)),
            "mounts": mounts,
            "read_only": plan.read_only,
            "pids_limit": plan.pids or _PIDS,
        }
        if plan.memory:
            host["mem_limit"] = max(plan.memory, 6 * 2**20)
        if plan.cpus:
            host["nano_cpus"] = int(plan.cpus * 1e9)
        if plan.init:
            host["init"] = True
        tmpfs = {v.target: "" for v in plan.volumes if v.kind == "tmpfs"}
        if tmpfs:
            host["tmpfs"] = tmpfs
        if plan.log_driver in (None, "json-file", "local"):
            options = dict(plan.log_options)
            host["log_config"] = {"Type": plan.log_driver or "json-file", "Config": options}
        else:
            # Another driver writes elsewhere: what is logged is read here instead.
            host["log_config"] = {"Type": "json-file", "Config": {}}
        endpoint = self.client.create_endpoint_config(
            aliases=list(dict.fromkeys((plan.alias, *plan.aliases)))
        )
        arguments: dict[str, Any] = {
            "image": image,
            "command": list(plan.command) if plan.command is not None else None,
            "entrypoint": list(plan.entrypoint) if plan.entrypoint is not None else None,
            "environment": dict(plan.environment) or None,
            "user": plan.user,
            "working_dir": plan.workdir,
            "hostname": plan.hostname,
            "ports": ports,
            "labels": self.run.labels,
            "name": name,
            "stop_signal": plan.stop_signal,
            "host_config": self.client.create_host_config(**host),
            "networking_config": self.client.create_networking_config({self.network: endpoint}),
        }
        if plan.health is not None:
            arguments["healthcheck"] = _health(plan)
        try:
            with self.run.shielded():
                self.run.record("container", name)
                made = self.client.create_container(**arguments)
            container = Container(self.client, made["Id"], plan)
            self.containers[plan.alias] = container
            self._secrets(container)
            self._files(container)
            container.begun = time.monotonic()
            with self.run.shielded():
                self.client.start(container.id)
        except Exception as error:
            said = _words(error)
            found = causes.of_log(said)
            return (
                found
                if found and found.kind == "file"
                else Cause(kind="exit", text=said, error=said)
            )
        return container

    def _mount(self, volume: Volume, image: str) -> dict[str, Any]:
        key = f"{volume.kind}:{volume.shared or volume.source or ''}:{'' if volume.shared else volume.target}"
        fresh = key not in self.volumes or volume.kind == "own"
        if fresh:
            self._number += 1
            name = self.run.name(f"vol-{self._number}")
            with self.run.shielded():
                self.run.record("volume", name)
                self.client.create_volume(name, driver="local", labels=self.run.labels)
            self.volumes[key] = name
            if volume.kind == "own":
                self.volumes[f"{key}{name}"] = name
            if volume.kind == "copy" and volume.source is not None:
                self._fill(name, volume, image)
        made: dict[str, Any] = {
            "Type": "volume",
            "Source": self.volumes[key],
            "Target": volume.target,
            "ReadOnly": volume.read_only,
        }
        if volume.kind == "copy":
            # A bind hides what the image has there; an empty volume would be seeded from it.
            made["VolumeOptions"] = {"NoCopy": True}
        return made

    def _fill(self, name: str, volume: Volume, image: str) -> None:
        """Copy a directory of the repository into a volume, with owners and modes as they are."""
        source = self.root / (volume.source or "")
        if not source.is_dir():
            return
        self._number += 1
        helper = self.run.name(f"fill-{self._number}")
        mount = {
            "Type": "volume",
            "Source": name,
            "Target": "/fill",
            "VolumeOptions": {"NoCopy": True},
        }
        with self.run.shielded():
            self.run.record("container", helper)
            made = self.client.create_container(
                image=image,
                entrypoint=["/deploy-audit-never-runs"],
                command=[],
                labels=self.run.labels,
                name=helper,
                host_config=self.client.create_host_config(mounts=[mount], network_mode="none"),
            )
        path = self.run.temporary / f"{helper}.tar"
        total = _pack(source, path, self.root)
        if total > _LARGEST_COPY:
            self.notes.append(f"{volume.source} was not copied whole: it is larger than 4 GiB")
        with path.open("rb") as file:
            self.client.put_archive(made["Id"], "/fill", file)
        path.unlink()
        _quietly(self.client.remove_container, made["Id"], force=True, v=False)

    def _is_file(self, volume: Volume) -> bool:
        return volume.source is not None and (self.root / volume.source).is_file()

    def _files(self, container: Container) -> None:
        """Single files that are bound: put in place before the start."""
        for volume in container.plan.volumes:
            if volume.source is None or not self._is_file(volume):
                continue
            source = self.root / volume.source
            mode = source.stat().st_mode & 0o777
            archive = tar_of({volume.target.lstrip("/"): source.read_bytes()}, mode)
            try:
                self.client.put_archive(container.id, "/", archive)
            except Exception as error:
                self.notes.append(f"{volume.source} could not be given: {_words(error)}")

    def _secrets(self, container: Container) -> None:
        """Files that Compose mounts as secrets and configs, put in place before the start."""
        plan = container.plan
        compose, project = plan.service.compose, plan.service.project
        if compose is None or project is None:
            return
        for uses, resources, folder in (
            (compose.secrets, project.secrets, "/run/secrets"),
            (compose.configs, project.configs, ""),
        ):
            for use in uses:
                found = next((r for r in resources if r.name == use.source), None)
                path = found.file.path if found and found.file else None
                if path is None or not (self.root / path).is_file():
                    self.notes.append(f"the file of {use.source} is not here")
                    continue
                target = use.target if isinstance(use.target, str) else use.source
                if not target.startswith("/"):
                    target = f"{folder}/{target}"
                data = (self.root / path).read_bytes()
                archive = tar_of({target.lstrip("/"): data})
                try:
                    self.client.put_archive(container.id, "/", archive)
                except Exception as error:
                    self.notes.append(f"{use.source} could not be given: {_words(error)}")


def tar_of(files: Mapping[str, bytes], mode: int = 0o444) -> bytes:
    """A tar archive of these files, readable by all."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = mode
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _pack(source: Path, target: Path, root: Path) -> int:
    """Archive a directory; links that lead out of the repository are left out. Returns bytes."""
    total = 0
    inside = root.resolve()

    def keep(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        nonlocal total
        if info.issym() or info.islnk():
            place = source / info.name
            try:
                if not place.resolve().is_relative_to(inside):
                    return None
            except (OSError, RuntimeError):
                return None
        elif not (info.isfile() or info.isdir()):
            return None
        total += info.size
        return None if total > _LARGEST_COPY else info

    with tarfile.open(target, "w") as archive:
        for child in sorted(source.iterdir()):
            if child.name != ".git":
                archive.add(child, arcname=child.name, filter=keep)
    return total


def _health(plan: ServicePlan) -> dict[str, Any]:
    health = plan.health
    assert health is not None
    made: dict[str, Any] = {"test": list(health.test)}
    for key, seconds in (
        ("interval", health.interval),
        ("timeout", health.timeout),
        ("start_period", health.start_period),
    ):
        if seconds is not None:
            made[key] = max(int(seconds * 1e9), 1_000_000)
    if health.retries is not None:
        made["retries"] = health.retries
    return made


def _words(error: Exception) -> str:
    explained = getattr(error, "explanation", None)
    if isinstance(explained, bytes):
        explained = explained.decode("utf-8", "replace")
    return " ".join(str(explained or error).split())[:400]


def _quietly(call: Any, *arguments: Any, **named: Any) -> None:
    try:
        call(*arguments, **named)
    except Exception:
        # Whatever stays is found by its label when the run ends.
        return


# Watching


@value
class Watch:
    """What became of a service that was started."""

    started: bool
    seconds: float
    sockets: tuple[Socket, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    answer: Exchange | None = None
    failure: Exchange | None = None
    cause: Cause | None = None
    log: str = ""
    # The container port that answered.
    port: int | None = None


def watch(
    container: Container,
    *,
    timeout: float,
    paths: tuple[str, ...] = ("/",),
    web: bool | None = None,
) -> Watch:
    """Wait until the service answers, ends, or evidently never will answer."""
    begun = container.begun or time.monotonic()
    deadline = begun + timeout
    sockets: tuple[Socket, ...] = ()
    ports: dict[int, int] = {}
    failure: Exchange | None = None
    hopeless: float | None = None
    look = 0.0
    pause = 0.1
    while True:
        state = container.state()
        if not state.get("Running"):
            return _ended(container, state, begun)
        now = time.monotonic()
        ports = ports or container.ports()
        for inner, outer in ports.items():
            answer, failed = asking.first_answer(outer, paths[:1], timeout=2.0)
            if answer is not None:
                return Watch(
                    started=True,
                    seconds=round(time.monotonic() - begun, 1),
                    sockets=container.listening() or sockets,
                    ports=tuple(ports.items()),
                    answer=answer,
                    failure=failure,
                    port=inner,
                )
            failure = failed or failure
        if now >= look:
            sockets = container.listening() or ()
            look = now + 1.0
        # Something listens, and no request from outside will ever get there.
        deaf = bool(sockets) and not any(s.port in ports and not s.loopback for s in sockets)
        idle = web is False and not sockets and now - begun > 8.0
        if deaf or idle:
            hopeless = hopeless or now
            if now - hopeless > _STEADY:
                break
        else:
            hopeless = None
        if now > deadline:
            # Importing a large library on a busy machine takes its time.
            if sockets or now > begun + _BUSY * timeout:
                break
            # So does waiting for a turn on one.
            if not busy(container) and (machine.busy() or 0.0) < TOO_BUSY:
                break
            deadline = now + timeout / 4
        time.sleep(pause)
        pause = min(pause * 1.3, 1.0)
    state = container.state()
    if not state.get("Running"):
        return _ended(container, state, begun)
    return Watch(
        started=True,
        seconds=round(time.monotonic() - begun, 1),
        sockets=sockets,
        ports=tuple(ports.items()),
        failure=failure,
        log=container.log(),
    )


def busy(container: Container) -> bool:
    """Whether the container's processes are computing, not waiting."""
    try:
        found = container.client.stats(container.id, stream=False)
        now, before = found["cpu_stats"], found["precpu_stats"]
        used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
        passed = now["system_cpu_usage"] - before.get("system_cpu_usage", 0)
    except (KeyError, TypeError, OSError, ValueError):
        return False
    return bool(passed > 0 and used / passed > 0.02)


def _ended(container: Container, state: dict[str, Any], begun: float) -> Watch:
    log = container.log()
    code = state.get("ExitCode")
    cause = causes.of_exit(
        log, code, oom=bool(state.get("OOMKilled")), engine=str(state.get("Error") or "")
    )
    return Watch(started=False, seconds=round(time.monotonic() - begun, 1), cause=cause, log=log)


def health_of(container: Container) -> tuple[str | None, str]:
    """(healthy, unhealthy or None without a check, what it said), asked once and at once."""
    try:
        found = container.client.inspect_container(container.id)["Config"]
    except Exception:
        return None, ""
    test = (found.get("Healthcheck") or {}).get("Test") or []
    if not test or test[0] == "NONE":
        return None, ""
    command = ["/bin/sh", "-c", *test[1:]] if test[0] == "CMD-SHELL" else list(test[1:])
    said = ""
    for _ in range(3):
        code, said = container.run(command)
        if code == 0:
            return "healthy", said[-300:]
        time.sleep(0.7)
    lines = causes.lines_of(said)
    return "unhealthy", lines[-1] if lines else ""
