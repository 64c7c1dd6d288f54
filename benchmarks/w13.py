"""W13: what a worker keeps in memory for each instance that it holds.

Instances are submitted to PostgreSQL and held ready by a worker's desk, as between a claim and a
body. What Python has allocated for them is counted after a collection; the number does not depend
on how busy the machine is.
"""

from __future__ import annotations

import gc
import tracemalloc
import uuid
from datetime import timedelta
from time import monotonic

from measure import Result, Settings, Target
from pool import Ours
from pool_flows import FLOWS

from sayiir_core.ids import SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_pytest.postgres_server import PostgresServer
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.serving import Serving

_HELD = 1_000


def w13(settings: Settings) -> list[Result]:
    """Measure a thousand held instances."""
    with PostgresServer() as server:
        side = Ours(server.dsn)
        try:
            kibs = [_measured(side) for _ in range(min(3, settings.repeats))]
        finally:
            side.close()
    target = Target(of="itself", at_most=8.0)
    times = {"ours": kibs}
    return [Result(workload="W13", what="held instance", unit="KiB", times=times, target=target)]


def _measured(side: Ours) -> float:
    serving = Serving([FLOWS["sync"]], default_codec())
    side.fill("sync", _HELD)
    session = SessionId(str(uuid.uuid4()))
    lanes = tuple(sorted(serving.lanes))
    side.backend.sessions.register(
        NewSession(session_id=session, worker_id="holder", ttl=timedelta(hours=1), lanes=lanes)
    )
    desk = Desk(
        serving,
        concurrency=_HELD,
        aging_interval=side.backend.claims.aging_interval,
        clock=side.backend.now,
        monotonic=monotonic,
    )
    gc.collect()
    tracemalloc.start()
    try:
        desk.admit(side.backend.claims.claim(session, 1, lanes, _HELD), _HELD)
        gc.collect()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(desk.leases()) == _HELD
    return used / _HELD / 1024
