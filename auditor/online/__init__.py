"""``--online``: what the package index knows, asked as pip is configured to ask it.

Nothing outside this package connects. ``using`` makes an index the one that the tables of
``auditor.linking`` fall back on for the time of one audit; without it they have what is shipped.
Whatever fails is ``Unknown`` and a remark, never a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.online.index import Index

_ACTIVE: ContextVar[Index | None] = ContextVar("auditor_online", default=None)


def active() -> Index | None:
    """The index that may be asked now; None when nothing may connect."""
    return _ACTIVE.get()


@contextmanager
def using(index: Index | None) -> Iterator[Index | None]:
    """Let the tables ask this index inside the block."""
    token = _ACTIVE.set(index)
    try:
        yield index
    finally:
        _ACTIVE.reset(token)


@contextmanager
def connected(*, cache: bool) -> Iterator[Index | None]:
    """The user's own index, with pip's configuration, credentials and proxy."""
    from auditor.online.index import Index
    from auditor.online.session import PipSession

    with PipSession(cache=cache) as session, using(Index(session, cache=cache)) as index:
        yield index


__all__ = ["active", "connected", "using"]
