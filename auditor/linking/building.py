"""What compiling a distribution takes of the stage that pip runs in.

Headers, compilers and tools: ``build`` rows of ``syslibs.json.gz`` name Debian's packages, each
with its alternatives (``libldap-dev|libldap2-dev``). Only stages on a known Debian release whose
installations are all read are judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from auditor.linking import sonames, userland
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage, InstallStep

# Whatever is compiled against CPython takes these two.
PLAIN = ("gcc", "libc6-dev")
# Compilers that are not called gcc: what they build is not judged.
_OTHER_COMPILERS = ("clang", "tcc", "icc", "zig")


@value
class Workshop:
    """The stage that an install step runs in: its release, what it has when the step starts.

    ``sure`` is False when something may have come there that was not read.
    """

    release: sonames.Release
    has: frozenset[str]
    sure: bool = True

    def lacks(self, packages: Iterable[str]) -> tuple[str, ...]:
        """Which of these it does not have; of alternatives, the one that the release has."""
        found: list[str] = []
        for text in packages:
            names = text.split("|")
            if not any(self._there(name) for name in names):
                found.append(
                    next(
                        (n for n in names if self.release.kind(n) in ("real", "virtual")), names[0]
                    )
                )
        return tuple(found)

    def _there(self, name: str) -> bool:
        return name in self.has or bool(
            self.release.kind(name) == "virtual" and self.release.standing_for(name) in self.has
        )


def workshop(image: BuiltImage, step: InstallStep) -> Workshop | None:
    """Where a step compiles; None when its base image is not a Debian release of the tables."""
    line = _lineage(image, step.stage)
    packages = [
        p for p in image.system_packages
        if p.stage in line and (p.at.path != step.at.path or p.at.line <= step.at.line)
    ]  # fmt: skip
    final = image.image.stage in line
    base = image.base if final else next((p.base for p in packages if p.base is not None), None)
    if base is None or base.distro != "debian" or base.flavour is None:
        return None
    if base.release not in sonames.SUITES or base.flavour in ("miniconda", "distroless"):
        return None
    if any(p.name.startswith(_OTHER_COMPILERS) for p in packages):
        return None
    # What is taken away after the build was there for it.
    there = [replace(p, shipped=True, removed=False) for p in packages]
    land = userland.Userland(base, there, opaque=image.opaque_system if final else ())
    if land.release is None:
        return None
    sure = not land.reasons and not any(p.foreign for p in packages)
    return Workshop(release=land.release, has=land.has, sure=sure and final)


def _lineage(image: BuiltImage, stage: int) -> frozenset[int]:
    """The stage and those that it is built on."""
    stages = image.dockerfile.stages
    found = {stage}
    current = stage
    while 0 <= current < len(stages):
        text = stages[current].base.text
        earlier = next((i for i in range(current) if stages[i].name == text), None)
        if earlier is None:
            break
        found.add(earlier)
        current = earlier
    return frozenset(found)


def takes(distribution: str, version: str | None) -> tuple[str, ...]:
    """The packages that building a release takes, as far as the tables know."""
    for need in sonames.needs(distribution, version):
        if need.when == "build":
            return need.packages
    return ()
