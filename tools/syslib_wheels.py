"""What the wheels of a distribution ask the loader for, read through HTTP ranges.

Used by ``make_syslib_tables.py`` and ``verify_syslibs.py``. Of each wheel only the directory
and the members that are ELF files are read; a release whose answer equals that of its
neighbours on both sides is not looked at.
"""

from __future__ import annotations

import itertools
import json
import posixpath
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

from make_distribution_table import RangeFile, _Links, modules_of
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.linking import elf
from auditor.online.needs import Members, facts_of
from auditor.online.session import OnlineError

# A wheel for any of these interpreters answers for the release; the first that exists is read.
PYTHONS = ((3, 11), (3, 12), (3, 10), (3, 9), (3, 13), (3, 8))
PLATFORMS = [
    *(f"manylinux_2_{n}_x86_64" for n in range(36, 4, -1)),
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "manylinux1_x86_64",
    "linux_x86_64",
]
RANK = {
    tag: (python, position)
    for python, version in reversed(list(enumerate(PYTHONS)))
    for position, tag in enumerate(
        [
            *cpython_tags(version, platforms=PLATFORMS),
            *compatible_tags(
                version, interpreter=f"cp{version[0]}{version[1]}", platforms=PLATFORMS
            ),
        ]
    )
}
SHARED_OBJECT = re.compile(r"\.so(\.[\w.]+)?$")
# A module that Python imports, not a library that something links or opens.
MODULE = re.compile(r"(^|/)(?!lib)[^/.]+(?:\.cpython-3\w+-x86_64-linux-gnu|\.abi3)?\.so$")
# A member larger than this (compressed) is not read; it is reported as unread.
LARGEST_MEMBER = 160 << 20
# Of wheels larger than this two or three are read, not a dozen.
LARGE = 30 << 20
# Of a distribution that needs something, so many minor series are looked at, newest first.
MOST_SERIES = 12
# Of a distribution whose answer changes with every release, so many are read.
MOST_RELEASES = 24
# Where an installer puts what a wheel keeps beside its modules.
BESIDE = ("bin/", "lib/", "share/", "include/", "etc/")
# Part of glibc or of every interpreter's own image.
OF_THE_SYSTEM = re.compile(
    r"^(ld-linux.*|lib(c|m|mvec|dl|rt|pthread|util|resolv|nsl|crypt|anl|BrokenLocale|gcc_s|stdc\+\+|z)\.so.*)$"
)


class Blocks(RangeFile):
    """The same view in larger blocks: a wheel's directory comes with one request."""

    BLOCK = 1 << 20


def releases(index: str, name: str) -> dict[Version, str]:
    """The URL of the wheel that answers for each final release."""
    page = f"{index.rstrip('/')}/{canonicalize_name(name)}/"
    with urllib.request.urlopen(page, timeout=120) as response:
        parser = _Links()
        parser.feed(response.read().decode())
    best: dict[Version, tuple[tuple[int, int], str]] = {}
    for href, yanked in parser.links:
        url = urllib.parse.urljoin(page, href).partition("#")[0]
        filename = urllib.parse.unquote(url.rpartition("/")[2])
        if yanked or not filename.endswith(".whl"):
            continue
        try:
            _, version, _, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            continue
        ranks = [RANK[tag] for tag in tags if tag in RANK]
        if version.is_prerelease or not ranks:
            continue
        candidate = (min(ranks), url)
        if version not in best or candidate < best[version]:
            best[version] = candidate
    return {version: url for version, (_, url) in sorted(best.items())}


def _member(url: str, remote: RangeFile, info: zipfile.ZipInfo) -> bytes | None:
    """One member with one request (its local header may be longer than the directory says)."""
    if info.compress_size > LARGEST_MEMBER or info.compress_type not in (0, 8):
        return None
    start = info.header_offset
    stop = min(start + 30 + len(info.filename.encode()) + 1024 + info.compress_size, remote.size)
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-{stop - 1}"})
    with urllib.request.urlopen(request, timeout=300) as response:
        data = response.read()
    head = 30 + int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")
    body = data[head : head + info.compress_size]
    return body if info.compress_type == 0 else zlib.decompress(body, -15)


