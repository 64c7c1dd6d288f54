"""A worker on the test's own thread, in virtual time.

How this works: what is claimed, which body comes next, what is committed and what follows from the
answer is decided by the code of the real worker: its desk, and the scripts of its claimer and its
committer. Only its threads are missing: whoever drives the engine takes the turns. A plain body is
called in place. A coroutine runs on a loop. A stub that takes time begins now and gives its outcome
when its time has passed. A body whose timeout has passed in virtual time is timed out.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, TypeVar

import pytest

from sayiir_core.errors import BackendError, SessionEndedError
from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.answer import Answer, Committed
from sayiir_core.snapshot.head import InstanceState
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine.binding import BoundProgram
from sayiir_pytest.engine.call import MISSING, Call
from sayiir_pytest.engine.host import Host
from sayiir_pytest.engine.journal import Journal
from sayiir_pytest.engine.keeper import WORKER_ID, EngineKeeper
from sayiir_pytest.engine.running import Running
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.input import MISSING as UNREAD
from sayiir_runtime.runner.input import InputReader
from sayiir_runtime.worker.claimer import Claimer
from sayiir_runtime.worker.committer import Committer
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.held import Held
from sayiir_runtime.worker.outage import Outage
from sayiir_runtime.worker.pooled import DEFAULT_CONCURRENCY
from sayiir_runtime.worker.serving import Serving

T = TypeVar("T")

_MOMENT: Final = timedelta(milliseconds=100)
_MOST_FRUITLESS: Final = 100
_ENDS_THE_TEST: Final = (
    KeyboardInterrupt,
    pytest.fail.Exception,
    pytest.skip.Exception,
    pytest.exit.Exception,
)


class EngineWorker:
    """Claim, call and commit for some programs, one turn at a time."""

    def __init__(
        self,
        backend: Backend,
        clock: VirtualClock,
        programs: Sequence[BoundProgram],
        codec: PayloadCodec,
        *,
        journal: Journal,
        host: Host,
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._journal = journal
        self._host = host
        self._programs = {program.identity: program for program in programs}
        self._running: dict[Held, Running] = {}
        self._fatal: BaseException | None = None
        self._fruitless = 0
        self._start = clock.now()
        serving = Serving([program.workflow for program in programs], codec)
        serving.programs.update(self._programs)
        self.desk = _NotingDesk(
            serving,
            concurrency=DEFAULT_CONCURRENCY,
            aging_interval=backend.claims.aging_interval,
            clock=clock.now,
            monotonic=self._monotonic,
        )
        self.desk.journal = journal
        self._keeper = EngineKeeper(backend, serving)
        self._equip()

    def _equip(self) -> None:
        # Drawn from for the waits between two tries only, and an engine waits for none.
        random = Random(0)  # noqa: S311
        outage = Outage(self.desk.counts, WORKER_ID, random)
        self._committer = Committer(
            self.desk,
            self._backend.checkpoints,
            outage,
            after=_nothing,
            session_lost=self._lose_session,
        )
        self._claimer = Claimer(
            self.desk,
            self._backend,
            self._keeper,
            outage,
            random,
            poll=None,
            admitted=_nothing,
            settled=_nothing,
            session_lost=self._lose_session,
        )

    def _monotonic(self) -> float:
        return (self._clock.now() - self._start).total_seconds()

    # Taking turns.

    def turn(self) -> bool:
        """Do what can be done at this instant; return whether there was anything.

        Raises what the store raises, and what in a body is meant for the test itself.
        """
        self._raise_fatal()
        self._tell_unwanted()
        counts = self.desk.counts
        before = counts.claimed, counts.commits
        _perform(self._claimer.turn())
        is_busy = False
        while (held := self.desk.take(is_async=False) or self.desk.take(is_async=True)) is not None:
            self._begin(held)
            self._raise_fatal()
            is_busy = True
        # Also where nothing has ended: there may be a batch whose answer was lost.
        _perform(self._committer.turn())
        while self.desk.can_commit():
            _perform(self._committer.turn())
        is_busy = is_busy or before != (counts.claimed, counts.commits)
        self._fruitless = 0 if is_busy else self._fruitless
        return is_busy

    def next_event(self) -> datetime | None:
        """Return when a body ends, is timed out, or something is due; None if never."""
        instants = [instant for each in self._running.values() for instant in each.instants()]
        due = self._backend.claims.next_due(self.desk.serving.lanes)
        if due is not None and due <= self._clock.now():
            # It is due and was not given: left to another worker, for a moment.
            self._fruitless += 1
            due = self._clock.now() + _MOMENT if self._fruitless <= _MOST_FRUITLESS else None
        return min([*instants, *([] if due is None else [due])], default=None)

    def fire(self) -> None:
        """End the bodies whose time has come by now."""
        self._time_out()
        for held, running in list(self._running.items()):
            is_due = running.ends_at is not None and running.ends_at <= self._clock.now()
            if is_due and held in self._running:
                running.ends_at = None
                self._call(running)

    @property
    def is_idle(self) -> bool:
        """Tell whether it holds nothing."""
        return self.desk.is_idle()

    @property
    def running(self) -> list[Running]:
        """Return the bodies that have begun and not ended."""
        return list(self._running.values())

    def close(self) -> None:
        """Give everything back, and end the session."""
        for attempt in self.desk.abandon_running():
            self._forget(attempt)
        self.desk.drain()
        self._keeper.end()

    # Bodies.

    def _begin(self, held: Held) -> None:
        body, cursor, lease = held.body, held.claim.cursor, held.claim.lease
        assert body is not None
        attempt = held.begin(UNREAD, self._clock.now)
        if body.takes_value and not self._read(held, attempt):
            return
        self._journal.note_start(lease.run_id, cursor.node)
        self.desk.started(held)
        attempt.started_at = now = self._clock.now()
        seconds = body.timeout_seconds
        deadline = None if seconds is None else now + timedelta(seconds=seconds)
        running = self._running[held] = Running(held=held, attempt=attempt, deadline=deadline)
        stub = self._programs[held.claim.identity].stub(cursor.node)
        if stub is not None:
            running.stub = stub
            outcome = stub.start(self._call_of(held, attempt))
            if outcome.hangs:
                return
            if outcome.takes:
                running.ends_at = now + outcome.takes
                return
        self._call(running)

    def _call_of(self, held: Held, attempt: Attempt) -> Call:
        cursor = held.claim.cursor
        takes_value = attempt.body.takes_value
        return Call(
            path=attempt.body.node.path,
            instance_id=held.claim.lease.instance_id,
            run_id=held.claim.lease.run_id,
            attempt=cursor.attempt - cursor.fresh_from + 1,
            turns=cursor.turns,
            at=self._clock.now(),
            value=deepcopy(attempt.value) if takes_value else MISSING,
        )

    def _read(self, held: Held, attempt: Attempt) -> bool:
        """Read and decode the input; False if that has ended the attempt."""
        lease, program = held.claim.lease, held.program
        reader = InputReader(
            self._backend.results,
            program.codec,
            program.definition,
            lease.instance_id,
            lease.run_id,
        )
        try:
            attempt.value = reader.read(held.claim, held.carry, attempt.body)
        except Exception as error:
            if isinstance(error, BackendError) and error.transient:
                raise
            attempt.fail(error)
            self.desk.ended(held, attempt)
            return False
        return True

    def _call(self, running: Running) -> None:
        attempt = running.attempt
        if attempt.body.is_async:
            running.task = self._host.spawn(self._await(running))
        else:
            contextvars.copy_context().run(attempt.run, attempt.started_at)
            self._end(running)

    async def _await(self, running: Running) -> None:
        await running.attempt.run_async()
        self._end(running)

    def _end(self, running: Running) -> None:
        held, attempt = running.held, running.attempt
        if isinstance(attempt.error, _ENDS_THE_TEST):
            self._fatal = attempt.error
        # A plain body that slept for longer than its timeout has ended too late.
        self._time_out()
        if self._running.pop(held, None) is not None:
            self.desk.ended(held, attempt)

    def _time_out(self) -> None:
        now = self._clock.now()
        if not any(each.is_late(now) for each in self._running.values()):
            return
        while not (late := self.desk.overdue()):
            # The desk counts seconds, whose sum may be off by less than a microsecond.
            self._clock.advance(timedelta(microseconds=1))
        for attempt in late:
            self._forget(attempt)

    def _tell_unwanted(self) -> None:
        """Tell the bodies that go on whether anybody wants them, as a worker's clerk does."""
        wanted = {each.held.claim.lease.instance_id for each in self._running.values()}
        headers = self._backend.instances.headers(sorted(wanted)) if wanted else []
        states = {it.run_id: it.state for it in headers if it is not None}
        for each in self._running.values():
            if states.get(each.held.claim.lease.run_id) in {None, InstanceState.CANCELLED}:
                each.attempt.is_set = True

    def _forget(self, attempt: Attempt) -> None:
        for held, running in list(self._running.items()):
            if running.attempt is attempt:
                del self._running[held]
                running.abandon()

    def _raise_fatal(self) -> None:
        fatal, self._fatal = self._fatal, None
        if fatal is not None:
            raise fatal

    def _lose_session(self, session: SessionId) -> None:
        self._keeper.lost(session)
        for attempt in self.desk.forget(session):
            self._forget(attempt)


class _NotingDesk(Desk):
    """A desk that notes what the store has taken."""

    journal: Journal

    def answered(self, batch: Sequence[Held], answers: Sequence[Answer]) -> None:
        """Go on with what the store has answered."""
        for held, answer in zip(batch, answers, strict=True):
            if held.checkpoint is not None and isinstance(answer, Committed):
                self.journal.note_checkpoint(
                    held.program.definition, held.checkpoint, is_held=answer.held
                )
        super().answered(batch, answers)


def _perform(script: Generator[Callable[[], Any], Any, T]) -> None:
    """Run a script of store calls; an error is the test's to see, and not waited out.

    The script learns it first: what was not answered is then sent again as it was, should the
    test go on.
    """
    try:
        call = next(script)
        while True:
            try:
                result = call()
            except SessionEndedError as ended:
                call = script.throw(ended)
            except BackendError as error:
                with suppress(StopIteration):
                    script.throw(error)
                raise
            else:
                call = script.send(result)
    except StopIteration:
        return


def _nothing() -> None:
    return
