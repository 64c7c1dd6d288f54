"""What may go wrong, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Probabilities per event, and lengths in seconds of virtual time.

    Of each store call: ``lost`` (it never arrives), ``unanswered`` (done, the answer is lost),
    ``late`` (the caller is told of an error, and it is done afterwards), ``doubled`` (done twice).
    ``latency`` is the longest way of a call or an answer, ``slow`` how often it takes up to
    ``slow_seconds``. Hints are lost or doubled as ``hint_lost`` and ``hint_doubled`` say.

    Per worker and second: ``death`` (its process is killed and started again), ``pause`` (it
    stands still for up to ``pause_seconds``), ``partition`` (no call arrives for as long);
    ``restart``: it ends in good order and is started again. ``outage`` is a partition of all.
    ``poison`` is how often an instance has a body that kills its process each time, ``skew`` how
    far a worker's clock is off, at most.

    Of each instance: ``paused``, ``cancelled`` and ``replaced`` (somebody asks for that while it
    runs; the first and the last also again and again), ``refused`` (the store
    refuses the output of one of its steps for good), ``broken`` (the store fails for a while on
    each batch that holds one of its steps). ``retried`` is how often an operator who finds a
    failed instance retries it.
    """

    lost: float = 0.0
    unanswered: float = 0.0
    late: float = 0.0
    doubled: float = 0.0
    latency: float = 0.005
    slow: float = 0.0
    slow_seconds: float = 5.0
    hint_lost: float = 0.0
    hint_doubled: float = 0.0
    death: float = 0.0
    restart: float = 0.0
    pause: float = 0.0
    partition: float = 0.0
    outage: float = 0.0
    pause_seconds: float = 40.0
    poison: float = 0.0
    skew: float = 0.0
    paused: float = 0.2
    cancelled: float = 0.1
    replaced: float = 0.0
    refused: float = 0.0
    broken: float = 0.0
    retried: float = 0.0


CALM: Final = Faults()
"""Nothing goes wrong."""

ROUGH: Final = Faults(
    lost=0.03,
    unanswered=0.03,
    late=0.02,
    doubled=0.02,
    slow=0.02,
    hint_lost=0.2,
    hint_doubled=0.1,
    death=0.01,
    restart=0.005,
    pause=0.01,
    partition=0.01,
    outage=0.003,
    poison=0.1,
    skew=0.5,
    replaced=0.2,
    refused=0.05,
    broken=0.1,
    retried=0.3,
)
"""Everything goes wrong, often."""
