"""From the syntax tree to commands, each with what stands around it, and to how the script ends."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from time import process_time
from typing import TYPE_CHECKING

from auditor.parsers.branches import Condition, Guard
from auditor.parsers.shell.expansion import FIELDS, Computed, Parameter, Part, Text, shorten
from auditor.parsers.shell.facts import Assignment, Command, Final, Redirect, Script, Word
from auditor.parsers.shell.grammar import (
    SECONDS,
    STATEMENTS,
    falls_through,
    flatten,
    item_body,
    item_patterns,
    tree_of,
)
from auditor.parsers.shell.lexer import WordLexer, skip_braces, skip_double, skip_parens
from auditor.source import Fragment, Problem
from auditor.values import replace, value

if TYPE_CHECKING:
    from tree_sitter import Node


_LIMIT = 200_000  # characters of one shell text
_DEPTH = 60  # nesting of statements
_NESTING = 4  # sh -c inside sh -c
_COMMANDS = 5_000
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})


def program_of_shell(words: Sequence[str | None]) -> int | None:
    """The index of the word that ``sh -c`` (or ``su -c``, ``eval``) runs as a program."""
    for index, word in enumerate(words):
        if word is None:
            continue
        name = word.rsplit("/", 1)[-1]
        if index == 0 and name == "eval" and len(words) == 2:
            return 1
        if name in {"su", "runuser"} and index < 3:
            for at in range(index + 1, len(words) - 1):
                if words[at] in {"-c", "--command", "-lc"}:
                    return at + 1
        if name not in _SHELLS:
            continue
        at, found = index + 1, False
        while at < len(words):
            option = words[at]
            if option is None or len(option) < 2 or option[0] not in "-+":
                break
            if not option.startswith("--"):
                found = found or "c" in option[1:]
                if option[-1] in "oO":
                    at += 1
            elif option in {"--rcfile", "--init-file"}:
                at += 1
            at += 1
        if found and at < len(words):
            return at
    return None


@value
class _Context:
    connector: str = ""
    background: bool = False
    pipeline: tuple[int, int] = (0, 1)
    conditional: int = 0
    loop: bool = False
    function: str | None = None
    subshell: int = 0
    substitution: bool = False
    negated: bool = False
    redirects: tuple[Redirect, ...] = ()
    # Those of the last command of the list or pipeline alone, and its words that follow them.
    trailing: tuple[Redirect, ...] = ()
    words: tuple[Node, ...] = ()
    tested: str = ""
    scopes: tuple[int, ...] = ()
    depth: int = 0


def _settled(context: _Context) -> _Context:
    """The context of a command that the trailing redirections are for."""
    if not context.trailing:
        return context
    whole = (*context.redirects, *context.trailing)
    return replace(context, redirects=whole, trailing=())


_TESTS = frozenset({"[", "[[", "test"})
_NO_WORDS = frozenset(
    {"variable_assignment", "file_redirect", "herestring_redirect", "heredoc_redirect", "comment"}
)


class Parser:
    def __init__(
        self, fragment: Fragment, *, errexit: bool, nesting: int, nounset: bool = False
    ) -> None:
        self.fragment = fragment
        self.text = fragment.text[:_LIMIT]
        self.errexit = errexit
        self.nounset = nounset
        self.nesting = nesting
        self.commands: list[Command] = []
        self.problems: list[Problem] = []
        self.functions: dict[str, Node] = {}
        self.guards: list[tuple[int, Guard]] = []
        self._by_span: dict[tuple[int, int], Command] = {}
        self._deadline = 0.0
        self._ticks = 0
        self._scope = 0
        self._offsets: list[int] | None = None

    def _is_late(self) -> bool:
        """Whether the text has taken its time; the clock is a system call, so it is asked rarely."""
        self._ticks += 1
        if self._ticks % 32:
            return False
        now = process_time()
        if not self._deadline:
            self._deadline = now + 2 * SECONDS
        return now > self._deadline

    def script(self) -> Script:
        text = self.text
        if len(self.fragment.text) > _LIMIT:
            self._problem(_LIMIT - 1, _LIMIT, f"is longer than {_LIMIT} characters", fatal=True)
        if text.isascii():
            data = text.encode("ascii")
        else:
            data = text.encode("utf-8", "replace")
            self._offsets = [0, *accumulate(len(c.encode("utf-8", "replace")) for c in text)]
        try:
            root = tree_of(data).root_node
        except ValueError:
            self._problem(0, len(text), "takes too long to be read", fatal=True)
            return Script(path=self.fragment.path, problems=tuple(self.problems))
        started = self.errexit
        self._sequence(root.children, _Context())
        if root.has_error and not self.problems:
            self._problem(*self._first_error(root), "is not valid shell syntax")
        finals, _ = self._finals(root.children, 0, ())
        return Script(
            path=self.fragment.path,
            commands=tuple(self.commands),
            finals=tuple(finals),
            errexit=self.errexit or started,
            problems=tuple(self.problems),
            guards=tuple(self.guards),
        )

    # Offsets of tree-sitter are bytes; ours are characters.
    def _span(self, node: Node) -> tuple[int, int]:
        if self._offsets is None:
            return node.start_byte, node.end_byte
        return (
            bisect_left(self._offsets, node.start_byte),
            bisect_left(self._offsets, node.end_byte),
        )

    def _problem(self, start: int, end: int, message: str, *, fatal: bool = False) -> None:
        if len(self.problems) < 50:
            at = self.fragment.location(start, end)
            self.problems.append(Problem(at=at, message=message, fatal=fatal))

    def _new_scope(self, *, subshell: bool = False, guard: Guard | None = None) -> int:
        self._scope += 1
        if guard is not None:
            self.guards.append((self._scope, guard))
        return -self._scope if subshell else self._scope

    def _first_error(self, root: Node) -> tuple[int, int]:
        node = root
        while True:
            bad = next((c for c in node.children if c.has_error or c.is_missing), None)
            if bad is None or node.type == "ERROR":
                return self._span(node)
            node = bad

    # -- statements

    def _sequence(self, nodes: Sequence[Node], context: _Context) -> None:
        """Statements one after the other; ``&`` after one puts it in the background."""
        first = True
        for index, node in enumerate(nodes):
            if not node.is_named:
                if node.is_missing:
                    self._problem(*self._span(node), f"the shell expects {node.type!r} here")
                continue
            if node.type == "comment":
                continue
            following = nodes[index + 1] if index + 1 < len(nodes) else None
            inner = context if first else replace(context, connector=";")
            if following is not None and following.type == "&":
                inner = replace(
                    inner,
                    background=True,
                    scopes=(*inner.scopes, self._new_scope(subshell=True)),
                )
            self._statement(node, inner)
            first = False

    def _branch(self, nodes: Sequence[Node], context: _Context, guard: Guard | None = None) -> None:
        self._sequence(
            nodes,
            replace(
                context,
                conditional=context.conditional + 1,
                connector="",
                scopes=(*context.scopes, self._new_scope(guard=guard)),
            ),
        )

    def _statement(self, node: Node, context: _Context) -> None:
        kind = node.type
        if context.depth > _DEPTH:
            self._problem(*self._span(node), "is nested too deeply to be read", fatal=True)
            return
        if self._is_late():
            if not any(problem.fatal for problem in self.problems):
                self._problem(*self._span(node), "takes too long to be read", fatal=True)
            return
        if len(self.commands) >= _COMMANDS:
            if len(self.commands) == _COMMANDS and not any(p.fatal for p in self.problems):
                self._problem(*self._span(node), f"has more than {_COMMANDS} commands", fatal=True)
            return
        if node.is_missing:
            self._problem(*self._span(node), f"the shell expects {node.type!r} here")
            return
        context = replace(context, depth=context.depth + 1)
        if kind not in {"list", "pipeline", "redirected_statement"}:
            context = _settled(context)
            if context.words and kind != "command":
                context = replace(context, words=())  # `{ a; } > file word` is no shell
        if kind in {"command", "declaration_command", "unset_command", "test_command"} or kind in {
            "variable_assignment",
            "variable_assignments",
        }:
            self._command(node, context)
        elif kind == "list":
            self._list(node, context)
        elif kind == "pipeline":
            self._pipeline([c for c in node.named_children if c.type != "comment"], context)
        elif kind == "negated_command":
            for child in node.named_children:
                self._statement(child, replace(context, negated=not context.negated))
        elif kind == "redirected_statement":
            self._redirected(node, context)
        elif kind == "subshell":
            self._sequence(
                node.children,
                replace(
                    context,
                    subshell=context.subshell + 1,
                    scopes=(*context.scopes, self._new_scope(subshell=True)),
                ),
            )
        elif kind in {"compound_statement", "program"}:
            self._sequence(node.children, context)
        elif kind == "if_statement":
            self._if(node, context)
        elif kind in {"while_statement", "for_statement", "c_style_for_statement"}:
            self._loop(node, context)
        elif kind == "case_statement":
            self._case(node, context)
        elif kind == "function_definition":
            name = node.child_by_field_name("name")
            body = node.child_by_field_name("body")
            if name is not None and body is not None:
                label = self.text[slice(*self._span(name))]
                self.functions[label] = body
                self._statement(body, replace(context, function=label, connector="", redirects=()))
        elif kind == "ERROR":
            start, end = self._span(node)
            shown = shorten(self.text[start:end])
            self._problem(start, end, f"is not valid shell syntax: {shown}")
            self._sequence(node.children, context)
        elif kind in {"word", "string", "raw_string", "concatenation", "number"} and (
            node.parent is not None and node.parent.type == "ERROR"
        ):
            pass

    def _case(self, node: Node, context: _Context) -> None:
        subject = node.child_by_field_name("value")
        word = self._word([subject]) if subject is not None else None
        before: list[Word] = []
        for item in node.named_children:
            if item.type != "case_item":
                self._substitutions(item, context)
                continue
            patterns = item_patterns(item)
            words = [self._word([pattern]) for pattern in patterns]
            guard = None
            # `;&` and `;;&` go on with the next item.
            if word is not None and not falls_through(node):
                guard = Guard(subject=word, patterns=tuple(words), before=tuple(before))
            self._branch(item_body(item), context, guard)
            before += words

    def _list(self, node: Node, context: _Context) -> None:
        tested = False
        conditions: list[Condition] = []
        plain = 0
        parts = flatten(node)
        for index, (operator, child) in enumerate(parts):
            inner = context if index == len(parts) - 1 else replace(context, trailing=(), words=())
            if index:
                inner = replace(inner, connector=operator)
                if operator == "||" or tested:
                    guard = None
                    if conditions and operator == "&&":
                        guard = Guard(conditions=tuple(conditions))
                    elif len(conditions) == 1 and operator == "||":
                        negated = replace(conditions[0], wanted=False)
                        guard = Guard(conditions=(negated,), otherwise=plain > 0)
                    inner = replace(
                        inner,
                        conditional=context.conditional + 1,
                        scopes=(*context.scopes, self._new_scope(guard=guard)),
                    )
            tested = tested or child.type == "test_command" or self._is_test(child)
            self._statement(child, inner)
            if operator == "||":
                conditions = []  # either way may lead on
            elif child.type == "test_command" or self._is_test(child):
                conditions.append(Condition(command=self._simple([child]), wanted=True))
            else:
                plain += 1

    def _simple(self, nodes: Sequence[Node]) -> Command | None:
        """The one simple command that a condition is; None when it is more."""
        named = [n for n in nodes if n.is_named and n.type != "comment"]
        if len(named) != 1:
            return None
        node = named[0]
        while node.type == "negated_command" and len(node.named_children) == 1:
            node = node.named_children[0]
        return self._by_span.get((node.start_byte, node.end_byte))

    def _is_test(self, node: Node) -> bool:
        while node.type in {"negated_command", "redirected_statement"} and node.named_children:
            node = node.named_children[0]
        if node.type == "test_command":
            return True
        if node.type != "command":
            return False
        name = node.child_by_field_name("name")
        return name is not None and self.text[slice(*self._span(name))] in {
            *_TESTS,
            "command",
            "which",
            "grep",
        }

    def _pipeline(self, nodes: Sequence[Node], context: _Context) -> None:
        total = len(nodes)
        for index, child in enumerate(nodes):
            inner = replace(
                context,
                pipeline=(index, total),
                connector="|" if index else context.connector,
                negated=context.negated and not index,
                trailing=context.trailing if index == total - 1 else (),
                words=context.words if index == total - 1 else (),
            )
            if total > 1:
                inner = replace(inner, scopes=(*inner.scopes, self._new_scope(subshell=True)))
            self._statement(child, inner)

    def _redirected(self, node: Node, context: _Context) -> None:
        redirects: list[Redirect] = []
        extra: list[Node] = []  # words after a redirection's target or a here-document's delimiter
        piped: list[Node] = []
        rest: list[tuple[str, Node]] = []
        body: Node | None = None
        for child in node.named_children:
            if child.type == "file_redirect" or child.type == "herestring_redirect":
                redirects += self._redirect(child)
                extra += self._trailing(child)
            elif child.type == "heredoc_redirect":
                redirects.append(self._heredoc(child, redirects, extra, piped, rest))
            elif body is None and child.type != "comment":
                body = child
        # The grammar hangs a redirection over all of `a && b > file`; the shell gives it to `b`.
        inner = replace(
            context,
            trailing=(*context.trailing, *redirects),
            words=(*context.words, *extra),
        )
        if body is None:
            self._emit(node, [], (), _settled(inner))
        elif piped:
            # `cat <<EOF | sh`: the grammar hangs the rest of the line under the here-document.
            total = len(piped) + 1
            self._statement(body, replace(inner, pipeline=(0, total)))
            for index, child in enumerate(piped, 1):
                self._statement(child, replace(context, pipeline=(index, total), connector="|"))
        else:
            self._statement(body, inner)
        for operator, child in rest:
            self._statement(child, replace(context, connector=operator))

    def _heredoc(
        self,
        node: Node,
        redirects: list[Redirect],
        extra: list[Node],
        piped: list[Node],
        rest: list[tuple[str, Node]],
    ) -> Redirect:
        operator, delimiter, body = "<<", None, ""
        connector = ";"
        for child in node.children:
            kind = child.type
            if kind in {"<<", "<<-"}:
                operator = kind
            elif kind == "heredoc_start":
                delimiter = self._word([child])
            elif kind == "heredoc_body":
                body = self.text[slice(*self._span(child))]
            elif kind == "file_redirect":
                redirects += self._redirect(child)
            elif kind == "pipeline":
                piped += [c for c in child.named_children if c.type != "comment"]
            elif kind in {"&&", "||"}:
                connector = kind
            elif kind in {"heredoc_end", "comment", "file_descriptor"} or not child.is_named:
                continue
            elif kind in {"word", "string", "raw_string", "concatenation", "number"} or (
                kind.endswith(("expansion", "substitution"))
            ):
                extra.append(child)
            else:
                rest.append((connector, child))
        return Redirect(
            operator=operator,
            target=delimiter,
            at=self.fragment.location(*self._span(node)),
            body=body,
        )

    def _redirect(self, node: Node) -> list[Redirect]:
        fd: int | None = None
        operator = ""
        targets: list[Node] = []
        for child in node.children:
            if child.type == "file_descriptor":
                digits = self.text[slice(*self._span(child))]
                fd = (
                    int(digits)
                    if digits.isascii() and digits.isdigit() and len(digits) < 6
                    else None
                )
            elif not child.is_named and not operator:
                operator = child.type
            else:
                targets.append(child)
        at = self.fragment.location(*self._span(node))
        target = self._word(targets[:1]) if targets else None
        return [Redirect(operator=operator, target=target, at=at, fd=fd)]

    def _if(self, node: Node, context: _Context) -> None:
        own = [c for c in node.children if c.type not in {"elif_clause", "else_clause", "if", "fi"}]
        first = next((i for i, c in enumerate(own) if c.type == "then"), len(own))
        clauses = [(own[:first], own[first + 1 :])]
        for child in node.children:
            if child.type in {"elif_clause", "else_clause"}:
                parts = child.children
                split = next((i for i, c in enumerate(parts) if c.type == "then"), None)
                clauses.append(
                    ([], parts) if split is None else (parts[:split], parts[split + 1 :])
                )
        failed: list[Condition] = []
        for index, (condition, body) in enumerate(clauses):
            asked = replace(context, tested="if")
            if index and condition:
                self._branch(condition, asked, Guard(conditions=tuple(failed)))
            else:
                self._sequence(condition, asked)
            holds = list(failed)
            if condition:
                command = self._simple(condition)
                holds.append(Condition(command=command, wanted=True))
                failed.append(Condition(command=command, wanted=False))
            self._branch(body, context, Guard(conditions=tuple(holds)))

    def _loop(self, node: Node, context: _Context) -> None:
        condition = [
            c for c in node.children if c.is_named and c.type not in {"do_group", "variable_name"}
        ]
        body = next(
            (c for c in node.children if c.type in {"do_group", "compound_statement"}), None
        )
        if node.type == "while_statement":
            asked = [c for c in condition if body is None or c.id != body.id]
            # Of several commands, each alone decides nothing.
            plain = len(asked) == 1 and asked[0].type in {"command", "negated_command"}
            word = self.text[slice(*self._span(node.children[0]))] if plain else "if"
            self._sequence(asked, replace(context, tested=word))
        else:
            for child in condition:
                if body is None or child.id != body.id:
                    self._substitutions(child, context)
        variable = node.child_by_field_name("variable")
        if body is None:
            return
        inner = replace(
            context,
            conditional=context.conditional + 1,
            loop=True,
            connector="",
            scopes=(*context.scopes, self._new_scope()),
        )
        if variable is not None and node.type == "for_statement":
            start, end = self._span(variable)
            raw = self.text[start:end]
            at = self.fragment.location(start, end)
            value = Word(raw=raw, at=at, parts=(Computed(raw=f"for {raw} in …", kind="other"),))
            item = Assignment(name=raw, value=value, at=at)
            self.commands.append(
                Command(
                    words=(),
                    at=at,
                    assignments=(item,),
                    conditional=inner.conditional,
                    loop=True,
                    function=inner.function,
                    scopes=inner.scopes,
                    errexit=self.errexit,
                )
            )
        self._sequence(body.children, inner)

    def _substitutions(self, node: Node, context: _Context) -> None:
        """The commands inside ``$( )`` of a word; they run before the command that has it."""
        stack = [node]
        while stack:
            item = stack.pop()
            if item.type in {"command_substitution", "process_substitution"}:
                self._sequence(
                    item.children,
                    replace(
                        context,
                        substitution=True,
                        connector="",
                        background=False,
                        pipeline=(0, 1),
                        negated=False,
                        redirects=(),
                        depth=context.depth + 1,
                        scopes=(*context.scopes, self._new_scope(subshell=True)),
                    ),
                )
            elif item.child_count:
                stack.extend(reversed(item.children))

    # -- simple commands

    def _command(self, node: Node, context: _Context) -> None:
        extra, context = context.words, replace(context, words=())
        if node.type == "variable_assignment":
            children = [node]
        else:
            children = list(node.children)
        assignments: list[Assignment] = []
        redirects: list[Redirect] = []
        groups: list[list[Node]] = []
        declares = node.type == "declaration_command"
        export = declares and bool(children) and children[0].type == "export"
        if node.type == "test_command":
            words = self.split(*self._span(node))
            self._substitutions(node, context)
            self._emit(node, words, (), context)
            return
        for child in [*children, *extra]:
            kind = child.type
            if child.is_missing:
                self._problem(*self._span(child), f"the shell expects {kind!r} here")
            elif kind == "variable_assignment":
                assignments.append(self._assignment(child, export=export))
                self._substitutions(child, context)
                if declares:
                    groups.append([child])
            elif kind in {"file_redirect", "herestring_redirect"}:
                redirects += self._redirect(child)
                self._substitutions(child, context)
                # `cmd > file word`: the grammar counts further words to the redirection.
                groups += [[w] for w in self._trailing(child)]
            elif kind in _NO_WORDS or kind in {"\n", ";", "&"}:
                continue
            elif kind == "ERROR":
                start, end = self._span(child)
                raw = self.text[start:end]
                if raw and not any(c.isspace() or c in ";&|()<>" for c in raw):
                    # The grammar has no place for some ordinary words (`==`).
                    if groups and groups[-1][-1].end_byte == child.start_byte:
                        groups[-1].append(child)
                    else:
                        groups.append([child])
                    continue
                self._problem(start, end, f"is not valid shell: {shorten(self.text[start:end])}")
            else:
                self._substitutions(child, context)
                if groups and groups[-1][-1].end_byte == child.start_byte:
                    groups[-1].append(child)
                else:
                    groups.append([child])
                if declares and kind == "variable_name":
                    start, end = self._span(child)
                    assignments.append(
                        Assignment(
                            name=self.text[start:end],
                            value=None,
                            at=self.fragment.location(start, end),
                            export=export,
                        )
                    )
        inner = replace(context, redirects=(*context.redirects, *redirects))
        if len(groups) > FIELDS:
            del groups[FIELDS:]
            self._problem(*self._span(node), f"has more than {FIELDS} words", fatal=True)
        spans = [(self._span(g[0])[0], self._span(g[-1])[1]) for g in groups]
        self._emit(node, [self._lex(*span) for span in spans], tuple(assignments), inner, spans)

    def _trailing(self, node: Node) -> list[Node]:
        words = [c for c in node.children if c.is_named and c.type != "file_descriptor"]
        return words[1:]

    def _emit(
        self,
        node: Node,
        words: list[Word],
        assignments: tuple[Assignment, ...],
        context: _Context,
        spans: Sequence[tuple[int, int]] = (),
    ) -> None:
        if self.nesting < _NESTING and spans:
            index = program_of_shell([word.literal for word in words])
            if index is not None:
                start, end = spans[index]
                words[index] = replace(words[index], script=self._nested(start, end))
        start, end = self._span(node)
        command = Command(
            words=tuple(words),
            at=self.fragment.location(start, end),
            assignments=assignments,
            redirects=context.redirects,
            connector=context.connector,
            background=context.background,
            pipeline=context.pipeline,
            conditional=context.conditional,
            loop=context.loop,
            function=context.function,
            subshell=context.subshell,
            substitution=context.substitution,
            negated=context.negated,
            errexit=self.errexit,
            nounset=self.nounset,
            tested=context.tested,
            scopes=context.scopes,
        )
        self.commands.append(command)
        self._by_span[(node.start_byte, node.end_byte)] = command
        if command.name == "set" and not context.subshell and not context.substitution:
            self._set(command)

    def _set(self, command: Command) -> None:
        words = [word.literal or "" for word in command.words[1:]]
        for index, word in enumerate(words):
            if word in {"--", "-"}:
                break
            if word[:1] in {"-", "+"} and not word.startswith("--"):
                long = words[index + 1] if "o" in word and index + 1 < len(words) else ""
                if "e" in word[1:] or long == "errexit":
                    self.errexit = word[0] == "-"
                if "u" in word[1:] or long == "nounset":
                    self.nounset = word[0] == "-"

    def _assignment(self, node: Node, *, export: bool) -> Assignment:
        start, end = self._span(node)
        raw = self.text[start:end]
        left, _, right = raw.partition("=")
        append = left.endswith("+")
        name = left.removesuffix("+").partition("[")[0]
        value_start = start + len(left) + 1
        if right.startswith("("):
            value = Word(
                raw=right,
                at=self.fragment.location(value_start, end),
                parts=(Computed(raw=right, kind="array", items=self._items(node)),),
            )
        else:
            value = self._lex(value_start, end)
        at = self.fragment.location(start, end)
        return Assignment(name=name, value=value, at=at, export=export, append=append)

    def _items(self, node: Node) -> tuple[tuple[Part, ...], ...]:
        """The elements of an array; none where one is a pattern, or named by its index."""
        arrays = [child for child in node.children if child.type == "array"]
        words = [self._lex(*self._span(c)) for array in arrays for c in array.named_children]
        plain = not any(word.globs or word.raw.startswith(("[", "#")) for word in words)
        return tuple(word.parts for word in words) if plain else ()

    def _word(self, nodes: Sequence[Node]) -> Word:
        return self._lex(self._span(nodes[0])[0], self._span(nodes[-1])[1])

    def _lex(self, start: int, end: int) -> Word:
        # Some tokens of the grammar take the line end, or its continuation, with them.
        while end - 1 > start and self.text[end - 1] == "\n":
            end -= 2 if self.text[end - 2] == "\\" else 1
        lexer = WordLexer(self.text)
        lexer.lex(start, end)
        return Word(
            raw=self.text[start:end],
            at=self.fragment.location(start, end),
            parts=tuple(lexer.parts),
            globs=lexer.globs,
        )

    def _nested(self, start: int, end: int) -> Script:
        lexer = WordLexer(self.text)
        lexer.lex(start, end)
        pieces: list[tuple[str, int, int]] = []
        for text, at, until in lexer.chunks:
            if text == self.text[at:until]:
                pieces += self.fragment.pieces(at, until)
            else:
                pieces.append((text, *self.fragment.place(at)))
        fragment = Fragment(self.fragment.path, pieces)
        script = Parser(fragment, errexit=False, nesting=self.nesting + 1).script()
        self.problems += script.problems[: 50 - len(self.problems)]
        return script

    def split(self, start: int, end: int) -> list[Word]:
        """Blank-separated words of a test, for which the grammar has expressions."""
        found: list[Word] = []
        i = start
        while i < end:
            if self.text[i].isspace():
                i += 1
                continue
            begin = i
            while i < end and not self.text[i].isspace():
                char = self.text[i]
                if char == "\\":
                    i += 2
                elif char == "'":
                    close = self.text.find("'", i + 1, end)
                    i = end if close < 0 else close + 1
                elif char == '"':
                    i = skip_double(self.text, i + 1, end)
                elif self.text.startswith("$(", i):
                    i = skip_parens(self.text, i + 2, end)
                elif self.text.startswith("${", i):
                    i = skip_braces(self.text, i + 2, end)
                else:
                    i += 1
            i = min(i, end)
            found.append(self._lex(begin, i))
        return found

    # -- how it ends

    def _finals(
        self, nodes: Sequence[Node], depth: int, calls: tuple[str, ...]
    ) -> tuple[list[Final], bool]:
        """The ways a sequence of statements ends, and whether nothing runs after it."""
        ends: list[Final] = []
        last: list[Final] = []
        background: list[Command] = []
        for index, node in enumerate(nodes):
            if not node.is_named or node.type in {"comment", "function_definition"}:
                continue
            following = nodes[index + 1] if index + 1 < len(nodes) else None
            found, stops = self._final(node, depth + 1, calls)
            if following is not None and following.type == "&":
                background += [final.command for final in found]
                continue
            ends += [final for final in last if final.replaces_shell]
            last = [
                replace(final, background=tuple(background)) if background else final
                for final in found
            ]
            if stops:
                return ends + last, True
        if background and not last:
            detached = Final(command=background[-1], detached=True, background=tuple(background))
            return [*ends, detached], False
        return ends + last, False

    def _final(self, node: Node, depth: int, calls: tuple[str, ...]) -> tuple[list[Final], bool]:
        kind = node.type
        if depth > _DEPTH or self._is_late():
            return [], False
        if kind in {"command", "declaration_command", "unset_command", "test_command"}:
            return self._final_command(node, depth, calls)
        if kind in {"redirected_statement", "negated_command"}:
            inner = next((c for c in node.named_children if c.type in STATEMENTS), None)
            return self._final(inner, depth + 1, calls) if inner is not None else ([], False)
        if kind == "list":
            return self._final_list(node, depth, calls)
        if kind == "pipeline":
            children = [c for c in node.named_children if c.type != "comment"]
            if not children:
                return [], False
            found, _ = self._final(children[-1], depth + 1, calls)
            # The parts of a pipeline run in subshells: exec replaces those only.
            single = len(children) == 1
            return [f if single else replace(f, replaces_shell=False) for f in found], False
        if kind in {"compound_statement", "program", "do_group"}:
            return self._finals(node.children, depth + 1, calls)
        if kind == "subshell":
            found, _ = self._finals(node.children, depth + 1, calls)
            return [replace(final, replaces_shell=False) for final in found], False
        if kind == "if_statement":
            return self._final_if(node, depth, calls)
        if kind == "case_statement":
            return self._final_case(node, depth, calls)
        if kind in {"while_statement", "for_statement", "c_style_for_statement"}:
            body = next((c for c in node.children if c.type == "do_group"), None)
            if body is None:
                return [], False
            found, _ = self._finals(body.children, depth + 1, calls)
            return [replace(final, conditional=True) for final in found], False
        return [], False

    def _final_command(
        self, node: Node, depth: int, calls: tuple[str, ...]
    ) -> tuple[list[Final], bool]:
        command = self._by_span.get((node.start_byte, node.end_byte))
        if command is None:
            return [], False
        name = command.name
        if name == "exit":
            return [], True
        if name in self.functions and name not in calls and len(calls) < 5:
            return self._final(self.functions[name], depth + 1, (*calls, name))
        parts = command.words[-1].parts if command.words else ()
        passes = len(parts) == 1 and isinstance(parts[0], Parameter) and parts[0].name in {"@", "*"}
        parts = tuple(p for p in parts if not (isinstance(p, Text) and not p.text))
        passes = passes or (
            len(parts) == 1 and isinstance(parts[0], Parameter) and parts[0].name in {"@", "*"}
        )
        final = Final(
            command=command,
            replaces_shell=command.is_exec,
            passes_arguments=passes,
            waits=name == "wait",
        )
        return [final], command.is_exec

    def _final_list(
        self, node: Node, depth: int, calls: tuple[str, ...]
    ) -> tuple[list[Final], bool]:
        last: list[Final] = []
        kept: list[Final] = []
        stops = False
        tested = False
        for operator, child in flatten(node):
            found, ends = self._final(child, depth + 1, calls)
            if operator == "||":
                found = [replace(final, conditional=True) for final in found]
                trivial = all(f.command.name in _TRIVIAL for f in found)
                last = last if trivial and last else last + found
                stops = stops and ends
            else:
                if tested:
                    found = [replace(final, conditional=True) for final in found]
                    ends = False
                kept += [final for final in last if final.replaces_shell]
                last, stops = found, ends
            tested = tested or self._is_test(child)
        return kept + last, stops

    def _final_if(self, node: Node, depth: int, calls: tuple[str, ...]) -> tuple[list[Final], bool]:
        then: list[Node] = []
        seen_then = False
        found: list[Final] = []
        all_stop, has_else = True, False
        for child in node.children:
            if child.type == "then":
                seen_then = True
            elif child.type in {"elif_clause", "else_clause"}:
                parts = child.children
                split = next((i for i, c in enumerate(parts) if c.type == "then"), -1)
                has_else = has_else or child.type == "else_clause"
                more, stops = self._finals(parts[split + 1 :], depth + 1, calls)
                found += more
                all_stop = all_stop and stops
            elif seen_then:
                then.append(child)
        first, stops = self._finals(then, depth + 1, calls)
        found = first + found
        return (
            [replace(final, conditional=True) for final in found],
            stops and all_stop and has_else,
        )

    def _final_case(
        self, node: Node, depth: int, calls: tuple[str, ...]
    ) -> tuple[list[Final], bool]:
        found: list[Final] = []
        all_stop, has_default = True, False
        for item in node.named_children:
            if item.type != "case_item":
                continue
            more, stops = self._finals(item_body(item), depth + 1, calls)
            found += more
            all_stop = all_stop and stops
            start, _ = self._span(item)
            has_default = has_default or self.text[start : start + 3].lstrip("(").startswith("*)")
        return [replace(final, conditional=True) for final in found], all_stop and has_default


_TRIVIAL = frozenset({"true", ":", "false", "echo", "exit", "printf", "return", None})
