"""From the merged tree of a project to its types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

from auditor.parsers.compose.facts import (
    ComposeBuild,
    ComposeCommand,
    ComposeDependency,
    ComposeDeploy,
    ComposeEnvFile,
    ComposeFileUse,
    ComposeHealthcheck,
    ComposeLogging,
    ComposeNetworkUse,
    ComposePath,
    ComposePort,
    ComposeProject,
    ComposeResource,
    ComposeResources,
    ComposeRestartPolicy,
    ComposeService,
    ComposeUpdate,
    ComposeVolume,
    ComposeWatch,
    EnvironmentVariable,
    Text,
)
from auditor.parsers.compose.items import parse_port, split_words
from auditor.parsers.compose.merging import Loader
from auditor.parsers.compose.tree import (
    SERVICE_KEYS,
    Items,
    Scalar,
    Table,
    Tree,
    Typed,
    host_path,
    is_on,
    made_text,
    plain_text,
    text_of,
    text_or_unknown,
)
from auditor.parsers.dotenv import HOLE
from auditor.source import Location, SourceText, Unknown
from auditor.values import replace


class Typer:
    def __init__(
        self,
        loader: Loader,
        model: Table,
        directory: str,
        sources: Sequence[SourceText],
        is_dev: bool,
    ) -> None:
        self.loader = loader
        self.model = model
        self.directory = directory
        self.sources = sources
        self.is_dev = is_dev

    def project(self) -> ComposeProject:
        services: list[ComposeService] = []
        found = self.model.get("services")
        if isinstance(found, Table):
            for name, (at, value) in found.items.items():
                if isinstance(value, Table):
                    services.append(self.service(name, at, value))
        return ComposeProject(
            name=self.name(),
            directory=self.directory,
            files=tuple(source.path for source in self.sources),
            services=tuple(services),
            volumes=self.resources("volumes", "volume"),
            networks=self.resources("networks", "network"),
            secrets=self.resources("secrets", "secret"),
            configs=self.resources("configs", "config"),
            variables=tuple(dict.fromkeys(self.loader.uses)),
            others=tuple(self.loader.others),
            included=tuple(dict.fromkeys(self.loader.taken)),
            problems=tuple(dict.fromkeys(self.loader.problems)),
            refused=tuple(dict.fromkeys(self.loader.refused)),
            is_dev=self.is_dev,
            ignored_env=self.loader.ignored_env,
            awaited=frozenset(
                dependency.service
                for service in services
                for dependency in service.depends_on
                if dependency.condition == "service_completed_successfully"
            ),
        )

    def name(self) -> str | Unknown | None:
        given = text_or_unknown(self.model.get("name"))
        if given is not None:
            return given
        from_env = self.loader.env.get("COMPOSE_PROJECT_NAME")
        if from_env:
            return from_env
        last = self.directory.rpartition("/")[2].lower()
        return "".join(c for c in last if c.isalnum() or c in "_-").lstrip("_-") or None

    def resources(
        self, section: str, kind: Literal["volume", "network", "secret", "config"]
    ) -> tuple[ComposeResource, ...]:
        found = self.model.get(section)
        if not isinstance(found, Table):
            return ()
        out: list[ComposeResource] = []
        for name, (at, value) in found.items.items():
            if not isinstance(value, Table):
                out.append(ComposeResource(name=name, at=at, kind=kind))
                continue
            external = value.get("external")
            options = value.get("driver_opts")
            device = None
            if isinstance(options, Table) and "bind" in plain_text(options.get("o")).split(","):
                device = self.path(options.get("device"))
            out.append(
                ComposeResource(
                    name=name,
                    at=at,
                    kind=kind,
                    external=isinstance(external, Table) or is_on(external),
                    driver=text_of(value.get("driver")),
                    file=self.path(value.get("file")),
                    device=device,
                    internal=is_on(value.get("internal")),
                )
            )
        return tuple(out)

    def path(self, node: Tree | None) -> ComposePath | None:
        raw = text_of(node)
        if raw is None or not isinstance(node, Scalar):
            return None
        return ComposePath(raw=raw, path=host_path(node.base, node.text), at=node.at)

    def service(self, name: str, at: Location, value: Table) -> ComposeService:
        get = value.get
        env_files = self.env_files(get("env_file"))
        return ComposeService(
            name=name,
            at=at,
            build=self.build(get("build")),
            image=text_of(get("image")),
            command=self.command(get("command")),
            entrypoint=self.command(get("entrypoint")),
            ports=self.typed(get("ports"), ComposePort),
            expose=self.expose(get("expose")),
            volumes=self.typed(get("volumes"), ComposeVolume),
            environment=(
                *self.of_models(get("models")),
                *self.environment(get("environment"), env_files),
            ),
            env_files=env_files,
            working_dir=text_of(get("working_dir")),
            user=text_of(get("user")),
            healthcheck=self.healthcheck(get("healthcheck")),
            depends_on=self.depends_on(get("depends_on")),
            restart=text_of(get("restart")),
            deploy=self.deploy(get("deploy")),
            gpu=get("gpus") is not None or getattr(get("runtime"), "text", "") == "nvidia",
            mem_limit=text_of(get("mem_limit")),
            cpus=text_of(get("cpus")),
            pids_limit=text_of(get("pids_limit")),
            logging=self.logging(get("logging")),
            networks=self.networks(get("networks")),
            network_mode=text_of(get("network_mode")),
            profiles=self.texts(get("profiles")),
            interactive=is_on(get("stdin_open")) or is_on(get("tty")),
            read_only=is_on(get("read_only")),
            tmpfs=self.texts(get("tmpfs")),
            stop_grace_period=text_of(get("stop_grace_period")),
            stop_signal=text_of(get("stop_signal")),
            init=is_on(get("init")),
            scale=text_of(get("scale")),
            watch=self.watch(get("develop")),
            secrets=self.typed(get("secrets"), ComposeFileUse),
            configs=tuple(
                replace(use, target="/" + str(use.target).removeprefix("/run/secrets/").lstrip("/"))
                if isinstance(use.target, str)
                else use
                for use in self.typed(get("configs"), ComposeFileUse)
            ),
            platform=text_of(get("platform")),
            privileged=is_on(get("privileged")),
            labels=self.pairs(get("labels")),
            cap_add=self.texts(get("cap_add")),
            security_opt=self.texts(get("security_opt")),
            container_name=text_of(get("container_name")),
            hostname=text_of(get("hostname")),
            links=self.texts(get("links")),
            extra_hosts=self.texts_of_pairs(get("extra_hosts")),
            unknown_keys=tuple(
                (key, key_at)
                for key, (key_at, _) in value.items.items()
                if key not in SERVICE_KEYS and not key.startswith("x-")
            ),
        )

    def typed(self, node: Tree | None, kind: type[_Item]) -> tuple[_Item, ...]:
        if not isinstance(node, Items):
            return ()
        return tuple(
            i.value for i in node.items if isinstance(i, Typed) and isinstance(i.value, kind)
        )

    def texts(self, node: Tree | None) -> tuple[Text, ...]:
        if isinstance(node, Scalar) and not node.null:
            return (made_text(node),)
        if not isinstance(node, Items):
            return ()
        return tuple(made_text(i) for i in node.items if isinstance(i, Scalar) and not i.null)

    def texts_of_pairs(self, node: Tree | None) -> tuple[Text, ...]:
        return tuple(
            Text(
                value=v.value if isinstance(v.value, Unknown) else f"{v.name}:{v.value or ''}",
                at=v.at,
                raw=f"{v.name}:{v.value or ''}",
                blank=f"{v.name}:{v.value or ''}",
            )
            for v in self.pairs(node)
        )

    def pairs(self, node: Tree | None) -> tuple[EnvironmentVariable, ...]:
        if not isinstance(node, Table):
            return ()
        return tuple(
            EnvironmentVariable(name=name, value=text_or_unknown(value), at=at)
            for name, (at, value) in node.items.items()
            if name
        )

    def build(self, node: Tree | None) -> ComposeBuild | None:
        if not isinstance(node, Table):
            return None
        context_node = node.get("context")
        context_text = text_of(context_node)
        context: str | None = None
        if isinstance(context_node, Scalar) and not context_node.null:
            if not _is_remote(context_node.text):
                context = host_path(context_node.base, context_node.text)
        else:
            context = host_path(node.base, ".")
        dockerfile = text_of(node.get("dockerfile"))
        inline = text_of(node.get("dockerfile_inline"))
        path: str | None = None
        if context is not None and inline is None:
            name = "Dockerfile" if dockerfile is None else dockerfile.value
            if isinstance(name, str) and name:
                path = host_path(context, name)
        contexts: list[tuple[str, ComposePath]] = []
        additional = node.get("additional_contexts")
        if isinstance(additional, Table):
            for name, (_, value) in additional.items.items():
                made = self.path(value)
                if made is not None:
                    if isinstance(value, Scalar) and (_is_remote(value.text) or ":" in value.text):
                        made = replace(made, path=None)
                    contexts.append((name, made))
        return ComposeBuild(
            at=node.at,
            context=context,
            context_text=context_text,
            dockerfile=dockerfile,
            dockerfile_path=path,
            dockerfile_inline=inline,
            target=text_of(node.get("target")),
            args=self.with_host(self.pairs(node.get("args"))),
            additional_contexts=tuple(contexts),
            platforms=self.texts(node.get("platforms")),
            network=text_of(node.get("network")),
        )

    def with_host(
        self, variables: tuple[EnvironmentVariable, ...]
    ) -> tuple[EnvironmentVariable, ...]:
        """Bare names take their value from the project's environment, where it has one."""
        return tuple(
            replace(variable, value=self.loader.env.get(variable.name))
            if variable.value is None
            else variable
            for variable in variables
        )

    def environment(
        self, node: Tree | None, env_files: tuple[ComposeEnvFile, ...]
    ) -> tuple[EnvironmentVariable, ...]:
        seen: dict[str, EnvironmentVariable] = {}
        for file in env_files:
            path = file.file.path
            if file.state != "present" or path is None:
                continue
            for variable in self.loader.dotenv(path, self.loader.env.get).variables:
                seen[variable.name] = EnvironmentVariable(
                    name=variable.name, value=variable.value, at=variable.at, env_file=path
                )
        for own in self.with_host(self.pairs(node)):
            seen[own.name] = own
        return tuple(seen.values())

    def of_models(self, node: Tree | None) -> Iterator[EnvironmentVariable]:
        """What Compose tells a service of the models that it asks for: address and name."""
        wanted: list[tuple[str, Location, Table | None]] = []
        if isinstance(node, Items):
            wanted = [(i.text, i.at, None) for i in node.items if isinstance(i, Scalar) and i.text]
        elif isinstance(node, Table):
            wanted = [
                (name, at, value if isinstance(value, Table) else None)
                for name, (at, value) in node.items.items()
            ]
        for model, at, said in wanted:
            stem = model.upper().replace("-", "_")
            for key, ending in (("endpoint_var", "URL"), ("model_var", "MODEL")):
                chosen = plain_text(said.get(key)) if said is not None else ""
                yield EnvironmentVariable(
                    name=chosen or f"{stem}_{ending}",
                    value=Unknown(f"Compose fills it in for the model {model}"),
                    at=at,
                )

    def env_files(self, node: Tree | None) -> tuple[ComposeEnvFile, ...]:
        out: list[ComposeEnvFile] = []
        for item in node.items if isinstance(node, Items) else ():
            if not isinstance(item, Table):
                continue
            file = self.path(item.get("path"))
            if file is None:
                continue
            state: Literal["present", "missing", "ignored", "unknown"] = "unknown"
            if file.path is not None:
                if self.loader.files.is_file(file.path):
                    state = "present"
                    self.loader.other(file.path)
                elif self.loader.files.ignored_exists(file.path):
                    state = "ignored"
                else:
                    state = "missing"
            required = is_on(item.get("required"), True)
            out.append(ComposeEnvFile(at=file.at, file=file, required=required, state=state))
        return tuple(out)

    def command(self, node: Tree | None) -> ComposeCommand | None:
        if node is None or (isinstance(node, Scalar) and node.null):
            return None
        if isinstance(node, Items):
            return ComposeCommand(at=node.at, words=self.texts(node))
        if not isinstance(node, Scalar):
            self.loader.problem(node.at, "a command is a string or a list")
            return None
        words = split_words(node.text)
        text = made_text(node)
        if words is None:
            self.loader.problem(node.at, "the command has a quote that nothing closes")
            unclosed = Unknown("a quote is not closed")
            return ComposeCommand(at=node.at, words=unclosed, is_string=True, text=text)
        return ComposeCommand(
            at=node.at,
            words=tuple(self.word(node, *word) for word in words),
            is_string=True,
            text=text,
        )

    def word(self, node: Scalar, word: str, start: int, end: int) -> Text:
        at = node.at
        if at.line == at.end_line and node.style in ("plain", "single", "double"):
            shift = 0 if node.style == "plain" else 1
            # Escapes inside quotes would shift columns; then the whole scalar is the place.
            if at.end_column - at.column == len(node.text) + 2 * shift:
                at = at.within(start=start + shift, length=end - start)
        value: str | Unknown = word
        if HOLE in word:
            value = Unknown(
                f"{node.raw!r} depends on variables that nothing in the repository sets"
            )
        blank = word.replace(HOLE, "")
        return Text(value=value, at=at, raw=blank, blank=blank, holed=word)

    def expose(self, node: Tree | None) -> tuple[ComposePort, ...]:
        out: list[ComposePort] = []
        for item in node.items if isinstance(node, Items) else ():
            if isinstance(item, Scalar) and not item.null:
                port = parse_port(item.text, item.at, raw=item.raw)
                if port is None or port.published is not None:
                    self.loader.problem(item.at, f"{item.raw!r} is no port to expose")
                else:
                    out.append(port)
        return tuple(out)

    def healthcheck(self, node: Tree | None) -> ComposeHealthcheck | None:
        if not isinstance(node, Table):
            return None
        form: Literal["none", "exec", "shell", "inherit", "unknown"] = "inherit"
        words: tuple[Text, ...] = ()
        shell: Text | None = None
        test = node.get("test")
        if isinstance(test, Scalar) and not test.null:
            form, shell = "shell", made_text(test)
        elif isinstance(test, Items) and test.items:
            head = plain_text(test.items[0])
            rest = self.texts(Items(test.at, test.base, test.items[1:]))
            if head == "NONE":
                form = "none"
            elif head == "CMD":
                form, words = "exec", rest
            elif head == "CMD-SHELL" and rest:
                form, shell = "shell", rest[0]
            else:
                form = "unknown"
                message = "a health check's list starts with CMD, CMD-SHELL or NONE"
                self.loader.refuse(test.at, message)
        if is_on(node.get("disable")):
            form = "none"
        return ComposeHealthcheck(
            at=node.at,
            form=form,
            words=words,
            shell=shell,
            interval=text_of(node.get("interval")),
            timeout=text_of(node.get("timeout")),
            retries=text_of(node.get("retries")),
            start_period=text_of(node.get("start_period")),
            start_interval=text_of(node.get("start_interval")),
        )

    def depends_on(self, node: Tree | None) -> tuple[ComposeDependency, ...]:
        if not isinstance(node, Table):
            return ()
        out: list[ComposeDependency] = []
        for name, (at, value) in node.items.items():
            inner = value if isinstance(value, Table) else Table(at, node.base)
            out.append(
                ComposeDependency(
                    service=name,
                    at=at,
                    condition=plain_text(inner.get("condition")) or "service_started",
                    required=is_on(inner.get("required"), True),
                    restart=is_on(inner.get("restart")),
                )
            )
        return tuple(out)

    def deploy(self, node: Tree | None) -> ComposeDeploy | None:
        if not isinstance(node, Table):
            return None
        resources = node.get("resources")
        limits = resources.get("limits") if isinstance(resources, Table) else None
        reservations = resources.get("reservations") if isinstance(resources, Table) else None
        policy = node.get("restart_policy")
        restart = None
        if isinstance(policy, Table):
            restart = ComposeRestartPolicy(
                at=policy.at,
                condition=text_of(policy.get("condition")),
                delay=text_of(policy.get("delay")),
                max_attempts=text_of(policy.get("max_attempts")),
            )
        return ComposeDeploy(
            at=node.at,
            mode=text_of(node.get("mode")),
            endpoint_mode=text_of(node.get("endpoint_mode")),
            replicas=text_of(node.get("replicas")),
            restart_policy=restart,
            limits=self.resources_of(limits),
            reservations=self.resources_of(reservations),
            update_config=self.update(node.get("update_config")),
            rollback_config=self.update(node.get("rollback_config")),
            labels=self.pairs(node.get("labels")),
        )

    def resources_of(self, node: Tree | None) -> ComposeResources | None:
        if not isinstance(node, Table):
            return None
        capabilities: list[str] = []
        devices = node.get("devices")
        for device in devices.items if isinstance(devices, Items) else ():
            listed = device.get("capabilities") if isinstance(device, Table) else None
            capabilities += [
                plain_text(c) for c in (listed.items if isinstance(listed, Items) else ())
            ]
        return ComposeResources(
            at=node.at,
            cpus=text_of(node.get("cpus")),
            memory=text_of(node.get("memory")),
            pids=text_of(node.get("pids")),
            devices=tuple(filter(None, capabilities)),
        )

    def update(self, node: Tree | None) -> ComposeUpdate | None:
        if not isinstance(node, Table):
            return None
        return ComposeUpdate(
            at=node.at,
            order=text_of(node.get("order")),
            parallelism=text_of(node.get("parallelism")),
            delay=text_of(node.get("delay")),
            failure_action=text_of(node.get("failure_action")),
        )

    def logging(self, node: Tree | None) -> ComposeLogging | None:
        if not isinstance(node, Table):
            return None
        options = node.get("options")
        pairs: list[tuple[str, Text]] = []
        if isinstance(options, Table):
            for name, (_, value) in options.items.items():
                text = text_of(value)
                if text is not None:
                    pairs.append((name, text))
        misplaced = tuple(
            Text(value=name, at=at, raw=name, blank=name)
            for name, (at, _) in node.items.items()
            if name not in ("driver", "options") and not name.startswith("x-")
        )
        return ComposeLogging(
            at=node.at,
            driver=text_of(node.get("driver")),
            options=tuple(pairs),
            misplaced=misplaced,
        )

    def networks(self, node: Tree | None) -> tuple[ComposeNetworkUse, ...]:
        if not isinstance(node, Table):
            return ()
        out: list[ComposeNetworkUse] = []
        for name, (at, value) in node.items.items():
            aliases = value.get("aliases") if isinstance(value, Table) else None
            names = tuple(
                plain_text(a) for a in (aliases.items if isinstance(aliases, Items) else ())
            )
            out.append(ComposeNetworkUse(name=name, at=at, aliases=tuple(filter(None, names))))
        return tuple(out)

    def watch(self, node: Tree | None) -> tuple[ComposeWatch, ...]:
        listed = node.get("watch") if isinstance(node, Table) else None
        out: list[ComposeWatch] = []
        for item in listed.items if isinstance(listed, Items) else ():
            if not isinstance(item, Table):
                continue
            source = self.path(item.get("path"))
            if source is not None:
                out.append(
                    ComposeWatch(
                        at=item.at,
                        action=plain_text(item.get("action")),
                        source=source,
                        target=text_of(item.get("target")),
                    )
                )
        return tuple(out)


_Item = TypeVar("_Item")


def _is_remote(text: str) -> bool:
    return (
        "://" in text
        or text.startswith(("git@", "github.com/"))
        or (text.endswith(".git") and not text.startswith((".", "/")))
    )
