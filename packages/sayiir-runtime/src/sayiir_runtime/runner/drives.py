"""Which runs this process drives.

How this works: all calls over one backend object share a session, and to the store an ownership
belongs to the session. So the store cannot tell two calls of one process for one run apart: it
would grant the run to both, and let the first that ends disown it under the other's hands. This
list can.
"""

from __future__ import annotations

from sayiir_core.ids import RunKey


class Drives:
    """The runs that calls of one session drive at this moment."""

    def __init__(self) -> None:
        self._runs: dict[RunKey, _Drive] = {}

    def enter(self, run: RunKey) -> bool:
        """Note that this call drives the run; False if another call does already."""
        # Atomic, and cheaper than a lock.
        drive = _Drive()
        return self._runs.setdefault(run, drive) is drive

    def end(self, run: RunKey) -> None:
        """Note that this call gives the run back, and leaves as soon as the store has answered."""
        self._runs[run].is_ending = True

    def leave(self, run: RunKey) -> None:
        """Note that this call drives the run no longer."""
        del self._runs[run]

    def is_ending(self, run: RunKey) -> bool:
        """Tell whether whoever drives the run is about to leave, or has left."""
        drive = self._runs.get(run)
        return drive is None or drive.is_ending


class _Drive:
    __slots__ = ("is_ending",)

    def __init__(self) -> None:
        self.is_ending = False
