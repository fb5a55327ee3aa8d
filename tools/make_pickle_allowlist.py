#!/usr/bin/env python3
"""Generate ``rules/knowledge/pickle_allow.json.gz`` from real libraries.

Two steps, since the libraries live in environments of their own (and of old Pythons):

    ENV/bin/python tools/make_pickle_allowlist.py dump > raw-ENV.json      # in every environment
    python tools/make_pickle_allowlist.py merge raw-*.json                  # writes the table
    python tools/make_pickle_allowlist.py extend raw-*.json                 # adds to what it holds

With package names behind it, ``dump`` is limited to those.

``dump`` imports the modules of the packages below and writes down every class, enumeration,
exception, function and ufunc with what an unpickler could trigger on it: ``__new__``,
``__setstate__``, ``__setattr__``, ``__getattr__``, ``__del__``, ``__init_subclass__`` and where
each comes from. ``merge`` keeps what is harmless: every such hook must be absent, inherited from
``object``, or named in ``rules/knowledge/pickle_reviewed.toml`` (read by a person). ``merge -v``
lists what was left out and for which hook, which is the review queue.

The code of ``dump`` must run on Python 3.6.
"""

import enum
import importlib
import json
import pkgutil
import sys
import types
import warnings
from typing import Any, Dict, Iterator, List, Optional, Tuple  # noqa: UP035

# What is walked, and below it what is never allowed: code that reads files, fetches data, starts
# processes or exists for tests.
PACKAGES = [
    "sklearn",
    "scipy",
    "numpy",
    "pandas",
    "xgboost",
    "lightgbm",
    "catboost",
    "imblearn",
    "category_encoders",
    "statsmodels",
    "skops",
    "gensim",
    "formulaic",
    "joblib",
    "torch.nn",
    "torch.optim",
    "feature_engine",
    "hdbscan",
    "hmmlearn",
    "implicit",
    "lifelines",
    "mlxtend",
    "nltk",
    "optuna",
    "polars.datatypes",
    "slicer",
    "patsy",
    "pmdarima",
    "prophet",
    "pynndescent",
    "pyod",
    "river",
    "shap",
    "skbase",
    "skorch",
    "sktime",
    "stanio",
    "surprise",
    "tpot",
    "umap",
    "arch",
    "boruta",
    "cmdstanpy",
    "implicit",
    "interpret",
    "kmodes",
    "mapie",
    "minisom",
    "networkx.classes",
    "ngboost",
    "pygam",
    "pytorch_tabnet",
    "rank_bm25",
    "sklearn_pandas",
    "sklego",
    "sksurv",
    "skopt",
    "sklearn_crfsuite",
    "tslearn",
    "torch.utils.data",
    # Graphs as data. Their data sets, batches (classes made while loading) and databases stay out.
    "torch_geometric.data.data",
    "torch_geometric.data.hetero_data",
    "torch_geometric.data.storage",
    "torch_geometric.data.temporal",
    "torch_geometric.data.feature_store",
    "torch_geometric.data.graph_store",
    "pycaret.internal.pipeline",
    "pycaret.internal.preprocess",
    # The tokenizer of Keras, under every name that it had.
    "keras_preprocessing.text",
    "keras.preprocessing.text",
    "keras.src.preprocessing.text",
    "keras.src.legacy.preprocessing.text",
]
SKIP_PARTS = {
    "tests", "test", "testing", "_testing", "conftest", "setup", "externals", "datasets",
    "_build_utils", "f2py", "distutils", "benchmarks", "examples", "sandbox", "dask", "spark",
    "parallel", "estimator_checks", "_array_api", "plotting", "_plot", "io", "compat", "computation",
    "__main__", "_joblib", "formatting", "graphics", "tracker", "federated",
    "widget", "array_api_compat", "array_api_extra", "_external", "collective", "libpath", "app",
    "scripts", "docs", "downloader", "x13", "_print_versions",
}  # fmt: skip
HOOKS = (
    "__new__", "__setstate__", "__setattr__", "__getattr__", "__getattribute__", "__del__",
    "__init_subclass__", "__setstate_cython__", "__hash__", "__eq__", "__setitem__", "append",
    "extend", "__call__", "__iter__", "__len__", "__bool__", "__array__", "__repr__", "__str__",
)  # fmt: skip


