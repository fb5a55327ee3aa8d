"""The report for people at a terminal: what is wrong and where, what will happen, what to do.

Findings look like a compiler's diagnostics. At the end, where the eye rests when the command
returns, stand the forecast, the score, the three things to do first and the gate.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from auditor import lazy_re as re
from auditor.findings import Finding, Fix, Related, Severity
from auditor.reports import Options
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
)
from auditor.reports.escape import cell_width, cut, encodable, printable
from auditor.reports.styled import Page, Span, ansi, plain
from auditor.result import (
    ArtifactReport,
    AuditResult,
    CategoryScore,
    Forecast,
    Score,
    ServiceReport,
)
from auditor.source import Location

LEVELS = ("will not come up", "comes up", "survives", "operable")

# What a message or an advice quotes.
_NAMES = re.compile(r"`[^`]*`")
_EXCERPTS = 3
_OTHER_ENDS = 3
_SKIPPED = 3
# Marked words of findings that are not quoted, and how long one may be.
_MARKED = 12
_MARKED_LENGTH = 40
_AHEAD = 4
_NEEDS = 8
_TAB = 4
_BAR = 20


def render(result: AuditResult, options: Options) -> str:
    """The report as text, with escapes only when ``options.color`` asks for them."""
    page = Page(options.width, options.encoding)
    if not options.quiet:
        shown = result.findings if options.verbose else result.active
        brief = 0
        for group in groups(shown):
            if group.severity <= Severity.LOW and not options.verbose:
                brief += 1
                _brief(page, group, options)
                continue
            _group(page, group, result, options)
            page.blank()
        if brief:
            page.paragraph([], "Findings of low severity are in short; -v quotes them.", 2)
            page.blank()
    _artifacts(page, result, options)
    _services(page, result)
    if result.rehearsal is not None:
        from auditor.reports.rehearsed import sections

        sections(page, result, result.rehearsal)
    _score(page, result, options)
    if options.explain_score:
        _explain(page, result, options)
    if not options.quiet:
        _first_things(page, result)
    _unread(page, result, options)
    _closing(page, result, options)
    return ansi(page.lines) if options.color else plain(page.lines)


# Findings


def _headline(page: Page, group: Group, options: Options) -> None:
    """Severity, rule and message, or the rule's title where the messages differ."""
    first = group.first
    many = len(group.findings)
    message = first.message
    if many > 1:
        if len({finding.message for finding in group.findings}) > 1:
            rule = catalogue(options).get(first.rule)
            message = rule.title if rule else first.name
        message += f": {plural(many, 'place')}"
    severity = group.severity.label
    page.paragraph(
        [(f"{severity}[{page.clean(first.rule)}]", severity), (": ", "")], message, 2, "title"
    )


def _brief(page: Page, group: Group, options: Options) -> None:
    """A group in two lines: what, and where it begins."""
    _headline(page, group, options)
    _arrow(page, "-->", group.first.at, 1, _remark(group.first))


def _group(page: Page, group: Group, result: AuditResult, options: Options) -> None:
    first = group.first
    many = len(group.findings)
    same = len({finding.message for finding in group.findings}) == 1
    severity = group.severity.label
    _headline(page, group, options)

    limit = many if options.verbose else _EXCERPTS
    shown = group.findings[:limit]
    gutter = max(len(str(line)) for f in shown for line in _lines_of(f))
    told: set[tuple[Location, str]] = set()
    for number, finding in enumerate(shown):
        if number == 0 or finding.at.path != shown[number - 1].at.path:
            _arrow(page, "-->", finding.at, gutter, _remark(finding))
        label = "" if many == 1 or same else finding.message
        _excerpt(page, finding.at, label, result, gutter, "^", severity, bar=number == 0)
        for related in finding.related[: _OTHER_ENDS if many == 1 else 1]:
            if (related.at, related.message) not in told:
                told.add((related.at, related.message))
                _other_end(page, related, result, gutter)
        if options.verbose:
            _evidence(page, finding, gutter)
    if many > limit:
        _note(page, gutter, "", f"+{many - limit} more: {_rest(group.findings[limit:], result)}")
    for finding in shown:
        if finding.suppressed is not None:
            why = f" ({finding.suppressed.reason})" if finding.suppressed.reason else ""
            word = "withdrawn" if finding.suppressed.by == "rehearsal" else "accepted"
            _note(page, gutter, word, f"line {finding.at.line}, {finding.suppressed.by}{why}")
    for seen in dict.fromkeys(observed for f in shown if (observed := _observed(f))):
        _note(page, gutter, "confirmed", f"the rehearsal saw {seen}")
    for text in _advice(shown, options):
        _note(page, gutter, "help", text)
    if first.fix is not None:
        _fix(page, first.fix, result, gutter)


