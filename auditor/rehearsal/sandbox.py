"""Loading artifacts where they can do no harm: a container, or an isolated process.

The container has no network, a read-only root, no capabilities, no new privileges, nobody's user,
and limits of memory, processes and time. What comes out of it is hostile: it is bounded, parsed
defensively, and only adds to what the engine itself says (exit code, out of memory, time over).
"""

from __future__ import annotations

import contextlib
import json
import secrets
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from auditor.rehearsal import causes
from auditor.rehearsal.engine import hang_up
from auditor.rehearsal.journal import Run
from auditor.rehearsal.observed import ArtifactLoad, Event
from auditor.values import value

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts
    from auditor.deployment.model import Artifact, Deployment, Environment

NOBODY: Final = "65534:65534"
PIDS: Final = 128
_OUTPUT: Final = 4_000_000
_LINES: Final = 1_000
_INFORMATION: Final = ("import", "open")
_TMP: Final = 64 << 20
_BASE_MEMORY: Final = 1 << 30
_LARGEST_TOTAL: Final = 4 << 30
_INTERPRETERS: Final = ("python", "python3")


@value
class Raw:
    """What a sandbox gave back, before anything of it is believed."""

    output: bytes
    exit_code: int | None
    seconds: float
    timed_out: bool = False
    flooded: bool = False
    out_of_memory: bool = False
    problem: str = ""
    errors: bytes = b""


def source() -> bytes:
    """The script that loads, as it is sent."""
    return (Path(__file__).parent / "payload" / "loader.py").read_bytes()


def memory_for(size: int) -> int:
    """Memory that loading a file of that size may take."""
    return min(_BASE_MEMORY + 4 * size, 16 << 30)


def time_for(size: int) -> float:
    """Seconds that loading a file of that size may take."""
    return 60.0 + size / 20e6


def read_report(
    raw: Raw,
    nonce: str,
    *,
    path: str,
    environment: str,
    loader: str,
    sandbox: str,
    memory: int,
    limit: float,
) -> ArtifactLoad:
    """Judge what came back. The loader's own account counts least."""
    records = list(_records(raw.output, nonce))
    events = tuple(
        Event(kind=kind, detail=_line(item.get("detail")))
        for item in records
        if item.get("t") == "event"
        and (kind := _line(item.get("kind"), 20)) in _KINDS
        and kind not in _INFORMATION
    )
    last = next((r for r in reversed(records) if r.get("t") in ("done", "error")), None)
    begun = any(r.get("t") == "begin" for r in records)
    base = ArtifactLoad(
        path=path,
        environment=environment,
        outcome="skipped",
        loader=loader,
        sandbox=sandbox,
        events=_acts(events),
        seconds=round(_number(last, "seconds", raw.seconds), 3) if last else round(raw.seconds, 3),
        peak_bytes=int(_number(last, "peak", 0)) or None if last else None,
    )
    from auditor.values import replace

    if raw.problem:
        return replace(base, reason=raw.problem)
    if raw.timed_out:
        return replace(base, outcome="contained", reason=f"it did not end within {limit:.0f} s")
    if raw.flooded:
        return replace(base, outcome="contained", reason="it wrote without end")
    if raw.out_of_memory:
        text = f"it used more than the {memory >> 20} MB it was given"
        return replace(base, outcome="contained", reason=text)
    if last is None or not begun:
        said = causes.of_log(raw.errors.decode("utf-8", "replace"))
        if not begun:
            why = said.text if said else f"the loader did not start (exit code {raw.exit_code})"
            return replace(
                base, outcome="fails", error=said.error if said else why, cause=said, reason=why
            )
        return replace(
            base,
            outcome="contained",
            reason=f"the process ended in the middle of the load (exit code {raw.exit_code})",
        )
    warnings = (
        tuple(_line(w) for w in (last.get("warnings") or ())[:20] if isinstance(w, str))
        if isinstance(last.get("warnings"), list)
        else ()
    )
    if last.get("t") == "error":
        line = f"{_line(last.get('type'), 60)}: {_line(last.get('text'), 600)}"
        if line.startswith("MemoryError"):
            text = f"it used more than the {memory >> 20} MB it was given"
            return replace(base, outcome="contained", error=line, reason=text)
        return replace(
            base, outcome="fails", error=line, cause=causes.of_log(line), warnings=warnings
        )
    telling = [w for w in warnings if "Version" in w or "unpickle" in w]
    return replace(base, outcome="warns" if telling else "loads", warnings=warnings)


