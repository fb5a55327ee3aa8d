"""``.env`` files and interpolation, by the documented cases and by properties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers.dotenv import HOLE, interpolate, parse
from auditor.source import SourceText, Unknown

ENV: dict[str, str | Unknown | None] = {"SET": "v", "EMPTY": "", "OTHER": Unknown("host")}


def values(text: str, **outer: str) -> dict[str, str | Unknown | None]:
    return parse(SourceText(".env", text), lookup=outer.get).values()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$SET", "v"),
        ("${SET}x$SET", "vxv"),
        ("a$$b$${SET}", "a$b${SET}"),
        ("${NO:-d}", "d"),
        ("${NO-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${SET:-d}", "v"),
        ("${SET:+a}", "a"),
        ("${NO:+a}", ""),
        ("${EMPTY:+a}", ""),
        ("${EMPTY+a}", "a"),
        ("${NO:-${ALSO:-${SET}}}", "v"),
        ("${NO:-a}b}", "ab}"),
        ("${PORT:-7000:7000}", "7000:7000"),
        ("${NO:?must}", HOLE),
        ("${SET:?must}", "v"),
        ("${NO}", HOLE),
        ("${EMPTY}", ""),
        ("x-${NO}-y", f"x-{HOLE}-y"),
        ("${OTHER}", HOLE),
        ("${OTHER:-d}", HOLE),
    ],
)
def test_interpolation(text: str, expected: str) -> None:
    result = interpolate(text, ENV.get)
    assert (result.text, result.error) == (expected, None)


def test_what_is_used_is_told() -> None:
    result = interpolate("${A:-1} ${B:?say} ${SET} $C ${D:-${E}}", ENV.get)
    told = [(u.name, u.source, u.default, u.error, u.start) for u in result.uses]
    assert told == [
        ("A", "default", "1", None, 0),
        ("B", "required", None, "say", 8),
        ("SET", "env-file", None, None, 18),
        ("C", "unset", None, None, 25),
        ("E", "unset", None, None, -1),
        ("D", "default", "", None, 28),
    ]
    assert result.blank == "1  v  "


@pytest.mark.parametrize(
    "text", ["$", "a $(x)", "${", "${}", "${1}", "${A!}", "$1", "${A:-", "${" * 50]
)
def test_bad_syntax_leaves_the_text(text: str) -> None:
    result = interpolate(text, ENV.get)
    assert result.error and result.text == text


def test_deep_nesting_ends() -> None:
    assert interpolate("${A:-" * 5000 + "}" * 5000, ENV.get).error


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="${}:-?+AB x\0", max_size=40))
def test_interpolation_never_raises(text: str) -> None:
    interpolate(text, ENV.get)


def test_a_dotenv_file() -> None:
    text = (
        "# comment\n\nA=1\nexport B = two words # c\nC='$A #x'\nD=\"a\\n$A\"\nE=a#b\nF=\n"
        'G: colon\nH=${A}-${NO:-d}\nI=\'one\ntwo\'\nJ="x\\"y"\nBARE\nK=$NO\n'
    )
    assert values(text) == {
        "A": "1",
        "B": "two words",
        "C": "$A #x",
        "D": "a\n1",
        "E": "a#b",
        "F": "",
        "G": "colon",
        "H": "1-d",
        "I": "one\ntwo",
        "J": 'x"y',
        "BARE": None,
        "K": "",
    }


def test_outer_variables_come_first() -> None:
    assert values("A=1\nB=$A\nBARE\n", A="9", BARE="b") == {"A": "1", "B": "9", "BARE": "b"}


def test_places_and_problems() -> None:
    source = SourceText("e/.env", "A=1\r\n  B = 'x y' # c\r\nno equals\r\nC='open\r\n")
    facts = parse(source)
    at = facts.variables[1].value_at
    assert source.line_at(at.line)[at.column - 1 : at.end_column - 1] == "'x y'"
    assert (facts.variables[1].at.line, facts.variables[1].at.column) == (2, 3)
    assert [problem.at.line for problem in facts.problems] == [3, 4]
    assert isinstance(facts.values()["C"], Unknown)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="AB=:'\"\\$# \n\t{}é\0", max_size=60))
def test_it_never_raises(text: str) -> None:
    source = SourceText(".env", text)
    for variable in parse(source).variables:
        assert source.line_at(variable.at.line)[variable.at.column - 1 :].startswith(variable.name)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_]{1,6}", fullmatch=True), st.text(alphabet='ab #="$\n', max_size=8)
    )
)
def test_single_quotes_round_trip(given_values: dict[str, str]) -> None:
    text = "".join(f"{name}='{value}'\n" for name, value in given_values.items())
    assert values(text) == given_values
