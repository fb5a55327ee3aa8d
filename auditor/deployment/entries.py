"""Following a service's command: which process stays, which code it runs, where it listens."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment import (
    buildsteps,
    confined,
    endings,
    fronts,
    healthscript,
    idle,
    packagedata,
    reach,
    rewritten,
    shellfaults,
    startup,
    stopping,
    workers,
)
from auditor.deployment.codeentries import CodeFollower
from auditor.deployment.model import (
    Entry,
    Listen,
    Proxied,
    ServedModel,
    Service,
    StartFault,
    Value,
)
from auditor.deployment.view import View
from auditor.findings import Stage
from auditor.linking import paths
from auditor.parsers.commands import (
    AppSpec,
    MainProcess,
    Option,
    Other,
    PythonRun,
    ServerStart,
    main_processes,
)
from auditor.parsers.python.facts import Phase, Trace
from auditor.parsers.shell.facts import Script
from auditor.source import Location, Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.imagefacts import CopyStep
    from auditor.linking.paths import PathLink
    from auditor.linking.projects import ProjectModule
    from auditor.parsers.commands import Interpretation
    from auditor.parsers.python import ModuleFacts

_SETTINGS_MODULE = re.compile(r"DJANGO_SETTINGS_MODULE['\"]\s*,\s*['\"]([\w.]+)['\"]")
_UNSET = re.compile(r"\$(\w+) is not set here")
_VARIABLE = re.compile(r"\$(?:\{[A-Za-z_][A-Za-z0-9_]*[^}]*\}|[A-Za-z_][A-Za-z0-9_]*)")
_SHELL_NAMES = frozenset({"sh", "bash", "dash", "ash", "zsh"})
# Servers that run an application object of the project inside Python.
_PYTHON_SERVERS = frozenset(
    {
        "uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "waitress", "flask", "django",
        "fastapi-run", "fastapi-dev", "sanic", "litestar", "uwsgi", "robyn", "bentoml", "chainlit",
        "streamlit", "celery", "gradio", "aiohttp", "panel", "voila", "ray-serve", "rq", "dramatiq",
        "arq",
    }
)  # fmt: skip
# They are told by files which models to serve.
_MODEL_SERVERS = frozenset({"mlserver", "torchserve", "triton", "tensorflow-serving"})


# They take `module:attribute` and never a file's path.
_MODULES_ONLY = frozenset({"uvicorn", "gunicorn", "daphne", "granian", "waitress"})


# What a server says when no application is named to it.
_NO_APPLICATION = {
    "gunicorn": "Error: No application module specified.",
    "uvicorn": "Error: Missing argument 'APP'.",
    "granian": "Error: Missing argument 'APP'.",
    "hypercorn": "error: the following arguments are required: application",
    "daphne": "error: the following arguments are required: application",
}

# They take `module:attribute`, and no module alone.
_NEED_ATTRIBUTE = {
    "uvicorn": '`Error loading ASGI app. Import string "{}" must be in format "<module>:<attribute>".`',
    "daphne": "`ValueError: not enough values to unpack`",
}

# What they serve is what answers, without routes of its own.
_ANSWERING = frozenset({"bentoml", "ray-serve"})
# They serve a page that calls the model, not an endpoint.
_PAGES = frozenset({"streamlit", "gradio", "chainlit", "panel", "voila", "dash", "nicegui"})
# They serve an application of their own; what they keep, and where, is judged elsewhere (linking.stores).
_COMPLETE = frozenset({"mlflow-server", "mlflow-ui"})


def follow(
    service: Service,
    script: Script | None,
    view: View,
    env: Mapping[str, str | Unknown | None],
    *,
    documented: bool,
) -> Service:
    """The service with its processes, entries, listening addresses and start faults."""
    faults = [*service.faults, *buildsteps.faults(service, view)]
    open_links = list(service.open_links)
    if script is None:
        image = service.image
        base = image.base if image else None
        if base is not None and base.official_python and not service.open_links:
            # The official image's own CMD is an interpreter that ends at once without a terminal.
            faults.append(
                StartFault(
                    kind="no-command",
                    message=(
                        f"no CMD or ENTRYPOINT: the container runs {base.text}'s own command "
                        "(python3), which ends at once"
                    ),
                    at=image.image.base.at if image else service.at,
                )
            )
        else:
            open_links.append((Stage.STARTS, "the base image's own command is not known"))
        return replace(service, faults=tuple(faults), open_links=tuple(open_links))

    cwd = service.cwd
    image = service.image
    if service.command_form == "shell" and image is not None and _plain_sh(image.image.shell.value):
        script = replace(script, dash=view.has_dash)

    def read_script(path: str, where: Value) -> Script | None:
        if not isinstance(where, str):
            return None
        absolute = posixpath.normpath(posixpath.join(where, path))
        repo = view.repo_file(absolute)
        if repo is None or repo.endswith((".py", ".exe", ".so")):
            return None
        text = view.text(absolute)
        if text is None or "\0" in text.text[:200]:
            return None
        return view.script(absolute)

    faults.extend(startup.unknown_user(service))
    faults.extend(reach.locked_away(service))
    faults.extend(reach.absent_sources(service, view))
    faults.extend(startup.first_program(service, script, view, cwd))
    first: list[Interpretation] = []
    faults.extend(startup.scripts(service, script, view, env, cwd, first))
    preludes = _preludes(service, view, env, first, faults, documented=documented)
    for prelude in preludes:
        faults.extend(endings.stops(prelude.trace))
    startup.before(script, view, env, cwd)
    processes = list(main_processes(script, env=env, cwd=cwd, read_script=read_script))
    faults.extend(startup.unknown_wrapper_user(service, processes, view))
    faults.extend(confined.too_little_memory(service))
    faults.extend(confined.no_cache(service, processes, view, env))
    supervisor = next((p for p in processes if _kind(p) == "supervisord"), None)
    if supervisor is not None:
        children = fronts.supervised(supervisor, view, env, read_script)
        if children is not None:
            faults += children[1]
            processes = [p for p in processes if p is not supervisor] + children[0]
            service = replace(service, supervised=True)
    manager = next((p for p in processes if _kind(p) == "honcho"), None)
    managed = fronts.of_procfile(manager, view, env, read_script) if manager is not None else None
    if managed is not None:
        processes = [p for p in processes if p is not manager] + managed
    if not faults and supervisor is None:
        faults.extend(stopping.ends(service, script, processes, view))
    entries: list[Entry] = []
    listens: list[Listen] = []
    configured: list[Option] = []
    models: list[ServedModel] = []
    complete = True
    for process in processes:
        follower = _Follower(service, view, env, process, documented=documented)
        follower.run()
        entries.extend(follower.entries)
        listens.extend(follower.listens)
        faults.extend(follower.faults)
        open_links.extend(follower.open_links)
        models.extend(follower.models)
        complete = complete and follower.complete
        fact = process.interpretation.fact
        if isinstance(fact, ServerStart):
            from auditor.deployment.listening import configured as settings_of

            configured.extend(settings_of(fact, env, process.interpretation.cwd, view, []))
    faults += endings.daemons(processes, configured)
    proxy = next((p for p in processes if _kind(p) == "nginx"), None)
    proxies: list[Proxied] = []
    if proxy is not None and isinstance(proxy.interpretation.fact, ServerStart):
        filled = rewritten.texts(view, script, env, cwd)
        configs = fronts.nginx(proxy.interpretation.fact, view, filled)
        if configs:
            faults += fronts.nginx_faults(proxy.interpretation.fact, configs)
            proxies = fronts.targets(configs)
            inner = [item for item in listens if item.server != "nginx"]
            faults += _unanswered(proxies, inner, complete=complete)
            # What binds every interface is reached beside nginx, too.
            listens = fronts.nginx_listens(configs) + [i for i in inner if not i.loopback]
            open_links = [link for link in open_links if "what nginx serves" not in link[1]]
        elif filled or view.build_mentions("/etc/nginx") or fronts.lost(service.image):
            vague = Unknown("what nginx reads is not seen")
            listens = [
                replace(item, port=vague) if item.server == "nginx" else item for item in listens
            ]
    if supervisor is not None and service.supervised:
        open_links = [
            (Stage.REACHABLE if stage is Stage.STARTS else stage, why) for stage, why in open_links
        ]
    faults += startup.to_background(service, processes)
    never = shellfaults.never_true(script, processes, read_script, cwd)
    faults += never
    if not processes and not never:
        open_links.append((Stage.STARTS, "the command could not be followed"))
        complete = False
    web = True if listens else (any(_serves(e.trace) for e in entries) or None)
    if not complete:
        web = web or None
    if complete and not listens:
        faults += idle.faults(script, processes, view, cwd)
        open_links.append((Stage.REACHABLE, "no server that listens was found"))
    routes = [r for e in entries for app in e.trace.apps for r in app.routes]
    pages = any(e.server in _PAGES for e in entries) or any(
        item.tool in _PAGES for e in entries for item in e.trace.servers
    )
    pages = pages or any(
        isinstance(fact, ServerStart) and fact.kind in _COMPLETE
        for fact in (process.interpretation.fact for process in processes)
    )
    answering = any(e.server in _ANSWERING for e in entries)
    if (
        not pages
        and not answering
        and not _posts_by_hand(entries, view)
        and not any(r.kind == "predict" or "POST" in r.methods for r in routes)
    ):
        open_links.append((Stage.PREDICTS, "no prediction endpoint was found"))
    service = replace(service, entries=tuple(entries), preludes=preludes)
    if not preludes:
        relaunches, in_parent = workers.relaunched(processes, entries, tuple(configured), view)
        service = replace(service, relaunches=relaunches, in_parent=in_parent)
        if relaunches and not in_parent:
            # All but what the server itself needs is found out by its workers.
            open_links = [
                (
                    Stage.REACHABLE if stage is Stage.STARTS and "installed" not in why else stage,
                    why,
                )
                for stage, why in open_links
            ]
    pickled = view.pickled_modules | _dumped_modules(entries, view)
    importable, unsure = _importable(entries, view, pickled)
    doubtful = _doubtful(entries, view)
    unsure |= doubtful.keys()
    absent = frozenset(
        module
        for module in pickled - importable.keys() - unsure
        if view.repository_like(f"{module.replace('.', '/')}.py") is not None
    )
    from auditor.deployment.logfiles import log_files

    reads = tuple(paths.reads(service, view))
    open_links += _models_elsewhere(service, reads)
    service = replace(
        service,
        processes=tuple(processes),
        configured=tuple(configured),
        models=tuple(models),
    )
    return replace(
        service,
        health=healthscript.followed(
            service, view, env, lambda path: _program_at(service, view, env, path)
        ),
        log_files=log_files(service, view, env, supervisor),
        importable=importable,
        unsure_modules=unsure,
        modules_by_hand=tuple((module, why) for module, why in doubtful.items() if why),
        absent_modules=absent,
        module_facts={
            path: facts
            for entry in service.runs
            for _, path in entry.trace.modules
            if (facts := view.facts_of_repo(path)) is not None
        },
        reads=reads,
        writes=tuple(paths.writes(service, view)),
        closed=tuple(paths.closed_modules(service, view)),
        listens=tuple(dict.fromkeys(listens)),
        listens_complete=complete,
        faults=tuple(_unlikely_alone(service, _unique(faults))),
        open_links=tuple(dict.fromkeys(open_links)),
        is_web=web,
        proxies=tuple(proxies),
    )


def _plain_sh(words: tuple[str, ...]) -> bool:
    """No SHELL of the Dockerfile puts another in the place of ``/bin/sh -c``."""
    return posixpath.basename(words[0]) == "sh"


def _preludes(
    service: Service,
    view: View,
    env: Mapping[str, str | Unknown | None],
    commands: list[Interpretation],
    faults: list[StartFault],
    *,
    documented: bool,
) -> tuple[Entry, ...]:
    """The traces of programs that must succeed before the server is started.

    ``faults`` gets those that are not there.
    """
    found: list[Entry] = []
    for what in commands[:8]:
        process = MainProcess(interpretation=what)
        follower = _Follower(service, view, env, process, documented=documented)
        follower.run()
        found += follower.entries
        faults += [fault for fault in follower.faults if fault.kind in ("script", "module")]
    return tuple(found)


def _posts_by_hand(entries: list[Entry], view: View) -> bool:
    """A handler of the standard library's server that takes what is posted."""
    return any(
        "do_POST" in made.methods
        for entry in entries
        if any(server.tool == "http.server" for server in entry.trace.servers)
        for _, path in entry.trace.modules
        if (facts := view.facts_of_repo(path)) is not None
        for made in facts.classes
    )


