"""Deployments that fail the way their issue threads tell, and look-alikes that work."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import answers, dockerfile, of, service

USER = "USER scorer\n"


@pytest.mark.parametrize(
    ("steps", "closed"),
    [
        ("RUN useradd scorer && chmod -R o-rwx /app\n" + USER, True),
        ("RUN useradd scorer && chmod 600 app.py\n" + USER, True),
        ("RUN useradd scorer && chmod -R 644 /app\n" + USER, True),
        ("RUN useradd scorer && chmod -R 644 /app && chown -R scorer /app\n" + USER, True),
        ("COPY --chmod=600 app.py ./\nRUN useradd scorer\n" + USER, True),
        ("RUN chmod 640 app.py\nUSER 1000:1000\n", True),
        ("RUN chmod 700 app.py\nUSER 1000\n", True),
        # A number without an account has root's group.
        ("RUN chmod 640 app.py\nUSER 1000\n", False),
        ("RUN useradd scorer && chmod -R o-rwx /app\n", False),
        ("RUN useradd scorer && chmod -R u=rwX,go=rX /app\n" + USER, False),
        ("RUN useradd scorer && chgrp -R scorer /app && chmod -R 750 /app\n" + USER, False),
        ("RUN useradd scorer && chmod 700 app.py && chown scorer app.py\n" + USER, False),
        ("COPY --chmod=644 app.py ./\nRUN useradd scorer\n" + USER, False),
        (
            "RUN useradd scorer && chmod -R 644 /app && find /app -type d -exec chmod 755 {} +\n"
            + USER,
            False,
        ),
        ("RUN useradd scorer && chmod 600 app.py\nCOPY app.py ./\n" + USER, False),
    ],
)
def test_modules_that_another_user_may_not_read(steps: str, closed: bool, tmp_path: Path) -> None:
    result = service(tmp_path, {"Dockerfile": dockerfile(steps)})
    assert bool(of(result, "IMG026")) is closed
    assert answers(result)[1] == ("no" if closed else "yes")
