"""What a store of requests must do: take effect at once on queued and parked work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sayiir_core.errors import InstanceNotFoundError, InstanceStateError
from sayiir_core.ids import InstanceId
from sayiir_core.ports.control import ControlStore
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_pytest.conformance.control_holds import CancelCases, PauseCases, RetryCases
from sayiir_pytest.conformance.instance_select import make_states
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.suite import Conformance, require_durable

REQUESTS: dict[str, Callable[[ControlStore, InstanceId], Head]] = {
    "cancel": lambda control, it: control.cancel(it, reason="why", by="who"),
    "pause": lambda control, it: control.pause(it, reason="why", by="who"),
    "unpause": lambda control, it: control.unpause(it),
    "retry": lambda control, it: control.retry(it),
}

ALLOWED: dict[tuple[str, InstanceState], InstanceState] = {
    ("cancel", InstanceState.RUNNING): InstanceState.CANCELLED,
    ("cancel", InstanceState.PAUSED): InstanceState.CANCELLED,
    ("cancel", InstanceState.CANCELLED): InstanceState.CANCELLED,
    ("pause", InstanceState.RUNNING): InstanceState.PAUSED,
    ("pause", InstanceState.PAUSED): InstanceState.PAUSED,
    ("unpause", InstanceState.PAUSED): InstanceState.RUNNING,
    ("retry", InstanceState.FAILED): InstanceState.RUNNING,
}
"""Where a request leads; whatever is missing here is refused."""


class RequestCases(Conformance):
    """Test which request is allowed when, and what it answers."""

    @pytest.mark.parametrize("state", list(InstanceState))
    @pytest.mark.parametrize("request_", list(REQUESTS))
    def test_a_request_is_obeyed_or_refused_by_the_state(
        self, rig: Rig, request_: str, state: InstanceState
    ) -> None:
        """Answer the head as it is afterwards, or raise and change nothing."""
        instance_id = make_states(rig)[state]
        before = rig.load(instance_id)
        following = ALLOWED.get((request_, state))

        if following is None:
            with pytest.raises(InstanceStateError) as caught:
                REQUESTS[request_](rig.backend.control, instance_id)
            assert (instance_id, request_) == (caught.value.instance_id, caught.value.operation)
            following, answered = state, before
        else:
            answered = REQUESTS[request_](rig.backend.control, instance_id)

        stored = rig.load(instance_id)
        assert following is stored.header.state
        assert (stored.header, stored.cursors) == (answered.header, answered.cursors)

    @pytest.mark.parametrize("request_", list(REQUESTS))
    def test_a_request_to_an_unknown_instance_is_an_error(self, rig: Rig, request_: str) -> None:
        """Raise ``InstanceNotFoundError`` with the id."""
        with pytest.raises(InstanceNotFoundError) as caught:
            REQUESTS[request_](rig.backend.control, InstanceId("no-such-instance"))

        assert "no-such-instance" == caught.value.instance_id

    @pytest.mark.parametrize("request_", ["cancel", "pause"])
    def test_a_repeated_request_keeps_the_first_reason(self, rig: Rig, request_: str) -> None:
        """Change nothing at the second request of one kind."""
        hand = rig.start()
        control = rig.backend.control
        ask = {"cancel": control.cancel, "pause": control.pause}[request_]
        ask(hand.instance_id, reason="first · ö", by=None)
        before = rig.load(hand.instance_id)
        rig.clock.advance(1)

        ask(hand.instance_id, reason="second", by="other")

        after = rig.load(hand.instance_id)
        assert ("first · ö", None) == (after.header.reason, after.header.requested_by)
        assert (before.header, before.cursors) == (after.header, after.cursors)

    def test_a_cancel_outlives_a_pause(self, rig: Rig) -> None:
        """Cancel a paused instance, with the reason of the cancel."""
        hand = rig.start()
        rig.backend.control.pause(hand.instance_id, reason="pause", by="p")

        rig.backend.control.cancel(hand.instance_id, reason="cancel", by=None)

        header = rig.load(hand.instance_id).header
        assert (InstanceState.CANCELLED, "cancel", None) == (
            header.state,
            header.reason,
            header.requested_by,
        )

    def test_requests_survive_the_process(self, rig: Rig) -> None:
        """Find a pause and a cancel after the backend was opened anew."""
        require_durable(rig.backend.capabilities)
        states = make_states(rig)

        rig.reopen()

        assert list(states) == [rig.load(it).header.state for it in states.values()]


class ControlConformance(RequestCases, CancelCases, PauseCases, RetryCases):
    """Test a ``ControlStore``."""
