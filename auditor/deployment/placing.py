"""Where COPY and ADD put what they bring."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from auditor.deployment.filesystem import (
    Attributes,
    BuildContext,
    ContextSource,
    ContextView,
    File,
    FileSystem,
    InlineSource,
    Opaque,
    Present,
    Removal,
    Source,
    Transfer,
    Tree,
    Undetermined,
    absolute,
    join,
    join_absolute,
    relative,
)
from auditor.deployment.imagefacts import CopyProblem
from auditor.parsers.dockerfile import Copy, Word
from auditor.parsers.dockerignore import IgnoreMatch
from auditor.parsers.dockerignore import parse as parse_ignore
from auditor.source import SourceText, Unknown

if TYPE_CHECKING:
    from auditor.deployment.effects import Others
    from auditor.deployment.image import Build
    from auditor.deployment.imagefacts import CopyProblemKind

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")


def same_suffix(one: str, other: str) -> bool:
    """Whether two names end alike, as a file and its copy do."""
    suffix = posixpath.splitext(other)[1]
    return bool(suffix) and suffix == posixpath.splitext(one)[1]


class Placement:
    """Where one COPY puts what its sources bring."""

    def __init__(
        self,
        *,
        item: Copy,
        build: Build,
        destination: str | Unknown,
        directory: bool,
        owner: str | Unknown,
        executable: bool | None,
        others: Others | None,
        problems: list[CopyProblem],
    ) -> None:
        self.item = item
        self.build = build
        self.fs = build.fs
        self.destination = destination
        self.directory = directory
        self.owner = owner
        self.executable = executable
        self.others = others
        self.problems = problems
        self.matched = False

    def problem(
        self,
        kind: CopyProblemKind,
        word: Word,
        source: str,
        message: str,
        *,
        ignored_by: IgnoreMatch | None = None,
        candidates: tuple[str, ...] = (),
        certain: bool = True,
    ) -> None:
        self.problems.append(
            CopyProblem(
                kind=kind,
                source=source,
                message=f"{source} {message}",
                at=word.at,
                instruction_at=self.item.at,
                ignored_by=ignored_by,
                candidates=candidates,
                certain=certain,
            )
        )

    def opaque(self, reason: str) -> None:
        root = self.destination if isinstance(self.destination, str) else "/"
        self.fs.add(Opaque(at=self.item.at, roots=(root,), reason=reason))

    def _file_place(self, name: str, *, like: str) -> str | None:
        """Where a file lands; None when that hangs on whether the destination is a directory."""
        assert isinstance(self.destination, str)
        if self.directory:
            return join_absolute(self.destination, name)
        found = self.fs.lookup(self.destination)
        if isinstance(found, Present) and found.kind == "directory":
            return join_absolute(self.destination, name)
        # A package may have made anything there, but hardly a directory called nginx.conf.
        if isinstance(found, Undetermined) and not same_suffix(like, self.destination):
            return None
        return self.destination

    def file(self, name: str, source: Source, *, executable: bool | None) -> None:
        if isinstance(self.destination, Unknown):
            self.opaque(f"copied to an unknown place: {self.destination.reason}")
            return
        # A here-document has no file name whose ending could be compared.
        named = self.destination if isinstance(source, InlineSource) else name
        place = self._file_place(name, like=named)
        if place is None:
            self.opaque("copied here, but it is not known whether this is a directory")
            return
        self.fs.add(
            File(
                at=self.item.at,
                path=place,
                source=source,
                owner=self.owner,
                executable=executable if self.executable is None else self.executable,
                others=self.others,
            )
        )

    def context(self, view: ContextView, path: str, *, pivot: str = "") -> None:
        assert isinstance(self.destination, str)
        kind = view.kind(path)
        target = self.destination
        if self.item.parents:
            inner = relative(f"/{path}", absolute("/", pivot)) if pivot else path
            inner = path if inner is None else inner
            target = join_absolute(target, inner)
        if kind == "directory":
            self.fs.add(
                Tree(
                    at=self.item.at,
                    path=target,
                    view=view,
                    source=path,
                    owner=self.owner,
                    executable=self.executable,
                    others=self.others,
                )
            )
            return
        if kind is None:
            return
        unpacks = self.item.keyword == "ADD" and self.item.unpack is not False
        if unpacks and path.lower().endswith(_ARCHIVES):
            self.opaque(f"unpacked from {path}")
            # Its contents take its place: the archive itself is not there.
            archive = join_absolute(target, posixpath.basename(path))
            self.fs.add(Removal(at=self.item.at, path=archive, certain=True, glob=False))
            return
        source = ContextSource(path=path)
        executable = view.context.executable(path)
        if self.item.parents:
            executable = executable if self.executable is None else self.executable
            layer = File(
                at=self.item.at,
                path=target,
                source=source,
                owner=self.owner,
                executable=executable,
                others=self.others,
            )
            self.fs.add(layer)
            return
        self.file(posixpath.basename(path), source, executable=executable)

    def transfer(self, fs: FileSystem, count: int, path: str, *, directory: bool | None) -> None:
        assert isinstance(self.destination, str)
        ignore = None
        if self.item.excludes:
            text = "\n".join(self.item.excludes)
            ignore = parse_ignore(SourceText(self.item.at.path, text))
        if self.item.parents:
            place: str | None = join_absolute(self.destination, path[1:])
        elif directory is True or path == "/":
            place = self.destination
        elif directory is False:
            base = posixpath.basename(path)
            place = self._file_place(base, like=base)
        elif self.directory or not posixpath.splitext(path)[1]:
            # Into a directory, as a file or as contents: only the region is known.
            place = None
        else:
            place = self.destination
        if place is None:
            self.opaque(f"copied from {path} of another stage")
            return
        self.fs.add(
            Transfer(
                at=self.item.at,
                path=place,
                fs=fs,
                count=count,
                source=path,
                owner=self.owner,
                ignore=ignore,
            )
        )
        if self.executable is not None:
            self.fs.add(
                Attributes(
                    at=self.item.at,
                    path=place,
                    recursive=True,
                    glob=False,
                    executable=self.executable,
                )
            )


def escapes(source: str) -> bool:
    """Whether the path climbs above the context's root."""
    depth = 0
    for part in source.split("/"):
        if part == "..":
            depth -= 1
            if depth < 0:
                return True
        elif part not in ("", "."):
            depth += 1
    return False


def case_candidates(context: BuildContext, path: str) -> tuple[str, ...]:
    """Paths of the context that differ only in letter case."""
    found = [""]
    for part in path.split("/"):
        wanted = part.casefold()
        found = [
            join(parent, name)
            for parent in found
            for name in context.list_dir(parent)
            if name.casefold() == wanted
        ][:20]
        if not found:
            return ()
    return tuple(sorted(found))
