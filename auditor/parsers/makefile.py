"""Makefiles, as far as it takes to say which commands a target runs.

GNU make manual, "Writing Rules" and "Writing Recipes": explicit rules, assignments, prerequisites in
order, recipe prefixes. What functions, conditionals or included files decide stays unread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditor import lazy_re as re
from auditor.source import Fragment, SourceText
from auditor.values import field, value

_ASSIGN = re.compile(
    r"^(?:export\s+|override\s+)?([A-Za-z_][\w.-]*)\s*(\?=|\+=|::?=|:::=|=)\s*(.*)$"
)
_RULE = re.compile(r"^([^\s:=#][^:=#]*?)\s*:(?![:=])([^=;]*)(?:;(.*))?$")
_NAME = re.compile(r"\$(?:\(([\w.-]+)\)|\{([\w.-]+)\}|\$)")
_DIRECTIVES = ("ifeq", "ifneq", "ifdef", "ifndef", "else", "endif", "include", "-include", "define")
_MAX_LINES = 5_000
_MAX_COMMANDS = 200


@value
class Line:
    """One command of a recipe, a shell of its own. ``ignored``: its failure is."""

    text: str
    number: int
    column: int
    ignored: bool = False


@value
class Rule:
    name: str
    needs: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()


@value
class Makefile:
    """``open``: something that was not read may change what a target runs."""

    path: str
    rules: tuple[Rule, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    open: bool = False

    def rule(self, name: str) -> Rule | None:
        """The rule of a target; the first one's, whose name has no dot, for an empty name."""
        for rule in self.rules:
            if rule.name == name or (not name and not rule.name.startswith(".")):
                return rule
        return None

    def commands(
        self, targets: tuple[str, ...], given: Mapping[str, str]
    ) -> Iterator[Fragment | None]:
        """What ``make TARGET… NAME=VALUE…`` runs, in order; None for what cannot be said."""
        done: set[str] = set()
        left = [_MAX_COMMANDS]
        for target in targets or ("",):
            yield from self._made(target, {**self.variables, **given}, done, left)

    def _made(
        self, target: str, variables: Mapping[str, str], done: set[str], left: list[int]
    ) -> Iterator[Fragment | None]:
        rule = self.rule(target)
        if rule is None or rule.name in done:
            return
        done.add(rule.name)
        for need in rule.needs:
            yield from self._made(need, variables, done, left)
        for line in rule.lines:
            left[0] -= 1
            if left[0] < 0:
                yield None
                return
            text = expand(line.text, variables)
            yield (
                Fragment(self.path, [(text, line.number, line.column)])
                if text is not None
                else None
            )


def expand(text: str, variables: Mapping[str, str], depth: int = 0) -> str | None:
    """The text with variables filled in; None where a function or an automatic one is needed."""
    if depth > 20:
        return None
    unread = False

    def put(found: re.Match[str]) -> str:
        nonlocal unread
        name = found[1] or found[2]
        if name is None:
            return "\0"
        if name == "MAKE":
            return "make"
        inner = expand(variables.get(name, ""), variables, depth + 1)
        unread = unread or inner is None
        return inner or ""

    filled = _NAME.sub(put, text)
    if unread or re.search(r"\$[({@<^?*+%]", filled):
        return None
    return filled.replace("\0", "$")


def parse(source: SourceText) -> Makefile:
    """Rules and assignments; never raises."""
    rules: dict[str, Rule] = {}
    variables: dict[str, str] = {}
    current: tuple[str, ...] = ()
    unread = False
    lines = source.text.splitlines()
    unread = len(lines) > _MAX_LINES
    at = 0
    while at < min(len(lines), _MAX_LINES):
        number, text = at + 1, lines[at]
        at += 1
        while text.endswith("\\") and at < len(lines):
            text = f"{text[:-1].rstrip(' ')} {lines[at].strip()}"
            at += 1
        if text.startswith("\t"):
            _recipe(text, number, current, rules)
            continue
        plain = re.sub(r"(?<!\\)#.*", "", text).rstrip()
        if not plain.strip():
            continue
        if plain.split()[0] in _DIRECTIVES:
            unread, current = True, ()
        elif assigned := _ASSIGN.match(plain.strip()):
            _assign(variables, assigned[1], assigned[2], assigned[3])
            current = ()
        elif rule := _RULE.match(plain):
            needs = tuple(n for n in (expand(rule[2], variables) or "").split() if n != "|")
            current = tuple((expand(rule[1], variables) or "").split())
            for name in current:
                old = rules.get(name, Rule(name=name))
                rules[name] = Rule(name=name, needs=(*old.needs, *needs), lines=old.lines)
            if rule[3]:
                _recipe(f"\t{rule[3].strip()}", number, current, rules)
        else:
            unread, current = True, ()
    return Makefile(path=source.path, rules=tuple(rules.values()), variables=variables, open=unread)


def _assign(variables: dict[str, str], name: str, sign: str, text: str) -> None:
    if sign == "?=" and name in variables:
        return
    if sign == "+=" and name in variables:
        text = f"{variables[name]} {text}"
    variables[name] = text


def _recipe(text: str, number: int, names: tuple[str, ...], rules: dict[str, Rule]) -> None:
    command = text.lstrip("\t ")
    bare = command.lstrip("@-+ ")
    if not bare or bare.startswith("#"):
        return
    prefix = command[: len(command) - len(bare)]
    column = len(text) - len(bare) + 1
    line = Line(text=bare, number=number, column=column, ignored="-" in prefix)
    for name in names:
        old = rules[name]
        rules[name] = Rule(name=name, needs=old.needs, lines=(*old.lines, line))


__all__ = ["Line", "Makefile", "Rule", "expand", "parse"]
