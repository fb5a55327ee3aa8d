"""Notebooks: cells joined into one module, magics as facts, places in the JSON."""

import json

from auditor.parsers.python import parse
from auditor.source import SourceText


def notebook(*cells, **extra):
    made = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": c} for c in cells]
    return json.dumps({"nbformat": 4, "cells": made, **extra}, indent=1, ensure_ascii=False)


def read(text):
    return parse(SourceText("n.ipynb", text))


def test_cells_magics_and_places():
    text = notebook(
        ["!pip install -q torch==2.1\n", "%matplotlib inline\n", "import numpy as np\n"],
        "%%bash\npip install lightgbm\nls\n",
        ["files = !ls\n", "import pandas"],
        "print 'old'",
    )
    facts = read(text)
    assert facts.notebook
    assert [i.module for i in facts.imports] == ["numpy", "pandas"]
    assert [i.arguments for i in facts.installs] == ["install -q torch==2.1", "install lightgbm"]
    at = facts.imports[0].at
    line = text.split("\n")[at.line - 1]
    assert line[at.column - 1 : at.end_column - 1] == "numpy as np"
    (problem,) = facts.problems
    assert "cell" in problem.message


def test_broken_notebooks():
    assert read("{").problems[0].fatal
    assert read("[]").problems == ()
    assert read("[" * 100_000).problems[0].fatal
    assert read('{"cells": [1, {"cell_type": "code", "source": 5}]}').imports == ()
