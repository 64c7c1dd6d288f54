"""In virtual time, bodies run where the clock is: in the process of the test."""

from __future__ import annotations

import os

from sayiir import Flow
from sayiir_pytest.engine import Engine
from sayiir_pytest.fleet import Expected, Fleet
from sayiir_pytest.recovery import prove_recovery
from tests.executor import bodies


def test_the_engine_runs_a_body_itself(sayiir_engine: Engine) -> None:
    """With stubs and spies as ever; whoever tests in virtual time tests no processes."""
    workflow = Flow("f").then(bodies.where).then(bodies.where_later).build()
    spy = sayiir_engine.spy(bodies.where)

    assert os.getpid() == sayiir_engine.run(workflow, 1).output
    assert 1 == len(spy.calls)


def test_a_simulated_fleet_runs_a_body_itself() -> None:
    """On its one thread, whatever happens to its processes."""
    workflow = Flow("f").then(bodies.where).build()
    fleet = Fleet(1, workers=2)
    fleet.submit(workflow, 1, Expected(status="completed", output=os.getpid()))

    assert 1 == fleet.run().ends["completed"]


def test_a_proof_of_recovery_runs_a_body_itself() -> None:
    """Where it can be killed at every boundary."""
    workflow = Flow("f").then(bodies.add_one).then(bodies.add_one, name="again").build()

    report = prove_recovery(workflow, 1)

    assert report.ok, report
