"""Two builds of one image compared: packages, files and their content, settings."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from auditor import lazy_re as re
from auditor.rehearsal.build import build, recipe_of
from auditor.rehearsal.engine import Builder
from auditor.rehearsal.journal import Run
from auditor.rehearsal.observed import Difference, Reproduction

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage

_MOST: Final = 400_000
# Content that holds the time of the build and nothing else that matters.
_OF_TIME = re.compile(
    r"\.pyc$|^var/log/|^var/cache/|^var/lib/apt/|^etc/ld\.so\.cache$|^var/lib/dpkg/(?:status|info/)"
    r"|^(?:root|home/[^/]+)/\.cache/|^tmp/|/__pycache__/|^var/lib/systemd/|^etc/machine-id$"
    r"|\.dist-info/(?:RECORD|direct_url\.json|INSTALLER|REQUESTED)$|^etc/(?:hosts|hostname|resolv\.conf)$"
)
_PACKAGE = re.compile(
    r"(?:site|dist)-packages/([A-Za-z0-9_.]+?)-([^/-]+)\.(?:dist|egg)-info(?:/|$)"
)

Files = dict[str, tuple[int, str]]


def again(
    run: Run,
    builder: Builder,
    root: Path,
    image: BuiltImage,
    tag: str,
    timeout: float,
    say: Callable[[str], None],
) -> Reproduction:
    """Build once more without the cache, and compare."""
    say(f"building {image.key} a second time, without the cache")
    second = build(
        run, builder, root, recipe_of(image), name=f"again-{image.key}", fresh=True, timeout=timeout
    )
    if second.tag is None:
        why = second.build.cause.text if second.build.cause else "the second build failed"
        return Reproduction(
            image=image.key,
            same=False,
            differences=(
                Difference(kind="build", name="build", first="ends", second="fails", why=why),
            ),
        )
    return compare(
        image.key, contents(run, tag), contents(run, second.tag), settings(run, tag, second.tag)
    )


def compare(name: str, one: Files, other: Files, more: tuple[Difference, ...] = ()) -> Reproduction:
    """What differs, packages first; the files of a package that differs are not told one by one."""
    found = list(more)
    first, second = packages(one), packages(other)
    changed = set()
    for key in sorted({*first, *second}):
        if first.get(key) != second.get(key):
            changed.add(key)
            found.append(
                Difference(
                    kind="package",
                    name=key,
                    first=first.get(key, "absent"),
                    second=second.get(key, "absent"),
                    why="its version floats",
                )
            )
    by_time = 0
    for path in sorted({*one, *other}):
        a, b = one.get(path), other.get(path)
        if a == b:
            continue
        if _OF_TIME.search(path):
            by_time += 1
            continue
        if any(f"-packages/{key.replace('-', '_')}" in path.lower() for key in changed):
            continue
        why = "only in one" if a is None or b is None else "its content differs"
        found.append(
            Difference(
                kind="file",
                name=path,
                first="absent" if a is None else a[1][:12],
                second="absent" if b is None else b[1][:12],
                why=why,
            )
        )
    return Reproduction(
        image=name, same=not found, differences=tuple(found[:200]), timestamps=by_time
    )


def packages(files: Files) -> dict[str, str]:
    """Installed distributions by normalised name."""
    found = {}
    for path in files:
        match = _PACKAGE.search(path)
        if match:
            found[re.sub(r"[-_.]+", "-", match[1]).lower()] = match[2]
    return found


def settings(run: Run, one: str, other: str) -> tuple[Difference, ...]:
    """Environment, command, user and ports, which have nothing to do with files."""
    configs: list[dict[str, Any]] = [
        run.client.inspect_image(tag)["Config"] for tag in (one, other)
    ]
    found = []
    for key in ("Env", "Cmd", "Entrypoint", "User", "WorkingDir", "ExposedPorts"):
        a, b = (json.dumps(c.get(key), sort_keys=True) for c in configs)
        if a != b:
            found.append(Difference(kind="setting", name=key, first=a[:200], second=b[:200]))
    return tuple(found)


def contents(run: Run, tag: str) -> Files:
    """(size, digest) of every file of an image, read from an export that nobody keeps."""
    client = run.client
    name = run.name(f"export-{hashlib.sha256(tag.encode()).hexdigest()[:8]}")
    with run.shielded():
        run.record("container", name)
        made = client.create_container(
            image=tag,
            entrypoint=["/deploy-audit-never-runs"],
            command=[],
            labels=run.labels,
            name=name,
        )
    found: Files = {}
    try:
        stream = io.BufferedReader(_Stream(client.export(made["Id"])))
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                if len(found) >= _MOST:
                    break
                if info.issym() or info.islnk():
                    found[info.name] = (0, f"link to {info.linkname}")
                elif info.isfile():
                    digest = hashlib.sha256()
                    file = archive.extractfile(info)
                    while file is not None and (piece := file.read(1 << 20)):
                        digest.update(piece)
                    found[info.name] = (info.size, digest.hexdigest())
    finally:
        client.remove_container(made["Id"], force=True, v=True)
    return found


class _Stream(io.RawIOBase):
    """The pieces of an answer as a file."""

    def __init__(self, pieces: Any) -> None:
        self.pieces = iter(pieces)
        self.left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.left:
            try:
                self.left = next(self.pieces)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self.left))
        buffer[:count] = self.left[:count]
        self.left = self.left[count:]
        return count
