"""What hostile and broken repositories do to the real command, in a child process.

Each case lies beside a healthy little service whose findings must not change. Memory and CPU
time are the child's own, as the kernel counted them.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
# The promise is 2 s and 300 MB on an idle machine; crowded ones count more for the same work.
CPU_SECONDS = 2.0 * float(os.environ.get("DEPLOY_AUDIT_TEST_MARGIN", "4"))
MEGABYTES = 300

GOOD = {
    "good/Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
    'CMD ["python", "main.py"]\n',
    "good/requirements.txt": "flask\nnumpy==1.26.4\n",
    "good/main.py": "import flask\n\nopen('missing.json')\n",
}


@dataclass(frozen=True)
class Run:
    status: int
    out: str
    err: str
    cpu: float
    megabytes: float

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.out)  # type: ignore[no-any-return]

    def named(self) -> str:
        """Everything in which a diagnosis may name a file."""
        report = self.report
        places = [f"{f['path']}: {f['message']}" for f in report["findings"]]
        places += [f"{s['path']}: {s['reason']}" for s in report["skipped"]]
        return "\n".join(places)

    def about(self, path: str) -> list[str]:
        return [
            *(f["message"] for f in self.report["findings"] if f["path"] == path),
            *(s["reason"] for s in self.report["skipped"] if s["path"] == path),
        ]


# Starts the command from a small process: what a child peaks at includes, until it replaces
# itself, what its parent holds, and the test run holds hundreds of megabytes.
LAUNCHER = """
import json, os, resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
child = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(child.pid, 0)
with open(sys.argv[1], "w") as file:
    json.dump(
        [os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss], file
    )
