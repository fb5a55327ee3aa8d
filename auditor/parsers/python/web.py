"""Web applications: registration of routes and hooks, servers, and what handlers read."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.parsers.python import answers, coroutines, libraries, refusals, tables
from auditor.parsers.python.facts import (
    Failure,
    Import,
    Phase,
    Route,
    Server,
    Value,
    WebApp,
)
from auditor.parsers.python.imports import note_import
from auditor.parsers.python.inputs import Arguments, RawRoute, RequestModels, Web
from auditor.parsers.python.operations import reason_of
from auditor.parsers.python.values import (
    Bound,
    Class,
    Const,
    DictV,
    Ext,
    Func,
    Inst,
    ListV,
    Mod,
    Obj,
    Unk,
    V,
)
from auditor.source import Location, Unknown
from auditor.values import record, replace

if TYPE_CHECKING:
    from auditor.parsers.python.sites import Site

_KINDS = (
    ("metrics", re.compile(r"metrics|prometheus", re.I)),
    ("ready", re.compile(r"ready|readiness|startup", re.I)),
    ("health", re.compile(r"health|/ping\b|live(z|ness)?\b|alive|heartbeat|/status\b|/up\b", re.I)),
    ("reload", re.compile(r"reload|refresh|(update|swap|load|switch)[-_/]?model", re.I)),
    (
        "predict",
        re.compile(
            r"predict|infer|invocations|classif|score|recommend|forecast|generat|embed|detect"
            r"|analy[sz]|complet|transcri|segment|translat|summari|similar|estimate",
            re.I,
        ),
    ),
    ("docs", re.compile(r"docs|openapi|redoc|swagger", re.I)),
)
# What pydantic makes no field of.
_NO_FIELDS = frozenset(
    {
        "numpy.ndarray", "numpy.array", "pandas.DataFrame", "pandas.Series", "torch.Tensor",
        "PIL.Image.Image", "PIL.Image", "tensorflow.Tensor",
    }
)  # fmt: skip
# Beyond these an application is followed no further, and the trace says so.
_ROUTES = 2_000
_NESTED = 8


@record
class _Registering:
    """What ``@app.get("/x")`` evaluates to: it waits for the function."""

    web: Web
    route: RawRoute | None = None
    hook: str = ""


class WebModels(RequestModels):
    """The part of the models that knows web frameworks."""

    # -- objects --

    def new_web(self, site: Site, framework: str, *, is_app: bool) -> Obj:
        """An application or router object."""
        run = self.run
        at = run.at(site.node)
        made = Obj(site.name, site.args, site.kwargs, at)
        web = Web(framework=framework, is_app=is_app, at=at, reach=run.reach())
        made.data = web
        self.webs.append(made)
        prefix = site.kwargs.get("prefix") or site.kwargs.get("url_prefix")
        if prefix is not None:
            web.prefix = prefix
        web.lifespan = site.kwargs.get("lifespan")
        web.debug = site.kwargs.get("debug")
        # Starlette takes the prefix off where a request has it.
        below = site.kwargs.get("root_path")
        web.open = below is not None and not (isinstance(below, Const) and not below.value)
        for key, hooks in (("on_startup", web.startup), ("on_shutdown", web.shutdown)):
            given = site.kwargs.get(key)
            if isinstance(given, ListV):
                hooks.extend(given.items or [])
        if framework == "sanic":
            refusals.sanic_name(run, site)
        middleware = site.kwargs.get("middleware")
        if isinstance(middleware, ListV):
            for one in middleware.items or []:
                if isinstance(one, Obj) and one.args:
                    web.middleware.append(_short(one.args[0]))
        routes = site.kwargs.get("routes") or site.kwargs.get("route_handlers")
        if routes is None and site.name in (
            "tornado.web.Application",
            "starlette.routing.Router",
            "litestar.Litestar",
            "litestar.app.Litestar",
        ):
            routes = site.args[0] if site.args else None
        if site.name == "starlette.routing.Mount":
            web.prefix = site.args[0] if site.args else Const("")
        if framework == "litserve" and site.args:
            path = site.kwargs.get("api_path", Const("/predict"))
            api = site.args[0]
            if isinstance(api, Inst):
                method = run.class_attribute(api, "predict")
                if isinstance(method, Func):
                    web.routes.append(RawRoute(("POST",), path, Bound(method, api), at))
        self.add_routes(web, routes, site)
        return made

    def default_web(self, site: Site) -> Obj:
        """The application that bottle's own functions belong to."""
        if self.bottle is None:
            self.bottle = self.new_web(replace(site, args=[], kwargs={}), "bottle", is_app=True)
        return self.bottle

    def add_routes(self, web: Web, routes: V | None, site: Site) -> None:
        """Routes given as a list: Starlette, Litestar, Tornado, aiohttp."""
        if routes is None:
            return
        if not isinstance(routes, ListV) or routes.items is None:
            web.complete = False
            return
        at = self.run.at(site.node)
        for one in routes.items:
            if isinstance(one, Obj) and isinstance(one.data, Web):
                web.children.append((Const(""), one))
            elif isinstance(one, Obj) and isinstance(one.data, RawRoute):
                web.routes.append(one.data)
            elif isinstance(one, ListV) and one.items and len(one.items) >= 2:
                web.routes.extend(self.class_routes(one.items[1], one.items[0], at))
            elif isinstance(one, Func):
                pending = getattr(self, "litestar", {}).get(id(one.node))
                if pending is not None:
                    web.routes.append(pending)

    def class_routes(
        self, handler: V, path: V, at: Location, made_with: Arguments | None = None
    ) -> list[RawRoute]:
        """One route per HTTP method that a handler class, or an instance of one, defines."""
        if isinstance(handler, Func | Bound):
            return [RawRoute(("GET",), path, handler, at)]
        if isinstance(handler, Obj) and isinstance(handler.data, Class):
            # What ``View.as_view(…)`` returned: the first argument of Flask's is a name.
            flask = not handler.name.startswith(("django.", "rest_framework."))
            made_with = Arguments(
                args=tuple(handler.args[1:]) if flask else (),
                kwargs=tuple(handler.kwargs.items()),
                attributes=not flask,
            )
            handler = handler.data
        if isinstance(handler, Inst):
            inst = handler
        elif isinstance(handler, Class):
            inst = Inst(handler)
            inst.partial = True
            made_with = made_with or Arguments()
        else:
            return []
        found = []
        run_attribute = self.run.class_attribute
        for name in sorted(tables.HTTP_METHODS):
            method = run_attribute(inst, name)
            if not isinstance(method, Func):
                method = run_attribute(inst, f"on_{name}")  # falcon's responders
            if isinstance(method, Func):
                found.append(
                    RawRoute((name.upper(),), path, Bound(method, inst), at, arguments=made_with)
                )
        initialise = self.run.class_attribute(inst, "initialize")
        if isinstance(initialise, Func):
            self.handlers.append((Bound(initialise, inst), "startup"))
        return found

    # -- calls --

    def web_call(self, site: Site) -> V | None:
        """A call that concerns a web application, a server or a request; None otherwise."""
        name, owner = site.name, site.owner
        framework = tables.APPS.get(name)
        if framework is not None:
            return self.new_web(site, framework, is_app=True)
        if name in tables.ROUTERS:
            router = self.new_web(site, name.partition(".")[0], is_app=False)
            first = site.args[0] if site.args else None
            if isinstance(first, Obj) and isinstance(first.data, Web):
                first.data.children.append((Const(""), router))
            return router
        attr = name.rpartition(".")[2]
        if name in tables.BOTTLE_DEFAULT:
            default = self.default_web(site)
            return self.web_method(site, default, default.data, attr)
        if attr == "as_view" and isinstance(owner, Class):
            view = Obj(name, site.args, site.kwargs, self.run.at(site.node))
            view.data = owner
            return view
        if isinstance(owner, Obj) and isinstance(owner.data, Web):
            result = self.web_method(site, owner, owner.data, attr)
            if result is not None:
                return result
        request = self.request_call(site, attr)
        if request is not None:
            return request
        server = self.server(site, attr)
        if server is not None:
            return server
        if name.startswith(("starlette.routing.", "fastapi.routing.")) and attr in (
            "Route",
            "APIRoute",
            "WebSocketRoute",
        ):
            made = Obj(name, site.args, site.kwargs, self.run.at(site.node))
            made.data = self.raw(site, site.get(0, "path"), site.get(1, "endpoint"), ("GET",))
            return made
        if name.startswith("aiohttp.web.") and attr in tables.HTTP_METHODS:
            made = Obj(name, site.args, site.kwargs, self.run.at(site.node))
            made.data = self.raw(site, site.get(0), site.get(1), (attr.upper(),))
            return made
        if name.startswith("litestar.") and attr in tables.HTTP_METHODS:
            made = Obj(name, site.args, site.kwargs, self.run.at(site.node))
            made.data = self.raw(site, site.get(0, "path"), None, (attr.upper(),))
            return made
        if name.startswith("gradio."):
            return self.gradio(site, attr)
        if name == "pandas.DataFrame" and self.run.phase == Phase.REQUEST:
            self.columns(site)
        return None

    def raw(
        self, site: Site, path: V | None, handler: V | None, methods: tuple[str, ...]
    ) -> RawRoute:
        """A route as registered by this call."""
        given = site.kwargs.get("methods")
        if isinstance(given, ListV) and given.items:
            methods = tuple(
                str(m.value).upper() for m in given.items if isinstance(m, Const)
            ) or methods  # fmt: skip
        response = site.kwargs.get("response_model")
        return RawRoute(
            methods=methods,
            path=path if path is not None else Const("/"),
            handler=handler if handler is not None else Unk("no handler"),
            at=self.run.at(site.node),
            conditional=bool(self.run.guards),
            response_model=response.qualname if isinstance(response, Class) else "",
            response=response if isinstance(response, Class) else None,
        )

    def web_method(self, site: Site, owner: Obj, web: Web, attr: str) -> V | None:
        """A method of an application or router."""
        run = self.run
        registering = Obj(site.name, site.args, site.kwargs, run.at(site.node))
        path = site.get(0, "path", "rule", "uri")
        if attr in tables.HTTP_METHODS and "config" not in site.name:
            registering.data = _Registering(web, self.raw(site, path, None, (attr.upper(),)))
            return registering
        if attr in ("route", "api_route", "websocket", "api"):
            default = ("WEBSOCKET",) if attr == "websocket" else ("GET",)
            if attr == "api":
                path, default = site.kwargs.get("route"), ("POST",)
            registering.data = _Registering(web, self.raw(site, path, None, default))
            return registering
        if attr in ("add_api_route", "add_url_rule", "add_route", "add_api_websocket_route"):
            handler = site.kwargs.get("view_func") or site.kwargs.get("endpoint")
            position = 2 if attr == "add_url_rule" else 1
            if handler is None or isinstance(handler, Const):
                handler = site.get(position)
            if attr == "add_route" and isinstance(site.get(0), Func):  # sanic: handler first
                path, handler = site.get(1), site.get(0)
            if isinstance(handler, Class | Inst) or (
                isinstance(handler, Obj) and isinstance(handler.data, Class)
            ):
                web.routes.extend(self.class_routes(handler, path or Const("/"), run.at(site.node)))
            else:
                web.routes.append(self.raw(site, path, handler, ("GET",)))
            return Const(None)
        if attr == "add_resource":
            given = site.kwargs.get("resource_class_args")
            named = site.kwargs.get("resource_class_kwargs")
            made_with = Arguments(
                args=tuple(given.items or ()) if isinstance(given, ListV) else (),
                kwargs=tuple((str(k), v) for k, v in named.items.items())
                if isinstance(named, DictV)
                else (),
            )
            for one in site.args[1:]:
                at = run.at(site.node)
                web.routes.extend(self.class_routes(site.args[0], one, at, made_with))
            return Const(None)
        if attr in ("include_router", "register_blueprint", "mount", "blueprint", "init_app",
                    "add_namespace", "add_router", "add_subapp", "add_routes", "host"):  # fmt: skip
            self.include(site, owner, web, attr)
            return Const(None)
        if attr in ("add_middleware", "register_middleware"):
            if site.args:
                web.middleware.append(_short(site.args[0]))
                web.open = web.open or _answers(site.args[0], passes_on=1)
            return Const(None)
        if attr in ("middleware", "on_event", "listener", "exception_handler", "errorhandler",
                    "before_first_request", "before_request", "before_serving", "after_request",
                    "teardown_appcontext", "before_server_start", "main_process_start",
                    "after_serving", "context_processor"):  # fmt: skip
            return self.hook(site, registering, web, attr)
        if attr == "add_event_handler" and len(site.args) > 1:
            event = site.args[0]
            hooks = web.startup if isinstance(event, Const) and event.value == "startup" else None
            (web.shutdown if hooks is None else hooks).append(site.args[1])
            return Const(None)
        if attr == "append" and ("on_startup" in site.name or "on_shutdown" in site.name):
            (web.startup if "on_startup" in site.name else web.shutdown).extend(site.args)
            return Const(None)
        if "router.add_" in site.name and attr.startswith("add_") and len(site.args) > 1:
            verb = attr.removeprefix("add_").upper()
            handler = site.args[1]
            if verb == "ROUTE" and len(site.args) > 2:
                first = site.args[0]
                verb = str(first.value).upper() if isinstance(first, Const) else "GET"
                path, handler = site.args[1], site.args[2]
            web.routes.append(self.raw(site, path, handler, (verb,)))
            return Const(None)
        if attr in ("app_context", "test_request_context", "test_client"):
            return Obj(site.name)
        return None

    def hook(self, site: Site, registering: Obj, web: Web, attr: str) -> V:
        first = site.args[0] if site.args else None
        if isinstance(first, Func):  # ``@app.before_first_request`` without a call
            self.attach_hook(web, attr, first)
            return first
        if isinstance(first, Class) and attr == "middleware":
            web.middleware.append(first.qualname)
        kind = attr
        if attr in ("on_event", "listener") and isinstance(first, Const):
            starts = ("startup", "before_server_start", "main_process_start")
            kind = "startup" if first.value in starts else "shutdown"
        registering.data = _Registering(web, None, kind)
        return registering

    def attach_hook(self, web: Web, kind: str, func: V) -> None:
        """A function registered for an event of the application."""
        if kind in ("before_request", "middleware"):
            web.open = web.open or _answers(func, passes_on=int(kind == "middleware"))
        if kind in ("startup", "before_serving", "before_server_start", "main_process_start"):
            web.startup.append(func)
        elif kind in ("shutdown", "after_serving"):
            web.shutdown.append(func)
        elif kind in ("before_first_request", "before_request"):
            web.before.append(func)
        elif kind == "middleware":
            web.middleware.append(getattr(func, "qualname", ""))
            web.before.append(func)

    def include(self, site: Site, owner: Obj, web: Web, attr: str) -> None:
        prefix = site.kwargs.get("prefix") or site.kwargs.get("url_prefix")
        child = site.args[0] if site.args else None
        if attr in ("mount", "add_subapp"):
            prefix = site.get(0, "path")
            child = site.get(1, "app")
        if attr == "add_routes":
            self.add_routes(web, child, site)
            if isinstance(child, Obj) and isinstance(child.data, Web):
                web.children.append((Const(""), child))
            return
        if attr in ("add_namespace", "add_router") and len(site.args) > 1:
            prefix, child = (
                (site.args[1], site.args[0])
                if attr == "add_namespace"
                else (
                    site.args[0],
                    site.args[1],
                )
            )
        if attr == "init_app":
            if isinstance(child, Obj) and isinstance(child.data, Web):
                child.data.children.append((Const(""), owner))
            return
        if isinstance(child, Mod):
            child = child.state.frame.vars.get("router")
        if isinstance(child, Obj) and isinstance(child.data, Web):
            if child is not owner:
                web.children.append((prefix or Const(""), child))
        elif isinstance(child, Obj) and child.name == "prometheus_client.make_asgi_app":
            route = self.raw(site, prefix, Unk("metrics"), ("GET",))
            web.routes.append(route)
        elif not isinstance(child, Obj):
            web.complete = False

    def web_decorate(self, decorator: V, name: str, value: V, node: ast.expr) -> V | None:
        """A decorator that registers with an application; None when it does not."""
        if isinstance(decorator, Obj):
            data = decorator.data
            if isinstance(data, _Registering):
                if data.route is not None:
                    route = data.route
                    self.registered(data.web, decorator, value, node)
                    if isinstance(value, Class):
                        data.web.routes.extend(self.class_routes(value, route.path, route.at))
                    else:
                        data.web.routes.append(
                            RawRoute(
                                route.methods, route.path, value, route.at, route.conditional,
                                route.response_model, route.response,
                            )
                        )  # fmt: skip
                else:
                    self.attach_hook(data.web, data.hook, value)
                return value
            if isinstance(data, RawRoute) and isinstance(value, Func):
                data.handler = value
                if not hasattr(self, "litestar"):
                    self.litestar: dict[int, RawRoute] = {}
                self.litestar[id(value.node)] = data
                return value
        if isinstance(decorator, Ext) and isinstance(decorator.owner, Obj):
            web = decorator.owner.data
            if isinstance(web, Web):
                kind = name.rpartition(".")[2]
                if kind in ("before_first_request", "before_request", "before_serving",
                            "middleware", "after_serving"):  # fmt: skip
                    self.attach_hook(web, kind, value)
                return value
        if name in ("bentoml.service", "ray.serve.deployment") and isinstance(value, Class):
            self.handler_classes.append(value)
            return value
        if name.startswith(("flask.current_app", "functools.wraps", "contextlib.")):
            return value
        return None

    def registered(self, web: Web, call: Obj, value: V, node: ast.expr) -> None:
        """What frameworks refuse at once when a handler is registered."""
        run = self.run
        if not isinstance(value, Func) or isinstance(value.node, ast.Lambda):
            return
        if web.framework == "flask":
            given = call.kwargs.get("endpoint")
            if given is not None and not isinstance(given, Const):
                return
            name = str(given.value) if given is not None else value.node.name
            if given is None and "functools.wraps" in value.decorators:
                return
            before = web.endpoints.setdefault(name, value)
            if before is not value and not run.guards:
                run.fails(
                    node,
                    "AssertionError: View function mapping is overwriting an existing endpoint "
                    f"function: {name}",
                    f"two views of this application are called `{name}`",
                )
        elif web.framework == "fastapi" and "response_model" not in call.kwargs:
            returns = value.node.returns
            shown = run.eval_in(value.state, returns) if returns is not None else None
            if isinstance(shown, Ext) and shown.name in _NO_FIELDS:
                run.fails(
                    returns or node,
                    "fastapi.exceptions.FastAPIError: Invalid args for response field!",
                    f"FastAPI takes the annotation for the response's schema, and `{shown.name}` is "
                    "no type that pydantic knows (`response_model=None` says that it is none)",
                )

    def web_object_call(self, site: Site, callee: V) -> V | None:
        """Calling an object: ``Instrumentator().instrument(app)`` needs nothing here."""
        return None

    # -- gradio --

    def gradio(self, site: Site, attr: str) -> V | None:
        made = Obj(site.name, site.args, site.kwargs, self.run.at(site.node))
        function = site.kwargs.get("fn") or (site.args[0] if site.args else None)
        if attr in ("Interface", "ChatInterface", "click", "submit", "change", "upload", "load"):
            if isinstance(function, Func | Bound):
                self.handlers.append((function, "request"))
            return made
        if attr == "launch" or attr == "queue":
            return None
        return made if attr[:1].isupper() else None

    # -- servers --

    def server(self, site: Site, attr: str) -> V | None:
        """A call that starts a server."""
        name, owner = site.name, site.owner
        entry = tables.SERVERS.get(name)
        head = owner.name if isinstance(owner, Obj) else ""
        host: V | None = None
        port: V | None = None
        target: V | None = None
        if entry is not None:
            target = site.get(0, "app", "application")
            host, port = site.kwargs.get("host"), site.kwargs.get("port")
            if name.endswith((".run_simple",)):
                host, port = site.get(0, "hostname"), site.get(1, "port")
                target = site.get(2, "application")
            elif name.endswith("make_server"):
                host, port, target = site.get(0), site.get(1), site.get(2)
            elif name == "prometheus_client.start_http_server":
                port, host, target = site.get(0, "port"), site.get(1, "addr"), None
            elif name.endswith("Server") and name != "granian.Granian":
                address = site.get(0, "listener", "server_address")
                target = site.get(1, "application")
                if isinstance(address, ListV) and address.items and len(address.items) > 1:
                    host, port = address.items[0], address.items[1]
                elif isinstance(address, Const):
                    host, port = _split_address(address)
            elif name == "waitress.serve" and "listen" in site.kwargs:
                listen = site.kwargs["listen"]
                if isinstance(listen, Const):
                    host, port = _split_address(listen)
            elif name == "granian.Granian":
                host = site.kwargs.get("address")
            elif entry[0] == "cherrypy":
                models: Any = self
                host, port = libraries.cherrypy_address(models)
        elif name in ("uvicorn.Config", "uvicorn.config.Config"):
            entry = tables.SERVERS["uvicorn.run"]
            target = site.get(0, "app")
            host, port = site.get(1, "host"), site.get(2, "port")
        elif (head, attr) in tables.METHOD_SERVERS:
            entry = tables.METHOD_SERVERS[head, attr]
            target = owner
            host, port = site.get(0, "host"), site.get(1, "port")
            if head == "flask_socketio.SocketIO":
                target, host, port = site.get(0), site.get(1, "host"), site.get(2, "port")
            elif head == "litserve.LitServer":
                host, port = site.get(0, "host"), site.get(1, "port")
                if isinstance(host, Const) and isinstance(host.value, int):
                    host, port = site.kwargs.get("host"), host
        elif attr == "launch" and (head.startswith("gradio.") or name.startswith("gradio.")):
            entry = ("gradio", "127.0.0.1", 7860, False)
            host, port = site.kwargs.get("server_name"), site.kwargs.get("server_port")
        elif attr in ("add_insecure_port", "add_secure_port") and site.args:
            entry = ("grpc", None, None, False)
            host, port = _split_address(site.args[0])
        elif attr in ("listen", "bind") and head.startswith("tornado."):
            entry = ("tornado", "0.0.0.0", None, False)
            port, host, target = site.get(0, "port"), site.get(1, "address"), owner
        elif name.startswith("hypercorn.") and attr == "serve":
            entry = ("hypercorn", "127.0.0.1", 8000, False)
            target = site.get(0)
            config = site.get(1)
            bind = config.data.get("bind") if isinstance(config, Obj) and isinstance(
                config.data, dict
            ) else None  # fmt: skip
            first = bind.items[0] if isinstance(bind, ListV) and bind.items else bind
            if isinstance(first, V):
                host, port = _split_address(first)
        if entry is None:
            return None
        self.add_server(site, entry, host, port, target)
        return Obj(name, site.args, site.kwargs, self.run.at(site.node))

    def add_server(
        self,
        site: Site,
        entry: tuple[str, str | None, int | None, bool],
        host: V | None,
        port: V | None,
        target: V | None,
    ) -> None:
        run, sink = self.run, self.run.sink
        tool, default_host, default_port, development = entry
        named = site.kwargs.get("server")
        if tool == "bottle" and isinstance(named, Const) and named.value in tables.BOTTLE_SERVERS:
            module = tables.BOTTLE_SERVERS[str(named.value)]
            fact = Import(at=run.at(site.node), module=module)
            note_import(run, fact, module, "external", "")
        variables = tables.SERVER_VARIABLES.get(tool)
        if variables is not None and tool != "ray":
            models: Any = self
            if host is None or _is_none(host):
                value = run.env.get(variables[0])
                host = Const(value, frozenset({variables[0]})) if isinstance(value, str) else None
            if port is None or _is_none(port):
                value = run.env.get(variables[1])
                if isinstance(value, str):
                    port = models.coerce(Const(value, frozenset({variables[1]})), "int")
                else:
                    port = None
        if tool == "flask" and isinstance(host, Const) and host.value is None:
            host = None
        if isinstance(target, Obj) and isinstance(target.data, Web) and tool == "flask":
            named = target.data.attributes.get("config.SERVER_NAME")
            if host is None and isinstance(named, Const) and isinstance(named.value, str):
                host, other = _split_address(named)
                port = port or other
        wanted = ("reload", "workers", "debug", "log_level", "threaded", "threads", "processes",
                  "factory", "use_reloader", "share", "timeout_keep_alive", "limit_concurrency",
                  "ssl_keyfile", "ssl_certfile", "ssl_context", "uds", "fd", "app_dir", "root_path",
                  "access_log", "channel_timeout", "connection_limit", "log_config", "env_file",
                  "listen", "unix_socket", "auto_reload", "backlog")  # fmt: skip
        options = tuple((k, sink.value(site.kwargs[k])) for k in wanted if k in site.kwargs)
        if tool == "flask" and "debug" not in site.kwargs and len(site.args) > 2:
            options = (*options, ("debug", sink.value(site.args[2])))
        if tool == "uvicorn" and isinstance(target, Obj):
            options = (*options, ("app_object", Value(value=True)))
        sink.add_server(
            Server(
                at=run.at(site.node),
                reach=run.reach(frozenset({"import-error", "key-error"})),
                tool=tool,
                host=self.server_value(host, default_host),
                port=self.server_value(port, default_port),
                target=self.target(target),
                options=options,
                development=development,
            )
        )
        if isinstance(target, Const) and isinstance(target.value, str):
            module = target.value.partition(":")[0]
            if ":" in target.value and module:
                run.follow_target(module, run.at(site.node))

    def server_value(self, value: V | None, default: str | int | None) -> Value:
        if value is None:
            if default is None:
                return Value(value=Unknown("the tool has no default"), is_default=True)
            return Value(value=default, is_default=True)
        return self.run.sink.value(value)

    def target(self, value: V | None) -> str | Unknown:
        if isinstance(value, Const) and isinstance(value.value, str):
            return value.value
        if isinstance(value, Obj) and isinstance(value.data, Web):
            return value.data.names[0] if value.data.names else Unknown("an unnamed application")
        return Unknown("no target" if value is None else reason_of(value))

    # -- serving --

    def serve(self) -> None:
        """Run start-up hooks, then every handler, as a server would."""
        run = self.run
        run.phase = Phase.STARTUP
        for made in list(self.webs):
            web = made.data
            self.start(made, web)
            for hook in web.startup:
                if web.lifespan is not None and web.framework in ("fastapi", "starlette"):
                    answers.unfilled(run, hook)  # only the lifespan is called
                elif isinstance(hook, Func | Bound):
                    run.root(hook, [made])
        for cls in list(self.handler_classes):
            inst = run.root(cls, [])
            if isinstance(inst, Inst):
                starts: tuple[str, ...] = ()
                requests: tuple[str, ...] = ("__call__", "predict", "handle")
                for base in cls.external():
                    starts, requests = tables.HANDLER_CLASSES.get(base, (starts, requests))
                for name, member in cls.names.items():
                    if isinstance(member, Func) and "bentoml.api" in member.decorators:
                        requests = (*requests, name)
                self.instances.append((inst, (starts, requests)))
        for inst, (hooks, _) in list(self.instances):
            for name in hooks:
                method = run.class_attribute(inst, name)
                if isinstance(method, Func):
                    run.root(Bound(method, inst), [])
        for function, when in list(self.handlers):
            if when == "startup":
                run.root(function, [])
        run.phase = Phase.REQUEST
        for made in list(self.webs):
            for hook in made.data.before:
                run.root(hook, [])
        for function, when in list(self.handlers):
            if when == "request":
                run.route = getattr(function, "qualname", "handler")
                run.root(function, [])
        for inst, (_, handled) in list(self.instances):
            for name in handled:
                method = run.class_attribute(inst, name)
                if isinstance(method, Func):
                    run.route = f"{inst.cls.qualname}.{name}"
                    run.root(Bound(method, inst), [])
        done: set[int] = set()
        for made in list(self.webs):
            if made.data.is_app:
                self.serve_app(made, made.data, done)
        for made in list(self.webs):
            if id(made) not in done:
                self.serve_tree(made.data, made, "", done, 0)
        run.route = ""

    def start(self, made: Obj, web: Web) -> None:
        """Run a lifespan up to its ``yield``; what it yields is the state of every request."""
        hook, run = web.lifespan, self.run
        if not isinstance(hook, Func | Bound):
            return
        func = hook.func if isinstance(hook, Bound) else hook
        run.lifespan = id(func.node)
        state = run.root(hook, [made])
        run.lifespan = None
        if isinstance(state, DictV):
            web.state = state

    def serve_app(self, made: Obj, web: Web, done: set[int]) -> None:
        self.serving = made
        self.serve_tree(web, made, "", done, 0)
        self.serving = None

    def serve_tree(
        self, root: Web, made: Obj, prefix: str | None, done: set[int], depth: int
    ) -> None:
        """Handlers of an application or router and of what it includes."""
        web: Web = made.data
        done.add(id(made))
        own = _plain_text(web.prefix)
        base = None if prefix is None or own is None else prefix + own
        for raw in web.routes[:_ROUTES]:
            self.serve_route(root, raw, base)
        if len(web.routes) > _ROUTES or (web.children and depth >= _NESTED):
            self.run.truncated = True
        if depth < _NESTED:
            for extra, child in web.children:
                text = _plain_text(extra)
                inner = None if base is None or text is None else base + text
                self.serve_tree(root, child, inner, done, depth + 1)

    def serve_route(self, root: Web, raw: RawRoute, prefix: str | None) -> None:
        run = self.run
        own = _plain_text(raw.path)
        path: str | Unknown
        if prefix is None or own is None:
            path = Unknown(reason_of(raw.path) if own is None else "the prefix is not known")
        else:
            path = _join(prefix, own)
        label = f"{'|'.join(raw.methods)} {path if isinstance(path, str) else '?'}"
        handler = raw.handler
        func = handler.func if isinstance(handler, Bound) else handler
        self.fields, self.declared, self.request_models = [], False, []
        multipart = False
        run.route = label
        refusal = root.refuses
        if (
            refusal is None
            and root.tokens
            and "POST" in raw.methods
            and not isinstance(handler, Bound)  # classes are exempted where they are decorated
            and libraries.wants_token(func)
        ):
            refusal = (
                "Django wants a CSRF token with every post, and this view reads a body that clients send",
                "403 Forbidden (CSRF cookie not set.)",
            )
        if refusal is not None and "predict" in label.lower() and isinstance(func, Func):
            run.sink.add_failure(
                Failure(at=raw.at, reach=run.reach(), error=refusal[1], because=refusal[0])
            )
        if isinstance(func, Func):
            if raw.arguments is not None and isinstance(handler, Bound):
                self.made_for_request(handler.receiver, raw.arguments)
            args, multipart = self.parameters(func, own or "", bound=isinstance(handler, Bound))
            answer = run.root(handler, [], args)
            if not raw.response_model:
                answers.refuse(run, answer, func, root.framework)
                coroutines.answered(run, func, root.framework)
            if root.framework == "fastapi":
                answers.mismatch(self, answer, func, raw.response)
        route = Route(
            at=raw.at,
            app=root.names[0] if root.names else "",
            methods=raw.methods,
            path=path,
            handler=func.qualname if isinstance(func, Func) else "",
            handler_at=func.state.places.at(func.node) if isinstance(func, Func) else raw.at,
            is_async=isinstance(func, Func) and func.is_async,
            declared=self.declared,
            models=tuple(dict.fromkeys(self.request_models)),
            fields=tuple(dict.fromkeys(self.fields)),
            needs_multipart=multipart,
            response_model=raw.response_model,
            kind=_kind(path, func),
            conditional=raw.conditional,
        )
        self.routes_done.append((root, route))
        run.route = ""

    # -- Django --

    def django(self, site: Site) -> V:
        """A Django project: settings, then the URL configuration, then the views."""
        run = self.run
        made = self.new_web(site, "django", is_app=True)
        name = run.env.get("DJANGO_SETTINGS_MODULE")
        text = name.value if isinstance(name, Const) else name
        if name is None and not self.django_done and run.program.unset("DJANGO_SETTINGS_MODULE"):
            self._unconfigured(site)
        if not isinstance(text, str) or self.django_done:
            return made
        self.django_done = True
        settings = run.load(text)
        if settings is None:
            return made
        made.data.debug = settings.frame.vars.get("DEBUG")
        models: Any = self
        closed, tokens = libraries.django_settings(models, settings.frame.vars, made.data.at)
        if closed:
            made.data.refuses = (
                "`ALLOWED_HOSTS` is empty and DEBUG is off, so no request is let in",
                "DisallowedHost: Invalid HTTP_HOST header",
            )
        made.data.tokens = tokens
        root = settings.frame.vars.get("ROOT_URLCONF")
        if isinstance(root, Const) and isinstance(root.value, str):
            self.urls(made.data, root.value, "", 0)
        return made

    def _unconfigured(self, site: Site) -> None:
        """``get_wsgi_application()`` where nothing names the settings."""
        state = self.run.frame.state if self.run.frame is not None else None
        tree = state.facts.tree if state is not None and state.facts is not None else None
        calls = ast.walk(tree) if tree is not None else ()
        if tree is None or any(
            isinstance(n, ast.Attribute) and n.attr == "configure" for n in calls
        ):
            return
        self.run.fails(
            site.node,
            "django.core.exceptions.ImproperlyConfigured: Requested settings, but settings are not "
            "configured",
            "nothing sets DJANGO_SETTINGS_MODULE, neither the image nor this module",
        )

    def urls(self, web: Web, module: str, prefix: str, depth: int) -> None:
        """The routes of a ``urlpatterns`` list."""
        state = self.run.load(module)
        if state is None or depth > 5:
            web.complete = False
            return
        patterns = state.frame.vars.get("urlpatterns")
        if not isinstance(patterns, ListV) or patterns.items is None:
            web.complete = False
            return
        for one in patterns.items:
            if not isinstance(one, Obj) or len(one.args) < 2:
                continue
            path = _plain_text(one.args[0])
            target = one.args[1]
            full = None if path is None else f"{prefix}/{path}".replace("//", "/")
            if isinstance(target, Obj) and target.name.endswith(".include") and target.args:
                inner = target.args[0]
                if isinstance(inner, Const) and isinstance(inner.value, str):
                    self.urls(web, inner.value, full or "", depth + 1)
                continue
            shown: V = Unk("a pattern") if full is None else Const(full)
            at = one.at or web.at
            if isinstance(target, Obj) and isinstance(target.data, Class):
                web.routes.extend(self.class_routes(target, shown, at))
            elif isinstance(target, Obj) and target.args == [] and target.name.endswith("as_view"):
                web.complete = False
            else:
                web.routes.append(RawRoute(("GET", "POST"), shown, target, at))

    def apps(self) -> list[WebApp]:
        """The applications of the run, with their routes."""
        found: list[WebApp] = []
        for made in self.webs:
            web: Web = made.data
            if not web.is_app:
                continue
            routes = tuple(route for root, route in self.routes_done if root is web)
            twin = next((a for a in found if a.at == web.at), None)
            if twin is not None:  # the same file, imported again under another name
                names = tuple(dict.fromkeys((*twin.names, *web.names)))
                known = {(r.at, r.label) for r in twin.routes}
                more = tuple(r for r in routes if (r.at, r.label) not in known)
                merged = replace(twin, names=names, routes=twin.routes + more)
                found[found.index(twin)] = merged
                continue
            found.append(
                WebApp(
                    at=web.at,
                    reach=web.reach,
                    name=web.names[0] if web.names else "",
                    framework=web.framework,
                    names=tuple(web.names),
                    routes=routes,
                    middleware=tuple(web.middleware),
                    lifespan=getattr(web.lifespan, "qualname", ""),
                    startup=tuple(getattr(h, "qualname", "") for h in web.startup),
                    shutdown=tuple(getattr(h, "qualname", "") for h in web.shutdown),
                    debug=None if web.debug is None else self.run.sink.value(web.debug),
                    complete=web.complete,
                    open=web.open,
                    response_class=_short(made.kwargs.get("default_response_class", Const(None))),
                )
            )
        return found


