"""The files of a repository, each read once."""

# os.* throughout: pathlib costs seconds on 100,000 files and cannot hold the flags with which
# hostile files are opened.
# ruff: noqa: PTH118
from __future__ import annotations

import errno
import mmap
import os
import stat
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from auditor.discovery.ignore import IgnoreRules, ignored_by
from auditor.result import Skipped
from auditor.source import Location, Problem, SourceText

if TYPE_CHECKING:
    from auditor.discovery.entries import FileEntry, FileKind, Limits


class Repository:
    """The walked tree. Paths are POSIX, relative to the root; ``""`` and ``"."`` are the root."""

    def __init__(
        self,
        root: str,
        *,
        entries: tuple[FileEntry, ...],
        skipped: tuple[Skipped, ...],
        problems: tuple[Problem, ...],
        is_git: bool,
        directories: frozenset[str],
        links: dict[str, str],
        link_entries: tuple[FileEntry, ...],
        ignored: frozenset[str],
        pruned: frozenset[str],
        limits: Limits,
    ) -> None:
        self.root = root
        self.entries = entries
        self.skipped = skipped
        self.problems = problems
        # Whether the root lies in a git checkout, and so whether ignore files were applied.
        self.is_git = is_git
        self._by_path = {entry.path: entry for entry in (*link_entries, *entries)}
        self._directories = directories
        self._links = links
        self._ignored = ignored
        self._rules_of: dict[str, IgnoreRules | None] = {}
        self._pruned = pruned
        self._limits = limits
        self._texts: dict[str, SourceText] = {}
        self._laid_over: dict[str, bytes] = {}
        self._children: dict[str, list[str]] | None = None
        self._kinds: dict[FileKind, list[FileEntry]] = {}
        for entry in entries:
            self._kinds.setdefault(entry.kind, []).append(entry)

    def of_kind(self, *kinds: FileKind) -> tuple[FileEntry, ...]:
        """The files of these kinds, in path order."""
        if len(kinds) == 1:
            return tuple(self._kinds.get(kinds[0], ()))
        found = [entry for kind in set(kinds) for entry in self._kinds.get(kind, ())]
        return tuple(sorted(found, key=lambda entry: entry.path))

    def entry(self, path: str) -> FileEntry | None:
        """The file at that path (a link's own entry has ``link_to``), or None."""
        normal = _normal(path)
        if normal is None:
            return None
        found = self._by_path.get(normal)
        if found is None:
            real = self._resolve(normal)
            found = self._by_path.get(real) if real is not None else None
        return found

    def is_file(self, path: str) -> bool:
        """Whether it is a regular file that everyone who clones the repository has."""
        real = self._real(path)
        if real is None:
            return False
        return real in self._by_path or self._is_pruned(real, stat.S_ISREG)

    def is_dir(self, path: str) -> bool:
        real = self._real(path)
        if real is None:
            return False
        return real in self._directories or self._is_pruned(real, stat.S_ISDIR)

    def exists(self, path: str) -> bool:
        return self.is_file(path) or self.is_dir(path)

    def executable(self, path: str) -> bool:
        """Whether it is a file with an execute bit."""
        entry = self.entry(path)
        return entry is not None and entry.executable

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in that directory, sorted; empty when it is none. Pruned folders have none."""
        real = self._real(path)
        if real is None:
            return ()
        if self._children is None:
            children: dict[str, list[str]] = {}
            for name in (*self._by_path, *self._directories, *self._links):
                if name:
                    parent, _, last = name.rpartition("/")
                    children.setdefault(parent, []).append(last)
            self._children = children
        return tuple(sorted(set(self._children.get(real, ()))))

    def files_under(self, path: str) -> tuple[FileEntry, ...]:
        """Every file below that directory, in path order; links are not followed."""
        real = self._real(path)
        if real is None:
            return ()
        if not real:
            return self.entries
        prefix = real + "/"
        paths = self._sorted_paths
        start = bisect_left(paths, prefix)
        end = bisect_left(paths, real + "0", start)
        return self.entries[start:end]

    @cached_property
    def _sorted_paths(self) -> list[str]:
        return [entry.path for entry in self.entries]

    def ignored_exists(self, path: str) -> bool:
        """Whether the path exists on this disk although git ignores it (others lack it)."""
        real = self._real(path)
        if real is None:
            return False
        if real in self._ignored:
            return True
        parent = real
        while parent:
            parent = parent.rpartition("/")[0]
            if parent in self._ignored:
                return real not in self._by_path and self._lstat_inside(real) is not None
        return False

    def would_ignore(self, path: str) -> bool:
        """Whether the repository's own ``.gitignore`` files leave this path out.

        The path need not exist: a model or ``.env`` that git ignores is made or put there by
        hand, so its absence from a clone says nothing about the author's machine. A path that
        ends with ``/`` is a directory.
        """
        real = _normal(path)
        if not real or real.startswith("../"):
            return False
        rules: tuple[tuple[str, IgnoreRules], ...] = ()
        directory = ""
        names = real.split("/")
        for depth, name in enumerate(names, 1):
            own = self._ignore_rules(directory)
            if own is not None:
                rules = ((f"/{directory}".rstrip("/"), own), *rules)
            directory = f"{directory}/{name}" if directory else name
            is_dir = depth < len(names) or path.endswith("/")
            if ignored_by(rules, f"/{directory}", name, is_dir):
                return True
        return False

    def holds_ignored(self, directory: str) -> bool:
        """Whether the ``.gitignore`` at the root names things inside a directory.

        Git keeps no empty directories, so one that holds nothing else is in no clone.
        """
        own = self._ignore_rules("")
        inside = _normal(directory)
        return own is not None and inside is not None and own.names_below(inside)

    def _ignore_rules(self, directory: str) -> IgnoreRules | None:
        if directory not in self._rules_of:
            path = f"{directory}/.gitignore" if directory else ".gitignore"
            text = self.read_text(path).text if self.is_file(path) else ""
            rules = IgnoreRules(text) if text else None
            self._rules_of[directory] = rules if rules else None
        return self._rules_of[directory]

    def read_text(self, path: str) -> SourceText:
        """The decoded text, read once; never raises: what failed is in ``problems``."""
        key = _normal(path) or path
        known = self._texts.get(key)
        if known is not None:
            return known
        limit = self._limits.text_bytes
        try:
            data = self.read_bytes(path, limit + 1)
        except OSError as error:
            message = f"cannot be read: {error.strerror or error}"
            text = SourceText(key, "", problems=(_fatal(key, message),))
        else:
            if len(data) > limit:
                message = f"is larger than {limit:,} bytes and was not read"
                text = SourceText(key, "", problems=(_fatal(key, message),))
            else:
                text = SourceText.decode(key, data)
        self._texts[key] = text
        return text

    @property
    def texts(self) -> dict[str, SourceText]:
        """Every text read so far, by path."""
        return dict(self._texts)

    def read_bytes(self, path: str, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes, or all. OSError when it cannot be read."""
        if self._laid_over:
            data = self._laid_over.get(self._real(path) or path)
            if data is not None:
                return data[:limit]
        return read_bytes(self._absolute(path), limit)

    def lay_over(self, contents: Mapping[str, bytes]) -> None:
        """Read these files with other contents: how the repository would look after an edit."""
        for path, data in contents.items():
            real = self._real(path)
            if real is None or real not in self._by_path:
                raise FileNotFoundError(errno.ENOENT, "no such file in the repository", path)
            self._laid_over[real] = data
            self._texts.pop(real, None)

    @contextmanager
    def open_mmap(self, path: str) -> Iterator[memoryview]:
        """The file's bytes, mapped. OSError when it cannot be read."""
        descriptor = open_file(self._absolute(path))
        try:
            size = os.fstat(descriptor).st_size
            if not size:
                yield memoryview(b"")
                return
            with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
                view = memoryview(mapped)
                try:
                    yield view
                finally:
                    view.release()
        finally:
            os.close(descriptor)

    def _absolute(self, path: str) -> str:
        real = self._real(path)
        if real is None or not (real in self._by_path or self._is_pruned(real, stat.S_ISREG)):
            raise FileNotFoundError(errno.ENOENT, "no such file in the repository", path)
        return os.path.join(self.root, real)

    def _real(self, path: str) -> str | None:
        normal = _normal(path)
        return None if normal is None else self._resolve(normal)

    def _resolve(self, path: str) -> str | None:
        """Follow the links that the walk recorded; None for a loop or a way out of the root."""
        if not self._links or not path:
            return path
        if path in self._directories or (path in self._by_path and path not in self._links):
            return path
        for _ in range(40):
            parts = path.split("/")
            for count in range(1, len(parts) + 1):
                target = self._links.get("/".join(parts[:count]))
                if target is not None:
                    path = "/".join(filter(None, (target, *parts[count:])))
                    break
            else:
                return path
        return None

    def _is_pruned(self, path: str, test: Callable[[int], bool]) -> bool:
        """Whether it lies in a folder that exists but was not walked, and is what is asked."""
        parent = path
        while True:
            if parent in self._pruned:
                mode = self._lstat_inside(path)
                return mode is not None and test(mode)
            if not parent:
                return False
            parent = parent.rpartition("/")[0]

    def _lstat_inside(self, path: str) -> int | None:
        """The file's mode if no part of its path is a symbolic link."""
        current = self.root
        mode: int | None = None
        for part in path.split("/"):
            current = os.path.join(current, part)
            try:
                mode = os.lstat(current).st_mode
            except (OSError, ValueError):
                return None
            if stat.S_ISLNK(mode):
                return None
        return mode


def _fatal(path: str, message: str) -> Problem:
    return Problem(at=Location(path), message=message, fatal=True, beyond=True)


def _normal(path: str) -> str | None:
    """The path without ``.`` and ``..``; None for an absolute one or one that leaves the root."""
    if path.startswith("/"):
        return None
    if "." not in path and "//" not in path and not path.endswith("/"):
        return path
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part and part != ".":
            parts.append(part)
    return "/".join(parts)


def open_file(path: str) -> int:
    """Open a regular file for reading; a FIFO or device never blocks and is refused."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY
        )
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), path) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def read_bytes(path: str, limit: int | None = None) -> bytes:
    """Up to ``limit`` bytes of a regular file; OSError where it is none or cannot be read."""
    # O_NONBLOCK alone is not enough for devices with side effects on opening.
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    descriptor = open_file(path)
    with open(descriptor, "rb", buffering=0 if limit is not None else -1) as file:
        if limit is None:
            return file.read()
        chunks: list[bytes] = []
        left = limit
        while left > 0:
            chunk = file.read(min(left, 1 << 20))
            if not chunk:
                break
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks)
