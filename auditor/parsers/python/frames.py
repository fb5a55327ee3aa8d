"""Data frames and arrays as abstract values: which columns a prediction is asked with.

Only what certainly happens to the columns is followed; everything else makes them unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.parsers.python.facts import LEFT_EARLY, Column, Input
from auditor.parsers.python.values import (
    Col,
    Const,
    DictV,
    Ext,
    FieldV,
    Inst,
    ListV,
    Loaded,
    Obj,
    Table,
    Unk,
    V,
)

if TYPE_CHECKING:
    import ast

    from auditor.parsers.python.interpreter import Interpreter
    from auditor.parsers.python.models import Models
    from auditor.parsers.python.sites import Site
    from auditor.source import Location

MAX_COLUMNS = 2_000

# Methods that leave the columns as they are.
_KEEPS = frozenset(
    {
        "copy", "astype", "fillna", "round", "replace", "infer_objects", "convert_dtypes",
        "reset_index", "head", "tail", "dropna", "clip", "ffill", "bfill", "sort_values",
        "drop_duplicates", "where", "mask", "applymap", "abs", "tolist",
    }
)  # fmt: skip
# Calls whose result is a table of columns that are not known.
_TABLES = frozenset(
    {
        "pandas.concat", "pandas.merge", "pandas.read_csv",
        "pandas.read_json", "pandas.read_excel", "pandas.read_parquet", "pandas.DataFrame",
        "pandas.DataFrame.from_dict", "pandas.DataFrame.from_records", "pandas.json_normalize",
    }
)  # fmt: skip
_ARRAYS = frozenset(
    {"numpy.array", "numpy.asarray", "numpy.atleast_2d", "numpy.asfarray", "numpy.float32",
     "numpy.ascontiguousarray"}
)  # fmt: skip
# Options of ``get_dummies`` that add no columns.
_DUMMIES = frozenset({"data", "columns", "drop_first", "dtype", "prefix", "prefix_sep", "sparse"})
# Wrappers of a table that the boosters' own prediction asks for.
_WRAPPERS = frozenset({"xgboost.DMatrix", "xgboost.core.DMatrix", "catboost.Pool"})


def _settled(guards: list[str]) -> tuple[str, ...]:
    return tuple(g for g in guards if g not in LEFT_EARLY)


def birth(run: Interpreter) -> tuple[str, tuple[str, ...]]:
    """Where the run is, for containers that are made now."""
    return f"{run.phase}:{run.route}", _settled(run.guards)


def certain(run: Interpreter, born: tuple[str, tuple[str, ...]] | None) -> bool:
    """A write now happens whenever the container that was born there is used afterwards."""
    return born is not None and born == birth(run)


def columns_of(value: V | None) -> list[Col] | None:
    """Column names given as a list, an index or another table's columns."""
    if isinstance(value, ListV) and value.items is not None:
        found = []
        for item in value.items:
            if not isinstance(item, Const) or not isinstance(item.value, str):
                return None
            found.append(Col(item.value, None, item.origin))
        return found
    return None


def field_of(value: V) -> str | None:
    """The request field that a value is."""
    if isinstance(value, FieldV):
        return value.name
    if isinstance(value, Obj) and value.name == "request.value":
        name = value.kwargs.get("name")
        return name.value if isinstance(name, Const) and isinstance(name.value, str) else None
    if isinstance(value, ListV) and value.items is not None and len(value.items) == 1:
        return field_of(value.items[0])
    return None


def _place(value: V) -> Location | None:
    if isinstance(value, FieldV):
        return value.at
    if isinstance(value, ListV) and value.items is not None and len(value.items) == 1:
        return _place(value.items[0])
    return None


def _from_dict(value: DictV) -> list[Col] | None:
    if value.partial or not value.items or len(value.items) > MAX_COLUMNS:
        return None
    if not all(isinstance(key, str) for key in value.items):
        return None
    return [Col(key, field_of(item), _place(item)) for key, item in value.items.items()]


