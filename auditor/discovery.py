"""One walk of a root: which files there are, what each is, and safe reading of them.

Nothing outside the root is opened, save the enclosing checkout's ``.git/index`` and ignore
files when the root lies inside a git checkout. No program is run: git's own configuration
can name commands, so its index and ignore files are read here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from auditor.result import Skipped
from auditor.source import Problem, SourceText


class FileKind(enum.StrEnum):
    """What a file is, by name, and by content where the name does not say."""

    DOCKERFILE = "dockerfile"
    DOCKERIGNORE = "dockerignore"
    COMPOSE = "compose"
    REQUIREMENTS = "requirements"
    PYPROJECT = "pyproject"
    SETUP_CFG = "setup.cfg"
    SETUP_PY = "setup.py"
    PIPFILE = "pipfile"
    LOCK = "lock"
    CONDA = "conda"
    PYTHON_VERSION = "python-version"
    DOTENV = "dotenv"
    PYTHON = "python"
    NOTEBOOK = "notebook"
    SHELL = "shell"
    CI = "ci"
    PROCFILE = "procfile"
    MAKEFILE = "makefile"
    SUPERVISORD = "supervisord"
    NGINX = "nginx"
    SYSTEMD = "systemd"
    HELM = "helm"
    KUSTOMIZATION = "kustomization"
    YAML = "yaml"
    TOML = "toml"
    INI = "ini"
    JSON = "json"
    ARTIFACT = "artifact"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One regular file of the walked tree. ``path`` is POSIX, relative to the root."""

    path: str
    size: int
    kind: FileKind
    executable: bool = False
    # Evidently for development: tests, examples, docs, notebooks, Dockerfile.dev, …
    is_dev: bool = False
    # What the first bytes look like ("pickle", "zip", "hdf5", …), where they were looked at.
    content: str | None = None
    # Path of the file this one links to, when it is a symbolic link inside the root.
    link_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one walk; each one that is hit is reported as skipped."""

    files: int = 1_000_000
    depth: int = 64
    text_bytes: int = 5_000_000
    index_bytes: int = 256_000_000


class Repository:
    """The walked tree. Paths are POSIX, relative to the root; ``""`` and ``"."`` are the root."""

    root: str
    entries: tuple[FileEntry, ...]
    skipped: tuple[Skipped, ...]
    problems: tuple[Problem, ...]
    # Whether the root lies in a git checkout, and so whether ignore files were applied.
    is_git: bool

    def of_kind(self, *kinds: FileKind) -> tuple[FileEntry, ...]:
        """The files of these kinds, in path order."""
        raise NotImplementedError

    def entry(self, path: str) -> FileEntry | None:
        """The file at that path, or None."""
        raise NotImplementedError

    def is_file(self, path: str) -> bool:
        raise NotImplementedError

    def is_dir(self, path: str) -> bool:
        raise NotImplementedError

    def exists(self, path: str) -> bool:
        raise NotImplementedError

    def executable(self, path: str) -> bool:
        raise NotImplementedError

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in that directory, sorted; empty when it is none."""
        raise NotImplementedError

    def files_under(self, path: str) -> tuple[FileEntry, ...]:
        """Every file below that directory, in path order."""
        raise NotImplementedError

    def ignored_exists(self, path: str) -> bool:
        """Whether the path exists on this disk although git ignores it (others lack it)."""
        raise NotImplementedError

    def read_text(self, path: str) -> SourceText:
        """The decoded text, read once; never raises: what failed is in ``problems``."""
        raise NotImplementedError

    def read_bytes(self, path: str, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes, or all. OSError when it cannot be read."""
        raise NotImplementedError

    @contextmanager
    def open_mmap(self, path: str) -> Iterator[memoryview]:
        """The file's bytes, mapped. OSError when it cannot be read."""
        raise NotImplementedError
        yield


def discover(root: str, *, exclude: Sequence[str] = (), limits: Limits | None = None) -> Repository:
    """Walk ``root``; ``exclude`` holds globs with gitignore semantics, relative to the root.

    Raises NotADirectoryError or FileNotFoundError when the root itself cannot be walked.
    """
    raise NotImplementedError
