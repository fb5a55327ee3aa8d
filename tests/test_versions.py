"""The plain kind of specifiers and markers is decided as ``packaging`` decides it."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from auditor import digests, versions
from auditor.catalog import knowledge

RELEASES = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(
    lambda parts: ".".join(map(str, parts))
)
CLAUSES = st.builds(
    lambda operator, text, star, space: f"{operator}{space}{text}{star}",
    st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "~="]),
    RELEASES,
    st.sampled_from(["", "", ".*"]),
    st.sampled_from(["", " "]),
)


@settings(max_examples=500)
@given(st.lists(CLAUSES, max_size=3).map(",".join), RELEASES, st.sampled_from(["", "", ".post1"]))
def test_admits_agrees_with_packaging(specifier, version, post):
    version += post
    answer = versions.admits(specifier, version)
    if answer is not None:
        assert SpecifierSet(specifier).contains(version, prereleases=True) is answer
    else:
        assert "~=" in specifier or ".*" in specifier


@pytest.mark.parametrize(
    ("specifier", "version"),
    [
        (">=1.0rc1", "1.0"),
        (">=1.0", "1.0rc1"),
        ("===1.0", "1.0"),
        (">=1.0.*", "1.0"),
        ("~=1", "1.0"),
        ("nonsense", "1.0"),
        (">=1,", "1.0"),
        ("==1.0+cpu", "1.0"),
        (">=1.0", "v1.0"),
        (">=1.0", ""),
        ("==1!2.0", "2.0"),
    ],
)
def test_what_is_not_plain_is_left_to_packaging(specifier, version):
    assert versions.admits(specifier, version) is None


ENVIRONMENT = {
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
    "python_version": "3.11",
    "python_full_version": "3.11.4",
    "extra": "",
}
TERMS = st.builds(
    lambda name, operator, literal, quote: f"{name} {operator} {quote}{literal}{quote}",
    st.sampled_from([n for n in ENVIRONMENT if n != "extra"]),
    st.sampled_from(["==", "!=", "<", ">=", "in", "not in"]),
    st.sampled_from(["3.9", "3.11", "3.12.1", "linux", "win32", "Linux", "posix nt", "v3", ""]),
    st.sampled_from(["'", '"']),
)
MARKERS = st.recursive(
    TERMS,
    lambda inner: st.builds(
        lambda a, joint, b, wrap: f"({a} {joint} {b})" if wrap else f"{a} {joint} {b}",
        inner,
        st.sampled_from(["and", "or"]),
        inner,
        st.booleans(),
    ),
    max_leaves=5,
)


@settings(max_examples=500)
@given(MARKERS)
def test_markers_agree_with_packaging(marker):
    answer = versions.marker_holds(marker, ENVIRONMENT)
    if answer is not None:
        assert Marker(marker).evaluate(dict(ENVIRONMENT)) is answer


def test_every_marker_of_the_table_is_plain_and_agrees():
    rows = knowledge("distributions.json.gz")["distributions"].values()
    texts = itertools.chain.from_iterable(
        [*row.get("requires", ()), *itertools.chain(*row.get("extras", {}).values())]
        for row in rows
    )
    markers = {text.partition(";")[2].strip() for text in texts} - {""}
    plain = [m for m in markers if versions.marker_holds(m, ENVIRONMENT) is not None]
    assert len(plain) > 0.95 * len(markers)
    for python in ("3.8", "3.11", "3.14"):
        environment = {
            **ENVIRONMENT,
            "python_version": python,
            "python_full_version": f"{python}.0",
        }
        for marker in plain:
            expected = Marker(marker).evaluate(environment)
            assert versions.marker_holds(marker, environment) is expected, marker


@pytest.mark.parametrize(
    "marker",
    [
        "",
        "extra == 'x'",
        "python_version",
        "python_version < '3.11' and",
        "(python_version < '3.11'",
        "python_version < '3.11')",
        "python_version < '3.11' python_version < '3.11'",
        "'3.11' > python_version",
        "platform_release >= '5'",
        "(" * 5000 + "os_name == 'nt'" + ")" * 5000,
    ],
)
def test_unusual_markers_are_left_to_packaging(marker):
    assert versions.marker_holds(marker, ENVIRONMENT) is None


@pytest.mark.parametrize("size", [0, 3, 1 << 21])
def test_digests_are_sha256(size):
    digest = digests.sha256(size)
    digest.update(b"abc")
    assert digest.hexdigest() == hashlib.sha256(b"abc").hexdigest()


@settings(max_examples=200)
@given(
    st.lists(CLAUSES, max_size=2).map(",".join),
    st.lists(
        st.builds(str.__add__, RELEASES, st.sampled_from(["", "", "", ".post1", ".post2", "rc1"])),
        max_size=6,
    ),
)
def test_the_newest_is_packagings(specifier, candidates):
    found = versions.newest(specifier, candidates)
    if found is None:
        assert versions.admits(specifier, "0") is None or not all(
            c.partition(".post")[0].replace(".", "").isdigit() for c in candidates
        )
        return
    allowed = SpecifierSet(specifier)
    expected = max((c for c in candidates if allowed.contains(c)), key=Version, default="")
    assert (Version(found) if found else "") == (Version(expected) if expected else "")


def test_the_newest_of_what_is_not_plain_is_left_to_packaging():
    assert versions.newest(">=1", ["1.0", "2.0+cpu"]) is None
    assert versions.newest(">=1rc1", ["1.0"]) is None
