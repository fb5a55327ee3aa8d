"""The verdict over what a pickle does: everything but the provably harmless is an issue."""

from __future__ import annotations

from auditor.artifacts.facts import ArtifactIssue, GlobalRef, Verdict, worst
from auditor.artifacts.pickle.names import Entry, known_module, lookup
from auditor.artifacts.pickle.policy import (
    POLICIES,
    arguments,
    bound_method,
    is_class,
    new_objection,
    resolve,
)
from auditor.artifacts.pickle.runs import Some
from auditor.artifacts.pickle.states import (
    attributes_only,
    hook,
    of_values,
    partial_state,
    state_objection,
)
from auditor.artifacts.pickle.symbols import shown, target_name
from auditor.artifacts.pickle.values import (
    Call,
    Dct,
    Glob,
    Lst,
    Pers,
    Value,
    plain,
)
from auditor.findings import Severity

_MAX_GLOBALS = 20_000
# After so many calls like ones are no longer told of one by one.
_TOLD = 400


class Judge:
    """Observes one stream (or several) and collects issues; each kind of issue once per name."""

    def __init__(self, *, persistent_ids: str = "", max_issues: int = 100) -> None:
        """``persistent_ids`` is ``torch`` where the loader resolves them to storages."""
        self.issues: list[ArtifactIssue] = []
        self.globals: dict[tuple[str, str], GlobalRef] = {}
        self.calls: list[Call] = []
        self.call_count = 0
        self.keep_calls = 4000
        self.persistent_ids = persistent_ids
        self.persistent: list[str] = []
        self.extensions: list[int] = []
        self.buffers = False
        self.code_objects = False
        self._seen: set[tuple[str, str]] = set()
        self._passed: dict[tuple[object, ...], Glob | None] = {}
        self._stateless: set[Glob] = set()
        self._max_issues = max_issues
        self._verdict: Verdict = "safe"

    @property
    def verdict(self) -> Verdict:
        return self._verdict

    # -- what the machine tells ------------------------------------------------------------

    def on_global(self, found: Glob) -> None:
        key = (found.module, found.name)
        if key in self.globals:
            return
        if len(self.globals) < _MAX_GLOBALS:
            self.globals[key] = GlobalRef(
                module=found.module,
                name=found.name,
                offset=found.offset,
                written=found.written,
            )
        elif lookup(*key).standing == "allowed":
            return
        entry = lookup(*key)
        if entry.standing == "allowed" or self._scripted(found):
            return
        name = found.key
        if _is_code_library(found):
            if name not in _DEFERRED:
                self._code_by_value(name, found.offset)
        elif name.endswith(".__dict__") and found.name == "__dict__" and _is_library(found.module):
            # Functions by value refer to the namespace of their module.
            self._code_by_value(name, found.offset)
        elif entry.standing == "dangerous" and not _of_program(found):
            self._issue(
                "ART001",
                f"imports {name}, which {entry.reason}",
                "dangerous",
                Severity.CRITICAL,
                found.offset,
                what=f"loading imports {name}, which {entry.reason}",
                callable=name,
                chain=_chain(found),
            )
        else:
            self._issue(
                "ART002",
                f"imports {name}, which is not on the allow-list",
                "suspicious",
                Severity.HIGH,
                found.offset,
                what=f"loading imports {found.module} and uses its {found.name}",
                callable=name,
                chain=_chain(found),
            )

    def on_call(self, call: Call) -> None:
        self.call_count += 1
        if self.call_count <= self.keep_calls:
            self.calls.append(call)
        func = call.func
        # Millions of small objects are made by the same call with arguments of the same types.
        if type(func) is Glob and type(call.args) is tuple and call.kwargs is None:
            key = (func, call.how, *map(type, call.args))
            if key in self._passed:
                call.cls = self._passed[key]
                return
            before = len(self._seen)
            self._judge_call(call)
            if len(self._seen) == before and len(self._passed) < 1000 and _by_types(call):
                self._passed[key] = call.cls
            return
        if type(func) is Call or (type(func) is Pers and self.persistent_ids == "torch"):
            made = resolve(call)
            if made is not call:
                self._judge_call(made)
                call.cls = made.cls
                return
            if type(func) is Call and _by_value(func):
                # The types of code, functions and cells, as cloudpickle and dill name them.
                if bound_method(func, call):
                    return
                self._code_by_value(shown(func, 1), call.offset)
                return
        self._judge_call(call)

    def _judge_call(self, call: Call) -> None:
        func = call.func
        if type(func) is not Glob:
            what = shown(func)
            self._issue(
                "ART001",
                f"calls {what}, the result of another call",
                "dangerous" if type(func) is Call else "suspicious",
                Severity.CRITICAL,
                call.offset,
                what=f"loading calls {what}({shown_args(call)})",
                callable=what,
                arguments=shown_args(call),
            )
            return
        entry = lookup(func.module, func.name)
        if self._scripted(func):
            call.cls = func
            return
        if entry.standing != "allowed":
            call.cls = func if call.how.startswith("NEWOBJ") else None
            if func.key in ("copyreg.add_extension", "copy_reg.add_extension"):
                self._extension_registered(call)
            if _is_code_library(func):
                if func.key in _DEFERRED and POLICIES[_DEFERRED[func.key]](call) is None:
                    return
                if func.key in _DEFERRED:
                    self._code_by_value(func.key, call.offset)
                self._code_library(call, func)
                return
            danger = entry.standing == "dangerous" and not _of_program(func)
            args = shown_args(call)
            self._issue(
                "ART001" if danger else "ART002",
                _calls(call, func, entry),
                "dangerous" if danger else "suspicious",
                Severity.CRITICAL if entry.standing == "dangerous" else Severity.HIGH,
                call.offset,
                what=f"loading calls {func.key}({args})",
                callable=func.key,
                arguments=args,
                opcode=call.how if _restores(call) else "",
            )
            return
        objection = self._objection(call, func, entry.kind, entry.policy)
        if objection is not None:
            from auditor.artifacts.pickle.names import _tables  # the danger list, for the words

            reason = _tables()[3].get(func.key)
            verdict: Verdict = (
                "dangerous"
                if reason and func.key in _SHARP and not _public_attribute(call)
                else "suspicious"
            )
            args = shown_args(call)
            self._issue(
                "ART001" if verdict == "dangerous" else "ART002",
                _objected(func, objection),
                verdict,
                Severity.CRITICAL if verdict == "dangerous" else Severity.HIGH,
                call.offset,
                what=f"loading calls {func.key}({args})",
                callable=func.key,
                arguments=args,
            )

    def _objection(self, call: Call, func: Glob, kind: str, policy: str) -> str | None:
        if call.how in ("NEWOBJ", "NEWOBJ_EX"):
            if is_class(func):
                return new_objection(call, func)
            return "it is not a class whose instances models hold"
        if policy:
            return POLICIES[policy](call)
        if kind == "native":
            return POLICIES["values"](call)
        if kind == "enum":
            args = arguments(call)
            return None if args and len(args) == 1 and plain(args) else "it makes an enumeration"
        if kind == "exception" and func.module == "builtins":
            args = arguments(call)
            call.cls = func
            return None if args is not None and plain(args) else "its arguments are not plain"
        return "no model calls it while loading"

    def on_build(self, target: Value, state: Value, offset: int) -> None:
        if type(target) is Call:
            cls = target.cls
            if cls is None:
                if partial_state(target, state):
                    return
                name = target_name(target)
                self._issue(
                    "ART002",
                    f"sets the state of what {name} returns",
                    "suspicious",
                    Severity.HIGH,
                    offset,
                    what=f"loading sets attributes of what {name} returns",
                    callable=name,
                )
                return
            if (
                cls in self._stateless
                and type(state) is Dct
                and not target.states
                and state.complete
                and all(type(key) is str and key[:2] != "__" for key in state.flat[::2])
            ):
                return
            objection = state_objection(target, cls, state)
            if objection is None and target.states:
                # No pickler sets a state twice; the first may have planted what the second calls.
                objection = "an earlier state may have replaced its methods"
            if objection is None and attributes_only(cls):
                self._stateless.add(cls)
            if objection is not None:
                self._issue(
                    "ART001" if "execut" in objection or "evaluat" in objection else "ART002",
                    f"sets a state of {cls.key} that no model needs: {objection}",
                    "dangerous"
                    if "executes the text" in objection or "evaluates" in objection
                    else "suspicious",
                    Severity.CRITICAL,
                    offset,
                    what=f"loading calls {cls.key}.__setstate__: {objection}",
                    callable=f"{cls.key}.__setstate__",
                    arguments=shown(state),
                )
            return
        if type(target) is Glob:
            self._issue(
                "ART001",
                f"changes attributes of {target.key} itself",
                "dangerous",
                Severity.CRITICAL,
                offset,
                what=f"loading assigns attributes of {target.key} for the whole process",
                callable=target.key,
                arguments=shown(state),
            )
            return
        self._issue(
            "ART003",
            f"sets the state of {shown(target)}",
            "suspicious",
            Severity.HIGH,
            offset,
            what="unpicklers fail here, or call a hook that is not known",
            opcode="BUILD",
        )

    def on_add(self, target: Value, items: list[Value], how: str, offset: int) -> None:
        if type(target) is Call:
            target.add(items)
            cls = target.cls
            wanted = "dict" if how.startswith("SETITEM") else "list"
            # Items come before the state; of some dictionaries they are attributes, too.
            if (
                cls is not None
                and not target.states
                and lookup(cls.module, cls.name).kind == wanted
                and (cls.module in _BUILTIN or not any(map(hook, items[::2])))
            ):
                return
        elif not items and type(target) in (Dct, Lst):
            return
        name = target.key if type(target) is Glob else target_name(target)
        danger = type(target) is Glob
        self._issue(
            "ART001" if danger else "ART002" if type(target) is Call else "ART003",
            f"adds items to {name}",
            "dangerous" if danger else "suspicious",
            Severity.CRITICAL if danger else Severity.HIGH,
            offset,
            what=f"loading calls the item or append method of {name}",
            callable=name,
            arguments=shown(tuple(items[:4])),
            opcode=how,
        )

    def on_persistent(self, found: Pers) -> None:
        text = shown(found.pid)
        if len(self.persistent) < 1000:
            self.persistent.append(text)
        if self.persistent_ids in ("torch", "torchscript"):
            pid = found.pid
            if (
                type(pid) is tuple
                and len(pid) >= 5
                and pid[0] == "storage"
                and type(pid[1]) is Glob
                and pid[1].module.startswith("torch")
                and pid[1].name.endswith("Storage")
                and plain(pid[2:])
            ):
                return
            if (
                type(pid) is tuple
                and len(pid) > 1
                and pid[0] == "module"
                and type(pid[1]) is Glob
                and plain(pid[2:])
            ):
                # torch.save of a whole module records the source of its class.
                return
            message = "a persistent id that stands for no torch storage"
        else:
            message = "a persistent id, which only a custom loader resolves"
        self._issue(
            "ART003",
            f"holds {message}: {text}",
            "suspicious",
            Severity.MEDIUM,
            found.offset,
            what="what is loaded in its place depends on the program that loads the file",
        )

    def on_extension(self, code: int, offset: int) -> None:
        self.extensions.append(code)
        self._issue(
            "ART001" if self._registry_touched() else "ART003",
            f"uses the extension code {code}, which names a callable outside the file",
            "dangerous" if self._registry_touched() else "suspicious",
            Severity.HIGH,
            offset,
            what="the extension registry of the loading process decides what is imported",
            opcode="EXT",
        )

    def on_buffer(self, offset: int) -> None:
        self.buffers = True

    def on_anomaly(self, message: str, offset: int) -> None:
        self._issue(
            "ART003",
            f"is ambiguous: {message}",
            "suspicious",
            Severity.HIGH,
            offset,
            what="unpicklers do not agree on what this stream means",
        )

    def on_skipped(self, *, calls: bool) -> None:
        if calls:
            # Of the calls in a run none is kept.
            self.call_count = max(self.call_count, len(self.calls)) + 1

    # -- what the machine asks: would these calls be harmless, whatever stands for ``Some``? ----

    @property
    def ripe(self) -> bool:
        """Whether enough calls were told of: of those in runs none is kept."""
        return self.call_count >= min(self.keep_calls, _TOLD)

    def made(self, func: Value, args: Value, how: str) -> Call | None:
        """What the call makes; None where that depends on more than is known."""
        if not self.ripe or type(func) is not Glob or type(args) is not tuple:
            return None
        call = Call(func, args, None, how, func.offset)
        entry = lookup(func.module, func.name)
        if (entry.standing == "unknown" and not _is_code_library(func)) or _of_program(func):
            # One issue is reported for each name.
            call.cls = func if how == "NEWOBJ" else None
            return call if ("ART002", _calls(call, func, entry)) in self._seen else None
        if entry.standing != "allowed" or self._scripted(func):
            return None
        asked = Call(func, tuple(map(_placed, args)), None, how, func.offset)
        if entry.policy == "latin1" and args and type(args[0]) is Some and args[0].kind == "str":
            # Of the text only the type is asked.
            asked = Call(func, ("", *args[1:]), None, how, func.offset)
        if (
            entry.policy == "frombuffer"
            and args
            and type(args[0]) is Some
            and args[0].kind in ("bytes", "bytearray")
            and not varies(args[1:])
        ):
            asked = Call(func, (b"", *args[1:]), None, how, func.offset)
        elif varies(args) and entry.policy not in _BLIND:
            return None
        objection = self._objection(asked, func, entry.kind, entry.policy)
        if objection is not None and (
            varies(args)
            or func.key in _SHARP
            or ("ART002", _objected(func, objection)) not in self._seen
        ):
            return None
        call.cls = asked.cls
        return call

    def built(self, target: Value, state: Value) -> Call | None:
        """The object with a state; None where setting it is not known to be harmless."""
        if type(target) is not Call or target.states or target.items:
            return None
        cls = target.cls
        call = Call(target.func, target.args, target.kwargs, target.how, target.offset)
        call.cls = cls
        call.states = [state]
        if cls is None:
            message = f"sets the state of what {target_name(target)} returns"
            return call if ("ART002", message) in self._seen else None
        # joblib reads from the file after some of these.
        if "joblib" in cls.module:
            return None
        policies = lookup(cls.module, cls.name).state.split("|")
        asked = state
        if varies(state) or varies(target.args):
            if policies == ["array"] and type(state) is tuple and state:
                # NumPy checks the length itself.
                if varies(state[:-1]) or varies(target.args):
                    return None
                if type(state[-1]) is Some and state[-1].kind == "bytes":
                    asked = (*state[:-1], b"")
            elif not (
                attributes_only(cls) or (len(policies) == 1 and policies[0] in _BLIND_STATES)
            ):
                return None
        return call if state_objection(target, cls, asked) is None else None

    def filled(self, target: Value, wanted: str) -> Call | None:
        """The object with items added; None where adding them is not known to be harmless."""
        if type(target) is not Call or self.holds(target) != wanted:
            return None
        return target

    def holds(self, target: Call) -> str:
        """``dict`` or ``list`` where whatever is added to the object is harmless."""
        cls = target.cls
        if cls is None or target.states or cls.module not in _BUILTIN:
            return ""
        kind = lookup(cls.module, cls.name).kind
        return kind if kind in ("dict", "list") else ""

    def steady(self, made: Value) -> bool:
        """Whether the object is data through and through, and nothing is ever added to it."""
        if type(made) is not Call:
            return False
        if made.cls is None:
            # Bytes, as protocols 0 to 2 write them.
            return type(made.func) is Glob and made.func.key == "_codecs.encode"
        return of_values(made.cls) and made.cls.module not in _BUILTIN

    def settled(self, value: Value) -> bool:
        """Whether a value of the memo is what it is judged as for ever."""
        if type(value) is tuple:
            return all(map(self.settled, value))
        if type(value) is Call:
            return bool(value.states) or self.steady(value)
        return type(value) is Glob or type(value) in _SCALAR_TYPES

    def _code_by_value(self, name: str, offset: int) -> None:
        self.code_objects = True
        self._issue(
            "ART002",
            "holds functions or classes by value",
            "suspicious",
            Severity.HIGH,
            offset,
            what="loading rebuilds Python functions from bytecode in the file",
            callable=name,
        )

    def _code_library(self, call: Call, func: Glob) -> None:
        """Calls of cloudpickle and dill: rebuilding code is a doubt, importing or loading more."""
        args = arguments(call)
        if func.name == "_import_module" and args and type(args[0]) is str:
            module, _, name = args[0].rpartition(".")
            entry = lookup(args[0], "*")
            if lookup(module, name).standing == "dangerous" or entry.standing == "dangerous":
                self._issue(
                    "ART001",
                    f"imports {args[0][:200]} through {func.key}",
                    "dangerous",
                    Severity.CRITICAL,
                    call.offset,
                    what=f"loading imports {args[0][:200]}",
                    callable=func.key,
                    arguments=shown_args(call),
                )
        elif func.name == "_get_attr" and not (
            args and len(args) == 2 and type(args[1]) is str and not args[1].startswith("__")
        ):
            self._issue(
                "ART001",
                f"reaches private attributes through {func.key}",
                "dangerous",
                Severity.CRITICAL,
                call.offset,
                callable=func.key,
                arguments=shown_args(call),
            )

    def _scripted(self, found: Glob) -> bool:
        """Names that only TorchScript's own unpickler resolves: to types of the archive."""
        return self.persistent_ids == "torchscript" and (
            found.module.startswith("__torch__") or found.module == "torch.jit._pickle"
        )

    # -- helpers ---------------------------------------------------------------------------

    def _registry_touched(self) -> bool:
        return any(module in ("copyreg", "copy_reg") for module, _ in self.globals)

    def _extension_registered(self, call: Call) -> None:
        args = arguments(call)
        if args and len(args) >= 2 and type(args[0]) is str and type(args[1]) is str:
            self.on_global(Glob(args[0], args[1], call.offset))

    def add(self, issue: ArtifactIssue) -> None:
        """Count an issue that was found elsewhere."""
        self._verdict = worst((self._verdict, issue.verdict))
        if len(self.issues) < self._max_issues:
            self.issues.append(issue)

    def _issue(
        self,
        rule: str,
        message: str,
        verdict: Verdict,
        severity: Severity,
        offset: int,
        *,
        what: str = "",
        **evidence: str,
    ) -> None:
        key = (rule, message)
        if key in self._seen:
            return
        if len(self._seen) < 10_000:
            self._seen.add(key)
        self.add(
            ArtifactIssue(
                rule=rule,
                message=message,
                verdict=verdict,
                severity=severity,
                what=what,
                offset=offset,
                evidence=tuple((k, v) for k, v in evidence.items() if v),
            )
        )


