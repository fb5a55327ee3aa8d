"""When a callable of the allow-list may be called: its arguments decide.

A policy gets the judge and the call, sets ``call.cls`` to the class of the result where it is
known, and returns None or the objection in words.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from auditor import lazy_re as re
from auditor.artifacts.pickle.names import canonical, known_module, lookup
from auditor.artifacts.pickle.nested import bytes_of, judge_bytes, judge_keras
from auditor.artifacts.pickle.states import (
    METHOD_TYPES,
    STATES,
    attributes,
    is_array_type,
    module_of,
    state_objection,
    target,
    valued,
)
from auditor.artifacts.pickle.values import (
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
        if type(func) is not Call:
            return call
        found = target(func)
        if type(found) is Glob:
            call = _again(call, found, call.args)
            continue
        partial = target(func.func)
        inner = arguments(func)
        if inner is None or type(partial) is not Glob:
            return call
        if partial.key == "functools.partial" and inner:
            prepared: tuple[Value, ...] = inner[1:]
            wrapped = inner[0]
            if func.states:
                # functools.partial.__setstate__ takes (func, args, keywords, dict).
                state = func.states[-1]
                if len(func.states) > 1 or type(state) is not tuple or len(state) != 4:
                    return call
                wrapped, prepared, keywords = state[0], state[1], state[2]
                if type(prepared) is not tuple:
                    return call
                made = _by_new(call, wrapped, prepared, keywords)
                if made is not None:
                    return made
                if not (keywords is None or (type(keywords) is Dct and not keywords.size)):
                    return call
            own = arguments(call)
            if own is None:
                return call
            call = _again(call, wrapped, prepared + own)
        else:
            return call
    return call


def _by_new(
    call: Call, wrapped: Value, prepared: tuple[Value, ...], keywords: Value
) -> Call | None:
    """Protocols 2 and 3 write ``class.__new__(class, *args, **kwargs)`` as a partial function."""
    if (
        type(wrapped) is Call
        and names_builtin(wrapped.func)
        and wrapped.func.name == "getattr"
        and type(wrapped.args) is tuple
        and len(wrapped.args) == 2
        and wrapped.args[1] == "__new__"
        and type(wrapped.args[0]) is Glob
        and prepared
        and type(prepared[0]) is Glob
        # The method is named after the class that defines it: the same or one above.
        and (prepared[0].key == wrapped.args[0].key or is_class(wrapped.args[0]))
        and arguments(call) == ()
    ):
        return Call(prepared[0], prepared[1:], keywords, "NEWOBJ_EX", call.offset)
    return None


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


def policy_values(call: Call) -> Objection:
    """Code of a library looks into its arguments: only what holds nothing that can be called."""
    args = arguments(call)
    if args is None or not valued(args) or call.kwargs is not None:
        return "its arguments are not plain data"
    if type(call.func) is Glob and not no_source(_data_types(call.func, args)):
        return "its text is no data type"
    call.cls = _as_class(call.func)
    return None


def _data_types(func: Glob, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """The arguments that NumPy takes for a data type, of functions that look into values."""
    module = canonical(func.module).partition(".")[0]
    if module == "numpy":
        return args if func.name in ("void", "dtype") or func.name.endswith("DType") else args[1:]
    if module != "pandas" or func.module == "pandas._libs.sparse":
        return ()
    if func.name.endswith("Index"):
        return args[1:]
    return args if func.name.endswith("Dtype") and func.name != "CategoricalDtype" else ()


def no_source(value: Value) -> bool:
    """Where NumPy is given a data type it parses text as Python: type codes only, however deep."""
    pending = [value]
    for _ in range(1000):
        if not pending:
            return True
        value = pending.pop()
        kind = type(value)
        if kind is bytes:
            value, kind = value.decode("latin-1"), str
        if kind is str:
            if not _type_code().fullmatch(value):
                return False
        elif kind is tuple:
            pending += value
        elif kind is Call:
            pending += (value.args, value.kwargs)
        elif kind is Lst or kind is Dct:
            if not value.complete:
                return False
            pending += value.items if kind is Lst else value.flat
        elif kind not in (int, float, bool, type(None), Glob):
            return False
    return False


def new_objection(call: Call, cls: Glob) -> Objection:
    """``cls.__new__`` of an allowed class; with arguments it runs code of the library."""
    args = arguments(call)
    if args is None:
        return "its arguments are not known"
    entry = lookup(cls.module, cls.name)
    call.cls = cls
    if entry.policy and args:
        return POLICIES[entry.policy](call)
    if call.kwargs is not None and not (
        type(call.kwargs) is Dct and (entry.kind == "tuple" or valued(call.kwargs))
    ):
        return "its keyword arguments are not known"
    if not args:
        return None
    if entry.kind in ("tuple", "exception"):
        return None if all(inert(a) for a in args) else "its arguments are not known"
    if is_array_type(cls):
        return "arrays are not made this way"
    if not no_source((_data_types(cls, args), call.kwargs if _data_types(cls, (0, 0)) else None)):
        return "its text is no data type"
    return None if valued(args) else "its arguments are not plain data"


def policy_plain(call: Call) -> Objection:
    """Only numbers, strings and containers of them."""
    args = arguments(call)
    if args is None or not plain(args):
        return "its arguments are not plain data"
    call.cls = _as_class(call.func)
    return None


def policy_one_name(call: Call) -> Objection:
    """A type by its name."""
    args = arguments(call)
    known = args is not None and len(args) == 1 and type(args[0]) is str
    return None if known else "its argument is no name"


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
    if args is not None and 1 <= len(args) <= 2 and type(args[0]) in (str, Big):
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
    if len(args) == 2 and not _plain_codec(args[1]):
        return "it converts with an unusual codec"
    return None


def _plain_codec(value: Value) -> bool:
    return type(value) is str and value.lower().replace("_", "-") in (
        "latin1",
        "latin-1",
        "iso-8859-1",
        "utf-8",
        "utf8",
        "ascii",
    )


def policy_text(call: Call) -> Objection:
    """``str`` of plain data, decoded with an ordinary codec at most."""
    args = arguments(call)
    if args is not None and len(args) > 1 and not all(_plain_codec(a) for a in args[1:]):
        return "it converts with an unusual codec"
    return policy_short(call)


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
        if args[1] == "__new__" and is_class(args[0]):
            return None  # for the call that ``resolve`` judges
        # Before protocol 4 nested classes and class methods are reached one attribute at a time.
        if lookup(args[0].module, f"{args[0].name}.{args[1]}").standing == "allowed":
            return None
    if type(args[0]) is Call and args[0].cls is not None:
        # Methods of an instance that its class refers to itself.
        cls = args[0].cls
        if lookup(cls.module, f"{cls.name}.{args[1]}").standing == "allowed":
            return None
        if cls.module.startswith("scipy.stats.") and args[1] == "_entropy":
            return None
    if (
        type(args[0]) is Call
        and names_global(args[0].func, "re._compile")
        and args[1] in ("match", "search", "fullmatch", "finditer", "findall", "split", "sub")
    ):
        return None
    return "it reaches an attribute that is no member of an enumeration"


def policy_typing_subscript(call: Call) -> Objection:
    """``typing.X[...]``."""
    args = arguments(call)
    if args is not None and len(args) == 2 and type(args[0]) is Glob and args[0].module == "typing":
        if args[0].name == "Literal":
            return None if plain(args[1]) else "its arguments are not known"
        # Text in the place of a type is compiled.
        return None if _types(args[1]) else "its arguments are no types"
    return "it takes an item of something that is no type"


def _types(value: Value) -> bool:
    parts = value if type(value) is tuple else value.items if type(value) is Lst else (value,)
    for part in parts:
        if type(part) in (tuple, Lst):
            inner = part if type(part) is tuple else part.items
            if not all(type(p) is Glob or p is None for p in inner):
                return False
        elif type(part) is Call:
            if not names_global(
                part.func,
                "_operator.getitem",
                "types.GenericAlias",
                "functools.reduce",
                "_functools.reduce",
                "builtins.type",
            ):
                return False
        elif part is not None and type(part) is not Glob:
            return False
    return type(value) is not Lst or value.complete


def policy_signature(call: Call) -> Objection:
    """Parameters and signatures of functions: names, types and plain defaults."""
    args = arguments(call)
    if args is None or not all(_signed(a) for a in args) or call.kwargs is not None:
        return "its arguments are not those of a signature"
    call.cls = _as_class(call.func)
    return None


def _signed(value: Value, depth: int = 8) -> bool:
    if type(value) in (tuple, Lst):
        parts = value if type(value) is tuple else value.items
        return (type(value) is tuple or value.complete) and all(
            depth and _signed(p, depth - 1) for p in parts
        )
    if type(value) is Call:
        return type(value.func) is Glob and (
            value.func.module in ("inspect", "typing", "types", "_operator")
            or lookup(value.func.module, value.func.name).kind == "enum"
            or valued(value)
        )
    return type(value) is Glob or plain(value)


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
    factory = target(args[0]) if args else None
    if not (
        factory is None
        or (type(factory) is Glob and lookup(factory.module, factory.name).standing == "allowed")
        or (type(factory) is Call and names_global(target(factory.func), "functools.partial"))
    ):
        return "its factory is not a known function"
    if len(args) == 2 and type(args[1]) not in (Dct, Lst, tuple):
        return "it iterates over something that is no plain container"
    call.cls = _as_class(call.func)
    return None


def policy_newobj(call: Call) -> Objection:
    """``copyreg.__newobj__``: the class decides."""
    args = arguments(call)
    if args and is_class(args[0]):
        return _made(call, args[0], args[1:], None)
    return "it makes an instance of a class outside the allow-list"


def _made(call: Call, cls: Glob, args: Value, kwargs: Value) -> Objection:
    """The same as the opcode NEWOBJ would make."""
    made = Call(cls, args, kwargs, "NEWOBJ", call.offset)
    objection = new_objection(made, cls)
    call.cls = made.cls
    return objection


def policy_newobj_ex(call: Call) -> Objection:
    """``copyreg.__newobj_ex__``: the class decides."""
    args = arguments(call)
    if args and len(args) == 3 and is_class(args[0]):
        return _made(call, args[0], args[1], args[2])
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
    base = target(base)
    if not (is_class(cls) or _is_enum(cls)):
        return "it makes an instance of a class outside the allow-list"
    # Another base runs its constructor with the third argument.
    if not names_global(base, *_BASES):
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
    """Makes a bare instance of its first argument, with the checksum of its layout."""
    args = arguments(call)
    if args and is_class(args[0]) and valued(args[1:]):
        call.cls = args[0]
        name = call.func.name
        if name.startswith("__pyx_unpickle_") and len(args) == 3 and args[2] is not None:
            # The state is set in the same breath.
            return state_objection(call, args[0], args[2])
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
        and args[1].complete
        and valued(args[1])
        and all(no_source(value) for key, value in args[1].pairs() if key == "dtype")
    ):
        call.cls = args[0]
        return None
    return "its arguments are not those of an index"


def policy_array_reconstruct(call: Call) -> Objection:
    """An empty array of a class, filled by BUILD."""
    args = arguments(call)
    known = args is not None and len(args) == 3 and is_array_class(args[0])
    if args and known and args[1] == (0,) and valued(args[2]) and no_source(args[2]):
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
        and args[2] == (0,)
        and valued(args[3])
        and no_source(args[3])
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
        if not no_source(args):
            return "its text is no data type"
        call.cls = _as_class(call.func)
        return None
    return "its arguments are not those of a data type"


def policy_frombuffer(call: Call) -> Objection:
    """``_frombuffer(buffer, dtype, shape, order)``: data, and a data type that is no source."""
    args = arguments(call)
    if not args or not no_source(args[1:]):
        return "its text is no data type"
    return policy_values(call)


@lru_cache(maxsize=1)
def _type_code() -> re.Pattern[str]:
    return re.compile(r"[<>=|]?[A-Za-z?][\w/+\-]*(?:\[\w+\])?", re.ASCII)


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


def policy_scalar(call: Call) -> Objection:
    """A NumPy scalar: a data type and the bytes of one item (or the object)."""
    args = arguments(call)
    # NumPy 2 parses text in the place of the data type.
    if (
        args is not None
        and 1 <= len(args) <= 2
        and type(args[0]) in (Call, Glob)
        and valued(args[0])
        and valued(args[1:])
    ):
        call.cls = _SCALAR
        return None
    return "its arguments are not those of a scalar"


_SCALAR = Glob("numpy.core.multiarray", "scalar", 0)


def policy_random_state(call: Call) -> Objection:
    """A random generator that BUILD fills."""
    if arguments(call) not in ((), None):
        return "it takes no arguments when a model is loaded"
    call.cls = Glob("numpy.random.mtrand", "RandomState", call.offset)
    return None


def policy_dill_array(call: Call) -> Objection:
    """Dill wraps the reconstruction of arrays."""
    args = arguments(call)
    if args is None or len(args) < 2:
        return "its arguments are not those of an array"
    function = target(args[0])
    if not names_global(function, "numpy.core.multiarray._reconstruct"):
        return "it calls its first argument"
    inner = Call(function, args[1], None, "REDUCE", call.offset)
    objection = policy_array_reconstruct(inner)
    if objection is None and len(args) > 2 and inner.cls is not None:
        objection = STATES["array"](inner, inner.cls, args[2])
    if objection is None and len(args) > 3 and args[3] is not None:
        objection = attributes(args[3])
    call.cls = inner.cls
    return objection


def policy_module(call: Call) -> Objection:
    """Dill imports a module: of the libraries whose names are on the allow-list."""
    args = arguments(call)
    module = module_of(call)
    if args is not None and plain(args) and module is not None and known_module(module):
        return None
    return "it imports a module outside the allow-list"


def policy_method_type(call: Call) -> Objection:
    """The type of bound methods, judged when something is bound; and one that holds attributes."""
    known = arguments(call) in (("MethodType",), ("SimpleNamespace",))
    return None if known else "it builds functions from bytecode"


def bound_method(func: Call, call: Call) -> bool:
    """``MethodType(function, instance)`` of a method that may be referred to."""
    args = arguments(call)
    return (
        type(func.func) is Glob
        and func.func.key in METHOD_TYPES
        and arguments(func) == ("MethodType",)
        and args is not None
        and len(args) == 2
        and type(args[0]) is Glob
        and lookup(args[0].module, args[0].name).standing == "allowed"
        and type(args[1]) is Call
        and args[1].cls is not None
    )


def policy_module_attribute(call: Call) -> Objection:
    """Dill takes an attribute of a module: the name decides."""
    found = target(call)
    if type(found) is Glob and lookup(found.module, found.name).standing == "allowed":
        return None
    return "it reaches an attribute outside the allow-list"


def policy_dill_method(call: Call) -> Objection:
    """``dill`` reaches a method of a built-in type, by evaluating what stands between quotes."""
    args = arguments(call)
    if args is not None and len(args) == 3 and type(args[1]) is str:
        owner, name = target(args[0]), args[1]
        if (
            names_builtin(owner)
            and lookup("builtins", f"{owner.name}.{name}").standing == "allowed"
            and args[2] == f"<method '{name}' of '{owner.name}' objects>"
        ):
            return None
    return "it evaluates text as Python code"


def policy_dill_range(call: Call) -> Objection:
    """``dill`` evaluates the text of a range."""
    args = arguments(call)
    if args is not None and len(args) == 1 and type(args[0]) is str and _range().fullmatch(args[0]):
        call.cls = Glob("builtins", "range", call.offset)
        return None
    return "it evaluates text as Python code"


@lru_cache(maxsize=1)
def _range() -> re.Pattern[str]:
    return re.compile(r"range\(-?\d{1,18}, -?\d{1,18}(?:, -?\d{1,18})?\)", re.ASCII)


def policy_iterator(call: Call) -> Objection:
    """An iterator over plain data, which nothing asks for an item while loading."""
    args = arguments(call)
    if args is not None and len(args) == 1 and _iterates(args[0]):
        call.cls = _as_class(call.func)
        return None
    return "it iterates over something that is no plain container"


def _iterates(value: Value) -> bool:
    if type(value) is Call:
        known = names_global(value.func, "builtins.iter", "builtins.range")
        return known or names_global(value.cls, "builtins.range")
    return type(value) in (Lst, Dct, tuple, str, bytes)


def policy_tokenizer(call: Call) -> Objection:
    """A tokenizer around a model of its own library, both read from JSON."""
    args = arguments(call)
    if args is not None and (
        not args
        or (
            len(args) == 1
            and type(args[0]) is Call
            and args[0].cls is not None
            and args[0].cls.module == "tokenizers.models"
        )
    ):
        call.cls = _as_class(call.func)
        return None
    return "its arguments are not those of a tokenizer"


def policy_torch_subclass(call: Call) -> Objection:
    """Tensor subclasses run their own code."""
    return "it makes an instance of a tensor subclass through its own code"


def policy_torch_bytes(call: Call) -> Objection:
    """A torch file in a string of bytes, as storages pickle themselves: it is judged like a file."""
    args = arguments(call)
    if args is None or len(args) != 1:
        return "what it loads is not known"
    found = judge_bytes(args[0])
    if type(found) is str:
        return found
    if not found[0].startswith("torch-") or not all(map(_STORAGE.fullmatch, found[1])):
        return "it loads another pickle, which holds more than a storage"
    call.cls = Glob("torch.storage", "TypedStorage", call.offset)
    return None


def policy_keras_bytes(call: Call) -> Objection:
    """A whole Keras model in bytes, an array of bytes or a file in memory: judged like a file."""
    args = arguments(call)
    if args is None or len(args) != 1 or call.kwargs is not None:
        return "what it loads is not known"
    return judge_keras(_buffer(args[0]))


def _buffer(value: Value) -> Value:
    """The bytes that a one-dimensional array of bytes or a file in memory holds."""
    if type(value) is not Call:
        return value
    if names_global(value.func, "numpy.core.numeric._frombuffer"):
        args = arguments(value)
        if args is None or len(args) != 4 or value.states or value.items:
            return value
        held, shape = args[0], args[2]
    elif len(value.states) == 1 and type(value.states[0]) is tuple and not value.items:
        state = value.states[0]
        if names_global(value.func, "_io.BytesIO"):
            return state[0] if len(state) == 3 else value
        if value.cls is None or not names_global(value.cls, "numpy.ndarray") or len(state) != 5:
            return value
        shape, held = state[1], state[4]
    else:
        return value
    raw = bytes_of(held)
    return held if raw is not None and shape == (len(raw),) else value


_STORAGE = re.compile(r"torch\.(?:(?:storage|cuda)\.)?_?\w+Storage|collections\.OrderedDict")


def _as_class(func: Value) -> Glob | None:
    return func if is_class(func) else None


POLICIES: dict[str, Callable[[Call], Objection]] = {
    name.removeprefix("policy_"): function
    for name, function in list(globals().items())
    if name.startswith("policy_")
}
