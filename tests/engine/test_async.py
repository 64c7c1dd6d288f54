"""On a running loop async tasks run there, and blocking calls never get in its way."""

from __future__ import annotations

import asyncio
import time
import warnings
from time import monotonic
from typing import Any

import pytest

from sayiir import Flow, InMemoryBackend, task
from sayiir_core.errors import InstanceNotFoundError, WorkflowError
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine import HANGS, Engine, SayiirSleepWarning, ok
from tests.engine.shop import ORDER, charge, order_flow, ship, track


@pytest.mark.sayiir(backend=["memory", "sqlite"])
def test_the_same_order_on_a_loop(sayiir_engine: Engine) -> None:
    """Each call that drives has an ``_async`` form."""

    async def test() -> None:
        sayiir_engine.stub(charge, raises=[OSError, ok("paid", takes="5s")])
        order = await sayiir_engine.start_async(order_flow(), ORDER)
        assert "cool-down" == order.parked_at
        order.pause()
        await sayiir_engine.advance_async("3d")
        await order.unpause_async()
        assert "approval" == order.parked_at
        await order.signal_async("approval", {"by": "Ada"})
        assert "shipped, approved by Ada" == order.output
        failed = await sayiir_engine.run_async(order_flow(), ORDER)
        assert "failed" == failed.status
        await failed.retry_async()
        assert "approval" == failed.parked_at

    asyncio.run(test())


def test_async_tasks_run_on_the_loop_of_the_test(sayiir_engine: Engine) -> None:
    """Where its clients and locks belong; others on that loop go on meanwhile."""
    turns: list[str] = []

    async def test() -> None:
        loop, lock = asyncio.get_running_loop(), asyncio.Lock()
        waits, opened = asyncio.Event(), asyncio.Event()

        async def use(_: int) -> bool:
            turns.append("task waits")
            waits.set()
            await opened.wait()
            async with lock:
                return asyncio.get_running_loop() is loop

        async def open_later() -> None:
            await waits.wait()
            turns.append("other opens")
            opened.set()

        flow = Flow[int, bool]("loop").then(use).build()
        run, _ = await asyncio.gather(sayiir_engine.run_async(flow, 0), open_later())
        assert run.output

    asyncio.run(test())
    assert ["task waits", "other opens"] == turns


def test_a_blocking_call_on_a_loop_works_for_plain_tasks_and_is_refused_for_async_ones(
    sayiir_engine: Engine,
) -> None:
    """The error comes before anything is stored or sent, and says what to await."""

    async def test() -> None:
        assert "cool-down" == sayiir_engine.start(order_flow(), ORDER).parked_at
        with pytest.raises(WorkflowError, match=r"await engine\.run_async\(…\)"):
            sayiir_engine.run(Flow[int, str]("parcel").then(track).build(), 1, "p")

    asyncio.run(test())
    assert ["order-1"] == [it.instance_id for it in sayiir_engine.client.list()]


def test_a_stub_that_takes_or_hangs_takes_no_real_time_on_a_loop(sayiir_engine: Engine) -> None:
    """Only coroutines that really run take real time there."""
    sayiir_engine.stub(track, raises=[HANGS, ok("arrived", takes="90m")])

    @task(timeout="2h", retries=1)
    async def never(_: int) -> str:
        raise AssertionError("stubbed")

    sayiir_engine.stub(never, raises=[HANGS, ok("late", takes="119m")])
    flow = Flow[int, str]("parcel").then(never).then(track).build()
    began = monotonic()

    run = asyncio.run(sayiir_engine.run_async(flow, 1))

    assert "TaskTimeoutError" in str(run.error)
    assert "late" == run.tasks[never].output
    assert monotonic() - began < 30.0


def test_asyncio_sleep_on_the_loop_of_the_test_is_real_and_warns(sayiir_engine: Engine) -> None:
    """Naming the task; the sleeps of the test itself are its own affair."""

    async def doze(_: int) -> int:
        await asyncio.sleep(0.002)
        return 1

    async def test() -> Any:
        run = sayiir_engine.run_async(Flow[int, int]("doze").then(doze).build(), 0)
        slept, _ = await asyncio.gather(run, asyncio.sleep(0.003))
        return slept.output

    with pytest.warns(SayiirSleepWarning, match=r"'doze' .* asyncio\.sleep\(0\.002\)") as caught:
        assert 1 == asyncio.run(test())

    assert 1 == len(caught)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(asyncio.sleep(0))