def _program_at(
    service: Service, view: View, env: Mapping[str, str | Unknown | None], path: str
) -> Trace | None:
    """What a program of the image at this path does when Python runs it beside the service."""
    from auditor.parsers.commands import Interpretation
    from auditor.parsers.shell.facts import Arg

    named = Arg(value=path, at=service.at)
    fact = PythonRun(at=service.at, interpreter="python", argv=(named,), script=named)
    process = MainProcess(interpretation=Interpretation(fact=fact, argv=(), cwd=service.cwd))
    follower = _Follower(service, view, env, process, documented=True)
    follower.run()
    return follower.entries[0].trace if len(follower.entries) == 1 else None


def _kind(process: MainProcess) -> str:
    fact = process.interpretation.fact
    return fact.kind if isinstance(fact, ServerStart) else ""


def _unanswered(
    proxies: list[Proxied], inner: list[Listen], *, complete: bool
) -> Iterator[StartFault]:
    """A proxy in the same container that asks a port which the server behind it does not serve."""
    ports = {item.port for item in inner}
    if not complete or not inner or any(isinstance(port, Unknown) for port in ports):
        return
    for target in proxies:
        if target.host not in ("localhost", "127.0.0.1") or target.port in ports:
            continue
        yield StartFault(
            kind="upstream",
            message=(
                f"{target.server} sends requests to port {target.port} of this container, but "
                f"{inner[0].server} serves {inner[0].port}: `502 Bad Gateway`"
            ),
            at=target.at,
            related=((inner[0].at, "served here"),),
            stage=Stage.REACHABLE,
        )


