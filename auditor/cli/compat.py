"""``deploy-audit compat ARTIFACT…``: will artifacts load in that environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from auditor.cli import options
from auditor.cli.app import complain
from auditor.cli.audit import check_request
from auditor.cli.declare import Argument, Context, Option
from auditor.cli.parser import requests_of
from auditor.cli.streams import remark, wants_color, width_of, write_file, write_stdout
from auditor.config import nearest
from auditor.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts
    from auditor.linking.compatibility import Compatibility, Runtime
    from auditor.linking.projects import ProjectModule
    from auditor.parsers.requirements import ResolvedRequirements
    from auditor.result import AuditResult

# ``torch`` is ``torch.load(path)``, ``torch-full`` and ``torch-weights`` the same with
# ``weights_only=False`` and ``True``.
LOADERS: Final = (
    "auto", "pickle", "joblib", "dill", "cloudpickle", "pandas", "torch", "torch-full",
    "torch-weights", "onnx", "xgboost", "lightgbm", "catboost", "keras", "tensorflow", "skops",
    "safetensors",
)  # fmt: skip
# Outcomes that fail the gate, by ``--fail-on``.
GATES: Final[dict[str, frozenset[str]]] = {
    "fails": frozenset({"fails"}),
    "unknown": frozenset({"fails", "unknown"}),
    "warns": frozenset({"fails", "unknown", "warns"}),
    "never": frozenset(),
}


def command(
    ctx: Context,
    artifacts: Annotated[list[str], Argument(metavar="ARTIFACT", help="Model files.")],
    python: Annotated[
        str | None, Option("--python", metavar="X.Y", help="Interpreter that loads them.")
    ] = None,
    requirement: Annotated[
        list[str] | None,
        Option("--requirement", "-r", metavar="FILE", help="What is installed; adds up."),
    ] = None,
    source: Annotated[
        list[str] | None,
        Option(metavar="DIR", help="Project code that is importable there; adds up."),
    ] = None,
    loader: Annotated[
        str, Option(metavar="NAME", help=f"What opens them: {', '.join(LOADERS)}.")
    ] = "auto",
    fail_on: Annotated[
        str, Option(metavar="OUTCOME", help="fails, unknown, warns or never.")
    ] = "fails",
    online: options.Online = None,
    no_cache: options.NoCache = False,
    format: options.Format = None,
    output: options.Output = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> int:
    """Say what happens when artifacts are loaded in an environment, without loading them.

    Each loads, loads with a warning, fails, or is left unknown, with the first thing that
    breaks. Exit status 1 when one fails.
    """
    for name, given, known in (("--loader", loader, LOADERS), ("--fail-on", fail_on, GATES)):
        if given not in known:
            hint = nearest(given, known)
            raise UsageError(f"{name}: expected one of {', '.join(known)}, not {given!r}{hint}")
    if python is not None and not all(part.isdigit() for part in python.split(".")):
        raise UsageError(f"--python: expected a version such as 3.11, not {python!r}")
    from auditor.reports import FORMATS, Gate, Options, render

    requests = requests_of(ctx)
    for request in requests:
        check_request(request, FORMATS)
    resolved = _requirements(requirement or [])
    facts = [_facts(path) for path in artifacts]
    runtime = runtime_of(resolved, python, source or [], facts)
    from auditor.linking.compatibility import link

    if online:
        from auditor.online import connected

        with connected(cache=not no_cache) as index:
            results = [link(item, runtime, loader=loader) for item in facts]
            for text in index.remarks if index is not None else ():
                remark(text, quiet=quiet)
    else:
        results = [link(item, runtime, loader=loader) for item in facts]
    environment = _environment_name(python, requirement or [])
    failing = [r for r in results if r.outcome in GATES[fail_on]]
    counts = ", ".join(
        f"{n} {outcome}"
        for outcome in ("fails", "unknown", "warns", "loads")
        if (n := sum(r.outcome == outcome for r in results))
    )
    result = result_of(facts, results, environment, resolved)
    for request in requests:
        if request.format == "console":
            text = summary(facts, results, quiet=quiet)
        else:
            to_stdout = request.output is None
            shown = Options(
                color=wants_color(color, sys.stdout) if to_stdout else color == "always",
                width=width_of(sys.stdout) if to_stdout else 80,
                encoding=(sys.stdout.encoding or "utf-8") if to_stdout else "utf-8",
                verbose=verbose > 0,
                quiet=quiet,
                gate=Gate(passed=not failing, text=counts),
            )
            text = render(request.format, result, shown)
        if request.output is None:
            write_stdout(text)
        else:
            write_file(Path(request.output), text)
    remark(counts, quiet=quiet and not failing)
    return ExitStatus.FINDINGS if failing else ExitStatus.PASSED


def _facts(path: str) -> ArtifactFacts:
    from auditor.artifacts.scan import scan_file

    try:
        return scan_file(path, display_path=Path(path).as_posix())[0]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def _requirements(files: list[str]) -> ResolvedRequirements | None:
    if not files:
        return None
    from auditor.parsers import requirements
    from auditor.source import SourceText
    from auditor.values import replace

    def read(path: str) -> SourceText | None:
        try:
            return SourceText.decode(path, Path(path).read_bytes())
        except OSError:
            return None

    found: ResolvedRequirements | None = None
    for file in files:
        if not Path(file).is_file():
            raise UsageError(f"{file}: there is no such file")
        # Names outside the working directory are resolved against the file's own directory.
        base = Path(file).resolve().parent
        own = requirements.resolve(
            Path(file).name,
            lambda path, base=base: (  # type: ignore[misc]
                None if (text := read(str(base / path))) is None else text
            ),
        )
        for problem in own.problems:
            complain(f"{problem.at}: {problem.message}")
        found = (
            own
            if found is None
            else replace(
                found,
                files=(*found.files, *own.files),
                requirements=(*found.requirements, *own.requirements),
                constraints=(*found.constraints, *own.constraints),
            )
        )
    return found


def runtime_of(
    resolved: ResolvedRequirements | None,
    python: str | None,
    sources: list[str],
    facts: list[ArtifactFacts],
) -> Runtime:
    """What the requirement files and source directories offer to a load."""
    from auditor.linking.compatibility import Runtime
    from auditor.linking.distributions import close

    given = resolved.requirements if resolved is not None else ()
    pins = {c.key: c.pinned_version for c in (resolved.constraints if resolved else ())}
    roots = [
        (r.key, r.extras, r.pinned_version or pins.get(r.key))
        for r in given
        if r.key and _applies(r.marker, python)
    ]
    direct = {name for name, _, _ in roots}
    installed = close(
        roots,
        python=python,
        complete=resolved is not None,
        reason="" if resolved is not None else "no requirements were given (-r FILE)",
        constraints=pins,
    )
    if roots and all(version for _, _, version in roots) and _frozen(direct, python):
        installed = close(roots, python=python, closed=True)
    return Runtime(
        python=python if python and "." in python else None,
        installed=installed,
        project=_project(sources, facts),
        specifiers={r.key: r.specifier for r in given if r.key},
    )


def _applies(marker: str, python: str | None) -> bool:
    if not marker:
        return True
    from auditor.linking.distributions import marker_holds

    return marker_holds(marker, python)


def _frozen(direct: set[str], python: str | None) -> bool:
    """Whether pins name everything that is installed, as ``pip freeze`` does."""
    from auditor.linking.distributions import close

    for name in direct:
        needs = close([(name, (), None)], python=python).distributions.keys() - {name}
        if needs and not needs & direct:
            return False
    return True


def _project(sources: list[str], facts: list[ArtifactFacts]) -> dict[str, ProjectModule]:
    """The modules of the source directories that the artifacts name, with what they bind."""
    from auditor.linking.projects import project_module

    wanted = {g.module for item in facts if item.pickle for g in item.pickle.globals}
    found: dict[str, ProjectModule] = {}
    for directory in sources:
        root = Path(directory)
        if not root.is_dir():
            raise UsageError(f"--source {directory}: there is no such directory")
        for module in wanted:
            parts = module.split(".")
            if not all(part.isidentifier() for part in parts):
                continue
            base = root.joinpath(*parts)
            for path in (base / "__init__.py", base.with_suffix(".py")):
                if module not in found and path.is_file() and path.stat().st_size < 5_000_000:
                    found[module] = project_module(path.read_text("utf-8", errors="replace"))
    return found


def _environment_name(python: str | None, files: list[str]) -> str:
    parts = [f"Python {python}" if python else "", ", ".join(files)]
    return " with ".join(part for part in parts if part) or "unspecified"


def result_of(
    facts: list[ArtifactFacts],
    results: list[Compatibility],
    environment: str,
    resolved: ResolvedRequirements | None,
) -> AuditResult:
    """The outcomes as the reports read them."""
    from auditor.catalog import rules
    from auditor.findings import Confidence, Finding, Related, Severity
    from auditor.linking.loads import report
    from auditor.result import AuditResult, CompatibilityReport, Score, Stats
    from auditor.source import Location
    from auditor.values import replace

    findings: list[Finding] = []
    reports = []
    for item, result in zip(facts, results, strict=True):
        reports.append(
            replace(
                report(item, ()),
                compatibility=(
                    CompatibilityReport(
                        environment=environment,
                        outcome=result.outcome,
                        reasons=tuple(
                            f"{r.message}: {r.error}" if r.error else r.message
                            for r in result.reasons
                        ),
                    ),
                ),
            )
        )
        first = result.first
        if first is None or result.outcome not in ("fails", "warns"):
            continue
        rule = rules()[first.rule]
        pins = [
            r for r in (resolved.requirements if resolved else ()) if r.key == first.distribution
        ]
        findings.append(
            rule.finding(
                Location(item.path),
                f"{first.message}: `{first.error}`" if first.error else first.message,
                help=first.help,
                related=[Related(r.at, f"{r.name} is installed here") for r in pins],
                evidence=dict(first.evidence),
                severity=rule.severity if result.outcome == "fails" else Severity.MEDIUM,
                confidence=rule.confidence if result.outcome == "fails" else Confidence.CERTAIN,
            )
        )
    return AuditResult(
        root=Path.cwd().as_posix(),
        score=Score(),
        findings=tuple(findings),
        artifacts=tuple(reports),
        stats=Stats(files=len(facts), bytes=sum(f.size for f in facts)),
    )


def summary(facts: list[ArtifactFacts], results: list[Compatibility], *, quiet: bool) -> str:
    """One line for each artifact, and what decides below."""
    from auditor.artifacts.provenance import provenance
    from auditor.reports.escape import printable

    lines: list[str] = []
    for item, result in zip(facts, results, strict=True):
        if quiet and result.outcome == "loads":
            continue
        lines.append(f"{result.outcome:8} {item.path}")
        made = provenance(item).produced_by
        if made:
            lines.append("         written by " + ", ".join(f"{n} {v}" for n, v in made))
        for reason in result.reasons[:5]:
            lines.append(f"         {reason.rule}: {reason.message}")
            if reason.error:
                lines.append(f"             {reason.error}")
            if reason.help:
                lines.append(f"             {reason.help}")
        if len(result.reasons) > 5:
            lines.append(f"         and {len(result.reasons) - 5} more")
    return "".join(f"{printable(line)}\n" for line in lines)
