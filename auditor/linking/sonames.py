"""Shared objects and programs: which distributions need them, and which system package has them.

Knowledge: ``syslibs.json.gz`` (needs, from wheels, code and executed imports) and
``apt-<suite>.json.gz`` (Debian's packages: names, what each brings, who has a file).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

from auditor import lazy_re as re
from auditor.catalog import Sections, knowledge
from auditor.values import value

# Ubuntu releases and the Debian release whose package names they share, as far as these tables go.
_UBUNTU = {
    "18.04": "bullseye", "20.04": "bullseye", "22.04": "bookworm", "24.04": "trixie"
}  # fmt: skip
NEWEST = "trixie"
SUITES = ("bullseye", "bookworm", "trixie")


@value
class Need:
    """Something that a distribution needs of the system.

    ``names`` are sonames or programs of which any one will do. ``when``: ``import`` of ``module``
    (empty: of any of its modules), ``call`` of what it is for, ``build`` from source; then
    ``packages`` names what building takes, and otherwise what goes with the program (by Debian's
    names: fonts and styles of TeX, a browser's driver). ``how``: ``elf`` (the wheel's files say so), ``code``
    (its code loads or starts it), ``executed`` (an import in a slim image failed for it).
    """

    distribution: str
    names: tuple[str, ...] = ()
    kind: Literal["library", "program"] = "library"
    when: Literal["import", "call", "build"] = "import"
    how: Literal["elf", "code", "executed"] = "code"
    module: str = ""
    # Of no use without it; otherwise only some of its functions need it.
    always: bool = True
    # Counts only when project code imports the distribution itself.
    direct: bool = False
    # Whoever requires the distribution calls what needs it: a bridge to another language.
    through: bool = False
    packages: tuple[str, ...] = ()
    # The release was read or executed, not only its neighbours.
    exact: bool = False
    # Its code names it in passing, or few use what needs it: nothing is installed for the
    # distribution's sake.
    hint: bool = False

    @property
    def name(self) -> str:
        """The first of the names: what messages call it."""
        return self.names[0] if self.names else ""


def _needs_table() -> dict[str, Any]:
    table: dict[str, Any] = knowledge("syslibs.json.gz")
    return table


def listed(distribution: str) -> bool:
    """Whether the shipped table knows this distribution (also that it needs nothing)."""
    return distribution in _needs_table()["distributions"]


def came_along(distribution: str) -> bool:
    """Whether it was there where another one was executed in a bare image, and nothing was missing
    for it; or is read with those that bring it.
    """
    names, alongside = _along()
    return distribution in names or alongside.match(distribution) is not None


@lru_cache(maxsize=1)
def _along() -> tuple[frozenset[str], re.Pattern[str]]:
    table = _needs_table()
    return frozenset(table["along"]), re.compile(table["alongside"])


def known(distribution: str, version: str | None = None) -> bool:
    """Whether anything can be said of this release (also that it needs nothing)."""
    if listed(distribution):
        return True
    from auditor import online

    index = online.active()
    if index is None:
        return False
    from auditor.online import needs as from_wheel

    return from_wheel.is_read(index, distribution, version)


def needs(
    distribution: str, version: str | None = None, *, libc: str | None = "glibc"
) -> tuple[Need, ...]:
    """What the release needs; without a version, what the newest needs.

    Of a musl image only what does not depend on the wheel's files is known. Of a distribution
    that the table does not know, the wheel is read where the index may be asked.
    """
    if not listed(distribution):
        from auditor import online

        index = online.active()
        if index is None or libc == "musl":
            return ()
        from auditor.online import needs as from_wheel

        return from_wheel.needs(index, distribution, version)
    return _known_needs(distribution, version, libc)


@lru_cache(maxsize=1024)
def _known_needs(distribution: str, version: str | None, libc: str | None) -> tuple[Need, ...]:
    """What the table says."""
    row = _needs_table()["distributions"].get(distribution)
    if row is None:
        return ()
    found: list[Need] = []
    if libc != "musl":
        found += _elf_needs(distribution, version, row)
    for need in row.get("needs", ()):
        specifier = need.get("specifier")
        if specifier and version and not _admits(specifier, version):
            continue
        if specifier and not version and specifier.startswith("<"):
            continue
        if need.get("build") and not _is_built(distribution, version):
            # A wheel brings what a build would link.
            continue
        names = tuple(need.get("lib") or need.get("program") or ())
        common = {"distribution": distribution, "how": need["how"], "exact": True}
        if names and not any(n.names == names for n in found):
            found.append(
                Need(
                    names=names,
                    kind="program" if "program" in need else "library",
                    when=need.get("when", "import"),
                    module=need.get("module", ""),
                    always=need.get("always", need.get("when", "import") == "import"),
                    direct=need.get("direct", False),
                    through=need.get("through", False),
                    hint=need.get("hint", False),
                    packages=tuple(need.get("with", ())),
                    **common,
                )
            )
        if need.get("build"):
            found.append(Need(when="build", packages=tuple(need["build"]), **common))
    return tuple(found)


# Whatever is compiled against CPython takes these two. Of what nobody built here, every fifth is
# C++ (as executed builds show), and g++ brings the compiler for C: it is named, and either will do.
PLAIN_BUILD = ("g++|gcc", "libc6-dev")


def build_packages(distribution: str, version: str | None = None) -> tuple[str, ...]:
    """What compiling a release takes, by Debian's names; alternatives as ``a|b``."""
    row = _needs_table()["distributions"].get(distribution, {})
    for need in row.get("needs", ()):
        specifier = need.get("specifier")
        if need.get("build") and not (specifier and version and not _admits(specifier, version)):
            return tuple(need["build"])
    if not listed(distribution):
        found = (need.packages for need in needs(distribution, version) if need.when == "build")
        return next(found, PLAIN_BUILD)
    return PLAIN_BUILD


