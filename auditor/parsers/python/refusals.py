"""What the language and small libraries refuse whenever they are asked: patterns, defaults, settings."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers.python.values import Class, Const, DictV, Inst, ListV, PathV, V

if TYPE_CHECKING:
    import ast

    from auditor.parsers.python.configured import ConfiguredModels
    from auditor.parsers.python.interpreter import Interpreter
    from auditor.parsers.python.models import Models
    from auditor.parsers.python.sites import Site

_FLAGS = re.compile(r"\(\?[aiLmsux]+\)")
_INTERPOLATED = re.compile(r"%\((\w+)\)s")
PATTERNS = tuple(
    f"re.{name}"
    for name in ("compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer")
)  # fmt: skip
FLASK_CONFIG = frozenset(
    f"{app}().config.{name}"
    for app in ("flask.Flask", "quart.Quart")
    for name in ("from_pyfile", "from_envvar", "from_object")
)


def pattern(run: Interpreter, text: V | None, node: ast.AST) -> None:
    """Flags inside a pattern stand at its start since Python 3.11."""
    python = run.program.python
    if python is None or python < (3, 11):
        return
    if not isinstance(text, Const) or not isinstance(text.value, str):
        return
    plain = re.sub(r"\\.", "__", text.value)
    found = next((m for m in _FLAGS.finditer(plain) if m.start()), None)
    verbose = _FLAGS.match(plain) is not None and "x" in plain[: plain.index(")")]
    if found is not None and not verbose and "[" not in plain[: found.start()].rpartition("]")[2]:
        run.fails(
            node,
            f"re.error: global flags not at the start of the expression at position {found.start()}",
            f"`{found[0]}` does not stand at the start of the pattern, as Python 3.11 and later ask for, and "
            f"the image runs {python[0]}.{python[1]}",
        )


def field_defaults(run: Interpreter, made: Class) -> None:
    """``@dataclass``: a default that could be changed is refused."""
    if not any(d in ("dataclasses.dataclass", "dataclass") for d in made.decorators):
        return
    python = run.program.python
    for name, _, default, statement in made.annotations:
        value = made.names.get(name)
        kind = ""
        if default is None:
            continue
        if isinstance(value, ListV) and value.kind in ("list", "set"):
            kind = value.kind
        elif isinstance(value, DictV) and not value.attr:
            kind = "dict"
        elif isinstance(value, Inst) and python is not None and python >= (3, 11):
            kind = value.cls.qualname if _unhashable(value.cls) else ""
        if kind:
            since = "" if kind in ("list", "set", "dict") else ", since Python 3.11"
            run.fails(
                statement,
                f"ValueError: mutable default <class '{kind}'> for field {name} is not allowed: use "
                "default_factory",
                f"a data class takes no default that can be changed{since}",
            )


def _unhashable(cls: Class) -> bool:
    """A data class that compares by value, and so has no hash."""
    node = cls.node
    told = [d for d in node.decorator_list if "dataclass" in ast_text(d)]
    keywords = {k.arg for d in told for k in getattr(d, "keywords", ())}
    own = {getattr(s, "name", "") for s in node.body}
    return bool(told) and not keywords & {"frozen", "eq", "unsafe_hash"} and "__hash__" not in own


def ast_text(node: ast.expr) -> str:
    """The source of a decorator."""
    from auditor.parsers.python.module import text_of

    return text_of(node)


def interpolation(models: ConfiguredModels, site: Site, table: DictV, value: V) -> None:
    """``%`` in a value that ``ConfigParser`` fills in."""
    raw = site.kwargs.get("raw")
    if not isinstance(value, Const) or not isinstance(value.value, str) or raw is not None:
        return
    text = value.value.replace("%%", "")
    key = site.args[1].value if isinstance(site.args[1], Const) else "?"
    missing = next(
        (m[1] for m in _INTERPOLATED.finditer(text) if m[1].lower() not in table.items), ""
    )
    error = ""
    if "%" in _INTERPOLATED.sub("", text):
        error = f"configparser.InterpolationSyntaxError: '%' must be followed by '%' or '(', found: {text!r}"
    elif missing:
        error = (
            f"configparser.InterpolationMissingOptionError: Bad value substitution: option {key!r}"
        )
    if error:
        files = [d.removeprefix("file:") for d in value.deps if d.startswith("file:")]
        models.run.fails(
            site.node,
            error,
            f"`{key}` is `{text[:60]}`, and `%` begins a name to fill in there",
            file=files[0] if files else "",
        )


_SANIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_\-]*")


def sanic_name(run: Interpreter, site: Site) -> None:
    """Sanic, since 21.12, takes letters, digits, ``_`` and ``-`` for its name."""
    given = site.get(0, "name")
    if not isinstance(given, Const) or not isinstance(given.value, str):
        return
    if not _SANIC_NAME.fullmatch(given.value):
        run.fails(
            site.node,
            f"sanic.exceptions.SanicException: Sanic instance named '{given.value}' uses an invalid format.",
            "the name of a Sanic application begins with a letter and has letters, digits, `_` and `-` only",
        )


def flask_config(models: Models, site: Site, attr: str) -> None:
    """``app.config.from_pyfile`` and its kin: what they read must be there, unless they are silent."""
    given = site.args[0] if site.args else None
    silent = site.kwargs.get("silent") or (site.args[1] if len(site.args) > 1 else None)
    if silent is not None and not (isinstance(silent, Const) and not silent.value):
        return
    run = models.run
    if not isinstance(given, Const | PathV):
        return
    if attr == "from_envvar":
        models.read_env(site.node, given, "os.environ[]", required=True)
        return
    text = given.text if isinstance(given, PathV) else given.value
    if not isinstance(text, str):
        return
    if attr == "from_pyfile":
        file = run.frame.state.file if run.frame is not None else None
        if not text.startswith("/") and isinstance(file, str):
            text = posixpath.join(posixpath.dirname(file), text)
        models.file(site, Const(text), "read", "config")
        return
    module, dot, name = text.rpartition(".")
    if dot and name[:1].isupper():
        _named(run, module, name, site.node)


def _named(run: Interpreter, module: str, name: str, node: ast.AST) -> None:
    from auditor.parsers.python.facts import Import

    at = run.at(node)
    state = run.import_module(module, at, Import(at=at, module=module, dynamic=True))
    if state is None or state.open_names or name in state.frame.vars:
        return
    run.fails(
        node,
        f"werkzeug.utils.ImportStringError: import_string() failed for '{module}.{name}'",
        f"`{module}` has no `{name}`",
    )
