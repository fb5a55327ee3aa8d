"""Zstandard frames, read by ourselves: RFC 8878, without dictionaries. Slow, hence bounded."""

from __future__ import annotations

from auditor.artifacts.blob import Blob
from auditor.artifacts.unpack import Budget, CorruptError, Spool
from auditor.values import record

_MAGIC = b"\x28\xb5\x2f\xfd"
# More than this is not unpacked: it would take minutes.
_MOST = 64 << 20
_BLOCK = 128 << 10


class _DamagedError(ValueError):
    """Not what the format allows."""


@record
class _Table:
    """A finite-state entropy table: symbol, bits to read and base of the next state, by state."""

    log: int
    symbols: list[int]
    bits: list[int]
    bases: list[int]


@record
class _Huffman:
    width: int
    symbols: bytes
    bits: bytes


@record
class _State:
    """What one block of a frame hands on to the next."""

    huffman: _Huffman | None
    tables: list[_Table | None]
    repeats: list[int]
    history: bytearray


class _Backward:
    """Bits of a stream that is read from its end; a bit that is set marks the end."""

    __slots__ = ("at", "data", "left", "value")

    def __init__(self, data: bytes) -> None:
        if not data or not data[-1]:
            raise _DamagedError("a bit stream without its end mark")
        self.data = data
        self.at = len(data) - 1
        self.left = data[-1].bit_length() - 1
        self.value = data[-1] & ((1 << self.left) - 1)

    def fill(self) -> None:
        low = max(self.at - 32, 0)
        piece = self.data[low : self.at]
        self.value = self.value << 8 * len(piece) | int.from_bytes(piece, "little")
        self.left += 8 * len(piece)
        self.at = low

    def rest(self) -> int:
        return self.left + 8 * self.at

    def read(self, count: int) -> int:
        if self.left < count:
            self.fill()
            if self.left < count:
                raise _DamagedError("a bit stream that ends early")
        self.left -= count
        value = self.value >> self.left
        self.value &= (1 << self.left) - 1
        return value


def unpack_zstd(blob: Blob, budget: Budget) -> tuple[Blob, int]:
    """(unpacked bytes, packed bytes consumed) of all frames; CorruptError, TooMuchError."""
    spool = Spool(budget, len(blob))
    at = 0
    try:
        while True:
            magic = blob.read(at, 4)
            if magic == _MAGIC:
                at = _frame(blob, at + 4, spool)
            elif len(magic) == 4 and magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5:
                size = int.from_bytes(blob.read(at + 4, 4), "little")
                if at + 8 + size > len(blob):
                    raise _DamagedError("a frame to skip that is cut off")
                at += 8 + size
            else:
                break
    except (_DamagedError, IndexError) as error:
        raise CorruptError(str(error) or "damaged zstd frame", spool.blob()) from None
    return spool.blob(), at


def _frame(blob: Blob, at: int, spool: Spool) -> int:
    head = blob.read(at, 14)
    flags = head[0]
    if flags & 0x08:
        raise _DamagedError("a reserved bit is set")
    single = flags & 0x20
    size = 1 + (0 if single else 1)
    dictionary = (0, 1, 2, 4)[flags & 3]
    if any(head[size : size + dictionary]):
        raise _DamagedError("it needs a dictionary")
    size += dictionary + ((1 if single else 0), 2, 4, 8)[flags >> 6]
    at += size
    state = _State(huffman=None, tables=[None, None, None], repeats=[1, 4, 8], history=bytearray())
    while True:
        raw = blob.read(at, 3)
        if len(raw) < 3:
            raise _DamagedError("the compressed stream ends in the middle")
        header = int.from_bytes(raw, "little")
        at += 3
        last, kind, length = header & 1, header >> 1 & 3, header >> 3
        if kind == 3 or length > _BLOCK:
            raise _DamagedError("a block of an unknown kind")
        stored = 1 if kind == 1 else length
        body = blob.read(at, stored)
        if len(body) < stored:
            raise _DamagedError("the compressed stream ends in the middle")
        at += stored
        start = len(state.history)
        if kind == 0:
            state.history += body
        elif kind == 1:
            state.history += body * length
        else:
            _block(body, state)
        spool.write(bytes(state.history[start:]))
        if spool.size > _MOST:
            raise _DamagedError(f"more than {_MOST >> 20} MB of zstd are not read")
        if last:
            break
    return at + (4 if flags & 4 else 0)


def _block(body: bytes, state: _State) -> None:
    literals, at = _literals(body, state)
    count = body[at]
    at += 1
    if count >= 128:
        if count == 255:
            count = body[at] + (body[at + 1] << 8) + 0x7F00
            at += 2
        else:
            count = (count - 128 << 8) + body[at]
            at += 1
    if not count:
        state.history += literals
        return
    modes = body[at]
    at += 1
    tables: list[_Table] = []
    for index, shift in enumerate((6, 4, 2)):
        table, at = _sequence_table(body, at, modes >> shift & 3, index, state)
        state.tables[index] = table
        tables.append(table)
    _sequences(_Backward(body[at:]), count, literals, tables, state)


