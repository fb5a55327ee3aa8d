"""What training code pickles: the names that whoever loads it must have, and what it was fitted on.

Only what is certain is told: an object that may be another one, or whose class says itself how it
is pickled, names nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.parsers.python.facts import Dump, Fitted, PickledName
from auditor.parsers.python.values import (
    Choice,
    Class,
    Const,
    DictV,
    Func,
    Inst,
    ListV,
    Obj,
    Table,
    V,
)

if TYPE_CHECKING:
    from auditor.parsers.python.models import Models
    from auditor.parsers.python.scopes import State
    from auditor.parsers.python.sites import Site

# Calls that pickle an object into a file: its position, the file's, and whether functions and
# classes of `__main__` are written with their code.
WRITERS: dict[str, tuple[int, bool]] = {
    "pickle.dump": (1, False),
    "joblib.dump": (1, False),
    "sklearn.externals.joblib.dump": (1, False),
    "torch.save": (1, False),
    "cloudpickle.dump": (1, True),
    "dill.dump": (1, True),
}
# Libraries whose estimators keep the arguments they are made with.
_KEEP = frozenset(["sklearn", "imblearn"])
_LIBRARIES = _KEEP | {"xgboost", "lightgbm", "catboost"}
_MAKERS = frozenset(
    ["sklearn.pipeline.make_pipeline", "sklearn.pipeline.make_union",
     "sklearn.compose.make_column_transformer", "imblearn.pipeline.make_pipeline"]
)  # fmt: skip
# A class that has one of these is pickled as it says.
_OWN_WAY = frozenset(["__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__",
                      "__getnewargs_ex__", "__copy_reg__"])  # fmt: skip
_DEPTH = 6


def written(models: Models, site: Site) -> None:
    """Note what a call pickles, and where."""
    told = WRITERS.get(site.name)
    if told is None or site.loose:
        return
    position, by_value = told
    target = site.get(position, "file", "filename", "f")
    held = site.get(0, "obj", "value")
    if target is None or held is None:
        return
    run = models.run
    names = tuple(dict.fromkeys(_named(models, held, by_value, 0)))
    run.sink.dumps.append(
        Dump(
            at=run.at(site.node),
            reach=run.reach(),
            path=run.sink.path(target),
            writer=site.name,
            names=names,
            fits=tuple(_fits(models, held)),
        )
    )


def _named(models: Models, value: V, by_value: bool, depth: int) -> Iterator[PickledName]:
    """The names that a pickled value asks its loader for."""
    if depth > _DEPTH or isinstance(value, Choice):
        return
    if isinstance(value, Func | Class):
        yield from _own(models, value.state, value.qualname, by_value, value)
    elif isinstance(value, Inst):
        yield from _instance(models, value, by_value, depth)
    elif isinstance(value, ListV):
        for item in value.items or ():
            yield from _named(models, item, by_value, depth + 1)
    elif isinstance(value, DictV):
        for item in value.items.values() if not value.partial else ():
            yield from _named(models, item, by_value, depth + 1)
    elif isinstance(value, Obj) and _is_estimator(value):
        top = value.name.partition(".")[0]
        yield PickledName(module=top, name="")
        if top in _KEEP:
            for item in (*value.args, *value.kwargs.values()):
                yield from _named(models, item, by_value, depth + 1)


def _instance(models: Models, value: Inst, by_value: bool, depth: int) -> Iterator[PickledName]:
    family = value.cls.mro()
    if any(_OWN_WAY & cls.names.keys() for cls in family) or "?" in value.cls.external():
        return
    yield from _own(models, value.cls.state, value.cls.qualname, by_value, value.cls)
    if value.partial:
        return
    for name, item in value.attrs.items():
        if name not in value.perhaps:
            yield from _named(models, item, by_value, depth + 1)


def _own(
    models: Models, state: State, qualname: str, by_value: bool, value: Func | Class
) -> Iterator[PickledName]:
    """A function or class of the project, by the module that it was defined in."""
    main = models.run.states.get("__main__") is state
    local = "<" in qualname or isinstance(value.node, ast.Lambda)
    if local or (main and by_value) or _renamed(state):
        return
    if isinstance(value, Func) and (value.closure is not None or value.cls is not None):
        return
    yield PickledName(
        module="__main__" if main else state.name,
        name=qualname,
        path=state.facts.path if state.facts is not None else "",
    )


def _renamed(state: State) -> bool:
    """Whether a module's code touches ``__module__``, or puts itself under another name."""
    tree = state.facts.tree if state.facts is not None else None
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Attribute) and node.attr in ("__module__", "modules"):
            return True
        if isinstance(node, ast.Name) and node.id == "__module__":
            return True
        if isinstance(node, ast.Constant) and node.value == "__module__":
            return True
    return tree is None