# Libraries that take an application and add no route to it.
_ADDS_NOTHING = frozenset(
    {"CORS", "Compress", "Limiter", "Mangum", "Migrate", "SQLAlchemy", "Session", "Talisman", "TestClient",
     "Config", "Server", "instrument_app", "run", "run_simple", "serve"}
)  # fmt: skip


def handed_over(site: Site) -> None:
    """An application is given to a call that is not followed: it may get routes there."""
    if site.name.rpartition(".")[2] in _ADDS_NOTHING:
        return
    for value in (*site.args, *site.kwargs.values()):
        if isinstance(value, Obj) and isinstance(value.data, Web) and value.data.is_app:
            value.data.open = True


def _answers(hook: V, *, passes_on: int) -> bool:
    """Whether a function or class that sees every request may answer one by itself.

    ``passes_on``: how many times it returns something where it only passes requests on.
    """
    if not isinstance(hook, Func | Class):
        return False
    returns = [n for n in ast.walk(hook.node) if isinstance(n, ast.Return) and n.value is not None]
    return len(returns) > passes_on


def _short(value: V) -> str:
    if isinstance(value, Ext):
        return value.name
    return getattr(value, "qualname", "") or ""


def _is_none(value: V) -> bool:
    return isinstance(value, Const) and value.value is None


