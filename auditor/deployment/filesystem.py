"""The file system of an image as a stack of lazy layers, and the build context that fills it.

Nothing is listed until somebody asks for a path. What a RUN, a base image or a foreign copy may
have created is ``Undetermined``, never guessed.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Literal, Protocol

from auditor.deployment.effects import Others
from auditor.parsers.dockerfile import Heredoc
from auditor.parsers.dockerignore import DockerIgnore, IgnoreMatch
from auditor.source import Location, Unknown
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.deployment.baselayer import BaseLayer


class BuildContext(Protocol):
    """The directory that is sent to the builder. Paths are POSIX, relative to its root, case
    sensitive; the root itself is the empty string.
    """

    def is_file(self, path: str) -> bool: ...

    def is_dir(self, path: str) -> bool: ...

    def list_dir(self, path: str) -> Sequence[str]:
        """Names in a directory; empty when it is none."""
        ...

    def executable(self, path: str) -> bool: ...


# --- the file system -----------------------------------------------------------------------


@value
class ContextSource:
    """A file or directory of the build context."""

    path: str


@value
class InlineSource:
    """The content of a here-document."""

    heredoc: Heredoc


@value
class MadeSource:
    """Made by an instruction: WORKDIR, mkdir, touch, redirection, VOLUME.

    ``text``: what literal commands wrote, each piece with its place; None when that is not known.
    """

    by: str
    text: tuple[tuple[Location, str], ...] | None = None


@value
class BaseSource:
    """Known to be part of the base image."""

    image: str


Source = ContextSource | InlineSource | MadeSource | BaseSource


@value
class Present:
    """The path exists. ``owner`` is ``user[:group]`` as written; ``executable`` None if unknown.

    ``at`` is the instruction that put it there.
    """

    path: str
    kind: Literal["file", "directory"]
    source: Source
    at: Location | None
    owner: str | Unknown = "0:0"
    executable: bool | None = None
    # What a chmod lets everybody else do.
    others: Others | None = None


@value
class Absent:
    """The path does not exist; ``removed_at`` when an instruction deleted it."""

    path: str
    removed_at: Location | None = None


@value
class Undetermined:
    """The evidence does not decide; ``at`` is the instruction that blurs it."""

    path: str
    reason: str
    at: Location | None = None


Lookup = Present | Absent | Undetermined


@value
class Listing:
    """Names in a directory; ``complete`` is False when unknown files may be there too."""

    names: tuple[str, ...]
    complete: bool


@value(kw_only=False)
class Layer:
    """One thing an instruction did to the files."""

    at: Location | None


@value(kw_only=False)
class Tree(Layer):
    """A directory of the context, its contents under ``path``."""

    path: str
    view: ContextView
    source: str
    owner: str | Unknown
    executable: bool | None
    others: Others | None = None


@value(kw_only=False)
class File(Layer):
    """One file (or, with ``kind``, one empty directory)."""

    path: str
    source: Source
    owner: str | Unknown = "0:0"
    executable: bool | None = None
    kind: Literal["file", "directory"] = "file"
    others: Others | None = None


@value
class Passed:
    """A directory that a layer puts something into; ``below`` counts the layers before it.

    ``owner``: whom a later chown gave it to.
    """

    answer: Present
    owner: str | Unknown | None
    below: int


@value(kw_only=False)
class Transfer(Layer):
    """``source`` of another file system (or of this one, as it was) appears as ``path``."""

    path: str
    fs: FileSystem
    count: int
    source: str
    owner: str | Unknown | None
    ignore: DockerIgnore | None = None


@value(kw_only=False)
class Opaque(Layer):
    """May have created anything under the roots, ``spared`` directories inside them excepted."""

    roots: tuple[str, ...]
    reason: str
    spared: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        return any(
            within(path, root)
            and not any(within(path, s) and s != root and within(s, root) for s in self.spared)
            for root in self.roots
        )

    def leads_through(self, path: str) -> bool:
        """Whether what it made lies below the path, which is then a directory."""
        return any(root != path and within(root, path) for root in self.roots)


@value(kw_only=False)
class Removal(Layer):
    """Deleted the path (a pattern when ``glob``) and what is below it."""

    path: str
    certain: bool
    glob: bool


@value(kw_only=False)
class Link(Layer):
    """A symbolic link; ``target`` is absolute."""

    path: str
    target: str


@value(kw_only=False)
class Attributes(Layer):
    """chmod or chown."""

    path: str
    recursive: bool
    glob: bool
    executable: bool | None = None
    owner: str | Unknown | None = None
    others: Others | None = None


class _Budget:
    """Bounds the work of one question to the file system."""

    __slots__ = ("depth", "steps")

    def __init__(self) -> None:
        self.steps = 50_000
        self.depth = 0

    def spent(self) -> bool:
        self.steps -= 1
        return self.steps < 0 or self.depth > _MAX_CHAIN


_DEEP = 40


def _above(path: str) -> Iterator[str]:
    """The directories that a path lies in, from the root on."""
    at = 0
    while (at := path.find("/", at)) >= 0:
        yield path[:at] or "/"
        at += 1


def _anchors(layer: Layer) -> Sequence[str]:
    """Paths such that the layer says nothing of what is neither below nor above them."""
    if isinstance(layer, Opaque):
        return layer.roots
    assert isinstance(layer, Tree | File | Transfer | Removal | Link | Attributes)
    if isinstance(layer, Removal | Attributes) and layer.glob:
        literal = next((n for n, c in enumerate(layer.path) if c in "*?[\\"), len(layer.path))
        return (layer.path[: layer.path.rfind("/", 0, literal)] or "/",)
    return (layer.path,)


class _Index:
    """Which of the layers, by number, may say something of a path."""

    __slots__ = ("_any", "_at", "_below")

    def __init__(self) -> None:
        self._at: dict[str, list[int]] = {}
        self._below: dict[str, list[int]] = {}
        # Of paths so deep that naming each directory above them costs more than it saves.
        self._any: list[int] = []

    def add(self, number: int, layer: Layer) -> None:
        for path in _anchors(layer):
            if not path.startswith("/") or "//" in path or path.count("/") > _DEEP:
                self._put(self._any, number)
                continue
            self._put(self._at.setdefault(path, []), number)
            if path != "/":
                for above in _above(path):
                    self._put(self._below.setdefault(above, []), number)

    @staticmethod
    def _put(numbers: list[int], number: int) -> None:
        if not numbers or numbers[-1] != number:
            numbers.append(number)

    def touching(self, path: str, count: int) -> Iterator[int]:
        """Numbers below ``count`` of layers at, above or below the path, the highest first."""
        lists = [self._any, self._below.get(path, [])]
        lists += [self._at.get(above, []) for above in islice(_above(path), _DEEP + 1)]
        lists.append(self._at.get(path, []))
        ends = ((numbers, bisect_left(numbers, count)) for numbers in lists if numbers)
        runs = [map(numbers.__getitem__, range(end - 1, -1, -1)) for numbers, end in ends if end]
        last = count
        for number in runs[0] if len(runs) == 1 else merge(*runs, reverse=True):
            if number != last:
                yield number
            last = number


class FileSystem:
    """The files of an image as a stack of lazy layers. Paths are absolute and normalised.

    Later layers hide earlier ones. A layer answers only when somebody asks for a path, so that
    copying a context of any size costs nothing until then.
    """

    def __init__(self, base: BaseLayer, parent: FileSystem | None = None) -> None:
        self._base = base
        self._parent = parent
        self._count = len(parent) if parent else 0
        self._layers: list[Layer] = []
        self._index = _Index()

    def __len__(self) -> int:
        return self._count + len(self._layers)

    def add(self, layer: Layer) -> None:
        self._index.add(len(self._layers), layer)
        self._layers.append(layer)

    def _newest_first(self, count: int) -> Iterator[Layer]:
        fs: FileSystem | None = self
        while fs is not None:
            own = min(max(count - fs._count, 0), len(fs._layers))
            for index in range(own - 1, -1, -1):
                yield fs._layers[index]
            count = min(count, fs._count)
            fs = fs._parent

    def _touching(self, path: str, count: int) -> Iterator[tuple[int, Layer]]:
        """The layers that may say something of a path, newest first, and how many lie below."""
        fs: FileSystem | None = self
        while fs is not None:
            for number in fs._index.touching(path, min(count - fs._count, len(fs._layers))):
                yield fs._count + number, fs._layers[number]
            count = min(count, fs._count)
            fs = fs._parent

    # --- questions

    def lookup(self, path: str) -> Lookup:
        """What is known about a path; relative paths are taken from ``/``."""
        return self.lookup_before(absolute("/", path), len(self))

    def lookup_before(self, path: str, count: int) -> Lookup:
        """What stood at an absolute path when there were ``count`` layers."""
        return self._lookup(path, count, _Budget())

    def _lookup(self, path: str, count: int, budget: _Budget) -> Lookup:
        found = self._newest(path, count, budget)
        first: Present | None = None
        owner: str | Unknown | None = None
        while isinstance(found, Passed):
            # COPY into a directory that is there leaves it as it was made.
            others = _both(first.others, found.answer.others) if first else found.answer.others
            owner = found.owner if owner is None else owner
            first = replace(first or found.answer, others=others)
            oldest = found.answer
            found = self._newest(path, found.below, budget)
        if first is None:
            return found
        made = found if isinstance(found, Present) and found.kind == "directory" else oldest
        return replace(
            first,
            owner=made.owner if owner is None else owner,
            others=_both(first.others, made.others),
            at=made.at,
        )

    def _newest(self, path: str, count: int, budget: _Budget) -> Lookup | Passed:
        """What the newest layer that says something of the path makes of it."""
        maybe: Undetermined | None = None
        doubt: Undetermined | None = None
        executable: bool | None = None
        owner: str | Unknown | None = None
        others: Others | None = None
        if path == "/":
            return Present(path="/", kind="directory", source=MadeSource(by="image"), at=None)
        for below, layer in self._touching(path, count):
            if budget.spent():
                return Undetermined(path=path, reason="too many steps lead to it", at=layer.at)
            if isinstance(layer, Opaque):
                if maybe is None and (layer.covers(path) or layer.leads_through(path)):
                    maybe = Undetermined(path=path, reason=layer.reason, at=layer.at)
                continue
            if isinstance(layer, Attributes):
                if covers(layer.path, path, glob=layer.glob, below=layer.recursive):
                    executable = layer.executable if executable is None else executable
                    owner = layer.owner if owner is None else owner
                    others = _both(others, layer.others)
                continue
            if isinstance(layer, Removal):
                if covers(layer.path, path, glob=layer.glob, below=True):
                    if layer.certain:
                        return maybe or Absent(path=path, removed_at=layer.at)
                    reason = "an instruction may have removed it"
                    doubt = doubt or Undetermined(path=path, reason=reason, at=layer.at)
                continue
            if isinstance(layer, Link):
                if not within(path, layer.path):
                    if within(layer.path, path):
                        return doubt or _made(path, layer.at)
                    continue
                budget.depth += 1
                target = absolute("/", layer.target + path[len(layer.path) :])
                found = self._lookup(target, count, budget)
                budget.depth -= 1
                if isinstance(found, Present):
                    return doubt or replace(found, path=path)
                return maybe or (
                    replace(found, path=path) if isinstance(found, Undetermined) else found
                )
            answer = self._ask(layer, path, budget)
            if isinstance(answer, Undetermined):
                maybe = maybe or answer
            elif isinstance(answer, Present):
                if executable is not None:
                    answer = replace(answer, executable=executable)
                if owner is not None:
                    answer = replace(answer, owner=owner)
                if others is not None:
                    answer = replace(answer, others=_both(others, answer.others))
                if doubt is None and answer.kind == "directory" and passes(layer, path):
                    return Passed(answer=answer, owner=owner, below=below)
                return doubt or answer
        first = self._base.lookup(path)
        if isinstance(first, Present):
            return doubt or first
        return maybe or first

    def _ask(self, layer: Layer, path: str, budget: _Budget) -> Lookup | None:
        """What a layer that places files says of a path; None: nothing."""
        if isinstance(layer, Tree):
            inner = relative(path, layer.path)
            if inner is None:
                return _made(path, layer.at) if within(layer.path, path) else None
            origin = join(layer.source, inner)
            kind = layer.view.kind(origin)
            if kind is None:
                return _made(path, layer.at) if not inner else None
            executable = layer.executable
            if executable is None and kind == "file":
                executable = layer.view.context.executable(origin)
            return Present(
                path=path,
                kind=kind,
                source=ContextSource(path=origin),
                at=layer.at,
                owner=layer.owner,
                executable=executable,
                # The directory that it is copied into keeps its mode.
                others=layer.others if inner else None,
            )
        if isinstance(layer, File):
            if path == layer.path:
                return Present(
                    path=path,
                    kind=layer.kind,
                    source=layer.source,
                    at=layer.at,
                    owner=layer.owner,
                    executable=layer.executable,
                    others=layer.others,
                )
            return _made(path, layer.at) if within(layer.path, path) else None
        if isinstance(layer, Transfer):
            inner = relative(path, layer.path)
            if inner is None:
                return _made(path, layer.at) if within(layer.path, path) else None
            if layer.ignore is not None and inner and layer.ignore.match(inner):
                return None
            budget.depth += 1
            found = layer.fs._lookup(join_absolute(layer.source, inner), layer.count, budget)
            budget.depth -= 1
            if isinstance(found, Absent):
                return None
            if isinstance(found, Present):
                owner = found.owner if layer.owner is None else layer.owner
                return replace(found, path=path, at=layer.at, owner=owner)
            return replace(found, path=path)
        return None

    def link(self, path: str) -> str | None:
        """Where the symbolic link that a build step made at this path leads."""
        path = absolute("/", path)
        for _, layer in self._touching(path, len(self)):
            if isinstance(layer, Link) and layer.path == path:
                return layer.target
            if isinstance(layer, (Removal, File)) and layer.path == path:
                return None
        return None

    def is_dir(self, path: str) -> bool:
        """Whether the path is known to be a directory."""
        found = self.lookup(path)
        return isinstance(found, Present) and found.kind == "directory"

    def list_dir(self, path: str) -> Listing:
        """The names known to be in a directory, sorted."""
        return self._list(absolute("/", path), len(self), _Budget())

    def _list(self, path: str, count: int, budget: _Budget) -> Listing:
        names: set[str] = set()
        hidden: set[str] = set()
        hidden_globs: list[str] = []
        complete = True
        prefix = "/" if path == "/" else f"{path}/"

        def add(found: Iterable[str]) -> None:
            names.update(
                name
                for name in found
                if name not in hidden
                and not any(_glob_match(glob, prefix + name) for glob in hidden_globs)
            )

        for _, layer in self._touching(path, count):
            if budget.spent():
                return Listing(names=tuple(sorted(names)), complete=False)
            if isinstance(layer, Opaque):
                complete = complete and not (
                    layer.covers(path) or any(root.startswith(prefix) for root in layer.roots)
                )
                continue
            if isinstance(layer, Attributes):
                continue
            if isinstance(layer, Removal):
                if not layer.certain:
                    complete = False
                elif covers(layer.path, path, glob=layer.glob, below=True):
                    return Listing(names=tuple(sorted(names)), complete=complete)
                elif layer.glob:
                    hidden_globs.append(layer.path)
                elif layer.path.startswith(prefix) and "/" not in layer.path[len(prefix) :]:
                    hidden.add(layer.path[len(prefix) :])
                continue
            if isinstance(layer, Link) and within(path, layer.path):
                budget.depth += 1
                target = absolute("/", layer.target + path[len(layer.path) :])
                found = self._list(target, count, budget)
                budget.depth -= 1
                add(found.names)
                return Listing(names=tuple(sorted(names)), complete=complete and found.complete)
            assert isinstance(layer, (Link, Tree, File, Transfer))
            if len(layer.path) > len(prefix) and layer.path.startswith(prefix):
                add((layer.path[len(prefix) :].split("/", 1)[0],))
            if isinstance(layer, Tree):
                inner = relative(path, layer.path)
                if inner is not None:
                    add(layer.view.names(join(layer.source, inner)))
            elif isinstance(layer, Transfer):
                inner = relative(path, layer.path)
                if inner is not None:
                    budget.depth += 1
                    other = layer.fs._list(join_absolute(layer.source, inner), layer.count, budget)
                    budget.depth -= 1
                    ignore = layer.ignore
                    add(
                        name
                        for name in other.names
                        if ignore is None or not ignore.match(join(inner, name))
                    )
                    complete = complete and other.complete
        below, known = self._base.names(path)
        add(below)
        return Listing(names=tuple(sorted(names)), complete=complete and known)

    def locate_context(self, path: str) -> tuple[str, ...]:
        """Where in the image a file or directory of the context was copied to, newest first.

        Copies that a later instruction removed or hid are left out.
        """
        wanted = posixpath.normpath(path)
        found: list[str] = []
        for place in self._locate(wanted, len(self), _Budget()):
            answer = self.lookup(place)
            if (
                isinstance(answer, Present)
                and isinstance(answer.source, ContextSource)
                and posixpath.normpath(answer.source.path) == wanted
                and place not in found
            ):
                found.append(place)
        return tuple(found)

    def _locate(self, wanted: str, count: int, budget: _Budget) -> Iterator[str]:
        for layer in self._newest_first(count):
            if budget.spent():
                return
            if isinstance(layer, Tree):
                inner = relative(f"/{wanted}", f"/{layer.source}".rstrip("/") or "/")
                if inner is not None:
                    yield join_absolute(layer.path, "" if inner == "." else inner)
            elif isinstance(layer, File):
                if isinstance(layer.source, ContextSource) and layer.source.path == wanted:
                    yield layer.path
            elif isinstance(layer, Transfer):
                budget.depth += 1
                for place in layer.fs._locate(wanted, layer.count, budget):
                    inner = relative(place, layer.source)
                    if inner is not None:
                        yield join_absolute(layer.path, inner)
                budget.depth -= 1


# --- paths ---------------------------------------------------------------------------------

_MAX_CHAIN = 40


def absolute(cwd: str, path: str) -> str:
    """``path`` seen from ``cwd``, without ``.``, ``..`` and doubled slashes."""
    joined = posixpath.normpath(posixpath.join("/", cwd, path))
    return f"/{joined.lstrip('/')}"


def within(path: str, root: str) -> bool:
    """Whether an absolute path is the directory or something in it."""
    return path == root or root == "/" or path.startswith(f"{root}/")


def relative(path: str, root: str) -> str | None:
    """What follows the root; empty for the root itself, None when the path is elsewhere."""
    if path == root:
        return ""
    if root == "/":
        return path[1:]
    return path[len(root) + 1 :] if path.startswith(f"{root}/") else None


def join(root: str, inner: str) -> str:
    """A path in the context, either part of which may be empty."""
    return f"{root}/{inner}" if root and inner else root or inner


def join_absolute(root: str, inner: str) -> str:
    """An absolute path and what lies below it."""
    if not inner:
        return root
    return f"/{inner}" if root == "/" else f"{root}/{inner}"


def passes(layer: Layer, path: str) -> bool:
    """The layer puts something into the directory, and makes it only where it is missing."""
    if isinstance(layer, Tree | Transfer):
        return path == layer.path or within(layer.path, path)
    if not isinstance(layer, File):
        return False
    return path != layer.path or layer.source == MadeSource(by="WORKDIR")


def _made(path: str, at: Location | None) -> Present:
    return Present(
        path=path,
        kind="directory",
        source=MadeSource(by="the way to a file"),
        at=at,
    )


def covers(pattern: str, path: str, *, glob: bool, below: bool) -> bool:
    """Whether a path, or with ``below`` a directory above it, is what a pattern names."""
    if not glob:
        return path == pattern or (below and within(path, pattern))
    depth = pattern.count("/")
    if path.count("/") < depth or (path.count("/") > depth and not below):
        return False
    return _glob_match(pattern, "/".join(path.split("/")[: depth + 1]))


def _glob_match(pattern: str, path: str) -> bool:
    """Shell globbing by component; leading dots need a literal dot."""
    parts, names = pattern.split("/"), path.split("/")
    return len(parts) == len(names) and all(
        (not name.startswith(".") or part.startswith(".")) and match_name(part, name)
        for part, name in zip(parts, names, strict=True)
    )


def match_name(pattern: str, name: str) -> bool:
    """Go's ``filepath.Match`` for one path component; a malformed pattern matches nothing."""
    tokens = _name_tokens(pattern)
    if tokens is None:
        return False
    # The automaton keeps every state, hence no backtracking on patterns like a*a*a*b.
    states = {0}
    size = len(tokens)
    for char in name:
        after: set[int] = set()
        for state in _closure(states, tokens):
            if state == size:
                continue
            token = tokens[state]
            if token is None:
                after.add(state)
            elif token[0](char):
                after.add(state + 1)
        states = after
        if not states:
            return False
    return size in _closure(states, tokens)


