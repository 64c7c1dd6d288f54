"""What a plugin can add: one function per kind of extension.

A plugin is a module (or object) under an entry point of the group ``sayiir``, with functions of
the names below marked by ``hookimpl``. Hooks are called when things are put together, never per
task, so an implementation may import what it needs inside the function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pluggy

from sayiir_core.ports.backend import Backend
from sayiir_core.ports.codec import Codec, Wrapper
from sayiir_core.ports.executor import TaskExecutor
from sayiir_core.ports.telemetry import Instruments

PROJECT_NAME: Final = "sayiir"
"""The name of the hook markers, and of the entry-point group."""

hookspec: Final = pluggy.HookspecMarker(PROJECT_NAME)
"""Mark a function of this module as the declaration of a hook."""

hookimpl: Final = pluggy.HookimplMarker(PROJECT_NAME)
"""Mark a plugin's function as the implementation of the hook of its name."""


@hookspec
def sayiir_backends() -> dict[str, Callable[[str], Backend]]:
    """Return a factory per URL scheme, to be called with the whole URL.

    A factory opens nothing: the first operation or ``open()`` does. It raises ``PluginError`` for
    a URL that it cannot read. A scheme that another plugin has too is an error naming both.
    """
    raise NotImplementedError


@hookspec
def sayiir_codecs() -> list[Codec | Wrapper]:
    """Return codecs by which payloads can be written and read, and wrappers around them.

    A name is stored with every payload and must never change its meaning. A name that
    another plugin has too is an error naming both.
    """
    raise NotImplementedError


@hookspec
def sayiir_executors() -> dict[str, Callable[[], TaskExecutor]]:
    """Return a factory per name that ``@task(executor=…)`` may give.

    A factory is called at most once per process, when the first workflow that names it is made ready
    to run, and starts nothing that costs. A name that another plugin has too is an error naming both.
    """
    raise NotImplementedError


@hookspec
def sayiir_instruments() -> Instruments:
    """Return what shall observe a backend that is just being opened by its URL.

    Called for each such backend, so that a plugin may look whether the application wants to be
    observed, and return ``Instruments()`` if it does not. Of several tracers the first is used.
    """
    raise NotImplementedError
