"""Where the weights beside a model are: looked up by name and size, never opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from auditor.artifacts.onnx.facts import ExternalFile, OnnxFacts
from auditor.values import replace

# The runtime marks tensors in memory with this name; a file that says so is hostile.
_RESERVED = "*/_ORT_MEM_ADDR_/*"


def is_outside(location: str) -> bool:
    """The path leaves the model's directory, as it is written."""
    path = location.replace("\\", "/")
    if path.startswith("/") or path[1:2] == ":":
        return True
    depth = 0
    for part in PurePosixPath(path).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def look_up(facts: OnnxFacts, directory: Path) -> OnnxFacts:
    """The facts with the state of every external file, seen from the model's directory."""
    if not facts.external:
        return facts
    return replace(facts, external=tuple(_state(file, directory) for file in facts.external))


def _state(file: ExternalFile, directory: Path) -> ExternalFile:
    location = file.location
    if not location:
        return replace(file, state="empty")
    if location == _RESERVED:
        return replace(file, state="reserved")
    path = Path(directory, location)
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return replace(file, state="outside-missing" if is_outside(location) else "missing")
    if is_outside(location):
        return replace(file, state="outside")
    if stat.S_ISLNK(found.st_mode) or _through_link(directory, location):
        return replace(file, state="link")
    if not stat.S_ISREG(found.st_mode):
        return replace(file, state="missing")
    return replace(file, state="short" if found.st_size < file.end else "present")


def _through_link(directory: Path, location: str) -> bool:
    """A directory on the way is a link."""
    at = directory
    for part in PurePosixPath(location.replace("\\", "/")).parts[:-1]:
        at = at / part
        if at.is_symlink():
            return True
    return False
