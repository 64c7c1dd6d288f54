"""A claim in a driver's hands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sayiir_core.snapshot.answer import Claim
from sayiir_runtime.runner.input import Carry

SUSPECT_AFTER: Final = 3
"""After how many deaths a body runs alone, so that no neighbour is charged with the next one."""


@dataclass(slots=True)
class Hold:
    """A claim, with what its driver remembers of the claim's input."""

    claim: Claim
    carry: Carry | None = None

    @property
    def suspicion(self) -> int:
        """Return how likely the body kills its process, 0 if it may run beside others."""
        deaths = len(self.claim.cursor.deaths)
        return deaths if deaths >= SUSPECT_AFTER else 0
