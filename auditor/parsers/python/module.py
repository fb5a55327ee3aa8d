"""One file of Python source as facts: imports, definitions, calls, the Python it needs."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable
from typing import Any

from auditor import lazy_re as re
from auditor.parsers.python import syntax
from auditor.parsers.python.facts import (
    ClassFact,
    FunctionFact,
    Import,
    InstallLine,
    ModuleFacts,
    Parameter,
    RawCall,
    Refused,
    Scalar,
    SyntaxNeed,
)
from auditor.source import Location, Problem, SourceText, Unknown
from auditor.values import replace

# Beyond this the tree would cost hundreds of megabytes; no served module is that large.
MAX_CHARACTERS = 2_000_000
_MAX_REWRITES = 40

BUILTIN_CALLS = frozenset(
    {"open", "print", "exec", "eval", "compile", "__import__", "exit", "quit"}
)
_RUNTIME_GENERICS = frozenset({"list", "dict", "tuple", "set", "frozenset", "type"})
_BUILTIN_TYPES = _RUNTIME_GENERICS | {
    "str", "int", "float", "bool", "bytes", "bytearray", "complex", "object", "range", "Exception",
}  # fmt: skip

# First Python with the module, or with the name in the module (the "New in version" notes of the
# standard library's documentation). Only what fails at import or at the first call.
_NEW_MODULES = {"tomllib": (3, 11), "zoneinfo": (3, 9), "graphlib": (3, 9), "contextvars": (3, 7),
                "dataclasses": (3, 7), "importlib.resources": (3, 7), "importlib.metadata": (3, 8),
                "annotationlib": (3, 14), "compression": (3, 14)}  # fmt: skip
_NEW_NAMES: dict[str, dict[tuple[int, int], tuple[str, ...]]] = {
    "typing": {
        (3, 8): ("Literal", "Final", "Protocol", "TypedDict", "runtime_checkable", "SupportsIndex"),
        (3, 9): ("Annotated",),
        (3, 10): ("ParamSpec", "Concatenate", "TypeAlias", "TypeGuard", "is_typeddict"),
        (3, 11): (
            "Self", "LiteralString", "Never", "Required", "NotRequired", "Unpack", "TypeVarTuple",
            "assert_never", "assert_type", "reveal_type", "dataclass_transform",
        ),
        (3, 12): ("override", "TypeAliasType"),
        (3, 13): ("TypeIs", "ReadOnly", "NoDefault"),
    },
    "enum": {(3, 11): ("StrEnum", "verify", "member", "nonmember", "ReprEnum")},
    "datetime": {(3, 11): ("UTC",)},
    "functools": {(3, 8): ("cached_property", "singledispatchmethod"), (3, 9): ("cache",)},
    "itertools": {(3, 10): ("pairwise",), (3, 12): ("batched",)},
    "types": {(3, 10): ("UnionType", "NoneType", "EllipsisType")},
    "asyncio": {(3, 9): ("to_thread",), (3, 11): ("TaskGroup", "timeout", "Runner")},
    "contextlib": {(3, 10): ("aclosing",), (3, 11): ("chdir",)},
    "http": {(3, 11): ("HTTPMethod",)},
    "logging": {(3, 11): ("getLevelNamesMapping",)},
    "warnings": {(3, 13): ("deprecated",)},
    "collections.abc": {(3, 12): ("Buffer",)},
}  # fmt: skip
_NAME_NEEDS = {
    f"{module}.{name}": python
    for module, versions in _NEW_NAMES.items()
    for python, names in versions.items()
    for name in names
}

_Context = tuple[str, tuple[str, ...]]  # enclosing function, guards
_Visit = tuple[ast.AST, _Context]


def parse(source: SourceText, *, notebook: bool | None = None) -> ModuleFacts:
    """Read one file. A path ending in ``.ipynb`` is read as a notebook unless told otherwise.

    Never raises: what cannot be parsed becomes a fatal ``Problem`` and empty facts.
    """
    if notebook is None:
        notebook = source.path.endswith(".ipynb")
    if notebook:
        from auditor.parsers.python.notebook import parse_notebook

        return parse_notebook(source)
    return parse_text(source.path, source.text, Places(source.path, source.text), source.problems)


class Places:
    """Turns tree positions (UTF-8 byte columns) into locations (code point columns)."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._lines = None if text.isascii() else text.split("\n")

    def column(self, line: int, offset: int) -> int:
        """The 1-based code point column of a 0-based byte offset."""
        if self._lines is not None and 0 < line <= len(self._lines):
            text = self._lines[line - 1]
            if not text.isascii():
                return len(text.encode("utf-8", "replace")[:offset].decode("utf-8", "ignore")) + 1
        return offset + 1

    def at(self, node: ast.AST) -> Location:
        """The span of a node."""
        cached = node.__dict__.get("_at")
        if cached is not None and cached.path == self.path:
            place: Location = cached
            return place
        place = self._at(node)
        node._at = place  # type: ignore[attr-defined]
        return place

    def _at(self, node: ast.AST) -> Location:
        line: int = getattr(node, "lineno", 1)
        end = getattr(node, "end_lineno", None) or line
        start_offset: int = getattr(node, "col_offset", 0)
        end_offset = getattr(node, "end_col_offset", None)
        return Location(
            self.path,
            line,
            self.column(line, start_offset),
            end,
            self.column(end, start_offset if end_offset is None else end_offset),
        )