def _plain_text(value: V) -> str | None:
    return value.value if isinstance(value, Const) and isinstance(value.value, str) else None


def _join(prefix: str, path: str) -> str:
    joined = f"{prefix}{path}" if path.startswith("/") or not path else f"{prefix}/{path}"
    joined = re.sub(r"/{2,}", "/", joined)
    return joined if joined.startswith("/") else f"/{joined}"


def _kind(path: str | Unknown, func: V) -> str:
    names = [path] if isinstance(path, str) else []
    for text in names:
        for kind, pattern in _KINDS:
            if pattern.search(text):
                return kind
    if isinstance(func, Func):
        name = func.qualname.rpartition(".")[2]
        for kind, pattern in _KINDS:
            if kind == "predict" and pattern.search(name):
                return kind
    return "other"


def _split_address(value: V) -> tuple[V, V]:
    """``host:port`` as two values."""
    if isinstance(value, Const) and isinstance(value.value, str):
        host, colon, port = value.value.split(" ")[0].rpartition(":")
        if colon and port.isdigit():
            return (
                Const(host.strip("[]") or "0.0.0.0", value.deps, value.origin),
                Const(int(port), value.deps, value.origin),
            )
        return Const(value.value, value.deps, value.origin), Unk("no port is given")
    unknown = Unk(reason_of(value))
    return unknown, unknown
