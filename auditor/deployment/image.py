"""What a Dockerfile puts into an image, evaluated without building it.

``evaluate`` follows one stage and its ancestors instruction by instruction, substitutes build
arguments, and keeps the image's file system as a stack of lazy layers: nothing is listed until
somebody asks for a path. What a RUN, a base image or a foreign copy may have created is
``Undetermined``, never guessed.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from auditor.deployment.baselayer import BaseLayer
from auditor.deployment.effects import (
    Changed,
    Copied,
    Effect,
    Linked,
    Make,
    MayCreate,
    Others,
    Removed,
    effects,
    mode_executable,
    mode_others,
)
from auditor.deployment.filesystem import (
    Absent,
    Attributes,
    BuildContext,
    ContextView,
    File,
    FileSystem,
    InlineSource,
    Link,
    MadeSource,
    Opaque,
    Present,
    Removal,
    Transfer,
    Undetermined,
    absolute,
    expand_pattern,
    has_wildcards,
    join_absolute,
    within,
)
from auditor.deployment.imagefacts import (
    BaseImage,
    CopyProblem,
    CopyStep,
    ExposedPort,
    HealthcheckSetting,
    Image,
    Process,
    RunStep,
    Setting,
    State,
    Variable,
)
from auditor.deployment.placing import Placement, case_candidates, escapes, same_suffix
from auditor.parsers.dockerfile import (
    Arg,
    Cmd,
    Command,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Onbuild,
    Pair,
    Run,
    Shell,
    Stage,
    Stopsignal,
    User,
    Volume,
    Word,
    Workdir,
    expand,
    expand_words,
    heredoc_name,
    is_heredoc,
)
from auditor.parsers.dockerignore import DockerIgnore
from auditor.parsers.dockerignore import parse as parse_ignore
from auditor.source import Fragment, Location, Problem, SourceText, Unknown

if TYPE_CHECKING:
    from auditor.deployment.imagefacts import CopyProblemKind
    from auditor.parsers.shell.facts import Script


def evaluate(
    dockerfile: Dockerfile,
    context: BuildContext,
    *,
    ignore: DockerIgnore | None = None,
    build_args: Mapping[str, str | Unknown] | None = None,
    target: str | None = None,
) -> Image | None:
    """The image of the target (default: last) stage; None when there is no such stage.

    Arguments without a default that ``build_args`` does not give are Unknown: somebody may
    pass them.
    """
    if not dockerfile.stages:
        return None
    stage = dockerfile.stages[-1] if target is None else dockerfile.stage(target)
    if stage is None:
        return None
    return _Evaluator(dockerfile, context, ignore, build_args or {}).image(stage.index)


# Set by BuildKit in every build; their values hang on the platform.
_PLATFORM_ARGS = frozenset(
    f"{side}{part}"
    for side in ("TARGET", "BUILD")
    for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
_SHELL = ("/bin/sh", "-c")


class _Journal:
    """The variables of a stage in the order in which its instructions set them."""

    __slots__ = ("entries", "places")

    def __init__(self, entries: Iterable[tuple[str, str | Unknown]] = ()) -> None:
        self.entries: list[tuple[str, str | Unknown]] = []
        self.places: dict[str, list[int]] = {}
        for name, value in entries:
            self.append(name, value)

    def append(self, name: str, value: str | Unknown) -> None:
        self.places.setdefault(name, []).append(len(self.entries))
        self.entries.append((name, value))


class _Scope(Mapping[str, "str | Unknown"]):
    """The variables as they stood at one moment, read from a shared journal when asked."""

    __slots__ = ("_count", "_journal")

    def __init__(self, journal: _Journal) -> None:
        self._journal = journal
        self._count = len(journal.entries)

    def _get(self) -> dict[str, str | Unknown]:
        # Not kept: there are as many scopes as instructions, each of as many variables.
        return dict(self._journal.entries[: self._count])

    def __getitem__(self, name: str) -> str | Unknown:
        places = self._journal.places[name]
        number = bisect_left(places, self._count)
        if not number:
            raise KeyError(name)
        return self._journal.entries[places[number - 1]][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._get())

    def __len__(self) -> int:
        return len(self._get())

    def items(self) -> ItemsView[str, str | Unknown]:
        return self._get().items()

    def __hash__(self) -> int:
        return hash(frozenset(self._get()))

    def __repr__(self) -> str:
        return f"_Scope({self._get()!r})"


class _Variables(Mapping[str, "str | Unknown | None"]):
    """What a word may refer to: the scope, and what the base image may set."""

    def __init__(self, values: dict[str, str | Unknown], base: BaseLayer) -> None:
        self.values_ = values
        self.base = base

    def __getitem__(self, name: str) -> str | Unknown | None:
        if name in self.values_:
            return self.values_[name]
        return self.base.unset(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


class Build:
    """A stage while it is evaluated: mutable, and copied when a stage starts from another."""

    def __init__(self, stage: Stage, base: BaseImage, knowledge: BaseLayer) -> None:
        self.stage = stage
        self.lineage: tuple[int, ...] = (stage.index,)
        self.feeding: set[int] = set()
        self.base = base
        self.knowledge = knowledge
        self.journal = _Journal()
        self.scope: dict[str, str | Unknown] = {}
        self.env: dict[str, Variable] = {}
        self.labels: dict[str, Variable] = {}
        self.args: dict[str, Variable] = {}
        known = knowledge.known
        reason = f"{knowledge.name} may set it"
        default_user: str | Unknown = known.user if known else Unknown(reason)
        default_dir: str | Unknown = known.workdir if known else Unknown(reason)
        if knowledge.scratch:
            default_user, default_dir = "root", "/"
        self.user: Setting[str | Unknown] = Setting(value=default_user, at=None)
        self.workdir: Setting[str | Unknown] = Setting(value=default_dir, at=None)
        self.shell: Setting[tuple[str, ...]] = Setting(value=_SHELL, at=None)
        self.entrypoint: Process | None = None
        self.cmd: Process | None = None
        self.cmd_set = False
        self.healthcheck: HealthcheckSetting | None = None
        self.exposed: list[ExposedPort] = []
        self.volumes: list[Setting[str | Unknown]] = []
        self.stopsignal: Setting[str | Unknown] | None = None
        self.onbuild: list[Instruction] = []
        self.runs: list[RunStep] = []
        self.copies: list[CopyStep] = []
        self.trace: list[tuple[Instruction, State]] = []
        self.problems: list[Problem] = []
        self.fs = FileSystem(knowledge)
        if known:
            for name, value in known.env:
                self.set(name, value)
        self.parent: Build | None = None

    @classmethod
    def on(cls, stage: Stage, parent: Build) -> Build:
        """A stage that starts from another stage of the file."""
        self = cls(stage, parent.base, parent.knowledge)
        self.parent = parent
        self.lineage = (*parent.lineage, stage.index)
        self.feeding = set(parent.feeding)
        self.journal = _Journal(parent.scope.items())
        self.scope = dict(parent.scope)
        self.env = dict(parent.env)
        self.labels = dict(parent.labels)
        self.args = dict(parent.args)
        self.user, self.workdir, self.shell = parent.user, parent.workdir, parent.shell
        self.entrypoint, self.cmd = parent.entrypoint, parent.cmd
        self.healthcheck, self.stopsignal = parent.healthcheck, parent.stopsignal
        self.exposed = list(parent.exposed)
        self.volumes = list(parent.volumes)
        self.fs = FileSystem(parent.knowledge, parent.fs)
        return self

    def set(self, name: str, value: str | Unknown) -> None:
        self.journal.append(name, value)
        self.scope[name] = value

    def state(self) -> State:
        return State(
            workdir=self.workdir.value,
            user=self.user.value,
            shell=self.shell.value,
            env=_Scope(self.journal),
        )


class _Evaluator:
    def __init__(
        self,
        dockerfile: Dockerfile,
        context: BuildContext,
        ignore: DockerIgnore | None,
        build_args: Mapping[str, str | Unknown],
    ) -> None:
        self.file = dockerfile
        self.context = context
        self.ignore = ignore
        self.build_args = build_args
        self.escape = dockerfile.escape
        self.built: dict[int, Build] = {}
        self.running: set[int] = set()
        self.names: dict[str, int] = {}
        for stage in dockerfile.stages:
            if stage.name is not None:
                self.names[stage.name] = stage.index
        self.globals = self._global_args()

    def image(self, index: int) -> Image:
        build = self._stage(index)
        needed = sorted({*build.lineage, *build.feeding})
        lineage = [self.built[number] for number in build.lineage]
        return Image(
            dockerfile=self.file.path,
            stage=index,
            stage_name=build.stage.name,
            lineage=build.lineage,
            feeding=tuple(sorted(build.feeding - set(build.lineage))),
            base=build.base,
            env=tuple(build.env.values()),
            labels=tuple(build.labels.values()),
            args=tuple(build.args.values()),
            user=build.user,
            workdir=build.workdir,
            shell=build.shell,
            entrypoint=build.entrypoint,
            cmd=build.cmd,
            healthcheck=build.healthcheck,
            exposed=tuple(build.exposed),
            volumes=tuple(build.volumes),
            stopsignal=build.stopsignal,
            onbuild=tuple(build.onbuild),
            runs=tuple(step for stage in lineage for step in stage.runs),
            copies=tuple(step for stage in lineage for step in stage.copies),
            copy_problems=tuple(
                problem
                for number in needed
                if number in self.built
                for step in self.built[number].copies
                for problem in step.problems
            ),
            trace=tuple(entry for stage in lineage for entry in stage.trace),
            fs=build.fs,
            problems=tuple(
                problem
                for number in needed
                if number in self.built
                for problem in self.built[number].problems
            ),
        )

    # --- stages

    def _global_args(self) -> dict[str, str | Unknown | None]:
        values: dict[str, str | Unknown | None] = {
            name: Unknown(f"{name} depends on the platform built for") for name in _PLATFORM_ARGS
        }
        for arg in self.file.global_args:
            for pair in arg.pairs:
                values[pair.name] = self._arg_value(pair, values)
        return values

    def _arg_value(
        self, pair: Pair, variables: Mapping[str, str | Unknown | None]
    ) -> str | Unknown:
        if pair.name in self.build_args:
            return self.build_args[pair.name]
        if pair.value is not None:
            return expand(pair.value.text, variables, self.escape)
        return Unknown(f"build argument {pair.name} has no default")

    def _stage(self, index: int) -> Build:
        """The stage evaluated, its ancestors first (never recursive in the lineage)."""
        chain: list[int] = []
        current: int | None = index
        while current is not None and current not in self.built:
            chain.append(current)
            current = self._parent(current)
        for number in reversed(chain):
            if number not in self.built:
                self._evaluate(number)
        return self.built[index]

    def _parent(self, index: int) -> int | None:
        """The earlier stage that a stage starts from."""
        reference = expand(self.file.stages[index].base.text, self.globals, self.escape)
        if not isinstance(reference, str):
            return None
        wanted = reference.lower()
        for number in range(index - 1, -1, -1):
            if self.file.stages[number].name == wanted:
                return number
        return None

    def _evaluate(self, index: int) -> None:
        stage = self.file.stages[index]
        parent = self._parent(index)
        triggers: Sequence[Instruction] = ()
        if parent is not None and parent in self.built:
            build = Build.on(stage, self.built[parent])
            triggers = self.built[parent].onbuild
        else:
            reference = expand(stage.base.text, self.globals, self.escape)
            if reference == "":
                reference = Unknown(f"{stage.base.text} is empty without build arguments")
            platform = stage.start.platform
            knowledge = BaseLayer(reference, stage.base.at)
            base = BaseImage(
                reference=reference,
                platform=(
                    None if platform is None else expand(platform, self.globals, self.escape)
                ),
                known=knowledge.known is not None or knowledge.scratch,
                at=stage.base.at,
            )
            build = Build(stage, base, knowledge)
        self.built[index] = build
        self.running.add(index)
        for instruction in (*triggers, *stage.instructions):
            build.trace.append((instruction, build.state()))
            self._apply(build, instruction)
        self.running.discard(index)

    def _expand(self, build: Build, word: str) -> str | Unknown:
        if "$" not in word and self.escape not in word and "'" not in word and '"' not in word:
            return word
        return expand(word, _Variables(build.scope, build.knowledge), self.escape)

    def _text(self, build: Build, word: Word) -> str | Unknown:
        value = self._expand(build, word.text)
        if isinstance(value, Unknown) and value.reason.startswith("malformed word"):
            build.problems.append(Problem(at=word.at, message=value.reason))
        return value

    # --- instructions

    def _apply(self, build: Build, item: Instruction) -> None:
        if isinstance(item, Env):
            # Every value is expanded before any of them is set.
            values = [self._text(build, pair.value) if pair.value else "" for pair in item.pairs]
            for pair, value in zip(item.pairs, values, strict=True):
                name = self._name(build, pair)
                build.set(name, value)
                build.env[name] = Variable(name=name, value=value, at=pair.at)
        elif isinstance(item, Label):
            for pair in item.pairs:
                name = self._name(build, pair)
                value = self._text(build, pair.value) if pair.value else ""
                build.labels[name] = Variable(name=name, value=value, at=pair.at)
        elif isinstance(item, Arg):
            for pair in item.pairs:
                self._arg(build, pair)
        elif isinstance(item, Workdir):
            self._workdir(build, item)
        elif isinstance(item, User):
            build.user = Setting(value=self._text(build, item.user), at=item.user.at)
        elif isinstance(item, Shell):
            words = tuple(word.text for word in item.words)
            build.shell = Setting(value=words, at=item.at)
        elif isinstance(item, Cmd):
            build.cmd = self._process(build, item.command, item.at)
            build.cmd_set = True
        elif isinstance(item, Entrypoint):
            build.entrypoint = self._process(build, item.command, item.at)
            if not build.cmd_set:
                build.cmd = None
        elif isinstance(item, Healthcheck):
            build.healthcheck = HealthcheckSetting(
                process=self._process(build, item.command, item.at) if item.command else None,
                interval=item.interval,
                timeout=item.timeout,
                start_period=item.start_period,
                retries=item.retries,
                at=item.at,
            )
        elif isinstance(item, Expose):
            for word in item.ports:
                self._expose(build, word)
        elif isinstance(item, Volume):
            for word in item.paths:
                path = self._text(build, word)
                if isinstance(path, str):
                    path = absolute("/", path)
                build.volumes.append(Setting(value=path, at=word.at))
        elif isinstance(item, Stopsignal):
            build.stopsignal = Setting(value=self._text(build, item.signal), at=item.signal.at)
        elif isinstance(item, Onbuild):
            build.onbuild.append(item.trigger)
        elif isinstance(item, Run):
            self._run(build, item)
        elif isinstance(item, Copy):
            self._copy(build, item)

    def _name(self, build: Build, pair: Pair) -> str:
        name = self._expand(build, pair.name)
        return name if isinstance(name, str) else pair.name

    def _arg(self, build: Build, pair: Pair) -> None:
        value: str | Unknown
        if pair.name in self.build_args or pair.value is not None:
            value = self._arg_value(pair, _Variables(build.scope, build.knowledge))
        elif pair.name in self.globals:
            inherited = self.globals[pair.name]
            value = "" if inherited is None else inherited
        else:
            value = self._arg_value(pair, {})
            # An ENV that stands already keeps its value when nobody passes the argument.
            if pair.name in build.scope:
                build.args[pair.name] = Variable(name=pair.name, value=value, at=pair.at)
                return
        build.set(pair.name, value)
        build.args[pair.name] = Variable(name=pair.name, value=value, at=pair.at)

    def _workdir(self, build: Build, item: Workdir) -> None:
        path = self._text(build, item.path)
        if isinstance(path, str) and path.startswith("/"):
            path = absolute("/", path)
        elif isinstance(path, str):
            before = build.workdir.value
            path = before if isinstance(before, Unknown) else absolute(before, path)
        build.workdir = Setting(value=path, at=item.path.at)
        if isinstance(path, str) and path != "/":
            build.fs.add(
                File(
                    at=item.at,
                    path=path,
                    source=MadeSource(by="WORKDIR"),
                    owner=build.user.value,
                    kind="directory",
                )
            )

    def _process(self, build: Build, command: Command, at: Location) -> Process:
        argv = command.argv if command.form == "exec" else (*build.shell.value, *command.argv)
        return Process(command=command, argv=argv, at=at)

    def _expose(self, build: Build, word: Word) -> None:
        texts = expand_words(word.text, _Variables(build.scope, build.knowledge), self.escape)
        if isinstance(texts, Unknown):
            build.exposed.append(
                ExposedPort(first=None, last=None, protocol="tcp", text=texts, at=word.at)
            )
            return
        for text in texts:
            ports, _, protocol = text.partition("/")
            # "8000:80" is accepted and means the container's port.
            first, dash, last = ports.rpartition(":")[2].partition("-")
            low, high = _port(first), _port(last if dash else first)
            if low is None or high is None:
                build.problems.append(Problem(at=word.at, message=f"invalid containerPort: {text}"))
            build.exposed.append(
                ExposedPort(
                    first=low,
                    last=high,
                    protocol=protocol.lower() or "tcp",
                    text=text,
                    at=word.at,
                )
            )

    # --- RUN

    def _run(self, build: Build, item: Run) -> None:
        build.runs.append(
            RunStep(
                stage=build.stage.index,
                instruction=item,
                state=build.state(),
                at=item.at,
                layers=len(build.fs),
            )
        )
        for mount in item.mounts:
            if mount.from_ is not None:
                self._source_stage(build, mount.from_)
        script = run_script(item, build.shell.value)
        cwd = build.workdir.value
        if script is None:
            root = cwd if isinstance(cwd, str) else "/"
            reason = "a script in another language may have created it"
            build.fs.add(Opaque(at=item.at, roots=(root,), reason=reason))
            return
        for effect in effects(script, env=dict(build.scope), cwd=cwd):
            self._effect(build, effect)

    def _effect(self, build: Build, effect: Effect) -> None:
        fs = build.fs
        at = effect.at
        owner = build.user.value
        if isinstance(effect, Make):
            if not effect.certain:
                reason = f"{effect.by} may have created it"
                fs.add(Opaque(at=at, roots=(effect.path,), reason=reason))
                return
            if not effect.directory or not fs.is_dir(effect.path):
                fs.add(
                    File(
                        at=at,
                        path=effect.path,
                        source=MadeSource(by=effect.by, text=_written(effect, fs)),
                        owner=owner,
                        executable=None if effect.directory else False,
                        kind="directory" if effect.directory else "file",
                    )
                )
        elif isinstance(effect, MayCreate):
            fs.add(Opaque(at=at, roots=effect.roots, reason=effect.reason, spared=effect.spared))
        elif isinstance(effect, Removed):
            fs.add(Removal(at=at, path=effect.path, certain=effect.certain, glob=effect.glob))
        elif isinstance(effect, Linked):
            path = effect.path
            if fs.is_dir(path):
                path = join_absolute(path, posixpath.basename(effect.target.rstrip("/")))
            if effect.certain:
                target = absolute(posixpath.dirname(path), effect.target)
                fs.add(Link(at=at, path=path, target=target))
            else:
                fs.add(Opaque(at=at, roots=(path,), reason="ln may have created it"))
        elif isinstance(effect, Changed):
            fs.add(
                Attributes(
                    at=at,
                    path=effect.path,
                    recursive=effect.recursive,
                    glob=effect.glob,
                    executable=effect.executable,
                    owner=effect.owner,
                    others=effect.others,
                )
            )
        else:
            self._cp(build, effect)

    def _cp(self, build: Build, effect: Copied) -> None:
        fs, at = build.fs, effect.at
        count = len(fs)
        sources: list[str] = []
        for source, glob in effect.sources:
            if not glob:
                sources.append(source)
                continue
            matched = [
                f"/{path}"
                for path in expand_pattern(
                    source[1:],
                    lambda path: (n for n in fs.list_dir(f"/{path}").names if n[0] != "."),
                    lambda path: not isinstance(fs.lookup(f"/{path}"), Absent),
                    1_000,
                )
            ]
            folder = posixpath.dirname(source)
            if has_wildcards(folder) or not fs.list_dir(folder).complete or not matched:
                reached = (effect.target,)
                fs.add(Opaque(at=at, roots=reached, reason="cp may have brought it"))
            sources += matched
        target = fs.lookup_before(effect.target, count)
        directory = isinstance(target, Present) and target.kind == "directory"
        into = effect.into or len(sources) > 1 or directory
        for source in sources:
            found = fs.lookup_before(source, count)
            place = effect.target
            if into and not (effect.contents and source == sources[-1]):
                place = join_absolute(effect.target, posixpath.basename(source))
            if (
                not isinstance(found, Present)
                or not effect.certain
                or (
                    not into
                    and isinstance(target, Undetermined)
                    # A directory called default.conf is hardly there.
                    and not same_suffix(source, effect.target)
                )
            ):
                roots: tuple[str, ...] = (place,) if into else (place, effect.target)
                fs.add(Opaque(at=at, roots=roots, reason="cp or mv may have brought it"))
                if effect.moved:
                    fs.add(Removal(at=at, path=source, certain=effect.certain, glob=False))
                continue
            owner = None if effect.moved else build.user.value
            fs.add(Transfer(at=at, path=place, fs=fs, count=count, source=source, owner=owner))
            if effect.moved and source != place:
                fs.add(Removal(at=at, path=source, certain=True, glob=False))

    # --- COPY and ADD

    def _source_stage(self, build: Build, reference: str) -> tuple[int | None, str]:
        """(index, "") of the stage that ``--from`` names, or (None, what is wrong or "")."""
        wanted = reference.lower()
        index = self.names.get(wanted)
        if wanted.isascii() and wanted.isdigit():
            if len(wanted) > 6 or int(wanted) >= len(self.file.stages):
                return None, "unknown-stage"
            index = int(wanted)
        if index is None:
            return None, ""
        problem = "" if index < build.stage.index else "later-stage"
        if index in self.running:
            return None, "cycle"
        if index not in self.built:
            if len(self.running) > _MAX_NESTED_STAGES:
                return None, "cycle"
            chain: list[int] = [index]
            while (parent := self._parent(chain[-1])) is not None:
                if parent in self.running:
                    return None, "cycle"
                chain.append(parent)
            self._stage(index)
        build.feeding |= {index, *self.built[index].lineage, *self.built[index].feeding}
        return index, problem

    def _copy(self, build: Build, item: Copy) -> None:
        problems: list[CopyProblem] = []
        destination, directory = self._destination(build, item)
        sources = tuple(self._text(build, word) for word in item.sources)
        owner: str | Unknown = "0:0"
        if item.chown is not None:
            owner = self._expand(build, item.chown)
        executable: bool | None = None
        others: Others | None = None
        if item.chmod is not None:
            mode = self._expand(build, item.chmod)
            executable = mode_executable(mode) if isinstance(mode, str) else None
            others = mode_others(mode) if isinstance(mode, str) else None
        origin: Literal["context", "stage", "image", "unknown"] = "context"
        stage: int | None = None
        image: str | Unknown | None = None
        if item.from_ is not None:
            reference = item.from_.value or ""
            stage, wrong = self._source_stage(build, reference)
            origin = "stage" if stage is not None else "image"
            image = None if stage is not None else reference
            if wrong:
                if stage is None:
                    origin, image = "unknown", None
                problems.append(self._stage_problem(item, reference, wrong))
            elif "$" in reference:
                origin, image = "unknown", Unknown("--from does not expand variables")
            elif stage is None and (near := self._near_stage(reference)):
                problems.append(
                    CopyProblem(
                        kind="unknown-stage",
                        source=reference,
                        message=f"no stage is named {reference}; did you mean {near}?",
                        at=item.from_.at,
                        instruction_at=item.at,
                        candidates=(near,),
                        certain=False,
                    )
                )
        if len(sources) > 1 and not directory:
            problems.append(
                CopyProblem(
                    kind="not-a-directory",
                    source=item.destination.text,
                    message="several sources need a destination that ends in /",
                    at=item.destination.at,
                    instruction_at=item.at,
                    certain=False,
                )
            )
        placement = Placement(
            item=item,
            build=build,
            destination=destination,
            directory=directory or len(sources) > 1,
            owner=owner,
            executable=executable,
            others=others,
            problems=problems,
        )
        for word, source in zip(item.sources, sources, strict=True):
            if is_heredoc(word.text):
                self._inline(placement, word)
            elif isinstance(source, Unknown) or isinstance(destination, Unknown):
                unknown = source if isinstance(source, Unknown) else destination
                assert isinstance(unknown, Unknown)
                placement.opaque(f"a copied path is not known: {unknown.reason}")
            elif item.keyword == "ADD" and _is_remote(source):
                self._remote(placement, source)
            elif origin == "stage" and stage is not None:
                self._from_stage(placement, word, source, self.built[stage])
            elif origin == "context":
                self._from_context(placement, word, source)
            else:
                placement.opaque(f"copied from {item.from_.value if item.from_ else 'elsewhere'}")
        if len(item.sources) > 1:
            # Optional files ("yarn.lock*") may match nothing when another source is there.
            problems[:] = [p for p in problems if p.kind != "no-match" or not placement.matched]
        build.copies.append(
            CopyStep(
                stage=build.stage.index,
                instruction=item,
                origin=origin,
                from_stage=stage,
                from_image=image,
                sources=sources,
                destination=destination,
                destination_is_directory=directory,
                owner=owner,
                problems=tuple(problems),
                at=item.at,
            )
        )

    def _destination(self, build: Build, item: Copy) -> tuple[str | Unknown, bool]:
        """(absolute path, whether it must be a directory)."""
        text = self._text(build, item.destination)
        if isinstance(text, Unknown):
            return text, False
        directory = text.endswith(("/", "/.")) or text in (".", "..", "")
        if text.startswith("/"):
            return absolute("/", text), directory
        cwd = build.workdir.value
        if isinstance(cwd, Unknown):
            return cwd, directory
        return absolute(cwd, text), directory

    def _stage_problem(self, item: Copy, reference: str, wrong: str) -> CopyProblem:
        assert item.from_ is not None
        kind: CopyProblemKind = "later-stage"
        certain = True
        if wrong == "unknown-stage":
            kind = "unknown-stage"
            message = f"there is no stage {reference}"
        elif wrong == "cycle":
            message = f"stage {reference} is this one, or is built from it"
        else:
            message = f"stage {reference} comes later: the classic builder refuses that"
            certain = False
        return CopyProblem(
            kind=kind,
            source=reference,
            message=message,
            at=item.from_.at,
            instruction_at=item.at,
            certain=certain,
        )

    def _near_stage(self, reference: str) -> str | None:
        """A stage whose name is nearly this one; image names are long or have a tag."""
        if not self.names or any(char in reference for char in "/:@.") or len(self.names) > 200:
            return None
        from difflib import get_close_matches

        close = get_close_matches(reference.lower()[:64], list(self.names), n=1, cutoff=0.75)
        return close[0] if close else None

    def _inline(self, placement: Placement, word: Word) -> None:
        name = heredoc_name(word.text)
        heredoc = next((doc for doc in placement.item.heredocs if doc.name == name), None)
        if heredoc is None or name is None:
            placement.opaque("a here-document that was not read")
            return
        placement.file(name, InlineSource(heredoc=heredoc), executable=False)

    def _remote(self, placement: Placement, source: str) -> None:
        name = posixpath.basename(source.split("?", 1)[0].split("#", 1)[0])
        git = source.startswith("git@") or source.split("#", 1)[0].endswith(".git")
        if git or not name or placement.item.unpack:
            placement.opaque(f"ADD fetched {source}")
        else:
            placement.file(name, MadeSource(by=f"ADD {source}"), executable=False)

    def _from_stage(self, placement: Placement, word: Word, source: str, other: Build) -> None:
        path = absolute("/", source)
        fs = other.fs
        count = len(fs)
        if has_wildcards(source):
            matched = [
                f"/{found}"
                for found in expand_pattern(
                    path[1:],
                    lambda inner: fs.list_dir(f"/{inner}").names,
                    lambda inner: not isinstance(fs.lookup(f"/{inner}"), Absent),
                    10_000,
                )
            ]
            folder = posixpath.dirname(path)
            if has_wildcards(folder) or not fs.list_dir(folder).complete:
                placement.opaque(f"{source} of another stage may match it")
            elif not matched:
                placement.problem("no-match", word, source, "matches nothing", certain=False)
        else:
            matched = [path]
        placement.matched = placement.matched or bool(matched)
        for place in matched:
            found = fs.lookup(place)
            if isinstance(found, Absent):
                if _was_to_bring(other, place):
                    continue  # that stage stops before, and says so
                where = f"stage {other.stage.name or other.stage.index}"
                placement.problem("missing", word, source, f"is not in {where}")
            elif isinstance(found, Undetermined):
                # A file or a directory: both readings are possible.
                placement.transfer(fs, count, place, directory=None)
            else:
                placement.transfer(fs, count, place, directory=found.kind == "directory")

    def _from_context(self, placement: Placement, word: Word, source: str) -> None:
        item = placement.item
        pivot = source.partition("/./")[0] if item.parents and "/./" in source else ""
        path = posixpath.normpath(posixpath.join("/", source)).lstrip("/")
        path = "" if path == "." else path
        excludes = self._excludes(item)
        view = ContextView(self.context, self.ignore)
        if escapes(source):
            # BuildKit stops at the root of the context, the classic builder refuses.
            there = view.expand(path, 1) if has_wildcards(source) else view.kind(path)
            message = "is outside the build context"
            placement.problem(
                "outside", word, source, message, certain=not there and not has_wildcards(source)
            )
            if not there:
                return
        if has_wildcards(source):
            matched = view.expand(path)
            if not matched:
                ignored = ContextView(self.context, None).expand(path, 100)
                match = self.ignore.match(ignored[0]) if self.ignore and ignored else None
                placement.problem(
                    "ignored" if match else "no-match",
                    word,
                    source,
                    "matches only files that are ignored" if match else "matches nothing",
                    ignored_by=match,
                    certain=False,
                )
        elif view.kind(path) is None:
            self._missing(placement, word, source, path)
            return
        else:
            matched = [path]
        if len(matched) > 1 and not placement.directory:
            placement.problem(
                "not-a-directory",
                item.destination,
                source,
                "several files match, but the destination does not end in /",
                certain=False,
            )
        placement.matched = placement.matched or bool(matched)
        for found in matched:
            chosen = view
            if excludes is not None:
                root = found if view.kind(found) == "directory" else posixpath.dirname(found)
                chosen = ContextView(self.context, self.ignore, excludes, root)
            placement.context(chosen, found, pivot=pivot)

    def _excludes(self, item: Copy) -> DockerIgnore | None:
        if not item.excludes:
            return None
        text = "\n".join(item.excludes)
        return parse_ignore(SourceText(item.at.path, text))

    def _missing(self, placement: Placement, word: Word, source: str, path: str) -> None:
        there = self.context.is_file(path) or self.context.is_dir(path)
        match = self.ignore.match(path) if there and self.ignore else None
        if match is not None:
            message = f"is left out by {match.pattern.text} of {match.at.path}"
            placement.problem("ignored", word, source, message, ignored_by=match)
            return
        candidates = case_candidates(self.context, path)
        if candidates:
            message = f"differs in letter case from {candidates[0]}"
            placement.problem("case", word, source, message, candidates=candidates)
            return
        placement.problem("missing", word, source, "is not in the build context")


def _was_to_bring(stage: Build, path: str) -> bool:
    """Whether a COPY of the stage that finds nothing was to bring this path."""
    return any(
        any(problem.certain for problem in step.problems)
        and isinstance(step.destination, str)
        and step.destination != "/"
        and (within(path, step.destination) or within(step.destination, path))
        for step in stage.copies
    )


_MAX_NESTED_STAGES = 100


def run_script(item: Run, shell_words: Sequence[str] = _SHELL) -> Script | None:
    """The shell text that a RUN executes, its here-documents included.

    None when the shell is not a POSIX one, or the script's ``#!`` line names something else.
    """
    from auditor.parsers import shell

    command = item.command
    if command.form == "exec":
        fragments = [
            Fragment(word.at.path, ((word.text, word.at.line, word.at.column + 1),))
            for word in command.words
        ]
        return shell.exec_form(item.at.path, fragments)
    program = posixpath.basename(shell_words[0]) if shell_words else ""
    if program not in ("sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"):
        return None
    errexit = any(
        word.startswith("-") and not word.startswith("--") and "e" in word
        for word in shell_words[1:]
    )
    if not item.heredocs:
        return shell.parse(command.text, errexit=errexit)
    if len(item.heredocs) == 1 and is_heredoc(command.text.text):
        heredoc = item.heredocs[0]
        body = heredoc.body
        first = body.text.split("\n", 1)[0].strip()
        if first.startswith("#!") and not first.rstrip().endswith("sh"):
            return None
        return shell.parse(body, errexit=errexit)
    pieces: list[tuple[str, int, int]] = [(command.text.text, *command.text.place(0))]
    for heredoc in item.heredocs:
        body_text = f"\n{heredoc.body.text}{heredoc.name}"
        pieces.append((body_text, heredoc.at.line - 1, 1))
    return shell.parse(Fragment(item.at.path, pieces), errexit=errexit)


_MAX_WRITTEN = 500  # pieces of one text


def _written(effect: Make, fs: FileSystem) -> tuple[tuple[Location, str], ...] | None:
    """The text of a file that a literal command writes, or writes on."""
    if effect.text is None or effect.directory:
        return None
    pieces = ((effect.at, effect.text),)
    if not effect.append:
        return pieces
    before = fs.lookup(effect.path)
    if isinstance(before, Absent):
        return pieces
    if not isinstance(before, Present) or not isinstance(before.source, MadeSource):
        return None
    earlier = before.source.text
    return None if earlier is None or len(earlier) >= _MAX_WRITTEN else earlier + pieces


def _port(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= 5:
        number = int(text)
        return number if number <= 65535 else None
    return None


def _is_remote(source: str) -> bool:
    return source.startswith(("http://", "https://", "git@", "git://", "ssh://"))
