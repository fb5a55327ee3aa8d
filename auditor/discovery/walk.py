"""The walk of a root: what is taken, and what is passed over and why."""

# os.* throughout: pathlib costs seconds on 100,000 files and cannot hold the flags with which
# hostile files are opened.
# ruff: noqa: PTH100, PTH112, PTH113, PTH116, PTH118
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from auditor import lazy_re as re
from auditor.discovery.entries import FileEntry, FileKind, Limits, words_of
from auditor.discovery.git import Checkout, git_dir_of, small_text
from auditor.discovery.ignore import IgnoreRules, ignored_by
from auditor.discovery.kinds import is_development, kind_by_content, kind_by_name, sniff
from auditor.discovery.repository import Repository, open_file
from auditor.result import Skipped
from auditor.source import Problem
from auditor.values import record, replace

# Never of interest, never worth a word.
_SILENT_DIRECTORIES = words_of(
    ".git .hg .svn .bzr CVS __pycache__ .mypy_cache .ruff_cache .pytest_cache .hypothesis .tox "
    ".nox .eggs .ipynb_checkpoints .cache .idea .vscode .direnv .terraform .gradle"
)
_VENDORED_DIRECTORIES = words_of(
    "node_modules site-packages dist-packages bower_components __pypackages__ jspm_packages "
    "vendor _vendor vendored third_party thirdparty"
)
# What torch.hub leaves there: OWNER_REPOSITORY_REF.
_HUB_DIRECTORIES = words_of("hub cache")
_HUB_COPY = re.compile(r"[A-Za-z0-9-]+_[\w.-]+_(?:master|main|v\d[\w.]*)")


def _is_hub_copy(path: str) -> bool:
    parent, _, name = path.rpartition("/")
    return parent.rpartition("/")[2] in _HUB_DIRECTORIES and bool(_HUB_COPY.fullmatch(name))


@record
class _Frame:
    """A directory still to be read."""

    path: str
    depth: int
    checkout: Checkout | None
    # (base directory, rules), deepest first; consulted in this order.
    rules: tuple[tuple[str, IgnoreRules], ...]
    # Inside an ignored directory: only tracked files count.
    only_tracked: bool


