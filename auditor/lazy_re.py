"""``re`` whose ``compile`` waits until a pattern is first used.

A pattern takes half a millisecond to compile, the tool has more than a hundred of them at module
level, and an audit of a small repository uses a few. Modules write ``from auditor import lazy_re
as re``; what ``compile`` returns then behaves like a pattern, and is as fast after its first use.
"""

from __future__ import annotations

import re
from re import (
    ASCII,
    DOTALL,
    IGNORECASE,
    MULTILINE,
    VERBOSE,
    I,
    Match,
    Pattern,
    error,
    escape,
    findall,
    finditer,
    fullmatch,
    match,
    search,
    split,
    sub,
)
from typing import TYPE_CHECKING, Any, AnyStr

if TYPE_CHECKING:
    from re import compile as compile
else:

    def compile(pattern: AnyStr, flags: int = 0) -> Waiting:
        """A pattern that is compiled when it is first asked something."""
        return Waiting(pattern, flags)


_METHODS = ("search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn")


class Waiting:
    """Stands for a pattern. Its methods, once one was used, are the compiled pattern's own."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self.pattern = pattern
        self.wanted = int(flags)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self.wanted)
        for method in _METHODS:
            self.__dict__[method] = getattr(compiled, method)
        return getattr(compiled, name)


__all__ = [
    "ASCII",
    "DOTALL",
    "IGNORECASE",
    "MULTILINE",
    "VERBOSE",
    "I",
    "Match",
    "Pattern",
    "compile",
    "error",
    "escape",
    "findall",
    "finditer",
    "fullmatch",
    "match",
    "search",
    "split",
    "sub",
]
