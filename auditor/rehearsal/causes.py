"""Why a build failed or a process ended, read from its last lines and its exit code."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Final

from auditor import lazy_re as re
from auditor.rehearsal.observed import Cause

_TAIL: Final = 15
_LONGEST: Final = 400

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
# `ModuleNotFoundError: …`, also with a dotted name in front and a log prefix before it.
_EXCEPTION = re.compile(
    r"(?:^|[\s|>])(?P<name>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning"
    r"|Timeout|Fail|Invalid\w*|NotFound|NoSuchFile|Refused))(?:: (?P<text>.*))?$"
)
_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_LIBRARY = re.compile(r"([\w.+-]+\.so[\w.]*): cannot open shared object file")
_GLIBC = re.compile(r"version [`'](GLIBC(?:XX)?_[\d.]+)' not found")
_FILE = re.compile(r"No such file or directory: '([^']+)'")
_DENIED = re.compile(r"Permission denied: '([^']+)'")
_KEY = re.compile(r"^'([A-Z][A-Z0-9_]+)'$")
_EXEC = re.compile(
    r"(?:exec|starting container process caused[^\n]*?exec:?)\s+\"?([^\s\":]+)\"?:\s*(.*)"
)
_WARNING = re.compile(r"Warning$")
# What build logs say when the network or the machine failed, not the deployment.
_SURROUNDINGS = re.compile(
    r"dial tcp|no such host|i/o timeout|TLS handshake|connection refused|connection reset by peer"
    r"|toomanyrequests|request canceled|Temporary failure in name resolution"
    r"|NewConnectionError|ReadTimeoutError|ConnectTimeoutError|Network is unreachable"
    r"|no space left on device|certificate signed by unknown authority"
    r"|Could not resolve '|Temporary failure resolving|Cannot connect to the Docker daemon"
    r"|net/http: |failed to do request|unexpected EOF",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r"^(?:ERROR: executor failed|The command '.*' returned a non-zero code|ERROR: failed to (?:solve|build)|executor failed"
    r"|.*did not complete successfully|note: |\[notice\]|hint: |-+$|={3,}|>>>|Dockerfile:\d+"
    r"|╰|│|See above|failed to solve with|Removing intermediate container"
    r"|DEPRECATED:|\s*Install the buildx|\s*https?://\S+$)"
)
_BUILD_ERROR = re.compile(
    r"\berror\b|ERROR|E: |failed|fatal:|not found|cannot|No such file|No matching|invalid|denied"
)
_STEP = re.compile(r"^#\d+ (?:\d+\.\d+ )?")


def lines_of(text: str) -> list[str]:
    """Lines without escapes; empty ones are left out and long ones cut."""
    found = []
    for line in text.splitlines():
        clean = _ANSI.sub("", line).rstrip()
        if clean.strip():
            found.append(clean[:_LONGEST])
    return found


def tail_of(lines: Sequence[str], count: int = _TAIL) -> tuple[str, ...]:
    """The last lines."""
    return tuple(lines[-count:])


def exception_of(lines: Sequence[str]) -> tuple[str, str, str] | None:
    """(line, exception name, its text) of the last exception that a log reports."""
    for line in reversed(lines):
        match = _EXCEPTION.search(line.strip())
        if match is None or _WARNING.search(match["name"]):
            continue
        if match["name"] in ("SystemExit", "KeyboardInterrupt"):
            continue
        return line.strip(), match["name"], match["text"] or ""
    return None


def of_log(text: str) -> Cause | None:
    """The exception that a log ends with, and what it lacks; None when there is none."""
    lines = lines_of(text)
    for line in reversed(lines):
        missing = _EXEC.search(line)
        if missing:
            return _executable(missing, line, lines)
        if old := _GLIBC.search(line):
            return Cause(
                kind="import",
                text=f"the image's C library is too old: {old[1]} is missing",
                error=line.strip(),
                subject=old[1],
                tail=tail_of(lines),
            )
        if _EXCEPTION.search(line.strip()):
            break
    found = exception_of(lines)
    if found is None:
        return _said(lines)
    line, name, detail = found
    kind, subject, said = "exception", None, f"{name.rpartition('.')[2]}"
    for pattern, its_kind, template in (
        (_LIBRARY, "import", "the shared library {} is missing"),
        (_MODULE, "import", "the module {} is not installed"),
        (_DENIED, "permission", "{} may not be written or read by this user"),
        (_FILE, "file", "{} does not exist"),
    ):
        match = pattern.search(line)
        if match:
            kind, subject, said = its_kind, match[1], template.format(f"`{match[1]}`")
            break
    else:
        key = _KEY.match(detail)
        if name == "KeyError" and key:
            kind, subject = "environment", key[1]
            said = f"the environment variable `{key[1]}` is not set"
        elif detail:
            said = f"{name.rpartition('.')[2]}: {detail}"
    return Cause(kind=kind, text=said, error=line, subject=subject, tail=tail_of(lines))


def _executable(match: re.Match[str], line: str, lines: Sequence[str]) -> Cause:
    subject, detail = match[1], match[2].strip() or "cannot be executed"
    if "no such file" in detail:
        detail = "it, or the interpreter its first line names, does not exist"
    return Cause(
        kind="file",
        text=f"`{subject}` cannot be executed: {detail}",
        error=line.strip(),
        subject=subject,
        tail=tail_of(lines),
    )


def _said(lines: Sequence[str]) -> Cause | None:
    for line in reversed(lines):
        if re.search(r"\b(?:error|fatal|failed|cannot|not found)\b", line, re.IGNORECASE):
            missing = re.search(r"(?:^|: )([\w./-]+): (?:command )?not found$", line.strip())
            return Cause(
                kind="file" if missing else "exit",
                text=line.strip(),
                error=line.strip(),
                subject=missing[1] if missing else None,
                tail=tail_of(lines),
            )
    return None


def of_exit(log: str, code: int | None, *, oom: bool = False, engine: str = "") -> Cause:
    """Why a container ended: the exit code, the engine's own words and the log together."""
    lines = lines_of(log)
    cause = of_log(log) or (of_log(engine) if engine else None)
    if oom:
        return Cause(
            kind="oom",
            text="it was killed because it used more memory than it may",
            error=cause.error if cause else "",
            tail=tail_of(lines),
        )
    how = _how(code)
    if cause is not None:
        return Cause(
            kind=cause.kind,
            text=f"{cause.text} ({how})",
            error=cause.error,
            subject=cause.subject,
            tail=cause.tail or tail_of(lines),
        )
    if engine:
        return Cause(kind="exit", text=f"{engine.strip()[:_LONGEST]} ({how})", error=engine.strip())
    last = lines[-1].strip() if lines else "it wrote nothing"
    return Cause(
        kind="signal" if code is not None and code > 128 else "exit",
        text=f"{how}; its last line: {last}",
        error=lines[-1].strip() if lines else "",
        tail=tail_of(lines),
    )


