"""``deploy-audit syslibs -r FILE --base IMAGE``: the system packages that requirements need."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from auditor.cli import options
from auditor.cli.app import complain
from auditor.cli.audit import check_request
from auditor.cli.declare import Argument, Context, Option
from auditor.cli.parser import requests_of
from auditor.cli.streams import remark, wants_color, width_of, write_file, write_stdout
from auditor.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from auditor.deployment.base import Base
    from auditor.linking.userland import Lack, Root
    from auditor.parsers.requirements import Requirement
    from auditor.result import AuditResult
    from auditor.source import SourceText


def command(
    ctx: Context,
    packages: Annotated[
        list[str] | None,
        Argument(metavar="REQUIREMENT", help="Requirements, as for pip install."),
    ] = None,
    requirement: Annotated[
        list[str] | None,
        Option("--requirement", "-r", metavar="FILE", help="A requirements file; adds up."),
    ] = None,
    base: Annotated[
        str, Option("--base", metavar="IMAGE", help="The image that runs them.")
    ] = "python:3.12-slim",
    online: options.Online = None,
    no_cache: options.NoCache = False,
    format: options.Format = None,
    output: options.Output = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> int:
    """Name the shared libraries and programs that requirements need and an image lacks.

    Prints one line that installs them. Exit status 1 when something is missing.
    """
    if not packages and not requirement:
        raise UsageError("give requirements, or a file of them with -r")
    from auditor.deployment.base import describe
    from auditor.reports import FORMATS, Options, render

    requests = requests_of(ctx)
    for request in requests:
        check_request(request, FORMATS)
    image = describe(base)
    python = image.python or image.packaged_python
    roots, files, unnamed = read(packages or [], requirement or [], image)
    from auditor.linking import setups, userland

    with ExitStack() as stack:
        index = None
        if online:
            from auditor.online import connected

            index = stack.enter_context(connected(cache=not no_cache))
        lacks = userland.of_list(roots, image, python=python)
        builds = userland.builds(roots, image, python=python or FALLBACK)
        versions = {name: version for name, _, version in roots}
        imported = (
            (name, setups.undeclared(name, versions.get(name), python or FALLBACK))
            for name, _ in builds
        )
        early = {name: found.modules for name, found in imported if found is not None}
        unread = (*userland.unread_of(roots, python=python), *unnamed)
        for text in index.remarks if index is not None else ():
            remark(text, quiet=quiet)
    named = bool(builds) or any(x.package for x in lacks)
    for text in unsure(image, named=named, built=bool(builds)):
        remark(text, quiet=quiet)
    colored = wants_color(color, sys.stdout)
    for request in requests:
        to_stdout = request.output is None
        if request.format == "console":
            text = summary(image, lacks, builds, unread, asked=index is not None, early=early)
        else:
            shown = Options(
                color=colored if to_stdout else color == "always",
                width=width_of(sys.stdout) if to_stdout else 80,
                encoding=(sys.stdout.encoding or "utf-8") if to_stdout else "utf-8",
                verbose=verbose > 0,
                quiet=quiet,
            )
            text = render(request.format, result_of(image, lacks, builds, files, unread), shown)
        if request.output is None:
            write_stdout(text)
        else:
            write_file(Path(request.output), text)
    hard = [x for x in lacks if not x.need.hint and (x.need.when == "import" or x.need.always)]
    return ExitStatus.FINDINGS if hard or builds else ExitStatus.PASSED


# The interpreter of a base that tells none.
FALLBACK = "3.12"


def unsure(image: Base, *, named: bool, built: bool) -> Iterator[str]:
    """What of the answer is not established for that image. ``named``: packages are; ``built``:
    what is compiled is among them.
    """
    from auditor.linking.userland import Userland

    land = Userland(image)
    if image.distro is None:
        yield f"what {image.text} is based on is not known: assuming Debian trixie"
    elif image.distro == "rpm":
        yield f"what {image.text} has already is not known: dnf passes over what is there"
    elif land.reasons:
        yield f"{'; '.join(land.reasons)}: the answer is possible, not certain"
    if named and image.distro in ("alpine", "ubuntu"):
        called = image.distro.capitalize()
        yield f"the names of {called}'s packages are likely, not tried out"
    if built and image.python is None:
        python = image.packaged_python
        whose = f"Python {python}, as {image.text} packages it" if python else f"Python {FALLBACK}"
        yield f"what is built from source is said for {whose}"


def read(
    given: list[str], files: list[str], image: Base
) -> tuple[list[Root], tuple[Requirement, ...], tuple[str, ...]]:
    """Everything asked for on Linux: as roots, as written, and what has no name (paths, URLs).

    Complains about what is unread.
    """
    from auditor.linking import wheels
    from auditor.parsers import requirements
    from auditor.source import Location, SourceText

    found: list[Requirement] = []
    for name in files:
        path = Path(name)
        folder = path.parent

        def reader(inner: str, folder: Path = folder) -> SourceText | None:
            try:
                return requirements.decode(inner, (folder / inner).read_bytes())
            except OSError:
                return None

        if not path.is_file():
            raise UsageError(f"-r {name}: there is no such file")
        resolved = requirements.resolve(path.name, reader)
        found += resolved.requirements
        for problem in resolved.problems:
            complain(f"{folder / problem.at.path}:{problem.at.line}: {problem.message}")
    source = SourceText("command line", "\n".join(given))
    parsed = requirements.parse(source)
    for problem in parsed.problems:
        raise UsageError(problem.message)
    found += [r for r in parsed.requirements if isinstance(r.at, Location)]
    python = image.python or image.packaged_python or FALLBACK
    environment = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python if python.count(".") > 1 else f"{python}.0",
    }
    roots: list[Root] = []
    unnamed: list[str] = []
    for item in found:
        if item.applies(environment) is False:
            continue
        if not item.likely_name:
            unnamed.append(item.path or item.url or "a requirement without a name")
            continue
        version = item.pinned_version
        if version is None and item.specifier:
            version = wheels.newest(item.key, specifier=item.specifier, python=python)
        key = item.key or requirements.normalise(item.likely_name)
        roots.append((key, item.extras, version))
    return roots, tuple(found), tuple(dict.fromkeys(unnamed))


UNREAD = "what it needs of the system is not known"


def summary(
    image: Base,
    lacks: tuple[Lack, ...],
    builds: tuple[tuple[str, tuple[str, ...]], ...],
    unread: tuple[str, ...] = (),
    *,
    asked: bool = False,
    early: Mapping[str, tuple[str, ...]] | None = None,
) -> str:
    """What is missing, one line each, what is not known, and the command that installs it.

    ``asked``: the index was. ``early``: what building imports before pip has installed it.
    """
    from auditor.linking import sonames, userland
    from auditor.reports.escape import printable

    early = early or {}
    lines: list[str] = []
    if not lacks and not builds:
        among = " of what is known" if unread else ""
        lines.append(f"nothing{among} is missing on {image.text}")
    width = max((len(x.need.name) for x in lacks), default=0)
    wide = max((len(x.need.distribution) for x in lacks), default=0)
    # Where something is missing in any case, the line is for that.
    hard = any(x.package and (x.need.when == "import" or x.need.always) for x in lacks)
    left = "; not in the line below" if hard else ""
    for lack in sorted(lacks, key=lambda x: (x.need.when != "import", not x.need.always)):
        need = lack.need
        note = "" if need.when == "import" or need.always else f"  (some of its functions{left})"
        note = "  (its code starts or loads it; not in the line below)" if need.hint else note
        package = lack.package or "no package of it is known here"
        lines.append(
            f"{need.name:{width}}  needed by {need.distribution:{wide}}  {package}{note}".rstrip()
        )
    there: list[tuple[str, tuple[str, ...]]] = []
    apk = image.distro == "alpine"
    for name, packages in builds:
        least = "" if sonames.build_known(name, packages) and not apk else "at least "
        text = f"{name} is built from source, which takes {least}{' '.join(packages)}"
        if name in early:
            text += (
                f"; its setup.py imports {', '.join(early[name])}: install that before it, and it with "
                "--no-build-isolation"
            )
        if gone := userland.absent(packages, image):
            # The others would do nothing for it.
            lines.append(
                f"{text}: {image.text} has no {', '.join(gone)}, take another release of one"
            )
        else:
            there.append((name, packages))
            lines.append(text)
    if unread:
        lines.append(f"NOT KNOWN: {', '.join(unread)}")
        lines.append(
            "  neither a wheel nor a source archive of theirs could be read"
            if asked
            else "  in no table, so this is not a clean answer; --online reads their files"
        )
    if line := userland.install_line(lacks, there, apk=apk):
        lines += ["", line]
    elif lacks and image.flavour == "distroless":
        lines += [
            "",
            f"{image.text} has no package manager: take a base that has one, or copy the files from a "
            "stage that installs them",
        ]
    return "".join(f"{printable(line)}\n" for line in lines)


def result_of(
    image: Base,
    lacks: tuple[Lack, ...],
    builds: tuple[tuple[str, tuple[str, ...]], ...],
    requirements: tuple[Requirement, ...],
    unread: tuple[str, ...] = (),
) -> AuditResult:
    """The answer as the reports read it: one service that is the base image."""
    from auditor.linking import userland
    from auditor.result import (
        AuditResult,
        EnvironmentReport,
        Forecast,
        MissingLibrary,
        RequirementReport,
        Score,
        ServiceReport,
        Skipped,
    )

    to_build = tuple(
        MissingLibrary(soname_or_binary=package, package_needing_it=name, apt=package)
        for name, packages in builds
        for package in packages
    )
    return AuditResult(
        root=Path.cwd().as_posix(),
        score=Score(),
        skipped=tuple(Skipped(path=name, reason=UNREAD) for name in unread),
        services=(
            ServiceReport(
                name=image.text,
                forecast=Forecast(),
                image=image.text,
                python=image.python,
                base=image.text,
                distro=" ".join(x for x in (image.distro, image.release) if x) or None,
                missing_system_libraries=userland.missing(lacks) + to_build,
            ),
        ),
        environments=(
            EnvironmentReport(
                name=image.text,
                python=image.python,
                requirements=tuple(
                    RequirementReport(
                        name=r.name or r.likely_name,
                        specifier=r.specifier,
                        pinned=r.is_pinned,
                        locked_version=r.pinned_version,
                        path=r.at.path,
                        line=r.at.line,
                    )
                    for r in requirements
                ),
                locked=False,
                hashed=bool(requirements) and all(r.hashes for r in requirements),
            ),
        ),
    )
