"""What an image's distributions need of the system, against what the image has.

``requirements → wheels → sonames and programs`` on one side, ``base image + apt/apk`` on the
other. See ``sonames`` for the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from auditor.linking import distributions, sonames, wheels
from auditor.linking.sonames import Need
from auditor.parsers.python.facts import LEFT_EARLY, Phase
from auditor.result import MissingLibrary
from auditor.source import Location
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.deployment.base import Base
    from auditor.deployment.model import Artifact, BuiltImage, Deployment, Service, SystemPackage
    from auditor.linking.distributions import Installed
    from auditor.linking.paths import PathLink
    from auditor.parsers.python.facts import FileAccess

Answer = Literal["yes", "no", "unknown"]
Manager = Literal["apt", "apk", "dnf"]


@value
class Use:
    """A distribution that a service imports. ``via`` leads from the one its code names."""

    distribution: str
    module: str
    at: Location
    phase: Phase
    certain: bool
    direct: bool = True
    via: tuple[str, ...] = ()
    # An artifact names it: it is imported when that is loaded.
    artifact: str | None = None


@value
class Lack:
    """A need that the image does not meet.

    ``package`` is what to install (None: no package of the release has it). ``elsewhere`` is the
    package in a stage that is not shipped. ``sure`` is False when the base image, or what its
    commands install, is not known well enough.
    """

    need: Need
    package: str | None
    # None: the image has no package manager.
    manager: Manager | None
    elsewhere: SystemPackage | None = None
    sure: bool = True
    verified: bool = True
    reason: str = ""


class Userland:
    """The system packages of one image (or of a base with a list of packages)."""

    def __init__(
        self,
        base: Base | None,
        packages: Iterable[SystemPackage] = (),
        *,
        opaque: Iterable[str] = (),
    ) -> None:
        self.base = base
        self.libc = base.libc if base is not None else None
        self.packages = tuple(packages)
        self.reasons = list(opaque)
        self.manager: Manager | None = None
        self.release: sonames.Release | None = None
        self.verified = False
        self.has: frozenset[str] = frozenset()
        # What Alpine's packages bring, by Debian's names.
        self.alike: frozenset[str] = frozenset()
        self.elsewhere: dict[str, SystemPackage] = {}
        self._read()

    def _read(self) -> None:
        base = self.base
        if base is None or base.distro is None:
            self.reasons.append(f"what {base.text if base else 'the base image'} has is not known")
        if base is not None and base.distro in ("alpine", "rpm"):
            self.manager = "apk" if base.distro == "alpine" else "dnf"
            self.has = frozenset(p.name for p in self._shipped())
            if self.manager == "dnf":
                self.reasons.append(f"what {base.text} has is not known")
            else:
                self._read_alpine()
            return
        suite = sonames.suite_of(base.distro, base.release) if base is not None else None
        if suite is None and any(p.manager == "apk" for p in self.packages):
            self.manager = "apk"
            return
        if suite is None and base is not None and base.distro is not None:
            self.reasons.append(f"the packages of {base.text} are not known")
        name, self.verified = suite or (sonames.NEWEST, False)
        if any(p.manager not in ("apt", "dpkg") for p in self.packages):
            self.reasons.append("it is not a Debian system")
            self.verified = False
        flavour = base.flavour if base is not None else None
        if base is not None and base.distro is not None and flavour is None:
            self.reasons.append(f"what {base.text} has besides {base.distro} is not known")
        self.manager = "apt" if flavour != "distroless" else None
        self.release = release = sonames.release(name)
        there = release.base("debian" if flavour == "ubuntu" else flavour or "debian")
        if there is None:
            self.reasons.append(f"what {base.text if base else 'the base'} has is not known")
        elif flavour == "miniconda":
            self.reasons.append("conda's own libraries may serve")
        there = (there or frozenset()) | (base.packages if base is not None else frozenset())
        if base is not None and "devel" in base.text:
            there |= release.brings(["build-essential"], recommends=False)
        self.has = there | self.brought(self._shipped())
        for package in self.packages:
            if not package.shipped:
                for brought in self.brought([package]):
                    self.elsewhere.setdefault(brought, package)

    def _read_alpine(self) -> None:
        self.alike, unknown = sonames.apk_brings(sorted(self.has))
        if unknown:
            self.reasons.append(f"what {', '.join(unknown[:3])} brings is not known")

    def _shipped(self) -> list[SystemPackage]:
        return [p for p in self.packages if p.shipped and not p.removed]

    def brought(self, packages: Iterable[SystemPackage]) -> frozenset[str]:
        """The packages that matter among what installing these brings."""
        if self.release is None:
            return frozenset(p.name for p in packages)
        listed = list(packages)
        found: set[str] = {p.name for p in listed}
        for recommends in (False, True):
            names = [self._meant(p.name) for p in listed if p.recommends is recommends]
            found |= self.release.brings(names, recommends=recommends)
        return frozenset(found)

    def _meant(self, name: str) -> str:
        """A name that the release no longer has counts as what replaced it: it is reported once,
        where it is asked for.
        """
        release = self.release
        if release is None or release.kind(name) != "none":
            return name
        return release.replacement(name) or name

    def package_for(self, need: Need) -> str | None:
        """What to install for a need."""
        if self.manager == "apk":
            return sonames.apk_package(need.names)
        if self.manager == "dnf":
            return sonames.rpm_capability(need)
        return self.release.provider(need) if self.release is not None else None

    def meets(self, need: Need) -> bool:
        """Whether a package that the image has answers the need."""
        has, release = self.has, self.release
        if release is None:
            package = self.package_for(need)
            if package is not None and package in has:
                return True
            has, release = self.alike, sonames.release(sonames.NEWEST)
        look = release.library if need.kind == "library" else release.program
        if any(look(name) in has for name in need.names):
            return True
        return need.kind == "program" and any(
            not set(need.names).isdisjoint(sonames.set_up_by(package.name))
            for package in self._shipped()
        )

    def lacks(self, need: Need) -> Lack | None:
        """The need as unmet, or None when the image answers it."""
        if need.when == "build" or self.meets(need):
            return None
        if need.kind == "program" and self.base is not None and self._has_program(need):
            return None
        package = self.package_for(need)
        if (release := self.release) is not None and need.kind == "library":
            # A library that goes by another number in each release: by the one that it has there.
            here = sorted(need.names, key=lambda name: release.library(name) is None)
            need = replace(need, names=tuple(here))
        return Lack(
            need=need,
            package=self.release.spoken(package) if self.release and package else package,
            manager=self.manager,
            elsewhere=self.elsewhere.get(package) if package else None,
            sure=not self.reasons,
            verified=self.verified,
            reason="; ".join(dict.fromkeys(self.reasons)),
        )

    def lacking(self, packages: Iterable[str]) -> tuple[str, ...]:
        """Which of these packages it does not have.

        Each may name alternatives (``a|b``), of which one will do; the first that the release
        has is named.
        """
        found: list[str] = []
        for text in packages:
            names = text.split("|")
            if any(map(self._has_package, names)):
                continue
            if self.manager == "apk":
                found += sonames.apk_build(names)
                continue
            there = [n for n in names if self._kind(n) in ("real", "virtual")]
            found.append((there or names)[0])
        return tuple(dict.fromkeys(found))

    def _kind(self, name: str) -> str | None:
        return self.release.kind(name) if self.release is not None else None

    def _has_package(self, name: str) -> bool:
        if name in self.has:
            return True
        other = self.release.standing_for(name) if self.release is not None else None
        return other is not None and other in self.has

    def _has_program(self, need: Need) -> bool:
        return self.base is not None and any(self.base.has_program(n) for n in need.names)


def of_image(image: BuiltImage) -> Userland:
    """The userland of a built image's shipped stage."""
    return Userland(image.base, image.system_packages, opaque=image.opaque_system)


