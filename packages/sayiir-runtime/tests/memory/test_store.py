"""What the memory store promises beyond the ports: isolation, and cost without growth."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.errors import InstanceNotFoundError
from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.ports.instances import Created, NewInstance
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import COMMITTED, Claim
from sayiir_core.snapshot.effect import Checkpoint, Finish, Move, Record
from sayiir_core.snapshot.reference import INPUT, SignalRef, StepRef
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepStatus, Verdict
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.memory.step import fold, output_of, unfold

SESSION = SessionId("s")
ONE = InstanceId("one")
RUN = RunId("r1")


def begun() -> tuple[InMemoryBackend, Claim]:
    """Return a backend with one run that a session owns."""
    backend = InMemoryBackend()
    backend.sessions.register(
        NewSession(session_id=SESSION, worker_id="w", ttl=timedelta(seconds=30))
    )
    new = NewInstance(
        instance_id=ONE,
        run_id=RUN,
        identity=DefinitionIdentity("flow", "h"),
        policy_fingerprint="p",
        input=b"in",
        node=0,
        group="",
        priority=3,
        owner=SESSION,
        labels={"team": "red"},
    )
    (created,) = backend.instances.create([new])
    assert isinstance(created, Created)
    assert created.claim is not None
    return backend, created.claim


def step(claim: Claim, node: int) -> Checkpoint:
    """Return the commit of a step, and count it in the claim's copy."""
    record = StepRecord(node=node, turns=(), attempt=1, status=StepStatus.SUCCEEDED, output=b"out")
    move = Move(node + 1, (), StepRef(node), "", 3)
    checkpoint = Checkpoint(claim.lease, claim.cursor.seq, (Record(record), move))
    claim.cursor.seq += 1
    return checkpoint


def test_what_is_returned_shares_nothing_with_the_store() -> None:
    """Whoever changes an answer changes nothing else."""
    backend, claim = begun()
    backend.checkpoints.commit([step(claim, 0)])
    backend.signals.send(ONE, "go", b"")
    before = backend.instances.load(ONE)

    head = backend.instances.load(ONE)
    head.header.labels["team"] = "blue"
    head.cursors[claim.lease.key].node = 99
    head.inbox[0].name = "stop"
    head.cursors.clear()
    row = backend.results.step(RUN, 0, ())
    assert row is not None
    row.record.output = b"forged"
    claim.cursor.node = 77

    assert before == backend.instances.load(ONE)
    assert [b"out"] == backend.results.payloads(ONE, RUN, [StepRef(0)])


def test_a_record_that_its_writer_changes_later_stays_as_it_was() -> None:
    """The store keeps what was committed, not the object."""
    backend, claim = begun()
    checkpoint = step(claim, 0)
    assert [COMMITTED] == backend.checkpoints.commit([checkpoint])
    record = checkpoint.effects[0]
    assert isinstance(record, Record)

    record.step.output = b"forged"

    assert [b"out"] == backend.results.payloads(ONE, RUN, [StepRef(0)])


def test_a_finished_step_is_no_work_for_the_garbage_collector() -> None:
    """A long history adds no tracked objects, so that it slows no collection down."""
    backend, claim = begun()

    def tracked_after(steps: range) -> int:
        for node in steps:
            backend.checkpoints.commit([step(claim, node)])
        gc.collect()
        return len(gc.get_objects())

    early = tracked_after(range(10))
    late = tracked_after(range(10, 2010))

    assert late - early < 200


def test_a_replaced_run_leaves_nothing_behind() -> None:
    """Every index forgets it."""
    backend, claim = begun()
    backend.checkpoints.commit([step(claim, 0)])
    header = backend.instances.load(ONE).header
    new = NewInstance(
        instance_id=ONE,
        run_id=RunId("r2"),
        identity=header.identity,
        policy_fingerprint="p",
        input=b"in",
        node=0,
        group="",
        priority=3,
        replace=True,
    )

    backend.instances.create([new])

    store = backend._store
    assert [RunId("r2")] == list(store.run_of)
    assert 1 == len(store.runs) == len(store.by_number) == len(store.numbers)
    assert set() == store.sessions[SESSION].holds
    assert set() == store.sessions[SESSION].owns


def test_a_session_lists_no_run_that_has_ended() -> None:
    """A process that runs many instances under one session keeps none of them there."""
    backend, claim = begun()
    backend.checkpoints.commit([Checkpoint(claim.lease, claim.cursor.seq, (Finish(INPUT),))])

    session = backend._store.sessions[SESSION]

    assert set() == session.owns
    assert set() == session.holds


instants = st.none() | st.datetimes()
records = st.builds(
    StepRecord,
    node=st.integers(0, 9),
    turns=st.lists(st.integers(0, 9), max_size=2).map(tuple),
    attempt=st.integers(1, 9),
    status=st.sampled_from(StepStatus),
    output=st.none() | st.binary(max_size=4),
    source=st.none() | st.builds(StepRef, st.integers(0, 9)) | st.builds(SignalRef, st.just(1)),
    verdict=st.none() | st.sampled_from(Verdict),
    error=st.none() | st.builds(ErrorRecord, path=st.text(), type=st.text(), message=st.text()),
    started_at=instants,
    finished_at=instants,
)


@given(records, st.text(), st.integers(0, 9), st.integers(0, 9))
def test_a_record_returns_from_its_stored_form_unchanged(
    record: StepRecord, session: str, fence: int, seq: int
) -> None:
    """Status and verdict come back as members, and the output is that of a success only."""
    stored = fold(replace(record), SessionId(session), fence, seq)
    row = unfold(stored)

    assert (record, session, fence, seq) == (row.record, row.session, row.fence, row.seq)
    assert isinstance(row.record.status, StepStatus)
    assert row.record.verdict is None or isinstance(row.record.verdict, Verdict)
    succeeded = record.status is StepStatus.SUCCEEDED
    assert (record.output if succeeded else None) == output_of(stored)


def test_two_backends_share_nothing() -> None:
    """Each object is a store of its own, with no argument needed."""
    backend, _ = begun()

    other = InMemoryBackend()

    assert ONE == backend.instances.load(ONE).header.instance_id
    with pytest.raises(InstanceNotFoundError):
        other.instances.load(ONE)
