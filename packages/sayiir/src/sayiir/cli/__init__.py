"""The command line. Each command is a module; nothing is imported before it is asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sayiir_core.errors import SayiirError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 called wrongly."""
    from sayiir.cli import worker

    parser = argparse.ArgumentParser(prog="sayiir", description="Durable workflows for Python.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    worker.add(commands)
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help()
        return EXIT_USAGE
    try:
        code: int = options.run(options)
    except (SayiirError, ValueError, TypeError) as error:
        sys.stderr.write(f"sayiir: {error}\n")
        return EXIT_FAILED
    return code
