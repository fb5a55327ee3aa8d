"""Load one artifact and tell what happens, line by line as it happens.

    python loader.py NONCE LOADER PATH MODULES

Each line is ``@NONCE {json}``. Events go out before what they announce takes place, so that
whoever takes the process over cannot unsay them.
"""

import json
import os
import sys
import time


def main():
    nonce, loader, path, modules = sys.argv[1:5]
    del sys.argv[1:]
    sys.argv[0] = path
    out = os.dup(1)
    os.dup2(2, 1)
    write, dumps, monotonic = os.write, json.dumps, time.monotonic
    prefix = ("@" + nonce + " ").encode()

    def tell(**item):
        write(out, prefix + dumps(item).encode("ascii", "replace") + b"\n")

    cwd = os.getcwd()
    if cwd not in sys.path:
        sys.path.insert(0, cwd)
    # What was installed with --user belongs to a user that nobody is here.
    import glob

    for user in ("/home/*/.local", "/root/.local"):
        version = "python%d.%d" % sys.version_info[:2]
        sys.path.extend(sorted(glob.glob(user + "/lib/" + version + "/site-packages")))
    load = prepared(loader)
    # What libraries do when they are imported is theirs, not the artifact's.
    import importlib
    import warnings

    for name in modules.split(","):
        if name:
            try:
                importlib.import_module(name)
            except BaseException:
                pass
    state = {"on": False, "count": 0, "last": None}
    watch(tell, state, path)
    seen = []
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, category, *_a, **_k: seen.append(
        "%s: %s" % (category.__name__, str(message)[:300])
    )
    before, started = peak(), monotonic()
    tell(t="begin", python="%d.%d.%d" % sys.version_info[:3], hooks=hasattr(sys, "addaudithook"))
    try:
        state["on"] = True
        made = load(path)
        state["on"] = False
        kind = type(made)
        tell(
            t="done",
            type="%s.%s" % (kind.__module__, kind.__name__),
            warnings=seen[:20],
            seconds=monotonic() - started,
            peak=max(peak() - before, 0),
        )
    except BaseException as error:
        state["on"] = False
        try:
            text = str(error)[:1000]
        except BaseException:
            text = "?"
        tell(
            t="error",
            type=type(error).__name__,
            text=text,
            warnings=seen[:20],
            seconds=monotonic() - started,
            peak=max(peak() - before, 0),
        )
    os._exit(0)


def peak():
    try:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    except Exception:
        return 0


def prepared(name):
    """The function that loads, its library imported already."""
    if name in ("joblib", "sklearn"):
        import joblib

        return joblib.load
    if name == "torch":
        import torch

        return lambda path: torch.load(path, map_location="cpu")
    if name == "pandas":
        import pandas

        return pandas.read_pickle
    if name in ("dill", "cloudpickle"):
        module = __import__(name)
        return lambda path: opened(path, module.load)
    if name == "onnx":
        import onnxruntime

        return lambda path: onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    if name == "numpy":
        import numpy

        return lambda path: numpy.load(path, allow_pickle=True)
    if name == "keras":
        try:
            import keras
        except ImportError:
            from tensorflow import keras
        return lambda path: keras.models.load_model(path, compile=False)
    if name == "safetensors":
        import safetensors

        return lambda path: safetensors.safe_open(path, framework="np").keys()
    if name == "xgboost":
        import xgboost

        return lambda path: xgboost.Booster(model_file=path)
    if name == "lightgbm":
        import lightgbm

        return lambda path: lightgbm.Booster(model_file=path)
    if name == "catboost":
        import catboost

        return lambda path: catboost.CatBoost().load_model(path)
    import pickle

    return lambda path: opened(path, pickle.load)


def opened(path, load):
    with open(path, "rb") as file:
        return load(file)


