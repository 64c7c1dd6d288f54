"""One worker process of a benchmark, ours or the raw limit, told by lines what to do.

Usage: pool_child.py ours|limit DSN

It says ``ready``, then reads: ``run FLOW...`` starts to work and says ``running``, ``stop`` ends that
and says ``stopped``. The end of its input ends it.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from typing import Any

from pg_bodies import RawBodies
from pg_raw import RawPool, pick_up
from pool_flows import FLOWS, STEPS

from sayiir import PooledWorker, PostgresBackend, WorkerHandle

PAYLOAD = b"SY\x01\x00\x00\x00\x00\x00123"
_BATCH = 300
_CONNECTIONS = 2


class Ours:
    """A worker with its defaults, but for a name of its own."""

    def __init__(self, dsn: str) -> None:
        self._backend = PostgresBackend(dsn)
        self._backend.open()
        self._worker: WorkerHandle | None = None

    def run(self, names: list[str]) -> None:
        """Start to work."""
        worker = PooledWorker(f"w{os.getpid()}", self._backend)
        self._worker = worker.start([FLOWS[name] for name in names])

    def stop(self) -> None:
        """Stop, and wait for the end."""
        if self._worker is not None:
            self._worker.shutdown()
            self._worker.join()


class Limit:
    """Two connections that take turns in keeping the server busy, each in its thread."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pools = [RawPool(dsn, STEPS, PAYLOAD, fresh=False) for _ in range(_CONNECTIONS)]
        self._threads: list[threading.Thread] = []

    def run(self, names: list[str]) -> None:
        """Run what there is, or wait for single instances if they announce themselves."""
        if names == ["announce"]:
            threading.Thread(target=pick_up, args=(self._dsn,), daemon=True).start()
            return
        if names[0].startswith("slow"):
            runs = [threading.Thread(target=RawBodies(self._pools, names[0]).run, daemon=True)]
            self._start(runs)
            return
        pools = [
            threading.Thread(target=pool.drain, args=(_BATCH,), daemon=True) for pool in self._pools
        ]
        self._start(pools)

    def _start(self, threads: list[threading.Thread]) -> None:
        self._threads = threads
        for thread in threads:
            thread.start()

    def stop(self) -> None:
        """Wait until nothing is left."""
        for thread in self._threads:
            thread.join()


def main() -> None:
    """Obey the parent."""
    kind, dsn = sys.argv[1:]
    side: Any = {"ours": Ours, "limit": Limit}[kind](dsn)
    gc.freeze()  # as `sayiir worker` does; the raw side gets it, too
    _say("ready")
    for line in sys.stdin:
        word, *names = line.split()
        if word == "run":
            side.run(names)
            _say("running")
        else:
            side.stop()
            _say("stopped")
    os._exit(0)


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
