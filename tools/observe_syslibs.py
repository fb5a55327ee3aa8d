"""See what packages really miss in a slim image, without asking the tables for it.

Each case of ``syslibs_cases.tsv`` (requirement, code, hints) is installed once and runs in a fresh
container of ``python:<python>-slim-<suite>`` for every suite. As long as it fails for a shared
object or a program, what the error names is looked up in Debian's own file lists, installed, and
the code runs again. What was missing goes to a table that ``measure_syslibs.py libraries`` and
``make_syslib_tables.py`` read. With ``--together`` all cases are first installed in one place and
run one after another in one container: those that work there are done. A case may say in a fourth
and a fifth column which Pythons to try (the first that has wheels of everything is taken) and on
which suite it runs.

    python tools/observe_syslibs.py FILE.tsv [--cases FILE] [--suites "bookworm trixie"] [--python 3.11]
        [--find-links DIR --overrides FILE]

Needs a Docker engine (``DOCKER_HOST``) with those images. Rows that are in FILE are kept.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import syslib_apt  # noqa: E402
from packaging.utils import canonicalize_name  # noqa: E402

COLUMNS = (
    "suite", "package", "version", "has_manylinux_wheel", "import_ok_on_slim", "call_ok_on_slim", "error",
    "missing", "at_call", "fixing_apt", "verified", "code", "brought", "size_mb", "seconds", "python",
    "requirement",
)  # fmt: skip
# What an error names: a shared object, or a program.
LIBRARY = re.compile(r"(lib[\w.+-]*?\.so[\w.]*)(?:: cannot open shared object|['\" ]|$)")
PROGRAM = re.compile(
    r"No such file or directory: (?:PosixPath\()?['\"]([\w./+-]+)['\"]|"
    r"['\"]?\b([\w.+-]+)['\"]?:? (?:not found in path|command not found)",
    re.IGNORECASE,
)
MOST_ROUNDS = 24
ARCHIVES = HERE.parent / "build" / "syslibs" / "archives"
FACTS = """
import importlib.metadata as m, os, re, subprocess as s
site = '/site' if os.path.isdir('/site') else '/usr/local/lib'
print(s.run(['du', '-sm', site], capture_output=True, text=True).stdout.split()[0])
for d in m.distributions():
    print(re.sub('[-_.]+', '-', d.metadata['Name']).lower() + '=' + d.version)
"""


def run(*command: str, timeout: int = 600) -> subprocess.CompletedProcess[str]:
    """A command of the host, its output as text."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", "timed out")


def prepare(suite: str, python: str) -> str:
    """The slim image with apt's package lists, which every container then shares."""
    tag = f"syslibs-observe:{python}-{suite}"
    if run("docker", "image", "inspect", tag).returncode:
        text = (
            f"FROM python:{python}-slim-{suite}\nENV PIP_NO_COMPILE=1 PIP_NO_CACHE_DIR=1\n"
            # Official slim images keep these directories; a runtime of Java links its manual there.
            "RUN rm -f /etc/apt/apt.conf.d/docker-clean && mkdir -p /usr/share/man/man1 && apt-get update -qq && echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/speedup\n"
        )
        built = subprocess.run(
            ["docker", "build", "-q", "-t", tag, "-"],
            input=text, text=True, capture_output=True, check=False,
        )  # fmt: skip
        if built.returncode:
            raise SystemExit(built.stderr)
    return tag


