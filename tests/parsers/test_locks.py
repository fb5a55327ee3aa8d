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


# --- conda-lock --------------------------------------------------------------------------

CONDA = DATA / "conda-lock"
SUBDIRS = {
    "linux-64": ("linux", "x86_64"),
    "osx-arm64": ("darwin", "arm64"),
    "win-64": ("win32", "x86_64"),
}


def explicit(path: Path) -> set[str]:
    """The archives of conda and the direct references of pip in an explicit file."""
    lines = path.read_text().splitlines()
    return {
        line.partition(" @ ")[2] if line.startswith("# pip ") else line
        for line in lines
        if line.startswith("# pip ") or not line.startswith(("#", "@"))
    }


def reference(package: locks.LockedPackage) -> str:
    origin = package.source
    hashes = dict(h.split(":", 1) for h in package.hashes)
    if origin.kind == "git":
        return f"git+{origin.value}@{origin.rev}"
    digest = hashes["md5"] if package.manager == "conda" else f"sha256={hashes['sha256']}"
    return f"{origin.value}#{digest}"


@pytest.mark.parametrize("subdir", SUBDIRS)
@pytest.mark.parametrize(
    ("choice", "groups", "extras"),
    [("main", (), ()), ("dev", ("dev",), ()), ("plots", (), ("plots",))],
)
def test_a_selection_is_what_conda_lock_renders(subdir, choice, groups, extras):
    read = locks.parse(source(CONDA / "conda-lock.yml"))
    assert not read.problems
    platform, machine = SUBDIRS[subdir]
    chosen = read.select("3.11", platform, machine=machine, groups=groups, extras=extras)
    assert not chosen.undecided
    rendered = explicit(CONDA / f"explicit-{choice}-{subdir}.txt")
    assert len(rendered) > 5
    assert {reference(p) for p in chosen.packages} == rendered


def test_the_fields_of_a_conda_lock():
    read = locks.parse(source(CONDA / "conda-lock.yml"))
    assert (read.version, read.python, read.generator) == ("1", "3.11.9", "conda-lock")
    assert read.sources == ("environment.yml", "dev.yml", "plots.yml")
    assert read.indexes == ("file:///project/channel",)
    packages = {(p.name, p.platform): p for p in read.packages}
    base = packages["libbase", "linux-64"]
    assert (base.version, base.manager, base.source.kind) == ("13.2.0", "conda", "conda")
    assert base.files == ("libbase-13.2.0-h77fa898_7.conda",)
    assert [h.partition(":")[0] for h in base.hashes] == ["md5", "sha256"]
    assert [(e.name, e.specifier) for e in base.dependencies] == [
        ("-glibc", ">=2.17"),
        ("-libc-mutex", "0.1"),
    ]
    shared = read.find("colourkit")
    assert {(p.groups, p.optional) for p in shared} == {(("dev",), True), (("plots",), True)}
    assert {p.groups for p in read.find("numkit")} == {("main",)}
    direct = packages["colorlog", "win-64"]
    assert (direct.manager, direct.source.kind) == ("pip", "url")
    assert direct.files == ("colorlog-6.8.2-py3-none-any.whl",)
    assert [e.name for e in direct.dependencies] == ["colorama"]
    assert packages["iniconfig", "linux-64"].source.kind == "registry"
    widget = packages["widget", "linux-64"]
    assert (widget.source.kind, widget.source.value) == ("git", "https://git.invalid/widget.git")
    assert len(widget.source.rev) == 40
    assert widget.hashes == ()
    assert read.hashed


ENTRY = """\
- {name: six, version: "1.16", manager: pip, platform: linux-64, dependencies: {},
   url: "https://h.invalid/six-1.16-py3-none-any.whl", hash: {sha256: ab, md5: null}%s}
"""


def conda_lock(entries: str, version: str = "version: 1\n") -> locks.Lock:
    return locks.parse(SourceText("conda-lock.yml", f"{version}package:\n{entries}"))


def test_categories_of_both_formats():
    one = conda_lock(ENTRY % ", category: dev, optional: true")
    two = conda_lock(ENTRY % ", categories: [dev, docs]", "version: 2\n")
    assert not one.problems + two.problems
    assert [p.groups for p in one.packages + two.packages] == [("dev",), ("dev", "docs")]
    assert all(p.optional and p.hashes == ("sha256:ab",) for p in one.packages + two.packages)
    assert two.select("3.11", groups=["docs"]).versions == {"six": "1.16"}
    assert two.select("3.11").versions == {}


def test_a_virtual_package_is_not_installed():
    text = ENTRY.replace("name: six", "name: __glibc").replace("manager: pip", "manager: conda")
    read = conda_lock(text % ", optional: false")
    assert not read.packages
    assert not read.problems


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a\n", "not a conda lock"),
        ("", "not a conda lock"),
        ("version: 1\n", "without a list `package`"),
        ("version: 1\npackage: {}\n", "without a list `package`"),
        ("package: []\n", "this has no version"),
        ("version: 3\npackage: []\n", "this has version 3"),
        ("version: 1\npackage:\n- six\n", "rejects 1 entries of the lock: not a mapping"),
        ("version: 1\npackage:\n" + ENTRY % "", "no optional"),
        ("version: 1\npackage:\n- {name: six}\n", "no version, manager, platform, url, hash"),
        (
            "version: 1\npackage:\n"
            + ENTRY.replace("manager: pip", "manager: npm") % ", optional: false",
            "a manager that is neither",
        ),
        (
            "version: 1\npackage:\n"
            + ENTRY.replace("manager: pip", "manager: conda").replace(", md5: null", "")
            % ", optional: false",
            "without md5",
        ),
    ],
)
def test_what_conda_lock_rejects_is_told(text, told):
    read = locks.parse(SourceText("conda-lock.yml", text))
    assert told in " ".join(p.message for p in read.problems)


def test_every_platform_of_conda_can_be_selected():
    entry = ENTRY.replace("linux-64", "linux-ppc64le") % ", optional: false"
    read = conda_lock(entry)
    assert read.select("3.11", machine="ppc64le").versions == {"six": "1.16"}
    assert read.select("3.11").versions == {}


def test_sources_without_a_commit_and_of_this_machine():
    git = ENTRY.replace("https://h.invalid/six-1.16-py3-none-any.whl", "git+ssh://git@h.invalid/s")
    path = ENTRY.replace("https://h.invalid/six-1.16-py3-none-any.whl", "file:///srv/six")
    read = conda_lock((git + path) % (", optional: false", ", optional: false"))
    assert [(p.source.kind, p.source.value, p.source.rev) for p in read.packages] == [
        ("git", "ssh://git@h.invalid/s", None),
        ("path", "/srv/six", None),
    ]
