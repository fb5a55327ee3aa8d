"""Rows of the system library tables that no generator reads from a file: each has its source, and
says something that the generated rows do not contradict.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from auditor.catalog import knowledge
from auditor.linking import distributions, sonames

TOLD = Path(__file__).resolve().parents[2] / "tools" / "syslibs.toml"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return tomllib.loads(TOLD.read_text())


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    found: dict[str, Any] = knowledge("syslibs.json.gz")
    return found


def test_what_names_lead_to_has_a_source_and_needs(config: dict[str, Any]) -> None:
    for row in config["lead"]:
        assert row["source"]
        assert any(sonames.needs(name) for name in row["to"].split()), row["to"]
        for name in row["to"].split():
            assert distributions.known(name), name


def test_leads_are_those_of_the_settings(config: dict[str, Any], table: dict[str, Any]) -> None:
    expected = {
        f"{module}.{name}"
        for row in config["lead"]
        for module in row["modules"].split()
        for name in row["names"].split()
    }
    assert set(table["leads"]) == expected


def test_what_is_not_imported_is_required_or_told_with_its_source(
    config: dict[str, Any], table: dict[str, Any]
) -> None:
    told = {(row["of"], name) for row in config["lazy"]["told"] for name in row["names"]}
    assert all(row["source"] for row in config["lazy"]["told"])
    read = set(config["lazy"]["names"].split())
    rows = knowledge("distributions.json.gz")["distributions"]
    for parent, children in table["lazy"].items():
        extras = rows[parent].get("extras", {}).values()
        lines = [*rows[parent].get("requires", ()), *(line for extra in extras for line in extra)]
        required = {re.split(r"[^\w-]", line)[0] for line in lines}
        for child in children:
            assert (parent, child) in told or (parent in read and child in required), (
                parent,
                child,
            )
            assert sonames.listed(child), child


def test_packages_that_bring_nothing_are_not_among_those_that_do(table: dict[str, Any]) -> None:
    plain = set(table["apk_plain"])
    owners = set(table["apk"].values())
    assert not plain & owners
    assert not {name.removesuffix("-dev") for name in plain if name.endswith("-dev")} & owners
    # What building takes brings no library by itself, save headers of one that is listed.
    assert not {"gcc", "g++", "musl-dev"} & owners - {"gcc"}
