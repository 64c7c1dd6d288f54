"""What this distribution adds: the memory backend and the JSON codec."""

from __future__ import annotations

from collections.abc import Callable

from sayiir_core.errors import PluginError
from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.codec import Codec


@hookimpl
def sayiir_backends() -> dict[str, Callable[[str], Backend]]:
    """Return the factory for ``memory://``."""
    return {"memory": _open_memory}


@hookimpl
def sayiir_codecs() -> list[Codec]:
    """Return the JSON codec."""
    from sayiir_runtime.codec import JsonCodec

    return [JsonCodec()]


def _open_memory(url: str) -> Backend:
    from sayiir_runtime.memory import InMemoryBackend

    if url != "memory://":
        raise PluginError(
            "a memory backend has no path and no options: open 'memory://', and hand the object "
            "to whoever shall share it"
        )
    return InMemoryBackend()
