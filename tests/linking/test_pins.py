"""Requirements of one list that no set of releases satisfies."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from auditor.config import Settings
from auditor.engine import audit
from auditor.linking.pins import _before, _limits


@pytest.mark.parametrize(
    ("lines", "clash"),
    [
        (["fastapi==0.115.6", "starlette<0.36"], "fastapi 0.115.6 needs starlette"),
        (["fastapi>=0.115", "starlette<0.36"], "fastapi 0.115 and newer needs starlette>="),
        (["pandas==2.2.3", "numpy<1.22"], "pandas 2.2.3 needs numpy"),
        # Ranges that meet, or that an older release can answer.
        (["fastapi==0.115.6", "starlette>=0.36,<0.42"], ""),
        (["fastapi>=0.95", "starlette<0.36"], ""),
        (["fastapi", "starlette<0.36"], ""),
        (["pandas>=2.2", "numpy<2"], ""),
        # What another interpreter or system is to get does not meet this one's.
        (["numba==0.57.0", "numpy==1.26.4"], "numba 0.57.0 needs numpy"),
        (["numba==0.57.0", "numpy==1.26.4; python_version >= '3.12'"], ""),
        (["numba==0.57.0; sys_platform == 'darwin'", "numpy==1.26.4"], ""),
        # A shorter way to write the release that is asked for.
        (["langchain-core==1.3.0", "jsonpatch==1.33"], ""),
    ],
)
def test_ranges_that_no_release_satisfies(tmp_path: Path, lines: list[str], clash: str) -> None:
    (tmp_path / "requirements.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (tmp_path / "main.py").write_text("print('served')\n", "utf-8")
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.10-slim\nCOPY . .\nRUN pip install -r requirements.txt\n"
        'CMD ["python", "main.py"]\n',
        "utf-8",
    )
    said = [f.message for f in audit(tmp_path, Settings()).findings if f.rule == "ENV008"]
    assert any(clash in message for message in said) if clash else not said


_VERSIONS = st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)).map(
    lambda parts: ".".join(map(str, parts))
)
_CLAUSES = st.lists(
    st.builds(
        lambda op, v: f"{op}{v}", st.sampled_from(["==", ">=", "<=", "<", ">", "~="]), _VERSIONS
    ),
    min_size=1,
    max_size=2,
).map(",".join)


@given(_CLAUSES, _CLAUSES)
def test_disjoint_ranges_share_no_version(first: str, second: str) -> None:
    newest, oldest = _limits(first)[1], _limits(second)[0]
    if newest is None or oldest is None or not _before(newest, oldest):
        return
    both = SpecifierSet(f"{first},{second}")
    every = [Version(f"{a}.{b}.{c}") for a in range(4) for b in range(5) for c in range(5)]
    assert not any(both.contains(version) for version in every)
