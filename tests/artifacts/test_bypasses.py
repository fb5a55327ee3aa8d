"""Every class of bypass published against pickle scanners, rebuilt from its description."""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zlib

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


def verdict(data: bytes, name: str = "model.pkl") -> str:
    return scan_bytes(data, name)[0].verdict


# module, name of callables whose REDUCE was reported clean by some scanner, by advisory.
GADGETS = """
pip main|pip._internal main|pip._internal.cli.main main|ssl get_server_certificate|linecache getline|timeit timeit
numpy.testing._private.utils runstring|torch.utils.bottleneck.__main__ run_cprofile|torch.utils.bottleneck.__main__ run_autograd_prof
torch._dynamo.guards GuardBuilder.get|torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression
torch.utils.collect_env run|torch.utils.collect_env run_and_read_all|torch.utils.data.datapipes.utils.decoder basichandlers
torch.jit.unsupported_tensor_ops execWrapper|torch.utils._config_module ConfigModule.load_config|trace Trace.run|trace Trace.runctx
profile Profile.run|profile Profile.runctx|profile run|lib2to3.pgen2.grammar Grammar.loads|lib2to3.pgen2.pgen ParserGenerator.make_label
idlelib.debugobj ObjectTreeItem.SetText|idlelib.autocomplete AutoComplete.get_entity|idlelib.calltip Calltip.fetch_tip
idlelib.run Executive.runcode|idlelib.pyshell ModifiedInterpreter.runcommand|code InteractiveInterpreter.runcode|ensurepip _run_pip
doctest debug_script|cProfile run|cProfile runctx|asyncio.unix_events _UnixSubprocessTransport._start|distutils.file_util write_file
ctypes CDLL|pydoc locate|pydoc pipepager|operator methodcaller|pty spawn|numpy.f2py.crackfortran getlincoef|numpy.f2py.crackfortran myeval
numpy.f2py.crackfortran param_eval|numpy.f2py.crackfortran _eval_length|_operator methodcaller|_io FileIO|_io open|io open
urllib.request urlopen|urllib.request urlretrieve|logging FileHandler|logging.config listen|pkgutil resolve_name|uuid _get_command_stdout
_osx_support _read_output|_aix_support _read_cmd_output|imaplib IMAP4_stream|_pyrepl.pager pipe_pager|test.support.script_helper assert_python_ok
importlib import_module|marshal loads|builtins __import__|builtins setattr|builtins input|__builtin__ execfile|__builtin__ file|cPickle loads
urllib urlopen|thread start_new_thread|copy_reg add_extension|commands getoutput|runpy run_path|runpy run_module|types FunctionType|types CodeType
multiprocessing.util spawnv_passfds|_posixsubprocess fork_exec|site addpackage|atexit register|platform popen|gc get_objects|difflib context_diff
linecache updatecache|unittest.mock _importer|doctest testfile|_interpreters create|_xxsubinterpreters run_string|pickle _load|pickle _loads|pickle loads
_pickle loads|dill loads|dill._dill load|cloudpickle loads|imp load_source|pipes Template|smtplib SMTP|socket create_connection|socket socket
mailcap findmatch|dotenv.cli run_command|mlflow.projects.backend.local _run_entry_point|pandas read_csv|pandas read_pickle|pandas eval|numpy load|numpy fromfile
numpy loadtxt|numpy memmap|joblib load|torch load|torch.hub load|torch.ops load_library|webbrowser open|antigravity geohash|shutil rmtree|shutil copyfile
tempfile mktemp|tempfile NamedTemporaryFile|glob glob|pathlib Path.write_text|sqlite3 connect|tarfile open|zipfile ZipFile|http.client HTTPConnection
ftplib FTP|telnetlib Telnet|xmlrpc.client ServerProxy|bdb Bdb.run|pdb run|codeop compile_command|py_compile compile|compileall compile_dir|ast literal_eval
inspect getsource|fileinput input|configparser ConfigParser.read|netrc netrc|readline read_history_file|builtins eval|builtins exec|builtins compile
builtins open|builtins breakpoint|builtins getattr|builtins globals|builtins map|functools reduce|functools partialmethod|itertools starmap|_tkinter create
keras.models load_model|tensorflow load_library|transformers.pipelines pipeline|sympy sympify|numexpr evaluate|yaml unsafe_load|jinja2 Template|cffi FFI
nt system|posix system|os popen|os execv|subprocess Popen|subprocess check_output|sys settrace|threading Thread|concurrent.futures ProcessPoolExecutor
signal signal|faulthandler dump_traceback_later|mmap mmap|bz2 open|gzip open|lzma open|codecs open|optparse Option|numpy frompyfunc
numpy apply_along_axis|sklearn.datasets load_svmlight_file|sklearn.utils._testing ignore_warnings|scipy.io loadmat|numpy.lib.npyio load
numpy.distutils.exec_command exec_command|pytest main|IPython get_ipython|aiohttp request|requests get|paramiko SSHClient|fsspec open|smart_open open
""".replace("\n", "|")