"""


def deploy_audit(*arguments: str, cwd: Path) -> Run:
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "HOME": str(cwd)}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "usage.json")
        command = [sys.executable, "-m", "auditor", *arguments]
        done = subprocess.run(
            [sys.executable, "-c", LAUNCHER, str(report), *command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            check=True,
        )
        status, cpu, kilobytes = json.loads(report.read_text())
        return Run(
            status=status,
            out=done.stdout.decode(),
            err=done.stderr.decode(),
            cpu=cpu,
            megabytes=kilobytes / 1024,
        )


def audit(root: Path) -> Run:
    run = deploy_audit("--format", "json", "--fail-on", "low", ".", cwd=root)
    assert "Traceback" not in run.err + run.out
    assert run.status in (0, 1, 3), run.err
    if os.environ.get("HOSTILE_PRINT"):
        print(f"cpu {run.cpu:.2f} s, {run.megabytes:.0f} MB, status {run.status}")
    assert run.megabytes < MEGABYTES
    assert run.cpu < CPU_SECONDS
    for skipped in run.report["skipped"]:
        assert "crashed" not in skipped["reason"], skipped
    return run


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def good_findings(run: Run) -> list[tuple[str, str, int, str]]:
    return sorted(
        (f["rule"], f["path"], f["line"], f["message"])
        for f in run.report["findings"]
        if f["path"].startswith("good/")
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, int, str]]:
    root = tmp_path_factory.mktemp("good")
    write(root, GOOD)
    found = good_findings(audit(root))
    assert {"ENV001", "PTH002"} <= {rule for rule, *_ in found}
    return found


Build = Callable[[Path], "str | tuple[str, ...] | None"]
CASES: list[Build] = []


def case(build: Build) -> Build:
    """A builder of a hostile repository; returns the paths that the diagnosis must name."""
    CASES.append(build)
    return build


DOCKER = "FROM python:3.11-slim\nWORKDIR /app\n"


@case
def binary_dockerfile(root: Path) -> str:
    write(root, {"Dockerfile": bytes(range(256)) * 400})
    return "Dockerfile"


@case
def nul_dockerfile(root: Path) -> str:
    write(root, {"Dockerfile": b"\0" * 100_000})
    return "Dockerfile"


@case
def empty_dockerfile(root: Path) -> str:
    write(root, {"Dockerfile": b""})
    return "Dockerfile"


@case
def alias_bomb(root: Path) -> str:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    write(root, {"compose.yaml": "\n".join(rows) + "\nservices:\n  api:\n    environment: *a39\n"})
    # It is read as what it is, shared nodes: nothing is left out, so there is nothing to say.
    return ""


@case
def fifty_megabytes_of_aliases(root: Path) -> str:
    path = root / "docker-compose.yml"
    with path.open("w") as file:
        file.write("x: &x {a: b}\nservices:\n  api: {image: nginx}\ny:\n")
        line = "  - *x\n" * 10_000
        for _ in range(50_000_000 // len(line)):
            file.write(line)
    return "docker-compose.yml"


@case
def merge_key_bomb(root: Path) -> None:
    rows = ["x0: &x0 {k0: v}"]
    rows += [
        f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9)}], k{n}: v}}" for n in range(1, 30)
    ]
    write(
        root,
        {"compose.yaml": "\n".join(rows) + "\nservices:\n  api:\n    <<: *x29\n    image: nginx\n"},
    )


@case
def recursive_alias(root: Path) -> str:
    write(root, {"compose.yaml": "services: &s\n  api:\n    image: nginx\n    labels: *s\n"})
    return ""


@case
def deep_yaml(root: Path) -> str:
    write(root, {"compose.yaml": "services:\n  api: " + "[" * 100_000 + "]" * 100_000 + "\n"})
    return "compose.yaml"


@case
def deep_block_yaml(root: Path) -> str:
    text = "\n".join(" " * n + f"k{n}:" for n in range(1_500))
    write(root, {"compose.yaml": "services:\n  api:\n    image: nginx\nx:\n " + text + "\n"})
    return ""


@case
def deep_json(root: Path) -> tuple[str, ...]:
    write(
        root,
        {
            "Pipfile.lock": '{"default": ' + "[" * 100_000 + "]" * 100_000 + "}",
            "analysis.ipynb": '{"cells": ' + "[" * 100_000,
            "Dockerfile": DOCKER
            + "COPY Pipfile Pipfile.lock ./\nRUN pipenv install --system --deploy\n",
            "Pipfile": '[packages]\nflask = "*"\n',
        },
    )
    return ("Pipfile.lock",)


@case
def deep_python(root: Path) -> str:
    write(
        root,
        {
            "Dockerfile": DOCKER + 'COPY . .\nCMD ["python", "main.py"]\n',
            "main.py": "import deep, chain, sums\n",
            "deep.py": "x = " + "(" * 5_000 + ")" * 5_000 + "\n",
            "chain.py": "x = a" + ".b" * 50_000 + "\n",
            "sums.py": "x = 1" + " + 1" * 100_000 + "\n",
        },
    )
    return "deep.py"


@case
def nested_python_statements(root: Path) -> str:
    text = "".join(" " * n + "if x:\n" for n in range(95)) + " " * 95 + "pass\n"
    write(
        root,
        {
            "Dockerfile": DOCKER + 'COPY . .\nCMD ["python", "main.py"]\n',
            "main.py": text + "def f(x):\n return " + "lambda: " * 3_000 + "0\n",
        },
    )
    return ""


@case
def deep_toml(root: Path) -> str:
    write(root, {"pyproject.toml": "x = " + "[" * 50_000 + "]" * 50_000 + "\n"})
    return "pyproject.toml"


@case
def deep_shell(root: Path) -> str:
    body = "(" * 20_000 + "true" + ")" * 20_000
    write(root, {"Dockerfile": DOCKER + f"RUN {body}\nCMD {'$(' * 10_000}\n"})
    return ""


@case
def requirements_that_include_themselves(root: Path) -> str:
    write(
        root,
        {
            "Dockerfile": DOCKER + "COPY . .\nRUN pip install -r requirements.txt\n",
            "requirements.txt": "-r requirements.txt\n-r other.txt\nflask\n",
            "other.txt": "-r requirements.txt\n-c other.txt\n",
        },
    )
    return "requirements.txt"


@case
def requirements_fan_out(root: Path) -> None:
    files: dict[str, str | bytes] = {
        "Dockerfile": DOCKER + "COPY . .\nRUN pip install -r r0.txt\n",
    }
    for n in range(40):
        files[f"r{n}.txt"] = f"-r r{n + 1}.txt\n" * 20 + f"pkg{n}\n"
    files["r40.txt"] = "flask\n"
    write(root, files)


@case
def recursive_extends(root: Path) -> str:
    write(
        root,
        {
            "compose.yaml": "services:\n  a:\n    extends: {service: b}\n  b:\n    extends:\n"
            "      file: compose.yaml\n      service: a\n",
        },
    )
    return "compose.yaml"


@case
def recursive_include(root: Path) -> str:
    write(
        root,
        {
            "compose.yaml": "include: [other.yaml, compose.yaml]\nservices:\n  a: {image: nginx}\n",
            "other.yaml": "include: [compose.yaml]\nservices:\n  b: {image: nginx}\n",
        },
    )
    return ""


@case
def invalid_utf8(root: Path) -> tuple[str, ...]:
    bad = b"\xff\xfe\xfa\x80\n"
    write(
        root,
        {
            "Dockerfile": DOCKER.encode()
            + b"COPY . .\nRUN pip install -r requirements.txt # \xff\n"
            b'CMD ["python", "main.py"]\n',
            "requirements.txt": b"numpy==1.26.4\nfl\xffask\n",
            "compose.yaml": b"services:\n  api:\n    build: .\n    image: \xff\xfe\n",
            "main.py": b"import os\nx = '\xff'\n",
            "pyproject.toml": b"[project]\nname = '\xff'\n",
            "environment.yml": b"dependencies:\n - \xff\n",
            "uv.lock": bad,
            "poetry.lock": bad,
            "Pipfile.lock": bad,
            "nb.ipynb": bad,
            ".dockerignore": bad,
            ".env": bad,
            ".gitignore": b"\xff*\n",
            "README.md": b"docker run \xff -p 80:80 x\n",
            "start.sh": b"#!/bin/sh\nexec \xff\n",
            ".python-version": b"\xff\n",
        },
    )
    return ("Dockerfile", "requirements.txt", "compose.yaml", "main.py")


@case
def utf16_and_boms(root: Path) -> None:
    write(
        root,
        {
            "Dockerfile": "\ufeff" + DOCKER + "COPY . .\nRUN pip install -r requirements.txt\n",
            "requirements.txt": "flask\nnumpy==1.26.4\n".encode("utf-16"),
            "compose.yaml": "services:\n  api: {build: .}\n".encode("utf-16-le"),
            "main.py": "\ufeffimport flask\n",
        },
    )


@case
def one_huge_line(root: Path) -> tuple[str, ...]:
    size = 4_000_000
    write(
        root,
        {
            "Dockerfile": DOCKER + "RUN echo " + "a" * size + "\n",
            "requirements.txt": "a" * size,
            "compose.yaml": "services: {api: {image: " + "a" * size + "}}",
        },
    )
    return ()


@case
def huge_python_line(root: Path) -> None:
    write(
        root,
        {
            "Dockerfile": DOCKER + 'COPY . .\nCMD ["python", "main.py"]\n',
            "main.py": "x = [" + "1, " * 150_000 + "]\nopen('a')\n",
        },
    )


@case
def ten_thousand_stages(root: Path) -> str:
    rows = ["FROM python:3.11-slim AS s0"]
    rows += [f"FROM s{n} AS s{n + 1}" for n in range(10_000)]
    write(root, {"Dockerfile": "\n".join(rows) + '\nCMD ["python"]\n'})
    return "Dockerfile"


@case
def hundred_thousand_instructions(root: Path) -> str:
    write(root, {"Dockerfile": DOCKER + "ENV A=b\n" * 100_000})
    return "Dockerfile"


@case
def many_runs_and_copies(root: Path) -> None:
    rows = [f"COPY a{n} /app/b{n}\nRUN pip install p{n}" for n in range(1_500)]
    write(root, {"Dockerfile": DOCKER + "\n".join(rows) + "\n"})


@case
def variables_that_double(root: Path) -> None:
    rows = ["ENV A0=xxxxxxxxxx"] + [f"ENV A{n + 1}=$A{n}$A{n}" for n in range(60)]
    write(root, {"Dockerfile": DOCKER + "\n".join(rows) + "\nWORKDIR $A60\nCOPY . $A60\n"})


@case
def compose_variables_that_double(root: Path) -> None:
    rows = ["A0=xxxxxxxxxx"] + [f"A{n + 1}=${{A{n}}}${{A{n}}}" for n in range(60)]
    write(
        root,
        {
            ".env": "\n".join(rows) + "\n",
            "compose.yaml": "services:\n  a:\n    image: ${A60}\n    environment: {X: '${A60}'}\n",
        },
    )


@case
def five_thousand_services(root: Path) -> None:
    rows = [f"  s{n}:\n    image: nginx\n    ports: ['{10000 + n}:80']" for n in range(5_000)]
    write(root, {"compose.yaml": "services:\n" + "\n".join(rows) + "\n"})


@case
def services_that_all_know_each_other(root: Path) -> None:
    rows = [
        f"  s{n}:\n    image: org/s{n}\n    command: serve --port ${{P{n}}}\n"
        f"    environment: [P{n}=1]\n    depends_on: {{s{(n + 1) % 1_500}: {{condition: service_healthy}}}}\n"
        f"    volumes: ['data{n}:/data', './m{n}:/models']\n    networks: [n{n}]\n    ports: ['{10000 + n}:80']"
        for n in range(1_500)
    ]
    volumes = "\n".join(f"  data{n}: {{}}" for n in range(1_500))
    networks = "\n".join(f"  n{n}: {{}}" for n in range(1_500))
    services = "\n".join(rows)
    text = f"services:\n{services}\nvolumes:\n{volumes}\nnetworks:\n{networks}\n"
    write(root, {"compose.yaml": text})


@case
def huge_port_ranges(root: Path) -> None:
    ports = "\n".join("      - '1-65535:1-65535'" for _ in range(50))
    write(root, {"compose.yaml": f"services:\n  a:\n    image: nginx\n    ports:\n{ports}\n"})


@case
def ignore_patterns_that_backtrack(root: Path) -> None:
    pattern = "*a" * 40 + "b"
    write(
        root,
        {
            ".dockerignore": f"{pattern}\n{'**/' * 40}x\n",
            ".gitignore": f"{pattern}\n{'**/' * 40}x\n",
            "Dockerfile": DOCKER + "COPY . .\n",
            "a" * 120: "",
            "/".join("a" * 20) + "/aaaa": "",
        },
    )


@case
def strange_file_names(root: Path) -> None:
    body = DOCKER + "COPY . .\nRUN pip install flask\n"
    for name in (
        b"new\nline",
        b"es\x1b[31mcape",
        b"[bold]mark[bold]",
        b"<script>",
        b"sur\xffrogate",
        b"::error::x",
        b"a b'\"`$(id)",
        b"\xe2\x80\xaertl",
        b"-rf",
    ):
        folder = os.fsencode(root) + b"/" + name
        os.mkdir(folder)  # noqa: PTH102 (a name in bytes)
        with open(folder + b"/Dockerfile", "w") as file:
            file.write(body)
        with open(folder + b"/requirements.txt", "w") as file:
            file.write("flask\n")
        with open(folder + b"/m" + name + b".pkl", "wb") as file:
            file.write(b"cposix\nsystem\n(S'id'\ntR.")


@case
def links(root: Path) -> None:
    (root / "out").symlink_to("/etc")
    (root / "requirements.txt").symlink_to("/etc/passwd")
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    (root / "self").symlink_to(".")
    (root / "dangling.py").symlink_to("nowhere.py")
    (root / "model.pkl").symlink_to("/dev/zero")
    write(
        root,
        {
            "Dockerfile": DOCKER + "COPY . .\nRUN pip install -r requirements.txt\n"
            'CMD ["python", "dangling.py"]\n'
        },
    )


@case
def special_files(root: Path) -> tuple[str, ...]:
    os.mkfifo(root / "Dockerfile")
    os.mkfifo(root / "requirements.txt")
    os.mkfifo(root / "model.pkl")
    os.mkfifo(root / ".gitignore")
    os.mkfifo(root / "compose.yaml")
    return ("Dockerfile", "model.pkl")


@case
def configuration_that_is_a_fifo_in_a_subdirectory(root: Path) -> None:
    (root / "sub").mkdir()
    os.mkfifo(root / "sub" / "pyproject.toml")
    os.mkfifo(root / "sub" / ".gitignore")
    os.mkfifo(root / ".dockerignore")


@case
def directories_named_like_files(root: Path) -> None:
    for name in (
        "Dockerfile",
        "compose.yaml",
        "requirements.txt",
        "model.pkl",
        ".gitignore",
        ".env",
    ):
        (root / name).mkdir()


def _zip(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


@case
def zip_bomb(root: Path) -> str:
    inner = _zip({f"{n}.pkl": bytes(50_000_000) for n in range(2)})
    write(root, {"model.pt": _zip({"archive/data.pkl": bytes(200_000_000), "x.zip": inner})})
    return "model.pt"


@case
def lying_archives(root: Path) -> tuple[str, ...]:
    honest = _zip({"archive/data.pkl": pickle.dumps([1, 2, 3]), "archive/version": b"3\n"})
    lying = bytearray(honest)
    at = lying.rfind(b"PK\x01\x02")
    lying[at + 20 : at + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    write(
        root,
        {
            "sizes.pt": bytes(lying),
            "cut.pt": honest[: len(honest) // 2],
            "entries.pt": honest[:-14] + struct.pack("<HH", 65_535, 65_535) + honest[-10:],
            "gzip.pkl.gz": b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\xff" * 100,
        },
    )
    return ("sizes.pt", "cut.pt")


@case
def hostile_pickles(root: Path) -> None:
    write(
        root,
        {
            "nested.pkl": b"\x80\x04" + b"(" * 200_000 + b"t" * 200_000 + b".",
            "promise.pkl": b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b".",
            "memo.pkl": b"\x80\x04]" + b"r" + struct.pack("<I", 0xFFFFFFFF) + b".",
            "dup.pkl": b"\x80\x02]" + b"2" * 300_000 + b".",
            "keys.pkl": b"\x80\x04)" + b"2\x86" * 2_000 + b"K\x01}" + b".",
            "digits.pkl": b"\x80\x02I" + b"9" * 1_000_000 + b"\n.",
            "strings.pkl": b"\x80\x02" + b"".join(b"X\x01\0\0\0a" for _ in range(100_000)) + b".",
        },
    )


@case
def hostile_onnx(root: Path) -> None:
    nested = b""
    for _ in range(3_000):
        nested = b"\x3a" + _varint(len(nested)) + nested
    write(
        root,
        {
            "deep.onnx": b"\x08\x07" + nested,
            "long.onnx": b"\x08\x07\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            "rubbish.onnx": bytes(range(256)) * 100,
            "empty.onnx": b"",
        },
    )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


@case
def many_dockerfiles(root: Path) -> None:
    files: dict[str, str | bytes] = {}
    for n in range(60):
        files[f"s{n}/Dockerfile"] = (
            DOCKER + 'COPY . .\nRUN pip install flask\nCMD ["python", "a.py"]\n'
        )
        files[f"s{n}/a.py"] = "import flask\n"
    write(root, files)


@case
def imports_in_a_ring(root: Path) -> None:
    files: dict[str, str | bytes] = {
        "Dockerfile": DOCKER + 'COPY . .\nCMD ["python", "m0.py"]\n',
    }
    for n in range(300):
        files[f"m{n}.py"] = (
            f"from m{(n + 1) % 300} import *\nimport m{(n + 7) % 300}\n\n\ndef f{n}(x):\n"
            f"    return m{(n + 7) % 300}.f{(n + 7) % 300}(x) + f{(n + 1) % 300}(x)\n\n\nf{n}(open('a{n}'))\n"
        )
    write(root, files)


@case
def calls_that_double(root: Path) -> None:
    rows = ["def f0():\n    return open('x')\n"]
    rows += [f"def f{n}():\n    f{n - 1}()\n    return f{n - 1}()\n" for n in range(1, 200)]
    rows += ["P0 = 'aaaaaaaaaa'\n"] + [f"P{n} = P{n - 1} + P{n - 1}\n" for n in range(1, 64)]
    write(
        root,
        {
            "Dockerfile": DOCKER + 'COPY . .\nCMD ["python", "main.py"]\n',
            "main.py": "\n".join(rows)
            + "\nf199()\nopen(P63)\nopen('%1000000000s' % P0)\nopen('x' * 10**12)\n"
            "open(str(10 ** 10 ** 10))\n",
        },
    )


@case
def scripts_that_call_each_other(root: Path) -> None:
    write(
        root,
        {
            "Dockerfile": DOCKER + 'COPY . .\nENTRYPOINT ["./a.sh"]\nCMD ["./b.sh"]\n',
            "a.sh": '#!/bin/sh\n./b.sh\nexec "$@"\n',
            "b.sh": '#!/bin/sh\n. ./a.sh\nexec ./a.sh "$@"\n',
        },
    )


@case
def build_file_that_runs(root: Path) -> None:
    write(
        root,
        {
            "setup.py": "import os\nos.system('touch executed')\nfrom setuptools import setup\n"
            "setup(name='x', install_requires=[__import__('os').system('touch executed')])\n",
            "conftest.py": "open('executed', 'w')\n",
            "Dockerfile": DOCKER + "COPY . .\nRUN pip install .\n",
        },
    )


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_it_is_diagnosed_and_costs_the_rest_nothing(
    build: Build, tmp_path: Path, expected: list[tuple[str, str, int, str]]
) -> None:
    write(tmp_path, GOOD)
    named = build(tmp_path)
    run = audit(tmp_path)
    assert run.status == 1
    assert good_findings(run) == expected
    for path in (named,) if isinstance(named, str) else named or ():
        assert not path or run.about(path), f"nothing is said about {path}:\n{run.named()}"
    assert not (tmp_path / "executed").exists()
