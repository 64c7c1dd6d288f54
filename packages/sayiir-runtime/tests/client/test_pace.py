"""The rhythm of looking: quick after something happened, slow otherwise, and never all the time."""

from __future__ import annotations

from sayiir_runtime.client.pace import HEARING, HINTED, LONGEST, SHORTEST, Pace


def intervals(pace: Pace, count: int, *, cost: float = 0.0) -> list[float]:
    """Return the pauses between looks that find nothing, each made when it is due."""
    now, pauses = 100.0, []
    for _ in range(count):
        pace.looked(now, now + cost, found=False)
        pauses.append(pace.due - (now + cost))
        now = pace.due
    return pauses


def test_looks_become_rarer_while_nothing_happens() -> None:
    """From 10 ms to half a second, within a dozen looks."""
    pauses = intervals(Pace(), 12)

    assert pauses == sorted(pauses)
    assert SHORTEST < pauses[0] < 2 * SHORTEST
    assert LONGEST == round(pauses[-1], 6)


def test_while_hints_arrive_the_first_looks_are_rarer() -> None:
    """Leave it to the hints to be quicker; what grew beyond that stays as it is."""
    hearing, deaf = Pace(), Pace()
    hearing.is_hearing = True
    pauses, others = intervals(hearing, 12), intervals(deaf, 12)

    assert [round(max(HEARING, it), 9) for it in others] == [round(it, 9) for it in pauses]
    assert HEARING == round(pauses[0], 6)


def test_where_nothing_was_awaited_the_first_interval_begins_anew() -> None:
    """However long ago the last look was."""
    pace = Pace()
    intervals(pace, 12)

    pace.begin(200.0)

    assert SHORTEST == round(pace.due - 200.0, 6)


def test_a_look_that_found_something_is_soon_followed_by_the_next() -> None:
    """What ends one run often ends others."""
    pace = Pace()
    intervals(pace, 12)

    pace.looked(200.0, 200.0, found=True)

    assert SHORTEST == round(pace.due - 200.0, 6)


def test_a_newcomer_makes_looks_frequent_again() -> None:
    """What was just submitted may end at once."""
    pace = Pace()
    intervals(pace, 12)
    pace.looked(200.0, 200.0, found=False)

    pace.hurry()

    assert SHORTEST == round(pace.due - 200.0, 6)


def test_looks_that_take_long_leave_four_fifths_of_the_time_to_others() -> None:
    """Also at hints, however many come: so ten thousand waiters cost a fifth of a core at most."""
    pace = Pace()
    pace.looked(100.0, 101.0, found=True)

    assert (105.0, 105.0) == (pace.due, pace.soonest)


def test_a_hint_shortens_a_long_pause_but_not_to_nothing() -> None:
    """Hints may come in any number."""
    pace = Pace()
    intervals(pace, 12)
    pace.looked(200.0, 200.0, found=False)

    assert HINTED == round(pace.soonest - 200.0, 6)
    assert LONGEST == round(pace.due - 200.0, 6)


def test_looks_at_a_part_are_spread_over_the_interval_of_the_whole() -> None:
    """Ten looks at a tenth make one round, and the interval grows by rounds."""
    whole, parts = Pace(), Pace()

    whole.looked(100.0, 100.0, found=False)
    for _ in range(10):
        parts.looked(100.0, 100.0, found=False, share=0.1)

    assert round((whole.due - 100.0) / 10, 6) == round(parts.due - 100.0, 6)
