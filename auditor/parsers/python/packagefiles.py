"""Files of a package that its own code reads: ``importlib.resources`` and ``pkgutil.get_data``."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from auditor.parsers.python import values as val
from auditor.parsers.python.values import Const, Mod, PathV, Unk, V

if TYPE_CHECKING:
    from auditor.parsers.python.models import Models
    from auditor.parsers.python.sites import Site


def files(models: Models, site: Site) -> V:
    """``files("package")``: the directory that the package is imported from."""
    anchor = site.get(0, "anchor") or site.kwargs.get("package")
    folder = _folder(models, anchor)
    if folder is None:
        return Unk("the directory of a package that is not followed")
    return PathV(folder, frozenset({val.FROM_FILE}))


def read(models: Models, site: Site) -> V:
    """``read_text("package", "name")`` and its kin, and ``pkgutil.get_data``."""
    folder = _folder(models, site.args[0] if site.args else site.kwargs.get("package"))
    name = site.args[1] if len(site.args) > 1 else site.kwargs.get("resource")
    if folder is None or not isinstance(name, Const) or not isinstance(name.value, str):
        return Unk("a file of a package that is not followed")
    path = PathV(posixpath.join(folder, name.value), frozenset({val.FROM_FILE}))
    models.file(site, path, "read", "file", options={})
    text = models.text_of_file(path) if "text" in site.name else None
    return text if text is not None else Unk("the contents of a file of a package")


def _folder(models: Models, anchor: V | None) -> str | None:
    run = models.run
    if isinstance(anchor, Mod):
        file = anchor.state.file
    else:
        name = anchor.value if isinstance(anchor, Const) else None
        if anchor is None and run.frame is not None:
            name = run.frame.state.package
        if not isinstance(name, str) or not name:
            return None
        found = run.program.finder.find(name)
        if found is None:
            return None
        file = found.file
    # A module that is no package stands for the package around it (since Python 3.12).
    return posixpath.dirname(file) if isinstance(file, str) else None
