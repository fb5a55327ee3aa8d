"""ENV: is the environment that runs in production the one that was tested."""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor import versions
from auditor.catalog import Rule, knowledge
from auditor.checks.registry import Outcome, check
from auditor.deployment.base import minor
from auditor.deployment.model import (
    BuiltImage,
    Conflict,
    Deployment,
    Entry,
    Environment,
    EnvRequirement,
    InstallStep,
    PythonClaim,
    Service,
)
from auditor.findings import Confidence, Related, Severity, Stage
from auditor.linking import distributions, pins, sonames, wheels
from auditor.parsers import locks
from auditor.parsers.commands import ServerStart
from auditor.parsers.python.facts import Phase
from auditor.parsers.requirements import Requirement, normalise
from auditor.source import Location, Problem

if TYPE_CHECKING:
    from auditor.linking.optional import Wanted
    from auditor.parsers.python.facts import Reach

# Tools that build the environment rather than belong to it.
_BUILD_TOOLS = frozenset(
    {"pip", "setuptools", "wheel", "uv", "poetry", "pdm", "pipenv", "build", "virtualenv"}
)
_DEV_TOOLS = frozenset(
    {"pytest", "pytest-cov", "pytest-asyncio", "black", "flake8", "isort", "mypy", "pylint", "ruff", "pre-commit",
     "tox", "nox", "coverage", "ipdb", "jupyter", "jupyterlab", "notebook", "sphinx", "mkdocs", "hypothesis",
     "autopep8", "yapf", "bandit"}
)  # fmt: skip
_DEV_FILE = re.compile(r"(^|[-_./])(dev|develop|development|test|tests|testing|lint)([-_.]|$)")
# Vendors of accelerators and frameworks that run an index for their own wheels only.
_VENDORS = (
    "pytorch.org", "nvidia.com", "pyg.org", "googleapis.com/jax-releases", "vllm.ai", "intel.com",
    "openmmlab.com",
)  # fmt: skip


def _shipped(environment: Environment) -> Iterator[EnvRequirement]:
    """Requirements with a name of their own, build tools left out."""
    for item in environment.requirements:
        if item.key and item.key not in _BUILD_TOOLS:
            yield item


