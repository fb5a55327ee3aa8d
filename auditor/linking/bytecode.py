"""Functions serialised as bytecode, against the Python that would run it.

What wrote a code object is told by the number of arguments of its constructor, by the form of
its line table, and by the opcodes in it; ``rules/knowledge/opcodes.json`` says what each Python
means by an opcode number.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from auditor.artifacts.facts import Items, Mapping, Name, Opaque, Ref
from auditor.catalog import knowledge
from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason
from auditor.linking.states import of_ref
from auditor.values import value

if TYPE_CHECKING:
    from auditor.artifacts.facts import ObjectFacts, PickleFacts, Symbol

Python = tuple[int, int]
PYTHONS: Final[tuple[Python, ...]] = tuple((3, n) for n in range(6, 14))
_CREATORS: Final = frozenset(
    {"dill._dill._create_code", "dill.dill._create_code", "types.CodeType", "new.code"}
)
# Arguments of ``types.CodeType`` by Python.
_COUNTS: Final[dict[int, tuple[Python, ...]]] = {
    14: ((2, 7),),
    15: ((3, 6), (3, 7)),
    16: ((3, 8), (3, 9), (3, 10)),
    18: ((3, 11), (3, 12), (3, 13)),
}
# Opcodes whose argument means something else from that Python on, though number and name stay.
# ``MAP_ADD``: which of the two on the stack is the key.
_ARGUMENT_CHANGED: Final[dict[Python, frozenset[str]]] = {
    (3, 8): frozenset({"MAP_ADD"}),
    (3, 12): frozenset({"LOAD_ATTR", "COMPARE_OP", "FOR_ITER", "LOAD_SUPER_ATTR"}),
    (3, 13): frozenset({"COMPARE_OP", "FOR_ITER", "CALL"}),
    (3, 10): frozenset({"*jump"}),
    (3, 11): frozenset({"*jump"}),
}


@value
class Code:
    """One code object of a stream: who can have written it, and its opcodes (None: not kept)."""

    name: str
    writers: tuple[Python, ...]
    arguments: int
    by_dill: bool
    # With the line table in front, as dill writes it since 0.3.6 for Python 3.10 and newer.
    extended: bool
    opcodes: frozenset[int] | None
    offset: int


@lru_cache(maxsize=16)
def _names(python: Python) -> dict[int, str]:
    table = knowledge("opcodes.json")["opcodes"].get(f"{python[0]}.{python[1]}", {})
    return {int(number): name for number, name in table.items()}


@lru_cache(maxsize=16)
def _jumps(python: Python) -> frozenset[str]:
    return frozenset(knowledge("opcodes.json")["jumps"].get(f"{python[0]}.{python[1]}", ()))


def codes(pickle: PickleFacts) -> Iterator[Code]:
    """Every code object of the stream, as far as its constructor's arguments were kept."""
    for item in pickle.objects:
        dill = item.callable in ("dill._dill._create_code", "dill.dill._create_code")
        if item.callable not in _CREATORS and not _anonymous_code(item):
            continue
        code = _code(item, dill)
        if code is not None:
            yield code


def _well_formed(raw: bytes | None, python: Python) -> bool:
    """Whether every instruction is followed by its empty cache, as that Python's compiler leaves it."""
    if raw is None:
        return True
    caches, names = _caches(python), _names(python)
    if not caches:
        return True
    at, before, resumed = 0, "", False
    while at < len(raw):
        name = names.get(raw[at], "")
        room = 2 * caches.get(name, 0)
        if not name or name == "CACHE" or any(raw[at + 2 : at + 2 + room]):
            return False
        if name == "CALL" and "PRECALL" in caches and before != "PRECALL":
            return False
        before = name
        resumed |= name == "RESUME"
        at += 2 + room
    return at == len(raw) and resumed and before.startswith(_LEAVING)


# Every code object of 3.11 and newer resumes somewhere, and its last instruction leaves it.
_LEAVING: Final = ("RETURN_", "RERAISE", "RAISE_", "JUMP_", "INTERPRETER_EXIT")


