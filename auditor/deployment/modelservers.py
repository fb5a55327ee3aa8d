"""What a model server in the container serves, read from its model repository and configuration.

MLServer, TorchServe, Triton and TensorFlow Serving are told by files which models to load. Those
files are followed like code: the loads and routes that they bring about become a trace, so that
every rule about loads, paths and routes holds here too; what the server refuses becomes a fault.
Which refusals end the server and which only its model was observed on the real servers
(``tools/run_model_servers.py``); TensorFlow Serving could not be run, and is read by its documentation.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from auditor.deployment.model import ServedModel, StartFault, Tensor, Value
from auditor.findings import Stage
from auditor.parsers import modelservers as parse
from auditor.parsers.commands import Option, ServerStart
from auditor.parsers.python.facts import FileAccess, PathValue, Phase, Reach, Route, Trace, WebApp
from auditor.source import Location, Unknown
from auditor.values import field as made
from auditor.values import record

if TYPE_CHECKING:
    from auditor.deployment.view import View

Env = Mapping[str, str | Unknown | None]
KINDS = frozenset({"mlserver", "torchserve", "triton", "tensorflow-serving"})
_AT_STARTUP = Reach(phase=Phase.STARTUP)
FAULT = "model-server"


@record
class Followed:
    """What following a model server's files came to.

    ``started_elsewhere``: nothing says how the image is started, so what is mounted is not known.
    """

    started_elsewhere: bool = False
    faults: list[StartFault] = made(default_factory=list)
    open_links: list[tuple[Stage, str]] = made(default_factory=list)
    models: list[ServedModel] = made(default_factory=list)
    files: list[FileAccess] = made(default_factory=list)
    # Classes of the project that the server runs: (module, class, where it is named, directories).
    classes: list[tuple[str, str, Location, tuple[str, ...]]] = made(default_factory=list)
    routes: list[Route] = made(default_factory=list)
    # Distributions that bring the runtimes that it names: (distribution, module, where).
    runtimes: list[tuple[str, str, Location]] = made(default_factory=list)

    def trace(self, kind: str, at: Location) -> Trace:
        """The loads and routes as a trace."""
        app = WebApp(
            at=at, reach=_AT_STARTUP, name=f"{kind}:server", framework=kind,
            routes=tuple(self.routes),
        )  # fmt: skip
        return Trace(entry=kind, path="", files=tuple(self.files), apps=(app,))

    def fault(
        self,
        at: Location,
        message: str,
        *,
        stage: Stage = Stage.PREDICTS,
        related: tuple[tuple[Location, str], ...] = (),
        possible: bool = False,
    ) -> None:
        self.faults.append(
            StartFault(
                kind=FAULT,
                message=message,
                at=at,
                stage=stage,
                related=related,
                possible=possible,
            )
        )

    def route(self, at: Location, method: str, path: str, kind: str) -> None:
        self.routes.append(
            Route(
                at=at,
                app="",
                methods=(method,),
                path=path,
                handler=kind,
                handler_at=at,
                is_async=False,
                declared=True,
                kind=kind,
            )
        )

    def load(self, at: Location, loader: str, path: str) -> None:
        value = PathValue(text=path, resolved=path, base="absolute", origin=at)
        self.files.append(
            FileAccess(
                at=at, reach=_AT_STARTUP, loader=loader, path=value, mode="read", kind="artifact"
            )
        )


def follow(
    fact: ServerStart,
    config: tuple[Option, ...],
    env: Env,
    cwd: Value,
    view: View,
    *,
    started_elsewhere: bool = False,
) -> Followed:
    """What this server serves."""
    found = Followed(started_elsewhere=started_elsewhere)
    {
        "mlserver": _mlserver,
        "torchserve": _torchserve,
        "triton": _triton,
        "tensorflow-serving": _tensorflow,
    }[fact.kind](found, fact, config, env, cwd, view)
    return found


def _under(cwd: Value, path: str) -> str | None:
    if path.startswith("/"):
        return posixpath.normpath(path)
    return posixpath.normpath(posixpath.join(cwd, path)) if isinstance(cwd, str) else None


def _remote(path: str) -> bool:
    return "://" in path or path.startswith(("s3:", "gs:", "as:"))


# ---- MLServer ----

# Runtimes of MLServer's own distributions: module → (distribution, loader, well-known file names).
_RUNTIMES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "mlserver_sklearn": ("mlserver-sklearn", "joblib.load", ("model.joblib", "model.pickle", "model.pkl")),
    "mlserver_xgboost": ("mlserver-xgboost", "mlserver_xgboost", ("model.bst", "model.json", "model.ubj")),
    "mlserver_lightgbm": ("mlserver-lightgbm", "mlserver_lightgbm", ("model.bst",)),
    "mlserver_catboost": ("mlserver-catboost", "mlserver_catboost", ("model.cbm", "model.bin")),
    "mlserver_mlflow": ("mlserver-mlflow", "mlserver_mlflow", ("MLmodel",)),
    "mlserver_huggingface": ("mlserver-huggingface", "mlserver_huggingface", ()),
    "mlserver_alibi_detect": ("mlserver-alibi-detect", "mlserver_alibi_detect", ()),
    "mlserver_alibi_explain": ("mlserver-alibi-explain", "mlserver_alibi_explain", ()),
    "mlserver_onnx": ("mlserver-onnx", "mlserver_onnx", ()),
    "mlserver_mllib": ("mlserver-mllib", "mlserver_mllib", ()),
}  # fmt: skip


def _mlserver(
    found: Followed,
    fact: ServerStart,
    config: tuple[Option, ...],
    env: Env,
    cwd: Value,
    view: View,
) -> None:
    word = fact.script
    folder = word.value if word is not None else None
    if not isinstance(folder, str) or not folder:
        found.open_links.append((Stage.STARTS, "the model repository of mlserver is not known"))
        return
    root = _under(cwd, folder)
    if root is None:
        found.open_links.append((Stage.STARTS, f"{folder}: the working directory is not known"))
        return
    at = word.at if word is not None else fact.at
    seen = view.look(root)
    files, complete = view.below(root)
    settings = [f for f in files if posixpath.basename(f) == "model-settings.json"]
    found.route(at, "GET", "/v2/health/ready", "ready")
    found.route(at, "GET", "/v2/health/live", "health")
    if not settings:
        named = any(str(name).startswith("MLSERVER_MODEL_") for name in env)
        if seen.answer == "unknown" or not complete or named:
            found.open_links.append((Stage.PREDICTS, f"what {root} holds is not known"))
            return
        near = next((f for f in files if "model-setting" in posixpath.basename(f)), None)
        found.fault(
            at,
            f"`{folder}` has no `model-settings.json`: mlserver starts without any model, and every "
            "prediction is answered with 404"
            + (f" (there is `{near}`, a name that it does not read)" if near else ""),
        )
        return
    for path in settings[:50]:
        text = view.text(posixpath.join(root, path))
        told = parse.parse_model_settings(text) if text is not None else None
        if told is None:
            found.open_links.append((Stage.PREDICTS, f"{path} could not be read"))
            continue
        _mlserver_model(found, told, posixpath.dirname(posixpath.join(root, path)), root, cwd, view)


def _mlserver_model(
    found: Followed,
    told: parse.ModelSettings,
    directory: str,
    root: str,
    cwd: Value,
    view: View,
) -> None:
    name = told.name or posixpath.basename(directory)
    at = told.at
    if told.implementation is None:
        found.open_links.append((Stage.STARTS, f"the runtime of {name} is not named"))
        return
    module, _, attribute = told.implementation.rpartition(".")
    where = told.implementation_at or at
    found.route(where, "POST", f"/v2/models/{name}/infer", "predict")
    runtime = _RUNTIMES.get(module.partition(".")[0])
    file = None
    if runtime is None:
        roots = tuple(dict.fromkeys([root, *([cwd] if isinstance(cwd, str) else []), directory]))
        found.classes.append((module, attribute, where, roots))
    else:
        found.runtimes.append((runtime[0], module.partition(".")[0], where))
        file = _mlserver_file(found, told, directory, runtime, view)
    found.models.append(
        ServedModel(server="mlserver", name=name, at=at, backend=told.implementation, file=file)
    )


def _mlserver_file(
    found: Followed,
    told: parse.ModelSettings,
    directory: str,
    runtime: tuple[str, str, tuple[str, ...]],
    view: View,
) -> str | None:
    """The model's file, as the runtime looks for it; a load of it is recorded."""
    _, loader, names = runtime
    uri = told.uri
    at = told.uri_at or told.implementation_at or told.at
    if uri is not None and _remote(uri):
        found.open_links.append((Stage.PREDICTS, f"{uri} is fetched when the server starts"))
        return None
    target = posixpath.normpath(posixpath.join(directory, uri or "."))
    if not view.is_dir(target):
        seen = view.look(target)
        if seen.answer == "no" and not view.by_hand(target):
            found.fault(
                at,
                f"`{target}` is not in the image: mlserver stops (`InvalidModelURI: Invalid URI "
                "specified for model`)",
                stage=Stage.STARTS,
            )
        else:
            found.load(at, loader, target)
        return view.repo_file(target)
    for name in names:
        inside = posixpath.join(target, name)
        if view.look(inside).answer != "no":
            found.load(at, loader, inside)
            return view.repo_file(inside)
    if not names or not view.below(target)[1]:
        found.open_links.append((Stage.STARTS, f"what {runtime[0]} loads is not followed"))
    else:
        found.fault(
            at,
            f"{runtime[0]} looks for {' or '.join(f'`{n}`' for n in names)} in `{target}`, and none "
            "is there: mlserver stops (`IsADirectoryError`)",
            stage=Stage.STARTS,
        )
    return None


