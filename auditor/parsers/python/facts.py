"""What Python source says, as values: per file (``ModuleFacts``) and per run (``Trace``).

Checks read these and never the syntax tree. Everything that happens carries the place
where it stands (``at``) and a ``Reach``: when it happens and how surely.
"""

from __future__ import annotations

import ast
import enum

from auditor.source import Location, Problem, Unknown
from auditor.values import field, value

Scalar = str | int | float | bool | bytes | None


class Phase(enum.IntEnum):
    """When code runs, counted from the start of the process."""

    IMPORT = 0  # module level of the entry module and of what it imports
    MAIN = 1  # under ``if __name__ == "__main__"``, when the entry is run as a script
    STARTUP = 2  # server start-up hooks: lifespan, on_event("startup"), application factory
    REQUEST = 3  # route handlers and what they call
    UNREACHED = 4  # nothing that the entry runs leads here

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def before_serving(self) -> bool:
        """Failing here means that the service does not start."""
        return self <= Phase.STARTUP


# Guards of what follows a statement that may have left the function.
LEFT_EARLY = frozenset({"early-return", "missing-return"})


@value
class Reach:
    """When and how surely something happens.

    ``certain``: it happens on every run that gets that far (no undecided condition, no handler
    that swallows the failure). ``guards`` says what stands between: ``if``, ``loop``, ``try``
    (a handler continues), ``exists`` / ``missing`` (a test of a path), ``import-error``,
    ``type-checking``, ``platform``, ``version``, ``early-return`` (``missing-return`` where that
    is for want of a path), ``thread``.
    ``cached``: done once and kept (``lru_cache``, ``if model is None``), also in a request.
    """

    phase: Phase = Phase.IMPORT
    certain: bool = True
    guards: tuple[str, ...] = ()
    module: str = ""
    function: str = ""  # qualified name of the enclosing function; empty at module level
    via: tuple[Location, ...] = ()  # the calls that led here, outermost first
    cached: bool = False
    in_async: bool = False  # runs on the event loop (async def, not handed to an executor)
    route: str = ""  # the route whose handler leads here, as "METHOD /path"


@value
class Value:
    """An evaluated expression: one value, several possible ones, or Unknown with the reason.

    ``choices`` lists every possibility when there are several (then ``value`` is Unknown); an
    Unknown inside ``choices`` means "or something else". ``depends`` names the environment
    variables (``MODEL_PATH``) and configuration files (``file:/app/config.yaml``) it came through.
    ``origin`` is the literal in the source that gave the value, where there is one.
    """

    value: Scalar | Unknown
    choices: tuple[Scalar | Unknown, ...] = ()
    depends: tuple[str, ...] = ()
    origin: Location | None = None
    is_default: bool = False  # not written in the source: the tool's own default

    @property
    def known(self) -> bool:
        return not isinstance(self.value, Unknown)

    @property
    def text(self) -> str | None:
        """The value when it is one known string."""
        return self.value if isinstance(self.value, str) else None


@value
class PathValue:
    """A path that code uses.

    ``text`` is what is passed to the call; ``resolved`` the absolute, normalised POSIX path in
    the image. ``base``: ``absolute``, ``cwd`` (relative to the working directory), ``file``
    (derived from ``__file__``), ``temp``, ``home``, ``url``, ``hub`` (a model hub's name) or
    ``unknown``. ``choices`` are all possible resolved paths when there are several.
    """

    text: str | Unknown
    resolved: str | Unknown
    base: str
    choices: tuple[str | Unknown, ...] = ()
    depends: tuple[str, ...] = ()
    origin: Location | None = None

    @property
    def known(self) -> bool:
        return isinstance(self.resolved, str)


@value
class Import:
    """One imported module. ``module`` is absolute unless ``level`` > 0 (relative import).

    ``guards`` as in ``Reach``; ``function`` is where a lazy import stands; ``names`` are those of
    a ``from`` import (``*`` included). ``dynamic``: through ``importlib.import_module``.
    """

    at: Location
    module: str
    level: int = 0
    names: tuple[str, ...] = ()
    function: str = ""
    guards: tuple[str, ...] = ()
    dynamic: bool = False

    @property
    def top(self) -> str:
        """The top-level name; empty for a relative import."""
        return "" if self.level else self.module.partition(".")[0]


@value
class SyntaxNeed:
    """A construct that needs at least this Python; ``when`` is ``parse`` or ``run``."""

    at: Location
    python: tuple[int, int]
    construct: str
    when: str = "parse"


@value
class Refused:
    """Source that the reading Python's parser, ``newest``, does not take; nor does an older one."""

    at: Location
    error: str
    newest: tuple[int, int]

    def by(self, python: tuple[int, int]) -> bool:
        """Whether that Python is sure to refuse it too: a newer one may know the syntax."""
        # Before 3.7 `async` and `await` were names.
        return python >= (3, 7) and (python <= self.newest or self.error.startswith("Indentation"))