@lru_cache(maxsize=16)
def _caches(python: Python) -> dict[str, int]:
    found: dict[str, int] = knowledge("opcodes.json")["caches"].get(f"{python[0]}.{python[1]}", {})
    return found


def _room(python: Python, name: str) -> int:
    """How many empty caches follow the instruction, which that Python steps over."""
    return _caches(python).get(name, 0)


def _anonymous_code(item: ObjectFacts) -> bool:
    # cloudpickle calls what ``_builtin_type("CodeType")`` returns.
    if item.callable or len(item.args) not in _COUNTS:
        return False
    return all(isinstance(a, int) for a in item.args[:4])


def _code(item: ObjectFacts, dill: bool) -> Code | None:
    args = list(item.args)
    if dill and args and not isinstance(args[0], int):
        args = args[1:]
    writers = _COUNTS.get(len(args))
    if writers is None:
        # dill spells out 3.11a's tables too.
        writers = ((3, 11), (3, 12), (3, 13)) if len(args) > 18 else PYTHONS
    # The first bytes among the arguments are the instructions, after 5 or 6 numbers.
    position = next((i for i, a in enumerate(args) if not isinstance(a, int)), None)
    if position is None:
        return None
    raw = _bytes(args[position])
    name = next((a for a in args[position + 5 : position + 8] if isinstance(a, str)), "")
    names = [a for a in args[position:] if isinstance(a, str)]
    if len(names) > 1:
        name = names[1]
    opcodes = frozenset(raw[::2]) if raw is not None else None
    if opcodes is not None:
        fitting = tuple(
            p
            for p in writers
            if all(n in _names(p) for n in opcodes) and (p < (3, 11) or _well_formed(raw, p))
        )
        writers = fitting or writers
    if dill and len(args) == len(item.args) == 16 and len(writers) > 1 and raw is not None:
        # Without the table in front, dill writes it in the old form, whatever the Python.
        counted = _jumps_counted(raw)
        if counted is not None:
            writers = tuple(p for p in writers if (p == (3, 10)) == counted) or writers
    elif (3, 10) in writers and len(writers) > 1 and raw is not None:
        table = _bytes(args[-3])
        if table is not None and len(args) == 16:
            # PEP 626: the deltas of 3.10's line table add up to the whole code.
            whole = sum(table[::2]) == len(raw)
            writers = tuple(p for p in writers if (p == (3, 10)) == whole) or writers
    return Code(
        name=name,
        writers=writers,
        arguments=len(item.args),
        by_dill=dill,
        extended=dill and len(args) != len(item.args),
        opcodes=opcodes,
        offset=item.offset,
    )


def _jumps_counted(raw: bytes) -> bool | None:
    """Whether jumps count instructions, as since 3.10, and not bytes; None when both may be."""
    jumps = {number for number, name in _names((3, 9)).items() if name in _jumps((3, 9))}
    relative = {n for n in jumps if _names((3, 9))[n] in _RELATIVE}
    if _EXTENDED in raw[::2]:
        return None
    found: bool | None = None
    for at in range(0, len(raw) - 1, 2):
        if raw[at] not in jumps:
            continue
        argument = raw[at + 1]
        if argument % 2:
            return True
        start = at // 2 + 1 if raw[at] in relative else 0
        if start + argument >= len(raw) // 2:
            found = False
    return found


_EXTENDED: Final = 144
_RELATIVE: Final = frozenset(
    {"FOR_ITER", "JUMP_FORWARD", "SETUP_FINALLY", "SETUP_WITH", "SETUP_ASYNC_WITH"}
)


def _bytes(value: Symbol) -> bytes | None:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return value.encode("latin-1")
        except UnicodeEncodeError:
            return None
    return None


