"""Makefiles: what a target runs, and what is not said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditor.parsers import makefile
from auditor.source import SourceText

TEXT = """\
PIP ?= pip
ARGS := install -r
ARGS += requirements.txt

.PHONY: all install
all: install | tools
\t@echo "all of $$HOME"
install: pre
\t@# nothing
\t-$(PIP) $(ARGS) \\
\t\t--no-cache-dir
pre: ; mkdir -p x
tools:
\t${MAKE} -C tools
"""


def run(text: str, *targets: str, **given: str) -> list[str | None]:
    read = makefile.parse(SourceText("Makefile", text))
    return [f.text if f is not None else None for f in read.commands(targets, given)]


def test_prerequisites_come_first_and_once() -> None:
    assert run(TEXT) == [
        "mkdir -p x",
        "pip install -r requirements.txt --no-cache-dir",
        "make -C tools",
        'echo "all of $HOME"',
    ]
    assert run(TEXT, "install", "pre", PIP="uv pip")[1:] == [
        "uv pip install -r requirements.txt --no-cache-dir"
    ]
    assert run(TEXT, "absent") == []


def test_what_a_function_gives_is_not_said() -> None:
    assert run("a:\n\t$(shell which pip) install x\n\techo $@\n\techo b\n") == [
        None,
        None,
        "echo b",
    ]
    assert run("X = $(X)\na:\n\techo $(X)\n") == [None]


def test_conditionals_and_includes_leave_it_open() -> None:
    assert not makefile.parse(SourceText("Makefile", TEXT)).open
    for line in ("ifeq ($(A),1)", "include other.mk", "define X"):
        assert makefile.parse(SourceText("Makefile", f"{line}\n{TEXT}")).open


def test_a_command_has_its_place() -> None:
    read = makefile.parse(SourceText("Makefile", TEXT))
    (_, found) = list(read.commands(("install",), {}))
    assert found is not None
    assert found.place(0) == (10, 3)


@given(st.text(alphabet="ab:=$(){}\t\n\\;#@- .", max_size=80))
def test_any_text_is_read(text: str) -> None:
    list(makefile.parse(SourceText("Makefile", text)).commands((), {}))
