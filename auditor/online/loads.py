"""What Python code asks of the system by name: libraries it loads, programs it starts.

Read from the source of a wheel's modules, which is parsed and never run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from auditor import lazy_re as re
from auditor.online.texts import LARGEST_MODULE, Code, Module, parse
from auditor.values import value

_LOADERS = frozenset(
    {"find_library", "CDLL", "PyDLL", "LoadLibrary", "load_library", "dlopen", "findLibrary"}
)
# Calls whose first argument is a command, by their last name, with the modules that have them.
_STARTERS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"),
        frozenset({"subprocess", "sp"}),
    ),
    **dict.fromkeys(("system", "popen"), frozenset({"os"})),
    **dict.fromkeys(("spawn", "spawnu"), frozenset({"pexpect"})),
    **dict.fromkeys(
        ("Popen", "which", "find_executable", "create_subprocess_exec", "create_subprocess_shell"),
        frozenset(),
    ),
}
_SONAME = re.compile(r"^(?:lib)?([A-Za-z][\w+.-]*?)(?:\.so((?:\.\d+)*))?$")
_PROGRAM = re.compile(r"^(?:/usr)?(?:/local)?(?:/s?bin/)?([A-Za-z][\w+.-]*)(?:\s|$)")
# Part of the C library, or of every interpreter.
_EVERYWHERE = frozenset(
    {"c", "m", "dl", "rt", "util", "pthread", "resolv", "crypt", "nsl", "gcc_s", "stdc++", "z", "python3",
     "ssl", "crypto", "msvcrt", "kernel32", "user32"}
)  # fmt: skip
_FOREIGN = (".dll", ".dylib", ".exe", ".pyd", ".bat", ".cmd", ".py")


@value
class Asked:
    """``libmagic.so.1``, or ``magic`` without a version; and the names of programs.

    ``early``: the libraries that importing the module loads, and cannot do without. ``demanded``:
    the programs without which importing it, making an object of a class of it, or its own look
    for them, raises.
    """

    libraries: frozenset[str] = frozenset()
    early: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    demanded: frozenset[str] = frozenset()
    # A library is looked for by a name that is not written in the module.
    blind: bool = False


def asked(source: str, code: Code | None = None, name: str = "") -> Asked:
    """What the calls of a module name. ``code``: all modules of its distribution, where it is
    ``name``; commands are followed through them.
    """
    # "run = subprocess.Popen" starts programs under another name.
    words = (*(f"{word}(" for word in (*_LOADERS, *_STARTERS)), "Popen", _SEARCHED)
    if len(source) > LARGEST_MODULE or not any(word in source for word in words):
        return Asked()
    module = code.module(name) if code is not None else None
    if module is None:
        tree = parse(source)
        if tree is None:
            return Asked()
        module = Module(tree)
    at_import = {id(node) for node in _on_import(module.tree.body)}
    libraries: set[str] = set()
    early: set[str] = set()
    programs: set[str] = set()
    demanded: set[str] = set()
    needed = {id(node) for node in _looks(module.tree)}
    blind = False
    for call in ast.walk(module.tree):
        if not isinstance(call, ast.Call):
            continue
        name = _called(call.func)[1]
        if name.lstrip("_") in _LOADERS:
            for argument in call.args:
                texts = [*module.texts(argument)]
                blind |= name == "find_library" and not texts
                found = set(_libraries(iter(texts)))
                libraries |= found
                early |= found if id(call) in at_import else set()
        elif _starts(call.func, module):
            given = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "args")]
            for argument in given:
                started = {*_programs(module.texts(argument, program=True))}
                programs |= started
                demanded |= started if id(call) in needed else set()
    for searched, demands in _searched(module):
        programs |= searched
        demanded |= searched if demands else set()
    return Asked(
        libraries=frozenset(libraries),
        early=frozenset(early),
        programs=frozenset(programs),
        demanded=frozenset(demanded),
        blind=blind,
    )


# Where a shell looks for programs; and what else is looked for there.
_SEARCHED = "PATH"


def _searched(module: Module) -> Iterator[tuple[frozenset[str], bool]]:
    """Programs that a function looks for in the directories of ``PATH`` itself, by names that it
    goes through, and whether it raises.
    """
    for function in ast.walk(module.tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        nodes = [*ast.walk(function)]
        if any(_reads_path(node) for node in nodes):
            loops = [node for node in nodes if isinstance(node, ast.For)]
            lists = [x.iter for x in loops if isinstance(x.iter, ast.Tuple | ast.List)]
            found = frozenset(p for one in lists for p in _programs(module.texts(one)))
            yield found, any(isinstance(node, ast.Raise) for node in nodes)


def _reads_path(node: ast.AST) -> bool:
    """``os.environ["PATH"]``, ``os.environ.get("PATH")``, ``os.getenv("PATH")``."""
    if isinstance(node, ast.Subscript):
        named, given = _called(node.value)[1], [node.slice]
    elif isinstance(node, ast.Call):
        owner, name = _called(node.func)
        inner = node.func.value if isinstance(node.func, ast.Attribute) else None
        of_environ = name == "get" and inner is not None and _called(inner)[1] == "environ"
        named = "environ" if of_environ or owner == "environ" or name == "getenv" else name
        given = node.args[:1]
    else:
        return False
    texts = [one.value for one in given if isinstance(one, ast.Constant)]
    return named == "environ" and texts == [_SEARCHED]


# Calls that look a program up and answer None where there is none.
_FINDERS = frozenset({"which", "find_executable"})


def _looks(tree: ast.Module) -> Iterator[ast.AST]:
    """The look-ups of programs whose failure raises, on import or while an object is made."""
    makers = (
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for inner in node.body
        if isinstance(inner, ast.FunctionDef) and inner.name in ("__init__", "__new__")
    )
    for body in (tree.body, *(maker.body for maker in makers)):
        nodes = [*_on_import(body)]
        kept = {
            name: found
            for node in nodes
            if isinstance(node, ast.Assign | ast.NamedExpr) and (found := _finders(node.value))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if (name := ast.unparse(target))
        }
        for node in nodes:
            if isinstance(node, ast.If) and _ends_without(node):
                yield from _finders(node.test)
                for name in (ast.unparse(part) for part in ast.walk(node.test) if _is_named(part)):
                    yield from kept.get(name, ())


def _finders(node: ast.expr) -> list[ast.Call]:
    calls = (part for part in ast.walk(node) if isinstance(part, ast.Call))
    return [call for call in calls if _called(call.func)[1] in _FINDERS]


def _is_named(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute)


def _ends_without(branch: ast.If) -> bool:
    """Whether one side of a branch raises."""
    return any(isinstance(side[-1], ast.Raise) for side in (branch.body, branch.orelse) if side)


def _starts(function: ast.expr, module: Module) -> bool:
    """Whether calling it starts a program: by its own name, or by one that the module gave it."""
    owner, name = _called(function)
    if name not in _STARTERS:
        return any(
            _called(given)[1] == "Popen"
            for given in module.bound.get(name, ())
            if isinstance(given, ast.Name | ast.Attribute)
        )
    owners = _STARTERS[name]
    return not owners or owner in owners or (not owner and module.imports.get(name) in owners)


def _on_import(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What runs when the module is imported and whose failure ends the import: no body of a
    function, nothing in a ``try`` whose handlers never raise.
    """
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending += node.orelse
            continue
        if isinstance(node, ast.Try) and node.handlers and not _raises(node.handlers):
            pending += [*node.orelse, *node.finalbody]
            continue
        pending += ast.iter_child_nodes(node)


