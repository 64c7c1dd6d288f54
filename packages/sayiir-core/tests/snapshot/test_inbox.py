"""Old signals that nothing will consume are removed, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sayiir_core.snapshot.head import InstanceState, PendingSignal
from sayiir_core.snapshot.inbox import expire

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def inbox(*seconds: int) -> list[PendingSignal]:
    """Return signals that were received so many seconds after the start."""
    return [
        PendingSignal(seq=seq, name="go", received_at=NOW + timedelta(seconds=after))
        for seq, after in enumerate(seconds, start=1)
    ]


@pytest.mark.parametrize("state", [None, *InstanceState])
def test_only_an_inbox_without_a_future_loses_signals(state: InstanceState | None) -> None:
    """A failed instance can be retried, and a paused one goes on."""
    pending = inbox(0)

    expired = expire(pending, state, received_before=NOW + timedelta(seconds=1), limit=9)

    over = state in (None, InstanceState.COMPLETED, InstanceState.CANCELLED)
    assert over is bool(expired)
    assert over is not bool(pending)


def test_the_oldest_go_first_up_to_the_limit_and_to_the_instant() -> None:
    """What was received at the instant itself stays, in the same list."""
    pending = inbox(0, 1, 2, 3)
    before = NOW + timedelta(seconds=3)

    rounds = [
        [signal.seq for signal in expire(pending, None, received_before=before, limit=limit)]
        for limit in (-1, 0, 2, 2, 2)
    ]

    assert [[], [], [1, 2], [3], []] == rounds
    assert [4] == [signal.seq for signal in pending]
