"""pyproject.toml, setup.py, setup.cfg, conda environments and interpreter declarations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers import conda, locks, pyproject, pyversion, setup_py
from auditor.source import Location, SourceText, Unknown


def spot(text: str, at: Location) -> str:
    assert at.line == at.end_line
    return text.split("\n")[at.line - 1][at.column - 1 : at.end_column - 1]


PROJECT = """\
[project]
name = "x"
requires-python = ">=3.9"
dependencies = [
  "flask>=2", # web
  'tomli==2.0.1; python_version < "3.11"',
  "a ; sys_platform == \\"win32\\"",
]
[project.optional-dependencies]
data = ["joblib"]
[dependency-groups]
test = ["pytest>=8"]
dev = [{include-group = "test"}, "ruff"]
loop = [{include-group = "loop"}]
[tool.uv]
package = false
"""


def test_pep_621_and_735_with_places():
    facts = pyproject.parse(SourceText("pyproject.toml", PROJECT))
    assert [r.name for r in facts.dependencies] == ["flask", "tomli", "a"]
    for requirement in facts.dependencies:
        assert spot(PROJECT, requirement.name_at) == requirement.name
    assert spot(PROJECT, facts.dependencies[1].specifier_at) == "==2.0.1"
    assert facts.requires_python.value == ">=3.9"
    assert [r.name for r in facts.group("dev").requirements] == ["ruff", "pytest"]
    assert facts.group("data", "extra").requirements[0].at.line == 10
    assert facts.is_library is False
    assert len(facts.problems) == 1
    assert "loop" in facts.problems[0].message


@pytest.mark.parametrize(
    ("constraint", "specifier"),
    [
        ("^1.2.3", ">=1.2.3,<2.0.0"),
        ("^0.2.3", ">=0.2.3,<0.3.0"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0", ">=0,<1"),
        ("^3.9", ">=3.9,<4.0"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.3", "==1.2.3"),
        ("1.2.*", "==1.2.*"),
        ("*", ""),
        (">=1.2,<2", ">=1.2,<2"),
        (">=1.2 <2", ">=1.2,<2"),
    ],
)
def test_poetry_constraints(constraint, specifier):
    assert pyproject.poetry_specifier(constraint) == specifier


def test_a_union_is_unknown():
    assert isinstance(pyproject.poetry_specifier("^1 || ^3"), Unknown)


def test_setup_py_is_read_without_running():
    text = (
        "from setuptools import setup\n"
        "BASE = ['flask>=2', 'numpy==1.26.4']\n"
        "setup(name='x', install_requires=BASE + ['requests'], python_requires='>=3.9',\n"
        "      extras_require={'dev': ['pytest']})\n"
    )
    facts = setup_py.parse_setup_py(SourceText("setup.py", text))
    assert [r.name for r in facts.dependencies] == ["flask", "numpy", "requests"]
    assert spot(text, facts.dependencies[1].specifier_at) == "==1.26.4"
    assert facts.groups[0].requirements[0].name == "pytest"
    read = setup_py.parse_setup_py(
        SourceText("setup.py", "setup(install_requires=open('requirements.txt').read().split())")
    )
    assert isinstance(read.dependencies, Unknown)
    assert [d.value for d in read.reads] == ["requirements.txt"]


def test_setup_cfg():
    text = "[options]\npython_requires = >=3.8\ninstall_requires =\n    flask>=2\n    a; os_name=='nt'\n"
    facts = setup_py.parse_setup_cfg(SourceText("setup.cfg", text))
    assert [r.name for r in facts.dependencies] == ["flask", "a"]
    assert facts.dependencies[1].marker
    assert spot(text, facts.dependencies[0].specifier_at) == ">=2"


@pytest.mark.parametrize(
    ("text", "name", "version", "pinned"),
    [
        ("numpy", "numpy", "", False),
        ("numpy=1.21", "numpy", "1.21", False),
        ("numpy=1.21.2", "numpy", "1.21.2", True),
        ("numpy==1.21", "numpy", "1.21", True),
        ("numpy=1.21.2=py39h_0", "numpy", "1.21.2", True),
        ("conda-forge::numpy>=1.2,<2", "numpy", ">=1.2,<2", False),
        ("https://c.invalid/linux-64/numpy-1.21-py39_0.conda#ab", "numpy", "1.21", True),
    ],
)
def test_conda_specifications(text, name, version, pinned):
    spec = conda.parse_spec(text, Location("environment.yml"))
    assert (spec.name, spec.version, spec.is_pinned) == (name, version, pinned)


@pytest.mark.parametrize(
    ("path", "text", "versions"),
    [
        (".python-version", "3.11.4\n3.10\n", ["3.11.4", "3.10"]),
        ("runtime.txt", "python-3.9.18\n", ["3.9.18"]),
        (".tool-versions", "nodejs 20\npython 3.12.1 3.11\n", ["3.12.1", "3.11"]),
        ("Pipfile", '[requires]\npython_version = "3.11"\n', ["3.11"]),
    ],
)
def test_interpreter_declarations(path, text, versions):
    found = pyversion.parse(SourceText(path, text)).versions
    assert [v.version for v in found] == versions
    assert all(v.version in spot(text, v.at) for v in found)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=120))
def test_nothing_raises_on_noise(text):
    pyproject.parse(SourceText("pyproject.toml", text))
    setup_py.parse_setup_py(SourceText("setup.py", text))
    setup_py.parse_setup_cfg(SourceText("setup.cfg", text))
    conda.parse_explicit(SourceText("spec.txt", text))
    for name in ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"):
        locks.parse(SourceText(name, text))
    for name in (".python-version", "runtime.txt", ".tool-versions", "Pipfile"):
        pyversion.parse(SourceText(name, text))