def portable(code: Code, writer: Python, target: Python) -> bool:
    """Whether ``target`` runs what ``writer`` compiled as ``writer`` would."""
    if writer == target:
        return True
    if _shape(writer) != _shape(target) and not code.by_dill:
        return False
    low, high = sorted((writer, target))
    if high >= (3, 11) and (low < (3, 11) or code.opcodes is None):
        # Adaptive instructions, exception tables, call sequences: nothing carries over.
        return False
    if code.opcodes is None:
        return high < (3, 8)
    theirs, ours = _names(writer), _names(target)
    for number in code.opcodes:
        name = theirs.get(number, "")
        if ours.get(number) != name or _room(writer, name) != _room(target, name):
            return False
        for changed, affected in _ARGUMENT_CHANGED.items():
            if low < changed <= high and (
                name in affected or ("*jump" in affected and name in _jumps(writer))
            ):
                return False
    return True


def _shape(python: Python) -> int:
    return next((n for n, pythons in _COUNTS.items() if python in pythons), 18)


def writers(pickle: PickleFacts) -> tuple[Python, ...]:
    """The Pythons that can have written every code object of the stream; empty without any."""
    found: tuple[Python, ...] | None = None
    for code in codes(pickle):
        if found is None:
            found = code.writers
        else:
            found = tuple(p for p in found if p in code.writers) or found
    if found and _of_python_3_13(pickle):
        return tuple(p for p in found if p >= (3, 13)) or found
    return found or ()


# What every class has in its namespace since then.
_SINCE_3_13: Final = frozenset({"__static_attributes__", "__firstlineno__"})


def _of_python_3_13(pickle: PickleFacts) -> bool:
    """Whether the namespace of a class says that 3.13 or newer made it."""
    return any(
        isinstance(part, Mapping) and any(key in _SINCE_3_13 for key, _ in part.pairs)
        for item in pickle.objects
        for part in (*item.args, item.state)
    )


