"""``--sandbox process``: artifacts loaded by the local interpreter, isolated by Linux alone.

``bubblewrap`` gives it namespaces of its own (network, processes, users, files) with everything
read-only, and resource limits bound the rest. Where that cannot be had, nothing is loaded.
"""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from auditor.errors import AuditorError
from auditor.rehearsal import sandbox
from auditor.rehearsal.observed import ArtifactLoad, Rehearsal
from auditor.rehearsal.sandbox import Raw

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment
    from auditor.rehearsal.rehearse import Options

_NOBODY: Final = 65534
_PROCESSES: Final = 64
_FILE: Final = 64 << 20
_OUTPUT: Final = 4_000_000
# Mounted empty: what users keep there is nobody's business.
_HIDDEN: Final = ("home", "root", "run", "mnt", "srv", "var")


class NoSandboxError(AuditorError):
    """No process can be isolated on this machine."""


def check() -> str:
    """The path of a ``bwrap`` that works here; NoSandboxError otherwise."""
    program = shutil.which("bwrap")
    if not sys.platform.startswith("linux"):
        raise NoSandboxError("--sandbox process needs Linux; use Docker on this system")
    if program is None:
        raise NoSandboxError(
            "--sandbox process needs bubblewrap, which is not installed "
            "(`apt-get install bubblewrap`); without isolation nothing is loaded"
        )
    try:
        done = subprocess.run(
            [program, *_walls(), "--", *_inside(), "/bin/true"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoSandboxError(f"bubblewrap does not work here: {error}") from None
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        raise NoSandboxError(
            f"bubblewrap cannot isolate here ({said}); without isolation nothing is loaded"
        )
    return program


def _walls() -> list[str]:
    """Namespaces and mounts. Root needs no user namespace, and gives its rights up inside."""
    root = os.geteuid() == 0
    namespaces = (
        ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        if root
        else ["--unshare-all", "--cap-drop", "ALL", "--uid", str(_NOBODY), "--gid", str(_NOBODY)]
    )
    return [
        *namespaces, "--die-with-parent", "--new-session", "--clearenv",
        "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "--setenv", "HOME", "/tmp",
        "--setenv", "OMP_NUM_THREADS", "1", "--setenv", "OPENBLAS_NUM_THREADS", "1",
        "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
        *(word for name in _HIDDEN if Path("/", name).is_dir() for word in ("--tmpfs", f"/{name}")),
        "--perms", "1777", "--size", str(_FILE), "--tmpfs", "/tmp",
    ]  # fmt: skip


def _reachable(path: str) -> list[str]:
    """Directories above a path that lies where an empty one was mounted, open to nobody."""
    parts = Path(path).parents
    hidden = [p for p in parts if len(p.parts) > 2 and p.parts[1] in (*_HIDDEN, "tmp")]
    return [word for p in reversed(hidden) for word in ("--perms", "0755", "--dir", str(p))]


def _inside() -> list[str]:
    """What lowers rights and limits once the walls stand."""
    number = str(_NOBODY)
    lower = ["prlimit", f"--nproc={_PROCESSES}:{_PROCESSES}", "--"]
    if os.geteuid() != 0:
        return lower
    return [
        "setpriv", "--reuid", number, "--regid", number, "--clear-groups", "--no-new-privs",
        "--bounding-set=-all", "--inh-caps=-all", *lower,
    ]  # fmt: skip


def _limits(memory: int, seconds: float) -> Callable[[], None]:
    def apply() -> None:
        for what, bound in (
            (resource.RLIMIT_AS, memory + (1 << 30)),
            (resource.RLIMIT_FSIZE, _FILE),
            (resource.RLIMIT_CPU, int(seconds) + 5),
            (resource.RLIMIT_NOFILE, 512),
            (resource.RLIMIT_CORE, 0),
        ):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(what, (bound, bound))

    return apply


def interpreter() -> Path:
    """The interpreter whose packages are tried: the active virtual environment's, else ours."""
    active = os.environ.get("VIRTUAL_ENV")
    if active and Path(active, "bin", "python").exists():
        return Path(active, "bin", "python")
    return Path(sys.executable)


def load(
    program: str,
    path: Path,
    shown: str,
    loader: str,
    modules: Sequence[str],
    *,
    limit: float | None = None,
    memory: int | None = None,
) -> ArtifactLoad:
    """Load one file in an isolated process."""
    size = path.stat().st_size
    limit = limit or sandbox.time_for(size)
    memory = memory or sandbox.memory_for(size)
    nonce = secrets.token_hex(12)
    python = interpreter()
    with tempfile.TemporaryDirectory(prefix="deploy-audit-") as folder:
        # Copies that nobody may read: the originals' directories may be closed to that user.
        place = Path(folder)
        place.chmod(0o755)
        script = place / "loader.py"
        script.write_bytes(sandbox.source())
        target = place / "artifact" / path.name
        target.parent.mkdir()
        shutil.copyfile(path, target)
        for item in (script, target, target.parent):
            item.chmod(0o755 if item.is_dir() else 0o444)
        command = [program, *_walls()]
        # The interpreter, and what it runs from, may lie in a directory that is hidden.
        prefixes = (sys.base_prefix, sys.prefix, str(python.parent.parent))
        real = str(python.resolve().parent.parent)
        for needed in dict.fromkeys((*prefixes, real)):
            command += [*_reachable(needed), "--ro-bind", needed, needed]
        command += ["--ro-bind", folder, "/tmp/deploy-audit"]
        command += ["--chdir", "/tmp", "--remount-ro", "/"]
        command += [
            "--", *_inside(), str(python), "-B", "-u", "-I", "/tmp/deploy-audit/loader.py", nonce, loader,
            f"/tmp/deploy-audit/artifact/{path.name}", ",".join(modules),
        ]  # fmt: skip
        raw = _watched(command, limit, memory)
    return sandbox.read_report(
        raw,
        nonce,
        path=shown,
        environment=f"Python at {python}",
        loader=loader,
        sandbox="process",
        memory=memory,
        limit=limit,
    )


def _watched(command: Sequence[str], limit: float, memory: int) -> Raw:
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            start_new_session=True,
            preexec_fn=_limits(memory, limit),
        )
        late = flooded = False
        try:
            while process.poll() is None:
                time.sleep(0.05)
                late = time.monotonic() - begun > limit
                written = os.fstat(out.fileno()).st_size + os.fstat(errors.fileno()).st_size
                flooded = written > _OUTPUT
                if late or flooded:
                    break
        finally:
            # The first process of its own namespace: with it everything in there ends.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        errors.seek(0)
        code = process.returncode
        return Raw(
            output=out.read(_OUTPUT),
            errors=errors.read(_OUTPUT),
            exit_code=code,
            seconds=time.monotonic() - begun,
            timed_out=late or code == 128 + signal.SIGXCPU,
            flooded=flooded or code == 128 + signal.SIGXFSZ,
        )


def rehearse(deployment: Deployment, options: Options, *, say: Callable[[str], None]) -> Rehearsal:
    """Load every artifact of the repository; nothing is built or started."""
    program = check()
    started = time.monotonic()
    root = Path(deployment.root).resolve()
    found: list[ArtifactLoad] = []
    seen: set[str] = set()
    for artifact in deployment.artifacts:
        loader = sandbox.loader_of(artifact.facts)
        if artifact.is_dev or loader is None or "!" in artifact.path or artifact.path in seen:
            continue
        seen.add(artifact.path)
        for item in deployment.loads:
            if item.artifact is artifact and item.service is not None:
                loader = item.loader
        why = sandbox.refused(artifact, load_dangerous=options.load_dangerous)
        if why is not None:
            found.append(
                ArtifactLoad(
                    path=artifact.path,
                    environment="",
                    outcome="refused",
                    loader=loader,
                    sandbox="process",
                    reason=why,
                )
            )
            continue
        say(f"loading {artifact.path}")
        modules = sandbox.modules_of(artifact.facts)
        found.append(load(program, root / artifact.path, artifact.path, loader, modules))
    return Rehearsal(
        run="process",
        engine="",
        builder="",
        seconds=round(time.monotonic() - started, 1),
        artifacts=tuple(found),
        limits=options.limits,
    )
