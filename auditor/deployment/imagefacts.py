"""What a built image holds: settings, steps, copies and what they lacked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Literal, TypeVar

from auditor.deployment.filesystem import FileSystem
from auditor.parsers.dockerfile import Command, Copy, Heredoc, Instruction, Mount, Run
from auditor.parsers.dockerignore import IgnoreMatch
from auditor.source import Location, Problem, Unknown
from auditor.values import value

T = TypeVar("T")


@value
class Setting(Generic[T]):
    """A value and the instruction word that set it; ``at`` is None for a default."""

    value: T
    at: Location | None


@value
class Variable:
    """An ENV, LABEL or ARG as it stands at the end of the stage."""

    name: str
    value: str | Unknown
    at: Location


@value
class BaseImage:
    """The image that the first stage of the lineage starts from; ``scratch`` is empty.

    ``known``: its defaults (user, working directory, populated directories) are on record;
    otherwise they are Unknown. ``at`` is the image's word in FROM.
    """

    reference: str | Unknown
    platform: str | Unknown | None
    known: bool
    at: Location


@value
class Process:
    """CMD, ENTRYPOINT or HEALTHCHECK command: as written, and the argv the engine would run.

    ``argv`` has the shell in front in the shell form.
    """

    command: Command
    argv: tuple[str, ...]
    at: Location


@value
class HealthcheckSetting:
    """``process`` is None for ``HEALTHCHECK NONE``."""

    process: Process | None
    interval: str | None
    timeout: str | None
    start_period: str | None
    retries: str | None
    at: Location


@value
class ExposedPort:
    """One port of an EXPOSE; a range yields ``first`` to ``last``. ``text`` is expanded."""

    first: int | None
    last: int | None
    protocol: str
    text: str | Unknown
    at: Location


@value
class State:
    """What is in force when an instruction runs. ``env`` includes the ARGs that RUN sees."""

    workdir: str | Unknown
    user: str | Unknown
    shell: tuple[str, ...]
    env: Mapping[str, str | Unknown]


@value
class RunStep:
    """A RUN of the stage or of an ancestor of it."""

    stage: int
    instruction: Run
    state: State
    at: Location
    # How many layers the file system had when it began.
    layers: int = 0

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


@value
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


@value
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


@value
class Image:
    """One stage's image.

    ``lineage`` are the indexes of the stages it is built on, oldest first, itself last;
    ``feeding`` those it (or its lineage) copies from, directly or not, ascending. ``env`` holds
    what the Dockerfile sets, ``args`` the build arguments in scope at the end. ``entrypoint``
    and ``cmd`` are None when the Dockerfile leaves them to the base image; a CMD that an
    ENTRYPOINT of a later stage reset is None as well. ``runs`` and ``copies`` are those of the
    lineage, oldest first; ``copy_problems`` those of every stage the build needs.
    """

    dockerfile: str
    stage: int
    stage_name: str | None
    lineage: tuple[int, ...]
    feeding: tuple[int, ...]
    base: BaseImage
    env: tuple[Variable, ...]
    labels: tuple[Variable, ...]
    args: tuple[Variable, ...]
    user: Setting[str | Unknown]
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
    copy_problems: tuple[CopyProblem, ...]
    trace: tuple[tuple[Instruction, State], ...]
    fs: FileSystem
    problems: tuple[Problem, ...]

    def variable(self, name: str) -> Variable | None:
        """The ENV of that name."""
        return next((variable for variable in self.env if variable.name == name), None)