def _advice(findings: Sequence[Finding], options: Options) -> list[str]:
    """Each advice once; the first does for those that differ only in what their message names."""
    advice: dict[str, str] = {}
    for finding in findings:
        if finding.help:
            named = {word[1:-1] for word in _NAMES.findall(finding.message)}
            told = all(
                any(word[1:].startswith(name) for name in named)
                for word in _NAMES.findall(finding.help)
            )
            short = told and not options.verbose
            advice.setdefault(
                _NAMES.sub("``", finding.help) if short else finding.help, finding.help
            )
    return list(advice.values())


def _rest(findings: Sequence[Finding], result: AuditResult) -> str:
    """Lines of the findings that are not quoted; what they mark, where a line holds several."""
    lines = line_ranges(finding.at.line for finding in findings)
    if len({(f.at.path, f.at.line) for f in findings}) == len(findings):
        return lines
    marked = dict.fromkeys(text for f in findings if (text := _marked(f, result)))
    more = f" and {len(marked) - _MARKED} more" if len(marked) > _MARKED else ""
    return f"{lines} ({', '.join(list(marked)[:_MARKED])}{more})" if marked else lines


def _marked(finding: Finding, result: AuditResult) -> str:
    """The text that a finding marks, where it is a word of one line."""
    quoted = result.quotes.get((finding.at.path, finding.at.line))
    if quoted is None or finding.at.end_line != finding.at.line:
        return ""
    text = quoted[finding.at.column - 1 : finding.at.end_column - 1]
    return text if 0 < len(text) <= _MARKED_LENGTH else ""


def _lines_of(finding: Finding) -> list[int]:
    return [finding.at.line, *(related.at.line for related in finding.related[:_OTHER_ENDS])]


def _remark(finding: Finding) -> str:
    sure = "" if finding.confidence.label == "certain" else f", {finding.confidence.label}"
    return f"{finding.name}{sure}"


def _arrow(page: Page, arrow: str, at: Location, gutter: int, remark: str = "") -> None:
    place = page.clean(f"{at.path}:{at.line}:{at.column}")
    note = f"  ({page.clean(remark)})" if remark else ""
    page.add((" " * gutter + f"{arrow} ", "gutter"), (place, ""), (note, "dim"))


def _excerpt(
    page: Page,
    at: Location,
    label: str,
    result: AuditResult,
    gutter: int,
    mark: str,
    style: str,
    *,
    bar: bool,
) -> None:
    """The quoted line with the span underlined; without a quote only the label."""
    quoted = quote(result, at)
    if quoted is None:
        if label:
            _note(page, gutter, "", label)
        return
    margin = " " * (gutter + 1)
    if bar:
        page.add((f"{margin}|", "gutter"))
    text, before, length = excerpt(page, quoted, at, page.width - gutter - 3)
    page.add((f"{at.line:>{gutter}} | ", "gutter"), (text, ""))
    underline = " " * before + mark * length
    head: list[Span] = [(f"{margin}| ", "gutter"), (underline, style)]
    used = gutter + 3 + before + length
    if at.end_line > at.line:
        label = f"{label} (to line {at.end_line})".strip()
    if not label:
        page.add(*head)
    elif used + 1 + cell_width(page.clean(label)) <= page.width:
        page.add(*head, (f" {page.clean(label)}", style))
    else:
        page.add(*head)
        for piece in page.wrap(label, page.width - gutter - 3, page.width - gutter - 3):
            page.add((f"{margin}| ", "gutter"), (piece, style))


