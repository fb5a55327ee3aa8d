"""What containers really do with their logs and with SIGTERM, beside what the audit says of them.

    python tools/verify_operations.py [--only NAME ...] [--servers] [--write]   (needs an engine)

Three tables, each from containers that are really run:

* logs: the engine's ``LogConfig``, bytes of its log file and of files inside the container per
  1,000 requests, against OPS001 and OPS002;
* stopping: seconds that ``docker stop`` takes and the exit code, against IMG007 and OPS010;
* ``--servers``: whether each server, as the first process of a container, ends on SIGTERM.
  ``--write`` records that in ``rules/knowledge/stops.toml``, with the versions that were run.

Exit status 1 when the audit disagrees with a container.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.config import Settings
from auditor.engine import audit

STOPS = Path(__file__).resolve().parent.parent / "rules" / "knowledge" / "stops.toml"
LABEL = "deploy-audit.operations"
REQUESTS = 1_000
# Seconds that the engine waits before SIGKILL; a stop that took about so long was a kill.
GRACE = 10.0

APP = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
FASTAPI = """
import logging
from fastapi import FastAPI

{setup}
log = logging.getLogger("price")
app = FastAPI()


@app.get("/")
@app.post("/predict")
def predict():
    log.info("predict 1.0")
    return {{"price": 1.0}}
