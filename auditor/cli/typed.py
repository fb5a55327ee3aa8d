"""The whole command line through typer: help, mistakes, and every spelling it knows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from auditor.cli.app import COMMANDS, DEFAULT, PROGRAM, complain
from auditor.cli.declare import REPORTS, Argument, Option, parameters_of
from auditor.errors import ExitStatus


class ReportingCommand(TyperCommand):
    """A command whose ``--format`` and ``--output`` pair up as they stand on the line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as usual, and leave the paired requests in ``ctx.meta``."""
        if any(param.name == "output" for param in self.params):
            given, _, order = self.make_parser(ctx).parse_args(args=list(args))
            left = {name: list(given.get(name) or ()) for name in ("format", "output")}
            words = [
                (str(param.name), str(left[str(param.name)].pop(0)))
                for param in order
                if param.name in left and left[str(param.name)]
            ]
            ctx.meta[REPORTS] = words
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """List the other commands under the default one's options."""
        if " " in ctx.info_name:
            return
        with formatter.section("Commands"):
            formatter.write_dl([(n, c.summary) for n, c in COMMANDS.items() if n != DEFAULT])
        formatter.write_paragraph()
        formatter.write_text("Exit status: 0 passed the gate, 1 findings at or above the gate,")
        formatter.write_text("2 wrong usage or configuration, 3 could not be completed, or empty.")


def run(command: Callable[..., int], name: str, arguments: Sequence[str]) -> int:
    """Run a command as typer reads its line; a mistake in the line is said and is its status."""
    parsed = parser_of(command)
    shown = PROGRAM if name == DEFAULT else f"{PROGRAM} {name}"
    try:
        status = parsed.main(args=list(arguments), prog_name=shown, standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if message := usage_message(error):
            complain(f"{message}\nTry `{shown} --help`.")
            return ExitStatus.USAGE
        raise
    return int(status or 0)


def parser_of(command: Callable[..., int], call: Callable[..., int] | None = None) -> Any:
    """Typer's parser of a command; ``call`` gets what it read in the command's place."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    )
    app.command(cls=ReportingCommand)(_declared(command, call or command))
    return typer.main.get_command(app)


def usage_message(error: Exception) -> str | None:
    """What the option parser has to say, if it was the one who raised."""
    # typer >= 0.16 carries its own copy of click: its base class is found, not imported.
    base = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
    describe = getattr(error, "format_message", None)
    return str(describe()) if describe is not None and isinstance(error, base) else None


def _declared(command: Callable[..., int], target: Callable[..., int]) -> Callable[..., int]:
    """The command as typer wants it declared; as it is where it is declared so already."""
    parameters = parameters_of(command)
    if parameters is None:
        return command

    def call(**given: Any) -> int:
        return target(**given)

    annotations: dict[str, Any] = {"return": int}
    signature: list[inspect.Parameter] = []
    for parameter in parameters:
        annotation: Any = typer.Context
        if parameter.declared is not None:
            annotation = Annotated[parameter.type, _typers(parameter.declared)]
        annotations[parameter.name] = annotation
        default = inspect.Parameter.empty if parameter.required else parameter.default
        signature.append(
            inspect.Parameter(
                parameter.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=annotation,
            )
        )
    call.__annotations__ = annotations
    call.__doc__ = command.__doc__
    call.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    return call


def _typers(declared: Option | Argument) -> Any:
    if isinstance(declared, Argument):
        return typer.Argument(
            metavar=declared.metavar, help=declared.help, show_default=declared.show_default
        )
    return typer.Option(
        *declared.names,
        metavar=declared.metavar,
        help=declared.help or None,
        show_default=declared.show_default,
        count=declared.count,
        min=declared.min,
        max=declared.max,
    )
