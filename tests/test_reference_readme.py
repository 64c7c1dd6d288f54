"""What the README of the original shows runs here: a test for each of its sections.

The code is our own, and uses the same names, argument order and shapes.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from sayiir import (
    Flow,
    InMemoryBackend,
    LoopResult,
    OnMax,
    RetryPolicy,
    TaskError,
    WorkflowClient,
    WorkflowError,
    WorkflowStatus,
    cancel_workflow,
    get_task_context,
    pause_workflow,
    resume_workflow,
    run_durable_workflow,
    run_workflow,
    send_signal,
    task,
    unpause_workflow,
)


def test_two_decorated_functions_make_a_workflow() -> None:
    """Opening example: ``@task`` without parentheses, ``then``, ``build``, ``run_workflow``."""

    @task
    def find_book(isbn: int) -> dict:
        return {"isbn": isbn, "title": "Emma"}

    @task
    def lend(book: dict) -> str:
        return f"Lent {book['title']}"

    workflow = Flow("library").then(find_book).then(lend).build()

    assert "Lent Emma" == run_workflow(workflow, 7)


def test_lambdas_need_no_decorator() -> None:
    """Inline lambdas: SEMANTICS 1."""
    workflow = (
        Flow("lambdas").then(lambda x: x * 2).then(lambda x: x + 1).then(lambda x: f"{x}").build()
    )

    assert "11" == run_workflow(workflow, 5)


def test_steps_run_one_after_the_other() -> None:
    """Sequential workflow."""

    @task
    def square(x: int) -> int:
        return x * x

    @task
    def minus_one(x: int) -> int:
        return x - 1

    assert 24 == run_workflow(Flow("math").then(square).then(minus_one).build(), 5)


def test_a_durable_run_returns_a_status() -> None:
    """Durable workflow: instance id, then input, and no backend at all."""

    @task(timeout="30s")
    def pack(parcel: int) -> dict:
        return {"parcel": parcel, "state": "packed"}

    @task
    def hand_over(parcel: dict) -> str:
        return f"Handed over {parcel['parcel']}"

    workflow = Flow("parcel").then(pack).then(hand_over).build()

    status = run_durable_workflow(workflow, "parcel-9", 9)

    assert ("Handed over 9", "completed") == (status.output, status.status)
    assert status.is_completed()
    assert not status.is_failed()


def test_postgres_makes_its_tables_at_the_first_use(postgres_database: str) -> None:
    """PostgreSQL persistence: a URL is all that is needed."""
    from sayiir import PostgresBackend

    @task
    def triple(x: int) -> int:
        return x * 3

    backend = PostgresBackend(postgres_database)
    try:
        status = run_durable_workflow(
            Flow("persistent").then(triple).build(), "run-1", 14, backend=backend
        )
    finally:
        backend.close()

    assert 42 == status.output


def test_retries_take_a_number_or_a_policy() -> None:
    """Retry policy: both forms, and what the number stands for."""

    @task(retries=3)
    def by_number(x: int) -> int:
        return x

    @task(retries=RetryPolicy(max_retries=2, initial_delay_secs=0.01, backoff_multiplier=2.0))
    def by_policy(x: int) -> int:
        attempts.append(x)
        if len(attempts) < 3:
            raise ConnectionError("again")
        return x

    attempts: list[int] = []
    workflow = Flow("retrying").then(by_number).then(by_policy).build()

    assert 1 == run_workflow(workflow, 1)
    assert [1, 1, 1] == attempts
    assert RetryPolicy(3, 1.0, 2.0) == next(iter(workflow.iter_nodes())).retry_policy


def test_a_join_receives_the_values_of_all_branches() -> None:
    """Parallel execution: a dict from the names of the branches."""

    @task
    def weigh(parcel: dict) -> dict:
        return {"grams": 250}

    @task
    def measure(parcel: dict) -> dict:
        return {"litres": parcel["litres"]}

    @task
    def label(results: dict) -> str:
        return f"Label: {results}"

    workflow = Flow("post").fork().branch(weigh).branch(measure).join(label).build()

    expected = "Label: {'weigh': {'grams': 250}, 'measure': {'litres': 2}}"
    assert expected == run_workflow(workflow, {"litres": 2})


def test_a_branch_may_have_several_steps() -> None:
    """Multi-step branches: named by their first task."""

    def load(x: int) -> list[int]:
        return [x, x + 1]

    def total(numbers: list[int]) -> int:
        return sum(numbers)

    def describe(x: int) -> str:
        return f"from {x}"

    workflow = (
        Flow("branches")
        .fork()
        .branch(load, total)
        .branch(describe)
        .join(lambda parts: parts)
        .build()
    )

    assert {"load": 5, "describe": "from 2"} == run_workflow(workflow, 2)


def test_a_loop_ends_when_its_body_says_done() -> None:
    """Loops: the dict form of ``LoopResult`` and the object are equal."""

    @task
    def polish(text: str) -> dict:
        better = text + "!"
        if better.endswith("!!!"):
            return LoopResult.done(better).to_dict()
        return LoopResult.again(better).to_dict()

    @task
    def begin(text: str) -> str:
        return text.title()

    workflow = (
        Flow("iterative").then(begin).loop(polish, max_iterations=5).then(lambda t: [t]).build()
    )

    assert ["Hello!!!"] == run_workflow(workflow, "hello")


def test_a_loop_at_its_cap_fails_or_ends_with_the_last_value() -> None:
    """Loops: ``on_max``, as a word and as a member."""

    def more(x: int) -> LoopResult[int]:
        return LoopResult.again(x + 1)

    failing = Flow("cap").loop(more, max_iterations=2).build()
    word = Flow("cap").loop(more, max_iterations=2, on_max="exit_with_last").build()
    member = Flow("cap").loop(more, max_iterations=2, on_max=OnMax.EXIT_WITH_LAST).build()

    assert [2, 2] == [run_workflow(word, 0), run_workflow(member, 0)]
    with pytest.raises(WorkflowError):
        run_workflow(failing, 0)


def test_the_context_tells_a_task_where_it_runs() -> None:
    """Task execution context: inside all fields, outside None."""
    seen: list[Any] = []

    @task(timeout="30s", tags=["io"])
    def look(x: int) -> int:
        context = get_task_context()
        assert context is not None
        seen.extend([context.workflow_id, context.instance_id, context.task_id])
        seen.extend([context.metadata.timeout_secs, context.metadata.tags])
        seen.append(context.workflow_metadata)
        return x

    workflow = Flow("seeing", metadata={"team": "blue"}).then(look).build()
    run_durable_workflow(workflow, "s-1", 1, InMemoryBackend())

    assert ["seeing", "s-1", "look", 30.0, ["io"], {"team": "blue"}] == seen
    assert None is get_task_context()


class Parcel(BaseModel):
    """An input model."""

    number: int
    grams: float


class Receipt(BaseModel):
    """An output model."""

    state: str
    text: str


def test_models_are_validated_on_the_way_in_and_plain_on_the_way_out() -> None:
    """Pydantic integration: the caller gets a dict."""

    @task
    def accept(parcel: Parcel) -> Receipt:
        return Receipt(state="ok", text=f"{parcel.grams} g")

    workflow = Flow("typed").then(accept).build()

    output: Any = run_workflow(workflow, {"number": 1, "grams": "99.5"})  # type: ignore[arg-type]

    assert {"state": "ok", "text": "99.5 g"} == output


def test_an_input_that_does_not_validate_fails_the_task() -> None:
    """Pydantic integration: SEMANTICS 17."""

    def accept(parcel: Parcel) -> int:
        return parcel.number

    status = run_durable_workflow(Flow("typed").then(accept).build(), "t-1", {"number": "x"})  # type: ignore[arg-type]

    assert status.is_failed()
    assert (status.error or "").startswith("ValidationError")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("book", {"branch": "media", "result": "shelf 3"}),
        ("apple", {"branch": "food", "result": "fridge 3"}),
        ("rock", {"branch": "other", "result": "garden 3"}),
    ],
)
def test_a_route_takes_the_arm_of_its_key(kind: str, expected: dict[str, str]) -> None:
    """Conditional branching: arms get the value before the route; default tells the real key."""

    @task
    def sort(thing: dict) -> str:
        return {"book": "media", "apple": "food"}.get(thing["kind"], "other")

    @task
    def shelve(thing: dict) -> str:
        return f"shelf {thing['id']}"

    @task
    def cool(thing: dict) -> str:
        return f"fridge {thing['id']}"

    @task
    def throw(thing: dict) -> str:
        return f"garden {thing['id']}"

    workflow = (
        Flow("sorter")
        .route(sort, keys=["media", "food"])
        .branch("media", shelve)
        .branch("food", cool)
        .default_branch(throw)
        .done()
        .build()
    )

    assert expected == run_workflow(workflow, {"id": 3, "kind": kind})


def test_a_task_may_have_a_name_and_metadata() -> None:
    """Task metadata: the name stands first, by position."""

    @task("Weigh Parcel", timeout="60s", retries=3, tags=["post", "scale"], description="Weighs")
    def weigh(parcel: dict) -> dict:
        return parcel

    (node,) = Flow("named").then(weigh).build().iter_nodes()

    assert ("Weigh Parcel", "task", 60.0) == (node.id, node.kind, node.timeout_secs)


def test_delays_take_every_spelling_and_pass_the_value_on() -> None:
    """Flow builder: ``delay(name, duration)``."""
    workflow = Flow("lazy").delay("soon", "1ms").delay("now", 0).then(lambda x: x + 1).build()

    assert 2 == run_workflow(workflow, 1)


def test_a_signal_wakes_an_instance() -> None:
    """Execution: ``send_signal(instance_id, name, payload, backend)``, then ``resume_workflow``."""
    backend = InMemoryBackend()
    workflow = Flow("signal").wait_for_signal("go", timeout="1h").then(lambda x: x["by"]).build()

    waiting = run_durable_workflow(workflow, "s-1", 1, backend)
    send_signal("s-1", "go", {"by": "Ada"}, backend)

    assert ("awaiting_signal", "go") == (waiting.status, waiting.signal_name)
    assert "Ada" == resume_workflow(workflow, "s-1", backend).output


def test_a_run_with_an_instance_id_returns_its_output_or_raises() -> None:
    """Execution: ``run_workflow`` with a backend."""
    backend = InMemoryBackend()
    waiting = Flow("waiting").wait_for_signal("go").build()

    assert 2 == run_workflow(
        Flow("w").then(lambda x: x + 1).build(), 1, instance_id="r-1", backend=backend
    )
    with pytest.raises(WorkflowError):
        run_workflow(waiting, 1, instance_id="r-2", backend=backend)


def test_instances_can_be_cancelled_paused_and_unpaused() -> None:
    """Execution and status: the words, the reasons, and who asked."""
    backend = InMemoryBackend()
    workflow = Flow("control").wait_for_signal("go").build()
    run_durable_workflow(workflow, "c-1", 1, backend)

    pause_workflow("c-1", backend, "lunch", "Ada")
    paused = resume_workflow(workflow, "c-1", backend)
    unpause_workflow("c-1", backend)
    unpaused = resume_workflow(workflow, "c-1", backend)
    cancel_workflow("c-1", backend, reason="enough", cancelled_by="Grace")
    cancelled = resume_workflow(workflow, "c-1", backend)

    assert (True, "lunch", "Ada") == (paused.is_paused(), paused.reason, paused.paused_by)
    assert unpaused.is_awaiting_signal()
    assert (True, "enough") == (cancelled.is_cancelled(), cancelled.reason)
    assert "Grace" == cancelled.cancelled_by


def test_a_failing_task_raises_in_process_and_is_told_by_the_status() -> None:
    """Errors: ``TaskError`` with class and text, ``error`` of the status."""

    def fail(x: int) -> int:
        raise ValueError("bad")

    workflow = Flow("failing").then(fail).build()

    with pytest.raises(TaskError, match="ValueError: bad"):
        run_workflow(workflow, 1)
    assert "ValueError: bad" == run_durable_workflow(workflow, "f-1", 1).error


def test_a_client_submits_and_controls_without_running_anything() -> None:
    """WorkflowClient: every method, and what ``submit`` returns."""
    backend = InMemoryBackend()
    workflow = Flow("remote").then(lambda x: x + 1).wait_for_signal("go").build()
    client = WorkflowClient(backend, conflict_policy="use_existing")

    submitted = client.submit(workflow, "w-1", 10)
    again = client.submit(workflow, "w-1", 99)
    resume_workflow(workflow, "w-1", backend)
    client.pause("w-1", reason="lunch", paused_by="Ada")
    paused = client.status("w-1")
    client.unpause("w-1")
    client.send_signal("w-1", "go", {"by": "Ada"})
    resume_workflow(workflow, "w-1", backend)
    done = client.status("w-1")
    client.submit(workflow, "w-2", 1)
    client.cancel("w-2", reason="enough", cancelled_by="Grace")
    cancelled = client.status("w-2")

    assert isinstance(submitted, WorkflowStatus)
    assert ("in_progress", "in_progress") == (submitted.status, again.status)
    assert (True, "lunch", "Ada") == (paused.is_paused(), paused.reason, paused.paused_by)
    assert ("completed", {"by": "Ada"}) == (done.status, done.output)
    assert 11 == client.get_task_result("w-1", "lambda_0")
    assert (True, "enough") == (cancelled.is_cancelled(), cancelled.reason)
