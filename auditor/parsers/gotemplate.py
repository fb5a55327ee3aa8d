"""Go's ``text/template``, read and evaluated over plain values: what Helm charts are written in.

Nothing is executed: the language has no input or output, and every function it can call is one
of ours (``auditor.parsers.sprig``). The work is bounded by steps, depth and size. A value that
cannot be known is ``Unknown`` and stays so through every function; text that depends on one
carries the mark ``HOLE``. A branch on an unknown value ends the rendering of that template.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from auditor import lazy_re as re
from auditor.source import Unknown
from auditor.values import value

# Stands in rendered text where a value is unknown; no YAML of anybody's has it.
HOLE = "\ue000"
MAX_TEXT = 400_000
MAX_STEPS = 150_000
MAX_OUTPUT = 2_000_000
MAX_DEPTH = 60
MAX_WEIGHT = 200_000
MAX_WORK = 30_000_000
_MAX_VALUE = 1_000_000
_MAX_ITEMS = 50_000

Function = Callable[..., Any]


class TemplateError(Exception):
    """The template cannot be read or rendered: ``line`` of the template, and why."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class UndecidedError(TemplateError):
    """What the template does depends on a value that is not known."""


class _BreakError(Exception):
    pass


class _ContinueError(Exception):
    pass


@value(kw_only=False)
class Token:
    kind: str
    text: str
    # A field or bracket that follows without a space belongs to what stands before it.
    spaced: bool = True


