"""Runs model servers over the repositories of ``model_servers.toml`` and compares what happens.

    python tools/run_model_servers.py --mlserver VENV --torchserve VENV --triton VENV

Each option names a virtual environment: one with ``mlserver`` and ``mlserver-sklearn``, one with
``torchserve`` (Java 17 on the path), one with ``nvidia-pytriton``, which brings a tritonserver with the
Python backend (see its licence). What is not given is not run. Servers listen on 127.0.0.1 only. The
exit status is 1 when a server behaves otherwise than the table says, which the tests hold the static
verdict to.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("model_servers.toml")
HTTP, SECOND, THIRD = 18911, 18912, 18913
WAIT = 40.0
MODEL = (
    "import joblib, sys; from sklearn.linear_model import LogisticRegression as L; "
    "joblib.dump(L().fit([[0.0] * 4, [1.0] * 4], [0, 1]), sys.argv[1])"
)


def status(path: str, data: bytes | None = None) -> int:
    """The HTTP status of a request, 0 when nothing answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{HTTP}{path}", data=data)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def command(case: dict[str, Any], venv: Path, models: Path) -> tuple[list[str], dict[str, str]]:
    """The server's command line and variables."""
    env = dict(os.environ)
    server = case["server"]
    if server == "mlserver":
        settings: dict[str, object] = {
            "http_port": HTTP,
            "grpc_port": SECOND,
            "metrics_port": THIRD,
        }
        settings |= {"host": "127.0.0.1", "parallel_workers": 0}
        (models / "settings.json").write_text(json.dumps(settings))
        return [str(venv / "bin/mlserver"), "start", str(models)], env
    if server == "torchserve":
        config = models.parent / "config.properties"
        asked = (("inference", HTTP), ("management", SECOND), ("metrics", THIRD))
        lines = [f"{name}_address=http://127.0.0.1:{port}" for name, port in asked]
        config.write_text("\n".join([*lines, "disable_token_authorization=true"]) + "\n")
        env["PATH"] = f"{venv / 'bin'}:{env['PATH']}"
        given = [str(models) if a == "/models" else a for a in case["arguments"]]
        return ["torchserve", "--start", "--foreground", "--ncs", *given], env
    site = next(venv.glob("lib/python3.*/site-packages"))
    home = site / "pytriton" / "tritonserver"
    stub = home / "python_backend_stubs" / site.parent.name.removeprefix("python")
    target = home / "backends" / "python" / "triton_python_backend_stub"
    if not target.exists():
        target.write_bytes((stub / target.name).read_bytes())
        target.chmod(0o755)
    base = Path(os.path.realpath(venv / "bin" / "python")).parent.parent / "lib"
    env["LD_LIBRARY_PATH"] = f"{home / 'external_libs'}:{site / 'nvidia_pytriton.libs'}:{base}"
    env["PATH"] = f"{venv / 'bin'}:{env['PATH']}"
    options = [f"--model-repository={models}", f"--backend-directory={home / 'backends'}"]
    for kind, port in (("http", HTTP), ("grpc", SECOND), ("metrics", THIRD)):
        options += [f"--{kind}-port={port}", f"--{kind}-address=127.0.0.1"]
    return [str(home / "bin" / "tritonserver"), *options], env


def observe(case: dict[str, Any], venv: Path) -> str:
    """``serves``, ``empty`` or ``ends``."""
    with tempfile.TemporaryDirectory() as directory:
        models = Path(directory) / "models"
        for path, text in case["files"].items():
            target = models / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if text == "@model":
                subprocess.run([venv / "bin/python", "-c", MODEL, target], check=True)
            else:
                target.write_text(text)
        argv, env = command(case, venv, models)
        with (Path(directory) / "log").open("wb") as log:
            process = subprocess.Popen(
                argv, stdout=log, stderr=log, env=env, cwd=directory, start_new_session=True
            )
        try:
            ready = "/ping" if case["server"] == "torchserve" else "/v2/health/ready"
            end = time.monotonic() + WAIT
            while time.monotonic() < end and process.poll() is None and status(ready) != 200:
                time.sleep(0.5)
            time.sleep(2)
            if process.poll() is not None or status(ready) != 200:
                return "ends"
            return "serves" if asked(case["server"]) else "empty"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def asked(server: str) -> bool:
    """The model called iris is there."""
    if server == "torchserve":
        return status("/predictions/iris", b"{}") == 200
    return status("/v2/models/iris/ready") == 200


def main() -> int:
    """Run every case whose server is given."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    for server in ("mlserver", "torchserve", "triton"):
        parser.add_argument(f"--{server}", type=Path, metavar="VENV")
    parser.add_argument("--only", help="cases whose name holds this")
    given = vars(parser.parse_args())
    wrong = ran = 0
    for case in tomllib.loads(TABLE.read_text())["case"]:
        venv = given[case["server"]]
        if venv is None or (given["only"] and given["only"] not in case["name"]):
            continue
        seen = observe(case, venv.resolve())
        ran += 1
        wrong += seen != case["outcome"]
        note = "" if seen == case["outcome"] else f"  (the table says {case['outcome']})"
        print(f"{case['name']}: {seen}{note}", flush=True)
    print(f"{ran} cases, {wrong} otherwise than the table says")
    return 1 if wrong or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
