"""Kustomizations, built as ``kustomize build`` would: bases, components, patches and generators.

Works on YAML nodes, so that every fact keeps its place: in the base, or in the patch that
changed it. Names that the hash of a generated ConfigMap is appended to keep their plain form,
here and where they are referred to. What needs the network or a plugin is not built and said
to be.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from auditor import lazy_re as re
from auditor.parsers import kustomize_values, sprig, yamldoc
from auditor.parsers.kustomize_values import text_of as _text
from auditor.parsers.yamldoc import Entry, Mapping, Node, Scalar
from auditor.source import Location, Problem, SourceText
from auditor.values import replace, value

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_MAX_DEPTH = 20
_MAX_OBJECTS = 2_000
_MAX_WORK = 200_000


class Files(Protocol):
    """The files of a repository."""

    def read(self, path: str) -> SourceText | None:
        """The text of a file."""


@value
class Kustomization:
    """A built kustomization. ``inputs`` are the files it was built from, its own included."""

    path: str
    at: Location
    objects: tuple[Mapping, ...] = ()
    inputs: frozenset[str] = frozenset()
    # Kustomizations that this one is laid over or takes in.
    bases: frozenset[str] = frozenset()
    component: bool = False
    problems: tuple[Problem, ...] = ()
    # Files and directories of the repository that it names and that are not there, with the place.
    missing: tuple[tuple[str, Location], ...] = ()
    # It takes in something that is not in the repository.
    open: bool = False


class _Item:
    """One object on its way, with the names it has had."""

    __slots__ = ("names", "node")

    def __init__(self, node: Mapping) -> None:
        self.node = node
        self.names = [_text(node, "metadata", "name")]

    @property
    def kind(self) -> str:
        return _text(self.node, "kind")

    @property
    def name(self) -> str:
        return _text(self.node, "metadata", "name")


def build(
    files: Files, path: str, parsed: dict[str, yamldoc.YamlStream | None] | None = None
) -> Kustomization | None:
    """Build the kustomization at this path; None when it is none. Never raises.

    ``parsed`` holds, by path, the files that were parsed before, and is filled: kustomizations of
    one repository share their bases.
    """
    builder = _Builder(files, {} if parsed is None else parsed)
    root = builder.document(path)
    if root is None:
        return None
    items = builder.build(path, 0)
    component = _text(root, "kind") == "Component"
    return Kustomization(
        path=path,
        at=root.at,
        objects=tuple(item.node for item in items),
        inputs=frozenset(builder.inputs),
        bases=frozenset(builder.bases),
        component=component,
        problems=tuple(builder.problems[:50]),
        missing=tuple(builder.missing[:50]),
        open=builder.open,
    )


def _list(node: Node | None, *path: str) -> tuple[Node, ...]:
    found = node.get(*path) if isinstance(node, Mapping) else None
    return found.items if isinstance(found, yamldoc.Sequence) else ()


def _scalar(text: str, at: Location) -> Scalar:
    return Scalar(at=at, text=text, style="single")


def _with(node: Mapping, key: str, child: Node | None, at: Location | None = None) -> Mapping:
    """The mapping with one key set, or taken away."""
    entries = []
    found = False
    for entry in node.entries:
        if entry.name != key:
            entries.append(entry)
        else:
            found = True
            if child is not None:
                entries.append(Entry(key=entry.key, value=child))
    if not found and child is not None:
        entries.append(Entry(key=_scalar(key, at or child.at), value=child))
    return Mapping(at=node.at, entries=tuple(entries), tag=node.tag, anchor=node.anchor)


def _put(node: Mapping, path: Sequence[str], child: Node) -> Mapping:
    """The mapping with a nested key set; mappings on the way are made."""
    if len(path) == 1:
        return _with(node, path[0], child)
    inner = node.get(path[0])
    if not isinstance(inner, Mapping):
        inner = Mapping(at=child.at)
    return _with(node, path[0], _put(inner, path[1:], child))


# Lists whose items are merged by a key in the kinds that Kubernetes itself defines.
_MERGED = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "secrets": ("name",),
    "ports": ("containerPort", "port"),
}


def merge(
    base: Node, patch: Node, *, builtin: bool = True, field: str = "", depth: int = 0
) -> Node:
    """A strategic merge patch laid over a node."""
    if depth > 80:
        return base
    if isinstance(patch, Mapping):
        directive = _text(patch, "$patch")
        if directive == "replace" or not isinstance(base, Mapping):
            return _clean(patch)
        merged = base
        for entry in patch.entries:
            name = entry.name
            if name.startswith("$"):
                continue
            if isinstance(entry.value, Scalar) and entry.value.is_null:
                merged = _with(merged, name, None)
                continue
            if isinstance(entry.value, Mapping) and _text(entry.value, "$patch") == "delete":
                merged = _with(merged, name, None)
                continue
            old = merged.get(name)
            new = (
                entry.value
                if old is None
                else merge(old, entry.value, builtin=builtin, field=name, depth=depth + 1)
            )
            merged = _with(merged, name, _clean(new) if old is None else new, entry.at)
        return merged
    if isinstance(patch, yamldoc.Sequence) and isinstance(base, yamldoc.Sequence):
        keys = _MERGED.get(field, ()) if builtin else ()
        key = next(
            (
                k
                for k in keys
                if patch.items
                and all(
                    isinstance(i, Mapping) and (i.get(k) or i.get("$patch")) for i in patch.items
                )
            ),
            None,
        )
        if key is None:
            return patch
        return _merged_list(base, patch, key, builtin, depth)
    return patch


def _merged_list(
    base: yamldoc.Sequence, patch: yamldoc.Sequence, key: str, builtin: bool, depth: int
) -> Node:
    items: list[Node] = list(base.items)
    if any(_text(i, "$patch") == "replace" for i in patch.items):
        kept = tuple(i for i in patch.items if _text(i, "$patch") != "replace")
        return yamldoc.Sequence(at=patch.at, items=kept)
    # What the patch names comes first, in its order.
    first: list[Node] = []
    for item in patch.items:
        wanted = _text(item, key)
        place = next((n for n, old in enumerate(items) if _text(old, key) == wanted), None)
        old = items.pop(place) if place is not None else None
        if _text(item, "$patch") == "delete":
            continue
        first.append(
            _clean(item) if old is None else merge(old, item, builtin=builtin, depth=depth + 1)
        )
    return yamldoc.Sequence(at=base.at, items=(*first, *items))


def _clean(node: Node, depth: int = 0) -> Node:
    """A patch as a value: without directives and nulls."""
    if depth > 80:
        return node
    if isinstance(node, Mapping):
        return Mapping(
            at=node.at,
            entries=tuple(
                Entry(key=e.key, value=_clean(e.value, depth + 1))
                for e in node.entries
                if not e.name.startswith("$patch")
                and not (isinstance(e.value, Scalar) and e.value.is_null)
            ),
        )
    if isinstance(node, yamldoc.Sequence):
        return yamldoc.Sequence(
            at=node.at, items=tuple(_clean(item, depth + 1) for item in node.items)
        )
    return node


def edit(node: Node, operations: Iterable[Node]) -> Node:
    """A JSON patch (RFC 6902); operations that do not fit are left out."""
    for operation in operations:
        kind = _text(operation, "op")
        path = [
            part.replace("~1", "/").replace("~0", "~")
            for part in _text(operation, "path").split("/")[1:]
        ]
        given = operation.get("value") if isinstance(operation, Mapping) else None
        if kind in ("move", "copy"):
            source = [
                p.replace("~1", "/").replace("~0", "~")
                for p in _text(operation, "from").split("/")[1:]
            ]
            given = _at(node, source)
            if kind == "move":
                node = _change(node, source, "remove", None)
        if not path or (given is None and kind in ("add", "replace", "copy", "move")):
            continue
        if kind in ("add", "replace", "remove", "copy", "move"):
            node = _change(node, path, "add" if kind in ("copy", "move") else kind, given)
    return node


def _at(node: Node | None, path: Sequence[str]) -> Node | None:
    for part in path:
        if isinstance(node, Mapping):
            node = node.get(part)
        elif isinstance(node, yamldoc.Sequence) and part.isdigit() and int(part) < len(node.items):
            node = node.items[int(part)]
        else:
            return None
    return node


def _change(node: Node, path: Sequence[str], kind: str, given: Node | None) -> Node:
    head, rest = path[0], path[1:]
    if isinstance(node, Mapping):
        if not rest:
            return _with(node, head, given if kind != "remove" else None)
        inner = node.get(head)
        return node if inner is None else _with(node, head, _change(inner, rest, kind, given))
    if isinstance(node, yamldoc.Sequence):
        items = list(node.items)
        if head == "-" and not rest and given is not None and kind == "add":
            return yamldoc.Sequence(at=node.at, items=(*items, given))
        if not head.isdigit() or int(head) > len(items):
            return node
        index = int(head)
        if rest:
            if index < len(items):
                items[index] = _change(items[index], rest, kind, given)
        elif kind == "add" and given is not None:
            items.insert(index, given)
        elif index < len(items):
            if kind == "remove":
                del items[index]
            elif given is not None:
                items[index] = given
        return yamldoc.Sequence(at=node.at, items=tuple(items))
    return node


_BUILTIN = ("apps", "batch", "autoscaling", "policy", "networking.k8s.io", "extensions")


def _is_builtin(node: Mapping) -> bool:
    group, slash, _ = _text(node, "apiVersion").partition("/")
    return not slash or group in _BUILTIN or group.endswith(".k8s.io")


_REMOTE = re.compile(r"://|^(?:github\.com/|git@|git::)|\?ref=")


class _Builder:
    def __init__(self, files: Files, parsed: dict[str, yamldoc.YamlStream | None]) -> None:
        self.files = files
        self.parsed = parsed
        self.inputs: set[str] = set()
        self.bases: set[str] = set()
        self.problems: list[Problem] = []
        self.missing: list[tuple[str, Location]] = []
        self.open = False
        self.work = 0
        self.running: list[str] = []

    def problem(self, at: Location, message: str) -> None:
        self.problems.append(Problem(at=at, message=message))

    def absent(self, at: Location, name: str, path: str) -> None:
        self.problem(at, f"{name} is not in the repository")
        if not path.startswith(".."):
            self.missing.append((path, at))

    def stream(self, path: str) -> yamldoc.YamlStream | None:
        """The parsed file, which is an input from now on; None when there is none."""
        if path.startswith(".."):
            return None
        if path not in self.parsed:
            text = self.files.read(path)
            self.parsed[path] = None if text is None else yamldoc.parse(text)
        stream = self.parsed[path]
        if stream is not None:
            self.inputs.add(path)
        return stream

    def document(self, path: str) -> Mapping | None:
        stream = self.stream(path)
        if stream is None:
            return None
        root = stream.documents[0] if stream.documents else None
        return root if isinstance(root, Mapping) else None

    def build(self, path: str, depth: int) -> list[_Item]:
        """The objects of one kustomization, its bases included."""
        if depth > _MAX_DEPTH or path in self.running:
            return []
        root = self.document(path)
        if root is None:
            return []
        self.running.append(path)
        folder = posixpath.dirname(path)
        items: list[_Item] = []
        for key in ("resources", "bases"):
            for entry in _list(root, key):
                items += self.resource(entry, folder, depth)
        for key in ("generators", "transformers", "helmCharts", "helmChartInflationGenerator"):
            if root.get(key) is not None:
                self.open = True
                at = root.entry(key)
                where = at.at if at is not None else root.at
                self.problem(where, f"{key} of a kustomization are not run")
        for key in ("generators", "transformers", "validators", "configurations", "crds"):
            for entry in _list(root, key):
                self.named(entry, folder)
        items += self.generated(root, folder, items)
        items = self.components(root, folder, items, depth)
        items = self.transformed(root, folder, items)
        self.running.pop()
        return items[:_MAX_OBJECTS]

    def find(self, folder: str, name: str) -> str | None:
        """The kustomization file in a directory."""
        base = posixpath.normpath(posixpath.join(folder, name))
        for file in NAMES:
            path = posixpath.normpath(posixpath.join(base, file))
            if not path.startswith("..") and self.files.read(path) is not None:
                return path
        return None

    def named(self, entry: Node, folder: str) -> None:
        """A file that is named and not read here is there, or kustomize stops."""
        name = _text(entry)
        if not name or not isinstance(entry, Scalar) or "\n" in name or _REMOTE.search(name):
            return
        path = posixpath.normpath(posixpath.join(folder, name))
        if self.find(folder, name) is None and self.stream(path) is None:
            self.open = True
            self.absent(entry.at, name, path)

    def resource(self, entry: Node, folder: str, depth: int) -> list[_Item]:
        name = _text(entry)
        if not name or not isinstance(entry, Scalar):
            return []
        if _REMOTE.search(name):
            self.open = True
            return []
        path = posixpath.normpath(posixpath.join(folder, name))
        inner = self.find(folder, name)
        if inner is not None:
            self.bases.add(inner)
            return self.build(inner, depth + 1)
        stream = self.stream(path)
        if stream is None:
            self.open = True
            self.absent(entry.at, name, path)
            return []
        return [_Item(node) for node in _objects(stream.documents)]

    def components(self, root: Mapping, folder: str, items: list[_Item], depth: int) -> list[_Item]:
        for entry in _list(root, "components"):
            name = _text(entry)
            remote = _REMOTE.search(name) is not None
            inner = self.find(folder, name) if name and not remote else None
            if inner is None and name and not remote:
                self.absent(entry.at, name, posixpath.normpath(posixpath.join(folder, name)))
            if inner is None or inner in self.running or depth > _MAX_DEPTH:
                self.open = True
                continue
            self.bases.add(inner)
            component = self.document(inner)
            if component is None:
                continue
            self.running.append(inner)
            place = posixpath.dirname(inner)
            for key in ("resources", "bases"):
                for item in _list(component, key):
                    items += self.resource(item, place, depth + 1)
            items += self.generated(component, place, items)
            items = self.components(component, place, items, depth + 1)
            items = self.transformed(component, place, items)
            self.running.pop()
        return items

    def generated(self, root: Mapping, folder: str, present: list[_Item]) -> list[_Item]:
        made = []
        for key, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for entry in _list(root, key):
                if not isinstance(entry, Mapping):
                    continue
                data = self.pairs(entry, folder, secret=kind == "Secret")
                name = _text(entry, "name")
                node = Mapping(
                    at=entry.at,
                    entries=(
                        Entry(key=_scalar("apiVersion", entry.at), value=_scalar("v1", entry.at)),
                        Entry(key=_scalar("kind", entry.at), value=_scalar(kind, entry.at)),
                        Entry(
                            key=_scalar("metadata", entry.at),
                            value=Mapping(
                                at=entry.at,
                                entries=(
                                    Entry(
                                        key=_scalar("name", entry.at),
                                        value=entry.get("name") or _scalar("", entry.at),
                                    ),
                                ),
                            ),
                        ),
                        Entry(key=_scalar("data", entry.at), value=data),
                    ),
                )
                behaviour = _text(entry, "behavior")
                old = next((i for i in present if i.kind == kind and name in i.names), None)
                if behaviour in ("merge", "replace") and old is not None:
                    if behaviour == "merge":
                        merged = merge(old.node, _with(node, "metadata", None))
                        old.node = merged if isinstance(merged, Mapping) else old.node
                    else:
                        old.node = _with(old.node, "data", data)
                    continue
                made.append(_Item(node))
        return made

    def pairs(self, entry: Mapping, folder: str, *, secret: bool = False) -> Mapping:
        """``data`` of a generated ConfigMap: literals, files and lines of env files.

        What a secret is made of is not committed: its absence says nothing.
        """
        found: list[Entry] = []
        for literal in _list(entry, "literals"):
            name, equals, text = _text(literal).partition("=")
            if equals and isinstance(literal, Scalar):
                found.append(
                    Entry(
                        key=_scalar(name.strip(), literal.at),
                        value=_scalar(text.strip("\"'"), literal.at),
                    )
                )
        for item in _list(entry, "files"):
            name, equals, path = _text(item).partition("=")
            path = path if equals else name
            key = name if equals else posixpath.basename(name)
            place = posixpath.normpath(posixpath.join(folder, path))
            file = None if place.startswith("..") else self.files.read(place)
            self.inputs.add(place)
            if file is None and not secret:
                self.absent(item.at, path, place)
            content = Scalar(
                at=item.at,
                text=file.text if file is not None else "{{ not in the repository }}",
                style="single" if file is not None else "template",
            )
            found.append(Entry(key=_scalar(key, item.at), value=content))
        env = [*_list(entry, "envs")]
        single = entry.get("env")
        env += [single] if isinstance(single, Scalar) else []
        for item in env:
            place = posixpath.normpath(posixpath.join(folder, _text(item)))
            file = None if place.startswith("..") else self.files.read(place)
            self.inputs.add(place)
            if file is None:
                self.open = True
                if not secret:
                    self.absent(item.at, _text(item), place)
                continue
            for number, line in enumerate(file.lines[:5_000], 1):
                name, equals, content_text = line.partition("=")
                if equals and not line.lstrip().startswith("#"):
                    at = file.at(number)
                    found.append(
                        Entry(
                            key=_scalar(name.strip(), at), value=_scalar(content_text.strip(), at)
                        )
                    )
        return Mapping(at=entry.at, entries=tuple(found))

    # --- transformers, in the order in which kustomize runs them

    def transformed(self, root: Mapping, folder: str, items: list[_Item]) -> list[_Item]:
        for entry in _list(root, "patchesStrategicMerge"):
            items = self.apply_text(entry, None, folder, items)
        for key in ("patches", "patchesJson6902"):
            for entry in _list(root, key):
                if not isinstance(entry, Mapping):
                    # A bare path, as kustomize read it before version 4.
                    items = self.apply_text(entry, None, folder, items)
                    continue
                source = entry.get("path") or entry.get("patch")
                if source is not None:
                    target = entry.get("target")
                    items = self.apply_text(
                        source,
                        target if isinstance(target, Mapping) else None,
                        folder,
                        items,
                        inline=entry.get("path") is None,
                    )
        space = root.get("namespace")
        if isinstance(space, Scalar) and not space.is_null:
            for item in items:
                if item.kind not in _CLUSTER_WIDE:
                    item.node = _put(item.node, ("metadata", "namespace"), space)
        self.rename(root, items)
        self.label(root, items)
        for entry in _list(root, "replicas"):
            count = entry.get("count") if isinstance(entry, Mapping) else None
            for item in items:
                if (
                    count is not None
                    and item.kind in _SCALED
                    and _text(entry, "name") in item.names
                ):
                    item.node = _put(item.node, ("spec", "replicas"), count)
        images = [e for e in _list(root, "images") if isinstance(e, Mapping)]
        if images:
            for item in items:
                item.node = self.imaged(item.node, images)
        self.replace_values(root, folder, items)
        if root.get("vars") is not None:
            self.open = True
        return items

    def replace_values(self, root: Mapping, folder: str, items: list[_Item]) -> None:
        """``replacements``, here or in files of their own."""
        entries: list[Node] = []
        for entry in _list(root, "replacements"):
            name = _text(entry, "path")
            if not name:
                entries.append(entry)
                continue
            path = posixpath.normpath(posixpath.join(folder, name))
            stream = self.stream(path)
            if stream is None:
                self.open = True
                self.absent(entry.at, name, path)
                continue
            for document in stream.documents:
                listed = document.items if isinstance(document, yamldoc.Sequence) else (document,)
                entries += [item for item in listed if isinstance(item, Mapping)]
        for missed in kustomize_values.apply(entries, items, _selected):
            self.open = True
            self.problem(missed.at, "this replacement finds no source, or several")

    def apply_text(
        self,
        source: Node,
        target: Mapping | None,
        folder: str,
        items: list[_Item],
        inline: bool | None = None,
    ) -> list[_Item]:
        text = _text(source)
        if not isinstance(source, Scalar):
            return items
        if inline is None:
            inline = "\n" in text
        if inline:
            documents = _shifted(source)
        else:
            path = posixpath.normpath(posixpath.join(folder, text))
            stream = self.stream(path)
            if stream is None:
                self.open = True
                self.absent(source.at, text, path)
                return items
            documents = stream.documents
        for document in documents:
            items = self.apply(document, target, items)
        return items

    def apply(self, patch: Node, target: Mapping | None, items: list[_Item]) -> list[_Item]:
        kept = []
        for item in items:
            self.work += 1
            if self.work > _MAX_WORK:
                return items
            if target is not None:
                chosen = _selected(item, target)
            elif isinstance(patch, Mapping):
                chosen = item.kind == _text(patch, "kind") and (
                    _text(patch, "metadata", "name") in item.names
                )
            else:
                chosen = False
            if not chosen:
                kept.append(item)
                continue
            if isinstance(patch, yamldoc.Sequence):
                changed = edit(item.node, patch.items)
            elif _text(patch, "$patch") == "delete":
                continue
            else:
                body = patch
                if isinstance(patch, Mapping) and target is not None:
                    # With a target, the name in the patch says nothing.
                    data = patch.get("metadata")
                    if isinstance(data, Mapping):
                        body = _with(patch, "metadata", _with(data, "name", None))
                    body = _with(body, "kind", None) if isinstance(body, Mapping) else body
                elif isinstance(patch, Mapping):
                    data = patch.get("metadata")
                    if isinstance(data, Mapping):
                        body = _with(patch, "metadata", _with(data, "name", None))
                changed = merge(item.node, body, builtin=_is_builtin(item.node))
            if isinstance(changed, Mapping):
                item.node = changed
            kept.append(item)
        return kept

    def rename(self, root: Mapping, items: list[_Item]) -> None:
        prefix, suffix = _text(root, "namePrefix"), _text(root, "nameSuffix")
        if not prefix and not suffix:
            return
        renamed: dict[tuple[str, str], str] = {}
        for item in items:
            if item.kind in _NEVER_RENAMED or not item.name:
                continue
            new = f"{prefix}{item.name}{suffix}"
            renamed[item.kind, item.name] = new
            old = item.node.get("metadata", "name")
            if old is not None:
                item.node = _put(item.node, ("metadata", "name"), _scalar(new, old.at))
                item.names.append(new)
        for item in items:
            made = _renamed(item.node, renamed, (), 0)
            if isinstance(made, Mapping):
                item.node = made

    def label(self, root: Mapping, items: list[_Item]) -> None:
        groups: list[tuple[Mapping, bool, bool]] = []
        common = root.get("commonLabels")
        if isinstance(common, Mapping):
            groups.append((common, True, True))
        for entry in _list(root, "labels"):
            pairs = entry.get("pairs") if isinstance(entry, Mapping) else None
            if isinstance(pairs, Mapping):
                selectors = _text(entry, "includeSelectors") == "true"
                templates = selectors or _text(entry, "includeTemplates") == "true"
                groups.append((pairs, selectors, templates))
        for pairs, selectors, templates in groups:
            for item in items:
                for pair in pairs.entries:
                    child = pair.value
                    if isinstance(child, Scalar):
                        child = replace(child, style="single")
                    for path in _label_paths(item, selectors, templates):
                        item.node = _put(item.node, (*path, pair.name), child)

    def imaged(self, node: Mapping, images: Sequence[Mapping]) -> Mapping:
        made = _imaged(node, images, 0)
        return made if isinstance(made, Mapping) else node


_CLUSTER_WIDE = frozenset(
    [
        "Namespace",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "PersistentVolume",
        "StorageClass",
        "PriorityClass",
        "IngressClass",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "APIService",
        "ClusterIssuer",
        "RuntimeClass",
        "Node",
    ]
)
_NEVER_RENAMED = frozenset(("CustomResourceDefinition", "APIService", "Namespace"))
_SCALED = frozenset(("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"))
_TEMPLATED = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"))


def _objects(documents: Iterable[Node]) -> Iterator[Mapping]:
    for document in documents:
        if not isinstance(document, Mapping):
            continue
        if _text(document, "kind").endswith("List") and document.get("items") is not None:
            yield from (i for i in _list(document, "items") if isinstance(i, Mapping))
        elif document.get("kind") is not None:
            yield document


def _shifted(source: Scalar) -> tuple[Node, ...]:
    """The documents of a block scalar, at their places in the file it stands in."""
    from auditor.parsers.helm import moved

    stream = yamldoc.parse(SourceText(source.at.path, source.text))
    block = source.style in ("literal", "folded")

    def place(at: Location) -> Location:
        line = source.at.line + (at.line if block else 0)
        return Location(source.at.path, min(line, source.at.end_line), at.column)

    memo: dict[int, Node] = {}
    return tuple(moved(document, place, memo) for document in stream.documents)


def _selected(item: _Item, target: Mapping) -> bool:
    group, _, version = _text(item.node, "apiVersion").rpartition("/")
    for key, own in (("kind", (item.kind,)), ("name", tuple(item.names)), ("group", (group,)),
                     ("version", (version,)),
                     ("namespace", (_text(item.node, "metadata", "namespace"),))):  # fmt: skip
        wanted = _text(target, key)
        if wanted and not any(_matches(wanted, text) for text in own):
            return False
    labels = _text(target, "labelSelector")
    for part in labels.split(",") if labels else ():
        name, _, text = part.partition("=")
        if _text(item.node, "metadata", "labels", name.strip()) != text.strip("= "):
            return False
    return True


def _matches(pattern: str, text: str) -> bool:
    if re.fullmatch(r"[\w.-]*", pattern) and "." not in pattern:
        return pattern == text
    compiled = sprig._safe_pattern(pattern)
    return compiled is not None and compiled.fullmatch(text) is not None


# Where an object names another one: the last keys of the path, and the kind that is meant.
_REFERENCES = (
    (("configMapRef", "name"), "ConfigMap"),
    (("configMapKeyRef", "name"), "ConfigMap"),
    (("configMap", "name"), "ConfigMap"),
    (("secretRef", "name"), "Secret"),
    (("secretKeyRef", "name"), "Secret"),
    (("secret", "secretName"), "Secret"),
    (("secret", "name"), "Secret"),
    (("tls", "secretName"), "Secret"),
    (("imagePullSecrets", "name"), "Secret"),
    (("persistentVolumeClaim", "claimName"), "PersistentVolumeClaim"),
    (("spec", "serviceAccountName"), "ServiceAccount"),
    (("spec", "serviceName"), "Service"),
    (("backend", "serviceName"), "Service"),
    (("service", "name"), "Service"),
)


def _renamed(
    node: Node, renamed: dict[tuple[str, str], str], path: tuple[str, ...], depth: int
) -> Node:
    if depth > 80:
        return node
    if isinstance(node, Mapping):
        entries = []
        changed = False
        for entry in node.entries:
            child = entry.value
            here = (*path[-1:], entry.name)
            if isinstance(child, Scalar):
                kind = next((k for keys, k in _REFERENCES if keys == here), None)
                if (
                    here == ("scaleTargetRef", "name")
                    or here == ("subjects", "name")
                    or here == ("roleRef", "name")
                ):
                    kind = _text(node, "kind")
                new = renamed.get((kind, child.text)) if kind else None
                if new is not None:
                    child = _scalar(new, child.at)
            else:
                child = _renamed(child, renamed, here, depth + 1)
            changed = changed or child is not entry.value
            entries.append(Entry(key=entry.key, value=child))
        return Mapping(at=node.at, entries=tuple(entries)) if changed else node
    if isinstance(node, yamldoc.Sequence):
        items = tuple(_renamed(item, renamed, path, depth + 1) for item in node.items)
        same = all(a is b for a, b in zip(items, node.items, strict=True))
        return node if same else yamldoc.Sequence(at=node.at, items=items)
    return node


def _label_paths(item: _Item, selectors: bool, templates: bool) -> Iterator[tuple[str, ...]]:
    yield ("metadata", "labels")
    kind = item.kind
    if kind == "CronJob":
        if templates:
            yield ("spec", "jobTemplate", "metadata", "labels")
            yield ("spec", "jobTemplate", "spec", "template", "metadata", "labels")
        return
    if templates and kind in _TEMPLATED and item.node.get("spec", "template") is not None:
        yield ("spec", "template", "metadata", "labels")
    if selectors:
        if kind == "Service" and item.node.get("spec", "selector") is not None:
            yield ("spec", "selector")
        elif kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
            yield ("spec", "selector", "matchLabels")
        elif kind in ("PodDisruptionBudget", "NetworkPolicy"):
            key = "selector" if kind == "PodDisruptionBudget" else "podSelector"
            if item.node.get("spec", key, "matchLabels") is not None:
                yield ("spec", key, "matchLabels")


def _imaged(node: Node, images: Sequence[Mapping], depth: int) -> Node:
    """``image`` of every container, as ``images:`` rewrites it."""
    if depth > 80:
        return node
    if isinstance(node, Mapping):
        entries = []
        changed = False
        for entry in node.entries:
            child = entry.value
            if entry.name in ("containers", "initContainers") and isinstance(
                child, yamldoc.Sequence
            ):
                items = tuple(_one_image(item, images) for item in child.items)
                if any(a is not b for a, b in zip(items, child.items, strict=True)):
                    child = yamldoc.Sequence(at=child.at, items=items)
            elif not isinstance(child, Scalar):
                child = _imaged(child, images, depth + 1)
            changed = changed or child is not entry.value
            entries.append(Entry(key=entry.key, value=child))
        return Mapping(at=node.at, entries=tuple(entries)) if changed else node
    if isinstance(node, yamldoc.Sequence):
        made = tuple(_imaged(item, images, depth + 1) for item in node.items)
        same = all(a is b for a, b in zip(made, node.items, strict=True))
        return node if same else yamldoc.Sequence(at=node.at, items=made)
    return node


def _one_image(container: Node, images: Sequence[Mapping]) -> Node:
    image = container.get("image") if isinstance(container, Mapping) else None
    if not isinstance(container, Mapping) or not isinstance(image, Scalar):
        return container
    text = image.text
    at = image.at
    for entry in images:
        name, tag, digest = _parts(text)
        if name != _text(entry, "name"):
            continue
        new = entry.get("newName")
        newer = entry.get("newTag")
        pinned = _text(entry, "digest")
        if isinstance(new, Scalar):
            name, at = new.text, new.at
        if isinstance(newer, Scalar):
            tag, digest, at = newer.text, "", newer.at
        if pinned:
            tag, digest = "", pinned
        text = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    return container if text == image.text else _with(container, "image", _scalar(text, at))


def _parts(image: str) -> tuple[str, str, str]:
    name, _, digest = image.partition("@")
    head, slash, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    return f"{head}{slash}{base}", tag, digest
