"""W11: submitting on PostgreSQL, one by one and many together; nobody works on them.

One by one the limit is one statement in one round trip. Many are compared with a number.
"""

from __future__ import annotations

import itertools

import psycopg
from guests import guests
from measure import Result, Settings, Target, seconds, take_turns
from pg_raw import submit_one
from pool import sides
from pool_child import PAYLOAD
from pool_flows import FLOWS

from sayiir_pytest.postgres_server import PostgresServer

_SINGLE = 500
_MANY = 10_000
_MOST_MICROS = 1e6 / 30_000


def w11(settings: Settings) -> list[Result]:
    """Measure both."""
    single, many = settings.size(_SINGLE), settings.size(_MANY)
    numbers = itertools.count()
    with (
        PostgresServer(fsync=True, settings={"shared_buffers": "512MB"}) as server,
        sides(server, "w11") as made,
        psycopg.connect(made["limit"].dsn, autocommit=True, prepare_threshold=1) as raw,
    ):
        client = made["ours"].client

        def ours() -> None:
            for _ in range(single):
                client.submit(FLOWS["sync"], f"i{next(numbers)}", 1)

        def limit() -> None:
            for _ in range(single):
                submit_one(raw, f"i{next(numbers)}", PAYLOAD)

        singly = {
            "ours": lambda: seconds(ours) / single * 1e6,
            "limit": lambda: seconds(limit) / single * 1e6,
        }
        together = {
            name: lambda side=side: seconds(lambda: side.fill("sync", many)) / many * 1e6
            for name, side in made.items()
        }
        with guests(settings, "w11", server, count=single) as peers:
            one = take_turns(settings.repeats, singly, peers)
            singly_notes = peers.notes
        with guests(settings, "w11-many", server, count=many) as peers:
            all_ = take_turns(settings.repeats, together, peers)
    return [
        Result(
            workload="W11",
            what="submit",
            unit="µs",
            times=one,
            target=Target(of="limit", at_most=1 / 0.8),
            notes=singly_notes,
        ),
        Result(
            workload="W11",
            what="submit_many",
            unit="µs",
            times=all_,
            target=Target(of="itself", at_most=_MOST_MICROS),
            notes=peers.notes,
        ),
    ]
