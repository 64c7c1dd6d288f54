"""What the helper does with a store that wants to be connected."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.ids import SessionId
from sayiir_core.keyvalue import KeyValueBackend, KeyValueStore, Origin
from sayiir_core.ports.backend import Capabilities
from sayiir_core.ports.sessions import NewSession
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.keyvalue import DictKeyValueStore, FlakyKeyValueStore


def _backend(
    store: KeyValueStore, *, connect: Callable[[], object], disconnect: Callable[[], object]
) -> KeyValueBackend:
    return KeyValueBackend(
        store,
        clock=VirtualClock(),
        capabilities=Capabilities(durable=True, shared=False, never_blocks=True),
        origin=lambda: Origin("host", 1),
        connect=connect,
        disconnect=disconnect,
    )


def _register(backend: KeyValueBackend) -> SessionId:
    new = NewSession(session_id=SessionId("it"), worker_id="w", ttl=timedelta(seconds=30))
    backend.sessions.register(new)
    return new.session_id


def test_opening_connects_the_store_and_closing_ends_the_sessions_before_it_disconnects() -> None:
    """A store that is gone could not be told of the end."""
    store = DictKeyValueStore()
    told: list[str] = []

    def disconnect() -> None:
        told.append("still alive" if backend.sessions.live() else "disconnect")

    backend = _backend(store, connect=lambda: told.append("connect"), disconnect=disconnect)
    assert [] == told

    backend.open()
    _register(backend)
    backend.close()

    assert ["connect", "disconnect"] == told


def test_a_store_that_cannot_be_reached_any_more_is_disconnected_all_the_same() -> None:
    """The error is raised, and nothing stays open."""
    store = FlakyKeyValueStore(DictKeyValueStore())
    told: list[str] = []
    backend = _backend(store, connect=lambda: None, disconnect=lambda: told.append("disconnect"))
    _register(backend)
    store.lose_answer_at(1)

    with pytest.raises(BackendError, match="answer was lost"):
        backend.close()

    assert ["disconnect"] == told
