"""The context: absent outside, exact inside, in threads and coroutines."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from functools import partial
from types import SimpleNamespace

from sayiir_core.authoring import (
    Flow,
    TaskContext,
    TaskMetadata,
    get_task_context,
    reset_task_context,
    set_task_context,
    task,
)


def facts(*, turns=(), attempt=1, cancel=None, metadata=None, run="run-1"):
    """Return the facts of a task with every option."""

    @task("charge", timeout="2s", retries=1, tags=["io"], description="why", version="7")
    def fn(value):
        return value

    node = Flow("order").then(fn).build().definition.task(0)
    program = SimpleNamespace(workflow_id="order", metadata=metadata)
    lease = SimpleNamespace(instance_id="order-1", run_id=run)
    return (program, TaskMetadata.from_node(node), node, lease, turns, attempt, cancel)


def make(**options):
    """Return a context of a task with every option."""
    return TaskContext(*facts(**options))


def test_there_is_no_context_outside_a_task():
    """SEMANTICS 20: None, not an error."""
    assert get_task_context() is None


def test_a_task_reads_where_it_runs():
    """Ids, path, attempt and the task's declaration are at hand."""
    context = make(attempt=3)

    assert (context.workflow_id, context.instance_id) == ("order", "order-1")
    assert (context.task_id, context.task_path, context.attempt) == ("charge", "charge", 3)
    assert context.metadata.timeout_secs == 2.0
    assert context.metadata.retries is not None
    assert (context.metadata.tags, context.metadata.version) == (["io"], "7")
    assert (context.metadata.priority, context.metadata.display_name) == (3, "charge")
    assert context.metadata.description == "why"


def test_changing_the_metadata_of_one_task_leaves_the_next_alone():
    """The dict is a fresh copy at every access."""
    context = make(metadata={"team": ["a"]})

    context.workflow_metadata["team"].append("b")

    assert context.workflow_metadata == {"team": ["a"]}
    assert make().workflow_metadata is None


def test_cancelled_follows_the_flag_of_the_driver():
    """A body sees a cancel as soon as the driver sets it, and none without a flag."""
    flag = SimpleNamespace(is_set=False)
    context = make(cancel=flag)

    before = context.cancelled
    flag.is_set = True

    assert (before, context.cancelled, make().cancelled) == (False, True, False)


def test_the_idempotency_key_is_of_the_step_and_not_of_the_attempt():
    """Attempts share it; turns and runs do not."""
    first = make(turns=(0,))

    assert first.idempotency_key == make(turns=(0,), attempt=2).idempotency_key
    assert first.idempotency_key != make(turns=(1,)).idempotency_key
    assert first.idempotency_key != make(turns=(0,), run="run-2").idempotency_key


def test_the_context_reaches_child_coroutines_and_stays_in_its_thread():
    """SEMANTICS 20: what a task awaits sees its context, another thread does not."""
    here = facts(attempt=7)
    seen = []

    def look():
        context = get_task_context()
        seen.append(None if context is None else context.attempt)

    async def child():
        look()

    async def body():
        token = set_task_context(here)
        await asyncio.gather(child(), asyncio.create_task(child()))
        reset_task_context(token)
        look()

    asyncio.run(body())
    token = set_task_context(here)
    # Free-threaded builds hand the context on to new threads; an empty one shows the default.
    thread = threading.Thread(target=partial(contextvars.Context().run, look))
    thread.start()
    thread.join()
    look()
    reset_task_context(token)

    assert seen == [7, 7, None, None, 7]