_Token = tuple[Callable[[str], bool]] | None  # None is ``*``


def _closure(states: set[int], tokens: list[_Token]) -> set[int]:
    closed = set(states)
    for state in sorted(states):
        while state < len(tokens) and tokens[state] is None:
            state += 1
            closed.add(state)
    return closed


@lru_cache(maxsize=512)
def _name_tokens(pattern: str) -> list[_Token] | None:
    tokens: list[_Token] = []
    position = 0

    def one(wanted: str) -> _Token:
        return (lambda char: char == wanted,)

    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            if not tokens or tokens[-1] is not None:
                tokens.append(None)
        elif char == "?":
            tokens.append((lambda char: True,))
        elif char == "\\":
            if position == len(pattern):
                return None
            tokens.append(one(pattern[position]))
            position += 1
        elif char == "[":
            negated = pattern.startswith("^", position)
            position += negated
            ranges: list[tuple[str, str]] = []
            while True:
                if pattern.startswith("]", position) and ranges:
                    position += 1
                    break
                ends: list[str] = []
                for _ in range(2):
                    if pattern.startswith("\\", position):
                        position += 1
                    elif pattern[position : position + 1] in ("", "-", "]"):
                        return None
                    if position >= len(pattern):
                        return None
                    ends.append(pattern[position])
                    position += 1
                    if not pattern.startswith("-", position) or len(ends) == 2:
                        break
                    position += 1
                ranges.append((ends[0], ends[-1]))
            tokens.append((_class_test(tuple(ranges), negated),))
        else:
            tokens.append(one(char))
    return tokens


