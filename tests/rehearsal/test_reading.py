"""What is read from logs, tables of sockets, plans and journals, without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.__main__ import main
from auditor.config import Settings
from auditor.engine import deployment_of
from auditor.rehearsal import causes, engine, journal
from auditor.rehearsal.observed import Socket
from auditor.rehearsal.plan import groups
from auditor.rehearsal.reproduce import compare
from auditor.rehearsal.start import parse_sockets

GUNICORN = """Traceback (most recent call last):
  File "/app/app.py", line 2, in <module>
ModuleNotFoundError: No module named 'imblearn'
[2026-01-01 10:00:00 +0000] [7] [INFO] Worker exiting (pid: 7)
[2026-01-01 10:00:00 +0000] [1] [ERROR] Reason: Worker failed to boot.
"""


@pytest.mark.parametrize(
    ("log", "code", "kind", "subject", "said"),
    [
        (GUNICORN, 3, "import", "imblearn", "the module `imblearn` is not installed (exit code 3)"),
        (
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            1,
            "import",
            "libGL.so.1",
            "the shared library `libGL.so.1` is missing",
        ),
        ("KeyError: 'MODEL_PATH'", 1, "environment", "MODEL_PATH", "`MODEL_PATH` is not set"),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'models/m.pkl'",
            1,
            "file",
            "models/m.pkl",
            "does not exist",
        ),
        ("PermissionError: [Errno 13] Permission denied: 'logs'", 1, "permission", "logs", "logs"),
        ("exec /app/run.sh: no such file or directory", 1, "file", "/app/run.sh", "interpreter"),
        ("ValueError: unsupported pickle protocol: 5", 1, "exception", None, "protocol: 5"),
        ("numpy.linalg.LinAlgError: Singular matrix", 1, "exception", None, "Singular matrix"),
        ("UserWarning: old\nready", 0, "exit", None, "its last line: ready"),
        ("", 139, "signal", None, "SIGSEGV"),
        ("", 1, "exit", None, "it wrote nothing"),
        ("/bin/sh: 1: uvicorn: not found", 127, "file", "uvicorn", "uvicorn: not found"),
    ],
)
def test_causes(log: str, code: int, kind: str, subject: str | None, said: str) -> None:
    cause = causes.of_exit(log, code)
    assert (cause.kind, cause.subject) == (kind, subject)
    assert said in cause.text


def test_out_of_memory_beats_the_log() -> None:
    cause = causes.of_exit("KeyError: 'X'", 137, oom=True)
    assert cause.kind == "oom" and "memory" in cause.text


@pytest.mark.parametrize(
    ("log", "outside", "said"),
    [
        ('#6 ERROR: "/Models" not found: not found\n------\n', False, "/Models"),
        (
            "Step 2/3 : COPY Models/ /x\nCOPY failed: file not found in build context or excluded by "
            ".dockerignore: stat Models/: file does not exist",
            False,
            "COPY failed",
        ),
        (
            '#3 ERROR: failed to do request: Head "https://registry/v2/": dial tcp: lookup: no such host',
            True,
            "no such host",
        ),
        (
            "#8 4.1 ERROR: Could not find a version that satisfies the requirement nosuch==1\n"
            "#8 4.1 ERROR: No matching distribution found for nosuch==1\n"
            "#8 ERROR: executor failed running [/bin/sh -c pip]: exit code: 1",
            False,
            "No matching distribution",
        ),
        (
            "E: Unable to locate package libgl1-mesa-glx\nThe command '/bin/sh -c apt-get' returned a non-zero code: 100",
            False,
            "libgl1-mesa-glx",
        ),
        ("write /x: no space left on device", True, "no space left"),
    ],
)
def test_failed_builds(log: str, outside: bool, said: str) -> None:
    found, cause = causes.of_build(log)
    assert found is outside and said in cause.text


@given(st.text(max_size=400), st.none() | st.integers(0, 260))
def test_any_log_is_survived(log: str, code: int | None) -> None:
    causes.of_exit(log, code)
    causes.of_build(log)


def test_sockets_of_proc() -> None:
    table = """  sl  local_address rem_address   st tx_queue
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000
   1: 00000000:2328 00000000:0000 0A 00000000:00000000
   2: 0B00007F:9999 00000000:0000 0A 00000000:00000000
   3: 0100007F:1F41 0100007F:9999 01 00000000:00000000
  sl  local_address                         remote_address
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000
   1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 00000000
   2: 0000000000000000FFFF00000100007F:0052 00000000000000000000000000000000:0000 0A 00000000
   3: nonsense
