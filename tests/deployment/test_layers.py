"""Layers of an image are found by path: the same answers as asking each of them, without doing so."""

import tracemalloc
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.deployment.baselayer import BaseLayer
from auditor.deployment.filesystem import (
    Attributes,
    File,
    FileSystem,
    Layer,
    Link,
    MadeSource,
    Opaque,
    Removal,
    Transfer,
)
from auditor.deployment.image import _Journal, _Scope
from auditor.source import Location

AT = Location("Dockerfile", 1)
BASE = BaseLayer("scratch", AT)
MADE = MadeSource(by="mkdir")


class Exhaustive(FileSystem):
    """Asks every layer."""

    def _touching(self, path: str, count: int) -> Iterator[tuple[int, Layer]]:
        for number, layer in enumerate(self._newest_first(count), 1):
            yield count - number, layer


def path_of(names: list[str]) -> str:
    return "/" + "/".join(names)


names = st.lists(st.sampled_from("abc"), max_size=4)
paths = names.map(path_of)
below_root = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(path_of)
patterns = st.lists(st.sampled_from(["a", "b", "*", "[ab]", "?"]), min_size=1, max_size=4).map(
    path_of
)
certain = st.booleans()
layers = st.one_of(
    st.builds(lambda p, k: File(AT, p, MADE, kind=k), below_root, st.sampled_from(["file", "directory"])),
    st.builds(lambda p: File(AT, p, MadeSource(by="WORKDIR"), kind="directory"), below_root),
    st.builds(lambda p, c: Removal(AT, p, c, glob=False), below_root, certain),
    st.builds(lambda p, c: Removal(AT, p, c, glob=True), patterns, certain),
    st.builds(lambda p, t: Link(AT, p, t), below_root, below_root),
    st.builds(lambda p, r: Attributes(AT, p, r, glob=False, executable=True, owner="1"), paths, certain),
    st.builds(lambda p, r: Attributes(AT, p, r, glob=True, owner="2"), patterns, certain),
    st.builds(
        lambda roots, spared: Opaque(AT, roots=tuple(roots), reason="r", spared=tuple(spared)),
        st.lists(paths, max_size=2), st.lists(below_root, max_size=1),
    ),
)  # fmt: skip


@given(st.lists(layers, max_size=7), st.lists(layers, max_size=7), below_root, paths)
@settings(max_examples=150)
def test_the_same_answers(first: list[Layer], then: list[Layer], source: str, place: str) -> None:
    found: list[list[object]] = []
    complete: list[list[bool]] = []
    for kind in (FileSystem, Exhaustive):
        parent = kind(BASE)
        for layer in first:
            parent.add(layer)
        other = kind(BASE)
        for layer in then:
            other.add(layer)
        fs = kind(BASE, parent)
        for layer in then:
            fs.add(layer)
        fs.add(Transfer(AT, "/c", other, len(other), source, None))
        asked = [place, source, "/c/a", "/a", "/a/b", "/"]
        found.append(
            [fs.lookup_before(path, count) for path in asked for count in range(len(fs) + 1)]
            + [fs.list_dir(path).names for path in asked]
            + [fs.link(path) for path in asked]
        )
        complete.append([fs.list_dir(path).complete for path in asked])
    assert found[0] == found[1]
    # What may be removed elsewhere says nothing of a directory.
    assert all(mine >= theirs for mine, theirs in zip(*complete, strict=True))


def test_deep_and_strange_paths_are_asked_too() -> None:
    deep = "/" + "/".join("d" for _ in range(200))
    fs = FileSystem(BASE)
    fs.add(File(AT, deep, MADE, kind="directory"))
    fs.add(File(AT, "/x", MADE))
    assert fs.is_dir(deep)
    assert fs.is_dir(deep.rpartition("/")[0])
    assert fs.is_dir("/d")


def test_many_layers_elsewhere_are_not_asked() -> None:
    fs = FileSystem(BASE)
    for number in range(5_000):
        fs.add(File(AT, f"/data/d{number}/x", MADE))
    for path in ("/data/d17/x", "/data/d17", "/app/x", "/data/d17/x/y"):
        assert sum(1 for _ in fs._touching(path, len(fs))) <= 1


def test_variables_as_they_stood() -> None:
    journal = _Journal([("A", "0")])
    scopes = []
    for number in range(5):
        scopes.append(_Scope(journal))
        journal.append("A" if number % 2 else f"B{number}", str(number))
    assert [dict(scope.items()) for scope in scopes] == [dict(scope) for scope in scopes]
    assert [scope["A"] for scope in scopes] == ["0", "0", "1", "1", "3"]
    assert [scope.get("B2") for scope in scopes] == [None, None, None, "2", "2"]
    assert "B4" not in scopes[4]
    assert len(scopes[4]) == 3


def test_scopes_keep_no_copies() -> None:
    journal = _Journal()
    scopes = []
    for number in range(3_000):
        journal.append(f"N{number}", "x")
        scopes.append(_Scope(journal))
    tracemalloc.start()
    assert all(scope[f"N{number}"] == "x" for number, scope in enumerate(scopes))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 1_000_000
