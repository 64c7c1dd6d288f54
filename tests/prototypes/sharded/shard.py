"""One of several stores, and what is known of it: whether it answers, and what it is owed.

How this works: a call of one shard's instance goes to that shard, and fails with it. A call that
concerns all shards goes on without the ones that do not answer; what they miss and must not miss is
*owed*, and made up for before the next call that reaches them. So whatever is owed must be repeatable.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId
from sayiir_core.ports.backend import Backend

logger = logging.getLogger("sayiir.sharded")

T = TypeVar("T")
K = TypeVar("K")
Call = Callable[[Backend], T]

_PAUSE_SECONDS: Final = 0.5
_LONGEST_SECONDS: Final = 5.0


class Shard:
    """One store under a name that is part of where instances stand: it must never change."""

    def __init__(self, name: str, backend: Backend) -> None:
        self.name = name
        self.backend = backend
        self.trouble: BackendError | None = None
        self._pause = _PAUSE_SECONDS
        self._until = 0.0
        self._owed: deque[Call[object]] = deque()
        self._paying = threading.Lock()
        self._pid = os.getpid()

    @property
    def is_down(self) -> bool:
        """Tell whether it has just failed to answer, so that only who must asks it now."""
        return time.monotonic() < self._until

    def call(self, do: Call[T]) -> T:
        """Make a call, behind all that is owed; raises what it raises, and remembers an outage."""
        try:
            if self._owed:
                self._pay()
            answer = do(self.backend)
        except BackendError as error:
            if error.transient:
                self._note(error)
            raise
        if self.trouble is not None:
            self.trouble, self._pause = None, _PAUSE_SECONDS
        return answer

    def owe(self, do: Call[object]) -> None:
        """Make this call before the next one that reaches the shard."""
        self._owed.append(do)

    def _pay(self) -> None:
        with self._paying:
            if self._pid != os.getpid():
                # What the parent owes is the parent's to pay, under its sessions.
                self._owed, self._pid = deque(), os.getpid()
            while self._owed:
                try:
                    self._owed[0](self.backend)
                except BackendError as error:
                    if error.transient:
                        raise
                    logger.warning("shard %s refuses what it was owed: %s", self.name, error)
                self._owed.popleft()

    def _note(self, error: BackendError) -> None:
        if self.trouble is None:
            logger.warning("shard %s does not answer; others go on: %s", self.name, error)
        self.trouble = error
        self._until = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_SECONDS)


class Shards:
    """All shards, with the rule that says where an instance stands."""

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        """Take each store under its name; raises ``ValueError`` if there is none."""
        if not backends:
            raise ValueError("a sharded backend needs at least one shard")
        self.all = [Shard(name, backend) for name, backend in sorted(backends.items())]

    def of(self, instance_id: InstanceId) -> Shard:
        """Return the shard of an instance: the one whose hash with the id is the highest.

        Rendezvous hashing (Thaler and Ravishankar, 1998): of N + 1 shards a new one takes one
        instance in N + 1, and no other instance moves.
        """
        if len(self.all) == 1:
            return self.all[0]
        key = instance_id.encode()
        return max(
            self.all,
            key=lambda shard: hashlib.blake2b(
                key, digest_size=8, key=shard.name.encode()[:64]
            ).digest(),
        )

    def split(self, items: Iterable[K], of: Callable[[K], InstanceId]) -> dict[Shard, list[int]]:
        """Return the positions of the items of each shard, in their order."""
        places: dict[Shard, list[int]] = {}
        for position, item in enumerate(items):
            places.setdefault(self.of(of(item)), []).append(position)
        return places

    def each(self, do: Call[T], *, owed: bool = False) -> dict[Shard, T]:
        """Call all that answer; raises the last outage if none does.

        ``owed``: those that do not answer are owed the call.
        """
        answers: dict[Shard, T] = {}
        missing: list[Shard] = []
        for shard in self.all:
            try:
                answers[shard] = self.ask(shard, do)
            except BackendError as error:
                if not error.transient:
                    raise
                missing.append(shard)
        if not answers:
            raise self.outage()
        if owed:
            for shard in missing:
                shard.owe(do)
        return answers

    def up_to(self, limit: int, do: Callable[[Backend, int], int]) -> int:
        """Let shard after shard do what is left of ``limit``; return how much they did together."""
        done = 0
        for shard in self.all:
            if done < limit:
                left = limit - done
                done += shard.call(lambda backend, left=left: do(backend, left))
        return done

    def ask(self, shard: Shard, do: Call[T]) -> T:
        """Call a shard unless it has just failed to answer: then repeat why, without waiting."""
        if shard.is_down and shard.trouble is not None:
            raise shard.trouble
        return shard.call(do)

    def all_down(self) -> bool:
        """Tell whether no shard answers."""
        return all(shard.is_down for shard in self.all)

    def outage(self) -> BackendError:
        """Return why no shard answers."""
        texts = [f"shard {shard.name}: {shard.trouble}" for shard in self.all]
        return BackendError(f"no shard answers: {'; '.join(texts)}", transient=True)
