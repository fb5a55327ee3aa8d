"""What an engine takes for the name of an image."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.parsers.references import refused

NAMES = [
    "python-none:3.11-slim",
    "Python:3.11-slim",
    "acme/MyApp",
    "acme/my_app:V1.0",
    "acme/my__app",
    "acme/my-app-:1",
    "acme/-app:1",
    "app:",
    "app:v1.0+gpu",
    "app:feature/x",
    "localhost:5000/app:1",
    "gcr.io/acme/app:1",
    "gcr.io/acme/App:1",
    "registry.acme.io:443/team/app:1",
    "app@sha256:abc",
    "app@sha256:to-be-pinned",
    "acme/a..b",
    "acme/a___b",
    "acme/a-_b",
    "a/b/c/d:1",
]


@pytest.mark.rehearsal
@pytest.mark.parametrize("name", [*NAMES, "app@sha256:" + "0" * 64])
def test_the_engine_refuses_the_same(client: Any, name: str) -> None:
    """It reads a name before it looks for the image."""
    with pytest.raises(Exception) as raised:
        client.create_container(image=name)
    assert ("invalid reference format" in str(raised.value)) is bool(refused(name))
