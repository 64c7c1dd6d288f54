"""A backend made of a key-value store passes the whole conformance suite."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from sayiir_core.keyvalue import KeyValueBackend
from sayiir_core.keyvalue.session import Origin
from sayiir_core.ports.backend import Backend, Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_pytest.conformance import (
    BackendConformance,
    CheckpointConformance,
    ClaimConformance,
    ControlConformance,
    DefinitionConformance,
    EquivalenceConformance,
    InstanceConformance,
    OwnershipConformance,
    RaceConformance,
    ResultConformance,
    SessionConformance,
    SignalConformance,
    WakeupConformance,
)
from sayiir_pytest.keyvalue import DictKeyValueStore


class KeyValue:
    """Say how to make a backend of a dictionary, which survives the backends that use it."""

    payload_limit = 4 * 1024 * 1024

    @pytest.fixture
    def location(self) -> DictKeyValueStore:
        """Return an empty dictionary that takes no value over a limit."""
        return DictKeyValueStore(largest=self.payload_limit)

    def make_backend(self, clock: Clock, location: Any) -> Backend:
        """Return a backend on a dictionary."""
        return KeyValueBackend(
            location,
            clock=clock,
            capabilities=Capabilities(durable=True, shared=False, never_blocks=True),
            origin=lambda: Origin(socket.gethostname(), os.getpid()),
        )


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
    """Hint at new work."""
