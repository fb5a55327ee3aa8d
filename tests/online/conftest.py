from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from indexkit import Shelf, serve


@pytest.fixture
def pip_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[Shelf], str]]:
    """Starts an index and makes it the only one that pip is configured for."""
    with ExitStack() as stack:

        def start(shelf: Shelf) -> str:
            url = stack.enter_context(serve(shelf))
            monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
            for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "HTTP_PROXY", "http_proxy",
                         "ALL_PROXY", "all_proxy"):  # fmt: skip
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            monkeypatch.setenv("PIP_INDEX_URL", url)
            monkeypatch.setenv("PIP_RETRIES", "0")
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
            return url

        yield start
