"""One file as facts: imports, definitions, the Python it needs, bad input."""

import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers.python import parse, standalone
from auditor.source import SourceText


def read(text, path="app.py"):
    return parse(SourceText(path, text))


def spanned(text, at):
    lines = text.split("\n")
    assert at.line == at.end_line
    return lines[at.line - 1][at.column - 1 : at.end_column - 1]


def test_imports_with_guards_and_functions():
    facts = read(
        "import numpy as np, os.path\n"
        "from . import sibling\n"
        "try:\n    import cv2\nexcept ImportError:\n    cv2 = None\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "def f():\n    from torch import nn, jit\n"
    )
    shown = {(i.module, i.level, i.names, i.function, i.guards) for i in facts.imports}
    assert shown == {
        ("numpy", 0, (), "", ()),
        ("os.path", 0, (), "", ()),
        ("", 1, ("sibling",), "", ()),
        ("cv2", 0, (), "", ("import-error",)),
        ("typing", 0, ("TYPE_CHECKING",), "", ()),
        ("pandas", 0, (), "", ("type-checking",)),
        ("torch", 0, ("nn", "jit"), "f", ()),
    }
    assert [i.top for i in facts.imports][:3] == ["numpy", "os", ""]


def test_spans_count_code_points():
    text = 's = "äöü€"; import json as j\n'
    (fact,) = read(text).imports
    assert spanned(text, fact.at) == "json as j"


def test_calls_have_canonical_names():
    facts = read(
        "import numpy as np\nfrom joblib import load as l\nnp.load('x', allow_pickle=True)\nl('y')\n"
    )
    assert [(c.name, c.arguments, c.keywords) for c in facts.calls] == [
        ("numpy.load", ("x",), (("allow_pickle", True),)),
        ("joblib.load", ("y",), ()),
    ]


@pytest.mark.parametrize(
    ("text", "python", "when"),
    [
        ("if (n := 1): pass\n", (3, 8), "parse"),
        ("def f(a, /): pass\n", (3, 8), "parse"),
        ("match x:\n    case 1: pass\n", (3, 10), "parse"),
        ("try: pass\nexcept* ValueError: pass\n", (3, 11), "parse"),
        ("type X = int\n", (3, 12), "parse"),
        ("def f[T](x: T) -> T: return x\n", (3, 12), "parse"),
        ("class A[T: (int, str)](B): pass\n", (3, 12), "parse"),
        ("x = f'{d[\"a\"]} {d['b']}'\n", (3, 12), "parse"),
        ("try: pass\nexcept ValueError, KeyError: pass\n", (3, 14), "parse"),
        ("def f(x: int | None): pass\n", (3, 10), "run"),
        ("def f(x: list[int]): pass\n", (3, 9), "run"),
        ("import tomllib\n", (3, 11), "run"),
        ("from typing import Self\n", (3, 11), "run"),
    ],
)
def test_the_python_that_syntax_needs(text, python, when):
    need = read(text).minimum_python
    assert need is not None
    assert need.python == python
    if not (when == "parse" and need.when == "run"):
        assert need.when == when


@pytest.mark.parametrize(
    "text",
    [
        "from __future__ import annotations\ndef f(x: int | None, y: list[int]): pass\n",
        "def f():\n    x: int | None = None\n",
        "try:\n    import tomllib\nexcept ImportError:\n    import tomli as tomllib\n",
        "flags = a | b\n",
        "print(f'{x!r:>{width}}')\n",
    ],
)
def test_nothing_newer_is_claimed(text):
    assert read(text).minimum_python is None


@pytest.mark.parametrize(
    "text",
    ["print 'x'\n", "try:\n    pass\nexcept ValueError, e:\n    pass\n", "raise E, 'x'\n"],
)
def test_python_2_is_named(text):
    (problem,) = read(text).problems
    assert "Python 2" in problem.message
    assert problem.fatal


@pytest.mark.parametrize(
    "text",
    [
        "x = '\0'\n",
        "(" * 5000 + ")" * 5000,
        "x = " + "-" * 20_000 + "1",
        "x = " + "1+" * 30_000 + "1\n",
        "x = " + "a." * 20_000 + "b\n",
        "x = " + "f(" * 90 + ")" * 90,
        "[" * 90 + "]" * 90,
        "if x:\n" * 1 + "".join(" " * i + "if x:\n" for i in range(1, 95)) + " " * 95 + "pass\n",
        "x = " + "{" * 60 + "}" * 60,
        "lambda: " * 3000 + "0",
        "\f\nimport os\n\f",
        "# -*- coding: latin-1 -*-\nx = 1\n",
        "\ufeffx = 1",
        "",
        "x" * 2_100_000,
        "not " * 5000 + "x",
        "x[" * 80 + "0" + "]" * 80,
        "def f():\n  return f()\nf()\n",
        "class A(A): pass\n",
        "x = 9 ** 9 ** 9 ** 9\ny = 'a' * 10 ** 10\nz = '%1000000000d' % 1\n",
        "x = [0] * 100\nfor a in x:\n  for b in x:\n    for c in x:\n      for d in x: open(str(a))\n",
        "x = f'{1:1000000000}'\n",
        "import " + "a." * 3000 + "b\n",
        "x = [1]\n" + "x = [x, x]\n" * 60 + "y = '%s' % x\nopen(str(x))\nz = x == x\n",
        "x = [1]\nx.append(x)\ny = f'{x}'\nopen(x[1][1][0])\n",
        "L = [1,2,3,4,5,6,7,8,9]\nx = " + "[" * 9 + "1" + " for a in L]" * 9 + "\n",
        "x = 'a'\n" + "x = x + x\n" * 80 + "d = {}\n" + "d['k'] = d\n" * 3 + "open(d['k']['k'])\n",
    ],
)
def test_hostile_source_is_bounded(text):
    start = time.process_time()
    facts = read(text)
    trace = standalone(facts)
    assert all("followed" not in problem.message for problem in trace.problems)
    assert time.process_time() - start < 4


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_never_raises(data):
    if isinstance(data, bytes):
        source = SourceText.decode("x.py", data)
    else:
        source = SourceText("x.py", data)
    facts = parse(source)
    standalone(facts)
    parse(source, notebook=True)
    assert facts.tree is not None or facts.problems


def test_facts_are_values():
    facts = read("import os\nclass A:\n    x: int = 1\n    def m(self): pass\n")
    assert hash(facts) == hash(read("import os\nclass A:\n    x: int = 1\n    def m(self): pass\n"))
    assert pickle.loads(pickle.dumps(facts)) == facts
    assert facts.classes[0].methods == ("m",)
    assert facts.classes[0].fields[0].name == "x"


def test_main_guard_and_names():
    facts = read("import a.b\nX = 1\nif '__main__' == __name__:\n    run()\n")
    assert facts.main_guard is not None
    assert facts.main_guard.line == 3
    assert facts.names == ("a", "X")