def parse_text(
    path: str, text: str, places: Places, problems: tuple[Problem, ...] = ()
) -> ModuleFacts:
    """Facts of source text whose tree positions ``places`` understands."""
    lines = text.count("\n") + 1
    if len(text) > MAX_CHARACTERS:
        problem = Problem(at=Location(path), message="is too large to read as Python", fatal=True)
        return ModuleFacts(path=path, lines=lines, problems=(*problems, problem))
    tree, needs, trouble, refused = _tree(path, text, places)
    problems = (*problems, *trouble)
    if tree is None:
        return ModuleFacts(
            path=path, lines=lines, needs=tuple(needs), refused=refused, problems=problems
        )
    return _Reader(path, places, text).read(tree, tuple(needs), lines, problems)


def _tree(
    path: str, text: str, places: Places
) -> tuple[ast.Module | None, list[SyntaxNeed], list[Problem], Refused | None]:
    needs: list[SyntaxNeed] = []
    lines: list[str] | None = None
    for _ in range(_MAX_REWRITES):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(text), needs, [], None
        except SyntaxError as error:
            line = min(error.lineno or 1, text.count("\n") + 1)
            if lines is None:
                lines = text.split("\n")
            rewritten = _newer_syntax(lines[line - 1], error.msg) if line <= len(lines) else None
            if rewritten is not None:
                lines[line - 1], python, construct = rewritten
                at = Location(path, line, 1, line, len(lines[line - 1]) + 1)
                needs.append(SyntaxNeed(at=at, python=python, construct=construct))
                text = "\n".join(lines)
                continue
            here = lines[line - 1] if line <= len(lines) else ""
            column = max(error.offset or 1, 1)
            at = Location(path, line, column, line, max(len(here) + 1, column))
            problem = Problem(at=at, message=_syntax_message(error, here), fatal=True)
            # What was rewritten may be the cause: then nothing is sure.
            sure = not needs and "\0" not in text
            told = f"{type(error).__name__}: {error.msg}"
            newest = (sys.version_info.major, sys.version_info.minor)
            refused = Refused(at=at, error=told, newest=newest) if sure else None
            return None, needs, [problem], refused
        except (ValueError, RecursionError, MemoryError, OverflowError) as trouble:
            what = {
                "ValueError": "contains a NUL byte" if "\0" in text else f"is malformed: {trouble}",
                "RecursionError": "is nested too deeply",
            }.get(type(trouble).__name__, "is too complex")
            message = f"cannot be read as Python: {what}"
            return None, needs, [Problem(at=Location(path), message=message, fatal=True)], None
    problem = Problem(at=Location(path), message="does not parse as Python", fatal=True)
    return None, needs, [problem], None


_PYTHON2 = (
    (re.compile(r"\s*print\s+[^(=\s]|\s*print\s*$|.*\bprint\s+[\"'%]"), "print statement"),
    (re.compile(r"\s*except\s+[\w.()]+(\s*,\s*[\w.]+)*\s*,\s*[a-z_]\w*\s*:"), "except X, name"),
    (re.compile(r"\s*raise\s+[\w.]+\s*,"), "raise X, value"),
    (re.compile(r"\s*exec\s+[\"'\w]"), "exec statement"),
    (re.compile(r".*<>"), "<> operator"),
    (re.compile(r".*\b0[0-7]+\b"), "octal literal without 0o"),
    (re.compile(r".*\b\d+[lL]\b"), "long literal"),
    (re.compile(r".*\bur[\"']", re.IGNORECASE), "ur string"),
    (re.compile(r".*`[^`]+`"), "backquotes"),
)


