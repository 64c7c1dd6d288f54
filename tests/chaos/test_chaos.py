"""Everything ends right although processes, connections and the server are broken in turn."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sayiir_pytest.postgres_server import PostgresServer

SECONDS = float(os.environ.get("SAYIIR_CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("SAYIIR_CHAOS_SEED", "1"))


@pytest.mark.timeout(SECONDS + 240)
def test_nothing_is_lost_and_nothing_is_recorded_twice(
    server: PostgresServer, chaos: ModuleType, plans: ModuleType, tmp_path: Path
) -> None:
    run = chaos.Chaos(server, tmp_path, plans, seed=SEED, instances=max(200, int(SECONDS * 8)))

    outcome = run.run(SECONDS)

    sys.stdout.write(f"\n{outcome}\n")
    assert outcome.wrong == []
    assert sum(outcome.ends.values()) == outcome.instances
    assert outcome.recorded_twice == 0
    assert outcome.kills > 0
    assert (
        outcome.kills + outcome.restarts + outcome.cuts + outcome.stalls + outcome.freezes
        >= SECONDS / 2
    )
    # A body is cut short only with its process, and a process runs 16 at once.
    assert outcome.repeated <= 16 * outcome.kills
    assert outcome.bodies > outcome.instances
    assert outcome.reports == 3
