"""What happens when a module is imported, run or served: several files linked together."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Protocol

from auditor.parsers.python.facts import Dump, ModuleFacts, Trace
from auditor.source import Unknown
from auditor.values import value


@value
class Module:
    """A module as the interpreter would find it. ``file`` is ``__file__`` in the image (absolute
    POSIX); ``facts`` is None for a package directory without ``__init__``.
    """

    name: str
    file: str | Unknown
    facts: ModuleFacts | None
    is_package: bool = False


class Finder(Protocol):
    """Finds project modules by absolute dotted name; None for what is not the project's."""

    def find(self, name: str) -> Module | None: ...


class ImageFinder:
    """Finds modules in the files of an image through ``sys.path`` roots.

    ``facts_of`` maps an absolute path in the image to the parsed file that COPY left there (None
    when there is no such file or it is not Python); ``roots`` are the ``sys.path`` directories
    under the image's file system, in order (script directory or cwd first, then PYTHONPATH).
    ``is_dir`` says whether a directory exists there (for packages without ``__init__``), ``unsure``
    why a path may exist or not (empty: it is known).
    """

    def __init__(
        self,
        *,
        roots: tuple[str, ...],
        facts_of: Callable[[str], ModuleFacts | None],
        is_dir: Callable[[str], bool] = lambda path: False,
        unsure: Callable[[str], str] = lambda path: "",
    ) -> None:
        self.roots = roots
        self._facts_of = facts_of
        self._is_dir = is_dir
        self._unsure = unsure

    def find(self, name: str) -> Module | None:
        """The module that ``import name`` would load, searched root by root as Python does."""
        parts = name.split(".")
        # importlib, which servers and `python -m` use, takes any file name: `model-service:app`.
        if any(not part or "/" in part for part in parts):
            return None
        inside = "/".join(parts)
        namespace = False
        for root in self.roots:
            base = posixpath.join(root, inside)
            for file in (f"{base}/__init__.py", f"{base}.py"):
                facts = self._facts_of(file)
                if facts is None:
                    continue
                if self._hidden(root, parts):
                    return None
                return Module(
                    name=name, file=file, facts=facts, is_package=file.endswith("/__init__.py")
                )
            namespace |= self._is_dir(base)
        if namespace:
            reason = Unknown("a package without __init__ has no file")
            return Module(name=name, file=reason, facts=None, is_package=True)
        return None

    def _hidden(self, root: str, parts: list[str]) -> bool:
        """Whether a module stands in the way: `a/b.py` beside a directory `a/b` without `__init__`."""
        for count in range(1, len(parts)):
            base = posixpath.join(root, *parts[:count])
            if self._facts_of(f"{base}/__init__.py") is None and self._facts_of(f"{base}.py"):
                return True
        return False

    def with_root(self, root: str, *, first: bool = False) -> ImageFinder:
        """The same finder after ``sys.path`` was extended."""
        if root in self.roots:
            return self
        roots = (root, *self.roots) if first else (*self.roots, root)
        return ImageFinder(
            roots=roots, facts_of=self._facts_of, is_dir=self._is_dir, unsure=self._unsure
        )

    def may_hold(self, name: str) -> str:
        """Why the roots may have a module that ``find`` did not find; empty where none can."""
        top = name.partition(".")[0]
        paths = [posixpath.join(r, f"{top}{end}") for r in self.roots for end in ("", ".py")]
        return next((why for path in paths for why in [self._unsure(path)] if why), "")


class Budget:
    """Statements that may still be followed, by all runs that share it."""

    def __init__(self, statements: int = 60_000) -> None:
        self.statements = statements


