import pickle
import shutil
import subprocess
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auditor.parsers.shell import exec_form, parse, parse_file, split
from auditor.parsers.shell.tracing import join_path, trace
from auditor.source import Fragment, SourceText, Unknown
from auditor.values import replace


def script(text):
    return parse(Fragment("Dockerfile", [(text, 1, 1)]))


def steps(text, env=None, args=None, cwd="/app"):
    return list(trace(script(text), env=env, args=args, cwd=cwd))


def values(text, env=None, args=None):
    return [[arg.value for arg in step.argv] for step in steps(text, env, args)]


def test_words_and_quotes():
    assert values("""echo 'a b' "c \\"d\\" $X" e\\ f $'g\\n' "" h""", {"X": "1"}) == [
        ["echo", "a b", 'c "d" 1', "e f", "g\n", "", "h"]
    ]


def test_unset_variable_is_unknown_and_default_applies():
    ((_, unset, default, nested),) = values("x $PORT ${PORT:-80} ${A:-${B:-c}}")
    assert isinstance(unset, Unknown)
    assert (default, nested) == ("80", "c")


def test_operators():
    env = {"E": "", "S": "v"}
    assert values('x ${E:-d} "${E-d}" ${S:+y} ${N:+y} ${N+y}z ${#S}', env) == [
        ["x", "d", "", "y", "z", "1"]
    ]


def test_unquoted_values_split_and_quoted_do_not():
    assert values('x $A "$A" $B', {"A": " 1  2 ", "B": ""}) == [["x", "1", "2", " 1  2 "]]


def test_positional_parameters():
    assert values('exec "$@" $1 "$*" $#', args=("a b", "c")) == [
        ["a b", "c", "a", "b", "a b c", "2"]
    ]


def test_partly_known_word_keeps_its_pieces():
    (step,) = steps("x 0.0.0.0:$PORT")
    assert isinstance(step.argv[1].value, Unknown)
    assert step.argv[1].pieces[0] == "0.0.0.0:"


def test_assign_default_lasts():
    assert values(": ${PORT:=9}; x $PORT")[1] == ["x", "9"]


def test_assignments_and_branches():
    found = values("A=1; B=$A$A; x $B; if y; then A=2; fi; x $A $B")
    assert found[2] == ["x", "11"]
    assert isinstance(found[-1][1], Unknown) and found[-1][2] == "11"


def test_subshell_forgets():
    found = steps("(cd /tmp && A=1; x); y $A")
    assert [s.cwd for s in found if s.argv and s.argv[0].value in "xy"] == ["/tmp", "/app"]
    assert isinstance(found[-1].argv[1].value, Unknown)


def test_directories():
    found = {s.argv[0].value: s.cwd for s in steps('cd sub && a; cd .. ; b; cd "$(pwd)"; c')}
    assert found["a"] == "/app/sub" and found["b"] == "/app" and isinstance(found["c"], Unknown)


def test_set_and_shift_and_functions():
    assert values('set -- gunicorn "$@"; shift; f x; f() { run "$1" $2; }; f a b', args=("q",))[
        -1
    ] == ["run", "a", "b"]
    assert values('set -- gunicorn "$@"; exec "$@"', args=("q",))[-1] == ["gunicorn", "q"]


def test_structure():
    commands = script("set -e; a && b || c | d & if t; then e; else f; fi; ! g").commands
    by = {c.name: c for c in commands}
    assert by["b"].connector == "&&" and by["c"].connector == "||" and by["c"].conditional
    assert by["d"].pipeline == (1, 2) and by["d"].background and by["a"].background
    assert by["e"].conditional and by["f"].conditional and not by["t"].conditional
    assert by["g"].negated and by["a"].errexit and not by["set"].substitution


def test_redirections_and_heredoc():
    (command,) = script("cat <<EOF > /etc/x 2>&1\nport=$P\nEOF\n").commands
    assert [(r.operator, r.target.raw, r.fd) for r in command.redirects] == [
        (">", "/etc/x", None),
        (">&", "1", 2),
        ("<<", "EOF", None),
    ] or {r.operator for r in command.redirects} == {">", ">&", "<<"}
    assert next(r.body for r in command.redirects if r.operator == "<<").strip() == "port=$P"


