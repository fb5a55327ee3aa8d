"""System packages of an image: what its stages install by apt, apk and the like, and take away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.deployment.base import describe
from auditor.deployment.commands import Ran
from auditor.deployment.imagefacts import Image
from auditor.deployment.model import SystemPackage
from auditor.parsers.commands import SystemInstall
from auditor.source import Location
from auditor.values import replace

Commands = Iterable[tuple[Ran, Image, bool]]

# Programs that make further archives known to apt.
_ARCHIVE_TOOLS = frozenset({"add-apt-repository", "apt-add-repository", "extrepo", "apt-key"})
_REMOVALS = frozenset({"remove", "purge", "autoremove"})


def packages(commands: Commands, final: Image) -> Iterator[SystemPackage]:
    """Every package that a stage installs by name, in the order of the commands."""
    found: list[SystemPackage] = []
    foreign: set[int] = set()
    pending: set[tuple[int, str]] = set()
    for command, image, _ in commands:
        stage = command.step.stage
        if _adds_archive(command):
            foreign.add(stage)
        fact = command.what.fact
        if not isinstance(fact, SystemInstall):
            continue
        names = {_bare(p.name) for p in fact.packages if isinstance(p.name, str)}
        if fact.action in _REMOVALS:
            pending |= {(stage, name) for name in names}
            # Without autoremove, what the package brought along stays.
            if fact.action == "autoremove" or any(
                arg.text in ("--auto-remove", "--autoremove") for arg in fact.argv
            ):
                found = [
                    replace(p, removed=True) if (p.stage, p.name) in pending else p for p in found
                ]
            continue
        if fact.action != "install":
            continue
        reference = image.base.reference
        base = describe(reference) if isinstance(reference, str) else None
        found += [
            SystemPackage(
                name=_bare(package.name),
                manager=fact.manager,
                at=package.at,
                version=package.version,
                stage=stage,
                shipped=image is final,
                recommends=fact.recommends,
                base=base,
                foreign=stage in foreign,
                conditional=command.what.command is not None
                and command.what.command.conditional > 0,
            )
            for package in fact.packages
            if isinstance(package.name, str)
        ]
    yield from found


def _bare(name: str) -> str:
    """``libgl1:amd64`` → ``libgl1``."""
    return name.partition(":")[0]


def _adds_archive(command: Ran) -> bool:
    words = [arg.value for arg in command.what.argv if isinstance(arg.value, str)]
    if not words:
        return False
    name = words[0].rpartition("/")[2]
    if name in _ARCHIVE_TOOLS:
        return True
    # Packages from a file may bring the list of an archive (`packages-microsoft-prod.deb`).
    if name in ("dpkg", "apt", "apt-get", "gdebi") and any(w.endswith(".deb") for w in words[1:]):
        return True
    text = command.step.command.text.text
    return "sources.list" in text or "nodesource" in text or "/etc/apt/" in text


def opaque(commands: Commands, final: Image) -> Iterator[str]:
    """Why the shipped stage may hold packages that nobody named."""
    for command, image, _ in commands:
        if image is not final:
            continue
        fact = command.what.fact
        if isinstance(fact, SystemInstall):
            if fact.action == "install" and (
                fact.files or any(not isinstance(p.name, str) for p in fact.packages)
            ):
                yield f"not all packages of {_where(fact.at)} are named there"
            continue
        words = [a.value if isinstance(a.value, str) else "" for a in command.what.argv]
        if not words:
            continue
        name = words[0].rpartition("/")[2]
        script = words[1] if name in ("sh", "bash") and len(words) > 1 else words[0]
        if script.endswith(".sh") or (
            name in ("playwright", "python", "python3")
            and ({"install-deps", "--with-deps"} & set(words))
        ):
            yield f"`{' '.join(words[:3])}` may install packages"
        elif name in ("conda", "mamba", "micromamba") and "install" in words:
            yield f"`{name}` brings libraries of its own"
    for step in final.copies:
        if step.origin == "context" or not isinstance(step.destination, str):
            continue
        if step.destination.startswith(("/usr/lib", "/lib")) or step.destination in ("/", "/usr"):
            yield f"{_where(step.at)} copies libraries into {step.destination}"


def _where(at: Location) -> str:
    return f"{at.path}:{at.line}"