"""
HEAD = "FROM {image}\nWORKDIR /app\nCOPY . .\n"
COMPOSE = "services:\n  api:\n    build: .\n    ports: ['127.0.0.1:{port}:8000']\n{more}"
UVICORN = 'CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]\n'


def compose(more: str = "") -> str:
    return COMPOSE.replace("{more}", more)


# nginx of the distribution before uvicorn, both in one container.
NGINX = (
    "RUN apt-get update && apt-get install -y --no-install-recommends nginx-light\n"
    "CMD uvicorn app:app --host 127.0.0.1 --port 9000 & exec nginx -c /app/nginx.conf\n"
)
PROXY = """\
daemon off;
events {{}}
http {{
  {log}
  server {{
    listen 8000;
    location / {{ proxy_pass http://127.0.0.1:9000; }}
  }}
}}
"""


# name, files, file inside the container that may grow.
LOGS: tuple[tuple[str, dict[str, str], str | None], ...] = (
    ("engine default", {"docker-compose.yml": compose(), "Dockerfile": UVICORN}, None),
    (
        "json-file with max-size",
        {
            "docker-compose.yml": compose(
                '    logging: {driver: json-file, options: {max-size: "10k", max-file: "2"}}\n'
            ),
            "Dockerfile": UVICORN,
        },
        None,
    ),
    (
        "local driver",
        {"docker-compose.yml": compose("    logging: {driver: local}\n"), "Dockerfile": UVICORN},
        None,
    ),
    (
        "driver none",
        {"docker-compose.yml": compose("    logging: {driver: none}\n"), "Dockerfile": UVICORN},
        None,
    ),
    (
        "an anchor shared by services",
        {
            "docker-compose.yml": 'x-logging: &logs\n  driver: json-file\n  options: {max-size: "10k"}\n'
            + compose("    logging: *logs\n"),
            "Dockerfile": UVICORN,
        },
        None,
    ),
    (
        "gunicorn to a file",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": 'CMD ["gunicorn", "-b", "0.0.0.0:8000", "-k", "uvicorn.workers.UvicornWorker", '
            '"--access-logfile", "/tmp/access.log", "app:app"]\n',
        },
        "/tmp/access.log",
    ),
    (
        "gunicorn to a link to standard output",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": "RUN ln -sf /dev/stdout /tmp/access.log\n"
            'CMD ["gunicorn", "-b", "0.0.0.0:8000", "-k", "uvicorn.workers.UvicornWorker", '
            '"--access-logfile", "/tmp/access.log", "app:app"]\n',
        },
        "/tmp/access.log",
    ),
    (
        "a file handler",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": UVICORN,
            "app.py": FASTAPI.format(
                setup='logging.basicConfig(filename="/tmp/app.log", level=logging.INFO)'
            ),
        },
        "/tmp/app.log",
    ),
    (
        "a rotating handler",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": UVICORN,
            "app.py": FASTAPI.format(
                setup="import logging.handlers\nlogging.basicConfig(level=logging.INFO, handlers=["
                'logging.handlers.RotatingFileHandler("/tmp/app.log", maxBytes=2000, backupCount=2)])'
            ),
        },
        "/tmp/app.log",
    ),
    (
        "uvicorn's logging configuration",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": UVICORN.replace('"--port"', '"--log-config", "log.json", "--port"'),
            "log.json": json.dumps(
                {
                    "version": 1,
                    "disable_existing_loggers": False,
                    "handlers": {"f": {"class": "logging.FileHandler", "filename": "/tmp/u.log"}},
                    "loggers": {"uvicorn.access": {"handlers": ["f"], "level": "INFO"}},
                }
            ),
        },
        "/tmp/u.log",
    ),
    (
        "a redirection",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": "CMD exec uvicorn app:app --host 0.0.0.0 --port 8000 >> /tmp/out.log 2>&1\n",
        },
        "/tmp/out.log",
    ),
    (
        "supervisord's default bound",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": 'CMD ["supervisord", "-n", "-c", "/app/supervisord.conf"]\n',
            "supervisord.conf": "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=/tmp/s.pid\n"
            "[program:api]\ncommand=uvicorn app:app --host 0.0.0.0 --port 8000\n"
            "stdout_logfile=/tmp/api.log\nstdout_logfile_maxbytes=2KB\nstdout_logfile_backups=1\n",
        },
        "/tmp/api.log",
    ),
    (
        "supervisord without a bound",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": 'CMD ["supervisord", "-n", "-c", "/app/supervisord.conf"]\n',
            "supervisord.conf": "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=/tmp/s.pid\n"
            "[program:api]\ncommand=uvicorn app:app --host 0.0.0.0 --port 8000\n"
            "stdout_logfile=/tmp/api.log\nstdout_logfile_maxbytes=0\n",
        },
        "/tmp/api.log",
    ),
    (
        "the distribution's nginx in front, with its own log",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": NGINX,
            "nginx.conf": PROXY.format(log=""),
        },
        "/var/log/nginx/access.log",
    ),
    (
        "the distribution's nginx, not logging",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": NGINX,
            "nginx.conf": PROXY.format(log="access_log off;"),
        },
        "/var/log/nginx/access.log",
    ),
    (
        "the distribution's nginx, to standard output",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": NGINX,
            "nginx.conf": PROXY.format(log="access_log /dev/stdout;"),
        },
        "/var/log/nginx/access.log",
    ),
    (
        "the distribution's nginx, to a file of its own",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": NGINX,
            "nginx.conf": PROXY.format(log="access_log /tmp/proxy.log;"),
        },
        "/tmp/proxy.log",
    ),
    (
        "gunicorn's settings name a file",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": 'CMD ["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "app:app"]\n',
            "gunicorn.conf.py": 'bind = "0.0.0.0:8000"\naccesslog = "/tmp/access.log"\n',
        },
        "/tmp/access.log",
    ),
    (
        "gunicorn's settings name standard output",
        {
            "docker-compose.yml": compose("    logging: {driver: local}\n"),
            "Dockerfile": 'CMD ["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "app:app"]\n',
            "gunicorn.conf.py": 'bind = "0.0.0.0:8000"\naccesslog = "-"\n',
        },
        "/tmp/access.log",
    ),
)
STOPPING: tuple[tuple[str, dict[str, str]], ...] = (
    ("exec form", {"Dockerfile": UVICORN}),
    ("shell form", {"Dockerfile": "CMD uvicorn app:app --host 0.0.0.0 --port 8000\n"}),
    (
        "shell form with exec",
        {"Dockerfile": "CMD exec uvicorn app:app --host 0.0.0.0 --port 8000\n"},
    ),
    (
        "shell form with a second command",
        {"Dockerfile": "CMD cd /app && uvicorn app:app --host 0.0.0.0 --port 8000\n"},
    ),
    (
        "script without exec",
        {
            "Dockerfile": 'CMD ["sh", "start.sh"]\n',
            "start.sh": "#!/bin/sh\nuvicorn app:app --host 0.0.0.0 --port 8000\n",
        },
    ),
    (
        "script with exec",
        {
            "Dockerfile": 'CMD ["sh", "start.sh"]\n',
            "start.sh": "#!/bin/sh\nexec uvicorn app:app --host 0.0.0.0 --port 8000\n",
        },
    ),
    (
        "script that hands its arguments on",
        {
            "Dockerfile": 'ENTRYPOINT ["sh", "entry.sh"]\n' + UVICORN,
            "entry.sh": '#!/bin/sh\nset -e\nexec "$@"\n',
        },
    ),
    (
        "shell form under an init",
        {
            "Dockerfile": "CMD uvicorn app:app --host 0.0.0.0 --port 8000\n",
            "docker-compose.yml": compose("    init: true\n"),
        },
    ),
    (
        "flask's development server",
        {
            "Dockerfile": 'CMD ["flask", "--app", "flaskapp", "run", "--host", "0.0.0.0", "--port", "8000"]\n'
        },
    ),
    (
        "flask's development server under an init",
        {
            "Dockerfile": 'CMD ["flask", "--app", "flaskapp", "run", "--host", "0.0.0.0", "--port", "8000"]\n',
            "docker-compose.yml": compose("    init: true\n"),
        },
    ),
    ("app.run of flask", {"Dockerfile": 'CMD ["python", "flaskapp.py"]\n'}),
    (
        "SIGKILL asked for",
        {"Dockerfile": UVICORN, "docker-compose.yml": compose("    stop_signal: SIGKILL\n")},
    ),
    (
        "gunicorn",
        {
            "Dockerfile": 'CMD ["gunicorn", "-b", "0.0.0.0:8000", "-k", "uvicorn.workers.UvicornWorker", "app:app"]\n'
        },
    ),
)
FLASK = """
from flask import Flask

app = Flask(__name__)


@app.get("/")
@app.post("/predict")
def predict():
    return {"price": 1.0}


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8000)
"""
# kind (a key of servers.toml, or of a server started from code), command.
SERVERS: tuple[tuple[str, list[str]], ...] = (
    ("uvicorn", ["uvicorn", "asgi:app", "--host", "0.0.0.0", "--port", "8000"]),
    ("gunicorn", ["gunicorn", "-b", "0.0.0.0:8000", "flaskapp:app"]),
    ("hypercorn", ["hypercorn", "-b", "0.0.0.0:8000", "asgi:app"]),
    ("daphne", ["daphne", "-b", "0.0.0.0", "-p", "8000", "asgi:app"]),
    (
        "granian",
        ["granian", "--interface", "asgi", "--host", "0.0.0.0", "--port", "8000", "asgi:app"],
    ),
    ("waitress", ["waitress-serve", "--listen=0.0.0.0:8000", "flaskapp:app"]),
    ("flask", ["flask", "--app", "flaskapp", "run", "--host", "0.0.0.0", "--port", "8000"]),
    ("fastapi-run", ["fastapi", "run", "fast.py", "--port", "8000"]),
    ("sanic", ["sanic", "sanicapp:app", "--host", "0.0.0.0", "--port", "8000"]),
    ("litestar", ["litestar", "--app", "lite:app", "run", "--host", "0.0.0.0", "--port", "8000"]),
    ("aiohttp", ["python", "aio.py"]),
    ("tornado", ["python", "torn.py"]),
    ("gevent", ["python", "gev.py"]),
    ("bottle", ["python", "bott.py"]),
    ("cherrypy", ["python", "cherry.py"]),
    ("http.server", ["python", "-m", "http.server", "8000"]),
    ("gradio", ["python", "grad.py"]),
    (
        "streamlit",
        ["streamlit", "run", "page.py", "--server.port", "8000", "--server.headless", "true"],
    ),
    (
        "uwsgi",
        ["uwsgi", "--http", "0.0.0.0:8000", "--wsgi-file", "flaskapp.py", "--callable", "app"],
    ),
    ("uvicorn.run", ["python", "uvi.py"]),
    ("flask.run", ["python", "flaskapp.py"]),
    ("waitress.serve", ["python", "wait.py"]),
)
PACKAGES = (
    "uvicorn gunicorn hypercorn daphne granian waitress flask fastapi[standard] sanic litestar[standard] "
    "aiohttp tornado gevent bottle cherrypy gradio streamlit uwsgi supervisor"
)
PROGRAMS = {
    "asgi.py": ASGI,
    "flaskapp.py": FLASK,
    "fast.py": FASTAPI.format(setup=""),
    "sanicapp.py": "from sanic import Sanic, text\napp = Sanic('a')\n@app.get('/')\nasync def i(r): return text('ok')\n",
    "lite.py": "from litestar import Litestar, get\n@get('/')\nasync def i() -> str: return 'ok'\napp = Litestar([i])\n",
    "aio.py": "from aiohttp import web\nasync def i(r): return web.Response(text='ok')\n"
    "app = web.Application()\napp.router.add_get('/', i)\nweb.run_app(app, port=8000)\n",
    "torn.py": "import asyncio, tornado.web\nclass H(tornado.web.RequestHandler):\n    def get(self): self.write('ok')\n"
    "async def main():\n    tornado.web.Application([('/', H)]).listen(8000)\n    await asyncio.Event().wait()\n"
    "asyncio.run(main())\n",
    "gev.py": "from gevent.pywsgi import WSGIServer\nfrom flaskapp import app\nWSGIServer(('0.0.0.0', 8000), app).serve_forever()\n",
    "bott.py": "from bottle import route, run\n@route('/')\ndef i(): return 'ok'\nrun(host='0.0.0.0', port=8000)\n",
    "cherry.py": "import cherrypy\nclass R:\n    @cherrypy.expose\n    def index(self): return 'ok'\n"
    "cherrypy.config.update({'server.socket_host': '0.0.0.0', 'server.socket_port': 8000})\ncherrypy.quickstart(R())\n",
    "grad.py": "import gradio\ngradio.Interface(lambda x: x, 'text', 'text').launch(server_name='0.0.0.0', server_port=8000)\n",
    "page.py": "import streamlit\nstreamlit.write('ok')\n",
    "uvi.py": "import uvicorn\nfrom asgi import app\nuvicorn.run(app, host='0.0.0.0', port=8000)\n",
    "wait.py": "from waitress import serve\nfrom flaskapp import app\nserve(app, host='0.0.0.0', port=8000)\n",
}


def docker(*words: str, cwd: Path | None = None) -> str:
    """The command's output; what it says when it fails."""
    done = subprocess.run(["docker", *words], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(words[:3])}: {done.stderr.strip()[-600:]}")
    return done.stdout.strip()


def _get(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
            return bool(answer.read(1))
    except (OSError, ValueError, urllib.error.URLError):
        return False


def _base(python: str) -> str:
    """An image with the servers in it, built once."""
    tag = "deploy-audit-operations:servers"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(
            f"FROM {python}\nRUN pip install --no-cache-dir {PACKAGES.replace('uwsgi ', '')}\n"
            "RUN pip install --no-cache-dir pyuwsgi\n",
            "utf-8",
        )
        docker("build", "--quiet", "--label", LABEL, "--tag", tag, folder)
    return tag


class Running:
    """One container with its port published on the loopback address."""

    def __init__(self, image: str, *options: str) -> None:
        self.name = docker(
            "run", "--detach", "--label", LABEL, "--publish", "127.0.0.1::8000", *options, image
        )
        found = docker("port", self.name, "8000").splitlines()
        self.port = int(found[0].rpartition(":")[2])

    def __enter__(self) -> Running:
        deadline = time.monotonic() + 60
        while not _get(self.port):
            if time.monotonic() > deadline or self.state("Running") != "true":
                logs = docker("logs", self.name)
                docker("rm", "--force", self.name)
                raise RuntimeError(f"does not answer: {logs[-400:]}")
            time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        docker("rm", "--force", "--volumes", self.name)

    def state(self, field: str) -> str:
        return docker("inspect", "--format", "{{.State." + field + "}}", self.name)

    def stop(self) -> tuple[float, int]:
        """Seconds that stopping takes, and the exit code."""
        begun = time.monotonic()
        docker("stop", self.name)
        return time.monotonic() - begun, int(self.state("ExitCode"))

    def log_bytes(self) -> int:
        """What the engine keeps of the container's output."""
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, check=False)
        return len(done.stdout) + len(done.stderr)

    def file_bytes(self, path: str) -> int:
        """The size of a regular file in the container; 0 for anything else."""
        script = f"if [ -f {path} ] && [ ! -L {path} ]; then stat -c %s {path}; else echo 0; fi"
        return int(docker("exec", self.name, "sh", "-c", script))


def _write(root: Path, image: str, files: dict[str, str]) -> None:
    every = {"app.py": FASTAPI.format(setup=""), "flaskapp.py": FLASK, "docker-compose.yml": compose(),
             **files}  # fmt: skip
    every["Dockerfile"] = HEAD.format(image=image) + files["Dockerfile"]
    every["docker-compose.yml"] = every["docker-compose.yml"].replace("{port}", "18000")
    for name, text in every.items():
        (root / name).write_text(text, "utf-8")


def _options(root: Path) -> list[str]:
    """``docker run`` options for what the Compose file says of logging and stopping."""
    import yaml

    service = yaml.safe_load((root / "docker-compose.yml").read_text("utf-8"))["services"]["api"]
    words: list[str] = []
    logging = service.get("logging", {})
    if "driver" in logging:
        words += ["--log-driver", logging["driver"]]
    for key, value in logging.get("options", {}).items():
        words += ["--log-opt", f"{key}={value}"]
    if service.get("init"):
        words.append("--init")
    if "stop_signal" in service:
        words += ["--stop-signal", service["stop_signal"]]
    return words


def _said(root: Path, *rules: str) -> set[str]:
    result = audit(root, Settings(select=rules))
    return {f.rule for f in result.findings}


def _judged(root: Path, image: str, *rules: str) -> set[str]:
    """What the audit says of the same files, on the base image that everybody knows."""
    path = root / "Dockerfile"
    text = path.read_text("utf-8")
    path.write_text(
        text.replace(f"FROM {image}\n", "FROM python:3.11-slim\n").replace(
            "COPY . .\n",
            "RUN pip install fastapi==0.115.6 uvicorn==0.34.0 gunicorn==23.0.0 flask==3.1.0 "
            "supervisor==4.2.5\nCOPY . .\n",
        ),
        "utf-8",
    )
    return _said(root, *rules)


def logs(image: str, wanted: set[str]) -> list[dict[str, Any]]:
    """The table of logs."""
    rows = []
    for name, files, inside in LOGS:
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _write(root, image, files)
            tag = docker("build", "--quiet", "--label", LABEL, folder)
            try:
                with Running(tag, *_options(root)) as container:
                    config = json.loads(
                        docker(
                            "inspect", "--format", "{{json .HostConfig.LogConfig}}", container.name
                        )
                    )
                    readable = config["Type"] in ("json-file", "local")
                    before = container.log_bytes() if readable else 0
                    for _ in range(REQUESTS):
                        _get(container.port)
                    time.sleep(0.5)
                    engine = container.log_bytes() - before if readable else 0
                    written = container.file_bytes(inside) if inside else 0
            finally:
                docker("rmi", "--force", tag)
            said = _judged(root, image, "OPS001", "OPS002")
        grows = config["Type"] == "json-file" and "max-size" not in config["Config"]
        # More than the bound of every case that has one, and one line a request at least.
        file_grows = written > 10_000
        rows.append(
            {
                "case": name,
                "driver": config["Type"],
                "options": config["Config"],
                "engine_bytes": engine,
                "file_bytes": written,
                "OPS001": (grows, "OPS001" in said),
                "OPS002": (file_grows, "OPS002" in said),
            }
        )
        _show(rows[-1])
    return rows


def stopping(image: str, wanted: set[str]) -> list[dict[str, Any]]:
    """The table of stopping."""
    rows = []
    for name, files in STOPPING:
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _write(root, image, files)
            tag = docker("build", "--quiet", "--label", LABEL, folder)
            try:
                with Running(tag, *_options(root)) as container:
                    seconds, code = container.stop()
            finally:
                docker("rmi", "--force", tag)
            said = _judged(root, image, "IMG007", "OPS010")
        rows.append(
            {
                "case": name,
                "seconds": round(seconds, 1),
                "exit": code,
                "killed": (code == 137, bool(said)),
                "said": sorted(said),
            }
        )
        _show(rows[-1])
    return rows


def servers(image: str, wanted: set[str]) -> list[dict[str, Any]]:
    """Each server as the first process of a container."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, text in PROGRAMS.items():
            Path(folder, name).write_text(text, "utf-8")
        Path(folder, "Dockerfile").write_text(HEAD.format(image=image), "utf-8")
        tag = docker("build", "--quiet", "--label", LABEL, folder)
    try:
        freeze = dict(
            line.split("==")
            for line in docker("run", "--rm", tag, "pip", "freeze").lower().splitlines()
            if line.count("==") == 1
        )
        for kind, command in SERVERS:
            if wanted and kind not in wanted:
                continue
            distribution = {"fastapi-run": "fastapi", "http.server": "", "uwsgi": "pyuwsgi"}.get(
                kind, kind.partition(".")[0]
            )
            options = ["--entrypoint", command[0]]
            try:
                with _run_command(tag, options, command[1:]) as container:
                    seconds, code = container.stop()
            except RuntimeError as error:
                print(f"{kind}: {error}", file=sys.stderr)
                continue
            rows.append(
                {
                    "server": kind,
                    "version": freeze.get(distribution, ""),
                    "seconds": round(seconds, 1),
                    "exit": code,
                    "ends": code != 137,
                }
            )
            _show(rows[-1])
    finally:
        docker("rmi", "--force", tag)
    return rows


def _run_command(image: str, options: list[str], words: list[str]) -> Running:
    made = Running.__new__(Running)
    made.name = docker(
        "run", "--detach", "--label", LABEL, "--publish", "127.0.0.1::8000", *options, image, *words
    )
    made.port = int(docker("port", made.name, "8000").splitlines()[0].rpartition(":")[2])
    return made


def _show(row: dict[str, Any]) -> None:
    print("  ".join(f"{key}={value}" for key, value in row.items()), flush=True)


def _record(rows: list[dict[str, Any]], python: str) -> None:
    lines = [
        "# Whether a server that is the first process of a container ends on SIGTERM.",
        f"# Written by tools/verify_operations.py --servers --write on {datetime.date.today()}: each",
        f"# was started in {python} and stopped with `docker stop`. Names with a dot are started",
        "# from code.",
        "",
    ]
    for row in rows:
        lines += [
            f'["{row["server"]}"]',
            f'version = "{row["version"]}"',
            f"ends = {str(row['ends']).lower()}",
            f"seconds = {row['seconds']}",
            f"exit = {row['exit']}",
            "",
        ]
    STOPS.write_text("\n".join(lines), "utf-8")


def main() -> int:
    """Print the tables; exit status 1 on a disagreement."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--servers", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--python", default="python:3.11-slim")
    given = parser.parse_args()
    wanted = set(given.only)
    image = _base(given.python)
    if given.servers:
        rows = servers(image, wanted)
        if given.write:
            _record(rows, given.python)
        return 0
    wrong = 0
    for row in [*logs(image, wanted), *stopping(image, wanted)]:
        for key in ("OPS001", "OPS002", "killed"):
            if key in row and row[key][0] != row[key][1]:
                wrong += 1
                print(
                    f"DISAGREES: {row['case']}: {key}: container {row[key][0]}, audit {row[key][1]}"
                )
    print(f"{wrong} disagreements")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