@value(kw_only=False)
class Node:
    """``kind`` says what the other fields mean."""

    kind: str
    line: int
    text: str = ""
    pipe: Any = None
    body: tuple[Node, ...] = ()
    otherwise: tuple[Node, ...] = ()


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
      | (?P<char>'(?:[^'\\\n]|\\.)+')
      | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?))
      | (?P<field>\.[A-Za-z_][A-Za-z0-9_]*)
      | (?P<variable>\$[A-Za-z0-9_]*)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<declare>:=)
      | (?P<sign>[.|(),=])
    """,
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b"}


def _unquote(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]

    def plain(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] in "xuU":
            number = int(code[1:], 16)
            return chr(number) if number < 0x110000 else "\ufffd"
        return _ESCAPES.get(code, code)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", plain, text[1:-1])


def _tokens(text: str, line: int) -> list[Token]:
    found: list[Token] = []
    position = 0
    spaced = True
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise TemplateError(f"unexpected {text[position : position + 10]!r}", line)
        position = match.end()
        kind = match.lastgroup or ""
        if kind == "space":
            spaced = True
            continue
        found.append(Token(kind, match.group(), spaced))
        spaced = False
    return found


class _Reader:
    """One action's tokens as an expression."""

    def __init__(self, tokens: list[Token], line: int) -> None:
        self.tokens = tokens
        self.index = 0
        self.line = line
        self.depth = 0

    def peek(self) -> Token | None:
        return self.tokens[self.index] if self.index < len(self.tokens) else None

    def take(self) -> Token:
        token = self.peek()
        if token is None:
            raise TemplateError("unexpected end of action", self.line)
        self.index += 1
        return token

    def pipeline(self) -> Any:
        """("pipe", variables, assigns, commands)."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TemplateError("nested too deeply", self.line)
        variables: list[str] = []
        declares = False
        start = self.index
        while (token := self.peek()) is not None and token.kind == "variable":
            following = self.tokens[self.index + 1 : self.index + 2]
            sign = following[0].text if following else ""
            if sign in (":=", "=", ","):
                variables.append(token.text)
                self.index += 2
                if sign != ",":
                    declares = sign == ":="
                    break
                continue
            self.index = start
            variables = []
            break
        commands = [self.command()]
        while (token := self.peek()) is not None and token.text == "|" and token.kind == "sign":
            self.take()
            commands.append(self.command())
        self.depth -= 1
        return ("pipe", tuple(variables), declares, tuple(commands))

    def command(self) -> tuple[Any, ...]:
        operands: list[Any] = []
        while (token := self.peek()) is not None:
            if token.kind == "sign" and token.text in ("|", ")", ","):
                break
            operands.append(self.operand())
        if not operands:
            raise TemplateError("missing value for command", self.line)
        return tuple(operands)

    def operand(self) -> Any:
        token = self.take()
        made: Any
        if token.kind == "string":
            made = ("value", _unquote(token.text))
        elif token.kind == "char":
            made = ("value", ord(_unquote(token.text)[:1] or "\0"))
        elif token.kind == "number":
            made = ("value", _number(token.text))
        elif token.kind == "field":
            made = ("field", ("dot",), token.text[1:])
        elif token.kind == "variable":
            made = ("variable", token.text)
        elif token.kind == "name":
            words = {"true": True, "false": False, "nil": None}
            made = ("value", words[token.text]) if token.text in words else ("function", token.text)
        elif token.text == "(":
            made = self.pipeline()
            closing = self.take()
            if closing.text != ")":
                raise TemplateError("missing )", self.line)
        elif token.text == ".":
            made = ("dot",)
        else:
            raise TemplateError(f"unexpected {token.text!r}", self.line)
        while (after := self.peek()) is not None and after.kind == "field" and not after.spaced:
            made = ("field", made, self.take().text[1:])
        return made


def _number(text: str) -> int | float:
    plain = text.replace("_", "")
    try:
        return int(plain, 0) if not re.match(r"[+-]?0\d", plain) else int(plain, 8)
    except ValueError:
        try:
            return float(plain)
        except ValueError:
            return 0


_WORDS = frozenset(
    ("if", "range", "with", "define", "block", "end", "else", "template", "break", "continue")
)


def parse(text: str) -> tuple[tuple[Node, ...], dict[str, tuple[Node, ...]]]:
    """(the nodes of a template, the templates it defines). Raises ``TemplateError``."""
    if len(text) > MAX_TEXT:
        raise TemplateError(f"is larger than {MAX_TEXT:,} characters")
    defines: dict[str, tuple[Node, ...]] = {}
    # Each frame: (word, line, pipe or name, nodes of the body, nodes of else or None).
    stack: list[list[Any]] = [["", 1, None, [], None]]

    def add(node: Node) -> None:
        frame = stack[-1]
        (frame[3] if frame[4] is None else frame[4]).append(node)

    for kind, content, line in _split(text):
        if kind == "text":
            add(Node("text", line, content))
            continue
        tokens = _tokens(content, line)
        if not tokens:
            raise TemplateError("missing value for command", line)
        word = tokens[0].text if tokens[0].kind == "name" else ""
        if word not in _WORDS:
            add(Node("action", line, pipe=_whole(tokens, line)))
            continue
        rest = tokens[1:]
        if word in ("if", "range", "with"):
            stack.append([word, line, _whole(rest, line), [], None])
        elif word in ("define", "block"):
            if not rest or rest[0].kind != "string":
                raise TemplateError(f"{word} needs a name", line)
            pipe = _whole(rest[1:], line) if word == "block" else None
            stack.append([word, line, (_unquote(rest[0].text), pipe), [], None])
        elif word == "template":
            if not rest or rest[0].kind != "string":
                raise TemplateError("template needs a name", line)
            pipe = _whole(rest[1:], line) if len(rest) > 1 else None
            add(Node("template", line, _unquote(rest[0].text), pipe))
        elif word in ("break", "continue"):
            add(Node(word, line))
        elif word == "else":
            frame = stack[-1]
            if frame[0] not in ("if", "range", "with") or frame[4] is not None:
                raise TemplateError("unexpected else", line)
            frame[4] = []
            if rest:
                # `else if`: a new frame that ends with the same `end`.
                inner = rest[0].text
                if inner not in ("if", "with"):
                    raise TemplateError("unexpected else", line)
                stack.append([f"+{inner}", line, _whole(rest[1:], line), [], None])
                stack[-1][0] = inner
                stack[-1].append("chained")
        else:
            while True:
                if len(stack) == 1:
                    raise TemplateError("unexpected end", line)
                frame = stack.pop()
                opened, at, pipe, body, other = frame[:5]
                if opened == "define":
                    defines[pipe[0]] = tuple(body)
                elif opened == "block":
                    defines.setdefault(pipe[0], tuple(body))
                    add(Node("template", at, pipe[0], pipe[1]))
                else:
                    add(Node(opened, at, "", pipe, tuple(body), tuple(other or ())))
                if len(frame) < 6:
                    break
        if len(stack) > MAX_DEPTH:
            raise TemplateError("nested too deeply", line)
    if len(stack) > 1:
        raise TemplateError(f"{stack[-1][0]} has no end", stack[-1][1])
    return tuple(stack[0][3]), defines


def _whole(tokens: list[Token], line: int) -> Any:
    reader = _Reader(tokens, line)
    made = reader.pipeline()
    if reader.peek() is not None:
        raise TemplateError(f"unexpected {reader.tokens[reader.index].text!r}", line)
    return made


def _split(text: str) -> list[tuple[str, str, int]]:
    """(kind, content, line): pieces of text, one for each line, and actions."""
    found: list[tuple[str, str, int]] = []
    position = 0
    line = 1
    trim = False
    while True:
        start = text.find("{{", position)
        piece = text[position : start if start >= 0 else len(text)]
        after = ""
        if start >= 0:
            left = text.startswith("{{-", start) and text[start + 3 : start + 4].isspace()
            kept = piece.rstrip(" \t\r\n") if left else piece
            after = piece[len(kept) :]
        else:
            kept = piece
        if trim:
            stripped = kept.lstrip(" \t\r\n")
            line += kept.count("\n", 0, len(kept) - len(stripped))
            kept = stripped
        for part in kept.splitlines(keepends=True) if "\n" in kept else ([kept] if kept else []):
            found.append(("text", part, line))
            line += part.count("\n")
        if start < 0:
            return found
        line += after.count("\n")
        body = start + 3 if left else start + 2
        if text[body:].lstrip()[:2] == "/*" and text[body : body + 40].lstrip().startswith("/*"):
            close = text.find("*/", body)
            if close < 0:
                raise TemplateError("unclosed comment", line)
            end = text.find("}}", close)
            if end < 0:
                raise TemplateError("unclosed action", line)
            trim = text[end - 1] == "-" and text[end - 2].isspace()
        else:
            end = _action_end(text, body, line)
            content = text[body:end]
            trim = content.endswith("-") and content[-2:-1].isspace()
            found.append(("action", content[:-1] if trim else content, line))
        line += text.count("\n", start, end + 2)
        position = end + 2


def _action_end(text: str, position: int, line: int) -> int:
    quote = ""
    while position < len(text):
        char = text[position]
        if quote:
            if char == "\\" and quote != "`":
                position += 1
            elif char == quote:
                quote = ""
            elif char == "\n" and quote != "`":
                break
        elif char in "\"'`":
            quote = char
        elif char == "}" and text.startswith("}}", position):
            return position
        position += 1
    raise TemplateError("unclosed action", line)


def truth(item: Any) -> bool:
    """Go's idea of a value that is not empty."""
    if isinstance(item, Unknown):
        raise UndecidedError(item.reason)
    return bool(item) if not callable(item) else True


