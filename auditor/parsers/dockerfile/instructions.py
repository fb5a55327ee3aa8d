"""Typed instructions from words, flags and JSON arrays, and what BuildKit refuses of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.parsers.dockerfile.facts import (
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    Mount,
    Pair,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Word,
    Workdir,
)
from auditor.parsers.dockerfile.lines import SPACE, Part, RefusedError, json_quoted
from auditor.parsers.dockerfile.words import is_heredoc

if TYPE_CHECKING:
    from auditor.parsers.dockerfile.facts import Flag

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)

_COPY_FLAGS = {
    "chown": "string",
    "chmod": "string",
    "link": "bool",
    "exclude": "strings",
}
_FLAGS: dict[str, dict[str, str]] = {
    "FROM": {"platform": "string"},
    "RUN": {"mount": "strings", "network": "string", "security": "string", "device": "strings"},
    "COPY": {**_COPY_FLAGS, "from": "string", "parents": "bool"},
    "ADD": {**_COPY_FLAGS, "checksum": "string", "keep-git-dir": "bool", "unpack": "bool"},
    "HEALTHCHECK": {
        "interval": "string",
        "timeout": "string",
        "start-period": "string",
        "start-interval": "string",
        "retries": "string",
    },
}
_MOUNT_TYPES = frozenset({"bind", "cache", "tmpfs", "secret", "ssh"})

UNCHECKED_FLAGS = frozenset({"ARG", "STOPSIGNAL"})


def check_flags(part: Part) -> dict[str, str]:
    """The flags by name (bools as ``true``/``false``); refuses what the instruction lacks."""
    if not part.typed_flags:
        return {}
    known = _FLAGS.get(part.keyword, {})
    if part.keyword == "HEALTHCHECK" and part.spans and part.spans[0][0].upper() == "NONE":
        return {}
    seen: dict[str, str] = {}
    for flag in part.typed_flags:
        kind = known.get(flag.name)
        if kind is None:
            raise RefusedError(f"unknown flag: --{flag.name}")
        if flag.name in seen and kind != "strings":
            raise RefusedError(f"duplicate flag specified: --{flag.name}")
        value = flag.value
        if kind == "bool":
            value = "true" if value is None else value.lower()
            if value not in ("true", "false"):
                raise RefusedError(
                    f"expecting boolean value for flag --{flag.name}, not: {flag.value}"
                    if value
                    else f"missing a value on flag: --{flag.name}"
                )
        elif value is None:
            raise RefusedError(f"missing a value on flag: --{flag.name}")
        seen[flag.name] = value
    return seen


_Builder = Callable[[Part, list[tuple[str, int, int]], dict[str, str], dict[str, Any]], Instruction]
_Spans = list[tuple[str, int, int]]


def _build_from(part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> From:
    name = None
    if len(spans) == 3 and spans[1][0].lower() == "as":
        name = part.word(2)
        if not _STAGE_NAME.fullmatch(name.text.lower()):
            raise RefusedError(
                f"invalid name for build stage: {json_quoted(name.text)}, "
                "name can't start with a number or contain symbols"
            )
    elif len(spans) != 1:
        raise RefusedError("FROM requires either one or three arguments")
    return From(**common, image=part.word(0), name=name, platform=flags.get("platform"))


def _build_run(part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Run:
    return Run(
        **common,
        command=part.command(),
        mounts=tuple(_mount(flag) for flag in part.typed_flags if flag.name == "mount"),
        network=flags.get("network"),
        security=flags.get("security"),
    )


def _mount(flag: Flag) -> Mount:
    options: list[tuple[str, str | None]] = []
    value = flag.value or ""
    for field in _csv_fields(value):
        key, equals, setting = field.partition("=")
        options.append((key.lower(), setting if equals else None))
    given = dict(options)

    def first(*names: str) -> str | None:
        return next((given[name] for name in names if given.get(name) is not None), None)

    kind = (given.get("type") or "bind").lower()
    if kind not in _MOUNT_TYPES and "$" not in kind:
        raise RefusedError(f"unsupported mount type {json_quoted(kind)}")
    return Mount(
        type=kind,
        target=first("target", "dst", "destination"),
        source=first("source", "src"),
        from_=given.get("from"),
        options=tuple(options),
        at=flag.at,
    )


def _csv_fields(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",")
    import csv

    try:
        return next(csv.reader([text]), [])
    except csv.Error as error:
        raise RefusedError(f"failed to parse csv mounts: {error}") from error


def _build_copy(part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Copy:
    if len(spans) < 2:
        raise RefusedError(
            f"{part.keyword} requires at least two arguments, but only one was provided. "
            "Destination could not be determined"
        )
    words = part.words()
    if is_heredoc(words[-1].text):
        raise RefusedError(f"{part.keyword} cannot accept a heredoc as a destination")
    return Copy(
        **common,
        sources=words[:-1],
        destination=words[-1],
        from_=next((flag for flag in part.typed_flags if flag.name == "from"), None),
        chown=flags.get("chown"),
        chmod=flags.get("chmod"),
        checksum=flags.get("checksum"),
        excludes=tuple(f.value or "" for f in part.typed_flags if f.name == "exclude"),
        link=flags.get("link") == "true",
        parents=flags.get("parents") == "true",
        keep_git_dir=flags.get("keep-git-dir") == "true",
        unpack=flags["unpack"] == "true" if "unpack" in flags else None,
    )


def _build_env(part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Env:
    return Env(**common, pairs=part.pairs(), legacy=part.legacy)


def _build_label(part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Label:
    return Label(**common, pairs=part.pairs(), legacy=part.legacy)


def _build_arg(part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Arg:
    if not spans:
        raise RefusedError("ARG requires at least one argument")
    pairs = []
    for text, start, end in spans:
        name, equals, default = text.partition("=")
        if not name:
            raise RefusedError("ARG names can not be blank")
        value = None
        if equals:
            at = part.line.location(start + len(name) + 1, end)
            value = Word(text=default, at=at)
        pairs.append(Pair(name=name, value=value, at=part.line.location(start, end)))
    return Arg(**common, pairs=tuple(pairs))


def _build_expose(
    part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Expose:
    if not spans:
        raise RefusedError("EXPOSE requires at least one argument")
    return Expose(**common, ports=part.words())


def _build_volume(
    part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Volume:
    if not spans:
        raise RefusedError("VOLUME requires at least one argument")
    if not all(text.strip(SPACE) for text, _, _ in spans):
        raise RefusedError("VOLUME specified can not be an empty string")
    return Volume(**common, paths=part.words())


def _build_user(part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> User:
    return User(**common, user=part.only_word())


def _build_workdir(
    part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Workdir:
    return Workdir(**common, path=part.only_word())


def _build_cmd(part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Cmd:
    return Cmd(**common, command=part.command())


def _build_entrypoint(
    part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Entrypoint:
    return Entrypoint(**common, command=part.command())


def _build_shell(part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Shell:
    if not spans:
        raise RefusedError("SHELL requires at least one argument")
    if not part.json:
        raise RefusedError("SHELL requires the arguments to be in JSON form")
    return Shell(**common, words=part.words())


def _build_healthcheck(
    part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Healthcheck:
    if not spans:
        raise RefusedError("HEALTHCHECK requires at least one argument")
    kind = spans[0][0].upper()
    command = None
    if kind == "NONE":
        if len(spans) > 1:
            raise RefusedError("HEALTHCHECK NONE takes no arguments")
    elif kind != "CMD":
        raise RefusedError(f"Unknown type {json_quoted(kind)} in HEALTHCHECK (try CMD)")
    else:
        if len(spans) == 1:
            raise RefusedError("Missing command after HEALTHCHECK CMD")
        command = part.command(1)
        for name in ("interval", "timeout", "start-period", "start-interval"):
            if flags.get(name) and not _DURATION.fullmatch(flags[name]):
                raise RefusedError(f"time: invalid duration {json_quoted(flags[name])}")
        retries = flags.get("retries")
        if retries:
            digits = retries[1:] if retries[0] in "+-" else retries
            if not (digits.isascii() and digits.isdigit()) or len(digits.lstrip("0")) > 10:
                raise RefusedError(f"invalid number of retries: {json_quoted(retries)}")
            if retries[0] == "-" and digits.strip("0"):
                raise RefusedError(f"--retries cannot be negative ({retries})")
    return Healthcheck(
        **common,
        command=command,
        interval=flags.get("interval"),
        timeout=flags.get("timeout"),
        start_period=flags.get("start-period"),
        start_interval=flags.get("start-interval"),
        retries=flags.get("retries"),
    )


def _build_stopsignal(
    part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Stopsignal:
    return Stopsignal(**common, signal=part.only_word())


def _build_maintainer(
    part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Maintainer:
    return Maintainer(**common, name=part.only_word())


def _build_nothing(
    part: Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Instruction:
    raise AssertionError("ONBUILD is built by the reader")


BUILDERS: dict[str, _Builder] = {
    "FROM": _build_from,
    "RUN": _build_run,
    "COPY": _build_copy,
    "ADD": _build_copy,
    "ENV": _build_env,
    "LABEL": _build_label,
    "ARG": _build_arg,
    "EXPOSE": _build_expose,
    "VOLUME": _build_volume,
    "USER": _build_user,
    "WORKDIR": _build_workdir,
    "CMD": _build_cmd,
    "ENTRYPOINT": _build_entrypoint,
    "SHELL": _build_shell,
    "HEALTHCHECK": _build_healthcheck,
    "STOPSIGNAL": _build_stopsignal,
    "MAINTAINER": _build_maintainer,
    "ONBUILD": _build_nothing,
}