def _scalar(value: V) -> bool | None:
    """Whether a value is one number or text; None when that is not known."""
    if isinstance(value, Const):
        return True
    if isinstance(value, FieldV):
        return None
    if isinstance(value, ListV | DictV | Table | Inst):
        return False
    return None


_AGGREGATES = frozenset(["sum", "mean", "max", "min", "prod", "std", "var"])


def dtype_of(value: V | None) -> str:
    """The name of a type of numbers, given as text or as NumPy's own; empty when not known."""
    if isinstance(value, Const) and isinstance(value.value, str):
        return value.value
    if isinstance(value, Ext) and value.owner is None and value.name.startswith("numpy."):
        return value.name.rpartition(".")[2]
    if isinstance(value, Ext) and value.owner is None:
        return {"builtins.float": "float64", "builtins.int": "int64"}.get(value.name, "")
    return ""


# Functions of NumPy that give an array of the same shape for an array.
_ELEMENTWISE = frozenset(
    f"numpy.{name}"
    for name in (
        "exp", "log", "log1p", "expm1", "sqrt", "abs", "absolute", "square", "round", "around", "clip",
        "tanh", "sin", "cos", "nan_to_num", "maximum", "minimum", "add", "subtract", "multiply", "divide",
    )
)  # fmt: skip


def is_array(value: V) -> bool:
    """Whether a value is certainly an array of NumPy with at least one dimension."""
    if isinstance(value, Table):
        return value.kind in ("array", "vector") and not value.listed
    return False


# What an array's own sum, mean or maximum is: a number of NumPy, or an array.
_AGGREGATED = "a number that was made from an array"


def product(left: V, right: V, at: Location | None) -> Table | None:
    """A matrix times an array: an array; None where a number may come of it."""
    tables = [v for v in (left, right) if isinstance(v, Table) and is_array(v)]
    wide = any(v.kind == "array" for v in tables)
    if not wide or not all(v in tables or _operand(v) for v in (left, right)):
        return None
    both = len(tables) == 2 and all(v.kind == "array" for v in tables)
    return Table("array" if both else "vector", None, at)


def arithmetic(left: V, right: V, at: Location | None) -> Table | None:
    """What an operator makes of an array and something that it takes; None for anything else."""
    arrays = [v for v in (left, right) if is_array(v)]
    if not arrays or not all(is_array(v) or _operand(v) for v in (left, right)):
        return None
    wide = any(isinstance(v, Table) and v.kind == "array" for v in arrays)
    return Table("array" if wide else "vector", None, at)


def _operand(value: V) -> bool:
    if isinstance(value, Const):
        return isinstance(value.value, int | float) and not isinstance(value.value, bool)
    if isinstance(value, Obj):
        return value.name.startswith("numpy.") and value.data is None
    return isinstance(value, Unk) and value.reason == _AGGREGATED


def member(value: V, place: int) -> FieldV | None:
    """An item of a field that is declared as a list."""
    if not isinstance(value, FieldV) or not is_listed(value):
        return None
    inner = value.kind[5:].rstrip()
    if not inner.endswith("]") or "|" in inner:
        return None
    return FieldV(f"{value.name}[{place}]", value.at, inner[:-1].strip())


def is_listed(value: V) -> bool:
    """A field of the request that is declared as a list."""
    return isinstance(value, FieldV) and value.kind.lower().startswith("list[")


def _is_number(value: V) -> bool:
    if isinstance(value, FieldV):
        return value.kind in ("float", "int", "str", "bool")
    return isinstance(value, Const)


def element_of(value: V) -> str:
    """NumPy's type of an array's elements, where it is certain; empty elsewhere."""
    if isinstance(value, Table):
        return value.dtype if is_array(value) else ""
    if not isinstance(value, Obj) or value.name not in ("numpy.array", "numpy.asarray"):
        return ""
    told = value.kwargs.get("dtype") or (value.args[1] if len(value.args) > 1 else None)
    if told is not None:
        return dtype_of(told)
    given = value.args[0] if value.args else None
    while isinstance(given, ListV) and given.items and len(given.items) == 1:
        given = given.items[0]
    kind = given.kind.replace(" ", "").lower() if isinstance(given, FieldV) else ""
    inner = kind.removeprefix("list[").removeprefix("list[").rstrip("]")
    return {"float": "float64", "int": "int64"}.get(inner, "") if kind.startswith("list[") else ""


