"""What the install commands of an image read so far, and the files that they see."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from auditor.deployment.commands import Ran
from auditor.deployment.filesystem import Absent, ContextSource, Present
from auditor.deployment.filtered import Listing, listing_of
from auditor.deployment.imagefacts import Image
from auditor.deployment.model import Compiled, EnvRequirement, InstallStep, Value
from auditor.deployment.prepared import Prepared
from auditor.parsers import conda, locks, pyproject
from auditor.parsers.requirements import Requirement, RequirementsFile
from auditor.source import Location, Problem, Unknown
from auditor.values import field, record

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts


@record
class Draft:
    """An environment while its steps are read."""

    steps: list[InstallStep] = field(default_factory=list)
    requirements: list[EnvRequirement] = field(default_factory=list)
    constraints: list[Requirement] = field(default_factory=list)
    locks: list[locks.Lock] = field(default_factory=list)
    files: list[RequirementsFile] = field(default_factory=list)
    compiled: list[Compiled] = field(default_factory=list)
    conda: list[conda.CondaEnvironment] = field(default_factory=list)
    pyproject: pyproject.PyprojectFacts | None = None
    because: list[str] = field(default_factory=list)
    no_deps: list[bool] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    roots: list[tuple[str, tuple[str, ...], str | None]] = field(default_factory=list)


@record
class Collected:
    """What a command prepared for a later one, and how it was read."""

    draft: Draft
    step: InstallStep
    # The Python that wheels were collected for.
    python: str | None = None
    # The lines of a requirements file that a filter wrote.
    listing: Listing | None = None

    def into(self, draft: Draft) -> None:
        """What the file or directory holds beside requirements, as if it were read here."""
        draft.locks.extend(self.draft.locks)
        draft.files.extend(self.draft.files)
        if self.listing is not None:
            draft.problems.extend(self.draft.problems)
        draft.compiled.extend(self.draft.compiled)
        draft.constraints.extend(self.draft.constraints)
        draft.conda.extend(self.draft.conda)
        draft.pyproject = draft.pyproject or self.draft.pyproject


class Resolver:
    """Maps a path as a command sees it to a repository path, or says why that fails."""

    def __init__(
        self,
        ran: Ran,
        image: Image,
        context: str,
        prepared: Prepared[Collected],
        *,
        fatal: bool,
    ) -> None:
        self._ran = ran
        self._image = image
        self._context = context
        self._prepared = prepared
        # The build ends when the command fails.
        self.fatal = fatal

    def prepared(self, path: str) -> Collected | None:
        """What an earlier command of the build wrote there, to be installed."""
        absolute = self.where(path)
        return self._prepared.find(self._image, absolute) if isinstance(absolute, str) else None

    def listing(self, facts: Facts) -> Callable[[str], Listing | None]:
        """What a filter reads at a path; None where that is not known."""

        def opened(path: str) -> Listing | None:
            made = self.prepared(path)
            if made is not None:
                return made.listing
            found, _ = self(path)
            return listing_of(facts.read(found)) if found is not None else None

        return opened

    def glob(self, facts: Facts) -> Callable[[str], tuple[str, ...]]:
        """The files of the repository that a pattern names, in the shell's order."""

        def matching(told: str) -> tuple[str, ...]:
            folder, name = posixpath.split(told)
            found, _ = self(folder or ".")
            names = facts.repository.list_dir(found) if found is not None else ()
            chosen = sorted(n for n in names if fnmatchcase(n, name) and not n.startswith("."))
            return tuple(posixpath.join(folder, n) for n in chosen) or (told,)

        return matching

    def where(self, path: str) -> Value:
        """The absolute path in the image."""
        cwd = self._ran.what.cwd
        if not isinstance(cwd, str):
            cwd = self._ran.step.state.workdir
        return cwd if isinstance(cwd, Unknown) else posixpath.normpath(posixpath.join(cwd, path))

    def __call__(self, path: str) -> tuple[str | None, str]:
        absolute = self.where(path)
        if isinstance(absolute, Unknown):
            return None, absolute.reason
        mounted = self._mounted(absolute)
        if mounted is not None:
            return mounted, ""
        # What the command sees; a later COPY may lay another file over it.
        found = self._image.fs.lookup_before(absolute, self._ran.step.layers)
        if not isinstance(found, Present) or not isinstance(found.source, ContextSource):
            now = self._image.fs.lookup(absolute)
            gone = isinstance(now, Absent) and now.removed_at is not None
            found = found if gone else now
        if isinstance(found, Present) and isinstance(found.source, ContextSource):
            return posixpath.normpath(posixpath.join(self._context, found.source.path or ".")), ""
        name = posixpath.basename(absolute)
        return None, f"{path} is not traced to a file of the repository ({name})"

    def absent(self, absolute: str) -> bool:
        """The command certainly finds nothing there."""
        found = self._image.fs.lookup(absolute)
        gone = isinstance(found, Absent) and found.removed_at is None
        return gone and self._mounted(absolute) is None

    def too_late(self, absolute: str) -> Location | None:
        """The COPY that brings the file, where it stands below the command."""
        found, run = self._image.fs.lookup(absolute), self._ran.step.at
        if not isinstance(found, Present) or not isinstance(found.source, ContextSource):
            return None
        at, name = found.at, posixpath.basename(absolute)
        if at is None or at.path != run.path or at.line <= run.line or self.copied_by_then(name):
            return None
        return at if self._mounted(absolute) is None else None

    @property
    def copies_fail(self) -> bool:
        """A COPY brings less than it says: what is missing has another reason."""
        return any(step.problems for step in self._image.copies)

    def copied_by_then(self, name: str) -> bool:
        """Whether a COPY before the command may bring a file of that name; mounts count."""
        if self._ran.step.mounts:
            return True
        for step in self._image.copies:
            if step.at.path == self._ran.step.at.path and step.at.line > self._ran.step.at.line:
                continue
            told = step.destination
            named = isinstance(told, str) and not step.destination_is_directory
            if named and posixpath.basename(str(told)) == name:
                return True  # a source of another name
            for source in step.sources:
                last = posixpath.basename(source.rstrip("/")) if isinstance(source, str) else "*"
                if last in ("", ".", "..") or fnmatchcase(name, last) or "." not in last:
                    return True
        return False

    def _mounted(self, absolute: str) -> str | None:
        """The repository path that a bind mount of the RUN shows there."""
        for mount in self._ran.step.mounts:
            if mount.type != "bind" or mount.from_ or mount.target is None:
                continue
            target = self.where(mount.target)
            if not isinstance(target, str):
                continue
            source = (mount.source or "").strip("/")
            if absolute == target:
                return posixpath.normpath(posixpath.join(self._context, source or "."))
            if absolute.startswith(f"{target.rstrip('/')}/"):
                rest = absolute[len(target.rstrip("/")) + 1 :]
                return posixpath.normpath(posixpath.join(self._context, source, rest))
        return None
