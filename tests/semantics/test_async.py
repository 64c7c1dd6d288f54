"""SEMANTICS 19 and 20: coroutines are tasks too, and the context is right everywhere."""

from __future__ import annotations

import asyncio
import threading

import sayiir
from sayiir import Flow, get_task_context
from tests.semantics.driving import run_durable_workflow


async def ainc(value):
    await asyncio.sleep(0)
    return value + 1


def test_case_19_async_tasks_work_in_every_driver(drive):
    """Plain and async functions may follow each other."""
    workflow = Flow("f").then(ainc).then(lambda x: x * 2).then(ainc, name="again").build()

    assert 13 == drive(workflow, 5)


def test_case_19_async_tasks_work_in_branches_arms_and_loops(drive):
    """An async function stands wherever a plain one may."""

    async def turn(value):
        return {"_loop": "done" if value > 6 else "again", "value": value + 1}

    async def key(value):
        return "k"

    workflow = (
        Flow("f")
        .loop(turn)
        .fork()
        .branch(ainc, name="a")
        .branch(lambda x: x, name="b")
        .join(lambda got: got["a"] + got["b"])
        .route(key, keys=["k"])
        .branch("k", ainc)
        .done()
        .build()
    )

    assert {"branch": "k", "result": 18} == drive(workflow, 5)


class AsyncCallable:
    """An object whose call is a coroutine."""

    async def __call__(self, value):
        """Return one more."""
        return await ainc(value)


def test_case_19_an_object_whose_call_is_async_is_awaited(drive):
    """Not only functions can be async."""
    assert 6 == drive(Flow("f").then(AsyncCallable(), name="call").build(), 5)


def waiter():
    """Return a workflow whose plain task only ends if the caller's loop turns meanwhile."""
    turned = threading.Event()

    def body(value):
        assert turned.wait(10), "the loop was blocked"
        return value

    return Flow("f").then(body).build(), turned


def test_case_19_an_in_process_run_never_blocks_the_loop():
    """A plain task waits for something that the loop does."""
    workflow, turned = waiter()

    async def main():
        run = asyncio.create_task(sayiir.run_workflow_async(workflow, 1))
        await asyncio.sleep(0)
        turned.set()
        return await run

    assert 1 == asyncio.run(main())


def test_case_19_a_durable_run_never_blocks_the_loop(backend, iid):
    """Neither does one with a store."""
    workflow, turned = waiter()

    async def main():
        run = sayiir.run_durable_workflow_async(workflow, iid, 1, backend)
        task = asyncio.create_task(run)
        await asyncio.sleep(0)
        turned.set()
        return await task

    assert 1 == asyncio.run(main()).output


def test_case_19_every_operation_has_an_async_form(backend, iid):
    """Pause, unpause, signal, resume and cancel can be awaited."""
    workflow = Flow("f").wait_for_signal("go").wait_for_signal("end").build()

    async def main():
        words = []
        await sayiir.run_durable_workflow_async(workflow, iid, 1, backend)
        await sayiir.pause_workflow_async(iid, backend, "why", "me")
        words.append((await sayiir.resume_workflow_async(workflow, iid, backend)).status)
        await sayiir.unpause_workflow_async(iid, backend)
        await sayiir.send_signal_async(iid, "go", 2, backend)
        words.append((await sayiir.resume_workflow_async(workflow, iid, backend)).signal_name)
        await sayiir.cancel_workflow_async(iid, backend, "enough", "me")
        words.append((await sayiir.resume_workflow_async(workflow, iid, backend)).reason)
        return words

    assert ["paused", "end", "enough"] == asyncio.run(main())


def test_case_19_async_tasks_run_on_the_callers_loop_in_an_async_run(backend, iid):
    """The caller's clients and locks belong to its loop, so its tasks run there."""
    seen = []

    async def body(value):
        seen.append(asyncio.get_running_loop())
        return value

    async def main():
        workflow = Flow("f").then(body).build()
        await sayiir.run_durable_workflow_async(workflow, iid, 1, backend)
        return asyncio.get_running_loop()

    loop = asyncio.run(main())

    assert [loop] == seen


def path_here():
    """Return the path of the task that runs here, None outside."""
    context = get_task_context()
    return None if context is None else context.task_path


def test_case_20_the_context_is_none_outside(drive):
    """Before and after a run there is none."""
    before = get_task_context()
    drive(Flow("f").then(ainc).then(lambda x: x).build(), 1)

    assert (None, None) == (before, get_task_context())


def test_case_20_the_context_is_right_in_threads_and_coroutines(drive):
    """Each branch sees its own, also in child coroutines and after a wait."""
    barrier = threading.Barrier(2)

    def plain(value):
        barrier.wait(10)
        return path_here()

    async def child():
        await asyncio.sleep(0)
        return path_here()

    async def coroutine(value):
        await asyncio.sleep(0)
        task = asyncio.create_task(child())
        return [path_here(), await child(), await task, *await asyncio.gather(child(), child())]

    workflow = (
        Flow("f")
        .fork()
        .branch(plain, name="one")
        .branch(plain, name="two")
        .branch(coroutine, name="three")
        .branch(coroutine, name="four")
        .join(lambda got: got)
        .build()
    )

    assert {
        "one": "fork_0/one/one",
        "two": "fork_0/two/two",
        "three": ["fork_0/three/three"] * 5,
        "four": ["fork_0/four/four"] * 5,
    } == drive(workflow, None)


def test_case_20_the_context_reaches_a_thread_of_asyncio(drive):
    """``asyncio.to_thread`` copies the context, as for any context variable."""

    async def body(value):
        return await asyncio.to_thread(path_here)

    assert "body" == drive(Flow("f").then(body).build(), 1)


def test_case_20_the_context_tells_who_and_where(backend, iid):
    """It has the ids, the path, the attempt and the declaration of the task."""
    seen = []

    @sayiir.task("charge", timeout="30s", tags=["io"], retries=2)
    def charge(value):
        context = get_task_context()
        seen.append(
            (
                context.workflow_id,
                context.instance_id,
                context.task_id,
                context.task_path,
                context.attempt,
                context.metadata.timeout_secs,
                context.metadata.tags,
                context.cancelled,
            )
        )

    workflow = Flow("order").fork().branch(charge, name="pay").join(lambda: 1).build()
    run_durable_workflow(workflow, iid, 1, backend)

    assert [("order", iid, "pay", "fork_0/pay/pay", 1, 30.0, ["io"], False)] == seen
