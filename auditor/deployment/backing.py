"""Databases, brokers and monitors as they are pulled: where they listen, what their start needs.

What the images start by themselves, and what their entrypoint scripts refuse, comes from
``rules/knowledge/backing.toml`` (``tools/make_backing_table.py``).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.catalog import knowledge
from auditor.deployment.baselayer import repository
from auditor.deployment.model import Listen, StartFault
from auditor.findings import Stage
from auditor.parsers.dotenv import HOLE
from auditor.source import Unknown
from auditor.values import field, value

if TYPE_CHECKING:
    from auditor.deployment.model import Mount, Value, Variable
    from auditor.source import Location

Words = Sequence[tuple[str, "Location"]]

# Where the data of PostgreSQL was until 17, and is not any more.
_OLD_DATA = "/var/lib/postgresql/data"
_MANAGEMENT = 15672
_CONFIGURATION = re.compile(r".+\.(?:conf|cnf|ini|toml|ya?ml|json)")
# What is mounted there changes no port and keeps nothing from starting.
_PROVISIONED = re.compile(
    r"/etc/grafana/provisioning(?:/.*)?|/var/lib/grafana(?:/.*)?|/docker-entrypoint-initdb\.d(?:/.*)?"
)


@value
class Backing:
    """A service that is pulled and known: ``kind`` names its protocol or program."""

    kind: str
    listens: tuple[Listen, ...] = ()
    complete: bool = False
    faults: tuple[StartFault, ...] = ()
    open_links: tuple[tuple[Stage, str], ...] = ()
    # The command line's options and operands, as far as they are literal.
    words: tuple[str, ...] = ()


@value
class _Started:
    """A container of a known image."""

    row: Mapping[str, Any]
    reference: str
    at: Location
    command: Words | None
    variables: Mapping[str, Variable]
    complete: bool
    mounts: Sequence[Mount] = field(default=())

    @property
    def words(self) -> list[str]:
        return [text for text, _ in self.command or ()]

    @property
    def tag(self) -> str:
        return self.reference.partition("@")[0].rpartition("/")[2].partition(":")[2]

    def told(self, name: str) -> Value | None:
        variable = self.variables.get(name)
        return variable.value if variable is not None else None


def kind_of(reference: str | None) -> str | None:
    """What a pulled image is: ``postgres``, ``redis``, …; None for every other image."""
    row = _row(reference) if reference else None
    return row["kind"] if row is not None else None


def _row(reference: str) -> Mapping[str, Any] | None:
    table: Mapping[str, Mapping[str, Any]] = knowledge("backing.toml")
    return table.get(repository(reference))


def read(
    reference: str | None,
    at: Location,
    *,
    entrypoint: Words | None,
    command: Words | None,
    variables: Sequence[Variable],
    complete: bool,
    mounts: Sequence[Mount],
) -> Backing | None:
    """What is known of a container of that image; None for an image that is not known.

    ``command``: what replaces the image's own CMD. ``complete``: no variable can come from elsewhere.
    """
    row = _row(reference) if reference else None
    if row is None or reference is None:
        return None
    started = _Started(
        row=row,
        reference=reference,
        at=at,
        command=command,
        variables={v.name: v for v in variables},
        complete=complete and not any(v.name == "*" for v in variables),
        mounts=mounts,
    )
    if entrypoint is not None or not _is_server(started):
        return Backing(
            kind=row["kind"],
            open_links=((Stage.STARTS, f"what the command makes of {reference} is not followed"),),
        )
    links = tuple(_open(started))
    port = _port(started)
    return Backing(
        kind=row["kind"],
        listens=tuple(_listens(started, port)),
        complete=not any(_configures(m) for m in mounts) and not isinstance(port, Unknown),
        faults=tuple(_faults(started)),
        open_links=links,
        words=tuple(started.words),
    )


def _is_server(started: _Started) -> bool:
    """Whether the command is the image's own, options for it, or names its program."""
    words = started.words
    if started.command is None:
        return True
    if not words:
        return False
    first = words[0]
    if started.row["kind"] in ("minio",):
        return first != "sh" and not first.startswith("/bin/")
    programs = started.row.get("programs", ())
    return first.startswith("-") or posixpath.basename(first) in programs


# ---- ports ----


def _port(started: _Started) -> int | Unknown | None:
    """The port that options or variables name; None: the image's own."""
    row, words = started.row, started.words
    for index, word in enumerate(words):
        name, equals, told = word.partition("=")
        if name in row.get("flags", ()):
            text = told if equals else words[index + 1] if index + 1 < len(words) else ""
            return _number(text)
        if row["kind"] == "postgres" and word.startswith("port=") and words[index - 1] == "-c":
            return _number(word[5:])
    for name in row.get("env", ()):
        told_by = started.told(name)
        if told_by is not None:
            return _number(told_by) if isinstance(told_by, str) else Unknown(f"{name} is computed")
    return None


def _number(text: str) -> int | Unknown:
    """Of ``:9000``, ``0.0.0.0:9000`` and ``9000``."""
    tail = text.rpartition(":")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else Unknown("the port is computed")


def _listens(started: _Started, port: int | Unknown | None) -> Iterator[Listen]:
    numbers: list[int | Unknown] = list(started.row.get("ports", ()))
    if port is not None:
        numbers[:1] = [port]
    kind = started.row["kind"]
    if kind == "rabbitmq" and ("management" in started.tag or _plugins(started)):
        numbers.append(_MANAGEMENT)
    if kind == "minio":
        console = _option(started.words, "--console-address")
        if console is not None:
            numbers.append(_number(console))
    source = "default" if port is None else "command"
    for number in numbers:
        yield Listen(
            host="0.0.0.0", port=number, at=started.at, source=source, server=started.row["kind"]
        )


