"""Tar archives, read in place. Members are windows of the archive; nothing is extracted."""

from __future__ import annotations

import io
import tarfile

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import ArtifactIssue, Verdict
from auditor.findings import Severity
from auditor.values import field, record


class BlobFile(io.RawIOBase):
    """A blob as a seekable file, for readers that want one."""

    def __init__(self, blob: Blob) -> None:
        super().__init__()
        self._blob = blob
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(offset + (0, self._at, len(self._blob))[whence], 0)
        return self._at

    def read(self, size: int = -1) -> bytes:
        data = self._blob.read(self._at, len(self._blob) if size is None or size < 0 else size)
        self._at += len(data)
        return data


@record
class TarContents:
    members: list[tuple[str, Blob]] = field(default_factory=list)
    issues: list[ArtifactIssue] = field(default_factory=list)


def _issue(
    rule: str, message: str, verdict: Verdict, severity: Severity, what: str = ""
) -> ArtifactIssue:
    return ArtifactIssue(rule=rule, message=message, verdict=verdict, severity=severity, what=what)


def read_tar(blob: Blob, max_members: int) -> TarContents:
    """Regular files as windows, and what is wrong with the rest. Never raises."""
    out = TarContents()
    seen: set[str] = set()
    end = 0
    try:
        with tarfile.open(fileobj=BlobFile(blob), mode="r:") as archive:
            for count, member in enumerate(archive):
                if count >= max_members:
                    out.issues.append(
                        _issue("ART010", "holds too many members", "unreadable", Severity.HIGH)
                    )
                    break
                _member(out, member, blob, seen)
                end = member.offset_data + (-(-member.size // 512) * 512 if member.isreg() else 0)
    except (
        tarfile.TarError,
        OSError,
        ValueError,
        EOFError,
        RecursionError,
        OverflowError,
    ) as error:
        out.issues.append(
            _issue("ART015", f"is damaged: {str(error)[:120]}", "unreadable", Severity.HIGH)
        )
        return out
    rest = blob.window(end, len(blob))
    if len(rest) and not rest.only(b"\x00"):
        out.issues.append(
            ArtifactIssue(
                rule="ART004",
                message=f"{len(rest)} bytes follow the archive",
                verdict="suspicious",
                severity=Severity.MEDIUM,
                offset=end,
            )
        )
    return out


def _member(out: TarContents, member: tarfile.TarInfo, blob: Blob, seen: set[str]) -> None:
    name = member.name
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
        out.issues.append(
            _issue(
                "ART010",
                f"{name[:200]!r} points out of the directory it is unpacked into",
                "dangerous",
                Severity.CRITICAL,
                "unpacking overwrites files elsewhere",
            )
        )
    if member.issym() or member.islnk():
        target = member.linkname
        outside = target.startswith("/") or ".." in target.split("/")
        out.issues.append(
            _issue(
                "ART010",
                f"{name[:200]!r} is a link to {target[:200]!r}",
                "dangerous" if outside else "suspicious",
                Severity.CRITICAL if outside else Severity.MEDIUM,
                "unpacking follows it to another place",
            )
        )
        return
    if member.isdev():
        out.issues.append(
            _issue("ART010", f"{name[:200]!r} is a device", "dangerous", Severity.CRITICAL)
        )
        return
    if not member.isreg():
        return
    if name in seen:
        out.issues.append(
            _issue(
                "ART010",
                f"holds {name[:200]!r} twice",
                "suspicious",
                Severity.HIGH,
                "scanners and loaders may pick different ones",
            )
        )
    seen.add(name)
    if member.issparse():
        out.issues.append(
            _issue(
                "ART010",
                f"{name[:200]!r} is sparse, which is not read",
                "unreadable",
                Severity.HIGH,
            )
        )
        return
    if member.offset_data + member.size > len(blob):
        out.issues.append(
            _issue("ART015", f"{name[:200]!r} is cut off", "unreadable", Severity.HIGH)
        )
    out.members.append((name, blob.window(member.offset_data, member.size)))