def read_wheel(url: str, *, code: bool = False) -> dict[str, Any]:
    """``files``: needed, soname and search path of every ELF member; ``modules``; ``requires``;
    with ``code``, what its modules ask for.
    """
    remote = Blocks(url)
    files: dict[str, Any] = {}
    unread: list[str] = []
    with zipfile.ZipFile(remote) as wheel:
        members = wheel.infolist()
        info = next(m for m in members if m.filename.endswith(".dist-info/METADATA"))
        metadata = wheel.read(info).decode("utf-8", "replace")
    for member in members:
        if not SHARED_OBJECT.search(member.filename):
            continue
        data = _member(url, remote, member)
        facts = elf.parse(data) if data is not None else None
        if facts is None:
            if data is None:
                unread.append(member.filename)
            continue
        if facts.machine != 62:
            continue
        files[member.filename] = {
            "needed": list(facts.needed), "soname": facts.soname, "search": list(facts.search)
        }  # fmt: skip
    return {
        "wheel": urllib.parse.unquote(url.rpartition("/")[2]),
        "files": files,
        "unread": unread,
        "asks": asks(Zipped(cast("IO[bytes]", remote))) if code and remote.size < LARGE else None,
        "modules": modules_of([m.filename for m in members]),
        "requires": _requires(metadata),
    }


def _requires(metadata: str) -> list[str]:
    lines = re.findall(r"^Requires-Dist: *(.+)$", metadata.partition("\n\n")[0], re.MULTILINE)
    return [line.strip() for line in lines]


