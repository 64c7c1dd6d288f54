"""The command line. Each command is a module; none of them has logic that a program lacks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sayiir.cli.refusal import EXIT_FAILED, EXIT_USAGE, CommandError
from sayiir_core.errors import SayiirError

_EPILOG = """\
exit codes: 0 done, or stopped as asked; 1 failed; 2 called wrongly, so that the same call would
fail again"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 called wrongly."""
    from sayiir.cli import migrate, plugins, worker

    parser = argparse.ArgumentParser(
        prog="sayiir", description="Durable workflows for Python.", epilog=_EPILOG
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    worker.add(commands)
    migrate.add(commands)
    plugins.add(commands)
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help()
        return EXIT_USAGE
    try:
        code: int = options.run(options)
    except CommandError as error:
        sys.stderr.write(f"sayiir: {error}\n")
        return EXIT_USAGE
    except SayiirError as error:
        sys.stderr.write(f"sayiir: {error}\n")
        return EXIT_FAILED
    return code