def reshaped(site: Site, owner: Obj, attr: str, at: Location) -> V | None:
    """``numpy.array(row).reshape(1, -1)``, ``.astype(…)``: an array again, of the same elements."""
    if owner.name not in ("numpy.array", "numpy.asarray") or owner.data is not None:
        return None
    if attr == "astype" and site.args:
        return Obj(owner.name, owner.args[:1], {**owner.kwargs, "dtype": site.args[0]}, at)
    if attr != "reshape" or not site.args:
        return None
    shape = site.args[0].items if isinstance(site.args[0], ListV) else site.args
    if shape is None or len(shape) > 2:
        return None
    made = Table("array" if len(shape) == 2 else "vector", None, at)
    made.dtype = element_of(owner)
    return made


class Frames:
    """The part of the models that knows data frames."""

    def __init__(self, models: Models) -> None:
        self.models = models
        # Objects that were given a file by ``load_model``, by identity (kept alive beside it).
        self.loaded: dict[int, tuple[Obj, V]] = {}

    @property
    def run(self) -> Interpreter:
        return self.models.run

    def table(self, kind: str, cols: list[Col] | None, node: ast.AST) -> Table:
        made = Table(kind, cols, self.run.at(node))
        made.born = birth(self.run)
        return made

    def like(self, other: Table, cols: list[Col] | None, kind: str = "") -> Table:
        """A table made from another."""
        made = Table(kind or other.kind, cols, other.at)
        made.error = other.error
        made.dtype = other.dtype
        made.listed = other.listed
        made.born = birth(self.run)
        return made

    # -- making --

    def call(self, site: Site) -> V | None:
        """A call that makes a table; None when it does not."""
        name = site.name
        if name in ("pandas.DataFrame", "pandas.DataFrame.from_records", "pandas.json_normalize"):
            return self.frame(site)
        if name == "pandas.DataFrame.from_dict" and not site.kwargs.keys() & {"orient"}:
            return self.frame(site)
        if name == "pandas.Series" and site.args:
            first = site.args[0]
            if isinstance(first, DictV):
                return self.table("row", _from_dict(first), site.node)
            cols = columns_of(site.get(1, "index"))
            return self.table("row", cols, site.node)
        if name == "pandas.get_dummies":
            return self.dummies(site)
        if name in _TABLES:
            return self.table("frame", None, site.node)
        if name in _ARRAYS and site.args:
            made = self.array(site)
            kind = dtype_of(site.get(1, "dtype"))
            if isinstance(made, Table) and (kind or not isinstance(site.args[0], Table)):
                made.dtype = kind or made.dtype
            return made
        if name in _ELEMENTWISE and site.args and is_array(site.args[0]):
            kind = site.args[0].kind if isinstance(site.args[0], Table) else "array"
            return self.table(kind, None, site.node)
        if name in _WRAPPERS and site.args and isinstance(site.args[0], Table):
            given = site.kwargs.get("feature_names")
            if given is None:
                return site.args[0]
            return self.named(site.args[0], columns_of(given))
        if name in ("numpy.expand_dims",) and site.args and isinstance(site.args[0], Table):
            one = site.args[0]
            return self.like(one, one.cols, "array") if one.kind == "vector" else one
        return None

    def named(self, table: Table, cols: list[Col] | None) -> Table:
        """The same data under these names."""
        if cols is not None and table.cols is not None:
            if len(cols) != len(table.cols):
                cols = None
            else:
                cols = [Col(c.name, t.field, c.at) for c, t in zip(cols, table.cols, strict=True)]
        return self.like(table, cols, "frame")

    def frame(self, site: Site) -> V:
        """``pandas.DataFrame(data, columns=…)``."""
        data = site.get(0, "data")
        given = site.get(2, "columns") if site.name == "pandas.DataFrame" else site.kwargs.get(
            "columns"
        )  # fmt: skip
        if site.loose:
            return self.table("frame", None, site.node)
        wanted = columns_of(given)
        own, by_name = self.content(data)
        if given is None or (isinstance(given, Const) and given.value is None):
            if own is not None and all(c.name is None for c in own):
                made = self.table("frame", own, site.node)
            else:
                made = self.table("frame", own if by_name else None, site.node)
        elif wanted is None:
            made = self.table("frame", None, site.node)
        elif own is None:
            made = self.table("frame", wanted, site.node)
        elif by_name:
            fields = {c.name: c for c in own}
            cols = [
                Col(w.name, fields[w.name].field if w.name in fields else None, w.at)
                for w in wanted
            ]
            made = self.table("frame", cols, site.node)
        elif len(own) == len(wanted):
            cols = [Col(w.name, o.field, w.at) for w, o in zip(wanted, own, strict=True)]
            made = self.table("frame", cols, site.node)
        else:
            made = self.table("frame", wanted, site.node)
        if isinstance(data, Table):
            made.error = data.error
        made.single = _is_one_row(data, site.get(1, "index"))
        return made

    def dummies(self, site: Site) -> Table:
        """``pandas.get_dummies(frame)``: a value that is not in the frame has no column."""
        data = site.get(0, "data")
        followed = not site.loose and not site.kwargs.keys() - _DUMMIES
        if followed and isinstance(data, Table) and data.kind == "frame" and data.single:
            return self.like(data, data.cols, "one-hot")
        return self.table("frame", None, site.node)

    def content(self, data: V | None) -> tuple[list[Col] | None, bool]:
        """(columns of what a frame is made from, whether they have names)."""
        if isinstance(data, DictV):
            return _from_dict(data), True
        if isinstance(data, Table):
            return data.cols, data.kind in ("frame", "row") and _has_names(data)
        if isinstance(data, ListV):
            first = data.each if data.items is None else (data.items[0] if data.items else None)
            if isinstance(first, DictV):
                if data.items is not None and len(data.items) > 1:
                    every = [d for d in data.items if isinstance(d, DictV)]
                    if len(every) != len(data.items) or len({tuple(d.items) for d in every}) > 1:
                        return None, True
                return _from_dict(first), True
            if isinstance(first, Table) and first.kind in ("row", "vector"):
                return first.cols, first.kind == "row"
            if isinstance(first, ListV):
                return self.positions(first), False
        return None, True

    def positions(self, row: ListV) -> list[Col] | None:
        """The columns of a row that is a list of values."""
        if row.items is None or not row.items or len(row.items) > MAX_COLUMNS:
            return None
        if any(_scalar(item) is False for item in row.items):
            return None
        return [Col(None, field_of(item), _place(item)) for item in row.items]

    def array(self, site: Site) -> V:
        """``numpy.array(data)``."""
        data = site.args[0]
        at_least = site.name == "numpy.atleast_2d"
        if isinstance(data, Table):
            kind = {"frame": "array", "row": "vector"}.get(data.kind, data.kind)
            if at_least and kind == "vector":
                kind = "array"
            return self.like(data, _unnamed(data.cols), kind)
        if isinstance(data, ListV):
            first = data.each if data.items is None else (data.items[0] if data.items else None)
            if isinstance(first, ListV):
                return self.table("array", self.positions(first), site.node)
            if isinstance(first, Table) and first.kind in ("row", "vector"):
                return self.table("array", _unnamed(first.cols), site.node)
            if data.items and any(is_listed(item) for item in data.items):
                rows = self.table("array", None, site.node)
                rows.dtype = element_of(Obj("numpy.array", [data]))
                return rows
            if data.items and not isinstance(first, DictV | Table):
                kind = "array" if at_least else "vector"
                made = self.table(kind, self.positions(data), site.node)
                made.flat = not at_least and all(_is_number(item) for item in data.items)
                return made
        return Obj(site.name, site.args, site.kwargs, self.run.at(site.node))

    # -- using --

    def attribute(self, owner: Table, name: str) -> V:
        """``frame.name``."""
        if name in ("values", "array"):
            kind = {"frame": "array", "row": "vector"}.get(owner.kind, owner.kind)
            return self.like(owner, _unnamed(owner.cols), kind)
        if name == "columns" and owner.kind == "frame":
            if owner.cols is None or not _has_names(owner):
                return ListV(None)
            return ListV([Const(c.name) for c in owner.cols])
        if name == "T":
            if owner.kind == "column":
                return self.like(owner, owner.cols, "frame")
            return self.like(owner, None)
        if name in ("loc", "iloc"):
            return Ext(f"pandas.DataFrame.{name}", owner)
        return Ext(f"pandas.DataFrame.{name}", owner)

    def method(self, site: Site, owner: Table, attr: str) -> V | None:
        """``frame.attr(…)``; None for what is not the frame's."""
        made: Table | None = None
        cols = owner.cols
        if owner.kind == "one-hot" and attr not in _KEEPS | {"reindex", "to_numpy"}:
            owner.cols = None  # which columns there are is not known, so neither what is done here
            return self.like(owner, None)
        if attr in _KEEPS:
            made = self.like(owner, cols)
            made.listed = owner.listed or attr == "tolist"
            if attr == "astype":
                made.dtype = dtype_of(site.get(0, "dtype"))
        elif attr in _AGGREGATES and owner.dtype == "float32" and not (site.args or site.kwargs):
            return Obj(f"numpy.{attr}", [owner], {}, self.run.at(site.node))
        elif attr == "dot" and site.args:
            return Obj("numpy.dot", [owner, site.args[0]], {}, self.run.at(site.node))
        elif attr in ("to_numpy", "values"):
            return self.attribute(owner, "values")
        elif attr == "to_frame" and owner.kind == "row":
            return self.like(owner, cols, "column")
        elif attr in ("transpose",):
            return self.attribute(owner, "T")
        elif attr in ("reshape",) and owner.kind in ("array", "vector"):
            return self.reshape(site, owner)
        elif attr == "reindex":
            wanted = site.get(1, "columns")
            if wanted is None and "axis" in site.kwargs:
                wanted = site.get(0, "labels")
            chosen = self.chosen(owner, columns_of(wanted))
            made = self.like(owner, chosen, "frame" if owner.kind == "one-hot" else "")
        elif attr == "rename":
            made = self.like(owner, self.renamed(owner, site))
        elif attr == "drop":
            made = self.dropped(owner, site)
        elif attr == "assign":
            added = None if cols is None or site.loose else list(cols)
            for key, value in site.kwargs.items():
                if added is not None and all(c.name != key for c in added):
                    added.append(Col(key, field_of(value), self.run.at(site.node)))
            made = self.like(owner, added)
        elif attr in ("insert", "pop", "update"):
            if attr == "pop" and cols is not None and certain(self.run, owner.born):
                names = columns_of(ListV(site.args[:1]))
                gone = names[0].name if names else None
                owner.cols = [c for c in cols if c.name != gone] if gone else None
            else:
                owner.cols = None
            return Unk("a column")
        elif attr in ("flatten", "ravel", "squeeze"):
            row = self.like(owner, None, "vector")
            row.flat = attr != "squeeze"
            return row
        elif attr in _AGGREGATES and is_array(owner):
            return Unk(_AGGREGATED)
        elif attr in ("to_dict", "to_json", "to_string", "mean", "sum", "isnull", "isna", "any"):
            return Unk("made from a table")
        elif is_array(owner):
            if attr in ("argmax", "argmin") and not (site.args or site.kwargs):
                return Obj(f"numpy.{attr}", [owner], {}, self.run.at(site.node))
            return Unk(_AGGREGATED if attr in _AGGREGATES else "made from an array")
        else:
            return self.like(owner, None)
        # A categorical column has all its categories, whatever one row holds.
        made.single = owner.single and attr not in ("astype", "assign")
        inplace = site.kwargs.get("inplace")
        if inplace is not None:
            if isinstance(inplace, Const) and inplace.value is False:
                return made
            sure = isinstance(inplace, Const) and certain(self.run, owner.born)
            owner.cols = made.cols if sure else None
            owner.error = owner.error or made.error
            return Const(None)
        return made

    def reshape(self, site: Site, owner: Table) -> V:
        shape = site.args[0].items if len(site.args) == 1 and isinstance(
            site.args[0], ListV
        ) else site.args  # fmt: skip
        numbers = [s.value if isinstance(s, Const) else None for s in shape or []]
        if owner.kind == "vector" and numbers == [1, -1]:
            return self.like(owner, owner.cols, "array")
        if owner.kind == "array" and numbers in ([1, -1], [-1, len(owner.cols or ())]):
            return self.like(owner, owner.cols, "array")
        if owner.kind == "vector" and owner.cols and numbers in (
            [1, len(owner.cols)], [-1, len(owner.cols)]
        ):  # fmt: skip
            return self.like(owner, owner.cols, "array")
        return self.like(owner, None, "array")

    def chosen(self, owner: Table, wanted: list[Col] | None) -> list[Col] | None:
        """These columns, with what is known of where they come from."""
        if wanted is None or owner.cols is None:
            return wanted
        known = {c.name: c for c in owner.cols}
        return [Col(w.name, known[w.name].field if w.name in known else None, w.at)
                for w in wanted]  # fmt: skip

    def renamed(self, owner: Table, site: Site) -> list[Col] | None:
        names = site.kwargs.get("columns")
        if names is None and "axis" in site.kwargs:
            names = site.get(0, "mapper")
        if owner.cols is None or not isinstance(names, DictV) or names.partial:
            return None
        new: list[Col] = []
        for col in owner.cols:
            value = names.items.get(col.name) if col.name is not None else None
            if value is None:
                new.append(col)
            elif isinstance(value, Const) and isinstance(value.value, str):
                new.append(Col(value.value, col.field, col.at))
            else:
                return None
        return new

    def dropped(self, owner: Table, site: Site) -> Table:
        names = site.kwargs.get("columns")
        axis = site.get(1, "axis")
        if names is None and isinstance(axis, Const) and axis.value in (1, "columns"):
            names = site.get(0, "labels")
        elif names is None:
            return self.like(owner, owner.cols)  # rows
        if isinstance(names, Const):
            names = ListV([names])
        gone = columns_of(names)
        if gone is None or owner.cols is None:
            return self.like(owner, None)
        have = {c.name for c in owner.cols}
        away = {c.name for c in gone}
        made = self.like(owner, [c for c in owner.cols if c.name not in away])
        missing = [c.name for c in gone if c.name not in have]
        errors = site.kwargs.get("errors")
        if missing and errors is None:
            made.error = made.error or (
                f"KeyError: {missing} not found in axis", self.run.at(site.node)
            )  # fmt: skip
        elif missing and not (isinstance(errors, Const) and errors.value == "ignore"):
            made.cols = None
        return made

    def subscript(self, owner: Table, index: V, node: ast.AST) -> V:
        """``frame[…]``."""
        if isinstance(index, Obj) and index.name == "slice":
            return self.like(owner, owner.cols)
        if owner.kind in ("vector", "array"):
            return self.item(owner, index)
        if owner.kind == "one-hot":
            wanted = columns_of(index) if isinstance(index, ListV) else None
            return self.like(owner, wanted, "frame")
        if owner.kind == "row":
            if isinstance(index, ListV):
                return self.like(owner, self.chosen(owner, columns_of(index)))
            if isinstance(index, Const) and isinstance(index.value, str) and owner.cols:
                col = next((c for c in owner.cols if c.name == index.value), None)
                return FieldV(col.field, col.at) if col and col.field else Unk("a value of a row")
            return Unk("a value of a row")
        if isinstance(index, ListV):
            wanted = columns_of(index)
            made = self.like(owner, self.chosen(owner, wanted))
            if wanted is not None and owner.cols is not None and _has_names(owner):
                have = {c.name for c in owner.cols}
                missing = [c.name for c in wanted if c.name not in have]
                if missing and made.error is None:
                    shown = ", ".join(repr(m) for m in missing[:4])
                    made.error = (f"KeyError: [{shown}] not in index", self.run.at(node))
            made.single = owner.single
            return made
        if isinstance(index, Const) and isinstance(index.value, str):
            return Obj("pandas.column", at=self.run.at(node))
        return self.like(owner, None)

    def item(self, owner: Table, index: V) -> V:
        """An item of an array: a number of its type, a row, or a part."""
        if owner.listed:
            return Unk("an item of a list")
        numbers = index.items if isinstance(index, ListV) and index.kind == "tuple" else [index]
        exact = [n for n in numbers or () if isinstance(n, Const) and isinstance(n.value, int)]
        if numbers is None or len(exact) != len(numbers):
            parts = any(isinstance(n, Obj) and n.name == "slice" for n in numbers or ())
            return self.like(owner, None) if parts else Unk("a part of an array")
        if len(exact) == 1 and owner.kind == "array":
            return self.like(owner, None, "vector")
        if owner.dtype in ("float32", "float16", "int64", "int32"):
            return Obj(f"numpy.{owner.dtype}")
        return Unk("an item of an array")

    def locate(self, owner: Table, index: V, node: ast.AST) -> V:
        """``frame.loc[rows, columns]`` and ``iloc``."""
        if isinstance(index, ListV) and index.kind == "tuple" and index.items is not None:
            if len(index.items) == 2 and isinstance(index.items[1], ListV):
                return self.subscript(owner, index.items[1], node)
            return self.like(owner, None)
        if isinstance(index, Obj) and index.name == "slice":
            return self.like(owner, owner.cols)
        return self.like(owner, owner.cols, "row" if isinstance(index, Const) else "")

    def set_item(self, owner: Table, key: V, value: V, node: ast.AST) -> None:
        """``frame["x"] = …``."""
        names = columns_of(ListV([key])) if isinstance(key, Const) else columns_of(key)
        if names is None or owner.cols is None or owner.kind not in ("frame", "row"):
            owner.cols = None
            return
        owner.single &= isinstance(value, Const | FieldV)
        fresh = [n for n in names if all(c.name != n.name for c in owner.cols)]
        for col in owner.cols:
            if any(n.name == col.name for n in names):
                col.field = None
        if not fresh:
            return
        if certain(self.run, owner.born):
            owner.cols = [
                *owner.cols,
                *(Col(n.name, field_of(value), n.at or self.run.at(node)) for n in fresh),
            ]
        else:
            owner.cols = None

    def set_attribute(self, owner: Table, name: str, value: V) -> None:
        """``frame.columns = […]``."""
        if name == "columns":
            new = columns_of(value) if certain(self.run, owner.born) else None
            if new is not None and owner.cols is not None and len(new) == len(owner.cols):
                new = [Col(n.name, o.field, n.at) for n, o in zip(new, owner.cols, strict=True)]
            owner.cols = new

    # -- request models --

    def dump(self, inst: Inst, site: Site | None, *, aliases: bool = False) -> V:
        """``item.model_dump()``, ``item.dict()``, ``dict(item)``: the fields as a mapping."""
        made = DictV({})
        made.born = birth(self.run)
        options = site.kwargs if site is not None else {}
        by_alias = options.get("by_alias")
        if by_alias is not None:
            if not isinstance(by_alias, Const):
                return DictV({}, partial=True)
            aliases = bool(by_alias.value)
        open_ended = self.models.open_model(inst.cls, aliases=aliases)
        if open_ended or (site is not None and (site.loose or site.args)):
            return DictV({}, partial=True)
        for field in self.models.model_fields(inst.cls):
            key = field.name if aliases else (field.python or field.name)
            value = inst.attrs.get(field.python or field.name)
            if isinstance(value, Inst) and self.models.is_request_model(value.cls):
                value = self.dump(value, None, aliases=aliases)
            made.items[key] = value or FieldV(field.name, field.at)
        for name, member in self.models.computed(inst.cls):
            made.items[name] = Unk(f"{member} computes it")
        for which in ("include", "exclude"):
            given = options.get(which)
            if given is None or (isinstance(given, Const) and given.value is None):
                continue
            items = given.items if isinstance(given, ListV) else None
            names = {i.value for i in items if isinstance(i, Const)} if items is not None else None
            if names is None or items is None or len(names) != len(items):
                return DictV({}, partial=True)
            made.items = {
                k: v for k, v in made.items.items() if (k in names) == (which == "include")
            }
        if any(o.startswith("exclude_") for o in options):
            made.partial = True
        return made

    # -- predicting --

    def input_of(self, site: Site) -> Input | None:
        """What a prediction is asked with, as far as it is known."""
        given = site.args[0] if site.args else next(
            (site.kwargs[k] for k in ("X", "data", "x", "features") if k in site.kwargs), None
        )  # fmt: skip
        if site.name.rpartition(".")[2] == "run":
            feed = site.get(1, "input_feed")
            if not isinstance(feed, DictV) or feed.partial or not feed.items:
                return None
            names = tuple(k for k in feed.items if isinstance(k, str))
            if len(names) != len(feed.items):
                return None
            return Input(
                kind="feed",
                columns=tuple(Column(name=n, dtype=element_of(feed.items[n])) for n in names),
                at=self.run.at(site.node),
            )
        if isinstance(given, ListV):
            own, _ = self.content(given)
            if own is None or not isinstance(
                given.each if given.items is None else given.items[0], ListV | Table
            ):
                return None
            return self.public("list", own, self.run.at(site.node), None)
        if not isinstance(given, Table) or given.at is None:
            return None
        kind = given.kind
        if kind not in ("frame", "array", "one-hot"):
            return None
        if kind == "frame" and given.cols is not None and not _has_names(given):
            kind = "array"
        return self.public(kind, given.cols, given.at, given.error)

    def public(
        self,
        kind: str,
        cols: list[Col] | None,
        at: Location,
        error: tuple[str, Location] | None,
    ) -> Input | None:
        if cols is None and error is None:
            return None
        return Input(
            kind=kind,
            columns=None
            if cols is None
            else tuple(Column(name=c.name, field=c.field, at=c.at) for c in cols),
            at=at,
            error=error[0] if error else "",
            error_at=error[1] if error else None,
        )

    def file_of(self, owner: V | None) -> tuple[V, tuple[str | int, ...]] | None:
        """(the file that a model was loaded from, the keys inside it)."""
        keys: tuple[str | int, ...] = ()
        if isinstance(owner, Loaded):
            keys = owner.keys
            owner = owner.source
        if not isinstance(owner, Obj):
            return None
        if id(owner) in self.loaded:
            return self.loaded[id(owner)][1], keys
        names = _OPENERS.get(owner.name, ())
        found = owner.args[0] if names[:1] == ("",) and owner.args else None
        for name in names:
            found = found or owner.kwargs.get(name)
        return (found, keys) if found is not None else None