@value
class Parameter:
    """A parameter of a function, or a field of a class body (annotations as written)."""

    name: str
    annotation: str = ""
    default: str | None = None
    at: Location


@value
class FunctionFact:
    """A function or method. ``qualname`` is dotted through classes and outer functions."""

    at: Location
    name: str
    qualname: str
    is_async: bool
    is_generator: bool = False
    parameters: tuple[Parameter, ...] = ()
    decorators: tuple[str, ...] = ()
    returns: str = ""
    statements: int = 0


@value
class ClassFact:
    """A class. ``fields`` are the annotated names of its body."""

    at: Location
    name: str
    qualname: str
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    fields: tuple[Parameter, ...] = ()


@value
class RawCall:
    """A call of something imported (or a builtin that touches the outside), by canonical name.

    ``name`` has import aliases resolved (``np.load`` → ``numpy.load``). Arguments are the
    literal values, Unknown where they are not literals.
    """

    at: Location
    name: str
    function: str = ""
    arguments: tuple[Scalar | Unknown, ...] = ()
    keywords: tuple[tuple[str, Scalar | Unknown], ...] = ()


@value
class InstallLine:
    """A ``!pip install …`` (or ``%pip``, ``!apt-get``, conda) line of a notebook."""

    at: Location
    program: str
    arguments: str


@value
class ModuleFacts:
    """One file of Python source, as far as it can be read without running or linking it."""

    path: str
    imports: tuple[Import, ...] = ()
    functions: tuple[FunctionFact, ...] = ()
    classes: tuple[ClassFact, ...] = ()
    calls: tuple[RawCall, ...] = ()
    names: tuple[str, ...] = ()  # bound at module level
    main_guard: Location | None = None
    needs: tuple[SyntaxNeed, ...] = ()
    refused: Refused | None = None
    installs: tuple[InstallLine, ...] = ()
    notebook: bool = False
    lines: int = 0
    problems: tuple[Problem, ...] = ()
    # The syntax tree, for the linking layer only; None when nothing could be parsed.
    tree: ast.Module | None = field(default=None, compare=False, repr=False)
    places: object = field(default=None, compare=False, repr=False)

    @property
    def minimum_python(self) -> SyntaxNeed | None:
        """The construct that needs the newest Python, or None when any Python 3 will do."""
        return max(self.needs, key=lambda need: need.python, default=None)


# ---- what happens when an entry is run ----


@value
class ReachedImport:
    """An import that the run meets. ``found``: ``project`` (``path`` says where), ``external``
    (not in the project), or ``missing`` (relative, or inside a project package: nothing there).
    """

    fact: Import
    reach: Reach
    module: str  # absolute name
    found: str
    path: str = ""
    missing_name: str = ""  # ``from project import name`` where the module binds no such name
    circular: str = ""  # a name asked of a module whose body has not come that far yet
    unsure: str = ""  # why a directory of the search path may have it all the same


@value
class EnvRead:
    """A read of an environment variable.

    ``required``: unset means an exception (KeyError, ValidationError, UndefinedValueError).
    ``crash``: what else an unset variable breaks (``int(None)``: TypeError), empty when nothing.
    ``how``: ``os.environ[]``, ``os.getenv``, ``os.environ.get``, ``pydantic``, ``environ``,
    ``decouple``, ``click``, ``typer``, ``dotenv`` …
    ``documented``: the example of the ``.env`` file that the code reads assigns it.
    """

    at: Location
    reach: Reach
    name: str | Unknown
    how: str
    required: bool
    default: Value | None = None
    value: Value
    crash: str = ""
    documented: bool = False


@value
class FileAccess:
    """Something done to a path.

    ``loader`` is the canonical call (``joblib.load``, ``builtins.open``, ``pathlib.Path.open``).
    ``mode``: ``read``, ``write``, ``append``, ``create`` (directory or file), ``delete``,
    ``exists`` (tested, and missing ends the process or request), ``list``.
    ``kind``: ``artifact`` (a model or pickle is loaded from it), ``data``, ``text``, ``file``,
    ``directory``, ``database``, ``template``, ``static``, ``log``, ``config``.
    ``options`` are the keyword arguments that matter (``weights_only``, ``allow_pickle`` …).
    """

    at: Location
    reach: Reach
    loader: str
    path: PathValue
    mode: str
    kind: str
    options: tuple[tuple[str, Value], ...] = ()
    created_before: bool = False  # the run itself made it (or its directory, when writing) earlier
    opened_at: Location | None = None  # the ``open`` whose file object is loaded from
    missing_ok: bool = False  # makedirs(exist_ok=True), unlink(missing_ok=True)
    downloaded: bool = False  # fetched over the network, in this run, to this path

    def option(self, name: str) -> Value | None:
        """The keyword argument of that name, if given."""
        return next((value for key, value in self.options if key == name), None)


