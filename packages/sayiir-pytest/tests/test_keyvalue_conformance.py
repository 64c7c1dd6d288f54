"""A backend made of a key-value store passes the whole conformance suite."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from sayiir_core.keyvalue import HINTING, KeyValueBackend, KeyValueStore, Origin
from sayiir_core.ports.backend import Backend, Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.wakeup import HintKind
from sayiir_pytest.conformance import (
    BackendConformance,
    CheckpointConformance,
    ClaimConformance,
    ControlConformance,
    DefinitionConformance,
    EquivalenceConformance,
    InstanceConformance,
    KeyValueStoreConformance,
    OwnershipConformance,
    RaceConformance,
    ResultConformance,
    SessionConformance,
    SignalConformance,
    WakeupConformance,
)
from sayiir_pytest.keyvalue import DictKeyValueStore


class WatchedStore(DictKeyValueStore):
    """A dictionary that tells of the writes that ``HINTING`` names, and of no others."""

    def __init__(self, *, largest: int) -> None:
        super().__init__(largest=largest)
        self.listeners: list[Hint] = []

    def subscribe(self, _: HintKind, hint: Callable[[], None]) -> Hint:
        """Call ``hint`` after such a write, on the writer's thread."""
        return Hint(self.listeners, hint)

    def put(self, key: str, value: bytes) -> None:
        """Write, and tell."""
        super().put(key, value)
        self._tell(key)

    def put_if(self, key: str, value: bytes, version: object | None) -> bool:
        """Write, and tell if it was written."""
        written = super().put_if(key, value, version)
        if written:
            self._tell(key)
        return written

    def _tell(self, key: str) -> None:
        for listener in [*self.listeners] if key.startswith(HINTING) else ():
            with suppress(Exception):
                listener.hint()


class Hint:
    """A subscription to a watched store."""

    trouble = None

    def __init__(self, listeners: list[Hint], hint: Callable[[], None]) -> None:
        self._listeners = listeners
        self.hint = hint
        listeners.append(self)

    def close(self) -> None:
        """Stop; repeatable."""
        if self in self._listeners:
            self._listeners.remove(self)


class KeyValue:
    """Say how to make a backend of a dictionary, which survives the backends that use it."""

    payload_limit = 4 * 1024 * 1024

    @pytest.fixture
    def location(self) -> WatchedStore:
        """Return an empty dictionary that takes no value over a limit."""
        return WatchedStore(largest=self.payload_limit)

    def make_backend(self, clock: Clock, location: Any) -> Backend:
        """Return a backend on a dictionary."""
        return KeyValueBackend(
            location,
            clock=clock,
            capabilities=Capabilities(durable=True, shared=False, never_blocks=True),
            origin=lambda: Origin(socket.gethostname(), os.getpid()),
            wakeup=location,
        )


class TestStore(KeyValueStoreConformance):
    """Keep bytes by key."""

    largest = 1024

    @pytest.fixture
    def location(self) -> DictKeyValueStore:
        """Return an empty dictionary."""
        return DictKeyValueStore(largest=self.largest)

    def make_store(self, location: Any) -> KeyValueStore:
        """Return the dictionary itself."""
        store: KeyValueStore = location
        return store


class TestInstances(KeyValue, InstanceConformance):
    """Create, read, list and remove runs."""


class TestDefinitions(KeyValue, DefinitionConformance):
    """Keep definitions."""


class TestCheckpoints(KeyValue, CheckpointConformance):
    """Write checkpoints."""


class TestClaims(KeyValue, ClaimConformance):
    """Hand out cursors."""


class TestOwnership(KeyValue, OwnershipConformance):
    """Give whole instances to runners."""


class TestSessions(KeyValue, SessionConformance):
    """Keep leases."""


class TestSignals(KeyValue, SignalConformance):
    """Deliver signals."""


class TestControl(KeyValue, ControlConformance):
    """Obey requests."""


class TestResults(KeyValue, ResultConformance):
    """Read what was recorded."""


class TestBackend(KeyValue, BackendConformance):
    """Open, close and tell the time."""


class TestEquivalence(KeyValue, EquivalenceConformance):
    """Equal the model."""


class TestRaces(KeyValue, RaceConformance):
    """Keep to it with many threads."""


class TestWakeup(KeyValue, WakeupConformance):
    """Hint at whatever is written."""

    hint_quiet = timedelta(0)
