"""What compiling a distribution takes of the stage that pip runs in.

Headers, compilers and tools: ``build`` rows of ``syslibs.json.gz`` name Debian's packages, each
with its alternatives (``libldap-dev|libldap2-dev``). Only stages on a Debian release of the
tables are judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment.base import describe
from auditor.linking import sonames, userland
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.base import Base
    from auditor.deployment.model import BuiltImage, InstallStep

# Whatever is compiled against CPython takes these two.
PLAIN = ("gcc", "libc6-dev")
# Compilers that are not called gcc: what they build is not judged.
_OTHER_COMPILERS = ("clang", "tcc", "icc", "zig")


def workshop(image: BuiltImage, step: InstallStep) -> userland.Userland | None:
    """What the stage of a step has when the step starts.

    None when its base image is not a Debian release of the tables. ``reasons`` says what may have
    come there unread.
    """
    line = _lineage(image, step.stage)
    packages = [
        p for p in image.system_packages
        if p.stage in line and (p.at.path != step.at.path or p.at.line <= step.at.line)
    ]  # fmt: skip
    final = image.image.stage in line
    base = image.base if final else _base(image, line)
    if base is None or base.distro != "debian" or base.release not in sonames.SUITES:
        return None
    if base.flavour not in ("slim", "full", "debian"):
        return None
    if any(p.name.startswith(_OTHER_COMPILERS) for p in packages):
        return None
    # What is taken away after the build was there for it.
    there = [replace(p, shipped=True, removed=False) for p in packages]
    opaque = list(image.opaque_system) if final else []
    stages = [image.dockerfile.stages[i] for i in line]
    runs = [i for stage in stages for i in stage.instructions if i.keyword == "RUN"]
    if any(i.heredocs or _UNREAD.search(i.line.text) for i in runs):
        opaque.append("a script of its stage may install more")
    if any(p.foreign for p in packages):
        opaque.append("its stage knows other archives")
    return userland.Userland(base, there, opaque=opaque)


# Scripts and installers of other toolchains: what they bring is not known.
_UNREAD = re.compile(r"\.sh\b|\|\s*(?:ba|da|z)?sh\b|rustup|\b(?:conda|mamba|micromamba|brew|nix)\b")


def _base(image: BuiltImage, line: frozenset[int]) -> Base | None:
    """The base image of a stage that is not shipped."""
    text = image.dockerfile.stages[min(line)].base.text
    if "$" not in text:
        return describe(text)
    return next((p.base for p in image.system_packages if p.stage in line), None)


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
    return PLAIN