_BUILTIN = frozenset({"collections", "builtins"})
# Policies that decide by the types of what varies; by values only where they know them exactly.
_BLIND = frozenset(
    [
        *("", "inert", "nothing", "plain", "short", "values", "latin1", "scalar", "container"),
        "default_factory",
    ]
)
_BLIND_STATES = frozenset({"plain", "uuid", "empty"})


def _of_program(func: Glob) -> bool:
    """A name of the program that loads the file: whose, only that program knows."""
    return func.module == "__main__"


def _restores(call: Call) -> bool:
    """An empty object is made, without its constructor: what is left of the class is its ``__new__``."""
    return call.how.startswith("NEWOBJ") and call.args == () and not call.kwargs


def _calls(call: Call, func: Glob, entry: Entry) -> str:
    """What is reported once of calls of what is not on the allow-list."""
    if entry.standing == "dangerous":
        return f"calls {func.key}, which {entry.reason}"
    return f"{'restores an object of' if _restores(call) else 'calls'} {func.key}"


def _objected(func: Glob, objection: str) -> str:
    """What is reported once, however often it is called."""
    return f"calls {func.key} in a way no model needs: {objection}"


def _placed(value: Value) -> Value:
    """A container of which no policy is told more than its type."""
    if type(value) is not Some or value.scalar:
        return value
    if value.kind == "dict":
        made = Dct([])
        made.odd = True
        return made
    if value.kind in ("list", "set", "frozenset", "tuple"):
        filled = Lst(value.kind, [])
        filled.odd = True
        return filled
    return value


