"""Listing runs, reading headers and expiring signals: by an index, however much is stored."""

import string
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from sayiir_core.ids import InstanceId
from sayiir_core.ports.instances import InstanceQuery
from sayiir_core.snapshot.effect import Fail
from sayiir_core.snapshot.head import InstanceState
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_postgres import PostgresBackend
from sayiir_postgres.instances import select_parameters
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed, give_up

RUNS = 1500
PAGE = 20


@pytest.fixture
def rig(place: tuple[str, str]) -> Iterator[Rig]:
    """Give an empty store."""
    dsn, schema = place
    clock = VirtualClock()
    rig = Rig(lambda: PostgresBackend(dsn, schema=schema, clock=clock), clock)
    yield rig
    rig.close()


@pytest.fixture(params=[False, True], ids=["unanalysed", "analysed"])
def full(rig: Rig, place: tuple[str, str], request: pytest.FixtureRequest) -> Rig:
    """Give a store with many runs, of which few have failed, and with many signals."""
    for _ in range(3):
        rig.backend.instances.create([rig.new() for _ in range(RUNS // 3)])
    for hand in rig.take_all(rig.session())[:10]:
        hand.must(*give_up())
    for number in range(50):
        rig.backend.signals.send(InstanceId(f"nobody-{number}"), "go", b"")
    if request.param:
        with psycopg.connect(place[0], autocommit=True) as connection:
            for table in ("instances", "definitions", "signals"):
                connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(place[1], table)))
    return rig


class Plan:
    """What the server did: the nodes of the plan, and how many pages were visited."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.pages = root["Shared Hit Blocks"] + root["Shared Read Blocks"]
        self.nodes = list(walk(root))

    @property
    def types(self) -> set[str]:
        """Return the types of the nodes."""
        return {node["Node Type"] for node in self.nodes}

    @property
    def indexes(self) -> set[str]:
        """Return the indexes that were used."""
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    def scans_whole(self, table: str) -> bool:
        """Tell whether a whole table was read."""
        return any(
            node["Node Type"] == "Seq Scan" and node["Relation Name"] == table
            for node in self.nodes
        )


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Visit a node and all below it."""
    yield node
    for child in node.get("Plans", ()):
        yield from walk(child)


def explain(rig: Rig, name: str, parameters: dict[str, Any]) -> Plan:
    """Execute a statement and return its plan."""
    text = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + rig.backend._database.statements[name]
    ((found,),) = rig.backend._database.run(
        lambda it: it.execute(text, parameters, prepare=False).fetchall()
    )
    return Plan(found[0]["Plan"])


def listing(rig: Rig, **conditions: Any) -> Plan:
    """Return the plan of one page of a listing."""
    query = InstanceQuery(limit=PAGE, **conditions)
    return explain(rig, "select_instances", select_parameters(query))


def test_a_page_is_a_walk_along_the_index_from_where_the_last_one_ended(full: Rig) -> None:
    """Sort nothing, and visit no more for the last page than for the first."""
    half = full.backend.instances.select(InstanceQuery(limit=RUNS // 2))

    for plan in (listing(full), listing(full, after=half.next)):
        assert "instances_number_key" in plan.indexes
        assert "Sort" not in plan.types
        # A page may hold one row of the listing, and each looks up its definition.
        assert plan.pages < 10 * PAGE


@pytest.mark.parametrize(
    "conditions",
    [{"state": InstanceState.FAILED}, {"error_contains": "BAD"}, {"error_contains": "no such"}],
    ids=str,
)
def test_what_failed_is_found_without_a_look_at_the_rest(full: Rig, conditions: Any) -> None:
    """Walk along the index of the failed runs alone."""
    plan = listing(full, **conditions)

    assert {"instances_failed"} == {name for name in plan.indexes if name.startswith("instances")}
    assert plan.pages < 10 * PAGE


@pytest.mark.parametrize(
    "conditions",
    [
        {"workflow_id": "unknown"},
        {"labels": {"env": "prod"}},
        {"id_prefix": "nobody"},
        {"state": InstanceState.PAUSED},
    ],
    ids=str,
)
def test_no_condition_makes_the_server_read_the_whole_table(full: Rig, conditions: Any) -> None:
    """Leave the order, or the choice, to an index under every condition."""
    plan = listing(full, **conditions)

    assert not plan.scans_whole("instances")


def test_headers_are_read_by_their_ids(full: Rig) -> None:
    """Look each one up in the key, a thousand in one statement."""
    page = full.backend.instances.select(InstanceQuery(limit=1000))
    ids = [header.instance_id for header in page.headers]

    plan = explain(full, "load_headers", {"instance_ids": ids[:10]})
    headers = full.backend.instances.headers([*ids, InstanceId("nobody"), ids[0]])

    assert "instances_pkey" in plan.indexes
    assert [*page.headers, None, page.headers[0]] == headers


def test_expired_signals_are_found_by_their_age(full: Rig) -> None:
    """Visit no signal that is young enough."""
    old = full.clock.now() - timedelta(seconds=1)

    plan = explain(full, "expired_signals", {"received_before": old, "limit": 10})

    assert "signals_received" in plan.indexes
    assert plan.pages < 10


def test_an_error_is_sought_character_by_character(rig: Rig) -> None:
    """Take no character for a pattern, and every letter in any case, whatever the locale."""
    odd = [*string.punctuation, " ", "\t", "\n", "ä", "\u03c3", "ß", "é", "悪", "\U0001f600"]
    runs = {}
    for text in odd:
        hand = rig.start()
        error = ErrorRecord(path="a", type="E", message=f"<{text}x{text}>", traceback=None)
        hand.must(failed(0, error=error), Fail(error))
        runs[text] = hand.instance_id

    for text, instance_id in runs.items():
        upper = text.upper() if len(text.upper()) == 1 else text
        query = InstanceQuery(error_contains=f": <{upper}X{text}>")
        found = rig.backend.instances.select(query).headers
        assert [instance_id] == [header.instance_id for header in found]
    everything = rig.backend.instances.select(InstanceQuery(error_contains=""))
    assert len(odd) == len(everything.headers)
