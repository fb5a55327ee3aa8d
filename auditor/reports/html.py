"""One self-contained HTML file: no scripts, nothing loaded, everything escaped.

Filtering is done by style sheet alone, so the content security policy can forbid scripts.
"""

from __future__ import annotations

import base64
import hashlib

from auditor import __version__
from auditor.findings import Finding, Severity
from auditor.reports import Options
from auditor.reports.console import LEVELS
from auditor.reports.digest import (
    Group,
    accepted,
    catalogue,
    counts,
    first_things,
    groups,
    plural,
    quote,
    reasons,
)
from auditor.reports.escape import html as escape
from auditor.reports.escape import printable, wellformed
from auditor.reports.picture import graph_of, svg
from auditor.result import AuditResult, CategoryScore
from auditor.source import Location

_WINDOW = 400
_MOST_PLACES = 200


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Markup:
    """An element; attribute values, and children that are not Markup, are escaped.

    Attribute names lose a trailing underscore (``class_``) and swap others for hyphens.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    inside = "".join(c if isinstance(c, Markup) else escape(c) for c in children)
    if name in ("meta", "input", "br"):
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{inside}</{name}>")


def prose(text: str) -> Markup:
    """A message of ours; what stands between backquotes becomes code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return Markup(escape(text))
    return Markup(
        "".join(tag("code", p) if number % 2 else escape(p) for number, p in enumerate(parts))
    )


def render(result: AuditResult, options: Options) -> str:
    """The page; it opens from disk, in light and dark, and prints."""
    style = _STYLE + "".join(
        f"body:has(#show-{s.label}:not(:checked)) .finding.{s.label}{{display:none}}"
        for s in Severity
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"deploy-audit: {_base(result.root)}"),
        Markup(f"<style>{style}</style>"),
    )
    body = tag(
        "body",
        tag(
            "main",
            _title(result, options),
            _forecast(result),
            _first(result),
            _score(result),
            _findings(result, options),
            _picture(result),
            _artifacts(result),
            _unread(result),
        ),
        tag("footer", f"deploy-audit {__version__}"),
    )
    page = tag("html", head, body, lang="en")
    return wellformed(f"<!DOCTYPE html>\n{page}\n")


def _base(root: str) -> str:
    return root.rstrip("/").rpartition("/")[2] or root


def _title(result: AuditResult, options: Options) -> Markup:
    score = result.score
    found = ", ".join(f"{number} {label}" for label, number in counts(result.active).items())
    said = plural(len(result.active), "finding") + (f": {found}" if found else "")
    risk = accepted(result)
    said += f"; {plural(risk, 'finding')} accepted as risk" if risk else ""
    parts = [tag("h1", "deploy-audit: ", _base(result.root))]
    if score.value is not None:
        level = "level unknown"
        if score.level is not None:
            level = f"level {score.level} of 3, {LEVELS[score.level]}"
        parts.append(
            tag(
                "p",
                tag("span", score.grade or "", class_=f"grade {_state(score.grade)}"),
                tag("span", str(score.value), class_="value"),
                tag("span", " / 100, ", level),
                class_="headline",
            )
        )
        if score.cap:
            parts.append(tag("p", score.cap, class_="quiet"))
    elif result.services or not result.artifacts:
        parts.append(tag("p", "No score: nothing to deploy was found."))
    parts.append(tag("p", said))
    if options.gate is not None:
        state = "yes" if options.gate.passed else "no"
        verdict = "passed" if options.gate.passed else "failed"
        parts.append(
            tag("p", tag("b", f"Gate {verdict}", class_=state), f": {options.gate.reason}")
        )
    return tag("header", *parts)


def _state(grade: str | None) -> str:
    return {"A": "yes", "B": "yes", "C": "unknown", "D": "unknown"}.get(grade or "", "no")


def _section(title: str, *children: str, kind: str = "") -> Markup:
    return tag("section", tag("h2", title), *children, class_=kind or title.lower())


