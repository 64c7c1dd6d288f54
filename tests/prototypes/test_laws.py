"""The laws hold over two shards: each run is a matter of one, and pools work off both."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.process import World
from sayiir_sqlite import SQLiteBackend
from tests.laws import test_control_laws, test_laws, test_pool_laws
from tests.laws.pool import PoolWorld
from tests.prototypes.sharded import ShardedBackend

test_law_1 = test_laws.test_law_1_every_store_gives_what_the_plan_says
test_laws_1_to_3 = test_laws.test_laws_1_to_3_hold_for_a_crash_at_every_boundary
test_a_pause = test_control_laws.test_a_pause_at_any_boundary_loses_nothing
test_law_1_of_pools = test_pool_laws.test_law_1_any_number_of_workers_gives_what_the_plan_says


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder, in memory where the machine has such a place: what is tested is no disk."""
    shm = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def two_files(folder: Path, clock: VirtualClock | None) -> ShardedBackend:
    """Return two files as one store."""
    return ShardedBackend(
        {
            name: SQLiteBackend(str(folder / name), synchronous="NORMAL", clock=clock)
            for name in ("north", "south")
        }
    )


@pytest.fixture(params=["sharded"])
def world(folder: Path) -> Iterator[World]:
    """Give two shards with a clock that stands still."""
    world = World(lambda clock: two_files(folder, clock))
    yield world
    world.store.close()


@pytest.fixture(params=["sharded"])
def pool(folder: Path) -> Iterator[PoolWorld]:
    """Give two shards on the real clock."""
    world = PoolWorld(lambda: two_files(folder, None))
    yield world
    world.close()
