"""Paths that code opens, resolved against the files that the container sees."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.deployment import packagedata
from auditor.deployment.accounts import Account, account
from auditor.deployment.filesystem import Present
from auditor.deployment.model import Entry, Sealed, Service
from auditor.deployment.view import Seen, View
from auditor.parsers.python.facts import Reach
from auditor.source import Location, Unknown
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.parsers.python.facts import FileAccess

# A path that only one developer's machine has.
_MACHINE = re.compile(
    r"^(?:[A-Za-z]:[\\/]|\\\\[^\\]+\\|/Users/[^/]+/|/home/(?!app\b|appuser\b|user\b|jovyan\b|nonroot\b|"
    r"ubuntu\b|vscode\b|python\b|model-server\b|bentoml\b)[^/]+/|/mnt/[a-z]/|/content/drive/|/kaggle/)"
)
# Anybody may make files and directories there (mode 1777), in every image.
_FOR_ALL = frozenset({"/tmp", "/var/tmp", "/dev/shm"})
# Places that every container has, or that the kernel makes.
_ALWAYS = ("/dev/", "/proc/", "/sys/", "/tmp/", "/run/", "/var/tmp/")


@value
class PathLink:
    """One access and what the container has there.

    ``elsewhere``: image paths at which the same file does stand. ``source_has``: the path
    exists when read from the repository's own directories (where the author ran it).
    """

    access: FileAccess
    entry: Entry
    path: str
    seen: Seen
    elsewhere: tuple[str, ...] = ()
    source_has: str | None = None
    # What ``.dockerignore`` keeps a COPY from bringing there, and the pattern.
    ignored: tuple[str, Location] | None = None
    # Git ignores the place where the author has it: it is made or put there by hand.
    made_by_hand: str = ""
    # An example beside it is all that says so: as the repository stands, it is missing.
    by_example: bool = False
    machine: bool = False
    # The image makes its directory and leaves it empty: something is to be mounted there.
    to_be_mounted: bool = False
    # It would come from a directory of the host of which the repository says nothing.
    host_only: bool = False
    # It is there, but the container's user may not read it.
    private: bool = False


@value
class WriteLink:
    """A write and whether the container's user may do it; ``decides`` is the directory that says."""

    link: PathLink
    allowed: Literal["yes", "no", "unknown"]
    decides: Seen | None = None
    # What makes the place read-only for everybody, where that is so.
    read_only: str = ""
    read_only_at: Location | None = None
    # The directory that it is written into is not there.
    homeless: bool = False
    # WORKDIR behind USER makes the directory: for that user with BuildKit, and for root without.
    by_builder: bool = False


def machine_path(service: Service, text: str) -> bool:
    """Whether the path belongs to a developer's machine, and not to the one that serves."""
    if not _MACHINE.match(text):
        return False
    home = "/".join(service.cwd.split("/")[:3]) if isinstance(service.cwd, str) else ""
    return service.origin != "systemd" or not home or not text.startswith(f"{home}/")


# Where MLflow and its kin keep models: what is there is not in the repository.
REGISTRIES = ("models:/", "runs:/", "mlflow-artifacts:/", "s3://", "gs://", "abfss://", "wasbs://")


@value
class ClosedModule:
    """A module that the container's user may not read; ``path``: where it stands."""

    module: str
    path: str
    at: Location
    reach: Reach


def reads(service: Service, view: View) -> Iterator[PathLink]:
    """Every resolved path that the service's code reads."""
    yield from _links(service, view, writing=False)


