"""ZIP archives read as loaders read them, and every way in which loaders may disagree.

PKWARE APPNOTE 6.3. The central directory is what ``zipfile`` and torch's miniz follow; the local
headers are what streaming readers and some tools follow. A difference is an attack or damage.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from struct import Struct

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import ArtifactIssue, Verdict
from auditor.artifacts.unpack import Budget, CorruptError, TooMuchError, unpack
from auditor.findings import Severity
from auditor.values import record

_EOCD = Struct("<4s4H2LH")
_EOCD64 = Struct("<4sQ2H2L4Q")
_LOCATOR64 = Struct("<4sLQL")
_CENTRAL = Struct("<4s6H3L5H2L")
_LOCAL = Struct("<4s5H3L2H")


@record
class Entry:
    """One file of the central directory. ``data`` is the window of its packed bytes, or None."""

    name: str
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    header: int
    mode: int
    data: Blob | None = None
    raw_name: bytes = b""


class NotZipError(Exception):
    """No end of central directory."""


@record
class Archive:
    entries: list[Entry]
    issues: list[ArtifactIssue]
    # Bytes in front of the first local header, and behind the end record.
    prefix: int = 0
    suffix: int = 0


def _issue(
    message: str, verdict: Verdict, severity: Severity, offset: int | None = None, what: str = ""
) -> ArtifactIssue:
    return ArtifactIssue(
        rule="ART010",
        message=message,
        verdict=verdict,
        severity=severity,
        offset=offset,
        what=what,
    )


def read_archive(blob: Blob, max_entries: int) -> Archive:
    """The entries and everything that is wrong with the directory. Raises NotZipError."""
    end = _find_end(blob)
    if end is None:
        raise NotZipError
    at, total, size, start, comment = end
    archive = Archive(entries=[], issues=[])
    issues = archive.issues
    archive.suffix = len(blob) - (at + 22 + comment)
    directory_end = at
    locator = blob.unpack(_LOCATOR64, at - 20)
    if locator is not None and blob.read(at - 20, 4) == b"PK\x06\x07":
        where = at - 20 - 56
        record = blob.unpack(_EOCD64, where)
        if record is None or blob.read(where, 4) != b"PK\x06\x06":
            where = int(locator[2])
            record = blob.unpack(_EOCD64, where)
        if record is not None and blob.read(where, 4) == b"PK\x06\x06":
            total, size, start = int(record[7]), int(record[8]), int(record[9])
            directory_end = where
        else:
            issues.append(
                _issue("has a damaged ZIP64 end record", "suspicious", Severity.HIGH, where)
            )
    # zipfile trusts the size and tolerates a prefix; others trust the offset.
    real_start = directory_end - size
    archive.prefix = max(real_start - start, 0)
    if real_start < 0 or (blob.read(real_start, 4) not in (b"PK\x01\x02", b"") and total):
        issues.append(
            _issue(
                "has a central directory that is not where its end record says",
                "suspicious",
                Severity.HIGH,
                max(real_start, 0),
                "loaders find different contents",
            )
        )
        real_start = max(min(start, len(blob)), 0)
        archive.prefix = 0
    elif real_start != start:
        issues.append(
            _issue(
                f"has {real_start - start} bytes that its directory does not count",
                "suspicious",
                Severity.MEDIUM,
                0,
                "a loader of another format may read what stands in front of the archive",
            )
        )
    pos = real_start
    while len(archive.entries) < max_entries:
        fields = blob.unpack(_CENTRAL, pos)
        if fields is None or blob.read(pos, 4) != b"PK\x01\x02" or pos >= directory_end:
            break
        entry, pos = _entry(blob, fields, pos)
        archive.entries.append(entry)
    else:
        issues.append(
            _issue(f"holds more than {max_entries} entries", "unreadable", Severity.HIGH, pos)
        )
    if len(archive.entries) != total:
        issues.append(
            _issue(
                f"says it holds {total} entries but lists {len(archive.entries)}",
                "suspicious",
                Severity.HIGH,
                real_start,
                "loaders find different contents",
            )
        )
    if archive.suffix > 0:
        issues.append(
            ArtifactIssue(
                rule="ART004",
                message=f"{archive.suffix} bytes follow the archive",
                verdict="suspicious",
                severity=Severity.MEDIUM,
                offset=at + 22 + comment,
                what="a loader of another format may read what this one ignores",
            )
        )
    _local_headers(blob, archive, real_start)
    _names(archive)
    return archive


def _find_end(blob: Blob) -> tuple[int, int, int, int, int] | None:
    tail = blob.read(max(len(blob) - 65557, 0), 65557)
    base = len(blob) - len(tail)
    at = tail.rfind(b"PK\x05\x06")
    fallback = None
    while at >= 0:
        fields = blob.unpack(_EOCD, base + at)
        if fields is not None:
            found = (base + at, fields[4], fields[5], fields[6], fields[7])
            if base + at + 22 + fields[7] == len(blob):
                return found
            if fallback is None and base + at + 22 + fields[7] <= len(blob):
                fallback = found
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return fallback


def _entry(blob: Blob, fields: tuple[int, ...], pos: int) -> tuple[Entry, int]:
    flags, method = fields[3], fields[4]
    crc, packed, size = fields[7], fields[8], fields[9]
    name_size, extra_size, comment_size = fields[10], fields[11], fields[12]
    header = fields[16]
    raw = blob.read(pos + 46, name_size)
    extra = blob.read(pos + 46 + name_size, extra_size)
    wants = [size == 0xFFFFFFFF, packed == 0xFFFFFFFF, header == 0xFFFFFFFF]
    if any(wants):
        at = 0
        while at + 4 <= len(extra):
            tag = int.from_bytes(extra[at : at + 2], "little")
            length = int.from_bytes(extra[at + 2 : at + 4], "little")
            if tag == 1:
                values = [
                    int.from_bytes(extra[at + 4 + i : at + 12 + i], "little")
                    for i in range(0, length - 7, 8)
                ]
                if wants[0] and values:
                    size = values.pop(0)
                if wants[1] and values:
                    packed = values.pop(0)
                if wants[2] and values:
                    header = values.pop(0)
            at += 4 + length
    name = raw.decode("utf-8" if flags & 0x800 else "cp437", "replace")
    entry = Entry(
        name=name,
        method=method,
        flags=flags,
        crc=crc,
        packed=packed,
        size=size,
        header=header,
        mode=fields[15] >> 16,
        raw_name=raw,
    )
    return entry, pos + 46 + name_size + extra_size + comment_size


def _local_headers(blob: Blob, archive: Archive, directory: int) -> None:
    issues = archive.issues
    spans: list[tuple[int, int]] = []
    reported: set[str] = set()

    def once(kind: str, issue: ArtifactIssue) -> None:
        if kind not in reported:
            reported.add(kind)
            issues.append(issue)

    for entry in archive.entries:
        at = entry.header + archive.prefix
        fields = blob.unpack(_LOCAL, at)
        if fields is None or blob.read(at, 4) != b"PK\x03\x04":
            once(
                "header",
                _issue(f"{entry.name!r} has no local header", "suspicious", Severity.HIGH, at),
            )
            continue
        name = blob.read(at + 30, fields[9])
        start = at + 30 + fields[9] + fields[10]
        entry.data = blob.window(start, entry.packed)
        spans.append((at, start + entry.packed))
        if name != entry.raw_name:
            once(
                "name",
                _issue(
                    f"{entry.name!r} is called {name.decode('utf-8', 'replace')!r} in its local header",
                    "dangerous",
                    Severity.CRITICAL,
                    at,
                    "scanners and loaders find different files under one name",
                ),
            )
        if fields[3] != entry.method:
            once(
                "method",
                _issue(
                    f"{entry.name!r} names two compression methods",
                    "suspicious",
                    Severity.HIGH,
                    at,
                ),
            )
        if (fields[2] ^ entry.flags) & 0x61:
            once(
                "flags",
                _issue(
                    f"{entry.name!r} is encrypted in one header and not in the other",
                    "suspicious",
                    Severity.HIGH,
                    at,
                ),
            )
        if not fields[2] & 8 and fields[6] not in (entry.crc, 0):
            once(
                "crc-header",
                _issue(f"{entry.name!r} states two checksums", "suspicious", Severity.HIGH, at),
            )
        if not fields[2] & 8 and fields[7] not in (entry.packed, 0xFFFFFFFF):
            once(
                "size",
                _issue(f"{entry.name!r} states two sizes", "suspicious", Severity.HIGH, at),
            )
        if start + entry.packed > directory:
            once(
                "reach",
                _issue(
                    f"{entry.name!r} reaches beyond the data of the archive",
                    "suspicious",
                    Severity.HIGH,
                    at,
                ),
            )
    spans.sort()
    for (first_start, first_end), (second_start, _) in itertools.pairwise(spans):
        if second_start < first_end:
            once(
                "overlap",
                _issue(
                    "has entries that share bytes",
                    "suspicious",
                    Severity.HIGH,
                    first_start,
                    "unpacks to far more than it is",
                ),
            )
    _hidden(blob, archive, spans, directory)


def _hidden(blob: Blob, archive: Archive, spans: list[tuple[int, int]], directory: int) -> None:
    """Local headers that the directory does not list: streaming readers see those files."""
    at = 0
    for start, end in [*spans, (directory, directory)]:
        if start > at and at >= archive.prefix:
            found = blob.find(b"PK\x03\x04", at, start)
            if 0 <= found < start:
                archive.issues.append(
                    _issue(
                        "holds a file that its directory does not list",
                        "suspicious",
                        Severity.HIGH,
                        found,
                        "scanners and loaders find different files",
                    )
                )
                return
        at = max(at, end)


def _names(archive: Archive) -> None:
    seen: dict[str, str] = {}
    reported: set[str] = set()
    for entry in archive.entries:
        name = entry.name
        key = name.replace("\\", "/").casefold()
        problem = ""
        if key in seen:
            problem = (
                f"holds {name!r} twice"
                if seen[key] == name
                else f"holds {seen[key]!r} and {name!r}, one file for some systems"
            )
        seen.setdefault(key, name)
        if problem and "twice" not in reported:
            reported.add("twice")
            archive.issues.append(
                _issue(
                    problem,
                    "suspicious",
                    Severity.HIGH,
                    what="scanners and loaders may pick different ones",
                )
            )
        parts = name.replace("\\", "/").split("/")
        if (name.startswith(("/", "\\")) or ".." in parts or name[1:3] in (":\\", ":/")) and (
            "traversal" not in reported
        ):
            reported.add("traversal")
            archive.issues.append(
                _issue(
                    f"{name!r} points out of the directory it is unpacked into",
                    "dangerous",
                    Severity.CRITICAL,
                    what="unpacking overwrites files elsewhere",
                )
            )
        if "\x00" in name and "nul" not in reported:
            reported.add("nul")
            archive.issues.append(
                _issue(
                    f"{name!r} has a NUL in its name",
                    "suspicious",
                    Severity.HIGH,
                    what="zipfile cuts the name there, others do not",
                )
            )
        if entry.mode & 0o170000 == 0o120000 and "link" not in reported:
            reported.add("link")
            archive.issues.append(
                _issue(
                    f"{name!r} is a symbolic link",
                    "suspicious",
                    Severity.HIGH,
                    what="unpacking follows it to another place",
                )
            )


_METHODS = {8: "deflate", 12: "bz2", 14: "lzma-zip", 93: "zstd"}


def contents(entry: Entry, budget: Budget) -> tuple[Blob | None, list[ArtifactIssue]]:
    """The unpacked bytes of an entry, and what is wrong with them. Raises TooMuchError."""
    issues: list[ArtifactIssue] = []
    if entry.data is None:
        return None, issues
    if entry.flags & 0x41:
        issues.append(
            _issue(
                f"{entry.name!r} is marked as encrypted",
                "suspicious",
                Severity.MEDIUM,
                what="its content cannot be judged; some loaders ignore the mark and load it",
            )
        )
    if entry.flags & 0x20:
        issues.append(
            _issue(f"{entry.name!r} is marked as patch data", "suspicious", Severity.MEDIUM)
        )
    if len(entry.data) < entry.packed:
        issues.append(
            ArtifactIssue(
                rule="ART015",
                message=f"{entry.name!r} is cut off",
                verdict="unreadable",
                severity=Severity.HIGH,
            )
        )
    blob: Blob | None
    if entry.method == 0:
        blob = entry.data
    elif entry.method in _METHODS:
        try:
            if entry.method == 14:
                blob, _ = _zip_lzma(entry.data, budget)
            else:
                blob, _ = unpack(entry.data, _METHODS[entry.method], budget)
        except CorruptError as error:
            blob = error.got
            issues.append(
                ArtifactIssue(
                    rule="ART015",
                    message=f"{entry.name!r} does not unpack: {error}",
                    verdict="unreadable",
                    severity=Severity.HIGH,
                )
            )
    else:
        issues.append(
            _issue(
                f"{entry.name!r} uses compression method {entry.method}, which is not read",
                "unreadable",
                Severity.HIGH,
            )
        )
        return None, issues
    if blob is not None and not issues:
        if len(blob) != entry.size:
            issues.append(
                _issue(
                    f"{entry.name!r} is {len(blob)} bytes, not {entry.size} as stated",
                    "suspicious",
                    Severity.HIGH,
                )
            )
        elif crc32(blob) != entry.crc:
            issues.append(
                _issue(
                    f"{entry.name!r} does not match its checksum",
                    "suspicious",
                    Severity.HIGH,
                    what="scanners stop here, loaders that skip the check go on",
                )
            )
    return blob, issues


def _zip_lzma(data: Blob, budget: Budget) -> tuple[Blob, int]:
    import lzma

    head = data.read(0, 9)
    if len(head) < 9:
        raise CorruptError("damaged LZMA header")
    size = int.from_bytes(head[2:4], "little")
    try:
        alone = head[4 : 4 + size] + b"\xff" * 8
        engine = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
        out = engine.decompress(alone + data.read(4 + size, len(data)), budget.limits.bomb)
    except (lzma.LZMAError, ValueError) as error:
        raise CorruptError(str(error)) from None
    if not engine.eof and not engine.needs_input:
        raise TooMuchError("an LZMA entry that is too large")
    budget.take(len(out))
    return Blob(out), len(data)


def crc32(blob: Blob) -> int:
    """The checksum of the bytes, in pieces."""
    value = 0
    for offset in range(0, len(blob), 1 << 20):
        value = zlib.crc32(blob.read(offset, 1 << 20), value)
        blob.release(offset, 1 << 20)
    return value


def listing(archive: Archive) -> Iterator[str]:
    """The names of the entries."""
    return (entry.name for entry in archive.entries)