def varies(value: Value) -> bool:
    """Whether anything of the value is only known by its kind."""
    pending = [value]
    while pending:
        value = pending.pop()
        kind = type(value)
        if kind is Some:
            return True
        if kind is tuple:
            pending += value
        elif kind is Dct:
            pending += value.flat
        elif kind is Call:
            pending += (value.args, *value.states)
    return False


_TYPED_POLICIES = frozenset({"inert", "nothing"})
_SCALAR_TYPES = frozenset({str, int, float, bool, type(None), bytes})


def _by_types(call: Call) -> bool:
    """The judgement would be the same for any arguments of these types."""
    entry = lookup(call.func.module, call.func.name)
    if entry.standing != "allowed":
        return False
    if (call.how == "NEWOBJ" or entry.kind == "native") and not entry.policy:
        return all(type(a) in _SCALAR_TYPES for a in call.args)
    if entry.policy in ("plain", "values"):
        return all(type(a) in _SCALAR_TYPES for a in call.args)
    return entry.policy in _TYPED_POLICIES


def shown_args(call: Call) -> str:
    """The arguments of a call as text."""
    args = arguments(call)
    if args is None:
        return "*" + shown(call.args)
    text = ", ".join(shown(a) for a in args[:6])
    if len(args) > 6:
        text += ", …"
    if call.kwargs is not None:
        text += f", **{shown(call.kwargs)}"
    return text


