"""SHA-256 without OpenSSL, whose loading takes longer than hashing what little most audits hash."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Protocol

# From here on OpenSSL's speed is worth its loading.
_LARGE = 1 << 20


class Digest(Protocol):
    """What is used of a hash object."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


def sha256(size: int = 0) -> Digest:
    """A SHA-256, to be fed about ``size`` bytes."""
    return _maker(size >= _LARGE)()


@lru_cache(maxsize=2)
def _maker(large: bool) -> Callable[[], Digest]:
    for name in ("hashlib",) if large else ("_sha2", "_sha256", "hashlib"):
        try:
            maker: Callable[[], Digest] = import_module(name).sha256
        except ImportError:
            continue
        return maker
    raise ImportError("this Python has no SHA-256")
