"""Shapes of project classes against real pickles, with the real unpickler as the judge."""

from __future__ import annotations

import pickle
import sys
import types

import pytest

from auditor.artifacts.scan import scan_bytes
from auditor.linking.compatibility import Runtime, link
from auditor.linking.distributions import close
from auditor.linking.projects import project_module

HEAD = "import collections, enum\nfrom typing import NamedTuple\n"
OLD_ENUM = "class Tier(enum.Enum):\n    LOW = 1\n    GOLD = 'gold'\nvalue = Tier.GOLD\n"
OLD_TUPLE = "Pair = collections.namedtuple('Pair', 'a b')\nvalue = Pair(1, 2)\n"
OLD_SLOTS = (
    "class Rule:\n    __slots__ = ('base', 'factor')\n"
    "value = Rule()\nvalue.base = 1\nvalue.factor = 2\n"
)


def module(text: str) -> types.ModuleType:
    made = types.ModuleType("shopcode")
    exec(HEAD + text, made.__dict__)
    return made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD_ENUM, OLD_ENUM),
        (OLD_ENUM, "class Tier(enum.Enum):\n    LOW = 1\n    SILVER = 'silver'\n"),
        (OLD_ENUM, "class Tier(enum.Enum):\n    GOLD = 'gold'\n"),
        (OLD_ENUM, "class Tier(str, enum.Enum):\n    GOLD = 'gold'\n"),
        (
            OLD_ENUM,
            "class Tier(enum.Enum):\n    A = 1\n    @classmethod\n"
            "    def _missing_(cls, value):\n        return cls.A\n",
        ),
        (
            "class Tier(enum.Enum):\n    A = enum.auto()\n    B = enum.auto()\nvalue = Tier.B\n",
            "class Tier(enum.Enum):\n    A = enum.auto()\n",
        ),
        (
            "class Bits(enum.IntFlag):\n    R = 1\n    W = 2\nvalue = Bits.R | Bits.W\n",
            "class Bits(enum.IntFlag):\n    R = 1\n",
        ),
        (OLD_TUPLE, OLD_TUPLE),
        (OLD_TUPLE, "Pair = collections.namedtuple('Pair', 'a b c')\n"),
        (OLD_TUPLE, "Pair = collections.namedtuple('Pair', ['a', 'b', 'c'], defaults=(0,))\n"),
        (OLD_TUPLE, "Pair = collections.namedtuple('Pair', 'a')\n"),
        (OLD_TUPLE, "class Pair(NamedTuple):\n    a: int\n    b: int = 0\n    c: int = 0\n"),
        (OLD_TUPLE, "class Pair(NamedTuple):\n    a: int\n    b: int\n    c: int\n"),
        (OLD_SLOTS, OLD_SLOTS),
        (OLD_SLOTS, "class Rule:\n    __slots__ = ('base',)\n"),
        (OLD_SLOTS, "class Rule:\n    pass\n"),
        (OLD_SLOTS, "class Base: ...\nclass Rule(Base):\n    __slots__ = ('base',)\n"),
        ("class C: ...\nvalue = C()\nvalue.x = 1\n", "def C(): ...\n"),
    ],
)
def test_agrees_with_the_unpickler(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    before = module(old)
    monkeypatch.setitem(sys.modules, "shopcode", before)
    data = pickle.dumps(before.value, protocol=4)
    monkeypatch.setitem(sys.modules, "shopcode", module(new))
    try:
        pickle.loads(data)
        truth = "loads"
    except Exception:
        truth = "fails"
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    runtime = Runtime(
        python=python,
        installed=close([], python=python, closed=True),
        project={"shopcode": project_module(HEAD + new)},
    )
    said = link(scan_bytes(data, "model.pkl")[0], runtime)
    assert said.outcome == truth
    if truth == "fails":
        assert said.first is not None
        assert said.first.rule == "CMP008"
        assert said.first.error


def test_a_name_that_two_branches_bind_has_no_shape() -> None:
    found = project_module("if x:\n    class A: ...\nelse:\n    A = namedtuple('A', 'b')\n")
    assert found.names == {"A"}
    assert not found.shapes
