"""Libraries that Python code loads by name: ``ctypes.util.find_library``, ``CDLL``, ``dlopen``.

Read from the source of a wheel's modules, which is parsed and never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from auditor import lazy_re as re

_LOADERS = frozenset(
    {"find_library", "CDLL", "PyDLL", "LoadLibrary", "load_library", "dlopen", "findLibrary"}
)
_SONAME = re.compile(r"^(?:lib)?([A-Za-z][\w+.-]*?)(?:\.so((?:\.\d+)*))?$")
# Part of the C library, or of every interpreter.
_EVERYWHERE = frozenset(
    {"c", "m", "dl", "rt", "util", "pthread", "resolv", "crypt", "nsl", "gcc_s", "stdc++", "z", "python3",
     "ssl", "crypto", "msvcrt", "kernel32", "user32"}
)  # fmt: skip
_FOREIGN = (".dll", ".dylib", ".exe", ".pyd")
LARGEST_MODULE = 400_000


def names(source: str) -> frozenset[str]:
    """What a module's loader calls name: ``libmagic.so.1``, or ``magic`` without a version."""
    if len(source) > LARGEST_MODULE or not any(word in source for word in _LOADERS):
        return frozenset()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    found: set[str] = set()
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or _called(call.func).lstrip("_") not in _LOADERS:
            continue
        for argument in call.args:
            for text in _texts(argument, tree):
                match = _SONAME.match(text)
                if match and not text.endswith(_FOREIGN) and match[1] not in _EVERYWHERE:
                    found.add(f"lib{match[1]}.so{match[2] or ''}" if match[2] else match[1])
    return frozenset(found)


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _texts(node: ast.expr, tree: ast.Module) -> Iterator[str]:
    """The texts an argument may be: itself, the items of a list, or what a loop goes through."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, ast.Tuple | ast.List):
        for item in node.elts:
            yield from _texts(item, tree)
    elif isinstance(node, ast.BoolOp):
        for item in node.values:
            yield from _texts(item, tree)
    elif isinstance(node, ast.Name):
        for loop in ast.walk(tree):
            if (
                isinstance(loop, ast.For)
                and isinstance(loop.target, ast.Name)
                and loop.target.id == node.id
                and isinstance(loop.iter, ast.Tuple | ast.List)
            ):
                for item in loop.iter.elts:
                    if isinstance(item, ast.Constant) and isinstance(item.value, str):
                        yield item.value