def _is_estimator(value: Obj) -> bool:
    if value.name in _MAKERS:
        return True
    last = value.name.rpartition(".")[2]
    return (
        value.name.partition(".")[0] in _LIBRARIES and last[:1].isupper() and "(" not in value.name
    )


# ---- what it was fitted on ----


def fit(models: Models, site: Site, owner: V, attr: str) -> V | None:
    """``estimator.fit(X, y)``: the same object, which knows its columns from then on."""
    if attr not in ("fit", "partial_fit") or not isinstance(owner, Obj) or not _is_estimator(owner):
        return None
    run = models.run
    data, target = site.get(0, "X"), site.get(1, "y")
    if site.loose or run.guards or id(owner) in models.fits or attr != "fit":
        models.fits[id(owner)] = (owner, None)
        return owner
    names, count = _columns(models, data)
    steps = _steps(owner)
    first, last = (steps[0], steps[-1]) if steps else (None, None)
    models.fits[id(owner)] = (
        owner,
        Fitted(
            root=owner.name,
            estimator=first.name if first is not None else "",
            last=last.name if last is not None else "",
            names=names,
            count=count,
            options=tuple(
                (key, value.value)
                for key, value in (last.kwargs.items() if last is not None else ())
                if isinstance(value, Const) and isinstance(value.value, str | int | float | None)
            ),
            bare=last is not None
            and not last.args
            and all(isinstance(value, Const) for value in last.kwargs.values()),
            target=kind_of(target),
            values=_values(data),
            at=run.at(site.node),
        ),
    )
    return owner


def _fits(models: Models, value: V) -> Iterator[tuple[tuple[str | int, ...], Fitted]]:
    """What a pickled object, or the members of a mapping or tuple, were fitted on."""
    members: list[tuple[tuple[str | int, ...], V]] = [((), value)]
    if isinstance(value, DictV) and not value.partial:
        members += [((key,), item) for key, item in value.items.items() if isinstance(key, str)]
    elif isinstance(value, ListV):
        members += [((index,), item) for index, item in enumerate(value.items or ())]
    for keys, item in members:
        found = models.fits.get(id(item))
        if found is not None and found[1] is not None:
            yield keys, found[1]


def _steps(owner: Obj) -> list[Obj] | None:
    """The estimators of a pipeline in order, or the one; None where one is not known."""
    if owner.name.endswith("pipeline.make_pipeline"):
        found: list[V] = list(owner.args)
    elif owner.name.endswith("pipeline.Pipeline"):
        told = owner.args[0] if owner.args else owner.kwargs.get("steps")
        if not isinstance(told, ListV) or told.items is None:
            return None
        found = []
        for pair in told.items:
            if not isinstance(pair, ListV) or pair.items is None or len(pair.items) != 2:
                return None
            found.append(pair.items[1])
    else:
        return [owner]
    steps = [one for one in found if isinstance(one, Obj) and _is_estimator(one)]
    return steps if len(steps) == len(found) else None


def _columns(models: Models, data: V | None) -> tuple[tuple[str, ...] | None, int | None]:
    if isinstance(data, Table) and data.cols is not None and data.kind in ("frame", "array"):
        names = tuple(c.name for c in data.cols if c.name is not None)
        named = data.kind == "frame" and len(names) == len(data.cols)
        return (names if named else None), len(data.cols)
    if isinstance(data, ListV) and data.items and isinstance(data.items[0], ListV):
        own = models.frames.positions(data.items[0])
        return None, len(own) if own is not None else None
    return None, None


def kind_of(target: V | None) -> str:
    """What kind of labels these are, as NumPy has them; empty where that is not certain."""
    if isinstance(target, Table):
        return target.dtype if target.kind == "vector" else ""
    if not isinstance(target, ListV) or not target.items:
        return ""
    kinds = {type(i.value) if isinstance(i, Const) else None for i in target.items}
    if len(kinds) != 1:
        return ""
    return {int: "int64", float: "float64", str: "str", bool: "bool"}.get(kinds.pop() or V, "")


def _values(data: V | None) -> tuple[str | int | float, ...]:
    """The constants of a plain list, for what learns the values themselves."""
    if not isinstance(data, ListV) or not data.items:
        return ()
    found = [i.value for i in data.items if isinstance(i, Const)]
    whole = len(found) == len(data.items)
    return tuple(v for v in found if isinstance(v, str | int | float)) if whole else ()