def owner_of(cls: Any, hook: str) -> str:
    for base in cls.__mro__:
        if hook in vars(base):
            if base.__module__ == "builtins":
                return str(base.__name__)
            return str(base.__module__ + "." + base.__qualname__)
    return ""


def walk(package: str) -> Iterator[types.ModuleType]:
    try:
        root = importlib.import_module(package)
    except Exception:
        return
    yield root
    for info in pkgutil.walk_packages(
        getattr(root, "__path__", []), package + ".", onerror=lambda name: None
    ):
        if SKIP_PARTS & set(info.name.split(".")):
            continue
        try:
            yield importlib.import_module(info.name)
        except BaseException:
            continue


def dump() -> None:
    warnings.simplefilter("ignore")
    out, sys.stdout = sys.stdout, sys.stderr
    found: Any = {}
    versions: Any = {}
    for package in sys.argv[2:] or PACKAGES:
        for module in walk(package):
            if module.__name__ == package:
                top = sys.modules[package.partition(".")[0]]
                versions[package] = str(getattr(top, "__version__", ""))
            for name in dir(module):
                try:
                    value = getattr(module, name)
                    entry = describe(value, package, module.__name__, name)
                except Exception:
                    continue
                if entry is None:
                    continue
                key, facts = entry
                found.setdefault(key, facts)
                if isinstance(value, type) and facts["kind"] == "class":
                    for inner in list(vars(value).values()):
                        if isinstance(inner, type) and inner.__module__ == value.__module__:
                            nested = describe(inner, package, module.__name__, name)
                            if nested is not None:
                                found.setdefault(*nested)
    # The enumerations of the standard library: their members are pickled by value.
    for name in sorted(
        set(sys.modules) | {"signal", "socket", "ssl", "http", "re", "uuid", "inspect"}
    ):
        if "." in name or name.startswith("__"):
            continue
        try:
            module = importlib.import_module(name)
        except Exception:
            continue
        origin = getattr(module, "__file__", None) or ""
        if "site-packages" in origin:
            continue
        for value in list(vars(module).values()):
            is_enum = isinstance(value, type) and issubclass(value, enum.Enum)
            if is_enum and value.__module__ == name:
                found.setdefault(name + ":" + value.__qualname__, {"kind": "enum"})
    facts = {"python": sys.version.split()[0], "versions": versions, "found": found}
    out.write(json.dumps(facts, indent=0) + "\n")


def describe(
    value: Any, package: str, module: str, name: str
) -> Optional[Tuple[str, Dict[str, Any]]]:  # noqa: UP006, UP045
    if isinstance(value, type):
        home = value.__module__ or ""
        if home.split(".")[0] != package.split(".")[0] and home not in ("_loss", "__builtin__"):
            return None
        if SKIP_PARTS & set(home.split(".")):
            return None
        key = home + ":" + value.__qualname__
        if issubclass(value, enum.Enum):
            return key, {"kind": "enum"}
        facts: dict[str, Any] = {
            "kind": "exception" if issubclass(value, BaseException) else "class"
        }
        for hook in HOOKS:
            origin = owner_of(value, hook)
            if origin and origin not in ("object", "type"):
                facts[hook] = origin
        slots = {
            name
            for base in value.__mro__
            for name in _names(vars(base).get("__slots__", ()))
            if base.__module__ != "builtins"
        }
        if slots:
            facts["slots"] = sorted(slots)
        if issubclass(value, (dict, list, tuple, set, str, int, float)):
            facts["base"] = next(
                b.__name__ for b in value.__mro__ if b in (dict, list, tuple, set, str, int, float)
            )
        origin = getattr(sys.modules.get(home), "__file__", None) or ""
        if origin.endswith((".so", ".pyd")) or home == "_loss":
            facts["native"] = True
        return key, facts
    if type(value).__name__ == "ufunc":
        return module + ":" + name, {"kind": "ufunc"}
    if isinstance(value, types.FunctionType):
        home = value.__module__ or ""
        if home.split(".")[0] == package.split(".")[0] and "<" not in value.__qualname__:
            return home + ":" + value.__qualname__, {"kind": "function"}
    elif callable(value) and type(value).__name__ in (
        "cython_function_or_method", "builtin_function_or_method", "fused_cython_function",
        "_ArrayFunctionDispatcher",
    ):  # fmt: skip
        home = getattr(value, "__module__", None) or module
        if home.split(".")[0] == package.split(".")[0]:
            return home + ":" + getattr(value, "__name__", name), {"kind": "function"}
    return None


