"""What every test at the engine shares: a client, and a state directory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

IMAGE = "python:3.11-slim"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Journals of the test's own, so that nothing of anybody else's is touched."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def client(state: Path) -> Iterator[Any]:
    from auditor.rehearsal import engine

    made = engine.connect()
    yield made
    made.close()


@pytest.fixture
def run(client: Any) -> Iterator[Any]:
    from auditor.rehearsal.journal import Run

    with Run(client) as made:
        yield made


def left_of(client: Any, run_id: str) -> list[str]:
    """Everything at the engine that carries the label of a run."""
    filters = {"label": [f"deploy-audit.rehearsal={run_id}"]}
    found = [f"container {c['Names']}" for c in client.containers(all=True, filters=filters)]
    found += [f"network {n['Name']}" for n in client.networks(filters=filters)]
    found += [f"volume {v['Name']}" for v in client.volumes(filters=filters)["Volumes"] or ()]
    found += [f"image {i['RepoTags']}" for i in client.images(filters=filters)]
    return found