def test_command_substitution_is_listed_and_unknown():
    found = steps('x "$(nproc --all)"')
    assert found[0].command.substitution and found[0].argv[0].value == "nproc"
    assert isinstance(found[1].argv[1].value, Unknown)


def test_nested_shell_has_exact_places():
    text = 'bash -lc "cd /x && exec uvicorn \\"a:b\\" --port $P"'
    (command,) = script(text).commands
    inner = command.words[2].script.commands[1]
    assert [w.literal for w in inner.words[:3]] == ["exec", "uvicorn", "a:b"]
    at = inner.words[1].at
    assert text[at.column - 1 : at.end_column - 1] == "uvicorn"


def test_fragment_over_lines():
    fragment = Fragment("Dockerfile", [("apt-get update ", 3, 5), ("&& apt-get install x", 4, 3)])
    assert [(c.at.line, c.at.column) for c in parse(fragment).commands] == [(3, 5), (4, 6)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('exec "$@"', [(True, False, True)]),
        ("exec uvicorn a:b", [(True, False, False)]),
        ("uvicorn a:b", [(False, False, False)]),
        ("migrate; uvicorn a:b", [(False, False, False)]),
        ('if x; then exec a; else exec "$@"; fi', [(True, True, False), (True, True, True)]),
        ('case "$1" in a) exec b;; esac; exec "$@"', [(True, True, False), (True, False, True)]),
        ('main() { exec "$@"; }; main "$@"', [(True, False, True)]),
        ("uvicorn a:b || true", [(False, False, False)]),
        ("(exec a)", [(False, False, False)]),
    ],
)
def test_finals(text, expected):
    found = script(text).finals
    assert [(f.replaces_shell, f.conditional, f.passes_arguments) for f in found] == expected


def test_background_and_wait():
    (final,) = script("a & b & wait -n").finals
    assert final.waits and [c.name for c in final.background] == ["a", "b"]
    (final,) = script("a &\nb &\n").finals
    assert final.detached


def test_script_file_facts():
    source = SourceText("run.sh", '#!/usr/bin/env -S bash -e\r\nexport A=1\r\nexec "$@"\r\n')
    found = parse_file(source)
    assert found.has_crlf and found.interpreter.path == "bash" and found.interpreter.via_env
    assert found.errexit and not found.problems
    assert found.commands[-1].at.line == 3 and found.commands[0].assignments[0].export


def test_exec_form_and_split():
    found = exec_form(
        "D", [Fragment("D", [(t, 1, c)]) for t, c in [("sh", 2), ("-c", 8), ("a $B", 14)]]
    )
    assert found.finals[0].replaces_shell and found.exec_form
    assert found.commands[0].words[2].script.commands[0].words[1].at.column == 16
    assert [
        w.literal for w in split(Fragment("s", [("a 'b c' && d", 1, 1)])).commands[0].words
    ] == [
        "a",
        "b c",
        "&&",
        "d",
    ]


def test_problems_are_told():
    for text in ('echo "x', "if a; then b", "a && && b"):
        assert script(text).problems
    assert not script("a && b").problems


@pytest.mark.parametrize(
    "text",
    [
        "(" * 9000,
        "$(" * 9000,
        ")" * 20000,
        "${" * 9000,
        "a | " * 9000 + "b",
        "a " * 50000,
        "é$(ü " * 4000,
    ],
)
def test_hostile_text_is_bounded(text):
    start = time.process_time()
    found = script(text)
    list(trace(found))
    assert time.process_time() - start < 8


def test_expansion_bomb_is_bounded():
    text = "A=xxxxxxxxxx;" + "A=$A$A$A$A$A$A$A$A;" * 30 + "echo $A"
    assert isinstance(values(text)[-1][1], Unknown)


def test_join_path():
    assert join_path("/a/b", "../c") == "/a/c" and join_path(Unknown("x"), "/d") == "/d"
    assert isinstance(join_path(Unknown("x"), "d"), Unknown)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab$\"'`\\ \n;&|(){}<>=!#*~[]é\0-@:1", max_size=60))