def bytecode_reasons(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Code objects that the target's Python does not take, or does not run as written."""
    target = exact.python
    python = ".".join(map(str, target))
    everyone = writers(pickle)
    reported = False
    for code in codes(pickle):
        if reported:
            break
        common = tuple(p for p in code.writers if p in everyone) or code.writers
        wrong = [p for p in common if not portable(code, p, target)]
        if code.extended and exact.at_least("dill", 0, 3, 6) is False:
            reported = True
            yield Reason(
                rule="CMP005",
                effect="load",
                message="holds a function in the form of dill 0.3.6 and newer, which "
                f"dill {exact.version('dill')} does not take",
                error="TypeError: code() takes at most 16 arguments",
                help="Pin dill>=0.3.6.",
                distribution="dill",
            )
            break
        if not wrong:
            continue
        by = " or ".join(f"{a}.{b}" for a, b in common)
        what = f"function {code.name}" if code.name else "a function"
        if target in common and len(wrong) < len(common):
            # Some writer that is possible would do no harm, the target itself among them.
            old = code.by_dill and not code.extended and (3, 10) in common
            if old or target >= (3, 11):
                reported = True
                yield Reason(
                    rule="CMP005",
                    effect="unknown",
                    message=f"holds {what} as bytecode that Python {by} can have written: "
                    + (
                        "the jumps in it mean one thing before 3.10 and another since"
                        if old
                        else f"Python {python} runs only what it wrote itself"
                    ),
                    help="Put the function into a module, and write the artifact again.",
                )
            continue
        reported = True
        loads = code.by_dill and (exact.at_least("dill", 0, 3, 6) or _same_count(code, target))
        loads = loads or _shape(wrong[0]) == _shape(target)
        yield Reason(
            rule="CMP005",
            effect="predict" if loads else "load",
            message=f"holds {what} as bytecode of Python {by}; Python {python} "
            + ("runs it wrongly or crashes" if loads else "does not accept it"),
            error="" if loads else "TypeError: code() arguments",
            help=f"Serve with Python {by.split(' or ')[0]}, or put the function into a module and "
            "write the artifact again.",
            evidence=(("written by Python", by),),
        )
    yield from _misnamed(pickle)
    yield from _types(pickle, exact)
    yield from _keyword_defaults(pickle, exact)
    yield from _created_by_dill(pickle, exact)
    yield from _cells_filled(pickle, exact)
    yield from _dill_defaults(pickle)
    yield from _main_globals(pickle, exact)
    yield from _lost_globals(pickle, exact)


def _misnamed(pickle: PickleFacts) -> Iterator[Reason]:
    """Functions that ask for names that can be none: a byte of the file was changed."""
    for item in pickle.objects:
        if item.callable not in _CREATORS and not _anonymous_code(item):
            continue
        # The tuples are the constants, the names and the variables, in that order.
        tuples = [a for a in item.args if isinstance(a, Items) and a.kind == "tuple"]
        for name in tuples[1].items if len(tuples) > 1 else ():
            if not isinstance(name, str) or name == "*":
                continue
            if not all(part.isidentifier() for part in name.split(".")):
                yield Reason(
                    rule="CMP011",
                    effect="predict",
                    message=f"was damaged: it holds a function that asks for {name[:40]!r}, which "
                    "can be no name",
                    error="AttributeError or NameError",
                    help="Fetch or write the file again, and compare its checksum.",
                )
                return


def _same_count(code: Code, target: Python) -> bool:
    return code.arguments == _shape(target)


def _keyword_defaults(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Defaults of keyword-only arguments, which cloudpickle carries since 1.0."""
    for item in pickle.objects:
        if not item.callable.endswith("._fill_function") or len(item.args) != 2:
            continue
        maker = of_ref(pickle, item.args[0])
        body = of_ref(pickle, maker.args[0]) if maker is not None and maker.args else None
        state = item.args[1]
        if body is None or not isinstance(state, Mapping):
            continue
        # positional, (positional-only, from 3.8 on,) keyword-only, …
        place = {15: 1, 16: 2, 18: 2}.get(len(body.args))
        if place is None or body.args[place] in (0, None):
            continue
        lost = not any(key == "kwdefaults" for key, _ in state.pairs)
        ignored = exact.at_least("cloudpickle", 1) is False
        given = state.get("kwdefaults")
        if lost or (ignored and isinstance(given, Mapping) and given.size):
            name = str(state.get("name"))
            yield Reason(
                rule="CMP005",
                effect="predict",
                message=f"holds the function {name}, whose keyword-only arguments lose their "
                "defaults: cloudpickle before 1.0 does not carry them",
                error=f"TypeError: {name}() missing 1 required keyword-only argument",
                help="Write it again with cloudpickle 1.0 or newer.",
                distribution="cloudpickle",
            )
            return


# How many arguments dill gave its constructor before it carried defaults of keyword-only ones.
_WITHOUT_DEFAULTS: Final = 6


def _dill_defaults(pickle: PickleFacts) -> Iterator[Reason]:
    """Defaults of keyword-only arguments, which dill carries since 0.3.1."""
    for item in pickle.objects:
        if item.callable not in _DILL_FUNCTIONS or len(item.args) != _WITHOUT_DEFAULTS:
            continue
        body = of_ref(pickle, item.args[0]) if item.state is None else None
        place = {15: 1, 16: 2}.get(len(body.args)) if body is not None else None
        if body is None or place is None or body.args[place] in (0, None):
            continue
        name = str(item.args[2])
        yield Reason(
            rule="CMP005",
            effect="predict",
            message=f"holds the function {name}, whose keyword-only arguments lose their defaults: "
            "dill before 0.3.1 does not carry them",
            error=f"TypeError: {name}() missing 1 required keyword-only argument",
            help="Write it again with dill 0.3.1 or newer.",
            distribution="dill",
        )
        return


# ``dill._dill._create_function`` takes defaults of keyword-only arguments since this release.
_DILL_DEFAULTS: Final = (0, 3, 1)
_DILL_FUNCTIONS: Final = frozenset({"dill._dill._create_function", "dill.dill._create_function"})


def _created_by_dill(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Functions with more arguments than dill's own constructor of that release takes."""
    if exact.at_least("dill", *_DILL_DEFAULTS) is not False:
        return
    if any(i.callable in _DILL_FUNCTIONS and len(i.args) > 6 for i in pickle.objects):
        yield Reason(
            rule="CMP005",
            effect="load",
            message="holds a function in the form of dill 0.3.1 and newer, which "
            f"dill {exact.version('dill')} does not take",
            error="TypeError: _create_function() takes from 2 to 6 positional arguments",
            help="Pin dill>=0.3.1.",
            distribution="dill",
        )


# dill since 0.3.6 makes empty cells of closures and fills them by what ``getattr`` finds in its own
# module, else by ``setattr``; releases that still have such a helper came with 0.3.5.
_DILL_SHIMS: Final = (0, 3, 5)
_CELLS_WRITABLE: Final = (3, 7)
# Empty: what ``getattr(dill._dill, "_setattr", setattr)`` gave.
_FILLERS: Final = frozenset({"", "builtins.setattr", "builtins.delattr"})


def _cells_filled(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Cells of closures that are filled after they are made, which Python before 3.7 forbids."""
    if exact.python >= _CELLS_WRITABLE or exact.at_least("dill", *_DILL_SHIMS) is not False:
        return
    for item in pickle.objects:
        if item.callable not in _FILLERS or item.args[1:2] != ("cell_contents",):
            continue
        cell = of_ref(pickle, item.args[0])
        if cell is None or not cell.callable.endswith("._create_cell"):
            continue
        yield Reason(
            rule="CMP005",
            effect="load",
            message="holds a closure in the form of dill 0.3.6 and newer, whose cells are filled "
            f"after they are made; Python {'.'.join(map(str, exact.python))} does not let "
            f"dill {exact.version('dill')} do that",
            error="AttributeError: attribute 'cell_contents' of 'cell' objects is not writable",
            help="Serve with Python 3.7 or newer, or put the function into a module.",
            distribution="dill",
        )
        return


def _asks_types(exact: Exact) -> bool:
    """Cloudpickle 1.3: older ones add ``ClassType`` to ``types``, newer ones do not ask there."""
    version = exact.version("cloudpickle")
    older = exact.at_least("joblib", 0, 15) is False
    return version is not None and symbols.numbers(version)[:2] == (1, 3) and not older


def _types(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Cloudpickle and dill ask ``types`` for names that not every Python has."""
    standard = symbols.table("stdlib")
    if standard is None:
        return
    python = ".".join(map(str, exact.python))
    for item in pickle.objects:
        function = item.callable.rpartition(".")[2]
        if not item.args or not isinstance(item.args[0], str):
            continue
        wanted = item.args[0]
        if function == "_builtin_type" and item.callable.startswith("cloudpickle."):
            if wanted == "ClassType" and not _asks_types(exact):
                continue
            if standard.find("types", wanted, python) == "no-name":
                yield Reason(
                    rule="CMP005",
                    effect="load",
                    message=f"names types.{wanted}, which Python {python} does not have",
                    error=f"AttributeError: module 'types' has no attribute '{wanted}'",
                )
                return
        elif function == "_load_type" and item.callable.startswith("dill."):
            if wanted == "ClassType" and (
                exact.at_least("dill", 0, 3, 4)
                or (
                    exact.at_least("cloudpickle", 1, 3) is not False
                    and exact.at_least("joblib", 0, 15) is not False
                )
            ):
                # Python 2's name for the type of classes, which cloudpickle before 1.3 (also the
                # one inside joblib before 0.15) adds to ``types``; dill before 0.3.4 asks there.
                yield Reason(
                    rule="CMP005",
                    effect="load",
                    message="holds a class under the name ClassType, which "
                    f"dill {exact.version('dill')} does not know there",
                    error="KeyError: 'ClassType'",
                    help="Pin the dill that wrote it, or write it again.",
                    distribution="dill",
                )
                return
            later = {
                "CellType": (3, 8),
                "GenericAlias": (3, 9),
                "UnionType": (3, 10),
                "NoneType": (3, 10),
            }
            if wanted in later and exact.python < later[wanted]:
                yield Reason(
                    rule="CMP005",
                    effect="load",
                    message=f"names the type {wanted}, which Python {python} does not have",
                    error=f"KeyError: '{wanted}'",
                )
                return


def _global_names(item: ObjectFacts, code: Code) -> frozenset[str]:
    """Names that the function looks up among its globals, as its instructions say."""
    args = list(item.args)
    if code.by_dill and args and not isinstance(args[0], int):
        args = args[1:]
    position = next((i for i, a in enumerate(args) if not isinstance(a, int)), None)
    if position is None or position + 2 >= len(args) or not code.writers:
        return frozenset()
    raw, names = _bytes(args[position]), args[position + 2]
    if raw is None or not isinstance(names, Items):
        return frozenset()
    python = code.writers[0]
    found: set[str] = set()
    for operation, argument in zip(raw[::2], raw[1::2], strict=False):
        if _names(python).get(operation) == "LOAD_GLOBAL":
            index = argument >> 1 if python >= (3, 11) else argument
            if index < len(names.items):
                name = names.items[index]
                if isinstance(name, str):
                    found.add(name)
    return frozenset(found)


def _main_globals(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Dill's functions of ``__main__`` look their globals up in the loading program's own."""
    known = vars(builtins)
    for item in pickle.objects:
        if not item.callable.endswith("._create_function") or len(item.args) < 2:
            continue
        scope = item.args[1]
        if not (isinstance(scope, Name) and scope.text == "__builtin__.__main__"):
            continue
        body = item.args[0]
        if not isinstance(body, Ref) or body.index >= len(pickle.objects):
            continue
        maker = pickle.objects[body.index]
        code = _code(maker, maker.callable.startswith("dill."))
        if code is None:
            continue
        missing = sorted(_global_names(maker, code) - known.keys() - exact.runtime.main)
        if missing:
            yield Reason(
                rule="CMP007",
                effect="predict",
                message=f"holds the function {code.name}, which reads {missing[0]} of the training "
                "script's main module; dill did not store it",
                error=f"NameError: name '{missing[0]}' is not defined",
                help="Dump with dill.dump(..., recurse=True), or move the function into a module.",
            )
            return


# Since this release ``_create_function`` gives a function its builtins; Python does since 3.10.
_DILL_BUILTINS: Final = (0, 3, 4)


def _lost_globals(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Functions of dill before 0.3.5 that stand in the very namespace they look names up in.

    They are made while that dictionary is still empty, and ``fglobals or dict()`` gives them
    another one, which stays so: nothing that they read is there. The function that was asked for
    is made once more behind the dictionary, and dropped; newer releases write each once.
    """
    made = [
        (index, item)
        for index, item in enumerate(pickle.objects)
        if item.callable in _DILL_FUNCTIONS and len(item.args) > 2
    ]
    twins = [
        one.args[1]
        for at, (_, one) in enumerate(made)
        if any(one.args[1:3] == other.args[1:3] for _, other in made[at + 1 :])
    ]
    for index, item in made:
        if item.args[1] not in twins:
            continue
        scope = item.args[1]
        if not isinstance(scope, Mapping) or not any(
            isinstance(held, Ref) and held.index >= index for _, held in scope.pairs
        ):
            continue
        maker = of_ref(pickle, item.args[0])
        code = _code(maker, maker.callable.startswith("dill.")) if maker is not None else None
        if maker is None or code is None:
            continue
        missing = set(_global_names(maker, code))
        if exact.python >= (3, 10) or exact.at_least("dill", *_DILL_BUILTINS) is not False:
            missing -= vars(builtins).keys()
        if missing:
            name = min(missing)
            yield Reason(
                rule="CMP005",
                effect="predict",
                message=f"holds the function {code.name}, which reads {name}: dill before 0.3.5 "
                "stores it inside its own namespace, and loading gives it an empty one",
                error=f"NameError: name '{name}' is not defined",
                help="Write it again with dill 0.3.5 or newer, or move it into a module.",
                distribution="dill",
            )
            return


__all__ = ["Code", "Items", "Name", "Opaque", "bytecode_reasons", "codes", "portable", "writers"]
