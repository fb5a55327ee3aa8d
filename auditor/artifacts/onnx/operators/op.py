"""One node being interpreted, and arithmetic on its numbers and symbols."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from auditor.artifacts.onnx.proto import Node
from auditor.artifacts.onnx.values import NONE, Deps, Dim, Elem, Shape, Sym, Value, join, union

if TYPE_CHECKING:
    from auditor.artifacts.onnx.infer import Interpreter

Inputs = Sequence[Value | None]
Handler = Callable[["Op"], "list[Value] | None"]

# Contents that differ from run to run though the inputs are the same.
RANDOM = frozenset(
    {
        "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial",
        "Bernoulli",
    }
)  # fmt: skip


class Op:
    """One node being interpreted."""

    __slots__ = ("domain", "inputs", "it", "node", "path", "version")

    def __init__(
        self, it: Interpreter, node: Node, domain: str, version: int, inputs: Inputs, path: str
    ) -> None:
        self.it = it
        self.node = node
        self.domain = domain
        self.version = version
        self.inputs = inputs
        self.path = path

    def value(self, index: int) -> Value | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def shape(self, index: int = 0) -> Shape | None:
        value = self.value(index)
        return value.shape if value is not None else None

    def number(self, name: str, default: int) -> int:
        found = self.node.attributes.get(name)
        return found.number if found is not None and found.number is not None else default

    def ints(self, name: str) -> tuple[int, ...] | None:
        found = self.node.attributes.get(name)
        return found.ints if found is not None else None

    def text(self, name: str, default: str) -> str:
        found = self.node.attributes.get(name)
        return found.text if found is not None and found.text else default

    @property
    def content(self) -> Deps:
        """What the contents of an ordinary output depend on."""
        contents, shapes = union(self.inputs)
        return join(contents, shapes)

    def numbers(self, index: int, name: str) -> tuple[Elem, ...] | None:
        """Whole numbers given as an input or, in older versions, as an attribute."""
        value = self.value(index)
        if value is not None:
            return value.elems
        return self.ints(name)

    def decided(self, *indexes: int) -> Deps:
        """What a shape depends on that the contents of these inputs decide."""
        found: Deps = NONE
        for index in indexes:
            value = self.value(index)
            if value is not None:
                found = join(found, self.it.shaped(value.content, self.node, self.path))
        return found

    def dim(self, item: Elem) -> Dim:
        return self.it.dim(item, self.node, self.path)

    def signed(self, item: Elem) -> Elem:
        """An element that is added to a size; it may be negative."""
        if isinstance(item, Sym):
            return self.free(self.it.shaped(item.deps, self.node, self.path), "by", item.ident)
        return item

    def free(self, deps: Deps, *key: object) -> Sym:
        return self.it.symbols.named(*key, self.path, deps=deps)

    def opaque(self, rank: int, deps: Deps) -> Shape:
        """A shape of known rank and unknown sizes."""
        return tuple(self.free(deps, "size", axis) for axis in range(rank))

    def out(self, shape: Shape | None, *, rank: Deps = NONE, **given: object) -> Value:
        return Value(shape, content=self.content, rank=rank, **given)  # type: ignore[arg-type]

    def mul(self, items: Sequence[Dim]) -> Dim:
        total: Elem = 1
        for item in items:
            total = calculate(self.it, "mul", total, item)
        return total if isinstance(total, int | Sym) else 1


def calculate(it: Interpreter, op: str, a: Elem, b: Elem) -> Elem:
    """``a op b`` on numbers or symbols; a fresh constant where it cannot be computed."""
    if isinstance(a, Sym) or isinstance(b, Sym):
        return it.symbols.apply(op, a, b)
    try:
        return _PYTHON[op](a, b)
    except (ArithmeticError, TypeError, ValueError, KeyError):
        return it.symbols.fresh(NONE, positive=False)


def _divide(a: float, b: float) -> float:
    if isinstance(a, int) and isinstance(b, int):
        # Integer division of the runtime truncates.
        return math.trunc(a / b) if abs(a) < 1 << 50 else a // b
    return a / b


_PYTHON: dict[str, Callable[..., Elem]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divide,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b if abs(b) < 64 and abs(a) < 1 << 20 else a,
    "min": min,
    "max": max,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "gt": lambda a, b: a > b,
    "le": lambda a, b: a <= b,
    "ge": lambda a, b: a >= b,
    "and": lambda a, b: bool(a) and bool(b),
    "or": lambda a, b: bool(a) or bool(b),
    "xor": lambda a, b: bool(a) != bool(b),
}
