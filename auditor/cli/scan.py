"""``deploy-audit scan FILE…``: judge model files alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from auditor.cli import options
from auditor.cli.app import complain
from auditor.cli.audit import check_request, write
from auditor.cli.declare import Argument, Context, Option
from auditor.cli.gate import Decision
from auditor.cli.parser import requests_of
from auditor.cli.streams import remark
from auditor.config import glob_match, nearest
from auditor.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts
    from auditor.result import AuditResult

# Verdicts that fail the gate, by ``--fail-on``.
GATES: Final[dict[str, frozenset[str]]] = {
    "dangerous": frozenset({"dangerous"}),
    "suspicious": frozenset({"dangerous", "suspicious", "unreadable"}),
    "never": frozenset(),
}
# Of more artifacts than this nobody reads the models' summaries.
_SUMMARIES: Final = 20
# Below these, starting processes costs more than it saves.
_FILES_PER_PROCESS: Final = 200
_BYTES_PER_PROCESS: Final = 64 << 20


def command(
    ctx: Context,
    files: Annotated[
        list[str],
        Argument(
            metavar="FILE",
            help='Files and directories; "-" is an artifact, or a list of names, on stdin.',
        ),
    ],
    format: options.Format = None,
    output: options.Output = None,
    fail_on: Annotated[
        str,
        Option(metavar="VERDICT", help="dangerous, suspicious, never, or a severity (high, …)."),
    ] = "suspicious",
    exclude: options.Exclude = None,
    no_cache: options.NoCache = False,
    allow_empty: options.AllowEmpty = None,
    jobs: options.Jobs = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> int:
    """Judge artifacts from their bytes, without loading them.

    Pickle, joblib, torch, ONNX, Keras and more, recognised by content. Exit status 1 when a file
    is dangerous, suspicious or cannot be read to its end. Nothing of it is ever cached.
    """
    del no_cache  # said for every command, and kept by this one anyway
    from auditor.findings import Severity

    severities = [severity.label for severity in reversed(Severity)]
    if fail_on not in GATES and fail_on not in severities:
        names = [*GATES, *severities]
        hint = nearest(fail_on, names)
        raise UsageError(f"--fail-on: expected one of {', '.join(names)}, not {fail_on!r}{hint}")
    from auditor.reports import FORMATS, Options, render

    requests = requests_of(ctx)
    for request in requests:
        check_request(request, FORMATS)
    wanted, streamed = split(files)
    given = list(targets(wanted, tuple(exclude or ())))
    # The bar stands beside nothing else that is written while it does.
    facts, failures = scan_all(given, jobs, live=not quiet and sys.stderr.isatty())
    facts = explained((*streamed, *facts))
    for path, reason in failures:
        complain(f"{path}: cannot be read: {reason}")
    decision = decide(facts, failures, fail_on, allow_empty=bool(allow_empty))
    result = result_of(facts, failures)

    def text_of(form: str, shown: Options) -> str:
        if form == "console":
            return summary(facts, quiet=quiet, verbose=verbose > 0)
        return render(form, result, shown)

    write(requests, decision, text_of, color=color, quiet=quiet, verbose=verbose > 0)
    remark(decision.sentence, quiet=quiet and decision.passed)
    return decision.status


def split(given: Iterable[str]) -> tuple[list[str], tuple[ArtifactFacts, ...]]:
    """The names given, and the facts about an artifact on standard input.

    ``-`` stands for what is there: names, one on a line or ended by NUL (``find -print0``), or an
    artifact itself. What could be both is taken for both.
    """
    found: list[str] = []
    streamed: tuple[ArtifactFacts, ...] = ()
    for name in given:
        if name != "-":
            found.append(name)
            continue
        from auditor.artifacts.scan import scan_stream

        facts, head = scan_stream(sys.stdin.buffer, "<stdin>")
        listed = _names(head) if head is not None else []
        exist = bool(listed) and all("\0" not in n and os.path.lexists(n) for n in listed)
        plain = bool(facts) and facts[0].format in ("text", "empty")
        if exist or plain:
            found += listed
        if not (exist or plain) or any(fact.verdict != "safe" for fact in facts):
            streamed += facts
    return found, streamed


def _names(data: bytes) -> list[str]:
    separator = b"\0" if b"\0" in data else b"\n"
    return [os.fsdecode(part) for part in data.split(separator) if part]


def targets(given: Iterable[str], exclude: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """(path, was named) of every file to judge; directories are walked, links not followed."""
    for name in given:
        path = Path(name)
        if "\0" in name:
            raise UsageError(f"{name!r}: not a file name")
        if not path.is_dir():
            if not path.exists():
                raise UsageError(f"{name}: there is no such file")
            yield name, True
            continue
        for directory, folders, entries in os.walk(path):
            folders[:] = sorted(f for f in folders if f not in (".git", ".hg", ".svn"))
            for entry in sorted(entries):
                file = Path(directory, entry)
                inside = file.relative_to(path).as_posix()
                if any(glob_match(pattern, inside) for pattern in exclude):
                    continue
                if file.is_file() and not file.is_symlink():
                    yield str(file), False


def judge(target: tuple[str, bool]) -> tuple[tuple[ArtifactFacts, ...], str | None]:
    """The facts about one file, or why it could not be opened. Runs in worker processes too."""
    from auditor.artifacts.scan import scan_file

    path, named = target
    try:
        found = scan_file(path, display_path=Path(path).as_posix())
    except OSError as error:
        return (), error.strerror or type(error).__name__
    # Of a directory only what is an artifact is worth a word; a file that was named always is.
    return (found if named or is_artifact(found) else ()), None


_Outcome: TypeAlias = "tuple[tuple[ArtifactFacts, ...], str | None]"

# Formats that hold no model: of a walked directory they are worth a word only with an issue.
_OTHER: Final = frozenset(
    {"unknown", "empty", "text", "json", "xml", "yaml", "html", "png", "jpeg", "pdf", "elf", "pe"}
)


def is_artifact(found: tuple[ArtifactFacts, ...]) -> bool:
    """Whether the outer file is a model or data file, or something is wrong in it."""
    if not found or (len(found) == 1 and found[0].format == "empty"):
        return False
    if found[0].format not in _OTHER:
        return True
    from auditor.artifacts.formats import NO_FORMAT
    from auditor.discovery import model_name

    bad = [issue for fact in found for issue in fact.issues if issue.verdict != "safe"]
    # Of a file of no known format its name says whether it is meant as a model.
    return bool(bad) and (bad[0].message != NO_FORMAT or model_name(found[0].path))


def scan_all(
    given: list[tuple[str, bool]], jobs: int | None, *, live: bool = False
) -> tuple[tuple[ArtifactFacts, ...], list[tuple[str, str]]]:
    """Facts of every file in the order given, and (path, reason) of those not readable."""
    from auditor.cli.progress import shown

    def watched(found: Iterable[_Outcome]) -> Iterable[_Outcome]:
        return shown(found, len(given), "files") if live else found

    jobs = workers(given) if jobs is None else jobs
    outcomes: list[_Outcome] = []
    if jobs <= 1 or len(given) < 2:
        outcomes.extend(watched(map(judge, given)))
    else:
        from concurrent.futures import BrokenExecutor, ProcessPoolExecutor

        try:
            with ProcessPoolExecutor(max_workers=min(jobs, len(given))) as pool:
                chunk = max(1, min(64, len(given) // (jobs * 4)))
                outcomes.extend(watched(pool.map(judge, given, chunksize=chunk)))
        except BrokenExecutor:
            # A worker was killed: which file did it is not known, and none of the rest was judged.
            rest = len(given) - len(outcomes)
            outcomes += [((), "the process that read it died")] * rest
    facts = tuple(fact for found, _ in outcomes for fact in found)
    failures = [
        (path, reason)
        for (path, _), (_, reason) in zip(given, outcomes, strict=True)
        if reason is not None
    ]
    return facts, failures


def explained(facts: tuple[ArtifactFacts, ...]) -> tuple[ArtifactFacts, ...]:
    """The facts with what loading the worst of them would execute."""
    if all(fact.verdict in ("safe", "unreadable") for fact in facts):
        return facts
    from auditor.artifacts.evidence import Explainer

    explainer = Explainer(verdicts=("dangerous", "suspicious"))
    ranked = sorted(range(len(facts)), key=lambda i: facts[i].verdict != "dangerous")
    told = {i: explainer.explain(facts[i]) for i in ranked}
    return tuple(told[i] for i in range(len(facts)))


def workers(given: list[tuple[str, bool]]) -> int:
    """How many processes pay for themselves."""
    total = 0
    for path, _ in given:
        try:
            total += Path(path).stat().st_size
        except OSError:
            continue
    useful = max(len(given) // _FILES_PER_PROCESS, total // _BYTES_PER_PROCESS)
    return max(1, min(useful, os.cpu_count() or 1))


def decide(
    facts: tuple[ArtifactFacts, ...],
    failures: list[tuple[str, str]],
    fail_on: str,
    *,
    allow_empty: bool,
) -> Decision:
    """The exit status by verdict, or by the worst issue of each artifact."""
    number = f"{len(facts)} artifact{'' if len(facts) == 1 else 's'}"
    if fail_on not in GATES:
        from auditor.findings import Severity

        least = Severity.parse(fail_on)
        bad = sum(any(issue.severity >= least for issue in fact.issues) for fact in facts)
        if bad:
            said = f"{bad} of {number} with findings of {fail_on} or above"
            return Decision(ExitStatus.FINDINGS, said)
        fail_on = f"with findings of {fail_on} or above"
    failing = [fact for fact in facts if fact.verdict in GATES.get(fail_on, ())]
    if failing:
        counts = ", ".join(
            f"{n} {verdict}"
            for verdict in ("dangerous", "suspicious", "unreadable")
            if (n := sum(fact.verdict == verdict for fact in failing))
        )
        return Decision(ExitStatus.FINDINGS, f"{counts} of {number}")
    if failures:
        return Decision(ExitStatus.INCOMPLETE, f"{len(failures)} files could not be read")
    if not facts:
        status = ExitStatus.PASSED if allow_empty else ExitStatus.INCOMPLETE
        return Decision(status, "nothing to scan: no artifact was found")
    return Decision(ExitStatus.PASSED, f"{number}, none {fail_on}")


def result_of(facts: tuple[ArtifactFacts, ...], failures: list[tuple[str, str]]) -> AuditResult:
    """The facts as the reports read them."""
    from auditor.catalog import Rule, rules
    from auditor.findings import Confidence, Finding
    from auditor.result import ArtifactReport, AuditResult, Score, Skipped, Stats
    from auditor.source import Location

    findings: list[Finding] = []
    for fact in facts:
        outer = fact.path.split("!", 1)[0]
        for issue in fact.issues:
            rule = rules().get(issue.rule) or Rule(
                id=issue.rule,
                name=issue.rule.lower(),
                title=issue.rule,
                category="artifact safety",
                severity=issue.severity,
                confidence=Confidence.CERTAIN,
                since="0.1.0",
                help="",
            )
            findings.append(
                rule.finding(
                    Location(outer),
                    issue.message if outer == fact.path else f"{fact.path}: {issue.message}",
                    severity=issue.severity,
                    evidence={
                        **dict(issue.evidence),
                        **({"offset": issue.offset} if issue.offset is not None else {}),
                    },
                )
            )
    return AuditResult(
        root=Path.cwd().as_posix(),
        score=Score(),
        findings=tuple(findings),
        artifacts=tuple(
            ArtifactReport(
                path=fact.path,
                format=fact.format,
                container=fact.container,
                size=fact.size,
                sha256=fact.sha256,
                verdict=fact.verdict,
                globals=fact.globals,
                protocol=fact.protocol,
                onnx=_onnx(fact),
            )
            for fact in facts
        ),
        skipped=tuple(Skipped(path=path, reason=reason) for path, reason in failures),
        stats=Stats(files=len(facts), bytes=sum(f.size for f in facts if "!" not in f.path)),
    )


def _onnx(fact: ArtifactFacts) -> dict[str, object] | None:
    if fact.onnx is None:
        return None
    from auditor.artifacts.onnx.summary import report

    return report(fact.onnx)


def _checked(path: str) -> list[str]:
    """What the onnx package's checker and shape inference say of the model; its weights stay out."""
    import mmap

    from auditor.artifacts.onnx.checker import ask

    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            opinion = ask(data)
    except (OSError, ValueError) as error:
        return [f"onnx says    nothing: {error}"]
    said = [opinion.checker, opinion.inference, opinion.crashed and f"nothing: {opinion.crashed}"]
    texts = [" ".join(text.split()) for text in said if text]
    return [f"onnx says   {text}" for text in texts] or ["onnx says   the model is valid"]


