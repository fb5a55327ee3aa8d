"""Objects of the standard library, whose classes change with the Python."""

from __future__ import annotations

import pytest
from test_compatibility import Stream, judged, runtime

NO_SLOTS = {"filename": "a", "_raw_time": 0}


@pytest.mark.parametrize(
    ("state", "python", "outcome"),
    [
        ({**NO_SLOTS, "_end_offset": None}, "3.12", "fails"),
        ({**NO_SLOTS, "_end_offset": None}, "3.13", "loads"),
        # A property sets it where the slot has another name.
        ({**NO_SLOTS, "_compresslevel": None}, "3.13", "loads"),
        ({**NO_SLOTS, "_compresslevel": None}, "3.6", "fails"),
        (NO_SLOTS, "3.6", "loads"),
    ],
)
def test_slots_that_a_python_does_not_have(
    state: dict[str, object], python: str, outcome: str
) -> None:
    stream = Stream().name("zipfile", "ZipInfo").raw(b")\x81N").value(state).raw(b"\x86b")
    result = judged(stream.bytes(), runtime({}, python=python))
    assert result.outcome == outcome, result.reasons
    if outcome == "fails":
        assert result.reasons[0].rule == "CMP004"
        assert "'ZipInfo' object has no attribute" in result.reasons[0].error


@pytest.mark.parametrize(
    ("code", "python", "outcome"),
    [(103, "3.8", "fails"), (103, "3.9", "loads"), (404, "3.6", "loads")],
)
def test_members_by_value(code: int, python: str, outcome: str) -> None:
    stream = Stream().name("http", "HTTPStatus").value(code).raw(b"\x85R")
    result = judged(stream.bytes(), runtime({}, python=python))
    assert result.outcome == outcome
    if outcome == "fails":
        assert "103 is not a valid HTTPStatus" in result.reasons[0].error


@pytest.mark.parametrize(("python", "outcome"), [("3.8", "fails"), ("3.12", "loads")])
def test_members_by_name(python: str, outcome: str) -> None:
    stream = Stream().name("builtins", "getattr").name("http", "HTTPStatus")
    stream.value("EARLY_HINTS").raw(b"\x86R")
    assert judged(stream.bytes(), runtime({}, python=python)).outcome == outcome


@pytest.mark.parametrize(("python", "outcome"), [("3.7", "fails"), ("3.8", "loads")])
def test_nodes_of_syntax_trees_have_more_fields(python: str, outcome: str) -> None:
    stream = Stream().name("ast", "Module").raw(b"NN\x86R")
    assert judged(stream.bytes(), runtime({}, python=python)).outcome == outcome


def test_classes_of_the_import_system_are_there() -> None:
    stream = Stream().new("_frozen_importlib", "ModuleSpec", {"name": "a"})
    assert judged(stream.bytes(), runtime({})).outcome == "loads"