def _plugins(started: _Started) -> bool:
    """RabbitMQ's list of plugins is replaced."""
    return any(
        isinstance(m.target, str) and m.target.startswith("/etc/rabbitmq") for m in started.mounts
    )


def _option(words: Sequence[str], name: str) -> str | None:
    for index, word in enumerate(words):
        if word == name and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(f"{name}="):
            return word[len(name) + 1 :]
    return None


def _configures(mount: Mount) -> bool:
    """A file or directory of settings, which may move ports, is mounted."""
    target = mount.target
    if not isinstance(target, str):
        return True
    if _PROVISIONED.fullmatch(target):
        return False
    return bool(_CONFIGURATION.fullmatch(target)) or target.startswith("/etc")


# ---- what keeps it from starting ----


def _open(started: _Started) -> Iterator[tuple[Stage, str]]:
    for mount in started.mounts:
        if _configures(mount) or (
            isinstance(mount.target, str) and mount.target.startswith("/docker-entrypoint-initdb.d")
        ):
            what = mount.source_text or mount.target
            yield Stage.STARTS, f"what {started.row['kind']} reads of {what} is not judged"


def _faults(started: _Started) -> Iterator[StartFault]:
    yield from _unset(started)
    yield from _unconfigured(started)
    if started.row["kind"] == "postgres":
        yield from _moved_data(started)
    if started.row["kind"] == "minio" and started.words in ([], ["minio"]):
        place = started.command[0][1] if started.command else started.at
        yield StartFault(
            kind="arguments",
            message="MinIO is not told what to do: without `server` and a directory it prints its usage "
            "and ends",
            at=place,
            evidence=(("program", "minio"),),
        )


def _is_set(started: _Started, wanted: str) -> bool | None:
    """Whether a variable (``NAME`` or ``NAME=text``) is set to more than nothing; None: unknown."""
    name, _, text = wanted.partition("=")
    variable = started.variables.get(name)
    if variable is None:
        return None if not started.complete else False
    if isinstance(variable.value, str):
        return variable.value == text if text else bool(variable.value)
    return None


def _unset(started: _Started) -> Iterator[StartFault]:
    """The entrypoint script asks for variables that nothing sets."""
    kept = any(m.kind == "bind" and m.source_exists and not _configures(m) for m in started.mounts)
    for need in started.row.get("needs", ()):
        any_of = [_is_set(started, name) for name in need.get("any", ())]
        all_of = [_is_set(started, name) for name in need.get("all", ())]
        lacks = (any_of and all(answer is False for answer in any_of)) or (
            True in all_of and False in all_of and None not in all_of
        )
        if not lacks or kept:
            continue
        names = list(need.get("any") or need.get("all"))
        lacking = next((n for n in names if _is_set(started, n) is False), names[0])
        empty = started.variables.get(lacking.partition("=")[0])
        yield StartFault(
            kind="variable",
            message=f"`{lacking}` "
            + ("is empty" if empty is not None else "is not set")
            + f", and {started.reference} ends at its first start: `{need['says']}`",
            at=empty.at if empty is not None and empty.at is not None else started.at,
            evidence=(("variable", lacking),),
        )
        return


def _unconfigured(started: _Started) -> Iterator[StartFault]:
    """A command that replaces the image's own leaves out the file that it named."""
    flag, own = str(started.row.get("config_flag", "")), str(started.row.get("config", ""))
    if not flag or not started.command:
        return
    told = _option(started.words, flag)
    place = started.command[0][1]
    if told is None:
        name = posixpath.basename(own)
        yield StartFault(
            kind="arguments",
            message=f"the command replaces the image's own, which names `{flag}={own}`: "
            f"{started.row['kind']} looks for `{name}` in its working directory: "
            f"`open {name}: no such file or directory`",
            at=place,
            certain=False,
            evidence=(("option", flag),),
        )
    elif (
        told.startswith("/")
        and HOLE not in told
        and not told.endswith("/")
        and told != own
        and not any(_covers(m, told) for m in started.mounts)
    ):
        yield StartFault(
            kind="arguments",
            message=f"`{told}` is not in {started.reference}, and nothing is mounted there: "
            f"`open {told}: no such file or directory`",
            at=next((at for text, at in started.command if told in text), place),
            certain=False,
            evidence=(("path", told),),
        )


def _covers(mount: Mount, path: str) -> bool:
    target = mount.target
    if not isinstance(target, str):
        return True
    return path == target or path.startswith(target.rstrip("/") + "/")


def _moved_data(started: _Started) -> Iterator[StartFault]:
    """From PostgreSQL 18 on a mount where the data was keeps the image from starting."""
    found = re.match(r"(?:pg|)(\d+)", started.tag)
    major = int(found[1]) if found else None
    floating = re.fullmatch(r"(?:latest|alpine|bookworm|trixie)?", started.tag) is not None
    if floating and repository(started.reference) == "postgres" and "@" not in started.reference:
        major = started.row.get("newest")
    if major is None or major < 18 or started.told("PGDATA") is not None or not started.complete:
        return
    for mount in started.mounts:
        if mount.target in (_OLD_DATA, f"{_OLD_DATA}/"):
            yield StartFault(
                kind="volume",
                message=f"{started.reference} is PostgreSQL {major}, whose image refuses a mount at "
                f"{_OLD_DATA}: `Error: in 18+, these Docker images are configured to store database data "
                'in a format which is compatible with "pg_ctlcluster"`',
                at=mount.at,
                related=((started.at, "the image"),),
                certain=not floating,
                evidence=(("path", _OLD_DATA),),
            )
