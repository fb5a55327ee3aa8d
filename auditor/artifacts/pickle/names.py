"""What the knowledge tables say about a name that a pickle imports."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from auditor import lazy_re as re

Standing = Literal["allowed", "dangerous", "unknown"]


class Entry(NamedTuple):
    """``kind`` of an allowed name: class, dict, list, tuple, enum, exception, ufunc, function.

    ``policy`` names the argument policy under which it may be called, empty for never.
    ``state`` names what may be given to its ``__setstate__``, empty when it has none.
    ``reason`` says what a dangerous name does.
    """

    standing: Standing
    kind: str = ""
    policy: str = ""
    reason: str = ""
    state: str = ""


_KINDS = {
    "c": "class",
    "n": "native",
    "d": "dict",
    "l": "list",
    "t": "tuple",
    "e": "enum",
    "x": "exception",
    "u": "ufunc",
    "f": "function",
}
UNKNOWN = Entry("unknown")


def canonical(module: str) -> str:
    """The module under the name that the tables use: NumPy 2's ``_core`` is NumPy 1's ``core``,
    and old pandas had one module where there is a package now.
    """
    if module.startswith("numpy._core"):
        module = "numpy.core" + module[11:]
    if module == "pandas.core.internals":
        return "pandas.core.internals.managers"  # one module until pandas 0.24
    # Since NumPy 1.16 one extension module holds both.
    return "numpy.core.multiarray" if module == "numpy.core._multiarray_umath" else module


def known_module(module: str) -> bool:
    """A module that names of the allow-list are imported from, or one of the same library."""
    if canonical(module) in _tables()[0]:
        return True
    parts = module.split(".")
    return parts[0] in _ARRAY_LIBRARIES and not any(
        part.startswith(("__", "test", "_test")) for part in parts
    )


@lru_cache(maxsize=1)
def _tables() -> tuple[
    dict[str, dict[str, str]], dict[str, str], dict[str, str], dict[str, str], dict[str, str]
]:
    from auditor.catalog import knowledge

    allowed: dict[str, dict[str, str]] = {}
    table = knowledge("pickle_allow.json.gz")
    for module, names in table["modules"].items():
        allowed.setdefault(canonical(module), {}).update(names)
    reviewed = knowledge("pickle_reviewed.toml")
    for kind, table in (("c", "names"), ("d", "dicts"), ("l", "lists")):
        for dotted in reviewed["classes"][table]:
            module, _, name = dotted.rpartition(".")
            state = reviewed["states"].get(dotted, "")
            allowed.setdefault(canonical(module), {})[name] = f"{kind} {state}" if state else kind
    for module, names in reviewed["references"].items():
        here = allowed.setdefault(module, {})
        for name in names:
            here.setdefault(name, "f")
    danger = knowledge("pickle_danger.toml")
    exceptions = dict.fromkeys(_builtin_exceptions(), "x")
    return (
        allowed,
        dict(reviewed["call"]),
        dict(danger["modules"]),
        dict(danger["names"]),
        exceptions,
    )


@lru_cache(maxsize=1)
def _slot_table() -> dict[str, list[str]]:
    from auditor.catalog import knowledge

    found: dict[str, list[str]] = knowledge("pickle_allow.json.gz").get("slots", {})
    reviewed: dict[str, list[str]] = knowledge("pickle_reviewed.toml")["slots"]
    return {**found, **reviewed}


@lru_cache(maxsize=1)
def _methods() -> dict[str, list[str]]:
    from auditor.catalog import knowledge

    found: dict[str, list[str]] = knowledge("pickle_reviewed.toml")["methods"]
    return found


def slots(module: str, name: str) -> frozenset[str]:
    """The slots of a class of the allow-list: what a state may assign beside its dictionary."""
    return frozenset(_slot_table().get(f"{module}.{name}", ()))


def _builtin_exceptions() -> list[str]:
    import builtins

    return [
        name
        for name, value in vars(builtins).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    ]


@lru_cache(maxsize=8192)
def lookup(module: str, name: str) -> Entry:
    """What is known about ``module.name``; the exact pair decides, never a part of it."""
    allowed, calls, bad_modules, bad_names, exceptions = _tables()
    known = canonical(module)
    kind = allowed.get(known, {}).get(name)
    if kind is None and module == "builtins":
        kind = exceptions.get(name)
    policy = calls.get(f"{known}.{name}", "")
    if not policy:
        policy = _pattern_policy(known, name, allowed)
    if kind is None and name.endswith("._entropy") and known.startswith("scipy.stats."):
        # Discrete distributions hold this method of theirs.
        kind = "f" if name.removesuffix("._entropy") in allowed.get(known, {}) else None
    if kind is None and module == "builtins" and _METHODS.fullmatch(name):
        kind = "f"
    if kind is None and "." in name and _methods().get(known.partition(".")[0]):
        # Methods that instances of their class hold.
        cls, _, method = name.rpartition(".")
        if method in _methods()[known.partition(".")[0]] and cls in allowed.get(known, {}):
            kind = "f"
    if kind is None and _CONSTANTS.get(module, _NO_NAME).fullmatch(name):
        kind = "f"
    if kind is not None or policy:
        code, _, state = (kind or "f").partition(" ")
        return Entry("allowed", _KINDS[code], policy, state=state)
    reason = bad_names.get(f"{known}.{name}")
    if reason is None:
        reason = _bad_module(module, bad_modules)
    if reason is None:
        reason = _bad_path(name, bad_modules)
    if reason is not None:
        return Entry("dangerous", reason=reason)
    return UNKNOWN


def _pattern_policy(module: str, name: str, allowed: dict[str, dict[str, str]]) -> str:
    # Cython writes one rebuilder per class; it makes an instance of the class it is given.
    if module in allowed and module.partition(".")[0] in _CYTHON:
        if (
            name.startswith("__pyx_unpickle_")
            and name.removeprefix("__pyx_unpickle_").isidentifier()
        ):
            return "class_first"
        if name == "newObj" and module.startswith(("sklearn.", "hdbscan.")):
            return "class_first"
    return ""


# Before Python 3.11 these members of enumerations were pickled as names of their module.
_CONSTANTS = {
    "signal": re.compile(r"SIG[A-Z0-9]+"),
    "socket": re.compile(r"(AF|SOCK|MSG|AI)_[A-Z0-9_]+"),
}
# Methods of plain types, given as tokenizers and the like.
_METHODS = re.compile(r"(?:str|bytes|int|float|list|dict|tuple|set)\.[a-z]\w*")
_NO_NAME = re.compile(r"(?!)")
_ARRAY_LIBRARIES = frozenset({"numpy", "scipy", "sklearn", "pandas"})
_CYTHON = frozenset({"arch", "sklearn", "pandas", "numpy", "scipy", "_loss", "river", "hdbscan"})


def _bad_module(module: str, bad: dict[str, str]) -> str | None:
    while module:
        if module in bad:
            return bad[module]
        module = module.rpartition(".")[0]
    return None


def _bad_path(name: str, bad: dict[str, str]) -> str | None:
    """Dotted names walk attributes: a module or a dunder on the way gives everything away."""
    if "." not in name:
        return "reaches into the interpreter" if name in _GIVEAWAY else None
    for part in name.split("."):
        if part in bad or part.lstrip("_") in bad:
            return f"reaches the module {part}, which {bad.get(part) or bad[part.lstrip('_')]}"
        if part.startswith("__") and part.endswith("__"):
            return f"reaches the attribute {part}"
    return None


_GIVEAWAY = frozenset(
    {
        "__builtins__",
        "__class__",
        "__dict__",
        "__getattribute__",
        "__globals__",
        "__import__",
        "__loader__",
        "__spec__",
        "__subclasses__",
        "__code__",
    }
)
