"""``--sandbox process``: artifacts in an isolated process, without an engine."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from auditor.__main__ import main
from auditor.rehearsal import process
from auditor.rehearsal.observed import ArtifactLoad


class Code:
    """Unpickles to whatever the source does."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.source,)


def isolates() -> bool:
    try:
        process.check()
    except process.NoSandboxError:
        return False
    return True


needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None or not isolates(), reason="bubblewrap does not work here"
)


def load(folder: Path, value: Any, **more: Any) -> ArtifactLoad:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(value))
    return process.load(process.check(), path, "model.pkl", "pickle", (), **more)


@needs_bubblewrap
@pytest.mark.rehearsal
@pytest.mark.parametrize(
    ("source", "kind", "outcomes"),
    [
        ("open('{folder}/owned', 'w')", "write", {"fails"}),
        ("open('/etc/deploy-audit-owned', 'w')", "write", {"fails"}),
        ("import os; os.system('touch {folder}/owned')", "process", {"loads", "fails"}),
        ("import socket; socket.create_connection(('127.0.0.1', {port}), 1)", "socket", {"fails"}),
        ("import os\nwhile True: os.fork()", "process", {"contained", "fails"}),
        (
            "f = open('/tmp/deploy-audit-big', 'wb')\nwhile True: f.write(bytes(1 << 20))",
            "write",
            {"contained", "fails"},
        ),
        (
            "import os\ntry: os.kill(os.getppid(), 9)\nexcept OSError: pass\nos._exit(0)",
            "other",
            {"contained"},
        ),
        ("while True: pass", "exec", {"contained"}),
        ("x = []\nwhile True: x.append(bytearray(10_000_000))", "exec", {"contained"}),
    ],
    ids=["write", "write-etc", "process", "socket", "fork", "disk", "kill", "loop", "memory"],
)
def test_attacks_are_contained_and_reported(
    tmp_path: Path, source: str, kind: str, outcomes: set[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        text = source.replace("{folder}", str(tmp_path)).replace(
            "{port}", str(server.getsockname()[1])
        )
        found = load(tmp_path, Code(text), limit=4.0, memory=256 << 20)
        with pytest.raises(TimeoutError):
            server.accept()
    assert found.outcome in outcomes
    assert kind in {e.kind for e in found.events}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.pkl"]
    assert not Path("/etc/deploy-audit-owned").exists()
    assert not Path("/tmp/deploy-audit-big").exists()
    # A part of the command line that is this test's own: other tests may run sandboxes meanwhile.
    running = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True).stdout
    assert str(tmp_path) not in running


@needs_bubblewrap
@pytest.mark.rehearsal
def test_an_honest_artifact_loads(tmp_path: Path, capsys: Any) -> None:
    assert load(tmp_path, {"w": [1.0]}).outcome == "loads"
    (tmp_path / "requirements.txt").write_text("requests==2.32.3\n")
    main(["rehearse", str(tmp_path), "--sandbox", "process", "--fail-on", "never", "-f", "json"])
    found = json.loads(capsys.readouterr().out)["rehearsal"]
    assert [(a["path"], a["outcome"], a["sandbox"]) for a in found["artifacts"]] == [
        ("model.pkl", "loads", "process")
    ]


def test_without_bubblewrap_nothing_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps([1]))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["rehearse", str(tmp_path), "--sandbox", "process"]) == 3
    assert "bubblewrap" in capsys.readouterr().err


def test_a_bubblewrap_that_fails_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho no permissions to create a new namespace >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "model.pkl").write_bytes(pickle.dumps([1]))
    assert main(["rehearse", str(tmp_path), "--sandbox", "process"]) == 3
    said = capsys.readouterr().err
    assert "nothing is loaded" in said and "new namespace" in said
