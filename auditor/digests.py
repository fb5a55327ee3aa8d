"""SHA-256 without OpenSSL, whose loading takes longer than hashing what little most audits hash."""

from __future__ import annotations

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
    for name in ("hashlib",) if size >= _LARGE else ("_sha2", "_sha256", "hashlib"):
        try:
            digest: Digest = import_module(name).sha256()
        except ImportError:
            continue
        return digest
    raise ImportError("this Python has no SHA-256")
