"""The port through which a runner takes a whole instance for itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.sessions import SessionView
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.head import Head


@dataclass(frozen=True, slots=True)
class Owned:
    """The session owns the instance from now on."""

    head: Head


@dataclass(frozen=True, slots=True)
class Busy:
    """Another session owns the instance or holds one of its cursors."""

    head: Head
    holder: SessionView


class OwnershipStore(Protocol):
    """Give whole instances to runners; no pool sees their cursors meanwhile."""

    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        """Take the instance unless any other session holds any of it; of two, one wins.

        An owner may ask again. Raises ``InstanceNotFoundError``, and ``SessionEndedError`` if the
        session has ended.
        """
        ...

    def claim_owned(
        self, session: SessionId, claim_no: int, run: RunKey, limit: int
    ) -> list[Claim]:
        """Claim what is due of a run that the session owns; nothing if it does not."""
        ...

    def disown(self, session: SessionId, run: RunKey) -> None:
        """End the ownership of this run and give back every cursor that it holds; repeatable.

        A later run of the instance, which the session may own too, is left alone.
        """
        ...