@example("$\\\n")
def test_never_raises_and_spans_point_at_the_text(text):
    found = script(text)
    lines = text.split("\n")
    for command in found.commands:
        for word in command.words:
            at = word.at
            if at.line == at.end_line:
                assert lines[at.line - 1][at.column - 1 : at.end_column - 1] == word.raw
    list(trace(found, env={"a": "b c"}, args=("x",)))
    assert pickle.loads(pickle.dumps(found)) == found
    hash(found)


_PIECES = st.one_of(
    st.text(alphabet="abc,./:-", min_size=1, max_size=4).filter(lambda t: not t.startswith("~")),
    st.text(alphabet="ab $\\*", max_size=4).map(lambda t: f"'{t}'"),
    st.text(alphabet="ab *'", max_size=4).map(lambda t: f'"{t}"'),
    st.sampled_from(
        [
            "${A}",
            '"${A}"',
            "${B}",
            '"${B}x"',
            "${N:-d e}",
            '"${N:-d e}"',
            "${E:-f}",
            "${E-f}",
            "${A:+g}",
            "x\\ y",
            "\\$",
            '"\\$A\\\\"',
            '"$@"',
            "$1",
            '"$*"',
            "${#B}",
            "$'t\\tq'",
            '"${A}$B"',
            "$@",
        ]
    ),
)
_WORDS = st.lists(st.lists(_PIECES, min_size=1, max_size=3).map("".join), min_size=1, max_size=4)


@pytest.mark.oracle
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@settings(max_examples=60, deadline=None)
@given(_WORDS)
def test_words_expand_as_in_bash(words):
    env = {"A": "one two", "B": "b", "E": ""}
    args = ("p q", "r")
    text = f"printf '%s\\0' X {' '.join(words)}"
    (ours,) = values(text, env, args)
    done = subprocess.run(
        ["bash", "-f", "-c", text, "bash", *args],
        env=env,
        capture_output=True,
        check=True,
        timeout=10,
    )
    assert ours[2:] == done.stdout.decode().split("\0")[:-1]


def test_a_redirection_after_a_list_is_for_its_last_command():
    told = [
        (command.words[0].raw, [r.operator for r in command.redirects])
        for command in script("a > f && b >> g | c > h; (d && e) > k").commands
    ]
    assert told == [("a", [">"]), ("b", [">>"]), ("c", [">"]), ("d", [">"]), ("e", [">"])]


def test_a_here_document_after_a_list_is_for_its_last_command():
    first, second = script("cd /x && cat > f <<EOF\nhi\nEOF\n").commands
    assert first.redirects == ()
    assert [r.body for r in second.redirects if r.operator == "<<"] == ["hi\n"]


def test_elements_of_arrays_are_words():
    text = (
        'A=(--bind "0.0.0.0:80 $X")\nA+=(-w 1)\nrun "${A[@]}" $A "${A[*]}"\nB=()\nrun "${B[@]}" end'
    )
    first, second = [step.argv for step in steps(text, {"X": "y"}) if step.argv]
    assert [arg.value for arg in first] == [
        *("run", "--bind", "0.0.0.0:80 y", "-w", "1", "--bind"),
        "--bind 0.0.0.0:80 y -w 1",
    ]
    assert [arg.value for arg in second] == ["run", "end"]


@pytest.mark.parametrize("array", ["A=(*.py)", "A=([2]=b)", 'A=("$(ls)")', "A=(x)\nA[1]=y"])
def test_arrays_that_are_not_known(array):
    *_, argv = [step.argv for step in steps(f'{array}\nrun "${{A[@]}}"') if step.argv]
    assert isinstance(argv[1].value, Unknown)


@pytest.mark.parametrize(
    "folder",
    [
        '"$(dirname "$0")"',
        "$(dirname $0)",
        "`dirname $0`",
        '"$(cd "$(dirname "${BASH_SOURCE[0]}")" >/dev/null 2>&1 && pwd -P)"',
        '"$(dirname "$(readlink -f "$0")")"',
    ],
)
def test_the_directory_of_the_script_itself(folder):
    made = replace(script(f"cd {folder}/..\nserve"), called="/app/bin/run.sh")
    assert [step.cwd for step in trace(made, cwd="/") if step.argv[0].text == "serve"] == ["/app"]
    assert isinstance(steps(f"cd {folder}/..\nserve")[-1].cwd, Unknown)
