"""What loading would execute is shown, bounded, and agrees with the verdict."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from auditor.artifacts.evidence import Explainer, decompile
from auditor.artifacts.facts import ArtifactFacts
from auditor.artifacts.scan import scan_bytes
from tests.artifacts.streams import short, stream, text


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("id \x1b[31m <b>`x`",))


def executes(facts: ArtifactFacts) -> str:
    return "\n".join(dict(issue.evidence).get("executes", "") for issue in facts.issues)


def explained(data: bytes, **options: Any) -> ArtifactFacts:
    (facts,) = scan_bytes(data, "m.pkl")
    return Explainer(verdicts=("dangerous", "suspicious"), **options).explain(facts)


def test_the_lines_are_those_that_matter() -> None:
    lines = executes(explained(pickle.dumps([*range(40), Evil(), {"a": 1}], 4))).splitlines()
    assert any("import system" in line for line in lines)
    assert any("system('id" in line for line in lines)
    assert len(lines) <= 8


def test_of_a_second_stream_too() -> None:
    data = pickle.dumps([1]) + pickle.dumps(Evil())
    assert "system('id" in executes(explained(data))


def test_without_fickling_our_own_chain_is_shown() -> None:
    # The payload runs, then the stream breaks: fickling reads nothing of it.
    data = stream(b"cos\nsystem\n" + text("id") + b"\x85R\xff")
    assert decompile(data) is None
    assert "system('id')" in executes(explained(data))
    assert "system('id" in executes(explained(pickle.dumps(Evil()), artifacts=0))
    assert "system('id" in executes(explained(pickle.dumps(Evil()), seconds=0))


def test_what_is_safe_is_left_alone() -> None:
    facts = explained(pickle.dumps({"a": [1, 2]}))
    assert facts.verdict == "safe" and not executes(facts)


def test_a_stream_that_is_too_long_is_not_decompiled() -> None:
    assert decompile(b"\x80\x04" + b"N0" * 200_000 + b"N.") is None


@pytest.mark.parametrize("format", ["console", "json", "sarif", "markdown", "html"])
def test_every_report_shows_it_escaped(
    format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.__main__ import main

    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Evil()))
    assert main(["scan", str(path), "--format", format]) == 1
    shown = capsys.readouterr().out
    assert "system(" in shown
    assert "\x1b" not in shown
    if format == "html":
        assert "<b>`x`" not in shown
    if format == "json":
        evidence = [f["evidence"] for f in json.loads(shown)["findings"]]
        assert any("executes" in e and "offset" in e for e in evidence)


# (what, pickle, ours, whether fickling calls it at most "likely safe", why they differ)
CASES: list[tuple[str, bytes, str, bool, str]] = [
    ("plain data", pickle.dumps([1, {"a": "b"}], 4), "safe", True, ""),
    ("a command", pickle.dumps(Evil(), 4), "dangerous", False, ""),
    (
        "a constructor of a numerical library",
        stream(short("numpy") + short("dtype") + b"\x93" + short("f8") + b"\x89\x88\x87R"),
        "safe",
        False,
        "fickling trusts no import from outside the standard library",
    ),
    (
        "a class of the project",
        stream(short("project.models") + short("Net") + b"\x93)\x81"),
        "suspicious",
        False,
        "neither can know what it does",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_where_fickling_judges_otherwise(case: tuple[str, bytes, str, bool, str]) -> None:
    import io

    from fickling.analysis import Severity, check_safety
    from fickling.fickle import Pickled

    what, data, ours, trusted, why = case
    (facts,) = scan_bytes(data, "m.pkl")
    assert facts.verdict == ours, what
    severity = check_safety(Pickled.load(io.BytesIO(data))).severity
    assert (severity <= Severity.LIKELY_SAFE) is trusted, (what, severity)
    assert bool(why) or (ours == "safe") is trusted
