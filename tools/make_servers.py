# mypy: disable-error-code="import-not-found,import-untyped,unused-ignore"

"""Write ``rules/knowledge/servers.toml``: command-line options and defaults of model servers.

Run it with the Python of a virtual environment that has the servers installed, e.g.::

    python -m venv v && v/bin/pip install uvicorn gunicorn hypercorn daphne granian flask \
        django "fastapi-cli[standard-no-fastapi-cloud-cli]" sanic aiohttp "litestar[standard]" celery
    v/bin/python tools/make_servers.py > rules/knowledge/servers.toml
    python tools/compile_tables.py

Options of those come from the programs' own parsers. Rows of ``READ`` were read in the source
of the release that is named there; their servers have no parser that can be asked cheaply.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from importlib.metadata import version
from typing import Any

# The names that deploy-audit uses, by the tool's own name of the option.
CANON = {
    "binds": "bind", "daemon_user": "user", "daemon_group": "group", "http_port": "port", "ip": "host", "address": "host", "hostname": "host",
    "unix_socket": "uds", "wc": "workers", "file_descriptor": "fd", "unix": "uds",
    "http_timeout": "request_timeout", "worker": "workers", "worker_connections":
    "worker_connections", "timeout_keep_alive": "keep_alive", "keepalive": "keep_alive",
    "timeout_graceful_shutdown": "graceful_timeout", "workers_kill_timeout": "kill_timeout",
    "limit_max_requests": "max_requests", "limit_max_requests_jitter": "max_requests_jitter",
    "preload_app": "preload", "accesslog": "access_log", "access_logfile": "access_log",
    "access_log_file": "access_log", "errorlog": "error_log", "error_logfile": "error_log",
    "loglevel": "log_level", "logconfig": "log_config", "logger_config": "log_config",
    "logconfig_dict": "log_config", "verbosity": "log_level",
    "ssl_certfile": "certfile", "ssl_certificate": "certfile", "ssl_keyfile": "keyfile",
    "url_path_prefix": "root_path", "use_reloader": "reload", "auto_reload": "reload",
    "simple": "simple", "cert": "certfile", "key": "keyfile", "worker_class_str": "worker_class",
    "working_dir": "chdir", "blocking_threads": "threads", "num_workers": "workers",
    "application": "app", "wsgi_app": "app", "entrypoint": "entrypoint", "concurrency": "workers",
    "max_tasks_per_child": "max_requests", "logfile": "error_log", "with_threads": "threading",
    "path_to_app": "app", "paths": "pythonpath", "workdir": "chdir", "tls_cert": "certfile",
}  # fmt: skip

# Kept although they say nothing about the deployment, because they take a value: the reader of a
# command line must know which words are values.


def canonical(name: str) -> str:
    name = name.lstrip("-").strip("_").replace("-", "_").replace(".", "_")
    return CANON.get(name, name)


def from_click(command: Any, prefix: str | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {"values": {}, "switches": {}, "off": {}, "env": {}, "defaults": {}}
    for param in command.params:
        # Typer ships a click of its own, so the class does not tell.
        if param.param_type_name != "option":
            continue
        name = canonical(param.name or "")
        kind = "switches" if param.is_flag or param.count else "values"
        for flag in param.opts:
            row[kind][flag] = name
        for flag in param.secondary_opts:
            row["off"][flag] = name
        variables = param.envvar or []
        for variable in [variables] if isinstance(variables, str) else variables:
            row["env"][variable] = name
        if prefix and param.allow_from_autoenv and not variables and param.name != "help":
            row["env"][f"{prefix}_{param.name}".upper()] = name
        keep_default(row, name, param.default)
    return row


def keep_default(row: dict[str, Any], name: str, value: Any) -> None:
    known = {
        "host", "port", "bind", "workers", "threads", "timeout", "graceful_timeout", "keep_alive",
        "backlog", "max_requests", "worker_class", "limit_concurrency", "preload", "reload",
        "request_timeout", "proxy_headers", "access_log", "forwarded_allow_ips", "interface",
    }  # fmt: skip
    if name in known and isinstance(value, (str, int, bool, float)) and value not in ("", None):
        row["defaults"][name] = value


def from_argparse(parser: argparse.ArgumentParser) -> dict[str, Any]:
    row: dict[str, Any] = {"values": {}, "switches": {}, "off": {}, "env": {}, "defaults": {}}
    for action in parser._actions:
        name = canonical(action.dest)
        for flag in action.option_strings:
            if action.nargs == 0 and not isinstance(action, argparse.BooleanOptionalAction):
                row["off" if action.const is False else "switches"][flag] = name
            elif isinstance(action, argparse.BooleanOptionalAction):
                row["off" if flag.startswith("--no-") else "switches"][flag] = name
            else:
                row["values"][flag] = name
        if action.option_strings and action.default is not argparse.SUPPRESS:
            keep_default(row, name, action.default)
    return row


def captured_parser(module: str, call: str = "main", argv: list[str] | None = None) -> Any:
    """The ArgumentParser that a program builds inside its main function."""

    class Stop(BaseException):
        pass

    kept: list[argparse.ArgumentParser] = []

    def stop(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
        kept.append(self)
        raise Stop

    originals = argparse.ArgumentParser.parse_args, argparse.ArgumentParser.parse_known_args
    argparse.ArgumentParser.parse_args = stop  # type: ignore[method-assign, assignment]
    argparse.ArgumentParser.parse_known_args = stop  # type: ignore[method-assign, assignment]
    try:
        function = getattr(importlib.import_module(module), call)
        function(argv or [])
    except Stop:
        pass
    finally:
        argparse.ArgumentParser.parse_args, argparse.ArgumentParser.parse_known_args = originals  # type: ignore[method-assign]
    return kept[0]


def gunicorn() -> dict[str, Any]:
    from gunicorn import config

    row = from_argparse(config.Config().parser())
    for setting in config.KNOWN_SETTINGS:
        if setting.cli:
            keep_default(row, canonical(setting.name), setting.default)
    row["defaults"]["bind"] = "127.0.0.1:8000"
    row["defaults"]["workers"] = 1
    row["env"] = {
        "PORT": "port",
        "WEB_CONCURRENCY": "workers",
        "FORWARDED_ALLOW_IPS": "forwarded_allow_ips",
        "GUNICORN_CMD_ARGS": "arguments",
    }
    # With PORT set the default becomes 0.0.0.0:$PORT, not 127.0.0.1:$PORT.
    row["port_env_host"] = "0.0.0.0"
    row["config_file"] = "gunicorn.conf.py"
    row["host"], row["port"] = "127.0.0.1", 8000
    return row


def introspected() -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}

    from uvicorn.main import main as uvicorn

    rows["uvicorn"] = from_click(uvicorn, "UVICORN")
    rows["uvicorn"]["env"] |= {
        "WEB_CONCURRENCY": "workers",
        "FORWARDED_ALLOW_IPS": "forwarded_allow_ips",
        "UVICORN_APP": "app",
    }
    rows["gunicorn"] = gunicorn()
    rows["hypercorn"] = from_argparse(captured_parser("hypercorn.__main__"))
    rows["hypercorn"] |= {"host": "127.0.0.1", "port": 8000}
    from daphne.cli import CommandLineInterface

    rows["daphne"] = from_argparse(CommandLineInterface().parser)
    rows["daphne"] |= {"host": "127.0.0.1", "port": 8000}
    from granian.cli import cli as granian

    rows["granian"] = from_click(granian, "GRANIAN")
    from flask.cli import run_command

    rows["flask"] = from_click(run_command, "FLASK_RUN")
    rows["flask"]["values"] |= {
        "--app": "app",
        "-A": "app",
        "-e": "env_file",
        "--env-file": "env_file",
    }
    rows["flask"]["switches"] |= {"--debug": "debug"}
    rows["flask"]["off"] |= {"--no-debug": "debug"}
    rows["flask"]["env"] |= {"FLASK_APP": "app", "FLASK_DEBUG": "debug"}
    from django.core.management.commands.runserver import Command

    rows["django"] = from_argparse(Command().create_parser("manage.py", "runserver"))
    rows["django"] |= {"host": "127.0.0.1", "port": 8000}
    from fastapi_cli.cli import app
    from typer.main import get_command

    fastapi: Any = get_command(app)
    rows["fastapi-run"] = from_click(fastapi.commands["run"])
    rows["fastapi-dev"] = from_click(fastapi.commands["dev"])
    rows["sanic"] = from_argparse(sanic_parser())
    rows["sanic"] |= {"host": "127.0.0.1", "port": 8000}
    rows["aiohttp"] = from_argparse(captured_parser("aiohttp.web", argv=["x:y"]))
    rows["aiohttp"] |= {"host": "localhost", "port": 8080}
    rows["aiohttp"]["values"] |= {"-U": "uds", "--path": "uds"}
    from litestar.cli.commands.core import run_command as litestar

    rows["litestar"] = from_click(litestar)
    rows["litestar"]["values"] |= {"--app": "app", "--app-dir": "app_dir"}
    rows["litestar"]["env"] |= {"LITESTAR_APP": "app"}
    from celery.bin.worker import worker

    rows["celery"] = from_click(worker)
    for table in ("values", "defaults"):
        for key in [k for k, v in rows["celery"][table].items() if "host" in (k, v)]:
            del rows["celery"][table][key]
    rows["celery"]["values"] |= {"-n": "node_name", "--hostname": "node_name"}
    rows["celery"]["values"] |= {
        "-A": "app",
        "--app": "app",
        "-b": "broker",
        "--broker": "broker",
        "--workdir": "chdir",
    }
    return rows


def sanic_parser() -> argparse.ArgumentParser:
    from sanic.cli.app import SanicCLI

    cli = SanicCLI()
    cli.attach()
    parser: argparse.ArgumentParser = cli.parser
    return parser


# program names, ``python -m`` modules, subcommand, distribution
PROGRAMS: dict[str, tuple[list[str], list[str], list[str], str]] = {
    "uvicorn": (["uvicorn"], ["uvicorn"], [], "uvicorn"),
    "gunicorn": (["gunicorn"], ["gunicorn", "gunicorn.app.wsgiapp"], [], "gunicorn"),
    "hypercorn": (["hypercorn"], ["hypercorn"], [], "hypercorn"),
    "daphne": (["daphne"], ["daphne"], [], "daphne"),
    "granian": (["granian"], ["granian"], [], "granian"),
    "flask": (["flask"], ["flask"], ["run"], "flask"),
    "django": (["django-admin"], ["django"], ["runserver"], "django"),
    "fastapi-run": (["fastapi"], ["fastapi"], ["run"], "fastapi-cli"),
    "fastapi-dev": (["fastapi"], ["fastapi"], ["dev"], "fastapi-cli"),
    "sanic": (["sanic"], ["sanic"], [], "sanic"),
    "aiohttp": ([], ["aiohttp.web"], [], "aiohttp"),
    "litestar": (["litestar"], ["litestar"], ["run"], "litestar"),
    "celery": (["celery"], ["celery"], ["worker"], "celery"),
}


def read(
    programs: list[str],
    *,
    release: str,
    source: str,
    modules: list[str] | None = None,
    subcommands: list[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    values: str = "",
    switches: str = "",
    off: str = "",
    env: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A row typed in from the source; ``values`` is ``flag=name`` words (name from the flag)."""

    def table(text: str) -> dict[str, str]:
        pairs = [word.partition("=") for word in text.split()]
        return {flag: name or canonical(flag) for flag, _, name in pairs}

    row: dict[str, Any] = {
        "programs": programs, "modules": modules or [], "subcommands": subcommands or [],
        "version": release, "source": source, "values": table(values),
        "switches": table(switches), "off": table(off), "env": env or {}, **more,
    }  # fmt: skip
    if host is not None:
        row["host"] = host
    if port is not None:
        row["port"] = port
    return row


