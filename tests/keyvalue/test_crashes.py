"""The key-value backend loses and repeats nothing, wherever it crashes or misses an answer."""

from __future__ import annotations

from typing import Final

import pytest

from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.keyvalue import Crash, DictKeyValueStore, FlakyKeyValueStore
from tests.keyvalue.story import (
    ONE,
    RUN,
    assert_told,
    backend_on,
    keys,
    take_over,
    tell,
)


def writes_of_the_story() -> int:
    """Return how many writes the story takes if nothing happens."""
    flaky = FlakyKeyValueStore(DictKeyValueStore())
    tell(backend_on(flaky, VirtualClock()))
    return flaky.writes


WRITES: Final = writes_of_the_story()


def test_the_story_is_told_without_leftovers() -> None:
    """Leave no hint and no live session when nothing goes wrong."""
    store = DictKeyValueStore()
    backend = backend_on(store, VirtualClock())

    tell(backend)

    assert_told(backend, store)
    assert [] == keys(store, "q/", "h/", "s/")


@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_crash_before_any_write_loses_nothing_and_repeats_nothing(write: int) -> None:
    """Let another process take over after the lease, on what the first had written."""
    store, clock = DictKeyValueStore(), VirtualClock()
    flaky = FlakyKeyValueStore(store)
    flaky.crash_at(write)

    with pytest.raises(Crash):
        tell(backend_on(flaky, clock))
    survivor = backend_on(store, clock)
    take_over(survivor, clock)

    assert_told(survivor, store)
    assert [] == keys(store, "q/", "h/", "s/")


@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_lost_answer_is_made_up_for_by_asking_again(write: int) -> None:
    """Repeat the call whose answer was lost, under the same session."""
    store = DictKeyValueStore()
    flaky = FlakyKeyValueStore(store)
    backend = backend_on(flaky, VirtualClock())
    flaky.lose_answer_at(write)

    tell(backend)

    assert_told(backend, store)


@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_rows_without_acknowledgement_are_never_seen(write: int) -> None:
    """Show, after any crash, exactly those records that some commit has answered or may have."""
    store, clock = DictKeyValueStore(), VirtualClock()
    flaky = FlakyKeyValueStore(store)
    flaky.crash_at(write)
    with pytest.raises(Crash):
        tell(backend_on(flaky, clock))

    reader = backend_on(store, clock)
    seen = {row.record.node for row in reader.results.steps(RUN).rows}
    by_key = {node for node in (0, 10, 20, 2) if reader.results.step(RUN, node, ()) is not None}

    assert seen == by_key
    if seen:
        head = reader.instances.load(ONE)
        waiting = {cursor.node for cursor in head.cursors.values()}
        assert not seen & waiting
