"""Built images: a Dockerfile, its context and its arguments, evaluated and surrounded by facts."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from auditor import lazy_re as re
from auditor import versions
from auditor.catalog import knowledge
from auditor.deployment import atstart, environments, managers, system
from auditor.deployment.base import Base, describe
from auditor.deployment.commands import Ran, ran
from auditor.deployment.facts import Facts
from auditor.deployment.image import evaluate
from auditor.deployment.imagefacts import Image
from auditor.deployment.model import BuiltImage, Environment, PythonClaim, Value
from auditor.deployment.scripted import Followed
from auditor.discovery import FileKind
from auditor.linking.sonames import set_up_by
from auditor.parsers.commands import PipInstall, SystemInstall, Venv
from auditor.source import Location
from auditor.values import replace

# Where an interpreter keeps what it installs; copying one of these ships an environment.
_INSTALL_ROOTS = ("/usr/local", "/usr", "/root/.local", "/install", "/opt", "/venv", "/")


def build(
    facts: Facts,
    *,
    dockerfile: str,
    context: str,
    target: str | None = None,
    build_args: Mapping[str, Value] | None = None,
    is_dev: bool = False,
    given: atstart.Words = (),
) -> BuiltImage | None:
    """What building this Dockerfile leaves; None when it (or its target) does not exist.

    ``given``: the command it is started with in place of its own, which may install more.
    """
    parsed = facts.dockerfile(dockerfile)
    if parsed is None:
        return None
    if not parsed.stages:
        # Nothing is built from it, so nothing else would say why.
        facts.note(parsed.problems)
        return None
    files = facts.context(context)
    ignore = facts.dockerignore(context, dockerfile)

    def stage(name: str | None) -> Image | None:
        return evaluate(parsed, files, ignore=ignore, build_args=build_args, target=name)

    image = stage(target)
    if image is None:
        return None
    key = dockerfile if target is None else f"{dockerfile}#{target}"
    reference = image.base.reference
    base = describe(reference) if isinstance(reference, str) else None

    unread: list[str] = []

    def followed(one: Image) -> list[Ran]:
        """The commands of a stage, with what scripts of the project install."""
        following = Followed(one, context, facts)
        found = list(following.commands(ran(one)))
        unread.extend(following.unread)
        return found

    commands: list[tuple[Ran, Image, bool]] = [
        (command, image, True) for command in followed(image)
    ]
    own = set(image.lineage)
    copied: dict[int, list[str]] = {}
    queue = [image]
    stages: dict[int, Image] = {}
    while queue:
        current = queue.pop()
        for step in current.copies:
            if step.origin != "stage" or step.from_stage is None or step.from_stage in own:
                continue
            # What is copied under a computed name may be the environment.
            sources = [s if isinstance(s, str) else "/" for s in step.sources]
            copied.setdefault(step.from_stage, []).extend(sources)
            if step.from_stage not in stages:
                other = stage(str(step.from_stage))
                if other is not None:
                    stages[step.from_stage] = other
                    queue.append(other)
    earlier: list[tuple[Ran, Image, bool]] = []
    foreign_python: tuple[str, Location] | None = None
    for number, other in sorted(stages.items()):
        theirs = [c for c in followed(other) if c.step.stage not in own]
        shipped = _ships_environment(copied.get(number, []), theirs)
        if shipped and base is not None:
            foreign_python = foreign_python or _other_python(image, base, other)
        earlier += [(command, other, shipped) for command in theirs]
    begun = [(command, image, True) for command in atstart.installs(image, context, facts, given)]
    ordered = earlier + commands

    def with_python(python: PythonClaim | None) -> Environment:
        return environments.of_image(
            key=key,
            image=image,
            context=context,
            base=_environment_base(base, earlier),
            commands=ordered + begun,
            stages=stages,
            facts=facts,
            python=python,
            unread=unread,
        )

    environment = with_python(_python(image, base, ordered))
    if _fetched(environment, ordered, own, facts):
        environment = with_python(None)
    if environment.python is None:
        told = environments.told_by_conda(environment)
        if told is not None:
            environment = with_python(told)
    packages = tuple(system.packages(ordered, image))
    sources = [source for paths in copied.values() for source in paths]
    scripts_shipped = _ships_scripts(environment, sources, own)
    programs: set[str] = set()
    if environment.installed is not None and scripts_shipped:
        programs |= environment.installed.scripts()
    programs |= {p.name for p in packages if p.shipped and not p.removed}
    for package in packages:
        if package.shipped:
            programs |= {*_PACKAGE_PROGRAMS.get(package.name, ()), *set_up_by(package.name)}
    return BuiltImage(
        key=key,
        dockerfile=parsed,
        image=image,
        context=context,
        base=base,
        system_packages=packages,
        opaque_system=tuple(system.opaque(ordered, image)),
        environment=environment,
        is_dev=is_dev,
        programs=frozenset(programs),
        foreign_python=foreign_python,
        made_by_hand=tuple(
            (problem.source, why)
            for problem in image.copy_problems
            # What is not there may have been meant as a directory.
            for whole in (posixpath.normpath(posixpath.join(context, problem.source.strip("/"))),)
            if (
                why := facts.by_hand(whole)
                or facts.by_hand(f"{whole}/")
                or facts.taken_elsewhere(dockerfile, context)
            )
        ),
        scripts_shipped=scripts_shipped,
        opaque_programs=any(step.origin in ("image", "unknown") for step in image.copies)
        or (scripts_shipped and any(_brings_programs(source) for source in sources)),
        build_args=tuple((build_args or {}).items()),
    )


def _other_python(image: Image, base: Base, other: Image) -> tuple[str, Location] | None:
    """The Python of a stage that packages are copied from, where the image's own is another."""
    reference = other.base.reference
    theirs = describe(reference) if isinstance(reference, str) else None
    if theirs is None or not theirs.official_python or not base.official_python:
        return None
    versions = [_minor(item.reference.tag) for item in (theirs, base)]
    if None in versions or versions[0] == versions[1]:
        return None
    at = next((s.at for s in image.copies if s.from_stage == other.stage), other.base.at)
    return str(versions[0]), at


