"""ENV, the installer's side: pins that cannot be installed there, or that do not work together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from auditor import lazy_re as re
from auditor.catalog import Rule, knowledge
from auditor.checks.environment import (
    allows,
    at_home,
    compiles,
    other_indexes,
    requirements_end,
    shipped,
)
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import (
    BuiltImage,
    Conflict,
    Deployment,
    Environment,
    EnvRequirement,
    PythonClaim,
    Service,
)
from auditor.findings import Confidence, Related, Severity, Stage
from auditor.linking import distributions, pins, setups, sonames, wheels
from auditor.parsers import locks
from auditor.parsers.commands import ServerStart
from auditor.parsers.requirements import Requirement, normalise
from auditor.source import Location, Problem


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
        elsewhere = any(not at_home(s, image) for s in environment.steps)
        if has_compiler is False and elsewhere:
            has_compiler = compiles(environment, image)
            if has_compiler is None and _certainly_without(environment, image):
                has_compiler = False
    conflict = deployment.conflicts.get(environment.name)
    for one in (conflict,) if conflict is not None else pins.conflicts(environment):
        yield _unresolvable(environment, rule, one)
    seen: set[str] = set()
    for item in shipped(environment):
        if item.fact.url or item.fact.path or item.fact.vcs or item.key in seen:
            continue
        if item.origin == "conda":
            continue
        seen.add(item.key)
        if "+" in (item.fact.pinned_version or "") and not other_indexes(environment, image):
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
        elif (early := _imports_early(environment, image, item)) is not None:
            yield rule.finding(
                item.fact.at,
                f"`{wanted}` is built from source, and its setup.py imports {', '.join(f'`{m}`' for m in early.modules)}, "
                f"which is not there for the build: `{early.error}`",
                help=_before_it(early.modules, item),
                related=related,
                confidence=Confidence.LIKELY,
                breaks=environment.breaks(Stage.BUILDS),
                evidence={"modules": list(early.modules)},
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


def _imports_early(
    environment: Environment, image: BuiltImage | None, item: EnvRequirement
) -> setups.Undeclared | None:
    """What building it certainly does not find: pip builds it apart from what is installed, and no
    step asks for it otherwise.
    """
    python = environment.python
    if python is None or other_indexes(environment, image):
        return None
    found = setups.undeclared(item.key, item.version, python.version)
    told = any(
        argument.text == "--no-build-isolation"
        for step in environment.steps
        if step.fact is not None
        for argument in step.fact.argv
    )
    return found if found is not None and found.alone and not told else None


def _before_it(modules: tuple[str, ...], item: EnvRequirement) -> str:
    """How to install it all the same."""
    if modules == ("pkg_resources",):
        named = "'setuptools<82' wheel"
    else:
        named = f"setuptools wheel {' '.join(modules)}"
    return (
        f"Install what it takes in a step before, and it without isolation: `RUN pip install {named}`, "
        f"`RUN pip install --no-build-isolation {item.fact.name}`; or take a release that has a wheel."
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
    for item in shipped(environment):
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
    for item in shipped(environment):
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
        item = (
            _mistaken(environment, row)
            if "instead" in row
            else _settled(environment, row["name"], row["versions"], last=bool(row.get("last")))
        )
        if item is None or not allows(row["pythons"], minor_text(environment.python.version)):
            continue
        judged = True
        if any(environment.find(name) for name in row.get("unless", ())):
            continue
        clash = _other_end(environment, row, table)
        if clash is None:
            continue
        version, at, confidence = clash
        users = [
            service
            for service in deployment.services_of(environment.services)
            if (row["at_import"] or row["calls"] or _told(row)) and _uses(service, row)
        ]
        if (_told(row) or "instead" in row) and not users:
            continue
        text, advice = _said(environment, row, item, version)
        if not users and environment.services and row["at_import"]:
            # Installed, yet no code that was seen imports it.
            confidence = Confidence.POSSIBLE
        serious = bool(users) and confidence >= Confidence.LIKELY
        yield rule.finding(
            item.fact.at,
            text,
            help=advice,
            related=[Related(at, f"{row['other']} comes from here")],
            severity=None if serious else Severity.MEDIUM,
            confidence=confidence,
            evidence={"pair": row["id"], "proved": list(row["proved"]), "python": row["python"]},
            breaks=[b for service in users for b in service.breaks(_stage(service, row))],
        )
    if judged:
        yield rule.passed()


def _told(row: dict[str, Any]) -> bool:
    """It fails under certain servers or workers alone."""
    return bool(row.get("servers") or row.get("workers"))


def _stage(service: Service, row: dict[str, Any]) -> Stage:
    """Where calls alone fail, and all of them while a request is answered, the service starts."""
    if not row.get("late") and (not row["calls"] or _calls(service, row, early=True)):
        return Stage.STARTS
    return Stage.PREDICTS


def _calls(service: Service, row: dict[str, Any], *, early: bool) -> bool:
    return any(
        name in row["calls"] and reach.certain and (reach.phase.before_serving or not early)
        for entry in service.entries
        for name, reach in (
            *((call.name, call.reach) for call in entry.trace.calls),
            # What opens a file is told apart from other calls.
            *((access.loader, access.reach) for access in entry.trace.files),
        )
    )


def _said(
    environment: Environment, row: dict[str, Any], item: EnvRequirement, version: str | None
) -> tuple[str, str]:
    """(message, advice) of a row that holds."""
    release = f"`{row['name']}` {item.version or item.fact.specifier}".rstrip()
    if "instead" in row:
        return (
            f"`{row['name']}` is another distribution than `{row['instead']}`, whose module "
            f"`{row['module']}` is used here: `{row['error']}`",
            f"Ask for `{row['instead']}` instead of `{row['name']}`.",
        )
    other = f"{row['other']} {version or _newest_end(row, environment.python)}"
    if row["other"] == "python":
        other = f"Python {version}"
        advice = f"Use an image of Python {row['remedy']}, or move to another `{row['name']}`."
    else:
        advice = (
            f"Ask for `{row['other']}{row['remedy']}` as well, or move to a newer `{row['name']}`."
        )
    why = "" if version else " (what an open requirement resolves to today)"
    return f"{release} does not work with {other}{why}: `{row['error']}`", advice


def _mistaken(environment: Environment, row: dict[str, Any]) -> EnvRequirement | None:
    """The requirement on a distribution that has the module name of another one."""
    if environment.find(row["instead"]):
        return None
    found = environment.find(row["name"])
    return next((i for i in found if not (i.fact.url or i.fact.vcs or i.fact.path)), None)


def minor_text(version: str) -> str:
    """``3.11`` of ``3.11.7``."""
    return ".".join(version.split(".")[:2])


def _settled(
    environment: Environment, name: str, versions: str, *, last: bool = False
) -> EnvRequirement | None:
    """The requirement on ``name`` when what it resolves to lies in ``versions``.

    ``last``: they are the newest there are, which an open requirement takes.
    """
    python = environment.python
    for item in environment.find(name):
        if item.fact.url or item.fact.vcs or item.fact.path:
            return None
        version = item.version
        if version is None and item.fact.specifier and python is not None:
            version = wheels.newest(name, item.fact.specifier, python.version)
        if (version and allows(versions, version)) or (
            last and version is None and not item.fact.specifier
        ):
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
    if name == "python":
        python = environment.python
        if python is None or not allows(row["bad"], minor_text(python.version)):
            return None
        at = python.at or requirements_end(environment)
        return minor_text(python.version), at, Confidence.LIKELY
    asked = environment.find(name)
    if any(item.fact.url or item.fact.vcs or item.fact.path for item in asked):
        return None
    settled = next((item for item in asked if item.version), None)
    if settled is not None and settled.version is not None:
        if not allows(row["bad"], settled.version):
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
    if not allows(row["bad"], probe):
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
    at = source.fact.at if source is not None else requirements_end(environment)
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
            if base.setuptools is None or not allows(asked, base.setuptools):
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
        allows(requirement[len(_name_of(requirement)) :], item.version)
    )


def _uses(service: Service, row: dict[str, Any]) -> bool:
    """Whether starting the service imports the distribution, or runs its program."""
    if row.get("servers"):
        from auditor.linking import stores

        return stores.keeps_records(service, row["servers"])
    for process in service.processes:
        fact = process.interpretation.fact
        if not isinstance(fact, ServerStart) or fact.kind != row["name"]:
            continue
        worker = fact.effective("worker_class", env=process.interpretation.env, config=())
        if not row.get("workers") or (worker is not None and worker.value in row["workers"]):
            return True
    if row["calls"]:
        return _calls(service, row, early="instead" not in row)
    if row.get("workers"):
        return False
    return any(
        item.module.partition(".")[0] == row["module"]
        and item.reach.phase.before_serving
        and item.reach.certain
        and not (item.reach.guards or item.fact.guards)
        for entry in service.entries
        for item in entry.trace.imports
    )
