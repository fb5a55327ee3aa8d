"""YAML as an immutable tree in which every key and every value knows where it stands.

Scalars keep their text: ``22:22`` stays ``22:22``. Booleans and numbers are read on demand by
the rules of the YAML 1.2 core schema (section 10.3). Aliases share nodes, so a tree is a graph
without cycles whose expansion can be huge: walk it with ``walk``, which visits a node once.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import yaml

from auditor.source import Location, Problem, SourceText
from auditor.values import field, value

MAX_CHARACTERS = 4_000_000
MAX_NODES = 150_000
MAX_DEPTH = 100
# Keys that all ``<<`` of a file may bring in together.
MAX_MERGED = 150_000
MAX_PROBLEMS = 50

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STYLES = {None: "plain", "": "plain", "'": "single", '"': "double", "|": "literal", ">": "folded"}
_BLANKS = {0x85: " ", 0x2028: " ", 0x2029: " "}
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))


@value(eq=False)
class Scalar:
    """Text of one scalar after unquoting and folding."""

    at: Location
    text: builtins.str
    # "plain", "single", "double", "literal", "folded"; "template" for an unrendered ``{{ … }}``.
    style: builtins.str = "plain"
    # An explicit tag as written, such as "!reset" or "!Ref"; None without one.
    tag: builtins.str | None = None
    anchor: builtins.str | None = None

    @property
    def is_null(self) -> builtins.bool:
        """A plain empty, ``~`` or ``null`` scalar."""
        return self.style == "plain" and self.text in _NULLS and self.tag != "!!str"

    @property
    def is_template(self) -> builtins.bool:
        """Whether a template engine has still to give the value."""
        return self.style == "template" or (self.style == "plain" and _has_template(self.text))

    def str(self) -> builtins.str | None:
        """The text, or None for null."""
        return None if self.is_null else self.text

    def int(self) -> builtins.int | None:
        """A decimal, ``0o`` or ``0x`` integer; None for anything else."""
        text = self.text
        if len(text) > 40:
            return None
        if text.startswith(("0o", "0x")):
            try:
                return int(text, 0)
            except ValueError:
                return None
        digits = text[1:] if text[:1] in ("-", "+") else text
        return int(text) if digits.isascii() and digits.isdigit() else None

    def float(self) -> builtins.float | None:
        """A decimal number; None for anything else, infinities and NaN included."""
        text = self.text
        if not text or len(text) > 60 or not all(c in "+-.0123456789eE" for c in text):
            return None
        try:
            return float(text)
        except ValueError:
            return None

    def bool(self) -> builtins.bool | None:
        """``true``/``false`` (quoted ones too), None for anything else."""
        if self.text in _TRUE:
            return True
        return False if self.text in _FALSE else None


@value(eq=False)
class Entry:
    """One key of a mapping with its value. ``merged``: it came in through ``<<``."""

    key: Node
    value: Node
    merged: bool = False

    @property
    def name(self) -> str:
        """The key's text; empty when the key is no scalar."""
        return self.key.text if isinstance(self.key, Scalar) else ""

    @property
    def at(self) -> Location:
        """Where the key stands."""
        return self.key.at

    def __repr__(self) -> str:
        # Not the value: the expansion of shared nodes can be exponential.
        return f"Entry({self.name!r}, {self.key.at})"


@value(eq=False, repr=False)
class Mapping:
    """Key-value pairs in order, ``<<`` applied, the last of duplicate keys kept."""

    at: Location
    entries: tuple[Entry, ...] = ()
    tag: str | None = None
    anchor: str | None = None
    _index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        index = {
            entry.key.text: position
            for position, entry in enumerate(self.entries)
            if isinstance(entry.key, Scalar)
        }
        object.__setattr__(self, "_index", index)

    def __repr__(self) -> str:
        return f"Mapping({self.at}, {len(self.entries)} entries)"

    def get(self, *path: str) -> Node | None:
        """The value under these nested keys, or None."""
        node: Node = self
        for name in path:
            if not isinstance(node, Mapping):
                return None
            entry = node.entry(name)
            if entry is None:
                return None
            node = entry.value
        return node

    def entry(self, key: str) -> Entry | None:
        position = self._index.get(key)
        return None if position is None else self.entries[position]


@value(eq=False, repr=False)
class Sequence:
    """Items in order."""

    at: Location
    items: tuple[Node, ...] = ()
    tag: str | None = None
    anchor: str | None = None

    def __repr__(self) -> str:
        return f"Sequence({self.at}, {len(self.items)} items)"


Node = Scalar | Mapping | Sequence


@value
class YamlStream:
    """The documents of one file; an empty document is a null scalar."""

    path: str
    documents: tuple[Node, ...] = ()
    problems: tuple[Problem, ...] = ()
    # The file is a template (Helm, Jinja, Go) and is no YAML before it is rendered.
    template: bool = False