def _is_plain(distribution: str) -> bool:
    """Whether a table knows it as pure Python, and none knows it to need anything."""
    return (
        distributions.known(distribution)
        and not sonames.listed(distribution)
        and not wheels.is_native(distribution)
    )


def knows(distribution: str, version: str | None = None, *, along: bool = False) -> bool:
    """Whether it is known what the release needs: surveyed, read just now, or pure Python.

    ``along``: it only comes with another one. What did so where that one was executed is known
    as far as that goes.
    """
    if along and sonames.came_along(distribution):
        return True
    return _is_plain(distribution) or sonames.known(distribution, version)


def needed(
    installed: Installed | Mapping[str, str | None], *, libc: str | None
) -> Iterator[tuple[str, Need]]:
    """(distribution, need) of everything installed, in alphabetical order."""
    versions: Mapping[str, str | None] = (
        {n: d.version for n, d in installed.distributions.items()}
        if not isinstance(installed, Mapping)
        else installed
    )
    for name in sorted(versions):
        spared = sonames.unless(name)
        for need in sonames.needs(name, versions[name], libc=libc):
            if any(other in versions for other in spared.get(need.name, ())):
                continue
            yield name, need


# Requirements that are followed through the index.
MOST_ROOTS = 300
# What may stand before an import that the run is not made to do without.
_UNDECIDED = LEFT_EARLY | {"if", "except", "loop", "exists", "missing", "thread"}


