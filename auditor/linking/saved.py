"""Models in formats of their own (not pickles) against the library that opens them.

What a release reads was found by writing and loading such files with the real libraries
(``tools/make_compat_matrix.py``); where the releases around a boundary were not tried, the
outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from auditor.linking import symbols
from auditor.linking.boosters import BASE_SCORES
from auditor.linking.compatibility import Exact, Reason

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts

# Format -> the loader that opens it.
FORMATS: Final[dict[str, str]] = {
    "xgboost-json": "xgboost",
    "xgboost-ubj": "xgboost",
    "xgboost-binary": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "catboost-json": "catboost",
    "keras-v3": "keras",
    "keras-h5": "keras",
    "savedmodel": "tensorflow",
    "torchscript": "torch",
    "skops": "skops",
    "safetensors": "safetensors",
}
# Loader -> the module it is and the distributions that bring it, the usual one first.
LIBRARIES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "xgboost": ("xgboost", ("xgboost",)),
    "lightgbm": ("lightgbm", ("lightgbm",)),
    "catboost": ("catboost", ("catboost",)),
    "keras": (
        "keras",
        ("keras", "tensorflow", "tf-keras"),
    ),
    "tensorflow": ("tensorflow", ("tensorflow",)),
    "torch": ("torch", ("torch",)),
    "skops": ("skops", ("skops",)),
    "safetensors": ("safetensors", ("safetensors",)),
}  # fmt: skip
# What CatBoost's ``load_model`` reads unless it is told otherwise, whatever the file is called.
CATBOOST_DEFAULT: Final = "cbm"
# Libraries that refuse every file that is not their own (tried with all of the others' formats).
_OWN_ONLY: Final = frozenset({"xgboost", "lightgbm", "catboost"})
_BACKENDS: Final = {"tensorflow": "tensorflow", "torch": "torch", "jax": "jax"}
_KERAS_OF_TENSORFLOW: Final = (2, 16)


def saved_reasons(facts: ArtifactFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    """What keeps the library of the environment from opening the file, or from predicting alike."""
    wanted = FORMATS.get(facts.format)
    if loader.startswith("catboost-"):
        # The call says in which format it reads.
        named = loader.removeprefix("catboost-")
        held = facts.format.removeprefix("catboost-").replace("catboost", CATBOOST_DEFAULT)
        loader = "catboost"
        if wanted == loader and named != held:
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"is a CatBoost model in the format {held}, and load_model is told to read "
                f"{named}" + (" (its default)" if named == CATBOOST_DEFAULT else ""),
                error="CatBoostError: Incorrect model file descriptor"
                if named == CATBOOST_DEFAULT
                else "CatBoostError: Json model deserialization failed",
                help=f'Pass format="{held}" to load_model.',
                distribution="catboost",
            )
            return
    if loader in _OWN_ONLY and loader != wanted and _is_foreign(facts):
        yield Reason(
            rule="CMP011",
            effect="load",
            message=f"is a {facts.format} file, which {loader} does not read",
            help="Open it with the library that wrote it.",
        )
        return
    if wanted is None or (loader != wanted and not (loader == "tensorflow" and wanted == "keras")):
        yield Reason(
            rule="CMP011",
            effect="unknown",
            message=f"is a {facts.format} file; whether {loader} opens it is not decided here"
            if loader
            else "is in a format that is not known, and so is what would open it",
        )
        return
    module, distributions = LIBRARIES[wanted]
    present = [name for name in distributions if exact.has(name)]
    pinned = [name for name in present if exact.version(name)]
    installed = next(iter([*pinned, *present]), None)
    if installed is None:
        answer = exact.runtime.installed.provides(module).answer
        if answer != "yes":
            yield Reason(
                rule="CMP003",
                effect="load" if answer in ("no", "likely-no") else "unknown",
                message=f"is a {facts.format} file, and {_absence(distributions[0], answer)}",
                error=f"ModuleNotFoundError: No module named '{module}'",
                help=f"Add {distributions[0]} to the requirements.",
                distribution=distributions[0],
            )
            return
    for issue in facts.issues:
        if issue.rule == "ART015":
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"cannot be read to its end: {issue.message}",
                help="Fetch or write the file again.",
            )
            return
    judge = _JUDGES.get(wanted)
    if judge is not None:
        yield from judge(facts, exact, installed or distributions[0])


def _is_foreign(facts: ArtifactFacts) -> bool:
    """Whether the format is one that is recognised, and not only what it looks like."""
    return facts.pickle is not None or facts.format in FORMATS or facts.format in ("npy", "npz")


def _absence(name: str, answer: str) -> str:
    if answer in ("no", "likely-no"):
        return f"{name} is not installed there"
    return f"whether {name} is installed there is not known"


def detail(facts: ArtifactFacts, name: str) -> str | None:
    """What the file states under that name."""
    return next((text for key, text in facts.details if key == name), None)


def _unpinned(facts: ArtifactFacts, name: str, written: str | None) -> Reason:
    by = f" by {name} {written}" if written else ""
    return Reason(
        rule="CMP011",
        effect="unknown",
        message=f"was written{by}, and which {name} is installed is not known",
        help=f"Pin {name}.",
        distribution=name,
    )


# ---- XGBoost ----

# Since when the extension chooses the reader.
_BY_SUFFIX: Final[dict[str, tuple[int, int]]] = {"json": (1, 0), "ubj": (1, 6)}
# Until then estimators looked for their classes in the file's attributes.
_WRAPPER_CLASSES: Final = (1, 3)
# Until then an estimator that loads a model does not get its classes back, even its own.
_WRAPPER_LOADS: Final = (1, 0)


def _xgboost(facts: ArtifactFacts, exact: Exact, name: str) -> Iterator[Reason]:
    version = exact.version(name)
    written = detail(facts, "xgboost_version")
    if version is None:
        yield _unpinned(facts, name, written)
        return
    reader = symbols.numbers(version)
    writer = symbols.numbers(written) if written else None
    layout = facts.format.removeprefix("xgboost-")
    pin = f"Pin xgboost=={written}, or save the model again with {version}." if written else (
        f"Save the model again with xgboost {version}."
    )  # fmt: skip
    found: tuple[str, str, str] | None = None
    suffix = facts.path.rpartition(".")[2].lower()
    if layout == "json" and reader < (1, 0):
        found = "load", "is a JSON model, which XGBoost reads since 1.0", "XGBoostError"
    elif layout == "ubj" and reader < (1, 6):
        found = "load", "is a UBJSON model, which XGBoost reads since 1.6", "XGBoostError"
    elif layout == "binary" and reader >= _BY_SUFFIX.get(suffix, (3, 1)):
        since = ".".join(map(str, _BY_SUFFIX.get(suffix, (3, 1))))
        found = (
            "load",
            f"is in the binary layout of older releases under the extension .{suffix}, "
            f"by which XGBoost {since} and newer choose their reader"
            if suffix in _BY_SUFFIX
            else f"is in the binary layout, which XGBoost {since} no longer reads",
            "XGBoostError: Check failed: str[0] == '{'",
        )
    elif layout == "json" and writer is not None and reader < (1, 3) <= writer:
        found = (
            "load",
            f"was written by XGBoost {written}, whose trees lack what {version} asks of them",
            "XGBoostError: Invalid cast, from Null to Array",
        )
    elif layout == "json" and writer is not None and reader < (1, 6) <= writer:
        found = (
            "load",
            f"was written by XGBoost {written}, whose trees spell out as numbers what {version} "
            "reads as true or false",
            "XGBoostError: Invalid cast, from Integer to Boolean",
        )
    elif (
        writer is not None
        and reader < BASE_SCORES <= writer
        and detail(facts, "xgboost_base_score") != "half"
    ):
        found = (
            "predict",
            f"was written by XGBoost {written}, which stores the base score as a list: {version} "
            "takes it for another number and predicts otherwise, silently",
            "",
        )
    elif (
        layout == "binary"
        and detail(facts, "xgboost_wrapper") == "classifier"
        and writer is not None
        and reader < _WRAPPER_CLASSES <= writer
    ) or (
        layout == "binary"
        and reader < _WRAPPER_LOADS
        and detail(facts, "xgboost_task") == "classification"
    ):
        yield Reason(
            rule="CMP011",
            effect="unknown",
            message=f"is a classifier that XGBoost {version} restores in part: a Booster predicts "
            "with it, XGBClassifier misses its classes or gives other answers",
            help=pin,
            distribution=name,
        )
        return
    if found is not None:
        effect, message, error = found
        yield Reason(
            rule="CMP011",
            effect="predict" if effect == "predict" else "load",
            message=message,
            error=error,
            help=pin,
            distribution=name,
            evidence=(("written by", written or layout),),
        )
    elif layout == "json" and writer is not None and writer < (1, 6) and reader >= (2, 0):
        yield Reason(
            rule="CMP011",
            effect="warns",
            message=f"was written by XGBoost {written}; {version} says that support for models "
            "from before 1.6 will end",
            error="WARNING: Found JSON model saved before XGBoost 1.6",
            help=f"Save the model again with xgboost {version}.",
            distribution=name,
        )


# ---- LightGBM ----


def _lightgbm(facts: ArtifactFacts, exact: Exact, name: str) -> Iterator[Reason]:
    version = exact.version(name)
    form = detail(facts, "lightgbm_format")
    if version is None:
        return
    if form is not None and form[1:].isdigit() and int(form[1:]) > 4:
        yield Reason(
            rule="CMP011",
            effect="unknown",
            message=f"is in the form {form} of LightGBM's text models, which is newer than those "
            "known here",
            distribution=name,
        )
        return
    if symbols.numbers(version)[:2] == (4, 0):
        strange = detail(facts, "lightgbm_parameters")
        if strange:
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"names the parameter {strange.split()[0]}, which LightGBM {version} does "
                "not know: this one release looks every parameter of the file up",
                error="LightGBMError: unordered_map::at",
                help="Pin lightgbm>=4.1, or save the model again.",
                distribution=name,
            )


# ---- Keras ----


def keras_version(exact: Exact) -> str | None:
    """The Keras that ``keras`` or ``tensorflow.keras`` is there; None when it is not known."""
    version = exact.version("keras")
    if version is not None:
        return version
    found = exact.version("tensorflow")
    if found is None:
        return None
    number = symbols.numbers(found)
    # Before 2.16 each TensorFlow asks for the Keras of its own number.
    return "3" if number[:2] >= _KERAS_OF_TENSORFLOW else ".".join(map(str, number[:2]))


def _refused(keras: str, exact: Exact) -> str:
    """What the release of Keras asks of an interpreter that cannot take it."""
    from auditor.linking import wheels

    python = ".".join(map(str, exact.python))
    found = wheels.installable("keras", keras, python=python)
    if found.outcome != "no-python":
        return ""
    return f" on Python {found.requires_python}, which {python} is not"


def _keras(facts: ArtifactFacts, exact: Exact, name: str) -> Iterator[Reason]:
    written = detail(facts, "keras_version")
    version = keras_version(exact)
    if version is None:
        yield _unpinned(facts, "keras", written)
        return
    reader = symbols.numbers(version)
    legacy = exact.has("tf-keras") and not exact.has("keras")
    if facts.format == "keras-v3" and reader < (2, 12):
        yield Reason(
            rule="CMP011",
            effect="load",
            message=f"is a .keras archive, which Keras reads since 2.12; {version} is installed",
            error="OSError: Unable to open file (file signature not found)",
            help="Pin keras to the version that wrote the model, or save it again as HDF5.",
            distribution=name,
        )
        return
    if written is None:
        return
    writer = symbols.numbers(written)
    if writer[0] >= 3 and (reader[0] < 3 or legacy):
        yield Reason(
            rule="CMP011",
            effect="load",
            message=f"was written by Keras {written}; Keras {version} does not understand its layers",
            error="TypeError: Error when deserializing class 'InputLayer'",
            help=f"Pin keras=={written} (TensorFlow 2.16 or newer){_refused(written, exact)}, or save "
            "the model again.",
            distribution=name,
            evidence=(("written by", written),),
        )
        return
    if reader[0] >= 3:
        yield from _backend(facts, exact)
    if writer[0] < 3 <= reader[0]:
        yield Reason(
            rule="CMP011",
            effect="unknown",
            message=f"was written by Keras {written}; Keras 3 reads many such models, not all",
            help="Save the model again with Keras 3, or install tf-keras and set "
            "TF_USE_LEGACY_KERAS=1.",
            distribution=name,
        )
    elif writer[:2] > reader[:2] and len(reader) > 1:
        yield Reason(
            rule="CMP011",
            effect="unknown",
            message=f"was written by Keras {written}, newer than the {version} installed there: "
            "arguments that layers have gained since are not understood",
            help=f"Pin keras>={written}{_refused(written, exact)}.",
            distribution=name,
        )


def _backend(facts: ArtifactFacts, exact: Exact) -> Iterator[Reason]:
    """A model compiled under one backend names that backend's optimizer."""
    backend = detail(facts, "keras_backend")
    if facts.format != "keras-v3" or backend is None:
        return
    distribution = _BACKENDS.get(backend)
    if distribution is None or exact.has(distribution):
        return
    answer = exact.runtime.installed.provides(distribution).answer
    if answer in ("no", "likely-no"):
        yield Reason(
            rule="CMP003",
            effect="load",
            message=f"was compiled under the {backend} backend and names its optimizer; "
            f"{distribution} is not installed there",
            error=f"ModuleNotFoundError: No module named '{distribution}'",
            help="Load it with compile=False, or save it without compiling.",
            distribution=distribution,
        )


