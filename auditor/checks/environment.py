"""What several ENV checks ask of an environment."""

from __future__ import annotations

from collections.abc import Iterator

from auditor import versions
from auditor.deployment.model import BuiltImage, Environment, EnvRequirement, InstallStep
from auditor.findings import Related
from auditor.source import Location

# Tools that build the environment rather than belong to it.
BUILD_TOOLS = frozenset(
    {"pip", "setuptools", "wheel", "uv", "poetry", "pdm", "pipenv", "build", "virtualenv"}
)


def shipped(environment: Environment) -> Iterator[EnvRequirement]:
    """Requirements with a name of their own, build tools left out."""
    for item in environment.requirements:
        if item.key and item.key not in BUILD_TOOLS:
            yield item


def install_end(item: EnvRequirement) -> tuple[Related, ...]:
    """The line that installs it, where another file asks for it."""
    if item.step_at is None or item.step_at.path == item.fact.at.path:
        return ()
    return (Related(item.step_at, "installed here"),)


def allows(specifier: str, version: str) -> bool | None:
    """Whether a specifier admits a version (`3.11` is any 3.11); None where it cannot be read."""
    text = version if version.count(".") > 1 else f"{version}.99"
    plain = versions.admits(specifier, text), versions.admits(specifier, version)
    if None not in plain:
        return any(plain)
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import Version

    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    return allowed.contains(Version(text), prereleases=True) or allowed.contains(
        Version(version), prereleases=True
    )


def requirements_end(environment: Environment) -> Location:
    """The line that installs the requirements of what is shipped."""
    for step in environment.steps:
        if step.shipped and step.requirements:
            return step.requirements[0].fact.at
    return environment.steps[0].at if environment.steps else environment.at


def compiles(environment: Environment, image: BuiltImage) -> bool | None:
    """Whether every other stage that installs starts from an image with a compiler."""
    stages = image.dockerfile.stages
    for step in environment.steps:
        if at_home(step, image):
            continue
        text = stages[step.stage].base.text
        seen: set[str] = set()
        while (earlier := next((s for s in stages if s.name == text), None)) and text not in seen:
            seen.add(text)
            text = earlier.base.text
        tag = text.partition("@")[0].rpartition("/")[2].partition(":")[2]
        if not text.startswith(("python:", "docker.io/library/python:")):
            return None
        if "slim" in tag or "alpine" in tag:
            return None
    return True


def at_home(step: InstallStep, image: BuiltImage) -> bool:
    """The step runs in the stage that is shipped, or one on the same base."""
    stages = image.dockerfile.stages
    return not 0 <= step.stage < len(stages) or step.stage == len(stages) - 1


def other_indexes(environment: Environment, image: BuiltImage | None) -> bool:
    """Whether anything may name another index: an option, a variable, a configuration file."""
    if image is None or any(v.name.startswith(("PIP_", "UV_")) for v in image.image.env):
        return True
    if any("pip" in str(s) and "conf" in str(s) for c in image.image.copies for s in c.sources):
        return True
    if any("pip config" in run.command.text.text for run in image.image.runs):
        return True
    if any(o.name != "--hash" for file in environment.files for o in file.options):
        return True
    for step in environment.steps:
        if step.fact is None or step.fact.tool != "pip" or step.fact.index_urls:
            return True
        if step.fact.no_index:
            return True
    base = environment.base
    return base is None or not base.official_python


def held_by_conda_lock(environment: Environment) -> frozenset[str]:
    """What the environment's conda locks install on some Linux."""
    return frozenset(
        package.name
        for lock in environment.locks
        if lock.kind == "conda-lock"
        for package in lock.packages
        if package.platform.startswith("linux")
    )
