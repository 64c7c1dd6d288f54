"""Errors say all they know in one line, and keep it when they travel."""

from __future__ import annotations

import pickle

import pytest

from sayiir_core.errors import (
    InstanceCancelledError,
    ResultTimeoutError,
    RunReplacedError,
    WorkflowError,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InstanceCancelledError("a-1"), "instance 'a-1' was cancelled; submit it with"),
        (
            InstanceCancelledError("a-1", reason="enough", cancelled_by="Ada"),
            "instance 'a-1' was cancelled by Ada: enough; submit it with",
        ),
        (RunReplacedError("a-1", run_id="r"), "'a-1' was started afresh, and run r is no more"),
        (
            ResultTimeoutError("a-1", seconds=2.5, doing="it naps"),
            "instance 'a-1' has not ended within 2.5 s: it naps",
        ),
    ],
)
def test_what_a_waiting_caller_gets_names_the_instance_and_survives_pickling(
    error: WorkflowError, text: str
) -> None:
    """With its facts as attributes, too."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert text in str(error)
    assert "a-1" == error.instance_id
    assert (type(error), str(error), vars(error)) == (type(copy), str(copy), vars(copy))


def test_a_late_result_is_a_timeout_for_those_who_know_no_other() -> None:
    """It is caught as the built-in one, and as an error of a workflow."""
    error = ResultTimeoutError("a-1", seconds=1, doing="")

    assert isinstance(error, TimeoutError)
    assert isinstance(error, WorkflowError)
