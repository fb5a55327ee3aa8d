"""Models that a deployment fetches, and calls that load in a way that runs code."""

from __future__ import annotations

from collections.abc import Iterator

from auditor import lazy_re as re
from auditor.deployment.imagefacts import RunStep
from auditor.deployment.model import BuiltImage, Service
from auditor.parsers.python.facts import Call, FileAccess, Phase, Value
from auditor.source import Location
from auditor.values import value

MODEL_FILE = re.compile(
    r"[^\s?#]+\.(?:pkl|pickle|joblib|dill|pt|pth|ckpt|bin|h5|hdf5|keras|onnx|safetensors|gguf|ggml"
    r"|tflite|pb|npy|npz|pmml|caffemodel|weights|cbm|skops|mar|nemo|t7|pdparams)"
    r"(?:\.(?:gz|bz2|xz|zst))?(?=$|[?#])",
    re.IGNORECASE,
)
# A revision that cannot move.
_COMMIT = re.compile(r"[0-9a-f]{40}")
_CHECKERS = frozenset(
    {"sha256sum", "sha512sum", "sha1sum", "sha384sum", "md5sum", "shasum", "b2sum", "gpg", "cosign",
     "minisign", "openssl", "cksum", "git"}
)  # fmt: skip

# What fetches a file: name → the keyword that holds a checksum ("" for none), the position where
# the source stands.
FETCHERS: dict[str, tuple[str, ...]] = {
    "urllib.request.urlretrieve": (),
    "urllib.urlretrieve": (),
    "wget.download": (),
    "gdown.download": (),
    "gdown.cached_download": ("hash", "md5"),
    "torch.hub.download_url_to_file": ("hash_prefix",),
    "torch.hub.load_state_dict_from_url": ("check_hash",),
    "keras.utils.get_file": ("file_hash", "md5_hash"),
    "tensorflow.keras.utils.get_file": ("file_hash", "md5_hash"),
}
HUB = frozenset({"huggingface_hub.hf_hub_download", "huggingface_hub.snapshot_download"})
# Loaders that run what the file says.
UNPICKLERS = frozenset(
    {"pickle.load", "joblib.load", "dill.load", "cloudpickle.load", "pandas.read_pickle"}
)


@value
class Fetch:
    """A model that comes over the network with nothing to check it by."""

    at: Location
    tool: str
    source: str
    advice: str
    hub: bool = False


def _text(value: Value | None) -> str:
    return value.value if value is not None and isinstance(value.value, str) else ""


def _given(value: Value | None) -> bool:
    """A keyword was given something other than None or False."""
    return value is not None and not (value.known and not value.value)


def in_code(service: Service) -> Iterator[Fetch | None]:
    """Downloads of models that the service's code comes to; None for one that is checked."""
    for entry in service.entries:
        models = {
            f.path.resolved for f in entry.trace.files if f.downloaded and f.kind == "artifact"
        }
        for call in entry.trace.calls:
            if call.category != "download" or call.reach.phase is Phase.UNREACHED:
                continue
            if call.name in HUB:
                revision = _text(call.keyword("revision"))
                fixed = _COMMIT.fullmatch(revision) or (
                    call.keyword("revision") is not None and not revision
                )
                if fixed or call.keyword("**") is not None or call.keyword("repo_type"):
                    yield None
                    continue
                yield Fetch(
                    at=call.at,
                    tool=call.name,
                    source=_text(call.arguments[0] if call.arguments else call.keyword("repo_id")),
                    advice="Pass `revision=` the commit that was tested (40 hex digits).",
                    hub=True,
                )
                continue
            checks = FETCHERS.get(call.name)
            if checks is None:
                continue
            if any(_given(call.keyword(name)) for name in checks) or _verified(service, call):
                yield None
                continue
            texts = [_text(v) for v in (*call.arguments, *(v for _, v in call.keywords))]
            source = next((t for t in texts if MODEL_FILE.search(t)), "")
            if not source and call.name != "torch.hub.load_state_dict_from_url" and not models:
                continue
            advice = (
                f"Pass `{checks[0]}=`"
                + ("True" if checks[0] == "check_hash" else " the checksum")
                + "."
                if checks
                else "Compare `hashlib.sha256` of the file with a constant before it is loaded."
            )
            yield Fetch(at=call.at, tool=call.name, source=source, advice=advice)


