"""What every unpickler refuses to do with plain values: operations that no library redefines."""

from __future__ import annotations

from auditor.artifacts.pickle.values import Big, Dct, Lst, Value

# Made by opcodes alone, so of exactly these types.
_PLAIN = frozenset({str, bytes, int, float, bool, type(None), tuple, Lst, Dct, Big})
_SCALARS = frozenset({str, bytes, int, float, bool, type(None), tuple, Big})


def call_refused(func: Value, args: Value, how: str) -> str:
    """Why the call raises in every unpickler; empty when it may not."""
    if type(func) in _PLAIN:
        return "calls what cannot be called"
    if args is None or type(args) in (int, float, bool):
        return f"{how} with arguments that are none"
    return ""


def arguments_refused(args: Value) -> bool:
    """Whether the C unpickler refuses the arguments, though ``pickle.py`` spreads them."""
    return type(args) in (str, bytes, Dct) or (type(args) is Lst and args.kind != "tuple")


def state_refused(target: Value, state: Value) -> bool:
    """Whether BUILD raises: plain values have no ``__dict__``."""
    if type(target) not in _PLAIN or state is None or type(state) is tuple:
        return False
    return not (type(state) is Dct and not state.least)


def items_refused(target: Value, items: list[Value], how: str) -> bool:
    """Whether adding to a plain value raises: it has no such method, or takes no such key."""
    kind = type(target)
    if not items or kind not in _PLAIN:
        return False
    if kind in _SCALARS:
        return True
    if how.startswith("SETITEM"):
        return kind is Lst and (target.kind != "list" or any(type(k) is str for k in items[::2]))
    return kind is Dct or (kind is Lst and (target.kind == "list") != how.startswith("APPEND"))


def keys_refused(keys: list[Value]) -> bool:
    """Whether a key of a dictionary cannot be hashed."""
    return any(type(k) is Dct or (type(k) is Lst and k.kind in ("list", "set")) for k in keys)


__all__ = [
    "arguments_refused",
    "call_refused",
    "items_refused",
    "keys_refused",
    "state_refused",
]
