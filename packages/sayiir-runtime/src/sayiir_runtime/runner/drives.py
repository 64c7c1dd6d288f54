"""Which runs this process drives.

How this works: all calls over one backend object share a session, and to the store an ownership
belongs to the session. So the store cannot tell two threads of one process apart: it would grant
an instance to both, and let the first that ends disown it under the other's hands. This list can.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sayiir_core.ids import InstanceId, RunId


class Drives:
    """The runs that calls of one session drive at this moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # In the order in which their calls came; and how to give back what a call has left.
        self._runs: dict[InstanceId, dict[RunId, None]] = {}
        self._owed: dict[InstanceId, Callable[[], None]] = {}

    def enter(self, instance_id: InstanceId, run_id: RunId) -> bool:
        """Note that this call drives the run; False if another call does already."""
        with self._lock:
            runs = self._runs.setdefault(instance_id, {})
            if run_id in runs:
                return False
            runs[run_id] = None
            return True

    def leave(
        self, instance_id: InstanceId, run_id: RunId, disown: Callable[[], None] | None = None
    ) -> None:
        """Note that this call drives the run no longer.

        ``disown`` gives the instance back to the store. It waits while a later call may be
        driving another run of the instance, whose ownership it would end: until that call ends,
        which may have found that this run exists. None begins meanwhile.
        """
        with self._lock:
            runs = self._runs[instance_id]
            is_last = next(reversed(runs)) == run_id
            del runs[run_id]
            if not runs:
                del self._runs[instance_id]
            if disown is not None:
                self._owed[instance_id] = disown
            if not runs or (is_last and disown is not None):
                self._settle(instance_id)

    def alone(self, instance_id: InstanceId, run_id: RunId, act: Callable[[], None]) -> bool:
        """Act unless another call drives, or is about to create, another run of the instance.

        What acts on all that the session holds of an instance would act on that run as well.
        Returns whether it was done.
        """
        with self._lock:
            is_alone = self._runs[instance_id].keys() == {run_id}
            if is_alone:
                act()
            return is_alone

    def give_back(self, instance_id: InstanceId, disown: Callable[[], None]) -> None:
        """Give an instance back to the store unless a call drives it, which will do that."""
        with self._lock:
            if instance_id not in self._runs:
                disown()

    def _settle(self, instance_id: InstanceId) -> None:
        disown = self._owed.pop(instance_id, None)
        if disown is not None:
            disown()
