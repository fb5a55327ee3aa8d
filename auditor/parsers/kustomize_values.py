"""``replacements`` of a kustomization: values of one object copied into others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from auditor.parsers import yamldoc
from auditor.parsers.yamldoc import Entry, Mapping, Node, Scalar
from auditor.values import replace

_MAX_DEPTH = 60


class Item(Protocol):
    """An object on its way through a build."""

    node: Mapping


_Kind = TypeVar("_Kind", bound=Item)


def text_of(node: Node | None, *path: str) -> str:
    """The text of a scalar; empty for anything else."""
    found = node.get(*path) if isinstance(node, Mapping) and path else node
    return found.text if isinstance(found, Scalar) and not found.is_null else ""


def field_path(text: str) -> list[str]:
    r"""``spec.containers.[name=api].image`` as its parts; ``\.`` is a dot of a name."""
    parts = [""]
    inside = False
    escaped = False
    for char in text:
        if escaped or (char != "." and char != "\\") or (inside and char == "."):
            parts[-1] += char
            inside = (inside or char == "[") and char != "]"
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            parts.append("")
    return [part for part in parts if part]


def apply(
    entries: Iterable[Node],
    items: Sequence[_Kind],
    selected: Callable[[_Kind, Mapping], bool],
) -> Iterator[Mapping]:
    """Carry out the replacements, in their order; yields those that find no source."""
    for entry in entries:
        if not isinstance(entry, Mapping):
            continue
        given = _source(entry, items, selected)
        if given is None:
            yield entry
            continue
        targets = entry.get("targets")
        for target in targets.items if isinstance(targets, yamldoc.Sequence) else ():
            if isinstance(target, Mapping):
                _into(target, given, items, selected)


def _source(
    entry: Mapping, items: Sequence[_Kind], selected: Callable[[_Kind, Mapping], bool]
) -> Node | None:
    literal = entry.get("sourceValue")
    if literal is not None:
        return literal
    source = entry.get("source")
    if not isinstance(source, Mapping):
        return None
    found = [item for item in items if selected(item, source)]
    if len(found) != 1:
        return None
    places = list(
        _values(found[0].node, field_path(text_of(source, "fieldPath") or "metadata.name"))
    )
    value = places[0] if places else None
    delimiter = text_of(source, "options", "delimiter")
    if value is None or not delimiter:
        return value
    if not isinstance(value, Scalar):
        return None
    pieces = value.text.split(delimiter)
    index = text_of(source, "options", "index") or "0"
    if not index.isdigit() or int(index) >= len(pieces):
        return None
    return replace(value, text=pieces[int(index)])


def _into(
    target: Mapping,
    given: Node,
    items: Sequence[_Kind],
    selected: Callable[[_Kind, Mapping], bool],
) -> None:
    select, reject, paths = target.get("select"), target.get("reject"), target.get("fieldPaths")
    if not isinstance(select, Mapping):
        return
    rejected = reject.items if isinstance(reject, yamldoc.Sequence) else ()
    written = paths.items if isinstance(paths, yamldoc.Sequence) else ()
    create = text_of(target, "options", "create") == "true"
    delimiter = text_of(target, "options", "delimiter")
    index = text_of(target, "options", "index") or "0"

    def changed(old: Node | None) -> Node:
        if not delimiter or not isinstance(old, Scalar) or not isinstance(given, Scalar):
            return given
        pieces = old.text.split(delimiter)
        place = int(index) if index.lstrip("-").isdigit() else 0
        if place < 0:
            pieces.insert(0, given.text)
        elif place >= len(pieces):
            pieces.append(given.text)
        else:
            pieces[place] = given.text
        return replace(old, text=delimiter.join(pieces), at=given.at)

    for item in items:
        if not selected(item, select) or any(
            isinstance(other, Mapping) and selected(item, other) for other in rejected
        ):
            continue
        for path in [text_of(p) for p in written] or ["metadata.name"]:
            made = _put(item.node, field_path(path), changed, create, 0)
            if isinstance(made, Mapping):
                item.node = made


def _chosen(node: yamldoc.Sequence, part: str) -> list[int]:
    """The items of a list that a part of a path means."""
    if part == "*":
        return list(range(len(node.items)))
    if part.startswith("[") and part.endswith("]"):
        key, _, wanted = part[1:-1].partition("=")
        return [
            number
            for number, item in enumerate(node.items)
            if (text_of(item, key) if key else text_of(item)) == wanted
        ]
    if part.isdigit() and int(part) < len(node.items):
        return [int(part)]
    return []


def _values(node: Node, path: Sequence[str], depth: int = 0) -> Iterator[Node]:
    if not path:
        yield node
    elif depth > _MAX_DEPTH:
        return
    elif isinstance(node, yamldoc.Sequence):
        for number in _chosen(node, path[0]):
            yield from _values(node.items[number], path[1:], depth + 1)
    elif isinstance(node, Mapping):
        child = node.get(path[0])
        if child is not None:
            yield from _values(child, path[1:], depth + 1)


def _put(
    node: Node,
    path: Sequence[str],
    changed: Callable[[Node | None], Node],
    create: bool,
    depth: int,
) -> Node:
    """The node with what the path leads to replaced; unchanged where it leads nowhere."""
    if not path:
        return changed(node)
    if depth > _MAX_DEPTH:
        return node
    if isinstance(node, yamldoc.Sequence):
        items = list(node.items)
        for number in _chosen(node, path[0]):
            items[number] = _put(items[number], path[1:], changed, create, depth + 1)
        return replace(node, items=tuple(items))
    if not isinstance(node, Mapping):
        return node
    child = node.get(path[0])
    if child is None:
        if not create:
            return node
        new = changed(None)
        made = _put(Mapping(at=new.at), path[1:], changed, create, depth + 1) if path[1:] else new
        key = Scalar(at=new.at, text=path[0], style="plain")
        return replace(node, entries=(*node.entries, Entry(key=key, value=made)))
    inner = _put(child, path[1:], changed, create, depth + 1)
    entries = tuple(Entry(key=e.key, value=inner) if e.name == path[0] else e for e in node.entries)
    return replace(node, entries=entries)
