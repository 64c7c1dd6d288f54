"""W11: submitting on PostgreSQL, one by one and many together; nobody works on them.

One by one the limit is one statement in one round trip. Many are compared with a number.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from guests import guests
from measure import Result, Settings, Side, Target, seconds, take_turns
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
    with (
        PostgresServer(fsync=True, settings={"shared_buffers": "512MB"}) as server,
        submitting(server, single, many) as (singly, together),
    ):
        with guests(settings, "w11", server, count=single) as peers:
            one = take_turns(settings.repeats, singly, peers)
        with guests(settings, "w11-many", server, count=many) as bulk:
            all_ = take_turns(settings.repeats, together, bulk)
    return [
        Result(
            workload="W11",
            what="submit",
            unit="µs",
            times=one,
            target=Target(of="limit", at_most=1 / 0.8),
            notes=peers.notes,
        ),
        Result(
            workload="W11",
            what="submit_many",
            unit="µs",
            times=all_,
            target=Target(of="itself", at_most=_MOST_MICROS),
            notes=bulk.notes,
        ),
    ]


@contextmanager
def submitting(
    server: PostgresServer, single: int, many: int
) -> Generator[tuple[dict[str, Side], dict[str, Side]]]:
    """Give the sides of ``single`` submissions one by one, and of ``many`` together."""
    numbers = itertools.count()
    with (
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

        singly: dict[str, Side] = {
            "ours": lambda: seconds(ours) / single * 1e6,
            "limit": lambda: seconds(limit) / single * 1e6,
        }
        together: dict[str, Side] = {
            name: lambda side=side: seconds(lambda: side.fill("sync", many)) / many * 1e6
            for name, side in made.items()
        }
        yield singly, together
