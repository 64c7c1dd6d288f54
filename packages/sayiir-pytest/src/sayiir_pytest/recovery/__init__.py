"""Crash proofs: a workflow is killed wherever it can be, and must come to the same end.

One line proves a workflow in memory, with a runner and with a pooled worker::

    prove_recovery(order, {"item": "lamp"}).check()

Each boundary of a run (before a task, between its effect and its checkpoint, inside the commit, with
the answer lost, at parks, wakes, forks, joins, loop turns, signals and cancels, and when the lease is
lost while a task runs) is tried in a run of its own: there the process dies, another one goes on,
and the end, the records, the calls and the claims are checked. See ``prove_recovery``.
"""

from __future__ import annotations

from sayiir_pytest.recovery.boundary import Boundary, Kind
from sayiir_pytest.recovery.prove import prove_recovery
from sayiir_pytest.recovery.report import Doubled, RecoveryError, RecoveryReport, Trial
from sayiir_pytest.recovery.verdict import Outcome

__all__ = [
    "Boundary",
    "Doubled",
    "Kind",
    "Outcome",
    "RecoveryError",
    "RecoveryReport",
    "Trial",
    "prove_recovery",
]
