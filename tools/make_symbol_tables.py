"""Generate ``rules/knowledge/symbols.json.gz`` from real wheels and real interpreters.

For each library that models are made of, one release per minor version is opened through HTTP
range requests: Python sources, stubs and, where pickles name them, the names inside compiled
modules are read; nothing is imported. Every wheel is read once and kept in the cache directory,
so that the script can be stopped and started again. The standard library is read from the
interpreters given with ``--stdlib`` (directories such as ``~/.pyenv/versions/3.9.18``).

    python tools/make_symbol_tables.py fetch [--cache DIR] [--only NAME ...]
    python tools/make_symbol_tables.py take SITE_PACKAGES --only NAME ... [--cache DIR]
    python tools/make_symbol_tables.py build [--cache DIR] [--stdlib DIR ...]

``take`` reads releases that are installed already: patch releases that differ from their minor's
last one, and libraries whose wheels are too large to be read from the index.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from make_distribution_table import RangeFile, _Links, index_url
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

HERE = Path(__file__).resolve().parent
KNOWLEDGE = HERE.parent / "rules" / "knowledge"
CACHE = HERE.parent / "build" / "symbols"

# Oldest minor version that is read, by distribution.
LIBRARIES: Final[dict[str, str]] = {
    "scikit-learn": "0.18",
    "numpy": "1.13",
    "scipy": "1.0",
    "pandas": "0.22",
    "joblib": "0.11",
    "cloudpickle": "0.5",
    "dill": "0.2.8",
    "xgboost": "0.80",
    "lightgbm": "2.1",
    "statsmodels": "0.10",
    "imbalanced-learn": "0.4",
    "category-encoders": "2.0",
    "catboost": "0.20",
    "keras": "2.3",
    "pytz": "2018.5",
    "torch": "1.8",
    "polars": "1.0",
    "gensim": "3.8",
    "hmmlearn": "0.2",
    "networkx": "2.2",
    "pydantic": "1.5",
    "feature-engine": "1.0",
    "sortedcontainers": "2.0",
    "patsy": "0.5",
    "python-dateutil": "2.8",
}
# Only the newest release: its modules do not change.
ONE_RELEASE: Final = frozenset({"pytz"})
# Releases differ by the third number here.
BY_PATCH: Final = frozenset({"dill"})
# Compiled modules whose names are read (prefixes); of others only the existence is known.
COMPILED: Final[dict[str, tuple[str, ...]]] = {
    "scikit-learn": ("sklearn/", "_loss"),
    "pandas": ("pandas/_libs",),
    "numpy": ("numpy/random/",),
    "scipy": ("scipy/spatial/_ckdtree", "scipy/spatial/ckdtree", "scipy/interpolate/_ppoly"),
}
# Of large libraries only these members are read; of the rest it is known that it exists.
ONLY: Final[dict[str, tuple[str, ...]]] = {
    "torch": (
        "torch/nn/", "torch/optim/", "torch/distributions/", "torch/utils/data/", "torch/_utils.py",
        "torch/_tensor.py", "torch/storage.py", "torch/serialization.py", "torch/functional.py",
    ),
}  # fmt: skip
# Of these it is also read which attributes an instance needs when it predicts.
NEEDS: Final = frozenset(
    {"scikit-learn", "scipy", "imbalanced-learn", "category-encoders", "xgboost", "lightgbm"}
)

# Of these it is read what their classes set whenever they make an instance.
MADE: Final = frozenset({"xgboost"})
# Of these it is read what importing them imports of others, required or not.
IMPORTED: Final = frozenset({"xgboost"})


class Blocks(RangeFile):
    """Wheels are read in larger pieces than metadata is."""

    BLOCK = 1 << 18


def releases(index: str, name: str) -> dict[Version, str]:
    """The last release of every minor version, with the URL of one wheel for Linux on x86-64."""
    page = f"{index.rstrip('/')}/{canonicalize_name(name)}/"
    with urllib.request.urlopen(page, timeout=120) as response:
        links = _Links()
        links.feed(response.read().decode())
    best: dict[tuple[int, ...], tuple[Version, int, str]] = {}
    for href, yanked in links.links:
        url = urllib.parse.urljoin(page, href).partition("#")[0]
        filename = urllib.parse.unquote(url.rpartition("/")[2])
        if yanked or not filename.endswith(".whl"):
            continue
        try:
            _, version, _, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            continue
        if version.is_prerelease or version < Version(LIBRARIES[name]):
            continue
        fitting = [
            t
            for t in tags
            if t.interpreter.startswith(("cp3", "py3", "py2.py3"))
            and not t.abi.endswith("t")
            and (
                t.platform == "any"
                or ("linux" in t.platform and "x86_64" in t.platform and "musl" not in t.platform)
            )
        ]
        if not fitting:
            continue
        depth = 3 if name in BY_PATCH else (0 if name in ONE_RELEASE else 2)
        minor = version.release[:depth]
        rank = max(
            int(t.interpreter[3:] or 0) if t.interpreter.startswith("cp3") else 0 for t in fitting
        )
        candidate = (version, rank, url)
        if minor not in best or candidate[:2] > best[minor][:2]:
            best[minor] = candidate
    return {version: url for version, _, url in best.values()}


def wanted(name: str, member: str) -> bool:
    """Whether a member of a wheel is read."""
    parts = member.split("/")
    if parts[0].endswith((".dist-info", ".data")) or "tests" in parts or "test" in parts:
        return False
    if name in ONLY and not member.startswith(ONLY[name]):
        return False
    if member.endswith((".py", ".pyi")):
        return True
    if member.endswith(".so"):
        return member.startswith(COMPILED.get(name, ("\0",)))
    return False


def fetch(name: str, version: Version, url: str, cache: Path) -> None:
    """Keep the interesting members of one wheel in a ZIP archive of their own."""
    target = cache / f"{name}-{version}.zip"
    if target.exists():
        return
    draft = target.with_suffix(".part")
    with (
        zipfile.ZipFile(Blocks(url)) as wheel,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as kept,
    ):
        files = wheel.namelist()
        kept.writestr("FILES", "\n".join([url.rpartition("/")[2], *files]))
        for info in sorted(wheel.infolist(), key=lambda i: i.header_offset):
            if wanted(name, info.filename):
                kept.writestr(info.filename, wheel.read(info))
    draft.rename(target)
    print(f"{name} {version}", flush=True)


def take(folder: Path, name: str, cache: Path) -> None:
    """Keep the interesting files of an installed release as ``fetch`` keeps those of a wheel."""
    for metadata in folder.glob("*.dist-info"):
        found, _, version = metadata.name.removesuffix(".dist-info").partition("-")
        if canonicalize_name(found) != name:
            continue
        record = (metadata / "RECORD").read_text().splitlines()
        files = [line.rpartition(",")[0].rpartition(",")[0].strip('"') for line in record]
        with zipfile.ZipFile(
            cache / f"{name}-{version}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1
        ) as kept:
            kept.writestr("FILES", "\n".join([f"{name} {version}, installed", *files]))
            for member in files:
                if wanted(name, member) and (folder / member).is_file():
                    kept.write(folder / member, member)
        print(f"{name} {version}", flush=True)


def fetch_requires(name: str, version: Version, url: str, cache: Path) -> None:
    """Keep what the release requires, from the metadata that the index serves beside the wheel."""
    target = cache / f"{name}-{version}.requires"
    if target.exists():
        return
    try:
        with urllib.request.urlopen(f"{url}.metadata", timeout=120) as response:
            text = response.read().decode("utf-8", "replace")
    except OSError:
        return
    lines = [line[14:].strip() for line in text.splitlines() if line.startswith("Requires-Dist:")]
    target.write_text("\n".join(line for line in lines if "extra ==" not in line))


def fetch_all(cache: Path, only: list[str]) -> None:
    """Every release of every library that is not in the cache yet."""
    cache.mkdir(parents=True, exist_ok=True)
    index = index_url()
    jobs: list[tuple[str, Version, str]] = []
    for name in only or LIBRARIES:
        for version, url in sorted(releases(index, name).items(), reverse=True):
            jobs.append((name, version, url))

    def one(job: tuple[str, Version, str]) -> None:
        try:
            fetch(*job, cache)
            fetch_requires(*job, cache)
        except (OSError, zipfile.BadZipFile) as error:
            print(f"{job[0]} {job[1]}: {error}", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, jobs))


# Run by each interpreter: names of every module of its standard library.
STDLIB_SCRIPT: Final = """
import ast, importlib, inspect, json, os, pkgutil, sys, sysconfig, warnings
warnings.simplefilter("ignore")
skip = {"test", "tests", "idlelib", "tkinter", "turtledemo", "antigravity", "this", "lib2to3",
        "turtle", "site-packages", "ensurepip", "pydoc_data", "__main__", "__phello__"}
