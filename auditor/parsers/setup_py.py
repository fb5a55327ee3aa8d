"""``setup.py`` and ``setup.cfg`` read without executing anything."""

from __future__ import annotations

import ast
from collections.abc import Callable

from auditor import lazy_re as re
from auditor.parsers.pyproject import Declared, Group
from auditor.parsers.requirements import Requirement, parse_requirement
from auditor.source import Location, Problem, SourceText, Unknown
from auditor.values import replace, value


@value
class SetupFacts:
    """What ``setup()`` or ``setup.cfg`` declares.

    ``dependencies`` is Unknown when the list is computed; ``reads`` are the files it is computed
    from as far as that is visible (paths relative to the file's directory).
    """

    path: str
    name: Declared | None = None
    version: Declared | None = None
    requires_python: Declared | Unknown | None = None
    dependencies: tuple[Requirement, ...] | Unknown = ()
    groups: tuple[Group, ...] = ()
    setup_requires: tuple[Requirement, ...] = ()
    reads: tuple[Declared, ...] = ()
    calls_setup: bool = False
    at: Location | None = None
    problems: tuple[Problem, ...] = ()


def parse_setup_py(source: SourceText) -> SetupFacts:
    """Facts of the ``setup()`` call; never raises. Nothing is executed."""
    import warnings

    try:
        with warnings.catch_warnings():
            # Invalid escapes in other people's strings are not our warnings.
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        message = f"not Python: {getattr(error, 'msg', None) or error or 'nested too deeply'}"
        problem = Problem(at=source.at(min(line, len(source.lines))), message=message, fatal=True)
        return SetupFacts(path=source.path, problems=(*source.problems, problem))
    return _SetupPy(source, tree).facts()


_DEPTH = 12
_NODES = 20_000
_FILE = re.compile(r"[\w./ -]+\.(?:txt|in|pip|reqs)")


