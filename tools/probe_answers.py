"""Lay what the real libraries answered (``probe_releases.py``) over what their wheels say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from packaging.version import InvalidVersion, Version

Row = dict[str, Any]
_MISSING: Final = object()


def answers(cache: Path, name: str, version: str) -> dict[str, Any] | None:
    """The answers of that release, else of the nearest of the same minor version."""
    wanted = Version(version)
    found: list[tuple[bool, Version, Path]] = []
    for path in cache.glob(f"{name}-*.probe.json"):
        text = path.name[len(name) + 1 : -len(".probe.json")]
        try:
            asked = Version(text)
        except InvalidVersion:
            continue
        if asked.release[:2] == wanted.release[:2]:
            found.append((asked == wanted, asked, path))
    if not found:
        return None
    document: dict[str, Any] = json.loads(max(found)[2].read_text())
    return document


def lay_over(facts: dict[str, Any], answer: dict[str, Any]) -> None:
    """Names of compiled and of inventive modules; attributes that estimators need."""
    for module, found in (answer.get("names") or {}).items():
        if module not in facts["modules"] or "error" in found:
            continue
        names, open_ended = facts["modules"][module]
        if found.get("dynamic", True) and not found["compiled"]:
            continue
        if found["compiled"]:
            facts["modules"][module] = (sorted(found["names"]), found["open"])
        elif open_ended:
            # What ``__getattr__`` gives, its source names; ``dir`` does not.
            facts["modules"][module] = (sorted({*names, *found["names"]}), found["open"])
        else:
            facts["modules"][module] = (sorted({*names, *found["names"]}), False)
    asked = answer.get("needs")
    if not asked:
        return
    needs, shields = facts.setdefault("needs", {}), facts.setdefault("shields", {})
    for cls, rows in asked.items():
        needs[cls] = dict.fromkeys(needed(list(needs.get(cls, ())), rows), "executed")
    for cls, rows in asked.items():
        shielded: set[str] = set()
        for inner in {name for row in rows for name in row["inside"]}:
            lists = [row["inside"][inner] for row in rows if inner in row["inside"]]
            for attribute in {a.partition("?")[0] for a in needs.get(inner, ())}:
                # A list without any entry may be a template's that was never fitted.
                if (
                    any(lists)
                    and attribute != "*_"
                    and not any(attribute in broken for broken in lists)
                ):
                    shielded.add(f"{inner.rpartition(':')[2]}:{attribute}")
        if shielded:
            shields[cls] = sorted(shielded)


def needed(static: list[str], rows: list[Row]) -> list[str]:
    """Attributes without which the first prediction fails, ``a?guard`` where it depends."""
    if any(row.get("dropped") for row in rows):
        # Made anew from others when it is loaded: taking an attribute away shows nothing.
        return static
    broken = [set(row["needs"]) for row in rows]
    always = set.intersection(*broken)
    result = set(always)
    if "*_" in static and all(any(a.endswith("_") for a in row["has"]) for row in rows):
        result.add("*_")
    for entry in static:
        attribute, _, guard = entry.partition("?")
        if guard and attribute not in always and not any(
            _holds(guard, row) and attribute not in row["needs"] for row in rows
        ):  # fmt: skip
            result.add(entry)
    guarded = {entry.partition("?")[0] for entry in result}
    first = rows[0]
    for attribute in sorted(set.union(*broken) - guarded):
        if attribute in broken[0]:
            guards = [_difference(first, row) for row in rows if attribute not in row["needs"]]
            if all(guards):
                inverse = sorted({g[1:] if g.startswith("!") else f"!{g}" for g in guards})
                result.add(f"{attribute}?{'&'.join(inverse)}")
        else:
            result.update(
                f"{attribute}?{guard}"
                for row in rows
                if attribute in row["needs"] and (guard := _difference(first, row))
            )
    return sorted(result)


def _difference(first: Row, row: Row) -> str:
    """The guard that tells a configuration from the default one; empty when one cannot."""
    theirs = row["parameters"]
    changed = [
        (name, value, first["parameters"][name])
        for name, value in theirs.items()
        if name in first["parameters"] and value != first["parameters"][name]
    ]
    if len(changed) != 1:
        return ""
    name, value, before = changed[0]
    if isinstance(value, bool) and isinstance(before, bool):
        return name if value else f"!{name}"
    if isinstance(value, str) and value.isidentifier():
        return f"{name}={value}"
    if value is None:
        return f"!+{name}"
    return f"+{name}" if before is None else ""


def _holds(guard: str, row: Row) -> bool:
    """Whether a guard is true in a configuration; False where that is not known."""
    for part in guard.split("&"):
        name, equals, wanted = part.lstrip("!+").partition("=")
        value = row["parameters"].get(name, _MISSING)
        if value is _MISSING or value == "…":
            return False
        truth = value is not None if "+" in part else bool(value)
        if equals:
            truth = value == wanted
        if truth == part.startswith("!"):
            return False
    return True


def import_failures(cache: Path, name: str, version: str) -> dict[str, list[str]]:
    """module -> the Pythons under which it does not import, of pure libraries."""
    answer = answers(cache, name, version)
    found: dict[str, list[str]] = {}
    for python, modules in ((answer or {}).get("pythons") or {}).items():
        for module, names in (modules or {}).items():
            if "error" in names:
                found.setdefault(module, []).append(python)
    return {m: p for m, p in found.items() if len(p) < 8}


def pure_names(cache: Path, name: str, version: str) -> dict[str, Any] | None:
    """What modules of a pure library bind under any of the Pythons that import them."""
    answer = answers(cache, name, version)
    names: dict[str, Any] = {}
    for modules in ((answer or {}).get("pythons") or {}).values():
        for module, found in (modules or {}).items():
            if "error" in found:
                continue
            known = names.setdefault(module, {"names": [], "open": False, "compiled": False})
            known["names"] = sorted({*known["names"], *found["names"]})
    return {"names": names} if names else None
