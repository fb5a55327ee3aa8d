"""``.dockerignore``: Docker's documented cases, properties, and a real build."""

from __future__ import annotations

import io
import os
import pickle
import random
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auditor.parsers.dockerignore import DockerIgnore, parse
from auditor.source import SourceText


def read(text: str) -> DockerIgnore:
    return parse(SourceText(".dockerignore", text))


@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        # The table of the Docker documentation.
        ("# comment", "# comment", False),
        ("*/temp*", "somedir/temporary.txt", True),
        ("*/temp*", "somedir/temp", True),
        ("*/temp*", "a/b/temp", False),
        ("*/*/temp*", "somedir/subdir/temporary.txt", True),
        ("temp?", "tempa", True),
        ("temp?", "temp", False),
        ("**/*.go", "a/b/c.go", True),
        ("**/*.go", "c.go", True),
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README.md", "x.md", True),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False),
        # Where it differs from git.
        ("*.pkl", "model.pkl", True),
        ("*.pkl", "models/model.pkl", False),
        ("models\n!models/x.pkl", "models/x.pkl", False),
        ("models\n!models/x.pkl", "models/y.pkl", True),
        ("models", "src/models/x", False),
        ("**/models", "src/models/x", True),
        # Cleaning.
        ("/foo", "foo/x", True),
        ("foo/", "foo", True),
        ("./foo", "foo", True),
        ("foo/../bar", "bar/x", True),
        ("  foo \t", "foo", True),
        (" # not a comment", "# not a comment", True),
        ("! foo\nfoo", "foo", True),
        ("foo\n! foo", "foo", False),
        (".", "a", False),
        ("..", "a", False),
        ("/", "a", False),
        ("", "a", False),
        ("foo\r\nbar\r", "bar", True),
        # Wildcards.
        ("*", "a/b", True),
        ("*\n!src", "src/a", False),
        ("*\n!src/**", "src/a/b", False),
        ("*\n!src/*.py", "src/a.pyc", True),
        ("**", "a", True),
        ("a/**", "a", False),
        ("a/**", "a/b/c", True),
        ("**/foo/**", "x/foo/y", True),
        ("**/foo/**", "x/foo", False),
        ("**foo", "barfoo/x", True),
        ("a**b", "a/x/b", True),
        ("a**b", "ab", True),
        ("a/**/b", "a/b", True),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("[^a-c]x", "dx", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("a.b", "axb", False),
        ("?", "/", False),
        ("*a*b*c*d*", "xaxbxcxdx/f", True),
        ("*a*b*c*d*", "xaxbxdxcx", False),
        ("**/a*b*c*d", "p/q/a1b2c3d", True),
    ],
)
def test_semantics(text: str, path: str, ignored: bool) -> None:
    rules = read(text)
    assert (rules.match(path) is not None) == ignored
    assert (pickle.loads(pickle.dumps(rules)).match(path) is not None) == ignored


def test_the_deciding_pattern_is_named() -> None:
    found = read("# models\n*.md\n\n models/ \n!models/a\nmodels/a/b").match("models/a/b/c")
    assert found is not None
    assert found.pattern.text == "models/a/b"
    assert found.matched == "models/a/b"
    assert (found.at.line, found.at.column, found.at.end_column) == (6, 1, 11)
    other = read("# models\n*.md\n\n models/ ").match("models/x/y")
    assert other is not None
    assert (other.pattern.text, other.matched) == ("models/", "models")
    assert (other.at.line, other.at.column, other.at.end_column) == (4, 2, 9)


@pytest.mark.parametrize("pattern", ["[", "[]", "[a", "[a-]", "foo\\", "!", "! "])
def test_malformed_patterns_are_problems(pattern: str) -> None:
    rules = read(f"a\n{pattern}\nb")
    assert [problem.at.line for problem in rules.problems] == [2]
    assert [p.cleaned for p in rules.patterns] == ["a", "b"]


def test_directories_that_hold_exceptions() -> None:
    rules = read("models\n!models/keep/*.pkl\ndata")
    assert rules.may_include_below("models")
    assert rules.may_include_below("models/keep")
    assert not rules.may_include_below("data")
    assert not read("models").may_include_below("models")