def _forecast(result: AuditResult) -> Markup:
    if not result.services:
        return Markup("")
    stages = [stage for stage, _ in result.services[0].forecast.answers()]
    rows = [tag("tr", tag("th", "service"), *(tag("th", stage) for stage in stages))]
    for service in result.services:
        answers = [tag("td", a, class_=a) for _, a in service.forecast.answers()]
        rows.append(tag("tr", tag("th", service.name, scope="row"), *answers))
        if service.observed is not None:
            seen = [tag("td", a, class_=a) for _, a in service.observed.answers()]
            rows.append(tag("tr", tag("td", "observed", class_="quiet"), *seen))
        why = [
            tag("li", tag("b", f"{stage}: {answer}", class_=answer), ". ", prose(reason))
            for stage, answer, reason in reasons(service, result)
        ]
        if why:
            rows.append(tag("tr", tag("td", tag("ul", *why), colspan="5"), class_="why"))
    return _section("Forecast", tag("div", tag("table", *rows), class_="scroll"))


def _first(result: AuditResult) -> Markup:
    things = [
        tag(
            "li",
            tag("b", thing.rule, class_=f"sev-{thing.severity.label}"),
            " ",
            prose(thing.message),
            " ",
            tag("code", thing.at),
            tag("br"),
            tag("span", prose(thing.help), class_="quiet"),
        )
        for thing in first_things(result)
    ]
    return _section("Do first", tag("ol", *things), kind="first") if things else Markup("")


def _score(result: AuditResult) -> Markup:
    score = result.score
    if score.value is None:
        return Markup("")
    rows = [_category(category) for category in score.categories]
    applied = f"{score.checks_applied} of {score.checks_total} checks applied."
    parts = [tag("div", tag("table", *rows, class_="bars"), class_="scroll"), tag("p", applied)]
    if score.next_level:
        target = "In the way of the next level"
        if score.level is not None:
            target = f"In the way of level {score.level + 1}, {LEVELS[score.level + 1]}"
        parts.append(tag("h3", target))
        ahead = [tag("li", tag("b", what), " ", prose(words)) for what, words in score.next_level]
        parts.append(tag("ul", *ahead))
    if score.needs and score.rung is not None:
        target = f"In the way of level {score.rung}, {LEVELS[score.rung]}, in any case"
        parts.append(tag("h3", target))
        needs = [tag("li", tag("b", what), " ", prose(words)) for what, words in score.needs]
        parts.append(tag("ul", *needs))
    return _section("Score", *parts)


def _category(category: CategoryScore) -> Markup:
    if category.value is None:
        return tag("tr", tag("th", category.name, scope="row"), tag("td", "not applicable"))
    state = _state(category.grade)
    # Sizes are attributes: the policy forbids inline styles.
    bar = Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="empty" width="100" height="8"/>'
        f'<rect class="{state}" width="{category.value}" height="8"/></svg>'
    )
    lost = ", ".join(f"{d.rule} -{d.points:.1f}" for d in category.deductions if d.points)
    if category.cap:
        lost += f"; {category.cap}"
    return tag(
        "tr",
        tag("th", category.name, scope="row"),
        tag("td", bar),
        tag("td", f"{category.value} {category.grade}", class_=f"number {state}"),
        tag("td", lost, class_="quiet"),
    )


def _findings(result: AuditResult, options: Options) -> Markup:
    found = groups(result.active) + groups(f for f in result.findings if f.suppressed is not None)
    if not found:
        return _section("Findings", tag("p", "None."))
    present = counts(result.findings)
    filters = [
        tag(
            "label",
            tag("input", type="checkbox", id=f"show-{label}", checked=""),
            tag("span", f" {label} ({number})", class_=f"sev-{label}"),
        )
        for label, number in present.items()
    ]
    blocks = [_group(group, result, options) for group in found]
    return _section("Findings", tag("div", *filters, class_="filters"), *blocks)


def _group(group: Group, result: AuditResult, options: Options) -> Markup:
    first = group.first
    many = len(group.findings)
    title = first.message
    if many > 1:
        rule = catalogue(options).get(first.rule)
        title = f"{rule.title if rule else first.name}: {plural(many, 'place')}"
    severity = group.severity.label
    parts: list[str] = []
    for finding in group.findings[:_MOST_PLACES]:
        parts += _place(finding, result, named=many > 1)
    if many > _MOST_PLACES:
        parts.append(tag("p", f"and {many - _MOST_PLACES} more places"))
    executes = next(
        (text for f in group.findings for name, text in f.evidence if name == "executes"), None
    )
    if executes:
        parts.append(tag("p", tag("b", "Loading would execute:")))
        parts.append(tag("pre", printable(str(executes), keep="\n")))
    if first.help:
        parts.append(tag("p", tag("b", "Help: "), prose(first.help)))
    if first.fix is not None:
        safe = " (safe: deploy-audit fix --write)" if first.fix.safe and first.fix.edits else ""
        parts.append(tag("p", tag("b", "Fix: "), prose(first.fix.description), safe))
    sure = first.confidence.label
    accepted_risk = [" ", tag("span", "accepted risk", class_="pill")] if first.suppressed else []
    summary = tag(
        "summary",
        tag("span", severity, class_=f"pill sev-{severity}"),
        tag("b", f" {first.rule} "),
        prose(title),
        " ",
        tag("code", f"{first.at.path}:{first.at.line}"),
        *accepted_risk,
        tag("span", f" {first.name}, {first.category}, {sure}", class_="quiet"),
    )
    # Closed where there is much of it, open otherwise: a printed page shows the usual case.
    opened = {"open": ""} if many <= 8 else {}
    return tag("details", summary, *parts, class_=f"finding {severity}", **opened)