def _minor(tag: str | None) -> str | None:
    found = re.match(r"(3\.\d+)(?![\d])", tag or "")
    return found.group(1) if found else None


# Programs of Debian and Alpine packages whose name is not the program's.
_PACKAGE_PROGRAMS = {
    "build-essential": ("gcc", "g++", "make", "dpkg-dev"),
    "build-base": ("gcc", "g++", "make"),
    "netcat-openbsd": ("nc", "netcat"),
    "netcat-traditional": ("nc", "netcat"),
    "netcat": ("nc",),
    "procps": ("ps", "pgrep", "pkill", "free", "top"),
    "iputils-ping": ("ping",),
    "dnsutils": ("dig", "nslookup"),
    "postgresql-client": ("psql", "pg_isready", "pg_dump"),
    "default-mysql-client": ("mysql", "mysqladmin"),
    "redis-tools": ("redis-cli",),
    "python3": ("python3",),
    "python3-pip": ("pip3", "pip"),
    "python-is-python3": ("python",),
    "nodejs": ("node",),
    "openssh-client": ("ssh", "scp"),
    "poppler-utils": ("pdftoppm", "pdftotext", "pdfinfo"),
    "tesseract-ocr": ("tesseract",),
    "imagemagick": ("convert", "magick", "identify"),
    "p7zip-full": ("7z",),
    "gnupg": ("gpg",),
}


# The directory that holds an interpreter's site-packages, or the one above it.
_INTERPRETER_LIBRARY = re.compile(r"/lib(?:64)?(?:/python3[0-9.*]*)?$")


def _ships_environment(sources: list[str], commands: list[Ran]) -> bool:
    """Whether one of the copied paths holds what the stage's interpreter installed."""
    roots = set(_INSTALL_ROOTS)
    for command in commands:
        fact = command.what.fact
        if isinstance(fact, Venv) and isinstance(fact.path, str):
            cwd = command.what.cwd if isinstance(command.what.cwd, str) else "/"
            roots.add(posixpath.normpath(posixpath.join(cwd, fact.path)))
        if isinstance(fact, PipInstall):
            for value in (fact.target, fact.prefix):
                if isinstance(value, str):
                    roots.add(posixpath.normpath(posixpath.join("/", value)))
            if fact.action == "wheel":
                return True
            if fact.tool in ("uv", "poetry", "pdm", "pipenv"):
                # They install into the project's own environment.
                cwd = command.what.cwd if isinstance(command.what.cwd, str) else "/"
                roots.add(posixpath.normpath(posixpath.join(cwd, ".venv")))
    for source in sources:
        path = posixpath.normpath(posixpath.join("/", source))
        if path == "/" or _INTERPRETER_LIBRARY.search(path):
            return True
        if "site-packages" in path or "dist-packages" in path or "/.venv" in path or path in roots:
            return True
        if path.rpartition("/")[2] in ("venv", ".venv", "env", "wheels", "site-packages"):
            return True
        if any(root != "/" and root.startswith(f"{path}/") for root in roots):
            return True
    return False


def _brings_programs(source: str) -> bool:
    """Whether a path copied from another stage may hold a directory of programs."""
    path = posixpath.normpath(posixpath.join("/", source))
    name = posixpath.basename(path)
    return (
        path in ("/", "/usr", "/usr/local", "/root/.local", "/install", "/opt")
        or path.startswith("/opt/")
        or name in ("bin", "sbin", ".local", ".venv", "venv", "env")
        or "/bin/" in path
    )


def _ships_scripts(environment: Environment, sources: list[str], own: set[int]) -> bool:
    """Whether console scripts come along: site-packages alone leave them behind."""
    steps = [step for step in environment.steps if step.shipped]
    if not steps or any(step.stage in own for step in steps):
        return True
    return any(_brings_programs(source) for source in sources) or not any(
        "site-packages" in source or "dist-packages" in source for source in sources
    )


def _environment_base(base: Base | None, earlier: list[tuple[Ran, Image, bool]]) -> Base | None:
    """The base whose interpreter's own packages count; distroless ones take it all from a stage."""
    if base is not None and base.flavour == "distroless" and any(s for _, _, s in earlier):
        return None
    return base