def summary(facts: tuple[ArtifactFacts, ...], *, quiet: bool, verbose: bool = False) -> str:
    """One line for each artifact, and what is wrong with it below."""
    lines = []
    for fact in facts:
        if quiet and fact.verdict == "safe":
            continue
        kind = fact.format + (f" in {fact.container}" if fact.container else "")
        lines.append(_line(f"{fact.verdict:10}  {fact.path}  ({kind}, {fact.size:,} bytes)"))
        for issue in fact.issues:
            place = f" (byte {issue.offset})" if issue.offset is not None else ""
            lines.append(
                _line(f"            {issue.rule} {issue.severity.label}: {issue.message}{place}")
            )
            known = dict(issue.evidence)
            if "chain" in known:
                lines.append(_line(f"                via {known['chain']}"))
            executes = known.get("executes", "").splitlines()
            lines += [_line(f"              > {line}") for line in executes]
        if fact.weights_only is not None and not quiet:
            said = "accepts it"
            if not fact.weights_only:
                said = "refuses it: " + ", ".join(fact.weights_only_objections[:5])
            lines.append(_line(f"            torch.load(weights_only=True) {said}"))
        if fact.onnx is not None and not quiet and len(facts) <= _SUMMARIES:
            from auditor.artifacts.onnx.summary import lines as described

            lines += [_line(f"            {text}") for text in described(fact.onnx)]
            if verbose and "!" not in fact.path:
                lines += [_line(f"            {text}") for text in _checked(fact.path)]
    return "".join(f"{line}\n" for line in lines)


def _line(text: str) -> str:
    from auditor.reports.escape import printable

    return printable(text)