def _verified(service: Service, call: Call) -> bool:
    """The module computes checksums; whether of this file is not followed."""
    facts = service.module_facts.get(call.at.path)
    return facts is not None and any(
        i.module.split(".")[0] in ("hashlib", "pooch") for i in facts.imports
    )


def in_build(image: BuiltImage) -> Iterator[Fetch | None]:
    """Models that the build downloads."""
    for run in image.image.runs:
        yield from _run(run)
    for step in image.image.copies:
        if step.instruction.keyword == "ADD":
            for source in step.sources:
                if not isinstance(source, str) or not source.startswith(("http://", "https://")):
                    continue
                if MODEL_FILE.search(source) is None:
                    continue
                if step.instruction.checksum is not None or _COMMIT.search(source):
                    yield None
                    continue
                yield Fetch(
                    at=step.at,
                    tool="ADD",
                    source=source,
                    advice="Write `ADD --checksum=sha256:…` with the checksum of the tested file.",
                )


def _run(step: RunStep) -> Iterator[Fetch | None]:
    if not any(word in step.command.text.text for word in ("curl", "wget", "aria2c")):
        return
    from auditor.parsers.shell import parse

    commands = parse(step.command.text).commands
    names = {command.words[0].literal or "" for command in commands if command.words}
    checked = bool({name.rsplit("/", 1)[-1] for name in names} & _CHECKERS)
    for command in commands:
        words = [word.literal or "" for word in command.words]
        if not words or words[0].rsplit("/", 1)[-1] not in ("curl", "wget", "aria2c"):
            continue
        for word in words[1:]:
            if not word.startswith(("http://", "https://")) or not MODEL_FILE.search(word):
                continue
            if checked or _COMMIT.search(word) or any("checksum" in w for w in words):
                yield None
                continue
            yield Fetch(
                at=command.at,
                tool=words[0],
                source=word,
                advice="Check it in the same RUN: `echo '<sha256>  <file>' | sha256sum -c -`.",
            )


@value
class Unsafe:
    """A call that runs code from what it loads, though it need not."""

    at: Location
    what: str
    advice: str
    path: str
    # It comes from elsewhere: a hub, a download.
    foreign: bool


def unsafe_loads(service: Service) -> Iterator[tuple[FileAccess, Unsafe | None]]:
    """Loads that the service's code comes to, with what is unsafe about them."""
    for entry in service.entries:
        for access in entry.trace.files:
            if access.kind != "artifact" or access.mode != "read":
                continue
            if access.reach.phase is Phase.UNREACHED:
                continue
            yield access, _unsafe(access)


def _is(value: Value | None, wanted: bool) -> bool:
    return value is not None and value.known and value.value is wanted


def _unsafe(access: FileAccess) -> Unsafe | None:
    loader = access.loader
    path = access.path.text if isinstance(access.path.text, str) else ""
    found: tuple[str, str] | None = None
    foreign = access.downloaded
    if loader == "torch.load" and _is(access.option("weights_only"), False):
        found = (
            "`weights_only=False` lets the file call anything while it loads",
            "Save a state_dict and load it with `weights_only=True`, or use safetensors.",
        )
    elif loader == "numpy.load" and _is(access.option("allow_pickle"), True):
        found = (
            "`allow_pickle=True` lets the array bring a pickle",
            "Save numbers or strings of a fixed width: they load with `allow_pickle=False`.",
        )
    elif _is(access.option("trust_remote_code"), True):
        revision = _text(access.option("revision"))
        if not _COMMIT.fullmatch(revision):
            foreign = True
            found = (
                "`trust_remote_code=True` runs the Python files of the model's repository, "
                "whatever they are on that day",
                "Pin `revision=` to the commit whose code was read, or use a model that needs none.",
            )
    elif loader.endswith("load_model") and _is(access.option("safe_mode"), False):
        found = (
            "`safe_mode=False` rebuilds Lambda layers from bytecode in the file",
            "Replace Lambda layers by registered layers and leave `safe_mode` on.",
        )
    elif access.downloaded and loader in UNPICKLERS:
        found = (
            f"`{loader}` unpickles what was downloaded: who changes that file runs code here",
            "Ship the file in the image, check its sha256 first, or use skops, ONNX or safetensors.",
        )
    if found is None:
        return None
    return Unsafe(at=access.at, what=found[0], advice=found[1], path=path, foreign=foreign)