@value
class Server:
    """A server started from code, with the tool's defaults filled in.

    ``target``: what it serves, as ``module:attribute`` where that is known.
    """

    at: Location
    reach: Reach
    tool: str  # uvicorn, flask, hypercorn, waitress, gevent, tornado, aiohttp, gradio, grpc …
    host: Value
    port: Value
    target: str | Unknown = ""
    options: tuple[tuple[str, Value], ...] = ()  # reload, workers, debug, log_level, threads …
    development: bool = False  # a server meant for development (Flask, http.server, wsgiref)

    def option(self, name: str) -> Value | None:
        """The option of that name, if given."""
        return next((value for key, value in self.options if key == name), None)


@value
class Column:
    """A column of what a prediction is asked with.

    ``name`` is None where only the position counts; ``field`` is the request field it holds;
    ``dtype`` NumPy's type of what a session is fed, where it is certain.
    """

    name: str | None
    field: str | None = None
    at: Location | None = None
    dtype: str = ""


@value
class Input:
    """What a prediction is asked with: ``frame`` (named columns), ``array``, ``list`` or ``feed``.

    ``one-hot`` has at most one column for each that is named: one row was made into them.

    ``error`` is what building it raises, because a column is asked for that it does not have.
    """

    kind: str
    columns: tuple[Column, ...] | None
    at: Location
    error: str = ""
    error_at: Location | None = None


@value
class Call:
    """A call worth knowing that is none of the above.

    ``category``: ``subprocess``, ``http`` (outbound), ``thread``, ``executor``, ``signal``,
    ``export``, ``metrics``, ``drift``, ``breaker``, ``rate-limit``, ``timeout``, ``queue``, ``retry``, ``log`` (a record
    is written), ``print``, ``native``, ``watcher``, ``predict``, ``preprocess``, ``download``,
    ``exit``, ``chdir``, ``sleep``, ``locale``,
    ``connect`` (to a host and port, at once), ``corpus`` (data of a library is read),
    ``metadata`` (of a distribution, by name), ``feature`` (one of a library that asks for another distribution), ``database``, ``tracking``, ``store`` (a handler hands something
    to a database, queue or journal, as far as the method's name tells).
    """

    at: Location
    reach: Reach
    category: str
    name: str  # canonical; for methods of unknown objects ".predict"
    arguments: tuple[Value, ...] = ()
    keywords: tuple[tuple[str, Value], ...] = ()
    mentions: tuple[str, ...] = ()  # identifiers in the arguments, in order, without repeats
    offloaded: bool = False  # awaited through run_in_executor, to_thread, run_in_threadpool
    awaited: bool = False  # ``await`` stands before the call itself
    # Of a prediction: the file that the model came from, the keys inside it, what it is asked with.
    model: PathValue | None = None
    member: tuple[str | int, ...] = ()
    input: Input | None = None
    # Of a subprocess: the program, where it is written out.
    program: str = ""

    def keyword(self, name: str) -> Value | None:
        """The keyword argument of that name, if given."""
        return next((value for key, value in self.keywords if key == name), None)


@value
class LogHandler:
    """Where log records go. ``kind``: ``file``, ``rotating``, ``timed``, ``watched``, ``stream``,
    ``loguru``, ``other``. ``rotates`` is None when undecided.
    """

    at: Location
    reach: Reach
    kind: str
    path: PathValue | None = None
    rotates: bool | None = None
    level: Value | None = None


@value
class SchemaField:
    """A field that a request carries. ``source``: ``body``, ``query``, ``path``, ``header``,
    ``form``, ``file``, ``json-key`` (read from undeclared JSON), ``column`` (a data frame built
    from the request), ``cookie``.
    """

    name: str
    type: str
    source: str
    required: bool
    at: Location
    python: str = ""  # the attribute's name, where the request names it otherwise (an alias)


@value
class Route:
    """A request handler as registered. ``path`` has prefixes and mounts applied."""

    at: Location
    app: str  # "module:variable" of the application it belongs to, empty when unattached
    methods: tuple[str, ...]
    path: str | Unknown
    handler: str  # qualified name, empty when unknown
    handler_at: Location
    is_async: bool
    declared: bool  # the request body has a declared schema
    models: tuple[str, ...] = ()  # names of the request models
    fields: tuple[SchemaField, ...] = ()
    needs_multipart: bool = False
    response_model: str = ""
    kind: str = "other"  # health, ready, metrics, predict, reload, docs, ui, other
    conditional: bool = False  # registered only under an undecided condition

    @property
    def label(self) -> str:
        """``METHOD /path``, the name under which ``Reach.route`` refers to it."""
        return f"{'|'.join(self.methods)} {self.path if isinstance(self.path, str) else '?'}"


