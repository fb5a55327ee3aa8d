"""IMG and ENV rules on system libraries: does the image have what the wheels need of it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from auditor.catalog import Rule
from auditor.checks.img import stopped
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import BuiltImage, Deployment, Environment, Service
from auditor.findings import Confidence, Finding, Related, Severity, Stage
from auditor.linking import sonames, userland, wheels
from auditor.linking.userland import Lack, Use
from auditor.parsers.python.facts import Phase
from auditor.source import Location


@check("IMG002")
def missing_system_library(
    image: BuiltImage, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """A wheel needs a shared object, or code a program, that the shipped stage lacks."""
    yield from _judge(image, rule, deployment, elsewhere=False)
    yield from _programs(image, rule, deployment)


def _programs(image: BuiltImage, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Programs that the project's own code starts by name."""
    seen: set[str] = set()
    for service in deployment.services_of(image.services):
        for call in (c for entry in service.runs for c in entry.trace.calls if c.program):
            name, reach = call.program, call.reach
            if "/" in name or name in seen or reach.phase is Phase.UNREACHED:
                continue
            if image.provides_program(name) is not False or reach.guards:
                continue
            seen.add(name)
            yield rule.finding(
                call.at,
                f"`{call.name}` starts `{name}`, which the image does not have: "
                f"`FileNotFoundError: [Errno 2] No such file or directory: '{name}'`",
                help=f"Install the package that brings `{name}`.",
                related=[Related(image.image.base.at, "the stage that is shipped lacks it")],
                severity=None if reach.certain else Severity.MEDIUM,
                confidence=Confidence.LIKELY if reach.certain else Confidence.POSSIBLE,
                breaks=stopped(service, call.at, reach),
            )


