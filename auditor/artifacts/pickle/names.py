"""What the knowledge tables say about a name that a pickle imports."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from auditor import lazy_re as re

Standing = Literal["allowed", "dangerous", "unknown"]


class Entry(NamedTuple):
    """``kind`` of an allowed name: class, dict, list, tuple, enum, exception, ufunc, function.

    ``policy`` names the argument policy under which it may be called, empty for never.
    ``reason`` says what a dangerous name does.
    """

    standing: Standing
    kind: str = ""
    policy: str = ""
    reason: str = ""


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
    """The module under the name that the tables use: NumPy 2's ``_core`` is NumPy 1's ``core``."""
    if module.startswith("numpy._core"):
        return "numpy.core" + module[11:]
    return module


@lru_cache(maxsize=1)
def _tables() -> tuple[
    dict[str, dict[str, str]], dict[str, str], dict[str, str], dict[str, str], dict[str, str]
]:
    from auditor.catalog import knowledge

    allowed: dict[str, dict[str, str]] = {}
    for module, names in knowledge("pickle_allow.json.gz")["modules"].items():
        allowed.setdefault(canonical(module), {}).update(names)
    reviewed = knowledge("pickle_reviewed.toml")
    for kind, table in (("c", "names"), ("d", "dicts"), ("l", "lists")):
        for dotted in reviewed["classes"][table]:
            module, _, name = dotted.rpartition(".")
            allowed.setdefault(canonical(module), {})[name] = kind
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
    if kind is None and _CONSTANTS.get(module, _NO_NAME).fullmatch(name):
        kind = "f"
    if kind is not None or policy:
        return Entry("allowed", _KINDS[kind] if kind else "function", policy)
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
        if name == "newObj" and module.startswith("sklearn."):
            return "class_first"
    return ""


# Before Python 3.11 these members of enumerations were pickled as names of their module.
_CONSTANTS = {
    "signal": re.compile(r"SIG[A-Z0-9]+"),
    "socket": re.compile(r"(AF|SOCK|MSG|AI)_[A-Z0-9_]+"),
}
_NO_NAME = re.compile(r"(?!)")
_CYTHON = frozenset({"sklearn", "pandas", "numpy", "scipy", "_loss"})


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