# ---- TorchServe ----


def _torchserve(
    found: Followed,
    fact: ServerStart,
    config: tuple[Option, ...],
    env: Env,
    cwd: Value,
    view: View,
) -> None:
    at = fact.at
    found.route(at, "GET", "/ping", "health")
    given = fact.effective("config", env=env, config=())
    store = fact.effective("model_store", env=env, config=config if given is not None else ())
    models = fact.option("models") or next(
        (o for o in reversed(config) if o.name == "load_models"), None
    )
    directory = (
        _under(cwd, store.value) if store is not None and isinstance(store.value, str) else None
    )
    if store is None and given is None:
        found.fault(
            at,
            "torchserve is given neither `--model-store` nor `--ts-config`: it stops (`Missing "
            "mandatory parameter --model-store`), whatever a `config.properties` beside it says",
            stage=Stage.STARTS,
        )
        return
    if directory is None or store is None:
        found.open_links.append((Stage.PREDICTS, "the model store of torchserve is not known"))
        return
    if models is None:
        if not any(o.name == "model_snapshot" for o in config):
            found.open_links.append((Stage.PREDICTS, "models are registered while it runs"))
        return
    words = [models.value] if isinstance(models.value, str) else []
    words += [a.value for a in fact.args if isinstance(a.value, str) and models.source == "argv"]
    named = [part.strip() for word in words for part in str(word).split(",") if part.strip()]
    files, complete = view.below(directory)
    if "all" in named:
        archives = [f for f in files if f.endswith(".mar")]
        if not archives and complete:
            found.fault(
                models.at,
                f"all models of `{directory}` are to be loaded, and it holds none: every "
                "prediction is answered with 404",
            )
        for archive in archives:
            name = posixpath.basename(archive).removesuffix(".mar")
            found.route(models.at, "POST", f"/predictions/{name}", "predict")
        return
    for item in named:
        name, mark, archive = item.partition("=")
        archive = archive if mark else name
        if _remote(archive):
            found.open_links.append((Stage.PREDICTS, f"{archive} is fetched at the start"))
            continue
        name = name if mark else posixpath.basename(archive).removesuffix(".mar")
        path = posixpath.normpath(posixpath.join(directory, archive))
        found.route(models.at, "POST", f"/predictions/{name}", "predict")
        seen = view.look(path)
        if seen.answer == "no":
            found.fault(
                models.at,
                f"`{archive}` is not in the model store `{directory}`: torchserve stays up without "
                f"it (`ModelNotFoundException: Model not found at: {archive}`), and every prediction "
                "is answered with 404",
                possible=bool(view.by_hand(path)),
            )
        found.models.append(
            ServedModel(server="torchserve", name=name, at=models.at, file=view.repo_file(path))
        )


