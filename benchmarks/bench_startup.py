"""CPU time of starting the tool: ``--version``, a ten-file repository, 2,000 files.

    python benchmarks/bench_startup.py            prints the table
    python benchmarks/bench_startup.py --check    also fails when a limit is exceeded

CPU time (user and system, of the child process alone) hardly depends on what else the machine
does; the least of several runs is reported. Limits hold on one core of a 2-core machine;
``--margin 2`` doubles them for slower or crowded ones.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

DOCKERFILE = """FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
EXPOSE 8000
USER 1000
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000"]
"""
COMPOSE = """services:
  api:
    build: .
    ports: ["8000:8000"]
    restart: unless-stopped
"""
APPLICATION = """import json
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
"""


def small_repository(root: Path) -> None:
    """Ten files: an ordinary service."""
    files = {
        "Dockerfile": DOCKERFILE,
        "compose.yaml": COMPOSE,
        "requirements.txt": "fastapi==0.115.0\nuvicorn==0.30.6\n",
        "README.md": "# Service\n",
        ".dockerignore": ".git\n",
        "app/__init__.py": "",
        "app/main.py": APPLICATION,
        "app/settings.py": "import os\nPORT = int(os.environ.get('PORT', '8000'))\n",
        "tests/test_main.py": "def test_nothing():\n    assert True\n",
        "pyproject.toml": '[project]\nname = "service"\nversion = "0"\n',
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def large_repository(root: Path, files: int) -> None:
    """The same service among many modules."""
    small_repository(root)
    for number in range(files - 10):
        package = root / "app" / f"package_{number // 50}"
        package.mkdir(exist_ok=True)
        body = f"import json\nimport os\n\n\ndef function_{number}(x):\n    return json.dumps(x)\n"
        (package / f"module_{number}.py").write_text(body * 3)


def cpu_seconds(arguments: list[str], cwd: Path, runs: int) -> float:
    """The least CPU time of several runs of the tool."""
    command = [sys.executable, "-m", "auditor", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    best = float("inf")
    for _ in range(runs):
        pid = os.fork()
        if pid == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            os.chdir(cwd)
            os.execve(sys.executable, command, environment)
        _, status, usage = os.wait4(pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, 1):
            raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
        best = min(best, usage.ru_utime + usage.ru_stime)
    return best


def main() -> int:
    """Measure, print, and with ``--check`` judge."""
    parser = argparse.ArgumentParser(description="Measure start-up and small audits.")
    parser.add_argument("--check", action="store_true", help="fail beyond the limits")
    parser.add_argument("--margin", type=float, default=1.0, help="factor on every limit")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        small, large, double = (Path(directory, n) for n in ("small", "large", "double"))
        small_repository(small)
        large_repository(large, 2_000)
        large_repository(double, 4_000)
        plain = ["--format", "json", "--fail-on", "never", "--no-cache", "."]
        rows = [
            ("--version", cpu_seconds(["--version"], small, options.runs), 0.040),
            ("ten files", cpu_seconds(plain, small, options.runs), 0.400),
            ("2,000 files", cpu_seconds(plain, large, max(options.runs // 2, 1)), 1.5),
            ("4,000 files", cpu_seconds(plain, double, max(options.runs // 2, 1)), 3.0),
        ]
    slow = 0
    print(f"{'what':12} {'CPU ms':>8} {'limit':>8}")
    for name, seconds, limit in rows:
        limit *= options.margin
        over = seconds > limit
        slow += over
        print(f"{name:12} {seconds * 1000:8.0f} {limit * 1000:8.0f}{'  OVER' if over else ''}")
    return 1 if options.check and slow else 0


if __name__ == "__main__":
    sys.exit(main())