def build_known(distribution: str, packages: Collection[str]) -> bool:
    """Whether the packages are what compiling it takes, not only what everything compiled takes."""
    row = _needs_table()["distributions"].get(distribution, {})
    plain = {"g++", "gcc", "libc6-dev", "python3-dev"}
    return any("build" in need for need in row.get("needs", ())) or not {*packages} <= plain


def unless(distribution: str) -> Mapping[str, tuple[str, ...]]:
    """Distributions that bring a library themselves, by the library's name."""
    row = _needs_table()["distributions"].get(distribution, {})
    return {
        (need.get("lib") or need.get("program"))[0]: tuple(need["unless"])
        for need in row.get("needs", ())
        if "unless" in need
    }


def leads_to(module: str, names: Iterable[str]) -> tuple[str, ...]:
    """Distributions that a name of another library imports when it is used."""
    table: dict[str, list[str]] = _needs_table()["leads"]
    tops = (module, *(f"{module}.{name}" for name in names))
    return tuple(dict.fromkeys(d for top in tops for d in table.get(top, ())))


def of_models() -> tuple[str, ...]:
    """Libraries whose models are pickled, and whose import needs something of the system."""
    return tuple(_needs_table()["models"])


# Their `java` is an alternative that the package registers when it is set up; no file list has it.
_RUNS_JAVA = re.compile(
    r"(?:openjdk|default|temurin|zulu|java|msopenjdk)-?[\d.]*(?:.*-)?(?:jre|(?:open)?jdk)\b"
)


def set_up_by(package: str) -> tuple[str, ...]:
    """Programs that a package brings and that are none of its files."""
    return ("java",) if _RUNS_JAVA.match(package) else ()


def lazy(distribution: str) -> tuple[str, ...]:
    """What a distribution requires but does not import when it is imported itself."""
    return tuple(_needs_table()["lazy"].get(distribution, ()))


def _elf_needs(distribution: str, version: str | None, row: dict[str, Any]) -> list[Need]:
    rows = row.get("elf", ())
    if not rows:
        return []
    chosen = rows[-1]
    if version is not None:
        from packaging.version import InvalidVersion, Version

        try:
            wanted = Version(version)
            chosen = next(
                r for r in reversed(rows) if r["from"] is None or Version(r["from"]) <= wanted
            )
        except InvalidVersion:
            return []
    return [
        Need(
            distribution=distribution,
            names=(lib,),
            how=how,
            exact=version in row.get("checked", ()),
        )
        for lib, how in chosen["libs"].items()
    ]


def _is_built(distribution: str, version: str | None) -> bool:
    """Whether the release has no wheel for Linux, as far as the wheel table knows."""
    row = knowledge("wheels.json.gz")["distributions"].get(distribution)
    if row is None or not row["releases"]:
        return True
    release = row["releases"].get(version or "") or list(row["releases"].values())[-1]
    return not release.get("g")


@lru_cache(maxsize=256)
def _admits(specifier: str, version: str) -> bool:
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except InvalidVersion:
        return False


