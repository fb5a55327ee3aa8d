"""The comments of a text file, by the syntax of its kind.

Only where a comment really is one: not inside Python strings, YAML scalars, TOML strings or the
quotes and here-documents of a shell script. Linear in the size of the text; never raises.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.values import value

if TYPE_CHECKING:
    from auditor.source import SourceText

Syntax = Literal["python", "yaml", "toml", "dockerfile", "shell", "requirements", "lines", "none"]


@value(kw_only=False)
class Comment:
    """A ``#`` comment; ``text`` begins with the ``#``. ``alone``: nothing else on the line.

    ``covers`` are the lines (first, last) it speaks of: its own, or, when it stands alone, those
    of the statement below it.
    """

    line: int
    column: int
    text: str
    alone: bool
    covers: tuple[int, int]


_SUFFIXES: dict[str, Syntax] = {
    ".py": "python",
    ".pyi": "python",
    ".pyw": "python",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".toml": "toml",
    ".sh": "shell",
    ".bash": "shell",
    ".dockerfile": "dockerfile",
    ".containerfile": "dockerfile",
    ".txt": "requirements",
    ".in": "requirements",
}
# No "#" comments: data, prose, and formats with other comments.
_WITHOUT = frozenset(
    {".json", ".ipynb", ".md", ".rst", ".html", ".xml", ".js", ".ts", ".css", ".csv", ".svg"}
)
_TOML_NAMES = frozenset({"pipfile", "uv.lock", "poetry.lock", "pdm.lock"})


def syntax_of(path: str, first_line: str = "") -> Syntax:
    """Which comment syntax a file of that name (and first line) has."""
    name = PurePosixPath(path).name.lower()
    if name in ("dockerfile", "containerfile") or name.startswith(
        ("dockerfile.", "containerfile.")
    ):
        return "dockerfile"
    if name in _TOML_NAMES:
        return "toml"
    suffix = PurePosixPath(name).suffix
    if suffix in _WITHOUT:
        return "none"
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if first_line.startswith("#!"):
        return "python" if "python" in first_line else "shell"
    return "lines"


def comments(source: SourceText) -> tuple[Comment, ...]:
    """Every comment of the file, in order."""
    syntax = syntax_of(source.path, source.line_at(1))
    if syntax == "none":
        return ()
    finders = {
        "python": _python,
        "yaml": _yaml,
        "toml": _toml,
        "dockerfile": _dockerfile,
        "shell": _shell,
        "requirements": _requirements,
        "lines": _lines,
    }
    places = finders[syntax](source)
    return tuple(_with_scope(source, list(places), syntax))


def _with_scope(
    source: SourceText, places: list[tuple[int, int]], syntax: Syntax
) -> Iterator[Comment]:
    """Comments from their (line, 1-based column) places."""
    lines = source.lines
    own = {line for line, column in places if not lines[line - 1][: column - 1].strip()}
    ends = _logical_ends(source, own, syntax)
    for line, column in places:
        text = lines[line - 1][column - 1 :]
        covers = (line, line)
        if alone := line in own:
            below = line + 1
            # Further comment lines may stand between; a blank line ends the reach.
            while below in own:
                below += 1
            covers = (below, ends.get(below, below))
        yield Comment(line, column, text, alone, covers)


def _logical_ends(source: SourceText, own: set[int], syntax: Syntax) -> dict[int, int]:
    """The last line of each statement that stands below a comment of its own."""
    wanted = {n + 1 for n in own} - own
    if not wanted:
        return {}
    if syntax == "python":
        return {s: e for s, e in _python_statements(source) if s in wanted}
    if syntax not in ("dockerfile", "shell", "requirements"):
        return {}
    ends = {}
    for start in wanted:
        end = start
        while end < len(source.lines) and (
            source.line_at(end).rstrip().endswith("\\") or (end > start and end in own)
        ):
            end += 1
        ends[start] = end
    return ends


def _tokens(source: SourceText) -> Iterator[tuple[int, str, tuple[int, int], tuple[int, int]]]:
    import tokenize

    reader = io.StringIO("\n".join(source.lines) + "\n").readline
    try:
        for token in tokenize.generate_tokens(reader):
            yield token.type, token.string, token.start, token.end
    except (tokenize.TokenError, SyntaxError, RecursionError):
        return


def _python(source: SourceText) -> Iterator[tuple[int, int]]:
    import tokenize

    for kind, _, (line, column), _ in _tokens(source):
        if kind == tokenize.COMMENT:
            yield line, column + 1


def _python_statements(source: SourceText) -> Iterator[tuple[int, int]]:
    import tokenize

    outside = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
    start = 0
    for kind, _, (first, _), (last, _) in _tokens(source):
        if kind == tokenize.NEWLINE and start:
            yield start, last
            start = 0
        elif not start and kind not in outside:
            start = first


def _toml(source: SourceText) -> Iterator[tuple[int, int]]:
    from auditor.tomllex import lexemes

    text = "\n".join(source.lines)
    line = 1
    last = 0
    for lexeme in lexemes(text):
        line += text.count("\n", last, lexeme.start)
        last = lexeme.start
        if lexeme.kind == "comment":
            yield line, lexeme.start - text.rfind("\n", 0, lexeme.start)


def _yaml(source: SourceText) -> Iterator[tuple[int, int]]:
    """Comments stand where no scalar does; PyYAML's scanner says where scalars are."""
    import yaml

    text = "\n".join(source.lines)
    covered: dict[int, list[tuple[int, int]]] = {}
    blocks: list[tuple[int, int]] = []
    reached = 0
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for token in yaml.scan(text, Loader=loader):
            start, end = token.start_mark, token.end_mark
            if not isinstance(token, yaml.ScalarToken) or token.style is None:
                continue
            if token.style in "|>":
                # The header line may end in a comment of its own.
                blocks.append((start.line + 2, end.line + (end.column > 0)))
            elif start.line == end.line:
                covered.setdefault(start.line + 1, []).append((start.column, end.column))
            else:
                covered.setdefault(start.line + 1, []).append((start.column, len(text)))
                blocks.append((start.line + 2, end.line))
                covered.setdefault(end.line + 1, []).append((0, end.column))
        reached = len(source.lines)
    except yaml.MarkedYAMLError as error:
        # Not YAML from here on (a template, say): only lines that are all comment count.
        marks = [m.line for m in (error.context_mark, error.problem_mark) if m is not None]
        reached = min(marks, default=0)
    except (yaml.YAMLError, RecursionError, ValueError):
        pass
    inside = {n for first, last in blocks for n in range(first, last + 1)}
    for number, line in enumerate(source.lines, 1):
        if "#" not in line or number in inside:
            continue
        for match in re.finditer(r"(?:^|(?<=[ \t]))#", line):
            column = match.start()
            if any(a <= column < b for a, b in covered.get(number, ())):
                continue
            if number <= reached or not line[:column].strip():
                yield number, column + 1
            break


