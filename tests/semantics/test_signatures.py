"""The section "Signatures kept": code that is written for them runs unchanged."""

from __future__ import annotations

import inspect
from datetime import timedelta

import pytest

import sayiir
from sayiir import (
    Flow,
    Operations,
    RetryPolicy,
    WorkflowStatus,
    get_task_context,
    parse_duration,
    run_durable_workflow,
    run_workflow,
    task,
)

FUNCTIONS = {
    sayiir.run_workflow: (
        ["workflow", "input_data"],
        ["instance_id", "backend", "conflict_policy"],
    ),
    sayiir.run_durable_workflow: (
        ["workflow", "instance_id", "input_data", "backend", "conflict_policy"],
        [],
    ),
    sayiir.resume_workflow: (["workflow", "instance_id", "backend"], []),
    sayiir.retry_workflow: (["workflow", "instance_id", "backend"], []),
    sayiir.cancel_workflow: (["instance_id", "backend", "reason", "cancelled_by"], []),
    sayiir.pause_workflow: (["instance_id", "backend", "reason", "paused_by"], []),
    sayiir.unpause_workflow: (["instance_id", "backend"], []),
    sayiir.send_signal: (["instance_id", "signal_name", "payload", "backend"], []),
}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_public_functions_take_their_arguments_in_the_kept_order(function):
    """What stands by position keeps its place, and what has a name its name."""
    positional, by_name = FUNCTIONS[function]
    parameters = inspect.signature(function).parameters.values()

    places = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    assert positional == [p.name for p in places]
    assert set(by_name) <= {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    optional = {"conflict_policy", "reason", "cancelled_by", "paused_by"}
    assert all(p.default is None for p in places if p.name in optional)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_public_function_has_an_async_form(function):
    """It takes the same arguments."""
    twin = getattr(sayiir, f"{function.__name__}_async")

    assert inspect.iscoroutinefunction(twin)
    assert list(inspect.signature(function).parameters) == list(inspect.signature(twin).parameters)


def test_a_task_is_the_same_function_object():
    """It is annotated and never wrapped, and can be called like any function."""

    def body(value):
        return value + 1

    marked = task("x", timeout="1s", retries=1, tags=["a"], description="d", priority=1)(body)

    assert body is marked
    assert 2 == marked(1)
    assert body is task(body)
    assert body is task()(body)


def test_the_legacy_timeout_in_seconds_is_understood():
    """``timeout_secs`` is a timeout, and ``timeout`` wins over it."""

    @task(timeout_secs=2)
    def old(value):
        return value

    @task(timeout_secs=2, timeout="5s")
    def both(value):
        return value

    nodes = Flow("f").then(old).then(both).build().iter_nodes()

    assert [2.0, 5.0] == [node.timeout_secs for node in nodes]


def test_a_retry_policy_takes_its_first_three_settings_by_position():
    """The defaults are 2, 1.0 s and ×2."""
    policy = RetryPolicy()

    assert (2, 1.0, 2.0) == (
        policy.max_retries,
        policy.initial_delay_secs,
        policy.backoff_multiplier,
    )
    assert policy == RetryPolicy(2, 1.0, 2.0)


DURATIONS = [
    (10, 10),
    (0.5, 0.5),
    (0, 0),
    (timedelta(minutes=1), 60),
    ("10ms", 0.01),
    ("30s", 30),
    ("1.5m", 90),
    ("2h", 7200),
    ("1d", 86400),
    (" 5 S ", 5),
    ("3 M", 180),
]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS, ids=repr)
def test_durations_are_numbers_timedeltas_or_a_decimal_with_a_unit(text, seconds):
    """Case and blanks are free."""
    assert seconds == parse_duration(text)


BAD_DURATIONS = [
    "10",
    "1h30m",
    "-1s",
    "",
    -1,
    float("nan"),
    float("inf"),
    timedelta(seconds=-1),
    "s",
    "1 x",
]


@pytest.mark.parametrize("bad", BAD_DURATIONS, ids=repr)
def test_a_bad_duration_is_a_value_error_at_definition(bad):
    """Wherever a duration is written."""
    for define in (
        lambda: parse_duration(bad),
        lambda: task(timeout=bad)(lambda value: value),
        lambda: Flow("f").delay("d", bad).build(),
        lambda: Flow("f").wait_for_signal("s", timeout=bad).build(),
    ):
        with pytest.raises(ValueError, match=r"."):
            define()


STATUS_FIELDS = (
    "status",
    "error",
    "reason",
    "cancelled_by",
    "paused_by",
    "output",
    "wake_at",
    "delay_id",
    "signal_id",
    "signal_name",
)
STATUS_WORDS = (
    "completed",
    "failed",
    "cancelled",
    "paused",
    "waiting",
    "awaiting_signal",
    "in_progress",
)


@pytest.mark.parametrize("word", STATUS_WORDS)
def test_each_status_word_has_its_question(word):
    """Exactly one question is answered by yes."""
    status = WorkflowStatus(instance_id="a", run_id="r", status=word)

    answers = {each: getattr(status, f"is_{each}")() for each in STATUS_WORDS}

    assert {each: each == word for each in STATUS_WORDS} == answers


def test_a_status_has_the_kept_fields(iid):
    """Those that say nothing are None."""
    status = run_durable_workflow(Flow("f").then(lambda: 7).build(), iid, None)

    fields = {name: getattr(status, name) for name in STATUS_FIELDS}

    expected = dict.fromkeys(STATUS_FIELDS)
    assert {**expected, "status": "completed", "output": 7} == fields


def test_the_errors_keep_their_names_and_parents():
    """``WorkflowError`` is a ``RuntimeError``, and the others are workflow errors."""
    assert issubclass(sayiir.WorkflowError, RuntimeError)
    for error in (
        sayiir.TaskError,
        sayiir.BackendError,
        sayiir.InstanceAlreadyExistsError,
        sayiir.DeserializationError,
    ):
        assert issubclass(error, sayiir.WorkflowError)


def test_a_task_context_has_the_kept_fields():
    """And the number of the attempt."""
    seen = []
    workflow = Flow("f", metadata={"a": 1}).then(lambda: seen.append(get_task_context())).build()

    run_workflow(workflow, None)

    (context,) = seen
    assert ("f", "lambda_0", 1) == (context.workflow_id, context.task_id, context.attempt)
    assert ({"a": 1}, None) == (context.workflow_metadata, context.metadata.timeout_secs)
    assert isinstance(context.instance_id, str)


def test_the_facade_lists_what_it_offers():
    """Every public name exists."""
    missing = [name for name in sayiir.__all__ if not hasattr(sayiir, name)]

    assert [] == missing
    assert Operations in {getattr(sayiir, name) for name in sayiir.__all__}
