"""Patterns that wait for their first use: the same answers, and every one of them is sound."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import auditor
from auditor import lazy_re

PACKAGE = Path(auditor.__file__).parent


def waiting(module):
    """(name, pattern) of the module's patterns, those in its tables included."""
    for name, value in vars(module).items():
        items = value if isinstance(value, list | tuple | set | frozenset) else [value]
        if isinstance(value, dict):
            items = [*value, *value.values()]
        yield from ((name, item) for item in items if isinstance(item, lazy_re.Waiting))


def test_every_pattern_compiles():
    found = 0
    for info in pkgutil.walk_packages([str(PACKAGE)], "auditor."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, pattern in waiting(module):
            assert pattern.groups >= 0, f"{info.name}.{name}"
            found += 1
    assert found > 80


def test_no_module_compiles_patterns_at_import():
    for path in PACKAGE.rglob("*.py"):
        if path.name == "lazy_re.py":
            continue
        assert not re.search(r"^(import re$|from re import)", path.read_text(), re.M), (
            f"{path.relative_to(PACKAGE)}: write `from auditor import lazy_re as re`"
        )


def test_a_pattern_waits_and_then_answers_like_a_pattern(monkeypatch):
    compiled = []
    genuine = re.compile

    def spy(pattern, flags=0):
        compiled.append(pattern)
        return genuine(pattern, flags)

    monkeypatch.setattr(lazy_re.re, "compile", spy)
    pattern = lazy_re.compile(r"(?P<word>[a-z]+)(\d*)", lazy_re.I)
    assert compiled == []
    assert pattern.pattern == r"(?P<word>[a-z]+)(\d*)"
    assert compiled == []
    match = pattern.fullmatch("AB12")
    assert match and match["word"] == "AB" and match[2] == "12"
    assert pattern.sub("-", "a1 b2") == "- -"
    assert pattern.findall("a1 b2") == [("a", "1"), ("b", "2")]
    assert [m.start() for m in pattern.finditer("a1 b2")] == [0, 3]
    assert pattern.split("1a2") == ["1", "a", "2", ""]
    assert dict(pattern.groupindex) == {"word": 1} and pattern.groups == 2
    assert len(compiled) <= 3
    before = len(compiled)
    assert pattern.match("z") and pattern.search("1z") and len(compiled) == before


def test_bytes_and_mistakes():
    assert lazy_re.compile(rb"a+").match(b"aab").group() == b"aa"
    broken = lazy_re.compile("(")
    with pytest.raises(lazy_re.error):
        broken.match("x")
    with pytest.raises(AttributeError):
        _ = lazy_re.compile("x").no_such_method
