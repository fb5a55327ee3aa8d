"""Objects that lack what their class sets whenever it makes one; and how that is read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from test_compatibility import Stream, judged, runtime

from auditor.linking import symbols
from auditor.online.construction import described
from auditor.online.reader import Library

OLD = {"exc_type": None, "stack": 1, "_truncated": False, "_str": "x", "lineno": 1}


@pytest.mark.parametrize(("python", "outcome"), [("3.9", "loads"), ("3.13", "unknown")])
def test_an_object_of_the_standard_library_of_another_python(python: str, outcome: str) -> None:
    data = Stream().new("traceback", "TracebackException", OLD).bytes()
    result = judged(data, runtime({}, python=python))
    assert result.outcome == outcome, result.reasons
    if outcome == "unknown":
        assert "Python 3.13 sets whenever it makes one" in result.reasons[0].message


def _unfitted(version: str) -> dict[str, object]:
    table = symbols.table("xgboost")
    assert table is not None
    made, _ = table.made("xgboost.sklearn", "XGBClassifier", version)
    return dict.fromkeys(made)


@pytest.mark.parametrize(
    ("written", "installed", "outcome"),
    [("1.5.1", "2.0.3", "unknown"), ("2.0.3", "2.0.3", "loads"), ("2.0.3", "1.3.3", "unknown")],
)
def test_an_unfitted_model_lacks_parameters_that_came_later(
    written: str, installed: str, outcome: str
) -> None:
    data = Stream().new("xgboost.sklearn", "XGBClassifier", _unfitted(written)).bytes()
    result = judged(data, runtime({"xgboost": installed}))
    assert result.outcome == outcome, result.reasons
    if outcome == "unknown":
        assert result.reasons[0].distribution == "xgboost"


def test_a_template_inside_another_object_is_not_asked() -> None:
    stream = Stream().raw(b"](").new("xgboost.sklearn", "XGBClassifier", _unfitted("1.5.1"))
    assert judged(stream.raw(b"e").bytes(), runtime({"xgboost": "2.0.3"})).outcome == "loads"


def test_slots_may_be_set_under_other_names() -> None:
    stream = Stream().name("zipfile", "ZipInfo").raw(b")\x81N").value({"filename": "a"})
    assert judged(stream.raw(b"\x86b").bytes(), runtime({}, python="3.13")).outcome == "loads"


def test_what_no_release_can_have_written_is_not_doubted() -> None:
    data = Stream().new("traceback", "TracebackException", {"own": 1}).bytes()
    assert judged(data, runtime({}, python="3.13")).outcome == "loads"


SOURCE = """
class Base:
    def __init__(self, a):
        self.a = a
        self._set()
        if a:
            self.b = self.c = 1
        else:
            self.b = 2

    def _set(self):
        self.d, self.e = 1, 2

    def use(self):
        return self.a + self.b + self.c + self.d + self.e + self.f

class Sub(Base):
    shared = None

    def __init__(self, a):
        if a is None:
            raise ValueError(a)
        super().__init__(a)
        self.f = self.shared = 3
        self.unread = 4
        try:
            self.c = 1
        except KeyError:
            pass

class Reduced(Base):
    def __reduce__(self):
        return Reduced, (1,)

class Edited(Base):
    def __getstate__(self):
        state = dict(self.__dict__)
        del state["a"]
        return state

class Fast:
    @classmethod
    def _simple_new(cls, left):
        result = object.__new__(cls)
        result.left = left
        other = left
        other.right = 1
        return result

    def use(self):
        return self.left + self.right

class Early(Base):
    def __init__(self, a):
        if a:
            return
        self.a = a
"""


def test_what_making_an_instance_certainly_sets(tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as kept:
        kept.writestr("FILES", "x 1.0\nx.py")
        kept.writestr("x.py", SOURCE)
    assert described(Library(archive)) == {
        "x:Base": ["a", "b", "d", "e"],
        "x:Sub": ["a", "b", "d", "e", "f"],
        "x:Edited": ["b", "d", "e"],
        "x:Fast": ["left"],
    }
