"""What a handler answers with: values that are no JSON, templates, and names that nothing has bound."""

from __future__ import annotations

import ast
import math
import posixpath
from typing import TYPE_CHECKING

from auditor.parsers.python.facts import Failure
from auditor.parsers.python.frames import dtype_of, is_array
from auditor.parsers.python.values import (
    NUMPY_BOOL,
    Class,
    Const,
    DictV,
    Ext,
    Func,
    ListV,
    Obj,
    PathV,
    Table,
    Unk,
    V,
)

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter
    from auditor.parsers.python.models import Models
    from auditor.parsers.python.scopes import State
    from auditor.parsers.python.sites import Site
    from auditor.parsers.python.web import WebModels

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
_OWN_JSON = frozenset(
    ["JSONEncoder", "JSONProvider", "DefaultJSONProvider", "orjson", "ujson", "ORJSONResponse",
     "UJSONResponse", "msgspec"]
)  # fmt: skip
# What frameworks write as JSON with the standard library's encoder: a mapping as it is returned, and calls.
_RETURNED = frozenset(["flask", "fastapi", "bottle", "quart"])
_WRITERS = {
    "flask.jsonify": "flask", "quart.jsonify": "flask", "flask.json.jsonify": "flask",
    "starlette.responses.JSONResponse": "starlette", "fastapi.responses.JSONResponse": "starlette",
    "aiohttp.web.json_response": "flask", "django.http.JsonResponse": "flask",
    "django.http.response.JsonResponse": "flask",
}  # fmt: skip
_OWN_WRITER = frozenset(["dumps", "encoder", "json_dumps_params", "cls"])


def refuse(run: Interpreter, answer: V, handler: Func, framework: str) -> None:
    """A handler's answer that the framework cannot write as JSON, whatever was asked."""
    if isinstance(handler.node, ast.Lambda):
        return
    facts = handler.state.facts
    if facts is None or any(_OWN_JSON & {*i.names, i.top} for i in facts.imports):
        return
    writer = _WRITERS.get(answer.name, "") if isinstance(answer, Obj) else ""
    if (
        framework == "fastapi"
        and not writer
        and (handler.node.returns is not None or handler.node.decorator_list)
    ):
        told = {k.arg for d in handler.node.decorator_list for k in getattr(d, "keywords", ())}
        if handler.node.returns is not None or told & {"response_model", "response_class"}:
            return
    if isinstance(answer, Obj) and writer and not _OWN_WRITER & answer.kwargs.keys():
        parts = [*answer.args, *answer.kwargs.values()]
    elif isinstance(answer, DictV | ListV) and framework in _RETURNED:
        parts = [answer]
    else:
        return
    kind = next((k for part in parts if (k := _foreign(part, 0)) is not None), None)
    strict = writer == "starlette" or (framework == "fastapi" and not writer)
    if kind is None:
        if strict and any(_no_number(part, 0) for part in parts) and not _told_otherwise(run):
            run.sink.add_failure(
                Failure(
                    at=handler.state.places.at(handler.node),
                    reach=run.reach(),
                    error="ValueError: Out of range float values are not JSON compliant",
                    because="the answer holds NaN or an infinity, for which JSON has no number",
                )
            )
        return
    error = (
        f"ValueError: [TypeError(\"'numpy.{kind}' object is not iterable\"), …]"
        if framework == "fastapi" and not writer
        else f"TypeError: Object of type {kind} is not JSON serializable"
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
    if isinstance(value, Table) and is_array(value):
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


def _no_number(value: V, depth: int) -> bool:
    """Whether a value inside an answer is certainly NaN or an infinity."""
    if isinstance(value, Const):
        return isinstance(value.value, float) and not math.isfinite(value.value)
    if isinstance(value, Ext):
        return value.owner is None and value.name in _NO_NUMBERS
    if depth > 3:
        return False
    items = value.items if isinstance(value, ListV) and value.items is not None else []
    if isinstance(value, DictV):
        items = list(value.items.values())
    return any(_no_number(item, depth + 1) for item in items)


_NO_NUMBERS = frozenset(
    f"{module}.{name}" for module in ("math", "numpy") for name in ("nan", "inf", "NaN", "Inf")
)


def _told_otherwise(run: Interpreter) -> bool:
    """Whether an application or router was given a class of responses of its own."""
    return any("default_response_class" in made.kwargs for made in run.models.webs)


def mismatch(models: WebModels, answer: V, handler: Func, response: Class | None) -> None:
    """A mapping that lacks what the model of the answer requires: FastAPI checks what it sends."""
    run = models.run
    if isinstance(handler.node, ast.Lambda):
        return
    if response is None and handler.node.returns is not None:
        if any(k.arg == "response_model" for d in handler.node.decorator_list
               for k in getattr(d, "keywords", ())):  # fmt: skip
            return
        declared = run.eval_in(handler.state, handler.node.returns)
        response = declared if isinstance(declared, Class) else None
    if (
        response is None
        or not models.is_request_model(response)
        or len(handler.node.decorator_list) != 1
    ):
        return
    if not isinstance(answer, DictV) or answer.partial or not _plain_model(models, response):
        return
    for field in models.model_fields(response):
        optional = any(w in field.type for w in ("Optional", "None", "Any"))
        if not field.required or optional or field.python in answer.items:
            continue
        run.sink.add_failure(
            Failure(
                at=handler.state.places.at(handler.node),
                reach=run.reach(),
                error="fastapi.exceptions.ResponseValidationError: 1 validation error: "
                f"('response', '{field.python}') Field required",
                because=f"the answer has no `{field.python}`, which `{response.qualname}` requires",
            )
        )
        return


def _plain_model(models: WebModels, cls: Class) -> bool:
    """A model whose fields are all that its mapping must have, each by its own name."""
    if models.open_model(cls, aliases=False) or models.validated(cls):
        return False
    if any({"model_config", "Config", "__init__"} & one.names.keys() for one in cls.mro()):
        return False
    fields = models.model_fields(cls)
    return all(f.name == f.python and "alias" not in f.type for f in fields) and cls.external() <= {
        "pydantic.BaseModel", "pydantic.main.BaseModel"
    }  # fmt: skip


def template_response(models: Models, site: Site, owner: Obj) -> None:
    """``templates.TemplateResponse(request, "page.html")`` of Starlette: a file of its directory."""
    if not owner.name.endswith("templating.Jinja2Templates") or "env" in owner.kwargs:
        return
    folder = owner.args[0] if owner.args else owner.kwargs.get("directory")
    named = [v for v in (*site.args[:2], site.kwargs.get("name"))
             if isinstance(v, Const) and isinstance(v.value, str)]  # fmt: skip
    if len(named) != 1 or site.loose or not isinstance(folder, Const | PathV):
        return
    base = folder.text if isinstance(folder, PathV) else folder.value
    if isinstance(base, str):
        path = Const(posixpath.join(base, named[0].value), folder.deps, folder.origin)
        models.file(site, path, "read", "template")


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
