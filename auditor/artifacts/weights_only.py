"""The restricted unpickler of torch, followed opcode by opcode without loading anything.

It is a small machine of its own (torch/_weights_only_unpickler.py): fewer opcodes than pickle's,
imports and calls from one list, items and states only for a few types.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from auditor.artifacts.blob import Blob

_U4 = Struct("<I").unpack_from
# Beyond this many opcodes the answer rests on the names alone.
MOST = 3_000_000

# What is on its stack: the name of a global, or one of these.
_DATA, _LIST, _DICT, _TUPLE, _SET = "number", "list", "dict", "tuple", "set"
_OBJECT, _REFUSED, _PLAIN = "an object", "what was refused", "an ordinary object"
_ITEMS = frozenset({_DICT, "collections.OrderedDict", "collections.Counter"})
_SIZED = {0x4A: 4, 0x4B: 1, 0x4D: 2, 0x47: 8}  # BININT, BININT1, BININT2, BINFLOAT
_PUSHED = {
    0x4E: _DATA,  # NONE
    0x88: _DATA,  # NEWTRUE
    0x89: _DATA,  # NEWFALSE
    0x29: _TUPLE,  # EMPTY_TUPLE
    0x5D: _LIST,  # EMPTY_LIST
    0x7D: _DICT,  # EMPTY_DICT
    0x8F: _SET,  # EMPTY_SET
}
# Functions of the list that make tensors, parameters and other objects that may be given a state.
_MAKES_STATEFUL = ("torch._utils._rebuild_", "torch._tensor._rebuild_", "torch.nn.")


class RefusedError(Exception):
    """Where the restricted unpickler stops."""


@lru_cache(maxsize=1)
def allowed_globals() -> frozenset[str]:
    """What it knows without ``add_safe_globals``."""
    from auditor.catalog import knowledge

    return frozenset(knowledge("torch_weights_only.json")["globals"])


@lru_cache(maxsize=1)
def _renamed() -> tuple[dict[tuple[str, str], tuple[str, str]], dict[str, str]]:
    from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

    return dict(NAME_MAPPING), dict(IMPORT_MAPPING)


def objections(blob: Blob, *, streams: int, legacy: bool = False) -> list[str]:
    """What stops ``torch.load(weights_only=True)`` in these streams, in order; [] when nothing does.

    IndexError and the like where the stream is damaged; TimeoutError when it is too long.
    """
    found: list[str] = []
    at = 0
    budget = MOST
    for _ in range(streams):
        machine = _Restricted(blob, found, budget, legacy=legacy)
        at = machine.run(at)
        budget = machine.budget
        if machine.stopped:
            break
    return list(dict.fromkeys(found))


class _Restricted:
    def __init__(self, blob: Blob, found: list[str], budget: int, *, legacy: bool) -> None:
        self.data = blob.data
        self.base = blob.start
        self.end = blob.end
        self.found = found
        self.budget = budget
        self.legacy = legacy
        self.stopped = False
        self.stack: list[str] = []
        self.marks: list[list[str]] = []
        self.memo: dict[int, str] = {}

    def run(self, at: int) -> int:
        """The offset behind the stream. Names are collected, anything else ends it."""
        try:
            return self._run(self.base + at) - self.base
        except RefusedError as error:
            self.found.append(str(error))
            self.stopped = True
            return at

    def _run(self, at: int) -> int:
        data, end = self.data, self.end
        while True:
            self.budget -= 1
            if self.budget < 0:
                raise TimeoutError
            if at >= end:
                raise IndexError(at)
            code = data[at]
            at += 1
            stack = self.stack
            if code in (0x71, 0x68):  # BINPUT, BINGET
                self._memo(code == 0x71, data[at])
                at += 1
            elif code in (0x72, 0x6A):  # LONG_BINPUT, LONG_BINGET
                self._memo(code == 0x72, _U4(data, at)[0])
                at += 4
            elif code in _SIZED:
                stack.append(_DATA)
                at += _SIZED[code]
            elif code == 0x58:  # BINUNICODE
                stack.append(
                    "'" + data[at + 4 : at + 4 + min(_U4(data, at)[0], 40)].decode("latin-1")
                )
                at += 4 + int(_U4(data, at)[0])
            elif code == 0x55:  # SHORT_BINSTRING
                stack.append("'" + data[at + 1 : at + 1 + data[at]].decode("latin-1"))
                at += 1 + data[at]
            elif code == 0x8A:  # LONG1
                stack.append(_DATA)
                at += 1 + data[at]
            elif code in _PUSHED:
                stack.append(_PUSHED[code])
            elif code == 0x28:  # MARK
                self.marks.append(stack)
                self.stack = []
            elif code == 0x63:  # GLOBAL
                at = self._global(at)
            elif code == 0x80:  # PROTO
                at += 1
            elif code == 0x2E:  # STOP
                stack.pop()
                return at
            else:
                self._act(code)

    def _memo(self, put: bool, index: int) -> None:
        if put:
            self.memo[index] = self.stack[-1]
        else:
            self.stack.append(self.memo[index])

    def _popped(self) -> list[str]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def _global(self, at: int) -> int:
        middle = self.data.find(b"\n", at, self.end)
        last = self.data.find(b"\n", middle + 1, self.end)
        if middle < 0 or last < 0:
            raise IndexError(at)
        module = self.data[at:middle].decode("utf-8", "replace")
        name = self.data[middle + 1 : last].decode("utf-8", "replace")
        names, modules = _renamed()
        module, name = names.get((module, name), (modules.get(module, module), name))
        dotted = f"{module}.{name}"
        if dotted in allowed_globals():
            self.stack.append("@" + dotted)
        else:
            self.found.append(dotted)
            self.stack.append(_REFUSED)
        return last + 1

    def _act(self, code: int) -> None:
        stack = self.stack
        if code == 0x74:  # TUPLE
            items = self._popped()
            self.stack.append(_tuple(items))
        elif code in (0x85, 0x86, 0x87):  # TUPLE1, TUPLE2, TUPLE3
            count = code - 0x84
            stack[-count:] = [_tuple(stack[-count:])]
        elif code == 0x52:  # REDUCE
            stack.pop()
            stack[-1] = self._called(stack[-1])
        elif code == 0x81:  # NEWOBJ
            stack.pop()
            cls = stack.pop()
            if cls != _REFUSED and not cls.startswith("@"):
                raise RefusedError(f"makes an instance of {_named(cls)}")
            made = cls[1:]
            stack.append(cls if cls == _REFUSED else made if made in _STATEFUL else _OBJECT)
        elif code == 0x62:  # BUILD
            stack.pop()
            what = stack[-1]
            if what != _REFUSED and what != _OBJECT and what not in _STATEFUL:
                raise RefusedError(f"sets the state of {_named(what)}")
        elif code == 0x61:  # APPEND
            stack.pop()
            self._into((_LIST,), "appends to")
        elif code == 0x65:  # APPENDS
            self._popped()
            self._into((_LIST,), "appends to")
        elif code == 0x73:  # SETITEM
            del stack[-2:]
            self._into(tuple(_ITEMS), "sets items of")
        elif code == 0x75:  # SETITEMS
            self._popped()
            self._into(tuple(_ITEMS), "sets items of")
        elif code == 0x51:  # BINPERSID
            stack[-1] = self._persistent(stack[-1])
        else:
            from pickletools import opcodes

            name = next((op.name for op in opcodes if op.code == chr(code)), f"{code:#04x}")
            raise RefusedError(f"the opcode {name}, which is not understood")

    def _into(self, wanted: tuple[str, ...], what: str) -> None:
        target = self.stack[-1]
        if target not in wanted and target != _REFUSED:
            raise RefusedError(f"{what} {_named(target)}")

    def _called(self, function: str) -> str:
        if function == _REFUSED:
            return _REFUSED
        if not function.startswith("@"):
            raise RefusedError(f"calls {_named(function)}")
        return _stateful(function[1:])

    def _persistent(self, pid: str) -> str:
        if pid == _DATA:
            return _PLAIN
        if not pid.startswith("("):
            raise RefusedError("a persistent id that is no tuple")
        kind, _, storage = pid[1:].partition(",")
        if kind != "'storage" and pid != "(":
            raise RefusedError("a persistent id that stands for no storage")
        if self.legacy and storage.partition(",")[0] == "@torch.storage.UntypedStorage":
            raise RefusedError("an untyped storage in the old format")
        return _PLAIN


_STATEFUL = frozenset({"collections.OrderedDict", "collections.Counter"})


def _stateful(name: str) -> str:
    if name in _STATEFUL:
        return name
    return _OBJECT if name.startswith(_MAKES_STATEFUL) or name == "torch.Tensor" else _PLAIN


def _tuple(items: list[str]) -> str:
    # Two parts are what a persistent id is told by.
    if items and items[0] == "'storage":
        return "(" + ",".join(items[:2])
    return "(?" if items else _TUPLE


def _named(what: str) -> str:
    if what.startswith("'"):
        return "a text"
    if what.startswith("("):
        return "a tuple"
    return what[1:] if what.startswith("@") else what if " " in what else f"a {what}"
