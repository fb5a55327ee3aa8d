"""Configuration files of servers and process managers, as settings with exact locations.

Python ones (``gunicorn.conf.py``) are read through ``ast`` and never run: an expression that
depends on the environment stays an :class:`Expression` that can be expanded with one.
"""

from __future__ import annotations

from auditor.parsers.serverconf.facts import Expression, ServerConfig, Setting
from auditor.parsers.serverconf.gunicorn import parse_gunicorn
from auditor.parsers.serverconf.ini import (
    SupervisorConfig,
    SupervisorProgram,
    parse_supervisord,
    parse_uwsgi,
)
from auditor.parsers.serverconf.nginx import REFUSED_BY_NGINX, NginxConfig, parse_nginx
from auditor.parsers.serverconf.procfile import parse_procfile
from auditor.parsers.serverconf.toml import parse_hypercorn, parse_streamlit

__all__ = [
    "REFUSED_BY_NGINX",
    "Expression",
    "NginxConfig",
    "ServerConfig",
    "Setting",
    "SupervisorConfig",
    "SupervisorProgram",
    "parse_gunicorn",
    "parse_hypercorn",
    "parse_nginx",
    "parse_procfile",
    "parse_streamlit",
    "parse_supervisord",
    "parse_uwsgi",
]