def uses(service: Service, deployment: Deployment) -> tuple[Use, ...]:
    """The distributions that the service's code, and the artifacts it loads, import."""
    environment = service.environment
    if environment is None or environment.installed is None:
        return ()
    installed = environment.installed
    python = environment.python.version if environment.python else None
    found: dict[tuple[str, str], Use] = {}

    def add(use: Use) -> None:
        key = (use.distribution, use.module)
        known = found.get(key)
        # The earliest and surest import of a module is the one that fails.
        if known is None or (use.phase, not use.certain) < (known.phase, not known.certain):
            found[key] = use

    for use in _imported(service, installed):
        add(use)
    for use in _artifact_uses(service, deployment, installed):
        add(use)
    for use in _unread_uses(service, deployment):
        add(use)
    for use in list(found.values()):
        asked = tuple(e for r in environment.find(use.distribution) for e in r.fact.extras)
        plain = {via[-1] for via in _brought(use.distribution, installed, python)}
        for via in _brought(use.distribution, installed, python, asked):
            add(
                Use(
                    distribution=via[-1],
                    module="",
                    at=use.at,
                    phase=use.phase,
                    # What comes with an extra is imported by the features that it is for.
                    certain=use.certain and via[-1] in plain,
                    direct=False,
                    via=(use.distribution, *via),
                    artifact=use.artifact,
                )
            )
    return tuple(found.values())


def _imported(service: Service, installed: Installed) -> Iterator[Use]:
    """What the service's own code imports, and what the names it takes lead to."""
    for entry in service.entries:
        for item in entry.trace.imports:
            if item.found != "external" or item.reach.phase is Phase.UNREACHED or item.fact.level:
                continue
            guards = {*item.reach.guards, *item.fact.guards}
            if guards - _UNDECIDED:
                continue
            top = item.module.partition(".")[0]
            owner = "python" if distributions.is_stdlib(top) else installed.provides(item.module).by
            use = Use(
                distribution=owner,
                module=item.module,
                at=item.fact.at,
                phase=item.reach.phase,
                certain=item.reach.certain and not guards,
            )
            if owner:
                yield use
            for name in sonames.leads_to(item.module, item.fact.names):
                if installed.has(name):
                    yield replace(use, distribution=name, certain=False)


_UNPICKLERS = frozenset({"pickle", "joblib", "dill", "cloudpickle", "mlflow"})


def _unread_uses(service: Service, deployment: Deployment) -> Iterator[Use]:
    """Libraries of models that are asked for and that no code names, as far as a model is loaded
    that is not in the repository: it may be one of theirs.
    """
    environment = service.environment
    named = {item.module for entry in service.entries for item in entry.trace.imports}
    if environment is None or not _UNPICKLERS & {m.partition(".")[0] for m in named}:
        return
    unread = next(_unread_loads(service, deployment), None)
    if unread is None:
        return
    for name in sonames.of_models():
        if environment.find(name) and not named & {*distributions.modules_of(name)}:
            yield Use(
                distribution=name,
                module="",
                at=unread.at,
                phase=unread.reach.phase,
                certain=False,
                artifact="a model that is not in the repository",
            )


def _unread_loads(service: Service, deployment: Deployment) -> Iterator[FileAccess]:
    """Where the service loads a model that the repository does not hold: it is not there, only
    Git LFS's pointer to it is, or it is in a registry.
    """
    from auditor.linking.paths import REGISTRIES

    for link in service.reads:
        access = link.access
        if access.mode != "read" or access.reach.phase is Phase.UNREACHED:
            continue
        if access.kind in ("artifact", "file") and (
            link.seen.repo is None
            or any(a.facts.format == "lfs-pointer" for a in _loaded(link, deployment))
        ):
            yield access
    for entry in service.entries:
        for access in entry.trace.files:
            if access.kind != "artifact" or access.mode != "read":
                continue
            text = access.path.text
            kept = text.startswith(REGISTRIES) if isinstance(text, str) else False
            # What MLflow loads from a place that is computed is a registry's, as a rule.
            kept = kept or (not isinstance(text, str) and access.loader.startswith("mlflow."))
            if kept and access.reach.phase is not Phase.UNREACHED:
                yield access


