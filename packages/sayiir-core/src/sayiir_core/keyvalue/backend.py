"""The backend made of a key-value store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.ids import InstanceId
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

DEFAULT_AGING_INTERVAL: Final = timedelta(seconds=300)


class KeyValueBackend:
    """All ports over one key-value store.

    ``clock`` is the store's clock; processes that share the store need one that agrees.
    ``capabilities`` are those of the store. ``origin`` names the calling process; it is asked
    at each use, so that a forked child is told from its parent. A wide fork or a deep inbox makes
    the instance's document large, and every change writes it whole.
    """

    def __init__(
        self,
        store: KeyValueStore,
        *,
        clock: Clock,
        capabilities: Capabilities,
        origin: Callable[[], Origin],
        aging_interval: timedelta = DEFAULT_AGING_INTERVAL,
    ) -> None:
        self._store = store
        self._clock = clock
        self._documents = documents = Documents(store)
        records = Records(documents)
        self.capabilities = capabilities
        self.epoch = 0
        self.instances = KeyValueInstances(documents, clock)
        self.definitions = KeyValueDefinitions(store)
        self.checkpoints = KeyValueCheckpoints(documents, records, clock)
        self.claims = KeyValueClaims(documents, records, clock, aging_interval)
        self.ownership = KeyValueOwnership(documents, self.claims, clock)
        self.sessions = KeyValueSessions(documents, clock, origin)
        self.signals = KeyValueSignals(documents, clock)
        self.control = KeyValueControl(documents, clock)
        self.results = KeyValueResults(store, records)
        self.wakeup = None

    def now(self) -> datetime:
        """Return the store's clock."""
        return self._clock.now()

    def open(self) -> None:
        """Do nothing: the key-value store connects when it is used."""

    def close(self) -> None:
        """End this process's sessions; the key-value store is left to whoever made it."""
        self.epoch += 1
        self.sessions.end_all()

    def sweep(self, instance_id: InstanceId) -> int:
        """Delete what crashed or overtaken writers have left behind of a run; returns how many.

        Nothing of it was ever visible. What a dead session left is swept by ``reap`` anyway.
        """
        return sweep_records(self._store, self._documents.read(instance_id))