@cache
def owners(suite: str, folder: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The packages that have each library, and each program, by Debian's file lists."""
    _, contents, _ = syslib_apt.fetch(folder, suite)
    return syslib_apt.read_contents(contents)


def owner(name: str, suite: str, folder: Path) -> str | None:
    """The package to install for a library or program."""
    libraries, programs = owners(suite, folder)
    found = libraries.get(name) or programs.get(name) or []
    if not found and name.endswith(".so"):
        versioned = sorted(k for k in libraries if re.fullmatch(re.escape(name) + r"\.\d+", k))
        found = libraries[versioned[-1]] if versioned else []
    stem = re.sub(r"[^a-z0-9]", "", name.lower().removeprefix("lib").partition(".so")[0])
    return min(
        found,
        key=lambda o: (o.endswith(("-dev", "-dbg")), "cross" in o, stem not in o, len(o), o),
        default=None,
    )


def telling(text: str) -> str:
    """The line of a traceback that says what is missing."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    found = [x for x in lines if ".so" in x or "Error" in x or "not found" in x.lower()]
    return (found or lines or [""])[-1].replace("\t", " ")[:300]


def here(hint: str, suite: str, folder: Path) -> str:
    """A hint with the one of its alternatives (``a|b``) that the suite has."""
    head, equals, packages = hint.rpartition("=")
    names = packages.split("|")
    packaged = syslib_apt.names(folder, suite)
    known = [n for n in names if n in packaged or (not equals and owner(n, suite, folder))]
    return f"{head}{equals}{(known or names)[0]}"


def observe(
    tag: str, suite: str, requirement: str, code: str, hints: list[str], folder: Path,
    site: Path | None, python: str = "", more: tuple[str, ...] = (),
) -> dict[str, Any]:  # fmt: skip
    """One case on one suite: what it missed, and what mended it. ``more``: of the installer's."""
    started = time.time()
    name = re.split(r"[=<>~ ]", requirement)[0]
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row.update(suite=suite, package=name, code=code, python=python, requirement=requirement)
    hints = [here(hint, suite, folder) for hint in hints]
    kept = ARCHIVES / suite
    kept.mkdir(parents=True, exist_ok=True)
    mounts = ["-v", f"{site}:/site:ro", "-e", "PYTHONPATH=/site"] if site is not None else []
    pip: tuple[str, ...] = ("pip",)
    if (uv := shutil.which("uv")) is not None and site is None:
        # The same resolution and builds, sooner; without its cache, which keeps what was built.
        mounts += ["-v", f"{uv}:/usr/local/bin/uv:ro", "-e", "UV_NO_CACHE=1"]
        mounts += ["-e", "UV_SYSTEM_PYTHON=1", "-e", "UV_LINK_MODE=copy"]
        mounts += ["-e", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"]
        pip = ("uv", "pip")
        mounts += [x for path in more if path.startswith("/") for x in ("-v", f"{path}:{path}:ro")]
    # What one case downloaded of Debian's packages serves the next.
    mounts += ["-v", f"{kept}:/var/cache/apt/archives"]
    install = ("docker", "exec", "BOX", *pip, "install", "-q", *more, *requirement.split())
    box = run("docker", "run", "-d", "--rm", *mounts, tag, "sleep", "1500").stdout.strip()
    try:
        if site is None:
            done = run(*(box if word == "BOX" else word for word in install))
        else:
            done = subprocess.CompletedProcess((), 0, "", "")
        if done.returncode:
            row.update(
                has_manylinux_wheel="n", import_ok_on_slim="n(build fails)", call_ok_on_slim="-"
            )
            row["error"] = "no wheel; " + telling(done.stderr)
            # Which release was built is known only where one was asked for.
            row["version"] = (re.findall(r"^[^ =]+==([^ ,]+)", requirement) or [""])[0]
            row["fixing_apt"] = "?"
            if hints:
                applied = _install(box, hints)
                again = run(*(box if word == "BOX" else word for word in install))
                ran = run("docker", "exec", box, "python", "-c", code, timeout=120)
                works = not (applied or again.returncode or ran.returncode)
                row["fixing_apt"] = f"(build) {' '.join(hints)}" if works else "?"
                row["verified"] = "y" if works else "n"
                if not works:
                    row["error"] += " // " + telling(again.stderr or ran.stderr)
            return row
        facts = run("docker", "exec", box, "python", "-c", FACTS).stdout.split()
        listed = dict(fact.split("=", 1) for fact in facts[1:])
        key = canonicalize_name(name.partition("[")[0])
        row["size_mb"], row["version"] = facts[0], listed.pop(key, "")
        # Part of every image with pip.
        row["brought"] = " ".join(sorted(listed.keys() - {"pip", "setuptools", "wheel", "uv"}))
        row["has_manylinux_wheel"] = "y" if site is not None else "pure"
        imports, _, call = code.partition(" ## ")
        missing: list[str] = []
        at_call: list[str] = []
        packages: list[str] = []
        errors: list[str] = []
        for stage, text in (("import", imports), ("call", f"{imports}; {call}")):
            if stage == "call" and not call:
                row["call_ok_on_slim"] = "-"
                break
            ok = "y"
            for _ in range(MOST_ROUNDS):
                ran = run("docker", "exec", box, "python", "-c", text, timeout=180)
                if not ran.returncode:
                    row["verified"] = "y" if missing else "-"
                    break
                ok = "n"
                output = ran.stderr + ran.stdout
                errors.append(telling(output))
                wanted = _wanted(output, suite, folder, missing)
                if wanted is None and hints:
                    wanted = hints.pop(0)
                package = None
                if wanted is not None:
                    wanted, _, package = wanted.partition("=")
                    package = package or owner(wanted, suite, folder)
                    missing.append(wanted)
                    if stage == "call":
                        at_call.append(wanted)
                if package is None or _install(box, [package]):
                    row["verified"] = "n"
                    break
                packages.append(package)
            row["import_ok_on_slim" if stage == "import" else "call_ok_on_slim"] = ok
            if row["verified"] == "n":
                break
        row["missing"] = ",".join(missing)
        row["at_call"] = ",".join(at_call)
        row["fixing_apt"] = "; ".join(packages)
        row["error"] = " // ".join(errors)[:900]
        return row
    finally:
        run("docker", "kill", box)
        row["seconds"] = str(round(time.time() - started))


def together(
    tag: str, suite: str, cases: list[tuple[str, str]], site: Path, python: str
) -> dict[str, dict[str, Any]]:
    """Rows of the cases that work with what all of them share, by requirement."""
    box = run("docker", "run", "-d", "--rm", "-v", f"{site}:/site:ro", "-e", "PYTHONPATH=/site",
              tag, "sleep", "3000").stdout.strip()  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    try:
        facts = run("docker", "exec", box, "python", "-c", FACTS).stdout.split()
        listed = dict(fact.split("=", 1) for fact in facts[1:])
        for requirement, code in cases:
            imports, _, call = code.partition(" ## ")
            text = f"{imports}; {call}"
            if run("docker", "exec", box, "python", "-c", text, timeout=180).returncode:
                continue
            name = re.split(r"[=<>~ ]", requirement)[0]
            found[requirement] = dict.fromkeys(COLUMNS, "") | {
                "suite": suite, "package": name, "code": code, "has_manylinux_wheel": "y",
                "requirement": requirement, "python": python,
                "version": listed.get(canonicalize_name(name.partition("[")[0]), ""),
                "import_ok_on_slim": "y", "call_ok_on_slim": "y" if call else "-", "verified": "-",
            }  # fmt: skip
        return found
    finally:
        run("docker", "kill", box)


def outside(requirement: str, python: str, more: tuple[str, ...] = ()) -> Path | None:
    """A directory with the wheels, made by uv; None where there is none or something is built."""
    if shutil.which("uv") is None:
        return None
    site = Path(tempfile.mkdtemp(prefix="syslibs-"))
    done = run(
        "uv", "pip", "install", "-q", "--target", str(site), "--python-version", python,
        "--python-platform", "x86_64-manylinux_2_34", "--only-binary", ":all:",
        *more, *requirement.split(),
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(site, ignore_errors=True)
        return None
    site.chmod(0o755)
    return site


def _install(box: str, packages: list[str]) -> int:
    return run(
        "docker", "exec", "-e", "DEBIAN_FRONTEND=noninteractive", box,
        "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages,
    ).returncode  # fmt: skip


def _wanted(output: str, suite: str, folder: Path, known: list[str]) -> str | None:
    """The library or program that an error names and that Debian has."""
    names = [m[1] for m in LIBRARY.finditer(output)]
    names += [(m[1] or m[2]).rpartition("/")[2] for m in PROGRAM.finditer(output)]
    for name in reversed(names):
        if name not in known and owner(name, suite, folder):
            return name
    return None


def main() -> int:
    """Run the cases that have no row yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--cases", type=Path, default=HERE / "syslibs_cases.tsv")
    parser.add_argument("--suites", default="bookworm trixie")
    parser.add_argument("--python", default="3.11")
    parser.add_argument("--cache", type=Path, default=HERE.parent / "build" / "syslibs" / "apt")
    parser.add_argument("--together", action="store_true", help="install all cases in one place")
    parser.add_argument("--find-links", type=Path, help="a directory of wheels")
    parser.add_argument("--overrides", type=Path, help="requirements that others give way to")
    arguments = parser.parse_args()
    more: tuple[str, ...] = ()
    if arguments.find_links is not None:
        more += ("--find-links", str(arguments.find_links.resolve()))
    if arguments.overrides is not None:
        more += ("--overrides", str(arguments.overrides.resolve()))
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    if arguments.target.exists():
        with arguments.target.open() as file:
            for row in csv.DictReader(file, delimiter="\t"):
                rows[row["suite"], row["requirement"], row["code"]] = row
    tags = {suite: prepare(suite, arguments.python) for suite in arguments.suites.split()}
    lines = [x for x in arguments.cases.read_text().splitlines() if x and not x.startswith("#")]

    def write() -> None:
        with arguments.target.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.values())

    if arguments.together:
        cases = [(requirement, code) for requirement, code, *_ in (x.split("\t") for x in lines)]
        shared = outside(" ".join(requirement for requirement, _ in cases), arguments.python)
        if shared is not None:
            for suite, tag in tags.items():
                for requirement, row in together(
                    tag, suite, cases, shared, arguments.python
                ).items():
                    rows[suite, requirement, row["code"]] = row
            shutil.rmtree(shared, ignore_errors=True)
        write()
        print(f"{len(rows)} rows work together", flush=True)
    for line in lines:
        requirement, code, *rest = line.split("\t")
        hints = rest[0].split() if rest else []
        pythons = rest[1].split() if rest[1:] else [arguments.python]
        suites = [s for s in (rest[2:3] or tags) if (s, requirement, code) not in rows]
        site = None
        for python in pythons if suites else ():
            if (site := outside(requirement, python, more)) is not None:
                break
        else:
            # Something is built: an old release, where there is a choice, on an old Python.
            python = min(pythons, key=lambda p: int(p.partition(".")[2]))
        for suite in suites:
            tag = prepare(suite, python)
            row = observe(tag, suite, requirement, code, hints, arguments.cache, site, python, more)
            rows[suite, requirement, code] = row
            print(*(row[c] or "-" for c in COLUMNS if c != "code"), sep=" | ", flush=True)
        if site is not None:
            shutil.rmtree(site, ignore_errors=True)
        write()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
