"""Events reach sinks in order and in batches, and a bad sink harms nobody."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from sayiir_core.ids import SessionId
from sayiir_core.ports.telemetry import ALL_EVENTS, Event, EventsDropped, LeaseLost
from sayiir_runtime.telemetry import outlet as outlet_module
from sayiir_runtime.telemetry.outlet import Outlet

AT = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_SECONDS = 20.0


def event(number: int) -> Event:
    """Return an event that can be told from others."""
    return LeaseLost(AT, SessionId(str(number)))


class Collecting:
    """A sink that keeps what it takes, once it is let."""

    kinds = ALL_EVENTS

    def __init__(self) -> None:
        self.batches: list[list[Event]] = []
        self.threads: set[str] = set()
        self.go_on = threading.Event()
        self.go_on.set()
        self.is_closed = False

    def receive(self, events: Sequence[Event]) -> None:
        """Keep a batch."""
        assert self.go_on.wait(PATIENCE_SECONDS)
        self.threads.add(threading.current_thread().name)
        self.batches.append(list(events))

    def close(self) -> None:
        """Note it."""
        self.is_closed = True

    @property
    def events(self) -> list[Event]:
        """Return everything."""
        return [each for batch in self.batches for each in batch]


class Failing:
    """A sink that always raises."""

    kinds = ALL_EVENTS

    def receive(self, events: Sequence[Event]) -> None:
        """Raise."""
        raise ValueError(f"cannot take {len(events)}")

    def close(self) -> None:
        """Raise."""
        raise ValueError("cannot close")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_events_arrive_in_order_and_together_on_a_thread_of_the_sink() -> None:
    sink = Collecting()
    sink.go_on.clear()
    outlet = Outlet([sink])
    for number in range(100):
        outlet.emit(event(number))
    sink.go_on.set()

    assert outlet.flush(PATIENCE_SECONDS)

    assert [event(number) for number in range(100)] == sink.events
    assert len(sink.batches) < 10
    assert {"sayiir-telemetry-Collecting"} == sink.threads
    outlet.close()


def test_nothing_is_started_before_the_first_event() -> None:
    before = set(threading.enumerate())
    outlet = Outlet([Collecting()])
    assert before >= set(threading.enumerate())
    outlet.close()


def test_a_sink_that_raises_is_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    good = Collecting()
    outlet = Outlet([Failing(), good])
    with caplog.at_level(logging.WARNING, "sayiir.telemetry"):
        for number in range(3):
            outlet.emit(event(number))
            assert outlet.flush(PATIENCE_SECONDS)

    failing, _ = outlet.report()
    assert 3 == failing.failures
    assert failing.trouble is not None
    assert failing.trouble.startswith("ValueError: cannot take")
    assert 1 == len(caplog.records)
    assert [event(number) for number in range(3)] == good.events
    outlet.close()


def test_a_sink_that_hangs_loses_events_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outlet_module, "MOST_EVENTS", 10)
    hanging, good = Collecting(), Collecting()
    hanging.go_on.clear()
    outlet = Outlet([hanging, good])
    for number in range(200):
        outlet.emit(event(number))
        if number % 5 == 0:
            until(lambda: outlet.report()[1].waiting == 0)

    lost, fine = outlet.report()
    assert lost.dropped > 150
    assert 0 == fine.dropped
    assert not outlet.flush(0.01)
    hanging.go_on.set()
    assert outlet.flush(PATIENCE_SECONDS)
    told = [it.count for it in hanging.events if isinstance(it, EventsDropped)]
    dropped = outlet.report()[0].dropped
    assert [dropped] == told
    assert 200 == len(hanging.events) - 1 + dropped
    outlet.close()


def test_closing_passes_on_what_was_taken_and_drops_the_rest() -> None:
    sink = Collecting()
    outlet = Outlet([sink])
    outlet.emit(event(1))

    outlet.close(PATIENCE_SECONDS)
    outlet.close()
    outlet.emit(event(2))

    assert [event(1)] == sink.events
    assert sink.is_closed
    assert 1 == outlet.report()[0].dropped


def test_a_forked_child_tells_only_what_is_its_own() -> None:
    sink = Collecting()
    outlet = Outlet([sink])
    sink.go_on.clear()
    outlet.emit(event(1))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # The lock of the sink may be held by a thread that is not here; so use a fresh one.
        sink.go_on = threading.Event()
        sink.go_on.set()
        sink.batches = []
        outlet.emit(event(2))
        outlet.flush(PATIENCE_SECONDS)
        os.write(writing, str([event(2)] == sink.events).encode())
        os._exit(0)
    os.waitpid(child, 0)
    sink.go_on.set()

    assert outlet.flush(PATIENCE_SECONDS)

    assert b"True" == os.read(reading, 10)
    assert [event(1)] == sink.events
    outlet.close()


def test_what_waits_when_a_program_ends_is_passed_on() -> None:
    """Though nobody has closed the backend."""
    program = """
import sys
from datetime import UTC, datetime
from sayiir_core.ports.telemetry import ALL_EVENTS, LeaseLost
from sayiir_runtime.telemetry import Outlet
class Printing:
    kinds = ALL_EVENTS
    def receive(self, events):
        print(*(event.session for event in events), flush=True)
    def close(self):
        pass
outlet = Outlet([Printing()])
for number in range(3):
    outlet.emit(LeaseLost(datetime.now(UTC), str(number)))
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ["0", "1", "2"] == done.stdout.split()
