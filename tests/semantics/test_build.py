"""SEMANTICS 1 to 11: what a flow becomes when it is built."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir import (
    DefinitionError,
    DefinitionErrors,
    Flow,
    RetryPolicy,
    get_task_context,
    run_workflow,
    task,
)


def inc(value):
    return value + 1


def dbl(value):
    return value * 2


def ids(workflow):
    """Return the ids of a workflow's nodes, in order."""
    return [node.id for node in workflow.iter_nodes()]


def test_case_01_plain_lambdas_make_a_pipeline(drive):
    """Three unannotated lambdas turn 5 into "11"."""
    workflow = (
        Flow("pipeline")
        .then(lambda x: x * 2)
        .then(lambda x: x + 1)
        .then(lambda x: str(x))  # noqa: PLW0108 - a user's third lambda
        .build()
    )

    assert "11" == drive(workflow, 5)


def test_case_02_ids_come_from_names_and_lambdas_are_counted():
    """Unnamed lambdas count from 0, a name wins, and callables give their own."""
    flow = Flow("f").then(lambda x: x).then(lambda x: x, name="n").then(lambda x: x).then(len)

    assert ["lambda_0", "n", "lambda_1", "len"] == ids(flow.build())


def test_case_03_the_positional_name_of_a_task_wins_and_an_empty_one_is_none():
    """``@task("a", name="b")`` is a; an empty name leaves the function's."""

    @task("a", name="b")
    def first(value):
        return value

    @task(name="")
    def second(value):
        return value

    @task("")
    def third(value):
        return value

    assert ["a", "second", "third"] == ids(Flow("f").then(first).then(second).then(third).build())


@pytest.mark.parametrize("priority", [1, 2, 3, 4, 5])
def test_case_04_priorities_go_from_1_to_5(priority):
    """Each of the five priorities reaches the node."""
    workflow = Flow("f").then(task(priority=priority)(inc_copy())).build()

    assert [priority] == [node.priority for node in workflow.iter_nodes()]


def test_case_04_the_default_priority_is_3():
    """A task that says nothing has priority 3."""
    assert [3] == [node.priority for node in Flow("f").then(inc).build().iter_nodes()]


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 0},
        {"priority": 6},
        {"priority": True},
        {"priority": 2.0},
        {"tags": [f"tag{number}" for number in range(21)]},
        {"tags": [""]},
        {"tags": ["x" * 65]},
        {"tags": "cpu"},
        {"tags": [1]},
    ],
    ids=str,
)
def test_case_04_a_bad_priority_or_tag_is_a_value_error(options):
    """Anything outside the limits is refused where it is written."""
    with pytest.raises(ValueError, match=r"priority|tag"):
        task(**options)(inc_copy())


def test_case_04_twenty_tags_of_64_characters_are_allowed():
    """The limits themselves are inside."""
    tags = [f"{number:064}" for number in range(20)]
    marked = task(tags=tags)(inc_copy())

    assert marked(1) == 2


def inc_copy():
    """Return a fresh function, so that a decorator of one test is not seen by another."""

    def inc(value):
        return value + 1

    return inc


def test_case_05_three_retries_mean_one_second_doubled():
    """The number form has the policy 3, 1.0 s, ×2."""
    workflow = Flow("f").then(task(retries=3)(inc_copy())).build()

    (node,) = workflow.iter_nodes()

    assert RetryPolicy(3, 1.0, 2.0) == node.retry_policy


def test_case_05_no_retries_mean_exactly_one_attempt(drive):
    """``retries=0`` calls the task once."""
    calls = []

    @task(retries=0)
    def fail(value):
        calls.append(value)
        raise ValueError("bad")

    ended = drive.end(Flow("f").then(fail).build(), 1)

    assert ("ValueError: bad", [1]) == (ended.error, calls)


def two(first, second):
    return first, second


def keyword(value, *, needed):
    return value, needed


WRONG = {
    "empty build": lambda: Flow("f").build(),
    "fork without branch": lambda: Flow("f").fork().join(inc).build(),
    "branch without callable": lambda: Flow("f").fork().branch().join(inc).build(),
    "arm without callable": lambda: Flow("f").route(inc, keys=["a"]).branch("a").done().build(),
    "default without callable": lambda: (
        Flow("f").route(inc, keys=[]).default_branch().done().build()
    ),
    "not callable": lambda: Flow("f").then(7).build(),
    "two parameters": lambda: Flow("f").then(two).build(),
    "required keyword": lambda: Flow("f").then(keyword).build(),
    "no iterations": lambda: Flow("f").loop(inc, max_iterations=0).build(),
    "bad on_max": lambda: Flow("f").loop(inc, on_max="explode").build(),
    "undeclared key": lambda: (
        Flow("f").route(inc, keys=["a"]).branch("a", inc).branch("b", dbl).done().build()
    ),
    "missing key": lambda: Flow("f").route(inc, keys=["a", "b"]).branch("a", inc).done().build(),
    "key declared twice": lambda: (
        Flow("f").route(inc, keys=["a", "a"]).branch("a", inc).done().build()
    ),
    "arm twice": lambda: (
        Flow("f").route(inc, keys=["a"]).branch("a", inc).branch("a", dbl).done().build()
    ),
    "no arm at all": lambda: Flow("f").route(inc, keys=[]).done().build(),
    "same id twice": lambda: Flow("f").then(inc).then(inc).build(),
    "slash in a name": lambda: Flow("f").then(inc, name="a/b").build(),
    "bad duration": lambda: Flow("f").delay("d", "1h30m").build(),
    "negative duration": lambda: Flow("f").delay("d", -1).build(),
    "bad timeout of a signal": lambda: Flow("f").wait_for_signal("s", timeout="soon").build(),
}


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
def test_case_06_a_wrong_definition_is_refused(wrong):
    """Every mistake of the list is an error at definition, never later."""
    with pytest.raises(ValueError, match=r"."):
        wrong()


