"""The published bypasses by their numbers: which payload of ours stands for which advisory."""

import pickle
import re
import zipfile
from collections.abc import Callable

import pytest

from auditor.artifacts.scan import scan_bytes
from tests.artifacts.streams import (
    SYSTEM,
    archive,
    call,
    evil,
    glob,
    short,
    stack_global,
    stream,
    text,
    tup,
)

MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
SAFE_ZIP = archive({"data/a.pkl": stream(b"]K\x01a")})
EVIL_ZIP = archive({"archive/data.pkl": evil(2), "archive/version": b"3\n"})


def calls(*names: str) -> list[bytes]:
    """Each of these called with one string, by both opcodes that import."""
    out = []
    for dotted in names:
        module, _, name = dotted.partition(":")
        out.append(stream(call(glob(module, name), text("id")), 2))
        out.append(stream(call(stack_global(module, name), text("id"))))
    return out


def patched(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    at = data.index(signature) + offset
    return data[:at] + value + data[at + len(value) :]


def flags() -> list[bytes]:
    return [
        patched(EVIL_ZIP, header, at, bytes([bit]))
        for bit in (0x01, 0x20, 0x40)
        for header, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8))
    ]


def checksums() -> list[bytes]:
    return [
        patched(EVIL_ZIP, b"PK\x01\x02", 16, b"\1\2\3\4"),
        patched(EVIL_ZIP, b"PK\x03\x04", 14, b"\1\2\3\4"),
    ]


def renamed() -> list[bytes]:
    return [patched(EVIL_ZIP, b"PK\x03\x04", 30, b"zzzz")]


def extensions() -> list[bytes]:
    return [archive({name: evil()}) for name in ("a.txt", "a.png", "model/weights.bin", "README")]


def positions() -> list[bytes]:
    return [
        short("os") + short("system") + b"\x93" + tup(text("id")) + b"R.",
        stream(b"S'os'\nS'system'\n\x93" + tup(text("id")) + b"R"),
        stream(short("decoy") + b"0" + short("os") + short("system") + b"\x93" + tup(text("id")) + b"R"),
    ]  # fmt: skip


def chains(operator: str) -> list[bytes]:
    attr = call(glob(operator, "attrgetter"), text("system"))
    method = call(glob(operator, "methodcaller"), text("system"), text("id"))
    module = call(glob("builtins", "__import__"), text("os"))
    return [stream(attr + tup(module) + b"R"), stream(method + tup(module) + b"R")]


def listed(*values: bytes) -> bytes:
    return b"](" + b"".join(values) + b"e"


def legacy(first: bytes) -> list[bytes]:
    rest = pickle.dumps(1001, 2) + pickle.dumps({}, 2) + pickle.dumps({}, 2) + pickle.dumps([], 2)
    return [first + rest]


def hidden(result: bytes) -> list[bytes]:
    """The result of a call becomes the state of an exception."""
    inside = glob("builtins", "ValueError") + b")R}" + text("x") + result + b"sb"
    return [stream(inside), stream(inside + b"0N")]


def stacked(*bodies: bytes) -> list[bytes]:
    return [stream(body) for body in bodies]


DUNDER = stream(
    glob("numpy", "size") + glob("numpy", "__builtins__") + b"b0"
    + call(glob("numpy", "size.eval"), text("1"))
)  # fmt: skip
F2PY = "numpy.f2py.crackfortran"
EXTENSION = call(glob("copyreg", "add_extension"), text("os"), text("system"), b"K\x77") + b"0"
JOIN = call(glob("builtins", "str.join"), text(""), b"]" + text("o") + b"a" + text("s") + b"a")

