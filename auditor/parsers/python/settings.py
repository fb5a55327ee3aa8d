"""pydantic settings classes: which variables they read, and what the fields come to."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from auditor.parsers.python.module import text_of
from auditor.parsers.python.values import (
    Class,
    Const,
    DictV,
    Inst,
    ListV,
    Obj,
    PathV,
    Unk,
    V,
)

if TYPE_CHECKING:
    from auditor.parsers.python.models import Models


def read_settings(models: Models, inst: Inst, kwargs: dict[str, V], node: ast.AST) -> None:
    """Fill the fields of a ``BaseSettings`` instance from arguments, environment and defaults."""
    run = models.run
    options: dict[str, V] = {}
    for cls in reversed(inst.cls.mro()):
        inner = cls.names.get("Config")
        if isinstance(inner, Class):
            options.update(inner.names)
        config = cls.names.get("model_config")
        if isinstance(config, Obj):
            options.update(config.kwargs)
        elif isinstance(config, DictV):
            options.update(config.items)
        options.update(cls.keywords)
    prefix_value = options.get("env_prefix", Const(""))
    prefix = prefix_value.value if isinstance(prefix_value, Const) else None
    sensitive = options.get("case_sensitive")
    exact = isinstance(sensitive, Const) and bool(sensitive.value)
    from_file, why = _env_file(models, kwargs.get("_env_file") or options.get("env_file"), node)
    for cls in reversed(inst.cls.mro()):
        for name, annotation, _value, place in cls.annotations:
            kind = text_of(annotation)
            if "ClassVar" in kind or name == "model_config":
                continue
            if name in kwargs:
                inst.attrs[name] = models.coerce(kwargs[name], kind)
                continue
            default = models.field_default(inst, name)
            declared = run.class_attribute(inst, name)
            names = _aliases(declared)
            if not names:
                names = [f"{prefix}{name}"] if isinstance(prefix, str) else []
            nested = run.eval(annotation) if isinstance(annotation, ast.Name) else None
            if isinstance(nested, Class) and any(
                base.endswith(("BaseModel", "BaseSettings")) for base in nested.external()
            ):
                inst.attrs[name] = default or models.instantiate(nested, [], {}, node, loose=False)
                continue
            chosen = _present(models, names, exact)
            shown = chosen or (names[0] if exact or not names else names[0].upper())
            key = next((k for k in from_file if any(_same(k, n, exact) for n in names)), "")
            fallback = models.from_file((DictV(from_file), why), Const(key), default)
            saved = run.frame
            run.frame = cls.state.frame
            value = models.read_env(
                place,
                Const(shown) if shown else None,
                "pydantic",
                default=fallback,
                required=fallback is None,
                convert=lambda v, kind=kind: models.coerce(v, kind),  # type: ignore[misc]
            )
            run.frame = saved
            inst.attrs[name] = value


def _same(left: str, right: str, exact: bool) -> bool:
    return left == right if exact else left.lower() == right.lower()


def _present(models: Models, names: list[str], exact: bool) -> str:
    for name in names:
        for variable in models.run.env:
            if _same(variable, name, exact):
                return variable
    return ""


def _aliases(declared: V | None) -> list[str]:
    if not isinstance(declared, Obj):
        return []
    found: list[str] = []
    for key in ("validation_alias", "env", "alias"):
        value = declared.kwargs.get(key)
        if isinstance(value, Const) and isinstance(value.value, str):
            found.append(value.value)
        elif isinstance(value, ListV) and value.items:
            found += [v.value for v in value.items if isinstance(v, Const)]
        elif isinstance(value, Obj) and value.name.endswith("AliasChoices"):
            found += [v.value for v in value.args if isinstance(v, Const)]
    return found


def _env_file(models: Models, given: V | None, node: ast.AST) -> tuple[dict[str, V], str]:
    """What the named files assign, and why they may assign more (empty: they do not)."""
    from auditor.parsers.python.models import Site

    files = models.iterate(given) if isinstance(given, ListV) else [given]
    found: dict[str, V] = {}
    open_for = ""
    for file in files or []:
        if not isinstance(file, Const | PathV) or getattr(file, "value", "") is None:
            continue
        site = Site("pydantic.env_file", None, [], {}, node)
        models.file(site, file, "read", "config", missing_ok=True)
        read = models.assignments(file)
        if read is not None:
            found.update(read[0].items)
            open_for = open_for or read[1]
    return found, open_for


__all__ = ["Unk", "read_settings"]
