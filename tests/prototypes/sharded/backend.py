"""Several stores behind one ``Backend``: each instance stands whole in one of them.

How this works: the instance id says which shard has an instance (``Shards.of``). So a checkpoint, with
its guard, its joins and its signals, is a matter of one shard, and every law that speaks of one instance
holds as it does there. What speaks of several instances goes to all shards and is put together: claims,
leases, listings. ADR 19 says what that costs, and what this prototype leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sayiir_core.errors import BackendError
from sayiir_core.ports.backend import Backend, Capabilities
from sayiir_core.ports.wakeup import Wakeup
from tests.prototypes.sharded.claims import ShardedClaims
from tests.prototypes.sharded.instances import ShardedInstances
from tests.prototypes.sharded.place import RunPlaces
from tests.prototypes.sharded.results import RoutedResults
from tests.prototypes.sharded.routed import (
    RoutedControl,
    RoutedOwnership,
    RoutedSignals,
    ShardedCheckpoints,
)
from tests.prototypes.sharded.sessions import ShardedDefinitions, ShardedSessions
from tests.prototypes.sharded.shard import Shards
from tests.prototypes.sharded.wakeup import ShardedWakeup


class ShardedBackend:
    """One backend over named ones; every process must give the same names to the same stores.

    ``best_of_all``: claims keep the order of the queue over all shards, at a price (``ShardedClaims``).
    """

    def __init__(self, backends: Mapping[str, Backend], *, best_of_all: bool = False) -> None:
        self.shards = Shards(backends)
        places = RunPlaces(self.shards)
        self.instances = ShardedInstances(self.shards, places)
        self.definitions = ShardedDefinitions(self.shards)
        self.checkpoints = ShardedCheckpoints(self.shards)
        self.sessions = ShardedSessions(self.shards)
        self.claims = ShardedClaims(self.shards, places, self.sessions, best_of_all=best_of_all)
        self.ownership = RoutedOwnership(self.shards, places)
        self.signals = RoutedSignals(self.shards)
        self.control = RoutedControl(self.shards)
        self.results = RoutedResults(self.shards, places)

    @property
    def capabilities(self) -> Capabilities:
        """Return what every shard can do."""
        found = [shard.backend.capabilities for shard in self.shards.all]
        return Capabilities(
            durable=all(one.durable for one in found),
            shared=all(one.shared for one in found),
            never_blocks=all(one.never_blocks for one in found),
        )

    @property
    def wakeup(self) -> Wakeup | None:
        """Hint at new work of any shard, None if one of them has no way to."""
        ports = [shard.backend.wakeup for shard in self.shards.all]
        found = [port for port in ports if port is not None]
        return ShardedWakeup(found) if len(found) == len(ports) else None

    @property
    def epoch(self) -> int:
        """Return a number that grows with each ``close`` of a shard."""
        return sum(shard.backend.epoch for shard in self.shards.all)

    def now(self) -> datetime:
        """Return the clock of the first shard that has one; between shards it may jump by their skew."""
        for shard in self.shards.all:
            try:
                return shard.backend.now()
            except BackendError as error:
                last = error
        raise last

    def open(self) -> None:
        """Open every shard; raises ``BackendError`` only if none answers."""
        self.shards.each(lambda backend: backend.open())

    def close(self) -> None:
        """Close every shard."""
        for shard in self.shards.all:
            shard.backend.close()

    def __repr__(self) -> str:
        return f"ShardedBackend({', '.join(repr(shard.backend) for shard in self.shards.all)})"
