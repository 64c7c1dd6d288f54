"""The gate of a submission, and the batches behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sayiir_core.authoring import Flow, Workflow
from sayiir_core.errors import (
    BackendError,
    EncodeError,
    InstanceAlreadyExistsError,
    RefusedRowError,
)
from sayiir_runtime.client import WorkflowClient, WorkflowHandle
from sayiir_runtime.memory import InMemoryBackend


def inc(value: int) -> int:
    return value + 1


@pytest.fixture
def workflow() -> Workflow[Any, Any]:
    """Give a workflow of one task that takes anything."""
    return Flow[Any, Any]("order").then(lambda value: value, name="keep").build()


def ids(client: WorkflowClient) -> list[str]:
    """Return the ids of all instances, oldest first."""
    return [summary.instance_id for summary in client.list()][::-1]


@pytest.mark.parametrize(
    ("instance_id", "error", "problem"),
    [
        ("", ValueError, "1 to 256 bytes"),
        ("x" * 257, ValueError, "1 to 256 bytes"),
        ("a\0b", ValueError, "NUL"),
        ("\ud800", ValueError, "lone surrogate"),
        (7, TypeError, "must be a string"),
    ],
)
def test_a_bad_instance_id_is_refused_naming_the_workflow(
    workflow: Workflow[Any, Any], instance_id: Any, error: type[Exception], problem: str
) -> None:
    """Nothing is stored."""
    client = WorkflowClient(InMemoryBackend())

    with pytest.raises(error, match=f"workflow 'order'.*{problem}"):
        client.submit(workflow, instance_id, 1)

    assert [] == ids(client)


@pytest.mark.parametrize(
    ("labels", "error", "problem"),
    [
        ({"team": 7}, TypeError, "label 'team' of .* must be a string, not int"),
        ({7: "team"}, TypeError, "label name of .* must be a string, not int"),
        ({"": "x"}, ValueError, "1 to 256 bytes"),
        ({"team": "x" * 1025}, ValueError, "label 'team' of .* has 1025 bytes"),
        ({"team": "a\0b"}, ValueError, "label 'team' of .* NUL"),
        ({"team": "\ud800"}, ValueError, "label 'team' of .* lone surrogate"),
        ({str(n): "" for n in range(65)}, ValueError, "65 labels, and may have 64"),
        (["team"], TypeError, "must be a dict, not list"),
    ],
)
def test_bad_labels_are_refused_naming_the_workflow(
    workflow: Workflow[Any, Any], labels: Any, error: type[Exception], problem: str
) -> None:
    """By the error that says which label and why."""
    client = WorkflowClient(InMemoryBackend())

    with pytest.raises(error, match=problem) as caught:
        client.submit(workflow, "a", 1, labels=labels)

    assert "'order'" in str(caught.value)
    assert [] == ids(client)


def test_labels_at_their_limits_are_stored(workflow: Workflow[Any, Any]) -> None:
    """And are the caller's no more: a later change of the dict changes nothing."""
    client = WorkflowClient(InMemoryBackend())
    labels = {f"{n}".rjust(256): "ü" * 512 for n in range(63)} | {"empty": ""}
    given = dict(labels)

    client.submit(workflow, "a", 1, labels=given)
    given.clear()

    assert [labels] == [summary.labels for summary in client.list()]


def test_an_input_that_cannot_be_stored_names_instance_and_workflow(
    workflow: Workflow[Any, Any],
) -> None:
    """It is refused at the gate, not by a worker."""
    client = WorkflowClient(InMemoryBackend())

    with pytest.raises(EncodeError, match=r"instance 'a' of workflow 'order'.*\$\.x: object"):
        client.submit(workflow, "a", {"x": object()})

    assert [] == ids(client)


def test_what_is_no_workflow_no_backend_and_no_policy_is_refused(
    workflow: Workflow[Any, Any],
) -> None:
    """Each by the error that says what it must be."""
    backend = InMemoryBackend()
    client = WorkflowClient(backend)

    with pytest.raises(TypeError, match="what Flow"):
        client.submit(Flow[int, int]("f").then(inc), "a", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="open_backend"):
        WorkflowClient("sqlite:///x.db")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="conflict_policy must be one of"):
        WorkflowClient(backend, conflict_policy="replace")
    with pytest.raises(ValueError, match="conflict_policy must be one of"):
        client.submit(workflow, "a", 1, conflict_policy="replace")


