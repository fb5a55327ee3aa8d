"""Start every unit of ``tests/data/systemd_units.toml`` under a real systemd, and compare.

    python tools/try_systemd_units.py [NAME…]

Needs a Docker engine that lets a container have ``SYS_ADMIN`` and the cgroup tree. Prints what
differs from what the file says, with the end of the unit's journal; exit status 1 if anything does.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

UNITS = Path(__file__).resolve().parents[1] / "tests" / "data" / "systemd_units.toml"
IMAGE = "deploy-audit-systemd"
DOCKERFILE = """\
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends systemd curl \\
 && python -m venv /srv/app/venv \\
 && /srv/app/venv/bin/pip install --no-cache-dir gunicorn uvicorn && useradd -m svc
STOPSIGNAL SIGRTMIN+3
CMD ["/lib/systemd/systemd"]
"""
_SERVE = """\
http.server.HTTPServer(("0.0.0.0", int(os.environ.get("P", "8077"))), \
http.server.SimpleHTTPRequestHandler).serve_forever()
"""
FILES = {
    "app.py": """\
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]
""",
    "asgi.py": """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
""",
    "inner/served.py": """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
""",
    "w.py": f"import http.server\nimport os\n\n{_SERVE}",
    "writes.py": f'import http.server\nimport os\n\nopen("made.txt", "w").write("x")\n{_SERVE}',
    "needs.py": f'import http.server\nimport os\n\nkey = os.environ["EXPORTED"]\n{_SERVE}',
    "start.sh": "#!/bin/sh\nexec /srv/app/venv/bin/python /srv/app/w.py\n",
    "unit.env": 'PORT=8077\nexport EXPORTED=1\nQUOTED="a b"\n# remark\nno assignment\n',
    "requirements.txt": "gunicorn==22.0.0\nuvicorn==0.30.0\n",
}


def run(*words: str, given: str | None = None) -> str:
    """The output of a command."""
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def main(names: list[str]) -> int:
    """Start them one after the other."""
    units = tomllib.loads(UNITS.read_text("utf-8"))["unit"]
    print(run("docker", "build", "-q", "-t", IMAGE, "-", given=DOCKERFILE).strip()[-200:])
    started = run(
        "docker", "run", "-d", "--rm", "--cap-add", "SYS_ADMIN", "--tmpfs", "/run",
        "--sysctl", "net.ipv4.ip_unprivileged_port_start=1024",
        "-v", "/sys/fs/cgroup:/sys/fs/cgroup", IMAGE,
    ).split()  # fmt: skip
    box = started[0]
    wrong = 0
    try:
        for name, text in FILES.items():
            run("docker", "exec", "-i", box, "sh", "-c", f"mkdir -p /srv/app/{Path(name).parent}; cat > /srv/app/{name}", given=text)  # fmt: skip
        for unit in units:
            if names and unit["name"] not in names:
                continue
            shown, journal = start(box, unit["text"])
            if shown != unit["starts"]:
                wrong += 1
                print(f"{unit['name']}: starts {shown}, said {unit['starts']}\n{journal}")
    finally:
        run("docker", "kill", box)
    print(f"{len(units)} units, {wrong} differ")
    return 1 if wrong else 0


def start(box: str, text: str) -> tuple[bool, str]:
    """(whether it serves within some seconds and stays, the end of its journal)."""
    port = 80 if "P=80\n" in text else 8077
    text = f"[Unit]\nStartLimitIntervalSec=0\n{text}"
    if "Type=" in text and "TimeoutStartSec" not in text:
        text = text.replace("ExecStart=", "TimeoutStartSec=8\nExecStart=", 1)
    script = f"""
    rm -f /srv/app/made.txt
    cat > /etc/systemd/system/tried.service
    systemctl daemon-reload
    systemctl start --no-block tried
    serves=no
    for n in $(seq 20); do
      sleep 0.5
      if curl -s -o /dev/null -m 2 127.0.0.1:{port}/; then serves=yes; break; fi
      if systemctl show -p ActiveState tried | grep -q failed; then break; fi
    done
    if grep -q TimeoutStartSec /etc/systemd/system/tried.service; then sleep 10; fi
    systemctl show -p ActiveState tried | grep -qx ActiveState=active || serves=no
    echo "$serves"
    journalctl -q -o cat -u tried --no-pager | tail -n 4
    systemctl stop tried 2>/dev/null
    systemctl reset-failed tried 2>/dev/null
    """
    answer = run("docker", "exec", "-i", box, "sh", "-c", script, given=text)
    first, _, rest = answer.partition("\n")
    return first == "yes", rest


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