root = sysconfig.get_paths()["stdlib"]
found = {}
names = set(sys.builtin_module_names)
folders = [root, os.path.join(root, "lib-dynload")]
for info in pkgutil.iter_modules(folders):
    if info.name not in skip:
        names.add(info.name)
# What the module's own __getattr__ gives, of the names that its source spells out.
def served(module):
    if "__getattr__" not in vars(module):
        return
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        text = getattr(node, "value", getattr(node, "s", None))
        if isinstance(text, str) and text.isidentifier() and not text.startswith("__"):
            try:
                getattr(module, text)
            except AttributeError:
                continue
            yield text
def add(name):
    if any(part in skip for part in name.split(".")) or name.endswith("__main__"):
        return
    try:
        module = importlib.import_module(name)
    except BaseException:
        found[name] = None
        return
    names = set(dir(module)) | set(served(module))
    found[name] = sorted(n for n in names if not (n.startswith("__") and n.endswith("__")))
    if hasattr(module, "__path__"):
        for info in pkgutil.iter_modules(module.__path__):
            add(name + "." + info.name)
for name in sorted(names):
    add(name)
# Where pickles find classes of the import system; no path leads to these two.
for name in ("os.path", "_frozen_importlib", "_frozen_importlib_external"):
    add(name)
import enum
shapes = {}
def shape(cls):
    if issubclass(cls, enum.Enum):
        if issubclass(cls, enum.Flag):
            return []
        rows = ["n:" + n for n in cls.__members__]
        values = [m.value for m in cls.__members__.values()]
        simple = all(type(v) is str or isinstance(v, int) for v in values)
        return rows + ["v:%s" % (v if isinstance(v, str) else int(v)) for v in values if simple]
    if issubclass(cls, ast.AST):
        return ["p:%d" % len(cls._fields)]
    if issubclass(cls, tuple) and hasattr(cls, "_fields") and hasattr(cls, "_make"):
        new = cls.__new__
        code = getattr(new, "__code__", None)
        if code is None or code.co_flags & 4:
            return []
        most = code.co_argcount - 1
        return ["p:%d" % most, "r:%d" % (most - len(new.__defaults__ or ()))]
    own = [c for c in cls.__mro__[:-1] if "__slots__" in vars(c)]
    if own and not getattr(cls, "__dictoffset__", 1) and "__setstate__" not in dir(cls):
        settable = [n for n in dir(cls) if hasattr(type(getattr(cls, n)), "__set__")]
        return ["s:" + n for n in settable if getattr(getattr(cls, n), "fset", cls) and n[:2] != "__"]
    return []
