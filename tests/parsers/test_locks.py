"""Locks against what the tools that wrote them say they install."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.parsers import locks, pyproject, requirements
from auditor.source import SourceText

DATA = Path(__file__).parent.parent / "data" / "locks"
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
PLATFORMS = ("linux", "win32", "darwin")


def source(path: Path) -> SourceText:
    return SourceText.decode(str(path.relative_to(DATA)), path.read_bytes())


def exported(path: Path, python: str, platform: str) -> dict[str, str | None]:
    """Name and version of the lines of an export whose markers hold there."""
    from packaging.markers import Marker

    environment = locks.marker_environment(python, platform)
    found: dict[str, str | None] = {}
    for requirement in requirements.parse(source(path)).requirements:
        if requirement.marker and not Marker(requirement.marker).evaluate(dict(environment)):
            continue
        name = requirement.key or Path(requirement.path or "").name
        found[requirements.normalise(name)] = requirement.pinned_version
    return found


def selected(selection: locks.Selection) -> dict[str, str | None]:
    """The same from a selection: local and git packages are exported without a version."""
    return {
        p.name: p.version if p.source.kind in ("registry", "conda") else None
        for p in selection.packages
    }


CASES = [
    ("uv/uv.lock", "uv/export.txt", (), (), True),
    ("uv/uv.lock", "uv/export-extra-data.txt", (), ("data",), True),
    ("uv/uv.lock", "uv/export-group-dev.txt", ("dev",), (), True),
    (
        "uv/uv.lock",
        "uv/export-extras-data-plots-group-test.txt",
        ("test",),
        ("data", "plots"),
        True,
    ),
    ("uv/pylock.toml", "uv/export.txt", (), (), True),
    ("poetry/poetry.lock", "poetry/export.txt", (), (), True),
    ("poetry/poetry.lock", "poetry/export-extra-data.txt", (), ("data",), True),
    ("poetry/poetry.lock", "poetry/export-group-dev.txt", ("dev",), (), True),
    ("poetry/poetry.lock", "poetry/export-group-test.txt", ("test",), (), True),
    ("pdm/pdm.lock", "pdm/export.txt", (), (), True),
    ("pdm/pdm.lock", "pdm/export-extra-data.txt", (), ("data",), True),
    ("pdm/pdm.lock", "pdm/export-only-group-dev.txt", ("dev",), (), False),
    ("pipenv/Pipfile.lock", "pipenv/export.txt", (), (), True),
    ("pipenv/Pipfile.lock", "pipenv/export-group-develop.txt", ("develop",), (), True),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("lock", "export", "groups", "extras", "default"), CASES)
def test_a_selection_is_what_the_tool_exports(lock, export, groups, extras, default):
    read = locks.parse(source(DATA / lock))
    assert not read.problems
    for python in PYTHONS:
        for platform in PLATFORMS:
            selection = read.select(python, platform, groups=groups, extras=extras, default=default)
            assert not selection.undecided
            assert selected(selection) == exported(DATA / export, python, platform), (
                python,
                platform,
            )


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("export", "group", "extras"),
    [
        ("export.txt", None, ()),
        ("export-extra-data.txt", None, ("data",)),
        ("export-group-test.txt", "test", ()),
    ],
)
def test_a_lock_of_poetry_1_needs_the_sources_roots(export, group, extras):
    read = locks.parse(source(DATA / "poetry1/poetry.lock"))
    facts = pyproject.parse(source(DATA / "poetry1/pyproject.toml"))
    roots = facts.dependencies + (facts.group(group).requirements if group else ())
    for python in PYTHONS:
        for platform in PLATFORMS:
            selection = read.select(python, platform, extras=extras, roots=roots)
            assert not selection.undecided
            assert selected(selection) == exported(DATA / "poetry1" / export, python, platform)
    assert read.select("3.11").undecided


@pytest.mark.parametrize("lock", ["uv/uv.lock", "poetry/poetry.lock", "poetry1/poetry.lock"])
def test_out_of_step_locks_are_told(lock):
    read = locks.parse(source(DATA / lock))
    facts = pyproject.parse(source((DATA / lock).parent / "pyproject.toml"))
    assert locks.disagreements(read, facts.dependencies) == ()
    changed = requirements.parse(SourceText("r.in", "flask>=99\nnot-there\n")).requirements
    kinds = [d.kind for d in locks.disagreements(read, changed)]
    assert kinds == ["unsatisfied", "missing"]