def excerpt(page: Page, quoted: str, at: Location, room: int) -> tuple[str, int, int]:
    """(line as shown, cells before the span, cells of the span), cut around the span.

    Tabs become spaces up to the next stop, invisible characters are spelt out.
    """
    start = min(max(at.column - 1, 0), len(quoted))
    end = len(quoted) if at.end_line > at.line else min(max(at.end_column - 1, start), len(quoted))
    # Only the neighbourhood of the span is looked at, however long the line is.
    low, high = max(start - 2 * room, 0), min(start + 2 * room, len(quoted))
    shown: list[str] = []
    widths: list[int] = []
    column = 0
    for char in quoted[low:high]:
        piece = " " * (_TAB - column % _TAB) if char == "\t" else _char(page, char)
        shown.append(piece)
        widths.append(cell_width(piece))
        column += widths[-1]
    first, last = start - low, min(end, high) - low
    left, right = 0, len(shown)
    dots = cell_width(page.ellipsis)
    total = sum(widths)
    if low or high < len(quoted) or total > room:
        # Keep as much of what stands before the span as leaves it half of the room.
        lead = sum(widths[:first])
        wanted = min(sum(widths[first:last]) + dots + 1, room // 2)
        while left < first and (lead + wanted > room - dots):
            lead -= widths[left]
            left += 1
        head = dots if low or left else 0
        used = head
        right = left
        while right < len(shown) and used + widths[right] <= room - dots:
            used += widths[right]
            right += 1
    cut_left, cut_right = bool(low or left), right < len(shown) or high < len(quoted)
    text = "".join(shown[left:right])
    text = (page.ellipsis if cut_left else "") + text + (page.ellipsis if cut_right else "")
    before = (dots if cut_left else 0) + sum(widths[left:first])
    length = max(sum(widths[first : min(last, right)]), 1)
    return text, before, length


def _char(page: Page, char: str) -> str:
    return encodable(printable(char), page.encoding)


def _other_end(page: Page, related: Related, result: AuditResult, gutter: int) -> None:
    _arrow(page, ":::", related.at, gutter)
    _excerpt(page, related.at, related.message, result, gutter, "-", "other", bar=True)


def _note(page: Page, gutter: int, kind: str, text: str) -> None:
    prefix = f"{kind}: " if kind else ""
    head: list[Span] = [(" " * (gutter + 1) + "= ", "gutter"), (prefix, "title")]
    page.paragraph(head, text, gutter + 3 + len(prefix))


def _observed(finding: Finding) -> str:
    """What a rehearsal saw of a finding made without one."""
    return next((str(text) for name, text in finding.evidence if name == "observed"), "")


def _evidence(page: Page, finding: Finding, gutter: int) -> None:
    for name, value in finding.evidence:
        if name == "observed":
            continue
        for line in str(value).splitlines() if name == "executes" else [str(value)]:
            _note(page, gutter, page.clean(name), line)


def _fix(page: Page, fix: Fix, result: AuditResult, gutter: int) -> None:
    sure = " (safe: deploy-audit fix --write)" if fix.safe and fix.edits else ""
    _note(page, gutter, "fix", fix.description + sure)
    if len(fix.edits) != 1:
        return
    edit = fix.edits[0]
    quoted = result.quotes.get((edit.at.path, edit.at.line))
    if quoted is None or edit.at.end_line > edit.at.line:
        return
    after = quoted[: edit.at.column - 1] + edit.text + quoted[edit.at.end_column - 1 :]
    margin = " " * (gutter + 3)
    for sign, text, style in (("-", quoted, "remove"), ("+", after, "add")):
        for line in text.split("\n"):
            shown = encodable(printable(line.expandtabs(_TAB)), page.encoding)
            room = page.width - gutter - 5
            page.add((f"{margin}{sign} ", style), (cut(shown, room, page.ellipsis), style))


# Artifacts and services


def _artifacts(page: Page, result: AuditResult, options: Options) -> None:
    if not result.artifacts or options.quiet or (result.services and not options.verbose):
        return
    page.add(("Artifacts", "title"))
    for artifact in result.artifacts:
        _artifact(page, artifact)
    page.blank()


def _artifact(page: Page, artifact: ArtifactReport) -> None:
    style = {"safe": "yes", "dangerous": "no"}.get(artifact.verdict, "unknown")
    kind = artifact.format + (f" in {artifact.container}" if artifact.container else "")
    made = ", ".join(f"{name} {version}" for name, version in artifact.produced_by)
    detail = f"{kind}, {artifact.size:,} bytes" + (f", written by {made}" if made else "")
    page.paragraph(
        [("  ", ""), (artifact.verdict, style), ("  ", "")], f"{artifact.path}: {detail}", 4
    )
    for verdict in artifact.compatibility:
        style = {"loads": "yes", "fails": "no"}.get(verdict.outcome, "unknown")
        why = f": {verdict.reasons[0]}" if verdict.reasons else ""
        page.paragraph(
            [("    ", ""), (verdict.outcome, style), (" in ", "")],
            f"{verdict.environment}{why}",
            6,
        )


def _services(page: Page, result: AuditResult) -> None:
    if not result.services:
        return
    names = [cut(page.clean(service.name), 24, page.ellipsis) for service in result.services]
    column = max(cell_width("Forecast"), *(cell_width(name) + 2 for name in names)) + 2
    stages = [stage for stage, _ in Forecast().answers()]
    page.add(("Forecast" + " " * (column - 8), "title"), *((f"{s:<11}", "dim") for s in stages))
    for name, service in zip(names, result.services, strict=True):
        pad = " " * (column - 2 - cell_width(name))
        page.add(("  ", ""), (name, ""), (pad, ""), *_answers(service.forecast))
        if service.observed is not None:
            label = "    observed"
            room = " " * max(column - len(label), 1)
            page.add((label + room, "dim"), *_answers(service.observed))
            for stage, reason in service.observed.unresolved:
                seen = dict(service.observed.answers()).get(stage, "unknown")
                head: list[Span] = [("    seen: ", "dim"), (f"{stage}: {seen}", seen)]
                page.paragraph([*head, (". ", "")], reason, 6)
        for stage, answer, reason in reasons(service, result):
            page.paragraph([("    ", ""), (f"{stage}: {answer}", answer), (". ", "")], reason, 6)
        _missing_libraries(page, service)
    page.blank()


def _answers(forecast: Forecast) -> list[Span]:
    return [(f"{answer:<11}", answer) for _, answer in forecast.answers()]


def _missing_libraries(page: Page, service: ServiceReport) -> None:
    for missing in service.missing_system_libraries:
        install = f": apt-get install {missing.apt}" if missing.apt else ""
        needs = f"{missing.package_needing_it} needs {missing.soname_or_binary}{install}"
        page.paragraph([("    ", ""), ("missing", "no"), (" ", "")], needs, 6)


# Score


def _score(page: Page, result: AuditResult, options: Options) -> None:
    score = result.score
    if score.value is None:
        if result.services or not result.artifacts:
            page.add(("Score  ", "title"), ("none: nothing to deploy was found", "unknown"))
            page.blank()
        return
    cap = f" ({score.cap})" if score.cap else ""
    if score.level is None:
        level = "level unknown"
    else:
        level = f"level {score.level} of 3, {LEVELS[score.level]}"
    style = _grade_style(score.grade)
    head: list[Span] = [("Score  ", "title"), (f"{score.value}/100, grade {score.grade}", style)]
    page.paragraph(head, f"; {level}{cap}", 7)
    if options.quiet:
        return
    names = [cut(page.clean(category.name), 26, page.ellipsis) for category in score.categories]
    column = max((cell_width(name) for name in names), default=0)
    for name, category in zip(names, score.categories, strict=True):
        _bar(page, name + " " * (column - cell_width(name)), category)
    risk = accepted(result)
    note = f"; {plural(risk, 'finding')} accepted as risk" if risk else ""
    applied = f"{score.checks_applied} of {score.checks_total} checks applied{note}"
    page.paragraph([("  ", "")], applied, 2)
    if score.next_level:
        _ahead(page, score, {finding.rule for finding in result.findings})
    page.blank()


def _ahead(page: Page, score: Score, known: Set[str]) -> None:
    """What the next level needs; what breaks the forecast was explained there already."""
    if score.level is None:
        _joined(page, "The level depends on open links:", [words for _, words in score.next_level])
        if score.rung is not None:
            _needs(page, f"Whatever they come to, level {score.rung}", score.rung, score.needs)
    elif score.level == 0:
        said = [what if what in known else f"{what} {words}" for what, words in score.next_level]
        _joined(page, f"Level 1, {LEVELS[1]}, needs:", said)
    else:
        _needs(page, f"Level {score.level + 1}", score.level + 1, score.next_level)


def _joined(page: Page, head: str, said: list[str]) -> None:
    said = list(dict.fromkeys(said))
    more = f"; and {len(said) - _AHEAD} more" if len(said) > _AHEAD else ""
    page.paragraph([(f"  {head}", "title"), (" ", "")], "; ".join(said[:_AHEAD]) + more, 4)


def _needs(page: Page, head: str, rung: int, needs: tuple[tuple[str, str], ...]) -> None:
    """One line a rule, in the order of effect."""
    page.add((f"  {head}, {LEVELS[rung]}, needs, most effective first:", "title"))
    for what, words in needs[:_NEEDS]:
        text = cut(page.clean(words), page.width - len(what) - 6, page.ellipsis)
        page.add((f"    {page.clean(what)}  ", ""), (text, ""))
    if len(needs) > _NEEDS:
        page.add((f"    and {len(needs) - _NEEDS} more, each of less weight", "dim"))


def _bar(page: Page, name: str, category: CategoryScore) -> None:
    full, empty = ("█", "░") if page.unicode else ("#", ".")
    if category.value is None:
        page.add((f"  {name}  {empty * _BAR}   -  not applicable", "dim"))
        return
    style = _grade_style(category.grade)
    filled = round(category.value * _BAR / 100)
    # Full and empty only where they are true.
    filled = min(max(filled, 1 if category.value else 0), _BAR if category.value == 100 else 19)
    lost = [d for d in category.deductions if d.points]
    said = ", ".join(
        f"{d.rule} -{d.points:.1f}" + (f" ({d.count})" if d.count > 1 else "") for d in lost
    )
    room = page.width - cell_width(name) - _BAR - 13
    page.add(
        (f"  {name}  ", ""),
        (full * filled, style),
        (empty * (_BAR - filled), "dim"),
        (f" {category.value:>3} {category.grade}", style),
        (f"  {cut(page.clean(said), room, page.ellipsis)}" if said and room > 12 else "", "dim"),
    )


def _grade_style(grade: str | None) -> str:
    return {"A": "yes", "B": "yes", "C": "unknown", "D": "unknown"}.get(grade or "", "no")


def _explain(page: Page, result: AuditResult, options: Options) -> None:
    from auditor.scoring import explain

    text = explain(result.score, result.outcomes, result.findings, catalogue(options))
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip(" "))
        if line.strip():
            page.paragraph([(" " * indent, "")], line.strip(), indent + 4)
        else:
            page.add()
    page.blank()


