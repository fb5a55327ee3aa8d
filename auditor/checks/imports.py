"""Imports that fail although the module's distribution is there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.catalog import Rule, knowledge
from auditor.checks.img import stopped
from auditor.checks.registry import Outcome, check
from auditor.deployment import startcalls
from auditor.deployment.model import Deployment, Service
from auditor.findings import Confidence, Finding, Related, Severity, Stage
from auditor.linking import distributions, pins
from auditor.parsers.python.facts import Phase
from auditor.source import Location
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.parsers.python.facts import Reach, ReachedImport, Use


def _stages(service: Service, item: ReachedImport) -> tuple[tuple[str, Stage], ...]:
    return stopped(service, item.fact.at, item.reach)


@check("ENV021")
def store_without_driver(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A server that is told to use a database whose driver nothing installs."""
    from auditor.linking import stores

    for store in stores.databases(service):
        if store.installed == "yes":
            yield rule.passed()
        elif store.installed == "unknown":
            yield rule.undecided(
                f"whether {store.distribution} is installed is not known ({store.reason})",
                at=store.at,
                blocks=service.breaks(Stage.STARTS),
            )
        else:
            built = service.image is not None and not service.image.pulled
            yield rule.finding(
                store.at,
                f"the {store.server} is to keep its records in `{store.scheme}://`, for which SQLAlchemy "
                f"imports `{store.module}`, and {'nothing installs it' if built else 'the image lacks it'}: "
                f"`ModuleNotFoundError: No module named '{store.module}'`",
                help=f"Add `{store.distribution}` to what the image installs."
                if built
                else f"Build an image on top: `RUN pip install {store.distribution}`.",
                evidence={"distributions": [store.distribution]},
                breaks=service.breaks(Stage.STARTS),
            )


