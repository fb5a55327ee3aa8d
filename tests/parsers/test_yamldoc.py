"""YAML with positions: values against PyYAML's own tree, bounds against hostile files."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers import yamldoc
from auditor.parsers.yamldoc import Mapping, Node, Scalar, Sequence, YamlStream, parse, walk
from auditor.source import SourceText


def read(text: str) -> YamlStream:
    return parse(SourceText("f.yaml", text))


def one(text: str) -> Node:
    stream = read(text)
    assert not stream.problems, stream.problems
    return stream.documents[0]


def plain(node: Node) -> Any:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Mapping):
        return {entry.name: plain(entry.value) for entry in node.entries}
    return [plain(item) for item in node.items]


def get(node: Node, *path: str) -> Node:
    assert isinstance(node, Mapping)
    found = node.get(*path)
    assert found is not None
    return found


def test_scalars_keep_their_text() -> None:
    document = one("ports: [22:22, 0o17, 1_000, 010, 1e3]\nversion: 3.10\nyes: no\n")
    assert plain(document) == {
        "ports": ["22:22", "0o17", "1_000", "010", "1e3"],
        "version": "3.10",
        "yes": "no",
    }


@pytest.mark.parametrize(
    ("text", "string", "integer", "number", "boolean"),
    [
        ("8000", "8000", 8000, 8000.0, None),
        ("'8000'", "8000", 8000, 8000.0, None),
        ("-5", "-5", -5, -5.0, None),
        ("0x1F", "0x1F", 31, None, None),
        ("0o17", "0o17", 15, None, None),
        ("22:22", "22:22", None, None, None),
        ("1_000", "1_000", None, None, None),
        ("1.5", "1.5", None, 1.5, None),
        ("1e3", "1e3", None, 1000.0, None),
        ("true", "true", None, None, True),
        ("False", "False", None, None, False),
        ("yes", "yes", None, None, None),
        ("~", None, None, None, None),
        ("null", None, None, None, None),
        ("'null'", "null", None, None, None),
        ("''", "", None, None, None),
        (".inf", ".inf", None, None, None),
        ("١٢", "١٢", None, None, None),
    ],
)
def test_accessors(
    text: str, string: str | None, integer: int | None, number: float | None, boolean: bool | None
) -> None:
    node = get(one(f"k: {text}\n"), "k")
    assert isinstance(node, Scalar)
    assert (node.str(), node.int(), node.float(), node.bool()) == (string, integer, number, boolean)


def test_locations() -> None:
    text = "a:\n  b: 'x y'\n  c:\n    - é1\n    - {d: 2}\ne: |\n  one\n  two\n\n\nf: 3\n"
    source = SourceText("f.yaml", text)
    document = parse(source).documents[0]
    seen = {}
    for node in walk(document):
        if isinstance(node, Scalar) and node.at.line == node.at.end_line:
            line = source.line_at(node.at.line)
            seen[node.text] = line[node.at.column - 1 : node.at.end_column - 1]
    assert seen == {
        "a": "a", "b": "b", "x y": "'x y'", "c": "c", "é1": "é1", "d": "d", "2": "2",
        "e": "e", "f": "f", "3": "3",
    }  # fmt: skip
    block = get(document, "e").at
    assert (block.line, block.end_line, block.end_column) == (6, 8, 6)
    inner = get(document, "a").at
    assert (inner.line, inner.column, inner.end_line, inner.end_column) == (2, 3, 5, 13)


def test_merge_keys() -> None:
    document = one(
        "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\n"
        "one:\n  b: 9\n  <<: *x\nmany:\n  <<: [*x, *y]\n  d: 5\nquoted: {'<<': 1}\n"
    )
    assert plain(get(document, "one")) == {"a": "1", "b": "9"}
    assert plain(get(document, "many")) == {"a": "1", "b": "2", "c": "4", "d": "5"}
    assert plain(get(document, "quoted")) == {"<<": "1"}
    many = get(document, "many")
    assert isinstance(many, Mapping)
    entry = many.entry("c")
    assert entry is not None and entry.merged and entry.at.line == 2


def test_tags_and_anchors_stay() -> None:
    document = one("a: !reset null\nb: !override [x]\nc: !Ref Name\nd: &n !!str 5\n")
    assert isinstance(document, Mapping)
    tags = [e.value.tag for e in document.entries]
    assert tags == ["!reset", "!override", "!Ref", "!!str"]
    assert document.entries[3].value.anchor == "n"


def test_duplicate_keys_are_reported_and_the_last_counts() -> None:
    stream = read("a: 1\nb: 2\na: 3\n")
    assert plain(stream.documents[0]) == {"a": "3", "b": "2"}
    assert [(p.at.line, p.fatal) for p in stream.problems] == [(3, False)]
    assert "duplicate" in stream.problems[0].message


def test_documents_before_an_error_are_kept() -> None:
    stream = read("a: 1\n---\n- b\n---\nc: [\n")
    assert [plain(d) for d in stream.documents] == [{"a": "1"}, ["b"]]
    assert stream.problems[0].fatal and stream.problems[0].at.line >= 5


@pytest.mark.parametrize(
    "text",
    [
        "{{- if .Values.x }}\na: b\n{{- end }}\n",
        "a: {{ .Values.x }}\n",
        "a: {{ .Values.x }}-{{ .y }}\n",
        "a: foo-{{ .Values.x }}\n",
        "{% if x %}\na: 1\n{% endif %}\n",
        "spec:\n  {{- toYaml .Values.x | nindent 2 }}\n",
    ],
)
def test_templates_are_named_as_such(text: str) -> None:
    stream = read(text)
    assert stream.template
    assert any("template" in problem.message for problem in stream.problems)
    assert not any("not valid YAML" in problem.message for problem in stream.problems)


@pytest.mark.parametrize(
    "text",
    [
        "tag: '{{.Name}}'\n",
        'tag: "{{.Name}}"\n',
        "run: echo ${{ github.sha }}\n",
        "rules: |\n  {{ $labels.pod }}\n",
        "a: {b: {c: 1}}\n",
    ],
)
def test_what_only_looks_like_a_template(text: str) -> None:
    assert not read(text).template


def test_template_values_do_not_hide_their_neighbours() -> None:
    stream = read("image: {{ .Values.image }}\nport: 8000\n")
    node = get(stream.documents[0], "image")
    assert isinstance(node, Scalar) and node.is_template and node.text == "{{ .Values.image }}"
    assert plain(get(stream.documents[0], "port")) == "8000"


def test_recursive_aliases_end() -> None:
    stream = read("a: &a [*a, {b: *a}]\nc: *missing\n")
    assert [p.at.line for p in stream.problems] == [1, 1, 2]
    assert len(list(walk(stream.documents[0]))) < 20


def _bombs() -> dict[str, str]:
    laughs = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 80)
    )
    wide = "a: &a\n" + "".join(f"  k{i}: 1\n" for i in range(3000)) + "b:\n" + "  - <<: *a\n" * 3000
    return {
        "laughs": laughs,
        "merge": wide,
        "flow": "[" * 200_000,
        "braces": "{" * 200_000,
        "block": "\n".join(" " * i + "a:" for i in range(1500)),
        "question": "? " * 100_000,
        "many": "- a\n" * 900_000,
        "quote": '"' * 100_001,
        "anchors": "&a " * 50_000,
        "large": "# " + "x" * 50_000_000,
        "tabs": "a:\n\tb: 1\n",
        "nul": "a: \0b\n",
        "surrogate": "a: \udcff\n",
        "directive": "%YAML 9.9\n---\na: 1\n",
        "tag": "!<" + "x" * 100_000,
    }


@pytest.mark.parametrize("name", list(_bombs()))
def test_hostile_files_are_bounded(name: str) -> None:
    text = _bombs()[name]
    started = time.process_time()
    stream = read(text)
    assert time.process_time() - started < 3
    for document in stream.documents:
        assert sum(1 for _ in walk(document)) <= 200_000
        repr(document)
    if name in ("flow", "block", "question", "many", "large", "merge"):
        assert stream.problems[-1].fatal
        assert len(stream.problems) <= yamldoc.MAX_PROBLEMS + 2


def test_walk_visits_shared_nodes_once() -> None:
    document = one("a: &a [x]\nb: [*a, *a, *a]\n")
    assert sum(isinstance(n, Sequence) for n in walk(document)) == 2
    assert len(list(walk(document, limit=3))) == 3


_text = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), max_size=8
)
_value = st.recursive(
    _text | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(value=_value, flow=st.booleans(), width=st.integers(20, 80))
def test_dumped_values_are_read_back(value: Any, flow: bool, width: int) -> None:
    text = yaml.dump(value, default_flow_style=flow, width=width, allow_unicode=True)
    stream = read(text)
    assert not stream.problems

    def expect(item: Any, node: Node) -> None:
        if isinstance(item, dict):
            assert isinstance(node, Mapping)
            assert sorted(map(str, item)) == sorted(e.name for e in node.entries)
            for key, inner in item.items():
                expect(inner, get(node, key))
        elif isinstance(item, list):
            assert isinstance(node, Sequence) and len(node.items) == len(item)
            for inner, child in zip(item, node.items, strict=True):
                expect(inner, child)
        else:
            assert isinstance(node, Scalar)
            if isinstance(item, bool):
                assert node.bool() is item
            elif isinstance(item, int):
                if len(str(item)) < 40:
                    assert node.int() == item
            elif item is None:
                assert node.str() is None
            else:
                assert node.text == item

    expect(value, stream.documents[0])


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("ab:- \n\t{}[]&*!|>'\"#%<,?@`$\0é")), max_size=60))
def test_it_never_raises_and_places_lie_in_the_text(text: str) -> None:
    source = SourceText("f.yaml", text)
    stream = parse(source)
    lines = len(source.lines)
    for document in stream.documents:
        for node in walk(document):
            assert 1 <= node.at.line <= node.at.end_line <= lines + 1
            assert (node.at.end_line, node.at.end_column) >= (node.at.line, node.at.column)
    for problem in stream.problems:
        assert 1 <= problem.at.line <= lines + 1


def test_lines_are_counted_as_editors_do() -> None:
    document = one("a: 'x\x85y\u2028z'\nb: 1\n")
    assert get(document, "b").at.line == 2