def _chain(found: Glob) -> str:
    return f"{found.written} (Python 2 name) → {found.key}" if found.written else ""


_CODE_LIBRARY = {
    "cloudpickle": frozenset(
        [
            "_builtin_type",
            "_class_setstate",
            "_fill_function",
            "_function_setstate",
            "_function_getattr",
            "_make_cell",
            "_make_empty_cell",
            "_make_function",
            "_make_skel_func",
            "_make_skeleton_class",
            "_make_skeleton_enum",
            "_rehydrate_skeleton_class",
            "subimport",
            "_make_typevar",
            "_cell_set",
            "_gen_ellipsis",
            "_gen_not_implemented",
            "_make_dict_items",
            "_make_dict_keys",
            "_make_dict_values",
            "_empty_cell_value",
            "dynamic_subimport",
            "_get_cell_contents",
        ]
    ),
    "dill": frozenset(
        [
            "_create_array",
            "_create_cell",
            "_create_code",
            "_create_filehandle",
            "_create_ftype",
            "_create_function",
            "_create_namedtuple",
            "_create_type",
            "_create_weakref",
            "_dill",
            "_get_attr",
            "_getattr",
            "_import_module",
            "_load_type",
            "_setitems",
            "_eval_repr",
            "_create_dtypemeta",
            "_create_typemap",
            "_dictproxy_helper",
            "_shims",
        ]
    ),
}


