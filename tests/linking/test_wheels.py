"""What pip does with a release on an image."""

import json
import tomllib

import pytest
from packaging.version import Version

from auditor.catalog import _plain_toml, knowledge, rules_dir, split_front_matter
from auditor.linking.wheels import _lines, _row, installable


def test_a_wheel_for_the_interpreter() -> None:
    assert installable("numpy", "1.26.4", python="3.11").outcome == "wheel"


def test_no_wheel_for_a_newer_interpreter() -> None:
    found = installable("numpy", "1.21.6", python="3.12")
    assert found.outcome in ("build", "no-python")
    assert "3.10" in found.pythons


def test_requires_python_is_heeded() -> None:
    found = installable("numpy", "1.26.4", python="3.8")
    assert found.outcome == "no-python"
    assert found.requires_python


def test_no_version_that_never_was() -> None:
    assert installable("numpy", "1.26.99", python="3.11").outcome == "no-release"


@pytest.mark.parametrize("version", ["99.0", "2.0.0rc9", "1.0+local"])
def test_what_the_table_cannot_know_is_unknown(version: str) -> None:
    assert installable("numpy", version, python="3.11").outcome == "unknown"


def test_an_unlisted_distribution_is_unknown() -> None:
    assert installable("no-such-distribution", "1", python="3.11").outcome == "unknown"


def test_psycopg2_is_always_built() -> None:
    found = installable("psycopg2", "2.9.9", python="3.11")
    assert (found.outcome, found.native) == ("build", True)


def test_without_a_version_the_newest_that_fits_is_taken() -> None:
    assert installable("numpy", None, python="3.11", specifier="<2").outcome == "wheel"
    assert installable("numpy", None, python="3.11", specifier="<<2").outcome == "unknown"


def test_one_line_says_what_the_whole_table_says() -> None:
    table = knowledge("wheels.json.gz")["distributions"]
    for name in sorted(table)[::7]:
        assert _row(name) == table[name]
    assert _row("numpy ") is None


def test_compiled_tables_are_up_to_date() -> None:
    compiled = list((rules_dir() / "knowledge").glob("*.toml.json"))
    assert compiled
    for path in compiled:
        source = path.with_name(path.name.removesuffix(".json"))
        expected = json.loads(json.dumps(tomllib.loads(source.read_text("utf-8")), default=str))
        assert json.loads(path.read_text("utf-8"))["table"] == expected, (
            "run tools/compile_tables.py"
        )


def test_the_quick_reader_of_cards_agrees_with_toml() -> None:
    for card in rules_dir().glob("*/*.md"):
        front, _ = split_front_matter(card)
        assert _plain_toml(front) == tomllib.loads(front), card


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\n[b]\nc = 2\n",
        "a = '''x'''\n",
        "a = [\n  1,\n]\n",
        "a = 0x10\n",
        "# note\na = true\n",
    ],
)
def test_it_leaves_the_rest_to_toml(text: str) -> None:
    assert _plain_toml(text) == tomllib.loads(text)


def test_one_row_a_release() -> None:
    for name in _lines():
        row = _row(name)
        releases = row["releases"] if row is not None else {}
        assert len({Version(key) for key in releases}) == len(releases), name
    # 2 and 2.0 are one release: its wheel counts.
    assert installable("pymupdf", None, python="3.11").outcome == "wheel"


def test_a_version_uploaded_under_two_spellings_is_one() -> None:
    """PyMuPDF has a source archive 2 and wheels 2.0; pip takes the wheel."""
    assert installable("pymupdf", "2", python="3.11", glibc="2.41").outcome == "wheel"
    assert installable("pymupdf", None, python="3.11", glibc="2.41").outcome == "wheel"
