"""Runs of repeating data are skipped, and nothing else changes by that."""

import pickle
import random
import struct

import numpy
import pytest

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import Limits
from auditor.artifacts.pickle import machine, runs
from auditor.artifacts.pickle.analyse import Analysis, analyse
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
    assert runs.memoised((short("a") + b"\x94" + number) * 3, 0, 3 * (4 + 9)) == 3
    data = (number + short("a") + b"\x94") * 3 + number
    assert runs.memoised(data, 0, len(data)) == 3


@pytest.mark.parametrize("count", [3, 255, 256, 300, 5_000])
def test_an_array_of_many_strings_is_whole(count: int) -> None:
    array = numpy.array([f"category {n % 97}" for n in range(count)], dtype=object)
    (facts,) = scan_bytes(pickle.dumps({"categories_": [array, array[::-1]]}, 4), "model.pkl")
    assert facts.verdict == "safe", facts.issues