def _class_test(ranges: tuple[tuple[str, str], ...], negated: bool) -> Callable[[str], bool]:
    return lambda char: any(low <= char <= high for low, high in ranges) != negated


def has_wildcards(path: str) -> bool:
    """Whether COPY treats the source as a pattern."""
    position = 0
    while position < len(path):
        if path[position] == "\\":
            position += 1
        elif path[position] in "*?[":
            return True
        position += 1
    return False


class ContextView:
    """The context as the builder receives it, less what one COPY excludes."""

    def __init__(
        self,
        context: BuildContext,
        ignore: DockerIgnore | None,
        excludes: DockerIgnore | None = None,
        root: str = "",
    ) -> None:
        self.context = context
        self.ignore = ignore
        self.excludes = excludes
        self.root = root

    def excluded(self, path: str) -> IgnoreMatch | None:
        match = self.ignore.match(path) if self.ignore and path else None
        if match is None and self.excludes is not None:
            inner = relative(f"/{path}", f"/{self.root}")
            if inner:
                match = self.excludes.match(inner)
        return match

    def kind(self, path: str) -> Literal["file", "directory"] | None:
        """What the path is, or None when it is not there or left out."""
        if not path:
            return "directory"
        if self.context.is_file(path):
            return None if self.excluded(path) else "file"
        if not self.context.is_dir(path):
            return None
        if not self.excluded(path) or self._something_below(path):
            return "directory"
        return None

    def names(self, path: str) -> Iterator[str]:
        for name in self.context.list_dir(path):
            if self.kind(join(path, name)) is not None:
                yield name

    def _something_below(self, path: str) -> bool:
        """Whether a ``!`` pattern brings back a file below an excluded directory."""
        if self.ignore is None or not self.ignore.may_include_below(path):
            return False
        pending = [path]
        budget = 20_000
        while pending and budget > 0:
            current = pending.pop()
            for name in self.context.list_dir(current):
                budget -= 1
                inner = join(current, name)
                if not self.excluded(inner):
                    return True
                if self.context.is_dir(inner) and self.ignore.may_include_below(inner):
                    pending.append(inner)
        return budget <= 0

    def expand(self, pattern: str, limit: int = 10_000) -> list[str]:
        """Paths that a wildcard source matches, in order."""
        return expand_pattern(pattern, self.names, lambda path: self.kind(path) is not None, limit)


def expand_pattern(
    pattern: str,
    names: Callable[[str], Iterable[str]],
    exists: Callable[[str], bool],
    limit: int,
) -> list[str]:
    """Paths that a pattern matches part by part, in order; no more than a ``limit`` per part."""
    found = [""]
    for part in pattern.split("/"):
        if not part:
            continue
        following: list[str] = []
        if has_wildcards(part):
            for parent in found:
                following += [join(parent, n) for n in names(parent) if match_name(part, n)]
                if len(following) > limit:
                    break
        else:
            literal = part.replace("\\", "")
            following = [p for p in (join(parent, literal) for parent in found) if exists(p)]
        found = following
    return sorted(found)


def _both(newer: Others | None, older: Others | None) -> Others | None:
    """Two chmods, one after the other."""
    if newer is None or older is None:
        return newer or older
    return Others(
        read=newer.read if newer.read is not None else older.read,
        write=newer.write if newer.write is not None else older.write,
        group=newer.group if newer.group is not None else older.group,
        group_read=newer.group_read if newer.group_read is not None else older.group_read,
        enter=newer.enter if newer.enter is not None else older.enter,
    )
