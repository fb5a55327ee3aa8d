"""What the standard library's functions and classes take and have, Python by Python.

Asks each interpreter for the parameters of its public functions and methods and for the members
of its public classes, makes the calls of ``CALLS`` whose signature tells nothing, and writes
``rules/knowledge/interpreters.json``: per module, ``function(parameter=)`` or ``Class.member`` and
the Pythons that have the function or class, and not that.

    python tools/make_interpreter_table.py --python-root ~/.pyenv/versions
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "rules" / "knowledge" / "interpreters.json"
OLDEST = (3, 6)
# Calls of what has no signature, or takes whatever keyword it is given: name, call.
CALLS = (
    ("builtins:zip(strict=)", "zip((), (), strict=True)"),
    ("builtins:sum(start=)", "sum((), start=1)"),
    ("builtins:pow(mod=)", "pow(2, 2, mod=3)"),
    *(
        (f"bisect:{name}(key=)", f"__import__('bisect').{name}([1], 1, key=abs)")
        for name in (
            "bisect",
            "bisect_left",
            "bisect_right",
            "insort",
            "insort_left",
            "insort_right",
        )
    ),
    (
        "importlib.metadata:entry_points(group=)",
        "__import__('importlib.metadata').metadata.entry_points(group='x')",
    ),
    ("json:loads(encoding=)", "__import__('json').loads('1', encoding='utf-8')"),
    (
        "json:load(encoding=)",
        "__import__('json').load(__import__('io').StringIO('1'), encoding='utf-8')",
    ),
    ("logging:basicConfig(encoding=)", "__import__('logging').basicConfig(encoding='utf-8')"),
    ("logging:basicConfig(force=)", "__import__('logging').basicConfig(force=True)"),
)
# Run by each interpreter: alone, it imports nothing of this project.
PROBE = '''
import enum, importlib, inspect, json, os, pkgutil, sys, warnings
warnings.simplefilter("ignore")
home = os.path.dirname(os.__file__)
found = set(sys.builtin_module_names)
found |= {m.name for m in pkgutil.iter_modules([home, os.path.join(home, "lib-dynload")])}
found -= set("""antigravity this idlelib turtle turtledemo tkinter test lib2to3 ensurepip distutils site pip
setuptools pkg_resources wheel email nturl2path pydoc pydoc_data venv curses msilib ctypes symbol token
tokenize""".split())
found |= set("""collections.abc concurrent.futures html.parser http.client http.cookies http.server
importlib.abc importlib.machinery importlib.metadata importlib.resources importlib.util logging.config
logging.handlers multiprocessing.pool os.path unittest.mock urllib.parse urllib.request
wsgiref.simple_server xml.dom.minidom xml.etree.ElementTree xmlrpc.client xmlrpc.server""".split())

def parameters(function):
    try:
        taken = inspect.signature(function).parameters.values()
    except Exception:
        return None
    if any(p.kind is p.VAR_KEYWORD for p in taken):
        return None
    return [p.name for p in taken if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]

calls, members = {}, {}
output, sys.stdout = sys.stdout, open(os.devnull, "w")
for module in sorted(found):
    if module.startswith("_"):
        continue
    try:
        loaded = importlib.import_module(module)
    except BaseException:
        continue
    for name in dir(loaded):
        value = getattr(loaded, name, None)
        if name.startswith("_") or not callable(value):
            continue
        whole = "%s:%s" % (module, name)
        if inspect.isclass(value):
            if issubclass(value, (BaseException, enum.Enum)):
                continue
            members[whole] = [m for m in dir(value) if not m.startswith("_")]
            for member in members[whole]:
                method = getattr(value, member, None)
                if callable(method) and not inspect.isclass(method):
                    calls["%s.%s" % (whole, member)] = parameters(method)
        calls[whole] = parameters(value)
made = {}
for name, call in json.loads(sys.argv[1]):
    try:
        eval(call)
        made[name] = True
    except (TypeError, ValueError):
        made[name] = False
    except Exception:
        pass
sys.stdout = output
print(json.dumps({"calls": calls, "members": members, "made": made}))
'''


def ask(program: Path) -> dict[str, Any]:
    """What one interpreter answers."""
    done = subprocess.run(
        [program, "-I", "-c", PROBE, json.dumps(CALLS)],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def lacking(answers: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Each use that some Pythons have: the others that could have it."""
    found: dict[str, list[str]] = {}

    def compare(rows: dict[str, set[str]], form: str) -> None:
        if len(rows) < 2:
            return
        for part in set().union(*rows.values()):
            without = [python for python, parts in rows.items() if part not in parts]
            if without and part not in ("self", "cls"):
                found[form.format(part)] = without

    for whole in sorted({w for a in answers.values() for w in a["calls"]}):
        rows = {p: a["calls"].get(whole) for p, a in answers.items()}
        compare({p: set(r) for p, r in rows.items() if r is not None}, f"{whole}({{}}=)")
    for whole in sorted({w for a in answers.values() for w in a["members"]}):
        rows = {p: a["members"].get(whole) for p, a in answers.items()}
        compare({p: set(r) for p, r in rows.items() if r is not None}, f"{whole}.{{}}")
    for name, _ in CALLS:
        rows = {p: a["made"].get(name) for p, a in answers.items()}
        without = [p for p, answer in rows.items() if answer is False]
        if without and True in rows.values():
            found[name] = without
    return found


def main() -> int:
    """Ask every interpreter below the root and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python-root", type=Path, required=True)
    arguments = parser.parse_args()
    homes = {}
    for home in arguments.python_root.glob("3.*"):
        version = tuple(int(part) for part in home.name.split(".")[:2])
        if version >= OLDEST and (home / "bin" / "python").exists():
            homes[version] = home
    answers = {f"{v[0]}.{v[1]}": ask(homes[v] / "bin" / "python") for v in sorted(homes)}
    table: dict[str, dict[str, str]] = {}
    for use, pythons in sorted(lacking(answers).items()):
        module, _, name = use.partition(":")
        table.setdefault(module, {})[name] = " ".join(pythons)
    document = {
        "source": f"tools/make_interpreter_table.py, asked of {', '.join(answers)}",
        "pythons": list(answers),
        "lacking": table,
    }
    TARGET.write_text(json.dumps(document, indent=0, ensure_ascii=False) + "\n", "utf-8")
    print(f"{sum(map(len, table.values()))} uses in {len(table)} modules", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
