"""Requests from outside, checked at the gate and passed to a store."""

from __future__ import annotations

from typing import Any

from sayiir_core.engine.explain import Explanation
from sayiir_core.errors import EncodeError
from sayiir_core.ids import check_instance_id, check_name, sanitize_text
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.codec import Place
from sayiir_core.ports.results import StepPage
from sayiir_runtime.observe import Observer, TaskResult
from sayiir_runtime.payloads import CodecChoice, resolve_codec
from sayiir_runtime.status import WorkflowStatus


class Operations:
    """Control and observe instances without running any of them."""

    def __init__(self, backend: Backend, *, codec: CodecChoice = None) -> None:
        self._backend = backend
        self._codec = resolve_codec(codec)
        self._observer = Observer(backend, self._codec)

    def cancel(
        self, instance_id: str, *, reason: str | None = None, cancelled_by: str | None = None
    ) -> None:
        """Cancel for good; a second cancel changes nothing."""
        self._backend.control.cancel(
            check_instance_id(instance_id), reason=_clean(reason), by=_clean(cancelled_by)
        )

    def pause(
        self, instance_id: str, *, reason: str | None = None, paused_by: str | None = None
    ) -> None:
        """Hold until ``unpause``."""
        self._backend.control.pause(
            check_instance_id(instance_id), reason=_clean(reason), by=_clean(paused_by)
        )

    def unpause(self, instance_id: str) -> None:
        """Release what a pause holds."""
        self._backend.control.unpause(check_instance_id(instance_id))

    def retry(self, instance_id: str) -> None:
        """Revive a failed instance, with fresh attempts of what failed; a worker goes on with it."""
        self._backend.control.retry(check_instance_id(instance_id))

    def send_signal(self, instance_id: str, signal_name: str, payload: Any) -> int:
        """Send a signal and return its number in the inbox of the instance id."""
        checked = check_instance_id(instance_id)
        signal = check_name(signal_name, "signal name")
        try:
            encoded = self._codec.encode(payload, Place(checked, None, None))
        except EncodeError as error:
            raise EncodeError(
                f"the payload of signal {signal!r} to instance {checked!r}: {error}"
            ) from error
        return self._backend.signals.send(checked, signal, encoded)

    signal = send_signal

    def status(self, instance_id: str) -> WorkflowStatus:
        """Return what an instance does; raises ``InstanceNotFoundError``."""
        return self._observer.status(instance_id)

    def get_task_result(self, instance_id: str, task_id: str) -> Any:
        """Return the plain value that a task, signal, delay or composite gave, None if none yet."""
        return self._observer.task(instance_id, task_id).value

    def task(self, instance_id: str, task_id: str) -> TaskResult:
        """Return the value of a node with its state, attempts and error."""
        return self._observer.task(instance_id, task_id)

    def explain(self, instance_id: str) -> list[Explanation]:
        """Say why an instance stands where it stands, place by place, and what helps."""
        return self._observer.explain(instance_id)

    def history(self, instance_id: str, *, after: str | None = None, limit: int = 100) -> StepPage:
        """Return one page of an instance's records, oldest first."""
        head = self._backend.instances.load(check_instance_id(instance_id))
        return self._backend.results.steps(head.header.run_id, after=after, limit=limit)


def _clean(text: str | None) -> str | None:
    return None if text is None else sanitize_text(text)