# Numbers as published (shortened ones as in the release notes) -> payloads -> a rule that must fire.
ADVISORIES: dict[str, tuple[Callable[[], list[bytes]], str]] = {
    # picklescan
    "GHSA-655q-fx9r-782v CVE-2025-1716": (lambda: calls("pip:main", "pip._internal:main", "pip._internal.cli.main:main"), "ART001"),
    "GHSA-769v-p64c-89pr CVE-2025-1889": (extensions, "ART001"),
    "GHSA-7q5r-7gvp-wc82 CVE-2025-1944": (renamed, "ART010"),
    "GHSA-w8jq-xcqf-f792 CVE-2025-1945": (flags, "ART010"),
    "GHSA-93mv-x874-956g CVE-2025-46417": (lambda: calls("ssl:get_server_certificate", "linecache:getline"), "ART001"),
    "GHSA-v7x6-rv5q-mhwc CVE-2025-71351": (lambda: calls("timeit:timeit"), "ART001"),
    "GHSA-fj43-3qmq-673f CVE-2025-71355": (lambda: calls("numpy.testing._private.utils:runstring"), ""),
    "GHSA-9gvj-pp9x-gcfr CVE-2025-71325": (positions, "ART001"),
    "GHSA-4r9r GHSA-86cj GHSA-f4x7 GHSA-f745 GHSA-jhph GHSA-h3qp GHSA-vr7h GHSA-vv6j": (lambda: calls(
        "torch.utils.bottleneck.__main__:run_cprofile", "torch._dynamo.guards:GuardBuilder.get",
        "torch.fx.experimental.symbolic_shapes:ShapeEnv.evaluate_guards_expression", "torch.utils.collect_env:run", "torch.utils.collect_env:run_and_read_all",
        "torch.utils.data.datapipes.utils.decoder:basichandlers", "torch.jit.unsupported_tensor_ops:execWrapper", "torch.utils._config_module:ConfigModule.load_config"), ""),
    "GHSA-5qwp GHSA-g344 GHSA-x696 GHSA-6vqj GHSA-f54q GHSA-3vg9 GHSA-6w4w GHSA-7cq8 GHSA-cj3c GHSA-8r4j GHSA-9xph CVE-2025-71361": (lambda: calls(
        "trace:Trace.run", "trace:Trace.runctx", "profile:Profile.run", "profile:Profile.runctx", "lib2to3.pgen2.grammar:Grammar.loads",
        "idlelib.debugobj:ObjectTreeItem.SetText", "idlelib.autocomplete:AutoComplete.get_entity", "idlelib.autocomplete:AutoComplete.fetch_completions",
        "idlelib.calltip:Calltip.fetch_tip", "idlelib.calltip:get_entity", "code:InteractiveInterpreter.runcode"), "ART001"),
    "GHSA-xp4f-hrf8-rxw7": (lambda: calls("ensurepip:_run_pip", "ensurepip:bootstrap"), "ART001"),
    "GHSA-4whj GHSA-p9w7 GHSA-m869 GHSA-j343 GHSA-3gf5 GHSA-fqq6 GHSA-9w88 GHSA-49gj GHSA-q77w CVE-2025-71342 CVE-2025-71357 CVE-2025-71364": (lambda: calls(
        "torch.utils.bottleneck.__main__:run_autograd_prof", "lib2to3.pgen2.pgen:ParserGenerator.make_label", "idlelib.run:Executive.runcode",
        "idlelib.pyshell:ModifiedInterpreter.runcode", "idlelib.pyshell:ModifiedInterpreter.runcommand", "doctest:debug_script", "cProfile:run", "cProfile:runctx",
        "asyncio.unix_events:_UnixSubprocessTransport._start"), ""),
    "GHSA-f7qq-56ww-84cr CVE-2025-10157": (lambda: calls("asyncio.unix_events:_UnixSubprocessTransport"), "ART001"),
    "GHSA-mjqp-26hc-grxg CVE-2025-10156": (checksums, "ART010"),
    "GHSA-jgw4-cr84-mqxg CVE-2025-10155": (lambda: [evil(p) for p in (2, 3, 4)] + [b"cos\nsystem\n(S'id'\ntR."], "ART001"),
    # The three that were published together: another extension, a wrong checksum, a submodule.
    "GHSA-gx77-x2pv-48v7": (lambda: [*extensions(), *checksums(), *calls("asyncio.unix_events:_UnixSubprocessTransport._start")], ""),
    "GHSA-m273-6v24-x4m4 CVE-2025-71321": (lambda: stacked(call(glob("distutils.file_util", "write_file"), text("a.env"), listed(text("x")))), "ART001"),
    "GHSA-4675-36f9-wf6r CVE-2025-71323": (lambda: stacked(call(glob("ctypes", "CDLL"), b"N"), call(stack_global("ctypes", "CDLL"), text("libc.so.6"))), "ART001"),
    "GHSA-84r2-jw7c-4r5q CVE-2025-71320": (lambda: stacked(
        call(call(glob("operator", "methodcaller"), text("system"), text("id")), call(glob("pydoc", "locate"), text("os")))), "ART001"),
    "GHSA-vqmv-47xg-9wpr": (lambda: stacked(call(glob("pty", "spawn"), listed(text("/bin/sh"), text("-c"), text("id")))), "ART001"),
    "GHSA-hgrh-qx5j-jfwx CVE-2025-71322": (lambda: stacked(b"(" + glob("pty", "spawn") + b"]" + short("/bin/sh") + b"ao"), "ART001"),
    "GHSA-r8g5-cgf2-4m4m": (lambda: stacked(call(stack_global(F2PY, "getlincoef"), text("print(1)"), b"}")), "ART001"),
    "GHSA-rrxm-2pvv-m66x CVE-2025-71372": (lambda: stacked(call(glob(F2PY, "getlincoef"), text("print(1)"), b"]")), "ART001"),
    "GHSA-3329-ghmp-jmv5 CVE-2025-71365": (lambda: stacked(call(glob(F2PY, "myeval"), text("print(1)"), b"}", b"}")), "ART001"),
    "GHSA-cffc-mxrf-mhh4 CVE-2025-71347": (lambda: stacked(call(glob(F2PY, "param_eval"), text("print(1)"), b"}", b"}", b"N")), "ART001"),
    "GHSA-6556-fwc2-fg2p CVE-2025-71339": (lambda: stacked(call(glob(F2PY, "_eval_length"), text("print(1)"), b"}")), "ART001"),
    "GHSA-x843-g5mx-g377 CVE-2025-71362": (lambda: calls(*(f"{F2PY}:{n}" for n in ("_eval_scalar", "getlincoef", "myeval", "param_eval", "_eval_length", "crackline", "param_parse"))), "ART001"),
    "CVE-2025-71373": (lambda: calls("operator:methodcaller"), "ART001"),
    "GHSA-955r-x9j8-7rhh GHSA-46h3-79wf-xr6c": (lambda: chains("_operator") + chains("operator"), "ART001"),
    "GHSA-9726-w42j-3qjr CVE-2026-53872": (lambda: calls("_io:FileIO", "urllib.request:urlopen", "_io:open", "io:open"), "ART001"),
    "GHSA-9m3x-qqw2-h32h CVE-2026-53874": (lambda: stacked(call(call(glob("builtins", "getattr"), glob("builtins", "eval"), text("__call__")), text("1"))), "ART001"),
    "GHSA-m7j5-r2p5-c39r": (lambda: calls("logging:FileHandler"), "ART001"),
    "GHSA-97f8-7cmv-76j2 CVE-2026-53875": (lambda: legacy(stream(call(glob("builtins", "eval"), text("0x1950a86a20f9469cfc6c")), 2)), "ART001"),
    "GHSA-7wx9-6375-f5wh": (lambda: calls("profile:run"), "ART001"),
    "GHSA-vvpj-8cmc-gx39 CVE-2026-3490": (lambda: [stream(call(call(glob("pkgutil", "resolve_name"), text("os:system")), text("id")))], "ART001"),
    "GHSA-g38g-8gr9-h9xp": (lambda: calls("uuid:_get_command_stdout", "_osx_support:_read_output", "_aix_support:_read_cmd_output", "imaplib:IMAP4_stream", "_pyrepl.pager:pipe_pager", "test.support.script_helper:assert_python_ok"), "ART001"),
    "picklescan#22": (lambda: stacked(short("os") + b"r\x10\x27\x00\x000j\x10\x27\x00\x00" + short("system") + b"\x93" + tup(text("id")) + b"R"), "ART001"),
    "picklescan#52": (lambda: stacked(SYSTEM + b"h\x63", b"K\x01\x940h\x00" + short("system") + b"\x93"), "ART003"),
    "picklescan#33": (lambda: [evil()[:-1], evil()[:-1] + b"\xff"], "ART001"),
    "picklescan#21": (lambda: [b"(S'id'\nios\nsystem\n."], "ART001"),
    "picklescan#66 picklescan#74": (lambda: calls(
        "importlib:import_module", "marshal:loads", "builtins:__import__", "builtins:setattr", "builtins:input", "__builtin__:execfile", "__builtin__:file",
        "cPickle:loads", "urllib:urlopen", "thread:start_new_thread", "copy_reg:add_extension", "glob:os.system"), ""),
    # fickling
    "GHSA-r7v6-mfhq-g3m2 CVE-2025-67748": (lambda: stacked(call(glob("pty", "spawn"), text("id")) + b"}b"), "ART001"),
    "GHSA-565g-hwwr-4pp3 CVE-2025-67747": (lambda: stacked(call(call(glob("types", "FunctionType"), call(glob("marshal", "loads"), b"C\x01x"), b"}"))), "ART001"),
    "GHSA-wfq2-52f7-7qvj CVE-2026-22606": (lambda: calls("runpy:run_path", "runpy:run_module"), "ART001"),
    "GHSA-p523-jq9w-64x9 CVE-2026-22607": (lambda: calls("cProfile:run"), "ART001"),
    "GHSA-5hvc-6wx8-mvv4 CVE-2026-22608": (lambda: calls("ctypes:CDLL", "pydoc:locate"), "ART001"),
    "GHSA-q5qq-mvfm-j35x CVE-2026-22609": (lambda: calls("importlib.util:module_from_spec", "code:interact", "multiprocessing.util:spawnv_passfds"), "ART001"),
    "GHSA-h4rm-mm56-xf63 CVE-2026-22612": (lambda: hidden(call(glob("builtins", "__import__"), text("os"))) + hidden(SYSTEM), "ART001"),
    "GHSA-mxhj-88fx-4pcv": (lambda: stacked(b"(" + glob("os", "system") + text("id") + b"o0N"), "ART001"),
    "GHSA-mhc9-48gj-9gp3": (lambda: stacked(call(glob("smtplib", "SMTP"), text("x")) + b"}b", call(glob("socket", "create_connection"), text("x")) + b"}b"), "ART001"),
    "GHSA-83pf-v6qq-pwmr": (lambda: calls("smtplib:SMTP", "ftplib:FTP", "telnetlib:Telnet", "xmlrpc.client:ServerProxy", "http.client:HTTPConnection"), "ART001"),
    "GHSA-5hwf-rc88-82xm": (lambda: calls("uuid:_get_command_stdout", "_osx_support:_read_output", "_aix_support:_read_cmd_output"), "ART001"),
    "GHSA-wccx-j62j-r448": (lambda: calls("pickle:loads", "_pickle:loads", "_pickle:Unpickler"), "ART001"),
    "GHSA-r48f-3986-4f9c": (lambda: calls("linecache:getlines", "difflib:context_diff", "gc:get_objects"), ""),
    "GHSA-5cxw-w2xg-2m8h": (lambda: calls("platform:popen", "platform:_syscmd_ver"), "ART001"),
    "GHSA-pc6j-px3p-rrj4": (lambda: calls("test.support:run_in_subinterp", "doctest:testfile", "unittest:main", "unittest.mock:_importer"), "ART001"),
    "GHSA-m6fh-58r7-x697": (lambda: calls("_posixsubprocess:fork_exec", "site:addpackage", "atexit:register"), "ART001"),
    "GHSA-cffv-grgg-g429 CVE-2026-14535": (lambda: stacked(glob("os", "system") + b"0" + SYSTEM), "ART001"),
    "GHSA-5j3x-jp52-966f": (lambda: calls("pathlib:os.system"), ""),
    "GHSA-6ggj-6f2q-f7mx": (lambda: calls("_interpreters:create", "_interpreters:exec"), "ART001"),
    "GHSA-fphw-536r-4p88": (lambda: calls("pickle:_load", "pickle:_loads"), "ART001"),
    "fickling#312": (lambda: calls("imp:load_source", "pipes:Template"), "ART001"),
    "fickling#frames": (lambda: [b"\x80\x04\x95\x05" + bytes(7) + b"cbuiltins\neval\n" + tup(text("1")) + b"R."], "ART003"),
    "fickling#111": (lambda: stacked(b"]\x94" + b"]\x94(" + b"h\x00" * 9 + b"e" + b"".join(b"]\x94(" + bytes([0x68, i]) * 9 + b"e" for i in range(1, 12))), ""),
    "fickling#196": (lambda: [b"]\x94g0\na0" + SYSTEM + b"."], "ART001"),
    "fickling#188": (lambda: [b"\x80\x04K\x01t."], "ART003"),
    # modelscan
    "modelscan#85": (lambda: stacked(short("math") + b"q\x000" + short("os") + b"q\x000h\x00" + short("system") + b"\x93" + tup(text("id")) + b"R"), "ART001"),
    "modelscan#263": (lambda: [*renamed(), *flags(), *checksums(), *extensions()], ""),
    "modelscan#311 modelscan#313": (lambda: calls("pip:main", "timeit:timeit", "cProfile:run", "doctest:debug_script", "ensurepip:_run_pip"), "ART001"),
    "modelscan#330": (lambda: [DUNDER], "ART001"),
    "modelscan#331": (lambda: stacked(call(glob("importlib", "import_module"), JOIN)), "ART001"),
    "modelscan#338": (lambda: calls("torch.utils.collect_env:run", "multiprocessing.util:spawnv_passfds", "mlflow.projects.backend.local:_run_entry_point", "pandas:read_csv", "urllib.request:urlretrieve"), ""),
    "modelscan#354": (lambda: [zip_with_end_first()], ""),
    "modelscan#262": (lambda: [archive({"config.json": b"{}", "metadata.json": b"{}", "model.weights.npz": archive({"a.npy": npy_with_objects()})})], "ART001"),
    "modelscan#356": (lambda: [joblib_like()], "ART001"),
    # modelaudit
    "modelaudit#623": (lambda: stacked(EXTENSION + b"\x82\x77" + tup(text("id")) + b"R", b"\x83\x77\x00" + tup(text("id")) + b"R"), ""),
    "modelaudit decoys": (positions, "ART001"),
    "modelaudit memo-call": (lambda: stacked(glob("os", "system") + b"\x940" + text("id") + b"\x85\x940h\x00h\x01R"), "ART001"),
    "modelaudit member": (lambda: [archive({"a/b": b"cos\nsystem\n(S'id'\ntR."})], "ART001"),
    "modelaudit padding": (lambda: stacked(b"".join(glob("collections", "OrderedDict") + b"0" for _ in range(500)) + SYSTEM), "ART001"),
    "modelaudit tail": (lambda: stacked(b"N0" * 600_000 + SYSTEM), "ART001"),
    "modelaudit nested": (lambda: [nested(6)], "ART001"),
    "modelaudit sinks": (lambda: calls("mailcap:findmatch", "dotenv.cli:run_command", "numpy:_wrapfunc", "numpy.core.fromnumeric:_wrapfunc", "pydantic.v1:parse_file_as", "fsspec:open"), ""),
    "modelaudit rv_continuous": (lambda: stacked(glob("scipy.stats._distn_infrastructure", "rv_continuous") + b")\x81}" + text("_parse_arg_template") + text("import os") + b"sb"), "ART001"),
    "modelaudit misses": (lambda: calls("numpy:ndarray.tofile", "numpy:ndarray.dump", "collections:_sys.modules", "numpy:fromfile", "_tkinter:create"), ""),
    # Callables that nobody names, reached through what calls back; here they are harmless ones.
    "modelaudit#1061": (lambda: stacked(
        call(glob("re", "sub"), text("a"), glob("builtins", "print"), text("a")),
        call(glob("re", "Pattern.sub"), call(glob("re", "_compile"), text("a"), b"K\x00"), glob("builtins", "print"), text("a")),
        call(glob("weakref", "finalize"), b"]", glob("builtins", "print"), text("a")),
        call(glob("weakref", "ref"), glob("builtins", "object"), glob("builtins", "print")),
        call(glob("concurrent.futures._base", "Future.add_done_callback"), call(glob("concurrent.futures._base", "Future")), glob("builtins", "print")),
        call(glob("builtins", "list"), call(glob("builtins", "map"), glob("builtins", "print"), listed(text("a")))),
        call(glob("builtins", "list"), call(glob("itertools", "accumulate"), listed(text("a"), text("b")), glob("builtins", "print"))),
        call(glob("builtins", "sorted"), listed(text("a")), b"N", glob("builtins", "print")),
        call(glob("builtins", "next"), call(glob("builtins", "iter"), glob("builtins", "input"), b"N")),
        call(glob("collections", "deque"), call(glob("itertools", "starmap"), glob("builtins", "print"), listed(b")"))),
        call(glob("operator", "call"), glob("builtins", "print"), text("a")),
        call(glob("_operator", "call"), glob("builtins", "print"), text("a")),
        call(glob("operator", "getitem"), call(glob("collections", "defaultdict"), glob("builtins", "print")), text("a")),
        call(glob("collections", "defaultdict.__missing__"), call(glob("collections", "defaultdict"), glob("builtins", "print")), text("a")),
        call(glob("string", "Template.substitute"), call(glob("string", "Template"), text("$a")), call(glob("collections", "defaultdict"), glob("builtins", "print"))),
        call(glob("functools", "partial.__call__"), call(glob("functools", "partial"), glob("builtins", "print"), text("a"))),
        call(glob("builtins", "property.__get__"), call(glob("builtins", "property"), glob("builtins", "print")), b"K\x01"),
        call(glob("functools", "reduce"), glob("builtins", "print"), listed(text("a"), text("b"))),
        call(call(glob("types", "MethodType"), glob("builtins", "print"), text("a"))),
        call(glob("builtins", "tuple"), call(glob("builtins", "iter"), glob("builtins", "input"), b"N"))), ""),
    "CVE-2022-45907": (lambda: calls("torch.jit.annotations:parse_type_line"), ""),
    "CVE-2024-5480": (lambda: calls("torch.distributed.rpc.internal:PythonUDF", "torch.distributed.rpc.internal:_run_function"), ""),
    "CVE-2024-48063": (lambda: calls("torch.distributed.nn.api.remote_module:RemoteModule", "torch.distributed.nn.api.remote_module:_recursive_script_module_receiver"), ""),
    "CVE-2026-24747": (lambda: [torch_zip(b"K\x01" + b"K\x02K\x03s"), torch_zip(tensor() + b"K\x00K\x01s"), torch_zip(tensor() + b"(K\x00K\x01u")], ""),
    "CVE-2025-32434": (lambda: [tarred({"pickle": evil(2), "storages": stream(b"K\x00", 2), "tensors": stream(b"K\x00", 2)})], "ART001"),
    "CVE-2025-49655": (lambda: [keras({"module": "keras.utils", "class_name": "TorchModuleWrapper", "config": {"module": {"class_name": "__bytes__", "value": "gASVAAAA"}}})], "ART007"),
    "CVE-2025-1550": (lambda: [keras({"module": "builtins", "class_name": "eval", "config": {"x": 1}}), keras({"module": "os", "class_name": "system", "registered_name": None, "config": {}})], "ART007"),
    "CVE-2025-8747": (lambda: [keras({"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": {
        "module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "get_file"}, "arguments": {"origin": "http://h/x"}}})], "ART007"),
    "CVE-2025-9906": (lambda: [keras({"module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization", "registered_name": "enable_unsafe_deserialization"})], "ART007"),
    "CVE-2024-3660 CVE-2025-9905": (lambda: [keras({"module": "keras.layers", "class_name": "Lambda", "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}}})], "ART007"),
    "CVE-2025-23304": (lambda: [tarred({"model_config.yaml": b"target: nemo.x\npreprocessor:\n  _target_: os.system\n  command: id\n", "model_weights.ckpt": archive({"a/data.pkl": stream(b"}", 2), "a/version": b"3"})})], ""),
    # skops
    "GHSA-q49c-6v6g-wgq3 CVE-2024-37065": (lambda: [skops("FunctionNode", "os", "system")], ""),
    "GHSA-m7f4-hrc6-fwg3 CVE-2025-54412": (lambda: [skops("OperatorFuncNode", "operator", "methodcaller")], ""),
    "GHSA-4v6w-xpmh-gfgp CVE-2025-54413": (lambda: [skops("MethodNode", "builtins", "int", func="__class__.__base__.__subclasses__")], ""),
    "CVE-2025-54886": (lambda: [joblib_like()], "ART001"),
}  # fmt: skip


def torch_zip(body: bytes) -> bytes:
    return archive(
        {
            "archive/data.pkl": stream(body, 2),
            "archive/version": b"3\n",
            "archive/data/0": bytes(16),
        }
    )


def tensor() -> bytes:
    """A tensor of four numbers over a storage of the archive."""
    storage = (
        tup(text("storage"), glob("torch", "FloatStorage"), text("0"), text("cpu"), b"K\x04") + b"Q"
    )
    parts = (
        storage,
        b"K\x00",
        tup(b"K\x04"),
        tup(b"K\x01"),
        b"\x89",
        call(glob("collections", "OrderedDict")),
    )
    return call(glob("torch._utils", "_rebuild_tensor_v2"), *parts)


def keras(layer: dict[str, object]) -> bytes:
    import json

    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [layer]},
    }
    return archive(
        {"metadata.json": b'{"keras_version": "3.9.0"}', "config.json": json.dumps(config).encode()}
    )


def tarred(members: dict[str, bytes]) -> bytes:
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_with_end_first() -> bytes:
    """The end-of-directory record of an empty archive stands before the real one."""
    return b"PK\x05\x06" + bytes(18) + archive({"a.pkl": evil()})


def npy_with_objects() -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (64 - (10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + evil()


def joblib_like() -> bytes:
    """A payload behind an array that joblib reads between the opcodes."""
    import io

    import joblib
    import numpy as np

    class Evil:
        def __reduce__(self) -> object:
            import os

            return os.system, ("id",)

    out = io.BytesIO()
    joblib.dump([np.arange(3.0), Evil()], out)
    return out.getvalue()


def nested(depth: int) -> bytes:
    data = evil()
    for _ in range(depth):
        data = archive({"x.zip": data}, compression=zipfile.ZIP_DEFLATED)
    return data


def skops(loader: str, module: str, name: str, **more: str) -> bytes:
    import json

    node = {"__class__": name, "__module__": module, "__loader__": loader, "content": {}, **more}
    schema = {**node, "protocol": 2, "_skops_version": "0.11.0"}
    return archive({"schema.json": json.dumps(schema).encode()})


@pytest.mark.parametrize("number", ADVISORIES)
def test_advisory(number: str) -> None:
    build, rule = ADVISORIES[number]
    for data in build():
        found = scan_bytes(data, "model.pkl")
        assert found[0].verdict != "safe", data[:200]
        issues = [i for f in found for i in f.issues if i.verdict != "safe"]
        assert issues
        assert not rule or rule in {i.rule for i in issues}, [i.message for i in issues]


@pytest.mark.parametrize(
    "data",
    [
        torch_zip(tensor()),
        keras({"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}}),
        tarred({"a/data.pkl": pickle.dumps([1], 2), "b.txt": b"x"}),
        stream(call(glob("re", "_compile"), text("a"), b"K\x00")),
        stream(call(glob("collections", "defaultdict"), glob("builtins", "list"))),
    ],
)
def test_what_the_payloads_are_put_into_is_safe(data: bytes) -> None:
    assert scan_bytes(data, "model.pkl")[0].verdict == "safe"


def test_every_number_is_well_formed_and_stands_once() -> None:
    numbers = [n for key in ADVISORIES for n in re.findall(r"(?:GHSA|CVE)-[\w-]+", key)]
    assert len(numbers) == len(set(numbers)) > 90