def show(item: Any) -> str:
    """The text of a value as ``{{ . }}`` prints it."""
    if item is None:
        return ""
    if isinstance(item, Unknown):
        return HOLE
    if isinstance(item, str):
        return item
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, float):
        return number(item)
    if isinstance(item, Mapping | list | tuple):
        weigh(item)
    if isinstance(item, Mapping):
        inner = " ".join(f"{key}:{_inner(item[key])}" for key in sorted(item, key=str))
        return f"map[{inner}]"
    if isinstance(item, list | tuple):
        return f"[{' '.join(_inner(part) for part in item)}]"
    return str(item)


def _inner(item: Any) -> str:
    return "<nil>" if item is None else show(item)


def number(item: float) -> str:
    """A float as Go's ``%v``."""
    if math.isinf(item) or math.isnan(item):
        return "NaN" if math.isnan(item) else ("+Inf" if item > 0 else "-Inf")
    if item == 0:
        return "0"
    from decimal import Decimal

    exponent = Decimal(repr(item)).adjusted()
    if -4 <= exponent < 6:
        return str(int(item)) if item.is_integer() else repr(item)
    digits = _digits(item)
    base = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{'-' if item < 0 else ''}{base}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _digits(item: float) -> str:
    """The shortest digits that mean this number, without point, sign or outer zeros."""
    text = repr(abs(item)).partition("e")[0].replace(".", "").strip("0")
    return text or "0"