_HEREDOC = re.compile(r"<<(-?)\s*([\"']?)([A-Za-z_][A-Za-z0-9_]*)\2")


def _dockerfile(source: SourceText) -> Iterator[tuple[int, int]]:
    """Whole lines only (``EXPOSE 80 # x`` is no comment), not in the body of a here-document."""
    waiting: list[tuple[str, bool]] = []
    for number, line in enumerate(source.lines, 1):
        if waiting:
            word, tabs = waiting[0]
            if (line.lstrip("\t") if tabs else line) == word:
                waiting.pop(0)
            continue
        stripped = line.lstrip()
        if stripped.startswith("#"):
            yield number, len(line) - len(stripped) + 1
        elif re.match(r"(?i)(ONBUILD\s+)?(RUN|COPY|ADD)\s", stripped):
            waiting = [(m[3], bool(m[1])) for m in _HEREDOC.finditer(line)]


def _shell(source: SourceText) -> Iterator[tuple[int, int]]:
    quote = ""
    waiting: list[tuple[str, bool]] = []
    for number, line in enumerate(source.lines, 1):
        if waiting:
            word, tabs = waiting[0]
            if (line.lstrip("\t") if tabs else line) == word:
                waiting.pop(0)
            continue
        code = line
        index = 0
        while index < len(line):
            character = line[index]
            if quote:
                if character == "\\" and quote == '"':
                    index += 1
                elif character == quote:
                    quote = ""
            elif character == "\\":
                index += 1
            elif character in "'\"":
                quote = character
            elif character == "#" and (index == 0 or line[index - 1] in " \t;&|()"):
                yield number, index + 1
                code = line[:index]
                break
            index += 1
        if "<<" in code and not quote:
            waiting = [(m[3], bool(m[1])) for m in _HEREDOC.finditer(code)]


def _requirements(source: SourceText) -> Iterator[tuple[int, int]]:
    for number, line in enumerate(source.lines, 1):
        if match := re.search(r"(?:^|(?<=\s))#", line):
            yield number, match.start() + 1


def _lines(source: SourceText) -> Iterator[tuple[int, int]]:
    for number, line in enumerate(source.lines, 1):
        stripped = line.lstrip()
        if stripped.startswith("#"):
            yield number, len(line) - len(stripped) + 1
