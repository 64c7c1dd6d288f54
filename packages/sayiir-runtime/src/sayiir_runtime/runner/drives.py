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
        self._runs: dict[InstanceId, set[RunId]] = {}

    def enter(self, instance_id: InstanceId, run_id: RunId) -> bool:
        """Note that this call drives the run; False if another call does already."""
        with self._lock:
            runs = self._runs.setdefault(instance_id, set())
            if run_id in runs:
                return False
            runs.add(run_id)
            return True

    def leave(
        self, instance_id: InstanceId, run_id: RunId, disown: Callable[[], None] | None = None
    ) -> None:
        """Note that this call drives the run no longer.

        ``disown`` gives the instance back to the store. It is skipped if another call drives a
        later run of the instance, whose ownership it would end; and none begins meanwhile.
        """
        with self._lock:
            runs = self._runs[instance_id]
            runs.discard(run_id)
            if runs:
                return
            del self._runs[instance_id]
            if disown is not None:
                disown()
