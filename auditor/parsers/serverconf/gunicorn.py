"""gunicorn's configuration file: Python, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from auditor.parsers.serverconf.facts import (
    DEPTH,
    Expression,
    ServerConfig,
    Setting,
    literal_expression,
    unknown_expression,
)
from auditor.source import Location, Problem, SourceText
from auditor.values import replace


def parse_gunicorn(source: SourceText) -> ServerConfig:
    """``gunicorn.conf.py`` (any Python file given by ``-c``)."""
    settings: list[Setting] = []
    functions: list[str] = []
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        problem = Problem(
            at=source.at(line), message=f"is not valid Python: {error}".split("\n")[0], fatal=True
        )
        return ServerConfig(kind="gunicorn", path=source.path, problems=(*source.problems, problem))
    names: dict[str, Expression] = {}
    try:
        _statements(source, tree.body, names, settings, functions, conditional=False, depth=0)
    except RecursionError:
        problem = Problem(at=source.at(1), message="is nested too deeply to be read", fatal=True)
        return ServerConfig(kind="gunicorn", path=source.path, problems=(problem,))
    return ServerConfig(
        kind="gunicorn",
        path=source.path,
        settings=tuple(settings),
        functions=tuple(functions),
        problems=source.problems,
    )


def _statements(
    source: SourceText,
    body: Sequence[ast.stmt],
    names: dict[str, Expression],
    settings: list[Setting],
    functions: list[str],
    *,
    conditional: bool,
    depth: int,
) -> None:
    if depth > DEPTH:
        return
    for statement in body:
        targets: list[ast.expr] = []
        value: ast.expr | None = None
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign):
            targets, value = [statement.target], statement.value
        elif isinstance(statement, ast.AugAssign):
            if isinstance(statement.target, ast.Name):
                names[statement.target.id] = unknown_expression("is changed in place")
            continue
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions.append(statement.name)
            continue
        else:
            for inner in _blocks(statement):
                _statements(
                    source, inner, names, settings, functions, conditional=True, depth=depth + 1
                )
            continue
        if value is None:
            continue
        for target in targets:
            if not isinstance(target, ast.Name):
                continue
            expression = _expression(value, names, 0)
            if conditional:
                before = names.get(target.id)
                if before != expression:
                    expression = unknown_expression(f"{target.id} is set in a branch")
            names[target.id] = expression
            settings.append(
                Setting(
                    name=target.id,
                    value=expression,
                    at=_python_place(source, value),
                    conditional=conditional,
                )
            )


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list) and not isinstance(statement, ast.ClassDef):
            yield block
    for handler in getattr(statement, "handlers", ()):
        yield handler.body


def _python_place(source: SourceText, node: ast.expr) -> Location:
    # ast counts UTF-8 bytes in a line; locations count code points.
    def column(line: int, offset: int) -> int:
        text = source.line_at(line)
        if text.isascii():
            return offset + 1
        return len(text.encode("utf-8", "replace")[:offset].decode("utf-8", "replace")) + 1

    end_line = node.end_lineno or node.lineno
    return Location(
        source.path,
        node.lineno,
        column(node.lineno, node.col_offset),
        end_line,
        column(end_line, node.end_col_offset or 0),
    )


def _expression(node: ast.expr, names: Mapping[str, Expression], depth: int) -> Expression:
    if depth > DEPTH:
        return unknown_expression("is nested too deeply")
    deeper = depth + 1
    if isinstance(node, ast.Constant):
        if isinstance(node.value, (str, int, float, bool)) or node.value is None:
            return literal_expression(node.value)
        return unknown_expression("is not text or a number")
    if isinstance(node, ast.Name):
        return names.get(node.id) or unknown_expression(f"{node.id} is not set in this file")
    if isinstance(node, ast.JoinedStr):
        parts: list[Expression] = []
        for item in node.values:
            if isinstance(item, ast.FormattedValue):
                if item.format_spec is not None:
                    return unknown_expression("is formatted when the program runs")
                parts.append(_expression(item.value, names, deeper))
            else:
                parts.append(_expression(item, names, deeper))
        return Expression(kind="join", parts=tuple(parts))
    if isinstance(node, (ast.List, ast.Tuple)):
        return Expression(
            kind="list", parts=tuple(_expression(item, names, deeper) for item in node.elts)
        )
    if isinstance(node, ast.Subscript) and _dotted(node.value) in {"os.environ", "environ"}:
        name = node.slice
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return Expression(kind="env", text=name.value)
    if isinstance(node, ast.Call):
        return _call(node, names, deeper)
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and len(node.values) == 2:
        first = _expression(node.values[0], names, deeper)
        if first.kind == "env" and not first.parts:
            return replace(first, parts=(_expression(node.values[1], names, deeper),))
        return (
            first
            if first.kind == "literal" and first.text
            else unknown_expression("depends on a value")
        )
    if isinstance(node, ast.BinOp):
        return _binary(node, names, deeper)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _expression(node.operand, names, deeper)
        return (
            literal_expression("-" + inner.text)
            if inner.kind == "literal"
            else unknown_expression("is computed")
        )
    return unknown_expression("is computed when the program runs")


def _call(node: ast.Call, names: Mapping[str, Expression], depth: int) -> Expression:
    name = _dotted(node.func)
    args = node.args
    if name in {"os.environ.get", "os.getenv", "environ.get", "getenv"} and args:
        first = args[0]
        if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
            return unknown_expression("reads a variable whose name is computed")
        default = args[1] if len(args) > 1 else None
        for keyword in node.keywords:
            if keyword.arg == "default":
                default = keyword.value
        parts = () if default is None else (_expression(default, names, depth),)
        return Expression(kind="env", text=first.value, parts=parts)
    if name in {"int", "str", "float"} and len(args) == 1:
        return _expression(args[0], names, depth)
    if name.endswith("cpu_count"):
        return unknown_expression("depends on the number of processors")
    if isinstance(node.func, ast.Attribute) and node.func.attr == "format" and not node.keywords:
        template = _expression(node.func.value, names, depth)
        values = [_expression(arg, names, depth) for arg in args]
        if template.kind == "literal":
            return _formatted(template.text, "{}", values)
    if isinstance(node.func, ast.Attribute) and node.func.attr in {"strip", "lower"} and not args:
        return _expression(node.func.value, names, depth)
    return unknown_expression(f"{name or 'a function'}() is called when the program runs")


def _formatted(template: str, mark: str, values: Sequence[Expression]) -> Expression:
    texts = template.split(mark)
    if len(texts) != len(values) + 1 or (mark == "{}" and ("{" in "".join(texts))):
        return unknown_expression("is formatted when the program runs")
    parts = [literal_expression(texts[0])]
    for value, text in zip(values, texts[1:], strict=True):
        parts += [value, literal_expression(text)]
    return Expression(kind="join", parts=tuple(p for p in parts if p.kind != "literal" or p.text))


def _binary(node: ast.BinOp, names: Mapping[str, Expression], depth: int) -> Expression:
    left = _expression(node.left, names, depth)
    if isinstance(node.op, ast.Mod) and left.kind == "literal" and "%s" in left.text:
        right = node.right
        items = right.elts if isinstance(right, ast.Tuple) else [right]
        return _formatted(left.text, "%s", [_expression(item, names, depth) for item in items])
    right_value = _expression(node.right, names, depth)
    for side in (left, right_value):
        if side.kind == "unknown":
            return (
                side
                if not isinstance(node.op, ast.Add) or not _texts(node)
                else Expression(kind="join", parts=(left, right_value))
            )
    if left.kind == right_value.kind == "literal" and not _texts(node):
        first, second = _number(left.text), _number(right_value.text)
        if first is not None and second is not None:
            if isinstance(node.op, ast.Add):
                return literal_expression(first + second)
            if isinstance(node.op, ast.Mult):
                return literal_expression(first * second)
        return unknown_expression("is computed when the program runs")
    if isinstance(node.op, ast.Add):
        return Expression(kind="join", parts=(left, right_value))
    return unknown_expression("is computed when the program runs")


def _texts(node: ast.BinOp) -> bool:
    """Whether a sum is one of texts: one of its sides is written as text."""
    for side in (node.left, node.right):
        if isinstance(side, ast.JoinedStr):
            return True
        if isinstance(side, ast.Constant) and isinstance(side.value, str):
            return True
        if isinstance(side, ast.BinOp) and _texts(side):
            return True
    return False


def _number(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdigit() and len(text) < 10 else None


def _dotted(node: ast.expr) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < 8:
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ".".join(reversed(names))
    return ".".join([node.id, *reversed(names)])
