"""Where a run stands, for the calls that name it without its instance."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeVar

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.backend import Backend
from tests.prototypes.sharded.shard import Shard, Shards

T = TypeVar("T")

_MOST: Final = 100_000


class RunPlaces:
    """Remember in which shard each run stands that has passed by, the latest ones."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._places: OrderedDict[RunId, Shard] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, instance_id: InstanceId, run_id: RunId) -> None:
        """Remember a run."""
        shard = self._shards.of(instance_id)
        with self._lock:
            self._places[run_id] = shard
            self._places.move_to_end(run_id)
            if len(self._places) > _MOST:
                self._places.popitem(last=False)

    def ask(self, run_id: RunId, do: Callable[[Backend], T], is_found: Callable[[T], bool]) -> T:
        """Ask the shard of a run; if that is unknown ask one after the other until one knows it.

        What no shard knows is absent only if every shard has answered: else raises ``BackendError``.
        """
        known = self._places.get(run_id)
        if known is not None:
            return known.call(do)
        outage: BackendError | None = None
        for shard in self._shards.all:
            try:
                answer = self._shards.ask(shard, do)
            except BackendError as error:
                outage = error
                continue
            if is_found(answer):
                with self._lock:
                    self._places[run_id] = shard
                return answer
        if outage is not None:
            raise outage
        return answer
