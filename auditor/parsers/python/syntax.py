"""Grammar that older Pythons refuse and that the tree alone does not show."""

from __future__ import annotations

import ast

from auditor import lazy_re as re

Need = tuple[tuple[int, int], str]

_SELF_NAMED = re.compile(r"\{[^{}'\"]*[\w)\]]\s*=\s*[!:}]")


class Written:
    """The text behind a tree, by the tree's positions (lines from 1, columns in bytes)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines: list[bytes] | None = None

    def between(self, start: tuple[int, int], end: tuple[int, int]) -> str:
        """What stands between two positions."""
        if self._lines is None:
            self._lines = self.text.encode("utf-8", "replace").split(b"\n")
        rows = self._lines[start[0] - 1 : end[0]]
        if not rows:
            return ""
        rows[-1] = rows[-1][: end[1]]
        rows[0] = rows[0][start[1] :]
        return b"\n".join(rows).decode("utf-8", "replace")


def _start(node: ast.AST) -> tuple[int, int]:
    return node.lineno, node.col_offset  # type: ignore[attr-defined]


def _end(node: ast.AST) -> tuple[int, int]:
    return node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]


def need(node: ast.AST, written: Written) -> Need | None:
    """The Python from which on this is grammar, and what it is."""
    if isinstance(node, ast.With | ast.AsyncWith):
        return ((3, 9), "`with` in parentheses") if _parenthesised(node, written) else None
    if isinstance(node, ast.Subscript):
        return ((3, 11), "`*` in an index") if _bare_star(node.slice, written) else None
    if isinstance(node, ast.JoinedStr):
        holds = any(isinstance(part, ast.FormattedValue) for part in node.values)
        text = written.between(_start(node), _end(node)) if holds else ""
        return ((3, 8), 'f"{name=}"') if _SELF_NAMED.search(text) else None
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        plain = all(map(_plain_decorator, node.decorator_list))
        return None if plain else ((3, 9), "an expression as decorator")
    if isinstance(node, ast.Return) and _bare_star(node.value, written):
        return (3, 8), "`*` without parentheses"
    if isinstance(node, ast.For) and _bare_star(node.iter, written):
        return (3, 9), "`*` without parentheses"
    return None


def _bare_star(node: ast.expr | None, written: Written) -> bool:
    """A tuple without parentheses that unpacks something."""
    if not isinstance(node, ast.Tuple) or not any(isinstance(e, ast.Starred) for e in node.elts):
        return False
    return written.between(_start(node), _end(node))[:1] != "("


KINDS = (
    ast.With, ast.AsyncWith, ast.Subscript, ast.JoinedStr, ast.FunctionDef, ast.AsyncFunctionDef,
    ast.ClassDef, ast.Return, ast.For,
)  # fmt: skip


def _plain_decorator(node: ast.expr) -> bool:
    """A dotted name, called or not: all that grammar took before Python 3.9."""
    if isinstance(node, ast.Call):
        node = node.func
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _parenthesised(node: ast.With | ast.AsyncWith, written: Written) -> bool:
    """Whether parentheses stand around all the items, with their names."""
    first, last = node.items[0], node.items[-1]
    head = written.between(_start(node), _start(first.context_expr))
    if "(" not in head:
        return False
    if len(node.items) == 1 and first.optional_vars is None:
        return False  # parentheses around an expression
    close = last.optional_vars or last.context_expr
    tail = written.between(_end(close), _start(node.body[0])).partition(":")[0]
    if ")" not in tail:
        return False
    if last.optional_vars is not None:
        return True
    # `(a), (b)` was grammar ever since.
    following = node.items[1].context_expr
    end = _end(first.optional_vars or first.context_expr)
    return ")" not in written.between(end, _start(following)).partition(",")[0]