@pytest.mark.parametrize("gadget", [g for g in GADGETS.split("|") if g.strip()])
@pytest.mark.parametrize("form", ["global", "stack_global", "inst", "obj", "newobj_ex"])
def test_gadget(gadget: str, form: str) -> None:
    module, name = gadget.split()
    if form == "global":
        data = stream(call(glob(module, name), text("id")), 2)
    elif form == "stack_global":
        data = stream(call(stack_global(module, name), text("id")))
    elif form == "inst":
        data = stream(b"(" + text("id") + b"i" + module.encode() + b"\n" + name.encode() + b"\n", 2)
    elif form == "obj":
        data = stream(b"(" + glob(module, name) + text("id") + b"o", 2)
    else:
        data = stream(stack_global(module, name) + tup(text("id")) + b"}\x92")
    facts = scan_bytes(data, "model.pkl")[0]
    assert facts.verdict in ("dangerous", "suspicious")
    assert any(i.offset is not None and i.rule in ("ART001", "ART002") for i in facts.issues)


DOTTED = [
    ("numpy", "os.system"), ("pathlib", "os.system"), ("glob", "os.system"), ("sklearn", "os.system"), ("collections", "_sys.modules"),
    ("collections", "abc.sys.modules"), ("builtins", "eval.__call__"), ("numpy", "__builtins__"), ("numpy", "testing.runstring"),
    ("numpy", "ndarray.tofile"), ("numpy", "ndarray.dump"), ("torch._utils", "_rebuild_tensor_v2.__globals__.__getitem__"),
    ("copyreg", "_reconstructor.__globals__"), ("numpy", "ctypeslib.load_library"), ("joblib.numpy_pickle", "os.system"), ("linecache", "os.system"),
    ("random", "_os.system"), ("__main__", "os.system"), ("sklearn.utils", "os.system"), ("logging", "os.system"), ("codecs", "__loader__"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name"), DOTTED)
def test_dotted_names(module: str, name: str) -> None:
    assert verdict(stream(call(stack_global(module, name), text("id")))) in (
        "dangerous",
        "suspicious",
    )
    # The reference alone is enough.
    assert verdict(stream(stack_global(module, name))) != "safe"


BUILT = {
    "operands-from-memo": short("os") + b"\x94" + short("system") + b"\x940h\x00h\x01\x93" + tup(text("id")) + b"R",
    "operands-duplicated": short("os") + short("system") + b"\x93" + b"2" + tup(text("id")) + b"R",
    "operands-from-strings": b"S'os'\nS'system'\n\x93" + tup(text("id")) + b"R",
    "operand-at-zero": short("os") + short("system") + b"\x93)R",
    "operand-from-pop-mark": b"(" + short("x") + b"1" + short("os") + short("system") + b"\x93" + tup(text("id")) + b"R",
    "reversed-decoys": short("decoy") + b"0" + short("os") + short("system") + short("no") + b"0\x93" + tup(text("id")) + b"R",
    "memo-overwritten": short("math") + b"q\x000" + short("os") + b"q\x000" + b"h\x00" + short("system") + b"\x93" + tup(text("id")) + b"R",
    "sparse-memo": short("os") + b"r\x10\x27\x00\x000" + b"j\x10\x27\x00\x00" + short("system") + b"\x93" + tup(text("id")) + b"R",
    "payload-before-error": SYSTEM + b"\xff",
    "payload-before-underflow": SYSTEM + b"000",
    "payload-dropped": SYSTEM + b"0N",
    "obj-popped": b"(" + glob("os", "system") + text("id") + b"o0N",
    "result-called": call(call(glob("operator", "attrgetter"), text("system")), glob("math", "sin")) + b")R",
    "partial-called": call(call(glob("functools", "partial"), glob("os", "system")), text("id")),
    "map-in-list": call(glob("builtins", "list"), call(glob("builtins", "map"), glob("os", "system"), b"]" + text("id") + b"a")),
    "getattr-chain": call(call(glob("builtins", "getattr"), glob("builtins", "eval"), text("__call__")), text("1")),
    "build-on-class": glob("sklearn.base", "BaseEstimator") + b"}" + text("__setstate__") + glob("builtins", "print") + b"sb",
    "build-on-function": glob("numpy", "size") + b"}" + text("x") + b"K\x01sb",
    "numpy-only": glob("numpy", "size") + glob("numpy", "__builtins__") + b"b",
    "setitem-on-global": glob("copyreg", "_inverted_registry") + b"K\x77" + text("x") + b"s",
    "setitem-on-module-dict": glob("builtins", "__dict__") + text("x") + b"K\x01s",
    "append-on-global": glob("sys", "path") + text("/tmp") + b"a",
    "appends-on-global": glob("sys", "path") + b"(" + text("/tmp") + b"e",
    "extension": call(glob("copyreg", "add_extension"), text("os"), text("system"), b"K\x77") + b"0\x82\x77" + tup(text("id")) + b"R",
    "extension-only": b"\x82\x77" + tup(text("id")) + b"R",
    "setstate-planted": b"\x8c\x00" + b"0" + glob("sklearn.linear_model._base", "LinearRegression") + b")\x81}" + text("__setstate__") + glob("builtins", "print") + b"sb" + text("x") + b"b",
    "append-planted": glob("sklearn.linear_model._base", "LinearRegression") + b")\x81}" + text("append") + glob("builtins", "print") + b"sb" + text("x") + b"a",
    "computed-name": short("os") + call(glob("builtins", "str"), text("system")) + b"\x93" + tup(text("id")) + b"R",
    "rv-template": glob("scipy.stats._continuous_distns", "norm_gen") + b")\x81}" + text("_parse_arg_template") + text("import os") + b"sb",
    "rv-template-as-pairs": glob("scipy.stats._continuous_distns", "norm_gen") + b")\x81" + tup(tup(text("_parse_arg_template"), text("import os"))) + b"b",
    "rv-template-in-keys": glob("scipy.stats._continuous_distns", "norm_gen") + b")\x81" + tup(b"}(" + text("_parse_arg_template") + b"K\x01" + text("import os") + b"K\x02u", b"N") + b"b",
    "formula": glob("statsmodels.base.data", "PandasData") + b")\x81}(" + text("restore_design_info") + b"\x88" + text("formula") + text("y ~ __import__('os').system('id')") + b"ub",
    "generator-constructor": call(glob("numpy.random._pickle", "__generator_ctor"), text("MT19937"), glob("builtins", "print")),
    "ufunc-import": call(glob("numpy.core", "_ufunc_reconstruct"), text("os"), text("system")),
    "dill-array": call(glob("dill._dill", "_create_array"), glob("os", "system"), tup(text("id"))),
    "codec": call(glob("_codecs", "encode"), text("x"), text("zip")),
    "new-type": call(glob("builtins", "type"), text("X"), b")", b"}"),
    "reduce-on-list": b"]" + tup(text("id")) + b"R",
    "method-of-instance": call(call(glob("builtins", "getattr"), glob("sklearn.linear_model._base", "LinearRegression") + b")\x81", text("fit")), b"]"),
    "bytearray-bomb": call(glob("builtins", "bytearray"), b"J\xff\xff\xff\x7f"),
    "range-list-bomb": call(glob("builtins", "list"), call(glob("builtins", "range"), b"J\xff\xff\xff\x7f")),
    "fraction-bomb": call(glob("fractions", "Fraction"), text("1e999999999")),
    "persistent-id": text("storage") + b"Q" + tup(text("id")) + b"R",
    "shared-dtype": call(glob("numpy", "dtype"), text("f8")) + tup(b"K\x03", text(">"), b"N", b"N", b"N", b"K\x63", b"K\x01", b"K\x00") + b"b",
    "frame-straddled": b"\x95\x05" + bytes(7) + b"cbuiltins\neval\n" + tup(text("1")) + b"R",
    "left-over-values": b"NNN",
    "multiplying-list": b"]\x94" + b"h\x00a" * 30,
}  # fmt: skip


@pytest.mark.parametrize("name", BUILT)
def test_constructed(name: str) -> None:
    assert verdict(stream(BUILT[name])) != "safe"


def test_frame_that_hides_a_name_is_ambiguous() -> None:
    # The C unpickler, reading from a file that cannot peek, drops "buil" and imports "tins".
    data = b"\x80\x04\x95" + struct.pack("<Q", 5) + b"cbuiltins\nslice\n."
    facts = scan_bytes(data, "m.pkl")[0]
    assert facts.verdict != "safe"
    assert "ART003" in {i.rule for i in facts.issues}


@pytest.mark.parametrize(
    "prefix",
    [b"F1_0.0\n0", b"I 1\n0", b"L0x1L\n0", b"L1\n0", b"\x8a\x000", b"F 1.0\n0", b"Finf\n0", b"I010\n0", b"S'\\x41\\n'\n0", b"\x80\x010", b"N\x940", b"Np99999\n0"],
)  # fmt: skip
def test_prefixes_that_parsers_read_differently(prefix: bytes) -> None:
    assert (
        verdict(b"\x80\x04" + prefix.replace(b"\x80\x010", b"\x80\x01") + SYSTEM + b".")
        == "dangerous"
    )


def test_python_2_names_are_mapped() -> None:
    facts = scan_bytes(stream(glob("__builtin__", "eval"), 2), "m.pkl")[0]
    assert facts.globals == ("builtins.eval",)
    assert facts.verdict == "dangerous"
    assert scan_bytes(stream(glob("__builtin__", "set") + b")R", 2), "m.pkl")[0].verdict == "safe"
    # Protocol 3 and later do not map: there is no such module.
    assert scan_bytes(stream(glob("__builtin__", "set") + b")R", 3), "m.pkl")[0].verdict != "safe"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_later_streams(count: int) -> None:
    assert verdict(pickle.dumps([1]) * count + evil()) == "dangerous"


def test_appended_bytes() -> None:
    good = pickle.dumps({"a": 1})
    assert verdict(good) == "safe"
    assert verdict(good + b"\x00" * 40) == "safe"
    assert verdict(good + b"\xde\xad\xbe\xef") == "suspicious"
    assert verdict(good + archive({"a.pkl": evil()})) != "safe"


@pytest.mark.parametrize(
    "name",
    ["m.pkl", "m.bin", "m.pt", "m.txt", "m.png", "m.json", "m.safetensors", "m", "m.onnx", "m.h5"],
)
@pytest.mark.parametrize("proto", [0, 2, 4])
def test_any_extension(name: str, proto: int) -> None:
    data = evil(proto) if proto else b"cos\nsystem\n(S'id'\ntR."
    assert verdict(data, name) == "dangerous"


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        bz2.compress,
        lzma.compress,
        zlib.compress,
        lambda d: lzma.compress(d, lzma.FORMAT_ALONE),
    ],
)
def test_compressed(pack: object) -> None:
    assert verdict(pack(evil()), "m.joblib") == "dangerous"  # type: ignore[operator]
    assert verdict(pack(pack(evil())), "m.joblib") == "dangerous"  # type: ignore[operator]
    assert verdict(pack(pickle.dumps([1, 2, 3])), "m.joblib") == "safe"  # type: ignore[operator]


def test_nested_archives() -> None:
    inner = archive({"deep.dat": evil()})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("x.zip")
        info.size = len(inner)
        tar.addfile(info, io.BytesIO(inner))
    found = scan_bytes(archive({"a/readme.txt": b"hi", "a/b.tgz": out.getvalue()}), "outer.zip")
    assert found[0].verdict == "dangerous"
    assert found[-1].path == "outer.zip!a/b.tgz!x.zip!deep.dat"


def test_issue_says_what_will_happen() -> None:
    issue = scan_bytes(evil(), "m.pkl")[0].issues[0]
    assert issue.rule == "ART001"
    everything = " ".join(i.what for i in scan_bytes(evil(), "m.pkl")[0].issues)
    assert "os.system('id')" in everything
