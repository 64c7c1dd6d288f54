"""An operation that the state forbids says what the user sees, and what helps."""

from __future__ import annotations

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.errors import InstanceStateError
from sayiir_runtime.api import run_durable_workflow, unpause_workflow
from sayiir_runtime.memory import InMemoryBackend


def test_a_forbidden_operation_names_the_status_that_users_see_and_a_remedy() -> None:
    """A parked instance was once called running, and the text ended there."""
    backend = InMemoryBackend()
    workflow = Flow[int, int]("parked").wait_for_signal("go").build()
    run_durable_workflow(workflow, "parked-1", 1, backend)

    with pytest.raises(InstanceStateError) as caught:
        unpause_workflow("parked-1", backend)

    assert "awaiting_signal" == caught.value.status
    assert "'parked-1'" in str(caught.value)
    assert "only what is paused can be unpaused" in str(caught.value)
