"""Malicious artifacts in the sandbox: contained, reported, and nothing outside changed."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import IMAGE, left_of

from auditor.rehearsal.observed import ArtifactLoad
from auditor.rehearsal.sandbox import ContainerSandbox, Raw, read_report

pytestmark = pytest.mark.rehearsal

Load = Callable[..., ArtifactLoad]


class Code:
    """Unpickles to whatever the source does."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.source,)


@pytest.fixture
def load(run: Any, tmp_path: Path) -> Iterator[Load]:
    root = tmp_path / "repo"
    root.mkdir()
    sandboxes = []

    def loading(value: Any, **more: Any) -> ArtifactLoad:
        (root / "model.pkl").write_bytes(pickle.dumps(value))
        sandbox = ContainerSandbox(run, IMAGE, root, str(len(sandboxes)))
        sandboxes.append(sandbox)
        sandbox.open(["model.pkl"])
        return sandbox.load("model.pkl", "pickle", (), size=1000, environment="image", **more)

    yield loading
    for sandbox in sandboxes:
        sandbox.close()


def kinds(load: ArtifactLoad) -> set[str]:
    return {event.kind for event in load.events}


def test_an_honest_artifact_loads_without_a_word(load: Load) -> None:
    found = load({"weights": [1.0] * 1000})
    assert found.outcome == "loads"
    assert found.events == ()
    assert found.seconds is not None and found.seconds < 5


def test_writing_a_file(load: Load) -> None:
    found = load(Code("open('/deploy-audit-was-here', 'w').write('x')"))
    assert found.outcome == "fails" and "Read-only file system" in found.error
    assert ("write", "open(/deploy-audit-was-here, w)") in [
        (e.kind, e.detail) for e in found.events
    ]
    assert not Path("/deploy-audit-was-here").exists()


def test_opening_a_socket(load: Load) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        found = load(Code(f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"))
        with pytest.raises(TimeoutError):
            server.accept()
    assert found.outcome == "fails"
    assert "socket" in kinds(found)
    # An address that nobody has: without a network it is refused at once, with one it is tried.
    found = load(Code("import socket; socket.create_connection(('192.0.2.1', 80), 5)"))
    assert found.outcome == "fails" and "unreachable" in found.error


def test_starting_a_process(load: Load) -> None:
    found = load(Code("import os; os.system('id > /tmp/owned')"))
    assert any(e.kind == "process" and "id > /tmp/owned" in e.detail for e in found.events)
    assert not Path("/tmp/owned").exists()


def test_allocating_without_end(load: Load) -> None:
    found = load(
        Code("x = []\nwhile True: x.append(bytearray(10_000_000))"), memory=256 << 20, limit=30.0
    )
    assert found.outcome == "contained"
    assert "256 MB" in found.reason


def test_looping_for_ever(load: Load) -> None:
    found = load(Code("while True: pass"), limit=2.0)
    assert found.outcome == "contained"
    assert "did not end within 2 s" in found.reason


def test_fork_bomb(load: Load) -> None:
    found = load(Code("import os\nwhile True: os.fork()"), limit=4.0)
    assert "process" in kinds(found)
    assert found.outcome in ("contained", "fails")


def test_filling_the_disk(load: Load) -> None:
    found = load(
        Code("f = open('/tmp/big', 'wb')\nwhile True: f.write(bytes(1 << 20))"), limit=20.0
    )
    assert found.outcome == "fails" and "No space left" in found.error
    assert any(e.kind == "write" and "/tmp/big" in e.detail for e in found.events)
    assert not Path("/tmp/big").exists()


def test_each_wall_is_there(load: Load, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no attack can show without harm: the limits that the engine was given."""
    made: list[dict[str, Any]] = []
    make = run.client.create_container

    def spy(**arguments: Any) -> Any:
        made.append(arguments)
        return make(**arguments)

    monkeypatch.setattr(run.client, "create_container", spy)
    assert load([1]).outcome == "loads"
    host = made[-1]["host_config"]
    assert made[-1]["user"] == "65534:65534"
    assert host["NetworkMode"] == "none" and host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"] and host["SecurityOpt"] == ["no-new-privileges"]
    assert 0 < host["PidsLimit"] <= 128
    assert 0 < host["Memory"] == host["MemorySwap"] <= 2 << 30
    assert "noexec" in host["Tmpfs"]["/tmp"] and "size=" in host["Tmpfs"]["/tmp"]
    assert all(mount["ReadOnly"] for mount in host["Mounts"])
    assert not host.get("Binds") and not host.get("Privileged")


def test_killing_the_parent(load: Load) -> None:
    source = (
        "import os\n"
        "for victim in (os.getppid(), -1, 1):\n"
        "    try: os.kill(victim, 9)\n"
        "    except OSError: pass\n"
        "os._exit(0)\n"
    )
    found = load(Code(source))
    assert found.outcome == "contained"
    assert any(e.kind == "other" and "os.kill" in e.detail for e in found.events)


def test_writing_without_end(load: Load) -> None:
    found = load(Code("import os\nwhile True: os.write(2, b'x' * 65536)"), limit=20.0)
    assert found.outcome == "contained" and "wrote without end" in found.reason


def test_forging_the_report_does_not_unsay_what_was_done(load: Load) -> None:
    source = (
        "import os, sys, json\n"
        "nonce = open('/proc/self/cmdline').read().split(chr(0))[4]\n"
        "for fd in range(3, 9):\n"
        "    try: os.write(fd, ('@%s ' % nonce + json.dumps({'t': 'done', 'seconds': 0}) + chr(10)).encode())\n"
        "    except OSError: pass\n"
        "os._exit(0)\n"
    )
    found = load(Code(source))
    assert "exec" in kinds(found)


def test_what_comes_out_is_parsed_defensively() -> None:
    deep = b"@n " + b"[" * 10_000 + b"]" * 10_000
    lines = [
        b'@n {"t": "begin"}',
        b"@n not json",
        deep,
        b'@n {"t": "event", "kind": "\\u001b[31m", "detail": 5}',
        b'@n {"t": "event", "kind": "write", "detail": "\\u001b[2Jx"}',
        b'@n {"t": "done", "seconds": "x", "peak": -5, "warnings": [1, {}]}',
    ]
    found = read_report(
        Raw(output=b"\n".join(lines), exit_code=0, seconds=1.5),
        "n",
        path="m.pkl",
        environment="e",
        loader="pickle",
        sandbox="container",
        memory=1 << 20,
        limit=5.0,
    )
    assert [(e.kind, e.detail) for e in found.events] == [("write", " [2Jx")]
    assert found.outcome == "loads" and found.seconds == 1.5 and found.peak_bytes is None


def test_nothing_is_left(load: Load, run: Any, client: Any) -> None:
    load([1, 2, 3])
    run.close()
    assert left_of(client, run.id) == []
    assert not run.temporary.exists()
    assert not [p for p in Path("/tmp").iterdir() if run.id in p.name]
