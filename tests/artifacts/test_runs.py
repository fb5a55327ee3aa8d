"""Runs of repeating data are skipped, and nothing else changes by that."""

import argparse
import collections
import datetime
import decimal
import os
import pickle
import random
import re
import struct
import sys
import types
import uuid
from collections.abc import Callable
from typing import TypeAlias

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import Limits
from auditor.artifacts.pickle import judge, machine, runs, values
from auditor.artifacts.pickle.analyse import Analysis, analyse
from auditor.artifacts.pickle.judge import Judge
from auditor.artifacts.scan import scan_bytes
from tests.artifacts.streams import short, stream, text


def run(data: bytes) -> Analysis:
    return analyse(Blob(data), limits=Limits())


def words(count: int, special: dict[int, str]) -> bytes:
    """A list of memoised strings; string number n is memo entry n."""
    return (
        b"](" + b"".join(short(special.get(i, f"word-{i}")) + b"\x94" for i in range(count)) + b"e0"
    )


def get(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)


@pytest.mark.parametrize("at", [0, 1, 500, 1999])
@pytest.mark.parametrize("other", [3, 777, 1998])
def test_names_inside_a_run_are_found_again(at: int, other: int) -> None:
    body = (
        words(2000, {at: "os", other: "system"})
        + get(at)
        + get(other)
        + b"\x93"
        + text("id")
        + b"\x85R"
    )
    result = run(stream(body))
    assert result.facts is not None
    if at != other:
        assert [g.dotted for g in result.facts.globals] == ["os.system"]
        assert result.verdict == "dangerous"


def test_memo_numbers_go_on_behind_a_run() -> None:
    body = (
        words(2000, {})
        + short("os")
        + b"\x940"
        + short("system")
        + b"\x940"
        + get(2000)
        + get(2001)
        + b"\x93)R"
    )
    assert run(stream(body)).verdict == "dangerous"
    body = words(2000, {}) + get(2000)
    assert run(stream(body)).verdict == "unreadable"


def test_two_runs() -> None:
    body = words(900, {5: "os"}) + words(900, {7: "system"}) + get(5) + get(907) + b"\x93)R"
    assert run(stream(body)).verdict == "dangerous"
    body = (
        words(900, {5: "x"})
        + words(900, {7: "system", 8: "os"})
        + get(908)
        + get(907)
        + get(5)
        + b"0\x93)R"
    )
    assert run(stream(body)).verdict == "dangerous"


@pytest.mark.parametrize(
    "tail",
    [b"\x93", b"R", b"\x81", b"b", b"c", b"\x86\x93", b"\xff", b"u", b"s", b"\x95", b"0" * 3000],
)
def test_what_breaks_a_run_is_still_judged(tail: bytes) -> None:
    body = b"](" + b"K\x01" * 3000 + tail
    assert run(stream(body)).verdict != "safe"


def test_pairs_stay_pairs() -> None:
    good = b"}(" + b"".join(short(f"k{i}") + b"K\x01" for i in range(1500))
    assert run(stream(good + b"u")).verdict == "safe"
    assert run(stream(good + b"K\x01u")).verdict == "unreadable"
    odd = b"}(" + b"K\x01" * 3001 + b"u"
    assert run(stream(odd)).verdict == "unreadable"
    assert run(stream(b"}(" + b"K\x01" * 3000 + b"u")).verdict == "safe"


def test_payload_after_and_inside_a_batch() -> None:
    evil = b"cos\nsystem\n" + text("id") + b"\x85R"
    for place in (0, 100, 2000, 2999):
        items = [b"K\x01"] * 3000
        items[place] = evil
        assert run(stream(b"](" + b"".join(items) + b"e", 4)).verdict == "dangerous"


VALUES = (
    lambda r: r.randrange(10), lambda r: r.randrange(1 << 20), lambda r: r.random(), lambda r: None,
    lambda r: f"s{r.randrange(50)}", lambda r: "x" * r.randrange(90), lambda r: (r.randrange(9), "t"),
    lambda r: [1, 2], lambda r: {"a": r.random()}, lambda r: b"bytes", lambda r: frozenset([1]),
)  # fmt: skip


