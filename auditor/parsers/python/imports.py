"""What import statements bind, and what they say of the modules they name."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from auditor.parsers.python.facts import Import, ReachedImport
from auditor.parsers.python.scopes import FALL, Frame, State
from auditor.parsers.python.values import Const, Ext, ListV, Mod, Unk, V

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter


_RENAMED = {
    "sklearn.externals.joblib": "joblib",
    "tensorflow.keras": "keras",
    "tensorflow.compat.v1": "tensorflow",
    "tensorflow.python.keras": "keras",
    "cPickle": "pickle",
    "_pickle": "pickle",
    "six.moves.cPickle": "pickle",
    "posixpath": "os.path",
    "ntpath": "os.path",
    "pathlib2": "pathlib",
    "tf.keras": "keras",
    "keras.api": "keras",
    "simplejson": "json",
    "ujson": "json",
    "ruamel.yaml": "yaml",
    "tomli": "tomllib",
    "skl2onnx.helpers": "skl2onnx",
    "starlette.staticfiles": "fastapi.staticfiles",
    "starlette.templating": "fastapi.templating",
    "builtins.io": "io",
    "io.open": "builtins.open",
    "codecs.open": "builtins.open",
    "os.getenvb": "os.getenv",
    "environs": "environs",
    "pydantic.v1": "pydantic",
}


def canonical(name: str) -> str:
    """One name for what has several."""
    parts = name.split(".")
    for length in range(min(len(parts), 3), 0, -1):
        head = ".".join(parts[:length])
        renamed = _RENAMED.get(head)
        if renamed is not None:
            return ".".join([renamed, *parts[length:]])
    return name


def run_import(run: Interpreter, node: ast.Import) -> int:
    """``import a.b as c``."""
    for alias in node.names:
        at = run.at(alias)
        state = run.import_module(alias.name, at, Import(at=at, module=alias.name))
        if alias.asname:
            bound: V = Mod(state) if state is not None else Ext(canonical(alias.name))
            run.store(alias.asname, bound)
        else:
            top = alias.name.partition(".")[0]
            root = run.states.get(top)
            run.store(top, Mod(root) if root is not None else Ext(canonical(top)))
    return FALL


def note_import(
    run: Interpreter,
    fact: Import,
    name: str,
    found: str,
    path: str,
    missing: str = "",
    circular: str = "",
) -> None:
    """An import as a fact: what was found, where, and which of its names are not there."""
    frame = run.frame
    assert frame is not None
    full = Import(
        at=fact.at,
        module=fact.module,
        level=fact.level,
        names=fact.names,
        function=frame.function,
        guards=tuple(dict.fromkeys(run.guards)),
        dynamic=fact.dynamic,
    )
    reach = run.reach(frozenset({"key-error", "os-error", "other-error"}))
    run.sink.add_import(
        ReachedImport(
            fact=full,
            reach=reach,
            module=name,
            found=found,
            path=path,
            missing_name=missing,
            circular=circular,
            unsure=_unsure(run, name) if found == "external" else "",
        )
    )


def _unsure(run: Interpreter, name: str) -> str:
    """Why the search path may have a module that is nowhere among the project's files."""
    asked = getattr(run.program.finder, "may_hold", None)
    return asked(name) if asked is not None else ""


def run_import_from(run: Interpreter, node: ast.ImportFrom) -> int:
    """``from a import b``: names, submodules, a star."""
    frame = run.frame
    assert frame is not None
    if node.module == "__future__":
        return FALL
    at = run.at(node)
    name = node.module or ""
    if node.level:
        package = frame.state.package
        parts = package.split(".") if package else []
        if node.level - 1 > len(parts) or (
            not package and (node.level > 1 or frame.state.name in ("", "__main__"))
        ):
            parts = []
        parts = parts[: len(parts) - (node.level - 1)] if node.level > 1 else parts
        name = ".".join([*parts, name] if name else parts)
    fact = Import(
        at=at,
        module=node.module or "",
        level=node.level,
        names=tuple(alias.name for alias in node.names),
    )
    loose = bool(node.level) and not frame.state.package
    run.via.append(at)
    try:
        state = run.load(name) if name and not loose else None
    finally:
        run.via.pop()
    if loose:
        name = ""
    if state is None:
        head = name.partition(".")[0]
        inside = node.level or run.states.get(head) is not None
        note_import(run, fact, name, "missing" if inside else "external", "")
        for alias in node.names:
            if alias.name == "*":
                frame.state.open_names = True
                run.models.star_import(name, frame)
            else:
                value: V = (
                    Unk("comes from a module that is not there")
                    if inside
                    else Ext(canonical(f"{name}.{alias.name}"))
                )
                run.store(alias.asname or alias.name, value)
        return FALL
    missing = circular = ""
    for alias in node.names:
        if alias.name == "*":
            _star_from(run, state, frame)
            continue
        value_or_none = state.frame.vars.get(alias.name)
        if value_or_none is None:
            run.via.append(at)
            try:
                child = run.load(f"{name}.{alias.name}")
            finally:
                run.via.pop()
            if child is not None:
                value_or_none = Mod(child)
            elif "__getattr__" not in state.frame.vars and not state.open_names:
                bound = state.facts.names if state.facts is not None else ()
                if alias.name not in bound:
                    missing = missing or alias.name
                elif state.entered and not run.undecided:
                    circular = circular or alias.name
        run.store(
            alias.asname or alias.name,
            value_or_none or Unk(f"{alias.name} is not bound in {name}"),
        )
    path = state.facts.path if state.facts is not None else ""
    note_import(run, fact, name, "project", path, missing, circular)
    return FALL


def _star_from(run: Interpreter, state: State, frame: Frame) -> None:
    names = state.frame.vars.get("__all__")
    wanted = None
    if isinstance(names, ListV) and names.items is not None:
        wanted = {n.value for n in names.items if isinstance(n, Const)}
    for name, value in list(state.frame.vars.items()):
        if (name in wanted) if wanted is not None else not name.startswith("_"):
            run.store(name, value)
    frame.state.open_names |= state.open_names
