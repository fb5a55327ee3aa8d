"""PTH: will the files that the code opens be where it looks for them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import BuiltImage, Deployment, Service
from auditor.findings import Confidence, Related, Severity, Stage
from auditor.linking import swallowed
from auditor.linking.paths import PathLink, machine_path
from auditor.parsers.python.facts import Phase
from auditor.source import Location, Unknown


def _opened_later(link: PathLink) -> bool:
    """A directory of templates that is named only: it is opened when a page is asked for."""
    return link.access.loader.endswith((".Jinja2Templates", ".FileSystemLoader"))


def _tripped_over(service: Service, link: PathLink) -> Location | None:
    """Where predictions fail because the error of this read is caught and nothing is loaded."""
    guards = set(link.access.reach.guards)
    if link.seen.answer != "no" or link.access.mode != "read" or not guards:
        return None
    thread = "thread" in guards and not guards - {"thread", "daemon"}
    if not thread and guards - {"try"}:
        return None
    if not link.access.reach.phase.before_serving:
        return None
    facts = service.module_facts.get(link.access.at.path)
    routes = [r for e in service.entries for app in e.trace.apps for r in app.routes]
    for route in routes if facts is not None else ():
        if "predict" not in route.label.lower() or facts is None or route.conditional:
            continue
        trips = swallowed.dies if thread else swallowed.trips
        found = trips(facts, link.access.at.line, route)
        if found is not None:
            return found
    return None


def _stages(service: Service, link: PathLink) -> tuple[tuple[str, Stage], ...]:
    """What a failing read breaks: the start, or the requests that lead to it."""
    if not link.access.reach.certain and _tripped_over(service, link) is not None:
        return service.breaks(Stage.PREDICTS)
    if not link.access.reach.certain or _opened_later(link):
        return ()
    phase = link.access.reach.phase
    if phase.before_serving:
        return service.loading(link.access.at)
    if phase is Phase.REQUEST and "predict" in link.access.reach.route.lower():
        return service.breaks(Stage.PREDICTS)
    return ()


def _judged(service: Service) -> Iterator[PathLink]:
    """Reads that the run really comes to, and that nothing in the run has prepared."""
    present = {
        (link.access.at, link.access.loader) for link in service.reads if link.seen.answer == "yes"
    }
    seen: set[tuple[str, str]] = set()
    for link in service.reads:
        access = link.access
        if access.reach.phase is Phase.UNREACHED or access.created_before or access.downloaded:
            continue
        if access.missing_ok and link.seen.answer != "yes":
            continue
        if not access.reach.certain and link.seen.answer == "no":
            survives = access.mode == "list" or _SURVIVES & set(access.reach.guards)
            if survives and _tripped_over(service, link) is None:
                continue
            if (access.at, access.loader) in present:
                continue  # one of several candidates that the same line tries
        image = service.image
        if link.seen.answer == "no" and image is not None and image.lost_by_copy(link.path):
            continue  # IMG019 or PTH003 says so already.
        if link.seen.answer == "no":
            # A file that is read in several places is missing once.
            if (link.path, access.mode) in seen:
                continue
            seen.add((link.path, access.mode))
        yield link


# Guards under which a missing file is expected and survived.
_SURVIVES = frozenset({"try", "exists", "missing-return"})


def _severity(service: Service, link: PathLink) -> Severity | None:
    """A file made by hand, or read only under a condition, may well be there when it matters."""
    if link.made_by_hand or link.to_be_mounted or link.host_only or _opened_later(link):
        return Severity.MEDIUM
    certain = link.access.reach.certain or _tripped_over(service, link) is not None
    return None if certain else Severity.LOW


def _confidence(service: Service, link: PathLink) -> Confidence:
    if (link.made_by_hand and not link.by_example) or link.to_be_mounted:
        return Confidence.POSSIBLE
    certain = link.access.reach.certain or _tripped_over(service, link) is not None
    return Confidence.LIKELY if certain else Confidence.POSSIBLE


def _ends(service: Service, link: PathLink) -> list[Related]:
    related = []
    tripped = None if link.access.reach.certain else _tripped_over(service, link)
    if tripped is not None:
        how = "ends a thread" if "thread" in link.access.reach.guards else "is caught"
        related.append(Related(tripped, f"the error {how}, and predictions fail here"))
    if link.access.path.base == "cwd" and service.cwd_at is not None:
        related.append(Related(service.cwd_at, f"the working directory is {service.cwd}"))
    if link.seen.at is not None:
        related.append(Related(link.seen.at, link.seen.reason or "this decides what is there"))
    return related


def _error(link: PathLink) -> str:
    """What Python says."""
    if _opened_later(link):
        return "`jinja2.exceptions.TemplateNotFound` for every page"
    if link.access.loader == "fastapi.staticfiles.StaticFiles":
        return f"`RuntimeError: Directory '{_shown(link)}' does not exist`"
    return f"`FileNotFoundError: [Errno 2] No such file or directory: '{_shown(link)}'`"


def _shown(link: PathLink) -> str:
    text = link.access.path.text
    return text if isinstance(text, str) else link.path


@check("PTH001")
def relative_path(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A path relative to the working directory that leads elsewhere in the container."""
    for link in _judged(service):
        if link.access.path.base != "cwd" or link.machine:
            continue
        if link.seen.answer == "yes":
            yield rule.passed()
            continue
        if link.seen.answer == "unknown":
            yield rule.undecided(
                f"`{_shown(link)}`: {link.seen.reason}",
                at=link.access.at,
                blocks=_stages(service, link),
            )
            continue
        if not link.elsewhere:
            continue  # PTH002: it is nowhere in the image.
        yield rule.finding(
            link.access.at,
            f"`{_shown(link)}` is relative: in the container it is {link.path}, and the file is at "
            f"{link.elsewhere[0]}: {_error(link)}",
            help="Build the path from `Path(__file__).resolve().parent`, or set WORKDIR to the directory "
            "that the path starts from.",
            related=_ends(service, link),
            confidence=_confidence(service, link),
            severity=_severity(service, link),
            evidence={"resolved": link.path, "in_image": list(link.elsewhere[:3])},
            breaks=_stages(service, link),
        )