class _Walk:
    def __init__(self, root: str, exclude: IgnoreRules, limits: Limits) -> None:
        self.root = root
        self.exclude = exclude
        self.limits = limits
        self.files: list[FileEntry] = []
        self.directories: set[str] = {""}
        self.skipped: list[Skipped] = []
        self.problems: list[Problem] = []
        self.links: dict[str, str] = {}
        self.raw_links: list[str] = []
        self.ignored: set[str] = set()
        self.pruned: set[str] = set()
        self.is_git = False
        self.full = False

    def run(self) -> Repository:
        stack = [self._first_frame()]
        while stack and not self.full:
            self._directory(stack.pop(), stack)
        self._resolve_links()
        self._mark_charts()
        self.files.sort(key=lambda entry: entry.path)
        by_path = {entry.path: entry for entry in self.files}
        link_entries = []
        shown = []
        for path, target in self.links.items():
            found = by_path.get(target)
            if found is None:
                continue
            kind = kind_by_name(path) or found.kind
            entry = replace(
                found, path=path, link_to=target, kind=kind, is_dev=is_development(path, kind)
            )
            link_entries.append(entry)
            if kind is not found.kind and kind is not FileKind.OTHER:
                shown.append(entry)
        entries = sorted((*self.files, *shown), key=lambda e: e.path) if shown else self.files
        return Repository(
            self.root,
            entries=tuple(entries),
            skipped=tuple(sorted(self.skipped, key=lambda s: (s.path, s.reason))),
            problems=tuple(self.problems),
            is_git=self.is_git,
            directories=frozenset(self.directories),
            links=self.links,
            link_entries=tuple(link_entries),
            ignored=frozenset(self.ignored),
            pruned=frozenset(self.pruned),
            limits=self.limits,
        )

    def _first_frame(self) -> _Frame:
        """The root, with the rules of the checkout around it, if there is one."""
        plain = _Frame("", 0, None, (), False)
        top = self.root
        inner: list[str] = []
        while True:
            git_dir = git_dir_of(top)
            if git_dir is not None:
                break
            parent, name = os.path.split(top)
            if not name:
                return plain
            inner.insert(0, name)
            top = parent
        checkout = Checkout(top, git_dir, self.limits, self.problems)
        if not checkout.usable:
            return plain
        rules: tuple[tuple[str, IgnoreRules], ...] = ()
        if checkout.exclude:
            rules = ((top, checkout.exclude),)
        directory = top
        for name in inner:
            rules = self._with_ignore_file(directory, rules)
            directory = os.path.join(directory, name)
            inside = os.path.relpath(directory, top)
            if ignored_by(rules, directory, name, True) and inside not in checkout.tracked_dirs:
                # Somebody audits a folder that the checkout around it does not want.
                return plain
        self.is_git = True
        return _Frame("", 0, checkout, rules, False)

    def _with_ignore_file(
        self, directory: str, rules: tuple[tuple[str, IgnoreRules], ...]
    ) -> tuple[tuple[str, IgnoreRules], ...]:
        text = small_text(os.path.join(directory, ".gitignore"))
        if text:
            own = IgnoreRules(text)
            if own:
                return ((directory, own), *rules)
        return rules

    def _directory(self, frame: _Frame, stack: list[_Frame]) -> None:
        here = os.path.join(self.root, frame.path) if frame.path else self.root
        try:
            with os.scandir(here) as scan:
                items = list(scan)
        except OSError as error:
            self.skipped.append(
                Skipped(path=frame.path or ".", reason=f"cannot be listed: {error.strerror}")
            )
            return
        names = {item.name for item in items}
        if frame.path:
            reason = _environment(names, here)
            if reason:
                self._prune(frame.path, reason)
                return
        checkout, rules, only_tracked = frame.checkout, frame.rules, frame.only_tracked
        if frame.path and ".git" in names:
            git_dir = git_dir_of(here)
            if git_dir is not None:
                nested = Checkout(here, git_dir, self.limits, self.problems)
                if nested.usable:
                    checkout, only_tracked = nested, False
                    rules = ((here, nested.exclude),) if nested.exclude else ()
        if checkout is not None and ".gitignore" in names:
            rules = self._with_ignore_file(here, rules)
        # Tracked paths are relative to the checkout's top.
        prefix = ""
        if checkout is not None and here != checkout.top:
            prefix = here[len(checkout.top.rstrip("/")) + 1 :] + "/"
        base = frame.path + "/" if frame.path else ""
        absolute = here if here.endswith("/") else here + "/"
        exclude = self.exclude if self.exclude else None
        for item in items:
            name = item.name
            path = base + name
            try:
                is_dir = item.is_dir(follow_symlinks=False)
            except OSError:
                is_dir = False
            if name == ".git" or (is_dir and name in _SILENT_DIRECTORIES):
                continue
            ignored = only_tracked
            if rules and not ignored:
                ignored = ignored_by(rules, absolute + name, name, is_dir)
            if ignored and checkout is not None:
                inside = prefix + name
                if is_dir:
                    if inside not in checkout.tracked_dirs and inside not in checkout.tracked:
                        self.ignored.add(path)
                        continue
                elif inside in checkout.tracked:
                    ignored = False
                else:
                    self.ignored.add(path)
                    continue
            if exclude is not None and exclude.decide(path, name, is_dir):
                self._prune(path, "excluded by the configuration")
                continue
            if is_dir:
                if name in _VENDORED_DIRECTORIES or _is_hub_copy(path):
                    self._prune(path, "vendored code")
                elif frame.depth >= self.limits.depth:
                    self._prune(path, f"deeper than {self.limits.depth} folders")
                else:
                    self.directories.add(path)
                    stack.append(_Frame(path, frame.depth + 1, checkout, rules, ignored))
                continue
            self._file(item, path, absolute + name)
            if self.full:
                return

    def _prune(self, path: str, reason: str) -> None:
        self.directories.discard(path)
        self.pruned.add(path)
        self.skipped.append(Skipped(path=path, reason=reason))

    def _file(self, item: os.DirEntry[str], path: str, absolute: str) -> None:
        try:
            if item.is_symlink():
                self.raw_links.append(path)
                return
            status = item.stat(follow_symlinks=False)
        except OSError as error:
            self.skipped.append(Skipped(path=path, reason=f"cannot be read: {error.strerror}"))
            return
        if not stat.S_ISREG(status.st_mode):
            self.skipped.append(Skipped(path=path, reason="not a regular file"))
            return
        if len(self.files) >= self.limits.files:
            self.full = True
            self.skipped.append(
                Skipped(
                    path=".", reason=f"more than {self.limits.files:,} files; the rest was left"
                )
            )
            return
        kind = kind_by_name(path)
        content: str | None = None
        if kind is None or kind is FileKind.ARTIFACT:
            # A variant's first instruction or key may stand below a long header comment.
            size = 8192 if kind is None else 64
            try:
                head = _head(absolute, size) if status.st_size else b""
            except OSError as error:
                self.skipped.append(Skipped(path=path, reason=f"cannot be read: {error.strerror}"))
                head = b""
            if kind is None:
                kind, content = kind_by_content(path, head)
            else:
                content = sniff(head)
        self.files.append(
            FileEntry(
                path=path,
                size=status.st_size,
                kind=kind,
                executable=bool(status.st_mode & 0o111),
                is_dev=is_development(path, kind),
                content=content,
            )
        )

    def _resolve_links(self) -> None:
        real_root = os.path.realpath(self.root)
        for path in self.raw_links:
            try:
                real = os.path.realpath(os.path.join(self.root, path), strict=True)
            except (OSError, ValueError, RuntimeError):
                reason = "symbolic link that leads nowhere"
                self.skipped.append(Skipped(path=path, reason=reason))
                continue
            if real == real_root:
                target = ""
            elif real.startswith(real_root.rstrip("/") + "/"):
                target = real[len(real_root.rstrip("/")) + 1 :]
            else:
                reason = "symbolic link out of the root"
                self.skipped.append(Skipped(path=path, reason=reason))
                continue
            self.links[path] = target
            reason = f"symbolic link to {target or '.'}, which is audited there"
            self.skipped.append(Skipped(path=path, reason=reason))

    def _mark_charts(self) -> None:
        """YAML beside or below a Chart.yaml is a template or values of that chart."""
        charts = {
            entry.path.rpartition("/")[0] for entry in self.files if entry.kind is FileKind.HELM
        }
        if not charts:
            return
        for index, entry in enumerate(self.files):
            if entry.kind is not FileKind.YAML:
                continue
            parent = entry.path
            while parent:
                parent = parent.rpartition("/")[0]
                if parent in charts:
                    self.files[index] = replace(entry, kind=FileKind.HELM)
                    break


def _environment(names: set[str], here: str) -> str | None:
    if "pyvenv.cfg" in names:
        return "virtual environment"
    if "conda-meta" in names and os.path.isdir(os.path.join(here, "conda-meta")):
        return "conda environment"
    # virtualenv before version 20 wrote no pyvenv.cfg.
    if "bin" in names and "lib" in names and os.path.isfile(os.path.join(here, "bin/activate")):
        return "virtual environment"
    return None


def _head(path: str, size: int) -> bytes:
    descriptor = open_file(path)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def discover(root: str, *, exclude: Sequence[str] = (), limits: Limits | None = None) -> Repository:
    """Walk ``root``; ``exclude`` holds globs with gitignore semantics, relative to the root.

    Raises NotADirectoryError or FileNotFoundError when the root itself cannot be walked.
    """
    root = os.path.abspath(root)
    if not stat.S_ISDIR(os.stat(root).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root)
    return _Walk(root, IgnoreRules("\n".join(exclude)), limits or Limits()).run()
