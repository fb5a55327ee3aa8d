"""An abstract pickle machine: follows a stream as the unpickler would, and calls nothing.

Where the C unpickler and ``pickle._Unpickler`` differ, the machine goes on as far as the one that
goes further, and reports an anomaly. Opcode semantics: ``pickletools`` and PEP 3154, 574.
"""

from __future__ import annotations

import codecs
import contextlib
from _compat_pickle import IMPORT_MAPPING as IMPORT_MAPPING
from _compat_pickle import NAME_MAPPING as NAME_MAPPING
from bisect import bisect_right
from collections.abc import Callable
from mmap import mmap
from struct import Struct
from typing import Protocol, TypeAlias

from auditor.artifacts.pickle.runs import Run, Shape, count, find_shape, memoised
from auditor.artifacts.pickle.values import (
    EMPTY_TUPLE,
    KEEP,
    Big,
    Call,
    Dct,
    Glob,
    Lst,
    Pers,
    Unk,
    Value,
)

Buffer: TypeAlias = bytes | mmap

_U2 = Struct("<H").unpack_from
_I4 = Struct("<i").unpack_from
_U4 = Struct("<I").unpack_from
_U8 = Struct("<Q").unpack_from
_F8 = Struct(">d").unpack_from

HIGHEST_PROTOCOL = 5
# Batches shorter than this are followed opcode by opcode.
_WORTH = 2048
# Longer strings, bytes and numbers are noted, not held.
HOLD = 4096
# Line-oriented operands are parsed up to this length; int() of more digits is quadratic.
DIGITS = 4000


class Observer(Protocol):
    """Who is told what the unpickler would do, at the moment it would do it."""

    def on_global(self, found: Glob) -> None: ...
    def on_call(self, call: Call) -> None: ...
    def on_build(self, target: Value, state: Value, offset: int) -> None: ...
    def on_add(self, target: Value, items: list[Value], how: str, offset: int) -> None: ...
    def on_persistent(self, found: Pers) -> None: ...
    def on_extension(self, code: int, offset: int) -> None: ...
    def on_buffer(self, offset: int) -> None: ...
    def on_anomaly(self, message: str, offset: int) -> None: ...


# After BUILD, joblib reads an array from the file. Given the object and where the file stands,
# says where the array ends, or None when nothing is read there.
ArrayHook: TypeAlias = Callable[[Call, int], int | None]