def _dumped_modules(entries: list[Entry], view: View) -> frozenset[str]:
    """Modules of the project that what the build pickled names, where the service loads it."""
    paths = {
        access.path.resolved
        for entry in entries
        for access in entry.trace.files
        if access.kind == "artifact" and access.mode == "read"
    }
    dumps = [view.look(path).dump for path in paths if isinstance(path, str)]
    return frozenset(
        name.module
        for dump in dumps
        if dump is not None
        for name in dump.names
        if name.name and name.module != "__main__"
    )


def _importable(
    entries: list[Entry], view: View, modules: frozenset[str]
) -> tuple[dict[str, ProjectModule], frozenset[str]]:
    """Which of the modules that artifacts name the code can import, and which it may."""
    if not modules:
        return {}, frozenset()
    from auditor.linking.projects import project_module

    found: dict[str, ProjectModule] = {}
    unsure: set[str] = set()
    roots = tuple(dict.fromkeys(r for e in entries for r in (*e.roots, *e.trace.roots)))
    for module in modules:
        inside = module.replace(".", "/")
        for root in roots:
            base = posixpath.join(root, inside)
            for path in (f"{base}/__init__.py", f"{base}.py"):
                facts = view.module(path)
                if facts is not None and module not in found:
                    text = view.text(path)
                    read = project_module(text.text if text is not None else "")
                    found[module] = replace(read, names=_bound(facts))
                elif facts is None and view.exists(path) is None:
                    unsure.add(module)
            if module not in found and view.is_dir(base):
                unsure.add(module)
    return found, frozenset(unsure - found.keys())