# ---- Triton ----

_TRITON_FILES = {
    "onnxruntime": "model.onnx", "onnxruntime_onnx": "model.onnx",
    "pytorch": "model.pt", "pytorch_libtorch": "model.pt",
    "tensorrt": "model.plan", "tensorrt_plan": "model.plan",
    "tensorflow_savedmodel": "model.savedmodel", "tensorflow_graphdef": "model.graphdef",
    "python": "model.py", "openvino": "model.xml", "dali": "model.dali",
}  # fmt: skip
# Backends whose models say what they take: a configuration is not needed for them.
_SELF_DESCRIBED = ("model.onnx", "model.plan", "model.savedmodel", "model.py", "model.xml")


def _triton(
    found: Followed,
    fact: ServerStart,
    config: tuple[Option, ...],
    env: Env,
    cwd: Value,
    view: View,
) -> None:
    found.route(fact.at, "GET", "/v2/health/ready", "ready")
    found.route(fact.at, "GET", "/v2/health/live", "health")
    stores = [o for o in fact.options if o.name == "model"]
    mode = fact.value("model_control_mode")
    if not stores:
        found.open_links.append((Stage.STARTS, "the model repository of tritonserver is not known"))
        return
    wanted = {str(o.value) for o in fact.options if o.name == "load_model"}
    goes_on = str(fact.value("exit_on_error") or "true").lower() in ("false", "0")
    for option in stores:
        if not isinstance(option.value, str) or _remote(option.value):
            found.open_links.append((Stage.STARTS, "the model repository lies elsewhere"))
            continue
        root = _under(cwd, option.value)
        if root is None:
            found.open_links.append((Stage.STARTS, "the working directory is not known"))
            continue
        files, complete = view.below(root)
        if not files and not complete:
            found.open_links.append((Stage.STARTS, f"what {root} holds is not known"))
            continue
        names = sorted({f.partition("/")[0] for f in files if "/" in f})
        if not names:
            absent = view.look(root).answer == "no"
            if (found.started_elsewhere and absent) or (mode == "explicit" and not wanted):
                later = f"models are mounted at {root}, or loaded while it runs"
                found.open_links.append((Stage.PREDICTS, later))
            elif view.look(root).answer != "unknown" and complete:
                found.fault(
                    option.at,
                    f"`{root}` holds no model: tritonserver serves nothing",
                )
            continue
        for name in names:
            if mode == "explicit" and name not in wanted and "*" not in wanted:
                continue
            _triton_model(
                found, name, root, [f for f in files if f.startswith(f"{name}/")], names, view,
                complete=complete,
                stage=Stage.PREDICTS if goes_on else Stage.STARTS,
            )  # fmt: skip


