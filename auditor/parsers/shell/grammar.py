"""The syntax tree of a shell text, and what its nodes hold."""

from __future__ import annotations

from functools import lru_cache
from time import process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Tree
SECONDS = 1.0  # the grammar's error recovery is quadratic on hostile text
STATEMENTS = frozenset(
    {
        "command",
        "declaration_command",
        "unset_command",
        "test_command",
        "list",
        "pipeline",
        "subshell",
        "compound_statement",
        "if_statement",
        "case_statement",
        "while_statement",
        "for_statement",
        "c_style_for_statement",
        "redirected_statement",
        "negated_command",
    }
)


def flatten(node: Node) -> list[tuple[str, Node]]:
    """The (operator before, statement) pairs of a list, whose grammar is a left-deep tree."""
    found: list[tuple[str, Node]] = []
    current: Node | None = node
    while current is not None and current.type == "list":
        named = [c for c in current.children if c.is_named and c.type != "comment"]
        operator = next((c.type for c in current.children if c.type in {"&&", "||"}), "")
        if len(named) < 2 or not operator:
            current = named[0] if named else None
            continue
        found.append((operator, named[-1]))
        current = named[0]
    if current is not None:
        found.append(("", current))
    found.reverse()
    return found


def item_patterns(item: Node) -> list[Node]:
    """The patterns of a case item: what stands before its ``)``."""
    patterns: list[Node] = []
    for child in item.children:
        if child.type == ")":
            break
        if child.is_named and child.type != "comment":
            patterns.append(child)
    return patterns


def falls_through(node: Node) -> bool:
    """An item of this ``case`` goes on with the next one."""
    return any(
        child.type in {";&", ";;&"} for item in node.named_children for child in item.children
    )


def item_body(item: Node) -> list[Node]:
    """The statements of a case item: what follows its ``)``."""
    children = item.children
    start = next((i for i, c in enumerate(children) if c.type == ")"), -1)
    return list(children[start + 1 :])


def tree_of(data: bytes) -> Tree:
    """The syntax tree; ValueError when it takes too long."""
    from tree_sitter import Parser

    parser = Parser(_language())
    if len(data) < 2_000:
        return parser.parse(data)
    end = process_time() + SECONDS
    return parser.parse(
        lambda offset, point: data[offset : offset + 65_536],
        progress_callback=lambda offset, has_error: process_time() > end,
    )


@lru_cache(maxsize=1)
def _language() -> Language:
    from tree_sitter import Language

    return Language(_grammar())


def _grammar() -> object:
    """The pointer to the compiled grammar.

    The package's own module would import ``importlib.resources``, and with it ``tempfile`` and
    ``shutil``, for query files that nobody here asks for; only its binding is loaded.
    """
    from importlib import util
    from importlib.machinery import PathFinder

    package = util.find_spec("tree_sitter_bash")
    places = package.submodule_search_locations if package is not None else None
    found = PathFinder.find_spec("tree_sitter_bash._binding", places) if places else None
    if found is not None and found.loader is not None:
        binding = util.module_from_spec(found)
        found.loader.exec_module(binding)
        return binding.language()
    import tree_sitter_bash

    return tree_sitter_bash.language()
