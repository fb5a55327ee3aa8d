"""Which modules and names the releases of a library have, and what its classes read.

Knowledge: ``rules/knowledge/symbols-*.json.gz``, one table per library, each loaded when the
first artifact asks for it. A table holds one release per minor version; another release of the
same minor is answered from it, one between two minors only where both agree.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from auditor.catalog import CatalogError, knowledge_text

Answer = Literal["yes", "no-module", "no-name", "unknown"]

# Top-level modules of the libraries that have a table.
LIBRARIES: dict[str, str] = {
    "sklearn": "scikit-learn",
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "joblib": "joblib",
    "cloudpickle": "cloudpickle",
    "dill": "dill",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "statsmodels": "statsmodels",
    "imblearn": "imbalanced-learn",
    "category_encoders": "category-encoders",
    "pytz": "pytz",
}


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``1.2.post1`` is (1, 2)."""
    found: list[int] = []
    for part in version.split("+")[0].split("."):
        digits = ""
        for character in part:
            if not character.isdigit():
                break
            digits += character
        if not digits:
            break
        found.append(int(digits))
        if digits != part:
            break
    return tuple(found)


class Table:
    """One library's symbols. Sets of releases are bit masks over ``versions``."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.versions: tuple[str, ...] = tuple(document["versions"])
        self._keys = [numbers(v) for v in self.versions]
        self._modules: dict[str, str] = document["modules"]
        self._open: dict[str, str] = document["open"]
        self._names: Mapping[str, dict[str, str]] = document["names"]
        self._compiled: dict[str, str] = document.get("compiled", {})
        self._checksums: dict[str, dict[str, str]] = document.get("checksums", {})
        self._renames: dict[str, dict[str, str]] = document.get("renames", {})
        self._needs: dict[str, dict[str, str]] = document["needs"]
        self._aliases: dict[str, dict[str, str]] = document["aliases"]

    def masks(self, version: str) -> tuple[int, ...]:
        """The releases that answer for ``version``: its own minor, or those around it."""
        wanted = numbers(version)
        before = [i for i, k in enumerate(self._keys) if k <= wanted]
        same = [i for i, k in enumerate(self._keys) if k[:2] == wanted[:2]]
        if same:
            earlier = [i for i in same if self._keys[i] <= wanted]
            return (1 << (earlier[-1] if earlier else same[0]),)
        after = [i for i, k in enumerate(self._keys) if k > wanted]
        ends = before[-1:] + after[:1]
        return tuple(1 << i for i in ends)

    def covers(self, version: str) -> bool:
        """False for releases older or newer than every one in the table."""
        wanted = numbers(version)
        return self._keys[0][:2] <= wanted[:2] <= self._keys[-1][:2]

    def has_module(self, module: str, mask: int) -> bool:
        found = self._modules.get(module)
        return found is not None and bool(int(found, 16) & mask)

    def find(self, module: str, name: str, version: str) -> Answer:
        """Whether ``module`` binds ``name`` in that release."""
        answers = {self._find(module, name, mask) for mask in self.masks(version)}
        return answers.pop() if len(answers) == 1 else "unknown"

    def _find(self, module: str, name: str, mask: int) -> Answer:
        if not self.has_module(module, mask):
            return "no-module"
        elsewhere = False
        for group, names in self._names.get(module, {}).items():
            if name in names.split():
                if int(group, 16) & mask:
                    return "yes"
                elsewhere = True
        if elsewhere and int(self._compiled.get(module, "0"), 16) & mask:
            # Other releases' compiled module shows the name; this one's was read, and does not.
            return "no-name"
        if int(self._open.get(module, "0"), 16) & mask:
            return "unknown"
        if self.has_module(f"{module}.{name}", mask):
            return "yes"
        return "no-name"

    def renames(self, version: str) -> dict[tuple[str, str], tuple[str, str]]:
        """(module, name) -> (module, name) by which that release's reader finds old classes."""
        masks = self.masks(version)
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for old, groups in self._renames.items():
            for group, news in groups.items():
                if masks and int(group, 16) & masks[0]:
                    new = news.split()[0]
                    found[_pair(old)] = _pair(new)
        return found

    def checksums(self, module: str, version: str) -> frozenset[int]:
        """Layouts that the module's unpickling functions accept; empty when not known."""
        masks = self.masks(version)
        return frozenset(
            int(checksum, 16)
            for group, found in self._checksums.get(module, {}).items()
            if masks and int(group, 16) & masks[0]
            for checksum in found.split()
        )

    def last_with(self, module: str, name: str) -> str | None:
        """The newest release in the table that has, or may have, the symbol."""
        for index in range(len(self.versions) - 1, -1, -1):
            if self._find(module, name, 1 << index) in ("yes", "unknown"):
                return self.versions[index]
        return None

    def first_with(self, module: str, name: str) -> str | None:
        """The oldest release in the table that has, or may have, the symbol."""
        for index, version in enumerate(self.versions):
            if self._find(module, name, 1 << index) in ("yes", "unknown"):
                return version
        return None

    def definition(self, module: str, name: str, version: str) -> str:
        """``module:Class`` under which the class is defined in that release."""
        key = f"{module}:{name}"
        groups = self._aliases.get(key)
        if groups:
            mask = self.masks(version)[0]
            for group, target in groups.items():
                if int(group, 16) & mask:
                    return target
        return key

    def needs(self, module: str, name: str, version: str) -> frozenset[str]:
        """Attributes that predicting certainly reads from an instance of that class.

        ``a?b`` is read only where ``self.b`` is true, ``a?!b`` where it is not, ``a?+b`` where it
        is not None, ``a?!+b`` where it is None.
        """
        masks = self.masks(version)
        if not masks:
            return frozenset()
        key = self.definition(module, name, version)
        return _needs(id(self), self, key, masks[0])


