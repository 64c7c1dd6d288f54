"""``sayiir plugins``: what is installed, what it offers, and what of it cannot be used."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from sayiir.cli.refusal import EXIT_FAILED, EXIT_OK
from sayiir_runtime.plugin_loader import Plugin
from sayiir_runtime.plugins import list_plugins

_DESCRIPTION: Final = """\
List the plugins of this environment: the distribution and version that each is from, the backends
(by URL scheme), codecs and executors (by name) that it offers, and what of it cannot be used and why."""
_EPILOG: Final = """\
exit codes: 0 every plugin can be used; 1 something cannot, or two plugins claim one name"""


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "plugins",
        help="list the backends, codecs and executors that are installed",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Print the list; return the exit code."""
    plugins = list_plugins()
    sys.stdout.write("".join(map(_described, plugins)))
    return EXIT_FAILED if any(plugin.errors for plugin in plugins) else EXIT_OK


def _described(plugin: Plugin) -> str:
    origin = f"{plugin.distribution or 'no distribution'} {plugin.version or ''}".rstrip()
    lines = [f"{origin}: {plugin.name} ({plugin.module})"]
    if plugin.backends:
        lines.append("  backends: " + ", ".join(f"{scheme}://" for scheme in plugin.backends))
    if plugin.codecs:
        lines.append("  codecs: " + ", ".join(plugin.codecs))
    if plugin.executors:
        lines.append("  executors: " + ", ".join(plugin.executors))
    if plugin.instruments:
        lines.append("  instruments: what it observes a backend by is asked when one is opened")
    for error in plugin.errors:
        text = f"{type(error).__name__}: {error}".replace("\n", "\n    ")
        lines.append(f"  not usable: {text}")
    return "\n".join(lines) + "\n"
