"""What a handler answers with: values that are no JSON, templates, and names that nothing has bound."""

from __future__ import annotations

import ast
import posixpath
from typing import TYPE_CHECKING

from auditor.parsers.python.facts import Failure
from auditor.parsers.python.frames import dtype_of
from auditor.parsers.python.values import (
    NUMPY_BOOL,
    Const,
    DictV,
    Func,
    ListV,
    Obj,
    Table,
    Unk,
    V,
)

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter
    from auditor.parsers.python.models import Models
    from auditor.parsers.python.scopes import State
    from auditor.parsers.python.sites import Site

# Functions of NumPy by what they return: numbers of its own that are no number of Python, arrays.
_NUMBERS = {
    "numpy.argmax": "int64", "numpy.argmin": "int64", "numpy.int64": "int64", "numpy.int32": "int32",
    "numpy.float32": "float32", "numpy.float16": "float16", "numpy.bool_": "bool",
}  # fmt: skip
_ARRAYS = frozenset(
    f"numpy.{name}"
    for name in (
        "array", "asarray", "zeros", "ones", "full", "arange", "linspace", "argsort", "concatenate",
        "stack", "vstack", "hstack", "expand_dims", "atleast_2d",
    )
)  # fmt: skip
_PRODUCTS = frozenset(["numpy.dot", "numpy.matmul", "numpy.inner", "numpy.vdot"])
_AGGREGATES = frozenset(["numpy.sum", "numpy.mean", "numpy.max", "numpy.min", "numpy.prod"])
_OWN_JSON = frozenset(["JSONEncoder", "JSONProvider", "DefaultJSONProvider", "orjson", "ujson"])


def refuse(run: Interpreter, answer: V, handler: Func, framework: str) -> None:
    """A handler's answer that the framework cannot write as JSON, whatever was asked."""
    if framework not in ("flask", "fastapi") or isinstance(handler.node, ast.Lambda):
        return
    facts = handler.state.facts
    if facts is None or any(_OWN_JSON & {*i.names, i.top} for i in facts.imports):
        return
    if framework == "fastapi" and (handler.node.returns is not None or handler.node.decorator_list):
        told = {k.arg for d in handler.node.decorator_list for k in getattr(d, "keywords", ())}
        if handler.node.returns is not None or told & {"response_model", "response_class"}:
            return
    if isinstance(answer, Obj) and answer.name == "flask.jsonify":
        parts = [*answer.args, *answer.kwargs.values()]
    elif isinstance(answer, DictV | ListV):
        parts = [answer]
    else:
        return
    kind = next((k for part in parts if (k := _foreign(part, 0)) is not None), None)
    if kind is None:
        return
    error = (
        f"TypeError: Object of type {kind} is not JSON serializable"
        if framework == "flask"
        else f"ValueError: [TypeError(\"'numpy.{kind}' object is not iterable\"), …]"
    )
    run.sink.add_failure(
        Failure(
            at=handler.state.places.at(handler.node),
            reach=run.reach(),
            error=error,
            because=f"the answer holds NumPy's `{kind}`, which is no JSON",
        )
    )


def _foreign(value: V, depth: int) -> str | None:
    """NumPy's type of a value inside an answer, where it is certain and not JSON."""
    if isinstance(value, Table) and value.kind == "array":
        return "ndarray"
    if isinstance(value, Unk) and value.reason == NUMPY_BOOL:
        return "bool"
    if isinstance(value, Obj):
        if value.name in _ARRAYS:
            return "ndarray"
        if value.name in _PRODUCTS:
            return "float32" if len(value.args) == 2 and all(map(_single, value.args)) else None
        if value.name in _AGGREGATES:
            singles = bool(value.args) and _single(value.args[0])
            return "float32" if singles and "axis" not in value.kwargs else None
        return _NUMBERS.get(value.name)
    if depth > 3:
        return None
    items = value.items if isinstance(value, ListV) and value.items is not None else []
    if isinstance(value, DictV):
        items = list(value.items.values())
    return next((k for item in items if (k := _foreign(item, depth + 1)) is not None), None)


def _single(value: V) -> bool:
    """An array that was made of single-precision numbers."""
    if isinstance(value, Table):
        return value.dtype == "float32"
    made = isinstance(value, Obj) and value.name in _ARRAYS
    return made and dtype_of(value.kwargs.get("dtype")) == "float32"  # type: ignore[attr-defined]


def template(models: Models, site: Site) -> None:
    """``render_template("page.html")``: a file of ``templates`` beside the application."""
    name, run = site.get(0, "template_name_or_list"), models.run
    apps = [made for made in models.webs if made.data.framework == "flask" and made.data.is_app]
    if not isinstance(name, Const) or not isinstance(name.value, str) or len(apps) != 1:
        return
    if any(m.data.framework == "flask" and "template_folder" in m.kwargs for m in models.webs):
        return
    first = apps[0].args[0] if apps[0].args else None
    frame = run.frame
    if not isinstance(first, Const) or frame is None or any(not m.data.is_app for m in models.webs):
        return  # blueprints have folders of their own
    state = run.states.get(str(first.value)) or next(
        (s for s in run.states.values() if s is not None and s.name == first.value), None
    )
    file = state.frame.vars.get("__file__") if state is not None else None
    if isinstance(file, Const) and isinstance(file.value, str):
        path = posixpath.join(posixpath.dirname(file.value), "templates", name.value)
        models.file(site, Const(path, file.deps), "read", "template")


def only_in_main(state: State) -> frozenset[str]:
    """Names of a module that nothing binds but the block under ``__name__ == "__main__"``."""
    from auditor.parsers.python.module import is_main_test

    tree = state.facts.tree if state.facts is not None else None
    if tree is None:
        return frozenset()
    guards = [n for n in tree.body if isinstance(n, ast.If) and is_main_test(n.test)]
    if not guards:
        return frozenset()
    inside = {id(part) for guard in guards for s in guard.body for part in ast.walk(s)}
    mine: set[str] = set()
    others: set[str] = set()
    for part in ast.walk(tree):
        for name in _bound(part):
            (mine if id(part) in inside else others).add(name)
    return frozenset(mine - others)


def _bound(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return (node.id,)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return (node.name,)
    if isinstance(node, ast.Import | ast.ImportFrom):
        return tuple((a.asname or a.name).partition(".")[0] for a in node.names)
    if isinstance(node, ast.Global | ast.Nonlocal):
        return tuple(node.names)
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        return (node.name,)
    return (node.arg,) if isinstance(node, ast.arg) else ()


def unfilled(run: Interpreter, handler: V) -> None:
    """A start-up handler that is never called: the tables that it fills stay as they are."""
    if not isinstance(handler, Func) or isinstance(handler.node, ast.Lambda):
        return
    for part in ast.walk(handler.node):
        targets = part.targets if isinstance(part, ast.Assign) else ()
        for target in targets:
            if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                value = handler.state.frame.vars.get(target.value.id)
                if isinstance(value, DictV):
                    run.unfilled[id(value)] = handler
