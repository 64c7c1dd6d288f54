"""What this distribution adds: the memory backend, codecs and wrappers around them, an executor.

Those whose library is not installed are left out; whoever asks for one is told what to install.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from sayiir_core.errors import PluginError
from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.codec import Codec, Wrapper
from sayiir_core.ports.executor import TaskExecutor


@hookimpl
def sayiir_backends() -> dict[str, Callable[[str], Backend]]:
    """Return the factory for ``memory://``."""
    return {"memory": _open_memory}


@hookimpl
def sayiir_executors() -> dict[str, Callable[[], TaskExecutor]]:
    """Return the executor that runs bodies in child processes."""
    from sayiir_runtime.executor.process import ProcessExecutor

    return {"process": ProcessExecutor}


@hookimpl
def sayiir_codecs() -> list[Codec | Wrapper]:
    """Return JSON, and what extras bring: MessagePack, and compression."""
    from sayiir_runtime.codec import JsonCodec

    parts: list[Codec | Wrapper] = [JsonCodec()]
    if find_spec("ormsgpack") is not None:
        from sayiir_runtime.codec.msgpack_codec import MsgpackCodec

        parts.append(MsgpackCodec())
    if zstd_is_there():
        from sayiir_runtime.codec.zstd_wrapper import Zstd

        parts.append(Zstd())
    return parts


def zstd_is_there() -> bool:
    """Tell whether the library is there, which the standard library has from Python 3.14 on."""
    try:
        return find_spec("compression.zstd") is not None
    except ModuleNotFoundError:
        pass
    try:
        return find_spec("backports.zstd") is not None
    except ModuleNotFoundError:
        return False


def _open_memory(url: str) -> Backend:
    from sayiir_runtime.memory import InMemoryBackend

    if url != "memory://":
        raise PluginError(
            "a memory backend has no path and no options: open 'memory://', and hand the object "
            "to whoever shall share it"
        )
    return InMemoryBackend()
