"""The verdict over what a pickle does: everything but the provably harmless is an issue."""

from __future__ import annotations

from auditor.artifacts.facts import ArtifactIssue, GlobalRef, Verdict, worst
from auditor.artifacts.pickle.names import lookup
from auditor.artifacts.pickle.policy import (
    POLICIES,
    arguments,
    inert,
    is_class,
    resolve,
    state_objection,
)
from auditor.artifacts.pickle.runs import Run, Some
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

# Attributes that the unpickler looks up on an instance: set as data, they are called later.
_HOOKS = frozenset({"__setstate__", "append", "extend", "add", "__class__", "__dict__"})
_MAX_GLOBALS = 20_000


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
            self._code_by_value(name, found.offset)
        elif entry.standing == "dangerous" and found.module != "__main__":
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
                self._code_library(call, func)
                return
            danger = entry.standing == "dangerous"
            args = shown_args(call)
            self._issue(
                "ART001" if danger and func.module != "__main__" else "ART002",
                f"calls {func.key}" + (f", which {entry.reason}" if danger else ""),
                "dangerous" if danger and func.module != "__main__" else "suspicious",
                Severity.CRITICAL if danger else Severity.HIGH,
                call.offset,
                what=f"loading calls {func.key}({args})",
                callable=func.key,
                arguments=args,
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
                f"calls {func.key} in a way no model needs: {objection}",
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
                args = arguments(call)
                if args is None or not all(inert(a) for a in args):
                    return "its arguments are not known"
                call.cls = func
                if policy and args:
                    return POLICIES[policy](call)
                if call.kwargs is not None and type(call.kwargs) is not Dct:
                    return "its keyword arguments are not known"
                return None
            return "it is not a class whose instances models hold"
        if policy:
            return POLICIES[policy](call)
        if kind == "native":
            return POLICIES["inert"](call)
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
                if _is_plain_result(target):
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
            if cls in self._stateless and not target.states and type(state) is Dct:
                return
            made = arguments(target)
            objection = state_objection(cls, state, made[0] if made else None)
            if objection is None and cls.key == "numpy.dtype" and not _own_copy(target):
                objection = "the data type is shared with the whole process"
            if objection is None and target.states:
                objection = _second_state(target.states)
            if objection is None and type(state) is tuple and len(state) == 2:
                objection = _slots(state[1])
            if objection is None and not cls.module.startswith(_STATE_POLICIES):
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
            if len(target.items) < 256:
                target.items += items[: 256 - len(target.items)]
            cls = target.cls
            wanted = "dict" if how.startswith("SETITEM") else "list"
            kinds = (wanted,) if wanted == "dict" else ("list",)
            if cls is not None and lookup(cls.module, cls.name).kind in kinds:
                objection = _second_state(target.states) if target.states else None
                if objection is None:
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
            if type(pid) is tuple and pid and pid[0] == "module":
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

    def on_skipped(self) -> None:
        # Of the calls in a run none is kept.
        self.call_count = max(self.call_count, len(self.calls)) + 1

    # -- what the machine asks: would these calls be harmless, whatever stands for ``Some``? ----

    def made(self, func: Value, args: Value, how: str) -> Call | None:
        """What the call makes; None where that depends on more than is known."""
        if type(func) is not Glob or type(args) is not tuple:
            return None
        call = Call(func, tuple(_placed(a) for a in args), None, how, func.offset)
        entry = lookup(func.module, func.name)
        if entry.standing == "unknown" and not _is_code_library(func):
            # One issue is reported for each name.
            call.cls = func if how == "NEWOBJ" else None
            return call if ("ART002", f"calls {func.key}") in self._seen else None
        if entry.standing != "allowed" or entry.policy not in _BLIND or self._scripted(func):
            return None
        return call if self._objection(call, func, entry.kind, entry.policy) is None else None

    def built(self, target: Value, state: Value) -> Call | None:
        """The object with a state; None where setting it is not known to be harmless."""
        if type(target) is not Call or target.states:
            return None
        cls = target.cls
        if cls is None:
            message = f"sets the state of what {target_name(target)} returns"
            if ("ART002", message) not in self._seen:
                return None
        else:
            state = _placed(state)
            if cls.module.startswith("numpy"):
                if cls.name != "ndarray" or type(state) is not tuple or not state:
                    return None
                if type(state[-1]) is Some and state[-1].kind == "bytes":
                    state = (*state[:-1], b"")
                held = state[-1]
                encoded = type(held) is Call and _names(held.func, "_codecs.encode")
                if not (type(held) is bytes or encoded) or state_objection(cls, state) is not None:
                    return None
            elif cls.module.startswith(_STATE_POLICIES) or type(state) is not Dct:
                return None
        call = Call(target.func, target.args, target.kwargs, target.how, target.offset)
        call.cls = cls
        call.states = [state]
        return call

    def filled(self, target: Value, wanted: str) -> Call | None:
        """The object with items added; None where adding them is not known to be harmless."""
        if type(target) is not Call or target.states or target.cls is None:
            return None
        return target if lookup(target.cls.module, target.cls.name).kind == wanted else None

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


# Policies that decide by the types of arguments, or by values that are never ``Some``.
_BLIND = frozenset(
    [
        "",
        "inert",
        "nothing",
        "plain",
        "short",
        "container",
        "latin1",
        "array_reconstruct",
        "newobj",
        "class_first",
        "reconstructor",
        "default_factory",
    ]
)
_ANY = Run(0, 0)


def _names(value: Value, dotted: str) -> bool:
    return type(value) is Glob and value.key == dotted


def _placed(value: Value) -> Value:
    """The value with containers in place of those that are only known by kind."""
    if type(value) is tuple:
        return tuple(_placed(part) for part in value)
    if type(value) is not Some or value.kind in ("number", "text", "bytes"):
        return value
    if value.kind == "dict":
        made = Dct([_ANY, _ANY])
        made.size = 1 << 40
        return made
    return Lst(value.kind, [_ANY, _ANY])


_STATE_POLICIES = ("numpy", "scipy.stats", "statsmodels", "joblib", "sklearn.externals")
_TYPED_POLICIES = frozenset({"inert", "nothing"})
_SCALAR_TYPES = frozenset({str, int, float, bool, type(None), bytes})


def _by_types(call: Call) -> bool:
    """The judgement would be the same for any arguments of these types."""
    entry = lookup(call.func.module, call.func.name)
    if entry.standing != "allowed":
        return False
    if call.how == "NEWOBJ" and not entry.policy:
        return True
    if entry.kind == "native" and not entry.policy:
        return True
    if entry.policy == "plain":
        return all(type(a) in _SCALAR_TYPES for a in call.args)
    return entry.policy in _TYPED_POLICIES


def _own_copy(call: Call) -> bool:
    """``numpy.dtype(code, align, copy)`` makes an object of its own only when told to copy."""
    args = arguments(call)
    return args is not None and len(args) == 3 and args[2] in (True, 1)


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


def _is_plain_result(call: Call) -> bool:
    """Results whose state is data by construction although their class has no name here."""
    func = call.func
    return type(func) is Glob and func.key in (
        "builtins.getattr",
        "numpy.random.__RandomState_ctor",
        "pytz._p",
        "functools.partial",
        "pandas._libs.internals._unpickle_block",
    )


def _second_state(states: list[Value]) -> str | None:
    """Earlier states may have planted hooks that the next operation on the instance calls."""
    for state in states:
        parts = state if type(state) is tuple else (state,)
        for part in parts:
            if part is None or plain(part):
                continue
            if type(part) is not Dct or not part.complete:
                return "an earlier state may have replaced its methods"
            if any(type(k) is not str or k in _HOOKS for k, _ in part.pairs()):
                return "an earlier state replaces its methods"
    return None


def _slots(slots: Value) -> str | None:
    if slots is None or type(slots) is not Dct:
        return None
    for key, _ in slots.pairs():
        if type(key) is str and key.startswith("__") and key.endswith("__"):
            return f"it assigns the attribute {key}"
    return None if slots.complete else "its attributes are not known"


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
    }
)
