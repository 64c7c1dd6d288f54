"""What pruning takes along."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import give_up


def test_a_failed_run_is_pruned_though_a_session_owns_it(rig: Rig) -> None:
    """Spare only what a session executes, as the model does."""
    hand = rig.start()
    hand.must(*give_up())
    session = rig.session()
    rig.own(session, hand.instance_id)
    rig.clock.advance(1)

    pruned = rig.backend.instances.prune(finished_before=rig.clock.now(), limit=10)
    rig.backend.ownership.disown(session, hand.run)
    rig.backend.sessions.end(session)

    assert 1 == pruned
    assert [None] == rig.backend.instances.headers([hand.instance_id])


def test_lanes_of_forgotten_sessions_are_forgotten(rig: Rig) -> None:
    """Keep a session with its lanes as long as runs may name it, and not longer."""
    session = rig.session(lanes=[rig.lane()])
    rig.backend.sessions.end(session)
    known = rig.backend.sessions.view(session)
    rig.clock.advance(1)
    instance_id = rig.create(rig.new()).head.header.instance_id
    rig.backend.control.cancel(instance_id, reason=None, by=None)
    rig.clock.advance(1)
    rig.backend.instances.prune(finished_before=rig.clock.now(), limit=10)

    assert known is not None
    assert (rig.lane(),) == known.lanes
    assert rig.backend.sessions.view(session) is None
    with closing(sqlite3.connect(rig.backend.path)) as connection:
        assert [(0,)] == connection.execute("SELECT count(*) FROM session_lanes").fetchall()