def _syntax_message(error: SyntaxError, line: str) -> str:
    for pattern, construct in _PYTHON2:
        if pattern.match(line):
            return f"is Python 2 ({construct}), not Python 3"
    return f"does not parse as Python: {error.msg}"


_TYPE_ALIAS = re.compile(r"(\s*)(type\s+)(\w+)\s*(\[.*?\])?\s*=")
_TYPE_PARAMETERS = re.compile(r"\s*(?:async\s+def|def|class)\s+\w+\s*(\[)")
_BARE_EXCEPT = re.compile(r"(\s*except\s+)([A-Z][\w.]*(?:\s*,\s*[A-Z][\w.]*)+)(\s*:)")


def _newer_syntax(line: str, message: str) -> tuple[str, tuple[int, int], str] | None:
    """The line in older words, columns kept, if a newer Python would have understood it."""
    if alias := _TYPE_ALIAS.match(line):
        head = alias.group(1) + alias.group(3)
        return head + " " * (alias.end() - 1 - len(head)) + line[alias.end() - 1 :], (3, 12), "type"
    if bracket := _TYPE_PARAMETERS.match(line):
        start = bracket.start(1)
        depth = 0
        for index in range(start, len(line)):
            depth += (line[index] == "[") - (line[index] == "]")
            if depth == 0:
                blank = line[:start] + " " * (index + 1 - start) + line[index + 1 :]
                return blank, (3, 12), "type parameters"
    if group := _BARE_EXCEPT.match(line):
        start, end = group.span(2)
        loose = line[start:end].replace(",", "|")
        return line[:start] + loose + line[end:], (3, 14), "except without parentheses"
    if "f-string" in message:
        emptied = _blank_f_strings(line)
        if emptied is not None:
            return emptied, (3, 12), "f-string nesting"
    return None


def _blank_f_strings(line: str) -> str | None:
    """The line with each one-line f-string (read by the rules of 3.12) made an empty string."""
    out = list(line)
    index, changed = 0, False
    while index < len(line):
        character = line[index]
        if character == "#":
            break
        if character in "\"'":
            start = index
            while start > 0 and line[start - 1] in "fFrRbBuU":
                start -= 1
            is_f = "f" in line[start:index].lower()
            end = _string_end(line, index, is_f)
            if end is None:
                return None
            if is_f:
                out[start:end] = '""' + " " * (end - start - 2)
                changed = True
            index = end
            continue
        index += 1
    return "".join(out) if changed else None


def _string_end(line: str, start: int, is_f: bool, level: int = 0) -> int | None:
    quote = line[start]
    if line.startswith(quote * 3, start) or level > 8:
        return None
    index, depth = start + 1, 0
    while index < len(line):
        character = line[index]
        if depth == 0 and character == "\\":
            index += 2
            continue
        if depth == 0 and character == quote:
            return index + 1
        if is_f and character == "{":
            if depth == 0 and line.startswith("{{", index):
                index += 2
                continue
            depth += 1
        elif is_f and character == "}" and depth:
            depth -= 1
        elif depth and character in "\"'":
            inner = _string_end(line, index, line[index - 1] in "fF", level + 1)
            if inner is None:
                return None
            index = inner
            continue
        index += 1
    return None