MLFLOW = "--host --port --workers --gunicorn-opts --waitress-opts --uvicorn-opts --timeout -t=timeout -h=host -p=port -w=workers"
READ: dict[str, dict[str, Any]] = {
    "waitress": read(
        ["waitress-serve"], modules=["waitress"], release="3.0.2", source="waitress/runner.py, waitress/adjustments.py",
        host="0.0.0.0", port=8080,
        values="--host --port --listen=bind --unix-socket=uds --unix-socket-perms --url-scheme --url-prefix=root_path --ident --threads --backlog --connection-limit=limit_concurrency --cleanup-interval --channel-timeout=timeout --max-request-header-size --max-request-body-size --trusted-proxy=forwarded_allow_ips --trusted-proxy-count --trusted-proxy-headers=proxy_headers --app --recv-bytes --send-bytes --outbuf-overflow --outbuf-high-watermark --inbuf-overflow --asyncore-loop-timeout --channel-request-lookahead --server-name",
        switches="--call=factory --help --expose-tracebacks --ipv4 --ipv6 --log-untrusted-proxy-headers --clear-untrusted-proxy-headers --log-socket-errors --asyncore-use-poll --threaded",
        off="--no-expose-tracebacks --no-ipv4 --no-ipv6 --no-log-untrusted-proxy-headers --no-clear-untrusted-proxy-headers",
        defaults={"threads": 4, "backlog": 1024, "limit_concurrency": 100, "timeout": 120},
    ),
    "streamlit": read(
        ["streamlit"], modules=["streamlit", "streamlit.web.cli"], subcommands=["run"], release="1.67.0", source="streamlit/config.py",
        host="0.0.0.0", port=8501,
        values="--server.port=port --server.address=host --server.baseUrlPath=root_path --server.maxUploadSize --browser.serverAddress --browser.serverPort --server.sslCertFile=certfile --server.sslKeyFile=keyfile --server.fileWatcherType=reload_type --logger.level=log_level --server.headless --server.runOnSave=reload --server.enableCORS --server.enableXsrfProtection --browser.gatherUsageStats --global.developmentMode=debug --client.showErrorDetails --client.toolbarMode --theme.base --server.enableWebsocketCompression --server.enableStaticServing --server.maxMessageSize",
        switches="--help --version", env={"STREAMLIT_SERVER_PORT": "port", "STREAMLIT_SERVER_ADDRESS": "host", "STREAMLIT_SERVER_BASE_URL_PATH": "root_path", "STREAMLIT_SERVER_RUN_ON_SAVE": "reload", "STREAMLIT_LOGGER_LEVEL": "log_level"},
        config_file=".streamlit/config.toml", any_value=True,
    ),
    "gradio": read(
        ["gradio"], release="6.31.0", source="gradio/http_server.py, gradio/cli/commands/reload.py",
        host="127.0.0.1", port=7860, values="--demo-name --watch-dirs --encoding --watch-library", switches="--help",
        env={"GRADIO_SERVER_NAME": "host", "GRADIO_SERVER_PORT": "port", "GRADIO_ROOT_PATH": "root_path"}, always={"reload": True},
    ),
    "mlflow-models": read(
        ["mlflow"], modules=["mlflow"], subcommands=["models", "serve"], release="3.18.0", source="mlflow/utils/cli_args.py, mlflow/models/cli.py",
        host="127.0.0.1", port=5000, values=f"-m=model --model-uri=model {MLFLOW} --env-manager --model-config",
        switches="--no-conda --enable-mlserver --install-mlflow --install-java --help",
        env={"MLFLOW_HOST": "host", "MLFLOW_PORT": "port", "MLFLOW_MODELS_WORKERS": "workers", "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "timeout"},
    ),
    "mlflow-server": read(
        ["mlflow"], modules=["mlflow"], subcommands=["server"], release="3.18.0", source="mlflow/cli/__init__.py",
        host="127.0.0.1", port=5000,
        values=f"{MLFLOW} --backend-store-uri --default-artifact-root --artifacts-destination --registry-store-uri --static-prefix=root_path --app-name --expose-prometheus --allowed-hosts --cors-allowed-origins --x-frame-options --read-replica-backend-store-uri",
        switches="--serve-artifacts --artifacts-only --dev=reload --disable-security-middleware --help", off="--no-serve-artifacts",
        env={"MLFLOW_HOST": "host", "MLFLOW_PORT": "port", "MLFLOW_WORKERS": "workers"},
    ),
    "mlflow-ui": read(
        ["mlflow"], modules=["mlflow"], subcommands=["ui"], release="3.18.0", source="mlflow/cli/__init__.py (alias of server)",
        host="127.0.0.1", port=5000, values=f"{MLFLOW} --backend-store-uri --default-artifact-root --artifacts-destination --registry-store-uri --static-prefix=root_path",
        switches="--dev=reload --serve-artifacts --help", env={"MLFLOW_HOST": "host", "MLFLOW_PORT": "port", "MLFLOW_WORKERS": "workers"},
    ),
    "bentoml": read(
        ["bentoml"], modules=["bentoml"], subcommands=["serve"], release="1.4.40", source="bentoml_cli/serve.py",
        host="0.0.0.0", port=3000,
        values="-p=port --port --host --api-workers=workers --timeout --backlog --working-dir=app_dir --ssl-certfile=certfile --ssl-keyfile=keyfile --ssl-keyfile-password --ssl-version --ssl-cert-reqs --ssl-ca-certs --ssl-ciphers --timeout-keep-alive=keep_alive --timeout-graceful-shutdown=graceful_timeout --arg",
        switches="--development --production --reload --debug --quiet -q --verbose",
        env={"BENTOML_PORT": "port", "BENTOML_HOST": "host", "BENTOML_API_WORKERS": "workers", "BENTOML_TIMEOUT": "timeout"},
    ),
    "jupyter": read(
        ["jupyter", "jupyter-lab", "jupyter-notebook", "jupyter-server"], modules=["jupyter", "notebook", "jupyterlab", "jupyter_server"],
        release="2.21.1", source="jupyter_server/serverapp.py", host="localhost", port=8888,
        values="--ip=host --port --port-retries --notebook-dir=app_dir --config --certfile --keyfile --log-level --transport --sock=uds --sock-mode --ServerApp.port=port --ServerApp.ip=host --NotebookApp.port=port --NotebookApp.ip=host --NotebookApp.token --ServerApp.token --LabApp.token --browser --ServerApp.root_dir=app_dir",
        switches="--no-browser --allow-root --debug --autoreload=reload -y --generate-config", env={"JUPYTER_PORT": "port", "JUPYTER_IP": "host"}, any_value=True,
    ),
    "voila": read(
        ["voila"], release="0.5.13", source="voila/app.py", host="localhost", port=8866,
        values="--port --Voila.ip=host --Voila.port=port --template --theme --base_url=root_path --server_url --token --autoreload=reload --static --strip_sources --enable_nbextensions --show-margins --pool_size --classic-tree --nbconvert_template_paths --config --log-level",
        switches="--debug --no-browser --show-margins", any_value=True,
    ),
    "panel": read(
        ["panel"], modules=["panel"], subcommands=["serve"], release="1.9.4", source="panel/command/serve.py, bokeh/command/subcommands/serve.py 3.9.2",
        host="0.0.0.0", port=5006,
        values="--port --address=host --unix-socket=uds --log-level --log-format --log-file=error_log --allow-websocket-origin --prefix=root_path --num-procs=workers --num-threads=threads --index --session-token-expiration --websocket-max-message-size --ssl-certfile=certfile --ssl-keyfile=keyfile --static-dirs --args --session-ids --keep-alive --check-unused-sessions --unused-session-lifetime --stats-log-frequency --mem-log-frequency --basic-auth --oauth-provider --warm-up --setup --global-loading-spinner",
        switches="--show --dev=reload --autoreload=reload --use-xheaders=proxy_headers --reuse-sessions --admin --warm --global-loading-spinner --disable-index --disable-index-redirect --profiler --liveness",
        env={"BOKEH_ALLOW_WS_ORIGIN": "allow_websocket_origin"},
    ),
    "bokeh": read(
        ["bokeh"], modules=["bokeh"], subcommands=["serve"], release="3.9.2", source="bokeh/command/subcommands/serve.py",
        host="0.0.0.0", port=5006,
        values="--port --address=host --unix-socket=uds --log-level --log-file=error_log --allow-websocket-origin --prefix=root_path --num-procs=workers --index --keep-alive --session-ids --args",
        switches="--show --dev=reload --use-xheaders=proxy_headers --disable-index",
    ),
    "chainlit": read(
        ["chainlit"], modules=["chainlit"], subcommands=["run"], release="2.12.0", source="chainlit/cli/__init__.py",
        host="127.0.0.1", port=8000, values="--host --port --root-path --ssl-cert=certfile --ssl-key=keyfile",
        switches="-w=reload --watch=reload -h=headless --headless -d=debug --debug -c=ci --ci",
        env={"CHAINLIT_HOST": "host", "CHAINLIT_PORT": "port", "CHAINLIT_ROOT_PATH": "root_path"},
    ),
    "robyn": read(
        ["robyn"], modules=["robyn"], release="0.88.0", source="robyn/argument_parser.py, robyn/__init__.py",
        host="127.0.0.1", port=8080, values="--processes=workers --workers=threads --log-level --open-browser --compile-rust-path --create-rust-file --rpath",
        switches="--dev=reload --create --docs --version --fast --disable-openapi",
        env={"ROBYN_HOST": "host", "ROBYN_PORT": "port"},
    ),
    "litserve": read(
        ["lightning"], subcommands=["serve"], release="0.2.19", source="litserve/server.py", host="0.0.0.0", port=8000,
        values="--host --port", switches="--local",
    ),
    "supervisord": read(
        ["supervisord"], modules=["supervisor.supervisord"], release="4.3.0", source="supervisor/options.py",
        values="-c=config --configuration=config -d=chdir --directory=chdir -u=user --user=user -m=umask --umask -l=error_log --logfile=error_log -y=logfile_maxbytes --logfile_maxbytes -z=logfile_backups --logfile_backups -e=log_level --loglevel -j=pidfile --pidfile -i=identifier --identifier -q=childlogdir --childlogdir -a=minfds --minfds --minprocs",
        switches="-n=nodaemon --nodaemon -s=silent --silent -t=strip_ansi --strip_ansi -k=nocleanup --nocleanup", config_file="supervisord.conf",
    ),
    "honcho": read(["honcho"], subcommands=["start"], release="2.0.0", source="honcho/command.py", port=5000,
        values="-f=config --procfile=config -p=port --port -c=workers --concurrency=workers -e=env_file --env=env_file -d=chdir --app-root=chdir", env={"PORT": "port"}),
    "torchserve": read(
        ["torchserve"], release="0.12.0", source="ts/arg_parser.py and documentation of config.properties", host="127.0.0.1", port=8080,
        values="--ts-config=config --model-store --models --log-config --log-config-dir --plugins-path --cpp-log-config --workflow-store",
        switches="--start --stop --foreground --ncs --no-config-snapshots --disable-token-auth --enable-model-api",
        env={"TS_CONFIG_FILE": "config"}, detaches=True,
    ),
    # The rest comes from the documentation of programs that are no Python distributions, or too
    # large to look into; ``version`` is empty there.
    "ray-serve": read(["serve"], subcommands=["run"], release="", source="ray/serve/scripts.py of ray 2.9.3 (which still had --host and --port) and 2.60.0", host="127.0.0.1", port=8000,
        values="-d=app_dir --app-dir --runtime-env --runtime-env-json --working-dir --address=cluster -a=cluster --host -h=host --port -p=port --name --route-prefix=root_path", switches="--blocking --non-blocking --reload -r=reload"),
    "triton": read(["tritonserver"], release="", source="documentation of tritonserver", host="0.0.0.0", port=8000,
        values="--model-repository=model --model-store=model --http-port=port --http-address=host --grpc-port --grpc-address --metrics-port --model-control-mode --load-model --repository-poll-secs --log-file=error_log --backend-config --http-thread-count=threads --exit-timeout-secs=graceful_timeout --log-verbose", switches="", any_value=True),
    "tensorflow-serving": read(["tensorflow_model_server"], release="", source="documentation of TensorFlow Serving", host="0.0.0.0", port=8500,
        values="--port=grpc_port --rest_api_port=port --model_name --model_base_path=model --model_config_file=config --rest_api_timeout_in_ms=timeout --rest_api_num_threads=threads --enable_batching --batching_parameters_file --monitoring_config_file", any_value=True),
    "vllm": read(["vllm"], modules=["vllm.entrypoints.openai.api_server", "vllm.entrypoints.api_server"], subcommands=["serve"], release="", source="documentation of vLLM", host="0.0.0.0", port=8000,
        values="--host --port --uds --model --root-path --api-key --tensor-parallel-size --ssl-certfile=certfile --ssl-keyfile=keyfile --max-model-len --max-num-seqs=limit_concurrency --download-dir --served-model-name --dtype --gpu-memory-utilization --uvicorn-log-level=log_level", switches="--trust-remote-code --enforce-eager --disable-log-requests", any_value=True),
    "tgi": read(["text-generation-launcher"], release="", source="documentation of text-generation-inference", host="0.0.0.0", port=3000,
        values="--model-id=model --hostname=host --port -p=port --num-shard --max-concurrent-requests=limit_concurrency --quantize --revision --max-input-length --max-total-tokens", env={"PORT": "port", "HOSTNAME": "host", "MAX_CONCURRENT_REQUESTS": "limit_concurrency"}, any_value=True),
    "sglang": read([], modules=["sglang.launch_server"], release="", source="documentation of SGLang", host="127.0.0.1", port=30000, values="--host --port --model-path=model", any_value=True),
    "tei": read(["text-embeddings-router"], release="", source="router/src/main.rs of text-embeddings-inference", host="0.0.0.0", port=3000,
        values="--model-id=model --hostname=host --port -p=port --max-concurrent-requests=limit_concurrency --revision", switches="--json-output --auto-truncate", env={"PORT": "port", "MAX_CONCURRENT_REQUESTS": "limit_concurrency"}, any_value=True),
    "llama-server": read(["llama-server"], release="", source="documentation of llama.cpp's HTTP server", host="127.0.0.1", port=8080, values="--host --port -m=model --model --api-key --ssl-key-file=keyfile --ssl-cert-file=certfile --timeout -to=timeout --threads-http",
        env={"LLAMA_ARG_HOST": "host", "LLAMA_ARG_PORT": "port", "LLAMA_ARG_MODEL": "model"}, any_value=True),
    "llama-cpp-python": read([], modules=["llama_cpp.server"], release="", source="documentation of llama-cpp-python", host="localhost", port=8000, values="--host --port --model --config_file=config", env={"HOST": "host", "PORT": "port"}, any_value=True),
    "litellm": read(["litellm"], release="", source="documentation of LiteLLM's proxy", host="0.0.0.0", port=4000, values="--host --port --config -c=config --model -m=model --num_workers=workers --request_timeout=timeout", switches="--debug --detailed_debug --use_queue",
        env={"HOST": "host", "PORT": "port", "NUM_WORKERS": "workers"}, any_value=True),
    "mlserver": read(["mlserver"], subcommands=["start"], release="", source="documentation of MLServer", host="0.0.0.0", port=8080, env={"MLSERVER_HTTP_PORT": "port", "MLSERVER_HOST": "host", "MLSERVER_PARALLEL_WORKERS": "workers"}),
    "seldon": read(["seldon-core-microservice"], release="", source="documentation of seldon-core", host="0.0.0.0", port=9000, values="--service-type --parameters --http-port=port --grpc-port --workers --threads", env={"PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "port", "GUNICORN_WORKERS": "workers"}),
    "uwsgi": read(["uwsgi"], release="", source="documentation of uWSGI",
        values="--http=http --http-socket=bind -s=socket --socket --uwsgi-socket=socket --ini=config --yaml=config --xml=config --json=config --wsgi-file=app_file --file=app_file -w=app --wsgi=app --module=app --callable=attribute -p=workers --processes=workers --workers --threads --chdir --pythonpath -H=venv --venv --virtualenv=venv --home=venv --uid=user --gid=group --harakiri=timeout --max-requests --listen=backlog -l=backlog --logto=error_log --py-autoreload=reload --mount --plugin --plugins --stats --buffer-size -b=buffer_size --chmod-socket --pidfile --daemonize --env --touch-reload --reload-mercy=graceful_timeout",
        switches="--master -M=master --enable-threads --die-on-term --vacuum --need-app --lazy-apps --lazy --single-interpreter --disable-logging --thunder-lock --strict --manage-script-name --http-keepalive", optional_value="--chmod-socket --http-keepalive"),
    "nginx": read(["nginx", "openresty"], release="", source="documentation of nginx", port=80, host="0.0.0.0", values="-c=config -g=directives -p=prefix -e=error_log", switches="-t -T -q -V -v", config_file="/etc/nginx/nginx.conf"),
    "apache": read(["apache2ctl", "apachectl", "apache2", "httpd", "httpd-foreground", "mod_wsgi-express"], release="", source="documentation of Apache", port=80, host="0.0.0.0", values="-f=config -D=define -c=directive -k=signal --port"),
    "caddy": read(["caddy"], subcommands=["run"], release="", source="documentation of Caddy", port=443, host="0.0.0.0", values="--config --adapter", switches="--watch=reload"),
    "redis": read(["redis-server"], release="", source="documentation of Redis", host="0.0.0.0", port=6379, values="--port --bind=host", any_value=True),
    "ollama": read(["ollama"], subcommands=["serve"], release="", source="documentation of Ollama", host="127.0.0.1", port=11434, env={"OLLAMA_HOST": "bind"}),
    "rasa": read(["rasa"], modules=["rasa"], subcommands=["run"], release="", source="documentation of Rasa", host="0.0.0.0", port=5005, values="-p=port --port -i=host --interface=host -m=model --model --endpoints --credentials --cors --log-file=error_log -t --auth-token", switches="--enable-api --debug --production"),
    "http.server": read([], modules=["http.server"], release="3.11", source="http/server.py", host="0.0.0.0", port=8000, values="-b=host --bind=host -d=app_dir --directory=app_dir", switches="--cgi"),
    "airflow": read(["airflow"], subcommands=["webserver"], release="", source="documentation of Airflow", host="0.0.0.0", port=8080, values="-p=port --port -H=host --hostname=host -w=workers --workers", switches="-D --daemon -d=debug --debug"),
    "prefect": read(["prefect"], subcommands=["server", "start"], release="", source="documentation of Prefect", host="127.0.0.1", port=4200, values="--host --port", env={"PREFECT_SERVER_API_HOST": "host", "PREFECT_SERVER_API_PORT": "port"}),
    "tensorboard": read(["tensorboard"], modules=["tensorboard.main"], release="", source="documentation of TensorBoard", host="localhost", port=6006, values="--port --host --logdir --path_prefix=root_path", switches="--bind_all"),
    "marimo": read(["marimo"], subcommands=["run"], release="", source="documentation of marimo", host="127.0.0.1", port=2718, values="-p=port --port --host --base-url=root_path", switches="--headless --watch=reload --no-token"),
    "reflex": read(["reflex"], subcommands=["run"], release="", source="documentation of Reflex", host="0.0.0.0", port=3000, values="--env --frontend-port --backend-port --backend-host --loglevel=log_level", switches="--backend-only --frontend-only"),
    "flower": read(["celery"], modules=["celery"], subcommands=["flower"], release="", source="documentation of Flower", host="0.0.0.0", port=5555, values="--port --address=host -A=app --app -b=broker --broker"),
    "celery-beat": read(["celery"], modules=["celery"], subcommands=["beat"], release="", source="celery/bin/beat.py 5.7.0", values="-A=app --app -s=schedule --schedule -l=log_level --loglevel=log_level -f=error_log --logfile=error_log -b=broker --broker"),
    "rq": read(["rq"], subcommands=["worker"], release="", source="documentation of RQ", values="-u=broker --url=broker -c=config --config"),
    "dramatiq": read(["dramatiq"], modules=["dramatiq"], release="", source="documentation of Dramatiq", values="-p=workers --processes=workers -t=threads --threads -P=path --path -Q=queues --queues --pid-file=pidfile --log-file=error_log -f=fork_function --fork-function --worker-shutdown-timeout --watch=reload", switches="--skip-logging --use-spawn -v=verbose --verbose"),
    "arq": read(["arq"], modules=["arq"], release="", source="documentation of arq", values="--watch=reload --custom-log-dict=log_config", switches="--burst --no-burst --check=help -v=verbose --verbose"),
}  # fmt: skip


def quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def write(rows: dict[str, dict[str, Any]]) -> None:
    out = sys.stdout
    out.write("# Written by tools/make_servers.py; edit that, not this.\n")
    out.write("# values: flags with a value, switches: without, off: that negate; each -> name.\n")
    for kind, row in rows.items():
        out.write(f"\n[{quoted(kind)}]\n")
        for key, value in row.items():
            if not isinstance(value, dict) and value not in ("", [], None):
                out.write(f"{key} = {quoted(value)}\n")
        for key, value in row.items():
            if isinstance(value, dict) and value:
                out.write(f"{key} = {{ ")
                out.write(", ".join(f"{quoted(k)} = {quoted(v)}" for k, v in value.items()))
                out.write(" }\n")


def main() -> None:
    rows: dict[str, dict[str, Any]] = {}
    for kind, row in introspected().items():
        programs, modules, subcommands, distribution = PROGRAMS[kind]
        defaults = row["defaults"]
        host, port = row.pop("host", defaults.get("host")), row.pop("port", defaults.get("port"))
        rows[kind] = {
            "programs": programs,
            "modules": modules,
            "subcommands": subcommands,
            "version": version(distribution),
            "source": f"the command-line parser of {distribution}",
            **({"host": host} if host is not None else {}),
            **({"port": int(port)} if port is not None else {}),
            **row,
        }
    write(rows | READ)


if __name__ == "__main__":
    main()