class Program:
    """Follows code from an entry module.

    ``environment`` maps variable names to their values at run time (Unknown: set, value not
    known). With ``environment_complete`` a name that is absent is unset; otherwise undecided.
    ``spoken_of`` are names that something outside the code mentions; with it, any other name
    that is absent is unset as well. ``cwd`` is the working directory in the image. ``read`` gives
    the text of a small file of the image by absolute path (configuration, ``.env``), None when it
    is not there; ``exists`` says whether a path exists in the image (None: not known); ``names`` what
    a directory holds (None: not all of it is known); ``by_hand``
    whether a path that is not there is made by hand on the machines that build the image; ``dump``
    what the build pickled into a file.
    """

    def __init__(
        self,
        finder: Finder,
        *,
        environment: Mapping[str, str | Unknown] | None = None,
        environment_complete: bool = True,
        spoken_of: frozenset[str] | None = None,
        cwd: str | Unknown = "/",
        home: str | Unknown = "/root",
        read: Callable[[str], str | None] = lambda path: None,
        exists: Callable[[str], bool | None] = lambda path: None,
        names: Callable[[str], tuple[str, ...] | None] = lambda path: None,
        by_hand: Callable[[str], bool] = lambda path: False,
        python: tuple[int, int] | None = None,
        budget: Budget | None = None,
        dump: Callable[[str], Dump | None] = lambda path: None,
    ) -> None:
        self.dump = dump
        self.budget = budget or Budget()
        self.finder = finder
        self.environment = dict(environment or {})
        self.environment_complete = environment_complete
        self.spoken_of = spoken_of
        self.cwd = cwd
        self.home = home
        self.read = read
        self.exists = exists
        self.names = names
        self.by_hand = by_hand
        self.python = python

    def unset(self, name: str) -> bool:
        """Whether a variable that is not in the environment is surely not set."""
        if self.environment_complete:
            return True
        return self.spoken_of is not None and name not in self.spoken_of

    def run(
        self,
        module: str,
        *,
        as_main: bool = False,
        argv: tuple[str, ...] = (),
        attribute: str | None = None,
        factory: bool = False,
        serve: bool = True,
    ) -> Trace:
        """Import ``module`` (or run it as ``__main__``) and follow what that leads to.

        ``as_main``: ``python file.py`` or ``python -m module``. ``attribute`` is the application
        object or factory that a server is told to serve (``main:app``); ``factory`` says that it
        is called. ``serve``: start-up hooks and route handlers are followed too. Never raises.
        """
        found = self.finder.find(module)
        if as_main and found is not None and found.is_package:
            # ``python -m package`` imports the package, then runs its ``__main__``.
            inner = self.finder.find(f"{module}.__main__")
            if inner is not None:
                found, module = inner, f"{module}.__main__"
        if found is None:
            return Trace(entry=module, found=False)
        return self._follow(found, module, as_main, argv, attribute, factory, serve)

    def run_file(self, module: Module, *, argv: tuple[str, ...] = ()) -> Trace:
        """Run one file as a script (``python path/to/file.py``)."""
        return self._follow(module, module.name, True, argv, None, False, True)

    def _follow(
        self,
        module: Module,
        name: str,
        as_main: bool,
        argv: tuple[str, ...],
        attribute: str | None,
        factory: bool,
        serve: bool,
    ) -> Trace:
        from auditor.parsers.python.interpreter import Interpreter

        finder = self.finder
        run = Interpreter(self)
        run.argv = argv
        run.own_command = as_main and all(word and "$" not in word for word in argv)
        run.entry = name
        try:
            run.start(module, name, as_main=as_main, attribute=attribute, factory=factory)
            if serve:
                run.serve()
            return run.trace(module, name)
        finally:
            self.finder = finder


def standalone(facts: ModuleFacts, *, file: str | Unknown | None = None) -> Trace:
    """Everything one file does, each function taken as a root, with nothing else known.

    For files that no entry leads to; facts inside functions have phase UNREACHED.
    """
    from auditor.parsers.python.interpreter import Interpreter

    name = posixpath.basename(facts.path).partition(".")[0] or "module"
    place = Unknown("where the file lies in an image is not known") if file is None else file
    module = Module(name=name, file=place, facts=facts)
    cwd = Unknown("the working directory is not known")
    run = Interpreter(Program(_Nowhere(), cwd=cwd, home=cwd, environment_complete=False))
    run.entry = name
    run.start(module, name, as_main=True)
    run.serve()
    run.every_function()
    return run.trace(module, name)


class _Nowhere:
    """Finds nothing: every import is external."""

    def find(self, name: str) -> Module | None:
        return None
