"""Facts become events later, on a sink's thread, in order, once, and never without bound."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from sayiir_core.ids import SessionId
from sayiir_core.ports.telemetry import ALL_EVENTS, Event, LeaseLost, LeaseRenewed
from sayiir_runtime.telemetry import drafts as drafts_module
from sayiir_runtime.telemetry.outlet import Outlet

AT = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_SECONDS = 20.0


class Collecting:
    """A sink that keeps the names of sessions."""

    def __init__(self, kinds: frozenset[type] = ALL_EVENTS) -> None:
        self.kinds = kinds
        self.names: list[str] = []

    def receive(self, events: Sequence[Event]) -> None:
        """Keep a batch."""
        self.names += [it.session for it in events if isinstance(it, LeaseLost)]

    def close(self) -> None:
        """Do nothing."""


class Telling:
    """Make events of names, and note in which threads."""

    def __init__(self) -> None:
        self.threads: set[threading.Thread] = set()
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, *names: str) -> list[Event]:
        """Return an event for each name."""
        assert self.go_on.wait(PATIENCE_SECONDS)
        self.threads.add(threading.current_thread())
        return [lost(name) for name in names]


def lost(name: str) -> Event:
    """Return an event."""
    return LeaseLost(AT, SessionId(name))


def test_what_is_told_at_once_stays_behind_what_is_told_later() -> None:
    """Sinks get events in the order in which they happened."""
    sink, tell = Collecting(), Telling()
    outlet = Outlet([sink])
    tell.go_on.clear()
    for number in range(0, 200, 4):
        outlet.later(tell, str(number), str(number + 1))
        outlet.emit(lost(str(number + 2)))
        outlet.emit(lost(str(number + 3)))
    tell.go_on.set()

    assert outlet.flush(PATIENCE_SECONDS)

    assert [str(number) for number in range(200)] == sink.names
    outlet.close()


def test_events_are_made_without_being_asked_for_and_not_by_whoever_caused_them() -> None:
    """Though the only sink that is there takes none of them."""
    tell, told = Telling(), threading.Event()
    outlet = Outlet([Collecting(frozenset({LeaseRenewed}))])

    def last() -> list[Event]:
        told.set()
        return []

    outlet.later(tell, "a")
    outlet.later(last)

    assert told.wait(PATIENCE_SECONDS)
    assert threading.current_thread() not in tell.threads
    outlet.close()


def test_when_sinks_do_not_keep_up_whoever_adds_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So facts, which hold the outputs of tasks, do not heap up, and no event is lost."""
    monkeypatch.setattr(drafts_module, "MOST_DRAFTS", 10)
    # No thread writes: what is looked at is what this one does.
    monkeypatch.setattr(drafts_module.Drafts, "write", lambda *_: None)
    sink, tell = Collecting(), Telling()
    outlet = Outlet([sink])
    most = 0
    for number in range(100):
        outlet.later(tell, str(number))
        most = max(most, len(outlet._drafts))

    assert 10 == most
    assert outlet.flush(PATIENCE_SECONDS)
    assert [str(number) for number in range(100)] == sink.names
    outlet.close()


def test_facts_that_cannot_be_told_are_logged_and_harm_no_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A defect here is ours, and costs one event."""

    def defect() -> list[Event]:
        raise KeyError("ordinal")

    sink, tell = Collecting(), Telling()
    outlet = Outlet([sink])
    with caplog.at_level(logging.ERROR, "sayiir.telemetry"):
        outlet.later(tell, "a")
        outlet.later(defect)
        outlet.later(tell, "b")
        assert outlet.flush(PATIENCE_SECONDS)

    assert ["a", "b"] == sink.names
    assert ["an event could not be told"] == [record.message for record in caplog.records]
    outlet.close()


def test_a_forked_child_tells_only_facts_of_its_own() -> None:
    """What the parent had noted, the parent tells."""
    sink, tell = Collecting(), Telling()
    outlet = Outlet([sink])
    tell.go_on.clear()
    outlet.later(tell, "parent")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        outlet.later(Telling(), "child")
        outlet.flush(PATIENCE_SECONDS)
        os.write(writing, " ".join(sink.names).encode())
        os._exit(0)
    os.waitpid(child, 0)
    tell.go_on.set()

    assert outlet.flush(PATIENCE_SECONDS)

    assert b"child" == os.read(reading, 20)
    assert ["parent"] == sink.names
    outlet.close()


def test_nothing_is_lost_when_several_threads_are_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One begins; another one, which comes while it does, must not begin again."""
    begin = drafts_module.Drafts.begin

    def slow_begin(self: drafts_module.Drafts) -> None:
        time.sleep(0.05)
        begin(self)

    sink, tell = Collecting(), Telling()
    outlet = Outlet([sink])
    monkeypatch.setattr(outlet, "_pid", 0)
    monkeypatch.setattr(drafts_module.Drafts, "begin", slow_begin)

    def first(number: int) -> None:
        time.sleep(number * 0.02)
        outlet.later(tell, str(number))

    threads = [threading.Thread(target=first, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outlet.flush(PATIENCE_SECONDS)
    assert ["0", "1", "2", "3", "4"] == sorted(sink.names)
    outlet.close()
