"""YAML as an immutable tree in which every key and every value knows where it stands.

Scalars keep their text: ``22:22`` stays ``22:22``. Booleans and numbers are read on demand by
the rules of the YAML 1.2 core schema. Aliases share nodes, so a tree is a graph without
cycles: walk it with ``walk``, which is bounded, and never by unbounded recursion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from auditor.source import Location, Problem, SourceText


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scalar:
    """Text of one scalar after unquoting and folding. ``plain``: written without quotes."""

    at: Location
    text: str
    # "plain", "single", "double", "literal" or "folded".
    style: str = "plain"
    # An explicit tag as written, such as "!reset" or "!Ref"; None without one.
    tag: str | None = None
    anchor: str | None = None

    @property
    def is_null(self) -> bool:
        raise NotImplementedError

    def str(self) -> str | None:
        """The text, or None for null."""
        raise NotImplementedError

    def int(self) -> int | None:
        """A decimal, ``0o`` or ``0x`` integer; None for anything else."""
        raise NotImplementedError

    def float(self) -> float | None:
        raise NotImplementedError

    def bool(self) -> bool | None:
        """``true``/``false`` (also quoted: Compose casts), None for anything else."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """One key of a mapping with its value. ``merged``: it came in through ``<<``."""

    key: Node
    value: Node
    merged: bool = False

    @property
    def name(self) -> str:
        """The key's text; empty when the key is no scalar."""
        raise NotImplementedError

    @property
    def at(self) -> Location:
        """Where the key stands."""
        return self.key.at


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mapping:
    """Key–value pairs in order, ``<<`` applied, the last of duplicate keys kept."""

    at: Location
    entries: tuple[Entry, ...] = ()
    tag: str | None = None
    anchor: str | None = None

    def get(self, *path: str) -> Node | None:
        """The value under these nested keys, or None."""
        raise NotImplementedError

    def entry(self, key: str) -> Entry | None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sequence:
    """Items in order."""

    at: Location
    items: tuple[Node, ...] = ()
    tag: str | None = None
    anchor: str | None = None


Node = Scalar | Mapping | Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlStream:
    """The documents of one file; an empty document is a null scalar."""

    path: str
    documents: tuple[Node, ...] = ()
    problems: tuple[Problem, ...] = field(default=())
    # The file is a template (Helm, Jinja, Go) and is no YAML before it is rendered.
    template: bool = False


def parse(source: SourceText) -> YamlStream:
    """Every document of the file; never raises."""
    raise NotImplementedError


def walk(node: Node, *, limit: int = 200_000) -> Iterator[Node]:
    """Every distinct node below and including this one, once, at most ``limit`` of them."""
    raise NotImplementedError
