"""What is kept of payloads that tasks look at: the last, up to a limit."""

from __future__ import annotations

from sayiir_core.ids import RunId
from sayiir_core.snapshot.reference import INPUT, StepRef
from sayiir_runtime.codec import JsonCodec
from sayiir_runtime.codec.opened import Opened
from sayiir_runtime.runner.looks import Looks

RUN = RunId("r")


def opened(size: int) -> Opened:
    """Return an opened payload of so many bytes."""
    return Opened(JsonCodec(), b"x" * size, 0, 0)


def test_what_was_kept_is_found_under_its_run_and_reference() -> None:
    """Two runs have nothing in common."""
    looks, kept = Looks(), opened(1)

    looks.keep(RUN, StepRef(1), kept)

    assert kept is looks.get(RUN, StepRef(1))
    assert [None, None] == [looks.get(RunId("other"), StepRef(1)), looks.get(RUN, StepRef(2))]


def test_what_was_not_looked_at_for_longest_is_forgotten_first() -> None:
    """By bytes."""
    looks = Looks(most_bytes=10)
    for node in range(3):
        looks.keep(RUN, StepRef(node), opened(3))
    looks.get(RUN, StepRef(0))

    looks.keep(RUN, INPUT, opened(4))

    leaves = (StepRef(0), StepRef(1), StepRef(2), INPUT)
    assert [True, False, True, True] == [looks.get(RUN, leaf) is not None for leaf in leaves]


def test_the_number_of_payloads_is_bounded() -> None:
    """Small ones cost more than their bytes."""
    looks = Looks(most_payloads=2)

    for node in range(5):
        looks.keep(RUN, StepRef(node), opened(0))

    assert [3, 4] == [node for node in range(5) if looks.get(RUN, StepRef(node)) is not None]


def test_what_is_too_large_is_not_kept() -> None:
    """It would push out everything else."""
    looks = Looks(most_bytes=10)
    looks.keep(RUN, INPUT, opened(5))

    looks.keep(RUN, StepRef(1), opened(11))

    assert looks.get(RUN, INPUT) is not None
    assert looks.get(RUN, StepRef(1)) is None


def test_whoever_comes_second_uses_what_the_first_kept() -> None:
    """Two threads that looked at once share one look, and it counts once."""
    looks, first = Looks(most_bytes=10), opened(6)

    kept = [looks.keep(RUN, INPUT, each) for each in (first, opened(6), opened(6))]

    assert [first] * 3 == kept
    assert first is looks.get(RUN, INPUT)
