"""What a store must do when several threads or processes work on it at once."""

from __future__ import annotations

from sayiir_pytest.conformance.race_claims import ClaimRaces
from sayiir_pytest.conformance.race_commits import CommitRaces
from sayiir_pytest.conformance.race_events import EventRaces
from sayiir_pytest.conformance.race_processes import ProcessRaces


class RaceConformance(ClaimRaces, CommitRaces, EventRaces, ProcessRaces):
    """Race real threads, started at one barrier, ``threads`` at once and ``rounds`` times.

    A shared store is worked on through two backends, and by ``processes`` real processes at once,
    each with a backend of its own.
    """
