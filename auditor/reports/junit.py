"""JUnit XML in the shape that Jenkins defined: one suite per category, one case per finding."""

from __future__ import annotations

from collections import defaultdict
from xml.etree import ElementTree as Xml

from auditor.findings import Finding
from auditor.reports import Options
from auditor.reports.digest import catalogue, worst_first
from auditor.reports.escape import one_line, xml
from auditor.result import AuditResult


def render(result: AuditResult, options: Options) -> str:
    """Findings fail, accepted ones and undecided rules are skipped, passed rules pass.

    Each artifact is a case: safe ones pass, the others are skipped, for their findings fail.
    """
    cases: defaultdict[str, list[Xml.Element]] = defaultdict(list)
    rules = catalogue(options)
    found = {finding.rule for finding in result.findings}
    for finding in result.findings:
        cases[finding.category].append(_case(finding))
    for outcome in sorted(result.outcomes, key=lambda o: o.rule):
        if outcome.rule in found or not (outcome.passed or outcome.undecided):
            continue
        rule = rules.get(outcome.rule)
        category = rule.category if rule else "other"
        name = f"{outcome.rule} {rule.name}" if rule else outcome.rule
        case = _element("testcase", classname=f"deploy-audit.{category}", name=name, time="0")
        if outcome.undecided:
            why = "; ".join(outcome.reasons) or "the evidence does not decide it"
            case.append(_element("skipped", message=f"undecided: {why}"))
        cases[category].append(case)

    for artifact in worst_first(result):
        name = f"{artifact.path} ({artifact.format})"
        case = _element("testcase", classname="deploy-audit.artifacts", name=name, time="0")
        if artifact.verdict != "safe":
            case.append(_element("skipped", message=f"{artifact.verdict}: its findings say why"))
        cases["artifacts"].append(case)

    suites = [_suite(name, cases[name]) for name in sorted(cases)]
    root = _element("testsuites", name="deploy-audit")
    for key in ("tests", "failures", "errors", "skipped"):
        if key != "skipped":  # the root element has no such attribute
            root.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    root.extend(suites)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, "unicode") + "\n"


def _case(finding: Finding) -> Xml.Element:
    at = finding.at
    case = _element(
        "testcase",
        classname=f"deploy-audit.{finding.category}",
        name=f"{finding.rule} {finding.name} {at}",
        time="0",
    )
    if finding.suppressed is not None:
        why = f": {finding.suppressed.reason}" if finding.suppressed.reason else ""
        case.append(_element("skipped", message=f"accepted risk ({finding.suppressed.by}){why}"))
        return case
    failure = _element("failure", message=finding.message, type=finding.severity.label)
    text = [f"{at}: {finding.message}"]
    text += [f"{related.at}: {related.message}" for related in finding.related]
    text += [f"help: {finding.help}"] if finding.help else []
    failure.text = xml("\n".join(text))
    case.append(failure)
    return case


def _suite(name: str, cases: list[Xml.Element]) -> Xml.Element:
    suite = _element(
        "testsuite",
        name=f"deploy-audit {name}",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors="0",
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time="0",
    )
    suite.extend(cases)
    return suite


def _element(tag: str, **attributes: str) -> Xml.Element:
    return Xml.Element(tag, {key: one_line(value) for key, value in attributes.items()})
