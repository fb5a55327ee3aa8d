"""What importing a library's package certainly imports beside it: read from its sources.

Followed from the package itself: modules of its own that are imported whatever happens, and in
these what stands outside of functions and of branches. What a ``try`` catches is not counted.
"""

from __future__ import annotations

import ast
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from auditor.online.reader import Module, module_of

_CAUGHT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def demanded(archive: Path, top: str) -> set[str]:
    """Top-level modules of others that ``import top`` needs, but for the standard library's."""
    trees = dict(_trees(archive))
    found: set[str] = set()
    pending, seen = [top], {top}
    while pending:
        name = pending.pop()
        if name not in trees:
            continue
        module, tree = trees[name]
        for level, wanted, names in _imports(tree.body):
            target = module.absolute(level, wanted)
            if target.partition(".")[0] != top:
                found.add(target.partition(".")[0])
                continue
            parents = [p for p in (target.rpartition(".")[0],) if p]
            for candidate in (target, *(f"{target}.{n}" for n in names), *parents):
                if candidate in trees and candidate not in seen:
                    seen.add(candidate)
                    pending.append(candidate)
    return {name for name in found if name and name not in sys.stdlib_module_names}


def _trees(archive: Path) -> Iterator[tuple[str, tuple[Module, ast.Module]]]:
    with zipfile.ZipFile(archive) as kept:
        for member in kept.namelist():
            name = module_of(member)
            if name is None or not member.endswith(".py"):
                continue
            try:
                tree = ast.parse(kept.read(member))
            except (SyntaxError, ValueError):
                continue
            yield name, (Module(name, tree, member.endswith("__init__.py")), tree)


def _imports(body: list[ast.stmt]) -> Iterator[tuple[int, str, list[str]]]:
    """(dots, module, names) of imports that run whenever the module does."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]
        elif (isinstance(node, ast.Try) and not any(map(_catches, node.handlers))) or isinstance(
            node, ast.With
        ):
            yield from _imports(node.body)


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a failing import is caught, as far as names tell."""
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(t, ast.Name) and t.id in _CAUGHT for t in types)
