"""``deploy-audit rehearse [PATH]``: build it, start it, ask it, and say what happened."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from auditor.cli import options
from auditor.cli.audit import check_request, check_root, emit
from auditor.cli.declare import Context, Option
from auditor.cli.gate import decide
from auditor.cli.parser import requests_of
from auditor.cli.streams import remark, wants_color
from auditor.config import load
from auditor.errors import AuditorError, ExitStatus, UsageError

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.deployment.model import Deployment
    from auditor.rehearsal.observed import Rehearsal
    from auditor.rehearsal.rehearse import Options as Wanted
    from auditor.result import AuditResult


def command(
    ctx: Context,
    path: options.Root = Path(),
    service: Annotated[
        list[str] | None,
        Option("--service", metavar="NAME", help="Rehearse only this service; adds up."),
    ] = None,
    body: Annotated[
        Path | None,
        Option("--body", metavar="FILE", help="A valid request for the prediction endpoint."),
    ] = None,
    endpoint: Annotated[
        str | None,
        Option("--endpoint", metavar="PATH", help="Where --body is sent, by POST."),
    ] = None,
    new_model: Annotated[
        Path | None,
        Option("--new-model", metavar="FILE", help="What the swap drill replaces the model by."),
    ] = None,
    model_path: Annotated[
        str | None,
        Option("--model-path", metavar="PATH", help="Where the container has that model."),
    ] = None,
    no_drills: Annotated[
        bool, Option("--no-drills", help="No load, burst, slow dependency, stop, swap and restart.")
    ] = False,
    no_artifacts: Annotated[
        bool, Option("--no-artifacts", help="Do not load the artifacts in a sandbox.")
    ] = False,
    no_inside: Annotated[
        bool, Option("--no-inside", help="Do not look inside the images.")
    ] = False,
    reproducible: Annotated[
        bool, Option("--reproducible", help="Build every image twice and compare.")
    ] = False,
    sandbox: Annotated[
        str, Option(metavar="KIND", help="container, or process: artifacts only, no Docker.")
    ] = "container",
    load_dangerous: Annotated[
        bool, Option("--load-dangerous", help="Load artifacts judged dangerous as well.")
    ] = False,
    p95: Annotated[float, Option(metavar="MS", help="Limit of the 95th percentile.")] = 200.0,
    errors: Annotated[float, Option(metavar="PERCENT", help="Limit of errors.")] = 0.1,
    throughput: Annotated[
        float, Option(metavar="N", help="Requests per second it must sustain.")
    ] = 100.0,
    start_timeout: Annotated[
        float, Option(metavar="SECONDS", help="How long a service may take to answer.")
    ] = 60.0,
    build_timeout: Annotated[
        float, Option(metavar="SECONDS", help="How long one build may take.")
    ] = 1800.0,
    keep_layers: Annotated[
        bool, Option("--keep-layers", help="Leave layers of classic builds for the next run.")
    ] = False,
    clean: Annotated[
        bool, Option("--clean", help="Only remove what killed rehearsals left behind.")
    ] = False,
    format: options.Format = None,
    output: options.Output = None,
    fail_on: options.FailOn = None,
    min_score: options.MinScore = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    exclude: options.Exclude = None,
    profile: options.Profile = None,
    config: options.Config = None,
    baseline: options.Baseline = None,
    isolated: options.Isolated = False,
    no_cache: options.NoCache = False,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> int:
    """Build and run the deployment in Docker, and report what happened beside the forecast.

    Runs code of the repository, in containers. Everything made is removed afterwards, also after
    Ctrl-C; --clean removes what a killed rehearsal left. Base images that a build pulled stay.
    """
    if clean:
        return _clean(quiet=quiet)
    from auditor.rehearsal.observed import Limits
    from auditor.rehearsal.rehearse import Options as Wanted
    from auditor.reports import FORMATS

    if sandbox not in ("container", "process"):
        raise UsageError(f"--sandbox: expected container or process, not {sandbox!r}")
    requests = requests_of(ctx)
    for request in requests:
        check_request(request, FORMATS)
    wants_color(color, sys.stdout)
    check_root(path)
    overrides = {
        "fail_on": fail_on,
        "min_score": min_score,
        "select": select,
        "ignore": ignore,
        "exclude": exclude,
        "profile": profile,
        "baseline": baseline,
        "cache": False if no_cache else None,
    }
    settings = load(path, config=config, overrides=overrides, isolated=isolated)
    wanted = Wanted(
        services=tuple(service or ()),
        body=_read("--body", body),
        body_path=endpoint,
        new_model=_read("--new-model", new_model),
        new_model_name=new_model.name if new_model is not None else "",
        model_path=model_path,
        inside=not no_inside,
        artifacts=not no_artifacts,
        drills=not no_drills,
        reproducible=reproducible,
        load_dangerous=load_dangerous,
        start_timeout=start_timeout,
        build_timeout=build_timeout,
        limits=Limits(p95_ms=p95, error_percent=errors, throughput=throughput),
        sandbox="process" if sandbox == "process" else "container",
    )
    if wanted.sandbox == "process":
        result = _in_process(path, settings, wanted, quiet=quiet)
    else:
        result = _in_docker(path, settings, wanted, keep_layers, quiet=quiet, verbose=verbose > 0)
    decision = decide(result, settings)
    emit(result, requests, decision, color=color, quiet=quiet, verbose=verbose > 0)
    return decision.status


def _read(option: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from error


def _clean(*, quiet: bool) -> int:
    from auditor.rehearsal import engine, journal

    with contextlib.closing(engine.connect()) as client:
        removed = journal.clean(client)
    remark(f"removed {removed.text() or 'nothing: nothing was left'}", quiet=quiet)
    for failure in removed.failed:
        remark(f"not removed: {failure}", quiet=False)
    return ExitStatus.INCOMPLETE if removed.failed else ExitStatus.PASSED


def _in_docker(
    path: Path,
    settings: Settings,
    wanted: Wanted,
    keep_layers: bool,
    *,
    quiet: bool,
    verbose: bool,
) -> AuditResult:
    from auditor.engine import audit
    from auditor.rehearsal import engine, journal
    from auditor.rehearsal.rehearse import rehearse

    def say(text: str) -> None:
        if not text.startswith("  ") or verbose or not text.lstrip().startswith("#"):
            remark(text, quiet=quiet)

    with contextlib.closing(engine.connect()) as client:
        builder = engine.builder(client)
        left = journal.clean(client)
        if left.total:
            remark(f"removed what an earlier rehearsal left: {left.text()}", quiet=quiet)
        try:
            with journal.Run(client, keep_layers=keep_layers) as run:

                def observe(deployment: Deployment) -> Rehearsal:
                    _known(wanted, deployment)
                    return rehearse(
                        run, builder, deployment, wanted, say=say, engine=engine.version_of(client)
                    )

                return audit(path, settings, observe)
        except journal.Interrupted as stopped:
            remark(f"interrupted by {stopped}; everything was removed", quiet=quiet)
            raise SystemExit(128 + stopped.signal) from None


def _known(wanted: Wanted, deployment: Deployment) -> None:
    names = [s.name for s in deployment.services]
    for name in wanted.services:
        if name not in names:
            raise UsageError(f"--service {name}: the services are {', '.join(names) or 'none'}")
    if not any(s.ours for s in deployment.services) and not deployment.artifacts:
        raise AuditorError("nothing to rehearse: the repository builds no image that is started")


def _in_process(path: Path, settings: Settings, wanted: Wanted, *, quiet: bool) -> AuditResult:
    from auditor.engine import audit
    from auditor.rehearsal import process

    process.check()
    say = partial(remark, quiet=quiet)
    return audit(path, settings, lambda deployment: process.rehearse(deployment, wanted, say=say))