# -- literals --------------------------------------------------------------------------------


def _literals(body: bytes, state: _State) -> tuple[bytes, int]:
    kind, form = body[0] & 3, body[0] >> 2 & 3
    if kind < 2:
        if not form & 1:
            size, at = body[0] >> 3, 1
        elif form == 1:
            size, at = (body[0] >> 4) + (body[1] << 4), 2
        else:
            size, at = (body[0] >> 4) + (body[1] << 4) + (body[2] << 12), 3
        if size > _BLOCK:
            raise _DamagedError("literals larger than a block")
        if kind:
            return body[at : at + 1] * size, at + 1
        if at + size > len(body):
            raise _DamagedError("literals that are cut off")
        return body[at : at + size], at + size
    width = (10, 10, 14, 18)[form]
    at = (3, 3, 4, 5)[form]
    number = int.from_bytes(body[:at], "little") >> 4
    size = number & (1 << width) - 1
    packed = number >> width & (1 << width) - 1
    data = body[at : at + packed]
    if len(data) < packed or size > _BLOCK:
        raise _DamagedError("literals that are cut off")
    after = at + packed
    if kind == 2:
        state.huffman, used = _tree(data)
        data = data[used:]
    if state.huffman is None:
        raise _DamagedError("literals without a tree")
    if form == 0:
        return _huffman(data, size, state.huffman), after
    first, second, third = (int.from_bytes(data[i : i + 2], "little") for i in (0, 2, 4))
    quarter = (size + 3) // 4
    parts = []
    begin = 6
    for length, want in (
        (first, quarter),
        (second, quarter),
        (third, quarter),
        (len(data) - 6 - first - second - third, size - 3 * quarter),
    ):
        if length < 1 or want < 0:
            raise _DamagedError("literals of impossible size")
        parts.append(_huffman(data[begin : begin + length], want, state.huffman))
        begin += length
    return b"".join(parts), after