def test_case_06_a_forgotten_join_is_reported():
    """A fork that never ends is named by ``build()``."""
    flow = Flow("f").then(inc)
    flow.fork().branch(dbl)

    with pytest.raises(DefinitionErrors, match=r"join"):
        flow.build()


def test_case_06_a_forgotten_done_is_reported():
    """A route that never ends is named by ``build()``."""
    flow = Flow("f").then(inc)
    flow.route(str, keys=["a"]).branch("a", dbl)

    with pytest.raises(DefinitionErrors, match=r"done"):
        flow.build()


def test_case_06_all_problems_are_listed_at_once():
    """One ``build()`` tells of every mistake, each as an error of its own."""
    flow = (
        Flow("f")
        .then(7)
        .loop(inc, max_iterations=0)
        .route(inc, keys=["a", "b"])
        .branch("a", two)
        .done()
    )

    with pytest.raises(DefinitionErrors) as caught:
        flow.build()

    problems = caught.value.exceptions
    assert len(problems) >= 4
    assert all(isinstance(problem, DefinitionError) for problem in problems)
    assert all(str(problem) in str(caught.value) for problem in problems)


def test_case_07_a_route_may_have_a_default_only(drive):
    """Without a declared key everything takes the default arm, under its real key."""
    workflow = Flow("f").route(lambda x: f"k{x}", keys=[]).default_branch(inc).done().build()

    assert {"branch": "k5", "result": 6} == drive(workflow, 5)


def test_case_08_the_same_id_twice_in_one_scope_names_the_remedy():
    """The error says the id and ``name=``."""
    with pytest.raises(DefinitionErrors, match=r"(?s)inc.*name="):
        Flow("f").then(inc).then(dbl).then(inc).build()


def test_case_08_the_same_id_in_two_scopes_is_fine(drive):
    """Two branches may both use a function."""
    workflow = Flow("f").fork().branch(inc, dbl).branch(dbl, inc).join(lambda got: got).build()

    assert {"inc": 12, "dbl": 11} == drive(workflow, 5)


def test_case_09_a_new_name_keeps_the_metadata():
    """``then(fn, name=…)`` changes the id and nothing else."""
    seen = []

    @task("original", timeout="5s", retries=2, tags=["io"], priority=2, description="why")
    def work(value):
        seen.append(get_task_context())
        return value

    workflow = Flow("f").then(work, name="renamed").build()
    (node,) = workflow.iter_nodes()
    run_workflow(workflow, 1)

    assert ("renamed", 5.0, 2) == (node.id, node.timeout_secs, node.priority)
    assert RetryPolicy(2) == node.retry_policy
    metadata = seen[0].metadata
    assert (["io"], "why", 5.0) == (metadata.tags, metadata.description, metadata.timeout_secs)


def test_case_10_metadata_is_readable_in_the_context(drive):
    """A task sees the flow's metadata."""
    metadata = {"team": "billing", "levels": [1, 2]}
    workflow = (
        Flow("f", metadata=metadata).then(lambda: get_task_context().workflow_metadata).build()
    )

    assert metadata == workflow.metadata
    assert metadata == drive(workflow, None)


def test_case_10_metadata_is_none_when_unset(drive):
    """A flow without metadata has None, outside and inside."""
    workflow = Flow("f").then(lambda: get_task_context().workflow_metadata).build()

    assert workflow.metadata is None
    assert drive(workflow, None) is None


def test_case_10_metadata_must_be_json_able():
    """Metadata that no tool could store is refused."""
    with pytest.raises((TypeError, ValueError), match=r"metadata"):
        Flow("f", metadata={"when": object()}).then(inc).build()


def test_case_11_nodes_list_kinds_timeouts_and_the_chain():
    """A task, a delay and a signal tell what they are and what they follow."""
    workflow = (
        Flow("f")
        .then(task(timeout=2)(inc_copy()))
        .delay("nap", 3)
        .wait_for_signal("go", name="gate", timeout=timedelta(seconds=4))
        .build()
    )

    nodes = [
        (node.id, node.kind, node.timeout_secs, node.predecessor_id)
        for node in workflow.iter_nodes()
    ]

    assert [
        ("inc", "task", 2.0, None),
        ("nap", "delay", 3.0, "inc"),
        ("gate", "await_signal", 4.0, "nap"),
    ] == nodes
