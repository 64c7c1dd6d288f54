"""A worker beside a hundred thousand parked instances: as small as before, and they still wake."""

from __future__ import annotations

import itertools
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks.multiply import multiply
from sayiir import PostgresBackend, WorkflowClient, WorkflowStatus
from sayiir_core.ids import InstanceId
from tests.scale import worker as flows

PARKED = 100_000
WRITTEN = 4_000
"""So many are brought to rest by the worker itself; the others are copies of some of them."""

ROUND = 1_000
MOST_GROWTH = 4 * 2**20
"""What a process may grow by itself: 0.2 to 0.6 MiB were seen, 2.7 on a busy machine. One that kept a KiB
of each that it parked, or 420 bytes of each that is parked, would exceed it at either size."""

STATM = Path("/proc/self/statm")
PATIENCE_SECONDS = 120.0
BUSY = """
SELECT EXISTS (
    SELECT FROM sayiir.cursors WHERE session IS NOT NULL OR state IN ('ready', 'signalled')
)
"""


class Site:
    """A store with a client, and a worker that is watched from outside."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.backend = PostgresBackend(dsn)
        self.client = WorkflowClient(self.backend)
        self._numbers = itertools.count()
        command = [sys.executable, "-m", "tests.scale.worker", dsn]
        root = Path(__file__).parents[2]
        self._worker = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
        )
        assert self._worker.stdout is not None
        assert "ready\n" == self._worker.stdout.readline()

    def run(self, count: int = ROUND) -> None:
        """Have the worker run instances from the queue."""
        self.submit(flows.chain(), count)
        self.rest()

    def submit(self, flow: object, count: int) -> list[str]:
        """Submit instances; return their ids."""
        ids = [f"instance-{next(self._numbers)}" for _ in range(count)]
        self.client.submit_many(flow, [(id_, 1) for id_ in ids])
        return ids

    def rest(self) -> None:
        """Wait until nothing is to be claimed or is held."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            until = time.monotonic() + PATIENCE_SECONDS
            while connection.execute(BUSY).fetchall() != [(False,)]:
                assert time.monotonic() < until
                time.sleep(0.05)

    def resident(self) -> int:
        """Return how many bytes of memory the worker has."""
        text = Path(f"/proc/{self._worker.pid}/statm").read_text()
        return int(text.split()[1]) * resource.getpagesize()

    def close(self) -> None:
        """End the worker and close the store."""
        self._worker.communicate(timeout=60)
        self.backend.close()


@pytest.fixture
def site(postgres_database: str) -> Iterator[Site]:
    """Give a store of its own with a worker process."""
    made = Site(postgres_database)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="the memory of a process is read as Linux tells it")
def test_a_worker_does_not_grow_with_what_is_parked(site: Site, size: Callable[[int], int]) -> None:
    """Neither while it brings instances to rest, nor beside them, nor while it works there."""
    for _ in range(4):
        site.run()
    before = site.resident()

    parked = [
        id_
        for flow in (flows.waiting(), flows.delayed())
        for id_ in site.submit(flow, WRITTEN // 2)
    ]
    site.rest()
    after_parking = site.resident()
    multiply(site.dsn, parked[::4], times=4 * (size(PARKED) - len(parked)) // len(parked))
    site.run()
    site.run()
    beside = site.resident()

    assert after_parking - before < MOST_GROWTH
    assert beside - before < MOST_GROWTH


@pytest.mark.slow
def test_a_copy_is_what_the_code_writes(site: Site, size: Callable[[int], int]) -> None:
    """Read alike but for ids and instants, and go on when the signal comes."""
    ids = site.submit(flows.waiting(), 10) + site.submit(flows.delayed(), 10)
    site.rest()

    multiply(site.dsn, ids, times=size(2_000))

    for id_ in (ids[0], ids[-1]):
        assert described(site, id_) == described(site, f"{id_}-copy-7")
    site.client.send_signal(f"{ids[0]}-copy-7", "go", 1)
    site.rest()
    woken, asleep = (site.client.status(f"{ids[0]}-copy-{n}") for n in (7, 8))
    assert (True, 2) == (woken.is_completed(), woken.output)
    assert asleep.is_awaiting_signal()


def described(site: Site, id_: str) -> tuple[object, ...]:
    """Return what is known of an instance, without its ids and instants."""
    head = site.backend.instances.load(InstanceId(id_))
    assert head is not None
    (cursor,) = head.cursors.values()
    facts = {name: getattr(cursor, name) for name in type(cursor).__slots__}
    status: WorkflowStatus = site.client.status(id_)
    return (head.header.identity, facts | {"available_at": None}, status.status)
