"""The tree between YAML and types: interpolated values with their places.

Each value keeps the directory that relative paths in it start from. Merging works on this tree,
because Compose merges before it types.
"""

from __future__ import annotations

from typing import Any

from auditor.parsers import yamldoc
from auditor.parsers.compose.facts import Text
from auditor.parsers.dotenv import HOLE
from auditor.source import Location, Unknown


def words_of(text: str) -> frozenset[str]:
    """The words of a table written as one text."""
    return frozenset(text.split())


class Scalar:
    """A scalar; ``text`` may hold ``HOLE``; ``null`` for YAML's null."""

    __slots__ = ("at", "base", "blank", "null", "raw", "style", "tag", "text")

    def __init__(
        self,
        text: str,
        at: Location,
        base: str,
        *,
        raw: str | None = None,
        blank: str | None = None,
        null: bool = False,
        tag: str | None = None,
        style: str = "plain",
    ) -> None:
        self.text = text
        self.at = at
        self.base = base
        self.raw = text if raw is None else raw
        self.blank = text if blank is None else blank
        self.null = null
        self.tag = tag
        self.style = style


class Table:
    """A mapping: name to (place of the key, value)."""

    __slots__ = ("at", "base", "items", "tag")

    def __init__(
        self,
        at: Location,
        base: str,
        items: dict[str, tuple[Location, Tree]] | None = None,
        tag: str | None = None,
    ) -> None:
        self.at = at
        self.base = base
        self.items: dict[str, tuple[Location, Tree]] = {} if items is None else items
        self.tag = tag

    def get(self, name: str) -> Tree | None:
        found = self.items.get(name)
        return None if found is None else found[1]


class Items:
    __slots__ = ("at", "base", "items", "tag")

    def __init__(self, at: Location, base: str, items: list[Tree], tag: str | None = None) -> None:
        self.at = at
        self.base = base
        self.items = items
        self.tag = tag


class Typed:
    """An item that was typed before merging; ``key`` decides which items are the same."""

    __slots__ = ("at", "base", "key", "tag", "value")

    def __init__(self, value: Any, key: str, at: Location, base: str) -> None:
        self.value = value
        self.key = key
        self.at = at
        self.base = base
        self.tag: str | None = None


Tree = Scalar | Table | Items | Typed

SERVICE_KEYS = words_of(
    "annotations attach build blkio_config cap_add cap_drop cgroup cgroup_parent command "
    "configs container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period "
    "cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy develop "
    "device_cgroup_rules devices dns dns_opt dns_search domainname driver_opts entrypoint "
    "env_file environment expose extends external_links extra_hosts gpus group_add healthcheck "
    "hostname image init ipc isolation label_file labels links logging mac_address mem_limit "
    "mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable "
    "oom_score_adj pid pids_limit platform ports post_start pre_start pre_stop privileged profiles "
    "provider pull_policy pull_refresh_after read_only restart runtime scale secrets "
    "security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs "
    "tty ulimits use_api_socket user userns_mode uts volume_driver volumes volumes_from "
    "working_dir"
)


def first_document(stream: yamldoc.YamlStream) -> yamldoc.Node | None:
    """The document that Compose reads: the first one."""
    return stream.documents[0] if stream.documents else None


def host_path(base: str, path: str) -> str | None:
    """A relative path of the host, from ``base``, relative to the audited root; None if outside."""
    if not path or path.startswith(("/", "~", "\\")) or HOLE in path or path[1:2] == ":":
        return None
    parts = [part for part in base.split("/") if part]
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part and part != ".":
            parts.append(part)
    return "/".join(parts)


def plain_text(node: Tree | None) -> str:
    """The text of a scalar; empty where there is none."""
    return node.text if isinstance(node, Scalar) and not node.null else ""


def text_or_unknown(node: Tree | None) -> str | Unknown | None:
    """The text of a scalar, Unknown where the host decides it; None where there is none."""
    if not isinstance(node, Scalar) or node.null:
        return None
    return Unknown(f"{node.raw!r} depends on the host") if HOLE in node.text else node.text


def text_of(node: Tree | None) -> Text | None:
    """A scalar as a fact with its place; None where there is none."""
    if not isinstance(node, Scalar) or node.null:
        return None
    return made_text(node)


def made_text(node: Scalar) -> Text:
    """A scalar as a fact with its place."""
    value: str | Unknown = node.text
    if HOLE in node.text:
        value = Unknown(f"{node.raw!r} depends on variables that nothing in the repository sets")
    return Text(value=value, at=node.at, raw=node.raw, blank=node.blank, holed=node.text)


def is_on(node: Tree | None, default: bool = False) -> bool:
    """A boolean as Compose reads it."""
    text = plain_text(node).lower()
    if text in ("true", "yes", "y", "on", "1"):
        return True
    return False if text in ("false", "no", "n", "off", "0") else default
