"""Apply requests from outside."""

from __future__ import annotations

from collections.abc import Callable

from sayiir_core.ids import InstanceId
from sayiir_core.keyvalue.change import Decision, Documents, head_of
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.ports.clock import Clock
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import Cursor, Head


class KeyValueControl:
    """The control port over documents."""

    __slots__ = ("_clock", "_documents")

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def cancel(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Cancel for good."""
        now = self._clock.now
        return self._change(
            instance_id, lambda head: control.cancel(head, reason=reason, by=by, now=now())
        )

    def pause(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Hold everything until ``unpause``."""
        return self._change(instance_id, lambda head: control.pause(head, reason=reason, by=by))

    def unpause(self, instance_id: InstanceId) -> Head:
        """Release what a pause held."""
        return self._change(instance_id, control.unpause)

    def retry(self, instance_id: InstanceId) -> Head:
        """Revive a failed instance."""
        return self._change(instance_id, control.retry)

    def _change(self, instance_id: InstanceId, change: Callable[[Head], list[Cursor]]) -> Head:
        def decide(document: InstanceDocument) -> Decision[Head]:
            head = head_of(document, instance_id)
            before = head.header.state
            change(head)
            return Decision(head, write=head.header.state is not before)

        return self._documents.change(instance_id, decide)
