"""Modules and scopes while a program runs, and how control leaves a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.parsers.python.facts import ModuleFacts
from auditor.parsers.python.module import Places
from auditor.parsers.python.values import V

if TYPE_CHECKING:
    from auditor.parsers.python.program import Module

FALL, RETURN, RAISE, BREAK = 1, 2, 4, 8

MAX_REPEATS = 6
MAX_UNROLL = 12


class OutOfBudgetError(Exception):
    """The run used up its steps."""


class ServingError(Exception):
    """A lifespan reached its ``yield``: what follows runs when the application stops."""

    def __init__(self, state: V) -> None:
        super().__init__()
        self.state = state


class State:
    """A project module while the program runs."""

    __slots__ = (
        "entered", "facts", "file", "frame", "is_package", "main_names", "name", "open_names",
        "places",
    )  # fmt: skip

    def __init__(self, module: Module, name: str) -> None:
        self.name = name
        self.file = module.file
        self.facts = module.facts
        self.is_package = module.is_package
        self.open_names = False  # a star import of something external
        self.entered = False  # its body is running
        # What only the block under `__name__ == "__main__"` binds; None until it is asked for.
        self.main_names: frozenset[str] | None = None
        path = module.facts.path if module.facts is not None else ""
        self.places = _places(module.facts) if module.facts is not None else Places(path, "")
        self.frame = Frame(self, None, "")

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]


def _places(facts: ModuleFacts) -> Places:
    return facts.places if isinstance(facts.places, Places) else Places(facts.path, "")


class Frame:
    """The names of one scope while it runs."""

    __slots__ = ("closure", "function", "globals", "is_class", "nonlocals", "state", "vars")

    def __init__(self, state: State, closure: Frame | None, function: str) -> None:
        self.state = state
        self.closure = closure
        self.function = function
        self.vars: dict[str, V] = {}
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.is_class = False