def writes(service: Service, view: View) -> Iterator[WriteLink]:
    """Every resolved path that the service's code writes or creates."""
    user = service.user if isinstance(service.user, str) else None
    own = account(service.image, service.user)
    for link in _links(service, view, writing=True):
        mount = view.mount_of(link.path)
        access = link.access
        if access.mode == "create" and access.missing_ok:
            if link.seen.answer == "yes" or view.is_mount_point(link.path):
                continue  # it is there already
            if mount is not None and mount.read_only and link.made_by_hand:
                continue  # so it is where the directory is mounted from
        if access.loader.startswith("tempfile.") and _elsewhere(service, view):
            yield WriteLink(link=link, allowed="yes")
            continue
        if mount is not None and mount.read_only:
            yield WriteLink(
                link=link, allowed="no", read_only="it is mounted read-only", read_only_at=mount.at
            )
            continue
        shut = sealed(service, view, link.path)
        if shut is not None:
            yield WriteLink(link=link, allowed="no", read_only=shut.because, read_only_at=shut.at)
            continue
        if access.loader.startswith("tempfile."):
            yield WriteLink(link=link, allowed="yes")
            continue
        if _homeless(link, view):
            yield WriteLink(link=link, allowed="yes", homeless=True)
            continue
        if isinstance(service.user, Unknown):
            yield WriteLink(link=link, allowed="unknown")
            continue
        allowed, decides = _in_home(service, view, link.path, own) or _writable(
            view, link.path, user
        )
        if allowed == "unknown" and isinstance(own.home, str):
            # Below a home that `useradd` made only what an instruction makes is certain.
            near = _inside(view, link.path, own.home)
            if _by_builder(service, near, own):
                decides = near
        by_builder = allowed != "no" and _by_builder(service, decides, own)
        yield WriteLink(link=link, allowed=allowed, decides=decides, by_builder=by_builder)


def _by_builder(service: Service, decides: Seen | None, own: Account) -> bool:
    """Whether the directory is made by a WORKDIR that follows the USER of the service."""
    user, workdir = service.user_at, service.cwd_at
    if decides is None or decides.at is None or user is None or workdir is None:
        return False
    made = decides.at.path == workdir.path and decides.at.line == workdir.line
    behind = user.path == workdir.path and user.line < workdir.line
    return made and behind and decides.path not in (own.home, "/")


def _elsewhere(service: Service, view: View) -> bool:
    """``tempfile`` tries several directories, the working directory last: one can be written."""
    variable = service.variable("TMPDIR")
    told = variable.value if variable is not None else None
    candidates = [told, "/tmp", "/var/tmp", "/usr/tmp", service.cwd]
    paths = [path for path in candidates if isinstance(path, str)]
    mounts = [view.mount_of(path) for path in paths]
    return (
        any(mount is not None and not mount.read_only for mount in mounts)
        or isinstance(told, Unknown)
        or any(not any(item.holds(path) for item in service.sealed) for path in paths)
    )


def _in_home(
    service: Service, view: View, path: str, own: Account
) -> tuple[Literal["yes", "no", "unknown"], Seen | None] | None:
    """A path below the user's home, where it is the account that decides; None elsewhere."""
    if not isinstance(own.home, str) or own.made is None or view.look(own.home).answer == "yes":
        return None
    if path != own.home and not path.startswith(f"{own.home}/"):
        return None
    if own.made:
        return "yes", _inside(view, path, own.home)
    image = service.image
    steps = image.image.runs if image is not None else ()
    if view.mount_of(path) is not None or any(own.home in s.command.text.text for s in steps):
        return "unknown", None
    return "no", view.look(posixpath.dirname(own.home))


def _inside(view: View, path: str, home: str) -> Seen | None:
    """The nearest directory on the way up to the home that an instruction makes."""
    while (path := posixpath.dirname(path)) not in (home, "/"):
        seen = view.before_start(path)
        if seen.answer == "yes":
            return seen
    return None