def _pair(text: str) -> tuple[str, str]:
    module, _, name = text.partition(":")
    return module, name


@lru_cache(maxsize=4096)
def _needs(_: int, table: Table, key: str, mask: int) -> frozenset[str]:
    found: set[str] = set()
    for group, attributes in table._needs.get(key, {}).items():
        if int(group, 16) & mask:
            found.update(attributes.split())
    return frozenset(found)


class _Rows(Mapping[str, dict[str, str]]):
    """Rows of an object in JSON text, each parsed when it is asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._read: dict[str, dict[str, str] | None] = {}

    def __getitem__(self, key: str) -> dict[str, str]:
        if key not in self._read:
            start = self._text.find(f"{json.dumps(key)}:{{")
            self._read[key] = (
                json.JSONDecoder().raw_decode(self._text, self._text.index("{", start))[0]
                if start >= 0
                else None
            )
        row = self._read[key]
        if row is None:
            raise KeyError(key)
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self._text))

    def __len__(self) -> int:
        return len(json.loads(self._text))


def _document(text: str) -> dict[str, Any]:
    """A table, but for the names of its modules, which are nine tenths of it: those wait."""
    mark = '"names":{"'
    start = text.find(mark) + len(mark) - 2
    end = text.find("}}", start) + 2
    document: dict[str, Any]
    if start < len(mark) or end < 2 or text.find(mark, end) >= 0:
        document = json.loads(text)
        return document
    document = json.loads(f"{text[:start]}null{text[end:]}")
    document["names"] = _Rows(text[start:end])
    return document


@lru_cache(maxsize=32)
def table(distribution: str) -> Table | None:
    """The table of a distribution (``stdlib`` for the standard library), None when there is none."""
    try:
        return Table(_document(knowledge_text(f"symbols-{distribution}.json.gz")))
    except (OSError, CatalogError):
        return None


def owner(module: str) -> str | None:
    """The distribution with a table that brings this module."""
    return LIBRARIES.get(module.partition(".")[0])


def project_names(text: str) -> frozenset[str] | None:
    """Names that a module of the project binds at its top level; None when that is not known."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    names: set[str] = set()
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if alias.name == "*":
                    return None
                names.add(alias.asname or alias.name.partition(".")[0])
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                names.update(n.id for n in ast.walk(target) if isinstance(n, ast.Name))
        elif isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try):
            for block in ("body", "orelse", "finalbody"):
                pending += getattr(node, block, [])
            for handler in getattr(node, "handlers", []):
                pending += handler.body
    return frozenset(names)
