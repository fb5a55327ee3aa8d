"""Helm charts: the language, its functions, values and subcharts; hostile charts; the real helm."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers import gotemplate, helm, kubernetes, sprig, yamldoc
from auditor.source import SourceText, Unknown


class Tree:
    """Files in memory."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def read(self, path: str) -> SourceText | None:
        return SourceText(path, self.files[path]) if path in self.files else None

    def below(self, directory: str) -> list[str]:
        return sorted(p for p in self.files if not directory or p.startswith(f"{directory}/"))


def chart(template: str, values: str = "", **more: str) -> helm.Chart:
    files = {
        "c/Chart.yaml": "apiVersion: v2\nname: price\nversion: 1.2.0\nappVersion: '3.4'\n",
        "c/values.yaml": values,
        "c/templates/a.yaml": template,
        **{name.replace("__", "/"): text for name, text in more.items()},
    }
    made = helm.render(Tree(files), "c")
    assert made is not None
    return made


def one(template: str, values: str = "") -> Any:
    """What the value of ``v:`` is, once rendered."""
    made = chart(f"kind: X\nv: {template}\n", values)
    assert not made.problems, made.problems
    node = made.streams[0].documents[0]
    assert isinstance(node, yamldoc.Mapping)
    found = node.get("v")
    assert isinstance(found, yamldoc.Scalar)
    return found.text


# As `helm template` prints them.
SAID = [
    ("{{ .Values.a }}", "a: 8080", "8080"),
    ("{{ .Values.a }}", "a: 1000000", "1e+06"),
    ("{{ .Values.a | int }}", "a: 1000000", "1000000"),
    ("{{ .Values.a }}", "a: 1.10", "1.1"),
    ("{{ .Values.a }}", "a: yes", "true"),
    ("{{ .Values.a | quote }}", 'a: "8080"', "8080"),
    ("{{ .Values.a | default 5 }}", "a: 0", "5"),
    ("{{ .Values.none | default .Chart.AppVersion }}", "", "3.4"),
    ("{{ .Release.Name }}-{{ .Chart.Name }}", "", "price-price"),
    ('{{ printf "%s:%d" .Values.a (int .Values.b) }}', "a: x\nb: 3", "x:3"),
    ("{{ if and .Values.a (eq .Values.b 2.0) }}y{{ else }}n{{ end }}", "a: 1\nb: 2", "y"),
    ("{{ if .Values.a }}y{{ else if .Values.b }}e{{ else }}n{{ end }}", "a: 0\nb: 1", "e"),
    ("{{ range $i, $x := .Values.a }}{{ $i }}{{ $x }}{{ end }}", "a: [p, q]", "0p1q"),
    ("{{ range $k, $x := .Values.a }}{{ $k }}{{ end }}", "a: {q: 1, p: 2}", "pq"),
    ("{{ with .Values.a }}{{ .b }}{{ $.Values.c }}{{ end }}", "a: {b: 1}\nc: 2", "12"),
    ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "", "2"),
    ("{{ tpl .Values.a . }}", "a: '{{ .Chart.Version }}'", "1.2.0"),
    ('{{ ternary "a" "b" .Values.a }}', "a: false", "b"),
    ('{{ semverCompare ">=1.19-0" .Capabilities.KubeVersion.GitVersion }}', "", "true"),
    ('{{ regexReplaceAll "[^a-z]+" "ab1c" "-" }}', "", "ab-c"),
    ('{{ "abcdef" | trunc 3 | upper | trimSuffix "C" }}', "", "AB"),
    ('{{ dig "a" "b" "no" .Values.x }}', "x: {a: {b: yes}}", "true"),
    ("{{- /* nothing */}} x", "", "x"),
    ('{{ list 1 2 2 | uniq | join "," }}', "", "1,2"),
    ("{{ index .Values.a 1 }}{{ (index .Values.a 0) }}", "a: [p, q]", "qp"),
    ("{{ .Values.a | toJson | quote }}", "a: {b: 8000}", '{"b":8000}'),
    ('{{ get (fromYaml "a: {b: 1}") "a" | len }}', "", "1"),
]