for name in list(found):
    module = sys.modules.get(name)
    for attribute, cls in list(vars(module).items()) if module else ():
        if isinstance(cls, type) and cls.__module__ == name and cls.__name__ == attribute:
            try:
                rows = [r for r in shape(cls) if len(r) < 80 and not any(c.isspace() for c in r)]
            except Exception:
                continue
            # Nodes of syntax trees are named by either module.
            homes = ("ast", "_ast") if issubclass(cls, ast.AST) else (name,)
            for home in homes if rows else ():
                shapes[home + "." + attribute] = rows
sys.stdout = sys.__stdout__
print(json.dumps([found, shapes]))
"""


class Merged:
    """Facts of several releases, each fact with the set of releases that share it."""

    def __init__(self, versions: list[str]) -> None:
        self.versions = versions
        self.modules: dict[str, int] = {}
        self.open: dict[str, int] = {}
        self.names: dict[tuple[str, str], int] = {}
        self.needs: dict[tuple[str, str], int] = {}
        self.aliases: dict[tuple[str, str], int] = {}
        # Compiled modules whose names were read: what is not among them is not there.
        self.compiled: dict[str, int] = {}
        self.renames: dict[tuple[str, str], int] = {}
        # Layouts that the unpickling functions of a compiled module accept.
        self.checksums: dict[tuple[str, str], int] = {}
        # class -> "Inner:attribute" that an Inner inside it does without, when it predicts.
        self.shields: dict[tuple[str, str], int] = {}
        # module -> Pythons under which importing it fails.
        self.fails: dict[tuple[str, str], int] = {}
        # class -> members, slots and counts of arguments, of those that differ between releases.
        self.shapes: dict[tuple[str, str], int] = {}
        # class -> what its instances are made with; "." for the releases that have it.
        self.made: dict[tuple[str, str], int] = {}
        # module of another distribution -> "." for releases that import it whenever they are.
        self.imports: dict[tuple[str, str], int] = {}
        # distribution -> what the release requires of it.
        self.requires: dict[tuple[str, str], int] = {}

    def add(self, bit: int, facts: dict[str, Any], classes: set[str]) -> None:
        for module, (names, open_ended) in facts["modules"].items():
            self.modules[module] = self.modules.get(module, 0) | bit
            if open_ended:
                self.open[module] = self.open.get(module, 0) | bit
            for name in names:
                if name.startswith("__") and name.endswith("__"):
                    continue
                self.names[module, name] = self.names.get((module, name), 0) | bit
        for cls, needs in facts.get("needs", {}).items():
            for attribute in needs:
                self.needs[cls, attribute] = self.needs.get((cls, attribute), 0) | bit
        for cls, shielded in facts.get("shields", {}).items():
            for attribute in shielded:
                self.shields[cls, attribute] = self.shields.get((cls, attribute), 0) | bit
        for module, pythons in facts.get("fails", {}).items():
            for python in pythons:
                self.fails[module, python] = self.fails.get((module, python), 0) | bit
        for name, target in facts.get("aliases", {}).items():
            if name in classes:
                self.aliases[name, target] = self.aliases.get((name, target), 0) | bit

    def construct(self, releases: list[tuple[int, dict[str, Any]]]) -> None:
        """Attributes of (release, what its classes set), of classes that do not set the same."""
        found: dict[str, dict[str, int]] = {}
        for bit, facts in releases:
            for cls in facts["classes"]:
                row = found.setdefault(cls, {})
                for attribute in (".", *facts["made"].get(cls, ())):
                    row[attribute] = row.get(attribute, 0) | bit
        for cls, row in found.items():
            differing = {a: mask for a, mask in row.items() if mask != row["."]}
            if differing:
                self.made.update({(cls, a): m for a, m in {".": row["."], **differing}.items()})

    def document(self) -> dict[str, Any]:
        def grouped(table: dict[tuple[str, str], int]) -> dict[str, dict[str, str]]:
            groups: dict[str, dict[str, list[str]]] = {}
            for (first, second), mask in sorted(table.items()):
                groups.setdefault(first, {}).setdefault(f"{mask:x}", []).append(second)
            return {k: {m: " ".join(n) for m, n in v.items()} for k, v in groups.items()}

        return {
            "versions": self.versions,
            "modules": {m: f"{mask:x}" for m, mask in sorted(self.modules.items())},
            "open": {m: f"{mask:x}" for m, mask in sorted(self.open.items())},
            "names": grouped(self.names),
            "compiled": {m: f"{mask:x}" for m, mask in sorted(self.compiled.items())},
            "needs": grouped(self.needs),
            "renames": grouped(self.renames),
            "checksums": grouped(self.checksums),
            "aliases": grouped(self.aliases),
            "shields": grouped(self.shields),
            "fails": grouped(self.fails),
            "requires": grouped(self.requires),
            "imports": grouped(self.imports),
            "shapes": grouped(self.shapes),
            "made": grouped(self.made),
        }


_CHECKSUMS: Final = re.compile(
    rb"Incompatible checksums \((?:0x%x|%s) vs \(?((?:0x[0-9a-f]+(?:, )?)+)\)? = "
)


def checksums(data: bytes) -> set[str]:
    """Checksums of state layouts that a Cython module accepts, as it says when it refuses one."""
    return {
        part.strip().decode().removeprefix("0x")
        for match in _CHECKSUMS.finditer(data)
        for part in match.group(1).split(b",")
        if part.strip()
    }


RENAMES: Final = "pandas/compat/pickle_compat.py"


def renames(source: bytes) -> dict[str, str]:
    """``module:name`` -> ``module:name`` of the table by which pandas.read_pickle finds classes."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Dict):
            continue
        try:
            table = ast.literal_eval(node)
        except ValueError:
            continue
        if table and all(isinstance(k, tuple) and len(k) == 2 for k in table):
            return {":".join(k): ":".join(v) for k, v in table.items()}
    return {}


