"""Build and run the small deployments of ``tools/scenarios/`` and record what really happens.

    python tools/run_scenarios.py [--only ID ...]     (needs an engine and docker-compose)

Writes ``tools/scenarios/truth.jsonl``, one line per deployment: ``built``, ``started`` (the
process stays up), ``reachable`` (an HTTP answer through the published port), ``predicts``
(POST /predict answers 2xx), ``healthy`` (None without a health check) and the last error of the
log. Stages after a failed one are null. A test compares the forecasts with this record.
"""

from __future__ import annotations

import argparse
import json
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
PATIENCE = 15.0


def scenarios() -> Iterator[dict[str, Any]]:
    """Every scenario, its files with their common texts filled in."""
    for path in sorted(FOLDER.glob("*.toml")):
        data = tomllib.loads(path.read_text("utf-8"))
        common = data.get("common", {})
        for scenario in data["scenario"]:
            for name, text in scenario["files"].items():
                if text.startswith("@"):
                    text = common[text[1:]]
                scenario["files"][name] = text.removeprefix("\n")
            yield scenario


def write(scenario: dict[str, Any], root: Path) -> Path:
    """The scenario's repository."""
    for name, text in scenario["files"].items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return root


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
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or "rror:" in line or "failed" in line]
    return (telling or lines or [""])[-1][:200]


def observe(scenario: dict[str, Any]) -> dict[str, Any]:
    """Build and run one scenario."""
    truth: dict[str, Any] = dict.fromkeys(
        ("built", "started", "reachable", "predicts", "healthy"), None
    )
    truth = {"id": scenario["id"], "kind": scenario["kind"], **truth, "error": ""}
    with tempfile.TemporaryDirectory() as folder:
        root = write(scenario, Path(folder) / scenario["id"].replace("_", ""))
        composed = "docker-compose.yml" in scenario["files"]
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
                container = _call(*compose, "ps", "--quiet", cwd=root)[1].strip()
                port = str(scenario["port"])
            else:
                publish = f"127.0.0.1::{CONTAINER_PORT}"
                begun, log = _call(
                    "docker", "run", "--detach", "--publish", publish, "--name", tag, tag
                )
                container = tag
                port = (
                    _call("docker", "port", tag, str(CONTAINER_PORT))[1].strip().rpartition(":")[2]
                )
            _watch(truth, container, port, begun)
            truth["error"] = truth["error"] and _error(
                log if not begun else _call("docker", "logs", container)[1]
            )
        finally:
            if composed:
                _call(*compose, "down", "--volumes", "--timeout", "1", cwd=root)
                # Layers stay: most scenarios share them.
                _call("docker", "rmi", "--no-prune", f"{tag}_api")
            else:
                _call("docker", "rm", "--force", tag)
                _call("docker", "rmi", "--no-prune", tag)
    return truth


def _watch(truth: dict[str, Any], container: str, port: str, begun: bool) -> None:
    deadline = time.monotonic() + PATIENCE
    status = None
    running = begun
    while running and status is None and time.monotonic() < deadline:
        time.sleep(0.7)
        running = (
            _call("docker", "inspect", "--format", "{{.State.Running}}", container)[1].strip()
            == "true"
        )
        status = _request(f"http://127.0.0.1:{port}/health")
    truth["started"] = running
    truth["error"] = "" if running and status else "see the log"
    if not running:
        return
    truth["reachable"] = status is not None
    if status is None:
        return
    answer = _request(f"http://127.0.0.1:{port}/predict", b'{"row": [1, 2, 3]}')
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
    wanted = parser.parse_args().only
    known = {}
    if TRUTH.exists():
        known = {row["id"]: row for row in map(json.loads, TRUTH.read_text("utf-8").splitlines())}
    order = []
    for scenario in scenarios():
        order.append(scenario["id"])
        if wanted and scenario["id"] not in wanted:
            continue
        known[scenario["id"]] = observe(scenario)
        print(json.dumps(known[scenario["id"]]), flush=True)
        rows = [json.dumps(known[name]) for name in order if name in known]
        rest = [json.dumps(row) for name, row in known.items() if name not in order]
        TRUTH.write_text("\n".join(rows + rest) + "\n", "utf-8")


if __name__ == "__main__":
    main()