class Release:
    """The packages of one Debian release, as far as they matter here."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        # Tens of thousands of rows in a few dozen strings: one is opened and searched, never split.
        self._rows = Sections(f"apt-{suite}.json.gz")
        self._table: dict[str, Any] = self._rows.head
        self._matter: list[str] = self._table["matter"].split()
        self._left_out = re.compile(self._table["left_out"])

    def _row(self, package: str) -> str | None:
        return _look_up(self._rows.part_with("packages", package), package)

    def _mask(self, number: int) -> str:
        part, index = divmod(number, self._table["masks"])
        mask: str = self._rows.part("masks", part).split(";")[index]
        return mask

    def kind(self, package: str) -> Literal["real", "virtual", "choice", "none"] | None:
        """``virtual``: one package provides it, which apt then takes; ``choice``: several do,
        and apt refuses; ``none``: no such name. None: the table leaves names like it out.
        """
        row = self._row(package)
        if row is None:
            return None if self._left_out.match(package) else "none"
        return "real" if row[0] == "R" else "choice" if row == "C" else "virtual"

    def standing_for(self, package: str) -> str | None:
        """The package that apt installs for a virtual name of one provider; None for others."""
        row = self._row(package)
        return row if row and row[0] not in "RC" else None

    def brings(self, packages: Iterable[str], *, recommends: bool) -> frozenset[str]:
        """The packages that matter among those that installing ``packages`` adds."""
        found: set[str] = set()
        for package in packages:
            row = self._row(package)
            if row and row[0] not in "RC":
                row = self._row(row)
            if not row or row[0] != "R" or len(row) < 2:
                continue
            mask = row[1:].split(",")[-1 if recommends else 0]
            found.update(self._matter[int(i)] for i in self._mask(int(mask)).split())
        return frozenset(found)

    def library(self, soname: str) -> str | None:
        """The package that has a shared object in the loader's path."""
        return _look_up(self._rows.part_with("libraries", soname), soname)

    def versions_of(self, name: str) -> tuple[str, ...]:
        """The sonames that loading by ``name`` finds: itself, or every ``libname.so.N``."""
        if ".so" in name:
            return (name,) if self.library(name) is not None else ()
        found: list[str] = []
        head = f";lib{name}.so."
        for rows in self._rows.parts("libraries"):
            start = rows.find(head)
            while start >= 0:
                found.append(rows[start + 1 : rows.index("=", start)])
                start = rows.find(head, start + 1)
        return tuple(sorted(found))

    def program(self, name: str) -> str | None:
        """The package that has a program; the older suites say where they differ from the newest."""
        found = _look_up(self._rows.part_with("programs", name), name)
        if found is None and self.suite != NEWEST:
            return release(NEWEST).program(name)
        return found or None

    def provider(self, need: Need) -> str | None:
        """The package that answers a need: the first of its names that the release has."""
        look = self.library if need.kind == "library" else self.program
        return next((p for p in map(look, need.names) if p), None)

    def spoken(self, package: str) -> str:
        """The name to install a package by: the older one where this release still takes it.

        ``libglib2.0-0`` installs ``libglib2.0-0t64`` where that replaced it, and it is right on
        the releases before too: a tag that moves to another release does not break the line. A
        package that has the file and does not work by itself is asked for by another.
        """
        package = self._table["install"].get(package, package)
        older = package.removesuffix("t64")
        return older if older != package and self.kind(older) == "virtual" else package

    def base(self, flavour: str) -> frozenset[str] | None:
        """The packages that matter in a base image of that flavour; None when not known."""
        found = self._table["bases"].get(flavour)
        return frozenset(found) if found is not None else None

    def replacement(self, package: str) -> str | None:
        """What to install instead of a package that this release does not have."""
        named = _needs_table()["renamed"].get(package, ())
        for candidate in (*named, f"{package}t64", package.removesuffix("t64")):
            if candidate != package and self.kind(candidate) in ("real", "virtual"):
                return str(candidate)
        if (other := self._numbered(package, last=True)) is not None:
            return other
        for suite in SUITES:
            if suite != self.suite:
                for soname in release(suite).libraries_of(package):
                    if (here := self.library(soname)) is not None:
                        return here
        return self._numbered(package, last=False)

    def _numbered(self, package: str, *, last: bool) -> str | None:
        """The newest package of the same name with another (last) number: ``libicu72`` for
        ``libicu67``.
        """
        parts = re.split(r"\d+(?:\.\d+)*", package)
        stem = parts[0]
        if len(parts) < 2 or len(stem) < 3 or package.startswith("python2"):
            return None
        if last:
            end = len(package) - len(parts[-1])
            parts = [re.split(r"\d+(?:\.\d+)*$", package[:end])[0], parts[-1]]
        alike = re.compile(f";({r'[0-9.]+'.join(map(re.escape, parts))}(?:t64)?)=R")
        # Rows are sorted: names that differ in their numbers stand close together.
        nearby = {self._rows.part_with("packages", f"{stem}{digit}") for digit in "0123456789~"}
        found = {name for rows in nearby for name in alike.findall(rows)}
        return max(found, key=_numbers, default=None)

    def libraries_of(self, package: str) -> list[str]:
        """The shared objects that a package has."""
        found: list[str] = []
        for rows in self._rows.parts("libraries"):
            end = rows.find(f"={package};")
            while end >= 0:
                found.append(rows[rows.rindex(";", 0, end) + 1 : end])
                end = rows.find(f"={package};", end + 1)
        return found


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", name.removesuffix("t64"))))


