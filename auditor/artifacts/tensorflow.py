"""TensorFlow: SavedModel, GraphDef and MetaGraphDef (binary and text), and TFLite.

github.com/tensorflow/tensorflow/tree/master/tensorflow/core/protobuf and lite/schema.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.artifacts.blob import Blob
from auditor.artifacts.tensors import broken
from auditor.artifacts.wire import WireError, fields, text
from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.artifacts.formats import Draft

_U4 = Struct("<I")

# -- TFLite --------------------------------------------------------------------------------


def judge_tflite(draft: Draft, blob: Blob) -> None:
    """The root and the names of borrowed TensorFlow operators."""
    root = blob.unpack(_U4, 0)
    if root is None or root[0] + 4 > len(blob):
        broken(draft, "its root lies beyond the file", 0)
        return
    for found in re.finditer(
        rb"Flex(?:ReadFile|WriteFile|PyFunc|EagerPyFunc)\b", blob.read(0, 64 << 20)
    ):
        draft.issue(
            "ART008",
            f"uses the TensorFlow operator {found.group(0).decode()[4:]}",
            "dangerous",
            Severity.CRITICAL,
            offset=found.start(),
        )


# -- Protocol Buffers ----------------------------------------------------------------------

_TF_DANGER = {
    "ReadFile": "reads files",
    "WriteFile": "writes files",
    "PyFunc": "runs Python code",
    "PyFuncStateless": "runs Python code",
    "EagerPyFunc": "runs Python code",
    "MatchingFiles": "lists files",
    "Save": "writes files",
    "SaveSlices": "writes files",
    "PrintV2": "writes files when told to",
    "WholeFileReader": "reads files",
    "WholeFileReaderV2": "reads files",
    "TextLineReader": "reads files",
    "TextLineReaderV2": "reads files",
    "TextLineDataset": "reads files",
    "TFRecordDataset": "reads files",
    "TFRecordDatasetV2": "reads files",
    "FixedLengthRecordDataset": "reads files",
    "FixedLengthRecordDatasetV2": "reads files",
    "LMDBReader": "reads files",
    "SqlDataset": "opens databases",
    "ImmutableConst": "maps files",
    "CreateSummaryFileWriter": "writes files",
    "CreateSummaryDbWriter": "opens databases",
    "SaveDataset": "writes files",
    "SaveDatasetV2": "writes files",
    "LoadDataset": "reads files",
    "DatasetToTFRecord": "writes files",
    "SnapshotDataset": "writes files",
    "SnapshotDatasetV2": "writes files",
    "GeneratorDataset": "runs Python code",
    "RpcCall": "opens connections",
    "RpcClient": "opens connections",
    "DebugIdentity": "sends tensors to an address",
    "DebugIdentityV2": "writes files",
    "DebugNumericSummaryV2": "writes files",
    "XlaHostCompute": "runs code on the host",
    "LoadTPUEmbeddingADAMParameters": "loads state",
}
_TF_QUIET = frozenset({"PrintV2", "LoadTPUEmbeddingADAMParameters"})


# The message that a file holds, and how its operators are reached from it.
_MESSAGES = ("savedmodel", "tensorflow-graph", "tensorflow-metagraph")


def judge_graph(draft: Draft, blob: Blob) -> bool:
    """A SavedModel, a frozen graph or the graph of a checkpoint; False when it is none of them."""
    for form in _MESSAGES:
        operators: set[str] = set()
        versions: list[str] = []
        damage = ""
        try:
            if form == "tensorflow-graph":
                _graph(blob, operators)
            elif form == "tensorflow-metagraph":
                _meta_graph(blob, operators, versions)
            else:
                for number, kind, _, window in fields(blob):
                    if number == 2 and kind == 2 and window is not None:
                        _meta_graph(window, operators, versions)
        except WireError as error:
            damage = str(error)
        if not operators or not all(_OPERATOR.fullmatch(name) for name in operators):
            continue
        draft.format = form
        draft.details += [("tensorflow_version", version) for version in versions]
        if damage:
            broken(draft, damage)
        _operators(draft, operators)
        return True
    return False


def judge_fingerprint(draft: Draft, blob: Blob) -> bool:
    """``fingerprint.pb``, which stands beside a SavedModel: checksums, and nothing that runs."""
    try:
        parts = [(number, kind) for number, kind, _, _ in fields(blob)]
    except WireError:
        return False
    numbers = [number for number, _ in parts]
    if (
        len(parts) < 3
        or numbers != sorted(set(numbers))
        or not all(number in range(1, 8) and kind == 2 * (number > 5) for number, kind in parts)
    ):
        return False
    draft.format = "savedmodel-fingerprint"
    return True


_OPERATOR = re.compile(r"_?[A-Z][A-Za-z0-9_]*(?:>[A-Z][A-Za-z0-9_]*)*")
_TEXT_OPERATOR = re.compile(r"\bop\s*:\s*[\"'](\w+)[\"']")


def judge_graph_text(draft: Draft, text: str) -> None:
    """The text form (``.pbtxt``) of any of them."""
    operators = set(_TEXT_OPERATOR.findall(text))
    if operators:
        draft.format = "savedmodel" if "saved_model_schema_version" in text else "tensorflow-graph"
        _operators(draft, operators)


def _operators(draft: Draft, operators: set[str]) -> None:
    draft.details.append(("operators", str(len(operators))))
    for name in sorted(operators):
        if name in _TF_DANGER:
            quiet = name in _TF_QUIET
            draft.issue(
                "ART008",
                f"uses the operator {name}, which {_TF_DANGER[name]}",
                "suspicious" if quiet else "dangerous",
                Severity.MEDIUM if quiet else Severity.CRITICAL,
                what="running the model runs the operator",
                operator=name,
            )


def _meta_graph(meta: Blob, operators: set[str], versions: list[str]) -> None:
    for number, kind, _, window in fields(meta):
        if number == 1 and kind == 2 and window is not None:
            # MetaInfoDef: the version of TensorFlow is its fifth field.
            versions += [
                text(inner, 40)
                for part, part_kind, _, inner in fields(window)
                if part == 5 and part_kind == 2 and inner is not None
            ]
        if number == 2 and kind == 2 and window is not None:
            _graph(window, operators)


def _graph(graph: Blob, operators: set[str]) -> None:
    for number, kind, _, window in fields(graph):
        if kind != 2 or window is None:
            continue
        if number == 1:
            _node(window, operators)
        elif number == 2:
            for inner, inner_kind, _, function in fields(window):
                if inner == 1 and inner_kind == 2 and function is not None:
                    for part, part_kind, _, node in fields(function):
                        if part == 3 and part_kind == 2 and node is not None:
                            _node(node, operators)


def _node(node: Blob, operators: set[str]) -> None:
    for number, kind, _, window in fields(node):
        if number == 2 and kind == 2 and window is not None and len(operators) < 20_000:
            operators.add(text(window, 200))
