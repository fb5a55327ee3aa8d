import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers import serverconf
from auditor.parsers.commands import interpret_script
from auditor.parsers.shell import parse
from auditor.source import Fragment, SourceText, Unknown

GUNICORN = """\
import multiprocessing, os
port = os.environ.get("PORT", 8000)
bind = f"0.0.0.0:{port}"
workers = int(os.getenv("W", "3"))
threads = multiprocessing.cpu_count() * 2 + 1
timeout = 60 * 2
accesslog = "-"
preload_app = True
if os.getenv("DEV"):
    reload = True
def post_fork(server, worker):
    pass
"""


def gunicorn(text):
    return serverconf.parse_gunicorn(SourceText("gunicorn.conf.py", text))


def listens(text, config="", env=None):
    script = parse(Fragment("D", [(text, 1, 1)]))
    (found,) = interpret_script(script, env=env or {})
    options = gunicorn(config).options(env or {})
    return [(b.host, b.port, b.source) for b in found.fact.listens(env=env or {}, config=options)]


def test_gunicorn_settings():
    found = gunicorn(GUNICORN)
    assert found.get("bind").value.expand({}) == "0.0.0.0:8000"
    assert found.get("bind").value.expand({"PORT": "9"}) == "0.0.0.0:9"
    assert found.get("workers").value.expand({"W": "5"}) == "5"
    assert isinstance(found.get("threads").value.expand({}), Unknown)
    assert found.get("timeout").value.expand({}) == "120"
    assert isinstance(found.get("reload").value.expand({}), Unknown)
    assert found.get("reload").conditional and found.functions == ("post_fork",)
    at = found.get("bind").at
    assert (at.line, at.column, at.end_column) == (3, 8, 25)
    names = {o.name: o.value for o in found.options({})}
    assert names["preload"] is True and names["access_log"] == "-"


@pytest.mark.parametrize(
    ("command", "config", "env", "expected"),
    [
        ("gunicorn a:b", "bind = ':1'", {"PORT": "9"}, ("0.0.0.0", "1", "gunicorn.conf.py")),
        ("gunicorn -b :2 a:b", "bind = ':1'", {}, ("0.0.0.0", "2", "argv")),
        ("gunicorn a:b", "bind = ':1'", {"GUNICORN_CMD_ARGS": "-b :3"}, ("0.0.0.0", "3", "GUNICORN_CMD_ARGS")),
        ("gunicorn a:b", "workers = 2", {"PORT": "9"}, ("0.0.0.0", "9", "PORT")),
        ("gunicorn a:b", "workers = 2", {}, ("127.0.0.1", "8000", "default")),
    ],
)  # fmt: skip
def test_gunicorn_precedence(command, config, env, expected):
    assert listens(command, config, env) == [expected]


def test_gunicorn_list_and_unknown_port():
    assert [(h, p) for h, p, _ in listens("gunicorn a:b", "bind = [':1', '[::]:2']")] == [
        ("0.0.0.0", "1"),
        ("::", "2"),
    ]
    config = "import os\nbind = '0.0.0.0:' + os.environ['PORT']"
    ((host, port, _),) = listens("gunicorn a:b", config)
    assert host == "0.0.0.0" and isinstance(port, Unknown)


def test_gunicorn_that_is_no_python():
    assert gunicorn("bind = (").problems[0].fatal


def test_supervisord():
    text = (
        "[supervisord]\nnodaemon=true\nlogfile=/var/log/s.log\n\n"
        "[program:api] \ncommand=uvicorn a:b --port %(ENV_PORT)s ; comment\n"
        'directory=/app\nenvironment=A="1,2",B=x\nuser=app\n'
        "stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nautorestart=true\n"
        "[include]\nfiles = /etc/s/*.conf\n"
    )
    found = serverconf.parse_supervisord(SourceText("s.conf", text))
    assert found.nodaemon and found.includes == ("/etc/s/*.conf",) and not found.problems
    (program,) = found.programs
    assert program.name == "api" and program.user == "app" and program.at.line == 5
    assert program.environment == (("A", "1,2"), ("B", "x"))
    assert program.stdout_logfile_maxbytes == "0" and program.autorestart == "true"
    command = program.command.commands[0]
    assert [a.value for a in command.argv({"PORT": "7"})] == ["uvicorn", "a:b", "--port", "7"]
    assert (command.words[0].at.line, command.words[0].at.column) == (6, 9)
    assert (command.words[3].at.column, command.words[3].at.end_column) == (28, 40) or (
        command.words[3].at.column == 28
    )