PROCESSES = (
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
    "os.forkpty", "pty.spawn", "os.startfile",
)  # fmt: skip
WRITES = (
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link",
    "os.symlink", "os.truncate", "os.utime", "os.setxattr", "shutil.rmtree", "shutil.move",
    "shutil.copyfile", "shutil.copytree", "shutil.make_archive", "shutil.unpack_archive",
    "tempfile.mkstemp", "tempfile.mkdtemp",
)  # fmt: skip
NETWORK = (
    "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr", "socket.sendto", "socket.sendmsg", "socket.getnameinfo",
    "urllib.Request", "http.client.connect", "smtplib.connect", "ftplib.connect",
)  # fmt: skip
OTHERS = (
    "os.kill", "os.killpg", "os.putenv", "os.unsetenv", "signal.pthread_kill", "sys.addaudithook",
    "sys.setprofile", "sys.settrace", "sys._current_frames", "ctypes.call_function",
    "ctypes.cdata/buffer", "mmap.__new__", "resource.setrlimit", "resource.prlimit",
    "webbrowser.open", "code.interact", "cpython.run_file", "fcntl.ioctl",
)  # fmt: skip
QUIET = ("mmap.__new__", "ctypes.cdata/buffer", "sys._current_frames", "fcntl.ioctl")


def watch(tell, state, path):
    """Tell of everything that is not just reading a model."""
    if not hasattr(sys, "addaudithook"):
        return
    real = os.path.realpath
    folder = os.path.dirname(real(path)) + os.sep
    trusted = tuple(
        sorted(
            {real(p) + os.sep for p in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
            | {real(p) + os.sep for p in sys.path if p and os.path.isdir(p)}
            | {"/usr/", "/lib/", "/lib64/", "/opt/", "/sys/", "/proc/", "/dev/"}
            | {"/etc/ld.so.", "/etc/localtime", "/etc/mime.types", "/etc/ssl/"}
        )
    )
    secrets = ("environ", "cmdline", "mem", "maps")
    mine = (__file__, "pickle.py", "numpy_pickle.py", "_dill.py", "cloudpickle.py")
    written = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    frame_of = sys._getframe

    def event(kind, detail):
        if state["count"] >= 300 or (kind, detail) == state["last"]:
            return
        state["count"] += 1
        state["last"] = (kind, detail)
        tell(t="event", kind=kind, detail=detail[:300])

    def shown(args):
        try:
            return ", ".join(short(a) for a in args)
        except BaseException:
            return "?"

    def short(item):
        if isinstance(item, bytes):
            item = item.decode("utf-8", "replace")
        if isinstance(item, (list, tuple)):
            return " ".join(short(i) for i in item)
        if item is None or isinstance(item, (str, int, float)):
            return str(item)[:200]
        return type(item).__name__

    def hook(name, args):
        if not state["on"]:
            return
        state["on"] = False
        try:
            judge(name, args)
        finally:
            state["on"] = True

    def judge(name, args):
        if name == "open":
            opening(args)
        elif name in PROCESSES:
            event("process", "%s(%s)" % (name, shown(args[:2])))
        elif name in NETWORK:
            plain = [a for a in args if not hasattr(a, "fileno")]
            event("socket", "%s(%s)" % (name, shown(plain[:2])))
        elif name in WRITES:
            event("write", "%s(%s)" % (name, shown(args[:2])))
        elif name == "import":
            event("import", str(args[0]))
        elif name in ("exec", "compile"):
            running(name, args)
        elif name in OTHERS and name not in QUIET:
            event("other", "%s(%s)" % (name, shown(args[:2])))

    def opening(args):
        target, mode, flags = (tuple(args) + (None, None, None))[:3]
        if isinstance(target, int) or target is None:
            return
        if isinstance(target, bytes):
            target = target.decode("utf-8", "replace")
        target = str(target)
        writes = bool(isinstance(flags, int) and flags & written)
        if isinstance(mode, str) and any(c in mode for c in "wax+"):
            writes = True
        place = real(target)
        if writes:
            if place not in ("/dev/null", "/dev/shm"):
                event("write", "open(%s, %s)" % (target, mode or flags))
        elif place.startswith("/proc/") and place.rpartition("/")[2] in secrets[:1]:
            event("read", place)
        elif not (place.startswith(trusted) or place.startswith(folder)):
            event("read" if sensitive(place) else "open", place)

    def sensitive(place):
        return place.startswith(("/etc/", "/root/", "/home/", "/run/", "/var/"))

    def running(name, args):
        try:
            caller = frame_of(3).f_code.co_filename
        except BaseException:
            return
        base = caller.rpartition("/")[2]
        if caller != mine[0] and base not in mine[1:]:
            return
        code = args[0]
        if name == "compile":
            text = code if code is not None else args[1]
            event("exec", "compile(%s)" % short(text))
        else:
            event("exec", "exec(code from %s)" % getattr(code, "co_filename", "?"))

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()