@pytest.mark.parametrize("seed", range(25))
def test_the_same_with_and_without(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    makers = rng.sample(VALUES, rng.randrange(1, 4))
    rows = [tuple(m(rng) for m in makers) for _ in range(1200)]
    value = rng.choice(
        (rows, [dict(zip("abc", row, strict=False)) for row in rows], dict(enumerate(rows)), [x for row in rows for x in row])
    )  # fmt: skip
    data = pickle.dumps([value, value[:2] if isinstance(value, list) else 0], rng.choice((4, 5, 2)))
    cut = rng.randrange(len(data))
    broken = data[:cut] + bytes([rng.randrange(256)]) + data[cut + 1 :]
    fast = [run(data), run(broken)]
    monkeypatch.setattr(machine, "_WORTH", 1 << 60)
    slow = [run(data), run(broken)]
    assert fast[0].verdict == slow[0].verdict == "safe"
    assert fast[0].end == slow[0].end == len(data)
    error = slow[1].error
    # Text that is not UTF-8 and numbers never stored stop the unpickler, and call nothing.
    if error is None or not error.message.startswith(("a string that", "recalls a value that")):
        assert (fast[1].verdict == "safe") <= (slow[1].verdict == "safe")
    assert {g.dotted for g in fast[1].facts.globals} == {g.dotted for g in slow[1].facts.globals}  # type: ignore[union-attr]


def test_runs_pay() -> None:
    import time

    data = pickle.dumps([{"id": i, "name": f"user{i}", "score": i * 0.5} for i in range(30_000)], 4)
    began = time.process_time()
    assert run(data).verdict == "safe"
    quick = time.process_time() - began
    old, machine._WORTH = machine._WORTH, 1 << 60
    try:
        began = time.process_time()
        assert run(data).verdict == "safe"
        assert quick < (time.process_time() - began) / 2
    finally:
        machine._WORTH = old


def test_a_number_that_holds_the_byte_of_memoize_is_not_counted() -> None:
    number = b"G" + struct.pack(">d", 1.5)[:7] + b"\x94"
    data = (short("a") + b"\x94" + number) * 3
    assert len(runs.stored(data, 0, len(data))) == 3
    data = (number + short("a") + b"\x94") * 3 + number
    assert len(runs.stored(data, 0, len(data))) == 3


@given(
    st.lists(
        st.sampled_from(
            [short("a") + b"\x94", short("b" * 40) + b"\x94", short("c"), b"K\x94", b"K\x05\x94",
             b"h\x94", b"](K\x01K\x02e\x94", b"]\x94(" + short("d") + b"\x94e", b"G" + b"\x94" * 8,
             b"X\x03\0\0\0xyz\x94", b"\x8c\x02\xc2\x94", b"N", b"j\x94\x94\0\0"]
        ),
        max_size=3000,
    )
)  # fmt: skip
def test_what_memoize_stored_is_counted_without_listing_it(tokens: list[bytes]) -> None:
    data = b"".join(tokens)
    assert runs.memoized(data, 0, len(data)) == len(runs.stored(data, 0, len(data)))


@pytest.mark.parametrize("count", [3, 255, 256, 300, 5_000])
def test_an_array_of_many_strings_is_whole(count: int) -> None:
    array = numpy.array([f"category {n % 97}" for n in range(count)], dtype=object)
    (facts,) = scan_bytes(pickle.dumps({"categories_": [array, array[::-1]]}, 4), "model.pkl")
    assert facts.verdict == "safe", facts.issues


class Project:
    """A class that no allow-list knows."""

    def __init__(self, number: int) -> None:
        self.number = number


HEAVY = {
    "dates": lambda: [datetime.date(2020, 1, 1 + i % 28) for i in range(9000)],
    "decimals": lambda: [decimal.Decimal(i) / 7 for i in range(9000)],
    "counters": lambda: [collections.Counter(a=i, b=2) for i in range(9000)],
    "ordered": lambda: [collections.OrderedDict(a=i, b=2) for i in range(9000)],
    "scalars": lambda: [numpy.float64(i) for i in range(9000)],
    "arrays": lambda: [numpy.array([i, 2.0, 3]) for i in range(9000)],
    "uuids": lambda: [uuid.UUID(int=i) for i in range(9000)],
    "sets": lambda: [{i, i + 1} for i in range(9000)],
    "bytes": lambda: [b"abc%d" % i for i in range(9000)],
    "nested": lambda: {f"k{i}": {f"j{j}": [j] * 3 for j in range(i % 6)} for i in range(2500)},
    "ragged": lambda: [{"id": i, "tags": [f"t{j % 40}" for j in range(i % 5)]} for i in range(9000)],
}  # fmt: skip


class Counting(machine.Machine):
    """Counts the bytes that are skipped."""

    followed = 0

    def _skip_run(
        self, context: runs.Context, recipe: runs.Recipe, pos: int, stop: int, batch: int
    ) -> None:
        self.followed += stop - pos
        return super()._skip_run(context, recipe, pos, stop, batch)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", HEAVY)
def test_calls_in_runs_are_swallowed(kind: str, protocol: int) -> None:
    """Most opcodes are never followed one by one, whatever the protocol."""
    data = pickle.dumps(HEAVY[kind](), protocol)
    judge = Judge()
    counting = Counting(data, judge)
    _, end = counting.run(0)
    assert end == len(data)
    assert judge.verdict == "safe", judge.issues
    assert counting.followed > 0.8 * len(data)


ONCE = {
    # The C pickler ends a dictionary of a thousand with a batch that is empty.
    "numbers": lambda: {1000 + i: i for i in range(30_000)},
    "strings": lambda: [f"word-{1000 + i}" for i in range(30_000)],
    "records": lambda: [{"id": i, "name": f"user{i}", "score": i * 0.1, "tags": ["a", "b"]} for i in range(20_000)],
}  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ONCE)
def test_what_is_skipped_is_matched_once(
    kind: str, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A glance tells that there is a run; what it stored is not counted where nobody asks."""
    data = pickle.dumps(ONCE[kind](), protocol)
    matched = counted = 0

    class Watched:
        def __init__(self, pattern: re.Pattern[bytes]) -> None:
            self.pattern = pattern
            self.groups = pattern.groups

        def match(self, data: bytes, pos: int, end: int) -> re.Match[bytes] | None:
            nonlocal matched
            done = self.pattern.match(data, pos, end)
            matched += done.end() - pos if done else 0
            return done

    class Recipe(runs.Recipe):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            self.pattern = Watched(self.pattern)  # type: ignore[assignment]

    def stored(data: bytes, start: int, end: int) -> list[bytes]:
        nonlocal counted
        counted += end - start
        return runs.stored(data, start, end)

    def memoized(data: bytes, start: int, end: int) -> int:
        nonlocal counted
        counted += end - start
        return runs.memoized(data, start, end)

    monkeypatch.setattr(runs, "Recipe", Recipe)
    monkeypatch.setattr(machine, "stored", stored)
    monkeypatch.setattr(machine, "memoized", memoized)
    counting = Counting(data, Judge())
    counting.run(0)
    assert counting.followed > 0.8 * len(data)
    assert matched < 1.5 * len(data)
    assert counted < 0.3 * len(data)


@pytest.mark.parametrize("tail", [b"e", b"0e", b"K\x01e", b"(e0e", b"\x85e", b"t", b"1", b"e(e", b"e(K\x01e", b"e(0e", b"e0"])  # fmt: skip
def test_a_batch_that_was_begun_and_holds_nothing(tight: None, tail: bytes) -> None:
    """The run ends behind the mark: what comes next finds the level empty."""
    ints = b"".join(b"K" + bytes([i]) for i in range(40))
    evil = b"cos\nsystem\n" + text("id") + b"\x85R"
    for head in (b"](", b"K\x07](", b"](K\x01e("):
        compared(stream(head + ints + b"e(" + tail, 4))
        found = compared(stream(head + ints + b"e(" + evil + tail, 4))
        assert found[0] == "dangerous"
        compared(stream(b"}(" + ints + b"u(" + tail.replace(b"e", b"u"), 4))


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_numbers_of_the_memo_in_another_dialect(tight: None, protocol: int) -> None:
    """Lines among bytes, and bytes among lines, are followed one by one."""
    lines = lambda i, value: value + b"p%d\n" % i  # noqa: E731
    binary = lambda i, value: value + b"r" + struct.pack("<I", i)  # noqa: E731
    for own, other in ((lines, binary), (binary, lines)):
        items = [own(i + 1, b"Vword%d\n" % i) for i in range(60)]
        items[30] = other(31, b"Vposix\n")
        items[40] = other(41, b"Vsystem\n")
        held = b"](" + b"".join(items) + b"e0"
        call = get(31) + b"g41\n" + b"\x93" + text("id") + b"\x85R"
        assert compared(stream(held + call, protocol))[0] == "dangerous"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["dates", "counters", "arrays", "ragged", "nested"])
@pytest.mark.parametrize("where", [5, 700, 1500])
def test_a_payload_among_calls_is_found(kind: str, protocol: int, where: int) -> None:
    value = HEAVY[kind]()
    evil = Evil()
    if isinstance(value, dict):
        value[f"k{where}"] = {"x": evil}
    else:
        value[where] = evil
    assert run(pickle.dumps(value, protocol)).verdict == "dangerous"


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("id",))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("module", [__name__, "__main__"])
def test_many_objects_of_an_unknown_class_are_one_issue(
    protocol: int, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Project, "__module__", module)
    monkeypatch.setitem(vars(sys.modules["__main__"]), "Project", Project)
    data = pickle.dumps([Project(i) for i in range(9000)], protocol)
    result = run(data)
    assert result.verdict == "suspicious"
    counting = Counting(data, Judge())
    counting.run(0)
    assert counting.followed > 0.7 * len(data)
    assert result.facts is not None
    assert len(result.facts.objects) >= 1


def test_a_run_cannot_replace_a_name_under_its_number() -> None:
    """Numbers are stored over by PUT; what is recalled afterwards is the last that was stored."""
    store = lambda text, index: short(text) + b"q" + bytes([index])  # noqa: E731
    words = b"".join(store(f"word-{i}", 2 + i % 200) for i in range(200))
    for body in (
        store("posix", 0) + b"0" + store("x", 1) + b"0](" + words + store("system", 1) + b"e0",
        store("posix", 0) + b"0](" + words + store("system", 1) + words + b"e0",
        store("x", 0) + b"0](" + words * 3 + store("posix", 0) + store("system", 1) + b"e0",
    ):
        evil = stream(body + b"h\x00h\x01\x93" + text("id") + b"\x85R")
        assert run(evil).verdict in ("dangerous", "suspicious")


@pytest.mark.parametrize("tight_limits", [True, False])
@pytest.mark.parametrize("put", [b"q\x05", b"p5\n", b"r" + struct.pack("<I", 6500)])
def test_put_beside_memoize_moves_no_number(
    put: bytes, tight_limits: bool, request: pytest.FixtureRequest
) -> None:
    """MEMOIZE stores under how many there are; what PUT adds afterwards does not count before."""
    if tight_limits:
        request.getfixturevalue("tight")
    body = words(6000, {4999: "list", 5000: "eval", 5001: "set"})[:-1]
    stored = short("x") + b"\x94\x8c\x01y\x94\x86\x940"
    for between in (put, stored + put, put + stored):
        result = run(stream(body + between + text("builtins") + get(5000) + b"\x93" + b")R"))
        assert result.facts is not None
        assert [g.dotted for g in result.facts.globals] == ["builtins.eval"]
        assert result.verdict == "dangerous"


def test_values_taken_from_the_end_of_a_run() -> None:
    for tail in ((1, 2, 3), (1, (2, (3, (4, 5)))), [7], {"a": 1}, datetime.date(2020, 1, 2)):
        for count in (900, 990, 999):
            assert run(pickle.dumps([1] * count + [tail] + [1] * 2000, 4)).verdict == "safe"
    # What a run leaves may not be dropped one by one: how much is left is not known then.
    body = b"((](" + b"K\x01" * 3000 + b"0" * 3001 + short("os") + short("system") + b"\x93e0"
    assert run(stream(body)).verdict != "safe"
    # A call whose arguments lie in the run is judged by them.
    body = (
        b"](" + b"K\x01" * 1500 + short("os") + short("system") + b"\x93" + short("id") + b"\x85Re"
    )
    assert run(stream(body)).verdict == "dangerous"


# -- the same, opcode by opcode --------------------------------------------------------------------


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs begin after four values, so that small pickles have them."""
    monkeypatch.setattr(values, "KEEP", 4)
    monkeypatch.setattr(machine, "KEEP", 4)
    monkeypatch.setattr(machine, "_WORTH", 48)
    monkeypatch.setattr(machine, "_LEARNS", 48)
    monkeypatch.setattr(machine, "_SHORTEST", 16)
    monkeypatch.setattr(machine, "_GLANCE", 256)
    monkeypatch.setattr(judge, "_TOLD", 2)


def said(data: bytes) -> tuple[object, ...]:
    result = run(data)
    assert result.facts is not None
    return (
        result.verdict,
        sorted((i.rule, i.verdict, i.message) for i in result.issues),
        sorted(g.dotted for g in result.facts.globals),
    )


def compared(data: bytes) -> tuple[object, ...]:
    fast = said(data)
    machine.Machine.swallows = False
    try:
        assert fast == said(data)
    finally:
        machine.Machine.swallows = True
    return fast


def compared_cut(data: bytes) -> None:
    """A stream that ends in the middle: where runs are followed after all, they may say more."""
    fast = said(data)
    machine.Machine.swallows = False
    try:
        slow = said(data)
    finally:
        machine.Machine.swallows = True
    assert (fast[0] == "safe", fast[2]) == (slow[0] == "safe", slow[2])


class Planted:
    """An estimator whose version is no text: its class is allowed, its state is not."""

    def __reduce__(self) -> tuple[object, ...]:
        return (LinearRegression, (), {"_sklearn_version": [1]})


Make: TypeAlias = Callable[[int], object]
Shape: TypeAlias = Callable[[list[object]], object]

LIKE = st.sampled_from(
    [
        lambda i: i, lambda i: i * 1.5, lambda i: f"row {i}", lambda i: (i, f"r{i % 7}"), lambda i: [i, None], lambda i: {"id": i, "name": f"n{i}"}, lambda i: {i, i + 1},
        lambda i: b"%d" % i, lambda i: datetime.date(2020, 1, 1 + i % 28), lambda i: decimal.Decimal(i) / 7, lambda i: complex(i, 1), lambda i: uuid.UUID(int=i),
        lambda i: collections.OrderedDict(a=i), lambda i: collections.Counter(a=i), lambda i: collections.defaultdict(list, a=[i]), lambda i: numpy.float64(i),
        lambda i: numpy.array([i, 1.0]), lambda i: types.SimpleNamespace(a=i, b=f"x{i}"), lambda i: argparse.Namespace(a=[i], b=argparse.Namespace(c=i)),
        lambda i: LinearRegression(), lambda i: numpy.array([i, "x"], dtype=object),
    ]
)  # fmt: skip
ODD = st.sampled_from(
    [None, lambda i: Evil(), lambda i: Planted(), lambda i: [Planted()], lambda i: {"a": (1, Evil())}, lambda i: Project(1), lambda i: print, lambda i: 1 << 70]
)  # fmt: skip


def objects(made: list[object]) -> object:
    array = numpy.empty(len(made), dtype=object)
    array[:] = made
    return array


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    first=LIKE,
    second=LIKE,
    odd=ODD,
    where=st.sampled_from([6, 15, 28, 29]),
    shape=st.sampled_from([list, tuple, lambda m: dict(enumerate(m)), objects, lambda m: [m, m[3:9], m[20]]]),
    protocol=st.integers(0, 5),
    cut=st.integers(0, 3000) | st.none(),
)  # fmt: skip
def test_what_is_said_does_not_depend_on_runs(
    tight: None, first: Make, second: Make, odd: Make | None, where: int, shape: Shape, protocol: int, cut: int | None
) -> None:  # fmt: skip
    made = [(first if i % 5 else second)(i) for i in range(30)]
    if odd is not None:
        made[where] = odd(where)
    data = pickle.dumps(shape(made), protocol)
    found = compared(data)
    if odd is not None and type(made[where]) is Evil:
        assert found[0] == "dangerous"
    if odd is not None and type(made[where]) is Planted:
        assert found[0] != "safe"
    if cut is not None:
        compared_cut(data[: cut % len(data)])