@value
class Imported:
    """First names of the modules of others that importing a distribution's own imports, and its
    own that are imported then. ``surely``: those of others that no part of it is needed for.
    """

    others: frozenset[str]
    own: frozenset[str]
    surely: frozenset[str]


def imported(sources: Mapping[str, Callable[[], str]]) -> Imported:
    """What importing a distribution's modules imports.

    ``sources``: its modules by dotted name; what its tops lead to is read. A top that leads to
    none is imported by its parts.
    """
    packages = {name.rpartition(".")[0] for name in sources}
    # Parts of a namespace package have no module above them.
    tops = [name for name in sources if "." not in name] or [
        name for name in sources if name in packages and name.rpartition(".")[0] not in sources
    ]
    seen = set(tops)
    found: set[str] = set()

    def follow(pending: list[str]) -> list[str]:
        """Read what these lead to; those that lead to none of the distribution's own."""
        alone = []
        while pending:
            module = pending.pop()
            try:
                tree = ast.parse(sources[module]())
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            before = len(seen)
            for node in _on_import(tree.body):
                for name in _named(node, module, is_package=module in packages):
                    parts = name.split(".")
                    inner = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
                    own = [i for i in inner if i in sources]
                    if not own:
                        found.add(parts[0])
                    pending += [i for i in own if i not in seen]
                    seen.update(own)
            if len(seen) == before:
                alone.append(module)
        return alone

    empty = {name for name in follow([*tops]) if name in tops}
    surely = frozenset(found)
    children = {n for n in sources if n.rpartition(".")[0] in empty and "._" not in n} - seen
    seen |= children
    follow(sorted(children))
    return Imported(others=frozenset(found), own=frozenset(seen), surely=surely)


def _named(node: ast.AST, module: str, *, is_package: bool) -> Iterator[str]:
    """The dotted names that an import statement may load."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = module.split(".")
        above = parts[: len(parts) - node.level + is_package] if node.level else []
        base = ".".join([*above, *filter(None, [node.module])])
        yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def _raises(handlers: list[ast.ExceptHandler]) -> bool:
    return any(isinstance(node, ast.Raise) for one in handlers for node in ast.walk(one))


def _libraries(texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        match = _SONAME.match(text)
        if match and not text.endswith(_FOREIGN) and match[1] not in _EVERYWHERE:
            yield f"lib{match[1]}.so{match[2] or ''}" if match[2] else match[1]


def _programs(texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        match = _PROGRAM.match(text)
        if match and not match[1].endswith(_FOREIGN):
            yield match[1]


def _called(function: ast.expr) -> tuple[str, str]:
    """(what the function is taken from, its name)."""
    if isinstance(function, ast.Attribute):
        owner = function.value
        return owner.id if isinstance(owner, ast.Name) else "", function.attr
    return "", function.id if isinstance(function, ast.Name) else ""
