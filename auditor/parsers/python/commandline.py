"""Command lines of the program itself: argparse, click and typer against the arguments it gets."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from auditor.parsers.python.facts import Call
from auditor.parsers.python.sites import Site
from auditor.parsers.python.values import Const, DictV, Func, ListV, Obj, Unk, V, text_of_ext

if TYPE_CHECKING:
    from auditor.parsers.python.models import Models


class _Located(ast.AST):
    """A stand-in node for a fact at the place of an object that was made earlier."""

    def __init__(self, made: Obj) -> None:
        super().__init__()
        assert made.at is not None
        self.lineno = made.at.line
        self.end_lineno = made.at.end_line
        self.col_offset = made.at.column - 1
        self.end_col_offset = made.at.end_column - 1


def click_option(models: Models, option: Obj, func: Func) -> None:
    """``@click.option``: a parameter gets what the command line or a variable says."""
    names = [a.value for a in option.args if isinstance(a, Const) and isinstance(a.value, str)]
    if not names:
        return
    plain_names = [n for n in names if not n.startswith("-")]
    longest = max(names, key=lambda n: n.startswith("--"))
    target = plain_names[0] if plain_names else longest.lstrip("-").partition("/")[0]
    default = option.kwargs.get("default", Const(None))
    value = default
    if "envvar" in option.kwargs and option.at is not None:
        value = models.read_env(_Located(option), option.kwargs["envvar"], "click", default=default)
    given = from_argv(models, names)
    func.defaults[target.replace("-", "_").lower()] = given or value
    flag = any(k in option.kwargs for k in ("is_flag", "count", "flag_value")) or any(
        "/" in n for n in names
    )
    kind = "argument" if option.name == "click.argument" else "flag" if flag else "option"
    parts = [part.strip() for n in names for part in n.split("/")]
    models.clicked.setdefault(id(func), []).append((tuple(parts), kind))


def refuse_options(models: Models, func: Func, node: ast.AST) -> None:
    """Note where click ends the program: an option that the command does not declare."""
    declared = models.clicked.get(id(func))
    if declared is None or not models.run.own_command or id(func) not in models.click_commands:
        return
    known = {name: kind for names, kind in declared for name in names}
    takes = any(kind == "argument" for _, kind in declared)
    words = iter(models.run.argv)
    text = ""
    for word in words:
        head, equals, _ = word.partition("=")
        if word == "--":
            break
        if head in ("--help", "--version") or (word[:1] == "-" and not head.startswith("--")):
            return
        if head.startswith("--"):
            if head not in known:
                text = f"No such option: {head}"
                break
            if known[head] == "option" and not equals:
                next(words, None)
        elif not takes:
            text = f"Got unexpected extra argument ({word})"
            break
    if text:
        call = Call(
            at=models.run.at(node), reach=models.run.reach(), category="exit",
            name="argparse.error", mentions=(text,),
        )  # fmt: skip
        models.run.sink.add_call(call)


def click_group(models: Models, group: Obj, commands: list[tuple[object, V]], node: ast.AST) -> V:
    """A group runs its own function and the command that the arguments name."""
    word = next((w for w in models.run.argv if not w.startswith("-")), None)
    own = group.args[0] if group.args else None
    if word is None and "invoke_without_command" not in group.kwargs:
        models.note(Site("click.usage", None, [], {}, node), "usage")
        return Const(None)
    if own is not None:
        models.run.call(own, [], {}, node)
    chosen = [command for name, command in commands if name == word]
    if word is not None and not chosen:
        return Unk("a command of a group that is not followed")
    for command in chosen:
        models.run.call(command, [], {}, node)
    return Const(None)


def unwrap_defaults(models: Models, func: Func) -> None:
    """Parameters whose defaults are ``typer.Option(…)`` get what that stands for."""
    for name, default in list(func.defaults.items()):
        if isinstance(default, Obj) and default.name in ("typer.Option", "typer.Argument"):
            inner = default.args[0] if default.args else default.kwargs.get("default")
            value = inner or Unk("an option without a default")
            if "envvar" in default.kwargs and default.at is not None:
                value = models.read_env(
                    _Located(default), default.kwargs["envvar"], "typer", default=inner
                )
            func.defaults[name] = from_argv(models, [f"--{name.replace('_', '-')}"]) or value


def typer_options(models: Models, func: Func) -> None:
    """A parameter with a plain default is an option of that name."""
    for name, default in list(func.defaults.items()):
        if not isinstance(default, Const):
            continue
        option = f"--{name.replace('_', '-')}"
        if isinstance(default.value, bool):
            if f"--no-{option[2:]}" in models.run.argv:
                func.defaults[name] = Const(False)
            elif option in models.run.argv:
                func.defaults[name] = Const(True)
            continue
        given = from_argv(models, [option])
        if given is not None:
            kind = type(default.value).__name__
            func.defaults[name] = models.coerce(given, kind if kind in ("int", "float") else "")


def from_argv(models: Models, names: list[str], *, flag: bool = False) -> V | None:
    """What the command line gives under one of these names; None where it names none."""
    argv = models.run.argv
    for index, word in enumerate(argv):
        head, equals, tail = word.partition("=")
        if head in names and head.startswith("-"):
            if flag:
                return Const(True)
            if equals:
                return Const(tail)
            if index + 1 < len(argv):
                return Const(argv[index + 1])
    return None


def argparse(models: Models, site: Site, owner: V, attr: str) -> V | None:
    """A method of an argument parser."""
    if not isinstance(owner, Obj):
        return None
    if not isinstance(owner.data, dict):
        owner.data = {}
    if attr in ("add_argument_group", "add_mutually_exclusive_group"):
        models.parsers.setdefault(id(owner), [])
        return owner
    declared = models.parsers.setdefault(id(owner), [])
    if attr == "set_defaults":
        owner.data.update(site.kwargs)
    elif attr == "add_argument":
        names = [a.value for a in site.args if isinstance(a, Const) and isinstance(a.value, str)]
        declared.append((tuple(names), _is_set(site.kwargs.get("required"))))
        if names:
            target = next((n for n in names if n.startswith("--")), names[0])
            given = site.kwargs.get("dest")
            if isinstance(given, Const) and isinstance(given.value, str):
                target = given.value
            action = site.kwargs.get("action")
            action_name = action.value if isinstance(action, Const) else ""
            default: V = site.kwargs.get("default") or Const(None)
            flag = action_name in ("store_true", "store_false")
            if flag and "default" not in site.kwargs:
                default = Const(action_name == "store_false")
            passed = from_argv(models, names, flag=flag)
            if flag and passed is not None:
                passed = Const(action_name == "store_true")
            value = passed or default
            if not names[0].startswith("-") and not passed:
                value = Unk("a positional argument of the command line")
            kind = text_of_ext(site.kwargs.get("type"))
            value = models.coerce(value, kind)
            if "nargs" in site.kwargs and passed:
                value = Unk("arguments of the command line")
            owner.data[target.lstrip("-").replace("-", "_")] = value
        return Const(None)
    elif attr in ("parse_args", "parse_known_args"):
        made = DictV(dict(owner.data), partial=True, attr=True)
        refuse_arguments(models, site, declared, strict=attr == "parse_args")
        return ListV([made, ListV(None)], "tuple") if attr == "parse_known_args" else made
    elif attr == "add_subparsers":
        declared.append(((), False))
        return Unk("subcommands are not followed")
    return Const(None)


def refuse_arguments(
    models: Models, site: Site, declared: list[tuple[tuple[str, ...], bool]], *, strict: bool
) -> None:
    """Note where argparse ends the program: an option it does not know, or one it misses."""
    if site.args or not declared or any(not names for names, _ in declared):
        return
    known = {name for names, _ in declared for name in names}
    flags = [word.partition("=")[0] for word in models.run.argv if word.startswith("--")]
    wrong = [
        flag
        for flag in flags
        if flag not in ("--", "--help") and not any(name.startswith(flag) for name in known)
    ]
    missing = [
        names[0]
        for names, required in declared
        if required and not any(n == w.partition("=")[0] for n in names for w in models.run.argv)
    ]
    text = ""
    if wrong and strict:
        text = f"unrecognized arguments: {wrong[0]}"
    elif missing:
        text = f"the following arguments are required: {missing[0]}"
    if text:
        models.run.sink.add_call(
            Call(
                at=models.run.at(site.node),
                reach=models.run.reach(),
                category="exit",
                name="argparse.error",
                mentions=(text,),
            )
        )


def _is_set(value: V | None) -> bool:
    return isinstance(value, Const) and value.value is True
