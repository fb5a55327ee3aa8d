"""Configuration files that ``sed -i`` and ``envsubst`` fill in, while building and when starting."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment.commands import ran
from auditor.parsers.commands import Interpretation, ServerStart, ShellRun, interpret_script
from auditor.source import SourceText, Unknown

if TYPE_CHECKING:
    from auditor.deployment.model import Value
    from auditor.deployment.view import View
    from auditor.parsers.shell.facts import Script

Env = Mapping[str, str | Unknown | None]
# Path in the image to the text that is there when the server starts; None: not known.
Texts = dict[str, SourceText | None]

_NAMED = re.compile(r"\$\{(\w+)\}|\$(\w+)")
# What basic regular expressions take for more than the character itself.
_SPECIAL = re.compile(r"[*\[\]^]|\\[^$/.{}|#,:@&_-]|\.\*")
_MAX = 200_000


def texts(view: View, script: Script, env: Env, cwd: Value) -> Texts:
    """The files that RUN instructions and the start script rewrite, as they are in the end."""
    found: Texts = {}
    for step in (command.what for command in ran(view.image.image)):
        _apply(step, view, found)
    for step in _starting(script, view, env, cwd, 0):
        _apply(step, view, found)
    return found


def _starting(
    script: Script, view: View, env: Env, cwd: Value, depth: int
) -> Iterator[Interpretation]:
    for what in interpret_script(script, env=env, cwd=cwd):
        fact = what.fact
        name = None
        if isinstance(fact, ShellRun) and fact.program is None and fact.script is not None:
            name = fact.script.value
        elif what.argv and "/" in what.argv[0].text and not isinstance(fact, ServerStart):
            name = what.argv[0].value
        path = _path(name, what)
        nested = view.script(path) if path is not None and depth < 4 else None
        if nested is not None:
            yield from _starting(nested, view, what.env, what.cwd, depth + 1)
        else:
            yield what


def _apply(what: Interpretation, view: View, found: Texts) -> None:
    words = [arg.value for arg in what.argv]
    program = posixpath.basename(words[0]) if words and isinstance(words[0], str) else ""
    if program == "sed":
        _sed(words[1:], what, view, found)
    elif program == "envsubst":
        _envsubst(words[1:], what, view, found)


def _path(value: object, what: Interpretation) -> str | None:
    if not isinstance(value, str):
        return None
    if value.startswith("/"):
        return posixpath.normpath(value)  # wherever the base image starts
    return (
        posixpath.normpath(posixpath.join(what.cwd, value)) if isinstance(what.cwd, str) else None
    )


def _text(path: str, view: View, found: Texts) -> SourceText | None:
    text = found[path] if path in found else view.text(path)
    return text if text is not None and len(text.text) <= _MAX else None


def _sed(words: list[Value], what: Interpretation, view: View, found: Texts) -> None:
    if not any(isinstance(w, str) and w.startswith(("-i", "--in-place")) for w in words):
        return
    programs: list[Value] = []
    operands: list[Value] = []
    rest = iter(words)
    for word in rest:
        if isinstance(word, str) and word in ("-e", "--expression"):
            programs.append(next(rest, ""))
        elif not isinstance(word, str) or not word.startswith("-"):
            operands.append(word)
    if not programs and operands:
        programs = [operands.pop(0)]
    for operand in operands:
        path = _path(operand, what)
        if path is None:
            continue
        before = _text(path, view, found)
        after: str | None = before.text if before is not None else None
        for program in programs:
            after = _substituted(after, program) if after is not None else None
        found[path] = SourceText(before.path, after) if before and after is not None else None


def _substituted(text: str, program: Value) -> str | None:
    """``s/a/b/g`` with a plain pattern; None where that is not followed."""
    if not isinstance(program, str) or len(program) < 4 or program[0] != "s":
        return None
    divider = program[1]
    parts = re.split(rf"(?<!\\){re.escape(divider)}", program[2:])
    if len(parts) != 3 or parts[2] not in ("", "g"):
        return None
    pattern, new = parts[0], parts[1]
    if _SPECIAL.search(pattern) or "&" in new.replace("\\&", "") or re.search(r"\\\d", new):
        return None
    old = re.sub(r"\\(.)", r"\1", pattern)
    new = re.sub(r"\\(.)", r"\1", new)
    if not old:
        return None
    times = -1 if parts[2] == "g" else 1
    return "".join(line.replace(old, new, times) for line in text.splitlines(keepends=True))


def _envsubst(words: list[Value], what: Interpretation, view: View, found: Texts) -> None:
    redirects = what.command.redirects if what.command is not None else ()
    targets: dict[str, str] = {}
    for redirect in redirects:
        value = redirect.target.expand(what.env) if redirect.target is not None else None
        path = _path(value, what)
        if redirect.operator in ("<", ">") and path is not None:
            targets[redirect.operator] = path
    if ">" not in targets:
        return
    source = _text(targets["<"], view, found) if "<" in targets else None
    only: set[str] | None = None
    for word in words:
        if not isinstance(word, str):
            source = None
        elif "$" in word:
            only = (only or set()) | set(_names(word))
    filled = _filled(source.text, what.env, only) if source is not None else None
    found[targets[">"]] = SourceText(source.path, filled) if source and filled is not None else None


def _names(text: str) -> Iterable[str]:
    return (match.group(1) or match.group(2) for match in _NAMED.finditer(text))


def _filled(text: str, env: Env, only: set[str] | None) -> str | None:
    """The text with its variables; None where one of them is not known."""
    wanted = [n for n in _names(text) if only is None or n in only]
    if any(not isinstance(env.get(n), str) for n in wanted):
        return None  # who starts the container may set what nothing here does

    def value(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        if only is not None and name not in only:
            return match.group(0)
        return str(env[name])

    return _NAMED.sub(value, text)