def _loaded(link: PathLink, deployment: Deployment) -> tuple[Artifact, ...]:
    """The artifacts that loading from a path reads: an MLflow model is a directory of them."""
    repo = link.seen.repo
    if repo is None:
        return ()
    below = f"{repo}/" if link.access.loader.startswith("mlflow.") else None
    return tuple(
        artifact
        for artifact in deployment.artifacts
        if artifact.path == repo or (below is not None and artifact.path.startswith(below))
    )


def _brought(
    start: str, installed: Installed, python: str | None, extras: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Paths to what a distribution requires and imports along, nearest first."""
    seen = {start}
    queue: list[tuple[tuple[str, ...], tuple[str, ...]]] = [((start,), extras)]
    while queue:
        path, wanted = queue.pop(0)
        skipped = set(sonames.lazy(path[-1])) | set(sonames.lazy(start))
        for child, brought in distributions.requirements_of(path[-1], python, wanted):
            if child in seen or child in skipped or not installed.has(child):
                continue
            seen.add(child)
            queue.append(((*path, child), brought))
            yield (*path[1:], child)


def _artifact_uses(service: Service, deployment: Deployment, installed: Installed) -> Iterator[Use]:
    """What the artifacts that the service reads import while they are loaded."""
    loaded = (
        (link, artifact)
        for link in service.reads
        if link.access.reach.phase is not Phase.UNREACHED
        for artifact in _loaded(link, deployment)
    )
    for link, artifact in loaded:
        for module in {g.rpartition(".")[0] for g in artifact.facts.globals}:
            top = module.partition(".")[0]
            if not top or distributions.is_stdlib(top):
                continue
            owner = installed.provides(module).by
            if owner:
                yield Use(
                    distribution=owner,
                    module=module,
                    at=link.access.at,
                    phase=link.access.reach.phase,
                    # What lies deeper in a model's directory may be read on demand.
                    certain=link.access.reach.certain
                    and artifact.path.count("/") <= (link.seen.repo or "").count("/") + 1,
                    artifact=artifact.path,
                )


def applies(need: Need, use: Use) -> bool:
    """Whether this use of the distribution meets the need."""
    if need.when == "build" or (need.direct and not use.direct):
        return False
    if need.hint and not need.module:
        return False
    if need.when == "call" and not use.direct and not need.through:
        return False
    if need.module:
        return use.module == need.module or use.module.startswith(f"{need.module}.")
    # Needs of the interpreter are bound to one module each.
    return use.distribution != "python"


def lacking(service: Service, deployment: Deployment) -> tuple[tuple[Use, tuple[Lack, ...]], ...]:
    """What the service imports, each with the needs that its image does not meet.

    Only distributions that the service's code or artifacts import are judged: one that is
    installed and never imported breaks nothing.
    """
    image, environment = service.image, service.environment
    if image is None or environment is None or environment.installed is None:
        return ()
    wanted = [
        use
        for use in uses(service, deployment)
        if use.distribution == "python"
        or (
            not _is_plain(use.distribution)
            and sonames.known(use.distribution, environment.installed.version(use.distribution))
        )
    ]
    if not wanted:
        return ()
    land = of_image(image)
    result: list[tuple[Use, tuple[Lack, ...]]] = []
    for use in wanted:
        version = environment.installed.version(use.distribution)
        spared = sonames.unless(use.distribution)
        lacks = []
        for need in sonames.needs(use.distribution, version, libc=land.libc):
            if not applies(need, use) or _excused(need, service):
                continue
            if any(environment.installed.has(o) for o in spared.get(need.name, ())):
                continue
            lack = land.lacks(need)
            if lack is not None:
                lacks.append(lack)
        if lacks or sonames.needs(use.distribution, version, libc=land.libc):
            result.append((use, tuple(lacks)))
    return tuple(result)


def unread(service: Service, deployment: Deployment) -> tuple[Use, ...]:
    """What the service's own code imports, or that brings along, of which nobody knows what it
    needs of the system.
    """
    environment = service.environment
    if service.image is None or environment is None or environment.installed is None:
        return ()
    version = environment.installed.version
    return tuple(
        use
        for use in uses(service, deployment)
        if use.distribution != "python"
        and not knows(use.distribution, version(use.distribution), along=not use.direct)
    )


def _excused(need: Need, service: Service) -> bool:
    """GitPython imports without ``git`` where a variable tells it not to look for it."""
    if need.distribution != "gitpython":
        return False
    told = service.variable("GIT_PYTHON_REFRESH")
    value = told.value if told is not None else ""
    return not isinstance(value, str) or value.lower() in _QUIET


# Everything but "raise", "error" and their kin.
_QUIET = frozenset(
    [
        "0",
        "1",
        "l",
        "log",
        "n",
        "none",
        "q",
        "quiet",
        "s",
        "silence",
        "silent",
        "w",
        "warn",
        "warning",
    ]
)


def missing(lacks: Iterable[Lack]) -> tuple[MissingLibrary, ...]:
    """Unmet needs as reports spell them, those of import and of the main purpose first."""
    found: dict[tuple[str, str], MissingLibrary] = {}
    for lack in sorted(lacks, key=lambda x: (x.need.when != "import", x.need.distribution)):
        need = lack.need
        key = (need.name, need.distribution)
        if key not in found and not need.hint:
            found[key] = MissingLibrary(
                soname_or_binary=need.name,
                package_needing_it=need.distribution,
                apt=lack.package if lack.manager == "apt" else None,
                apk=lack.package if lack.manager == "apk" else sonames.apk_package(need.names),
            )
    return tuple(found.values())


def of_list(
    roots: Iterable[tuple[str, tuple[str, ...], str | None]],
    base: Base | None,
    *,
    packages: Iterable[SystemPackage] = (),
    python: str | None = None,
) -> tuple[Lack, ...]:
    """What a list of distributions (name, extras, version or None) lacks on a base image.

    Everything the list brings along is judged, save what the distribution that brings it does
    not import by itself. Needs that only some functions of a distribution have count for those
    that the list names.
    """
    asked = list(roots)
    brought = closure(asked, python)
    installed = brought.installed
    direct = {name for name, _, _ in asked}
    reached = _reached(brought, direct, python)
    land = Userland(base, packages)
    versions = {n: d.version or _newest(n, python) for n, d in installed.distributions.items()}
    found: dict[tuple[str, tuple[str, ...]], Lack] = {}
    for name, need in needed(versions, libc=land.libc):
        if name in brought.dormant - reached and need.when == "import" and not need.direct:
            # Some function imports it: told, and not installed for that.
            need = replace(need, when="call", always=False, hint=True, through=True)
        elif name not in reached or need.when == "build":
            continue
        called = need.when == "call" and not need.through
        if name not in direct and (need.direct or need.module or called):
            continue
        # What code names in passing is told of what was asked about.
        if need.hint and name not in direct and name not in brought.dormant:
            continue
        lack = land.lacks(need)
        if lack is not None:
            found[(name, need.names)] = lack
    return tuple(found.values())


def _reached(brought: Closure, direct: set[str], python: str | None) -> set[str]:
    """What of the closure is imported along."""
    installed = brought.installed
    reached = {name for name, _, _ in brought.named} - brought.dormant
    for name in sorted(reached):
        reached.update(path[-1] for path in _brought(name, installed, python))
    # Extras are asked for because they are used.
    return reached | {
        n for n, d in installed.distributions.items() if d.via in direct and _extra(n, d.via)
    }


def _newest(name: str, python: str | None) -> str | None:
    """The newest release for the interpreter, of what the shipped table has releases of."""
    from auditor import online

    if python is None or online.active() is not None or not wheels.is_native(name):
        return None
    return wheels.newest(name, "", python)


Root = tuple[str, tuple[str, ...], str | None]


@value
class Closure:
    """The roots with what the index tells that those require which no table has, and all that
    comes with them. ``dormant``: what is required and not imported along.
    """

    named: tuple[Root, ...]
    installed: Installed
    dormant: frozenset[str] = frozenset()


def closure(roots: Iterable[Root], python: str | None) -> Closure:
    """What a list brings along."""
    from auditor import online

    named = list(roots)
    dormant: set[str] = set()
    index = online.active()
    if index is not None:
        from auditor.online.needs import imports, requirements

        seen = {name for name, _, _ in named}
        for name, extras, version in named:
            known = distributions.known(name)
            # The table has another release, without that extra.
            lost = distributions.lost_extras(name, extras, version)
            if (known and not lost) or len(named) > MOST_ROOTS:
                continue
            listed = requirements(index, name, version)
            imported = None if known else imports(index, name, version)
            plain = {child for child, _ in distributions.children(listed, python, ())}
            for child, asked in distributions.children(listed, python, extras):
                tops = {m.partition(".")[0] for m in distributions.modules_of(child)}
                # An extra is asked for because it is used.
                if child in plain and imported is not None and tops and not tops & imported:
                    dormant |= {child} - seen
                else:
                    dormant.discard(child)
                if child not in seen:
                    seen.add(child)
                    named.append((child, asked, None))
    return Closure(
        named=tuple(named),
        installed=distributions.close(named, python=python),
        dormant=frozenset(dormant),
    )


def unread_of(roots: Iterable[Root], *, python: str | None = None) -> tuple[str, ...]:
    """Of which of the distributions, and of what is imported along with them, nobody knows what
    they need.
    """
    from auditor import online

    asked = list(roots)
    brought = closure(asked, python)
    direct = {name for name, _, _ in asked}
    unread = [
        name
        for name in sorted({n for n, _, _ in brought.named} | _reached(brought, direct, python))
        if not knows(name, brought.installed.version(name), along=name not in direct)
    ]
    index = online.active()
    for name, extras, version in brought.named:
        lost = distributions.lost_extras(name, extras, version)
        if lost and index is not None:
            from auditor.online.needs import requirements

            # What its own metadata does not have, pip passes over.
            lost = () if requirements(index, name, version) else lost
        unread += [f"{name}[{extra}]" for extra in lost if name not in unread]
    return tuple(unread)


def _extra(name: str, parent: str) -> bool:
    """Whether ``parent`` requires ``name`` only with an extra."""
    return name not in dict(distributions.requirements_of(parent, None))


def builds(
    roots: Iterable[Root], base: Base | None, *, python: str | None = None
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(distribution, packages that building it takes) of those without a wheel.

    ``python``: the interpreter, where the base's name does not tell it.
    """
    land = Userland(base)
    if land.manager not in ("apt", "apk"):
        return ()
    asked = list(roots)
    listed = {name: version for name, _, version in asked}
    python = base.python if base is not None and base.python else python
    installed = closure(asked, python).installed
    # A distribution's own interpreter has its headers in a package of their own.
    packaged = base is not None and base.packaged_python is not None
    headers = ("python3-dev",) if packaged else ()
    found: list[tuple[str, tuple[str, ...]]] = []
    for name in installed.distributions:
        version = listed.get(name)
        if _is_compiled(name, version, base, python, direct=name in listed):
            packages = land.lacking((*sonames.build_packages(name, version), *headers))
            if packages:
                found.append((name, packages))
    return tuple(found)


def absent(packages: Iterable[str], base: Base | None) -> tuple[str, ...]:
    """Those of the packages that the base's release does not have: what takes them cannot be
    built there.
    """
    release = Userland(base).release
    if release is None:
        return ()
    return tuple(p for p in packages if release.kind(p) == "none")


def _is_compiled(
    name: str, version: str | None, base: Base | None, python: str | None, *, direct: bool
) -> bool:
    """Whether pip has to compile the release there, as far as the tables know."""
    if name in wheels.OPTIONAL_EXTENSIONS:
        return False
    # Sources that are made during the build are not seen in the archive; its failure was.
    taken = any(need.when == "build" for need in sonames.needs(name, version))
    # What others bring along is taken in a release that has a wheel, where there is one.
    if python is not None and "." in python and (direct or version is not None):
        result = wheels.installable(
            name,
            version,
            python=python,
            libc=base.libc if base is not None else None,
            glibc=base.glibc if base is not None else None,
        )
        if result.outcome != "unknown":
            return result.outcome == "build" and (result.native or taken)
    return taken


def install_line(
    lacks: Iterable[Lack], builds: Iterable[tuple[str, tuple[str, ...]]] = (), *, apk: bool = False
) -> str:
    """The one command that installs what is missing; empty when nothing can be named.

    What only some functions need is left out as long as something else is missing. ``builds``
    (see :func:`builds`) is what compiling takes.
    """
    listed = [x for x in lacks if x.package and x.manager and not x.need.hint]
    certain = [x for x in listed if x.need.when == "import" or x.need.always]
    chosen = {x.package for x in certain or listed if x.package}
    chosen |= {p for x in certain or listed if x.manager == "apt" for p in x.need.packages}
    chosen |= {package for _, packages in builds for package in packages}
    if not chosen:
        return ""
    if apk or any(x.manager == "apk" for x in listed):
        return sonames.apk_line(sorted(chosen))
    if any(x.manager == "dnf" for x in listed):
        return sonames.dnf_line(sorted(chosen))
    return sonames.apt_line(sorted(chosen))
