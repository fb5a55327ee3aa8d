"""Parsed files of a repository, each read and parsed at most once."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.discovery import FileKind
from auditor.parsers import dotenv
from auditor.parsers.python.program import Budget
from auditor.source import Problem, SourceText

if TYPE_CHECKING:
    from auditor.deployment.beforehand import Beforehand
    from auditor.deployment.documented import Documented
    from auditor.deployment.filesystem import BuildContext
    from auditor.discovery import Repository
    from auditor.parsers.conda import CondaEnvironment
    from auditor.parsers.dockerfile import Dockerfile
    from auditor.parsers.dockerignore import DockerIgnore
    from auditor.parsers.locks import Lock
    from auditor.parsers.pyproject import PyprojectFacts
    from auditor.parsers.python import ModuleFacts
    from auditor.parsers.shell.facts import Script


_CAPITALS = re.compile(r"[A-Z][A-Z0-9_]+")
# In a script, what is only used (`$NAME`) is not set there.
_GIVEN = re.compile(r"(?<![$\{A-Za-z0-9_])[A-Z][A-Z0-9_]{2,}\b")
# Platforms that choose the port and tell it in $PORT.
_HOSTS = re.compile(
    r"heroku|cloud ?run|\brailway\b|render\.com|\brender\b.{0,20}deploy|fly\.io|app ?engine|koyeb|dokku"
    r"|cloud ?foundry|app ?service|app ?runner|\bdeta\b|zeabur|northflank|back4app",
    re.IGNORECASE,
)
_DOCUMENTS = (".md", ".rst", ".txt", ".example", ".sample", ".template", ".tf", ".conf")
_SPEAKING = frozenset(
    {
        FileKind.COMPOSE, FileKind.DOTENV, FileKind.SHELL, FileKind.CI, FileKind.PROCFILE,
        FileKind.MAKEFILE, FileKind.SUPERVISORD, FileKind.SYSTEMD, FileKind.HELM, FileKind.YAML,
        FileKind.TOML, FileKind.INI, FileKind.JSON, FileKind.NGINX, FileKind.KUSTOMIZATION,
    }
)  # fmt: skip


# What keeps an empty directory in a repository.
_PLACEHOLDERS = frozenset([".gitkeep", ".keep", ".placeholder", ".empty"])


class Facts:
    """Memoised access to the facts of a repository's files; paths are relative to its root."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.problems: dict[Problem, None] = {}
        # Work that following Python code may still cost in this audit.
        self.budget = Budget()
        # Modules that artifacts name and no known library brings.
        self.pickled_modules: frozenset[str] = frozenset()
        self._dockerfiles: dict[str, Dockerfile | None] = {}
        self._ignores: dict[str, DockerIgnore | None] = {}
        self._pyprojects: dict[str, PyprojectFacts | None] = {}
        self._locks: dict[str, Lock | None] = {}
        self._condas: dict[str, CondaEnvironment | None] = {}
        self._modules: dict[str, ModuleFacts | None] = {}
        self._scripts: dict[str, Script | None] = {}
        self._spoken: frozenset[str] | None = None
        self._hosted = False
        self._beforehand: Beforehand | None = None
        self._copying: tuple[tuple[str, str], ...] | None = None
        self._documented: Documented | None = None
        # What a platform does instead of a Dockerfile, by the file that makes it do so.
        self.standins: dict[str, Dockerfile] = {}

    def read(self, path: str) -> SourceText | None:
        """The text of a file, None when there is no such file in the walked tree."""
        path = posixpath.normpath(path)
        if path.startswith("../") or not self.repository.is_file(path):
            return None
        text = self.repository.read_text(path)
        self.note(text.problems)
        return text

    def note(self, problems: tuple[Problem, ...]) -> None:
        """Remember what could not be read; it is reported, never dropped."""
        for problem in problems:
            self.problems.setdefault(problem)

    def dockerfile(self, path: str) -> Dockerfile | None:
        if path in self.standins:
            return self.standins[path]
        if path not in self._dockerfiles:
            text = self.read(path)
            if text is None:
                return None
            from auditor.parsers import dockerfile

            parsed = dockerfile.parse(text)
            beyond = tuple(problem for problem in parsed.problems if problem.beyond)
            self.note(beyond)
            # Half of a Dockerfile says nothing of the image.
            self._dockerfiles[path] = None if beyond else parsed
        return self._dockerfiles[path]

    def dockerignore(self, context: str, dockerfile_path: str) -> DockerIgnore | None:
        """The ignore file that a build of this Dockerfile with this context uses."""
        from auditor.parsers import dockerignore

        for path in (f"{dockerfile_path}.dockerignore", posixpath.join(context, ".dockerignore")):
            path = posixpath.normpath(path)
            if path not in self._ignores:
                text = self.read(path)
                self._ignores[path] = dockerignore.parse(text) if text is not None else None
            if self._ignores[path] is not None:
                return self._ignores[path]
        return None

    def pyproject(self, path: str) -> PyprojectFacts | None:
        path = posixpath.normpath(path)
        if path not in self._pyprojects:
            from auditor.parsers import pyproject

            text = self.read(path)
            facts = pyproject.parse(text) if text is not None else None
            if facts is not None:
                self.note(facts.problems)
            self._pyprojects[path] = facts
        return self._pyprojects[path]

    def lock(self, path: str) -> Lock | None:
        path = posixpath.normpath(path)
        if path not in self._locks:
            from auditor.parsers import locks

            text = self.read(path)
            kind = locks.detect(path)
            lock = locks.parse(text, kind) if text is not None and kind is not None else None
            if lock is not None:
                self.note(lock.problems)
            self._locks[path] = lock
        return self._locks[path]

    def conda(self, path: str) -> CondaEnvironment | None:
        path = posixpath.normpath(path)
        if path not in self._condas:
            from auditor.parsers import conda

            text = self.read(path)
            facts = conda.parse_environment(text) if text is not None else None
            if facts is not None:
                self.note(facts.problems)
            self._condas[path] = facts
        return self._condas[path]

    def module(self, path: str) -> ModuleFacts | None:
        """Python source (or a notebook's code cells)."""
        path = posixpath.normpath(path)
        if path not in self._modules:
            from auditor.parsers import python

            text = self.read(path)
            facts = python.parse(text) if text is not None else None
            if facts is not None:
                self.note(facts.problems)
            self._modules[path] = facts
        return self._modules[path]

    @property
    def modules(self) -> dict[str, ModuleFacts]:
        """Every module parsed so far."""
        return {path: facts for path, facts in self._modules.items() if facts is not None}

    def script(self, path: str) -> Script | None:
        """A shell script of the repository."""
        path = posixpath.normpath(path)
        if path not in self._scripts:
            from auditor.parsers import shell

            text = self.read(path)
            self._scripts[path] = shell.parse_file(text) if text is not None else None
        return self._scripts[path]

    @property
    def spoken_of(self) -> frozenset[str]:
        """Names in capitals that documentation, settings and scripts mention.

        A variable that none of them knows is one that nobody sets. Code, Dockerfiles and ignore
        files do not count.
        """
        if self._spoken is None:
            from auditor.deployment.surroundings import PLATFORM_FILES

            found: set[str] = set()
            read = 0
            for entry in self.repository.entries:
                name = posixpath.basename(entry.path).lower()
                self._hosted = self._hosted or name in PLATFORM_FILES
                if entry.kind not in _SPEAKING and not name.endswith(_DOCUMENTS):
                    continue
                if entry.size > 200_000 or read > 4_000_000:
                    continue
                if entry.kind is FileKind.DOTENV and not dotenv.is_example(name):
                    continue  # what it sets is followed where something reads it
                read += entry.size
                names = _GIVEN if entry.kind is FileKind.SHELL else _CAPITALS
                text = self.repository.read_text(entry.path).text
                found.update(names.findall(text))
                self._hosted = self._hosted or _HOSTS.search(text) is not None
            self._spoken = frozenset(found)
        return self._spoken

    @property
    def hosted(self) -> bool:
        """A file or a document speaks of a platform that gives containers their port in $PORT."""
        _ = self.spoken_of  # which reads them
        return self._hosted

    @property
    def beforehand(self) -> Beforehand:
        """What workflows and scripts bring before they build."""
        if self._beforehand is None:
            from auditor.deployment import beforehand

            self._beforehand = beforehand.read(self)
        return self._beforehand

    @property
    def documented(self) -> Documented:
        """What documents tell to put somewhere, and what scripts write."""
        if self._documented is None:
            from auditor.deployment import documented

            self._documented = documented.read(self)
        return self._documented

    def by_hand(self, path: str) -> str:
        """Why this path may be there although the repository lacks it; empty where nothing says so.

        A path that ends with ``/`` is a directory.
        """
        return self.put_there(path) or self.example_of(path)

    def example_of(self, path: str) -> str:
        """The example beside a file that it is copied from; empty where there is none."""
        names = dotenv.examples(path) if not path.endswith("/") else ()
        found = next((name for name in names if self.repository.is_file(name)), "")
        return f"{found} shows what it holds" if found else ""

    def put_there(self, path: str) -> str:
        """Who or what puts this path where it is used; empty where nothing says so."""
        if self.repository.would_ignore(path):
            return "git ignores it"
        if not self.repository.exists(path) and self.repository.would_ignore(f"{path}/"):
            return "git ignores it"  # a directory, as the pattern says
        if path.endswith("/") and self.repository.holds_ignored(path):
            return "git ignores what it holds"
        if self._kept_by_dvc(path):
            return "DVC keeps it"
        folder = posixpath.dirname(path.rstrip("/"))
        if folder and self._kept_empty(folder):
            return f"{folder} is kept empty, to be filled"
        where = self.beforehand.brings(path)
        return f"{where} may bring it" if where else self.documented.says(path)

    def taken_elsewhere(self, dockerfile: str, context: str) -> str:
        """What copies the Dockerfile, or the directory it is built from, to where it is built."""
        from auditor.deployment import beforehand

        if self._copying is None:
            self._copying = beforehand.copying(self)
        return beforehand.taken_elsewhere(self._copying, dockerfile, context)

    def _kept_empty(self, folder: str) -> bool:
        """The directory is committed for a placeholder alone."""
        names = set(self.repository.list_dir(folder))
        return bool(names & _PLACEHOLDERS) and names <= _PLACEHOLDERS | {"README.md", ".gitignore"}

    def _kept_by_dvc(self, path: str) -> bool:
        """A ``.dvc`` file stands for it, or for a directory that it lies in."""
        place = path.rstrip("/")
        while place:
            if self.repository.is_file(f"{place}.dvc"):
                return True
            place = place.rpartition("/")[0]
        return False

    def context(self, directory: str) -> BuildContext:
        """A directory of the repository as a build context."""
        return _Context(self.repository, directory)


class _Context:
    """A directory of the repository as the builder would see it."""

    def __init__(self, repository: Repository, directory: str) -> None:
        self._repository = repository
        self._directory = "" if directory in ("", ".") else f"{directory.strip('/')}/"

    def _path(self, path: str) -> str:
        return f"{self._directory}{path}".rstrip("/")

    def is_file(self, path: str) -> bool:
        return self._repository.is_file(self._path(path))

    def is_dir(self, path: str) -> bool:
        return self._repository.is_dir(self._path(path))

    def list_dir(self, path: str) -> tuple[str, ...]:
        return self._repository.list_dir(self._path(path))

    def executable(self, path: str) -> bool:
        return self._repository.executable(self._path(path))
