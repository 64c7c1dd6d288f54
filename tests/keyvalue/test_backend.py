"""What the helper does with what surrounds a store: connections, and processes that are gone."""

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
    store: KeyValueStore,
    *,
    connect: Callable[[], object] = lambda: None,
    disconnect: Callable[[], object] = lambda: None,
    is_gone: Callable[[Origin], bool | None] = lambda _: None,
    pid: int = 1,
) -> KeyValueBackend:
    return KeyValueBackend(
        store,
        clock=VirtualClock(),
        capabilities=Capabilities(durable=True, shared=False, never_blocks=True),
        origin=lambda: Origin("host", pid, f"began {pid}"),
        is_gone=is_gone,
        connect=connect,
        disconnect=disconnect,
    )


def _register(backend: KeyValueBackend, name: str = "it") -> SessionId:
    new = NewSession(session_id=SessionId(name), worker_id="w", ttl=timedelta(seconds=30))
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
    backend = _backend(store, disconnect=lambda: told.append("disconnect"))
    _register(backend)
    store.lose_answer_at(1)

    with pytest.raises(BackendError, match="answer was lost"):
        backend.close()

    assert ["disconnect"] == told


def test_a_session_whose_process_is_proved_gone_is_reaped_at_once() -> None:
    """By a newcomer, long before its lease runs out; others whose fate is unknown are left."""
    store = DictKeyValueStore()
    fates: dict[Origin, bool | None] = {Origin("host", 1, "began 1"): True}
    dead = _register(_backend(store, pid=1), "dead")
    unknown = _register(_backend(store, pid=2), "unknown")
    backend = _backend(store, is_gone=fates.get, pid=3)

    reaped = backend.sessions.reap(_register(backend, "newcomer"))

    assert [dead] == reaped
    assert not backend.sessions.renew(dead)
    assert backend.sessions.renew(unknown)


def test_a_session_says_whether_its_process_is_proved_alive() -> None:
    """Only where that is known, and not of one that has ended."""
    store = DictKeyValueStore()
    fates: dict[Origin, bool | None] = {Origin("host", 1, "began 1"): False}
    backend = _backend(store, is_gone=fates.get)
    alive, unknown = _register(backend), _register(_backend(store, pid=2), "unknown")

    def proved(session: SessionId) -> bool | None:
        view = backend.sessions.view(session)
        return None if view is None else view.proved_alive

    assert (True, False) == (proved(alive), proved(unknown))
    backend.sessions.end(alive)
    assert proved(alive) is False


def test_who_has_ended_reaps_nobody() -> None:
    """Its own work may be somebody else's by now."""
    store = DictKeyValueStore()
    backend = _backend(store, is_gone=lambda _: True)
    _register(_backend(store, pid=2), "dead")
    caller = _register(backend)
    backend.sessions.end(caller)

    assert [] == backend.sessions.reap(caller)
    assert [] == backend.sessions.reap(SessionId("nobody"))
