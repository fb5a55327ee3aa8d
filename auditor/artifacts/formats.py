"""From identified content to facts: one method per family of formats, containers recursed into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import ArtifactFacts, ArtifactIssue, Limits, Verdict, worst
from auditor.artifacts.identify import (
    DATA_EXTENSIONS,
    MODEL_EXTENSIONS,
    PICKLE_EXTENSIONS,
    as_text,
    extension,
    identify,
)
from auditor.artifacts.pickle.analyse import Analysis, analyse
from auditor.artifacts.unpack import Budget, CorruptError, TooMuchError, unpack
from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.artifacts.onnx.facts import OnnxFacts

_COMPRESSED = frozenset({"zlib", "gzip", "bz2", "xz", "lzma", "lz4", "zstd", "joblib-zfile"})


# Said of a file that nothing here reads.
NO_FORMAT = "is of no format that is known here"
# Longer streams are not kept for evidence.
STREAM = 64 << 10


class Draft:
    """Facts under construction."""

    def __init__(self, path: str, format: str, blob: Blob) -> None:
        self.path = path
        self.format = format
        self.limits = Limits()
        self.container: str | None = None
        self.behind = 0
        self.unended = False
        self.blob = blob
        self.issues: list[ArtifactIssue] = []
        self.analysis: Analysis | None = None
        self.details: list[tuple[str, str]] = []
        self.weights_only: bool | None = None
        self.objections: tuple[str, ...] = ()
        self.onnx: OnnxFacts | None = None
        # Its entries were judged as those of a ZIP archive.
        self.archive = False

    def issue(
        self,
        rule: str,
        message: str,
        verdict: Verdict,
        severity: Severity,
        *,
        what: str = "",
        offset: int | None = None,
        **evidence: str,
    ) -> None:
        self.issues.append(
            ArtifactIssue(
                rule=rule,
                message=message,
                verdict=verdict,
                severity=severity,
                what=what,
                offset=offset,
                evidence=tuple(evidence.items()),
            )
        )

    def facts(self, sha256: str | None, size: int) -> ArtifactFacts:
        pickle = self.analysis.facts if self.analysis is not None else None
        if self.format in ("xgboost-json", "xgboost-ubj", "lightgbm", "catboost"):
            from auditor.artifacts.features import stated_names

            self.details += stated_names(self.format, self.blob)
        if self.format.startswith(("xgboost-", "catboost")) or self.format in (
            "lightgbm",
            "keras-h5",
        ):
            from auditor.artifacts.stated import stated

            self.details += [d for d in stated(self.format, self.blob) if d not in self.details]
        if pickle is not None and any(g.module == "catboost.core" for g in pickle.globals):
            self.details += self._catboost()
        issues = list(self.issues)
        if self.analysis is not None:
            issues += self.analysis.issues
        verdicts = [issue.verdict for issue in issues]
        if self.analysis is not None:
            verdicts.append(self.analysis.verdict)
        order = {"dangerous": 0, "suspicious": 1, "unreadable": 2, "safe": 3}
        issues.sort(key=lambda i: (order[i.verdict], -i.severity))
        return ArtifactFacts(
            path=self.path,
            format=self.format,
            container=self.container,
            behind=self.behind,
            unended=self.unended,
            size=size,
            sha256=sha256,
            verdict=worst(verdicts),
            issues=tuple(issues),
            globals=tuple(g.dotted for g in pickle.globals) if pickle else (),
            protocol=pickle.protocol if pickle and pickle.streams else None,
            pickle=pickle,
            details=tuple(self.details),
            weights_only=self.weights_only,
            weights_only_objections=self.objections,
            onnx=self.onnx,
            stream=self._stream(worst(verdicts)),
        )

    def _catboost(self) -> list[tuple[str, str]]:
        """The build that the CatBoost models in the pickle name."""
        from auditor.artifacts.stated import catboost_build

        blob = self.analysis.blob if self.analysis is not None else None
        found = catboost_build(blob) if blob is not None else ()
        return [detail for detail in found if detail not in self.details]

    def _stream(self, verdict: Verdict) -> bytes | None:
        blob = self.analysis.blob if self.analysis is not None else None
        if blob is None or verdict not in ("dangerous", "suspicious") or len(blob) > STREAM:
            return None
        return bytes(blob.read(0, len(blob)))


class Scanner:
    """Scans one outer file and what is nested in it; ``found`` in the order of discovery."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.budget = Budget(limits)
        self.found: list[ArtifactFacts] = []

    def scan(self, blob: Blob, path: str, depth: int = 0) -> Verdict:
        """Judge the blob and what is in it; returns the worst verdict of both."""
        draft = Draft(path, identify(blob), blob)
        draft.limits = self.limits
        index = len(self.found)
        # The outer artifact comes first, though the nested ones are judged before it is complete.
        placeholder = draft.facts(None, len(blob))
        self.found.append(placeholder)
        try:
            self._judge(draft, blob, depth)
            self._also(draft, blob, depth)
        except TooMuchError as error:
            draft.issue(
                "ART010",
                str(error),
                "suspicious",
                Severity.HIGH,
                what="loading or unpacking it uses up memory or disk",
            )
        except (
            ArithmeticError,
            LookupError,
            MemoryError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            # A fault of ours must not pass for a clean bill of health.
            draft.issue(
                "ART003",
                f"could not be analysed ({type(error).__name__})",
                "unreadable",
                Severity.HIGH,
                what="its content was not judged",
            )
        self._extension(draft)
        facts = draft.facts(blob.sha256(), len(blob))
        self.found[index] = facts
        if depth and facts.verdict == "safe" and facts.format in _DULL and not facts.issues:
            # Licences, versions and the like in an archive are no artifacts.
            del self.found[index]
            return "safe"
        inner = worst(f.verdict for f in self.found[index:])
        if inner != facts.verdict and depth >= 0:
            # A container is as bad as what it holds.
            draft.issue(
                _WORST_RULE[inner],
                "holds an artifact that is " + inner,
                inner,
                Severity.HIGH if inner != "dangerous" else Severity.CRITICAL,
                nested=next(f.path for f in self.found[index + 1 :] if f.verdict == inner),
            )
            facts = draft.facts(facts.sha256, len(blob))
            self.found[index] = facts
        return facts.verdict

    def _judge(self, draft: Draft, blob: Blob, depth: int) -> None:
        form = draft.format
        if depth > self.limits.depth:
            draft.issue(
                "ART003",
                f"is nested more than {self.limits.depth} levels deep",
                "unreadable",
                Severity.HIGH,
            )
            return
        if form == "zip":
            self._zip(draft, blob, depth)
        elif form in _COMPRESSED:
            self._compressed(draft, blob, depth)
        elif form == "pickle":
            self._pickle(draft, blob)
        else:
            self._rest(draft, blob, depth)

    # -- files that are two things at once -------------------------------------------------

    def _also(self, draft: Draft, blob: Blob, depth: int) -> None:
        """What another loader than that of the format would find in the same bytes."""
        if draft.analysis is not None or draft.container is not None:
            return
        first = blob.read(0, 1)
        # A persistent id at the very beginning (the P of PK) ends every plain unpickler.
        if draft.format not in _TEXTS and first in _OPCODES and first != b"P":
            analysis = analyse(blob, limits=self.limits, single=True)
            if analysis.active and analysis.verdict in ("dangerous", "suspicious"):
                for issue in analysis.issues:
                    draft.issue(
                        "ART004",
                        f"is also a pickle, which {issue.message}",
                        issue.verdict,
                        issue.severity,
                        what="pickle.load reads the same bytes and runs that",
                        offset=issue.offset,
                    )
        if not draft.archive and draft.format not in ("tar", "7z") and _has_directory(blob):
            # ZIP readers start at the end: anything may stand in front. What the members of
            # other archives hold was judged with them.
            self._zip(draft, blob, depth, also=True)

    # -- pickles ---------------------------------------------------------------------------

    def _pickle(self, draft: Draft, blob: Blob) -> None:
        from auditor.artifacts import torch_files

        analysis = analyse(blob, limits=self.limits)
        draft.analysis = analysis
        draft.format = analysis.kind
        if draft.format == "torch-legacy":
            torch_files.judge_torch(draft)

    def _maybe_pickle(self, draft: Draft, blob: Blob) -> bool:
        """Content without a magic: a protocol 0 or 1 pickle when it runs like one."""
        # One byte is no pickle, but an empty map of MessagePack.
        surely = extension(draft.path) in ("pkl", "pickle", "joblib")
        if blob.read(0, 1) not in _OPCODES or (len(blob) < 2 and not surely):
            return False
        analysis = analyse(blob, limits=self.limits)
        whole = analysis.streams > 0 and analysis.end == len(blob)
        wanted = extension(draft.path) in PICKLE_EXTENSIONS
        convincing = analysis.calls > 0 or (
            analysis.streams > 0 and (whole or wanted or draft.format == "unknown")
        )
        cut_off = analysis.error is not None and analysis.error.truncated
        if not convincing and not (wanted and (analysis.active or cut_off)):
            return False
        draft.analysis = analysis
        draft.format = analysis.kind
        return True

    # -- containers ------------------------------------------------------------------------

    def _compressed(self, draft: Draft, blob: Blob, depth: int) -> None:
        method = draft.format
        try:
            inner, consumed = unpack(blob, method, self.budget)
        except CorruptError as error:
            if method in ("zlib", "lzma") and error.got is not None and not len(error.got):
                # Two bytes of magic: more likely something else altogether.
                draft.format = "unknown"
                self._rest(draft, blob, depth)
                return
            draft.issue(
                "ART015",
                f"does not unpack: {error}",
                "unreadable",
                Severity.HIGH,
                what="loading fails, after running what could be unpacked",
            )
            if error.got is None or not len(error.got):
                return
            inner, consumed = error.got, len(blob)
            draft.unended = error.unended
        draft.behind = len(blob) - consumed
        if consumed < len(blob) and not blob.only(b"\x00", consumed):
            draft.issue(
                "ART004",
                f"{len(blob) - consumed} bytes follow the compressed stream",
                "suspicious",
                Severity.MEDIUM,
                offset=consumed,
                what="a loader of another format may read what this one ignores",
            )
        # A compressed pickle is one artifact to whoever loads it, not a container with a file.
        nested = Scanner(self.limits)
        nested.budget = self.budget
        nested.scan(inner, draft.path, depth + 1)
        if not nested.found:
            # Plain text, or nothing at all.
            draft.container = method
            draft.format = identify(inner)
            return
        first = nested.found[0]
        draft.format = first.format
        draft.container = method if first.container is None else f"{method}+{first.container}"
        draft.issues += first.issues
        draft.details += first.details
        if first.pickle is not None:
            draft.analysis = Analysis(kind=first.format, facts=first.pickle, verdict=first.verdict)
        self.found += nested.found[1:]
        if draft.format == "unknown" and method == "joblib-zfile":
            # The numbers of one array, which old releases wrote to a file of its own.
            draft.format = "joblib-array"
        elif not depth and draft.format == "unknown" and not draft.issues:
            _not_judged(draft)

    def _zip(self, draft: Draft, blob: Blob, depth: int, *, also: bool = False) -> None:
        """``also``: an archive behind something else, whose format stays the file's own."""
        from auditor.artifacts import torch_files, zipped

        draft.archive = True
        try:
            archive = zipped.read_archive(blob, self.limits.entries)
        except zipped.NotZipError:
            if also:
                return
            draft.issue(
                "ART015",
                "is a ZIP archive without its directory",
                "unreadable",
                Severity.HIGH,
                what="loading fails",
            )
            return
        if also and not any(entry.data is not None for entry in archive.entries):
            return
        draft.issues += archive.issues
        names = [e.name for e in archive.entries]
        own = draft.format
        draft.format = _zip_format(names)
        torch = draft.format.startswith("torch")
        for entry in archive.entries:
            if entry.name.endswith("/") and entry.size == 0:
                continue
            inner, issues = zipped.contents(entry, self.budget)
            draft.issues += issues
            if inner is None:
                continue
            inner_path = f"{draft.path}!{entry.name}"
            base = entry.name.rpartition("/")[2]
            if torch and (base.endswith((".pkl", ".debug_pkl"))):
                mode = "torchscript" if draft.format == "torchscript" else "torch"
                analysis = analyse(inner, limits=self.limits, persistent_ids=mode)
                if base == "data.pkl" and draft.analysis is None:
                    draft.analysis = analysis
                    continue
                if analysis.verdict == "safe":
                    continue
                nested = Draft(inner_path, analysis.kind, inner)
                nested.analysis = analysis
                self.found.append(nested.facts(inner.sha256(), len(inner)))
                continue
            if torch and base in ("version", "byteorder") and len(inner) <= 20:
                from auditor.artifacts.stated import torch_archive

                draft.details += torch_archive(entry.name, inner.read(0, 20))
                continue
            if torch and _STORAGE.search(entry.name):
                continue
            if draft.format == "torchscript" and "/code/" in entry.name:
                _script(draft, inner, entry.name)
                continue
            if draft.format == "keras-v3" and entry.name in ("config.json", "metadata.json"):
                self._keras_part(draft, inner)
                continue
            if draft.format == "skops" and entry.name == "schema.json":
                self._schema(draft, inner)
                continue
            self.scan(inner, inner_path, depth + 1)
        if torch:
            torch_files.judge_torch(draft)
        if also and own not in ("unknown", "text"):
            draft.format = own

    def _keras_part(self, draft: Draft, blob: Blob) -> None:
        from auditor.artifacts import documents, stated, tensors

        try:
            document = documents.parse_json(blob.read(0, documents.MAX_DOCUMENT))
            documents.judge_document(draft, document)
            draft.details += stated.keras_metadata(document)
            draft.details += stated.keras_needs(document)
        except ValueError as error:
            tensors.broken(draft, f"its configuration is no JSON ({str(error)[:80]})")
        draft.format = "keras-v3"

    def _schema(self, draft: Draft, blob: Blob) -> None:
        from auditor.artifacts import documents, tensors

        try:
            schema = documents.parse_json(blob.read(0, documents.MAX_DOCUMENT))
        except ValueError as error:
            tensors.broken(draft, f"its schema is no JSON ({str(error)[:80]})")
            return
        documents.judge_skops(draft, schema)

    # -- everything else -------------------------------------------------------------------

    def _rest(self, draft: Draft, blob: Blob, depth: int) -> None:
        from auditor.artifacts import documents, tensors

        form = draft.format
        if form in _MAYBE_PICKLE and self._maybe_pickle(draft, blob):
            return
        if form == "lfs-pointer":
            draft.issue(
                "ART014",
                "is a Git LFS pointer, not the model",
                "safe",
                Severity.HIGH,
                what="loading fails: the file holds only the address of the model",
            )
        elif form == "npy":
            tensors.judge_npy(draft, blob)
        elif form == "safetensors":
            tensors.judge_safetensors(draft, blob)
        elif form == "gguf":
            tensors.judge_gguf(draft, blob)
        elif form == "tflite":
            from auditor.artifacts import tensorflow

            tensorflow.judge_tflite(draft, blob)
        elif form == "hdf5":
            from auditor.artifacts import hdf5

            hdf5.judge_hdf5(draft, blob)
        elif form == "tar":
            self._tar(draft, blob, depth)
        elif form == "7z":
            self._sevenzip(draft, blob, depth)
        elif form == "empty" and extension(draft.path) == "onnx":
            _unloadable(draft)
        elif form in ("text", "json", "xml", "pmml", "html"):
            documents.judge_text(draft, blob)
        elif form in ("elf", "pe"):
            if depth or extension(draft.path) in PICKLE_EXTENSIONS | DATA_EXTENSIONS:
                draft.issue(
                    "ART005",
                    "is an executable program or library",
                    "suspicious",
                    Severity.HIGH,
                    what="a loader that finds it may run it",
                )
        elif form == "rar":
            draft.issue(
                "ART003",
                f"is compressed as {form}, which is not read",
                "unreadable",
                Severity.HIGH,
                what="its content was not judged",
            )
        elif form == "unknown":
            self._unknown(draft, blob, depth)

    def _unknown(self, draft: Draft, blob: Blob, depth: int) -> None:
        from auditor.artifacts import hdf5, inert, tensorflow, tensors

        graph = tensorflow.judge_graph(draft, blob)
        onnx = tensors.looks_like_onnx(blob)
        if onnx:
            tensors.judge_onnx(draft, blob)
        if onnx or graph or tensorflow.judge_fingerprint(draft, blob):
            return
        head = blob.read(0, 64)
        ext = extension(draft.path)
        if blob.find(b'"class_name"', 0, 8 << 20) >= 0:
            # Keras metadata inside another container, such as keras_metadata.pb.
            hdf5.judge_hdf5(draft, blob)
            return
        if head[:1] == b"{" and b"learner" in head:
            draft.format = "xgboost-ubj"
        elif inert.recognised(draft, blob):
            return
        elif what := inert.unread(head):
            draft.issue(
                "ART003",
                f"is {what}, which is not analysed",
                "unreadable",
                Severity.HIGH,
                what="what loads it can be made to run code, and its content was not judged",
            )
        elif ext in MODEL_EXTENSIONS:
            _unloadable(draft)
        elif not depth:
            # In archives most of what is no model is data of some program.
            _not_judged(draft)

    def _tar(self, draft: Draft, blob: Blob, depth: int) -> None:
        from auditor.artifacts import tarred

        contents = tarred.read_tar(blob, self.limits.entries)
        draft.issues += contents.issues
        names = {name for name, _ in contents.members}
        if {"pickle", "storages", "tensors"} <= {n.removeprefix("./") for n in names}:
            from auditor.artifacts import torch_files

            draft.format = "torch-legacy"
            torch_files.judge_torch(draft)
        for name, inner in contents.members:
            self.scan(inner, f"{draft.path}!{name}", depth + 1)

    def _sevenzip(self, draft: Draft, blob: Blob, depth: int) -> None:
        from auditor.artifacts import sevenzip

        try:
            found = sevenzip.members(blob, self.budget)
        except sevenzip.NotReadError as error:
            draft.issue(
                "ART003",
                f"is a 7z archive that was not read: {error}",
                "unreadable",
                Severity.HIGH,
                what="its content was not judged",
            )
            return
        for name, inner in found:
            self.scan(inner, f"{draft.path}!{name}", depth + 1)

    def _extension(self, draft: Draft) -> None:
        ext = extension(draft.path)
        if draft.format in ("pickle", "joblib", "torch-legacy") and ext in DATA_EXTENSIONS:
            draft.issue(
                "ART005",
                f"is a pickle under the extension .{ext} of a format without code",
                "suspicious",
                Severity.HIGH,
            )


def _unloadable(draft: Draft) -> None:
    draft.issue(
        "ART015",
        f"is nothing that a loader of .{extension(draft.path)} files reads",
        "unreadable",
        Severity.HIGH,
        what="loading fails",
    )


def _not_judged(draft: Draft) -> None:
    draft.issue(
        "ART003",
        NO_FORMAT,
        "unreadable",
        Severity.LOW,
        what="its content was not judged",
    )


def _has_directory(blob: Blob) -> bool:
    """An end record with a directory of at least one entry where it points to."""
    tail = blob.read(max(len(blob) - 65557, 0), 65557)
    at = tail.rfind(b"PK\x05\x06")
    return at >= 0 and blob.rfind(b"PK\x01\x02") >= 0


# Judged as pickles already, where they are.
_TEXTS = frozenset({"unknown", "text", "json", "xml", "keras-config", "xgboost-json"})
_DULL = frozenset({"text", "json", "empty", "html", "png", "jpeg", "pdf"})
_MAYBE_PICKLE = frozenset({"unknown", "text", "json", "xml"})
_WORST_RULE: dict[str, str] = {
    "dangerous": "ART001",
    "suspicious": "ART002",
    "unreadable": "ART003",
}
_OPCODES = frozenset(
    bytes([c]) for c in (*b"(.0123BCFGIJKLMNPQRSTUVX]abcdeghijlopqrstu)}", *range(0x80, 0x99))
)


# What torch names its storages; anything else beside them is nothing that it wrote.
_STORAGE = re.compile(r"(?:^|/)data/\d+$")
_SCRIPT_CALLS = re.compile(
    rb"\b(?:torch|aten)\s*\.\s*(?:save|load|from_file)\s*\(|\bops\s*\.\s*aten\s*\.\s*(?:save|load|from_file)\b"
)


def _script(draft: Draft, blob: Blob, name: str) -> None:
    """TorchScript source: a small language without imports, but with operators that use files."""
    for found in _SCRIPT_CALLS.finditer(blob.read(0, 32 << 20)):
        draft.issue(
            "ART007",
            f"its code {name[:200]} calls {found.group(0).decode('ascii', 'replace')[:60]}",
            "dangerous",
            Severity.CRITICAL,
            offset=found.start(),
            what="running the model reads or writes files",
        )
        return


def _zip_format(names: list[str]) -> str:
    bases = {n.rpartition("/")[2] for n in names}
    tops = {n.partition("/")[0] for n in names}
    if "data.pkl" in bases:
        if any("/code/" in n for n in names) or "constants.pkl" in bases:
            return "torchscript"
        return "torch-zip"
    if any(n.endswith("serialized_exported_program.json") for n in names) or (
        "archive_format" in bases and any(n.startswith("models/") or "/models/" in n for n in names)
    ):
        return "torch-export"
    if "schema.json" in names:
        return "skops"
    if "config.json" in names and "metadata.json" in names:
        return "keras-v3"
    if names and all(n.endswith(".npy") for n in names):
        return "npz"
    _ = tops
    return "zip"


__all__ = ["Draft", "Scanner", "as_text"]
