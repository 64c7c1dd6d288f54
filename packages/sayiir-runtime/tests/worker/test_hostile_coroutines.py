"""Coroutines that stop, close or empty the event loop which they share with all others."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_core.policy import RetryPolicy
from sayiir_runtime.api import run_durable_workflow
from sayiir_runtime.memory import InMemoryBackend

LATE = 20.0

# What a broken loop leaves is no fault of whoever started it.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


async def double(value: int) -> int:
    """Be an innocent neighbour."""
    await asyncio.sleep(0)
    return value * 2


async def stop_the_loop(value: int) -> int:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    return value


async def close_the_loop(value: int) -> int:
    asyncio.get_running_loop().close()
    return value


async def break_the_loop(value: int) -> int:
    """Close it although it runs, so that its next turn ends in an error."""
    loop = asyncio.get_running_loop()
    loop._thread_id = None  # type: ignore[attr-defined]
    loop.close()
    await asyncio.sleep(0)
    return value


async def cancel_everybody(value: int) -> int:
    for each in asyncio.all_tasks():
        each.cancel()
    await asyncio.sleep(0)
    return value


HOSTILE = {
    "stop": (stop_the_loop, "completed"),
    "close": (close_the_loop, "failed"),
    "break": (break_the_loop, "failed"),
    "cancel all": (cancel_everybody, "failed"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_worker_survives_what_a_coroutine_does_to_its_loop(start, client, kind):
    """The hostile step ends in one way or the other, and later steps run as if nothing was."""
    body, end = HOSTILE[kind]
    hostile = Flow("hostile").then(task("hostile")(body)).build()
    innocent = Flow("innocent").then(double).build()
    start(hostile, innocent)

    status = client.submit(hostile, "bad", 1).wait(LATE)
    after = [client.submit(innocent, f"after-{n}", n).result(LATE) for n in range(3)]

    assert end == status.status
    assert [0, 2, 4] == after


@pytest.mark.parametrize("kind", HOSTILE)
def test_its_neighbours_fail_or_go_on_and_none_hangs(start, client, kind):
    """Those that wait, and those whose first step has not come yet; a retry brings them home."""
    waiting = threading.Event()

    @task("wait", retries=RetryPolicy(1, 0.0))
    async def wait(value: int) -> int:
        if waiting.is_set():
            return value
        waiting.set()
        await asyncio.sleep(1.0)
        return value

    patient = task("double", retries=RetryPolicy(3, 0.0))(double)
    hostile = Flow("hostile").then(task("hostile")(HOSTILE[kind][0])).build()
    neighbour = Flow("neighbour").then(wait).build()
    crowd = Flow("crowd").then(patient).build()
    start(hostile, neighbour, crowd)

    first = client.submit(neighbour, "waits", 1)
    assert waiting.wait(LATE)
    handles = [client.submit(crowd, f"before-{n}", n) for n in range(5)]
    client.submit(hostile, "bad", 1)
    handles += [client.submit(crowd, f"beside-{n}", n) for n in range(5, 10)]

    assert 1 == first.result(LATE)
    assert [2 * n for n in range(10)] == [handle.result(LATE) for handle in handles]


def test_a_coroutine_that_is_cancelled_before_its_first_step_fails(start, client):
    """Both are begun at once, and the first cancels the second, whose body then never runs."""
    both = (
        Flow("both")
        .fork()
        .branch(cancel_everybody, name="a")
        .branch(cancel_everybody, name="b")
        .join(lambda got: got)
        .build()
    )
    start(both)

    status = client.submit(both, "i", 1).wait(LATE)

    assert "failed" == status.status
    assert status.error.startswith("CancelledError")


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_runner_survives_it_too(in_thread: Any, kind: str) -> None:
    """Its private loop serves one drive, which must not wait for ever."""
    body, end = HOSTILE[kind]
    workflow = Flow("w").then(task("hostile")(body)).build()
    backend = InMemoryBackend()

    status = in_thread(lambda: run_durable_workflow(workflow, "i", 1, backend)).result()

    assert end == status.status