def test_what_a_run_stored_may_be_changed_later(tight: None) -> None:
    """A list that a run holds is recalled and gets what is no data: the outer one is none then."""
    odd = b"csklearn.linear_model._base\nLinearRegression\n)\x81"
    items = b"".join(b"]\x94" for _ in range(40))
    for late in (b"", b"h\x19" + odd + b"a0", b"h\x19(" + odd + b"e0", b"h\x19(K\x01e0"):
        held = b"](" + items + b"e" + late
        call = b"cpandas._libs.internals\n_unpickle_block\n" + held + b"K\x00K\x01\x87R"
        assert (compared(stream(call, 4))[0] == "safe") == (odd not in late)


@pytest.mark.parametrize("taken", [b"0", b"00000", b"\x85", b"\x86", b"\x87", b"1", b"2", b"0" * 39, b"0" * 40, b"0" * 41])  # fmt: skip
def test_what_takes_values_of_a_run_gets_them(tight: None, taken: bytes) -> None:
    run = b"".join(b"K" + bytes([i]) for i in range(40))
    for open_, close in ((b"](", b"e"), (b"(", b"l"), (b"(", b"t"), (b"](K\x01e(", b"e")):
        compared(stream(open_ + run + taken + close, 4))
        compared(stream(short("os") + open_ + run + taken + short("system") + b"\x93" + close, 4))


