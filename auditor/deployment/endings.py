"""Runs of Python that end before anything is served."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment.model import StartFault
from auditor.findings import Stage
from auditor.parsers.commands import ServerStart
from auditor.parsers.python.facts import Phase
from auditor.parsers.python.module import is_main_test
from auditor.source import Location, Unknown

if TYPE_CHECKING:
    from auditor.deployment.model import Service
    from auditor.parsers.commands import MainProcess, Option
    from auditor.parsers.python.facts import ModuleFacts, Trace

# Calls at module level that return; anything else may keep the process busy.
_RETURNS = frozenset(
    {
        "app", "application", "api", "server", "router", "logging", "logger", "log", "print", "os",
        "sys", "load_dotenv", "dotenv", "warnings", "random", "np", "numpy", "torch", "tf",
        "CORS", "setup_logging",
    }
)  # fmt: skip
# Frameworks whose application object serves nothing by itself.
_PASSIVE = frozenset({"flask", "fastapi", "starlette", "quart", "litestar", "aiohttp"})
_EXITS = frozenset(["sys.exit", "builtins.exit", "builtins.quit", "os._exit"])
_BUSY = frozenset({"thread", "executor", "subprocess", "queue", "watcher", "sleep"})


def refused_arguments(trace: Trace) -> list[StartFault]:
    """Argparse or click ends the program: an option it does not know or misses, or no command."""
    found = []
    for call in trace.calls:
        if not call.reach.certain or not call.reach.phase.before_serving:
            continue
        if call.name == "argparse.error" and call.mentions:
            said = f"the program refuses its command line: `error: {call.mentions[0]}`"
        elif call.name == "click.usage":
            said = (
                "the program is a group of commands and is given none: it prints its usage and ends"
            )
        else:
            continue
        found.append(StartFault(kind="arguments", message=said, at=call.at, certain=False))
    return found


def stops(trace: Trace) -> Iterator[StartFault]:
    """``sys.exit("…")`` on the way of every run: what it checks does not hold in the container."""
    for call in trace.calls:
        if call.category != "exit" or call.name not in _EXITS:
            continue
        if not call.reach.certain or call.reach.guards or not call.reach.phase.before_serving:
            continue
        status = call.arguments[0].value if call.arguments else None
        if status in (None, 0, False) or not isinstance(status, str | int):
            continue
        said = status if isinstance(status, str) else f"exit status {status}"
        yield StartFault(
            kind="arguments",
            message=f"the program ends here, whatever else it is to do: `{said[:100]}`",
            at=call.at,
            certain=False,
        )
        return


def inline(code: str, at: Location) -> Iterator[StartFault]:
    """``python -c`` with a text that only prints: nothing stays."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass):
            continue
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return
        if call.func.id not in ("print", "exit", "quit"):
            return
    yield StartFault(
        kind="no-command",
        message="the command prints something and ends: the container stops at once",
        at=at,
        certain=False,
    )


def daemons(processes: Sequence[MainProcess], configured: Sequence[Option]) -> Iterator[StartFault]:
    """``gunicorn --daemon`` as the last command: its first process ends, and with it the container."""
    staying = [p.interpretation.fact for p in processes if not p.background]
    if len(staying) != 1 or any(p.conditional for p in processes):
        return
    fact = staying[0]
    if not isinstance(fact, ServerStart) or fact.kind in ("nginx", "supervisord"):
        return
    told = next(
        (o for o in (*fact.options, *configured) if o.name in ("daemon", "daemonize") and o.value),
        None,
    )
    if told is not None and not isinstance(told.value, Unknown):
        yield StartFault(
            kind="daemon",
            message=(
                f"{fact.kind} is told to go to the background, and nothing stays in the foreground: "
                "the container stops at once"
            ),
            at=told.at,
            certain=False,
        )


def object_with_workers(trace: Trace) -> list[StartFault]:
    """``uvicorn.run(app, workers=2)``: only an import string can be loaded again."""
    found = []
    for server in trace.servers:
        if server.option("app_object") is None or not server.reach.certain:
            continue
        workers, reload = server.option("workers"), server.option("reload")
        many = workers is not None and isinstance(workers.value, int) and workers.value > 1
        if not many and not (reload is not None and reload.value is True):
            continue
        found.append(
            StartFault(
                kind="interface",
                message=(
                    "uvicorn.run is given the application itself, and several workers or reload need "
                    'its name (`"main:app"`): `You must pass the application as an import string`, '
                    "and the process ends"
                ),
                at=server.at,
                certain=False,
            )
        )
    return found