class _Reader:
    """One walk over the tree with an explicit stack: hostile nesting costs memory, not frames."""

    def __init__(self, path: str, places: Places, text: str) -> None:
        self.path = path
        self.places = places
        self.aliases: dict[str, str] = {}
        self.imports: list[Import] = []
        self.functions: list[FunctionFact] = []
        self.classes: list[ClassFact] = []
        self.raw_calls: list[tuple[ast.Call, str]] = []
        self.needs: list[SyntaxNeed] = []
        self.main_guard: Location | None = None
        self.lazy_annotations = False
        self.has_yield = "yield" in text
        self.written = syntax.Written(text)

    def read(
        self,
        tree: ast.Module,
        needs: tuple[SyntaxNeed, ...],
        lines: int,
        problems: tuple[Problem, ...],
    ) -> ModuleFacts:
        for statement in tree.body[:20]:
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                self.lazy_annotations |= any(a.name == "annotations" for a in statement.names)
        stack: list[_Visit] = [(statement, ("", ())) for statement in reversed(tree.body)]
        push = stack.append
        handlers, child_fields, leaves, raw_calls = (
            _STATEMENTS,
            _CHILD_FIELDS,
            _LEAVES,
            self.raw_calls,
        )
        while stack:
            node, context = stack.pop()
            kind = node.__class__
            if kind in syntax.KINDS and (newer := syntax.need(node, self.written)) is not None:
                self.need(node, *newer)
            handler = handlers.get(kind)
            if handler is not None:
                for child in reversed(handler(self, node, context)):
                    push(child)
                continue
            if kind is ast.Call:
                raw_calls.append((node, context[0]))  # type: ignore[arg-type]
            elif kind is ast.NamedExpr:
                self.need(node, (3, 8), "assignment expression")
            elif kind is ast.Subscript and context == ("", ()):
                owner = node.value  # type: ignore[attr-defined]
                if isinstance(owner, ast.Name) and owner.id in _RUNTIME_GENERICS:
                    self.need(node, (3, 9), f"{owner.id}[…]", "run")
            fields = child_fields.get(kind)
            if fields is None:
                skip = _LEAF_FIELDS
                fields = tuple(name for name in reversed(kind._fields) if name not in skip)
                child_fields[kind] = fields
            for name in fields:
                value = getattr(node, name, None)
                if value is None:
                    continue
                if value.__class__ is list:
                    for item in reversed(value):
                        if item.__class__ not in leaves and isinstance(item, ast.AST):
                            push((item, context))
                elif value.__class__ not in leaves and isinstance(value, ast.AST):
                    push((value, context))
        calls = tuple(self.calls())  # adds to the needs
        return ModuleFacts(
            path=self.path,
            imports=tuple(self.imports),
            functions=tuple(self.functions),
            classes=tuple(self.classes),
            calls=calls,
            names=tuple(bound_names(tree.body)),
            main_guard=self.main_guard,
            needs=tuple(sorted((*needs, *self.needs), key=lambda need: need.at)),
            lines=lines,
            problems=problems,
            tree=tree,
            places=self.places,
        )

    def need(
        self, node: ast.AST, python: tuple[int, int], construct: str, when: str = "parse"
    ) -> None:
        at = self.places.at(node)
        if at.end_line > at.line:  # the first line of a compound statement says enough
            at = replace(at, end_line=at.line, end_column=at.column + 1)
        self.needs.append(SyntaxNeed(at=at, python=python, construct=construct, when=when))

    def calls(self) -> list[RawCall]:
        """The calls of imported names; aliases are known only after the whole file was read."""
        found = []
        for node, function in self.raw_calls:
            name = self.canonical(node.func)
            if name is None:
                continue
            if (python := _NAME_NEEDS.get(name)) is not None:
                self.need(node, python, name, "run")
            if name == "dataclasses.dataclass" and any(
                k.arg in ("slots", "kw_only") for k in node.keywords
            ):
                self.need(node, (3, 10), "dataclass(slots=, kw_only=)", "run")
            found.append(
                RawCall(
                    at=self.places.at(node),
                    name=name,
                    function=function,
                    arguments=tuple(map(_literal, node.args)),
                    keywords=tuple((k.arg or "**", _literal(k.value)) for k in node.keywords),
                )
            )
        return found

    def canonical(self, node: ast.expr) -> str | None:
        """The dotted name behind a callee, aliases resolved; None for what was not imported."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        root = self.aliases.get(node.id)
        if root is None:
            if parts or node.id not in BUILTIN_CALLS:
                return None
            root = f"builtins.{node.id}"
        return ".".join((root, *reversed(parts)))

    # -- statements --

    def on_import(self, node: ast.Import, context: _Context) -> list[_Visit]:
        function, guards = context
        for alias in node.names:
            self.aliases[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
            self.imports.append(
                Import(
                    at=self.places.at(alias),
                    module=alias.name,
                    function=function,
                    guards=guards,
                )
            )
            if not guards and (python := _NEW_MODULES.get(alias.name)):
                self.need(alias, python, f"import {alias.name}", "run")
        return []

    def on_import_from(self, node: ast.ImportFrom, context: _Context) -> list[_Visit]:
        function, guards = context
        module = node.module or ""
        for alias in node.names:
            if not node.level:
                self.aliases[alias.asname or alias.name] = f"{module}.{alias.name}"
                if not guards and (python := _NAME_NEEDS.get(f"{module}.{alias.name}")):
                    self.need(alias, python, f"{module}.{alias.name}", "run")
        self.imports.append(
            Import(
                at=self.places.at(node),
                module=module,
                level=node.level,
                names=tuple(alias.name for alias in node.names),
                function=function,
                guards=guards,
            )
        )
        if not guards and not node.level and (python := _NEW_MODULES.get(module)):
            self.need(node, python, f"import {module}", "run")
        return []

    def on_function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, context: _Context
    ) -> list[_Visit]:
        function, guards = context
        qualname = f"{function}.{node.name}" if function else node.name
        arguments = node.args
        if arguments.posonlyargs:
            self.need(node, (3, 8), "positional-only parameters")
        if getattr(node, "type_params", None):
            self.need(node, (3, 12), "type parameters")
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        if not guards:
            for argument in every:
                self.annotation(argument.annotation)
            self.annotation(node.returns)
        self.functions.append(
            FunctionFact(
                at=self.name_place(node),
                name=node.name,
                qualname=qualname,
                is_async=isinstance(node, ast.AsyncFunctionDef),
                is_generator=self.has_yield and yields(node),
                parameters=tuple(self.parameters(arguments)),
                decorators=tuple(map(text_of, node.decorator_list)),
                returns=text_of(node.returns),
                statements=len(node.body),
            )
        )
        inner = (qualname, guards)
        children: list[_Visit] = [(d, context) for d in node.decorator_list]
        children += [(d, context) for d in arguments.defaults]
        children += [(d, context) for d in arguments.kw_defaults if d is not None]
        return children + [(statement, inner) for statement in node.body]

    def name_place(self, node: ast.AST) -> Location:
        """From the keyword of a definition to the end of that line."""
        place = self.places.at(node)
        if place.end_line == place.line:
            return place
        name: str = getattr(node, "name", "")
        return replace(place, end_line=place.line, end_column=place.column + 6 + len(name))

    def parameters(self, arguments: ast.arguments) -> list[Parameter]:
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        pairs = list(zip(positional, [*defaults, *arguments.defaults], strict=False))
        pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=False))
        return [
            Parameter(
                name=argument.arg,
                annotation=text_of(argument.annotation),
                default=None if default is None else text_of(default),
                at=self.places.at(argument),
            )
            for argument, default in pairs
        ]

    def on_class(self, node: ast.ClassDef, context: _Context) -> list[_Visit]:
        function, guards = context
        qualname = f"{function}.{node.name}" if function else node.name
        if getattr(node, "type_params", None):
            self.need(node, (3, 12), "type parameters")
        fields = []
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                fields.append(
                    Parameter(
                        name=statement.target.id,
                        annotation=text_of(statement.annotation),
                        default=None if statement.value is None else text_of(statement.value),
                        at=self.places.at(statement),
                    )
                )
                if not guards:
                    self.annotation(statement.annotation, evaluated=_is_schema(node))
        self.classes.append(
            ClassFact(
                at=self.name_place(node),
                name=node.name,
                qualname=qualname,
                bases=tuple(map(text_of, node.bases)),
                decorators=tuple(map(text_of, node.decorator_list)),
                methods=tuple(
                    s.name
                    for s in node.body
                    if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)
                ),
                fields=tuple(fields),
            )
        )
        children: list[_Visit] = [(part, context) for part in (*node.decorator_list, *node.bases)]
        children += [(keyword.value, context) for keyword in node.keywords]
        return children + [(statement, (qualname, guards)) for statement in node.body]

    def on_try(self, node: ast.Try, context: _Context) -> list[_Visit]:
        function, guards = context
        if isinstance(node, getattr(ast, "TryStar", ())):
            self.need(node, (3, 11), "except*")
        body_guards = guards
        if any(_catches_import(handler) for handler in node.handlers):
            body_guards = (*guards, "import-error")
        elif node.handlers:
            body_guards = (*guards, "try")
        children: list[_Visit] = [(statement, (function, body_guards)) for statement in node.body]
        for handler in node.handlers:
            if handler.type is not None:
                children.append((handler.type, context))
            # A fallback import is tried only when the first one failed.
            after = (*guards, "except")
            children += [(statement, (function, after)) for statement in handler.body]
        for statement in (*node.orelse, *node.finalbody):
            children.append((statement, context))
        return children

    def on_if(self, node: ast.If, context: _Context) -> list[_Visit]:
        function, guards = context
        guard = _test_kind(node.test)
        if guard == "main" and not function and self.main_guard is None:
            self.main_guard = self.places.at(node.test)
        children: list[_Visit] = [(node.test, context)]
        inner = (function, (*guards, guard))
        children += [(statement, inner) for statement in node.body]
        other = (function, (*guards, "if" if guard in ("main", "type-checking") else guard))
        if guard == "type-checking":
            other = context
        return children + [(statement, other) for statement in node.orelse]

    def on_annotated(self, node: ast.AnnAssign, context: _Context) -> list[_Visit]:
        if not context[0] and not context[1]:
            self.annotation(node.annotation)
        return [] if node.value is None else [(node.value, context)]

    def on_match(self, node: ast.AST, context: _Context) -> list[_Visit]:
        self.need(node, (3, 10), "match")
        function, guards = context
        children: list[_Visit] = [(node.subject, context)]  # type: ignore[attr-defined]
        for case in node.cases:  # type: ignore[attr-defined]
            children += [(statement, (function, (*guards, "if"))) for statement in case.body]
        return children

    def on_type_alias(self, node: ast.AST, context: _Context) -> list[_Visit]:
        self.need(node, (3, 12), "type")
        return []

    def annotation(self, node: ast.expr | None, *, evaluated: bool = False) -> None:
        """What an annotation needs where it is evaluated as the definition runs.

        ``evaluated``: by the class itself (pydantic), though the file postpones annotations.
        """
        if node is None or isinstance(node, ast.Name | ast.Constant):
            return
        if self.lazy_annotations and not evaluated:
            return
        suffix = " of a pydantic model" if self.lazy_annotations else ""
        for part in ast.walk(node):
            if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr):
                if any(_is_type(side) for side in (part.left, part.right)):
                    self.need(part, (3, 10), f"X | Y in an annotation{suffix}", "run")
                    return
            elif (
                isinstance(part, ast.Subscript)
                and isinstance(part.value, ast.Name)
                and part.value.id in _RUNTIME_GENERICS
            ):
                self.need(part, (3, 9), f"{part.value.id}[…] in an annotation{suffix}", "run")


def _is_schema(node: ast.ClassDef) -> bool:
    """A class that evaluates its own annotations."""
    bases = {text_of(base).rpartition(".")[2] for base in node.bases}
    return bool(bases & {"BaseModel", "BaseSettings", "RootModel", "SQLModel"})


def _is_type(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None
    if isinstance(node, ast.Subscript):
        node = node.value
    return isinstance(node, ast.Name) and node.id in _BUILTIN_TYPES


def _catches_import(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = {text_of(t) for t in handler_types(handler)}
    return bool(caught & {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def handler_types(handler: ast.ExceptHandler) -> list[ast.expr]:
    """The exception types that a handler names."""
    if handler.type is None:
        return []
    return list(handler.type.elts) if isinstance(handler.type, ast.Tuple) else [handler.type]


def _test_kind(test: ast.expr) -> str:
    if is_main_test(test):
        return "main"
    text = text_of(test)
    if text in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING"):
        return "type-checking"
    if "version_info" in text:
        return "version"
    if "sys.platform" in text or "platform.system" in text or "os.name" in text:
        return "platform"
    return "if"


def is_main_test(test: ast.expr) -> bool:
    """Whether this is ``__name__ == "__main__"`` (either way round)."""
    if not (
        isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)
    ):
        return False
    sides = (test.left, test.comparators[0])
    return any(isinstance(s, ast.Name) and s.id == "__name__" for s in sides) and any(
        isinstance(s, ast.Constant) and s.value == "__main__" for s in sides
    )


def yields(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is a generator."""
    stack: list[ast.AST] = list(node.body)
    while stack:
        part = stack.pop()
        if isinstance(part, ast.Yield | ast.YieldFrom):
            return True
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(part, ast.stmt | ast.ExceptHandler | ast.Expr | ast.withitem):
            stack.extend(ast.iter_child_nodes(part))
        elif isinstance(part, ast.Await | ast.NamedExpr):
            stack.append(part.value)
    return False