def test_hostile_patterns_take_linear_time() -> None:
    rules = read("\n".join(["*a" * 40 + "b", "**/" * 30 + "x", "(a+)+$", "a" * 5_000]))
    start = time.process_time()
    rules.match("a" * 3_000)
    rules.match("/".join("a" * 500))
    assert time.process_time() - start < 2
    assert [problem.at.line for problem in rules.problems] == [4]


PIECES = ["a", "b", "*", "**", "?", "/", "a/", "*/", "**/", "ab"]
parts = st.text("ab*?![]^-\\/. #\n\r\té", max_size=40)


@settings(max_examples=300, deadline=None)
@given(parts, st.text("ab/.é", min_size=1, max_size=20))
@example("[^^]\n[]-a]", "^")
def test_never_raises_and_points_at_the_text(text: str, path: str) -> None:
    rules = read(text)
    for pattern in rules.patterns:
        line = SourceText("x", text).line_at(pattern.at.line)
        assert line[pattern.at.column - 1 : pattern.at.end_column - 1] == pattern.text
    found = rules.match(path)
    if found is not None:
        assert not found.pattern.negated
    rules.may_include_below(path)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8))
def test_automaton_and_expression_agree(pieces: list[str]) -> None:
    from auditor.parsers import dockerignore

    pattern = "".join(pieces)
    rules = read(pattern)
    if not rules.patterns or "*" not in rules.patterns[0].cleaned:
        return
    cleaned = rules.patterns[0].cleaned
    elements = dockerignore._elements(cleaned)
    # A leading or trailing ** without other wildcards has rules of its own.
    if cleaned.strip("*").count("*") == 0 and "**" in cleaned and "?" not in cleaned:
        return
    for path in ("a", "b", "a/b", "a/a/b", "ab", "ab/a", "b/ab/a", "a/b/ab", "xab/a"):
        expected = dockerignore._simulate(elements, path) >= 0
        assert (rules.match(path) is not None) == expected, (cleaned, path)


@pytest.mark.rehearsal
@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_a_real_build(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    names = ["a", "b", "ab", "x.py", "y.md", "models", "src", ".env", "a b", "é"]
    files: set[str] = set()
    for _ in range(60):
        path = "/".join(rng.choice(names) for _ in range(rng.randint(1, 4)))
        inside = any(path.startswith(f"{f}/") or f.startswith(f"{path}/") for f in files)
        if not inside:
            files.add(path)
    pool = ["*", "**", "?", "a", "b", "ab", "*.py", "*.md", "models", "src", ".env", "[a-b]", "x*"]
    lines = []
    for _ in range(8):
        pattern = "/".join(rng.choice(pool) for _ in range(rng.randint(1, 3)))
        # The classic builder only looks into an excluded directory for literal exceptions.
        literal = not any(char in pattern for char in "*?[")
        lines.append(("!" if literal and rng.random() < 0.5 else "") + pattern)
    text = "\n".join(line for line in lines if line not in ("*", "**")) + "\n"
    for file in files:
        place = tmp_path / "context" / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file)
    (tmp_path / "context" / ".dockerignore").write_text(text)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /out/\n")
    tag = f"deploy-audit-ignore:{seed}"
    command = ["docker", "build", "-q", "-t", tag, "-f", str(tmp_path / "Dockerfile")]
    subprocess.run(
        [*command, str(tmp_path / "context")],
        check=True,
        capture_output=True,
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )
    created = subprocess.run(["docker", "create", tag, "x"], check=True, capture_output=True)
    container = created.stdout.decode().strip()
    try:
        data = subprocess.run(["docker", "export", container], check=True, capture_output=True)
    finally:
        subprocess.run(["docker", "rm", container], check=True, capture_output=True)
        subprocess.run(["docker", "rmi", "-f", tag], check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(data.stdout)) as archive:
        sent = {m.name.removeprefix("out/") for m in archive if m.isfile() and "out/" in m.name}
    rules = read(text)
    expected = {file for file in files if rules.match(file) is None}
    assert expected == sent - {".dockerignore", "Dockerfile"}, text
