"""Text formats: JSON configurations, templates, skops schemas, MLflow and XML models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.artifacts.identify import MODEL_EXTENSIONS, as_text, extension
from auditor.artifacts.keras import judge_config
from auditor.artifacts.pickle.names import lookup
from auditor.artifacts.templates import is_template, judge_template
from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.artifacts.blob import Blob
    from auditor.artifacts.formats import Draft

MAX_DOCUMENT = 32 << 20
# What a CatBoost model saved as JSON holds.
_CATBOOST = frozenset({"features_info", "model_info", "scale_and_bias"})
_MAX_STRINGS = 200_000
_PROGRAMS = frozenset(
    {
        "py",
        "pyi",
        "md",
        "rst",
        "txt",
        "html",
        "c",
        "cc",
        "cpp",
        "h",
        "js",
        "ts",
        "sh",
        "ipynb",
        "toml",
    }
)
_TEMPLATES = frozenset({"jinja", "jinja2", "j2", "template", "tmpl"})


def parse_json(raw: bytes | str) -> Any:
    """The document; ValueError when it is none or could only be parsed at great cost."""
    try:
        return json.loads(raw, parse_int=_number, parse_constant=lambda name: name)
    except (RecursionError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def _number(text: str) -> int | float:
    return int(text) if len(text) < 400 else float("inf")


def judge_text(draft: Draft, blob: Blob) -> None:
    """Any text file: what a program that loads models would take from it."""
    if draft.format == "html":
        draft.issue(
            "ART015",
            "is a web page, not a model",
            "safe" if extension(draft.path) in ("html", "htm") else "unreadable",
            Severity.HIGH,
            what="loading fails: a download saved its error page",
        )
        return
    if draft.format in ("xml", "pmml"):
        _xml(draft, blob)
        return
    if draft.format == "json":
        _json(draft, blob)
        _no_model(draft)
        return
    name = draft.path.replace("!", "/").rpartition("/")[2]
    ext = extension(draft.path)
    text = as_text(blob.read(0, MAX_DOCUMENT)) or ""
    if (ext in _TEMPLATES or ext in ("yaml", "yml")) and is_template(text):
        _template(draft, text, name)
    if name == "MLmodel":
        draft.format = "mlflow"
        _mlflow(draft, text)
    elif "bentoml_version:" in text[:65536] and re.search(r"(?m)^module\s*:", text[:65536]):
        _bentoml(draft, text[:65536])
    elif ext in ("pbtxt", "textproto") or "saved_model_schema_version:" in text[:65536]:
        from auditor.artifacts import tensorflow

        tensorflow.judge_graph_text(draft, text)
    # A program (a loader, a notebook) may quote what only a document means.
    if ext not in _PROGRAMS:
        _yaml(draft, text)
    _no_model(draft)


def _no_model(draft: Draft) -> None:
    """Words where a loader expects a model: what a failed download answered, most often."""
    if draft.format in ("text", "json") and extension(draft.path) in MODEL_EXTENSIONS:
        draft.issue(
            "ART015",
            "is plain text, not a model",
            "safe",
            Severity.MEDIUM,
            what="loading fails: a download may have saved its error message",
        )


def _template(draft: Draft, text: str, where: str) -> None:
    found = judge_template(text)
    if found is None:
        return
    verdict, why = found
    draft.issue(
        "ART011",
        f"the template {where} {why}",
        "dangerous" if verdict == "dangerous" else "suspicious",
        Severity.CRITICAL if verdict == "dangerous" else Severity.MEDIUM,
        what="rendering the template without a sandbox runs this code",
        template=text[:200],
    )


def _json(draft: Draft, blob: Blob) -> None:
    head = blob.read(0, 200)
    if b'"learner"' in head:
        draft.format = "xgboost-json"
    if len(blob) > MAX_DOCUMENT:
        if draft.format == "json" and blob.find(b"chat_template") >= 0:
            draft.issue(
                "ART003", "is a JSON file that is too large to judge", "unreadable", Severity.MEDIUM
            )
        return
    try:
        document = parse_json(blob.read(0, len(blob)))
    except ValueError:
        text = as_text(blob.read(0, len(blob)))
        if text is not None and is_template(text):
            _template(draft, text, "in the text")
        return
    if draft.format == "json":
        judge_document(draft, document)
        if isinstance(document, dict) and document.keys() >= _CATBOOST:
            draft.format = "catboost-json"


def judge_document(draft: Draft, document: Any) -> None:
    """Templates anywhere in it; model configurations of Keras and transformers."""
    pending: list[tuple[str, Any]] = [("", document)]
    count = 0
    keras = False
    while pending:
        key, value = pending.pop()
        count += 1
        if count > _MAX_STRINGS:
            break
        if isinstance(value, dict):
            keras = keras or ("class_name" in value and "config" in value)
            target = value.get("_target_")
            if isinstance(target, str):
                _constructed(draft, target, "hydra.utils.instantiate", 0, strict=False)
            pending += [(str(k), v) for k, v in value.items()]
        elif isinstance(value, list):
            pending += [(key, v) for v in value]
        elif isinstance(value, str) and is_template(value):
            _template(draft, value, key)
    if keras:
        draft.format = "keras-config"
        judge_config(draft, document)
    if isinstance(document, dict) and isinstance(document.get("auto_map"), dict):
        targets = ", ".join(sorted(str(v) for v in document["auto_map"].values()))[:200]
        draft.issue(
            "ART007",
            f"asks for code from its repository (auto_map: {targets})",
            "suspicious",
            Severity.MEDIUM,
            what="with trust_remote_code=True loading imports and runs these modules",
        )


# The standards' own document types, which every property list and every page of XHTML names.
_STANDARD_TYPE = (
    r"""(?!\s+[\w:]+\s+PUBLIC\s+["']-//(?:Apple|Apple Computer|W3C)//DTD [^"'>]*["']\s+"""
    r"""["']https?://www\.(?:apple\.com/DTDs|w3\.org)/[\w./-]*["']\s*>)"""
)
# What a document type, or an inclusion, makes a parser read.
_XML_READS = (
    (re.compile(r"<!ENTITY"), "declares XML entities", "reads other files or runs out of memory"),
    (
        re.compile(rf"<!DOCTYPE{_STANDARD_TYPE}[^>\[]*\b(?:SYSTEM|PUBLIC)\b[^>\[]*['\"]"),
        "names a document type elsewhere",
        "fetches it",
    ),
    (re.compile(r"http://www\.w3\.org/2001/XInclude"), "includes other files", "reads them"),
)


def _xml(draft: Draft, blob: Blob) -> None:
    raw = blob.read(0, MAX_DOCUMENT)
    text = as_text(raw)
    if text is None:
        text = raw.decode("latin-1")
    elif "encoding=" in text[:200].lower() and re.search(
        r"encoding\s*=\s*['\"](?:utf-?7|utf-?16|utf-?32|ebcdic|cp037|ibm)",
        text[:200],
        re.IGNORECASE,
    ):
        draft.issue(
            "ART003",
            "states an encoding that is not its own",
            "suspicious",
            Severity.HIGH,
            what="a parser that follows it reads another document",
        )
    for pattern, message, what in _XML_READS:
        if pattern.search(text):
            draft.issue(
                "ART010",
                message,
                "suspicious",
                Severity.HIGH,
                what=f"a parser that follows them {what}",
            )
    if re.search(
        r"<(?:\w+:)?(?:script|Extension)\b[^>]*(?:java|python|script)", text, re.IGNORECASE
    ):
        draft.issue("ART007", "holds script elements", "suspicious", Severity.MEDIUM)
    if len(blob) > MAX_DOCUMENT:
        draft.issue(
            "ART003", "is an XML file that is too large to judge", "unreadable", Severity.MEDIUM
        )


# -- YAML ----------------------------------------------------------------------------------

# PyYAML's tags that name Python objects, in both spellings, and hyperpyyaml's; Hydra's targets.
_YAML_TAG = re.compile(
    r"(?:!!|tag:yaml\.org,2002:)python/(object/apply|object/new|object|name|module):([\w.]+)"
)
_HYPER_TAG = re.compile(r"(?<![!\w])!(new|name|apply|module):([\w.]+)")
_TARGET = re.compile(r"(?m)^[\s\-]*[\"']?_target_[\"']?\s*:\s*[\"']?([A-Za-z_][\w.]*)")


def _yaml(draft: Draft, text: str) -> None:
    """Objects that ``yaml.load`` with an unsafe loader, hyperpyyaml or Hydra would construct."""
    told: set[str] = set()
    for pattern, loader, strict in (
        (_YAML_TAG, "yaml.unsafe_load and yaml.Loader", True),
        (_HYPER_TAG, "load_hyperpyyaml", False),
        (_TARGET, "hydra.utils.instantiate", False),
    ):
        for found in pattern.finditer(text):
            dotted = found.group(found.lastindex or 1)
            if dotted in told or len(told) > 50:
                continue
            told.add(dotted)
            _constructed(draft, dotted, loader, found.start(), strict=strict)


def _constructed(draft: Draft, dotted: str, loader: str, offset: int, *, strict: bool) -> None:
    module, _, name = dotted.rpartition(".")
    entry = lookup(module or "builtins", name)
    if entry.standing == "dangerous":
        draft.issue(
            "ART001",
            f"constructs {dotted[:200]}, which {entry.reason}",
            "dangerous",
            Severity.CRITICAL,
            what=f"{loader} imports and calls it",
            offset=offset,
            callable=dotted[:200],
        )
    elif strict and entry.standing != "allowed":
        draft.issue(
            "ART002",
            f"constructs {dotted[:200]}, which is not on the allow-list",
            "suspicious",
            Severity.MEDIUM,
            what=f"{loader} imports and calls it",
            offset=offset,
            callable=dotted[:200],
        )


def _bentoml(draft: Draft, text: str) -> None:
    draft.format = "bentoml"
    found = re.search(r"(?m)^module\s*:\s*['\"]?([\w.]+)", text)
    if found is None:
        return
    draft.details.append(("loader_module", found.group(1)[:200]))
    if not re.fullmatch(r"bentoml(?:\._internal)?(?:\.frameworks)?(?:\.\w+)?", found.group(1)):
        draft.issue(
            "ART007",
            f"is loaded by the module {found.group(1)[:200]}",
            "suspicious",
            Severity.HIGH,
            what="BentoML imports that module to load the model",
        )


_LOADERS = re.compile(
    r"mlflow\.(?:sklearn|xgboost|lightgbm|catboost|keras|tensorflow|pytorch|onnx|statsmodels|prophet|"
    r"spacy|h2o|pmdarima|paddle|fastai|gluon|spark|transformers|sentence_transformers|diviner)"
)


def _mlflow(draft: Draft, text: str) -> None:
    for line in text.splitlines():
        key, _, value = line.strip().partition(":")
        value = value.strip().strip("'\"")
        if key == "loader_module":
            draft.details.append(("loader_module", value[:200]))
            if not _LOADERS.fullmatch(value):
                draft.issue(
                    "ART007",
                    f"is loaded by the module {value[:200]}",
                    "suspicious",
                    Severity.HIGH,
                    what=f"mlflow.pyfunc.load_model imports {value[:200]} and runs its loader",
                )
        elif key == "code" and value and value not in ("null", "None"):
            draft.issue(
                "ART007",
                f"puts the directory {value[:200]} of the model on the import path",
                "suspicious",
                Severity.MEDIUM,
                what="modules in it replace installed ones",
            )


# -- skops ---------------------------------------------------------------------------------

_SKOPS_LOADERS = frozenset(
    [
        "BytearrayNode",
        "BytesNode",
        "CachedNode",
        "DatetimeTimedeltaNode",
        "DefaultDictNode",
        "DictNode",
        "DTypeNode",
        "FunctionNode",
        "JsonNode",
        "ListNode",
        "LossNode",
        "MaskedArrayNode",
        "NdArrayNode",
        "ObjectNode",
        "OperatorFuncNode",
        "OrderedDictNode",
        "PartialNode",
        "RandomGeneratorNode",
        "RandomStateNode",
        "ReduceNode",
        "SetNode",
        "SGDNode",
        "SliceNode",
        "SparseMatrixNode",
        "TreeNode",
        "TupleNode",
        "TypeNode",
        "MethodNode",
        "QuantileForestNode",
        "RNGNode",
        "UFuncNode",
    ]
)


def judge_skops(draft: Draft, schema: Any) -> None:
    """Every node names a class, or a function, that ``skops.io.load`` imports when trusted."""
    if isinstance(schema, dict) and isinstance(schema.get("_skops_version"), str):
        draft.details.append(("skops_version", schema["_skops_version"][:40]))
    pending = [schema]
    count = 0
    while pending:
        node = pending.pop()
        count += 1
        if count > _MAX_STRINGS:
            draft.issue("ART003", "has a schema that is too large", "unreadable", Severity.HIGH)
            return
        if isinstance(node, list):
            pending += node
            continue
        if not isinstance(node, dict):
            continue
        pending += list(node.values())
        _skops_estimator(draft, node)
        loader = node.get("__loader__")
        if not isinstance(loader, str):
            continue
        module, name = str(node.get("__module__", "")), str(node.get("__class__", ""))
        if loader not in _SKOPS_LOADERS:
            draft.issue(
                "ART003",
                f"uses the unknown skops loader {loader[:100]!r}",
                "suspicious",
                Severity.HIGH,
            )
        if loader == "MethodNode":
            content = node.get("content")
            func = content.get("func") if isinstance(content, dict) else None
            draft.issue(
                "ART002",
                f"binds the method {str(func)[:100]!r} of an object",
                "dangerous"
                if not str(func).isidentifier() or str(func).startswith("_")
                else "suspicious",
                Severity.HIGH,
                what="loading reaches this attribute through getattr (CVE-2025-54413)",
                callable=str(func)[:100],
            )
        if loader == "OperatorFuncNode":
            attrs = node.get("__class__")
            if module not in ("operator", "_operator") or attrs in ("methodcaller", "call"):
                draft.issue(
                    "ART001",
                    f"calls {module}.{name} (CVE-2025-54412)"[:200],
                    "dangerous",
                    Severity.CRITICAL,
                    callable=f"{module}.{name}"[:200],
                )
        if loader in ("FunctionNode", "TypeNode", "LossNode", "PartialNode"):
            content = node.get("content")
            if isinstance(content, dict):
                inner_module = str(content.get("module_path", content.get("__module__", module)))
                inner_name = str(content.get("function", content.get("__class__", name)))
                _skops_name(draft, inner_module, inner_name)
        if loader not in ("JsonNode",) and module:
            _skops_name(draft, module, name)


def _skops_estimator(draft: Draft, node: dict[str, Any]) -> None:
    """The scikit-learn that wrote an estimator, which stands among its attributes as JSON text."""
    written = node.get("_sklearn_version")
    content = written.get("content") if isinstance(written, dict) else None
    if isinstance(content, str) and not any(k == "sklearn_version" for k, _ in draft.details):
        draft.details.append(("sklearn_version", content.strip('"')[:40]))


_SKOPS_PLAIN = frozenset(
    {
        ("numpy", "ufunc"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy", "Generator"),
        ("numpy.random._generator", "Generator"),
        ("numpy.random.mtrand", "RandomState"),
        ("types", "FunctionType"),
        ("builtins", "function"),
        ("builtins", "builtin_function_or_method"),
        ("builtins", "method"),
        ("functools", "partial"),
        ("numpy.ma", "MaskedArray"),
        ("numpy.dtypes", ""),
    }
)


def _skops_name(draft: Draft, module: str, name: str) -> None:
    if (module, name) in _SKOPS_PLAIN or module == "numpy.dtypes":
        return
    entry = lookup(module, name)
    if entry.standing == "allowed":
        return
    danger = entry.standing == "dangerous"
    draft.issue(
        "ART001" if danger else "ART002",
        f"uses {module}.{name}"[:200]
        + (f", which {entry.reason}" if danger else ", which is not on the allow-list"),
        "dangerous" if danger else "suspicious",
        Severity.CRITICAL if danger else Severity.HIGH,
        what="skops.io.load imports it when it is trusted",
        callable=f"{module}.{name}"[:200],
    )
