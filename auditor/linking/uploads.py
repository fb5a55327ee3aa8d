"""Where code unpickles what a request or the network brings: followed through the syntax tree.

Sources are uploaded files, request bodies, sockets and downloads that are held in memory; a path is
followed once such content was written to it. Names that a request gives are not content: which of its
own files a service opens is another question.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache

from auditor.parsers.python.facts import ModuleFacts
from auditor.source import Location
from auditor.values import field, record, value

# Loaders of bytes, and of paths or file objects; the option that makes one of them harmful.
_OF_BYTES = frozenset(
    {"pickle.loads", "_pickle.loads", "cPickle.loads", "pickle5.loads", "dill.loads", "cloudpickle.loads",
     "marshal.loads", "jsonpickle.decode", "jsonpickle.loads", "pyspark.serializers.CloudPickleSerializer.loads",
     "srsly.pickle_loads"}
)  # fmt: skip
_OF_FILES = frozenset(
    {"pickle.load", "_pickle.load", "cPickle.load", "dill.load", "cloudpickle.load", "joblib.load", "pickle.Unpickler",
     "pandas.read_pickle", "sklearn.externals.joblib.load", "torch.load", "numpy.load", "yaml.unsafe_load",
     "yaml.load", "marshal.load", "compress_pickle.load"}
)  # fmt: skip
_NEEDS = {
    "torch.load": ("weights_only", (False,)),
    "numpy.load": ("allow_pickle", (True,)),
    "yaml.load": ("Loader", ("yaml.Loader", "yaml.UnsafeLoader", "yaml.CLoader")),
}
_SAFER = {
    "torch.load": "Load it with `weights_only=True`, or take safetensors.",
    "numpy.load": "Load it without `allow_pickle`.",
    "yaml.load": "Use `yaml.safe_load`.",
    "yaml.unsafe_load": "Use `yaml.safe_load`.",
}
_ADVICE = (
    "Take a format without code (JSON, CSV, Parquet, safetensors, ONNX, skops), or only files whose "
    "signature was checked first."
)

# What a call of the network gives: what stands for the content of the answer.
_ANSWERS = frozenset(
    {"requests.get", "requests.post", "requests.request", "httpx.get", "httpx.post", "urllib.request.urlopen", "urllib2.urlopen",
     "urllib.urlopen", "requests.Session.get"}
)  # fmt: skip
_ANSWERED = frozenset({"content", "raw", "read", "body", "iter_content", "iter_bytes", "aread"})
_UPLOADER = frozenset({"streamlit.file_uploader", "streamlit.sidebar.file_uploader"})
# Attributes and methods of a request that hold content, whatever the framework.
_BODIES = frozenset(
    {"files", "FILES", "data", "get_data", "stream", "body", "read", "content", "post", "multipart", "get_json", "json", "form",
     "values", "POST", "rfile", "bounded_stream", "media", "file", "raw_body"}
)  # fmt: skip
# Text of a form or a document: only what loads bytes takes it as content.
_TEXTUAL = frozenset({"get_json", "json", "form", "values", "POST", "args", "media"})
# Methods and functions whose result is what they were given, in another shape.
_KEEPS = frozenset(
    {"read", "getvalue", "decode", "encode", "get", "getlist", "pop", "getbuffer", "tobytes", "readlines", "readall", "chunks", "iter_content",
     "strip", "split", "values", "items", "seek", "aread", "copy", "download_as_bytes", "download_as_string", "getfirst", "get_bytes", "iter_chunks", "join"}
)  # fmt: skip
_SHAPES = frozenset(
    {"io.BytesIO", "BytesIO", "bytes", "bytearray", "memoryview", "base64.b64decode", "base64.decodebytes", "base64.urlsafe_b64decode",
     "base64.standard_b64decode", "binascii.unhexlify", "bytes.fromhex", "zlib.decompress", "gzip.decompress", "gzip.open", "bz2.decompress", "lzma.decompress",
     "gzip.GzipFile", "io.BufferedReader", "codecs.decode", "list", "next", "iter", "str", "json.loads", "zipfile.ZipFile", "tarfile.open", "cgi.FieldStorage",
     "asyncio.run", "asgiref.sync.async_to_sync"}
)  # fmt: skip
_CHECKS = ("hmac.", "nacl.", "itsdangerous.", "cryptography.", "jwt.", "sigstore.", "gnupg.")
_OBJECT_STORE = frozenset(
    {
        "download_as_bytes",
        "download_as_string",
        "readall",
        "content_as_bytes",
        "recv",
        "recv_pyobj",
        "recvall",
        "recv_multipart",
    }
)
# What an upload says of itself, which is no content.
_LABELS = frozenset(
    {
        "filename",
        "content_type",
        "headers",
        "size",
        "mimetype",
        "status_code",
        "url",
        "name",
        "type",
    }
)
_OPENERS = frozenset(
    {
        "open",
        "io.open",
        "aiofiles.open",
        "anyio.open_file",
        "builtins.open",
        "gzip.open",
        "bz2.open",
        "lzma.open",
        "os.fdopen",
    }
)
_PATHS = frozenset({"str", "pathlib.Path", "os.fspath", "os.path.abspath", "os.path.realpath"})
_REQUESTS = frozenset(
    {"flask.request", "bottle.request", "quart.request", "sanic.request", "flask.globals.request"}
)
_DEPTH = 3
_MOST = 400


@value
class Untrusted:
    """A load of what comes from outside, and where that enters."""

    at: Location
    loader: str
    source: str
    source_at: Location
    # ``request`` or ``network``.
    kind: str
    advice: str


@value
class _Taint:
    """Content from outside: where it enters, and whether it was written to what is named here."""

    source: str
    at: Location
    kind: str
    textual: bool = False
    written: bool = False


@record
class _State:
    """What a function holds so far, by the text of the expressions that it is reached by."""

    held: dict[str, _Taint] = field(default_factory=dict)
    # The expression behind a variable; the path behind a file object.
    same: dict[str, str] = field(default_factory=dict)
    opened: dict[str, ast.expr] = field(default_factory=dict)
    requests: set[str] = field(default_factory=set)


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def untrusted_loads(
    modules: Mapping[str, ModuleFacts], *, torch_executes: bool = False
) -> Iterator[Untrusted]:
    """The loads in these modules, each once; ``torch_executes``: torch before 2.6 is installed."""
    if not any(map(_worth, modules.values())):
        return
    project = _Project(modules, torch_executes)
    seen: set[Location] = set()
    for module, scope in project.leading_to_a_load():
        for found in module.scope(scope, {}):
            if found.at not in seen:
                seen.add(found.at)
                yield found


def _worth(facts: ModuleFacts) -> bool:
    """Whether a module loads anything in a way that matters here."""
    return facts.tree is not None and any(i.top in _TOPS for i in facts.imports)


_TOPS = frozenset(name.partition(".")[0] for name in _OF_BYTES | _OF_FILES)
_LASTS = frozenset(name.rpartition(".")[2] for name in _OF_BYTES | _OF_FILES)


class _Project:
    """The modules of a service, and which function a call means."""

    def __init__(self, modules: Mapping[str, ModuleFacts], torch_executes: bool) -> None:
        self.torch_executes = torch_executes
        self.modules = {
            path: _Module(path, facts, facts.tree, self)
            for path, facts in modules.items()
            if facts.tree is not None
        }
        self.named: dict[str, list[tuple[_Module, _Function]]] = {}
        for module in self.modules.values():
            for function in module.functions:
                self.named.setdefault(function.name, []).append((module, function))
        self.steps = 0

    def leading_to_a_load(self) -> Iterator[tuple[_Module, ast.Module | _Function]]:
        """The scopes that load, or name a function that leads to one: the others need no look."""
        chosen: set[int] = set()
        wanted: set[str] = set()
        loading = [module for module in self.modules.values() if module.names & _LASTS]
        scopes = [
            (module, scope)
            for module in loading
            for scope in (module.tree, *module.functions)
            if any(name in _OF_BYTES or name in _OF_FILES for name in module.mentions(scope))
        ]
        while scopes:
            chosen |= {id(scope) for _, scope in scopes}
            wanted |= {scope.name for _, scope in scopes if not isinstance(scope, ast.Module)}
            scopes = [
                (module, scope)
                for module in self.modules.values()
                if module.names & wanted
                for scope in (module.tree, *module.functions)
                if id(scope) not in chosen
                and any(name.rpartition(".")[2] in wanted for name in module.mentions(scope))
            ]
        for module in self.modules.values():
            for scope in (module.tree, *module.functions):
                if id(scope) in chosen:
                    yield module, scope

    def function(self, module: _Module, func: ast.expr) -> tuple[_Module, _Function] | None:
        """The one function of the project that is called so; None when it is not certain."""
        if isinstance(func, ast.Name):
            full = module.aliases.get(func.id, "")
            name = full.rpartition(".")[2] or func.id
            found = self.named.get(name, [])
            home = full.rpartition(".")[0].replace(".", "/").strip("/")
            found = [
                (m, f)
                for m, f in found
                if (m is module if not full else m.path.removesuffix(".py").endswith(home))
            ]
        elif isinstance(func, ast.Attribute):
            found = self.named.get(func.attr, [])
        else:
            return None
        return found[0] if len(found) == 1 else None


class _Surface:
    """What a module defines, imports and names; the same for every service that has it."""

    def __init__(self, tree: ast.Module) -> None:
        self.functions: list[_Function] = []
        self.aliases: dict[str, str] = {}
        # The last word of everything that is named here, imports by their own names.
        self.names: set[str] = set()
        self._mentions: dict[int, frozenset[str]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                self.names.add(node.attr)
            elif isinstance(node, ast.Name):
                self.names.add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions.append(node)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    self.aliases[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.aliases[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
                    self.names.add(alias.name)

    def mentions(self, scope: ast.Module | _Function) -> frozenset[str]:
        """Canonical names in a scope; the last word alone of what hangs on an expression."""
        found = self._mentions.get(id(scope))
        if found is None:
            names = {
                self.dotted(node) or getattr(node, "attr", "")
                for node in ast.walk(scope)
                if isinstance(node, ast.Attribute | ast.Name)
            }
            found = self._mentions[id(scope)] = frozenset(names)
        return found

    def dotted(self, node: ast.AST) -> str:
        """The canonical name of an expression of names and attributes; empty for others."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.aliases.get(node.id, node.id))
        return ".".join(reversed(parts))