# ---- TensorFlow, torch ----


def _tensorflow(facts: ArtifactFacts, exact: Exact, name: str) -> Iterator[Reason]:
    written = detail(facts, "tensorflow_version")
    version = exact.version(name)
    if version is None or written is None:
        return
    if symbols.numbers(written)[:2] > symbols.numbers(version)[:2]:
        yield Reason(
            rule="CMP011",
            effect="unknown",
            message=f"was written by TensorFlow {written}; the older {version} may not know every "
            "operation of it",
            help=f"Pin {name}>={written}.",
            distribution=name,
        )


# Form 3 of torch's archives came with 1.6.
_ARCHIVE_3: Final = (1, 6)


def archive_reasons(facts: ArtifactFacts, exact: Exact) -> Iterator[Reason]:
    """Torch's ZIP archives under releases that know only the older forms."""
    version = exact.version("torch")
    form = detail(facts, "torch_archive")
    if version is None or facts.format not in ("torch-zip", "torchscript"):
        return
    if symbols.numbers(version) < _ARCHIVE_3 and (form is None or int(form) >= 3):
        yield Reason(
            rule="CMP011",
            effect="load",
            message=f"is an archive as torch 1.6 and newer write it; torch {version} is too old",
            error="RuntimeError: Attempted to read a PyTorch file with version 3, but the maximum "
            "supported version for reading is 2",
            help="Pin torch>=1.6, or save with _use_new_zipfile_serialization=False.",
            distribution="torch",
        )