# The end


def _first_things(page: Page, result: AuditResult) -> None:
    things = first_things(result)
    if not things:
        return
    page.add(("Do first", "title"))
    for number, thing in enumerate(things, 1):
        places = f", {plural(thing.places, 'place')}" if thing.places > 1 else ""
        head: list[Span] = [(f"  {number}. ", ""), (page.clean(thing.rule), thing.severity.label)]
        page.paragraph([*head, (" ", "")], f"{thing.message} ({thing.at}{places})", 5)
        if thing.help:
            page.paragraph([("     ", "")], thing.help, 5, "dim")
    page.blank()


def _unread(page: Page, result: AuditResult, options: Options) -> None:
    if options.verbose and result.undecided:
        page.add((f"Undecided: {plural(len(result.undecided), 'link')}", "title"))
        for link in result.undecided:
            place = f" ({link.at.path}:{link.at.line})" if link.at else ""
            page.paragraph([("  ", "")], f"{link.rule}: {link.reason}{place}", 4)
        page.blank()
    if not result.skipped or options.quiet:
        return
    page.add((f"Not read: {plural(len(result.skipped), 'path')}", "title"))
    limit = len(result.skipped) if options.verbose else _SKIPPED
    for skipped in result.skipped[:limit]:
        page.paragraph([("  ", "")], f"{skipped.path}: {skipped.reason}", 4)
    more = len(result.skipped) - limit
    if more > 0:
        page.add((f"  and {more:,} more (-v lists them)", "dim"))
    page.blank()


def _closing(page: Page, result: AuditResult, options: Options) -> None:
    found = ", ".join(f"{number} {label}" for label, number in counts(result.active).items())
    total = plural(len(result.active), "finding")
    stats = result.stats
    read = f" in {plural(stats.files, 'file')} ({stats.seconds:.2f} s)" if stats.files else ""
    page.paragraph([], f"{total}{f': {found}' if found else ''}{read}", 2)
    if options.gate is not None:
        passed = options.gate.passed
        verdict = ("passed", "yes") if passed else ("failed", "no")
        page.paragraph([("Gate ", "title"), verdict, (": ", "")], options.gate.reason, 2)