_KINDS: Final = frozenset({"write", "read", "open", "socket", "process", "import", "exec", "other"})


def _acts(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Each event once, in order."""
    return tuple(dict.fromkeys(events))[:100]


def _records(output: bytes, nonce: str) -> Iterable[dict[str, Any]]:
    prefix = f"@{nonce} ".encode()
    count = 0
    for line in output.split(b"\n"):
        if not line.startswith(prefix) or len(line) > 20_000:
            continue
        count += 1
        if count > _LINES:
            return
        try:
            item = json.loads(line[len(prefix) :])
        except (ValueError, RecursionError):
            continue
        if isinstance(item, dict):
            yield item


def _line(text: object, longest: int = 300) -> str:
    shown = text if isinstance(text, str) else ""
    return "".join(c if c.isprintable() else " " for c in shown)[:longest]


def _number(item: dict[str, Any] | None, key: str, default: float) -> float:
    found = item.get(key) if item else None
    good = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < 1e15
    return float(found) if good and found is not None else default


# What to load, and how


_BY_FORMAT: Final = {
    "pickle": "pickle",
    "joblib": "joblib",
    "torch": "torch",
    "torch-zip": "torch",
    "torch-legacy": "torch",
    "onnx": "onnx",
    "npy": "numpy",
    "npz": "numpy",
    "keras": "keras",
    "hdf5": "keras",
    "safetensors": "safetensors",
    "catboost": "catboost",
    "xgboost": "xgboost",
    "xgboost-binary": "xgboost",
    "xgboost-ubj": "xgboost",
    "lightgbm": "lightgbm",
}


def loader_of(facts: ArtifactFacts) -> str | None:
    """Who reads such a file where no code says so; None when nothing here does."""
    from auditor.linking.compatibility import guess_loader

    if facts.pickle is not None and facts.format not in ("npy", "npz"):
        return guess_loader(facts)
    return _BY_FORMAT.get(facts.format)


def jobs(deployment: Deployment, environment: Environment) -> Iterable[tuple[Artifact, str]]:
    """(artifact, loader) for everything that this environment would load."""
    seen: set[str] = set()
    for load in deployment.loads:
        if load.environment.name == environment.name and load.artifact.path not in seen:
            loader = load.loader if load.loader in _LOADERS else loader_of(load.artifact.facts)
            if loader is not None and "!" not in load.artifact.path:
                seen.add(load.artifact.path)
                yield load.artifact, loader


_LOADERS: Final = frozenset({*_BY_FORMAT.values(), "joblib", "dill", "cloudpickle", "pandas"})


def modules_of(facts: ArtifactFacts) -> tuple[str, ...]:
    """Modules that the artifact names: imported before the watch begins."""
    found = [name.rpartition(".")[0] for name in facts.globals]
    return tuple(dict.fromkeys(m for m in found if m and m != "__main__"))[:60]


def refused(artifact: Artifact, *, load_dangerous: bool) -> str | None:
    """Why an artifact is not loaded at all."""
    facts = artifact.facts
    if facts.format == "lfs-pointer":
        return "it is a Git LFS pointer"
    if facts.verdict == "dangerous" and not load_dangerous:
        return "it was judged dangerous; --load-dangerous loads it in the sandbox all the same"
    return None


# In a container


class ContainerSandbox:
    """Loads files in containers of one image. Files are given in a volume, read-only."""

    def __init__(self, run: Run, image: str, root: Path, name: str) -> None:
        self.run = run
        self.client = run.client
        self.image = image
        self.root = root
        self.name = name
        self.volume = ""
        self._number = 0

    def open(self, files: Sequence[str]) -> None:
        """Put the loader and these files of the repository into the sandbox's volume."""
        import tarfile

        from auditor.rehearsal.start import tar_of

        self.volume = self.run.name(f"sandbox-{self.name}")
        helper = self.run.name(f"sandbox-fill-{self.name}")
        with self.run.shielded():
            self.run.record("volume", self.volume)
            self.client.create_volume(self.volume, driver="local", labels=self.run.labels)
            self.run.record("container", helper)
            made = self.client.create_container(
                image=self.image,
                entrypoint=["/deploy-audit-never-runs"],
                command=[],
                labels=self.run.labels,
                name=helper,
                host_config=self.client.create_host_config(
                    mounts=[self._mount(read_only=False)], network_mode="none"
                ),
            )
        self.client.put_archive(
            made["Id"], "/deploy-audit", tar_of({"loader.py": source()}, mode=0o444)
        )
        path = self.run.temporary / f"{helper}.tar"
        total = 0
        with tarfile.open(path, "w") as archive:
            for name in files:
                place = self.root / name
                if not place.is_file() or not place.resolve().is_relative_to(self.root):
                    continue
                total += place.stat().st_size
                if total > _LARGEST_TOTAL:
                    break
                info = archive.gettarinfo(place, arcname=f"repo/{name}")
                info.mode, info.uid, info.gid = 0o444, 0, 0
                info.type, info.linkname = tarfile.REGTYPE, ""
                info.size = place.stat().st_size
                with place.open("rb") as file:
                    archive.addfile(info, file)
        with path.open("rb") as file:
            self.client.put_archive(made["Id"], "/deploy-audit", file)
        path.unlink()
        self.client.remove_container(made["Id"], force=True)

    def close(self) -> None:
        """Give the volume back."""
        if self.volume:
            with contextlib.suppress(Exception):
                self.client.remove_volume(self.volume, force=True)
            self.volume = ""

    def _mount(self, *, read_only: bool) -> dict[str, Any]:
        return {
            "Type": "volume",
            "Source": self.volume,
            "Target": "/deploy-audit",
            "ReadOnly": read_only,
            "VolumeOptions": {"NoCopy": True},
        }

    def load(
        self,
        path: str,
        loader: str,
        modules: Sequence[str],
        *,
        size: int,
        environment: str,
        limit: float | None = None,
        memory: int | None = None,
    ) -> ArtifactLoad:
        """Load one of the files."""
        nonce = secrets.token_hex(12)
        limit = limit or time_for(size)
        memory = memory or memory_for(size)
        raw = Raw(output=b"", exit_code=None, seconds=0.0, problem="no interpreter was found")
        for interpreter in _INTERPRETERS:
            command = [
                interpreter, "-B", "-u", "/deploy-audit/loader.py", nonce, loader,
                f"/deploy-audit/repo/{path}", ",".join(modules),
            ]  # fmt: skip
            raw = self.execute(command, limit=limit, memory=memory)
            if not raw.problem.startswith("no interpreter"):
                break
        return read_report(
            raw,
            nonce,
            path=path,
            environment=environment,
            loader=loader,
            sandbox="container",
            memory=memory,
            limit=limit,
        )

    def execute(self, command: Sequence[str], *, limit: float, memory: int) -> Raw:
        """Run a command in the image behind the sandbox's walls."""
        from docker.types import Ulimit

        self._number += 1
        name = self.run.name(f"load-{self.name}-{self._number}")
        host = self.client.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=PIDS,
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=1_000_000_000,
            ipc_mode="private",
            tmpfs={"/tmp": f"rw,noexec,nosuid,nodev,size={_TMP},mode=1777"},
            ulimits=[
                Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="nofile", soft=1024, hard=1024),
            ],
            mounts=[self._mount(read_only=True)],
            # What it prints is read while it runs and kept nowhere.
            log_config={"Type": "none", "Config": {}},
        )
        with self.run.shielded():
            self.run.record("container", name)
            made = self.client.create_container(
                image=self.image,
                entrypoint=list(command[:1]),
                command=list(command[1:]),
                user=NOBODY,
                environment={
                    "HOME": "/tmp",
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                    "MPLCONFIGDIR": "/tmp",
                    "NUMBA_CACHE_DIR": "/tmp",
                },
                labels=self.run.labels,
                name=name,
                network_disabled=True,
                healthcheck={"test": ["NONE"]},
                host_config=host,
            )
        try:
            return self._watched(made["Id"], limit)
        finally:
            with contextlib.suppress(Exception):
                self.client.remove_container(made["Id"], force=True, v=True)

    def _watched(self, identity: str, limit: float) -> Raw:
        stream = self.client.attach_socket(
            identity, params={"stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
        )
        connection = getattr(stream, "_sock", stream)
        begun = time.monotonic()
        reader = _Reader(connection)
        thread = threading.Thread(target=reader.run, daemon=True)
        try:
            try:
                with self.run.shielded():
                    self.client.start(identity)
            except Exception as error:
                said = str(getattr(error, "explanation", error))
                missing = "executable file not found" in said or "no such file" in said
                problem = "no interpreter in the image" if missing else said[:300]
                return Raw(output=b"", exit_code=None, seconds=0.0, problem=problem)
            thread.start()
            late = False
            while True:
                thread.join(0.1)
                if not thread.is_alive() and not reader.flooded:
                    break
                late = time.monotonic() - begun > limit
                if late or reader.flooded:
                    # An engine whose reader does not read may wait for it with everything else.
                    hang_up(stream)
                    with contextlib.suppress(Exception):
                        self.client.kill(identity)
                    break
            thread.join(5.0)
            state = self._state(identity)
        finally:
            hang_up(stream)
        return Raw(
            output=bytes(reader.standard),
            errors=bytes(reader.errors),
            exit_code=state.get("ExitCode"),
            seconds=time.monotonic() - begun,
            timed_out=late,
            flooded=reader.flooded,
            out_of_memory=bool(state.get("OOMKilled")),
        )

    def _state(self, identity: str) -> dict[str, Any]:
        deadline = time.monotonic() + 10.0
        state: dict[str, Any] = {}
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):
                state = self.client.inspect_container(identity)["State"]
            if state and not state.get("Running"):
                break
            time.sleep(0.1)
        return state