def parse(source: SourceText) -> YamlStream:
    """Every document of the file; never raises. Documents before an error are kept."""
    return _Composer(source).run()


def walk(node: Node, *, limit: int = 200_000) -> Iterator[Node]:
    """Every distinct node below and including this one, once, at most ``limit`` of them."""
    seen: set[int] = set()
    stack = [node]
    while stack and len(seen) < limit:
        current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, Mapping):
            for entry in reversed(current.entries):
                stack += (entry.value, entry.key)
        elif isinstance(current, Sequence):
            stack += reversed(current.items)


def _has_template(text: str) -> bool:
    start = text.find("{{")
    while start >= 0:
        # "${{ … }}" is an expression of CI services, which is evaluated after parsing.
        if start == 0 or text[start - 1] != "$":
            return True
        start = text.find("{{", start + 2)
    return False


class _Open:
    """A collection whose end has not been seen."""

    __slots__ = ("anchor", "children", "column", "flow", "is_map", "line", "tag")

    def __init__(self, event: Any, is_map: bool) -> None:
        self.is_map = is_map
        self.anchor: str | None = event.anchor
        self.tag = _tag(event.tag)
        self.flow = bool(event.flow_style)
        self.line: int = event.start_mark.line
        self.column: int = event.start_mark.column
        self.children: list[Node] = []


def _tag(tag: str | None) -> str | None:
    if tag is None or tag == "!":
        return None
    return "!!" + tag[18:] if tag.startswith("tag:yaml.org,2002:") else tag


class _StopError(Exception):
    pass


