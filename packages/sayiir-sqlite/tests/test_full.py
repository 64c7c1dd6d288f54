"""A database that cannot grow: a clear error, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sayiir_core.errors import BackendError
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import step
from sayiir_sqlite import SQLiteBackend


def fill(hand: Hand) -> None:
    """Commit steps for as long as the store takes them."""
    while True:
        hand.must(*step(hand.seq, output=bytes(1000)))


def test_a_full_database_is_named_and_keeps_what_was_acknowledged(path: Path) -> None:
    """Fill a file up to ``max_page_count``; then open it without the limit and go on."""
    clock = VirtualClock()
    small = Rig(lambda: SQLiteBackend(path, clock=clock, max_page_count=120), clock)
    hand = small.start()

    with pytest.raises(BackendError, match="max_page_count") as caught:
        fill(hand)
    seen_when_full = len(small.history(hand.run_id))
    hand.backend = SQLiteBackend(path, clock=clock)
    hand.must(*step(hand.seq))
    stored = hand.backend.results.steps(hand.run_id, limit=10**6).rows

    assert str(path) in str(caught.value)
    assert not caught.value.transient
    assert seen_when_full == hand.seq - 1 > 20
    assert list(range(hand.seq)) == [row.record.node for row in stored]
    hand.backend.close()
    small.close()


def test_a_full_database_takes_writes_again_after_pruning(path: Path) -> None:
    """Follow the remedy of the error without closing anything."""
    clock = VirtualClock()
    rig = Rig(lambda: SQLiteBackend(path, clock=clock, max_page_count=120), clock)
    hand = rig.start()
    with pytest.raises(BackendError, match="prune"):
        fill(hand)

    rig.backend.control.cancel(hand.instance_id, reason=None, by=None)
    rig.backend.claims.release([hand.lease])
    clock.advance(1)
    pruned = rig.backend.instances.prune(finished_before=clock.now(), limit=10)
    other = rig.start()
    other.must(*step(0, output=bytes(1000)))

    assert 1 == pruned
    rig.close()


def test_a_disk_that_refuses_to_grow_loses_nothing_acknowledged(
    path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Fail a write in the middle of the log, and find every step that was acknowledged."""
    child = start("outgrow", path, 400_000)
    said, complaint = child.communicate(timeout=60)
    told = json.loads(said)

    backend = SQLiteBackend(path)
    head = backend.instances.load("outgrown")
    rows = backend.results.steps(head.header.run_id, limit=10**6).rows
    backend.close()

    assert "" == complaint
    assert str(path) in told["error"]
    assert told["acknowledged"] > 10
    assert told["acknowledged"] == len(rows) == head.cursors[0, ()].node