@check("IMG003")
def library_not_shipped(image: BuiltImage, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """The library is installed, but only in a stage that is left behind."""
    yield from _judge(image, rule, deployment, elsewhere=True)


def _judge(
    image: BuiltImage, rule: Rule, deployment: Deployment, *, elsewhere: bool
) -> Iterator[Outcome]:
    """One finding for each distribution, over all services that run the image."""
    services = deployment.services_of(image.services)
    results = {s.name: userland.lacking(s, deployment) for s in services}
    every = [lack for found in results.values() for _, lacks in found for lack in lacks]
    line = userland.install_line(every)
    merged: dict[str, list[tuple[Service, Use, tuple[Lack, ...]]]] = {}
    for service in services:
        for use, lacks in results[service.name]:
            mine = tuple(lack for lack in lacks if (lack.elsewhere is not None) is elsewhere)
            if mine:
                merged.setdefault(use.distribution, []).append((service, use, mine))
            elif not elsewhere and not lacks:
                yield rule.passed()
    if not elsewhere:
        unread = {
            use.distribution: use
            for service in services
            for use in userland.unread(service, deployment)
        }
        for name, use in sorted(unread.items()):
            brings = f" (which `{use.via[-2]}` brings along)" if use.via else ""
            yield rule.undecided(
                f"what `{name}`{brings} needs of the system is in no table (--online reads its wheel)",
                at=use.at,
            )
    for found in merged.values():
        yield _finding(image, rule, found, line)


def _finding(
    image: BuiltImage,
    rule: Rule,
    found: list[tuple[Service, Use, tuple[Lack, ...]]],
    line: str,
) -> Finding:
    service, use, lacks = min(found, key=lambda f: (f[1].phase, not f[1].certain))
    confidence = min(_confidence(use, lack) for lack in lacks)
    hard = any(lack.need.when == "import" or lack.need.always for lack in lacks)
    breaks: list[tuple[str, Stage]] = []
    if hard:
        for runs, theirs, wants in found:
            at_import = any(lack.need.when == "import" for lack in wants)
            starts = at_import and theirs.phase.before_serving
            breaks += runs.loading(theirs.at) if starts else runs.breaks(Stage.PREDICTS)
    names = ", ".join(f"`{lack.need.name}`" for lack in lacks)
    base = image.base.text if image.base is not None else "the image"
    subject = f"`{use.distribution}`"
    if use.via:
        subject += f" (which `{use.via[-2]}` brings along)"
    if use.distribution == "python":
        subject = f"`import {use.module}`"
    first = lacks[0]
    if any(lack.need.kind == "library" for lack in lacks):
        error = f"`ImportError: {first.need.name}: cannot open shared object file`"
    else:
        error = f"`FileNotFoundError: [Errno 2] No such file or directory: '{first.need.name}'`"
    if first.elsewhere is not None:
        where = first.elsewhere
        message = (
            f"{subject} needs {names}; `{where.name}` is installed in a stage that is not shipped: "
            f"{error}"
        )
    else:
        lacking = f"{base} does not have" if not first.reason else f"{base} may not have"
        message = f"{subject} needs {names}, which {lacking}: {error}"
    related = [Related(use.at, _imported(use))]
    related.append(Related(image.image.base.at, f"{base} is the stage that is shipped, without it"))
    if first.elsewhere is not None:
        related.insert(0, Related(first.elsewhere.at, "installed here, in another stage"))
    # A model that is not in the repository may do without it; another stage says who does not.
    guessed = use.artifact is not None and not use.module and first.elsewhere is None
    soft = (
        not hard
        or guessed
        or confidence is Confidence.POSSIBLE
        or not any(theirs.certain for _, theirs, _ in found)
        # What a base that no table knows has is not known.
        or not any(lack.sure for lack in lacks)
    )
    return rule.finding(
        requirement_at(service, use) or use.at,
        message,
        help=f"Install it in the stage that is shipped: `RUN {line}`."
        if line
        else _no_manager(image),
        related=related,
        confidence=confidence,
        severity=Severity.MEDIUM if soft else None,
        evidence={
            "distribution": use.distribution,
            "needs": [lack.need.name for lack in lacks],
            "packages": sorted({lack.package for lack in lacks if lack.package}),
            "known_by": sorted({lack.need.how for lack in lacks}),
            "undecided": first.reason,
        },
        breaks=dict.fromkeys(breaks),
    )


def _no_manager(image: BuiltImage) -> str:
    if image.base is None or image.base.flavour != "distroless":
        return ""
    return f"`{image.base.text}` has no package manager: take a base that has one."


def _imported(use: Use) -> str:
    if use.artifact is not None:
        imports = f"imports `{use.module}`" if use.module else f"may import `{use.distribution}`"
        return f"{use.artifact} is loaded here, which {imports}"
    return f"`{use.module}` is imported here" if use.module else "what needs it is imported here"


def _confidence(use: Use, lack: Lack) -> Confidence:
    if not lack.sure or not use.certain:
        return Confidence.POSSIBLE
    if lack.need.when == "call":
        return Confidence.LIKELY if lack.need.always else Confidence.POSSIBLE
    if lack.need.how == "executed" and lack.need.exact and lack.verified and use.direct:
        return Confidence.CERTAIN
    return Confidence.LIKELY


def requirement_at(service: Service, use: Use) -> Location | None:
    """The requirement line that brings the distribution in."""
    environment = service.environment
    if environment is None:
        return None
    for name in (use.distribution, *use.via):
        for item in environment.find(name):
            return item.fact.at
    return None


@check("IMG010")
def musl_without_wheels(
    environment: Environment, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """On Alpine pip builds from source what has wheels for glibc only."""
    base, python = environment.base, environment.python
    if base is None or base.libc != "musl" or python is None or "." not in python.version:
        return
    lacking: list[tuple[str, Location]] = []
    judged = False
    for item in environment.requirements:
        if item.fact.url or item.fact.path or item.fact.vcs or item.origin == "conda":
            continue
        there = {
            libc: wheels.installable(
                item.key,
                item.version,
                specifier=item.fact.specifier,
                python=python.version,
                libc=libc,
            ).outcome
            for libc in ("musl", "glibc")
        }
        if there["musl"] == "unknown":
            continue
        judged = True
        if item.key in wheels.OPTIONAL_EXTENSIONS:
            continue
        if there["glibc"] == "wheel" and there["musl"] in ("build", "no-file"):
            lacking.append((item.key, item.fact.at))
    if not lacking:
        if judged:
            yield rule.passed()
        return
    at = environment.at
    for image in deployment.images:
        if image.key == environment.name:
            at = image.image.base.at
    names = ", ".join(f"`{name}`" for name, _ in lacking[:5])
    yield rule.finding(
        at,
        f"`{base.text}` is musl: {names} {'has' if len(lacking) == 1 else 'have'} no musllinux wheel for Python {python.version}, so pip "
        "builds from source or fails",
        help="Use the glibc image (`python:X.Y-slim`): it is smaller once the compilers are counted.",
        related=[Related(where, "needed here") for _, where in lacking[:5]],
        evidence={"distributions": [name for name, _ in lacking]},
    )


@check("IMG013")
def vanished_package(image: BuiltImage, rule: Rule) -> Iterator[Outcome]:
    """Apt is asked for a package that the release does not have."""
    for package in image.system_packages:
        base = package.base
        if package.manager != "apt" or base is None or base.distro != "debian":
            continue
        if base.release not in sonames.SUITES or package.name.startswith(("./", "/")):
            continue
        if set(package.name) & set("*?[]^$/="):
            continue
        release = sonames.release(base.release)
        # A trailing "-" asks for removal, "+" for installation.
        kind = release.kind(package.name)
        if kind is None or (kind == "none" and package.name[-1:] in "+-"):
            continue
        if kind in ("real", "virtual"):
            yield rule.passed()
            continue
        if package.foreign:
            yield rule.undecided(
                f"`{package.name}` may come from the archive that the image adds", at=package.at
            )
            continue
        instead = release.replacement(package.name)
        error = (
            f"`E: Package '{package.name}' has no installation candidate`"
            if kind == "choice"
            else f"`E: Unable to locate package {package.name}`"
        )
        yield rule.finding(
            package.at,
            f"Debian {base.release} has no package `{package.name}`: {error}",
            help=(f"Install `{instead}` instead." if instead else "")
            + ("" if base.release_pinned else f" Or name the release in the tag of `{base.text}`."),
            confidence=Confidence.CERTAIN if base.release_pinned else Confidence.LIKELY,
            related=[Related(image.image.base.at, f"{base.text} is Debian {base.release}")],
            evidence={"package": package.name, "release": base.release, "instead": instead},
            breaks=image.breaks(Stage.BUILDS),
        )


@check("IMG016")
def moving_release(image: BuiltImage, rule: Rule) -> Iterator[Outcome]:
    """Packages whose names changed between releases, on a tag that moves to the next release."""
    base = image.base
    if base is None or image.base_is_local or not base.tag_pinned or not base.official_python:
        return
    named = [p for p in image.system_packages if p.manager == "apt" and p.base == base]
    if not named or base.release not in sonames.SUITES:
        return
    if not base.release_moves(datetime.date.today()):
        yield rule.passed()
        return
    here = sonames.release(base.release)
    others = [sonames.release(suite) for suite in sonames.SUITES if suite != base.release]
    passing = {}
    for package in named:
        if package.foreign or here.kind(package.name) not in ("real", "virtual"):
            continue  # unknown, or missing today already: IMG013
        lacking = [
            r.suite
            for r in (here, *others)
            if r.kind(package.name) in ("virtual", "choice", "none")
        ]
        if lacking:
            passing[package.name] = (package, lacking)
    if not passing:
        yield rule.passed()
        return
    package, lacking = next(iter(passing.values()))
    names = ", ".join(f"`{name}`" for name in list(passing)[:3]) + (
        " …" if len(passing) > 3 else ""
    )
    yield rule.finding(
        image.image.base.at,
        f"`{base.text}` names no release of Debian: it is {base.release} today and will be the next "
        f"one, and not every release has {names} ({lacking[0]} has not)",
        help=f"Name the release in the tag: `{base.text}-{base.release}`.",
        related=[Related(package.at, "asked for by that name here")],
        evidence={"release": base.release, "packages": list(passing)},
    )


_MANAGERS = {
    "apt": ("debian", "ubuntu"),
    "apk": ("alpine",),
    "dnf": ("rpm",), "yum": ("rpm",), "microdnf": ("rpm",), "zypper": (), "pacman": (),
}  # fmt: skip


@check("IMG014")
def foreign_package_manager(image: BuiltImage, rule: Rule) -> Iterator[Outcome]:
    """The package manager of another distribution."""
    reported: set[tuple[str, int]] = set()
    for package in image.system_packages:
        base = package.base
        if base is None or base.distro is None or package.manager not in _MANAGERS:
            continue
        if package.conditional:
            continue  # `if command -v apk …`: whichever there is
        if base.distro in _MANAGERS[package.manager]:
            yield rule.passed()
            continue
        key = (package.manager, package.at.line)
        if key in reported:
            continue
        reported.add(key)
        program = "apt-get" if package.manager == "apt" else package.manager
        own = {"alpine": "apk add --no-cache", "rpm": "dnf install -y"}.get(
            base.distro, "apt-get install -y"
        )
        called = "an RPM system" if base.distro == "rpm" else base.distro.capitalize()
        yield rule.finding(
            package.at,
            f"`{base.text}` is {called} and has no {program}: `/bin/sh: {program}: not found`",
            help=f"Use `{own}` with the names of that distribution, or another base image.",
            related=[Related(image.image.base.at, "the base image")],
            breaks=image.breaks(Stage.BUILDS),
        )


@check("ENV018")
def newer_glibc(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """The wheels of a requirement need a newer glibc than the base has."""
    base, python = environment.base, environment.python
    if base is None or base.glibc is None or python is None or "." not in python.version:
        return
    for item in environment.requirements:
        if item.fact.url or item.fact.path or item.fact.vcs or item.origin == "conda":
            continue
        found = wheels.installable(
            item.key,
            item.version,
            specifier=item.fact.specifier,
            python=python.version,
            libc="glibc",
            glibc=base.glibc,
        )
        if found.outcome == "wheel":
            yield rule.passed()
        elif found.needs_glibc is not None:
            release = f" ({base.release})" if base.release else ""
            yield rule.finding(
                item.fact.at,
                f"the wheels of `{item.key}` need glibc {found.needs_glibc}, and `{base.text}`{release} has "
                f"{base.glibc}: pip passes them over"
                + (" and builds from source" if found.outcome == "build" else ""),
                help="Take a newer release of the base image, or an older one of the package.",
                related=[Related(python.at, "the base image is chosen here")],
                evidence={"needs": found.needs_glibc, "has": base.glibc},
            )
