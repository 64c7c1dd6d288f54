"""The plugin: a backend over a journal, for ``journal:///relative/file``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from urllib.parse import unquote

from sayiir_core.errors import PluginError
from sayiir_core.hookspecs import hookimpl
from sayiir_core.keyvalue import KeyValueBackend
from sayiir_core.ports.backend import Backend, Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_journal.journal import Journal
from sayiir_journal.process import is_gone, this_process
from sayiir_journal.watch import FileWatch


@hookimpl
def sayiir_backends() -> dict[str, Callable[[str], Backend]]:
    """Return the factory for ``journal:///relative/file`` and ``journal:////absolute/file``."""
    return {"journal": open_url}


def open_url(url: str) -> Backend:
    """Return the backend of a URL; raises ``PluginError`` for one that names no file."""
    path = url.removeprefix("journal:///")
    if path in {"", url} or "?" in path or "#" in path:
        raise PluginError(
            f"{url!r} names no journal; write journal:///relative/file or journal:////absolute/file"
        )
    return backend_on(Journal(Path(unquote(path)).resolve()))


def backend_on(journal: Journal, *, clock: Clock | None = None) -> Backend:
    """Return all ports of Sayiir over a journal."""
    return KeyValueBackend(
        journal,
        clock=clock or HostClock(),
        capabilities=Capabilities(durable=True, shared=True, never_blocks=False),
        origin=this_process,
        is_gone=is_gone,
        connect=journal.open,
        disconnect=journal.close,
        wakeup=FileWatch(journal.path),
    )


class HostClock:
    """Tell the time of the host, on which are all processes that share a journal."""

    def __init__(self) -> None:
        self._mutex = Lock()
        self._latest = datetime.now(UTC)

    def now(self) -> datetime:
        """Return the system's time, or the latest one told where that was set back."""
        with self._mutex:
            self._latest = max(self._latest, datetime.now(UTC))
            return self._latest