def _tree(data: bytes) -> tuple[_Huffman, int]:
    head = data[0]
    if head >= 128:
        count = head - 127
        used = 1 + (count + 1) // 2
        raw = data[1:used]
        weights = [raw[i // 2] >> (0 if i & 1 else 4) & 15 for i in range(count)]
    else:
        used = 1 + head
        raw = data[1:used]
        table, at = _read_table(raw, 0, 6, 255)
        stream = _Backward(raw[at:])
        weights = _weights(stream, table)
    total = sum(1 << w - 1 for w in weights if w)
    if not total:
        raise _DamagedError("a tree without leaves")
    width = total.bit_length()
    left = (1 << width) - total
    if left & left - 1 or width > 11:
        raise _DamagedError("a tree that is not full")
    weights.append(left.bit_length())
    symbols = bytearray()
    bits = bytearray()
    for weight in range(1, width + 1):
        for symbol, own in enumerate(weights):
            if own == weight:
                symbols += bytes([symbol]) * (1 << weight - 1)
                bits += bytes([width + 1 - weight]) * (1 << weight - 1)
    if len(symbols) != 1 << width:
        raise _DamagedError("a tree that is not full")
    return _Huffman(width=width, symbols=bytes(symbols), bits=bytes(bits)), used


def _weights(stream: _Backward, table: _Table) -> list[int]:
    states = [stream.read(table.log), stream.read(table.log)]
    weights: list[int] = []
    turn = 0
    while len(weights) < 255:
        state = states[turn]
        weights.append(table.symbols[state])
        if stream.rest() < table.bits[state]:
            weights.append(table.symbols[states[1 - turn]])
            return weights
        states[turn] = table.bases[state] + stream.read(table.bits[state])
        turn = 1 - turn
    raise _DamagedError("a tree with too many leaves")


def _huffman(data: bytes, size: int, tree: _Huffman) -> bytes:
    stream = _Backward(data)
    width, symbols, bits = tree.width, tree.symbols, tree.bits
    out = bytearray(size)
    value, left = stream.value, stream.left
    for index in range(size):
        if left < width:
            stream.value, stream.left = value, left
            stream.fill()
            value, left = stream.value, stream.left
        code = value >> left - width if left >= width else value << width - left
        out[index] = symbols[code]
        left -= bits[code]
        if left < 0:
            raise _DamagedError("literals that end early")
        value &= (1 << left) - 1
    return bytes(out)


# -- sequences -------------------------------------------------------------------------------

_DEFAULTS: tuple[tuple[int, list[int]], ...] = (
    (6, [4, 3, *[2] * 11, 1, 1, 1, *[2] * 9, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1]),
    (5, [*[1] * 6, 2, 2, 2, *[1] * 15, *[-1] * 5]),
    (6, [1, 4, 3, *[2] * 6, *[1] * 37, *[-1] * 7]),
)
_LOGS = (9, 8, 9)
_LAST = (35, 31, 52)
_LENGTHS: list[tuple[int, int]] = [(n, 0) for n in range(16)]
_MATCHES: list[tuple[int, int]] = [(n + 3, 0) for n in range(32)]
for _bits in (1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16):
    _LENGTHS.append((_LENGTHS[-1][0] + (1 << _LENGTHS[-1][1]), _bits))
for _bits in (1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16):
    _MATCHES.append((_MATCHES[-1][0] + (1 << _MATCHES[-1][1]), _bits))


def _sequence_table(
    body: bytes, at: int, mode: int, index: int, state: _State
) -> tuple[_Table, int]:
    if mode == 0:
        log, counts = _DEFAULTS[index]
        return _build(log, counts), at
    if mode == 1:
        if body[at] > _LAST[index]:
            raise _DamagedError("an unknown length code")
        return _Table(log=0, symbols=[body[at]], bits=[0], bases=[0]), at + 1
    if mode == 2:
        return _read_table(body, at, _LOGS[index], _LAST[index])
    table = state.tables[index]
    if table is None:
        raise _DamagedError("a table that was never given")
    return table, at


def _read_table(data: bytes, at: int, most: int, last: int) -> tuple[_Table, int]:
    value = int.from_bytes(data[at : at + 512], "little")
    limit = 8 * len(data[at : at + 512])
    log = (value & 15) + 5
    if log > most:
        raise _DamagedError("an entropy table that is too large")
    pos = 4
    remaining = 1 << log
    counts: list[int] = []
    while remaining > 0:
        if len(counts) > last or pos > limit:
            raise _DamagedError("an entropy table of impossible size")
        bits = (remaining + 1).bit_length()
        number = value >> pos & (1 << bits) - 1
        low = (1 << bits - 1) - 1
        threshold = (1 << bits) - 1 - (remaining + 1)
        if number & low < threshold:
            number &= low
            pos += bits - 1
        else:
            if number > low:
                number -= threshold
            pos += bits
        count = number - 1
        remaining -= abs(count)
        counts.append(count)
        while not count:
            repeat = value >> pos & 3
            pos += 2
            counts += [0] * repeat
            if repeat < 3 or len(counts) > last:
                break
    if remaining or pos > limit or len(counts) > last + 1:
        raise _DamagedError("an entropy table of impossible size")
    return _build(log, counts), at + (pos + 7) // 8


def _build(log: int, counts: list[int]) -> _Table:
    size = 1 << log
    symbols = [0] * size
    nexts = [0] * len(counts)
    high = size
    for symbol, count in enumerate(counts):
        if count == -1:
            high -= 1
            symbols[high] = symbol
            nexts[symbol] = 1
    step = (size >> 1) + (size >> 3) + 3
    place = 0
    for symbol, count in enumerate(counts):
        if count <= 0:
            continue
        nexts[symbol] = count
        for _ in range(count):
            symbols[place] = symbol
            place = place + step & size - 1
            while place >= high:
                place = place + step & size - 1
    bits = [0] * size
    bases = [0] * size
    for index, symbol in enumerate(symbols):
        following = nexts[symbol]
        nexts[symbol] += 1
        bits[index] = log - (following.bit_length() - 1)
        bases[index] = (following << bits[index]) - size
    return _Table(log=log, symbols=symbols, bits=bits, bases=bases)


def _sequences(
    stream: _Backward, count: int, literals: bytes, tables: list[_Table], state: _State
) -> None:
    lengths, offsets, matches = tables
    read = stream.read
    length_state, offset_state, match_state = (read(t.log) for t in (lengths, offsets, matches))
    out, repeats = state.history, state.repeats
    begin = len(out)
    taken = 0
    for index in range(count):
        code = offsets.symbols[offset_state]
        offset = (1 << code) + read(code)
        base, bits = _MATCHES[matches.symbols[match_state]]
        match = base + read(bits)
        base, bits = _LENGTHS[lengths.symbols[length_state]]
        length = base + read(bits)
        if index + 1 < count:
            length_state = lengths.bases[length_state] + read(lengths.bits[length_state])
            match_state = matches.bases[match_state] + read(matches.bits[match_state])
            offset_state = offsets.bases[offset_state] + read(offsets.bits[offset_state])
        offset = _distance(offset, length, repeats)
        out += literals[taken : taken + length]
        taken += length
        start = len(out) - offset
        if start < 0 or offset <= 0 or taken > len(literals):
            raise _DamagedError("a match before the beginning")
        if offset >= match:
            out += out[start : start + match]
        else:
            piece = bytes(out[start:])
            out += (piece * (match // offset + 1))[:match]
        if len(out) - begin > _BLOCK:
            raise _DamagedError("a block that is too large")
    out += literals[taken:]


def _distance(offset: int, length: int, repeats: list[int]) -> int:
    if offset > 3:
        repeats[:] = [offset - 3, repeats[0], repeats[1]]
        return repeats[0]
    index = offset - 1 + (not length)
    found = repeats[0] - 1 if index == 3 else repeats[index]
    if index == 1:
        repeats[:2] = [found, repeats[0]]
    elif index > 1:
        repeats[:] = [found, repeats[0], repeats[1]]
    return found
