"""What single calls mean, by their canonical names: values, and facts for the sink."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from auditor.parsers.python import (
    answers,
    clients,
    commandline,
    coroutines,
    learned,
    libraries,
    packagefiles,
    refusals,
    since,
)
from auditor.parsers.python import values as val
from auditor.parsers.python.config import read_config
from auditor.parsers.python.facts import LogHandler
from auditor.parsers.python.frames import birth
from auditor.parsers.python.operations import known, over, path_text, plain, unknown_from
from auditor.parsers.python.sites import FILE_GUARDS, Site
from auditor.parsers.python.values import (
    Bound,
    Choice,
    Const,
    DictV,
    Ext,
    FieldV,
    Found,
    Func,
    Inst,
    ListV,
    Mod,
    Obj,
    PathV,
    Unk,
    V,
    deps_of,
    join,
)
from auditor.source import Unknown

if TYPE_CHECKING:
    from auditor.parsers.python.models import Models

Model = Callable[["Models", Site], V | None]
MODELS: dict[str, Model] = {}


def model(*names: str) -> Callable[[Model], Model]:
    """Register the meaning of calls by canonical name."""

    def register(function: Model) -> Model:
        for name in names:
            MODELS[name] = function
        return function

    return register


@model("os.getenv", "os.environ.get")
def _getenv(models: Models, site: Site) -> V:
    default = site.get(1, "default")
    return models.read_env(site.node, site.get(0, "key"), site.name, default=default)


@model("os.environ.setdefault")
def _setdefault(models: Models, site: Site) -> V:
    name, value = site.get(0), site.get(1) or Const(None)
    if isinstance(name, Const) and name.value not in models.run.env:
        models.set_env(name, value)
    return models.variable(name, value)


@model("os.environ.update")
def _environ_update(models: Models, site: Site) -> V:
    for table in (*site.args, DictV(dict(site.kwargs))):
        if isinstance(table, DictV):
            for key, value in table.items.items():
                models.set_env(Const(key), value)
    return Const(None)


@model("os.environ.pop")
def _environ_pop(models: Models, site: Site) -> V:
    value = models.variable(site.get(0), site.get(1))
    if isinstance(site.args[0] if site.args else None, Const) and not models.run.undecided:
        models.run.env.pop(str(site.args[0].value), None)  # type: ignore[attr-defined]
    return value


@model("os.environ.copy")
def _environ_copy(models: Models, site: Site) -> V:
    return DictV({}, partial=True)


@model("dotenv.load_dotenv")
def _load_dotenv(models: Models, site: Site) -> V:
    override = site.kwargs.get("override")
    replaces = isinstance(override, Const) and bool(override.value)
    models.load_env(site.get(0, "dotenv_path"), replaces=replaces, site=site)
    return Unk("whether a .env file was found")


@model("environ.Env.read_env")
def _read_env(models: Models, site: Site) -> V:
    models.load_env(site.get(0, "env_file"), replaces=False, site=site)
    return Const(None)


@model("dotenv.find_dotenv")
def _find_dotenv(models: Models, site: Site) -> V:
    return Const(None)


@model("dotenv.dotenv_values")
def _dotenv_values(models: Models, site: Site) -> V:
    table, why = models.dotenv(site.get(0, "dotenv_path"), site=site)
    return DictV(table.items, partial=True) if why else table


@model("decouple.config")
def _decouple(models: Models, site: Site) -> V:
    return models.environ_read(site, Obj("decouple.config"))


@model("os.getcwd", "pathlib.Path.cwd")
def _getcwd(models: Models, site: Site) -> V:
    cwd = models.run.cwd
    if not isinstance(cwd, str):
        return Unk(cwd.reason)
    deps = frozenset({val.FROM_CWD})
    return PathV(path_text(cwd), deps) if site.name.startswith("pathlib") else Const(cwd, deps)


@model("os.chdir")
def _chdir(models: Models, site: Site) -> V:
    target = site.get(0, "path")
    models.note(site, "chdir")
    if target is not None:
        path = models.run.sink.path(target)
        models.run.cwd = path.resolved
        if models.run.guards:
            models.run.cwd = Unknown("the working directory may have been changed")
        models.file(site, target, "list", "directory")
    return Const(None)


@model("os.fspath", "builtins.str")
def _text(models: Models, site: Site) -> V | None:
    if not site.args:
        return Const("")
    value = models.as_text(site.args[0])

    def shown(one: V) -> V:
        if isinstance(one, Const) and len(site.args) == 1:
            if isinstance(one.value, str):
                return one
            return Const(str(one.value), one.deps) if site.name == "builtins.str" else one
        return unknown_from(one)

    return over(shown, value)


@model("pathlib.Path.home")
def _home(models: Models, site: Site) -> V:
    return models.expand_user(PathV("~"))


@model("pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath")
def _path(models: Models, site: Site) -> V:
    if not site.args:
        return PathV(".")

    def made(*parts: V) -> V:
        texts = []
        for part in parts:
            if isinstance(part, PathV):
                texts.append(part.text)
            elif isinstance(part, Const) and isinstance(part.value, str):
                texts.append(part.value)
            else:
                if isinstance(part, Const) and part.value is None:
                    models.crash(part, "Path(None) raises TypeError")
                return unknown_from(*parts) if not known(part) else Unk("no path")
        deps = frozenset().union(*map(deps_of, parts))
        origin = next(
            (p.origin for p in reversed(parts) if isinstance(p, Const | PathV) and p.origin), None
        )
        return PathV(str(PurePosixPath(*texts)), deps, origin)

    return over(made, *site.args)


@model("builtins.open", "aiofiles.open", "fsspec.open", "smart_open.open")
def _open(models: Models, site: Site) -> V | None:
    path = site.get(0, "file", "uri", "urlpath")
    if path is None:
        return None
    return models.open(site, path, site.get(1, "mode"), "builtins.open")


@model("builtins.int", "builtins.float", "builtins.bool")
def _number(models: Models, site: Site) -> V:
    kind = {"builtins.int": int, "builtins.float": float, "builtins.bool": bool}[site.name]
    if not site.args:
        return Const(kind())

    def convert(one: V) -> V:
        if kind is bool:
            answer = val.truth(one)
            return (
                Unk("a truth value", deps_of(one))
                if answer is None
                else Const(answer, deps_of(one))
            )
        if len(site.args) == 1 and (
            isinstance(one, FieldV) or (isinstance(one, Obj) and one.name == "request.value")
        ):
            return one  # the same field, as a number
        if not isinstance(one, Const) or len(site.args) > 1:
            return Unk(f"{kind.__name__}() of what is not known", deps_of(one))
        if one.value is None:
            models.crash(one, f"{kind.__name__}(None) raises TypeError")
            return Unk("raises TypeError", one.deps)
        try:
            text = one.value[:400] if isinstance(one.value, str | bytes) else one.value
            return Const(kind(text), one.deps, one.origin)
        except (ValueError, TypeError, OverflowError):
            if one is site.args[0] and isinstance(one.value, str) and one.deps:
                error = (
                    f"invalid literal for int() with base 10: {one.value[:80]!r}"
                    if kind is int
                    else f"could not convert string to float: {one.value[:80]!r}"
                )
                named = ", ".join(sorted(one.deps))
                models.run.fails(
                    site.node, f"ValueError: {error}", f"`{named}` is `{one.value[:80]}`"
                )
            return Unk("raises ValueError", one.deps)

    return over(convert, site.args[0])


@model("builtins.len")
def _len(models: Models, site: Site) -> V:
    value = site.args[0] if site.args else None
    if isinstance(value, Const) and isinstance(value.value, str | bytes):
        return Const(len(value.value), value.deps)
    if isinstance(value, ListV) and value.items is not None and value.kind != "set":
        return Const(len(value.items))
    return Unk("a length")


@model("builtins.dict")
def _dict(models: Models, site: Site) -> V:
    made = DictV(dict(site.kwargs), partial=site.loose)
    made.born = birth(models.run)
    if site.args:
        first = site.args[0]
        if isinstance(first, Inst) and models.is_request_model(first.cls):
            first = models.frames.dump(first, None)
        if isinstance(first, DictV):
            made.items = {**first.items, **site.kwargs}
            made.partial |= first.partial
        else:
            made.partial = True
    return made


@model("builtins.vars", "dataclasses.asdict", "attr.asdict", "attrs.asdict",
       "fastapi.encoders.jsonable_encoder", "fastapi.jsonable_encoder")  # fmt: skip
def _as_mapping(models: Models, site: Site) -> V | None:
    first = site.args[0] if len(site.args) == 1 and not site.kwargs else None
    if isinstance(first, Inst) and models.is_request_model(first.cls):
        return models.frames.dump(first, None, aliases=site.name.endswith("jsonable_encoder"))
    return None


@model("builtins.list", "builtins.tuple", "builtins.sorted", "builtins.reversed")
def _list(models: Models, site: Site) -> V:
    kind = "tuple" if site.name.endswith("tuple") else "list"
    if not site.args:
        return ListV([], kind)
    if isinstance(site.args[0], Found):
        return site.args[0]
    items = models.iterate(site.args[0])
    if items is not None and site.name.endswith("reversed"):
        items.reverse()
    if items is not None and site.name.endswith("sorted"):
        try:
            items = [Const(x) for x in sorted(plain(i) for i in items)] if not site.kwargs else None
        except Exception:
            items = None
    return ListV(items, kind)


@model("glob.glob", "glob.iglob")
def _glob(models: Models, site: Site) -> V | None:
    pattern = site.get(0, "pathname")
    if isinstance(pattern, PathV):
        return models.search(Const(pattern.text, pattern.deps), pattern.text)
    if isinstance(pattern, Const) and isinstance(pattern.value, str) and not site.kwargs:
        return models.search(pattern, pattern.value)
    return ListV(None)


@model("builtins.max", "builtins.min", "builtins.next", "builtins.iter")
def _one_of(models: Models, site: Site) -> V | None:
    """One of what a search found; it finds nothing: an exception."""
    found = site.args[0] if site.args else None
    if not isinstance(found, Found) or found.items is None:
        return None
    name = site.name.rpartition(".")[2]
    if name == "iter":
        return found
    if found.items:
        return found.items[0]
    if len(site.args) > 1 or "default" in site.kwargs:
        return None
    error = "StopIteration" if name == "next" else f"ValueError: {name}() arg is an empty sequence"
    models.run.fails(site.node, error, f"nothing matches `{found.pattern}`")
    return Unk("raises")


@model("builtins.range")
def _range(models: Models, site: Site) -> V:
    try:
        numbers = range(*[plain(a) for a in site.args])
    except Exception:
        return ListV(None)
    return ListV([Const(n) for n in numbers] if len(numbers) <= 64 else None)


@model("builtins.enumerate")
def _enumerate(models: Models, site: Site) -> V:
    items = models.iterate(site.args[0]) if site.args else None
    if items is None or len(site.args) > 1 or site.kwargs:
        return ListV(None)
    return ListV([ListV([Const(i), item], "tuple") for i, item in enumerate(items)])


@model("builtins.zip")
def _zip(models: Models, site: Site) -> V:
    columns = [models.iterate(a) for a in site.args]
    if any(c is None for c in columns):
        return ListV(None)
    rows = zip(*(c for c in columns if c is not None), strict=False)
    return ListV([ListV(list(row), "tuple") for row in rows])


@model("builtins.getattr")
def _getattr(models: Models, site: Site) -> V:
    if len(site.args) > 1 and isinstance(site.args[1], Const):
        # A default stands in for what is not there.
        with models.run.guard(*["other-error"] * (len(site.args) > 2)):
            value = models.run.attribute(site.args[0], str(site.args[1].value), site.node)
        if len(site.args) > 2 and isinstance(value, Unk):
            return join(value, site.args[2])
        return value
    return Unk("an attribute whose name is not known")


@model(*refusals.PATTERNS)
def _pattern(models: Models, site: Site) -> V | None:
    refusals.pattern(models.run, site.get(0, "pattern"), site.node)
    return None


@model("random.sample")
def _sample(models: Models, site: Site) -> V:
    since.sample(models.run, site.get(0, "population"), site.node)
    return ListV(None)


@model("datetime.datetime.fromisoformat", "datetime.date.fromisoformat")
def _from_iso(models: Models, site: Site) -> V | None:
    since.iso_date(models.run, site.get(0, "date_string"), site.node)
    return None


@model("builtins.isinstance")
def _isinstance(models: Models, site: Site) -> V:
    if len(site.args) == 2:
        return over(_is_instance, *site.args)
    return Unk("a condition that is not known")


def _is_instance(value: V, kinds: V) -> V:
    wanted = kinds.items if isinstance(kinds, ListV) else [kinds]
    names = {kind.name for kind in wanted or [] if isinstance(kind, Ext)}
    if wanted is None or len(names) != len(wanted):
        return Unk("a condition that is not known")
    if isinstance(value, Const):
        own = {f"builtins.{cls.__name__}" for cls in type(value.value).__mro__}
    elif isinstance(value, ListV):
        own = {f"builtins.{value.kind}", "builtins.object"}
    elif isinstance(value, DictV) and not value.attr:
        own = {"builtins.dict", "builtins.object"}
    elif isinstance(value, PathV):
        own = {"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "os.PathLike",
               "pathlib.PurePosixPath", "builtins.object"}  # fmt: skip
    else:
        return Unk("a condition that is not known")
    if names & own:
        return Const(True)
    plain_names = all(name.startswith("builtins.") for name in names)
    return Const(False) if plain_names else Unk("a condition that is not known")


@model("builtins.callable", "builtins.hasattr", "builtins.any",
       "builtins.all", "builtins.issubclass")  # fmt: skip
def _asks(models: Models, site: Site) -> V:
    return Unk("a condition that is not known")


@model("builtins.print")
def _print(models: Models, site: Site) -> V:
    models.note(site, "print", "print")
    return Const(None)


@model("builtins.super")
def _super(models: Models, site: Site) -> V:
    frame = models.run.frame
    receiver = frame.vars.get("self") if frame is not None else None
    made = Obj("builtins.super")
    if isinstance(receiver, Inst):
        made.args = [receiver]
        cls = frame.function.rpartition(".")[0] if frame is not None else ""
        order = receiver.cls.mro()
        after = next((i + 1 for i, c in enumerate(order) if c.qualname == cls), 1)
        found: dict[str, V] = {}
        for ancestor in reversed(order[after:]):
            for name, value in ancestor.names.items():
                found[name] = Bound(value, receiver) if isinstance(value, Func) else value
        made.data = found
        receiver.partial |= bool(receiver.cls.external())
    return made


@model("importlib.import_module", "builtins.__import__")
def _import_module(models: Models, site: Site) -> V:
    from auditor.parsers.python.facts import Import

    name = site.args[0] if site.args else None
    run = models.run
    if isinstance(name, Const) and isinstance(name.value, str) and not name.value.startswith("."):
        at = run.at(site.node)
        state = run.import_module(name.value, at, Import(at=at, module=name.value, dynamic=True))
        return Mod(state) if state is not None else Ext(name.value)
    run.unsure(site.node, "imports a module whose name is not known")
    return Unk("a module whose name is not known")


@model("tempfile.gettempdir", "tempfile.mkdtemp", "tempfile.mkstemp",
       "tempfile.NamedTemporaryFile", "tempfile.TemporaryDirectory", "tempfile.TemporaryFile")  # fmt: skip
def _temp(models: Models, site: Site) -> V:
    if site.name.endswith("gettempdir"):
        return models.variable(Const("TMPDIR"), Const("/tmp", frozenset({val.FROM_TEMP})))
    folder = site.kwargs.get("dir")
    if folder is None and len(site.args) < 3:
        models.file(site, PathV("/tmp/tmp"), "create", "file", options={}, missing_ok=True)
    if site.name.endswith(("mkdtemp", "mkstemp")):
        return Unk("a temporary path")
    return models.made(site)


@model("importlib.resources.files", "importlib_resources.files")
def _package_files(models: Models, site: Site) -> V:
    return packagefiles.files(models, site)


@model("importlib.resources.read_text", "importlib.resources.read_binary",
       "importlib.resources.open_text", "importlib.resources.open_binary",
       "pkgutil.get_data")  # fmt: skip
def _package_read(models: Models, site: Site) -> V:
    return packagefiles.read(models, site)


@model("sys.path.append", "sys.path.insert", "sys.path.extend")
def _sys_path(models: Models, site: Site) -> V:
    models.note(site, "sys-path")
    target = site.args[-1] if site.args else None
    if target is not None and not isinstance(target, ListV):
        path = models.run.sink.path(target).resolved
        add_root = getattr(models.run.program.finder, "with_root", None)
        if isinstance(path, str) and add_root is not None:
            models.run.add_root(path, first=site.name.endswith("insert"))
    return Const(None)


@model("sklearn.datasets.load_iris", "sklearn.datasets.load_wine", "sklearn.datasets.load_digits",
       "sklearn.datasets.load_breast_cancer", "sklearn.datasets.load_diabetes",
       "sklearn.datasets.make_classification", "sklearn.datasets.make_regression")  # fmt: skip
def _dataset(models: Models, site: Site) -> V | None:
    return learned.dataset(models, site)


@model("sklearn.model_selection.train_test_split")
def _split(models: Models, site: Site) -> V | None:
    return learned.split(models, site)


@model("flask.render_template")
def _template(models: Models, site: Site) -> V:
    answers.template(models, site)
    return models.made(site)


@model("importlib.metadata.version", "importlib.metadata.distribution",
       "importlib.metadata.metadata", "importlib_metadata.version", "pkg_resources.get_distribution")  # fmt: skip
def _metadata(models: Models, site: Site) -> V:
    clients.add(models, site, "metadata", tuple(site.args[:1]))
    return Unk("what the metadata of a distribution says")


@model("locale.setlocale")
def _set_locale(models: Models, site: Site) -> V:
    clients.add(models, site, "locale", tuple(site.args[:2]))
    return Unk("the locale that was set")


@model("yaml.safe_load", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "json.load",
       "tomllib.load", "toml.load", "omegaconf.OmegaConf.load", "json.loads", "toml.loads",
       "tomllib.loads", "commentjson.load", "json5.load")  # fmt: skip
def _config(models: Models, site: Site) -> V:
    source = site.args[0] if site.args else None
    kind = "yaml" if "yaml" in site.name or "OmegaConf" in site.name else "json"
    kind = "toml" if "toml" in site.name else kind
    text: V | None = source
    if site.name in ("toml.load", "omegaconf.OmegaConf.load") and source is not None:
        models.file(site, source, "read", "config")
        text = models.text_of_file(source)
    elif isinstance(source, Obj) and source.name == "builtins.open":
        text = models.text_of_file(source)
    if site.name == "yaml.load" and len(site.args) == 1 and not site.loose and not site.kwargs:
        models.run.used(site.node, "yaml", "load(stream=)")
    if site.name == "tomllib.load" and libraries.opened_as_text(source):
        models.run.fails(
            site.node,
            'TypeError: File must be opened in binary mode, e.g. use `open("foo.toml", "rb")`',
            "`tomllib.load` wants bytes, and the file is opened as text",
        )
    if isinstance(text, Const) and isinstance(text.value, str):
        value = read_config(text.value, kind, text.deps)
        if kind == "json" and "5" not in site.name and not site.name.startswith("comment"):
            libraries.refuse_json(models, site, text)
        if site.name.startswith("yaml."):
            libraries.refuse_yaml(models, site, text)
        if isinstance(value, DictV) and "OmegaConf" in site.name:
            _with_attributes(value)
        return value
    return Unk("the contents of a file" if source is not None else "a configuration")


def _with_attributes(value: DictV) -> None:
    value.attr = True
    for item in value.items.values():
        if isinstance(item, DictV):
            _with_attributes(item)


@model("types.SimpleNamespace", "argparse.Namespace", "easydict.EasyDict", "box.Box",
       "munch.Munch", "omegaconf.OmegaConf.create", "munch.munchify", "addict.Dict")  # fmt: skip
def _namespace(models: Models, site: Site) -> V:
    made = DictV(dict(site.kwargs), attr=True, partial=site.loose)
    for argument in site.args:
        if isinstance(argument, DictV):
            _with_attributes(argument)
            made.items = {**argument.items, **made.items}
            made.partial |= argument.partial
        else:
            made.partial = True
    return made


@model("typer.run", "fire.Fire")
def _command(models: Models, site: Site) -> V | None:
    """The program is one function, whose parameters are its options."""
    command = site.args[0] if site.args else site.kwargs.get("component")
    target = command.func if isinstance(command, Bound) else command
    if command is None or not isinstance(target, Func):
        return None
    commandline.unwrap_defaults(models, target)
    commandline.typer_options(models, target)
    models.run.call(command, [], {}, site.node)
    return Const(None)


@model("asyncio.run", "asyncio.create_task", "asyncio.ensure_future", "asyncio.wait_for",
       "anyio.run", "trio.run", "asyncio.shield")  # fmt: skip
def _await(models: Models, site: Site) -> V:
    if site.name == "asyncio.run":
        coroutines.nested(models.run, site)
    first = site.args[0] if site.args else Const(None)
    if isinstance(first, Func | Bound):
        return models.run.call(first, site.args[1:], {}, site.node)
    return first


@model("functools.partial")
def _partial(models: Models, site: Site) -> V:
    if site.args and isinstance(site.args[0], Func):
        func = site.args[0]
        made = Func(func.node, func.state, func.closure, func.qualname, dict(func.defaults))
        made.cls, made.decorators, made.yields = func.cls, func.decorators, func.yields
        made.defaults.update(site.kwargs)
        return made if len(site.args) == 1 else Unk("a partial call")
    return Unk("a partial call")


@model("functools.lru_cache", "functools.cache", "functools.wraps", "functools.update_wrapper")
def _cache(models: Models, site: Site) -> V | None:
    if site.name in ("functools.lru_cache", "functools.cache") and site.args:
        func = site.args[0]
        if isinstance(func, Func):
            func.decorators = (*func.decorators, "functools.lru_cache")
            return func
    if site.name == "functools.wraps":
        return Obj("functools.wraps")
    return None


@model("typing.cast", "typing_extensions.cast")
def _cast(models: Models, site: Site) -> V | None:
    return site.args[1] if len(site.args) > 1 else None


@model("copy.deepcopy", "copy.copy", "builtins.iter", "builtins.frozenset")
def _copy(models: Models, site: Site) -> V | None:
    value = site.args[0] if site.args else None
    if isinstance(value, DictV):
        return DictV(dict(value.items), partial=value.partial, attr=value.attr)
    return value if isinstance(value, Const | PathV) else None


@model("xgboost.Booster.load_model", "lightgbm.Booster.load_model")
def _booster(models: Models, site: Site) -> V | None:
    return None


@model("urllib.request.urlretrieve", "wget.download", "gdown.download",
       "keras.utils.get_file", "huggingface_hub.hf_hub_download",
       "huggingface_hub.snapshot_download", "mlflow.artifacts.download_artifacts",
       "torch.hub.download_url_to_file", "urllib.urlretrieve")  # fmt: skip
def _download(models: Models, site: Site) -> V:
    target = site.kwargs.get("filename") if site.name.startswith("urllib") else None
    position = {"urllib.request.urlretrieve": 1, "wget.download": 1, "gdown.download": 1,
                "torch.hub.download_url_to_file": 1, "urllib.urlretrieve": 1}  # fmt: skip
    if target is None:
        names = ("output", "out", "local_dir", "dst", "dst_path")
        target = site.get(position.get(site.name, 99), *names)
    if target is not None:
        models.file(site, target, "write", "file")
        models.downloaded(site, target)
        return target if isinstance(target, Const | PathV) else Unk("is downloaded")
    models.note(site, "download")
    return Unk("is downloaded")


@model("torch.hub.load")
def _hub(models: Models, site: Site) -> V | None:
    source = site.kwargs.get("source")
    if isinstance(source, Const) and source.value == "local" and site.args:
        models.file(site, site.args[0], "read", "artifact")
    else:
        models.note(site, "download")
    path = site.kwargs.get("path")
    if path is not None:
        models.file(site, path, "read", "artifact")
    return models.made(site)


@model("transformers.pipeline")
def _pipeline(models: Models, site: Site) -> V | None:
    target = site.get(1, "model")
    if target is not None and not isinstance(target, Obj):
        models.file(site, target, "read", "artifact", hub=True)
    return models.made(site)


@model("xgboost.Booster", "lightgbm.Booster", "sentencepiece.SentencePieceProcessor")
def _booster_file(models: Models, site: Site) -> V | None:
    target = site.kwargs.get("model_file") or site.get(1 if "xgb" in site.name else 9, "x")
    if site.name.startswith("xgboost") and len(site.args) > 2:
        target = site.args[2]
    if target is not None:
        models.file(site, target, "read", "artifact")
    return models.made(site)


@model("logging.FileHandler", "logging.handlers.RotatingFileHandler",
       "logging.handlers.TimedRotatingFileHandler", "logging.handlers.WatchedFileHandler",
       "concurrent_log_handler.ConcurrentRotatingFileHandler")  # fmt: skip
def _file_handler(models: Models, site: Site) -> V | None:
    path = site.get(0, "filename")
    _log_file(models, site, site.name, path, site.kwargs, site.args)
    return models.made(site)


def _log_file(
    models: Models,
    site: Site,
    name: str,
    path: V | None,
    kwargs: dict[str, V],
    args: list[V] | None = None,
) -> None:
    run = models.run
    kind, rotates = "file", False
    if name.endswith("TimedRotatingFileHandler"):
        kind, rotates = "timed", True
    elif name.endswith("RotatingFileHandler"):
        limit = kwargs.get("maxBytes") or (args[2] if args and len(args) > 2 else None)
        size = limit.value if isinstance(limit, Const) else (None if limit is not None else 0)
        kind = "rotating"
        rotates = None if size is None else bool(size)  # type: ignore[assignment]
    elif name.endswith("WatchedFileHandler"):
        kind, rotates = "watched", None  # type: ignore[assignment]
    if path is not None:
        models.file(site, path, "append", "log", loader=name)
    run.sink.add_log_handler(
        LogHandler(
            at=run.at(site.node),
            reach=run.reach(FILE_GUARDS),
            kind=kind,
            path=None if path is None else run.sink.path(path),
            rotates=rotates,
        )
    )


@model("logging.StreamHandler")
def _stream_handler(models: Models, site: Site) -> V | None:
    run = models.run
    run.sink.add_log_handler(
        LogHandler(at=run.at(site.node), reach=run.reach(), kind="stream", rotates=None)
    )
    return models.made(site)


@model("logging.basicConfig")
def _basic_config(models: Models, site: Site) -> V:
    run = models.run
    path = site.kwargs.get("filename")
    if path is not None and not (isinstance(path, Const) and path.value is None):
        _log_file(models, site, "logging.FileHandler", path, {})
    elif "handlers" not in site.kwargs:
        run.sink.add_log_handler(
            LogHandler(at=run.at(site.node), reach=run.reach(), kind="stream", rotates=None)
        )
    return Const(None)


@model("logging.config.dictConfig")
def _dict_config(models: Models, site: Site) -> V:
    table = site.args[0] if site.args else None
    handlers = table.items.get("handlers") if isinstance(table, DictV) else None
    if isinstance(table, DictV):
        libraries.named_classes(models, site, table)
    if isinstance(handlers, DictV):
        for handler in handlers.items.values():
            if not isinstance(handler, DictV):
                continue
            name = handler.items.get("class") or handler.items.get("()")
            text = name.value if isinstance(name, Const) and isinstance(name.value, str) else ""
            if "filename" in handler.items:
                _log_file(models, site, text, handler.items["filename"], handler.items)
            elif text.endswith("StreamHandler"):
                _stream_handler(models, site)
    elif table is not None and not isinstance(table, DictV):
        models.run.unsure(site.node, "a logging configuration that is not known")
    return Const(None)


@model("logging.config.fileConfig")
def _file_config(models: Models, site: Site) -> V:
    if not site.args:
        return Const(None)
    models.file(site, site.args[0], "read", "config")
    for name, arguments in libraries.ini_handlers(models, site):
        if name.endswith("FileHandler"):
            _log_file(models, site, name, arguments[0] if arguments else None, {}, arguments)
        elif name.endswith("StreamHandler"):
            _stream_handler(models, site)
    return Const(None)


@model("pickle.loads", "cPickle.loads", "_pickle.loads", "dill.loads", "cloudpickle.loads")
def _unpickled(models: Models, site: Site) -> V | None:
    """Bytes that were read from a file, as ``pickle.load`` of that file."""
    path = libraries.held_bytes(site.args[0] if site.args else None)
    if path is None:
        return None
    models.file(site, path, "read", "artifact")
    return models.made(site)


@model("prometheus_client.Counter", "prometheus_client.Gauge", "prometheus_client.Histogram",
       "prometheus_client.Summary")  # fmt: skip
def _metric(models: Models, site: Site) -> V | None:
    """With several processes, every metric is a file of the directory that a variable names."""
    folder = models.run.env.get("PROMETHEUS_MULTIPROC_DIR")
    text = folder.value if isinstance(folder, Const) else folder
    if isinstance(text, str) and text:
        path = Const(posixpath.join(text, "metrics.db"), frozenset({"PROMETHEUS_MULTIPROC_DIR"}))
        models.file(site, path, "write", "file", loader=site.name)
    return None


@model("tornado.options.define")
def _tornado_option(models: Models, site: Site) -> V:
    return libraries.tornado_option(models, site)


@model("tornado.options.parse_config_file", "tornado.options.options.parse_config_file")
def _options_file(models: Models, site: Site) -> V:
    return libraries.options_file(models, site)


@model("absl.flags.DEFINE_integer", "absl.flags.DEFINE_string", "absl.flags.DEFINE_bool",
       "absl.flags.DEFINE_boolean", "absl.flags.DEFINE_float", "absl.flags.DEFINE_enum")  # fmt: skip
def _absl_option(models: Models, site: Site) -> V:
    return libraries.absl_option(models, site)


@model("absl.app.run")
def _absl_run(models: Models, site: Site) -> V:
    return libraries.absl_run(models, site)


@model("cherrypy.config.update")
def _cherrypy_config(models: Models, site: Site) -> V:
    return libraries.cherrypy_config(models, site)


@model("cherrypy.quickstart")
def _cherrypy(models: Models, site: Site) -> None:
    libraries.cherrypy_quickstart(models, site)


@model("loguru.logger.add")
def _loguru(models: Models, site: Site) -> V:
    target = site.get(0, "sink")
    run = models.run
    is_path = isinstance(target, PathV | Choice | Unk) or (
        isinstance(target, Const) and isinstance(target.value, str)
    )
    if target is not None and is_path:
        models.file(site, target, "append", "log")
        rotation = site.kwargs.get("rotation")
        rotates = bool(rotation) and not (isinstance(rotation, Const) and rotation.value is None)
        retained = "retention" in site.kwargs
        run.sink.add_log_handler(
            LogHandler(
                at=run.at(site.node),
                reach=run.reach(FILE_GUARDS),
                kind="loguru",
                path=run.sink.path(target),
                rotates=rotates or retained,
            )
        )
    return Const(None)


@model("logging.getLogger", "structlog.get_logger")
def _get_logger(models: Models, site: Site) -> V:
    return Obj("logging.getLogger", site.args, site.kwargs, models.run.at(site.node))


@model("loguru.logger.info", "loguru.logger.debug", "loguru.logger.warning",
       "loguru.logger.error", "loguru.logger.exception", "loguru.logger.success")  # fmt: skip
def _loguru_record(models: Models, site: Site) -> V:
    models.note(site, "log")
    return Const(None)


@model("contextlib.suppress")
def _suppress(models: Models, site: Site) -> V:
    return Obj("contextlib.suppress", site.args)


@model("django.core.wsgi.get_wsgi_application", "django.core.asgi.get_asgi_application")
def _django(models: Models, site: Site) -> V:
    return models.django(site)