def _mounted_by_another(service: Service, path: str, deployment: Deployment) -> Location | None:
    """Where something whose image is not linked to a Dockerfile mounts this path.

    An image that nothing is seen to run may well be that one.
    """
    if service.origin != "dockerfile":
        return None
    linked = [s.workload for s in deployment.services if s.workload is not None and s.ours]
    targets = [
        (mount.mount_path.value, mount.mount_path.at)
        for workload in deployment.cluster.workloads
        if workload not in linked
        for container in workload.pod.containers
        for mount in container.volume_mounts
        if mount.mount_path is not None
    ]
    targets += [
        (mount.target, mount.at)
        for other in deployment.services
        if not other.ours and other.compose is not None
        for mount in other.mounts
    ]
    for target, at in targets:
        if isinstance(target, str) and f"{path}/".startswith(f"{target.rstrip('/')}/"):
            return at
    return None


def _own(service: Service, link: PathLink) -> bool:
    """A path below the working directory, or from the code's own place, is the project's."""
    if link.access.path.base in ("cwd", "file"):
        return True
    cwd = service.cwd if isinstance(service.cwd, str) else "/"
    return cwd.count("/") > 1 and link.path.startswith(f"{cwd}/")


@check("PTH002")
def missing_path(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A file that the code opens and the image does not have."""
    for link in _judged(service):
        if link.machine or (link.elsewhere and link.access.path.base == "cwd"):
            continue
        if link.ignored is not None:
            continue  # PTH003
        if link.seen.answer == "yes":
            yield rule.passed()
            continue
        if link.seen.answer == "unknown":
            if link.access.path.base != "cwd":
                yield rule.undecided(
                    f"`{_shown(link)}`: {link.seen.reason}",
                    at=link.access.at,
                    blocks=_stages(service, link),
                )
            continue
        if (
            link.path.startswith(("/usr/", "/etc/", "/opt/", "/var/lib/", "/root/", "/nltk_data"))
            and not link.seen.at
            and not _own(service, link)
        ):
            continue
        if link.access.path.depends and any(
            service.variable(name) is None
            for name in link.access.path.depends
            if "file:" not in name
        ):
            # A variable of the platform may lead elsewhere; the default is what was resolved.
            doubt = any(
                service.may_be_set(name) and service.variable(name) is None
                for name in link.access.path.depends
                if "file:" not in name
            )
            confidence = Confidence.POSSIBLE if doubt else Confidence.LIKELY
        else:
            confidence = _confidence(service, link)
        if service.origin == "platform" and not link.path.startswith(f"{service.cwd}/"):
            # A disk of the platform, or the machine on which a bento is served as it was built.
            yield rule.undecided(
                f"`{_shown(link)}` lies outside of what is packaged",
                at=link.access.at,
                blocks=_stages(service, link),
            )
            continue
        another = _mounted_by_another(service, link.path, deployment)
        if another is not None:
            yield rule.undecided(
                f"`{_shown(link)}` is mounted at {another.path}:{another.line}, if that is this image",
                at=link.access.at,
                blocks=_stages(service, link),
            )
            continue
        where = ""
        if link.source_has:
            where = f" ({link.source_has} is in the repository, but no COPY brings it there)"
        if link.elsewhere:
            where = f" (the file is at {link.elsewhere[0]})"
        if link.made_by_hand and link.seen.mounted:
            where = f" unless somebody puts it on the host first: {link.made_by_hand}"
        elif link.made_by_hand:
            where = f" unless somebody makes it before the build: {link.made_by_hand}"
        elif link.to_be_mounted and link.seen.mounted:
            where = " unless it is on the host by the time the profile is started"
        elif link.to_be_mounted:
            where = " unless something is mounted over its directory, which the image leaves empty"
        yield rule.finding(
            link.access.at,
            f"`{_shown(link)}` is not in the image{where}: {_error(link)}",
            related=_ends(service, link),
            confidence=min(confidence, _confidence(service, link)),
            severity=_severity(service, link)
            or (Severity.MEDIUM if confidence is Confidence.POSSIBLE else None),
            evidence={"resolved": link.path, "repository": link.source_has},
            breaks=_stages(service, link),
        )


@check("PTH003")
def ignored_source(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """``.dockerignore`` leaves out what a COPY names, or a file that the code opens."""
    for image in deployment.images:
        yield from _ignored_copy(image, rule)
    for service in deployment.services:
        yield from _ignored_file(service, rule)


def _ignored_file(service: Service, rule: Rule) -> Iterator[Outcome]:
    for link in _judged(service):
        if link.ignored is None or link.machine:
            continue
        repo, pattern = link.ignored
        yield rule.finding(
            link.access.at,
            f"`{_shown(link)}` is not in the image: .dockerignore leaves {repo} out: {_error(link)}",
            help="Add an exception (`!` and the path) to .dockerignore, below the pattern.",
            related=[Related(pattern, "left out by this pattern"), *_ends(service, link)],
            confidence=_confidence(service, link),
            severity=_severity(service, link),
            evidence={"resolved": link.path, "repository": repo},
            breaks=_stages(service, link),
        )


def _ignored_copy(image: BuiltImage, rule: Rule) -> Iterator[Outcome]:
    if image.image.copies:
        yield rule.passed()
    for problem in image.copy_problems:
        if problem.kind != "ignored":
            continue
        ignored = problem.ignored_by
        yield rule.finding(
            problem.at,
            f"`{problem.source}` is left out by .dockerignore, so this COPY finds nothing: the build fails",
            help="Add an exception (`!` and the path) to .dockerignore, below the pattern.",
            related=[Related(ignored.at, "left out by this pattern")] if ignored else (),
            breaks=image.breaks(Stage.BUILDS) if problem.certain else (),
        )


@check("PTH004")
def relative_destination(image: BuiltImage, rule: Rule) -> Iterator[Outcome]:
    """COPY to a relative destination although no WORKDIR was set."""
    for step in image.image.copies:
        destination = step.instruction.destination.text
        if destination.startswith(("/", "$", '"/', "'/", "~")) or "$" in destination:
            continue
        workdir = next(
            (
                state.workdir
                for instruction, state in image.image.trace
                if instruction.at == step.instruction.at
            ),
            None,
        )
        if workdir != "/" or isinstance(workdir, Unknown):
            yield rule.passed()
            continue
        base = image.base
        if base is None or base.flavour is None:
            continue  # The base image may set a working directory of its own.
        yield rule.finding(
            step.instruction.destination.at,
            f"`{destination}` is relative and no WORKDIR is set: the files land in `/`",
            help="Set `WORKDIR /app` before the first relative COPY.",
        )


@check("PTH005")
def relative_volume(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A volume target that is relative, or an anonymous volume that hides what the image has."""
    for mount in service.mounts:
        if not isinstance(mount.target, str):
            continue
        if not mount.target.startswith(("/", "~", "$")) and ":" not in mount.target[:3]:
            yield rule.finding(
                mount.at,
                f"`{mount.target}` is not absolute: the engine refuses to start the container "
                "(`invalid mount path … must be absolute`)",
                help="Give the target as the container sees it, from `/`.",
                breaks=service.breaks(Stage.STARTS),
            )
            continue
        if mount.kind == "bind" and mount.source is not None and mount.source_exists is False:
            # Directories for data are made by the engine, as meant; a file is not.
            if mount.made_by_hand or not posixpath.splitext(mount.source)[1]:
                continue
            yield rule.finding(
                mount.at,
                f"`{mount.source_text or mount.source}` is not in the repository: the engine makes an empty "
                f"directory of that name and mounts it where a file is expected ({mount.target})",
                help="Commit the file, or correct the path.",
                severity=Severity.MEDIUM,
                confidence=Confidence.LIKELY,
            )
            continue
        yield rule.passed()


@check("PTH006")
def machine_specific_path(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A path of somebody's own machine."""
    judged = False
    present = {
        (link.access.at, link.access.loader) for link in service.reads if link.seen.answer == "yes"
    }
    for entry in service.entries:
        for access in entry.trace.files:
            text = access.path.text
            if not isinstance(text, str) or access.reach.phase is Phase.UNREACHED:
                continue
            judged = True
            if not machine_path(service, text) or (access.at, access.loader) in present:
                continue
            if access.missing_ok or access.created_before:
                continue
            if not access.reach.certain and _SURVIVES & set(access.reach.guards):
                continue
            fails = access.mode in ("read", "list") and access.reach.certain
            starts = access.reach.phase.before_serving
            broken = service.loading(access.at) if starts else service.breaks(Stage.PREDICTS)
            yield rule.finding(
                access.at,
                f"`{text}` is a path of one developer's machine; the container has no such file",
                help="Copy the file into the image and build the path from `Path(__file__)`, or read it from a "
                "variable.",
                breaks=broken if fails else (),
                severity=None
                if fails
                else Severity.MEDIUM
                if access.reach.certain
                else Severity.LOW,
                confidence=None
                if fails
                else Confidence.LIKELY
                if access.reach.certain
                else Confidence.POSSIBLE,
            )
    if judged:
        yield rule.passed()


@check("PTH007")
def missing_directory(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A file is written into a directory that the image does not have."""
    seen: set[str] = set()
    for item in service.writes:
        access = item.link.access
        if access.reach.phase is Phase.UNREACHED or access.mode == "list":
            continue
        if not item.homeless:
            yield rule.passed()
            continue
        parent = posixpath.dirname(item.link.path)
        if parent in seen or _SURVIVES & set(access.reach.guards):
            continue
        seen.add(parent)
        shown = _shown(item.link)
        error = (
            "sqlite3.OperationalError: unable to open database file"
            if access.kind == "database"
            else f"FileNotFoundError: [Errno 2] No such file or directory: '{shown}'"
        )
        yield rule.finding(
            access.at,
            f"`{shown}` is written into {parent}, which is not in the image, and nothing makes it "
            f"before: `{error}`",
            help=f"Make it first (`Path(…).parent.mkdir(parents=True, exist_ok=True)`), or in the "
            f"image: `RUN mkdir -p {parent}`.",
            related=_ends(service, item.link),
            confidence=_confidence(service, item.link),
            severity=_severity(service, item.link),
            breaks=_stages(service, item.link),
        )