def test_a_body_that_hangs_on_the_loop_is_timed_out(sayiir_engine: Engine) -> None:
    """By its timeout, in real time: nobody can know what it waits for."""
    seen: list[str] = []

    @task(timeout=0.05)
    async def hang(_: int) -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return 1

    run = asyncio.run(sayiir_engine.run_async(Flow[int, int]("hang").then(hang).build(), 0))

    assert ("failed", ["cancelled"]) == (run.status, seen)
    assert "TaskTimeoutError" in str(run.error)


def test_an_async_form_without_an_asyncio_loop_says_what_to_call(sayiir_engine: Engine) -> None:
    """As in a test that trio runs; nothing has happened then."""
    order = sayiir_engine.start(order_flow(), ORDER)
    calls = [
        sayiir_engine.run_async(order_flow(), ORDER, "refused"),
        sayiir_engine.start_async(order_flow(), ORDER, "refused"),
        order.signal_async("approval", {"by": "Ada"}),
    ]

    for coroutine in calls:
        with pytest.raises(WorkflowError, match=r"asyncio loop; call the blocking form"):
            coroutine.send(None)

    with pytest.raises(InstanceNotFoundError):
        sayiir_engine.instance("refused")
    assert [] == order.signals


def test_two_drives_of_one_engine_at_once_are_refused(sayiir_engine: Engine) -> None:
    """What runs would otherwise be driven from two places."""

    async def pass_on(x: int) -> int:
        await asyncio.sleep(0)
        return x

    async def test() -> list[Any]:
        flow = Flow[int, int]("pass").then(pass_on).build()
        runs = [sayiir_engine.run_async(flow, number) for number in range(2)]
        return await asyncio.gather(*runs, return_exceptions=True)

    first, second = asyncio.run(test())

    assert 0 == first.output
    assert "await one after the other" in str(second)


def test_engines_that_drive_at_once_leave_the_sleeps_as_they_were(
    sayiir_clock: VirtualClock,
) -> None:
    """Whichever ends first; and each task is told of by the engine that drives it."""
    originals = time.sleep, asyncio.sleep

    def block() -> None:
        time.sleep(0.001)

    async def doze(number: int) -> int:
        await asyncio.sleep(0.001 + number / 100)
        block()
        return number

    async def test(number: int) -> float:
        clock = VirtualClock()
        with Engine(InMemoryBackend(clock=clock), clock) as engine:
            run = await engine.run_async(Flow[int, int]("doze").then(doze).build(), number)
            assert number == run.output
            return (clock.now() - sayiir_clock.now()).total_seconds()

    async def both() -> list[float]:
        return await asyncio.gather(test(0), test(3), test(1))

    with pytest.warns(SayiirSleepWarning) as caught:
        assert [0.001, 0.001, 0.001] == asyncio.run(both())

    assert 6 == len(caught)
    assert originals == (time.sleep, asyncio.sleep)


def test_engines_in_one_loop_do_not_disturb_each_other(sayiir_clock: VirtualClock) -> None:
    """Each has its own store, clock, stubs and history."""

    async def test(number: int) -> tuple[Any, Any]:
        clock = VirtualClock()
        with Engine(InMemoryBackend(clock=clock), clock) as engine:
            engine.stub(ship, returns=f"shipped by {number}")
            order = await engine.start_async(order_flow(), ORDER)
            for _ in range(number + 1):
                await engine.advance_async("1d")
                await asyncio.sleep(0)
            return order.parked_at, (clock.now() - sayiir_clock.now()).days

    async def all_tests() -> list[tuple[Any, Any]]:
        return await asyncio.gather(*(test(number) for number in range(3)))

    assert [("cool-down", 1), ("cool-down", 2), ("approval", 3)] == asyncio.run(all_tests())
