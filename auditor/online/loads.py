"""What Python code asks of the system by name: libraries it loads, programs it starts.

Read from the source of a wheel's modules, which is parsed and never run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from auditor import lazy_re as re
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
LARGEST_MODULE = 400_000
# How many assignments lead from a name to its texts.
_DEEPEST = 3


@value
class Asked:
    """``libmagic.so.1``, or ``magic`` without a version; and the names of programs.

    ``early``: the libraries that importing the module loads, and cannot do without.
    """

    libraries: frozenset[str] = frozenset()
    early: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    # A library is looked for by a name that is not written in the module.
    blind: bool = False


def asked(source: str) -> Asked:
    """What the calls of a module name."""
    words = _LOADERS | _STARTERS.keys()
    if len(source) > LARGEST_MODULE or not any(f"{word}(" in source for word in words):
        return Asked()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Asked()
    bound = _bound(tree)
    at_import = {id(node) for node in _on_import(tree.body)}
    libraries: set[str] = set()
    early: set[str] = set()
    programs: set[str] = set()
    blind = False
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        owner, name = _called(call.func)
        if name.lstrip("_") in _LOADERS:
            for argument in call.args:
                texts = [*_texts(argument, bound)]
                blind |= name == "find_library" and not texts
                found = set(_libraries(iter(texts)))
                libraries |= found
                early |= found if id(call) in at_import else set()
        elif name in _STARTERS and (not _STARTERS[name] or owner in _STARTERS[name]):
            given = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "args")]
            for argument in given:
                programs.update(_programs(_texts(argument, bound, program=True)))
    return Asked(
        libraries=frozenset(libraries),
        early=frozenset(early),
        programs=frozenset(programs),
        blind=blind,
    )


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


def imported(sources: Mapping[str, Callable[[], str]]) -> tuple[frozenset[str], frozenset[str]]:
    """The modules of others that importing a distribution's own imports, by their first names,
    and its own that are.

    ``sources``: its modules by dotted name; what its tops lead to is read. A top that leads to
    none is imported by its parts.
    """
    pending = [name for name in sources if "." not in name]
    packages = {name.rpartition(".")[0] for name in sources}
    seen = set(pending)
    found: set[str] = set()
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
        if "." not in module and len(seen) == before:
            children = {n for n in sources if n.rpartition(".")[0] == module and "._" not in n}
            pending += children - seen
            seen |= children
    return frozenset(found), frozenset(seen)


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


def _bound(tree: ast.Module) -> dict[str, list[ast.expr]]:
    """What the module assigns to each name or attribute, goes through in loops, or takes as default."""
    found: dict[str, list[ast.expr]] = {}

    def note(target: ast.expr, given: ast.expr) -> None:
        name = target.id if isinstance(target, ast.Name) else None
        name = target.attr if isinstance(target, ast.Attribute) else name
        if name is not None:
            found.setdefault(name, []).append(given)

    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                note(target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            note(node.target, node.value)
        elif isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple | ast.List):
            for item in node.iter.elts:
                note(node.target, item)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            positional = [*node.args.posonlyargs, *node.args.args]
            defaults = node.args.defaults
            for one, default in zip(positional[-len(defaults) :], defaults, strict=False):
                found.setdefault(one.arg, []).append(default)
            for one, other in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
                if other is not None:
                    found.setdefault(one.arg, []).append(other)
    return found


def _texts(
    node: ast.expr, bound: dict[str, list[ast.expr]], depth: int = 0, *, program: bool = False
) -> Iterator[str]:
    """The texts an argument may be: itself, the items of a list, or what its name is bound to.

    Of a list that is a command (``program``) only the first item.
    """
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, ast.JoinedStr) and node.values:
        # "ffmpeg {arguments}": its beginning tells the program.
        first = node.values[0]
        if isinstance(first, ast.Constant) and str(first.value).strip() != str(first.value):
            yield str(first.value)
    elif isinstance(node, ast.Tuple | ast.List):
        for item in node.elts[: 1 if program else None]:
            yield from _texts(item, bound, depth, program=program)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _texts(node.left, bound, depth, program=program)
    elif isinstance(node, ast.BoolOp):
        for item in node.values:
            yield from _texts(item, bound, depth, program=program)
    elif isinstance(node, ast.Call) and len(node.args) == 1:
        # list(command), shlex.split("ffmpeg -i"), os.fspath(path)
        yield from _texts(node.args[0], bound, depth, program=program)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, bound, depth, program=program)
        yield from _texts(node.orelse, bound, depth, program=program)
    elif isinstance(node, ast.Name | ast.Attribute) and depth < _DEEPEST:
        name = node.id if isinstance(node, ast.Name) else node.attr
        for given in bound.get(name, ())[:20]:
            yield from _texts(given, bound, depth + 1, program=program)
