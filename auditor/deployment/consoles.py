"""Console scripts that a project of the repository declares."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re

if TYPE_CHECKING:
    from auditor.deployment.view import View

_ENTRY = re.compile(r"([A-Za-z0-9_.-]+)\s*=\s*([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)")
_MAX = 200_000


def console_scripts(view: View, folder: str) -> dict[str, str]:
    """``{program: "module:function"}`` of the project in a directory of the image."""
    found: dict[str, str] = {}
    text = view.text(posixpath.join(folder, "pyproject.toml"))
    if text is not None and len(text.text) < _MAX:
        found.update(_declared(text.text))
    for name in ("setup.cfg", "setup.py"):
        text = view.text(posixpath.join(folder, name))
        if text is not None and len(text.text) < _MAX and "console_scripts" in text.text:
            part = text.text.partition("console_scripts")[2]
            # Up to the next group of entry points, or the next section.
            part = re.split(r"\]|\n\[|\n\n", part.lstrip("\"'] :=\t"), maxsplit=1)[0]
            found.update(_ENTRY.findall(part))
    return found


def _declared(text: str) -> Iterator[tuple[str, str]]:
    import tomllib

    try:
        data: Any = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    for keys in (("project", "scripts"), ("tool", "poetry", "scripts")):
        table: Any = data
        for key in keys:
            table = table.get(key) if isinstance(table, dict) else None
        for name, target in table.items() if isinstance(table, dict) else ():
            if isinstance(target, str) and ":" in target:
                yield name, target
