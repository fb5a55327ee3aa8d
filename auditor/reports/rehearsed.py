"""What a rehearsal saw, as lines for people: measurements, loads and what was withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.reports.digest import plural, withdrawn

if TYPE_CHECKING:
    from auditor.rehearsal.observed import Rehearsal, ServiceRun, Slow, Swap
    from auditor.reports.styled import Page
    from auditor.result import AuditResult

_MEGA = 1_000_000


def sections(page: Page, result: AuditResult, seen: Rehearsal) -> None:
    """The console report's part on the rehearsal."""
    head = f"engine {seen.engine}, {seen.builder}, {seen.seconds:.0f} s" if seen.engine else ""
    page.add(("Rehearsal", "title"), (f"  {head}" if head else "", "dim"))
    for line in lines(seen):
        page.paragraph([("  ", "")], line, 4)
    refuted = withdrawn(result)
    for finding in refuted:
        reason = finding.suppressed.reason if finding.suppressed else ""
        page.paragraph(
            [("  withdrawn ", "yes"), (page.clean(finding.rule), ""), (" ", "")],
            f"{finding.message} ({finding.at.path}:{finding.at.line}); {reason}",
            4,
        )
    page.blank()


def lines(seen: Rehearsal) -> Iterator[str]:
    """Everything measured, a line each."""
    for build in seen.builds:
        if build.ok:
            size = f", {build.size / _MEGA:,.0f} MB" if build.size else ""
            yield f"{build.image}: built in {build.seconds:.0f} s{size}"
    for key, inside in seen.inside:
        if inside.problem:
            yield f"{key}: {inside.problem}"
            continue
        good = sum(i.ok for i in inside.imports)
        yield (
            f"{key}: Python {inside.python}, {plural(len(inside.distributions), 'distribution')}, "
            f"{good} of {plural(len(inside.imports), 'requirement')} imported, user {inside.user}"
        )
        for item in inside.differences:
            yield f"{key}: {item.what}: the model says {item.said}, the image has {item.found}"
    for load in seen.artifacts:
        peak = f", {load.peak_bytes / _MEGA:,.0f} MB" if load.peak_bytes else ""
        took = f" ({load.seconds:.2f} s{peak})" if load.seconds is not None else ""
        why = load.error or load.reason
        yield f"{load.path} in {load.environment}: {load.outcome}{took}{f': {why}' if why else ''}"
    for service in seen.services:
        yield from _service(service)
    for twice in seen.reproductions:
        if twice.same:
            yield f"{twice.image}: two builds agree ({plural(twice.timestamps, 'file')} by time only)"
    for note in dict.fromkeys((*seen.notes, *(n for s in seen.services for n in s.notes))):
        yield f"note: {note}"


def _swap(swap: Swap) -> str:
    said = f"model swap by {swap.way}: {swap.lost} of {swap.sent} requests lost"
    if swap.first_new is not None:
        said += f", first new answer after {swap.first_new:.1f} s"
        if swap.all_new is None:
            said += f", {swap.last_old} of the last {swap.last} answers still of the old model"
        else:
            said += f", all new after {swap.all_new:.1f} s"
            said += f", {plural(swap.mixed, 'old answer')} in between" if swap.mixed else ""
    return said + (f" ({swap.note})" if swap.note else "")


def _slow(held: Slow) -> str:
    said = (
        f"{held.dependency} silent for {held.seconds:.0f} s: {held.hung} of {held.sent} requests "
        f"had no answer within {held.patience:.0f} s, {held.failed} failed"
    )
    if held.other_answered is False:
        said += f", {held.other_route} did not answer either"
    back = "it did not recover" if held.recovery is None else f"back after {held.recovery:.1f} s"
    return f"{said}; {back}"


def _service(run: ServiceRun) -> Iterator[str]:
    if run.sockets:
        sockets = ", ".join(f"{s.host}:{s.port}" for s in run.sockets)
        took = f", answers after {run.seconds:.1f} s" if run.answer("reachable") == "yes" else ""
        yield f"{run.name}: listens on {sockets}{took}"
    for exchange in run.exchanges[1:]:
        status = exchange.status if exchange.status is not None else exchange.error
        yield f"{run.name}: {exchange.method} {exchange.path} {exchange.body[:80]}: {status}"
    drills = run.drills
    if drills is None:
        return
    if drills.load is not None:
        load = drills.load
        yield (
            f"{run.name}: at {load.rate:.0f} requests/s p50 {load.p50:.1f}, p95 {load.p95:.1f}, "
            f"p99 {load.p99:.1f} ms, {load.error_percent:.2f} % errors, {load.throughput:.0f} answered/s"
        )
    if drills.burst is not None:
        burst = drills.burst
        back = "did not recover" if burst.recovery is None else f"back after {burst.recovery:.1f} s"
        yield (
            f"{run.name}: burst of {burst.offered:.0f} requests/s: {burst.shed} refused, "
            f"{burst.timeouts} timed out, {back}"
        )
    if drills.memory is not None:
        grown = (drills.memory.after - drills.memory.before) / _MEGA
        yield f"{run.name}: memory {grown:+.1f} MB over {drills.memory.requests:,} requests"
    if drills.log is not None:
        yield f"{run.name}: {drills.log.bytes_per_request:.0f} bytes of log per request"
    if drills.swap is not None and drills.swap.way is not None:
        yield f"{run.name}: {_swap(drills.swap)}"
    for held in drills.slow:
        yield f"{run.name}: {_slow(held)}"
    if drills.stop is not None:
        stop = drills.stop
        yield (
            f"{run.name}: SIGTERM under load: stopped after {stop.seconds:.1f} s, exit code "
            f"{stop.exit_code}, {stop.lost} of {stop.sent} requests lost"
        )
    if drills.restart is not None:
        yield f"{run.name}: answers {drills.restart:.1f} s after a kill and a new start"
    for what, why in drills.skipped:
        yield f"{run.name}: {what} not tried: {why}"
