"""GitHub-flavoured Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

from collections import Counter

from auditor.reports import Options
from auditor.reports.console import LEVELS
from auditor.reports.digest import (
    Group,
    accepted,
    catalogue,
    counts,
    first_things,
    groups,
    line_ranges,
    plural,
    quote,
    reasons,
    worst_first,
)
from auditor.reports.escape import (
    cut,
    markdown_block,
    markdown_code,
    markdown_message,
    printable,
)
from auditor.result import AuditResult
from auditor.source import Location

# GitHub and GitLab refuse comments over 65,536 characters.
LIMIT = 65_000

_EXCERPTS = 5
_LONGEST = 600
_MOST_ROWS = 40


def render(result: AuditResult, options: Options) -> str:
    """At most ``LIMIT`` characters; the findings that do not fit are counted."""
    parts = (_head(result, options), _forecast(result), _score(result), _artifacts(result))
    head = "\n".join(line for part in parts for line in part)
    head = head[: LIMIT // 2]
    body = groups(result.active)
    out: list[str] = []
    # Room is kept for the sentence that counts what did not fit.
    left = LIMIT - len(head) - 200
    for number, group in enumerate(body):
        block = "\n".join(_group(group, result, options)) + "\n"
        if len(block) > left:
            out.append(f"\n{plural(len(body) - number, 'more group')} of findings did not fit.\n")
            break
        left -= len(block)
        out.append(block)
    title = "\n### Findings\n\n" if out else ""
    return f"{head}\n{title}{''.join(out)}".rstrip("\n") + "\n"


def _text(text: str) -> str:
    return markdown_message(text[:_LONGEST] + ("..." if len(text) > _LONGEST else ""))


def _code(text: str) -> str:
    return markdown_code(text[:_LONGEST])


def _head(result: AuditResult, options: Options) -> list[str]:
    found = ", ".join(f"{number} {label}" for label, number in counts(result.active).items())
    lines = ["## deploy-audit", ""]
    if options.gate is not None:
        verdict = "passed" if options.gate.passed else "failed"
        lines += [f"**Gate {verdict}:** {_text(options.gate.reason)}", ""]
    total = plural(len(result.active), "finding")
    risk = accepted(result)
    lines.append(total + (f": {found}" if found else "") + ".")
    if risk:
        lines[-1] += f" {plural(risk, 'finding')} accepted as risk."
    if result.skipped:
        lines[-1] += f" {plural(len(result.skipped), 'path')} not read."
    things = first_things(result)
    if things:
        lines += ["", "**Do first**", ""]
    for number, thing in enumerate(things, 1):
        lines.append(
            f"{number}. **{_text(thing.rule)}** {_text(thing.message)} ({_code(thing.at)})"
        )
        if thing.help:
            lines.append(f"   {_text(thing.help)}")
    return [*lines, ""]


def _forecast(result: AuditResult) -> list[str]:
    if not result.services:
        return []
    lines = [
        "### Forecast",
        "",
        "| service | builds | starts | reachable | predicts |",
        "|---|---|---|---|---|",
    ]
    why: list[str] = []
    for service in result.services[:_MOST_ROWS]:
        answers = [f"**{a}**" if a == "no" else a for _, a in service.forecast.answers()]
        lines.append(f"| {_code(service.name)} | {' | '.join(answers)} |")
        for stage, answer, reason in reasons(service, result):
            why.append(f"- {_code(service.name)} {stage}: {answer}. {_text(reason)}")
    if len(result.services) > _MOST_ROWS:
        why.append(f"- and {len(result.services) - _MOST_ROWS} more services")
    return [*lines, "", *why, ""]


def _score(result: AuditResult) -> list[str]:
    score = result.score
    if score.value is None:
        return (
            ["### Score", "", "None: nothing to deploy was found.", ""]
            if (result.services or not result.artifacts)
            else []
        )
    level = "unknown" if score.level is None else f"{score.level} of 3 ({LEVELS[score.level]})"
    cap = f" ({_text(score.cap)})" if score.cap else ""
    lines = [
        "### Score",
        "",
        f"**{score.value}/100**, grade **{score.grade}**{cap}, level {level}. "
        f"{score.checks_applied} of {score.checks_total} checks applied.",
        "",
        "| category | score | grade | lost |",
        "|---|---|---|---|",
    ]
    for category in score.categories[:_MOST_ROWS]:
        lost = ", ".join(f"{_text(d.rule)} {d.points:.1f}" for d in category.deductions if d.points)
        value = "-" if category.value is None else str(category.value)
        lines.append(f"| {_text(category.name)} | {value} | {category.grade or '-'} | {lost} |")
    if score.next_level:
        target = "the level to be known" if score.level is None else f"level {score.level + 1}"
        lines += ["", f"In the way of {target}:", ""]
        lines += [f"- **{_text(what)}** {_text(words)}" for what, words in score.next_level[:8]]
    if score.needs:
        lines += ["", f"In the way of level {score.rung} in any case:", ""]
        lines += [f"- **{_text(what)}** {_text(words)}" for what, words in score.needs[:8]]
    return [*lines, ""]


def _artifacts(result: AuditResult) -> list[str]:
    if not result.artifacts:
        return []
    lines = ["### Artifacts", "", "| artifact | format | verdict |", "|---|---|---|"]
    ordered = worst_first(result)
    for artifact in ordered[:_MOST_ROWS]:
        verdict = artifact.verdict if artifact.verdict == "safe" else f"**{artifact.verdict}**"
        lines.append(f"| {_code(artifact.path)} | {_text(artifact.format)} | {verdict} |")
    if len(ordered) > _MOST_ROWS:
        rest = Counter(artifact.verdict for artifact in ordered[_MOST_ROWS:])
        told = ", ".join(f"{number} {verdict}" for verdict, number in rest.items())
        lines += ["", f"and {len(ordered) - _MOST_ROWS} more: {told}"]
    return [*lines, ""]


def _group(group: Group, result: AuditResult, options: Options) -> list[str]:
    first = group.first
    many = len(group.findings)
    if many > 1:
        rule = catalogue(options).get(first.rule)
        message = f"{rule.title if rule else first.name}: {plural(many, 'place')}"
    else:
        message = first.message
    sure = "" if first.confidence.label == "certain" else f", {first.confidence.label}"
    summary = (
        f"<b>{group.severity.label}{sure}</b> {_text(first.rule)} {_text(message)} "
        f"({_text(f'{first.at.path}:{first.at.line}')})"
    )
    # The blank line ends the HTML block, so that what follows is Markdown again.
    lines = ["<details>", "<summary>", "", summary, "", "</summary>", ""]
    for finding in group.findings[:_EXCERPTS]:
        if many > 1:
            lines += [f"- {_code(f'{finding.at.path}:{finding.at.line}')} {_text(finding.message)}"]
            continue
        lines += _quote(result, finding.at)
        for other in finding.related[:3]:
            place = _code(f"{other.at.path}:{other.at.line}")
            lines += [f"{place}: {_text(other.message)}", ""]
            lines += _quote(result, other.at)
    if many > 1:
        lines += [""]
    if many > _EXCERPTS:
        rest = line_ranges(finding.at.line for finding in group.findings[_EXCERPTS:])
        lines += [f"+{many - _EXCERPTS} more: {_text(rest)}", ""]
    executes = next(
        (text for f in group.findings for name, text in f.evidence if name == "executes"), None
    )
    if executes:
        lines += ["Loading would execute:", ""]
        lines += [markdown_block(str(executes).splitlines(), "python"), ""]
    if first.help:
        lines += [f"**Help:** {_text(first.help)}", ""]
    if first.fix is not None:
        safe = " (safe: `deploy-audit fix --write`)" if first.fix.safe and first.fix.edits else ""
        lines += [f"**Fix:** {_text(first.fix.description)}{safe}", ""]
    return [*lines, "</details>", ""]


def _quote(result: AuditResult, at: Location) -> list[str]:
    quoted = quote(result, at)
    if quoted is None or not quoted.strip():
        return []
    shown = printable(quoted[:_LONGEST], keep="\t")
    return [markdown_block([cut(shown, 160)]), ""]
