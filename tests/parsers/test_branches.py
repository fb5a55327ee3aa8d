"""Branches that arguments and variables decide, against the shell itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers.shell import parse
from auditor.parsers.shell.tracing import trace
from auditor.source import Fragment

WORDS = ["serve", "train", "s", "", "-w", "10", "9"]


def walked(text: str, args: list[str] | None, env: dict[str, str]) -> list[tuple[str, bool]]:
    """(what each ``echo`` would print, whether it is certain)."""
    script = parse(Fragment("run.sh", [(text, 1, 1)]))
    return [
        (" ".join(a.text for a in step.argv[1:]), not step.conditional)
        for step in trace(script, env=env, args=args)
        if step.argv and step.argv[0].text == "echo"
    ]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ('case "$1" in serve|run) echo a ;; *) echo b ;; esac', ["a"]),
        ('case "$1" in s*) echo a ;; serve) echo b ;; esac', ["a"]),
        ('case "$2" in serve) echo a ;; esac\necho z', ["z"]),
        ('if [ "$1" = train ]; then echo a; elif [ -n "$X" ]; then echo b; else echo c; fi', ["b"]),
        ('if [ ! -z "$X" ]; then echo a; fi', ["a"]),
        ('if ! [ "$1" = serve ]; then echo a; else echo b; fi', ["b"]),
        ('if [ "$#" -gt 1 ]; then echo a; else echo b; fi', ["b"]),
        ('[ "$1" = serve ] && echo a', ["a"]),
        ('[ "$1" = serve ] || echo a', []),
        ('[ "$1" = train ] && echo a || echo b', ["b"]),
        ('if [ "${1#-}" != "$1" ]; then set -- gunicorn "$@"; fi\necho "$@"', ["serve"]),
        ('if [ "${1:0:1}" = s ]; then set -- gunicorn "$@"; fi\necho "$@"', ["gunicorn serve"]),
        ('if [[ "$1" == se* ]]; then echo a; fi', ["a"]),
        ("if true; then echo a; else echo b; fi\nexit 0\necho c", ["a"]),
        ('f() { if [ "$1" = x ]; then echo a; else echo b; fi; }\nf x', ["a"]),
    ],
)
def test_decided_ways(text: str, printed: list[str]) -> None:
    assert walked(text, ["serve"], {"X": "1"}) == [(word, True) for word in printed]


@pytest.mark.parametrize(
    "text",
    [
        'if [ "$UNSET" = 1 ]; then echo a; else echo b; fi',
        "if grep -q x file; then echo a; else echo b; fi",
        'case "$UNSET" in a) echo a ;; *) echo b ;; esac',
        'if [ "$1" = serve ] && [ -f x ]; then echo a; else echo b; fi',
        'while [ -n "$1" ]; do echo a; done; echo b',
        "if [ $UNSET = 1 ]; then echo a; else echo b; fi",
    ],
)
def test_what_only_the_container_knows_stays_open(text: str) -> None:
    assert [word for word, _ in walked(text, ["serve"], {})] == ["a", "b"]


def test_an_item_that_falls_through_is_not_decided() -> None:
    found = walked('case "$1" in serve) echo a ;& train) echo b ;; esac', ["serve"], {})
    assert [word for word, _ in found] == ["a", "b"]


def test_what_a_branch_that_is_taken_sets_is_known() -> None:
    text = 'if [ "$1" = serve ]; then MODE=on; else MODE=off; fi\necho "$MODE"'
    assert walked(text, ["serve"], {}) == [("on", True)]
    assert walked(text, None, {}) != [("on", True)]


_OPERAND = st.sampled_from(['"$1"', '"$2"', '"$X"', "serve", '""', "10"])
_TEST = st.builds(
    lambda a, o, b: f"[ {a} {o} {b} ]", _OPERAND, st.sampled_from(["=", "!="]), _OPERAND
) | st.builds(lambda o, a: f"[ {o} {a} ]", st.sampled_from(["-z", "-n", "! -n"]), _OPERAND)
_ECHO = st.integers(0, 99).map(lambda n: f"echo m{n}")
_BODY = st.recursive(
    _ECHO,
    lambda inner: st.one_of(
        st.builds(lambda t, a, b: f"if {t}\nthen {a}\nelse {b}\nfi", _TEST, inner, inner),
        st.builds(
            lambda t, u, a, b: f"if {t}\nthen {a}\nelif {u}\nthen {b}\nfi",
            _TEST,
            _TEST,
            inner,
            inner,
        ),
        st.builds(
            lambda w, p, a, b: f"case {w} in\n{p}) {a} ;;\n*) {b} ;;\nesac",
            _OPERAND,
            st.sampled_from(["serve", "s*", "s|train", "?", '""', "1[0-9]"]),
            inner,
            inner,
        ),
        st.builds(lambda t, a: f"{t} && {a}", _TEST, _ECHO),
        st.builds(lambda t, a: f"{t} || {a}", _TEST, _ECHO),
        st.builds(lambda a, b: f"{a}\n{b}", inner, inner),
        st.builds(lambda a: f"{a}\nexit 0", inner),
        st.builds(lambda w: f"set -- {w}", st.sampled_from(["serve", "train s", '"$@" 9'])),
    ),
    max_leaves=8,
)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@settings(max_examples=60, deadline=None)
@given(_BODY, st.lists(st.sampled_from(WORDS), max_size=2), st.sampled_from(WORDS))
def test_the_shell_goes_the_same_way(text: str, args: list[str], value: str) -> None:
    done = subprocess.run(
        [str(shutil.which("bash")), "-c", text, "run.sh", *args],
        env={"X": value, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert walked(text, args, {"X": value}) == [(line, True) for line in done.stdout.splitlines()]