def _is_one_row(data: V | None, index: V | None) -> bool:
    """Whether a frame that is made from this has one row, whatever the request holds."""
    if isinstance(data, Table):
        return data.single or data.kind == "row"
    if isinstance(data, DictV):
        one = isinstance(index, ListV) and index.items is not None and len(index.items) == 1
        return one or any(
            isinstance(item, ListV) and item.items is not None and len(item.items) == 1
            for item in data.items.values()
        )
    return isinstance(data, ListV) and data.items is not None and len(data.items) == 1


_OPENERS: dict[str, tuple[str, ...]] = {
    "joblib.load": ("", "filename"),
    "pickle.load": ("", "file"),
    "dill.load": ("", "file"),
    "cloudpickle.load": ("", "file"),
    "pandas.read_pickle": ("", "filepath_or_buffer"),
    "onnxruntime.InferenceSession": ("", "path_or_bytes"),
    "lightgbm.Booster": ("model_file", "model_file"),
    "xgboost.Booster": ("model_file", "model_file"),
}


def _has_names(table: Table) -> bool:
    return table.cols is not None and all(c.name is not None for c in table.cols)


def _unnamed(cols: list[Col] | None) -> list[Col] | None:
    """The same columns by position; the name they had is what they come from."""
    return None if cols is None else [Col(None, c.name or c.field, c.at) for c in cols]


__all__ = ["Frames", "birth", "certain", "columns_of"]