def served_at_import(trace: Trace, server: str) -> Iterator[StartFault]:
    """``app.run()`` outside ``__main__`` in a module that gunicorn imports: it never comes back."""
    if server not in ("gunicorn", "waitress", "uwsgi"):
        return
    for own in trace.servers:
        if own.tool == "flask" and own.reach.certain and own.reach.phase is Phase.IMPORT:
            yield StartFault(
                kind="interface",
                message=(
                    f"{server} imports this module, and `app.run()` starts a server of its own while it "
                    "does: no worker comes to answering"
                ),
                at=own.at,
                certain=False,
                stage=Stage.REACHABLE,
            )
            return


def nothing_served(trace: Trace, facts: ModuleFacts | None, at: Location) -> Iterator[StartFault]:
    """A script that defines an application and ends: nothing runs it."""
    if facts is None or facts.tree is None or trace.servers or trace.truncated or trace.problems:
        return
    apps = [a for a in trace.apps if a.framework in _PASSIVE and a.reach.phase is not Phase.REQUEST]
    if not apps or any(c.category in _BUSY for c in trace.calls):
        return
    if not _ends(facts.tree.body) or raised(facts) is not None:
        # What stands below a raise is not followed, and may serve.
        return
    yield StartFault(
        kind="no-command",
        message=(
            f"`{trace.path}` makes the {apps[0].framework} application and runs no server: the "
            "program ends at once, and the container with it"
        ),
        at=at,
        related=((apps[0].at, "the application is made here"),),
        certain=False,
    )


# Calls by these names may keep a process: they wait, serve or loop.
_KEEPS = re.compile(
    r"run|start|serve|loop|consum|listen|wait|join|sleep|launch|work|poll|block|forever|gather|main"
    r"|input|watch|schedul|daemon|spawn|fork|exec|system|call|subscribe|recv|accept|get_message|Popen"
    r"|stream|queue|bot|app\b|cli\b|fire|shell|dispatch|execute|handle|monitor|session",
    re.IGNORECASE,
)
_BOUNDED = frozenset(
    {"range", "enumerate", "zip", "sorted", "reversed", "list", "items", "values", "keys", "split",
     "splitlines", "glob", "listdir", "iterdir", "itertuples", "iterrows"}
)  # fmt: skip


def comes_to_its_end(
    service: Service, trace: Trace, sources: Iterable[ModuleFacts], at: Location
) -> Iterator[StartFault]:
    """A program of a service that is to be reached, and that only computes something.

    ``sources``: every file of the project that it runs.
    """
    image = service.image
    exposed = image.image.exposed if image is not None and service.origin == "dockerfile" else ()
    reached = bool(service.published or service.health or exposed)
    if not reached or trace.servers or trace.apps or trace.truncated or trace.problems:
        return
    if any(call.category in _BUSY for call in trace.calls) or trace.unsure:
        return
    files = list(sources)
    if not files or not all(f.tree is not None and _only_computes(f.tree) for f in files):
        return
    yield StartFault(
        kind="no-command",
        message=(
            f"`{trace.path}` comes to its end: nothing that it runs serves or waits, and the container "
            "ends with it"
        ),
        at=at,
        certain=False,
    )


_WAITS = re.compile(
    r"join|sleep|wait|forever|input|pause|loop|run|serve|poll|gather", re.IGNORECASE
)


def dies_with_main(trace: Trace, facts: ModuleFacts | None, at: Location) -> Iterator[StartFault]:
    """Servers in daemon threads alone, and a main thread that comes to its end."""
    if facts is None or facts.tree is None or not trace.servers or trace.truncated:
        return
    if any("daemon" not in server.reach.guards for server in trace.servers):
        return
    for node in ast.walk(facts.tree):
        if isinstance(node, ast.While | ast.Await):
            return
        if isinstance(node, ast.Call):
            name = node.func
            last = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "run")
            if _WAITS.search(last):
                return
    yield StartFault(
        kind="no-command",
        message=(
            f"`{trace.path}` serves in a daemon thread only, and its main thread comes to its end: the "
            "program ends, and the container with it"
        ),
        at=at,
        related=((trace.servers[0].at, "served here"),),
        certain=False,
    )


def loop_never_started(
    trace: Trace, sources: Iterable[ModuleFacts], at: Location
) -> Iterator[StartFault]:
    """Tornado's ``app.listen()`` returns at once: without a loop the program comes to its end.

    ``sources``: every file of the project that it runs.
    """
    if not trace.servers or any(s.tool != "tornado" for s in trace.servers) or trace.truncated:
        return
    files = list(sources)
    if not files or any(f.tree is None or _may_stay(f.tree) for f in files) or trace.unsure:
        return
    yield StartFault(
        kind="no-command",
        message=(
            "tornado's `listen` only opens the port, and nothing starts the loop (`IOLoop.current()"
            ".start()`): the program ends at once, and the container with it"
        ),
        at=trace.servers[0].at,
        related=((at, "started here"),),
        certain=False,
    )


