"""Which runs this process drives.

How this works: all calls over one backend object share a session, and to the store an ownership
belongs to the session. So the store cannot tell two calls of one process for one run apart: it
would grant the run to both, and let the first that ends disown it under the other's hands. This
list can.
"""

from __future__ import annotations

import threading

from sayiir_core.ids import RunKey


class Drives:
    """The runs that calls of one session drive at this moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Whether the drive is over, and the run is being given back.
        self._runs: dict[RunKey, bool] = {}

    def enter(self, run: RunKey) -> bool:
        """Note that this call drives the run; False if another call does already."""
        with self._lock:
            if run in self._runs:
                return False
            self._runs[run] = False
            return True

    def end(self, run: RunKey) -> None:
        """Note that this call gives the run back, and leaves as soon as the store has answered."""
        self._runs[run] = True

    def leave(self, run: RunKey) -> None:
        """Note that this call drives the run no longer."""
        del self._runs[run]

    def is_ending(self, run: RunKey) -> bool:
        """Tell whether whoever drives the run is about to leave, or has left."""
        return self._runs.get(run, True)