# dill reaches built-in functions through modules; what it reaches decides, when it is called.
_DEFERRED = {
    "dill._dill._import_module": "module",
    "dill._dill._get_attr": "module_attribute",
    "dill._dill._create_namedtuple": "module_attribute",
    "cloudpickle.subimport": "module",
    "cloudpickle.cloudpickle.subimport": "module",
    "cloudpickle.cloudpickle._builtin_type": "method_type",
}


def _is_library(module: str) -> bool:
    return known_module(module) and lookup(module, "*").standing != "dangerous" and "." in module


def _is_code_library(found: Glob) -> bool:
    names = _CODE_LIBRARY.get(found.module.partition(".")[0])
    return names is not None and found.name in names and found.name != "_create_filehandle"


def _by_value(func: Call) -> bool:
    inner = func.func
    return (
        type(inner) is Glob
        and _is_code_library(inner)
        and inner.name
        in (
            "_builtin_type",
            "_create_type",
            "_load_type",
            "_make_skeleton_class",
            "_make_skeleton_enum",
            "_rehydrate_skeleton_class",
            "_create_namedtuple",
        )
    )


def _public_attribute(call: Call) -> bool:
    """``getattr(object, "method")`` of an object of a known class: a bound method was pickled."""
    args = arguments(call)
    return bool(
        type(call.func) is Glob
        and call.func.key == "builtins.getattr"
        and args
        and len(args) == 2
        and ((type(args[0]) is Call and args[0].cls is not None) or plain(args[0]))
        and type(args[1]) is str
        and args[1].isidentifier()
        and not args[1].startswith("__")
    )


_SHARP = frozenset(
    {
        "builtins.getattr",
        "dill._dill._eval_repr",
        "dill._dill._getattr",
        "builtins.map",
        "builtins.filter",
        "builtins.pow",
        "builtins.sorted",
        "builtins.max",
        "builtins.min",
        "functools.reduce",
        "_functools.reduce",
        "operator.attrgetter",
        "_operator.attrgetter",
        "torch.storage._load_from_bytes",
        "keras.saving.pickle_utils.deserialize_model_from_bytecode",
        "keras.src.saving.pickle_utils.deserialize_model_from_bytecode",
        "tf_keras.src.saving.pickle_utils.deserialize_model_from_bytecode",
        "keras.src.models.sequential.Sequential._unpickle_model",
        "keras.src.models.functional.Functional._unpickle_model",
    }
)
