"""Calls that the container cannot answer: locales and data that it lacks, servers that it does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.findings import Confidence

if TYPE_CHECKING:
    from auditor.deployment.model import Service
    from auditor.parsers.python.facts import Call, Trace

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
    return _corpus(service, trace, call) if call.category == "corpus" else None


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


def _corpus(service: Service, trace: Trace, call: Call) -> tuple[str, str, Confidence] | None:
    image, name = service.image, call.arguments[0].value
    if image is None or not isinstance(name, str):
        return None
    if any(
        "nltk" in c.name and c.category == "download" for e in service.runs for c in e.trace.calls
    ):
        return None
    told = [step.command.text.text for step in image.image.runs]
    told += [str(source) for copy in image.image.copies for source in copy.sources]
    told += [str(copy.destination) for copy in image.image.copies]
    told += [str(mount.target) for mount in service.mounts]
    if any("nltk" in text for text in told) or service.variable("NLTK_DATA") is not None:
        return None
    if any(copy.origin != "context" for copy in image.image.copies) or trace.truncated:
        return None
    return (
        f"NLTK comes without its data, and nothing puts `{name}` into the image: `LookupError: Resource "
        f"{name} not found`",
        f"`RUN python -m nltk.downloader -d /usr/share/nltk_data {name}`.",
        Confidence.LIKELY,
    )
