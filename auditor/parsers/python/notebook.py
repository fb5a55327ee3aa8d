"""Jupyter notebooks: their code cells as one module, magics as facts (nbformat 3 and 4)."""

from __future__ import annotations

import ast
import json
from typing import Any

from auditor import lazy_re as re
from auditor.parsers.python.facts import InstallLine, ModuleFacts
from auditor.parsers.python.module import MAX_CHARACTERS, Places, install_lines, parse_text
from auditor.source import Location, Problem, SourceText
from auditor.values import replace, value

_MAX_NOTEBOOK = 20_000_000
_ASSIGNED_MAGIC = re.compile(r"(\s*)([\w.,\s]+?)\s*=\s*[!%]")
# Cell magics whose body is still this notebook's Python.
_PYTHON_CELLS = frozenset({"time", "timeit", "capture", "prun", "python", "python3", "memit"})


@value(kw_only=False)
class _Line:
    text: str
    line: int
    column: int


class _CellPlaces(Places):
    """Positions in the joined cells, turned into positions in the notebook's JSON."""

    def __init__(self, path: str, lines: list[_Line]) -> None:
        super().__init__(path, "\n".join(line.text for line in lines))
        self._places = [(line.line, line.column) for line in lines]

    def _at(self, node: ast.AST) -> Location:
        inner = super()._at(node)
        line, column = self._place(inner.line, inner.column)
        end_line, end_column = self._place(inner.end_line, inner.end_column)
        if (end_line, end_column) < (line, column):
            end_line, end_column = line, column
        return Location(self.path, line, column, end_line, end_column)

    def _place(self, line: int, column: int) -> tuple[int, int]:
        if 0 < line <= len(self._places):
            at, start = self._places[line - 1]
            return at, start + column - 1
        return 1, 1

    def fix(self, location: Location) -> Location:
        """A location that names a line of the joined text, as one in the notebook."""
        line, column = self._place(location.line, location.column)
        return Location(self.path, line, column)


def parse_notebook(source: SourceText) -> ModuleFacts:
    """The code cells of a notebook as one module; never raises."""
    path = source.path

    def failed(message: str, line: int = 1) -> ModuleFacts:
        problem = Problem(at=Location(path, line), message=message, fatal=True)
        return ModuleFacts(path=path, notebook=True, problems=(*source.problems, problem))

    if len(source.text) > _MAX_NOTEBOOK:
        return failed("is too large to read as a notebook")
    try:
        document = json.loads(source.text)
    except json.JSONDecodeError as error:
        return failed(f"is not a notebook: {error.msg}", error.lineno)
    except (RecursionError, ValueError):
        return failed("is not a notebook: nested too deeply")
    lines: list[_Line] = []
    installs: list[InstallLine] = []
    problems: list[Problem] = list(source.problems)
    finder = _Finder(source.text)
    for cell in _cells(document):
        pieces = cell.get("source", cell.get("input", ""))
        if isinstance(pieces, str):
            pieces = [pieces]
        if not isinstance(pieces, list):
            continue
        placed = finder.place([piece for piece in pieces if isinstance(piece, str)])
        if cell.get("cell_type") != "code":
            continue
        body = _python_lines(path, placed, installs)
        if body:
            text = "\n".join(line.text for line in body)
            if _breaks(text):
                at = Location(path, body[0].line, body[0].column)
                problems.append(Problem(at=at, message="has a cell that does not parse as Python"))
                # Cells with newer syntax may still be readable; keep them out of the whole.
                continue
            lines.extend(body)
    if sum(len(line.text) for line in lines) > MAX_CHARACTERS:
        return failed("is too large to read as Python")
    places = _CellPlaces(path, lines)
    facts = parse_text(path, "\n".join(line.text for line in lines), places)
    problems += [replace(p, at=places.fix(p.at)) for p in facts.problems]

    return replace(facts, notebook=True, installs=tuple(installs), problems=tuple(problems))


def _breaks(text: str) -> bool:
    facts = parse_text("", text, Places("", text))
    return facts.tree is None


def _cells(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, dict):
        return []
    cells = document.get("cells")
    if not isinstance(cells, list):
        sheets = document.get("worksheets")
        cells = []
        for sheet in sheets if isinstance(sheets, list) else []:
            if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list):
                cells.extend(sheet["cells"])
    return [cell for cell in cells if isinstance(cell, dict)]


class _Finder:
    """Where source strings stand in the notebook's text: they occur there in order."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = 0
        self.line = 1
        self.counted = 0
        self.newline = -1

    def place(self, pieces: list[str]) -> list[_Line]:
        lines: list[_Line] = []
        for piece in pieces:
            if not piece:
                continue
            start = -1
            for ascii_only in (False, True):
                literal = json.dumps(piece, ensure_ascii=ascii_only)
                # A bounded window keeps a hostile file linear.
                start = self.text.find(literal, self.offset, self.offset + 200_000 + len(literal))
                if start >= 0:
                    self.offset = start + len(literal)
                    break
            line, column = self._at(start) if start >= 0 else (self.line, 1)
            split = piece.split("\n")
            if len(split) > 1 and not split[-1]:
                split.pop()
            shift = 0
            for text in split:
                lines.append(_Line(text, line, column + 1 + shift))
                shift += len(json.dumps(text, ensure_ascii=False)) - 2 + 2
        return lines

    def _at(self, offset: int) -> tuple[int, int]:
        self.line += self.text.count("\n", self.counted, offset)
        # Only what is new is searched: a notebook may stand on one line.
        self.newline = max(self.newline, self.text.rfind("\n", self.counted, offset))
        self.counted = offset
        return self.line, offset - self.newline


def _python_lines(path: str, placed: list[_Line], installs: list[InstallLine]) -> list[_Line]:
    body: list[_Line] = []
    shell = False
    for number, line in enumerate(placed):
        stripped = line.text.strip()
        if number == 0 and stripped.startswith("%%"):
            magic = stripped[2:].split(maxsplit=1)[:1]
            if not magic or magic[0] not in _PYTHON_CELLS:
                shell = True
            continue
        if shell or stripped.startswith(("!", "%")):
            at = Location(path, line.line, line.column, line.line, line.column + len(line.text))
            install = install_lines(path, stripped, at)
            if install is not None:
                installs.append(install)
            if shell:
                continue
            indent = line.text[: len(line.text) - len(line.text.lstrip())]
            body.append(replace(line, text=f"{indent}pass"))
        elif assigned := _ASSIGNED_MAGIC.match(line.text):
            body.append(replace(line, text=f"{assigned.group(1)}{assigned.group(2)} = None"))
        elif stripped.endswith("?") or stripped.startswith("?"):
            body.append(replace(line, text=""))
        else:
            body.append(line)
    return body