def _how(code: int | None) -> str:
    if code is None:
        return "it did not start"
    if code > 128:
        try:
            return f"killed by {signal.Signals(code - 128).name}, exit code {code}"
        except ValueError:
            pass
    return f"exit code {code}"


def of_build(log: str) -> tuple[bool, Cause]:
    """(whether the surroundings failed rather than the deployment, the cause) of a failed build."""
    lines = [_STEP.sub("", line) for line in lines_of(log)]
    telling = [line.strip() for line in lines if not _NOISE.match(line.strip())]
    errors = [line for line in telling if _BUILD_ERROR.search(line)]
    copied = [
        line for line in lines if re.search(r"COPY failed|ADD failed|not found: not found", line)
    ]
    error = (copied or errors or telling or lines or ["the build failed"])[-1].strip()
    # pip's own summary line says less than the error before it.
    for line in reversed(errors):
        if re.search(r"ERROR: (?:Could not|No matching|Cannot)|rror: |E: ", line):
            error = copied[-1].strip() if copied else line
            break
    base = any(
        re.search(r"pull access denied|manifest (?:unknown|for .* not found)|failed to resolve", x)
        for x in lines
    )
    around = [x for x in lines if _SURROUNDINGS.search(x)]
    outside = bool(around) and not copied
    cause = of_log("\n".join(telling[-60:])) if not copied else None
    subject = cause.subject if cause and cause.kind != "exit" else None
    if outside and not base:
        error = around[-1].strip()
    return outside, Cause(
        kind="build", text=error, error=error, subject=subject, tail=tail_of(lines)
    )
