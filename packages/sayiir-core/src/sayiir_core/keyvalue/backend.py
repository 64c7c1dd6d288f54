"""The backend made of a key-value store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.ids import InstanceId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.change import Documents
from sayiir_core.keyvalue.checkpoints import KeyValueCheckpoints
from sayiir_core.keyvalue.claims import KeyValueClaims
from sayiir_core.keyvalue.control import KeyValueControl
from sayiir_core.keyvalue.definitions import KeyValueDefinitions
from sayiir_core.keyvalue.instances import KeyValueInstances
from sayiir_core.keyvalue.ownership import KeyValueOwnership
from sayiir_core.keyvalue.record import Records
from sayiir_core.keyvalue.results import KeyValueResults
from sayiir_core.keyvalue.session import Origin
from sayiir_core.keyvalue.sessions import KeyValueSessions
from sayiir_core.keyvalue.signals import KeyValueSignals
from sayiir_core.keyvalue.store import KeyValueStore
from sayiir_core.keyvalue.sweep import sweep_records
from sayiir_core.ports.backend import Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.wakeup import Wakeup

DEFAULT_AGING_INTERVAL: Final = timedelta(seconds=300)

HINTING: Final = key.INSTANCES
"""What the keys start with whose writes may make work claimable or end a run."""


def _nothing() -> None:
    pass


def _unknown(_: Origin) -> bool | None:
    return None


class KeyValueBackend:
    """All ports over one key-value store.

    ``clock`` is the store's clock; processes that share the store need one that agrees.
    ``capabilities`` are those of the store. ``origin`` names the calling process; it is asked
    at each use, so that a forked child is told from its parent. ``is_gone`` tells what became of
    such a process, None where that cannot be known: then its lease decides. ``connect`` is what
    ``open`` calls: it reports a store that cannot be used, and is not needed before the first
    operation; ``disconnect`` is what ``close`` calls last. ``wakeup`` is for a store that can tell
    of writes: whatever deserves a hint writes a key that starts with ``HINTING``. A wide fork or a
    deep inbox makes the instance's document large, and every change writes it whole.
    """

    def __init__(
        self,
        store: KeyValueStore,
        *,
        clock: Clock,
        capabilities: Capabilities,
        origin: Callable[[], Origin],
        is_gone: Callable[[Origin], bool | None] = _unknown,
        aging_interval: timedelta = DEFAULT_AGING_INTERVAL,
        connect: Callable[[], object] = _nothing,
        disconnect: Callable[[], object] = _nothing,
        wakeup: Wakeup | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._connect = connect
        self._disconnect = disconnect
        self._documents = documents = Documents(store)
        records = Records(documents)
        self.capabilities = capabilities
        self.epoch = 0
        self.instances = KeyValueInstances(documents, clock)
        self.definitions = KeyValueDefinitions(store)
        self.checkpoints = KeyValueCheckpoints(documents, records, clock)
        self.claims = KeyValueClaims(documents, records, clock, aging_interval)
        self.sessions = KeyValueSessions(documents, clock, origin, is_gone)
        self.ownership = KeyValueOwnership(documents, self.claims, self.sessions, clock)
        self.signals = KeyValueSignals(documents, clock)
        self.control = KeyValueControl(documents, clock)
        self.results = KeyValueResults(store, records)
        self.wakeup = wakeup

    def now(self) -> datetime:
        """Return the store's clock."""
        return self._clock.now()

    def open(self) -> None:
        """Connect the key-value store, if whoever made it said how; it also connects when used."""
        self._connect()

    def close(self) -> None:
        """End this process's sessions, then disconnect the store, if whoever made it said how."""
        self.epoch += 1
        try:
            self.sessions.end_all()
        finally:
            self._disconnect()

    def sweep(self, instance_id: InstanceId) -> int:
        """Delete what crashed or overtaken writers have left behind of a run; returns how many.

        Nothing of it was ever visible. What a dead session left is swept by ``reap`` anyway.
        """
        return sweep_records(self._store, self._documents.read(instance_id))
