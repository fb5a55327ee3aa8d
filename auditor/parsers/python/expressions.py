"""What each kind of expression evaluates to."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from auditor.parsers.python import answers, coroutines, kept, since
from auditor.parsers.python import values as val
from auditor.parsers.python.facts import Phase
from auditor.parsers.python.frames import arithmetic, birth, is_array, product
from auditor.parsers.python.module import yields
from auditor.parsers.python.operations import binary, compare, format_value, get_item, unary
from auditor.parsers.python.scopes import MAX_UNROLL, Frame, ServingError
from auditor.parsers.python.values import (
    CommandLine,
    Const,
    DictV,
    Ext,
    Found,
    Func,
    ListV,
    Table,
    Unk,
    V,
    deps_of,
    join,
    options_of,
    truth,
)

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter
MAX_COMPREHENSION = 64
_BUILTINS = frozenset(
    [
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytearray",
        "bytes",
        "callable",
        "chr",
        "classmethod",
        "compile",
        "complex",
        "delattr",
        "dict",
        "dir",
        "divmod",
        "enumerate",
        "eval",
        "exec",
        "exit",
        "filter",
        "float",
        "format",
        "frozenset",
        "getattr",
        "globals",
        "hasattr",
        "hash",
        "hex",
        "id",
        "input",
        "int",
        "isinstance",
        "issubclass",
        "iter",
        "len",
        "list",
        "locals",
        "map",
        "max",
        "memoryview",
        "min",
        "next",
        "object",
        "oct",
        "open",
        "ord",
        "pow",
        "print",
        "property",
        "quit",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "setattr",
        "slice",
        "sorted",
        "staticmethod",
        "str",
        "sum",
        "super",
        "tuple",
        "type",
        "vars",
        "zip",
        "__import__",
        "NotImplemented",
        "ArithmeticError",
        "AssertionError",
        "AttributeError",
        "BaseException",
        "BrokenPipeError",
        "ConnectionError",
        "Exception",
        "FileExistsError",
        "FileNotFoundError",
        "IOError",
        "ImportError",
        "IndexError",
        "InterruptedError",
        "IsADirectoryError",
        "KeyError",
        "KeyboardInterrupt",
        "LookupError",
        "MemoryError",
        "ModuleNotFoundError",
        "NameError",
        "NotADirectoryError",
        "NotImplementedError",
        "OSError",
        "OverflowError",
        "PermissionError",
        "ProcessLookupError",
        "RecursionError",
        "ReferenceError",
        "RuntimeError",
        "RuntimeWarning",
        "StopAsyncIteration",
        "StopIteration",
        "SyntaxError",
        "SystemExit",
        "TimeoutError",
        "TypeError",
        "UnicodeError",
        "UserWarning",
        "ValueError",
        "Warning",
        "ZeroDivisionError",
        "DeprecationWarning",
        "FutureWarning",
    ]
)


def make_function(
    run: Interpreter, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
) -> Func:
    """A function or a lambda with its defaults and decorators."""
    frame = run.frame
    assert frame is not None
    name = getattr(node, "name", "<lambda>")
    qualname = f"{frame.function}.{name}" if frame.function else name
    defaults: dict[str, V] = {}
    positional = [*node.args.posonlyargs, *node.args.args]
    for argument, default in zip(
        positional[len(positional) - len(node.args.defaults) :], node.args.defaults, strict=True
    ):
        defaults[argument.arg] = run.eval(default)
    for argument, maybe in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if maybe is not None:
            defaults[argument.arg] = run.eval(maybe)
    closure = frame if frame.function else None
    made = Func(node, frame.state, closure, qualname, defaults)
    made.yields = not isinstance(node, ast.Lambda) and yields(node)
    return made


def _eval_constant(run: Interpreter, node: ast.Constant) -> V:
    value = node.value
    if isinstance(value, str):
        return Const(value, val.NONE, run.at(node) if len(value) < 500 else None)
    if isinstance(value, int | float):
        return Const(value, val.NONE, None if isinstance(value, bool) else run.at(node))
    if value is None or isinstance(value, bytes):
        return Const(value)
    if value is ...:
        return Ext("builtins.Ellipsis")
    return Unk("a constant of an unusual type")


def _eval_name(run: Interpreter, node: ast.Name) -> V:
    value = run.lookup(node.id)
    if value is not None:
        return value
    assert run.frame is not None
    if node.id in _BUILTINS:
        return Ext(f"builtins.{node.id}")
    state = run.frame.state
    if state.open_names:
        return Unk(f"{node.id} may come from a star import")
    if run.phase >= Phase.REQUEST and not run.is_main(run.frame):
        if state.main_names is None:
            state.main_names = answers.only_in_main(state)
        if node.id in state.main_names:
            run.fails(
                node,
                f"NameError: name '{node.id}' is not defined",
                f'`{node.id}` is set under `__name__ == "__main__"` only, which is passed over '
                "where a server imports the module",
            )
    if since.new_builtin(node.id):
        run.used(node, "builtins", node.id)
    return Unk(f"{node.id} is not bound here")


def _eval_attribute(run: Interpreter, node: ast.Attribute) -> V:
    owner = run.eval(node.value)
    error = f"AttributeError: 'NoneType' object has no attribute '{node.attr}'"
    coroutines.none_so_far(run, node.value, owner, error)
    kept.never_set(run, node, owner)
    return run.attribute(owner, node.attr, node)


def _eval_subscript(run: Interpreter, node: ast.Subscript) -> V:
    owner = run.eval(node.value)
    if isinstance(node.slice, ast.Slice):
        index: V = run.models.make_slice(node.slice)
    else:
        index = run.eval(node.slice)
    special = run.models.subscript(owner, index, node)
    if special is not None:
        return special
    _failing_item(run, owner, index, node)
    error = "TypeError: 'NoneType' object is not subscriptable"
    coroutines.none_so_far(run, node.value, owner, error)
    return get_item(owner, index)


def _failing_item(run: Interpreter, owner: V, index: V, node: ast.AST) -> None:
    """Note an item that is certainly not there: of a configuration file, of a search."""
    if not isinstance(index, Const):
        return
    if isinstance(owner, Found) and owner.items == [] and isinstance(index.value, int):
        run.fails(node, "IndexError: list index out of range", f"nothing matches `{owner.pattern}`")
    elif isinstance(owner, CommandLine) and run.own_command and owner.items is not None:
        if isinstance(index.value, int) and index.value >= len(owner.items):
            run.fails(
                node,
                "IndexError: list index out of range",
                f"the command gives the program {len(owner.items) - 1} arguments, and it takes "
                f"number {index.value}",
            )
    elif isinstance(owner, DictV) and not owner.partial and index.value not in owner.items:
        if id(owner) in run.unfilled and run.phase >= Phase.REQUEST and not owner.items:
            run.fails(
                node,
                f"KeyError: {index.value!r}",
                f"only `{run.unfilled[id(owner)].qualname}` fills it, and a `startup` handler is not "
                "called where the application has a `lifespan`",
            )
        file = next((d for d in sorted(owner.origin_deps) if d.startswith("file:")), None)
        if file is not None:
            path = file.removeprefix("file:")
            run.fails(
                node,
                f"KeyError: {index.value!r}",
                f"{path} has no `{index.value}` there",
                file=path,
            )


def _eval_call(run: Interpreter, node: ast.Call) -> V:
    callee = run.eval(node.func)
    args: list[V] = []
    kwargs: dict[str, V] = {}
    loose = False
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            items = run.models.iterate(run.eval(argument.value))
            if items is None:
                loose = True
            else:
                args.extend(items)
        else:
            args.append(run.eval(argument))
    for keyword in node.keywords:
        value = run.eval(keyword.value)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif isinstance(value, DictV) and not value.partial:
            kwargs.update({k: v for k, v in value.items.items() if isinstance(k, str)})
        else:
            if isinstance(value, DictV):
                kwargs.update({k: v for k, v in value.items.items() if isinstance(k, str)})
            loose = True
    return run.call(callee, args, kwargs, node, loose=loose)


def _eval_f_string(run: Interpreter, node: ast.JoinedStr) -> V:
    parts: list[V] = []
    for piece in node.values:
        if isinstance(piece, ast.FormattedValue):
            value = run.eval(piece.value)
            spec = run.eval(piece.format_spec) if piece.format_spec is not None else None
            parts.append(format_value(value, piece.conversion, spec))
        else:
            parts.append(run.eval(piece))
    result: V = Const("")
    for part in parts:
        result = binary(ast.Add(), result, part)
    if isinstance(result, Const):
        result = Const(result.value, result.deps, run.at(node))
    return result


_ELEMENTWISE = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


def operate(run: Interpreter, op: ast.operator, left: V, right: V) -> V:
    """What an operator makes of two values."""
    made = binary(op, left, right)
    if isinstance(op, ast.MatMult):
        return product(left, right, None) or made
    if isinstance(made, Unk) and isinstance(op, _ELEMENTWISE):
        return arithmetic(left, right, None) or made
    return made


def _eval_binary(run: Interpreter, node: ast.BinOp) -> V:
    # Long sums lean to the left: flatten them rather than recurse.
    chain: list[ast.BinOp] = []
    inner: ast.expr = node
    while isinstance(inner, ast.BinOp):
        chain.append(inner)
        inner = inner.left
    value = run.eval(inner)
    for step in reversed(chain):
        right = run.eval(step.right)
        if isinstance(step.op, ast.BitOr):
            since.union(run, value, right, step)
        value = operate(run, step.op, value, right)
    return value


def _eval_unary(run: Interpreter, node: ast.UnaryOp) -> V:
    value = run.eval(node.operand)
    if isinstance(node.op, ast.USub) and is_array(value) and isinstance(value, Table):
        return Table(value.kind, None, None)
    return unary(node.op, value)


def _eval_bool(run: Interpreter, node: ast.BoolOp) -> V:
    is_and = isinstance(node.op, ast.And)
    possible: list[V] = []
    deps = val.NONE
    guarded = 0
    try:
        for index, part in enumerate(node.values):
            value = run.eval(part)
            deps |= deps_of(value)
            if index == len(node.values) - 1:
                possible.append(value)
                break
            # The rest runs only when this one is true (and) or false (or).
            possible += [o for o in options_of(value) if truth(o) is not is_and]
            if all(truth(o) is (not is_and) for o in options_of(value)):
                break
            if any(truth(o) is not is_and for o in options_of(value)):
                run.guards.append("if")
                guarded += 1
    finally:
        if guarded:
            del run.guards[len(run.guards) - guarded :]
    return val.with_deps(join(*possible), deps)


def _eval_compare(run: Interpreter, node: ast.Compare) -> V:
    left = run.eval(node.left)
    result: V = Const(True)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = run.eval(comparator)
        special = run.models.contains(op, left, right)
        one = special if special is not None else compare(op, left, right)
        answer = truth(one)
        if answer is False:
            return one
        if answer is None:
            result = one
        left = right
    return result


def _eval_conditional(run: Interpreter, node: ast.IfExp) -> V:
    test = truth(run.eval(node.test))
    if test is not None:
        return run.eval(node.body if test else node.orelse)
    exists = run.models.exists_test(node.test)
    positive, negative = "if", "if"
    if exists is not None:
        positive, negative = ("exists", "missing") if exists[1] else ("missing", "exists")
    with run.guard(positive):
        first = run.eval(node.body)
    with run.guard(negative):
        second = run.eval(node.orelse)
    return join(first, second)


def _eval_list(run: Interpreter, node: ast.List | ast.Tuple | ast.Set) -> V:
    kind = type(node).__name__.lower()
    items: list[V] | None = []
    for element in node.elts[: val.MAX_ITEMS]:
        if isinstance(element, ast.Starred):
            inner = run.models.iterate(run.eval(element.value))
            if inner is None:
                items = None
            elif items is not None:
                items.extend(inner)
            continue
        value = run.eval(element)
        if items is not None:
            items.append(value)
    if len(node.elts) > val.MAX_ITEMS:
        items = None
    made = ListV(items, kind)
    made.born = birth(run)
    return made


def _eval_dict(run: Interpreter, node: ast.Dict) -> V:
    made = DictV({})
    made.born = birth(run)
    for key, element in list(zip(node.keys, node.values, strict=True))[: val.MAX_ITEMS]:
        value = run.eval(element)
        if key is None:
            if isinstance(value, DictV):
                made.items.update(value.items)
                made.partial |= value.partial
            else:
                made.partial = True
            continue
        name = run.eval(key)
        if isinstance(name, Const):
            made.items[name.value] = value
        else:
            made.partial = True
    made.partial |= len(node.keys) > val.MAX_ITEMS
    return made


def _eval_lambda(run: Interpreter, node: ast.Lambda) -> V:
    return make_function(run, node)


def _eval_await(run: Interpreter, node: ast.Await) -> V:
    saved, run.awaited = run.awaited, node.value
    try:
        value = run.eval(node.value)
    finally:
        run.awaited = saved
    coroutines.awaited(run, node)
    return value


def _eval_walrus(run: Interpreter, node: ast.NamedExpr) -> V:
    value = run.eval(node.value)
    run.assign(node.target, value)
    return value


def _eval_starred(run: Interpreter, node: ast.Starred) -> V:
    return run.eval(node.value)


def _eval_yield(run: Interpreter, node: ast.Yield) -> V:
    value = Const(None) if node.value is None else run.eval(node.value)
    if run.active and run.active[-1] == run.lifespan:
        raise ServingError(value)
    return Unk("is sent into a generator")


def _eval_yield_from(run: Interpreter, node: ast.YieldFrom) -> V:
    run.eval(node.value)
    return Unk("comes from a generator")


def _eval_comprehension(
    run: Interpreter, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
) -> V:
    outer = run.frame
    assert outer is not None
    inner = Frame(outer.state, outer, outer.function)
    is_dict = isinstance(node, ast.DictComp)
    source = run.eval(node.generators[0].iter)
    first = run.models.iterate(source)
    run.frame = inner
    try:
        simple = len(node.generators) == 1
        limit = MAX_UNROLL if run.unrolling else MAX_COMPREHENSION
        if simple and first is not None and len(first) <= limit and run.unrolling < 2:
            run.unrolling += 1
            try:
                return _unrolled(run, node, first)
            finally:
                run.unrolling -= 1
        with run.guard("loop"):
            for index, generator in enumerate(node.generators):
                if index:
                    run.eval(generator.iter)
                known_item = source.each if not index and isinstance(source, ListV) else None
                run.assign(generator.target, known_item or Unk("varies in a loop"))
                for condition in generator.ifs:
                    run.eval(condition)
            if isinstance(node, ast.DictComp):
                run.eval(node.key)
                run.eval(node.value)
            else:
                each = run.eval(node.elt)
                if not isinstance(each, Unk):
                    return ListV(None, each=each)
    finally:
        run.frame = outer
    return DictV({}, partial=True) if is_dict else ListV(None)


def _unrolled(
    run: Interpreter,
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
    items: list[V],
) -> V:
    generator = node.generators[0]
    made: list[V] = []
    pairs = DictV({})
    sure = True
    for item in items:
        run.assign(generator.target, item)
        keeps = [truth(run.eval(condition)) for condition in generator.ifs]
        if False in keeps:
            continue
        sure &= None not in keeps
        if isinstance(node, ast.DictComp):
            key, value = run.eval(node.key), run.eval(node.value)
            if isinstance(key, Const):
                pairs.items[key.value] = value
            else:
                pairs.partial = True
        else:
            made.append(run.eval(node.elt))
    if isinstance(node, ast.DictComp):
        pairs.partial |= not sure
        return pairs
    return ListV(made if sure else None, "set" if isinstance(node, ast.SetComp) else "list")


EVAL: dict[type[ast.expr], Callable[[Interpreter, Any], V]] = {
    ast.Constant: _eval_constant,
    ast.Name: _eval_name,
    ast.Attribute: _eval_attribute,
    ast.Subscript: _eval_subscript,
    ast.Call: _eval_call,
    ast.JoinedStr: _eval_f_string,
    ast.BinOp: _eval_binary,
    ast.UnaryOp: _eval_unary,
    ast.BoolOp: _eval_bool,
    ast.Compare: _eval_compare,
    ast.IfExp: _eval_conditional,
    ast.List: _eval_list,
    ast.Tuple: _eval_list,
    ast.Set: _eval_list,
    ast.Dict: _eval_dict,
    ast.Lambda: _eval_lambda,
    ast.Await: _eval_await,
    ast.NamedExpr: _eval_walrus,
    ast.Starred: _eval_starred,
    ast.Yield: _eval_yield,
    ast.YieldFrom: _eval_yield_from,
    ast.ListComp: _eval_comprehension,
    ast.SetComp: _eval_comprehension,
    ast.GeneratorExp: _eval_comprehension,
    ast.DictComp: _eval_comprehension,
}
