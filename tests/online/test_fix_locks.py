"""``fix --lock --online`` compiles locks with pip-tools against the user's index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from indexkit import Shelf, wheel

from auditor.cli.app import run

Start = Callable[[Shelf], str]


def shelf() -> Shelf:
    made = Shelf()
    made.add("inner", wheel("inner", "1.0"))
    made.add("inner", wheel("inner", "2.0"))
    made.add("outer", wheel("outer", "3.0", requires=("inner>=1",)))
    return made


def test_a_lock_is_compiled_anew_and_keeps_what_it_can(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    stock = shelf()
    pip_index(stock)
    root = tmp_path / "repo"
    root.mkdir()
    (root / "requirements.in").write_text("outer\n")
    (root / "requirements.txt").write_text("inner==1.0\n")
    (root / "own.in").write_text("-e .\n")
    (root / "own.txt").write_text("inner==1.0\n")
    assert run(["fix", str(root), "--lock", "--online", "--write", "--no-cache"]) == 0
    text = (root / "requirements.txt").read_text()
    assert "inner==1.0\n    # via outer" in text
    assert "outer==3.0" in text
    assert "127.0.0.1" not in text
    assert (root / "own.txt").read_text() == "inner==1.0\n"
    assert "own.in is not compiled" in capsys.readouterr().err


def test_an_index_that_does_not_answer_leaves_the_lock(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    stock = shelf()
    stock.broken = True
    pip_index(stock)
    root = tmp_path / "repo"
    root.mkdir()
    (root / "requirements.in").write_text("outer\n")
    (root / "requirements.txt").write_text("inner==1.0\n")
    assert run(["fix", str(root), "--lock", "--online", "--no-cache"]) == 0
    assert "requirements.in is not compiled" in capsys.readouterr().err
    assert (root / "requirements.txt").read_text() == "inner==1.0\n"
