"""What ties every store to one meaning: equality with the model over generated histories."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from sayiir_core.snapshot.effect import Checkpoint, Effect, Retry, Start
from sayiir_pytest.conformance.drawing import GROUPS, LANES, NAMES, Drawing
from sayiir_pytest.conformance.machine import StoreMachine
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed, move, step, succeeded
from sayiir_pytest.conformance.suite import Conformance
from sayiir_pytest.conformance.twin import Twin


class EquivalenceConformance(Conformance):
    """Compare a backend with the model, which is built on the core functions alone.

    ``examples`` is the number of generated batches, ``histories`` that of generated histories of
    ``calls`` calls each.
    """

    examples: int = 100
    histories: int = 60
    calls: int = 30

    def test_a_batch_equals_its_checkpoints_one_by_one(self, rig: Rig) -> None:
        """Answer and store for a random batch what the model does for its parts in order."""

        @_quietly(self.examples)
        @given(st.data())
        def compare(data: st.DataObject) -> None:
            twin = Twin(rig, self.aging_interval)
            try:
                drawing = Drawing(twin, data)
                _prepare(twin, drawing, data)
                twin.commit(drawing.batch())
                twin.check()
            finally:
                twin.close()

        compare()

    def test_arrivals_in_batches_equal_arrivals_one_by_one(self, rig: Rig) -> None:
        """Count every branch of nested forks once, whichever arrive in one batch."""

        @_quietly(self.examples)
        @given(st.data())
        def compare(data: st.DataObject) -> None:
            twin = Twin(rig, self.aging_interval)
            try:
                drawing = Drawing(twin, data)
                session = twin.register()
                owner = session if data.draw(st.booleans()) else None
                for _ in range(2):
                    twin.create(rig.new(definition=twin.definition, owner=owner))
                    twin.claim(session, GROUPS, 100)
                    twin.commit([drawing.fork()])
                twin.claim(session, GROUPS, 100)
                twin.commit([drawing.fork()])
                while any(cursor.scope for _, cursor in twin.model.held()):
                    twin.commit(drawing.arrivals())
                    twin.check()
                    twin.claim(session, GROUPS, 100)
            finally:
                twin.close()

        compare()

    def test_any_history_of_calls_leads_to_what_the_model_holds(self, rig: Rig) -> None:
        """Answer and store the same after each of many calls of every port."""
        interval = self.aging_interval

        class Machine(StoreMachine):
            def __init__(self) -> None:
                super().__init__(rig, interval)

        run_state_machine_as_test(
            Machine, settings=settings(_quietly(self.histories), stateful_step_count=self.calls)
        )

    def test_the_commonest_checkpoints_mean_what_the_model_says(self, rig: Rig) -> None:
        """Compare steps, retries and starts, kept or not, singly and grouped, under a hold too."""
        twin = Twin(rig, self.aging_interval)
        at = rig.clock.now() + timedelta(seconds=2)
        commonest: list[tuple[Effect, ...]] = [
            step(0),
            (succeeded(0, output=b""), move(0, turns=(1,), group="g", priority=1)),
            (failed(0), Retry(at)),
            (Start(),),
        ]
        session = twin.register()
        for effects in commonest:
            for keep in (True, False):
                for held in (False, True):
                    for _ in range(3):
                        twin.create(rig.new(definition=twin.definition))
                    twin.claim(session, GROUPS, 100)
                    hands = [
                        (head, cursor)
                        for head, cursor in twin.model.held()
                        if cursor.seq == 0 and cursor.fence == 1
                    ]
                    if held:
                        twin.request("pause", hands[0][0].header.instance_id)
                    batch = [
                        Checkpoint(twin.model.lease(head, cursor), 0, effects, keep)
                        for head, cursor in hands
                    ]
                    twin.commit(batch[:1])
                    twin.commit(batch)
                    twin.check()
        twin.close()


def _prepare(twin: Twin, drawing: Drawing, data: st.DataObject) -> None:
    """Bring up to three runs into a random state, with some cursors held by sessions."""
    first, second = twin.register(GROUPS), twin.register(data.draw(st.sampled_from(LANES)))
    for number in range(data.draw(st.integers(1, 3))):
        owner = data.draw(st.sampled_from([None, None, first]))
        twin.create(twin.rig.new(definition=twin.definition, owner=owner))
        if number == 0:
            instance_id = next(iter(twin.model.heads))
            for name in data.draw(st.lists(st.sampled_from(NAMES), max_size=2)):
                twin.send(instance_id, name)
    for _ in range(data.draw(st.integers(0, 6))):
        twin.claim(data.draw(st.sampled_from([first, second])), GROUPS, 5)
        twin.commit(drawing.batch())
        twin.rig.clock.advance(data.draw(st.integers(0, 3)))
    for session in (first, second):
        twin.claim(session, GROUPS, 4)
    for instance_id in list(twin.model.heads):
        operation = data.draw(st.sampled_from([None] * 6 + ["pause", "cancel"]))
        if operation is not None:
            twin.request(operation, instance_id)


def _quietly(examples: int) -> settings:
    return settings(
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