class Zipped:
    """A wheel that is read whole."""

    def __init__(self, data: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(data)
        self.names = tuple(self._zip.namelist())

    def size(self, name: str) -> int:
        """As in the file."""
        return self._zip.getinfo(name).compress_size

    def read(self, name: str, limit: int = -1) -> bytes:
        """A member's bytes."""
        with self._zip.open(name) as member:
            return member.read(limit)

    def metadata(self) -> str:
        """The text of METADATA."""
        name = next(n for n in self.names if n.endswith(".dist-info/METADATA"))
        return self.read(name).decode("utf-8", "replace")


class Installed:
    """What an installer made of a wheel."""

    def __init__(self, info: Path) -> None:
        self._info = info
        lines = (info / "RECORD").read_text().splitlines()
        listed = [line.rsplit(",", 2)[0].strip('"') for line in lines]
        self.names = tuple(n for n in listed if (info.parent / n).is_file())

    def size(self, name: str) -> int:
        """On the disk."""
        return (self._info.parent / name).stat().st_size // 3

    def read(self, name: str, limit: int = -1) -> bytes:
        """A file's bytes."""
        with (self._info.parent / name).open("rb") as file:
            return file.read(limit)

    def metadata(self) -> str:
        """The text of METADATA."""
        return (self._info / "METADATA").read_text(errors="replace")


def asks(wheel: Members) -> dict[str, Any] | None:
    """The libraries and programs that the modules of a wheel name, as ``--online`` reads them."""
    try:
        facts = facts_of(wheel, lambda what, why: None, bounded=False)
    except OnlineError:
        return None
    return {k: v for k, v in facts.items() if k != "elf"} if facts is not None else None


def read_installed(info: Path) -> tuple[str, str, dict[str, Any]]:
    """Name, version and what :func:`read_wheel` tells, of an installed wheel's ``.dist-info``."""
    metadata = (info / "METADATA").read_text(errors="replace")
    names = [
        line.rsplit(",", 2)[0].strip('"') for line in (info / "RECORD").read_text().splitlines()
    ]
    files: dict[str, Any] = {}
    for name in names:
        if not SHARED_OBJECT.search(name):
            continue
        facts = elf.parse((info.parent / name).read_bytes())
        if facts is not None and facts.machine == 62:
            files[name] = {
                "needed": list(facts.needed), "soname": facts.soname, "search": list(facts.search)
            }  # fmt: skip
    found = re.search(r"^Name: *(\S+)", metadata, re.MULTILINE)
    version = re.search(r"^Version: *(\S+)", metadata, re.MULTILINE)
    assert found is not None
    assert version is not None
    return canonicalize_name(found[1]), version[1], {
        "wheel": info.name,
        "files": files,
        "unread": [],
        "asks": asks(Installed(info)),
        "modules": modules_of([name for name in names if not name.startswith(BESIDE)]),
        "requires": _requires(metadata),
    }  # fmt: skip


def needs(read: dict[str, Any], siblings: re.Pattern[str]) -> dict[str, list[str]]:
    """Sonames that nothing in the wheel brings, each with the members that lead to it.

    Members that only a plugin loader would open (``…/plugins/…``) do not count, nor do
    libraries in the wheel that no such member leads to.
    """
    files: dict[str, Any] = read["files"]
    bundled: dict[str, str] = {}
    for path, facts in files.items():
        for name in (posixpath.basename(path), facts["soname"]):
            if name:
                bundled.setdefault(name, path)
    # Without a module nothing is imported: who opens its libraries has a row of its own.
    roots = [p for p in files if _is_root(p, files)] if read["modules"] else []
    missing: dict[str, list[str]] = {}
    for root in roots:
        seen: set[str] = set()
        queue = [root]
        while queue:
            path = queue.pop()
            if path in seen:
                continue
            seen.add(path)
            for name in files[path]["needed"]:
                if name in bundled:
                    queue.append(bundled[name])
                elif not OF_THE_SYSTEM.match(name) and not siblings.match(name):
                    places = missing.setdefault(name, [])
                    if root not in places:
                        places.append(root)
    return missing


def are_deep(roots: list[str], files: dict[str, Any]) -> bool:
    """Whether the package does without these members when it is imported, as far as places tell:
    they are modules further inside, or some of several libraries that modules may open.
    """
    modules = {path for path in files if MODULE.search(path)}
    if not modules:
        return {*roots} != {path for path in files if _is_root(path, files)}
    near = (re.sub(r"^[^/]+\.data/(plat|pure)lib/", "", path) for path in modules & {*roots})
    return not any(path.count("/") <= 1 for path in near)


def _is_root(path: str, files: dict[str, Any]) -> bool:
    if "/plugins/" in path or "/tests/" in path:
        return False
    directory = posixpath.dirname(path)
    return not (directory.endswith(".libs") or "/.libs/" in path or "/lib/qml" in path)


def survey(
    index: str, name: str, cache: Path, siblings: re.Pattern[str], *, every: bool = False,
    newest: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The wheels read of one distribution, by release: where the answer changes, both sides.

    ``every`` release is read, or the ``newest`` one only.
    """
    cached = cache / f"{canonicalize_name(name)}.json"
    known: dict[str, Any] = json.loads(cached.read_text()) if cached.exists() else {}
    if known.get("complete"):
        return known
    try:
        urls = releases(index, name)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        urls = {}
    known = {"releases": [str(v) for v in urls], "read": known.get("read", {})}
    versions = list(urls)

    def answer(position: int) -> frozenset[str]:
        version = versions[position]
        if str(version) not in known["read"]:
            print(f"{name} {version}", file=sys.stderr, flush=True)
            known["read"][str(version)] = read_wheel(urls[version], code=newest)
            cached.write_text(json.dumps(known))
        return frozenset(needs(known["read"][str(version)], siblings))

    def narrow(low: int, high: int) -> None:
        if high - low < 2 or answer(low) == answer(high):
            return
        middle = (low + high) // 2
        answer(middle)
        narrow(low, middle)
        narrow(middle, high)

    native = [i for i, v in enumerate(versions) if not urls[v].endswith("-none-any.whl")]
    if versions and newest:
        answer(len(versions) - 1)
    elif native and native[-1] == len(versions) - 1:
        marks = {native[0], (native[0] + native[-1]) // 2, native[-1]}
        large = Blocks(urls[versions[-1]]).size > LARGE
        if large:
            marks.discard(native[0])
        if every:
            marks |= set(native[-MOST_RELEASES:])
        elif not large and any(answer(i) for i in sorted(marks)):
            # Libraries come and go: the newest release of every minor series is read.
            series = {(v.major, v.minor): i for i, v in enumerate(versions) if i in set(native)}
            marks |= set(list(series.values())[-MOST_SERIES:])
        ordered = sorted(marks)
        for position in ordered:
            answer(position)
        for low, high in itertools.pairwise(ordered):
            if not large:
                narrow(low, high)
    elif versions:
        # The newest is pure Python: its metadata is all there is to read.
        answer(len(versions) - 1)
    known["complete"] = True
    cached.write_text(json.dumps(known))
    return known
