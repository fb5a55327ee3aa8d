"""Every exception that deploy-audit raises on purpose, and the exit status each ends in.

    AuditorError                      3  the audit could not be completed
    ├── UsageError                    2  wrong arguments
    │   ├── ConfigError               2  a mistake in a configuration file or variable
    │   └── BaselineError             2  the baseline cannot be used
    └── NothingToAuditError           3  no deployment, environment or artifact was found

Anything else that reaches the command line is a bug and is reported as one (status 3).
Messages are one or a few plain lines for people; they name the file, the line and the remedy.
"""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What the process says to the shell."""

    PASSED = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    INTERRUPTED = 130


class AuditorError(Exception):
    """The audit could not be completed; the message says why."""

    status: ExitStatus = ExitStatus.INCOMPLETE


class UsageError(AuditorError):
    """The arguments make no sense."""

    status = ExitStatus.USAGE


class ConfigError(UsageError):
    """A mistake in the configuration.

    ``source`` is the file (or environment variable), ``line`` its 1-based line or None,
    ``key`` the dotted key; the message starts with all three.
    """

    def __init__(
        self, message: str, *, source: str, key: str | None = None, line: int | None = None
    ) -> None:
        place = source if line is None else f"{source}:{line}"
        super().__init__(f"{place}: {message}" if key is None else f"{place}: {key}: {message}")
        self.source = source
        self.key = key
        self.line = line


class BaselineError(UsageError):
    """The baseline file is missing, malformed or of a newer version."""


class NothingToAuditError(AuditorError):
    """There is nothing here that deploys anything."""
