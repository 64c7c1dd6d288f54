"""Turns: new runs each time, old ones one after the other, and none is left out."""

from __future__ import annotations

from sayiir_core.ids import InstanceId, RunId, RunKey
from sayiir_runtime.client.rota import TURN, YOUNG_SECONDS, Rota


def runs(name: str, count: int) -> list[RunKey]:
    """Return keys of runs."""
    return [RunKey(InstanceId(f"{name}-{n}"), RunId("r")) for n in range(count)]


def rota_of(added: list[RunKey], now: float) -> Rota:
    """Return a rota of runs that were added at an instant."""
    rota = Rota()
    for run in added:
        rota.add(run, now)
    return rota


def test_few_runs_are_all_looked_at_in_every_turn() -> None:
    """New or old."""
    known = runs("a", 7)
    rota = rota_of(known, 0.0)

    turns = [rota.take(now) for now in (1.0, YOUNG_SECONDS + 1, YOUNG_SECONDS + 2)]

    assert [set(known)] * 3 == [set(turn) for turn in turns]


def test_many_old_runs_take_turns_and_none_is_left_out() -> None:
    """Whole turns, until all had one; a turn is what one call of a store is asked for."""
    known = runs("a", 3 * TURN)
    rota = rota_of(known, 0.0)
    aged = [rota.take(YOUNG_SECONDS + n) for n in range(3)]

    again = [rota.take(YOUNG_SECONDS + n) for n in range(3, 6)]

    assert [TURN] * 6 == [len(turn) for turn in aged + again]
    assert known == [run for turn in aged for run in turn]
    assert known == [run for turn in again for run in turn]


def test_a_new_run_is_in_every_turn_however_many_old_ones_there_are() -> None:
    """Until it is old itself."""
    old, (new,) = runs("old", 5 * TURN), runs("new", 1)
    rota = rota_of(old, 0.0)
    for n in range(5):
        rota.take(YOUNG_SECONDS + n)
    rota.add(new, 100.0)

    turns = [rota.take(100.0 + n) for n in range(int(YOUNG_SECONDS))]
    later = rota.take(100.0 + YOUNG_SECONDS)

    assert all(new in turn for turn in turns)
    assert new not in later


def test_many_new_runs_leave_room_for_old_ones() -> None:
    """Nobody waits for ever because others come all the time."""
    old, new = runs("old", TURN), runs("new", 5 * TURN)
    rota = rota_of(old, 0.0)
    rota.take(YOUNG_SECONDS)
    for run in new:
        rota.add(run, 100.0)

    turns = [rota.take(100.0) for _ in range(4)]

    assert set(old) <= {run for turn in turns for run in turn}
    assert [TURN] * 4 == [len(turn) for turn in turns]


def test_a_run_that_is_awaited_again_is_new_again_and_a_removed_one_is_gone() -> None:
    """Whoever comes later waits for something that may come soon."""
    known = runs("a", 2 * TURN)
    rota = rota_of(known, 0.0)
    rota.take(YOUNG_SECONDS)
    rota.take(YOUNG_SECONDS)
    rota.add(known[-1], 100.0)
    rota.remove(known[0])
    rota.remove(known[0])

    turn = rota.take(100.0)

    assert known[-1] == turn[0]
    assert known[0] not in turn
    assert 2 * TURN - 1 == len(rota)