def _doubtful(entries: list[Entry], view: View) -> dict[str, str]:
    """Modules that imports did not find and that may nevertheless be there, with who makes them by hand."""
    found: dict[str, str] = {}
    for entry in entries:
        for item in entry.trace.imports:
            if item.found != "missing" or not item.module:
                continue
            inside = item.module.replace(".", "/")
            for root in entry.roots:
                path = posixpath.join(root, inside)
                for candidate in (f"{path}.py", f"{path}/__init__.py", path):
                    if view.look(candidate).answer != "no":
                        # What the image has besides may bring it, whoever else would.
                        found[item.module] = ""
                    elif why := view.by_hand(candidate):
                        found.setdefault(item.module, why)
    return found


def _bound(facts: ModuleFacts) -> frozenset[str] | None:
    """Names that a module binds; None where a star import leaves it open."""
    names = {*facts.names, *(f.name for f in facts.functions), *(c.name for c in facts.classes)}
    for item in facts.imports:
        if "*" in item.names:
            return None
        names.update(item.names)
    return frozenset(names)


def _unique(faults: list[StartFault]) -> Iterator[StartFault]:
    seen: set[tuple[str, Location]] = set()
    for fault in faults:
        if (fault.kind, fault.at) not in seen:
            seen.add((fault.kind, fault.at))
            yield fault


def _models_elsewhere(service: Service, reads: Sequence[PathLink]) -> Iterator[tuple[Stage, str]]:
    """Models of a registry, and models that are absent where no error is certain."""
    loads = [
        access
        for entry in service.entries
        for access in entry.trace.files
        if access.kind == "artifact" and access.mode == "read"
    ]
    for access in loads:
        text = access.path.text
        if isinstance(text, str) and text.startswith(paths.REGISTRIES):
            start = access.reach.certain and access.reach.phase < Phase.REQUEST
            yield (
                Stage.STARTS if start else Stage.PREDICTS,
                f"the model `{text}` is not in the repository",
            )
            return
    models = [link for link in reads if link.access.kind == "artifact"]
    if models and all(link.seen.answer == "no" for link in models):
        yield Stage.PREDICTS, f"`{models[0].path}` is not in the image"


# What is copied to install from it: an image that takes nothing else has its code mounted.
_LISTS = re.compile(
    r"(?:[\w.-]*requirements?[\w.-]*\.(?:txt|in)|[\w.-]+\.lock|pyproject\.toml|setup\.(?:py|cfg)|Pipfile"
    r"|(?:conda|environment)[\w.-]*\.ya?ml|constraints[\w.-]*\.txt|\.python-version)\*?"
)


