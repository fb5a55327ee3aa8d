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
from mmap import PAGESIZE, mmap
from struct import Struct
from typing import Literal, Protocol, TypeAlias

from auditor.artifacts.blob import MADV_DONTNEED
from auditor.artifacts.pickle.refusals import (
    arguments_refused,
    call_refused,
    items_refused,
    keys_refused,
    state_refused,
)
from auditor.artifacts.pickle.runs import (
    Context,
    Recipe,
    Run,
    Style,
    boundaries,
    indexes,
    memoized,
    recalled,
    stored,
)
from auditor.artifacts.pickle.values import (
    EMPTY_TUPLE,
    KEEP,
    MISSING,
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
# What one of the unpicklers refuses and the other takes, or both where memory runs out.
Fault: TypeAlias = Literal[
    "long-frame", "huge-frame", "frame-in-frame", "crossed-frame", "arguments"
]
# What a run matches: where it ends, its last item begins, and its last batch begins.
Found: TypeAlias = tuple[Recipe, int, int, int]

_U2 = Struct("<H").unpack_from
_I4 = Struct("<i").unpack_from
_U4 = Struct("<I").unpack_from
_U8 = Struct("<Q").unpack_from
_F8 = Struct(">d").unpack_from

HIGHEST_PROTOCOL = 5
# Nobody has the memory for a longer frame, which is asked for before it is read.
_HUGE = 1 << 36
# Where less than this is left, opcodes are followed one by one.
_WORTH = 2048
# Where less than this is left of the stream, learning costs more than it gains.
_LEARNS = 1 << 15
# A run that is shorter gains nothing.
_SHORTEST = 64
# How far is looked to see whether there is a run at all: what is skipped is matched once.
_GLANCE = 1 << 14
_CONTEXTS = 256
# Learning may cost so much at first (in tokens), and more with every byte behind us.
_LESSONS = 16_000
_NESTING = 40
# Longer strings, bytes and numbers are noted, not held.
HOLD = 4096
# Texts up to this length are decoded, to see whether they are text.
_READ = 8 << 20
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
    def on_skipped(self, *, calls: bool) -> None: ...
    # Whether calls may be skipped: enough were told of.
    @property
    def ripe(self) -> bool: ...
    # Silent questions about calls in which a value may be Some value of a kind.
    def made(self, func: Value, args: Value, how: str) -> Call | None: ...
    def built(self, target: Value, state: Value) -> Call | None: ...
    def filled(self, target: Value, wanted: str) -> Call | None: ...
    # Whether it is data through and through; whether nothing can change what was judged.
    def steady(self, made: Value) -> bool: ...
    def settled(self, value: Value) -> bool: ...
    # What a call made takes: ``dict`` or ``list`` where any items will do.
    def holds(self, target: Call) -> str: ...


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
    """One unpickler over one buffer. Run it once per stream; the memo starts anew each time.

    Without ``swallows`` every opcode is followed by itself.
    """

    swallows = True

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
        # Of the stream being followed: where the C unpickler and pickle.py differ.
        self.faults: set[Fault] = set()
        self.python2_strings = False
        self.opcodes = 0
        # The frame being read, and where the file goes on after it (joblib arrays lie there).
        self.frame_end = -1
        # Memo entries inside runs that were skipped: (first index, run), and how many in all.
        self.skipped = 0
        self.holes: list[tuple[int, Run]] = []
        # What was stored behind a run whose entries were not counted yet, and such runs: in order.
        self.pending: list[Value | _Skipped | _Numbered] = []
        # How many bytes of runs are not counted yet.
        self._uncounted = 0
        # The highest number that PUT stored under; runs are skipped only where numbers ascend.
        self.top = -1
        # Whether a run stored by MEMOIZE, which counts.
        self.counted = False
        # Whether that is written as lines of text.
        self.lines = False
        self.orderly = True
        self.contexts: dict[tuple[str, int, int], Context] = {}
        self._early = True
        # Where runs go on, what ``end`` was before, and of which context and level.
        self._goals: list[tuple[int, int, Context, int]] = []
        self._ran = False
        # By level, the context in which runs were found.
        self._paying: dict[int, Context] = {}
        self._released = 0
        self._floor = 0
        # The highest number below which all is counted.
        self._settled = -1
        # Values of runs that were followed after all.
        self.recalled: dict[int, Value] = {}
        self._spent = 0
        # How many runs are being followed after all, one for the other.
        self.nesting = 0

    def run(self, start: int) -> tuple[Value, int]:
        """Follow the stream from ``start``; the loaded value and the offset after STOP.

        Raises MachineError where the unpickler would raise; what ran before was observed.
        """
        self.memo = {}
        self.skipped = 0
        self.holes = []
        self.pending = []
        self._uncounted = 0
        self.top = -1
        self.counted = False
        self.lines = False
        self.orderly = True
        self.recalled = {}
        self.contexts = {}
        self._paying = {}
        self._settled = -1
        self._goals = []
        self._early = True
        self._ran = False
        self.stack = []
        self.meta = []
        self.proto = 0
        self.faults = set()
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
        pending = self.pending
        truncated = False
        while True:
            if pos >= end:
                if self._goals:
                    pos = self._resume(pos)
                    end = self.end
                    pending = self.pending
                    stack = self.stack
                    continue
                if end == self.stop:
                    break
                end = self.end = self.stop
                continue
            op = data[pos]
            if op == 0x94:  # MEMOIZE
                if pending:
                    self._memoize(stack[-1])
                    pending = self.pending
                else:
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
                index = data[pos + 1]
                if self.top < 0:
                    self._first_put()
                if index > self.top:
                    self.top = index
                elif self.orderly:
                    self._disorder()
                memo[index] = stack[-1]
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
                if end - pos > _WORTH:
                    pos = self._swallow(pos, end)
                    end = self.end
                    pending = self.pending
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
                    if self._ran:
                        self._reach(3)
                    value = stack.pop()
                    items = [stack.pop(), value]
                    if type(stack[-1]) is Dct and end - pos > _WORTH:
                        stack[-1].extend(items)
                        pos = self._swallow_added(pos + 1, end, "sets")
                        end = self.end
                        pending = self.pending
                        continue
                else:
                    items = stack
                    stack = self.stack = meta.pop()
                    if self._ran:
                        items = self._spread(items, op)
                    if op == 0x74:
                        stack.append(tuple(items) if len(items) <= KEEP else Lst("tuple", items))
                        pos += 1
                        continue
                target = stack[-1]
                if op == 0x65:
                    if type(target) is Lst and target.kind == "list":
                        target.extend(items)
                    else:
                        self._add(target, items, "APPENDS", pos)
                else:
                    if (len(items) if not self._ran else _number(items)) & 1:
                        if type(target) is not Dct:
                            self.observer.on_add(target, items, "SETITEMS", pos)
                        raise MachineError("a dictionary key without a value", pos)
                    if type(target) is Dct:
                        if not self._ran and keys_refused(items[::2]):
                            raise MachineError("a key that cannot be hashed", pos)
                        target.extend(items)
                    else:
                        self._add(target, items, "SETITEMS", pos)
                pos += 1
            elif op == 0x85:  # TUPLE1
                self._at = pos
                stack[-1] = (stack[-1],)
                pos += 1
            elif op == 0x86:  # TUPLE2
                self._at = pos
                if self._ran:
                    self._reach(2)
                last = stack.pop()
                stack[-1] = (stack[-1], last)
                pos += 1
            elif op == 0x87:  # TUPLE3
                self._at = pos
                if self._ran:
                    self._reach(3)
                last = stack.pop()
                middle = stack.pop()
                stack[-1] = (stack[-1], middle, last)
                pos += 1
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
                if self._ran:
                    self._reach(2)
                args = stack.pop()
                cls = stack.pop()
                self._call(stack, cls, args, None, "NEWOBJ", pos)
                pos += 1
            elif op == 0x52:  # REDUCE
                self._at = pos
                if self._ran:
                    self._reach(2)
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
                    if self.top < 0:
                        self._first_put()
                    if index > self.top:
                        self.top = index
                    elif self.orderly:
                        self._disorder()
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
                self._goals.clear()
                if pos + length > self.stop:
                    # The C unpickler gives up, pickle.py reads what there is and goes on.
                    self.observer.on_anomaly("a frame that is longer than the file", pos - 9)
                    truncated = True
                    self.faults.add("huge-frame" if length > _HUGE else "long-frame")
                if pos < self.frame_end:
                    self.observer.on_anomaly("a frame that begins inside another", pos - 9)
                    self.faults.add("frame-in-frame")
                self.frame_end = end = self.end = min(pos + length, self.stop)
                if meta and end - pos > _WORTH:
                    pos = self._swallow(pos, end, seam=True)
                    end = self.end
                    pending = self.pending
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
                end = self.end
                pending = self.pending
        if truncated:
            raise MachineError("the stream ends in the middle", min(pos, end), truncated=True)
        raise MachineError("the stream ends without STOP", min(pos, end), truncated=True)

    def _straddle(self, pos: int) -> int:
        """An operand crosses the end of the frame, or of the data; returns the new end.

        pickle.py raises; the C unpickler, when it reads from a file that cannot peek, drops what
        it had buffered and goes on reading behind the frame: another stream altogether.
        """
        if self._goals:
            # The place that was looked for is none, after all.
            self.end = self._goals[0][1]
            self._goals.clear()
            return self.end
        if self.end == self.stop:
            raise MachineError("the stream ends in the middle", pos, truncated=True)
        self.observer.on_anomaly("an operand that crosses the end of its frame", pos)
        if pos + 1 < self.end:
            # Where nothing is left of the frame, pickle.py goes on behind it as well.
            self.faults.add("crossed-frame")
        self.end = self.stop
        return self.stop

    # -- runs ------------------------------------------------------------------------------

    def _swallow(self, pos: int, end: int, *, seam: bool = False) -> int:
        """Skip a run of like values behind a MARK; at a seam it may be the middle of a value."""
        if not self.swallows:
            return pos
        if self._early and self.observer.ripe:
            # From now on calls may be skipped, too.
            self._early = False
            self.contexts.clear()
            self._paying.clear()
        below = self.meta[-1]
        kind, batch = "items", b""
        if below:
            top = below[-1]
            if type(top) is Dct:
                kind, batch = "pairs", rb"u\("
            elif type(top) is Lst:
                batch = rb"e\(" if top.kind == "list" else rb"\x90\("
            elif type(top) is Call and top.cls is not None:
                holds = self.observer.holds(top)
                if holds == "dict":
                    kind = "pairs"
        context = self._context(kind, batch, 0)
        if context is None:
            return pos
        if self._paying and self._seek(pos, end):
            return pos
        if seam and context.recipe is not None:
            found = self._match(context, pos, end)
            if found is not None:
                return self._follow(context, pos, end, found)
            if self._look_ahead(context, len(self.meta), pos, end):
                return pos
        if pos < context.retry:
            return pos
        return self._follow(context, pos, end)

    def _swallow_added(self, pos: int, end: int, kind: str) -> int:
        """Skip a run of values that are each added to what lies on top of the stack."""
        if not self.swallows or self.stack[-1].room > 0:
            return pos
        if self._early and self.observer.ripe:
            self._early = False
            self.contexts.clear()
            self._paying.clear()
        context = self._context(kind, b"", min(len(self.stack), 6))
        if context is None or pos < context.retry:
            return pos
        return self._follow(context, pos, end)

    def _context(self, kind: str, batch: bytes, depth: int) -> Context | None:
        key = (kind + batch.decode("latin-1"), len(self.meta), depth)
        context = self.contexts.get(key)
        if context is None and len(self.contexts) < _CONTEXTS:
            context = self.contexts[key] = Context(kind, batch)
        return context

    def _lack(self, context: Context) -> int:
        """How many values must be followed one by one before any are skipped: those that are kept."""
        if context.kind in ("appends", "sets"):
            return self.stack[-1].room  # type: ignore[no-any-return]
        below = self.meta[-1]
        room = 2 * KEEP + 1
        if below and type(below[-1]) in (Dct, Lst, Call):
            room = below[-1].room
        return room - len(self.stack)

    def _follow(self, context: Context, pos: int, end: int, found: Found | None = None) -> int:
        """Skip what the context knows, learn what it does not, and look where it goes on."""
        data = self.data
        again = 0
        if type(data) is mmap and pos - self._released > _RELEASE:
            self._release(pos)
        lack = self._lack(context)
        if lack > 0 and found is None and self._postpone(context, pos, end, lack):
            return pos
        found = found or self._match(context, pos, end)
        if (
            found is None
            and end - pos > _WORTH
            and self.stop - pos > _LEARNS
            and data[pos] not in _CLOSERS
            and pos >= context.relearn
            and self._spent <= _LESSONS + pos // 100
        ):
            again = context.learn(data, pos, end, self._style(), self._known, self.observer)
            self._spent += context.price
            context.relearn = pos + (256 << min(context.learned, 16))
            if lack > 0 and self._postpone(context, pos, end, lack):
                return pos
            found = self._match(context, pos, end)
            if found is None and context.learned < 4 and again:
                # Names are known once they were imported: look again behind the first values.
                context.relearn = again
        if found is None:
            context.costs += 1
            context.retry = max(pos + (128 << min(context.costs, 13)), again)
            if end - pos > _WORTH:
                if again > pos:
                    self._aim_at(context, len(self.meta), again)
                elif data[pos] not in _CLOSERS and not self._seek(pos, end):
                    self._look_ahead(context, len(self.meta), pos, end)
            return pos
        recipe, stop, begins, batch = found
        if lack > 0:
            if not self._postpone(context, pos, stop, lack):
                # A container of which all is kept.
                context.retry = stop
            return pos
        context.costs = 0
        context.gain += begins - pos
        if context.kind in ("items", "pairs") and begins - pos > _WORTH:
            self._paying[len(self.meta)] = context
        self._skip_run(context, recipe, pos, begins, batch)
        # The last value is followed by itself: what comes next may take it.
        if stop < end:
            self._aim_at(context, len(self.meta), stop)
        return begins

    def _postpone(self, context: Context, pos: int, end: int, lack: int) -> bool:
        """Aim behind the values that are kept, where the run goes on there."""
        if context.recipe is None or not self._usable(context):
            return False
        recipe = context.recipe
        if recipe is None:
            return False
        step = 2 if context.kind in ("pairs", "sets") else 1
        goal = recipe.after(self.data, pos, end, -(-lack // step))
        if goal < 0 or not self._goes_on(recipe, goal, end):
            return False
        self._aim_at(context, len(self.meta), goal)
        return True

    def _goes_on(self, recipe: Recipe, pos: int, end: int) -> bool:
        """Whether there is a run, of which no more is matched than tells."""
        done = recipe.pattern.match(self.data, pos, min(end, pos + _GLANCE))
        return done is not None and done.end() - pos >= _SHORTEST

    def _match(self, context: Context, pos: int, end: int) -> Found | None:
        """What a run matches: where it ends, its last item begins, and its last batch begins."""
        if context.recipe is None or not self._usable(context):
            return None
        recipe = context.recipe
        if recipe is None:
            return None
        done = recipe.pattern.match(self.data, pos, end)
        if done is None or done.end() - pos < _SHORTEST:
            return None
        begins, batch = done.start(1), -1
        if recipe.pattern.groups > 1 and done.start(2) >= 0:
            batch = done.start(2)
            begins = max(begins, done.start(3))
            if begins < batch:
                # The last batch that was begun holds nothing yet: all before it is skipped.
                begins = batch
        if begins - pos < _SHORTEST // 2:
            return None
        return recipe, done.end(), begins, batch

    def _seek(self, pos: int, end: int) -> bool:
        """Find where a run on an outer level goes on, of which this is the middle of a value."""
        depth = len(self.meta)
        for outer, context in self._paying.items():
            if outer < depth:
                return self._look_ahead(context, outer, pos, end)
        return False

    def _look_ahead(self, context: Context, depth: int, pos: int, end: int) -> bool:
        """Find where the run goes on behind values that are followed one by one."""
        recipe = context.recipe
        if recipe is None or context.gain < 256 * (context.attempts - 8):
            return False
        context.attempts += 1
        for place in boundaries(self.data, pos, end, 96, len(self.meta) - depth):
            if self._goes_on(recipe, place, end):
                self._aim_at(context, depth, place)
                return True
        return False

    def _aim_at(self, context: Context, depth: int, goal: int) -> None:
        """Stop at the goal to go on with the context."""
        self._goals.append((goal, self.end, context, depth))
        self.end = goal

    def _resume(self, pos: int) -> int:
        """The place that was looked for is reached, or was passed."""
        goal, self.end, context, depth = self._goals.pop()
        if pos != goal or self.end - pos <= _SHORTEST or len(self.meta) != depth:
            return pos
        if context.kind in ("items", "pairs"):
            below = self.meta[-1] if self.meta else None
            if below is None:
                return pos
            top = below[-1] if below else None
            pairs = type(top) is Dct or (type(top) is Call and self.observer.holds(top) == "dict")
            if pairs != (context.kind == "pairs"):
                return pos
            if context.batch:
                wanted = rb"e\(" if type(top) is Lst and top.kind == "list" else rb"\x90\("
                if context.batch != (rb"u\(" if type(top) is Dct else wanted):
                    return pos
                if type(top) not in (Lst, Dct):
                    return pos
        elif not self.stack or type(self.stack[-1]) is not (
            Lst if context.kind == "appends" else Dct
        ):
            return pos
        return self._follow(context, pos, self.end)

    def _skip_run(self, context: Context, recipe: Recipe, pos: int, stop: int, batch: int) -> None:
        """What lies before ``stop`` was matched: note it."""
        self._ran = True
        if recipe.python2:
            self.python2_strings = True
        self.observer.on_skipped(calls=recipe.calls)
        if batch > pos:
            # What lies before the last batch was added already.
            below = self.meta[-1][-1]
            below.extend([*self.stack, self._skipped(context, recipe, pos, batch - 2)])
            self.stack.clear()
            pos = batch
        if pos < stop:
            run = self._skipped(context, recipe, pos, stop)
            if context.kind in ("appends", "sets"):
                self.stack[-1].extend([run])
            else:
                self.stack.append(run)

    def _skipped(self, context: Context, recipe: Recipe, pos: int, stop: int) -> Run:
        run = Run(pos, stop, recipe, self)
        if context.style.puts:
            below = bool(self.pending) and self._floor < context.style.floor
            if below and 8 * self._uncounted < stop - pos:
                # So little is counted at once: what it stored is recalled without this run.
                self._settle()
            # Entries that the run may overwrite are looked up by order.
            self._floor = (
                min(self._floor, context.style.floor) if self.pending else context.style.floor
            )
            self._set_aside()
        else:
            self.counted = True
        self.pending.append(_Skipped(run))
        self._uncounted += stop - pos
        return run

    def _set_aside(self) -> None:
        """Take what PUT stored under numbers that runs may use, too, out of the memo."""
        memo = self.memo
        late: list[Value | _Skipped | _Numbered] = []
        while memo:
            key = next(reversed(memo))
            if key < self._floor:
                break
            late.append(_Numbered(key, memo.pop(key)))
        self.pending += reversed(late)

    # What takes values of a run gets them: the run is followed after all.

    def _reach(self, depth: int) -> None:
        """The next opcode takes so many values from the stack."""
        stack = self.stack
        index = 1
        while index <= depth and index <= len(stack):
            value = stack[-index]
            if type(value) is Run:
                values = self._values(value)
                stack[len(stack) - index : len(stack) - index + 1] = values
            else:
                index += 1

    def _spread(self, items: list[Value], op: int) -> list[Value]:
        """A level was closed: what takes its values, and which of them may stay skipped."""
        room = 2 * KEEP + 1
        if op in b"eu\x90":
            self._reach(1)
            top: Value = self.stack[-1] if self.stack else None
            if type(top) in (Lst, Dct):
                room = top.room
            elif type(top) is Call:
                wanted = "dict" if op == 0x75 else "list"
                room = top.room if self.observer.holds(top) == wanted else 1 << 60
            else:
                room = 1 << 60
        if Run not in map(type, items):
            return items
        result: list[Value] = []
        for item in items:
            if type(item) is Run and (
                len(result) < room or (item.kind == "items" and op in b"ud" and item.count() & 1)
            ):
                result += self._values(item)
            else:
                result.append(item)
        return result

    def _values(self, run: Run) -> list[Value]:
        """The values of a run, followed one by one."""
        if run.values is None:
            self._settle()
            if run.first < 0:
                # It stores nothing.
                return self._again(run, 1 << 40)
            place = bisect_right(self.holes, run.first, key=_first) - 1
            if place >= 0 and self.holes[place][1] is run:
                del self.holes[place]
            self._again(run, run.first)
        assert run.values is not None
        return run.values

    def _again(self, run: Run, first: int) -> list[Value]:
        """The run followed opcode by opcode; its values are those that are recalled, too."""
        target = Call(None, None, None, "", run.start)
        again = Machine(self.data, _Collector(self.observer, target), end=run.end)
        again.memo = _Later(self, first)
        again.skipped = first
        again.swallows = False
        again.proto = self.proto
        if run.kind in ("appends", "sets"):
            again.stack = [target]
        else:
            again.meta = [[target]]
        collector = again.observer
        with contextlib.suppress(MachineError, IndexError):  # a run has no STOP
            again._run(run.start)
        assert type(collector) is _Collector
        run.values = [*collector.items, *(again.stack if again.stack != [target] else [])]
        self.recalled.update(again.memo)
        return run.values

    def recalls_values(self, run: Run) -> bool:
        """Whether what runs recall from the memo is data through and through."""
        from auditor.artifacts.pickle.states import valued

        self._settle()
        pending, seen = [run], {run}
        found: dict[int, Value] = {}
        # Meanwhile they count as such: what holds itself holds nothing else by that.
        run.proven = True
        good = True
        while pending and good:
            here = pending.pop()
            for index in recalled(self.data, here.start, here.end):
                if index in found:
                    continue
                value = self.memo.get(index, self.recalled.get(index, MISSING))
                if value is MISSING:
                    place = bisect_right(self.holes, index, key=_first) - 1
                    if place < 0:
                        continue
                    other = self.holes[place][1]
                    if other not in seen:
                        seen.add(other)
                        if not other.recipe.steady:
                            good = False
                            break
                        if other.recipe.recalls and not other.proven:
                            pending.append(other)
                    continue
                found[index] = value
        good = good and valued(tuple(found.values()))
        run.proven = False
        if good and _LITERALS.issuperset(map(type, found.values())):
            for other in seen:
                other.proven = True
        return good

    def _style(self) -> Style:
        puts = self.top >= 0 or self.proto < 4
        floor = max(self.top, self._settled) + 1
        if floor >= 1 << 31:
            self.swallows = False
            floor = 0
        lines = True if self.lines else None if self.top < 0 and self.proto < 2 else False
        return Style(puts=puts, floor=floor, ceiling=self.stop, lines=lines)

    def _usable(self, context: Context) -> bool:
        """Whether the pattern still says the truth about the memo."""
        style = context.style
        if not style.puts:
            return self.top < 0
        if not self.orderly:
            return False
        stale = 4096 if context.gain else 0
        if self.top - style.floor > stale or style.floor <= self._settled:
            # Entries lie above the floor: raise it. What the first run cannot have stored is
            # recalled without counting what it did.
            if self._spent > _LESSONS + self._at // 100:
                return False
            context.write(self._style(), self.observer)
            self._spent += context.price
        return context.recipe is not None

    def _known(self, index: int) -> Value:
        """A value of the memo, for a sample; unknown where it lies in a run."""
        return self.memo.get(index, _UNKNOWN)

    def _first_put(self) -> None:
        """Before PUT names a number, what MEMOIZE stored gets the numbers it counted."""
        raw = any(type(entry) is not _Skipped for entry in self.pending)
        if not (self.memo or self.counted or raw):
            return
        self._settle()
        self.top = max(self._settled, len(self.memo) + self.skipped - 1)
        if self.counted:
            # PUT may store under a number that lies in a run. No pickler uses both.
            self.observer.on_anomaly("PUT stands beside MEMOIZE", self._at)

    def _disorder(self) -> None:
        """PUT stores under a number that is not the highest, or beside MEMOIZE."""
        if any(type(entry) is _Skipped for entry in self.pending):
            self._settle()
        self.orderly = False
        self.swallows = False
        self.contexts.clear()
        self._paying.clear()

    def _memoize(self, value: Value) -> None:
        if self.top >= 0:
            # MEMOIZE counts what PUT stored.
            self._settle()
            self.memo[len(self.memo) + self.skipped] = value
        else:
            self.pending.append(value)

    def _settle(self, index: int | None = None) -> None:
        """Number what runs stored, so that entries can be recalled; up to the one wanted."""
        if self.top >= 0:
            self._set_aside()
        pending, self.pending = self.pending, []
        memo = self.memo
        last = self._settled
        for place, entry in enumerate(pending):
            if index is not None and len(memo) + self.skipped > index:
                self.pending = pending[place:]
                break
            if type(entry) is _Skipped:
                last = self._number_run(entry.run, last)
            elif type(entry) is _Numbered:
                if entry.number <= last:
                    self.observer.on_anomaly("two values are stored under one number", 0)
                last = max(last, entry.number)
                memo[entry.number] = entry.value
            else:
                memo[len(memo) + self.skipped] = entry
        self._settled = last
        if not self.pending:
            self._uncounted = 0

    def _number_run(self, run: Run, last: int) -> int:
        """Number what a run stored; ``last`` is the highest number of PUT until now, and then."""
        if not run.recipe.puts:
            count = memoized(self.data, run.start, run.end)
            if count:
                run.first = len(self.memo) + self.skipped
                self.holes.append((run.first, run))
                self.skipped += count
            return last
        numbers = indexes(stored(self.data, run.start, run.end))
        if not numbers:
            return last
        if numbers != sorted(set(numbers)) or numbers[0] <= last:
            self.observer.on_anomaly("two values are stored under one number", run.start)
        run.first = numbers[0]
        self.holes.append((run.first, run))
        self.skipped += len(numbers)
        return max(last, numbers[-1])

    def _recall(self, index: int, at: int) -> Value:
        """A value of the memo that lies in a run: the run is followed after all."""
        if self.pending:
            if self.top >= 0:
                if index >= self._floor:
                    self._settle()
            elif index >= len(self.memo) + self.skipped:
                self._settle(index)
            if index in self.memo:
                return self.memo[index]
        if index in self.recalled:
            return self.recalled[index]
        place = bisect_right(self.holes, index, key=_first) - 1
        if place < 0:
            raise MachineError("recalls a value that was never stored", at)
        first, run = self.holes[place]
        text = self._text_in(run, index, first)
        if text is not None:
            return text
        del self.holes[place]
        self._again(run, first)
        if index not in self.recalled:
            raise MachineError("recalls a value that was never stored", at)
        return self.recalled[index]

    def _text_in(self, run: Run, index: int, first: int) -> str | None:
        """Text that a run stores, without following the run."""
        if self.top >= 0:
            return None
        at = run.token_of(index - first)
        if at < 0 or self.data[at] not in b"\x8cX":
            return None
        head = 2 if self.data[at] == 0x8C else 5
        size = int.from_bytes(self.data[at + 1 : at + head], "little")
        text = self._text(at, at + head, at + head + size)
        return text if type(text) is str else None

    def _release(self, pos: int) -> None:
        """Give the pages of a map back that were read."""
        first = self._released // PAGESIZE * PAGESIZE
        self._released = pos
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self.data.madvise(MADV_DONTNEED, first, pos - first)  # type: ignore[union-attr]

    # -- frequent helpers ------------------------------------------------------------------

    def _text(self, at: int, start: int, stop: int) -> Value:
        if stop - start > HOLD:
            if stop - start <= _READ:
                self._utf8_text(at, start, stop)
            return Big("str", stop - start, start, self.data)
        try:
            return self.data[start:stop].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise MachineError("a string that is not UTF-8", at) from None

    def _utf8_text(self, at: int, start: int, stop: int) -> None:
        """Long text that is not kept; raises MachineError where it is no UTF-8."""
        try:
            bytes(self.data[start:stop]).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise MachineError("a string that is not UTF-8", at) from None

    def _call(
        self, stack: list[Value], func: Value, args: Value, kwargs: Value, how: str, at: int
    ) -> None:
        if type(func) is not Glob or type(args) is not tuple:
            if why := call_refused(func, args, how):
                raise MachineError(why, at)
            if arguments_refused(args):
                self.faults.add("arguments")
        call = Call(func, args, kwargs, how, at)
        self.observer.on_call(call)
        stack.append(call)

    def _add(self, target: Value, items: list[Value], how: str, at: int) -> None:
        self.observer.on_add(target, items, how, at)
        if items_refused(target, items, how):
            raise MachineError(f"{how} on a value that takes no items", at)

    def _build(self, pos: int, stack: list[Value]) -> int:
        if self._ran:
            self._reach(2)
        state = stack.pop()
        target = stack[-1]
        self.observer.on_build(target, state, pos)
        if state_refused(target, state):
            raise MachineError("a state for a value that has none", pos)
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
        if self._ran:
            self._reach(2)
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
        args = self._all()
        self._find_class(self._utf8(module, pos), self._utf8(name, pos), pos)
        cls = self.stack.pop()
        self._call(self.stack, cls, tuple(args[: KEEP + 1]), None, "INST", pos)
        return after

    def _obj(self, pos: int) -> int:
        args = self._all()
        cls = args.pop(0)
        self._call(self.stack, cls, tuple(args[: KEEP + 1]), None, "OBJ", pos)
        return pos + 1

    def _newobj_ex(self, pos: int) -> int:
        if self._ran:
            self._reach(3)
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
        self.lines = True
        if self.top < 0:
            self._first_put()
        if index > self.top:
            self.top = index
        elif self.orderly:
            self._disorder()
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
        if not self.stack:
            self._pop_mark()
        else:
            self.stack.pop()
        if self._ran:
            self._reach(1)
        return pos + 1

    def _pop_to_mark(self, pos: int) -> int:
        self._pop_mark()
        if self._ran:
            self._reach(1)
        return pos + 1

    def _dup(self, pos: int) -> int:
        self.stack.append(self.stack[-1])
        return pos + 1

    def _append(self, pos: int) -> int:
        if self._ran:
            self._reach(2)
        value = self.stack.pop()
        target = self.stack[-1]
        if type(target) is Lst and target.kind == "list":
            target.extend([value])
            if self.end - pos > _WORTH:
                return self._swallow_added(pos + 1, self.end, "appends")
        else:
            self._add(target, [value], "APPEND", pos)
        return pos + 1

    def _all(self) -> list[Value]:
        """The values of the level that is closed."""
        items = self._pop_mark()
        return self._spread(items, 0x74) if self._ran else items

    def _list(self, pos: int) -> int:
        items = self._all()
        self.stack.append(Lst("list", items))
        return pos + 1

    def _dict(self, pos: int) -> int:
        items = self._pop_mark()
        if self._ran:
            items = self._spread(items, 0x64)
        if _number(items) & 1:
            raise MachineError("a dictionary key without a value", pos)
        self.stack.append(Dct(items))
        return pos + 1

    def _empty_set(self, pos: int) -> int:
        self.stack.append(Lst("set", []))
        return pos + 1

    def _additems(self, pos: int) -> int:
        items = self._pop_mark()
        if self._ran:
            items = self._spread(items, 0x90)
        target = self.stack[-1]
        if type(target) is Lst and target.kind == "set":
            target.extend(items)
        else:
            self._add(target, items, "ADDITEMS", pos)
        return pos + 1

    def _frozenset(self, pos: int) -> int:
        items = self._all()
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


def _number(items: list[Value]) -> int:
    """How many values these are, as far as it matters whether that is even."""
    return sum(1 for item in items if type(item) is not Run)


class _Collector:
    """Observes a run that is followed after all, and collects its values."""

    def __init__(self, observer: Observer, target: Call) -> None:
        self.target = target
        self.items: list[Value] = []
        self._observer = observer
        self.ripe = False
        self.on_global = observer.on_global
        self.on_call = observer.on_call
        self.on_build = observer.on_build
        self.on_persistent = observer.on_persistent
        self.on_extension = observer.on_extension
        self.on_buffer = observer.on_buffer
        self.on_anomaly = observer.on_anomaly
        self.made = observer.made
        self.built = observer.built
        self.filled = observer.filled
        self.steady = observer.steady
        self.settled = observer.settled
        self.holds = observer.holds

    def on_skipped(self, *, calls: bool) -> None: ...

    def on_add(self, target: Value, items: list[Value], how: str, offset: int) -> None:
        if target is self.target:
            self.items += items
        else:
            self._observer.on_add(target, items, how, offset)


_LITERALS = frozenset({str, int, float, bool, type(None), bytes, Big})


class _Skipped:
    """A run whose entries in the memo were not counted yet."""

    __slots__ = ("run",)

    def __init__(self, run: Run) -> None:
        self.run = run


class _Numbered:
    """What PUT stored under a number, beside runs; tuples are values of MEMOIZE."""

    __slots__ = ("number", "value")

    def __init__(self, number: int, value: Value) -> None:
        self.number = number
        self.value = value


class _Later(dict[int, Value]):
    """The memo of a run that is followed later: what it does not hold, the whole stream holds."""

    def __init__(self, machine: Machine, first: int) -> None:
        super().__init__()
        self._machine = machine
        self._first = first

    def __missing__(self, index: int) -> Value:
        machine = self._machine
        if index >= self._first:
            raise KeyError(index)
        if index in machine.memo:
            return machine.memo[index]
        machine.nesting += 1
        try:
            if machine.nesting > _NESTING:
                machine.observer.on_anomaly("values that recall each other without end", 0)
                return Unk("a value that was recalled")
            return machine._recall(index, 0)
        finally:
            machine.nesting -= 1

    def __contains__(self, index: object) -> bool:
        return dict.__contains__(self, index) or (type(index) is int and index < self._first)


def _shown(value: Value) -> str:
    return value if type(value) is str else "<computed>"


# A STACK_GLOBAL operand of one of these types makes every unpickler raise.
_UNKNOWN = Unk("recalled")
# What ends a batch, a stream or a frame: no sample begins there.
_CLOSERS = frozenset(b"eutld\x90\x91.\x95")
_RELEASE = 32 << 20

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