def write(name: str, document: dict[str, Any]) -> None:
    data = json.dumps(document, separators=(",", ":")).encode()
    target = KNOWLEDGE / f"symbols-{name}.json.gz"
    target.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{target.name}: {target.stat().st_size:,} bytes", flush=True)


def build(cache: Path, only: list[str]) -> None:
    """Merge what the cache holds into one table per library."""
    from probe_answers import answers, import_failures, lay_over, pure_names

    from auditor.online.reader import describe, module_of

    for name in only or LIBRARIES:
        archives = sorted(
            (Version(p.stem[len(name) + 1 :]), p)
            for p in cache.glob(f"{name}-*.zip")
            if p.stem[len(name) + 1 :][:1].isdigit()
        )
        described: list[tuple[str, dict[str, Any]]] = []
        for version, archive in archives:
            kept = archive.with_suffix(".json")
            if not kept.exists():
                facts = describe(archive, name in NEEDS)
                kept.write_text(json.dumps(facts))
            described.append((str(version), json.loads(kept.read_text())))
        # Releases without a wheel, of libraries in pure Python: what importing them showed.
        fetched = {version for version, _ in described}
        for path in cache.glob(f"{name}-*.probe.json"):
            text = path.name[len(name) + 1 : -len(".probe.json")]
            only_asked = pure_names(cache, name, text) if text not in fetched else None
            if only_asked is not None and Version(text) >= Version(LIBRARIES[name]):
                found = {m: (n["names"], False) for m, n in only_asked["names"].items()}
                described.append(
                    (text, {"modules": found, "classes": [], "wheel": f"{name} {text}, imported"})
                )
        described.sort(key=lambda row: Version(row[0]))
        for version_text, facts in described:
            answer = answers(cache, name, version_text)
            pure = pure_names(cache, name, version_text)
            if answer is not None:
                lay_over(facts, pure or answer)
                facts["fails"] = import_failures(cache, name, version_text)
        if not described:
            continue
        classes = {c for _, facts in described for c in facts["classes"]}
        merged = Merged([version for version, _ in described])
        for index, (_, facts) in enumerate(described):
            merged.add(1 << index, facts, classes)
        for index, (version_text, _) in enumerate(described):
            kept_text = cache / f"{name}-{version_text}.requires"
            for line in kept_text.read_text().splitlines() if kept_text.exists() else ():
                try:
                    wants = Requirement(line)
                except InvalidRequirement:
                    continue
                if canonicalize_name(wants.name) in LIBRARIES and not wants.marker:
                    pair = (canonicalize_name(wants.name), str(wants.specifier))
                    merged.requires[pair] = merged.requires.get(pair, 0) | 1 << index
        places = {version: index for index, (version, _) in enumerate(described)}
        for archived, archive in archives:
            index = places[str(archived)]
            with zipfile.ZipFile(archive) as kept_members:
                for member in kept_members.namelist():
                    module = module_of(member)
                    if module is not None and member.endswith(".so"):
                        data = kept_members.read(member)
                        if b"\0__test__\0" not in data:
                            # Cython 3.2 compresses its strings: names cannot be missed there.
                            continue
                        merged.compiled[module] = merged.compiled.get(module, 0) | 1 << index
                        for checksum in checksums(data):
                            key = (module, checksum)
                            merged.checksums[key] = merged.checksums.get(key, 0) | 1 << index
                if RENAMES in kept_members.namelist():
                    for old, new in renames(kept_members.read(RENAMES)).items():
                        key = (old, new)
                        merged.renames[key] = merged.renames.get(key, 0) | 1 << index
        if name in MADE:
            merged.construct(
                [(1 << places[str(found)], construction_of(archive)) for found, archive in archives]
            )
        if name in IMPORTED:
            for archived, archive in archives:
                for module in undeclared(archive, name):
                    key = (module, ".")
                    merged.imports[key] = merged.imports.get(key, 0) | 1 << places[str(archived)]
        document = merged.document()
        document["generator"] = "tools/make_symbol_tables.py"
        document["source"] = [facts["wheel"] for _, facts in described]
        write(name, document)


