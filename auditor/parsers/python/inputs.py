"""What a request holds, as the code that answers it reads it: bodies, forms, typed parameters."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers.python import tables
from auditor.parsers.python.facts import (
    Phase,
    Reach,
    Route,
    SchemaField,
)
from auditor.parsers.python.module import text_of
from auditor.parsers.python.values import (
    Bound,
    Class,
    Const,
    DictV,
    Ext,
    FieldV,
    Func,
    Inst,
    ListV,
    Obj,
    V,
    options_of,
)
from auditor.source import Location
from auditor.values import field, record, value

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter
    from auditor.parsers.python.scopes import State
    from auditor.parsers.python.sites import Site


_UPLOADS = frozenset({"UploadFile"})

_PARAMETERS = {
    "fastapi.Query": "query", "fastapi.Path": "path", "fastapi.Header": "header",
    "fastapi.Cookie": "cookie", "fastapi.Form": "form", "fastapi.File": "file",
    "fastapi.Body": "body", "fastapi.params.Query": "query", "fastapi.params.Form": "form",
}  # fmt: skip

_SCALARS = frozenset(
    {"str", "int", "float", "bool", "bytes", "datetime", "date", "UUID", "Decimal"}
)

_REQUEST_DATA = {
    "json": "json-key", "form": "form", "files": "file", "args": "query", "values": "form",
    "query_params": "query", "headers": "header", "cookies": "cookie", "data": "json-key",
    "POST": "form", "GET": "query", "FILES": "file",
}  # fmt: skip


@record
class RawRoute:
    """A registered handler, before prefixes are applied."""

    methods: tuple[str, ...]
    path: V
    handler: V
    at: Location
    conditional: bool = False
    response_model: str = ""
    # The class that answers are checked against, where it is the project's.
    response: Class | None = None
    # What each request makes the handler's instance with; None where the instance is given.
    arguments: Arguments | None = None


@value
class Arguments:
    """What a class of handlers is made with; ``attributes`` are set on the instance instead."""

    args: tuple[V, ...] = ()
    kwargs: tuple[tuple[str, V], ...] = ()
    attributes: bool = False


@record
class Web:
    """The state of an application or router object."""

    framework: str
    is_app: bool
    at: Location
    reach: Reach
    prefix: V = field(default_factory=lambda: Const(""))
    routes: list[RawRoute] = field(default_factory=list)
    children: list[tuple[V, Obj]] = field(default_factory=list)
    middleware: list[str] = field(default_factory=list)
    startup: list[V] = field(default_factory=list)
    shutdown: list[V] = field(default_factory=list)
    before: list[V] = field(default_factory=list)
    lifespan: V | None = None
    state: DictV | None = None
    debug: V | None = None
    names: list[str] = field(default_factory=list)
    attributes: dict[str, V] = field(default_factory=dict)
    complete: bool = True
    # Something else may answer paths that no route has.
    open: bool = False
    # Why every request fails, and the error; whether posts need Django's CSRF token.
    refuses: tuple[str, str] | None = None
    tokens: bool = False
    # Flask's endpoints: the function that each name stands for.
    endpoints: dict[str, V] = field(default_factory=dict)


def _is_required(default: V) -> bool:
    """Whether a declared default is none: ``...`` or ``Field(...)``."""
    if isinstance(default, Ext):
        return default.name in ("builtins.Ellipsis", "fastapi.Form", "fastapi.File")
    if isinstance(default, Obj):
        first = default.args[0] if default.args else None
        if isinstance(first, Ext) and first.name == "builtins.Ellipsis":
            return True
        return first is None and not default.kwargs.keys() & {"default", "default_factory"}
    return False


def _is_model(cls: Class) -> bool:
    return any(
        base.endswith((".BaseModel", ".SQLModel", ".RootModel", "msgspec.Struct", ".Schema"))
        for base in cls.external()
    )


def _closed(settings: dict[str, V], *, aliases: bool) -> bool:
    """Settings of a model that leave the keys of its mapping as declared."""
    extra = settings.get("extra")
    text = extra.value if isinstance(extra, Const) else getattr(extra, "name", None)
    if extra is not None and str(text).rpartition(".")[2] not in ("ignore", "forbid"):
        return False
    if "serialize_by_alias" in settings:
        return False
    return not (aliases and "alias_generator" in settings)


class RequestModels:
    """The part of the models that knows what comes with a request."""

    def __init__(self, run: Interpreter) -> None:
        self.run = run
        self.webs: list[Obj] = []
        self.bottle: Obj | None = None
        # The application whose handlers are being followed.
        self.serving: Obj | None = None
        self.handlers: list[tuple[V, str]] = []  # (function, "startup" | "request")
        self.handler_classes: list[Class] = []
        self.instances: list[tuple[Inst, tuple[tuple[str, ...], tuple[str, ...]]]] = []
        self.fields: list[SchemaField] = []
        self.declared = False
        self.request_models: list[str] = []
        self.routes_done: list[tuple[Web, Route]] = []
        self.django_done = False

    def named(self, value: Obj, module: str, name: str) -> None:
        """An object was bound to a module-level name."""
        if isinstance(value.data, Web):
            full = f"{module}:{name}"
            if full not in value.data.names:
                value.data.names.append(full)

    def request_call(self, site: Site, attr: str) -> V | None:
        """Reading the request in a handler: ``request.get_json()``, ``data.get("x")``."""
        name, owner = site.name, site.owner
        if name.startswith(("flask.request.", "quart.request.")) and attr in ("get_json", "json"):
            return Obj("request.data", kwargs={"source": Const("json-key")})
        if isinstance(owner, Obj):
            if owner.name == "request" and attr in ("json", "form", "body", "post"):
                source = "form" if attr == "form" else "json-key"
                return Obj("request.data", kwargs={"source": Const(source)})
            if owner.name == "request.data" and attr in ("get", "pop") and site.args:
                self.key(owner, site.args[0], site.node, required=False)
                return Obj("request.value", kwargs={"name": site.args[0]})
        if attr in ("get", "getlist") and site.args:
            parts = name.split(".")
            if (
                len(parts) > 2
                and parts[-2] in _REQUEST_DATA
                and (
                    name.startswith(("flask.request.", "quart.request."))
                    or (isinstance(owner, Obj) and owner.name == "request")
                )
            ):
                self.add_key(_REQUEST_DATA[parts[-2]], site.args[0], site.node, required=False)
                return Obj("request.value", kwargs={"name": site.args[0]})
        return None

    def request_subscript(self, owner: V, index: V, node: ast.AST) -> V | None:
        """``request.json["x"]``, ``data["x"]``."""
        if isinstance(owner, Ext):
            last = owner.name.rpartition(".")[2]
            of_request = isinstance(owner.owner, Obj) and owner.owner.name == "request"
            if last in _REQUEST_DATA and (
                of_request or owner.name.startswith(("flask.request.", "quart.request."))
            ):
                self.add_key(_REQUEST_DATA[last], index, node, required=True)
                return Obj("request.value", kwargs={"name": index})
        if isinstance(owner, Obj) and owner.name == "request.data":
            self.key(owner, index, node, required=True)
            return Obj("request.value", kwargs={"name": index})
        return None

    def key(self, owner: Obj, index: V, node: ast.AST, *, required: bool) -> None:
        source = owner.kwargs.get("source")
        text = str(source.value) if isinstance(source, Const) else "json-key"
        self.add_key(text, index, node, required=required)

    def add_key(self, source: str, index: V, node: ast.AST, *, required: bool) -> None:
        if isinstance(index, Const) and isinstance(index.value, str) and len(self.fields) < 200:
            self.fields.append(
                SchemaField(
                    name=index.value,
                    type="",
                    source=source,
                    required=required,
                    at=self.run.at(node),
                )
            )

    def columns(self, site: Site) -> None:
        """Columns of a data frame that a handler builds."""
        names = site.kwargs.get("columns")
        first = site.args[0] if site.args else site.kwargs.get("data")
        keys: list[V] = []
        if isinstance(names, ListV) and names.items:
            keys = names.items
        elif isinstance(first, DictV) and not first.partial:
            keys = [Const(key) for key in first.items]
        elif isinstance(first, ListV) and first.items and isinstance(first.items[0], DictV):
            keys = [Const(key) for key in first.items[0].items]
        for one in keys:
            self.add_key("column", one, site.node, required=True)

    def model_made(self, cls: Class, args: list[V], kwargs: dict[str, V], *, loose: bool) -> None:
        """A pydantic model is made in a handler: the request is validated by hand."""
        if self.run.phase == Phase.REQUEST and loose:
            self.declared = True
            self.request_models.append(cls.qualname)
            self.fields.extend(self.model_fields(cls))

    def class_instance(self, inst: Inst, external: set[str], node: ast.AST) -> None:
        """An instance of a class whose methods a server will call."""
        for base in external:
            methods = tables.HANDLER_CLASSES.get(base)
            if methods is not None:
                self.instances.append((inst, methods))

    def class_defined(self, cls: Class) -> None:
        """A class of the project was defined."""
        external = cls.external()
        if external & (
            {"cog.BasePredictor", "mlserver.MLModel", "kserve.Model"}
            | {"ts.torch_handler.base_handler.BaseHandler", "http.server.BaseHTTPRequestHandler"}
        ):
            self.handler_classes.append(cls)

    def made_for_request(self, inst: V, made_with: Arguments) -> None:
        """A class of handlers: every request makes an instance."""
        if not isinstance(inst, Inst):
            return
        if made_with.attributes:
            inst.attrs.update(made_with.kwargs)
        initialise = self.run.class_attribute(inst, "__init__")
        if isinstance(initialise, Func):
            named = {} if made_with.attributes else dict(made_with.kwargs)
            self.run.root(Bound(initialise, inst), list(made_with.args), named)

    def parameters(self, func: Func, path: str, *, bound: bool) -> tuple[dict[str, V], bool]:
        """What a handler is called with; declared fields are noted on the way."""
        run = self.run
        args: dict[str, V] = {}
        multipart = False
        spec = func.node.args
        every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
        if bound and every:
            every = every[1:]
        for argument in every:
            annotation = text_of(argument.annotation)
            default = func.defaults.get(argument.arg)
            marks = self.markers(argument.annotation, func.state)
            if default is not None:
                marks.append(default)
            source = next(
                (
                    _PARAMETERS[m.name]
                    for m in marks
                    if isinstance(m, Obj | Ext) and m.name in _PARAMETERS
                ),
                "",
            )
            depends = next(
                (
                    m
                    for m in marks
                    if isinstance(m, Obj) and m.name in ("fastapi.Depends", "fastapi.Security")
                ),
                None,
            )
            if depends is not None:
                given = depends.args[0] if depends.args else depends.kwargs.get("dependency")
                if isinstance(given, Inst):
                    called = run.class_attribute(given, "__call__")
                    given = Bound(called, given) if isinstance(called, Func) else given
                if isinstance(given, Func | Bound | Class):
                    inner: dict[str, V] = {}
                    if isinstance(given, Func):
                        inner, more = self.parameters(given, path, bound=False)
                        multipart |= more
                    args[argument.arg] = run.root(given, [], inner)
                continue
            last = annotation.rpartition(".")[2]
            if last in ("Request", "HttpRequest", "WSGIRequest") or (
                argument.arg == "request" and not annotation
            ):
                args[argument.arg] = Obj("request")
                continue
            if last in ("Response", "BackgroundTasks", "WebSocket"):
                continue
            models = self.models_in(argument.annotation, func.state)
            at = func.state.places.at(argument)
            if models:
                self.declared = True
                for model in models:
                    self.request_models.append(model.qualname)
                    self.fields.extend(self.model_fields(model))
                if len(models) == 1 and isinstance(argument.annotation, ast.Name):
                    inst = Inst(models[0])
                    inst.partial = True
                    self.fill_request(inst)
                    args[argument.arg] = inst
                else:
                    value = self.typed(argument.annotation, func.state)
                    if value is not None:
                        args[argument.arg] = value
                continue
            if any(word in annotation for word in _UPLOADS):
                source = "file"
            if not source and f"{{{argument.arg}" in path:
                source = "path"
            if source in ("form", "file"):
                multipart = True
            if not annotation and not source:
                continue
            words = set(re.findall(r"\w+", annotation))
            if not source:
                source = (
                    "query"
                    if words & _SCALARS and not words & {"dict", "Dict", "list", "List"}
                    else "body"
                )
            if words & _SCALARS and not words & {"dict", "Dict", "list", "List"}:
                args[argument.arg] = FieldV(argument.arg, at)
            if not (source == "body" and last.lower().startswith(("dict", "any"))):
                self.declared = True
            self.fields.append(
                SchemaField(
                    name=argument.arg,
                    type=annotation,
                    source=source,
                    required=default is None or _is_required(default),
                    at=at,
                )
            )
        return args, multipart

    def markers(self, annotation: ast.expr | None, state: State) -> list[V]:
        """The markers inside ``Annotated[…]``."""
        if not isinstance(annotation, ast.Subscript):
            return []
        if text_of(annotation.value).rpartition(".")[2] != "Annotated":
            return []
        if not isinstance(annotation.slice, ast.Tuple):
            return []
        return [self.run.eval_in(state, one) for one in annotation.slice.elts[1:]]

    def models_in(self, annotation: ast.expr | None, state: State) -> list[Class]:
        """The request models that an annotation names."""
        if annotation is None:
            return []
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            try:
                annotation = ast.parse(annotation.value[:300], mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return []
        found: list[Class] = []
        stack: list[ast.AST] = [annotation]
        while stack and len(found) < 8:
            part = stack.pop()
            if isinstance(part, ast.Name | ast.Attribute):
                value = self.run.eval_in(state, part)
                found += [o for o in options_of(value) if isinstance(o, Class) and _is_model(o)]
            else:
                stack.extend(ast.iter_child_nodes(part))
        return found

    def model_fields(self, cls: Class) -> list[SchemaField]:
        """The fields of a request model, inherited ones included."""
        fields: dict[str, SchemaField] = {}
        for one in reversed(cls.mro()):
            for name, annotation, _value, place in one.annotations:
                kind = text_of(annotation)
                if "ClassVar" in kind or name in ("model_config", "Config"):
                    continue
                declared = self.run.class_attribute(Inst(cls), name)
                required = declared is None or _is_required(declared)
                alias = declared.kwargs.get("alias") if isinstance(declared, Obj) else None
                shown = alias.value if isinstance(alias, Const) else name
                fields[name] = SchemaField(
                    name=str(shown),
                    type=kind,
                    source="body",
                    required=required,
                    at=one.state.places.at(place),
                    python=name,
                )
        return list(fields.values())

    def is_request_model(self, cls: Class) -> bool:
        """A class whose fields a request declares."""
        return _is_model(cls)

    def open_model(self, cls: Class, *, aliases: bool) -> bool:
        """Its mapping may have other keys than its fields: further ones are let in, or it is made
        in another way.
        """
        for one in cls.mro():
            if not _closed(one.keywords, aliases=aliases):
                return True
            config = one.names.get("model_config")
            if isinstance(config, Obj):
                config = DictV(config.kwargs)
            if isinstance(config, DictV):
                if config.partial or not _closed(config.items, aliases=aliases):
                    return True
            elif config is not None:
                return True
            inner = one.names.get("Config")
            if isinstance(inner, Class) and not _closed(inner.names, aliases=aliases):
                return True
            for _, annotation, _, _ in one.annotations:
                text = text_of(annotation)
                if "exclude" in text or (aliases and "alias" in text):
                    return True
            for member in one.names.values():
                if isinstance(member, Obj) and (
                    "exclude" in member.kwargs
                    or (aliases and "serialization_alias" in member.kwargs)
                ):
                    return True
                if isinstance(member, Func) and any(
                    d.rpartition(".")[2] == "model_serializer" for d in member.decorators
                ):
                    return True
        return any(
            base.endswith((".RootModel", ".SQLModel", ".Schema", "?")) for base in cls.external()
        )

    def computed(self, cls: Class) -> list[tuple[str, str]]:
        """(name, name of the method) of computed fields, which a dump includes."""
        return [
            (name, member.qualname)
            for one in cls.mro()
            for name, member in one.names.items()
            if isinstance(member, Func)
            and any(d.rpartition(".")[2] == "computed_field" for d in member.decorators)
        ]

    def validated(self, cls: Class) -> bool:
        """Whether code of the project may change what a field holds, or what the model is made of."""
        return any(
            isinstance(member, Func)
            and any("valid" in d or "serializer" in d for d in member.decorators)
            for one in cls.mro()
            for member in one.names.values()
        )

    def fill_request(self, inst: Inst, depth: int = 0) -> None:
        """The attributes of a request model as a handler gets it."""
        inst.partial = True
        fields = {f.python: f for f in self.model_fields(inst.cls)}
        checked = self.validated(inst.cls)
        annotations = {
            name: (annotation, one.state)
            for one in reversed(inst.cls.mro())
            for name, annotation, _value, _place in one.annotations
        }
        for name, one in fields.items():
            value: V | None = None
            if depth < 4 and name in annotations:
                value = self.typed(*annotations[name], depth=depth + 1)
            inst.attrs[name] = value or FieldV(one.name, one.at, "" if checked else one.type)

    def typed(self, annotation: ast.expr | None, state: State, *, depth: int = 0) -> V | None:
        """A request model, or a list of them, as an annotation says; None for anything else."""
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            try:
                annotation = ast.parse(annotation.value[:300], mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return None
        if isinstance(annotation, ast.Name | ast.Attribute):
            cls = self.run.eval_in(state, annotation)
            if isinstance(cls, Class) and _is_model(cls):
                inst = Inst(cls)
                self.fill_request(inst, depth)
                return inst
            return None
        if isinstance(annotation, ast.Subscript):
            head = text_of(annotation.value).rpartition(".")[2]
            inner = annotation.slice
            if head == "Annotated" and isinstance(inner, ast.Tuple) and inner.elts:
                return self.typed(inner.elts[0], state, depth=depth)
            if head in ("list", "List", "Sequence", "conlist"):
                each = self.typed(inner, state, depth=depth)
                return ListV(None, each=each) if each is not None else None
        return None
