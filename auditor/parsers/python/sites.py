"""One call of something external."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from auditor.values import record

if TYPE_CHECKING:
    from auditor.parsers.python.values import V

# Guards under which a file that is touched counts.
FILE_GUARDS = frozenset({"import-error", "key-error", "other-error"})


@record
class Site:
    """One call of something external."""

    name: str
    owner: V | None
    args: list[V]
    kwargs: dict[str, V]
    node: ast.AST
    loose: bool = False

    def get(self, position: int, *names: str) -> V | None:
        """The argument at a position or by one of its names."""
        for name in names:
            if name in self.kwargs:
                return self.kwargs[name]
        return self.args[position] if position < len(self.args) else None
