"""When a callable of the allow-list may be called: its arguments decide.

A policy gets the judge and the call, sets ``call.cls`` to the class of the result where it is
known, and returns None or the objection in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from auditor.artifacts.pickle.names import canonical, lookup
from auditor.artifacts.pickle.runs import Some
from auditor.artifacts.pickle.values import (
    MISSING,
    Big,
    Call,
    Dct,
    Glob,
    Lst,
    Pers,
    Unk,
    Value,
    plain,
)

Objection = str | None


def arguments(call: Call) -> tuple[Value, ...] | None:
    """The positional arguments, None when they are not known one by one."""
    args = call.args
    if type(args) is tuple:
        return args
    if type(args) is Lst and args.complete:
        return tuple(args.items)
    return None


def is_class(value: Value) -> bool:
    """A global of the allow-list that is a class whose instances may be made."""
    return type(value) is Glob and lookup(value.module, value.name).kind in _CLASS_KINDS


_CLASS_KINDS = frozenset({"class", "native", "dict", "list", "tuple", "exception"})


def names_global(value: Value, *dotted: str) -> bool:
    """Whether the value is one of these globals."""
    return type(value) is Glob and f"{canonical(value.module)}.{value.name}" in dotted


def names_builtin(value: Value) -> bool:
    """Whether the value is a global of the module builtins."""
    return type(value) is Glob and value.module == "builtins"


def inert(value: Value) -> bool:
    """A value that is known to be made only of data and of objects that were judged already."""
    return type(value) is not Unk


def resolve(call: Call) -> Call:
    """The call that is made in the end: through ``partial`` objects and class attributes."""
    for _ in range(8):
        func = call.func
        if type(func) is Pers and type(func.pid) is tuple and len(func.pid) > 1:
            # torch.save before 1.6 wrote ("module", class, file, source) for a module's class.
            if func.pid[0] != "module" or type(func.pid[1]) is not Glob:
                return call
            call = _again(call, func.pid[1], call.args)
            continue
        if type(func) is not Call or type(func.func) is not Glob:
            return call
        inner = arguments(func)
        if inner is None:
            return call
        if func.func.key == "builtins.getattr" and len(inner) == 2:
            base, name = inner
            if type(base) is not Glob or type(name) is not str:
                return call
            target = Glob(base.module, f"{base.name}.{name}", func.offset)
            call = _again(call, target, call.args)
        elif func.func.key == "functools.partial" and inner:
            prepared: tuple[Value, ...] = inner[1:]
            wrapped = inner[0]
            if func.states:
                # functools.partial.__setstate__ takes (func, args, keywords, dict).
                state = func.states[-1]
                if len(func.states) > 1 or type(state) is not tuple or len(state) != 4:
                    return call
                wrapped, prepared, keywords = state[0], state[1], state[2]
                if type(prepared) is not tuple or type(keywords) not in (Dct, type(None)):
                    return call
            own = arguments(call)
            if own is None:
                return call
            call = _again(call, wrapped, prepared + own)
        else:
            return call
    return call


def _again(call: Call, func: Value, args: Value) -> Call:
    return Call(func, args, call.kwargs, call.how, call.offset)


def _all_inert(call: Call) -> bool:
    args = arguments(call)
    return args is not None and all(inert(a) for a in args)


# -- the policies --------------------------------------------------------------------------


def policy_inert(call: Call) -> Objection:
    """Uses its arguments as data: never calls, opens or imports them."""
    if not _all_inert(call):
        return "its arguments are not known"
    call.cls = _as_class(call.func)
    return None


def policy_plain(call: Call) -> Objection:
    """Only numbers, strings and containers of them."""
    args = arguments(call)
    if args is None or not plain(args):
        return "its arguments are not plain data"
    call.cls = _as_class(call.func)
    return None


def policy_nothing(call: Call) -> Objection:
    """No arguments at all."""
    if arguments(call) != ():
        return "it takes no arguments when a model is loaded"
    call.cls = _as_class(call.func)
    return None


def policy_short(call: Call) -> Objection:
    """Parsing text is quadratic for some types: short text only."""
    args = arguments(call)
    if args is None or not plain(args):
        return "its arguments are not plain data"
    if any(type(a) is Big or (type(a) is str and len(a) > 512) for a in args):
        return "its argument is very long"
    call.cls = _as_class(call.func)
    return None


def policy_digits(call: Call) -> Objection:
    """Digits, with a slash at most."""
    # Fraction("1e999999999") computes a power of ten.
    args = arguments(call)
    if args is None or not all(
        type(a) is int or (type(a) is str and re.fullmatch(r"-?\d{1,400}(/\d{1,400})?", a))
        for a in args
    ):
        return "its arguments are not plain digits"
    call.cls = _as_class(call.func)
    return None


def policy_latin1(call: Call) -> Objection:
    """``encode`` as protocols 0 to 2 write bytes."""
    args = arguments(call)
    if (
        args is not None
        and 1 <= len(args) <= 2
        and (type(args[0]) in (str, Big) or (type(args[0]) is Some and args[0].kind == "text"))
    ):
        if len(args) == 2 and args[1] in ("latin1", "latin-1", "utf-8", "ascii"):
            return None
        if len(args) == 1:
            return None
    return "it converts with another codec than latin1"


def policy_bytes_like(call: Call) -> Objection:
    """Bytes from bytes or text, never from a size."""
    args = arguments(call)
    if args is None or len(args) > 2:
        return "its arguments are not known"
    if args and not (
        type(args[0]) in (str, bytes, Big)
        or (type(args[0]) is Lst and args[0].complete and plain(args[0]))
        or (type(args[0]) is Call and names_global(args[0].func, "_codecs.encode"))
    ):
        return "it allocates as much memory as its argument says"
    if len(args) == 2 and type(args[1]) is not str:
        return "its arguments are not known"
    return None


def policy_container(call: Call) -> Objection:
    """A container made from another that the stream holds."""
    args = arguments(call)
    if args is None:
        return "its arguments are not known"
    for arg in args:
        if type(arg) not in (Lst, Dct, tuple, str, bytes, Big, int, type(None)):
            return "it iterates over something that is no plain container"
    call.cls = _as_class(call.func)
    return None


def policy_singleton(call: Call) -> Objection:
    """``type(x)``, which makes nothing."""
    args = arguments(call)
    known = args is not None and len(args) == 1
    if args and known and (plain(args[0]) or names_builtin(args[0])):
        return None
    return "it makes a new class"


def policy_array_module(call: Call) -> Objection:
    """``array._array_reconstructor`` with plain arguments."""
    args = arguments(call)
    known = args is not None and len(args) == 4 and names_global(args[0], "array.array")
    if args and known and plain(args[1:]):
        return None
    return "its arguments are not those of an array"


def policy_array_array(call: Call) -> Objection:
    """``array.array`` of a type code and data."""
    args = arguments(call)
    known = args is not None and 1 <= len(args) <= 2 and type(args[0]) is str
    if args and known and (len(args) == 1 or type(args[1]) in (Lst, bytes, str, Big)):
        call.cls = _as_class(call.func)
        return None
    return "its arguments are not those of an array"


def policy_enum_member(call: Call) -> Objection:
    """``getattr(Enumeration, "MEMBER")``, as Python 3.11 and later pickle members."""
    args = arguments(call)
    if args is None or len(args) != 2 or type(args[1]) is not str:
        return "the attribute that it reaches is not known"
    if type(args[0]) is Glob:
        kind = lookup(args[0].module, args[0].name).kind
        if kind == "enum" and args[1].isidentifier() and not args[1].startswith("_"):
            return None
        # Before protocol 4 nested classes and class methods are reached one attribute at a time.
        if lookup(args[0].module, f"{args[0].name}.{args[1]}").standing == "allowed":
            return None
    return "it reaches an attribute that is no member of an enumeration"


def policy_typing_subscript(call: Call) -> Objection:
    """``typing.X[...]``."""
    args = arguments(call)
    if args is not None and len(args) == 2 and type(args[0]) is Glob and args[0].module == "typing":
        return None if inert(args[1]) else "its arguments are not known"
    return "it takes an item of something that is no type"


def policy_typing_union(call: Call) -> Objection:
    """``X | Y`` of types, as ``reduce(or_, [...])``."""
    args = arguments(call)
    if (
        args is not None
        and len(args) == 2
        and names_global(args[0], "_operator.or_", "operator.or_")
        and type(args[1]) in (Lst, tuple)
    ):
        parts = args[1] if type(args[1]) is tuple else args[1].items
        if all(p is None or type(p) in (Glob, Call) for p in parts):
            return None
    return "it calls its first argument"


def policy_attribute_names(call: Call) -> Objection:
    """``attrgetter`` of public names."""
    args = arguments(call)
    if args and all(
        type(a) is str and not any(p.startswith("_") for p in a.split(".")) for a in args
    ):
        return None
    return "it reaches private attributes"


def policy_default_factory(call: Call) -> Objection:
    """``defaultdict`` with a factory that may be referred to."""
    args = arguments(call)
    if args is None or len(args) > 2:
        return "its arguments are not known"
    if args and not (
        args[0] is None
        or (type(args[0]) is Glob and lookup(args[0].module, args[0].name).standing == "allowed")
        or (type(args[0]) is Call and names_global(args[0].func, "functools.partial"))
    ):
        return "its factory is not a known function"
    if len(args) == 2 and type(args[1]) not in (Dct, Lst, tuple):
        return "it iterates over something that is no plain container"
    call.cls = _as_class(call.func)
    return None


def policy_newobj(call: Call) -> Objection:
    """``copyreg.__newobj__``: the class decides."""
    args = arguments(call)
    if args and is_class(args[0]) and all(inert(a) for a in args[1:]):
        call.cls = args[0]
        return None
    return "it makes an instance of a class outside the allow-list"


def policy_newobj_ex(call: Call) -> Objection:
    """``copyreg.__newobj_ex__``: the class decides."""
    args = arguments(call)
    if args and len(args) == 3 and is_class(args[0]) and inert(args[1]) and inert(args[2]):
        call.cls = args[0]
        return None
    return "it makes an instance of a class outside the allow-list"


_BASES = tuple(
    f"builtins.{n}"
    for n in ("object", "dict", "list", "tuple", "set", "frozenset", "str", "int", "float", "bytes")
)


def policy_reconstructor(call: Call) -> Objection:
    """``copyreg._reconstructor(class, base, state)``."""
    args = arguments(call)
    if args is None or len(args) != 3:
        return "its arguments are not known"
    cls, base, state = args
    if not (is_class(cls) or _is_enum(cls)):
        return "it makes an instance of a class outside the allow-list"
    if not (
        names_global(base, *_BASES)
        or (type(base) is Glob and lookup(base.module, base.name).kind in _CLASS_KINDS)
    ):
        return "its base class is outside the allow-list"
    if names_global(base, "builtins.object") and state is not None:
        return "a state for a base that takes none"
    if not plain(state) and type(state) not in (Dct, Lst, tuple):
        return "its state is not a plain container"
    call.cls = cls
    return None


def _is_enum(value: Value) -> bool:
    return type(value) is Glob and lookup(value.module, value.name).kind == "enum"


def policy_class_first(call: Call) -> Objection:
    """Makes a bare instance of its first argument."""
    args = arguments(call)
    if args and is_class(args[0]) and all(inert(a) for a in args[1:]):
        call.cls = args[0]
        return None
    return "it makes an instance of a class outside the allow-list"


def policy_new_index(call: Call) -> Objection:
    """``pandas`` rebuilds an index of a class from a dictionary."""
    args = arguments(call)
    if (
        args is not None
        and len(args) == 2
        and is_class(args[0])
        and args[0].module.startswith("pandas")
        and type(args[1]) is Dct
    ):
        call.cls = args[0]
        return None
    return "its arguments are not those of an index"


def policy_array_reconstruct(call: Call) -> Objection:
    """An empty array of a class, filled by BUILD."""
    args = arguments(call)
    known = args is not None and len(args) == 3 and is_array_class(args[0])
    if args and known and plain(args[1]) and (plain(args[2]) or type(args[2]) is Call):
        call.cls = args[0]
        return None
    return "its arguments are not those of an array"


def is_array_class(value: Value) -> bool:
    """A class of the numerical libraries."""
    return is_class(value) and canonical(value.module).partition(".")[0] in (
        "numpy",
        "pandas",
        "scipy",
        "sklearn",
        "statsmodels",
    )


def policy_mareconstruct(call: Call) -> Objection:
    """A masked array of two array classes."""
    args = arguments(call)
    if (
        args is not None
        and len(args) == 4
        and is_array_class(args[0])
        and is_array_class(args[1])
        and plain(args[2])
    ):
        call.cls = args[0]
        return None
    return "its arguments are not those of a masked array"


def policy_dtype(call: Call) -> Objection:
    """A type code or a scalar type."""
    args = arguments(call)
    if args and all(inert(a) and type(a) not in (Call, Pers) for a in args):
        if type(args[0]) is Glob and not is_class(args[0]):
            entry = lookup(args[0].module, args[0].name)
            if entry.kind not in ("function", "class") or entry.standing != "allowed":
                return "its argument is no data type"
        # NumPy parses any other text as Python source.
        if type(args[0]) is str and not _type_code().fullmatch(args[0]):
            return "its text is no data type"
        call.cls = _as_class(call.func)
        return None
    return "its arguments are not those of a data type"


@lru_cache(maxsize=1)
def _type_code() -> re.Pattern[str]:
    return re.compile(r"[<>=|]?[A-Za-z?][A-Za-z0-9_]*(?:\[\w+\])?")


def policy_ufunc(call: Call) -> Objection:
    """``_ufunc_reconstruct(module, name)`` imports the module and takes the attribute."""
    args = arguments(call)
    if args is not None and len(args) == 2 and type(args[0]) is str and type(args[1]) is str:
        if lookup(args[0], args[1]).standing == "allowed":
            return None
        return f"it imports {args[0]}.{args[1]}, which is outside the allow-list"
    return "the name that it imports is not known"


def policy_bit_generator(call: Call) -> Objection:
    """The name or class of a bit generator."""
    args = arguments(call)
    known = args is not None and len(args) <= 1
    if known and (not args or type(args[0]) is str or _is_bit_generator(args[0])):
        call.cls = args[0] if args and type(args[0]) is Glob else _BIT_GENERATOR
        return None
    return "its argument is no bit generator"


def _is_bit_generator(value: Value) -> bool:
    return is_class(value) and value.module.startswith("numpy.random.")


_BIT_GENERATOR = Glob("numpy.random.bit_generator", "BitGenerator", 0)
_GENERATOR = Glob("numpy.random._generator", "Generator", 0)


def policy_generator(call: Call) -> Objection:
    """``ctor(name, bit_generator_ctor)`` calls its second argument with its first."""
    args = arguments(call)
    if args is None or len(args) > 2:
        return "its arguments are not those of a random generator"
    if args and not (
        type(args[0]) is str
        or _is_bit_generator(args[0])
        or (type(args[0]) is Call and args[0].cls is not None and _is_bit(args[0].cls))
    ):
        return "its first argument is no bit generator"
    if len(args) == 2 and not names_global(args[1], "numpy.random._pickle.__bit_generator_ctor"):
        return "it calls its second argument"
    call.cls = _GENERATOR
    return None


def _is_bit(cls: Glob) -> bool:
    return cls is _BIT_GENERATOR or cls.module.startswith("numpy.random.")


def policy_partial(call: Call) -> Objection:
    """Prepares a call that nothing makes while loading."""
    args = arguments(call)
    if args and type(args[0]) in (Glob, Call) and all(inert(a) for a in args):
        call.cls = _as_class(call.func)
        return None
    return "the function that it prepares to call is not known"


def policy_regex(call: Call) -> Objection:
    """Compiles a pattern of ordinary size."""
    args = arguments(call)
    if args and len(args) <= 2 and type(args[0]) in (str, bytes) and len(args[0]) <= 4096:
        # sre compiles nested repeats of large counts into gigabytes.
        repeats = re.findall(
            r"\{(\d+)", args[0] if type(args[0]) is str else args[0].decode("latin-1")
        )
        if all(len(n) < 5 for n in repeats) and all(type(a) in (int, Call) for a in args[1:]):
            return None
    return "its pattern is unusually long"


def policy_zone(call: Call) -> Objection:
    """A time zone by name, not by path."""
    args = arguments(call)
    named = args and type(args[0]) is str and plain(args)
    if args and named and re.fullmatch(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*", args[0]):
        return None
    return "its argument is no time zone"


def policy_dill_array(call: Call) -> Objection:
    """Dill wraps the reconstruction of arrays."""
    args = arguments(call)
    if args is None or len(args) < 2:
        return "its arguments are not those of an array"
    if not names_global(args[0], "numpy.core.multiarray._reconstruct"):
        return "it calls its first argument"
    inner = Call(args[0], args[1], None, "REDUCE", call.offset)
    objection = policy_array_reconstruct(inner)
    call.cls = inner.cls
    return objection


def policy_torch_subclass(call: Call) -> Objection:
    """Tensor subclasses run their own code."""
    return "it makes an instance of a tensor subclass through its own code"


def _as_class(func: Value) -> Glob | None:
    return func if is_class(func) else None


POLICIES: dict[str, Callable[[Call], Objection]] = {
    name.removeprefix("policy_"): function
    for name, function in list(globals().items())
    if name.startswith("policy_")
}


# -- states --------------------------------------------------------------------------------

# scipy.stats distributions execute this text when their state is set; anything but the template
# that scipy itself writes is code.
_RV_LINE = r"[\w, =\.]*"
_RV_TEMPLATE = re.compile(
    rf"\s*def _parse_args\(self,{_RV_LINE}\):\s+return \({_RV_LINE}\),{_RV_LINE}\s+"
    rf"def _parse_args_rvs\(self,{_RV_LINE}\):\s+"
    rf"return self\._argcheck_rvs\({_RV_LINE}\)\s+"
    rf"def _parse_args_stats\(self,{_RV_LINE}moments='mv'\):\s+"
    rf"return \({_RV_LINE}\),{_RV_LINE}\s*",
    re.ASCII,
)
_RV_PARAMETERS = frozenset(
    [
        "momtype",
        "a",
        "b",
        "xtol",
        "badvalue",
        "name",
        "longname",
        "shapes",
        "extradoc",
        "seed",
        "values",
        "inc",
    ]
)
# A formula of names and operators only; anything with a parenthesis is evaluated as Python.
_FORMULA = re.compile(
    r"[\w\s~+*:.\-|]*|[\w\s~+*:.\-|]*(?:\bC\([A-Za-z_]\w*\)[\w\s~+*:.\-|]*)+", re.ASCII
)


def state_objection(cls: Glob, state: Value, code: Value = None) -> Objection:
    """What ``cls.__setstate__`` would do with the state that no model needs; None when nothing."""
    module = cls.module
    if module.startswith("numpy"):
        return _array_objection(cls, state, code)
    if module.startswith("scipy.stats"):
        return _rv_objection(state)
    if module.startswith("statsmodels") and cls.name.endswith("Data"):
        return _formula_objection(state)
    if module.startswith(("joblib", "sklearn.externals.joblib")):
        return None if type(state) is Dct else "its state is not known"
    return None


def _dtype_agrees(code: Value, state: tuple[Value, ...]) -> bool:
    """A number has no fields, no size of its own and no flags; only objects are references."""
    if type(code) is not str:
        return True
    letter = code.lstrip("<>=|")[:1]
    if letter in "mM" and len(state) < 9:
        # Without its unit NumPy dereferences what is not there.
        return False
    if letter in "?bBhHiIlLqQefdgFDGuicmM":
        return state[2:8] == (None, None, None, -1, -1, 0)
    if letter == "O":
        return state[2:5] == (None, None, None)
    return True


def _array_objection(cls: Glob, state: Value, code: Value) -> Objection:
    """NumPy trusts the states of data types and arrays further than it checks them."""
    if cls.name == "dtype":
        if (
            type(state) is tuple
            and 8 <= len(state) <= 9
            and type(state[0]) is int
            and (state[1] is None or state[1] in ("<", ">", "=", "|"))
            and (state[2] is None or type(state[2]) is tuple)
            and (state[3] is None or (type(state[3]) is tuple and plain(state[3])))
            and (state[4] is None or type(state[4]) is Dct)
            and all(type(n) is int for n in state[5:8])
            and _dtype_agrees(code, state)
        ):
            return None
        return "it is not the state of a data type"
    if cls.name in ("ndarray", "matrix", "recarray", "chararray"):
        if (
            type(state) is tuple
            and len(state) in (4, 5)
            and type(state[-4]) is tuple
            and all(type(n) is int and n >= 0 for n in state[-4])
            and type(state[-3]) is Call
            and type(state[-1]) in (bytes, str, Big, Lst, Call)
        ):
            held = state[-1]
            if type(held) is Lst and held.exact and held.size != _count(state[-4]):
                return "it holds fewer objects than its shape says"
            return None
        return "it is not the state of an array"
    return None


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for n in shape:
        count *= n
    return count


def _rv_objection(state: Value) -> Objection:
    if type(state) is Dct and state.complete:
        if not all(type(key) is str for key, _ in state.pairs()):
            return "its state is not known"
        for key, value in state.pairs():
            if key == "_parse_arg_template" and not (
                type(value) is str and _RV_TEMPLATE.fullmatch(value)
            ):
                return "it executes the text _parse_arg_template of its state"
        return None
    # Before SciPy 1.6 the state was (constructor parameters, random state).
    if type(state) is tuple and len(state) == 2 and type(state[0]) is Dct and state[0].complete:
        keys = [key for key, _ in state[0].pairs()]
        if len(keys) > 2 and all(type(k) is str and k in _RV_PARAMETERS for k in keys):
            return None
    return "it may execute text of its state"


def _formula_objection(state: Value) -> Objection:
    if type(state) is not Dct or not state.complete:
        return None if plain(state) else "its state is not known"
    if state.get("restore_model_spec") is MISSING and state.get("restore_design_info") is MISSING:
        return None
    formula = state.get("formula")
    if type(formula) is str and _FORMULA.fullmatch(formula):
        return None
    return "it evaluates the formula of its state as Python code"
