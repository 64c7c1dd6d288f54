"""What a command says instead of a traceback, and the exit codes of all commands."""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


class CommandError(Exception):
    """Refuse a command that was called wrongly, and would be refused again: exit code 2."""
