"""A store as a simulated process reaches it: every call travels, and whoever makes it waits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final

from sayiir_core.ports.backend import Backend

Caller = Callable[[partial[Any]], Any]


class Remote:
    """A backend whose ports are called by ``caller``, which returns or raises what came back."""

    def __init__(self, backend: Backend, caller: Caller, now: Callable[[], datetime]) -> None:
        self.epoch = 0
        self.now: Final = now
        # Others may hold what is asked for, and are waited for: that is what is simulated.
        self.capabilities = dataclasses.replace(backend.capabilities, shared=True)
        self.wakeup = None
        self.instances: Any = _Port(backend.instances, caller)
        self.definitions: Any = _Port(backend.definitions, caller)
        self.checkpoints: Any = _Port(backend.checkpoints, caller)
        self.claims: Any = _Port(backend.claims, caller)
        self.ownership: Any = _Port(backend.ownership, caller)
        self.sessions: Any = _Port(backend.sessions, caller)
        self.signals: Any = _Port(backend.signals, caller)
        self.control: Any = _Port(backend.control, caller)
        self.results: Any = _Port(backend.results, caller)

    def open(self) -> None:
        """Do nothing: the store is there."""

    def close(self) -> None:
        """Do nothing: it stays there for the others."""


class _Port:
    def __init__(self, port: Any, caller: Caller) -> None:
        self._port = port
        self._caller = caller

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method, caller = getattr(self._port, name), self._caller
        return lambda *arguments, **options: caller(partial(method, *arguments, **options))
