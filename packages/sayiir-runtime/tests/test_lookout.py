"""The lookout tells what is no longer wanted, and ends when there is nothing to watch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId, RunId, RunKey
from sayiir_runtime.runner.lookout import Lookout, Watch

RUN = RunKey(InstanceId("i"), RunId("r"))
INTERVAL = 0.002


@dataclass
class Body:
    """What a driver is in."""

    position: int = 0
    is_set: bool = False


def until(condition: Callable[[], bool], what: str) -> None:
    """Poll a condition, at most ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(INTERVAL)


def watch_of(body: Body, is_wanted: Callable[[RunKey], bool]) -> Watch:
    watch = Watch(RUN, is_wanted)
    watch.inline = body
    return watch


def test_a_body_that_nobody_wants_any_more_is_told_at_the_second_look() -> None:
    """One that was not there at the last look may be quick, and costs no question."""
    asked: list[RunKey] = []
    body = Body()
    watch = watch_of(body, lambda run: bool(asked.append(run)))

    watch.look()
    first = (body.is_set, len(asked))
    watch.look()

    assert (False, 0) == first
    assert (True, [RUN]) == (body.is_set, asked)


def test_the_next_body_of_the_same_chain_is_another_body() -> None:
    """A chain of quick bodies is asked for as little as each of them."""
    asked: list[RunKey] = []
    body = Body()
    watch = watch_of(body, lambda run: bool(asked.append(run)))

    for position in range(5):
        body.position = position
        watch.look()

    assert not asked


def test_a_store_that_cannot_be_asked_tells_nothing() -> None:
    """The thread goes on, and asks again."""

    def fail(_: RunKey) -> bool:
        raise BackendError("the store is down")

    body = Body()
    watch = watch_of(body, fail)

    watch.look()
    watch.look()

    assert not body.is_set


def test_drives_that_come_and_go_are_all_watched() -> None:
    """Whether a thread is just ending or there is none yet, a drive that begins finds one."""
    lookout = Lookout(INTERVAL)

    for number in range(50):
        body = Body()
        watch = watch_of(body, lambda _: False)
        lookout.begin(watch)
        until(lambda body=body: body.is_set, f"drive {number} is not watched")  # type: ignore[misc]
        lookout.end(watch)
        time.sleep(INTERVAL * (number % 3))

    until(lambda: lookout._thread is None, "the thread does not end")