def undeclared(archive: Path, name: str) -> set[str]:
    """Modules that importing the release certainly imports, but for what ``name`` requires now."""
    from import_demands import demanded

    from auditor.linking.distributions import _table

    with zipfile.ZipFile(archive) as kept:
        tops = {n.partition("/")[0] for n in kept.namelist() if n.endswith("/__init__.py")}
    lines = _table().get(name, {}).get("requires", ())
    asked = {re.split(r"[^\w.-]", line)[0].replace("-", "_") for line in lines}
    return {m for top in tops for m in demanded(archive, top)} - asked


def construction_of(archive: Path) -> dict[str, Any]:
    """``made``: class -> what its instances are made with; ``classes``: all that there are."""
    from auditor.online.construction import described
    from auditor.online.reader import Library

    kept = archive.with_suffix(".made.json")
    if not kept.exists():
        library = Library(archive)
        classes = [
            f"{m}:{name}" for m, source in library.modules.items() for name in source.classes
        ]
        kept.write_text(json.dumps({"made": described(library), "classes": classes}))
    facts: dict[str, Any] = json.loads(kept.read_text())
    return facts


def take_stdlib(home: Path, version: str, cache: Path) -> Path:
    """Keep the sources of an interpreter's standard library as ``fetch`` keeps those of a wheel."""
    target = cache / f"stdlib-{version}.zip"
    library = home / "lib" / f"python{version}"
    left_out = {"site-packages", "test", "tests", "idlelib", "lib2to3"}
    if not target.exists():
        members = [
            path.relative_to(library)
            for path in sorted(library.rglob("*.py"))
            if left_out.isdisjoint(path.relative_to(library).parts)
        ]
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as kept:
            kept.writestr("FILES", "\n".join([f"Python {version}", *map(str, members)]))
            for member in members:
                kept.write(library / member, str(member))
    return target


