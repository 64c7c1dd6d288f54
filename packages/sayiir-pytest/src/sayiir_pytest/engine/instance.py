"""An instance in the hands of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sayiir_core.engine.explain import Explanation
from sayiir_core.errors import NodeLookupError, WorkflowError
from sayiir_core.ids import RunId
from sayiir_core.snapshot.head import Cursor, CursorState
from sayiir_core.snapshot.step import StepRow
from sayiir_pytest.engine.binding import AnyWorkflow, Target, tasks_of
from sayiir_pytest.engine.call import MISSING
from sayiir_pytest.engine.history import Event, History
from sayiir_pytest.engine.journal import Note, place, shortened, step_key
from sayiir_pytest.engine.signal import ReceivedSignal, matches, received_signals, signal_names
from sayiir_pytest.engine.task_view import Tasks
from sayiir_runtime.client.end import output_of
from sayiir_runtime.status import WorkflowStatus

if TYPE_CHECKING:
    from sayiir_pytest.engine.engine import Engine

_NOTHING: Final = timedelta(0)
_PARKED: Final = {CursorState.SLEEPING, CursorState.AWAITING}


class Instance:
    """One instance, as the store has it at the moment of asking.

    Requests (``signal``, ``unpause``, ``retry``) let the engine go on until everything is parked;
    their ``_async`` forms are for tests that run on an event loop.
    """

    def __init__(self, engine: Engine, workflow: AnyWorkflow, instance_id: str) -> None:
        self.instance_id: Final = instance_id
        self.workflow: Final = workflow
        self._engine = engine
        self._client = engine.client

    # What it is.

    @property
    def details(self) -> WorkflowStatus:
        """Return everything that a status says."""
        return self._client.status(self.instance_id)

    @property
    def status(self) -> str:
        """Return the status word, such as ``completed`` or ``awaiting_signal``."""
        return self.details.status

    @property
    def output(self) -> Any:
        """Return the plain output.

        Raises ``TaskError`` for a failed run, with the traceback as a note,
        ``InstanceCancelledError`` for a cancelled one, ``WorkflowError`` that says what it waits
        for if it has not ended.
        """
        status = self.details
        if not (status.is_completed() or status.is_failed() or status.is_cancelled()):
            raise WorkflowError(
                f"instance {self.instance_id!r} has no output yet, it is {status.status}: "
                f"{self.whereabouts()}",
                instance_id=self.instance_id,
            )
        return output_of(status)

    @property
    def error(self) -> str | None:
        """Return the error of a failed run, as ``ValueError: bad``, None if it has not failed."""
        return self.details.error

    @property
    def tasks(self) -> Tasks:
        """Return what is recorded of its tasks."""
        return Tasks(self.workflow, lambda name: self._client.task(self.instance_id, name))

    @property
    def parked_at(self) -> str | None:
        """Return the path of the delay or signal wait at which it stands, None if it is at none.

        Raises ``WorkflowError`` that lists the places if it stands at several; see ``parked``.
        """
        places = self.parked
        if len(places) > 1:
            raise WorkflowError(
                f"instance {self.instance_id!r} is parked at {len(places)} places: "
                f"{', '.join(places)}; ask for .parked",
                instance_id=self.instance_id,
            )
        return places[0] if places else None

    @property
    def parked(self) -> list[str]:
        """Return the paths of all delays and signal waits at which its branches stand."""
        nodes = self.workflow.definition
        return [place(nodes, it.node, it.turns) for it in self._cursors() if it.state in _PARKED]

    @property
    def history(self) -> History:
        """Return what happened to it so far."""
        header = self._engine.head(self.instance_id).header
        notes = list(self._engine.journal.notes(header.run_id))
        known = {note.step for note in notes}
        notes += [self._foreign(row) for row in self._rows() if step_key(row.record) not in known]
        began = header.created_at
        ordered = sorted(notes, key=lambda note: note.at)
        return History(
            [
                Event(at=it.at, after=max(it.at - began, _NOTHING), path=it.path, text=it.text)
                for it in ordered
            ]
        )

    def explain(self) -> list[Explanation]:
        """Say why it stands where it stands, place by place, and what helps."""
        return self._client.explain(self.instance_id)

    def whereabouts(self) -> str:
        """Say in one line where it is and what it waits for."""
        return "; ".join(
            f"at {it.path}: {it.sentence}" if it.path else it.sentence for it in self.explain()
        )

    @property
    def signals(self) -> list[ReceivedSignal]:
        """Return every signal that has reached it, in the order of their arrival."""
        engine = self._engine
        head = engine.head(self.instance_id)
        definition = self.workflow.definition
        return received_signals(engine.backend, engine.codec, definition, head, list(self._rows()))

    # What a test asks of it.

    def signal(self, name: str, payload: Any = None) -> None:
        """Send a signal, and go on; ``NodeLookupError`` for a name that its workflow never awaits."""
        self._go_on(lambda: self._send(name, payload))

    async def signal_async(self, name: str, payload: Any = None) -> None:
        """Send a signal like ``signal``, on the running loop."""
        await self._go_on_async(lambda: self._send(name, payload))

    def cancel(self, reason: str | None = None, *, by: str | None = None) -> None:
        """Cancel it for good."""
        self._client.cancel(self.instance_id, reason=reason, cancelled_by=by)
        self._engine.journal.note_end(self._run_id, f"cancelled{_because(reason, by)}")

    def pause(self, reason: str | None = None, *, by: str | None = None) -> None:
        """Hold it until ``unpause``."""
        self._client.pause(self.instance_id, reason=reason, paused_by=by)
        self._note(f"paused{_because(reason, by)}")

    def unpause(self) -> None:
        """Release what a pause holds, and go on."""
        self._go_on(self._unpause)

    async def unpause_async(self) -> None:
        """Release like ``unpause``, on the running loop."""
        await self._go_on_async(self._unpause)

    def retry(self) -> None:
        """Revive it after its failure, with fresh attempts, and go on."""
        self._go_on(self._retry)

    async def retry_async(self) -> None:
        """Revive like ``retry``, on the running loop."""
        await self._go_on_async(self._retry)

    # What a test asserts.

    def assert_started(self, task: Target) -> None:
        """Raise ``AssertionError`` unless the body of a task was called."""
        if not self._has_started(task):
            raise AssertionError(
                f"task {_spoken(task)} of instance {self.instance_id!r} was never started; the "
                f"instance is {self.status}: {self.whereabouts()}"
            )

    def assert_not_started(self, task: Target) -> None:
        """Raise ``AssertionError`` if the body of a task was called."""
        if self._has_started(task):
            raise AssertionError(
                f"task {_spoken(task)} of instance {self.instance_id!r} was started:\n{self.history}"
            )

    def assert_signalled(self, name: str, payload: Any = MISSING) -> None:
        """Raise ``AssertionError`` unless a signal has reached it whose payload matches.

        A dict matches one with further keys, at any depth. Without ``payload`` the name counts.
        """
        signals = self.signals
        if not any(
            one.name == name and (payload is MISSING or matches(payload, one.payload))
            for one in signals
        ):
            wanted = name if payload is MISSING else f"{name} {payload!r}"
            received = ", ".join(f"{it.name} {it.payload!r}" for it in signals) or "none"
            raise AssertionError(
                f"no signal {wanted} has reached instance {self.instance_id!r}; received: {received}"
            )

    def __repr__(self) -> str:
        return f"<Instance {self.instance_id} of {self.workflow.workflow_id}: {self.status}>"

    # How it knows.

    def _go_on(self, request: Callable[[], None]) -> None:
        self._engine.check_caller()
        request()
        self._engine.run_until_parked()

    async def _go_on_async(self, request: Callable[[], None]) -> None:
        self._engine.check_async_caller()
        request()
        await self._engine.run_until_parked_async()

    def _send(self, name: str, payload: Any) -> None:
        names = signal_names(self.workflow.definition)
        if name not in names:
            raise NodeLookupError(
                f"workflow {self.workflow.workflow_id!r} never waits for a signal {name!r}; it "
                f"waits for {', '.join(map(repr, names)) or 'none'}",
                candidates=names,
            )
        self._client.send_signal(self.instance_id, name, payload)
        self._note(f"signal {name!r} arrived: {shortened(repr(payload))}")

    def _unpause(self) -> None:
        self._client.unpause(self.instance_id)
        self._note("unpaused")

    def _retry(self) -> None:
        self._client.retry(self.instance_id)
        self._engine.journal.note_retry(self._run_id)

    def _note(self, text: str) -> None:
        self._engine.journal.note(self._run_id, text)

    @property
    def _run_id(self) -> RunId:
        return self._engine.head(self.instance_id).header.run_id

    def _has_started(self, task: Target) -> bool:
        run_id = self._run_id
        ordinals = {node.ordinal for node in tasks_of(self.workflow, task)}
        return any(
            self._engine.journal.has_started(run_id, ordinal) for ordinal in ordinals
        ) or any(row.record.node in ordinals for row in self._rows())

    def _cursors(self) -> list[Cursor]:
        cursors = self._engine.head(self.instance_id).cursors
        return [cursors[key] for key in sorted(cursors)]

    def _rows(self) -> Iterator[StepRow]:
        after: str | None = None
        while True:
            page = self._client.history(self.instance_id, after=after)
            yield from page.rows
            after = page.next
            if after is None:
                return

    def _foreign(self, row: StepRow) -> Note:
        """Return the note of a record that another driver wrote."""
        definition, record = self.workflow.definition, row.record
        at = record.finished_at or self._engine.head(self.instance_id).header.created_at
        path = place(definition, record.node, record.turns)
        return Note(at=at, path=path, text=self._engine.journal.record(definition, record))


def _because(reason: str | None, by: str | None) -> str:
    whom = f" by {by}" if by else ""
    return f"{whom}: {reason}" if reason else whom


def _spoken(task: Target) -> str:
    return repr(task if isinstance(task, str) else getattr(task, "__name__", task))
