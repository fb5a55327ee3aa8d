"""Reading options off a command line, the way getopt, argparse and click agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.parsers.commands.facts import Option
from auditor.parsers.shell.expansion import Value
from auditor.parsers.shell.facts import Arg
from auditor.source import Unknown
from auditor.values import field, record


@record
class Scanned:
    """Options by canonical name in the order given, and the words that belong to none."""

    options: list[Option] = field(default_factory=list)
    words: list[Arg] = field(default_factory=list)

    def last(self, name: str) -> Option | None:
        return next((o for o in reversed(self.options) if o.name == name), None)

    def value(self, *names: str) -> Value | None:
        """The last value given under the first of the names that was given at all."""
        for name in names:
            found = self.last(name)
            if found is not None and not isinstance(found.value, bool):
                return found.value
        return None

    def on(self, name: str) -> bool:
        found = self.last(name)
        return found is not None and found.value is not False

    def all(self, name: str) -> tuple[Arg, ...]:
        """Every value given under a name, as words with their places."""
        return tuple(
            Arg(value=o.value, at=o.at, pieces=o.pieces)
            for o in self.options
            if o.name == name and not isinstance(o.value, bool)
        )


def scan(
    argv: Sequence[Arg],
    *,
    values: Mapping[str, str],
    switches: Mapping[str, str] | None = None,
    off: Mapping[str, str] | None = None,
    interspersed: bool = True,
    any_value: bool = False,
    abbreviations: bool = False,
) -> Scanned:
    """Take ``argv`` (without the program) apart.

    ``values``/``switches``/``off`` map flags to canonical names. An unknown long flag is a
    switch under its own name (underscores for dashes), unless ``any_value`` says that flags take
    the next word. Without ``interspersed``, options end at the first other word. An Unknown word
    counts as no option.
    """
    switches, off = switches or {}, off or {}
    found = Scanned()
    index = 0
    while index < len(argv):
        arg = argv[index]
        text = arg.text
        index += 1
        if text == "--":
            found.words += argv[index:]
            break
        if len(text) < 2 or text[0] != "-" or _is_number(text):
            # `--port=$PORT`: the flag is known although the word as a whole is not.
            partial = _partial_flag(arg)
            if partial is not None:
                flag, value = partial
                name = values.get(flag) or _own_name(flag)
                found.options.append(
                    Option(name=name, value=value, at=arg.at, flag=flag, pieces=arg.pieces[1:])
                )
                continue
            found.words.append(arg)
            if not interspersed:
                found.words += argv[index:]
                break
            continue
        flag, equals, inline = text.partition("=")
        if flag.startswith("--") or flag in values or flag in switches or flag in off:
            if abbreviations and flag not in values and flag not in switches and flag not in off:
                flag = _unabbreviated(flag, (values, switches, off))
            index = _long(
                found, arg, flag, equals, inline, argv, index, values, switches, off, any_value
            )
        else:
            index = _cluster(found, arg, text, argv, index, values, switches, off)
    return found


def _long(
    found: Scanned,
    arg: Arg,
    flag: str,
    equals: str,
    inline: str,
    argv: Sequence[Arg],
    index: int,
    values: Mapping[str, str],
    switches: Mapping[str, str],
    off: Mapping[str, str],
    any_value: bool,
) -> int:
    name = values.get(flag) or switches.get(flag) or off.get(flag) or _own_name(flag)
    at = arg.at
    if equals:
        start = len(flag) + 1
        if at.line == at.end_line and at.end_column - at.column == len(arg.text):
            at = at.within(start=start, length=len(inline))
        value: Value | bool = inline
        if flag in switches and inline.lower() in {"true", "false", "1", "0"}:
            value = inline.lower() in {"true", "1"}
        found.options.append(Option(name=name, value=value, at=at, flag=flag))
        return index
    takes = flag in values or (
        any_value
        and flag not in switches
        and flag not in off
        and index < len(argv)
        and not argv[index].text.startswith("-")
    )
    if takes and index < len(argv):
        given = argv[index]
        found.options.append(
            Option(name=name, value=given.value, at=given.at, flag=flag, pieces=given.pieces)
        )
        return index + 1
    if flag in values:
        found.options.append(Option(name=name, value=Unknown("no value given"), at=at, flag=flag))
    else:
        found.options.append(Option(name=name, value=flag not in off, at=at, flag=flag))
    return index


def _cluster(
    found: Scanned,
    arg: Arg,
    text: str,
    argv: Sequence[Arg],
    index: int,
    values: Mapping[str, str],
    switches: Mapping[str, str],
    off: Mapping[str, str],
) -> int:
    """``-abVALUE``: short switches, the last of which may take the rest or the next word."""
    for position in range(1, len(text)):
        flag = "-" + text[position]
        if flag in values:
            rest = text[position + 1 :].removeprefix("=")
            if rest:
                at = arg.at
                if at.line == at.end_line and at.end_column - at.column == len(text):
                    at = at.within(start=len(text) - len(rest), length=len(rest))
                found.options.append(Option(name=values[flag], value=rest, at=at, flag=flag))
                return index
            if index < len(argv):
                given = argv[index]
                found.options.append(
                    Option(
                        name=values[flag],
                        value=given.value,
                        at=given.at,
                        flag=flag,
                        pieces=given.pieces,
                    )
                )
                return index + 1
            found.options.append(
                Option(name=values[flag], value=Unknown("no value given"), at=arg.at, flag=flag)
            )
            return index
        name = switches.get(flag) or off.get(flag) or flag[1:]
        found.options.append(Option(name=name, value=flag not in off, at=arg.at, flag=flag))
    return index


def _partial_flag(arg: Arg) -> tuple[str, Value] | None:
    if not isinstance(arg.value, Unknown) or not arg.pieces or not isinstance(arg.pieces[0], str):
        return None
    flag, equals, rest = arg.pieces[0].partition("=")
    if not equals or not flag.startswith("--"):
        return None
    return flag, arg.value if not rest else Unknown(arg.value.reason)


def _own_name(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_").replace(".", "_")


def _is_number(text: str) -> bool:
    return text[1:].replace(".", "", 1).isdigit()


def _unabbreviated(flag: str, tables: Sequence[Mapping[str, str]]) -> str:
    longer = {known for table in tables for known in table if known.startswith(flag)}
    return longer.pop() if len(longer) == 1 else flag
