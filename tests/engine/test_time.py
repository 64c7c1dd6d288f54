"""Time in the engine is virtual, and whatever spends real time in a task is told."""

from __future__ import annotations

import asyncio
import itertools
import math
import threading
import time
import warnings
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import pytest

from sayiir import Flow, get_task_context, task
from sayiir_pytest.clock import START
from sayiir_pytest.engine import Engine, EngineStuckError, SayiirSleepWarning
from tests.engine.shop import track

QUICK = 30.0
"""Seconds of real time in which a test of hours must be over, on a busy machine too."""


def test_asyncio_sleep_takes_virtual_time_only(sayiir_engine: Engine) -> None:
    """An hour in a task is an hour of the clock, and no warning."""
    began, real = sayiir_engine.clock.now(), monotonic()

    parcel = sayiir_engine.run(Flow[int, str]("parcel").then(track).build(), 7)

    assert "parcel 7 arrived" == parcel.output
    assert 3600 == (sayiir_engine.clock.now() - began).total_seconds()
    assert monotonic() - real < QUICK


def test_coroutines_of_two_branches_sleep_side_by_side(sayiir_engine: Engine) -> None:
    """Two hours next to one are two hours."""

    async def one(_: int) -> int:
        await asyncio.sleep(3600)
        return 1

    async def two(_: int) -> int:
        await asyncio.gather(asyncio.sleep(7200), asyncio.sleep(3600))
        return 2

    flow = Flow[int, int]("side").fork().branch(one).branch(two).join(lambda v: v, name="join")
    began = sayiir_engine.clock.now()

    assert {"one": 1, "two": 2} == sayiir_engine.run(flow.build(), 0).output
    assert 7200 == (sayiir_engine.clock.now() - began).total_seconds()


def test_an_async_task_is_cancelled_at_its_timeout_in_virtual_time(sayiir_engine: Engine) -> None:
    """It sees the cancellation, and the attempt is recorded as timed out at the limit."""
    seen: list[str] = []

    @task(timeout="10s")
    async def slow(_: int) -> int:
        try:
            await asyncio.sleep(86_400)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return 1

    run = sayiir_engine.run(Flow[int, int]("slow").then(slow).build(), 0)

    assert ("failed", ["cancelled"]) == (run.status, seen)
    assert "TaskTimeoutError" in str(run.error)
    assert 10 == pytest.approx((sayiir_engine.clock.now() - START).total_seconds(), abs=1e-5)


def test_a_real_sleep_in_a_task_warns_and_counts_for_its_timeout(sayiir_engine: Engine) -> None:
    """Under whatever name it was imported; the text names the task, the call and the remedy."""

    @task(timeout=0.01)
    def by_module(_: int) -> int:
        time.sleep(0.02)
        return 1

    def by_name(_: int) -> int:
        sleep(0.003)
        return 2

    with pytest.warns(SayiirSleepWarning, match=r"'by_module' .* time\.sleep\(0\.02\); .*takes="):
        late = sayiir_engine.run(Flow[int, int]("module").then(by_module).build(), 0)
    with pytest.warns(SayiirSleepWarning, match=r"'by_name' .* sleeps"):
        done = sayiir_engine.run(Flow[int, int]("name").then(by_name).build(), 0)

    assert "TaskTimeoutError" in str(late.error)
    assert 2 == done.output
    assert 0.023 == pytest.approx((sayiir_engine.clock.now() - START).total_seconds(), abs=1e-4)


def test_a_stand_in_that_sleeps_is_told_as_well(sayiir_engine: Engine) -> None:
    """Though its module is not that of the task."""
    flow = Flow[float, float]("rounding").then(math.floor).build()
    sayiir_engine.stub(math.floor, lambda _: sleep(0.001) or 7)

    with pytest.warns(SayiirSleepWarning, match=r"'floor' .* time\.sleep\(0\.001\)"):
        assert 7 == sayiir_engine.run(flow, 1.5).output


def test_a_long_body_learns_that_its_instance_was_cancelled(sayiir_engine: Engine) -> None:
    """Through its context, as on a real worker."""
    seen: list[int] = []

    async def poll(_: int) -> int:
        for minute in range(60):
            await asyncio.sleep(60)
            context = get_task_context()
            if context is not None and context.cancelled:
                seen.append(minute)
                break
        return 1

    flow = Flow[int, int]("poll").then(poll).build()
    sayiir_engine.serve(flow)
    sayiir_engine.client.submit(flow, "p", 0)
    sayiir_engine.advance(630)
    polling = sayiir_engine.instance("p")

    polling.cancel()
    sayiir_engine.advance("1h")

    assert ("cancelled", 1) == (polling.status, len(seen))
    assert 10 <= seen[0] <= 11
    assert "completed" not in str(polling.history)


def test_the_guard_is_gone_when_nothing_is_driven_and_spares_other_threads(
    sayiir_engine: Engine,
) -> None:
    """``time.sleep`` is itself again, and was for everybody else."""
    original, aliased = time.sleep, sleep
    seen: list[object] = []

    def look(_: int) -> int:
        thread = threading.Thread(target=lambda: (time.sleep(0.001), seen.append("slept")))
        thread.start()
        thread.join()
        seen.append(time.sleep is original)
        return 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 1 == sayiir_engine.run(Flow[int, int]("look").then(look).build(), 0).output

    assert ["slept", False] == seen
    assert (original, aliased) == (time.sleep, sleep)


