"""Services that a packager builds into an image: BentoML and Cog, and the code that they name."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.parsers import yamldoc
from auditor.parsers.yamldoc import Mapping, Scalar
from auditor.source import Location
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts

# Files of packagers, with the keys that name the code and the requirements.
_FILES = {
    "bentofile.yaml": ("BentoML", ("service",), ("python", "requirements_txt")),
    "bentofile.yml": ("BentoML", ("service",), ("python", "requirements_txt")),
    "cog.yaml": ("Cog", ("predict",), ("build", "python_requirements")),
}


@value
class Packaged:
    """One packager's file. ``missing``: what it names and the repository does not have."""

    tool: str
    at: Location
    entry: str
    missing: tuple[tuple[Location, str], ...] = ()


def read(facts: Facts) -> Iterator[Packaged]:
    """Every packaged service of the repository."""
    for file in facts.repository.entries:
        known = _FILES.get(posixpath.basename(file.path))
        if known is None or file.is_dev or file.size > 200_000:
            continue
        text = facts.read(file.path)
        stream = yamldoc.parse(text) if text is not None else None
        root = stream.documents[0] if stream is not None and stream.documents else None
        if not isinstance(root, Mapping):
            continue
        tool, service, requirements = known
        folder = posixpath.dirname(file.path)
        missing: list[tuple[Location, str]] = []
        node = root.get(*service)
        entry = ""
        if isinstance(node, Scalar) and not node.is_null and not node.is_template:
            entry = node.text
            why = _entry(facts, folder, entry)
            if why:
                missing.append((node.at, why))
        listed = root.get(*requirements)
        if isinstance(listed, Scalar) and not listed.is_null:
            path = posixpath.normpath(posixpath.join(folder, listed.text))
            if not path.startswith(("..", "/")) and not _there(facts, path):
                missing.append((listed.at, f"there is no `{path}`"))
        yield Packaged(tool=tool, at=root.at, entry=entry, missing=tuple(missing))


def _there(facts: Facts, path: str) -> bool:
    return facts.repository.exists(path) or bool(facts.by_hand(path))


def _entry(facts: Facts, folder: str, entry: str) -> str:
    """Why ``module:attribute`` or ``file.py:attribute`` cannot be imported; empty when it can."""
    module, colon, attribute = entry.partition(":")
    if not module or not colon:
        return ""
    if module.endswith(".py"):
        paths = [module]
    else:
        stem = module.replace(".", "/")
        paths = [f"{stem}.py", f"{stem}/__init__.py"]
    candidates = [posixpath.normpath(posixpath.join(folder, p)) for p in paths]
    if any(c.startswith("..") for c in candidates):
        return ""
    found = next((c for c in candidates if facts.repository.is_file(c)), None)
    if found is None:
        return "" if any(_there(facts, c) for c in candidates) else f"there is no `{candidates[0]}`"
    code = facts.module(found)
    name = attribute.partition(".")[0].partition("(")[0]
    if code is None or code.tree is None or not name or name in code.names:
        return ""
    text = facts.read(found)
    # Imported, bound by a star, or in a way that is not seen.
    if text is None or "import *" in text.text or name in text.text:
        return ""
    return f"`{found}` has no `{name}`"
