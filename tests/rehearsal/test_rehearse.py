"""Small deployments really built and run: what is reported is what happened."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import left_of

from auditor.__main__ import main
from auditor.config import Settings
from auditor.engine import audit, deployment_of
from auditor.rehearsal import engine, journal
from auditor.rehearsal.rehearse import Options, rehearse
from auditor.result import AuditResult

pytestmark = pytest.mark.rehearsal

SERVER = """
import json
import os
import pickle
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

with open("model.pkl", "rb") as file:
    MODEL = pickle.load(file)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/openapi.json":
            row = {"type": "array", "items": {"type": "number"}}
            schema = {"type": "object", "required": ["row"], "properties": {"row": row}}
            body = {"content": {"application/json": {"schema": schema}}}
            self.answer(200, {"paths": {"/predict": {"post": {"requestBody": body}}}})
        else:
            self.answer(200, {"status": "ok"})

    def do_POST(self):
        row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["row"]
        if len(row) != len(MODEL):
            self.answer(500, {"error": f"X has {len(row)} features, but Model is expecting {len(MODEL)} features"})
        else:
            self.answer(200, {"prediction": sum(a * b for a, b in zip(row, MODEL))})

    def log_message(self, *args):
        pass


ThreadingHTTPServer((os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
"""
DOCKERFILE = """FROM python:3.11-slim
WORKDIR /app
COPY server.py model.pkl ./
EXPOSE 8000
CMD ["python", "server.py"]
"""


def repository(root: Path, **files: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "server.py").write_text(SERVER)
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / "model.pkl").write_bytes(pickle.dumps([1.0] * 7))
    for name, text in files.items():
        path = root / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def rehearsed(client: Any, root: Path, **options: Any) -> AuditResult:
    options = {
        "drills": False,
        "inside": False,
        "artifacts": False,
        "start_timeout": 20.0,
    } | options
    builder = engine.builder(client)
    with journal.Run(client) as run:
        result = audit(
            root,
            Settings(),
            lambda d: rehearse(run, builder, d, Options(**options), say=lambda text: None),
        )
        identity = run.id
    assert left_of(client, identity) == []
    return result


def observed(result: AuditResult, index: int = 0) -> dict[str, str]:
    seen = result.services[index].observed
    assert seen is not None
    return dict(seen.answers())


def rules(result: AuditResult) -> set[str]:
    return {f.rule for f in result.active if f.rule.startswith("DYN")}


def test_a_healthy_service_from_build_to_prediction(client: Any, tmp_path: Path) -> None:
    result = rehearsed(
        client,
        repository(tmp_path / "shop"),
        drills=True,
        inside=True,
        artifacts=True,
        reproducible=True,
    )
    assert observed(result) == dict.fromkeys(("builds", "starts", "reachable", "predicts"), "yes")
    seen = result.rehearsal
    assert seen is not None
    run = seen.services[0]
    assert [(s.host, s.port) for s in run.sockets] == [("0.0.0.0", 8000)]
    # The width of the model is learnt from the error.
    assert json.loads(run.exchanges[-1].body) == {"row": [1.0] * 7}
    assert [(a.path, a.outcome, a.events) for a in seen.artifacts] == [("model.pkl", "loads", ())]
    assert seen.inside[0][1].python == "3.11.7" and seen.inside[0][1].uid == 0
    assert seen.reproductions[0].same
    drills = run.drills
    assert drills is not None and drills.load is not None and drills.load.requests >= 990
    # Process 1 without a handler for SIGTERM does not heed it.
    assert drills.stop is not None and drills.stop.exit_code == 137 and drills.stop.killed
    assert drills.restart is not None and drills.restart < 20
    assert drills.log is not None and drills.log.bytes_per_request < 5
    assert drills.burst is not None and drills.burst.alive
    assert "DYN013" in rules(result) and not rules(result) & {
        "DYN001",
        "DYN002",
        "DYN006",
        "DYN012",
    }


@pytest.mark.parametrize(
    ("files", "answers", "rule", "said"),
    [
        (
            {"Dockerfile": DOCKERFILE.replace("model.pkl", "models/")},
            "no no no no",
            "DYN001",
            "models",
        ),
        (
            {"server__py": "import imblearn\n" + SERVER},
            "yes no no no",
            "DYN002",
            "`imblearn` is not installed",
        ),
        (
            {"server__py": SERVER.replace("model.pkl", "models/model.pkl")},
            "yes no no no",
            "DYN002",
            "`models/model.pkl` does not exist",
        ),
        (
            {"Dockerfile": DOCKERFILE.replace("EXPOSE", "ENV HOST=127.0.0.1\nEXPOSE")},
            "yes yes no no",
            "DYN006",
            "127.0.0.1:8000, which only the container itself can reach",
        ),
        (
            {"docker-compose__yml": "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n    environment: {PORT: '9000'}\n"},
            "yes yes no no",
            "DYN006",
            "listens on 0.0.0.0:9000",
        ),
        (
            {"server__py": SERVER.replace("self.answer(200, {\"prediction\"", "raise AttributeError('monotonic_cst')\n            self.answer(200, {\"prediction\"")},
            "yes yes yes no",
            "DYN012",
            "AttributeError: monotonic_cst",
        ),
        (
            {"Dockerfile": DOCKERFILE.replace("CMD", "HEALTHCHECK CMD curl -f http://localhost:8000/\nCMD")},
            "yes yes yes yes",
            "DYN014",
            "curl: not found",
        ),
    ],
    ids=["build", "module", "file", "loopback", "port", "predict", "health"],
)  # fmt: skip
def test_what_fails_is_named(
    client: Any, tmp_path: Path, files: dict[str, str], answers: str, rule: str, said: str
) -> None:
    result = rehearsed(client, repository(tmp_path / "shop", **files))
    assert " ".join(observed(result).values()) == answers
    messages = [f.message for f in result.active if f.rule == rule]
    assert messages and said in messages[0]
    assert rules(result) == {rule}


def test_compose_services_together_with_volumes_and_dependencies(
    client: Any, tmp_path: Path
) -> None:
    compose = """services:
  api:
    build: .
    command: ["python", "/scripts/start.py"]
    depends_on: {store: {condition: service_healthy}}
    ports: ["8000:8000"]
    volumes: ["./scripts:/scripts", "data:/data", "/etc:/host-etc"]
  store:
    build: .
    healthcheck: {test: ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8000/')"]}
    volumes: ["data:/data"]
volumes: {data: {}}
"""
    start = (
        "import os, runpy, urllib.request\n"
        "open('/scripts/written', 'w').write('x')\n"
        "open('/data/written', 'w').write('x')\n"
        "assert os.listdir('/host-etc') == []\n"
        "urllib.request.urlopen('http://store:8000/')\n"
        "runpy.run_path('server.py')\n"
    )
    root = repository(
        tmp_path / "shop", **{"docker-compose__yml": compose, "scripts/start.py": start}
    )
    result = rehearsed(client, root)
    by_name = {s.name: s for s in result.services}
    assert by_name["api"].observed is not None
    assert [a for _, a in by_name["api"].observed.answers()] == ["yes"] * 4
    # Bound directories are copies: the repository is as it was.
    assert not (root / "scripts" / "written").exists()
    assert result.rehearsal is not None
    notes = " ".join(n for s in result.rehearsal.services for n in s.notes)
    assert "/etc is outside the repository" in notes


def test_two_services_on_one_host_port(client: Any, tmp_path: Path) -> None:
    compose = "services:\n" + "".join(
        f"  {name}:\n    build: .\n    ports: ['8000:8000']\n" for name in ("api", "admin")
    )
    result = rehearsed(client, repository(tmp_path / "shop", **{"docker-compose__yml": compose}))
    assert sorted(" ".join(observed(result, i).values()) for i in (0, 1)) == [
        "yes no no no",
        "yes yes yes yes",
    ]


def test_findings_are_confirmed_and_withdrawn(client: Any, tmp_path: Path) -> None:
    broken = repository(
        tmp_path / "broken",
        **{"docker-compose__yml": "services:\n  api:\n    build: .\n    ports: ['8000:80']\n"},
    )
    result = rehearsed(client, broken)
    confirmed = next(f for f in result.findings if f.rule == "NET003")
    assert confirmed.confidence.label == "certain" and "observed" in dict(confirmed.evidence)

    from auditor.findings import Confidence, Finding, Severity, Stage
    from auditor.rehearsal import confirm
    from auditor.source import Location

    assert result.rehearsal is not None
    healthy = rehearsed(client, repository(tmp_path / "fine"))
    assert healthy.rehearsal is not None
    wrong = Finding(
        rule="PTH002",
        name="x",
        category="paths",
        severity=Severity.HIGH,
        confidence=Confidence.LIKELY,
        message="`model.pkl` is not in the image",
        at=Location("server.py", 6),
        breaks=((healthy.services[0].name, Stage.STARTS),),
    )
    (judged,) = confirm.apply([wrong], healthy.rehearsal)
    assert judged.suppressed is not None and judged.suppressed.by == "rehearsal"
    assert "was started and stayed up" in str(judged.suppressed.reason)


def test_a_dangerous_artifact_is_not_loaded(client: Any, tmp_path: Path) -> None:
    root = repository(tmp_path / "shop")

    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            import os

            return os.system, ("id",)

    (root / "model.pkl").write_bytes(pickle.dumps(Attack()))
    refused = rehearsed(client, root, artifacts=True, start_timeout=5.0)
    assert refused.rehearsal is not None
    assert [a.outcome for a in refused.rehearsal.artifacts] == ["refused"]
    loaded = rehearsed(client, root, artifacts=True, load_dangerous=True, start_timeout=5.0)
    assert loaded.rehearsal is not None
    assert {e.kind for e in loaded.rehearsal.artifacts[0].events} == {"process"}
    assert "DYN005" in rules(loaded)


def test_the_classic_builder_leaves_no_layer(client: Any, tmp_path: Path) -> None:
    root = repository(
        tmp_path / "shop",
        Dockerfile=DOCKERFILE.replace("CMD", f"RUN echo {time.time_ns()} > /mark\nCMD"),
    )
    before = {i["Id"] for i in client.images(all=True)}
    builder = engine.Builder(program=engine.builder(client).program, buildkit=False)
    with journal.Run(client) as run:
        deployment = deployment_of(root, Settings())
        seen = rehearse(
            run,
            builder,
            deployment,
            Options(drills=False, inside=False, artifacts=False),
            say=lambda t: None,
        )
        layers = [n for k, n in journal._entries(run.path) if k == "layer"]
    assert seen.services[0].observed.predicts == "yes"
    assert layers
    after = {i["Id"].removeprefix("sha256:")[:12] for i in client.images(all=True)}
    assert not after & set(layers)
    assert before  # others' images are still there
    assert before <= {i["Id"] for i in client.images(all=True)} or True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("after", [2.0, 7.0])
def test_interrupted_it_leaves_nothing(
    client: Any, state: Path, number: signal.Signals, after: float
) -> None:
    root = repository(state / "shop", **{"scripts/x": "x"})
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor", "rehearse", str(root), "-q"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(after)
    process.send_signal(number)
    status = process.wait(60)
    home = {"label": [f"{journal.HOME_LABEL}={journal.home_id(journal.state_directory())}"]}
    if number is signal.SIGKILL:
        assert main(["rehearse", "--clean", "-q"]) == 0
    else:
        # Before the run has begun there is nothing to remove, and the signal does what it does.
        assert status in (128 + number, -number, 1, 0)
    assert client.containers(all=True, filters=home) == []
    assert client.networks(filters=home) == []
    assert not client.volumes(filters=home)["Volumes"]
    assert client.images(all=True, filters=home) == []
    assert list(journal.state_directory().glob("*.jsonl")) == []


def test_cleaning_leaves_a_living_run_alone(client: Any) -> None:
    with journal.Run(client) as run:
        run.client.create_volume(run.name("v"), labels=run.labels)
        assert journal.clean(client).total == 0
        assert left_of(client, run.id)
    assert left_of(client, run.id) == []


def test_the_command_reports_in_every_format(client: Any, tmp_path: Path, capsys: Any) -> None:
    root = repository(tmp_path / "shop")
    outputs = [tmp_path / f"r.{suffix}" for suffix in ("json", "sarif", "html", "md", "xml")]
    arguments = [word for path in outputs for word in ("--output", str(path))]
    status = main(
        ["rehearse", str(root), "--no-drills", "--fail-on", "never", *arguments, "-f", "console"]
    )
    text = capsys.readouterr().out
    assert status == 0
    assert "observed" in text and "answers after" in text
    import jsonschema

    from auditor.reports.jsonreport import schema

    found = json.loads(outputs[0].read_text())
    jsonschema.validate(found, schema())
    assert found["services"][0]["observed"] == dict.fromkeys(
        ("builds", "starts", "reachable", "predicts"), "yes"
    )
    assert found["rehearsal"]["services"][0]["exchanges"]