def _links(service: Service, view: View, *, writing: bool) -> Iterator[PathLink]:
    modes = ("write", "append", "create") if writing else ("read", "list")
    seen: set[tuple[Location, str]] = set()
    # `with open(path) as file: load(file)` is one access, not two.
    opened: set[tuple[str, str, str, object, bool]] = set()
    # What a program of the same command line wrote before this one starts.
    made: set[str] = set()
    for entry in service.runs:
        before = frozenset(made)
        for access in entry.trace.files:
            path = access.path.resolved
            if isinstance(path, str) and access.loader.startswith("pycaret."):
                path = f"{path}.pkl"  # its `load_model` and `save_model` take a name
            if isinstance(path, str) and access.mode in ("write", "append"):
                made.add(path)
            if access.mode not in modes or (not writing and path in before):
                continue
            if isinstance(path, Unknown) or access.path.base in ("url", "hub", "temp", "unknown"):
                continue
            # `open` and the load from its file object are one access.
            key = (access.opened_at or access.at, path)
            if key in seen:
                continue
            seen.add(key)
            reach = access.reach
            same = (path, access.at.path, reach.route, reach.phase, reach.certain)
            if access.mode == "read":
                if same in opened:
                    continue
                opened.add(same)
            mount = view.mount_of(path)
            listed = mount is not None and mount.files is not None
            temporary = writing and access.loader.startswith("tempfile.")
            homeless = writing and access.kind != "directory" and _unmade(view, path)
            if path.startswith(_ALWAYS) and not (listed or temporary or homeless):
                continue
            found = view.before_start(path) if writing else view.look(path)
            if not writing and access.path.base == "file" and found.answer == "yes":
                found = _installed(service, view, entry, found)
            text = access.path.text if isinstance(access.path.text, str) else path
            elsewhere: tuple[str, ...] = ()
            source_has = ignored = None
            by_hand = example = ""
            if found.answer == "no":
                by_hand = view.by_hand(path, examples=False)
                if service.origin == "systemd":
                    by_hand = by_hand or "the directory is a machine's own"
                example = "" if by_hand else view.by_hand(path)
                source_has = _in_repository(access, entry, view, text)
                ignored = view.ignored(path)
                if source_has is not None:
                    elsewhere = tuple(p for p in view.copies_of(source_has) if p != path)
            yield PathLink(
                access=access,
                entry=entry,
                path=path,
                seen=found,
                elsewhere=elsewhere,
                source_has=source_has,
                ignored=ignored if not elsewhere else None,
                made_by_hand=(by_hand or example) if source_has is None or found.mounted else "",
                by_example=bool(example),
                machine=machine_path(service, text),
                to_be_mounted=found.answer == "no"
                and (
                    # Started on demand, once its files were put on the host.
                    (found.mounted and bool(service.profiles))
                    or (
                        # Compose files and manifests say what they mount.
                        service.origin not in ("compose", "kubernetes")
                        and source_has is None
                        and view.left_empty(posixpath.dirname(path))
                    )
                ),
                private=not writing and _closed(view, found, service.user),
                host_only=found.answer == "no"
                and source_has is None
                and mount is not None
                and mount.kind == "bind"
                and bool(mount.source)
                and not view.in_repository(str(mount.source))
                and not isinstance(view.image.image.fs.lookup(path), Present),
            )


def _installed(service: Service, view: View, entry: Entry, seen: Seen) -> Seen:
    """What is seen of a file beside a module, where an installed copy of the module is imported."""
    python_path = service.variable("PYTHONPATH")
    named = str(python_path.value) if python_path is not None else ""
    direct = {service.cwd, *entry.roots[:1], *named.split(":")}
    for project in packagedata.installed(service):
        folder = project.folder
        if not project.copied or not seen.path.startswith(f"{folder}/"):
            continue
        if {folder, f"{folder}/src"} & direct:
            continue
        at = packagedata.left_out(view, folder, seen.path)
        if at is not None:
            reason = "the package is installed without this file"
            return Seen(path=seen.path, answer="no", at=at, reason=reason)
    return seen


def closed_modules(service: Service, view: View) -> Iterator[ClosedModule]:
    """Modules of the repository that the service imports and that its user may not read."""
    if not isinstance(service.user, str):
        return
    for entry in service.runs:
        trace = entry.trace
        first = (trace.entry, trace.path, entry.at, Reach(module=trace.entry))
        wanted = [first] + [
            (item.module, item.path, item.fact.at, replace(item.reach, guards=tuple(guards)))
            for item in trace.imports
            if item.found == "project"
            for guards in [{*item.reach.guards, *item.fact.guards}]
        ]
        for module, repo, at, reach in wanted:
            seen = _module_file(entry, view, module, repo)
            if seen is not None and _closed(view, seen, service.user):
                yield ClosedModule(module=module, path=seen.path, at=at, reach=reach)


def _module_file(entry: Entry, view: View, module: str, repo: str) -> Seen | None:
    """Where the container has the module, if it comes from that file of the repository."""
    stem = module.replace(".", "/")
    for root in entry.roots:
        for ending in (".py", "/__init__.py"):
            seen = view.look(posixpath.join(root, stem + ending))
            if seen.answer == "yes" and seen.repo == repo:
                return seen
    return None


