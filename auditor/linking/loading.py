"""The steps of a load, each with what it needs: file, loader, protocol, globals, states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts, GlobalRef, PickleFacts

# Formats in which nothing that unpickles finds a stream.
_NO_PICKLE = frozenset(
    {"empty", "lfs-pointer", "html", "text", "json", "xml", "unknown", "pmml", "png", "pdf", "jpeg"}
)
_UNPICKLERS = frozenset({"pickle", "joblib", "dill", "cloudpickle", "pandas", "numpy"})
# What ``pandas.read_pickle`` unpacks, by the extension; archives must hold one file.
_PANDAS_COMPRESSIONS = {"gz": "gzip", "bz2": "bz2", "xz": "xz", "zip": "zip", "zst": "zstd"}
_PANDAS_ARCHIVES = {"zip": (0, 20), "tar": (1, 5)}


def reasons_of(facts: ArtifactFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    """Everything that speaks against a plain load, in the order in which it would be met."""
    if loader in ("onnx", "openvino", "tensorrt") or facts.format == "onnx":
        from auditor.linking.opsets import onnx_reasons

        yield from onnx_reasons(facts, exact, loader)
        return
    if loader not in _UNPICKLERS:
        if facts.pickle is not None and loader.startswith("torch"):
            yield from _torch(facts, facts.pickle, exact, loader)
        else:
            from auditor.linking.saved import saved_reasons

            yield from saved_reasons(facts, exact, loader)
        return
    pickle = facts.pickle
    if loader != "numpy" or facts.format not in ("npy", "npz"):
        yield from _file(facts, exact, loader)
        yield from _codec(facts, exact, loader)
        if pickle is None:
            return
    if loader != "pickle" and not exact.has(loader):
        provided = exact.runtime.installed.provides(loader).answer
        if provided != "yes":
            yield _missing_loader(loader, exact)
    if pickle is None:
        # An array of plain numbers.
        return
    yield from _protocol(pickle, exact)
    yield from _refused(facts, pickle, exact, loader)
    yield from _extensions(pickle)
    yield from _alignment(pickle, exact, loader)
    yield from _own_joblib(pickle, exact, loader)
    yield from _python2(pickle, exact, loader)
    yield from _globals(pickle, exact, loader)
    from auditor.linking.states import state_reasons

    yield from state_reasons(facts, pickle, exact, loader)


# ``torch.load`` takes ``weights_only=True`` for granted since this release.
WEIGHTS_ONLY = (2, 6)


def _torch(
    facts: ArtifactFacts, pickle: PickleFacts, exact: Exact, loader: str
) -> Iterator[Reason]:
    """``torch.load`` of an archive or of the older form."""
    from auditor.linking.saved import archive_reasons

    if not exact.has("torch") and exact.runtime.installed.provides("torch").answer != "yes":
        yield _missing_loader("torch", exact)
        return
    if facts.format == "torchscript":
        yield from archive_reasons(facts, exact)
        return
    yield from archive_reasons(facts, exact)
    if loader != "torch-full" and facts.weights_only is False:
        version = exact.version("torch")
        what = ", ".join(facts.weights_only_objections[:3])
        if loader == "torch-weights":
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"holds more than tensors ({what}), which weights_only=True refuses",
                error="UnpicklingError: Weights only load failed",
                help="Save the state_dict alone and load it into the model.",
            )
            return
        if version is None:
            yield Reason(
                rule="CMP011",
                effect="unknown",
                message=f"holds more than tensors ({what}): torch.load refuses it by default since "
                "2.6, and which torch is installed is not known",
                help="Pin torch, or pass weights_only=False for a file that you trust.",
                distribution="torch",
            )
        elif symbols.numbers(version) >= WEIGHTS_ONLY:
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"holds more than tensors ({what}), which torch.load of torch {version} "
                "refuses by default",
                error="UnpicklingError: Weights only load failed",
                help="Save the state_dict alone, or pass weights_only=False for a file that you "
                "trust.",
                distribution="torch",
            )
            return
    yield from _globals(pickle, exact, loader)
    from auditor.linking.states import state_reasons

    yield from state_reasons(facts, pickle, exact, loader)


def _missing_loader(loader: str, exact: Exact) -> Reason:
    answer = exact.runtime.installed.provides(loader).answer
    return Reason(
        rule="CMP003",
        effect="load" if answer in ("no", "likely-no") else "unknown",
        message=f"{loader} is not installed there"
        if answer in ("no", "likely-no")
        else f"needs {loader}, and whether it is installed there is not known",
        error=f"ModuleNotFoundError: No module named '{loader}'",
        help=f"Add {loader} to the requirements.",
        distribution=loader,
    )


def _unpacked(facts: ArtifactFacts, exact: Exact, since: tuple[int, int]) -> Reason:
    """An archive that ``pandas.read_pickle`` looks into."""
    if exact.at_least("pandas", *since) is False:
        return Reason(
            rule="CMP010",
            effect="load",
            message=f"is a {facts.format} archive, which pandas {exact.version('pandas')} does not "
            "unpack",
            error="UnpicklingError: invalid load key",
            help="Write the file with compression='gzip'.",
        )
    return Reason(
        rule="CMP011",
        effect="unknown",
        message=f"is a {facts.format} archive, which pandas unpacks; what is in it is not followed",
        help="Write the file with compression='gzip', or name the file in the archive.",
    )


def _file(facts: ArtifactFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    """The file itself: not a pickle, cut off, damaged, or for another loader."""
    if facts.format in ("npy", "npz"):
        # One of objects holds a pickle, behind a header that only NumPy knows.
        yield Reason(
            rule="CMP011",
            effect="load",
            message=f"is a {facts.format} file, which {loader}.load does not read",
            error="UnpicklingError",
            help="Open it with numpy.load.",
        )
        return
    if facts.pickle is None or facts.pickle.streams == 0:
        archive = _PANDAS_ARCHIVES.get(facts.format) if loader == "pandas" else None
        if archive is not None and facts.path.lower().endswith(f".{facts.format}"):
            yield _unpacked(facts, exact, archive)
            return
        if facts.format in _NO_PICKLE or facts.pickle is not None:
            what = "is cut off or damaged" if facts.pickle is not None else f"is {facts.format}"
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"holds no complete pickle: the file {what}",
                error="UnpicklingError",
                help="Fetch or write the file again.",
            )
        else:
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"is a {facts.format} file, which {loader} does not read",
                error="UnpicklingError",
            )
        return
    for issue in facts.issues:
        if _only_unended(facts, loader) and issue.message.startswith("does not unpack"):
            continue
        if issue.rule == "ART015" or (issue.rule == "ART003" and "no well-formed" in issue.message):
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"cannot be read to its end: {issue.message}",
                error="UnpicklingError",
                help="Fetch or write the file again.",
            )
            return


# By loader, the streams whose reader misses the end only when it is asked for more: joblib's own,
# and Python's for gzip.
_LAZY: Final = {"joblib": ("gzip", "zlib"), "pandas": ("gzip",)}


def _only_unended(facts: ArtifactFacts, loader: str) -> bool:
    """Whether the file lacks nothing but the end mark behind a whole pickle."""
    return facts.unended and facts.container in _LAZY.get(loader, ())


# Behind these joblib does not stop: it feeds a decompressor of zlib that is done again and again,
# and one of LZ4 what is none. Behind others it ignores what follows.
_ENDLESS: Final = frozenset({"gzip", "zlib", "lz4"})


def _codec(facts: ArtifactFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    container = (facts.container or "").partition("+")[0]
    pickle = facts.pickle
    if container:
        if loader == "joblib":
            if container == "lz4" and not exact.has("lz4"):
                answer = exact.runtime.installed.provides("lz4").answer
                yield Reason(
                    rule="CMP010",
                    effect="load" if answer in ("no", "likely-no") else "unknown",
                    message="is compressed with LZ4, and lz4 is not installed there",
                    error="ValueError: LZ4 is not installed",
                    help="Add lz4 to the requirements, or write the file with compress=3.",
                    distribution="lz4",
                )
            elif container == "zstd":
                yield Reason(
                    rule="CMP010",
                    effect="load",
                    message="is compressed with Zstandard, which joblib does not read",
                )
            elif container in _ENDLESS and facts.behind:
                yield Reason(
                    rule="CMP011",
                    effect="load",
                    message=f"has {facts.behind} bytes behind its {container} stream, which "
                    "joblib.load never gets past",
                    error="MemoryError, or no answer at all",
                    help="Fetch or write the file again, and compare its checksum.",
                )
        elif loader == "pandas":
            suffix = facts.path.rpartition(".")[2].lower()
            if _PANDAS_COMPRESSIONS.get(suffix) != container:
                yield Reason(
                    rule="CMP010",
                    effect="load",
                    message=f"is compressed with {container}, and its name does not say so: "
                    "pandas.read_pickle goes by the extension",
                    error="UnpicklingError: invalid load key",
                )
        else:
            yield Reason(
                rule="CMP010",
                effect="load",
                message=f"is compressed with {container}; {_call(loader)} does not unpack",
                error="UnpicklingError: invalid load key",
                help="Open it with joblib.load.",
            )
    if pickle is not None and loader != "joblib" and _raw_arrays(pickle):
        yield Reason(
            rule="CMP011",
            effect="load",
            message=f"was written by joblib.dump; {_call(loader)} does not read the arrays in it",
            error="UnpicklingError",
            help="Open it with joblib.load.",
        )


def _call(loader: str) -> str:
    """What the code calls."""
    return "pandas.read_pickle" if loader == "pandas" else f"{loader}.load"


def _raw_arrays(pickle: PickleFacts) -> bool:
    """Bytes of arrays stand between the opcodes (arrays of objects are pickles themselves)."""
    if not pickle.joblib_arrays:
        return False
    from auditor.linking.states import mapping_of, of_ref

    for item in pickle.objects:
        if item.of.endswith("NumpyArrayWrapper"):
            state = mapping_of(item)
            dtype = of_ref(pickle, state.get("dtype")) if state is not None else None
            if dtype is None or not dtype.args or not str(dtype.args[0]).startswith("O"):
                return True
    return False


def highest_protocol(python: tuple[int, int]) -> int:
    """``pickle.HIGHEST_PROTOCOL`` of a Python."""
    return 5 if python >= (3, 8) else 4 if python >= (3, 4) else 3


def _protocol(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    highest = highest_protocol(exact.python)
    if pickle.protocol > highest:
        python = ".".join(map(str, exact.python))
        yield Reason(
            rule="CMP001",
            effect="load",
            message=f"uses pickle protocol {pickle.protocol}; Python {python} reads up to {highest}",
            error=f"ValueError: unsupported pickle protocol: {pickle.protocol}",
            help=f"Write it with protocol={highest}, or run Python 3.8 or newer.",
        )


# joblib, and pandas since this release, read with ``pickle.py``; all others with the C unpickler.
_PLAIN_PANDAS: Final = (3, 0)
# By unpickler, what it does not take of a stream that another does.
_REFUSED: Final = {
    "c": {
        "long-frame": "UnpicklingError: pickle data was truncated",
        "huge-frame": "MemoryError",
        "arguments": "TypeError: argument list must be a tuple",
    },
    "python": {
        "huge-frame": "MemoryError",
        "frame-in-frame": "UnpicklingError: beginning of a new frame before end of current frame",
        "crossed-frame": "UnpicklingError: pickle exhausted before end of frame",
    },
}
# A file up to this size lies in the buffer of the open file, in which frames have no ends.
_BUFFERED: Final = 4096


def _refused(
    facts: ArtifactFacts, pickle: PickleFacts, exact: Exact, loader: str
) -> Iterator[Reason]:
    """Streams that only one of the two unpicklers takes."""
    if not pickle.faults:
        return
    plain = loader == "joblib"
    if loader == "pandas":
        plain = exact.at_least("pandas", *_PLAIN_PANDAS) is not False
    refused = _REFUSED["python" if plain else "c"]
    for fault in pickle.faults:
        if error := refused.get(fault):
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"was damaged: it holds what {_call(loader)} refuses ({_FAULTS[fault]})",
                error=error,
                help="Fetch or write the file again, and compare its checksum.",
            )
            return
    if not plain and "crossed-frame" in pickle.faults and facts.size > _BUFFERED:
        yield Reason(
            rule="CMP011",
            effect="unknown",
            message=f"may have been damaged: {_FAULTS['crossed-frame']}",
            help="Fetch or write the file again, and compare its checksum.",
        )


def _extensions(pickle: PickleFacts) -> Iterator[Reason]:
    """Codes that stand for names: nobody but the process that wrote them knows which."""
    if pickle.extension_codes:
        code = pickle.extension_codes[0]
        yield Reason(
            rule="CMP011",
            effect="load",
            message=f"names something by the extension code {code}, which has to be registered "
            "before it is loaded",
            error=f"ValueError: unregistered extension code {code}",
            help="Register it with copyreg.add_extension, or write the artifact without codes.",
        )


_FAULTS: Final = {
    "long-frame": "a frame that is longer than the file",
    "huge-frame": "a frame that is longer than any memory",
    "frame-in-frame": "a frame that begins inside another",
    "crossed-frame": "a value that crosses the end of its frame",
    "arguments": "a call whose arguments are no tuple",
}


# Until then scikit-learn had a joblib of its own, whose arrays only its own reader reads.
_OWN_JOBLIB: Final = (0, 21)
_OWN_WRAPPER: Final = "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper"


def _own_joblib(pickle: PickleFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    """Arrays of scikit-learn's own joblib, read with the library of that name."""
    if loader != "joblib" or not pickle.joblib_arrays:
        return
    if exact.at_least("scikit-learn", *_OWN_JOBLIB) is not False:
        return
    if any(item.of == _OWN_WRAPPER for item in pickle.objects):
        yield Reason(
            rule="CMP011",
            effect="load",
            message="was written by sklearn.externals.joblib, whose arrays joblib.load does not take "
            f"for its own with scikit-learn {exact.version('scikit-learn')}",
            error="KeyError or UnpicklingError",
            help="Open it with sklearn.externals.joblib.load, and write it again with joblib.",
            distribution="scikit-learn",
        )