class _Reader:
    """Takes the two streams of an attached container apart, up to a bound."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.standard = bytearray()
        self.errors = bytearray()
        self.flooded = False

    def run(self) -> None:
        pending = b""
        received = 0
        while True:
            try:
                data = self.connection.recv(65_536)
            except OSError:
                return
            if not data:
                return
            received += len(data)
            if received > _OUTPUT:
                self.flooded = True
                return
            pending += data
            while len(pending) >= 8:
                stream, size = pending[0], struct.unpack(">I", pending[4:8])[0]
                if len(pending) < 8 + size:
                    break
                (self.standard if stream == 1 else self.errors).extend(pending[8 : 8 + size])
                pending = pending[8 + size :]


Kind = Literal["container", "process"]
Say = Callable[[str], None]


def load_all(
    run: Run,
    deployment: Deployment,
    images: Sequence[tuple[Environment, str]],
    *,
    load_dangerous: bool,
    say: Say,
) -> tuple[ArtifactLoad, ...]:
    """Load every artifact in every image whose environment loads it."""
    found: list[ArtifactLoad] = []
    root = Path(deployment.root).resolve()
    for number, (environment, image) in enumerate(images):
        wanted = [(a, how) for a, how in jobs(deployment, environment) if not a.is_dev]
        allowed = []
        for artifact, how in wanted:
            why = refused(artifact, load_dangerous=load_dangerous)
            if why is None:
                allowed.append((artifact, how))
            else:
                found.append(
                    ArtifactLoad(
                        path=artifact.path,
                        environment=environment.name,
                        outcome="refused",
                        loader=how,
                        reason=why,
                    )
                )
        if not allowed:
            continue
        if _packages_of_root(run, image):
            found += [
                ArtifactLoad(
                    path=artifact.path,
                    environment=environment.name,
                    outcome="skipped",
                    loader=how,
                    reason="the image keeps its packages in /root/.local, which only root may read",
                )
                for artifact, how in allowed
            ]
            continue
        sandbox = ContainerSandbox(run, image, root, str(number))
        try:
            sandbox.open(_files(root, [a for a, _ in allowed]))
            for artifact, how in allowed:
                say(f"loading {artifact.path} in {environment.name}")
                found.append(
                    sandbox.load(
                        artifact.path,
                        how,
                        modules_of(artifact.facts),
                        size=artifact.facts.size,
                        environment=environment.name,
                    )
                )
        finally:
            sandbox.close()
    return tuple(found)


def _packages_of_root(run: Run, image: str) -> bool:
    """Whether the image runs from what ``pip install --user`` gave root."""
    config = run.client.inspect_image(image).get("Config") or {}
    return any("/root/.local" in item for item in config.get("Env") or ())


def _files(root: Path, artifacts: Sequence[Artifact]) -> list[str]:
    """The artifacts, and what lies beside them and belongs to them (external data, companions)."""
    found: dict[str, None] = {}
    for artifact in artifacts:
        found[artifact.path] = None
        facts = artifact.facts
        folder = Path(artifact.path).parent
        for companion in facts.pickle.companions if facts.pickle else ():
            found[str(folder / companion)] = None
        if facts.onnx is not None:
            for place in sorted((root / folder).glob("*.data")) + sorted(
                (root / folder).glob("*.bin")
            ):
                found[str(folder / place.name)] = None
    return list(found)