@value
class WebApp:
    """An application object. ``name`` is ``module:variable`` (``module:factory()`` for a factory)."""

    at: Location
    reach: Reach
    name: str
    framework: str  # fastapi, flask, starlette, litestar, quart, sanic, aiohttp, tornado, django …
    names: tuple[str, ...] = ()  # every "module:variable" under which it can be imported
    routes: tuple[Route, ...] = ()
    middleware: tuple[str, ...] = ()
    lifespan: str = ""  # qualified name of the lifespan function
    startup: tuple[str, ...] = ()  # qualified names of start-up hooks
    shutdown: tuple[str, ...] = ()
    debug: Value | None = None
    complete: bool = True  # every route registration was understood
    open: bool = False  # a library it was handed to, a hook or a prefix may answer other paths
    response_class: str = ""  # canonical name of FastAPI's default_response_class


@value
class Use:
    """A name that is taken from a library's module by attribute (``np.float``)."""

    at: Location
    reach: Reach
    module: str
    name: str


@value
class Failure:
    """A statement that certainly raises; ``because`` says of what, in words."""

    at: Location
    reach: Reach
    error: str  # as Python prints it
    because: str
    file: str = ""  # the configuration file in the image whose content decides it


@value
class Unsure:
    """Something the run does that could not be followed; ``what`` says it in words."""

    at: Location
    reach: Reach
    what: str


@value
class PickledName:
    """A name that a pickle asks its loader for; ``name`` is empty for a library's own.

    ``module`` is ``__main__`` for what the script that was run defines itself; ``path`` is the
    source file of the project.
    """

    module: str
    name: str
    path: str = ""


@value
class Fitted:
    """What an estimator was fitted on, as its training code tells.

    Classes by the names under which they were imported: ``root`` the whole, ``estimator`` who
    looks at the columns first, ``last`` who predicts (empty: not known), with the constants of
    ``options`` that it was made with (``bare``: by keyword alone). ``names`` and ``count`` of the
    columns (None: not known). ``target`` is NumPy's type of the labels, ``values`` those of a
    plain list that it was fitted on.
    """

    at: Location
    root: str
    estimator: str = ""
    last: str = ""
    names: tuple[str, ...] | None = None
    count: int | None = None
    options: tuple[tuple[str, Scalar], ...] = ()
    bare: bool = False
    target: str = ""
    values: tuple[str | int | float, ...] = ()


@value
class Dump:
    """An object that is pickled into a file; ``names`` are those that are certainly inside."""

    at: Location
    reach: Reach
    path: PathValue
    writer: str
    names: tuple[PickledName, ...] = ()
    # What is inside that was fitted, by the keys under which the file holds it (none: the whole).
    fits: tuple[tuple[tuple[str | int, ...], Fitted], ...] = ()


@value
class Trace:
    """Everything that happens when an entry module is run or served."""

    entry: str
    path: str = ""
    found: bool = True
    modules: tuple[tuple[str, str], ...] = ()  # project modules imported: (name, source path)
    imports: tuple[ReachedImport, ...] = ()
    env_reads: tuple[EnvRead, ...] = ()
    files: tuple[FileAccess, ...] = ()
    servers: tuple[Server, ...] = ()
    apps: tuple[WebApp, ...] = ()
    calls: tuple[Call, ...] = ()
    log_handlers: tuple[LogHandler, ...] = ()
    unsure: tuple[Unsure, ...] = ()
    failures: tuple[Failure, ...] = ()
    uses: tuple[Use, ...] = ()
    dumps: tuple[Dump, ...] = ()
    problems: tuple[Problem, ...] = ()
    attributes: tuple[str, ...] = ()  # names the entry module binds
    values: tuple[tuple[str, Value], ...] = ()  # plain values it binds (a gunicorn.conf.py, say)
    factories: tuple[str, ...] = ()  # functions of the entry module that return an application
    narrow: tuple[str, ...] = ()  # those of them that take fewer than two arguments by position
    classes: tuple[tuple[str, str], ...] = ()  # (module:qualname, source path) reached
    truncated: bool = False  # a work limit was hit; the rest was not followed
    roots: tuple[str, ...] = ()  # where imports search in the end: sys.path as the code leaves it

    def app(self, attribute: str) -> WebApp | None:
        """The application that the entry module binds to this name."""
        wanted = f"{self.entry}:{attribute}"
        return next((app for app in self.apps if wanted in app.names), None)
