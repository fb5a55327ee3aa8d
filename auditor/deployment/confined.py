"""What a container lacks that its program cannot start without: memory, a place to write, a home."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.deployment.accounts import account
from auditor.deployment.model import Service, StartFault, Value
from auditor.linking import paths

if TYPE_CHECKING:
    from auditor.deployment.shellnames import Env
    from auditor.deployment.view import View
    from auditor.parsers.commands import MainProcess, Option, ServerStart

# What Docker takes at least; the runtimes of a cluster need a little less to start a process at all.
_LEAST = 6 * 1024 * 1024
_LEAST_OF_A_POD = 1024 * 1024


def too_little_memory(service: Service) -> Iterator[StartFault]:
    """A limit that no process fits into, as a number without its unit gives."""
    from auditor.linking.serving import memory_limit

    found = memory_limit(service)
    least = _LEAST if service.compose is not None else _LEAST_OF_A_POD
    if found is None or found[0] >= least or (found[0] == 0 and _unlimited(service)):
        return
    size, at = found
    error = (
        "Minimum memory limit allowed is 6MB"
        if service.compose is not None
        else "container init was OOM-killed (memory limit too low?)"
    )
    yield StartFault(
        kind="program",
        message=(
            f"the memory limit is {size} bytes, which no process fits into: `{error}` "
            "(the unit is missing, or another one is meant)"
        ),
        at=at,
    )


def _unlimited(service: Service) -> bool:
    """Zero is no limit; `128m` of a pod is less than a byte, and one."""
    resources = service.container.resources if service.container is not None else None
    given = resources.limit("memory") if resources is not None else None
    return given is None or not str(given.value).endswith("m")


# Where Python looks for a place for temporary files, the working directory last.
_TEMPORARY = ("/tmp", "/var/tmp", "/usr/tmp")


def no_temporary(
    fact: ServerStart,
    service: Service,
    view: View,
    env: Env,
    cwd: Value,
    config: Iterable[Option],
) -> Iterator[StartFault]:
    """Each worker of gunicorn gets a temporary file, and the root is read-only everywhere."""
    if fact.kind != "gunicorn" or not service.sealed or not isinstance(cwd, str):
        return
    told = fact.effective("worker_tmp_dir", env=env, config=tuple(config))
    places: tuple[str, ...] = (*_TEMPORARY, cwd)
    if told is not None:
        if not isinstance(told.value, str):
            return
        places = (posixpath.normpath(posixpath.join(cwd, told.value)),)
    elif any(env.get(name, "") != "" for name in ("TMPDIR", "TEMP", "TMP")):
        return
    shut = [paths.sealed(service, view, place) for place in places]
    if any(place.startswith("/dev/") for place in places) or None in shut:
        return
    because = next(one for one in shut if one is not None)
    yield StartFault(
        kind="script",
        message=(
            f"gunicorn makes a temporary file for each worker in {places[0]}, and {because.because}: "
            "`FileNotFoundError: No usable temporary directory found`"
            if told is None
            else f"gunicorn makes a temporary file for each worker in {places[0]}, and "
            f"{because.because}: `OSError: [Errno 30] Read-only file system`"
        ),
        at=fact.at,
        related=((because.at, "made read-only here"),),
    )


# Accounts of Debian whose home is not there, and is not made.
_HOMELESS = {"nobody": "/nonexistent", "www-data": "/var/www"}
_CACHES = ("UV_CACHE_DIR", "XDG_CACHE_HOME", "UV_NO_CACHE", "HOME")


def no_cache(
    service: Service, processes: Sequence[MainProcess], view: View, env: Env
) -> Iterator[StartFault]:
    """``uv run`` makes its cache below the home of a user who has none."""
    image, user = service.image, service.user
    if image is None or not isinstance(user, str):
        return
    name = user.partition(":")[0]
    if name in ("", "root", "0") or any(variable in env for variable in _CACHES):
        return
    own = account(image, user)
    debian = image.base is not None and image.base.flavour in ("slim", "full", "debian")
    home = _HOMELESS[name] if debian and name in _HOMELESS else own.home
    if not isinstance(home, str) or (own.made and home != "/"):
        return
    cache = posixpath.join(home, ".cache")
    if home == "/" and view.look(cache).answer != "no":
        return
    if home != "/" and (view.mount_of(cache) is not None or view.look(home).answer == "yes"):
        return
    if home != "/" and any(home in step.command.text.text for step in image.image.runs):
        return
    for process in processes:
        what = process.interpretation
        words = {arg.text for arg in what.command.argv(env)} if what.command is not None else set()
        wrapper = next((w for w in what.wrappers if w.name == "uv run"), None)
        if wrapper is None or process.conditional or {"--no-cache", "-n", "--cache-dir"} & words:
            continue
        yield StartFault(
            kind="user",
            message=(
                f"`uv run` makes its cache in {cache}/uv, and {user} has no home to make it in: "
                f"`error: failed to create directory `{cache}/uv`: Permission denied`"
            ),
            at=wrapper.at,
            related=((service.user_at, "the user is set here"),) if service.user_at else (),
        )
