"""Names that code puts into ``__main__``, for pickles that a training script wrote."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.parsers.python.facts import ModuleFacts


def given(sources: Mapping[str, ModuleFacts]) -> frozenset[str]:
    """What modules give to ``__main__`` by name: ``__main__.Scorer = Scorer``, ``setattr(…)``.

    Where the names are computed, or the module is replaced as a whole, everything that the
    sources define counts.
    """
    found: set[str] = set()
    for facts in sources.values():
        if facts.tree is None:
            continue
        names = list(_given(facts.tree))
        found.update(name for name in names if name is not None)
        if None in names:
            found.update(_defined(sources.values()))
    return frozenset(found)


def _defined(sources: Iterable[ModuleFacts]) -> Iterator[str]:
    for facts in sources:
        yield from (c.name for c in facts.classes)
        yield from (f.name for f in facts.functions)


def _given(tree: ast.Module) -> Iterator[str | None]:
    """Names, and None for some that are not written out."""
    aliases = set(_aliases(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and _is_main(target.value, aliases):
                    yield target.attr
                elif _is_main(target, set()):
                    yield None  # `sys.modules["__main__"] = train`
        elif isinstance(node, ast.Call):
            yield from _by_call(node, aliases)


def _by_call(node: ast.Call, aliases: set[str]) -> Iterator[str | None]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "setattr" and len(node.args) == 3 and _is_main(node.args[0], aliases):
        told = node.args[1]
        plain = isinstance(told, ast.Constant) and isinstance(told.value, str)
        yield str(told.value) if plain and isinstance(told, ast.Constant) else None
    elif isinstance(node.func, ast.Attribute) and node.func.attr == "update":
        owner = node.func.value  # `vars(__main__).update(…)`, `__main__.__dict__.update(…)`
        if isinstance(owner, ast.Attribute) and owner.attr == "__dict__":
            owner = owner.value
        elif isinstance(owner, ast.Call) and len(owner.args) == 1:
            owner = owner.args[0]
        if _is_main(owner, aliases):
            yield None


def _aliases(tree: ast.Module) -> Iterator[str]:
    """Names for the module ``__main__``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.asname or a.name for a in node.names if a.name == "__main__")
        elif isinstance(node, ast.Assign) and _is_main(node.value, set()):
            yield from (t.id for t in node.targets if isinstance(t, ast.Name))


def _is_main(node: ast.expr, aliases: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in aliases
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        node = ast.Subscript(ast.Name("modules"), node.args[0]) if node.args else node
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Constant):
        return False
    return node.slice.value == "__main__" and ast.unparse(node.value).endswith("modules")
