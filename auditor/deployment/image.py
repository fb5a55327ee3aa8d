"""What a Dockerfile puts into an image, evaluated without building it.

``evaluate`` follows one stage and its ancestors instruction by instruction, substitutes build
arguments, and keeps the image's file system as a stack of lazy layers: nothing is listed until
somebody asks for a path. What a RUN, a base image or a foreign copy may have created is
``Undetermined``, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from auditor.parsers.dockerfile import Command, Copy, Dockerfile, Heredoc, Instruction, Mount, Run
from auditor.parsers.dockerignore import DockerIgnore, IgnoreMatch
from auditor.source import Location, Problem, Unknown

T = TypeVar("T")


class BuildContext(Protocol):
    """The directory that is sent to the builder. Paths are POSIX, relative to its root, case
    sensitive; the root itself is the empty string.
    """

    def is_file(self, path: str) -> bool: ...

    def is_dir(self, path: str) -> bool: ...

    def list_dir(self, path: str) -> Sequence[str]:
        """Names in a directory; empty when it is none."""
        ...

    def executable(self, path: str) -> bool: ...


# --- settings ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T]):
    """A value and the instruction word that set it; ``at`` is None for a default."""

    value: T
    at: Location | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An ENV, LABEL or ARG as it stands at the end of the stage."""

    name: str
    value: str | Unknown
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """The image that the first stage of the lineage starts from; ``scratch`` is empty."""

    reference: str | Unknown
    platform: str | Unknown | None
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """CMD, ENTRYPOINT or HEALTHCHECK command: as written, and the argv the engine would run.

    ``argv`` has the shell in front in the shell form.
    """

    command: Command
    argv: tuple[str, ...]
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthcheckSetting:
    """``process`` is None for ``HEALTHCHECK NONE``."""

    process: Process | None
    interval: str | None
    timeout: str | None
    start_period: str | None
    retries: str | None
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedPort:
    """One port of an EXPOSE; a range yields ``first`` to ``last``. ``text`` is expanded."""

    first: int | None
    last: int | None
    protocol: str
    text: str | Unknown
    at: Location


# --- steps ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is in force when an instruction runs. ``env`` includes the ARGs that RUN sees."""

    workdir: str | Unknown
    user: str | Unknown | None
    shell: tuple[str, ...]
    env: Mapping[str, str | Unknown]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """A RUN of the stage or of an ancestor of it."""

    stage: int
    instruction: Run
    state: State
    at: Location

    @property
    def command(self) -> Command:
        return self.instruction.command

    @property
    def mounts(self) -> tuple[Mount, ...]:
        return self.instruction.mounts

    @property
    def heredocs(self) -> tuple[Heredoc, ...]:
        return self.instruction.heredocs


CopyProblemKind = Literal[
    "missing",  # not in the context (or in the stage copied from)
    "ignored",  # in the context, left out by .dockerignore
    "case",  # only there with other letter case
    "no-match",  # a wildcard that matches nothing
    "outside",  # ../ beyond the context root
    "unknown-stage",  # --from names neither a stage nor, evidently, an image
    "later-stage",  # --from names this stage or one that comes later
    "not-a-directory",  # several sources, but the destination does not end in /
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyProblem:
    """Something that stops or cripples a COPY. ``certain`` is False where a value was unknown."""

    kind: CopyProblemKind
    source: str
    message: str
    at: Location
    instruction_at: Location
    ignored_by: IgnoreMatch | None = None
    candidates: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStep:
    """A COPY or ADD. ``destination`` is absolute; ``origin`` says where the sources come from."""

    stage: int
    instruction: Copy
    origin: Literal["context", "stage", "image", "unknown"]
    from_stage: int | None
    from_image: str | Unknown | None
    sources: tuple[str | Unknown, ...]
    destination: str | Unknown
    destination_is_directory: bool
    owner: str | Unknown
    problems: tuple[CopyProblem, ...]
    at: Location


# --- the file system -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSource:
    """A file or directory of the build context."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineSource:
    """The content of a here-document."""

    heredoc: Heredoc


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSource:
    """Made by an instruction: WORKDIR, mkdir, touch, redirection, VOLUME."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSource:
    """Known to be part of the base image."""

    image: str


Source = ContextSource | InlineSource | MadeSource | BaseSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The path exists. ``owner`` is ``user[:group]`` as written; ``executable`` None if unknown.

    ``at`` is the instruction that put it there.
    """

    path: str
    kind: Literal["file", "directory"]
    source: Source
    at: Location | None
    owner: str | Unknown = "0:0"
    executable: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The path does not exist; ``removed_at`` when an instruction deleted it."""

    path: str
    removed_at: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undetermined:
    """The evidence does not decide; ``at`` is the instruction that blurs it."""

    path: str
    reason: str
    at: Location | None = None


Lookup = Present | Absent | Undetermined


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Names in a directory; ``complete`` is False when unknown files may be there too."""

    names: tuple[str, ...]
    complete: bool


class FileSystem:
    """The files of an image as a stack of lazy layers. Paths are absolute and normalised."""

    def lookup(self, path: str) -> Lookup:
        """What is known about a path; relative paths are taken from ``/``."""
        raise NotImplementedError

    def list_dir(self, path: str) -> Listing:
        """The names known to be in a directory."""
        raise NotImplementedError

    def locate_context(self, path: str) -> tuple[str, ...]:
        """Where in the image a file or directory of the context was copied to, newest first."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One stage's image.

    ``lineage`` are the indexes of the stages it is built on, oldest first, itself last. ``env``
    holds what the Dockerfile sets (the base image's own environment is not known here).
    ``args`` are those declared in the stage itself.
    """

    dockerfile: str
    stage: int
    stage_name: str | None
    lineage: tuple[int, ...]
    base: BaseImage
    env: tuple[Variable, ...]
    labels: tuple[Variable, ...]
    args: tuple[Variable, ...]
    user: Setting[str | Unknown] | None
    workdir: Setting[str | Unknown]
    shell: Setting[tuple[str, ...]]
    entrypoint: Process | None
    cmd: Process | None
    healthcheck: HealthcheckSetting | None
    exposed: tuple[ExposedPort, ...]
    volumes: tuple[Setting[str | Unknown], ...]
    stopsignal: Setting[str | Unknown] | None
    onbuild: tuple[Instruction, ...]
    runs: tuple[RunStep, ...]
    copies: tuple[CopyStep, ...]
    trace: tuple[tuple[Instruction, State], ...]
    fs: FileSystem
    problems: tuple[Problem, ...]

    def variable(self, name: str) -> Variable | None:
        """The ENV of that name."""
        return next((v for v in self.env if v.name == name), None)

    @property
    def copy_problems(self) -> tuple[CopyProblem, ...]:
        return tuple(problem for step in self.copies for problem in step.problems)


def evaluate(
    dockerfile: Dockerfile,
    context: BuildContext,
    *,
    ignore: DockerIgnore | None = None,
    build_args: Mapping[str, str | Unknown] | None = None,
    target: str | None = None,
) -> Image | None:
    """The image of the target (default: last) stage; None when there is no such stage."""
    raise NotImplementedError