def test_the_engine_itself_never_sleeps(
    sayiir_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weeks of delays, back-offs and deadlines, without one call that waits."""
    ours, slept = threading.get_ident(), list[str]()

    def noting(original: Callable[..., Any], name: str) -> Callable[..., Any]:
        def wait(*arguments: Any, **options: Any) -> Any:
            if threading.get_ident() == ours:
                slept.append(name)
            return original(*arguments, **options)

        return wait

    monkeypatch.setattr(time, "sleep", noting(time.sleep, "sleep"))
    for waiting in (threading.Condition, threading.Event):
        monkeypatch.setattr(waiting, "wait", noting(waiting.wait, waiting.__name__))
    flow = Flow[int, int]("weeks").delay("a", "7d").wait_for_signal("s", timeout="7d", on_timeout=1)

    assert 1 == sayiir_engine.run(flow.build(), 0).output
    assert [] == slept


def test_time_goes_its_real_pace_while_something_real_is_awaited(sayiir_engine: Engine) -> None:
    """A call in a thread is waited for, and the timeout around it does not fire too early."""

    async def compute(_: int) -> int:
        return await asyncio.wait_for(asyncio.to_thread(lambda: sleep(0.05) or 42), 30)

    run = sayiir_engine.run(Flow[int, int]("thread").then(compute).build(), 0)

    assert 42 == run.output
    assert (sayiir_engine.clock.now() - START).total_seconds() < QUICK


def test_a_long_real_wait_of_an_async_task_is_told_once(sayiir_engine: Engine) -> None:
    """Waiting for more than a second is no unit test; the warning names the task."""

    async def compute(_: int) -> int:
        await asyncio.to_thread(sleep, 1.3)
        return 1

    with pytest.warns(SayiirSleepWarning, match=r"\d\.\d s of real time .* task compute") as caught:
        sayiir_engine.run(Flow[int, int]("real").then(compute).build(), 0)

    assert 1 == len(caught)


def test_a_timer_that_is_years_ahead_fires(sayiir_engine: Engine) -> None:
    """Where a nanosecond is less than what a float of seconds can tell apart."""

    async def hibernate(x: int) -> int:
        await asyncio.sleep(360 * 86_400)
        return x + 1

    flow = Flow[int, int]("years")
    for number in range(5):
        flow = flow.then(hibernate, name=f"year-{number}")

    assert 5 == sayiir_engine.run(flow.build(), 0).output
    assert 1800 == (sayiir_engine.clock.now() - START).days


def test_an_idle_thread_of_an_executor_costs_nothing(sayiir_engine: Engine) -> None:
    """After one call in a thread, a hundred sleeps take no longer than before."""

    async def compute(_: int) -> int:
        total = await asyncio.to_thread(lambda: 1)
        for _ in range(100):
            await asyncio.sleep(60)
        return total

    real = monotonic()

    assert 1 == sayiir_engine.run(Flow[int, int]("idle").then(compute).build(), 0).output
    assert monotonic() - real < QUICK


def test_what_a_thread_of_the_task_answers_is_waited_for(sayiir_engine: Engine) -> None:
    """As libraries with threads of their own do; the timeout does not fire before the answer."""

    @task(timeout="10s")
    async def ask(x: int) -> int:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()

        def compute() -> None:
            sleep(0.01)
            loop.call_soon_threadsafe(answer.set_result, x + 1)

        threading.Thread(target=compute, daemon=True).start()
        return await answer

    run = sayiir_engine.run(Flow[int, int]("asking").then(ask).build(), 1)

    assert 2 == run.output


def test_a_task_that_goes_on_for_ever_is_an_error(sayiir_engine: Engine) -> None:
    """After a year in which nothing else happens."""

    async def serve(_: int) -> int:
        for day in itertools.count(1):
            await asyncio.sleep(86_400 * day)
        return 0

    with pytest.raises(EngineStuckError, match=r"'serve' has run for 366 days of virtual time"):
        sayiir_engine.run(Flow[int, int]("for-ever").then(serve).build(), 0)


def test_what_nothing_will_ever_wake_is_an_error_and_no_hang(sayiir_engine: Engine) -> None:
    """A task that awaits an event that nobody sets."""

    async def forever(_: int) -> int:
        await asyncio.Event().wait()
        return 1

    with pytest.raises(EngineStuckError, match=r"'forever' has run for 366 days of virtual time"):
        sayiir_engine.run(Flow[int, int]("stuck").then(forever).build(), 0)


def test_a_body_goes_on_over_several_calls_of_the_engine(sayiir_engine: Engine) -> None:
    """An hour of sleep in steps of twenty minutes."""
    flow = Flow[int, str]("parcel").then(track).build()
    sayiir_engine.serve(flow)
    sayiir_engine.client.submit(flow, "p", 1)

    sayiir_engine.advance("20m")
    parcel = sayiir_engine.instance("p")
    parcel.assert_started(track)
    assert "in_progress" == parcel.status
    sayiir_engine.advance("39m")
    assert "in_progress" == parcel.status
    sayiir_engine.advance("1m")
    assert "parcel 1 arrived" == parcel.output
