"""What each kind of statement does to the names of a scope, and how control leaves it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.parsers.python import libraries, refusals, since
from auditor.parsers.python.expressions import make_function, operate
from auditor.parsers.python.facts import Phase
from auditor.parsers.python.imports import run_import, run_import_from
from auditor.parsers.python.module import handler_types, is_main_test, text_of
from auditor.parsers.python.operations import compare
from auditor.parsers.python.scopes import BREAK, FALL, MAX_UNROLL, RAISE, RETURN, Frame
from auditor.parsers.python.values import (
    Bound,
    Choice,
    Class,
    Const,
    Ext,
    Found,
    Func,
    ListV,
    Obj,
    Unk,
    V,
    deps_of,
    join,
    truth,
)

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter
_BROAD = frozenset({"Exception", "BaseException"})
_OS = frozenset(
    {
        "OSError",
        "IOError",
        "EnvironmentError",
        "FileNotFoundError",
        "PermissionError",
        "IsADirectoryError",
        "NotADirectoryError",
        "FileExistsError",
    }
)
_IMPORT = frozenset({"ImportError", "ModuleNotFoundError"})
_KEY = frozenset({"KeyError", "LookupError"})


_LOADED = re.compile(r"loaded|ready|initiali[sz]ed|cached", re.IGNORECASE)


def _calls_method(body: list[ast.stmt], base: str) -> bool:
    """A statement of the block calls a method of that object."""
    return any(
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and text_of(part.func.value) == base
        for statement in body
        for part in ast.walk(statement)
    )


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _as_load(target: ast.expr) -> ast.expr | None:
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(id=target.id, ctx=ast.Load()), target)
    if isinstance(target, ast.Attribute):
        load = ast.Attribute(value=target.value, attr=target.attr, ctx=ast.Load())
        return ast.copy_location(load, target)
    if isinstance(target, ast.Subscript):
        item = ast.Subscript(value=target.value, slice=target.slice, ctx=ast.Load())
        return ast.copy_location(item, target)
    return None


def _has(body: list[ast.stmt], kind: type[ast.stmt]) -> bool:
    return any(isinstance(n, kind) for n in ast.walk(ast.Module(body=body, type_ignores=[])))


def _guard_kind(test: ast.expr) -> str | None:
    text = text_of(test)
    if "sys.platform" in text or "platform.system" in text or "os.name" in text:
        return "platform"
    return "version" if "version_info" in text else None


def _reraises(body: list[ast.stmt]) -> bool:
    """Whether a handler always ends the process, the request or the import."""
    if not body:
        return False
    last = body[-1]
    if isinstance(last, ast.Raise):
        return True
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return text_of(last.value.func) in ("sys.exit", "exit", "quit", "os._exit", "abort")
    if isinstance(last, ast.If):
        return _reraises(last.body) and _reraises(last.orelse)
    return False


def _handler_guard(handler: ast.ExceptHandler) -> str:
    if handler.type is None:
        return "try"
    names = {text_of(t).rpartition(".")[2] for t in handler_types(handler)}
    if names & _BROAD:
        return "try"
    if names & _OS:
        return "os-error"
    if names & _IMPORT:
        return "import-error"
    if names & _KEY:
        return "key-error"
    return "other-error"


def _run_expr(run: Interpreter, node: ast.Expr) -> int:
    value = node.value
    if isinstance(value, ast.Constant):
        return FALL
    result = run.eval(value)
    if isinstance(result, Obj) and result.name == "sys.exit":
        return RAISE
    return FALL


def _run_assign(run: Interpreter, node: ast.Assign) -> int:
    value = run.eval(node.value)
    for target in node.targets:
        run.assign(target, value)
    return FALL


def _run_ann_assign(run: Interpreter, node: ast.AnnAssign) -> int:
    frame = run.frame
    assert frame is not None
    if node.value is not None:
        run.assign(node.target, run.eval(node.value))
    return FALL


def _run_aug_assign(run: Interpreter, node: ast.AugAssign) -> int:
    load = _as_load(node.target)
    value = Unk("an augmented assignment") if load is None else run.eval(load)
    added = run.eval(node.value)
    if isinstance(value, ListV) and isinstance(node.op, ast.Add) and value.kind == "list":
        run.models.list_extend(value, added)
        return FALL
    if isinstance(node.op, ast.BitOr):
        since.union(run, value, added, node)
    run.assign(node.target, operate(run, node.op, value, added))
    return FALL


def _run_if(run: Interpreter, node: ast.If) -> int:
    frame = run.frame
    assert frame is not None
    if is_main_test(node.test):
        if run.lookup("__name__") is not None and run.is_main(frame):
            saved = run.phase
            if run.phase == Phase.IMPORT:
                run.phase = Phase.MAIN
            flow = run.block(node.body)
            run.phase = saved
            return flow
        return run.block(node.orelse)
    test = run.eval(node.test)
    known_truth = truth(test)
    caching = _is_cache_test(run, node)
    exists = run.models.exists_test(node.test)
    if known_truth is not None:
        if caching and known_truth:
            run.cached += 1
        try:
            flow = run.block(node.body if known_truth else node.orelse)
            if flow == RAISE and isinstance(test, Found | Const):
                _failing_search(run, node)
        finally:
            if caching and known_truth:
                run.cached -= 1
        if exists is not None:
            run.models.required_paths(exists, node, flow, known_truth)
        return flow
    kind = _guard_kind(node.test)
    positive, negative = ("if", "if") if kind is None else (kind, kind)
    if exists is not None:
        positive, negative = ("exists", "missing") if exists[1] else ("missing", "exists")
    before = dict(frame.vars)
    _narrow(run, node.test, True)
    if caching:
        run.cached += 1
    with run.guard(positive):
        first = run.block(node.body)
    if caching:
        run.cached -= 1
    after_body = dict(frame.vars)
    _restore(run, frame, before)
    _narrow(run, node.test, False)
    with run.guard(negative):
        second = run.block(node.orelse)
    _merge(run, frame, after_body if first & FALL else None, second)
    if exists is not None:
        run.models.required_paths(exists, node, first, None, second)
    return first | second


def _failing_search(run: Interpreter, node: ast.If) -> None:
    """``if not found: raise …`` after a search that finds nothing."""
    test = node.test
    if not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
        return
    found = run.eval(test.operand)
    last = node.body[-1]
    if isinstance(found, Found) and found.items == [] and isinstance(last, ast.Raise):
        if _told_politely(run, last):
            return
        raised = last.exc.func if isinstance(last.exc, ast.Call) else last.exc
        error = ast.unparse(raised)[:80] if raised is not None else "an exception"
        run.fails(last, error, f"nothing matches `{found.pattern}`")


def _restore(run: Interpreter, frame: Frame, names: dict[str, V]) -> None:
    frame.vars.clear()
    frame.vars.update(names)


def _merge(run: Interpreter, frame: Frame, other: dict[str, V] | None, flow: int) -> None:
    """Join the names after two branches; a branch that does not fall through is left out."""
    if other is None:
        return
    if not flow & FALL:
        _restore(run, frame, other)
        return
    mine = frame.vars
    for name, value in other.items():
        present = mine.get(name)
        if present is not value:
            mine[name] = join(value, present)


def _is_cache_test(run: Interpreter, node: ast.If) -> bool:
    """``if model is None: model = …`` and its kin: done once, then kept."""
    test = node.test
    name = ""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        if isinstance(test.ops[0], ast.Is | ast.Eq) and _is_none(test.comparators[0]):
            name = text_of(test.left)
        elif isinstance(test.ops[0], ast.NotIn):
            name = text_of(test.comparators[0])
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = test.operand
        if isinstance(inner, ast.Name | ast.Attribute):
            name = text_of(inner)
        elif isinstance(inner, ast.Call) and text_of(inner.func) == "hasattr":
            name = text_of(inner.args[0]) if inner.args else ""
        elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            # ``if not loader.is_loaded(): loader.load()``
            base = text_of(inner.func.value)
            return bool(_LOADED.search(inner.func.attr)) and _calls_method(node.body, base)
        if (
            isinstance(inner, ast.Attribute)
            and _LOADED.search(inner.attr)
            and _calls_method(node.body, text_of(inner.value))
        ):
            return True
    if not name:
        return False
    frame = run.frame
    assert frame is not None
    if "." not in name and name not in frame.globals and name in frame.vars and frame.function:
        return False  # a local variable keeps nothing
    for part in ast.walk(ast.Module(body=node.body, type_ignores=[])):
        if isinstance(part, ast.Name | ast.Attribute | ast.Subscript) and isinstance(
            part.ctx, ast.Store
        ):
            target = part.value if isinstance(part, ast.Subscript) else part
            text = text_of(target)
            if text == name or text.startswith(name + "."):
                return True
    return False


def _narrow(run: Interpreter, test: ast.expr, holds: bool) -> None:
    """Drop alternatives of a name that a condition excludes."""
    frame = run.frame
    assert frame is not None
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        _narrow(run, test.operand, not holds)
        return
    if isinstance(test, ast.BoolOp):
        if isinstance(test.op, ast.And) == holds:
            for part in test.values:
                _narrow(run, part, holds)
        return
    keep: Callable[[V], bool]
    if isinstance(test, ast.Name):
        name = test.id

        def keep(option: V) -> bool:
            return truth(option) in (holds, None)
    elif (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and len(test.ops) == 1
        and _is_none(test.comparators[0])
        and isinstance(test.ops[0], ast.Is | ast.IsNot)
    ):
        name = test.left.id
        wants_none = isinstance(test.ops[0], ast.Is) == holds

        def keep(option: V) -> bool:
            is_none = isinstance(option, Const) and option.value is None
            return (
                is_none
                if wants_none and not isinstance(option, Unk)
                else (not is_none or wants_none)
            )
    else:
        return
    value = frame.vars.get(name)
    if isinstance(value, Choice):
        kept = [option for option in value.options if keep(option)]
        if kept:
            frame.vars[name] = join(*kept)


def _run_for(run: Interpreter, node: ast.For | ast.AsyncFor) -> int:
    source = run.eval(node.iter)
    items = run.models.iterate(source)
    each = source.each if isinstance(source, ListV) else None
    frame = run.frame
    assert frame is not None
    if items is not None and len(items) <= MAX_UNROLL:
        result, pushed, broke = 0, 0, False
        try:
            for item in items:
                run.assign(node.target, item)
                flow = run.block(node.body)
                result |= flow & (RETURN | RAISE)
                if flow & (RETURN | BREAK) and flow & FALL:
                    run.guards.append("early-return")
                    pushed += 1
                    _havoc(run, node.body)
                if not flow & FALL and not flow & BREAK:
                    if not pushed:
                        return result
                    break
                if not flow & FALL:  # break or continue, one way or the other
                    if _has(node.body, ast.Continue):
                        continue
                    broke = True
                    break
        finally:
            del run.guards[len(run.guards) - pushed :]
        if node.orelse and not broke:
            result |= run.block(node.orelse)
        return result | FALL
    item = each or Unk("varies in a loop")
    _loop(run, node.body, lambda: run.assign(node.target, item))
    flow = run.last_flow
    if node.orelse:
        flow |= run.block(node.orelse)
    return (flow & (RETURN | RAISE)) | FALL


def _loop(run: Interpreter, body: list[ast.stmt], bind: Callable[[], None] | None = None) -> None:
    frame = run.frame
    assert frame is not None
    before = dict(frame.vars)
    _havoc(run, body)
    with run.guard("loop"):
        if bind is not None:
            bind()
        run.last_flow = run.block(body)
    for name, value in before.items():
        present = frame.vars.get(name)
        if present is not value:
            frame.vars[name] = join(value, present)


def _havoc(run: Interpreter, body: list[ast.stmt]) -> None:
    """Forget names that a body assigns: their values differ from round to round."""
    frame = run.frame
    assert frame is not None
    for part in ast.walk(ast.Module(body=body, type_ignores=[])):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            if part.id in frame.vars:
                frame.vars[part.id] = Unk("varies in a loop", deps_of(frame.vars[part.id]))
            elif part.id in frame.globals:
                run.store(part.id, Unk("varies in a loop"))


def _run_while(run: Interpreter, node: ast.While) -> int:
    test = run.eval(node.test)
    known_truth = truth(test)
    if known_truth is False:
        return run.block(node.orelse)
    if known_truth and isinstance(node.test, ast.Constant):
        frame = run.frame
        assert frame is not None
        before = dict(frame.vars)
        _havoc(run, node.body)
        flow = run.block(node.body)
        for name, value in before.items():
            if frame.vars.get(name) is not value:
                frame.vars[name] = join(value, frame.vars.get(name))
        if flow & BREAK or not flow & (RETURN | RAISE):
            return (flow & (RETURN | RAISE)) | FALL
        return flow & (RETURN | RAISE)
    _loop(run, node.body)
    return (run.last_flow & (RETURN | RAISE)) | FALL


def _answers_itself(run: Interpreter, handler: ast.ExceptHandler) -> bool:
    """``except FileNotFoundError: raise HTTPException(404)``: a file that may be missing.

    What a prediction needs is a fault all the same, however politely it is told.
    """
    last = handler.body[-1]
    return (
        isinstance(last, ast.Raise)
        and _told_politely(run, last)
        and _handler_guard(handler) == "os-error"
    )


def _told_politely(run: Interpreter, statement: ast.Raise) -> bool:
    """An exception that is an answer over HTTP, where nobody asks for a prediction."""
    raised = statement.exc
    return (
        run.phase is Phase.REQUEST
        and isinstance(raised, ast.Call)
        and text_of(raised.func).rpartition(".")[2] in ("HTTPException", "Http404", "NotFound")
        and "predict" not in run.route.lower()
    )


def _run_try(run: Interpreter, node: ast.Try) -> int:
    frame = run.frame
    assert frame is not None
    guards = [
        _handler_guard(h)
        for h in node.handlers
        if not _reraises(h.body) or (run.phase is Phase.REQUEST and _answers_itself(run, h))
    ]
    before = dict(frame.vars)
    with run.guard(*dict.fromkeys(guards)):
        flow = run.block(node.body)
        if flow & FALL and node.orelse:
            flow = (flow & ~FALL) | run.block(node.orelse)
    after_body = dict(frame.vars)
    results: list[dict[str, V]] = [after_body] if flow & FALL else []
    for handler in node.handlers:
        start = dict(before)
        for name, value in after_body.items():
            present = start.get(name)
            if present is not value:
                start[name] = join(value, present)
        _restore(run, frame, start)
        if handler.name:
            frame.vars[handler.name] = Unk("is a caught exception")
        with run.guard("except"):
            other = run.block(handler.body)
        if other & FALL:
            results.append(dict(frame.vars))
        # A handler that leaves by raising does not make what follows less sure.
        flow |= other & ~RETURN if _reraises(handler.body) else other
    if results:
        _restore(run, frame, results[0])
        for other_names in results[1:]:
            _merge(run, frame, other_names, FALL)
    if node.finalbody:
        final = run.block(node.finalbody)
        if not final & FALL:
            return final
    return flow


def _run_with(run: Interpreter, node: ast.With | ast.AsyncWith) -> int:
    guards = 0
    for item in node.items:
        manager = run.eval(item.context_expr)
        if isinstance(manager, Obj) and manager.name == "contextlib.suppress":
            run.guards.append(run.models.suppress_guard(manager))
            guards += 1
        if item.optional_vars is not None:
            run.assign(item.optional_vars, run.models.enter_context(manager))
        else:
            run.models.enter_context(manager)
    try:
        return run.block(node.body) | (FALL if guards else 0)
    finally:
        if guards:
            del run.guards[len(run.guards) - guards :]


def _run_function(run: Interpreter, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    frame = run.frame
    assert frame is not None
    function = make_function(run, node)
    if frame.is_class:
        function.closure = frame.closure
    value: V = function
    names = []
    for decorator in reversed(node.decorator_list):
        decorated = run.eval(decorator)
        names.append(run.models.decorator_name(decorated))
        libraries.refused_decorator(run, decorated, decorator)
        value = run.models.decorate(decorated, value, decorator)
    function.decorators = tuple(name for name in names if name)
    run.store(node.name, value)
    return FALL


def _run_class(run: Interpreter, node: ast.ClassDef) -> int:
    frame = run.frame
    assert frame is not None
    bases = [run.eval(base) for base in node.bases]
    qualname = f"{frame.function}.{node.name}" if frame.function else node.name
    body = Frame(frame.state, frame if frame.function else None, qualname)
    body.is_class = True
    made = Class(node, frame.state, qualname, bases, body.vars)
    made.keywords = {k.arg: run.eval(k.value) for k in node.keywords if k.arg}
    run.frame = body
    try:
        run.block(node.body)
        _annotations(run, node, bases)
    finally:
        run.frame = frame
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            made.annotations.append(
                (statement.target.id, statement.annotation, statement.value, statement)
            )
    for member in made.names.values():
        inner = member.func if isinstance(member, Bound) else member
        if isinstance(inner, Func) and inner.cls is None:
            inner.cls = made
    run.models.class_defined(made)
    value: V = made
    names = []
    for decorator in reversed(node.decorator_list):
        decorated = run.eval(decorator)
        names.append(run.models.decorator_name(decorated))
        value = run.models.decorate(decorated, value, decorator)
    made.decorators = tuple(name for name in names if name)
    refusals.field_defaults(run, made)
    run.sink.classes[f"{frame.state.name}:{qualname}"] = (
        frame.state.facts.path if frame.state.facts else ""
    )
    run.store(node.name, value)
    return FALL


def _annotations(run: Interpreter, node: ast.ClassDef, bases: list[V]) -> None:
    """Carry out the calls in the annotations of a class: ``conlist(float, min_items=1)``."""
    if not any(isinstance(base, Ext) and base.name.startswith("pydantic.") for base in bases):
        return
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign):
            for part in ast.walk(statement.annotation):
                if isinstance(part, ast.Call):
                    run.eval(part)


def _run_return(run: Interpreter, node: ast.Return) -> int:
    value = Const(None) if node.value is None else run.eval(node.value)
    if run.returns:
        run.returns[-1].append(value)
    return RETURN


def _run_raise(run: Interpreter, node: ast.Raise) -> int:
    if node.exc is not None:
        run.eval(node.exc)
    return RAISE


def _run_assert(run: Interpreter, node: ast.Assert) -> int:
    value = run.eval(node.test)
    exists = run.models.exists_test(node.test)
    if exists is not None:
        run.models.require_path(exists, node)
    _narrow(run, node.test, True)
    return RAISE if truth(value) is False else FALL


def _run_global(run: Interpreter, node: ast.Global) -> int:
    assert run.frame is not None
    run.frame.globals.update(node.names)
    return FALL


def _run_nonlocal(run: Interpreter, node: ast.Nonlocal) -> int:
    assert run.frame is not None
    run.frame.nonlocals.update(node.names)
    return FALL


def _run_delete(run: Interpreter, node: ast.Delete) -> int:
    for target in node.targets:
        if isinstance(target, ast.Name) and run.frame is not None:
            run.frame.vars.pop(target.id, None)
    return FALL


def _run_leave(run: Interpreter, node: ast.stmt) -> int:
    return BREAK


def _run_match(run: Interpreter, node: Any) -> int:
    frame = run.frame
    assert frame is not None
    subject = run.eval(node.subject)
    before = dict(frame.vars)
    outcomes: list[dict[str, V]] = []
    result = FALL
    for case in node.cases:
        _restore(run, frame, before)
        pattern = case.pattern
        matched: bool | None = None
        if isinstance(pattern, ast.MatchValue):
            other = run.eval(pattern.value)
            matched = truth(compare(ast.Eq(), subject, other))
        elif isinstance(pattern, ast.MatchAs) and pattern.pattern is None:
            matched = True
        if case.guard is not None:
            matched = None
        if matched is False:
            continue
        for part in ast.walk(pattern):
            name = getattr(part, "name", None) or getattr(part, "rest", None)
            if isinstance(name, str):
                frame.vars[name] = Unk("is bound by a pattern")
        if matched and not outcomes:
            return run.block(case.body)
        with run.guard("if"):
            flow = run.block(case.body)
        result |= flow
        if flow & FALL:
            outcomes.append(dict(frame.vars))
        if matched:
            break
    else:
        outcomes.append(before)
    if outcomes:
        _restore(run, frame, outcomes[0])
        for names in outcomes[1:]:
            _merge(run, frame, names, FALL)
    return result


RUN: dict[type[ast.stmt], Callable[[Interpreter, Any], int]] = {
    ast.Expr: _run_expr,
    ast.Assign: _run_assign,
    ast.AnnAssign: _run_ann_assign,
    ast.AugAssign: _run_aug_assign,
    ast.If: _run_if,
    ast.For: _run_for,
    ast.AsyncFor: _run_for,
    ast.While: _run_while,
    ast.Try: _run_try,
    ast.With: _run_with,
    ast.AsyncWith: _run_with,
    ast.FunctionDef: _run_function,
    ast.AsyncFunctionDef: _run_function,
    ast.ClassDef: _run_class,
    ast.Return: _run_return,
    ast.Raise: _run_raise,
    ast.Assert: _run_assert,
    ast.Global: _run_global,
    ast.Nonlocal: _run_nonlocal,
    ast.Delete: _run_delete,
    ast.Break: _run_leave,
    ast.Continue: _run_leave,
    ast.Match: _run_match,
    ast.Import: run_import,
    ast.ImportFrom: run_import_from,
}
if hasattr(ast, "TryStar"):
    RUN[ast.TryStar] = _run_try
