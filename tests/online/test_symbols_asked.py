"""What a library without a table has, asked of the index: and what is said when it cannot tell."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
from indexkit import Shelf, sdist, wheel

from auditor import online
from auditor.artifacts.scan import scan_bytes
from auditor.linking.compatibility import Runtime, link
from auditor.linking.distributions import close

Start = Callable[[Shelf], str]
# ``faiss.loader.Index``, as a pickle names it.
NAMED = b"\x80\x02cfaiss.loader\nIndex\n."


def helped() -> str:
    installed = close([("faiss-cpu", (), "1.8.0")], python="3.11", closed=True)
    facts = scan_bytes(NAMED, "model.pkl")[0]
    result = link(facts, Runtime(python="3.11", installed=installed), loader="pickle")
    assert result.outcome == "unknown"
    return result.reasons[0].help


def test_nobody_is_told_to_ask_what_was_asked(pip_index: Start) -> None:
    assert "--online" in helped()
    shelf = Shelf()
    shelf.add("faiss-cpu", sdist("faiss_cpu", "1.8.0", {"setup.py": "import setuptools\n"}))
    pip_index(shelf)
    with online.connected(cache=False):
        text = helped()
    assert "--online" not in text
    assert "has no wheel for Python 3.11" in text


@pytest.mark.parametrize("pin", ["1.8.0"])
def test_a_wheel_that_leaves_it_open(pip_index: Start, pin: str) -> None:
    shelf = Shelf()
    made = wheel(
        "faiss_cpu",
        pin,
        {"faiss/__init__.py": b"", "faiss/loader.py": b"def __getattr__(n): ...\n"},
    )
    shelf.add("faiss-cpu", made)
    pip_index(shelf)
    with online.connected(cache=False):
        assert "Its wheel was asked" in helped()


def test_the_stream_is_what_it_says() -> None:
    with pytest.raises(ModuleNotFoundError):
        pickle.loads(NAMED)
