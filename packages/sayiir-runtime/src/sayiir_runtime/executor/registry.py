"""The executors of this process, by the names that tasks give."""

from __future__ import annotations

import atexit
from typing import Final

from sayiir_core.errors import PluginError
from sayiir_core.ports.executor import TaskExecutor

PROCESS: Final = "process"

_executors: Final[dict[str, TaskExecutor]] = {}


def executor_of(name: str) -> TaskExecutor:
    """Return the executor of a name, made at the first call and shared by all who ask.

    Plugins are looked for when a name is met that is not ``process``. Raises ``PluginError`` for one
    that none has.
    """
    found = _executors.get(name)
    if found is not None:
        return found
    made = _process() if name == PROCESS else _installed(name)
    # Of two threads that ask at once, both get that of the first.
    return _executors.setdefault(name, made)


def _process() -> TaskExecutor:
    # What it needs is not loaded where no task names it.
    from sayiir_runtime.executor.process import ProcessExecutor

    return ProcessExecutor()


def _installed(name: str) -> TaskExecutor:
    from sayiir_runtime.plugins import create_plugin_manager

    manager = create_plugin_manager()
    factory = manager.executors.get(name)
    if factory is not None:
        return factory()
    known = ", ".join(sorted(manager.executors))
    remedy = "install the distribution that has it where this runs, or correct executor="
    lines = [f"no plugin has an executor {name!r} (installed: {known}); {remedy}"]
    lines.extend(f"not usable: {failure}" for failure in manager.failures)
    raise PluginError("\n".join(lines))


def _close_all() -> None:
    while _executors:
        _executors.popitem()[1].close()


atexit.register(_close_all)