@pytest.mark.parametrize(("template", "values", "wanted"), SAID)
def test_said_as_helm_says_it(template: str, values: str, wanted: str) -> None:
    assert one(template, values) == wanted


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "price.name" . }}
spec:
  template:
    metadata:
      labels:
        {{- include "price.labels" . | nindent 8 }}
    spec:
      containers:
        - name: api
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          env:
            {{- range $name, $value := .Values.env }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
"""
HELPERS = """\
{{- define "price.name" -}}
{{- printf "%s-%s" .Release.Name "api" | trunc 63 -}}
{{- end }}
{{- define "price.labels" -}}
app: {{ .Chart.Name }}
tier: web
{{- end -}}
"""
VALUES = """\
image: {repository: reg/price, tag: "2"}
resources:
  limits: {cpu: 500m, memory: 1Gi}
env: {PORT: 8000, LEVEL: info}
"""


def test_facts_keep_the_template_line() -> None:
    made = chart(DEPLOYMENT, VALUES, **{"c__templates___helpers.tpl": HELPERS})
    (workload,) = kubernetes.read(made.streams[0]).of(kubernetes.Workload)
    assert workload.name == "price-api"
    assert {k: str(v) for k, v in workload.pod.labels} == {"app": "price", "tier": "web"}
    (container,) = workload.pod.containers
    assert str(container.image) == "reg/price:2"
    assert container.image is not None
    assert (container.image.at.path, container.image.at.line) == ("c/templates/a.yaml", 13)
    assert [(v.name, v.value) for v in container.env] == [("LEVEL", "info"), ("PORT", "8000")]
    assert container.resources is not None
    assert str(container.resources.limit("memory")) == "1Gi"
    assert container.resources.at.line == 16


def test_production_values_are_laid_over() -> None:
    made = chart(
        "kind: X\nv: {{ .Values.a }}{{ .Values.b }}\n",
        "a: 1\nb: 2\n",
        **{"c__values-dev.yaml": "a: 7\n", "c__values.production.yaml": "b: 9\n"},
    )
    node = made.streams[0].documents[0]
    assert isinstance(node, yamldoc.Mapping)
    assert sprig.plain(node)["v"] == 19
    assert made.values == ("c/values.yaml", "c/values.production.yaml")


def test_subchart_sees_its_values_and_the_global_ones() -> None:
    made = chart(
        "kind: X\n",
        "cache: {size: 5}\nglobal: {zone: eu}\n",
        **{
            "c__charts__cache__Chart.yaml": "name: cache\n",
            "c__charts__cache__values.yaml": "size: 1\nkind: lru\n",
            "c__charts__cache__templates__s.yaml": (
                "kind: Z\nv: {{ .Values.size }}{{ .Values.kind }}{{ .Values.global.zone }}\n"
            ),
        },
    )
    texts = [sprig.plain(d) for s in made.streams for d in s.documents]
    assert {"kind": "Z", "v": "5lrueu"} in texts


def test_condition_leaves_a_subchart_out() -> None:
    files = {
        "c/Chart.yaml": "name: p\ndependencies:\n  - {name: cache, condition: cache.enabled}\n"
        "  - {name: postgres, repository: https://x}\n",
        "c/values.yaml": "cache: {enabled: false}\n",
        "c/charts/cache/Chart.yaml": "name: cache\n",
        "c/charts/cache/templates/s.yaml": "kind: Y\n",
    }
    made = helm.render(Tree(files), "c")
    assert made is not None
    assert made.streams == ()
    assert [(d.name, d.bundled) for d in made.dependencies] == [
        ("cache", True),
        ("postgres", False),
    ]


def test_unknown_values_are_carried() -> None:
    made = chart(
        'kind: X\na: {{ randAlphaNum 5 }}\nb: "x-{{ now }}"\nc: {{ required "give c" .Values.c }}\nd: 1\n'
    )
    node = made.streams[0].documents[0]
    assert isinstance(node, yamldoc.Mapping)
    for key in "abc":
        found = node.get(key)
        assert isinstance(found, yamldoc.Scalar)
        assert found.is_template
    assert sprig.plain(node)["d"] == 1.0
    assert isinstance(sprig.plain(node)["a"], Unknown)


def test_branch_on_the_unknown_leaves_the_template_out() -> None:
    made = chart("kind: X\n{{ if randAlphaNum 5 }}\na: 1\n{{ end }}")
    assert made.streams == ()
    assert made.unread == ("c/templates/a.yaml",)
    assert "fails" not in made.problems[0].message


@pytest.mark.parametrize(
    ("template", "line", "words"),
    [
        ("a: 1\nb: {{ .Values.x.y }}\n", 2, "nil pointer"),
        ("{{ if .Values.a }}\na: 1\n", 1, "no end"),
        ('a: 1\n\nb: {{ include "nothing" . }}\n', 3, 'no template "nothing"'),
        ("a: {{ .Values.n | }}\n", 1, "missing value"),
        ('a: 1\nb: {{ include "h" . }}\n{{ define "h" }}\n\n{{ .Values.x.y }}{{ end }}', 2, "nil"),
    ],
)
def test_failure_has_its_line(template: str, line: int, words: str) -> None:
    made = chart(template)
    assert made.streams == ()
    (problem,) = made.problems
    assert problem.at.line == line
    assert words in problem.message


HOSTILE = [
    '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
    "{{ range until 100000 }}{{ range until 100000 }}x{{ end }}{{ end }}",
    '{{ repeat 100000000 "x" }}',
    '{{ regexMatch "(a+)+$" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" }}',
    "{{ " + "(" * 5000 + "}}",
    "{{ if true }}" * 500 + "{{ end }}" * 500,
    '{{ $x := "aaaaaaaaaa" }}' + "{{ $x = print $x $x $x $x }}" * 30 + "{{ $x }}",
    '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toYaml $d }}{{ toJson $d }}{{ $d }}',
    "{{ $x := list 1 }}" + "{{ $x = list $x $x $x }}" * 40 + "{{ $x }}{{ toJson $x }}",
    "{{ $x := list 1 2 }}" + "{{ $x = concat $x $x }}" * 40 + "{{ len $x }}",
    '{{ $x := repeat 9999 "a" }}' + '{{ $x = replace "a" "aaaa" $x }}' * 20,
    "{{ tpl .Values.t . }}",
    "{{ div 1 0 }}{{ index (list) 5 }}{{ add nil nil }}",
]


@pytest.mark.parametrize("template", HOSTILE)
def test_hostile_template_ends(template: str) -> None:
    chart(template, "t: '{{ tpl .Values.t . }}'")


PIECES = st.sampled_from(
    ["{{", "}}", "{{-", "-}}", " .Values.a ", "if ", "range ", "end", "else", '"x"', "|", "(", ")",
     "\n", "a: ", "$x := ", "define ", "include ", "toYaml ", "nindent 2", "/*", "*/", "`", "'", "9"]
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join), st.text(max_size=30))
def test_anything_is_read_without_raising(template: str, values: str) -> None:
    chart(template, values)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False, width=32)
        | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcXYZ019_ :#-", max_size=6), inner, max_size=3),
        max_leaves=12,
    )
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_yaml_written_is_the_value_read(value: Any) -> None:
    """``toYaml`` and the reader agree, for maps at the top as charts have them."""
    text = sprig.to_yaml({"v": value})
    read = yamldoc.parse(SourceText("", text))
    assert not read.problems or any(ord(c) < 32 or ord(c) > 126 for c in text)
    if not read.problems and text.isascii() and not any(ord(c) < 32 and c != "\n" for c in text):
        assert _whole(sprig.plain(read.documents[0])) == _whole({"v": value})


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _whole(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_whole(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


@pytest.mark.oracle
@pytest.mark.skipif(not (os.environ.get("HELM") or shutil.which("helm")), reason="no helm")
def test_the_real_helm_agrees(tmp_path: Path) -> None:
    lines = "".join(f"v{n}: {t}\n" for n, (t, _, _) in enumerate(SAID[:3]))
    root = tmp_path / "c"
    (root / "templates").mkdir(parents=True)
    (root / "Chart.yaml").write_text("apiVersion: v2\nname: price\nversion: 1.2.0\n")
    (root / "values.yaml").write_text("a: 1000000\n")
    (root / "templates" / "a.yaml").write_text("kind: X\n" + lines)
    program = os.environ.get("HELM") or "helm"
    done = subprocess.run(
        [program, "template", "price", str(root)], capture_output=True, text=True, check=True
    )
    theirs = sprig.plain(yamldoc.parse(SourceText("", done.stdout)).documents[0])
    made = chart("kind: X\n" + lines, "a: 1000000\n")
    assert sprig.plain(made.streams[0].documents[0]) == theirs


def test_numbers_as_go_prints_them() -> None:
    said = {8080.0: "8080", 1e6: "1e+06", 123456789.0: "1.23456789e+08", 0.5: "0.5", 1e-7: "1e-07"}
    assert {n: gotemplate.number(n) for n in said} == said


def test_fields_of_nothing_in_parentheses_are_nothing() -> None:
    """``(.Values.a.b).c`` is how charts ask for what may be missing; without them it is an error."""
    safe = chart(
        "k: {{ (.Values.a.b).c | default 1 }}\nj: {{ ((.Values.a.b).c).d | default 2 }}\n",
        "a: {}\n",
    )
    assert safe.problems == ()
    assert [str(stream.documents[0].get("k").text) for stream in safe.streams] == ["1"]  # type: ignore[union-attr]
    bare = chart("k: {{ .Values.a.b.c | default 1 }}\n", "a: {}\n")
    assert ["nil pointer" in p.message for p in bare.problems] == [True]


def test_the_base_path_is_the_chart_s_templates() -> None:
    text = "p: {{ .Template.BasePath }}\nn: {{ .Template.Name }}\n"
    made = chart("a: 1\n", **{"c/templates/web/b.yaml": text})
    told = [s.documents[0] for s in made.streams if "BasePath" in text and s.documents]
    assert [d.get("p").text for d in told if d.get("p") is not None] == ["price/templates"]  # type: ignore[union-attr]
    assert [d.get("n").text for d in told if d.get("n") is not None] == [
        "price/templates/web/b.yaml"
    ]  # type: ignore[union-attr]


def test_values_for_a_chart_that_lie_elsewhere() -> None:
    text = "k: {{ .Values.a.b.c }}\n"
    assert chart(text, "a: {}\n").more_values == ""
    assert chart(text, "a: {}\n", **{"c/values-prod2.yaml": "a: 1\n"}).more_values
    assert chart(text, "a: {}\n", **{"argo/values/price.yaml": "a: 1\n"}).more_values
