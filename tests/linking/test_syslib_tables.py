"""What the generator of the system library tables makes of a wheel's files, and what ships."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
SITE = "pkg-1.data/purelib/"


@pytest.fixture(scope="module", name="tools")
def tools_fixture() -> Iterator[tuple[ModuleType, ModuleType]]:
    sys.path.insert(0, str(TOOLS))
    try:
        yield (
            importlib.import_module("syslib_wheels"),
            importlib.import_module("make_syslib_tables"),
        )
    finally:
        sys.path.remove(str(TOOLS))


@pytest.mark.parametrize(
    ("root", "others", "deep"),
    [
        ("pkg/_core.abi3.so", [], False),
        ("_pkg.cpython-311-x86_64-linux-gnu.so", [], False),
        (f"{SITE}pkg/_core.abi3.so", [], False),
        ("pkg/chem/draw/board.so", ["pkg/_core.abi3.so"], True),
        # Nothing is imported: the only library there is what the modules open.
        ("pkg/lib/lib_model.so", [], False),
        # One of several that may be opened.
        ("pkg/ops/libvideo_4.so", ["pkg/ops/libcore.so"], True),
        ("pkg/runtime/libtrace.so", ["pkg/_core.abi3.so"], True),
    ],
)
def test_what_an_import_of_the_package_loads(
    root: str, others: list[str], deep: bool, tools: tuple[ModuleType, ModuleType]
) -> None:
    read = {
        name: {"needed": ["libgomp.so.1"] if name == root else [], "soname": None, "search": []}
        for name in (root, *others)
    }
    assert tools[0].are_deep([root], read) is deep


def test_rows_of_what_is_not_imported(tmp_path: Path, tools: tuple[ModuleType, ModuleType]) -> None:
    (tmp_path / "wheels").mkdir()
    asks = {"imports": ["numpy", "soundfile"]}
    requires = [
        "lightgbm",
        "soundfile",
        "numpy",
        "pyodbc; extra == 'test'",
        "weasyprint; extra == 'pdf'",
    ]
    read = {"2.0": {"asks": asks, "requires": requires}, "1.0": {"asks": None, "requires": []}}
    (tmp_path / "wheels" / "parent.json").write_text(json.dumps({"read": read}))
    needy = {"needs": [{"lib": ["libgomp.so.1"]}]}
    table = dict.fromkeys(("lightgbm", "soundfile", "pyodbc", "weasyprint"), needy)
    config = {
        "names": "parent",
        "told": [{"of": "other", "names": ["pydot"], "source": "read"}],
    }
    found = tools[1].lazy_table(config, tmp_path, table)
    assert found == {"parent": ["lightgbm", "weasyprint"], "other": ["pydot"]}


def test_observations_that_nothing_mended_are_hints(
    tmp_path: Path, tools: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tools[1]
    columns = [
        "suite",
        "package",
        "version",
        "import_ok_on_slim",
        "missing",
        "at_call",
        "fixing_apt",
        "verified",
        "brought",
    ]
    rows = [
        ["bookworm", "mended", "1", "n", "libgomp.so.1", "", "libgomp1", "y", ""],
        [
            "bookworm",
            "partly",
            "1",
            "y",
            "chromium,nothing-of-debian",
            "chromium",
            "chromium",
            "n",
            "",
        ],
        ["bookworm", "built", "", "n(build fails)", "", "", "(build) gcc", "y", ""],
    ]
    observed = tmp_path / "observed.tsv"
    observed.write_text("\n".join("\t".join(row) for row in [columns, *rows]) + "\n")
    monkeypatch.setattr(make, "OBSERVED", (observed,))
    found = make.observed_needs({})
    assert found["mended"] == [{"lib": ["libgomp.so.1"], "how": "executed"}]
    assert [(n["program"], n["hint"], n["always"]) for n in found["partly"]] == [
        (["chromium"], True, False)
    ]
    assert found["built"] == [{"build": ["gcc"], "how": "executed"}]