def _place(finding: Finding, result: AuditResult, *, named: bool) -> list[Markup]:
    parts = []
    if named:
        parts.append(tag("p", prose(finding.message)))
    parts.append(_quote(finding.at, result, "span"))
    for other in finding.related:
        parts.append(tag("p", prose(other.message), class_="other"))
        parts.append(_quote(other.at, result, "span other"))
    if finding.suppressed is not None:
        why = f": {finding.suppressed.reason}" if finding.suppressed.reason else ""
        parts.append(tag("p", f"accepted by {finding.suppressed.by}{why}", class_="quiet"))
    return parts


def _quote(at: Location, result: AuditResult, kind: str) -> Markup:
    place = tag("span", str(at), class_="place")
    quoted = quote(result, at)
    if quoted is None:
        return tag("pre", place)
    start = min(max(at.column - 1, 0), len(quoted))
    end = len(quoted) if at.end_line > at.line else min(max(at.end_column - 1, start), len(quoted))
    low, high = max(start - _WINDOW, 0), min(max(end, start + 1), start + _WINDOW) + _WINDOW
    end = min(end, high)
    return tag(
        "pre",
        place,
        "\n",
        tag("span", f"{at.line} ", class_="line"),
        "…" if low else "",
        quoted[low:start],
        tag("mark", quoted[start:end], class_=kind),
        quoted[end:high],
        "…" if high < len(quoted) else "",
    )


def _picture(result: AuditResult) -> Markup:
    drawn = Markup(svg(graph_of(result)))
    parts: list[str] = [tag("div", drawn, class_="scroll")] if drawn else []
    if result.graph:
        source = tag("details", tag("summary", "as Mermaid text"), tag("pre", result.graph))
        parts.append(source)
    return _section("Deployment", *parts) if parts else Markup("")


def _artifacts(result: AuditResult) -> Markup:
    if not result.artifacts:
        return Markup("")
    rows = [tag("tr", *(tag("th", h) for h in ("artifact", "format", "bytes", "verdict", "loads")))]
    states = {"safe": "yes", "dangerous": "no", "loads": "yes", "fails": "no"}
    for artifact in result.artifacts:
        loads = []
        for verdict in artifact.compatibility:
            why = f" ({verdict.reasons[0]})" if verdict.reasons else ""
            state = states.get(verdict.outcome, "unknown")
            outcome = tag("span", verdict.outcome, class_=state)
            loads.append(tag("div", f"{verdict.environment}: ", outcome, why))
        rows.append(
            tag(
                "tr",
                tag("td", tag("code", artifact.path)),
                tag("td", artifact.format),
                tag("td", f"{artifact.size:,}", class_="number"),
                tag("td", artifact.verdict, class_=states.get(artifact.verdict, "unknown")),
                tag("td", *loads),
            )
        )
    return _section("Artifacts", tag("div", tag("table", *rows), class_="scroll"))


def _unread(result: AuditResult) -> Markup:
    if not result.skipped:
        return Markup("")
    items = [tag("li", tag("code", s.path), f": {s.reason}") for s in result.skipped[:500]]
    more = len(result.skipped) - len(items)
    rest = [tag("p", f"and {more} more")] if more else []
    return _section("Not read", tag("ul", *items), *rest, kind="unread")


