"""What this distribution adds: the memory backend."""

from __future__ import annotations

from collections.abc import Callable

from sayiir_core.errors import PluginError
from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.backend import Backend


@hookimpl
def sayiir_backends() -> dict[str, Callable[[str], Backend]]:
    """Return the factory for ``memory://``."""
    return {"memory": _open_memory}


def _open_memory(url: str) -> Backend:
    from sayiir_runtime.memory import InMemoryBackend

    if url != "memory://":
        raise PluginError(
            "a memory backend has no path and no options: open 'memory://', and hand the object "
            "to whoever shall share it"
        )
    return InMemoryBackend()
