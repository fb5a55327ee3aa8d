"""Build and run repositories as they are and compare what happens with what is forecast.

    python tools/try_repositories.py FOLDER --record truth.jsonl [--requests requests.json]
        [--swap python:3.9=my/python:3.9 ...] [--only NAME ...] [--jobs 2]     (needs an engine)
    python tools/try_repositories.py FOLDER --record truth.jsonl --forecasts SAVED --compare

Each directory of FOLDER is one repository whose ``Dockerfile`` is built and run, bounded in time
and memory, with its ports published on the loopback address only; the image is removed again. A
line of the record holds ``built``, ``started`` (stays up and listens), ``reachable`` (an HTTP
answer through a port that EXPOSE names, any port when it names none), ``predicts`` (a prediction
route answers 2xx; null when none was asked), the requests with their answers, and the end of the
log. What to ask comes from the application's OpenAPI document, or from ``--requests``:
``{NAME: {"context": DIR, "dockerfile": FILE, "run": [OPTIONS], "ask": [{"path", "json" | "form"
| "method"}]}}``. ``--compare`` sets the record against reports saved as ``SAVED/NAME.json``, or
against fresh ones.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

STAGES = ("builds", "starts", "reachable", "predicts")
OBSERVED = ("built", "started", "reachable", "predicts")
BUILD_SECONDS = 900
START_SECONDS = 75
STAYS_SECONDS = 20
MEMORY = "2g"
# Where applications listen whose Dockerfile exposes nothing.
USUAL_PORTS = (80, 3000, 5000, 7860, 8000, 8080, 8501, 9696)
PREDICTION = re.compile(r"predict|infer|score|classif|invocation|recommend|forecast|detect", re.I)


def _call(*command: str, cwd: Path | None = None, seconds: float = 150) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return 124, (error.stdout or b"").decode(errors="replace") + "\n[out of time]"
    return done.returncode, done.stdout.decode(errors="replace")


def _ask(url: str, ask: dict[str, Any], seconds: float = 20) -> tuple[int | None, str]:
    """Status and beginning of the answer; no status when nobody answers."""
    body, headers = None, {}
    if "json" in ask:
        body, headers = json.dumps(ask["json"]).encode(), {"Content-Type": "application/json"}
    elif "form" in ask:
        body = urllib.parse.urlencode(ask["form"]).encode()
    method = ask.get("method", "GET" if body is None else "POST")
    request = urllib.request.Request(url + ask["path"], body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return int(answer.status), answer.read(200_000).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(2000).decode(errors="replace")
    except (OSError, ValueError) as error:
        return None, str(error)[:200]


def _sample(schema: dict[str, Any], document: dict[str, Any], depth: int = 0) -> Any:
    """A value that this JSON schema takes, its examples first."""
    for key in ("example", "default", "const"):
        if schema.get(key) is not None:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "$ref" in schema and depth < 8:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found.get(step, {})
        return _sample(found, document, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _sample(schema[key][0], document, depth + 1)
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return {
            name: _sample(inner, document, depth + 1)
            for name, inner in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [_sample(schema.get("items", {}), document, depth + 1)]
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    return {"integer": int(low), "number": float(low), "boolean": True}.get(str(kind), "text")


def _described(document: dict[str, Any]) -> list[dict[str, Any]]:
    """A request for every prediction route that the OpenAPI document describes."""
    asks = []
    for path, operations in document.get("paths", {}).items():
        post = operations.get("post")
        if post is None or not PREDICTION.search(path):
            continue
        values = [
            (one["name"], _sample(one.get("schema", {}), document))
            for one in post.get("parameters", ())
            if one.get("in") == "query"
        ]
        ask: dict[str, Any] = {"path": path + ("?" + urllib.parse.urlencode(values)) * bool(values)}
        content = post.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            ask["json"] = _sample(content["application/json"].get("schema", {}), document)
        elif content:
            continue  # a form or a file
        ask["method"] = "POST"
        asks.append(ask)
    return asks


def _end(log: str) -> str:
    plain = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", log).splitlines()]
    telling = [line for line in plain if re.search(r"error|exception|denied|failed", line, re.I)]
    return "\n".join([*telling[-6:], "--", *plain[-12:]])[-3000:]


def _listening(name: str) -> list[str]:
    """host:port of every listening TCP socket in the container."""
    found = set()
    for table in ("tcp", "tcp6"):
        _, text = _call("docker", "exec", name, "cat", f"/proc/net/{table}")
        for fields in map(str.split, text.splitlines()):
            if len(fields) > 3 and fields[3] == "0A":
                host, _, port = fields[1].partition(":")
                loop = host in ("0100007F", "00000000000000000000000001000000")
                found.add(f"{'loopback' if loop else 'all'}:{int(port, 16)}")
    return sorted(found)


def observe(folder: Path, asked: dict[str, Any], swaps: dict[str, str]) -> dict[str, Any]:
    """Build, run and ask one repository."""
    truth: dict[str, Any] = {"name": folder.name, **dict.fromkeys(OBSERVED)}
    tag = f"tried-{zlib.crc32(folder.name.encode()):08x}"
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "repository"
        shutil.copytree(folder, root, symlinks=True)
        context = root / asked.get("context", ".")
        names = ("Dockerfile", "dockerfile")
        default = next((name for name in names if (context / name).is_file()), "Dockerfile")
        dockerfile = root / asked["dockerfile"] if "dockerfile" in asked else context / default
        text = dockerfile.read_text("utf-8-sig", errors="replace")
        for old, new in swaps.items():
            text = re.sub(rf"(?im)^(\s*FROM\s+){re.escape(old)}(?=\s|$)", rf"\g<1>{new}", text)
        dockerfile.write_text(text, "utf-8")
        begun = time.monotonic()
        # A group of its own: else all containers of the machine share what one process gets.
        limits = ("--memory", MEMORY, "--force-rm", "--cgroup-parent", f"/{tag}")
        code, log = _call(
            *("docker", "build", *limits, "--tag", tag, "--file", str(dockerfile), str(context)),
            seconds=BUILD_SECONDS,
        )
    truth["built"] = code == 0
    truth["build_seconds"] = round(time.monotonic() - begun)
    if code:
        truth["log"] = _end(log)
        return truth
    try:
        _watch(truth, tag, asked)
    finally:
        _call("docker", "rm", "--force", "--volumes", tag)
        _call("docker", "rmi", tag)
    return truth


def _watch(truth: dict[str, Any], tag: str, asked: dict[str, Any]) -> None:
    image = json.loads(_call("docker", "inspect", tag)[1])[0]["Config"]
    exposed = [int(port.split("/")[0]) for port in image.get("ExposedPorts") or {}]
    words = " ".join([*(image.get("Entrypoint") or ()), *(image.get("Cmd") or ())])
    named = [int(word) for word in re.findall(r"(?<![\d.])\d{2,5}(?![\d.])", words)]
    ports = sorted({*exposed, *USUAL_PORTS, *(port for port in named if 79 < port < 65536)})
    publish = [f"--publish=127.0.0.1::{port}" for port in ports]
    _, log = _call(
        *("docker", "run", "--detach", "--name", tag, "--memory", MEMORY, "--pids-limit", "512"),
        *("--cgroup-parent", f"/{tag}", *publish, *asked.get("run", ()), tag),
    )
    begun = time.monotonic()
    state: dict[str, Any] = {}
    outside: dict[int, str] = {}
    answers: dict[int, int] = {}
    while time.monotonic() - begun < START_SECONDS:
        time.sleep(2)
        found = json.loads(_call("docker", "inspect", tag)[1] or "[]")
        if not found or not found[0]["State"]["Running"]:
            state = found[0]["State"] if found else {"Error": log[-500:]}
            break
        state = found[0]["State"]
        outside = {
            int(inner.split("/")[0]): bound[0]["HostPort"]
            for inner, bound in found[0]["NetworkSettings"]["Ports"].items()
            if bound
        }
        for port in (
            int(socket.partition(":")[2])
            for socket in _listening(tag)
            if int(socket.partition(":")[2]) in outside
        ):
            status, _ = _ask(f"http://127.0.0.1:{outside[port]}", {"path": "/"}, 5)
            if status is not None:
                answers[port] = status
        if answers and time.monotonic() - begun > STAYS_SECONDS:
            break
    running = bool(state.get("Running"))
    truth["listening"] = _listening(tag) if running else []
    truth["started"] = running and bool(truth["listening"])
    truth["exposed"] = exposed
    if running:
        truth["reachable"] = any(port in exposed or not exposed for port in answers)
        truth["answers"] = answers
    else:
        truth["exit"] = state.get("ExitCode"), state.get("OOMKilled"), state.get("Error")
    if answers:
        port = min(answers, key=lambda one: (one not in exposed, one))
        url = f"http://127.0.0.1:{outside[port]}"
        asks = asked.get("ask")
        status, text = _ask(url, {"path": "/openapi.json"})
        if asks is None and status == 200 and text.startswith("{"):
            asks = _described(json.loads(text))
        seen = [
            (ask, *_ask(url, ask))
            for ask in [*({"path": path} for path in ("/docs", "/health")), *(asks or ())]
        ]
        truth["asked"] = [
            [ask["path"], ask.get("json", ask.get("form")), status, text[:200]]
            for ask, status, text in seen
        ]
        if asks:
            told = [status for _, status, _ in seen[2:]]
            good = any(200 <= (status or 0) < 300 for status in told)
            truth["predicts"] = good if good or None not in told else None
    truth["log"] = _end(_call("docker", "logs", tag)[1])


def _report(folder: Path, saved: Path | None) -> dict[str, Any]:
    if saved is not None:
        found: dict[str, Any] = json.loads((saved / f"{folder.name}.json").read_text("utf-8"))
        return found
    done = subprocess.run(
        [sys.executable, "-m", "auditor", str(folder), "--format", "json"],
        stdout=subprocess.PIPE,
        check=False,
    )
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def compare(folder: Path, truths: list[dict[str, Any]], saved: Path | None) -> None:
    """Print stage by stage what was forecast of the service that was built, and what happened."""
    table: Counter[tuple[str, str]] = Counter()
    for truth in truths:
        report = _report(folder / truth["name"], saved)
        services = [service for service in report["services"] if service["base"] is not None]
        failed = False
        print(f"\n{truth['name']}  ({len(services)} services built here)")
        for stage, key in zip(STAGES, OBSERVED, strict=True):
            said = [service["forecast"][stage] for service in services] or ["unknown"]
            failed = failed or truth[key] is False
            real = "no" if failed else {True: "yes", None: "-"}[truth[key]]
            table[stage, f"{said[0]}/{real}"] += 1
            print(f"  {stage:10} forecast {'|'.join(said):10} really {real}")
        for finding in report["findings"]:
            if finding["severity"] in ("critical", "high"):
                place = f"{finding['path']}:{finding['line']}"
                print(f"    {finding['severity']} {finding['rule']} {place} {finding['message']}")
        if failed:
            print("    really: " + truth.get("log", "").partition("--")[0].strip()[-400:])
    for stage in STAGES:
        cells = {name: count for (one, name), count in sorted(table.items()) if one == stage}
        print(f"{stage:10} " + "  ".join(f"{name} {count}" for name, count in cells.items()))


def main() -> None:
    """Try those that are not in the record yet, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--requests", type=Path)
    parser.add_argument("--swap", nargs="*", default=[], help="OLD=NEW base images")
    parser.add_argument("--only", nargs="*", help="these, again if they are in the record")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--forecasts", type=Path, help="saved JSON reports")
    parser.add_argument("--compare", action="store_true")
    arguments = parser.parse_args()
    known: dict[str, dict[str, Any]] = {}
    if arguments.record.exists():
        lines = arguments.record.read_text("utf-8").splitlines()
        known = {row["name"]: row for row in map(json.loads, lines)}
    if arguments.compare:
        wanted = arguments.only or sorted(known)
        compare(arguments.folder, [known[name] for name in wanted], arguments.forecasts)
        return
    swaps = dict(pair.split("=", 1) for pair in arguments.swap)
    names = arguments.only or [
        path.name
        for path in sorted(arguments.folder.iterdir())
        if path.is_dir() and path.name not in known
    ]

    def one(name: str) -> None:
        asked = json.loads(arguments.requests.read_text("utf-8")) if arguments.requests else {}
        try:
            truth = observe(arguments.folder / name, asked.get(name, {}), swaps)
        except (OSError, ValueError, LookupError) as error:
            truth = {"name": name, **dict.fromkeys(OBSERVED), "log": f"not tried: {error!r}"}
        known[name] = truth
        arguments.record.write_text(
            "".join(json.dumps(row) + "\n" for row in list(known.values())), "utf-8"
        )
        print(json.dumps({key: truth.get(key) for key in ("name", *OBSERVED)}), flush=True)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(one, names))


if __name__ == "__main__":
    main()
