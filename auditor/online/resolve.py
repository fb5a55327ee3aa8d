"""Do requirements go together: pip's own resolver, which downloads metadata and installs nothing.

Only wheels are considered, so that nothing is built; a conflict that pip reports is believed only
when no release at all satisfies what it says is asked for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment.model import Conflict
from auditor.source import Unknown

if TYPE_CHECKING:
    from auditor.deployment.model import Environment
    from auditor.online.index import Index

TIMEOUT = 120
_PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(41, 4, -1)),
    "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64",
)  # fmt: skip
_ASKS = re.compile(
    r"^\s+(?:The user requested (?P<own>\S.*)|(?P<who>\S+ \S+) depends on (?P<what>\S.*))$"
)


def conflict_of(environment: Environment, index: Index) -> Conflict | None:
    """The conflict that keeps the environment's requirements from being installed, if any."""
    python = environment.python
    lines: list[str] = []
    for item in environment.requirements:
        fact = item.fact
        if not item.key or fact.url or fact.path or fact.vcs or item.origin == "conda":
            continue
        extras = f"[{','.join(fact.extras)}]" if fact.extras else ""
        marker = f" ; {fact.marker}" if fact.marker else ""
        lines.append(f"{fact.name}{extras}{fact.specifier}{marker}")
    if python is None or not python.certain or python.version.count(".") < 1 or len(lines) < 2:
        return None
    if not index.session.indexes:
        return None
    text = _dry_run(lines, [f"{c.name}{c.specifier}" for c in environment.constraints if c.name],
                    python.version, index)  # fmt: skip
    return verified(text, index) if text else None


def _dry_run(lines: list[str], constraints: list[str], python: str, index: Index) -> str:
    """What pip says where it gives up; empty when it does not, or could not be asked."""
    short = ".".join(python.split(".")[:2])
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text("\n".join(lines) + "\n", "utf-8")
        bounds = Path(folder, "constraints.txt")
        bounds.write_text("\n".join(constraints) + "\n", "utf-8")
        command = [
            sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--progress-bar=off",
            "--no-input", "--disable-pip-version-check", "--only-binary=:all:",
            "--python-version", short, "--implementation", "cp",
            *(word for platform in _PLATFORMS for word in ("--platform", platform)),
            "--target", str(Path(folder, "nowhere")), "--report", str(Path(folder, "report.json")),
            "-r", str(wanted), "-c", str(bounds),
        ]  # fmt: skip
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT, cwd=folder, env=environ
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            index.unknown("a resolution", type(error).__name__)
            return ""
    if done.returncode == 0:
        return ""
    if "ResolutionImpossible" in done.stderr or "conflicting dependencies" in done.stderr:
        return f"{done.stdout}\n{done.stderr}"
    last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    index.unknown("a resolution", last[-1].removeprefix("ERROR: ")[:200] if last else "pip failed")
    return ""


def verified(text: str, index: Index) -> Conflict | None:
    """The conflict in pip's words, where the releases of that distribution bear it out."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    asked: dict[str, list[tuple[str, Requirement]]] = {}
    _, _, after = text.partition("The conflict is caused by:")
    for line in after.splitlines():
        found = _ASKS.match(line)
        if found is None:
            continue
        try:
            requirement = Requirement(found["own"] or found["what"])
        except InvalidRequirement:
            continue
        name = canonicalize_name(requirement.name)
        asked.setdefault(name, []).append((found["who"] or "", requirement))
    for asked_name, parts in asked.items():
        if len(parts) < 2:
            continue
        releases = index.releases(asked_name)
        if isinstance(releases, Unknown) or not releases:
            continue
        if any(
            all(r.specifier.contains(version, prereleases=True) for _, r in parts)
            for version in releases
        ):
            continue
        return Conflict(name=asked_name, parts=tuple((who, str(r)) for who, r in parts[:6]))
    return None
