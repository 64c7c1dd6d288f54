"""SEMANTICS 21 to 27: whose fault an error is, and what it tells."""

from __future__ import annotations

import socket
import traceback

import pytest

import sayiir
from sayiir import (
    BackendError,
    Flow,
    InstanceNotFoundError,
    Operations,
    TaskError,
    WorkflowError,
    run_workflow,
)
from tests.semantics.driving import resume_workflow, run_durable_workflow


def fail(value):
    raise ValueError("bad")


def keep(value):
    return value


def chained(value):
    try:
        fail(value)
    except ValueError as error:
        raise RuntimeError("worse") from error


class OnceInterrupted:
    """A task that is interrupted at its first call, and works from then on."""

    def __init__(self, interruption):
        self.interruption = interruption
        self.calls = 0

    def __call__(self, value):
        """Be interrupted, or return the value."""
        self.calls += 1
        if self.calls == 1:
            raise self.interruption
        return value


def test_case_21_a_raising_task_raises_a_task_error_in_process():
    """Class and message in the text, the original as the cause, and the task's id."""
    with pytest.raises(TaskError, match=r"ValueError: bad") as caught:
        run_workflow(Flow("f").then(keep).then(fail).build(), 1)

    assert isinstance(caught.value.__cause__, ValueError)
    assert "fail" == caught.value.task_id


def test_case_21_the_cause_keeps_its_own_traceback_and_cause():
    """The original exception is the very object, not a copy."""
    with pytest.raises(TaskError) as caught:
        run_workflow(Flow("f").then(chained).build(), 1)

    cause = caught.value.__cause__
    assert isinstance(cause, RuntimeError)
    assert isinstance(cause.__cause__, ValueError)
    assert "chained" in [frame.name for frame in traceback.extract_tb(cause.__traceback__)]


def test_case_21_a_task_error_from_inside_a_fork_names_the_task():
    """Behind a fork, and in an async task, it is the same error."""

    async def afail(value):
        fail(value)

    for workflow in (
        Flow("f").fork().branch(fail, name="x").join(keep).build(),
        Flow("f").then(afail, name="x").build(),
        Flow("f").delay("d", 0).then(fail, name="x").build(),
    ):
        with pytest.raises(TaskError, match=r"ValueError: bad") as caught:
            run_workflow(workflow, 1)
        assert isinstance(caught.value.__cause__, ValueError)
        assert "x" == caught.value.task_id


def test_case_22_a_durable_run_does_not_raise(backend, iid):
    """It is failed, its error starts with the class, and the traceback is stored."""
    status = run_durable_workflow(Flow("f").then(keep).then(chained).build(), iid, 1, backend)

    assert "failed" == status.status
    assert status.error.startswith("RuntimeError: worse")
    assert "chained" == status.failed_task
    for part in ("ValueError: bad", "in chained", "in fail"):
        assert part in status.error_traceback


def test_case_22_the_traceback_is_readable_later(store, iid):
    """Another process reads the same error, of the instance and of the step."""
    run_durable_workflow(Flow("f").then(fail).build(), iid, 1, store.backend)
    elsewhere = Operations(store.again())

    status, step = elsewhere.status(iid), elsewhere.task(iid, "fail")

    assert "ValueError: bad" == status.error == step.error
    assert "in fail" in status.error_traceback
    assert "in fail" in step.error_traceback


@pytest.mark.parametrize("text", ["nul \0 nul", "lone \ud800 surrogate", "x" * 100_000])
def test_case_22_any_error_text_can_be_stored(backend, iid, text):
    """What a store refuses is replaced, so that a failure is never lost over its own text."""

    def refuse(value):
        raise ValueError(text)

    status = run_durable_workflow(Flow("f").then(refuse).build(), iid, 1, backend)

    assert "failed" == status.status
    assert status.error.startswith("ValueError: ")


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def test_case_22_an_error_without_a_readable_text_is_a_failure_too(drive):
    """Even an exception whose ``str`` raises fails the step."""

    def refuse(value):
        raise UnprintableError

    assert drive.end(Flow("f").then(refuse).build(), 1).error.startswith("UnprintableError")


INTERRUPTIONS = [KeyboardInterrupt, SystemExit]