_INSTALLED = ("/usr/", "/root/.local", "/opt/", "/venv", "/install", "/bin/", "/uv")


def _brings_code(copy: CopyStep) -> bool:
    """Whether a COPY takes more from the repository than what is to be installed."""
    if copy.origin != "context":
        # Of another stage: what was installed there, or what was copied into it.
        return not all(isinstance(s, str) and s.startswith(_INSTALLED) for s in copy.sources)
    names = [posixpath.basename(s.rstrip("/")) if isinstance(s, str) else "" for s in copy.sources]
    return not all(_LISTS.fullmatch(name) for name in names)


def _unlikely_alone(service: Service, faults: Iterator[StartFault]) -> Iterator[StartFault]:
    """What is missing in an image that takes nothing from the repository is mounted by its user."""
    image, environment = service.image, service.environment
    # The project came by its installation, which leaves its files where they were.
    linked = environment is not None and any(
        s.fact is not None and s.fact.editable for s in environment.steps
    )
    alone = (
        service.origin == "dockerfile"
        and image is not None
        and not linked
        and not any(map(_brings_code, image.image.copies))
    )
    for fault in faults:
        if alone and fault.kind in ("module", "attribute", "script"):
            yield replace(fault, possible=True)
        else:
            yield fault


def _serves(trace: Trace) -> bool:
    return bool(trace.servers or trace.apps)


