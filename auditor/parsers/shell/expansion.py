"""The parts of a word and what they expand to (POSIX.1-2017, XCU chapter 2.6)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from auditor import lazy_re as re
from auditor.source import Unknown
from auditor.values import value

Value: TypeAlias = str | Unknown
# A name that is missing, or None, is not set. Unknown means: set or not, nobody can tell.
Env: TypeAlias = Mapping[str, str | Unknown | None]


@value
class Text:
    """Literal characters of a word. ``quoted`` ones neither split nor glob."""

    text: str
    quoted: bool = False


@value
class Parameter:
    """``$name`` or ``${name…}``.

    ``operator`` is one of ``- := :- = + :+ ? :?`` with ``operand`` its word, ``#`` for the length,
    or any other text (``%.x``, ``//a/b``, …) for what is not evaluated.
    """

    name: str
    operator: str = ""
    operand: tuple[Part, ...] = ()
    quoted: bool = False


@value
class Computed:
    """Command substitution, arithmetic and the like: never evaluated."""

    raw: str
    kind: Literal["command", "arithmetic", "process", "array", "other"]
    quoted: bool = False
    # The elements of an array, as written.
    items: tuple[tuple[Part, ...], ...] = ()


Part: TypeAlias = Text | Parameter | Computed
FIELDS = 2_000  # words that one word may expand to
_LENGTH = 200_000  # characters that one word may expand to


def as_value(pieces: Sequence[Value]) -> Value:
    """The pieces of a word as one value, unknown where one of them is."""
    unknown = next((piece for piece in pieces if isinstance(piece, Unknown)), None)
    return unknown if unknown is not None else "".join(p for p in pieces if isinstance(p, str))


def fields_of(
    parts: Sequence[Part], env: Env, args: Sequence[Value] | None, depth: int = 0
) -> list[list[Value]]:
    """Each resulting word as its known and unknown pieces (field splitting with default IFS)."""
    done: list[list[Value]] = []
    current: list[Value] | None = None
    size = 0
    none = False  # an array without elements is no word at all
    for part in parts:
        if isinstance(part, Text):
            values: list[Value] = [part.text]
            separate, split = False, False
        elif isinstance(part, Computed):
            values = [_computed(part, env)]
            separate, split = False, False
        else:
            values, separate = values_of(part, env, args, depth)
            split = not part.quoted
            none = none or (part.operator == "[@]" and separate and not values)
        for index, value in enumerate(values):
            if separate and index:
                if current is not None:
                    done.append(current)
                current = None
            size += len(value) if isinstance(value, str) else 0
            if size > _LENGTH or len(done) > FIELDS:
                return [[Unknown("expands to too much text")]]
            if not split or isinstance(value, Unknown):
                current = [*(current or ()), value]
                continue
            words = value.split()
            if value[:1].isspace() and current is not None:
                done.append(current)
                current = None
            for number, text in enumerate(words):
                if number and current is not None:
                    done.append(current)
                    current = None
                current = [*(current or ()), text]
            if words and value[-1:].isspace() and current is not None:
                done.append(current)
                current = None
    if current is not None and not (none and all(piece == "" for piece in current)):
        done.append(current)
    return done


_SELF = r'"?\$(?:0|\{0\}|BASH_SOURCE|\{BASH_SOURCE(?:\[0\])?\})"?'
_REAL = rf'(?:{_SELF}|"?\$\(\s*(?:readlink\s+-f|realpath)\s+{_SELF}\s*\)"?)'
_FOLDER = rf"(?:\$\(\s*dirname\s+(?:--\s+)?{_REAL}\s*\)|`\s*dirname\s+{_SELF}\s*`)"
_QUIET = r"(?:&?>\s*/dev/null\s*)?(?:2>&1\s*)?"
_PWD = r"pwd(?:\s+-[LP])?"
# `$(dirname "$0")`, and `$(cd "$(dirname "$0")/.." && pwd)`.
_OWN_FOLDER = re.compile(
    rf'{_FOLDER}|\$\(\s*cd\s+(?:-P\s+)?(?:--\s+)?"?{_FOLDER}(?P<below>[\w./-]*)"?\s*{_QUIET}(?:&&|;)\s*{_PWD}\s*\)'
)


def _computed(part: Computed, env: Env) -> Value:
    """The directory of the script that runs; everything else is Unknown."""
    called = env.get("0")
    found = _OWN_FOLDER.fullmatch(part.raw) if isinstance(called, str) else None
    if found is None or not isinstance(called, str) or not called.startswith("/"):
        return Unknown(f"{shorten(part.raw)} is computed when the shell runs")
    return posixpath.normpath(posixpath.dirname(called) + (found["below"] or ""))


def values_of(
    part: Parameter, env: Env, args: Sequence[Value] | None, depth: int
) -> tuple[list[Value], bool]:
    """The values of a parameter, and whether each is a word of its own (``$@``)."""
    name, operator = part.name, part.operator
    if name in {"@", "*"}:
        if operator in {":-", "-"} and args is not None and not args:
            return _operand(part, env, args, depth), False
        if operator not in {"", ":-", "-"}:
            return [Unknown(f"${{{name}{operator}}} is not evaluated")], False
        if args is None:
            return [Unknown(f"${name}: the arguments are not known")], False
        if name == "*" and part.quoted:
            joined: list[Value] = []
            for index, arg in enumerate(args):
                joined += ([" "] if index else []) + [arg]
            return [as_value(joined)], False
        return list(args), True
    if operator in {"[@]", "[*]"}:
        return _elements(part, env)
    value = _lookup(name, env, args)
    if operator == "":
        if value is None:
            return [Unknown(f"${name} is not set here")], False
        return [value], False
    if isinstance(value, Unknown):
        return [value], False
    if operator in {":-", ":="}:
        return ([value] if value else _operand(part, env, args, depth)), False
    if operator in {"-", "="}:
        return ([value] if value is not None else _operand(part, env, args, depth)), False
    if operator in {":+", "+"}:
        held = bool(value) if operator == ":+" else value is not None
        return (_operand(part, env, args, depth) if held else [""]), False
    if operator in {":?", "?"}:
        if value or (operator == "?" and value is not None):
            return [value], False
        return [Unknown(f"${name} is not set here and must be")], False
    if operator == "#" and value is not None:
        return [str(len(value))], False
    if value is not None and (cut := _cut(value, operator)) is not None:
        return [cut], False
    return [Unknown(f"${{{name}{shorten(operator)}}} is not evaluated")], False


def all_of(name: str) -> str:
    """The name under which an environment holds every element of an array, NUL between them."""
    return f"{name}[@]"


def _elements(part: Parameter, env: Env) -> tuple[list[Value], bool]:
    """``${NAME[@]}``, a word for each element, and ``${NAME[*]}``."""
    held = env.get(all_of(part.name))
    if not isinstance(held, str):
        return [held or Unknown(f"${{{part.name}{part.operator}}} is not evaluated")], False
    elements: list[Value] = [*held.split("\0")] if held else []
    if part.operator == "[*]" and part.quoted:
        return [held.replace("\0", " ")], False
    return elements, True


def _cut(text: str, operator: str) -> str | None:
    """``${X#begin}``, ``${X%end}`` and ``${X:0:1}`` with plain operands; None for anything else."""
    numbers = operator[1:].split(":") if operator.startswith(":") else []
    if numbers and len(numbers) <= 2 and all(n.isdecimal() and len(n) < 6 for n in numbers):
        start = int(numbers[0])
        return text[start : start + int(numbers[1])] if len(numbers) == 2 else text[start:]
    mark = operator[:1]
    operand = operator.lstrip(mark) if mark in {"#", "%"} else ""
    if not operand or any(c in "*?[$`'\"\\" for c in operand):
        return None
    return text.removeprefix(operand) if mark == "#" else text.removesuffix(operand)


def _operand(part: Parameter, env: Env, args: Sequence[Value] | None, depth: int) -> list[Value]:
    if depth > 8:
        return [Unknown("defaults nested too deeply")]
    joined: list[Value] = []
    for index, pieces in enumerate(fields_of(part.operand, env, args, depth + 1)):
        joined += ([" "] if index else []) + [as_value(pieces)]
    return [as_value(joined)]


def _lookup(name: str, env: Env, args: Sequence[Value] | None) -> Value | None:
    if name.isascii() and name.isdigit():
        if name == "0":
            return Unknown("$0 depends on how the script is called")
        if args is None:
            return Unknown(f"${name}: the arguments are not known")
        number = int(name[:6])
        return args[number - 1] if number <= len(args) else ""
    if name == "#":
        return Unknown("$#: the arguments are not known") if args is None else str(len(args))
    if name in {"?", "$", "!", "-"}:
        return Unknown(f"${name} is set when the shell runs")
    return env.get(name)


def shorten(text: str) -> str:
    """A text for a message: one line of at most 40 characters."""
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "..."
