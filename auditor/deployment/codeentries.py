"""What the code of one process does from its first line: modules, scripts and what they listen on."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditor.deployment import (
    endings,
    packagedata,
    reach,
    tasks,
)
from auditor.deployment.accounts import account
from auditor.deployment.model import (
    Entry,
    Listen,
    ServedModel,
    Service,
    StartFault,
    Value,
)
from auditor.deployment.shellnames import python_name
from auditor.deployment.view import View
from auditor.findings import Stage
from auditor.parsers.commands import (
    MainProcess,
    Other,
    PythonRun,
)
from auditor.parsers.python.facts import Phase, Trace
from auditor.parsers.python.program import ImageFinder, Program
from auditor.source import Location, Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.base import Base
    from auditor.parsers.python import ModuleFacts
    from auditor.parsers.python.facts import Server


# They take a file and import it by the name that its packages give it.
_BY_PACKAGE = frozenset({"fastapi-run", "fastapi-dev"})

# Distributions that bring a server, where they are named otherwise.
_DISTRIBUTIONS = {
    "fastapi-run": "fastapi-cli", "fastapi-dev": "fastapi-cli", "ray-serve": "ray",
    "mlflow-server": "mlflow", "mlflow-ui": "mlflow",
}  # fmt: skip

# They answer from a thread of their own, beside what serves.
_BESIDE = frozenset({"prometheus_client"})


def _at_least(version: str | None, wanted: tuple[int, ...]) -> bool:
    """Whether a release is known, and is that one or a later one."""
    if version is None:
        return False
    from auditor.linking.symbols import numbers

    return numbers(version) >= wanted


class CodeFollower:
    """Follows the Python that a process runs."""

    def __init__(
        self,
        service: Service,
        view: View,
        env: Mapping[str, str | Unknown | None],
        process: MainProcess,
        *,
        documented: bool,
    ) -> None:
        self.service = service
        self.view = view
        self.process = process
        what = process.interpretation
        self.env: dict[str, str | Unknown | None] = {**env, **what.env}
        self.cwd: Value = what.cwd
        for wrapper in what.wrappers:
            if wrapper.cwd is not None:
                self.cwd = wrapper.cwd
            self.env.update(dict(wrapper.env))
        self.documented = documented
        self.entries: list[Entry] = []
        self.listens: list[Listen] = []
        self.faults: list[StartFault] = []
        self.open_links: list[tuple[Stage, str]] = []
        self.models: list[ServedModel] = []
        self.complete = True

    @property
    def base(self) -> Base | None:
        return self.service.image.base if self.service.image else None

    def _python_script(self, fact: Other) -> bool:
        """``./serve.py`` with an interpreter of Python in its first line."""
        program = fact.program
        named = fact.argv[0] if fact.argv else None
        if named is None or not isinstance(named.value, str) or "/" not in named.value:
            return False
        if not isinstance(program, str) or not isinstance(self.cwd, str):
            return False
        text = self.view.text(posixpath.normpath(posixpath.join(self.cwd, named.value)))
        if text is None or "python" not in text.text[:200].split("\n", 1)[0]:
            return False
        arguments = tuple(a.text for a in fact.argv[1:])
        self._run_file(named.value, named.at, server="python", argv=arguments)
        return True

    def _python_present(self, kind: str, at: Location) -> None:
        """The server's own distribution must be installed."""
        environment = self.service.environment
        name = _DISTRIBUTIONS.get(kind, kind)
        if environment is None or environment.installed is None:
            return
        installed = environment.installed
        if installed.has(name) or (
            name == "fastapi-cli"
            and installed.has("fastapi")
            and not _at_least(installed.version("fastapi"), (0, 112))
        ):
            self.faults += reach.out_of_reach(
                self.service,
                self.process,
                name,
                self.view,
                through_python=self._through_python(),
            )
            return
        image = self.service.image
        if kind == "uwsgi" and (
            installed.has("pyuwsgi")
            or (image is not None and image.provides_program("uwsgi") is not False)
        ):
            return
        known = installed.complete and not installed.unknown
        # Another release of what is installed may bring it along (FastAPI 0.111 brought uvicorn).
        if not known or installed.provides(name.replace("-", "_")).answer in ("yes", "possibly-no"):
            self.open_links.append((Stage.STARTS, f"whether {name} is installed is not known"))
            return
        self.faults.append(
            StartFault(
                kind="server-missing",
                message=(
                    f"the command starts {name}, which nothing installs in the image: "
                    + (
                        f"`No module named {name}`"
                        if self._through_python()
                        else f'`exec: "{self.process.interpretation.argv[0].text or name}": executable '
                        "file not found in $PATH`"
                    )
                ),
                at=at,
                related=((environment.at, "the image starts here"),),
                certain=False,
            )
        )

    def _through_python(self) -> bool:
        """``python -m server``, not the server's own script."""
        command = self.process.interpretation.command
        argv = command.argv({}) if command is not None else []
        first = argv[0].value if argv else None
        return isinstance(first, str) and python_name(posixpath.basename(first))

    def _roots(self, app_dir: object, pythonpath: object) -> tuple[str, ...]:
        """Directories on ``sys.path`` that the project's modules can come from."""
        roots: list[str] = []
        if isinstance(self.cwd, str):
            first = self.cwd
            if isinstance(app_dir, str):
                first = posixpath.normpath(posixpath.join(self.cwd, app_dir))
            roots.append(first)
            if isinstance(pythonpath, str):
                roots += [
                    posixpath.normpath(posixpath.join(self.cwd, p)) for p in pythonpath.split(",")
                ]
        return tuple(roots) + self._extra_roots()

    def _extra_roots(self) -> tuple[str, ...]:
        roots: list[str] = []
        path = self.env.get("PYTHONPATH")
        if isinstance(path, Unknown):
            self.open_links.append((Stage.STARTS, f"PYTHONPATH: {path.reason}"))
        elif path:
            where = self.cwd if isinstance(self.cwd, str) else "/"
            roots += [
                posixpath.normpath(posixpath.join(where, part)) for part in path.split(":") if part
            ]
        # A project of the repository that is installed brings the modules it holds.
        for project in packagedata.installed(self.service):
            roots += [project.folder, posixpath.join(project.folder, "src")]
        environment = self.service.environment
        for step in environment.steps if environment else ():
            if step.fact is None or not step.shipped:
                continue
            installs_project = bool(step.fact.local_paths or step.fact.editable) or (
                step.fact.action == "sync" and not step.fact.no_root
            )
            if installs_project and isinstance(self.service.cwd, str):
                for base in (self.service.cwd, "/app", "/code", "/src", "/workspace"):
                    roots += [base, posixpath.join(base, "src")]
        return tuple(dict.fromkeys(roots))

    def _python(self, fact: PythonRun) -> None:
        if fact.code is not None and isinstance(fact.code.value, str):
            self.faults += endings.inline(fact.code.value, fact.code.at)
            if self._run_inline(fact.code.value, fact.code.at):
                return
        if fact.code is not None or (fact.script is None and fact.module is None):
            self.complete = False
            self.open_links.append((Stage.STARTS, "an inline Python program is not followed"))
            return
        if fact.module is not None:
            if not isinstance(fact.module.value, str):
                self.open_links.append((Stage.STARTS, fact.module.value.reason))
                self.complete = False
                return
            self._run_module(
                fact.module.value,
                None,
                fact.module.at,
                self._roots(None, None),
                server="python",
                as_main=True,
                argv=tuple(a.text for a in fact.args),
            )
            return
        assert fact.script is not None
        if not isinstance(fact.script.value, str):
            self.open_links.append((Stage.STARTS, fact.script.value.reason))
            self.complete = False
            return
        self._run_file(
            fact.script.value,
            fact.script.at,
            server="python",
            argv=tuple(a.text for a in fact.args),
        )

    def _unsure(self, path: str) -> str:
        seen = self.view.look(path)
        return (seen.reason or "unknown") if seen.answer == "unknown" else ""

    def _program(self, roots: tuple[str, ...]) -> Program:
        environment = {k: v for k, v in self.env.items() if v is not None and k != "*"}
        wild = "*" in self.env
        python = None
        claim = self.service.environment.python if self.service.environment else None
        if claim is not None and "." in claim.version:
            major, short = claim.version.split(".")[:2]
            if major.isdigit() and short.isdigit():
                python = (int(major), int(short))
        finder = ImageFinder(
            roots=roots,
            facts_of=self._module,
            is_dir=self.view.is_dir,
            unsure=self._unsure,
        )
        home = account(self.service.image, self.service.user).home
        environment.setdefault("HOME", home)  # the engine sets it
        return Program(
            finder,
            environment=environment,
            environment_complete=(self.service.variables_complete or self.documented) and not wild,
            spoken_of=None if wild else self.view.spoken_of,
            cwd=self.cwd,
            home=home,
            read=self._read,
            exists=self.view.exists,
            names=self.view.listing,
            by_hand=self._by_hand,
            python=python,
            budget=self.view.budget,
            dump=lambda path: self.view.look(path).dump,
        )

    def _module(self, path: str) -> ModuleFacts | None:
        """A file of the image, or of a project that was installed from it and is there no more."""
        found = self.view.module(path)
        if found is None:
            found = packagedata.facts_at_installation(self.service, self.view, path)
            if found is not None:
                # What is read beside it lies in site-packages now.
                self.view.may_prepare((posixpath.dirname(path),), "its project was installed")
        return found

    def _by_hand(self, path: str) -> bool:
        seen = self.view.look(path)
        return seen.answer != "yes" and bool(self.view.by_hand(path, examples=False))

    def _read(self, path: str) -> str | None:
        text = self.view.text(path)
        return text.text if text is not None else None

    def _run_file(
        self,
        path: str,
        at: Location,
        *,
        server: str,
        attribute: str | None = None,
        argv: tuple[str, ...] = (),
    ) -> None:
        if not isinstance(self.cwd, str):
            self.open_links.append((Stage.STARTS, f"{path}: {self.cwd.reason}"))
            self.complete = False
            return
        absolute = posixpath.normpath(posixpath.join(self.cwd, path))
        seen = self.view.look(absolute)
        # A path that starts from the working directory is the project's, wherever that is.
        foreign = path.startswith(("/usr/", "/opt/", "/root/"))
        foreign = foreign and not path.startswith(f"{self.cwd.rstrip('/')}/")
        if seen.answer == "no" and not foreign:
            self.faults.append(
                StartFault(
                    kind="script",
                    message=(
                        f"`{path}` is not in the image (working directory {self.cwd}): "
                        f"`python: can't open file '{absolute}'`"
                        if server == "python"
                        else f"`{path}` is not in the image (working directory {self.cwd})"
                    ),
                    at=at,
                    related=((self.service.cwd_at, "the working directory is set here"),)
                    if self.service.cwd_at
                    else (),
                    evidence=(("path", absolute),),
                )
            )
            return
        if seen.answer == "yes" and seen.kind == "directory" and server == "python":
            # ``python directory`` runs its ``__main__.py``, with the directory on sys.path.
            self._run_file(posixpath.join(path, "__main__.py"), at, server=server, argv=argv)
            return
        if seen.repo is None or seen.kind != "file":
            self.open_links.append((Stage.STARTS, f"{path}: {seen.reason or 'not followed'}"))
            self.complete = False
            return
        directory = posixpath.dirname(absolute)
        stem = posixpath.basename(absolute).removesuffix(".py")
        if server in _BY_PACKAGE:
            directory, stem = self._packaged(directory, stem)
        roots = (directory, *self._extra_roots())
        program = self._program(roots)
        if server == "python" or attribute is None:
            trace = program.run(stem, as_main=server in ("python", "streamlit"), argv=argv)
        else:
            trace = program.run(stem, attribute=attribute)
        self._took(trace, stem, attribute, at, server, roots)

    def _run_inline(self, code: str, at: Location) -> bool:
        """``python -c "import uvicorn; uvicorn.run(…)"``: followed where it starts a server."""
        from auditor.parsers.python.module import Places, parse_text
        from auditor.parsers.python.program import Module

        if not isinstance(self.cwd, str):
            return False
        # Its lines keep their place in the file that holds the command.
        text = "\n" * (at.line - 1) + code
        facts = parse_text(at.path, text, Places(at.path, text))
        if facts.tree is None or facts.problems:
            return False
        roots = (self.cwd, *self._extra_roots())
        own = Unknown("an inline program has no file")
        module = Module(name="__main__", file=own, facts=facts, is_package=False)
        trace = self._program(roots).run_file(module)
        if not trace.servers or trace.truncated:
            return False
        # The file that holds the command is no module.
        own_modules = tuple(item for item in trace.modules if item[1] != at.path)
        trace = replace(trace, path="", modules=own_modules)
        self._took(trace, "__main__", None, at, "python", roots)
        return True

    def _packaged(self, directory: str, module: str) -> tuple[str, str]:
        """Where a file's outermost package lies, and the name of the module from there."""
        while (
            directory != "/"
            and self.view.look(posixpath.join(directory, "__init__.py")).answer == "yes"
        ):
            directory, name = posixpath.split(directory)
            module = name if module == "__init__" else f"{name}.{module}"
        return directory, module

    def _run_module(
        self,
        module: str,
        attribute: str | None,
        at: Location,
        roots: tuple[str, ...],
        *,
        server: str,
        factory: bool = False,
        as_main: bool = False,
        argv: tuple[str, ...] = (),
    ) -> None:
        if not isinstance(self.cwd, str):
            self.open_links.append((Stage.STARTS, f"{module}: {self.cwd.reason}"))
            self.complete = False
            return
        program = self._program(roots)
        package, dot, last = module.rpartition(".")
        # `celery -A package.module.app`: the last part may be an attribute.
        loose = server.startswith("celery") and bool(dot) and attribute is None
        if loose and not program.finder.find(module) and program.finder.find(package):
            module, attribute = package, last
        trace = program.run(
            module, as_main=as_main, attribute=attribute, factory=factory, argv=argv
        )
        if not trace.found:
            self._module_missing(module, at, roots, server)
            return
        found = program.finder.find(module) if as_main else None
        if (
            found is not None
            and found.is_package
            and program.finder.find(f"{module}.__main__") is None
        ):
            self.faults.append(
                StartFault(
                    kind="module",
                    message=(
                        f"`python -m {module}` runs `{module}/__main__.py`, which is not there: "
                        f"`No module named {module}.__main__; '{module}' is a package and cannot be "
                        "directly executed`"
                    ),
                    at=at,
                    evidence=(("module", f"{module}.__main__"),),
                )
            )
            return
        if (
            server == "uvicorn"
            and attribute in trace.factories
            and not factory
            and trace.app(attribute) is None
        ):
            # uvicorn tries a function without arguments as a factory, and says so.
            trace = self._program(roots).run(module, attribute=attribute, factory=True)
        self._took(trace, module, attribute, at, server, roots)
        if attribute and not as_main:
            self._attribute(trace, module, attribute, at, server)
        if server == "celery":
            self._tasks(trace, program, roots)
            if attribute is None and not as_main:
                self._no_celery(trace, program, module, at)

    def _no_celery(self, trace: Trace, program: Program, module: str, at: Location) -> None:
        """``celery -A package``: an empty package without a module ``celery``."""
        facts = self.view.facts_of_repo(trace.path) if trace.path else None
        if facts is None or facts.tree is None or not trace.path.endswith("/__init__.py"):
            return
        empty = all(
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            for node in facts.tree.body
        )
        if not empty or program.finder.find(f"{module}.celery"):
            return
        self.faults.append(
            StartFault(
                kind="attribute",
                message=(
                    f"celery looks for an application in `{module}` and `{module}.celery`: the package is "
                    "empty, and there is no such module: `Unable to load celery application`"
                ),
                at=at,
                related=((Location(trace.path), "the package"),),
            )
        )

    def _tasks(self, trace: Trace, program: Program, roots: tuple[str, ...]) -> None:
        """Modules of tasks that the worker imports when it starts."""
        facts = self.view.facts_of_repo(trace.path) if trace.path else None
        if facts is None or facts.tree is None:
            return
        for named in tasks.imported(trace.path, facts.tree):
            wanted = named.module
            if named.loose:
                # A package without such a module is passed over, but there must be a package.
                parent = wanted.rpartition(".")[0]
                if program.finder.find(wanted) or (parent and program.finder.find(parent)):
                    continue
            elif program.finder.find(wanted):
                continue
            self._module_missing(wanted, named.at, roots, "celery")

    def _module_missing(
        self, module: str, at: Location, roots: tuple[str, ...], server: str
    ) -> None:
        relative = module.replace(".", "/")
        unknown = []
        for root in roots:
            for candidate in (f"{relative}.py", f"{relative}/__init__.py", relative):
                seen = self.view.look(posixpath.join(root, candidate))
                if seen.answer == "unknown":
                    unknown.append(seen.reason)
                elif seen.answer == "yes" and seen.repo is None:
                    unknown.append(f"{candidate} is not a file of the repository")
        top = module.partition(".")[0]
        environment = self.service.environment
        if environment is not None and environment.installed is not None:
            provision = environment.installed.provides(module)
            # That a distribution nobody knows brings a module of just this name is far-fetched.
            possible = provision.answer == "possibly-no" and bool(provision.candidates)
            if possible or provision.answer in ("yes", "unknown"):
                self.complete = False
                self.open_links.append((Stage.STARTS, f"{module} belongs to an installed package"))
                return
        if unknown:
            self.complete = False
            self.open_links.append((Stage.STARTS, f"module {module}: {unknown[0]}"))
            return
        near = self._near(top, roots)
        message = f"module `{module}` is not in the image"
        if server in ("uvicorn", "gunicorn", "hypercorn", "celery", "dramatiq", "arq"):
            text = {
                "uvicorn": f'Error loading ASGI app. Could not import module "{module}".',
            }.get(
                server,
                f"ModuleNotFoundError: No module named '{self._first_missing(module, roots)}'",
            )
            message += f": `{text}`"
        if near:
            message += f" (there is {near})"
        where = self.service.cwd_at
        self.faults.append(
            StartFault(
                kind="module",
                message=message,
                at=at,
                related=((where, "modules are looked for in this directory"),) if where else (),
                evidence=(("module", module), ("searched", ", ".join(roots))),
            )
        )

    def _first_missing(self, module: str, roots: tuple[str, ...]) -> str:
        """The part of a dotted name that Python says it does not find."""
        parts = module.split(".")
        for count in range(1, len(parts)):
            inner = "/".join(parts[:count])
            if not any(self.view.is_dir(posixpath.join(root, inner)) for root in roots):
                return ".".join(parts[:count])
        return module

    def _near(self, top: str, roots: tuple[str, ...]) -> str:
        names = [
            f"{posixpath.join(root, name)}.py"
            for root in roots[:1]
            for name in ("app", "main", "server", "api", "wsgi", "asgi", "serve", "predict")
            if name != top and self.view.repo_file(posixpath.join(root, f"{name}.py"))
        ]
        return ", ".join(names[:2])

    def _attribute(
        self, trace: Trace, module: str, attribute: str, at: Location, server: str
    ) -> None:
        name = attribute.partition("(")[0].partition(".")[0]
        if name in trace.attributes or name in trace.factories or trace.truncated:
            return
        facts = self.view.facts_of_repo(trace.path) if trace.path else None
        guarded = endings.bound_as_main_only(facts, name) if facts is not None else None
        if guarded is not None:
            self.faults.append(
                StartFault(
                    kind="attribute",
                    message=(
                        f"`{trace.path}` binds `{attribute}` only when it is run as a script, below "
                        f"`if __name__ == ...`: {server} imports it, and finds no `{attribute}`"
                    ),
                    at=at,
                    related=((guarded, "not run when it is imported"),),
                )
            )
            return
        if facts is not None and name in facts.names:
            self._stopped(facts, module, attribute, at)
            return
        star = any("*" in item.fact.names for item in trace.imports)
        if star or trace.problems:
            self.open_links.append((Stage.STARTS, f"{module}:{attribute} is bound by a * import"))
            return
        apps = sorted({n.partition(":")[2] for app in trace.apps for n in app.names})
        hint = f" (the application there is `{apps[0]}`)" if apps else ""
        where = trace.path or module
        self.faults.append(
            StartFault(
                kind="attribute",
                message=(
                    f"`{where}` has no `{attribute}`{hint}: "
                    f'`Error loading ASGI app. Attribute "{attribute}" not found in module "{module}".`'
                    if server == "uvicorn"
                    else f"`{where}` has no `{attribute}`{hint}: {server} fails to load it"
                ),
                at=at,
                related=((Location(trace.path), "this module is loaded"),) if trace.path else (),
            )
        )

    def _stopped(self, facts: ModuleFacts, module: str, attribute: str, at: Location) -> None:
        """The module binds the name behind the place where it ends."""
        stop = endings.raised(facts)
        # Whoever starts a plain image gives it variables.
        if (
            stop is None
            or self.service.origin == "dockerfile"
            or not self.service.variables_complete
        ):
            self.open_links.append((Stage.STARTS, f"{module} was not followed to {attribute}"))
            return
        where, text = stop
        self.faults.append(
            StartFault(
                kind="attribute",
                message=(
                    f"`{facts.path}` stops while it is imported (`{text}`), before it binds "
                    f"`{attribute}`"
                ),
                at=at,
                related=((where, "raised here"),),
            )
        )

    def _took(
        self,
        trace: Trace,
        module: str,
        attribute: str | None,
        at: Location,
        server: str,
        roots: tuple[str, ...],
    ) -> None:
        self.entries.append(
            Entry(
                trace=trace,
                module=module,
                attribute=attribute,
                at=at,
                server=server,
                roots=roots,
            )
        )
        for problem in trace.problems:
            if problem.fatal:
                self.open_links.append((Stage.STARTS, f"{problem.at.path}: {problem.message}"))
        if trace.truncated:
            self.open_links.append((Stage.STARTS, f"{module} is too large to be followed"))
        refused = endings.refused_arguments(trace)
        if refused and self._given_arguments():
            self.open_links.append((Stage.STARTS, "what `docker run` adds to the ENTRYPOINT"))
        else:
            self.faults += refused
        self.faults += endings.served_at_import(trace, server)
        if server == "python":
            self.faults += endings.object_with_workers(trace)
            self.faults += endings.stops(trace)
            facts = self.view.facts_of_repo(trace.path) if trace.path else None
            self.faults += endings.nothing_served(trace, facts, at)
            self.faults += endings.dies_with_main(trace, facts, at)
            told = {a.text for a in self.process.interpretation.argv}
            asked = bool(told & {"--help", "-h", "--version"})  # a tool's image
            if not refused and not asked and not self._given_arguments():
                every = (self.view.facts_of_repo(path) for _, path in trace.modules)
                sources = [found for found in every if found is not None]
                self.faults += endings.comes_to_its_end(self.service, trace, sources, at)
                self.faults += endings.loop_never_started(trace, sources, at)
            started: tuple[Phase, ...] = (Phase.IMPORT, Phase.MAIN, Phase.STARTUP)
        else:
            started = (Phase.IMPORT, Phase.STARTUP)
        for item in trace.servers:
            # Beside another server, only what listens in a thread of its own.
            if item.reach.phase in started and (server == "python" or item.tool in _BESIDE):
                self.listens.append(self._code_listen(item))

    def _given_arguments(self) -> bool:
        """An ENTRYPOINT without CMD, in an image that nothing is seen to start: run with words."""
        image = self.service.image
        return (
            self.service.origin == "dockerfile"
            and image is not None
            and image.image.entrypoint is not None
            and image.image.cmd is None
        )

    def _code_listen(self, server: Server) -> Listen:
        port: int | Unknown
        value = server.port.value
        if isinstance(value, bool):
            port = Unknown("the port is no number")
        elif isinstance(value, int):
            port = value
        elif isinstance(value, str) and value.isdigit():
            port = int(value)
        elif isinstance(value, Unknown):
            port = value
        else:
            port = Unknown("the port is computed")
        host: Value
        if isinstance(server.host.value, str):
            # An empty host means every interface to sockets.
            host = server.host.value or "0.0.0.0"
        elif isinstance(server.host.value, Unknown):
            host = server.host.value
        else:
            host = "0.0.0.0" if server.tool not in ("flask",) else "127.0.0.1"
        origin = server.port.origin or server.at
        return Listen(
            host=host,
            port=port,
            at=origin if origin.path == server.at.path else server.at,
            source="code",
            server=server.tool,
            host_at=server.host.origin or server.at,
        )
