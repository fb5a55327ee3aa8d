"""Calls that the container cannot answer: locales and data that it lacks, servers that it does not run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.deployment import librarydata
from auditor.findings import Confidence
from auditor.linking import distributions
from auditor.parsers.requirements import normalise

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment, Service
    from auditor.parsers.python.facts import Call, FileAccess, Trace

# Locales that every image with glibc has.
_LOCALES = frozenset(["c", "posix", "c.utf8"])
_OWN = frozenset(["localhost", "127.0.0.1", "::1", "0.0.0.0"])
# Packages that bring a server to connect to.
_SERVERS = ("redis", "valkey", "keydb", "postgresql", "mysql-server", "mariadb", "default-mysql")


def refused(service: Service, trace: Trace, call: Call) -> tuple[str, str, Confidence] | None:
    """(what is not there and the error, what to do, how sure) for a call that certainly fails."""
    if not call.reach.certain or call.reach.guards:
        return None
    if call.category == "locale":
        return _locale(service, call)
    if call.category == "connect":
        return _connect(service, call)
    if call.category == "metadata":
        return _metadata(service, call)
    return librarydata.missing(service, trace, call) if call.category == "corpus" else None


KINDS = frozenset(["locale", "connect", "corpus", "metadata"])


def _metadata(service: Service, call: Call) -> tuple[str, str, Confidence] | None:
    """The version of a distribution that is not installed: mostly the project's own."""
    environment = service.environment
    installed = environment.installed if environment is not None else None
    name = call.arguments[0].value if call.arguments else None
    if not isinstance(name, str) or installed is None or environment is None:
        return None
    if not installed.complete or installed.unknown or installed.has(normalise(name)):
        return None
    if any(s.fact and (s.fact.local_paths or s.fact.editable) for s in environment.steps):
        return None  # a project that is installed has a name of its own
    if not installed.closed and distributions.known(normalise(name)):
        return None  # something may bring it along
    return (
        f"nothing installs a distribution `{name}`: `PackageNotFoundError: No package metadata was found "
        f"for {name}`",
        "Install the project (`pip install .`), or take the version from elsewhere.",
        Confidence.LIKELY,
    )


def objects_refused(service: Service, deployment: Deployment) -> Iterator[tuple[FileAccess, str]]:
    """``np.load`` without ``allow_pickle`` of arrays that hold objects, with the file's path."""
    by_path = {artifact.path: artifact for artifact in deployment.artifacts}
    seen = {r.path: r.seen.repo for r in service.reads if r.seen.answer == "yes"}
    for access in (a for entry in service.runs for a in entry.trace.files):
        path = access.path.resolved
        if access.loader != "numpy.load" or not isinstance(path, str):
            continue
        told = access.option("allow_pickle")
        artifact = by_path.get(seen.get(path) or "")
        if artifact is None or artifact.facts.format != "npy" or artifact.facts.pickle is None:
            continue
        if told is None or told.value is False:
            yield access, artifact.path


# Openers by the compression that they expect.
_OPENERS = {"gzip.open": "gzip", "bz2.open": "bz2", "lzma.open": "xz"}
_ERRORS = {
    "gzip": "gzip.BadGzipFile: Not a gzipped file",
    "bz2": "OSError: Invalid data stream",
    "xz": "LZMAError: Input format not supported by decoder",
}


def packed_otherwise(service: Service, deployment: Deployment) -> Iterator[tuple[FileAccess, str]]:
    """``gzip.open`` of an artifact that is not compressed so, with the error."""
    by_path = {artifact.path: artifact for artifact in deployment.artifacts}
    seen = {r.path: r.seen.repo for r in service.reads if r.seen.answer == "yes"}
    for access in (a for entry in service.runs for a in entry.trace.files):
        path = access.path.resolved
        expected = _OPENERS.get(access.loader)
        if expected is None or not isinstance(path, str) or access.mode != "read":
            continue
        artifact = by_path.get(seen.get(path) or "")
        if artifact is None or artifact.facts.format in ("unreadable", "lfs-pointer", ""):
            continue
        if (artifact.facts.container or "") not in ("xz", "lzma", expected):
            yield access, _ERRORS[expected]


def _locale(service: Service, call: Call) -> tuple[str, str, Confidence] | None:
    image, given = service.image, call.arguments[1:2]
    base = image.base if image is not None else None
    if image is None or base is None or base.distro not in ("debian", "ubuntu") or not given:
        return None
    name = given[0].value
    if name == "":
        known = {v.name: v.value for v in service.variables}
        name = known.get("LC_ALL") or known.get("LANG") or "C"
    if not isinstance(name, str) or name.lower().replace("-", "") in _LOCALES:
        return None
    if base.flavour is None or any(
        p.name.startswith(("locales", "language-pack")) for p in image.system_packages
    ):
        return None
    told = " ".join(step.command.text.text for step in image.image.runs)
    if "locale" in told or any(c.origin != "context" for c in image.image.copies):
        return None
    return (
        f"the image has no locale `{name}`: `locale.Error: unsupported locale setting`",
        "Install `locales` and generate it, or use `C.UTF-8`.",
        Confidence.LIKELY,
    )


def _connect(service: Service, call: Call) -> tuple[str, str, Confidence] | None:
    """A server on this machine, which in a container is the container."""
    host, port = (value.value for value in call.arguments[:2])
    if host not in _OWN or not isinstance(port, int | str) or isinstance(port, bool):
        return None
    own = service.compose
    if own is not None and own.network_mode is not None:
        return None  # it shares somebody's network
    if service.workload is not None or service.supervised or service.image is None:
        return None  # containers of one pod share theirs
    if len(service.processes) != 1 or service.processes[0].through:
        return None
    if any(p.name.startswith(_SERVERS) for p in service.image.system_packages):
        return None
    if service.image.opaque_system or service.image.base is None or not service.image.base.flavour:
        return None
    return (
        f"nothing listens on port {port} in this container, and {host} is the container itself: "
        "`Connection refused`",
        "Name the other service's host, and take it from a variable.",
        # `docker run --network host` shares the machine's.
        Confidence.LIKELY if own is not None else Confidence.POSSIBLE,
    )
