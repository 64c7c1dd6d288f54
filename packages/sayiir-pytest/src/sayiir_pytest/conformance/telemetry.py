"""What every telemetry sink and every tracer must do, as pytest base classes.

Subclass one, implement ``make_sink`` or ``make_tracer``, and pytest runs the suite.
"""

from __future__ import annotations

import threading
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints

import pytest

from sayiir_core.ids import Index, InstanceId, RunId, SessionId, WorkflowId
from sayiir_core.ports.telemetry import (
    ALL_EVENTS,
    Event,
    NodePlace,
    RunPlace,
    TaskCall,
    TelemetrySink,
    Tracer,
)

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_RUN = RunPlace(WorkflowId("order"), InstanceId("order-17"), RunId("r-1"))
_NODE = NodePlace(_RUN, "fork_0/charge", (2,))


def sample_events() -> list[Event]:
    """Return one event of each kind of the vocabulary; what may be None is None in a second one."""
    events: list[Event] = []
    for kind in get_args(Event):
        hints = get_type_hints(kind)
        names = [field.name for field in fields(kind)]
        events.append(kind(**{name: _sample(hints[name]) for name in names}))
        if any(type(None) in get_args(hints[name]) for name in names):
            events.append(kind(**{name: _sample(hints[name], least=True) for name in names}))
    return events


def _sample(hint: Any, *, least: bool = False) -> Any:
    options = [it for it in get_args(hint) if it is not type(None)]
    if type(None) in get_args(hint):
        return None if least else _sample(options[0])
    known: dict[Any, Any] = {
        datetime: _AT,
        timedelta: timedelta(milliseconds=3),
        RunPlace: _RUN,
        NodePlace: _NODE,
        bool: True,
        int: 3,
        float: 0.5,
        str: "text",
        SessionId: SessionId("s-1"),
        InstanceId: _RUN.instance_id,
        WorkflowId: _RUN.workflow_id,
        Index: _NODE.turns,
    }
    # What is left are words: the first member of an enumeration.
    return known[hint] if hint in known else next(iter(hint))


class TelemetrySinkConformance:
    """Take whatever the vocabulary has, and end in good order."""

    def make_sink(self) -> TelemetrySink:
        """Return a sink, whose receiver need not be there."""
        raise NotImplementedError

    @pytest.fixture
    def sink(self) -> TelemetrySink:
        """Give the sink under test."""
        return self.make_sink()

    def test_it_says_which_events_it_takes(self, sink: TelemetrySink) -> None:
        """Kinds of the vocabulary, and the same whenever it is asked."""
        kinds = sink.kinds

        assert kinds <= ALL_EVENTS
        assert kinds == sink.kinds
        sink.close()

    def test_it_takes_every_kind_of_event(self, sink: TelemetrySink) -> None:
        """Together and one by one; it skips what it does not know."""
        events = sample_events()

        sink.receive(events)
        for event in events:
            sink.receive([event])

        sink.close()

    def test_it_takes_events_on_a_thread_of_its_own(self, sink: TelemetrySink) -> None:
        """The outlet calls it from one thread, and closes it from another."""
        raised: list[BaseException] = []

        def receive() -> None:
            try:
                sink.receive(sample_events())
            except BaseException as error:  # noqa: BLE001 - judged by the test's own thread
                raised.append(error)

        thread = threading.Thread(target=receive)
        thread.start()
        thread.join()

        sink.close()
        assert raised == []

    def test_a_sink_that_took_nothing_can_be_closed(self, sink: TelemetrySink) -> None:
        """A program may end before anything has happened."""
        sink.close()


class TracerConformance:
    """Open and close spans without ever being in the way."""

    def make_tracer(self) -> Tracer:
        """Return a tracer, whose receiver need not be there."""
        raise NotImplementedError

    @pytest.fixture
    def tracer(self) -> Tracer:
        """Give the tracer under test."""
        return self.make_tracer()

    @pytest.mark.parametrize(
        "stored",
        [None, "", "no trace at all", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"],
        ids=["none", "empty", "nonsense", "a trace"],
    )
    def test_any_stored_text_opens_a_span(self, tracer: Tracer, stored: str | None) -> None:
        """What is stored may be of an older release, or of another tracer."""
        call = TaskCall(_NODE, 1, stored)

        tracer.leave(tracer.enter(call), None)
        tracer.leave(tracer.enter(call), ValueError("bad"))

    def test_spans_nest_and_end_in_turn(self, tracer: Tracer) -> None:
        """A task may submit a run of its own."""
        outer = tracer.enter(TaskCall(_NODE, 1, None))
        inner, trace = tracer.submit([_RUN])
        tracer.leave(inner, None)
        tracer.leave(outer, None)

        assert trace is None or isinstance(trace, str)

    def test_what_submit_gives_is_what_enter_understands(self, tracer: Tracer) -> None:
        """In whatever process the run goes on, and however many runs were created at once."""
        token, trace = tracer.submit([_RUN, _RUN])
        tracer.leave(token, None)

        tracer.leave(tracer.enter(TaskCall(_NODE, 1, trace)), None)

    def test_a_run_may_rest_that_it_knows_nothing_of(self, tracer: Tracer) -> None:
        """Once or twice, and with nothing open."""
        tracer.rest(_RUN)
        tracer.rest(_RUN)
