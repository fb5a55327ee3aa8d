"""The plain reading of a command line and typer's agree wherever the plain one answers."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.cli import declare, typed
from auditor.cli.app import COMMANDS
from auditor.cli.declare import REPORTS, Context, Option
from auditor.errors import ExitStatus

FUNCTIONS = {name: import_module(found.module).command for name, found in COMMANDS.items()}


def by_typer(command, words):
    """What typer hands to the command; None when it refuses the line or prints help."""
    got = []
    try:
        typed.parser_of(command, lambda **given: got.append(given) or 0).main(
            args=list(words), prog_name="x", standalone_mode=False
        )
    except Exception as error:
        assert typed.usage_message(error), error
    return got[0] if got else None


def comparable(given):
    shown = dict(given)
    for name, value in given.items():
        if hasattr(value, "meta"):
            shown[name] = value.meta.get(REPORTS, [])
    return shown


def vocabulary(command):
    names = [n for p in declare.parameters_of(command) for n in p.names]
    values = ["json", "a.sarif", "-", "3", "99", "0", "07", "x y", "ü", "", "--", "-q", "--help"]
    glued = [f"{n}=json" for n in names] + [f"{n}=" for n in names] + [f"{n}5" for n in names]
    return [*names, *names, *names, *values, *values, *glued, "-qv", "-qf", "--colo", "-vv"]


@pytest.mark.parametrize("name", COMMANDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_both_read_the_same(name, data):
    command = FUNCTIONS[name]
    words = data.draw(st.lists(st.sampled_from(vocabulary(command)), max_size=6))
    plain = declare.read(command, words)
    if plain is not None:
        full = by_typer(command, words)
        assert full is not None, words
        assert comparable(plain) == comparable(full)
        assert {k: type(v) for k, v in plain.items() if not isinstance(v, Context)} == {
            k: type(v) for k, v in full.items() if k in plain and not hasattr(v, "meta")
        }


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("audit", ""),
        ("audit", "."),
        ("audit", "--format sarif --output audit.sarif --fail-on high ."),
        ("audit", "-q --select ENV --select=IMG -f json -o - --no-cache repo -v -v"),
        ("scan", "--fail-on dangerous --jobs 4 a.pkl b.pkl"),
        ("scan", "-"),
        ("compat", "m.pkl --python 3.11 -r requirements.txt --source src"),
        ("syslibs", "-r requirements.txt --base python:3.11-slim --format json"),
        ("graph", ". -o graph.mmd"),
        ("rules", "ENV --format json"),
        ("explain", "ENV001"),
    ],
)
def test_what_hooks_and_ci_write_needs_no_typer(name, line):
    words = line.split()
    plain = declare.read(FUNCTIONS[name], words)
    assert plain is not None
    assert comparable(plain) == comparable(by_typer(FUNCTIONS[name], words))


@pytest.mark.parametrize(
    "line",
    ["--help", "-h", "--no-such", "--fail-on", "--fail-on --select", "a b", "--", "-qq", "-j 2"],
)
def test_what_typer_must_look_at(line):
    assert declare.read(FUNCTIONS["audit"], line.split()) is None


def test_a_command_declared_for_typer_is_left_to_it():
    import typer

    def command(path: Path = Path(), deep: bool = typer.Option(False, "--deep")) -> int:
        return 7 if deep else 8

    command.__module__ = __name__
    assert declare.read(command, []) is None
    assert typed.run(command, "audit", ["--deep"]) == 7


def test_every_command_is_declared_here():
    for command in FUNCTIONS.values():
        assert declare.parameters_of(command) is not None


def test_a_number_outside_its_bounds_is_typers_to_refuse(capsys):
    assert declare.read(FUNCTIONS["scan"], ["-j", "65", "x"]) is None
    assert typed.run(FUNCTIONS["scan"], "scan", ["-j", "65", "x"]) == ExitStatus.USAGE
    assert "65" in capsys.readouterr().err


def test_help_tells_every_option(capsys):
    for name, command in FUNCTIONS.items():
        typed.run(command, name, ["--help"])
        shown = capsys.readouterr().out
        for parameter in declare.parameters_of(command):
            if isinstance(parameter.declared, Option):
                assert all(n in shown for n in parameter.names), parameter.name
    assert "typer" in sys.modules
