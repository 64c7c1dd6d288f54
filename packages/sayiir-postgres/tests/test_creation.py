"""Creating runs in bulk, and from several places at once."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sayiir_core.ids import RunId
from sayiir_core.ports.instances import Created, NewInstance
from sayiir_postgres import PostgresBackend
from sayiir_postgres.statements import Statements
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig

IDS = 40


class Counted(Statements):
    """Statements that note which of them are used."""

    __slots__ = ("names",)

    def __init__(self, texts: dict[str, bytes]) -> None:
        super().__init__(texts)
        self.names: list[str] = []

    def __getitem__(self, name: str) -> bytes:
        self.names.append(name)
        return super().__getitem__(name)


@pytest.fixture
def rig(place: tuple[str, str]) -> Iterator[Rig]:
    """Give a store that reports every conflict, instead of trying again."""
    dsn, schema = place
    clock = VirtualClock()

    def make() -> PostgresBackend:
        backend = PostgresBackend(dsn, schema=schema, clock=clock)
        backend._database._conflict_delays = ()
        return backend

    rig = Rig(make, clock)
    yield rig
    rig.close()


@pytest.mark.parametrize("number", [1, 2, 1000])
def test_runs_of_a_known_queue_are_created_by_one_statement(rig: Rig, number: int) -> None:
    """Pay one round trip for one run, and one for a thousand."""
    rig.create(rig.new())
    database = rig.backend._database
    database.statements = Counted({name: database.statements[name] for name in database.statements})

    answers = rig.backend.instances.create([rig.new() for _ in range(number)])

    assert 1 == len(database.statements.names)
    assert [Created] * number == [type(answer) for answer in answers]


def test_a_batch_of_many_kinds_is_stored_as_it_was_answered(rig: Rig) -> None:
    """Mix definitions, owners, groups, priorities, labels and traces in any order."""
    other, owners = rig.define(), [None, rig.session(), rig.session()]
    batch = [
        rig.new(
            definition=[rig.definition, other][it % 2],
            owner=owners[it % 3],
            group=["", "a", "a,b"][it % 5 % 3],
            priority=1 + it % 4,
            node=it % 3,
            value=bytes([it]),
            labels={"it": str(it)} if it % 2 else None,
            trace_parent=f"00-{it}" if it % 3 else None,
        )
        for it in range(60)
    ]
    random.Random(1).shuffle(batch)

    answers = rig.backend.instances.create(batch)

    for new, answer in zip(batch, answers, strict=True):
        assert isinstance(answer, Created)
        stored = rig.load(new.instance_id)
        (cursor,) = stored.cursors.values()
        assert (stored.header, stored.cursors) == (answer.head.header, answer.head.cursors)
        assert (new.owner, new.labels, new.trace_parent, new.identity) == (
            stored.header.owner,
            stored.header.labels,
            stored.header.trace_parent,
            stored.header.identity,
        )
        assert (new.node, new.group, new.priority) == (cursor.node, cursor.group, cursor.priority)
        assert (new.owner is None) == (answer.claim is None)


@pytest.mark.parametrize("replacing", ["never", "sometimes", "always"])
def test_overlapping_batches_never_deadlock(rig: Rig, replacing: str) -> None:
    """Create the same ids from four places in different orders; each id has one run at the end."""
    rig.create(rig.new())
    stem = rig.name()
    chances = {"never": 0.0, "sometimes": 0.3, "always": 1.0}

    def create(number: int) -> list[tuple[NewInstance, object]]:
        backend, dice = rig.other(), random.Random(number)
        done: list[tuple[NewInstance, object]] = []
        for _ in range(8):
            ids = dice.sample([f"{stem}-{it}" for it in range(IDS)], IDS * 3 // 4)
            batch = [rig.new(it, replace=dice.random() < chances[replacing]) for it in ids]
            done += zip(batch, backend.instances.create(batch), strict=True)
        return done

    with ThreadPoolExecutor(4) as pool:
        answered = [pair for done in pool.map(create, range(4)) for pair in done]

    created: dict[str, set[RunId]] = {}
    for new, answer in answered:
        if isinstance(answer, Created):
            created.setdefault(new.instance_id, set()).add(new.run_id)
    heads = {it: rig.load(it) for it in created}
    assert IDS == len(heads)
    assert all(heads[it].header.run_id in runs for it, runs in created.items())
    assert {1} == {len(head.cursors) for head in heads.values()}
    if replacing == "never":
        assert Counter({1: IDS}) == Counter(len(runs) for runs in created.values())