def text_of(node: ast.expr | None, depth: int = 0) -> str:
    """Source text of a short expression, normalised; "…" where it is long or hostile."""
    if node is None:
        return ""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        names = [node.attr]
        inner = node.value
        while isinstance(inner, ast.Attribute):
            names.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            names.append(inner.id)
            return ".".join(reversed(names))
    if isinstance(node, ast.Constant):
        return repr(node.value)[:200]
    if isinstance(node, ast.Subscript):
        if depth > 20:
            return "…"
        return f"{text_of(node.value, depth + 1)}[{text_of(node.slice, depth + 1)}]"[:400]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        if depth > 20:
            return "…"
        left, right = text_of(node.left, depth + 1), text_of(node.right, depth + 1)
        return f"{left} | {right}"[:400]
    try:
        return ast.unparse(node)[:400]
    except (RecursionError, ValueError):
        return "…"


def _literal(node: ast.expr) -> Scalar | Unknown:
    if isinstance(node, ast.Constant):
        value = node.value
        if value is None or isinstance(value, str | int | float | bytes):
            return value
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and isinstance(node.operand.value, int | float)
    ):
        return -node.operand.value
    return Unknown("not a literal")


def bound_names(body: list[ast.stmt]) -> list[str]:
    """Names that statements bind in their own scope, in order, without repeats."""
    found: dict[str, None] = {}
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.setdefault(node.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                found.setdefault(alias.asname or alias.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found.setdefault(alias.asname or alias.name)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                found.setdefault(node.id)
        elif isinstance(node, ast.Global):
            for name in node.names:
                found.setdefault(name)
        elif isinstance(node, ast.Expr):
            if isinstance(node.value, ast.NamedExpr):
                stack.append(node.value.target)
        elif isinstance(node, ast.Assign):
            stack.extend(reversed(node.targets))
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            stack.append(node.target)
        elif isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Constant):
            continue
        elif isinstance(node, ast.ExceptHandler):
            if node.name:
                found.setdefault(node.name)
            stack.extend(reversed(node.body))
        else:
            stack.extend(reversed(list(ast.iter_child_nodes(node))))
    return list(found)


_STATEMENTS: dict[type[ast.AST], Callable[[_Reader, Any, _Context], list[_Visit]]] = {
    ast.Import: _Reader.on_import,
    ast.ImportFrom: _Reader.on_import_from,
    ast.FunctionDef: _Reader.on_function,
    ast.AsyncFunctionDef: _Reader.on_function,
    ast.ClassDef: _Reader.on_class,
    ast.Try: _Reader.on_try,
    ast.If: _Reader.on_if,
    ast.AnnAssign: _Reader.on_annotated,
    ast.Match: _Reader.on_match,
}
for _newer, _method in (("TryStar", _Reader.on_try), ("TypeAlias", _Reader.on_type_alias)):
    if hasattr(ast, _newer):
        _STATEMENTS[getattr(ast, _newer)] = _method


_LEAVES = frozenset({ast.Name, ast.Constant, ast.Pass, ast.Break, ast.Continue, str, int})
_LEAF_FIELDS = frozenset(
    {"ctx", "op", "ops", "id", "attr", "arg", "type_comment", "conversion", "kind", "is_async"}
)
_CHILD_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def install_lines(path: str, text: str, at: Location) -> InstallLine | None:
    """The installation that a shell or magic line of a notebook asks for, if any."""
    words = text.strip().lstrip("!%").split()
    if words[:1] == ["sudo"]:
        words = words[1:]
    if words[:2] in (
        ["python", "-m"],
        ["python3", "-m"],
        ["uv", "pip"],
        ["{sys.executable}", "-m"],
    ):
        words = words[2:] if words[0] != "uv" else words[1:]
    installers = ("pip", "pip3", "apt-get", "apt", "conda", "mamba")
    if words and words[0] in installers and "install" in words[1:4]:
        return InstallLine(at=at, program=words[0], arguments=" ".join(words[1:]))
    return None
