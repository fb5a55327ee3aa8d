"""Shapes of project classes against real pickles, with the real unpickler as the judge."""

from __future__ import annotations

import pickle
import sys
import types

import pytest
from test_compatibility import Stream, judged, runtime

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


NESTED = """
import dataclasses
from enum import StrEnum

class Depot:
    class Door:
        pass

class Money:
    def __init__(self, amount, unit, note=""):
        self.amount = amount

class Open(Base):
    pass
"""


@pytest.mark.parametrize(
    ("outer", "name", "outcome"),
    [("Depot", "Door", "loads"), ("Depot", "Gate", "fails"), ("Open", "Gate", "loads")],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_inner_classes(outer: str, name: str, outcome: str, protocol: int) -> None:
    project = {"shop": project_module(NESTED)}
    if protocol == 4:
        stream = Stream(4).value("shop").value(f"{outer}.{name}").raw(b"\x93")
    else:
        stream = Stream(2).name("builtins", "getattr").name("shop", outer).value(name).raw(b"\x86R")
    result = judged(stream.bytes(), runtime({}, project=project))
    assert result.outcome == outcome
    if outcome == "fails":
        assert "has no attribute" in result.reasons[0].error


@pytest.mark.parametrize(
    ("count", "outcome"), [(1, "fails"), (2, "loads"), (3, "loads"), (4, "fails")]
)
def test_constructors_take_other_arguments_now(count: int, outcome: str) -> None:
    stream = Stream().name("shop", "Money").value(tuple(range(count))).raw(b"R")
    result = judged(stream.bytes(), runtime({}, project={"shop": project_module(NESTED)}))
    assert result.outcome == outcome


@pytest.mark.parametrize(("python", "outcome"), [("3.10", "fails"), ("3.11", "loads")])
def test_a_module_that_this_python_cannot_import(python: str, outcome: str) -> None:
    project = {
        "shop": project_module(NESTED),
        "till": project_module("import shop\nclass T: pass\n"),
    }
    stream = Stream().name("till", "T")
    result = judged(stream.bytes(), runtime({}, python=python, project=project))
    assert result.outcome == outcome
    if outcome == "fails":
        assert "shop imports enum.StrEnum" in result.reasons[0].message


def test_an_import_that_is_guarded_or_provided_is_not_held_against_it() -> None:
    guarded = project_module(
        "try:\n    import tomllib\nexcept ImportError:\n    tomllib = None\nA = 1\n"
    )
    stream = Stream().name("shop", "A")
    assert (
        judged(stream.bytes(), runtime({}, python="3.8", project={"shop": guarded})).outcome
        == "loads"
    )
    plain = project_module("import dataclasses\nA = 1\n")
    backport = runtime({"dataclasses": "0.8"}, python="3.6", project={"shop": plain})
    assert judged(stream.bytes(), backport).outcome == "loads"
    without = runtime({}, python="3.6", project={"shop": plain})
    assert judged(stream.bytes(), without).outcome == "fails"


CLIP = """
try:
    from sklearn.base import BaseEstimator
except ImportError:
    pass
else:

    class Clip(BaseEstimator):
        def __init__(self, low=0.0):
            self.low = low

        def fit(self, x, y=None):
            self.{name} = x.max()
            return self

        def transform(self, x):
            return x.clip(self.low, self.{name})
"""


@pytest.mark.parametrize(("name", "outcome"), [("top_", "loads"), ("high_", "fails")])
def test_what_predicting_reads_came_along(name: str, outcome: str) -> None:
    project = {"shop": project_module(CLIP.replace("{name}", name))}
    data = b"\x80\x04cshop\nClip\n)\x81}(\x8c\x03lowK\x01\x8c\x04top_K\x02ub."
    result = link(
        scan_bytes(data, "model.pkl")[0],
        Runtime(python="3.11", installed=close([], python="3.11", closed=True), project=project),
        loader="pickle",
    )
    assert result.outcome == outcome
    if outcome == "fails":
        assert result.reasons[0].effect == "predict"


@pytest.mark.parametrize(
    "body",
    [
        "def fit(self, x):\n        self.a = 1\n    def predict(self, x):\n        if x: return 0\n"
        "        return self.a",
        "def fit(self, x):\n        self.a = 1\n    def predict(self, x):\n        self.a = 2\n"
        "        return self.a",
        "a = 0\n    def fit(self, x):\n        self.a = 1\n    def predict(self, x):\n        return self.a",
        "def __getattr__(self, n): return 1\n    def fit(self, x):\n        self.a = 1\n"
        "    def predict(self, x):\n        return self.a",
        "def predict(self, x):\n        return self.a",
    ],
)
def test_what_predicting_may_do_without(body: str) -> None:
    shape = project_module(f"class Model:\n    {body}\n").shapes["Model"]
    assert not shape.reads
