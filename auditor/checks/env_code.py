"""ENV, the code's side: the Python it was written for and the modules it imports."""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.catalog import Rule, knowledge
from auditor.checks.env_install import minor_text
from auditor.checks.environment import allows, requirements_end
from auditor.checks.registry import Outcome, check
from auditor.deployment.base import minor
from auditor.deployment.model import Deployment, Entry, Environment, PythonClaim, Service
from auditor.findings import Confidence, Finding, Related, Severity, Stage
from auditor.linking import distributions
from auditor.parsers.python.facts import Phase
from auditor.source import Location
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.linking.optional import Wanted
    from auditor.parsers.python.facts import Reach, ReachedImport


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
            allowed = allows(claim.specifier, python.version)
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
    # One cause, one finding: what is to be added or copied, by every place that asks for it.
    causes: dict[str, Finding] = {}
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
            own = next(_own_package(item.module, deployment), None)
            stub = any("_pb2" in name for name in (item.module, *item.fact.names))
            if item.unsure and (stub or (own is None and not provision.candidates)):
                # Code that the build generates; stubs of protobuf have names of all kinds.
                yield rule.undecided(
                    f"whether the build makes `{item.module}` is not known ({item.unsure})",
                    at=item.fact.at,
                    blocks=_stages(service, item.fact.at, item.reach),
                )
                continue
            wanted = provision.candidates[0] if provision.candidates else top
            if own is not None and not provision.candidates:
                wanted = own
            if wanted in causes:
                stages = _stages(service, item.fact.at, item.reach)
                causes[wanted] = _asked_too(causes[wanted], item, stages)
            elif wanted == own:
                causes[wanted] = rule.finding(
                    item.fact.at,
                    f"`{item.module}` is in the repository ({own}), but not where the image's Python "
                    f"finds it: `ModuleNotFoundError: No module named '{top}'`",
                    help=f"Copy `{own}` into the image, beside the code that imports it.",
                    related=[Related(environment.at, "the image is built here")],
                    confidence=Confidence.LIKELY,
                    evidence={"module": item.module, "path": own},
                    breaks=_stages(service, item.fact.at, item.reach),
                )
            else:
                # A name nobody knows may come by a way that was not understood.
                sure = provision.answer == "no"
                causes[wanted] = rule.finding(
                    item.fact.at,
                    f"`{item.module}` is imported, but nothing that the image installs brings it: "
                    f"`ModuleNotFoundError: No module named '{top}'`",
                    help=f"Add `{wanted}` to the requirements that the image installs.",
                    related=[Related(requirements_end(environment), "the image installs this")],
                    confidence=Confidence.CERTAIN if sure else Confidence.LIKELY,
                    evidence={
                        "module": item.module,
                        "distributions": list(provision.candidates[:4]),
                    },
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
                        related=[Related(requirements_end(environment), "the image installs this")],
                        breaks=service.loading(route.at),
                    )
    yield from causes.values()


_PLACES = 8


def _asked_too(
    found: Finding, item: ReachedImport, stages: tuple[tuple[str, Stage], ...]
) -> Finding:
    """The finding, with another place that stops for the same cause."""
    further = found.related
    if len(further) < _PLACES:
        further = (*further, Related(item.fact.at, f"`{item.module}` is imported here"))
    return replace(found, related=further, breaks=tuple(dict.fromkeys((*found.breaks, *stages))))


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
            related=[Related(requirements_end(environment), "the image installs this")],
            confidence=Confidence.LIKELY,
            evidence={"distributions": [item.distribution]},
            breaks=stages,
        )


def _own_package(module: str, deployment: Deployment) -> Iterator[str]:
    """Paths of the repository that are the module's top: a file, or a directory with what it names."""
    top, _, rest = module.partition(".")
    inner = rest.partition(".")[0]
    for path in sorted(deployment.python_files):
        parts = path.split("/")
        if parts[-1] == f"{top}.py" and not inner:
            yield path
        for number, part in enumerate(parts[:-1]):
            if part == top and (not inner or parts[number + 1] in (inner, f"{inner}.py")):
                yield "/".join(parts[: number + 1])
                break


def _stages(service: Service, at: Location, reach: Reach | Wanted) -> tuple[tuple[str, Stage], ...]:
    """What an import that fails there breaks; ``reach`` tells when, and whether for certain."""
    if not reach.certain:
        return ()
    return service.loading(at) if reach.phase.before_serving else service.breaks(Stage.PREDICTS)


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