def _names(slots: Any) -> List[str]:  # noqa: UP006
    return [slots] if isinstance(slots, str) else [s for s in slots if isinstance(s, str)]


# Which functions may be referred to (not called): numerical ones of these modules.
FUNCTIONS = (
    "sklearn.metrics", "sklearn.feature_selection", "sklearn.preprocessing", "sklearn.gaussian_process",
    "sklearn.cluster", "sklearn.linear_model", "sklearn.neighbors", "sklearn.utils._set_output",
    "sklearn.utils.extmath", "sklearn.utils.validation", "sklearn.neural_network", "sklearn.kernel_approximation",
    "sklearn.feature_extraction", "sklearn.decomposition", "sklearn.covariance", "sklearn.utils.multiclass",
    "scipy.special", "scipy.stats", "scipy.spatial.distance", "scipy.sparse._base", "scipy.linalg",
    "scipy.sparse.base", "lightgbm.sklearn", "xgboost.sklearn", "imblearn.metrics", "optuna.samplers", "river.utils.math",
)  # fmt: skip
SHADY = ("load", "fetch", "open", "exec", "eval", "run", "save", "dump", "write", "read", "import", "parallel", "delayed", "compile", "call", "apply")  # fmt: skip
ITEMS = ("__setitem__", "append", "extend")
CODES = {"class": "c", "enum": "e", "exception": "x", "ufunc": "u", "function": "f"}
BASES = {"dict": "d", "list": "l", "set": "l", "tuple": "t"}