@check("IMG025")
def failing_statement(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A statement of the start that raises, whatever is asked of the service."""
    seen: set[object] = set()
    for entry in service.runs:
        for item in entry.trace.failures:
            if item.reach.phase is Phase.UNREACHED or item.at in seen:
                continue
            reach = _asked_in_a_loop(item.reach)
            if not reach.certain:
                continue
            seen.add(item.at)
            yield rule.finding(
                item.at,
                f"{item.because}: `{item.error}`",
                evidence={"file": item.file} if item.file else {},
                breaks=stopped(service, item.at, reach),
            )
        for call in entry.trace.calls:
            # The first of these ends the start; nobody waits for the others.
            asked = (call.category, *(str(a.value) for a in call.arguments))
            if call.category not in startcalls.KINDS or {call.at, asked} & seen:
                continue
            found = startcalls.refused(service, entry.trace, call)
            if found is None:
                continue
            seen |= {call.at, asked}
            message, remedy, confidence = found
            yield rule.finding(
                call.at,
                message,
                help=remedy,
                confidence=confidence,
                breaks=stopped(service, call.at, call.reach),
            )
    yield from _packed(service, rule, deployment)
    for access, path in startcalls.objects_refused(service, deployment):
        if access.at in seen or not access.reach.certain:
            continue
        seen.add(access.at)
        yield rule.finding(
            access.at,
            f"`{path}` holds Python objects, which are a pickle inside: `ValueError: Object arrays cannot "
            "be loaded when allow_pickle=False`",
            help="Save numbers only; or load it with `allow_pickle=True`, if you trust who wrote it.",
            related=[Related(Location(path), "the array")],
            breaks=stopped(service, access.at, access.reach),
        )


def _packed(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    for access, error in startcalls.packed_otherwise(service, deployment):
        if access.reach.certain:
            yield rule.finding(
                access.at,
                f"`{access.path.text}` is not compressed as `{access.loader}` expects: `{error}`",
                help="Open it with what wrote it.",
                breaks=stopped(service, access.at, access.reach),
            )


def _asked_in_a_loop(reach: Reach) -> Reach:
    """A handler's loop goes over what was asked, which is something."""
    if reach.phase is Phase.REQUEST and set(reach.guards) == {"loop"}:
        return replace(reach, certain=True)
    return reach


@check("IMG023")
def failing_import(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A name that the imported module does not bind, or a relative import outside a package."""
    seen: set[tuple[object, str]] = set()
    for entry in service.runs:
        for use in entry.trace.uses:
            gone = _left(service, use.module, use.name) or _no_attribute(service, use)
            if gone is None or use.reach.phase is Phase.UNREACHED or use.reach.guards:
                continue
            if (use.module, use.name) in seen:
                continue
            seen.add((use.module, use.name))
            yield rule.finding(
                use.at,
                gone[0],
                related=gone[1],
                confidence=Confidence.LIKELY,
                evidence={"module": use.module},
                breaks=stopped(service, use.at, use.reach),
            )
    for entry in service.runs:
        for item in entry.trace.imports:
            if item.reach.phase is Phase.UNREACHED or item.fact.at.path.endswith(".ipynb"):
                continue
            if set(item.reach.guards) | set(item.fact.guards):
                continue
            if item.fact.dynamic and not (item.found == "missing" and item.reach.certain):
                continue
            if item.found != "external" and (
                item.module in service.unsure_modules or _elsewhere(service, item)
            ):
                yield from _left_out(service, item, rule)
                continue
            if item.missing_name and item.path.endswith("/__init__.py") and _compiles(service):
                continue  # the name may be an extension module beside it
            found = _project(item) if item.found != "external" else _taken(service, item)
            if found is None:
                yield rule.passed()
                continue
            message, related = found
            if (item.fact.at, message) in seen:
                continue
            seen.add((item.fact.at, message))
            yield rule.finding(
                item.fact.at,
                message,
                related=related,
                confidence=Confidence.LIKELY,
                evidence={"module": item.module},
                breaks=_stages(service, item),
            )


def _left(service: Service, module: str, name: str) -> tuple[str, list[Related]] | None:
    """Why a name that was taken out of a library is not there in the pinned release."""
    environment = service.environment
    rows = _gone().get((module, name), ())
    installed = environment.installed if environment is not None else None
    if not rows or installed is None or environment is None:
        return None
    from auditor.linking.symbols import numbers

    distribution = rows[0]["distribution"]
    settled = installed.version(distribution) is not None
    found = pins.release(environment, distribution)
    if found is None:
        return None
    version, by = found
    left = [r for r in rows if numbers(version) >= numbers(r["without"])[:2]]
    left = [r for r in left if not any(map(installed.has, r.get("unless", ())))]
    if not left:
        return None
    row = max(left, key=lambda r: numbers(r["without"]))
    if row.get("unless") and installed.unknown:
        return None  # one of these may bring it
    at = next((r.fact.at for r in environment.find(by or distribution)), environment.at)
    related = [Related(at, "this release is installed" if settled else "asked for here")]
    how = "is installed" if settled else "is what this open requirement resolves to today"
    how = f"is what {by} brings along today" if by else how
    return (
        f"`{module}.{name}` left {distribution} (there in {row['with']}, gone in {row['without']}), and "
        f"{version} {how}: `{row['error']}`",
        related,
    )


def _no_attribute(service: Service, use: Use) -> tuple[str, list[Related]] | None:
    """An attribute that a module has in other releases of Python, or of its library, only."""
    environment = service.environment
    if environment is None or "." in use.name or "(" in use.name:
        return None
    from auditor.linking import symbols

    top = use.module.partition(".")[0]
    python = environment.python
    if distributions.is_stdlib(top):
        if python is None or "." not in python.version:
            return None
        table, version, at = symbols.table("stdlib"), python.version, python.at
        what, why = f"Python {version}", "the interpreter is chosen here"
    else:
        name = symbols.LIBRARIES.get(top)
        pinned = environment.installed.version(name) if environment.installed and name else None
        if name is None or pinned is None:
            return None
        table, version = symbols.table(name), pinned
        at = next((r.fact.at for r in environment.find(name)), environment.at)
        what, why = f"{name} {version}", "this release is installed"
    if table is None or not table.covers(version) or not table.ever(use.module, use.name):
        return None
    if table.find(use.module, use.name, version) != "no-name":
        return None
    if use.module == "collections" and symbols.numbers(version) < (3, 10):
        return None  # passed on with a warning
    if use.module == "builtins":
        return (
            f"{what} has no `{use.name}`: `NameError: name '{use.name}' is not defined`",
            [Related(at, why)],
        )
    return (
        f"`{use.module}.{use.name}` is not in {what}: "
        f"`AttributeError: module '{use.module}' has no attribute '{use.name}'`",
        [Related(at, why)],
    )


@lru_cache(maxsize=1)
def _gone() -> dict[tuple[str, str], list[dict[str, Any]]]:
    # A name may leave twice: moved first, and then removed.
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in knowledge("uses.toml").get("use", ()):
        found.setdefault((row["module"], row["name"]), []).append(row)
    return found


def _left_out(service: Service, item: ReachedImport, rule: Rule) -> Iterator[Finding]:
    """A module of the project that git ignores: it is on the machine of who wrote it, and in no clone."""
    why = dict(service.modules_by_hand).get(item.module)
    if item.found != "missing" or not why or not item.reach.certain:
        return
    yield rule.finding(
        item.fact.at,
        f"`{item.module}` is not in the image unless somebody puts it there first ({why}): "
        f"`ModuleNotFoundError: No module named '{item.module}'`",
        help="Commit it: a pattern that is meant for data or models may take a package with it.",
        severity=Severity.MEDIUM,
        confidence=Confidence.POSSIBLE,
        evidence={"module": item.module},
        breaks=_stages(service, item),
    )


def _elsewhere(service: Service, item: ReachedImport) -> bool:
    """A directory without ``__init__`` gives way to an installed package of the same name."""
    installed = service.environment.installed if service.environment else None
    if item.path or item.fact.level or installed is None:
        return False
    return installed.provides(item.module.partition(".")[0]).answer in ("yes", "unknown")


_COMPILES = re.compile(
    r"\bbuild_ext\b|\bcythonize\b|\bmaturin\s+develop\b|\bsetup\.py\s+(?:build|develop)"
)


def _compiles(service: Service) -> bool:
    """Whether a step of the image compiles extension modules into the source tree."""
    image = service.image
    return image is not None and any(
        _COMPILES.search(step.command.text.text) for step in image.image.runs
    )


def _project(item: ReachedImport) -> tuple[str, list[Related]] | None:
    if item.found == "missing":
        if item.fact.level and not item.module:
            return (
                "a relative import in a file that is run as a script: "
                "`ImportError: attempted relative import with no known parent package`",
                [],
            )
        return (
            f"`{item.module}` is not in the image: "
            f"`ModuleNotFoundError: No module named '{item.module}'`",
            [],
        )
    if item.circular:
        return (
            f"`{item.module}` is still being imported when `{item.circular}` is asked of it: "
            f"`ImportError: cannot import name '{item.circular}' from partially initialized module "
            f"'{item.module}' (most likely due to a circular import)`",
            [],
        )
    if item.missing_name:
        return (
            f"`{item.path or item.module}` binds no `{item.missing_name}`: "
            f"`ImportError: cannot import name '{item.missing_name}' from '{item.module}'`",
            [],
        )
    return None


def _taken(service: Service, item: ReachedImport) -> tuple[str, list[Related]] | None:
    for name in item.fact.names:
        found = _left(service, item.module, name)
        if found is not None:
            return found
    return _library(service, item)


def _library(service: Service, item: ReachedImport) -> tuple[str, list[Related]] | None:
    """A name that the standard library or a pinned library does not have in that release."""
    environment = service.environment
    if environment is None or not item.module:
        return None
    top = item.module.partition(".")[0]
    if item.module == top and not item.fact.names and not distributions.is_stdlib(top):
        return None  # that it is there at all, ENV007 says
    from auditor.linking import symbols

    python = environment.python
    if distributions.is_stdlib(top):
        if python is None or "." not in python.version:
            return None
        major, minor = symbols.numbers(python.version)[:2]
        if distributions.left_stdlib(top, (major, minor)):
            return None  # ENV007 tells of it.
        table = symbols.table("stdlib")
        version, what = python.version, f"Python {python.version}"
        at = python.at
    else:
        name = symbols.LIBRARIES.get(top)
        installed = environment.installed
        pinned = None
        if installed is not None and name:
            release = pins.release(environment, name)
            pinned = release[0] if release is not None else None
        if name is None or pinned is None:
            return None
        table = symbols.table(name)
        version, what = pinned, f"{name} {pinned}"
        at = next((r.fact.at for r in environment.find(name)), environment.at)
    if table is None or not table.covers(version):
        return None
    related = [Related(at, "this release is installed")]
    masks = table.masks(version)
    if table.known_module(item.module) and not any(
        table.has_module(item.module, mask) for mask in masks
    ):
        return (
            f"`{item.module}` is not in {what}: "
            f"`ModuleNotFoundError: No module named '{item.module}'`",
            related,
        )
    for name in item.fact.names:
        if name == "*":
            continue
        forwarded = item.module == "collections" and symbols.numbers(version) < (3, 10)
        if forwarded and table.find("collections.abc", name, version) == "yes":
            continue  # passed on with a warning
        answer = table.find(item.module, name, version)
        if answer == "no-name" and table.ever(item.module, name):
            return (
                f"`{item.module}` of {what} has no `{name}`: "
                f"`ImportError: cannot import name '{name}' from '{item.module}'`",
                related,
            )
    return None