def _python(
    image: Image, base: Base | None, commands: list[tuple[Ran, Image, bool]]
) -> PythonClaim | None:
    at = image.base.at
    for command, _, shipped in reversed(commands):
        fact = command.what.fact
        if not shipped or not isinstance(fact, PipInstall):
            continue
        if fact.tool in ("conda", "mamba", "micromamba"):
            for arg in fact.requirements:
                text = arg.text
                if text.startswith("python=") and any(c.isdigit() for c in text):
                    version = text.removeprefix("python").lstrip("=").rstrip(".*")
                    return PythonClaim(version=version, at=arg.at, kind="conda")
    if base is None:
        return None
    if base.python:
        return PythonClaim(
            version=base.python, at=at, kind="base-image", certain=base.python_certain
        )
    table = knowledge("bases.toml")
    row = table.get(base.distro or "", {}).get(base.release or "")
    if row and base.flavour in ("debian", "ubuntu"):
        installs_python = any(
            isinstance(command.what.fact, SystemInstall)
            and any(
                isinstance(p.name, str) and p.name.startswith(("python3", "python-is"))
                for p in command.what.fact.packages
            )
            for command, _, _ in commands
        )
        explicit = next(
            (
                p.name.removeprefix("python")
                for command, _, _ in commands
                if isinstance(command.what.fact, SystemInstall)
                for p in command.what.fact.packages
                if isinstance(p.name, str)
                and p.name.startswith("python3.")
                and p.name.removeprefix("python3.").isdigit()
            ),
            None,
        )
        if explicit or installs_python:
            return PythonClaim(
                version=explicit or str(row["python"]), at=at, kind="distro", certain=bool(explicit)
            )
    return None


def _fetched(
    environment: Environment,
    commands: list[tuple[Ran, Image, bool]],
    own: set[int],
    facts: Facts,
) -> bool:
    """Whether uv fetches another interpreter, as the project admits none of the image's release.

    An environment that is copied from another stage leaves that interpreter behind, unless the
    author says where uv puts it.
    """
    python, project = environment.python, environment.pyproject
    if python is None or python.kind not in ("base-image", "distro"):
        return False
    if project is None or project.requires_python is None:
        return False
    asked = project.requires_python.value
    # `3.10` is any patch release of it.
    if any(
        versions.admits(asked, v) is not False for v in (python.version, f"{python.version}.99")
    ):
        return False
    text = facts.read(project.path)
    if text is None or "python-downloads" in text.text or "python-preference" in text.text:
        return False  # [tool.uv] says something else
    return any(
        shipped
        and managers.fetches_python(command)
        and (command.step.stage in own or "UV_PYTHON_INSTALL_DIR" in command.what.env)
        for command, _, shipped in commands
    )


def with_services(image: BuiltImage, services: tuple[str, ...]) -> BuiltImage:
    """The image, and its environment, knowing who runs it."""
    environment = image.environment
    if environment is not None:
        environment = replace(environment, services=services)
    return replace(image, services=services, environment=environment)


def spelled(facts: Facts, dockerfile: str) -> str:
    """The Dockerfile as BuildKit finds it: `dockerfile` where there is no `Dockerfile`."""
    folder, name = posixpath.split(dockerfile)
    lower = posixpath.join(folder, "dockerfile")
    if name == "Dockerfile" and not facts.repository.exists(dockerfile):
        return lower if facts.repository.exists(lower) else dockerfile
    return dockerfile


# What a build context of a Python service holds.
_SOURCES = (FileKind.PYTHON, FileKind.REQUIREMENTS, FileKind.PYPROJECT, FileKind.NOTEBOOK)


def choose_context(
    facts: Facts, dockerfile: str, hinted: str | None, *, shown: bool = False
) -> str:
    """The build context of a Dockerfile that no orchestrator names.

    A build command in the repository decides; otherwise the nearest directory, from the
    Dockerfile's own upwards, in which most of its COPY sources exist. What documentation
    shows (``shown``) is tried first and decides nothing.
    """
    if hinted is not None and not shown:
        return hinted
    own = posixpath.dirname(dockerfile)
    candidates = [own]
    while candidates[-1]:
        candidates.append(posixpath.dirname(candidates[-1]))
    if own and not any(
        entry.path.startswith(f"{own}/") for entry in facts.repository.of_kind(*_SOURCES)
    ):
        candidates.append(candidates.pop(0))  # a directory of Dockerfiles: `COPY . .` is not of it
    if hinted is not None:
        candidates.insert(0, hinted)
        own = hinted
    if len(candidates) == 1:
        return own
    parsed = facts.dockerfile(dockerfile)
    if parsed is None:
        return own
    best, best_count = own, -1
    for candidate in candidates:
        image = evaluate(
            parsed,
            facts.context(candidate),
            ignore=facts.dockerignore(candidate, dockerfile),
        )
        if image is None:
            return own
        count = len(image.copy_problems)
        if best_count < 0 or count < best_count:
            best, best_count = candidate, count
        if count == 0:
            break
    return best
