"""Compare our reading of Compose files with that of the ``docker-compose`` program.

    python tools/compare_compose.py DIRECTORY… [--limit N]

For every default Compose file below the directories: ``docker-compose config`` (version 1 needs no
engine for it) against ``auditor.parsers.compose.load``, field by field. Prints each difference.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import yaml

from auditor.discovery import FileKind, discover
from auditor.parsers import compose
from auditor.parsers.compose.facts import ComposeService, Text
from auditor.parsers.compose.items import split_words
from auditor.source import Unknown

_ANY = object()


def _text(value: Text | None) -> str | None:
    return None if value is None else value.blank


def ours(service: ComposeService, root: str) -> dict[str, Any]:
    """The fields that both sides know, in one spelling. ``_ANY`` where the host decides."""
    out: dict[str, Any] = {"image": _text(service.image), "user": _text(service.user)}
    out["restart"] = _text(service.restart)
    out["working_dir"] = _text(service.working_dir)
    if service.build is not None:
        build = service.build
        out["build"] = (
            _ANY if build.context is None else os.path.normpath(os.path.join(root, build.context)),
            _text(build.dockerfile),
            _text(build.target),
            frozenset(arg.name for arg in build.args),
        )
    else:
        out["build"] = None
    for name, command in (("command", service.command), ("entrypoint", service.entrypoint)):
        if command is None:
            out[name] = None
        elif isinstance(command.words, Unknown):
            out[name] = _ANY
        else:
            known = all(isinstance(word.value, str) for word in command.words)
            out[name] = tuple(word.blank for word in command.words) if known else _ANY
    ports: set[str] = set()
    unknown = False
    for port in service.ports:
        if isinstance(port.target, Unknown) or isinstance(port.published, Unknown):
            unknown = True
            continue
        for offset in range(port.target.last - port.target.first + 1):
            number = port.target.first + offset
            published = "" if port.published is None else str(port.published.first + offset)
            if port.published is not None and port.target.first == port.target.last:
                published = str(port.published)
            host = f"{port.host_ip}:" if port.host_ip else ""
            ports.add(f"{host}{published}:{number}/{port.protocol}")
    out["ports"] = _ANY if unknown else ports
    volumes: set[str] = set()
    for volume in service.volumes:
        source = _text(volume.source) or ""
        if volume.type == "bind" and volume.path is not None:
            source = os.path.normpath(os.path.join(root, volume.path))
        if volume.type == "bind" and volume.source is not None and volume.path is None:
            source = "?"
        target = str(volume.target).rstrip("/") or "/"
        volumes.add(f"{source}:{target}:{'ro' if volume.read_only else 'rw'}")
    out["volumes"] = volumes
    out["environment"] = {
        variable.name: _ANY if isinstance(variable.value, Unknown) else variable.value
        for variable in service.environment
    }
    out["depends_on"] = {dependency.service for dependency in service.depends_on}
    out["expose"] = {str(port.target) for port in service.expose}
    check = service.healthcheck
    out["healthcheck"] = None
    if check is not None and check.form == "shell" and check.shell is not None:
        known = isinstance(check.shell.value, str)
        out["healthcheck"] = ("CMD-SHELL", check.shell.blank) if known else _ANY
    elif check is not None and check.form == "exec":
        out["healthcheck"] = ("CMD", *(word.blank for word in check.words))
    elif check is not None and check.form == "none":
        out["healthcheck"] = ("NONE",)
    return out


def theirs(service: dict[str, Any], root: str) -> dict[str, Any]:
    """The same fields from ``docker-compose config``."""

    def plain(value: Any) -> str | None:
        if value is None:
            return None
        return str(value).lower() if isinstance(value, bool) else str(value).replace("$$", "$")

    def words(value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        if isinstance(value, str):
            split = split_words(value.replace("$$", "$"))
            return tuple(word for word, _, _ in split or ())
        return tuple(plain(item) or "" for item in value)

    out: dict[str, Any] = {
        name: plain(service.get(name)) for name in ("image", "user", "restart", "working_dir")
    }
    build = service.get("build")
    out["build"] = None
    if isinstance(build, dict):
        args = build.get("args") or {}
        names = args if isinstance(args, dict) else [a.partition("=")[0] for a in args]
        out["build"] = (
            os.path.normpath(build.get("context", root)),
            plain(build.get("dockerfile")),
            plain(build.get("target")),
            frozenset(names),
        )
    out["command"] = words(service.get("command"))
    out["entrypoint"] = words(service.get("entrypoint"))
    ports: set[str] = set()
    for port in service.get("ports") or ():
        if isinstance(port, dict):
            published = str(port.get("published", ""))
            ports.add(f"{published}:{port['target']}/{port.get('protocol', 'tcp')}")
            continue
        body, slash, protocol = str(port).rpartition("/")
        if not slash:
            body, protocol = str(port), "tcp"
        front, _, target = body.rpartition(":")
        ports.add(f"{front}:{target}/{protocol}")
    out["ports"] = ports
    volumes: set[str] = set()
    for volume in service.get("volumes") or ():
        if isinstance(volume, dict):
            mode = "ro" if volume.get("read_only") else "rw"
            volumes.add(f"{volume.get('source', '')}:{volume.get('target')}:{mode}")
            continue
        parts = plain(volume).split(":")  # type: ignore[union-attr]
        if len(parts) == 1:
            parts = ["", parts[0]]
        modes = parts[2].split(",") if len(parts) > 2 else []
        volumes.add(f"{parts[0]}:{parts[1]}:{'ro' if 'ro' in modes else 'rw'}")
    out["volumes"] = volumes
    out["environment"] = {k: plain(v) for k, v in (service.get("environment") or {}).items()}
    out["depends_on"] = set(service.get("depends_on") or ())
    out["expose"] = {str(port) for port in service.get("expose") or ()}
    check = service.get("healthcheck") or {}
    test = check.get("test")
    if test is None:
        out["healthcheck"] = ("NONE",) if check.get("disable") else None
    elif isinstance(test, str):
        out["healthcheck"] = ("CMD-SHELL", plain(test))
    else:
        out["healthcheck"] = tuple(plain(item) for item in test)
    return out


def same(mine: Any, other: Any, root: str) -> bool:
    """Equality that lets ``_ANY`` and paths outside the root pass."""
    if mine is _ANY:
        return True
    if isinstance(mine, dict) and isinstance(other, dict):
        return mine.keys() == other.keys() and all(same(mine[k], other[k], root) for k in mine)
    if isinstance(mine, tuple) and isinstance(other, tuple) and len(mine) == len(other):
        return all(same(a, b, root) for a, b in zip(mine, other, strict=True))
    if isinstance(mine, set) and isinstance(other, set) and any(m.startswith("?:") for m in mine):
        return {m.partition(":")[2] for m in mine if not m.startswith("?:")} <= {
            o.partition(":")[2] for o in other
        } and len(mine) == len(other)
    return bool(mine == other)


def compare(root: str, files: Sequence[str]) -> tuple[str, list[str]]:
    """("agree" | "differ" | "refused" | "both refuse", differences) for files of one invocation."""
    repository = discover(root)
    project = compose.load([repository.read_text(path) for path in files], repository)
    command = ["docker-compose"]
    for path in files:
        command += ["-f", os.path.join(root, path)]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            [*command, "--project-directory", os.path.join(root, project.directory), "config"],
            capture_output=True,
            text=True,
            cwd=elsewhere,
            env=environment,
            timeout=60,
            check=False,
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        reason = next((line for line in lines if not line.startswith("WARNING")), "")
        serious = [p.message for p in project.problems if p.fatal]
        return ("both refuse" if serious else "refused"), [f"{reason} {lines[-1]} {serious}"]
    document = yaml.safe_load(done.stdout)
    differences: list[str] = []
    expected = document.get("services") or {}
    mine = {service.name: service for service in project.services}
    # Version 1 prints only the services whose profiles are active.
    names = {s.name for s in project.services if not s.profiles} | set(expected)
    for name in sorted(names):
        if name not in mine or name not in expected:
            differences.append(f"{name}: only {'there' if name in expected else 'here'}")
            continue
        left, right = ours(mine[name], root), theirs(expected[name], root)
        differences += [
            f"{name}.{field}: {left[field]!r} here, {right[field]!r} there"
            for field in left
            if not same(left[field], right[field], root)
        ]
    return ("differ" if differences else "agree"), differences


def generated(seed: int) -> dict[str, str]:
    """Files of one random project: a base, an override, a file to extend, two env files.

    Left out, since version 1 knows them not or otherwise: nested defaults; ``disable`` of a health
    check that another file gives a test (version 1 lets the later one win).
    """
    random = Random(seed)

    def pick(*choices: Any) -> Any:
        return random.choice(choices)

    def some(items: Sequence[Any]) -> list[Any]:
        return random.sample(items, random.randint(1, len(items)))

    environment = ["A=1", "B=${SET}", "C=${NO:-d e}", "D=x$$y", "E=", "F=${EMPTY-z}", "G=a b"]
    ports = ["80:80", "${PORT:-7000:7000}", "127.0.0.1:81:81", "9000-9001:90-91", "53:53/udp", "70"]
    mounts = ["./a:/x", "named:/y:ro", "/anon", "../up:/z", "/abs:/abs:rw,z", "./b:/x:ro", "~/h:/h"]

    def service() -> dict[str, Any]:
        made: dict[str, Any] = {"image": pick("img:${TAG-1}", "a/b:2", "r:5000/c@sha256:ff")}
        options: dict[str, Callable[[], Any]] = {
            "command": lambda: pick("run 'a b' c", ["x", "y z"], 'sh -c "echo $$A && ls"', "a\\\\ b"),
            "entrypoint": lambda: pick("/bin/e --f", ["/bin/e", "-g"]),
            "environment": lambda: pick(
                some(environment), dict(item.split("=", 1) for item in some(environment))
            ),
            "env_file": lambda: pick("one.env", ["one.env", "two.env"]),
            "ports": lambda: pick(
                some(ports), [{"target": 80, "published": 8080, "protocol": "udp", "mode": "host"}]
            ),
            "expose": lambda: some(["1000", "2000-2002"]),
            "volumes": lambda: pick(
                some(mounts), [{"type": "bind", "source": "./l", "target": "/l", "read_only": True}]
            ),
            "build": lambda: pick(
                "./ctx",
                {"context": "ctx", "dockerfile": "D.f", "args": pick(["P=1", "Q"], {"P": "2"})},
                {"context": ".", "target": "prod"},
            ),
            "user": lambda: pick("1000:1000", "${USER_ID:-app}"),
            "working_dir": lambda: "/w",
            "restart": lambda: pick("always", "on-failure:3", "no"),
            "healthcheck": lambda: pick(
                {"test": "curl x"}, {"test": ["CMD", "curl"]}, {"test": ["NONE"]},
                {"test": ["CMD-SHELL", "a || b"], "interval": "5s"},
            ),
            "depends_on": lambda: ["db"],
        }  # fmt: skip
        for name in some(sorted(options))[: random.randint(0, 7)]:
            made[name] = options[name]()
        return made

    extending = {
        **service(),
        "extends": pick("web", {"file": "common/base.yml", "service": "base"}),
    }
    parent = service()
    if extending["extends"] == "web":
        # Version 1 does not extend services that depend on others.
        parent.pop("depends_on", None)
    base = {"version": "3.7", "services": {"web": parent, "db": {"image": "db"}, "x": extending}}
    over = {"version": "3.7", "services": {"web": service(), "x": service()}}
    common = {"version": "3.7", "services": {"base": service()}}
    common["services"]["base"].pop("depends_on", None)  # type: ignore[index]
    common["services"]["base"].pop("env_file", None)  # type: ignore[index]
    for model in (base, over):
        model["volumes"] = {"named": {}}
    return {
        "docker-compose.yml": yaml.safe_dump(base, sort_keys=False),
        "docker-compose.override.yml": yaml.safe_dump(over, sort_keys=False),
        "common/base.yml": yaml.safe_dump(common, sort_keys=False),
        ".env": "SET=set\nEMPTY=\nTAG=${SET}-t\n# c\nQUOTED='q #'\n",
        "ctx/keep": "",
        "common/ctx/keep": "",
        "one.env": "ONE=1\nA=from-one\n",
        "two.env": "TWO='two words'\nONE=2\n",
    }


def compare_generated(seed: int) -> tuple[str, list[str]]:
    with tempfile.TemporaryDirectory() as directory:
        for name, text in generated(seed).items():
            path = os.path.join(directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return compare(directory, ["docker-compose.yml", "docker-compose.override.yml"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directories", nargs="*")
    parser.add_argument("--generate", type=int, default=0, help="also compare N random projects")
    parser.add_argument("--limit", type=int, default=1_000_000)
    parser.add_argument("--show-refused", action="store_true")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    for directory in options.directories:
        repository = discover(directory)
        paths = [entry.path for entry in repository.of_kind(FileKind.COMPOSE)]
        for group in compose.file_sets(paths):
            if counts.total() >= options.limit:
                break
            if not group.is_default:
                continue
            base = os.path.join(os.path.abspath(directory), group.files[0].rpartition("/")[0])
            names = [path.rpartition("/")[2] for path in group.files]
            verdict, differences = compare(base, names)
            counts[verdict] += 1
            if verdict == "differ" or (options.show_refused and verdict == "refused"):
                print(f"{verdict}: {os.path.join(base, names[0])}")
                for difference in differences[:10]:
                    print(f"    {difference[:300]}")
    for seed in range(options.generate):
        verdict, differences = compare_generated(seed)
        counts[verdict] += 1
        if verdict != "agree":
            print(f"{verdict}: seed {seed}")
            for difference in differences[:10]:
                print(f"    {difference[:300]}")
    print(dict(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