"""
    found = {(s.host, s.port): s.loopback for s in parse_sockets(table)}
    # 127.0.0.11 is the engine's own resolver, and 8001 is a connection.
    assert found == {
        ("127.0.0.1", 8000): True,
        ("0.0.0.0", 9000): False,
        ("::", 80): False,
        ("::1", 81): True,
        ("127.0.0.1", 82): True,
    }


@given(st.text(max_size=300))
def test_any_table_is_survived(text: str) -> None:
    assert all(isinstance(s, Socket) for s in parse_sockets(text))


def planned(root: Path, compose: str) -> Any:
    root.mkdir()
    (root / "Dockerfile").write_text("FROM python:3.11-slim\nEXPOSE 8000\nCMD ['x']\n")
    (root / "models").mkdir()
    (root / "docker-compose.yml").write_text(compose)
    return groups(deployment_of(root, Settings()))


def test_a_plan_says_what_compose_says(tmp_path: Path) -> None:
    (group,) = planned(
        tmp_path / "r",
        """services:
  web:
    build: .
    depends_on: [db]
    privileged: true
    network_mode: host
    user: "1000"
    working_dir: /srv
    entrypoint: ["python", "-u"]
    command: app.py --port 80
    environment: {A: "1", B: "$$x"}
    ports: ["127.0.0.1:8080:80", "9000"]
    volumes:
      - ./models:/m:ro
      - /var/run/docker.sock:/var/run/docker.sock
      - cache:/cache
    mem_limit: 512m
    stop_grace_period: 3s
    logging: {driver: json-file, options: {max-size: 1m}}
  db:
    build: .
  later:
    build: .
    profiles: [tools]
""",
    )
    assert [p.alias for p in group.services] == ["db", "web"]
    web = group.services[1]
    assert web.entrypoint == ("python", "-u") and web.command == ("app.py", "--port", "80")
    assert dict(web.environment) == {"A": "1", "B": "$x"}
    assert (web.user, web.workdir, web.memory, web.grace) == ("1000", "/srv", 512 << 20, 3.0)
    # Only what the configuration publishes, not what EXPOSE says.
    assert [p.number for p in web.ports] == [80, 9000]
    volumes = {v.target: v for v in web.volumes}
    assert (volumes["/m"].kind, volumes["/m"].source, volumes["/m"].read_only) == (
        "copy",
        "models",
        True,
    )
    assert volumes["/var/run/docker.sock"].source is None
    assert volumes["/cache"].kind == "shared"
    said = " ".join(web.notes)
    assert "privileged" in said and "network_mode" in said and "outside the repository" in said


def test_a_missing_env_file_is_refused(tmp_path: Path) -> None:
    (group,) = planned(tmp_path / "r", "services:\n  web:\n    build: .\n    env_file: .env\n")
    refusal = group.services[0].refusal
    assert refusal is not None and refusal[0] == "builds" and ".env" in refusal[1]


def test_builds_are_compared_by_what_matters() -> None:
    one = {
        "usr/lib/python3/site-packages/requests-2.31.0.dist-info/METADATA": (1, "a"),
        "usr/lib/python3/site-packages/requests/api.py": (1, "a"),
        "app/x.pyc": (1, "a"),
        "app/data.bin": (1, "a"),
        "app/same": (1, "a"),
    }
    other = {
        "usr/lib/python3/site-packages/requests-2.32.0.dist-info/METADATA": (1, "b"),
        "usr/lib/python3/site-packages/requests/api.py": (1, "b"),
        "app/x.pyc": (1, "b"),
        "app/data.bin": (1, "b"),
        "app/same": (1, "a"),
    }
    found = compare("image", one, other)
    assert [(d.kind, d.name) for d in found.differences] == [
        ("package", "requests"),
        ("file", "app/data.bin"),
    ]
    assert found.timestamps == 1 and not found.same
    assert compare("image", one, dict(one)).same


def test_no_engine_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (tmp_path / "Dockerfile").write_text("FROM python:3.11-slim\n")
    assert main(["rehearse", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert "none.sock" in said and "docs.docker.com/engine/install" in said
    assert "deploy-audit ." in said


@pytest.mark.parametrize(
    "where",
    ["tcp://192.0.2.1:2375", "tcp://192.0.2.1", "ssh://me@build.example.com", "ssh://localhost"],
)
def test_an_engine_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", where)
    with pytest.raises(engine.NoEngineError, match="another machine") as refused:
        engine.connect()
    assert "unset DOCKER_HOST" in str(refused.value)


@pytest.mark.parametrize("where", ["tcp://127.0.0.1:1", "tcp://localhost:1", "tcp://[::1]:1"])
def test_an_engine_of_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", where)
    with pytest.raises(engine.NoEngineError, match="none answers"):
        engine.connect()


def test_a_journal_names_only_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged journal makes the cleaner remove nothing that is not a run's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    removed: list[str] = []

    class Client:
        def containers(self, **_: Any) -> list[Any]:
            return []

        networks = images = containers

        def volumes(self, **_: Any) -> dict[str, Any]:
            return {"Volumes": None}

        def remove_image(self, name: str, **_: Any) -> None:
            removed.append(name)

    mine = tmp_path / "keep"
    mine.mkdir()
    entries = [
        ("directory", str(mine)),
        ("image", "python:3.11"),
        ("layer", "--all"),
        ("image", "deploy-audit-0123456789ab-x:rehearsal"),
    ]
    journal.remove(Client(), "0123456789ab", entries)
    assert removed == ["deploy-audit-0123456789ab-x:rehearsal"]
    assert mine.is_dir()
