"""The files that a running container sees: the image's, with mounts laid over them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.deployment.filesystem import (
    Absent,
    ContextSource,
    InlineSource,
    MadeSource,
    Present,
    Undetermined,
)
from auditor.source import Location, SourceText
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.deployment.imagefacts import CopyStep
    from auditor.deployment.made import Made
    from auditor.deployment.model import BuiltImage, Mount
    from auditor.parsers.python import ModuleFacts
    from auditor.parsers.python.facts import Dump
    from auditor.parsers.python.program import Budget
    from auditor.parsers.shell.facts import Script

# Bounds of listing a directory with everything in it.
_MAX_BELOW = 2_000
_MAX_DEPTH = 6


# Releases whose `sh` is dash.
_WITH_DASH = frozenset({"buster", "bullseye", "bookworm", "trixie"})


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
    # Its group may write.
    group_writable: bool = False
    # A chmod keeps everybody but its owner from reading it.
    private: bool = False
    # It keeps the owner's group from reading it, too.
    group_private: bool = False
    # A directory that a chmod left without the right to enter it: only root does.
    closed: bool = False
    # What the project's own code pickled there, while building or before the server starts.
    dump: Dump | None = None


# pip itself, and not what is named after it (`pip-compile` writes where it is told to).
_BY_PIP = re.compile(r"pip[\d.]* ")


def _mount_point(path: str, mount: Mount) -> Seen:
    """A directory that the image lacks and the engine makes, for root, to mount something there."""
    return Seen(
        path=path,
        answer="yes",
        kind="directory",
        at=mount.at,
        owner=None if mount.shared_with else "root",
        reason="made by the engine, for root, to mount something there",
    )


def _only_dump(runs: Iterable[Made], path: str) -> Dump | None:
    writers = [made for made in runs if made.answer(path) == "yes"]
    return writers[0].dump(path) if len(writers) == 1 else None


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
        # What RUN makes by the project's own Python, by instruction; None while that is followed.
        self._runs: dict[Location, tuple[Made, ...]] | None = None
        self._following = False
        # What runs in the container before the server: scripts followed, and places left open.
        self._before: list[Made] = []
        self._open: list[tuple[tuple[str, ...], str]] = []
        self._stages: dict[int, View | None] = {}

    @property
    def budget(self) -> Budget:
        """The work that following code may still cost."""
        return self._facts.budget

    @property
    def spoken_of(self) -> frozenset[str]:
        """Names in capitals that something besides code and Dockerfiles mentions."""
        return self._facts.spoken_of

    @property
    def hosted(self) -> bool:
        """Something speaks of a platform that gives containers their port in $PORT."""
        return self._facts.hosted

    def look(self, path: str) -> Seen:
        """What is known of this path."""
        path = posixpath.normpath(path)
        if path.startswith("//"):
            path = path[1:]
        found = self._seen.get(path)
        if found is None:
            found = self._look(path)
            if found.answer == "no" and (self._before or self._open):
                found = self._prepared(found)
            if not self._following:
                self._seen[path] = found
        return found

    def before_start(self, path: str) -> Seen:
        """What is known of this path when the container starts, before any script of it runs."""
        if not self._before and not self._open:
            return self.look(path)
        return self._look(posixpath.normpath(path))

    def prepared(self, made: Made) -> None:
        """A script that runs in the container before the server does."""
        self._before.append(made)
        self._seen.clear()

    def may_prepare(self, roots: tuple[str, ...], reason: str) -> None:
        """A command that runs before the server may make anything below these directories."""
        self._open.append((roots, reason))
        self._seen.clear()

    def _prepared(self, seen: Seen) -> Seen:
        for made in self._before:
            if made.answer(seen.path) == "yes":
                return Seen(
                    path=seen.path,
                    answer="yes",
                    at=made.at,
                    reason="made at the start",
                    dump=_only_dump(self._before, seen.path),
                )
        for roots, reason in self._open:
            if any(
                seen.path == root or seen.path.startswith(root.rstrip("/") + "/") for root in roots
            ):
                return Seen(path=seen.path, answer="unknown", at=seen.at, reason=reason)
        return seen

    def _look(self, path: str) -> Seen:
        for mount in self._mounts:
            target = str(mount.target).rstrip("/") or "/"
            if path != target and not path.startswith(f"{target.rstrip('/')}/"):
                continue
            rest = path[len(target) :].strip("/")
            if mount.kind == "volume":
                # A named or anonymous volume starts as a copy of what the image has there.
                seen = self._in_image(path)
                if not rest and seen.answer == "no":
                    seen = _mount_point(path, mount)
                return self._filled(seen, mount)
            if mount.files is not None:
                return self._listed(path, rest, mount, mount.files)
            if mount.kind == "tmpfs" and rest:
                return Seen(
                    path=path,
                    answer="no",
                    at=mount.at,
                    reason=f"an empty tmpfs is mounted over {target}",
                    mounted=True,
                )
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
            return self._filled(self._repo(path, source, mount), mount)
        seen = self._in_image(path)
        if seen.answer == "no":
            below = f"{path.rstrip('/')}/"
            inner = next((m for m in self._mounts if str(m.target).startswith(below)), None)
            return seen if inner is None else _mount_point(path, inner)
        return seen

    def _filled(self, seen: Seen, mount: Mount) -> Seen:
        """What is not there may come from another service that mounts the same place."""
        if seen.answer != "no" or not mount.shared_with:
            return seen
        return Seen(
            path=seen.path,
            answer="unknown",
            at=mount.at,
            reason=f"`{mount.shared_with}` mounts the same place and may put it there",
            mounted=seen.mounted,
        )

    def _listed(self, path: str, rest: str, mount: Mount, files: tuple[str, ...]) -> Seen:
        """What a mount has of which every file is known."""
        kind: Literal["file", "directory"] | None = None
        if rest in files:
            kind = "file"
        elif not rest or any(name.startswith(f"{rest}/") for name in files):
            kind = "directory"
        return Seen(
            path=path,
            answer="yes" if kind else "no",
            kind=kind,
            at=mount.at,
            reason=f"{mount.source_text} is mounted over {mount.target}",
            mounted=True,
        )

    def mount_of(self, path: str) -> Mount | None:
        """The mount that a path lies in."""
        for mount in self._mounts:
            target = str(mount.target).rstrip("/") or "/"
            if path == target or path.startswith(f"{target.rstrip('/')}/"):
                return mount
        return None

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
                if found.kind == "file" and (made := self._made_anew(path, found.at)) is not None:
                    return made
            return Seen(
                path=path,
                answer="yes",
                kind=found.kind,
                repo=repo,
                at=found.at,
                executable=found.executable,
                owner=found.owner if isinstance(found.owner, str) else None,
                world_writable=bool(found.others and found.others.write),
                group_writable=bool(found.others and found.others.group),
                private=bool(
                    found.others
                    and (
                        found.others.read is False
                        or (found.kind == "directory" and found.others.enter is False)
                    )
                ),
                group_private=bool(found.others and found.others.group_read is False),
                closed=found.kind == "directory"
                and found.executable is False
                and bool(found.others and found.others.enter is False),
            )
        if isinstance(found, Absent):
            return Seen(path=path, answer="no", at=found.removed_at)
        decided = self._decided(path, found)
        if decided is not None:
            return decided
        return Seen(path=path, answer="unknown", at=found.at, reason=found.reason)

    def _made_anew(self, path: str, copied: Location | None) -> Seen | None:
        """A file that the build makes again after it was copied, as training in a RUN does."""
        if copied is None:
            return None
        for at, made in self._by_python().items():
            later = at.path == copied.path and at.line > copied.line
            if later and any(one.answer(path) == "yes" for one in made):
                return Seen(
                    path=path,
                    answer="yes",
                    kind="file",
                    at=at,
                    reason="made while building",
                    dump=self._dumped(path),
                )
        return None

    def _decided(self, path: str, found: Undetermined) -> Seen | None:
        """What following the project's own code or another stage says of an open question."""
        if found.reason.startswith("copied from ") and found.reason.endswith(" of another stage"):
            return self._from_stage(path, found)
        if found.reason.startswith("python"):
            if not self._by_own_run(found):
                return self._from_stage(path, found, told=False)
            for at, made in self._by_python().items():
                if found.at is not None and not at.line <= found.at.line <= at.end_line:
                    continue
                answers = {one.answer(path) for one in made}
                if "yes" in answers:
                    dump = self._dumped(path)
                    return Seen(
                        path=path,
                        answer="yes",
                        kind="file" if dump is not None else None,
                        at=at,
                        reason="made while building",
                        dump=dump,
                    )
                if answers == {"no"}:
                    return Seen(
                        path=path, answer="no", at=at, reason="this makes it in another place"
                    )
        if _BY_PIP.match(found.reason) and self._by_own_run(found) and self._far_from_pip(path):
            return Seen(path=path, answer="no", at=found.at, reason="pip installs elsewhere")
        return None

    def _by_own_run(self, found: Undetermined) -> bool:
        """A RUN of this image may have made it: what another stage made is copied elsewhere."""
        at = found.at
        return at is None or any(
            step.at.path == at.path and step.at.line <= at.line <= step.at.end_line
            for step in self._image.image.runs
        )

    def _far_from_pip(self, path: str) -> bool:
        """Wheels install below the prefix, which is /usr/local in Python's images; pip leaves /tmp empty."""
        base = self._image.base
        if base is None or not base.official_python or path.startswith(("/usr/", "/root/.")):
            return False
        parts = path.split("/")[1:]
        # Named from the root, or an environment or target named from the working directory.
        wanted = [f"/{parts[0]}", *(f"{part}/bin/" for part in parts[1:-1])]
        wanted += [f"{flag} {part}" for flag in ("-t", "--target") for part in parts[1:-1]]
        texts = (step.command.text.text for step in self._image.image.runs)
        return not any("pip" in text and any(w in text for w in wanted) for text in texts)

    def _by_python(self) -> dict[Location, tuple[Made, ...]]:
        if self._runs is not None:
            return self._runs
        if self._following:
            return {}
        from auditor.deployment.commands import ran
        from auditor.deployment.made import run
        from auditor.parsers.commands import PythonRun

        self._following = True
        found: dict[Location, tuple[Made, ...]] = {}
        try:
            for command in ran(self._image.image):
                fact = command.what.fact
                if isinstance(fact, PythonRun):
                    made = run(fact, self, command.what.env, command.what.cwd)
                    found[command.step.at] = (*found.get(command.step.at, ()), made)
        finally:
            self._following = False
        self._runs = found
        return found

    def _dumped(self, path: str) -> Dump | None:
        """What the build pickled into a file, where one program alone writes it."""
        if self._open or any(m.answer(path) == "yes" or not m.followed for m in self._before):
            return None
        return _only_dump((one for made in self._by_python().values() for one in made), path)

    def made_by_build(self) -> dict[Location, tuple[Made, ...]]:
        """What the project's own Python does in RUN instructions, by instruction."""
        return self._by_python()

    def _from_stage(self, path: str, found: Undetermined, *, told: bool = True) -> Seen | None:
        """The same question, asked of the stage that the file is copied from.

        ``told``: the question names the COPY; otherwise it names what runs in that stage.
        """
        for step in reversed(self._image.image.copies):
            target = step.destination
            if step.origin != "stage" or step.from_stage is None or not isinstance(target, str):
                continue
            if told and step.at != found.at and step.instruction.at != found.at:
                continue
            other = self.stage(step.from_stage)
            if other is None:
                return None
            answers = []
            for source in step.sources:
                if not isinstance(source, str) or any(c in source for c in "*?["):
                    return None
                origin = posixpath.normpath(posixpath.join("/", source))
                whole = target.rstrip("/") or "/"
                inside = posixpath.relpath(path, whole) if path != whole else ""
                if inside.startswith(".."):
                    continue
                # A directory's content is copied; a file keeps its name in a directory.
                as_file = not inside or inside == posixpath.basename(origin)
                if as_file and not other.is_dir(origin):
                    answers.append(other.look(origin))
                elif inside and other.look(origin).kind == "file":
                    answers.append(Seen(path=path, answer="no"))  # nothing lies below a file
                elif inside:
                    answers.append(other.look(posixpath.normpath(posixpath.join(origin, inside))))
            if any(seen.answer == "yes" for seen in answers):
                dump = answers[0].dump if len(answers) == 1 else None
                kind = answers[0].kind if dump is not None else None
                return Seen(path=path, answer="yes", kind=kind, at=found.at, dump=dump)
            if answers and all(seen.answer == "no" for seen in answers):
                return Seen(
                    path=path, answer="no", at=found.at, reason="this stage has it elsewhere"
                )
        return None

    @property
    def image(self) -> BuiltImage:
        """The image whose files these are."""
        return self._image

    def stage(self, number: int) -> View | None:
        """Another stage of the same build."""
        if number not in self._stages:
            from auditor.deployment import images

            built = images.build(
                self._facts,
                dockerfile=self._image.dockerfile.path,
                context=self._image.context,
                target=str(number),
                build_args=dict(self._image.build_args),
            )
            self._stages[number] = View(self._facts, built, ()) if built is not None else None
        return self._stages[number]

    def copies_of(self, repo: str) -> tuple[str, ...]:
        """Where in the image a repository file was copied to."""
        context = self._image.context
        if context and not repo.startswith(f"{context}/"):
            return ()
        inside = repo[len(context) + 1 :] if context else repo
        return self._image.image.fs.locate_context(inside)

    def by_hand(self, path: str, *, examples: bool = True) -> str:
        """Why the place in the repository that would become this path may be filled nevertheless.

        That is where a bind mount leads, or what ``COPY . .`` would bring past ``.dockerignore``;
        git may ignore it, or a workflow bring it before the build. Empty where nothing says so.
        An example beside it says so, too, unless ``examples`` is off.
        """
        why_of = self._facts.by_hand if examples else self._facts.put_there
        context = self._image.context
        ignore = self._facts.dockerignore(context, self._image.dockerfile.path)
        for mount in self._mounts:
            target = str(mount.target).rstrip("/")
            if mount.source is not None and (path == target or path.startswith(f"{target}/")):
                inside = path[len(target) :].strip("/")
                place = posixpath.normpath(posixpath.join(mount.source or ".", inside))
                return why_of(place) or why_of(f"{place}/")
        for start in self._sources_of(path):
            whole = posixpath.normpath(posixpath.join(context, start))
            left_out = ignore is not None and ignore.match(start) is not None
            why = "" if left_out else why_of(whole) or why_of(f"{whole}/")
            if why:
                return why
        for step, start in self._starts(path, "stage"):
            other = self.stage(step.from_stage) if step.from_stage is not None else None
            why = other.by_hand(start, examples=examples) if other is not None else ""
            if why:
                return why
        top = self._image.image.workdir.value
        if isinstance(top, str) and path.startswith(f"{top.rstrip('/')}/"):
            inside = path[len(top.rstrip("/")) + 1 :]
            # A packager takes a folder: the stand-in for it names only what is there.
            if any(self._image.dockerfile is item for item in self._facts.standins.values()):
                return why_of(posixpath.normpath(posixpath.join(context, inside)))
        return ""

    def _sources_of(self, path: str) -> Iterator[str]:
        """Paths of the context that a COPY would bring to this path, were they there."""
        for _, start in self._starts(path, "context"):
            yield start

    def _starts(self, path: str, origin: str) -> Iterator[tuple[CopyStep, str]]:
        """The copies from there that would bring something to this path, and from which path."""
        context = self._image.context
        for step in self._image.image.copies:
            destination = step.destination
            if step.origin != origin or not isinstance(destination, str):
                continue
            base = destination.rstrip("/") or "/"
            if path != base and not path.startswith(f"{base.rstrip('/')}/"):
                continue
            inside = path[len(base) :].strip("/")
            for source in step.sources:
                if not isinstance(source, str):
                    continue
                if origin == "stage":
                    start = posixpath.normpath(posixpath.join("/", source))
                    if posixpath.basename(start) != inside:
                        start = posixpath.join(start, inside)
                    yield step, start.rstrip("/")
                    continue
                start = posixpath.normpath(source.strip("/") or ".")
                if posixpath.basename(start) != inside:
                    if inside and self._facts.repository.is_file(posixpath.join(context, start)):
                        continue  # one file, and another than this
                    start = posixpath.normpath(posixpath.join(start, inside))
                yield step, start

    def ignored(self, path: str) -> tuple[str, Location] | None:
        """(repository path, pattern) of what ``.dockerignore`` keeps a COPY from bringing here."""
        context = self._image.context
        ignore = self._facts.dockerignore(context, self._image.dockerfile.path)
        if ignore is None or self.mount_of(path) is not None:
            return None
        for start in self._sources_of(path):
            whole = posixpath.normpath(posixpath.join(context, start))
            match = ignore.match(start)
            if match is not None and self._facts.repository.is_file(whole):
                return whole, match.at
        return None

    def build_mentions(self, text: str) -> bool:
        """Whether a RUN of the image, or of what it is built on, names this."""
        return any(text in word for step in self._image.image.runs for word in step.command.argv)

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

    def names(self, path: str) -> tuple[str, ...]:
        """Names known to be in a directory."""
        mount = self.mount_of(path)
        if mount is not None and mount.source is not None:
            inside = path[len(str(mount.target)) :].strip("/")
            start = posixpath.normpath(posixpath.join(mount.source, inside))
            prefix = "" if start == "." else f"{start}/"
            return tuple(
                entry.path[len(prefix) :]
                for entry in self._facts.repository.entries
                if entry.path.startswith(prefix) and "/" not in entry.path[len(prefix) :]
            )
        return self._image.image.fs.list_dir(path).names

    def below(self, path: str) -> tuple[tuple[str, ...], bool]:
        """Files known to lie below a directory, by their path in it, and whether those are all."""
        found: list[str] = []
        complete = True
        mount = self.mount_of(path)
        if mount is not None and mount.source is not None:
            inside = path[len(str(mount.target)) :].strip("/")
            start = posixpath.normpath(posixpath.join(mount.source, inside))
            prefix = "" if start == "." else f"{start}/"
            files = [
                entry.path[len(prefix) :]
                for entry in self._facts.repository.entries
                if entry.path.startswith(prefix)
            ]
            return tuple(sorted(files)), not self._facts.by_hand(f"{prefix}x")
        if mount is not None and mount.kind != "volume":
            return (), mount.kind == "tmpfs"
        waiting = [("", 0)]
        while waiting and len(found) < _MAX_BELOW:
            where, depth = waiting.pop()
            listing = self._image.image.fs.list_dir(posixpath.join(path, where))
            complete = complete and listing.complete
            for name in listing.names:
                inner = posixpath.join(where, name)
                if depth < _MAX_DEPTH and self.is_dir(posixpath.join(path, inner)):
                    waiting.append((inner, depth + 1))
                else:
                    found.append(inner)
        return tuple(sorted(found)), complete and not waiting

    def is_mount_point(self, path: str) -> bool:
        """Something is mounted at this path or below it: the engine makes the directory."""
        prefix = f"{path.rstrip('/')}/"
        return any(f"{mount.target}/".startswith(prefix) for mount in self._mounts)

    def left_empty(self, path: str) -> bool:
        """A RUN makes this directory, or VOLUME names it, and nothing is put into it.

        One that is not there is as empty as the nearest above it that is.
        """
        found = self._image.image.fs.lookup(path)
        while isinstance(found, Absent) and len(path) > 1:
            path = posixpath.dirname(path)
            found = self._image.image.fs.lookup(path)
        if not isinstance(found, Present) or not isinstance(found.source, MadeSource):
            return False
        if found.kind != "directory" or path == self._image.image.workdir.value:
            return False
        listing = self._image.image.fs.list_dir(path)
        made = found.source.by.startswith(("mkdir", "install", "VOLUME"))
        return made and listing.complete and not listing.names

    def listing(self, path: str) -> tuple[str, ...] | None:
        """Every name in a directory; None where more may be there."""
        mount = self.mount_of(path)
        if mount is not None:
            seen = self.look(path)
            if mount.source is None or not seen.mounted or seen.answer == "unknown":
                return None
            return None if mount.made_by_hand else self.names(path)
        if self._before or self._open or self.look(path).answer == "unknown":
            return None
        listing = self._image.image.fs.list_dir(path)
        return listing.names if listing.complete else None

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
        return self._facts.read(repo) if repo is not None else self._written(path)

    def _written(self, path: str) -> SourceText | None:
        """A text that the Dockerfile itself writes, each line where it stands there."""
        found = self._image.image.fs.lookup(path) if self.mount_of(path) is None else None
        if not isinstance(found, Present):
            return None
        pieces: Sequence[tuple[int, str]] = ()
        if isinstance(found.source, InlineSource):
            pieces = [(found.source.heredoc.body.place(0)[0], found.source.heredoc.text)]
        elif isinstance(found.source, MadeSource) and found.source.text is not None:
            pieces = [(at.line, text) for at, text in found.source.text]
        if not pieces:
            return None
        whole = ""
        for line, text in pieces:
            if not whole or whole.endswith("\n"):
                whole += "\n" * (line - 1 - whole.count("\n"))
            whole += text
        return SourceText(self._image.dockerfile.path, whole)

    def script(self, path: str) -> Script | None:
        """The parsed shell script at this path."""
        repo = self.repo_file(path)
        script = self._facts.script(repo) if repo is not None else None
        if script is None:
            return None
        return replace(script, dash=self.has_dash, called=posixpath.normpath(path))

    @property
    def has_dash(self) -> bool:
        """The image's ``sh`` is dash: a release of Debian or Ubuntu."""
        base = self._image.base
        return base is not None and base.release in _WITH_DASH

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

    def repository_script(self, path: str) -> Script | None:
        """The parsed shell script of the repository; None when the path is none."""
        return self._facts.script(path) if self._facts.repository.is_file(path) else None

    def is_dir(self, path: str) -> bool:
        seen = self.look(path)
        return seen.answer == "yes" and seen.kind == "directory"

    def exists(self, path: str) -> bool | None:
        answer = self.look(path).answer
        return None if answer == "unknown" else answer == "yes"
