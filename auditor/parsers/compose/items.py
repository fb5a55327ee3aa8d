"""The short and long forms of ports and volumes, and the words of a command."""

from __future__ import annotations

from auditor.parsers.compose.facts import ComposePort, ComposeVolume, PortRange
from auditor.parsers.compose.tree import (
    Scalar,
    Table,
    host_path,
    is_on,
    made_text,
    plain_text,
    text_of,
    text_or_unknown,
)
from auditor.parsers.dotenv import HOLE
from auditor.source import Location, Unknown


def port_range(text: str) -> PortRange | Unknown | None:
    """``80`` or ``80-90``; Unknown where a variable stands; None when it is no port."""
    if HOLE in text:
        return Unknown("the port depends on a variable that nothing in the repository sets")
    first, dash, last = text.strip().partition("-")
    if not (first.isascii() and first.isdigit() and len(first) <= 6):
        return None
    low = high = int(first)
    if dash:
        if not (last.isascii() and last.isdigit() and len(last) <= 6):
            return None
        high = int(last)
    if high < low or high > 65535:
        return None
    return PortRange(first=low, last=high)


def parse_port(text: str, at: Location, *, raw: str = "") -> ComposePort | None:
    """The short form ``[[ip:][published]:]target[/protocol]``; None when it is none."""
    body, slash, protocol = text.strip().rpartition("/")
    if not slash:
        body, protocol = text.strip(), "tcp"
    target_text = body
    published_text = host = ""
    if ":" in body:
        front, _, target_text = body.rpartition(":")
        host, _, published_text = front.rpartition(":")
        host = host.strip("[]")
    target = port_range(target_text)
    if target is None:
        return None
    published: PortRange | Unknown | None = None
    if published_text:
        published = port_range(published_text)
        if published is None:
            return None
    host_ip: str | Unknown | None = host or None
    if HOLE in host:
        host_ip = Unknown("the address depends on a variable that nothing in the repository sets")
    if HOLE in protocol:
        return ComposePort(
            at=at,
            target=target,
            published=published,
            host_ip=host_ip,
            protocol=Unknown("the protocol depends on a variable"),
            raw=raw,
        )
    if protocol.lower() not in ("tcp", "udp", "sctp"):
        return None
    if (
        isinstance(target, PortRange)
        and isinstance(published, PortRange)
        and target.first != target.last
        and published.last - published.first != target.last - target.first
    ):
        return None
    return ComposePort(
        at=at,
        target=target,
        published=published,
        host_ip=host_ip,
        protocol=protocol.lower(),
        raw=raw,
    )


def _is_host_path(text: str) -> bool:
    return text.startswith((".", "/", "~", "\\")) or (
        text[1:2] == ":" and text[:1].isalpha() and text[2:3] in ("/", "\\")
    )


def short_volume(item: Scalar) -> ComposeVolume | None:
    """``[SOURCE:]TARGET[:MODE]``; None when it is none."""
    text = item.text
    parts: list[str] = []
    start = 0
    for position, char in enumerate(text):
        if char != ":":
            continue
        following = text[position + 1 : position + 2]
        if position - start == 1 and text[start].isalpha() and following == "\\":
            continue
        # "c:/data:/data" has a drive, "c:/data" a volume named c.
        if position == 1 and text[0].isalpha() and following == "/" and ":" in text[2:]:
            continue
        parts.append(text[start:position])
        start = position + 1
    parts.append(text[start:])
    if len(parts) > 3 or not all(parts):
        return None
    modes = parts[2].split(",") if len(parts) == 3 else []
    if len(parts) == 1:
        target: str | Unknown = _known(text, item)
        return ComposeVolume(at=item.at, type="volume", source=None, target=target)
    source_text, target_text = parts[0], parts[1]
    is_bind = _is_host_path(source_text) or HOLE in source_text
    raw = _source_raw(item, source_text)
    blank = source_text.replace(HOLE, "")
    source = Scalar(source_text, item.at, item.base, raw=raw, blank=blank)
    return ComposeVolume(
        at=item.at,
        type="bind" if is_bind else "volume",
        source=made_text(source),
        target=_known(target_text, item),
        path=host_path(item.base, source_text) if is_bind else None,
        read_only="ro" in modes,
    )


def _source_raw(item: Scalar, source_text: str) -> str:
    # Colons inside "${A:-b}" make the raw text ambiguous; then the whole of it is shown.
    return item.raw.partition(":")[0] if item.raw == item.text else item.raw


def _known(text: str, item: Scalar) -> str | Unknown:
    return Unknown(f"{item.raw!r} depends on the host") if HOLE in text else text


def long_volume(item: Table) -> ComposeVolume | None:
    """A volume written as a mapping; None where it names no target."""
    target = text_or_unknown(item.get("target"))
    if target is None:
        return None
    kind = plain_text(item.get("type")) or "volume"
    source = item.get("source")
    bind, volume = item.get("bind"), item.get("volume")
    create = bind.get("create_host_path") if isinstance(bind, Table) else None
    subpath = volume.get("subpath") if isinstance(volume, Table) else None
    path = None
    if kind == "bind" and isinstance(source, Scalar):
        path = host_path(item.base, source.text)
    return ComposeVolume(
        at=item.at,
        type=kind,
        source=text_of(source),
        target=target,
        path=path,
        read_only=is_on(item.get("read_only")),
        create_host_path=is_on(create, True),
        subpath=plain_text(subpath) or None,
    )


def split_words(text: str) -> list[tuple[str, int, int]] | None:
    """Words of a command line with their offsets, by POSIX quoting; None for an open quote.

    Nothing is expanded and operators are ordinary text, since no shell is started.
    """
    words: list[tuple[str, int, int]] = []
    i, size = 0, len(text)
    while i < size:
        if text[i].isspace():
            i += 1
            continue
        start = i
        out: list[str] = []
        while i < size and not text[i].isspace():
            char = text[i]
            if char == "'":
                end = text.find("'", i + 1)
                if end < 0:
                    return None
                out.append(text[i + 1 : end])
                i = end + 1
            elif char == '"':
                i += 1
                while i < size and text[i] != '"':
                    if text[i] == "\\" and text[i + 1 : i + 2] in ('"', "\\", "$", "`"):
                        i += 1
                    out.append(text[i : i + 1])
                    i += 1
                if i >= size:
                    return None
                i += 1
            elif char == "\\":
                if i + 1 >= size:
                    return None
                out.append(text[i + 1])
                i += 2
            else:
                out.append(char)
                i += 1
        words.append(("".join(out), start, i))
    return words