def _triton_model(
    found: Followed,
    name: str,
    root: str,
    files: list[str],
    names: list[str],
    view: View,
    *,
    complete: bool,
    stage: Stage,
) -> None:
    inside = [f.partition("/")[2] for f in files]
    text = view.text(posixpath.join(root, name, "config.pbtxt"))
    versions = sorted(
        {f.partition("/")[0] for f in inside if "/" in f and _version(f.partition("/")[0])}
    )
    if text is None:
        if "config.pbtxt" in inside:
            found.open_links.append((Stage.STARTS, f"{name}/config.pbtxt could not be read"))
        elif versions and any(f.rpartition("/")[2] in _SELF_DESCRIBED for f in inside):
            place = view.repo_file(posixpath.join(root, files[0]))
            at = Location(place) if place else Location(files[0])
            found.open_links.append((Stage.STARTS, f"`{name}` has no configuration to compare"))
            found.route(at, "POST", f"/v2/models/{name}/infer", "predict")
        return
    message = parse.parse_pbtxt(text)
    at = text.at(1)
    if message.problems:
        problem = message.problems[0]
        found.fault(
            problem.at,
            f"tritonserver cannot read the configuration of `{name}`: {problem.message}",
            stage=stage,
        )
        return
    given = message.scalar("name")
    if given is not None and given.value != name and given.value != "":
        found.fault(
            given.at,
            f"the model in `{name}/` calls itself `{given.value}`: tritonserver refuses it "
            f"(`unexpected directory name '{name}' for model '{given.value}', directory name must "
            "equal model name`)",
            stage=stage,
        )
        return
    steps = [s for e in message.messages("ensemble_scheduling") for s in e.messages("step")]
    backend = message.text("backend") or message.text("platform") or ""
    found.route(at, "POST", f"/v2/models/{name}/infer", "predict")
    for step in steps:
        part = step.scalar("model_name")
        if part is not None and part.value not in names and complete:
            found.fault(
                part.at,
                f"the ensemble `{name}` asks the model `{part.value}`, which the repository does not "
                "have: it is not loaded",
                stage=stage,
            )
    if steps or backend == "ensemble":
        found.models.append(ServedModel(server="triton", name=name, at=at, backend="ensemble"))
        return
    wanted = message.text("default_model_filename") or _TRITON_FILES.get(backend)
    served, missing = _versions(message, versions)
    if missing and complete:
        asked = message.all("version_policy")[0].at
        found.fault(
            asked,
            f"`{name}` is to be served in version {missing[0]}, and `{name}/{missing[0]}/` is not there",
            stage=stage,
            possible=_by_hand(view, posixpath.join(root, name, missing[0], wanted or "model")),
        )
        return
    if not versions:
        loose = next((f for f in inside if "/" not in f and f == wanted), None)
        if complete:
            found.fault(
                at,
                f"`{name}/` has no version directory (`{name}/1/`), and tritonserver loads nothing "
                "else: at least one version must be available"
                + (f" (`{loose}` lies beside the configuration)" if loose else ""),
                stage=stage,
                possible=_by_hand(view, posixpath.join(root, name, "1", wanted or "model")),
            )
        return
    version = served[-1]
    have = [f.partition("/")[2] for f in inside if f.startswith(f"{version}/")]
    file = None
    if wanted is not None:
        if any(f == wanted or f.startswith(f"{wanted}/") for f in have):
            file = view.repo_file(posixpath.join(root, name, version, wanted))
        elif complete:
            others = ", ".join(f"`{f}`" for f in have[:3])
            found.fault(
                at,
                f"`{name}/{version}/` has no `{wanted}`, which the backend `{backend}` loads"
                + (f" (there is {others})" if others else ""),
                stage=stage,
                possible=_by_hand(view, posixpath.join(root, name, version, wanted)),
            )
            return
    if backend == "python" or wanted is None:
        # Programs may need anything, and other backends are not known here.
        why = f"what the backend `{backend or '?'}` needs for `{name}` is not followed"
        found.open_links.append((Stage.STARTS, why))
    found.models.append(_triton_told(name, at, backend, file, message))


