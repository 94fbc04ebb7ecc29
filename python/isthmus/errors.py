# SPDX-License-Identifier: MIT
"""What isthmus raises on purpose. The messages say what was expected, what came, and what to do; they are those of the
command, whose exit codes `code` has. That two networks are not connected is no error but a verdict."""

from __future__ import annotations

from typing import Any


class Error(Exception):
    """The base of all but Interrupted."""

    code = 70


class UsageError(Error, ValueError):
    """Something that was asked for does not exist or does not fit."""

    code = 64


class DataError(Error, ValueError):
    """A file with wrong content."""

    code = 65


class MissingInput(Error, FileNotFoundError):
    """A file or a data set that is not there."""

    code = 66

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InternalError(Error, RuntimeError):
    """A broken invariant of isthmus itself."""

    code = 70


class WriteError(Error, OSError):
    """An output that cannot be written."""

    code = 73

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ConfigurationError(Error, RuntimeError):
    """A run directory of another configuration or version."""

    code = 78


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended the work. What was finished is in `journal`: connect(..., journal=error.journal), with the same
    arguments, goes on where this one stopped, and ends with the same path."""

    code = 130

    def __init__(self, message: str = "interrupted", journal: Any = None) -> None:
        super().__init__(message)
        self.journal = journal


def of_exit_code(code: int, message: str) -> BaseException:
    """The error that the command ended with."""
    if code == Interrupted.code:
        return Interrupted(message)
    for kind in (UsageError, DataError, MissingInput, WriteError, ConfigurationError):
        if kind.code == code:
            return kind(message)
    return InternalError(message or f"the command ended with code {code}")