def _may_stay(tree: ast.Module) -> bool:
    """A loop, an ``await`` or a call that may keep the main thread."""
    for node in ast.walk(tree):
        if isinstance(node, ast.While | ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        if isinstance(node, ast.Call):
            called = node.func
            name = (
                called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "run")
            )
            if name == "start" or _WAITS.search(name):
                return True
    return False


def _only_computes(tree: ast.Module) -> bool:
    """No loop without an end, and no call that may wait for something."""
    own = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.While | ast.AsyncFor | ast.AsyncWith | ast.Await | ast.Raise):
            return False
        if isinstance(node, ast.For) and not _bounded(node.iter):
            return False
        if not isinstance(node, ast.Call):
            continue
        name = node.func
        if isinstance(name, ast.Name) and name.id in own:
            continue  # what it does is judged as well
        last = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "run")
        if _KEEPS.search(last):
            return False
    return True


def _bounded(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        name = node.func
        last = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")
        return last in _BOUNDED
    if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict | ast.Constant | ast.Subscript):
        return True
    return isinstance(node, ast.Name | ast.Attribute) and not re.search(
        r"consum|stream|queue|sub|client|socket|messages|events|reader|watch",
        node.id if isinstance(node, ast.Name) else node.attr,
    )


def bound_as_main_only(facts: ModuleFacts, name: str) -> Location | None:
    """Where a module tests for ``__main__``, if it binds the name below that test and nowhere else."""
    body = facts.tree.body if facts.tree is not None else []
    tests = [node for node in body if isinstance(node, ast.If) and is_main_test(node.test)]
    if len(tests) != 1 or not any(_binds(node, name) for node in tests[0].body):
        return None
    rest = [*(node for node in body if node is not tests[0]), *tests[0].orelse]
    if any(_binds(node, name) for node in rest):
        return None
    return Location(path=facts.path, line=tests[0].lineno)


def _binds(statement: ast.stmt, name: str) -> bool:
    """Any binding of the name, or one that may hide it (``import *``, ``globals()``)."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and node.id == name:
            return True
        if isinstance(node, ast.Name) and node.id in ("globals", "exec", "setattr", "__getattr__"):
            return True
        if isinstance(node, ast.alias):
            bound = (node.asname or node.name).partition(".")[0]
            if bound in (name, "*"):
                return True
        if getattr(node, "name", "") in (name, "__getattr__"):
            return True  # a function, a class, or what a handler of errors binds
    return False


def raised(facts: ModuleFacts) -> tuple[Location, str] | None:
    """The first place where the module itself may raise, at its top or in an ``if`` there."""
    pending = list(facts.tree.body) if facts.tree is not None else []
    found = [node for node in pending if isinstance(node, ast.Raise)]
    for node in pending:
        if isinstance(node, ast.If):
            found += [inner for inner in [*node.body, *node.orelse] if isinstance(inner, ast.Raise)]
    if not found:
        return None
    first = min(found, key=lambda node: node.lineno)
    text = ast.unparse(first.exc) if first.exc is not None else "again"
    return Location(path=facts.path, line=first.lineno), text[:120]


def _opens(item: ast.withitem) -> bool:
    """``open(…)``, which only closes a file in the end."""
    made = item.context_expr
    return isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id == "open"


def _ends(body: list[ast.stmt]) -> bool:
    """Whether module-level statements surely come to an end."""
    for statement in body:
        if isinstance(statement, ast.With) and all(map(_opens, statement.items)):
            if not _ends(statement.body):
                return False
            continue
        if isinstance(statement, ast.While | ast.For | ast.With | ast.AsyncFor | ast.AsyncWith):
            return False
        if isinstance(statement, ast.If):
            inner = [*statement.body, *statement.orelse]
            if not is_main_test(statement.test) and not _ends(inner):
                return False
            if is_main_test(statement.test) and not _ends(inner):
                return False
        elif isinstance(statement, ast.Try):
            if not _ends([*statement.body, *statement.finalbody]):
                return False
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            root: ast.expr = statement.value.func
            while isinstance(root, ast.Attribute):
                root = root.value
            if not isinstance(root, ast.Name) or root.id not in _RETURNS:
                return False
    return True