@pytest.mark.parametrize("kind", INTERRUPTIONS)
def test_case_23_interruptions_propagate_in_process(kind):
    """Ctrl-C and ``sys.exit`` are no failures of a task."""
    with pytest.raises(kind):
        run_workflow(Flow("f").then(OnceInterrupted(kind()), name="x").build(), 1)


@pytest.mark.parametrize("kind", INTERRUPTIONS)
def test_case_23_an_interrupted_instance_is_resumable(store, iid, kind):
    """It propagates, the instance stays in progress, and at once another process resumes it."""
    body = OnceInterrupted(kind())
    workflow = Flow("f").then(keep).then(body, name="x").build()

    with pytest.raises(kind):
        run_durable_workflow(workflow, iid, 5, store.backend)

    assert "in_progress" == Operations(store.backend).status(iid).status
    assert 5 == resume_workflow(workflow, iid, store.again()).output
    assert 2 == body.calls


@pytest.mark.parametrize("kind", INTERRUPTIONS)
def test_case_23_an_interruption_in_a_branch_propagates_too(store, iid, kind):
    """It may come from a thread of a fork."""
    body = OnceInterrupted(kind())
    workflow = Flow("f").fork().branch(body, name="x").branch(keep, name="y").join(keep).build()

    with pytest.raises(kind):
        run_durable_workflow(workflow, iid, 5, store.backend)

    assert {"x": 5, "y": 5} == resume_workflow(workflow, iid, store.again()).output


@pytest.mark.parametrize("kind", INTERRUPTIONS)
def test_case_23_an_interruption_in_an_async_task_propagates_too(store, iid, kind):
    """It may come from a coroutine."""
    body = OnceInterrupted(kind())

    async def call(value):
        return body(value)

    workflow = Flow("f").then(call).build()

    with pytest.raises(kind):
        run_durable_workflow(workflow, iid, 5, store.backend)

    assert 5 == resume_workflow(workflow, iid, store.again()).output


def test_case_24_a_run_that_fails_raises_with_the_reason(backend, iid):
    """``run_workflow`` with an instance id promises an output."""
    with pytest.raises(WorkflowError, match=r"failed.*ValueError: bad") as caught:
        run_workflow(Flow("f").then(fail).build(), 1, instance_id=iid, backend=backend)

    assert iid == caught.value.instance_id


@pytest.mark.parametrize(
    ("flow", "word"),
    [
        (lambda: Flow("f").delay("nap", 3600), "waiting"),
        (lambda: Flow("f").wait_for_signal("go"), "awaiting_signal"),
    ],
    ids=["delay", "signal"],
)
def test_case_24_a_run_that_parks_raises_with_the_reason(backend, iid, flow, word):
    """A parked run has no output; it stays parked."""
    with pytest.raises(WorkflowError, match=word):
        run_workflow(flow().build(), 1, instance_id=iid, backend=backend)

    assert word == Operations(backend).status(iid).status


def test_case_24_a_run_that_completes_returns_its_output(backend, iid):
    """The output is that of the last task."""
    workflow = Flow("f").then(keep).build()

    assert {"a": 1} == run_workflow(workflow, {"a": 1}, instance_id=iid, backend=backend)


ON_ONE_INSTANCE = {
    "resume": lambda iid, backend: resume_workflow(Flow("f").then(keep).build(), iid, backend),
    "retry": lambda iid, backend: sayiir.retry_workflow(Flow("f").then(keep).build(), iid, backend),
    "cancel": sayiir.cancel_workflow,
    "pause": sayiir.pause_workflow,
    "unpause": sayiir.unpause_workflow,
    "status": lambda iid, backend: Operations(backend).status(iid),
    "get_task_result": lambda iid, backend: Operations(backend).get_task_result(iid, "x"),
    "task": lambda iid, backend: Operations(backend).task(iid, "x"),
    "history": lambda iid, backend: Operations(backend).history(iid),
}


@pytest.mark.parametrize("call", list(ON_ONE_INSTANCE.values()), ids=list(ON_ONE_INSTANCE))
def test_case_25_an_unknown_instance_is_a_backend_error(backend, iid, call):
    """The error names the instance."""
    with pytest.raises(BackendError, match=iid) as caught:
        call(iid, backend)

    assert isinstance(caught.value, InstanceNotFoundError)