def _versions(message: parse.Message, there: list[str]) -> tuple[list[str], list[str]]:
    """The versions that are served, oldest first, and those asked for that are not there."""
    ordered = sorted(there, key=int)
    asked = [
        str(version.value)
        for policy in message.messages("version_policy")
        for specific in policy.messages("specific")
        for version in specific.all("versions")
    ]
    if not asked:
        return ordered, []
    return [v for v in ordered if v in asked], [v for v in asked if v not in there]


def _by_hand(view: View, path: str) -> bool:
    """Git ignores what would lie there: it is made or put there by hand."""
    return bool(view.by_hand(path))


def _version(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or not text.startswith("0"))


def _triton_told(
    name: str, at: Location, backend: str, file: str | None, message: parse.Message
) -> ServedModel:
    batches = message.scalar("max_batch_size")
    gpu = next(
        (
            kind.at
            for group in message.messages("instance_group")
            if (kind := group.scalar("kind")) is not None and kind.value == "KIND_GPU"
        ),
        None,
    )
    return ServedModel(
        server="triton",
        name=name,
        at=at,
        backend=backend,
        file=file,
        inputs=tuple(_tensors(message, "input")),
        outputs=tuple(_tensors(message, "output")),
        batches=int(str(batches.value))
        if batches is not None and str(batches.value).isdecimal()
        else None,
        batches_at=batches.at if batches is not None else None,
        gpu_at=gpu,
    )


