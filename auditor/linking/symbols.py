"""Which modules and names the releases of a library have, and what its classes read.

Knowledge: ``rules/knowledge/symbols-*.json.gz``, one table per library, each loaded when the
first artifact asks for it. A table holds one release per minor version; another release of the
same minor is answered from it, one between two minors only where both agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, Literal

from auditor import lazy_re as re
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
    "catboost": "catboost",
    "keras": "keras",
    "pytz": "pytz",
    "torch": "torch",
    "gensim": "gensim",
    "pydantic": "pydantic",
    "networkx": "networkx",
    "feature_engine": "feature-engine",
    "hmmlearn": "hmmlearn",
    "sortedcontainers": "sortedcontainers",
    "patsy": "patsy",
    "dateutil": "python-dateutil",
    "polars": "polars",
}


# Names that are looked for in the strings of a compiled module, where it was not imported.
_STRINGS = re.compile(
    r"__pyx_unpickle_\w+|newObj|\w*unpickle\w*|__\w*_ctor|_\w*reconstruct\w*|_?[A-Z][a-z]\w*|NA|NaT"
)


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
        self._shields: dict[str, dict[str, str]] = document.get("shields", {})
        self._fails: dict[str, dict[str, str]] = document.get("fails", {})
        self._shapes: dict[str, dict[str, str]] = document.get("shapes", {})
        self._requires: dict[str, dict[str, str]] = document.get("requires", {})
        self._made: dict[str, dict[str, str]] = document.get("made", {})
        self._imports: dict[str, dict[str, str]] = document.get("imports", {})

    @property
    def top(self) -> str:
        """The package itself."""
        return min(self._modules, key=len, default="")

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

    def known_module(self, module: str) -> bool:
        """Whether some release has the module: otherwise the table does not know of it."""
        return module in self._modules

    def ever(self, module: str, name: str) -> bool:
        """Whether some release binds the name, in that module or as a module below it."""
        return f"{module}.{name}" in self._modules or any(
            name in names.split() for names in self._names.get(module, {}).values()
        )

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
        if (
            elsewhere
            and int(self._compiled.get(module, "0"), 16) & mask
            and (len(name) > 3 or name in ("NA", "NaT"))
            and _STRINGS.fullmatch(name)
        ):
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

    def requires(self, distribution: str, version: str) -> str:
        """What that release asks of another distribution, as a specifier; empty when nothing."""
        masks = self.masks(version)
        for group, specifiers in self._requires.get(distribution, {}).items():
            if masks and int(group, 16) & masks[0]:
                return specifiers.split()[0] if specifiers.strip() else ""
        return ""

    def shape(self, dotted: str, version: str) -> frozenset[str]:
        """What that release's class takes back, where releases differ; empty where they do not.

        ``n:`` a member's name, ``v:`` its value, ``s:`` an attribute that can be set on instances
        without ``__dict__``, ``p:`` how many arguments at most, ``r:`` at least.
        """
        masks = self.masks(version)
        return frozenset(
            entry
            for group, entries in self._shapes.get(dotted, {}).items()
            if masks and int(group, 16) & masks[0]
            for entry in entries.split()
        )

    def made(
        self, module: str, name: str, version: str
    ) -> tuple[frozenset[str], list[frozenset[str]]]:
        """(what that release's instances are made with, the same of each other release).

        Only attributes that some release does not set; ``.`` marks releases that have the class.
        """
        masks = self.masks(version)
        rows = self._made.get(self.definition(module, name, version), {}) if masks else {}
        if not rows:
            return frozenset(), []
        groups = [(int(group, 16), names.split()) for group, names in rows.items()]
        found = [
            frozenset(name for mask, names in groups if mask & 1 << index for name in names)
            for index in range(len(self.versions))
        ]
        own = masks[0].bit_length() - 1
        others = [f - {"."} for i, f in enumerate(found) if i != own and "." in f]
        return (found[own] - {"."} if len(masks) == 1 else frozenset()), others

    def imports(self, version: str) -> tuple[str, ...]:
        """Modules of others that importing that release certainly imports."""
        masks = self.masks(version)
        return tuple(
            module
            for module, groups in self._imports.items()
            if masks and all(int(group, 16) & mask for group in groups for mask in masks)
        )

    def fails_under(self, module: str, version: str, python: str) -> bool:
        """Whether importing the module is known to fail under that Python."""
        masks = self.masks(version)
        return any(
            python in pythons.split() and all(int(group, 16) & mask for mask in masks)
            for group, pythons in self._fails.get(module, {}).items()
        )

    def shields(self, module: str, name: str, version: str) -> frozenset[tuple[str, str]]:
        """(class, attribute) that an estimator inside this one does without when it predicts."""
        masks = self.masks(version)
        key = self.definition(module, name, version)
        found: set[tuple[str, str]] = set()
        for group, pairs in self._shields.get(key, {}).items():
            if masks and int(group, 16) & masks[0]:
                found.update(_pair(pair) for pair in pairs.split())
        return frozenset(found)

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

    def known_with(self, module: str, name: str) -> tuple[str, str] | None:
        """The oldest and the newest release that certainly have the symbol."""
        found = [
            version
            for index, version in enumerate(self.versions)
            if self._find(module, name, 1 << index) == "yes"
        ]
        return (found[0], found[-1]) if found else None

    def around(self, module: str, name: str, version: str) -> tuple[Answer | None, Answer | None]:
        """What the nearest releases below and above say for sure; None where none does.

        Of a module that fills itself when it is imported, only some releases were asked. Releases
        without the module say nothing of a name in it.
        """
        wanted = numbers(version)
        below: Answer | None = None
        unasked = False
        for index, key in enumerate(self._keys):
            if key[:2] == wanted[:2] or not self.has_module(module, 1 << index):
                continue
            answer = self._find(module, name, 1 << index)
            if key > wanted and answer != "unknown":
                # A module that came with this release came with the names that it has next.
                return (below if below or unasked else answer), answer
            if key < wanted:
                unasked = unasked or answer == "unknown"
                below = answer if answer != "unknown" else below
        return below, None

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
        found = _needs(id(self), self, key, masks[0])
        if not found and (same := self._named.get(name, ())):
            # A module that only forwards: the class of that name, where there is but one.
            there = [k for k in same if any(int(g, 16) & masks[0] for g in self._needs[k])]
            found = _needs(id(self), self, there[0], masks[0]) if len(there) == 1 else found
        return found

    def attributes(self, module: str, name: str) -> frozenset[str]:
        """Attributes that any release reads from an instance of that class, or decides by."""
        found: set[str] = set()
        for words in self._needs.get(f"{module}:{name}", {}).values():
            for need in words.split():
                attribute, _, guards = need.partition("?")
                found.add(attribute)
                found.update(g.lstrip("!+").partition("=")[0] for g in guards.split("&") if g)
        return frozenset(found)

    @cached_property
    def _named(self) -> dict[str, list[str]]:
        """Class -> the places where releases define one of that name, of those with needs."""
        found: dict[str, list[str]] = {}
        for key in self._needs:
            found.setdefault(key.rpartition(":")[2], []).append(key)
        return found


def _pair(text: str) -> tuple[str, str]:
    module, _, name = text.partition(":")
    return module, name


@lru_cache(maxsize=4096)
def _needs(_: int, table: Table, key: str, mask: int) -> frozenset[str]:
    found: set[str] = set()
    earlier: set[str] = set()
    later: set[str] = set()
    for group, attributes in table._needs.get(key, {}).items():
        releases = int(group, 16)
        for wanted, into in ((mask, found), (mask >> 1, earlier), (mask << 1, later)):
            if releases & wanted:
                into.update(attributes.split())
    # What the releases on both sides read was not met by chance in the one between them.
    return frozenset(found | (earlier & later)) if found else frozenset()


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
