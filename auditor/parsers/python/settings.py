"""pydantic settings classes: which variables they read, and what the fields come to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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
    from auditor.parsers.python.configured import ConfiguredModels


def read_settings(
    models: ConfiguredModels, inst: Inst, kwargs: dict[str, V], node: ast.AST
) -> None:
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
    elsewhere = _elsewhere(inst, options)
    second = any(base.startswith("pydantic_settings.") for base in inst.cls.external())
    known: list[str] = []
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
            known += names
            nested = None
            if isinstance(annotation, ast.Name):
                outer, run.frame = run.frame, cls.state.frame
                nested = run.eval(annotation)
                run.frame = outer
            if isinstance(nested, Class) and any(
                base.endswith(("BaseModel", "BaseSettings")) for base in nested.external()
            ):
                saved, run.frame = run.frame, cls.state.frame
                inst.attrs[name] = _nested(
                    models, nested, names, options, default, from_file, why or elsewhere,
                    place, node, exact=exact,
                )  # fmt: skip
                run.frame = saved
                continue
            chosen = _present(models, names, exact)
            shown = chosen or (names[0] if exact or not names else names[0].upper())
            key = next((k for k in from_file if any(_same(k, n, exact) for n in names)), "")
            if second and not _is_false(options.get("enable_decoding")):
                given = Const(run.env.get(chosen)) if chosen else from_file.get(key)
                _decode(models, node, name, kind, given, from_variable=bool(chosen))
            fallback = models.from_file((DictV(from_file), why), Const(key), default)
            if fallback is None and elsewhere:
                fallback = Unk(elsewhere)
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
    if second and isinstance(prefix, str) and not why:
        _refuse_extra(models, inst, options, {**from_file}, known, node)


def _nested(
    models: ConfiguredModels,
    nested: Class,
    names: list[str],
    options: dict[str, V],
    default: V | None,
    from_file: dict[str, V],
    elsewhere: str,
    place: ast.AST,
    node: ast.AST,
    *,
    exact: bool,
) -> V:
    """A field that is a model: its own fields come from ``NAME<delimiter>FIELD``, or it is required."""
    told = options.get("env_nested_delimiter")
    delimiter = told.value if isinstance(told, Const) and isinstance(told.value, str) else ""
    given: dict[str, V] = {}
    wanted = ""
    for field, annotation in _fields(nested) if delimiter else ():
        full = [f"{name}{delimiter}{field}" for name in names]
        wanted = wanted or next(iter(full), "")
        chosen = _present(models, full, exact)
        key = next((k for k in from_file if any(_same(k, n, exact) for n in full)), "")
        if chosen or key:
            kind = text_of(annotation)
            given[field] = models.read_env(
                place,
                Const(chosen or key),
                "pydantic",
                default=from_file.get(key),
                convert=lambda v, kind=kind: models.coerce(v, kind),  # type: ignore[misc]
            )
    if given:
        return models.instantiate(nested, [], given, node, loose=False)
    if _present(models, names, exact) or any(_same(k, n, exact) for k in from_file for n in names):
        return Unk("a model given as JSON")
    if default is not None:
        return default
    if not any(base.endswith("BaseSettings") for base in nested.external()) and names:
        wanted = wanted or names[0]
        if not elsewhere:
            shown = wanted if exact else wanted.upper()
            models.read_env(place, Const(shown), "pydantic", required=True)
    return models.instantiate(nested, [], {}, node, loose=False)


def _fields(cls: Class) -> Iterator[tuple[str, ast.expr]]:
    for base in reversed(cls.mro()):
        for name, annotation, _value, _place in base.annotations:
            if "ClassVar" not in text_of(annotation) and name != "model_config":
                yield name, annotation


def _elsewhere(inst: Inst, options: dict[str, V]) -> str:
    """What else than the environment and ``.env`` may give a field; empty when nothing does."""
    folder = options.get("secrets_dir")
    if folder is not None and not (isinstance(folder, Const) and folder.value is None):
        return "may come from a file of secrets"
    if any("settings_customise_sources" in cls.names for cls in inst.cls.mro()):
        return "may come from a source of settings that the class adds"
    return ""


# Types whose variables must hold JSON; a union with something else takes the text as well.
_COMPLEX = ("list", "List", "dict", "Dict", "set", "Set", "tuple", "Tuple", "Sequence", "frozenset")


def _is_false(option: V | None) -> bool:
    return isinstance(option, Const) and option.value is False


def _decode(
    models: ConfiguredModels,
    node: ast.AST,
    name: str,
    kind: str,
    given: V | None,
    *,
    from_variable: bool,
) -> None:
    """A list or mapping is read as JSON; ``a,b`` is none."""
    outer = kind.partition("[")[0].rpartition(".")[2]
    if outer not in _COMPLEX or "|" in kind.rpartition("]")[2]:
        return
    text = given.value if isinstance(given, Const) else None
    if not isinstance(text, str) or len(text) > 20_000:
        return
    import json

    try:
        json.loads(text)
    except RecursionError:
        return
    except ValueError:
        source = "EnvSettingsSource" if from_variable else "DotEnvSettingsSource"
        models.run.fails(
            node,
            f'SettingsError: error parsing value for field "{name}" from source "{source}"',
            f"`{name}` is a {outer.lower()}, so its variable must hold JSON, and it holds `{text[:60]}`",
        )


def _refuse_extra(
    models: ConfiguredModels,
    inst: Inst,
    options: dict[str, V],
    from_file: dict[str, V],
    known: list[str],
    node: ast.AST,
) -> None:
    """An ``env_file`` with a name that is no field: forbidden, unless ``extra`` says otherwise."""
    extra = options.get("extra")
    if extra is not None and not (isinstance(extra, Const) and extra.value == "forbid"):
        return
    if "settings_customise_sources" in {n for cls in inst.cls.mro() for n in cls.names}:
        return
    if options.get("env_nested_delimiter") is not None:
        return
    # Without regard to case, which only ever lets more pass.
    fields = {name.lower() for name in known}
    for name, value in from_file.items():
        if name.lower() in fields or not isinstance(value, Const) or not value.value:
            continue
        models.run.fails(
            node,
            f"ValidationError: {name.lower()}: Extra inputs are not permitted",
            f"the file of `env_file` sets `{name}`, which `{inst.cls.qualname}` does not declare",
        )
        return


def _same(left: str, right: str, exact: bool) -> bool:
    return left == right if exact else left.lower() == right.lower()


def _present(models: ConfiguredModels, names: list[str], exact: bool) -> str:
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


def _env_file(models: ConfiguredModels, given: V | None, node: ast.AST) -> tuple[dict[str, V], str]:
    """What the named files assign, and why they may assign more (empty: they do not)."""
    from auditor.parsers.python.sites import Site

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
