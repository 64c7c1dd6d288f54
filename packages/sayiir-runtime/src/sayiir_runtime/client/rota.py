"""Whose turn it is to be looked at: newcomers each time, all others one after the other."""

from __future__ import annotations

from itertools import islice
from typing import Final

from sayiir_core.ids import RunKey

TURN: Final = 1000
"""How many runs are looked at together, by one call of a store."""

YOUNG_SECONDS: Final = 5.0
"""How long a run counts as new: most that is awaited ends within seconds, or takes very long."""

_KEPT_FOR_OLD: Final = TURN // 4


class Rota:
    """The awaited runs in the order of their turns, so that many old ones delay no new one."""

    def __init__(self) -> None:
        # In the order in which they came, with the end of their youth.
        self._youth: dict[RunKey, float] = {}
        self._young: dict[RunKey, None] = {}
        self._old: dict[RunKey, None] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, run: RunKey, now: float) -> None:
        """Take in a run that is awaited from now on; one that was known is new again."""
        self.remove(run)
        self._youth[run] = now + YOUNG_SECONDS
        self._young[run] = None

    def remove(self, run: RunKey) -> None:
        """Forget a run; repeatable."""
        for runs in (self._youth, self._young, self._old):
            runs.pop(run, None)

    def take(self, now: float) -> list[RunKey]:
        """Return up to ``TURN`` runs whose turn it is, and put them at the end."""
        self._age(now)
        young = _turn_of(self._young, TURN - min(len(self._old), _KEPT_FOR_OLD))
        return young + _turn_of(self._old, TURN - len(young))

    def _age(self, now: float) -> None:
        while self._youth:
            run, until = next(iter(self._youth.items()))
            if now < until:
                return
            del self._youth[run], self._young[run]
            self._old[run] = None


def _turn_of(runs: dict[RunKey, None], count: int) -> list[RunKey]:
    turn = list(islice(runs, count))
    for run in turn:
        del runs[run]
        runs[run] = None
    return turn