def _look_up(rows: str, key: str) -> str | None:
    """The value of ``;key=value;`` in a table that is one string."""
    start = rows.find(f";{key}=")
    if start < 0 or ";" in key:
        return None
    start += len(key) + 2
    return rows[start : rows.index(";", start)]


@lru_cache(maxsize=len(SUITES))
def release(suite: str) -> Release:
    """The table of one suite; KeyError when there is none."""
    if suite not in SUITES:
        raise KeyError(suite)
    return Release(suite)


def suite_of(distro: str | None, number: str | None) -> tuple[str, bool] | None:
    """(suite whose package names hold, verified) for a distribution's release; None without one."""
    if distro == "debian" and number in SUITES:
        return number, True
    if distro == "ubuntu":
        return _UBUNTU.get(number or "", "bookworm"), False
    return None


def apk_package(names: Collection[str]) -> str | None:
    """The Alpine package that has a library or program, as far as names are established."""
    table: dict[str, str] = _needs_table()["apk"]
    return next((table[n] for n in names if n in table), None)


def apk_brings(packages: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """What Alpine's packages bring, by the names of Debian's newest release, and those of which
    that is not known.

    Alpine's own dependencies are those of the shared objects, as Debian's are: ``pango`` brings
    ``glib`` on both. Headers (``-dev``) bring their libraries.
    """
    table = _needs_table()
    owned: dict[str, list[str]] = {}
    for name, package in table["apk"].items():
        owned.setdefault(package, []).append(name)
    debian = release(NEWEST)
    found: set[str] = set()
    unknown: list[str] = []
    for package in packages:
        names = owned.get(package) or owned.get(package.removesuffix("-dev"))
        if names is None and package not in table["apk_plain"]:
            unknown.append(package)
        there = [debian.library(n) or debian.program(n) for n in names or ()]
        found.update(p for p in there if p)
    return frozenset(found) | debian.brings(sorted(found), recommends=False), tuple(unknown)


def apk_build(names: Collection[str]) -> tuple[str, ...]:
    """Alpine's package for one of Debian's that building takes; empty when not established."""
    table: dict[str, str] = _needs_table().get("apk_build", {})
    return next(((table[n],) for n in names if n in table), ())


def rpm_capability(need: Need) -> str:
    """What dnf installs a library or program by, whatever the package is called."""
    return f"'{need.name}()(64bit)'" if need.kind == "library" else f"/usr/bin/{need.name}"


def dnf_line(packages: Iterable[str]) -> str:
    """The command that installs these on systems of the Red Hat family."""
    return f"dnf install -y {' '.join(dict.fromkeys(packages))}"


# Slim images that keep no directories of manual pages (those before the summer of 2021, and such
# as strip them) break the links that these packages make there.
_LINKS_MANUALS = re.compile(r"(default|openjdk-\d+)-(jre|jdk)")


def apt_line(packages: Iterable[str]) -> str:
    """The command that installs these on Debian and Ubuntu."""
    listed = list(dict.fromkeys(packages))
    names = " ".join(listed)
    first = "mkdir -p /usr/share/man/man1 && " if any(map(_LINKS_MANUALS.match, listed)) else ""
    return f"{first}apt-get update && apt-get install -y --no-install-recommends {names}"


def apk_line(packages: Iterable[str]) -> str:
    """The command that installs these on Alpine."""
    return f"apk add --no-cache {' '.join(dict.fromkeys(packages))}"
