"""What a command takes, declared once: read by the plain parser and, through typer, by help.

``Option`` and ``Argument`` stand in ``Annotated`` as typer's own do, and cost nothing to import.
A line of known options with their values, which is what hooks and CI write, is read here;
everything else (help, mistakes, unusual spellings) goes to typer, which takes four times as long
to start as the rest of the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from auditor.values import value

REPORTS: Final = "auditor.reports"


class Option:
    """An option; without names it is called like its parameter."""

    def __init__(
        self,
        *names: str,
        metavar: str | None = None,
        help: str = "",
        show_default: bool = True,
        count: bool = False,
        min: float | None = None,
        max: float | None = None,
    ) -> None:
        self.names = names
        self.metavar = metavar
        self.help = help
        self.show_default = show_default
        self.count = count
        self.min = min
        self.max = max


class Argument:
    """What is given by its place; a command has one."""

    def __init__(self, *, metavar: str, help: str, show_default: bool = True) -> None:
        self.metavar = metavar
        self.help = help
        self.show_default = show_default


class Context:
    """What the parser leaves beside the parameters: ``meta``, as in typer's own."""

    def __init__(self) -> None:
        self.meta: dict[str, Any] = {}


@value
class Parameter:
    """One parameter of a command, ``declared`` None for the context."""

    name: str
    type: Any
    declared: Option | Argument | None
    default: Any
    required: bool

    @property
    def names(self) -> tuple[str, ...]:
        """How it is spelled on the line."""
        if not isinstance(self.declared, Option):
            return ()
        return self.declared.names or (f"--{self.name.replace('_', '-')}",)


def parameters_of(command: Callable[..., int]) -> list[Parameter] | None:
    """What a command takes; None when it declares something that only typer understands."""
    code = command.__code__
    names = code.co_varnames[: code.co_argcount]
    defaults = command.__defaults__ or ()
    first_default = len(names) - len(defaults)
    scope = sys.modules[command.__module__].__dict__
    found: list[Parameter] = []
    for index, name in enumerate(names):
        annotation: Any = command.__annotations__[name]
        if isinstance(annotation, str):
            annotation = eval(annotation, scope)
        declared = None
        if annotation is not Context:
            extras: Any = getattr(annotation, "__metadata__", ())
            if len(extras) != 1 or not isinstance(extras[0], Option | Argument):
                return None
            declared, annotation = extras[0], annotation.__origin__
        required = index < first_default
        found.append(
            Parameter(
                name=name,
                type=annotation,
                declared=declared,
                default=None if required else defaults[index - first_default],
                required=required,
            )
        )
    return found


def read(command: Callable[..., int], arguments: Sequence[str]) -> dict[str, Any] | None:
    """The command's parameters from a plain line; None when typer must look at it."""
    parameters = parameters_of(command)
    if parameters is None:
        return None
    options = {name: p for p in parameters for name in p.names}
    given: dict[str, Any] = {}
    words: list[str] = []
    reports: list[tuple[str, str]] = []
    waiting = list(reversed(arguments))
    while waiting:
        word = waiting.pop()
        if word == "-" or not word.startswith("-"):
            words.append(word)
            continue
        name, equals, text = word.partition("=")
        parameter = options.get(name)
        if parameter is None or (equals and not name.startswith("--")):
            return None
        declared = parameter.declared
        assert isinstance(declared, Option)
        if declared.count:
            if equals:
                return None
            given[parameter.name] = given.get(parameter.name, 0) + 1
            continue
        if parameter.type in (bool, bool | None):
            if equals or not declared.names:
                return None
            given[parameter.name] = True
            continue
        if not equals:
            text = waiting.pop() if waiting else ""
            if text.startswith("-") and text != "-":
                return None
        if not text:
            return None
        if parameter.type in (list[str], list[str] | None):
            given.setdefault(parameter.name, []).append(text)
        elif parameter.type in (int, int | None):
            if not (text.isascii() and text.isdigit() and len(text) < 10):
                return None
            number = int(text)
            if number < (declared.min or 0) or number > (declared.max or number):
                return None
            given[parameter.name] = number
        elif parameter.type in (str, str | None):
            given[parameter.name] = text
        elif parameter.type in (Path, Path | None):
            given[parameter.name] = Path(text)
        else:
            return None
        if parameter.name in ("format", "output"):
            reports.append((parameter.name, text))
    for parameter in parameters:
        if parameter.declared is None:
            context = Context()
            if "output" in (p.name for p in parameters):
                context.meta[REPORTS] = reports
            given[parameter.name] = context
        elif isinstance(parameter.declared, Argument) and words:
            if any(not word for word in words):
                return None
            if parameter.type in (list[str], list[str] | None):
                given[parameter.name] = words
            elif parameter.type is Path and len(words) == 1:
                given[parameter.name] = Path(words[0])
            else:
                return None
            words = []
        elif parameter.name not in given:
            if parameter.required:
                return None
            given[parameter.name] = parameter.default
    return None if words else given