class Renderer:
    """Evaluates templates; ``defines`` are the named ones that ``include`` and ``template`` see."""

    def __init__(
        self, functions: Mapping[str, Function], defines: dict[str, tuple[Node, ...]]
    ) -> None:
        self.functions = functions
        self.defines = defines
        self.steps = 0
        self.size = 0
        self.depth = 0
        self.work = 0

    def render(self, nodes: Sequence[Node], dot: Any) -> list[tuple[str, int]]:
        """The output as (text, line of the template that wrote it)."""
        out: list[tuple[str, int]] = []
        self._walk(nodes, dot, [{"$": dot}], out)
        return out

    def text(self, name: str, dot: Any) -> str:
        """The output of a named template."""
        nodes = self.defines.get(name)
        if nodes is None:
            raise TemplateError(f'no template "{name}"')
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TemplateError(f"template {name!r} includes itself")
        try:
            return "".join(text for text, _ in self.render(nodes, dot))
        except TemplateError as error:
            # Its line is that of another file: the caller's counts.
            if error.line:
                error.message += f" (in the template {name!r})"
                error.line = 0
            raise
        finally:
            self.depth -= 1

    def string(self, text: str, dot: Any) -> str:
        """The output of a template that is a value (``tpl``)."""
        if "{{" not in text:
            return text
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TemplateError("tpl is nested too deeply")
        try:
            nodes, defines = parse(text)
            self.defines.update(defines)
            return "".join(piece for piece, _ in self.render(nodes, dot))
        finally:
            self.depth -= 1

    def _step(self, line: int) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TemplateError("takes too many steps", line)

    def _write(self, text: str, line: int, out: list[tuple[str, int]]) -> None:
        if not text:
            return
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise TemplateError("writes too much", line)
        out.append((text, line))

    def _walk(
        self,
        nodes: Sequence[Node],
        dot: Any,
        scopes: list[dict[str, Any]],
        out: list[tuple[str, int]],
    ) -> None:
        for node in nodes:
            self._step(node.line)
            try:
                self._one(node, dot, scopes, out)
            except TemplateError as error:
                if not error.line:
                    error.line = node.line
                raise

    def _one(
        self, node: Node, dot: Any, scopes: list[dict[str, Any]], out: list[tuple[str, int]]
    ) -> None:
        kind = node.kind
        if kind == "text":
            self._write(node.text, node.line, out)
        elif kind == "action":
            result = self._pipe(node.pipe, dot, scopes)
            if not node.pipe[1]:
                self._write(show(result), node.line, out)
        elif kind in ("if", "with"):
            inner: list[dict[str, Any]] = [*scopes, {}]
            result = self._pipe(node.pipe, dot, inner)
            if truth(result):
                self._walk(node.body, result if kind == "with" else dot, inner, out)
            else:
                self._walk(node.otherwise, dot, inner, out)
        elif kind == "range":
            self._range(node, dot, scopes, out)
        elif kind == "template":
            given = self._pipe(node.pipe, dot, scopes) if node.pipe is not None else None
            self._write(self.text(node.text, given), node.line, out)
        elif kind == "break":
            raise _BreakError
        elif kind == "continue":
            raise _ContinueError

    def _call(self, function: Function, name: str, arguments: tuple[Any, ...]) -> Any:
        """The function's result; what goes in and comes out is bounded."""
        size = sum(len(a) for a in arguments if isinstance(a, str))
        self.work += size + 1
        if size > 4 * _MAX_VALUE or self.work > MAX_WORK:
            raise TemplateError(f"{name} has too much to do")
        if name.removeprefix("must").lower() in _THOROUGH_LOWER:
            for argument in arguments:
                if isinstance(argument, Mapping | list):
                    weigh(argument)
        try:
            result = function(*arguments)
        except TemplateError:
            raise
        except (
            TypeError,
            ValueError,
            KeyError,
            IndexError,
            AttributeError,
            ArithmeticError,
        ) as error:
            raise TemplateError(f"error calling {name}: {error}") from error
        if isinstance(result, str) and len(result) > _MAX_VALUE:
            raise TemplateError(f"{name} makes a text that is too long")
        if isinstance(result, list | dict) and len(result) > _MAX_ITEMS:
            raise TemplateError(f"{name} makes a value that is too large")
        return result

    def _range(
        self, node: Node, dot: Any, scopes: list[dict[str, Any]], out: list[tuple[str, int]]
    ) -> None:
        inner: list[dict[str, Any]] = [*scopes, {}]
        names = node.pipe[1]
        items = self._pipe(("pipe", (), False, node.pipe[3]), dot, inner)
        pairs: list[tuple[Any, Any]]
        if isinstance(items, Unknown):
            raise UndecidedError(items.reason)
        if isinstance(items, Mapping):
            pairs = [(key, items[key]) for key in sorted(items, key=str)]
        elif isinstance(items, int | float) and not isinstance(items, bool):
            pairs = [(i, i) for i in range(min(int(items), 10_000))]
        elif items is None:
            pairs = []
        elif isinstance(items, list | tuple):
            pairs = list(enumerate(items))
        else:
            raise TemplateError("range can't iterate over this value", node.line)
        if not pairs:
            self._walk(node.otherwise, dot, inner, out)
            return
        for key, item in pairs:
            scope: dict[str, Any] = {}
            if len(names) == 1:
                scope[names[0]] = item
            elif len(names) == 2:
                scope[names[0]], scope[names[1]] = key, item
            try:
                self._walk(node.body, item, [*inner, scope], out)
            except _ContinueError:
                continue
            except _BreakError:
                break

    def _pipe(self, pipe: Any, dot: Any, scopes: list[dict[str, Any]]) -> Any:
        _, names, declares, commands = pipe
        result: Any = None
        for index, command in enumerate(commands):
            self._step(0)
            result = self._command(command, dot, scopes, (result,) if index else ())
        for name in names:
            if declares:
                scopes[-1][name] = result
                continue
            for scope in reversed(scopes):
                if name in scope:
                    scope[name] = result
                    break
            else:
                raise TemplateError(f"undefined variable {name}")
        return result

    def _command(
        self,
        operands: tuple[Any, ...],
        dot: Any,
        scopes: list[dict[str, Any]],
        final: tuple[Any, ...],
    ) -> Any:
        head = operands[0]
        if head[0] == "function":
            name = head[1]
            if name in ("and", "or"):
                return self._either(name, operands[1:], dot, scopes, final)
            function = self.functions.get(name)
            if function is None:
                raise UndecidedError(f"function {name} is not evaluated")
            arguments = [self._operand(o, dot, scopes) for o in operands[1:]]
            return self._call(function, name, (*arguments, *final))
        result = self._operand(head, dot, scopes, called=len(operands) > 1 or bool(final))
        arguments = [self._operand(o, dot, scopes) for o in operands[1:]]
        if callable(result):
            return self._call(result, "method", (*arguments, *final))
        if arguments or final:
            if isinstance(result, Unknown):
                return result
            raise TemplateError("can't give argument to non-function")
        return result

    def _either(
        self,
        name: str,
        operands: tuple[Any, ...],
        dot: Any,
        scopes: list[dict[str, Any]],
        final: tuple[Any, ...],
    ) -> Any:
        result: Any = None
        unknown: Unknown | None = None
        values = [*operands, *(("value", f) for f in final)]
        for operand in values:
            result = self._operand(operand, dot, scopes)
            if isinstance(result, Unknown):
                unknown = result
                continue
            if truth(result) is (name == "or"):
                return result
        return unknown if unknown is not None else result

    def _operand(
        self, operand: Any, dot: Any, scopes: list[dict[str, Any]], *, called: bool = False
    ) -> Any:
        kind = operand[0]
        if kind == "value":
            return operand[1]
        if kind == "dot":
            return dot
        if kind == "pipe":
            return self._pipe(operand, dot, scopes)
        if kind == "variable":
            for scope in reversed(scopes):
                if operand[1] in scope:
                    return scope[operand[1]]
            raise TemplateError(f"undefined variable {operand[1]}")
        if kind == "function":
            function = self.functions.get(operand[1])
            if function is None:
                raise UndecidedError(f"function {operand[1]} is not evaluated")
            return self._call(function, operand[1], ())
        names: list[str] = []
        while operand[0] not in _ROOTS:
            names.append(operand[2])
            operand = operand[1]
        result = self._operand(operand, dot, scopes)
        if result is None and operand[0] == "pipe":
            return None  # what parentheses give is an untyped nil: its fields are nil as well
        for left, name in zip(range(len(names) - 1, -1, -1), reversed(names), strict=True):
            result = field(result, name)
            if callable(result) and (left or not called):
                result = self._call(result, name, ())
        return result