def _torch(facts: ArtifactFacts, exact: Exact, name: str) -> Iterator[Reason]:
    yield from archive_reasons(facts, exact)


# ---- skops ----


def _skops(facts: ArtifactFacts, exact: Exact, name: str) -> Iterator[Reason]:
    """The estimators' attributes are restored as they were stored, as a pickle does."""
    written = detail(facts, "sklearn_version")
    version = exact.version("scikit-learn")
    if written is None or written == version:
        return
    if version is None:
        yield _unpinned(facts, "scikit-learn", written)
        return
    yield Reason(
        rule="CMP002",
        effect="unknown",
        message=f"was written by scikit-learn {written}; {version} says so when it loads, and whether "
        "it finds every attribute that it needs is not decided for this format",
        help=f"Pin scikit-learn=={written}, or train the model again with {version}.",
        distribution="scikit-learn",
        evidence=(("written by", written),),
    )


_JUDGES: Final[dict[str, Callable[[ArtifactFacts, Exact, str], Iterator[Reason]]]] = {
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "keras": _keras,
    "tensorflow": _tensorflow,
    "torch": _torch,
    "skops": _skops,
}

__all__ = [
    "CATBOOST_DEFAULT",
    "FORMATS",
    "LIBRARIES",
    "archive_reasons",
    "detail",
    "keras_version",
    "saved_reasons",
]