def _alignment(pickle: PickleFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    if loader != "joblib" or not pickle.joblib_aligned:
        return
    if exact.at_least("joblib", 1, 2) is False:
        yield Reason(
            rule="CMP011",
            effect="load",
            message="was written by joblib 1.2 or newer (aligned arrays), which "
            f"joblib {exact.version('joblib')} reads at the wrong places",
            error="KeyError or UnpicklingError",
            help="Pin joblib>=1.2, or write the file with compress=3.",
            distribution="joblib",
        )


# Until then ``pandas.read_pickle`` tried again with ``encoding="latin-1"``.
_PANDAS_LATIN: Final = (3, 0)


def _python2(pickle: PickleFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    if loader == "pandas" and exact.at_least("pandas", *_PANDAS_LATIN) is not True:
        return
    if pickle.python2_strings or _python2_arrays(pickle):
        yield Reason(
            rule="CMP011",
            effect="load",
            message="holds byte strings of Python 2 that are not ASCII",
            error="UnicodeDecodeError: 'ascii' codec can't decode byte",
            help='Load it once with encoding="latin1" and write it again.',
        )


def _python2_arrays(pickle: PickleFacts) -> bool:
    """Arrays whose raw bytes Python 2 wrote as a string, with bytes that are not ASCII."""
    if pickle.protocol > 2:
        return False
    from auditor.artifacts.facts import Items, Opaque

    for item in pickle.objects:
        if item.of == "numpy.ndarray" and isinstance(item.state, Items):
            raw = item.state.items[-1] if item.state.items else None
            if isinstance(raw, Opaque) and raw.kind == "str":
                ends = raw.head + raw.tail
                # Protocol 0 spells the bytes out as escapes.
                if any(byte > 127 for byte in ends) or any(
                    f"\\x{digit}".encode() in ends for digit in "89abcdef"
                ):
                    return True
    return False


def _named(pickle: PickleFacts) -> Iterator[tuple[int, str, str]]:
    """(offset, module, name) of every import, also of NumPy's functions, which name theirs."""
    for found in pickle.globals:
        yield found.offset, found.module, found.name
    for item in pickle.objects:
        if item.callable.endswith("._ufunc_reconstruct") and len(item.args) == 2:
            module, name = item.args
            if isinstance(module, str) and isinstance(name, str):
                yield item.offset, module, name
        elif item.callable in _IMPORTERS and item.args and isinstance(item.args[0], str):
            module, _, name = item.args[0].rpartition(".")
            if module:
                yield item.offset, module, name


# What cloudpickle and dill import a module with, by its name.
_IMPORTERS: Final = frozenset(
    {"dill._dill._import_module", "cloudpickle.cloudpickle.subimport", "cloudpickle.subimport"}
)


# What dill's unpickler answers itself, as of this module.
_DILL_ANSWERS: Final = frozenset({"__main__", "NoneType"})


def _globals(pickle: PickleFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    """Every name that is imported, in the order of the stream."""
    seen: set[tuple[str, str]] = set()
    renames: dict[tuple[str, str], tuple[str, str]] = {}
    if loader == "pandas":
        from auditor.linking.pandas_states import pandas_renames

        renames = pandas_renames(exact.version("pandas") or "")
    failed_modules: set[str] = set()
    unknown: set[str] = set()
    missing: set[str] = set()
    for _, *asked in sorted([*_named(pickle)]):
        module, name = renames.get((asked[0], asked[1]), (asked[0], asked[1]))
        if (module, name) in seen or module in failed_modules:
            continue
        if loader == "dill" and module == "__builtin__" and name in _DILL_ANSWERS:
            continue
        seen.add((module, name))
        reason = resolve(module, name, exact)
        if reason is not None:
            if reason.rule in ("CMP003", "CMP008"):
                failed_modules.add(module)
            if reason.rule == "CMP003" and reason.distribution:
                # That a library is missing is said once, not for each of its names.
                if reason.distribution in missing:
                    continue
                missing.add(reason.distribution)
            if reason.effect == "unknown" and reason.distribution:
                # One is enough of each library.
                if reason.distribution in unknown:
                    continue
                unknown.add(reason.distribution)
            yield reason


def resolve(module: str, name: str, exact: Exact) -> Reason | None:
    """Why ``module.name`` cannot be imported there; None when it can."""
    top = module.partition(".")[0]
    head = name.partition(".")[0]
    parts = [top, *(p for p in name.split(".") if not p.startswith("<"))]
    if not all(map(str.isidentifier, parts)) and not head.startswith("<"):
        return Reason(
            rule="CMP011",
            effect="load",
            message=f"names {module}.{name}, which can be no name: the file is damaged",
            error=f"ModuleNotFoundError: No module named '{module}', or AttributeError",
            help="Fetch or write the file again.",
        )
    if top in ("__main__", "__mp_main__"):
        if head in exact.runtime.main or (head[:2] == head[-2:] == "__"):
            # Every module has its ``__dict__``.
            return None
        return Reason(
            rule="CMP007",
            effect="load",
            message=f"names {head} of the training script ({module}), which the server's own "
            "main module does not define",
            error=f"AttributeError: Can't get attribute '{head}' on <module '__main__'>",
            help=f"Move {head} into a module that the image has, and write the artifact again.",
        )
    standard = symbols.table("stdlib")
    if standard is not None and (f"{top}" in standard._modules):
        version = ".".join(map(str, exact.python))
        answer = standard.find(module, head, version)
        if module == "__builtin__":
            answer = "no-module"
        if answer in ("yes", "unknown"):
            return None
        if answer == "no-name" and head.startswith("__") and head.endswith("__"):
            # Every module has its ``__dict__``; the tables leave such names out.
            return None
        if exact.runtime.project and top in exact.runtime.project:
            return None
        what = "module" if answer == "no-module" else "name"
        return Reason(
            rule="CMP004",
            effect="load",
            message=f"names {module}.{head}, and Python {version} has no such {what}",
            error=_error(module, head, answer),
            evidence=(("global", f"{module}.{name}"),),
        )
    if exact.runtime.project is not None and module in exact.runtime.project:
        names = exact.runtime.project[module].names
        if (why := _not_importable(module, exact)) is not None:
            return why
        if names is None or head in names:
            return None
        return Reason(
            rule="CMP008",
            effect="load",
            message=f"names {module}.{head}, which the module in the image does not define",
            error=f"AttributeError: Can't get attribute '{head}' on <module '{module}'>",
            help=f"Bring {head} back to {module}, or write the artifact again.",
        )
    distribution = symbols.owner(module)
    if distribution is not None and exact.has(distribution):
        if distribution == "torch" and _of_state_dictionaries(module, head):
            return None
        return _library(distribution, module, head, exact)
    if module in IMPLICIT:
        return _implicit(module, head, exact)
    provision = exact.runtime.installed.provides(module)
    if provision.answer == "yes":
        return _untabled(provision.by, module, head, exact)
    if (brings := _brings(top, exact)) is not None:
        return _untabled(brings, module, head, exact)
    names_it = f"names {module}.{head}"
    error = f"ModuleNotFoundError: No module named '{top}'"
    if distribution is not None or provision.candidates:
        candidate = distribution or provision.candidates[0]
        certain = provision.answer in ("no", "likely-no")
        return Reason(
            rule="CMP003",
            effect="load" if certain else "unknown",
            message=f"{names_it}, and {candidate} is not installed there"
            + ("" if certain else f" as far as is known ({provision.reason})"),
            error=error,
            help=f"Add {candidate} to the requirements, in the version the model was made with.",
            distribution=candidate,
        )
    if exact.runtime.project is None or module in exact.runtime.unsure:
        return Reason(
            rule="CMP008",
            effect="unknown",
            message=f"{names_it}, a module that no known distribution brings",
        )
    certain = provision.answer in ("no", "likely-no") or module in exact.runtime.absent
    return Reason(
        rule="CMP008",
        effect="load" if certain else "unknown",
        message=f"{names_it}, a module that is neither installed nor importable there",
        error=error,
        help=f"Copy {top} into the image where the server can import it.",
    )


def _not_importable(module: str, exact: Exact) -> Reason | None:
    """A module of the project that imports what that Python's standard library does not have."""
    standard = symbols.table("stdlib")
    project = exact.runtime.project
    version = ".".join(map(str, exact.python))
    pending, seen = [module], {module}
    while pending and standard is not None and project is not None:
        current = pending.pop()
        for wanted, name in project[current].imports:
            if wanted in project:
                if wanted not in seen:
                    seen.add(wanted)
                    pending.append(wanted)
                continue
            if not standard.known_module(wanted.partition(".")[0]):
                continue
            answer = standard.find(wanted, name, version) if name else "yes"
            if not standard.has_module(wanted, standard.masks(version)[0]):
                answer = "no-module"
            if answer not in ("no-module", "no-name") or name[:2] == "__":
                continue
            if exact.runtime.installed.provides(wanted).answer not in ("no", "likely-no"):
                # A backport may stand in for it.
                continue
            what = wanted if answer == "no-module" else f"{wanted}.{name}"
            return Reason(
                rule="CMP008",
                effect="load",
                message=f"names {module}, and {current} imports {what}, which Python {version} "
                "does not have",
                error=_error(wanted, name, answer),
                help=f"Run the Python that {current} is written for.",
                evidence=(("global", module),),
            )
    return None


# scikit-learn 1.5 to 1.8 names this compiled module without its package, and importing it
# registers that name; the modules below it are the same.
IMPLICIT: dict[str, tuple[str, str, tuple[int, ...], tuple[int, ...]]] = {
    "_loss": ("scikit-learn", "sklearn._loss._loss", (1, 5), (1, 9)),
}


def _implicit(module: str, name: str, exact: Exact) -> Reason | None:
    """Modules that libraries put under a top-level name of their own."""
    distribution, home, since, until = IMPLICIT[module]
    version = exact.version(distribution)
    if exact.has(distribution):
        if version is None:
            return None
        if since <= symbols.numbers(version) < until:
            return _library(distribution, home, name, exact)
    what = f"{distribution} {version}" if version else f"{distribution}, which is not installed,"
    return Reason(
        rule="CMP004" if version else "CMP003",
        effect="load",
        message=f"names {module}.{name}, a module of scikit-learn 1.5 to 1.8; {what} has none of "
        "that name",
        error=f"ModuleNotFoundError: No module named '{module}'",
        help="Pin scikit-learn to the version that wrote the model.",
        distribution=distribution,
    )


def _library(distribution: str, module: str, name: str, exact: Exact) -> Reason | None:
    version = exact.version(distribution)
    table = symbols.table(distribution)
    if version is None or table is None:
        return (
            Reason(
                rule="CMP004",
                effect="unknown",
                message=f"names {module}.{name}, and which {distribution} is installed is not known",
                help=f"Pin {distribution}.",
                distribution=distribution,
            )
            if table is not None
            else None
        )
    if (lacks := _not_importing(distribution, table.imports(version), exact)) is not None:
        return lacks
    python = f"{exact.python[0]}.{exact.python[1]}"
    if table.fails_under(module, version, python):
        return Reason(
            rule="CMP004",
            effect="load",
            message=f"names {module}.{name}, a module of {distribution} {version} that cannot be "
            f"imported under Python {python}",
            error="AttributeError or ImportError, while the module is imported",
            help=f"Write the artifact with the {distribution} and the Python that load it.",
            distribution=distribution,
        )
    answer = table.find(module, name, version)
    if answer == "unknown" and module.startswith("numpy._core."):
        # NumPy 1.26 fills these modules from numpy.core when they are imported.
        twin = table.find(f"numpy.core.{module[12:]}", name, version)
        answer = "no-name" if twin == "no-name" else answer
    if answer == "yes":
        if symbols.numbers(version)[:2] >= symbols.numbers(table.versions[0])[:2]:
            return None
        return Reason(
            rule="CMP004",
            effect="unknown",
            message=f"names {module}.{name}; {distribution} {version} is older than the tables",
            distribution=distribution,
        )
    if answer == "unknown":
        if module.startswith("numpy._core."):
            return None
        below, above = table.around(module, name, version)
        if (above in ("yes", None) and below == "yes") or below is above is None:
            return None
        if "yes" in (below, above) or None in (below, above):
            known = table.known_with(module, name)
            where = f"known of {distribution} {known[0]} to {known[1]}" if known else "which is new"
            return Reason(
                rule="CMP004",
                effect="unknown",
                message=f"names {module}.{name}, {where}; whether {distribution} {version} has it "
                "is not known",
                distribution=distribution,
            )
        # The releases on both sides are known not to have it.
        answer = "no-name"
    last, first = table.last_with(module, name), table.first_with(module, name)
    wanted = symbols.numbers(version)
    if not table.covers(version):
        if (asked := _asked(distribution, module, name, exact)) is not None:
            return asked
        return Reason(
            rule="CMP004",
            effect="unknown",
            message=f"names {module}.{name}; {distribution} {version} is not in the tables",
            distribution=distribution,
        )
    if first is None:
        return Reason(
            rule="CMP004",
            effect="load",
            message=f"names {module}.{name}, which no known {distribution} has",
            error=_error(module, name, answer),
            distribution=distribution,
        )
    if last is not None and symbols.numbers(last) < wanted:
        when = f"which {distribution} {version} no longer has (last in {last})"
        help = f"Pin {distribution}=={last}, or train and write the model again with {version}."
    elif symbols.numbers(first) > wanted:
        when = f"which {distribution} {version} does not have yet (first in {first})"
        help = f"Pin {distribution} to the version that wrote the model ({first} or newer)."
    else:
        when = f"which {distribution} {version} does not have"
        help = f"Pin {distribution} to the version that wrote the model."
    numpy = distribution == "numpy" and module.startswith(("numpy.core", "numpy._core"))
    return Reason(
        rule="CMP006" if numpy else "CMP004",
        effect="load",
        message=f"names {module}.{name}, {when}",
        error=_error(module, name, answer),
        help=help,
        distribution=distribution,
        evidence=(("global", f"{module}.{name}"),),
    )


def _not_importing(distribution: str, imports: tuple[str, ...], exact: Exact) -> Reason | None:
    """What importing the library imports whatever happens, where that is not there."""
    for module in imports:
        found = exact.runtime.installed.provides(module)
        if found.answer not in ("no", "likely-no"):
            continue
        brings = found.candidates[0] if found.candidates else module
        return Reason(
            rule="CMP003",
            effect="load",
            message=f"needs {distribution} {exact.version(distribution)}, which imports {module}, "
            f"and {brings} is not installed there",
            error=f"ModuleNotFoundError: No module named '{module}', or a NameError after it",
            help=f"Add {brings} to the requirements, or install a newer {distribution}.",
            distribution=brings,
        )
    return None


def _brings(top: str, exact: Exact) -> str | None:
    """Of the pinned distributions that no table knows, the one whose wheel has that module."""
    from auditor import online

    index = online.active()
    if index is None:
        return None
    from auditor.online import symbols as asked

    python = f"{exact.python[0]}.{exact.python[1]}"
    for name in exact.runtime.installed.unknown[:20]:
        version = exact.version(name)
        if version is not None and top in asked.tops(index, name, version, python):
            return name
    return None


def _wheel_says(distribution: str, module: str, name: str, exact: Exact) -> symbols.Answer:
    """Whether the pinned release's own wheel has the name, where the index may be asked."""
    from auditor import online

    index = online.active()
    version = exact.version(distribution)
    if index is None or version is None:
        return "unknown"
    from auditor.online import symbols as asked

    python = f"{exact.python[0]}.{exact.python[1]}"
    return asked.find(index, distribution, version, python, module, name)


def _asked(distribution: str, module: str, name: str, exact: Exact) -> Reason | None:
    """What speaks against the name, by the release's own wheel; None where it says nothing."""
    answer = _wheel_says(distribution, module, name, exact)
    if answer in ("yes", "unknown"):
        return None
    return Reason(
        rule="CMP004",
        effect="load",
        message=f"names {module}.{name}, which {distribution} {exact.version(distribution)} does "
        "not have",
        error=_error(module, name, answer),
        help=f"Pin {distribution} to the version that wrote the model.",
        distribution=distribution,
        evidence=(("global", f"{module}.{name}"), ("read from", "the wheel")),
    )


def _of_state_dictionaries(module: str, name: str) -> bool:
    """What state dictionaries are made of: torch reads them with every release."""
    from auditor.artifacts.weights_only import allowed_globals

    return f"{module}.{name}" in allowed_globals()


def _untabled(distribution: str, module: str, name: str, exact: Exact) -> Reason | None:
    """A name of an installed library that has no table: its wheel may be asked, or nobody knows."""
    if (reason := _asked(distribution, module, name, exact)) is not None:
        return reason
    version = exact.version(distribution)
    if _wheel_says(distribution, module, name, exact) == "yes":
        return None
    return Reason(
        rule="CMP004",
        effect="unknown",
        message=f"names {module}.{name}; what {distribution} {version or ''}".rstrip()
        + " has is not known here",
        help=_way_out(distribution, version, exact),
        distribution=distribution,
    )


def _way_out(distribution: str, version: str | None, exact: Exact) -> str:
    """What would tell what a library has, of what was not done yet."""
    from auditor import online

    if version is None:
        return f"Pin {distribution}, and ask its wheel with --online."
    once = f"open the file once where {distribution} is pinned."
    index = online.active()
    if index is None:
        return f"Ask its wheel with --online, or {once}"
    from auditor.online.symbols import best_wheel

    python = f"{exact.python[0]}.{exact.python[1]}"
    if best_wheel(index, distribution, version, python) is None:
        return f"{distribution} {version} has no wheel for Python {python} to be asked: {once}"
    return f"Its wheel was asked, and the module fills itself when it is imported: {once}"


def _error(module: str, name: str, answer: str) -> str:
    if answer == "no-module":
        return f"ModuleNotFoundError: No module named '{module}'"
    return f"AttributeError: Can't get attribute '{name}' on <module '{module}'>"


__all__ = ["GlobalRef", "highest_protocol", "reasons_of", "resolve"]