class _Follower(CodeFollower):
    """Follows one process of a service."""

    def run(self) -> None:
        fact = self.process.interpretation.fact
        for wrapper in self.process.interpretation.wrappers:
            if wrapper.name == "debugpy":
                self._python_present(wrapper.name, wrapper.at)
        if isinstance(fact, ServerStart):
            self._server(fact)
        elif isinstance(fact, PythonRun):
            self._python(fact)
        elif idle.waits(fact) or (
            isinstance(fact, Other) and (self._python_script(fact) or self._own_program(fact))
        ):
            pass
        elif isinstance(fact, Other):
            self.complete = False
            program = fact.program if isinstance(fact.program, str) else "a computed program"
            if isinstance(fact.program, str) and posixpath.basename(fact.program) in _SHELL_NAMES:
                program = f"`{fact.program}`"
            self.open_links.append((Stage.STARTS, f"what `{program}` does is not known"))
        else:
            # The container installs or copies something and ends.
            self.complete = True

    def _own_program(self, fact: Other) -> bool:
        """A console script of a project of the repository that the image installs."""
        program = fact.argv[0] if fact.argv else None
        if program is None or not isinstance(program.value, str) or "/" in program.value:
            return False
        from auditor.deployment.consoles import console_scripts

        named: dict[str, str] = {}
        for project in packagedata.installed(self.service):
            named.update(console_scripts(self.view, project.folder))
        target = named.get(program.value)
        if target is None:
            if not named or self.service.image is None:
                return False
            if self.service.image.provides_program(program.value) is not None:
                return False
            close = ", ".join(f"`{name}`" for name in sorted(named)[:3])
            installed = self.service.environment.installed if self.service.environment else None
            if installed is None or not installed.complete or installed.unknown:
                return False
            self.faults.append(
                StartFault(
                    kind="program",
                    message=(
                        f"`{program.value}` is not in the image: the project that it installs brings "
                        f"{close}, and no program of that name"
                    ),
                    at=program.at,
                    certain=False,
                    evidence=(("program", program.value),),
                )
            )
            return True
        module, _, attribute = target.partition(":")
        self._run_module(
            module.strip(),
            attribute.partition("[")[0].strip() or None,
            program.at,
            self._extra_roots(),
            server="python",
            factory=bool(attribute),
            argv=tuple(a.text for a in fact.argv[1:]),
        )
        return True

    # ---- servers on the command line ----

    def _server(self, fact: ServerStart) -> None:
        from auditor.deployment import listening
        from auditor.linking import stores

        self.env = dict(listening.of_flask(fact, self.env, self.cwd, self.service, self.view))
        config = listening.configured(fact, self.env, self.cwd, self.view, self.open_links)
        self.faults.extend(listening.config_faults(fact, self.cwd, self.view))
        self.faults.extend(listening.unwritable(fact, self.cwd, self.service, self.view))
        self._server_listens(fact)
        self.env = {**listening.brought(fact, self.cwd, self.view), **self.env}
        for option in (*config, fact.option("chdir")):
            if option is not None and option.name == "chdir" and isinstance(option.value, str):
                where = self.process.interpretation.cwd
                if isinstance(where, str):
                    self.cwd = posixpath.normpath(posixpath.join(where, option.value))
        if fact.kind in _MODEL_SERVERS:
            self._model_server(fact, config)
            return
        if fact.kind in _COMPLETE and stores.complete(self.service, fact):
            self._python_present(fact.kind, fact.at)
            return
        if fact.kind not in _PYTHON_SERVERS:
            self.open_links.append((Stage.STARTS, f"what {fact.kind} serves is not followed"))
            return
        if fact.kind == "django" and self._without_manage(fact):
            return
        self._python_present(fact.kind, fact.at)
        if fact.kind == "rq":
            return  # it imports what its jobs name
        self.faults.extend(workers.missing_modules(self.service, fact, self.env, config))
        self.faults.extend(workers.second_application(fact))
        self.faults.extend(workers.bare_port(fact))
        self.faults.extend(
            confined.no_temporary(fact, self.service, self.view, self.env, self.cwd, config)
        )
        self.faults.extend(workers.not_numbers(fact, self.env))
        if fact.script is not None and isinstance(fact.script.value, str):
            self._run_file(
                fact.script.value,
                fact.script.at,
                server=fact.kind,
                argv=tuple(a.text for a in fact.args),
            )
            return
        app = fact.app
        if app is None:
            app = self._configured_app(fact, config) or self._default_app(fact)
        if app is None and self._serves_nothing(fact):
            self.faults.append(
                StartFault(
                    kind="program",
                    message=f"{fact.kind} is not told what to serve: `{_NO_APPLICATION[fact.kind]}`",
                    at=fact.at,
                )
            )
            return
        if app is None:
            self.open_links.append((Stage.STARTS, f"what {fact.kind} serves is not named"))
            return
        if app.path is not None and fact.kind in _MODULES_ONLY:
            self.faults.append(
                StartFault(
                    kind="module",
                    message=(
                        f"{fact.kind} takes the name of a module, and `{app.path}` is a path: "
                        + (
                            f'`Error loading ASGI app. Could not import module "{app.path}".`'
                            if fact.kind == "uvicorn"
                            else "it cannot be imported"
                        )
                    ),
                    at=app.at,
                    evidence=(("module", app.path),),
                )
            )
            return
        if app.attribute is None and app.module is not None and fact.kind in _NEED_ATTRIBUTE:
            self.faults.append(
                StartFault(
                    kind="attribute",
                    message=(
                        f"{fact.kind} is told `{app.raw}`, which names no object of the module: "
                        f"{_NEED_ATTRIBUTE[fact.kind].format(app.raw)}"
                    ),
                    at=app.at,
                )
            )
            return
        if app.path is not None:
            self._run_file(app.path, app.at, server=fact.kind, attribute=app.attribute)
            return
        if app.module is None:
            self.open_links.append(
                (Stage.STARTS, f"the application of {fact.kind} is computed: {app.raw}")
            )
            return
        app_dir = None if fact.option("chdir") is not None else fact.app_dir
        roots = self._roots(app_dir, fact.value("pythonpath"))
        before = len(self.entries)
        self._run_module(
            app.module,
            app.attribute,
            app.at,
            roots,
            server=fact.kind,
            factory=app.factory,
        )
        for entry in self.entries[before:]:
            self.faults.extend(
                workers.foreign_interface(entry, fact, self.env, config, factory=app.factory)
            )
            self._django_settings(entry, fact.at)

    def _model_server(self, fact: ServerStart, config: tuple[Option, ...]) -> None:
        """What the server's model repository makes it serve."""
        from auditor.deployment import modelservers

        told = modelservers.follow(
            fact, config, self.env, self.cwd, self.view,
            started_elsewhere=self.service.origin == "dockerfile",
        )  # fmt: skip
        self.faults += told.faults
        self.open_links += told.open_links
        self.models += told.models
        if fact.kind in ("mlserver", "torchserve"):
            self._python_present(fact.kind, fact.at)
        trace = told.trace(fact.kind, fact.at)
        self.entries.append(
            Entry(trace=trace, module=fact.kind, attribute=None, at=fact.at, server=fact.kind)
        )
        environment = self.service.environment
        installed = environment.installed if environment is not None else None
        for distribution, module, at in told.runtimes:
            if installed is None or not installed.complete or installed.unknown:
                why = f"whether {distribution} is installed is not known"
                self.open_links.append((Stage.STARTS, why))
            elif not installed.has(distribution):
                self.faults.append(
                    StartFault(
                        kind=modelservers.FAULT,
                        message=(
                            f"the runtime comes with {distribution}, which the image does not "
                            f"install: mlserver stops (`No module named '{module}'`)"
                        ),
                        at=at,
                    )
                )
        for module, attribute, at, roots in told.classes:
            self._run_module(
                module, attribute, at, (*roots, *self._extra_roots()), server=fact.kind
            )

    def _django_settings(self, entry: Entry, at: Location) -> None:
        """DJANGO_SETTINGS_MODULE names a module of the project that is not there."""
        module = self.env.get("DJANGO_SETTINGS_MODULE")
        if not isinstance(module, str) or not module.isascii():
            return
        if not any(item.module.partition(".")[0] == "django" for item in entry.trace.imports):
            return
        finder = self._program(entry.roots).finder
        top, _, rest = module.partition(".")
        if finder.find(module) is not None or not rest or finder.find(top) is None:
            return
        inside = module.replace(".", "/")
        for root in entry.roots:
            if self.view.look(posixpath.join(root, f"{inside}.py")).answer != "no":
                return
        variable = self.service.variable("DJANGO_SETTINGS_MODULE")
        self.faults.append(
            StartFault(
                kind="module",
                message=(
                    f"DJANGO_SETTINGS_MODULE is `{module}`, which is not in the image: "
                    f"`ModuleNotFoundError: No module named '{module}'`"
                ),
                at=variable.at if variable is not None and variable.at is not None else at,
                evidence=(("module", module),),
            )
        )

    def _without_manage(self, fact: ServerStart) -> bool:
        """``python manage.py`` where the working directory has no such file."""
        named = next((a for a in fact.argv if a.text.endswith("manage.py")), None)
        if named is None or not isinstance(self.cwd, str):
            return False
        path = posixpath.normpath(posixpath.join(self.cwd, named.text))
        if self.view.look(path).answer != "no":
            return False
        self.faults.append(
            StartFault(
                kind="script",
                message=(
                    f"`{named.text}` is not in the image (working directory {self.cwd}): "
                    f"`python: can't open file '{path}'`"
                ),
                at=named.at,
                related=((self.service.cwd_at, "the working directory is set here"),)
                if self.service.cwd_at
                else (),
                evidence=(("path", path),),
            )
        )
        return True

    def _django_app(self) -> AppSpec | None:
        """What ``manage.py runserver`` serves: the ``wsgi`` module beside the settings."""
        if not isinstance(self.cwd, str):
            return None
        text = self.view.text(posixpath.join(self.cwd, "manage.py"))
        module = self.env.get("DJANGO_SETTINGS_MODULE")
        if not isinstance(module, str):
            found = _SETTINGS_MODULE.search(text.text) if text is not None else None
            module = found.group(1) if found else None
        if module is None:
            return None
        package = module.partition(".settings")[0].rpartition(".")[0] or module.partition(".")[0]
        fact = self.process.interpretation.fact
        at = fact.at if isinstance(fact, ServerStart) else self.service.at
        return AppSpec(raw=module, at=at, module=f"{package}.wsgi", attribute="application")

    def _configured_app(self, fact: ServerStart, config: tuple[Option, ...]) -> AppSpec | None:
        """The application that a configuration file of gunicorn or Ray Serve names."""
        option = next((o for o in config if o.name == "app"), None)
        if option is None or fact.kind not in ("gunicorn", "ray-serve"):
            return None
        if not isinstance(option.value, str):
            raw = option.value if isinstance(option.value, Unknown) else Unknown("it is no name")
            return AppSpec(raw=raw, at=option.at)
        if fact.kind == "ray-serve":
            colon = ":" if ":" in option.value else "."
            module, _, attribute = option.value.rpartition(colon)
            return AppSpec(raw=option.value, at=option.at, module=module, attribute=attribute)
        module, _, attribute = option.value.partition(":")
        called = attribute.endswith(")")
        return AppSpec(
            raw=option.value,
            at=option.at,
            module=module,
            attribute=attribute.partition("(")[0] or "application",
            factory=called,
        )

    def _serves_nothing(self, fact: ServerStart) -> bool:
        """No argument, variable or configuration file names an application to the server."""
        if fact.kind not in _NO_APPLICATION or not isinstance(self.cwd, str):
            return False
        if fact.opaque is not None or not all(isinstance(a.value, str) for a in fact.args):
            return False
        if fact.kind != "gunicorn":
            return self.env.get(f"{fact.kind.upper()}_APP") is None and "*" not in self.env
        own = posixpath.join(self.cwd, "gunicorn.conf.py")
        return (
            fact.value("config") is None
            and self.env.get("GUNICORN_CMD_ARGS") is None
            and self.view.exists(own) is False
        )

    def _default_app(self, fact: ServerStart) -> AppSpec | None:
        if fact.kind == "django":
            return self._django_app()
        if fact.kind == "litestar":
            return self._litestar_app(fact)
        if fact.kind == "flask":
            value = self.env.get("FLASK_APP")
            if isinstance(value, str):
                module, _, attribute = value.partition(":")
                path = module if module.endswith(".py") else None
                return AppSpec(
                    raw=value,
                    at=fact.at,
                    module=None if path else module,
                    path=path,
                    attribute=attribute or None,
                )
            if value is None and isinstance(self.cwd, str):
                for name in ("wsgi", "app"):
                    if self.view.repo_file(posixpath.join(self.cwd, f"{name}.py")):
                        return AppSpec(raw=name, at=fact.at, module=name)
                seen = [
                    self.view.look(posixpath.join(self.cwd, name)).answer
                    for name in ("wsgi.py", "app.py", "app", "wsgi")
                ]
                if fact.option("app") is None and set(seen) == {"no"}:
                    self.faults.append(
                        StartFault(
                            kind="module",
                            message=(
                                "`flask run` is told of no application, and there is neither app.py "
                                f"nor wsgi.py in {self.cwd}: `Error: Could not locate a Flask "
                                "application`"
                            ),
                            at=fact.at,
                        )
                    )
        return None

    def _litestar_app(self, fact: ServerStart) -> AppSpec | None:
        """What ``litestar run`` looks for by itself: an application in app.py, or a package's."""
        told = self.env.get("LITESTAR_APP")
        if isinstance(told, str):
            module, _, attribute = told.partition(":")
            return AppSpec(raw=told, at=fact.at, module=module, attribute=attribute or "app")
        if told is not None or not isinstance(self.cwd, str):
            return None
        for module in ("app", "application", "asgi", "app.main", "app.app", "app.asgi"):
            path = posixpath.join(self.cwd, *module.split("."))
            facts = self.view.module(f"{path}.py") or self.view.module(f"{path}/__init__.py")
            names = (_bound(facts) or frozenset()) if facts is not None else frozenset()
            found = next((n for n in ("app", "application", "create_app") if n in names), None)
            if found is not None:
                factory = found == "create_app"
                return AppSpec(
                    raw=module, at=fact.at, module=module, attribute=found, factory=factory
                )
        return None

    # ---- code ----

    # ---- addresses ----

    def _new_seldon(self) -> bool:
        environment = self.service.environment
        installed = environment.installed if environment is not None else None
        version = installed.version("seldon-core") if installed is not None else None
        major, _, rest = (version or "").partition(".")
        minor = rest.partition(".")[0]
        return major.isdigit() and minor.isdigit() and (int(major), int(minor)) >= (1, 5)

    def _server_listens(self, fact: ServerStart) -> None:
        from auditor.deployment import listening

        found, faults, open_links = listening.listens(fact, self.env, self.cwd, self.view)
        if fact.kind == "seldon" and not self._new_seldon():
            # Releases before 1.5 served 5000.
            unknown = Unknown("it depends on the release of seldon-core")
            found = [replace(f, port=unknown) if f.source == "default" else f for f in found]
        self.faults.extend(listening.refused_choices(fact))
        self.faults.extend(listening.unknown_account(fact, self.service))
        refused = listening.refused_option(fact)
        if refused is not None:
            # It ends before it would listen: its defaults are nobody's address.
            self.faults.append(refused)
            return
        self.listens.extend(found)
        self.faults.extend(faults)
        self.open_links.extend(open_links)
        for listen in found:
            if isinstance(listen.port, Unknown):
                self._unset_port(fact, listen, listen.port)

    def _unset_port(self, fact: ServerStart, listen: Listen, port: Unknown) -> None:
        """``--port $PORT`` where nothing sets PORT: the option has no value."""
        named = _UNSET.fullmatch(port.reason)
        if named is None or "*" in self.env or fact.kind not in _PYTHON_SERVERS:
            return
        image = self.service.image.image if self.service.image is not None else None
        argument = (
            next((a for a in image.args if a.name == named.group(1)), None) if image else None
        )
        argument = None if named.group(1) in self.service.spoken_of else argument
        as_shown = self.documented and named.group(1) not in self.service.spoken_of
        as_shown = as_shown and not self.view.hosted
        if argument is None and not (self.service.variables_complete or as_shown):
            why = f"nothing in the repository sets ${named.group(1)}, from which {fact.kind} takes its port"
            self.open_links.append((Stage.STARTS, why))
            return
        self.faults.append(
            StartFault(
                kind="literal-variable",
                message=(
                    f"nothing sets ${named.group(1)}, from which {fact.kind} takes its port"
                    + (" (ARG exists only while the image is built)" if argument else "")
                    + ": the option has no value, and the server stops with an error"
                ),
                at=listen.at,
                related=((argument.at, "set here, for the build only"),) if argument else (),
                certain=False,
            )
        )
