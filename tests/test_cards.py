"""Every rule card is a specification, and this runs it.

A card (``rules/FAMILY/ID-name.md``) has TOML front matter and a body with exactly the headings
*What happens, Why, How it is detected, Example, Use instead, Fix safety, References* (level two, in
that order; the title comes from the front matter).

The fenced blocks of *Example* and of *Use instead* carry a file name after the language::

    ```dockerfile Dockerfile
    FROM python:3.11.11-slim-bookworm
    RUN pip install torch # finding
    ```

and form a tiny repository each, laid over the healthy service in ``tests/data/skeleton`` (read it:
FastAPI, onnxruntime, Dockerfile, Compose, compiled requirements; ``models/price.onnx`` is made when
the test runs). Blocks without a file name are prose. ``# finding`` at the end of a line is taken
away before the file is written; the rule must report at exactly these paths and lines, and no other
rule may report anything of medium severity or above. On *Use instead* the rule is silent, and so is
everything of medium severity or above. Where all findings carry a fix, the fixed *Example* must equal
*Use instead*.

Binary files are Python expressions over the stand-ins of ``tests/artifact_kit.py`` (``Call``,
``Instance``, ``Global``, ``zipped``, ``onnx_model``, …); the value is written if it is bytes and
pickled if it is not::

    ```python artifact:models/model.pkl
    Call("os.system", "id") # finding
    ```

Instructions are HTML comments on lines of their own in the section:

``<!-- alone -->``                      no skeleton
``<!-- without: .dockerignore, x -->``  leave these files of the skeleton out
``<!-- also: ENV007, NET001 -->``       other rules that see the same fault from their side
``<!-- target-python: 3.12 -->``        the setting of that name

A rule that this audit cannot trigger (found by a rehearsal only) says so with
``<!-- rehearsal -->`` and is checked for its headings only (so does one that needs ``--online``).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import card_kit as cards
import pytest

from auditor.catalog import Rule, rules
from auditor.checks.registry import checks
from auditor.config import Settings
from auditor.findings import Finding
from auditor.fixes.apply import plan, write

Examined = Callable[[Rule], tuple[cards.Example, Path, tuple[Finding, ...]]]

ALL = rules()
# Reported by the reading of suppressions, which sees the comments.
FROM_SUPPRESSIONS = {"CFG001", "CFG002", "CFG003"}
each_card = pytest.mark.parametrize("rule", ALL.values(), ids=list(ALL))


def test_cards_and_checks_match() -> None:
    assert set(ALL) - FROM_SUPPRESSIONS == set(checks())


def test_names_are_unique() -> None:
    names = [rule.name for rule in ALL.values()]
    assert len(names) == len(set(names))


@each_card
def test_file_is_named_after_the_rule(rule: Rule) -> None:
    assert cards.card_name(rule) == f"{rule.id}-{rule.name}.md"


@each_card
def test_headings(rule: Rule) -> None:
    found = cards.sections(rule.id)
    assert tuple(found) == cards.HEADINGS
    assert not [title for title, text in found.items() if not text]


@each_card
def test_references_are_links(rule: Rule) -> None:
    text = cards.sections(rule.id)["References"]
    links = re.findall(r"https?://[^\s)>\]]+", text)
    assert set(rule.references) <= set(links)
    assert links or rule.id.startswith("CFG")


def rehearsed(rule: Rule) -> bool:
    return "<!-- rehearsal -->" in cards.sections(rule.id)["Example"]


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Examined:
    """A rule's Example as written to disk, and what the audit says of it: audited once."""
    seen: dict[str, tuple[cards.Example, Path, tuple[Finding, ...]]] = {}

    def look(rule: Rule) -> tuple[cards.Example, Path, tuple[Finding, ...]]:
        if rule.id not in seen:
            made = cards.example(rule.id, "Example")
            root = cards.write(made, tmp_path_factory.mktemp(rule.id) / "repository")
            seen[rule.id] = made, root, cards.findings(root, rule, made)
        return seen[rule.id]

    return look


@each_card
def test_example_is_reported(rule: Rule, examined: Examined) -> None:
    if rehearsed(rule):
        return
    made, _, found = examined(rule)
    assert made.marks, "no line is marked"
    mine = {(f.at.path, f.at.line) for f in found if f.rule == rule.id}
    assert mine == made.marks
    assert cards.disturbing(found, rule, made) == []


@each_card
def test_use_instead_is_silent(rule: Rule, tmp_path: Path) -> None:
    if rehearsed(rule):
        return
    made = cards.example(rule.id, "Use instead")
    assert not made.marks
    assert made.files, "shows nothing"
    root = cards.write(made, tmp_path / "repository")
    found = cards.findings(root, rule, made)
    assert [f"{f.at} {f.message}" for f in found if f.rule == rule.id] == []
    assert cards.disturbing(found, rule, made) == []


@each_card
def test_fix_gives_use_instead(rule: Rule, examined: Examined, tmp_path: Path) -> None:
    """Fixes are applied as the command does; where all findings have one, nothing else is left."""
    if rehearsed(rule):
        return
    made, before, everything = examined(rule)
    found = [f for f in everything if f.rule == rule.id]
    fixed = [f for f in found if f.fix is not None and f.fix.edits and f.fix.safe]
    assert all(f.fix is None or f.fix.safe for f in found), "nobody applies a fix that is not safe"
    if not fixed:
        return
    root = tmp_path / "repository"
    shutil.copytree(before, root)
    settings = Settings(select=(rule.id,), target_python=made.target_python)
    done = plan(root, settings)
    assert done.refused == ()
    write(root, done)
    left = [f for f in cards.findings(root, rule, made) if f.rule == rule.id]
    assert len(left) == len(found) - len(fixed)
    if left:
        return
    wanted = cards.write(cards.example(rule.id, "Use instead"), tmp_path / "wanted")
    for path in done.new:
        assert (root / path).read_text("utf-8") == (wanted / path).read_text("utf-8")


def test_skeleton_is_healthy(tmp_path: Path) -> None:
    root = cards.write(cards.Example(), tmp_path / "repository")
    rule = ALL["ENV001"]
    assert [f"{f.at} {f.rule}" for f in cards.findings(root, rule, cards.Example())] == []


def test_marks_are_taken_away_and_kept_apart() -> None:
    made = cards.Example()
    cards._put(made, "X", "a.txt", ["one", "two # finding", "three \\ # finding"])
    assert made.files == {"a.txt": b"one\ntwo\nthree \\\n"}
    assert made.marks == {("a.txt", 2), ("a.txt", 3)}


def test_an_artifact_is_built_from_its_expression() -> None:
    import pickletools

    made = cards.Example()
    cards._put(made, "X", "artifact:m.pkl", ['Call("os.system", "id") # finding'])
    names = [op.name for op, _, _ in pickletools.genops(made.files["m.pkl"])]
    assert "STACK_GLOBAL" in names and "REDUCE" in names
    assert made.marks == {("m.pkl", 1)}