def _closed(view: View, seen: Seen, user: object) -> bool:
    """The file, or a directory on the way to it, is its owner's alone."""
    if seen.answer != "yes" or seen.mounted:
        return _private(seen, user)
    above = [str(parent) for parent in PurePosixPath(seen.path).parents][:-1]
    return any(_private(item, user) for item in (seen, *map(view.look, above)))


def _private(seen: Seen, user: object) -> bool:
    """A chmod keeps everybody but the owner from reading, and the user is not the owner."""
    if seen.answer != "yes" or not isinstance(user, str) or seen.owner is None:
        return False
    name, _, group = user.partition(":")
    if name in ("", "root", "0") or not seen.private:
        return False
    if seen.closed:
        return True
    owner, _, owners = seen.owner.partition(":")
    roots = owners in ("", "0", "root")
    # The same mode may let its group in: a group of the same name, one that root gave it to, or
    # root's own, which a number without an account has.
    let_in = group == owners if group else (not roots or name.isdigit())
    if let_in and not seen.group_private:
        return False
    return owner in ("", "0", "root")


def _homeless(link: PathLink, view: View) -> bool:
    """A file is to be written into a directory that is not there, and nothing makes it."""
    access = link.access
    if access.kind == "directory" or access.created_before or link.seen.answer != "no":
        return False
    parent = posixpath.dirname(link.path)
    mount = view.mount_of(parent)
    if mount is not None and mount.kind == "bind" and mount.target == parent:
        return False  # The engine makes the directory that it mounts.
    absent = view.look(parent).answer == "no"
    return absent and (not parent.startswith(_ALWAYS) or _unmade(view, link.path))


def _unmade(view: View, path: str) -> bool:
    """A file in a directory of its own below /tmp, which nothing makes."""
    parent = posixpath.dirname(path)
    return parent.startswith(("/tmp/", "/var/tmp/")) and view.look(parent).answer == "no"


def _in_repository(access: FileAccess, entry: Entry, view: View, text: str) -> str | None:
    """The repository file that the author meant: seen from the root, or from the code's directory."""
    if text.startswith("/") or _MACHINE.match(text):
        return view.repository_like(text)
    directory = posixpath.dirname(access.at.path)
    starts = [directory, ""]
    while directory:
        directory = posixpath.dirname(directory)
        starts.append(directory)
    for start in dict.fromkeys(starts):
        candidate = posixpath.normpath(posixpath.join(start, text))
        if not candidate.startswith("..") and view.in_repository(candidate):
            return candidate
    return view.repository_like(text)


def sealed(service: Service, view: View, path: str) -> Sealed | None:
    """What makes this path read-only, where nothing is mounted on the way to it."""
    found = next((item for item in service.sealed if item.holds(path)), None)
    while found is not None and path not in ("/", ""):
        if view.look(path).mounted:
            return None
        path = posixpath.dirname(path)
    return found


def _writable(
    view: View, path: str, user: str | None
) -> tuple[Literal["yes", "no", "unknown"], Seen | None]:
    """Whether ``user`` can create or write ``path``, and the directory that decides it."""
    if user in (None, "", "root", "0") or (user or "").startswith(("root:", "0:")):
        return "yes", None
    current = path
    while True:
        seen = view.before_start(current)
        if seen.answer == "unknown" or seen.mounted:
            return "unknown", seen
        if seen.answer == "yes":
            if seen.owner is None:
                return "unknown", seen
            owner, _, group = seen.owner.partition(":")
            if owner in ("0", "root", ""):
                if seen.world_writable or (current in _FOR_ALL and not seen.private):
                    return "yes", seen
                return (_by_group(user or "", group) if seen.group_writable else "no"), seen
            same = owner == (user or "").partition(":")[0]
            return ("yes" if same else "unknown"), seen
        parent = posixpath.dirname(current)
        if parent == current:
            return "unknown", None
        current = parent


def _by_group(user: str, group: str) -> Literal["yes", "no", "unknown"]:
    """Whether ``USER`` is of the group that may write. A number without an account has group 0."""
    name, _, own = user.partition(":")
    root = group in ("", "0", "root")
    if own:
        same = own in ("0", "root") if root else own == group
        return "yes" if same else "no"
    if root:
        return "unknown" if name.isdigit() else "no"
    return "yes" if name == group else "unknown"
