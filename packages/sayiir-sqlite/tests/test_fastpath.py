"""The fast path writes what ``apply`` decides."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.effect import Effect, Finish, Retry, Start
from sayiir_core.snapshot.reference import SignalRef, StepRef
from sayiir_core.snapshot.step import StepStatus
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.sample import failed, linear, move, succeeded
from sayiir_sqlite import SQLiteBackend
from sayiir_sqlite.fastpath import FastPath

Deed = tuple[str, bool, int]
"""What is done, whether the cursor is kept, and how far the guard is off."""

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "move",
                "source",
                "retry",
                "late retry",
                "time out",
                "start",
                "finish",
                "pause",
                "unpause",
                "cancel",
                "death",
            ]
        ),
        st.booleans(),
        st.sampled_from([0, 0, 0, 0, -1, 1]),
    ),
    max_size=12,
)


class World:
    """One store in which every id and instant is given."""

    def __init__(self, path: Path) -> None:
        self.clock = VirtualClock()
        backend = SQLiteBackend(path, clock=self.clock, synchronous="NORMAL")
        self.rig = Rig(lambda: backend, self.clock)
        self.rig.definition = linear("same")
        backend.definitions.save(self.rig.definition)
        self.session = SessionId("same")
        backend.sessions.register(NewSession(session_id=self.session, worker_id="w", ttl=TTL))

    def do(self, deeds: list[Deed]) -> list[Any]:
        """Do deeds to a run and return the answers."""
        new = self.rig.new("run")
        new.run_id = RunId("run")
        self.rig.create(new)
        hand = self.rig.take(self.session)
        answers: list[Any] = []
        for attempt, (deed, keep, off) in enumerate(deeds, start=1):
            self.clock.advance(timedelta(microseconds=1))
            if deed == "death":
                self._charge_death()
                continue
            if deed in {"pause", "unpause", "cancel"}:
                answers.append(self._control(deed, hand))
                continue
            effects = self._effects(deed, attempt)
            checkpoint = hand.under(seq=hand.seq + off).checkpoint(*effects, keep=keep)
            answers.append(hand.send(checkpoint))
            hand = self._again(hand)
        return answers

    def _charge_death(self) -> None:
        with closing(sqlite3.connect(self.rig.backend.path)) as connection, connection:
            connection.execute("UPDATE cursors SET deaths = '[\"dead\"]'")

    def _control(self, deed: str, hand: Hand) -> str:
        try:
            if deed == "pause":
                self.rig.backend.control.pause(hand.instance_id, reason="r", by=None)
            elif deed == "cancel":
                self.rig.backend.control.cancel(hand.instance_id, reason="c", by=None)
            else:
                self.rig.backend.control.unpause(hand.instance_id)
        except RuntimeError as error:
            return str(error)
        return deed

    def _effects(self, deed: str, attempt: int) -> tuple[Effect, ...]:
        at = self.clock.now()
        match deed:
            case "move":
                return succeeded(0, attempt=attempt, at=at), move(0, turns=(7, 1), group="gpu")
            case "source":
                return succeeded(0, attempt=attempt, source=SignalRef(3)), move(0, priority=1)
            case "retry":
                return failed(0, attempt=attempt), Retry(at)
            case "late retry":
                seconds = timedelta(seconds=attempt)
                return failed(0, attempt=attempt), Retry(at + seconds)
            case "finish":
                return succeeded(0, attempt=attempt), Finish(StepRef(0, (attempt,)))
            case "time out":
                return failed(0, attempt=attempt, status=StepStatus.TIMED_OUT), Retry(at)
            case _:
                return (Start(),)

    def _again(self, hand: Hand) -> Hand:
        cursor = self.rig.load(hand.instance_id).cursors.get(hand.key)
        if cursor is None:
            return hand
        if cursor.session is None:
            if cursor.available_at is not None and cursor.available_at > self.clock.now():
                self.clock.advance_to(cursor.available_at)
            claims = self.rig.claim(self.session, "", "gpu", claim_no=9)
            return Hand(self.rig.backend, claims[0]) if claims else hand
        hand.seq = cursor.seq
        return hand

    def tables(self) -> list[list[tuple[Any, ...]]]:
        """Return all rows that commits write."""
        queries = ("SELECT * FROM cursors", "SELECT * FROM steps", "SELECT * FROM instances")
        with closing(sqlite3.connect(self.rig.backend.path)) as connection:
            return [connection.execute(query).fetchall() for query in queries]


class ClosedPath(FastPath):
    """A fast path that is never taken."""

    __slots__ = ()

    def write(self, *_: object) -> bool:
        """Take no checkpoint."""
        return False


@pytest.fixture
def folder() -> Iterator[Callable[[], Path]]:
    """Return a function that gives an empty folder."""
    with tempfile.TemporaryDirectory() as name:
        numbers = count()

        def make() -> Path:
            made = Path(name) / str(next(numbers))
            made.mkdir()
            return made

        yield make


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(deeds=DEEDS)
@example(deeds=[("start", True, 0), ("death", True, 0), ("move", True, 0)])
@example(deeds=[("start", True, 0), ("death", True, 0), ("move", False, 0)])
@example(deeds=[("start", True, 0), ("death", True, 0), ("retry", False, 0)])
@example(deeds=[("late retry", True, 0), ("move", True, 0)])
@example(deeds=[("late retry", False, 0), ("move", False, 0)])
@example(deeds=[("late retry", False, 0), ("finish", False, 0)])
@example(deeds=[("finish", True, 0), ("finish", True, 0), ("move", True, 0)])
@example(deeds=[("pause", True, 0), ("finish", False, 0), ("unpause", True, 0)])
@example(deeds=[("cancel", True, 0), ("finish", False, 0)])
def test_the_fast_path_writes_what_apply_decides(
    folder: Callable[[], Path], deeds: list[Deed]
) -> None:
    """Answer and store the same, also under wrong guards and holds."""
    place = folder()
    fast, slow = World(place / "fast.db"), World(place / "slow.db")
    slow.rig.backend.checkpoints._fast = ClosedPath(slow.rig.backend._database)

    answers = [world.do(deeds) for world in (fast, slow)]

    assert answers[0] == answers[1]
    assert fast.tables() == slow.tables()
    fast.rig.close()
    slow.rig.close()


def test_the_common_checkpoints_take_the_fast_path(rig: Rig) -> None:
    """Read no header and no cursor for them, whatever is kept."""
    hand = rig.start(instance_id=InstanceId("fast"))
    seen: list[str] = []
    connection = rig.backend._database.writer().connection
    connection.set_trace_callback(seen.append)
    hand.must(Start())
    hand.must(succeeded(0), move(1))
    hand.must(failed(1), Retry(rig.clock.now()))
    connection.set_trace_callback(None)
    last = rig.take(hand.lease.session)
    connection.set_trace_callback(seen.append)
    last.must(succeeded(1, attempt=2), Finish(StepRef(1)))
    connection.set_trace_callback(None)

    words = [sql.split()[0] for sql in seen if not sql.startswith("--")]
    assert "SELECT" not in words[8:]
    assert (4, 3, 1) == tuple(map(words.count, ("UPDATE", "INSERT", "DELETE")))