@pytest.mark.parametrize(
    "call",
    [
        b"cnumpy\ndtype\n\x8c\x091 2; 3, 4\x89\x88\x87R",
        b"cnumpy\ndtype\n]\x8c\x01a\x8c\x031,2\x86a\x89\x88\x87R",
        b"cnumpy\ndtype\nC\x031,2\x89\x88\x87R",
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85\x8c\x031,2\x87R",
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85c_codecs\nencode\n\x8c\x031,2\x8c\x06latin1\x86R\x87R",
        b"(cnumpy.ma.core\n_mareconstruct\ncnumpy.ma.core\nMaskedArray\ncnumpy\nndarray\nK\x00\x85\x8c\x031,2o",
        b"cnumpy.core.numeric\n_frombuffer\n(C\x02abC\x031,2K\x01\x85\x8c\x01CtR",
        b"cnumpy\narray\n]\x8c\x031,2\x86R",
        b"cpandas.core.dtypes.dtypes\nIntervalDtype\n\x8c\x031,2\x85R",
        b"cpandas.core.indexes.base\nIndex\n]\x8c\x031,2\x86\x81",
        b"cpandas.core.indexes.base\n_new_Index\ncpandas.core.indexes.base\nIndex\n}(\x8c\x04data]\x8c\x05dtype\x8c\x031,2u\x86R",
        b"cnumpy\nvoid\nC\x01a\x8c\x031,2\x86\x81",
    ],
)
def test_text_never_reaches_the_parser_of_data_types(call: bytes) -> None:
    assert run(stream(call, 4)).verdict != "safe"
    scalar = b"cnumpy.core.multiarray\nscalar\n\x8c\x02f8\x8c\x06latin1\x86R"
    assert run(stream(scalar, 4)).verdict != "safe"
    good = call.replace(b"\x091 2; 3, 4", b"\x02f8").replace(b"\x031,2", b"\x02f4")  # fmt: skip
    assert run(stream(good, 4)).verdict == "safe"
