"""Build and run the small deployments of ``tools/scenarios/`` and record what really happens.

    python tools/run_scenarios.py [--only ID ...]     (needs an engine and docker-compose)

Writes ``tools/scenarios/truth.jsonl``, one line per deployment: ``built``, ``started`` (the
process stays up), ``reachable`` (an HTTP answer through the published port), ``predicts``
(POST /predict answers 2xx), ``healthy`` (None without a health check) and the last error of the
log. Stages after a failed one are null. A test compares the forecasts with this record.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "scenarios"
TRUTH = FOLDER / "truth.jsonl"
CONTAINER_PORT = 8000
PATIENCE = 120.0


def scenarios() -> Iterator[dict[str, Any]]:
    """Every scenario, its files with their common texts filled in.

    A line ``@name`` stands for the text of that name in ``[common]``, the file's own or that
    of ``common.toml``.
    """
    shared = tomllib.loads((FOLDER / "common.toml").read_text("utf-8"))["common"]
    for path in sorted(FOLDER.glob("*.toml")):
        data = tomllib.loads(path.read_text("utf-8"))
        common = {**shared, **data.get("common", {})}
        for scenario in data.get("scenario", ()):
            for name, text in scenario["files"].items():
                lines = text.removeprefix("\n").splitlines(keepends=True)
                scenario["files"][name] = "".join(
                    common[line.strip()[1:]].removeprefix("\n")
                    if line.startswith("@") and line.strip()[1:] in common
                    else line
                    for line in lines
                )
            yield scenario


def write(scenario: dict[str, Any], root: Path) -> Path:
    """The scenario's repository; ``executable`` and ``crlf`` name files that are so.

    ``base64`` holds files that are no text: models.
    """
    for name, text in scenario["files"].items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in scenario.get("crlf", ()):
            text = text.replace("\n", "\r\n")
        target.write_bytes(text.encode())
        target.chmod(0o755 if name in scenario.get("executable", ()) else 0o644)
    for name, text in scenario.get("base64", {}).items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(base64.b64decode(text))
    for name in scenario.get("directories", ()):
        (root / name).mkdir(parents=True, exist_ok=True)
    return root


def _buildpack(scenario: dict[str, Any], root: Path) -> None:
    """A Dockerfile that does what a platform's Python buildpack does with its start command.

    Install ``requirements.txt``, copy everything to ``/app``, run the line of ``web`` (of the
    Procfile, or as the scenario repeats it) in a shell with ``PORT`` set.
    """
    python = scenario.get("python", "3.11")
    web = scenario.get("web") or next(
        line.partition(":")[2].strip()
        for line in scenario["files"]["Procfile"].splitlines()
        if line.startswith("web:")
    )
    port = scenario.get("container_port", CONTAINER_PORT)
    (root / "Dockerfile").write_text(
        f"FROM python:{python}-slim\nWORKDIR /app\nCOPY requirements.txt ./\n"
        "RUN pip install -r requirements.txt\nCOPY . .\n"
        f"ENV PORT={port}\n"
        f"CMD {json.dumps(['bash', '-c', web])}\n",
        "utf-8",
    )


def _given(scenario: dict[str, Any]) -> dict[str, str]:
    """Variables that the platform sets, as its documentation has it."""
    found: dict[str, str] = scenario.get("environment", {})
    return found


def _words(scenario: dict[str, Any]) -> list[str]:
    """The command that the platform gives the image, as its documentation has it."""
    found: list[str] = scenario.get("command", [])
    return found


def _call(*command: str, cwd: Path | None = None) -> tuple[bool, str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def _request(url: str, body: bytes | None = None) -> int | None:
    """The status of the answer; None when there is none."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return None


def _error(log: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or "rror:" in line or "failed" in line]
    return (telling or lines or [""])[-1][:200]


