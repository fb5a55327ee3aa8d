"""Names, specifiers and environment markers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from auditor import lazy_re as re

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet


@lru_cache(maxsize=4096)
def normalise(name: str) -> str:
    """The name under which an index knows the distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@lru_cache(maxsize=2048)
def specifier_set_of(text: str) -> SpecifierSet | None:
    """A version specifier as ``packaging`` sees it; None when it is not one."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text.strip().removeprefix("(").removesuffix(")"))
    except InvalidSpecifier:
        return None


@lru_cache(maxsize=2048)
def marker_object(text: str) -> Marker | None:
    """The marker as ``packaging`` sees it; None when it is not one."""
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(text)
    except (InvalidMarker, RecursionError):
        return None


# Quoted strings first, so that what remains are variables and operators.
_MARKER_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|([A-Za-z_][A-Za-z_.]*)")
_MARKER_WORDS = frozenset({"and", "or", "in", "not"})
_MARKER_OLD_NAMES = {
    "os.name": "os_name",
    "sys.platform": "sys_platform",
    "platform.version": "platform_version",
    "platform.machine": "platform_machine",
    "platform.python_implementation": "platform_python_implementation",
    "python_implementation": "platform_python_implementation",
}


def marker_variables(marker: str) -> frozenset[str]:
    """The environment variables of PEP 508 that a marker names."""
    names = (m[1] for m in _MARKER_TOKEN.finditer(marker) if m[1])
    return frozenset(_MARKER_OLD_NAMES.get(n, n) for n in names if n not in _MARKER_WORDS)


_EXTRA_TEST = re.compile(
    r"""\bextra\s*(==|!=)\s*(?:'([^']*)'|"([^"]*)")"""
    r"""|(?:'([^']*)'|"([^"]*)")\s*(==|!=)\s*extra\b"""
    r"""|(?:'([^']*)'|"([^"]*)")\s+(not\s+in|in)\s+(extras|dependency_groups)\b"""
)


def evaluate_marker(
    marker: str,
    environment: Mapping[str, str],
    extras: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> bool | None:
    """Whether a marker holds when these (normalised) extras and dependency groups are asked for.

    None when it is malformed or needs a variable that ``environment`` lacks. The machine that
    runs the audit has no say: its own environment is never consulted.
    """
    if not marker:
        return True
    if "extra" in marker or "dependency_groups" in marker:
        # Decided here, since several extras can be on at once, which ``extra`` cannot express.
        chosen = {"extra": frozenset(extras), "dependency_groups": frozenset(groups)}
        always = f'python_version == "{environment.get("python_version", "")}"'
        never = always.replace("==", "!=")

        def decide(match: re.Match[str]) -> str:
            name = next((g for g in match.group(2, 3, 4, 5, 7, 8) if g is not None), "")
            kind = "dependency_groups" if match[10] == "dependency_groups" else "extra"
            negated = (match[1] or match[6]) == "!=" or (match[9] or "in") != "in"
            return always if (normalise(name) in chosen[kind]) is not negated else never

        marker = _EXTRA_TEST.sub(decide, marker)
    variables = marker_variables(marker)
    if not variables <= environment.keys():
        return None
    return _evaluate(marker, tuple((v, environment[v]) for v in sorted(variables)))


@lru_cache(maxsize=8192)
def _evaluate(marker: str, values: tuple[tuple[str, str], ...]) -> bool | None:
    parsed = marker_object(marker)
    if parsed is None:
        return None
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

    try:
        return parsed.evaluate({"extra": "", **dict(values)})
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError, RecursionError):
        return None
