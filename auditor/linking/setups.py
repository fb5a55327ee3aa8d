"""What a source archive's setup script imports and no one declares: building it fails where that
is not there yet.

Knowledge: ``undeclared`` of ``syslibs.json.gz``, read from source archives; of others the archive
is read where the index may be asked.
"""

from __future__ import annotations

from typing import Any

from auditor.catalog import knowledge
from auditor.values import value

# Images of these Pythons bring setuptools and wheel, and their pip builds an archive without a
# pyproject.toml among what is installed.
_NEWEST_UNISOLATED = (3, 11)
# Setuptools without pkg_resources is for this Python and newer ones.
_WITHOUT_RESOURCES = (3, 9)


@value
class Undeclared:
    """``modules`` are imported first. ``alone``: whatever is installed, the build does not see it
    (without ``--no-build-isolation``).
    """

    modules: tuple[str, ...]
    alone: bool

    @property
    def error(self) -> str:
        """What the build says."""
        return f"ModuleNotFoundError: No module named '{self.modules[0]}'"


def undeclared(name: str, version: str | None, python: str) -> Undeclared | None:
    """What building a release on that Python takes that pip does not bring; None without any."""
    row = _row(name, version)
    numbers = tuple(int(part) for part in python.split(".")[:2] if part.isdigit())
    if row is None or len(numbers) < len(("major", "minor")):
        return None
    modules = tuple(
        m for m in row["modules"] if m != "pkg_resources" or numbers >= _WITHOUT_RESOURCES
    )
    alone = bool(row["isolated"]) or numbers > _NEWEST_UNISOLATED
    return Undeclared(modules=modules, alone=alone) if modules else None


def _row(name: str, version: str | None) -> dict[str, Any] | None:
    rows = knowledge("syslibs.json.gz").get("undeclared", {}).get(name)
    if rows is not None:
        return _of_release(rows, version)
    from auditor import online

    index = online.active()
    if index is None:
        return None
    from auditor.online.needs import undeclared as from_archive

    return from_archive(index, name, version)


def _of_release(rows: dict[str, dict[str, Any]], version: str | None) -> dict[str, Any] | None:
    """The row of a release, or that of its neighbours on both sides where they say the same."""
    from packaging.version import InvalidVersion, Version

    read = sorted(rows, key=Version)
    if version is None:
        return rows[read[-1]]
    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    below = [rows[v] for v in read if Version(v) <= wanted]
    above = [rows[v] for v in read if Version(v) >= wanted]
    near = [*below[-1:], *above[:1]]
    return near[0] if below and all(row == near[0] for row in near) else None