def test_case_25_a_bad_policy_is_a_value_error(backend, iid):
    """An unknown conflict policy is refused before anything is stored."""
    with pytest.raises(ValueError, match=r"'use_existing'.*not 'whatever'"):
        run_durable_workflow(Flow("f").then(keep).build(), iid, 1, backend, "whatever")

    with pytest.raises(InstanceNotFoundError):
        Operations(backend).status(iid)


@pytest.mark.parametrize("wrong", ["sqlite:///file.db", 7, object(), {}], ids=type)
def test_case_25_a_wrong_backend_is_a_type_error(wrong):
    """A URL or anything else is no backend; the error says how to open one."""
    for call in (
        lambda: run_durable_workflow(Flow("f").then(keep).build(), "a", 1, wrong),
        lambda: sayiir.cancel_workflow("a", wrong),
        lambda: sayiir.send_signal("a", "s", 1, wrong),
    ):
        with pytest.raises(TypeError, match=r"open_backend"):
            call()


def test_a_flow_that_was_not_built_is_a_type_error_that_says_so(backend, iid):
    """Forgetting ``build()`` is told as such by whatever runs workflows."""
    flow = Flow("f").then(keep)
    for call in (
        lambda: sayiir.run_workflow(flow, 1),
        lambda: run_durable_workflow(flow, iid, 1, backend),
        lambda: resume_workflow(flow, iid, backend),
        lambda: sayiir.retry_workflow(flow, iid, backend),
    ):
        with pytest.raises(TypeError, match=r"build\(\) returns, not Flow"):
            call()


def test_a_signal_payload_that_cannot_be_stored_is_refused_with_both_names(backend, iid):
    """The error names the signal, the instance and the place in the value."""
    with pytest.raises(sayiir.EncodeError, match=rf"'approval'.*'{iid}'.*\$\.by: object"):
        sayiir.send_signal(iid, "approval", {"by": object()}, backend)


ANY_OPERATION = {
    **ON_ONE_INSTANCE,
    "run": lambda iid, backend: run_durable_workflow(Flow("f").then(keep).build(), iid, 1, backend),
    "send_signal": lambda iid, backend: sayiir.send_signal(iid, "s", 1, backend),
}


@pytest.mark.parametrize("call", list(ANY_OPERATION.values()), ids=list(ANY_OPERATION))
@pytest.mark.parametrize("bad", ["", "x" * 257, "é" * 129, "a\0b", "\ud800"], ids=ascii)
def test_case_26_a_bad_instance_id_is_refused_by_every_operation(backend, call, bad):
    """Empty, too long (in bytes), with a NUL, or no UTF-8."""
    with pytest.raises(ValueError, match=r"instance id"):
        call(bad, backend)


@pytest.mark.parametrize("good", ["x" * 256, "é" * 128, " ", "a/b:c\n", "日本"], ids=ascii)
def test_case_26_any_text_within_the_limits_is_an_instance_id(backend, good):
    """256 bytes, blanks and any script are fine in every store."""
    workflow = Flow("f").then(keep).build()

    status = run_durable_workflow(workflow, good, 1, backend, "terminate_existing")

    assert (good, 1) == (status.instance_id, status.output)
    assert good == Operations(backend).status(good).instance_id


@pytest.mark.parametrize("bad", [7, None, b"id"], ids=repr)
def test_case_26_an_instance_id_of_another_type_is_a_type_error(backend, bad):
    """Only strings name instances."""
    for call in ANY_OPERATION.values():
        with pytest.raises(TypeError, match=r"instance id"):
            call(bad, backend)


def closed_port():
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_case_27_an_unreachable_database_names_the_host_and_never_the_password():
    """The constructor opens nothing; the first operation tells."""
    url = f"postgresql://someone:s3cr3t@127.0.0.1:{closed_port()}/orders"
    backend = sayiir.PostgresBackend(url)

    with pytest.raises(BackendError, match=r"127\.0\.0\.1") as caught:
        run_durable_workflow(Flow("f").then(keep).build(), "a", 1, backend)

    told = "".join(traceback.format_exception(caught.value))
    assert "s3cr3t" not in told


def test_case_27_an_unreachable_file_names_the_file(tmp_path):
    """A folder that does not exist is told with its path."""
    backend = sayiir.SQLiteBackend(tmp_path / "missing" / "sayiir.db")

    with pytest.raises(BackendError, match=r"missing"):
        run_durable_workflow(Flow("f").then(keep).build(), "a", 1, backend)
