"""Files that the project's own Python makes while the image is built, or before the server starts."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from auditor.parsers.commands import PythonRun
from auditor.parsers.python.facts import Phase
from auditor.parsers.python.program import ImageFinder, Program
from auditor.source import Location, Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.view import View
    from auditor.parsers.python.facts import Dump, Trace

Env = Mapping[str, str | Unknown | None]
Answer = Literal["yes", "no", "unknown"]


@value
class Made:
    """What one run of a script writes. ``followed`` is False when it could not be followed."""

    at: Location
    paths: frozenset[str] = frozenset()
    followed: bool = False
    # Files that it certainly reads, and where it does.
    reads: tuple[tuple[str, Location], ...] = ()
    # Modules from outside the project that it certainly imports.
    imports: tuple[tuple[str, Location], ...] = ()
    # What it certainly pickles, one for each path.
    dumps: tuple[Dump, ...] = ()

    def dump(self, path: str) -> Dump | None:
        """What the run pickled into this file; None where that is not certain."""
        return next((dump for dump in self.dumps if dump.path.resolved == path), None)

    def answer(self, path: str) -> Answer:
        """Whether the run made this path; *no* where it makes a file of that name elsewhere."""
        if any(path == made or made.startswith(f"{path}/") for made in self.paths):
            return "yes"
        name = posixpath.basename(path)
        if self.followed and any(posixpath.basename(made) == name for made in self.paths):
            return "no"
        return "unknown"


def run(fact: PythonRun, view: View, env: Env, cwd: object) -> Made:
    """Follow a script that a command line runs, for what it writes."""
    nothing = Made(at=fact.at)
    if not isinstance(cwd, str):
        return nothing
    trace: Trace | None = None
    argv = tuple(a.text for a in fact.args)
    if fact.script is not None and isinstance(fact.script.value, str):
        path = posixpath.normpath(posixpath.join(cwd, fact.script.value))
        if view.repo_file(path) is None or not path.endswith(".py"):
            return nothing
        stem = posixpath.basename(path).removesuffix(".py")
        program = _program((posixpath.dirname(path),), view, env, cwd)
        trace = program.run(stem, as_main=True, argv=argv)
    elif fact.module is not None and isinstance(fact.module.value, str):
        program = _program((cwd,), view, env, cwd)
        trace = program.run(fact.module.value, as_main=True, argv=argv)
    elif fact.code is not None and isinstance(fact.code.value, str):
        return _inline(fact.code.value, _program((cwd,), view, env, cwd), fact.at)
    if trace is None or not trace.found:
        return nothing
    paths, vague = _written(trace)
    reads = tuple(
        (access.path.resolved, access.at)
        for access in trace.files
        if access.mode == "read"
        and access.reach.certain
        and access.reach.phase in (Phase.IMPORT, Phase.MAIN)
        and not access.missing_ok
        and isinstance(access.path.resolved, str)
    )
    imports = tuple(
        (item.module, item.fact.at)
        for item in trace.imports
        if item.found == "external"
        and item.reach.certain
        and item.reach.phase in (Phase.IMPORT, Phase.MAIN)
        and not (item.reach.guards or item.fact.guards or item.fact.level)
    )
    return Made(
        at=fact.at,
        paths=paths,
        followed=not vague and not trace.truncated and not trace.problems,
        reads=reads,
        imports=imports,
        dumps=certain_dumps(trace),
    )


def _inline(code: str, program: Program, at: Location) -> Made:
    """``python -c "import train; train.main()"``: what it writes, where that is something."""
    from auditor.parsers.python.module import Places, parse_text
    from auditor.parsers.python.program import Module

    text = "\n" * (at.line - 1) + code
    facts = parse_text(at.path, text, Places(at.path, text))
    if facts.tree is None or facts.problems:
        return Made(at=at)
    own = Unknown("an inline program has no file")
    trace = program.run_file(Module(name="__main__", file=own, facts=facts))
    written, vague = _written(trace)
    whole = bool(written) and not vague and not trace.truncated and not trace.problems
    return Made(at=at, paths=written, followed=whole, dumps=certain_dumps(trace))


def _written(trace: Trace) -> tuple[frozenset[str], bool]:
    """The paths that a run writes, and whether it writes others that are not known."""
    paths = [a.path.resolved for a in trace.files if a.mode in ("write", "append", "create")]
    known = frozenset(path for path in paths if isinstance(path, str))
    return known, any(isinstance(path, Unknown) for path in paths)


def certain_dumps(trace: Trace) -> tuple[Dump, ...]:
    """The pickles of a run whose files nothing else in it may write."""
    writes = [access.path.resolved for access in trace.files if access.mode in ("write", "append")]
    if trace.truncated:
        return ()
    return tuple(
        dump
        for dump in trace.dumps
        if dump.reach.certain
        and dump.reach.phase in (Phase.IMPORT, Phase.MAIN)
        and isinstance(dump.path.resolved, str)
        and sum(dump.path.resolved == other.path.resolved for other in trace.dumps) == 1
        and not any(isinstance(path, Unknown) for path in writes)
    )


def _program(roots: tuple[str, ...], view: View, env: Env, cwd: str) -> Program:
    extra = env.get("PYTHONPATH")
    if isinstance(extra, str):
        roots += tuple(posixpath.normpath(posixpath.join(cwd, p)) for p in extra.split(":") if p)

    def read(path: str) -> str | None:
        text = view.text(path)
        return text.text if text is not None else None

    return Program(
        ImageFinder(roots=roots, facts_of=view.module, is_dir=view.is_dir),
        environment={k: v for k, v in env.items() if v is not None and k != "*"},
        cwd=cwd,
        read=read,
        exists=view.exists,
        budget=view.budget,
    )
