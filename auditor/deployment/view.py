"""The files that a running container sees: the image's, with mounts laid over them."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.deployment.image import Absent, ContextSource, Present
from auditor.source import Location, SourceText
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.deployment.model import BuiltImage, Mount
    from auditor.parsers.python import ModuleFacts
    from auditor.parsers.python.program import Budget
    from auditor.parsers.shell import Script


@value
class Seen:
    """What is known of one path of the container.

    ``repo`` is the repository's file or directory that stands there, if it comes from one;
    ``at`` the COPY, mount or instruction responsible. ``answer`` no means that opening fails.
    """

    path: str
    answer: Literal["yes", "no", "unknown"]
    kind: Literal["file", "directory"] | None = None
    repo: str | None = None
    at: Location | None = None
    reason: str = ""
    executable: bool | None = None
    owner: str | None = None
    mounted: bool = False
    world_writable: bool = False


class View:
    """Answers questions about the container's paths (absolute, POSIX)."""

    def __init__(self, facts: Facts, image: BuiltImage, mounts: Sequence[Mount]) -> None:
        self._facts = facts
        self._image = image
        # The longest target wins, as in the kernel's mount table.
        self._mounts = sorted(
            (m for m in mounts if isinstance(m.target, str)),
            key=lambda m: -len(str(m.target)),
        )
        self._unknown_mounts = any(not isinstance(m.target, str) for m in mounts)
        self._seen: dict[str, Seen] = {}

    @property
    def budget(self) -> Budget:
        """The work that following code may still cost."""
        return self._facts.budget

    def look(self, path: str) -> Seen:
        """What is known of this path."""
        path = posixpath.normpath(path)
        if path.startswith("//"):
            path = path[1:]
        found = self._seen.get(path)
        if found is None:
            found = self._seen[path] = self._look(path)
        return found

    def _look(self, path: str) -> Seen:
        for mount in self._mounts:
            target = str(mount.target).rstrip("/") or "/"
            if path != target and not path.startswith(f"{target.rstrip('/')}/"):
                continue
            rest = path[len(target) :].strip("/")
            if mount.kind == "volume":
                # A named or anonymous volume starts as a copy of what the image has there.
                break
            if mount.source is None:
                return Seen(
                    path=path,
                    answer="yes" if not rest else "unknown",
                    kind="directory" if not rest else None,
                    at=mount.at,
                    reason=f"{mount.source_text or mount.kind} is mounted over {target}",
                    mounted=True,
                )
            source = posixpath.normpath(posixpath.join(mount.source or ".", rest))
            return self._repo(path, source, mount)
        return self._in_image(path)

    def _repo(self, path: str, source: str, mount: Mount) -> Seen:
        repository = self._facts.repository
        if repository.is_file(source):
            return Seen(
                path=path,
                answer="yes",
                kind="file",
                repo=source,
                at=mount.at,
                executable=repository.executable(source),
                mounted=True,
            )
        if repository.is_dir(source):
            return Seen(
                path=path, answer="yes", kind="directory", repo=source, at=mount.at, mounted=True
            )
        hidden = repository.ignored_exists(source)
        return Seen(
            path=path,
            answer="no",
            at=mount.at,
            reason=(
                f"{source} is on this machine but not in the repository"
                if hidden
                else f"{source} is not in the repository, and is mounted there"
            ),
            mounted=True,
        )

    def _in_image(self, path: str) -> Seen:
        found = self._image.image.fs.lookup(path)
        if isinstance(found, Present):
            repo = None
            if isinstance(found.source, ContextSource):
                repo = posixpath.normpath(
                    posixpath.join(self._image.context, found.source.path or ".")
                )
            return Seen(
                path=path,
                answer="yes",
                kind=found.kind,
                repo=repo,
                at=found.at,
                executable=found.executable,
                owner=found.owner if isinstance(found.owner, str) else None,
            )
        if isinstance(found, Absent):
            return Seen(path=path, answer="no", at=found.removed_at)
        return Seen(path=path, answer="unknown", at=found.at, reason=found.reason)

    def copies_of(self, repo: str) -> tuple[str, ...]:
        """Where in the image a repository file was copied to."""
        context = self._image.context
        if context and not repo.startswith(f"{context}/"):
            return ()
        inside = repo[len(context) + 1 :] if context else repo
        return self._image.image.fs.locate_context(inside)

    def would_ignore(self, path: str, seen: Seen) -> bool:
        """Whether git ignores the place in the repository that would become this path.

        That is where a bind mount leads, or what ``COPY . .`` would bring.
        """
        repository = self._facts.repository
        for mount in self._mounts:
            target = str(mount.target).rstrip("/")
            if mount.source is not None and (path == target or path.startswith(f"{target}/")):
                inside = path[len(target) :].strip("/")
                return repository.would_ignore(
                    posixpath.normpath(posixpath.join(mount.source or ".", inside))
                )
        for step in self._image.image.copies:
            destination = step.destination
            if step.origin != "context" or not isinstance(destination, str):
                continue
            base = destination.rstrip("/") or "/"
            if path != base and not path.startswith(f"{base.rstrip('/')}/"):
                continue
            inside = path[len(base) :].strip("/")
            for source in step.sources:
                if not isinstance(source, str):
                    continue
                start = posixpath.normpath(posixpath.join(self._image.context, source.strip("/")))
                whole = posixpath.normpath(posixpath.join(start, inside)) if inside else start
                if repository.would_ignore(whole):
                    return True
        return False

    def in_repository(self, path: str) -> bool:
        """Whether the repository has a file or directory at this path."""
        return self._facts.repository.exists(path)

    def repository_like(self, text: str) -> str | None:
        """The one repository file whose path ends as ``text`` does (two parts where it has them)."""
        parts = [p for p in re.split(r"[\\/]", text) if p not in ("", ".", "..")]
        if not parts:
            return None
        tail = "/".join(parts[-2:])
        found = [
            entry.path
            for entry in self._facts.repository.entries
            if entry.path == tail or entry.path.endswith(f"/{tail}")
        ]
        return found[0] if len(found) == 1 else None

    def repo_file(self, path: str) -> str | None:
        """The repository file that stands at this path, or None."""
        seen = self.look(path)
        return seen.repo if seen.answer == "yes" and seen.kind == "file" else None

    def module(self, path: str) -> ModuleFacts | None:
        """The parsed Python file at this path."""
        repo = self.repo_file(path)
        return self._facts.module(repo) if repo is not None else None

    def facts_of_repo(self, path: str) -> ModuleFacts | None:
        """The parsed Python file of the repository."""
        return self._facts.module(path)

    @property
    def pickled_modules(self) -> frozenset[str]:
        """Modules that artifacts of the repository name and no known library brings."""
        return self._facts.pickled_modules

    def text(self, path: str) -> SourceText | None:
        """The text of the file at this path."""
        repo = self.repo_file(path)
        return self._facts.read(repo) if repo is not None else None

    def script(self, path: str) -> Script | None:
        """The parsed shell script at this path."""
        repo = self.repo_file(path)
        return self._facts.script(repo) if repo is not None else None

    def link(self, path: str) -> str | None:
        """Where the symbolic link at this path leads; None when the build makes none there."""
        return self._image.image.fs.link(path)

    def copied_to(self, prefix: str) -> tuple[str, ...]:
        """Repository files that COPY puts at or below paths of the image that begin so."""
        found = []
        for step in self._image.image.copies:
            destination = step.destination
            if step.origin != "context" or not isinstance(destination, str):
                continue
            if destination.startswith(prefix):
                for source in step.sources:
                    if isinstance(source, str):
                        path = posixpath.join(self._image.context, source.strip("/"))
                        found.append(posixpath.normpath(path))
        return tuple(found)

    def repository_text(self, path: str) -> SourceText | None:
        """The text of a file of the repository."""
        return self._facts.read(path) if self._facts.repository.is_file(path) else None

    def is_dir(self, path: str) -> bool:
        seen = self.look(path)
        return seen.answer == "yes" and seen.kind == "directory"

    def exists(self, path: str) -> bool | None:
        answer = self.look(path).answer
        return None if answer == "unknown" else answer == "yes"
