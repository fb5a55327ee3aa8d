"""Libraries that Python code loads by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.linking import sonames
from auditor.online import loads


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import ctypes.util as u\nu.find_library('magic')", {"magic"}),
        ("lib = CDLL('libpq.so.5')", {"libpq.so.5"}),
        ("ffi.dlopen('libcairo-2.dll' or 'libcairo.so.2')", {"libcairo.so.2"}),
        ("_dlopen(ffi, 'pango-1.0', ('libpango-1.0.so.0',))", {"pango-1.0", "libpango-1.0.so.0"}),
        ("for n in ['a.dll', 'zbar']:\n  find_library(n)", {"zbar"}),
        ("find_library('c'); CDLL(None); CDLL('libc.so.6'); CDLL(name)", set()),
        ("print('libpq.so.5')", set()),
        ("find_library('x' if", set()),
        ("find_library('/opt/lib/x.so')", set()),
    ],
)
def test_names_in_loader_calls(source: str, found: set[str]) -> None:
    assert loads.asked(source).libraries == found


@given(st.text(alphabet="find_lbray(CDL)'\"\\\n\t .so1,[]", max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert isinstance(loads.asked(text + "find_library(").libraries, frozenset)


def test_a_name_without_a_version_is_every_version() -> None:
    release = sonames.release("bookworm")
    assert release.versions_of("magic") == ("libmagic.so.1",)
    assert release.versions_of("libmagic.so.1") == ("libmagic.so.1",)
    assert release.versions_of("libmagic.so.9") == release.versions_of("no-such-thing") == ()


def test_names_that_are_tried_in_turn_are_one_library() -> None:
    """What loads three libraries under eight names is no windowing toolkit."""
    from auditor.online.needs import as_needs

    names = ["glib", "glib-2.0", "gobject", "gobject-2.0", "pango", "pango-1", "pango-1.0", "lib"]
    facts = {
        "elf": {}, "libraries": names, "early": names, "programs": [], "jars": False,
        "summary": "Bindings", "compiled": False,
    }  # fmt: skip
    found = {need.names[0]: need.when for need in as_needs("bindings", facts) if not need.hint}
    assert found == dict.fromkeys(
        ("libglib-2.0.so.0", "libgobject-2.0.so.0", "libpango-1.0.so.0"), "import"
    )
    many = ["X11", "Xext", "Xi", "Xrandr"]
    facts = {**facts, "libraries": many, "early": many}
    assert all(need.hint for need in as_needs("bindings", facts))


def test_a_library_whose_name_is_not_written() -> None:
    source = "from ctypes.util import find_library\ndef load(name):\n    return find_library({})\n"
    assert loads.asked(source.format("style.format(name)")).blind
    assert not loads.asked(source.format("'openal'")).blind
