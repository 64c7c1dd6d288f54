"""What a worker holds: in which order its bodies start, and what it knows after an answer."""

from __future__ import annotations

import random
from datetime import timedelta
from time import monotonic

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_core.ids import SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.serving import Serving

SESSION = SessionId("s" * 32)
PRIORITIES = (5, 3, 1, 4, 2)


def with_priority(priority):
    return Flow(f"p{priority}").then(task("t", priority=priority)(lambda value: value)).build()


@pytest.fixture
def make_desk(backend):
    """Give a function that makes a desk that serves workflows, under a registered session."""

    def make(*workflows, concurrency):
        serving = Serving(workflows, default_codec())
        for program in serving.programs.values():
            backend.definitions.save(program.definition)
        lanes = tuple(sorted(serving.lanes))
        session = NewSession(
            session_id=SESSION, worker_id="w", ttl=timedelta(seconds=30), lanes=lanes
        )
        backend.sessions.register(session)
        return Desk(
            serving,
            concurrency=concurrency,
            aging_interval=backend.claims.aging_interval,
            clock=backend.now,
            monotonic=monotonic,
        )

    return make


def test_what_was_claimed_together_starts_by_priority(make_desk, backend, client):
    """In whatever order it came, and with what comes later put in between."""
    workflows = [with_priority(priority) for priority in PRIORITIES]
    desk = make_desk(*workflows, concurrency=2)
    for number in range(2):
        for workflow in workflows:
            client.submit(workflow, f"{workflow.workflow_id}-{number}", 1)
    claims = backend.claims.claim(SESSION, 1, desk.serving.lanes, 10)
    random.Random(7).shuffle(claims)

    desk.admit(claims[:6], 6)
    first = [desk.take(is_async=False).priority for _ in range(2)]
    full = desk.take(is_async=False)
    desk.admit(claims[6:], 4)

    assert sorted(claim.cursor.priority for claim in claims[:6])[:2] == first
    assert full is None
    assert 10 == len(desk.leases())
    assert 0 == desk.quota()