class _Composer:
    """Builds nodes from parser events without recursion, counting them."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.path = source.path
        self.problems: list[Problem] = list(source.problems)
        self.documents: list[Node] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0
        self.merged = 0
        self.template = False
        self.end: tuple[int, int] = (0, 0)

    def run(self) -> YamlStream:
        text = self.source.text
        if len(text) > MAX_CHARACTERS:
            self.problem(Location(self.path), f"is larger than {MAX_CHARACTERS:,} characters", True)
            return self.result()
        try:
            self.events(text)
        except _StopError:
            pass
        except yaml.MarkedYAMLError as error:
            self.syntax_error(error)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            self.reader_error(error)
        return self.result()

    def result(self) -> YamlStream:
        return YamlStream(
            path=self.path,
            documents=tuple(self.documents),
            problems=tuple(self.problems),
            template=self.template,
        )

    def problem(self, at: Location, message: str, fatal: bool = False) -> None:
        if len(self.problems) < MAX_PROBLEMS or fatal:
            self.problems.append(Problem(at=at, message=message, fatal=fatal))

    def syntax_error(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        text = self.source.text
        if _has_template(text) or "{%" in text:
            self.found_template(self.source.at(line))
            return
        words = " ".join(str(part) for part in (error.context, error.problem) if part)
        self.problem(Location(self.path, line, column), f"is not valid YAML: {words}", True)

    def reader_error(self, error: Exception) -> None:
        position = getattr(error, "position", None)
        line = 1
        if isinstance(position, int) and 0 <= position <= len(self.source.text):
            line = self.source.text.count("\n", 0, position) + 1
        if isinstance(error, yaml.reader.ReaderError):
            reason = str(error.reason)
        else:
            reason = str(error).split("\n", 1)[0]
        self.problem(Location(self.path, line), f"is not valid YAML: {reason}", True)

    def found_template(self, at: Location) -> None:
        if not self.template:
            self.template = True
            self.problem(at, "is a template: what it says is known only when it is rendered")

    def events(self, text: str) -> None:
        if not text.isascii():
            # YAML 1.1 breaks lines here too, which editors (and our line numbers) do not.
            text = text.translate(_BLANKS)
        loader = _LOADER(text)
        try:
            while loader.check_event():
                self.event(loader.get_event(), loader)
        finally:
            loader.dispose()

    def event(self, event: Any, loader: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self.scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            is_map = kind is yaml.MappingStartEvent
            if is_map and event.flow_style and self.is_template_start(event):
                self.template_scalar(event, loader)
                return
            self.count(event)
            if len(self.stack) >= MAX_DEPTH:
                at = self.at(event.start_mark, event.end_mark)
                self.problem(at, f"is nested deeper than {MAX_DEPTH} levels", True)
                raise _StopError
            self.stack.append(_Open(event, is_map))
            if event.anchor:
                self.anchors[event.anchor] = None
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self.close(event)
        elif kind is yaml.AliasEvent:
            self.alias(event)
        elif kind is yaml.DocumentStartEvent:
            self.anchors = {}

    def is_template_start(self, event: Any) -> bool:
        line, column = event.start_mark.line, event.start_mark.column
        return self.source_line(line)[column : column + 2] == "{{"

    def source_line(self, line: int) -> str:
        lines = self.source.lines
        return lines[line] if line < len(lines) else ""

    def template_scalar(self, event: Any, loader: Any) -> None:
        """Replace the flow mapping that ``{{ … }}`` looks like by its text."""
        self.found_template(self.source.at(event.start_mark.line + 1, event.start_mark.column + 1))
        depth = 1
        last = event
        while depth:
            last = loader.get_event()
            if depth > MAX_DEPTH:
                raise _StopError
            if isinstance(last, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(last, yaml.CollectionEndEvent):
                depth -= 1
        at = self.at(event.start_mark, last.end_mark)
        if at.line == at.end_line:
            text = self.source_line(at.line - 1)[at.column - 1 : at.end_column - 1]
        else:
            text = self.source_line(at.line - 1)[at.column - 1 :]
        self.count(event)
        self.end = (last.end_mark.line, last.end_mark.column)
        self.add(Scalar(at=at, text=text, style="template"))

    def count(self, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            at = self.at(event.start_mark, event.end_mark)
            self.problem(at, f"has more than {MAX_NODES:,} nodes; the rest was not read", True)
            raise _StopError

    def at(self, start: Any, end: Any) -> Location:
        return Location(self.path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def scalar(self, event: Any) -> None:
        self.count(event)
        start, end = event.start_mark, event.end_mark
        style = _STYLES.get(event.style, "plain")
        end_line, end_column = end.line, end.column
        if style in ("literal", "folded") and end_line > start.line:
            # The mark stands after the blank lines that follow the block.
            end_line -= 1
            while end_line > start.line and not self.source_line(end_line).strip():
                end_line -= 1
            end_column = len(self.source_line(end_line))
        self.end = (end_line, end_column)
        node = Scalar(
            at=Location(self.path, start.line + 1, start.column + 1, end_line + 1, end_column + 1),
            text=event.value,
            style=style,
            tag=_tag(event.tag),
            anchor=event.anchor,
        )
        if style == "plain" and "{{" in event.value and _has_template(event.value):
            self.found_template(node.at)
        if event.anchor:
            self.anchors[event.anchor] = node
        self.add(node)

    def alias(self, event: Any) -> None:
        at = self.at(event.start_mark, event.end_mark)
        self.end = (event.end_mark.line, event.end_mark.column)
        self.count(event)
        if event.anchor not in self.anchors:
            self.problem(at, f"alias *{event.anchor} names no anchor")
            node: Node = Scalar(at=at, text="")
        else:
            target = self.anchors[event.anchor]
            if target is None:
                self.problem(at, f"alias *{event.anchor} stands inside what it names")
                target = Scalar(at=at, text="")
            node = target
        self.add(node)

    def add(self, node: Node) -> None:
        if self.stack:
            self.stack[-1].children.append(node)
        else:
            self.documents.append(node)

    def close(self, event: Any) -> None:
        opened = self.stack.pop()
        if opened.flow:
            self.end = (event.end_mark.line, event.end_mark.column)
        elif not opened.children:
            self.end = (opened.line, opened.column)
        at = Location(
            self.path, opened.line + 1, opened.column + 1, self.end[0] + 1, self.end[1] + 1
        )
        node: Node
        if opened.is_map:
            entries = self.entries(opened.children)
            node = Mapping(at=at, entries=entries, tag=opened.tag, anchor=opened.anchor)
        else:
            items = tuple(opened.children)
            node = Sequence(at=at, items=items, tag=opened.tag, anchor=opened.anchor)
        if opened.anchor:
            self.anchors[opened.anchor] = node
        self.add(node)

    def entries(self, children: list[Node]) -> tuple[Entry, ...]:
        own: list[Entry] = []
        known: dict[str, int] = {}
        merges: list[Node] = []
        for position in range(0, len(children) - 1, 2):
            key, value = children[position], children[position + 1]
            if isinstance(key, Scalar):
                if key.text == "<<" and key.style == "plain" and key.tag in (None, "!!merge"):
                    merges.append(value)
                    continue
                before = known.get(key.text)
                if before is not None:
                    self.problem(key.at, f"duplicate key {key.text[:80]!r}: the last one counts")
                    own[before] = Entry(key=key, value=value)
                    continue
                known[key.text] = len(own)
            own.append(Entry(key=key, value=value))
        if not merges:
            return tuple(own)
        brought: dict[str, Entry] = {}
        for merge in merges:
            sources = merge.items if isinstance(merge, Sequence) else (merge,)
            for source in sources:
                if not isinstance(source, Mapping):
                    if not (isinstance(source, Scalar) and source.is_null):
                        self.problem(source.at, "<< needs a mapping or a list of mappings")
                    continue
                self.merged += len(source.entries)
                if self.merged > MAX_MERGED:
                    message = f"<< brings in more than {MAX_MERGED:,} keys; the rest was not read"
                    self.problem(source.at, message, True)
                    raise _StopError
                for entry in source.entries:
                    if entry.name not in known and entry.name not in brought:
                        brought[entry.name] = Entry(key=entry.key, value=entry.value, merged=True)
        return (*brought.values(), *own)