@check("ENV001")
def unpinned_requirement(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """A requirement of an application that leaves its version open."""
    if environment.is_library:
        return
    settled = {item.key for item in environment.requirements if item.version is not None}
    refused = {(problem.at.path, problem.at.line) for problem in environment.problems}
    for item in _shipped(environment):
        if item.origin != "file" or item.fact.vcs or item.fact.url or item.fact.path:
            continue
        if (item.fact.at.path, item.fact.at.line) in refused:
            # pip does not get as far as choosing a version (ENV019).
            continue
        # Another line of the same installation may pin it (a range beside a pin is a floor).
        if item.key in settled:
            yield rule.passed()
            continue
        name = item.fact.name
        what = f"`{name}{item.fact.specifier}`" if item.fact.specifier else f"`{name}`"
        yield rule.finding(
            item.fact.at,
            f"{what} is not pinned: the next build may install another version than the one tested",
            help=f"Pin it (`{name}==<version>`), or compile this file with `pip-compile` and install the result.",
            evidence={"requirement": name, "specifier": item.fact.specifier},
            related=_install_end(item),
        )


def _install_end(item: EnvRequirement) -> tuple[Related, ...]:
    if item.step_at is None or item.step_at.path == item.fact.at.path:
        return ()
    return (Related(item.step_at, "installed here"),)


@check("ENV002")
def no_lock(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """Direct requirements may be pinned, but nothing fixes what they bring along."""
    direct = list(_shipped(environment))
    if environment.is_library or not direct:
        return
    if environment.locked:
        yield rule.passed()
        return
    settled = {r.key for r in direct if _is_settled(r)}
    ranged = [r for r in direct if r.key not in settled]
    if any(r.origin in ("file", "command", "conda") for r in ranged):
        # ENV001, ENV012 and ENV010 say it, line by line.
        return
    installed = environment.installed
    loose: list[str] = []
    if installed is not None:
        fixed = settled | {c.key for c in environment.constraints}
        fixed |= _held_by_conda_lock(environment)
        loose = [
            n
            for n, d in installed.distributions.items()
            if n not in fixed and d.via and d.via != "the base image"
        ]
        if installed.complete and not installed.unknown and not loose:
            yield rule.passed()
            return
    first = min((r.fact.at for r in direct), default=environment.at)
    shown = ", ".join(sorted(loose)[:4])
    message = (
        f"{len(ranged)} requirement{'s are ranges' if len(ranged) > 1 else ' is a range'} and no lock "
        "fixes them"
        if ranged
        else f"the versions of what these requirements bring along are open ({shown}{', …' if len(loose) > 4 else ''})"
        if shown
        else "the versions of what these requirements bring along are open"
    )
    yield rule.finding(
        first,
        message + ": two builds of the same commit can differ",
        severity=Severity.MEDIUM if ranged else None,
        evidence={"open": sorted(loose)[:20]},
        related=_install_end(direct[0]),
    )


def _is_settled(item: EnvRequirement) -> bool:
    """One release, one commit or (conda's ``=1.2``) one series."""
    return (
        item.version is not None
        or item.fact.vcs is not None
        or item.fact.url is not None
        or item.fact.path is not None
        or (item.origin == "conda" and item.fact.specifier.endswith(".*"))
    )


@check("ENV003")
def lock_without_hashes(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """A lock that fixes versions but not contents."""
    if not environment.locked:
        return
    if environment.hashed:
        yield rule.passed()
        return
    first = min((r.fact.at for r in environment.requirements), default=environment.at)
    yield rule.finding(
        first,
        "the lock has no hashes: a replaced file on the index would be installed unnoticed",
    )


@check("ENV004")
def floating_vcs(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """A VCS or URL requirement that does not name one commit or content."""
    for item in environment.requirements:
        fact = item.fact
        if item.origin == "lock":
            continue
        if fact.vcs is not None:
            if fact.vcs.is_commit:
                yield rule.passed()
                continue
            where = f"the tag or branch `{fact.vcs.rev}`" if fact.vcs.rev else "the default branch"
            yield rule.finding(
                fact.at,
                f"`{fact.name or fact.vcs.url}` is installed from {where}, which can move",
                help="Name the full commit: `git+https://…@<40-digit commit>`.",
                related=_install_end(item),
            )
        elif fact.url is not None and "://" in fact.url and not fact.url.startswith("file:"):
            if fact.hashes or "#sha256=" in fact.url:
                yield rule.passed()
                continue
            yield rule.finding(
                fact.at,
                f"`{fact.name or fact.url}` is installed from a URL without a hash",
                help="Add `--hash=sha256:…` (or `#sha256=…` to the URL).",
                severity=Severity.LOW,
                related=_install_end(item),
            )


# Variables by which pip takes options.
_PIP_SETTINGS = {
    "PIP_INDEX_URL": "--index-url",
    "PIP_EXTRA_INDEX_URL": "--extra-index-url",
    "PIP_FIND_LINKS": "--find-links",
    "PIP_TRUSTED_HOST": "--trusted-host",
}


def _by_variable(
    environment: Environment, deployment: Deployment
) -> Iterator[tuple[str, str, Location]]:
    """Options that ENV gives to every pip of the image."""
    if not any(step.fact is not None and step.fact.tool == "pip" for step in environment.steps):
        return
    for image in deployment.images:
        for variable in image.image.env if image.environment is environment else ():
            option = _PIP_SETTINGS.get(variable.name)
            if option is not None and isinstance(variable.value, str) and variable.at is not None:
                for word in variable.value.split():
                    yield option, word, variable.at


@check("ENV005")
def insecure_index(
    environment: Environment, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """Indexes over plain HTTP, trusted hosts, and additional indexes that can be squatted."""
    options = list(_by_variable(environment, deployment))
    for file in environment.files:
        options += [(o.name, o.value or "", o.at) for o in file.options]
    for step in environment.steps:
        if step.fact is None:
            continue
        for option in step.fact.index_urls:
            name = option.name if option.name.startswith("--") else f"--{option.name}"
            options.append((name, option.value if isinstance(option.value, str) else "", option.at))
        options += [("--trusted-host", arg.text, arg.at) for arg in step.fact.trusted_hosts]
    for name, value, at in options:
        plain = value.startswith("http://") and not value.startswith(
            ("http://localhost", "http://127.0.0.1")
        )
        if name in ("--index-url", "-i", "--extra-index-url", "--find-links", "-f") and plain:
            yield rule.finding(
                at,
                f"`{name} {_shown(value)}` is plain HTTP: anyone on the way can replace a package",
                help="Use https.",
                severity=Severity.HIGH,
            )
        elif name == "--trusted-host":
            yield rule.finding(
                at,
                f"`--trusted-host {_shown(value)}` switches certificate checks off for that host",
                help="Give pip the certificate instead (`--cert`, or `PIP_CERT`).",
            )
        elif name == "--extra-index-url":
            vendor = any(host in value for host in _VENDORS)
            if vendor:
                yield rule.passed()
                continue
            yield rule.finding(
                at,
                f"`--extra-index-url {_shown(value)}` is searched beside the main index: the higher "
                "version wins, whoever uploaded it (dependency confusion)",
                help="Serve everything from one index (`--index-url`), or pin with hashes.",
                confidence=Confidence.POSSIBLE if environment.hashed else None,
                severity=Severity.LOW if environment.hashed else None,
            )


def _shown(url: str) -> str:
    """A URL without the credentials it may carry."""
    return re.sub(r"//[^/@]*@", "//***@", url)


@check("ENV006")
def python_drift(environment: Environment, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """The interpreter is not declared, or files disagree on it."""
    python = environment.python
    if python is None:
        if environment.kind == "image" or environment.is_library:
            return
        if not any(c.version or c.specifier for c in deployment.python_claims):
            yield rule.finding(
                environment.at,
                "nothing says which Python this environment is for",
                help="Declare it: `requires-python` in pyproject.toml, `.python-version`, or an image tag.",
                severity=Severity.LOW,
            )
        return
    if not python.version or (environment.base is None and environment.kind == "image"):
        return
    here = minor(python.version)
    judged = False
    yield from _untested(environment, python, rule, deployment)
    for claim in deployment.python_claims:
        if claim.kind == "ci" or not _concerns(claim.at.path, environment):
            continue
        if claim.kind == "requires-python":
            allowed = _allows(claim.specifier, python.version)
            if allowed is None:
                continue
            judged = True
            if not allowed:
                installs = environment.pyproject is not None and any(
                    environment.pyproject.path == claim.at.path for _ in (0,)
                )
                yield rule.finding(
                    python.at,
                    f"the image runs Python {python.version}, but {claim.at.path} requires "
                    f"`{claim.specifier}`" + (": installing the project fails" if installs else ""),
                    related=[Related(claim.at, "required here")],
                    severity=Severity.HIGH if installs else None,
                    breaks=environment.breaks(Stage.BUILDS) if installs else (),
                    evidence={"image": python.version, "requires": claim.specifier},
                )
        elif claim.version and claim.at != python.at:
            judged = True
            if minor(claim.version) != here and python.certain:
                yield rule.finding(
                    python.at,
                    f"the image runs Python {python.version}, but {claim.at.path} says {claim.version}: "
                    "what was developed and tested is not what runs",
                    related=[Related(claim.at, "declared here")],
                    evidence={"image": python.version, "declared": claim.version},
                )
    if judged:
        yield rule.passed()


def _untested(
    environment: Environment, python: PythonClaim, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """CI tests on other interpreters than any image has."""
    tested = [claim for claim in deployment.python_claims if claim.kind == "ci"]
    minors = {minor(claim.version) for claim in tested}
    images = {
        minor(other.python.version)
        for other in deployment.environments
        if other.kind == "image" and other.python is not None and other.python.version
    }
    # "3", a range or an expression may stand for the image's own.
    if environment.kind != "image" or not tested or not all("." in c.version for c in tested):
        return
    if minors & images:
        yield rule.passed()
        return
    if not python.certain:
        return
    named = [".".join(map(str, number)) for number in sorted(minors)]
    yield rule.finding(
        python.at,
        f"the image runs Python {python.version}, and CI tests on {', '.join(named)}: what was tested is "
        "not what runs",
        help=f"Test on Python {'.'.join(map(str, minor(python.version)))} too.",
        related=[Related(claim.at, "tested here") for claim in tested[:3]],
        severity=Severity.LOW,
        confidence=Confidence.LIKELY,
        evidence={"image": python.version, "tested": named},
    )


def _concerns(path: str, environment: Environment) -> bool:
    """Whether a declaration's directory is that of the image's files (monorepos keep theirs)."""
    directory = posixpath.dirname(path)
    if not directory:
        return True
    anchors = [environment.at.path, *(f for step in environment.steps for f in step.files)]
    return any(a == directory or a.startswith(f"{directory}/") for a in anchors)


def _allows(specifier: str, version: str) -> bool | None:
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


def _copied(service: Service, top: str) -> bool:
    """A COPY names the module, and its source is not in the context: the build says so itself."""
    problems = service.image.copy_problems if service.image is not None else ()
    return any(
        p.source.rstrip("/").rpartition("/")[2] in (top, f"{top}.py")
        for p in problems
        if p.kind == "missing"
    )


@check("ENV007")
def missing_module(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Code imports a module that nothing in the image brings."""
    environment = service.environment
    if environment is None or environment.installed is None:
        return
    installed = environment.installed
    python = environment.python
    seen: set[str] = set()
    for entry in service.runs:
        for item in entry.trace.imports:
            top = item.module.partition(".")[0]
            # "missing" inside a project package is not a distribution's fault.
            if item.found != "external" or not top or item.fact.level:
                continue
            if item.reach.phase is Phase.UNREACHED or item.fact.at.path.endswith(".ipynb"):
                continue
            guarded = bool(set(item.reach.guards) | set(item.fact.guards))
            version = minor(python.version) if python and "." in python.version else None
            if distributions.is_stdlib(top):
                removed = distributions.left_stdlib(top, version) if version else None
                if removed is None or guarded:
                    continue
                if top == "distutils" and installed.has("setuptools"):
                    continue
                if item.module not in seen:
                    seen.add(item.module)
                    yield rule.finding(
                        item.fact.at,
                        f"`{top}` left the standard library in Python {removed[0]}.{removed[1]}, and the "
                        f"image runs {python.version if python else '?'}: "
                        f"`ModuleNotFoundError: No module named '{top}'`",
                        related=[Related(python.at, "the interpreter is chosen here")]
                        if python
                        else (),
                        breaks=_stages(service, item.fact.at, item.reach),
                    )
                continue
            if item.module in seen:
                continue
            provision = installed.provides(item.module)
            if provision.answer == "yes":
                yield rule.passed()
                continue
            if guarded and not item.reach.certain:
                continue
            if guarded:
                continue
            seen.add(item.module)
            if any(s != item.module and item.module.startswith(f"{s}.") for s in seen):
                continue
            if provision.answer in ("unknown", "possibly-no"):
                yield rule.undecided(
                    f"whether `{top}` is installed is not known ({provision.reason or environment.name})",
                    at=item.fact.at,
                    blocks=_stages(service, item.fact.at, item.reach),
                )
                continue
            if not provision.candidates and _copied(service, top):
                continue  # an image that builds has it
            own = next((p for p in _own_package(top, deployment)), None)
            if own is not None and not provision.candidates:
                yield rule.finding(
                    item.fact.at,
                    f"`{item.module}` is in the repository ({own}), but not where the image's Python "
                    f"finds it: `ModuleNotFoundError: No module named '{top}'`",
                    help=f"Copy `{own}` into the image, beside the code that imports it.",
                    related=[Related(environment.at, "the image is built here")],
                    confidence=Confidence.LIKELY,
                    evidence={"module": item.module, "path": own},
                    breaks=_stages(service, item.fact.at, item.reach),
                )
                continue
            wanted = provision.candidates[0] if provision.candidates else top
            confidence = Confidence.CERTAIN if provision.answer == "no" else Confidence.LIKELY
            if not provision.candidates and provision.answer != "no":
                # A name nobody knows: it may come by a way that was not understood.
                confidence = Confidence.LIKELY
            yield rule.finding(
                item.fact.at,
                f"`{item.module}` is imported, but nothing that the image installs brings it: "
                f"`ModuleNotFoundError: No module named '{top}'`",
                help=f"Add `{wanted}` to the requirements that the image installs.",
                related=[Related(_requirements_end(environment), "the image installs this")],
                confidence=confidence,
                evidence={"module": item.module, "distributions": list(provision.candidates[:4])},
                breaks=_stages(service, item.fact.at, item.reach),
            )
        yield from _features(service, rule, entry, environment, seen)
        yield from _without_dependencies(service, rule, entry, environment, seen)
        for app in entry.trace.apps:
            for route in app.routes:
                if not route.needs_multipart or "multipart" in seen:
                    continue
                seen.add("multipart")
                provision = installed.provides("python_multipart")
                if installed.has("python-multipart") or provision.answer == "yes":
                    yield rule.passed()
                elif provision.answer in ("unknown", "possibly-no"):
                    yield rule.undecided(
                        "whether python-multipart is installed is not known",
                        at=route.at,
                        blocks=service.loading(route.at),
                    )
                else:
                    yield rule.finding(
                        route.at,
                        f"`{route.label}` takes form data or files, which needs python-multipart: "
                        '`RuntimeError: Form data requires "python-multipart" to be installed.`',
                        help="Add `python-multipart` to the requirements that the image installs.",
                        related=[
                            Related(_requirements_end(environment), "the image installs this")
                        ],
                        breaks=service.loading(route.at),
                    )


def _features(
    service: Service, rule: Rule, entry: Entry, environment: Environment, seen: set[str]
) -> Iterator[Outcome]:
    """Features of a library that need a distribution which it does not require."""
    from auditor.linking import optional

    installed = environment.installed
    for item in optional.wanted(service, entry):
        if installed is None or item.phase is Phase.UNREACHED or item.distribution in seen:
            continue
        if item.survived:
            continue
        seen.add(item.distribution)
        answers = {installed.provides(module).answer for module in item.any_of}
        if installed.has(item.distribution) or "yes" in answers:
            yield rule.passed()
            continue
        stages = _stages(service, item.at, item)
        if item.phase is Phase.REQUEST and "predict" not in item.route.lower():
            stages = ()
        settled = item.by_extra and installed.complete and not installed.unknown
        if answers & {"unknown", "possibly-no"} and not settled:
            yield rule.undecided(
                f"whether {item.distribution} is installed is not known", at=item.at, blocks=stages
            )
            continue
        yield rule.finding(
            item.at,
            f"{item.feature} needs {item.distribution}, which nothing that the image installs brings: "
            f"`{item.error}`",
            help=f"Add `{item.distribution}` to the requirements that the image installs.",
            related=[Related(_requirements_end(environment), "the image installs this")],
            confidence=Confidence.LIKELY,
            evidence={"distributions": [item.distribution]},
            breaks=stages,
        )


def _own_package(top: str, deployment: Deployment) -> Iterator[str]:
    """Paths of the repository that are a module or package of that name."""
    for path in sorted(deployment.python_files):
        parts = path.split("/")
        if parts[-1] == f"{top}.py":
            yield path
        elif top in parts[:-1]:
            yield "/".join(parts[: parts.index(top) + 1])


def _stages(service: Service, at: Location, reach: Reach | Wanted) -> tuple[tuple[str, Stage], ...]:
    """What an import that fails there breaks; ``reach`` tells when, and whether for certain."""
    if not reach.certain:
        return ()
    return service.loading(at) if reach.phase.before_serving else service.breaks(Stage.PREDICTS)


def _requirements_end(environment: Environment) -> Location:
    for step in environment.steps:
        if step.shipped and step.requirements:
            return step.requirements[0].fact.at
    return environment.steps[0].at if environment.steps else environment.at


def _compiles(environment: Environment, image: BuiltImage) -> bool | None:
    """Whether every other stage that installs starts from an image with a compiler."""
    stages = image.dockerfile.stages
    for step in environment.steps:
        if _at_home(step, image):
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


def _at_home(step: InstallStep, image: BuiltImage) -> bool:
    """The step runs in the stage that is shipped, or one on the same base."""
    stages = image.dockerfile.stages
    return not 0 <= step.stage < len(stages) or step.stage == len(stages) - 1


def _other_indexes(environment: Environment, image: BuiltImage | None) -> bool:
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


def _without_dependencies(
    service: Service, rule: Rule, entry: Entry, environment: Environment, seen: set[str]
) -> Iterator[Outcome]:
    """What ``--no-deps`` leaves out of an imported distribution's requirements."""
    installed, python = environment.installed, environment.python
    steps = [s for s in environment.steps if s.shipped and s.fact is not None]
    if installed is None or not installed.closed or not installed.complete or python is None:
        return
    if not steps or not all(s.fact is not None and s.fact.no_deps for s in steps):
        return
    if environment.files and all(file.compiled_by for file in environment.files):
        return  # a resolver listed everything; the tables know the newest release's needs alone
    for item in entry.trace.imports:
        top = item.module.partition(".")[0]
        guarded = set(item.reach.guards) | set(item.fact.guards)
        if item.found != "external" or guarded or not item.reach.certain or item.fact.level:
            continue
        for name in distributions.distributions_of(top):
            if not installed.has(name) or f"{name} --no-deps" in seen:
                continue
            seen.add(f"{name} --no-deps")
            needs = distributions.requirements_of(name, minor_text(python.version))
            lost = next(
                (n for n, _ in needs if n in _IMPORTED_AT_ONCE and not installed.has(n)), ""
            )
            if lost:
                yield rule.finding(
                    steps[0].at,
                    f"`{name}` imports {lost}, which `--no-deps` leaves out: "
                    f"`ModuleNotFoundError: No module named '{lost.replace('-', '_')}'`",
                    help="Leave `--no-deps` out, or list everything (`pip freeze`).",
                    related=[Related(item.fact.at, "imported here")],
                    confidence=Confidence.LIKELY,
                    breaks=_stages(service, item.fact.at, item.reach),
                )


# What the distributions that require them import as soon as they are imported, in every release.
_IMPORTED_AT_ONCE = frozenset(
    ["anyio", "click", "jinja2", "markupsafe", "numpy", "pydantic", "pydantic-core", "scipy",
     "starlette", "threadpoolctl", "werkzeug"]
)  # fmt: skip


@check("ENV008")
def uninstallable_pin(
    environment: Environment, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """A requirement that pip cannot install on this image."""
    python, base = environment.python, environment.base
    if python is None or not python.certain or "." not in python.version:
        return
    image = next((i for i in deployment.images if i.key == environment.name), None)
    has_compiler: bool | None = None
    if image is not None and base is not None:
        has_compiler = base.has_program("gcc")
        if any(p.name in _COMPILERS for p in image.system_packages) or _brings_gcc(image):
            has_compiler = True
        # What another stage builds and the image only copies is compiled there.
        elsewhere = any(not _at_home(s, image) for s in environment.steps)
        if has_compiler is False and elsewhere:
            has_compiler = _compiles(environment, image)
            if has_compiler is None and _certainly_without(environment, image):
                has_compiler = False
    conflict = deployment.conflicts.get(environment.name)
    for one in (conflict,) if conflict is not None else pins.conflicts(environment):
        yield _unresolvable(environment, rule, one)
    seen: set[str] = set()
    for item in _shipped(environment):
        if item.fact.url or item.fact.path or item.fact.vcs or item.key in seen:
            continue
        if item.origin == "conda":
            continue
        seen.add(item.key)
        if "+" in (item.fact.pinned_version or "") and not _other_indexes(environment, image):
            yield rule.finding(
                item.fact.at,
                f"`{item.fact.name}=={item.fact.pinned_version}`: the package index takes no local "
                f"versions (`+…`), and no other index is named: `ERROR: No matching distribution found "
                f"for {item.fact.name}=={item.fact.pinned_version}`",
                help="Name the index that has it (`--extra-index-url`, `--index-url`, `-f`), or leave the part after the plus out.",
                confidence=Confidence.LIKELY,
                breaks=environment.breaks(Stage.BUILDS),
            )
            continue
        found = wheels.installable(
            item.key,
            item.version,
            specifier=item.fact.specifier,
            python=python.version,
            libc=base.libc if base is not None else "glibc",
            glibc=base.glibc if base is not None else None,
        )
        wanted = f"{item.key}=={item.version}" if item.version else item.key
        related = [Related(python.at, f"Python {python.version} is chosen here")]
        if found.outcome == "unknown":
            continue
        if found.outcome == "no-release" and (item.key, item.version) in deployment.indexed:
            continue  # ENV014 says it, having asked
        if found.outcome == "wheel":
            yield rule.passed()
        elif found.outcome == "no-release":
            yield rule.finding(
                item.fact.at,
                f"the package index has no release {item.version} of {item.fact.name}: "
                f"`ERROR: No matching distribution found for {wanted}`",
                confidence=Confidence.LIKELY,
                breaks=environment.breaks(Stage.BUILDS),
            )
        elif found.outcome == "no-python":
            yield rule.finding(
                item.fact.at,
                f"`{wanted}` is for Python {found.requires_python}, and the image runs {python.version}: "
                f"`ERROR: No matching distribution found for {wanted}`",
                related=related,
                breaks=environment.breaks(Stage.BUILDS),
                evidence={"requires_python": found.requires_python, "wheels": list(found.pythons)},
            )
        elif found.outcome == "no-file" and item.version is None:
            continue  # an older release may have a file
        elif found.outcome == "no-file":
            yield rule.finding(
                item.fact.at,
                f"`{wanted}` has neither a wheel for Python {python.version} nor a source archive: "
                f"`ERROR: No matching distribution found for {wanted}`",
                related=related,
                breaks=environment.breaks(Stage.BUILDS),
                evidence={"wheels": list(found.pythons)},
            )
        elif (error := wheels.unbuildable(item.key, item.version)) is not None:
            yield rule.finding(
                item.fact.at,
                f"`{wanted}` has no wheel for Python {'.'.join(python.version.split('.')[:2])}, and its "
                f"source archive cannot be built any more: `{error}`",
                related=related,
                confidence=Confidence.LIKELY,
                breaks=environment.breaks(Stage.BUILDS),
            )
        elif not found.native or item.key in wheels.OPTIONAL_EXTENSIONS:
            yield rule.passed()
        elif has_compiler:
            lacks, sure = _lacking_headers(environment, image, item) if image else ((), True)
            if not lacks:
                yield rule.passed()
                continue
            yield rule.finding(
                item.fact.at,
                f"`{wanted}` must be compiled, and the stage that does it has no "
                f"{', '.join(f'`{name}`' for name in lacks)}: the installation fails",
                help=f"Install it before, in the same stage: `RUN {sonames.apt_line(lacks)}`.",
                related=related,
                confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
                breaks=environment.breaks(Stage.BUILDS),
                evidence={"packages": list(lacks)},
            )
        else:
            why = (
                f"its wheels need glibc {found.needs_glibc}, and the image has {base.glibc if base else '?'}"
                if found.needs_glibc
                else f"it has no wheel for Python {'.'.join(python.version.split('.')[:2])}"
                + (" on musl" if base is not None and base.libc == "musl" else "")
            )
            yield rule.finding(
                item.fact.at,
                f"`{wanted}` must be compiled ({why}), and the image has no compiler: the installation fails",
                help=_without_wheel(environment, image, item),
                related=related,
                confidence=Confidence.LIKELY if has_compiler is False else Confidence.POSSIBLE,
                breaks=environment.breaks(Stage.BUILDS),
                evidence={"wheels": list(found.pythons)},
            )


def _lacking_headers(
    environment: Environment, image: BuiltImage, item: EnvRequirement
) -> tuple[tuple[str, ...], bool]:
    """(packages that compiling it takes and no stage that does has, sure)."""
    from auditor.linking import building

    found: list[tuple[tuple[str, ...], bool]] = []
    for step in environment.steps:
        if not any(r.key == item.key for r in step.requirements):
            continue
        place = building.workshop(image, step)
        if place is None:
            return (), True
        lacks = place.lacking(sonames.build_packages(item.key, item.version))
        found.append((lacks, not place.reasons))
    return min(found, key=lambda f: len(f[0]), default=((), True))


def _unresolvable(environment: Environment, rule: Rule, conflict: Conflict) -> Outcome:
    """No release of a distribution is what all of its askers accept."""
    asking = {normalise(who.partition(" ")[0]) for who, _ in conflict.parts} | {conflict.name}
    items = [r for r in environment.requirements if r.key in asking]
    said = "; ".join(
        f"{who} needs {what}" if who else f"`{what}` is required" for who, what in conflict.parts
    )
    at = items[0].fact.at if items else environment.at
    return rule.finding(
        at,
        f"these requirements cannot be installed together: {said}: `ResolutionImpossible`",
        help=f"Change the pins so that one release of {conflict.name} satisfies all of them.",
        related=[Related(i.fact.at, "and this one") for i in items[1:4]],
        confidence=Confidence.LIKELY,
        evidence={"distribution": conflict.name},
        breaks=environment.breaks(Stage.BUILDS),
    )


@check("ENV014")
def unpublished_version(
    environment: Environment, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """A pinned release that the index does not have, or that its author withdrew."""
    for item in _shipped(environment):
        published = deployment.indexed.get((item.key, item.version or ""))
        if published is None:
            continue
        if published.state == "there":
            yield rule.passed()
        elif published.state == "unknown":
            yield rule.undecided(published.reason, at=item.fact.at)
        elif published.state == "absent":
            yield rule.finding(
                item.fact.at,
                f"the package index has no release {item.version} of {item.fact.name}: "
                f"`ERROR: No matching distribution found for {item.key}=={item.version}`",
                help=f"The newest is {published.newest}." if published.newest else "",
                breaks=environment.breaks(Stage.BUILDS),
            )
        else:
            why = f": {published.reason}" if published.reason else ""
            yield rule.finding(
                item.fact.at,
                f"{item.fact.name} {item.version} was withdrawn by its author{why}; pip installs it "
                "all the same because it is pinned",
                severity=Severity.MEDIUM,
                help=f"Take another release (the newest is {published.newest}).",
            )


_COMPILERS = frozenset({"gcc", "g++", "build-essential", "build-base", "clang"})


def _certainly_without(environment: Environment, image: BuiltImage) -> bool:
    """Whether no stage that installs has a compiler, and all that they run is read."""
    from auditor.linking import building

    places = [building.workshop(image, step) for step in environment.steps if step.shipped]
    return bool(places) and all(
        place is not None and not place.reasons and bool(place.lacking(("gcc",)))
        for place in places
    )


def _brings_gcc(image: BuiltImage) -> bool:
    """Whether something that a stage installs brings a compiler along (`dpkg-dev`, `cargo`)."""
    if not image.system_packages:
        return False
    from auditor.linking import userland

    return "gcc" in userland.of_image(image).brought(image.system_packages)


def _without_wheel(environment: Environment, image: BuiltImage | None, item: EnvRequirement) -> str:
    name = item.key
    binary = {
        "psycopg2": "psycopg2-binary",
        "dlib": "dlib-bin",
        "opencv": "opencv-python-headless",
    }.get(name)
    if binary:
        return f"Use `{binary}`, which has wheels, or build in a stage with a compiler and the headers."
    lacks, _ = _lacking_headers(environment, image, item) if image is not None else ((), True)
    if lacks and set(lacks) - {"gcc", "libc6-dev"}:
        line = sonames.apt_line(lacks)
        return f"Building it takes `RUN {line}` before, in the same stage."
    return (
        "Choose a release with a wheel for this Python, or build in a stage with `build-essential`."
    )


@check("ENV009")
def stale_lock(environment: Environment, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A lock that no longer meets what its source asks for."""
    pairs: list[tuple[locks.Lock, Iterable[Requirement]]] = [
        (c.lock, (r for r in c.asked if r.key not in _NOT_COMPILED)) for c in environment.compiled
    ]
    project = environment.pyproject
    pairs += [
        (lock, project.dependencies)
        for lock in environment.locks
        if project is not None
        and lock.kind in ("uv", "poetry", "pdm", "pylock")
        and posixpath.dirname(project.path) == posixpath.dirname(lock.path)
    ]
    for lock, asked in pairs:
        wrong = locks.disagreements(lock, asked)
        if not wrong:
            yield rule.passed()
        for item in wrong:
            yield rule.finding(
                item.requirement.at,
                f"{lock.path} is out of step: {item.message}",
                help=f"{_relock(lock, item.requirement)} and commit the result.",
                related=[
                    Related(item.locked.at if item.locked else Location(lock.path), "locked here")
                ],
            )


# pip-compile leaves them out unless told otherwise.
_NOT_COMPILED = frozenset({"pip", "setuptools", "distribute"})


def _relock(lock: locks.Lock, requirement: Requirement) -> str:
    """How the lock is brought in step."""
    if lock.kind == "pip-compile":
        return f"Compile again (`{lock.generator} {requirement.at.path}`)"
    tools = {"uv": "`uv lock`", "poetry": "`poetry lock`", "pdm": "`pdm lock`"}
    return f"Lock again ({tools.get(lock.kind, 'the lock command of the tool')})"


def _held_by_conda_lock(environment: Environment) -> frozenset[str]:
    """What the environment's conda locks install on some Linux."""
    return frozenset(
        package.name
        for lock in environment.locks
        if lock.kind == "conda-lock"
        for package in lock.packages
        if package.platform.startswith("linux")
    )


@check("ENV010")
def unpinned_conda(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """Conda dependencies without a version, or a pip section without pins."""
    held = _held_by_conda_lock(environment)
    for conda in environment.conda:
        if conda.explicit:
            yield rule.passed()
            continue
        for spec in conda.dependencies:
            if spec.name == "pip":
                continue
            pinned = spec.exact or spec.fuzzy or spec.version.startswith("=")
            if pinned or normalise(spec.name) in held:
                yield rule.passed()
                continue
            yield rule.finding(
                spec.at,
                f"`{spec.name}{spec.version}` leaves its version open: the solver may choose another one "
                "at the next build",
                help=f"Pin it (`{spec.name}=<version>`), or lock with conda-lock.",
            )
        for requirement in conda.pip:
            named = requirement.vcs or requirement.url or requirement.path
            if requirement.is_pinned or named or requirement.key in held:
                yield rule.passed()
                continue
            yield rule.finding(
                requirement.at,
                f"`{requirement.name}{requirement.specifier}` in the pip section is not pinned",
                help=f"Pin it (`{requirement.name}==<version>`).",
            )


@check("ENV011")
def contradicting_pins(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """Two requirements on one distribution that no version meets, or that overrule each other."""
    yield from _constrained(environment, rule)
    by_name: dict[str, list[EnvRequirement]] = {}
    for item in environment.requirements:
        if item.key and item.origin != "lock":
            by_name.setdefault(item.key, []).append(item)
    for name, items in by_name.items():
        pins = [i for i in items if i.fact.pinned_version]
        if not pins:
            continue
        if len(items) == 1:
            yield rule.passed()
            continue
        for item in items:
            for pin in pins:
                if item is pin or not item.fact.specifier or item.fact.marker != pin.fact.marker:
                    continue
                if environment.kind == "project" and item.fact.at.path != pin.fact.at.path:
                    # Nothing says that both are installed: they may be for different places.
                    continue
                version = pin.fact.pinned_version
                if version is None or item.fact.allows(version) is not False:
                    continue
                if pin.fact.at < item.fact.at and item.fact.pinned_version:
                    continue
                together = item.step_at == pin.step_at
                yield rule.finding(
                    pin.fact.at,
                    f"`{name}` is pinned to {version} here and asked for as `{item.fact.specifier}` in "
                    f"{item.fact.at.path}:{item.fact.at.line}: "
                    + (
                        "pip refuses both together (`ResolutionImpossible`)"
                        if together
                        else "whichever is installed last wins"
                    ),
                    related=[Related(item.fact.at, "the other one")],
                    breaks=environment.breaks(Stage.BUILDS) if together else (),
                    severity=None if together else Severity.MEDIUM,
                )


def _constrained(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """What an install command asks for, and what its constraints file lets it have."""
    python = environment.python.version if environment.python else None
    markers = locks.marker_environment(python) if python else None
    for step in environment.steps:
        held = {c.key: c for c in step.constraints if markers is None or c.applies(markers)}
        for item in step.requirements if step.shipped else ():
            limit = held.get(item.key)
            if limit is None or item.fact.url or item.fact.vcs:
                continue
            mine, theirs = item.fact.pinned_version, limit.pinned_version
            refused = (mine is not None and limit.allows(mine) is False) or (
                theirs is not None and item.fact.allows(theirs) is False
            )
            if not refused:
                yield rule.passed()
                continue
            yield rule.finding(
                item.fact.at,
                f"`{item.key}{item.fact.specifier}` is asked for here, and the constraints of the same "
                f"command let it have `{limit.specifier}` only ({limit.at.path}:{limit.at.line}): "
                "pip refuses (`ResolutionImpossible`)",
                related=[Related(limit.at, "the constraint")],
                breaks=environment.breaks(Stage.BUILDS),
            )


@check("ENV012")
def unpinned_install(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """``pip install name`` in a Dockerfile without a version."""
    for step in environment.steps:
        if step.fact is None or not step.shipped:
            continue
        for item in step.requirements:
            if item.origin != "command" or item.key in _BUILD_TOOLS:
                continue
            if item.fact.vcs or item.fact.url or item.fact.path:
                continue
            if item.version is not None:
                yield rule.passed()
                continue
            yield rule.finding(
                item.fact.at,
                f"`{item.fact.name}{item.fact.specifier}` is installed without a version: the image built "
                "next month is another one",
                help="Pin it here, or move it to the requirements file.",
            )


@check("ENV013")
def development_dependency(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """Test and development tools in the image that is shipped."""
    if environment.kind != "image":
        return
    reported: set[str] = set()
    for item in _shipped(environment):
        if item.origin == "lock":
            continue
        path = item.fact.at.path
        if _DEV_FILE.search(posixpath.basename(path).lower()) and item.origin == "file":
            if path not in reported:
                reported.add(path)
                yield rule.finding(
                    item.step_at or item.fact.at,
                    f"{path} is for development, and the production image installs it",
                    related=[Related(Location(path), "this file")],
                )
        elif item.key in _DEV_TOOLS:
            yield rule.finding(
                item.fact.at,
                f"`{item.fact.name}` is a development tool; the production image does not need it",
                related=_install_end(item),
            )
        else:
            yield rule.passed()


@check("ENV015")
def python_end_of_life(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """An interpreter that gets no security fixes any more."""
    python = environment.python
    if python is None or not python.certain or "." not in python.version:
        return
    short = ".".join(python.version.split(".")[:2])
    end = knowledge("bases.toml")["eol"].get(short)
    if end is None:
        return
    if datetime.date.today() <= end:
        yield rule.passed()
        return
    yield rule.finding(
        python.at,
        f"Python {short} has had no security fixes since {end.isoformat()}",
        help="Move to a supported Python, and re-create the artifacts there.",
        evidence={"python": python.version, "end_of_life": end.isoformat()},
    )


@check("ENV016")
def vcs_without_git(
    environment: Environment, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """A ``git+`` requirement in an image that has no git."""
    image = next((i for i in deployment.images if i.key == environment.name), None)
    if image is None:
        return
    for item in environment.requirements:
        if item.fact.vcs is None or item.fact.vcs.scheme.partition("+")[0] != "git":
            continue
        if any(p.name == "git" for p in image.system_packages):
            yield rule.passed()
            continue
        answer = image.base.has_program("git") if image.base else None
        if answer is None:
            yield rule.undecided(f"whether {image.key} has git is not known", at=item.fact.at)
        elif answer:
            yield rule.passed()
        else:
            yield rule.finding(
                item.fact.at,
                f"`{item.fact.name or item.fact.vcs.url}` is cloned with git, which the image does not "
                "have: `ERROR: Cannot find command 'git'`",
                help="Install git in that stage (`apt-get install -y --no-install-recommends git`), or "
                "depend on an archive URL.",
                related=[
                    Related(
                        image.image.base.at,
                        f"{image.base.text if image.base else 'the base'} has no git",
                    )
                ],
                breaks=environment.breaks(Stage.BUILDS),
            )


@check("ENV017")
def overlapping_distributions(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """Two distributions that write the same files."""
    owners: dict[str, list[EnvRequirement]] = {}
    for item in _shipped(environment):
        for module in distributions.modules_of(item.key):
            owners.setdefault(module, []).append(item)
    reported: set[tuple[str, str]] = set()
    for module, items in sorted(owners.items()):
        names = sorted({i.key for i in items})
        if len(names) < 2:
            continue
        pair = (names[0], names[1])
        if distributions.requires(names[0], names[1]) or distributions.requires(names[1], names[0]):
            # One is a part of the other (mlflow and mlflow-skinny) and meant to be beside it.
            continue
        if pair in reported or not _same_project(names, module):
            continue
        reported.add(pair)
        first, second = (next(i for i in items if i.key == n) for n in pair)
        yield rule.finding(
            second.fact.at,
            f"`{pair[0]}` and `{pair[1]}` both install `{module}`: whichever comes last overwrites the other",
            help="Keep one of them.",
            related=[Related(first.fact.at, "the other one")],
        )
    if owners and not reported:
        yield rule.passed()


def _same_project(names: list[str], module: str) -> bool:
    """The distributions are variants of one another, not users of one namespace."""
    table = {n: set(distributions.modules_of(n)) for n in names}
    first, second = names[0], names[1]
    stem = normalise(module)
    common = table[first] & table[second]
    related = (
        first.startswith(second)
        or second.startswith(first)
        or all(stem in n or n.partition("-")[0] == names[0].partition("-")[0] for n in names[:2])
    )
    return related and len(common) >= 1


# Where conda and its builders unpack what they build, and the homes of Windows and macOS.
_BUILT_THERE = re.compile(
    r"/(?:home/conda/feedstock_root|tmp/build/[0-9a-f]{6,}|croot|opt/conda/conda-bld"
    r"|(?:private/)?var/folders|Users|[A-Za-z]:)/"
)


def _elsewhere(environment: Environment, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """``name @ file:///…`` of the machine that froze the list: the image has no such path."""
    from auditor.deployment.filesystem import Absent, Present

    service = next(iter(deployment.services_of(environment.services)), None)
    image = service.image if service is not None else None
    files: dict[str, list[tuple[Requirement, str]]] = {}
    for item in environment.requirements:
        url = item.fact.url or ""
        path = url.removeprefix("file://").partition("#")[0]
        if path == url or not path.startswith("/") or image is None or environment.kind != "image":
            continue
        if item.fact.marker or isinstance(image.image.fs.lookup(path), Present):
            continue
        if _BUILT_THERE.match(path) is None and not isinstance(image.image.fs.lookup(path), Absent):
            continue
        files.setdefault(item.fact.at.path, []).append((item.fact, path))
    for found in files.values():
        (fact, path), *others = sorted(found, key=lambda pair: pair[0].at)
        more = f"; {len(others)} more of this file name such paths" if others else ""
        yield rule.finding(
            fact.at,
            f"pip stops here: `{fact.name}` is to come from {path}, a path of the machine that wrote "
            "this list, and the image has no such path (`OSError: [Errno 2] No such file or directory`)"
            f"{more}",
            help=f"Name a version (`{fact.name}==…`); `pip list --format=freeze` writes none of these.",
            related=[
                Related(other.at, f"`{other.name}` is to come from {where}")
                for other, where in others[:8]
            ],
            confidence=Confidence.LIKELY,
            breaks=environment.breaks(Stage.BUILDS),
        )


def _by_file(problems: Iterable[Problem]) -> Iterator[list[Problem]]:
    """What is wrong with each file, in the order in which pip comes to it."""
    files: dict[str, list[Problem]] = {}
    for problem in problems:
        files.setdefault(problem.at.path, []).append(problem)
    for found in files.values():
        yield sorted(found, key=lambda problem: problem.at)


def _of_ubuntu(environment: Environment, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """``pkg-resources==0.0.0``, which the ``pip freeze`` of old Ubuntu releases writes."""
    image = next((i for i in deployment.images if i.key == environment.name), None)
    told = [step.command.text.text for step in image.image.runs] if image is not None else []
    if any("pkg_resources" in text or "pkg-resources" in text for text in told):
        return  # a command takes the line out
    for item in environment.find("pkg-resources"):
        if item.version == "0.0.0" and item.origin != "conda":
            yield rule.finding(
                item.fact.at,
                "pip stops here: no index has `pkg-resources`, which Ubuntu's `pip freeze` writes for a "
                "part of setuptools (`ERROR: No matching distribution found for pkg-resources==0.0.0`)",
                help="Leave the line out.",
                severity=None if environment.kind == "image" else Severity.MEDIUM,
                confidence=None if environment.kind == "image" else Confidence.LIKELY,
                breaks=environment.breaks(Stage.BUILDS),
            )


@check("ENV019")
def refused_requirement(
    environment: Environment, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """A requirements line that pip refuses, or a file that is not there."""
    if environment.files:
        yield rule.passed()
    for problem in environment.problems:
        if problem.beyond:
            yield rule.undecided(
                f"{problem.at.path} {problem.message}",
                at=problem.at,
                blocks=environment.breaks(Stage.BUILDS),
            )
    for problem, *others in _by_file(p for p in environment.problems if not p.beyond):
        more = f"; {len(others)} more of this file are refused as well" if others else ""
        yield rule.finding(
            problem.at,
            f"pip stops here: {problem.message}{more}",
            related=[Related(other.at, other.message) for other in others[:8]],
            # Where no image installs it, it may be meant for another tool.
            severity=None if environment.kind == "image" else Severity.MEDIUM,
            confidence=None if environment.kind == "image" else Confidence.LIKELY,
            breaks=environment.breaks(Stage.BUILDS),
        )
    yield from _elsewhere(environment, rule, deployment)
    yield from _of_ubuntu(environment, rule, deployment)
    for item in environment.find("sklearn"):
        # Releases after 0.0 consist of nothing but this error.
        if item.origin != "conda" and (item.version is None or "post" in item.version):
            yield rule.finding(
                item.fact.at,
                "pip stops here: the distribution `sklearn` refuses to be installed (`The 'sklearn' "
                "PyPI package is deprecated, use 'scikit-learn' rather than 'sklearn'`)",
                help="Ask for `scikit-learn`.",
                severity=None if environment.kind == "image" else Severity.MEDIUM,
                confidence=None if environment.kind == "image" else Confidence.LIKELY,
                breaks=environment.breaks(Stage.BUILDS),
            )


@check("ENV020")
def known_incompatible_release(
    environment: Environment, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """Two releases, one of them perhaps only what pip resolves today, that are known to fail."""
    if environment.installed is None or environment.python is None:
        return
    table = knowledge("breaks.toml")
    judged = False
    for row in table["breaks"]:
        item = _settled(environment, row["name"], row["versions"])
        if item is None or not _allows(row["pythons"], minor_text(environment.python.version)):
            continue
        judged = True
        if any(environment.find(name) for name in row.get("unless", ())):
            continue
        clash = _other_end(environment, row, table)
        if clash is None:
            continue
        version, at, confidence = clash
        other = f"{row['other']} {version or _newest_end(row, environment.python)}"
        why = "" if version else " (what an open requirement resolves to today)"
        users = [
            service
            for service in deployment.services_of(environment.services)
            if (row["at_import"] or row["calls"] or row.get("servers")) and _uses(service, row)
        ]
        if row.get("servers") and not users:
            continue
        if not users and environment.services and row["at_import"]:
            # Installed, yet no code that was seen imports it.
            confidence = Confidence.POSSIBLE
        serious = bool(users) and confidence >= Confidence.LIKELY
        yield rule.finding(
            item.fact.at,
            f"`{row['name']}` {item.version or item.fact.specifier} does not work with "
            f"{other}{why}: `{row['error']}`",
            help=f"Ask for `{row['other']}{row['remedy']}` as well, or move to a newer `{row['name']}`.",
            related=[Related(at, f"{row['other']} comes from here")],
            severity=None if serious else Severity.MEDIUM,
            confidence=confidence,
            evidence={"pair": row["id"], "proved": list(row["proved"]), "python": row["python"]},
            breaks=[b for service in users for b in service.breaks(Stage.STARTS)],
        )
    if judged:
        yield rule.passed()


def minor_text(version: str) -> str:
    """``3.11`` of ``3.11.7``."""
    return ".".join(version.split(".")[:2])


def _settled(environment: Environment, name: str, versions: str) -> EnvRequirement | None:
    """The requirement on ``name`` when what it resolves to lies in ``versions``."""
    python = environment.python
    for item in environment.find(name):
        if item.fact.url or item.fact.vcs or item.fact.path:
            return None
        version = item.version
        if version is None and item.fact.specifier and python is not None:
            version = wheels.newest(name, item.fact.specifier, python.version)
        if version and _allows(versions, version):
            return item
    return None


def _renewed(environment: Environment, item: EnvRequirement) -> bool:
    """Whether a command brings the newest release of it, whatever is there (``pip install -U``)."""
    return item.origin == "command" and any(
        step.at == item.step_at and step.fact is not None and step.fact.upgrade
        for step in environment.steps
    )


def _of_the_base(environment: Environment, name: str) -> bool:
    """Whether the image that this one is built on brings some release of it."""
    base = environment.base
    if base is not None and base.official_python and name in ("setuptools", "wheel"):
        return bool(base.has_setuptools)
    there = environment.installed.distributions.get(name) if environment.installed else None
    return there is not None and there.via == "the base image"


def _other_end(
    environment: Environment, row: dict[str, Any], table: dict[str, Any]
) -> tuple[str | None, Location, Confidence] | None:
    """(settled version or None, where it comes from, how sure) when the other end is a bad one."""
    name = row["other"]
    installed = environment.installed
    asked = environment.find(name)
    if any(item.fact.url or item.fact.vcs or item.fact.path for item in asked):
        return None
    settled = next((item for item in asked if item.version), None)
    if settled is not None and settled.version is not None:
        if not _allows(row["bad"], settled.version):
            return None
        return settled.version, settled.fact.at, Confidence.LIKELY
    bringer = _bringer(environment, row)
    renewed = bringer is not None or any(_renewed(environment, item) for item in asked)
    if installed is None or (not renewed and (installed.closed or environment.locked)):
        return None
    if not renewed and _of_the_base(environment, name):
        # An older release that meets the requirement is there already and stays.
        return None
    probe = _newest_end(row, environment.python)
    if not _allows(row["bad"], probe):
        return None
    limits = [*(i.fact for i in asked), *(c for c in environment.constraints if c.key == name)]
    if any(limit.allows(probe) is False for limit in limits):
        return None
    confidence = Confidence.LIKELY if installed.complete else Confidence.POSSIBLE
    free = {r["name"] for r in table["breaks"] if r["other"] == name} | set(row["open"])
    for other in environment.requirements:
        if other.key in (row["name"], name) or not other.key or other is bringer:
            continue
        spec = next((h for h in row["holds"] if _name_of(h) == other.key and _meets(h, other)), "")
        if spec:
            return None
        pinned_old = other.version is not None or other.fact.specifier
        if not distributions.known(other.key) or (
            pinned_old and other.key not in free and distributions.requires(other.key, name)
        ):
            # Its own metadata may keep the other end back; that is not known here.
            confidence = Confidence.POSSIBLE
    source = bringer or next(iter(asked), None)
    at = source.fact.at if source is not None else _requirements_end(environment)
    return None, at, confidence


def _bringer(environment: Environment, row: dict[str, Any]) -> EnvRequirement | None:
    """The tool whose installation replaces the image's own release of the other end by the newest.

    pip leaves what is there as long as it meets what is asked for: pipenv wants a setuptools that
    older images do not have.
    """
    base = environment.base
    if base is None or row["other"] != "setuptools" or base.has_setuptools is None:
        return None
    for tool, releases, asked in row.get("brought_by", ()):
        for item in environment.find(tool):
            newest = item.version is None and not item.fact.specifier
            if item.origin != "command" or not (newest or _meets(releases, item)):
                continue
            if base.setuptools is None or not _allows(asked, base.setuptools):
                return item
    return None


def _newest_end(row: dict[str, Any], python: PythonClaim | None) -> str:
    """The release of the other end that pip takes today where nothing limits it, on that Python."""
    taken = wheels.newest(row["other"], "", python.version) if python is not None else None
    return taken or str(row["proved"][0].rpartition("==")[2])


def _name_of(requirement: str) -> str:
    return re.split(r"[<>=!~]", requirement, maxsplit=1)[0]


def _meets(requirement: str, item: EnvRequirement) -> bool:
    return item.version is not None and bool(
        _allows(requirement[len(_name_of(requirement)) :], item.version)
    )


def _uses(service: Service, row: dict[str, Any]) -> bool:
    """Whether starting the service imports the distribution, or runs its program."""
    if row.get("servers"):
        from auditor.linking import stores

        return stores.keeps_records(service, row["servers"])
    for process in service.processes:
        fact = process.interpretation.fact
        if isinstance(fact, ServerStart) and fact.kind == row["name"]:
            return True
    if row["calls"]:
        return any(
            call.name in row["calls"] and call.reach.certain and call.reach.phase.before_serving
            for entry in service.entries
            for call in entry.trace.calls
        )
    return any(
        item.module.partition(".")[0] == row["module"]
        and item.reach.phase.before_serving
        and item.reach.certain
        and not (item.reach.guards or item.fact.guards)
        for entry in service.entries
        for item in entry.trace.imports
    )
