"""Say what an image holds: interpreter, distributions, what imports, what the loader lacks.

    python inspector.py NONCE MODULES PATHS     (MODULES: DISTRIBUTION=MODULE,…; PATHS: JSON)

Prints one line ``@NONCE {json}``. Every import runs in a process of its own.
"""

import json
import os
import subprocess
import sys


def main():
    nonce, wanted, paths = sys.argv[1:4]
    found = {
        "python": "%d.%d.%d" % sys.version_info[:3],
        "uid": os.getuid(),
        "cwd": os.getcwd(),
        "distributions": distributions(),
        "pip_check": pip_check(),
        "imports": [imported(pair) for pair in wanted.split(",") if "=" in pair],
        "missing": missing(),
        "writable": writable(),
        "paths": [[path] + standing(path) for path in json.loads(paths)],
        "user": user(),
    }
    sys.stdout.write("@%s %s\n" % (nonce, json.dumps(found)))


def user():
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except Exception:
        return str(os.getuid())


def distributions():
    found = {}
    try:
        from importlib import metadata

        for item in metadata.distributions():
            name = item.metadata["Name"]
            if name:
                found.setdefault(name.lower().replace("_", "-"), item.version)
    except ImportError:
        try:
            import pkg_resources

            for item in pkg_resources.working_set:
                found.setdefault(item.key, item.version)
        except ImportError:
            pass
    return found


def run(command, seconds):
    try:
        done = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            out = done.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            done.kill()
            done.communicate()
            return None, "it did not end within %d s" % seconds
        return done.returncode, out.decode("utf-8", "replace")
    except OSError as error:
        return None, str(error)


def pip_check():
    code, text = run([sys.executable, "-m", "pip", "--disable-pip-version-check", "check"], 60)
    if code in (0, None) or "No module named pip" in text:
        return []
    return [line for line in text.splitlines() if " has requirement " in line or "requires" in line]


def imported(pair):
    distribution, _, module = pair.partition("=")
    code, text = run([sys.executable, "-B", "-c", "import " + module], 60)
    return [distribution, module, code == 0, "" if code == 0 else text[-2000:]]


def missing():
    """(shared object, soname) for all that the dynamic loader would not find."""
    folders = []
    for path in sys.path:
        if path.endswith(("site-packages", "dist-packages")) and os.path.isdir(path):
            folders.append(path)
    objects = []
    for folder in folders:
        for base, _, names in os.walk(folder):
            for name in names:
                if name.endswith(".so") or ".so." in name:
                    objects.append(os.path.join(base, name))
    # A wheel's own libraries lie beside it, and are loaded by whoever has their path.
    brought = {os.path.basename(path) for path in objects}
    found = []
    for index in range(0, min(len(objects), 6000), 200):
        code, text = run(["ldd"] + objects[index : index + 200], 120)
        if code is None:
            break
        current = objects[index]
        for line in text.splitlines():
            if line.startswith("/") and line.rstrip().endswith(":"):
                current = line.rstrip()[:-1]
            elif "=> not found" in line:
                soname = line.split("=>")[0].strip()
                if soname not in brought:
                    found.append([current, soname])
    found = found[:300]
    owners = owners_of({path for path, _ in found})
    return [[path, soname, owners.get(path, "")] for path, soname in found]


def owners_of(paths):
    """The distribution that brought each of these files."""
    found = {}
    if not paths:
        return found
    try:
        from importlib import metadata

        for item in metadata.distributions():
            for name in item.files or ():
                path = os.path.normpath(str(item.locate_file(name)))
                if path in paths:
                    found[path] = (item.metadata["Name"] or "").lower().replace("_", "-")
    except Exception:
        pass
    return found


def standing(path):
    """[kind, size, whether this user may write it or make it]"""
    if os.path.isdir(path):
        kind, size = "directory", 0
    elif os.path.isfile(path):
        kind, size = "file", os.path.getsize(path)
    else:
        kind, size = "", 0
    place = path
    while not os.path.lexists(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    return [kind, size, os.access(place, os.W_OK)]


def writable():
    found = []
    for path in (
        os.getcwd(),
        os.path.expanduser("~"),
        "/tmp",
        "/app",
        "/var/log",
        "/data",
        "/models",
    ):
        if os.path.isdir(path) and os.access(path, os.W_OK) and path not in found:
            found.append(path)
    return found


if __name__ == "__main__":
    main()