def merge(paths: List[str], verbose: bool, extend: bool = False) -> None:  # noqa: UP006
    import gzip
    import tomllib
    from fnmatch import fnmatchcase
    from pathlib import Path

    knowledge = Path(__file__).resolve().parent.parent / "rules" / "knowledge"
    reviewed = tomllib.loads((knowledge / "pickle_reviewed.toml").read_text("utf-8"))
    never = set(reviewed["never"]["names"])
    natives = tuple(reviewed["constructors"]["modules"])
    never_modules = tuple(reviewed["never"]["modules"])
    table: Any = {}
    slots: Any = {}
    sources: Any = []
    if extend:
        with gzip.open(knowledge / "pickle_allow.json.gz") as file:
            before = json.load(file)
        table, slots, sources = before["modules"], before["slots"], before["sources"]
    # Classes of extension modules, to tell their ``__setstate__`` from one in Python.
    native = set()
    for path in paths:
        for key, facts in json.loads(Path(path).read_text("utf-8"))["found"].items():
            if facts.get("native"):
                native.add(key.replace(":", "."))
    left_out: Any = {}
    for path in paths:
        raw = json.loads(Path(path).read_text("utf-8"))
        sources.append({"python": raw["python"], **raw["versions"]})
        for key, facts in raw["found"].items():
            module, name = key.split(":", 1)
            dotted = module + "." + name
            why = ""
            kind = facts["kind"]
            if dotted in never or any(
                module == m or module.startswith(m + ".") or dotted == m for m in never_modules
            ):
                why = "never"
            elif kind == "function":
                lower = name.lower()
                if not module.startswith(FUNCTIONS) or any(word in lower for word in SHADY):
                    continue
            elif kind in ("class", "exception"):
                for hook, accepted in reviewed["hooks"].items():
                    owner = facts.get(hook, "")
                    if hook in ITEMS and (facts.get("base") not in BASES or owner in BASES):
                        continue  # items are set of dictionaries and lists only
                    if owner and "." not in owner and hook == "__new__":
                        continue  # of a built-in type
                    if owner and not any(fnmatchcase(owner, pattern) for pattern in accepted):
                        # Fields of a named tuple are all that its __new__ takes.
                        if hook == "__new__" and facts.get("base") == "tuple" and owner == dotted:
                            continue
                        why = hook + " of " + owner
                        break
            if why:
                left_out.setdefault(why, []).append(dotted)
                continue
            code = CODES[kind]
            if kind == "class":
                code = BASES.get(facts.get("base"), "c")
                if code == "c" and facts.get("native") and module.startswith(natives):
                    code = "n"
                owner = facts.get("__setstate__", "")
                if owner or facts.get("native"):
                    state = state_policy(dotted, owner, reviewed["state_owners"], native)
                    code = f"{code} {state}" if state else code
                before = table.get(module, {}).get(name, code)
                if before != code:
                    # Versions differ: the state must suit either.
                    states = set(before.partition(" ")[2].split("|"))
                    states |= {code.partition(" ")[2]}
                    code = code[:1] + " " + "|".join(sorted(states))
                if facts.get("slots") and not facts.get("__setattr__"):
                    slots[dotted] = sorted({*slots.get(dotted, ()), *facts["slots"]})
            table.setdefault(module, {})[name] = code
    if verbose:
        for why, names in sorted(left_out.items()):
            print(f"{why}: {', '.join(sorted(set(names))[:4])}", file=sys.stderr)
    sources = [source for n, source in enumerate(sources) if source not in sources[:n]]
    sources.sort(key=lambda source: source["python"])
    document = {
        "generator": "tools/make_pickle_allowlist.py",
        "sources": sources,
        "slots": dict(sorted(slots.items())),
        "modules": {module: dict(sorted(table[module].items())) for module in sorted(table)},
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True) + "\n"
    target = knowledge / "pickle_allow.json.gz"
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    count = sum(len(names) for names in table.values())
    print(f"{target.name}: {count} names of {len(table)} modules, {target.stat().st_size} bytes")


def state_policy(
    cls: str,
    owner: str,
    patterns: Dict[str, str],  # noqa: UP006
    native: Any,
) -> str:
    """What may be given to ``__setstate__``: as reviewed, else values, or nothing for native code."""
    from fnmatch import fnmatchcase

    for pattern, policy in patterns.items():
        if (owner and fnmatchcase(owner, pattern)) or fnmatchcase(cls, pattern):
            return policy
    if owner in native or (not owner and cls in native):
        return "none" if owner else ""
    return "values" if owner else ""


def weights_only() -> None:
    """What ``torch.load(weights_only=True)`` of the installed torch accepts, as a table."""
    from pathlib import Path

    import torch  # type: ignore[import-not-found]
    from torch import _weights_only_unpickler as unpickler

    document = {
        "generator": "tools/make_pickle_allowlist.py weights-only",
        "torch": torch.__version__,
        "globals": sorted(unpickler._get_allowed_globals()),
    }
    target = (
        Path(__file__).resolve().parent.parent / "rules" / "knowledge" / "torch_weights_only.json"
    )
    target.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["dump"]:
        dump()
    elif sys.argv[1:2] == ["weights-only"]:
        weights_only()
    elif sys.argv[1:2] in (["merge"], ["extend"]) and len(sys.argv) > 2:
        given = [a for a in sys.argv[2:] if a != "-v"]
        merge(given, "-v" in sys.argv, extend=sys.argv[1] == "extend")
    else:
        raise SystemExit(__doc__)