@lru_cache(maxsize=512)
def _surface(tree: ast.Module) -> _Surface:
    return _Surface(tree)


class _Module:
    """Follows content through the functions of one module, statement by statement."""

    def __init__(self, path: str, facts: ModuleFacts, tree: ast.Module, project: _Project) -> None:
        self.path = path
        self.tree = tree
        self.project = project
        self.places = facts.places
        surface = _surface(tree)
        self.functions = surface.functions
        self.aliases = surface.aliases
        self.names = surface.names
        self.dotted = surface.dotted
        self.mentions = surface.mentions

    def at(self, node: ast.AST) -> Location:
        """The place of a node."""
        if self.places is not None and hasattr(self.places, "at"):
            found: Location = self.places.at(node)
            return found
        return Location(path=self.path, line=getattr(node, "lineno", 1))

    # -- one function -----------------------------------------------------------------------------

    def scope(
        self, scope: ast.Module | _Function, given: Mapping[str, _Taint], depth: int = 0
    ) -> Iterator[Untrusted]:
        """What a scope loads, when these of its parameters hold content from outside."""
        state = _State(
            held=dict(given),
            requests={name for name, full in self.aliases.items() if full in _REQUESTS},
        )
        if not isinstance(scope, ast.Module):
            if self._checked(scope):
                return
            self._parameters(scope, state)
        yield from self._block(scope.body, state, depth)

    def _parameters(self, scope: _Function, state: _State) -> None:
        own = scope.args
        plain = [*own.posonlyargs, *own.args]
        defaults = dict(zip((a.arg for a in reversed(plain)), reversed(own.defaults), strict=False))
        defaults |= {
            a.arg: d for a, d in zip(own.kwonlyargs, own.kw_defaults, strict=True) if d is not None
        }
        for argument in (*plain, *own.kwonlyargs):
            annotation = ast.unparse(argument.annotation) if argument.annotation else ""
            default = defaults.get(argument.arg)
            asked = self.dotted(default.func) if isinstance(default, ast.Call) else ""
            if (
                "UploadFile" in annotation
                or asked.rpartition(".")[2] == "File"
                or ("bytes" in annotation and ("File(" in annotation or asked.endswith("Body")))
            ):
                state.held.setdefault(
                    argument.arg,
                    _Taint(
                        source=f"the upload `{argument.arg}`", at=self.at(argument), kind="request"
                    ),
                )
            elif argument.arg in ("request", "req") and _is_request(annotation):
                state.requests.add(argument.arg)

    def _checked(self, scope: _Function) -> bool:
        """A signature or a checksum is looked at in the same function."""
        for node in ast.walk(scope):
            if isinstance(node, ast.Call):
                name = self.dotted(node.func)
                last = name.rpartition(".")[2].lower()
                if name.startswith((*_CHECKS, "hashlib.")) or "verify_sig" in last:
                    return True
        return False

    def _block(self, body: list[ast.stmt], state: _State, depth: int) -> Iterator[Untrusted]:
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            yield from self._statement(statement, state, depth)

    def _statement(self, node: ast.stmt, state: _State, depth: int) -> Iterator[Untrusted]:
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                yield from self._expression(item.context_expr, state, depth)
                if item.optional_vars is not None:
                    self._bind(item.optional_vars, item.context_expr, state)
        elif isinstance(node, ast.For | ast.AsyncFor):
            yield from self._expression(node.iter, state, depth)
            self._bind(node.target, node.iter, state)
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    yield from self._expression(child, state, depth)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                self._bind(target, node.value, state)
        elif isinstance(node, ast.AugAssign):
            added = self.content(node.value, state)
            if added is not None:
                state.held[_key(node.target)] = added
        for block in ("body", "orelse", "finalbody"):
            yield from self._block(getattr(node, block, []), state, depth)
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from self._block(part.body, state, depth)

    def _bind(self, target: ast.expr, value: ast.expr, state: _State) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self._bind(part, value, state)
            return
        key = _key(target)
        for table in (state.held, state.same, state.opened):
            table.pop(key, None)
        value = _bare(value)
        taint = self.content(value, state)
        if taint is not None:
            state.held[key] = taint
        opened = self._opens(value)
        if opened is not None:
            state.opened[key] = opened
        else:
            state.same[key] = _key(value)

    def _opens(self, value: ast.expr) -> ast.expr | None:
        """The path of the file that an expression opens."""
        if not isinstance(value, ast.Call):
            return None
        if self.dotted(value.func) in _OPENERS:
            return value.args[0] if value.args else None
        if isinstance(value.func, ast.Attribute) and value.func.attr == "open":
            return value.func.value
        return None

    # -- expressions ------------------------------------------------------------------------------

    def _expression(self, node: ast.expr, state: _State, depth: int) -> Iterator[Untrusted]:
        """Loads and writes of an expression, the inner calls first."""
        calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
        for call in reversed(calls):
            self._write(call, state)
            yield from self._load(call, state)
            yield from self._enter(call, state, depth)

    def _write(self, call: ast.Call, state: _State) -> None:
        """Content that is written to a path or a file object."""
        if not isinstance(call.func, ast.Attribute):
            return
        base, attr = call.func.value, call.func.attr
        if attr in ("write", "writelines", "write_bytes", "send") and call.args:
            self._lies(base, self.content(call.args[0], state), state)
        elif attr == "save" and call.args:
            self._lies(call.args[0], self.content(base, state), state)
        elif attr in ("copyfileobj", "copyfile", "copy", "move") and len(call.args) > 1:
            self._lies(call.args[1], self.content(call.args[0], state), state)
        elif attr in ("download_fileobj", "download_to_file") and call.args:
            found = _Taint(source=f"`{attr}`", at=self.at(call), kind="network")
            self._lies(call.args[-1], found, state)

    def _lies(self, where: ast.expr, taint: _Taint | None, state: _State) -> None:
        """It lies at this path, or in this file object and at the path that it was opened with."""
        if taint is None:
            return
        written = _Taint(source=taint.source, at=taint.at, kind=taint.kind, written=True)
        where = _bare(where)
        keys = [_key(where)]
        if isinstance(where, ast.Call) and self.dotted(where.func) in _PATHS and where.args:
            keys.append(_key(where.args[0]))
        opened = state.opened.get(keys[0])
        if opened is not None:
            self._lies(opened, taint, state)
        for key in keys:
            state.held[key] = written
            if key in state.same:
                state.held[state.same[key]] = written

    def _load(self, call: ast.Call, state: _State) -> Iterator[Untrusted]:
        loader, arguments = self.dotted(call.func), call.args
        if loader not in _OF_BYTES and loader not in _OF_FILES:
            # run_in_executor(None, pickle.loads, data) and the like.
            handed = [
                n for n, part in enumerate(arguments) if self.dotted(part) in _OF_BYTES | _OF_FILES
            ]
            if not handed:
                return
            loader, arguments = self.dotted(arguments[handed[0]]), arguments[handed[0] + 1 :]
        if not arguments or not self._harmful(loader, call):
            return
        taint = self.content(arguments[0], state)
        if taint is None or (taint.textual and loader in _OF_FILES and not taint.written):
            return
        yield Untrusted(
            at=self.at(call),
            loader=loader,
            source=taint.source,
            source_at=taint.at,
            kind=taint.kind,
            advice=_SAFER.get(loader, _ADVICE),
        )

    def _harmful(self, loader: str, call: ast.Call) -> bool:
        """Whether the options of the call let the content run."""
        if loader not in _NEEDS:
            return True
        name, wanted = _NEEDS[loader]
        option = next((k.value for k in call.keywords if k.arg == name), None)
        if option is None and loader == "yaml.load" and len(call.args) > 1:
            option = call.args[1]
        if option is None:
            return loader == "torch.load" and self.project.torch_executes
        if isinstance(option, ast.Constant):
            return option.value in wanted
        return self.dotted(option) in wanted

    def _enter(self, call: ast.Call, state: _State, depth: int) -> Iterator[Untrusted]:
        """A function of the project that is handed content."""
        if depth >= _DEPTH or self.project.steps >= _MOST or not (call.args or call.keywords):
            return
        given = [self.content(a, state) for a in call.args]
        named = {k.arg: self.content(k.value, state) for k in call.keywords if k.arg}
        if not any(given) and not any(named.values()):
            return
        found = self.project.function(self, call.func)
        if found is None:
            return
        module, function = found
        self.project.steps += 1
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        if names and names[0] in ("self", "cls"):
            names = names[1:]
        held = {
            n: t for n, t in (*zip(names, given, strict=False), *named.items()) if t is not None
        }
        yield from module.scope(function, held, depth + 1)

    # -- what an expression holds -------------------------------------------------------------------

    def content(self, node: ast.expr, state: _State) -> _Taint | None:
        """Where the content of an expression comes from; None for what is not from outside."""
        node = _bare(node)
        key = _key(node)
        taint = state.held.get(key) or state.held.get(state.same.get(key, ""))
        if taint is not None:
            return taint
        if isinstance(node, ast.Attribute):
            return self._attribute(node, state)
        if isinstance(node, ast.Subscript):
            return self.content(node.value, state)
        if isinstance(node, ast.Call):
            return self._called(node, state)
        if isinstance(node, ast.IfExp):
            return self.content(node.body, state) or self.content(node.orelse, state)
        if isinstance(node, ast.BoolOp):
            return next(filter(None, (self.content(v, state) for v in node.values)), None)
        return None

    def _attribute(self, node: ast.Attribute, state: _State) -> _Taint | None:
        base, attr = _bare(node.value), node.attr
        if self._is_request(base, state) and attr in _BODIES:
            return _Taint(
                source=f"`{ast.unparse(node)}`",
                at=self.at(node),
                kind="request",
                textual=attr in _TEXTUAL,
            )
        taint = self.content(base, state)
        if taint is not None and (taint.written if attr in _LABELS else True):
            return taint
        if isinstance(base, ast.Call) and self.dotted(base.func) in _ANSWERS and attr in _ANSWERED:
            return self._answer(base)
        if attr in _ANSWERED and isinstance(base, ast.Name):
            answer = state.same.get(base.id, "")
            name, _, rest = answer.partition("(")[0].partition(".")
            if f"{self.aliases.get(name, name)}.{rest}".rstrip(".") in _ANSWERS:
                return _Taint(source=f"`{answer[:80]}`", at=self.at(base), kind="network")
        return None

    def _answer(self, node: ast.AST) -> _Taint:
        return _Taint(source=f"`{ast.unparse(node)[:80]}`", at=self.at(node), kind="network")

    def _is_request(self, node: ast.expr, state: _State) -> bool:
        if isinstance(node, ast.Name):
            return node.id in state.requests
        return isinstance(node, ast.Attribute) and ast.unparse(node) == "self.request"

    def _called(self, node: ast.Call, state: _State) -> _Taint | None:
        name = self.dotted(node.func)
        if name in _UPLOADER:
            return _Taint(source=f"`{name}`", at=self.at(node), kind="request")
        opened = self._opens(node)
        if opened is not None:
            taint = self.content(opened, state)
            return taint if taint is not None and taint.written else None
        if name in _SHAPES or name in _PATHS:
            inner = (self.content(a, state) for a in node.args)
            return next(filter(None, inner), None)
        if isinstance(node.func, ast.Attribute):
            attr = node.func.attr
            if attr in _OBJECT_STORE or attr == "get_object":
                return self._answer(node)
            if attr in _KEEPS or attr in _BODIES:
                return self._attribute(node.func, state)
        return None


def _bare(node: ast.expr) -> ast.expr:
    """An expression without what does not change its value."""
    while isinstance(node, ast.Await | ast.Starred | ast.NamedExpr):
        node = node.value
    return node


def _key(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)


def _is_request(annotation: str) -> bool:
    """A parameter ``request`` is the framework's, unless its type is a model of the project."""
    return not annotation or annotation.rpartition(".")[2] in (
        "Request",
        "HttpRequest",
        "WSGIRequest",
    )