class _SetupPy:
    """A small evaluator of constants: names, lists, concatenations, nothing else."""

    def __init__(self, source: SourceText, tree: ast.Module) -> None:
        self.source = source
        self.tree = tree
        self.problems: list[Problem] = list(source.problems)
        self.reads: dict[str, Declared] = {}
        self.names: dict[str, ast.expr | None] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.call: ast.Call | None = None
        for node in ast.walk(tree):
            self._index(node)

    def _index(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef):
            self.functions[node.name] = node
        elif isinstance(node, ast.Call) and self.call is None:
            target = node.func
            name = (
                target.id
                if isinstance(target, ast.Name)
                else (target.attr if isinstance(target, ast.Attribute) else "")
            )
            if name == "setup":
                self.call = node
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    # A name that is bound twice has no single value.
                    twice = target.id in self.names or isinstance(node, ast.AugAssign)
                    self.names[target.id] = None if twice else node.value
        elif isinstance(node, ast.With):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name):
                    self.names.setdefault(item.optional_vars.id, item.context_expr)

    def facts(self) -> SetupFacts:
        if self.call is None:
            return SetupFacts(path=self.source.path, problems=tuple(self.problems))
        arguments: dict[str, ast.expr] = {}
        for keyword in self.call.keywords:
            if keyword.arg is not None:
                arguments[keyword.arg] = keyword.value
                continue
            spread = self._resolved(keyword.value)
            if isinstance(spread, ast.Dict):
                for key, value in zip(spread.keys, spread.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        arguments.setdefault(key.value, value)
        dependencies: tuple[Requirement, ...] | Unknown = ()
        if "install_requires" in arguments:
            dependencies = self._requirements(arguments["install_requires"])
        setup_requires: tuple[Requirement, ...] | Unknown = ()
        if "setup_requires" in arguments:
            setup_requires = self._requirements(arguments["setup_requires"])
        requires_python: Declared | Unknown | None = None
        if "python_requires" in arguments:
            requires_python = self._declared(arguments["python_requires"]) or Unknown(
                "python_requires is computed"
            )
        return SetupFacts(
            path=self.source.path,
            name=self._declared(arguments.get("name")),
            version=self._declared(arguments.get("version")),
            requires_python=requires_python,
            dependencies=dependencies,
            groups=self._extras(arguments.get("extras_require")),
            setup_requires=setup_requires if isinstance(setup_requires, tuple) else (),
            reads=tuple(self.reads.values()),
            calls_setup=True,
            at=self._at(self.call.func),
            problems=tuple(self.problems),
        )

    def _resolved(self, node: ast.expr | None) -> ast.expr | None:
        """Follow plain names to what they were bound to."""
        for _ in range(_DEPTH):
            if not isinstance(node, ast.Name):
                return node
            node = self.names.get(node.id)
        return None

    def _declared(self, node: ast.expr | None) -> Declared | None:
        node = self._resolved(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return Declared(value=node.value, at=self._at(node))
        return None

    def _strings(self, node: ast.expr | None, depth: int = 0) -> list[ast.Constant] | None:
        """The string constants a list is made of; None when it is computed."""
        node = self._resolved(node)
        if node is None or depth > _DEPTH:
            return None
        if isinstance(node, ast.Constant):
            return [node] if isinstance(node.value, str) else [] if node.value is None else None
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            found: list[ast.Constant] = []
            for item in node.elts:
                inner = item.value if isinstance(item, ast.Starred) else item
                part = self._strings(inner, depth + 1)
                if part is None:
                    return None
                found += part
            return found
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left = self._strings(node.left, depth + 1)
            right = self._strings(node.right, depth + 1)
            both_text = isinstance(node.left, ast.Constant) or isinstance(node.right, ast.Constant)
            return None if left is None or right is None or both_text else left + right
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # "a b".split() and "a\nb".splitlines()
            whole = self._resolved(node.func.value)
            method = node.func.attr
            text = whole.value if isinstance(whole, ast.Constant) else None
            plain = method == "splitlines" or method == "split"
            if isinstance(whole, ast.Constant) and isinstance(text, str) and plain:
                cut_at_words = method == "split" and _has_blank(text)
                return None if node.args or cut_at_words else [whole]
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("list", "tuple", "sorted", "set")
            and len(node.args) == 1
            and node.func.id not in self.functions
        ):
            return self._strings(node.args[0], depth + 1)
        return None

    def _requirements(self, node: ast.expr) -> tuple[Requirement, ...] | Unknown:
        constants = self._strings(node)
        if constants is None:
            files = self._files(node)
            for file in files:
                self.reads.setdefault(file.value, file)
            if files:
                names = ", ".join(dict.fromkeys(f.value for f in files))
                return Unknown(f"the list is read from {names}")
            return Unknown("the list is computed")
        found: list[Requirement] = []
        for constant in constants:
            text = str(constant.value)
            offset = 0
            for line in text.splitlines(keepends=True) or [text]:
                body = line.strip()
                if body and not body.startswith("#"):
                    start = offset + line.index(body)
                    self._add(body, constant, start, found)
                offset += len(line)
        return tuple(found)

    def _add(self, text: str, node: ast.Constant, start: int, found: list[Requirement]) -> None:
        read = parse_requirement(
            text, lambda a, b: self._inside(node, start + a, start + b), pip_forms=False
        )
        if isinstance(read, Problem):
            self.problems.append(read)
            return
        if read.rejected:
            self.problems.append(
                Problem(at=read.specifier_at or read.at, message=f"{text!r}: {read.rejected}")
            )
        found.append(read)

    def _extras(self, node: ast.expr | None) -> tuple[Group, ...]:
        node = self._resolved(node)
        if node is None:
            return ()
        if not isinstance(node, ast.Dict):
            self.problems.append(Problem(at=self._at(node), message="extras_require is computed"))
            return ()
        groups = []
        for key, value in zip(node.keys, node.values, strict=True):
            name = self._declared(key)
            if name is None:
                self.problems.append(Problem(at=self._at(value), message="an extra is computed"))
                continue
            requirements = self._requirements(value)
            if isinstance(requirements, Unknown):
                message = f"extra {name.value!r}: {requirements.reason}"
                self.problems.append(Problem(at=self._at(value), message=message))
                continue
            groups.append(
                Group(name=name.value, kind="extra", requirements=requirements, at=name.at)
            )
        return tuple(groups)

    def _files(self, node: ast.expr) -> list[Declared]:
        """Names of requirement files in an expression, and in the functions and names it uses."""
        found: dict[str, Declared] = {}
        seen: set[str] = set()
        queue: list[ast.AST] = [node]
        budget = _NODES
        while queue:
            for item in ast.walk(queue.pop()):
                budget -= 1
                if budget <= 0:
                    return list(found.values())
                if isinstance(item, ast.Constant):
                    if isinstance(item.value, str) and _FILE.fullmatch(item.value):
                        value = item.value.removeprefix("./")
                        found.setdefault(value, Declared(value=value, at=self._at(item)))
                elif isinstance(item, ast.Call) and self._joined(item):
                    value = self._joined(item)
                    last = item.args[-1]
                    found.pop(str(getattr(last, "value", "")), None)
                    found.setdefault(value, Declared(value=value, at=self._at(item)))
                elif isinstance(item, ast.Name) and item.id not in seen:
                    seen.add(item.id)
                    target = self.functions.get(item.id) or self.names.get(item.id)
                    if target is not None:
                        queue.append(target)
        # ``join("requirements", "base.txt")`` also shows its last part alone.
        whole = {d.value.rpartition("/")[2] for d in found.values() if "/" in d.value}
        return [d for d in found.values() if d.value not in whole]

    def _joined(self, call: ast.Call) -> str:
        """``os.path.join(here, "requirements", "base.txt")`` as ``requirements/base.txt``."""
        if not (isinstance(call.func, ast.Attribute) and call.func.attr in ("join", "joinpath")):
            return ""
        parts = [a.value for a in call.args if isinstance(a, ast.Constant)]
        names = [p for p in parts if isinstance(p, str)]
        tail = call.args[len(call.args) - len(names) :]
        if len(names) < 2 or not all(isinstance(a, ast.Constant) for a in tail):
            return ""
        path = "/".join(names)
        return path if _FILE.fullmatch(path) else ""

    def _column(self, line: int, byte_offset: int) -> int:
        text = self.source.line_at(line)
        if text.isascii():
            return byte_offset + 1
        return len(text.encode("utf-8", "replace")[:byte_offset].decode("utf-8", "replace")) + 1

    def _at(self, node: ast.expr) -> Location:
        line, end_line = node.lineno, node.end_lineno or node.lineno
        return Location(
            self.source.path,
            line,
            self._column(line, node.col_offset),
            end_line,
            self._column(end_line, node.end_col_offset or node.col_offset),
        )

    def _inside(self, node: ast.Constant, start: int, end: int) -> Location:
        """Characters of a string constant, when its text stands in the file as it is."""
        at = self._at(node)
        lines = self.source.lines[at.line - 1 : at.end_line]
        lines[-1] = lines[-1][: at.end_column - 1]
        lines[0] = lines[0][at.column - 1 :]
        text = "\n".join(lines)
        value = str(node.value)
        lead = text.find(value)
        if lead < 0 or lead > 5 or not value:
            return at
        head = text[: lead + start]
        newlines = head.count("\n")
        column = len(head) - head.rfind("\n") if newlines else at.column + len(head)
        length = end - start
        return Location(
            self.source.path, at.line + newlines, column, at.line + newlines, column + length
        )


def _has_blank(text: str) -> bool:
    # ``split`` also cuts inside "a >= 1": only then are lines and words not the same.
    return any(" " in line.strip() for line in text.splitlines())


# --- setup.cfg ---------------------------------------------------------------------------


@value(kw_only=False)
class _Value:
    """A value of an INI file: (text, line, column) of its non-empty lines."""

    key_at: Location
    lines: tuple[tuple[str, int, int], ...]


def _ini(source: SourceText, problems: list[Problem]) -> dict[str, dict[str, _Value]]:
    """Sections of an INI file as ``configparser`` cuts them, with places."""
    sections: dict[str, dict[str, _Value]] = {}
    section: dict[str, _Value] | None = None
    key: str | None = None
    indent = 0
    for number, line in enumerate(source.lines, start=1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        depth = len(line) - len(line.lstrip())
        if section is not None and key is not None and depth > indent:
            value = section[key]
            section[key] = replace(value, lines=(*value.lines, (text, number, depth + 1)))
            continue
        if text.startswith("[") and "]" in text:
            section = sections.setdefault(text[1 : text.rindex("]")].strip(), {})
            key = None
            continue
        cut = min((i for i in (line.find("="), line.find(":")) if i >= 0), default=-1)
        if section is None or cut < 0:
            problems.append(Problem(at=source.at(number), message="neither a section nor a key"))
            continue
        key = line[:cut].strip().lower()
        indent = depth
        rest = line[cut + 1 :]
        body = rest.strip()
        column = cut + 2 + len(rest) - len(rest.lstrip())
        key_at = Location(
            source.path, number, depth + 1, number, depth + 1 + len(line[:cut].strip())
        )
        section[key] = _Value(key_at, ((body, number, column),) if body else ())
    return sections


def parse_setup_cfg(source: SourceText) -> SetupFacts:
    """Facts of ``[metadata]``, ``[options]`` and ``[options.extras_require]``; never raises."""
    problems: list[Problem] = list(source.problems)
    sections = _ini(source, problems)
    options = sections.get("options", {})
    metadata = sections.get("metadata", {})
    reads: list[Declared] = []

    def declared(value: _Value | None) -> Declared | None:
        if value is None or not value.lines:
            return None
        text, line, column = value.lines[0]
        if text.startswith(("attr:", "file:")):
            return None
        return Declared(
            value=text, at=Location(source.path, line, column, line, column + len(text))
        )

    def requirements(value: _Value | None) -> tuple[Requirement, ...] | Unknown:
        if value is None or not value.lines:
            return ()
        first = value.lines[0][0]
        if first.startswith("file:"):
            named = []
            for text, line, column in value.lines:
                body = text.removeprefix("file:")
                offset = len(text) - len(body)
                for part in body.split(","):
                    name = part.strip()
                    if name:
                        start = column + offset + part.index(name)
                        at = Location(source.path, line, start, line, start + len(name))
                        named.append(Declared(value=name, at=at))
                    offset += len(part) + 1
            reads.extend(named)
            return Unknown(f"the list is read from {', '.join(d.value for d in named)}")
        found: list[Requirement] = []
        for text, line, column in value.lines:
            # One line alone is a list with semicolons; several lines are one requirement each.
            pieces = (
                text.split(";") if len(value.lines) == 1 and value.key_at.line == line else [text]
            )
            offset = 0
            for piece in pieces:
                body = piece.strip()
                if body and not body.startswith("#"):
                    start = column + offset + piece.index(body)
                    _take(body, _locator(source.path, line, start), found, problems)
                offset += len(piece) + 1
        return tuple(found)

    groups = []
    for name, value in sections.get("options.extras_require", {}).items():
        extra = requirements(value)
        if isinstance(extra, Unknown):
            problems.append(Problem(at=value.key_at, message=f"extra {name!r}: {extra.reason}"))
        else:
            groups.append(Group(name=name, kind="extra", requirements=extra, at=value.key_at))
    setup_requires = requirements(options.get("setup_requires"))
    return SetupFacts(
        path=source.path,
        name=declared(metadata.get("name")),
        version=declared(metadata.get("version")),
        requires_python=declared(options.get("python_requires")),
        dependencies=requirements(options.get("install_requires")),
        groups=tuple(groups),
        setup_requires=setup_requires if isinstance(setup_requires, tuple) else (),
        reads=tuple(reads),
        calls_setup=bool(options or metadata),
        problems=tuple(problems),
    )


def _locator(path: str, line: int, column: int) -> Callable[[int, int], Location]:
    return lambda start, end: Location(path, line, column + start, line, column + end)


def _take(
    text: str,
    locate: Callable[[int, int], Location],
    found: list[Requirement],
    problems: list[Problem],
) -> None:
    read = parse_requirement(text, locate, pip_forms=False)
    if isinstance(read, Problem):
        problems.append(read)
        return
    if read.rejected:
        at = read.specifier_at or read.at
        problems.append(Problem(at=at, message=f"{text!r}: {read.rejected}"))
    found.append(read)
