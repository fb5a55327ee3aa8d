"""What is known of a file before it is read: its path, kind and size; limits of a walk."""

from __future__ import annotations

import enum

from auditor.values import value


def words_of(text: str) -> frozenset[str]:
    """The words of a text as a set: how the tables of names are written."""
    return frozenset(text.split())


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


@value
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


@value
class Limits:
    """Bounds of one walk; each one that is hit is reported as skipped."""

    files: int = 1_000_000
    depth: int = 64
    text_bytes: int = 5_000_000
    index_bytes: int = 256_000_000
