"""The bundle of stores that a driver works with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sayiir_core.ports.checkpoints import CheckpointStore
from sayiir_core.ports.claims import ClaimStore
from sayiir_core.ports.control import ControlStore
from sayiir_core.ports.definitions import DefinitionStore
from sayiir_core.ports.instances import InstanceStore
from sayiir_core.ports.ownership import OwnershipStore
from sayiir_core.ports.results import ResultStore
from sayiir_core.ports.sessions import SessionStore
from sayiir_core.ports.signals import SignalStore
from sayiir_core.ports.wakeup import Wakeup


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend declares of itself.

    ``durable``: what it acknowledged survives the process. ``shared``: several processes may open
    it. ``never_blocks``: its calls neither wait nor do I/O, so an event loop may make them.
    """

    durable: bool
    shared: bool
    never_blocks: bool


class Backend(Protocol):
    """All ports of one store. Every method may be called from several threads at once."""

    @property
    def capabilities(self) -> Capabilities:
        """Return what the store can do."""
        ...

    @property
    def instances(self) -> InstanceStore:
        """Create, read, list and remove runs."""
        ...

    @property
    def definitions(self) -> DefinitionStore:
        """Keep workflows as data."""
        ...

    @property
    def checkpoints(self) -> CheckpointStore:
        """Write checkpoints."""
        ...

    @property
    def claims(self) -> ClaimStore:
        """Hand out work to pools."""
        ...

    @property
    def ownership(self) -> OwnershipStore:
        """Give whole instances to runners."""
        ...

    @property
    def sessions(self) -> SessionStore:
        """Keep leases."""
        ...

    @property
    def signals(self) -> SignalStore:
        """Send signals."""
        ...

    @property
    def control(self) -> ControlStore:
        """Cancel, pause, unpause, retry."""
        ...

    @property
    def results(self) -> ResultStore:
        """Read payloads and records."""
        ...

    @property
    def wakeup(self) -> Wakeup | None:
        """Hint at new work, None if the store has no way to."""
        ...

    @property
    def epoch(self) -> int:
        """Return a number that grows with each ``close``: sessions of an earlier one are ended."""
        ...

    def now(self) -> datetime:
        """Return the store's clock, or a close estimate of it, without a round trip."""
        ...

    def open(self) -> None:
        """Connect and prepare the schema; repeatable. Operations do it when it was not done.

        Raises ``BackendError`` that names the host or file, never a password.
        """
        ...

    def close(self) -> None:
        """End this process's sessions and connections; repeatable."""
        ...