def test_uwsgi():
    found = serverconf.parse_uwsgi(
        SourceText("u.ini", "[uwsgi]\nhttp = :$(PORT)\nprocesses = 4\nmodule = a:b\n")
    )
    names = {o.name: o.value for o in found.options({"PORT": "7"})}
    assert names["http"] == ":7" and names["workers"] == "4" and names["app"] == "a:b"
    script = parse(Fragment("D", [("uwsgi --ini u.ini", 1, 1)]))
    (started,) = interpret_script(script)
    (bind,) = started.fact.listens(config=found.options({"PORT": "7"}))
    assert (bind.host, bind.port) == ("0.0.0.0", "7")


def test_toml_files():
    found = serverconf.parse_streamlit(
        SourceText("c.toml", '[server]\n# x\nport = 80\naddress = "0.0.0.0"\n')
    )
    assert found.get("server.port").value.expand() == "80"
    assert (found.get("server.port").at.line, found.get("server.port").at.column) == (3, 8)
    assert {o.name for o in found.options()} == {"port", "host"}
    found = serverconf.parse_hypercorn(SourceText("h.toml", 'bind = ["0.0.0.0:1", ":2"]\n'))
    assert [o.value for o in found.options()] == ["0.0.0.0:1", ":2"]
    assert serverconf.parse_hypercorn(SourceText("h.toml", "a = [")).problems


def test_procfile():
    found = serverconf.parse_procfile(SourceText("Procfile", "# x\nweb: gunicorn a:b -b :$PORT\n"))
    (entry,) = found.entries
    assert entry.name == "web" and entry.at.column == 6
    assert entry.command.commands[0].words[1].at.column == 15


def test_nginx():
    text = (
        "upstream api { server api:8000; server b:1 backup; }\n"
        "server {\n  listen 80 default_server; # x\n  listen [::]:443 ssl;\n  server_name a b;\n"
        "  location / {\n    proxy_pass http://api;\n    proxy_read_timeout 5s;\n  }\n}\n"
    )
    found = serverconf.parse_nginx(SourceText("n.conf", text))
    (server,) = found.servers
    assert [(b.host, b.port, b.protocol) for b in server.listens] == [
        ("0.0.0.0", "80", "http"),
        ("::", "443", "https"),
    ]
    (place,) = server.locations
    assert place.upstream == "http://api" and place.upstream_at.line == 7
    assert place.directive.find("proxy_read_timeout").args == ("5s",)
    assert [target for target, _ in found.upstreams[0][1]] == ["api:8000", "b:1"]
    assert server.names == ("a", "b") and not found.problems
    assert serverconf.parse_nginx(SourceText("n.conf", "server { listen 80;")).problems


def test_nginx_template():
    found = serverconf.parse_nginx(SourceText("n.conf", "server { listen ${PORT}; }"))
    assert isinstance(found.servers[0].listens[0].port, Unknown)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab[]{}=:;%()$\"'\\\n #.,ENV_s1 os", max_size=80))
def test_never_raises(text):
    source = SourceText("x", text)
    for read in (
        serverconf.parse_gunicorn,
        serverconf.parse_supervisord,
        serverconf.parse_uwsgi,
        serverconf.parse_hypercorn,
        serverconf.parse_streamlit,
        serverconf.parse_procfile,
        serverconf.parse_nginx,
    ):
        found = read(source)
        if isinstance(found, serverconf.ServerConfig):
            found.options({"a": "b"})
