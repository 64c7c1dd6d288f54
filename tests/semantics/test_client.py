"""The clients: submitting, waiting for results, listing, explaining, and the table of conflicts.

Nobody works here but the tests: ``resume_workflow`` stands for a worker.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

import sayiir
from sayiir import (
    AsyncWorkflowClient,
    BackendError,
    Flow,
    InstanceAlreadyExistsError,
    InstanceCancelledError,
    InstanceNotFoundError,
    InstanceStateError,
    RunReplacedError,
    TaskError,
    WorkflowClient,
    WorkflowError,
    WorkflowStatus,
    cancel_workflow,
    resume_workflow,
    send_signal,
)
from sayiir_core.ids import SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.head import Lane

STATES = (
    "in_progress",
    "waiting",
    "awaiting_signal",
    "paused",
    "completed",
    "failed",
    "cancelled",
)
LATE = 20.0


def states(*chosen):
    return pytest.mark.parametrize("state", chosen)


def inc(value):
    return value + 1


@pytest.fixture
def client(backend):
    return WorkflowClient(backend)


# Submitting.


def test_case_44_submit_stores_and_calls_nothing(backend, client, iid):
    """Whoever works later completes it, with the input that was submitted."""
    calls = []

    def note(value):
        calls.append(value)
        return value + 1

    workflow = Flow("f").then(note).build()

    handle = client.submit(workflow, iid, 5)
    before = (list(calls), client.status(iid).status)
    resume_workflow(workflow, iid, backend)

    assert ([], "in_progress") == before
    assert ([5], 6) == (calls, handle.result(LATE))


def test_submit_returns_what_the_original_returns(backend, client, iid):
    """A status as of submission, which is also the way to follow the run."""
    workflow = Flow("f").then(inc).build()

    status = client.submit(workflow, iid, 10)

    assert isinstance(status, WorkflowStatus)
    assert ("in_progress", iid, None) == (status.status, status.instance_id, status.output)
    assert status.is_in_progress()
    resume_workflow(workflow, iid, backend)
    assert status.is_in_progress()
    assert ("completed", 11) == (status.status().status, status.status().output)


def test_a_submitted_run_is_owned_by_nobody(backend, client, iid):
    """Any worker may take it at once."""
    client.submit(Flow("f").then(inc).build(), iid, 1)

    head = backend.instances.load(iid)

    assert None is head.header.owner
    assert not head.executing


def test_labels_are_stored_with_the_run(client, iid):
    """They are for searching."""
    workflow = Flow("f").then(inc).build()
    client.submit(workflow, f"{iid}-a", 1, labels={"team": "x", "of": iid})
    client.submit(workflow, f"{iid}-b", 1, labels={"team": "y", "of": iid})

    found = [each.instance_id for each in client.list(labels={"team": "y", "of": iid})]

    assert [f"{iid}-b"] == found


@states(*STATES)
def test_submit_with_fail_is_refused_in_every_state(scene, state):
    """Row run, fail: the id is taken, and nothing is changed."""
    scene.reach(state)
    before = (list(scene.calls), scene.status)

    with pytest.raises(InstanceAlreadyExistsError, match=state) as caught:
        WorkflowClient(scene.backend).submit(scene.workflow, scene.iid, 9)

    assert scene.iid == caught.value.instance_id
    assert before == (scene.calls, scene.status)


@states(*STATES)
def test_submit_with_use_existing_gives_the_status_and_follows_the_run(scene, state):
    """Row run, use_existing: the stored run with its input; nothing is called."""
    scene.reach(state)
    before = (list(scene.calls), scene.status)
    client = WorkflowClient(scene.backend, conflict_policy="use_existing")

    handle = client.submit(scene.workflow, scene.iid, 9)

    assert (state, scene.status.run_id) == (handle.status, handle.run_id)
    assert (5 if state == "completed" else None) == handle.output
    assert before == (scene.calls, scene.status)


@states(*STATES)
def test_submit_with_terminate_existing_starts_afresh(scene, state):
    """Row run, terminate_existing: a new run of nobody, without old signals and requests."""
    scene.reach(state)
    old = scene.status.run_id
    send_signal(scene.iid, "other", "old", scene.backend)
    scene.broken = False
    client = WorkflowClient(scene.backend)

    handle = client.submit(
        Flow("g").then(inc).build(), scene.iid, 9, conflict_policy="terminate_existing"
    )

    assert ("in_progress", None, None) == (handle.status, handle.reason, handle.error)
    assert old != handle.run_id == scene.status.run_id
    assert [] == scene.backend.signals.pending(scene.iid)
    assert "in_progress" == client.status(scene.iid).status


@states(*STATES)
@pytest.mark.parametrize("policy", ["fail", "use_existing"])
def test_submitting_another_definition_is_refused_naming_both(scene, state, policy):
    """Row another definition."""
    scene.reach(state)
    other = Flow("f").then(scene.called("another")).build()

    with pytest.raises(WorkflowError) as caught:
        WorkflowClient(scene.backend, conflict_policy=policy).submit(other, scene.iid, 5)

    assert str(scene.workflow.definition.identity) in str(caught.value)
    assert str(other.definition.identity) in str(caught.value)


@pytest.mark.parametrize("policy", ["fail", "use_existing", "terminate_existing"])
def test_an_absent_instance_is_created_under_every_policy(backend, iid, policy):
    """Row run: absent."""
    workflow = Flow("f").then(inc).build()
    client = WorkflowClient(backend, conflict_policy=policy)

    handle = client.submit(workflow, iid, 1)
    resume_workflow(workflow, iid, backend)

    assert 2 == handle.result(LATE)


def test_many_are_submitted_with_an_error_for_each_that_is_not(backend, iid):
    """In order, a thousand at a time; the good ones are stored whatever the others are."""
    client = WorkflowClient(backend)
    workflow = Flow("f").then(inc).build()
    client.submit(workflow, f"{iid}-7", 7)
    items = [(f"{iid}-{n}" if n != 1500 else "", n if n != 3 else object()) for n in range(2100)]

    answers = client.submit_many(workflow, items, labels={"of": iid})

    errors = {n: type(answers[n]) for n in range(2100) if isinstance(answers[n], Exception)}
    assert {3: sayiir.EncodeError, 7: InstanceAlreadyExistsError, 1500: ValueError} == errors
    assert [item[0] for n, item in enumerate(items) if n not in errors] == [
        each.instance_id for each in answers if not isinstance(each, Exception)
    ]
    assert [f"{iid}-{n}" for n in (2099, 2098)] == [
        each.instance_id for each in client.page(labels={"of": iid}, limit=2).summaries
    ]
    resume_workflow(workflow, f"{iid}-2099", backend)
    assert 2100 == answers[2099].result(LATE)


@pytest.mark.parametrize("policy", ["use_existing", "terminate_existing"])
def test_many_are_submitted_under_the_policy_of_the_client(backend, iid, policy):
    """Existing runs are used or replaced; one of another definition is an error of its own."""
    workflow, other = (Flow(f"f-{name}").then(inc).build() for name in ("a", "b"))
    client = WorkflowClient(backend, conflict_policy=policy)
    old = client.submit(workflow, f"{iid}-0", 0)
    client.submit(other, f"{iid}-1", 1)

    answers = client.submit_many(workflow, [(f"{iid}-{n}", n) for n in range(3)])

    replaces = policy == "terminate_existing"
    assert replaces == (answers[0].run_id != old.run_id)
    assert replaces == (not isinstance(answers[1], WorkflowError))
    assert "in_progress" == answers[2].status


def limited(store):
    """Open the store with a limit of 1,000 bytes for payloads."""
    if store.name == "sqlite":
        return sayiir.SQLiteBackend(store.backend.path, max_payload_bytes=1000)
    return sayiir.PostgresBackend(store.address, max_payload_bytes=1000)


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_of_many_what_is_over_the_limit_of_the_store_is_refused_alone(make_store, iid, name):
    """Its neighbours in the same call are stored."""
    store = make_store(name)
    store.opened.append(limited(store))
    client = WorkflowClient(store.opened[-1])
    items = [(f"{iid}-{n}", "x" * (2000 if n == 4 else 10)) for n in range(9)]

    answers = client.submit_many(Flow("f").then(lambda x: x, name="a").build(), items)

    assert [4] == [n for n in range(9) if isinstance(answers[n], BackendError)]
    assert "max_payload_bytes" in str(answers[4])
    assert [f"{iid}-{n}" for n in (8, 7, 6, 5, 3, 2, 1, 0)] == [
        each.instance_id for each in client.list(id_prefix=iid)
    ]


# Waiting.


def test_a_result_is_waited_for(store, iid, background):
    """Whoever completes it: here another opening of the same store."""
    workflow = Flow("f").wait_for_signal("go").then(inc).build()
    handle = WorkflowClient(store.backend).submit(workflow, iid, 5)
    waiting = background(lambda: handle.result(LATE))
    worker = store.again()

    resume_workflow(workflow, iid, worker)
    running = waiting.running
    send_signal(iid, "go", 7, worker)
    resume_workflow(workflow, iid, worker)

    assert (True, 8) == (running, waiting.result())


def test_a_paused_run_is_waited_for(backend, client, iid, background):
    """A pause is no end."""
    workflow = Flow("f").then(inc).build()
    handle = client.submit(workflow, iid, 5)
    handle.pause(reason="lunch", paused_by="Ada")
    waiting = background(lambda: handle.wait(LATE))
    paused = handle.status()
    handle.unpause()
    resume_workflow(workflow, iid, backend)

    assert ("paused", "lunch", "Ada") == (paused.status, paused.reason, paused.paused_by)
    assert ("completed", 6) == (waiting.result().status, waiting.result().output)


def test_the_result_of_a_failed_run_is_an_error_that_names_task_and_instance(scene):
    """With the stored text, and the stored traceback as a note; after a retry it is the output."""
    scene.reach("failed")
    handle = WorkflowClient(scene.backend).handle(scene.iid)

    with pytest.raises(TaskError, match=r"task 'middle' failed: ValueError: bad") as caught:
        handle.result(LATE)

    assert ("middle", scene.iid) == (caught.value.task_id, caught.value.instance_id)
    assert scene.iid in str(caught.value)
    assert "in fail" in caught.value.__notes__[0]
    assert ("failed", "ValueError: bad") == (handle.wait(LATE).status, handle.wait(LATE).error)
    scene.broken = False
    handle.retry()
    scene.resume()
    assert 5 == handle.result(LATE)


def test_the_result_of_a_cancelled_run_is_an_error_with_the_reason(client, iid):
    """And with who asked."""
    handle = client.submit(Flow("f").then(inc).build(), iid, 5)
    handle.cancel(reason="enough", cancelled_by="Ada")

    with pytest.raises(InstanceCancelledError, match="cancelled by Ada: enough") as caught:
        handle.result(LATE)

    assert (iid, "enough", "Ada") == (
        caught.value.instance_id,
        caught.value.reason,
        caught.value.cancelled_by,
    )
    assert "cancelled" == handle.wait(LATE).status


def test_a_cancelled_run_has_ended_when_its_last_task_has(backend, client, iid, background):
    """Until then what it does may still be seen outside."""
    begun, finish = threading.Event(), threading.Event()

    def body(value):
        begun.set()
        assert finish.wait(LATE)
        return value

    workflow = Flow("f").then(body).then(inc).build()
    handle = client.submit(workflow, iid, 5)
    working = background(lambda: resume_workflow(workflow, iid, backend))
    assert begun.wait(LATE)
    cancel_workflow(iid, backend)
    with pytest.raises(TimeoutError, match="stopping: "):
        handle.wait("100ms")
    finish.set()

    assert "cancelled" == handle.wait(LATE).status
    assert "cancelled" == working.result().status
    assert 5 == client.get_task_result(iid, "body")


@pytest.mark.parametrize(
    ("state", "doing"),
    [
        ("in_progress", "middle: ready since .* no live worker serves lane f@"),
        ("waiting", r"nap: delayed until .* \(in "),
        ("awaiting_signal", "gate: waits for signal 'go' .*send_signal"),
        ("paused", "held by a pause by me: why .*unpause_workflow"),
    ],
)
def test_a_late_result_says_what_the_instance_does_instead(scene, state, doing):
    """And what helps: by ``explain``."""
    scene.reach(state)
    handle = WorkflowClient(scene.backend).handle(scene.iid)

    with pytest.raises(TimeoutError, match=f"{scene.iid}' has not ended within 0.05 s: .*{doing}"):
        handle.result(0.05)


def test_a_result_that_is_there_needs_no_time(scene):
    """A timeout of nothing asks whether it is there."""
    scene.reach("completed")

    assert 5 == WorkflowClient(scene.backend).handle(scene.iid).result(0)


def test_a_replaced_run_has_no_result(scene, background):
    """Whoever waits for it learns that, instead of getting the output of another one."""
    scene.reach("awaiting_signal")
    client = WorkflowClient(scene.backend)
    handle = client.handle(scene.iid)
    waiting = background(lambda: handle.result(LATE))
    client.submit(scene.workflow, scene.iid, 9, conflict_policy="terminate_existing")

    with pytest.raises(RunReplacedError, match=scene.iid) as caught:
        waiting.result()
    with pytest.raises(RunReplacedError, match=scene.iid):
        handle.result(LATE)
    assert handle.run_id == caught.value.run_id


def test_a_pruned_run_has_no_result(scene):
    """It is told apart from one that has not ended."""
    scene.reach("completed")
    handle = WorkflowClient(scene.backend).handle(scene.iid)
    while scene.backend.instances.prune(
        finished_before=scene.backend.now() + timedelta(seconds=1), limit=1000
    ):
        pass

    with pytest.raises(InstanceNotFoundError, match=scene.iid):
        handle.result(LATE)


def test_a_result_is_validated_into_a_type(backend, client, iid):
    """The plain value is what a task with that annotation would get."""
    workflow = Flow("f").then(lambda: "2026-01-02T03:04:05+00:00", name="when").build()
    handle = client.submit(workflow, iid, None)
    resume_workflow(workflow, iid, backend)

    assert datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) == handle.result_as(datetime, LATE)


# Control.


def test_the_client_controls_any_instance(backend, client, iid):
    """By its id, as the functions do."""
    workflow = Flow("f").then(inc).wait_for_signal("go").then(inc, name="last").build()
    client.submit(workflow, iid, 5)
    resume_workflow(workflow, iid, backend)

    client.pause(iid, reason="lunch", paused_by="Ada")
    paused = client.status(iid)
    client.unpause(iid)
    parked = client.status(iid)
    client.send_signal(iid, "go", 7)
    resume_workflow(workflow, iid, backend)

    assert ("paused", "lunch", "Ada") == (paused.status, paused.reason, paused.paused_by)
    assert ("awaiting_signal", "go") == (parked.status, parked.signal_name)
    assert (6, 8) == (client.get_task_result(iid, "inc"), client.get_task_result(iid, "last"))
    assert ("succeeded", 1) == (client.task(iid, "inc").state, client.task(iid, "inc").attempts)
    assert 3 == len(client.history(iid).rows)


def test_retry_revives_a_failed_instance_for_the_workers(scene):
    """No code runs, and it is refused for anything else."""
    scene.reach("failed")
    client = WorkflowClient(scene.backend)
    calls = list(scene.calls)

    client.retry(scene.iid)

    assert ("in_progress", calls) == (client.status(scene.iid).status, scene.calls)
    with pytest.raises(InstanceStateError, match="cannot retry"):
        client.retry(scene.iid)


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.status("nobody"),
        lambda client: client.handle("nobody"),
        lambda client: client.cancel("nobody"),
        lambda client: client.pause("nobody"),
        lambda client: client.unpause("nobody"),
        lambda client: client.retry("nobody"),
        lambda client: client.explain("nobody"),
        lambda client: client.history("nobody"),
        lambda client: client.get_task_result("nobody", "x"),
    ],
)
def test_an_unknown_instance_is_an_error(client, ask):
    """For everything but a signal, which is kept."""
    with pytest.raises(InstanceNotFoundError, match="nobody"):
        ask(client)


# Explaining.


def test_explain_says_which_lane_no_live_worker_serves(backend, client, iid):
    """Until a session that serves it is there."""
    workflow = Flow(f"f-{iid}").then(sayiir.task(tags=["gpu"])(inc)).build()
    client.submit(workflow, iid, 1)
    (unserved,) = client.explain(iid)

    lane = Lane(workflow.definition.identity, workflow.definition.nodes[0].group)
    session = SessionId(f"session-{iid}")
    ttl = timedelta(seconds=30)
    backend.sessions.register(NewSession(session_id=session, worker_id="w", ttl=ttl, lanes=(lane,)))
    (served,) = client.explain(iid)
    backend.sessions.end(session)
    (again,) = client.explain(iid)

    assert ("inc", "unserved") == (unserved.path, unserved.condition)
    sentence = f"no live worker serves lane {workflow.definition.identity} for tags gpu"
    assert sentence in unserved.sentence
    assert "start a worker" in unserved.action
    assert "claimable" == served.condition
    assert "unserved" == again.condition


@states(*STATES)
def test_explain_has_a_sentence_and_an_action_in_every_state(scene, state):
    """Nothing stops silently."""
    scene.reach(state)

    explanations = WorkflowClient(scene.backend).explain(scene.iid)

    assert explanations
    assert all(each.sentence and each.action for each in explanations)


# Listing.


@states(*STATES)
def test_a_listing_finds_each_state_by_its_word(scene, state):
    """And by no other word."""
    scene.reach(state)
    client = WorkflowClient(scene.backend)

    found = {
        word: [each.instance_id for each in client.list(status=word, id_prefix=scene.iid)]
        for word in STATES
    }

    assert {word: [scene.iid] if word == state else [] for word in STATES} == found


@states(*STATES)
def test_a_summary_tells_what_the_status_tells(scene, state):
    """As far as both have a word for it."""
    scene.reach(state)
    client = WorkflowClient(scene.backend)
    status = client.status(scene.iid)

    (summary,) = client.list(id_prefix=scene.iid)

    names = ("instance_id", "run_id", "status", "error", "failed_task", "reason", "wake_at")
    for name in (*names, "signal_name"):
        assert getattr(status, name) == getattr(summary, name), name
    identity = scene.workflow.definition.identity
    assert identity == (summary.workflow_id, summary.definition_hash)
    assert (state in {"completed", "failed", "cancelled"}) == (summary.finished_at is not None)


def test_a_listing_goes_by_workflow_error_and_time(backend, client, iid):
    """Every condition that is given must hold; the newest come first."""

    def fail(value):
        raise ValueError(f"No 100% at {value}")

    good = Flow(f"good-{iid}").then(inc).build()
    bad = Flow(f"bad-{iid}").then(fail).build()
    for name, workflow in (("a", good), ("b", bad), ("c", bad), ("d", good)):
        client.submit(workflow, f"{iid}-{name}", name == "c")
        if workflow is bad:
            resume_workflow(workflow, f"{iid}-{name}", backend)
    created = {each.instance_id[-1]: each.created_at for each in client.list(id_prefix=iid)}

    def found(*args, **filters):
        listed = client.list(*args, id_prefix=iid, **filters)
        return "".join(each.instance_id[-1] for each in listed)

    assert "dcba" == found()
    assert ("da", "cb") == (found(good), found(f"bad-{iid}"))
    assert ("cb", "c", "") == (
        found(error_contains="no 100% AT"),
        found(error_contains="at true"),
        found(error_contains="100_"),
    )
    assert ("dc", "ba", "c") == (
        found(created_after=created["b"]),
        found(created_before=created["c"]),
        found(bad, created_after=created["b"], error_contains="valueerror"),
    )


def test_a_listing_goes_by_pages(client, iid):
    """None is skipped or repeated, also where a word that is not stored leaves pages short."""
    workflow = Flow(f"f-{iid}").then(inc).build()
    client.submit_many(workflow, [(f"{iid}-{n}", n) for n in range(7)])
    for n in (0, 3, 4, 5):
        client.cancel(f"{iid}-{n}")
    seen, sizes, after = [], [], None
    while True:
        page = client.page(workflow, limit=3, after=after)
        seen += [each.instance_id[-1] for each in page.summaries]
        sizes.append(len(page.summaries))
        after = page.next
        if after is None:
            break

    running = [each.instance_id[-1] for each in client.list(workflow, status="in_progress")]

    assert ("6543210", [3, 3, 1]) == ("".join(seen), sizes)
    assert "621" == "".join(running)


@pytest.mark.parametrize(
    ("filters", "error", "problem"),
    [
        ({"status": "running"}, ValueError, "status must be one of .*'in_progress'"),
        ({"created_after": datetime(2026, 1, 1)}, ValueError, "created_after needs a time zone"),  # noqa: DTZ001
        ({"created_before": 7}, TypeError, "created_before must be a datetime"),
        ({"labels": {"a": 1}}, TypeError, "label 'a' of the listing"),
        ({"workflow": 7}, TypeError, "workflow must be a workflow or its id"),
        ({"id_prefix": 7}, TypeError, "id_prefix must be a string"),
        ({"error_contains": b"x"}, TypeError, "error_contains must be a string"),
        ({"state": "failed"}, TypeError, "'state' cannot be listed by; give workflow, status"),
        ({"limit": 0}, ValueError, "limit must be 1 to 1000"),
    ],
)
def test_a_bad_filter_is_refused(client, filters, error, problem):
    """With what it may be."""
    with pytest.raises(error, match=problem):
        client.page(**filters)


# Event loops.


def test_the_client_for_event_loops_does_the_same(backend, iid, background):
    """Submit, wait, control, list and explain, while another thread works."""
    workflow = Flow("f").then(inc).wait_for_signal("go").build()

    async def main():
        client = AsyncWorkflowClient(backend)
        handle = await client.submit(workflow, iid, 5, labels={"of": iid})
        words = [handle.submitted.status, (await handle.status()).status]
        await asyncio.to_thread(resume_workflow, workflow, iid, backend)
        words.append((await client.handle(iid)).submitted.status)
        await handle.pause(reason="lunch")
        words.append((await client.status(iid)).reason)
        await handle.unpause()
        words.append((await handle.explain())[0].condition)
        words.append([each.status async for each in client.list(labels={"of": iid})])
        waiting = asyncio.ensure_future(handle.result(LATE))
        await handle.send_signal("go", 7)
        await asyncio.to_thread(resume_workflow, workflow, iid, backend)
        words.append(await waiting)
        words.append(await handle.get_task_result("inc"))
        words.append((await client.task(iid, "inc")).attempts)
        words.append(len((await client.history(iid)).rows))
        return words

    assert [
        "in_progress",
        "in_progress",
        "awaiting_signal",
        "lunch",
        "awaiting",
        ["awaiting_signal"],
        7,
        6,
        1,
        2,
    ] == asyncio.run(main())


def test_awaited_results_are_errors_like_those_of_threads(scene):
    """Failed, cancelled and late."""
    scene.reach("failed")

    async def main():
        client = AsyncWorkflowClient(scene.backend)
        handle = await client.handle(scene.iid)
        with pytest.raises(TaskError, match="ValueError: bad"):
            await handle.result(LATE)
        await handle.retry()
        with pytest.raises(TimeoutError, match="middle: ready since"):
            await handle.result("20ms")
        await handle.cancel(reason="enough")
        with pytest.raises(InstanceCancelledError, match="enough"):
            await handle.result_as(int, LATE)
        return (await handle.wait(LATE)).status

    assert "cancelled" == asyncio.run(main())


def test_many_results_are_awaited_at_once(backend, iid):
    """Each coroutine gets its own, and the loop turns meanwhile."""
    workflow = Flow("f").then(inc).build()

    async def main():
        client = AsyncWorkflowClient(backend)
        handles = await client.submit_many(workflow, [(f"{iid}-{n}", n) for n in range(40)])
        waiting = [asyncio.ensure_future(handle.result(LATE)) for handle in handles]
        for handle in reversed(handles):
            await asyncio.to_thread(resume_workflow, workflow, handle.instance_id, backend)
        return await asyncio.gather(*waiting)

    assert [n + 1 for n in range(40)] == asyncio.run(main())