def test_many_are_stored_a_thousand_at_a_time_and_taken_as_needed(
    disturbed: Any, workflow: Workflow[Any, Any]
) -> None:
    """The memory for their inputs does not grow with their number."""
    taken, most = [0], [0]

    def items() -> Iterator[tuple[str, int]]:
        for n in range(2500):
            taken[0] += 1
            yield f"i-{n}", n

    def create(call: Callable[[], Any]) -> Any:
        created = call()
        most[0] = max(most[0], taken[0])
        taken[0] = 0
        return created

    disturbed.around["instances.create"] = create
    client = WorkflowClient(disturbed)

    handles = client.submit_many(workflow, items(), labels={"batch": "7"})

    assert [f"i-{n}" for n in range(2500)] == [h.instance_id for h in handles]  # type: ignore[union-attr]
    assert (3, 1000) == (disturbed.calls["instances.create"], most[0])
    assert 1 == disturbed.calls["definitions.save"]
    assert {"batch": "7"} == client.page().summaries[0].labels


def test_of_many_each_bad_one_gets_its_own_error(workflow: Workflow[Any, Any]) -> None:
    """The others are stored, in order."""
    client = WorkflowClient(InMemoryBackend())
    client.submit(workflow, "taken", 1)
    items: Any = [
        ("a", 1),
        ("", 1),
        ("b", object()),
        ("taken", 1),
        ("a", 2),
        "cd",
        ("d",),
        ["e", 5],
    ]

    answers = client.submit_many(workflow, items)

    kinds = [type(answer).__name__ for answer in answers]
    assert [
        "WorkflowHandle",
        "ValueError",
        "EncodeError",
        "InstanceAlreadyExistsError",
        "InstanceAlreadyExistsError",
        "TypeError",
        "TypeError",
        "WorkflowHandle",
    ] == kinds
    assert ["taken", "a", "e"] == ids(client)


def test_none_at_all_needs_no_store(disturbed: Any, workflow: Workflow[Any, Any]) -> None:
    """An empty list, and one of nothing but bad items."""
    client = WorkflowClient(disturbed)

    answers = [client.submit_many(workflow, items) for items in ([], [("", 1)])]

    assert [0, 1] == [len(each) for each in answers]
    assert 0 == disturbed.calls["instances.create"]


def test_what_the_store_refuses_is_refused_alone(
    disturbed: Any, workflow: Workflow[Any, Any]
) -> None:
    """A store refuses the call, so the bad ones are looked for by halving."""
    bad, sizes = {"i-3", "i-700"}, []
    create = disturbed.plain.instances.create

    class Instances:
        def __getattr__(self, name: str) -> Any:
            return getattr(disturbed.plain.instances, name)

        def create(self, batch: Any) -> Any:
            sizes.append(len(batch))
            refused = [new.instance_id for new in batch if new.instance_id in bad]
            if refused:
                raise RefusedRowError(f"{refused[0]} is over the limit")
            return create(batch)

    disturbed.instances = Instances()
    client = WorkflowClient(disturbed)

    answers = client.submit_many(workflow, ((f"i-{n}", n) for n in range(1000)))

    errors = {n: str(answers[n]) for n in range(1000) if isinstance(answers[n], Exception)}
    assert {3: "i-3 is over the limit", 700: "i-700 is over the limit"} == errors
    assert 998 == len(ids(client))
    assert len(sizes) < 50


def test_after_an_outage_nothing_more_is_sent(disturbed: Any, workflow: Workflow[Any, Any]) -> None:
    """The rest gets the store's error at once, and can be submitted again."""
    away = BackendError("the store is away", transient=True)

    def fail_second(call: Callable[[], Any]) -> Any:
        if disturbed.calls["instances.create"] == 2:
            raise away
        return call()

    disturbed.around["instances.create"] = fail_second
    client = WorkflowClient(disturbed, conflict_policy="use_existing")
    items = [(f"i-{n}", n) for n in range(3000)]

    first = client.submit_many(workflow, items)
    calls = disturbed.calls["instances.create"]
    again = client.submit_many(workflow, items)

    assert [True] * 1000 == [isinstance(each, WorkflowHandle) for each in first[:1000]]
    assert [away] * 2000 == first[1000:]
    assert 2 == calls
    assert [item[0] for item in items] == [each.instance_id for each in again]  # type: ignore[union-attr]


def test_a_run_whose_creation_went_unanswered_is_the_submitted_one(
    disturbed: Any, workflow: Workflow[Any, Any]
) -> None:
    """A store that repeats a call finds its own run, and says that it exists."""
    create = disturbed.plain.instances.create

    class Repeating:
        def __getattr__(self, name: str) -> Any:
            return getattr(disturbed.plain.instances, name)

        def create(self, batch: Any) -> Any:
            create(batch)
            return create(batch)

    disturbed.instances = Repeating()
    handle = WorkflowClient(disturbed).submit(workflow, "a", 1)

    assert handle.run_id == disturbed.plain.instances.load("a").header.run_id
    with pytest.raises(InstanceAlreadyExistsError):
        WorkflowClient(disturbed).submit(workflow, "a", 1)