_STYLE = """
:root{--bg:#fff;--fg:#1c2128;--quiet:#59636e;--line:#d5dae0;--soft:#f5f7f9;--yes:#1a7f37;
--no:#c4242b;--unknown:#8a5a00;--critical:#a1152a;--high:#c4442b;--medium:#8a5a00;--low:#0b6e99;
--info:#59636e;--mark:#fde2e0;--mark-other:#d9ecf7}
@media (prefers-color-scheme:dark){:root{--bg:#14181d;--fg:#e4e8ed;--quiet:#9aa5b1;--line:#333b45;
--soft:#1c222a;--yes:#4fbf67;--no:#ff7b72;--unknown:#e0a83b;--critical:#ff6f7d;--high:#ff8f70;
--medium:#e0a83b;--low:#62bfe8;--info:#9aa5b1;--mark:#5c2526;--mark-other:#1d4560}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
main,footer{max-width:1180px;margin:0 auto;padding:0 20px}
h1{font-size:22px;margin:28px 0 8px;overflow-wrap:anywhere}
h2{font-size:18px;margin:34px 0 10px;border-bottom:1px solid var(--line);padding-bottom:4px}
h3{font-size:15px;margin:18px 0 6px}
p{margin:6px 0;overflow-wrap:anywhere}
code,pre{font-family:ui-monospace,monospace;font-size:13px}
code{overflow-wrap:anywhere}
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:8px 12px;
margin:6px 0;overflow-x:auto;tab-size:4}
.place,.quiet,.line,footer{color:var(--quiet)}
.line{user-select:none}
.headline{font-size:18px;display:flex;gap:10px;align-items:baseline;flex-wrap:wrap}
.grade{font-size:30px;font-weight:700;border:2px solid;border-radius:8px;padding:0 14px}
.value{font-size:34px;font-weight:700}
.yes{color:var(--yes)}.no{color:var(--no)}.unknown{color:var(--unknown)}
td.no{font-weight:700}
table{border-collapse:collapse}
th,td{text-align:left;padding:5px 14px 5px 0;vertical-align:top}
tr+tr th,tr+tr td{border-top:1px solid var(--line)}
tr.why td{border-top:0;padding-top:0}
tr.why ul{margin:0;padding-left:20px}
th{font-weight:600}
.number{text-align:right;white-space:nowrap}
.bar{width:220px;height:10px;border-radius:5px;overflow:hidden}
.bar .empty{fill:var(--line)}
.bar .yes{fill:var(--yes)}.bar .no{fill:var(--no)}.bar .unknown{fill:var(--unknown)}
.scroll{overflow-x:auto}
.filters{display:flex;gap:18px;flex-wrap:wrap;margin:8px 0 14px}
.finding{border:1px solid var(--line);border-left:4px solid var(--line);border-radius:6px;
padding:8px 14px;margin:10px 0}
.finding summary{cursor:pointer;overflow-wrap:anywhere}
.finding.critical{border-left-color:var(--critical)}.finding.high{border-left-color:var(--high)}
.finding.medium{border-left-color:var(--medium)}.finding.low{border-left-color:var(--low)}
.sev-critical{color:var(--critical)}.sev-high{color:var(--high)}.sev-medium{color:var(--medium)}
.sev-low{color:var(--low)}.sev-info{color:var(--info)}
.pill{border:1px solid;border-radius:10px;padding:0 8px;font-size:12px;font-weight:600;
white-space:nowrap}
mark{background:var(--mark);color:inherit;border-radius:3px}
mark.other{background:var(--mark-other)}
.graph{display:block}
.graph rect{fill:var(--soft);stroke:var(--line)}
.graph .label{font:600 13px system-ui,sans-serif;fill:var(--fg)}
.graph .label.small{font-size:11.5px}
.graph .detail,.graph .head{font:12px system-ui,sans-serif;fill:var(--quiet)}
.graph .yes rect{stroke:var(--yes)}
.graph .no rect{stroke:var(--no);stroke-width:2}
.graph .unknown rect{stroke:var(--unknown);stroke-dasharray:5 3}
.graph .edge{fill:none;stroke:var(--quiet);stroke-width:1.5;opacity:.7}
.graph .edge.no{stroke:var(--no);stroke-width:2;opacity:1}
.graph .edge.unknown{stroke:var(--unknown);stroke-dasharray:5 3}
.graph .edge.yes{stroke:var(--yes)}
footer{margin:40px auto 24px;font-size:13px}
@media print{.filters{display:none}body{font-size:11pt}.finding,tr{break-inside:avoid}
pre{white-space:pre-wrap;overflow-wrap:anywhere}main{max-width:none}}
"""
