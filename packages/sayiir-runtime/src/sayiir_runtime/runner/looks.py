"""What tasks look at that take ``Lazy`` inputs, kept for the next one that looks at the same.

How this works: a value of a run never changes once it is stored. So what was read of it, and that
its bytes are sound, is kept under the run and the reference, for the branches of a fork and for
attempts that follow. What was not looked at for longest is forgotten when there is too much.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from sayiir_core.ids import RunId
from sayiir_core.snapshot.reference import Leaf
from sayiir_runtime.codec.opened import Opened

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_PAYLOADS: Final = 1000


class Looks:
    """Opened payloads by run and reference, the last that was looked at last."""

    def __init__(self, *, most_bytes: int = MOST_BYTES, most_payloads: int = MOST_PAYLOADS) -> None:
        self._lock = threading.Lock()
        self._opened: OrderedDict[tuple[RunId, Leaf], Opened] = OrderedDict()
        self._bytes = 0
        self._most_bytes = most_bytes
        self._most_payloads = most_payloads

    def get(self, run_id: RunId, leaf: Leaf) -> Opened | None:
        """Return what was kept, None if nothing was."""
        with self._lock:
            found = self._opened.get((run_id, leaf))
            if found is not None:
                self._opened.move_to_end((run_id, leaf))
            return found

    def keep(self, run_id: RunId, leaf: Leaf, opened: Opened) -> Opened:
        """Keep an opened payload, and forget what is too much.

        Returns the one that all shall use: that of whoever was first.
        """
        size = len(opened.payload)
        if size > self._most_bytes:
            return opened
        with self._lock:
            known = self._opened.get((run_id, leaf))
            if known is not None:
                return known
            self._bytes += size
            self._opened[run_id, leaf] = opened
            while self._bytes > self._most_bytes or len(self._opened) > self._most_payloads:
                _, old = self._opened.popitem(last=False)
                self._bytes -= len(old.payload)
        return opened
