"""``deploy-audit graph [PATH]``: the deployment as a Mermaid diagram."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from auditor.cli import options
from auditor.cli.audit import check_root
from auditor.cli.declare import Option
from auditor.cli.gate import is_empty
from auditor.cli.streams import check_writable, remark, write_file, write_stdout
from auditor.config import load
from auditor.errors import ExitStatus


def command(
    path: options.Root = Path(),
    file: Annotated[
        str | None, Option("--output", "-o", metavar="FILE", help="Write it there.")
    ] = None,
    exclude: options.Exclude = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    color: options.Color = "auto",
) -> int:
    """Print the deployment as the audit understood it, in Mermaid's notation.

    Services, images, environments, artifacts and ports; what does not resolve is marked.
    """
    if file is not None:
        check_writable(file)
    check_root(path)
    settings = load(path, config=config, overrides={"exclude": exclude}, isolated=isolated)
    from auditor.engine import audit

    result = audit(path, settings)
    text = result.graph if result.graph.endswith("\n") or not result.graph else result.graph + "\n"
    if file is None or file == "-":
        write_stdout(text)
    else:
        write_file(Path(file), text)
    if is_empty(result) or not text:
        remark("there is no deployment to draw", quiet=quiet)
        return ExitStatus.PASSED if settings.allow_empty else ExitStatus.INCOMPLETE
    return ExitStatus.PASSED