def _tensors(message: parse.Message, kind: str) -> Iterator[Tensor]:
    for field in message.all(kind):
        if not isinstance(field.value, parse.Message):
            continue
        name = field.value.scalar("name")
        dims = [f.value for f in field.value.all("dims")]
        if name is None or field.value.messages("reshape"):
            continue
        if not all(isinstance(d, str) and d.lstrip("-").isdigit() for d in dims):
            continue
        yield Tensor(
            name=str(name.value),
            type=field.value.text("data_type") or "",
            dims=tuple(int(str(d)) for d in dims),
            at=name.at,
        )


# ---- TensorFlow Serving ----


def _tensorflow(
    found: Followed,
    fact: ServerStart,
    config: tuple[Option, ...],
    env: Env,
    cwd: Value,
    view: View,
) -> None:
    listed = fact.option("config")
    told: list[tuple[str, str, Location]] = []
    if listed is not None and isinstance(listed.value, str):
        place = _under(cwd, listed.value)
        text = view.text(place) if place is not None else None
        if text is None:
            found.open_links.append((Stage.STARTS, f"{listed.value} could not be read"))
            return
        message = parse.parse_pbtxt(text)
        for models in message.messages("model_config_list"):
            for model in models.messages("config"):
                base = model.scalar("base_path")
                if base is not None:
                    told.append((model.text("name") or "", str(base.value), base.at))
    else:
        base_path = fact.option("model")
        name = fact.value("model_name")
        if base_path is None or not isinstance(base_path.value, str):
            found.open_links.append((Stage.STARTS, "the model's place is not known"))
            return
        told.append((name if isinstance(name, str) else "default", base_path.value, base_path.at))
    for name, path, at in told[:50]:
        found.route(at, "POST", f"/v1/models/{name}:predict", "predict")
        found.route(at, "GET", f"/v1/models/{name}", "ready")
        if _remote(path):
            found.open_links.append((Stage.STARTS, f"{path} lies elsewhere"))
            continue
        root = _under(cwd, path)
        files, complete = view.below(root) if root is not None else ((), False)
        versions = [f.partition("/")[0] for f in files if "/" in f]
        numbers = [v for v in versions if v.isascii() and v.isdigit()]
        found.models.append(ServedModel(server="tensorflow-serving", name=name, at=at))
        if numbers or not complete or (root is not None and view.look(root).answer == "unknown"):
            if not numbers:
                found.open_links.append((Stage.STARTS, f"what {path} holds is not known"))
            continue
        flat = any(f in ("saved_model.pb", "saved_model.pbtxt") for f in files)
        found.fault(
            at,
            f"`{path}` has no version directory: TensorFlow Serving loads `{path}/1/saved_model.pb`"
            + (
                ", and the model lies one level too high"
                if flat
                else ", and waits without serving `"
                + name
                + "` (`No versions of servable found under base path`)"
            ),
            stage=Stage.PREDICTS,
        )