class MachineError(Exception):
    """The unpickler raises here; ``truncated`` when the stream just ends."""

    def __init__(self, message: str, offset: int, *, truncated: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.truncated = truncated


class Machine:
    """One unpickler over one buffer. Run it once per stream; the memo starts anew each time."""

    def __init__(
        self,
        data: Buffer,
        observer: Observer,
        *,
        end: int | None = None,
        array_hook: ArrayHook | None = None,
    ) -> None:
        self.data = data
        self.observer = observer
        # ``end`` is where reading stops for now: the end of the frame, or ``stop``, of the data.
        self.end = self.stop = len(data) if end is None else end
        self.array_hook = array_hook
        self.memo: dict[int, Value] = {}
        self.stack: list[Value] = []
        self.meta: list[list[Value]] = []
        self.proto = 0
        self.protocols: list[int] = []
        self.python2_strings = False
        self.opcodes = 0
        # The frame being read, and where the file goes on after it (joblib arrays lie there).
        self.frame_end = -1
        # Memo entries inside runs that were skipped: (first index, run), and how many in all.
        self.skipped = 0
        self.holes: list[tuple[int, Run]] = []
        # The stream stores under numbers of its own (PUT) instead of counting (MEMOIZE).
        self.puts = False
        self._retry = self._tries = 0
        self._shape: Shape | None = None

    def run(self, start: int) -> tuple[Value, int]:
        """Follow the stream from ``start``; the loaded value and the offset after STOP.

        Raises MachineError where the unpickler would raise; what ran before was observed.
        """
        self.memo = {}
        self.skipped = 0
        self.puts = False
        self.holes = []
        self._retry = self._tries = 0
        self.stack = []
        self.meta = []
        self.proto = 0
        self.frame_end = -1
        self._at = start
        self.end = self.stop
        try:
            return self._run(start)
        except IndexError:
            raise MachineError("takes more from the stack than is there", self._at) from None

    def _run(self, pos: int) -> tuple[Value, int]:
        data = self.data
        end = self.end
        memo = self.memo
        stack = self.stack
        meta = self.meta
        slow = _SLOW
        truncated = False
        while True:
            if pos >= end:
                if end == self.stop:
                    break
                end = self.end = self.stop
                continue
            op = data[pos]
            if op == 0x94:  # MEMOIZE
                memo[len(memo) + self.skipped] = stack[-1]
                pos += 1
            elif op == 0x4B:  # BININT1
                if pos + 2 > end:
                    end = self._straddle(pos)
                    continue
                stack.append(data[pos + 1])
                pos += 2
            elif op == 0x71:  # BINPUT
                if pos + 2 > end:
                    end = self._straddle(pos)
                    continue
                self._at = pos
                self.puts = True
                memo[data[pos + 1]] = stack[-1]
                pos += 2
            elif op == 0x68:  # BINGET
                if pos + 2 > end:
                    end = self._straddle(pos)
                    continue
                try:
                    stack.append(memo[data[pos + 1]])
                except KeyError:
                    stack.append(self._recall(data[pos + 1], pos))
                pos += 2
            elif op == 0x8C:  # SHORT_BINUNICODE
                if pos + 2 > end:
                    end = self._straddle(pos)
                    continue
                stop = pos + 2 + data[pos + 1]
                if stop > end:
                    end = self._straddle(pos)
                    continue
                try:
                    stack.append(data[pos + 2 : stop].decode("utf-8", "surrogatepass"))
                except UnicodeDecodeError:
                    raise MachineError("a string that is not UTF-8", pos) from None
                pos = stop
            elif op == 0x28:  # MARK
                meta.append(stack)
                stack = self.stack = []
                pos += 1
                if end - pos > _WORTH and (pos >= self._retry or self._shape is not None):
                    pos = self._swallow(pos, end)
            elif op == 0x47:  # BINFLOAT
                if pos + 9 > end:
                    end = self._straddle(pos)
                    continue
                stack.append(_F8(data, pos + 1)[0])
                pos += 9
            elif op == 0x4D:  # BININT2
                if pos + 3 > end:
                    end = self._straddle(pos)
                    continue
                stack.append(_U2(data, pos + 1)[0])
                pos += 3
            elif op == 0x4A:  # BININT
                if pos + 5 > end:
                    end = self._straddle(pos)
                    continue
                stack.append(_I4(data, pos + 1)[0])
                pos += 5
            elif op == 0x58:  # BINUNICODE
                if pos + 5 > end:
                    end = self._straddle(pos)
                    continue
                stop = pos + 5 + _U4(data, pos + 1)[0]
                if stop > end:
                    end = self._straddle(pos)
                    continue
                stack.append(self._text(pos, pos + 5, stop))
                pos = stop
            elif op == 0x75 or op == 0x65 or op == 0x74 or op == 0x62 or op == 0x73:
                # SETITEMS, APPENDS, TUPLE, BUILD, SETITEM
                self._at = pos
                if op == 0x62:
                    pos = self._build(pos, stack)
                    continue
                if op == 0x73:
                    value = stack.pop()
                    items = [stack.pop(), value]
                else:
                    items = stack
                    stack = self.stack = meta.pop()
                    if op == 0x74:
                        stack.append(tuple(items) if len(items) <= KEEP else Lst("tuple", items))
                        pos += 1
                        continue
                target = stack[-1]
                if op == 0x65:
                    if type(target) is Lst and target.kind == "list":
                        target.extend(items)
                    else:
                        self.observer.on_add(target, items, "APPENDS", pos)
                else:
                    if len(items) & 1:
                        if type(target) is not Dct:
                            self.observer.on_add(target, items, "SETITEMS", pos)
                        raise MachineError("a dictionary key without a value", pos)
                    if type(target) is Dct:
                        target.extend(items)
                    else:
                        self.observer.on_add(target, items, "SETITEMS", pos)
                pos += 1
                if self._tries:
                    pos = self._align(pos, end)
            elif op == 0x85:  # TUPLE1
                self._at = pos
                stack[-1] = (stack[-1],)
                pos += 1
                if self._tries:
                    pos = self._align(pos, end)
            elif op == 0x86:  # TUPLE2
                self._at = pos
                last = stack.pop()
                stack[-1] = (stack[-1], last)
                pos += 1
                if self._tries:
                    pos = self._align(pos, end)
            elif op == 0x87:  # TUPLE3
                self._at = pos
                last = stack.pop()
                middle = stack.pop()
                stack[-1] = (stack[-1], middle, last)
                pos += 1
                if self._tries:
                    pos = self._align(pos, end)
            elif op == 0x4E:  # NONE
                stack.append(None)
                pos += 1
            elif op == 0x88:
                stack.append(True)
                pos += 1
            elif op == 0x89:
                stack.append(False)
                pos += 1
            elif op == 0x29:
                stack.append(EMPTY_TUPLE)
                pos += 1
            elif op == 0x5D:
                stack.append(Lst("list", []))
                pos += 1
            elif op == 0x7D:
                stack.append(Dct([]))
                pos += 1
            elif op == 0x81:  # NEWOBJ
                self._at = pos
                args = stack.pop()
                cls = stack.pop()
                self._call(stack, cls, args, None, "NEWOBJ", pos)
                pos += 1
            elif op == 0x52:  # REDUCE
                self._at = pos
                args = stack.pop()
                func = stack.pop()
                self._call(stack, func, args, None, "REDUCE", pos)
                pos += 1
            elif op == 0x6A or op == 0x72:  # LONG_BINGET, LONG_BINPUT
                if pos + 5 > end:
                    end = self._straddle(pos)
                    continue
                self._at = pos
                index = _U4(data, pos + 1)[0]
                if op == 0x72:
                    if index > self.stop:
                        # The C unpickler allocates a table of that size.
                        self.observer.on_anomaly("a memo index beyond all need", pos)
                    self.puts = True
                    memo[index] = stack[-1]
                elif index in memo:
                    stack.append(memo[index])
                else:
                    stack.append(self._recall(index, pos))
                pos += 5
            elif op == 0x2E:  # STOP
                self._at = pos
                return stack.pop(), pos + 1
            elif op == 0x95:  # FRAME
                if pos + 9 > end:
                    end = self._straddle(pos)
                    continue
                length = _U8(data, pos + 1)[0]
                pos += 9
                if pos + length > self.stop:
                    # The C unpickler gives up, pickle.py reads what there is and goes on.
                    self.observer.on_anomaly("a frame that is longer than the file", pos - 9)
                    truncated = True
                if pos < self.frame_end:
                    self.observer.on_anomaly("a frame that begins inside another", pos - 9)
                self.frame_end = end = self.end = min(pos + length, self.stop)
                if meta and end - pos > _WORTH:
                    # The frame may begin in the middle of a period: wait for its seam.
                    self._tries = 40 if self._shape is not None else 0
                    pos = self._swallow(pos, end)
            else:
                handler = slow.get(op)
                if handler is None:
                    raise MachineError(f"byte 0x{op:02x} is no opcode", pos)
                self._at = pos
                try:
                    pos = handler(self, pos)
                except MachineError as error:
                    if not error.truncated or end == self.stop:
                        raise
                    end = self._straddle(pos)
                    continue
                stack = self.stack
        if truncated:
            raise MachineError("the stream ends in the middle", min(pos, end), truncated=True)
        raise MachineError("the stream ends without STOP", min(pos, end), truncated=True)

    def _straddle(self, pos: int) -> int:
        """An operand crosses the end of the frame, or of the data; returns the new end.

        pickle.py raises; the C unpickler, when it reads from a file that cannot peek, drops what
        it had buffered and goes on reading behind the frame: another stream altogether.
        """
        if self.end == self.stop:
            raise MachineError("the stream ends in the middle", pos, truncated=True)
        self.observer.on_anomaly("an operand that crosses the end of its frame", pos)
        self.end = self.stop
        return self.stop

    def _swallow(self, pos: int, end: int) -> int:
        """Skip a run of repeating plain data in a batch for a list or dictionary."""
        below = self.meta[-1]
        if not below or type(below[-1]) not in (Lst, Dct):
            return pos
        if self.puts:
            return pos
        data = self.data
        shape, stop = self._shape, pos
        if shape is not None:
            done = shape.pattern.match(data, pos, end)
            stop = pos if done is None else done.end()
        if shape is None or stop - pos < 64:
            shape = find_shape(data, pos, end) if pos >= self._retry else None
            if shape is None:
                self._retry = max(self._retry, pos + 1024)
                return pos
            self._shape = shape
            done = shape.pattern.match(data, pos, end)
            stop = pos if done is None else done.end()
            if stop - pos < 64:
                self._retry = pos + 1024
                return pos
        odd = bool(shape.net & 1) and (
            type(below[-1]) is Lst or bool(count(shape.single, data, pos, stop) & 1)
        )
        run = Run(pos, stop)
        # One value or two stand for all, so that pairs stay pairs.
        self.stack.append(run)
        if not odd:
            self.stack.append(run)
        stored = memoised(data, pos, stop) if shape.memoises else 0
        if stored:
            self.holes.append((len(self.memo) + self.skipped, run))
            self.skipped += stored
        return stop

    def _align(self, pos: int, end: int) -> int:
        """Try the last shape where a value is complete; its MEMOIZE belongs to it."""
        self._tries -= 1
        shape = self._shape
        if shape is None or not self.meta or end - pos < _WORTH or self.puts:
            return pos
        if self.data[pos] == 0x94:
            self.memo[len(self.memo) + self.skipped] = self.stack[-1]
            pos += 1
        done = shape.pattern.match(self.data, pos, end)
        if done is None or done.end() - pos < 64:
            return pos
        self._tries = 0
        return self._swallow(pos, end)

    def _recall(self, index: int, at: int) -> Value:
        """A value of the memo that lies in a run: the run is followed after all."""
        place = bisect_right(self.holes, index, key=_first) - 1
        if place < 0:
            raise MachineError("recalls a value that was never stored", at)
        first, run = self.holes.pop(place)
        again = Machine(self.data, self.observer, end=run.end)
        again.memo = _Later(self, first)
        again.skipped = first
        again._retry = run.end
        again.meta = [[]]
        with contextlib.suppress(MachineError, IndexError):  # a run has no STOP
            again._run(run.start)
        self.skipped -= len(again.memo)
        self.memo.update(again.memo)
        if index not in self.memo:
            raise MachineError("recalls a value that was never stored", at)
        return self.memo[index]

    # -- frequent helpers ------------------------------------------------------------------

    def _text(self, at: int, start: int, stop: int) -> Value:
        if stop - start > HOLD:
            return Big("str", stop - start, start, self.data)
        try:
            return self.data[start:stop].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise MachineError("a string that is not UTF-8", at) from None

    def _call(
        self, stack: list[Value], func: Value, args: Value, kwargs: Value, how: str, at: int
    ) -> None:
        call = Call(func, args, kwargs, how, at)
        self.observer.on_call(call)
        stack.append(call)

    def _build(self, pos: int, stack: list[Value]) -> int:
        state = stack.pop()
        target = stack[-1]
        self.observer.on_build(target, state, pos)
        if type(target) is Call:
            if len(target.states) < 4:
                target.states.append(state)
            if self.array_hook is not None:
                # joblib reads from the file itself, which stands behind the current frame.
                inside = self.frame_end > pos + 1
                stands = self.frame_end if inside else pos + 1
                after = self.array_hook(target, stands)
                if after is not None:
                    if inside:
                        self.observer.on_anomaly("an array inside an unfinished frame", pos)
                        raise MachineError("an array inside an unfinished frame", pos)
                    return after
        return pos + 1

    def _need(self, pos: int, size: int) -> int:
        stop = pos + size
        if stop > self.end:
            raise MachineError("the stream ends in the middle", pos, truncated=True)
        return stop

    def _line(self, pos: int) -> tuple[bytes, int]:
        stop = self.data.find(b"\n", pos, self.end)
        if stop < 0:
            raise MachineError("the stream ends in the middle", pos, truncated=True)
        return self.data[pos:stop], stop + 1

    def _find_class(self, module: str, name: str, at: int) -> None:
        written = ""
        if self.proto < 3:
            # Python 3 maps the names that Python 2 wrote (fix_imports=True is the default).
            mapped = NAME_MAPPING.get((module, name))
            if mapped is not None:
                written = f"{module}.{name}"
                module, name = mapped
            elif module in IMPORT_MAPPING:
                written = f"{module}.{name}"
                module = IMPORT_MAPPING[module]
        found = Glob(module, name, at, written)
        self.observer.on_global(found)
        self.stack.append(found)

    # -- the other opcodes -----------------------------------------------------------------

    def _proto(self, pos: int) -> int:
        stop = self._need(pos + 1, 1)
        version = self.data[pos + 1]
        if version > HIGHEST_PROTOCOL:
            raise MachineError(f"protocol {version} is unknown", pos)
        self.proto = version
        if version not in self.protocols:
            self.protocols.append(version)
        return stop

    def _global(self, pos: int) -> int:
        module, after = self._line(pos + 1)
        name, after = self._line(after)
        self._find_class(self._utf8(module, pos), self._utf8(name, pos), pos)
        return after

    def _utf8(self, raw: bytes, at: int) -> str:
        if len(raw) > HOLD:
            raise MachineError("a name that is too long", at)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise MachineError("a name that is not UTF-8", at) from None

    def _stack_global(self, pos: int) -> int:
        name = self.stack.pop()
        module = self.stack.pop()
        if type(name) is str and type(module) is str:
            self._find_class(module, name, pos)
        elif type(name) in _NEVER_TEXT or type(module) in _NEVER_TEXT:
            raise MachineError("a name to import that is not text", pos)
        else:
            found = Glob(_shown(module), _shown(name), pos)
            self.observer.on_anomaly("a name to import that is computed while loading", pos)
            self.observer.on_global(found)
            self.stack.append(found)
        return pos + 1

    def _inst(self, pos: int) -> int:
        module, after = self._line(pos + 1)
        name, after = self._line(after)
        args = self._pop_mark()
        self._find_class(self._utf8(module, pos), self._utf8(name, pos), pos)
        cls = self.stack.pop()
        self._call(self.stack, cls, tuple(args[: KEEP + 1]), None, "INST", pos)
        return after

    def _obj(self, pos: int) -> int:
        args = self._pop_mark()
        cls = args.pop(0)
        self._call(self.stack, cls, tuple(args[: KEEP + 1]), None, "OBJ", pos)
        return pos + 1

    def _newobj_ex(self, pos: int) -> int:
        kwargs = self.stack.pop()
        args = self.stack.pop()
        cls = self.stack.pop()
        self._call(self.stack, cls, args, kwargs, "NEWOBJ_EX", pos)
        return pos + 1

    def _pop_mark(self) -> list[Value]:
        items = self.stack
        self.stack = self.meta.pop()
        return items

    def _int(self, pos: int) -> int:
        line, after = self._line(pos + 1)
        if line == b"00" or line == b"01":
            self.stack.append(line == b"01")
        else:
            self.stack.append(self._number(line, 0, pos))
        return after

    def _long(self, pos: int) -> int:
        line, after = self._line(pos + 1)
        self.stack.append(self._number(line.removesuffix(b"L"), 0, pos))
        return after

    def _number(self, text: bytes, base: int, at: int) -> Value:
        if len(text) > DIGITS:
            # Python refuses more than 4300 decimal digits since 3.11 and is quadratic before.
            self.observer.on_anomaly("a number with thousands of digits", at)
            return Big("int", len(text), at)
        try:
            return int(text.decode("ascii"), base)
        except ValueError:
            self.observer.on_anomaly("a number that unpicklers read differently", at)
            return Unk("number")

    def _float(self, pos: int) -> int:
        line, after = self._line(pos + 1)
        try:
            if line.strip() != line or b"_" in line:
                raise ValueError
            self.stack.append(float(line[:DIGITS].decode("ascii")))
        except ValueError:
            self.observer.on_anomaly("a number that unpicklers read differently", pos)
            self.stack.append(Unk("number"))
        return after

    def _long1(self, pos: int) -> int:
        start = self._need(pos + 1, 1)
        return self._signed(start, self.data[pos + 1])

    def _long4(self, pos: int) -> int:
        start = self._need(pos + 1, 4)
        size = _I4(self.data, pos + 1)[0]
        if size < 0:
            raise MachineError("a negative length", pos)
        return self._signed(start, size)

    def _signed(self, start: int, size: int) -> int:
        stop = self._need(start, size)
        if size > 256:
            self.stack.append(Big("int", size, start))
        else:
            self.stack.append(int.from_bytes(self.data[start:stop], "little", signed=True))
        return stop

    def _string(self, pos: int) -> int:
        line, after = self._line(pos + 1)
        if len(line) < 2 or line[0] != line[-1] or line[0] not in b"'\"":
            raise MachineError("a string without quotes", pos)
        if len(line) > HOLD:
            self.stack.append(Big("str", len(line), pos + 1))
            return after
        try:
            raw = codecs.escape_decode(line[1:-1])[0]
        except ValueError:
            raise MachineError("a string with a bad escape", pos) from None
        self._push_python2(raw)
        return after

    def _push_python2(self, raw: bytes) -> None:
        try:
            self.stack.append(raw.decode("ascii"))
        except UnicodeDecodeError:
            # Only loads with encoding="latin1" or "bytes".
            self.python2_strings = True
            self.stack.append(raw.decode("latin-1"))

    def _binstring(self, pos: int) -> int:
        if self.data[pos] == 0x55:
            start = self._need(pos + 1, 1)
            size = self.data[pos + 1]
        else:
            start = self._need(pos + 1, 4)
            size = _I4(self.data, pos + 1)[0]
            if size < 0:
                raise MachineError("a negative length", pos)
        stop = self._need(start, size)
        if size > HOLD:
            self.stack.append(Big("str", size, start))
        else:
            self._push_python2(self.data[start:stop])
        return stop

    def _unicode(self, pos: int) -> int:
        line, after = self._line(pos + 1)
        if len(line) > HOLD:
            self.stack.append(Big("str", len(line), pos + 1, self.data))
            return after
        try:
            self.stack.append(line.decode("raw-unicode-escape"))
        except UnicodeDecodeError:
            raise MachineError("a string with a bad escape", pos) from None
        return after

    def _binunicode8(self, pos: int) -> int:
        start = self._need(pos + 1, 8)
        stop = self._need(start, _U8(self.data, pos + 1)[0])
        self.stack.append(self._text(pos, start, stop))
        return stop

    def _bytes(self, pos: int) -> int:
        op = self.data[pos]
        if op == 0x43:
            start = self._need(pos + 1, 1)
            size = self.data[pos + 1]
        elif op == 0x42:
            start = self._need(pos + 1, 4)
            size = _U4(self.data, pos + 1)[0]
        else:
            start = self._need(pos + 1, 8)
            size = _U8(self.data, pos + 1)[0]
        stop = self._need(start, size)
        if op == 0x96:
            self.stack.append(Big("bytearray", size, start, self.data))
        elif size > HOLD:
            self.stack.append(Big("bytes", size, start, self.data))
        else:
            self.stack.append(self.data[start:stop])
        return stop

    def _put(self, pos: int) -> int:
        line, after = self._line(pos + 1)
        index = self._number(line, 10, pos)
        if type(index) is not int:
            raise MachineError("stores under a number that is none", pos)
        if index < 0:
            raise MachineError("stores under a negative number", pos)
        if index > self.stop:
            self.observer.on_anomaly("a memo index beyond all need", pos)
        self.puts = True
        self.memo[index] = self.stack[-1]
        return after

    def _get(self, pos: int) -> int:
        line, after = self._line(pos + 1)
        index = self._number(line, 10, pos)
        if type(index) is not int:
            raise MachineError("recalls a value that was never stored", pos)
        if index in self.memo:
            self.stack.append(self.memo[index])
        else:
            self.stack.append(self._recall(index, pos))
        return after

    def _pop(self, pos: int) -> int:
        if self.stack:
            self.stack.pop()
        else:
            self._pop_mark()
        return pos + 1

    def _pop_to_mark(self, pos: int) -> int:
        self._pop_mark()
        return pos + 1

    def _dup(self, pos: int) -> int:
        self.stack.append(self.stack[-1])
        return pos + 1

    def _append(self, pos: int) -> int:
        value = self.stack.pop()
        target = self.stack[-1]
        if type(target) is Lst and target.kind == "list":
            target.extend([value])
        else:
            self.observer.on_add(target, [value], "APPEND", pos)
        return pos + 1

    def _list(self, pos: int) -> int:
        items = self._pop_mark()
        self.stack.append(Lst("list", items))
        return pos + 1

    def _dict(self, pos: int) -> int:
        items = self._pop_mark()
        if len(items) & 1:
            raise MachineError("a dictionary key without a value", pos)
        self.stack.append(Dct(items))
        return pos + 1

    def _empty_set(self, pos: int) -> int:
        self.stack.append(Lst("set", []))
        return pos + 1

    def _additems(self, pos: int) -> int:
        items = self._pop_mark()
        target = self.stack[-1]
        if type(target) is Lst and target.kind == "set":
            target.extend(items)
        else:
            self.observer.on_add(target, items, "ADDITEMS", pos)
        return pos + 1

    def _frozenset(self, pos: int) -> int:
        items = self._pop_mark()
        self.stack.append(Lst("frozenset", items))
        return pos + 1

    def _persid(self, pos: int) -> int:
        line, after = self._line(pos + 1)
        found = Pers(line[:HOLD].decode("ascii", "replace"), pos)
        self.observer.on_persistent(found)
        self.stack.append(found)
        return after

    def _binpersid(self, pos: int) -> int:
        found = Pers(self.stack.pop(), pos)
        self.observer.on_persistent(found)
        self.stack.append(found)
        return pos + 1

    def _ext(self, pos: int) -> int:
        width = {0x82: 1, 0x83: 2, 0x84: 4}[self.data[pos]]
        stop = self._need(pos + 1, width)
        code = int.from_bytes(self.data[pos + 1 : stop], "little", signed=width == 4)
        self.observer.on_extension(code, pos)
        if code <= 0:
            raise MachineError("an extension code that cannot be", pos)
        self.stack.append(Unk(f"extension {code}"))
        return stop

    def _next_buffer(self, pos: int) -> int:
        self.observer.on_buffer(pos)
        self.stack.append(Unk("buffer"))
        return pos + 1

    def _readonly_buffer(self, pos: int) -> int:
        if not self.stack:
            raise IndexError
        return pos + 1


def _first(hole: tuple[int, Run]) -> int:
    return hole[0]


class _Later(dict[int, Value]):
    """The memo of a run that is followed later: what it does not hold, the whole stream holds."""

    def __init__(self, machine: Machine, first: int) -> None:
        super().__init__()
        self._machine = machine
        self._first = first

    def __missing__(self, index: int) -> Value:
        memo = self._machine.memo
        # Values of other runs are plain data, too.
        return memo[index] if index in memo else Unk("plain data")

    def __contains__(self, index: object) -> bool:
        return dict.__contains__(self, index) or (type(index) is int and index < self._first)


def _shown(value: Value) -> str:
    return value if type(value) is str else "<computed>"


# A STACK_GLOBAL operand of one of these types makes every unpickler raise.
_NEVER_TEXT = frozenset({int, float, bool, type(None), bytes, tuple, Lst, Dct})

_SLOW: dict[int, Callable[[Machine, int], int]] = {
    0x80: Machine._proto,
    0x63: Machine._global,
    0x93: Machine._stack_global,
    0x69: Machine._inst,
    0x6F: Machine._obj,
    0x92: Machine._newobj_ex,
    0x49: Machine._int,
    0x4C: Machine._long,
    0x46: Machine._float,
    0x8A: Machine._long1,
    0x8B: Machine._long4,
    0x53: Machine._string,
    0x54: Machine._binstring,
    0x55: Machine._binstring,
    0x56: Machine._unicode,
    0x8D: Machine._binunicode8,
    0x43: Machine._bytes,
    0x42: Machine._bytes,
    0x8E: Machine._bytes,
    0x96: Machine._bytes,
    0x70: Machine._put,
    0x67: Machine._get,
    0x30: Machine._pop,
    0x31: Machine._pop_to_mark,
    0x32: Machine._dup,
    0x61: Machine._append,
    0x6C: Machine._list,
    0x64: Machine._dict,
    0x8F: Machine._empty_set,
    0x90: Machine._additems,
    0x91: Machine._frozenset,
    0x50: Machine._persid,
    0x51: Machine._binpersid,
    0x82: Machine._ext,
    0x83: Machine._ext,
    0x84: Machine._ext,
    0x97: Machine._next_buffer,
    0x98: Machine._readonly_buffer,
}
