"""A release's source archive, where there is no wheel: its modules, and what building it takes."""

from __future__ import annotations

import ast
import io
import posixpath
import tarfile
import tomllib
import zipfile
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.online.session import OnlineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditor.online.session import Session

# Archives larger than this are not fetched, and so much of one is unpacked.
LARGEST = 24 << 20
UNPACKED = 96 << 20
MOST_MEMBERS = 20_000
_KEPT = re.compile(r"\.(py|pyx|jar)$|(^|/)(PKG-INFO|requires\.txt|pyproject\.toml)$")
_ASIDE = re.compile(r"(^|/)(tests?|docs?|examples?|benchmarks?)/")
_SOURCE = re.compile(r"\.(c|cc|cpp|cxx|cu|pyx|f|f90|i)$")
# What a setup script says when it has something to compile.
_COMPILES = re.compile(
    r"\b(ext_modules|Extension|cffi_modules|cythonize|RustExtension|rust_extensions|CMakeExtension)\b"
)
# The libraries of an extension, as a list, or one more of them.
_LIBRARIES = re.compile(
    r"\blibraries\s*(?:\+?=|\.extend\(|\.append\()\s*(\[[^\]]{0,2000}\]|['\"][^'\"\n]*['\"])"
)
# Back ends that compile.
_BACK_ENDS = re.compile(
    r"^(maturin|scikit_build_core|skbuild|mesonpy|setuptools_rust|py_build_cmake)"
)


class SourceArchive:
    """The members of a source archive, by their paths once it is installed.

    Methods raise OnlineError when something cannot be read.
    """

    def __init__(self, session: Session, url: str) -> None:
        data = session.get(url, limit=LARGEST).data
        self._texts: dict[str, bytes] = {}
        self._every: list[str] = []
        try:
            for path, content in _members(url, data):
                # name-1.0/src/name/module.py
                inner = path.partition("/")[2]
                self._every.append(inner)
                if content is not None:
                    self._texts[inner.removeprefix("src/")] = content
        except Exception as error:  # archives that are damaged or lie fail in many ways
            raise OnlineError(f"the archive is not readable ({type(error).__name__})") from error
        self.names = tuple(self._texts)

    def size(self, name: str) -> int:
        """It is here already."""
        return 0

    def read(self, name: str, limit: int = -1) -> bytes:
        """A member's bytes."""
        content = self._texts[name]
        return content if limit < 0 else content[:limit]

    def metadata(self) -> str:
        """The text of PKG-INFO, with what the requirements file beside it lists."""
        held = next((self._text(n) for n in self.names if n.endswith("PKG-INFO")), "")
        if "\nRequires-Dist:" in held:
            return held
        head, blank, rest = held.partition("\n\n")
        listed = next((self._text(n) for n in self.names if n.endswith("/requires.txt")), "")
        # The first part, before "[extra]", is required always.
        plain = re.split(r"^\[", listed, maxsplit=1, flags=re.MULTILINE)[0]
        lines = [f"Requires-Dist: {line}" for line in plain.splitlines() if line.strip()]
        return "\n".join([head, *lines]) + blank + rest

    def _text(self, name: str) -> str:
        return self._texts[name].decode("utf-8", "replace") if name in self._texts else ""

    def build(self) -> tuple[str, ...]:
        """The packages that building it takes, by Debian's names; empty where nothing is compiled."""
        setup = self._text("setup.py")
        system = self._build_system()
        back_end = str(system.get("build-backend", ""))
        if not _COMPILES.search(setup) and not _BACK_ENDS.match(back_end):
            return ()
        brought = {re.split(r"[^\w.-]", str(r))[0].lower() for r in _listed(system, "requires")}
        kinds = {m[1] for n in self._every if not _ASIDE.search(n) and (m := _SOURCE.search(n))}
        plusplus = kinds & {"cc", "cpp", "cxx", "cu"} or "c++" in setup.lower()
        found = ["g++" if plusplus else "gcc", "libc6-dev"]
        if kinds & {"f", "f90"}:
            found.append("gfortran")
        if any(n.rpartition("/")[2] == "Cargo.toml" for n in self._every):
            found.append("cargo")
        if "i" in kinds and "swig" not in brought:
            found.append("swig")
        lists = [n for n in self._every if n.endswith("CMakeLists.txt") and not _ASIDE.search(n)]
        cmake = bool(lists) and (back_end.startswith("skbuild") or "cmake" in setup)
        if cmake and not brought & {"cmake", "scikit-build-core"}:
            found += ["cmake", "make"]
        if re.search(r"pkg-?config", setup) or back_end == "mesonpy":
            found.append("pkg-config|pkgconf")
        found += _headers(setup)
        found += _linked(setup)
        return tuple(dict.fromkeys(found))

    @property
    def is_isolated(self) -> bool:
        """Whether every pip builds it apart from what is installed."""
        return "pyproject.toml" in self._texts

    def undeclared(self) -> tuple[str, ...]:
        """The modules that its setup script imports first and that nothing brings: pip builds where
        only what ``pyproject.toml`` lists is installed.
        """
        from auditor.linking import distributions

        system = self._build_system()
        if not str(system.get("build-backend", "setuptools")).startswith("setuptools"):
            return ()
        brought = {"pkg_resources"} if _has_resources(system) else set()
        for text in ("setuptools", "wheel", *map(str, _listed(system, "requires"))):
            name = re.split(r"[^\w.-]", text)[0]
            brought |= {m.partition(".")[0] for m in distributions.modules_of(name.lower())}
            brought |= {name, name.lower().replace("-", "_")}
        # Beside the script, and what it is about.
        brought |= {n.partition("/")[0].removesuffix(".py") for n in (*self._every, *self.names)}
        try:
            body = ast.parse(self._text("setup.py")).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ()
        named = [
            name.partition(".")[0]
            for node in body
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
        ]
        known = (n for n in named if n and n not in brought and not distributions.is_stdlib(n))
        # Gone from the newest Pythons, and there for them by setuptools.
        return tuple(dict.fromkeys(n for n in known if n != "distutils"))

    def _build_system(self) -> dict[str, object]:
        try:
            table = tomllib.loads(self._text("pyproject.toml")).get("build-system", {})
        except (tomllib.TOMLDecodeError, RecursionError):
            return {}
        return table if isinstance(table, dict) else {}


