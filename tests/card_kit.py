"""Reads the rule cards and turns their examples into repositories. See ``test_cards`` for the format."""

from __future__ import annotations

import ast
import re
import shutil
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import artifact_kit

from auditor.catalog import Rule, card_path, card_text
from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Finding, Severity

HEADINGS = (
    "What happens",
    "Why",
    "How it is detected",
    "Example",
    "Use instead",
    "Fix safety",
    "References",
)
SKELETON = Path(__file__).parent / "data" / "skeleton"
MARK = "# finding"
_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`]*)$")
_COMMENT = re.compile(r"^<!--\s*(?P<word>[a-z-]+)(?::\s*(?P<rest>.*?))?\s*-->$")
_WORDS = {"alone", "without", "also", "target-python", "rehearsal"}


class CardError(Exception):
    """A card that does not follow the format; the message names the place."""


@dataclass
class Example:
    """The tiny repository of one section."""

    files: dict[str, bytes] = field(default_factory=dict)
    # (path, line) of each place where the rule must report.
    marks: set[tuple[str, int]] = field(default_factory=set)
    alone: bool = False
    without: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    target_python: str | None = None


def sections(rule_id: str) -> dict[str, str]:
    """The card's sections by heading, in the card's order."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    fence = ""
    for line in card_text(rule_id).splitlines():
        opened = _FENCE.match(line)
        if fence:
            fence = "" if opened and opened["fence"] == fence and not opened["info"] else fence
        elif opened:
            fence = opened["fence"]
        elif line.startswith("## "):
            title = line[3:].strip()
            if title in found:
                raise CardError(f"{rule_id}: the heading {title!r} stands twice")
            current = found[title] = []
            continue
        elif line.startswith("# "):
            raise CardError(f"{rule_id}: the title comes from the front matter: {line!r}")
        if current is not None:
            current.append(line)
        elif line.strip():
            raise CardError(f"{rule_id}: text before the first heading: {line!r}")
    if fence:
        raise CardError(f"{rule_id}: a code block is not closed")
    return {title: "\n".join(lines).strip() for title, lines in found.items()}


def example(rule_id: str, title: str) -> Example:
    """The tiny repository that the code blocks of a section form."""
    made = Example()
    block: list[str] | None = None
    name = fence = ""
    for line in sections(rule_id)[title].splitlines():
        match = _FENCE.match(line)
        if block is not None:
            if match and match["fence"] == fence and not match["info"]:
                _put(made, rule_id, name, block)
                block = None
            else:
                block.append(line)
        elif match:
            fence, words = match["fence"], match["info"].split(maxsplit=1)
            # A block without a file name is prose: an error message, a command.
            name = words[1].strip() if len(words) == 2 else ""
            block = []
        else:
            _instruct(made, rule_id, line)
    return made


def _instruct(made: Example, rule_id: str, line: str) -> None:
    match = _COMMENT.match(line.strip())
    if match is None:
        return
    word, rest = match["word"], match["rest"] or ""
    if word not in _WORDS:
        raise CardError(f"{rule_id}: no instruction is called {word!r}")
    parts = tuple(p.strip() for p in rest.split(",") if p.strip())
    if word == "alone":
        made.alone = True
    elif word == "without":
        made.without = parts
    elif word == "also":
        made.also = parts
    elif word == "target-python":
        made.target_python = rest


def _put(made: Example, rule_id: str, name: str, block: list[str]) -> None:
    if not name:
        return
    artifact = name.startswith("artifact:")
    path = name.removeprefix("artifact:").strip()
    if Path(path).is_absolute() or ".." in Path(path).parts or path in made.files:
        raise CardError(f"{rule_id}: bad file name {path!r}")
    lines: list[str] = []
    for number, line in enumerate(block, 1):
        if line.endswith(MARK):
            # Of a binary file the only place is the file.
            made.marks.add((path, 1 if artifact else number))
            line = line.removesuffix(MARK).rstrip()
        lines.append(line)
    text = "\n".join(lines) + "\n"
    made.files[path] = build_artifact(text) if artifact else text.encode()


def build_artifact(text: str) -> bytes:
    """The bytes that the last expression of a block stands for; an object is pickled."""
    tree = ast.parse(text)
    if not tree.body or not isinstance(tree.body[-1], ast.Expr):
        raise CardError("an artifact's block ends with an expression")
    last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]
    names = {n: getattr(artifact_kit, n) for n in artifact_kit.__all__}
    exec(compile(tree, "<card>", "exec"), names)
    made = eval(compile(last, "<card>", "eval"), names)
    return made if isinstance(made, bytes) else artifact_kit.pickled(made)


@lru_cache(maxsize=1)
def _skeleton_model() -> bytes:
    return artifact_kit.onnx_model(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        price (float[1,2] features) => (float[1,1] price)
        <float[2,1] weights = {1200.0, 9000.0}>
        { price = MatMul(features, weights) }
        """
    )


def write(made: Example, root: Path) -> Path:
    """Lay an example's files over the skeleton."""
    if made.alone:
        root.mkdir()
    else:
        shutil.copytree(SKELETON, root)
        (root / "models").mkdir()
        (root / "models" / "price.onnx").write_bytes(_skeleton_model())
    for path in made.without:
        target = root / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink()
    for path, data in made.files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return root


def findings(root: Path, rule: Rule, made: Example) -> tuple[Finding, ...]:
    """Every finding of the default profile and of the card's own rule."""
    settings = Settings(select=("ALL", rule.id), target_python=made.target_python)
    return audit(root, settings).active


def disturbing(found: tuple[Finding, ...], rule: Rule, made: Example) -> list[str]:
    """Findings of other rules that somebody who reads the example would stumble over."""
    return [
        f"{f.at} {f.rule} {f.message}"
        for f in found
        if f.rule != rule.id and f.severity >= Severity.MEDIUM and f.rule not in made.also
    ]


def card_name(rule: Rule) -> str:
    return card_path(rule.id).name
