import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers.commands import (
    Download,
    FileOp,
    Other,
    PipInstall,
    PythonRun,
    ServerStart,
    ShellRun,
    SystemInstall,
    Venv,
    interpret_script,
    main_processes,
)
from auditor.parsers.shell import exec_form, parse
from auditor.parsers.shell.facts import Arg
from auditor.source import Fragment, Location, Unknown


def script(text):
    return parse(Fragment("Dockerfile", [(text, 1, 1)]))


def all_of(text, env=None, args=None):
    return list(interpret_script(script(text), env=env or {}, cwd="/app", args=args))


def one(text, env=None):
    return all_of(text, env)[-1].fact


def listens(text, env=None):
    found = all_of(text, env)[-1]
    return [(b.host, b.port) for b in found.fact.listens(env=found.env)]


@pytest.mark.parametrize(
    ("text", "env", "kind", "expected"),
    [
        ("uvicorn a:b", {}, "uvicorn", [("127.0.0.1", "8000")]),
        ("uvicorn a:b --host 0.0.0.0 --port=${PORT:-80}", {}, "uvicorn", [("0.0.0.0", "80")]),
        ("uvicorn a:b", {"UVICORN_HOST": "::", "UVICORN_PORT": "9"}, "uvicorn", [("::", "9")]),
        ("uvicorn a:b --port 1", {"UVICORN_PORT": "9"}, "uvicorn", [("127.0.0.1", "1")]),
        ("gunicorn a:b", {}, "gunicorn", [("127.0.0.1", "8000")]),
        ("gunicorn a:b", {"PORT": "9"}, "gunicorn", [("0.0.0.0", "9")]),
        ("gunicorn -b :1 a:b", {"PORT": "9"}, "gunicorn", [("0.0.0.0", "1")]),
        ("gunicorn a:b", {"GUNICORN_CMD_ARGS": "-b 0.0.0.0:5"}, "gunicorn", [("0.0.0.0", "5")]),
        ("gunicorn -b :1 -b [::]:2 a:b", {}, "gunicorn", [("0.0.0.0", "1"), ("::", "2")]),
        ("hypercorn a:b -b 0.0.0.0:7", {}, "hypercorn", [("0.0.0.0", "7")]),
        ("daphne -b 0.0.0.0 -p 7 a:b", {}, "daphne", [("0.0.0.0", "7")]),
        ("granian --host 0.0.0.0 a:b", {}, "granian", [("0.0.0.0", "8000")]),
        ("waitress-serve --listen=*:7 a:b", {}, "waitress", [("*", "7")]),
        ("flask --app x run -h 0.0.0.0", {}, "flask", [("0.0.0.0", "5000")]),
        ("python -m flask run", {"FLASK_RUN_PORT": "7"}, "flask", [("127.0.0.1", "7")]),
        ("python manage.py runserver 0:7", {}, "django", [("0.0.0.0", "7")]),
        ("fastapi run a.py --port 7", {}, "fastapi-run", [("0.0.0.0", "7")]),
        ("fastapi dev a.py", {}, "fastapi-dev", [("127.0.0.1", "8000")]),
        ("streamlit run a.py --server.port 7", {}, "streamlit", [("0.0.0.0", "7")]),
        ("streamlit run a.py", {"STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}, "streamlit", [("127.0.0.1", "8501")]),
        ("mlflow models serve -m m -h 0.0.0.0 -p 7", {}, "mlflow-models", [("0.0.0.0", "7")]),
        ("mlflow server --host 0.0.0.0", {}, "mlflow-server", [("0.0.0.0", "5000")]),
        ("bentoml serve service:svc", {}, "bentoml", [("0.0.0.0", "3000")]),
        ("jupyter lab --ip=0.0.0.0", {}, "jupyter", [("0.0.0.0", "8888")]),
        ("python -m http.server 7", {}, "http.server", [("0.0.0.0", "7")]),
        ("celery -A t worker -l info", {}, "celery", []),
        ("uwsgi --http :7 --wsgi-file a.py", {}, "uwsgi", [("0.0.0.0", "7")]),
    ],
)  # fmt: skip
def test_servers(text, env, kind, expected):
    fact = one(text, env)
    assert isinstance(fact, ServerStart) and fact.kind == kind
    assert listens(text, env) == expected


def test_unknown_port_leaves_the_host_known():
    ((host, port),) = listens("gunicorn -b 0.0.0.0:$PORT a:b")
    assert host == "0.0.0.0" and isinstance(port, Unknown)
    ((host, port),) = listens("uvicorn a:b --port=$PORT")
    assert host == "127.0.0.1" and isinstance(port, Unknown)


def test_hidden_options_leave_the_defaults_open():
    ((host, port),) = listens("uvicorn a:b $OPTIONS")
    assert isinstance(host, Unknown) and isinstance(port, Unknown)


def test_bind_facts():
    fact = one("gunicorn -b unix:/run/x.sock a:b")
    assert fact.binds[0].unix == "/run/x.sock"
    (bind,) = one("uvicorn a:b").listens()
    assert bind.loopback and not bind.all_interfaces and bind.number == 8000
    (bind,) = one("uvicorn a:b --host 0.0.0.0").listens()
    assert bind.loopback is False and bind.all_interfaces


def test_server_options():
    fact = one(
        "gunicorn -w 4 -k uvicorn.workers.UvicornWorker --threads=2 --timeout 120 --preload "
        "--max-requests 1000 --access-logfile - -c conf.py --chdir src 'app:create_app()'"
    )
    assert (fact.value("workers"), fact.value("threads"), fact.value("timeout")) == (
        "4",
        "2",
        "120",
    )
    assert fact.value("worker_class") == "uvicorn.workers.UvicornWorker"
    assert fact.value("preload") is True and fact.value("max_requests") == "1000"
    assert fact.value("access_log") == "-" and fact.value("config") == "conf.py"
    assert fact.app_dir == "src"
    assert (fact.app.module, fact.app.attribute, fact.app.factory) == ("app", "create_app", True)
    assert one("uvicorn a:b --reload").value("reload") is True
    assert one("uvicorn a:b --factory").app.factory
    assert one("uvicorn a:b --no-access-log").value("access_log") is False
    assert fact.effective("workers", env={"WEB_CONCURRENCY": "9"}).value == "4"
    assert one("gunicorn a:b").effective("workers", env={"WEB_CONCURRENCY": "9"}).value == "9"


def test_option_places():
    text = "uvicorn main:app --port=8000 --host 0.0.0.0"
    fact = one(text)
    for name in ("port", "host"):
        at = fact.option(name).at
        assert text[at.column - 1 : at.end_column - 1] == fact.value(name)


@pytest.mark.parametrize(
    ("text", "wrapper"),
    [
        ("tini -g -- uvicorn a:b", "tini"),
        ("dumb-init uvicorn a:b", "dumb-init"),
        ("gosu app uvicorn a:b", "gosu"),
        ("su-exec app uvicorn a:b", "su-exec"),
        ("env -u X A=1 uvicorn a:b", "env"),
        ("nohup uvicorn a:b", "nohup"),
        ("timeout -s KILL 60 uvicorn a:b", "timeout"),
        ("conda run --no-capture-output -n ml uvicorn a:b", "conda run"),
        ("micromamba run -n ml uvicorn a:b", "micromamba run"),
        ("poetry run uvicorn a:b", "poetry run"),
        ("uv run --frozen --no-dev uvicorn a:b", "uv run"),
        ("uv run -m uvicorn a:b", "uv run"),
        ("pipenv run python -m uvicorn a:b", "pipenv run"),
        ("pdm run uvicorn a:b", "pdm run"),
        ("hatch run prod:uvicorn a:b", "hatch run"),
        ("xvfb-run -a uvicorn a:b", "xvfb-run"),
        ("opentelemetry-instrument --service_name x uvicorn a:b", "opentelemetry-instrument"),
        ("ddtrace-run uvicorn a:b", "ddtrace-run"),
        ("wait-for-it db:5432 -t 30 -- uvicorn a:b", "wait-for-it"),
        ("sudo -E -u app uvicorn a:b", "sudo"),
        ("python -m debugpy --listen 0.0.0.0:5678 -m uvicorn a:b", "debugpy"),
    ],
)
def test_wrappers(text, wrapper):
    (found,) = all_of(text)
    assert [w.name for w in found.wrappers] == [wrapper]
    assert isinstance(found.fact, ServerStart) and found.fact.app.module == "a"


def test_wrapper_facts():
    (found,) = all_of("env -C /x A=1 gosu app:grp uvicorn a:b --port $A")
    assert found.env["A"] == "1" and found.cwd == "/x" and found.wrappers[1].user == "app:grp"


def test_python():
    fact = one("python3.9 -u -W ignore app.py --port 3")
    assert isinstance(fact, PythonRun)
    assert fact.interpreter == "python3.9" and fact.script.value == "app.py"
    assert [a.value for a in fact.args] == ["--port", "3"] and fact.flags[0] == "-u"
    assert one("python -m app.main x").module.value == "app.main"
    assert one("python -c 'import x'").code.value == "import x"


def test_pip():
    text = (
        "pip install --no-cache-dir -r r.txt -rb.txt -c c.txt 'torch>=2,<3' -e .[dev] ./w.whl . "
        "git+https://h/x.git --extra-index-url https://i/simple --trusted-host h"
    )
    fact = one(text)
    assert isinstance(fact, PipInstall)
    assert [a.value for a in fact.requirement_files] == ["r.txt", "b.txt"]
    assert [a.value for a in fact.constraint_files] == ["c.txt"]
    assert [a.value for a in fact.requirements] == ["torch>=2,<3", "git+https://h/x.git"]
    assert [a.value for a in fact.local_paths] == ["./w.whl", "."]
    assert [a.value for a in fact.editable] == [".[dev]"]
    assert [(o.name, o.value) for o in fact.index_urls] == [("extra_index_url", "https://i/simple")]
    at = fact.requirements[0].at
    assert text[at.column - 1 : at.end_column - 1] == "'torch>=2,<3'"
    assert one("/opt/venv/bin/pip install x").python == "/opt/venv/bin/python"
    assert one("python3 -m pip install -U pip").python == "python3"
    assert isinstance(one("pip list"), Other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uv pip install --system -r r.txt", {"tool": "uv", "action": "install", "system": True}),
        ("uv pip sync r.txt", {"tool": "uv", "action": "install"}),
        ("uv sync --frozen --no-dev --extra api", {"action": "sync", "frozen": True, "dev": False, "extras": ("api",)}),
        ("poetry install --only main --no-root", {"action": "sync", "only_groups": ("main",), "no_root": True}),
        ("poetry install --no-dev", {"dev": False}),
        ("poetry export -f requirements.txt -o r.txt --without-hashes", {"action": "export", "output": "r.txt"}),
        ("pdm sync --prod --no-self", {"action": "sync", "dev": False, "no_root": True}),
        ("pipenv install --system --deploy", {"action": "sync", "system": True, "locked": True}),
        ("conda env create -f e.yml -n x", {"action": "env-create", "target": "x"}),
        ("mamba install -y -c conda-forge numpy=1.26", {"tool": "mamba", "action": "install"}),
        ("conda env update", {"action": "env-update"}),
    ],
)  # fmt: skip
def test_other_installers(text, expected):
    fact = one(text)
    assert isinstance(fact, PipInstall)
    assert {name: getattr(fact, name) for name in expected} == expected


def test_conda_default_file():
    assert one("conda env update").requirement_files[0].value == "environment.yml"


def test_system_packages():
    update, install, remove = [
        i.fact
        for i in all_of(
            "apt-get update -qq && apt-get install -yq --no-install-recommends libgl1 gcc=4:12* "
            "./x.deb && apt-get purge -y gcc"
        )
    ]
    assert isinstance(install, SystemInstall) and update.updates_lists
    assert [(p.name, p.version) for p in install.packages] == [("libgl1", None), ("gcc", "=4:12*")]
    assert not install.recommends and install.assume_yes and install.files[0].value == "./x.deb"
    assert remove.action == "purge"
    assert one("apt-get -o APT::Install-Recommends=0 install x").recommends is False
    apk = one("apk add --no-cache --virtual .b 'py3-x>1' gcc")
    assert apk.virtual == ".b" and [p.version for p in apk.packages] == [">1", None]
    assert one("dnf install -y --setopt=install_weak_deps=False x").recommends is False


def test_downloads_and_files():
    fact = one("curl -fsSL -o /m/x.pkl https://h/x.pkl")
    assert isinstance(fact, Download) and (fact.source.value, fact.output) == (
        "https://h/x.pkl",
        "/m/x.pkl",
    )
    assert one("wget -qO- https://h/x").to_stdout
    assert one("git clone --depth 1 -b v1 https://h/x.git d").revision == "v1"
    assert one("python -m spacy download en_core_web_sm").source.value == "en_core_web_sm"
    assert one("huggingface-cli download a/b --local-dir /m").directory == "/m"
    assert one("aws s3 cp s3://b/x /m/x").output == "/m/x"
    copy = one("cp -r a b /c")
    assert isinstance(copy, FileOp) and copy.recursive and copy.target.value == "/c"
    assert one("chmod +x run.sh").mode == "+x"
    assert one("useradd -m -d /home/x -u 1000 app").user == "app"
    assert one("tar xzf a.tgz -C /opt").target.value == "/opt"
    assert isinstance(one("python -m venv /opt/venv"), Venv)


def test_activated_and_sourced():
    fact = one(". /opt/venv/bin/activate")
    assert isinstance(fact, ShellRun) and fact.script.value == "/opt/venv/bin/activate"


def processes(text, files=None, args=()):
    scripts = {path: script(body) for path, body in (files or {}).items()}
    words = tuple(Arg(value=a, at=Location("Dockerfile", 9)) for a in args)
    return main_processes(
        script(text), cwd="/app", args=words, read_script=lambda path, cwd: scripts.get(path)
    )


def test_main_process_through_a_wrapper_script():
    elements = [Fragment("Dockerfile", [("/start.sh", 3, 14)])]
    body = 'set -e\npython migrate.py\nexec "$@"\n'
    at = Location("Dockerfile", 4, 7)
    (found,) = main_processes(
        exec_form("Dockerfile", elements),
        cwd="/app",
        args=(Arg(value="uvicorn", at=at), Arg(value="a:b", at=at)),
        read_script=lambda path, cwd: script(body) if path == "/start.sh" else None,
    )
    assert found.interpretation.fact.kind == "uvicorn" and not found.shell_is_pid1
    assert found.interpretation.fact.at == at and len(found.through) == 1


def test_shell_in_front():
    (found,) = processes("uvicorn a:b")
    assert found.shell_is_pid1
    (found,) = processes("exec uvicorn a:b")
    assert not found.shell_is_pid1
    (found,) = processes("exec tini -- gosu app uvicorn a:b")
    assert found.init and [w.name for w in found.interpretation.wrappers] == ["tini", "gosu"]
    (found,) = processes("sh /run.sh", {"/run.sh": "cd src; exec gunicorn a:b"})
    assert found.shell_is_pid1 and found.interpretation.cwd == "/app/src"


def test_branches_and_background():
    found = processes('if [ "$E" = dev ]; then exec flask run; else exec gunicorn a:b; fi')
    assert {p.interpretation.fact.kind for p in found} == {"flask", "gunicorn"}
    assert all(p.conditional for p in found)
    found = processes("nginx & uvicorn a:b & wait")
    assert [(p.interpretation.fact.kind, p.background) for p in found] == [
        ("nginx", True),
        ("uvicorn", True),
    ]


def test_a_script_that_starts_itself_ends():
    assert processes("/a.sh", {"/a.sh": "exec /a.sh"}) is not None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "gunicorn",
                "uvicorn",
                "python",
                "-m",
                "pip",
                "install",
                "apt-get",
                "-b",
                "-w",
                "--bind=",
                "--port",
                "$X",
                '"$X"',
                "0.0.0.0:$X",
                ":",
                "sh",
                "-c",
                "'a",
                "b'",
                "-r",
                "r.txt",
                "env",
                "A=1",
                "tini",
                "--",
                "conda",
                "run",
                "-n",
                "uv",
                "sync",
                "tar",
                "x",
                "-C",
                "curl",
                "-o",
                "chmod",
                "flask",
                "--app",
                "run",
                "=",
                "-",
                "--",
                "1",
                "[",
                "]",
                "a:b",
                "poetry",
                "manage.py",
                "runserver",
                "0:0",
                "uwsgi",
                "jupyter",
                "lab",
                "hatch",
                "timeout",
                "dnf",
                "git",
                "clone",
            ]
        ),
        max_size=10,
    )
)
def test_never_raises(words):
    text = " ".join(words)
    for found in all_of(text, {"X": "1 2"}) + all_of(text):
        if isinstance(found.fact, ServerStart):
            found.fact.listens(env={"PORT": Unknown("x"), "GUNICORN_CMD_ARGS": "-b"})
    processes(text)