# The first release of setuptools without it.
_WITHOUT_RESOURCES = "82.0.0"


def _has_resources(system: dict[str, object]) -> bool:
    """Whether a build gets a setuptools that still has ``pkg_resources``."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in map(str, _listed(system, "requires")):
        try:
            asked = Requirement(text)
        except InvalidRequirement:
            continue
        if asked.name.lower() == "setuptools":
            return not asked.specifier.contains(_WITHOUT_RESOURCES)
    return False


def _listed(table: dict[str, object], key: str) -> Iterable[object]:
    found = table.get(key)
    return found if isinstance(found, list) else ()


def _headers(setup: str) -> Iterator[str]:
    """The packages of the programs that tell how to link: ``pg_config``, ``krb5-config``."""
    from auditor.linking import sonames

    release = sonames.release(sonames.NEWEST)
    for name in dict.fromkeys(re.findall(r"['\"/ ]([a-z0-9]+[_-]config)\b", setup)):
        package = release.program(name)
        if package is not None and "-dev" in package:
            yield package


def _linked(setup: str) -> Iterator[str]:
    """The packages of the libraries that extensions are linked with: ``-lgmp`` takes libgmp-dev."""
    from auditor.linking import sonames

    release = sonames.release(sonames.NEWEST)
    names = (
        n for m in _LIBRARIES.finditer(setup) for n in re.findall(r"['\"]([\w.+-]+)['\"]", m[1])
    )
    for name in dict.fromkeys(names):
        package = f"lib{name.lower()}-dev"
        # Those of the C library (-lm, -ldl) have no package of their own.
        if release.kind(package) == "real":
            yield package
        elif (other := release.standing_for(package)) is not None:
            yield other


def _members(url: str, data: bytes) -> Iterator[tuple[str, bytes | None]]:
    """(path, contents where they matter) of regular files, within bounds."""
    left = UNPACKED
    if url.partition("#")[0].endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist()[:MOST_MEMBERS]:
                wanted = bool(_KEPT.search(info.filename)) and info.file_size <= left
                left -= info.file_size if wanted else 0
                if not info.is_dir():
                    yield _plain(info.filename), _zipped(archive, info) if wanted else None
        return
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
        for number, member in enumerate(archive):
            left -= member.size
            if number >= MOST_MEMBERS or left < 0:
                raise OnlineError("the archive is too large")
            if member.isreg():
                stream = archive.extractfile(member) if _KEPT.search(member.name) else None
                yield _plain(member.name), stream.read() if stream is not None else None


def _zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as stream:
        return stream.read(info.file_size)


def _plain(path: str) -> str:
    return posixpath.normpath(path).removeprefix("./").lstrip("/")