_ROOTS = frozenset({"value", "dot", "pipe", "variable", "function"})


# Functions that go through all of a value.
_THOROUGH = frozenset(
    [
        "toYaml",
        "toYamlPretty",
        "toJson",
        "toPrettyJson",
        "toRawJson",
        "deepCopy",
        "merge",
        "mergeOverwrite",
        "deepEqual",
        "eq",
        "ne",
        "has",
        "without",
        "uniq",
    ]
)
_THOROUGH_LOWER = frozenset(name.lower() for name in _THOROUGH)


def field(owner: Any, name: str) -> Any:
    """``owner.name``: a key of a map, or one of our objects' attributes."""
    if isinstance(owner, Unknown):
        return owner
    if isinstance(owner, Mapping):
        return owner.get(name)
    if owner is None:
        raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
    raise TemplateError(f"can't evaluate field {name} in type {type(owner).__name__}")


def weigh(item: Any) -> None:
    """Refuse a value whose expansion is too large: parts of it may be shared, or contain it."""
    known: dict[int, int] = {}

    def weight(part: Any, depth: int) -> int:
        if isinstance(part, str):
            return 1 + len(part) // 16
        if not isinstance(part, Mapping | list | tuple):
            return 1
        if id(part) in known:
            return known[id(part)]
        if depth > MAX_DEPTH:
            raise TemplateError("a value is nested too deeply")
        known[id(part)] = MAX_WEIGHT  # met again below itself, it has no end
        inner = part.values() if isinstance(part, Mapping) else part
        total = 1 + sum(weight(child, depth + 1) for child in inner)
        if total > MAX_WEIGHT:
            raise TemplateError("a value is too large")
        known[id(part)] = total
        return total

    weight(item, 0)