def observe(scenario: dict[str, Any], patience: float = PATIENCE) -> dict[str, Any]:
    """Build and run one scenario; ``patience``: seconds to wait for an answer."""
    truth: dict[str, Any] = dict.fromkeys(
        ("built", "started", "reachable", "predicts", "healthy"), None
    )
    truth = {"id": scenario["id"], "kind": scenario["kind"], **truth, "error": ""}
    with tempfile.TemporaryDirectory() as folder:
        root = write(scenario, Path(folder) / scenario["id"].replace("_", ""))
        composed = "docker-compose.yml" in scenario["files"]
        if scenario.get("platform") == "buildpack":
            _buildpack(scenario, root)
        inner = str(scenario.get("container_port", CONTAINER_PORT))
        tag = f"scenario-{scenario['id'].replace('_', '-')}"
        if composed:
            compose = ("docker-compose", "--project-name", tag)
            truth["built"], log = _call(*compose, "build", cwd=root)
        else:
            truth["built"], log = _call("docker", "build", "--tag", tag, str(root))
        if not truth["built"]:
            truth["error"] = _error(log)
            return truth
        try:
            if composed:
                begun, log = _call(*compose, "up", "--detach", cwd=root)
                watched = scenario.get("service", "api")
                container = _call(*compose, "ps", "--quiet", watched, cwd=root)[1].split("\n")[0]
                begun = begun and bool(container)
                port = str(scenario["port"])
            else:
                publish = f"127.0.0.1::{inner}"
                options = [f"--env={name}={text}" for name, text in _given(scenario).items()]
                if "entrypoint" in scenario:
                    options.append(f"--entrypoint={scenario['entrypoint']}")
                options += ["--publish", publish, "--name", tag, tag]
                begun, log = _call("docker", "run", "--detach", *options, *_words(scenario))
                container = tag
                port = _call("docker", "port", tag, inner)[1].strip().rpartition(":")[2]
            _watch(truth, container, port, begun, scenario, patience)
            truth["error"] = truth["error"] and _error(
                log if not begun else _call("docker", "logs", container)[1]
            )
        finally:
            if composed:
                _call(*compose, "down", "--volumes", "--timeout", "1", cwd=root)
                # Layers stay: most scenarios share them.
                for name in scenario.get("images", ["api"]):
                    _call("docker", "rmi", "--no-prune", f"{tag}_{name}")
            else:
                _call("docker", "rm", "--force", tag)
                _call("docker", "rmi", "--no-prune", tag)
    return truth


# What a proxy answers when it cannot reach what it stands for.
_GATEWAY = frozenset({502, 503, 504})


def _watch(
    truth: dict[str, Any],
    container: str,
    port: str,
    begun: bool,
    scenario: dict[str, Any],
    patience: float,
) -> None:
    begun = begun and port.isdigit()
    deadline = time.monotonic() + patience
    status = None
    running = begun
    while running and status is None and time.monotonic() < deadline:
        time.sleep(0.7)
        running = (
            _call("docker", "inspect", "--format", "{{.State.Running}}", container)[1].strip()
            == "true"
        )
        status = _request(f"http://127.0.0.1:{port}{scenario.get('health_path', '/health')}")
        status = None if status in _GATEWAY else status
    truth["started"] = running
    truth["error"] = "" if running and status else "see the log"
    if not running:
        return
    truth["reachable"] = status is not None
    if status is None:
        return
    if not scenario.get("page"):
        path = scenario.get("predict_path", "/predict")
        answer = _request(f"http://127.0.0.1:{port}{path}", b'{"row": [1, 2, 3]}')
        truth["predicts"] = answer is not None and 200 <= answer < 300
    health = "{{if .State.Health}}{{.State.Health.Status}}{{end}}"
    for _ in range(10):
        state = _call("docker", "inspect", "--format", health, container)[1].strip()
        if state != "starting":
            break
        time.sleep(1)
    truth["healthy"] = {"healthy": True, "unhealthy": False}.get(state)


def main() -> None:
    """Run them all, or the named ones, and update the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--new", action="store_true", help="only those that were never run")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds for an answer")
    arguments = parser.parse_args()
    wanted = arguments.only
    known = {}
    if TRUTH.exists():
        known = {row["id"]: row for row in map(json.loads, TRUTH.read_text("utf-8").splitlines())}
    order = []
    for scenario in scenarios():
        order.append(scenario["id"])
        if wanted and scenario["id"] not in wanted:
            continue
        if arguments.new and scenario["id"] in known:
            continue
        known[scenario["id"]] = observe(scenario, arguments.patience)
        print(json.dumps(known[scenario["id"]]), flush=True)
        rows = [json.dumps(known[name]) for name in order if name in known]
        rest = [json.dumps(row) for name, row in known.items() if name not in order]
        TRUTH.write_text("\n".join(rows + rest) + "\n", "utf-8")


if __name__ == "__main__":
    main()