def build_stdlib(interpreters: list[Path], cache: Path) -> None:
    """One table of the standard libraries of these interpreters (directories or executables).

    Run it with a Python as new as the newest of them: sources in newer syntax are not read.
    """
    found: list[tuple[tuple[int, ...], Path, list[dict[str, Any]]]] = []
    for path in interpreters:
        executable = path / "bin" / "python" if path.is_dir() else path
        run = subprocess.run(
            [executable, "-c", STDLIB_SCRIPT], capture_output=True, text=True, check=True
        )
        version = subprocess.run(
            [executable, "-c", "import sys; print(*sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        found.append((tuple(map(int, version)), path, json.loads(run.stdout.splitlines()[-1])))
    found.sort(key=lambda item: item[0])
    merged = Merged([".".join(map(str, version)) for version, _, _ in found])
    shapes: dict[str, dict[str, int]] = {}
    for index, (_, _, (modules, classes)) in enumerate(found):
        facts = {"modules": {m: (n or [], n is None) for m, n in modules.items()}}
        merged.add(1 << index, facts, set())
        for name, rows in classes.items():
            for row in rows:
                known = shapes.setdefault(name, {})
                known[row] = known.get(row, 0) | 1 << index
    # Only what differs between the Pythons that have the class tells them apart.
    for name, known in shapes.items():
        if len(set(known.values())) > 1:
            merged.shapes.update({(name, row): mask for row, mask in known.items()})
    homes = {".".join(map(str, version)): path for version, path, _ in found}
    merged.construct(
        [
            (1 << index, construction_of(take_stdlib(homes[version], version, cache)))
            for index, version in enumerate(merged.versions)
            if homes[version].is_dir() and not version.startswith("2.")
        ]
    )
    document = merged.document()
    document["generator"] = "tools/make_symbol_tables.py"
    document["source"] = "the interpreters themselves"
    write("stdlib", document)


OPCODE_SCRIPT: Final = """
import json, opcode, sys
jumps = set(opcode.hasjrel) | set(opcode.hasjabs)
names = {name: number for name, number in opcode.opmap.items() if number < 256}
caches = getattr(opcode, "_inline_cache_entries", {})
if isinstance(caches, list):
    caches = {opcode.opname[i]: n for i, n in enumerate(caches)}
caches = {name: n for name, n in caches.items() if n and name in names}
print(json.dumps(["%d.%d" % sys.version_info[:2], names, [n for n, i in names.items() if i in jumps], caches]))
"""


def build_opcodes(interpreters: list[Path]) -> None:
    """What each Python means by an opcode number, and which of them jump."""
    document: dict[str, Any] = {
        "generator": "tools/make_symbol_tables.py build --stdlib …",
        "source": "the opcode module of each interpreter",
        "opcodes": {},
        "jumps": {},
        "caches": {},
    }
    found: list[tuple[str, dict[str, int], list[str], dict[str, int]]] = []
    for path in interpreters:
        executable = path / "bin" / "python" if path.is_dir() else path
        run = subprocess.run(
            [executable, "-c", OPCODE_SCRIPT], capture_output=True, text=True, check=True
        )
        found.append(tuple(json.loads(run.stdout)))
    for version, names, jumps, caches in sorted(found, key=lambda row: Version(row[0])):
        by_number = sorted(names.items(), key=lambda item: item[1])
        document["opcodes"][version] = {str(number): name for name, number in by_number}
        document["jumps"][version] = sorted(jumps)
        document["caches"][version] = caches
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"
    (KNOWLEDGE / "opcodes.json").write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("fetch", "take", "build"))
    parser.add_argument("folders", type=Path, nargs="*", help="site-packages to take from")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--stdlib", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.action == "fetch":
        fetch_all(arguments.cache, arguments.only)
    elif arguments.action == "take":
        for folder in arguments.folders:
            for name in arguments.only:
                take(folder, name, arguments.cache)
    else:
        build(arguments.cache, arguments.only)
        if arguments.stdlib:
            build_stdlib(arguments.stdlib, arguments.cache)
            build_opcodes(arguments.stdlib)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
